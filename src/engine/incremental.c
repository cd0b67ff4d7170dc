#include "engine/incremental.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define RV_TARGET "engine"
#define SEGMENTS_MAX 4
#define PREDS_MAX 4

/* ---- multisets ---- */

static bool ties_add(rv_ties *t, rv_u128 digest)
{
    if (t->overflow)
        return true;
    if (t->n >= RV_TIES_MAX) {
        t->overflow = true;
        t->n = 0;
        return true;
    }
    if (t->n == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        rv_u128 *grown = rv_realloc_array(t->items, cap, sizeof *grown);
        if (!grown)
            return false;
        t->items = grown;
        t->cap = cap;
    }
    t->items[t->n++] = digest;
    return true;
}

static void ties_clear(rv_ties *t)
{
    t->n = 0;
    t->overflow = false;
}

static int compare_digests(const void *a, const void *b)
{
    const rv_u128 *x = a, *y = b;
    if (x->hi != y->hi)
        return x->hi < y->hi ? -1 : 1;
    return x->lo < y->lo ? -1 : x->lo > y->lo;
}

static rv_status load_ties(rv_ties *t, rv_bytes bytes, rv_error *err)
{
    for (size_t i = 0; i + 16 <= bytes.len; i += 16) {
        rv_u128 d;
        memcpy(&d.lo, bytes.ptr + i, 8);
        memcpy(&d.hi, bytes.ptr + i + 8, 8);
        if (!ties_add(t, d))
            return rv_fail_memory(err);
    }
    return RV_OK;
}

/* The stored set as different digests in order, each with how often it may still be dropped. */
static rv_status load_remaining(rv_cursor *c, rv_error *err)
{
    rv_ties *t = &c->remaining;
    size_t kept = 0;
    ties_clear(t);
    RV_TRY(load_ties(t, c->stored, err));
    if (!t->n)
        return RV_OK;
    uint32_t *left = rv_realloc_array(c->left, t->n, sizeof *left);
    if (!left)
        return rv_fail_memory(err);
    c->left = left;
    qsort(t->items, t->n, sizeof *t->items, compare_digests);
    for (size_t i = 0; i < t->n; i++) {
        if (kept && compare_digests(&t->items[i], &t->items[kept - 1]) == 0) {
            left[kept - 1]++;
            continue;
        }
        t->items[kept] = t->items[i];
        left[kept++] = 1;
    }
    t->n = kept;
    return RV_OK;
}

static bool take_remaining(rv_cursor *c, rv_u128 digest)
{
    const rv_ties *t = &c->remaining;
    const rv_u128 *at =
        t->n ? bsearch(&digest, t->items, t->n, sizeof *t->items, compare_digests) : NULL;
    if (!at || !c->left[at - t->items])
        return false;
    c->left[at - t->items]--;
    return true;
}

/* ---- row filters ---- */

/* Rows of the stored value: those exported before are dropped, one count each. */
static bool keep_new_ties(void *ctx, rv_builder *b, bool changed)
{
    rv_cursor *c = ctx;
    (void)changed;
    rv_u128 digest = rv_builder_row_digest(b, c->source_columns);
    if (take_remaining(c, digest)) {
        c->dropped++;
        return false;
    }
    if (!ties_add(&c->low_seen, digest))
        c->tie_memory_failed = true;
    return true;
}

static bool collect_high(void *ctx, rv_builder *b, bool changed)
{
    rv_cursor *c = ctx;
    c->beyond = true;
    if (changed)
        ties_clear(&c->high);
    if (!ties_add(&c->high, rv_builder_row_digest(b, c->source_columns)))
        c->tie_memory_failed = true;
    return true;
}

/* The server says these all have the bound's value, whatever their bytes: what was collected of the
 * values below goes once. */
static bool collect_bound(void *ctx, rv_builder *b, bool changed)
{
    rv_cursor *c = ctx;
    (void)changed;
    if (!c->at_bound)
        ties_clear(&c->high);
    c->at_bound = c->beyond = true;
    if (!ties_add(&c->high, rv_builder_row_digest(b, c->source_columns)))
        c->tie_memory_failed = true;
    return true;
}

/* ---- bounds ---- */

static rv_datum cursor_datum(const rv_job *job, const char *text)
{
    return (rv_datum){.kind = job->rel->bound_kind, .text = rv_str_c(text)};
}

static bool temporal(rv_type t)
{
    return t.kind == RV_DATE || (t.kind >= RV_TIMESTAMP && t.kind <= RV_TIMESTAMP_TZ_NS);
}

typedef struct rv_limits {
    rv_pred held;        /* c < smallest held cursor; expr.column NULL: none */
    rv_pred upper;       /* c <= bound; expr.column NULL: none */
    bool upper_is_value; /* the bound is a value of the table (MAX) */
} rv_limits;

/* Rows younger than settle.after hold the cursor below themselves. */
static rv_status settle_limit(rv_job *job, rv_limits *l, rv_error *err)
{
    const rv_cfg_export *x = job->x;
    if (!x->settle_after_s)
        return RV_OK;
    rv_expr cursor = rv_plan_bound(job);
    rv_expr column = {x->settle_column ? x->settle_column : x->cursor_column, NULL};
    int64_t now_us;
    rv_datum limit, min, max;
    rv_relation *aged = job->rel;
    /* an instant is written in the form of the column it is compared with */
    if (column.column != x->cursor_column && strcmp(column.column, x->cursor_column) != 0)
        RV_TRY(rv_job_relation(job, column, &aged, err));
    RV_TRY(job->sd->now(job->source, &now_us, err));
    RV_TRY(job->sd->instant(job->source, aged, now_us - (int64_t)x->settle_after_s * 1000000, false,
                            &job->arena, &limit, err));
    rv_pred young = {column, RV_GT, limit};
    RV_TRY(job->sd->bounds(job->source, job->rel, cursor, &young, 1, &job->arena, &min, &max, err));
    if (!min.null)
        l->held = (rv_pred){cursor, RV_LT, min};
    return RV_OK;
}

/* A value in the future would leave every later row below the cursor for ever. The server compares:
 * a day is too coarse and the column's text is its own business. */
static rv_status now_limit(rv_cursor *c, rv_limits *l, rv_error *err)
{
    rv_job *job = c->job;
    int64_t now_us;
    rv_datum now, min, max;
    rv_pred later = {.expr = rv_plan_bound(job), .op = RV_GT};
    if (!temporal(job->rel->bound_type))
        return RV_OK;
    RV_TRY(job->sd->now(job->source, &now_us, err));
    RV_TRY(job->sd->instant(job->source, job->rel, now_us, false, &job->arena, &now, err));
    later.value = now;
    RV_TRY(job->sd->bounds(job->source, job->rel, later.expr, &later, 1, &job->arena, &min, &max,
                           err));
    if (max.null)
        return RV_OK;
    rv_job_warn(job, "cursor",
                "the largest '%s' (%s) lies in the future; rows beyond now wait for a later run",
                job->x->cursor_column, c->bound);
    l->upper.value = now;
    l->upper_is_value = false;
    return rv_arena_cstr(&job->arena, now.text, &c->bound, err);
}

static rv_status warn_low_above(rv_cursor *c, rv_error *err)
{
    rv_job *job = c->job;
    rv_datum min, max;
    if (!c->low)
        return RV_OK;
    rv_pred from = {rv_plan_bound(job), RV_GE, cursor_datum(job, c->low)};
    RV_TRY(
        job->sd->bounds(job->source, job->rel, from.expr, &from, 1, &job->arena, &min, &max, err));
    if (max.null)
        rv_job_warn(job, "cursor", "the stored cursor '%s' is above the largest '%s' (%s)", c->low,
                    job->x->cursor_column, c->bound);
    return RV_OK;
}

static rv_status max_limit(rv_cursor *c, rv_limits *l, rv_error *err)
{
    rv_job *job = c->job;
    rv_expr cursor = rv_plan_bound(job);
    rv_datum min, max;
    if (!job->rel->bound_indexed || l->held.expr.column)
        return RV_OK;
    RV_TRY(job->sd->bounds(job->source, job->rel, cursor, NULL, 0, &job->arena, &min, &max, err));
    if (max.null)
        return RV_OK;
    l->upper = (rv_pred){cursor, RV_LE, max};
    l->upper_is_value = true;
    RV_TRY(rv_arena_cstr(&job->arena, max.text, &c->bound, err));
    RV_TRY(warn_low_above(c, err));
    return now_limit(c, l, err);
}

/* ---- segments ---- */

static rv_status add_segment(rv_cursor *c, rv_unit *unit, rv_segment *segments,
                             const rv_pred *preds, size_t n, rv_error *err)
{
    rv_job *job = c->job;
    rv_segment *seg = &segments[unit->n_segments++];
    rv_pred *copy;
    RV_TRY(rv_arena_array(&job->arena, n ? n : 1, sizeof *copy, &copy, err));
    if (n)
        memcpy(copy, preds, n * sizeof *copy);
    *seg = (rv_segment){.preds = copy, .n_preds = n};
    return RV_OK;
}

/* By (cursor, key) where an index serves it, else one statement in cursor order. */
static rv_status order_by_cursor(rv_cursor *c, rv_segment *seg, rv_error *err)
{
    rv_job *job = c->job;
    RV_TRY(rv_plan_order(job, &job->arena, seg, err));
    if (seg->paged)
        return RV_OK;
    rv_expr *order;
    size_t n = 0;
    RV_TRY(rv_arena_array(&job->arena, 3, sizeof *order, &order, err));
    order[n++] = rv_plan_bound(job);
    if (job->x->cursor_fallback_column) {
        order[n++] = (rv_expr){job->x->cursor_column, NULL};
        order[n++] = (rv_expr){job->x->cursor_fallback_column, NULL};
    }
    seg->order = order;
    seg->n_order = n;
    return RV_OK;
}

static size_t with_limits(const rv_limits *l, rv_pred *preds, size_t n)
{
    if (l->held.expr.column)
        preds[n++] = l->held;
    if (l->upper.expr.column)
        preds[n++] = l->upper;
    return n;
}

static rv_status plan_ties_of_low(rv_cursor *c, rv_unit *unit, rv_segment *segments,
                                  const rv_limits *l, rv_error *err)
{
    rv_pred preds[PREDS_MAX] = {{rv_plan_bound(c->job), RV_EQ, cursor_datum(c->job, c->low)}};
    size_t n = 1;
    if (l->held.expr.column)
        preds[n++] = l->held;
    RV_TRY(add_segment(c, unit, segments, preds, n, err));
    rv_segment *seg = &segments[unit->n_segments - 1];
    RV_TRY(order_by_cursor(c, seg, err));
    seg->keep = keep_new_ties;
    seg->keep_ctx = c;
    return RV_OK;
}

static rv_status plan_nulls(rv_cursor *c, rv_unit *unit, rv_segment *segments, rv_error *err)
{
    rv_pred pred = {.expr = rv_plan_bound(c->job), .op = RV_IS_NULL};
    if (c->job->rel->bound_not_null && !pred.expr.fallback)
        return RV_OK;
    RV_TRY(add_segment(c, unit, segments, &pred, 1, err));
    rv_segment *seg = &segments[unit->n_segments - 1];
    seg->no_position = true; /* pages by the key: its last value is no cursor */
    return rv_plan_key_order(c->job, &c->job->arena, seg, err);
}

static rv_status plan_rest(rv_cursor *c, rv_unit *unit, rv_segment *segments, const rv_limits *l,
                           const rv_pred *from, rv_error *err)
{
    rv_pred preds[PREDS_MAX];
    bool split = c->rescan && l->upper_is_value;
    size_t n = 0;
    if (from)
        preds[n++] = *from;
    else
        preds[n++] = (rv_pred){.expr = rv_plan_bound(c->job), .op = RV_NOT_NULL};
    n = with_limits(l, preds, n);
    if (split)
        preds[n - 1].op = RV_LT;
    RV_TRY(add_segment(c, unit, segments, preds, n, err));
    RV_TRY(order_by_cursor(c, &segments[unit->n_segments - 1], err));
    if (c->rescan) {
        segments[unit->n_segments - 1].keep = collect_high;
        segments[unit->n_segments - 1].keep_ctx = c;
    }
    if (!split)
        return RV_OK;
    preds[n - 1].op = RV_EQ;
    RV_TRY(add_segment(c, unit, segments, preds, n, err));
    rv_segment *seg = &segments[unit->n_segments - 1];
    RV_TRY(order_by_cursor(c, seg, err));
    seg->keep = collect_bound;
    seg->keep_ctx = c;
    return RV_OK;
}

rv_status rv_cursor_plan(rv_cursor *c, rv_job *job, const rv_position_row *position, rv_work *work,
                         rv_error *err)
{
    const rv_cfg_export *x = job->x;
    rv_segment *segments;
    rv_limits l = {0};
    *c = (rv_cursor){
        .job = job, .rescan = !x->cursor_strict, .source_columns = job->rel->schema->n_columns};
    *work = (rv_work){.kind = RV_WORK_SINGLE};
    (void)snprintf(work->single.name, sizeof work->single.name, "0");
    work->single.rewind = rv_cursor_rewind;
    work->single.rewind_ctx = c;
    RV_TRY(rv_arena_array(&job->arena, SEGMENTS_MAX, sizeof *segments, &segments, err));
    work->single.segments = segments;
    bool goes_on = position && position->last_cursor_value;
    if (goes_on) {
        c->low = position->last_cursor_value;
        c->low_type = position->cursor_type;
        work->single.key_low = c->low;
    }
    RV_TRY(settle_limit(job, &l, err));
    RV_TRY(max_limit(c, &l, err));
    work->single.key_high = c->bound;
    rv_pred from = {.expr = rv_plan_bound(job), .op = RV_GT};
    if (goes_on) {
        from.value = cursor_datum(job, c->low);
        if (c->rescan && position->has_ties) {
            c->has_stored = true;
            c->stored = position->cursor_ties;
            RV_TRY(load_remaining(c, err));
            RV_TRY(plan_ties_of_low(c, &work->single, segments, &l, err));
        } else if (c->rescan) {
            from.op = RV_GE; /* the set grew too large: at least once */
        }
        return plan_rest(c, &work->single, segments, &l, &from, err);
    }
    if (x->cursor_start) {
        RV_TRY(job->sd->datum_parse(job->source, job->rel, rv_str_c(x->cursor_start), &job->arena,
                                    &from.value, err));
        from.op = RV_GE;
        return plan_rest(c, &work->single, segments, &l, &from, err);
    }
    /* only the very first run reads them: nothing would remember that they were exported */
    if (!position || !position->last_run_id)
        RV_TRY(plan_nulls(c, &work->single, segments, err));
    return plan_rest(c, &work->single, segments, &l, NULL, err);
}

rv_status rv_cursor_rewind(void *cursor, rv_error *err)
{
    rv_cursor *c = cursor;
    ties_clear(&c->low_seen);
    ties_clear(&c->high);
    c->dropped = 0;
    c->beyond = c->at_bound = false;
    return load_remaining(c, err);
}

/* ---- the new position ---- */

static rv_status store_ties(rv_cursor *c, rv_ties *t, rv_position_row *out, rv_error *err)
{
    if (t->overflow) {
        rv_job_warn(c->job, "cursor",
                    "more than %u rows share the cursor value; they are exported again by the next "
                    "run",
                    RV_TIES_MAX);
        return RV_OK;
    }
    uint8_t *bytes;
    if (t->n)
        qsort(t->items, t->n, sizeof *t->items, compare_digests);
    RV_TRY(rv_arena_array(&c->job->arena, t->n + 1, 16, &bytes, err));
    for (size_t i = 0; i < t->n; i++) {
        memcpy(bytes + i * 16, &t->items[i].lo, 8);
        memcpy(bytes + i * 16 + 8, &t->items[i].hi, 8);
    }
    out->cursor_ties = (rv_bytes){bytes, t->n * 16};
    out->has_ties = true;
    return RV_OK;
}

rv_status rv_cursor_finish(rv_cursor *c, const rv_unit_result *result, rv_position_row *out,
                           bool *out_moved, rv_error *err)
{
    rv_job *job = c->job;
    if (c->tie_memory_failed)
        return rv_fail_memory(err);
    *out = (rv_position_row){.cursor_type = c->low_type, .last_cursor_value = c->low};
    *out_moved = false;
    if (result->n_last && !result->last[0].null) {
        char type[RV_TYPE_NAME_SIZE];
        rv_type_name(rv_type_of(result->last[0].kind), type);
        RV_TRY(rv_arena_cstr(&job->arena, result->last[0].text, &out->last_cursor_value, err));
        RV_TRY(rv_arena_cstr(&job->arena, rv_str_c(type), &out->cursor_type, err));
        *out_moved = true;
    }
    if (!c->rescan)
        return RV_OK;
    if (c->beyond)
        return store_ties(c, &c->high, out, err);
    if (!c->low || !c->has_stored)
        return RV_OK;
    /* v did not move: what was exported before stays remembered beside what came now */
    RV_TRY(load_ties(&c->low_seen, c->stored, err));
    return store_ties(c, &c->low_seen, out, err);
}

/* ---- as JSON ---- */

rv_status rv_position_to_json(const rv_position_row *p, bool moved, rv_arena *a, const char **out,
                              rv_error *err)
{
    rv_buf buf = RV_BUF_INIT;
    rv_json j;
    char *hex = rv_alloc(p->cursor_ties.len * 2 + 1);
    if (!hex)
        return rv_fail_memory(err);
    rv_hex(p->cursor_ties.ptr, p->cursor_ties.len, hex);
    rv_json_begin(&j, &buf, false);
    rv_json_object(&j);
    rv_json_kstr(&j, "cursor", p->last_cursor_value);
    rv_json_kstr(&j, "type", p->cursor_type);
    rv_json_kstr(&j, "ties", p->has_ties ? hex : NULL);
    rv_json_kbool(&j, "moved", moved);
    rv_json_object_end(&j);
    rv_status st = rv_json_end(&j, err);
    if (st == RV_OK)
        st = rv_arena_cstr(a, rv_buf_str(&buf), out, err);
    rv_buf_free(&buf);
    rv_free(hex);
    return st;
}

static rv_status json_text(const json_t *root, const char *key, rv_arena *a, const char **out,
                           rv_error *err)
{
    const json_t *item = json_object_get(root, key);
    *out = NULL;
    if (!json_is_string(item))
        return RV_OK;
    return rv_arena_cstr(a, (rv_str){json_string_value(item), json_string_length(item)}, out, err);
}

rv_status rv_position_from_json(const char *json, rv_arena *a, rv_position_row *out,
                                bool *out_moved, rv_error *err)
{
    rv_status st = RV_OK;
    json_error_t why;
    const char *ties = NULL;
    json_t *root = json_loads(json, 0, &why);
    *out = (rv_position_row){0};
    *out_moved = json_is_true(json_object_get(root, "moved"));
    RV_GO(json_text(root, "cursor", a, &out->last_cursor_value, err));
    RV_GO(json_text(root, "type", a, &out->cursor_type, err));
    RV_GO(json_text(root, "ties", a, &ties, err));
    if (ties) {
        size_t len = strlen(ties);
        uint8_t *raw;
        RV_GO(rv_arena_alloc(a, len / 2 + 1, &raw, err));
        if (len % 32 || !rv_unhex((rv_str){ties, len}, raw)) {
            st = rv_fail(err, RV_E_STATE_DAMAGED, "the tie set of a sealed unit cannot be read");
            goto done;
        }
        out->cursor_ties = (rv_bytes){raw, len / 2};
        out->has_ties = true;
    }
done:
    json_decref(root);
    return st;
}

void rv_cursor_free(rv_cursor *c)
{
    rv_free(c->remaining.items);
    rv_free(c->left);
    rv_free(c->low_seen.items);
    rv_free(c->high.items);
    *c = (rv_cursor){0};
}
