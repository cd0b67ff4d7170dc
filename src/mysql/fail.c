#include <errmsg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mysql/mysql_internal.h"

typedef struct code_class {
    unsigned code;
    rv_retry retry;
    rv_status status;
} code_class;

static const code_class classes[] = {
    {1053, RV_RETRY_N, RV_E_SOURCE_CONNECT}, /* shutting down */
    {1152, RV_RETRY_N, RV_E_SOURCE_CONNECT},
    {1158, RV_RETRY_N, RV_E_SOURCE_CONNECT},
    {1159, RV_RETRY_N, RV_E_SOURCE_CONNECT},
    {1160, RV_RETRY_N, RV_E_SOURCE_CONNECT},
    {1161, RV_RETRY_N, RV_E_SOURCE_CONNECT},
    {1184, RV_RETRY_N, RV_E_SOURCE_CONNECT},
    {1927, RV_RETRY_N, RV_E_SOURCE_CONNECT}, /* MariaDB: killed */
    {2002, RV_RETRY_N, RV_E_SOURCE_CONNECT},
    {2003, RV_RETRY_N, RV_E_SOURCE_CONNECT},
    {2005, RV_RETRY_N, RV_E_SOURCE_CONNECT}, /* the name is not known now */
    {2006, RV_RETRY_N, RV_E_SOURCE_CONNECT},
    {2013, RV_RETRY_N, RV_E_SOURCE_CONNECT},
    {2055, RV_RETRY_N, RV_E_SOURCE_CONNECT},
    {3169, RV_RETRY_N, RV_E_SOURCE_CONNECT}, /* MySQL: killed */
    {4031, RV_RETRY_N, RV_E_SOURCE_CONNECT}, /* MySQL: idle for too long */
    {1040, RV_RETRY_C, RV_E_SOURCE_CAPACITY},
    {1203, RV_RETRY_C, RV_E_SOURCE_CAPACITY},
    {1226, RV_RETRY_C, RV_E_SOURCE_CAPACITY},
    {9001, RV_RETRY_C, RV_E_SOURCE_CAPACITY}, /* ProxySQL: no server had room in time */
    {1021, RV_RETRY_R, RV_E_SOURCE_CAPACITY},
    {1037, RV_RETRY_R, RV_E_SOURCE_CAPACITY},
    {1041, RV_RETRY_R, RV_E_SOURCE_CAPACITY},
    {1114, RV_RETRY_R, RV_E_SOURCE_CAPACITY},
    {1213, RV_RETRY_D, RV_E_SOURCE_BUSY},
    {1205, RV_RETRY_L, RV_E_SOURCE_LOCK},
    {1615, RV_RETRY_L, RV_E_SOURCE_BUSY}, /* must be prepared again */
    {1969, RV_RETRY_T, RV_E_SOURCE_TIMEOUT},
    {3024, RV_RETRY_T, RV_E_SOURCE_TIMEOUT},
    {1317, RV_RETRY_X, RV_E_SOURCE_BUSY},
    {1045, RV_RETRY_P, RV_E_SOURCE_AUTH},
    {1129, RV_RETRY_P, RV_E_SOURCE_AUTH}, /* too many failed attempts of this host */
    {1130, RV_RETRY_P, RV_E_SOURCE_AUTH},
    {1251, RV_RETRY_P, RV_E_SOURCE_AUTH},
    {1524, RV_RETRY_P, RV_E_SOURCE_AUTH}, /* the account's plugin is not loaded */
    {1698, RV_RETRY_P, RV_E_SOURCE_AUTH},
    {1820, RV_RETRY_P, RV_E_SOURCE_AUTH}, /* the password has expired */
    {1862, RV_RETRY_P, RV_E_SOURCE_AUTH},
    {3118, RV_RETRY_P, RV_E_SOURCE_AUTH}, /* the account is locked */
    {4151, RV_RETRY_P, RV_E_SOURCE_AUTH},
    {1044, RV_RETRY_P, RV_E_SOURCE_PERMISSION},
    {1142, RV_RETRY_P, RV_E_SOURCE_PERMISSION},
    {1143, RV_RETRY_P, RV_E_SOURCE_PERMISSION},
    {1227, RV_RETRY_P, RV_E_SOURCE_PERMISSION},
    {1370, RV_RETRY_P, RV_E_SOURCE_PERMISSION},
    {1049, RV_RETRY_P, RV_E_SOURCE_MISSING},
    {1051, RV_RETRY_P, RV_E_SOURCE_MISSING},
    {1054, RV_RETRY_P, RV_E_SOURCE_MISSING},
    {1109, RV_RETRY_P, RV_E_SOURCE_MISSING},
    {1146, RV_RETRY_P, RV_E_SOURCE_MISSING},
    {2026, RV_RETRY_P, RV_E_SOURCE_TLS},
    {3159, RV_RETRY_P, RV_E_SOURCE_TLS}, /* the server asks for TLS */
    {2008, RV_RETRY_P, RV_E_MEMORY},
    {0, RV_RETRY_P, RV_E_SOURCE_QUERY},
};

static code_class classify(unsigned code)
{
    size_t i = 0;
    while (classes[i].code != 0 && classes[i].code != code)
        i++;
    return classes[i];
}

rv_retry rv_my_retry_class(unsigned code)
{
    return classify(code).retry;
}

/* Server or library have hung up, or the stream of packets is out of step. */
bool rv_my_ends_connection(unsigned code)
{
    return code == 1153 || code == CR_COMMANDS_OUT_OF_SYNC || code == CR_MALFORMED_PACKET ||
           code == CR_NET_PACKET_TOO_LARGE || code == CR_SSL_CONNECTION_ERROR ||
           code == CR_OUT_OF_MEMORY || rv_my_retry_class(code) == RV_RETRY_N;
}

/* What stands in a row in place of a value that the server could not give. */
bool rv_my_replaces_value(unsigned code)
{
    static const unsigned codes[] = {1260,  /* GROUP_CONCAT was cut */
                                     1300,  /* bytes that are no text: NULL or cut */
                                     1301,  /* longer than max_allowed_packet: NULL */
                                     1366,  /* bytes that are no text of the character set */
                                     1977,  /* MariaDB: a character became '?' */
                                     3854}; /* MySQL: a character became '?' */
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i] == code)
            return true;
    return false;
}

static rv_str first_line(const char *text)
{
    rv_str s = rv_str_c(text);
    const char *end = s.len ? memchr(s.ptr, '\n', s.len) : NULL;
    return rv_str_trim((rv_str){s.ptr, end ? (size_t)(end - s.ptr) : s.len});
}

static rv_status fail_text(const rv_env *env, code_class class_, unsigned code, const char *head,
                           const char *text, rv_error *err)
{
    rv_buf clean = RV_BUF_INIT;
    /* without memory to mask a text, it is not shown */
    bool shown = rv_secrets_redact(env->secrets, first_line(text), &clean, NULL) == RV_OK;
    rv_status st = rv_fail(err, class_.status, "%s: %.*s", head,
                           RV_STR_ARG(shown ? rv_buf_str(&clean) : RV_STR("?")));
    if (err) {
        err->retry = class_.retry;
        snprintf(err->native, sizeof err->native, "%u", code);
    }
    rv_buf_free(&clean);
    return st;
}

static rv_status fail_given_up(rv_my *c, const char *what, rv_error *err)
{
    rv_status st = RV_E_INTERNAL;
    switch (c->end) {
    case RV_MY_STOPPED:
        return rv_fail(err, RV_E_INTERRUPTED, "%s: interrupted", what);
    case RV_MY_SILENT:
        st = rv_fail(err, RV_E_SOURCE_CONNECT, "%s: nothing came from %s for too long", what,
                     c->opts.what);
        break;
    case RV_MY_LATE:
    case RV_MY_GOES_ON:
        st = rv_fail(err, RV_E_SOURCE_TIMEOUT, "%s: no answer from %s in time", what, c->opts.what);
        break;
    }
    if (err)
        err->retry = RV_RETRY_N;
    return st;
}

static void advise(unsigned code, rv_error *err)
{
    if (code == 1153 || code == CR_NET_PACKET_TOO_LARGE)
        rv_hint(err, "raise max_allowed_packet at the server above its largest row, or leave the "
                     "wide column out");
    else if (code == 1969 || code == 3024)
        rv_hint(err, "lower batch_size or chunk_size, or raise tuning.statement_timeout_s");
}

rv_status rv_my_fail(rv_my *c, MYSQL_STMT *stmt, const char *what, rv_error *err)
{
    /* an error among the rows stays with the connection alone */
    bool of_stmt = stmt && mysql_stmt_errno(stmt) != 0;
    unsigned code = of_stmt ? mysql_stmt_errno(stmt) : mysql_errno(&c->my);
    const char *text = of_stmt ? mysql_stmt_error(stmt) : mysql_error(&c->my);
    if (c->end != RV_MY_GOES_ON)
        return fail_given_up(c, what, err);
    code_class class_ = classify(code);
    /* a connection that stood is lost where TLS ends without a word */
    bool cut_off = code == CR_SSL_CONNECTION_ERROR && c->phase != RV_MY_CONNECTING;
    if (rv_my_ends_connection(code) || !c->my.net.pvio)
        rv_my_break(c);
    if (cut_off)
        class_ = (code_class){code, RV_RETRY_N, RV_E_SOURCE_CONNECT};
    else if (code == 0)
        class_ = (code_class){0, RV_RETRY_N, RV_E_SOURCE_CONNECT};
    else if (code == 1317 && c->timed_out)
        class_ = (code_class){code, RV_RETRY_T, RV_E_SOURCE_TIMEOUT};
    rv_status st =
        fail_text(c->env, class_, code, what, text[0] ? text : "the connection is lost", err);
    advise(code, err);
    return st;
}

/* ---- while connecting ---- */

static rv_status fail_refused(const rv_my *c, rv_error *err)
{
    const char *what = c->opts.what, *place = c->host_port;
    rv_status st = RV_OK;
    switch (c->refusal) {
    case RV_MY_NOT_REFUSED:
    case RV_MY_BAD_EXCHANGE:
        return rv_fail(err, RV_E_SOURCE_AUTH,
                       "cannot connect to %s (%s): the server's part of %s makes no sense", what,
                       place, c->refused_plugin);
    case RV_MY_UNKNOWN_PLUGIN:
        st = rv_fail(err, RV_E_SOURCE_AUTH,
                     "cannot connect to %s (%s): this account logs in by '%s', which this build "
                     "does not offer",
                     what, place, c->refused_plugin);
        rv_hint(err, "use an account with caching_sha2_password, sha256_password, "
                     "mysql_native_password, ed25519 or (over TLS) mysql_clear_password");
        return st;
    case RV_MY_NO_TLS:
        st = rv_fail(err, RV_E_SOURCE_TLS,
                     "cannot connect to %s (%s): TLS is asked for and the server offers none", what,
                     place);
        rv_hint(err, "turn TLS on at the server, or write tls: {mode: disable} to say that "
                     "plaintext is meant");
        return st;
    case RV_MY_TLS_DEMANDED:
        st = rv_fail(err, RV_E_SOURCE_TLS, "the connection to %s (%s) would not be encrypted", what,
                     place);
        rv_hint(err, "RIVET_REQUIRE_TLS=1 refuses it: turn TLS on at the server and do not write "
                     "disable, or unset the variable");
        return st;
    case RV_MY_RSA_PLAINTEXT:
    case RV_MY_CLEARTEXT:
        st = rv_fail(err, RV_E_SOURCE_TLS,
                     "cannot connect to %s (%s): %s would send the password over an unencrypted "
                     "connection%s",
                     what, place, c->refused_plugin,
                     c->refusal == RV_MY_RSA_PLAINTEXT ? " under a key that nobody vouches for"
                                                       : "");
        rv_hint(err, c->refusal == RV_MY_RSA_PLAINTEXT
                         ? "turn TLS on at the server (tls: {mode: require} or stricter), or write "
                           "tls: {mode: disable} to say that plaintext is meant"
                         : "turn TLS on at the server (tls: {mode: require} or stricter)");
        return st;
    }
    return st;
}

/* With TLS in sight libmariadb wraps what a server refuses with before the handshake: the number
 * behind "cannot be verified: " is the server's own. */
static unsigned wrapped_code(const char *text)
{
    static const char mark[] = "cannot be verified: ";
    const char *at = strstr(text, mark);
    return at ? (unsigned)strtoul(at + sizeof mark - 1, NULL, 10) : 0;
}

/* "Can't connect to server on 'h' (115)": the number is that of an attempt under way, not of its
 * failure. */
static const char *without_progress(const char *text, char *out, size_t size)
{
    static const char tail[] = " (115)";
    size_t n = strlen(text), m = sizeof tail - 1;
    if (n <= m || n >= size || strcmp(text + n - m, tail) != 0)
        return text;
    memcpy(out, text, n - m);
    out[n - m] = '\0';
    return out;
}

/* A line that was cut while TLS was on: nothing was judged that could fail for good. Where nobody
 * asked for a certificate to be verified, words about one are what libmariadb makes of a handshake
 * that ended in the middle. */
static bool tls_cut(const rv_my_opts *o, const char *text)
{
    bool judged = o->tls == RV_MY_TLS_VERIFY_CA || o->tls == RV_MY_TLS_VERIFY_FULL || o->ca_file ||
                  o->cert_file;
    static const char *const words[] = {"unexpected eof", "Connection reset", "Broken pipe",
                                        "Connection timed out", "Connection aborted"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strstr(text, words[i]))
            return true;
    return !judged && strstr(text, "certificate");
}

/* OpenSSL tells what it made of a file, not of which. */
static void name_files(const rv_my_opts *o, char *out, size_t size)
{
    size_t n = strlen(out);
    if (o->ca_file)
        n += (size_t)snprintf(out + n, size - n, "; authorities: %.300s", o->ca_file);
    if (o->cert_file && n < size)
        (void)snprintf(out + n, size - n, "; client certificate: %.300s", o->cert_file);
}

rv_status rv_my_fail_connect(rv_my *c, rv_error *err)
{
    char head[420], plain[1300];
    unsigned code = mysql_errno(&c->my);
    const char *text = mysql_error(&c->my);
    unsigned inner = wrapped_code(text);
    if (c->end == RV_MY_STOPPED)
        return rv_fail(err, RV_E_INTERRUPTED, "connecting to %s: interrupted", c->opts.what);
    if (c->refusal != RV_MY_NOT_REFUSED)
        return fail_refused(c, err);
    if (c->end != RV_MY_GOES_ON) {
        rv_status st =
            rv_fail(err, RV_E_SOURCE_CONNECT, "cannot connect to %s: %s did not answer in time",
                    c->opts.what, c->host_port);
        if (err)
            err->retry = RV_RETRY_N;
        return st;
    }
    if (!c->greeted && strstr(text, "restricted_auth"))
        return rv_fail(err, RV_E_SOURCE_OPEN,
                       "cannot connect to %s (%s): what answers there is no MySQL server, or one "
                       "before version 5.5",
                       c->opts.what, c->host_port);
    code_class class_ = classify(inner ? inner : code);
    /* what is unknown here may pass */
    if (class_.code == 0 || (class_.code == CR_SSL_CONNECTION_ERROR && tls_cut(&c->opts, text)))
        class_ = (code_class){code, RV_RETRY_N, RV_E_SOURCE_CONNECT};
    snprintf(head, sizeof head, "cannot connect to %s (%s)", c->opts.what, c->host_port);
    if (class_.status == RV_E_SOURCE_TLS) {
        snprintf(plain, sizeof plain, "%.600s", text);
        name_files(&c->opts, plain, sizeof plain);
        return fail_text(c->env, class_, inner ? inner : code, head, plain, err);
    }
    return fail_text(c->env, class_, inner ? inner : code, head,
                     without_progress(text, plain, sizeof plain), err);
}
