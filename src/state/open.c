#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "state/state_internal.h"

#define FILE_NAME ".rivet_state.db"

static rv_status join(const char *dir, const char *name, char **out, rv_error *err)
{
    rv_buf buf = RV_BUF_INIT;
    size_t len = strlen(dir);
    rv_status st =
        rv_buf_printf(&buf, err, "%s%s%s", dir, len && dir[len - 1] == '/' ? "" : "/", name);
    if (st == RV_OK && !rv_buf_cstr(&buf))
        st = rv_fail_memory(err);
    if (st != RV_OK) {
        rv_buf_free(&buf);
        return st;
    }
    *out = (char *)buf.ptr;
    return RV_OK;
}

static rv_status bad_url(rv_error *err, const char *what)
{
    (void)rv_fail(err, RV_E_STATE_URL, "RIVET_STATE_URL %s", what);
    rv_hint(err,
            "use sqlite:/absolute/path or postgres://..., or unset it to keep the state beside "
            "the config");
    return RV_E_STATE_URL;
}

/* A URL of PostgreSQL, or libpq's keyword form: "host=db dbname=rivet". */
static bool is_postgres(rv_str url)
{
    size_t word = 0;
    if (rv_str_starts(url, RV_STR("postgres://")) || rv_str_starts(url, RV_STR("postgresql://")))
        return true;
    while (word < url.len &&
           (url.ptr[word] == '_' || (url.ptr[word] >= 'a' && url.ptr[word] <= 'z')))
        word++;
    return word > 0 && word < url.len && url.ptr[word] == '=';
}

const char *rv_state_kind(const char *url)
{
    const rv_backend *b = is_postgres(rv_str_c(url)) ? &rv_backend_postgres : &rv_backend_sqlite;
    return b->name;
}

rv_status rv_state_locate(const char *url, const char *config_dir, const rv_backend **out_backend,
                          char **out_path, rv_error *err)
{
    rv_str text = rv_str_c(url);
    *out_backend = &rv_backend_sqlite;
    if (text.len == 0)
        return join(config_dir, FILE_NAME, out_path, err);
    if (is_postgres(text)) {
        *out_backend = &rv_backend_postgres;
        *out_path = rv_strdup(url);
        return *out_path ? RV_OK : rv_fail_memory(err);
    }
    if (!rv_str_starts(text, RV_STR("sqlite:")))
        return bad_url(err, "has an unknown scheme (known: sqlite:, postgres:, postgresql:)");
    const char *path = url + strlen("sqlite:");
    /* sqlite:///path, the URL's form of the same */
    if (strncmp(path, "///", 3) == 0)
        path += 2;
    if (path[0] == '\0' || strncmp(path, "//", 2) == 0)
        return bad_url(err, "names no path");
    if (path[0] != '/')
        return join(config_dir, path, out_path, err);
    *out_path = rv_strdup(path);
    return *out_path ? RV_OK : rv_fail_memory(err);
}

static rv_status open_parts(rv_state *s, const rv_state_opts *opts, rv_error *err)
{
    RV_TRY(rv_state_locate(opts->url, opts->config_dir, &s->backend, &s->location, err));
    s->project = rv_strdup(opts->project ? opts->project : "");
    if (!s->project)
        return rv_fail_memory(err);
    RV_TRY(s->backend->open(s->env, s->location, !opts->must_exist, &s->db, err));
    if (!s->db)
        return RV_OK;
    RV_TRY(rv_state_migrate(s, err));
    snprintf(s->label, sizeof s->label, "%s, schema v%d", s->backend->name,
             RV_STATE_SCHEMA_VERSION);
    return RV_OK;
}

rv_status rv_state_open(const rv_env *env, const rv_state_opts *opts, rv_state **out, rv_error *err)
{
    rv_state *s = rv_calloc(1, sizeof *s);
    if (!s)
        return rv_fail_memory(err);
    s->env = env;
    s->backend = &rv_backend_sqlite;
    pthread_mutex_init(&s->lock, NULL);
    rv_status st = open_parts(s, opts, err);
    if (st != RV_OK || !s->db) {
        rv_state_close(s);
        s = NULL;
    }
    if (st == RV_OK)
        *out = s;
    return st;
}

void rv_state_close(rv_state *s)
{
    if (!s)
        return;
    s->backend->close(s->db);
    pthread_mutex_destroy(&s->lock);
    rv_free(s->project);
    rv_free(s->location);
    rv_free(s);
}

const char *rv_state_label(const rv_state *s)
{
    return s->label;
}

static rv_status now_body(rv_state *s, void *ctx, rv_error *err)
{
    int64_t *out = ctx;
    return s->backend->now_us(s->db, out, err);
}

rv_status rv_state_now_us(rv_state *s, int64_t *out, rv_error *err)
{
    return rv_state_read(s, now_body, out, err);
}
