/* destination/destination.h: where finished parts become visible. A part is always a finished,
 * fsynced spool file before it is offered; an object appears whole or not at all, under a name
 * that the run owns. Keys are relative to the resolved path or prefix, '/' separated, no "..".
 * Threads: put, stat, read, remove may run concurrently on one rv_dest.
 * Source: spec "destinations" sections 1 to 3, "lifecycle" sections 3, 6, 9. */
#ifndef RV_DESTINATION_DESTINATION_H
#define RV_DESTINATION_DESTINATION_H

#include "base/env.h"
#include "base/hash.h"
#include "base/sink.h"
#include "config/config.h"

typedef struct rv_dest rv_dest;

typedef enum rv_put_mode {
    RV_PUT_NEW,   /* put if absent; an own object of that name is replaced */
    RV_PUT_SHARED /* manifest.json, _SUCCESS: only over the version read before */
} rv_put_mode;

typedef struct rv_put_spec {
    const char *key;
    const char *spool; /* finished file, which stays; NULL: `bytes` */
    rv_bytes bytes;
    const rv_digests *digests; /* of the content */
    const char *owner_token;   /* 32 hex digits */
    const char *mime;
    rv_put_mode mode;
    /* NEW: fingerprint ("xxh3:...") and size that state recorded earlier for this name, or NULL:
     * what proves a local object ours. */
    const char *known_fingerprint;
    uint64_t known_size_bytes;
    /* SHARED: version of the object read before (rv_object.version), NULL = it was absent. */
    const char *version;
    /* Called immediately before a request that makes something visible (lease check). May be NULL.
     */
    rv_status (*guard)(void *ctx, rv_error *err);
    void *guard_ctx;
    /* Multipart: told the upload id when one exists, before its first byte. May be NULL. */
    rv_status (*on_upload_id)(void *ctx, const char *upload_id, rv_error *err);
    void *on_upload_ctx;
} rv_put_spec;

typedef enum rv_put_outcome {
    RV_PUT_WRITTEN,
    RV_PUT_SAME,    /* own object with the same bytes was there already */
    RV_PUT_FOREIGN, /* the name is somebody else's, or may not be replaced */
    RV_PUT_CHANGED  /* SHARED: no longer the version read before */
} rv_put_outcome;

#define RV_VERSION_SIZE 128
typedef struct rv_object {
    char key[1024];
    uint64_t size_bytes;
    char md5[33];                  /* hex, empty when the store lists none */
    char owner[33];                /* rivet-owner, empty when absent or unknowable */
    char version[RV_VERSION_SIZE]; /* generation, ETag; local: size, mtime and inode */
} rv_object;

typedef struct rv_object_list {
    rv_object *items; /* rv_dest_list_free */
    size_t n;
} rv_object_list;
void rv_object_list_free(rv_object_list *l);

typedef enum rv_remove_outcome {
    RV_REMOVED,
    RV_REMOVE_MISSING,
    RV_REMOVE_FOREIGN,
    RV_REMOVE_DENIED
} rv_remove_outcome;

#define RV_PROBE_WARNINGS_MAX 6
typedef struct rv_probe { /* what doctor learned */
    char detail[256];     /* free room, the credentials in use, conditions in force */
    char warnings[RV_PROBE_WARNINGS_MAX][320]; /* a right that is lacking, and what needs it */
    size_t n_warnings;
} rv_probe;

#define RV_DESTINATION_ABI 2
typedef struct rv_dest_driver {
    uint32_t abi;
    rv_dest_kind kind;
    const char *name;    /* local stdout s3 gcs azure */
    const char *display; /* Local Stdout S3 GCS Azure */
    bool resumable;      /* false: stdout */

    /* `prefix`: the path or prefix with every placeholder resolved. Creates nothing yet but may
     * refuse what can never work. */
    rv_status (*open)(const rv_env *env, const rv_cfg_dest *cfg, const char *prefix, rv_dest **out,
                      rv_error *err);
    void (*close)(rv_dest *d);
    /* "file://./output", "s3://bucket/prefix/"; valid until close. */
    const char *(*uri)(const rv_dest *d);
    /* Facts of state: endpoint (may be "") and bucket or root. */
    void (*facts)(const rv_dest *d, const char **endpoint, const char **root);

    /* Creates what directories are needed and checks room for `need_bytes` in the spool
     * (RV_E_DEST_NO_SPACE naming path, free and needed bytes). *out_tmpfs: it counts as memory. */
    rv_status (*prepare)(rv_dest *d, uint64_t need_bytes, bool *out_tmpfs, rv_error *err);
    /* Absolute path of the spool file of a part (hidden temp beside the target for local). */
    rv_status (*spool_path)(rv_dest *d, const char *run_id, const char *key, rv_buf *out,
                            rv_error *err);

    /* Removes temp and spool files of a run ("{temp prefix}{run_id}-..."), but those in `keep`
     * (absolute paths). */
    rv_status (*sweep)(rv_dest *d, const char *run_id, const char *const *keep, size_t n_keep,
                       rv_error *err);

    rv_status (*put)(rv_dest *d, const rv_put_spec *spec, rv_put_outcome *out, rv_error *err);
    rv_status (*stat)(rv_dest *d, const char *key, rv_object *out, bool *out_found, rv_error *err);
    /* At most len bytes from offset; *out_len < len only at the end of the object. */
    rv_status (*read)(rv_dest *d, const char *key, uint64_t offset, uint8_t *out, size_t len,
                      size_t *out_len, rv_error *err);
    /* Objects directly under `dir` ("" = the prefix itself), sorted by key; temp files left out.
     * A missing directory or empty prefix lists nothing. */
    rv_status (*list)(rv_dest *d, const char *dir, rv_object_list *out, rv_error *err);
    /* Only when it is ours: `owner_token` for stores, known_* (as in rv_put_spec) for local. */
    rv_status (*remove)(rv_dest *d, const char *key, const char *owner_token,
                        const char *known_fingerprint, uint64_t known_size_bytes,
                        rv_remove_outcome *out, rv_error *err);
    /* Quarantine: moves within the prefix, never over an existing object. */
    rv_status (*move)(rv_dest *d, const char *from, const char *to, rv_error *err);
    /* upload_id NULL: it was not recorded; whatever is open under this very name. */
    rv_status (*abort_upload)(rv_dest *d, const char *key, const char *upload_id, rv_error *err);
    /* Writes, reads back and deletes .rivet_doctor_probe. */
    rv_status (*probe)(rv_dest *d, rv_probe *out, rv_error *err);
    /* Requests repeated so far, for the run's summary. NULL: none ever. */
    uint64_t (*retries)(const rv_dest *d);
    /* stdout only (else NULL): the byte stream of the one file. */
    rv_status (*stream)(rv_dest *d, rv_sink *out, rv_error *err);
} rv_dest_driver;

extern const rv_dest_driver rv_dest_local;
extern const rv_dest_driver rv_dest_stdout;
extern const rv_dest_driver rv_dest_s3;
extern const rv_dest_driver rv_dest_gcs;
extern const rv_dest_driver rv_dest_azure;
const rv_dest_driver *const *rv_dest_drivers(void);   /* NULL-terminated */
const rv_dest_driver *rv_dest_for(rv_dest_kind kind); /* every kind of a configuration has one */
/* "permission error", "bucket not found": the category of a store's refusal; NULL: none. */
const char *rv_dest_category(rv_status code);
/* A key is a relative path of plain names: nothing empty, no "." and no "..". */
bool rv_dest_key_valid(const char *key);

#endif
