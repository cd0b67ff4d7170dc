#include "base/file.h"
#include "source/sqlite/sqlite_internal.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static rv_status percent_decode(rv_str in, rv_buf *out, rv_error *err)
{
    for (size_t i = 0; i < in.len; i++) {
        char c = in.ptr[i];
        if (c == '%' && i + 2 < in.len && hex_digit(in.ptr[i + 1]) >= 0 &&
            hex_digit(in.ptr[i + 2]) >= 0) {
            c = (char)(hex_digit(in.ptr[i + 1]) * 16 + hex_digit(in.ptr[i + 2]));
            i += 2;
        }
        if (c == '\0')
            return rv_fail(err, RV_E_SOURCE_OPEN, "the sqlite: URL contains a NUL byte");
        RV_TRY(rv_buf_add_byte(out, (uint8_t)c, err));
    }
    return RV_OK;
}

static rv_status refuse_scheme(rv_str url, rv_error *err)
{
    size_t n = 0;
    while (n < url.len && url.ptr[n] != ':')
        n++;
    if (n == url.len)
        n = 0;
    return rv_fail(err, RV_E_CONFIG_SCHEME, "source type sqlite does not match URL scheme %.*s",
                   (int)n, url.ptr);
}

/* sqlite:rel, sqlite:/abs, sqlite:///abs -> the path part; two slashes would name a host. */
static rv_status url_path(rv_str url, rv_str *out, rv_error *err)
{
    rv_str scheme = RV_STR("sqlite:");
    if (url.len < scheme.len || !rv_str_eq_nocase((rv_str){url.ptr, scheme.len}, scheme))
        return refuse_scheme(url, err);
    rv_str p = {url.ptr + scheme.len, url.len - scheme.len};
    if (rv_str_starts(p, RV_STR("///"))) {
        p.ptr += 2;
        p.len -= 2;
    } else if (rv_str_starts(p, RV_STR("//"))) {
        return rv_fail(err, RV_E_SOURCE_OPEN,
                       "a sqlite: URL names no host: write sqlite:relative/path.db or "
                       "sqlite:///absolute/path.db");
    }
    if (p.len == 0)
        return rv_fail(err, RV_E_SOURCE_OPEN, "the sqlite: URL names no file");
    *out = p;
    return RV_OK;
}

static rv_str cut_parameters(const rv_env *env, rv_str p)
{
    for (size_t i = 0; i < p.len; i++) {
        if (p.ptr[i] != '?')
            continue;
        RV_LOG_WARN(env, "sqlite: URLs take no parameters; '%.*s' is ignored", (int)(p.len - i - 1),
                    p.ptr + i + 1);
        return (rv_str){p.ptr, i};
    }
    return p;
}

static rv_status absolute(const rv_cfg_source *cfg, rv_str path, rv_arena *arena, const char **out,
                          rv_error *err)
{
    if (path.len > 0 && path.ptr[0] == '/')
        return rv_arena_cstr(arena, path, out, err);
    return rv_arena_printf(arena, out, err, "%s/%.*s", cfg->config_dir ? cfg->config_dir : ".",
                           RV_STR_ARG(path));
}

static rv_status from_url(const rv_env *env, const rv_cfg_source *cfg, rv_str url, rv_arena *arena,
                          const char **out, rv_error *err)
{
    rv_str path = {NULL, 0};
    RV_TRY(url_path(rv_str_trim(url), &path, err));
    path = cut_parameters(env, path);
    rv_buf plain = RV_BUF_INIT;
    rv_status st = percent_decode(path, &plain, err);
    if (st == RV_OK)
        st = absolute(cfg, rv_buf_str(&plain), arena, out, err);
    rv_buf_free(&plain);
    return st;
}

static rv_status from_file(const rv_env *env, const rv_cfg_source *cfg, rv_arena *arena,
                           const char **out, rv_error *err)
{
    const char *name = NULL;
    rv_buf text = RV_BUF_INIT;
    bool found = false;
    RV_TRY(absolute(cfg, rv_str_c(cfg->url_file), arena, &name, err));
    rv_status st;
    RV_GO(rv_file_read_all(name, 65536, &text, &found, err));
    if (!found)
        RV_GO(rv_fail(err, RV_E_SOURCE_OPEN, "source.url_file '%s' does not exist", name));
    rv_str line = rv_buf_str(&text);
    const char *end = line.len ? memchr(line.ptr, '\n', line.len) : NULL;
    if (end)
        line.len = (size_t)(end - line.ptr);
    RV_GO(from_url(env, cfg, line, arena, out, err));
done:
    rv_buf_free(&text);
    return st;
}

rv_status rv_sq_path(const rv_env *env, const rv_cfg_source *cfg, rv_arena *arena, const char **out,
                     rv_error *err)
{
    if (cfg->path)
        return absolute(cfg, rv_str_c(cfg->path), arena, out, err);
    if (cfg->url)
        return from_url(env, cfg, rv_str_c(cfg->url), arena, out, err);
    if (cfg->url_env) {
        const char *value = rv_env_get(env, cfg->url_env);
        if (!value)
            return rv_fail(err, RV_E_SOURCE_OPEN,
                           "environment variable '%s' (source.url_env) is not set", cfg->url_env);
        return from_url(env, cfg, rv_str_c(value), arena, out, err);
    }
    if (cfg->url_file)
        return from_file(env, cfg, arena, out, err);
    return rv_fail(err, RV_E_CONFIG_NO_CONNECTION,
                   "source has no connection: set url_env (recommended), url, url_file, or path");
}
