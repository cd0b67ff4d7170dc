/* engine/manifest.h: what was written, as JSON and back. Source: spec "lifecycle" section 6. */
#ifndef RV_ENGINE_MANIFEST_H
#define RV_ENGINE_MANIFEST_H

#include "engine/job.h"

#define RV_MANIFEST_MAX_BYTES (512u * 1024u * 1024u)

typedef struct rv_manifest_facts {
    const char *status; /* success failed interrupted */
    bool degraded;
    const char *cursor_type, *cursor_low, *cursor_high; /* NULL = null */
    int64_t source_row_count;                           /* -1 = null */
    const rv_part_rows *parts; /* uploaded and committed ones count when their unit does */
    const rv_sums *sums;       /* over committed parts; NULL: no checksums */
    bool uploaded_counts;      /* the final transaction will commit what is uploaded */
} rv_manifest_facts;

/* Needs job->rel unless status is failed or interrupted before the source was resolved. */
rv_status rv_manifest_build(rv_job *job, const rv_manifest_facts *f, rv_arena *a, const char **out,
                            rv_error *err) RV_MUST_USE;

typedef struct rv_manifest_part {
    int64_t part_id, rows, size_bytes, chunk_index;
    const char *path, *fingerprint, *md5, *status;
} rv_manifest_part;
typedef struct rv_manifest {
    const char *run_id, *export_name, *status, *started_at, *finished_at, *format, *compression;
    const char *strategy, *checksum_render, *row_checksum;
    bool degraded;
    int64_t row_count, part_count, total_bytes;
    rv_manifest_part *parts;
    size_t n_parts;
    const char **checksum_names, **checksums; /* NULL: none */
    size_t n_checksums;
} rv_manifest;
/* RV_E_VALIDATE when it cannot be read or lacks a required key. Everything is in the arena. */
rv_status rv_manifest_parse(rv_str json, rv_arena *a, rv_manifest *out, rv_error *err) RV_MUST_USE;
/* Totals cover the committed parts and add up; else RV_E_VALIDATE naming the difference. */
rv_status rv_manifest_check(const rv_manifest *m, rv_error *err) RV_MUST_USE;
/* "xxh3:<16 hex>\n" over the exact bytes. */
void rv_manifest_marker(rv_str json, char out[24]);

#endif
