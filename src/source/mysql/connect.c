#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/url.h"
#include "source/mysql/session_internal.h"
#include "source/sql/login.h"

#define DEFAULT_PORT 3306

typedef struct reading {
    const rv_env *env;
    rv_arena *arena;
    rv_my_opts *out;
    bool mode_written;
} reading;

static rv_status fail_form(const char *why, rv_error *err)
{
    return rv_fail(err, RV_E_CONFIG_SCHEME, "the MySQL connection cannot be read: %s", why);
}

/* Percent-decoded, as C text. */
static rv_status decoded(const reading *r, rv_str raw, const char **out, rv_error *err)
{
    rv_str text = RV_STR("");
    RV_TRY(rv_url_decode(raw, r->arena, &text, err));
    if (memchr(text.ptr, '\0', text.len))
        return fail_form("it holds a NUL byte", err);
    return rv_arena_cstr(r->arena, text, out, err);
}

/* ---- query parameters ---- */

/* Letters without case, '_' as '-'. */
static bool is_word(rv_str text, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i < n && n == text.len; i++) {
        char c = text.ptr[i] == '_' ? '-' : text.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c != word[i])
            return false;
    }
    return n == text.len;
}

static rv_status read_mode(reading *r, const char *value, rv_error *err)
{
    static const struct {
        const char *word;
        rv_my_tls mode;
    } words[] = {{"disabled", RV_MY_TLS_DISABLE},           {"disable", RV_MY_TLS_DISABLE},
                 {"preferred", RV_MY_TLS_PREFER},           {"prefer", RV_MY_TLS_PREFER},
                 {"required", RV_MY_TLS_REQUIRE},           {"require", RV_MY_TLS_REQUIRE},
                 {"verify-ca", RV_MY_TLS_VERIFY_CA},        {"verify-full", RV_MY_TLS_VERIFY_FULL},
                 {"verify-identity", RV_MY_TLS_VERIFY_FULL}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (is_word(rv_str_c(value), words[i].word)) {
            r->out->tls = words[i].mode;
            r->mode_written = true;
            return RV_OK;
        }
    return rv_fail(err, RV_E_CONFIG_ENUM,
                   "'ssl-mode' cannot be '%s'; allowed: disabled, preferred, required, verify_ca, "
                   "verify_identity",
                   value);
}

static rv_status read_timeout(const reading *r, const char *value, rv_error *err)
{
    int64_t seconds = 0;
    if (!rv_str_i64(rv_str_trim(rv_str_c(value)), &seconds) || seconds < 0 || seconds > 1000000)
        return fail_form("connect-timeout is no number of seconds", err);
    r->out->connect_timeout_us = seconds * 1000000;
    return RV_OK;
}

static bool is_no(const char *value)
{
    rv_str v = rv_str_c(value);
    return is_word(v, "false") || is_word(v, "off") || is_word(v, "no") || is_word(v, "none") ||
           is_word(v, "0");
}

static rv_status take_param(reading *r, rv_str name, const char *value, rv_error *err)
{
    rv_my_opts *o = r->out;
    if (is_word(name, "ssl-mode") || is_word(name, "sslmode"))
        return read_mode(r, value, err);
    if (is_word(name, "connect-timeout"))
        return read_timeout(r, value, err);
    if (is_word(name, "ssl-ca"))
        o->ca_file = value;
    else if (is_word(name, "ssl-cert"))
        o->cert_file = value;
    else if (is_word(name, "ssl-key"))
        o->key_file = value;
    else if (is_word(name, "tls-version"))
        o->tls_version = value;
    else if (is_word(name, "socket"))
        o->socket = value;
    else if (is_word(name, "compression"))
        o->compress = !is_no(value);
    else if (!rv_url_param_known(RV_ENGINE_MYSQL, name))
        rv_log_once(r->env->log, RV_WARN, RV_TARGET,
                    "connection parameter '%.*s' is not understood and is ignored",
                    RV_STR_ARG(name));
    return RV_OK;
}

static rv_status read_query(reading *r, rv_str query, rv_error *err)
{
    for (size_t i = 0; i < query.len;) {
        const char *amp = memchr(query.ptr + i, '&', query.len - i);
        size_t end = amp ? (size_t)(amp - query.ptr) : query.len;
        rv_str pair = {query.ptr + i, end - i};
        const char *eq = pair.len ? memchr(pair.ptr, '=', pair.len) : NULL;
        size_t name_len = eq ? (size_t)(eq - pair.ptr) : pair.len;
        rv_str raw = eq ? (rv_str){eq + 1, pair.len - name_len - 1} : RV_STR("");
        const char *value = NULL, *name = NULL;
        i = end + 1;
        RV_TRY(decoded(r, (rv_str){pair.ptr, name_len}, &name, err));
        RV_TRY(decoded(r, raw, &value, err));
        if (name[0])
            RV_TRY(take_param(r, rv_str_c(name), value, err));
    }
    return RV_OK;
}

/* ---- mysql://user:password@host:port/database?name=value ---- */

static size_t find_any(rv_str s, size_t from, const char *set)
{
    while (from < s.len && !strchr(set, s.ptr[from]))
        from++;
    return from;
}

static rv_status read_userinfo(const reading *r, rv_str info, rv_error *err)
{
    size_t colon = find_any(info, 0, ":");
    RV_TRY(decoded(r, (rv_str){info.ptr, colon}, &r->out->user, err));
    if (colon < info.len)
        RV_TRY(decoded(r, (rv_str){info.ptr + colon + 1, info.len - colon - 1}, &r->out->password,
                       err));
    return RV_OK;
}

static rv_status read_port(const reading *r, rv_str text, rv_error *err)
{
    int64_t port = 0;
    if (text.len == 0)
        return RV_OK;
    if (!rv_str_i64(text, &port) || port < 1 || port > 65535)
        return fail_form("its port is malformed", err);
    r->out->port = (uint32_t)port;
    return RV_OK;
}

/* host, host:port or [::1]:port. */
static rv_status read_place(const reading *r, rv_str place, rv_error *err)
{
    bool bracket = place.len && place.ptr[0] == '[';
    size_t end = bracket ? find_any(place, 0, "]") : find_any(place, 0, ":");
    if (bracket && end == place.len)
        return fail_form("its host is malformed", err);
    rv_str host = {place.ptr + bracket, end - bracket};
    rv_str rest = {place.ptr + end + bracket, place.len - end - bracket};
    if (rest.len && rest.ptr[0] != ':')
        return fail_form("its host is malformed", err);
    if (memchr(host.ptr, ',', host.len))
        return fail_form("it names several hosts", err);
    RV_TRY(decoded(r, host, &r->out->host, err));
    return rest.len ? read_port(r, (rv_str){rest.ptr + 1, rest.len - 1}, err) : RV_OK;
}

static rv_status read_url(reading *r, const char *url, rv_error *err)
{
    rv_str s = rv_str_c(url);
    size_t from = rv_url_scheme(s).len + 3;
    if (from > s.len)
        return fail_form("it names no host", err);
    rv_str rest = {s.ptr + from, s.len - from};
    size_t fragment = find_any(rest, 0, "#");
    size_t authority = find_any(rest, 0, "/?#"), at = authority;
    while (at > 0 && rest.ptr[at - 1] != '@')
        at--;
    if (at > 0)
        RV_TRY(read_userinfo(r, (rv_str){rest.ptr, at - 1}, err));
    RV_TRY(read_place(r, (rv_str){rest.ptr + at, authority - at}, err));
    size_t query = find_any(rest, authority, "?#");
    if (query > authority + 1)
        RV_TRY(decoded(r, (rv_str){rest.ptr + authority + 1, query - authority - 1},
                       &r->out->database, err));
    if (query < fragment)
        RV_TRY(read_query(r, (rv_str){rest.ptr + query + 1, fragment - query - 1}, err));
    return RV_OK;
}

/* ---- TLS ---- */

static const rv_my_tls modes[] = {
    [RV_TLS_UNSET] = RV_MY_TLS_PREFER,        [RV_TLS_DISABLE] = RV_MY_TLS_DISABLE,
    [RV_TLS_PREFER] = RV_MY_TLS_PREFER,       [RV_TLS_REQUIRE] = RV_MY_TLS_REQUIRE,
    [RV_TLS_VERIFY_CA] = RV_MY_TLS_VERIFY_CA, [RV_TLS_VERIFY_FULL] = RV_MY_TLS_VERIFY_FULL,
};

/* The block wins over the URL as a whole. */
static rv_status tls_block(const rv_cfg_source *cfg, rv_arena *arena, rv_my_opts *o, rv_error *err)
{
    o->tls = modes[rv_sql_tls_mode(&cfg->tls)];
    RV_TRY(rv_sql_config_path(cfg, cfg->tls.ca_file, arena, &o->ca_file, err));
    RV_TRY(rv_sql_config_path(cfg, cfg->tls.cert_file, arena, &o->cert_file, err));
    return rv_sql_config_path(cfg, cfg->tls.key_file, arena, &o->key_file, err);
}

static rv_status check_readable(const char *name, const char *path, rv_error *err)
{
    if (!path || access(path, R_OK) == 0)
        return RV_OK;
    return rv_fail(err, RV_E_SOURCE_TLS, "the %s '%s' cannot be read", name, path);
}

static rv_status settle_tls(const reading *r, bool block, rv_error *err)
{
    rv_my_opts *o = r->out;
    /* as the server's own client has it: to name authorities is to ask for their word */
    if (!block && !r->mode_written && o->ca_file)
        o->tls = RV_MY_TLS_VERIFY_CA;
    bool verify = o->tls == RV_MY_TLS_VERIFY_CA || o->tls == RV_MY_TLS_VERIFY_FULL;
    if (!verify)
        o->ca_file = NULL;
    else if (!o->ca_file)
        RV_TRY(rv_sql_ca_bundle(&o->ca_file, err));
    if (o->tls == RV_MY_TLS_DISABLE)
        return RV_OK;
    RV_TRY(check_readable("file of certificate authorities", o->ca_file, err));
    RV_TRY(check_readable("client certificate", o->cert_file, err));
    return check_readable("key of the client certificate", o->key_file, err);
}

static rv_status structured(const reading *r, const rv_cfg_source *cfg, rv_error *err)
{
    rv_my_opts *o = r->out;
    RV_TRY(rv_sql_password(r->env, cfg, r->arena, &o->password, err));
    o->host = cfg->host;
    o->port = cfg->port ? cfg->port : DEFAULT_PORT;
    o->user = cfg->user;
    o->database = cfg->database;
    return RV_OK;
}

rv_status rv_mys_params(const rv_env *env, const rv_cfg_source *cfg, rv_arena *arena,
                        rv_my_opts *out, rv_error *err)
{
    const char *url = NULL;
    reading r = {.env = env, .arena = arena, .out = out};
    out->port = DEFAULT_PORT;
    out->tls = RV_MY_TLS_PREFER;
    RV_TRY(rv_source_url(env, cfg, arena, &url, err));
    RV_TRY(url ? read_url(&r, url, err) : structured(&r, cfg, err));
    if (out->socket && !out->socket[0])
        out->socket = NULL;
    if (!out->socket && (!out->host || !out->host[0]))
        return fail_form("it names no host", err);
    if (out->database && !out->database[0])
        out->database = NULL;
    if (cfg->tls.written) {
        out->ca_file = NULL;
        RV_TRY(tls_block(cfg, arena, out, err));
    }
    return settle_tls(&r, cfg->tls.written, err);
}
