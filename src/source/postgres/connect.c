#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/url.h"
#include "source/postgres/postgres_internal.h"
#include "source/sql/login.h"

#define PARAMS_OWN 12 /* at most what a structured source and its tls block write */

typedef struct params {
    rv_pg_param *items;
    size_t n;
} params;

static void put(params *p, const char *key, const char *value)
{
    if (value && value[0])
        p->items[p->n++] = (rv_pg_param){key, value};
}

/* ---- structured form ---- */

static rv_status structured(const rv_env *env, const rv_cfg_source *cfg, rv_arena *arena,
                            params *out, rv_error *err)
{
    const char *secret = NULL, *port = NULL;
    RV_TRY(rv_sql_password(env, cfg, arena, &secret, err));
    RV_TRY(rv_arena_printf(arena, &port, err, "%u", cfg->port));
    put(out, "host", cfg->host);
    put(out, "port", port);
    put(out, "user", cfg->user);
    put(out, "dbname", cfg->database);
    put(out, "password", secret);
    return RV_OK;
}

/* ---- TLS ---- */

static bool is_tls_param(const char *key)
{
    static const char *const names[] = {"sslmode", "sslrootcert", "sslcert", "sslkey", NULL};
    const char *const *n = names;
    while (*n && strcmp(*n, key) != 0)
        n++;
    return *n != NULL;
}

/* Without verification no root may be named at all: with one in its default place, libpq takes
 * `require` for `verify-ca`. */
#define NO_ROOT "/dev/null/none"

static const char *block_mode(const rv_cfg_tls *tls)
{
    static const char *const names[] = {
        [RV_TLS_DISABLE] = "disable",
        [RV_TLS_PREFER] = "prefer",
        [RV_TLS_REQUIRE] = "require",
        [RV_TLS_VERIFY_CA] = "verify-ca",
    };
    rv_tls_mode mode = rv_sql_tls_mode(tls);
    return mode == RV_TLS_VERIFY_FULL ? "verify-full" : names[mode];
}

static rv_status tls_block(const rv_cfg_source *cfg, rv_arena *arena, params *out, rv_error *err)
{
    const char *root = NULL, *cert = NULL, *key = NULL;
    const char *mode = block_mode(&cfg->tls);
    RV_TRY(rv_sql_config_path(cfg, cfg->tls.ca_file, arena, &root, err));
    RV_TRY(rv_sql_config_path(cfg, cfg->tls.cert_file, arena, &cert, err));
    RV_TRY(rv_sql_config_path(cfg, cfg->tls.key_file, arena, &key, err));
    if (strncmp(mode, "verify-", 7) != 0)
        root = NO_ROOT;
    else if (!root)
        RV_TRY(rv_sql_ca_bundle(&root, err));
    put(out, "sslmode", mode);
    put(out, "sslrootcert", root);
    put(out, "sslcert", cert);
    put(out, "sslkey", key);
    return RV_OK;
}

/* Where libpq itself would look for trusted authorities. */
static bool has_default_root(const rv_env *env)
{
    char path[4096];
    const char *home = rv_env_get(env, "HOME");
    const char *named = rv_env_get(env, "PGSSLROOTCERT");
    if (!home || (named && named[0]))
        return true; /* libpq finds out */
    (void)snprintf(path, sizeof path, "%s/.postgresql/root.crt", home);
    return access(path, R_OK) == 0;
}

static const rv_pg_param *find(const params *p, const char *key)
{
    for (size_t i = p->n; i-- > 0;)
        if (strcmp(p->items[i].key, key) == 0)
            return &p->items[i];
    return NULL;
}

/* The system's authorities, for sslrootcert=system of newer libpqs (which also stands for
 * verify-full) and for verify-* without a root of its own. */
static rv_status tls_of_url(const rv_env *env, params *p, rv_error *err)
{
    const rv_pg_param *mode = find(p, "sslmode"), *root = find(p, "sslrootcert");
    bool asked = root && strcmp(root->value, "system") == 0;
    bool verify = mode && strncmp(mode->value, "verify-", 7) == 0;
    if (!asked && (root || !verify || has_default_root(env)))
        return RV_OK;
    /* libpq 15 knows no system store of its own: the distribution's bundle is named instead */
    const char *bundle = NULL;
    RV_TRY(rv_sql_ca_bundle(&bundle, err));
    put(p, "sslrootcert", bundle);
    if (!mode)
        put(p, "sslmode", "verify-full");
    return RV_OK;
}

static void copy_params(const rv_pg_param *from, size_t n, bool with_tls, params *to)
{
    for (size_t i = 0; i < n; i++)
        if (with_tls || !is_tls_param(from[i].key))
            put(to, from[i].key, from[i].value);
}

rv_status rv_pgs_params(const rv_env *env, const rv_cfg_source *cfg, rv_arena *arena,
                        const rv_pg_param **out, size_t *out_n, rv_error *err)
{
    const char *url = NULL;
    rv_pg_param *parsed = NULL;
    size_t n_parsed = 0;
    params p = {NULL, 0};
    RV_TRY(rv_source_url(env, cfg, arena, &url, err));
    if (url)
        RV_TRY(rv_pg_params_parse(env, url, arena, &parsed, &n_parsed, err));
    RV_TRY(rv_arena_array(arena, n_parsed + PARAMS_OWN, sizeof *p.items, &p.items, err));
    /* Kerberos is not offered; asking for it costs a connection attempt */
    put(&p, "gssencmode", "disable");
    copy_params(parsed, n_parsed, !cfg->tls.written, &p);
    if (!url)
        RV_TRY(structured(env, cfg, arena, &p, err));
    RV_TRY(cfg->tls.written ? tls_block(cfg, arena, &p, err) : tls_of_url(env, &p, err));
    *out = p.items;
    *out_n = p.n;
    return RV_OK;
}
