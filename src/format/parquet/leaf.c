#include "format/parquet/leaf.h"

#include "column/decimal.h"
#include "column/render.h"
#include "format/parquet/list_text.h"
#include "format/parquet/pack.h"

#define UINT64_DIGITS 20u
#define UUID_BYTES 16u

typedef struct physical {
    rv_pq_type type;
    rv_pq_order order;
    unsigned width;
} physical;

static physical decimal_physical(unsigned precision)
{
    if (precision <= 9)
        return (physical){RV_PQ_INT32, RV_PQ_ORDER_I32, 4};
    if (precision <= 18)
        return (physical){RV_PQ_INT64, RV_PQ_ORDER_I64, 8};
    return (physical){RV_PQ_FLBA, RV_PQ_ORDER_SIGNED_BE, rv_decimal_flba_bytes(precision)};
}

static physical physical_of(rv_type t)
{
    switch ((rv_kind)t.kind) {
    case RV_BOOL:
        return (physical){RV_PQ_BOOLEAN, RV_PQ_ORDER_BOOL, 1};
    case RV_INT16:
    case RV_INT32:
    case RV_DATE:
        return (physical){RV_PQ_INT32, RV_PQ_ORDER_I32, 4};
    case RV_UINT64:
        return (physical){RV_PQ_INT64, RV_PQ_ORDER_U64, 8};
    case RV_INT64:
    case RV_TIME:
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
        return (physical){RV_PQ_INT64, RV_PQ_ORDER_I64, 8};
    case RV_FLOAT32:
        return (physical){RV_PQ_FLOAT, RV_PQ_ORDER_F32, 4};
    case RV_FLOAT64:
        return (physical){RV_PQ_DOUBLE, RV_PQ_ORDER_F64, 8};
    case RV_DECIMAL:
        return decimal_physical(t.precision);
    case RV_UUID:
        return (physical){RV_PQ_FLBA, RV_PQ_ORDER_BYTES, UUID_BYTES};
    case RV_STRING:
    case RV_BINARY:
    case RV_JSON:
    case RV_ENUM:
    case RV_INTERVAL:
    case RV_LIST:
        break;
    }
    return (physical){RV_PQ_BYTE_ARRAY, RV_PQ_ORDER_BYTES, 0};
}

static rv_pq_convert convert_of(rv_type t, unsigned width)
{
    if (t.kind != RV_DECIMAL || width == 8)
        return RV_PQ_AS_IS;
    return width == 4 ? RV_PQ_NARROW : RV_PQ_BIG_ENDIAN;
}

/* The plain forms of encoding: compatible. False: the type has no other form there. */
static bool make_compatible(rv_type column, rv_pq_leaf *leaf)
{
    switch ((rv_kind)column.kind) {
    case RV_UINT64:
        leaf->type = rv_type_decimal(UINT64_DIGITS, 0);
        leaf->convert = RV_PQ_BIG_ENDIAN;
        return true;
    case RV_TIME:
    case RV_UUID:
    case RV_LIST:
        leaf->type = rv_type_of(RV_STRING);
        leaf->convert = RV_PQ_TEXT;
        return true;
    case RV_JSON:
        leaf->type = rv_type_of(RV_STRING);
        return true;
    case RV_BOOL:
    case RV_INT16:
    case RV_INT32:
    case RV_INT64:
    case RV_FLOAT32:
    case RV_FLOAT64:
    case RV_DECIMAL:
    case RV_DATE:
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
    case RV_STRING:
    case RV_BINARY:
    case RV_ENUM:
    case RV_INTERVAL:
        break;
    }
    return false;
}

static bool is_signed_order(rv_pq_order order)
{
    return order == RV_PQ_ORDER_I32 || order == RV_PQ_ORDER_I64 || order == RV_PQ_ORDER_F32 ||
           order == RV_PQ_ORDER_F64 || order == RV_PQ_ORDER_BOOL;
}

rv_pq_leaf rv_pq_leaf_of(rv_type column, rv_encoding_policy policy)
{
    rv_pq_leaf leaf = {.type = column};
    bool compatible = policy == RV_ENCODING_COMPATIBLE;
    leaf.src_width = rv_layout_width(rv_type_layout(column));
    if (!(compatible && make_compatible(column, &leaf)) && column.kind == RV_LIST) {
        leaf.is_list = true;
        leaf.type = rv_type_elem(column);
        leaf.src_width = rv_layout_width(rv_type_layout(leaf.type));
    }
    physical p = physical_of(leaf.type);
    leaf.physical = p.type;
    leaf.order = p.order;
    leaf.width = p.width;
    leaf.text = rv_type_is_text(leaf.type);
    if (leaf.convert == RV_PQ_AS_IS)
        leaf.convert = convert_of(leaf.type, p.width);
    leaf.legacy_stats = compatible && is_signed_order(leaf.order);
    return leaf;
}

size_t rv_pq_leaf_elements(const rv_pq_leaf *leaf)
{
    return leaf->is_list ? 3 : 1;
}

static void set_logical(rv_pq_schema_element *e, unsigned id)
{
    e->has |= RV_HAS(RV_PQ_SCHEMA_LOGICAL);
    e->logical.has = RV_HAS(id);
}

static void set_converted(rv_pq_schema_element *e, rv_pq_converted converted)
{
    e->has |= RV_HAS(RV_PQ_SCHEMA_CONVERTED);
    e->converted = (int32_t)converted;
}

static void set_integer(rv_pq_schema_element *e, int8_t width, bool is_signed,
                        rv_pq_converted converted)
{
    set_logical(e, RV_PQ_LOGICAL_INTEGER);
    e->logical.integer = (rv_pq_logical_int){.width = width, .is_signed = is_signed};
    set_converted(e, converted);
}

static void set_decimal(rv_pq_schema_element *e, rv_type t)
{
    set_logical(e, RV_PQ_LOGICAL_DECIMAL);
    e->logical.decimal = (rv_pq_logical_decimal){.scale = t.scale, .precision = t.precision};
    set_converted(e, RV_PQ_CONV_DECIMAL);
    e->has |= RV_HAS(RV_PQ_SCHEMA_SCALE) | RV_HAS(RV_PQ_SCHEMA_PRECISION);
    e->scale = t.scale;
    e->precision = t.precision;
}

static void set_time(rv_pq_schema_element *e, unsigned id, bool utc, unsigned unit)
{
    set_logical(e, id);
    e->logical.time.utc = utc;
    e->logical.time.unit.has = RV_HAS(unit);
}

/* The converted type of µs stamps is written for local times too: old readers know no other. */
static void set_annotation(rv_pq_schema_element *e, rv_type t)
{
    switch ((rv_kind)t.kind) {
    case RV_INT16:
        set_integer(e, 16, true, RV_PQ_CONV_INT_16);
        break;
    case RV_UINT64:
        set_integer(e, 64, false, RV_PQ_CONV_UINT_64);
        break;
    case RV_DECIMAL:
        set_decimal(e, t);
        break;
    case RV_DATE:
        set_logical(e, RV_PQ_LOGICAL_DATE);
        set_converted(e, RV_PQ_CONV_DATE);
        break;
    case RV_TIME:
        set_time(e, RV_PQ_LOGICAL_TIME, false, RV_PQ_UNIT_US);
        set_converted(e, RV_PQ_CONV_TIME_MICROS);
        break;
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
        set_time(e, RV_PQ_LOGICAL_TIMESTAMP, t.kind == RV_TIMESTAMP_TZ, RV_PQ_UNIT_US);
        set_converted(e, RV_PQ_CONV_TIMESTAMP_MICROS);
        break;
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
        set_time(e, RV_PQ_LOGICAL_TIMESTAMP, t.kind == RV_TIMESTAMP_TZ_NS, RV_PQ_UNIT_NS);
        break;
    case RV_STRING:
    case RV_ENUM:
    case RV_INTERVAL:
        set_logical(e, RV_PQ_LOGICAL_STRING);
        set_converted(e, RV_PQ_CONV_UTF8);
        break;
    case RV_JSON:
        set_logical(e, RV_PQ_LOGICAL_JSON);
        set_converted(e, RV_PQ_CONV_JSON);
        break;
    case RV_UUID:
        set_logical(e, RV_PQ_LOGICAL_UUID);
        break;
    case RV_BOOL:
    case RV_INT32:
    case RV_INT64:
    case RV_FLOAT32:
    case RV_FLOAT64:
    case RV_BINARY:
    case RV_LIST:
        break;
    }
}

static rv_pq_schema_element element(const char *name, rv_pq_repetition repetition)
{
    rv_pq_schema_element e = {.has = RV_HAS(RV_PQ_SCHEMA_REPETITION),
                              .repetition = (int32_t)repetition};
    e.name = rv_str_bytes(rv_str_c(name));
    return e;
}

static rv_pq_schema_element group_of_one(const char *name, rv_pq_repetition repetition)
{
    rv_pq_schema_element e = element(name, repetition);
    e.has |= RV_HAS(RV_PQ_SCHEMA_CHILDREN);
    e.num_children = 1;
    return e;
}

void rv_pq_leaf_describe(const rv_pq_leaf *leaf, const char *name, rv_pq_schema_element *out)
{
    if (leaf->is_list) {
        *out = group_of_one(name, RV_PQ_OPTIONAL);
        set_logical(out, RV_PQ_LOGICAL_LIST);
        set_converted(out++, RV_PQ_CONV_LIST);
        *out++ = group_of_one("list", RV_PQ_REPEATED);
        name = "element";
    }
    *out = element(name, RV_PQ_OPTIONAL);
    out->has |= RV_HAS(RV_PQ_SCHEMA_TYPE);
    out->type = (int32_t)leaf->physical;
    if (leaf->physical == RV_PQ_FLBA) {
        out->has |= RV_HAS(RV_PQ_SCHEMA_LENGTH);
        out->type_length = (int32_t)leaf->width;
    }
    set_annotation(out, leaf->type);
}

static void narrow(const uint8_t *from, uint32_t n, uint8_t *to)
{
    for (uint32_t i = 0; i < n; i++)
        rv_pq_store32(to + 4 * (size_t)i, (uint32_t)rv_pq_load64(from + 8 * (size_t)i));
}

/* Sign bytes are copied with the rest: the source is at least as wide, but for the unsigned
 * 8-byte integers, which get leading zeros. */
static void big_endian(const uint8_t *from, unsigned src, uint32_t n, uint8_t *to, unsigned width)
{
    unsigned common = src < width ? src : width;
    for (uint32_t i = 0; i < n; i++, from += src, to += width) {
        memset(to, 0, width);
        for (unsigned b = 0; b < common; b++)
            to[width - 1 - b] = from[b];
    }
}

static rv_status convert_fixed(const rv_pq_leaf *leaf, const uint8_t *from, uint32_t n,
                               rv_pq_scratch *scratch, rv_pq_span *out, rv_error *err)
{
    rv_buf_clear(&scratch->values);
    RV_TRY(rv_buf_reserve(&scratch->values, (size_t)n * leaf->width, err));
    if (leaf->convert == RV_PQ_NARROW)
        narrow(from, n, scratch->values.ptr);
    else
        big_endian(from, leaf->src_width, n, scratch->values.ptr, leaf->width);
    out->values = scratch->values.ptr;
    return RV_OK;
}

static rv_status convert_text(const rv_col *col, uint32_t from, uint32_t n, rv_pq_scratch *scratch,
                              rv_pq_span *out, rv_error *err)
{
    rv_buf *values = &scratch->values;
    uint32_t offset = 0;
    rv_buf_clear(values);
    rv_buf_clear(&scratch->offsets);
    RV_TRY(rv_buf_reserve(values, 1, err));
    RV_TRY(rv_buf_add(&scratch->offsets, &offset, sizeof offset, err));
    for (uint32_t k = from; k < from + n; k++) {
        RV_TRY(col->type.kind == RV_LIST ? rv_pq_list_text(col, k, values, err)
                                         : rv_render_value(col, k, values, err));
        if (values->len > INT32_MAX)
            return rv_fail(err, RV_E_VALUE_TOO_LARGE, "rendered lists exceed 2 GiB");
        offset = (uint32_t)values->len;
        RV_TRY(rv_buf_add(&scratch->offsets, &offset, sizeof offset, err));
    }
    out->values = values->ptr;
    out->offsets = (const uint32_t *)(const void *)scratch->offsets.ptr;
    return RV_OK;
}

rv_status rv_pq_leaf_span(const rv_pq_leaf *leaf, const rv_col *col, uint32_t from, uint32_t n,
                          rv_pq_scratch *scratch, rv_pq_span *out, rv_error *err)
{
    *out = (rv_pq_span){NULL, NULL};
    switch (leaf->convert) {
    case RV_PQ_AS_IS:
        out->values = leaf->width ? col->values + (size_t)from * leaf->width : col->values;
        out->offsets = leaf->width ? NULL : col->offsets + from;
        return RV_OK;
    case RV_PQ_NARROW:
    case RV_PQ_BIG_ENDIAN:
        return convert_fixed(leaf, col->values + (size_t)from * leaf->src_width, n, scratch, out,
                             err);
    case RV_PQ_TEXT:
        break;
    }
    return convert_text(col, from, n, scratch, out, err);
}

void rv_pq_scratch_free(rv_pq_scratch *s)
{
    rv_buf_free(&s->values);
    rv_buf_free(&s->offsets);
}
