#include "config/config_internal.h"

#include "base/json.h"
#include "config/mask.h"

#include <stdio.h>

/* Writes the written keys of the selected exports, the source and the notifications back as JSON:
 * interpolated, secrets removed, secret-looking variables kept by name. Read again
 * (rv_cfg_load_sealed) it means the same. */
typedef struct sealing {
    rv_load *ld;
    rv_json j;
    rv_json removed; /* names of values that became *** */
    const char *top; /* "source", "export" */
} sealing;

static rv_status seal_group(sealing *s, const rv_group *g);

/* The text without its placeholders, which name secrets but are none. */
static rv_status without_names(rv_str text, rv_buf *out, rv_error *err)
{
    for (size_t i = 0; i < text.len;) {
        size_t len = rv_placeholder_len((rv_str){text.ptr + i, text.len - i});
        if (len == 0)
            RV_TRY(rv_buf_add_byte(out, (uint8_t)text.ptr[i], err));
        i += len ? len : 1;
    }
    return RV_OK;
}

/* "user@" of a URL is no secret, nor is "user:@", whose password is empty or a variable's; with a
 * password all of it is. */
static rv_str bare_user(rv_str text)
{
    rv_str none = {NULL, 0};
    const char *scheme = text.len == 0 ? NULL : memmem(text.ptr, text.len, "://", 3);
    if (!scheme)
        return none;
    rv_str user = {scheme + 3, 0};
    size_t left = text.len - (size_t)(user.ptr - text.ptr);
    while (user.len < left && !strchr(":/?#@", user.ptr[user.len]))
        user.len++;
    if (left - user.len > 1 && user.ptr[user.len] == ':' && user.ptr[user.len + 1] == '@')
        user.len++;
    if (user.len == left || user.ptr[user.len] != '@')
        return none;
    user.len++;
    return memchr(user.ptr + user.len, '@', left - user.len) ? none : user;
}

/* Whether a text holds no secret besides the names of variables. */
static rv_status is_clean(const sealing *s, rv_str text, bool *out)
{
    rv_error *err = s->ld->err;
    rv_buf plain = RV_BUF_INIT;
    rv_buf masked = RV_BUF_INIT;
    rv_status st = RV_OK;
    RV_GO(without_names(text, &plain, err));
    if (!plain.ptr) { /* nothing but names */
        *out = true;
        goto done;
    }
    rv_str user = bare_user(rv_buf_str(&plain));
    if (user.len > 0) {
        size_t from = (size_t)(user.ptr - (const char *)plain.ptr);
        memmove(plain.ptr + from, plain.ptr + from + user.len, plain.len - from - user.len);
        plain.len -= user.len;
    }
    RV_GO(rv_secrets_redact(s->ld->env->secrets, rv_buf_str(&plain), &masked, err));
    *out = rv_str_eq(rv_buf_str(&plain), rv_buf_str(&masked));
done:
    rv_buf_free(&plain);
    rv_buf_free(&masked);
    return st;
}

static void removed(sealing *s, const char *key)
{
    char name[200];
    (void)snprintf(name, sizeof name, "%s.%s", s->top, key);
    rv_json_cstr(&s->removed, name);
}

/* A text that is final but for escapes and names; what is secret in it goes. */
static rv_status put_sealed(sealing *s, const char *key, rv_str text)
{
    bool clean = false;
    rv_buf masked = RV_BUF_INIT;
    if (!rv_utf8_valid(rv_str_bytes(text)))
        return rv_load_bad(s->ld, RV_E_PLAN_FILE, (rv_pos){0, 0},
                           "%s.%s is not valid UTF-8 and cannot stand in a plan", s->top, key);
    RV_TRY(is_clean(s, text, &clean));
    if (clean) {
        rv_json_str(&s->j, text);
        return RV_OK;
    }
    rv_status st = rv_secrets_redact(s->ld->env->secrets, text, &masked, s->ld->err);
    removed(s, key);
    rv_json_str(&s->j, st == RV_OK ? rv_buf_str(&masked) : RV_STR("***"));
    rv_buf_free(&masked);
    return st;
}

static rv_status put_final(sealing *s, const char *key, rv_str text)
{
    rv_buf escaped = RV_BUF_INIT;
    rv_status st = rv_interp_escape(text, &escaped, s->ld->err);
    if (st == RV_OK)
        st = put_sealed(s, key, rv_buf_str(&escaped));
    rv_buf_free(&escaped);
    return st;
}

static rv_status put_text(sealing *s, const rv_cfg_key *key, const rv_val *v)
{
    const char *sealed = NULL;
    if (v->raw.len > 0 && rv_interp_has(v->raw))
        RV_TRY(rv_interp_sealed(s->ld, v->raw, false, &sealed));
    return sealed ? put_sealed(s, key->name, rv_str_c(sealed))
                  : put_final(s, key->name, rv_str_c(v->str));
}

/* url, password, webhook_url: a value made of variables only stays by their names. */
static rv_status put_secret(sealing *s, const rv_cfg_key *key, const rv_val *v)
{
    rv_load *ld = s->ld;
    const char *sealed = NULL;
    bool clean = false;
    bool url = key->id == RV_K_SOURCE_URL;
    rv_buf rest = RV_BUF_INIT;
    if (url)
        RV_TRY(is_clean(s, rv_str_c(v->str), &clean));
    if (clean)
        return put_final(s, key->name, rv_str_c(v->str));
    if (rv_interp_has(v->raw))
        RV_TRY(rv_interp_sealed(ld, v->raw, true, &sealed));
    if (sealed && url) {
        RV_TRY(is_clean(s, rv_str_c(sealed), &clean));
    } else if (sealed) {
        rv_status st = without_names(rv_str_c(sealed), &rest, ld->err);
        clean = rest.len == 0;
        rv_buf_free(&rest);
        RV_TRY(st);
    }
    if (clean) {
        rv_json_cstr(&s->j, sealed);
        return RV_OK;
    }
    if (url)
        return put_final(s, key->name, rv_str_c(v->str));
    removed(s, key->name);
    rv_json_cstr(&s->j, "***");
    return RV_OK;
}

static rv_status put_list(sealing *s, const rv_cfg_key *key, const rv_val *v)
{
    rv_json_array(&s->j);
    for (size_t i = 0; i < v->n; i++)
        RV_TRY(v->unresolved ? put_sealed(s, key->name, rv_str_c(v->list[i]))
                             : put_final(s, key->name, rv_str_c(v->list[i])));
    rv_json_array_end(&s->j);
    return RV_OK;
}

static rv_status put_map(sealing *s, const rv_cfg_key *key, const rv_val *v)
{
    rv_json_object(&s->j);
    for (size_t i = 0; i < v->n; i++) {
        rv_json_key(&s->j, v->list[i]);
        if (key->type == RV_KEY_MAP_FLOAT)
            rv_json_f64(&s->j, v->reals[i]);
        else
            RV_TRY(put_final(s, key->name, rv_str_c(v->text[i])));
    }
    rv_json_object_end(&s->j);
    return RV_OK;
}

static rv_status put_value(sealing *s, const rv_cfg_key *key, const rv_val *v)
{
    if (v->is_list)
        return put_list(s, key, v);
    if (v->unresolved && !(key->flags & RV_KEY_SECRET)) /* of notifications: not needed now */
        return put_sealed(s, key->name, v->raw);
    switch (key->type) {
    case RV_KEY_STR:
    case RV_KEY_SIZE:
    case RV_KEY_DURATION:
        return key->flags & RV_KEY_SECRET ? put_secret(s, key, v) : put_text(s, key, v);
    case RV_KEY_ENUM:
    case RV_KEY_ENUM1:
    case RV_KEY_WORD:
    case RV_KEY_WORD_OR_STRS:
        rv_json_cstr(&s->j, v->str);
        return RV_OK;
    case RV_KEY_BOOL:
    case RV_KEY_BOOL_OR_STRS:
        rv_json_bool(&s->j, v->flag);
        return RV_OK;
    case RV_KEY_INT:
    case RV_KEY_PORT:
    case RV_KEY_COUNT:
        rv_json_i64(&s->j, v->num);
        return RV_OK;
    case RV_KEY_FLOAT:
        rv_json_f64(&s->j, v->real);
        return RV_OK;
    case RV_KEY_MAP_FLOAT:
    case RV_KEY_MAP_STR:
        return put_map(s, key, v);
    case RV_KEY_BLOCK:
        return seal_group(s, v->group);
    case RV_KEY_STRS:
    case RV_KEY_WORDS:
    case RV_KEY_EXPORTS:
    case RV_KEY_ANY:
        break;
    }
    rv_json_null(&s->j); /* read as absent */
    return RV_OK;
}

static bool is_query(rv_key_id id)
{
    return id == RV_K_EXPORT_QUERY || id == RV_K_EXPORT_QUERY_FILE;
}

static rv_status seal_group(sealing *s, const rv_group *g)
{
    size_t n = 0;
    const rv_cfg_key *keys = rv_block_keys(g->block, &n);
    rv_json_object(&s->j);
    for (size_t i = 0; i < n; i++) {
        if (!rv_val_has(&g->vals[i]) || is_query(keys[i].id) || keys[i].type == RV_KEY_ANY ||
            (keys[i].type == RV_KEY_BLOCK && !g->vals[i].group))
            continue;
        rv_json_key(&s->j, keys[i].name);
        RV_TRY(put_value(s, &keys[i], &g->vals[i]));
    }
    if (g->block != RV_BLOCK_EXPORT) /* the caller adds the query */
        rv_json_object_end(&s->j);
    return RV_OK;
}

static rv_status end_sealing(sealing *s, rv_status st, rv_buf *json, rv_buf *names,
                             const char **out, const char **out_removed)
{
    rv_load *ld = s->ld;
    rv_json_array_end(&s->removed);
    if (st == RV_OK)
        st = rv_json_end(&s->j, ld->err);
    if (st == RV_OK)
        st = rv_json_end(&s->removed, ld->err);
    if (st == RV_OK)
        st = rv_arena_cstr(ld->arena, rv_buf_str(json), out, ld->err);
    if (st == RV_OK)
        st = rv_arena_cstr(ld->arena, rv_buf_str(names), out_removed, ld->err);
    rv_buf_free(json);
    rv_buf_free(names);
    return st;
}

static void begin_sealing(sealing *s, rv_load *ld, const char *top, rv_buf *json, rv_buf *names)
{
    *s = (sealing){.ld = ld, .top = top};
    rv_json_begin(&s->j, json, false);
    rv_json_begin(&s->removed, names, false);
    rv_json_array(&s->removed);
}

static rv_status seal_block(rv_load *ld, const rv_val *v, const char *top, rv_cfg_sealed *out)
{
    sealing s;
    rv_buf json = RV_BUF_INIT;
    rv_buf names = RV_BUF_INIT;
    if (!v->group)
        return RV_OK;
    begin_sealing(&s, ld, top, &json, &names);
    rv_status st = seal_group(&s, v->group);
    return end_sealing(&s, st, &json, &names, &out->json, &out->removed);
}

static rv_status seal_export(rv_load *ld, size_t i)
{
    sealing s;
    rv_buf json = RV_BUF_INIT;
    rv_buf names = RV_BUF_INIT;
    rv_cfg_export *x = &ld->cfg->exports[i];
    begin_sealing(&s, ld, "export", &json, &names);
    rv_status st = seal_group(&s, ld->exports[i].g);
    if (st == RV_OK && x->query) {
        rv_json_key(&s.j, "query");
        st = x->query_sealed ? put_sealed(&s, "query", rv_str_c(x->query_sealed))
                             : put_final(&s, "query", rv_str_c(x->query));
    }
    rv_json_object_end(&s.j);
    return end_sealing(&s, st, &json, &names, &x->sealed.json, &x->sealed.removed);
}

rv_status rv_seal(rv_load *ld)
{
    const rv_group *root = ld->root;
    rv_cfg *cfg = ld->cfg;
    if (ld->opts->need_source)
        RV_TRY(seal_block(ld, rv_group_val(root, RV_K_ROOT_SOURCE), "source", &cfg->sealed_source));
    RV_TRY(seal_block(ld, rv_group_val(root, RV_K_ROOT_NOTIFICATIONS), "notifications",
                      &cfg->sealed_notifications));
    for (size_t i = 0; i < ld->cfg->n_exports; i++)
        if (ld->exports[i].selected)
            RV_TRY(seal_export(ld, i));
    return RV_OK;
}
