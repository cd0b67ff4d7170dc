/* The Parquet writer as a whole: the same bytes whatever the batches, groups that end where they
 * must, spilling, refusals, failing allocations and scratch files. Values are judged by the
 * verifier, a second implementation. */
#include "base/fault.h"
#include "format/verify.h"
#include "parquet_table.h"
#include "rvtest.h"

static const pt_spec mixed[] = {
    {"id", {RV_INT64, 0, 0, 0}, PT_SEQUENCE, 0},
    {"key", {RV_INT32, 0, 0, 0}, PT_LOW, 30},
    {"big", {RV_UINT64, 0, 0, 0}, PT_RANDOM, 3},
    {"flag", {RV_BOOL, 0, 0, 0}, PT_RANDOM, 10},
    {"price", {RV_FLOAT64, 0, 0, 0}, PT_EXTREME, 5},
    {"ratio", {RV_FLOAT32, 0, 0, 0}, PT_LOW, 200},
    {"small", {RV_DECIMAL, 7, 2, 0}, PT_RANDOM, 0},
    {"wide", {RV_DECIMAL, 30, 5, 0}, PT_RANDOM, 7},
    {"widest", {RV_DECIMAL, 60, 5, 0}, PT_EXTREME, 7},
    {"word", {RV_STRING, 0, 0, 0}, PT_LOW, 3},
    {"mail", {RV_STRING, 0, 0, 0}, PT_RANDOM, 30},
    {"url", {RV_STRING, 0, 0, 0}, PT_SEQUENCE, 0},
    {"body", {RV_BINARY, 0, 0, 0}, PT_LONG, 20},
    {"ends", {RV_STRING, 0, 0, 0}, PT_EXTREME, 20},
    {"doc", {RV_JSON, 0, 0, 0}, PT_RANDOM, 0},
    {"uid", {RV_UUID, 0, 0, 0}, PT_RANDOM, 9},
    {"day", {RV_DATE, 0, 0, 0}, PT_RANDOM, 9},
    {"clock", {RV_TIME, 0, 0, 0}, PT_RANDOM, 9},
    {"at", {RV_TIMESTAMP_TZ, 0, 0, 0}, PT_SEQUENCE, 0},
    {"none", {RV_INT64, 0, 0, 0}, PT_RANDOM, 100},
    {"tags", {RV_LIST, 0, 0, RV_STRING}, PT_LOW, 20},
    {"marks", {RV_LIST, 0, 0, RV_INT64}, PT_RANDOM, 0},
};
#define MIXED (sizeof mixed / sizeof mixed[0])

static rv_format_opts options(rv_encoding_policy policy)
{
    return (rv_format_opts){.codec = RV_CODEC_ZSTD, .level = 1, .encoding = policy};
}

static rv_status write_all(const pt_table *t, const rv_format_opts *o, uint32_t step, rv_buf *out,
                           rv_file_stats *stats)
{
    rv_error err = {0};
    rv_status st = pt_write(t, o, step, out, stats, false, &err);
    if (st != RV_OK)
        printf("%s\n", err.text);
    return st;
}

static rv_status read_back(void *self, uint64_t offset, uint8_t *out, size_t len, rv_error *err)
{
    const rv_buf *b = self;
    if (offset > b->len || len > b->len - offset)
        return rv_fail(err, RV_E_CORRUPT, "read beyond the end");
    memcpy(out, b->ptr + offset, len);
    return RV_OK;
}

static void verify(const rv_buf *file, uint64_t rows)
{
    rv_env env = {.log = NULL};
    rv_arena arena = RV_ARENA_INIT;
    rv_verify_result result = {.rows = 0};
    rv_error err = {0};
    rv_buf copy = *file;
    rv_readable in = {&copy, file->len, read_back};
    rv_status st = rv_parquet_verify(&env, in, RV_VERIFY_STATISTICS, &arena, &result, &err);
    CHECK_EQ(st, RV_OK);
    if (st != RV_OK)
        printf("verify: %s\n", err.text);
    CHECK_EQ(result.rows, rows);
    rv_arena_free(&arena);
}

RV_TEST(bytes_do_not_depend_on_batches)
{
    static const uint32_t steps[] = {1, 7, 1000, 1024, 100000};
    static const rv_encoding_policy policies[] = {RV_ENCODING_AUTO, RV_ENCODING_COMPATIBLE,
                                                  RV_ENCODING_SMALL};
    pt_table t;
    pt_make(&t, mixed, MIXED, 4500);
    for (size_t p = 0; p < 3; p++) {
        rv_format_opts o = options(policies[p]);
        rv_buf want = RV_BUF_INIT;
        rv_file_stats stats;
        CHECK_EQ(write_all(&t, &o, 4500, &want, &stats), RV_OK);
        CHECK_EQ(stats.file_bytes, want.len);
        CHECK_EQ(stats.rows, 4500);
        CHECK_EQ(stats.row_groups, 1);
        verify(&want, 4500);
        for (size_t i = 0; i < 5; i++) {
            rv_buf got = RV_BUF_INIT;
            CHECK_EQ(write_all(&t, &o, steps[i], &got, &stats), RV_OK);
            CHECK(got.len == want.len && memcmp(got.ptr, want.ptr, want.len) == 0);
            rv_buf_free(&got);
        }
        rv_buf_free(&want);
    }
    pt_free(&t);
}

RV_TEST(many_pages_and_groups_verify)
{
    static const pt_spec few[] = {{"id", {RV_INT64, 0, 0, 0}, PT_SEQUENCE, 0},
                                  {"big", {RV_INT64, 0, 0, 0}, PT_RANDOM, 40},
                                  {"word", {RV_STRING, 0, 0, 0}, PT_LOW, 200},
                                  {"text", {RV_STRING, 0, 0, 0}, PT_LONG, 10},
                                  {"nan", {RV_FLOAT64, 0, 0, 0}, PT_EXTREME, 0},
                                  {"list", {RV_LIST, 0, 0, RV_INT32}, PT_LOW, 5}};
    pt_table t;
    pt_make(&t, few, 6, 60000);
    for (unsigned grouped = 0; grouped < 2; grouped++) {
        rv_format_opts o = options(RV_ENCODING_AUTO);
        rv_buf a = RV_BUF_INIT, b = RV_BUF_INIT;
        rv_file_stats stats;
        if (grouped) {
            o.group = RV_GROUP_ROWS;
            o.group_rows = 7001;
        }
        CHECK_EQ(write_all(&t, &o, 60000, &a, &stats), RV_OK);
        CHECK_EQ(stats.row_groups, grouped ? 9 : 1);
        verify(&a, 60000);
        CHECK_EQ(write_all(&t, &o, 3333, &b, &stats), RV_OK);
        CHECK(a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0);
        rv_buf_free(&a);
        rv_buf_free(&b);
    }
    pt_free(&t);
}

RV_TEST(empty_tables)
{
    rv_format_opts o = options(RV_ENCODING_AUTO);
    rv_buf out = RV_BUF_INIT;
    rv_file_stats stats;
    rv_error err = {0};
    pt_table t;
    pt_make(&t, mixed, MIXED, 0);
    CHECK_EQ(write_all(&t, &o, 1, &out, &stats), RV_OK);
    CHECK_EQ(stats.row_groups, 0);
    verify(&out, 0);
    rv_schema none = {NULL, 0};
    CHECK_EQ(rv_format_parquet.check(&t.schema, &o, &err), RV_OK);
    CHECK_EQ(rv_format_parquet.check(&none, &o, &err), RV_E_FORMAT_UNSUPPORTED);
    pt_free(&t);
    rv_buf_free(&out);
}

/* Row groups of a file of `rows` rows of one int64 column. */
static uint64_t groups_of(const rv_format_opts *o, uint32_t rows)
{
    static const pt_spec one[] = {{"v", {RV_INT64, 0, 0, 0}, PT_RANDOM, 0}};
    rv_buf out = RV_BUF_INIT;
    rv_file_stats stats = {0};
    pt_table t;
    pt_make(&t, one, 1, rows);
    CHECK_EQ(write_all(&t, o, 20000, &out, &stats), RV_OK);
    rv_buf_free(&out);
    pt_free(&t);
    return stats.row_groups;
}

RV_TEST(group_strategies)
{
    rv_format_opts o = options(RV_ENCODING_AUTO);
    CHECK_EQ(groups_of(&o, 20000), 1);
    o.group = RV_GROUP_ROWS;
    o.group_rows = 1000;
    CHECK_EQ(groups_of(&o, 20000), 20);
    o.group_rows = 1;
    CHECK_EQ(groups_of(&o, 20), 20);
    o.group = RV_GROUP_BYTES;
    o.group_target_bytes = 9000; /* 9 bytes a row by the estimate */
    CHECK_EQ(groups_of(&o, 20000), 20);
    o.group_target_bytes = 1;
    CHECK_EQ(groups_of(&o, 20), 20);
    o.group_target_bytes = 1 << 30;
    o.group_max_bytes = 18000;
    CHECK_EQ(groups_of(&o, 20000), 10);
    o = options(RV_ENCODING_AUTO);
    o.max_file_bytes = 4 * 40000; /* a quarter holds some 5,000 random numbers */
    uint64_t groups = groups_of(&o, 20000);
    CHECK(groups >= 3 && groups <= 5);
}

RV_TEST(estimate_grows_to_the_size)
{
    rv_format_opts o = options(RV_ENCODING_AUTO);
    rv_buf out = RV_BUF_INIT;
    rv_writer *w = NULL;
    rv_file_stats stats;
    pt_table t;
    uint64_t last = 0;
    pt_make(&t, mixed, MIXED, 20000);
    rv_sink sink = {&out, pt_sink_write};
    rv_col cols[MIXED];
    rv_col_sum sum_of[MIXED] = {{0}};
    rv_sums sums = {.rows = 20000, .n_columns = MIXED, .columns = sum_of};
    REQUIRE(rv_format_parquet.begin(NULL, &t.schema, &o, sink, &w, NULL) == RV_OK);
    for (uint32_t from = 0; from < 20000; from += 500) {
        for (size_t i = 0; i < MIXED; i++)
            cols[i] = pt_slice(&t.columns[i].col, from, 500);
        rv_batch batch = {.schema = &t.schema, .rows = 500, .columns = cols};
        CHECK_EQ(rv_format_parquet.write(w, &batch, NULL), RV_OK);
        for (size_t i = 0; i < MIXED; i++)
            pt_slice_free(&cols[i]);
        uint64_t now = rv_format_parquet.encoded_bytes(w);
        CHECK(now + now / 4 + 65536 >= last);
        last = now;
    }
    CHECK_EQ(rv_format_parquet.finish(w, &sums, &stats, NULL), RV_OK);
    CHECK(last > out.len / 2 && last < out.len * 2);
    rv_buf_free(&out);
    pt_free(&t);
}

RV_TEST(spilling_changes_nothing)
{
    rv_format_opts o = options(RV_ENCODING_AUTO);
    rv_buf want = RV_BUF_INIT, got = RV_BUF_INIT;
    rv_file_stats stats;
    pt_table t;
    pt_make(&t, mixed, MIXED, 12000);
    CHECK_EQ(write_all(&t, &o, 3000, &want, &stats), RV_OK);
    o.scratch_dir = "/tmp";
    o.memory_bytes = 65536;
    CHECK_EQ(write_all(&t, &o, 3000, &got, &stats), RV_OK);
    CHECK(got.len == want.len && memcmp(got.ptr, want.ptr, want.len) == 0);
    rv_buf_clear(&got);
    CHECK_EQ(pt_write(&t, &o, 500, &got, &stats, true, NULL), RV_OK);
    CHECK(got.len == want.len && memcmp(got.ptr, want.ptr, want.len) == 0);
    /* several groups use the same file again */
    o.group = RV_GROUP_ROWS;
    o.group_rows = 5000;
    rv_buf_clear(&got);
    CHECK_EQ(pt_write(&t, &o, 500, &got, &stats, true, NULL), RV_OK);
    verify(&got, 12000);
    rv_buf_free(&want);
    rv_buf_free(&got);
    pt_free(&t);
}

RV_TEST(wide_tables)
{
    enum { WIDE = 3000 };
    static pt_spec specs[WIDE];
    static char names[WIDE][8];
    pt_table t;
    rv_format_opts o = options(RV_ENCODING_AUTO);
    rv_buf a = RV_BUF_INIT, b = RV_BUF_INIT;
    rv_file_stats stats;
    for (size_t i = 0; i < WIDE; i++) {
        specs[i] = mixed[i % MIXED];
        snprintf(names[i], sizeof names[i], "c%zu", i);
        specs[i].name = names[i];
    }
    pt_make(&t, specs, WIDE, 40);
    CHECK_EQ(write_all(&t, &o, 40, &a, &stats), RV_OK);
    verify(&a, 40);
    CHECK_EQ(write_all(&t, &o, 13, &b, &stats), RV_OK);
    CHECK(a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0);
    rv_buf_free(&a);
    rv_buf_free(&b);
    pt_free(&t);
}

static rv_status refuse_late(void *self, rv_bytes data, rv_error *err)
{
    uint64_t *left = self;
    if (data.len > *left)
        return rv_fail(err, RV_E_DEST_NO_SPACE, "full");
    *left -= data.len;
    return RV_OK;
}

RV_TEST(a_failing_sink_ends_it)
{
    static const uint64_t rooms[] = {0, 3, 4, 1000, 100000};
    pt_table t;
    pt_make(&t, mixed, MIXED, 2000);
    rv_format_opts o = options(RV_ENCODING_AUTO);
    rv_col cols[MIXED];
    rv_col_sum sum_of[MIXED] = {{0}};
    rv_sums sums = {.rows = 2000, .n_columns = MIXED, .columns = sum_of};
    for (size_t i = 0; i < MIXED; i++)
        cols[i] = pt_slice(&t.columns[i].col, 0, 2000);
    rv_batch batch = {.schema = &t.schema, .rows = 2000, .columns = cols};
    for (size_t r = 0; r < 5; r++) {
        uint64_t left = rooms[r];
        rv_writer *w = NULL;
        rv_file_stats stats;
        rv_error err = {0};
        rv_status st =
            rv_format_parquet.begin(NULL, &t.schema, &o, (rv_sink){&left, refuse_late}, &w, &err);
        if (st == RV_OK)
            st = rv_format_parquet.write(w, &batch, &err);
        if (st == RV_OK)
            st = rv_format_parquet.finish(w, &sums, &stats, &err);
        else
            rv_format_parquet.discard(w);
        CHECK_EQ(st, RV_E_DEST_NO_SPACE);
    }
    rv_format_parquet.discard(NULL);
    for (size_t i = 0; i < MIXED; i++)
        pt_slice_free(&cols[i]);
    pt_free(&t);
}

RV_TEST(big_values_make_pages_of_their_own)
{
    /* 3 MiB values between small ones: pages end at once, whatever the batch */
    enum { ROWS = 40, BIG = 3 << 20 };
    rv_column column = {.name = "b", .type = {RV_BINARY, 0, 0, 0}, .source_type = "blob"};
    rv_schema schema = {&column, 1};
    uint8_t *bytes = calloc(4, BIG);
    uint32_t offsets[ROWS + 1] = {0};
    REQUIRE(bytes != NULL);
    for (uint32_t i = 0; i < ROWS; i++)
        offsets[i + 1] = offsets[i] + (i % 13 == 5 ? BIG : 3);
    rv_buf files[2] = {RV_BUF_INIT, RV_BUF_INIT};
    for (unsigned k = 0; k < 2; k++) {
        rv_format_opts o = options(RV_ENCODING_AUTO);
        rv_writer *w = NULL;
        rv_file_stats stats;
        rv_col_sum sum = {0};
        rv_sums sums = {.rows = ROWS, .n_columns = 1, .columns = &sum};
        uint32_t step = k ? 1 : ROWS;
        REQUIRE(rv_format_parquet.begin(NULL, &schema, &o, (rv_sink){&files[k], pt_sink_write}, &w,
                                        NULL) == RV_OK);
        for (uint32_t from = 0; from < ROWS; from += step) {
            uint32_t local[ROWS + 1];
            for (uint32_t i = 0; i <= step; i++)
                local[i] = offsets[from + i] - offsets[from];
            rv_col col = {.type = column.type,
                          .rows = step,
                          .values = bytes + offsets[from] % 64,
                          .offsets = local};
            rv_batch batch = {.schema = &schema, .rows = step, .columns = &col};
            CHECK_EQ(rv_format_parquet.write(w, &batch, NULL), RV_OK);
        }
        CHECK_EQ(rv_format_parquet.finish(w, &sums, &stats, NULL), RV_OK);
        verify(&files[k], ROWS);
    }
    CHECK(files[0].len == files[1].len && memcmp(files[0].ptr, files[1].ptr, files[0].len) == 0);
    rv_buf_free(&files[0]);
    rv_buf_free(&files[1]);
    free(bytes);
}

#ifdef RV_FAULTS
static rv_status to_count(void *self, rv_bytes data, rv_error *err)
{
    (void)err;
    *(uint64_t *)self += data.len;
    return RV_OK;
}

/* Writes a small table; with a scratch file that is used. */
static rv_status write_small(const pt_table *t, rv_col *cols, rv_error *err)
{
    rv_format_opts o = options(RV_ENCODING_SMALL);
    uint64_t bytes = 0;
    rv_writer *w = NULL;
    rv_file_stats stats;
    rv_col_sum sum_of[MIXED] = {{0}};
    rv_sums sums = {.rows = t->rows, .n_columns = MIXED, .columns = sum_of};
    rv_batch batch = {.schema = &t->schema, .rows = t->rows, .columns = cols};
    o.scratch_dir = "/tmp";
    o.memory_bytes = 65536;
    o.group = RV_GROUP_ROWS;
    o.group_rows = t->rows;
    rv_status st =
        rv_format_parquet.begin(NULL, &t->schema, &o, (rv_sink){&bytes, to_count}, &w, err);
    if (st != RV_OK)
        return st;
    st = rv_format_parquet.write(w, &batch, err);
    if (st == RV_OK)
        st = rv_format_parquet.spill(w, err);
    if (st == RV_OK)
        st = rv_format_parquet.write(w, &batch, err);
    if (st == RV_OK)
        return rv_format_parquet.finish(w, &sums, &stats, err);
    rv_format_parquet.discard(w);
    return st;
}

RV_TEST(every_allocation_may_fail)
{
    pt_table t;
    rv_col cols[MIXED];
    rv_error err = {0};
    pt_make(&t, mixed, MIXED, 1500);
    for (size_t i = 0; i < MIXED; i++)
        cols[i] = pt_slice(&t.columns[i].col, 0, 1500);
    rv_fault_set_alloc(0, false);
    CHECK_EQ(write_small(&t, cols, &err), RV_OK);
    long total = rv_fault_seen_alloc();
    CHECK(total > 100);
    for (long n = 1; n <= total; n += n < 200 ? 1 : 13) {
        rv_fault_set_alloc(n, false);
        rv_error_clear(&err);
        CHECK_EQ(write_small(&t, cols, &err), RV_E_MEMORY);
    }
    rv_fault_set_alloc(0, false);
    for (size_t i = 0; i < MIXED; i++)
        pt_slice_free(&cols[i]);
    pt_free(&t);
}

RV_TEST(every_scratch_operation_may_fail)
{
    pt_table t;
    rv_col cols[MIXED];
    rv_error err = {0};
    pt_make(&t, mixed, MIXED, 3000);
    for (size_t i = 0; i < MIXED; i++)
        cols[i] = pt_slice(&t.columns[i].col, 0, 3000);
    rv_fault_set_io(0, false);
    CHECK_EQ(write_small(&t, cols, &err), RV_OK);
    long total = rv_fault_seen_io();
    CHECK(total > 3);
    for (long n = 1; n <= total; n++) {
        rv_fault_set_io(n, false);
        rv_error_clear(&err);
        CHECK(write_small(&t, cols, &err) != RV_OK);
        CHECK(err.text[0] != 0);
    }
    rv_fault_set_io(0, false);
    for (size_t i = 0; i < MIXED; i++)
        pt_slice_free(&cols[i]);
    pt_free(&t);
}
#else
RV_TEST(every_allocation_may_fail)
{
    SKIP("built without RV_FAULTS");
}
RV_TEST(every_scratch_operation_may_fail)
{
    SKIP("built without RV_FAULTS");
}
#endif

RV_TEST_MAIN(RV_CASE(bytes_do_not_depend_on_batches), RV_CASE(many_pages_and_groups_verify),
             RV_CASE(empty_tables), RV_CASE(group_strategies), RV_CASE(estimate_grows_to_the_size),
             RV_CASE(spilling_changes_nothing), RV_CASE(wide_tables),
             RV_CASE(a_failing_sink_ends_it), RV_CASE(big_values_make_pages_of_their_own),
             RV_CASE(every_allocation_may_fail), RV_CASE(every_scratch_operation_may_fail))
