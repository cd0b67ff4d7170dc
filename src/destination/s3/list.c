#include <stdio.h>

#include "base/buf.h"
#include "destination/s3/s3_internal.h"

#define BODY_MAX ((uint64_t)16 << 20)

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Names that XML cannot hold come percent-encoded, and blanks as '+' from some. */
rv_status rv_s3_decode(rv_str text, bool encoded, rv_buf *out, rv_error *err)
{
    rv_buf_clear(out);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (encoded && c == '+') {
            c = ' ';
        } else if (encoded && c == '%' && i + 2 < text.len && digit(text.ptr[i + 1]) >= 0 &&
                   digit(text.ptr[i + 2]) >= 0) {
            c = (char)(digit(text.ptr[i + 1]) * 16 + digit(text.ptr[i + 2]));
            i += 2;
        }
        RV_TRY(rv_buf_add_byte(out, (uint8_t)c, err));
    }
    return RV_OK;
}

/* Where keys of KMS encrypt, an ETag of 32 digits is no MD5, and a listing does not say so: one
 * object is asked. What cannot be known is not used. */
static rv_status learn_listing(rv_store *s, rv_http *h, const char *name, rv_error *err)
{
    rv_s3_call c;
    rv_store_outcome outcome = RV_STORE_DONE;
    rv_error why = {.code = RV_OK};
    rv_s3_call_begin(&c, s, h, "HEAD", name, "s3:GetObject");
    c.may_miss = true;
    rv_status st = rv_s3_send(&c, &why);
    if (st == RV_OK)
        st = rv_s3_settle(&c, &outcome, &why);
    if (st == RV_OK && outcome == RV_STORE_DONE)
        atomic_store(&s->listing,
                     rv_s3_is_kms(&c.call.r) ? RV_S3_LISTING_KMS : RV_S3_LISTING_PLAIN);
    else if (st == RV_E_DEST_PERMISSION)
        atomic_store(&s->listing, RV_S3_LISTING_KMS);
    rv_s3_call_free(&c);
    if (st != RV_E_INTERRUPTED && st != RV_E_MEMORY)
        return RV_OK;
    if (err)
        *err = why;
    return st;
}

static rv_status read_md5(rv_store *s, rv_http *h, rv_str etag, const char *name, char out[33],
                          rv_error *err)
{
    out[0] = '\0';
    etag = rv_s3_unquote(etag);
    if (!rv_s3_is_md5(etag))
        return RV_OK;
    if (atomic_load(&s->listing) == RV_S3_LISTING_UNKNOWN)
        RV_TRY(learn_listing(s, h, name, err));
    if (atomic_load(&s->listing) == RV_S3_LISTING_PLAIN)
        (void)snprintf(out, 33, "%.*s", RV_STR_ARG(etag));
    return RV_OK;
}

static rv_status add(rv_s3_call *c, const rv_xml *x, rv_str dir, bool encoded, rv_buf *name,
                     rv_object_list *into, rv_error *err)
{
    rv_object o = {.size_bytes = 0};
    rv_str etag = rv_xml_text(x, "ETag");
    RV_TRY(rv_s3_decode(rv_xml_text(x, "Key"), encoded, name, err));
    const char *full = rv_buf_cstr(name);
    if (!full)
        return rv_fail_memory(err);
    if (!rv_str_starts(rv_buf_str(name), dir))
        return RV_OK; /* not what was asked for */
    rv_str rest = {full + dir.len, name->len - dir.len};
    if (rest.len == 0 || memchr(rest.ptr, '/', rest.len)) /* the directory's own marker */
        return RV_OK;
    if (rest.len >= sizeof o.key || memchr(rest.ptr, '\0', rest.len) ||
        !rv_str_u64(rv_str_trim(rv_xml_text(x, "Size")), &o.size_bytes) ||
        etag.len >= sizeof o.version)
        return rv_http_fail(&c->call.req, &c->call.r, RV_E_DEST_IO,
                            RV_STR("an entry of the listing cannot be read"), err);
    (void)snprintf(o.key, sizeof o.key, "%.*s", RV_STR_ARG(rest));
    (void)snprintf(o.version, sizeof o.version, "%.*s", RV_STR_ARG(etag));
    RV_TRY(read_md5(c->store, c->call.http, etag, full, o.md5, err));
    return rv_object_list_add(into, &o, err);
}

static rv_status read_page(rv_s3_call *c, rv_str dir, rv_store_page *io, rv_error *err)
{
    const rv_xml *root = NULL;
    rv_buf name = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_xml_parse(rv_buf_bytes(&c->call.r.body), &c->call.arena, &root, err));
    if (!rv_str_eq(root->name, RV_STR("ListBucketResult"))) {
        st = rv_http_fail(&c->call.req, &c->call.r, RV_E_DEST_IO,
                          RV_STR("the answer is no listing"), err);
        goto done;
    }
    bool encoded = rv_str_eq(rv_xml_text(root, "EncodingType"), RV_STR("url"));
    rv_str more = rv_xml_text(root, "IsTruncated");
    rv_str token = rv_xml_text(root, "NextContinuationToken");
    for (const rv_xml *x = rv_xml_child(root, "Contents"); x; x = rv_xml_next(x))
        RV_GO(add(c, x, dir, encoded, &name, io->into, err));
    rv_buf_clear(io->token);
    if (!rv_str_eq_nocase(rv_str_trim(more), RV_STR("true")))
        goto done;
    st = token.len ? rv_buf_add_str(io->token, token, err)
                   : rv_http_fail(&c->call.req, &c->call.r, RV_E_DEST_IO,
                                  RV_STR("a listing ends without saying where it goes on"), err);
done:
    rv_buf_free(&name);
    return st;
}

rv_status rv_s3_list(rv_store *s, rv_http *h, const char *dir, rv_store_page *io, rv_error *err)
{
    rv_s3_call c;
    rv_store_outcome outcome = RV_STORE_DONE;
    rv_status st = RV_OK;
    rv_s3_call_begin(&c, s, h, "GET", NULL, "s3:ListBucket");
    rv_s3_param(&c, "list-type", "2");
    rv_s3_param(&c, "prefix", dir);
    rv_s3_param(&c, "delimiter", "/");
    rv_s3_param(&c, "encoding-type", "url");
    if (io->token->len) {
        const char *token = rv_buf_cstr(io->token);
        if (!token)
            RV_GO(rv_fail_memory(err));
        rv_s3_param(&c, "continuation-token", token);
    }
    c.call.req.max_body = BODY_MAX;
    RV_GO(rv_s3_send(&c, err));
    RV_GO(rv_s3_settle(&c, &outcome, err));
    st = read_page(&c, rv_str_c(dir), io, err);
done:
    rv_s3_call_free(&c);
    return st;
}
