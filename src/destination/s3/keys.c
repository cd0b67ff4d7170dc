#include "destination/s3/keys.h"

#include <jansson.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "destination/cloud/xml.h"

void rv_s3_wipe(rv_buf *b)
{
    if (b->ptr)
        explicit_bzero(b->ptr, b->cap);
    rv_buf_free(b);
}

static void wipe_text(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    rv_free(text);
}

rv_s3_keys *rv_s3_keys_take(rv_s3_keys *k)
{
    (void)atomic_fetch_add(&k->owners, 1);
    return k;
}

void rv_s3_keys_drop(rv_s3_keys *k)
{
    if (!k || atomic_fetch_sub(&k->owners, 1) != 1)
        return;
    wipe_text(k->access);
    wipe_text(k->secret);
    wipe_text(k->token);
    rv_free(k);
}

static bool is_plain(rv_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~')
            return false;
    return true;
}

static rv_status copy(rv_str text, char **out, rv_error *err)
{
    char *mine = rv_alloc(text.len + 1);
    if (!mine)
        return rv_fail_memory(err);
    memcpy(mine, text.ptr, text.len);
    mine[text.len] = '\0';
    *out = mine;
    return RV_OK;
}

static rv_status check(const char *what, rv_str access, rv_str secret, rv_str token, rv_error *err)
{
    if (access.len == 0 || secret.len == 0)
        return rv_fail(err, RV_E_DEST_AUTH, "%s gives no %s", what,
                       access.len ? "secret access key" : "access key id");
    if (!is_plain(access) || !is_plain(secret) || !is_plain(token))
        return rv_fail(err, RV_E_DEST_AUTH,
                       "%s gives keys with blanks or control characters in them", what);
    return RV_OK;
}

rv_status rv_s3_keys_new(const rv_env *env, const char *what, const rv_s3_key_texts *texts,
                         rv_s3_keys **out, rv_error *err)
{
    rv_str access = rv_str_trim(texts->access), secret = rv_str_trim(texts->secret);
    rv_str token = rv_str_trim(texts->token);
    RV_TRY(check(what, access, secret, token, err));
    if (env->secrets) {
        RV_TRY(rv_secrets_add(env->secrets, secret, err));
        RV_TRY(rv_secrets_add(env->secrets, token, err));
    }
    rv_s3_keys *k = rv_calloc(1, sizeof *k);
    if (!k)
        return rv_fail_memory(err);
    atomic_init(&k->owners, 1);
    k->until_us = texts->until_us;
    rv_status st = copy(access, &k->access, err);
    st = st == RV_OK ? copy(secret, &k->secret, err) : st;
    st = st == RV_OK && token.len ? copy(token, &k->token, err) : st;
    if (st != RV_OK) {
        rv_s3_keys_drop(k);
        return st;
    }
    *out = k;
    return RV_OK;
}

static int64_t instant(rv_str text)
{
    int64_t us;
    return rv_rfc3339_parse(text, &us) ? us : 0;
}

/* ---- JSON ---- */

static rv_str text_of(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    return json_is_string(v) ? (rv_str){json_string_value(v), json_string_length(v)}
                             : (rv_str){"", 0};
}

/* jansson frees its texts as they are. */
static void wipe_json(json_t *v)
{
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        if (json_is_string(member))
            explicit_bzero((char *)(uintptr_t)json_string_value(member),
                           json_string_length(member));
    }
}

static rv_status refuse_answer(const char *what, const json_t *o, rv_error *err)
{
    rv_str code = text_of(o, "Code"), message = text_of(o, "Message");
    const json_t *version = json_object_get(o, "Version");
    if (code.len && !rv_str_eq(code, RV_STR("Success")))
        return rv_fail(err, RV_E_DEST_AUTH, "%s answers %.*s%s%.*s", what, RV_STR_ARG(code),
                       message.len ? ": " : "", RV_STR_ARG(message));
    if (version && json_integer_value(version) != 1)
        return rv_fail(err, RV_E_DEST_AUTH, "%s answers in another version than 1", what);
    return RV_OK;
}

static rv_status read_object(const rv_env *env, const char *what, const json_t *o, rv_s3_keys **out,
                             rv_error *err)
{
    if (!json_is_object(o))
        return rv_fail(err, RV_E_DEST_AUTH, "%s answers with no JSON object of keys", what);
    RV_TRY(refuse_answer(what, o, err));
    rv_str token = text_of(o, "SessionToken");
    const rv_s3_key_texts texts = {.access = text_of(o, "AccessKeyId"),
                                   .secret = text_of(o, "SecretAccessKey"),
                                   .token = token.len ? token : text_of(o, "Token"),
                                   .until_us = instant(text_of(o, "Expiration"))};
    return rv_s3_keys_new(env, what, &texts, out, err);
}

rv_status rv_s3_keys_json(const rv_env *env, const char *what, rv_bytes json, const char *member,
                          rv_s3_keys **out, rv_error *err)
{
    json_t *root = json.len
                       ? json_loadb((const char *)json.ptr, json.len, JSON_REJECT_DUPLICATES, NULL)
                       : NULL;
    json_t *o = member ? json_object_get(root, member) : root;
    rv_status st = read_object(env, what, o, out, err);
    wipe_json(o);
    json_decref(root);
    return st;
}

/* ---- XML ---- */

/* The tree lies in an arena, which frees its texts as they are. */
static void wipe_leaves(const rv_xml *node)
{
    for (const rv_xml *c = node ? node->first : NULL; c; c = c->next)
        if (c->text.len)
            explicit_bzero((char *)(uintptr_t)c->text.ptr, c->text.len);
}

static const rv_xml *find_credentials(const rv_xml *root)
{
    for (const rv_xml *c = root ? root->first : NULL; c; c = c->next)
        if (rv_xml_child(c, "Credentials"))
            return rv_xml_child(c, "Credentials");
    return NULL;
}

rv_status rv_s3_keys_sts(const rv_env *env, const char *what, rv_bytes xml, rv_s3_keys **out,
                         rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    const rv_xml *root = NULL;
    rv_status st = rv_xml_parse(xml, &arena, &root, err);
    if (st == RV_OK) {
        const rv_xml *c = find_credentials(root);
        const rv_s3_key_texts texts = {.access = rv_xml_text(c, "AccessKeyId"),
                                       .secret = rv_xml_text(c, "SecretAccessKey"),
                                       .token = rv_xml_text(c, "SessionToken"),
                                       .until_us = instant(rv_xml_text(c, "Expiration"))};
        st = rv_s3_keys_new(env, what, &texts, out, err);
        wipe_leaves(c);
    } else if (st == RV_E_DEST_IO) {
        st = rv_wrap(err, RV_E_DEST_AUTH, "%s gives no keys", what);
    }
    rv_arena_free(&arena);
    return st;
}
