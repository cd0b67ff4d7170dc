#include "column/canonical.h"

#include <assert.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "column/canonical_internal.h"

uint8_t rv_canonical_tag(rv_type t)
{
    static const uint8_t tags[RV_KIND_COUNT] = {
        [RV_BOOL] = 0x01,         [RV_INT16] = 0x02,
        [RV_INT32] = 0x02,        [RV_INT64] = 0x02,
        [RV_UINT64] = 0x03,       [RV_FLOAT32] = 0x04,
        [RV_FLOAT64] = 0x04,      [RV_DECIMAL] = 0x05,
        [RV_DATE] = 0x06,         [RV_TIME] = 0x07,
        [RV_TIMESTAMP] = 0x08,    [RV_TIMESTAMP_TZ] = 0x09,
        [RV_TIMESTAMP_NS] = 0x0A, [RV_TIMESTAMP_TZ_NS] = 0x0B,
        [RV_STRING] = 0x0C,       [RV_BINARY] = 0x0E,
        [RV_JSON] = 0x0D,         [RV_UUID] = 0x0F,
        [RV_ENUM] = 0x0C,         [RV_INTERVAL] = 0x0C,
        [RV_LIST] = 0x10,
    };
    assert(t.kind < RV_KIND_COUNT);
    return tags[t.kind];
}

rv_cell rv_cell_at(rv_type t, const uint8_t *values, const uint32_t *offsets, uint32_t k)
{
    rv_cell cell = {.null = false};
    rv_layout layout = rv_type_layout(t);
    assert(layout != RV_LAYOUT_LIST);
    unsigned width = rv_layout_width(layout);
    const uint8_t *at = values + (size_t)k * width;
    int32_t i32;
    float f32;
    switch (layout) {
    case RV_LAYOUT_BOOL8:
        cell.i64 = at[0];
        break;
    case RV_LAYOUT_I32:
        memcpy(&i32, at, sizeof i32);
        cell.i64 = i32;
        break;
    case RV_LAYOUT_I64:
        memcpy(&cell.i64, at, sizeof cell.i64);
        if (t.kind == RV_DECIMAL)
            cell.dec = rv_i256_from_i64(cell.i64);
        break;
    case RV_LAYOUT_F32:
        memcpy(&f32, at, sizeof f32);
        cell.f64 = (double)f32;
        break;
    case RV_LAYOUT_F64:
        memcpy(&cell.f64, at, sizeof cell.f64);
        break;
    case RV_LAYOUT_B16:
    case RV_LAYOUT_B32:
        if (t.kind == RV_DECIMAL)
            cell.dec = rv_i256_from_le(at, width);
        else
            cell.bytes = (rv_bytes){at, width};
        break;
    case RV_LAYOUT_VAR:
        cell.bytes = (rv_bytes){values + offsets[k], offsets[k + 1] - offsets[k]};
        break;
    case RV_LAYOUT_LIST:
        break;
    }
    return cell;
}

rv_cell rv_cell_of(const rv_col *col, uint32_t k)
{
    assert(k < col->rows - col->nulls);
    return rv_cell_at(col->type, col->values, col->offsets, k);
}

unsigned rv_canonical_decimal(rv_i256 v, unsigned scale, uint8_t out[RV_CANONICAL_FIXED_MAX])
{
    unsigned n = rv_i256_shortest_bytes(v);
    out[0] = (uint8_t)scale;
    rv_i256_to_be(v, out + 1, n);
    return 1 + n;
}

/* Canonical bytes of a present non-list value: in `fixed`, or where the cell points. */
static rv_bytes scalar_bytes(rv_type t, const rv_cell *cell, uint8_t fixed[RV_CANONICAL_FIXED_MAX])
{
    uint64_t bits;
    switch (rv_type_layout(t)) {
    case RV_LAYOUT_BOOL8:
        fixed[0] = cell->i64 != 0;
        return (rv_bytes){fixed, 1};
    case RV_LAYOUT_F32:
    case RV_LAYOUT_F64:
        memcpy(&bits, &cell->f64, sizeof bits);
        if (cell->f64 != cell->f64)
            bits = RV_NAN_BITS;
        memcpy(fixed, &bits, sizeof bits);
        return (rv_bytes){fixed, sizeof bits};
    case RV_LAYOUT_VAR:
        return cell->bytes;
    case RV_LAYOUT_I32:
    case RV_LAYOUT_I64:
    case RV_LAYOUT_B16:
    case RV_LAYOUT_B32:
    case RV_LAYOUT_LIST:
        break;
    }
    if (t.kind == RV_UUID)
        return cell->bytes;
    if (t.kind == RV_DECIMAL)
        return (rv_bytes){fixed, rv_canonical_decimal(cell->dec, t.scale, fixed)};
    memcpy(fixed, &cell->i64, sizeof cell->i64);
    return (rv_bytes){fixed, sizeof cell->i64};
}

rv_status rv_canonical_element(rv_type t, const rv_cell *cell, rv_buf *out, rv_error *err)
{
    if (cell->null)
        return rv_buf_add_byte(out, 0, err);
    uint8_t fixed[RV_CANONICAL_FIXED_MAX];
    rv_bytes bytes = scalar_bytes(t, cell, fixed);
    assert(bytes.len <= UINT32_MAX);
    uint32_t len = (uint32_t)bytes.len;
    RV_TRY(rv_buf_reserve(out, 5 + bytes.len, err));
    uint8_t *p = out->ptr + out->len;
    p[0] = 1;
    memcpy(p + 1, &len, sizeof len);
    if (len)
        memcpy(p + 5, bytes.ptr, len);
    out->len += 5 + bytes.len;
    return RV_OK;
}

static rv_status list_bytes(rv_type t, const rv_cell *cell, rv_buf *out, rv_error *err)
{
    uint64_t count = cell->n_elems;
    rv_type elem = rv_type_elem(t);
    RV_TRY(rv_buf_add(out, &count, sizeof count, err));
    for (size_t i = 0; i < cell->n_elems; i++)
        RV_TRY(rv_canonical_element(elem, &cell->elems[i], out, err));
    return RV_OK;
}

rv_status rv_canonical_append(rv_type t, const rv_cell *cell, rv_buf *out, rv_error *err)
{
    if (cell->null)
        return rv_buf_add_byte(out, 0, err);
    RV_TRY(rv_buf_add_byte(out, rv_canonical_tag(t), err));
    if (t.kind == RV_LIST)
        return list_bytes(t, cell, out, err);
    uint8_t fixed[RV_CANONICAL_FIXED_MAX];
    rv_bytes bytes = scalar_bytes(t, cell, fixed);
    return rv_buf_add(out, bytes.ptr, bytes.len, err);
}

rv_status rv_canonical_frame(rv_type t, const rv_cell *cell, rv_buf *out, rv_error *err)
{
    if (cell->null || t.kind != RV_LIST)
        return rv_canonical_element(t, cell, out, err);
    RV_TRY(rv_buf_add_byte(out, 2, err));
    return list_bytes(t, cell, out, err);
}

uint64_t rv_canonical_seed(rv_str column_name)
{
    return XXH3_64bits(column_name.ptr, column_name.len);
}

rv_status rv_canonical_hash(rv_type t, const rv_cell *cell, uint64_t seed, rv_buf *scratch,
                            uint64_t *out, rv_error *err)
{
    /* tag and fixed bytes need no buffer: most cells of a file take this way */
    if (!cell->null && t.kind != RV_LIST && rv_type_layout(t) != RV_LAYOUT_VAR) {
        uint8_t tagged[1 + RV_CANONICAL_FIXED_MAX];
        rv_bytes bytes = scalar_bytes(t, cell, tagged + 1);
        if (bytes.ptr != tagged + 1)
            memcpy(tagged + 1, bytes.ptr, bytes.len);
        tagged[0] = rv_canonical_tag(t);
        *out = XXH3_64bits_withSeed(tagged, 1 + bytes.len, seed);
        return RV_OK;
    }
    rv_buf_clear(scratch);
    RV_TRY(rv_canonical_append(t, cell, scratch, err));
    *out = XXH3_64bits_withSeed(scratch->ptr, scratch->len, seed);
    return RV_OK;
}

rv_u128 rv_canonical_row(const uint64_t *cells, size_t n)
{
    XXH128_hash_t h = XXH3_128bits(cells, n * sizeof cells[0]);
    return (rv_u128){h.low64, h.high64};
}
