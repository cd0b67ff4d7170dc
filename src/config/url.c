#include "config/url.h"

#include "base/file.h"

static bool scheme_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.';
}

rv_str rv_url_scheme(rv_str url)
{
    size_t i = 0;
    while (i < url.len && scheme_char(url.ptr[i]))
        i++;
    if (i == 0 || i >= url.len || url.ptr[i] != ':')
        return RV_STR("");
    rv_str scheme = {url.ptr, i};
    rv_str rest = {url.ptr + i, url.len - i};
    if (rv_str_starts(rest, RV_STR("://")) || rv_str_eq_nocase(scheme, RV_STR("sqlite")))
        return scheme;
    return RV_STR("");
}

static bool is_keyword_form(rv_str url)
{
    rv_str s = rv_str_trim(url);
    size_t i = 0;
    while (i < s.len && ((s.ptr[i] >= 'a' && s.ptr[i] <= 'z') || s.ptr[i] == '_'))
        i++;
    size_t name = i;
    while (i < s.len && s.ptr[i] == ' ')
        i++;
    return name > 0 && i < s.len && s.ptr[i] == '=';
}

bool rv_url_matches(rv_engine engine, rv_str url)
{
    static const char *const schemes[][2] = {
        [RV_ENGINE_POSTGRES] = {"postgresql", "postgres"},
        [RV_ENGINE_MYSQL] = {"mysql", "mariadb"},
        [RV_ENGINE_MSSQL] = {"sqlserver", "mssql"},
        [RV_ENGINE_SQLITE] = {"sqlite", "sqlite"},
    };
    rv_str scheme = rv_url_scheme(url);
    if (scheme.len == 0)
        return engine == RV_ENGINE_POSTGRES && is_keyword_form(url);
    return rv_str_eq_nocase(scheme, rv_str_c(schemes[engine][0])) ||
           rv_str_eq_nocase(scheme, rv_str_c(schemes[engine][1]));
}

/* From "//" to the last '@' before the next '/', '?' or '#': a raw '@' may stand in a password. */
static rv_str userinfo(rv_str url)
{
    size_t start = rv_url_scheme(url).len + 3;
    if (start == 3 || start > url.len || memcmp(url.ptr + start - 2, "//", 2) != 0)
        return RV_STR("");
    size_t end = start;
    while (end < url.len && !strchr("/?#", url.ptr[end]))
        end++;
    size_t at = SIZE_MAX;
    for (size_t i = start; i < end; i++)
        if (url.ptr[i] == '@')
            at = i;
    return at == SIZE_MAX ? RV_STR("") : (rv_str){url.ptr + start, at - start};
}

/* password=... of the keyword form. */
static rv_str keyword_password(rv_str url)
{
    static const char key[] = "password=";
    size_t len = sizeof key - 1;
    for (size_t i = 0; i + len <= url.len; i++) {
        if (memcmp(url.ptr + i, key, len) != 0 || (i > 0 && url.ptr[i - 1] != ' '))
            continue;
        size_t from = i + len;
        char stop = from < url.len && url.ptr[from] == '\'' ? '\'' : ' ';
        from += stop == '\'';
        size_t end = from;
        while (end < url.len && url.ptr[end] != stop)
            end++;
        return (rv_str){url.ptr + from, end - from};
    }
    return RV_STR("");
}

/* ...?user=u&password=... */
static rv_str query_password(rv_str url)
{
    static const char key[] = "password=";
    size_t len = sizeof key - 1;
    const char *mark = memchr(url.ptr, '?', url.len);
    size_t i = mark ? (size_t)(mark - url.ptr) + 1 : url.len;
    while (i < url.len) {
        const char *next = memchr(url.ptr + i, '&', url.len - i);
        size_t end = next ? (size_t)(next - url.ptr) : url.len;
        if (end - i >= len && memcmp(url.ptr + i, key, len) == 0)
            return (rv_str){url.ptr + i + len, end - i - len};
        i = end + 1;
    }
    return RV_STR("");
}

rv_str rv_url_password(rv_str url)
{
    if (rv_url_scheme(url).len == 0)
        return keyword_password(url);
    rv_str info = userinfo(url);
    for (size_t i = 0; i < info.len; i++)
        if (info.ptr[i] == ':')
            return (rv_str){info.ptr + i + 1, info.len - i - 1};
    return query_password(url);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

rv_status rv_url_decode(rv_str text, rv_arena *arena, rv_str *out, rv_error *err)
{
    char *copy = NULL;
    RV_TRY(rv_arena_alloc(arena, text.len + 1, &copy, err));
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool code = text.ptr[i] == '%' && i + 2 < text.len && hex(text.ptr[i + 1]) >= 0 &&
                    hex(text.ptr[i + 2]) >= 0;
        if (!code) {
            copy[n++] = text.ptr[i];
            continue;
        }
        copy[n++] = (char)(hex(text.ptr[i + 1]) * 16 + hex(text.ptr[i + 2]));
        i += 2;
    }
    *out = (rv_str){copy, n};
    return RV_OK;
}

bool rv_url_next_param(rv_str url, size_t *io_at, rv_str *out_name)
{
    size_t i = *io_at;
    if (i == 0) {
        rv_str info = userinfo(url);
        if (info.len > 0)
            i = (size_t)(info.ptr - url.ptr) + info.len;
        while (i < url.len && url.ptr[i] != '?')
            i++;
    }
    if (rv_url_scheme(url).len == 0 || i >= url.len || url.ptr[i] == '#')
        return false;
    size_t from = ++i;
    while (i < url.len && !strchr("=&#", url.ptr[i]))
        i++;
    *out_name = (rv_str){url.ptr + from, i - from};
    while (i < url.len && url.ptr[i] != '&' && url.ptr[i] != '#')
        i++;
    *io_at = i;
    return true;
}

static const char *const libpq_params[] = {"host",
                                           "hostaddr",
                                           "port",
                                           "dbname",
                                           "user",
                                           "password",
                                           "passfile",
                                           "require_auth",
                                           "channel_binding",
                                           "connect_timeout",
                                           "client_encoding",
                                           "options",
                                           "application_name",
                                           "fallback_application_name",
                                           "keepalives",
                                           "keepalives_idle",
                                           "keepalives_interval",
                                           "keepalives_count",
                                           "tcp_user_timeout",
                                           "gssencmode",
                                           "sslmode",
                                           "requiressl",
                                           "sslnegotiation",
                                           "sslcompression",
                                           "sslcert",
                                           "sslkey",
                                           "sslpassword",
                                           "sslcertmode",
                                           "sslrootcert",
                                           "sslcrl",
                                           "sslcrldir",
                                           "sslsni",
                                           "requirepeer",
                                           "ssl_min_protocol_version",
                                           "ssl_max_protocol_version",
                                           "krbsrvname",
                                           "gsslib",
                                           "gssdelegation",
                                           "service",
                                           "target_session_attrs",
                                           "load_balance_hosts",
                                           "ssl",
                                           NULL};
static const char *const mysql_params[] = {
    "sslmode", "ssl-mode",        "ssl-ca",      "ssl-cert", "ssl-key", "tls-version",
    "socket",  "connect-timeout", "compression", "charset",  NULL};
static const char *const mssql_params[] = {"encrypt",
                                           "trustservercertificate",
                                           "hostnameincertificate",
                                           "database",
                                           "instancename",
                                           "applicationintent",
                                           "multisubnetfailover",
                                           "connecttimeout",
                                           NULL};

static bool same_name(rv_str name, rv_str known, bool folded)
{
    if (!folded)
        return rv_str_eq(name, known);
    if (name.len != known.len)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i] == '_' ? '-' : name.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c != known.ptr[i])
            return false;
    }
    return true;
}

bool rv_url_param_known(rv_engine engine, rv_str name)
{
    static const char *const none[] = {NULL};
    const char *const *lists[] = {[RV_ENGINE_POSTGRES] = libpq_params,
                                  [RV_ENGINE_MYSQL] = mysql_params,
                                  [RV_ENGINE_MSSQL] = mssql_params,
                                  [RV_ENGINE_SQLITE] = none};
    for (const char *const *k = lists[engine]; *k; k++)
        if (same_name(name, rv_str_c(*k), engine != RV_ENGINE_POSTGRES))
            return true;
    return false;
}

static rv_status below_dir(const char *dir, rv_str path, rv_arena *arena, const char **out,
                           rv_error *err)
{
    if (path.len > 0 && path.ptr[0] == '/')
        return rv_arena_cstr(arena, path, out, err);
    return rv_arena_printf(arena, out, err, "%s/%.*s", dir, RV_STR_ARG(path));
}

rv_status rv_url_sqlite_path(rv_str url, const char *dir, rv_arena *arena, const char **out,
                             rv_error *err)
{
    size_t from = rv_url_scheme(url).len + 1;
    rv_str path = {url.ptr + from, url.len - from};
    for (size_t i = 0; i < path.len; i++)
        if (path.ptr[i] == '?')
            path.len = i;
    if (rv_str_starts(path, RV_STR("//")))
        path = (rv_str){path.ptr + 2, path.len - 2};
    if (path.len == 0)
        return rv_fail(err, RV_E_CONFIG_NO_CONNECTION, "the sqlite: URL names no file");
    return below_dir(dir, path, arena, out, err);
}

rv_status rv_url_hide(const rv_env *env, rv_str url, rv_arena *arena, rv_error *err)
{
    rv_str raw = rv_url_password(url);
    if (raw.len == 0 || !env->secrets)
        return RV_OK;
    rv_str decoded = {NULL, 0};
    RV_TRY(rv_secrets_add(env->secrets, raw, err));
    RV_TRY(rv_url_decode(raw, arena, &decoded, err));
    return rv_secrets_add(env->secrets, decoded, err);
}

static rv_status read_url_file(const rv_cfg_source *src, rv_arena *arena, const char **out,
                               rv_error *err)
{
    const char *path = NULL;
    bool found = false;
    rv_buf text = RV_BUF_INIT;
    rv_status st = RV_OK;
    RV_TRY(below_dir(src->config_dir, rv_str_c(src->url_file), arena, &path, err));
    RV_GO(rv_file_read_all(path, 1 << 20, &text, &found, err));
    rv_str line = rv_buf_str(&text);
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] == '\n')
            line.len = i;
    line = rv_str_trim(line);
    if (!found)
        st = rv_fail(err, RV_E_CONFIG_NO_CONNECTION, "source.url_file '%s' does not exist",
                     src->url_file);
    else if (line.len == 0)
        st = rv_fail(err, RV_E_CONFIG_NO_CONNECTION,
                     "the first line of source.url_file '%s' is empty", src->url_file);
    else
        st = rv_arena_cstr(arena, line, out, err);
done:
    rv_buf_free(&text);
    return st;
}

rv_status rv_source_url(const rv_env *env, const rv_cfg_source *src, rv_arena *arena,
                        const char **out, rv_error *err)
{
    const char *url = src->url;
    if (!url && src->url_env) {
        const char *value = rv_env_get(env, src->url_env);
        if (!value || !*value)
            return rv_fail(err, RV_E_CONFIG_NO_CONNECTION,
                           "environment variable '%s', named by source.url_env, is not set",
                           src->url_env);
        RV_TRY(rv_arena_cstr(arena, rv_str_trim(rv_str_c(value)), &url, err));
    } else if (!url && src->url_file) {
        RV_TRY(read_url_file(src, arena, &url, err));
    }
    if (url) {
        RV_TRY(rv_url_hide(env, rv_str_c(url), arena, err));
        rv_str scheme = rv_url_scheme(rv_str_c(url));
        if (!rv_url_matches(src->engine, rv_str_c(url)))
            return rv_fail(err, RV_E_CONFIG_SCHEME, "source type %s does not match URL scheme %.*s",
                           rv_engine_name(src->engine),
                           RV_STR_ARG(scheme.len ? scheme : RV_STR("none")));
    }
    *out = url;
    return RV_OK;
}

rv_status rv_source_sqlite_path(const rv_env *env, const rv_cfg_source *src, rv_arena *arena,
                                const char **out, rv_error *err)
{
    if (src->path) {
        *out = src->path;
        return RV_OK;
    }
    const char *url = NULL;
    RV_TRY(rv_source_url(env, src, arena, &url, err));
    if (!url)
        return rv_fail(err, RV_E_CONFIG_NO_CONNECTION, "the sqlite source names no file");
    return rv_url_sqlite_path(rv_str_c(url), src->config_dir, arena, out, err);
}
