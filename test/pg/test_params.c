/* URL and keyword form to libpq parameters. Spec "config" section 3, "cli" section 1 (secrets). */
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "pg/pg.h"
#include "rvtest.h"

typedef struct parsing {
    rv_env env;
    rv_arena arena;
    rv_pg_param *items;
    size_t n;
    rv_error err;
} parsing;

static bool begin(parsing *p)
{
    *p = (parsing){.arena = RV_ARENA_INIT};
    return rvtest_check(rv_secrets_open(&p->env.secrets, &p->err) == RV_OK, __FILE__, __LINE__,
                        "secrets");
}

static void end(parsing *p)
{
    rv_arena_free(&p->arena);
    rv_secrets_close(p->env.secrets);
}

static rv_status parse(parsing *p, const char *url)
{
    p->items = NULL;
    p->n = 0;
    rv_error_clear(&p->err);
    return rv_pg_params_parse(&p->env, url, &p->arena, &p->items, &p->n, &p->err);
}

/* Later ones win, as libpq does it. */
static const char *value(const parsing *p, const char *key)
{
    const char *found = "";
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->items[i].key, key) == 0)
            found = p->items[i].value;
    return found;
}

static void check_hidden(const parsing *p, const char *secret)
{
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_secrets_redact(p->env.secrets, rv_str_c(secret), &out, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&out), "***");
    rv_buf_free(&out);
}

/* url, then the values of user, password, host, port, dbname, sslmode */
static const char *const forms[][7] = {
    {"postgresql://u:pw1@h:5433/d", "u", "pw1", "h", "5433", "d", ""},
    {"POSTGRES://u@h", "u", "", "h", "", "", ""},
    {"postgres://u:p@ss:w@rd@h/d", "u", "p@ss:w@rd", "h", "", "d", ""},
    {"postgres://us%40er:p%40ss%2f@h/d", "us@er", "p@ss/", "h", "", "d", ""},
    {"postgres://u:100%@h/d", "u", "100%", "h", "", "d", ""},
    {"postgres://u:@h/d", "u", "", "h", "", "d", ""},
    {"postgresql://h1:1,h2:2/d?sslmode=require", "", "", "h1,h2", "1,2", "d", "require"},
    {"postgresql://[::1]:5432/d", "", "", "::1", "5432", "d", ""},
    {"postgresql:///d?host=/var/run/postgresql&user=me", "me", "", "/var/run/postgresql", "", "d",
     ""},
    {"postgresql://u@h/d%20b?sslmode=verify%2Dfull", "u", "", "h", "", "d b", "verify-full"},
    {"postgresql://h?ssl=true", "", "", "h", "", "", "require"},
    {"  postgresql://u@h/d  ", "u", "", "h", "", "d", ""},
    {"host=h port=5433 user=u password='p w\\'d' dbname = d", "u", "p w'd", "h", "5433", "d", ""},
    {"host=h password=a\\ b user=''", "", "a b", "h", "", "", ""},
    {"", "", "", "", "", "", ""},
};

RV_TEST(forms_of_both_kinds)
{
    static const char *const keys[] = {"user", "password", "host", "port", "dbname", "sslmode"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        parsing p;
        REQUIRE(begin(&p));
        CHECK_EQ(parse(&p, forms[i][0]), RV_OK);
        for (size_t k = 0; k < 6; k++)
            CHECK_STR(value(&p, keys[k]), forms[i][k + 1]);
        end(&p);
    }
}

RV_TEST(passwords_are_remembered)
{
    parsing p;
    REQUIRE(begin(&p));
    CHECK_EQ(parse(&p, "postgres://u:p%40ss@word@h/d?sslpassword=key%21pass"), RV_OK);
    check_hidden(&p, "p%40ss@word");
    check_hidden(&p, "p@ss@word");
    check_hidden(&p, "key!pass");
    CHECK_EQ(parse(&p, "host=h password='blank inside'"), RV_OK);
    check_hidden(&p, "blank inside");
    end(&p);
}

RV_TEST(unknown_and_refused_parameters)
{
    parsing p;
    REQUIRE(begin(&p));
    CHECK_EQ(
        parse(&p, "postgres://h/d?replication=true&foo=1&connect_timeout=3&=x&&options=-c%20a%3D1"),
        RV_OK);
    CHECK_STR(value(&p, "replication"), "");
    CHECK_STR(value(&p, "foo"), "");
    CHECK_STR(value(&p, "connect_timeout"), "3");
    CHECK_STR(value(&p, "options"), "-c a=1"); /* what the user wrote goes on */
    CHECK_EQ(parse(&p, "host=h replication=database nonsense='x y' user=u"), RV_OK);
    CHECK_STR(value(&p, "replication"), "");
    CHECK_STR(value(&p, "user"), "u");
    end(&p);
}

RV_TEST(malformed)
{
    static const char *const bad[] = {"host",
                                      "host=h port",
                                      "=h",
                                      "host='no end",
                                      "postgres://u:sec%00ret@h/d",
                                      "postgres://[::1/d",
                                      "postgres://h/d?options=%00",
                                      "host=h password='sesame"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        parsing p;
        REQUIRE(begin(&p));
        CHECK_EQ(parse(&p, bad[i]), RV_E_CONFIG_SCHEME);
        CHECK(strstr(p.err.text, "sec") == NULL && strstr(p.err.text, "sesame") == NULL);
        CHECK(p.items == NULL);
        end(&p);
    }
}

RV_TEST(survives_every_failed_allocation)
{
#ifdef RV_FAULTS
    rv_status st = RV_E_MEMORY;
    for (long n = 1; st != RV_OK && n < 200; n++) {
        parsing p;
        REQUIRE(begin(&p));
        rv_fault_set_alloc(n, false);
        st = parse(&p, "postgres://user:p%40ssword@h1,h2:1,2/d?sslmode=require&sslpassword=abcdef");
        rv_fault_set_alloc(0, false);
        CHECK(st == RV_OK || st == RV_E_MEMORY);
        CHECK(st == RV_OK || p.items == NULL);
        end(&p);
    }
    CHECK_EQ(st, RV_OK);
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(forms_of_both_kinds), RV_CASE(passwords_are_remembered),
             RV_CASE(unknown_and_refused_parameters), RV_CASE(malformed),
             RV_CASE(survives_every_failed_allocation))
