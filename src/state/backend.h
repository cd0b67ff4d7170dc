/* state/backend.h: what a database must offer to keep Rivet's state. The statements are written
 * once, in SQL that SQLite and PostgreSQL both understand (ON CONFLICT, RETURNING, `?` for
 * parameters, which a backend rewrites when its server wants another spelling).
 * Errors: a failure that may pass is RV_E_STATE_UNREACHABLE with a retry class other than P;
 * the callers repeat it. RV_E_STATE_DAMAGED, _FOREIGN and _NEWER are final.
 * Threads: one at a time; rv_state holds the lock.
 * Source: spec "lifecycle" section 4. */
#ifndef RV_STATE_BACKEND_H
#define RV_STATE_BACKEND_H

#include "base/env.h"

typedef enum rv_val_kind { RV_VAL_NULL, RV_VAL_INT, RV_VAL_TEXT, RV_VAL_BLOB } rv_val_kind;
typedef struct rv_val {
    rv_val_kind kind;
    int64_t i;
    rv_bytes b; /* TEXT, BLOB: borrowed */
} rv_val;

static inline rv_val rv_val_null(void)
{
    return (rv_val){.kind = RV_VAL_NULL};
}
static inline rv_val rv_val_int(int64_t i)
{
    return (rv_val){.kind = RV_VAL_INT, .i = i};
}
/* -1 stands for an unknown number. */
static inline rv_val rv_val_known(int64_t i)
{
    return i == -1 ? rv_val_null() : rv_val_int(i);
}
static inline rv_val rv_val_text(const char *s)
{
    return s ? (rv_val){.kind = RV_VAL_TEXT, .b = rv_str_bytes(rv_str_c(s))} : rv_val_null();
}
static inline rv_val rv_val_blob(rv_bytes b)
{
    return (rv_val){.kind = RV_VAL_BLOB, .b = b};
}

/* Before another try. Not cut short by a stop request: an interrupted run must still be
 * recorded. */
static inline void rv_db_pause_us(int64_t us)
{
    bool slept = rv_cancel_sleep_us(NULL, us);
    (void)slept;
}

typedef struct rv_db rv_db;
typedef struct rv_rows rv_rows; /* the answer of one statement; belongs to the rv_db */

typedef enum rv_db_content {
    RV_DB_EMPTY,  /* no table at all */
    RV_DB_RIVET,  /* schema_version with a rivet_version column */
    RV_DB_FOREIGN /* anything else */
} rv_db_content;

typedef enum rv_tx_mode {
    RV_TX_READ,  /* one snapshot, no writes */
    RV_TX_WRITE, /* beside other writers: each statement sees what they have committed */
    RV_TX_ALONE  /* no other writer from the first statement to the end */
} rv_tx_mode;

typedef struct rv_backend {
    const char *name; /* "sqlite", "postgres" */
    /* location: an absolute path or a URL; creates nothing but an empty database, and only when
     * `create`. *out is NULL (and RV_OK) when it does not exist and may not be created. A foreign
     * database fails with RV_E_STATE_FOREIGN and is left as it was found. */
    rv_status (*open)(const rv_env *env, const char *location, bool create, rv_db **out,
                      rv_error *err);
    void (*close)(rv_db *db);
    /* Inside a transaction or not: what the connected database holds. */
    rv_status (*content)(rv_db *db, rv_db_content *out, rv_error *err);
    /* Where it is, for people: a path, or host:port/database. No secret is in it. */
    const char *(*place)(const rv_db *db);
    /* Keeps a copy of a file beside it before a migration from version `from`. */
    rv_status (*backup)(rv_db *db, int64_t from, rv_error *err);
    /* Runs one statement that returns nothing. */
    rv_status (*exec)(rv_db *db, const char *sql, rv_error *err);
    /* *out is owned by db; rows_end gives it back. */
    rv_status (*query)(rv_db *db, const char *sql, const rv_val *params, size_t n, rv_rows **out,
                       rv_error *err);
    rv_status (*next)(rv_rows *r, bool *out_row, rv_error *err);
    size_t (*columns)(const rv_rows *r);
    const char *(*column)(const rv_rows *r, size_t i); /* name; valid until rows_end */
    rv_val (*value)(const rv_rows *r, size_t i);       /* borrowed until the next `next` */
    void (*rows_end)(rv_rows *r);
    int64_t (*affected)(const rv_db *db); /* rows touched by the last statement */
    /* After a failure no transaction is open. */
    rv_status (*begin)(rv_db *db, rv_tx_mode mode, rv_error *err);
    rv_status (*commit)(rv_db *db, rv_error *err);
    void (*rollback)(rv_db *db);
    /* Within a transaction: the instant the lease is measured by. */
    rv_status (*now_us)(rv_db *db, int64_t *out, rv_error *err);
    /* Rows with ids of their own were inserted: the next id comes after them. */
    rv_status (*ids)(rv_db *db, const char *table, rv_error *err);
} rv_backend;

extern const rv_backend rv_backend_sqlite, rv_backend_postgres;

#endif
