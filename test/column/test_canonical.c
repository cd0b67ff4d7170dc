/* Golden vectors: bytes and hashes computed outside Rivet, for every row of the table of
 * canonical types. Hashes are seeded by the column name "amount". */
#include "column/canonical.h"

#include <stdio.h>
#include <stdlib.h>

#include "rvtest.h"

typedef struct golden {
    const char *label;
    rv_type type;
    rv_cell cell;
    const char *hex;
    uint64_t hash;
} golden;

static const uint8_t uuid[16] = {0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7,
                                 0xA8, 0xA9, 0xAA, 0xAB, 0xAC, 0xAD, 0xAE, 0xAF};
static const uint8_t zero_ff[2] = {0, 0xFF};
#define TEXT(s)                                                                                    \
    {                                                                                              \
        .bytes = {(const uint8_t *)(s), sizeof(s) - 1 }                                            \
    }
static const rv_cell ints[] = {{.i64 = 1}, {.null = true}, {.i64 = -1}};
static const rv_cell texts[] = {TEXT(""), TEXT("ab")};

static const golden vectors[] = {
    {"null", {RV_INT64, 0, 0, 0}, {.null = true}, "00", UINT64_C(0xCBBE9D020608797E)},
    {"null list", {RV_LIST, 0, 0, RV_INT32}, {.null = true}, "00", UINT64_C(0xCBBE9D020608797E)},
    {"true", {RV_BOOL, 0, 0, 0}, {.i64 = 1}, "0101", UINT64_C(0x0736AAAAB511FA79)},
    {"false", {RV_BOOL, 0, 0, 0}, {.i64 = 0}, "0100", UINT64_C(0xEB4EA1EA9E586DCB)},
    {"int16", {RV_INT16, 0, 0, 0}, {.i64 = -2}, "02feffffffffffffff", UINT64_C(0x2326948B90654313)},
    {"int32",
     {RV_INT32, 0, 0, 0},
     {.i64 = INT32_MAX},
     "02ffffff7f00000000",
     UINT64_C(0x2994411047DA78B7)},
    {"int64",
     {RV_INT64, 0, 0, 0},
     {.i64 = INT64_MIN},
     "020000000000000080",
     UINT64_C(0x6422754E837F914F)},
    {"uint64",
     {RV_UINT64, 0, 0, 0},
     {.i64 = -1},
     "03ffffffffffffffff",
     UINT64_C(0x2D4AC6C8A7F22E73)},
    {"float32",
     {RV_FLOAT32, 0, 0, 0},
     {.f64 = (double)1.1F},
     "04000000a09999f13f",
     UINT64_C(0x87B98329211FC488)},
    {"float64",
     {RV_FLOAT64, 0, 0, 0},
     {.f64 = 1.1},
     "049a9999999999f13f",
     UINT64_C(0x830E30EE714D9C0C)},
    {"NaN",
     {RV_FLOAT64, 0, 0, 0},
     {.f64 = -__builtin_nan("7")},
     "04000000000000f87f",
     UINT64_C(0x1273316D2771DE03)},
    {"-0",
     {RV_FLOAT64, 0, 0, 0},
     {.f64 = -0.0},
     "040000000000000080",
     UINT64_C(0x8267EC4078A599B8)},
    {"0", {RV_FLOAT64, 0, 0, 0}, {.f64 = 0.0}, "040000000000000000", UINT64_C(0x4DCA415262C15A92)},
    {"12.34",
     {RV_DECIMAL, 12, 2, 0},
     {.dec = {{1234, 0, 0, 0}}},
     "050204d2",
     UINT64_C(0x448444BF65923B07)},
    {"0.00",
     {RV_DECIMAL, 12, 2, 0},
     {.dec = {{0, 0, 0, 0}}},
     "050200",
     UINT64_C(0x6C8A318F4B480351)},
    {"-1.28",
     {RV_DECIMAL, 12, 2, 0},
     {.dec = {{(uint64_t)-128, UINT64_MAX, UINT64_MAX, UINT64_MAX}}},
     "050280",
     UINT64_C(0x708C94432535517D)},
    {"1.28",
     {RV_DECIMAL, 12, 2, 0},
     {.dec = {{128, 0, 0, 0}}},
     "05020080",
     UINT64_C(0x3EC36B5499BDFF0D)},
    {"10^38-1",
     {RV_DECIMAL, 38, 0, 0},
     {.dec = {{UINT64_C(0x098A223FFFFFFFFF), UINT64_C(0x4B3B4CA85A86C47A), 0, 0}}},
     "05004b3b4ca85a86c47a098a223fffffffff",
     UINT64_C(0xE972DA8E0C6147D3)},
    {"1-10^76",
     {RV_DECIMAL, 76, 10, 0},
     {.dec = {{1, UINT64_C(0x888A5A0E8E6AF000), UINT64_C(0xF89B4B54179AD686),
               UINT64_C(0xE9E43358EE66EA4A)}}},
     "050ae9e43358ee66ea4af89b4b54179ad686888a5a0e8e6af0000000000000000001",
     UINT64_C(0x7F6919B84B2E6EF3)},
    {"date", {RV_DATE, 0, 0, 0}, {.i64 = -1}, "06ffffffffffffffff", UINT64_C(0x2A0D3C24149064C1)},
    {"time",
     {RV_TIME, 0, 0, 0},
     {.i64 = INT64_C(86399999999)},
     "07ff5fd71d14000000",
     UINT64_C(0x3E151A170B9338A4)},
    {"timestamp",
     {RV_TIMESTAMP, 0, 0, 0},
     {.i64 = -1},
     "08ffffffffffffffff",
     UINT64_C(0xB133F5C09851CBB4)},
    {"timestamp_tz",
     {RV_TIMESTAMP_TZ, 0, 0, 0},
     {.i64 = INT64_C(1700000000000000)},
     "0900401e18240a0600",
     UINT64_C(0xFC9871F6CDFD36B0)},
    {"timestamp_ns",
     {RV_TIMESTAMP_NS, 0, 0, 0},
     {.i64 = 1},
     "0a0100000000000000",
     UINT64_C(0x0CD3FF31C9EDB8E3)},
    {"timestamp_tz_ns",
     {RV_TIMESTAMP_TZ_NS, 0, 0, 0},
     {.i64 = INT64_MIN},
     "0b0000000000000080",
     UINT64_C(0xB09803FF616CF35A)},
    {"string",
     {RV_STRING, 0, 0, 0},
     TEXT("Zo\xC3\xAB"),
     "0c5a6fc3ab",
     UINT64_C(0x0FB76402193E5C26)},
    {"empty string", {RV_STRING, 0, 0, 0}, TEXT(""), "0c", UINT64_C(0x30B8F3E0B8CC4D6A)},
    {"enum", {RV_ENUM, 0, 0, 0}, TEXT("red"), "0c726564", UINT64_C(0x6FE8826569C37DC3)},
    {"interval",
     {RV_INTERVAL, 0, 0, 0},
     TEXT("P1DT2H"),
     "0c503144543248",
     UINT64_C(0x76855780E77A5275)},
    {"json",
     {RV_JSON, 0, 0, 0},
     TEXT("{\"a\": 1}"),
     "0d7b2261223a20317d",
     UINT64_C(0xF534DCEB9AD20645)},
    {"binary",
     {RV_BINARY, 0, 0, 0},
     {.bytes = {zero_ff, 2}},
     "0e00ff",
     UINT64_C(0xCD03BDB5C6A554DC)},
    {"uuid",
     {RV_UUID, 0, 0, 0},
     {.bytes = {uuid, 16}},
     "0fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
     UINT64_C(0x90823347A00B5AE0)},
    {"list",
     {RV_LIST, 0, 0, RV_INT32},
     {.elems = ints, .n_elems = 3},
     "10030000000000000001080000000100000000000000000108000000ffffffffffffffff",
     UINT64_C(0x37C055C231E8742B)},
    {"empty list",
     {RV_LIST, 0, 0, RV_INT32},
     {.elems = NULL, .n_elems = 0},
     "100000000000000000",
     UINT64_C(0x2A9F2C19CE2E9381)},
    {"text list",
     {RV_LIST, 0, 0, RV_STRING},
     {.elems = texts, .n_elems = 2},
     "100200000000000000010000000001020000006162",
     UINT64_C(0x365F2583235937DC)},
};
#define COUNT (sizeof vectors / sizeof vectors[0])

RV_TEST(golden_bytes_and_hashes)
{
    rv_buf out = RV_BUF_INIT;
    rv_error err;
    uint64_t seed = rv_canonical_seed(RV_STR("amount"));
    CHECK(seed == UINT64_C(0x2D238DDF102D3C9A));
    for (size_t i = 0; i < COUNT; i++) {
        const golden *g = &vectors[i];
        uint64_t hash = 0;
        char hex[128] = "";
        rv_buf_clear(&out);
        REQUIRE(rv_canonical_append(g->type, &g->cell, &out, &err) == RV_OK);
        REQUIRE(out.len * 2 < sizeof hex);
        rv_hex(out.ptr, out.len, hex);
        CHECK_STR(hex, g->hex);
        REQUIRE(rv_canonical_hash(g->type, &g->cell, seed, &out, &hash, &err) == RV_OK);
        if (hash != g->hash)
            (void)printf("in vector %s\n", g->label);
        CHECK(hash == g->hash);
    }
    rv_buf_free(&out);
}

RV_TEST(every_kind_has_a_vector)
{
    for (unsigned k = 0; k < RV_KIND_COUNT; k++) {
        bool seen = false;
        for (size_t i = 0; i < COUNT; i++)
            seen = seen || vectors[i].type.kind == k;
        CHECK(seen);
    }
}

RV_TEST(rows_hash_their_cells)
{
    static const uint64_t cells[] = {1, 2, 3};
    rv_u128 h = rv_canonical_row(cells, 3);
    CHECK(h.hi == UINT64_C(0xd0d66ae2837a0117) && h.lo == UINT64_C(0x026f21f9c50dcf1f));
}

RV_TEST(row_hash_frames)
{
    rv_buf out = RV_BUF_INIT;
    rv_error err;
    char hex[64] = "";
    rv_cell seven = {.i64 = 7};
    rv_cell null = {.null = true};
    rv_cell list = {.elems = ints, .n_elems = 1};
    REQUIRE(rv_canonical_frame(rv_type_of(RV_BOOL), &seven, &out, &err) == RV_OK);
    REQUIRE(rv_canonical_frame(rv_type_of(RV_BOOL), &null, &out, &err) == RV_OK);
    REQUIRE(rv_canonical_frame(rv_type_list(rv_type_of(RV_BOOL)), &null, &out, &err) == RV_OK);
    REQUIRE(rv_canonical_frame(rv_type_list(rv_type_of(RV_BOOL)), &list, &out, &err) == RV_OK);
    rv_hex(out.ptr, out.len, hex);
    CHECK_STR(hex, "010100000001"
                   "00"
                   "00"
                   "020100000000000000"
                   "010100000001");
    rv_buf_free(&out);
}

RV_TEST_MAIN(RV_CASE(golden_bytes_and_hashes), RV_CASE(every_kind_has_a_vector),
             RV_CASE(rows_hash_their_cells), RV_CASE(row_hash_frames))
