#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "source/postgres/postgres_internal.h"
#include "source/sql/name.h"

#define CONNECT_TIMEOUT_US 15000000
#define SAVEPOINT "_rivet_optional"

/* Everything that may change a value or write, for one transaction only. */
static const char pins[] = "SET LOCAL transaction_read_only=on; "
                           "SET LOCAL TimeZone='UTC'; "
                           "SET LOCAL DateStyle='ISO, YMD'; "
                           "SET LOCAL IntervalStyle='iso_8601'; "
                           "SET LOCAL bytea_output='hex'; "
                           "SET LOCAL extra_float_digits=3; ";

rv_status rv_pgs_opening(const rv_source *s, bool allow_row_security, int64_t statement_ms,
                         rv_buf *out, rv_error *err)
{
    int64_t limit = statement_ms < 0 ? s->timeout_ms : statement_ms;
    rv_pg_set_limit(s->pg, limit);
    RV_TRY(rv_buf_add_c(out, s->comment, err));
    RV_TRY(rv_buf_add_c(out, s->settings, err));
    /* said either way: inside a snapshot the statement before may have said otherwise */
    return rv_buf_printf(out, err,
                         "SET LOCAL row_security=%s; SET LOCAL statement_timeout=%lld; "
                         "SET LOCAL lock_timeout=%lld; ",
                         allow_row_security ? "on" : "off", (long long)limit,
                         (long long)s->lock_ms);
}

rv_status rv_pgs_ask(rv_source *s, const char *sql, const char *what, PGresult **out, rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_pgs_opening(s, false, -1, &text, err));
    RV_GO(rv_buf_add_c(&text, sql, err));
    RV_GO(rv_buf_reserve(&text, 1, err));
    st = rv_pg_query(s->pg, rv_buf_cstr(&text), 0, what, out, err);
done:
    rv_buf_free(&text);
    return st;
}

rv_status rv_pgs_say(rv_source *s, const char *sql, const char *what, rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_buf_printf(&text, err, "%s%s", s->comment, sql));
    RV_GO(rv_buf_add_byte(&text, 0, err));
    st = rv_pg_query(s->pg, (const char *)text.ptr, 0, what, NULL, err);
done:
    rv_buf_free(&text);
    return st;
}

rv_status rv_pgs_ask_optional(rv_source *s, const char *sql, const char *what, PGresult **out,
                              rv_error *err)
{
    if (PQtransactionStatus(rv_pg_libpq(s->pg)) == PQTRANS_IDLE)
        return rv_pgs_ask(s, sql, what, out, err);
    PGresult *r = NULL;
    RV_TRY(rv_pgs_say(s, "SAVEPOINT " SAVEPOINT, what, err));
    rv_status st = rv_pgs_ask(s, sql, what, &r, err);
    if (rv_pg_broken(s->pg))
        return st;
    /* also after success: the settings of the question end with it */
    rv_status ended =
        rv_pgs_say(s, "ROLLBACK TO SAVEPOINT " SAVEPOINT "; RELEASE SAVEPOINT " SAVEPOINT, what,
                   st == RV_OK ? err : NULL);
    st = st == RV_OK ? ended : st;
    if (st == RV_OK && out)
        *out = r;
    else
        PQclear(r);
    return st;
}

rv_status rv_pgs_text(const PGresult *r, int row, int col, rv_arena *a, const char **out,
                      rv_error *err)
{
    if (PQgetisnull(r, row, col)) {
        *out = NULL;
        return RV_OK;
    }
    rv_str value = {PQgetvalue(r, row, col), (size_t)PQgetlength(r, row, col)};
    return rv_arena_cstr(a, value, out, err);
}

int64_t rv_pgs_int(const PGresult *r, int row, int col, int64_t otherwise)
{
    int64_t value;
    if (PQgetisnull(r, row, col) || !rv_str_i64(rv_str_c(PQgetvalue(r, row, col)), &value))
        return otherwise;
    return value;
}

rv_status rv_pgs_now(rv_source *s, int64_t *out_us, rv_error *err)
{
    PGresult *r = NULL;
    /* whole seconds and the rest apart: before version 14 both are floating point */
    RV_TRY(rv_pgs_ask(s,
                      "SELECT extract(epoch FROM date_trunc('second', now()))::bigint * 1000000 + "
                      "extract(microseconds FROM now())::bigint % 1000000",
                      "reading the server's clock", &r, err));
    int64_t us = PQntuples(r) == 1 ? rv_pgs_int(r, 0, 0, INT64_MIN) : INT64_MIN;
    PQclear(r);
    if (us == INT64_MIN)
        return rv_fail(err, RV_E_SOURCE_QUERY, "the server's clock cannot be read");
    *out_us = us;
    return RV_OK;
}

/* ---- opening ---- */

static bool plaintext_written(const rv_pg_opts *pg)
{
    bool written = false;
    for (size_t i = 0; i < pg->n_params; i++)
        if (strcmp(pg->params[i].key, "sslmode") == 0)
            written = strcmp(pg->params[i].value, "disable") == 0;
    return written;
}

static void warn_plaintext(const rv_source *s, const rv_pg_opts *pg)
{
    if (!rv_pg_loopback(s->pg) && strcmp(rv_pg_tls(s->pg), "off") == 0 && !plaintext_written(pg))
        rv_log_once(s->env->log, RV_WARN, RV_TARGET,
                    "the connection to the source at %s is not encrypted; set source.tls, or "
                    "mode: disable to say that this is meant",
                    rv_pg_host_port(s->pg));
}

static rv_status connect_server(rv_source *s, const rv_source_opts *opts, rv_error *err)
{
    rv_pg_opts pg = {.what = "the source",
                     .connect_timeout_us = CONNECT_TIMEOUT_US,
                     .connect_code = RV_E_SOURCE_CONNECT};
    const char *require_tls = rv_env_get(s->env, "RIVET_REQUIRE_TLS");
    pg.require_tls = require_tls && strcmp(require_tls, "1") == 0;
    RV_TRY(rv_pgs_params(s->env, opts->cfg, &s->arena, &pg.params, &pg.n_params, err));
    RV_TRY(rv_arena_printf(&s->arena, &pg.application_name, err, "rivet/%s",
                           opts->export_name ? opts->export_name : "-"));
    rv_pg_close(s->pg);
    s->pg = NULL;
    RV_TRY(rv_pg_open(s->env, &pg, &s->pg, err));
    warn_plaintext(s, &pg);
    return RV_OK;
}

/* One backend per answer: the number the server gives, asked in two transactions. */
static rv_status detect_pooler(rv_source *s, rv_error *err)
{
    int64_t own = PQbackendPID(rv_pg_libpq(s->pg));
    int64_t pids[2];
    for (size_t i = 0; i < 2; i++) {
        PGresult *r = NULL;
        RV_TRY(rv_pgs_ask(s, "SELECT pg_backend_pid()", "detecting a pooler", &r, err));
        pids[i] = rv_pgs_int(r, 0, 0, 0);
        PQclear(r);
    }
    s->pooled = pids[0] != own || pids[1] != own;
    rv_pg_set_pooled(s->pg, s->pooled);
    return RV_OK;
}

/* A pool of statements closes the connection on BEGIN: open another and never say it again. */
static rv_status detect_statement_pool(rv_source *s, const rv_source_opts *opts, rv_error *err)
{
    const char *what = "detecting a pool of statements";
    if (!s->pooled)
        return RV_OK;
    rv_error begin;
    rv_error_clear(&begin);
    rv_status st = rv_pgs_say(s, "BEGIN", what, &begin);
    if (st == RV_OK)
        st = rv_pgs_say(s, "ROLLBACK", what, &begin);
    if (st == RV_OK)
        return RV_OK;
    if (st == RV_E_INTERRUPTED) {
        if (err)
            *err = begin;
        return st;
    }
    s->statement_pool = true;
    RV_TRY(connect_server(s, opts, err));
    rv_pg_set_pooled(s->pg, true);
    return RV_OK;
}

static rv_status server_identity(rv_source *s, const char **out, rv_error *err)
{
    PGresult *r = NULL;
    rv_error hidden;
    rv_error_clear(&hidden);
    rv_status st = rv_pgs_ask_optional(s, "SELECT system_identifier FROM pg_control_system()",
                                       "reading the server's identity", &r, &hidden);
    if (st == RV_E_INTERRUPTED || (st != RV_OK && rv_pg_broken(s->pg))) {
        if (err)
            *err = hidden;
        return st;
    }
    /* managed servers may hide it: their address stands for them */
    if (st != RV_OK || PQntuples(r) != 1 || PQgetisnull(r, 0, 0))
        st = rv_arena_printf(&s->arena, out, err, "%s", rv_pg_host_port(s->pg));
    else
        st = rv_pgs_text(r, 0, 0, &s->arena, out, err);
    PQclear(r);
    return st;
}

static rv_status fill_info(rv_source *s, rv_error *err)
{
    PGresult *r = NULL;
    rv_status st;
    RV_TRY(rv_pgs_ask(s, "SELECT current_database(), current_setting('server_version')",
                      "reading the server's name", &r, err));
    RV_GO(rv_pgs_text(r, 0, 0, &s->arena, &s->info.database, err));
    rv_str version = rv_str_c(PQgetvalue(r, 0, 1));
    const char *blank = memchr(version.ptr, ' ', version.len);
    if (blank)
        version.len = (size_t)(blank - version.ptr);
    RV_GO(rv_arena_cstr(&s->arena, version, &s->info.version, err));
    RV_GO(server_identity(s, &s->info.identity, err));
    RV_GO(rv_arena_cstr(&s->arena, rv_str_c(rv_pg_tls(s->pg)), &s->info.tls, err));
    RV_GO(rv_arena_cstr(&s->arena, rv_str_c(rv_pg_host_port(s->pg)), &s->info.host_port, err));
    s->info.connection = s->pooled ? "transaction-pooler" : "direct";
    s->info.cannot_cut = s->pooled;
    s->info.loopback = rv_pg_loopback(s->pg);
done:
    PQclear(r);
    return st;
}

rv_status rv_pgs_open(const rv_env *env, const rv_source_opts *opts, rv_source **out, rv_error *err)
{
    rv_source *s = rv_calloc(1, sizeof *s);
    if (!s)
        return rv_fail_memory(err);
    s->env = env;
    s->arena = RV_ARENA_INIT;
    s->settings = pins;
    s->timeout_ms = (int64_t)(opts->tuning->statement_timeout_s % 2000000) * 1000;
    s->lock_ms = (int64_t)(opts->tuning->lock_timeout_s % 2000000) * 1000;
    s->max_value_bytes = opts->tuning->max_value_mb << 20;
    atomic_init(&s->held_session, 0);
    rv_status st;
    RV_GO(rv_sql_run_comment_keep(opts->run_id, &s->arena, &s->comment, err));
    RV_GO(connect_server(s, opts, err));
    RV_GO(detect_pooler(s, err));
    RV_GO(detect_statement_pool(s, opts, err));
    RV_GO(fill_info(s, err));
    *out = s;
    return RV_OK;
done:
    rv_pgs_close(s);
    return st;
}

void rv_pgs_close(rv_source *s)
{
    if (!s)
        return;
    rv_pg_close(s->pg);
    rv_pgs_window_free(s->window);
    rv_arena_free(&s->arena);
    rv_free(s);
}
