#include <inttypes.h>
#include <string.h>

#include "source/mysql/relation_internal.h"
#include "source/mysql/session_internal.h"

#define NET_WRITE_TIMEOUT_S 600
#define CLIENT_GRACE_US 5000000 /* by which a statement may pass the server's own limit */
#define LOCK_WAIT_MAX_S 31536000
#define ZONE "+00:00"

rv_status rv_mys_text(MYSQL_ROW row, const unsigned long *lengths, unsigned col, rv_arena *a,
                      const char **out, rv_error *err)
{
    if (!row[col]) {
        *out = NULL;
        return RV_OK;
    }
    return rv_arena_cstr(a, (rv_str){row[col], lengths[col]}, out, err);
}

int64_t rv_mys_int(MYSQL_ROW row, unsigned col, int64_t otherwise)
{
    int64_t value;
    if (!row[col] || !rv_str_i64(rv_str_c(row[col]), &value))
        return otherwise;
    return value;
}

/* ---- statements ---- */

static int64_t deadline_us(const rv_source *s)
{
    if (s->timeout_ms <= 0)
        return 0;
    return rv_clock_mono_us() + s->timeout_ms * 1000 + CLIENT_GRACE_US;
}

rv_status rv_mys_say(rv_source *s, const char *sql, const char *what, MYSQL_RES **out,
                     rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_buf_printf(&text, err, "%s%s", s->comment, sql));
    RV_GO(rv_buf_add_byte(&text, 0, err));
    st = rv_my_query(s->my, (const char *)text.ptr, deadline_us(s), what, out, err);
done:
    rv_buf_free(&text);
    return st;
}

rv_status rv_mys_page_begin(rv_source *s, const char *what, rv_error *err)
{
    if (!s->in_transaction_only || s->in_page || s->snapshot)
        return RV_OK;
    RV_TRY(rv_mys_say(s, "START TRANSACTION READ ONLY", what, NULL, err));
    s->in_page = true;
    s->raw_results = false; /* by the SET NAMES of the pin */
    return rv_mys_pin(s, what, err);
}

rv_status rv_mys_page_end(rv_source *s, const char *what, rv_error *err)
{
    if (!s->in_page)
        return RV_OK;
    s->in_page = false;
    s->raw_results = false;
    if (rv_my_broken(s->my)) /* the proxy ends what it held */
        return RV_OK;
    RV_TRY(rv_mys_unpin(s, what, err));
    return rv_mys_say(s, "COMMIT", what, NULL, err);
}

rv_status rv_mys_ask(rv_source *s, const char *sql, const char *what, MYSQL_RES **out,
                     rv_error *err)
{
    MYSQL_RES *r = NULL;
    bool inside = s->in_page;
    rv_status st = rv_mys_page_begin(s, what, err);
    if (st == RV_OK)
        st = rv_mys_results(s, false, what, err);
    if (st == RV_OK)
        st = rv_mys_say(s, sql, what, &r, err);
    if (!inside) {
        rv_status ended = rv_mys_page_end(s, what, st == RV_OK ? err : NULL);
        st = st == RV_OK ? ended : st;
    }
    if (st == RV_OK && out)
        *out = r;
    else
        mysql_free_result(r);
    return st;
}

rv_status rv_mys_limit_prefix(const rv_source *s, int64_t ms, rv_buf *out, rv_error *err)
{
    if (ms <= 0 || !s->mariadb)
        return RV_OK;
    return rv_buf_printf(out, err,
                         "SET STATEMENT max_statement_time=%" PRId64 ".%03" PRId64 " FOR ",
                         ms / 1000, ms % 1000);
}

rv_status rv_mys_limit_hint(const rv_source *s, int64_t ms, rv_buf *out, rv_error *err)
{
    if (ms <= 0 || s->mariadb)
        return RV_OK;
    return rv_buf_printf(out, err, "/*+ MAX_EXECUTION_TIME(%" PRId64 ") */ ", ms);
}

/* ---- settings ---- */

typedef struct was { /* of the session, before it was touched */
    const char *zone, *mode, *charset, *collation;
    int64_t lock_wait, net_write;
    const char *limit;
} was;

static rv_status read_was(rv_source *s, rv_arena *arena, const char *what, was *out, rv_error *err)
{
    MYSQL_RES *r = NULL;
    rv_status st;
    RV_GO(rv_mys_say(s,
                     s->mariadb ? "SELECT @@session.time_zone, @@session.sql_mode, "
                                  "@@session.character_set_client, @@session.collation_connection, "
                                  "@@session.lock_wait_timeout, @@session.net_write_timeout, "
                                  "@@session.max_statement_time"
                                : "SELECT @@session.time_zone, @@session.sql_mode, "
                                  "@@session.character_set_client, @@session.collation_connection, "
                                  "@@session.lock_wait_timeout, @@session.net_write_timeout, "
                                  "@@session.max_execution_time",
                     what, &r, err));
    MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
    if (!row) {
        st = rv_fail(err, RV_E_SOURCE_QUERY, "%s: the server tells no settings", what);
        goto done;
    }
    const unsigned long *n = mysql_fetch_lengths(r);
    RV_GO(rv_mys_text(row, n, 0, arena, &out->zone, err));
    RV_GO(rv_mys_text(row, n, 1, arena, &out->mode, err));
    RV_GO(rv_mys_text(row, n, 2, arena, &out->charset, err));
    RV_GO(rv_mys_text(row, n, 3, arena, &out->collation, err));
    RV_GO(rv_mys_text(row, n, 6, arena, &out->limit, err));
    out->lock_wait = rv_mys_int(row, 4, LOCK_WAIT_MAX_S);
    out->net_write = rv_mys_int(row, 5, 60);
done:
    mysql_free_result(r);
    return st;
}

/* The list without NO_BACKSLASH_ESCAPES, as a literal. */
static rv_status add_mode(const char *mode, bool keep, rv_buf *out, rv_error *err)
{
    static const char dropped[] = "NO_BACKSLASH_ESCAPES";
    rv_buf list = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (const char *p = mode ? mode : ""; *p;) {
        size_t n = strcspn(p, ",");
        if (keep || n != sizeof dropped - 1 || strncmp(p, dropped, n) != 0) {
            if (list.len)
                RV_GO(rv_buf_add_byte(&list, ',', err));
            RV_GO(rv_buf_add(&list, p, n, err));
        }
        p += n + (p[n] == ',');
    }
    st = rv_my_literal(rv_buf_str(&list), out, err);
done:
    rv_buf_free(&list);
    return st;
}

/* Literals only: a server's variable in a SET would be read on whatever backend the proxy has. */
static rv_status build_settings(const rv_source *s, const char *mode, rv_buf *out, rv_error *err)
{
    int64_t lock_s = s->lock_s > 0 && s->lock_s < LOCK_WAIT_MAX_S ? s->lock_s : LOCK_WAIT_MAX_S;
    RV_TRY(rv_buf_printf(out, err,
                         "SET time_zone='" ZONE "', lock_wait_timeout=%" PRId64
                         ", net_write_timeout=%d, sql_mode=",
                         lock_s, NET_WRITE_TIMEOUT_S));
    RV_TRY(add_mode(mode, false, out, err));
    if (s->mariadb)
        return rv_buf_printf(out, err, ", max_statement_time=%" PRId64 ".%03" PRId64,
                             s->timeout_ms / 1000, s->timeout_ms % 1000);
    return rv_buf_printf(out, err, ", max_execution_time=%" PRId64, s->timeout_ms);
}

/* NAMES sets character_set_results too, which was never anything but what the client asked for. */
static rv_status build_restore(const rv_source *s, const was *w, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out, "SET ", err));
    if (w->charset && w->collation)
        RV_TRY(rv_buf_printf(out, err, "NAMES %s COLLATE %s, ", w->charset, w->collation));
    RV_TRY(rv_buf_add_c(out, "time_zone=", err));
    RV_TRY(rv_my_literal(rv_str_c(w->zone ? w->zone : "SYSTEM"), out, err));
    RV_TRY(rv_buf_printf(
        out, err,
        ", lock_wait_timeout=%" PRId64 ", net_write_timeout=%" PRId64 ", %s=%s, sql_mode=",
        w->lock_wait, w->net_write, s->mariadb ? "max_statement_time" : "max_execution_time",
        w->limit ? w->limit : "0"));
    return add_mode(w->mode, true, out, err);
}

static rv_status run_built(rv_source *s, rv_buf *sql, const char *what, rv_error *err)
{
    RV_TRY(rv_buf_add_byte(sql, 0, err));
    return rv_mys_say(s, (const char *)sql->ptr, what, NULL, err);
}

/* Read where rows will be read: a proxy may have swallowed the SET. */
static rv_status prove_zone(rv_source *s, const char *what, rv_error *err)
{
    MYSQL_RES *r = NULL;
    RV_TRY(rv_mys_say(s, "SELECT @@session.time_zone, FROM_UNIXTIME(86400)", what, &r, err));
    MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
    bool utc = row && row[0] && row[1] && strcmp(row[0], ZONE) == 0 &&
               strncmp(row[1], "1970-01-02 00:00:00", 19) == 0;
    rv_status st = RV_OK;
    if (!utc) {
        st = rv_fail(err, RV_E_SOURCE_SESSION,
                     "%s: the session's time zone is '%.40s' although '" ZONE
                     "' was set; timestamps would be shifted",
                     what, row && row[0] ? row[0] : "unknown");
        rv_hint(err, "a proxy that keeps settings from their session stands between: connect to "
                     "the server directly");
    }
    mysql_free_result(r);
    return st;
}

rv_status rv_mys_pin(rv_source *s, const char *what, rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    was before = {0};
    rv_status st;
    RV_GO(read_was(s, &arena, what, &before, err));
    rv_buf_clear(&s->restore);
    RV_GO(build_restore(s, &before, &s->restore, err));
    RV_GO(rv_mys_say(s, "SET NAMES utf8mb4", what, NULL, err));
    RV_GO(rv_mys_say(s, s->settings, what, NULL, err));
    st = prove_zone(s, what, err);
done:
    rv_arena_free(&arena);
    return st;
}

rv_status rv_mys_unpin(rv_source *s, const char *what, rv_error *err)
{
    if (s->restore.len == 0)
        return RV_OK;
    rv_status st = run_built(s, &s->restore, what, err);
    rv_buf_clear(&s->restore);
    return st;
}

static bool has_mode(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list ? list : ""; *p;) {
        size_t len = strcspn(p, ",");
        if (len == n && strncmp(p, word, n) == 0)
            return true;
        p += len + (p[len] == ',');
    }
    return false;
}

static rv_status settle_session(rv_source *s, const char *what, rv_error *err)
{
    RV_TRY(rv_mys_say(s, "SET NAMES utf8mb4", what, NULL, err));
    RV_TRY(rv_mys_say(s, s->settings, what, NULL, err));
    RV_TRY(rv_mys_say(s, "SET SESSION TRANSACTION READ ONLY", what, NULL, err));
    s->settings = NULL;
    return prove_zone(s, what, err);
}

rv_status rv_mys_session_begin(rv_source *s, const rv_cfg_tuning *tuning, rv_error *err)
{
    const char *what = "setting up the session";
    rv_buf sql = RV_BUF_INIT;
    was before = {0};
    rv_status st;
    s->timeout_ms = (int64_t)(tuning->statement_timeout_s % 2000000) * 1000;
    s->lock_s = (int64_t)(tuning->lock_timeout_s % 2000000);
    rv_my_set_limit(s->my, s->timeout_ms);
    RV_GO(read_was(s, &s->arena, what, &before, err));
    s->ansi_quotes = has_mode(before.mode, "ANSI_QUOTES");
    RV_GO(build_settings(s, before.mode, &sql, err));
    RV_GO(rv_arena_cstr(&s->arena, rv_buf_str(&sql), &s->settings, err));
    if (!s->in_transaction_only) {
        st = settle_session(s, what, err);
        goto done;
    }
    /* every transaction sets and proves it again; once now, so that a run need not begin in vain */
    RV_GO(rv_mys_page_begin(s, what, err));
    st = rv_mys_page_end(s, what, err);
done:
    rv_buf_free(&sql);
    return st;
}
