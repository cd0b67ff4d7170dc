/* engine/plan_artifact.h: what `rivet plan` seals and `rivet apply` carries out: one export with
 * everything a run of it needs, as JSON. Making one reads the source and the state and changes
 * neither. Artifacts come from anywhere: reading trusts nothing but what the integrity covers.
 * Texts live in the arena given. Source: spec "lifecycle" section 14, "cli" section 6. */
#ifndef RV_ENGINE_PLAN_ARTIFACT_H
#define RV_ENGINE_PLAN_ARTIFACT_H

#include "engine/engine.h"
#include "engine/priority.h"

typedef struct rv_chunk_range {
    const char *lo, *hi; /* texts; lo NULL: open below */
} rv_chunk_range;

typedef struct rv_plan {
    const char *rivet_version, *plan_id, *created_at, *expires_at, *config_path, *export_name;
    const char *strategy;         /* "chunked(id, size=100000)" */
    const char *plan_fingerprint; /* the plan hash */
    int64_t created_us, expires_us;
    /* resolved_plan: configuration blocks as JSON */
    const char *config_dir, *project, *source, *notifications, *export_json;
    const char *chunk_column; /* NULL: none, or of the export's own choice */
    const char **removed;     /* secrets left out: "source.url" */
    size_t n_removed;
    /* computed */
    rv_chunk_range *ranges; /* half-open and contiguous, the last one closed; NULL: no meaning */
    size_t n_ranges;
    const char *cursor_snapshot; /* NULL: none stored, or no meaning */
    int64_t row_estimate;        /* -1 unknown */
    /* when made, not when read: diagnostics and what the pretty form shows */
    const char *verdict, *recommended_profile, *strategy_rationale;
    const char **warnings;
    size_t n_warnings;
    const char *strategy_text, *output, *format_text;
    const rv_cfg_export *x;
    const rv_campaign *campaign; /* of all exports planned together */
    size_t campaign_index;
    rv_error error; /* could not be made, or must not be applied; code RV_OK: none */
} rv_plan;

/* Plans export_name, or all (NULL), in the order of the configuration, loaded with
 * rv_cfg_opts.seal. An export that cannot be planned has its `error`. */
rv_status rv_engine_plan(const rv_env *env, const rv_cfg *cfg, const char *export_name,
                         rv_arena *arena, rv_plan **out, size_t *out_n, rv_error *err) RV_MUST_USE;
/* Facts and campaign without chunk bounds: what `apply` orders a configuration by. */
rv_status rv_engine_campaign(const rv_env *env, const rv_cfg *cfg, const char *export_name,
                             rv_arena *arena, rv_campaign *out, rv_error *err) RV_MUST_USE;

/* The artifact, indented, without a line feed at its end. */
rv_status rv_plan_json(const rv_plan *plan, rv_buf *out, rv_error *err) RV_MUST_USE;

/* One object or an array of them. RV_E_PLAN_FILE when it is none of ours; an artifact that was
 * altered has RV_E_PLAN_STALE as its `error`, and only its names are to be used. */
rv_status rv_plans_read(const char *path, rv_arena *arena, rv_plan **out, size_t *out_n,
                        rv_error *err) RV_MUST_USE;
rv_status rv_plans_parse(rv_str text, const char *label, rv_arena *arena, rv_plan **out,
                         size_t *out_n, rv_error *err) RV_MUST_USE;

#endif
