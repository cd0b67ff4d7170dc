#include "source/sqlite/relation_internal.h"

#define WHAT "reading the catalog"

static rv_status query(rv_source *s, const char *sql, const char *arg, sqlite3_stmt **out,
                       rv_error *err)
{
    sqlite3_stmt *stmt = NULL;
    RV_TRY(rv_sq_prepare(s, sql, WHAT, &stmt, err));
    int rc = arg ? sqlite3_bind_text(stmt, 1, arg, -1, SQLITE_TRANSIENT) : SQLITE_OK;
    if (rc != SQLITE_OK) {
        sqlite3_finalize(stmt);
        return rv_sq_fail(s, rc, WHAT, err);
    }
    rv_sq_arm(s, 0);
    *out = stmt;
    return RV_OK;
}

static rv_status text_column(sqlite3_stmt *stmt, int i, rv_arena *arena, const char **out,
                             rv_error *err)
{
    const char *t = (const char *)sqlite3_column_text(stmt, i);
    rv_str s = {t ? t : "", t ? (size_t)sqlite3_column_bytes(stmt, i) : 0};
    return rv_arena_cstr(arena, s, out, err);
}

static bool same_name(const char *a, const char *b)
{
    return rv_str_eq_nocase(rv_str_c(a), rv_str_c(b));
}

/* Exact name first, then ASCII case folding. */
static rv_status find_table(rv_source *s, const char *name, bool fold, rv_arena *arena,
                            rv_sq_table *t, bool *out_found, rv_error *err)
{
    static const char *const texts[] = {
        "SELECT name, type FROM main.sqlite_master WHERE type IN ('table', 'view') AND name = ?1",
        "SELECT name, type FROM main.sqlite_master WHERE type IN ('table', 'view') AND "
        "name = ?1 COLLATE NOCASE"};
    bool row = false;
    for (int i = 0; i < (fold ? 2 : 1) && !row; i++) {
        sqlite3_stmt *stmt = NULL;
        RV_TRY(query(s, texts[i], name, &stmt, err));
        rv_status st = rv_sq_step(s, stmt, WHAT, &row, err);
        if (st == RV_OK && row) {
            st = text_column(stmt, 0, arena, &t->name, err);
            t->view = strcmp((const char *)sqlite3_column_text(stmt, 1), "view") == 0;
        }
        sqlite3_finalize(stmt);
        RV_TRY(st);
    }
    *out_found = row;
    return RV_OK;
}

static rv_status load_kind(rv_source *s, rv_sq_table *t, rv_error *err)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    RV_TRY(query(s, "SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1",
                 t->name, &stmt, err));
    rv_status st = rv_sq_step(s, stmt, WHAT, &row, err);
    if (st == RV_OK && row) {
        const char *type = (const char *)sqlite3_column_text(stmt, 0);
        t->is_virtual = type && strcmp(type, "virtual") == 0;
        t->without_rowid = sqlite3_column_int(stmt, 1) != 0;
    }
    sqlite3_finalize(stmt);
    return st;
}

static rv_status load_column(rv_source *s, sqlite3_stmt *stmt, const rv_sq_table *t,
                             rv_arena *arena, rv_sq_table_column *c, rv_error *err)
{
    RV_TRY(text_column(stmt, 0, arena, &c->name, err));
    RV_TRY(text_column(stmt, 1, arena, &c->decl, err));
    c->not_null = sqlite3_column_int(stmt, 2) != 0;
    c->pk = (unsigned)sqlite3_column_int(stmt, 3);
    const char *collation = NULL;
    if (!t->view && !t->is_virtual)
        (void)sqlite3_table_column_metadata(s->db, "main", t->name, c->name, NULL, &collation, NULL,
                                            NULL, NULL);
    return rv_arena_cstr(arena, rv_str_c(collation ? collation : "BINARY"), &c->collation, err);
}

static rv_status count_columns(rv_source *s, const char *name, size_t *out, rv_error *err)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    RV_TRY(query(s, "SELECT count(*) FROM pragma_table_xinfo(?1, 'main')", name, &stmt, err));
    rv_status st = rv_sq_step(s, stmt, WHAT, &row, err);
    if (st == RV_OK)
        *out = (size_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return st;
}

/* A free name for the rowid, or NULL: a column may have taken any of the three. */
static void choose_rowid_name(rv_sq_table *t, const bool taken[3])
{
    static const char *const names[] = {"rowid", "_rowid_", "oid"};
    if (t->view || t->is_virtual || t->without_rowid)
        return;
    for (int i = 0; i < 3 && !t->rowid; i++)
        if (!taken[i])
            t->rowid = names[i];
}

static void mark_taken(const char *name, bool taken[3])
{
    taken[0] |= same_name(name, "rowid");
    taken[1] |= same_name(name, "_rowid_");
    taken[2] |= same_name(name, "oid");
}

static rv_status load_columns(rv_source *s, rv_sq_table *t, rv_arena *arena, rv_error *err)
{
    size_t count = 0;
    bool taken[3] = {false, false, false};
    bool row = false;
    sqlite3_stmt *stmt = NULL;
    RV_TRY(count_columns(s, t->name, &count, err));
    RV_TRY(rv_arena_array(arena, count, sizeof *t->columns, &t->columns, err));
    RV_TRY(query(s,
                 "SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo(?1, 'main') "
                 "ORDER BY cid",
                 t->name, &stmt, err));
    rv_status st;
    for (;;) {
        RV_GO(rv_sq_step(s, stmt, WHAT, &row, err));
        if (!row || t->n_columns == count)
            break;
        mark_taken((const char *)sqlite3_column_text(stmt, 0), taken);
        if (sqlite3_column_int(stmt, 4) == 1)
            continue;
        RV_GO(load_column(s, stmt, t, arena, &t->columns[t->n_columns], err));
        t->n_columns++;
    }
    choose_rowid_name(t, taken);
done:
    sqlite3_finalize(stmt);
    return st;
}

const rv_sq_table_column *rv_sq_table_column_find(const rv_sq_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (strcmp(t->columns[i].name, name) == 0)
            return &t->columns[i];
    return NULL;
}

/* One key column of an index; *ok false when the index is no usable key because of it. */
static void take_index_column(sqlite3_stmt *stmt, const rv_sq_table *t, rv_sq_key *key, int *desc,
                              bool *ok)
{
    const char *name = (const char *)sqlite3_column_text(stmt, 0);
    const char *coll = (const char *)sqlite3_column_text(stmt, 2);
    const rv_sq_table_column *c = name ? rv_sq_table_column_find(t, name) : NULL;
    int d = sqlite3_column_int(stmt, 1);
    if (!c || !coll || key->n == RV_KEY_COLUMNS_MAX || !c->not_null ||
        !same_name(coll, c->collation) || (key->n > 0 && d != *desc)) {
        *ok = false;
        return;
    }
    *desc = d;
    key->columns[key->n++] = c->name;
}

static rv_status load_index(rv_source *s, const rv_sq_table *t, const char *index, rv_sq_key *key,
                            bool *out_ok, rv_error *err)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = true, row = false;
    int desc = 0;
    RV_TRY(query(s,
                 "SELECT name, desc, coll FROM pragma_index_xinfo(?1, 'main') WHERE key "
                 "ORDER BY seqno",
                 index, &stmt, err));
    rv_status st;
    for (;;) {
        RV_GO(rv_sq_step(s, stmt, WHAT, &row, err));
        if (!row || !ok)
            break;
        take_index_column(stmt, t, key, &desc, &ok);
    }
    *out_ok = ok && key->n > 0;
done:
    sqlite3_finalize(stmt);
    return st;
}

static rv_status count_indexes(rv_source *s, const char *name, size_t *out, rv_error *err)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    RV_TRY(query(s, "SELECT count(*) FROM pragma_index_list(?1, 'main')", name, &stmt, err));
    rv_status st = rv_sq_step(s, stmt, WHAT, &row, err);
    if (st == RV_OK)
        *out = (size_t)sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return st;
}

/* Usable keys but the rowid, the primary key first; *out_pk_index: the key has an index of its own,
 * so an INTEGER PRIMARY KEY is no alias of the rowid. */
static rv_status load_keys(rv_source *s, rv_sq_table *t, rv_arena *arena, bool *out_pk_index,
                           rv_error *err)
{
    size_t count = 0;
    bool row = false;
    sqlite3_stmt *stmt = NULL;
    RV_TRY(count_indexes(s, t->name, &count, err));
    RV_TRY(rv_arena_array(arena, count, sizeof *t->keys, &t->keys, err));
    RV_TRY(query(s,
                 "SELECT name, origin = 'pk' FROM pragma_index_list(?1, 'main') "
                 "WHERE \"unique\" AND NOT partial ORDER BY origin != 'pk', name",
                 t->name, &stmt, err));
    rv_status st;
    for (;;) {
        RV_GO(rv_sq_step(s, stmt, WHAT, &row, err));
        if (!row || t->n_keys == count)
            break;
        rv_sq_key key = {.primary = sqlite3_column_int(stmt, 1) != 0};
        bool ok = false;
        *out_pk_index |= key.primary;
        RV_GO(text_column(stmt, 0, arena, &key.name, err));
        key.index = t->without_rowid && key.primary ? "PRIMARY KEY" : key.name;
        RV_GO(load_index(s, t, key.name, &key, &ok, err));
        if (key.primary)
            key.name = "PRIMARY KEY";
        if (ok)
            t->keys[t->n_keys++] = key;
    }
done:
    sqlite3_finalize(stmt);
    return st;
}

static void find_alias(rv_sq_table *t)
{
    rv_sq_table_column *pk = NULL;
    for (size_t i = 0; i < t->n_columns; i++) {
        if (t->columns[i].pk == 0)
            continue;
        if (pk)
            return;
        pk = &t->columns[i];
    }
    if (!pk || !same_name(pk->decl, "INTEGER"))
        return;
    pk->not_null = true;
    t->alias = pk->name;
    t->rowid = pk->name;
}

rv_status rv_sq_table_load(rv_source *s, const char *name, bool fold, rv_arena *arena,
                           rv_sq_table **out, rv_error *err)
{
    rv_sq_table *t = NULL;
    bool found = false;
    bool pk_index = false;
    RV_TRY(rv_arena_alloc(arena, sizeof *t, &t, err));
    RV_TRY(find_table(s, name, fold, arena, t, &found, err));
    if (!found) {
        *out = NULL;
        return RV_OK;
    }
    RV_TRY(load_kind(s, t, err));
    RV_TRY(load_columns(s, t, arena, err));
    if (!t->view && !t->is_virtual) {
        RV_TRY(load_keys(s, t, arena, &pk_index, err));
        if (!pk_index && !t->without_rowid)
            find_alias(t);
    }
    *out = t;
    return RV_OK;
}

rv_status rv_sq_names(rv_source *s, rv_arena *arena, const char ***out, size_t *out_n,
                      rv_error *err)
{
    static const char *const filter = "FROM main.sqlite_master WHERE type IN ('table', 'view') "
                                      "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    const char *sql = NULL;
    const char **names = NULL;
    size_t n = 0;
    bool row = false;
    sqlite3_stmt *stmt = NULL;
    RV_TRY(rv_arena_printf(arena, &sql, err, "SELECT name, (SELECT count(*) %s) %s ORDER BY name",
                           filter, filter));
    RV_TRY(query(s, sql, NULL, &stmt, err));
    rv_status st;
    for (;;) {
        RV_GO(rv_sq_step(s, stmt, WHAT, &row, err));
        if (!row)
            break;
        if (!names)
            RV_GO(rv_arena_array(arena, (size_t)sqlite3_column_int64(stmt, 1), sizeof *names,
                                 &names, err));
        RV_GO(text_column(stmt, 0, arena, &names[n], err));
        n++;
    }
    *out = names;
    *out_n = n;
done:
    sqlite3_finalize(stmt);
    return st;
}

/* --- the list that `init` reads --- */

static void describe_column(const rv_sq_table_column *c, rv_catalog_column *out)
{
    const char *decl = c->decl;
    rv_type type = rv_type_of(RV_STRING);
    bool declared = rv_sq_declared(decl, &type);
    *out = (rv_catalog_column){.name = c->name,
                               .data_type = decl,
                               .nullable = !c->not_null,
                               .primary_key = c->pk > 0,
                               .type = type};
    out->integer = declared && type.kind == RV_INT64;
    out->timestamp = type.kind == RV_TIMESTAMP;
    out->wide = rv_type_layout(type) == RV_LAYOUT_VAR;
    out->unconstrained_decimal =
        !declared && (same_name(decl, "DECIMAL") || same_name(decl, "NUMERIC"));
}

static rv_status describe_table(rv_source *s, const rv_sq_table *t, rv_arena *arena,
                                rv_catalog_table *out, rv_error *err)
{
    rv_relation rel = {0};
    rv_read_spec spec = {.table = t->name, .mode = RV_FULL};
    *out = (rv_catalog_table){.name = t->name, .view = t->view, .total_bytes = -1};
    int64_t row_bytes = -1;
    out->row_estimate = -1;
    RV_TRY(rv_arena_array(arena, t->n_columns, sizeof *out->columns, &out->columns, err));
    out->n_columns = t->n_columns;
    for (size_t i = 0; i < t->n_columns; i++)
        describe_column(&t->columns[i], &out->columns[i]);
    if (t->view || t->is_virtual)
        return RV_OK;
    RV_TRY(rv_sq_key_choose(&spec, t, NULL, &rel, err));
    out->key = rel.key;
    RV_TRY(rv_sq_estimate(s, t, &out->row_estimate, &row_bytes, err));
    if (row_bytes >= 0 && out->row_estimate >= 0 &&
        __builtin_mul_overflow(row_bytes, out->row_estimate, &out->total_bytes))
        out->total_bytes = -1;
    return RV_OK;
}

rv_status rv_sq_catalog(rv_source *s, const char *schema, const char *table, rv_arena *arena,
                        rv_catalog_table **out, size_t *out_n, rv_error *err)
{
    const char **names = &table;
    size_t n = 1;
    rv_catalog_table *list = NULL;
    size_t found = 0;
    if (schema && !same_name(schema, "main"))
        n = 0;
    else if (!table)
        RV_TRY(rv_sq_names(s, arena, &names, &n, err));
    RV_TRY(rv_arena_array(arena, n, sizeof *list, &list, err));
    for (size_t i = 0; i < n; i++) {
        rv_sq_table *t = NULL;
        RV_TRY(rv_sq_table_load(s, names[i], table != NULL, arena, &t, err));
        if (t)
            RV_TRY(describe_table(s, t, arena, &list[found++], err));
    }
    *out = list;
    *out_n = found;
    return RV_OK;
}
