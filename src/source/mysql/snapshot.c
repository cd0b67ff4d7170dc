#include <string.h>

#include "source/mysql/session_internal.h"

#define TRIES 5
/* By which a commit that some of the snapshots see is in gtid_executed too: MySQL puts it there a
 * moment after the engine's own commit. */
#define GTID_SETTLE_US 5000

static rv_status refuse_proxy(const rv_source *s, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_SNAPSHOT,
                           "the source cannot give a snapshot: %s shares its connections among "
                           "sessions",
                           rv_my_host_port(s->my));
    rv_hint(err, "connect to the server directly, or write consistency: pages");
    return st;
}

static rv_status refuse_many(size_t n, const char *why, const char *advice, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_SNAPSHOT,
                           "the source cannot give one snapshot to %zu connections: %s", n, why);
    rv_hint(err, "%s", advice);
    return st;
}

static rv_status begin(rv_source *s, rv_error *err)
{
    const char *what = "opening a snapshot";
    /* under another isolation the server would ignore the word */
    RV_TRY(rv_mys_say(s, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", what, NULL, err));
    RV_TRY(rv_mys_say(s, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", what, NULL, err));
    s->snapshot = true;
    atomic_store(&s->held_session, (long long)rv_my_id(s->my));
    return RV_OK;
}

rv_status rv_mys_snapshot_end(rv_source *s, rv_error *err)
{
    bool open = s->snapshot;
    s->snapshot = false;
    atomic_store(&s->held_session, 0);
    if (!open || rv_my_broken(s->my))
        return RV_OK;
    return rv_mys_say(s, "COMMIT", "ending the snapshot", NULL, err);
}

/* ---- one instant for several ---- */

/* First row and all its cells, joined by line feeds, in the arena. */
static rv_status ask_line(rv_source *s, const char *sql, rv_arena *arena, const char **out,
                          rv_error *err)
{
    MYSQL_RES *r = NULL;
    rv_buf line = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_mys_say(s, sql, "comparing snapshots", &r, err));
    for (MYSQL_ROW row; r && (row = mysql_fetch_row(r));)
        for (unsigned i = 0; i < mysql_num_fields(r); i++)
            RV_GO(rv_buf_printf(&line, err, "%s\n", row[i] ? row[i] : ""));
    st = rv_arena_cstr(arena, rv_buf_str(&line), out, err);
done:
    mysql_free_result(r);
    rv_buf_free(&line);
    return st;
}

/* MariaDB tells each snapshot's own place in the binary log. */
static rv_status same_place(rv_source *const *s, size_t n, bool *out, rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    const char *first = NULL, *other = NULL;
    rv_status st = RV_OK;
    *out = true;
    for (size_t i = 0; i < n && *out; i++) {
        RV_GO(ask_line(s[i],
                       "SHOW STATUS WHERE Variable_name IN ('Binlog_snapshot_file', "
                       "'Binlog_snapshot_position')",
                       &arena, &other, err));
        first = first ? first : other;
        *out = strcmp(first, other) == 0;
    }
done:
    rv_arena_free(&arena);
    return st;
}

static rv_status gtids(rv_source *s, rv_arena *arena, const char **out, rv_error *err)
{
    return ask_line(s, "SELECT @@global.gtid_executed", arena, out, err);
}

static rv_status open_all(rv_source *const *s, size_t n, rv_error *err)
{
    rv_status st = RV_OK;
    for (size_t i = 0; i < n && st == RV_OK; i++)
        st = begin(s[i], err);
    return st;
}

static void end_all(rv_source *const *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)!rv_mys_snapshot_end(s[i], NULL);
}

static rv_status try_mariadb(rv_source *const *s, size_t n, bool *out_same, rv_error *err)
{
    RV_TRY(open_all(s, n, err));
    return same_place(s, n, out_same, err);
}

static rv_status try_mysql(rv_source *const *s, size_t n, bool *out_same, rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    const char *before = NULL, *after = NULL;
    rv_status st;
    RV_GO(gtids(s[0], &arena, &before, err));
    RV_GO(open_all(s, n, err));
    if (!rv_cancel_sleep_us(s[0]->env->cancel, GTID_SETTLE_US)) {
        st = rv_cancel_check(s[0]->env->cancel, err);
        goto done;
    }
    RV_GO(gtids(s[0], &arena, &after, err));
    *out_same = strcmp(before, after) == 0;
done:
    rv_arena_free(&arena);
    return st;
}

/* Can this server tell whether snapshots are the same one? */
static rv_status check_means(rv_source *s, size_t n, rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    const char *told = NULL;
    rv_status st = ask_line(
        s, s->mariadb ? "SELECT @@global.log_bin" : "SELECT @@global.log_bin, @@global.gtid_mode",
        &arena, &told, err);
    if (st == RV_OK && strcmp(told, s->mariadb ? "1\n" : "1\nON\n") != 0)
        st = refuse_many(n,
                         s->mariadb ? "without a binary log it cannot tell them apart"
                                    : "without a binary log and gtid_mode=ON it cannot tell them "
                                      "apart",
                         "read with parallel: 1", err);
    rv_arena_free(&arena);
    return st;
}

static rv_status begin_many(rv_source *const *s, size_t n, rv_error *err)
{
    RV_TRY(check_means(s[0], n, err));
    for (int i = 0; i < TRIES; i++) {
        bool same = false;
        rv_status st = s[0]->mariadb ? try_mariadb(s, n, &same, err) : try_mysql(s, n, &same, err);
        if (st == RV_OK && same)
            return RV_OK;
        end_all(s, n);
        RV_TRY(st);
    }
    return refuse_many(n, "commits came between each time it was tried",
                       "read with parallel: 1, or at a quieter time", err);
}

rv_status rv_mys_snapshot_begin(rv_source *const *s, size_t n, rv_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (s[i]->in_transaction_only)
            return refuse_proxy(s[i], err);
    if (n > 1)
        return begin_many(s, n, err);
    rv_status st = begin(s[0], err);
    if (st != RV_OK)
        end_all(s, n);
    return st;
}
