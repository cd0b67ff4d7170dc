#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "state/state_internal.h"

static const char *const tables[] = {
    "export_state",  "run_status",   "run_unit",           "chunk_run",
    "chunk_task",    "keyset_range", "file_log",           "export_metrics",
    "export_schema", "export_shape", "export_progression", "run_journal",
    "run_aggregate", "export_harm",  "cdc_state",          "cdc_snapshot",
};
enum { TABLES = sizeof tables / sizeof tables[0] };

typedef struct copy_ctx {
    rv_state *from;
} copy_ctx;

static rv_status insert_sql(rv_state *from, const char *table, const rv_rows *rows, rv_buf *out,
                            rv_error *err)
{
    size_t n = from->backend->columns(rows);
    RV_TRY(rv_buf_printf(out, err, "INSERT INTO %s (", table));
    for (size_t i = 0; i < n; i++)
        RV_TRY(rv_buf_printf(out, err, "%s%s", i ? ", " : "", from->backend->column(rows, i)));
    RV_TRY(rv_buf_add_c(out, ") VALUES (", err));
    for (size_t i = 0; i < n; i++)
        RV_TRY(rv_buf_add_c(out, i ? ", ?" : "?", err));
    RV_TRY(rv_buf_add_c(out, ")", err));
    return rv_buf_cstr(out) ? RV_OK : rv_fail_memory(err);
}

#define COLUMN_MAX 64

static rv_status copy_rows(rv_state *from, rv_state *to, rv_rows *rows, const char *sql,
                           rv_error *err)
{
    size_t n = from->backend->columns(rows);
    if (n > COLUMN_MAX)
        return rv_fail(err, RV_E_INTERNAL, "a state table has %zu columns", n);
    for (;;) {
        rv_val values[COLUMN_MAX];
        bool more;
        RV_TRY(from->backend->next(rows, &more, err));
        if (!more)
            return RV_OK;
        for (size_t i = 0; i < n; i++)
            values[i] = from->backend->value(rows, i);
        RV_TRY(rv_st_run(to, sql, values, n, NULL, err));
    }
}

static rv_status copy_table(rv_state *from, rv_state *to, const char *table, rv_error *err)
{
    rv_buf select = RV_BUF_INIT, insert = RV_BUF_INIT;
    rv_rows *rows = NULL;
    rv_status st;
    RV_GO(rv_buf_printf(&select, err, "SELECT * FROM %s", table));
    const char *sql = rv_buf_cstr(&select);
    if (!sql)
        RV_GO(rv_fail_memory(err));
    RV_GO(from->backend->query(from->db, sql, NULL, 0, &rows, err));
    RV_GO(insert_sql(from, table, rows, &insert, err));
    RV_GO(copy_rows(from, to, rows, (const char *)insert.ptr, err));
done:
    from->backend->rows_end(rows);
    rv_buf_free(&select);
    rv_buf_free(&insert);
    return st;
}

static rv_status refuse_filled(rv_state *to, rv_error *err)
{
    for (size_t i = 0; i < TABLES; i++) {
        char sql[96];
        int64_t one;
        bool found;
        (void)snprintf(sql, sizeof sql, "SELECT 1 FROM %s LIMIT 1", tables[i]);
        RV_TRY(rv_st_int(to, sql, RV_NO_PARAMS, &one, &found, err));
        if (found) {
            (void)rv_fail(err, RV_E_STATE_URL, "the state at '%s' is not empty", to->location);
            rv_hint(err, "copy into a new place");
            return RV_E_STATE_URL;
        }
    }
    return RV_OK;
}

/* Runs in the target's transaction, inside a read transaction of the source. */
static rv_status fill_body(rv_state *to, void *ctx, rv_error *err)
{
    copy_ctx *c = ctx;
    RV_TRY(refuse_filled(to, err));
    for (size_t i = 0; i < TABLES; i++)
        RV_TRY(copy_table(c->from, to, tables[i], err));
    return RV_OK;
}

static rv_status filled(rv_state *to, void *ctx, bool *out, rv_error *err)
{
    (void)ctx;
    int64_t one;
    return rv_st_int(to, "SELECT 1 FROM run_status LIMIT 1", RV_NO_PARAMS, &one, out, err);
}

static rv_status copy_body(rv_state *s, void *ctx, rv_error *err)
{
    copy_ctx c = {.from = s};
    rv_tx tx = {.name = "copy", .body = fill_body, .settled = filled, .ctx = &c};
    RV_TRY(rv_st_no_live_lease(s, NULL, err));
    return rv_state_write(ctx, &tx, err);
}

static rv_status same_place(rv_state *s, const char *url, const char *config_dir, rv_error *err)
{
    const rv_backend *backend;
    char *path;
    RV_TRY(rv_state_locate(url, config_dir, &backend, &path, err));
    bool same = backend == s->backend && strcmp(path, s->location) == 0;
    rv_free(path);
    if (same)
        return rv_fail(err, RV_E_STATE_URL, "the state cannot be copied onto itself");
    return RV_OK;
}

rv_status rv_state_copy(rv_state *s, const rv_env *env, const char *to_url, const char *config_dir,
                        rv_error *err)
{
    rv_state *to = NULL;
    rv_state_opts opts = {.url = to_url, .config_dir = config_dir, .project = s->project};
    RV_TRY(same_place(s, to_url, config_dir, err));
    RV_TRY(rv_state_open(env, &opts, &to, err));
    rv_status st = rv_state_read(s, copy_body, to, err);
    rv_state_close(to);
    return st;
}
