#include "config/config_internal.h"

#include <stdlib.h>

static const char *kind_name(const rv_node *node)
{
    if (node->kind == RV_NODE_LIST)
        return "list";
    if (node->kind == RV_NODE_MAP)
        return "mapping";
    static const char *const names[] = {"null", "boolean", "integer", "number", "string"};
    return names[rv_scalar_kind_of(node->text, node->plain)];
}

rv_status rv_shape_wrong_kind(rv_load *ld, const char *key, const char *want, const rv_node *node)
{
    const char *kind = kind_name(node);
    bool word = strstr(want, "boolean") && strcmp(kind, "string") == 0;
    return rv_load_note(ld, RV_E_CONFIG_TYPE, node->pos, "'%s' must be %s, found %s%s", key, want,
                        kind, word ? "; write true or false" : "");
}

static int find_word(const char *const *words, rv_str text)
{
    for (int i = 0; words && words[i]; i++)
        if (rv_str_eq(rv_str_c(words[i]), text))
            return i;
    return -1;
}

static rv_status bad_word(rv_load *ld, const rv_cfg_key *key, rv_str text, rv_pos pos)
{
    if (key->id == RV_K_SOURCE_TYPE &&
        (rv_str_eq(text, RV_STR("mongo")) || rv_str_eq(text, RV_STR("oracle"))))
        return rv_load_note(ld, RV_E_CONFIG_OUT_OF_SCOPE, pos,
                            "source type '%.*s' is out of scope: Rivet reads PostgreSQL, "
                            "MySQL/MariaDB, SQL Server and SQLite",
                            RV_STR_ARG(text));
    rv_buf b = RV_BUF_INIT;
    rv_status st = RV_OK;
    RV_GO(rv_buf_printf(&b, ld->err, "'%s' cannot be '%.*s'; allowed: ", key->name,
                        RV_STR_ARG(text)));
    for (int i = 0; key->words[i]; i++)
        RV_GO(rv_buf_printf(&b, ld->err, "%s%s", i > 0 ? ", " : "", key->words[i]));
    int near = rv_suggest(text, key->words, rv_words_count(key->words));
    if (near >= 0)
        RV_GO(rv_buf_printf(&b, ld->err, "; did you mean '%s'?", key->words[near]));
    st = rv_load_note(ld, RV_E_CONFIG_ENUM, pos, "%.*s", RV_STR_ARG(rv_buf_str(&b)));
done:
    rv_buf_free(&b);
    return st;
}

static rv_status out_of_range(rv_load *ld, const rv_cfg_key *key, rv_str text, rv_pos pos)
{
    return rv_load_note(ld, RV_E_CONFIG_RANGE, pos, "'%s' must be between %lld and %lld, got %.*s",
                        key->name, (long long)key->min, (long long)key->max, RV_STR_ARG(text));
}

static bool is_text_type(rv_key_type t)
{
    return t == RV_KEY_STR || t == RV_KEY_SIZE || t == RV_KEY_DURATION;
}

static const char *wanted(rv_key_type type)
{
    switch (type) {
    case RV_KEY_BOOL:
        return "a boolean";
    case RV_KEY_INT:
    case RV_KEY_PORT:
    case RV_KEY_COUNT:
        return "an integer";
    case RV_KEY_FLOAT:
        return "a number";
    case RV_KEY_STRS:
    case RV_KEY_WORDS:
    case RV_KEY_EXPORTS:
        return "a list";
    case RV_KEY_BOOL_OR_STRS:
        return "a boolean or a list";
    case RV_KEY_WORD_OR_STRS:
        return "a word or a list";
    case RV_KEY_MAP_FLOAT:
    case RV_KEY_MAP_STR:
    case RV_KEY_BLOCK:
        return "a mapping";
    case RV_KEY_STR:
    case RV_KEY_ENUM:
    case RV_KEY_ENUM1:
    case RV_KEY_WORD:
    case RV_KEY_SIZE:
    case RV_KEY_DURATION:
    case RV_KEY_ANY:
        break;
    }
    return "a string";
}

static rv_status type_int(rv_load *ld, const rv_cfg_key *key, const rv_node *node, rv_val *v)
{
    if (rv_scalar_kind_of(node->text, node->plain) != RV_SCALAR_INT)
        return rv_shape_wrong_kind(ld, key->name, wanted(key->type), node);
    bool fits = rv_scalar_int(node->text, &v->num);
    bool judged_later = fits && v->num == 0 && (key->flags & RV_KEY_ZERO_LATER);
    if (!fits || v->num > key->max || (v->num < key->min && !judged_later))
        return out_of_range(ld, key, node->text, node->pos);
    v->node = node;
    return RV_OK;
}

static rv_status type_float(rv_load *ld, const rv_cfg_key *key, const rv_node *node, rv_val *v)
{
    rv_scalar_kind kind = rv_scalar_kind_of(node->text, node->plain);
    if (kind != RV_SCALAR_INT && kind != RV_SCALAR_FLOAT)
        return rv_shape_wrong_kind(ld, key->name, wanted(key->type), node);
    v->real = rv_scalar_float(node->text);
    bool judged_later = key->min == INT64_MIN; /* ratios: V70 */
    if (!judged_later && !(v->real >= (double)key->min && v->real <= (double)key->max))
        return out_of_range(ld, key, node->text, node->pos);
    v->node = node;
    return RV_OK;
}

static rv_status type_bool(rv_load *ld, const rv_cfg_key *key, const rv_node *node, rv_val *v)
{
    if (rv_scalar_kind_of(node->text, node->plain) != RV_SCALAR_BOOL)
        return rv_shape_wrong_kind(ld, key->name, wanted(key->type), node);
    v->flag = rv_str_eq_nocase(node->text, RV_STR("true"));
    v->node = node;
    return RV_OK;
}

static rv_status type_word(rv_load *ld, const rv_cfg_key *key, const rv_node *node, rv_val *v)
{
    rv_str text = node->text;
    if ((key->flags & RV_KEY_NULL_WORD) && rv_str_eq_nocase(text, RV_STR("null")))
        text = RV_STR("null");
    int w = find_word(key->words, text);
    if (w < 0)
        return bad_word(ld, key, text, node->pos);
    v->num = w;
    v->str = key->words[w];
    v->node = node;
    return RV_OK;
}

static rv_status type_scalar(rv_load *ld, const rv_cfg_key *key, const rv_node *node, rv_val *v)
{
    switch (key->type) {
    case RV_KEY_BOOL:
    case RV_KEY_BOOL_OR_STRS:
        return type_bool(ld, key, node, v);
    case RV_KEY_INT:
    case RV_KEY_PORT:
    case RV_KEY_COUNT:
        return type_int(ld, key, node, v);
    case RV_KEY_FLOAT:
        return type_float(ld, key, node, v);
    case RV_KEY_ENUM:
    case RV_KEY_ENUM1:
    case RV_KEY_WORD:
    case RV_KEY_WORD_OR_STRS:
        return type_word(ld, key, node, v);
    case RV_KEY_STR:
    case RV_KEY_SIZE:
    case RV_KEY_DURATION:
        v->str = node->text.ptr;
        v->node = node;
        return RV_OK;
    case RV_KEY_STRS:
    case RV_KEY_WORDS:
    case RV_KEY_MAP_FLOAT:
    case RV_KEY_MAP_STR:
    case RV_KEY_BLOCK:
    case RV_KEY_EXPORTS:
    case RV_KEY_ANY:
        break;
    }
    return rv_shape_wrong_kind(ld, key->name, wanted(key->type), node);
}

/* A plain null means absent, except where it is a word. An interpolated text is a text: only an
 * empty one is absent. */
static bool is_absent(const rv_cfg_key *key, const rv_node *node, bool interpolated)
{
    if (node->kind != RV_NODE_SCALAR ||
        rv_scalar_kind_of(node->text, node->plain) != RV_SCALAR_NULL)
        return false;
    if ((key->flags & RV_KEY_NULL_WORD) && node->text.len > 1)
        return false;
    return !(interpolated && is_text_type(key->type) && node->text.len > 0);
}

/* The scalar with its placeholders replaced. *out NULL: it stays as it is, unresolved. */
static rv_status interpolate(rv_load *ld, const rv_node *node, bool need, const rv_node **out)
{
    rv_str text = {NULL, 0};
    bool unresolved = false;
    RV_TRY(rv_interp(ld, node->text, node->pos, need, &text, &unresolved));
    *out = NULL;
    if (unresolved)
        return RV_OK;
    rv_node *copy = NULL;
    RV_TRY(rv_arena_alloc(ld->arena, sizeof *copy, &copy, ld->err));
    *copy = *node;
    copy->text = text;
    *out = copy;
    return RV_OK;
}

static void keep_raw(rv_val *v, const rv_node *node)
{
    v->node = node;
    v->unresolved = true;
    v->str = node->text.ptr;
}

/* A value nobody needs is typed if it can be; a mistake in it is nobody's business. */
static rv_status type_replaced(rv_load *ld, const rv_cfg_key *key, const rv_node *raw,
                               const rv_node *node, bool need, rv_val *v)
{
    unsigned stage = ld->stage;
    size_t notes = ld->notes.len;
    ld->stage = 3;
    rv_status st = type_scalar(ld, key, node, v);
    ld->stage = stage;
    RV_TRY(st);
    if (!need && ld->notes.len != notes) {
        ld->notes.len = notes;
        keep_raw(v, raw);
    }
    return RV_OK;
}

static rv_status list_item(rv_load *ld, const rv_cfg_key *key, const rv_node *item, size_t i,
                           bool need, rv_val *v)
{
    if (item->kind != RV_NODE_SCALAR ||
        rv_scalar_kind_of(item->text, item->plain) == RV_SCALAR_NULL) {
        const char *name = NULL;
        RV_TRY(rv_arena_printf(ld->arena, &name, ld->err, "%s[%zu]", key->name, i));
        return rv_shape_wrong_kind(ld, name, "a string", item);
    }
    const rv_node *node = item;
    if (rv_interp_has(item->text))
        RV_TRY(interpolate(ld, item, need, &node));
    if (!node) {
        v->unresolved = true;
        node = item;
    } else if (key->type == RV_KEY_WORDS) {
        int w = find_word(key->words, node->text);
        if (w < 0)
            return bad_word(ld, key, node->text, node->pos);
    }
    v->list[v->n] = node->text.ptr;
    v->item_pos[v->n++] = item->pos;
    return RV_OK;
}

static rv_status type_list(rv_load *ld, const rv_cfg_key *key, const rv_node *node, bool need,
                           rv_val *v)
{
    RV_TRY(rv_arena_array(ld->arena, node->n + 1, sizeof(const char *), &v->list, ld->err));
    RV_TRY(rv_arena_array(ld->arena, node->n + 1, sizeof(rv_pos), &v->item_pos, ld->err));
    for (size_t i = 0; i < node->n; i++)
        RV_TRY(list_item(ld, key, node->items[i], i, need, v));
    v->node = node;
    v->is_list = true;
    return RV_OK;
}

static rv_status ignore_report(void *ctx, rv_status code, rv_pos pos, const char *text)
{
    (void)ctx, (void)code, (void)pos, (void)text;
    return RV_OK;
}

/* `unique_columns: ${COLS}` with COLS = "[id, email]". *out_list NULL: not a flow list. */
static rv_status flow_list(rv_load *ld, const rv_node *scalar, const rv_node **out_list)
{
    const rv_node *root = NULL;
    rv_pos start;
    rv_yaml_sink sink = {ignore_report, NULL};
    *out_list = NULL;
    if (!rv_str_starts(rv_str_trim(scalar->text), RV_STR("[")))
        return RV_OK;
    RV_TRY(rv_yaml_parse(scalar->text, ld->arena, sink, &root, &start, ld->err));
    if (!root || root->kind != RV_NODE_LIST)
        return RV_OK;
    rv_node *list = NULL;
    rv_node *items = NULL;
    RV_TRY(rv_arena_alloc(ld->arena, sizeof *list, &list, ld->err));
    RV_TRY(rv_arena_array(ld->arena, root->n + 1, sizeof *items, &items, ld->err));
    *list = *root;
    list->pos = scalar->pos;
    for (size_t i = 0; i < root->n; i++) {
        items[i] = *root->items[i];
        items[i].pos = scalar->pos;
        list->items[i] = &items[i];
    }
    *out_list = list;
    return RV_OK;
}

static bool takes_list(rv_key_type t)
{
    return t == RV_KEY_STRS || t == RV_KEY_WORDS || t == RV_KEY_BOOL_OR_STRS ||
           t == RV_KEY_WORD_OR_STRS;
}

/* The items of a spliced list are final: a ${..} inside is data. */
static rv_status type_flow_list(rv_load *ld, const rv_cfg_key *key, const rv_node *list, rv_val *v)
{
    RV_TRY(rv_arena_array(ld->arena, list->n + 1, sizeof(const char *), &v->list, ld->err));
    RV_TRY(rv_arena_array(ld->arena, list->n + 1, sizeof(rv_pos), &v->item_pos, ld->err));
    for (size_t i = 0; i < list->n; i++) {
        const rv_node *item = list->items[i];
        if (item->kind != RV_NODE_SCALAR)
            return rv_shape_wrong_kind(ld, key->name, "a list of strings", item);
        if (key->type == RV_KEY_WORDS && find_word(key->words, item->text) < 0)
            return bad_word(ld, key, item->text, item->pos);
        v->list[i] = item->text.ptr;
        v->item_pos[i] = item->pos;
    }
    v->n = list->n;
    v->node = list;
    v->is_list = true;
    return RV_OK;
}

static rv_status type_spliced_list(rv_load *ld, const rv_cfg_key *key, const rv_node *list,
                                   rv_val *v)
{
    unsigned stage = ld->stage;
    ld->stage = 3;
    rv_status st = type_flow_list(ld, key, list, v);
    ld->stage = stage;
    return st;
}

static rv_status map_entry(rv_load *ld, const rv_cfg_key *key, const rv_pair *pair, bool need,
                           rv_val *v)
{
    const char *name = NULL;
    RV_TRY(rv_arena_cstr(ld->arena, pair->key, &name, ld->err));
    rv_cfg_key one = *key;
    one.name = name;
    one.type = key->type == RV_KEY_MAP_FLOAT ? RV_KEY_FLOAT : RV_KEY_STR;
    one.min = INT64_MIN;
    one.max = INT64_MAX;
    rv_val entry = {0};
    RV_TRY(rv_shape_value(ld, &one, pair->value, need, &entry, NULL));
    if (!entry.node)
        return RV_OK;
    v->unresolved = v->unresolved || entry.unresolved;
    v->list[v->n] = name;
    v->text[v->n] = entry.str;
    v->reals[v->n] = entry.real;
    v->name_pos[v->n] = pair->key_pos;
    v->item_pos[v->n++] = pair->value->pos;
    return RV_OK;
}

static rv_status type_map(rv_load *ld, const rv_cfg_key *key, const rv_node *node, bool need,
                          rv_val *v)
{
    if (node->kind != RV_NODE_MAP)
        return rv_shape_wrong_kind(ld, key->name, wanted(key->type), node);
    RV_TRY(rv_arena_array(ld->arena, node->n + 1, sizeof(const char *), &v->list, ld->err));
    RV_TRY(rv_arena_array(ld->arena, node->n + 1, sizeof(const char *), &v->text, ld->err));
    RV_TRY(rv_arena_array(ld->arena, node->n + 1, sizeof(double), &v->reals, ld->err));
    RV_TRY(rv_arena_array(ld->arena, node->n + 1, sizeof(rv_pos), &v->item_pos, ld->err));
    RV_TRY(rv_arena_array(ld->arena, node->n + 1, sizeof(rv_pos), &v->name_pos, ld->err));
    for (size_t i = 0; i < node->n; i++)
        RV_TRY(map_entry(ld, key, &node->pairs[i], need, v));
    v->node = node;
    return RV_OK;
}

static rv_status type_written_scalar(rv_load *ld, const rv_cfg_key *key, const rv_node *node,
                                     bool need, rv_val *v)
{
    if (!rv_interp_has(node->text))
        return is_absent(key, node, false) ? RV_OK : type_scalar(ld, key, node, v);
    const rv_node *replaced = NULL;
    RV_TRY(interpolate(ld, node, need, &replaced));
    if (!replaced) {
        keep_raw(v, node);
        return RV_OK;
    }
    if (is_absent(key, replaced, true))
        return RV_OK;
    if (takes_list(key->type) && node->plain) {
        const rv_node *list = NULL;
        RV_TRY(flow_list(ld, replaced, &list));
        if (list)
            return type_spliced_list(ld, key, list, v);
    }
    return type_replaced(ld, key, node, replaced, need, v);
}

rv_status rv_shape_value(rv_load *ld, const rv_cfg_key *key, const rv_node *node, bool need,
                         rv_val *v, void *base)
{
    v->pos = node->pos;
    if (key->type == RV_KEY_MAP_FLOAT || key->type == RV_KEY_MAP_STR)
        return is_absent(key, node, false) ? RV_OK : type_map(ld, key, node, need, v);
    if (node->kind == RV_NODE_LIST && takes_list(key->type))
        return type_list(ld, key, node, need, v);
    if (node->kind == RV_NODE_MAP && node->flow && node->source.ptr && is_text_type(key->type))
        return rv_load_note(ld, RV_E_CONFIG_BRACES, node->pos,
                            "quote this value: \"%.*s\" is read as a YAML mapping without quotes",
                            RV_STR_ARG(node->source));
    if (node->kind != RV_NODE_SCALAR)
        return rv_shape_wrong_kind(ld, key->name, wanted(key->type), node);
    v->raw = node->text;
    RV_TRY(type_written_scalar(ld, key, node, need, v));
    if (v->node)
        rv_shape_store(key, v, base);
    return RV_OK;
}

/* The default as a value; its text stands in the table and is always right. */
static void default_value(const rv_cfg_key *key, rv_val *v)
{
    rv_str text = rv_str_c(key->dflt);
    v->str = key->dflt;
    v->flag = rv_str_eq(text, RV_STR("true"));
    (void)rv_str_i64(text, &v->num);
    v->real = key->type == RV_KEY_FLOAT ? strtod(key->dflt, NULL) : 0;
    int w = find_word(key->words, text);
    if (w >= 0) {
        v->num = w;
        v->str = key->words[w];
    }
}

void rv_shape_store(const rv_cfg_key *key, const rv_val *v, void *base)
{
    if (!base || key->field == RV_NO_FIELD)
        return;
    rv_val dflt = {.num = key->type == RV_KEY_COUNT ? -1 : 0};
    if (!v) {
        if (key->dflt)
            default_value(key, &dflt);
        else if (key->type != RV_KEY_COUNT)
            return;
        v = &dflt;
    } else if (v->unresolved && key->type != RV_KEY_STR) {
        return;
    }
    char *at = (char *)base + key->field;
    uint64_t u64 = (uint64_t)v->num;
    uint32_t u32 = (uint32_t)v->num + (key->type == RV_KEY_ENUM1 ? 1U : 0U);
    switch (key->type) {
    case RV_KEY_STR:
    case RV_KEY_WORD:
        memcpy(at, &v->str, sizeof v->str);
        break;
    case RV_KEY_BOOL:
        memcpy(at, &v->flag, sizeof v->flag);
        break;
    case RV_KEY_INT:
    case RV_KEY_COUNT:
        memcpy(at, &u64, sizeof u64);
        break;
    case RV_KEY_PORT:
    case RV_KEY_ENUM:
    case RV_KEY_ENUM1:
        memcpy(at, &u32, sizeof u32);
        break;
    case RV_KEY_FLOAT:
        memcpy(at, &v->real, sizeof v->real);
        break;
    case RV_KEY_SIZE:
    case RV_KEY_DURATION:
    case RV_KEY_STRS:
    case RV_KEY_WORDS:
    case RV_KEY_BOOL_OR_STRS:
    case RV_KEY_WORD_OR_STRS:
    case RV_KEY_MAP_FLOAT:
    case RV_KEY_MAP_STR:
    case RV_KEY_BLOCK:
    case RV_KEY_EXPORTS:
    case RV_KEY_ANY:
        break;
    }
}
