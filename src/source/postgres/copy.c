/* The binary COPY stream: signature, flags, extension; then per row a field count and fields. */
#include "source/postgres/scan_internal.h"

#define SIGNATURE_BYTES 11
#define FLAG_OIDS (UINT32_C(1) << 16)

void rv_pgs_copy_feed(rv_pgs_copy *c, const char *data, size_t n)
{
    c->at = data;
    c->end = data + n;
}

static size_t left(const rv_pgs_copy *c)
{
    return (size_t)(c->end - c->at);
}

static bool read_header(rv_pgs_copy *c)
{
    static const char signature[SIGNATURE_BYTES] = "PGCOPY\n\377\r\n";
    if (left(c) < SIGNATURE_BYTES + 8 || memcmp(c->at, signature, SIGNATURE_BYTES) != 0)
        return false;
    uint32_t flags = rv_be32(c->at + SIGNATURE_BYTES);
    uint32_t extension = rv_be32(c->at + SIGNATURE_BYTES + 4);
    c->at += SIGNATURE_BYTES + 8;
    /* the upper half of the flags changes the layout; none of them is known here */
    if (flags >= FLAG_OIDS || extension > left(c))
        return false;
    c->at += extension;
    c->header_read = true;
    return true;
}

static bool read_fields(rv_pgs_copy *c, size_t n_fields, const char **fields, int32_t *lengths)
{
    const char *at = c->at;
    for (size_t i = 0; i < n_fields; i++) {
        if (__builtin_expect(c->end - at < 4, 0))
            return false;
        int32_t n = (int32_t)rv_be32(at);
        at += 4;
        fields[i] = at;
        lengths[i] = n;
        if (n < 0) {
            if (n != -1)
                return false;
            continue;
        }
        if (__builtin_expect(n > c->end - at, 0))
            return false;
        at += n;
    }
    c->at = at;
    return true;
}

rv_pgs_tuple rv_pgs_copy_row(rv_pgs_copy *c, size_t n_fields, const char **out_fields,
                             int32_t *out_lengths)
{
    if (c->at == c->end)
        return RV_PGS_MORE;
    if (!c->header_read && !read_header(c))
        return RV_PGS_BROKEN;
    if (c->at == c->end)
        return RV_PGS_MORE;
    if (left(c) < 2 || c->ended)
        return RV_PGS_BROKEN;
    int count = (int16_t)rv_be16(c->at);
    c->at += 2;
    if (count == -1) {
        c->ended = true;
        return c->at == c->end ? RV_PGS_MORE : RV_PGS_BROKEN;
    }
    if (count < 0 || (size_t)count != n_fields)
        return RV_PGS_BROKEN;
    return read_fields(c, n_fields, out_fields, out_lengths) ? RV_PGS_ROW : RV_PGS_BROKEN;
}
