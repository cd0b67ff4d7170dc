/* state/state_internal.h: what the files of this room share: transactions, rows, the lease.
 * rv_st_* run inside a transaction (or read) that the caller holds; rv_state_* take the lock. */
#ifndef RV_STATE_STATE_INTERNAL_H
#define RV_STATE_STATE_INTERNAL_H

#include <pthread.h>

#include "base/clock.h"
#include "state/backend.h"
#include "state/state.h"

#define RV_LEASE_MAX_AGE_US INT64_C(120000000)

struct rv_state {
    const rv_env *env;
    const rv_backend *backend;
    rv_db *db;
    pthread_mutex_t lock;
    char *project;
    char *location;
    char label[64];
};

#define RV_PARAMS(...)                                                                             \
    ((const rv_val[]){__VA_ARGS__}), (sizeof((const rv_val[]){__VA_ARGS__}) / sizeof(rv_val))
#define RV_NO_PARAMS NULL, 0

/* ---- transactions (tx.c) ---- */

typedef struct rv_tx {
    const char *name; /* kill points "state-<name>-before", "state-<name>" and "...-after" */
    rv_status (*body)(rv_state *s, void *ctx, rv_error *err);
    /* After a COMMIT without an answer: did it happen? NULL: the body may simply run again. */
    rv_status (*settled)(rv_state *s, void *ctx, bool *out, rv_error *err);
    void *ctx;
    bool alone; /* no other writer meanwhile: what is read stays true until the end */
} rv_tx;
rv_status rv_state_write(rv_state *s, const rv_tx *tx, rv_error *err) RV_MUST_USE;
rv_status rv_state_read(rv_state *s, rv_status (*body)(rv_state *s, void *ctx, rv_error *err),
                        void *ctx, rv_error *err) RV_MUST_USE;
/* The same without the lock: opening and migrating. */
rv_status rv_st_write(rv_state *s, const rv_tx *tx, rv_error *err) RV_MUST_USE;
rv_status rv_st_read(rv_state *s, rv_status (*body)(rv_state *s, void *ctx, rv_error *err),
                     void *ctx, rv_error *err) RV_MUST_USE;
/* True when the failure may pass; waits the pause before try `n` + 1 (from 0). */
bool rv_st_try_again(const rv_error *err, rv_status st, unsigned n);

/* ---- statements (rows.c) ---- */

/* Runs a statement to its end; *out_affected may be NULL. */
rv_status rv_st_run(rv_state *s, const char *sql, const rv_val *params, size_t n,
                    int64_t *out_affected, rv_error *err) RV_MUST_USE;
/* First value of the first row; *out_found false without a row. */
rv_status rv_st_int(rv_state *s, const char *sql, const rv_val *params, size_t n, int64_t *out,
                    bool *out_found, rv_error *err) RV_MUST_USE;

typedef enum rv_field_kind {
    RV_FIELD_TEXT,  /* const char * */
    RV_FIELD_I64,   /* int64_t, NULL reads as 0 */
    RV_FIELD_KNOWN, /* int64_t, -1 = NULL */
    RV_FIELD_TRI,   /* int, -1 = NULL */
    RV_FIELD_BOOL,  /* bool */
    RV_FIELD_CHARS  /* char[size], cut */
} rv_field_kind;
typedef struct rv_field {
    rv_field_kind kind;
    size_t offset, size;
} rv_field;
#define RV_MEMBER_SIZE(type, m) sizeof(((type *)NULL)->m)
#define RV_F_TEXT(type, m)                                                                         \
    {                                                                                              \
        RV_FIELD_TEXT, offsetof(type, m), 0                                                        \
    }
#define RV_F_I64(type, m)                                                                          \
    {                                                                                              \
        RV_FIELD_I64, offsetof(type, m), 0                                                         \
    }
#define RV_F_KNOWN(type, m)                                                                        \
    {                                                                                              \
        RV_FIELD_KNOWN, offsetof(type, m), 0                                                       \
    }
#define RV_F_TRI(type, m)                                                                          \
    {                                                                                              \
        RV_FIELD_TRI, offsetof(type, m), 0                                                         \
    }
#define RV_F_BOOL(type, m)                                                                         \
    {                                                                                              \
        RV_FIELD_BOOL, offsetof(type, m), 0                                                        \
    }
#define RV_F_CHARS(type, m)                                                                        \
    {                                                                                              \
        RV_FIELD_CHARS, offsetof(type, m), RV_MEMBER_SIZE(type, m)                                 \
    }

/* A structure as parameters, in the order of the fields. */
void rv_st_bind(const rv_field *fields, size_t n, const void *row, rv_val *out);

typedef struct rv_select {
    const char *sql; /* its columns in the order of the fields */
    const rv_val *params;
    size_t n_params;
    const rv_field *fields;
    size_t n_fields, row_size;
    rv_arena *arena; /* rows and texts live here */
} rv_select;
rv_status rv_st_select(rv_state *s, const rv_select *q, void **out_rows, size_t *out_n,
                       rv_error *err) RV_MUST_USE;
rv_status rv_state_select(rv_state *s, const rv_select *q, void **out_rows, size_t *out_n,
                          rv_error *err) RV_MUST_USE;
/* The first row copied into *out. */
rv_status rv_st_select_one(rv_state *s, const rv_select *q, void *out, bool *out_found,
                           rv_error *err) RV_MUST_USE;
/* A value as text in the arena; NULL for SQL NULL. */
rv_status rv_st_text(const rv_val *v, rv_arena *a, const char **out, rv_error *err) RV_MUST_USE;

/* ---- clock, redaction ---- */

rv_status rv_st_now(rv_state *s, char out[RV_RFC3339_SIZE], rv_error *err) RV_MUST_USE;
/* *out: the redacted copy in buf, or NULL for NULL. */
rv_status rv_st_redact(rv_state *s, const char *text, rv_buf *buf, const char **out,
                       rv_error *err) RV_MUST_USE;

/* ---- many rows (bulk.c) ---- */

/* INSERTs of many rows in few statements. Values are copied by add. */
typedef struct rv_bulk {
    rv_state *s;
    const char *head; /* "INSERT INTO t (a, b) VALUES ", borrowed */
    size_t columns, rows, room;
    rv_val *values;
    rv_arena texts;
    rv_buf sql;
} rv_bulk;
rv_status rv_bulk_begin(rv_state *s, const char *head, size_t columns, rv_bulk *out,
                        rv_error *err) RV_MUST_USE;
rv_status rv_bulk_add(rv_bulk *b, const rv_val *row, rv_error *err) RV_MUST_USE;
rv_status rv_bulk_flush(rv_bulk *b, rv_error *err) RV_MUST_USE;
void rv_bulk_end(rv_bulk *b); /* also of a zeroed one */

/* ---- lease (run.c) ---- */

/* Locks the run's row for this transaction: RV_E_STATE_LEASE_LOST unless it is open with this
 * epoch. Written as an UPDATE, so that a server locks the row too. */
rv_status rv_st_lease(rv_state *s, const rv_lease *l, rv_error *err) RV_MUST_USE;
/* The lease, then one statement; *out_affected may be NULL. */
typedef struct rv_leased {
    const char *name;
    const rv_lease *lease;
    const char *sql;
    const rv_val *params;
    size_t n;
} rv_leased;
rv_status rv_state_leased(rv_state *s, const rv_leased *w, int64_t *out_affected,
                          rv_error *err) RV_MUST_USE;
/* RV_E_STATE_LEASE when an open run of the export (NULL: of any, in every project) is not dead.
 * Holds until the end of a transaction that is alone. */
rv_status rv_st_no_live_lease(rv_state *s, const char *export_name, rv_error *err) RV_MUST_USE;

/* ---- units (unit.c) ---- */

typedef struct rv_unit_name {
    rv_unit_kind kind;
    int64_t range; /* keyset: 0 unless "keyset{R}-{N}" */
    int64_t index; /* chunk or keyset unit */
} rv_unit_name;
/* False when the name is none of the four shapes. */
bool rv_unit_parse(const char *unit, rv_unit_name *out);
rv_status rv_st_unit_done(rv_state *s, const rv_lease *l, const rv_unit_done *u,
                          rv_error *err) RV_MUST_USE;

/* ---- migrations (migrate.c) ---- */

rv_status rv_state_migrate(rv_state *s, rv_error *err) RV_MUST_USE;

/* ---- open (open.c) ---- */

/* Where a URL or the config's directory points: a path, or the URL as given, which may hold a
 * password. *out_path is the caller's (rv_free). */
rv_status rv_state_locate(const char *url, const char *config_dir, const rv_backend **out_backend,
                          char **out_path, rv_error *err) RV_MUST_USE;

#endif
