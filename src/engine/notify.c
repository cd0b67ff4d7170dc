#include "engine/notify.h"

#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "net/http.h"

#define RV_TARGET "engine"
#define AFTER_US ((int64_t)5000000) /* longest wait that Slack may ask for */
#define REPLY_MAX 200
#define PATH_SECRET_MIN 8

bool rv_notify_matches(const rv_cfg_slack *slack, const rv_export_report *r)
{
    bool changed = r->schema_changed == 1 || r->error.code == RV_E_SCHEMA_DRIFT;
    bool failed = r->exit_code != 0 && r->error.code != RV_E_INTERRUPTED;
    return (slack->on_failure && failed) || (slack->on_schema_change && changed) ||
           (slack->on_degraded && strcmp(r->status, "degraded") == 0);
}

/* ---- the message ---- */

/* Slack reads these three as its own marks. */
static rv_status escape(rv_str text, rv_buf *out, rv_error *err)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        const char *mark = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : NULL;
        RV_TRY(mark ? rv_buf_add_c(out, mark, err) : rv_buf_add_byte(out, (uint8_t)c, err));
    }
    return RV_OK;
}

static rv_status write_facts(const rv_export_report *r, rv_buf *out, rv_error *err)
{
    char duration[32];
    rv_duration_text(r->duration_ms, duration);
    const char *changed = r->schema_changed < 0 ? "unknown" : r->schema_changed ? "yes" : "no";
    if (r->error.code == RV_E_SCHEMA_DRIFT)
        changed = "yes";
    RV_TRY(rv_buf_printf(out, err,
                         "rivet: export '%s' %s\nrun: %s\nstatus: %s\nrows: %lld\nduration: %s\n"
                         "schema changed: %s",
                         r->export_name, r->status, r->run_id ? r->run_id : "none", r->status,
                         (long long)(r->rows > 0 ? r->rows : 0), duration, changed));
    if (r->error.code == RV_OK)
        return RV_OK;
    return rv_buf_printf(out, err, "\nerror: [%s] %s", rv_code(r->error.code)->name, r->error.text);
}

rv_status rv_notify_message(const rv_env *env, const rv_export_report *r, rv_buf *out,
                            rv_error *err)
{
    rv_status st;
    rv_json j;
    rv_buf facts = RV_BUF_INIT, clean = RV_BUF_INIT, text = RV_BUF_INIT;
    RV_GO(write_facts(r, &facts, err));
    RV_GO(rv_secrets_redact(env->secrets, rv_buf_str(&facts), &clean, err));
    RV_GO(escape(rv_buf_str(&clean), &text, err));
    rv_json_begin(&j, out, false);
    rv_json_object(&j);
    rv_json_key(&j, "text");
    rv_json_str(&j, rv_buf_str(&text));
    rv_json_object_end(&j);
    st = rv_json_end(&j, err);
done:
    rv_buf_free(&facts);
    rv_buf_free(&clean);
    rv_buf_free(&text);
    return st;
}

/* ---- the address ---- */

static rv_str host_of(rv_str url)
{
    const char *start = memmem(url.ptr, url.len, "://", 3);
    size_t skip = start ? (size_t)(start + 3 - url.ptr) : url.len;
    rv_str rest = {url.ptr + skip, url.len - skip};
    size_t n = 0;
    while (n < rest.len && !strchr("/?#", rest.ptr[n]))
        n++;
    const char *at = n ? memrchr(rest.ptr, '@', n) : NULL;
    size_t from = at ? (size_t)(at + 1 - rest.ptr) : 0;
    return (rv_str){rest.ptr + from, n - from};
}

static bool is_here(rv_str host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        rv_str name = rv_str_c(names[i]);
        if (rv_str_starts(host, name) && (host.len == name.len || host.ptr[name.len] == ':'))
            return true;
    }
    return false;
}

/* The whole of it, and the path, which is the secret part of a webhook. */
static rv_status keep_secret(const rv_env *env, rv_str url, rv_error *err)
{
    rv_str host = host_of(url);
    rv_str path = {host.ptr + host.len, (size_t)(url.ptr + url.len - (host.ptr + host.len))};
    if (!env->secrets)
        return RV_OK;
    RV_TRY(rv_secrets_add(env->secrets, url, err));
    return path.len >= PATH_SECRET_MIN ? rv_secrets_add(env->secrets, path, err) : RV_OK;
}

static rv_status find(const rv_env *env, const rv_cfg_slack *slack, rv_arena *arena,
                      const char **out, rv_error *err)
{
    if (slack->webhook_unresolved) /* for want of a value, when the file was read */
        return rv_cfg_unseal(env, slack->webhook_url, arena, out, err);
    *out = slack->webhook_url ? slack->webhook_url : rv_env_get(env, slack->webhook_url_env);
    if (*out && (*out)[0])
        return RV_OK;
    return rv_fail(
        err, RV_E_CONFIG_UNRESOLVED,
        "the environment variable %s of notifications.slack.webhook_url_env has no value",
        slack->webhook_url_env);
}

rv_status rv_notify_address(const rv_env *env, const rv_cfg_slack *slack, rv_arena *arena,
                            const char **out, rv_error *err)
{
    const char *found = NULL;
    RV_TRY(find(env, slack, arena, &found, err));
    rv_str url = rv_str_trim(rv_str_c(found)); /* a secret out of a file ends in a line feed */
    RV_TRY(keep_secret(env, url, err));
    bool safe = rv_str_starts(url, RV_STR("https://")) ||
                (rv_str_starts(url, RV_STR("http://")) && is_here(host_of(url)));
    if (!safe)
        return rv_fail(err, RV_E_HTTP_REQUEST,
                       "the webhook is no https:// address; http:// serves this machine alone");
    return rv_arena_cstr(arena, url, out, err);
}

/* ---- delivery ---- */

rv_status rv_notify_post(const rv_env *env, const char *url, rv_str message, int64_t timeout_us,
                         rv_error *err)
{
    static const rv_http_header json = {"Content-Type", "application/json; charset=utf-8"};
    const rv_http_retry retry = {.tries = 2, .after_us = AFTER_US, .idempotent = true};
    const rv_http_opts opts = {.connect_timeout_us = timeout_us};
    const rv_http_request req = {.method = "POST",
                                 .url = url,
                                 .headers = &json,
                                 .n_headers = 1,
                                 .body = {.kind = RV_HTTP_BYTES, .bytes = rv_str_bytes(message)},
                                 .timeout_us = timeout_us,
                                 .max_body = REPLY_MAX * 1024,
                                 .direct = is_here(host_of(rv_str_c(url))),
                                 .secret_path = true};
    rv_http *http = NULL;
    rv_http_response r = RV_HTTP_RESPONSE_INIT;
    RV_TRY(rv_http_open(env, &opts, &http, err));
    rv_status st = rv_http_send_retry(http, &req, &retry, &r, err);
    if (st == RV_OK && (r.status < 200 || r.status > 299)) {
        rv_str said = rv_str_trim(rv_buf_str(&r.body));
        said.len = said.len > REPLY_MAX ? 0 : said.len; /* a page of HTML says nothing */
        st = rv_http_fail(&req, &r, RV_E_HTTP_STATUS, said, err);
    }
    rv_http_response_free(&r);
    rv_http_close(http);
    return st;
}

void rv_notify_export(const rv_env *env, const rv_cfg *cfg, const rv_run_opts *opts,
                      const rv_export_report *r)
{
    rv_error err = {0};
    rv_arena arena = RV_ARENA_INIT;
    rv_buf message = RV_BUF_INIT;
    const char *url = NULL;
    if (opts->no_notify || !cfg->slack.written || !rv_notify_matches(&cfg->slack, r))
        return;
    rv_status st;
    RV_GO(rv_notify_address(env, &cfg->slack, &arena, &url, &err));
    RV_GO(rv_notify_message(env, r, &message, &err));
    RV_GO(rv_notify_post(env, url, rv_buf_str(&message), RV_NOTIFY_TIMEOUT_US, &err));
    RV_LOG_INFO(env, "export '%s': Slack was told: %s", r->export_name, r->status);
done:
    if (st != RV_OK)
        RV_LOG_WARN(env, "export '%s': the notification was not delivered: %s", r->export_name,
                    err.text);
    rv_buf_free(&message);
    rv_arena_free(&arena);
}
