#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "destination/s3/s3_internal.h"
#include "net/crypto.h"

#define RV_TARGET "destination"
#define PAGES_MAX 100 /* of open uploads under one name */

/* ---- begin ---- */

rv_status rv_s3_begin_parts(rv_s3_call *c, rv_buf *upload_id, rv_store_outcome *outcome,
                            rv_error *err)
{
    const rv_xml *root = NULL;
    rv_s3_param(c, "uploads", "");
    RV_TRY(rv_s3_send(c, err));
    RV_TRY(rv_s3_settle(c, outcome, err));
    if (*outcome != RV_STORE_DONE)
        return RV_OK;
    RV_TRY(rv_xml_parse(rv_buf_bytes(&c->call.r.body), &c->call.arena, &root, err));
    rv_str id = rv_xml_text(root, "UploadId");
    if (!id.len)
        return rv_http_fail(&c->call.req, &c->call.r, RV_E_DEST_IO,
                            RV_STR("the store gives no upload id"), err);
    rv_buf_clear(upload_id);
    RV_TRY(rv_buf_add_str(upload_id, id, err));
    return rv_buf_cstr(upload_id) ? RV_OK : rv_fail_memory(err);
}

/* ---- parts ---- */

/* The tag goes into XML as it is. */
rv_status rv_s3_tag(rv_str etag, const char *crc, char out[128], rv_error *err)
{
    bool good = etag.len > 0 && etag.len < 100;
    for (size_t i = 0; good && i < etag.len; i++)
        good = etag.ptr[i] > ' ' && etag.ptr[i] <= '~' && !strchr("<>&\"'", etag.ptr[i]);
    if (!good)
        return rv_fail(err, RV_E_DEST_IO, "the store gives no usable ETag for a part");
    (void)snprintf(out, 128, "%.*s %s", RV_STR_ARG(etag), crc);
    return RV_OK;
}

static rv_status write_list(const rv_store_piece *pieces, size_t n, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out,
                        "<CompleteMultipartUpload "
                        "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
                        err));
    for (size_t i = 0; i < n; i++) {
        const char *tag = pieces[i].tag;
        size_t len = strcspn(tag, " ");
        const char *crc = tag[len] ? tag + len + 1 : "";
        RV_TRY(rv_buf_printf(out, err,
                             "<Part><PartNumber>%llu</PartNumber><ETag>&quot;%.*s&quot;</ETag>",
                             (unsigned long long)pieces[i].index + 1, (int)len, tag));
        if (crc[0])
            RV_TRY(rv_buf_printf(out, err, "<ChecksumCRC32C>%s</ChecksumCRC32C>", crc));
        RV_TRY(rv_buf_add_c(out, "</Part>", err));
    }
    return rv_buf_add_c(out, "</CompleteMultipartUpload>", err);
}

/* ---- finish ---- */

rv_status rv_s3_finish_parts(rv_s3_call *c, const char *upload_id, const rv_store_piece *pieces,
                             size_t n, rv_s3_finished *out, rv_store_outcome *outcome,
                             rv_error *err)
{
    rv_buf list = RV_BUF_INIT;
    const rv_xml *root = NULL;
    rv_status st;
    *out = (rv_s3_finished){.etag = {NULL, 0}};
    rv_s3_param(c, "uploadId", upload_id);
    c->error_in_200 = c->may_miss = true;
    RV_GO(write_list(pieces, n, &list, err));
    RV_GO(rv_call_add(&c->call, "Content-Type", "application/xml", err));
    c->call.req.body = (rv_http_body){.kind = RV_HTTP_BYTES, .bytes = rv_buf_bytes(&list)};
    RV_GO(rv_s3_send(c, err));
    RV_GO(rv_s3_settle(c, outcome, err));
    if (*outcome != RV_STORE_DONE)
        goto done;
    st = rv_xml_parse(rv_buf_bytes(&c->call.r.body), &c->call.arena, &root, err);
    if (st == RV_E_DEST_IO) { /* what came of it, a HEAD tells */
        *outcome = RV_STORE_MISSING;
        st = RV_OK;
    } else if (st == RV_OK) {
        out->etag = rv_s3_unquote(rv_xml_text(root, "ETag"));
        out->crc = rv_xml_text(root, "ChecksumCRC32C");
    }
done:
    c->call.req.body = (rv_http_body){.kind = RV_HTTP_NO_BODY};
    rv_buf_free(&list);
    return st;
}

/* The MD5 of the parts' MD5s, "-" and their number. */
static void expected_etag(const rv_store_piece *pieces, size_t n, char out[64])
{
    rv_md5 md5;
    uint8_t raw[16];
    char hex[33];
    rv_md5_init(&md5);
    for (size_t i = 0; i < n; i++)
        if (rv_unhex((rv_str){pieces[i].md5, 32}, raw))
            rv_md5_update(&md5, raw, sizeof raw);
    rv_md5_final(&md5, raw);
    rv_hex(raw, sizeof raw, hex);
    (void)snprintf(out, 64, "%s-%zu", hex, n);
}

/* The CRC-32C of the parts' CRC-32Cs, "-" and their number; "" when one has none. */
static void expected_crc(const rv_store_piece *pieces, size_t n, char out[64])
{
    rv_buf raw = RV_BUF_INIT, text = RV_BUF_INIT;
    uint32_t crc = 0;
    bool whole = true;
    out[0] = '\0';
    for (size_t i = 0; whole && i < n; i++) {
        rv_buf_clear(&raw);
        const char *blank = strchr(pieces[i].tag, ' ');
        whole = blank && rv_unbase64(rv_str_c(blank + 1), &raw) && raw.len == 4;
        if (whole)
            crc = rv_crc32c(crc, raw.ptr, raw.len);
    }
    const uint8_t be[] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                          (uint8_t)crc};
    if (whole && rv_base64((rv_bytes){be, sizeof be}, RV_BASE64, &text, NULL) == RV_OK)
        (void)snprintf(out, 64, "%.*s-%zu", (int)text.len, (const char *)text.ptr, n);
    rv_buf_free(&raw);
    rv_buf_free(&text);
}

rv_status rv_s3_upload_finish(rv_store *s, rv_http *h, const rv_store_write *w,
                              const char *upload_id, const rv_store_piece *pieces, size_t n,
                              rv_store_outcome *outcome, rv_error *err)
{
    char md5[64], crc[64];
    rv_s3_finished finished;
    bool told = true;
    rv_s3_call c;
    rv_status st;
    rv_s3_call_begin(&c, s, h, "POST", w->name, "s3:PutObject");
    RV_GO(rv_s3_add_condition(&c, w->condition, w->version, err));
    RV_GO(rv_s3_finish_parts(&c, upload_id, pieces, n, &finished, outcome, err));
    if (*outcome == RV_STORE_DONE) {
        const rv_s3_sums sums = {
            .etag = finished.etag, .theirs = finished.crc, .md5 = md5, .crc = crc};
        expected_etag(pieces, n, md5);
        expected_crc(pieces, n, crc);
        st = rv_s3_compare(&c, &sums, &told, err);
    }
done:
    rv_s3_call_free(&c);
    return st == RV_OK && !told ? rv_s3_compare_size(s, h, w->name, w->size_bytes, err) : st;
}

/* ---- abort ---- */

static void begin_clean_up(rv_s3_call *c, rv_store *s, rv_http *h, const char *method,
                           const char *name, const char *right)
{
    rv_s3_call_begin(c, s, h, method, name, right);
    c->may_miss = true;
    rv_call_cleans_up(&c->call);
}

static rv_status abort_one(rv_store *s, rv_http *h, const char *name, const char *upload_id,
                           rv_store_outcome *outcome, rv_error *err)
{
    rv_s3_call c;
    begin_clean_up(&c, s, h, "DELETE", name, "s3:AbortMultipartUpload");
    rv_s3_param(&c, "uploadId", upload_id);
    rv_status st = rv_s3_send(&c, err);
    if (st == RV_OK)
        st = rv_s3_settle(&c, outcome, err);
    rv_s3_call_free(&c);
    return st;
}

typedef struct open_uploads { /* under one name, page by page */
    const char *keep;         /* the id of one that goes on; "": none does */
    rv_buf key, id; /* where the next page begins; empty: at the start, or it was the last one */
} open_uploads;

static rv_status read_markers(const rv_xml *root, bool encoded, open_uploads *io, rv_error *err)
{
    rv_buf_clear(&io->id);
    if (!rv_str_eq_nocase(rv_str_trim(rv_xml_text(root, "IsTruncated")), RV_STR("true")))
        return RV_OK;
    RV_TRY(rv_s3_decode(rv_xml_text(root, "NextKeyMarker"), encoded, &io->key, err));
    return rv_buf_add_str(&io->id, rv_xml_text(root, "NextUploadIdMarker"), err);
}

static rv_status abort_listed(rv_s3_call *c, const char *name, open_uploads *io,
                              rv_store_outcome *outcome, rv_error *err)
{
    const rv_xml *root = NULL;
    rv_buf key = RV_BUF_INIT;
    rv_store_outcome one;
    rv_status st;
    RV_GO(rv_xml_parse(rv_buf_bytes(&c->call.r.body), &c->call.arena, &root, err));
    bool encoded = rv_str_eq(rv_xml_text(root, "EncodingType"), RV_STR("url"));
    for (const rv_xml *x = rv_xml_child(root, "Upload"); x; x = rv_xml_next(x)) {
        rv_str id = rv_xml_text(x, "UploadId");
        RV_GO(rv_s3_decode(rv_xml_text(x, "Key"), encoded, &key, err));
        if (!id.len || rv_str_eq(id, rv_str_c(io->keep)) ||
            !rv_str_eq(rv_buf_str(&key), rv_str_c(name)))
            continue;
        RV_GO(abort_one(c->store, c->call.http, name, id.ptr, &one, err));
        *outcome = RV_STORE_DONE;
    }
    RV_GO(read_markers(root, encoded, io, err));
    /* names come sorted: behind the last of this one there is none */
    if (!rv_str_eq(rv_buf_str(&io->key), rv_str_c(name)))
        rv_buf_clear(&io->id);
done:
    rv_buf_free(&key);
    return st;
}

static rv_status abort_page(rv_store *s, rv_http *h, const char *name, open_uploads *io,
                            rv_store_outcome *outcome, rv_error *err)
{
    rv_s3_call c;
    rv_store_outcome listed = RV_STORE_MISSING;
    const char *key = io->id.len ? rv_buf_cstr(&io->key) : "";
    const char *id = io->id.len ? rv_buf_cstr(&io->id) : "";
    if (!key || !id)
        return rv_fail_memory(err);
    begin_clean_up(&c, s, h, "GET", NULL, "s3:ListBucketMultipartUploads");
    rv_s3_param(&c, "uploads", "");
    rv_s3_param(&c, "prefix", name);
    rv_s3_param(&c, "encoding-type", "url");
    if (id[0]) {
        rv_s3_param(&c, "key-marker", key);
        rv_s3_param(&c, "upload-id-marker", id);
    }
    rv_status st = rv_s3_send(&c, err);
    if (st == RV_OK && (c.status == 403 || c.status == 501))
        RV_LOG_DEBUG(s->env, "open uploads of %s/%s cannot be listed (%s)", s->uri, name, c.code);
    else if (st == RV_OK)
        st = rv_s3_settle(&c, &listed, err);
    bool answered = st == RV_OK && listed == RV_STORE_DONE;
    if (answered)
        st = abort_listed(&c, name, io, outcome, err);
    else
        rv_buf_clear(&io->id);
    rv_s3_call_free(&c);
    return st;
}

/* Uploads that were begun by a process which could not note their ids any more. */
static rv_status abort_all(rv_store *s, rv_http *h, const char *name, const char *keep,
                           rv_store_outcome *outcome, rv_error *err)
{
    open_uploads u = {.keep = keep, .key = RV_BUF_INIT, .id = RV_BUF_INIT};
    rv_status st = RV_OK;
    *outcome = RV_STORE_MISSING;
    for (int i = 0; st == RV_OK && i < PAGES_MAX && (i == 0 || u.id.len); i++)
        st = abort_page(s, h, name, &u, outcome, err);
    rv_buf_free(&u.key);
    rv_buf_free(&u.id);
    return st;
}

rv_status rv_s3_upload_abort(rv_store *s, rv_http *h, const char *name, const char *upload_id,
                             rv_store_outcome *outcome, rv_error *err)
{
    return upload_id[0] ? abort_one(s, h, name, upload_id, outcome, err)
                        : abort_all(s, h, name, "", outcome, err);
}

/* ---- begin an object ---- */

/* A try whose answer was lost may have begun an upload as well, whose id nobody knows. */
static void end_twins(rv_store *s, rv_http *h, const char *name, const char *id)
{
    rv_store_outcome ignored;
    rv_error why = {.code = RV_OK};
    if (abort_all(s, h, name, id, &ignored, &why) != RV_OK)
        RV_LOG_DEBUG(s->env, "%s/%s: other open uploads were not ended: %s", s->uri, name,
                     why.text);
}

rv_status rv_s3_upload_begin(rv_store *s, rv_http *h, const rv_store_write *w, rv_buf *upload_id,
                             rv_store_outcome *outcome, rv_error *err)
{
    rv_s3_call c;
    rv_s3_call_begin(&c, s, h, "POST", w->name, "s3:PutObject");
    rv_status st = rv_s3_add_object(&c, w, err);
    if (st == RV_OK && s->address.aws) /* else the checksums of the parts are refused */
        st = rv_call_add(&c.call, "x-amz-checksum-algorithm", "CRC32C", err);
    if (st == RV_OK)
        st = rv_s3_begin_parts(&c, upload_id, outcome, err);
    bool twice = c.call.r.tries > 1;
    rv_s3_call_free(&c);
    if (st == RV_OK && *outcome == RV_STORE_DONE && twice)
        end_twins(s, h, w->name, rv_buf_cstr(upload_id));
    return st;
}
