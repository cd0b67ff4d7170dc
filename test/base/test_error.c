#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "rvtest.h"

RV_TEST(fail_fills_everything)
{
    rv_error err = {.retry = RV_RETRY_C, .retry_after_ms = 5, .hint = "old", .native = "old"};
    CHECK_EQ(rv_fail(&err, RV_E_SOURCE_CONNECT, "export '%s': refused", "orders"),
             RV_E_SOURCE_CONNECT);
    CHECK_EQ(err.code, RV_E_SOURCE_CONNECT);
    CHECK_STR(err.text, "export 'orders': refused");
    CHECK_STR(err.hint, "");
    CHECK_STR(err.native, "");
    CHECK_EQ(err.retry, RV_RETRY_P);
    CHECK_EQ(err.retry_after_ms, 0);
    CHECK(strstr(err.where, "test_error.c:") != NULL);
}

RV_TEST(fail_accepts_null)
{
    CHECK_EQ(rv_fail(NULL, RV_E_IO, "x"), RV_E_IO);
    CHECK_EQ(rv_fail_errno(NULL, RV_E_IO, EIO, "x"), RV_E_IO);
    CHECK_EQ(rv_wrap(NULL, RV_E_IO, "x"), RV_E_IO);
    CHECK(rv_wrap(NULL, RV_OK, "x") != RV_OK);
    rv_hint(NULL, "x");
    rv_error_clear(NULL);
}

RV_TEST(errno_gives_text_and_name)
{
    rv_error err;
    CHECK_EQ(rv_fail_errno(&err, RV_E_IO, ENOSPC, "cannot write 'a'"), RV_E_IO);
    CHECK_STR(err.text, "cannot write 'a': No space left on device");
    CHECK_STR(err.native, "ENOSPC");
    (void)rv_fail_errno(&err, RV_E_IO, 99999, "odd");
    CHECK_STR(err.text, "odd: unknown error");
}

RV_TEST(wrap_puts_the_new_line_first)
{
    rv_error err;
    (void)rv_fail(&err, RV_E_SOURCE_BUSY, "inner");
    err.retry = RV_RETRY_L;
    CHECK_EQ(rv_wrap(&err, RV_OK, "middle %d", 7), RV_E_SOURCE_BUSY);
    CHECK_EQ(rv_wrap(&err, RV_E_VALUE, "outer"), RV_E_VALUE);
    CHECK_STR(err.text, "outer\nmiddle 7\ninner");
    CHECK_EQ(err.retry, RV_RETRY_L);
    rv_error_clear(&err);
    CHECK_EQ(err.code, RV_OK);
    CHECK_EQ(rv_wrap(&err, RV_OK, "never ok"), RV_E_INTERNAL);
    CHECK_STR(err.text, "never ok");
}

RV_TEST(arguments_may_lie_in_the_error)
{
    rv_error err;
    (void)rv_fail(&err, RV_E_IO, "first");
    (void)rv_fail(&err, RV_E_IO, "again: %s", err.text);
    CHECK_STR(err.text, "again: first");
    (void)rv_wrap(&err, RV_OK, "%s!", err.text);
    CHECK_STR(err.text, "again: first!\nagain: first");
    rv_hint(&err, "h");
    rv_hint(&err, "%s%s", err.hint, err.hint);
    CHECK_STR(err.hint, "hh");
}

RV_TEST(long_texts_are_cut_at_a_code_point)
{
    char text[3001];
    for (size_t i = 0; i < 1000; i++)
        memcpy(text + 3 * i, "\xE2\x82\xAC", 3);
    text[3000] = '\0';
    for (unsigned shift = 0; shift < 3; shift++) {
        rv_error err;
        (void)rv_fail(&err, RV_E_IO, "%.*s%s", (int)shift, "ab", text);
        rv_hint(&err, "%.*s%s", (int)shift, "ab", text);
        CHECK(rv_utf8_valid(rv_str_bytes(rv_str_c(err.text))));
        CHECK(rv_utf8_valid(rv_str_bytes(rv_str_c(err.hint))));
        CHECK(strlen(err.text) > sizeof err.text - 4);
        CHECK(strlen(err.hint) > sizeof err.hint - 4);
        (void)rv_wrap(&err, RV_OK, "%.*s%s", (int)shift, "ab", text);
        CHECK(rv_utf8_valid(rv_str_bytes(rv_str_c(err.text))));
        (void)rv_fail_errno(&err, RV_E_IO, EIO, "%.*s%s", (int)shift, "ab", text);
        CHECK(rv_utf8_valid(rv_str_bytes(rv_str_c(err.text))));
    }
}

RV_TEST(headline_is_the_first_line)
{
    rv_error err;
    char line[64], tiny[4];
    (void)rv_fail(&err, RV_E_IO, "what\nwhy");
    rv_error_headline(&err, line, sizeof line);
    CHECK_STR(line, "what");
    rv_error_headline(&err, tiny, sizeof tiny);
    CHECK_STR(tiny, "wha");
    tiny[0] = 'k';
    rv_error_headline(&err, tiny, 0);
    CHECK_EQ(tiny[0], 'k');
}

RV_TEST(code_table)
{
    CHECK_STR(rv_code(RV_E_SOURCE_CONNECT)->name, "RIVET_SOURCE_CONNECT");
    CHECK_EQ(rv_code(RV_E_SOURCE_CONNECT)->class_, RV_CLASS_RETRYABLE);
    CHECK_STR(rv_code(RV_E_SOURCE_CONNECT)->kind, "connection");
    CHECK_STR(rv_code(RV_E_SOURCE_CONNECT)->action, "retry");
    CHECK_STR(rv_code(RV_E_INTERNAL)->name, "RIVET_INTERNAL");
    CHECK(rv_code(RV_STATUS_COUNT) == rv_code(RV_E_INTERNAL));
    CHECK(rv_code(RV_OK) == rv_code(RV_E_INTERNAL));
    static const char kinds[] = " config usage connection auth permission timeout lock capacity "
                                "source destination data schema state plan interrupt internal ";
    static const char actions[] = " fix_config fix_access fix_source retry wait inspect_data "
                                  "review_schema choose report ";
    for (int i = 1; i < RV_STATUS_COUNT; i++) {
        const rv_code_info *info = rv_code((rv_status)i);
        char word[40];
        CHECK(strncmp(info->name, "RIVET_", 6) == 0);
        CHECK(info->meaning[0] != '\0');
        snprintf(word, sizeof word, " %s ", info->kind);
        CHECK(strstr(kinds, word) != NULL);
        snprintf(word, sizeof word, " %s ", info->action);
        CHECK(strstr(actions, word) != NULL);
    }
}

RV_TEST(classes_and_exit_codes)
{
    static const struct {
        rv_class class_;
        const char *name;
        int exit;
    } rows[] = {{RV_CLASS_GENERIC, "generic", 1},    {RV_CLASS_RETRYABLE, "retryable", 2},
                {RV_CLASS_USAGE, "usage", 2},        {RV_CLASS_DATA, "data_integrity", 3},
                {RV_CLASS_DRIFT, "schema_drift", 4}, {RV_CLASS_REFUSAL, "refusal", 5},
                {RV_CLASS_INTERNAL, "internal", 6},  {RV_CLASS_INTERRUPTED, "interrupted", 130}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_STR(rv_class_name(rows[i].class_), rows[i].name);
        CHECK_EQ(rv_class_exit(rows[i].class_), rows[i].exit);
    }
}

RV_TEST(the_worse_exit_code_wins)
{
    static const int order[] = {0, 2, 1, 4, 5, 6, 3, 130};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        for (size_t k = 0; k < sizeof order / sizeof order[0]; k++) {
            int worse = order[i > k ? i : k];
            CHECK_EQ(rv_exit_worse(order[i], order[k]), worse);
        }
        CHECK_EQ(rv_exit_worse(order[i], 143), order[i] == 130 ? 130 : 143);
    }
    CHECK_EQ(rv_exit_worse(143, 130), 143);
    CHECK_EQ(rv_exit_worse(2, 77), 77);
    CHECK_EQ(rv_exit_worse(4, 77), 4);
}

RV_TEST_MAIN(RV_CASE(fail_fills_everything), RV_CASE(fail_accepts_null),
             RV_CASE(errno_gives_text_and_name), RV_CASE(wrap_puts_the_new_line_first),
             RV_CASE(arguments_may_lie_in_the_error), RV_CASE(long_texts_are_cut_at_a_code_point),
             RV_CASE(headline_is_the_first_line), RV_CASE(code_table),
             RV_CASE(classes_and_exit_codes), RV_CASE(the_worse_exit_code_wins))
