#include "config/config_internal.h"

enum { MAX_EXPORTS = 5000 };

/* How a block is walked. */
typedef struct walk {
    rv_block_id block;
    const char *path;
    rv_pos key_pos;          /* where a missing key is reported */
    bool need;               /* placeholders must resolve */
    const char *export_name; /* for V12 */
    void *base;              /* struct of the block's fields, or NULL */
} walk;

static rv_status walk_group(rv_load *ld, const walk *w, const rv_node *node, rv_group **out);

rv_val *rv_group_val(const rv_group *g, rv_key_id id)
{
    return g ? &g->vals[id - g->first] : NULL;
}

bool rv_val_has(const rv_val *v)
{
    return v && v->node;
}

void rv_shape_defaults(rv_block_id block, void *base)
{
    size_t n = 0;
    const rv_cfg_key *keys = rv_block_keys(block, &n);
    for (size_t i = 0; i < n; i++) {
        const rv_cfg_key *k = &keys[i];
        if (k->type != RV_KEY_BLOCK)
            rv_shape_store(k, NULL, base);
        else if (k->field != RV_NO_FIELD && k->child != RV_BLOCK_TLS)
            rv_shape_defaults(k->child, (char *)base + k->field);
    }
}

static bool is_null(const rv_node *node)
{
    return node->kind == RV_NODE_SCALAR &&
           rv_scalar_kind_of(node->text, node->plain) == RV_SCALAR_NULL;
}

static rv_status child_path(rv_load *ld, const char *parent, const char *name, const char **out)
{
    return rv_arena_printf(ld->arena, out, ld->err, "%s%s%s", parent, parent[0] ? "." : "", name);
}

static rv_status walk_block(rv_load *ld, const walk *w, const rv_cfg_key *key, const rv_node *node,
                            rv_val *v)
{
    if (node->kind != RV_NODE_MAP)
        return is_null(node) ? RV_OK : rv_shape_wrong_kind(ld, key->name, "a mapping", node);
    walk child = {
        .block = key->child, .key_pos = v->key_pos, .need = w->need, .export_name = w->export_name};
    if (key->id == RV_K_ROOT_SOURCE)
        child.need = ld->opts->need_source;
    if (key->id == RV_K_ROOT_NOTIFICATIONS) {
        child.need = ld->opts->need_notifications;
        child.base = NULL;
    } else if (w->base && key->field != RV_NO_FIELD) {
        child.base = (char *)w->base + key->field;
    }
    if (key->id == RV_K_NOTIFICATIONS_SLACK)
        child.base = &ld->cfg->slack;
    RV_TRY(child_path(ld, w->path, key->name, &child.path));
    v->node = node;
    v->pos = node->pos;
    return walk_group(ld, &child, node, &v->group);
}

/* The export's name as far as it can be known before anything must resolve. */
static rv_status early_name(rv_load *ld, const rv_node *node, const char **out)
{
    *out = NULL;
    for (size_t i = 0; node->kind == RV_NODE_MAP && i < node->n; i++) {
        const rv_pair *p = &node->pairs[i];
        if (!rv_str_eq(p->key, RV_STR("name")) || p->value->kind != RV_NODE_SCALAR ||
            is_null(p->value))
            continue;
        rv_str text = {NULL, 0};
        bool unresolved = false;
        RV_TRY(rv_interp(ld, p->value->text, p->value->pos, false, &text, &unresolved));
        return rv_arena_cstr(ld->arena, text, out, ld->err);
    }
    return RV_OK;
}

static bool is_selected(const rv_load *ld, const char *name)
{
    if (ld->opts->all_exports)
        return true;
    for (size_t i = 0; name && ld->opts->exports && i < ld->opts->n_exports; i++)
        if (strcmp(ld->opts->exports[i], name) == 0)
            return true;
    return false;
}

static rv_status walk_export(rv_load *ld, const rv_node *node, size_t i)
{
    const char *name = NULL;
    RV_TRY(early_name(ld, node, &name));
    rv_export_groups *x = &ld->exports[i];
    x->selected = is_selected(ld, name);
    walk w = {.block = RV_BLOCK_EXPORT, .need = x->selected, .base = &ld->cfg->exports[i]};
    w.key_pos = node->kind == RV_NODE_MAP && node->n > 0 ? node->pairs[0].key_pos : node->pos;
    if (name)
        RV_TRY(rv_arena_printf(ld->arena, &w.path, ld->err, "exports[%zu] ('%s')", i, name));
    else
        RV_TRY(rv_arena_printf(ld->arena, &w.path, ld->err, "exports[%zu]", i));
    w.export_name = name ? name : w.path;
    rv_shape_defaults(RV_BLOCK_EXPORT, w.base);
    ld->cfg->exports[i].pos = w.key_pos;
    if (node->kind != RV_NODE_MAP) {
        RV_TRY(rv_shape_wrong_kind(ld, w.path, "a mapping", node));
        return RV_OK;
    }
    return walk_group(ld, &w, node, &x->g);
}

static rv_status walk_exports(rv_load *ld, const rv_cfg_key *key, const rv_node *node, rv_val *v)
{
    if (node->kind != RV_NODE_LIST)
        return is_null(node) ? RV_OK : rv_shape_wrong_kind(ld, key->name, "a list", node);
    v->node = node;
    v->pos = node->pos;
    if (node->n == 0)
        return rv_load_note(ld, RV_E_CONFIG_NO_EXPORTS, node->pos,
                            "'exports' is empty; define at least one export");
    if (node->n > MAX_EXPORTS)
        return rv_load_note(ld, RV_E_CONFIG_RANGE, node->pos,
                            "'exports' must be between 1 and %d entries, got %zu", MAX_EXPORTS,
                            node->n);
    rv_cfg *cfg = ld->cfg;
    RV_TRY(rv_arena_array(ld->arena, node->n, sizeof *cfg->exports, &cfg->exports, ld->err));
    RV_TRY(rv_arena_array(ld->arena, node->n, sizeof *ld->exports, &ld->exports, ld->err));
    cfg->n_exports = node->n;
    for (size_t i = 0; i < node->n; i++)
        RV_TRY(walk_export(ld, node->items[i], i));
    return RV_OK;
}

static rv_status walk_key(rv_load *ld, const walk *w, const rv_cfg_key *key, const rv_pair *pair,
                          rv_val *v)
{
    v->key_pos = pair->key_pos;
    v->pos = pair->value->pos;
    if (key->type == RV_KEY_BLOCK)
        return walk_block(ld, w, key, pair->value, v);
    if (key->type == RV_KEY_EXPORTS)
        return walk_exports(ld, key, pair->value, v);
    if (key->type == RV_KEY_ANY) {
        v->node = pair->value;
        return RV_OK;
    }
    return rv_shape_value(ld, key, pair->value, w->need, v, w->base);
}

/* A key that is there with a bad value is not missing as well. */
static bool was_given(const rv_node *node, const char *name)
{
    for (size_t i = 0; i < node->n; i++)
        if (rv_str_eq(node->pairs[i].key, rv_str_c(name)))
            return !is_null(node->pairs[i].value);
    return false;
}

static rv_status check_required(rv_load *ld, const walk *w, const rv_group *g)
{
    size_t n = 0;
    const rv_cfg_key *keys = rv_block_keys(g->block, &n);
    for (size_t i = 0; i < n; i++)
        if ((keys[i].flags & RV_KEY_REQUIRED) && !g->vals[i].node &&
            !was_given(g->node, keys[i].name))
            RV_TRY(rv_shape_missing(ld, g, w->key_pos, &keys[i]));
    return RV_OK;
}

static rv_status check_bucket(rv_load *ld, const walk *w, const rv_group *g)
{
    const rv_val *type = rv_has(g, RV_K_DEST_TYPE);
    if (!type || type->unresolved || type->num == RV_DEST_LOCAL || type->num == RV_DEST_STDOUT)
        return RV_OK;
    if (was_given(g->node, "bucket") ||
        (type->num == RV_DEST_AZURE && was_given(g->node, "container")))
        return RV_OK;
    return rv_shape_missing(ld, g, w->key_pos, rv_cfg_key_get(RV_K_DEST_BUCKET));
}

static rv_status walk_pairs(rv_load *ld, const walk *w, const rv_node *node, rv_group *g,
                            rv_buf *misplaced)
{
    size_t n = 0;
    const rv_cfg_key *keys = rv_block_keys(w->block, &n);
    for (size_t i = 0; i < node->n; i++) {
        const rv_cfg_key *key = NULL;
        RV_TRY(rv_shape_key(ld, g, &node->pairs[i], misplaced, &key));
        if (key)
            RV_TRY(walk_key(ld, w, key, &node->pairs[i], &g->vals[key - keys]));
    }
    return RV_OK;
}

static rv_status walk_group(rv_load *ld, const walk *w, const rv_node *node, rv_group **out)
{
    size_t n = 0;
    rv_group *g = NULL;
    rv_buf misplaced = RV_BUF_INIT;
    rv_status st = RV_OK;
    const rv_cfg_key *keys = rv_block_keys(w->block, &n);
    RV_TRY(rv_arena_alloc(ld->arena, sizeof *g, &g, ld->err));
    RV_TRY(rv_arena_array(ld->arena, n, sizeof *g->vals, &g->vals, ld->err));
    g->block = w->block;
    g->first = keys->id;
    g->node = node;
    g->key_pos = w->key_pos;
    g->path = w->path;
    if (w->block == RV_BLOCK_TLS && w->base)
        rv_shape_defaults(RV_BLOCK_TLS, w->base);
    RV_GO(walk_pairs(ld, w, node, g, &misplaced));
    RV_GO(rv_shape_misplaced(ld, g, w->export_name, &misplaced));
    RV_GO(check_required(ld, w, g));
    if (w->block == RV_BLOCK_DEST)
        RV_GO(check_bucket(ld, w, g));
    *out = g;
done:
    rv_buf_free(&misplaced);
    return st;
}

rv_status rv_shape_root(rv_load *ld, const rv_node *root, rv_pos start)
{
    static const rv_node empty = {.kind = RV_NODE_MAP};
    if (!root || is_null(root))
        root = &empty;
    if (root->kind != RV_NODE_MAP)
        return rv_shape_wrong_kind(ld, "the config", "a mapping", root);
    bool exports = ld->opts->all_exports || (ld->opts->exports && ld->opts->n_exports > 0);
    walk w = {
        .block = RV_BLOCK_ROOT, .path = "", .key_pos = start, .need = exports, .base = ld->cfg};
    rv_shape_defaults(RV_BLOCK_ROOT, ld->cfg);
    return walk_group(ld, &w, root, &ld->root);
}
