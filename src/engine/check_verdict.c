#include <inttypes.h>
#include <string.h>

#include "engine/check_internal.h"
#include "engine/pager.h"

#define MIB (1024 * 1024)
#define K 1000
#define M (1000 * 1000)
#define PEAK_LIMIT_BYTES (INT64_C(2048) * MIB)
#define HEAVY_CHUNK_BYTES (INT64_C(256) * MIB)
#define SPARSE_DENSITY 0.1
#define SPARSE_WINDOWS 10

static bool is_chunked(const rv_checking *c)
{
    return c->job->mode == RV_CHUNKED || c->job->keyset;
}

/* ---- verdict ---- */

/* What the process would hold: the plan, and one batch of every worker. */
static int64_t predicted_peak(const rv_checking *c)
{
    const rv_job *job = c->job;
    uint64_t workers = rv_check_workers(job);
    int64_t width = job->rel->row_bytes, batch, all;
    rv_pager pager;
    rv_pager_opts opts = {.tuning = &job->x->tuning,
                          .row_estimate_bytes = width > 0 ? (uint64_t)width : 1,
                          .workers = (unsigned)workers,
                          .engine = job->sd->engine};
    rv_pager_init(&pager, &opts);
    uint64_t planned = rv_memory_planned_bytes(workers, job->schema.n_columns);
    if (__builtin_mul_overflow((int64_t)(pager.ceiling & INT64_MAX), width, &batch) ||
        __builtin_mul_overflow(batch, (int64_t)workers, &all) ||
        __builtin_add_overflow(all, (int64_t)planned, &all))
        return INT64_MAX;
    return all;
}

static const char *verdict_word(const rv_checking *c)
{
    const rv_relation *rel = c->job->rel;
    bool cursor = c->job->mode == RV_INCREMENTAL;
    int64_t rows = rel->row_estimate;
    if (c->index)
        return cursor && rows <= 10 * M ? "EFFICIENT" : "ACCEPTABLE";
    if (rows <= 1 * M || (cursor && rows <= 50 * M))
        return "DEGRADED";
    /* MySQL's average is no measure: the catalog keeps it for a day, and counts pages */
    if (rel->row_bytes < 0 || c->job->sd->engine == RV_ENGINE_MYSQL)
        return "UNSAFE";
    return predicted_peak(c) <= PEAK_LIMIT_BYTES ? "DEGRADED" : "UNSAFE";
}

static const char *profile_word(const rv_checking *c)
{
    int64_t rows = c->job->rel->row_estimate;
    if (rows < 0)
        return c->index ? "balanced" : "safe";
    if (rows <= 100 * K)
        return !c->index && rv_check_workers(c->job) > 1 ? "safe" : "fast";
    if (rows <= 1 * M)
        return c->index ? "fast" : "balanced";
    return c->index && rows <= 10 * M ? "balanced" : "safe";
}

static rv_status parallelism(rv_checking *c, rv_error *err)
{
    const rv_job *job = c->job;
    int64_t rows = job->rel->row_estimate;
    uint64_t n = 1;
    const char *why = "only chunked mode benefits from parallelism";
    if (job->keyset) {
        n = rv_check_workers(job);
        why = "as configured";
    } else if (is_chunked(c) && rows >= 0 && rows < 50 * K) {
        why = "small dataset";
    } else if (is_chunked(c) && !c->index) {
        n = rows > 5 * M ? 1 : 2;
        why = n == 1 ? "every chunk scans a large table" : "no index: every chunk scans the table";
    } else if (is_chunked(c)) {
        n = rows < 500 * K ? 2 : 4;
        why = n == 2 ? "moderate dataset with index support" : "large dataset with index support";
    }
    return rv_arena_printf(c->arena, &c->out->parallelism, err, "%s%" PRIu64 " (%s)",
                           n > 1 ? "parallel: " : "", n, why);
}

/* ---- suggestions ---- */

/* "(updated_at, id)": the bound column and what is left of the key. */
static rv_status add_index_columns(const rv_checking *c, const char *column, rv_buf *b,
                                   rv_error *err)
{
    const rv_relation *rel = c->job->rel;
    RV_TRY(rv_buf_printf(b, err, "(%s", column));
    for (size_t i = 0; i < rel->key.n_columns && rel->shape == RV_SHAPE_PAGES; i++)
        if (strcmp(rel->key.columns[i], column) != 0)
            RV_TRY(rv_buf_printf(b, err, ", %s", rel->key.columns[i]));
    return rv_buf_add_byte(b, ')', err);
}

static rv_status unindexed(rv_checking *c, rv_buf *b, rv_error *err)
{
    rv_expr bound = rv_plan_bound(c->job);
    const char *column = c->facts.index_hint ? c->facts.index_hint : bound.column;
    if (bound.fallback)
        return rv_buf_printf(b, err,
                             "No index serves COALESCE(%s, %s) -- every read scans the table.\n"
                             "Create an index on that expression, or follow a column that is "
                             "never NULL.",
                             bound.column, bound.fallback);
    if (column && c->job->x->query && !c->job->rel->base_table)
        return rv_buf_printf(b, err,
                             "No index on '%s' is visible through the query -- every read may run "
                             "all of it.\n"
                             "Name the table under table:, or select from one table only.",
                             column);
    if (column) {
        RV_TRY(rv_buf_printf(b, err,
                             "No index on '%s' -- every read scans the table.\n"
                             "Create an index that starts with it: ",
                             column));
        return add_index_columns(c, column, b, err);
    }
    return rv_buf_add_c(b,
                        "No index detected -- full table scan. Add an indexed cursor\n"
                        "column and switch to incremental mode.",
                        err);
}

/* An index leads the bound column, but cannot also order by the key behind it. */
static rv_status unpaged(const rv_checking *c, rv_buf *b, rv_error *err)
{
    const rv_relation *rel = c->job->rel;
    rv_expr bound = rv_plan_bound(c->job);
    if (c->paged || !c->index || !bound.column || bound.fallback || rel->small ||
        rel->shape != RV_SHAPE_PAGES || rel->key.n_columns == 0)
        return RV_OK;
    RV_TRY(rv_buf_add_c(b, "It would be read in short pages with an index on ", err));
    RV_TRY(add_index_columns(c, bound.column, b, err));
    return rv_buf_add_byte(b, '.', err);
}

static rv_status suggestion(rv_checking *c, rv_error *err)
{
    const rv_job *job = c->job;
    int64_t rows = job->rel->row_estimate;
    rv_buf b = RV_BUF_INIT;
    rv_status st = RV_OK;
    if (!c->index)
        RV_GO(unindexed(c, &b, err));
    RV_GO(unpaged(c, &b, err));
    if (job->mode == RV_FULL && rows > 10 * M)
        RV_GO(rv_buf_printf(&b, err, "%sMore than 10M rows in full mode: switch to incremental.",
                            b.len ? "\n" : ""));
    if (is_chunked(c) && rv_check_workers(job) == 1 && rows > 10 * M)
        RV_GO(rv_buf_printf(&b, err, "%sMore than 10M rows read by one worker: set parallel.",
                            b.len ? "\n" : ""));
    if (strcmp(c->out->verdict, "UNSAFE") == 0)
        RV_GO(rv_buf_printf(&b, err, "%sUse tuning.profile: safe and run off-peak.",
                            b.len ? "\n" : ""));
    if (b.len)
        RV_GO(rv_arena_cstr(c->arena, rv_buf_str(&b), &c->out->suggestion, err));
done:
    rv_buf_free(&b);
    return st;
}

rv_status rv_check_verdict(rv_checking *c, rv_error *err)
{
    c->out->verdict = verdict_word(c);
    RV_TRY(rv_arena_printf(c->arena, &c->out->recommended, err, "tuning.profile: %s",
                           profile_word(c)));
    RV_TRY(parallelism(c, err));
    return suggestion(c, err);
}

/* ---- warnings ---- */

/* Returns RV_OK so that callers can end with it. */
static rv_status warn(rv_checking *c, const char *severity, const char *message)
{
    if (c->out->n_warnings < RV_CHECK_WARNINGS_MAX)
        c->out->warnings[c->out->n_warnings++] = (rv_check_warning){severity, message};
    return RV_OK;
}

static const char *connection_kind(const rv_checking *c)
{
    const char *kind = c->job->sd->info(c->job->source)->connection;
    return kind && strcmp(kind, "direct") != 0 ? kind : NULL;
}

static rv_status warn_pooler(rv_checking *c, rv_error *err)
{
    const char *kind = connection_kind(c), *text;
    if (!kind)
        return RV_OK;
    RV_TRY(rv_arena_printf(c->arena, &text, err,
                           "the connection goes through a pooler or proxy (%s): pages start at "
                           "half size and the server's own limit ends the slow ones",
                           kind));
    return warn(c, "LOW", text);
}

static rv_status warn_connections(rv_checking *c, rv_error *err)
{
    uint64_t workers = rv_check_workers(c->job);
    int64_t max = c->facts.max_connections;
    const char *text, *kind = connection_kind(c);
    if (c->job->sd->engine == RV_ENGINE_SQLITE || workers == 1)
        return RV_OK; /* a file has no connection limit */
    if (max < 0 && kind) {
        RV_TRY(rv_arena_printf(c->arena, &text, err,
                               "the size of the pool behind the %s cannot be read; parallel: "
                               "%" PRIu64 " may exhaust it",
                               kind, workers));
        return warn(c, "HIGH", text);
    }
    if (max < 0)
        return warn(c, "HIGH",
                    "the server's connection limit cannot be read; parallel may meet it");
    if (workers < (uint64_t)max)
        return RV_OK;
    RV_TRY(rv_arena_printf(c->arena, &text, err,
                           "parallel: %" PRIu64 " reaches the server's %" PRId64
                           " connections; use at most %" PRId64,
                           workers, max, max > 4 ? max - 3 : 1));
    return warn(c, "HIGH", text);
}

static rv_status warn_streamed(rv_checking *c, rv_error *err)
{
    const rv_relation *rel = c->job->rel;
    const char *text;
    if (c->paged || rel->small || rel->shape == RV_SHAPE_RANGES)
        return RV_OK;
    RV_TRY(rv_arena_printf(c->arena, &text, err,
                           "streamed statement: it cannot be read in pages (%s) and stays open "
                           "for the whole read",
                           c->out->read_reason));
    return warn(c, rel->row_estimate > 1 * M ? "HIGH" : "MEDIUM", text);
}

bool rv_check_is_sparse(const rv_checking *c, double *out_density)
{
    int64_t rows = c->job->rel->row_estimate;
    if (c->windows <= SPARSE_WINDOWS || !c->facts.has_range || c->job->x->chunk_dense || rows < 0)
        return false;
    double span = (double)c->facts.key_max - (double)c->facts.key_min + 1.0;
    *out_density = (double)rows / span;
    return *out_density < SPARSE_DENSITY;
}

static rv_status warn_sparse(rv_checking *c, rv_error *err)
{
    const rv_cfg_export *x = c->job->x;
    const char *text;
    double density;
    if (!rv_check_is_sparse(c, &density))
        return RV_OK;
    RV_TRY(rv_arena_printf(c->arena, &text, err,
                           "Sparse key range: '%s' has rows for %.2f%% of its values, so most of "
                           "%" PRId64 " chunks are nearly empty; use chunk_dense or chunk_by_key",
                           x->chunk_column, density * 100.0, c->windows));
    return warn(c, "MEDIUM", text);
}

static rv_status warn_heavy_chunk(rv_checking *c, rv_error *err)
{
    const rv_job *job = c->job;
    int64_t width = job->rel->row_bytes, rows = job->rel->row_estimate, bytes;
    uint64_t chunk = rv_check_chunk_rows(job);
    const char *text;
    if (!is_chunked(c) || width <= 0 || rows < 0)
        return RV_OK;
    if (c->windows > 0 && rows / c->windows < (int64_t)chunk)
        chunk = (uint64_t)(rows / c->windows);
    if (!job->keyset && (job->x->chunk_count || job->x->chunk_by_days) && c->windows > 0)
        chunk = (uint64_t)(rows / c->windows);
    if ((uint64_t)rows < chunk)
        chunk = (uint64_t)rows;
    if (!__builtin_mul_overflow((int64_t)chunk, width, &bytes) && bytes <= HEAVY_CHUNK_BYTES)
        return RV_OK;
    RV_TRY(rv_arena_printf(c->arena, &text, err,
                           "heavy chunk: each of about %" PRIu64 " rows reads more than 256 MB; "
                           "use chunk_size: %" PRId64,
                           chunk, HEAVY_CHUNK_BYTES / width ? HEAVY_CHUNK_BYTES / width : 1));
    return warn(c, "MEDIUM", text);
}

/* Where an export writes, with what differs from run to run left in place. */
static rv_status target_of(const rv_checking *c, const rv_cfg_export *x, const char **out,
                           rv_error *err)
{
    const rv_cfg_dest *d = &x->dest;
    rv_placeholders values = {.date = c->job->date, .export_name = x->name, .table = x->name};
    const char *pattern = d->kind == RV_DEST_LOCAL && d->path ? d->path : d->prefix;
    RV_TRY(rv_cfg_expand(pattern ? pattern : "", &values, &c->job->arena, out, err));
    size_t len = strlen(*out);
    while (len > 1 && (*out)[len - 1] == '/')
        len--;
    return rv_arena_cstr(&c->job->arena, (rv_str){*out, len}, out, err);
}

static bool same_bucket(const rv_cfg_dest *a, const rv_cfg_dest *b)
{
    return a->kind == b->kind && a->kind != RV_DEST_STDOUT &&
           rv_str_eq(rv_str_c(a->bucket), rv_str_c(b->bucket)) &&
           rv_str_eq(rv_str_c(a->endpoint), rv_str_c(b->endpoint)) &&
           rv_str_eq(rv_str_c(a->account_name), rv_str_c(b->account_name));
}

static rv_status warn_shared_prefix(rv_checking *c, rv_error *err)
{
    const rv_cfg *cfg = c->job->cfg;
    const rv_cfg_export *x = c->job->x;
    const char *mine, *other, *text;
    RV_TRY(target_of(c, x, &mine, err));
    if (strstr(mine, "{run_id}"))
        return RV_OK;
    for (size_t i = 0; i < cfg->n_exports; i++) {
        const rv_cfg_export *y = &cfg->exports[i];
        if (strcmp(y->name, x->name) == 0 || !same_bucket(&x->dest, &y->dest))
            continue;
        RV_TRY(target_of(c, y, &other, err));
        if (strcmp(mine, other) != 0)
            continue;
        RV_TRY(rv_arena_printf(c->arena, &text, err,
                               "export '%s' shares this export's prefix: manifest.json and "
                               "_SUCCESS describe whichever ran last; put {export} into the path",
                               y->name));
        return warn(c, "LOW", text);
    }
    return RV_OK;
}

static rv_status warn_cursor(rv_checking *c, rv_error *err)
{
    const rv_job *job = c->job;
    const char *text;
    if (job->mode != RV_INCREMENTAL || job->rel->bound_type.kind != RV_DATE)
        return RV_OK;
    RV_TRY(
        rv_arena_printf(c->arena, &text, err,
                        "low-resolution cursor: '%s' is a date, so rows of the last day share "
                        "one value%s",
                        job->x->cursor_column,
                        job->x->cursor_strict ? " and cursor_ties: strict skips late ones" : ""));
    return warn(c, job->x->cursor_strict ? "HIGH" : "MEDIUM", text);
}

rv_status rv_check_warnings(rv_checking *c, rv_error *err)
{
    const rv_job *job = c->job;
    int64_t rows = job->rel->row_estimate;
    RV_TRY(rv_arena_array(c->arena, RV_CHECK_WARNINGS_MAX, sizeof *c->out->warnings,
                          &c->out->warnings, err));
    RV_TRY(warn_connections(c, err));
    RV_TRY(warn_pooler(c, err));
    if (rv_check_workers(job) > 1 && rows > 5 * M)
        RV_TRY(warn(c, "HIGH",
                    "parallel memory: several workers read more than 5M rows; watch the Memory "
                    "line and the server"));
    RV_TRY(warn_streamed(c, err));
    RV_TRY(warn_sparse(c, err));
    RV_TRY(warn_heavy_chunk(c, err));
    if (is_chunked(c) && !job->x->chunk_checkpoint && (rows < 0 || rows >= 100 * K))
        RV_TRY(warn(c, "MEDIUM",
                    "no checkpoint: an interrupted run starts over; set chunk_checkpoint: true"));
    RV_TRY(warn_shared_prefix(c, err));
    return warn_cursor(c, err);
}
