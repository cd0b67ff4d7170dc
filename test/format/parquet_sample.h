/* A small file of every canonical type, from builder to writer, so that its sums are real. */
#ifndef RV_TEST_PARQUET_SAMPLE_H
#define RV_TEST_PARQUET_SAMPLE_H

#include "column/builder.h"
#include "format/format.h"
#include "parquet_read.h"

static inline size_t ps_columns(rv_column *out)
{
    static const struct {
        const char *name;
        rv_type type;
    } all[] = {
        {"flag", {RV_BOOL, 0, 0, 0}},
        {"small", {RV_INT16, 0, 0, 0}},
        {"id", {RV_INT32, 0, 0, 0}},
        {"big", {RV_INT64, 0, 0, 0}},
        {"ubig", {RV_UINT64, 0, 0, 0}},
        {"f32", {RV_FLOAT32, 0, 0, 0}},
        {"f64", {RV_FLOAT64, 0, 0, 0}},
        {"price", {RV_DECIMAL, 9, 2, 0}},
        {"amount", {RV_DECIMAL, 18, 4, 0}},
        {"huge", {RV_DECIMAL, 38, 10, 0}},
        {"vast", {RV_DECIMAL, 60, 3, 0}},
        {"day", {RV_DATE, 0, 0, 0}},
        {"at", {RV_TIME, 0, 0, 0}},
        {"ts", {RV_TIMESTAMP, 0, 0, 0}},
        {"tstz", {RV_TIMESTAMP_TZ, 0, 0, 0}},
        {"tsns", {RV_TIMESTAMP_NS, 0, 0, 0}},
        {"tstzns", {RV_TIMESTAMP_TZ_NS, 0, 0, 0}},
        {"name", {RV_STRING, 0, 0, 0}},
        {"colour", {RV_ENUM, 0, 0, 0}},
        {"blob", {RV_BINARY, 0, 0, 0}},
        {"doc", {RV_JSON, 0, 0, 0}},
        {"uid", {RV_UUID, 0, 0, 0}},
        {"span", {RV_INTERVAL, 0, 0, 0}},
        {"ints", {RV_LIST, 0, 0, RV_INT32}},
        {"bigs", {RV_LIST, 0, 0, RV_INT64}},
        {"words", {RV_LIST, 0, 0, RV_STRING}},
        {"reals", {RV_LIST, 0, 0, RV_FLOAT64}},
        {"blobs", {RV_LIST, 0, 0, RV_BINARY}},
    };
    size_t n = sizeof all / sizeof all[0];
    for (size_t i = 0; i < n; i++)
        out[i] = (rv_column){
            .name = all[i].name, .type = all[i].type, .source_type = "x", .nullable = true};
    return n;
}

static inline uint64_t ps_mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static inline rv_status ps_add(rv_builder *b, uint32_t col, rv_type t, uint64_t h, rv_error *err)
{
    char text[64];
    int len = 0;
    uint8_t uuid[16];
    switch ((rv_kind)t.kind) {
    case RV_BOOL:
        return rv_builder_bool(b, col, h & 1, err);
    case RV_INT16:
        return rv_builder_i64(b, col, (int16_t)h, err);
    case RV_INT32:
    case RV_DATE:
        return rv_builder_i64(b, col, (int32_t)h % 1000000, err);
    case RV_TIME:
        return rv_builder_i64(b, col, (int64_t)(h % UINT64_C(86400000000)), err);
    case RV_INT64:
        return rv_builder_i64(b, col, (int64_t)h, err);
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
        return rv_builder_i64(b, col, (int64_t)(h % UINT64_C(1700000000000000000)), err);
    case RV_UINT64:
        return rv_builder_u64(b, col, h, err);
    case RV_FLOAT32:
        return rv_builder_f32(b, col, h % 9 ? (float)(int32_t)h / 8 : -0.0f, err);
    case RV_FLOAT64:
        return rv_builder_f64(b, col, h % 9 ? (double)(int64_t)h / 1024 : (double)__builtin_nan(""),
                              err);
    case RV_DECIMAL:
        return rv_builder_decimal_i64(b, col, (int64_t)h % 1000000, err);
    case RV_UUID:
        memcpy(uuid, &h, 8);
        memcpy(uuid + 8, &h, 8);
        return rv_builder_uuid(b, col, uuid, err);
    case RV_JSON:
        len = snprintf(text, sizeof text, "{\"a\":[%" PRIu64 ",\"x,]\"]}", h);
        break;
    case RV_ENUM:
        len = snprintf(text, sizeof text, "colour%u", (unsigned)(h % 5));
        break;
    case RV_INTERVAL:
        len = snprintf(text, sizeof text, "P%uD", (unsigned)(h % 500));
        break;
    case RV_STRING:
    case RV_BINARY:
    case RV_LIST:
        len = snprintf(text, sizeof text, "v\"\\\n\xC3\xA4%" PRIx64, h);
        break;
    }
    return rv_builder_bytes(b, col, (rv_bytes){(const uint8_t *)text, (size_t)len}, err);
}

static inline rv_status ps_add_list(rv_builder *b, uint32_t col, rv_type t, uint64_t h,
                                    rv_error *err)
{
    RV_TRY(rv_builder_list_begin(b, col, err));
    for (uint64_t i = 0; i < h % 5; i++) {
        uint64_t e = ps_mix(h + i);
        if (e % 4 == 0)
            RV_TRY(rv_builder_null(b, col, err));
        else
            RV_TRY(ps_add(b, col, rv_type_elem(t), e, err));
    }
    return rv_builder_list_end(b, col, err);
}

static inline rv_status ps_sink(void *self, rv_bytes data, rv_error *err)
{
    return rv_buf_add(self, data.ptr, data.len, err);
}

static inline rv_status ps_fill(rv_builder *b, const rv_schema *schema, uint32_t row, rv_error *err)
{
    for (uint32_t c = 0; c < schema->n_columns; c++) {
        uint64_t h = ps_mix((uint64_t)row * 64 + c);
        rv_type t = schema->columns[c].type;
        if (h % 7 == 0)
            RV_TRY(rv_builder_null(b, c, err));
        else if (t.kind == RV_LIST)
            RV_TRY(ps_add_list(b, c, t, h, err));
        else
            RV_TRY(ps_add(b, c, t, h, err));
    }
    return rv_builder_row_end(b, err);
}

static inline rv_status ps_write_rows(rv_writer *w, rv_builder *b, const rv_schema *schema,
                                      uint32_t rows, rv_sums *sums, rv_error *err)
{
    rv_batch *batch;
    for (uint32_t r = 0; r < rows; r++) {
        RV_TRY(ps_fill(b, schema, r, err));
        if (!rv_builder_full(b) && r + 1 < rows)
            continue;
        RV_TRY(rv_builder_freeze(b, &batch, err));
        rv_sums_add(sums, &batch->sums);
        rv_status st = rv_format_parquet.write(w, batch, err);
        rv_builder_recycle(b, batch);
        RV_TRY(st);
    }
    return RV_OK;
}

static inline rv_status ps_make(rv_encoding_policy policy, rv_codec_id codec, uint32_t rows,
                                uint64_t group_rows, rv_buf *out, rv_error *err)
{
    rv_column columns[64];
    rv_schema schema = {columns, ps_columns(columns)};
    rv_format_opts opts = {.codec = codec,
                           .level = RV_LEVEL_DEFAULT,
                           .encoding = policy,
                           .group = RV_GROUP_ROWS,
                           .group_rows = group_rows,
                           .memory_bytes = 64u << 20};
    rv_builder_opts bopts = {
        .schema = &schema, .max_rows = 500, .max_bytes = 1u << 20, .batches = 2};
    rv_writer *w = NULL;
    rv_builder *b = NULL;
    rv_sums sums = {0};
    rv_file_stats stats;
    rv_status st = rv_sums_init(&sums, schema.n_columns, err);
    if (st == RV_OK)
        st = rv_builder_open(&bopts, &b, err);
    if (st == RV_OK)
        st = rv_format_parquet.begin(&pq_env, &schema, &opts, (rv_sink){out, ps_sink}, &w, err);
    if (st == RV_OK) {
        st = ps_write_rows(w, b, &schema, rows, &sums, err);
        if (st == RV_OK)
            st = rv_format_parquet.finish(w, &sums, &stats, err);
        else
            rv_format_parquet.discard(w);
    }
    rv_builder_close(b);
    rv_sums_free(&sums);
    return st;
}

#endif
