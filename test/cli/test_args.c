#include "cli/args.h"

#include <stdio.h>

#include "../base/sweep.h"

#define MAX_WORDS 16

typedef struct parsed {
    rv_arena arena;
    rv_args args;
    rv_error err;
    rv_status st;
} parsed;

static parsed parse(const char *line)
{
    static char text[512];
    char *argv[MAX_WORDS];
    int argc = 0;
    parsed p = {.arena = RV_ARENA_INIT};
    (void)snprintf(text, sizeof text, "rivet %s", line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    p.st = rv_args_parse(argc, argv, &p.arena, &p.args, &p.err);
    return p;
}

static void check_ok(const char *line, rv_command_id command)
{
    parsed p = parse(line);
    CHECK_EQ(p.st, RV_OK);
    CHECK_EQ(p.args.command->id, command);
    rv_arena_free(&p.arena);
}

static void check_usage(const char *line, const char *text)
{
    parsed p = parse(line);
    CHECK_EQ(p.st, RV_E_USAGE);
    CHECK_STR(p.err.text, text);
    rv_arena_free(&p.arena);
}

RV_TEST(every_shape_of_a_flag_is_read)
{
    static const char *const lines[] = {"run --export orders", "run --export=orders",
                                        "run -e orders", "run -eorders", "run -e=orders"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        parsed p = parse(lines[i]);
        CHECK_EQ(p.st, RV_OK);
        CHECK_STR(p.args.value[RV_FLAG_EXPORT], "orders");
        rv_arena_free(&p.arena);
    }
}

RV_TEST(global_flags_stand_anywhere)
{
    static const char *const lines[] = {"--json-errors --lock-wait 7 run",
                                        "run --lock-wait=7 --json-errors",
                                        "state --lock-wait 7 show --json-errors"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        parsed p = parse(lines[i]);
        CHECK_EQ(p.st, RV_OK);
        CHECK(p.args.json_errors);
        CHECK_EQ(rv_args_count(&p.args, RV_FLAG_LOCK_WAIT, 0), 7);
        rv_arena_free(&p.arena);
    }
}

RV_TEST(json_errors_is_known_even_when_the_rest_is_wrong)
{
    parsed p = parse("run --nonsense --json-errors");
    CHECK_EQ(p.st, RV_E_USAGE);
    CHECK(p.args.json_errors);
    rv_arena_free(&p.arena);
    p = parse("run --nonsense -- --json-errors");
    CHECK(!p.args.json_errors);
    rv_arena_free(&p.arena);
}

RV_TEST(commands_descend_to_their_subcommands)
{
    check_ok("state", RV_CMD_STATE);
    check_ok("state show", RV_CMD_STATE_SHOW);
    check_ok("state -c x.yaml show", RV_CMD_STATE_SHOW);
    check_ok("schema man dir", RV_CMD_SCHEMA_MAN);
    check_usage("schema", "a subcommand is missing");
    check_usage("", "a command is missing");
}

RV_TEST(unknown_words_are_named_with_a_suggestion)
{
    check_usage("rnu", "unknown command 'rnu'; did you mean 'run'?");
    check_usage("zzzzzzzz", "unknown command 'zzzzzzzz'");
    check_usage("state shwo", "unknown subcommand 'shwo'; did you mean 'show'?");
    check_usage("run --vaildate=1", "unknown flag '--vaildate'; did you mean '--validate'?");
    check_usage("run -x", "unknown flag '-x'");
    check_usage("-e orders run", "unknown flag '-e'");
    check_usage("run orders", "unexpected argument 'orders'");
    check_usage("state -p a=b finish-run --run-id r -e x", "unknown flag '-e'");
}

RV_TEST(values_are_checked_where_they_are_read)
{
    check_usage("run --export", "--export needs a value: NAME");
    check_usage("run --export --json", "--export needs a value: NAME");
    check_usage("run --json=yes", "--json takes no value");
    check_usage("run --export=", "--export needs a value that is not empty");
    check_usage("run -p x", "--param needs KEY=VALUE, got 'x'");
    check_usage("run -p =x", "--param needs KEY=VALUE, got '=x'");
    check_usage("metrics -l 0", "--last must be at least 1");
    check_usage("metrics -l many", "--last needs a whole number, got 'many'");
    check_usage("--lock-wait -1 run", "--lock-wait needs a whole number, got '-1'");
    check_usage("validate --depth deep", "--depth cannot be 'deep'; allowed: light, sample, full");
    check_usage("run -e a -e b", "--export is given twice");
    check_ok("run -e a -e a", RV_CMD_RUN);
}

RV_TEST(required_flags_and_operands_are_asked_for)
{
    check_usage("state reset", "--export NAME is missing");
    check_usage("state prune", "--keep-days N is missing");
    check_usage("state set-cursor -e x", "VALUE is missing");
    check_usage("completions", "SHELL is missing");
    check_usage("completions tcsh", "SHELL cannot be 'tcsh'; allowed: bash, zsh, fish, powershell, "
                                    "elvish; did you mean 'bash'?");
    check_ok("state reset --help", RV_CMD_STATE_RESET);
    check_ok("state reset -V", RV_CMD_STATE_RESET);
}

RV_TEST(json_and_format_json_are_the_same)
{
    static const char *const lines[] = {"metrics --json", "metrics --format json",
                                        "metrics --json --format=json"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        parsed p = parse(lines[i]);
        CHECK_EQ(p.st, RV_OK);
        CHECK(p.args.json);
        rv_arena_free(&p.arena);
    }
    check_usage("metrics --json --format pretty",
                "--json and --format pretty contradict each other");
    check_usage("validate -o r.json", "--output writes JSON only; add --format json");
    check_ok("validate -o r.json --json", RV_CMD_VALIDATE);
    /* of other commands these words mean other things */
    check_ok("cdc --source u --table t --output d --format csv", RV_CMD_CDC);
    check_ok("init --source u -o rivet.yaml", RV_CMD_INIT);
}

RV_TEST(operands_may_look_like_numbers_or_follow_two_dashes)
{
    static const char *const lines[][2] = {{"state set-cursor -e x -41", "-41"},
                                           {"state set-cursor -e x -- --help", "--help"},
                                           {"state set-cursor 2026-01-01 -e x", "2026-01-01"}};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        parsed p = parse(lines[i][0]);
        CHECK_EQ(p.st, RV_OK);
        CHECK_STR(p.args.operand, lines[i][1]);
        rv_arena_free(&p.arena);
    }
}

RV_TEST(repeated_flags_keep_their_order)
{
    parsed p = parse("run -p a=1 --param b=2 -pa=3");
    const char *const *list = NULL;
    size_t n = 0;
    REQUIRE(p.st == RV_OK);
    CHECK_EQ(rv_args_list(&p.args, RV_FLAG_PARAM, &p.arena, &list, &n, NULL), RV_OK);
    CHECK_EQ(n, 3);
    CHECK_STR(list[0], "a=1");
    CHECK_STR(list[1], "b=2");
    CHECK_STR(list[2], "a=3");
    rv_arena_free(&p.arena);
}

RV_TEST(aliases_are_flags_too)
{
    parsed p = parse("state reset-chunks --failed");
    CHECK_EQ(p.st, RV_OK);
    CHECK(rv_args_has(&p.args, RV_FLAG_STUCK));
    rv_arena_free(&p.arena);
}

RV_TEST(the_second_name_is_a_command)
{
    char program[] = "/usr/bin/rivet-mcp", flag[] = "--stdio";
    char *argv[] = {program, flag};
    rv_arena arena = RV_ARENA_INIT;
    rv_args args;
    CHECK_EQ(rv_args_parse(2, argv, &arena, &args, NULL), RV_OK);
    CHECK_EQ(args.command->id, RV_CMD_MCP);
    rv_arena_free(&arena);
}

RV_TEST(the_table_is_sound)
{
    for (size_t i = 0; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        bool seen[RV_FLAG_COUNT] = {false};
        const rv_flag *f;
        CHECK_EQ(c->id, i);
        CHECK(c->summary[0] && c->example[0]);
        CHECK(i == 0 || rv_command_find(c->parent, rv_str_c(rv_command_word(c))) == c);
        for (size_t k = 0; (f = rv_command_flag(c, k)) != NULL; k++) {
            CHECK(!seen[f->id]);
            seen[f->id] = true;
            CHECK((f->kind == RV_VALUE_WORD) == (f->words != NULL));
            CHECK((f->kind == RV_VALUE_NONE) == (f->value == NULL));
            CHECK(f->help[0]);
            CHECK(rv_flag_find(c, rv_str_c(f->name)) == f);
        }
    }
}

static rv_status parse_once(void)
{
    parsed p = parse("state set-cursor -c x -e y 5");
    rv_arena_free(&p.arena);
    return p.st;
}

RV_TEST(memory_may_run_out)
{
    sweep_alloc(parse_once);
}

RV_TEST_MAIN(RV_CASE(every_shape_of_a_flag_is_read), RV_CASE(global_flags_stand_anywhere),
             RV_CASE(json_errors_is_known_even_when_the_rest_is_wrong),
             RV_CASE(commands_descend_to_their_subcommands),
             RV_CASE(unknown_words_are_named_with_a_suggestion),
             RV_CASE(values_are_checked_where_they_are_read),
             RV_CASE(required_flags_and_operands_are_asked_for),
             RV_CASE(json_and_format_json_are_the_same),
             RV_CASE(operands_may_look_like_numbers_or_follow_two_dashes),
             RV_CASE(repeated_flags_keep_their_order), RV_CASE(aliases_are_flags_too),
             RV_CASE(the_second_name_is_a_command), RV_CASE(the_table_is_sound),
             RV_CASE(memory_may_run_out))
