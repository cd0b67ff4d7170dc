#include <string.h>

#include "base/checked.h"
#include "format/parquet/decode.h"
#include "format/parquet/unpack.h"

static rv_status varint(rv_pq_dbp *d, uint64_t *out, rv_error *err)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (d->pos == d->in.len)
            return rv_fail(err, RV_E_CORRUPT, "delta header ends too early");
        uint8_t byte = d->in.ptr[d->pos++];
        v |= shift < 64 ? (uint64_t)(byte & 0x7F) << shift : 0;
        if (!(byte & 0x80)) {
            *out = v;
            return RV_OK;
        }
    }
    return rv_fail(err, RV_E_CORRUPT, "delta header number longer than ten bytes");
}

static uint64_t unzigzag(uint64_t u)
{
    return (u >> 1) ^ (0 - (u & 1));
}

rv_status rv_pq_dbp_init(rv_pq_dbp *d, rv_bytes in, rv_error *err)
{
    uint64_t block, minis, first;
    *d = (rv_pq_dbp){.in = in, .first = true};
    RV_TRY(varint(d, &block, err));
    RV_TRY(varint(d, &minis, err));
    RV_TRY(varint(d, &d->left, err));
    RV_TRY(varint(d, &first, err));
    if (block == 0 || block % 128 || block > INT32_MAX)
        return rv_fail(err, RV_E_CORRUPT, "delta block of %llu values", (unsigned long long)block);
    if (minis == 0 || block % minis || block / minis % 32)
        return rv_fail(err, RV_E_CORRUPT, "delta block of %llu miniblocks",
                       (unsigned long long)minis);
    d->minis = d->mini = (uint32_t)minis;
    d->per_mini = (uint32_t)(block / minis);
    d->last = unzigzag(first);
    return RV_OK;
}

static rv_status next_block(rv_pq_dbp *d, rv_error *err)
{
    uint64_t delta;
    RV_TRY(varint(d, &delta, err));
    d->min_delta = unzigzag(delta);
    if (d->minis > d->in.len - d->pos)
        return rv_fail(err, RV_E_CORRUPT, "delta block ends in its bit widths");
    d->widths_at = d->pos;
    d->pos += d->minis;
    d->mini = 0;
    return RV_OK;
}

static rv_status next_mini(rv_pq_dbp *d, rv_error *err)
{
    if (d->mini == d->minis)
        RV_TRY(next_block(d, err));
    unsigned width = d->in.ptr[d->widths_at + d->mini++];
    if (width > 64) /* some writers take differences of INT32 in 64 bits */
        return rv_fail(err, RV_E_CORRUPT, "delta bit width %u", width);
    uint64_t bytes = (uint64_t)d->per_mini * width / 8;
    if (bytes > d->in.len - d->pos)
        return rv_fail(err, RV_E_CORRUPT, "delta miniblock beyond the end");
    d->width = (uint8_t)width;
    d->mini_bit = (uint64_t)d->pos * 8;
    d->mini_left = d->per_mini;
    d->pos += (size_t)bytes;
    return RV_OK;
}

static void prefix_sum(rv_pq_dbp *d, uint64_t *out, size_t n)
{
    uint64_t last = d->last, min = d->min_delta;
    for (size_t i = 0; i < n; i++) {
        last += out[i] + min;
        out[i] = last;
    }
    d->last = last;
}

rv_status rv_pq_dbp_next(rv_pq_dbp *d, uint64_t *out, size_t n, rv_error *err)
{
    if (n > d->left)
        return rv_fail(err, RV_E_CORRUPT, "fewer delta values than expected");
    d->left -= n;
    if (n && d->first) {
        *out++ = d->last;
        n--;
        d->first = false;
    }
    while (n) {
        if (d->mini_left == 0)
            RV_TRY(next_mini(d, err));
        size_t take = d->mini_left < n ? d->mini_left : n;
        rv_pq_unpack64(d->in.ptr, d->mini_bit, d->width, out, take);
        prefix_sum(d, out, take);
        d->mini_bit += (uint64_t)take * d->width;
        d->mini_left -= (uint32_t)take;
        out += take;
        n -= take;
    }
    return RV_OK;
}

rv_status rv_pq_dbp_finish(const rv_pq_dbp *d, rv_error *err)
{
    if (d->left)
        return rv_fail(err, RV_E_CORRUPT, "%llu delta values more than expected",
                       (unsigned long long)d->left);
    if (d->pos != d->in.len)
        return rv_fail(err, RV_E_CORRUPT, "%zu trailing bytes after the last delta value",
                       d->in.len - d->pos);
    return RV_OK;
}

rv_status rv_pq_dbp_length(rv_bytes in, size_t *out, rv_error *err)
{
    rv_pq_dbp d;
    RV_TRY(rv_pq_dbp_init(&d, in, err));
    uint64_t deltas = d.left ? d.left - 1 : 0;
    while (deltas) {
        RV_TRY(next_mini(&d, err));
        deltas -= deltas < d.per_mini ? deltas : d.per_mini;
    }
    *out = d.pos;
    return RV_OK;
}

static rv_bytes after(rv_bytes in, size_t skip)
{
    return (rv_bytes){in.ptr + skip, in.len - skip};
}

rv_status rv_pq_delta_bytes_init(rv_pq_delta_bytes *d, rv_bytes in, bool with_prefixes,
                                 rv_error *err)
{
    size_t used;
    *d = (rv_pq_delta_bytes){.with_prefixes = with_prefixes};
    if (with_prefixes) {
        RV_TRY(rv_pq_dbp_length(in, &used, err));
        RV_TRY(rv_pq_dbp_init(&d->prefixes, (rv_bytes){in.ptr, used}, err));
        in = after(in, used);
    }
    RV_TRY(rv_pq_dbp_length(in, &used, err));
    RV_TRY(rv_pq_dbp_init(&d->lengths, (rv_bytes){in.ptr, used}, err));
    d->data = after(in, used);
    if (with_prefixes && d->prefixes.left != d->lengths.left)
        return rv_fail(err, RV_E_CORRUPT, "%llu prefixes for %llu suffixes",
                       (unsigned long long)d->prefixes.left, (unsigned long long)d->lengths.left);
    return RV_OK;
}

static rv_status take_suffixes(rv_pq_delta_bytes *d, rv_bytes *out, size_t n, rv_error *err)
{
    uint64_t lengths[256];
    while (n) {
        size_t take = n < 256 ? n : 256;
        RV_TRY(rv_pq_dbp_next(&d->lengths, lengths, take, err));
        for (size_t i = 0; i < take; i++) {
            int64_t len = (int32_t)(uint32_t)lengths[i];
            if (len < 0 || (uint64_t)len > d->data.len - d->pos)
                return rv_fail(err, RV_E_CORRUPT, "value of length %lld, %zu bytes are left",
                               (long long)len, d->data.len - d->pos);
            out[i] = (rv_bytes){d->data.ptr + d->pos, (size_t)len};
            d->pos += (size_t)len;
        }
        out += take;
        n -= take;
    }
    return RV_OK;
}

/* The values' bytes of the slice; the first value's prefix lies in the last value of before. */
static rv_status joined_size(const uint64_t *prefixes, const rv_bytes *suffixes, size_t n,
                             size_t previous, size_t *out, rv_error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t prefix = (int32_t)(uint32_t)prefixes[i];
        if (prefix < 0 || (uint64_t)prefix > previous)
            return rv_fail(err, RV_E_CORRUPT, "prefix of %lld bytes after a value of %zu",
                           (long long)prefix, previous);
        previous = (size_t)prefix + suffixes[i].len;
        if (!rv_add_size(total, previous, &total) || total > RV_PQ_JOINED_MAX)
            return rv_fail(err, RV_E_CORRUPT, "prefixes unfold to more than %u bytes",
                           RV_PQ_JOINED_MAX);
    }
    *out = total;
    return RV_OK;
}

/* The last value moves to the front, where the next slice finds its first prefix. */
static void keep_last(rv_pq_delta_bytes *d, rv_buf *joined)
{
    if (d->last_len)
        memmove(joined->ptr, joined->ptr + d->last_at, d->last_len);
    joined->len = d->last_len;
}

static rv_status join(rv_pq_delta_bytes *d, rv_bytes *out, size_t n, rv_buf *joined, rv_error *err)
{
    uint64_t prefixes[RV_PQ_SLICE];
    size_t size = 0;
    keep_last(d, joined);
    RV_TRY(rv_pq_dbp_next(&d->prefixes, prefixes, n, err));
    RV_TRY(joined_size(prefixes, out, n, d->last_len, &size, err));
    RV_TRY(rv_buf_reserve(joined, size + 1, err));
    const uint8_t *last = joined->ptr;
    uint8_t *at = joined->ptr + d->last_len;
    for (size_t i = 0; i < n; i++) {
        size_t prefix = (size_t)prefixes[i];
        memcpy(at, last, prefix);
        if (out[i].len)
            memcpy(at + prefix, out[i].ptr, out[i].len);
        out[i] = (rv_bytes){at, prefix + out[i].len};
        last = at;
        at += out[i].len;
    }
    d->last_at = (size_t)(last - joined->ptr);
    d->last_len = out[n - 1].len;
    return RV_OK;
}

rv_status rv_pq_delta_bytes_next(rv_pq_delta_bytes *d, rv_bytes *out, size_t n, rv_buf *joined,
                                 rv_error *err)
{
    if (n == 0)
        return RV_OK;
    RV_TRY(take_suffixes(d, out, n, err));
    if (!d->with_prefixes)
        return RV_OK;
    return join(d, out, n, joined, err);
}

rv_status rv_pq_delta_bytes_finish(const rv_pq_delta_bytes *d, rv_error *err)
{
    if (d->with_prefixes)
        RV_TRY(rv_pq_dbp_finish(&d->prefixes, err));
    RV_TRY(rv_pq_dbp_finish(&d->lengths, err));
    if (d->pos != d->data.len)
        return rv_fail(err, RV_E_CORRUPT, "%zu trailing bytes after the last value",
                       d->data.len - d->pos);
    return RV_OK;
}
