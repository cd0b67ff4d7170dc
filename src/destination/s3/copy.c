/* Server-side copies: in one request, above 5 GiB in parts. */
#include <stdio.h>
#include <strings.h>

#include "base/arena.h"
#include "destination/s3/s3_internal.h"

#define WHOLE_MAX ((uint64_t)5 << 30)
#define PIECE ((uint64_t)1 << 30)
#define PIECES_MAX 5200u /* 5 TiB, which no object exceeds */

static rv_status add_source(rv_s3_call *c, const char *from, const rv_object *version,
                            rv_error *err)
{
    const char *source = NULL;
    RV_TRY(rv_s3_copy_source(&c->store->address, from, &c->call.arena, &source, err));
    RV_TRY(rv_call_add(&c->call, "x-amz-copy-source", source, err));
    c->conditional = c->may_miss = c->error_in_200 = true;
    return rv_call_add(&c->call, "x-amz-copy-source-if-match", version->version, err);
}

/* The ETag of a copy, which is one in the answer's body. */
static rv_status read_etag(rv_s3_call *c, rv_str *out, rv_error *err)
{
    const rv_xml *root = NULL;
    rv_status st = rv_xml_parse(rv_buf_bytes(&c->call.r.body), &c->call.arena, &root, err);
    if (st == RV_E_DEST_IO)
        return rv_http_fail(&c->call.req, &c->call.r, RV_E_DEST_IO,
                            RV_STR("the answer to a copy cannot be read"), err);
    *out = rv_s3_unquote(rv_xml_text(root, "ETag"));
    return st;
}

/* ---- in one request ---- */

static rv_status copy_whole(rv_store *s, rv_http *h, const char *from, const rv_object *version,
                            const char *to, bool if_absent, rv_store_outcome *outcome,
                            rv_error *err)
{
    rv_str etag = {NULL, 0};
    bool told;
    rv_s3_call c;
    rv_status st;
    rv_s3_call_begin(&c, s, h, "PUT", to, "s3:PutObject");
    RV_GO(add_source(&c, from, version, err));
    RV_GO(rv_s3_add_encryption(&c, err));
    if (if_absent)
        RV_GO(rv_s3_add_condition(&c, RV_STORE_IF_ABSENT, NULL, err));
    RV_GO(rv_s3_send(&c, err));
    RV_GO(rv_s3_settle(&c, outcome, err));
    if (*outcome != RV_STORE_DONE)
        goto done;
    RV_GO(read_etag(&c, &etag, err));
    const rv_s3_sums sums = {.etag = etag, .md5 = version->md5, .crc = ""};
    if (version->md5[0] && rv_s3_is_md5(etag))
        st = rv_s3_compare(&c, &sums, &told, err);
done:
    rv_s3_call_free(&c);
    return st;
}

/* ---- in parts ---- */

/* A copy in parts takes no metadata along: they are read and sent again. */
static rv_status carry(rv_s3_call *to, const rv_http_response *r, rv_error *err)
{
    rv_str name, value;
    for (size_t i = 0; rv_http_header_at(r, i, &name, &value); i++) {
        const char *copy = NULL;
        bool meta = name.len > 11 && strncasecmp(name.ptr, "x-amz-meta-", 11) == 0;
        if (!meta && !rv_str_eq_nocase(name, RV_STR("Content-Type")))
            continue;
        RV_TRY(rv_arena_cstr(&to->call.arena, name, &copy, err));
        RV_TRY(rv_call_addf(&to->call, copy, err, "%.*s", RV_STR_ARG(value)));
    }
    return RV_OK;
}

static rv_status begin(rv_store *s, rv_http *h, const char *from, const char *to, rv_buf *upload_id,
                       rv_store_outcome *outcome, rv_error *err)
{
    rv_s3_call look, c;
    rv_status st;
    rv_s3_call_begin(&look, s, h, "HEAD", from, "s3:GetObject");
    rv_s3_call_begin(&c, s, h, "POST", to, "s3:PutObject");
    look.may_miss = true;
    RV_GO(rv_s3_send(&look, err));
    RV_GO(rv_s3_settle(&look, outcome, err));
    if (*outcome != RV_STORE_DONE)
        goto done;
    RV_GO(carry(&c, &look.call.r, err));
    RV_GO(rv_s3_add_encryption(&c, err));
    st = rv_s3_begin_parts(&c, upload_id, outcome, err);
done:
    rv_s3_call_free(&look);
    rv_s3_call_free(&c);
    return st;
}

static rv_status copy_piece(rv_store *s, rv_http *h, const char *from, const rv_object *version,
                            const char *to, const char *upload_id, rv_store_piece *io,
                            rv_store_outcome *outcome, rv_error *err)
{
    char number[24];
    rv_str etag = {NULL, 0};
    rv_s3_call c;
    rv_status st;
    rv_s3_call_begin(&c, s, h, "PUT", to, "s3:PutObject");
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)io->index + 1);
    rv_s3_param(&c, "partNumber", number);
    rv_s3_param(&c, "uploadId", upload_id);
    RV_GO(add_source(&c, from, version, err));
    RV_GO(rv_call_addf(&c.call, "x-amz-copy-source-range", err, "bytes=%llu-%llu",
                       (unsigned long long)io->offset,
                       (unsigned long long)(io->offset + io->len - 1)));
    RV_GO(rv_s3_send(&c, err));
    RV_GO(rv_s3_settle(&c, outcome, err));
    if (*outcome == RV_STORE_DONE) {
        RV_GO(read_etag(&c, &etag, err));
        st = rv_s3_tag(etag, "", io->tag, err);
    }
done:
    rv_s3_call_free(&c);
    return st;
}

static rv_status copy_pieces(rv_store *s, rv_http *h, const char *from, const rv_object *version,
                             const char *to, const char *upload_id, rv_arena *arena,
                             rv_store_outcome *outcome, rv_error *err)
{
    rv_store_piece *pieces = NULL;
    uint64_t n = (version->size_bytes + PIECE - 1) / PIECE;
    rv_s3_finished finished;
    rv_s3_call c;
    if (n > PIECES_MAX)
        return rv_fail(err, RV_E_DEST_IO, "%s/%s is too large to be copied", s->uri, from);
    RV_TRY(rv_arena_array(arena, (size_t)n, sizeof *pieces, &pieces, err));
    for (uint64_t i = 0; i < n; i++) {
        uint64_t left = version->size_bytes - i * PIECE;
        pieces[i].index = i;
        pieces[i].offset = i * PIECE;
        pieces[i].len = left < PIECE ? left : PIECE;
        RV_TRY(copy_piece(s, h, from, version, to, upload_id, &pieces[i], outcome, err));
        if (*outcome != RV_STORE_DONE)
            return RV_OK;
    }
    rv_s3_call_begin(&c, s, h, "POST", to, "s3:PutObject");
    rv_status st = rv_s3_add_condition(&c, RV_STORE_IF_ABSENT, NULL, err);
    if (st == RV_OK)
        st = rv_s3_finish_parts(&c, upload_id, pieces, (size_t)n, &finished, outcome, err);
    rv_s3_call_free(&c);
    return st;
}

static rv_status copy_in_parts(rv_store *s, rv_http *h, const char *from, const rv_object *version,
                               const char *to, rv_store_outcome *outcome, rv_error *err)
{
    rv_buf upload_id = RV_BUF_INIT;
    rv_arena arena = RV_ARENA_INIT;
    rv_store_outcome aborted;
    rv_status st = begin(s, h, from, to, &upload_id, outcome, err);
    if (st == RV_OK && *outcome == RV_STORE_DONE) {
        const char *id = (const char *)upload_id.ptr;
        st = copy_pieces(s, h, from, version, to, id, &arena, outcome, err);
        if (st != RV_OK || *outcome != RV_STORE_DONE)
            (void)rv_s3_upload_abort(s, h, to, id, &aborted, NULL);
    }
    rv_arena_free(&arena);
    rv_buf_free(&upload_id);
    return st;
}

rv_status rv_s3_copy(rv_store *s, rv_http *h, const char *from, const rv_object *version,
                     const char *to, rv_store_outcome *outcome, rv_error *err)
{
    if (version->size_bytes > WHOLE_MAX)
        return copy_in_parts(s, h, from, version, to, outcome, err);
    RV_TRY(copy_whole(s, h, from, version, to, true, outcome, err));
    if (*outcome != RV_STORE_UNCONDITIONAL) /* the caller has looked before */
        return RV_OK;
    return copy_whole(s, h, from, version, to, false, outcome, err);
}
