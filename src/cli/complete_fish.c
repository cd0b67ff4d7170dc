#include "cli/help.h"

static rv_status add_quoted(rv_buf *out, const char *text, rv_error *err)
{
    RV_TRY(rv_buf_add_byte(out, '\'', err));
    for (const char *p = text; *p; p++) {
        if (*p == '\'' || *p == '\\')
            RV_TRY(rv_buf_add_byte(out, '\\', err));
        RV_TRY(rv_buf_add_byte(out, (uint8_t)*p, err));
    }
    return rv_buf_add_byte(out, '\'', err);
}

static rv_status add_lead(rv_buf *out, const rv_command *c, rv_error *err)
{
    return rv_buf_printf(out, err, "complete -c rivet -n '__rivet_at \"%s\"'", c->path);
}

static rv_status add_flag(rv_buf *out, const rv_command *c, const rv_flag *f, rv_error *err)
{
    RV_TRY(add_lead(out, c, err));
    RV_TRY(rv_buf_printf(out, err, " -l %s", f->name));
    if (f->letter)
        RV_TRY(rv_buf_printf(out, err, " -s %c", f->letter));
    if (f->kind == RV_VALUE_FILE || f->kind == RV_VALUE_DIR)
        RV_TRY(rv_buf_add_c(out, " -r -F", err));
    else if (f->kind != RV_VALUE_NONE)
        RV_TRY(rv_buf_add_c(out, " -x", err));
    for (size_t i = 0; f->words && f->words[i]; i++)
        RV_TRY(rv_buf_printf(out, err, "%s%s", i ? " " : " -a '", f->words[i]));
    if (f->words)
        RV_TRY(rv_buf_add_byte(out, '\'', err));
    RV_TRY(rv_buf_add_c(out, " -d ", err));
    RV_TRY(add_quoted(out, f->help, err));
    return rv_buf_add_byte(out, '\n', err);
}

static rv_status add_word(rv_buf *out, const rv_command *at, const char *word, const char *help,
                          rv_error *err)
{
    RV_TRY(add_lead(out, at, err));
    RV_TRY(rv_buf_printf(out, err, " -a %s", word));
    if (help) {
        RV_TRY(rv_buf_add_c(out, " -d ", err));
        RV_TRY(add_quoted(out, help, err));
    }
    return rv_buf_add_byte(out, '\n', err);
}

rv_status rv_complete_fish(rv_buf *out, rv_error *err)
{
    const rv_flag *f;
    RV_TRY(rv_buf_add_c(out,
                        "# fish completion for rivet\n"
                        "function __rivet_at\n"
                        "    set -l cmd\n"
                        "    for word in (commandline -opc)[2..-1]\n"
                        "        switch (string join ' ' -- $cmd $word)\n"
                        "            case",
                        err));
    for (size_t i = 1; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        if (!(c->bits & RV_CMD_HIDDEN))
            RV_TRY(rv_buf_printf(out, err, " '%s'", c->path));
    }
    RV_TRY(rv_buf_add_c(out,
                        "\n                set -a cmd $word\n"
                        "        end\n    end\n"
                        "    test \"$cmd\" = \"$argv[1]\"\n"
                        "end\n"
                        "complete -c rivet -f\n",
                        err));
    for (size_t i = 0; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        if (c->bits & RV_CMD_HIDDEN)
            continue;
        if (i > 0)
            RV_TRY(add_word(out, rv_command_get(c->parent), rv_command_word(c), c->summary, err));
        for (size_t k = 0; c->operand_words && c->operand_words[k]; k++)
            RV_TRY(add_word(out, c, c->operand_words[k], NULL, err));
        if (c->operand && !c->operand_words) {
            RV_TRY(add_lead(out, c, err));
            RV_TRY(rv_buf_add_c(out, " -F\n", err));
        }
        for (size_t k = 0; (f = rv_command_flag(c, k)) != NULL; k++)
            RV_TRY(add_flag(out, c, f, err));
    }
    return RV_OK;
}
