#include <inttypes.h>
#include <string.h>

#include "source/mysql/mysql_internal.h"

#define SQL_CHARS 80

/* Who waits for a session of ours. Both servers take the metadata lock of a read at its first row
 * and keep it to the end of its transaction: what waits are changes of the table, and then
 * everybody behind them. */

int64_t rv_mys_session(rv_source *s)
{
    return atomic_load(&s->held_session);
}

/* id, user, statement of the first row; NULL when there is none. */
static rv_status first_waiter(rv_source *s, const char *sql, rv_arena *arena, const char **out,
                              rv_error *err)
{
    MYSQL_RES *r = NULL;
    rv_status st;
    RV_TRY(rv_mys_ask(s, sql, "looking for sessions that wait", &r, err));
    MYSQL_ROW row = r ? mysql_fetch_row(r) : NULL;
    st = RV_OK;
    *out = NULL;
    if (row)
        st = rv_arena_printf(arena, out, err, "%s (id %s)%s%s", row[1] ? row[1] : "a session",
                             row[0] ? row[0] : "?", row[2] ? ": " : "", row[2] ? row[2] : "");
    mysql_free_result(r);
    return st;
}

static rv_status has_row(rv_source *s, const char *sql, bool *out, rv_error *err)
{
    MYSQL_RES *r = NULL;
    RV_TRY(rv_mys_ask(s, sql, "looking for sessions that wait", &r, err));
    *out = r && mysql_num_rows(r) > 0;
    mysql_free_result(r);
    return RV_OK;
}

/* Locks are counted by an instrument that MySQL 5.7 has off. */
static rv_status can_see(rv_source *s, rv_error *err)
{
    bool on = false;
    RV_TRY(has_row(s,
                   "SELECT 1 FROM performance_schema.setup_instruments WHERE NAME = "
                   "'wait/lock/metadata/sql/mdl' AND ENABLED = 'YES'",
                   &on, err));
    if (on)
        return RV_OK;
    return rv_fail(err, RV_E_SOURCE_PERMISSION,
                   "looking for sessions that wait: the server's instrument "
                   "wait/lock/metadata/sql/mdl is off");
}

/* Whoever waits for a lock on a table that the session has locked too; tables without transactions
 * wait on a level of their own, told by the thread's state. */
static rv_status ask_mysql(rv_source *s, int64_t session, rv_arena *arena, const char **out,
                           rv_error *err)
{
    const char *sql = NULL;
    RV_TRY(can_see(s, err));
    RV_TRY(rv_arena_printf(
        arena, &sql, err,
        "SELECT t.PROCESSLIST_ID, t.PROCESSLIST_USER, LEFT(t.PROCESSLIST_INFO, %d) "
        "FROM performance_schema.threads AS h "
        "JOIN performance_schema.metadata_locks AS g ON g.OWNER_THREAD_ID = h.THREAD_ID "
        "AND g.OBJECT_TYPE = 'TABLE' AND g.LOCK_STATUS = 'GRANTED' "
        "JOIN performance_schema.metadata_locks AS w ON w.OBJECT_TYPE = 'TABLE' "
        "AND w.OBJECT_SCHEMA = g.OBJECT_SCHEMA AND w.OBJECT_NAME = g.OBJECT_NAME "
        "JOIN performance_schema.threads AS t ON t.THREAD_ID = w.OWNER_THREAD_ID "
        "WHERE h.PROCESSLIST_ID = %" PRId64 " AND t.THREAD_ID <> h.THREAD_ID "
        "AND (w.LOCK_STATUS = 'PENDING' OR t.PROCESSLIST_STATE = 'Waiting for table level lock') "
        "ORDER BY t.PROCESSLIST_TIME DESC LIMIT 1",
        SQL_CHARS, session));
    return first_waiter(s, sql, arena, out, err);
}

/* ---- MariaDB: its performance schema is off unless asked for ---- */

static rv_status may_look(rv_source *s, rv_error *err)
{
    bool granted = false;
    RV_TRY(has_row(s,
                   "SELECT 1 FROM information_schema.USER_PRIVILEGES "
                   "WHERE PRIVILEGE_TYPE IN ('PROCESS', 'SUPER')",
                   &granted, err));
    if (granted)
        return RV_OK;
    rv_status st = rv_fail(err, RV_E_SOURCE_PERMISSION,
                           "looking for sessions that wait: other sessions are hidden from this "
                           "account");
    rv_hint(err, "GRANT PROCESS ON *.* lets it see them");
    return st;
}

/* With the plugin METADATA_LOCK_INFO locks are told exactly. Without it: who waits in the session's
 * database, began to wait after the session began, and names the table that it reads, where its
 * statement can be seen. */
#define LOCKED_BY_PLUGIN                                                                           \
    "AND EXISTS (SELECT 1 FROM information_schema.METADATA_LOCK_INFO AS g "                        \
    "WHERE g.THREAD_ID = h.ID AND g.LOCK_TYPE = 'Table metadata lock' "                            \
    "AND LOCATE(LOWER(g.TABLE_NAME), LOWER(w.INFO)) > 0) "
#define NAMED_BY_STATEMENT                                                                         \
    "AND (h.INFO IS NULL OR REGEXP_SUBSTR(h.INFO, '(?i)FROM\\\\s+[^\\\\s()]+') = '' "              \
    "OR LOCATE(LOWER(REPLACE(SUBSTRING_INDEX(REGEXP_REPLACE(REGEXP_SUBSTR(h.INFO, "                \
    "'(?i)FROM\\\\s+[^\\\\s()]+'), '(?i)^FROM\\\\s+', ''), '.', -1), '`', '')), "                  \
    "LOWER(w.INFO)) > 0) "

static rv_status ask_mariadb(rv_source *s, int64_t session, rv_arena *arena, const char **out,
                             rv_error *err)
{
    const char *sql = NULL;
    bool exact = false;
    RV_TRY(may_look(s, err));
    RV_TRY(has_row(s,
                   "SELECT 1 FROM information_schema.PLUGINS WHERE PLUGIN_NAME = "
                   "'METADATA_LOCK_INFO' AND PLUGIN_STATUS = 'ACTIVE'",
                   &exact, err));
    RV_TRY(rv_arena_printf(
        arena, &sql, err,
        "SELECT w.ID, w.USER, LEFT(w.INFO, %d) FROM information_schema.PROCESSLIST AS h "
        "JOIN information_schema.PROCESSLIST AS w ON w.ID <> h.ID AND w.DB <=> h.DB "
        "WHERE h.ID = %" PRId64 " AND w.STATE IN ('Waiting for table metadata lock', "
        "'Waiting for table level lock') %s"
        "ORDER BY w.TIME_MS DESC LIMIT 1",
        SQL_CHARS, session, exact ? LOCKED_BY_PLUGIN : NAMED_BY_STATEMENT));
    return first_waiter(s, sql, arena, out, err);
}

rv_status rv_mys_waiter(rv_source *s, int64_t session, rv_arena *arena, const char **out_waiter,
                        rv_error *err)
{
    return s->mariadb ? ask_mariadb(s, session, arena, out_waiter, err)
                      : ask_mysql(s, session, arena, out_waiter, err);
}
