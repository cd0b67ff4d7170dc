#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "state/postgres/postgres_internal.h"

#define CONNECT_US INT64_C(10000000)
#define FIRST_TRIES 5
#define PATIENCE_US INT64_C(60000000)
#define HASTE_US INT64_C(5000000) /* once the user has asked to stop */
#define LONGEST_PAUSE_US INT64_C(2000000)

static int64_t patience_us(const rv_db *db)
{
#ifdef RV_FAULTS
    const char *text = rv_env_get(db->env, "RIVET_STATE_PATIENCE_MS");
    int64_t ms;
    if (text && rv_str_i64(rv_str_c(text), &ms) && ms >= 0 && ms <= PATIENCE_US / 1000)
        return ms * 1000;
#else
    (void)db;
#endif
    return PATIENCE_US;
}

typedef struct meaning {
    const char *sqlstate; /* its beginning */
    rv_status code;
    rv_retry retry;
    const char *hint;
} meaning;

static const meaning meanings[] = {
    {"53100", RV_E_STATE_UNREACHABLE, RV_RETRY_R, "free some space on the server"},
    /* a standby, or a server just being demoted: the next connection may find the primary */
    {"25006", RV_E_STATE_UNREACHABLE, RV_RETRY_N,
     "the state needs the primary server: name it, or add target_session_attrs=read-write"},
    /* two at once; the second try finds what the first one stored */
    {"23505", RV_E_STATE_UNREACHABLE, RV_RETRY_D, ""},
    {"42501", RV_E_STATE_PERMISSION, RV_RETRY_P,
     "grant this role the schema of the state: USAGE, CREATE, and its tables"},
    {"28", RV_E_STATE_PERMISSION, RV_RETRY_P, "check user and password in RIVET_STATE_URL"},
    {"3D000", RV_E_STATE_URL, RV_RETRY_P, "create the database, with ENCODING 'UTF8'"},
    {"42P01", RV_E_STATE_DAMAGED, RV_RETRY_P, "a table of the state is missing"},
    {"42703", RV_E_STATE_DAMAGED, RV_RETRY_P, "a table of the state was altered"},
    {"3F000", RV_E_STATE_DAMAGED, RV_RETRY_P, "the schema of the state is missing"},
    {"XX00", RV_E_STATE_DAMAGED, RV_RETRY_P, "see the server's log"},
};

static const meaning *meaning_of(const char *sqlstate)
{
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (strncmp(sqlstate, meanings[i].sqlstate, strlen(meanings[i].sqlstate)) == 0)
            return &meanings[i];
    return NULL;
}

/* `connecting`: what then cannot pass lies in what was asked for. */
static rv_status code_of(const rv_error *why, bool connecting)
{
    if (why->code == RV_E_MEMORY || why->code == RV_E_SOURCE_TLS ||
        why->code == RV_E_STATE_UNREACHABLE)
        return why->code;
    if (why->code == RV_E_SOURCE_AUTH)
        return RV_E_STATE_PERMISSION;
    if (why->retry != RV_RETRY_P)
        return RV_E_STATE_UNREACHABLE;
    return connecting ? RV_E_STATE_URL : RV_E_INTERNAL;
}

static bool of_no_use(rv_retry retry)
{
    return retry == RV_RETRY_N || retry == RV_RETRY_C || retry == RV_RETRY_T;
}

rv_status rv_pgstate_failed(rv_db *db, const rv_error *why, rv_error *err)
{
    rv_error local = *why;
    const meaning *m = meaning_of(why->native);
    local.code = m ? m->code : code_of(why, !db->conn);
    local.retry = m ? m->retry : why->retry;
    if (m && m->hint[0])
        rv_hint(&local, "%s", m->hint);
    if (db->conn && (of_no_use(local.retry) || PQstatus(rv_pg_libpq(db->conn)) != CONNECTION_OK)) {
        if (local.code == RV_E_INTERNAL)
            local.code = RV_E_STATE_UNREACHABLE;
        if (local.code == RV_E_STATE_UNREACHABLE && local.retry == RV_RETRY_P)
            local.retry = RV_RETRY_N;
        rv_pgstate_disconnect(db);
    }
    if (err)
        *err = local;
    return local.code;
}

void rv_pgstate_disconnect(rv_db *db)
{
    rv_pg_close(db->conn);
    db->conn = NULL;
    db->in_tx = false;
}

/* ---- connecting ---- */

static bool require_tls(const rv_db *db)
{
    const char *text = rv_env_get(db->env, "RIVET_REQUIRE_TLS");
    return text && strcmp(text, "1") == 0;
}

static bool plaintext_written(const rv_db *db)
{
    bool written = false;
    for (size_t i = 0; i < db->n_params; i++)
        if (strcmp(db->params[i].key, "sslmode") == 0)
            written = strcmp(db->params[i].value, "disable") == 0;
    return written;
}

/* Positions and cursor values travel: said once for each opened state. */
static void warn_plaintext(const rv_db *db)
{
    if (!db->opened && !rv_pg_loopback(db->conn) && strcmp(rv_pg_tls(db->conn), "off") == 0 &&
        !plaintext_written(db))
        RV_LOG_WARN(db->env, "the connection to the state database '%s' is not encrypted",
                    db->place);
}

/* Names the place before and after it is known better. */
static void name_place(rv_db *db)
{
    const char *database = PQdb(rv_pg_libpq(db->conn));
    snprintf(db->place, sizeof db->place, "%s/%s", rv_pg_host_port(db->conn),
             database ? database : "");
}

static rv_status connect_once(rv_db *db, rv_error *err)
{
    rv_error why = {0};
    const rv_pg_opts opts = {.params = db->params,
                             .n_params = db->n_params,
                             .application_name = "rivet/state",
                             .what = "the state database",
                             .connect_timeout_us = CONNECT_US,
                             .connect_code = RV_E_STATE_UNREACHABLE,
                             .require_tls = require_tls(db)};
    if (rv_pg_open(&db->quiet, &opts, &db->conn, &why) != RV_OK) {
        db->conn = NULL;
        if (why.code == RV_E_SOURCE_TLS && opts.require_tls && !why.hint[0])
            rv_hint(&why, "RIVET_REQUIRE_TLS=1 refuses a state that is remote and plaintext; turn "
                          "TLS on at the server");
        return rv_pgstate_failed(db, &why, err);
    }
    name_place(db);
    warn_plaintext(db);
    db->opened = true;
    db->away_since_us = 0;
    return RV_OK;
}

static bool may_pass(rv_status st, const rv_error *err)
{
    return st == RV_E_STATE_UNREACHABLE && err->retry != RV_RETRY_P;
}

/* The server was never seen: whoever waits for it wants to know soon. */
static rv_status connect_first(rv_db *db, rv_error *err)
{
    for (unsigned n = 0;; n++) {
        rv_error_clear(err);
        rv_status st = connect_once(db, err);
        if (st == RV_OK || !may_pass(st, err) || n + 1 == FIRST_TRIES)
            return st;
        bool full = err->retry == RV_RETRY_C;
        rv_db_pause_us(full ? LONGEST_PAUSE_US : INT64_C(20000) << (2 * n));
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A running export has work to lose: the server gets a minute to come back, counted from when it
 * was first missed, whoever of the run missed it. Afterwards each call asks once. */
static rv_status connect_again(rv_db *db, rv_error *err)
{
    int64_t pause = 100000, now = rv_clock_mono_us(), hurried = INT64_MAX;
    if (db->away_since_us == 0)
        db->away_since_us = now;
    for (;;) {
        rv_error_clear(err);
        rv_status st = connect_once(db, err);
        if (st == RV_OK || !may_pass(st, err))
            return st;
        now = rv_clock_mono_us();
        if (rv_cancel_raised(db->env->cancel))
            hurried = earlier(hurried, now + HASTE_US);
        if (now + pause > earlier(hurried, db->away_since_us + patience_us(db))) {
            err->retry = RV_RETRY_P; /* waiting again would not be a try but an hour */
            return rv_wrap(err, st, "the state database '%s' has been away for %lld s", db->place,
                           (long long)((now - db->away_since_us) / 1000000));
        }
        rv_db_pause_us(pause);
        pause = earlier(pause * 2, LONGEST_PAUSE_US);
    }
}

rv_status rv_pgstate_connect(rv_db *db, rv_error *err)
{
    rv_error local = {0};
    if (db->conn && PQstatus(rv_pg_libpq(db->conn)) == CONNECTION_OK)
        return RV_OK;
    rv_pgstate_disconnect(db);
    rv_status st = db->opened ? connect_again(db, &local) : connect_first(db, &local);
    if (st != RV_OK && err)
        *err = local;
    return st;
}
