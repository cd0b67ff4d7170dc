/* Values that become text: bit strings, addresses, hstore. */
#include <stdio.h>

#include "source/postgres/decode_internal.h"

#define BITS_MAX 83886080 /* the server's own limit of a bit string */
#define FAMILY_V4 2
#define FAMILY_V6 3

rv_status rv_pgs_decode_bit(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                            rv_builder *b, rv_error *err)
{
    char small[512];
    if (n < 4)
        return rv_pgs_malformed(c, n, err);
    uint32_t bits = rv_be32(data);
    if (bits > BITS_MAX || (uint32_t)n - 4 != (bits + 7) / 8)
        return rv_pgs_malformed(c, n, err);
    rv_buf large = RV_BUF_INIT;
    char *text = small;
    if (bits > sizeof small) {
        RV_TRY(rv_buf_reserve(&large, bits, err));
        text = (char *)large.ptr;
    }
    for (uint32_t i = 0; i < bits; i++)
        text[i] = (char)('0' + ((data[4 + i / 8] >> (7 - i % 8)) & 1));
    rv_status st = rv_builder_bytes(b, col, (rv_bytes){(const uint8_t *)text, bits}, err);
    rv_buf_free(&large);
    return st;
}

static unsigned v4_text(const uint8_t *a, char *out, size_t size)
{
    return (unsigned)snprintf(out, size, "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
}

/* The longest run of at least two zero words, which "::" stands for. */
static void zero_run(const unsigned words[8], int *base, int *len)
{
    *base = -1;
    *len = 0;
    for (int i = 0; i < 8; i++) {
        int run = 0;
        while (i + run < 8 && words[i + run] == 0)
            run++;
        if (run > *len && run >= 2) {
            *base = i;
            *len = run;
        }
        i += run;
    }
}

static unsigned v6_text(const uint8_t *a, char *out, size_t size)
{
    unsigned words[8];
    unsigned n = 0;
    int base, len;
    for (int i = 0; i < 8; i++)
        words[i] = (unsigned)a[2 * i] << 8 | a[2 * i + 1];
    zero_run(words, &base, &len);
    /* as the server does: addresses that embed an IPv4 one show it */
    bool embeds =
        base == 0 && (len == 6 || (len == 7 && words[7] != 1) || (len == 5 && words[5] == 0xffff));
    for (int i = 0; i < 8; i++) {
        if (base >= 0 && i >= base && i < base + len) {
            if (i == base)
                out[n++] = ':';
            continue;
        }
        if (i > 0)
            out[n++] = ':';
        if (i == 6 && embeds)
            return n + v4_text(a + 12, out + n, size - n);
        n += (unsigned)snprintf(out + n, size - n, "%x", words[i]);
    }
    if (base >= 0 && base + len == 8)
        out[n++] = ':';
    out[n] = '\0';
    return n;
}

bool rv_pgs_net_text(const char *data, int32_t n, char out[RV_PGS_NET_TEXT_SIZE], unsigned *out_len)
{
    if (n < 4)
        return false;
    const uint8_t *p = (const uint8_t *)data;
    unsigned family = p[0], bits = p[1], size = p[3];
    bool cidr = p[2] != 0;
    unsigned want = family == FAMILY_V4 ? 4 : 16;
    if ((family != FAMILY_V4 && family != FAMILY_V6) || size != want || (uint32_t)n != 4 + size ||
        bits > want * 8)
        return false;
    unsigned len = family == FAMILY_V4 ? v4_text(p + 4, out, RV_PGS_NET_TEXT_SIZE)
                                       : v6_text(p + 4, out, RV_PGS_NET_TEXT_SIZE);
    if (cidr || bits != want * 8)
        len += (unsigned)snprintf(out + len, RV_PGS_NET_TEXT_SIZE - len, "/%u", bits);
    *out_len = len;
    return true;
}

rv_status rv_pgs_decode_net(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                            rv_builder *b, rv_error *err)
{
    char text[RV_PGS_NET_TEXT_SIZE];
    unsigned len;
    if (!rv_pgs_net_text(data, n, text, &len))
        return rv_pgs_malformed(c, n, err);
    return rv_builder_bytes(b, col, (rv_bytes){(const uint8_t *)text, len}, err);
}

rv_status rv_pgs_decode_mac(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                            rv_builder *b, rv_error *err)
{
    static const char hex[] = "0123456789abcdef";
    char text[24];
    size_t len = 0;
    if (n != 6 && n != 8)
        return rv_pgs_malformed(c, n, err);
    for (int32_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)data[i];
        if (i)
            text[len++] = ':';
        text[len++] = hex[byte >> 4];
        text[len++] = hex[byte & 15];
    }
    return rv_builder_bytes(b, col, (rv_bytes){(const uint8_t *)text, len}, err);
}

/* ---- hstore ---- */

/* A JSON string as the server's escape_json writes it. */
static rv_status add_json(rv_buf *out, rv_bytes s, rv_error *err)
{
    RV_TRY(rv_buf_add_byte(out, '"', err));
    for (size_t i = 0; i < s.len; i++) {
        static const char from[] = "\b\f\n\r\t\"\\";
        static const char to[] = "bfnrt\"\\";
        uint8_t ch = s.ptr[i];
        const char *at = ch ? strchr(from, ch) : NULL;
        if (at) {
            char pair[2] = {'\\', to[at - from]};
            RV_TRY(rv_buf_add(out, pair, 2, err));
        } else if (ch < 0x20) {
            RV_TRY(rv_buf_printf(out, err, "\\u%04x", ch));
        } else {
            RV_TRY(rv_buf_add_byte(out, ch, err));
        }
    }
    return rv_buf_add_byte(out, '"', err);
}

typedef struct cursor {
    const char *at, *end;
} cursor;

static bool take_length(cursor *p, int32_t *out)
{
    if (p->end - p->at < 4)
        return false;
    *out = (int32_t)rv_be32(p->at);
    p->at += 4;
    return *out <= p->end - p->at;
}

static rv_status add_pair(cursor *p, rv_buf *out, bool *ok, rv_error *err)
{
    int32_t n;
    *ok = take_length(p, &n) && n >= 0;
    if (!*ok)
        return RV_OK;
    RV_TRY(add_json(out, (rv_bytes){(const uint8_t *)p->at, (size_t)n}, err));
    p->at += n;
    RV_TRY(rv_buf_add(out, ": ", 2, err));
    *ok = take_length(p, &n);
    if (!*ok)
        return RV_OK;
    if (n < 0)
        return rv_buf_add_c(out, "null", err);
    RV_TRY(add_json(out, (rv_bytes){(const uint8_t *)p->at, (size_t)n}, err));
    p->at += n;
    return RV_OK;
}

static rv_status hstore_json(cursor p, rv_buf *out, bool *ok, rv_error *err)
{
    int32_t pairs = 0;
    *ok = p.end - p.at >= 4;
    if (!*ok)
        return RV_OK;
    pairs = (int32_t)rv_be32(p.at);
    p.at += 4;
    RV_TRY(rv_buf_add_byte(out, '{', err));
    for (int32_t i = 0; i < pairs && *ok; i++) {
        if (i)
            RV_TRY(rv_buf_add(out, ", ", 2, err));
        RV_TRY(add_pair(&p, out, ok, err));
    }
    *ok = *ok && pairs >= 0 && p.at == p.end;
    return rv_buf_add_byte(out, '}', err);
}

rv_status rv_pgs_decode_hstore(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                               rv_builder *b, rv_error *err)
{
    rv_buf json = RV_BUF_INIT;
    bool ok = false;
    rv_status st = hstore_json((cursor){data, data + n}, &json, &ok, err);
    if (st == RV_OK)
        st = ok ? rv_builder_bytes(b, col, rv_buf_bytes(&json), err) : rv_pgs_malformed(c, n, err);
    rv_buf_free(&json);
    return st;
}
