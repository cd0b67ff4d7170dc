#include "cli/help.h"

/* 'text' with the quote doubled. */
static rv_status add_quoted(rv_buf *out, const char *text, rv_error *err)
{
    RV_TRY(rv_buf_add_byte(out, '\'', err));
    for (const char *p = text; *p; p++)
        RV_TRY(rv_buf_printf(out, err, *p == '\'' ? "%c'" : "%c", *p));
    return rv_buf_add_byte(out, '\'', err);
}

static rv_status add_candidate(rv_buf *out, const char *dashes, const char *word, const char *help,
                               rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "            cand '%s%s' ", dashes, word));
    RV_TRY(add_quoted(out, help, err));
    return rv_buf_add_byte(out, '\n', err);
}

static rv_status add_command(rv_buf *out, const rv_command *c, rv_error *err)
{
    const rv_flag *f;
    RV_TRY(rv_buf_printf(out, err, "        &'%s'= {\n", c->path));
    for (size_t i = 1; i < RV_CMD_COUNT; i++) {
        const rv_command *sub = rv_command_get((rv_command_id)i);
        if (sub->parent == c->id && !(sub->bits & RV_CMD_HIDDEN))
            RV_TRY(add_candidate(out, "", rv_command_word(sub), sub->summary, err));
    }
    for (size_t i = 0; c->operand_words && c->operand_words[i]; i++)
        RV_TRY(add_candidate(out, "", c->operand_words[i], c->operand, err));
    for (size_t i = 0; (f = rv_command_flag(c, i)) != NULL; i++)
        RV_TRY(add_candidate(out, "--", f->name, f->help, err));
    return rv_buf_add_c(out, "        }\n", err);
}

rv_status rv_complete_elvish(rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out,
                        "# elvish completion for rivet\n"
                        "use str\n"
                        "set edit:completion:arg-completer[rivet] = {|@words|\n"
                        "    fn cand {|word help|\n"
                        "        edit:complex-candidate $word &display=$word' '$help\n"
                        "    }\n"
                        "    var completions = [\n",
                        err));
    for (size_t i = 0; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        if (!(c->bits & RV_CMD_HIDDEN))
            RV_TRY(add_command(out, c, err));
    }
    return rv_buf_add_c(out,
                        "    ]\n"
                        "    var command = ''\n"
                        "    for word $words[1..-1] {\n"
                        "        var path = (str:trim-space $command' '$word)\n"
                        "        if (has-key $completions $path) { set command = $path }\n"
                        "    }\n"
                        "    $completions[$command]\n"
                        "}\n",
                        err);
}
