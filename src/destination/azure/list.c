#include "destination/azure/azure_internal.h"

#include "destination/cloud/xml.h"
#include "net/crypto.h"
#include "base/hash.h"

#define RV_TARGET "destination"
#define PAGE "1000"
#define BODY_MAX ((uint64_t)16 << 20)

static rv_status build_query(const char *dir, const rv_buf *token, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out,
                        "restype=container&comp=list&delimiter=%2F&include=metadata"
                        "&maxresults=" PAGE,
                        err));
    if (dir[0])
        RV_TRY(rv_oauth_field(out, "prefix", rv_str_c(dir), err));
    return token->len ? rv_oauth_field(out, "marker", rv_buf_str(token), err) : RV_OK;
}

/* Names that XML cannot hold come percent-encoded. */
static rv_status name_of(const rv_xml *blob, rv_buf *out, rv_error *err)
{
    const rv_xml *node = rv_xml_child(blob, "Name");
    rv_str text = rv_xml_text(blob, "Name");
    bool encoded = rv_str_eq(rv_xml_text(node, "@Encoded"), RV_STR("true"));
    rv_buf_clear(out);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = (uint8_t)text.ptr[i];
        if (encoded && byte == '%' && i + 2 < text.len &&
            rv_unhex((rv_str){text.ptr + i + 1, 2}, &byte))
            i += 2;
        RV_TRY(rv_buf_add_byte(out, byte, err));
    }
    return RV_OK;
}

/* In a header the tag stands in quotes, in a listing it does not. */
static void copy_tag(rv_str tag, rv_object *o)
{
    bool bare = tag.len && tag.ptr[0] != '"';
    if (tag.len + 3 > sizeof o->version)
        return;
    size_t n = 0;
    if (bare)
        o->version[n++] = '"';
    if (tag.len)
        memcpy(o->version + n, tag.ptr, tag.len);
    n += tag.len;
    if (bare)
        o->version[n++] = '"';
    o->version[n] = '\0';
}

static bool is_folder(const rv_xml *blob)
{
    return rv_str_eq(rv_xml_text(blob, "Metadata/hdi_isfolder"), RV_STR("true")) ||
           rv_str_eq(rv_xml_text(blob, "Properties/ResourceType"), RV_STR("directory"));
}

static rv_status add_blob(rv_store *s, const rv_xml *blob, rv_str name, const char *dir,
                          rv_object_list *into, rv_error *err)
{
    rv_object o = {.size_bytes = 0};
    size_t skip = strlen(dir);
    rv_str owner = rv_xml_text(blob, "Metadata/" RV_AZURE_OWNER);
    if (!rv_str_starts(name, rv_str_c(dir)) || name.len == skip || is_folder(blob))
        return RV_OK;
    rv_str key = {name.ptr + skip, name.len - skip};
    if (key.len >= sizeof o.key || memchr(key.ptr, '\0', key.len)) {
        RV_LOG_WARN(s->env, "an object below '%s' has a name that is too long to be listed", dir);
        return RV_OK;
    }
    if (!rv_str_u64(rv_xml_text(blob, "Properties/Content-Length"), &o.size_bytes))
        return rv_fail(err, RV_E_DEST_IO, "the listing of '%s' holds an object without a size",
                       s->uri);
    memcpy(o.key, key.ptr, key.len);
    rv_call_hex(rv_xml_text(blob, "Properties/Content-MD5"), o.md5);
    if (owner.len && owner.len < sizeof o.owner)
        memcpy(o.owner, owner.ptr, owner.len);
    copy_tag(rv_xml_text(blob, "Properties/Etag"), &o);
    return rv_object_list_add(into, &o, err);
}

rv_status rv_azure_page_read(rv_store *s, rv_bytes page, rv_arena *arena, const char *dir,
                             rv_store_page *io, rv_error *err)
{
    const rv_xml *root = NULL;
    rv_buf name = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_xml_parse(page, arena, &root, err));
    if (!rv_str_eq(root->name, RV_STR("EnumerationResults"))) {
        st = rv_fail(err, RV_E_DEST_IO, "the listing of '%s' is none", s->uri);
        goto done;
    }
    const rv_xml *blob = rv_xml_child(rv_xml_child(root, "Blobs"), "Blob");
    for (; blob; blob = rv_xml_next(blob)) {
        RV_GO(name_of(blob, &name, err));
        RV_GO(add_blob(s, blob, rv_buf_str(&name), dir, io->into, err));
    }
    rv_str marker = rv_xml_text(root, "NextMarker");
    rv_buf_clear(io->token);
    if (marker.len)
        RV_GO(rv_buf_add_str(io->token, marker, err));
done:
    rv_buf_free(&name);
    return st;
}

rv_status rv_azure_list(rv_store *s, rv_http *h, const char *dir, rv_store_page *io, rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    rv_buf query = RV_BUF_INIT;
    rv_status st;
    RV_GO(build_query(dir, io->token, &query, err));
    const char *text = rv_buf_cstr(&query);
    RV_GO(text ? rv_azure_url(s, &c, NULL, text, err) : rv_fail_memory(err));
    c.req.method = "GET";
    c.req.max_body = BODY_MAX;
    RV_GO(rv_call_send(&c, err));
    if (c.r.status == 200) {
        st = rv_azure_page_read(s, rv_buf_bytes(&c.r.body), &c.arena, dir, io, err);
    } else {
        st = rv_azure_fail(s, &c, err);
        if (c.r.status == 404 && st == RV_E_DEST_IO) {
            st = RV_E_DEST_NO_BUCKET;
            if (err)
                err->code = st;
        }
    }
done:
    rv_buf_free(&query);
    rv_call_free(&c);
    return st;
}
