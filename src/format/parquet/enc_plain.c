#include "format/parquet/enc_plain.h"

#include "format/parquet/pack.h"

rv_status rv_pq_plain_strings(const rv_pq_strings *s, rv_buf *out, rv_error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < s->n; i++)
        total += 4 + (size_t)s->lengths[i];
    RV_TRY(rv_buf_reserve(out, total, err));
    const uint8_t *from = s->bytes;
    uint8_t *to = out->ptr + out->len;
    for (size_t i = 0; i < s->n; i++) {
        uint32_t len = s->lengths[i];
        rv_pq_store32(to, len);
        if (len)
            memcpy(to + 4, from, len);
        to += 4 + (size_t)len;
        from += len;
    }
    out->len += total;
    return RV_OK;
}

void rv_pq_split_streams(const uint8_t *values, size_t n, unsigned width, uint8_t *out)
{
    for (unsigned k = 0; k < width; k++)
        for (size_t i = 0; i < n; i++)
            *out++ = values[i * width + k];
}
