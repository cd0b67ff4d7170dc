#include "column/builder_internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "column/temporal.h"

rv_status rv_bcol_target(rv_bcol *c, const char *what, rv_bcol **out, rv_error *err)
{
    if (c->kind == RV_LIST && c->open) {
        *out = c->child;
        return RV_OK;
    }
    char type[RV_TYPE_NAME_SIZE];
    rv_type_name(c->type, type);
    return rv_fail(err, RV_E_INTERNAL, "column '%s': %s given to a column of type %s", c->name,
                   what, type);
}

rv_status rv_bcol_misfit(const rv_bcol *c, rv_str value, rv_error *err)
{
    char type[RV_TYPE_NAME_SIZE];
    rv_type_name(c->type, type);
    if (!rv_utf8_valid(rv_str_bytes(value)))
        value = RV_STR("bytes that are no text");
    bool cut = value.len > 80;
    rv_str shown = {value.ptr, rv_utf8_cut(value, 80)};
    rv_status st = rv_fail(err, RV_E_VALUE, "column '%s': '%.*s%s' does not fit %s", c->name,
                           RV_STR_ARG(shown), cut ? "..." : "", type);
    rv_hint(err, "declare another type, for example columns: {%s: text}", c->name);
    return st;
}

void rv_bcol_count_replaced(rv_builder *b, rv_bcol *c)
{
    if (c->replaced_row == b->rows + 1)
        return;
    c->replaced_row = b->rows + 1;
    c->replaced++;
}

rv_status rv_builder_null(rv_builder *b, uint32_t col, rv_error *err)
{
    rv_bcol *c = &b->cols[col];
    if (__builtin_expect(c->open, 0))
        return rv_bcol_null(c->child, err);
    rv_builder_expect(b, col);
    RV_TRY(rv_bcol_null(c, err));
    b->hashes[col] = c->null_hash;
    return RV_OK;
}

rv_status rv_builder_null_replaced(rv_builder *b, uint32_t col, rv_error *err)
{
    RV_TRY(rv_builder_null(b, col, err));
    rv_bcol_count_replaced(b, &b->cols[col]);
    return RV_OK;
}

static rv_status put_bool(rv_bcol *c, bool v, rv_error *err)
{
    RV_TRY(rv_bcol_room(c, err));
    c->values[c->present++] = v;
    return RV_OK;
}

rv_status rv_builder_bool(rv_builder *b, uint32_t col, bool v, rv_error *err)
{
    rv_bcol *c = &b->cols[col];
    if (__builtin_expect(c->kind != RV_BOOL, 0)) {
        RV_TRY(rv_bcol_target(c, "a bool", &c, err));
        return c->kind == RV_BOOL ? put_bool(c, v, err) : rv_bcol_target(c, "a bool", &c, err);
    }
    rv_builder_expect(b, col);
    RV_TRY(put_bool(c, v, err));
    b->hashes[col] = c->bool_hash[v];
    return RV_OK;
}

static inline rv_status put_i64(rv_bcol *c, int64_t v, rv_error *err)
{
    RV_TRY(rv_bcol_room(c, err));
    if (c->layout == RV_LAYOUT_I32)
        rv_bcol_put32(c, (uint32_t)v);
    else
        rv_bcol_put64(c, (uint64_t)v);
    return RV_OK;
}

static rv_status i64_misfit(rv_bcol *c, int64_t v, rv_error *err)
{
    if (c->low > c->high)
        return rv_bcol_target(c, "an integer", &c, err);
    char text[RV_TEMPORAL_TEXT_SIZE];
    int n = snprintf(text, sizeof text, "%" PRId64, v);
    rv_status st = rv_bcol_misfit(c, (rv_str){text, (size_t)n}, err);
    if (c->kind == RV_TIME && v == INT64_C(86400000000))
        (void)rv_wrap(err, RV_E_VALUE, "column '%s': time 24:00:00 does not fit a time of day",
                      c->name);
    return st;
}

static __attribute__((noinline)) rv_status i64_slow(rv_bcol *c, int64_t v, rv_error *err)
{
    if (c->kind == RV_LIST)
        RV_TRY(rv_bcol_target(c, "an integer", &c, err));
    return v < c->low || v > c->high ? i64_misfit(c, v, err) : put_i64(c, v, err);
}

rv_status rv_builder_i64(rv_builder *b, uint32_t col, int64_t v, rv_error *err)
{
    rv_bcol *c = &b->cols[col];
    if (__builtin_expect(v < c->low || v > c->high, 0))
        return i64_slow(c, v, err);
    rv_builder_expect(b, col);
    RV_TRY(put_i64(c, v, err));
    b->hashes[col] = rv_bcol_hash_u64(c, (uint64_t)v);
    return RV_OK;
}

static rv_status put_u64(rv_bcol *c, uint64_t v, rv_error *err)
{
    RV_TRY(rv_bcol_room(c, err));
    rv_bcol_put64(c, v);
    return RV_OK;
}

rv_status rv_builder_u64(rv_builder *b, uint32_t col, uint64_t v, rv_error *err)
{
    rv_bcol *c = &b->cols[col];
    if (__builtin_expect(c->kind != RV_UINT64, 0)) {
        RV_TRY(rv_bcol_target(c, "an unsigned integer", &c, err));
        return c->kind == RV_UINT64 ? put_u64(c, v, err)
                                    : rv_bcol_target(c, "an unsigned integer", &c, err);
    }
    rv_builder_expect(b, col);
    RV_TRY(put_u64(c, v, err));
    b->hashes[col] = rv_bcol_hash_u64(c, v);
    return RV_OK;
}

static inline uint64_t double_bits(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static inline uint64_t hash_double(const rv_bcol *c, double v)
{
    return rv_bcol_hash_u64(c, v == v ? double_bits(v) : RV_NAN_BITS);
}

static inline rv_status put_f32(rv_bcol *c, float v, rv_error *err)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    RV_TRY(rv_bcol_room(c, err));
    rv_bcol_put32(c, bits);
    return RV_OK;
}

rv_status rv_builder_f64(rv_builder *b, uint32_t col, double v, rv_error *err)
{
    rv_bcol *c = &b->cols[col];
    if (__builtin_expect(c->kind != RV_FLOAT64, 0)) {
        RV_TRY(rv_bcol_target(c, "a double", &c, err));
        return c->kind == RV_FLOAT64 ? put_u64(c, double_bits(v), err)
                                     : rv_bcol_target(c, "a double", &c, err);
    }
    rv_builder_expect(b, col);
    RV_TRY(put_u64(c, double_bits(v), err));
    b->hashes[col] = hash_double(c, v);
    return RV_OK;
}

rv_status rv_builder_f32(rv_builder *b, uint32_t col, float v, rv_error *err)
{
    rv_bcol *c = &b->cols[col];
    if (__builtin_expect(c->kind != RV_FLOAT32, 0)) {
        RV_TRY(rv_bcol_target(c, "a float", &c, err));
        return c->kind == RV_FLOAT32 ? put_f32(c, v, err) : rv_bcol_target(c, "a float", &c, err);
    }
    rv_builder_expect(b, col);
    RV_TRY(put_f32(c, v, err));
    b->hashes[col] = hash_double(c, (double)v);
    return RV_OK;
}

static uint64_t hash_decimal(const rv_bcol *c, rv_i256 v)
{
    int64_t word;
    if (rv_i256_to_i64(v, &word))
        return rv_hash_decimal(&c->seed, c->tag, c->scale, word);
    uint8_t tagged[1 + RV_CANONICAL_FIXED_MAX];
    tagged[0] = c->tag;
    size_t len = 1 + rv_canonical_decimal(v, c->scale, tagged + 1);
    return XXH3_64bits_withSeed(tagged, len, c->seed.seed);
}

static rv_status decimal_misfit(const rv_bcol *c, rv_i256 v, rv_error *err)
{
    char text[RV_DECIMAL_TEXT_SIZE];
    size_t len = rv_decimal_text(v, c->scale, text);
    return rv_bcol_misfit(c, (rv_str){text, len}, err);
}

static rv_status put_decimal(rv_bcol *c, rv_i256 v, rv_error *err)
{
    if (!rv_decimal_fits(v, c->type.precision))
        return decimal_misfit(c, v, err);
    RV_TRY(rv_bcol_room(c, err));
    memcpy(c->values + (size_t)c->present * c->width, v.limb, c->width);
    c->present++;
    return RV_OK;
}

/* Any decimal column, and the child of an open list. */
static rv_status append_decimal(rv_builder *b, uint32_t col, rv_i256 v, rv_error *err)
{
    rv_bcol *c = &b->cols[col];
    if (c->kind != RV_DECIMAL) {
        RV_TRY(rv_bcol_target(c, "a decimal", &c, err));
        return c->kind == RV_DECIMAL ? put_decimal(c, v, err)
                                     : rv_bcol_target(c, "a decimal", &c, err);
    }
    rv_builder_expect(b, col);
    RV_TRY(put_decimal(c, v, err));
    b->hashes[col] = hash_decimal(c, v);
    return RV_OK;
}

/* A 64-bit value that fits the precision, sign-extended to the column's width. */
static inline rv_status put_word(rv_bcol *c, int64_t v, rv_error *err)
{
    RV_TRY(rv_bcol_room(c, err));
    if (c->width == 8) {
        rv_bcol_put64(c, (uint64_t)v);
        return RV_OK;
    }
    rv_i256 wide = rv_i256_from_i64(v);
    uint8_t *to = c->values + (size_t)c->present * c->width;
    memcpy(to, wide.limb, 16);
    if (c->width == 32)
        memcpy(to + 16, wide.limb + 2, 16);
    c->present++;
    return RV_OK;
}

rv_status rv_builder_decimal_i64(rv_builder *b, uint32_t col, int64_t unscaled, rv_error *err)
{
    rv_bcol *c = &b->cols[col];
    if (c->kind != RV_DECIMAL || unscaled > c->unscaled_max || unscaled < -c->unscaled_max)
        return append_decimal(b, col, rv_i256_from_i64(unscaled), err);
    rv_builder_expect(b, col);
    RV_TRY(put_word(c, unscaled, err));
    b->hashes[col] = rv_hash_decimal(&c->seed, c->tag, c->scale, unscaled);
    return RV_OK;
}

rv_status rv_builder_decimal_i128(rv_builder *b, uint32_t col, rv_i128 unscaled, rv_error *err)
{
    return append_decimal(b, col, rv_i256_from_i128(unscaled), err);
}

static rv_status text_misfit(const rv_bcol *c, rv_str text, rv_decimal_fit fit, rv_error *err)
{
    rv_status st = rv_bcol_misfit(c, text, err);
    if (fit == RV_DECIMAL_SYNTAX)
        (void)rv_wrap(err, st, "column '%s': not a decimal number", c->name);
    else if (fit == RV_DECIMAL_FRACTION)
        (void)rv_wrap(err, st, "column '%s': a non-zero digit lies beyond %u fraction digits",
                      c->name, c->scale);
    return st;
}

rv_status rv_builder_decimal_text(rv_builder *b, uint32_t col, rv_str text, rv_error *err)
{
    const rv_bcol *c = &b->cols[col];
    if (c->open)
        c = c->child;
    if (c->kind != RV_DECIMAL)
        return append_decimal(b, col, rv_i256_from_i64(0), err); /* refuses the column's type */
    rv_i256 v;
    rv_decimal_fit fit = rv_decimal_parse(text, c->type.precision, c->type.scale, &v);
    int64_t word;
    if (fit != RV_DECIMAL_OK)
        return text_misfit(c, text, fit, err);
    if (rv_i256_to_i64(v, &word))
        return rv_builder_decimal_i64(b, col, word, err);
    return append_decimal(b, col, v, err);
}

static rv_status put_uuid(rv_bcol *c, const uint8_t v[16], rv_error *err)
{
    RV_TRY(rv_bcol_room(c, err));
    memcpy(c->values + (size_t)c->present * 16, v, 16);
    c->present++;
    return RV_OK;
}

rv_status rv_builder_uuid(rv_builder *b, uint32_t col, const uint8_t v[16], rv_error *err)
{
    rv_bcol *c = &b->cols[col];
    if (__builtin_expect(c->kind != RV_UUID, 0)) {
        RV_TRY(rv_bcol_target(c, "a uuid", &c, err));
        return c->kind == RV_UUID ? put_uuid(c, v, err) : rv_bcol_target(c, "a uuid", &c, err);
    }
    rv_builder_expect(b, col);
    RV_TRY(put_uuid(c, v, err));
    b->hashes[col] = rv_hash_128(&c->seed, c->tag, v, 16);
    return RV_OK;
}

rv_status rv_builder_list_begin(rv_builder *b, uint32_t col, rv_error *err)
{
    rv_bcol *c = &b->cols[col];
    if (c->kind != RV_LIST || c->open)
        return rv_fail(err, RV_E_INTERNAL, "column '%s': a list cannot begin here", c->name);
    rv_builder_expect(b, col);
    c->list_nulls = c->child->nulls;
    c->open = true;
    return RV_OK;
}

/* Count and framed elements of the row's list, which begins at element `first`. */
static rv_status list_canonical(const rv_bcol *c, uint32_t first, rv_buf *out, rv_error *err)
{
    const rv_bcol *e = c->child;
    uint32_t rows = rv_bcol_rows(e);
    uint64_t count = rows - first;
    uint32_t k = first - c->list_nulls;
    rv_cell null = {.null = true};
    RV_TRY(rv_buf_add(out, &count, sizeof count, err));
    for (uint32_t i = first; i < rows; i++) {
        bool present = !e->bits_on || rv_bit(e->bits, i);
        rv_cell cell = present ? rv_cell_at(e->type, e->values, e->offsets, k++) : null;
        RV_TRY(rv_canonical_element(e->type, &cell, out, err));
    }
    return RV_OK;
}

rv_status rv_bcol_list_frame(const rv_bcol *c, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_byte(out, 2, err));
    return list_canonical(c, c->offsets[c->present - 1], out, err);
}

rv_status rv_builder_list_end(rv_builder *b, uint32_t col, rv_error *err)
{
    rv_bcol *c = &b->cols[col];
    if (c->kind != RV_LIST || !c->open)
        return rv_fail(err, RV_E_INTERNAL, "column '%s': no list to end", c->name);
    RV_TRY(rv_bcol_room(c, err));
    rv_buf_clear(&b->scratch);
    RV_TRY(rv_buf_add_byte(&b->scratch, c->tag, err));
    RV_TRY(list_canonical(c, c->offsets[c->present], &b->scratch, err));
    b->row_bytes += b->scratch.len;
    b->hashes[col] = XXH3_64bits_withSeed(b->scratch.ptr, b->scratch.len, c->seed.seed);
    c->offsets[++c->present] = rv_bcol_rows(c->child);
    c->open = false;
    return RV_OK;
}
