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

/* Those whose rows bear ids that the database gives out. */
static const char *const numbered[] = {"file_log", "export_metrics", "export_harm"};

static rv_status insert_head(rv_state *from, const char *table, const rv_rows *rows, rv_buf *out,
                             rv_error *err)
{
    size_t n = from->backend->columns(rows);
    RV_TRY(rv_buf_printf(out, err, "INSERT INTO %s (", table));
    for (size_t i = 0; i < n; i++)
        RV_TRY(rv_buf_printf(out, err, "%s%s", i ? ", " : "", from->backend->column(rows, i)));
    RV_TRY(rv_buf_add_c(out, ") VALUES ", err));
    return rv_buf_cstr(out) ? RV_OK : rv_fail_memory(err);
}

#define COLUMN_MAX 64

static rv_status copy_rows(rv_state *from, rv_rows *rows, rv_bulk *bulk, rv_error *err)
{
    size_t n = from->backend->columns(rows);
    if (n > COLUMN_MAX)
        return rv_fail(err, RV_E_INTERNAL, "a state table has %zu columns", n);
    for (;;) {
        rv_val values[COLUMN_MAX];
        bool more;
        RV_TRY(from->backend->next(rows, &more, err));
        if (!more)
            return rv_bulk_flush(bulk, err);
        for (size_t i = 0; i < n; i++)
            values[i] = from->backend->value(rows, i);
        RV_TRY(rv_bulk_add(bulk, values, err));
    }
}

static rv_status copy_table(rv_state *from, rv_state *to, const char *table, rv_error *err)
{
    rv_buf select = RV_BUF_INIT, insert = RV_BUF_INIT;
    rv_bulk bulk = {0};
    rv_rows *rows = NULL;
    rv_status st;
    RV_GO(rv_buf_printf(&select, err, "SELECT * FROM %s", table));
    const char *sql = rv_buf_cstr(&select);
    if (!sql)
        RV_GO(rv_fail_memory(err));
    RV_GO(from->backend->query(from->db, sql, NULL, 0, &rows, err));
    RV_GO(insert_head(from, table, rows, &insert, err));
    RV_GO(rv_bulk_begin(to, (const char *)insert.ptr, from->backend->columns(rows), &bulk, err));
    RV_GO(copy_rows(from, rows, &bulk, err));
done:
    from->backend->rows_end(rows);
    rv_bulk_end(&bulk);
    rv_buf_free(&select);
    rv_buf_free(&insert);
    return st;
}

static rv_status any_row(rv_state *s, void *ctx, bool *out, rv_error *err)
{
    (void)ctx;
    *out = false;
    for (size_t i = 0; i < TABLES && !*out; i++) {
        char sql[96];
        int64_t one;
        (void)snprintf(sql, sizeof sql, "SELECT 1 FROM %s LIMIT 1", tables[i]);
        RV_TRY(rv_st_int(s, sql, RV_NO_PARAMS, &one, out, err));
    }
    return RV_OK;
}

static rv_status refuse_filled(rv_state *to, void *ctx, rv_error *err)
{
    bool found;
    RV_TRY(any_row(to, ctx, &found, err));
    if (!found)
        return RV_OK;
    (void)rv_fail(err, RV_E_STATE_URL, "the state at '%s' is not empty",
                  to->backend->place(to->db));
    rv_hint(err, "copy into a new place");
    return RV_E_STATE_URL;
}

/* Runs in the target's transaction, while nobody else writes to the source. */
static rv_status fill_body(rv_state *to, void *ctx, rv_error *err)
{
    copy_ctx *c = ctx;
    RV_TRY(refuse_filled(to, NULL, err));
    for (size_t i = 0; i < TABLES; i++)
        RV_TRY(copy_table(c->from, to, tables[i], err));
    for (size_t i = 0; i < sizeof numbered / sizeof numbered[0]; i++)
        RV_TRY(to->backend->ids(to->db, numbered[i], err));
    return RV_OK;
}

static rv_status copy_body(rv_state *s, void *ctx, rv_error *err)
{
    copy_ctx c = {.from = s};
    rv_tx tx = {.name = "copy", .body = fill_body, .settled = any_row, .ctx = &c, .alone = true};
    bool found;
    RV_TRY(rv_st_no_live_lease(s, NULL, err));
    RV_TRY(any_row(s, NULL, &found, err));
    if (!found)
        return RV_OK;
    rv_status st = rv_state_write(ctx, &tx, err);
    if (st != RV_OK && err)
        err->retry = RV_RETRY_P; /* the target was tried often enough */
    return st;
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

/* The target is looked at first: were it the source under another URL, its own lock would be in
 * the way of everything later. */
static rv_status copy_into(rv_state *s, rv_state *to, rv_error *err)
{
    rv_tx tx = {.name = "copy-from", .body = copy_body, .ctx = to, .alone = true};
    RV_TRY(rv_state_read(to, refuse_filled, NULL, err));
    return rv_state_write(s, &tx, err);
}

rv_status rv_state_copy(rv_state *s, const rv_env *env, const char *to_url, const char *config_dir,
                        rv_error *err)
{
    rv_state *to = NULL;
    rv_state_opts opts = {.url = to_url, .config_dir = config_dir, .project = s->project};
    RV_TRY(same_place(s, to_url, config_dir, err));
    RV_TRY(rv_state_open(env, &opts, &to, err));
    rv_status st = copy_into(s, to, err);
    rv_state_close(to);
    return st;
}
