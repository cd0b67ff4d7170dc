/* engine/validate_internal.h: one export while `validate` looks at its prefix. Everything is in
 * the report's arena but the listing. Source: spec "lifecycle" sections 6 and 16. */
#ifndef RV_ENGINE_VALIDATE_INTERNAL_H
#define RV_ENGINE_VALIDATE_INTERNAL_H

#include "engine/manifest.h"
#include "engine/objects.h"

typedef struct rv_seen_manifest { /* one manifest object at the prefix */
    const char *key;
    char marker[24]; /* what _SUCCESS says of it */
    bool parsed;
    rv_manifest m; /* when parsed */
    rv_error why;  /* when not */
    bool mine;     /* of this export */
} rv_seen_manifest;

typedef struct rv_validating {
    const rv_env *env;
    const rv_cfg_export *x;
    const rv_validate_opts *opts;
    rv_state *state; /* NULL: none */
    rv_arena *arena;
    const rv_dest_driver *dd;
    rv_dest *dest;
    rv_validate_report *out;
    size_t failures_cap;
    rv_object_list objects;
    bool listed;
    rv_seen_manifest *manifests;
    size_t n_manifests;
    const rv_seen_manifest **subjects; /* what is verified together */
    size_t n_subjects;
} rv_validating;

/* validate.c: opens the destination where the export's newest run wrote, or where opts say. */
rv_status rv_validate_open(rv_validating *v, rv_error *err) RV_MUST_USE;
/* validate_subjects.c: the exports to look at: those named, partitions one by one. In the arena;
 * RV_E_CONFIG_UNKNOWN_EXPORT. */
rv_status rv_validate_subjects(const rv_cfg *cfg, const rv_validate_opts *opts, rv_state *state,
                               rv_arena *arena, const rv_cfg_export ***out, size_t *out_n,
                               rv_error *err) RV_MUST_USE;
/* validate_prefix.c: manifests and marker at the prefix; chooses the subject. */
rv_status rv_validate_prefix(rv_validating *v, rv_error *err) RV_MUST_USE;
/* validate_parts.c: sample and full. */
rv_status rv_validate_parts(rv_validating *v, rv_error *err) RV_MUST_USE;
rv_status rv_validate_untracked(rv_validating *v, rv_error *err) RV_MUST_USE;
/* Appends a failure; texts are copied. */
rv_status rv_validate_fail(rv_validating *v, const rv_failure *f, rv_error *err) RV_MUST_USE;

#endif
