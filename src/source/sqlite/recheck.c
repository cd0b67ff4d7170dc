#include "source/sqlite/relation_internal.h"

static rv_status changed(const rv_sq_relation *r, rv_error *err, const char *column,
                         const char *how)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_CHANGED, "%s: column '%s' %s while it was read",
                           r->what, column, how);
    rv_hint(err, "run again: the next run sees the new columns and applies on_schema_drift");
    return st;
}

static rv_status compare_tables(const rv_sq_relation *r, const rv_sq_table *then,
                                const rv_sq_table *now, rv_error *err)
{
    for (size_t i = 0; i < then->n_columns; i++) {
        const rv_sq_table_column *a = &then->columns[i];
        if (i >= now->n_columns || strcmp(now->columns[i].name, a->name) != 0)
            return changed(r, err, a->name, "was dropped, renamed or moved");
        if (strcmp(now->columns[i].decl, a->decl) != 0)
            return changed(r, err, a->name, "changed its type");
    }
    if (now->n_columns > then->n_columns)
        return changed(r, err, now->columns[then->n_columns].name, "was added");
    return RV_OK;
}

static rv_status compare_results(const rv_sq_relation *r, const rv_sq_relation *now, rv_error *err)
{
    for (size_t i = 0; i < r->n_columns; i++) {
        const rv_sq_column *a = &r->columns[i];
        if (i >= now->n_columns || strcmp(now->columns[i].name, a->name) != 0)
            return changed(r, err, a->name, "was dropped, renamed or moved");
        if (strcmp(now->columns[i].decl, a->decl) != 0)
            return changed(r, err, a->name, "changed its type");
    }
    if (now->n_columns > r->n_columns)
        return changed(r, err, now->columns[r->n_columns].name, "was added");
    return RV_OK;
}

static rv_status gone(rv_status st, const rv_sq_relation *r, rv_error *err)
{
    if (st != RV_E_SOURCE_QUERY)
        return st;
    if (err)
        err->code = RV_E_SOURCE_CHANGED;
    return rv_wrap(err, RV_E_SOURCE_CHANGED, "%s: its columns changed while it was read", r->what);
}

/* The result description of the query, or of the view. */
static rv_status recheck_result(rv_source *s, const rv_sq_relation *r, rv_arena *arena,
                                rv_error *err)
{
    rv_sq_relation now = {0};
    sqlite3_stmt *stmt = NULL;
    const char *sql = r->query;
    RV_TRY(rv_sq_refresh(s, err));
    if (!sql)
        RV_TRY(rv_arena_printf(arena, &sql, err, "SELECT * FROM %s", r->from));
    rv_status st = rv_sq_prepare(s, sql, r->what, &stmt, err);
    if (st != RV_OK)
        return gone(st, r, err);
    st = rv_sq_describe(stmt, arena, &now, err);
    sqlite3_finalize(stmt);
    RV_TRY(st);
    return compare_results(r, &now, err);
}

static rv_status recheck_table(rv_source *s, const rv_sq_relation *r, rv_arena *arena,
                               rv_error *err)
{
    rv_sq_table *now = NULL;
    RV_TRY(rv_sq_table_load(s, r->table->name, false, arena, &now, err));
    if (!now)
        return rv_fail(err, RV_E_SOURCE_CHANGED, "%s: it was dropped or renamed", r->what);
    return compare_tables(r, r->table, now, err);
}

rv_status rv_sq_recheck(rv_source *s, const rv_relation *rel, rv_error *err)
{
    const rv_sq_relation *r = rel->driver;
    rv_arena arena = RV_ARENA_INIT;
    rv_status st = RV_OK;
    if (r->is_table && !r->table->view)
        st = recheck_table(s, r, &arena, err);
    else
        st = recheck_result(s, r, &arena, err);
    rv_arena_free(&arena);
    return st;
}
