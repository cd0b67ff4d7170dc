#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "state/sqlite/sqlite_internal.h"

#define NOT_A_DATABASE "SQLITE_26"

rv_status rv_sqlite_foreign(const char *path, rv_error *err)
{
    (void)rv_fail(err, RV_E_STATE_FOREIGN,
                  "'%s' is not a state database of this program; it was left untouched", path);
    rv_hint(err, "move that file aside, or set RIVET_STATE_URL=sqlite:/another/path");
    return RV_E_STATE_FOREIGN;
}

static int read_flag(sqlite3 *conn, const char *sql, bool *out)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(conn, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        *out = rc == SQLITE_ROW;
        rc = rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    (void)sqlite3_finalize(stmt);
    return rc;
}

int rv_sqlite_content(sqlite3 *conn, rv_db_content *out)
{
    bool any = false, ours = false;
    int rc = read_flag(conn, "SELECT 1 FROM sqlite_master LIMIT 1", &any);
    if (rc == SQLITE_OK)
        rc = read_flag(conn,
                       "SELECT 1 FROM pragma_table_info('schema_version') "
                       "WHERE name = 'rivet_version'",
                       &ours);
    if (rc == SQLITE_OK)
        *out = ours ? RV_DB_RIVET : any ? RV_DB_FOREIGN : RV_DB_EMPTY;
    return rc;
}

/* "file:<path>?mode=ro&immutable=1" with everything that means something in a URI encoded. */
static rv_status probe_uri(const char *path, bool immutable, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out, "file:", err));
    for (const char *p = path; *p; p++) {
        if (*p == '%' || *p == '?' || *p == '#')
            RV_TRY(rv_buf_printf(out, err, "%%%02X", (unsigned)*p));
        else
            RV_TRY(rv_buf_add_byte(out, (uint8_t)*p, err));
    }
    return rv_buf_add_c(out, immutable ? "?mode=ro&immutable=1" : "?mode=ro", err);
}

static rv_status probe(const rv_env *env, const char *path, bool immutable, rv_db_content *out,
                       rv_error *err)
{
    rv_buf uri = RV_BUF_INIT;
    sqlite3 *conn = NULL;
    rv_status st;
    RV_GO(probe_uri(path, immutable, &uri, err));
    const char *text = rv_buf_cstr(&uri);
    if (!text)
        RV_GO(rv_fail_memory(err));
    int rc = sqlite3_open_v2(text, &conn,
                             SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(conn, rv_sqlite_busy_ms(env));
    if (rc == SQLITE_OK)
        rc = rv_sqlite_content(conn, out);
    if (rc != SQLITE_OK)
        RV_GO(rv_sqlite_fail(conn, rc, path, "cannot read the state database", err));
done:
    (void)sqlite3_close(conn);
    rv_buf_free(&uri);
    return st;
}

static rv_status side_exists(const char *path, const char *suffix, bool *out, rv_error *err)
{
    rv_buf name = RV_BUF_INIT;
    uint64_t size;
    rv_status st;
    RV_GO(rv_buf_printf(&name, err, "%s%s", path, suffix));
    const char *text = rv_buf_cstr(&name);
    if (!text)
        RV_GO(rv_fail_memory(err));
    RV_GO(rv_file_size(text, &size, out, err));
done:
    rv_buf_free(&name);
    return st;
}

static rv_status has_header(const char *path, bool *out, rv_error *err)
{
    static const char magic[16] = "SQLite format 3";
    char head[sizeof magic];
    int fd;
    RV_TRY(rv_file_open_read(path, &fd, err));
    rv_status st = rv_file_pread(fd, head, sizeof head, 0, path, err);
    rv_file_close(fd);
    if (st == RV_OK)
        *out = memcmp(head, magic, sizeof magic) == 0;
    return st;
}

/* Closing any descriptor of a file drops every lock this process holds on it, those of another
 * thread's connection included. A database in use has side files; then only SQLite, which
 * keeps account of that, may open it. */
static rv_status in_use(const char *path, bool *out, rv_error *err)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
    *out = false;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0] && !*out; i++)
        RV_TRY(side_exists(path, suffixes[i], out, err));
    return RV_OK;
}

#define SMALLEST_DATABASE 512

static rv_status look(const rv_env *env, const char *path, rv_db_content *out, rv_error *err)
{
    uint64_t size = 0;
    bool found, used, sqlite = true;
    RV_TRY(rv_file_size(path, &size, &found, err));
    *out = size == 0 ? RV_DB_EMPTY : RV_DB_FOREIGN;
    if (size < SMALLEST_DATABASE)
        return RV_OK;
    RV_TRY(in_use(path, &used, err));
    if (!used)
        RV_TRY(has_header(path, &sqlite, err));
    if (!sqlite)
        return RV_OK;
    /* an ordinary connection would leave -wal and -shm files beside a resting WAL database */
    rv_status st = probe(env, path, !used, out, err);
    if (st == RV_E_STATE_DAMAGED && err && strcmp(err->native, NOT_A_DATABASE) == 0) {
        *out = RV_DB_FOREIGN;
        return RV_OK;
    }
    return st;
}

rv_status rv_sqlite_recognise(const rv_env *env, const char *path, rv_db_content *out,
                              rv_error *err)
{
    rv_error local;
    rv_status st = RV_OK;
    /* What another process is just creating can look foreign or damaged for a moment. */
    for (int n = 0; n < 3; n++) {
        rv_error_clear(&local);
        st = look(env, path, out, &local);
        if (st == RV_OK && *out != RV_DB_FOREIGN)
            return RV_OK;
        if (st == RV_E_MEMORY)
            break;
        rv_db_pause_us(50000);
    }
    if (st != RV_OK && err)
        *err = local;
    if (st == RV_E_IO || st == RV_E_DEST_PERMISSION || st == RV_E_DEST_NO_SPACE)
        return rv_wrap(err, RV_E_STATE_UNREACHABLE, "cannot read the state database '%s'", path);
    return st;
}
