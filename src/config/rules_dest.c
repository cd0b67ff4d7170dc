#include "config/config_internal.h"
#include "config/endpoint.h"

static bool known(const rv_val *v)
{
    return v && !v->unresolved;
}

/* --- paths --------------------------------------------------------------------------------- */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool known_token(rv_str word)
{
    static const char *const words[] = {"date", "export", "table", "partition", "run_id"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (rv_str_eq(rv_str_c(words[i]), word))
            return true;
    return false;
}

static rv_status check_tokens(rv_load *ld, const rv_val *v, const rv_cfg_export *x)
{
    rv_str s = rv_str_c(v->str);
    for (size_t i = 0; i < s.len; i++) {
        size_t end = i + 1;
        if (s.ptr[i] != '{')
            continue;
        while (end < s.len && is_word(s.ptr[end]))
            end++;
        if (end == i + 1 || end >= s.len || s.ptr[end] != '}')
            continue;
        rv_str word = {s.ptr + i + 1, end - i - 1};
        if (!known_token(word))
            return rv_load_bad(ld, RV_E_CONFIG_PLACEHOLDER, v->pos,
                               "unknown placeholder {%.*s}; known: date, export, table, "
                               "partition, run_id",
                               RV_STR_ARG(word));
        if (rv_str_eq(word, RV_STR("partition")) && !x->partition_by)
            return rv_load_bad(ld, RV_E_CONFIG_PARTITION_TOKEN, v->pos,
                               "{partition} needs partition_by");
    }
    return RV_OK;
}

static bool climbs(rv_str path)
{
    size_t from = 0;
    for (size_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.ptr[i] != '/')
            continue;
        if (rv_str_eq((rv_str){path.ptr + from, i - from}, RV_STR("..")))
            return true;
        from = i + 1;
    }
    return false;
}

static rv_status check_local(rv_load *ld, const rv_group *g, rv_cfg_export *x)
{
    const rv_val *path = rv_has(g, RV_K_DEST_PATH);
    const rv_val *prefix = rv_has(g, RV_K_DEST_PREFIX);
    const rv_val *used = path ? path : prefix;
    if (!used || used->str[0] == '\0')
        return rv_load_bad(ld, RV_E_CONFIG_LOCAL_PATH, used ? used->pos : g->key_pos,
                           "local destination needs path");
    if (path && prefix)
        RV_TRY(
            rv_load_warn(ld, prefix->key_pos, "'prefix' has no effect beside path and is ignored"));
    x->dest.path = used->str;
    x->dest.prefix = NULL;
    if (used->unresolved)
        return RV_OK;
    if (climbs(rv_str_c(used->str)))
        return rv_load_bad(ld, RV_E_CONFIG_LOCAL_PATH, used->pos, "path may not contain '..'");
    return check_tokens(ld, used, x);
}

/* --- stdout -------------------------------------------------------------------------------- */

static rv_status check_stdout(rv_load *ld, const rv_group *export, const rv_cfg_export *x)
{
    const rv_val *parallel = rv_has(export, RV_K_EXPORT_PARALLEL);
    const char *other = NULL;
    if (x->mode == RV_CHUNKED || x->mode == RV_CDC)
        other = x->mode == RV_CDC ? "mode cdc" : "mode chunked";
    else if (rv_has(export, RV_K_EXPORT_PARTITION_BY))
        other = "partition_by";
    else if (rv_has(export, RV_K_EXPORT_MAX_FILE_SIZE))
        other = "max_file_size";
    else if (known(parallel) && parallel->num > 1)
        other = "parallel";
    if (!other)
        return RV_OK;
    const rv_group *g = rv_has(export, RV_K_EXPORT_DESTINATION)->group;
    return rv_load_bad(ld, RV_E_CONFIG_STDOUT, rv_has(g, RV_K_DEST_TYPE)->pos,
                       "stdout cannot be combined with %s", other);
}

/* --- object stores ------------------------------------------------------------------------- */

static const char *name_of(rv_key_id id)
{
    return rv_cfg_key_get(id)->name;
}

/* `first` is named first by the text, so it is where the mistake is shown. */
static rv_status clash(rv_load *ld, const rv_group *g, rv_key_id first, rv_key_id second)
{
    return rv_load_bad(ld, RV_E_CONFIG_DESTINATION, rv_has(g, first)->key_pos,
                       "%s and %s cannot be combined", name_of(first), name_of(second));
}

static rv_status check_anonymous(rv_load *ld, const rv_group *g, const rv_cfg_dest *d)
{
    size_t n = 0;
    const rv_cfg_key *keys = rv_block_keys(RV_BLOCK_DEST, &n);
    for (size_t i = 0; d->allow_anonymous && i < n; i++)
        if ((keys[i].flags & RV_KEY_CREDENTIAL) && rv_has(g, keys[i].id))
            return clash(ld, g, RV_K_DEST_ALLOW_ANONYMOUS, keys[i].id);
    if (d->allow_anonymous && d->managed_identity)
        return clash(ld, g, RV_K_DEST_ALLOW_ANONYMOUS, RV_K_DEST_MANAGED_IDENTITY);
    return RV_OK;
}

/* Those of the security token service begin so; without their token every request is refused. */
static rv_status check_temporary(rv_load *ld, const rv_group *g, const rv_cfg_dest *d)
{
    const char *key = d->access_key_env ? rv_env_get(ld->env, d->access_key_env) : NULL;
    if (!key || d->session_token_env || strncmp(key, "ASIA", 4) != 0)
        return RV_OK;
    return rv_load_warn(ld, rv_has(g, RV_K_DEST_ACCESS_KEY_ENV)->key_pos,
                        "the access key in %s is a temporary one and needs its session token: name "
                        "its variable in session_token_env",
                        d->access_key_env);
}

static rv_status check_credentials(rv_load *ld, const rv_group *g, const rv_cfg_dest *d)
{
    if (d->account_key_env && d->sas_token_env)
        return clash(ld, g, RV_K_DEST_ACCOUNT_KEY_ENV, RV_K_DEST_SAS_TOKEN_ENV);
    RV_TRY(check_anonymous(ld, g, d));
    if (!d->access_key_env != !d->secret_key_env) {
        const rv_val *v =
            rv_has(g, d->access_key_env ? RV_K_DEST_ACCESS_KEY_ENV : RV_K_DEST_SECRET_KEY_ENV);
        return rv_load_bad(ld, RV_E_CONFIG_DESTINATION, v->key_pos,
                           "access_key_env and secret_key_env go together");
    }
    RV_TRY(check_temporary(ld, g, d));
    if (d->kind == RV_DEST_AZURE && !d->account_name && !d->endpoint && !d->connection_string_env)
        return rv_load_bad(ld, RV_E_CONFIG_DESTINATION, g->key_pos,
                           "azure needs account_name or endpoint");
    return RV_OK;
}

static rv_status check_endpoint(rv_load *ld, const rv_group *g, const rv_cfg_dest *d)
{
    const rv_val *v = rv_has(g, RV_K_DEST_ENDPOINT);
    rv_endpoint endpoint;
    if (!known(v))
        return RV_OK;
    const char *wrong = rv_endpoint_read(rv_str_c(v->str), d->allow_insecure_endpoint, &endpoint);
    return wrong ? rv_load_bad(ld, RV_E_CONFIG_DESTINATION, v->pos, "endpoint %s", wrong) : RV_OK;
}

static rv_status alias(rv_load *ld, const rv_group *g, rv_key_id name, rv_key_id other,
                       const rv_val **out)
{
    const rv_val *a = rv_has(g, name);
    const rv_val *b = rv_has(g, other);
    if (a && b)
        return rv_load_bad(ld, RV_E_CONFIG_DESTINATION, b->key_pos,
                           "%s is another name of %s; write one of them", name_of(other),
                           name_of(name));
    *out = a ? a : b;
    return RV_OK;
}

static rv_status check_cloud(rv_load *ld, const rv_group *g, rv_cfg_export *x)
{
    rv_cfg_dest *d = &x->dest;
    const rv_val *bucket = NULL;
    const rv_val *threshold = NULL;
    RV_TRY(alias(ld, g, RV_K_DEST_BUCKET, RV_K_DEST_CONTAINER, &bucket));
    RV_TRY(alias(ld, g, RV_K_DEST_UPLOAD_THRESHOLD_MB, RV_K_DEST_ONESHOT_BUDGET_MB, &threshold));
    d->bucket = bucket ? bucket->str : NULL;
    if (known(bucket) && bucket->str[0] == '\0') {
        RV_TRY(rv_shape_missing(ld, g, bucket->pos, rv_cfg_key_get(RV_K_DEST_BUCKET)));
        return RV_E_CONFIG_MISSING;
    }
    if (known(threshold))
        d->upload_threshold_mb = (uint64_t)threshold->num;
    if (!d->prefix)
        d->prefix = "";
    RV_TRY(check_credentials(ld, g, d));
    RV_TRY(check_endpoint(ld, g, d));
    const rv_val *prefix = rv_has(g, RV_K_DEST_PREFIX);
    return known(prefix) ? check_tokens(ld, prefix, x) : RV_OK;
}

rv_status rv_rules_dest(rv_load *ld, size_t i)
{
    rv_cfg_export *x = &ld->cfg->exports[i];
    const rv_group *export = ld->exports[i].g;
    const rv_val *block = rv_has(export, RV_K_EXPORT_DESTINATION);
    const rv_group *g = block->group;
    x->dest.pos = block->key_pos;
    if (!known(rv_has(g, RV_K_DEST_TYPE)))
        return RV_OK;
    switch (x->dest.kind) {
    case RV_DEST_LOCAL:
        return check_local(ld, g, x);
    case RV_DEST_STDOUT:
        return check_stdout(ld, export, x);
    case RV_DEST_S3:
    case RV_DEST_GCS:
    case RV_DEST_AZURE:
        break;
    }
    return check_cloud(ld, g, x);
}
