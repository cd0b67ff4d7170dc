#include <stdio.h>
#include <strings.h>

#include "base/file.h"
#include "base/hash.h"
#include "destination/s3/s3_internal.h"
#include "net/crypto.h"

/* ---- what is sent ---- */

rv_status rv_s3_add_encryption(rv_s3_call *c, rv_error *err)
{
    const rv_store *s = c->store;
    rv_call *call = &c->call;
    bool kms = s->sse && strcmp(s->sse, "kms") == 0;
    if (s->sse)
        RV_TRY(rv_call_add(call, "x-amz-server-side-encryption", kms ? "aws:kms" : "AES256", err));
    if (kms && s->kms_key_id)
        RV_TRY(
            rv_call_add(call, "x-amz-server-side-encryption-aws-kms-key-id", s->kms_key_id, err));
    if (kms && s->sse_bucket_key)
        RV_TRY(rv_call_add(call, "x-amz-server-side-encryption-bucket-key-enabled", "true", err));
    return s->storage_class ? rv_call_add(call, "x-amz-storage-class", s->storage_class, err)
                            : RV_OK;
}

rv_status rv_s3_add_object(rv_s3_call *c, const rv_store_write *w, rv_error *err)
{
    if (w->mime)
        RV_TRY(rv_call_add(&c->call, "Content-Type", w->mime, err));
    RV_TRY(rv_call_add(&c->call, RV_S3_OWNER, w->owner_token, err));
    RV_TRY(rv_call_add(&c->call, RV_S3_MD5, w->md5, err));
    return rv_s3_add_encryption(c, err);
}

rv_status rv_s3_add_condition(rv_s3_call *c, rv_store_condition condition, const char *version,
                              rv_error *err)
{
    switch (condition) {
    case RV_STORE_ALWAYS:
        break;
    case RV_STORE_IF_ABSENT:
        c->conditional = true;
        return rv_call_add(&c->call, "If-None-Match", "*", err);
    case RV_STORE_IF_VERSION:
        c->conditional = c->may_miss = true;
        return rv_call_add(&c->call, "If-Match", version, err);
    }
    return RV_OK;
}

static rv_status crc_of(const rv_http_body *b, uint32_t *out, rv_error *err)
{
    uint8_t block[16384];
    *out = 0;
    if (b->kind == RV_HTTP_BYTES)
        *out = rv_crc32c(0, b->bytes.ptr, b->bytes.len);
    for (uint64_t at = 0; b->kind == RV_HTTP_FILE && at < b->len;) {
        size_t n = b->len - at < sizeof block ? (size_t)(b->len - at) : sizeof block;
        RV_TRY(rv_file_pread(b->fd, block, n, b->offset + at, "the finished file", err));
        *out = rv_crc32c(*out, block, n);
        at += n;
    }
    return RV_OK;
}

rv_status rv_s3_add_crc(rv_s3_call *c, char out[RV_S3_CRC_SIZE], rv_error *err)
{
    uint32_t crc;
    rv_buf text = RV_BUF_INIT;
    out[0] = '\0';
    if (!c->store->address.aws)
        return RV_OK;
    RV_TRY(crc_of(&c->call.req.body, &crc, err));
    const uint8_t raw[] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                           (uint8_t)crc};
    rv_status st = rv_base64((rv_bytes){raw, sizeof raw}, RV_BASE64, &text, err);
    if (st == RV_OK) {
        (void)snprintf(out, RV_S3_CRC_SIZE, "%.*s", (int)text.len, (const char *)text.ptr);
        st = rv_call_addf(&c->call, "x-amz-checksum-crc32c", err, "%s", out);
    }
    rv_buf_free(&text);
    return st;
}

/* ---- what comes back ---- */

rv_str rv_s3_unquote(rv_str etag)
{
    if (rv_str_starts(etag, RV_STR("W/")))
        etag = (rv_str){etag.ptr + 2, etag.len - 2};
    if (etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"')
        etag = (rv_str){etag.ptr + 1, etag.len - 2};
    return etag;
}

rv_str rv_s3_etag(const rv_http_response *r)
{
    return rv_s3_unquote(rv_http_header_get(r, "ETag"));
}

bool rv_s3_is_kms(const rv_http_response *r)
{
    return rv_str_starts(rv_http_header_get(r, "x-amz-server-side-encryption"),
                         RV_STR("aws:kms")) ||
           rv_http_header_get(r, "x-amz-server-side-encryption-customer-algorithm").len;
}

bool rv_s3_is_md5(rv_str text)
{
    uint8_t raw[16];
    return text.len == 32 && rv_unhex(text, raw);
}

static rv_status differs(const rv_s3_call *c, const char *what, rv_str got, const char *sent,
                         rv_error *err)
{
    char words[320];
    (void)snprintf(words, sizeof words, "the store's %s is %.*s, of what was sent it is %s", what,
                   (int)(got.len < 100 ? got.len : 100), got.ptr, sent);
    return rv_http_fail(&c->call.req, &c->call.r, RV_E_DEST_CORRUPT, rv_str_c(words), err);
}

rv_status rv_s3_compare(const rv_s3_call *c, const rv_s3_sums *sums, bool *told, rv_error *err)
{
    *told = false;
    if (sums->crc[0] && sums->theirs.len) {
        if (!rv_str_eq(sums->theirs, rv_str_c(sums->crc)))
            return differs(c, "CRC-32C", sums->theirs, sums->crc, err);
        *told = true;
    }
    if (rv_s3_is_kms(&c->call.r) || !sums->etag.len) /* the ETag of such an object is no MD5 */
        return RV_OK;
    *told = true;
    return rv_str_eq_nocase(sums->etag, rv_str_c(sums->md5))
               ? RV_OK
               : differs(c, "ETag", sums->etag, sums->md5, err);
}

rv_status rv_s3_compare_body(const rv_s3_call *c, const char *md5, const char *crc, bool *told,
                             rv_error *err)
{
    const rv_s3_sums sums = {.etag = rv_s3_etag(&c->call.r),
                             .theirs = rv_http_header_get(&c->call.r, "x-amz-checksum-crc32c"),
                             .md5 = md5,
                             .crc = crc};
    return rv_s3_compare(c, &sums, told, err);
}

rv_status rv_s3_compare_size(rv_store *s, rv_http *h, const char *name, uint64_t size_bytes,
                             rv_error *err)
{
    rv_object there;
    rv_store_outcome outcome = RV_STORE_DONE;
    rv_error why = {.code = RV_OK};
    rv_status st = rv_s3_head(s, h, name, &there, &outcome, &why);
    if (st == RV_E_DEST_PERMISSION) /* who may only write has the store's word alone */
        return RV_OK;
    if (st != RV_OK) {
        if (err)
            *err = why;
        return st;
    }
    if (outcome != RV_STORE_DONE)
        return rv_fail(err, RV_E_DEST_CORRUPT, "%s/%s is not there after its upload", s->uri, name);
    if (there.size_bytes != size_bytes)
        return rv_fail(err, RV_E_DEST_CORRUPT, "%s/%s holds %llu bytes, %llu were sent", s->uri,
                       name, (unsigned long long)there.size_bytes, (unsigned long long)size_bytes);
    return RV_OK;
}
