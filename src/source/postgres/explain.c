/* Reads what EXPLAIN (FORMAT JSON) answers. Source: PostgreSQL documentation, section 14.1. */
#include <string.h>

#include "source/postgres/relation_internal.h"

rv_status rv_pgs_plan_parse(rv_str json, rv_pgs_plan *out, rv_error *err)
{
    json_error_t why;
    json_t *root = json_loadb(json.ptr ? json.ptr : "", json.len, 0, &why);
    const json_t *node = json_object_get(json_array_get(root, 0), "Plan");
    if (!json_is_object(node)) {
        json_decref(root);
        return rv_fail(err, RV_E_SOURCE_QUERY, "the server's EXPLAIN cannot be read");
    }
    *out = (rv_pgs_plan){root, node};
    return RV_OK;
}

void rv_pgs_plan_free(rv_pgs_plan *p)
{
    if (p)
        json_decref(p->root);
    if (p)
        *p = (rv_pgs_plan){NULL, NULL};
}

static const char *text_of(const json_t *node, const char *key)
{
    const char *text = json_string_value(json_object_get(node, key));
    return text ? text : "";
}

static int64_t number_of(const rv_pgs_plan *p, const char *key)
{
    const json_t *v = json_object_get(p->node, key);
    double d = json_number_value(v);
    return json_is_number(v) && d >= 0 && d < 9e18 ? (int64_t)d : -1;
}

int64_t rv_pgs_plan_rows(const rv_pgs_plan *p)
{
    return number_of(p, "Plan Rows");
}

int64_t rv_pgs_plan_width(const rv_pgs_plan *p)
{
    return number_of(p, "Plan Width");
}

/* --- gate 4 --- */

static bool is_type(const json_t *node, const char *type)
{
    return strcmp(text_of(node, "Node Type"), type) == 0;
}

/* What a condition asks beside the rows being read. */
static bool is_aside(const json_t *node)
{
    const char *parent = text_of(node, "Parent Relationship");
    return strcmp(parent, "SubPlan") == 0 || strcmp(parent, "InitPlan") == 0;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

/* Length of the quoted thing at p, both quotes included; doubled quotes stay inside. */
static size_t quoted_length(const char *p)
{
    size_t n = 1;
    for (; p[n]; n++) {
        if (p[n] != p[0])
            continue;
        if (p[n + 1] != p[0])
            return n + 1;
        n++;
    }
    return n;
}

static bool same_quoted(const char *p, size_t len, const char *name)
{
    size_t i = 1;
    for (; *name && i + 1 < len; i++, name++) {
        if (p[i] != *name)
            return false;
        if (p[i] == '"')
            i++;
    }
    return *name == '\0' && i + 1 == len;
}

/* Does an expression as the server prints it name this column? Strings do not count. */
static bool names_column(const char *expression, const char *column)
{
    for (const char *p = expression; *p;) {
        size_t n = 1;
        if (*p == '\'') {
            n = quoted_length(p);
        } else if (*p == '"') {
            n = quoted_length(p);
            if (same_quoted(p, n, column))
                return true;
        } else if (is_word(*p)) {
            while (is_word(p[n]))
                n++;
            if (strlen(column) == n && memcmp(p, column, n) == 0)
                return true;
        }
        p += n;
    }
    return false;
}

static const json_t *only_child(const json_t *node)
{
    const json_t *children = json_object_get(node, "Plans"), *found = NULL;
    for (size_t i = 0; i < json_array_size(children); i++) {
        const json_t *child = json_array_get(children, i);
        if (is_aside(child))
            continue;
        if (found)
            return NULL;
        found = child;
    }
    return found;
}

/* Rows come in the order of one column already; only equal ones are sorted, group by group. */
static bool sorts_groups(const json_t *node)
{
    return is_type(node, "Incremental Sort") &&
           json_array_size(json_object_get(node, "Presorted Key")) == 1;
}

/* The first node that is no walk along an index which the column bounds; NULL: there is none. */
static const json_t *first_refusing(const json_t *node, const char *column, unsigned flags)
{
    if ((flags & RV_PGS_JUDGE_PRESORTED) && sorts_groups(node) && only_child(node))
        return first_refusing(only_child(node), column, flags);
    if (is_type(node, "Index Scan") || is_type(node, "Index Only Scan"))
        return !column || names_column(text_of(node, "Index Cond"), column) ? NULL : node;
    if (!is_type(node, "Append") && !is_type(node, "Merge Append"))
        return node;
    const json_t *children = json_object_get(node, "Plans");
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(children); i++) {
        const json_t *child = json_array_get(children, i);
        const json_t *bad = is_aside(child) ? NULL : first_refusing(child, column, flags);
        if (bad)
            return bad;
        n += !is_aside(child);
    }
    return n ? NULL : node;
}

static const json_t *find_seq_scan(const json_t *node)
{
    if (is_type(node, "Seq Scan"))
        return node;
    const json_t *children = json_object_get(node, "Plans");
    for (size_t i = 0; i < json_array_size(children); i++) {
        const json_t *child = json_array_get(children, i);
        const json_t *found = is_aside(child) ? NULL : find_seq_scan(child);
        if (found)
            return found;
    }
    return NULL;
}

rv_status rv_pgs_plan_judge(const rv_pgs_plan *p, const char *column, unsigned flags,
                            rv_arena *arena, const char **out_reason, bool *out_seq_scan,
                            rv_error *err)
{
    const json_t *node = p->node, *bad = NULL;
    bool window = (flags & RV_PGS_JUDGE_WINDOW) != 0;
    /* our own casts around a page; what it holds is judged */
    if (is_type(node, "Subquery Scan") && strcmp(text_of(node, "Alias"), "_rivet") == 0 &&
        only_child(node))
        node = only_child(node);
    const json_t *below = is_type(node, "Limit") && !window ? only_child(node) : NULL;
    if (window)
        bad = first_refusing(node, column, flags);
    else
        bad = below ? first_refusing(below, column, flags) : node;
    *out_reason = NULL;
    *out_seq_scan = bad && find_seq_scan(p->node) != NULL;
    if (!bad)
        return RV_OK;
    if (*out_seq_scan)
        bad = find_seq_scan(p->node);
    const char *on = text_of(bad, "Relation Name");
    bool index = strncmp(text_of(bad, "Node Type"), "Index", 5) == 0;
    return rv_arena_printf(arena, out_reason, err, "%s%s%s%s", text_of(bad, "Node Type"),
                           on[0] ? " on " : "", on, index ? " without the key" : "");
}
