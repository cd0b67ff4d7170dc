#include "source/postgres/relation_internal.h"

/* A refused SELECT is the role's business; that a policy would hide rows has its own way out. */
static void advise(rv_error *err)
{
    if (!err || strcmp(err->native, "42501") != 0)
        return;
    if (strstr(err->text, "row-level security") || strstr(err->text, "row_security"))
        rv_hint(err, "read as a role that sees every row (BYPASSRLS or the owner), or write "
                     "allow_row_security: true to export what this role may see");
    else
        rv_hint(err, "GRANT SELECT on it to the role that Rivet connects as, or name the columns "
                     "it may read in a query:");
}

rv_status rv_pgs_read(rv_source *s, bool allow_row_security, const char *sql, const char *what,
                      PGresult **out, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_pgs_opening(s, allow_row_security, -1, &b, err));
    RV_GO(rv_buf_add_c(&b, sql, err));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    RV_GO(rv_pg_query(s->pg, (const char *)b.ptr, 0, what, out, err));
done:
    if (st != RV_OK)
        advise(err);
    rv_buf_free(&b);
    return st;
}

/* Every row of EXPLAIN is a line of the one document. */
static rv_status join_rows(const PGresult *r, rv_buf *out, rv_error *err)
{
    for (int i = 0; i < PQntuples(r); i++) {
        RV_TRY(rv_buf_add_c(out, PQgetvalue(r, i, 0), err));
        RV_TRY(rv_buf_add_byte(out, '\n', err));
    }
    return RV_OK;
}

rv_status rv_pgs_explain(rv_source *s, bool allow_row_security, const char *settings,
                         const char *sql, rv_pgs_plan *out, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    PGresult *r = NULL;
    rv_status st;
    RV_GO(rv_buf_printf(&b, err, "%sEXPLAIN (FORMAT JSON) ", settings));
    RV_GO(rv_buf_add(&b, sql, strlen(sql) + 1, err));
    RV_GO(rv_pgs_read(s, allow_row_security, (const char *)b.ptr, "planning the read", &r, err));
    rv_buf_clear(&b);
    RV_GO(join_rows(r, &b, err));
    RV_GO(rv_pgs_plan_parse(rv_buf_str(&b), out, err));
done:
    PQclear(r);
    rv_buf_free(&b);
    return st;
}

rv_status rv_pgs_keep(rv_buf *b, rv_arena *arena, const char **out, rv_error *err)
{
    rv_status st = rv_arena_cstr(arena, rv_buf_str(b), out, err);
    rv_buf_clear(b);
    return st;
}

rv_status rv_pgs_what(const rv_relation *rel, rv_arena *arena, const char **out, rv_error *err)
{
    const rv_pgs_relation *r = rel->driver;
    if (!r->query && rel->base_table)
        return rv_arena_printf(arena, out, err, "reading %s '%s'",
                               r->relkind == 'v' ? "view" : "table", rel->base_table);
    *out = "reading the query";
    return RV_OK;
}
