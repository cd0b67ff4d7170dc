#include <string.h>

#include "format/parquet/decode.h"
#include "format/parquet/unpack.h"

unsigned rv_pq_bit_width(uint32_t max)
{
    return max ? 32u - (unsigned)__builtin_clz(max) : 0;
}

rv_status rv_pq_rle_init(rv_pq_rle *r, rv_bytes in, unsigned width, rv_error *err)
{
    if (width > 32)
        return rv_fail(err, RV_E_CORRUPT, "bit width %u", width);
    *r = (rv_pq_rle){.in = in, .width = (uint8_t)width};
    return RV_OK;
}

static rv_status run_header(rv_pq_rle *r, uint64_t *out, rv_error *err)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (r->pos == r->in.len)
            return rv_fail(err, RV_E_CORRUPT, "runs end too early");
        uint8_t byte = r->in.ptr[r->pos++];
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *out = v;
            return RV_OK;
        }
    }
    return rv_fail(err, RV_E_CORRUPT, "run header longer than five bytes");
}

static rv_status next_run(rv_pq_rle *r, rv_error *err)
{
    uint64_t head = 0;
    RV_TRY(run_header(r, &head, err));
    r->packed = head & 1;
    size_t rest = r->in.len - r->pos;
    if (r->packed) {
        uint64_t groups = head >> 1;
        uint64_t bytes = groups * r->width;
        r->packed_at = r->pos;
        r->packed_done = 0;
        r->run_left = groups * 8;
        if (bytes > rest) { /* some writers cut the unused end of the last run */
            bytes = rest;
            r->run_left = bytes * 8 / r->width;
        }
        r->pos += (size_t)bytes;
        return RV_OK;
    }
    size_t bytes = (r->width + 7u) / 8;
    if (bytes > rest)
        return rv_fail(err, RV_E_CORRUPT, "run value beyond the end");
    r->value = 0;
    memcpy(&r->value, r->in.ptr + r->pos, bytes);
    if (r->width < 32 && r->value >> r->width)
        return rv_fail(err, RV_E_CORRUPT, "run value %u wider than %u bits", r->value, r->width);
    r->pos += bytes;
    r->run_left = head >> 1;
    return RV_OK;
}

rv_status rv_pq_rle_next(rv_pq_rle *r, uint32_t *out, size_t n, rv_error *err)
{
    while (n) {
        if (r->run_left == 0) {
            RV_TRY(next_run(r, err));
            continue;
        }
        size_t take = r->run_left < n ? (size_t)r->run_left : n;
        if (r->packed) {
            rv_pq_unpack32(r->in.ptr + r->packed_at, r->packed_done * r->width, r->width, out,
                           take);
            r->packed_done += take;
        } else {
            for (size_t i = 0; i < take; i++)
                out[i] = r->value;
        }
        r->run_left -= take;
        out += take;
        n -= take;
    }
    return RV_OK;
}

static void narrow(const uint32_t *in, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)in[i];
}

rv_status rv_pq_rle_next_u8(rv_pq_rle *r, uint8_t *out, size_t n, rv_error *err)
{
    uint32_t wide[256];
    while (n) {
        if (r->run_left == 0) {
            RV_TRY(next_run(r, err));
            continue;
        }
        size_t take = r->run_left < n ? (size_t)r->run_left : n;
        if (r->packed) {
            take = take < 256 ? take : 256;
            rv_pq_unpack32(r->in.ptr + r->packed_at, r->packed_done * r->width, r->width, wide,
                           take);
            narrow(wide, out, take);
            r->packed_done += take;
        } else {
            memset(out, (int)(uint8_t)r->value, take);
        }
        r->run_left -= take;
        out += take;
        n -= take;
    }
    return RV_OK;
}

/* A packed run is a multiple of eight values; those beyond the last are padding. */
rv_status rv_pq_rle_finish(const rv_pq_rle *r, bool exact, rv_error *err)
{
    if (exact && r->run_left >= (r->packed ? 8 : 1))
        return rv_fail(err, RV_E_CORRUPT, "%llu values more than expected",
                       (unsigned long long)r->run_left);
    if (r->pos != r->in.len)
        return rv_fail(err, RV_E_CORRUPT, "%zu trailing bytes after the last run",
                       r->in.len - r->pos);
    return RV_OK;
}

rv_status rv_pq_levels_init(rv_pq_levels *l, rv_bytes in, int32_t encoding, unsigned max,
                            rv_error *err)
{
    *l = (rv_pq_levels){.max = (uint8_t)max, .old = encoding == RV_PQ_BIT_PACKED};
    if (encoding != RV_PQ_RLE && encoding != RV_PQ_BIT_PACKED)
        return rv_fail(err, RV_E_CORRUPT, "levels in encoding %s", rv_pq_encoding_name(encoding));
    return rv_pq_rle_init(&l->rle, in, rv_pq_bit_width(max), err);
}

static rv_status old_levels(rv_pq_levels *l, uint8_t *out, size_t n, rv_error *err)
{
    unsigned width = l->rle.width;
    if (n > (l->rle.in.len * 8 - l->bit) / width)
        return rv_fail(err, RV_E_CORRUPT, "levels end too early");
    for (size_t i = 0; i < n; i++) {
        unsigned v = 0;
        for (unsigned k = 0; k < width; k++, l->bit++)
            v = v << 1 | (l->rle.in.ptr[l->bit >> 3] >> (7 - (l->bit & 7)) & 1);
        out[i] = (uint8_t)v;
    }
    return RV_OK;
}

rv_status rv_pq_levels_next(rv_pq_levels *l, uint8_t *out, size_t n, rv_error *err)
{
    RV_TRY(l->old ? old_levels(l, out, n, err) : rv_pq_rle_next_u8(&l->rle, out, n, err));
    uint8_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = out[i] > most ? out[i] : most;
    if (most > l->max)
        return rv_fail(err, RV_E_CORRUPT, "level %u, at most %u is possible", most, l->max);
    return RV_OK;
}

rv_status rv_pq_levels_finish(const rv_pq_levels *l, bool exact, rv_error *err)
{
    if (!l->old)
        return rv_pq_rle_finish(&l->rle, exact, err);
    if ((l->bit + 7) / 8 != l->rle.in.len)
        return rv_fail(err, RV_E_CORRUPT, "trailing bytes after the levels");
    return RV_OK;
}
