#include "base/secret.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "sweep.h"

static const char *redact(const rv_secrets *s, const char *text)
{
    static char copy[2048];
    rv_buf b = RV_BUF_INIT;
    CHECK_EQ(rv_secrets_redact(s, rv_str_c(text), &b, NULL), RV_OK);
    const char *out = rv_buf_cstr(&b);
    snprintf(copy, sizeof copy, "%s", out ? out : "?");
    rv_buf_free(&b);
    return copy;
}

typedef struct row {
    const char *text;
    const char *want;
} row;

static void check_rows(const rv_secrets *s, const row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK_STR(redact(s, rows[i].text), rows[i].want);
        char once[2048];
        snprintf(once, sizeof once, "%s", rows[i].want);
        CHECK_STR(redact(s, once), rows[i].want); /* redacting twice changes nothing */
    }
}
#define CHECK_ROWS(s, rows) check_rows((s), (rows), sizeof(rows) / sizeof(rows)[0])

static rv_secrets *open_with(const char *const *values, size_t count)
{
    rv_secrets *s = NULL;
    CHECK_EQ(rv_secrets_open(&s, NULL), RV_OK);
    for (size_t i = 0; s && i < count; i++)
        CHECK_EQ(rv_secrets_add(s, rv_str_c(values[i]), NULL), RV_OK);
    return s;
}

RV_TEST(known_values)
{
    static const char *const values[] = {"hunter2", "p@ss w/rd",         "ab", "", "na\"ive\\x",
                                         "k%41y",   "gr\xC3\xBC\xC3\x9F"};
    rv_secrets *s = open_with(values, 7);
    REQUIRE(s != NULL);
    static const row rows[] = {
        {"", ""},
        {"nothing here", "nothing here"},
        {"x hunter2 y", "x *** y"},
        {"hunter2hunter2", "***"},
        {"hunter2 hunter2", "*** ***"},
        {"hunter hunter22 hunte", "hunter ***2 hunte"},
        {"p@ss w/rd p%40ss%20w%2Frd p%40ss%20w%2frd", "*** *** ***"},
        {"ab abc", "ab abc"}, /* too short to be told from text */
        {"raw na\"ive\\x, json na\\\"ive\\\\x", "raw ***, json ***"},
        {"k%41y kAy k%2541y", "*** *** ***"},
        {"gr\xC3\xBC\xC3\x9F gr%C3%BC%C3%9F", "*** ***"},
    };
    CHECK_ROWS(s, rows);
    rv_secrets_close(s);
    rv_secrets_close(NULL);
}

RV_TEST(a_key_of_several_lines)
{
    static const char *const values[] = {"-----KEY\nab\tc=\n-----"};
    rv_secrets *s = open_with(values, 1);
    REQUIRE(s != NULL);
    static const row rows[] = {
        {"<-----KEY\nab\tc=\n----->", "<***>"},
        {"\"-----KEY\\nab\\tc=\\n-----\"", "\"***\""},
        {"-----KEY%0Aab%09c%3D%0A-----", "***"},
    };
    CHECK_ROWS(s, rows);
    rv_secrets_close(s);
}

RV_TEST(a_secret_has_a_largest_size)
{
    rv_secrets *s = NULL;
    rv_error err;
    static char huge[(1 << 18) + 1];
    memset(huge, 'k', sizeof huge);
    REQUIRE(rv_secrets_open(&s, NULL) == RV_OK);
    CHECK_EQ(rv_secrets_add(s, (rv_str){huge, sizeof huge}, &err), RV_E_MEMORY);
    CHECK_EQ(rv_secrets_add(s, (rv_str){huge, sizeof huge - 1}, &err), RV_OK);
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_secrets_redact(s, (rv_str){huge, sizeof huge}, &out, &err), RV_OK);
    CHECK_STR(rv_buf_cstr(&out), "***");
    CHECK_EQ(rv_secrets_add(NULL, RV_STR("nowhere to go"), &err), RV_OK);
    rv_buf_free(&out);
    rv_secrets_close(s);
}

RV_TEST(overlapping_values_leave_nothing)
{
    static const char *const values[] = {"abcd", "cdef", "bcdefgh", "xyzxyz", "abc"};
    rv_secrets *s = open_with(values, 5);
    REQUIRE(s != NULL);
    static const row rows[] = {
        {"-abcdef-", "-***-"}, {"-abcdefgh-", "-***-"},  {"-bcdefg-", "-b***g-"},
        {"-abcx-", "-***x-"},  {"-xyzxyzxyz-", "-***-"}, {"-abababcd-", "-abab***-"},
    };
    CHECK_STR(redact(s, "-bcdefg-"), "-b***g-");
    CHECK_ROWS(s, rows);
    rv_secrets_close(s);
}

RV_TEST(url_userinfo)
{
    static const row rows[] = {
        {"postgres://u:secret@host:5432/db", "postgres://***@host:5432/db"},
        {"see mysql://u:p@ss@w@host/db now", "see mysql://***@host/db now"},
        {"'http://tok@host'", "'http://***@host'"},
        {"a://u:p@h b://u:p@h/x@y", "a://***@h b://***@h/x@y"},
        {"no://host/path@x ://@h", "no://host/path@x ://@h"},
        {"u:p@host only", "u:p@host only"},
        {"s3://bucket:99/key@2", "s3://bucket:99/key@2"},
        {"http://[::1]:80/a@b", "http://[::1]:80/a@b"},
        /* what must not stand in a password unescaped, and does */
        {"pg://u:pa/ss@host/db", "pg://***@host/db"},
        {"pg://u:pa?x#ss@host/db and@this", "pg://***@host/db and@this"},
        {"{\"url\":\"pg://u:p@h/d\",\"m\":\"x@y\"}", "{\"url\":\"pg://***@h/d\",\"m\":\"x@y\"}"},
        {"say \\\"pg://u:p@h\\\"", "say \\\"pg://***@h\\\""},
        {"://", "://"},
        {"x://u:p@", "x://***@"},
    };
    CHECK_ROWS(NULL, rows);
}

RV_TEST(parameters)
{
    static const row rows[] = {
        {"password=abc", "password=***"},
        {"h?password=abc&x=1", "h?password=***&x=1"},
        {"h?x=1&sslpassword=abc;y", "h?x=1&sslpassword=***;y"},
        {"Server=h;PWD=abc;Database=d", "Server=h;PWD=***;Database=d"},
        {"host=h Password=abc dbname=d", "host=h Password=*** dbname=d"},
        {"a?token=abc&sig=def%2F#f", "a?token=***&sig=***"},
        {"AccountKey=abc==;EndpointSuffix=x", "AccountKey=***;EndpointSuffix=x"},
        {"client;secret=abc", "client;secret=***"},
        {"mypassword=abc x_token=abc &assign=1", "mypassword=abc x_token=abc &assign=1"},
        {"password: abc, passwords=abc", "password: abc, passwords=abc"},
        {"password=&x password= y", "password=&x password= y"},
        {"'password=abc'", "'password=***'"},
        {"\tpwd=a\npwd=b", "\tpwd=***\npwd=***"},
        {"password", "password"},
        {"password=", "password="},
    };
    CHECK_ROWS(NULL, rows);
}

RV_TEST(quoted_parameters)
{
    static const row rows[] = {
        {"password='a b' x", "password=*** x"},
        {"password='a\\' b' x", "password=*** x"},
        {"password='a'' b' x", "password=*** x"},
        {"password=\"a;b\";x", "password=***;x"},
        {"pwd={a;b}}c};x", "pwd=***;x"},
        {"password='cut off", "password=***"},
        {"password='cut\nnext", "password=***\nnext"},
        {"pwd={cut", "pwd=***"},
        {"{\"dsn\":\"password='a b' x\"}", "{\"dsn\":\"password=*** x\"}"},
        {"{\"dsn\":\"password=\\\"a b\\\" x\"}", "{\"dsn\":\"password=*** x\"}"},
        {"{\"dsn\":\"password=\\\"a\\\\\\\"b\\\" x\"}", "{\"dsn\":\"password=*** x\"}"},
        {"{\"m\":\"in \\\"?password=abc\\\" here\"}", "{\"m\":\"in \\\"?password=***\\\" here\"}"},
        {"{\"m\":\"pwd=abc\\\\\"}", "{\"m\":\"pwd=***\"}"},
        {"{\"m\":\"pwd=\",\"n\":\"x\"}", "{\"m\":\"pwd=\",\"n\":\"x\"}"},
        {"{\"m\":\"pwd=\"}", "{\"m\":\"pwd=\"}"},
        {"[{\"m\":\"pwd=\"}]", "[{\"m\":\"pwd=\"}]"},
        {"{\"m\":\"pwd='open\",\"n\":1}", "{\"m\":\"pwd=***\",\"n\":1}"},
    };
    CHECK_ROWS(NULL, rows);
}

RV_TEST(rules_together)
{
    static const char *const values[] = {"u:pw@host", "sekret"};
    rv_secrets *s = open_with(values, 2);
    REQUIRE(s != NULL);
    CHECK_STR(redact(s, "pg://u:pw@host/db?password=sekret&x=sekret"),
              "pg://***/db?password=***&x=***");
    CHECK_STR(redact(s, "password=xsekret y"), "password=*** y");
    rv_secrets_close(s);
}

RV_TEST(redacted_json_stays_json)
{
    static const char *const pieces[] = {"password=", "pg://u:p@h/", "pwd='a b'", "token=\"x y\"",
                                         "plain ",    "\\",          "\"",        "'",
                                         "sig={a}",   "hunter2",     "\n",        "&"};
    static const char *const values[] = {"hunter2"};
    rv_secrets *s = open_with(values, 1);
    REQUIRE(s != NULL);
    uint32_t seed = 99;
    for (unsigned round = 0; round < 3000; round++) {
        char text[200] = "";
        for (unsigned i = 0; i < 8; i++) {
            seed = seed * 1664525U + 1013904223U;
            strcat(text, pieces[(seed >> 16) % 12]);
        }
        json_t *tree = json_pack("{s:s,s:[s,i]}", "a", text, "b", text, 7);
        char *json = json_dumps(tree, round % 2 ? JSON_COMPACT : 0);
        json_decref(tree);
        REQUIRE(json != NULL);
        json_error_t error;
        json_t *back = json_loads(redact(s, json), 0, &error);
        if (!back)
            printf("%s\n%s\n", json, redact(s, json));
        CHECK(back != NULL);
        CHECK(strstr(redact(s, json), "hunter2") == NULL);
        json_decref(back);
        free(json);
    }
    rv_secrets_close(s);
}

/* The slow way: is the byte inside an occurrence of any value? */
RV_TEST(every_occurrence_is_masked)
{
    uint32_t seed = 4242;
    for (unsigned round = 0; round < 400; round++) {
        char text[121], values[4][8];
        for (unsigned i = 0; i < 120; i++) {
            seed = seed * 1664525U + 1013904223U;
            text[i] = (char)('a' + (seed >> 24) % 3);
        }
        text[120] = '\0';
        rv_secrets *s = NULL;
        REQUIRE(rv_secrets_open(&s, NULL) == RV_OK);
        bool masked[120] = {false};
        for (unsigned v = 0; v < 4; v++) {
            seed = seed * 1664525U + 1013904223U;
            size_t len = 3 + (seed >> 24) % 5;
            memcpy(values[v], text + (seed >> 8) % 100, len);
            values[v][len] = '\0';
            CHECK_EQ(rv_secrets_add(s, rv_str_c(values[v]), NULL), RV_OK);
            for (const char *p = text; (p = strstr(p, values[v])) != NULL; p++)
                memset(masked + (p - text), 1, len);
        }
        char want[400] = "";
        for (unsigned i = 0; i < 120; i++) {
            if (!masked[i])
                strncat(want, text + i, 1);
            else if (i == 0 || !masked[i - 1])
                strcat(want, "***");
        }
        CHECK_STR(redact(s, text), want);
        rv_secrets_close(s);
    }
}

static void check_fast(const rv_secrets *s, const char *piece)
{
    size_t len = strlen(piece), total = (size_t)2 << 20;
    rv_buf in = RV_BUF_INIT, out = RV_BUF_INIT;
    while (in.len < total)
        REQUIRE(rv_buf_add(&in, piece, len, NULL) == RV_OK);
    int64_t start = rv_clock_mono_us();
    CHECK_EQ(rv_secrets_redact(s, rv_buf_str(&in), &out, NULL), RV_OK);
    /* a quadratic rule would need hours for two million bytes */
    CHECK(rv_clock_mono_us() - start < INT64_C(20000000));
    rv_buf_free(&in);
    rv_buf_free(&out);
}

RV_TEST(hostile_texts_take_linear_time)
{
    char lng[4002];
    memset(lng, 'a', 4000);
    memcpy(lng + 4000, "b", 2);
    const char *const values[] = {lng, "aaaaaaaaaaaaac"};
    rv_secrets *s = open_with(values, 2);
    REQUIRE(s != NULL);
    static const char *const pieces[] = {"a",     "://",       "x://a:b/", "password='",
                                         "pwd={", "password=", "token=\"", "://u:x",
                                         "@",     "pwd=\\\"",  "://a:b/@", " pwd='\\"};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        check_fast(s, pieces[i]);
    rv_secrets_close(s);
}

static void *redact_often(void *arg)
{
    for (unsigned i = 0; i < 300; i++) {
        rv_buf b = RV_BUF_INIT;
        if (rv_secrets_redact(arg, RV_STR("value first000 and more"), &b, NULL) != RV_OK ||
            b.len != 18)
            CHECK(false && "redacting while adding");
        rv_buf_free(&b);
    }
    return NULL;
}

RV_TEST(adding_while_redacting)
{
    static const char *const values[] = {"first000"};
    rv_secrets *s = open_with(values, 1);
    REQUIRE(s != NULL);
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++)
        REQUIRE(pthread_create(&threads[i], NULL, redact_often, s) == 0);
    for (unsigned i = 1; i < 300; i++) {
        char value[32];
        snprintf(value, sizeof value, "secret-%u", i * 7919);
        CHECK_EQ(rv_secrets_add(s, rv_str_c(value), NULL), RV_OK);
    }
    for (unsigned i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    CHECK_STR(redact(s, "secret-7919 first000"), "*** ***");
    rv_secrets_close(s);
}

static rv_status use(void)
{
    rv_secrets *s = NULL;
    rv_buf out = RV_BUF_INIT;
    rv_status st;
    char lng[301];
    memset(lng, 'x', 300);
    lng[300] = '\0';
    RV_GO(rv_secrets_open(&s, NULL));
    RV_GO(rv_secrets_add(s, RV_STR("hunter2"), NULL));
    RV_GO(rv_secrets_add(s, rv_str_c(lng), NULL));
    RV_GO(rv_buf_add_c(&out, "before ", NULL));
    st = rv_secrets_redact(s, RV_STR("hunter2 pg://u:p@h pwd=x"), &out, NULL);
    if (st != RV_OK && out.len != 7)
        CHECK(false && "a failed redaction leaves nothing behind");
done:
    rv_buf_free(&out);
    rv_secrets_close(s);
    return st;
}

RV_TEST(allocation_sweep)
{
    sweep_alloc(use);
}

RV_TEST_MAIN(RV_CASE(known_values), RV_CASE(a_key_of_several_lines),
             RV_CASE(a_secret_has_a_largest_size), RV_CASE(overlapping_values_leave_nothing),
             RV_CASE(url_userinfo), RV_CASE(parameters), RV_CASE(quoted_parameters),
             RV_CASE(rules_together), RV_CASE(redacted_json_stays_json),
             RV_CASE(every_occurrence_is_masked), RV_CASE(hostile_texts_take_linear_time),
             RV_CASE(adding_while_redacting), RV_CASE(allocation_sweep))
