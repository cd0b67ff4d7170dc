/* URLs, sizes and durations. */
#include "cfgtest.h"

#include "config/config_internal.h"
#include "config/url.h"

RV_TEST(schemes)
{
    static const struct {
        rv_engine engine;
        const char *url, *scheme;
        bool matches;
    } cases[] = {
        {RV_ENGINE_POSTGRES, "postgresql://h/d", "postgresql", true},
        {RV_ENGINE_POSTGRES, "POSTGRES://h/d", "POSTGRES", true},
        {RV_ENGINE_POSTGRES, "host = h dbname=d", "", true},
        {RV_ENGINE_POSTGRES, "h/d", "", false},
        {RV_ENGINE_POSTGRES, "", "", false},
        {RV_ENGINE_MYSQL, "mariadb://h/d", "mariadb", true},
        {RV_ENGINE_MYSQL, "mysql:h", "", false},
        {RV_ENGINE_MYSQL, "host=h", "", false},
        {RV_ENGINE_MSSQL, "mssql://h", "mssql", true},
        {RV_ENGINE_MSSQL, "mysql://h", "mysql", false},
        {RV_ENGINE_SQLITE, "sqlite:a.db", "sqlite", true},
        {RV_ENGINE_SQLITE, "sqlite:///a.db", "sqlite", true},
        {RV_ENGINE_SQLITE, "/a.db", "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rv_str scheme = rv_url_scheme(rv_str_c(cases[i].url));
        CHECK_MEM(scheme.ptr, scheme.len, cases[i].scheme, strlen(cases[i].scheme));
        CHECK_EQ(rv_url_matches(cases[i].engine, rv_str_c(cases[i].url)), cases[i].matches);
    }
}

RV_TEST(passwords)
{
    static const char *const cases[][2] = {
        {"postgres://u:p@h/d", "p"},
        {"postgres://u:p@ss@h:1/d", "p@ss"},
        {"postgres://u:a:b@h", "a:b"},
        {"postgres://u@h/d", ""},
        {"postgres://h/d?x=a@b", ""},
        {"mysql://:x@h", "x"},
        {"host=h password=pw user=u", "pw"},
        {"postgresql://h/d?user=u&password=p%40w&x=1", "p%40w"},
        {"postgresql://h/d?sslpassword=no", ""},
        {"password='a b' host=h", "a b"},
        {"host=h", ""},
        {"", ""},
        {"sqlite:a:b@c", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rv_str got = rv_url_password(rv_str_c(cases[i][0]));
        CHECK_MEM(got.ptr, got.len, cases[i][1], strlen(cases[i][1]));
    }
}

RV_TEST(decoding)
{
    rv_arena a = RV_ARENA_INIT;
    rv_str out = {NULL, 0};
    CHECK(rv_url_decode(RV_STR("p%40%2Fx%zz%4"), &a, &out, NULL) == RV_OK);
    CHECK_MEM(out.ptr, out.len, "p@/x%zz%4", 9);
    rv_arena_free(&a);
}

RV_TEST(parameters)
{
    rv_str url = RV_STR("mysql://u:a?b@h/d?ssl_mode=x&&socket#f&g=1");
    size_t at = 0;
    rv_str name = {NULL, 0};
    CHECK(!rv_url_next_param(RV_STR("mysql://h/d"), &at, &name));
    at = 0;
    CHECK(rv_url_next_param(RV_STR("mysql://h/d?a=1&b"), &at, &name));
    CHECK_MEM(name.ptr, name.len, "a", 1);
    CHECK(rv_url_next_param(RV_STR("mysql://h/d?a=1&b"), &at, &name));
    CHECK_MEM(name.ptr, name.len, "b", 1);
    CHECK(!rv_url_next_param(RV_STR("mysql://h/d?a=1&b"), &at, &name));
    for (at = 0; rv_url_next_param(url, &at, &name);)
        CHECK(at <= url.len);
    CHECK(rv_url_param_known(RV_ENGINE_MYSQL, RV_STR("SSL_MODE")));
    CHECK(rv_url_param_known(RV_ENGINE_MSSQL, RV_STR("TrustServerCertificate")));
    CHECK(rv_url_param_known(RV_ENGINE_POSTGRES, RV_STR("target_session_attrs")));
    CHECK(!rv_url_param_known(RV_ENGINE_POSTGRES, RV_STR("SSLMODE")));
    CHECK(!rv_url_param_known(RV_ENGINE_POSTGRES, RV_STR("replication")));
    CHECK(!rv_url_param_known(RV_ENGINE_SQLITE, RV_STR("mode")));
}

RV_TEST(sqlite_paths)
{
    static const char *const cases[][2] = {
        {"sqlite:a/b.db", "/conf/a/b.db"},     {"sqlite:./b.db", "/conf/./b.db"},
        {"sqlite:/abs/b.db", "/abs/b.db"},     {"sqlite:///abs/b.db", "/abs/b.db"},
        {"sqlite:b.db?mode=ro", "/conf/b.db"},
    };
    rv_arena a = RV_ARENA_INIT;
    const char *out = NULL;
    rv_error err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK(rv_url_sqlite_path(rv_str_c(cases[i][0]), "/conf", &a, &out, &err) == RV_OK);
        CHECK_STR(out, cases[i][1]);
    }
    CHECK_EQ(rv_url_sqlite_path(RV_STR("sqlite:"), "/conf", &a, &out, &err),
             RV_E_CONFIG_NO_CONNECTION);
    rv_arena_free(&a);
}

RV_TEST(source_urls)
{
    cfgtest t;
    rv_error err;
    const char *out = NULL;
    REQUIRE(cfgtest_begin(&t));
    t.env[t.n_env++] = "URL= sqlite:x.db\n";
    t.env[t.n_env++] = "PG=postgres://u:hunter%32@h/d";
    t.env[t.n_env++] = "EMPTY=";
    rv_env env = {.secrets = t.secrets, .getenv = cfgtest_env, .getenv_ctx = &t};
    rv_cfg_source s = {.engine = RV_ENGINE_SQLITE, .url_env = "URL", .config_dir = t.dir};
    char want[128];
    (void)snprintf(want, sizeof want, "%s/x.db", t.dir);
    CHECK(rv_source_sqlite_path(&env, &s, &t.arena, &out, &err) == RV_OK);
    CHECK_STR(out, want);
    s.url_env = "EMPTY";
    CHECK_EQ(rv_source_sqlite_path(&env, &s, &t.arena, &out, &err), RV_E_CONFIG_NO_CONNECTION);
    CHECK_STR(err.text, "environment variable 'EMPTY', named by source.url_env, is not set");
    s.url_env = "PG";
    CHECK_EQ(rv_source_url(&env, &s, &t.arena, &out, &err), RV_E_CONFIG_SCHEME);
    CHECK_STR(err.text, "source type sqlite does not match URL scheme postgres");
    s.engine = RV_ENGINE_POSTGRES;
    CHECK(rv_source_url(&env, &s, &t.arena, &out, &err) == RV_OK);
    rv_buf masked = RV_BUF_INIT;
    CHECK(rv_secrets_redact(t.secrets, RV_STR("is hunter2 here"), &masked, NULL) == RV_OK);
    CHECK_STR(rv_buf_cstr(&masked), "is *** here");
    rv_buf_free(&masked);
    CHECK(cfgtest_write("url.txt", "  sqlite:/y.db \nrest\n", 21));
    s = (rv_cfg_source){.engine = RV_ENGINE_SQLITE, .url_file = "url.txt", .config_dir = t.dir};
    CHECK(rv_source_sqlite_path(&env, &s, &t.arena, &out, &err) == RV_OK);
    CHECK_STR(out, "/y.db");
    s.url_file = "none.txt";
    CHECK_EQ(rv_source_url(&env, &s, &t.arena, &out, &err), RV_E_CONFIG_NO_CONNECTION);
    cfgtest_end(&t);
}

RV_TEST(sizes)
{
    static const struct {
        const char *text;
        uint64_t bytes; /* 0: refused */
    } cases[] = {
        {"1", 1},
        {"100KB", 102400},
        {"512MB", 536870912},
        {"1GB", 1073741824},
        {"1.5kb", 1536},
        {"0.5 KB", 512},
        {" 2 b ", 2},
        {"1073741824", 1073741824},
        {"1.9", 1},
        {".5KB", 512},
        {"0", 0},
        {"0.9", 0},
        {"-1", 0},
        {"", 0},
        {"MB", 0},
        {"1TB", 0},
        {"1KiB", 0},
        {"1 2", 0},
        {"1e3", 0},
        {"99999999999999999999", 0},
        {"99999999999GB", 0},
        {".", 0},
        {"0.0001GB", 107374},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t got = 0;
        CHECK_EQ(rv_size_parse(rv_str_c(cases[i].text), &got), cases[i].bytes > 0);
        CHECK_EQ(got, cases[i].bytes);
    }
}

RV_TEST(durations)
{
    static const struct {
        const char *text;
        uint64_t seconds; /* 0: refused */
    } cases[] = {{"30s", 30},
                 {"5m", 300},
                 {"2h", 7200},
                 {"1d", 86400},
                 {"0s", 0},
                 {"-1s", 0},
                 {"5", 0},
                 {"5 m", 0},
                 {"m", 0},
                 {"", 0},
                 {"1.5h", 0},
                 {"5M", 0},
                 {"99999999999999999999d", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t got = 0;
        CHECK_EQ(rv_duration_parse(rv_str_c(cases[i].text), &got), cases[i].seconds > 0);
        CHECK_EQ(got, cases[i].seconds);
    }
}

RV_TEST_MAIN(RV_CASE(schemes), RV_CASE(passwords), RV_CASE(decoding), RV_CASE(parameters),
             RV_CASE(sqlite_paths), RV_CASE(source_urls), RV_CASE(sizes), RV_CASE(durations))
