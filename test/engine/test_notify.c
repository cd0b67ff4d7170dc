/* Notifications against a scripted webhook. */
#include "engine/notify.h"

#include "base/clock.h"
#include "base/fault.h"
#include "enginetest.h"
#include "http_peer.h"
#include "rvtest.h"

#define PATH "/services/T000/B000/planted-hook"

static rv_export_report failed(void)
{
    rv_export_report r = {.export_name = "orders",
                          .status = "failed",
                          .run_id = "orders_20260502T080000.117",
                          .rows = 1234,
                          .duration_ms = 1300,
                          .schema_changed = -1,
                          .exit_code = 2};
    (void)rv_fail(&r.error, RV_E_SOURCE_CONNECT, "no <route> to host & \"none\" else");
    return r;
}

RV_TEST(occasions)
{
    const rv_cfg_slack all = {.on_failure = true, .on_schema_change = true, .on_degraded = true};
    const rv_cfg_slack failure = {.on_failure = true}, change = {.on_schema_change = true},
                       degraded = {.on_degraded = true};
    rv_export_report good = {.status = "success", .schema_changed = 0}, r = failed();
    CHECK(!rv_notify_matches(&all, &good));
    CHECK(rv_notify_matches(&failure, &r));
    CHECK(!rv_notify_matches(&change, &r) && !rv_notify_matches(&degraded, &r));
    r.error.code = RV_E_SCHEMA_DRIFT; /* fails before the flag is set */
    CHECK(rv_notify_matches(&change, &r) && rv_notify_matches(&failure, &r));
    r.error.code = RV_E_INTERRUPTED;
    CHECK(!rv_notify_matches(&all, &r));
    good.schema_changed = 1;
    CHECK(rv_notify_matches(&change, &good) && !rv_notify_matches(&failure, &good));
    good = (rv_export_report){.status = "degraded", .schema_changed = -1};
    CHECK(rv_notify_matches(&degraded, &good) && !rv_notify_matches(&failure, &good));
    good.status = "skipped";
    CHECK(!rv_notify_matches(&all, &good));
}

RV_TEST(the_message_names_the_facts)
{
    place p;
    rv_error err = {0};
    rv_buf out = RV_BUF_INIT;
    rv_export_report r = failed();
    REQUIRE(place_open(&p));
    CHECK_EQ(rv_secrets_add(p.secrets, RV_STR("route"), &err), RV_OK);
    CHECK_EQ(rv_notify_message(&p.env, &r, &out, &err), RV_OK);
    CHECK_STR(rv_buf_cstr(&out),
              "{\"text\":\"rivet: export 'orders' failed\\nrun: orders_20260502T080000.117\\n"
              "status: failed\\nrows: 1234\\nduration: 1.3s\\nschema changed: unknown\\n"
              "error: [RIVET_SOURCE_CONNECT] no &lt;***&gt; to host &amp; \\\"none\\\" else\"}");
    rv_buf_clear(&out);
    r = (rv_export_report){.export_name = "x", .status = "degraded", .rows = -1};
    CHECK_EQ(rv_notify_message(&p.env, &r, &out, &err), RV_OK);
    CHECK_STR(rv_buf_cstr(&out),
              "{\"text\":\"rivet: export 'x' degraded\\nrun: none\\nstatus: degraded\\nrows: 0\\n"
              "duration: 0ms\\nschema changed: no\"}");
    rv_buf_free(&out);
    place_close(&p);
}

static const char *hook_var(void *ctx, const char *name)
{
    return strcmp(name, "HOOK") == 0 ? ctx : NULL;
}

static rv_status address(place *p, const char *url, const char *var, const char *value,
                         rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    char copy[128] = "";
    const char *out = NULL;
    if (value)
        (void)snprintf(copy, sizeof copy, "%s", value);
    p->env.getenv = hook_var;
    p->env.getenv_ctx = value ? copy : NULL;
    const rv_cfg_slack slack = {
        .webhook_url = url, .webhook_url_env = var, .webhook_unresolved = url && strchr(url, '$')};
    rv_status st = rv_notify_address(&p->env, &slack, &arena, &out, err);
    if (st == RV_OK)
        CHECK(out && strchr(out, '\n') == NULL);
    rv_arena_free(&arena);
    return st;
}

RV_TEST(addresses)
{
    place p;
    rv_error err = {0};
    rv_buf masked = RV_BUF_INIT;
    REQUIRE(place_open(&p));
    CHECK_EQ(address(&p, "https://hooks.slack.com" PATH, NULL, NULL, &err), RV_OK);
    CHECK_EQ(address(&p, NULL, "HOOK", "https://hooks.slack.com/services/other\n", &err), RV_OK);
    CHECK_EQ(address(&p, "https://hooks.slack.com/${HOOK}", NULL, "filled-in", &err), RV_OK);
    CHECK_EQ(address(&p, NULL, "HOOK", NULL, &err), RV_E_CONFIG_UNRESOLVED);
    CHECK(strstr(err.text, "HOOK") != NULL);
    CHECK_EQ(address(&p, NULL, "HOOK", "", &err), RV_E_CONFIG_UNRESOLVED);
    CHECK_EQ(address(&p, "https://h/${HOOK}", NULL, NULL, &err), RV_E_CONFIG_UNRESOLVED);
    CHECK(strstr(err.text, "${HOOK}") != NULL);
    static const char *const here[] = {"http://127.0.0.1:8080/x", "http://localhost/x",
                                       "http://[::1]:1/x"};
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(address(&p, here[i], NULL, NULL, &err), RV_OK);
    static const char *const bad[] = {("http://hooks.slack.com" PATH),
                                      "http://localhost.evil.test/x",
                                      "http://127.0.0.1@evil.test/x", "ftp://127.0.0.1/x", "hooks"};
    for (size_t i = 0; i < 5; i++)
        CHECK_EQ(address(&p, bad[i], NULL, NULL, &err), RV_E_HTTP_REQUEST);
    CHECK_EQ(rv_secrets_redact(p.secrets, RV_STR("at " PATH " and https://hooks.slack.com" PATH),
                               &masked, &err),
             RV_OK);
    CHECK(rv_str_eq(rv_buf_str(&masked), RV_STR("at *** and ***")));
    rv_buf_free(&masked);
    place_close(&p);
}

RV_TEST(delivery)
{
    char type[64];
    place p;
    rv_error err = {0};
    http_peer *peer = http_peer_start(NULL);
    REQUIRE(peer && place_open(&p));
    const char *url = http_peer_url(peer, PATH);
    http_peer_say(peer, (http_answer){.body = "ok"});
    CHECK_EQ(rv_notify_post(&p.env, url, RV_STR("{\"text\":\"x\"}"), 2000000, &err), RV_OK);
    const http_seen *s = http_peer_request(peer, 0);
    REQUIRE(s);
    CHECK_STR(s->method, "POST");
    CHECK_STR(s->target, PATH);
    CHECK_MEM(s->body, s->body_len, "{\"text\":\"x\"}", 12);
    CHECK(http_seen_header(s, "Content-Type", type, sizeof type) &&
          strncmp(type, "application/json", 16) == 0);
    http_peer_say(peer, (http_answer){.status = 500});
    http_peer_say(peer, (http_answer){.body = "ok"});
    CHECK_EQ(rv_notify_post(&p.env, url, RV_STR("{}"), 2000000, &err), RV_OK);
    CHECK_EQ(http_peer_count(peer), 3);
    http_peer_say(peer, (http_answer){.status = 404, .body = "no_service"});
    CHECK_EQ(rv_notify_post(&p.env, url, RV_STR("{}"), 2000000, &err), RV_E_HTTP_STATUS);
    CHECK_EQ(http_peer_count(peer), 4); /* no second try */
    CHECK(strstr(err.text, "/***: 404 no_service") != NULL);
    CHECK(strstr(err.text, "planted") == NULL);
    http_peer_say(peer, (http_answer){.status = 503, .repeat = HTTP_FOREVER});
    CHECK_EQ(rv_notify_post(&p.env, url, RV_STR("{}"), 2000000, &err), RV_E_HTTP_STATUS);
    CHECK_EQ(http_peer_count(peer), 6); /* one retry */
    http_peer_say(peer, (http_answer){.hang = true, .repeat = HTTP_FOREVER});
    int64_t began = rv_clock_mono_us();
    CHECK_EQ(rv_notify_post(&p.env, url, RV_STR("{}"), 200000, &err), RV_E_HTTP_TIMEOUT);
    CHECK(rv_clock_mono_us() - began < 2500000);
    CHECK(strstr(err.text, "planted") == NULL);
    place_close(&p);
    http_peer_stop(peer);
}

/* ---- whole runs ---- */

static int run_with(place *p, http_peer *peer, const char *query, const char *on, bool no_notify)
{
    char text[700];
    rv_error err = {0};
    (void)snprintf(text, sizeof text,
                   YAML_HEAD("") "  - {name: x, query: \"%s\", format: csv, destination: {type: "
                                 "local, path: %s/out}}\n"
                                 "notifications: {slack: {webhook_url: '%s', on: [%s]}}\n",
                   query, p->dir, http_peer_url(peer, PATH), on);
    CHECK(place_write(p, "rivet.yaml", text));
    return place_run(p, (rv_run_opts){.no_notify = no_notify}, &err);
}

RV_TEST(runs_tell_what_they_should)
{
    place p;
    http_peer *peer = http_peer_start(NULL);
    REQUIRE(peer && place_open(&p) && place_sql(&p, ROWS_SQL(10)));
    http_peer_say(peer, (http_answer){.body = "ok", .repeat = HTTP_FOREVER});
    CHECK_EQ(run_with(&p, peer, "SELECT id FROM t", "failure, schema_change, degraded", false), 0);
    CHECK_EQ(http_peer_count(peer), 0);
    CHECK_EQ(run_with(&p, peer, "SELECT nothing FROM t", "failure", false), 1);
    CHECK_EQ(http_peer_count(peer), 1);
    CHECK_EQ(run_with(&p, peer, "SELECT nothing FROM t", "schema_change, degraded", false), 1);
    CHECK_EQ(run_with(&p, peer, "SELECT nothing FROM t", "failure", true), 1);
    CHECK_EQ(http_peer_count(peer), 1);
    CHECK_EQ(run_with(&p, peer, "SELECT id, name FROM t", "schema_change", false), 0);
    CHECK_EQ(http_peer_count(peer), 2);
    const http_seen *s = http_peer_request(peer, 1);
    REQUIRE(s);
    CHECK(strstr((const char *)s->body, "schema changed: yes") != NULL);
    CHECK(strstr((const char *)s->body, "rows: 10") != NULL);
    http_peer_say(peer, (http_answer){.status = 404, .repeat = HTTP_FOREVER});
    CHECK_EQ(run_with(&p, peer, "SELECT id FROM t", "schema_change", false), 0); /* told in vain */
    CHECK_EQ(http_peer_count(peer), 3);
    place_close(&p);
    http_peer_stop(peer);
}

RV_TEST(every_allocation_may_fail)
{
#ifdef RV_FAULTS
    place p;
    http_peer *peer = http_peer_start(NULL);
    REQUIRE(peer && place_open(&p));
    const char *url = http_peer_url(peer, PATH);
    const rv_export_report r = failed();
    const rv_run_opts opts = {0};
    rv_cfg cfg = {.slack = {.written = true, .on_failure = true, .webhook_url = url}};
    http_peer_say(peer, (http_answer){.cut = true, .repeat = HTTP_FOREVER});
    long n = 1;
    rv_cancel_raise(p.cancel, 15); /* the client is tested in its room */
    for (; n < 1000; n++) {
        rv_fault_set_alloc(n, false);
        rv_notify_export(&p.env, &cfg, &opts, &r);
        long seen = rv_fault_seen_alloc();
        rv_fault_set_alloc(0, false);
        if (seen < n)
            break;
    }
    CHECK(n > 10 && n < 1000);
    place_close(&p);
    http_peer_stop(peer);
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(occasions), RV_CASE(the_message_names_the_facts), RV_CASE(addresses),
             RV_CASE(delivery), RV_CASE(runs_tell_what_they_should),
             RV_CASE(every_allocation_may_fail))
