/* A `query:`: proven to be one reading statement, then read in pages when the gates of spec
 * "source-safety" section 14 allow it, else sent whole or wrapped. */
#include "source/sqlite/sqlite_internal.h"

#define WHAT "reading the query"

static rv_status refuse(rv_error *err, const char *why)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_QUERY, "query: %s", why);
    rv_hint(err, "write one SELECT, or WITH ... SELECT, without parameters");
    return st;
}

/* One statement, SELECT or WITH, that returns columns and changes nothing. */
static rv_status prepare_user(rv_source *s, const char *query, sqlite3_stmt **out, rv_error *err)
{
    sqlite3_stmt *stmt = NULL;
    RV_TRY(rv_sq_prepare(s, query, WHAT, &stmt, err));
    const char *why = NULL;
    if (!stmt)
        why = "is empty";
    else if (!sqlite3_stmt_readonly(stmt) || sqlite3_column_count(stmt) == 0)
        why = "is no reading statement";
    else if (sqlite3_bind_parameter_count(stmt) > 0)
        why = "has parameters";
    if (why) {
        sqlite3_finalize(stmt);
        return refuse(err, why);
    }
    *out = stmt;
    return RV_OK;
}

static rv_status wrap(const rv_read_spec *spec, rv_arena *arena, rv_relation *rel, rv_error *err)
{
    rv_sq_relation *r = rel->driver;
    r->list = "*";
    r->qual = "\"_rivet\".";
    RV_TRY(rv_arena_printf(arena, &r->from, err, "(%s\n) AS _rivet", r->query));
    rel->wrapped = spec->mode != RV_FULL;
    r->verbatim = rel->wrapped ? NULL : r->query;
    rel->shape = RV_SHAPE_STATEMENT;
    return RV_OK;
}

rv_status rv_sq_query_gates(rv_source *s, const rv_read_spec *spec, rv_arena *arena,
                            rv_relation *rel, rv_error *err)
{
    rv_sq_relation *r = rel->driver;
    sqlite3_stmt *stmt = NULL;
    r->query = spec->query;
    r->what = WHAT;
    RV_TRY(prepare_user(s, spec->query, &stmt, err));
    rv_status st = rv_sq_describe(stmt, arena, r, err);
    sqlite3_finalize(stmt);
    RV_TRY(st);
    return wrap(spec, arena, rel, err);
}
