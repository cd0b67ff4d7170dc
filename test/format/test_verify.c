#include "base/fault.h"
#include "parquet_sample.h"
#include "rvtest.h"

static const rv_encoding_policy policies[] = {RV_ENCODING_AUTO, RV_ENCODING_COMPATIBLE,
                                              RV_ENCODING_SMALL};

static void sample(rv_encoding_policy policy, uint32_t rows, uint64_t group_rows, rv_buf *out)
{
    rv_error err = {0};
    CHECK_EQ(ps_make(policy, policy == RV_ENCODING_COMPATIBLE ? RV_CODEC_SNAPPY : RV_CODEC_ZSTD,
                     rows, group_rows, out, &err),
             RV_OK);
    CHECK_STR(err.text, "");
}

/* Verifies and forgets; the texts stay in *r and *err. */
static rv_status judge(rv_buf *file, rv_verify_level level, rv_verify_result *r, rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_status st = pq_verify(file, level, r, &arena, err);
    rv_arena_free(&arena);
    return st;
}

RV_TEST(own_files_pass_every_level)
{
    for (size_t p = 0; p < 3; p++) {
        rv_buf file = RV_BUF_INIT;
        rv_verify_result r;
        rv_error err;
        sample(policies[p], 2500, 1100, &file);
        for (int level = 1; level <= 5; level++) {
            CHECK_EQ(judge(&file, (rv_verify_level)level, &r, &err), RV_OK);
            CHECK_STR(err.text, "");
            CHECK_EQ(r.rows, 2500);
            CHECK(r.has_checksum);
            CHECK_EQ(r.checksum_matches, level == 5);
            CHECK_STR(r.mismatch, "");
        }
        rv_buf_free(&file);
    }
}

RV_TEST(all_encodings_have_the_same_sums)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_verify_result first = {0}, r;
    rv_error err;
    for (size_t p = 0; p < 3; p++) {
        rv_buf file = RV_BUF_INIT;
        sample(policies[p], 700, 300, &file);
        REQUIRE(pq_verify(&file, RV_VERIFY_CHECKSUM, &r, &arena, &err) == RV_OK);
        if (p == 0)
            first = r;
        CHECK_EQ(r.n_columns, first.n_columns);
        CHECK_EQ(r.sums.rows, 700);
        CHECK_EQ(r.sums.row_sum.lo, first.sums.row_sum.lo);
        CHECK_EQ(r.sums.row_sum.hi, first.sums.row_sum.hi);
        for (size_t c = 0; c < r.n_columns; c++) {
            CHECK_STR(r.names[c], first.names[c]);
            CHECK(rv_type_eq(r.types[c], first.types[c]));
            CHECK_EQ(r.sums.columns[c].sum, first.sums.columns[c].sum);
            CHECK_EQ(r.sums.columns[c].nulls, first.sums.columns[c].nulls);
            CHECK_EQ(r.sums.columns[c].max_len, first.sums.columns[c].max_len);
        }
        rv_buf_free(&file);
    }
    rv_arena_free(&arena);
}

RV_TEST(a_file_without_rows)
{
    rv_buf file = RV_BUF_INIT;
    rv_verify_result r;
    rv_error err;
    sample(RV_ENCODING_AUTO, 0, 100, &file);
    CHECK_EQ(judge(&file, RV_VERIFY_CHECKSUM, &r, &err), RV_OK);
    CHECK_EQ(r.rows, 0);
    CHECK(r.checksum_matches);
    rv_buf_free(&file);
}

/* ---- damage ---- */

static size_t footer_at(const rv_buf *file)
{
    uint32_t len;
    memcpy(&len, file->ptr + file->len - 8, 4);
    return file->len - 8 - len;
}

/* Every seventh bit of everything before the footer: found, and the place is told. */
RV_TEST(every_flipped_bit_is_found_and_located)
{
    rv_buf file = RV_BUF_INIT;
    rv_verify_result r;
    rv_error err;
    sample(RV_ENCODING_AUTO, 20, 12, &file);
    size_t end = footer_at(&file);
    for (size_t bit = 4 * 8; bit < end * 8; bit += 7) {
        file.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        rv_status st = judge(&file, RV_VERIFY_CHECKSUM, &r, &err);
        bool placed = strstr(err.text, "row group ") && strstr(err.text, "column '") &&
                      strstr(err.text, "offset ");
        if (st != RV_E_CORRUPT || !placed) {
            printf("bit %zu: status %d, %s\n", bit, st, err.text);
            CHECK(false);
        }
        file.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    rv_buf_free(&file);
}

RV_TEST(a_cut_file_is_refused)
{
    rv_buf file = RV_BUF_INIT;
    rv_verify_result r;
    rv_error err;
    sample(RV_ENCODING_AUTO, 30, 100, &file);
    size_t len = file.len;
    for (size_t n = 0; n < len; n += 1 + n / 60) {
        file.len = n;
        CHECK_EQ(judge(&file, RV_VERIFY_STRUCTURE, &r, &err), RV_E_CORRUPT);
    }
    file.len = len;
    file.ptr[len - 1] = 'E';
    CHECK_EQ(judge(&file, RV_VERIFY_STRUCTURE, &r, &err), RV_E_CORRUPT);
    CHECK(strstr(err.text, "encrypted") != NULL);
    rv_buf_free(&file);
}

/* ---- lies in the footer ---- */

typedef struct lie {
    const char *column;
    void (*tell)(rv_pq_column_meta *meta);
    void (*tell_file)(rv_pq_file_meta *meta);
    rv_verify_level level; /* that finds it */
    const char *text;
} lie;

static rv_status rewrite_chunk(rv_bytes in, const lie *l, rv_arena *arena, rv_buf *out,
                               rv_error *err)
{
    rv_pq_column_chunk chunk;
    rv_pq_column_meta meta;
    rv_buf again = RV_BUF_INIT;
    RV_TRY(rv_thrift_read(&rv_pq_column_chunk_desc, in, arena, &chunk, NULL, err));
    RV_TRY(rv_thrift_read(&rv_pq_column_meta_desc, chunk.meta, arena, &meta, NULL, err));
    if (l->column && rv_str_eq(rv_str_c(l->column), (rv_str){(const char *)meta.path.items[0].ptr,
                                                             meta.path.items[0].len}))
        l->tell(&meta);
    rv_status st = rv_thrift_write(&rv_pq_column_meta_desc, &meta, &again, err);
    chunk.meta = rv_buf_bytes(&again);
    if (st == RV_OK)
        st = rv_thrift_write(&rv_pq_column_chunk_desc, &chunk, out, err);
    rv_buf_free(&again);
    return st;
}

/* The same file with another footer. */
static rv_status rewrite(const rv_buf *file, const lie *l, rv_buf *out, rv_error *err)
{
    size_t at = footer_at(file);
    rv_arena arena = RV_ARENA_INIT;
    rv_pq_file_meta meta;
    rv_bytes footer = {file->ptr + at, file->len - 8 - at};
    rv_status st = rv_thrift_read(&rv_pq_file_meta_desc, footer, &arena, &meta, NULL, err);
    if (l->tell_file)
        l->tell_file(&meta);
    RV_GO(rv_buf_add(out, file->ptr, at, err));
    RV_GO(rv_pq_footer_begin(&meta, meta.row_groups.n, out, err));
    for (size_t g = 0; g < meta.row_groups.n; g++) {
        rv_pq_row_group group;
        RV_GO(rv_thrift_read(&rv_pq_row_group_desc, meta.row_groups.items[g], &arena, &group, NULL,
                             err));
        RV_GO(rv_pq_row_group_begin(group.columns.n, out, err));
        for (size_t c = 0; c < group.columns.n; c++)
            RV_GO(rewrite_chunk(group.columns.items[c], l, &arena, out, err));
        RV_GO(rv_pq_row_group_end(&group, out, err));
    }
    RV_GO(rv_pq_footer_end(&meta, out, err));
    uint32_t len = (uint32_t)(out->len - at);
    RV_GO(rv_buf_add(out, &len, 4, err));
    st = rv_buf_add(out, "PAR1", 4, err);
done:
    rv_arena_free(&arena);
    return st;
}

static void more_nulls(rv_pq_column_meta *m)
{
    m->stats.null_count++;
}
static void no_nulls(rv_pq_column_meta *m)
{
    m->stats.has &= ~RV_HAS(RV_PQ_STATS_NULLS);
}
static void more_nans(rv_pq_column_meta *m)
{
    m->stats.nan_count++;
}
static void swap_bounds(rv_pq_column_meta *m)
{
    rv_bytes min = m->stats.min_value;
    m->stats.min_value = m->stats.max_value;
    m->stats.max_value = min;
}
static void wide_max(rv_pq_column_meta *m)
{
    static const uint8_t most[] = {0xFF, 0xFF, 0xFF, 0x7F};
    m->stats.max_value = (rv_bytes){most, 4};
}
static void wide_text(rv_pq_column_meta *m)
{
    m->stats.max_value = (rv_bytes){(const uint8_t *)"zzzz", 4};
}
static void odd_bound(rv_pq_column_meta *m)
{
    m->stats.max_value.len--;
}
static void more_values(rv_pq_column_meta *m)
{
    m->num_values++;
}
static void other_codec(rv_pq_column_meta *m)
{
    m->codec = RV_PQ_LZO;
}
static void longer(rv_pq_column_meta *m)
{
    m->total_compressed++;
}
static void far_away(rv_pq_column_meta *m)
{
    m->data_page_offset = m->dict_page_offset = INT64_MAX - 5;
}
static void fewer_encodings(rv_pq_column_meta *m)
{
    m->encodings.n--;
}
static void more_pages(rv_pq_column_meta *m)
{
    m->encoding_stats.items[0].count++;
}
static void other_path(rv_pq_column_meta *m)
{
    m->path.items[0] = (rv_bytes){(const uint8_t *)"other", 5};
}
static void list_bytes(rv_pq_column_meta *m)
{
    m->sizes.def_histogram.items[1]++;
}
static void more_rows(rv_pq_file_meta *m)
{
    m->num_rows++;
}
static void fewer_groups(rv_pq_file_meta *m)
{
    m->row_groups.n--;
}
static void other_type(rv_pq_file_meta *m)
{
    m->schema.items[3].type = RV_PQ_INT64;
}
static void fewer_children(rv_pq_file_meta *m)
{
    m->schema.items[0].num_children--;
}
static void other_name(rv_pq_file_meta *m)
{
    m->schema.items[3].name = (rv_bytes){(const uint8_t *)"ix", 2};
}

RV_TEST(lies_in_the_footer_are_found)
{
    static const lie lies[] = {
        {"id", more_nulls, NULL, RV_VERIFY_STATISTICS, "nulls"},
        {"id", no_nulls, NULL, RV_VERIFY_STATISTICS, "missing"},
        {"f64", more_nans, NULL, RV_VERIFY_STATISTICS, "NaN"},
        {"id", swap_bounds, NULL, RV_VERIFY_STATISTICS, "beyond"},
        {"name", swap_bounds, NULL, RV_VERIFY_STATISTICS, "beyond"},
        {"ubig", swap_bounds, NULL, RV_VERIFY_STATISTICS, "beyond"},
        {"huge", swap_bounds, NULL, RV_VERIFY_STATISTICS, "beyond"},
        {"f32", swap_bounds, NULL, RV_VERIFY_STATISTICS, "beyond"},
        {"id", wide_max, NULL, RV_VERIFY_STATISTICS, "exact"},
        {"name", wide_text, NULL, RV_VERIFY_STATISTICS, "exact"},
        {"id", odd_bound, NULL, RV_VERIFY_STATISTICS, "cannot be read"},
        {"id", more_values, NULL, RV_VERIFY_STRUCTURE, "in a row group of"},
        {"ints", more_values, NULL, RV_VERIFY_STRUCTURE, "the footer says"},
        {"id", other_codec, NULL, RV_VERIFY_DECODE, "LZO"},
        {"id", longer, NULL, RV_VERIFY_STRUCTURE, "compressed bytes"},
        {"id", far_away, NULL, RV_VERIFY_STRUCTURE, "offset"},
        {"id", fewer_encodings, NULL, RV_VERIFY_STATISTICS, "not listed"},
        {"id", more_pages, NULL, RV_VERIFY_STATISTICS, "pages"},
        {"id", other_path, NULL, RV_VERIFY_STRUCTURE, "path"},
        {"ints", list_bytes, NULL, RV_VERIFY_STATISTICS, "size statistics"},
        {NULL, NULL, more_rows, RV_VERIFY_STRUCTURE, "rows"},
        {NULL, NULL, fewer_groups, RV_VERIFY_STRUCTURE, "rows"},
        {NULL, NULL, other_type, RV_VERIFY_STRUCTURE, "the schema says"},
        {NULL, NULL, fewer_children, RV_VERIFY_STRUCTURE, "schema"},
        {NULL, NULL, other_name, RV_VERIFY_STRUCTURE, "path"},
    };
    rv_buf file = RV_BUF_INIT;
    rv_verify_result r;
    rv_error err = {0};
    sample(RV_ENCODING_AUTO, 200, 100, &file);
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        rv_buf bad = RV_BUF_INIT;
        CHECK_EQ(rewrite(&file, &lies[i], &bad, &err), RV_OK);
        if (lies[i].level > RV_VERIFY_STRUCTURE)
            CHECK_EQ(judge(&bad, lies[i].level - 1, &r, &err), RV_OK);
        CHECK_EQ(judge(&bad, lies[i].level, &r, &err), RV_E_CORRUPT);
        if (!strstr(err.text, lies[i].text)) {
            printf("lie %zu: %s\n", i, err.text);
            CHECK(false);
        }
        rv_buf_free(&bad);
    }
    rv_buf_free(&file);
}

static const lie truth = {NULL, NULL, NULL, RV_VERIFY_STRUCTURE, ""};

RV_TEST(rewriting_without_a_lie_changes_nothing)
{
    rv_buf file = RV_BUF_INIT, again = RV_BUF_INIT;
    rv_error err = {0};
    sample(RV_ENCODING_AUTO, 200, 100, &file);
    CHECK_EQ(rewrite(&file, &truth, &again, &err), RV_OK);
    CHECK_MEM(again.ptr, again.len, file.ptr, file.len);
    rv_buf_free(&again);
    rv_buf_free(&file);
}

/* ---- checksums ---- */

/* A digit of a value after `key` in the footer becomes another. */
static bool change_digit(rv_buf *file, const char *key)
{
    uint8_t *at =
        memmem(file->ptr + footer_at(file), file->len - footer_at(file), key, strlen(key));
    if (!at)
        return false;
    at += strlen(key);
    *at = *at == '1' ? '2' : '1';
    return true;
}

RV_TEST(a_checksum_that_differs_is_told_by_column)
{
    static const struct {
        const char *key, *text;
    } cases[] = {{"\"columns\":{\"flag\":{\"nulls\":", "column 'flag': the number of nulls"},
                 {"\"row_sum\":\"", "cells have changed places"},
                 {"rivet-checksum-v", "unknown kind"}};
    for (size_t i = 0; i < 3; i++) {
        rv_buf file = RV_BUF_INIT;
        rv_verify_result r;
        rv_error err;
        sample(RV_ENCODING_AUTO, 200, 100, &file);
        REQUIRE(change_digit(&file, cases[i].key));
        CHECK_EQ(judge(&file, RV_VERIFY_CHECKSUM, &r, &err), RV_OK);
        CHECK(r.has_checksum);
        CHECK(!r.checksum_matches);
        CHECK(strstr(r.mismatch, cases[i].text) != NULL);
        CHECK_EQ(judge(&file, RV_VERIFY_STATISTICS, &r, &err), RV_OK);
        rv_buf_free(&file);
    }
}

/* ---- head ---- */

RV_TEST(head_shows_schema_and_rows)
{
    for (size_t p = 0; p < 3; p++) {
        rv_buf file = RV_BUF_INIT, out = RV_BUF_INIT;
        rv_error err = {0};
        sample(policies[p], 200, 60, &file);
        REQUIRE(rv_parquet_head(&pq_env, pq_readable(&file), 100, &out, &err) == RV_OK);
        const char *text = rv_buf_cstr(&out);
        CHECK(strncmp(text, "200 rows in 4 row groups, 28 columns, written by rivet", 54) == 0);
        CHECK(strstr(text, "  price                    decimal(9,2)\n") != NULL);
        CHECK(strstr(text, "  words                    list<string>\n") != NULL);
        size_t lines = 0;
        for (const char *at = text; (at = strchr(at, '\n')); at++)
            lines++;
        CHECK_EQ(lines, 1 + 28 + 1 + 100);
        rv_buf_free(&out);
        rv_buf_free(&file);
    }
}

/* ---- memory ---- */

RV_TEST(failing_allocations_are_reported)
{
#ifdef RV_FAULTS
    rv_buf file = RV_BUF_INIT;
    rv_verify_result r;
    rv_error err;
    sample(RV_ENCODING_AUTO, 40, 25, &file);
    rv_fault_set_alloc(1 << 30, false);
    CHECK_EQ(judge(&file, RV_VERIFY_CHECKSUM, &r, &err), RV_OK);
    long calls = rv_fault_seen_alloc();
    for (long nth = 1; nth <= calls; nth += 1 + nth / 40) {
        rv_fault_set_alloc(nth, false);
        CHECK_EQ(judge(&file, RV_VERIFY_CHECKSUM, &r, &err), RV_E_MEMORY);
        rv_fault_set_alloc(0, false);
    }
    for (long nth = 1; nth <= 120; nth++) {
        rv_buf out = RV_BUF_INIT;
        rv_fault_set_alloc(nth, false);
        CHECK_EQ(rv_parquet_head(&pq_env, pq_readable(&file), 10, &out, &err), RV_E_MEMORY);
        rv_fault_set_alloc(0, false);
        CHECK_EQ(out.len, 0);
        rv_buf_free(&out);
    }
    rv_buf_free(&file);
#else
    SKIP("built without fault points");
#endif
}

RV_TEST_MAIN(RV_CASE(own_files_pass_every_level), RV_CASE(all_encodings_have_the_same_sums),
             RV_CASE(a_file_without_rows), RV_CASE(every_flipped_bit_is_found_and_located),
             RV_CASE(a_cut_file_is_refused), RV_CASE(lies_in_the_footer_are_found),
             RV_CASE(rewriting_without_a_lie_changes_nothing),
             RV_CASE(a_checksum_that_differs_is_told_by_column),
             RV_CASE(head_shows_schema_and_rows), RV_CASE(failing_allocations_are_reported))
