/* state/sqlite/sqlite_internal.h: what the files of the SQLite backend share. */
#ifndef RV_STATE_SQLITE_INTERNAL_H
#define RV_STATE_SQLITE_INTERNAL_H

#include <sqlite3.h>

#include "state/backend.h"

#define RV_TARGET "state"
#define RV_SQLITE_STATEMENTS 24

struct rv_rows {
    struct rv_db *db;
    sqlite3_stmt *stmt; /* kept prepared between uses */
    bool busy;
    uint64_t used;
};

struct rv_db {
    const rv_env *env;
    sqlite3 *conn;
    char *path;
    uint64_t clock; /* for the eviction of statements */
    struct rv_rows slots[RV_SQLITE_STATEMENTS];
};

/* Turns a result code into an error; conn may be NULL. */
rv_status rv_sqlite_fail(sqlite3 *conn, int rc, const char *path, const char *what, rv_error *err);
int rv_sqlite_busy_ms(const rv_env *env);

/* Looks at an existing file without writing to it or beside it where that can be avoided.
 * *out RV_DB_EMPTY also for an empty file. */
rv_status rv_sqlite_recognise(const rv_env *env, const char *path, rv_db_content *out,
                              rv_error *err);
/* The same over an open connection. Result code of SQLite. */
int rv_sqlite_content(sqlite3 *conn, rv_db_content *out);
rv_status rv_sqlite_foreign(const char *path, rv_error *err);

#endif
