/* Files of the Apache parquet-testing project, from the directory RIVET_PARQUET_TESTING (which
 * holds data/). Skipped when it is not set. */
#include "parquet_read.h"
#include "rvtest.h"

static const char *directory(void)
{
    return getenv("RIVET_PARQUET_TESTING");
}

static bool load(const char *name, rv_buf *out)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/data/%s", directory(), name);
    bool ok = pq_load(path, out);
    if (!ok)
        printf("cannot read %s\n", path);
    return ok;
}

/* ---- what each file is good for ---- */

typedef struct expectation {
    const char *name;
    int level; /* highest that passes */
    uint64_t rows;
    const char *text; /* part of the error at the next level */
} expectation;

static const expectation files[] = {
    {"alltypes_dictionary.parquet", 4, 2, NULL},
    {"alltypes_plain.parquet", 4, 8, NULL},
    {"alltypes_plain.snappy.parquet", 4, 2, NULL},
    {"alltypes_tiny_pages.parquet", 4, 7300, NULL},
    {"alltypes_tiny_pages_plain.parquet", 4, 7300, NULL},
    {"binary.parquet", 4, 12, NULL},
    {"binary_truncated_min_max.parquet", 4, 12, NULL},
    {"byte_array_decimal.parquet", 4, 24, NULL},
    {"byte_stream_split.zstd.parquet", 4, 300, NULL},
    {"byte_stream_split_extended.gzip.parquet", 4, 200, NULL},
    {"column_chunk_key_value_metadata.parquet", 4, 0, NULL},
    {"concatenated_gzip_members.parquet", 4, 513, NULL},
    {"data_index_bloom_encoding_stats.parquet", 4, 14, NULL},
    {"data_index_bloom_encoding_with_length.parquet", 4, 14, NULL},
    /* its column index calls full pages null */
    {"datapage_v1-snappy-compressed-checksum.parquet", 3, 5120, "all null"},
    {"datapage_v1-uncompressed-checksum.parquet", 3, 5120, "all null"},
    {"datapage_v1-corrupt-checksum.parquet", 1, 5120, "checksum"},
    {"datapage_v2.snappy.parquet", 4, 5, NULL},
    {"datapage_v2_empty_datapage.snappy.parquet", 4, 1, NULL},
    {"delta_binary_packed.parquet", 4, 200, NULL},
    {"delta_byte_array.parquet", 4, 1000, NULL},
    {"delta_encoding_optional_column.parquet", 4, 100, NULL},
    {"delta_encoding_required_column.parquet", 4, 100, NULL},
    {"delta_length_byte_array.parquet", 4, 1000, NULL},
    {"dict-page-offset-zero.parquet", 4, 39, NULL},
    {"fixed_length_byte_array.parquet", 4, 1000, NULL},
    {"fixed_length_decimal.parquet", 4, 24, NULL},
    {"fixed_length_decimal_legacy.parquet", 4, 24, NULL},
    {"float16_nonzeros_and_nans.parquet", 4, 8, NULL},
    {"float16_zeros_and_nans.parquet", 4, 3, NULL},
    {"floating_orders_nan_count.parquet", 4, 50, NULL},
    {"hadoop_lz4_compressed.parquet", 4, 4, NULL},
    {"hadoop_lz4_compressed_larger.parquet", 4, 10000, NULL},
    {"incorrect_map_schema.parquet", 4, 1, NULL},
    {"int32_decimal.parquet", 4, 24, NULL},
    {"int32_with_null_pages.parquet", 4, 1000, NULL},
    {"int64_decimal.parquet", 4, 24, NULL},
    {"int96_from_spark.parquet", 4, 6, NULL},
    {"list_columns.parquet", 4, 3, NULL},
    {"lz4_raw_compressed.parquet", 4, 4, NULL},
    {"lz4_raw_compressed_larger.parquet", 4, 10000, NULL},
    {"map_no_value.parquet", 4, 3, NULL},
    {"nan_in_stats.parquet", 4, 2, NULL},
    /* an old writer forgot the dictionary header in the chunk's length */
    {"nation.dict-malformed.parquet", 0, 25, "are left in the column chunk"},
    {"nested_lists.snappy.parquet", 4, 3, NULL},
    {"nested_maps.snappy.parquet", 4, 6, NULL},
    {"nested_structs.rust.parquet", 4, 1, NULL},
    {"non_hadoop_lz4_compressed.parquet", 4, 4, NULL},
    {"nonnullable.impala.parquet", 4, 1, NULL},
    {"null_list.parquet", 4, 1, NULL},
    {"nullable.impala.parquet", 4, 7, NULL},
    {"nulls.snappy.parquet", 4, 8, NULL},
    {"old_list_structure.parquet", 4, 1, NULL},
    {"overflow_i16_page_cnt.parquet", 4, 40000, NULL},
    {"page_v2_empty_compressed.parquet", 4, 10, NULL},
    {"plain-dict-uncompressed-checksum.parquet", 4, 1000, NULL},
    /* the footer counts no rows, the row group six */
    {"repeated_no_annotation.parquet", 0, 6, "the footer says 0"},
    {"repeated_primitive_no_list.parquet", 4, 4, NULL},
    {"rle-dict-snappy-checksum.parquet", 4, 1000, NULL},
    {"rle-dict-uncompressed-corrupt-checksum.parquet", 1, 1000, "checksum"},
    {"rle_boolean_encoding.parquet", 4, 68, NULL},
    {"single_nan.parquet", 4, 1, NULL},
    {"sort_columns.parquet", 4, 6, NULL},
    {"unknown-logical-type.parquet", 4, 3, NULL},
};

RV_TEST(files_pass_the_levels_they_deserve)
{
    if (!directory())
        SKIP("RIVET_PARQUET_TESTING is not set");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const expectation *x = &files[i];
        rv_buf file = RV_BUF_INIT;
        rv_arena arena = RV_ARENA_INIT;
        rv_verify_result r;
        rv_error err = {0};
        int level = 0;
        if (!load(x->name, &file)) {
            CHECK(false);
            continue;
        }
        while (level < 4 &&
               pq_verify(&file, (rv_verify_level)(level + 1), &r, &arena, &err) == RV_OK) {
            level++;
            CHECK_EQ(r.rows, x->rows);
        }
        CHECK_EQ(level, x->level);
        if (x->text ? !strstr(err.text, x->text) : err.text[0] != '\0') {
            printf("%s: %s\n", x->name, err.text);
            CHECK(false);
        }
        rv_arena_free(&arena);
        rv_buf_free(&file);
    }
}

/* ---- contents ---- */

/* One field of a CSV line; an empty unquoted one is NULL. */
static const char *take_field(const char *at, rv_buf *out)
{
    bool quoted = *at == '"';
    const char *start = quoted ? at + 1 : at;
    const char *end = strchr(start, quoted ? '"' : ',');
    size_t line = strcspn(start, "\r\n");
    if (!end || end > start + line)
        end = start + line;
    if (!quoted && end == start)
        (void)!rv_buf_add_c(out, "NULL", NULL);
    else
        (void)!rv_buf_add(out, start, (size_t)(end - start), NULL);
    (void)!rv_buf_add_byte(out, '\n', NULL);
    end += quoted;
    return *end == ',' ? end + 1 : end + strspn(end, "\r\n");
}

static void compare_with_csv(const char *parquet, const char *csv, size_t columns)
{
    rv_buf file = RV_BUF_INIT, text = RV_BUF_INIT, want[80] = {{0}};
    rv_error err = {0};
    REQUIRE(load(parquet, &file) && load(csv, &text));
    REQUIRE(rv_buf_cstr(&text) != NULL);
    const char *at = strchr((const char *)text.ptr, '\n') + 1;
    while (*at)
        for (size_t c = 0; c < columns; c++)
            at = take_field(at, &want[c]);
    for (size_t c = 0; c < columns; c++) {
        rv_buf got = RV_BUF_INIT;
        CHECK_EQ(pq_dump(&file, (uint32_t)c, 1 + (uint32_t)c * 31, &got, &err), RV_OK);
        CHECK_MEM(got.ptr, got.len, want[c].ptr, want[c].len);
        rv_buf_free(&got);
        rv_buf_free(&want[c]);
    }
    rv_buf_free(&text);
    rv_buf_free(&file);
}

RV_TEST(delta_files_hold_what_their_csv_says)
{
    if (!directory())
        SKIP("RIVET_PARQUET_TESTING is not set");
    compare_with_csv("delta_binary_packed.parquet", "delta_binary_packed_expect.csv", 66);
    compare_with_csv("delta_byte_array.parquet", "delta_byte_array_expect.csv", 9);
    compare_with_csv("delta_encoding_required_column.parquet",
                     "delta_encoding_required_column_expect.csv", 17);
    compare_with_csv("delta_encoding_optional_column.parquet",
                     "delta_encoding_optional_column_expect.csv", 17);
}

static void dump(const char *name, uint32_t leaf, rv_buf *out)
{
    rv_buf file = RV_BUF_INIT;
    rv_error err = {0};
    CHECK(load(name, &file));
    CHECK_EQ(pq_dump(&file, leaf, 1000, out, &err), RV_OK);
    CHECK_STR(err.text, "");
    rv_buf_free(&file);
}

static void check_dump(const char *name, uint32_t leaf, const char *want)
{
    rv_buf got = RV_BUF_INIT;
    dump(name, leaf, &got);
    CHECK_STR(rv_buf_cstr(&got), want);
    rv_buf_free(&got);
}

/* Seven columns stand there twice: plain, and as split streams. */
RV_TEST(split_streams_equal_plain)
{
    if (!directory())
        SKIP("RIVET_PARQUET_TESTING is not set");
    for (uint32_t c = 0; c < 14; c += 2) {
        rv_buf plain = RV_BUF_INIT, split = RV_BUF_INIT;
        dump("byte_stream_split_extended.gzip.parquet", c, &plain);
        dump("byte_stream_split_extended.gzip.parquet", c + 1, &split);
        CHECK(plain.len > 200);
        CHECK_MEM(split.ptr, split.len, plain.ptr, plain.len);
        rv_buf_free(&plain);
        rv_buf_free(&split);
    }
}

/* One table, three codecs. */
RV_TEST(lz4_variants_agree)
{
    if (!directory())
        SKIP("RIVET_PARQUET_TESTING is not set");
    static const char *const names[] = {"hadoop_lz4_compressed.parquet",
                                        "lz4_raw_compressed.parquet",
                                        "non_hadoop_lz4_compressed.parquet"};
    for (uint32_t c = 0; c < 3; c++) {
        rv_buf first = RV_BUF_INIT;
        dump(names[0], c, &first);
        for (size_t i = 1; i < 3; i++) {
            rv_buf other = RV_BUF_INIT;
            dump(names[i], c, &other);
            CHECK_MEM(other.ptr, other.len, first.ptr, first.len);
            rv_buf_free(&other);
        }
        rv_buf_free(&first);
    }
    rv_buf hadoop = RV_BUF_INIT, raw = RV_BUF_INIT;
    dump("hadoop_lz4_compressed_larger.parquet", 0, &hadoop);
    dump("lz4_raw_compressed_larger.parquet", 0, &raw);
    CHECK_MEM(raw.ptr, raw.len, hadoop.ptr, hadoop.len);
    rv_buf_free(&hadoop);
    rv_buf_free(&raw);
}

RV_TEST(small_files_hold_known_values)
{
    if (!directory())
        SKIP("RIVET_PARQUET_TESTING is not set");
    check_dump("alltypes_plain.parquet", 0, "4\n5\n6\n7\n2\n3\n0\n1\n");
    check_dump("alltypes_plain.parquet", 1, "true\nfalse\ntrue\nfalse\ntrue\nfalse\ntrue\nfalse\n");
    check_dump("datapage_v2.snappy.parquet", 1, "1\n2\n3\n4\n5\n");
    check_dump("repeated_primitive_no_list.parquet", 0,
               "0,1:0\n1,1:1\n1,1:2\n1,1:3\n0,0:NULL\n0,1:4\n0,1:5\n1,1:6\n"
               "1,1:7\n1,1:8\n");
    check_dump("datapage_v2.snappy.parquet", 0, "abc\nabc\nabc\nNULL\nabc\n");
}

RV_TEST_MAIN(RV_CASE(files_pass_the_levels_they_deserve),
             RV_CASE(delta_files_hold_what_their_csv_says), RV_CASE(split_streams_equal_plain),
             RV_CASE(lz4_variants_agree), RV_CASE(small_files_hold_known_values))
