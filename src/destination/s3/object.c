#include <stdio.h>

#include "destination/s3/s3_internal.h"

/* ---- put ---- */

static void set_body(rv_s3_call *c, const rv_store_write *w, uint64_t offset, uint64_t len)
{
    if (w->fd >= 0)
        c->call.req.body =
            (rv_http_body){.kind = RV_HTTP_FILE, .fd = w->fd, .offset = offset, .len = len};
    else
        c->call.req.body = (rv_http_body){.kind = RV_HTTP_BYTES,
                                          .bytes = {w->bytes.ptr + (size_t)offset, (size_t)len}};
}

static rv_status add_md5(rv_s3_call *c, const char *hex, rv_error *err)
{
    const char *text = NULL;
    RV_TRY(rv_call_md5(&c->call, hex, &text, err));
    return rv_call_add(&c->call, "Content-MD5", text, err);
}

rv_status rv_s3_put(rv_store *s, rv_http *h, const rv_store_write *w, rv_store_outcome *out,
                    rv_error *err)
{
    char crc[RV_S3_CRC_SIZE];
    bool told = true;
    rv_s3_call c;
    rv_status st;
    rv_s3_call_begin(&c, s, h, "PUT", w->name, "s3:PutObject");
    set_body(&c, w, 0, w->size_bytes);
    RV_GO(add_md5(&c, w->md5, err));
    RV_GO(rv_s3_add_object(&c, w, err));
    RV_GO(rv_s3_add_condition(&c, w->condition, w->version, err));
    RV_GO(rv_s3_add_crc(&c, crc, err));
    RV_GO(rv_s3_send(&c, err));
    RV_GO(rv_s3_settle(&c, out, err));
    if (*out == RV_STORE_DONE)
        st = rv_s3_compare_body(&c, w->md5, crc, &told, err);
done:
    rv_s3_call_free(&c);
    return st == RV_OK && !told ? rv_s3_compare_size(s, h, w->name, w->size_bytes, err) : st;
}

rv_status rv_s3_upload_part(rv_store *s, rv_http *h, const rv_store_write *w, const char *upload_id,
                            rv_store_piece *io, rv_store_outcome *outcome, rv_error *err)
{
    char crc[RV_S3_CRC_SIZE], number[24];
    bool told;
    rv_s3_call c;
    rv_status st;
    rv_s3_call_begin(&c, s, h, "PUT", w->name, "s3:PutObject");
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)io->index + 1);
    rv_s3_param(&c, "partNumber", number);
    rv_s3_param(&c, "uploadId", upload_id);
    c.may_miss = true;
    set_body(&c, w, io->offset, io->len);
    RV_GO(add_md5(&c, io->md5, err));
    RV_GO(rv_s3_add_crc(&c, crc, err));
    for (unsigned round = 0;; round++) { /* a part may be sent again under its number */
        RV_GO(rv_s3_send(&c, err));
        RV_GO(rv_s3_settle(&c, outcome, err));
        if (*outcome != RV_STORE_DONE)
            break;
        st = rv_s3_compare_body(&c, io->md5, crc, &told, err);
        if (st == RV_E_DEST_CORRUPT && round == 0)
            continue;
        if (st == RV_OK)
            st = rv_s3_tag(rv_s3_etag(&c.call.r), crc, io->tag, err);
        break;
    }
done:
    rv_s3_call_free(&c);
    return st;
}

/* ---- head ---- */

static void keep_hex(rv_str from, char *out, size_t size)
{
    out[0] = '\0';
    if (from.len < size)
        (void)snprintf(out, size, "%.*s", RV_STR_ARG(from));
}

static rv_status read_object(const rv_s3_call *c, rv_object *out, rv_error *err)
{
    const rv_http_response *r = &c->call.r;
    rv_str etag = rv_http_header_get(r, "ETag"), bare = rv_s3_unquote(etag);
    rv_str kept = rv_http_header_get(r, RV_S3_MD5);
    bool plain = rv_s3_is_md5(bare) && !rv_s3_is_kms(r);
    if (!rv_str_u64(rv_http_header_get(r, "Content-Length"), &out->size_bytes))
        return rv_http_fail(&c->call.req, r, RV_E_DEST_IO, RV_STR("the store tells no size"), err);
    if (!etag.len || etag.len >= sizeof out->version)
        return rv_http_fail(&c->call.req, r, RV_E_DEST_IO, RV_STR("the store tells no ETag"), err);
    (void)snprintf(out->version, sizeof out->version, "%.*s", RV_STR_ARG(etag));
    keep_hex(rv_http_header_get(r, RV_S3_OWNER), out->owner, sizeof out->owner);
    keep_hex(plain ? bare : rv_s3_is_md5(kept) ? kept : (rv_str){"", 0}, out->md5, sizeof out->md5);
    return RV_OK;
}

rv_status rv_s3_head(rv_store *s, rv_http *h, const char *name, rv_object *out,
                     rv_store_outcome *outcome, rv_error *err)
{
    rv_s3_call c;
    rv_status st;
    rv_s3_call_begin(&c, s, h, "HEAD", name, "s3:GetObject");
    c.may_miss = true;
    RV_GO(rv_s3_send(&c, err));
    RV_GO(rv_s3_settle(&c, outcome, err));
    if (*outcome == RV_STORE_DONE)
        st = read_object(&c, out, err);
done:
    rv_s3_call_free(&c);
    return st;
}

/* ---- get ---- */

rv_status rv_s3_get(rv_store *s, rv_http *h, const char *name, uint64_t offset, uint64_t len,
                    rv_sink sink, rv_store_outcome *outcome, rv_error *err)
{
    rv_s3_call c;
    rv_status st;
    *outcome = RV_STORE_DONE;
    if (len == 0)
        return RV_OK;
    rv_s3_call_begin(&c, s, h, "GET", name, "s3:GetObject");
    c.may_miss = true;
    if (len > UINT64_MAX - offset)
        len = UINT64_MAX - offset;
    RV_GO(rv_s3_fetch(&c, offset, len, sink, err));
    if (c.status != 416) /* at or past the end */
        st = rv_s3_settle(&c, outcome, err);
done:
    rv_s3_call_free(&c);
    return st;
}

/* ---- remove ---- */

rv_status rv_s3_remove(rv_store *s, rv_http *h, const char *name, const char *version,
                       rv_store_outcome *outcome, rv_error *err)
{
    rv_s3_call c;
    rv_status st;
    rv_s3_call_begin(&c, s, h, "DELETE", name, "s3:DeleteObject");
    if (version)
        RV_GO(rv_s3_add_condition(&c, RV_STORE_IF_VERSION, version, err));
    c.may_miss = true;
    RV_GO(rv_s3_send(&c, err));
    if (version && c.status == 400) /* how some say that they know no condition here */
        *outcome = RV_STORE_UNCONDITIONAL;
    else
        st = rv_s3_settle(&c, outcome, err);
done:
    rv_s3_call_free(&c);
    return st;
}
