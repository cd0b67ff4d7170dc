#include "source/sql/name.h"
#include "source/sqlite/relation_internal.h"

static void interrupt(rv_source *s)
{
    atomic_store(&s->cancelled, true);
    sqlite3_interrupt(s->db);
}

static const rv_source_info *info(rv_source *s)
{
    return &s->info;
}

/* SQLite's clock is the host's. */
static rv_status now(rv_source *s, int64_t *out_us, rv_error *err)
{
    (void)err;
    *out_us = rv_env_now_us(s->env);
    return RV_OK;
}

static rv_status exec(rv_source *s, const char *sql, const char *what, rv_error *err)
{
    RV_TRY(rv_sq_check(s, err));
    rv_sq_arm(s, 0);
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    rv_sq_disarm(s);
    return rc == SQLITE_OK ? RV_OK : rv_sq_fail(s, rc, what, err);
}

/* BEGIN alone is deferred: the first read pins the instant. */
static rv_status snapshot_begin(rv_source *const *s, size_t n, rv_error *err)
{
    const char *what = "opening a snapshot";
    if (n > 1)
        return rv_fail(err, RV_E_SOURCE_SNAPSHOT,
                       "SQLite: a snapshot belongs to one connection, not to %zu", n);
    RV_TRY(exec(s[0], "BEGIN", what, err));
    rv_status st = exec(s[0], "SELECT 1 FROM sqlite_master LIMIT 1", what, err);
    if (st != RV_OK)
        (void)sqlite3_exec(s[0]->db, "ROLLBACK", NULL, NULL, NULL);
    return st;
}

static rv_status snapshot_end(rv_source *s, rv_error *err)
{
    if (sqlite3_get_autocommit(s->db))
        return RV_OK;
    int rc = sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return rc == SQLITE_OK ? RV_OK : rv_sq_fail(s, rc, "ending the snapshot", err);
}

static rv_status quote(const char *ident, rv_buf *out, rv_error *err)
{
    return rv_sql_quote(rv_str_c(ident), '"', '"', out, err);
}

const rv_source_driver rv_source_sqlite = {
    .abi = RV_SOURCE_ABI,
    .engine = RV_ENGINE_SQLITE,
    .name = "sqlite",
    .display = "Sqlite",
    .open = rv_sq_open,
    .close = rv_sq_close,
    .interrupt = interrupt,
    .info = info,
    .resolve = rv_sq_resolve,
    .recheck = rv_sq_recheck,
    .scan = rv_sq_scan,
    .next = rv_sq_next,
    .scan_end = rv_sq_scan_end,
    .scan_close = rv_sq_scan_close,
    .bounds = rv_sq_bounds,
    .nth = rv_sq_nth,
    .count = rv_sq_count,
    .cuts = rv_sq_cuts,
    .now = now,
    .instant = rv_sq_instant,
    .datum_parse = rv_sq_datum_parse,
    .datum_day = rv_sq_datum_day,
    .snapshot_begin = snapshot_begin,
    .snapshot_end = snapshot_end,
    .facts = rv_sq_facts,
    .catalog = rv_sq_catalog,
    .quote = quote,
};
