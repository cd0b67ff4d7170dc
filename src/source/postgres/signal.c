#include <string.h>

#include "source/postgres/postgres_internal.h"

#define WAITER_SQL_CHARS 80

/* Statistics are frozen at their first reading within a transaction. */
#define FRESH "SELECT pg_stat_clear_snapshot(); "

static rv_status choose_checkpoints(rv_source *s, rv_error *err)
{
    PGresult *r = NULL;
    if (s->checkpoints_sql)
        return RV_OK;
    RV_TRY(rv_pgs_ask_optional(s, "SELECT to_regclass('pg_catalog.pg_stat_checkpointer') IS NULL",
                               "looking for the checkpoint counter", &r, err));
    bool old = PQntuples(r) == 1 && strcmp(PQgetvalue(r, 0, 0), "t") == 0;
    PQclear(r);
    s->checkpoints_sql = old ? FRESH "SELECT checkpoints_req FROM pg_catalog.pg_stat_bgwriter"
                             : FRESH "SELECT num_requested FROM pg_catalog.pg_stat_checkpointer";
    return RV_OK;
}

/* Checkpoints that were asked for before their time: reading alone never causes one. */
rv_status rv_pgs_signal(rv_source *s, rv_signal which, int64_t *out, rv_error *err)
{
    (void)which; /* both ask the same of PostgreSQL */
    const char *what = "reading the checkpoint counter";
    PGresult *r = NULL;
    RV_TRY(choose_checkpoints(s, err));
    RV_TRY(rv_pgs_ask_optional(s, s->checkpoints_sql, what, &r, err));
    int64_t value = PQntuples(r) == 1 ? rv_pgs_int(r, 0, 0, -1) : -1;
    PQclear(r);
    if (value < 0)
        return rv_fail(err, RV_E_SOURCE_QUERY, "%s: the server gives no number", what);
    *out = value;
    return RV_OK;
}

rv_status rv_pgs_counters(rv_source *s, rv_arena *arena, rv_counter **out, size_t *out_n,
                          rv_error *err)
{
    static const char *const names[] = {"pg_temp_bytes", "pg_temp_files", "pg_blks_read",
                                        "pg_deadlocks",  "pg_conflicts",  "pg_checkpoints_req"};
    const size_t n_database = 5;
    rv_counter *list = NULL;
    PGresult *r = NULL;
    size_t n = 0;
    RV_TRY(rv_arena_array(arena, sizeof names / sizeof names[0], sizeof *list, &list, err));
    RV_TRY(rv_pgs_ask_optional(
        s,
        FRESH "SELECT temp_bytes, temp_files, blks_read, deadlocks, conflicts "
              "FROM pg_catalog.pg_stat_database WHERE datname = current_database()",
        "reading the database's counters", &r, err));
    for (size_t i = 0; i < n_database && PQntuples(r) == 1; i++) {
        int64_t value = rv_pgs_int(r, 0, (int)i, -1);
        if (value >= 0)
            list[n++] = (rv_counter){names[i], value};
    }
    PQclear(r);
    rv_counter *checkpoints = &list[n];
    checkpoints->name = names[n_database];
    if (rv_pgs_signal(s, RV_SIGNAL_PRESSURE, &checkpoints->value, NULL) == RV_OK)
        n++;
    else if (rv_pg_interrupted(s->pg))
        return rv_fail(err, RV_E_INTERRUPTED, "reading the server's counters: interrupted");
    *out = list;
    *out_n = n;
    return RV_OK;
}

int64_t rv_pgs_session(rv_source *s)
{
    return atomic_load(&s->held_session);
}

/* Ungranted locks name the sessions worth asking about: pg_blocking_pids is too dear for all. */
rv_status rv_pgs_waiter(rv_source *s, int64_t session, rv_arena *arena, const char **out_waiter,
                        rv_error *err)
{
    const char *sql = NULL, *name = NULL, *pid = NULL, *query = NULL;
    PGresult *r = NULL;
    rv_status st;
    RV_TRY(rv_arena_printf(
        arena, &sql, err,
        "SELECT w.pid, coalesce(nullif(a.application_name, ''), a.usename::text, 'a session'), "
        "left(regexp_replace(a.query, '\\s+', ' ', 'g'), %d) "
        "FROM (SELECT DISTINCT pid FROM pg_catalog.pg_locks WHERE NOT granted AND pid IS NOT NULL) "
        "AS w LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = w.pid "
        "WHERE %lld = ANY (pg_catalog.pg_blocking_pids(w.pid)) ORDER BY a.query_start LIMIT 1",
        WAITER_SQL_CHARS, (long long)session));
    RV_TRY(rv_pgs_ask_optional(s, sql, "looking for sessions that wait", &r, err));
    st = RV_OK;
    if (PQntuples(r) == 0) {
        *out_waiter = NULL;
        goto done;
    }
    RV_GO(rv_pgs_text(r, 0, 0, arena, &pid, err));
    RV_GO(rv_pgs_text(r, 0, 1, arena, &name, err));
    RV_GO(rv_pgs_text(r, 0, 2, arena, &query, err));
    RV_GO(rv_arena_printf(arena, out_waiter, err, "%s (pid %s)%s%s", name, pid,
                          query && query[0] ? ": " : "", query ? query : ""));
done:
    PQclear(r);
    return st;
}
