#include <inttypes.h>
#include <string.h>

#include "engine/check_internal.h"
#include "engine/chunks.h"

#define MIB (1024u * 1024u)
#define PLAN_BASE_MB 64u
#define PLAN_WORKER_MB 16u
#define PLAN_FREE_COLUMNS 100u
#define PLAN_COLUMN_BYTES (16u * 1024u)
#define UNKNOWN_ROW_BYTES 512
#define CHUNK_ROWS_MIN 10000u
#define CHUNK_ROWS_MAX 5000000u

uint64_t rv_check_workers(const rv_job *job)
{
    bool parallel = job->mode == RV_CHUNKED || job->keyset;
    return parallel && job->x->parallel ? job->x->parallel : 1;
}

uint64_t rv_check_chunk_rows(const rv_job *job)
{
    const rv_cfg_export *x = job->x;
    if (!x->chunk_size_memory_mb)
        return x->chunk_size;
    int64_t width = job->rel && job->rel->row_bytes > 0 ? job->rel->row_bytes : UNKNOWN_ROW_BYTES;
    uint64_t rows = x->chunk_size_memory_mb * MIB / (uint64_t)width;
    return rows < CHUNK_ROWS_MIN ? CHUNK_ROWS_MIN : rows > CHUNK_ROWS_MAX ? CHUNK_ROWS_MAX : rows;
}

static rv_status join(const char *const *names, size_t n, rv_arena *a, const char **out,
                      rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (size_t i = 0; i < n; i++)
        RV_GO(rv_buf_printf(&b, err, "%s%s", i ? ", " : "", names[i]));
    RV_GO(rv_arena_cstr(a, rv_buf_str(&b), out, err));
done:
    rv_buf_free(&b);
    return st;
}

static rv_status chunked_name(const rv_job *job, rv_arena *a, const char **out, rv_error *err)
{
    const rv_cfg_export *x = job->x;
    const char *column = x->chunk_column ? x->chunk_column : "auto";
    if (x->chunk_by_days)
        return rv_arena_printf(a, out, err, "date-chunked(%s, %" PRIu64 "d)", column,
                               x->chunk_by_days);
    if (x->chunk_count)
        return rv_arena_printf(a, out, err, "chunked(%s, count=%" PRIu64 ")", column,
                               x->chunk_count);
    return rv_arena_printf(a, out, err, "%s(%s, size=%" PRIu64 ")",
                           x->chunk_dense ? "chunked-dense" : "chunked", column,
                           rv_check_chunk_rows(job));
}

rv_status rv_check_strategy(const rv_job *job, rv_arena *a, const char **out, rv_error *err)
{
    const rv_cfg_export *x = job->x;
    if (job->keyset) {
        const char *key = x->chunk_by_key ? x->chunk_by_key : "auto";
        if (job->rel && job->rel->key.n_columns)
            RV_TRY(join(job->rel->key.columns, job->rel->key.n_columns, a, &key, err));
        return rv_arena_printf(a, out, err, "keyset(%s, size=%" PRIu64 ")", key,
                               rv_check_chunk_rows(job));
    }
    switch (x->mode) {
    case RV_INCREMENTAL:
        if (x->cursor_fallback_column)
            return rv_arena_printf(a, out, err, "incremental(%s ?? %s)", x->cursor_column,
                                   x->cursor_fallback_column);
        return rv_arena_printf(a, out, err, "incremental(%s)", x->cursor_column);
    case RV_CHUNKED:
        return chunked_name(job, a, out, err);
    case RV_TIME_WINDOW:
        return rv_arena_printf(a, out, err, "time-window(%s, %" PRIu64 "d)", x->time_column,
                               x->days_window);
    case RV_CDC:
        return rv_arena_printf(a, out, err, "cdc(%s)", x->table ? x->table : "tables");
    case RV_FULL:
        break;
    }
    *out = "full-scan";
    return RV_OK;
}

rv_status rv_check_rows_text(int64_t rows, rv_arena *a, const char **out, rv_error *err)
{
    if (rows < 0) {
        *out = "unknown";
        return RV_OK;
    }
    if (rows < 1000)
        return rv_arena_printf(a, out, err, "~%" PRId64, rows);
    if (rows < 1000000)
        return rv_arena_printf(a, out, err, "~%" PRId64 "K", rows / 1000);
    return rv_arena_printf(a, out, err, "~%" PRId64 "M", rows / 1000000);
}

/* ---- the plan ---- */

bool rv_check_bound_indexed(const rv_job *job)
{
    const rv_key *key = &job->rel->key;
    rv_expr bound = rv_plan_bound(job);
    /* statistics may make the planner scan what the catalog says is led by an index */
    return job->rel->bound_indexed || (bound.column && !bound.fallback && key->n_columns &&
                                       strcmp(key->columns[0], bound.column) == 0);
}

static rv_status key_range(rv_checking *c, rv_error *err)
{
    rv_job *job = c->job;
    rv_plan_facts *f = &c->facts;
    rv_datum low, high;
    if (f->has_range || job->rel->bound_kind != RV_INT64)
        return RV_OK;
    RV_TRY(job->sd->bounds(job->source, job->rel, rv_plan_bound(job), NULL, 0, &job->arena, &low,
                           &high, err));
    f->has_range = !low.null && !high.null && rv_str_i64(low.text, &f->key_min) &&
                   rv_str_i64(high.text, &f->key_max);
    return RV_OK;
}

/* Chunk ranges cost two seeks where an index leads the column; without one they would cost a
 * scan, which check does not do. */
static rv_status count_windows(rv_checking *c, rv_error *err)
{
    rv_job *job = c->job;
    rv_task_rows tasks;
    if (job->mode != RV_CHUNKED || job->keyset || !rv_check_bound_indexed(job))
        return RV_OK;
    RV_TRY(key_range(c, err));
    if (job->x->chunk_dense)
        return RV_OK;
    RV_TRY(rv_chunks_make(job, &tasks, err));
    c->windows = (int64_t)tasks.n;
    return RV_OK;
}

rv_status rv_check_plan(rv_checking *c, rv_error *err)
{
    rv_job *job = c->job;
    const rv_relation *rel = job->rel;
    bool key_only = job->keyset || job->mode == RV_FULL;
    c->windows = -1;
    if (job->keyset && rel->key.n_columns)
        c->paged = true; /* also a small table: its units are cut by key */
    else if (key_only)
        c->paged = rel->shape == RV_SHAPE_PAGES && !rel->small && rel->key.n_columns > 0;
    if (!key_only) {
        RV_TRY(rv_plan_order(job, &job->arena, &c->order, err));
        c->paged = c->order.paged;
    }
    return count_windows(c, err);
}

static const char *statement_reason(const rv_checking *c)
{
    const rv_relation *rel = c->job->rel;
    if (rel->small)
        return "small table";
    if (rel->shape == RV_SHAPE_PAGES)
        return "no index in the order of the bound and the key";
    return rel->shape_reason && rel->shape_reason[0] ? rel->shape_reason : "no usable key";
}

static rv_status reads_pages(rv_checking *c, rv_error *err)
{
    const rv_key *key = &c->job->rel->key;
    const char *columns[RV_KEY_COLUMNS_MAX + 1], *list, *key_list;
    size_t n = 0;
    rv_check_report *out = c->out;
    for (size_t i = 0; i < c->order.n_order && i <= RV_KEY_COLUMNS_MAX; i++)
        columns[n++] = c->order.order[i].column;
    RV_TRY(join(key->columns, key->n_columns, c->arena, &key_list, err));
    RV_TRY(join(columns, n, c->arena, &list, err));
    out->read_shape = rv_shape_name(RV_SHAPE_PAGES);
    RV_TRY(rv_arena_cstr(c->arena, rv_str_c(key->name), &out->read_key, err));
    if (n == 0 || strcmp(list, key_list) == 0)
        return rv_arena_printf(c->arena, &out->reads, err, "pages by %s (%s)", key->name, key_list);
    out->read_key = list;
    return rv_arena_printf(c->arena, &out->reads, err, "pages by (%s)", list);
}

rv_status rv_check_reads(rv_checking *c, rv_error *err)
{
    rv_shape shape = c->job->rel->shape;
    rv_check_report *out = c->out;
    if (c->paged)
        return reads_pages(c, err);
    if (shape == RV_SHAPE_PAGES || c->job->rel->small)
        shape = RV_SHAPE_STATEMENT;
    out->read_shape = rv_shape_name(shape);
    RV_TRY(rv_arena_cstr(c->arena, rv_str_c(statement_reason(c)), &out->read_reason, err));
    const char *word = shape == RV_SHAPE_STATEMENT ? "one statement" : out->read_shape;
    return rv_arena_printf(c->arena, &out->reads, err, "%s (%s)", word, out->read_reason);
}

/* ---- memory ---- */

uint64_t rv_memory_planned_bytes(uint64_t workers, size_t columns)
{
    uint64_t extra = columns > PLAN_FREE_COLUMNS ? columns - PLAN_FREE_COLUMNS : 0;
    workers = workers ? workers : 1;
    return (PLAN_BASE_MB + PLAN_WORKER_MB * (workers - 1)) * (uint64_t)MIB +
           PLAN_COLUMN_BYTES * extra * workers;
}

rv_status rv_check_memory(rv_checking *c, rv_error *err)
{
    uint64_t workers = rv_check_workers(c->job);
    uint64_t bytes = rv_memory_planned_bytes(workers, c->job->schema.n_columns);
    return rv_arena_printf(c->arena, &c->out->memory, err,
                           "~%" PRIu64 " MB planned (%" PRIu64 " worker%s)",
                           (bytes + MIB - 1) / MIB, workers, workers == 1 ? "" : "s");
}
