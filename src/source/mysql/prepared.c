/* The page statement kept prepared: pages of an integer key differ only in parameters, so that the
 * server parses and plans their text once. */
#include "base/mem.h"
#include "source/mysql/scan_internal.h"

struct rv_mys_prepared {
    rv_buf sql;
    MYSQL_STMT *stmt;
};

void rv_mys_prepared_free(rv_source *s)
{
    rv_mys_prepared *p = s->prepared;
    if (!p)
        return;
    s->prepared = NULL;
    rv_my_stmt_close(s->my, p->stmt);
    rv_buf_free(&p->sql);
    rv_free(p);
}

static rv_status prepare(rv_source *s, rv_str sql, const char *what, rv_error *err)
{
    rv_mys_prepared *p = rv_calloc(1, sizeof *p);
    if (!p)
        return rv_fail_memory(err);
    rv_status st = rv_buf_add_str(&p->sql, sql, err);
    if (st == RV_OK)
        st = rv_my_prepare(s->my, sql, what, &p->stmt, err);
    if (st == RV_OK) {
        s->prepared = p;
        return RV_OK;
    }
    rv_buf_free(&p->sql);
    rv_free(p);
    return st;
}

static rv_status bind(rv_source *s, const rv_mys_params *params, const char *what, rv_error *err)
{
    MYSQL_STMT *stmt = s->prepared->stmt;
    MYSQL_BIND binds[RV_MYS_PARAMS_MAX];
    if (mysql_stmt_param_count(stmt) != params->n)
        return rv_fail(err, RV_E_SOURCE_QUERY,
                       "%s: the server sees %lu parameters in a statement with %zu", what,
                       mysql_stmt_param_count(stmt), params->n);
    if (params->n == 0)
        return RV_OK;
    memset(binds, 0, params->n * sizeof binds[0]);
    for (size_t i = 0; i < params->n; i++) {
        binds[i].buffer_type = MYSQL_TYPE_LONGLONG;
        binds[i].buffer = (void *)(uintptr_t)&params->value[i].bits;
        binds[i].is_unsigned = params->value[i].is_unsigned;
    }
    return mysql_stmt_bind_param(stmt, binds) ? rv_my_fail(s->my, stmt, what, err) : RV_OK;
}

rv_status rv_mys_prepared_run(rv_source *s, rv_str sql, const rv_mys_params *params,
                              const char *what, MYSQL_STMT **out, rv_error *err)
{
    if (s->prepared && !rv_str_eq(rv_buf_str(&s->prepared->sql), sql))
        rv_mys_prepared_free(s);
    if (!s->prepared)
        RV_TRY(prepare(s, sql, what, err));
    MYSQL_STMT *stmt = s->prepared->stmt;
    RV_TRY(bind(s, params, what, err));
    rv_status st = rv_my_execute(s->my, stmt, what, err);
    if (st == RV_OK)
        *out = stmt;
    return st;
}
