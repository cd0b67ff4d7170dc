/* state/postgres/postgres_internal.h: what the files of the PostgreSQL backend share.
 * Nothing survives a transaction: every setting is SET LOCAL, every lock ends with it, nothing is
 * prepared; so a transaction pooler in between changes nothing.
 * Isolation: readers see one snapshot; writers READ COMMITTED, where each statement sees what was
 * committed before it, and rely on the row lock of the run (rv_st_lease), on unique indexes, and,
 * for whoever must be alone, on an advisory lock that every writer shares.
 * Source: spec "lifecycle" sections 4, 9, 10; "source-safety" section 7. */
#ifndef RV_STATE_POSTGRES_INTERNAL_H
#define RV_STATE_POSTGRES_INTERNAL_H

#include "pg/pg.h"
#include "state/backend.h"

#define RV_TARGET "state"

struct rv_rows {
    PGresult *result;
    int row;      /* -1 before the first `next` */
    rv_buf bytes; /* the row's BYTEA values, decoded, one behind the other */
};

struct rv_db {
    const rv_env *env; /* the caller's */
    rv_env quiet;      /* without cancel: an interrupted run must still be recorded */
    rv_arena arena;
    const rv_pg_param *params;
    size_t n_params;
    rv_pg *conn;        /* NULL while the server is away */
    const char *schema; /* NULL until chosen */
    const char *begin[3];
    char place[256];       /* host:port/database, for people */
    bool opened;           /* was reachable once: an outage is waited for */
    int64_t away_since_us; /* monotonic; 0: not away */
    bool in_tx;
    int64_t now_us; /* of the open transaction */
    int64_t affected;
};

/* ---- statements ---- */

/* `?` outside of literals becomes $1, $2, ... */
rv_status rv_pgstate_placeholders(const char *sql, rv_buf *out, rv_error *err) RV_MUST_USE;
/* A statement of the schema, whose types are SQLite's, in PostgreSQL's. */
rv_status rv_pgstate_ddl(const char *sql, rv_buf *out, rv_error *err) RV_MUST_USE;
rv_status rv_pgstate_query(rv_db *db, const char *sql, const rv_val *params, size_t n,
                           rv_rows **out, rv_error *err) RV_MUST_USE;
rv_status rv_pgstate_next(rv_rows *r, bool *out_row, rv_error *err) RV_MUST_USE;
rv_val rv_pgstate_value(const rv_rows *r, size_t i);
void rv_pgstate_rows_end(rv_rows *r);
/* A simple query; *out may be NULL. */
rv_status rv_pgstate_simple(rv_db *db, const char *sql, PGresult **out, rv_error *err) RV_MUST_USE;

/* ---- connection ---- */

/* Connected afterwards. The first time it gives up soon; later it waits for a minute. */
rv_status rv_pgstate_connect(rv_db *db, rv_error *err) RV_MUST_USE;
void rv_pgstate_disconnect(rv_db *db);
/* The state's view of a failure of src/pg; drops a connection that is of no more use. */
rv_status rv_pgstate_failed(rv_db *db, const rv_error *why, rv_error *err) RV_MUST_USE;

/* ---- where the tables are ---- */

/* Chooses the schema, creating `rivet` when it is missing, `create` is set and the role may.
 * *out what it holds; `schema` stays NULL when there is none and none may be created. */
rv_status rv_pgstate_place(rv_db *db, bool create, rv_db_content *out, rv_error *err) RV_MUST_USE;
rv_status rv_pgstate_content(rv_db *db, const char *schema, rv_db_content *out,
                             rv_error *err) RV_MUST_USE;
/* The texts that open transactions, by rv_tx_mode, for the chosen schema. */
rv_status rv_pgstate_prepare(rv_db *db, rv_error *err) RV_MUST_USE;

#endif
