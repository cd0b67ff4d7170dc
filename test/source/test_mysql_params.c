/* How a configuration names a MySQL server. Spec "config" section 3. */
#include "rvtest.h"
#include "source/mysql/session_internal.h"

typedef struct form {
    rv_env env;
    rv_arena arena;
    rv_cfg_source cfg;
    rv_my_opts out;
    rv_error err;
} form;

static form new_form(const char *url)
{
    return (form){.arena = RV_ARENA_INIT,
                  .cfg = {.engine = RV_ENGINE_MYSQL, .url = url, .config_dir = "/conf"}};
}

static rv_status read_form(form *f)
{
    rv_error_clear(&f->err);
    f->out = (rv_my_opts){0};
    return rv_mys_params(&f->env, &f->cfg, &f->arena, &f->out, &f->err);
}

static const char *shown(const char *text)
{
    return text ? text : "(none)";
}

RV_TEST(parts_of_a_url)
{
    static const struct {
        const char *url, *host, *user, *password, *database;
        unsigned port;
    } cases[] = {
        {"mysql://u:p@db.example:3307/shop", "db.example", "u", "p", "shop", 3307},
        {"mariadb://u@h/", "h", "u", NULL, NULL, 3306},
        {"mysql://h", "h", NULL, NULL, NULL, 3306},
        {"MYSQL://u:@h:1", "h", "u", "", NULL, 1},
        {"mysql://u:p%40q%2f@h/a%20b", "h", "u", "p@q/", "a b", 3306},
        {"mysql://u:p@q@h/d", "h", "u", "p@q", "d", 3306},
        {"mysql://u:a:b@h/d?", "h", "u", "a:b", "d", 3306},
        {"mysql://u@[::1]:3307/d", "::1", "u", NULL, "d", 3307},
        {"mysql://u@[fe80::1]/d#fragment?socket=/x", "fe80::1", "u", NULL, "d", 3306},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        form f = new_form(cases[i].url);
        CHECK(rvtest_check(read_form(&f) == RV_OK, __FILE__, __LINE__, cases[i].url));
        CHECK_STR(f.out.host, cases[i].host);
        CHECK_EQ(f.out.port, cases[i].port);
        CHECK_STR(shown(f.out.user), shown(cases[i].user));
        CHECK_STR(shown(f.out.password), shown(cases[i].password));
        CHECK_STR(shown(f.out.database), shown(cases[i].database));
        CHECK_EQ(f.out.tls, RV_MY_TLS_PREFER);
        rv_arena_free(&f.arena);
    }
}

RV_TEST(urls_that_cannot_be_read)
{
    static const struct {
        const char *url;
        rv_status want;
    } cases[] = {{"mysql://", RV_E_CONFIG_SCHEME},
                 {"mysql://u:p@/d", RV_E_CONFIG_SCHEME},
                 {"mysql://u@h:x/d", RV_E_CONFIG_SCHEME},
                 {"mysql://u@h:0/d", RV_E_CONFIG_SCHEME},
                 {"mysql://u@h:65536/d", RV_E_CONFIG_SCHEME},
                 {"mysql://u@[::1/d", RV_E_CONFIG_SCHEME},
                 {"mysql://u@[::1]x/d", RV_E_CONFIG_SCHEME},
                 {"mysql://u@a,b/d", RV_E_CONFIG_SCHEME},
                 {"mysql://u:%00@h/d", RV_E_CONFIG_SCHEME},
                 {"postgres://u@h/d", RV_E_CONFIG_SCHEME},
                 {"mysql://u@h/d?ssl-mode=maybe", RV_E_CONFIG_ENUM},
                 {"mysql://u@h/d?connect-timeout=soon", RV_E_CONFIG_SCHEME},
                 {"mysql://u@h/d?ssl-ca=/nonexistent/ca.pem", RV_E_SOURCE_TLS},
                 {"mysql://u@h/d?ssl-cert=/nonexistent/c.pem", RV_E_SOURCE_TLS}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        form f = new_form(cases[i].url);
        CHECK(rvtest_eq_i64(read_form(&f), cases[i].want, __FILE__, __LINE__, cases[i].url));
        rv_arena_free(&f.arena);
    }
}

RV_TEST(parameters)
{
    form f =
        new_form("mysql://u@h/d?SSL_Mode=VERIFY_IDENTITY&ssl_ca=/etc/hostname&"
                 "Connect_Timeout=7&compression=zlib&tls-version=TLSv1.3&charset=latin1&x=1&y");
    CHECK_EQ(read_form(&f), RV_OK);
    CHECK_EQ(f.out.tls, RV_MY_TLS_VERIFY_FULL);
    CHECK_STR(f.out.ca_file, "/etc/hostname");
    CHECK_EQ(f.out.connect_timeout_us, 7000000);
    CHECK(f.out.compress);
    CHECK_STR(f.out.tls_version, "TLSv1.3");
    rv_arena_free(&f.arena);
    f = new_form("mysql://u@/d?socket=%2Ftmp%2Fs&compression=false");
    CHECK_EQ(read_form(&f), RV_OK);
    CHECK_STR(f.out.socket, "/tmp/s");
    CHECK(!f.out.compress);
    rv_arena_free(&f.arena);
}

RV_TEST(modes_of_a_url)
{
    static const struct {
        const char *url;
        rv_my_tls want;
    } cases[] = {{"mysql://h/?sslmode=disable", RV_MY_TLS_DISABLE},
                 {"mysql://h/?ssl-mode=DISABLED", RV_MY_TLS_DISABLE},
                 {"mysql://h/?ssl-mode=preferred", RV_MY_TLS_PREFER},
                 {"mysql://h/?ssl-mode=REQUIRED", RV_MY_TLS_REQUIRE},
                 {"mysql://h/?ssl-mode=required&ssl-ca=/etc/hostname", RV_MY_TLS_REQUIRE},
                 {"mysql://h/?ssl-mode=VERIFY_CA&ssl-ca=/etc/hostname", RV_MY_TLS_VERIFY_CA},
                 {"mysql://h/?sslmode=verify-full&ssl-ca=/etc/hostname", RV_MY_TLS_VERIFY_FULL},
                 /* to name authorities is to ask for their word */
                 {"mysql://h/?ssl-ca=/etc/hostname", RV_MY_TLS_VERIFY_CA}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        form f = new_form(cases[i].url);
        CHECK(rvtest_eq_i64(read_form(&f), RV_OK, __FILE__, __LINE__, cases[i].url));
        CHECK_EQ(f.out.tls, cases[i].want);
        bool verify =
            cases[i].want == RV_MY_TLS_VERIFY_CA || cases[i].want == RV_MY_TLS_VERIFY_FULL;
        CHECK_EQ(f.out.ca_file != NULL, verify);
        rv_arena_free(&f.arena);
    }
}

/* The block wins over the URL as a whole. */
RV_TEST(tls_block)
{
    static const struct {
        rv_cfg_tls tls;
        rv_my_tls want;
    } cases[] = {{{.written = true, .ca_file = "/etc/hostname"}, RV_MY_TLS_VERIFY_FULL},
                 {{.written = true, .mode = RV_TLS_DISABLE}, RV_MY_TLS_DISABLE},
                 {{.written = true, .mode = RV_TLS_PREFER}, RV_MY_TLS_PREFER},
                 {{.written = true, .mode = RV_TLS_REQUIRE}, RV_MY_TLS_REQUIRE},
                 {{.written = true, .accept_invalid_certs = true}, RV_MY_TLS_REQUIRE},
                 {{.written = true, .accept_invalid_hostnames = true, .ca_file = "/etc/hostname"},
                  RV_MY_TLS_VERIFY_CA}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        form f = new_form("mysql://h/?ssl-mode=verify_ca&ssl-ca=/nonexistent");
        f.cfg.tls = cases[i].tls;
        CHECK_EQ(read_form(&f), RV_OK);
        CHECK_EQ(f.out.tls, cases[i].want);
        rv_arena_free(&f.arena);
    }
    form f = new_form("mysql://h/");
    f.cfg.tls = (rv_cfg_tls){
        .written = true, .mode = RV_TLS_REQUIRE, .cert_file = "c.pem", .key_file = "/k.pem"};
    CHECK_EQ(read_form(&f), RV_E_SOURCE_TLS);
    CHECK(strstr(f.err.text, "'/conf/c.pem' cannot be read") != NULL);
    rv_arena_free(&f.arena);
}

static const char *one_variable(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "MY_PASSWORD") == 0 ? "from env" : NULL;
}

RV_TEST(structured_forms)
{
    form f = new_form(NULL);
    f.env.getenv = one_variable;
    f.cfg.host = "h";
    f.cfg.user = "u";
    f.cfg.database = "d";
    f.cfg.port = 3309;
    CHECK_EQ(read_form(&f), RV_OK);
    CHECK_STR(f.out.host, "h");
    CHECK_EQ(f.out.port, 3309);
    CHECK(f.out.password == NULL);
    f.cfg.password_env = "MY_PASSWORD";
    CHECK_EQ(read_form(&f), RV_OK);
    CHECK_STR(f.out.password, "from env");
    f.cfg.password_env = "UNSET";
    CHECK_EQ(read_form(&f), RV_E_CONFIG_NO_CONNECTION);
    f.cfg.password_env = NULL;
    f.cfg.password_command = "echo 'from command'; echo more";
    CHECK_EQ(read_form(&f), RV_OK);
    CHECK_STR(f.out.password, "from command");
    f.cfg.password_command = "exit 3";
    CHECK_EQ(read_form(&f), RV_E_SOURCE_AUTH);
    rv_arena_free(&f.arena);
}

RV_TEST_MAIN(RV_CASE(parts_of_a_url), RV_CASE(urls_that_cannot_be_read), RV_CASE(parameters),
             RV_CASE(modes_of_a_url), RV_CASE(tls_block), RV_CASE(structured_forms))
