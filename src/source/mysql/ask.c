#include "source/mysql/relation_internal.h"

rv_status rv_mys_keep(rv_buf *b, rv_arena *arena, const char **out, rv_error *err)
{
    rv_status st = rv_arena_cstr(arena, rv_buf_str(b), out, err);
    rv_buf_clear(b);
    return st;
}

rv_status rv_mys_quoted(const char *ident, rv_arena *arena, const char **out, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = rv_my_quote(ident, &b, err);
    if (st == RV_OK)
        st = rv_mys_keep(&b, arena, out, err);
    rv_buf_free(&b);
    return st;
}

rv_status rv_mys_quoted_text(const char *text, rv_arena *arena, const char **out, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = rv_my_literal(rv_str_c(text), &b, err);
    if (st == RV_OK)
        st = rv_mys_keep(&b, arena, out, err);
    rv_buf_free(&b);
    return st;
}

rv_status rv_mys_what(const rv_relation *rel, rv_arena *arena, const char **out, rv_error *err)
{
    const rv_mys_relation *r = rel->driver;
    if (!r->query && rel->base_table)
        return rv_arena_printf(arena, out, err, "reading table '%s'", rel->base_table);
    *out = "reading the query";
    return RV_OK;
}

void rv_mys_advise(rv_error *err)
{
    if (err && err->code == RV_E_SOURCE_PERMISSION)
        rv_hint(err, "GRANT SELECT on it to the user that Rivet connects as, or name the columns "
                     "it may read in a query:");
}

/* --- descriptions --- */

static rv_status copy_text(const char *text, rv_arena *arena, const char **out, rv_error *err)
{
    if (!text) {
        *out = NULL;
        return RV_OK;
    }
    return rv_arena_cstr(arena, rv_str_c(text), out, err);
}

static rv_status copy_field(const MYSQL_FIELD *from, rv_arena *arena, rv_mys_field *out,
                            rv_error *err)
{
    rv_mys_field f = {.name = NULL};
    rv_mys_field_of(from, &f);
    RV_TRY(copy_text(f.name, arena, &f.name, err));
    RV_TRY(copy_text(f.db, arena, &f.db, err));
    RV_TRY(copy_text(f.org_table, arena, &f.org_table, err));
    RV_TRY(copy_text(f.org_name, arena, &f.org_name, err));
    RV_TRY(copy_text(f.declared, arena, &f.declared, err));
    *out = f;
    return RV_OK;
}

rv_status rv_mys_fields(MYSQL_RES *r, rv_arena *arena, rv_mys_field **out, size_t *out_n,
                        rv_error *err)
{
    size_t n = r ? mysql_num_fields(r) : 0;
    const MYSQL_FIELD *from = r ? mysql_fetch_fields(r) : NULL;
    rv_mys_field *list = NULL;
    RV_TRY(rv_arena_array(arena, n + 1, sizeof *list, &list, err));
    for (size_t i = 0; i < n; i++)
        RV_TRY(copy_field(&from[i], arena, &list[i], err));
    *out = list;
    *out_n = n;
    return RV_OK;
}

rv_status rv_mys_prepare_fields(rv_source *s, const char *sql, const char *what, rv_arena *arena,
                                rv_mys_field **out, size_t *out_n, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    MYSQL_STMT *stmt = NULL;
    MYSQL_RES *described = NULL;
    rv_status st;
    RV_GO(rv_buf_printf(&b, err, "%s%s", s->comment, sql));
    RV_GO(rv_my_prepare(s->my, rv_buf_str(&b), what, &stmt, err));
    if (mysql_stmt_param_count(stmt) > 0) {
        st = rv_sql_refuse_query(err, "has parameters");
        goto done;
    }
    described = mysql_stmt_result_metadata(stmt);
    if (!described) {
        st = mysql_stmt_errno(stmt) ? rv_my_fail(s->my, stmt, what, err)
                                    : rv_sql_refuse_query(err, "gives no rows");
        goto done;
    }
    RV_GO(rv_mys_fields(described, arena, out, out_n, err));
done:
    mysql_free_result(described);
    rv_my_stmt_close(s->my, stmt);
    rv_buf_free(&b);
    return st;
}

rv_status rv_mys_describe_only(rv_source *s, const char *sql, const char *what, rv_arena *arena,
                               rv_mys_field **out, size_t *out_n, rv_error *err)
{
    RV_TRY(rv_mys_results(s, false, what, err));
    return rv_mys_prepare_fields(s, sql, what, arena, out, out_n, err);
}
