#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "state/postgres/postgres_internal.h"

/* A connection that nobody answers on is noticed before the lease is lost. */
static const rv_pg_param keepalive[] = {
    {"keepalives_idle", "20"},
    {"keepalives_interval", "10"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "45000"},
};
enum { KEEPALIVES = sizeof keepalive / sizeof keepalive[0] };

static void db_close(rv_db *db)
{
    if (!db)
        return;
    rv_pg_close(db->conn);
    rv_arena_free(&db->arena);
    rv_free(db);
}

/* What the URL says comes last and wins. */
static rv_status read_url(rv_db *db, const char *url, rv_error *err)
{
    rv_pg_param *given, *all;
    size_t n;
    rv_status st = rv_pg_params_parse(db->env, url, &db->arena, &given, &n, err);
    if (st == RV_E_MEMORY)
        return st;
    if (st != RV_OK)
        return rv_wrap(err, RV_E_STATE_URL, "RIVET_STATE_URL cannot be read");
    RV_TRY(rv_arena_array(&db->arena, KEEPALIVES + n, sizeof *all, &all, err));
    memcpy(all, keepalive, sizeof keepalive);
    if (n)
        memcpy(all + KEEPALIVES, given, n * sizeof *all);
    db->params = all;
    db->n_params = KEEPALIVES + n;
    return RV_OK;
}

static const char *param(const rv_db *db, const char *key)
{
    const char *value = NULL;
    for (size_t i = 0; i < db->n_params; i++)
        if (strcmp(db->params[i].key, key) == 0)
            value = db->params[i].value;
    return value ? value : "";
}

static rv_status foreign(const rv_db *db, rv_error *err)
{
    (void)rv_fail(err, RV_E_STATE_FOREIGN,
                  "schema '%s' of '%s' holds the state of another program; it was left untouched",
                  db->schema, db->place);
    rv_hint(err, "move that schema aside (ALTER SCHEMA ... RENAME TO ...), or set RIVET_STATE_URL "
                 "to another database");
    return RV_E_STATE_FOREIGN;
}

static rv_status open_at(rv_db *db, const char *url, bool create, bool *out_exists, rv_error *err)
{
    rv_db_content content;
    RV_TRY(read_url(db, url, err));
    snprintf(db->place, sizeof db->place, "%s/%s", param(db, "host"), param(db, "dbname"));
    RV_TRY(rv_pgstate_connect(db, err));
    RV_TRY(rv_pgstate_place(db, create, &content, err));
    if (content == RV_DB_FOREIGN)
        return foreign(db, err);
    *out_exists = content == RV_DB_RIVET || create;
    return RV_OK;
}

static rv_status db_open(const rv_env *env, const char *location, bool create, rv_db **out,
                         rv_error *err)
{
    rv_error local = {0};
    rv_status st;
    bool exists = false;
    for (unsigned n = 0;; n++) {
        rv_db *db = rv_calloc(1, sizeof *db);
        if (!db)
            return rv_fail_memory(err);
        db->env = env;
        db->quiet = *env;
        db->quiet.cancel = NULL;
        rv_error_clear(&local);
        st = open_at(db, location, create, &exists, &local);
        if (st == RV_OK && exists) {
            *out = db;
            return RV_OK;
        }
        bool again = db->opened && local.retry != RV_RETRY_P && n < 4;
        db_close(db);
        if (st != RV_E_STATE_UNREACHABLE || !again)
            break;
        rv_db_pause_us(INT64_C(20000) << (2 * n));
    }
    if (st == RV_OK)
        *out = NULL;
    else if (err)
        *err = local;
    return st;
}

static rv_status db_content(rv_db *db, rv_db_content *out, rv_error *err)
{
    return rv_pgstate_content(db, db->schema, out, err);
}

static const char *db_place(const rv_db *db)
{
    return db->place;
}

/* The server's own backups are its administrator's. */
static rv_status db_backup(rv_db *db, int64_t from, rv_error *err)
{
    (void)db;
    (void)from;
    (void)err;
    return RV_OK;
}

static rv_status db_exec(rv_db *db, const char *sql, rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    rv_status st = rv_pgstate_ddl(sql, &text, err);
    if (st == RV_OK)
        st = rv_pgstate_simple(db, (const char *)text.ptr, NULL, err);
    rv_buf_free(&text);
    return st;
}

static size_t db_columns(const rv_rows *r)
{
    return (size_t)PQnfields(r->result);
}

static const char *db_column(const rv_rows *r, size_t i)
{
    return PQfname(r->result, (int)i);
}

static int64_t db_affected(const rv_db *db)
{
    return db->affected;
}

static void db_rollback(rv_db *db)
{
    bool open = db->in_tx;
    db->in_tx = false;
    if (open && db->conn && rv_pgstate_simple(db, "ROLLBACK", NULL, NULL) != RV_OK)
        rv_pgstate_disconnect(db);
}

/* The lease's clock is the server's; tests that move time move their own. */
static rv_status read_clock(const rv_db *db, const PGresult *result, int64_t *out, rv_error *err)
{
#ifdef RV_FAULTS
    const char *clock = rv_env_get(db->env, "RIVET_STATE_CLOCK");
    if (clock && strcmp(clock, "host") == 0) {
        *out = rv_env_now_us(db->env);
        return RV_OK;
    }
#endif
    if (PQntuples(result) == 1 && rv_str_i64(rv_str_c(PQgetvalue(result, 0, 0)), out))
        return RV_OK;
    return rv_fail(err, RV_E_INTERNAL, "the state database '%s' tells no time", db->place);
}

static rv_status db_begin(rv_db *db, rv_tx_mode mode, rv_error *err)
{
    PGresult *result = NULL;
    RV_TRY(rv_pgstate_connect(db, err));
    db->in_tx = true;
    rv_status st = rv_pgstate_simple(db, db->begin[mode], &result, err);
    if (st == RV_OK)
        st = read_clock(db, result, &db->now_us, err);
    PQclear(result);
    if (st != RV_OK)
        db_rollback(db);
    return st;
}

/* A transaction that had failed is rolled back by COMMIT, which says so only in its tag. */
static rv_status db_commit(rv_db *db, rv_error *err)
{
    PGresult *result = NULL;
    RV_TRY(rv_pgstate_simple(db, "COMMIT", &result, err));
    bool done = result && strcmp(PQcmdStatus(result), "COMMIT") == 0;
    PQclear(result);
    db->in_tx = false;
    return done ? RV_OK : rv_fail(err, RV_E_INTERNAL, "a state transaction had failed before");
}

static rv_status db_now_us(rv_db *db, int64_t *out, rv_error *err)
{
    (void)err;
    *out = db->now_us;
    return RV_OK;
}

/* Rows that came with ids of their own left the sequence behind. */
static rv_status db_ids(rv_db *db, const char *table, rv_error *err)
{
    rv_buf sql = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_buf_printf(&sql, err,
                        "SELECT setval(pg_get_serial_sequence('%s', 'id'), "
                        "(SELECT COALESCE(MAX(id), 0) + 1 FROM %s), false)",
                        table, table));
    if (!rv_buf_cstr(&sql))
        RV_GO(rv_fail_memory(err));
    RV_GO(rv_pgstate_simple(db, (const char *)sql.ptr, NULL, err));
done:
    rv_buf_free(&sql);
    return st;
}

const rv_backend rv_backend_postgres = {
    .name = "postgres",
    .open = db_open,
    .close = db_close,
    .content = db_content,
    .place = db_place,
    .backup = db_backup,
    .exec = db_exec,
    .query = rv_pgstate_query,
    .next = rv_pgstate_next,
    .columns = db_columns,
    .column = db_column,
    .value = rv_pgstate_value,
    .rows_end = rv_pgstate_rows_end,
    .affected = db_affected,
    .begin = db_begin,
    .commit = db_commit,
    .rollback = db_rollback,
    .now_us = db_now_us,
    .ids = db_ids,
};
