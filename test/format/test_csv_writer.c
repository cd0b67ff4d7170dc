#include "rvtest.h"

#include "base/fault.h"
#include "column/builder.h"
#include "csv_fixture.h"

static const rv_format_opts plain = {.codec = RV_CODEC_NONE, .level = RV_LEVEL_DEFAULT};
static const rv_format_opts packed[] = {{.codec = RV_CODEC_GZIP, .level = RV_LEVEL_DEFAULT},
                                        {.codec = RV_CODEC_ZSTD, .level = RV_LEVEL_DEFAULT}};

static void exports_as(const fx_table *t, const char *want)
{
    rv_buf out = RV_BUF_INIT;
    rv_file_stats stats = {0};
    rv_error err = {0};
    CHECK_EQ(fx_export(t, &plain, 1000, &out, &stats, &err), RV_OK);
    CHECK_STR(rv_buf_cstr(&out), want);
    CHECK_EQ(stats.rows, t->rows);
    CHECK_EQ(stats.file_bytes, out.len);
    CHECK_EQ(stats.row_groups, 0);
    rv_buf_free(&out);
}

static rv_column column(const char *name, rv_type type)
{
    return (rv_column){.name = name, .type = type, .nullable = true};
}

RV_TEST(one_row_of_every_type)
{
    static const uint8_t uuid[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3,
                                     0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00};
    static const uint8_t blob[] = {0xde, 0xad, 0xbe, 0xef};
    rv_column columns[] = {column("bool", rv_type_of(RV_BOOL)),
                           column("int16", rv_type_of(RV_INT16)),
                           column("int32", rv_type_of(RV_INT32)),
                           column("int64", rv_type_of(RV_INT64)),
                           column("uint64", rv_type_of(RV_UINT64)),
                           column("float32", rv_type_of(RV_FLOAT32)),
                           column("float64", rv_type_of(RV_FLOAT64)),
                           column("decimal9", rv_type_decimal(9, 2)),
                           column("decimal38", rv_type_decimal(38, 4)),
                           column("decimal76", rv_type_decimal(76, 1)),
                           column("date", rv_type_of(RV_DATE)),
                           column("time", rv_type_of(RV_TIME)),
                           column("timestamp", rv_type_of(RV_TIMESTAMP)),
                           column("timestamp_tz", rv_type_of(RV_TIMESTAMP_TZ)),
                           column("timestamp_ns", rv_type_of(RV_TIMESTAMP_NS)),
                           column("timestamp_tz_ns", rv_type_of(RV_TIMESTAMP_TZ_NS)),
                           column("string", rv_type_of(RV_STRING)),
                           column("binary", rv_type_of(RV_BINARY)),
                           column("json", rv_type_of(RV_JSON)),
                           column("uuid", rv_type_of(RV_UUID)),
                           column("enum", rv_type_of(RV_ENUM)),
                           column("interval", rv_type_of(RV_INTERVAL))};
    enum { N = sizeof columns / sizeof columns[0] };
    rv_cell cells[2 * N] = {{.i64 = 1},
                            {.i64 = -7},
                            {.i64 = 70000},
                            {.i64 = INT64_MIN},
                            {.i64 = -1},
                            {.f64 = 1.5},
                            {.f64 = 1e21},
                            {.dec = rv_i256_from_i64(-1)},
                            {.dec = rv_i256_from_i64(12345)},
                            {.dec = rv_i256_from_i64(-5)},
                            {.i64 = 20000},
                            {.i64 = 3661000001},
                            {.i64 = -1},
                            {.i64 = 1000000},
                            {.i64 = 1},
                            {.i64 = -1},
                            fx_text("caf\xc3\xa9"),
                            {.bytes = {blob, 4}},
                            fx_text("{\"a\": 1}"),
                            {.bytes = {uuid, 16}},
                            fx_text("label"),
                            fx_text("P1Y2M3DT4H5M6S")};
    for (size_t i = N; i < 2 * N; i++)
        cells[i] = fx_null();
    rv_schema schema = {columns, N};
    exports_as(&(fx_table){&schema, cells, 2},
               "bool,int16,int32,int64,uint64,float32,float64,decimal9,decimal38,decimal76,date,"
               "time,timestamp,timestamp_tz,timestamp_ns,timestamp_tz_ns,string,binary,json,uuid,"
               "enum,interval\n"
               "true,-7,70000,-9223372036854775808,18446744073709551615,1.5,"
               "1000000000000000000000.0,-0.01,1.2345,-0.5,2024-10-04,01:01:01.000001,"
               "1969-12-31T23:59:59.999999,1970-01-01T00:00:01.000000Z,"
               "1970-01-01T00:00:00.000000001,1969-12-31T23:59:59.999999999Z,caf\xc3\xa9,deadbeef,"
               "\"{\"\"a\"\": 1}\",123e4567-e89b-12d3-a456-426614174000,label,P1Y2M3DT4H5M6S\n"
               ",,,,,,,,,,,,,,,,,,,,,\n");
}

RV_TEST(null_and_empty_differ)
{
    rv_column columns[] = {column("a", rv_type_of(RV_STRING)), column("b", rv_type_of(RV_BINARY))};
    rv_schema schema = {columns, 2};
    rv_cell cells[] = {fx_text(""), fx_text(""), fx_null(), fx_null(), fx_text(" "), fx_text("x")};
    exports_as(&(fx_table){&schema, cells, 3}, "a,b\n\"\",\"\"\n,\n ,78\n");
}

RV_TEST(a_lone_null_is_an_empty_line)
{
    rv_column columns[] = {column("a", rv_type_of(RV_INT64))};
    rv_schema schema = {columns, 1};
    rv_cell cells[] = {fx_null(), {.i64 = 1}, fx_null()};
    exports_as(&(fx_table){&schema, cells, 3}, "a\n\n1\n\n");
}

RV_TEST(the_header_is_quoted_by_the_same_rule)
{
    rv_column columns[] = {column("a,b", rv_type_of(RV_INT64)),
                           column("say \"x\"", rv_type_of(RV_INT64)),
                           column("", rv_type_of(RV_INT64)), column("=sum", rv_type_of(RV_INT64)),
                           column("two\nlines", rv_type_of(RV_INT64))};
    rv_schema schema = {columns, 5};
    exports_as(&(fx_table){&schema, NULL, 0},
               "\"a,b\",\"say \"\"x\"\"\",\"\",=sum,\"two\nlines\"\n");
}

RV_TEST(texts_with_specials_are_quoted)
{
    rv_column columns[] = {column("t", rv_type_of(RV_STRING)), column("u", rv_type_of(RV_ENUM))};
    rv_schema schema = {columns, 2};
    rv_cell cells[] = {fx_text("a,b"),   fx_text("\""),   fx_text("cr\rlf\n"),
                       fx_text("plain"), fx_text("=1+1"), fx_text("-")};
    exports_as(&(fx_table){&schema, cells, 3},
               "t,u\n\"a,b\",\"\"\"\"\n\"cr\rlf\n\",plain\n=1+1,-\n");
}

RV_TEST(what_has_no_csv_form_is_refused)
{
    rv_column columns[] = {column("id", rv_type_of(RV_INT64)),
                           column("tags", rv_type_list(rv_type_of(RV_STRING)))};
    rv_schema schema = {columns, 2}, none = {columns, 0};
    rv_error err = {0};
    CHECK_EQ(rv_format_csv.check(&schema, &plain, &err), RV_E_FORMAT_UNSUPPORTED);
    CHECK_STR(err.text, "column 'tags' (list<string>) has no CSV form; choose format: parquet or "
                        "leave it out");
    CHECK_EQ(rv_format_csv.check(&none, &plain, &err), RV_E_FORMAT_UNSUPPORTED);
    rv_writer *w = NULL;
    rv_env env = {0};
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_format_csv.begin(&env, &schema, &plain, (rv_sink){&out, fx_collect}, &w, &err),
             RV_E_FORMAT_UNSUPPORTED);
    CHECK(w == NULL && out.len == 0);
    schema.n_columns = 1;
    CHECK_EQ(rv_format_csv.check(&schema, &plain, &err), RV_OK);
}

/* ---- a larger table: mixed columns, NULLs, quotes, and some values larger than the buffer */

enum { WIDE = 6, ROWS = 4001, LONG_BYTES = 700000 };

typedef struct mixed {
    rv_column columns[WIDE];
    rv_schema schema;
    rv_cell *cells;
    char *pool;
    fx_table table;
} mixed;

static void mixed_open(mixed *m)
{
    static const rv_kind kinds[WIDE] = {RV_INT64,        RV_STRING, RV_FLOAT64,
                                        RV_TIMESTAMP_TZ, RV_BINARY, RV_DECIMAL};
    uint64_t x = 7;
    m->cells = calloc(WIDE * ROWS, sizeof *m->cells);
    m->pool = malloc(LONG_BYTES);
    for (size_t i = 0; i < LONG_BYTES; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        m->pool[i] = "abcdefghijklmnopqrstuvwxyz 0123456789-,\"\n"[x % 41];
    }
    for (size_t i = 0; i < WIDE; i++)
        m->columns[i] =
            column((const char *[]){"id", "note", "f", "at", "raw", "sum"}[i],
                   kinds[i] == RV_DECIMAL ? rv_type_decimal(12, 2) : rv_type_of(kinds[i]));
    for (size_t i = 0; i < WIDE * ROWS; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        rv_cell *c = &m->cells[i];
        size_t from = (x >> 20) % (LONG_BYTES - 100);
        *c = (rv_cell){
            .null = x % 11 == 0, .i64 = (int64_t)(x >> (x % 60)), .f64 = (double)(x % 99999) / 8};
        c->dec = rv_i256_from_i64((int64_t)(x % 1000000) - 500000);
        c->bytes = (rv_bytes){(const uint8_t *)m->pool + from, (x >> 8) % 90};
        if (i / WIDE == 1500 || i / WIDE == 3000)
            c->bytes = (rv_bytes){(const uint8_t *)m->pool, LONG_BYTES};
    }
    m->schema = (rv_schema){m->columns, WIDE};
    m->table = (fx_table){&m->schema, m->cells, ROWS};
}

static void mixed_close(mixed *m)
{
    free(m->cells);
    free(m->pool);
}

/* A parser of its own: fields of RFC 4180 text, one at a time. False at the end. */
static bool next_field(const char **at, const char *end, rv_buf *out, bool *quoted, bool *last)
{
    const char *p = *at;
    if (p == end)
        return false;
    rv_buf_clear(out);
    *quoted = *p == '"';
    if (*quoted)
        p++;
    for (; *quoted || (*p != ',' && *p != '\n'); p++) {
        if (*quoted && *p == '"' && *++p != '"')
            break;
        (void)!rv_buf_add_byte(out, (uint8_t)*p, NULL);
    }
    *last = *p == '\n';
    *at = p + 1;
    return true;
}

RV_TEST(every_text_and_null_reads_back)
{
    mixed m;
    mixed_open(&m);
    rv_buf out = RV_BUF_INIT, field = RV_BUF_INIT;
    rv_file_stats stats;
    REQUIRE(fx_export(&m.table, &plain, 512, &out, &stats, NULL) == RV_OK);
    const char *at = (const char *)out.ptr, *end = at + out.len;
    bool quoted = false, last = false;
    for (size_t i = 0; i < WIDE; i++)
        CHECK(next_field(&at, end, &field, &quoted, &last));
    CHECK(last);
    for (size_t i = 0; i < WIDE * ROWS; i++) {
        REQUIRE(next_field(&at, end, &field, &quoted, &last));
        REQUIRE(last == (i % WIDE == WIDE - 1));
        CHECK_EQ(field.len == 0 && !quoted, m.cells[i].null);
        if (i % WIDE == 1 && !m.cells[i].null)
            CHECK_MEM(field.ptr, field.len, m.cells[i].bytes.ptr, m.cells[i].bytes.len);
        if (i % WIDE == 4 && !m.cells[i].null)
            CHECK_EQ(field.len, 2 * m.cells[i].bytes.len);
    }
    CHECK(at == end);
    rv_buf_free(&out), rv_buf_free(&field);
    mixed_close(&m);
}

RV_TEST(batch_edges_leave_no_trace)
{
    mixed m;
    mixed_open(&m);
    const rv_format_opts *opts[] = {&plain, &packed[0], &packed[1]};
    for (size_t i = 0; i < 3; i++) {
        rv_buf all = RV_BUF_INIT, one = RV_BUF_INIT;
        rv_file_stats stats;
        CHECK_EQ(fx_export(&m.table, opts[i], ROWS, &all, &stats, NULL), RV_OK);
        CHECK_EQ(stats.file_bytes, all.len);
        CHECK_EQ(fx_export(&m.table, opts[i], 1, &one, &stats, NULL), RV_OK);
        CHECK_MEM(one.ptr, one.len, all.ptr, all.len);
        rv_buf_free(&all), rv_buf_free(&one);
    }
    mixed_close(&m);
}

RV_TEST(compressed_files_hold_the_plain_text)
{
    mixed m;
    mixed_open(&m);
    rv_buf text = RV_BUF_INIT;
    rv_file_stats stats;
    REQUIRE(fx_export(&m.table, &plain, ROWS, &text, &stats, NULL) == RV_OK);
    for (size_t i = 0; i < 2; i++) {
        rv_buf file = RV_BUF_INIT, back = RV_BUF_INIT;
        rv_codec_unstream *u = NULL;
        size_t used = 0;
        REQUIRE(fx_export(&m.table, &packed[i], ROWS, &file, &stats, NULL) == RV_OK);
        REQUIRE(rv_codec_unstream_open(packed[i].codec, &u, NULL) == RV_OK);
        CHECK_EQ(rv_codec_unstream_feed(u, rv_buf_bytes(&file), &used, SIZE_MAX, &back, NULL),
                 RV_OK);
        CHECK_EQ(used, file.len);
        CHECK(rv_codec_unstream_at_end(u));
        CHECK_MEM(back.ptr, back.len, text.ptr, text.len);
        rv_codec_unstream_close(u);
        rv_buf_free(&file), rv_buf_free(&back);
    }
    rv_buf_free(&text);
    mixed_close(&m);
}

/* encoded_bytes after each 500 rows, however the batches lie. */
static void estimates(const fx_table *t, const rv_format_opts *opts, uint32_t step, uint64_t *out,
                      uint64_t *file_bytes)
{
    rv_env env = {0};
    rv_writer *w = NULL;
    rv_buf bytes = RV_BUF_INIT;
    rv_file_stats stats = {0};
    REQUIRE(rv_format_csv.begin(&env, t->schema, opts, (rv_sink){&bytes, fx_collect}, &w, NULL) ==
            RV_OK);
    for (uint32_t from = 0; from + step <= t->rows; from += step) {
        rv_batch b = fx_batch(t, from, step);
        CHECK_EQ(rv_format_csv.write(w, &b, NULL), RV_OK);
        fx_batch_free(&b);
        if ((from + step) % 500 == 0)
            out[(from + step) / 500 - 1] = rv_format_csv.encoded_bytes(w);
    }
    CHECK_EQ(rv_format_csv.finish(w, NULL, &stats, NULL), RV_OK);
    *file_bytes = stats.file_bytes;
    rv_buf_free(&bytes);
}

RV_TEST(the_size_estimate_is_a_function_of_the_rows)
{
    mixed m;
    mixed_open(&m);
    const rv_format_opts *opts[] = {&plain, &packed[0], &packed[1]};
    for (size_t i = 0; i < 3; i++) {
        uint64_t a[8] = {0}, b[8] = {0}, size = 0;
        estimates(&m.table, opts[i], 10, a, &size);
        estimates(&m.table, opts[i], 500, b, &size);
        CHECK_MEM(a, sizeof a, b, sizeof b);
        for (size_t k = 1; k < 8; k++)
            CHECK(a[k] >= a[k - 1] && a[k - 1] > 0);
        CHECK(i == 0 ? a[7] == size : a[7] > size / 2 && a[7] < size * 2);
    }
    mixed_close(&m);
}

/* Noise first, then text that nearly vanishes: a better ratio takes nothing back. */
RV_TEST(the_size_estimate_never_shrinks)
{
    enum { N = 400, EACH = 20000 };
    rv_column columns[] = {column("b", rv_type_of(RV_BINARY))};
    rv_schema schema = {columns, 1};
    uint8_t *noise = malloc(EACH * 50), *zeros = calloc(1, EACH);
    uint64_t x = 99;
    for (size_t i = 0; i < EACH * 50; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        noise[i] = (uint8_t)x;
    }
    rv_cell *cells = calloc(N, sizeof *cells);
    for (size_t i = 0; i < N; i++)
        cells[i].bytes = (rv_bytes){i < 50 ? noise + i * EACH : zeros, EACH};
    fx_table t = {&schema, cells, N};
    for (size_t i = 0; i < 2; i++) {
        rv_env env = {0};
        rv_writer *w = NULL;
        rv_buf out = RV_BUF_INIT;
        rv_file_stats stats = {0};
        REQUIRE(rv_format_csv.begin(&env, &schema, &packed[i], (rv_sink){&out, fx_collect}, &w,
                                    NULL) == RV_OK);
        uint64_t last = 0;
        for (uint32_t r = 0; r < N; r++) {
            rv_batch b = fx_batch(&t, r, 1);
            CHECK_EQ(rv_format_csv.write(w, &b, NULL), RV_OK);
            fx_batch_free(&b);
            uint64_t now = rv_format_csv.encoded_bytes(w);
            CHECK(now >= last);
            last = now;
        }
        CHECK_EQ(rv_format_csv.finish(w, NULL, &stats, NULL), RV_OK);
        rv_buf_free(&out);
    }
    free(noise), free(zeros), free(cells);
}

/* The real builder lays its batches out as the fixture does. */
RV_TEST(batches_of_the_builder_are_understood)
{
    rv_column columns[] = {column("n", rv_type_of(RV_INT32)), column("t", rv_type_of(RV_STRING)),
                           column("d", rv_type_decimal(20, 2))};
    rv_schema schema = {columns, 3};
    rv_builder_opts opts = {
        .schema = &schema, .max_rows = 1000, .max_bytes = 1 << 20, .batches = 2};
    rv_builder *b = NULL;
    rv_batch *batch = NULL;
    rv_writer *w = NULL;
    rv_env env = {0};
    rv_buf out = RV_BUF_INIT;
    rv_file_stats stats = {0};
    REQUIRE(rv_builder_open(&opts, &b, NULL) == RV_OK);
    REQUIRE(rv_format_csv.begin(&env, &schema, &plain, (rv_sink){&out, fx_collect}, &w, NULL) ==
            RV_OK);
    for (int32_t round = 0; round < 3; round++) {
        for (int32_t i = 0; i < round; i++) {
            CHECK_EQ(rv_builder_i64(b, 0, round * 10 + i, NULL), RV_OK);
            CHECK_EQ(i == 1 ? rv_builder_null(b, 1, NULL)
                            : rv_builder_bytes(b, 1, rv_str_bytes(RV_STR("a,b")), NULL),
                     RV_OK);
            CHECK_EQ(rv_builder_decimal_text(b, 2, RV_STR("-123456789012345678.9"), NULL), RV_OK);
            CHECK_EQ(rv_builder_row_end(b, NULL), RV_OK);
        }
        REQUIRE(rv_builder_freeze(b, &batch, NULL) == RV_OK);
        CHECK_EQ(batch->rows, round);
        CHECK_EQ(rv_format_csv.write(w, batch, NULL), RV_OK);
        rv_builder_recycle(b, batch);
    }
    CHECK_EQ(rv_format_csv.finish(w, NULL, &stats, NULL), RV_OK);
    CHECK_EQ(stats.rows, 3);
    CHECK_STR(rv_buf_cstr(&out), "n,t,d\n"
                                 "10,\"a,b\",-123456789012345678.90\n"
                                 "20,\"a,b\",-123456789012345678.90\n"
                                 "21,,-123456789012345678.90\n");
    rv_builder_close(b);
    rv_buf_free(&out);
}

RV_TEST(other_codecs_write_plain_text)
{
    rv_column columns[] = {column("a", rv_type_of(RV_INT64))};
    rv_schema schema = {columns, 1};
    rv_format_opts opts = {.codec = RV_CODEC_SNAPPY, .level = RV_LEVEL_DEFAULT};
    rv_buf out = RV_BUF_INIT;
    rv_file_stats stats;
    CHECK_EQ(fx_export(&(fx_table){&schema, NULL, 0}, &opts, 1, &out, &stats, NULL), RV_OK);
    CHECK_MEM(out.ptr, out.len, "a\n", 2);
    rv_buf_free(&out);
}

static rv_status full(void *self, rv_bytes data, rv_error *err)
{
    (void)self, (void)data;
    return rv_fail(err, RV_E_DEST_NO_SPACE, "no space");
}

RV_TEST(a_failing_sink_is_reported)
{
    rv_column columns[] = {column("a", rv_type_of(RV_STRING))};
    rv_schema schema = {columns, 1};
    char *big = calloc(1, LONG_BYTES);
    rv_cell cell = {.bytes = {(uint8_t *)big, LONG_BYTES}};
    rv_env env = {0};
    rv_writer *w = NULL;
    rv_error err = {0};
    rv_file_stats stats = {0};
    fx_table t = {&schema, &cell, 1};
    rv_batch b = fx_batch(&t, 0, 1);
    REQUIRE(rv_format_csv.begin(&env, &schema, &plain, (rv_sink){NULL, full}, &w, &err) == RV_OK);
    CHECK_EQ(rv_format_csv.write(w, &b, &err), RV_E_DEST_NO_SPACE);
    rv_format_csv.discard(w);
    REQUIRE(rv_format_csv.begin(&env, &schema, &plain, (rv_sink){NULL, full}, &w, &err) == RV_OK);
    CHECK_EQ(rv_format_csv.finish(w, NULL, &stats, &err), RV_E_DEST_NO_SPACE);
    rv_format_csv.discard(NULL);
    fx_batch_free(&b);
    free(big);
}

RV_TEST(sums_of_other_rows_are_an_internal_fault)
{
    rv_column columns[] = {column("a", rv_type_of(RV_INT64))};
    rv_schema schema = {columns, 1};
    rv_env env = {0};
    rv_writer *w = NULL;
    rv_buf out = RV_BUF_INIT;
    rv_file_stats stats = {0};
    rv_sums sums = {.rows = 1};
    REQUIRE(rv_format_csv.begin(&env, &schema, &plain, (rv_sink){&out, fx_collect}, &w, NULL) ==
            RV_OK);
    CHECK_EQ(rv_format_csv.finish(w, &sums, &stats, NULL), RV_E_INTERNAL);
    rv_buf_free(&out);
}

RV_TEST(every_failed_allocation_is_a_clean_error)
{
#ifdef RV_FAULTS
    rv_column columns[] = {column("a", rv_type_of(RV_STRING)), column("b", rv_type_of(RV_FLOAT64))};
    rv_schema schema = {columns, 2};
    rv_cell cells[] = {fx_text("a\"b"), {.f64 = 0.1}, fx_null(), fx_null()};
    fx_table t = {&schema, cells, 2};
    const rv_format_opts *opts[] = {&plain, &packed[0], &packed[1]};
    for (size_t i = 0; i < 3; i++) {
        rv_status st = RV_E_MEMORY;
        long nth = 1;
        for (; nth < 100 && st != RV_OK; nth++) {
            rv_buf out = RV_BUF_INIT;
            rv_file_stats stats;
            rv_fault_set_alloc(nth, false);
            st = fx_export(&t, opts[i], 1, &out, &stats, NULL);
            rv_fault_set_alloc(0, false);
            CHECK(st == RV_OK || st == RV_E_MEMORY);
            rv_buf_free(&out);
        }
        CHECK(nth > 3 && nth < 100);
    }
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(one_row_of_every_type), RV_CASE(null_and_empty_differ),
             RV_CASE(a_lone_null_is_an_empty_line), RV_CASE(the_header_is_quoted_by_the_same_rule),
             RV_CASE(texts_with_specials_are_quoted), RV_CASE(what_has_no_csv_form_is_refused),
             RV_CASE(every_text_and_null_reads_back), RV_CASE(batch_edges_leave_no_trace),
             RV_CASE(compressed_files_hold_the_plain_text),
             RV_CASE(the_size_estimate_is_a_function_of_the_rows),
             RV_CASE(the_size_estimate_never_shrinks),
             RV_CASE(batches_of_the_builder_are_understood), RV_CASE(other_codecs_write_plain_text),
             RV_CASE(a_failing_sink_is_reported), RV_CASE(sums_of_other_rows_are_an_internal_fault),
             RV_CASE(every_failed_allocation_is_a_clean_error))
