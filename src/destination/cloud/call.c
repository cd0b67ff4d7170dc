#include "destination/cloud/call.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "net/crypto.h"

#define RV_TARGET "destination"
#define USUAL_TRIES 6u
#define CLEAN_UP_TRIES 3u
#define CLEAN_UP_US ((int64_t)3000000)

void rv_call_free(rv_call *c)
{
    if (c->auth.ptr)
        explicit_bzero(c->auth.ptr, c->auth.cap);
    rv_buf_free(&c->auth);
    rv_http_response_free(&c->r);
    rv_arena_free(&c->arena);
}

rv_status rv_call_add(rv_call *c, const char *name, const char *value, rv_error *err)
{
    if (c->n_headers == RV_CALL_HEADERS)
        return rv_fail(err, RV_E_INTERNAL, "a request has more than %d headers", RV_CALL_HEADERS);
    c->headers[c->n_headers++] = (rv_http_header){name, value};
    return RV_OK;
}

rv_status rv_call_addf(rv_call *c, const char *name, rv_error *err, const char *fmt, ...)
{
    rv_buf text = RV_BUF_INIT;
    va_list args;
    const char *value = NULL;
    char *printed = NULL;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        return rv_fail(err, RV_E_INTERNAL, "a header cannot be printed");
    RV_TRY(rv_buf_reserve(&text, (size_t)n + 1, err));
    printed = (char *)text.ptr;
    va_start(args, fmt);
    (void)vsnprintf(printed, (size_t)n + 1, fmt, args);
    va_end(args);
    rv_status st = rv_arena_cstr(&c->arena, (rv_str){printed, (size_t)n}, &value, err);
    rv_buf_free(&text);
    return st == RV_OK ? rv_call_add(c, name, value, err) : st;
}

const char *rv_call_header(const rv_call *c, const char *name)
{
    for (size_t i = 0; i < c->n_headers; i++)
        if (rv_str_eq_nocase(rv_str_c(c->headers[i].name), rv_str_c(name)))
            return c->headers[i].value;
    return NULL;
}

rv_status rv_call_md5(rv_call *c, const char *hex, const char **out, rv_error *err)
{
    uint8_t raw[16];
    rv_buf text = RV_BUF_INIT;
    if (!hex || strlen(hex) != 32 || !rv_unhex(rv_str_c(hex), raw))
        return rv_fail(err, RV_E_INTERNAL, "an upload comes without its MD5");
    rv_status st = rv_base64((rv_bytes){raw, sizeof raw}, RV_BASE64, &text, err);
    if (st == RV_OK)
        st = rv_arena_cstr(&c->arena, rv_buf_str(&text), out, err);
    rv_buf_free(&text);
    return st;
}

static int sextet(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Without memory of its own: a checksum is never skipped for want of it. */
void rv_call_hex(rv_str base64, char out[33])
{
    uint8_t raw[18] = {0};
    rv_str text = rv_str_trim(base64);
    out[0] = '\0';
    if (text.len != 24 || !rv_str_ends(text, RV_STR("==")))
        return;
    for (size_t i = 0; i < 22; i++) {
        int six = sextet(text.ptr[i]);
        if (six < 0)
            return;
        unsigned at = (unsigned)(i * 6 % 8);
        unsigned two = (unsigned)six << 10 >> at;
        raw[i * 6 / 8] = (uint8_t)(raw[i * 6 / 8] | (two >> 8));
        raw[i * 6 / 8 + 1] = (uint8_t)(raw[i * 6 / 8 + 1] | (two & 0xff));
    }
    rv_hex(raw, 16, out);
}

/* ---- tries ---- */

static rv_status prepare(void *ctx, unsigned attempt, rv_http_request *io, rv_error *err)
{
    rv_call *c = ctx;
    size_t own = c->n_headers;
    /* everything behind is this try's own; the array is read before the next one */
    c->req.headers = io->headers = c->headers;
    if (c->shape)
        RV_TRY(c->shape(c->ctx, attempt, io, err));
    c->req.method = io->method;
    c->req.body = io->body;
    rv_status st = c->rules->authorize(c->rules->store, c, err);
    io->n_headers = c->n_headers;
    c->n_headers = own;
    c->refused = false;
    return st;
}

static rv_http_verdict judge(void *ctx, const rv_http_response *r)
{
    rv_call *c = ctx;
    rv_http_verdict v = c->follow ? c->follow(c->ctx, r) : RV_HTTP_AS_LISTED;
    if (v == RV_HTTP_AS_LISTED && c->rules->judge)
        v = c->rules->judge(c->rules->store, c, r);
    if (v != RV_HTTP_AS_LISTED || r->status != 401 || c->renewed)
        return v;
    c->renewed = c->refused = true;
    return RV_HTTP_AGAIN_NOW;
}

void rv_call_cleans_up(rv_call *c)
{
    c->req.after_cancel = true;
    c->req.timeout_us = CLEAN_UP_US;
    c->tries = CLEAN_UP_TRIES;
}

static unsigned tries_of(const rv_call *c)
{
    unsigned tries = c->tries ? c->tries : atomic_load(&c->rules->tries);
    return tries ? tries : USUAL_TRIES;
}

rv_status rv_call_send(rv_call *c, rv_error *err)
{
    const rv_http_retry retry = {.tries = tries_of(c),
                                 .after_us = c->req.after_cancel ? CLEAN_UP_US : 0,
                                 .idempotent = true,
                                 .prepare = prepare,
                                 .judge = judge,
                                 .ctx = c};
    size_t own = c->n_headers;
    c->r.tries = 0;
    rv_status st = rv_http_send_retry(c->http, &c->req, &retry, &c->r, err);
    c->n_headers = own;
    if (c->r.tries > 1)
        (void)atomic_fetch_add(&c->rules->retries, c->r.tries - 1);
    return rv_store_net_error(st, err);
}

/* ---- ranges ---- */

typedef struct gauge { /* lets through what was asked for */
    rv_sink sink;
    uint64_t left;
} gauge;

static rv_status measure(void *self, rv_bytes data, rv_error *err)
{
    gauge *g = self;
    if (data.len > g->left)
        return rv_fail(err, RV_E_DEST_IO, "the store sends more of an object than was asked for");
    g->left -= data.len;
    return g->sink.write(g->sink.self, data, err);
}

static rv_status check_range(const rv_call *c, uint64_t offset, rv_error *err)
{
    char want[40];
    (void)snprintf(want, sizeof want, "bytes %llu-", (unsigned long long)offset);
    rv_str range = rv_http_header_get(&c->r, "Content-Range");
    if (c->r.status == 200 ? offset == 0 : rv_str_starts(range, rv_str_c(want)))
        return RV_OK;
    return rv_http_fail(&c->req, &c->r, RV_E_DEST_IO,
                        RV_STR("the store sends another range than was asked for"), err);
}

static bool broken(rv_status st)
{
    return st == RV_E_DEST_UNREACHABLE;
}

rv_status rv_call_fetch(rv_call *c, uint64_t offset, uint64_t len, rv_sink sink,
                        rv_status (*pin)(rv_call *c, rv_error *err), rv_error *err)
{
    gauge g = {sink, len};
    size_t own = c->n_headers;
    c->req.sink = (rv_sink){&g, measure};
    for (unsigned round = 1;; round++) {
        uint64_t from = offset + (len - g.left);
        size_t pinned = c->n_headers;
        RV_TRY(rv_call_addf(c, "Range", err, "bytes=%llu-%llu", (unsigned long long)from,
                            (unsigned long long)(offset + len - 1)));
        rv_status st = rv_call_send(c, err);
        c->n_headers = pinned;
        if (st == RV_OK && (c->r.status == 200 || c->r.status == 206))
            st = check_range(c, from, err);
        if (st == RV_OK || !broken(st) || c->r.sunk == 0 || round >= tries_of(c)) {
            c->n_headers = own;
            return st;
        }
        if (g.left == 0)
            return RV_OK;
        RV_LOG_DEBUG(c->rules->env, "a download broke off and goes on behind what came");
        (void)atomic_fetch_add(&c->rules->retries, 1);
        if (round == 1)
            RV_TRY(pin(c, err));
    }
}

rv_status rv_call_compare(const rv_call *c, rv_str got, const char *md5, rv_error *err)
{
    char hex[33];
    if (!got.ptr || got.len == 0)
        return RV_OK;
    rv_call_hex(got, hex);
    if (strcmp(hex, md5) == 0)
        return RV_OK;
    return rv_http_fail(&c->req, &c->r, RV_E_DEST_CORRUPT,
                        RV_STR("the store holds another MD5 than what was sent has"), err);
}

rv_status rv_object_list_add(rv_object_list *l, const rv_object *o, rv_error *err)
{
    bool full = l->n == 0 || (l->n >= 16 && (l->n & (l->n - 1)) == 0);
    if (full) { /* the room is the next power of two, never less than 16 */
        rv_object *items = rv_realloc_array(l->items, l->n ? l->n * 2 : 16, sizeof *items);
        if (!items)
            return rv_fail_memory(err);
        l->items = items;
    }
    l->items[l->n++] = *o;
    return RV_OK;
}
