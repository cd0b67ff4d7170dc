#include "config/config_internal.h"
#include "config/url.h"

#include <inttypes.h>

static const rv_group *source_group(const rv_load *ld)
{
    return rv_group_val(ld->root, RV_K_ROOT_SOURCE)->group;
}

static const rv_val *first_of(const rv_group *g, const rv_key_id *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rv_has(g, ids[i]))
            return rv_has(g, ids[i]);
    return NULL;
}

static size_t count_of(const rv_group *g, const rv_key_id *ids, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        found += rv_has(g, ids[i]) != NULL;
    return found;
}

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
static const rv_key_id url_keys[] = {RV_K_SOURCE_URL, RV_K_SOURCE_URL_ENV, RV_K_SOURCE_URL_FILE};
static const rv_key_id field_keys[] = {RV_K_SOURCE_HOST,
                                       RV_K_SOURCE_PORT,
                                       RV_K_SOURCE_USER,
                                       RV_K_SOURCE_DATABASE,
                                       RV_K_SOURCE_PASSWORD,
                                       RV_K_SOURCE_PASSWORD_ENV,
                                       RV_K_SOURCE_PASSWORD_COMMAND};
static const rv_key_id password_keys[] = {RV_K_SOURCE_PASSWORD, RV_K_SOURCE_PASSWORD_ENV,
                                          RV_K_SOURCE_PASSWORD_COMMAND};

static rv_status check_structured(rv_load *ld, const rv_group *g)
{
    static const rv_key_id needed[] = {RV_K_SOURCE_HOST, RV_K_SOURCE_USER, RV_K_SOURCE_DATABASE};
    for (size_t i = 0; i < COUNT(needed); i++)
        if (!rv_has(g, needed[i]))
            return rv_load_bad(ld, RV_E_CONFIG_MISSING_FIELD, g->key_pos,
                               "structured source is missing '%s'",
                               rv_cfg_key_get(needed[i])->name);
    if (count_of(g, password_keys, COUNT(password_keys)) > 1)
        return rv_load_bad(ld, RV_E_CONFIG_TWO_PASSWORDS,
                           first_of(g, password_keys, COUNT(password_keys))->key_pos,
                           "set only one of password, password_env, password_command");
    return RV_OK;
}

static rv_status no_connection(rv_load *ld, const rv_group *g)
{
    return rv_load_bad(ld, RV_E_CONFIG_NO_CONNECTION, g->key_pos,
                       "source has no connection: set url_env (recommended), url, url_file, or "
                       "host+user+database");
}

static rv_status warn_ignored(rv_load *ld, const rv_val *v, rv_key_id id, const char *why)
{
    return rv_load_warn(ld, v->key_pos, "'%s' %s and is ignored", rv_cfg_key_get(id)->name, why);
}

static rv_status check_sqlite(rv_load *ld, const rv_group *g)
{
    const rv_val *path = rv_has(g, RV_K_SOURCE_PATH);
    const rv_val *url = first_of(g, url_keys, COUNT(url_keys));
    for (size_t i = 0; i < COUNT(field_keys); i++)
        if (rv_has(g, field_keys[i]))
            RV_TRY(warn_ignored(ld, rv_has(g, field_keys[i]), field_keys[i],
                                "does not apply to source type sqlite"));
    if (rv_has(g, RV_K_SOURCE_TLS))
        RV_TRY(warn_ignored(ld, rv_has(g, RV_K_SOURCE_TLS), RV_K_SOURCE_TLS,
                            "does not apply to source type sqlite"));
    if (path && url)
        return rv_load_bad(ld, RV_E_CONFIG_URL_AND_FIELDS, url->key_pos,
                           "choose a URL or path, not both");
    if (path ? path->str[0] == '\0' : !url)
        return rv_load_bad(ld, RV_E_CONFIG_NO_CONNECTION, g->key_pos,
                           "source has no connection: set url_env (recommended), url, url_file, "
                           "or host+user+database; sqlite takes path or a sqlite: URL");
    return RV_OK;
}

static rv_status check_forms(rv_load *ld, const rv_group *g)
{
    if (count_of(g, url_keys, COUNT(url_keys)) > 1)
        return rv_load_bad(ld, RV_E_CONFIG_URL_FORMS,
                           first_of(g, url_keys, COUNT(url_keys))->key_pos,
                           "give only one of url, url_env, url_file");
    if (ld->cfg->source.engine == RV_ENGINE_SQLITE)
        return check_sqlite(ld, g);
    const rv_val *url = first_of(g, url_keys, COUNT(url_keys));
    bool fields = first_of(g, field_keys, COUNT(field_keys)) != NULL;
    if (rv_has(g, RV_K_SOURCE_PATH))
        RV_TRY(warn_ignored(ld, rv_has(g, RV_K_SOURCE_PATH), RV_K_SOURCE_PATH,
                            "is for source type sqlite"));
    if (url && fields)
        return rv_load_bad(ld, RV_E_CONFIG_URL_AND_FIELDS, url->key_pos,
                           "choose a URL or host/user/password/database fields, not both");
    if (!url && !fields)
        return no_connection(ld, g);
    return url ? RV_OK : check_structured(ld, g);
}

/* A secret stands in the file when its own text, not a placeholder, is there. */
static bool written_secret(rv_str raw)
{
    return raw.len > 0 && !rv_interp_has(raw);
}

static rv_status check_url(rv_load *ld, const rv_group *g)
{
    const rv_val *v = rv_has(g, RV_K_SOURCE_URL);
    if (!v || v->unresolved)
        return RV_OK;
    rv_str url = rv_str_c(v->str);
    rv_engine engine = ld->cfg->source.engine;
    RV_TRY(rv_url_hide(ld->env, url, ld->arena, ld->err));
    if (!rv_url_matches(engine, url)) {
        rv_str scheme = rv_url_scheme(url);
        return rv_load_bad(ld, RV_E_CONFIG_SCHEME, rv_has(g, RV_K_SOURCE_TYPE)->pos,
                           "source type %s does not match URL scheme %.*s", rv_engine_name(engine),
                           RV_STR_ARG(scheme.len ? scheme : RV_STR("none")));
    }
    size_t at = 0;
    rv_str name = {NULL, 0};
    while (rv_url_next_param(url, &at, &name))
        if (name.len > 0 && !rv_url_param_known(engine, name))
            RV_TRY(rv_load_warn(ld, v->pos,
                                "URL parameter '%.*s' is not known for source type %s and is "
                                "ignored",
                                RV_STR_ARG(name), rv_engine_name(engine)));
    return RV_OK;
}

static rv_status warn_passwords(rv_load *ld, const rv_group *g)
{
    const rv_val *url = rv_has(g, RV_K_SOURCE_URL);
    const rv_val *password = rv_has(g, RV_K_SOURCE_PASSWORD);
    const rv_val *source = NULL;
    if (password && written_secret(password->raw))
        source = password;
    if (password && ld->env->secrets && !password->unresolved)
        RV_TRY(rv_secrets_add(ld->env->secrets, rv_str_c(password->str), ld->err));
    if (url && written_secret(rv_url_password(url->raw)))
        source = url;
    if (!source)
        return RV_OK;
    return rv_load_warn(ld, source->pos,
                        "a password is written in the file; prefer url_env or password_env");
}

static rv_status check_tls(rv_load *ld, const rv_group *source)
{
    const rv_val *block = rv_has(source, RV_K_SOURCE_TLS);
    const rv_group *g = block ? block->group : NULL;
    ld->cfg->source.tls.written = g != NULL;
    if (!g || ld->cfg->source.engine == RV_ENGINE_SQLITE)
        return RV_OK;
    const rv_val *mode = rv_has(g, RV_K_TLS_MODE);
    static const rv_key_id dangers[] = {RV_K_TLS_ACCEPT_INVALID_CERTS,
                                        RV_K_TLS_ACCEPT_INVALID_HOSTNAMES};
    for (size_t i = 0; i < COUNT(dangers); i++) {
        const rv_val *flag = rv_has(g, dangers[i]);
        if (!flag || !flag->flag)
            continue;
        const char *name = rv_cfg_key_get(dangers[i])->name;
        if (mode && mode->str && strncmp(mode->str, "verify-", 7) == 0)
            return rv_load_bad(ld, RV_E_CONFIG_TLS_CONTRADICTION, flag->key_pos,
                               "'%s' cancels the verification that mode %s asks for; use "
                               "ca_file, or drop mode for a local test server",
                               name, mode->str);
        RV_TRY(rv_load_warn(ld, flag->key_pos,
                            "'%s' is on: the server's certificate is not fully verified", name));
    }
    const rv_val *cert = rv_has(g, RV_K_TLS_CERT_FILE);
    const rv_val *key = rv_has(g, RV_K_TLS_KEY_FILE);
    if (!cert != !key)
        return rv_load_bad(ld, RV_E_CONFIG_TLS_PAIR, cert ? cert->key_pos : key->key_pos,
                           "tls.cert_file and tls.key_file go together");
    return RV_OK;
}

static rv_status fill_source(rv_load *ld, const rv_group *g)
{
    static const uint32_t ports[] = {[RV_ENGINE_POSTGRES] = 5432,
                                     [RV_ENGINE_MYSQL] = 3306,
                                     [RV_ENGINE_MSSQL] = 1433,
                                     [RV_ENGINE_SQLITE] = 0};
    rv_cfg_source *s = &ld->cfg->source;
    s->pos = g->key_pos;
    s->config_dir = ld->cfg->dir;
    if (s->port == 0)
        s->port = ports[s->engine];
    if (s->engine != RV_ENGINE_SQLITE) {
        s->path = NULL;
        return RV_OK;
    }
    if (s->path && s->path[0] != '/')
        return rv_arena_printf(ld->arena, &s->path, ld->err, "%s/%s", s->config_dir, s->path);
    const rv_val *url = rv_has(g, RV_K_SOURCE_URL);
    if (!url || url->unresolved)
        return RV_OK;
    rv_status st =
        rv_url_sqlite_path(rv_str_c(s->url), s->config_dir, ld->arena, &s->path, ld->err);
    if (st == RV_E_CONFIG_NO_CONNECTION)
        return rv_load_bad(ld, st, url->pos, "the sqlite: URL names no file");
    return st;
}

rv_status rv_rules_source(rv_load *ld)
{
    const rv_group *g = source_group(ld);
    const rv_val *type = rv_has(g, RV_K_SOURCE_TYPE);
    ld->cfg->source.config_dir = ld->cfg->dir;
    ld->cfg->source.pos = g->key_pos;
    if (!type || type->unresolved)
        return RV_OK;
    RV_TRY(check_forms(ld, g));
    RV_TRY(check_url(ld, g));
    RV_TRY(check_tls(ld, g));
    RV_TRY(warn_passwords(ld, g));
    return fill_source(ld, g);
}

static rv_status check_slack(rv_load *ld, const rv_group *g)
{
    const rv_val *url = rv_has(g, RV_K_SLACK_WEBHOOK_URL);
    const rv_val *env = rv_has(g, RV_K_SLACK_WEBHOOK_URL_ENV);
    if (!url == !env)
        return rv_load_bad(ld, RV_E_CONFIG_SLACK, url ? url->key_pos : g->key_pos,
                           "slack needs exactly one of webhook_url, webhook_url_env");
    if (url && !url->unresolved && ld->env->secrets)
        RV_TRY(rv_secrets_add(ld->env->secrets, rv_str_c(url->str), ld->err));
    rv_cfg_slack *s = &ld->cfg->slack;
    const rv_val *on = rv_has(g, RV_K_SLACK_ON);
    s->written = true;
    s->webhook_unresolved = url && url->unresolved;
    s->on_failure = !on || on->unresolved;
    if (on && !on->unresolved && on->n == 0)
        return rv_load_bad(ld, RV_E_CONFIG_SLACK, on->pos,
                           "'on' needs at least one of failure, schema_change, degraded");
    for (size_t i = 0; on && !on->unresolved && i < on->n; i++) {
        s->on_failure = s->on_failure || strcmp(on->list[i], "failure") == 0;
        s->on_schema_change = s->on_schema_change || strcmp(on->list[i], "schema_change") == 0;
        s->on_degraded = s->on_degraded || strcmp(on->list[i], "degraded") == 0;
    }
    return RV_OK;
}

rv_status rv_rules_root(rv_load *ld)
{
    const rv_val *load = rv_has(ld->root, RV_K_ROOT_LOAD);
    if (load)
        RV_TRY(rv_load_warn(ld, load->key_pos, "'load' is not used and is ignored"));
    const rv_val *project = rv_has(ld->root, RV_K_ROOT_PROJECT);
    size_t len = strlen(ld->cfg->project);
    if (project && len > 100)
        return rv_load_bad(ld, RV_E_CONFIG_RANGE, project->pos,
                           "'project' must be between 0 and 100 bytes, got %zu", len);
    const rv_val *n = rv_has(ld->root, RV_K_ROOT_NOTIFICATIONS);
    const rv_val *slack = n ? rv_has(n->group, RV_K_NOTIFICATIONS_SLACK) : NULL;
    return slack ? check_slack(ld, slack->group) : RV_OK;
}
