/* Which key pages a relation. Source: spec "source-safety" section 13. */
#include "source/mysql/relation_internal.h"

static bool usable(const rv_mys_table *t, const rv_mys_index *x, const bool *present)
{
    if (!x->unique || !x->whole || x->n > RV_KEY_COLUMNS_MAX)
        return false;
    for (size_t i = 0; i < x->n; i++) {
        const rv_mys_attr *a = &t->attrs[x->attr[i]];
        if (!a->not_null || !a->described || !rv_mys_may_page(&a->field) ||
            (present && !present[x->attr[i]]))
            return false;
    }
    return x->n > 0;
}

static bool has_columns(const rv_mys_table *t, const rv_mys_index *x, const char *const *columns,
                        size_t n)
{
    if (x->n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(t->attrs[x->attr[i]].name, columns[i]) != 0)
            return false;
    return true;
}

static const rv_mys_index *find_columns(const rv_mys_table *t, const bool *present,
                                        const char *const *columns, size_t n)
{
    for (size_t i = 0; i < t->n_indexes; i++)
        if (usable(t, &t->indexes[i], present) && has_columns(t, &t->indexes[i], columns, n))
            return &t->indexes[i];
    return NULL;
}

static const rv_mys_index *first_of(const rv_read_spec *spec, const rv_mys_table *t,
                                    const bool *present)
{
    for (size_t i = 0; i < t->n_indexes; i++)
        if (usable(t, &t->indexes[i], present) && (t->indexes[i].n == 1 || spec->mode == RV_FULL))
            return &t->indexes[i];
    return NULL;
}

static void take(const rv_mys_table *t, const rv_mys_index *x, rv_relation *rel)
{
    rel->key = (rv_key){.name = x->name, .n_columns = x->n};
    for (size_t i = 0; i < x->n; i++) {
        const rv_mys_attr *a = &t->attrs[x->attr[i]];
        rel->key.columns[i] = a->name;
        rel->key.kinds[i] = rv_mys_wire_kind(&a->field);
    }
    rel->is_primary = x->primary;
}

static rv_status stored_is_gone(const rv_read_spec *spec, const rv_mys_table *t, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_CHANGED,
                           "the key '%s' that an earlier run read '%s' by is no longer usable",
                           spec->stored_key[0], t->name);
    rv_hint(err, "restore the key, or give up the stored progress with rivet state");
    return st;
}

rv_status rv_mys_key_choose(const rv_read_spec *spec, const rv_mys_table *t, const bool *present,
                            rv_relation *rel, rv_error *err)
{
    const rv_mys_index *x = NULL;
    if (spec->key_column) {
        x = find_columns(t, present, &spec->key_column, 1);
        if (!x)
            return rv_fail(err, RV_E_CONFIG_KEY_UNUSABLE,
                           "'%s' is not a single-column, NOT NULL unique key of a supported type",
                           spec->key_column);
    } else if (spec->n_stored_key > 0) {
        x = find_columns(t, present, spec->stored_key, spec->n_stored_key);
        if (!x)
            return stored_is_gone(spec, t, err);
    } else {
        x = first_of(spec, t, present);
    }
    if (x)
        take(t, x, rel);
    return RV_OK;
}

/* --- other indexes --- */

bool rv_mys_index_leads(const rv_mys_table *t, const rv_mys_attr *a)
{
    size_t attr = (size_t)(a - t->attrs);
    return rv_mys_index_orders(t, &attr, 1) != NULL;
}

static const rv_mys_index *primary_of(const rv_mys_table *t)
{
    const rv_mys_index *x = t->n_indexes ? &t->indexes[0] : NULL;
    bool appended = t->engine && rv_str_eq_nocase(rv_str_c(t->engine), RV_STR("InnoDB"));
    return x && x->primary && x->whole && appended && !x->descending ? x : NULL;
}

static bool contains(const rv_mys_index *x, size_t attr)
{
    for (size_t i = 0; i < x->n; i++)
        if (x->attr[i] == attr)
            return true;
    return false;
}

/* The columns as the tree holds them: its own, then those of the primary key that it lacks. */
static size_t tree_columns(const rv_mys_table *t, const rv_mys_index *x, size_t *out, size_t room)
{
    const rv_mys_index *primary = x->whole && !x->primary && !x->descending ? primary_of(t) : NULL;
    size_t n = 0;
    for (size_t i = 0; i < x->n && n < room; i++)
        out[n++] = x->attr[i];
    for (size_t i = 0; primary && i < primary->n && n < room; i++)
        if (!contains(x, primary->attr[i]))
            out[n++] = primary->attr[i];
    return n;
}

const rv_mys_index *rv_mys_index_orders(const rv_mys_table *t, const size_t *attrs, size_t n)
{
    for (size_t i = 0; n > 0 && i < t->n_indexes; i++) {
        const rv_mys_index *x = &t->indexes[i];
        size_t tree[RV_MYS_INDEX_COLUMNS], same = 0;
        size_t held = tree_columns(t, x, tree, RV_MYS_INDEX_COLUMNS);
        while (same < n && same < held && tree[same] == attrs[same])
            same++;
        if (same == n)
            return x;
    }
    return NULL;
}
