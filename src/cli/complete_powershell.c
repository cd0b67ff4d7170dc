#include "cli/help.h"

/* 'text' with the quote doubled. */
static rv_status add_quoted(rv_buf *out, const char *text, rv_error *err)
{
    RV_TRY(rv_buf_add_byte(out, '\'', err));
    for (const char *p = text; *p; p++)
        RV_TRY(rv_buf_printf(out, err, *p == '\'' ? "%c'" : "%c", *p));
    return rv_buf_add_byte(out, '\'', err);
}

static rv_status add_result(rv_buf *out, const char *dashes, const char *word, const char *help,
                            rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "            @('%s%s', ", dashes, word));
    RV_TRY(add_quoted(out, help, err));
    return rv_buf_add_c(out, ")\n", err);
}

static rv_status add_command(rv_buf *out, const rv_command *c, rv_error *err)
{
    const rv_flag *f;
    RV_TRY(rv_buf_printf(out, err, "        '%s' { @(\n", c->path));
    for (size_t i = 1; i < RV_CMD_COUNT; i++) {
        const rv_command *sub = rv_command_get((rv_command_id)i);
        if (sub->parent == c->id && !(sub->bits & RV_CMD_HIDDEN))
            RV_TRY(add_result(out, "", rv_command_word(sub), sub->summary, err));
    }
    for (size_t i = 0; c->operand_words && c->operand_words[i]; i++)
        RV_TRY(add_result(out, "", c->operand_words[i], c->operand, err));
    for (size_t i = 0; (f = rv_command_flag(c, i)) != NULL; i++)
        RV_TRY(add_result(out, "--", f->name, f->help, err));
    return rv_buf_add_c(out, "        ) }\n", err);
}

rv_status rv_complete_powershell(rv_buf *out, rv_error *err)
{
    RV_TRY(
        rv_buf_add_c(out,
                     "# PowerShell completion for rivet\n"
                     "Register-ArgumentCompleter -Native -CommandName rivet -ScriptBlock {\n"
                     "    param($wordToComplete, $commandAst, $cursorPosition)\n"
                     "    $cmd = ''\n"
                     "    foreach ($e in ($commandAst.CommandElements | Select-Object -Skip 1)) {\n"
                     "        if ($e.Extent.EndOffset -ge $cursorPosition) { break }\n"
                     "        $path = \"$cmd $e\".Trim()\n"
                     "        if (@(",
                     err));
    for (size_t i = 1, n = 0; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        if (!(c->bits & RV_CMD_HIDDEN))
            RV_TRY(rv_buf_printf(out, err, "%s'%s'", n++ ? ", " : "", c->path));
    }
    RV_TRY(rv_buf_add_c(out,
                        ") -ccontains $path) { $cmd = $path }\n"
                        "    }\n"
                        "    $results = switch ($cmd) {\n",
                        err));
    for (size_t i = 0; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        if (!(c->bits & RV_CMD_HIDDEN))
            RV_TRY(add_command(out, c, err));
    }
    return rv_buf_add_c(
        out,
        "    }\n"
        "    $results | Where-Object { $_[0] -like \"$wordToComplete*\" } |\n"
        "        ForEach-Object { [System.Management.Automation.CompletionResult]::new("
        "$_[0], $_[0], 'ParameterValue', $_[1]) }\n"
        "}\n",
        err);
}
