#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "pg/pg_internal.h"

/* A list that grows in the arena; parameters are few. */
typedef struct param_list {
    rv_arena *arena;
    rv_pg_param *items;
    size_t n, cap;
} param_list;

static rv_status add(param_list *l, const char *key, const char *value, rv_error *err)
{
    if (l->n == l->cap) {
        rv_pg_param *grown = NULL;
        size_t cap = l->cap ? 2 * l->cap : 16;
        RV_TRY(rv_arena_array(l->arena, cap, sizeof *grown, &grown, err));
        if (l->n)
            memcpy(grown, l->items, l->n * sizeof *grown);
        l->items = grown;
        l->cap = cap;
    }
    l->items[l->n++] = (rv_pg_param){key, value};
    return RV_OK;
}

static rv_status add_copy(param_list *l, rv_str key, rv_str value, rv_error *err)
{
    const char *k = NULL, *v = NULL;
    RV_TRY(rv_arena_cstr(l->arena, key, &k, err));
    RV_TRY(rv_arena_cstr(l->arena, value, &v, err));
    return add(l, k, v, err);
}

/* Names this libpq takes, but the one that would turn the connection into a replication stream. */
static bool is_known(const PQconninfoOption *options, rv_str name)
{
    if (rv_str_eq(name, RV_STR("replication")))
        return false;
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (rv_str_eq(name, rv_str_c(o->keyword)))
            return true;
    return false;
}

static void warn_unknown(const rv_env *env, rv_str name)
{
    rv_log_once(env->log, RV_WARN, RV_TARGET,
                "connection parameter '%.*s' is not understood and is ignored", RV_STR_ARG(name));
}

static rv_status fail_form(const char *why, rv_error *err)
{
    return rv_fail(err, RV_E_CONFIG_SCHEME, "the PostgreSQL connection cannot be read: %s", why);
}

/* %XX decoded; what is no such code stays as it is. A NUL cannot be passed on. */
static rv_status decode(rv_str text, rv_arena *arena, rv_str *out, rv_error *err)
{
    char *copy = NULL;
    size_t n = 0;
    RV_TRY(rv_arena_alloc(arena, text.len + 1, &copy, err));
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = (uint8_t)text.ptr[i];
        if (c == '%' && text.len - i > 2 && rv_unhex((rv_str){text.ptr + i + 1, 2}, &c))
            i += 2;
        if (c == '\0')
            return fail_form("it holds a NUL byte", err);
        copy[n++] = (char)c;
    }
    *out = (rv_str){copy, n};
    return RV_OK;
}

static rv_status hide(const rv_env *env, rv_str value, rv_error *err)
{
    return rv_secrets_add(env->secrets, value, err);
}

static bool is_secret(rv_str name)
{
    return rv_str_eq(name, RV_STR("password")) || rv_str_eq(name, RV_STR("sslpassword"));
}

/* ---- postgresql://user:password@host:port,host/dbname?name=value ---- */

static size_t find_any(rv_str s, size_t from, const char *set)
{
    while (from < s.len && !strchr(set, s.ptr[from]))
        from++;
    return from;
}

static rv_status add_userinfo(const rv_env *env, param_list *l, rv_str info, rv_error *err)
{
    rv_str user = RV_STR(""), password = RV_STR("");
    size_t colon = find_any(info, 0, ":");
    RV_TRY(decode((rv_str){info.ptr, colon}, l->arena, &user, err));
    if (user.len)
        RV_TRY(add(l, "user", user.ptr, err));
    if (colon + 1 >= info.len)
        return RV_OK;
    rv_str raw = {info.ptr + colon + 1, info.len - colon - 1};
    RV_TRY(hide(env, raw, err));
    RV_TRY(decode(raw, l->arena, &password, err));
    RV_TRY(hide(env, password, err));
    return add(l, "password", password.ptr, err);
}

/* name=value pairs after '?': the known ones are decoded into the list. */
static rv_status add_query(const rv_env *env, param_list *l, rv_str query,
                           const PQconninfoOption *options, rv_error *err)
{
    for (size_t i = 0; i < query.len;) {
        size_t end = find_any(query, i, "&");
        rv_str pair = {query.ptr + i, end - i};
        size_t eq = find_any(pair, 0, "=");
        rv_str name = RV_STR(""), value = RV_STR("");
        i = end + 1;
        RV_TRY(decode((rv_str){pair.ptr, eq}, l->arena, &name, err));
        if (eq < pair.len) {
            rv_str raw = {pair.ptr + eq + 1, pair.len - eq - 1};
            RV_TRY(decode(raw, l->arena, &value, err));
        }
        if (is_secret(name))
            RV_TRY(hide(env, value, err));
        if (rv_str_eq(name, RV_STR("ssl")) && rv_str_eq(value, RV_STR("true")))
            RV_TRY(add(l, "sslmode", "require", err));
        else if (is_known(options, name))
            RV_TRY(add_copy(l, name, value, err));
        else if (name.len)
            warn_unknown(env, name);
    }
    return RV_OK;
}

/* What remains between userinfo and query goes to libpq's own reader: hosts, ports, database. */
static rv_status add_location(param_list *l, rv_str location, rv_error *err)
{
    const char *uri = NULL;
    char *why = NULL;
    RV_TRY(rv_arena_printf(l->arena, &uri, err, "postgresql://%.*s", RV_STR_ARG(location)));
    PQconninfoOption *parsed = PQconninfoParse(uri, &why);
    if (!parsed) {
        rv_status st =
            fail_form(why ? "its host, port or database is malformed" : "no memory", err);
        PQfreemem(why);
        return st;
    }
    rv_status st = RV_OK;
    for (const PQconninfoOption *o = parsed; o->keyword && st == RV_OK; o++)
        if (o->val)
            st = add_copy(l, rv_str_c(o->keyword), rv_str_c(o->val), err);
    PQconninfoFree(parsed);
    return st;
}

static rv_status parse_url(const rv_env *env, param_list *l, rv_str rest,
                           const PQconninfoOption *options, rv_error *err)
{
    size_t authority = find_any(rest, 0, "/?#"), at = authority;
    while (at > 0 && rest.ptr[at - 1] != '@')
        at--;
    if (at > 0)
        RV_TRY(add_userinfo(env, l, (rv_str){rest.ptr, at - 1}, err));
    size_t query = find_any(rest, authority, "?");
    RV_TRY(add_location(l, (rv_str){rest.ptr + at, query - at}, err));
    if (query >= rest.len)
        return RV_OK;
    return add_query(env, l, (rv_str){rest.ptr + query + 1, rest.len - query - 1}, options, err);
}

/* ---- host=.. port = '..' ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static size_t skip_blanks(rv_str s, size_t i)
{
    while (i < s.len && is_blank(s.ptr[i]))
        i++;
    return i;
}

/* One value from *io_at on: bare up to a blank, or in single quotes; a backslash takes the next
 * byte as it is. */
static rv_status take_value(rv_str s, size_t *io_at, rv_arena *arena, rv_str *out, rv_error *err)
{
    char *copy = NULL;
    size_t n = 0, i = *io_at;
    RV_TRY(rv_arena_alloc(arena, s.len - i + 1, &copy, err));
    bool quoted = i < s.len && s.ptr[i] == '\'';
    i += quoted;
    while (i < s.len && (quoted ? s.ptr[i] != '\'' : !is_blank(s.ptr[i]))) {
        if (s.ptr[i] == '\\' && ++i == s.len)
            break;
        copy[n++] = s.ptr[i++];
    }
    if (quoted && i++ >= s.len)
        return fail_form("a quoted value does not end", err);
    *io_at = i;
    *out = (rv_str){copy, n};
    return RV_OK;
}

static rv_status parse_keywords(const rv_env *env, param_list *l, rv_str s,
                                const PQconninfoOption *options, rv_error *err)
{
    for (size_t i = skip_blanks(s, 0); i < s.len; i = skip_blanks(s, i)) {
        size_t from = i;
        while (i < s.len && s.ptr[i] != '=' && !is_blank(s.ptr[i]))
            i++;
        rv_str name = {s.ptr + from, i - from}, value = RV_STR("");
        i = skip_blanks(s, i);
        if (name.len == 0 || i >= s.len || s.ptr[i] != '=')
            return fail_form("a parameter has no '='", err);
        i = skip_blanks(s, i + 1);
        RV_TRY(take_value(s, &i, l->arena, &value, err));
        if (is_secret(name))
            RV_TRY(hide(env, value, err));
        if (is_known(options, name))
            RV_TRY(add_copy(l, name, value, err));
        else
            warn_unknown(env, name);
    }
    return RV_OK;
}

rv_status rv_pg_params_parse(const rv_env *env, const char *url, rv_arena *arena, rv_pg_param **out,
                             size_t *out_n, rv_error *err)
{
    static const rv_str schemes[] = {{"postgresql://", 13}, {"postgres://", 11}};
    rv_str s = rv_str_trim(rv_str_c(url));
    param_list l = {.arena = arena};
    PQconninfoOption *options = PQconndefaults();
    if (!options)
        return rv_fail_memory(err);
    rv_status st = RV_OK;
    size_t scheme = 0;
    for (size_t i = 0; i < 2 && !scheme; i++)
        if (s.len >= schemes[i].len &&
            rv_str_eq_nocase((rv_str){s.ptr, schemes[i].len}, schemes[i]))
            scheme = schemes[i].len;
    if (scheme)
        st = parse_url(env, &l, (rv_str){s.ptr + scheme, s.len - scheme}, options, err);
    else
        st = parse_keywords(env, &l, s, options, err);
    PQconninfoFree(options);
    if (st != RV_OK)
        return st;
    *out = l.items;
    *out_n = l.n;
    return RV_OK;
}
