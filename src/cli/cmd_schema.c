#include "cli/cli_internal.h"

#include <stdio.h>

#include "base/file.h"
#include "cli/help.h"
#include "cli/table_text.h"

static rv_status errors_json(rv_buf *out, rv_error *err)
{
    rv_json j;
    rv_json_begin(&j, out, false);
    rv_json_array(&j);
    for (size_t i = 1; i < RV_STATUS_COUNT; i++) {
        const rv_code_info *c = rv_code((rv_status)i);
        rv_json_object(&j);
        rv_json_kstr(&j, "code", c->name);
        rv_json_kstr(&j, "class", rv_class_name(c->class_));
        rv_json_kstr(&j, "kind", c->kind);
        rv_json_kstr(&j, "action", c->action);
        rv_json_kstr(&j, "meaning", c->meaning);
        rv_json_object_end(&j);
    }
    rv_json_array_end(&j);
    RV_TRY(rv_json_end(&j, err));
    return rv_buf_add_byte(out, '\n', err);
}

static rv_status errors_text(rv_cli *cli, rv_buf *out, rv_error *err)
{
    static const rv_table_column columns[] = {{"CODE", 0, false},
                                              {"CLASS", 0, false},
                                              {"KIND", 0, false},
                                              {"ACTION", 0, false},
                                              {"MEANING", 0, false}};
    enum { N = sizeof columns / sizeof columns[0], ROWS = RV_STATUS_COUNT - 1 };
    const char **cells = NULL;
    RV_TRY(rv_arena_array(cli->arena, (size_t)ROWS * N, sizeof *cells, &cells, err));
    for (size_t i = 0; i < ROWS; i++) {
        const rv_code_info *c = rv_code((rv_status)(i + 1));
        const char *row[N] = {c->name, rv_class_name(c->class_), c->kind, c->action, c->meaning};
        memcpy(&cells[i * N], row, sizeof row);
    }
    const rv_table t = {.columns = columns, .n_columns = N, .cells = cells, .n_rows = ROWS};
    return rv_table_text(&t, out, err);
}

static rv_status write_page(const char *dir, const rv_command *c, rv_error *err)
{
    char name[64], path[4096];
    rv_buf page = RV_BUF_INIT;
    rv_help_man_name(c, name);
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return rv_fail(err, RV_E_IO, "the directory name is too long");
    rv_status st = rv_help_man(c, &page, err);
    if (st == RV_OK)
        st = rv_file_replace(path, rv_buf_bytes(&page), 0644, err);
    rv_buf_free(&page);
    return st;
}

static rv_status write_pages(const char *dir, rv_error *err)
{
    RV_TRY(rv_file_mkdirs(dir, 0755, err));
    for (size_t i = 0; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        if (!(c->bits & RV_CMD_HIDDEN))
            RV_TRY(write_page(dir, c, err));
    }
    return RV_OK;
}

static rv_status make(rv_cli *cli, rv_buf *out, rv_error *err)
{
    switch ((int)cli->args->command->id) {
    case RV_CMD_SCHEMA_CONFIG:
        return rv_cfg_json_schema(out, err);
    case RV_CMD_SCHEMA_CLI:
        return rv_help_markdown(out, err);
    case RV_CMD_SCHEMA_MAN:
        return write_pages(cli->args->operand, err);
    default:
        return cli->args->json ? errors_json(out, err) : errors_text(cli, out, err);
    }
}

int rv_cmd_schema(rv_cli *cli)
{
    rv_error err = {0};
    rv_buf text = RV_BUF_INIT;
    int code =
        make(cli, &text, &err) == RV_OK ? rv_cli_print_raw(cli, &text) : rv_cli_fail(cli, &err);
    rv_buf_free(&text);
    return code;
}

static rv_status complete(const char *shell, rv_buf *out, rv_error *err)
{
    if (strcmp(shell, "bash") == 0)
        return rv_complete_bash(out, err);
    if (strcmp(shell, "zsh") == 0)
        return rv_complete_zsh(out, err);
    if (strcmp(shell, "fish") == 0)
        return rv_complete_fish(out, err);
    if (strcmp(shell, "powershell") == 0)
        return rv_complete_powershell(out, err);
    return rv_complete_elvish(out, err);
}

int rv_cmd_completions(rv_cli *cli)
{
    rv_error err = {0};
    rv_buf text = RV_BUF_INIT;
    int code = complete(cli->args->operand, &text, &err) == RV_OK ? rv_cli_print_raw(cli, &text)
                                                                  : rv_cli_fail(cli, &err);
    rv_buf_free(&text);
    return code;
}
