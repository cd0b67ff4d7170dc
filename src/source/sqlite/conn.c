#include "source/sqlite/sqlite_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/url.h"
#include "source/sql/name.h"

#define PROGRESS_OPS 2000

static bool is_cancelled(const rv_source *s)
{
    return atomic_load_explicit(&s->cancelled, memory_order_relaxed) ||
           (s->env->cancel && rv_cancel_raised(s->env->cancel));
}

static int on_progress(void *ctx)
{
    rv_source *s = ctx;
    if (is_cancelled(s))
        return 1;
    if (s->deadline_us == RV_SQ_NEVER && s->cut_at_us == RV_SQ_NEVER)
        return 0;
    int64_t now = rv_clock_mono_us();
    if (now >= s->deadline_us)
        s->stop = RV_SQ_TIMEOUT;
    else if (now >= s->cut_at_us)
        s->stop = RV_SQ_CUT;
    return s->stop != RV_SQ_RUN;
}

/* busy_timeout would not see a signal and would take 0 for "do not wait". */
static int on_busy(void *ctx, int tries)
{
    rv_source *s = ctx;
    if (is_cancelled(s))
        return 0;
    int64_t now = rv_clock_mono_us();
    if (tries == 0)
        s->lock_since_us = now;
    int64_t waited = now - s->lock_since_us;
    if (s->lock_us > 0 && waited >= s->lock_us)
        return 0;
    int64_t nap = tries < 10 ? 1000 * (tries + 1) : 20000;
    if (s->lock_us > 0 && nap > s->lock_us - waited)
        nap = s->lock_us - waited;
    if (s->env->cancel)
        return rv_cancel_sleep_us(s->env->cancel, nap);
    usleep((useconds_t)nap);
    return 1;
}

void rv_sq_arm(rv_source *s, int64_t spent_us)
{
    s->stop = RV_SQ_RUN;
    s->cut_at_us = RV_SQ_NEVER;
    s->deadline_us = s->timeout_us ? rv_clock_mono_us() - spent_us + s->timeout_us : RV_SQ_NEVER;
}

void rv_sq_disarm(rv_source *s)
{
    s->deadline_us = RV_SQ_NEVER;
    s->cut_at_us = RV_SQ_NEVER;
}

rv_status rv_sq_check(rv_source *s, rv_error *err)
{
    if (is_cancelled(s))
        return rv_fail(err, RV_E_INTERRUPTED, "reading '%s' was interrupted", s->path);
    return RV_OK;
}

static rv_status fail_interrupt(rv_source *s, const char *what, rv_error *err)
{
    if (s->stop != RV_SQ_TIMEOUT)
        return rv_fail(err, RV_E_INTERRUPTED, "%s: '%s': interrupted", what, s->path);
    rv_status st = rv_fail(err, RV_E_SOURCE_TIMEOUT,
                           "%s: '%s': the statement ran longer than %lld s "
                           "(tuning.statement_timeout_s)",
                           what, s->path, (long long)(s->timeout_us / 1000000));
    if (err)
        err->retry = RV_RETRY_T;
    rv_hint(err, "read in chunks, lower chunk_size, or raise tuning.statement_timeout_s");
    return st;
}

static rv_status code_of(int primary, rv_retry *retry)
{
    *retry = RV_RETRY_P;
    switch (primary) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        *retry = RV_RETRY_L;
        return RV_E_SOURCE_LOCK;
    case SQLITE_SCHEMA:
        *retry = RV_RETRY_L;
        return RV_E_SOURCE_BUSY;
    case SQLITE_IOERR:
        *retry = RV_RETRY_N;
        return RV_E_SOURCE_BUSY;
    case SQLITE_NOMEM:
        return RV_E_MEMORY;
    case SQLITE_CORRUPT:
        return RV_E_SOURCE_CORRUPT;
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        return RV_E_SOURCE_OPEN;
    case SQLITE_TOOBIG:
        return RV_E_VALUE_TOO_LARGE;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return RV_E_SOURCE_PERMISSION;
    default:
        return RV_E_SOURCE_QUERY;
    }
}

static void add_hint(const rv_source *s, int extended, rv_error *err)
{
    if (extended == SQLITE_READONLY_ROLLBACK) {
        rv_hint(err, "a writer died inside a transaction: open the database once with its "
                     "application, which rolls the journal back");
        return;
    }
    switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        rv_hint(err,
                "another process holds a lock on '%s'; run again, or raise "
                "tuning.lock_timeout_s",
                s->path);
        break;
    case SQLITE_NOTADB:
        rv_hint(err, "check the path; an encrypted database cannot be read");
        break;
    case SQLITE_CORRUPT:
        rv_hint(err, "check the file with PRAGMA integrity_check and restore it from a backup");
        break;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        rv_hint(err, "a database in WAL mode needs write permission on its directory for the -wal "
                     "and -shm files; grant it, or let the application switch to "
                     "journal_mode=DELETE");
        break;
    default:
        break;
    }
}

rv_status rv_sq_fail(rv_source *s, int rc, const char *what, rv_error *err)
{
    int primary = rc & 0xff;
    if (primary == SQLITE_INTERRUPT || (primary == SQLITE_BUSY && is_cancelled(s)))
        return fail_interrupt(s, what, err);
    rv_retry retry;
    rv_status code = code_of(primary, &retry);
    int extended = s->db ? sqlite3_extended_errcode(s->db) : rc;
    rv_status st = rv_fail(err, code, "%s: '%s': %s", what, s->path,
                           s->db && sqlite3_errcode(s->db) != SQLITE_OK ? sqlite3_errmsg(s->db)
                                                                        : sqlite3_errstr(rc));
    if (!err)
        return st;
    err->retry = retry;
    if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED || primary == SQLITE_SCHEMA)
        err->retry_after_ms = 500;
    (void)snprintf(err->native, sizeof err->native, "%d", extended);
    add_hint(s, extended, err);
    return st;
}

/* Nothing but blanks and comments is left when what follows prepares to nothing. */
static bool has_more(rv_source *s, const char *tail)
{
    sqlite3_stmt *next = NULL;
    if (!tail || *tail == '\0')
        return false;
    int rc = sqlite3_prepare_v2(s->db, tail, -1, &next, NULL);
    bool more = rc != SQLITE_OK || next != NULL;
    sqlite3_finalize(next);
    return more;
}

rv_status rv_sq_prepare_first(rv_source *s, const char *sql, const char *what, sqlite3_stmt **out,
                              bool *out_more, rv_error *err)
{
    RV_TRY(rv_sq_check(s, err));
    rv_buf text = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_buf_add_c(&text, s->comment, err));
    RV_GO(rv_buf_add_c(&text, sql, err));
    RV_GO(rv_buf_add_byte(&text, 0, err));
    if (text.len > INT32_MAX)
        RV_GO(rv_fail(err, RV_E_SOURCE_QUERY, "%s: the statement is too long", what));
    sqlite3_stmt *stmt = NULL;
    const char *tail = NULL;
    int rc = sqlite3_prepare_v3(s->db, (const char *)text.ptr, (int)text.len,
                                SQLITE_PREPARE_PERSISTENT, &stmt, &tail);
    if (rc != SQLITE_OK)
        RV_GO(rv_sq_fail(s, rc, what, err));
    *out = stmt;
    *out_more = has_more(s, tail);
done:
    rv_buf_free(&text);
    return st;
}

rv_status rv_sq_prepare(rv_source *s, const char *sql, const char *what, sqlite3_stmt **out,
                        rv_error *err)
{
    bool more = false;
    return rv_sq_prepare_first(s, sql, what, out, &more, err);
}

rv_status rv_sq_refresh(rv_source *s, rv_error *err)
{
    const char *what = "reading the catalog";
    rv_sq_statement *st = NULL;
    bool row = false;
    RV_TRY(rv_sq_acquire(s, "SELECT 1 FROM sqlite_master LIMIT 1", what, &st, err));
    rv_sq_arm(s, 0);
    rv_status result = rv_sq_step(s, st->stmt, what, &row, err);
    rv_sq_disarm(s);
    rv_sq_release(s, st);
    return result;
}

static rv_sq_statement *find_statement(rv_source *s, const char *sql)
{
    for (size_t i = 0; i < RV_SQ_STATEMENTS; i++) {
        rv_sq_statement *e = &s->statements[i];
        if (e->stmt && !e->busy && strcmp(e->sql, sql) == 0)
            return e;
    }
    return NULL;
}

static rv_sq_statement *free_slot(rv_source *s)
{
    rv_sq_statement *oldest = NULL;
    for (size_t i = 0; i < RV_SQ_STATEMENTS; i++) {
        rv_sq_statement *e = &s->statements[i];
        if (!e->stmt)
            return e;
        if (!e->busy && (!oldest || e->used < oldest->used))
            oldest = e;
    }
    return oldest;
}

static void drop_statement(rv_sq_statement *e)
{
    sqlite3_finalize(e->stmt);
    rv_free(e->sql);
    *e = (rv_sq_statement){0};
}

rv_status rv_sq_acquire(rv_source *s, const char *sql, const char *what, rv_sq_statement **out,
                        rv_error *err)
{
    RV_TRY(rv_sq_check(s, err));
    rv_sq_statement *e = find_statement(s, sql);
    if (!e) {
        e = free_slot(s);
        if (!e)
            return rv_fail(err, RV_E_INTERNAL, "too many statements are open at once");
        sqlite3_stmt *stmt = NULL;
        RV_TRY(rv_sq_prepare(s, sql, what, &stmt, err));
        char *copy = rv_strdup(sql);
        if (!copy) {
            sqlite3_finalize(stmt);
            return rv_fail_memory(err);
        }
        drop_statement(e);
        e->sql = copy;
        e->stmt = stmt;
    }
    e->busy = true;
    e->used = ++s->tick;
    *out = e;
    return RV_OK;
}

void rv_sq_release(rv_source *s, rv_sq_statement *st)
{
    (void)s;
    if (!st)
        return;
    sqlite3_reset(st->stmt);
    sqlite3_clear_bindings(st->stmt);
    st->busy = false;
}

rv_status rv_sq_step(rv_source *s, sqlite3_stmt *stmt, const char *what, bool *out_row,
                     rv_error *err)
{
    int rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return rv_sq_fail(s, rc, what, err);
    *out_row = rc == SQLITE_ROW;
    return RV_OK;
}

static rv_status add_line(rv_arena *arena, const char *line, rv_sq_plan *plan, size_t *cap,
                          rv_error *err)
{
    if (plan->n == *cap) {
        const char **grown = NULL;
        size_t more = *cap ? *cap * 2 : 8;
        RV_TRY(rv_arena_array(arena, more, sizeof *grown, &grown, err));
        if (plan->n)
            memcpy(grown, plan->lines, plan->n * sizeof *grown);
        plan->lines = grown;
        *cap = more;
    }
    plan->lines[plan->n++] = line;
    return RV_OK;
}

rv_status rv_sq_explain(rv_source *s, const char *sql, rv_arena *arena, rv_sq_plan *out,
                        rv_error *err)
{
    const char *what = "explaining the statement";
    sqlite3_stmt *stmt = NULL;
    const char *text = NULL;
    rv_sq_plan plan = {NULL, 0};
    size_t cap = 0;
    bool row = false;
    RV_TRY(rv_arena_printf(arena, &text, err, "EXPLAIN QUERY PLAN %s", sql));
    RV_TRY(rv_sq_prepare(s, text, what, &stmt, err));
    rv_status st;
    rv_sq_arm(s, 0);
    for (;;) {
        RV_GO(rv_sq_step(s, stmt, what, &row, err));
        if (!row)
            break;
        const char *detail = (const char *)sqlite3_column_text(stmt, 3);
        const char *line = NULL;
        RV_GO(rv_arena_printf(arena, &line, err, "%d %s", sqlite3_column_int(stmt, 1) != 0,
                              detail ? detail : ""));
        RV_GO(add_line(arena, line, &plan, &cap, err));
    }
    *out = plan;
done:
    rv_sq_disarm(s);
    sqlite3_finalize(stmt);
    return st;
}

static rv_status check_file(const char *path, rv_error *err)
{
    struct stat sb;
    if (stat(path, &sb) != 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            return rv_fail_errno(err, RV_E_SOURCE_PERMISSION, errno,
                                 "source database '%s' cannot be reached", path);
        rv_fail(err, RV_E_SOURCE_OPEN, "source database '%s' does not exist", path);
        rv_hint(err, "correct source.path or the sqlite: URL; relative paths count from the "
                     "directory of the configuration");
        return RV_E_SOURCE_OPEN;
    }
    if (S_ISDIR(sb.st_mode)) {
        rv_fail(err, RV_E_SOURCE_OPEN, "source database '%s' is a directory", path);
        rv_hint(err, "name the database file itself under source.path");
        return RV_E_SOURCE_OPEN;
    }
    if (access(path, R_OK) != 0) {
        rv_fail(err, RV_E_SOURCE_PERMISSION, "source database '%s' cannot be read", path);
        rv_hint(err, "grant this user read permission on the file");
        return RV_E_SOURCE_PERMISSION;
    }
    return RV_OK;
}

static rv_status exec(rv_source *s, const char *sql, rv_error *err)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? RV_OK : rv_sq_fail(s, rc, "opening the source database", err);
}

/* Reads the file for the first time, too. */
static rv_status read_encoding(rv_source *s, rv_error *err)
{
    const char *what = "opening the source database";
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    RV_TRY(exec(s, "SELECT 1 FROM sqlite_master LIMIT 1", err));
    int rc = sqlite3_prepare_v2(s->db, "PRAGMA encoding", -1, &stmt, NULL);
    rv_status st =
        rc == SQLITE_OK ? rv_sq_step(s, stmt, what, &row, err) : rv_sq_fail(s, rc, what, err);
    const char *name = row ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    s->utf16 = name && strncmp(name, "UTF-16", 6) == 0;
    sqlite3_finalize(stmt);
    return st;
}

static rv_status connect_db(rv_source *s, rv_error *err)
{
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(s->path, &s->db, flags, NULL);
    if (rc != SQLITE_OK)
        return rv_sq_fail(s, rc, "opening the source database", err);
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_handler(s->db, on_busy, s);
    sqlite3_progress_handler(s->db, PROGRESS_OPS, on_progress, s);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    RV_TRY(exec(s, "PRAGMA query_only=ON", err));
    return read_encoding(s, err);
}

static rv_status fill_info(rv_source *s, rv_error *err)
{
    char *real = realpath(s->path, NULL);
    rv_status st = rv_arena_cstr(&s->arena, rv_str_c(real ? real : s->path), &s->path, err);
    free(real);
    RV_TRY(st);
    const char *slash = strrchr(s->path, '/');
    s->info = (rv_source_info){.identity = s->path,
                               .database = slash ? slash + 1 : s->path,
                               .version = sqlite3_libversion(),
                               .connection = "direct",
                               .loopback = true};
    return RV_OK;
}

rv_status rv_sq_open(const rv_env *env, const rv_source_opts *opts, rv_source **out, rv_error *err)
{
    rv_source *s = rv_calloc(1, sizeof *s);
    if (!s)
        return rv_fail_memory(err);
    s->env = env;
    s->arena = RV_ARENA_INIT;
    atomic_init(&s->cancelled, false);
    s->timeout_us = (int64_t)(opts->tuning->statement_timeout_s % 10000000) * 1000000;
    s->lock_us = (int64_t)(opts->tuning->lock_timeout_s % 10000000) * 1000000;
    s->max_value_bytes = opts->tuning->max_value_mb << 20;
    rv_sq_disarm(s);
    rv_status st;
    RV_GO(rv_source_sqlite_path(env, opts->cfg, &s->arena, &s->path, err));
    RV_GO(check_file(s->path, err));
    RV_GO(fill_info(s, err));
    RV_GO(rv_sql_run_comment_keep(opts->run_id, &s->arena, &s->comment, err));
    RV_GO(connect_db(s, err));
    *out = s;
    return RV_OK;
done:
    rv_sq_close(s);
    return st;
}

void rv_sq_close(rv_source *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < RV_SQ_STATEMENTS; i++)
        drop_statement(&s->statements[i]);
    sqlite3_close_v2(s->db);
    rv_arena_free(&s->arena);
    rv_free(s);
}
