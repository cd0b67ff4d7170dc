#include "format/parquet/thrift.h"

#include <string.h>

#include "base/checked.h"

/* Wire types of the compact protocol. */
enum {
    WIRE_STOP = 0,
    WIRE_TRUE = 1,
    WIRE_FALSE = 2,
    WIRE_I8 = 3,
    WIRE_I16 = 4,
    WIRE_I32 = 5,
    WIRE_I64 = 6,
    WIRE_DOUBLE = 7,
    WIRE_BINARY = 8,
    WIRE_LIST = 9,
    WIRE_SET = 10,
    WIRE_MAP = 11,
    WIRE_STRUCT = 12,
    WIRE_UUID = 13
};

static const uint8_t wire_of_kind[] = {
    [RV_THRIFT_BOOL] = WIRE_TRUE,     [RV_THRIFT_I8] = WIRE_I8,
    [RV_THRIFT_I16] = WIRE_I16,       [RV_THRIFT_I32] = WIRE_I32,
    [RV_THRIFT_I64] = WIRE_I64,       [RV_THRIFT_BINARY] = WIRE_BINARY,
    [RV_THRIFT_STRUCT] = WIRE_STRUCT, [RV_THRIFT_RAW] = WIRE_STRUCT,
    [RV_THRIFT_LIST] = WIRE_LIST,
};

typedef struct any_list {
    void *items;
    size_t n;
} any_list;

static size_t kind_size(uint8_t kind, const rv_thrift_desc *sub)
{
    switch ((rv_thrift_kind)kind) {
    case RV_THRIFT_BOOL:
        return sizeof(bool);
    case RV_THRIFT_I8:
        return 1;
    case RV_THRIFT_I16:
        return 2;
    case RV_THRIFT_I32:
        return 4;
    case RV_THRIFT_I64:
        return 8;
    case RV_THRIFT_BINARY:
    case RV_THRIFT_RAW:
        return sizeof(rv_bytes);
    case RV_THRIFT_STRUCT:
        return sub->size;
    case RV_THRIFT_LIST:
        return sizeof(any_list);
    }
    return 0;
}

static uint32_t has_bits(const void *value)
{
    uint32_t has;
    memcpy(&has, value, sizeof has);
    return has;
}

/* ---- writing ---- */

static rv_status put_varint(uint64_t v, rv_buf *out, rv_error *err)
{
    uint8_t bytes[10];
    size_t n = 0;
    while (v >= 0x80) {
        bytes[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    bytes[n++] = (uint8_t)v;
    return rv_buf_add(out, bytes, n, err);
}

static uint64_t zigzag(int64_t v)
{
    uint64_t doubled = (uint64_t)v << 1;
    return v < 0 ? ~doubled : doubled;
}

static rv_status put_field(unsigned id, uint8_t wire, unsigned *last_id, rv_buf *out, rv_error *err)
{
    unsigned delta = id - *last_id;
    if (delta >= 1 && delta <= 15) {
        RV_TRY(rv_buf_add_byte(out, (uint8_t)(delta << 4 | wire), err));
    } else {
        RV_TRY(rv_buf_add_byte(out, wire, err));
        RV_TRY(put_varint(zigzag((int64_t)id), out, err));
    }
    *last_id = id;
    return RV_OK;
}

static rv_status put_list_header(size_t n, uint8_t wire, rv_buf *out, rv_error *err)
{
    if (n < 15)
        return rv_buf_add_byte(out, (uint8_t)(n << 4 | wire), err);
    RV_TRY(rv_buf_add_byte(out, (uint8_t)(0xF0 | wire), err));
    return put_varint(n, out, err);
}

static rv_status put_int(const uint8_t *at, uint8_t kind, rv_buf *out, rv_error *err)
{
    int64_t v = 0;
    if (kind == RV_THRIFT_I64) {
        memcpy(&v, at, 8);
    } else if (kind == RV_THRIFT_I32) {
        int32_t x;
        memcpy(&x, at, 4);
        v = x;
    } else {
        int16_t x;
        memcpy(&x, at, 2);
        v = x;
    }
    return put_varint(zigzag(v), out, err);
}

static rv_status put_bytes(const uint8_t *at, bool with_length, rv_buf *out, rv_error *err)
{
    rv_bytes b;
    memcpy(&b, at, sizeof b);
    if (with_length)
        RV_TRY(put_varint(b.len, out, err));
    return b.len ? rv_buf_add(out, b.ptr, b.len, err) : RV_OK;
}

/* Recursion is as deep as the tables, which are finite. */
static rv_status put_value(uint8_t kind, uint8_t elem, const rv_thrift_desc *sub, const uint8_t *at,
                           rv_buf *out, rv_error *err)
{
    switch ((rv_thrift_kind)kind) {
    case RV_THRIFT_BOOL:
        return rv_buf_add_byte(out, *(const bool *)(const void *)at ? 1 : 2, err);
    case RV_THRIFT_I8:
        return rv_buf_add_byte(out, *at, err);
    case RV_THRIFT_I16:
    case RV_THRIFT_I32:
    case RV_THRIFT_I64:
        return put_int(at, kind, out, err);
    case RV_THRIFT_BINARY:
        return put_bytes(at, true, out, err);
    case RV_THRIFT_RAW:
        return put_bytes(at, false, out, err);
    case RV_THRIFT_STRUCT:
        return rv_thrift_write(sub, at, out, err);
    case RV_THRIFT_LIST:
        break;
    }
    any_list list;
    memcpy(&list, at, sizeof list);
    RV_TRY(put_list_header(list.n, wire_of_kind[elem], out, err));
    size_t step = kind_size(elem, sub);
    for (size_t i = 0; i < list.n; i++)
        RV_TRY(put_value(elem, 0, sub, (const uint8_t *)list.items + i * step, out, err));
    return RV_OK;
}

rv_status rv_thrift_write_fields(const rv_thrift_desc *desc, const void *value, unsigned from_id,
                                 unsigned to_id, unsigned *last_id, rv_buf *out, rv_error *err)
{
    for (uint32_t i = 0; i < desc->n_fields; i++) {
        const rv_thrift_field *f = &desc->fields[i];
        if (f->id < from_id || f->id > to_id)
            continue;
        if (!f->required && !(has_bits(value) & RV_HAS(f->id)))
            continue;
        const uint8_t *at = (const uint8_t *)value + f->offset;
        uint8_t wire = wire_of_kind[f->kind];
        if (f->kind == RV_THRIFT_BOOL && !*(const bool *)(const void *)at)
            wire = WIRE_FALSE;
        RV_TRY(put_field(f->id, wire, last_id, out, err));
        if (f->kind != RV_THRIFT_BOOL)
            RV_TRY(put_value(f->kind, f->elem, f->sub, at, out, err));
    }
    return RV_OK;
}

rv_status rv_thrift_write_list_of_structs(unsigned id, size_t n, unsigned *last_id, rv_buf *out,
                                          rv_error *err)
{
    RV_TRY(put_field(id, WIRE_LIST, last_id, out, err));
    return put_list_header(n, WIRE_STRUCT, out, err);
}

rv_status rv_thrift_write_stop(rv_buf *out, rv_error *err)
{
    return rv_buf_add_byte(out, WIRE_STOP, err);
}

rv_status rv_thrift_write(const rv_thrift_desc *desc, const void *value, rv_buf *out, rv_error *err)
{
    unsigned last_id = 0;
    RV_TRY(rv_thrift_write_fields(desc, value, 1, 31, &last_id, out, err));
    return rv_thrift_write_stop(out, err);
}

/* ---- reading ---- */

typedef struct cursor {
    rv_bytes in;
    size_t pos;
    rv_arena *arena;
    rv_error *err;
} cursor;

static rv_status bad(const cursor *c, const char *what)
{
    return rv_fail(c->err, RV_E_CORRUPT, "thrift: %s at byte %zu", what, c->pos);
}

static size_t left(const cursor *c)
{
    return c->in.len - c->pos;
}

static rv_status get_byte(cursor *c, uint8_t *out)
{
    if (left(c) == 0)
        return bad(c, "unexpected end");
    *out = c->in.ptr[c->pos++];
    return RV_OK;
}

static rv_status get_varint(cursor *c, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte;
        RV_TRY(get_byte(c, &byte));
        if (shift == 63 && byte > 1)
            break;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *out = v;
            return RV_OK;
        }
    }
    return bad(c, "integer of more than 64 bits");
}

static rv_status get_zigzag(cursor *c, int64_t min, int64_t max, int64_t *out)
{
    uint64_t u;
    RV_TRY(get_varint(c, &u));
    int64_t v = (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
    if (v < min || v > max)
        return bad(c, "integer out of range");
    *out = v;
    return RV_OK;
}

static rv_status get_span(cursor *c, size_t len)
{
    if (len > left(c))
        return bad(c, "length beyond the end");
    c->pos += len;
    return RV_OK;
}

/* Every element takes at least one byte, so the count can never exceed what is left. */
static rv_status get_list_header(cursor *c, size_t *n, uint8_t *wire)
{
    uint8_t head;
    RV_TRY(get_byte(c, &head));
    uint64_t count = head >> 4;
    if (count == 15)
        RV_TRY(get_varint(c, &count));
    if (count > left(c))
        return bad(c, "list longer than what is left");
    *n = (size_t)count;
    *wire = head & 15;
    return RV_OK;
}

/* *wire WIRE_STOP at the end of the struct. */
static rv_status get_field(cursor *c, int64_t *id, uint8_t *wire)
{
    uint8_t head;
    RV_TRY(get_byte(c, &head));
    *wire = head & 15;
    if (head == WIRE_STOP)
        return RV_OK;
    if (*wire == WIRE_STOP)
        return bad(c, "field without a type");
    if (head >> 4) {
        *id += head >> 4;
        return RV_OK;
    }
    return get_zigzag(c, INT16_MIN, INT16_MAX, id);
}

static rv_status skip_struct(cursor *c, unsigned depth);
static rv_status skip_value(cursor *c, uint8_t wire, unsigned depth);

static rv_status skip_list(cursor *c, unsigned depth)
{
    size_t n;
    uint8_t wire;
    RV_TRY(get_list_header(c, &n, &wire));
    for (size_t i = 0; i < n; i++) {
        if (wire == WIRE_TRUE || wire == WIRE_FALSE)
            RV_TRY(get_span(c, 1));
        else
            RV_TRY(skip_value(c, wire, depth));
    }
    return RV_OK;
}

static rv_status skip_map(cursor *c, unsigned depth)
{
    uint64_t n;
    uint8_t types = 0;
    RV_TRY(get_varint(c, &n));
    if (n > left(c))
        return bad(c, "map longer than what is left");
    if (n)
        RV_TRY(get_byte(c, &types));
    for (uint64_t i = 0; i < 2 * n; i++) {
        uint8_t wire = i % 2 ? types & 15 : types >> 4;
        if (wire == WIRE_TRUE || wire == WIRE_FALSE)
            RV_TRY(get_span(c, 1));
        else
            RV_TRY(skip_value(c, wire, depth));
    }
    return RV_OK;
}

static rv_status skip_value(cursor *c, uint8_t wire, unsigned depth)
{
    uint64_t v;
    if (depth >= RV_THRIFT_DEPTH_MAX)
        return bad(c, "nested too deep");
    switch (wire) {
    case WIRE_TRUE:
    case WIRE_FALSE:
        return RV_OK;
    case WIRE_I8:
        return get_span(c, 1);
    case WIRE_I16:
    case WIRE_I32:
    case WIRE_I64:
        return get_varint(c, &v);
    case WIRE_DOUBLE:
        return get_span(c, 8);
    case WIRE_UUID:
        return get_span(c, 16);
    case WIRE_BINARY:
        RV_TRY(get_varint(c, &v));
        return v > left(c) ? bad(c, "length beyond the end") : get_span(c, (size_t)v);
    case WIRE_LIST:
    case WIRE_SET:
        return skip_list(c, depth + 1);
    case WIRE_MAP:
        return skip_map(c, depth + 1);
    case WIRE_STRUCT:
        return skip_struct(c, depth + 1);
    default:
        return bad(c, "unknown wire type");
    }
}

static rv_status skip_struct(cursor *c, unsigned depth)
{
    if (depth > RV_THRIFT_DEPTH_MAX)
        return bad(c, "nested too deep");
    int64_t id = 0;
    for (;;) {
        uint8_t wire;
        RV_TRY(get_field(c, &id, &wire));
        if (wire == WIRE_STOP)
            return RV_OK;
        RV_TRY(skip_value(c, wire, depth));
    }
}

static rv_status read_struct(cursor *c, const rv_thrift_desc *desc, void *out, unsigned depth);

static rv_status read_int(cursor *c, uint8_t kind, uint8_t *at)
{
    static const int64_t limit[] = {
        [RV_THRIFT_I16] = INT16_MAX, [RV_THRIFT_I32] = INT32_MAX, [RV_THRIFT_I64] = INT64_MAX};
    int64_t v;
    RV_TRY(get_zigzag(c, -limit[kind] - 1, limit[kind], &v));
    if (kind == RV_THRIFT_I64) {
        memcpy(at, &v, 8);
    } else if (kind == RV_THRIFT_I32) {
        int32_t x = (int32_t)v;
        memcpy(at, &x, 4);
    } else {
        int16_t x = (int16_t)v;
        memcpy(at, &x, 2);
    }
    return RV_OK;
}

static rv_status read_bytes(cursor *c, uint8_t *at)
{
    uint64_t len;
    RV_TRY(get_varint(c, &len));
    if (len > left(c))
        return bad(c, "length beyond the end");
    rv_bytes b = {c->in.ptr + c->pos, (size_t)len};
    memcpy(at, &b, sizeof b);
    return get_span(c, (size_t)len);
}

static rv_status read_raw(cursor *c, uint8_t *at, unsigned depth)
{
    size_t start = c->pos;
    RV_TRY(skip_struct(c, depth + 1));
    rv_bytes b = {c->in.ptr + start, c->pos - start};
    memcpy(at, &b, sizeof b);
    return RV_OK;
}

static rv_status read_bool_elem(cursor *c, uint8_t *at)
{
    uint8_t byte;
    RV_TRY(get_byte(c, &byte));
    bool v = byte == 1; /* false is 2, in older writers 0 */
    if (byte > 2)
        return bad(c, "boolean that is neither 0, 1 nor 2");
    memcpy(at, &v, sizeof v);
    return RV_OK;
}

static rv_status read_value(cursor *c, uint8_t kind, const rv_thrift_desc *sub, uint8_t *at,
                            unsigned depth)
{
    switch ((rv_thrift_kind)kind) {
    case RV_THRIFT_BOOL:
        return read_bool_elem(c, at);
    case RV_THRIFT_I8:
        return get_byte(c, at);
    case RV_THRIFT_I16:
    case RV_THRIFT_I32:
    case RV_THRIFT_I64:
        return read_int(c, kind, at);
    case RV_THRIFT_BINARY:
        return read_bytes(c, at);
    case RV_THRIFT_RAW:
        return read_raw(c, at, depth);
    case RV_THRIFT_STRUCT:
        return sub->n_fields ? read_struct(c, sub, at, depth + 1) : skip_struct(c, depth + 1);
    case RV_THRIFT_LIST:
        break;
    }
    return bad(c, "list inside a list");
}

/* The smallest serialised form of an element; bounds what a list may allocate. */
static size_t elem_min_bytes(uint8_t elem, const rv_thrift_desc *sub)
{
    size_t min = 1;
    if (elem == RV_THRIFT_STRUCT)
        for (uint32_t i = 0; i < sub->n_fields; i++)
            if (sub->fields[i].required)
                min += sub->fields[i].kind == RV_THRIFT_BOOL ? 1 : 2;
    return min;
}

static rv_status read_list(cursor *c, const rv_thrift_field *f, uint8_t *at, unsigned depth)
{
    any_list list = {NULL, 0};
    uint8_t wire;
    RV_TRY(get_list_header(c, &list.n, &wire));
    bool booleans = f->elem == RV_THRIFT_BOOL && (wire == WIRE_TRUE || wire == WIRE_FALSE);
    if (list.n && wire != wire_of_kind[f->elem] && !booleans)
        return bad(c, "list of an unexpected type");
    if (list.n > left(c) / elem_min_bytes(f->elem, f->sub))
        return bad(c, "list longer than what is left");
    size_t step = kind_size(f->elem, f->sub);
    if (list.n)
        RV_TRY(rv_arena_array(c->arena, list.n, step, &list.items, c->err));
    for (size_t i = 0; i < list.n; i++)
        RV_TRY(read_value(c, f->elem, f->sub, (uint8_t *)list.items + i * step, depth + 1));
    memcpy(at, &list, sizeof list);
    return RV_OK;
}

static bool wire_fits(const rv_thrift_field *f, uint8_t wire)
{
    return wire == wire_of_kind[f->kind] || (f->kind == RV_THRIFT_BOOL && wire == WIRE_FALSE);
}

static rv_status read_field(cursor *c, const rv_thrift_field *f, uint8_t wire, uint8_t *at,
                            unsigned depth)
{
    if (f->kind == RV_THRIFT_BOOL) {
        bool v = wire == WIRE_TRUE;
        memcpy(at, &v, sizeof v);
        return RV_OK;
    }
    return f->kind == RV_THRIFT_LIST ? read_list(c, f, at, depth)
                                     : read_value(c, f->kind, f->sub, at, depth);
}

static const rv_thrift_field *find_field(const rv_thrift_desc *desc, int64_t id)
{
    for (uint32_t i = 0; i < desc->n_fields; i++)
        if (desc->fields[i].id == id)
            return &desc->fields[i];
    return NULL;
}

static rv_status check_required(const cursor *c, const rv_thrift_desc *desc, uint32_t has)
{
    for (uint32_t i = 0; i < desc->n_fields; i++)
        if (desc->fields[i].required && !(has & RV_HAS(desc->fields[i].id)))
            return rv_fail(c->err, RV_E_CORRUPT, "thrift: %s lacks field %u, ended at byte %zu",
                           desc->name, desc->fields[i].id, c->pos);
    return RV_OK;
}

static rv_status read_struct(cursor *c, const rv_thrift_desc *desc, void *out, unsigned depth)
{
    if (depth > RV_THRIFT_DEPTH_MAX)
        return bad(c, "nested too deep");
    uint32_t has = 0;
    int64_t id = 0;
    for (;;) {
        uint8_t wire;
        RV_TRY(get_field(c, &id, &wire));
        if (wire == WIRE_STOP)
            break;
        const rv_thrift_field *f = find_field(desc, id);
        if (!f || !wire_fits(f, wire)) {
            RV_TRY(skip_value(c, wire, depth));
            continue;
        }
        if (has & RV_HAS(f->id))
            return bad(c, "field given twice");
        RV_TRY(read_field(c, f, wire, (uint8_t *)out + f->offset, depth));
        has |= RV_HAS(f->id);
    }
    memcpy(out, &has, sizeof has);
    return check_required(c, desc, has);
}

rv_status rv_thrift_read(const rv_thrift_desc *desc, rv_bytes in, rv_arena *arena, void *out,
                         size_t *used, rv_error *err)
{
    cursor c = {in, 0, arena, err};
    memset(out, 0, desc->size);
    RV_TRY(read_struct(&c, desc, out, 1));
    if (used)
        *used = c.pos;
    return RV_OK;
}
