#include "cli/error_text.h"

#include "../base/sweep.h"

static const rv_error_facts refused = {.code = RV_E_SOURCE_CONNECT,
                                       .exit_code = 2,
                                       .text = "connection refused\ntcp 127.0.0.1:5432",
                                       .hint = "is the server running?",
                                       .export_name = "orders"};

static void check_human(const rv_error_facts *e, const char *want)
{
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_error_human(e, false, &out, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&out), want);
    rv_buf_free(&out);
}

static void check_json(const rv_error_facts *e, const char *want)
{
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_error_json(e, &out, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&out), want);
    rv_buf_free(&out);
}

RV_TEST(people_read_what_failed_why_and_what_next)
{
    check_human(&refused, "Error: export 'orders': connection refused\n"
                          "  cause: tcp 127.0.0.1:5432\n"
                          "  hint: is the server running?\n");
    rv_error_facts named = refused;
    named.text = "export 'orders': nothing to resume";
    named.hint = "";
    check_human(&named, "Error: export 'orders': nothing to resume\n");
}

RV_TEST(configuration_mistakes_name_their_place)
{
    const rv_error_facts e = {.code = RV_E_CONFIG_MISPLACED_TUNING,
                              .exit_code = 1,
                              .text = "source: misplaced. Example:\n  source:\n    tuning:",
                              .hint = "",
                              .file = "rivet.yaml",
                              .pos = {6, 3}};
    check_human(&e, "Error: rivet.yaml:6:3: source: misplaced. Example:\n  source:\n    tuning:\n");
    check_json(&e, "{\"error\":\"source: misplaced. Example:\\n  source:\\n    tuning:\","
                   "\"code\":\"RIVET_CONFIG_MISPLACED_TUNING\",\"class\":\"generic\","
                   "\"exit_class\":1,\"exit_code\":1,\"kind\":\"config\",\"retryable\":false,"
                   "\"action\":\"fix_config\",\"file\":\"rivet.yaml\",\"line\":6,\"column\":3}\n");
}

RV_TEST(a_mistake_without_a_place_has_none)
{
    const rv_error_facts e = {.code = RV_E_CONFIG_NOT_FOUND,
                              .exit_code = 1,
                              .text = "config file 'x' does not exist",
                              .hint = "",
                              .file = "x"};
    check_human(&e, "Error: config file 'x' does not exist\n");
    check_json(&e,
               "{\"error\":\"config file 'x' does not exist\",\"code\":\"RIVET_CONFIG_NOT_FOUND\","
               "\"class\":\"generic\",\"exit_class\":1,\"exit_code\":1,\"kind\":\"config\","
               "\"retryable\":false,\"action\":\"fix_config\",\"file\":\"x\",\"line\":null,"
               "\"column\":null}\n");
}

RV_TEST(programs_read_one_line)
{
    check_json(
        &refused,
        "{\"error\":\"export 'orders': connection refused: tcp 127.0.0.1:5432; is the server "
        "running?\",\"code\":\"RIVET_SOURCE_CONNECT\",\"class\":\"retryable\","
        "\"exit_class\":2,\"exit_code\":2,\"kind\":\"connection\",\"retryable\":true,"
        "\"action\":\"retry\",\"export\":\"orders\"}\n");
}

static rv_status make_both(void)
{
    rv_error err = {0};
    rv_buf out = RV_BUF_INIT;
    rv_status st = rv_error_human(&refused, true, &out, &err);
    if (st == RV_OK)
        st = rv_error_json(&refused, &out, &err);
    rv_buf_free(&out);
    return st;
}

RV_TEST(memory_may_run_out)
{
    sweep_alloc(make_both);
}

RV_TEST_MAIN(RV_CASE(people_read_what_failed_why_and_what_next),
             RV_CASE(configuration_mistakes_name_their_place),
             RV_CASE(a_mistake_without_a_place_has_none), RV_CASE(programs_read_one_line),
             RV_CASE(memory_may_run_out))
