/* destination/cloud/cloud_internal.h: the one destination over all object stores, as its files
 * share it: cloud.c (names, vtable), lines.c (clients), put.c (the commit protocol), upload.c
 * (objects in parts), ahead.c (reading), probe.c (doctor).
 * Threads: everything may be called by any number of threads on one rv_dest.
 * Source: spec "destinations" sections 1, 3, 6, 9, 10. */
#ifndef RV_DESTINATION_CLOUD_INTERNAL_H
#define RV_DESTINATION_CLOUD_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "destination/cloud/store.h"

#define RV_CLOUD_NAME_SIZE 1025 /* the longest name that a store takes, and a NUL */

/* ---- clients: as many requests at once as upload_parallel says, whoever makes them ---- */

#define RV_LINES_MAX 64
typedef struct rv_lines {
    const rv_env *env;
    rv_http_opts opts;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    rv_http *idle[RV_LINES_MAX];
    size_t n_idle, n_taken, most;
} rv_lines;

void rv_lines_init(rv_lines *l, const rv_env *env, const char *ca_file, uint64_t most);
void rv_lines_close(rv_lines *l);
/* Waits for one; requests of others end, so this does. */
rv_status rv_lines_take(rv_lines *l, rv_http **out, rv_error *err) RV_MUST_USE;
void rv_lines_give(rv_lines *l, rv_http *h); /* NULL is fine */

/* ---- reading ahead: many small reads become few requests ---- */

#define RV_AHEAD_SLOTS 8
#define RV_AHEAD_LEAST ((size_t)256 << 10)
#define RV_AHEAD_MOST ((size_t)2 << 20)

typedef struct rv_ahead_slot { /* bytes of one object */
    char key[sizeof((rv_object *)NULL)->key];
    uint64_t start;
    rv_buf data;
    size_t window;
    bool end;   /* the object ends where the bytes do */
    bool busy;  /* being filled by one thread */
    bool stale; /* what is being filled may be of another version */
    uint64_t used;
} rv_ahead_slot;

typedef struct rv_ahead {
    pthread_mutex_t lock;
    rv_ahead_slot slots[RV_AHEAD_SLOTS];
    uint64_t clock;
} rv_ahead;

void rv_ahead_init(rv_ahead *a);
void rv_ahead_close(rv_ahead *a);
void rv_ahead_forget(rv_ahead *a, const char *key);
rv_status rv_ahead_read(rv_dest *d, const char *key, uint64_t offset, uint8_t *out, size_t len,
                        size_t *out_len, rv_error *err) RV_MUST_USE;

/* ---- the destination ---- */

struct rv_dest {
    const rv_env *env;
    const rv_store_ops *ops;
    rv_store *store;
    rv_buf prefix; /* "" or "a/b/", with a NUL behind */
    rv_buf uri;    /* "s3://bucket/a/b/", likewise */
    uint64_t threshold_bytes, part_bytes, parallel;
    rv_lines lines;
    rv_ahead ahead;
    atomic_bool unconditional; /* the store has refused a condition */
};

rv_status rv_cloud_open(const rv_store_ops *ops, const rv_env *env, const rv_cfg_dest *cfg,
                        const char *prefix, rv_dest **out, rv_error *err) RV_MUST_USE;

/* The object's whole name; RV_E_DEST_IO for a key that leaves the prefix or is too long. */
rv_status rv_cloud_name(const rv_dest *d, const char *key, char out[RV_CLOUD_NAME_SIZE],
                        rv_error *err) RV_MUST_USE;
/* The outermost line of a failed request: "cannot write s3://bucket/key". Others pass. */
rv_status rv_cloud_fail(const rv_dest *d, rv_status st, const char *what, const char *key,
                        rv_error *err);

typedef enum rv_sight {
    RV_SIGHT_ABSENT,
    RV_SIGHT_THERE,
    RV_SIGHT_DENIED /* nobody may know: without the right to list, also of what is absent */
} rv_sight;
rv_status rv_cloud_look(rv_dest *d, const char *name, rv_object *out, rv_sight *sight,
                        rv_error *err) RV_MUST_USE;
/* Size and MD5, where one is listed: equal beyond doubt. */
bool rv_cloud_same(const rv_object *o, uint64_t size_bytes, const char *md5);

rv_status rv_cloud_put(rv_dest *d, const rv_put_spec *spec, rv_put_outcome *out, rv_error *err);
/* One object in parts, aborted unless it appears. UNMET and UNCONDITIONAL as a single request;
 * MISSING: the store no longer knows the upload, perhaps because it is finished. */
rv_status rv_cloud_upload(rv_dest *d, const rv_put_spec *spec, const rv_store_write *w,
                          rv_store_outcome *out, rv_error *err) RV_MUST_USE;
rv_status rv_cloud_probe(rv_dest *d, rv_probe *out, rv_error *err);

/* ---- the vtable, shared but for the store ---- */

void rv_cloud_close(rv_dest *d);
const char *rv_cloud_uri(const rv_dest *d);
void rv_cloud_facts(const rv_dest *d, const char **endpoint, const char **root);
rv_status rv_cloud_prepare(rv_dest *d, uint64_t need_bytes, bool *out_tmpfs, rv_error *err);
rv_status rv_cloud_spool_path(rv_dest *d, const char *run_id, const char *key, rv_buf *out,
                              rv_error *err);
rv_status rv_cloud_sweep(rv_dest *d, const char *run_id, const char *const *keep, size_t n_keep,
                         rv_error *err);
rv_status rv_cloud_stat(rv_dest *d, const char *key, rv_object *out, bool *out_found,
                        rv_error *err);
rv_status rv_cloud_list(rv_dest *d, const char *dir, rv_object_list *out, rv_error *err);
rv_status rv_cloud_remove(rv_dest *d, const char *key, const char *owner_token,
                          const char *known_fingerprint, uint64_t known_size_bytes,
                          rv_remove_outcome *out, rv_error *err);
rv_status rv_cloud_move(rv_dest *d, const char *from, const char *to, rv_error *err);
rv_status rv_cloud_abort_upload(rv_dest *d, const char *key, const char *upload_id, rv_error *err);
uint64_t rv_cloud_retries(const rv_dest *d);

/* Defines the driver `symbol` over the store `store`. */
#define RV_CLOUD_DRIVER(symbol, store, kind_, name_, display_)                                     \
    static rv_status symbol##_open(const rv_env *env, const rv_cfg_dest *cfg, const char *prefix,  \
                                   rv_dest **out, rv_error *err)                                   \
    {                                                                                              \
        return rv_cloud_open(&(store), env, cfg, prefix, out, err);                                \
    }                                                                                              \
    const rv_dest_driver symbol = {                                                                \
        .abi = RV_DESTINATION_ABI,                                                                 \
        .kind = (kind_),                                                                           \
        .name = (name_),                                                                           \
        .display = (display_),                                                                     \
        .resumable = true,                                                                         \
        .open = symbol##_open,                                                                     \
        .close = rv_cloud_close,                                                                   \
        .uri = rv_cloud_uri,                                                                       \
        .facts = rv_cloud_facts,                                                                   \
        .prepare = rv_cloud_prepare,                                                               \
        .spool_path = rv_cloud_spool_path,                                                         \
        .sweep = rv_cloud_sweep,                                                                   \
        .put = rv_cloud_put,                                                                       \
        .stat = rv_cloud_stat,                                                                     \
        .read = rv_ahead_read,                                                                     \
        .list = rv_cloud_list,                                                                     \
        .remove = rv_cloud_remove,                                                                 \
        .move = rv_cloud_move,                                                                     \
        .abort_upload = rv_cloud_abort_upload,                                                     \
        .probe = rv_cloud_probe,                                                                   \
        .retries = rv_cloud_retries,                                                               \
    }

#endif
