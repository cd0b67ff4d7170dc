#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "engine/plan.h"
#include "engine/plan_artifact_internal.h"

#define MAX_FILE_BYTES ((size_t)256 << 20)

typedef struct rv_plan_reader {
    const char *label; /* the file */
    rv_arena *arena;
    rv_error *err;
} rv_plan_reader;

static rv_status no_plan(const rv_plan_reader *r, const char *what)
{
    rv_status st = rv_fail(r->err, RV_E_PLAN_FILE,
                           "'%s' cannot be applied: %s; only files made by `rivet plan` are "
                           "accepted",
                           r->label, what);
    rv_hint(r->err, "make one with `rivet plan --format json -o plan.json`");
    return st;
}

static rv_status altered(const rv_plan_reader *r, const char *what)
{
    rv_status st = rv_fail(r->err, RV_E_PLAN_STALE, "'%s' was changed after it was planned: %s",
                           r->label, what);
    rv_hint(r->err, "plan again; an altered plan is never applied, not even with --force");
    return st;
}

/* ---- members ---- */

static rv_status text_of(const rv_plan_reader *r, const json_t *object, const char *key,
                         bool required, const char **out)
{
    const json_t *v = json_object_get(object, key);
    char what[80];
    *out = NULL;
    if (!required && (!v || json_is_null(v)))
        return RV_OK;
    if (json_is_string(v) && strlen(json_string_value(v)) == json_string_length(v))
        return rv_arena_cstr(r->arena, rv_str_c(json_string_value(v)), out, r->err);
    (void)snprintf(what, sizeof what, "'%s' is missing or no text", key);
    return no_plan(r, what);
}

static rv_status count_of(const rv_plan_reader *r, const json_t *object, const char *key,
                          int64_t *out)
{
    const json_t *v = json_object_get(object, key);
    char what[80];
    *out = -1;
    if (json_is_null(v))
        return RV_OK;
    if (json_is_integer(v) && json_integer_value(v) >= 0) {
        *out = json_integer_value(v);
        return RV_OK;
    }
    (void)snprintf(what, sizeof what, "'%s' is no number", key);
    return no_plan(r, what);
}

static rv_status time_of(const rv_plan_reader *r, const json_t *root, const char *key,
                         const char **out, int64_t *out_us)
{
    char what[80];
    RV_TRY(text_of(r, root, key, true, out));
    if (rv_rfc3339_parse(rv_str_c(*out), out_us))
        return RV_OK;
    (void)snprintf(what, sizeof what, "'%s' is no time", key);
    return no_plan(r, what);
}

static rv_status block_of(const rv_plan_reader *r, const json_t *object, const char *key,
                          bool required, const char **out)
{
    const json_t *v = json_object_get(object, key);
    char what[80];
    *out = NULL;
    if (!required && !v)
        return RV_OK;
    if (!json_is_object(v)) {
        (void)snprintf(what, sizeof what, "'%s' is missing", key);
        return no_plan(r, what);
    }
    char *text = json_dumps(v, JSON_COMPACT);
    if (!text)
        return rv_fail_memory(r->err);
    rv_status st = rv_arena_cstr(r->arena, rv_str_c(text), out, r->err);
    free(text);
    return st;
}

rv_status rv_plan_texts(const json_t *array, rv_arena *arena, const char ***out, size_t *out_n,
                        rv_error *err)
{
    size_t n = json_array_size(array);
    const char **list;
    RV_TRY(rv_arena_array(arena, n + 1, sizeof *list, &list, err));
    *out_n = 0;
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        RV_TRY(rv_arena_cstr(arena, rv_str_c(text ? text : ""), &list[(*out_n)++], err));
    }
    *out = list;
    return RV_OK;
}

/* ---- computed ---- */

static rv_status read_ranges(const rv_plan_reader *r, const json_t *array, rv_plan *p)
{
    size_t n = json_array_size(array);
    if (json_is_null(array))
        return RV_OK;
    if (!json_is_array(array) || n > RV_CHUNKS_MAX)
        return no_plan(r, "'chunk_ranges' is no list of chunks");
    RV_TRY(rv_arena_array(r->arena, n + 1, sizeof *p->ranges, &p->ranges, r->err));
    for (size_t i = 0; i < n; i++) {
        const json_t *range = json_array_get(array, i);
        rv_chunk_range *x = &p->ranges[i];
        RV_TRY(text_of(r, range, "lo", false, &x->lo));
        RV_TRY(text_of(r, range, "hi", true, &x->hi));
        bool meets = i == 0 ? !x->lo : x->lo && strcmp(x->lo, p->ranges[i - 1].hi) == 0;
        bool closed = json_is_true(json_object_get(range, "hi_inclusive"));
        if (!meets || closed != (i + 1 == n))
            return no_plan(r, "'chunk_ranges' has gaps");
    }
    p->n_ranges = n;
    return RV_OK;
}

static rv_status read_computed(const rv_plan_reader *r, const json_t *computed, rv_plan *p)
{
    int64_t chunks;
    if (!json_is_object(computed))
        return no_plan(r, "'computed' is missing");
    RV_TRY(read_ranges(r, json_object_get(computed, "chunk_ranges"), p));
    RV_TRY(count_of(r, computed, "chunk_count", &chunks));
    if (chunks != (p->ranges ? (int64_t)p->n_ranges : -1))
        return no_plan(r, "'chunk_count' does not count the chunks");
    RV_TRY(text_of(r, computed, "cursor_snapshot", false, &p->cursor_snapshot));
    return count_of(r, computed, "row_estimate", &p->row_estimate);
}

/* ---- the artifact ---- */

static rv_status read_resolved(const rv_plan_reader *r, const json_t *resolved, rv_plan *p)
{
    RV_TRY(text_of(r, resolved, "config_dir", true, &p->config_dir));
    RV_TRY(text_of(r, resolved, "project", false, &p->project));
    RV_TRY(text_of(r, resolved, "chunk_column", false, &p->chunk_column));
    RV_TRY(block_of(r, resolved, "source", true, &p->source));
    RV_TRY(block_of(r, resolved, "notifications", false, &p->notifications));
    RV_TRY(block_of(r, resolved, "export", true, &p->export_json));
    return rv_plan_texts(json_object_get(resolved, "removed"), r->arena, &p->removed, &p->n_removed,
                         r->err);
}

/* Before anything in the covered parts is believed. */
static rv_status check_integrity(const rv_plan_reader *r, const json_t *root)
{
    const json_t *resolved = json_object_get(root, "resolved_plan");
    const json_t *computed = json_object_get(root, "computed");
    const char *stored = json_string_value(json_object_get(root, "integrity"));
    char now[22];
    if (!resolved || !computed || !stored)
        return no_plan(r, "'resolved_plan', 'computed' or 'integrity' is missing");
    RV_TRY(rv_plan_integrity(resolved, computed, now, r->err));
    return strcmp(now, stored) == 0 ? RV_OK : altered(r, "its integrity does not match");
}

static rv_status check_name(const rv_plan_reader *r, const json_t *resolved, const rv_plan *p)
{
    const char *sealed =
        json_string_value(json_object_get(json_object_get(resolved, "export"), "name"));
    return sealed && strcmp(sealed, p->export_name) == 0
               ? RV_OK
               : altered(r, "'export_name' is not that of the sealed export");
}

static rv_status read_covered(const rv_plan_reader *r, const json_t *root, rv_plan *p)
{
    const json_t *resolved = json_object_get(root, "resolved_plan");
    RV_TRY(check_integrity(r, root));
    RV_TRY(check_name(r, resolved, p));
    RV_TRY(read_resolved(r, resolved, p));
    return read_computed(r, json_object_get(root, "computed"), p);
}

static rv_status read_one(const rv_plan_reader *r, const json_t *root, rv_plan *p)
{
    if (!json_is_object(root))
        return no_plan(r, "it holds no plan object");
    *p = (rv_plan){.row_estimate = -1};
    RV_TRY(text_of(r, root, "rivet_version", true, &p->rivet_version));
    RV_TRY(text_of(r, root, "plan_id", true, &p->plan_id));
    RV_TRY(text_of(r, root, "config_path", true, &p->config_path));
    RV_TRY(text_of(r, root, "export_name", true, &p->export_name));
    RV_TRY(text_of(r, root, "strategy", true, &p->strategy));
    RV_TRY(text_of(r, root, "plan_fingerprint", true, &p->plan_fingerprint));
    RV_TRY(time_of(r, root, "created_at", &p->created_at, &p->created_us));
    RV_TRY(time_of(r, root, "expires_at", &p->expires_at, &p->expires_us));
    rv_status st = read_covered(r, root, p);
    if (st != RV_E_PLAN_STALE)
        return st;
    p->error = *r->err;
    return RV_OK;
}

static rv_status read_root(const rv_plan_reader *r, const json_t *root, rv_plan **out,
                           size_t *out_n)
{
    size_t n = json_is_array(root) ? json_array_size(root) : 1;
    rv_plan *plans;
    if (n == 0)
        return no_plan(r, "it holds no plan");
    RV_TRY(rv_arena_array(r->arena, n, sizeof *plans, &plans, r->err));
    for (size_t i = 0; i < n; i++) {
        RV_TRY(read_one(r, json_is_array(root) ? json_array_get(root, i) : root, &plans[i]));
        for (size_t k = 0; k < i; k++)
            if (strcmp(plans[k].export_name, plans[i].export_name) == 0)
                return no_plan(r, "it plans one export twice");
    }
    *out = plans;
    *out_n = n;
    return RV_OK;
}

rv_status rv_plans_parse(rv_str text, const char *label, rv_arena *arena, rv_plan **out,
                         size_t *out_n, rv_error *err)
{
    rv_error own = {0};
    rv_plan_reader r = {label, arena, err ? err : &own};
    json_error_t why;
    json_t *root = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &why);
    rv_status st = root ? read_root(&r, root, out, out_n)
                   : json_error_code(&why) == json_error_out_of_memory
                       ? rv_fail_memory(r.err)
                       : no_plan(&r, "it is no JSON");
    json_decref(root);
    return st;
}

rv_status rv_plans_read(const char *path, rv_arena *arena, rv_plan **out, size_t *out_n,
                        rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    rv_error own = {0}, why = {0};
    rv_plan_reader r = {path, arena, err ? err : &own};
    bool found = false;
    rv_status st = rv_file_read_all(path, MAX_FILE_BYTES, &text, &found, &why);
    if (st == RV_E_MEMORY)
        st = rv_fail_memory(r.err);
    else if (st != RV_OK)
        st = no_plan(&r, why.text);
    else if (!found)
        st = no_plan(&r, "there is no such file");
    else
        st = rv_plans_parse(rv_buf_str(&text), path, arena, out, out_n, err);
    rv_buf_free(&text);
    return st;
}
