/* A large object: blocks of its own name, put together at the end. The id of a block holds the
 * MD5 of its bytes and who sent them, so a list of ids names bytes and not merely places. */
#include <stdio.h>

#include "base/hash.h"
#include "destination/azure/azure_internal.h"
#include "net/crypto.h"

typedef struct block_id { /* 36 bytes, 48 characters: all of one object are equally long */
    uint8_t index[4], md5[16], owner[16];
} block_id;

static rv_status name_block(const rv_store_write *w, rv_store_piece *io, rv_error *err)
{
    block_id id = {.index = {(uint8_t)(io->index >> 24), (uint8_t)(io->index >> 16),
                             (uint8_t)(io->index >> 8), (uint8_t)io->index}};
    rv_buf text = RV_BUF_INIT;
    rv_str owner = rv_str_c(w->owner_token);
    if (strlen(io->md5) != 32 || !rv_unhex(rv_str_c(io->md5), id.md5))
        return rv_fail(err, RV_E_INTERNAL, "a block comes without its MD5");
    if (owner.len != 32 || !rv_unhex(owner, id.owner))
        return rv_fail(err, RV_E_INTERNAL, "a block comes without its owner");
    rv_status st = rv_base64((rv_bytes){(const uint8_t *)&id, sizeof id}, RV_BASE64, &text, err);
    if (st == RV_OK && text.len < sizeof io->tag) {
        memcpy(io->tag, text.ptr, text.len);
        io->tag[text.len] = '\0';
    }
    rv_buf_free(&text);
    return st;
}

rv_status rv_azure_upload_begin(rv_store *s, rv_http *h, const rv_store_write *w, rv_buf *upload_id,
                                rv_store_outcome *outcome, rv_error *err)
{
    (void)s;
    (void)h;
    (void)w;
    (void)err;
    rv_buf_clear(upload_id);
    *outcome = RV_STORE_DONE;
    return RV_OK;
}

static rv_status send_block(rv_store *s, rv_call *c, const rv_store_write *w, rv_store_piece *io,
                            rv_store_outcome *outcome, rv_error *err)
{
    const char *md5 = NULL;
    rv_buf query = RV_BUF_INIT;
    rv_status st;
    c->req.method = "PUT";
    c->req.body =
        (rv_http_body){.kind = RV_HTTP_FILE, .fd = w->fd, .offset = io->offset, .len = io->len};
    RV_GO(name_block(w, io, err));
    RV_GO(rv_buf_add_c(&query, "comp=block", err));
    RV_GO(rv_oauth_field(&query, "blockid", rv_str_c(io->tag), err));
    const char *text = rv_buf_cstr(&query);
    RV_GO(text ? rv_azure_url(s, c, w->name, text, err) : rv_fail_memory(err));
    RV_GO(rv_call_md5(c, io->md5, &md5, err));
    RV_GO(rv_call_add(c, "Content-MD5", md5, err));
    if (s->scope)
        RV_GO(rv_call_add(c, "x-ms-encryption-scope", s->scope, err));
    RV_GO(rv_call_send(c, err));
    RV_GO(rv_azure_settle(s, c, RV_STORE_ALWAYS, outcome, err));
    if (*outcome == RV_STORE_DONE)
        st = rv_call_compare(c, rv_http_header_get(&c->r, "Content-MD5"), io->md5, err);
    else
        st = rv_azure_fail(s, c, err);
done:
    rv_buf_free(&query);
    return st;
}

rv_status rv_azure_upload_part(rv_store *s, rv_http *h, const rv_store_write *w,
                               const char *upload_id, rv_store_piece *io, rv_store_outcome *outcome,
                               rv_error *err)
{
    (void)upload_id;
    rv_call c = RV_CALL_INIT(&s->rules, h);
    rv_store_outcome found = RV_STORE_DONE;
    rv_status st = send_block(s, &c, w, io, &found, err);
    if (st == RV_OK)
        *outcome = found;
    rv_call_free(&c);
    return st;
}

/* ---- the end ---- */

static rv_status write_list(const rv_store_piece *pieces, size_t n, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>", err));
    /* Latest: a list sent again after a lost answer finds its blocks committed */
    for (size_t i = 0; i < n; i++)
        RV_TRY(rv_buf_printf(out, err, "<Latest>%s</Latest>", pieces[i].tag));
    return rv_buf_add_c(out, "</BlockList>", err);
}

static rv_status send_list(rv_store *s, rv_call *c, const rv_store_write *w, rv_bytes list,
                           rv_store_outcome *outcome, rv_error *err)
{
    const char *md5 = NULL;
    c->req.method = "PUT";
    c->req.body = (rv_http_body){.kind = RV_HTTP_BYTES, .bytes = list};
    RV_TRY(rv_azure_url(s, c, w->name, "comp=blocklist", err));
    RV_TRY(rv_call_md5(c, w->md5, &md5, err));
    RV_TRY(rv_call_add(c, "Content-Type", "application/xml", err));
    RV_TRY(rv_call_add(c, "x-ms-blob-content-md5", md5, err));
    RV_TRY(rv_azure_describe(s, c, w, err));
    RV_TRY(rv_azure_condition(c, w->condition, w->version, err));
    RV_TRY(rv_call_send(c, err));
    if (c->r.status == 400 && rv_str_eq(rv_azure_code(c), RV_STR("InvalidBlockList"))) {
        *outcome = RV_STORE_MISSING; /* thrown away when somebody else wrote the name */
        return RV_OK;
    }
    return rv_azure_settle(s, c, w->condition, outcome, err);
}

/* What the service holds, if we may read it: each block was checked on its own before. */
static rv_status check_whole(rv_store *s, rv_http *h, const rv_store_write *w, rv_error *err)
{
    rv_object o = {.size_bytes = 0};
    rv_error denied = {.code = RV_OK};
    rv_store_outcome found = RV_STORE_DONE;
    rv_status st = rv_azure_head(s, h, w->name, &o, &found, &denied);
    if (st == RV_E_DEST_PERMISSION)
        return RV_OK;
    if (st != RV_OK) {
        if (err)
            *err = denied;
        return st;
    }
    bool equal = found == RV_STORE_DONE && o.size_bytes == w->size_bytes &&
                 (!o.md5[0] || strcmp(o.md5, w->md5) == 0);
    return equal ? RV_OK
                 : rv_fail(err, RV_E_DEST_CORRUPT,
                           "%s/%s: the store holds %llu bytes with the MD5 %s, not what was sent",
                           s->uri, w->name, (unsigned long long)o.size_bytes,
                           o.md5[0] ? o.md5 : "none");
}

rv_status rv_azure_upload_finish(rv_store *s, rv_http *h, const rv_store_write *w,
                                 const char *upload_id, const rv_store_piece *pieces, size_t n,
                                 rv_store_outcome *outcome, rv_error *err)
{
    (void)upload_id;
    rv_call c = RV_CALL_INIT(&s->rules, h);
    rv_buf list = RV_BUF_INIT;
    rv_store_outcome found = RV_STORE_DONE;
    rv_status st;
    RV_GO(write_list(pieces, n, &list, err));
    RV_GO(send_list(s, &c, w, rv_buf_bytes(&list), &found, err));
    if (found == RV_STORE_DONE)
        RV_GO(check_whole(s, h, w, err));
    *outcome = found;
done:
    rv_buf_free(&list);
    rv_call_free(&c);
    return st;
}

/* Blocks that nothing lists are gone after a week. */
rv_status rv_azure_upload_abort(rv_store *s, rv_http *h, const char *name, const char *upload_id,
                                rv_store_outcome *outcome, rv_error *err)
{
    (void)s;
    (void)h;
    (void)name;
    (void)upload_id;
    (void)err;
    *outcome = RV_STORE_DONE;
    return RV_OK;
}
