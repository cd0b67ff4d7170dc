#include "format/parquet/writer.h"

#include <inttypes.h>

#include "base/mem.h"
#include "format/parquet/footer.h"

#define GROUP_STORED_BYTES ((uint64_t)16 << 20)
#define GROUP_RAW_BYTES ((uint64_t)64 << 20)
#define GROUP_ROWS ((uint64_t)1 << 20)
#define TEST_ROWS 1024u /* limits in bytes are tested every so many rows of a group */
/* Rough sizes of metadata, for the estimate of the file. */
#define CHUNK_META_BYTES 170u
#define PAGE_META_BYTES 50u
#define COLUMN_FOOTER_BYTES 160u

typedef struct group_limits {
    uint64_t rows;   /* exact */
    uint64_t stored; /* 0: none */
    uint64_t raw;
} group_limits;

struct rv_pq_writer {
    const rv_schema *schema;
    bool source_nullable;
    group_limits limits;
    rv_pq_column *columns;
    size_t n_columns;
    rv_pq_shop shop;
    rv_pq_log pages;
    rv_pq_out out;
    rv_pq_ledger ledger;
    uint64_t group_rows;   /* in the open group */
    uint64_t pages_before; /* of finished groups */
    uint64_t estimate;     /* the largest so far, of the rows where limits are tested */
};

rv_status rv_pq_writer_check(const rv_schema *schema, const rv_format_opts *opts, rv_error *err)
{
    (void)opts;
    if (schema->n_columns == 0) {
        (void)rv_fail(err, RV_E_FORMAT_UNSUPPORTED, "a Parquet file needs at least one column");
        rv_hint(err, "select at least one column");
        return RV_E_FORMAT_UNSUPPORTED;
    }
    return RV_OK;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t rows_for(uint64_t target_bytes, uint64_t row_bytes)
{
    uint64_t rows = target_bytes / (row_bytes ? row_bytes : 1);
    return rows ? rows : 1;
}

static group_limits limits_of(const rv_schema *schema, const rv_format_opts *opts)
{
    uint64_t row_bytes = rv_schema_row_estimate_bytes(schema);
    group_limits l = {.rows = GROUP_ROWS};
    switch (opts->group) {
    case RV_GROUP_DEFAULT:
        l.stored = GROUP_STORED_BYTES;
        l.raw = GROUP_RAW_BYTES;
        break;
    case RV_GROUP_ROWS:
        l.rows = opts->group_rows ? opts->group_rows : 1;
        break;
    case RV_GROUP_BYTES:
        l.rows = rows_for(opts->group_target_bytes, row_bytes);
        break;
    }
    if (opts->group_max_bytes)
        l.rows = min_u64(l.rows, rows_for(opts->group_max_bytes, row_bytes));
    if (opts->max_file_bytes) {
        uint64_t quarter = opts->max_file_bytes / 4 ? opts->max_file_bytes / 4 : 1;
        l.stored = l.stored ? min_u64(l.stored, quarter) : quarter;
    }
    return l;
}

static rv_status open_columns(rv_pq_writer *w, rv_encoding_policy policy, rv_error *err)
{
    size_t n = w->schema->n_columns, n_strings = 0;
    for (size_t i = 0; i < n; i++)
        n_strings += rv_pq_leaf_of(w->schema->columns[i].type, policy).width == 0;
    w->shop.policy = policy;
    w->shop.plan = rv_pq_page_plan_of(n, n_strings);
    w->shop.log = &w->pages;
    w->columns = rv_calloc(n, sizeof *w->columns);
    if (!w->columns)
        return rv_fail_memory(err);
    w->n_columns = n;
    for (size_t i = 0; i < n; i++) {
        rv_pq_leaf leaf = rv_pq_leaf_of(w->schema->columns[i].type, policy);
        rv_pq_column_init(&w->columns[i], &leaf, w->schema->columns[i].name, &w->shop.plan);
    }
    return RV_OK;
}

rv_status rv_pq_writer_open(const rv_schema *schema, const rv_format_opts *opts, rv_sink sink,
                            rv_pq_writer **out, rv_error *err)
{
    rv_status st = RV_OK;
    RV_TRY(rv_pq_writer_check(schema, opts, err));
    rv_pq_writer *w = rv_calloc(1, sizeof *w);
    if (!w)
        return rv_fail_memory(err);
    w->schema = schema;
    w->source_nullable = opts->source_nullable_footer;
    w->limits = limits_of(schema, opts);
    w->out.sink = sink;
    rv_pq_log_init(&w->pages, opts->scratch_dir, opts->memory_bytes);
    rv_pq_ledger_init(&w->ledger, opts->scratch_dir);
    RV_GO(rv_pq_press_open(opts->codec, opts->level, &w->shop.press, err));
    RV_GO(open_columns(w, opts->encoding, err));
    RV_GO(rv_pq_out_write(&w->out, rv_str_bytes(RV_STR(RV_PQ_MAGIC)), err));
    *out = w;
    return RV_OK;
done:
    rv_pq_writer_close(w);
    return st;
}

static uint64_t file_estimate(const rv_pq_writer *w)
{
    uint64_t pages = w->pages_before;
    uint64_t bytes = w->out.offset + w->n_columns * COLUMN_FOOTER_BYTES;
    uint64_t groups = w->ledger.groups + (w->group_rows > 0);
    for (size_t i = 0; i < w->n_columns; i++) {
        bytes += rv_pq_column_stored_estimate(&w->columns[i]);
        pages += rv_pq_chunk_n_pages(&w->columns[i].chunk);
    }
    return bytes + groups * w->n_columns * CHUNK_META_BYTES + pages * PAGE_META_BYTES;
}

uint64_t rv_pq_writer_encoded_bytes(const rv_pq_writer *w)
{
    uint64_t now = file_estimate(w);
    return now > w->estimate ? now : w->estimate;
}

static bool group_is_full(const rv_pq_writer *w)
{
    uint64_t stored = 0, raw = 0;
    if (w->group_rows >= w->limits.rows)
        return true;
    if (w->group_rows % TEST_ROWS != 0)
        return false;
    for (size_t i = 0; i < w->n_columns; i++) {
        stored += rv_pq_column_stored_estimate(&w->columns[i]);
        raw += rv_pq_column_raw_estimate(&w->columns[i]);
    }
    return (w->limits.stored && stored >= w->limits.stored) ||
           (w->limits.raw && raw >= w->limits.raw);
}

static rv_status end_group(rv_pq_writer *w, rv_error *err)
{
    for (size_t i = 0; i < w->n_columns; i++)
        w->pages_before +=
            rv_pq_chunk_n_pages(&w->columns[i].chunk) + (w->columns[i].slab.rows > 0);
    RV_TRY(rv_pq_group_write(w->columns, w->n_columns, w->group_rows, &w->shop, &w->out, &w->ledger,
                             err));
    w->group_rows = 0;
    return RV_OK;
}

/* A value that cannot be stored is named by its column and the rows of its page. */
static rv_status append_column(rv_pq_writer *w, size_t i, const rv_batch *batch, uint32_t from,
                               uint32_t n, rv_error *err)
{
    rv_pq_column *c = &w->columns[i];
    rv_status st = rv_pq_column_append(c, &w->shop, &batch->columns[i], from, n, err);
    if (st == RV_E_VALUE_TOO_LARGE)
        (void)rv_wrap(err, st, "column '%s', near row %" PRIu64, c->name,
                      w->ledger.rows + w->group_rows + 1);
    return st;
}

rv_status rv_pq_writer_write(rv_pq_writer *w, const rv_batch *batch, rv_error *err)
{
    uint32_t from = 0;
    while (from < batch->rows) {
        uint64_t to_test = TEST_ROWS - w->group_rows % TEST_ROWS;
        uint64_t step =
            min_u64(min_u64(to_test, w->limits.rows - w->group_rows), batch->rows - from);
        for (size_t i = 0; i < w->n_columns; i++)
            RV_TRY(append_column(w, i, batch, from, (uint32_t)step, err));
        from += (uint32_t)step;
        w->group_rows += step;
        if (w->group_rows % TEST_ROWS == 0)
            w->estimate = rv_pq_writer_encoded_bytes(w);
        if (group_is_full(w))
            RV_TRY(end_group(w, err));
    }
    return RV_OK;
}

rv_status rv_pq_writer_spill(rv_pq_writer *w, rv_error *err)
{
    RV_TRY(rv_pq_log_spill(&w->pages, err));
    return rv_pq_ledger_spill(&w->ledger, err);
}

rv_status rv_pq_writer_finish(rv_pq_writer *w, const rv_sums *sums, rv_file_stats *out,
                              rv_error *err)
{
    rv_status st = RV_OK;
    if (w->group_rows > 0)
        RV_GO(end_group(w, err));
    rv_pq_footer_spec spec = {.schema = w->schema,
                              .columns = w->columns,
                              .sums = sums,
                              .source_nullable = w->source_nullable};
    RV_GO(rv_pq_footer_write(&spec, &w->ledger, &w->out, err));
    out->rows = w->ledger.rows;
    out->file_bytes = w->out.offset;
    out->row_groups = w->ledger.groups;
done:
    rv_pq_writer_close(w);
    return st;
}

void rv_pq_writer_close(rv_pq_writer *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n_columns; i++)
        rv_pq_column_free(&w->columns[i]);
    rv_free(w->columns);
    rv_pq_press_close(&w->shop.press);
    rv_pq_scratch_free(&w->shop.scratch);
    rv_pq_bounds_free(&w->shop.bounds);
    rv_pq_used_free(&w->shop.used);
    rv_pq_log_free(&w->pages);
    rv_pq_ledger_free(&w->ledger);
    rv_free(w);
}
