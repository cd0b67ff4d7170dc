#include "cli/help.h"

#include "../base/sweep.h"
#include "golden.h"

RV_TEST(help_of_the_program)
{
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_help_text(rv_command_get(RV_CMD_ROOT), &out, NULL), RV_OK);
    check_golden("help.txt", &out);
    rv_buf_free(&out);
}

RV_TEST(help_of_a_command)
{
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_help_text(rv_command_get(RV_CMD_RUN), &out, NULL), RV_OK);
    check_golden("help_run.txt", &out);
    rv_buf_free(&out);
}

RV_TEST(every_help_shows_usage_and_an_example)
{
    for (size_t i = 0; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        rv_buf out = RV_BUF_INIT;
        CHECK_EQ(rv_help_text(c, &out, NULL), RV_OK);
        const char *text = rv_buf_cstr(&out);
        CHECK(strstr(text, "Usage: rivet"));
        CHECK(strstr(text, "\nExample:\n  "));
        CHECK(strstr(text, c->example));
        for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
            CHECK(strcspn(line, "\n") <= 110);
        rv_buf_free(&out);
    }
}

RV_TEST(the_reference_names_everything_but_the_hidden)
{
    rv_buf out = RV_BUF_INIT;
    char heading[64];
    CHECK_EQ(rv_help_markdown(&out, NULL), RV_OK);
    const char *text = rv_buf_cstr(&out);
    for (size_t i = 1; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        (void)snprintf(heading, sizeof heading, "# `rivet %s`\n", c->path);
        CHECK_EQ(strstr(text, heading) != NULL, !(c->bits & RV_CMD_HIDDEN));
    }
    rv_buf_free(&out);
}

RV_TEST(the_committed_reference_is_current)
{
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_help_markdown(&out, NULL), RV_OK);
    check_text_file(RV_TEST_DIR "/../docs/reference/cli.md", &out);
    rv_buf_free(&out);
}

RV_TEST(manual_page)
{
    rv_buf out = RV_BUF_INIT;
    char name[64];
    rv_help_man_name(rv_command_get(RV_CMD_STATE_SET_CURSOR), name);
    CHECK_STR(name, "rivet-state-set-cursor.1");
    CHECK_EQ(rv_help_man(rv_command_get(RV_CMD_STATE_SET_CURSOR), &out, NULL), RV_OK);
    check_golden("rivet-state-set-cursor.1", &out);
    rv_buf_free(&out);
}

typedef rv_status (*complete_fn)(rv_buf *out, rv_error *err);

/* The shell itself says whether it can read the script. */
static void check_script(complete_fn make, const char *shell, const char *check)
{
    char command[256];
    rv_buf out = RV_BUF_INIT;
    (void)snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", shell);
    CHECK_EQ(make(&out, NULL), RV_OK);
    CHECK(out.len > 2000);
    if (system(command) != 0) {
        rv_buf_free(&out);
        SKIP("the shell is not installed");
    }
    FILE *f = popen(check, "w");
    REQUIRE(f != NULL);
    CHECK_EQ(fwrite(out.ptr, 1, out.len, f), out.len);
    CHECK_EQ(pclose(f), 0);
    rv_buf_free(&out);
}

RV_TEST(bash_reads_its_script)
{
    check_script(rv_complete_bash, "bash", "bash -n /dev/stdin");
}

RV_TEST(zsh_reads_its_script)
{
    check_script(rv_complete_zsh, "zsh", "zsh -n /dev/stdin");
}

RV_TEST(fish_reads_its_script)
{
    check_script(rv_complete_fish, "fish", "fish --no-execute /dev/stdin");
}

RV_TEST(bash_completes_commands_flags_and_words)
{
    static const char script[] =
        "ask() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _rivet; "
        "echo \"${COMPREPLY[*]}\"; }\n"
        "[ \"$(ask rivet va)\" = validate ] || exit 1\n"
        "[ \"$(ask rivet state set)\" = set-cursor ] || exit 2\n"
        "[ \"$(ask rivet run --vali)\" = --validate ] || exit 3\n"
        "[ \"$(ask rivet validate --depth s)\" = sample ] || exit 4\n"
        "[ \"$(ask rivet completions po)\" = powershell ] || exit 5\n"
        "[ \"$(ask rivet schema m)\" = '' ] || exit 6\n";
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_complete_bash(&out, NULL), RV_OK);
    CHECK_EQ(rv_buf_add_c(&out, script, NULL), RV_OK);
    FILE *f = popen("bash", "w");
    REQUIRE(f != NULL);
    CHECK_EQ(fwrite(out.ptr, 1, out.len, f), out.len);
    CHECK_EQ(pclose(f), 0);
    rv_buf_free(&out);
}

RV_TEST(scripts_of_shells_that_cannot_check)
{
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_complete_powershell(&out, NULL), RV_OK);
    CHECK(strstr(rv_buf_cstr(&out), "@('--stuck-checkpoints', '"));
    CHECK(strstr(rv_buf_cstr(&out), "today''s source"));
    rv_buf_clear(&out);
    CHECK_EQ(rv_complete_elvish(&out, NULL), RV_OK);
    CHECK(strstr(rv_buf_cstr(&out), "        &'state set-cursor'= {\n"));
    CHECK(!strstr(rv_buf_cstr(&out), "schema man"));
    rv_buf_free(&out);
}

static rv_status make_all(void)
{
    static const complete_fn all[] = {rv_complete_bash,       rv_complete_zsh,    rv_complete_fish,
                                      rv_complete_powershell, rv_complete_elvish, rv_help_markdown};
    rv_error err = {0};
    rv_status st = RV_OK;
    for (size_t i = 0; st == RV_OK && i < sizeof all / sizeof all[0]; i++) {
        rv_buf out = RV_BUF_INIT;
        st = all[i](&out, &err);
        rv_buf_free(&out);
    }
    rv_buf out = RV_BUF_INIT;
    if (st == RV_OK)
        st = rv_help_text(rv_command_get(RV_CMD_RUN), &out, &err);
    if (st == RV_OK)
        st = rv_help_man(rv_command_get(RV_CMD_STATE), &out, &err);
    rv_buf_free(&out);
    return st;
}

RV_TEST(memory_may_run_out)
{
    sweep_alloc(make_all);
}

RV_TEST_MAIN(RV_CASE(help_of_the_program), RV_CASE(help_of_a_command),
             RV_CASE(every_help_shows_usage_and_an_example),
             RV_CASE(the_reference_names_everything_but_the_hidden),
             RV_CASE(the_committed_reference_is_current), RV_CASE(manual_page),
             RV_CASE(bash_reads_its_script), RV_CASE(zsh_reads_its_script),
             RV_CASE(fish_reads_its_script), RV_CASE(bash_completes_commands_flags_and_words),
             RV_CASE(scripts_of_shells_that_cannot_check), RV_CASE(memory_may_run_out))
