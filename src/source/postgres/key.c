/* Which key pages a relation. Source: spec "source-safety" section 13. */
#include "source/postgres/relation_internal.h"

static bool usable(const rv_pgs_table *t, const rv_pgs_index *x, const bool *present)
{
    if (!x->unique || !x->ordered || x->n > RV_KEY_COLUMNS_MAX || t->children)
        return false;
    for (size_t i = 0; i < x->n; i++) {
        const rv_pgs_attr *a = rv_pgs_attr_number(t, x->attnum[i]);
        if (!a || !a->not_null || !a->key_type || (present && !present[a - t->attrs]))
            return false;
    }
    return x->n > 0;
}

static bool has_columns(const rv_pgs_table *t, const rv_pgs_index *x, const char *const *columns,
                        size_t n)
{
    if (x->n != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        const rv_pgs_attr *a = rv_pgs_attr_number(t, x->attnum[i]);
        if (!a || strcmp(a->name, columns[i]) != 0)
            return false;
    }
    return true;
}

static const rv_pgs_index *find_columns(const rv_pgs_table *t, const bool *present,
                                        const char *const *columns, size_t n)
{
    for (size_t i = 0; i < t->n_indexes; i++)
        if (usable(t, &t->indexes[i], present) && has_columns(t, &t->indexes[i], columns, n))
            return &t->indexes[i];
    return NULL;
}

static const rv_pgs_index *first_of(const rv_read_spec *spec, const rv_pgs_table *t,
                                    const bool *present)
{
    for (size_t i = 0; i < t->n_indexes; i++)
        if (usable(t, &t->indexes[i], present) && (t->indexes[i].n == 1 || spec->mode == RV_FULL))
            return &t->indexes[i];
    return NULL;
}

static void take(const rv_pgs_table *t, const rv_pgs_index *x, rv_relation *rel)
{
    rel->key = (rv_key){.name = x->name, .n_columns = x->n};
    for (size_t i = 0; i < x->n; i++) {
        const rv_pgs_attr *a = rv_pgs_attr_number(t, x->attnum[i]);
        rel->key.columns[i] = a->name;
        rel->key.kinds[i] = rv_pgs_wire_kind(a->base);
    }
    rel->is_primary = x->primary;
}

rv_status rv_pgs_key_choose(const rv_read_spec *spec, const rv_pgs_table *t, const bool *present,
                            rv_relation *rel, rv_error *err)
{
    const rv_pgs_index *x = NULL;
    if (spec->key_column) {
        x = find_columns(t, present, &spec->key_column, 1);
        if (!x)
            return rv_fail(err, RV_E_CONFIG_KEY_UNUSABLE,
                           "'%s' is not a single-column, NOT NULL unique key of a supported type",
                           spec->key_column);
    } else if (spec->n_stored_key > 0) {
        x = find_columns(t, present, spec->stored_key, spec->n_stored_key);
        if (!x) {
            rv_status st =
                rv_fail(err, RV_E_SOURCE_CHANGED,
                        "the key '%s' that an earlier run read '%s' by is no longer usable",
                        spec->stored_key[0], t->name);
            rv_hint(err, "restore the key, or give up the stored progress with rivet state");
            return st;
        }
    } else {
        x = first_of(spec, t, present);
    }
    if (x)
        take(t, x, rel);
    return RV_OK;
}

bool rv_pgs_index_leads(const rv_pgs_table *t, int attnum)
{
    return rv_pgs_index_orders(t, &attnum, 1);
}

bool rv_pgs_index_orders(const rv_pgs_table *t, const int *attnum, size_t n)
{
    for (size_t i = 0; i < t->n_indexes; i++) {
        const rv_pgs_index *x = &t->indexes[i];
        size_t same = 0;
        while (x->ordered && same < n && same < x->n && x->attnum[same] == attnum[same])
            same++;
        if (n > 0 && same == n)
            return true;
    }
    return false;
}
