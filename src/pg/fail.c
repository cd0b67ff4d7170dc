#include <stdio.h>
#include <string.h>

#include "pg/pg_internal.h"

/* SQLSTATE by prefix, the first row that fits wins. RV_OK stands for the connection's own code. */
typedef struct state_class {
    const char *prefix;
    rv_retry retry;
    rv_status code;
} state_class;

static const state_class classes[] = {
    {"08P01", RV_RETRY_C, RV_E_SOURCE_CAPACITY}, /* a pooler without room */
    {"08", RV_RETRY_N, RV_OK},
    {"57P01", RV_RETRY_N, RV_OK},
    {"57P02", RV_RETRY_N, RV_OK},
    {"57P03", RV_RETRY_N, RV_OK},
    {"57P05", RV_RETRY_N, RV_OK},
    {"57P04", RV_RETRY_P, RV_E_SOURCE_MISSING},
    {"25P03", RV_RETRY_N, RV_OK},
    {"26000", RV_RETRY_N, RV_E_SOURCE_BUSY},
    {"53300", RV_RETRY_C, RV_E_SOURCE_CAPACITY},
    {"53200", RV_RETRY_M, RV_E_SOURCE_CAPACITY},
    {"53400", RV_RETRY_R, RV_E_SOURCE_CAPACITY},
    {"58030", RV_RETRY_R, RV_E_SOURCE_BUSY},
    {"55006", RV_RETRY_R, RV_E_SOURCE_BUSY},
    {"40001", RV_RETRY_D, RV_E_SOURCE_BUSY},
    {"40P01", RV_RETRY_D, RV_E_SOURCE_BUSY},
    {"55P03", RV_RETRY_L, RV_E_SOURCE_LOCK},
    {"28", RV_RETRY_P, RV_E_SOURCE_AUTH},
    {"42501", RV_RETRY_P, RV_E_SOURCE_PERMISSION},
    {"42P01", RV_RETRY_P, RV_E_SOURCE_MISSING},
    {"42703", RV_RETRY_P, RV_E_SOURCE_MISSING},
    {"42704", RV_RETRY_P, RV_E_SOURCE_MISSING},
    {"3D000", RV_RETRY_P, RV_E_SOURCE_MISSING},
    {"3F000", RV_RETRY_P, RV_E_SOURCE_MISSING},
    {"", RV_RETRY_P, RV_E_SOURCE_QUERY},
};

static state_class classify(const char *sqlstate, bool timer)
{
    if (strcmp(sqlstate, "57014") == 0)
        return timer ? (state_class){"", RV_RETRY_T, RV_E_SOURCE_TIMEOUT}
                     : (state_class){"", RV_RETRY_X, RV_E_SOURCE_BUSY};
    size_t i = 0;
    while (strncmp(classes[i].prefix, sqlstate, strlen(classes[i].prefix)) != 0)
        i++;
    return classes[i];
}

rv_retry rv_pg_retry_class(const char *sqlstate, bool timer)
{
    return classify(sqlstate, timer).retry;
}

/* Only an English server says which of the two it was; otherwise the clock tells. */
static bool ended_by_timer(const rv_pg *c, const char *message)
{
    if (c->timed_out || strstr(message, "statement timeout"))
        return true;
    if (strstr(message, "user request") || c->limit_us <= 0)
        return false;
    return rv_clock_mono_us() - c->started_us >= c->limit_us - c->limit_us / 50;
}

static rv_str first_line(const char *text)
{
    rv_str s = rv_str_c(text);
    const char *end = s.len ? memchr(s.ptr, '\n', s.len) : NULL;
    return rv_str_trim((rv_str){s.ptr, end ? (size_t)(end - s.ptr) : s.len});
}

rv_status rv_pg_fail_text(const rv_env *env, rv_status code, rv_retry retry, const char *head,
                          rv_str text, rv_error *err)
{
    rv_buf clean = RV_BUF_INIT;
    /* without memory to mask a text, it is not shown */
    bool shown = rv_secrets_redact(env->secrets, text, &clean, NULL) == RV_OK;
    rv_status st =
        rv_fail(err, code, "%s: %.*s", head, RV_STR_ARG(shown ? rv_buf_str(&clean) : RV_STR("?")));
    if (err)
        err->retry = retry;
    rv_buf_free(&clean);
    return st;
}

static void set_native(rv_error *err, const char *sqlstate)
{
    if (err)
        snprintf(err->native, sizeof err->native, "%.5s", sqlstate);
}

static rv_status fail_lost(rv_pg *c, const char *what, rv_error *err)
{
    rv_str text = first_line(PQerrorMessage(c->conn));
    c->broken = true;
    c->copying = false;
    return rv_pg_fail_text(c->env, c->connect_code, RV_RETRY_N, what,
                           text.len ? text : RV_STR("the connection is lost"), err);
}

static void set_hint(const PGresult *r, const char *sqlstate, rv_error *err)
{
    const char *message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = PQresultErrorField(r, PG_DIAG_MESSAGE_HINT);
    if (strcmp(sqlstate, "40001") == 0 && message && strstr(message, "conflict with recovery"))
        rv_hint(err, "the replica dropped rows this read still needed; turn hot_standby_feedback "
                     "on there, raise max_standby_streaming_delay, or read from the primary");
    else if (detail || hint)
        rv_hint(err, "%s%s%s", detail ? detail : "", detail && hint ? "; " : "", hint ? hint : "");
}

rv_status rv_pg_fail(rv_pg *c, const PGresult *r, const char *what, rv_error *err)
{
    const char *sqlstate = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    const char *message = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (PQstatus(c->conn) == CONNECTION_BAD)
        c->broken = true;
    if (!sqlstate || !message)
        return fail_lost(c, what, err);
    state_class class_ = classify(sqlstate, ended_by_timer(c, message));
    rv_status code = class_.code == RV_OK ? c->connect_code : class_.code;
    rv_status st = rv_pg_fail_text(c->env, code, class_.retry, what, first_line(message), err);
    set_native(err, sqlstate);
    set_hint(r, sqlstate, err);
    return st;
}

/* ---- while connecting ---- */

static bool has(rv_str text, const char *part)
{
    return text.len && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

static bool has_any(rv_str text, const char *const *parts)
{
    while (*parts && !has(text, *parts))
        parts++;
    return *parts != NULL;
}

/* What PQERRORS_VERBOSE puts before a server's message, "FATAL:  28P01: ": where the five digits
 * stand, or the end of the text. */
static size_t find_sqlstate(rv_str text, size_t from)
{
    for (size_t i = from; i + 10 <= text.len; i++) {
        const char *p = text.ptr + i;
        if (memcmp(p, ":  ", 3) == 0 && memcmp(p + 8, ": ", 2) == 0 &&
            strspn(p + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5)
            return i + 3;
    }
    return text.len;
}

/* Of several hosts and tries the last one counts. */
static size_t last_sqlstate(rv_str text)
{
    size_t last = text.len;
    for (size_t at = find_sqlstate(text, 0); at < text.len; at = find_sqlstate(text, at))
        last = at;
    return last;
}

/* A pooler has one SQLSTATE for everything it refuses. */
static state_class classify_pooler(rv_str text)
{
    static const char *const access_words[] = {"auth", "no such user", "password", NULL};
    if (has(text, "no such database"))
        return (state_class){"", RV_RETRY_P, RV_E_SOURCE_MISSING};
    if (has(text, "unsupported startup parameter"))
        return (state_class){"", RV_RETRY_P, RV_E_SOURCE_QUERY};
    if (has_any(text, access_words))
        return (state_class){"", RV_RETRY_P, RV_E_SOURCE_AUTH};
    return classify("08P01", false);
}

/* Without a SQLSTATE it is libpq that speaks, in English: no locale is ever set. */
static state_class classify_client(rv_str text)
{
    static const char *const tls[] = {"certificate",          "SSL was required", "private key",
                                      "does not support SSL", "SSL error",        NULL};
    static const char *const access_words[] = {
        "password", "authentication", "SCRAM",         "channel binding",
        "GSSAPI",   "requirepeer",    "requires peer", NULL};
    static const char *const written[] = {"invalid ", "definition of service", "could not match",
                                          "not supported when", NULL};
    if (has(text, "SSL SYSCALL") || has(text, "unexpected eof"))
        return (state_class){"", RV_RETRY_N, RV_OK};
    if (has_any(text, tls))
        return (state_class){"", RV_RETRY_P, RV_E_SOURCE_TLS};
    if (has_any(text, access_words))
        return (state_class){"", RV_RETRY_P, RV_E_SOURCE_AUTH};
    if (rv_str_starts(text, RV_STR("invalid ")) || has_any(text, written + 1))
        return (state_class){"", RV_RETRY_P, RV_E_CONFIG_SCHEME};
    return (state_class){"", RV_RETRY_N, RV_OK};
}

static bool starts_any(rv_str line, const char *const *words)
{
    while (*words && !rv_str_starts(line, rv_str_c(*words)))
        words++;
    return *words != NULL;
}

/* One line of libpq's text: DETAIL and HINT go to *hint, what a user cannot use is left out. */
static rv_status add_line(rv_str line, rv_buf *out, rv_buf *hint, rv_error *err)
{
    static const char *const advice[] = {"HINT:  ", "DETAIL:  ", NULL};
    rv_buf *to = starts_any(line, advice) ? hint : out;
    if (line.len == 0 || rv_str_starts(line, RV_STR("LOCATION:  ")))
        return RV_OK;
    if (to == hint) {
        size_t skip = (size_t)((const char *)memchr(line.ptr, ':', line.len) + 3 - line.ptr);
        line = (rv_str){line.ptr + skip, line.len - skip};
    }
    size_t state = find_sqlstate(line, 0);
    if (to->len)
        RV_TRY(rv_buf_add_c(to, to == out ? "\n" : "; ", err));
    RV_TRY(rv_buf_add(to, line.ptr, state, err));
    return state == line.len ? RV_OK
                             : rv_buf_add(to, line.ptr + state + 7, line.len - state - 7, err);
}

static rv_status split_message(rv_str text, rv_buf *out, rv_buf *hint, rv_error *err)
{
    for (size_t i = 0; i < text.len;) {
        const char *end = memchr(text.ptr + i, '\n', text.len - i);
        size_t len = end ? (size_t)(end - (text.ptr + i)) : text.len - i;
        RV_TRY(add_line(rv_str_trim((rv_str){text.ptr + i, len}), out, hint, err));
        i += len + 1;
    }
    return RV_OK;
}

static state_class classify_connect(rv_str text, char sqlstate[6])
{
    size_t at = last_sqlstate(text);
    if (at == text.len)
        return classify_client(text);
    memcpy(sqlstate, text.ptr + at, 5);
    sqlstate[5] = '\0';
    if (strcmp(sqlstate, "08P01") == 0)
        return classify_pooler((rv_str){text.ptr + at, text.len - at});
    return classify(sqlstate, false);
}

rv_status rv_pg_fail_connect(const rv_env *env, PGconn *conn, const rv_pg_opts *opts, rv_error *err)
{
    rv_str text = rv_str_trim(rv_str_c(PQerrorMessage(conn)));
    char sqlstate[6] = "", head[160];
    rv_buf message = RV_BUF_INIT, hint = RV_BUF_INIT;
    state_class class_ = classify_connect(text, sqlstate);
    rv_status st = split_message(text, &message, &hint, err);
    if (st == RV_OK) {
        snprintf(head, sizeof head, "cannot connect to %s", opts->what);
        rv_str shown = message.len ? rv_buf_str(&message) : RV_STR("no answer");
        st = rv_pg_fail_text(env, class_.code == RV_OK ? opts->connect_code : class_.code,
                             class_.retry, head, shown, err);
        set_native(err, sqlstate);
        if (hint.len)
            rv_hint(err, "%.*s", RV_STR_ARG(rv_buf_str(&hint)));
        else if (has(text, "certificate verify failed"))
            rv_hint(err, "name the authority that signed the server's certificate: tls.ca_file of "
                         "the source, or sslrootcert in the URL");
    }
    rv_buf_free(&message);
    rv_buf_free(&hint);
    return st;
}
