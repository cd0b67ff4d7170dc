#include "destination/gcs/gcs_internal.h"

#define RV_TARGET "destination"
#define OBJECTS "/storage/v1/b/"
#define FIELDS "nextPageToken,items(name,size,md5Hash,generation,metadata)"
#define BODY_MAX ((uint64_t)16 << 20)

static rv_status build_query(const char *dir, const rv_buf *token, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_oauth_field(out, "delimiter", RV_STR("/"), err));
    RV_TRY(rv_oauth_field(out, "maxResults", RV_STR("1000"), err));
    RV_TRY(rv_oauth_field(out, "fields", RV_STR(FIELDS), err));
    if (dir[0])
        RV_TRY(rv_oauth_field(out, "prefix", rv_str_c(dir), err));
    return token->len ? rv_oauth_field(out, "pageToken", rv_buf_str(token), err) : RV_OK;
}

static rv_status add_item(rv_store *s, const json_t *item, const char *dir, rv_object_list *into,
                          rv_error *err)
{
    rv_object o = {.key = ""};
    size_t skip = strlen(dir);
    rv_str name = rv_str_c(rv_oauth_text(item, "name"));
    if (!name.ptr || !rv_str_starts(name, rv_str_c(dir)) || name.len == skip)
        return RV_OK;
    rv_str key = {name.ptr + skip, name.len - skip};
    if (key.len >= sizeof o.key) {
        RV_LOG_WARN(s->env, "an object below '%s' has a name that is too long to be listed", dir);
        return RV_OK;
    }
    memcpy(o.key, key.ptr, key.len);
    if (!rv_gcs_object(item, &o))
        return rv_fail(err, RV_E_DEST_IO, "the listing of '%s' holds an object without a size",
                       s->uri);
    return rv_object_list_add(into, &o, err);
}

rv_status rv_gcs_page_read(rv_store *s, const rv_http_response *r, const char *dir,
                           rv_store_page *io, rv_error *err)
{
    json_t *doc = rv_gcs_document(r);
    const json_t *items = json_object_get(doc, "items");
    const char *next = rv_oauth_text(doc, "nextPageToken");
    rv_status st = RV_OK;
    if (!doc || (items && !json_is_array(items)))
        st = rv_fail(err, RV_E_DEST_IO, "the listing of '%s' is none", s->uri);
    for (size_t i = 0; i < json_array_size(items) && st == RV_OK; i++)
        st = add_item(s, json_array_get(items, i), dir, io->into, err);
    rv_buf_clear(io->token);
    if (st == RV_OK && next)
        st = rv_buf_add_c(io->token, next, err);
    json_decref(doc);
    return st;
}

rv_status rv_gcs_list(rv_store *s, rv_http *h, const char *dir, rv_store_page *io, rv_error *err)
{
    rv_call c = RV_CALL_INIT(&s->rules, h);
    rv_buf query = RV_BUF_INIT;
    rv_store_outcome found;
    rv_status st;
    RV_GO(build_query(dir, io->token, &query, err));
    RV_GO(rv_gcs_url(s, &c, OBJECTS, NULL, &query, err));
    c.req.method = "GET";
    c.req.max_body = BODY_MAX;
    RV_GO(rv_call_send(&c, err));
    RV_GO(rv_gcs_settle_new(s, &c, RV_STORE_ALWAYS, &found, err));
    RV_GO(rv_gcs_page_read(s, &c.r, dir, io, err));
done:
    rv_buf_free(&query);
    rv_call_free(&c);
    return st;
}
