#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "state/sqlite/sqlite_internal.h"

#define BUSY_MS 30000

int rv_sqlite_busy_ms(const rv_env *env)
{
#ifdef RV_FAULTS
    const char *text = rv_env_get(env, "RIVET_STATE_BUSY_MS");
    int64_t ms;
    if (text && rv_str_i64(rv_str_c(text), &ms) && ms >= 0 && ms <= INT_MAX)
        return (int)ms;
#else
    (void)env;
#endif
    return BUSY_MS;
}

typedef struct fault {
    rv_status code;
    rv_retry retry;
    const char *hint;
} fault;

static fault fault_of(int rc)
{
    if (rc == SQLITE_IOERR_NOMEM)
        return (fault){RV_E_MEMORY, RV_RETRY_P, ""};
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return (fault){RV_E_STATE_UNREACHABLE, RV_RETRY_L,
                       "another process holds the state database; try again later"};
    case SQLITE_FULL:
        return (fault){RV_E_STATE_UNREACHABLE, RV_RETRY_R, "free some space on that file system"};
    case SQLITE_IOERR:
    case SQLITE_PROTOCOL:
    case SQLITE_SCHEMA:
        return (fault){RV_E_STATE_UNREACHABLE, RV_RETRY_N, ""};
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return (fault){RV_E_STATE_PERMISSION, RV_RETRY_P,
                       "the state file and its directory must be writable, or set "
                       "RIVET_STATE_URL=sqlite:/another/path"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return (fault){RV_E_STATE_DAMAGED, RV_RETRY_P,
                       "restore the file from a backup, or move it aside to start anew"};
    case SQLITE_NOMEM:
        return (fault){RV_E_MEMORY, RV_RETRY_P, ""};
    default:
        return (fault){RV_E_INTERNAL, RV_RETRY_P, ""};
    }
}

rv_status rv_sqlite_fail(sqlite3 *conn, int rc, const char *path, const char *what, rv_error *err)
{
    if (conn && rc != SQLITE_NOMEM)
        rc = sqlite3_extended_errcode(conn) & 0xff ? sqlite3_extended_errcode(conn) : rc;
    fault f = fault_of(rc);
    if (f.code == RV_E_MEMORY)
        return rv_fail_memory(err);
    (void)rv_fail(err, f.code, "%s '%s'\n%s", what, path,
                  conn ? sqlite3_errmsg(conn) : sqlite3_errstr(rc));
    if (err) {
        err->retry = f.retry;
        snprintf(err->native, sizeof err->native, "SQLITE_%d", rc);
    }
    if (f.hint[0])
        rv_hint(err, "%s", f.hint);
    return f.code;
}

static rv_status fail(rv_db *db, int rc, const char *what, rv_error *err)
{
    return rv_sqlite_fail(db->conn, rc, db->path, what, err);
}

static void db_close(rv_db *db)
{
    if (!db)
        return;
    for (size_t i = 0; i < RV_SQLITE_STATEMENTS; i++)
        (void)sqlite3_finalize(db->slots[i].stmt);
    (void)sqlite3_close(db->conn);
    rv_free(db->path);
    rv_free(db);
}

static rv_status db_exec(rv_db *db, const char *sql, rv_error *err)
{
    int rc = sqlite3_exec(db->conn, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? RV_OK : fail(db, rc, "cannot use the state database", err);
}

static rv_status no_access(rv_error *err, const char *path)
{
    err->code = RV_E_STATE_PERMISSION;
    rv_hint(
        err,
        "let this user write the directory of '%s' (in a container: --user \"$(id -u)\"), or set "
        "RIVET_STATE_URL",
        path);
    return RV_E_STATE_PERMISSION;
}

/* The file exists with mode 0600 before SQLite sees it; its side files inherit the mode. */
static rv_status make_file(const char *path, rv_error *err)
{
    int fd;
    rv_error local;
    rv_status st = rv_file_create(path, 0600, &fd, &local);
    if (st == RV_OK) {
        rv_file_close(fd);
        return RV_OK;
    }
    if (strcmp(local.native, "EEXIST") == 0)
        return RV_OK;
    if (st == RV_E_DEST_PERMISSION)
        st = no_access(&local, path);
    else if (st != RV_E_MEMORY)
        st = RV_E_STATE_UNREACHABLE;
    if (err)
        *err = local;
    return rv_wrap(err, st, "cannot create the state database '%s'", path);
}

static rv_status connect(rv_db *db, rv_error *err)
{
    int rc =
        sqlite3_open_v2(db->path, &db->conn, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        return fail(db, rc, "cannot open the state database", err);
    (void)sqlite3_extended_result_codes(db->conn, 1);
    (void)sqlite3_busy_timeout(db->conn, rv_sqlite_busy_ms(db->env));
    (void)sqlite3_db_config(db->conn, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->conn, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (sqlite3_db_readonly(db->conn, "main") == 1)
        return RV_OK;
    RV_TRY(db_exec(db, "PRAGMA journal_mode=WAL", err));
    return db_exec(db, "PRAGMA synchronous=FULL", err);
}

static rv_status connect_again(rv_db *db, rv_error *err)
{
    rv_error local;
    for (unsigned n = 0;; n++) {
        rv_error_clear(&local);
        rv_status st = connect(db, &local);
        if (st == RV_OK)
            return RV_OK;
        /* turning the log on needs the file alone and does not wait for it */
        if (st != RV_E_STATE_UNREACHABLE || local.retry == RV_RETRY_P || n == 4) {
            if (err)
                *err = local;
            return st;
        }
        (void)sqlite3_close(db->conn);
        db->conn = NULL;
        rv_db_pause_us(INT64_C(20000) << (2 * n));
    }
}

static rv_status db_open(const rv_env *env, const char *location, bool create, rv_db **out,
                         rv_error *err)
{
    struct stat sb;
    rv_db_content content = RV_DB_EMPTY;
    if (stat(location, &sb) != 0 && !create) {
        *out = NULL;
        return RV_OK;
    }
    RV_TRY(make_file(location, err));
    RV_TRY(rv_sqlite_recognise(env, location, &content, err));
    if (content == RV_DB_FOREIGN)
        return rv_sqlite_foreign(location, err);
    if (content == RV_DB_EMPTY && !create) {
        *out = NULL;
        return RV_OK;
    }
    rv_db *db = rv_calloc(1, sizeof *db);
    if (!db)
        return rv_fail_memory(err);
    db->env = env;
    db->path = rv_strdup(location);
    rv_status st = db->path ? connect_again(db, err) : rv_fail_memory(err);
    if (st != RV_OK) {
        db_close(db);
        return st;
    }
    /* a state once made readable for others, by a copy or an editor */
    if (stat(location, &sb) == 0 && (sb.st_mode & 077) != 0)
        (void)chmod(location, 0600);
    *out = db;
    return RV_OK;
}

static rv_status db_content(rv_db *db, rv_db_content *out, rv_error *err)
{
    int rc = rv_sqlite_content(db->conn, out);
    return rc == SQLITE_OK ? RV_OK : fail(db, rc, "cannot read the state database", err);
}

static const char *db_place(const rv_db *db)
{
    return db->path;
}

static rv_status copy_to(rv_db *db, sqlite3 *to, const char *name, rv_error *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", db->conn, "main");
    if (!backup)
        return rv_sqlite_fail(to, sqlite3_errcode(to), name, "cannot copy the state to", err);
    (void)sqlite3_backup_step(backup, -1);
    int rc = sqlite3_backup_finish(backup);
    return rc == SQLITE_OK ? RV_OK : rv_sqlite_fail(to, rc, name, "cannot copy the state to", err);
}

static rv_status db_backup(rv_db *db, int64_t from, rv_error *err)
{
    rv_buf name = RV_BUF_INIT;
    sqlite3 *to = NULL;
    bool found;
    rv_status st;
    RV_GO(rv_buf_printf(&name, err, "%s.v%lld.bak", db->path, (long long)from));
    const char *text = rv_buf_cstr(&name);
    if (!text)
        RV_GO(rv_fail_memory(err));
    RV_GO(rv_file_remove(text, &found, err));
    RV_GO(make_file(text, err));
    int rc = sqlite3_open_v2(text, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        RV_GO(rv_sqlite_fail(to, rc, text, "cannot open the backup", err));
    RV_GO(copy_to(db, to, text, err));
done:
    (void)sqlite3_close(to);
    rv_buf_free(&name);
    return st;
}

/* The slot that already holds this statement, else the free one unused for longest. */
static struct rv_rows *find_slot(rv_db *db, const char *sql)
{
    struct rv_rows *oldest = NULL;
    for (size_t i = 0; i < RV_SQLITE_STATEMENTS; i++) {
        struct rv_rows *slot = &db->slots[i];
        if (slot->busy)
            continue;
        if (slot->stmt && strcmp(sqlite3_sql(slot->stmt), sql) == 0)
            return slot;
        if (!oldest || slot->used < oldest->used)
            oldest = slot;
    }
    if (oldest) {
        (void)sqlite3_finalize(oldest->stmt);
        oldest->stmt = NULL;
    }
    return oldest;
}

static int bind_one(sqlite3_stmt *stmt, int at, const rv_val *v)
{
    switch (v->kind) {
    case RV_VAL_NULL:
        return sqlite3_bind_null(stmt, at);
    case RV_VAL_INT:
        return sqlite3_bind_int64(stmt, at, v->i);
    case RV_VAL_TEXT:
        return sqlite3_bind_text64(stmt, at, (const char *)v->b.ptr, v->b.len, SQLITE_TRANSIENT,
                                   SQLITE_UTF8);
    case RV_VAL_BLOB:
        return sqlite3_bind_blob64(stmt, at, v->b.len ? (const void *)v->b.ptr : "", v->b.len,
                                   SQLITE_TRANSIENT);
    }
    return SQLITE_MISUSE;
}

static void db_rows_end(rv_rows *r)
{
    if (!r)
        return;
    (void)sqlite3_reset(r->stmt);
    (void)sqlite3_clear_bindings(r->stmt);
    r->busy = false;
}

static rv_status db_query(rv_db *db, const char *sql, const rv_val *params, size_t n, rv_rows **out,
                          rv_error *err)
{
    struct rv_rows *slot = find_slot(db, sql);
    if (!slot)
        return rv_fail(err, RV_E_INTERNAL, "too many state statements at once");
    int rc = SQLITE_OK;
    if (!slot->stmt)
        rc = sqlite3_prepare_v3(db->conn, sql, -1, SQLITE_PREPARE_PERSISTENT, &slot->stmt, NULL);
    if (rc != SQLITE_OK)
        return fail(db, rc, "cannot query the state database", err);
    slot->db = db;
    slot->used = ++db->clock;
    slot->busy = true;
    if (sqlite3_bind_parameter_count(slot->stmt) != (int)n) {
        db_rows_end(slot);
        return rv_fail(err, RV_E_INTERNAL, "a state statement has the wrong number of values");
    }
    for (size_t i = 0; i < n && rc == SQLITE_OK; i++)
        rc = bind_one(slot->stmt, (int)i + 1, &params[i]);
    if (rc != SQLITE_OK) {
        rv_status st = fail(db, rc, "cannot query the state database", err);
        db_rows_end(slot);
        return st;
    }
    *out = slot;
    return RV_OK;
}

static rv_status db_next(rv_rows *r, bool *out_row, rv_error *err)
{
    int rc = sqlite3_step(r->stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return fail(r->db, rc, "cannot query the state database", err);
    *out_row = rc == SQLITE_ROW;
    return RV_OK;
}

static size_t db_columns(const rv_rows *r)
{
    return (size_t)sqlite3_column_count(r->stmt);
}

static const char *db_column(const rv_rows *r, size_t i)
{
    return sqlite3_column_name(r->stmt, (int)i);
}

static rv_val db_value(const rv_rows *r, size_t i)
{
    int at = (int)i;
    switch (sqlite3_column_type(r->stmt, at)) {
    case SQLITE_NULL:
        return rv_val_null();
    case SQLITE_INTEGER:
        return rv_val_int(sqlite3_column_int64(r->stmt, at));
    case SQLITE_BLOB: {
        const uint8_t *ptr = sqlite3_column_blob(r->stmt, at);
        return rv_val_blob(
            (rv_bytes){ptr ? ptr : (const uint8_t *)"", (size_t)sqlite3_column_bytes(r->stmt, at)});
    }
    default: {
        const uint8_t *ptr = sqlite3_column_text(r->stmt, at);
        return (rv_val){.kind = RV_VAL_TEXT,
                        .b = {ptr, ptr ? (size_t)sqlite3_column_bytes(r->stmt, at) : 0}};
    }
    }
}

static int64_t db_affected(const rv_db *db)
{
    return sqlite3_changes64(db->conn);
}

/* SQLite has one writer at a time. */
static rv_status db_begin(rv_db *db, rv_tx_mode mode, rv_error *err)
{
    return db_exec(db, mode == RV_TX_READ ? "BEGIN" : "BEGIN IMMEDIATE", err);
}

static rv_status db_commit(rv_db *db, rv_error *err)
{
    return db_exec(db, "COMMIT", err);
}

static void db_rollback(rv_db *db)
{
    if (!sqlite3_get_autocommit(db->conn))
        (void)sqlite3_exec(db->conn, "ROLLBACK", NULL, NULL, NULL);
}

static rv_status db_now_us(rv_db *db, int64_t *out, rv_error *err)
{
    (void)err;
    *out = rv_env_now_us(db->env);
    return RV_OK;
}

/* AUTOINCREMENT follows the largest id by itself. */
static rv_status db_ids(rv_db *db, const char *table, rv_error *err)
{
    (void)db;
    (void)table;
    (void)err;
    return RV_OK;
}

const rv_backend rv_backend_sqlite = {
    .name = "sqlite",
    .open = db_open,
    .close = db_close,
    .content = db_content,
    .place = db_place,
    .backup = db_backup,
    .exec = db_exec,
    .query = db_query,
    .next = db_next,
    .columns = db_columns,
    .column = db_column,
    .value = db_value,
    .rows_end = db_rows_end,
    .affected = db_affected,
    .begin = db_begin,
    .commit = db_commit,
    .rollback = db_rollback,
    .now_us = db_now_us,
    .ids = db_ids,
};
