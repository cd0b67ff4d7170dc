#include "config/config_internal.h"

#include <jansson.h>

enum { MAX_DEPTH = 16 };

static rv_status to_node(rv_load *ld, const json_t *json, unsigned depth, const rv_node **out);

static rv_status scalar(rv_load *ld, rv_str text, bool plain, rv_node *node)
{
    node->kind = RV_NODE_SCALAR;
    node->plain = plain;
    return rv_arena_str(ld->arena, text, &node->text, ld->err);
}

static rv_status number(rv_load *ld, const json_t *json, rv_node *node)
{
    const char *text = NULL;
    if (json_is_integer(json))
        RV_TRY(rv_arena_printf(ld->arena, &text, ld->err, "%lld",
                               (long long)json_integer_value(json)));
    else
        RV_TRY(rv_arena_printf(ld->arena, &text, ld->err, "%#.17g", json_real_value(json)));
    return scalar(ld, rv_str_c(text), true, node);
}

static rv_status list(rv_load *ld, const json_t *json, unsigned depth, rv_node *node)
{
    node->kind = RV_NODE_LIST;
    node->n = json_array_size(json);
    RV_TRY(rv_arena_array(ld->arena, node->n + 1, sizeof(const rv_node *), &node->items, ld->err));
    for (size_t i = 0; i < node->n; i++)
        RV_TRY(to_node(ld, json_array_get(json, i), depth + 1, &node->items[i]));
    return RV_OK;
}

static rv_status map(rv_load *ld, json_t *json, unsigned depth, rv_node *node)
{
    const char *key;
    json_t *value;
    size_t n = 0;
    node->kind = RV_NODE_MAP;
    RV_TRY(rv_arena_array(ld->arena, json_object_size(json) + 1, sizeof(rv_pair), &node->pairs,
                          ld->err));
    json_object_foreach(json, key, value)
    {
        rv_pair *p = &node->pairs[n++];
        RV_TRY(rv_arena_str(ld->arena, rv_str_c(key), &p->key, ld->err));
        RV_TRY(to_node(ld, value, depth + 1, &p->value));
    }
    node->n = n;
    return RV_OK;
}

static rv_status to_node(rv_load *ld, const json_t *json, unsigned depth, const rv_node **out)
{
    rv_node *node = NULL;
    if (depth > MAX_DEPTH)
        return rv_fail(ld->err, RV_E_CONFIG_SYNTAX, "nested deeper than %d levels", MAX_DEPTH);
    RV_TRY(rv_arena_alloc(ld->arena, sizeof *node, &node, ld->err));
    *out = node;
    switch (json_typeof(json)) {
    case JSON_OBJECT: {
        json_t *mutable = NULL;
        memcpy(&mutable, &json, sizeof(void *)); /* jansson iterates over what it could change */
        return map(ld, mutable, depth, node);
    }
    case JSON_ARRAY:
        return list(ld, json, depth, node);
    case JSON_STRING:
        return scalar(ld, (rv_str){json_string_value(json), json_string_length(json)}, false, node);
    case JSON_INTEGER:
    case JSON_REAL:
        return number(ld, json, node);
    case JSON_TRUE:
        return scalar(ld, RV_STR("true"), true, node);
    case JSON_FALSE:
        return scalar(ld, RV_STR("false"), true, node);
    case JSON_NULL:
        break;
    }
    return scalar(ld, RV_STR("null"), true, node);
}

static rv_status parse(rv_load *ld, const char *text, const rv_node **out)
{
    json_error_t why;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        return json_error_code(&why) == json_error_out_of_memory
                   ? rv_fail_memory(ld->err)
                   : rv_fail(ld->err, RV_E_CONFIG_SYNTAX, "a sealed block is no JSON: %s",
                             why.text);
    rv_status st = to_node(ld, json, 0, out);
    json_decref(json);
    return st;
}

static rv_status add(rv_load *ld, rv_node *root, const char *name, const char *json)
{
    rv_pair *p = &root->pairs[root->n];
    if (!json)
        return RV_OK;
    p->key = rv_str_c(name);
    root->n++;
    return parse(ld, json, &p->value);
}

static rv_status add_exports(rv_load *ld, rv_node *root, const rv_cfg_parts *parts)
{
    rv_node *all = NULL;
    RV_TRY(rv_arena_alloc(ld->arena, sizeof *all, &all, ld->err));
    RV_TRY(rv_arena_array(ld->arena, parts->n_exports + 1, sizeof(const rv_node *), &all->items,
                          ld->err));
    all->kind = RV_NODE_LIST;
    for (; all->n < parts->n_exports; all->n++)
        RV_TRY(parse(ld, parts->exports[all->n], &all->items[all->n]));
    root->pairs[root->n++] = (rv_pair){.key = RV_STR("exports"), .value = all};
    return RV_OK;
}

static rv_status add_project(rv_load *ld, rv_node *root, const char *project)
{
    rv_node *node = NULL;
    rv_buf text = RV_BUF_INIT;
    if (!project || !project[0])
        return RV_OK;
    RV_TRY(rv_arena_alloc(ld->arena, sizeof *node, &node, ld->err));
    rv_status st = rv_interp_escape(rv_str_c(project), &text, ld->err);
    if (st == RV_OK)
        st = scalar(ld, rv_buf_str(&text), false, node);
    rv_buf_free(&text);
    RV_TRY(st);
    root->pairs[root->n++] = (rv_pair){.key = RV_STR("project"), .value = node};
    return RV_OK;
}

static rv_status load_parts(rv_load *ld, const rv_cfg_parts *parts)
{
    rv_node *root = NULL;
    RV_TRY(rv_arena_alloc(ld->arena, sizeof *root, &root, ld->err));
    RV_TRY(rv_arena_array(ld->arena, 4, sizeof(rv_pair), &root->pairs, ld->err));
    root->kind = RV_NODE_MAP;
    RV_TRY(add_project(ld, root, parts->project));
    RV_TRY(add(ld, root, "source", parts->source));
    RV_TRY(add(ld, root, "notifications", parts->notifications));
    RV_TRY(add_exports(ld, root, parts));
    ld->stage = 2;
    RV_TRY(rv_shape_root(ld, root, (rv_pos){0, 0}));
    if (ld->notes.len > 0)
        return ((const rv_note *)(const void *)ld->notes.ptr)->diag.code;
    RV_TRY(rv_load_rules(ld));
    return ld->opts->seal ? rv_seal(ld) : RV_OK;
}

rv_status rv_cfg_load_sealed(const rv_env *env, const rv_cfg_parts *parts, rv_arena *arena,
                             rv_cfg **out, rv_diags *diags, rv_error *err)
{
    static const rv_cfg_opts opts = {
        .all_exports = true, .need_source = true, .need_queries = true, .seal = true};
    rv_error own = {0};
    rv_load ld = {
        .env = env, .path = parts->path, .opts = &opts, .arena = arena, .err = err ? err : &own};
    rv_status st = RV_OK;
    rv_error_clear(ld.err);
    memset(diags, 0, sizeof *diags);
    RV_GO(rv_arena_alloc(arena, sizeof *ld.cfg, &ld.cfg, ld.err));
    RV_GO(rv_arena_cstr(arena, rv_str_c(parts->path), &ld.cfg->path, ld.err));
    RV_GO(rv_arena_cstr(arena, rv_str_c(parts->dir), &ld.cfg->dir, ld.err));
    st = load_parts(&ld, parts);
    st = rv_load_finish(&ld, st, out, diags);
done:
    rv_buf_free(&ld.notes);
    rv_buf_free(&ld.warnings);
    return st;
}
