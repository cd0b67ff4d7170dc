#include "config/annotate.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "config/yaml.h"

#define KEY_WAVE RV_STR("wave")
#define KEY_SAFE RV_STR("parallel_safe")
enum { MAX_FILE_BYTES = 1 << 20 };

typedef struct edit {
    size_t at, remove;
    const char *text;
} edit;

typedef struct annotating {
    rv_str text;
    rv_arena *arena;
    rv_buf edits; /* edit[] */
    bool bad;     /* the text is no YAML document of ours */
    const char *refusal;
    rv_error *err;
} annotating;

static rv_status ignore(void *ctx, rv_status code, rv_pos pos, const char *text)
{
    annotating *a = ctx;
    (void)code, (void)pos, (void)text;
    a->bad = true;
    return RV_OK;
}

static rv_status parse(annotating *a, rv_str text, const rv_node **out)
{
    rv_pos start;
    *out = NULL;
    return rv_yaml_parse(text, a->arena, (rv_yaml_sink){ignore, a}, out, &start, a->err);
}

static const rv_pair *find(const rv_node *map, rv_str key)
{
    for (size_t i = 0; map && map->kind == RV_NODE_MAP && i < map->n; i++)
        if (rv_str_eq(map->pairs[i].key, key))
            return &map->pairs[i];
    return NULL;
}

static const rv_node *exports_of(const rv_node *root)
{
    const rv_pair *p = find(root, RV_STR("exports"));
    return p && p->value->kind == RV_NODE_LIST ? p->value : NULL;
}

static bool is_null(const rv_node *n)
{
    return n->kind == RV_NODE_SCALAR && rv_scalar_kind_of(n->text, n->plain) == RV_SCALAR_NULL;
}

/* ---- places in the text ---- */

/* Behind the line break at i: one of LF, CR, CR LF. */
static size_t skip_break(rv_str t, size_t i)
{
    bool cr = t.ptr[i++] == '\r';
    return cr && i < t.len && t.ptr[i] == '\n' ? i + 1 : i;
}

static bool is_break(char c)
{
    return c == '\n' || c == '\r';
}

static size_t line_start(rv_str t, uint32_t line)
{
    size_t i = 0;
    for (uint32_t l = 1; l < line && i < t.len;) {
        if (is_break(t.ptr[i])) {
            i = skip_break(t, i);
            l++;
        } else {
            i++;
        }
    }
    return i;
}

static size_t offset_of(rv_str t, rv_pos pos)
{
    size_t i = line_start(t, pos.line);
    for (uint32_t c = 1; c < pos.col && i < t.len; c++)
        do {
            i++;
        } while (i < t.len && ((unsigned char)t.ptr[i] & 0xC0) == 0x80);
    return i;
}

static rv_status add_edit(annotating *a, size_t at, size_t remove, const char *text)
{
    edit e = {at, remove, text};
    return rv_buf_add(&a->edits, &e, sizeof e, a->err);
}

/* ---- one export ---- */

static rv_status refuse(annotating *a, const rv_annotation *item, const char *why)
{
    return rv_arena_printf(a->arena, &a->refusal, a->err, "export '%s' %s", item->export_name, why);
}

/* New lines below the one that holds the name, indented as its key. */
static rv_status insert_lines(annotating *a, const rv_pair *name, const char *wave,
                              const char *safe)
{
    rv_str t = a->text;
    const char *lines = NULL, *eol = "\n", *before = "";
    size_t at = line_start(t, name->value->pos.line);
    while (at < t.len && !is_break(t.ptr[at]))
        at++;
    if (at < t.len) {
        size_t next = skip_break(t, at);
        eol = next - at == 2 ? "\r\n" : t.ptr[at] == '\r' ? "\r" : "\n";
        at = next;
    } else {
        before = "\n";
    }
    int indent = (int)name->key_pos.col - 1;
    RV_TRY(rv_arena_printf(a->arena, &lines, a->err, "%s%*s%s%s%*s%s%s", before, wave ? indent : 0,
                           "", wave ? wave : "", wave ? eol : "", safe ? indent : 0, "",
                           safe ? safe : "", safe ? eol : ""));
    return add_edit(a, at, 0, lines);
}

static rv_status replace_value(annotating *a, const rv_annotation *item, const rv_node *value,
                               const char *text)
{
    size_t at = offset_of(a->text, value->pos);
    bool there = value->kind == RV_NODE_SCALAR && value->plain &&
                 at + value->text.len <= a->text.len &&
                 rv_str_eq((rv_str){a->text.ptr + at, value->text.len}, value->text);
    if (!there || value->text.len == 0)
        return refuse(a, item, "writes wave or parallel_safe in a form that is not rewritten");
    return add_edit(a, at, value->text.len, text);
}

static rv_status annotate_one(annotating *a, const rv_node *map, const rv_annotation *item,
                              bool rewrite)
{
    const rv_pair *name = find(map, RV_STR("name"));
    const rv_pair *wave = find(map, KEY_WAVE), *safe = find(map, KEY_SAFE);
    const char *wave_line = NULL, *number = NULL, *safe_line = NULL;
    const char *truth = item->parallel_safe ? "true" : "false";
    bool put_wave = !wave || rewrite || is_null(wave->value);
    bool put_safe = !safe || rewrite || is_null(safe->value);
    if (!put_wave && !put_safe)
        return RV_OK;
    if (!map || map->kind != RV_NODE_MAP || map->flow)
        return refuse(a, item, "is written in flow style ({...})");
    if (map->merged)
        return refuse(a, item, "is built by a merge (<<)");
    if (!name)
        return refuse(a, item, "has no name line");
    RV_TRY(rv_arena_printf(a->arena, &number, a->err, "%" PRIu64, item->wave));
    RV_TRY(rv_arena_printf(a->arena, &wave_line, a->err, "wave: %s", number));
    RV_TRY(rv_arena_printf(a->arena, &safe_line, a->err, "parallel_safe: %s", truth));
    if (put_wave && wave)
        RV_TRY(replace_value(a, item, wave->value, number));
    if (put_safe && safe)
        RV_TRY(replace_value(a, item, safe->value, truth));
    if ((put_wave && !wave) || (put_safe && !safe))
        RV_TRY(insert_lines(a, name, wave ? NULL : wave_line, safe ? NULL : safe_line));
    return RV_OK;
}

/* ---- the same meaning before and after ---- */

static bool is_ours(rv_str key)
{
    return rv_str_eq(key, KEY_WAVE) || rv_str_eq(key, KEY_SAFE);
}

static bool same(const rv_node *x, const rv_node *y, bool but_ours)
{
    size_t i = 0, k = 0;
    if (x->kind != y->kind || x->plain != y->plain)
        return false;
    if (x->kind == RV_NODE_SCALAR)
        return rv_str_eq(x->text, y->text);
    if (x->kind == RV_NODE_LIST) {
        for (; i < x->n && i < y->n; i++)
            if (!same(x->items[i], y->items[i], false))
                return false;
        return x->n == y->n;
    }
    for (;; i++, k++) {
        while (but_ours && i < x->n && is_ours(x->pairs[i].key))
            i++;
        while (but_ours && k < y->n && is_ours(y->pairs[k].key))
            k++;
        if (i >= x->n || k >= y->n)
            return i >= x->n && k >= y->n;
        if (!rv_str_eq(x->pairs[i].key, y->pairs[k].key) ||
            !same(x->pairs[i].value, y->pairs[k].value, false))
            return false;
    }
}

static bool same_value(const rv_node *was, const rv_node *is, rv_str key, bool rewrite,
                       const char *wanted)
{
    const rv_pair *old = find(was, key), *new = find(is, key);
    bool kept = old && !rewrite && !is_null(old->value);
    if (!new || new->value->kind != RV_NODE_SCALAR)
        return false;
    return kept ? same(old->value, new->value, false)
                : new->value->plain &&rv_str_eq(new->value->text, rv_str_c(wanted));
}

static const rv_annotation *item_of(const rv_annotation *items, size_t n, size_t index)
{
    for (size_t i = 0; i < n; i++)
        if (items[i].index == index)
            return &items[i];
    return NULL;
}

static bool same_exports(const rv_node *was, const rv_node *is, const rv_annotation *items,
                         size_t n, bool rewrite)
{
    if (!was || !is || was->n != is->n)
        return false;
    for (size_t i = 0; i < was->n; i++) {
        const rv_annotation *item = item_of(items, n, i);
        char wave[24];
        if (!same(was->items[i], is->items[i], item != NULL))
            return false;
        if (!item)
            continue;
        (void)snprintf(wave, sizeof wave, "%" PRIu64, item->wave);
        if (!same_value(was->items[i], is->items[i], KEY_WAVE, rewrite, wave) ||
            !same_value(was->items[i], is->items[i], KEY_SAFE, rewrite,
                        item->parallel_safe ? "true" : "false"))
            return false;
    }
    return true;
}

static bool same_root(const rv_node *was, const rv_node *is, const rv_annotation *items, size_t n,
                      bool rewrite)
{
    if (!is || is->kind != RV_NODE_MAP || was->n != is->n)
        return false;
    for (size_t i = 0; i < was->n; i++) {
        const rv_pair *x = &was->pairs[i], *y = &is->pairs[i];
        bool exports = x->value == exports_of(was);
        if (!rv_str_eq(x->key, y->key))
            return false;
        if (exports ? !exports_of(is) || !same_exports(x->value, y->value, items, n, rewrite)
                    : !same(x->value, y->value, false))
            return false;
    }
    return true;
}

/* ---- the whole text ---- */

static int by_place(const void *x, const void *y)
{
    const edit *a = x, *b = y;
    return a->at < b->at ? -1 : a->at > b->at;
}

static rv_status apply_edits(annotating *a, rv_buf *out)
{
    edit *edits = (edit *)(void *)a->edits.ptr;
    size_t n = a->edits.len / sizeof *edits, from = 0;
    qsort(edits, n, sizeof *edits, by_place);
    for (size_t i = 0; i < n; i++) {
        if (edits[i].at < from)
            continue; /* two exports share a line: the comparison will tell */
        RV_TRY(rv_buf_add(out, a->text.ptr + from, edits[i].at - from, a->err));
        RV_TRY(rv_buf_add_c(out, edits[i].text, a->err));
        from = edits[i].at + edits[i].remove;
    }
    return rv_buf_add(out, a->text.ptr + from, a->text.len - from, a->err);
}

static rv_status plan_edits(annotating *a, const rv_node *root, const rv_annotation *items,
                            size_t n, bool rewrite)
{
    const rv_node *exports = exports_of(root);
    if (!exports) {
        a->refusal = "the file has no list of exports";
        return RV_OK;
    }
    for (size_t i = 0; i < n && !a->refusal; i++)
        RV_TRY(annotate_one(a, items[i].index < exports->n ? exports->items[items[i].index] : NULL,
                            &items[i], rewrite));
    return RV_OK;
}

rv_status rv_annotate_text(rv_str text, const rv_annotation *items, size_t n, bool rewrite,
                           rv_arena *arena, rv_buf *out, bool *out_changed,
                           const char **out_refusal, rv_error *err)
{
    annotating a = {.text = text, .arena = arena, .err = err};
    const rv_node *root = NULL, *after = NULL;
    rv_buf made = RV_BUF_INIT;
    rv_status st = RV_OK;
    *out_changed = false;
    RV_GO(parse(&a, text, &root));
    if (a.bad || !root)
        a.refusal = "the file is not readable YAML any more";
    else
        RV_GO(plan_edits(&a, root, items, n, rewrite));
    *out_refusal = a.refusal;
    if (a.refusal || a.edits.len == 0)
        goto done;
    RV_GO(apply_edits(&a, &made));
    RV_GO(parse(&a, rv_buf_str(&made), &after));
    if (a.bad || !same_root(root, after, items, n, rewrite)) {
        *out_refusal = "the lines cannot be added without changing something else";
        goto done;
    }
    RV_GO(rv_buf_add_str(out, rv_buf_str(&made), err));
    *out_changed = true;
done:
    rv_buf_free(&made);
    rv_buf_free(&a.edits);
    return st;
}

/* Also for the superuser, whom no permission stops. */
static bool is_read_only(const char *path, unsigned *out_mode)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return true;
    *out_mode = st.st_mode & 07777;
    return (st.st_mode & 0222) == 0 || access(path, W_OK) != 0;
}

rv_status rv_annotate_file(const char *path, const rv_annotation *items, size_t n, bool rewrite,
                           rv_arena *arena, bool *out_changed, const char **out_refusal,
                           rv_error *err)
{
    char real[PATH_MAX];
    unsigned mode = 0600;
    bool found = false;
    rv_buf text = RV_BUF_INIT, made = RV_BUF_INIT;
    rv_error why = {0};
    rv_status st;
    *out_changed = false;
    *out_refusal = NULL;
    const char *target = realpath(path, real) ? real : path;
    RV_GO(rv_file_read_all(target, MAX_FILE_BYTES, &text, &found, err));
    RV_GO(rv_annotate_text(rv_buf_str(&text), items, n, rewrite, arena, &made, out_changed,
                           out_refusal, err));
    if (!*out_changed)
        goto done;
    bool fixed = is_read_only(target, &mode);
    if (!fixed && rv_file_replace(target, rv_buf_bytes(&made), mode, &why) == RV_OK)
        goto done;
    *out_changed = false;
    if (why.code == RV_E_MEMORY)
        st = rv_fail_memory(err);
    else if (fixed)
        *out_refusal = "the file is read-only";
    else
        st = rv_arena_cstr(arena, rv_str_c(why.text), out_refusal, err);
done:
    rv_buf_free(&text);
    rv_buf_free(&made);
    return st;
}
