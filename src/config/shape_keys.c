#include "config/config_internal.h"

typedef struct place { /* a block that knows the key */
    const rv_block *block;
    bool below;
    unsigned dots;
} place;

static unsigned dots_of(const char *path)
{
    unsigned n = 0;
    for (; *path; path++)
        n += *path == '.';
    return n;
}

static bool is_below(const rv_block *block, const rv_block *parent)
{
    size_t len = strlen(parent->path);
    return len == 0 || (strncmp(block->path, parent->path, len) == 0 && block->path[len] == '.');
}

static bool is_nearer(const place *a, const place *b)
{
    if (!b->block || a->below != b->below)
        return !b->block || a->below;
    return a->dots < b->dots;
}

static const rv_block *where_known(rv_block_id here, rv_str key)
{
    place best = {NULL, false, 0};
    for (unsigned b = 0; b < RV_BLOCK_COUNT; b++) {
        if (b == (unsigned)here || !rv_block_find((rv_block_id)b, key))
            continue;
        const rv_block *block = rv_block_get((rv_block_id)b);
        place p = {block, is_below(block, rv_block_get(here)), dots_of(block->path)};
        if (is_nearer(&p, &best))
            best = p;
    }
    return best.block;
}

static const char *path_of(const rv_group *g)
{
    return g->path[0] ? g->path : "the root";
}

static rv_status add_allowed(rv_load *ld, const rv_group *g, rv_buf *b)
{
    size_t n = 0;
    const rv_cfg_key *keys = rv_block_keys(g->block, &n);
    RV_TRY(rv_buf_add_c(b, "; allowed: ", ld->err));
    for (size_t i = 0; i < n; i++)
        RV_TRY(rv_buf_printf(b, ld->err, "%s%s", i > 0 ? ", " : "", keys[i].name));
    return RV_OK;
}

static rv_status add_suggestion(rv_load *ld, const rv_group *g, rv_str key, rv_buf *b)
{
    size_t n = 0;
    const rv_cfg_key *keys = rv_block_keys(g->block, &n);
    const char *names[RV_KEY_COUNT_ALL];
    for (size_t i = 0; i < n; i++)
        names[i] = keys[i].name;
    int near = rv_suggest(key, names, n);
    if (near < 0)
        return add_allowed(ld, g, b);
    return rv_buf_printf(b, ld->err, "; did you mean '%s'?", names[near]);
}

static rv_status unknown(rv_load *ld, const rv_group *g, const rv_pair *pair)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = RV_OK;
    const rv_block *home = where_known(g->block, pair->key);
    RV_GO(
        rv_buf_printf(&b, ld->err, "unknown key '%.*s' in %s", RV_STR_ARG(pair->key), path_of(g)));
    if (home)
        RV_GO(rv_buf_printf(&b, ld->err, "; it belongs under '%s'",
                            home->path[0] ? home->path : "the root"));
    else
        RV_GO(add_suggestion(ld, g, pair->key, &b));
    st = rv_load_note(ld, RV_E_CONFIG_UNKNOWN_KEY, pair->key_pos, "%.*s",
                      RV_STR_ARG(rv_buf_str(&b)));
done:
    rv_buf_free(&b);
    return st;
}

static const rv_node *value_of(const rv_node *map, rv_str key)
{
    for (size_t i = 0; map && map->kind == RV_NODE_MAP && i < map->n; i++)
        if (rv_str_eq(map->pairs[i].key, key))
            return map->pairs[i].value;
    return NULL;
}

/* The word of `type`, *out NULL when it is missing, unknown or unresolved. */
static rv_status dest_type(rv_load *ld, const rv_group *g, const char **out)
{
    const rv_node *node = value_of(g->node, RV_STR("type"));
    const char *const *words = rv_cfg_key_get(RV_K_DEST_TYPE)->words;
    *out = NULL;
    if (!node || node->kind != RV_NODE_SCALAR)
        return RV_OK;
    rv_str text = {NULL, 0};
    bool unresolved = false;
    RV_TRY(rv_interp(ld, node->text, node->pos, false, &text, &unresolved));
    for (size_t i = 0; words[i] && !unresolved; i++)
        if (rv_str_eq(rv_str_c(words[i]), text))
            *out = words[i];
    return RV_OK;
}

static unsigned dest_bit(const char *type)
{
    if (strcmp(type, "local") == 0)
        return RV_ON_LOCAL;
    if (strcmp(type, "s3") == 0)
        return RV_ON_S3;
    if (strcmp(type, "gcs") == 0)
        return RV_ON_GCS;
    return strcmp(type, "azure") == 0 ? RV_ON_AZURE : 0;
}

/* Known, but of another destination type. *out_ignored: the value is not looked at. */
static rv_status foreign_dest_key(rv_load *ld, const rv_group *g, const rv_pair *pair,
                                  const rv_cfg_key *key, bool *out_ignored)
{
    const char *type = NULL;
    RV_TRY(dest_type(ld, g, &type));
    *out_ignored = type && key->id != RV_K_DEST_TYPE && !(key->flags & dest_bit(type));
    if (!*out_ignored)
        return RV_OK;
    if (key->flags & RV_KEY_CREDENTIAL)
        return rv_load_note(ld, RV_E_CONFIG_CREDENTIAL_KEY, pair->key_pos,
                            "'%s' does not apply to destination type %s", key->name, type);
    return rv_load_warn(ld, pair->key_pos,
                        "'%s' does not apply to destination type %s and is ignored", key->name,
                        type);
}

/* secret_key, account_key, ...: the key whose value would be a secret. */
static bool is_literal_secret(rv_str key)
{
    size_t n = 0;
    const rv_cfg_key *keys = rv_block_keys(RV_BLOCK_DEST, &n);
    for (size_t i = 0; i < n; i++) {
        rv_str name = rv_str_c(keys[i].name);
        if ((keys[i].flags & RV_KEY_CREDENTIAL) && name.len == key.len + 4 &&
            rv_str_ends(name, RV_STR("_env")) && rv_str_starts(name, key))
            return true;
    }
    return false;
}

static bool is_tuning_key(const rv_group *g, rv_str key)
{
    return (g->block == RV_BLOCK_SOURCE || g->block == RV_BLOCK_EXPORT) &&
           rv_block_find(RV_BLOCK_TUNING, key);
}

rv_status rv_shape_key(rv_load *ld, const rv_group *g, const rv_pair *pair, rv_buf *misplaced,
                       const rv_cfg_key **out)
{
    *out = NULL;
    const rv_cfg_key *key = rv_block_find(g->block, pair->key);
    if (!key && is_tuning_key(g, pair->key))
        return rv_buf_add(misplaced, &pair, sizeof(const rv_pair *), ld->err);
    if (!key && g->block == RV_BLOCK_DEST && is_literal_secret(pair->key))
        return rv_load_note(ld, RV_E_CONFIG_CREDENTIAL_KEY, pair->key_pos,
                            "'%.*s' must not stand in the file; name an environment variable "
                            "with '%.*s_env'",
                            RV_STR_ARG(pair->key), RV_STR_ARG(pair->key));
    if (!key)
        return unknown(ld, g, pair);
    bool ignored = false;
    if (g->block == RV_BLOCK_DEST)
        RV_TRY(foreign_dest_key(ld, g, pair, key, &ignored));
    if (!ignored)
        *out = key;
    return RV_OK;
}

static rv_status add_misplaced_text(rv_load *ld, const rv_group *g, const char *name,
                                    const rv_pair *const *pairs, size_t n, rv_buf *b)
{
    bool source = g->block == RV_BLOCK_SOURCE;
    if (source)
        RV_TRY(rv_buf_add_c(b, "source: field(s) [", ld->err));
    else
        RV_TRY(rv_buf_printf(b, ld->err, "export '%s': field(s) [", name));
    for (size_t i = 0; i < n; i++)
        RV_TRY(rv_buf_printf(b, ld->err, "%s%.*s", i > 0 ? ", " : "", RV_STR_ARG(pairs[i]->key)));
    const char *block = source ? "source" : "exports[]";
    RV_TRY(rv_buf_printf(b, ld->err,
                         "] belong under '%s.tuning:', not directly under '%s:'. Example:\n", block,
                         block));
    if (source)
        RV_TRY(rv_buf_add_c(b, "  source:\n    tuning:", ld->err));
    else
        RV_TRY(rv_buf_printf(b, ld->err, "  exports:\n    - name: %s\n      tuning:", name));
    for (size_t i = 0; i < n; i++)
        RV_TRY(rv_buf_printf(b, ld->err, "\n%s%.*s: <value>", source ? "      " : "        ",
                             RV_STR_ARG(pairs[i]->key)));
    return RV_OK;
}

rv_status rv_shape_misplaced(rv_load *ld, const rv_group *g, const char *export_name,
                             const rv_buf *misplaced)
{
    const rv_pair *const *pairs = (const rv_pair *const *)(const void *)misplaced->ptr;
    size_t n = misplaced->len / sizeof(const rv_pair *);
    if (n == 0)
        return RV_OK;
    rv_buf b = RV_BUF_INIT;
    rv_status st = RV_OK;
    RV_GO(add_misplaced_text(ld, g, export_name, pairs, n, &b));
    st = rv_load_note(ld, RV_E_CONFIG_MISPLACED_TUNING, pairs[0]->key_pos, "%.*s",
                      RV_STR_ARG(rv_buf_str(&b)));
done:
    rv_buf_free(&b);
    return st;
}

static const char *remedy(rv_key_id id)
{
    if (id == RV_K_ROOT_SOURCE)
        return "; add a source block with type and url_env";
    if (id == RV_K_ROOT_EXPORTS)
        return "; list at least one export";
    if (id == RV_K_SOURCE_TYPE)
        return "; write one of postgres, mysql, mssql, sqlite";
    if (id == RV_K_EXPORT_NAME)
        return "; give each export a unique name";
    if (id == RV_K_EXPORT_FORMAT)
        return "; write format: parquet or format: csv";
    if (id == RV_K_EXPORT_DESTINATION)
        return "; add a destination block with type local, stdout, s3, gcs or azure";
    if (id == RV_K_DEST_TYPE)
        return "; write one of local, stdout, s3, gcs, azure";
    if (id == RV_K_DEST_BUCKET)
        return "; name an existing bucket or container";
    if (id == RV_K_PARQUET_ROW_GROUP_ROWS)
        return "; row_group_strategy fixed_rows needs it";
    return "";
}

rv_status rv_shape_missing(rv_load *ld, const rv_group *g, rv_pos at, const rv_cfg_key *key)
{
    return rv_load_note(ld, RV_E_CONFIG_MISSING, at, "%s lacks required key '%s'%s",
                        g->path[0] ? g->path : "the config", key->name, remedy(key->id));
}
