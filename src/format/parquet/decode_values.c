#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "format/parquet/decode.h"

unsigned rv_pq_fixed_width(int32_t type)
{
    static const uint8_t widths[] = {1, 4, 8, 12, 4, 8, 0, 0};
    return type >= 0 && type <= RV_PQ_FLBA ? widths[type] : 0;
}

rv_status rv_pq_scratch_open(rv_pq_scratch *s, rv_error *err)
{
    rv_pq_scratch made = {
        .indices = rv_alloc(RV_PQ_SLICE * sizeof *made.indices),
        .wide = rv_alloc(RV_PQ_SLICE * 12),
        .aux = rv_alloc(RV_PQ_SLICE * sizeof *made.aux),
        .spans = rv_alloc(RV_PQ_SLICE * sizeof *made.spans),
        .def = rv_alloc(RV_PQ_SLICE),
        .rep = rv_alloc(RV_PQ_SLICE),
    };
    if (!made.indices || !made.wide || !made.aux || !made.spans || !made.def || !made.rep) {
        rv_pq_scratch_close(&made);
        return rv_fail_memory(err);
    }
    *s = made;
    return RV_OK;
}

void rv_pq_scratch_close(rv_pq_scratch *s)
{
    rv_free(s->indices);
    rv_free(s->wide);
    rv_free(s->aux);
    rv_free(s->spans);
    rv_free(s->def);
    rv_free(s->rep);
    *s = (rv_pq_scratch){0};
}

/* ---- init ---- */

static rv_status init_dict(rv_pq_value_cursor *v, rv_error *err)
{
    if (!v->dict)
        return rv_fail(err, RV_E_CORRUPT, "dictionary-coded page without a dictionary");
    rv_bytes runs = {v->in.ptr + 1, v->in.len - 1};
    return rv_pq_rle_init(&v->u.rle, runs, v->in.ptr[0], err);
}

static rv_status init_rle_booleans(rv_pq_value_cursor *v, rv_error *err)
{
    uint32_t len;
    if (v->in.len < 4)
        return rv_fail(err, RV_E_CORRUPT, "run-length booleans without their length");
    memcpy(&len, v->in.ptr, 4);
    if (len != v->in.len - 4)
        return rv_fail(err, RV_E_CORRUPT, "run-length booleans of %u bytes in %zu", len,
                       v->in.len - 4);
    return rv_pq_rle_init(&v->u.rle, (rv_bytes){v->in.ptr + 4, len}, 1, err);
}

static rv_status init_bss(const rv_pq_value_cursor *v, unsigned width, rv_error *err)
{
    if (width == 0 || v->in.len % width)
        return rv_fail(err, RV_E_CORRUPT, "split streams of %zu bytes for %u-byte values",
                       v->in.len, width);
    return RV_OK;
}

static bool type_fits(uint8_t type, int32_t encoding)
{
    switch (encoding) {
    case RV_PQ_PLAIN:
        return true;
    case RV_PQ_PLAIN_DICT:
    case RV_PQ_RLE_DICT:
        return type != RV_PQ_BOOLEAN;
    case RV_PQ_RLE:
        return type == RV_PQ_BOOLEAN;
    case RV_PQ_DBP:
        return type == RV_PQ_INT32 || type == RV_PQ_INT64;
    case RV_PQ_DLBA:
        return type == RV_PQ_BYTE_ARRAY;
    case RV_PQ_DBA:
        return type == RV_PQ_BYTE_ARRAY || type == RV_PQ_FLBA;
    case RV_PQ_BSS:
        return type == RV_PQ_INT32 || type == RV_PQ_INT64 || type == RV_PQ_FLOAT ||
               type == RV_PQ_DOUBLE || type == RV_PQ_FLBA;
    default:
        return false;
    }
}

rv_status rv_pq_value_cursor_init(rv_pq_value_cursor *v, rv_bytes in, int32_t type, uint32_t flba,
                                  int32_t encoding, const rv_pq_read_dict *dict, rv_error *err)
{
    rv_buf joined = v->joined;
    joined.len = 0;
    *v = (rv_pq_value_cursor){.in = in,
                              .dict = dict,
                              .flba = flba,
                              .type = (uint8_t)type,
                              .encoding = (uint8_t)encoding,
                              .joined = joined};
    if (!type_fits(v->type, encoding))
        return rv_fail(err, RV_E_CORRUPT, "%s values in encoding %s (%d), which is not supported",
                       rv_pq_type_name(type), rv_pq_encoding_name(encoding), encoding);
    v->empty = in.len == 0;
    if (v->empty)
        return RV_OK;
    switch (encoding) {
    case RV_PQ_PLAIN_DICT:
    case RV_PQ_RLE_DICT:
        return init_dict(v, err);
    case RV_PQ_RLE:
        return init_rle_booleans(v, err);
    case RV_PQ_DBP:
        return rv_pq_dbp_init(&v->u.dbp, in, err);
    case RV_PQ_DLBA:
    case RV_PQ_DBA:
        return rv_pq_delta_bytes_init(&v->u.delta, in, encoding == RV_PQ_DBA, err);
    case RV_PQ_BSS:
        return init_bss(v, type == RV_PQ_FLBA ? flba : rv_pq_fixed_width(type), err);
    default:
        return RV_OK;
    }
}

void rv_pq_value_cursor_close(rv_pq_value_cursor *v)
{
    rv_buf_free(&v->joined);
}

/* ---- next ---- */

rv_status rv_pq_plain_spans(rv_bytes in, uint32_t flba, bool is_flba, rv_bytes *out, size_t n,
                            size_t *used, rv_error *err)
{
    size_t pos = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t len = flba;
        if (!is_flba) {
            if (in.len - pos < 4)
                return rv_fail(err, RV_E_CORRUPT, "fewer values than expected");
            memcpy(&len, in.ptr + pos, 4);
            pos += 4;
        }
        if (len > in.len - pos)
            return rv_fail(err, RV_E_CORRUPT, "value of length %u, %zu bytes are left", len,
                           in.len - pos);
        out[i] = (rv_bytes){in.ptr + pos, len};
        pos += len;
    }
    *used = pos;
    return RV_OK;
}

static rv_status next_plain(rv_pq_value_cursor *v, uint32_t n, rv_pq_scratch *s,
                            rv_pq_slice_values *out, rv_error *err)
{
    rv_bytes rest = {v->in.ptr + v->pos, v->in.len - v->pos};
    unsigned width = rv_pq_fixed_width(v->type);
    if (width == 0) {
        size_t used;
        RV_TRY(rv_pq_plain_spans(rest, v->flba, v->type == RV_PQ_FLBA, s->spans, n, &used, err));
        v->pos += used;
        out->spans = s->spans;
        return RV_OK;
    }
    if (n > rest.len / width)
        return rv_fail(err, RV_E_CORRUPT, "fewer values than expected");
    out->fixed = rest.ptr;
    v->pos += (size_t)n * width;
    return RV_OK;
}

/* pos counts bits here. */
static rv_status next_plain_booleans(rv_pq_value_cursor *v, uint32_t n, rv_pq_scratch *s,
                                     rv_pq_slice_values *out, rv_error *err)
{
    uint8_t *to = (uint8_t *)s->wide;
    if (n > v->in.len * 8 - v->pos)
        return rv_fail(err, RV_E_CORRUPT, "fewer values than expected");
    for (size_t i = 0; i < n; i++)
        to[i] = v->in.ptr[(v->pos + i) >> 3] >> ((v->pos + i) & 7) & 1;
    v->pos += n;
    out->fixed = to;
    return RV_OK;
}

static void gather(const rv_pq_read_dict *dict, unsigned width, const uint32_t *at, uint32_t n,
                   uint8_t *to)
{
    if (width == 4) {
        for (uint32_t i = 0; i < n; i++)
            memcpy(to + (size_t)i * 4, dict->fixed + (size_t)at[i] * 4, 4);
    } else if (width == 8) {
        for (uint32_t i = 0; i < n; i++)
            memcpy(to + (size_t)i * 8, dict->fixed + (size_t)at[i] * 8, 8);
    } else {
        for (uint32_t i = 0; i < n; i++)
            memcpy(to + (size_t)i * width, dict->fixed + (size_t)at[i] * width, width);
    }
}

static rv_status next_dict(rv_pq_value_cursor *v, uint32_t n, rv_pq_scratch *s,
                           rv_pq_slice_values *out, rv_error *err)
{
    RV_TRY(rv_pq_rle_next(&v->u.rle, s->indices, n, err));
    uint32_t most = 0;
    for (uint32_t i = 0; i < n; i++)
        most = s->indices[i] > most ? s->indices[i] : most;
    if (n && most >= v->dict->n)
        return rv_fail(err, RV_E_CORRUPT, "dictionary index %u of %u entries", most, v->dict->n);
    out->indices = s->indices;
    unsigned width = rv_pq_fixed_width(v->type);
    if (width) {
        gather(v->dict, width, s->indices, n, (uint8_t *)s->wide);
        out->fixed = (const uint8_t *)s->wide;
        return RV_OK;
    }
    for (uint32_t i = 0; i < n; i++)
        s->spans[i] = v->dict->spans[s->indices[i]];
    out->spans = s->spans;
    return RV_OK;
}

static rv_status next_dbp(rv_pq_value_cursor *v, uint32_t n, rv_pq_scratch *s,
                          rv_pq_slice_values *out, rv_error *err)
{
    RV_TRY(rv_pq_dbp_next(&v->u.dbp, s->wide, n, err));
    out->fixed = (const uint8_t *)s->wide;
    if (v->type == RV_PQ_INT32) {
        uint32_t *narrow = (uint32_t *)(void *)s->aux;
        for (uint32_t i = 0; i < n; i++)
            narrow[i] = (uint32_t)s->wide[i];
        out->fixed = (const uint8_t *)narrow;
    }
    return RV_OK;
}

static rv_status next_delta_bytes(rv_pq_value_cursor *v, uint32_t n, rv_pq_scratch *s,
                                  rv_pq_slice_values *out, rv_error *err)
{
    RV_TRY(rv_pq_delta_bytes_next(&v->u.delta, s->spans, n, &v->joined, err));
    for (uint32_t i = 0; v->type == RV_PQ_FLBA && i < n; i++)
        if (s->spans[i].len != v->flba)
            return rv_fail(err, RV_E_CORRUPT, "value of length %zu in a column of length %u",
                           s->spans[i].len, v->flba);
    out->spans = s->spans;
    return RV_OK;
}

/* Never 0: init refused it, and an empty body is never asked. */
static unsigned stream_count(const rv_pq_value_cursor *v)
{
    unsigned width = v->type == RV_PQ_FLBA ? v->flba : rv_pq_fixed_width(v->type);
    assert(width > 0);
    return width;
}

/* Byte k of every value lies in stream k. pos counts values. */
static rv_status next_bss(rv_pq_value_cursor *v, uint32_t n, rv_pq_scratch *s,
                          rv_pq_slice_values *out, rv_error *err)
{
    unsigned width = stream_count(v);
    size_t total = v->in.len / width;
    if (n > total - v->pos)
        return rv_fail(err, RV_E_CORRUPT, "fewer values than expected");
    uint8_t *to = (uint8_t *)s->wide;
    if (v->type == RV_PQ_FLBA) {
        rv_buf_clear(&v->joined);
        RV_TRY(rv_buf_reserve(&v->joined, (size_t)n * width + 1, err));
        to = v->joined.ptr;
    }
    for (unsigned k = 0; k < width; k++)
        for (uint32_t i = 0; i < n; i++)
            to[(size_t)i * width + k] = v->in.ptr[k * total + v->pos + i];
    v->pos += n;
    out->fixed = to;
    if (v->type == RV_PQ_FLBA) {
        for (uint32_t i = 0; i < n; i++)
            s->spans[i] = (rv_bytes){to + (size_t)i * width, width};
        out->fixed = NULL;
        out->spans = s->spans;
    }
    return RV_OK;
}

static rv_status next_any(rv_pq_value_cursor *v, uint32_t n, rv_pq_scratch *s,
                          rv_pq_slice_values *out, rv_error *err)
{
    switch (v->encoding) {
    case RV_PQ_PLAIN_DICT:
    case RV_PQ_RLE_DICT:
        return next_dict(v, n, s, out, err);
    case RV_PQ_RLE:
        out->fixed = (const uint8_t *)s->wide;
        return rv_pq_rle_next_u8(&v->u.rle, (uint8_t *)s->wide, n, err);
    case RV_PQ_DBP:
        return next_dbp(v, n, s, out, err);
    case RV_PQ_DLBA:
    case RV_PQ_DBA:
        return next_delta_bytes(v, n, s, out, err);
    case RV_PQ_BSS:
        return next_bss(v, n, s, out, err);
    default:
        return v->type == RV_PQ_BOOLEAN ? next_plain_booleans(v, n, s, out, err)
                                        : next_plain(v, n, s, out, err);
    }
}

rv_status rv_pq_value_cursor_next(rv_pq_value_cursor *v, uint32_t n, rv_pq_scratch *s,
                                  rv_pq_slice_values *out, rv_error *err)
{
    rv_pq_slice_values slice = {.n = n};
    if (n && v->empty)
        return rv_fail(err, RV_E_CORRUPT, "fewer values than expected");
    if (n)
        RV_TRY(next_any(v, n, s, &slice, err));
    *out = slice;
    return RV_OK;
}

/* Up to seven bits after the last boolean are padding. */
static size_t booleans_end(const rv_pq_value_cursor *v)
{
    size_t bits = v->in.len * 8;
    return bits - v->pos < 8 ? v->pos : bits;
}

static rv_status finish_at(const rv_pq_value_cursor *v, size_t end, rv_error *err)
{
    if (v->pos != end)
        return rv_fail(err, RV_E_CORRUPT, "trailing bytes after the last value");
    return RV_OK;
}

rv_status rv_pq_value_cursor_finish(const rv_pq_value_cursor *v, bool exact, rv_error *err)
{
    if (v->empty)
        return RV_OK;
    switch (v->encoding) {
    case RV_PQ_PLAIN_DICT:
    case RV_PQ_RLE_DICT:
    case RV_PQ_RLE:
        return rv_pq_rle_finish(&v->u.rle, exact, err);
    case RV_PQ_DBP:
        return rv_pq_dbp_finish(&v->u.dbp, err);
    case RV_PQ_DLBA:
    case RV_PQ_DBA:
        return rv_pq_delta_bytes_finish(&v->u.delta, err);
    case RV_PQ_BSS:
        return finish_at(v, v->in.len / stream_count(v), err);
    default:
        return finish_at(v, v->type == RV_PQ_BOOLEAN ? booleans_end(v) : v->in.len, err);
    }
}
