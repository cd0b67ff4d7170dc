#include "destination/s3/sign.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "net/crypto.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

void rv_s3_stamp(int64_t now_us, char out[RV_S3_STAMP_SIZE])
{
    char text[RV_RFC3339_SIZE];
    size_t n = 0;
    rv_rfc3339_ms(now_us, text); /* 2013-05-24T00:00:00.000Z */
    for (const char *p = text; *p && *p != '.' && n < RV_S3_STAMP_SIZE - 2; p++)
        if (*p != '-' && *p != ':')
            out[n++] = *p;
    out[n++] = 'Z';
    out[n] = '\0';
}

/* ---- pairs in canonical order ---- */

typedef struct pair {
    const char *name, *value;
} pair;

/* Few pairs, and the order of equal names is kept. */
static void sort(pair *items, size_t n, bool by_value)
{
    for (size_t i = 1; i < n; i++) {
        pair moved = items[i];
        size_t at = i;
        for (; at > 0; at--) {
            int order = strcmp(moved.name, items[at - 1].name);
            if (order == 0 && by_value)
                order = strcmp(moved.value, items[at - 1].value);
            if (order >= 0)
                break;
            items[at] = items[at - 1];
        }
        items[at] = moved;
    }
}

static rv_status encode(const char *text, rv_arena *arena, const char **out, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = rv_percent(rv_str_c(text), "", &b, err);
    if (st == RV_OK)
        st = rv_arena_cstr(arena, rv_buf_str(&b), out, err);
    rv_buf_free(&b);
    return st;
}

static rv_status write_query(const rv_http_header *pairs, size_t n, rv_arena *arena, rv_buf *out,
                             rv_error *err)
{
    pair *items = NULL;
    RV_TRY(rv_arena_array(arena, n, sizeof *items, &items, err));
    for (size_t i = 0; i < n; i++) {
        RV_TRY(encode(pairs[i].name, arena, &items[i].name, err));
        RV_TRY(encode(pairs[i].value, arena, &items[i].value, err));
    }
    sort(items, n, true);
    for (size_t i = 0; i < n; i++)
        RV_TRY(rv_buf_printf(out, err, "%s%s=%s", i ? "&" : "", items[i].name, items[i].value));
    return RV_OK;
}

rv_status rv_s3_query(const rv_http_header *pairs, size_t n, rv_buf *out, rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_status st = n ? write_query(pairs, n, &arena, out, err) : RV_OK;
    rv_arena_free(&arena);
    return st;
}

/* ---- headers ---- */

static rv_status lower(const char *name, rv_arena *arena, const char **out, rv_error *err)
{
    size_t len = strlen(name);
    char *copy = NULL;
    RV_TRY(rv_arena_alloc(arena, len + 1, &copy, err));
    for (size_t i = 0; i < len; i++)
        copy[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    *out = copy;
    return RV_OK;
}

/* Trimmed, with runs of blanks as one. */
static rv_status fold(const char *value, rv_arena *arena, const char **out, rv_error *err)
{
    rv_str v = rv_str_trim(rv_str_c(value));
    char *copy = NULL;
    size_t n = 0;
    RV_TRY(rv_arena_alloc(arena, v.len + 1, &copy, err));
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] != ' ' || copy[n - 1] != ' ')
            copy[n++] = v.ptr[i];
    *out = copy;
    return RV_OK;
}

static rv_status read_headers(const rv_s3_signing *s, rv_arena *arena, pair **out, rv_error *err)
{
    pair *items = NULL;
    RV_TRY(rv_arena_array(arena, s->n_headers, sizeof *items, &items, err));
    for (size_t i = 0; i < s->n_headers; i++) {
        RV_TRY(lower(s->headers[i].name, arena, &items[i].name, err));
        RV_TRY(fold(s->headers[i].value, arena, &items[i].value, err));
    }
    sort(items, s->n_headers, false);
    *out = items;
    return RV_OK;
}

static bool repeats(const pair *items, size_t i)
{
    return i > 0 && strcmp(items[i].name, items[i - 1].name) == 0;
}

static rv_status write_names(const pair *items, size_t n, rv_buf *out, rv_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!repeats(items, i))
            RV_TRY(rv_buf_printf(out, err, "%s%s", i ? ";" : "", items[i].name));
    return RV_OK;
}

static rv_status write_canonical(const rv_s3_signing *s, const pair *headers, rv_buf *out,
                                 rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "%s\n%s\n", s->method, s->path));
    RV_TRY(rv_s3_query(s->query, s->n_query, out, err));
    for (size_t i = 0; i < s->n_headers; i++)
        RV_TRY(repeats(headers, i)
                   ? rv_buf_printf(out, err, ",%s", headers[i].value)
                   : rv_buf_printf(out, err, "\n%s:%s", headers[i].name, headers[i].value));
    RV_TRY(rv_buf_add_c(out, "\n\n", err));
    RV_TRY(write_names(headers, s->n_headers, out, err));
    return rv_buf_printf(out, err, "\n%s", s->payload);
}

rv_status rv_s3_canonical(const rv_s3_signing *s, rv_buf *out, rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    pair *headers = NULL;
    rv_status st = read_headers(s, &arena, &headers, err);
    if (st == RV_OK)
        st = write_canonical(s, headers, out, err);
    rv_arena_free(&arena);
    return st;
}

/* ---- the signature ---- */

static void chain(uint8_t key[32], const char *text)
{
    uint8_t next[32];
    rv_hmac_sha256((rv_bytes){key, 32}, rv_str_bytes(rv_str_c(text)), next);
    memcpy(key, next, 32);
    explicit_bzero(next, sizeof next);
}

static rv_status derive_key(const rv_s3_signing *s, const char *day, uint8_t key[32], rv_error *err)
{
    rv_buf first = RV_BUF_INIT;
    rv_status st = rv_buf_printf(&first, err, "AWS4%s", s->secret);
    if (st == RV_OK) {
        rv_hmac_sha256(rv_buf_bytes(&first), rv_str_bytes(rv_str_c(day)), key);
        chain(key, s->region);
        chain(key, s->service);
        chain(key, "aws4_request");
    }
    if (first.ptr)
        explicit_bzero(first.ptr, first.cap);
    rv_buf_free(&first);
    return st;
}

static rv_status write_scope(const rv_s3_signing *s, rv_buf *out, rv_error *err)
{
    return rv_buf_printf(out, err, "%.8s/%s/%s/aws4_request", s->stamp, s->region, s->service);
}

static rv_status sign(const rv_s3_signing *s, rv_str canonical, rv_buf *text,
                      char out[RV_S3_HEX_SIZE], rv_error *err)
{
    uint8_t hash[32], key[32], signature[32];
    char hex[RV_S3_HEX_SIZE], day[9];
    (void)snprintf(day, sizeof day, "%.8s", s->stamp);
    rv_sha256(rv_str_bytes(canonical), hash);
    rv_hex(hash, sizeof hash, hex);
    RV_TRY(rv_buf_printf(text, err, ALGORITHM "\n%s\n", s->stamp));
    RV_TRY(write_scope(s, text, err));
    RV_TRY(rv_buf_printf(text, err, "\n%s", hex));
    RV_TRY(derive_key(s, day, key, err));
    rv_hmac_sha256((rv_bytes){key, sizeof key}, rv_buf_bytes(text), signature);
    explicit_bzero(key, sizeof key);
    rv_hex(signature, sizeof signature, out);
    return RV_OK;
}

rv_status rv_s3_authorization(const rv_s3_signing *s, rv_buf *out, rv_error *err)
{
    char signature[RV_S3_HEX_SIZE];
    rv_arena arena = RV_ARENA_INIT;
    rv_buf canonical = RV_BUF_INIT, text = RV_BUF_INIT;
    pair *headers = NULL;
    rv_status st;
    RV_GO(read_headers(s, &arena, &headers, err));
    RV_GO(write_canonical(s, headers, &canonical, err));
    RV_GO(sign(s, rv_buf_str(&canonical), &text, signature, err));
    RV_GO(rv_buf_printf(out, err, ALGORITHM " Credential=%s/", s->access));
    RV_GO(write_scope(s, out, err));
    RV_GO(rv_buf_add_c(out, ", SignedHeaders=", err));
    RV_GO(write_names(headers, s->n_headers, out, err));
    RV_GO(rv_buf_printf(out, err, ", Signature=%s", signature));
done:
    if (canonical.ptr) /* holds the session token */
        explicit_bzero(canonical.ptr, canonical.cap);
    rv_buf_free(&canonical);
    rv_buf_free(&text);
    rv_arena_free(&arena);
    return st;
}
