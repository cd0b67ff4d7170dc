#include <stdlib.h>

#include "base/fault.h"
#include "format/parquet/meta_page.h"
#include "rvtest.h"

static rv_bytes text(const char *s)
{
    return (rv_bytes){(const uint8_t *)s, strlen(s)};
}

/* A v1 page header as another writer stored it. */
static const uint8_t page_bytes[] = {0x15, 0x00, 0x15, 0xC4, 0x02, 0x15, 0x2C, 0x2C, 0x15,
                                     0x4E, 0x15, 0x00, 0x15, 0x06, 0x15, 0x08, 0x00, 0x00};

static rv_status read_all(const rv_thrift_desc *desc, rv_bytes in, rv_arena *arena, void *out)
{
    rv_error err = {0};
    size_t used = 0;
    rv_status st = rv_thrift_read(desc, in, arena, out, &used, &err);
    return st == RV_OK && used != in.len ? RV_E_INTERNAL : st;
}

RV_TEST(golden_page_header)
{
    rv_pq_page_header h;
    rv_arena arena = RV_ARENA_INIT;
    rv_buf out = RV_BUF_INIT;
    rv_error err = {0};
    REQUIRE(read_all(&rv_pq_page_header_desc, (rv_bytes){page_bytes, sizeof page_bytes}, &arena,
                     &h) == RV_OK);
    CHECK_EQ(h.type, RV_PQ_PAGE_DATA);
    CHECK_EQ(h.uncompressed, 162);
    CHECK_EQ(h.compressed, 22);
    CHECK_EQ(h.data.num_values, 39);
    CHECK_EQ(h.data.encoding, RV_PQ_PLAIN);
    CHECK_EQ(h.data.def_encoding, RV_PQ_RLE);
    CHECK_EQ(h.data.rep_encoding, RV_PQ_BIT_PACKED);
    CHECK(!(h.has & RV_HAS(RV_PQ_PAGE_CRC)));
    CHECK_EQ(rv_thrift_write(&rv_pq_page_header_desc, &h, &out, &err), RV_OK);
    CHECK_MEM(out.ptr, out.len, page_bytes, sizeof page_bytes);
    rv_buf_free(&out);
    rv_arena_free(&arena);
}

/* ---- everything filled in ---- */

static rv_pq_statistics full_stats(void)
{
    rv_pq_statistics s = {.has = 0x3FE, .null_count = INT64_MIN, .distinct_count = INT64_MAX};
    s.max_legacy = text("zz");
    s.min_legacy = text("a");
    s.max_value = text("zz");
    s.min_value = text("");
    s.is_max_exact = true;
    s.nan_count = 3;
    return s;
}

static rv_status write_column_meta(rv_buf *out, rv_error *err)
{
    static int32_t encodings[20];
    static rv_bytes path[2];
    static rv_pq_key_value kv[1];
    static rv_pq_encoding_stats es[2] = {{0, 0, 8, 5}, {0, 2, 0, 1}};
    static int64_t histogram[3] = {1, -2, 3};
    for (int i = 0; i < 20; i++)
        encodings[i] = i;
    path[0] = text("list");
    path[1] = text("element");
    kv[0] = (rv_pq_key_value){.has = RV_HAS(RV_PQ_KV_VALUE), .key = text("k"), .value = text("v")};
    rv_pq_column_meta m = {.has = 0x1FFFF,
                           .type = RV_PQ_BYTE_ARRAY,
                           .encodings = {encodings, 20},
                           .path = {path, 2},
                           .codec = RV_PQ_ZSTD,
                           .num_values = 7,
                           .total_uncompressed = 1LL << 40,
                           .total_compressed = 5,
                           .key_values = {kv, 1},
                           .data_page_offset = 4,
                           .index_page_offset = 5,
                           .dict_page_offset = 6,
                           .stats = full_stats(),
                           .encoding_stats = {es, 2},
                           .bloom_offset = 9,
                           .bloom_length = 10,
                           .sizes = {0xE, 11, {histogram, 3}, {histogram, 2}}};
    return rv_thrift_write(&rv_pq_column_meta_desc, &m, out, err);
}

static rv_status write_chunk(rv_bytes meta, rv_buf *out, rv_error *err)
{
    rv_pq_column_chunk c = {.has = RV_HAS(RV_PQ_CHUNK_META) | RV_HAS(RV_PQ_CHUNK_PATH) | 0xF0,
                            .file_path = text("p"),
                            .meta = meta,
                            .offset_index_offset = 1,
                            .offset_index_length = 2,
                            .column_index_offset = 3,
                            .column_index_length = 4};
    return rv_thrift_write(&rv_pq_column_chunk_desc, &c, out, err);
}

static rv_pq_row_group group_of(rv_bytes *chunks, size_t n)
{
    static rv_pq_sorting sorting[2] = {{0, 1, true, false}, {0, 2, false, true}};
    return (rv_pq_row_group){.has = 0xFE,
                             .columns = {chunks, n},
                             .total_byte_size = 100,
                             .num_rows = 7,
                             .sorting = {sorting, 2},
                             .file_offset = 4,
                             .total_compressed = 50,
                             .ordinal = -7};
}

static rv_pq_file_meta file_of(rv_bytes *groups, size_t n)
{
    static rv_pq_schema_element schema[4];
    static rv_pq_column_order orders[2] = {{RV_HAS(RV_PQ_ORDER_TYPE)}, {RV_HAS(RV_PQ_ORDER_TYPE)}};
    static rv_pq_key_value kv[2];
    schema[0] = (rv_pq_schema_element){
        .has = RV_HAS(RV_PQ_SCHEMA_CHILDREN), .name = text("schema"), .num_children = 3};
    schema[1] = (rv_pq_schema_element){
        .has = 0x7DE & ~RV_HAS(RV_PQ_SCHEMA_CHILDREN),
        .type = RV_PQ_FLBA,
        .type_length = 9,
        .repetition = RV_PQ_OPTIONAL,
        .name = text("d"),
        .converted = RV_PQ_CONV_DECIMAL,
        .scale = 2,
        .precision = 20,
        .field_id = 5,
        .logical = {.has = RV_HAS(RV_PQ_LOGICAL_DECIMAL), .decimal = {0, 2, 20}}};
    schema[2] = (rv_pq_schema_element){.has = 0x40A,
                                       .type = RV_PQ_INT64,
                                       .repetition = RV_PQ_OPTIONAL,
                                       .name = text("t"),
                                       .logical = {.has = RV_HAS(RV_PQ_LOGICAL_TIMESTAMP),
                                                   .time = {0, true, {RV_HAS(RV_PQ_UNIT_US)}}}};
    schema[3] = (rv_pq_schema_element){
        .has = 0x40A,
        .type = RV_PQ_INT32,
        .repetition = RV_PQ_OPTIONAL,
        .name = text("i"),
        .logical = {.has = RV_HAS(RV_PQ_LOGICAL_INTEGER), .integer = {0, 16, true}}};
    kv[0] = (rv_pq_key_value){.has = RV_HAS(RV_PQ_KV_VALUE), .key = text("a"), .value = text("b")};
    kv[1] = (rv_pq_key_value){.key = text("no value")};
    return (rv_pq_file_meta){.has = 0xE0,
                             .version = 1,
                             .schema = {schema, 4},
                             .num_rows = 7,
                             .row_groups = {groups, n},
                             .key_values = {kv, 2},
                             .created_by = text("somebody"),
                             .orders = {orders, 2}};
}

/* What was read, written again, must be the same bytes: nothing got lost or moved. */
static void check_round_trip(const rv_thrift_desc *desc, rv_bytes in)
{
    void *value = calloc(1, desc->size);
    rv_arena arena = RV_ARENA_INIT;
    rv_buf again = RV_BUF_INIT;
    rv_error err = {0};
    CHECK_EQ(read_all(desc, in, &arena, value), RV_OK);
    CHECK_EQ(rv_thrift_write(desc, value, &again, &err), RV_OK);
    CHECK_MEM(again.ptr, again.len, in.ptr, in.len);
    /* No prefix is a whole struct. */
    for (size_t n = 0; n < in.len; n++) {
        uint8_t *cut = malloc(n ? n : 1);
        memcpy(cut, in.ptr, n);
        CHECK_EQ(rv_thrift_read(desc, (rv_bytes){cut, n}, &arena, value, NULL, &err), RV_E_CORRUPT);
        free(cut);
    }
    rv_buf_free(&again);
    rv_arena_free(&arena);
    free(value);
}

RV_TEST(every_footer_struct_round_trips)
{
    rv_buf meta = RV_BUF_INIT, chunk = RV_BUF_INIT, group = RV_BUF_INIT, file = RV_BUF_INIT;
    rv_error err = {0};
    REQUIRE(write_column_meta(&meta, &err) == RV_OK);
    check_round_trip(&rv_pq_column_meta_desc, rv_buf_bytes(&meta));
    REQUIRE(write_chunk(rv_buf_bytes(&meta), &chunk, &err) == RV_OK);
    check_round_trip(&rv_pq_column_chunk_desc, rv_buf_bytes(&chunk));
    rv_bytes chunks[20];
    for (size_t i = 0; i < 20; i++)
        chunks[i] = rv_buf_bytes(&chunk);
    rv_pq_row_group g = group_of(chunks, 20);
    REQUIRE(rv_thrift_write(&rv_pq_row_group_desc, &g, &group, &err) == RV_OK);
    check_round_trip(&rv_pq_row_group_desc, rv_buf_bytes(&group));
    rv_bytes groups[2] = {rv_buf_bytes(&group), rv_buf_bytes(&group)};
    rv_pq_file_meta f = file_of(groups, 2);
    REQUIRE(rv_thrift_write(&rv_pq_file_meta_desc, &f, &file, &err) == RV_OK);
    check_round_trip(&rv_pq_file_meta_desc, rv_buf_bytes(&file));
    rv_buf_free(&meta);
    rv_buf_free(&chunk);
    rv_buf_free(&group);
    rv_buf_free(&file);
}

RV_TEST(pieces_make_the_whole)
{
    rv_buf meta = RV_BUF_INIT, chunk = RV_BUF_INIT, whole = RV_BUF_INIT, pieces = RV_BUF_INIT;
    rv_error err = {0};
    REQUIRE(write_column_meta(&meta, &err) == RV_OK);
    REQUIRE(write_chunk(rv_buf_bytes(&meta), &chunk, &err) == RV_OK);
    rv_bytes chunks[16];
    rv_pq_row_group g = group_of(chunks, 16);
    REQUIRE(rv_pq_row_group_begin(16, &pieces, &err) == RV_OK);
    for (size_t i = 0; i < 16; i++) {
        chunks[i] = rv_buf_bytes(&chunk);
        REQUIRE(rv_buf_add(&pieces, chunk.ptr, chunk.len, &err) == RV_OK);
    }
    REQUIRE(rv_pq_row_group_end(&g, &pieces, &err) == RV_OK);
    REQUIRE(rv_thrift_write(&rv_pq_row_group_desc, &g, &whole, &err) == RV_OK);
    CHECK_MEM(pieces.ptr, pieces.len, whole.ptr, whole.len);

    rv_buf footer = RV_BUF_INIT, parts = RV_BUF_INIT;
    rv_bytes groups[1] = {rv_buf_bytes(&whole)};
    rv_pq_file_meta f = file_of(groups, 1);
    REQUIRE(rv_thrift_write(&rv_pq_file_meta_desc, &f, &footer, &err) == RV_OK);
    REQUIRE(rv_pq_footer_begin(&f, 1, &parts, &err) == RV_OK);
    REQUIRE(rv_buf_add(&parts, whole.ptr, whole.len, &err) == RV_OK);
    REQUIRE(rv_pq_footer_end(&f, &parts, &err) == RV_OK);
    CHECK_MEM(parts.ptr, parts.len, footer.ptr, footer.len);
    rv_buf_free(&meta);
    rv_buf_free(&chunk);
    rv_buf_free(&whole);
    rv_buf_free(&pieces);
    rv_buf_free(&footer);
    rv_buf_free(&parts);
}

RV_TEST(page_structs_round_trip)
{
    rv_buf out = RV_BUF_INIT;
    rv_error err = {0};
    rv_pq_page_header v2 = {.has = RV_HAS(RV_PQ_PAGE_CRC) | RV_HAS(RV_PQ_PAGE_V2),
                            .type = RV_PQ_PAGE_DATA_V2,
                            .uncompressed = INT32_MAX,
                            .compressed = 1,
                            .crc = INT32_MIN,
                            .data_v2 = {0x180, 1, 2, 3, RV_PQ_DBP, 5, 6, false, full_stats()}};
    REQUIRE(rv_thrift_write(&rv_pq_page_header_desc, &v2, &out, &err) == RV_OK);
    check_round_trip(&rv_pq_page_header_desc, rv_buf_bytes(&out));
    rv_buf_clear(&out);

    rv_pq_page_location pages[30] = {{0, 4, 100, 0}};
    int64_t counts[30] = {5};
    rv_pq_offset_index oi = {.has = 4, .pages = {pages, 30}, .unencoded_bytes = {counts, 30}};
    REQUIRE(rv_thrift_write(&rv_pq_offset_index_desc, &oi, &out, &err) == RV_OK);
    check_round_trip(&rv_pq_offset_index_desc, rv_buf_bytes(&out));
    rv_buf_clear(&out);

    bool nulls[3] = {true, false, true};
    rv_bytes bounds[3] = {text(""), text("b"), text("")};
    rv_pq_column_index ci = {.has = 0x1E0,
                             .null_pages = {nulls, 3},
                             .mins = {bounds, 3},
                             .maxs = {bounds, 3},
                             .boundary_order = RV_PQ_DESCENDING,
                             .null_counts = {counts, 3},
                             .rep_histograms = {counts, 3},
                             .def_histograms = {counts, 6},
                             .nan_counts = {counts, 3}};
    REQUIRE(rv_thrift_write(&rv_pq_column_index_desc, &ci, &out, &err) == RV_OK);
    check_round_trip(&rv_pq_column_index_desc, rv_buf_bytes(&out));
    rv_buf_clear(&out);

    rv_pq_bloom_header b = {0, 32, {RV_HAS(1)}, {RV_HAS(1)}, {RV_HAS(1)}};
    REQUIRE(rv_thrift_write(&rv_pq_bloom_header_desc, &b, &out, &err) == RV_OK);
    check_round_trip(&rv_pq_bloom_header_desc, rv_buf_bytes(&out));
    rv_buf_free(&out);
}

/* ---- what others may write ---- */

RV_TEST(list_of_booleans_in_both_forms)
{
    /* element type 2, false as 0: null_pages {1, 0}; empty mins and maxs; order 0 */
    static const uint8_t old[] = {0x19, 0x22, 1, 0, 0x19, 0x08, 0x19, 0x08, 0x15, 0x00, 0x00};
    static const uint8_t odd[] = {0x19, 0x22, 1, 3, 0x19, 0x08, 0x19, 0x08, 0x15, 0x00, 0x00};
    rv_pq_column_index ci;
    rv_arena arena = RV_ARENA_INIT;
    REQUIRE(read_all(&rv_pq_column_index_desc, (rv_bytes){old, sizeof old}, &arena, &ci) == RV_OK);
    CHECK_EQ(ci.null_pages.n, 2);
    CHECK(ci.null_pages.items[0]);
    CHECK(!ci.null_pages.items[1]);
    CHECK_EQ(read_all(&rv_pq_column_index_desc, (rv_bytes){odd, sizeof odd}, &arena, &ci),
             RV_E_CORRUPT);
    rv_arena_free(&arena);
}

RV_TEST(unknown_fields_are_skipped)
{
    static const uint8_t
        fields[] = {0x17, 1,    2,    3,    4,    5,    6,    7,  8, /* 1: double, where an i32 is
                                                                        known: skipped */
                    0x0B, 0x28, 1,    0x8C, 1,    'k',  0x11, 0,     /* 20 (long form): map of one
                                                                        binary to struct */
                    0x1A, 0x2D, 1,    2,    3,    4,    5,    6,  7,  8,  9, 10,
                    11,   12,   13,   14,   15,   16,   1,    2,  3,  4,  5, 6,
                    7,    8,    9,    10,   11,   12,   13,   14, 15, 16, /* 21: set of two uuids */
                    0x19, 0x31, 1,    2,    1,                            /* 22: list of booleans */
                    0x1C, 0x1C, 0x13, 9,    0x00, 0x00, /* 23: struct in struct with an i8 */
                    0x05, 0x02, 0x14,                   /* 1 again, long form: i32 10 */
                    0x00};
    static const rv_thrift_field known[] = {{1, RV_THRIFT_I32, 0, true, 4, NULL}};
    struct {
        uint32_t has;
        int32_t v;
    } out;
    const rv_thrift_desc desc = {"test", sizeof out, 1, known};
    rv_arena arena = RV_ARENA_INIT;
    CHECK_EQ(read_all(&desc, (rv_bytes){fields, sizeof fields}, &arena, &out), RV_OK);
    CHECK_EQ(out.v, 10);
    rv_arena_free(&arena);
}

/* ---- hostile ---- */

static rv_status read_page(const uint8_t *bytes, size_t len)
{
    rv_pq_page_header h;
    rv_arena arena = RV_ARENA_INIT;
    rv_error err = {0};
    rv_status st =
        rv_thrift_read(&rv_pq_page_header_desc, (rv_bytes){bytes, len}, &arena, &h, NULL, &err);
    CHECK(st == RV_OK || err.text[0]);
    rv_arena_free(&arena);
    return st;
}

RV_TEST(hostile_input_is_refused)
{
    uint8_t deep[64];
    memset(deep, 0x1C, sizeof deep); /* a struct in a struct in ... */
    CHECK_EQ(read_page(deep, sizeof deep), RV_E_CORRUPT);
    memset(deep, 0x19, sizeof deep); /* a list of lists ... */
    CHECK_EQ(read_page(deep, sizeof deep), RV_E_CORRUPT);
    static const uint8_t long_varint[] = {0x15, 0x80, 0x80, 0x80, 0x80, 0x80,
                                          0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
    CHECK_EQ(read_page(long_varint, sizeof long_varint), RV_E_CORRUPT);
    static const uint8_t wide_i32[] = {0x15, 0x80, 0x80, 0x80, 0x80, 0x20, 0x00};
    CHECK_EQ(read_page(wide_i32, sizeof wide_i32), RV_E_CORRUPT);
    static const uint8_t twice[] = {0x15, 0x00, 0x05, 0x02, 0x00, 0x00};
    CHECK_EQ(read_page(twice, sizeof twice), RV_E_CORRUPT);
    static const uint8_t no_type[] = {0x10};
    CHECK_EQ(read_page(no_type, sizeof no_type), RV_E_CORRUPT);
    static const uint8_t lacking[] = {0x15, 0x00, 0x00};
    CHECK_EQ(read_page(lacking, sizeof lacking), RV_E_CORRUPT);
    static const uint8_t huge_binary[] = {0x08, 0x50, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                          0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0x00};
    CHECK_EQ(read_page(huge_binary, sizeof huge_binary), RV_E_CORRUPT);
    static const uint8_t huge_map[] = {0x0B, 0x50, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x11};
    CHECK_EQ(read_page(huge_map, sizeof huge_map), RV_E_CORRUPT);
}

/* A count may not make more memory than the bytes behind it can fill. */
RV_TEST(a_list_allocates_what_its_bytes_can_hold)
{
    static const uint8_t schema[] = {0x15, 0x02, 0x19, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0x07, 0x00};
    uint8_t bytes[256] = {0x15, 0x02, 0x19, 0xFC, 0xF0, 0x01};
    rv_pq_file_meta f;
    rv_arena arena = RV_ARENA_INIT;
    CHECK_EQ(read_all(&rv_pq_file_meta_desc, (rv_bytes){schema, sizeof schema}, &arena, &f),
             RV_E_CORRUPT);
    CHECK_EQ(arena.used, 0);
    CHECK_EQ(read_all(&rv_pq_file_meta_desc, (rv_bytes){bytes, sizeof bytes}, &arena, &f),
             RV_E_CORRUPT);
    CHECK(arena.used <= 64 * sizeof bytes);
    rv_arena_free(&arena);
}

RV_TEST(random_damage_never_breaks_the_reader)
{
    rv_buf meta = RV_BUF_INIT;
    rv_error err = {0};
    uint64_t x = 42;
    REQUIRE(write_column_meta(&meta, &err) == RV_OK);
    for (int round = 0; round < 20000; round++) {
        rv_pq_column_meta m;
        rv_arena arena = RV_ARENA_INIT;
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t at = (size_t)(x >> 33) % meta.len;
        uint8_t was = meta.ptr[at];
        meta.ptr[at] = (uint8_t)(x >> 20);
        rv_status st =
            rv_thrift_read(&rv_pq_column_meta_desc, rv_buf_bytes(&meta), &arena, &m, NULL, &err);
        CHECK(st == RV_OK || st == RV_E_CORRUPT);
        meta.ptr[at] = was;
        rv_arena_free(&arena);
    }
    rv_buf_free(&meta);
}

RV_TEST(failing_allocations_are_reported)
{
#ifdef RV_FAULTS
    rv_buf meta = RV_BUF_INIT;
    rv_error err = {0};
    REQUIRE(write_column_meta(&meta, &err) == RV_OK);
    rv_status st = RV_E_MEMORY;
    for (long nth = 1; st == RV_E_MEMORY && nth < 100; nth++) {
        rv_pq_column_meta m;
        rv_arena arena = RV_ARENA_INIT;
        rv_buf again = RV_BUF_INIT;
        rv_fault_set_alloc(nth, false);
        st = rv_thrift_read(&rv_pq_column_meta_desc, rv_buf_bytes(&meta), &arena, &m, NULL, &err);
        if (st == RV_OK)
            st = rv_thrift_write(&rv_pq_column_meta_desc, &m, &again, &err);
        rv_fault_set_alloc(0, false);
        rv_buf_free(&again);
        rv_arena_free(&arena);
    }
    CHECK_EQ(st, RV_OK);
    rv_buf_free(&meta);
#else
    SKIP("built without fault points");
#endif
}

RV_TEST_MAIN(RV_CASE(golden_page_header), RV_CASE(every_footer_struct_round_trips),
             RV_CASE(pieces_make_the_whole), RV_CASE(page_structs_round_trip),
             RV_CASE(list_of_booleans_in_both_forms), RV_CASE(unknown_fields_are_skipped),
             RV_CASE(hostile_input_is_refused), RV_CASE(a_list_allocates_what_its_bytes_can_hold),
             RV_CASE(random_damage_never_breaks_the_reader),
             RV_CASE(failing_allocations_are_reported))
