#include "engine/plan.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RV_TARGET "engine"

rv_expr rv_plan_bound(const rv_job *job)
{
    const rv_cfg_export *x = job->x;
    switch (x->mode) {
    case RV_INCREMENTAL:
        return (rv_expr){x->cursor_column, x->cursor_fallback_column};
    case RV_CHUNKED:
        return (rv_expr){job->keyset ? NULL : x->chunk_column, NULL};
    case RV_TIME_WINDOW:
        return (rv_expr){x->time_column, NULL};
    case RV_FULL:
    case RV_CDC:
        break;
    }
    return (rv_expr){NULL, NULL};
}

rv_status rv_plan_strategy(const rv_job *job, rv_arena *a, const char **out, rv_error *err)
{
    const rv_cfg_export *x = job->x;
    unsigned long long size = x->chunk_size;
    if (job->keyset)
        return rv_arena_printf(a, out, err, "keyset_%llu", size);
    if (x->mode != RV_CHUNKED)
        return rv_arena_printf(a, out, err, "%s", rv_mode_name(x->mode));
    if (x->chunk_by_days)
        return rv_arena_printf(a, out, err, "days_%llu", (unsigned long long)x->chunk_by_days);
    if (x->chunk_count)
        return rv_arena_printf(a, out, err, "count_%llu", (unsigned long long)x->chunk_count);
    return rv_arena_printf(a, out, err, "%s_%llu", x->chunk_dense ? "dense" : "range", size);
}

static bool is_day_type(rv_type t)
{
    return t.kind == RV_DATE || t.kind == RV_TIMESTAMP || t.kind == RV_TIMESTAMP_TZ ||
           t.kind == RV_TIMESTAMP_NS || t.kind == RV_TIMESTAMP_TZ_NS;
}

static bool is_integer_type(rv_type t)
{
    return t.kind == RV_INT16 || t.kind == RV_INT32 || t.kind == RV_INT64 || t.kind == RV_UINT64 ||
           (t.kind == RV_DECIMAL && t.scale == 0);
}

rv_status rv_plan_check(const rv_job *job, rv_error *err)
{
    const rv_cfg_export *x = job->x;
    if (x->mode != RV_CHUNKED || job->keyset)
        return RV_OK;
    rv_type t = job->rel->bound_type;
    if (x->chunk_by_days && !is_day_type(t))
        return rv_fail(err, RV_E_CONFIG_DATE_CHUNK,
                       "'%s' is neither: chunk_by_days does not apply (it needs a DATE or "
                       "timestamp column)",
                       x->chunk_column);
    if (is_day_type(t) && !x->chunk_by_days && !x->chunk_count && !x->chunk_dense)
        return rv_fail(err, RV_E_CONFIG_DATE_CHUNK,
                       "'%s' is a DATE/timestamp column: chunk_size does not apply; use "
                       "chunk_by_days, chunk_count or chunk_dense",
                       x->chunk_column);
    if (!is_day_type(t) && !is_integer_type(t))
        return rv_fail(err, RV_E_CONFIG_KEY_UNUSABLE,
                       "chunk_column '%s' must be an integer, a decimal of scale 0, a DATE or a "
                       "timestamp",
                       x->chunk_column);
    return RV_OK;
}

/* ---- keys as text ---- */

rv_status rv_key_to_text(const rv_datum *key, size_t n, rv_arena *a, const char **out,
                         rv_error *err)
{
    if (n == 1)
        return rv_arena_cstr(a, key[0].text, out, err);
    rv_buf buf = RV_BUF_INIT;
    rv_json j;
    rv_json_begin(&j, &buf, false);
    rv_json_array(&j);
    for (size_t i = 0; i < n; i++)
        rv_json_str(&j, key[i].text);
    rv_json_array_end(&j);
    rv_status st = rv_json_end(&j, err);
    if (st == RV_OK)
        st = rv_arena_cstr(a, rv_buf_str(&buf), out, err);
    rv_buf_free(&buf);
    return st;
}

rv_status rv_key_from_text(const rv_key *key, const char *text, rv_arena *a, const rv_datum **out,
                           rv_error *err)
{
    rv_datum *d;
    rv_status st = RV_OK;
    RV_TRY(rv_arena_array(a, key->n_columns, sizeof *d, &d, err));
    if (key->n_columns == 1) {
        d[0].kind = key->kinds[0];
        *out = d;
        return rv_arena_str(a, rv_str_c(text), &d[0].text, err);
    }
    json_error_t why;
    json_t *root = json_loads(text, 0, &why);
    if (json_array_size(root) != key->n_columns) {
        st = rv_fail(err, RV_E_STATE_DAMAGED, "a stored key position does not fit the key");
        goto done;
    }
    for (size_t i = 0; i < key->n_columns; i++) {
        const json_t *item = json_array_get(root, i);
        rv_str s = {json_string_value(item), json_string_length(item)};
        d[i].kind = key->kinds[i];
        RV_GO(rv_arena_str(a, s, &d[i].text, err));
    }
    *out = d;
done:
    json_decref(root);
    return st;
}

/* ---- order ---- */

static rv_status key_order(const rv_key *key, bool bound_first, rv_expr bound, rv_arena *a,
                           rv_segment *io, rv_error *err)
{
    rv_expr *order;
    size_t n = 0;
    RV_TRY(rv_arena_array(a, key->n_columns + 1, sizeof *order, &order, err));
    if (bound_first)
        order[n++] = bound;
    for (size_t i = 0; i < key->n_columns; i++)
        if (!bound_first || bound.fallback || strcmp(bound.column, key->columns[i]) != 0)
            order[n++] = (rv_expr){key->columns[i], NULL};
    io->order = order;
    io->n_order = n;
    io->paged = true;
    return RV_OK;
}

/* Pages by the engine's physical address are served in its own order only. */
static bool has_pages(const rv_relation *rel)
{
    return (rel->shape == RV_SHAPE_PAGES || rel->shape == RV_SHAPE_RANGES) && !rel->small &&
           rel->key.n_columns > 0;
}

rv_status rv_plan_order(const rv_job *job, rv_arena *a, rv_segment *io, rv_error *err)
{
    const rv_relation *rel = job->rel;
    rv_expr bound = rv_plan_bound(job);
    io->paged = false;
    if (!has_pages(rel))
        return RV_OK;
    if (!bound.column || (!bound.fallback && strcmp(bound.column, rel->key.columns[0]) == 0))
        return key_order(&rel->key, false, bound, a, io, err);
    if (rel->ordered_by_bound)
        return key_order(&rel->key, true, bound, a, io, err);
    /* pages by the key alone would walk the whole table once per chunk */
    return job->mode == RV_TIME_WINDOW ? key_order(&rel->key, false, bound, a, io, err) : RV_OK;
}

rv_status rv_plan_key_order(const rv_job *job, rv_arena *a, rv_segment *io, rv_error *err)
{
    const rv_relation *rel = job->rel;
    io->paged = false;
    if (!has_pages(rel))
        return RV_OK;
    return key_order(&rel->key, false, (rv_expr){NULL, NULL}, a, io, err);
}

/* ---- units ---- */

static rv_datum bound_datum(const rv_job *job, const char *text)
{
    return (rv_datum){.kind = job->rel->bound_kind, .text = rv_str_c(text)};
}

static rv_status one_segment(rv_arena *a, rv_segment **out, rv_pred **out_preds, size_t n_preds,
                             rv_error *err)
{
    RV_TRY(rv_arena_array(a, 1, sizeof **out, out, err));
    RV_TRY(rv_arena_array(a, n_preds, sizeof **out_preds, out_preds, err));
    (*out)->preds = *out_preds;
    return RV_OK;
}

rv_status rv_plan_task_unit(const rv_job *job, const rv_task_row *task, rv_arena *a, rv_unit *out,
                            rv_error *err)
{
    rv_segment *seg;
    rv_pred *preds;
    rv_expr bound = rv_plan_bound(job);
    *out = (rv_unit){.n_segments = 1, .key_low = task->start_key, .key_high = task->end_key};
    rv_name_unit_chunk(task->chunk_index, out->name);
    RV_TRY(one_segment(a, &seg, &preds, 2, err));
    if (strcmp(task->kind, "null") == 0) {
        preds[seg->n_preds++] = (rv_pred){.expr = bound, .op = RV_IS_NULL};
    } else {
        bool last = strcmp(task->kind, "last") == 0;
        if (task->start_key)
            preds[seg->n_preds++] = (rv_pred){bound, RV_GE, bound_datum(job, task->start_key)};
        if (task->end_key)
            preds[seg->n_preds++] =
                (rv_pred){bound, last ? RV_LE : RV_LT, bound_datum(job, task->end_key)};
    }
    out->segments = seg;
    return rv_plan_order(job, a, seg, err);
}

rv_status rv_plan_range_unit(const rv_job *job, const rv_range_row *range, bool parallel,
                             const char *position, const char *hi, uint64_t limit, rv_arena *a,
                             rv_unit *out, rv_error *err)
{
    rv_segment *seg;
    const rv_key *key = &job->rel->key;
    *out = (rv_unit){.n_segments = 1, .key_low = position, .key_high = hi};
    rv_name_unit_keyset(parallel, range->range_index, range->next_unit, out->name);
    RV_TRY(rv_arena_array(a, 1, sizeof *seg, &seg, err));
    out->segments = seg;
    seg->limit = limit;
    if (position)
        RV_TRY(rv_key_from_text(key, position, a, &seg->after, err));
    if (hi)
        RV_TRY(rv_key_from_text(key, hi, a, &seg->until, err));
    return key_order(key, false, (rv_expr){NULL, NULL}, a, seg, err);
}

rv_status rv_plan_single(rv_job *job, rv_work *out, rv_error *err)
{
    rv_segment *seg;
    rv_pred *preds;
    *out = (rv_work){.kind = RV_WORK_SINGLE};
    (void)snprintf(out->single.name, sizeof out->single.name, "0");
    out->single.n_segments = 1;
    RV_TRY(one_segment(&job->arena, &seg, &preds, 1, err));
    out->single.segments = seg;
    if (job->mode == RV_TIME_WINDOW) {
        int64_t today = job->started_us / 86400000000LL - (int64_t)job->x->days_window;
        preds[0] = (rv_pred){.expr = rv_plan_bound(job), .op = RV_GE};
        RV_TRY(job->sd->instant(job->source, job->rel, today * 86400000000LL, job->x->time_unix,
                                &job->arena, &preds[0].value, err));
        seg->n_preds = 1;
    }
    return rv_plan_order(job, &job->arena, seg, err);
}
