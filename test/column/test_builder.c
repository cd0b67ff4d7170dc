#include "column/builder.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/mem.h"
#include "column/canonical.h"
#include "rvtest.h"

#define T(k)                                                                                       \
    {                                                                                              \
        k, 0, 0, 0                                                                                 \
    }

static uint64_t state;
static uint64_t draw(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* ---- the worked example: hashes computed outside Rivet ---- */

static rv_column example_columns[] = {
    {.name = "id", .type = T(RV_INT64)},
    {.name = "name", .type = T(RV_STRING)},
    {.name = "price", .type = {RV_DECIMAL, 12, 2, 0}},
    {.name = "tags", .type = {RV_LIST, 0, 0, RV_INT32}},
    {.name = RV_META_EXPORTED_AT, .type = T(RV_TIMESTAMP_TZ)},
    {.name = RV_META_ROW_HASH, .type = T(RV_INT64)},
};
static const rv_schema example = {example_columns, 6};

static rv_builder_opts example_opts(void)
{
    return (rv_builder_opts){.schema = &example,
                             .max_rows = 100,
                             .max_bytes = 1 << 20,
                             .batches = 2,
                             .exported_at = true,
                             .exported_at_us = INT64_C(1700000000123456),
                             .row_hash = true};
}

/* Columns in any order, as a driver may. */
static rv_status example_cells(rv_builder *b, rv_error *err)
{
    RV_TRY(rv_builder_list_begin(b, 3, err));
    RV_TRY(rv_builder_i64(b, 3, 1, err));
    RV_TRY(rv_builder_null(b, 3, err));
    RV_TRY(rv_builder_list_end(b, 3, err));
    RV_TRY(rv_builder_null(b, 2, err));
    RV_TRY(rv_builder_i64(b, 0, 7, err));
    return rv_builder_bytes(b, 1, rv_str_bytes(RV_STR("Zo\xC3\xAB")), err);
}

RV_TEST(worked_example)
{
    rv_builder_opts opts = example_opts();
    rv_builder *b;
    rv_batch *batch;
    rv_error err;
    REQUIRE(rv_builder_open(&opts, &b, &err) == RV_OK);
    REQUIRE(example_cells(b, &err) == RV_OK);
    rv_u128 tie = rv_builder_row_digest(b, 2);
    CHECK(tie.hi == UINT64_C(0x49ed40f1260e2b39) && tie.lo == UINT64_C(0x46a0345fd7715de0));
    REQUIRE(rv_builder_row_end(b, &err) == RV_OK);
    REQUIRE(rv_builder_freeze(b, &batch, &err) == RV_OK);
    CHECK_EQ(batch->rows, 1);
    CHECK_EQ(batch->sums.rows, 1);
    CHECK(batch->sums.columns[0].sum == UINT64_C(0xDB11C4AC2030554B));
    CHECK(batch->sums.columns[1].sum == UINT64_C(0xA4F5901EED28F6C8));
    CHECK(batch->sums.columns[2].sum == UINT64_C(0x139FB8192C2D778F));
    CHECK(batch->sums.columns[3].sum == UINT64_C(0xA10D2C70AABB1FDB));
    CHECK(batch->sums.columns[4].sum == UINT64_C(0xD3593D97E8436AAD));
    CHECK(batch->sums.columns[5].sum == UINT64_C(0xFE34B0094F025ABD));
    CHECK(batch->sums.row_sum.hi == UINT64_C(0x4f46e896e569fb08));
    CHECK(batch->sums.row_sum.lo == UINT64_C(0xd72f8b039bb3d5c0));
    CHECK_EQ(batch->sums.columns[1].max_len, 4);
    CHECK_EQ(batch->sums.columns[2].nulls, 1);
    CHECK_EQ(rv_cell_of(&batch->columns[5], 0).i64, INT64_C(-3549475856700699886));
    CHECK_EQ(rv_cell_of(&batch->columns[4], 0).i64, INT64_C(1700000000123456));
    const rv_col *list = &batch->columns[3];
    CHECK_EQ(list->offsets[1], 2);
    CHECK_EQ(list->child->rows, 2);
    CHECK_EQ(list->child->nulls, 1);
    CHECK_EQ(list->child->validity[0], 1);
    CHECK(batch->columns[0].validity == NULL);
    rv_builder_recycle(b, batch);
    rv_builder_close(b);
}

RV_TEST(row_hash_of_chosen_columns)
{
    static const uint32_t chosen[] = {1, 0};
    rv_builder_opts opts = example_opts();
    opts.row_hash_columns = chosen;
    opts.n_row_hash_columns = 2;
    rv_builder *b;
    rv_batch *batch;
    rv_error err;
    REQUIRE(rv_builder_open(&opts, &b, &err) == RV_OK);
    REQUIRE(example_cells(b, &err) == RV_OK && rv_builder_row_end(b, &err) == RV_OK);
    REQUIRE(rv_builder_freeze(b, &batch, &err) == RV_OK);
    CHECK_EQ(rv_cell_of(&batch->columns[5], 0).i64, INT64_C(2971662713530946315));
    rv_builder_close(b);
}

/* ---- property: sums folded while appending are those of the frozen batch ---- */

static rv_column all_columns[] = {
    {.name = "bool", .type = T(RV_BOOL)},
    {.name = "int16", .type = T(RV_INT16)},
    {.name = "int32", .type = T(RV_INT32)},
    {.name = "int64", .type = T(RV_INT64)},
    {.name = "uint64", .type = T(RV_UINT64)},
    {.name = "float32", .type = T(RV_FLOAT32)},
    {.name = "float64", .type = T(RV_FLOAT64)},
    {.name = "dec18", .type = {RV_DECIMAL, 18, 4, 0}},
    {.name = "dec38", .type = {RV_DECIMAL, 38, 9, 0}},
    {.name = "dec76", .type = {RV_DECIMAL, 76, 30, 0}},
    {.name = "date", .type = T(RV_DATE)},
    {.name = "time", .type = T(RV_TIME)},
    {.name = "ts", .type = T(RV_TIMESTAMP)},
    {.name = "tstz_ns", .type = T(RV_TIMESTAMP_TZ_NS)},
    {.name = "string", .type = T(RV_STRING)},
    {.name = "binary", .type = T(RV_BINARY)},
    {.name = "json", .type = T(RV_JSON)},
    {.name = "uuid", .type = T(RV_UUID)},
    {.name = "texts", .type = {RV_LIST, 0, 0, RV_STRING}},
    {.name = "decs", .type = {RV_LIST, 40, 2, RV_DECIMAL}},
    {.name = "bools", .type = {RV_LIST, 0, 0, RV_BOOL}},
};
#define ALL (sizeof all_columns / sizeof all_columns[0])
static const rv_schema all = {all_columns, ALL};

static rv_status drawn_scalar(rv_builder *b, uint32_t c, rv_type t, rv_error *err)
{
    static uint8_t bytes[700];
    uint64_t r = draw();
    int64_t small = (int64_t)(r << (r & 63)) >> (r >> 58);
    double d;
    float f;
    uint32_t low = (uint32_t)r;
    memcpy(&d, &r, sizeof d);
    memcpy(&f, &low, sizeof f);
    if (rv_type_layout(t) == RV_LAYOUT_VAR) {
        size_t len = r % 11 == 0 ? r % sizeof bytes : (r >> 8) % 40;
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)(t.kind == RV_BINARY ? draw() : 'a' + draw() % 26);
        if (t.kind != RV_BINARY && len > 2 && (r & 0x1000))
            memcpy(bytes + len - 2, "\xC3\xAB", 2);
        return rv_builder_bytes(b, c, (rv_bytes){bytes, len}, err);
    }
    if (t.kind == RV_DECIMAL && t.precision > 38) {
        char text[80];
        (void)snprintf(text, sizeof text, "%lld%018llu.%02llu", (long long)small,
                       (unsigned long long)(draw() % 1000000000000000000U),
                       (unsigned long long)(draw() % 100));
        return rv_builder_decimal_text(b, c, rv_str_c(text), err);
    }
    if (t.kind == RV_DECIMAL && t.precision > 18)
        return rv_builder_decimal_i128(b, c, (rv_i128)small * (int64_t)(draw() >> 1), err);
    if (t.kind == RV_DECIMAL)
        return rv_builder_decimal_i64(b, c, small % INT64_C(1000000000000000000), err);
    if (t.kind == RV_BOOL)
        return rv_builder_bool(b, c, r & 1, err);
    if (t.kind == RV_UINT64)
        return rv_builder_u64(b, c, r, err);
    if (t.kind == RV_FLOAT32)
        return rv_builder_f32(b, c, f, err);
    if (t.kind == RV_FLOAT64)
        return rv_builder_f64(b, c, d, err);
    if (t.kind == RV_UUID) {
        memset(bytes, 0, 16);
        memcpy(bytes, &r, 8);
        return rv_builder_uuid(b, c, bytes, err);
    }
    if (t.kind == RV_INT16)
        return rv_builder_i64(b, c, (int16_t)r, err);
    if (t.kind == RV_INT32 || t.kind == RV_DATE)
        return rv_builder_i64(b, c, (int32_t)r, err);
    if (t.kind == RV_TIME)
        return rv_builder_i64(b, c, (int64_t)(r % UINT64_C(86400000000)), err);
    return rv_builder_i64(b, c, small, err);
}

static rv_status drawn_cell(rv_builder *b, uint32_t c, unsigned null_of_8, rv_error *err)
{
    rv_type t = all_columns[c].type;
    if (draw() % 8 < null_of_8)
        return draw() % 3 ? rv_builder_null(b, c, err) : rv_builder_null_replaced(b, c, err);
    if (t.kind != RV_LIST)
        return drawn_scalar(b, c, t, err);
    RV_TRY(rv_builder_list_begin(b, c, err));
    for (uint64_t n = draw() % 5; n > 0; n--)
        RV_TRY(draw() % 4 == 0 ? rv_builder_null(b, c, err)
                               : drawn_scalar(b, c, rv_type_elem(t), err));
    return rv_builder_list_end(b, c, err);
}

static rv_cell elems[8];

static bool present(const rv_col *col, uint32_t row)
{
    return !col->validity || rv_bit(col->validity, row);
}

/* The cell of present value k; element e is the first of the child, ek its first present one. */
static rv_cell batch_cell(const rv_col *col, uint32_t k, uint32_t *ek)
{
    if (col->type.kind != RV_LIST)
        return rv_cell_of(col, k);
    rv_cell list = {.elems = elems, .n_elems = col->offsets[k + 1] - col->offsets[k]};
    for (uint32_t i = 0; i < list.n_elems; i++) {
        bool there = present(col->child, col->offsets[k] + i);
        elems[i] = there ? rv_cell_of(col->child, (*ek)++) : (rv_cell){.null = true};
    }
    return list;
}

/* Hashes of one column's rows, from the frozen batch alone. */
static void column_hashes(const rv_col *col, const char *name, uint64_t *hashes, size_t stride)
{
    rv_buf scratch = RV_BUF_INIT;
    uint64_t seed = rv_canonical_seed(rv_str_c(name));
    uint32_t k = 0;
    uint32_t ek = 0;
    for (uint32_t row = 0; row < col->rows; row++) {
        rv_cell cell = {.null = true};
        if (present(col, row))
            cell = batch_cell(col, k++, &ek);
        REQUIRE(rv_canonical_hash(col->type, &cell, seed, &scratch, hashes + row * stride, NULL) ==
                RV_OK);
    }
    CHECK_EQ(k, col->rows - col->nulls);
    rv_buf_free(&scratch);
}

static void check_tail(const rv_col *col)
{
    uint32_t rest = col->rows & 7;
    if (!col->validity)
        return;
    CHECK_EQ(rv_bits_count(col->validity, 0, col->rows), col->rows - col->nulls);
    if (rest)
        CHECK_EQ(col->validity[col->rows >> 3] >> rest, 0);
}

static void check_batch(const rv_batch *batch)
{
    uint64_t *hashes = rv_calloc(batch->rows + 1U, ALL * sizeof hashes[0]);
    REQUIRE(hashes);
    for (size_t c = 0; c < ALL; c++) {
        const rv_col *col = &batch->columns[c];
        uint64_t sum = 0;
        CHECK_EQ(col->rows, batch->rows);
        CHECK_EQ(batch->sums.columns[c].nulls, col->nulls);
        column_hashes(col, all_columns[c].name, hashes + c, ALL);
        for (uint32_t row = 0; row < batch->rows; row++)
            sum += hashes[row * ALL + c];
        CHECK(sum == batch->sums.columns[c].sum);
        check_tail(col);
        if (col->child)
            check_tail(col->child);
    }
    rv_u128 rows = {0, 0};
    for (uint32_t row = 0; row < batch->rows; row++)
        rows = rv_u128_add(rows, rv_canonical_row(hashes + row * ALL, ALL));
    CHECK(rows.lo == batch->sums.row_sum.lo && rows.hi == batch->sums.row_sum.hi);
    rv_free(hashes);
}

static rv_status drawn_row(rv_builder *b, unsigned null_of_8, rv_error *err)
{
    for (uint32_t c = 0; c < ALL; c++)
        RV_TRY(drawn_cell(b, c, null_of_8, err));
    return rv_builder_row_end(b, err);
}

/* A row begun, or complete but for its end, or inside a list; then forgotten. */
static void drawn_undo(rv_builder *b, rv_error *err)
{
    uint64_t columns = draw() % (ALL + 1);
    for (uint32_t c = 0; c < columns; c++)
        REQUIRE(drawn_cell(b, c, 3, err) == RV_OK);
    if (columns <= 18 && (draw() & 1)) {
        REQUIRE(rv_builder_list_begin(b, 18, err) == RV_OK);
        REQUIRE(rv_builder_null(b, 18, err) == RV_OK);
        REQUIRE(rv_builder_bytes(b, 18, rv_str_bytes(RV_STR("lost")), err) == RV_OK);
    }
    rv_builder_row_undo(b);
}

RV_TEST(folded_sums_are_those_of_the_batch)
{
    rv_builder_opts opts = {.schema = &all, .max_rows = 300, .max_bytes = 200000, .batches = 2};
    rv_builder *b;
    rv_batch *batch;
    rv_error err;
    state = 0x1234567890ABCDEFU;
    REQUIRE(rv_builder_open(&opts, &b, &err) == RV_OK);
    for (unsigned round = 0; round < 40; round++) {
        unsigned rows = round % 10 == 9 ? round % 20 == 9 ? 0 : 1 : 300;
        for (unsigned i = 0; i < rows && !rv_builder_full(b); i++) {
            if (round % 3 == 0 && draw() % 5 == 0)
                drawn_undo(b, &err);
            REQUIRE(drawn_row(b, round % 8 == 7 ? 8 : round % 4, &err) == RV_OK);
        }
        if (round % 3 == 0)
            drawn_undo(b, &err);
        REQUIRE(rv_builder_freeze(b, &batch, &err) == RV_OK);
        check_batch(batch);
        rv_builder_recycle(b, batch);
        if (round % 7 == 0)
            rv_builder_trim(b);
    }
    rv_builder_close(b);
}

RV_TEST(an_undone_row_leaves_nothing)
{
    rv_sums sums[2];
    rv_error err;
    for (int undo = 0; undo < 2; undo++) {
        rv_builder_opts opts = {.schema = &all, .max_rows = 64, .max_bytes = 1 << 20, .batches = 2};
        rv_builder *b;
        rv_batch *batch;
        REQUIRE(rv_builder_open(&opts, &b, &err) == RV_OK);
        REQUIRE(rv_sums_init(&sums[undo], ALL, &err) == RV_OK);
        for (uint64_t row = 1; row <= 50; row++) {
            state = row * 77777;
            if (undo)
                drawn_undo(b, &err);
            state = row * 99991;
            REQUIRE(drawn_row(b, 2, &err) == RV_OK);
        }
        REQUIRE(rv_builder_freeze(b, &batch, &err) == RV_OK);
        rv_sums_add(&sums[undo], &batch->sums);
        rv_builder_close(b);
    }
    CHECK_MEM(sums[0].columns, ALL * sizeof(rv_col_sum), sums[1].columns, ALL * sizeof(rv_col_sum));
    CHECK(sums[0].row_sum.lo == sums[1].row_sum.lo && sums[0].row_sum.hi == sums[1].row_sum.hi);
    rv_sums_free(&sums[0]);
    rv_sums_free(&sums[1]);
}

/* ---- refusals ---- */

static rv_builder *all_builder(bool replace)
{
    rv_builder_opts opts = {.schema = &all,
                            .max_rows = 8,
                            .max_bytes = 1 << 20,
                            .max_value_bytes = 1000,
                            .batches = 2,
                            .invalid_utf8_replace = replace};
    rv_builder *b = NULL;
    rv_error err;
    CHECK_EQ(rv_builder_open(&opts, &b, &err), RV_OK);
    return b;
}

RV_TEST(values_that_do_not_fit)
{
    rv_error err;
    rv_builder *b = all_builder(false);
    REQUIRE(b);
    CHECK_EQ(rv_builder_i64(b, 1, 32768, &err), RV_E_VALUE);
    CHECK_STR(err.text, "column 'int16': '32768' does not fit int16");
    CHECK(strstr(err.hint, "columns: {int16: text}"));
    CHECK_EQ(rv_builder_i64(b, 1, -32769, &err), RV_E_VALUE);
    CHECK_EQ(rv_builder_i64(b, 2, INT64_C(1) << 31, &err), RV_E_VALUE);
    CHECK_EQ(rv_builder_i64(b, 10, INT64_C(1) << 31, &err), RV_E_VALUE);
    CHECK_EQ(rv_builder_i64(b, 4, -1, &err), RV_E_VALUE);
    CHECK_EQ(rv_builder_i64(b, 11, -1, &err), RV_E_VALUE);
    CHECK_EQ(rv_builder_i64(b, 11, INT64_C(86400000000), &err), RV_E_VALUE);
    CHECK(strstr(err.text, "time 24:00:00 does not fit a time of day") != NULL);
    CHECK_EQ(rv_builder_decimal_i64(b, 7, INT64_C(1000000000000000000), &err), RV_E_VALUE);
    CHECK_STR(err.text, "column 'dec18': '100000000000000.0000' does not fit decimal(18,4)");
    CHECK_EQ(rv_builder_decimal_i64(b, 7, INT64_MIN, &err), RV_E_VALUE);
    CHECK_EQ(rv_builder_decimal_text(b, 7, RV_STR("1.00001"), &err), RV_E_VALUE);
    CHECK_EQ(rv_builder_decimal_text(b, 7, RV_STR("NaN"), &err), RV_E_VALUE);
    CHECK_EQ(rv_builder_bytes(b, 14, rv_str_bytes(RV_STR("ab\xFFzz")), &err), RV_E_VALUE);
    CHECK_STR(err.text, "column 'string': invalid UTF-8 at byte 2 of 5");
    /* of the wrong family: the driver's fault, not the value's */
    CHECK_EQ(rv_builder_bool(b, 1, true, &err), RV_E_INTERNAL);
    CHECK_EQ(rv_builder_i64(b, 14, 1, &err), RV_E_INTERNAL);
    CHECK_EQ(rv_builder_i64(b, 18, 1, &err), RV_E_INTERNAL);
    CHECK_EQ(rv_builder_u64(b, 3, 1, &err), RV_E_INTERNAL);
    CHECK_EQ(rv_builder_f32(b, 6, 1, &err), RV_E_INTERNAL);
    CHECK_EQ(rv_builder_f64(b, 5, 1, &err), RV_E_INTERNAL);
    CHECK_EQ(rv_builder_bytes(b, 0, rv_str_bytes(RV_STR("x")), &err), RV_E_INTERNAL);
    CHECK_EQ(rv_builder_uuid(b, 14, (const uint8_t[16]){0}, &err), RV_E_INTERNAL);
    CHECK_EQ(rv_builder_decimal_text(b, 3, RV_STR("1"), &err), RV_E_INTERNAL);
    CHECK_EQ(rv_builder_decimal_i128(b, 3, 1, &err), RV_E_INTERNAL);
    CHECK_EQ(rv_builder_list_begin(b, 3, &err), RV_E_INTERNAL);
    CHECK_EQ(rv_builder_list_end(b, 18, &err), RV_E_INTERNAL);
    REQUIRE(rv_builder_list_begin(b, 18, &err) == RV_OK);
    CHECK_EQ(rv_builder_i64(b, 18, 1, &err), RV_E_INTERNAL);
    CHECK_EQ(rv_builder_list_begin(b, 18, &err), RV_E_INTERNAL);
    rv_builder_row_undo(b);
    state = 5;
    CHECK_EQ(drawn_row(b, 0, &err), RV_OK);
    rv_builder_close(b);
}

RV_TEST(a_cell_above_the_limit)
{
    static uint8_t big[1001];
    rv_error err;
    rv_builder *b = all_builder(false);
    REQUIRE(b);
    CHECK_EQ(rv_builder_bytes(b, 15, (rv_bytes){big, 1000}, &err), RV_OK);
    CHECK_EQ(rv_builder_bytes(b, 16, (rv_bytes){big, 1001}, &err), RV_E_VALUE_TOO_LARGE);
    CHECK(strstr(err.text, "column 'json': one cell is 0.0 MB") != NULL);
    rv_builder_close(b);
}

static void check_replaced(const char *in, size_t len, const char *want)
{
    rv_error err;
    rv_batch *batch;
    rv_builder *b = all_builder(true);
    REQUIRE(b);
    for (uint32_t c = 0; c < ALL; c++) {
        if (c == 14)
            REQUIRE(rv_builder_bytes(b, c, (rv_bytes){(const uint8_t *)in, len}, &err) == RV_OK);
        else
            REQUIRE(rv_builder_null(b, c, &err) == RV_OK);
    }
    REQUIRE(rv_builder_row_end(b, &err) == RV_OK);
    REQUIRE(rv_builder_freeze(b, &batch, &err) == RV_OK);
    rv_cell cell = rv_cell_of(&batch->columns[14], 0);
    CHECK_MEM(cell.bytes.ptr, cell.bytes.len, want, strlen(want));
    CHECK_EQ(batch->sums.columns[14].replaced, in[0] == 'p' ? 0 : 1);
    check_batch(batch);
    rv_builder_close(b);
}

#define FFFD "\xEF\xBF\xBD"

RV_TEST(invalid_text_is_replaced_and_counted)
{
    check_replaced("plain", 5, "plain");
    check_replaced("a\xFF", 2, "a" FFFD);
    check_replaced("\xE2\x82", 2, FFFD);
    check_replaced("\xE2\x82"
                   "A",
                   3, FFFD "A");
    check_replaced("\xC0\xAF", 2, FFFD FFFD);
    check_replaced("\xED\xA0\x80"
                   "x",
                   4, FFFD FFFD FFFD "x");
    check_replaced("\xF0\x9F\x98\x80\xF0\x9F\x98", 7, "\xF0\x9F\x98\x80" FFFD);
    check_replaced("\xF4\x90\x80\x80", 4, FFFD FFFD FFFD FFFD);
    check_replaced("caf\xC3\xA9 caf\xE9 caf\xC3\xA9 and a longer tail", 34,
                   "caf\xC3\xA9 caf" FFFD " caf\xC3\xA9 and a longer tail");
}

/* Every length, with one bad byte at every place: the wide copy must see it. */
RV_TEST(no_bad_byte_slips_through)
{
    rv_error err;
    uint8_t text[80];
    rv_builder *b = all_builder(false);
    REQUIRE(b);
    memset(text, 'x', sizeof text);
    for (size_t len = 1; len <= sizeof text; len++) {
        for (size_t at = 0; at < len; at++) {
            text[at] = 0xBF;
            CHECK_EQ(rv_builder_bytes(b, 14, (rv_bytes){text, len}, &err), RV_E_VALUE);
            text[at] = 'x';
            rv_builder_row_undo(b);
        }
        CHECK_EQ(rv_builder_bytes(b, 14, (rv_bytes){text, len}, &err), RV_OK);
        rv_builder_row_undo(b);
    }
    rv_builder_close(b);
}

/* ---- limits and batches ---- */

static rv_column one_column[] = {{.name = "v", .type = T(RV_BINARY)}};
static const rv_schema one = {one_column, 1};

static rv_builder *one_builder(uint32_t max_rows, uint64_t max_bytes)
{
    rv_builder_opts opts = {
        .schema = &one, .max_rows = max_rows, .max_bytes = max_bytes, .batches = 2};
    rv_builder *b = NULL;
    rv_error err;
    CHECK_EQ(rv_builder_open(&opts, &b, &err), RV_OK);
    return b;
}

static void add_bytes(rv_builder *b, size_t len)
{
    static uint8_t zeros[100000];
    rv_error err;
    REQUIRE(rv_builder_bytes(b, 0, (rv_bytes){zeros, len}, &err) == RV_OK);
    REQUIRE(rv_builder_row_end(b, &err) == RV_OK);
}

RV_TEST(full_by_rows_bytes_and_lowered_limit)
{
    rv_error err;
    rv_batch *batch;
    rv_builder *b = one_builder(3, 1000);
    REQUIRE(b);
    add_bytes(b, 1);
    CHECK(!rv_builder_full(b));
    add_bytes(b, 1);
    add_bytes(b, 1);
    CHECK(rv_builder_full(b));
    CHECK_EQ(rv_builder_rows(b), 3);
    REQUIRE(rv_builder_freeze(b, &batch, &err) == RV_OK);
    CHECK_EQ(rv_builder_rows(b), 0);
    CHECK_EQ(batch->bytes, 3 + 4 * sizeof(uint32_t));
    rv_builder_recycle(b, batch);
    add_bytes(b, 100000); /* one larger row is still taken */
    CHECK(rv_builder_full(b));
    CHECK(rv_builder_bytes_used(b) >= 100000);
    REQUIRE(rv_builder_freeze(b, &batch, &err) == RV_OK);
    CHECK_EQ(batch->sums.columns[0].max_len, 100000);
    rv_builder_recycle(b, batch);
    rv_builder_limit_rows(b, 1);
    rv_builder_limit_rows(b, 2);
    add_bytes(b, 0);
    CHECK(rv_builder_full(b));
    REQUIRE(rv_builder_freeze(b, &batch, &err) == RV_OK);
    rv_builder_recycle(b, batch);
    add_bytes(b, 0);
    CHECK(!rv_builder_full(b));
    rv_builder_close(b);
}

typedef struct writer {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    rv_builder *builder;
    rv_batch *batch;
    bool end;
    uint64_t rows;
    uint64_t sum;
} writer;

static void *write_batches(void *arg)
{
    writer *w = arg;
    for (;;) {
        (void)pthread_mutex_lock(&w->lock);
        while (!w->batch && !w->end)
            (void)pthread_cond_wait(&w->changed, &w->lock);
        rv_batch *batch = w->batch;
        w->batch = NULL;
        (void)pthread_cond_signal(&w->changed);
        (void)pthread_mutex_unlock(&w->lock);
        if (!batch)
            return NULL;
        w->rows += batch->rows;
        for (uint32_t k = 0; k < batch->rows; k++)
            w->sum += batch->columns[0].offsets[k + 1] - batch->columns[0].offsets[k];
        rv_builder_recycle(w->builder, batch);
    }
}

RV_TEST(batches_travel_to_a_writer_and_back)
{
    rv_error err;
    pthread_t thread;
    writer w = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    uint64_t sum = 0;
    w.builder = one_builder(50, 1 << 20);
    REQUIRE(w.builder);
    REQUIRE(pthread_create(&thread, NULL, write_batches, &w) == 0);
    for (uint64_t i = 0; i < 20000; i++) {
        add_bytes(w.builder, i % 100);
        sum += i % 100;
        if (!rv_builder_full(w.builder))
            continue;
        rv_batch *batch;
        REQUIRE(rv_builder_freeze(w.builder, &batch, &err) == RV_OK);
        (void)pthread_mutex_lock(&w.lock);
        while (w.batch)
            (void)pthread_cond_wait(&w.changed, &w.lock);
        w.batch = batch;
        (void)pthread_cond_signal(&w.changed);
        (void)pthread_mutex_unlock(&w.lock);
    }
    (void)pthread_mutex_lock(&w.lock);
    w.end = true;
    (void)pthread_cond_signal(&w.changed);
    (void)pthread_mutex_unlock(&w.lock);
    REQUIRE(pthread_join(thread, NULL) == 0);
    CHECK_EQ(w.rows, 20000);
    CHECK_EQ(w.sum, sum);
    rv_builder_close(w.builder);
}

static void *shut_builder(void *arg)
{
    rv_builder_shut(arg);
    return NULL;
}

RV_TEST(shut_wakes_a_waiting_freeze)
{
    rv_error err;
    pthread_t thread;
    rv_batch *first;
    rv_batch *second = NULL;
    rv_builder *b = one_builder(10, 1000);
    REQUIRE(b);
    add_bytes(b, 5);
    REQUIRE(rv_builder_freeze(b, &first, &err) == RV_OK);
    add_bytes(b, 5);
    REQUIRE(pthread_create(&thread, NULL, shut_builder, b) == 0);
    CHECK_EQ(rv_builder_freeze(b, &second, &err), RV_E_INTERRUPTED);
    CHECK(second == NULL);
    CHECK_EQ(rv_builder_rows(b), 1);
    REQUIRE(pthread_join(thread, NULL) == 0);
    rv_builder_close(b);
}

static rv_status small_life(rv_error *err)
{
    rv_builder_opts opts = example_opts();
    rv_builder *b;
    rv_batch *batch;
    rv_status st;
    RV_TRY(rv_builder_open(&opts, &b, err));
    for (int i = 0; i < 70; i++) {
        RV_GO(example_cells(b, err));
        RV_GO(rv_builder_row_end(b, err));
    }
    RV_GO(rv_builder_freeze(b, &batch, err));
    rv_builder_recycle(b, batch);
    rv_builder_trim(b);
    RV_GO(rv_builder_text(b, 0, RV_STR("12"), err));
    rv_builder_row_undo(b);
    RV_GO(rv_builder_freeze(b, &batch, err));
done:
    rv_builder_row_undo(b);
    rv_builder_close(b);
    return st;
}

RV_TEST(survives_every_failed_allocation)
{
    rv_error err;
    CHECK_EQ(small_life(&err), RV_OK);
    rv_builder_close(NULL);
    rv_sums_free(NULL);
#ifdef RV_FAULTS
    rv_status st = RV_E_MEMORY;
    long n = 0;
    while (st != RV_OK && n < 1000) {
        rv_fault_set_alloc(++n, false);
        st = small_life(&err);
        CHECK(st == RV_OK || st == RV_E_MEMORY);
    }
    rv_fault_set_alloc(0, false);
    CHECK_EQ(st, RV_OK);
    CHECK(n > 30);
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(worked_example), RV_CASE(row_hash_of_chosen_columns),
             RV_CASE(folded_sums_are_those_of_the_batch), RV_CASE(an_undone_row_leaves_nothing),
             RV_CASE(values_that_do_not_fit), RV_CASE(a_cell_above_the_limit),
             RV_CASE(invalid_text_is_replaced_and_counted), RV_CASE(no_bad_byte_slips_through),
             RV_CASE(full_by_rows_bytes_and_lowered_limit),
             RV_CASE(batches_travel_to_a_writer_and_back), RV_CASE(shut_wakes_a_waiting_freeze),
             RV_CASE(survives_every_failed_allocation))
