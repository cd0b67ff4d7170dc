#include "engine/chunks.h"

#include <string.h>

#include "column/decimal.h"

#define RV_TARGET "engine"
#define US_PER_DAY 86400000000LL

/* Twice the largest 38 digits fit, which a signed one does not hold. */
__extension__ typedef unsigned __int128 rv_width;

typedef struct rv_task_list {
    rv_job *job;
    rv_task_row *rows;
    size_t n, cap;
} rv_task_list;

static rv_status too_many(const rv_job *job, rv_width n, rv_error *err)
{
    char text[RV_DECIMAL_TEXT_SIZE];
    size_t at = sizeof text - 1;
    text[at] = '\0';
    for (; n > 0; n /= 10)
        text[--at] = (char)('0' + (int)(n % 10));
    return rv_fail(err, RV_E_CONFIG_TOO_MANY_CHUNKS,
                   "export '%s': %s chunks exceed 100,000; use chunk_by_key, chunk_dense or a "
                   "larger chunk_size",
                   job->x->name, text + at);
}

static rv_status add_task(rv_task_list *l, const char *lo, const char *hi, const char *kind,
                          rv_error *err)
{
    if (l->n >= RV_CHUNKS_MAX && strcmp(kind, "null") != 0)
        return too_many(l->job, (rv_width)l->n + 1, err);
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 4 : 64;
        rv_task_row *grown;
        RV_TRY(rv_arena_array(&l->job->arena, cap, sizeof *grown, &grown, err));
        if (l->n)
            memcpy(grown, l->rows, l->n * sizeof *grown);
        l->rows = grown;
        l->cap = cap;
    }
    l->rows[l->n] = (rv_task_row){.chunk_index = (int64_t)l->n,
                                  .start_key = lo,
                                  .end_key = hi,
                                  .kind = kind,
                                  .status = "pending",
                                  .rows_written = -1};
    l->n++;
    return RV_OK;
}

static rv_status text_of(rv_arena *a, rv_i128 v, const char **out, rv_error *err)
{
    char text[RV_DECIMAL_TEXT_SIZE];
    unsigned len = rv_decimal_text(rv_i256_from_i128(v), 0, text);
    return rv_arena_cstr(a, (rv_str){text, len}, out, err);
}

static rv_status number_of(const rv_job *job, const rv_datum *d, rv_i128 *out, rv_error *err)
{
    rv_i256 v;
    if (rv_decimal_parse(d->text, 38, 0, &v) != RV_DECIMAL_OK || !rv_i256_to_i128(v, out))
        return rv_fail(err, RV_E_VALUE, "export '%s': '%.*s' in chunk_column '%s' is no integer",
                       job->x->name, RV_STR_ARG(d->text), job->x->chunk_column);
    return RV_OK;
}

/* ---- equal widths of an integer or a day count ---- */

typedef struct rv_span {
    rv_i128 min, max;
    rv_width width;
    const char *max_text; /* the exact maximum as stored */
    rv_status (*literal)(rv_job *job, rv_i128 at, const char **out, rv_error *err);
} rv_span;

static rv_status integer_literal(rv_job *job, rv_i128 at, const char **out, rv_error *err)
{
    return text_of(&job->arena, at, out, err);
}

static rv_status day_literal(rv_job *job, rv_i128 at, const char **out, rv_error *err)
{
    rv_datum d;
    RV_TRY(job->sd->instant(job->source, job->rel, (int64_t)at * US_PER_DAY, false, &job->arena, &d,
                            err));
    return rv_arena_cstr(&job->arena, d.text, out, err);
}

/* Values from min to max, both counted. */
static rv_width span_of(const rv_span *s)
{
    return (rv_width)s->max - (rv_width)s->min + 1;
}

/* First `c < hi`, then `lo <= c < hi`, last `lo <= c <= max`: nothing is lost at either end and
 * nothing overflows at the type's limit. */
static rv_status slice(rv_task_list *l, const rv_span *s, rv_error *err)
{
    rv_width count = (span_of(s) - 1) / s->width + 1;
    if (count > RV_CHUNKS_MAX)
        return too_many(l->job, count, err);
    const char *lo = NULL;
    for (rv_width i = 0; i < count; i++) {
        if (i == count - 1)
            return add_task(l, lo, s->max_text, "last", err);
        const char *hi;
        RV_TRY(s->literal(l->job, (rv_i128)((rv_width)s->min + (i + 1) * s->width), &hi, err));
        RV_TRY(add_task(l, lo, hi, "range", err));
        lo = hi;
    }
    return RV_OK;
}

static uint64_t size_from_memory(rv_job *job)
{
    const rv_cfg_export *x = job->x;
    int64_t row_bytes = job->rel->row_bytes;
    if (row_bytes <= 0) {
        row_bytes = 512;
        rv_job_plan_warn(job, "row_width",
                         "the catalog does not know the row width; chunk_size_memory_mb counts 512 "
                         "B per row");
    }
    uint64_t rows = x->chunk_size_memory_mb * 1024 * 1024 / (uint64_t)row_bytes;
    return rows < 10000 ? 10000 : rows > 5000000 ? 5000000 : rows;
}

static rv_status by_width(rv_task_list *l, const rv_datum *min, const rv_datum *max, bool days,
                          rv_error *err)
{
    rv_job *job = l->job;
    const rv_cfg_export *x = job->x;
    rv_span s = {.literal = days ? day_literal : integer_literal};
    RV_TRY(rv_arena_cstr(&job->arena, max->text, &s.max_text, err));
    if (days) {
        int64_t lo, hi;
        RV_TRY(job->sd->datum_day(job->rel, min, &lo, err));
        RV_TRY(job->sd->datum_day(job->rel, max, &hi, err));
        s.min = lo;
        s.max = hi;
    } else {
        RV_TRY(number_of(job, min, &s.min, err));
        RV_TRY(number_of(job, max, &s.max, err));
    }
    if (x->chunk_count)
        s.width = (span_of(&s) - 1) / x->chunk_count + 1;
    else
        s.width = (rv_width)(x->chunk_size_memory_mb ? size_from_memory(job) : x->chunk_size);
    return slice(l, &s, err);
}

static rv_status by_days(rv_task_list *l, const rv_datum *min, const rv_datum *max, rv_error *err)
{
    rv_job *job = l->job;
    int64_t first, last, step = (int64_t)job->x->chunk_by_days;
    RV_TRY(job->sd->datum_day(job->rel, min, &first, err));
    RV_TRY(job->sd->datum_day(job->rel, max, &last, err));
    if ((last - first) / step >= RV_CHUNKS_MAX)
        return too_many(job, (rv_width)((last - first) / step) + 1, err);
    const char *lo;
    RV_TRY(day_literal(job, first, &lo, err));
    for (int64_t day = first; day <= last; day += step) {
        const char *hi;
        RV_TRY(day_literal(job, day + step, &hi, err));
        RV_TRY(add_task(l, lo, hi, "days", err));
        lo = hi;
    }
    return RV_OK;
}

/* Walks the key itself: every n-th value found starts a chunk, so ties stay together and gaps do
 * not matter. */
static rv_status by_rows(rv_task_list *l, const rv_datum *max, rv_error *err)
{
    rv_job *job = l->job;
    uint64_t n = job->x->chunk_size_memory_mb ? size_from_memory(job) : job->x->chunk_size;
    rv_expr order = rv_plan_bound(job);
    rv_pred not_null = {.expr = order, .op = RV_NOT_NULL};
    rv_page_spec from = {
        .relation = job->rel, .preds = &not_null, .n_preds = 1, .order = &order, .n_order = 1};
    const char *lo = NULL;
    for (;;) {
        rv_datum *at;
        bool found = false;
        RV_TRY(rv_arena_alloc(&job->arena, sizeof *at, &at, err));
        RV_TRY(rv_cancel_check(job->env->cancel, err));
        RV_TRY(job->sd->nth(job->source, &from, lo ? n : n + 1, &job->arena, at, &found, err));
        if (!found)
            break;
        const char *hi;
        RV_TRY(rv_arena_cstr(&job->arena, at->text, &hi, err));
        RV_TRY(add_task(l, lo, hi, "dense", err));
        lo = hi;
        from.after = at;
    }
    const char *max_text;
    RV_TRY(rv_arena_cstr(&job->arena, max->text, &max_text, err));
    return add_task(l, lo, max_text, "last", err);
}

rv_status rv_chunks_make(rv_job *job, rv_task_rows *out, rv_error *err)
{
    rv_task_list l = {.job = job};
    rv_datum min = {0}, max = {0};
    rv_kind kind = (rv_kind)job->rel->bound_type.kind;
    bool days = kind == RV_DATE || kind == RV_TIMESTAMP || kind == RV_TIMESTAMP_TZ ||
                kind == RV_TIMESTAMP_NS || kind == RV_TIMESTAMP_TZ_NS;
    RV_TRY(job->sd->bounds(job->source, job->rel, rv_plan_bound(job), NULL, 0, &job->arena, &min,
                           &max, err));
    if (!min.null && !max.null) {
        if (job->x->chunk_by_days)
            RV_TRY(by_days(&l, &min, &max, err));
        else if (job->x->chunk_dense)
            RV_TRY(by_rows(&l, &max, err));
        else
            RV_TRY(by_width(&l, &min, &max, days, err));
    }
    if (!job->rel->bound_not_null)
        RV_TRY(add_task(&l, NULL, NULL, "null", err));
    *out = (rv_task_rows){l.rows, l.n};
    return RV_OK;
}

/* Statistics may name one value twice; an empty range would only be a unit without rows. */
static size_t distinct(rv_datum *cuts, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!cuts[i].null && (kept == 0 || !rv_str_eq(cuts[i].text, cuts[kept - 1].text)))
            cuts[kept++] = cuts[i];
    return kept;
}

rv_status rv_ranges_make(rv_job *job, const char *from, rv_range_rows *out, rv_error *err)
{
    uint64_t workers = job->x->parallel;
    rv_datum *cuts = NULL;
    size_t n_cuts = 0;
    if (workers > 1 && !from && job->rel->key.n_columns == 1) {
        RV_TRY(rv_arena_array(&job->arena, workers, sizeof *cuts, &cuts, err));
        RV_TRY(job->sd->cuts(job->source, job->rel, workers, &job->arena, cuts, &n_cuts, err));
    }
    n_cuts = distinct(cuts, n_cuts);
    rv_range_row *rows;
    RV_TRY(rv_arena_array(&job->arena, n_cuts + 1, sizeof *rows, &rows, err));
    const char *lo = from;
    for (size_t i = 0; i <= n_cuts; i++) {
        rows[i] = (rv_range_row){.range_index = (int64_t)i, .lo = lo, .position = lo};
        if (i < n_cuts) {
            RV_TRY(rv_arena_cstr(&job->arena, cuts[i].text, &rows[i].hi, err));
            lo = rows[i].hi;
        }
    }
    *out = (rv_range_rows){rows, n_cuts + 1};
    return RV_OK;
}
