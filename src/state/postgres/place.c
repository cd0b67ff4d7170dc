#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "state/postgres/postgres_internal.h"

#define OWN_SCHEMA "rivet"
#define LOCK_SEED UINT64_C(0x7269766574) /* "rivet" */

static rv_status one_int(rv_db *db, const char *sql, const char *schema, int64_t *out,
                         rv_error *err)
{
    const rv_val param = rv_val_text(schema);
    rv_rows *rows;
    bool found = false;
    RV_TRY(rv_pgstate_query(db, sql, &param, schema ? 1 : 0, &rows, err));
    rv_status st = rv_pgstate_next(rows, &found, err);
    if (st == RV_OK)
        *out = found ? rv_pgstate_value(rows, 0).i : 0;
    rv_pgstate_rows_end(rows);
    return st;
}

#define TABLES_OF                                                                                  \
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "         \
    "WHERE n.nspname = ? AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname "

/* Other tables of the schema are no concern of ours, unless they bear our names. */
rv_status rv_pgstate_content(rv_db *db, const char *schema, rv_db_content *out, rv_error *err)
{
    int64_t ours = 0, taken = 0;
    RV_TRY(one_int(db,
                   "SELECT COUNT(*) FROM pg_catalog.pg_attribute a WHERE a.attname = "
                   "'rivet_version' AND NOT a.attisdropped AND a.attrelid IN "
                   "(SELECT c.oid " TABLES_OF "= 'schema_version')",
                   schema, &ours, err));
    RV_TRY(one_int(db,
                   "SELECT COUNT(*) " TABLES_OF
                   "IN ('schema_version', 'export_state', 'run_status', 'run_unit', 'chunk_run', "
                   "'chunk_task', 'keyset_range', 'file_log', 'export_metrics', 'export_schema', "
                   "'export_shape', 'export_progression', 'run_journal', 'run_aggregate', "
                   "'export_harm', 'cdc_state', 'cdc_snapshot')",
                   schema, &taken, err));
    *out = ours ? RV_DB_RIVET : taken ? RV_DB_FOREIGN : RV_DB_EMPTY;
    return RV_OK;
}

/* Key of the lock that whoever must be alone takes, and every other writer shares. */
static int64_t lock_key(const char *schema)
{
    uint64_t h = rv_xxh3(schema, strlen(schema)) ^ LOCK_SEED;
    int64_t key;
    memcpy(&key, &h, sizeof key);
    return key;
}

static rv_status quoted(const char *name, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_byte(out, '"', err));
    for (const char *p = name; *p; p++) {
        if (*p == '"')
            RV_TRY(rv_buf_add_byte(out, '"', err));
        RV_TRY(rv_buf_add_byte(out, (uint8_t)*p, err));
    }
    return rv_buf_add_byte(out, '"', err);
}

/* Where nothing can stay behind on a pooled server, everything is said each time. */
static rv_status begin_text(rv_db *db, rv_tx_mode mode, rv_error *err)
{
    rv_buf path = RV_BUF_INIT;
    const char *schema, **out = &db->begin[mode];
    rv_status st;
    RV_GO(quoted(db->schema, &path, err));
    schema = rv_buf_cstr(&path);
    if (!schema)
        RV_GO(rv_fail_memory(err));
    if (mode == RV_TX_READ)
        RV_GO(rv_arena_printf(&db->arena, out, err,
                              "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
                              "SET LOCAL search_path TO %s; "
                              "SET LOCAL bytea_output TO hex; "
                              "SET LOCAL statement_timeout TO 60000; "
                              "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint",
                              schema));
    else
        RV_GO(rv_arena_printf(&db->arena, out, err,
                              "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; "
                              "SET LOCAL search_path TO %s; "
                              "SET LOCAL bytea_output TO hex; "
                              "SET LOCAL statement_timeout TO 60000; "
                              "SET LOCAL lock_timeout TO 30000; "
                              "SET LOCAL idle_in_transaction_session_timeout TO 120000; "
                              "SET LOCAL synchronous_commit TO on; "
                              "SELECT pg_advisory_xact_lock%s(%" PRId64 "); "
                              "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint",
                              schema, mode == RV_TX_ALONE ? "" : "_shared", lock_key(db->schema)));
done:
    rv_buf_free(&path);
    return st;
}

rv_status rv_pgstate_prepare(rv_db *db, rv_error *err)
{
    RV_TRY(begin_text(db, RV_TX_READ, err));
    RV_TRY(begin_text(db, RV_TX_WRITE, err));
    return begin_text(db, RV_TX_ALONE, err);
}

/* ---- choosing ---- */

/* Other encodings would refuse or change names and cursor values. */
static rv_status check_encoding(rv_db *db, rv_error *err)
{
    int64_t utf8 = 0;
    RV_TRY(one_int(db,
                   "SELECT COUNT(*) FROM pg_catalog.pg_database WHERE datname = current_database() "
                   "AND pg_catalog.pg_encoding_to_char(encoding) = 'UTF8'",
                   NULL, &utf8, err));
    if (utf8)
        return RV_OK;
    (void)rv_fail(err, RV_E_STATE_URL, "the state database '%s' is not encoded in UTF8", db->place);
    rv_hint(err, "create a database with ENCODING 'UTF8' for the state");
    return RV_E_STATE_URL;
}

static rv_status current_schema(rv_db *db, const char **out, rv_error *err)
{
    rv_rows *rows;
    bool found = false;
    RV_TRY(rv_pgstate_query(db, "SELECT current_schema()::text", NULL, 0, &rows, err));
    rv_status st = rv_pgstate_next(rows, &found, err);
    rv_val v = st == RV_OK && found ? rv_pgstate_value(rows, 0) : rv_val_null();
    *out = NULL;
    if (st == RV_OK && v.kind == RV_VAL_TEXT)
        st = rv_arena_cstr(&db->arena, (rv_str){(const char *)v.b.ptr, v.b.len}, out, err);
    rv_pgstate_rows_end(rows);
    return st;
}

static rv_status closed(const rv_db *db, rv_error *err)
{
    (void)rv_fail(err, RV_E_STATE_PERMISSION, "schema '%s' of '%s' is closed to this role",
                  db->schema, db->place);
    rv_hint(err, "as its owner: GRANT USAGE, CREATE ON SCHEMA %s TO this_role", db->schema);
    return RV_E_STATE_PERMISSION;
}

static rv_status use(rv_db *db, const char *schema, rv_db_content *out, rv_error *err)
{
    int64_t open = 0;
    db->schema = schema;
    RV_TRY(rv_pgstate_prepare(db, err));
    /* a search path would quietly pass over it */
    RV_TRY(one_int(db,
                   "SELECT COUNT(*) FROM pg_catalog.pg_namespace WHERE nspname = ? AND "
                   "has_schema_privilege(oid, 'USAGE')",
                   schema, &open, err));
    if (!open)
        return closed(db, err);
    return rv_pgstate_content(db, schema, out, err);
}

static rv_status no_schema(const rv_db *db, rv_error *err)
{
    (void)rv_fail(err, RV_E_STATE_PERMISSION,
                  "the state database '%s' has no schema for the state, and this role may create "
                  "none",
                  db->place);
    rv_hint(err, "as its owner: CREATE SCHEMA " OWN_SCHEMA " AUTHORIZATION this_role");
    return RV_E_STATE_PERMISSION;
}

/* The lock keeps two first starts from both creating it, which one of them would see fail. */
static rv_status create_own(rv_db *db, rv_error *err)
{
    const char *sql = NULL;
    RV_TRY(rv_arena_printf(&db->arena, &sql, err,
                           "BEGIN READ WRITE; SET LOCAL lock_timeout TO 30000; "
                           "SET LOCAL client_min_messages TO error; "
                           "SELECT pg_advisory_xact_lock(%" PRId64 "); "
                           "CREATE SCHEMA IF NOT EXISTS " OWN_SCHEMA "; COMMIT",
                           lock_key(OWN_SCHEMA)));
    rv_status st = rv_pgstate_simple(db, sql, NULL, err);
    if (st != RV_OK && db->conn) {
        rv_status ended = rv_pgstate_simple(db, "ROLLBACK", NULL, NULL);
        if (ended != RV_OK)
            rv_pgstate_disconnect(db);
    }
    return st;
}

rv_status rv_pgstate_place(rv_db *db, bool create, rv_db_content *out, rv_error *err)
{
    int64_t own = 0, may = 0;
    const char *first = NULL;
    rv_db_content there = RV_DB_EMPTY;
    *out = RV_DB_EMPTY;
    RV_TRY(check_encoding(db, err));
    RV_TRY(one_int(db, "SELECT COUNT(*) FROM pg_catalog.pg_namespace WHERE nspname = ?", OWN_SCHEMA,
                   &own, err));
    if (own)
        return use(db, OWN_SCHEMA, out, err);
    RV_TRY(current_schema(db, &first, err));
    if (first)
        RV_TRY(rv_pgstate_content(db, first, &there, err));
    RV_TRY(one_int(db, "SELECT COUNT(*) WHERE has_database_privilege(current_database(), 'CREATE')",
                   NULL, &may, err));
    /* a state kept there since before the role might create schemas stays in use */
    if (first && (there == RV_DB_RIVET || !may))
        return use(db, first, out, err);
    if (!create)
        return RV_OK;
    if (!may)
        return no_schema(db, err);
    RV_TRY(create_own(db, err));
    return use(db, OWN_SCHEMA, out, err);
}
