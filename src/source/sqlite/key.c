/* Which key pages a relation. Source: spec "source-safety" sections 6 and 13. */
#include "source/sqlite/relation_internal.h"

rv_type rv_sq_table_column_type(const rv_sq_table *t, const char *name)
{
    rv_type type = rv_type_of(RV_INT64); /* the rowid */
    const rv_sq_table_column *c = rv_sq_table_column_find(t, name);
    /* Undeclared means no affinity: a key stored as text would not find its number again. */
    if (c && !rv_sq_declared(c->decl, &type))
        type = rv_type_of(RV_BINARY);
    return type;
}

static bool key_types_usable(const rv_sq_table *t, const rv_sq_key *k)
{
    for (size_t i = 0; i < k->n; i++)
        if (!rv_sq_key_type(rv_sq_table_column_type(t, k->columns[i])))
            return false;
    return true;
}

/* The paging predicate names the key's columns: in a query they must be plain result columns. */
static bool key_present(const rv_sq_relation *present, const rv_sq_key *k)
{
    for (size_t i = 0; present && i < k->n; i++) {
        bool found = false;
        for (size_t c = 0; c < present->n_columns; c++)
            found |= present->columns[c].origin &&
                     strcmp(present->columns[c].origin, k->columns[i]) == 0;
        if (!found)
            return false;
    }
    return true;
}

static bool same_columns(const rv_sq_key *k, const char *const *columns, size_t n)
{
    if (k->n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(k->columns[i], columns[i]) != 0)
            return false;
    return true;
}

typedef struct candidates {
    rv_sq_key rowid;
    const rv_sq_key *list[64];
    size_t n;
} candidates;

static void offer(candidates *c, const rv_sq_table *t, const rv_sq_relation *present,
                  const rv_sq_key *k)
{
    if (c->n < sizeof c->list / sizeof c->list[0] && key_types_usable(t, k) &&
        key_present(present, k))
        c->list[c->n++] = k;
}

/* Best first. Whoever splits by key alone prefers the declared key: it outlives a VACUUM, which
 * may renumber a bare rowid. Everything else pages by the rowid, the order of the table itself. */
static void collect(const rv_read_spec *spec, const rv_sq_table *t, const rv_sq_relation *present,
                    candidates *c)
{
    bool by_key = spec->mode == RV_CHUNKED && !spec->bound.column;
    if (t->rowid)
        c->rowid = (rv_sq_key){.name = t->alias ? "INTEGER PRIMARY KEY" : "rowid",
                               .columns = {t->rowid},
                               .n = 1,
                               .primary = t->alias != NULL,
                               .rowid = true};
    if (t->rowid && (t->alias || !by_key))
        offer(c, t, present, &c->rowid);
    for (size_t i = 0; i < t->n_keys; i++)
        if (t->keys[i].primary)
            offer(c, t, present, &t->keys[i]);
    if (t->rowid && !t->alias && by_key)
        offer(c, t, present, &c->rowid);
    for (size_t i = 0; i < t->n_keys; i++)
        if (!t->keys[i].primary)
            offer(c, t, present, &t->keys[i]);
}

static const rv_sq_key *find_columns(const candidates *c, const char *const *columns, size_t n)
{
    for (size_t i = 0; i < c->n; i++)
        if (same_columns(c->list[i], columns, n))
            return c->list[i];
    return NULL;
}

static void take(const rv_sq_table *t, const rv_sq_key *k, rv_relation *rel)
{
    rel->key = (rv_key){.name = k->name, .n_columns = k->n};
    for (size_t i = 0; i < k->n; i++) {
        rv_kind kind = (rv_kind)rv_sq_table_column_type(t, k->columns[i]).kind;
        rel->key.columns[i] = k->columns[i];
        rel->key.kinds[i] = kind == RV_INT64 ? RV_INT64 : RV_STRING;
    }
    rel->is_primary = k->primary;
}

rv_status rv_sq_key_choose(const rv_read_spec *spec, const rv_sq_table *t,
                           const rv_sq_relation *present, rv_relation *rel, rv_error *err)
{
    candidates c = {.n = 0};
    collect(spec, t, present, &c);
    const rv_sq_key *chosen = NULL;
    if (spec->key_column) {
        chosen = find_columns(&c, &spec->key_column, 1);
        if (!chosen)
            return rv_fail(err, RV_E_CONFIG_KEY_UNUSABLE,
                           "'%s' is not a single-column, NOT NULL unique key of a supported type",
                           spec->key_column);
    } else if (spec->n_stored_key > 0) {
        chosen = find_columns(&c, spec->stored_key, spec->n_stored_key);
        if (!chosen) {
            rv_status st =
                rv_fail(err, RV_E_SOURCE_CHANGED,
                        "the key '%s' that an earlier run read '%s' by is no longer usable",
                        spec->stored_key[0], t->name);
            rv_hint(err, "restore the key, or give up the stored progress with rivet state");
            return st;
        }
    }
    for (size_t i = 0; !chosen && i < c.n; i++)
        if (spec->mode == RV_FULL || c.list[i]->n == 1)
            chosen = c.list[i];
    if (chosen)
        take(t, chosen, rel);
    return RV_OK;
}
