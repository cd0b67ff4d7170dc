#include "cli/help.h"

/* Inside '...' of a specification: the quote itself, and the signs _arguments reads. */
static rv_status add_quoted(rv_buf *out, const char *text, rv_error *err)
{
    for (const char *p = text; *p; p++) {
        if (*p == '\'')
            RV_TRY(rv_buf_add_c(out, "'\\''", err));
        else if (*p == '[' || *p == ']' || *p == ':' || *p == '\\')
            RV_TRY(rv_buf_printf(out, err, "\\%c", *p));
        else
            RV_TRY(rv_buf_add_byte(out, (uint8_t)*p, err));
    }
    return RV_OK;
}

static rv_status add_action(rv_buf *out, const rv_flag *f, rv_error *err)
{
    if (f->kind == RV_VALUE_NONE)
        return RV_OK;
    RV_TRY(rv_buf_printf(out, err, ":%s:", f->value[0] == 'K' ? "pair" : f->value));
    if (f->kind == RV_VALUE_FILE)
        return rv_buf_add_c(out, "_files", err);
    if (f->kind == RV_VALUE_DIR)
        return rv_buf_add_c(out, "_files -/", err);
    if (f->kind != RV_VALUE_WORD)
        return rv_buf_add_byte(out, ' ', err);
    for (size_t i = 0; f->words[i]; i++)
        RV_TRY(rv_buf_printf(out, err, "%s%s", i ? " " : "(", f->words[i]));
    return rv_buf_add_byte(out, ')', err);
}

static rv_status add_spec(rv_buf *out, const rv_flag *f, char letter, rv_error *err)
{
    const char *star = f->bits & RV_FLAG_REPEATS ? "*" : "";
    const char *plus = f->kind == RV_VALUE_NONE ? "" : letter ? "+" : "=";
    if (letter)
        RV_TRY(rv_buf_printf(out, err, " \\\n        '%s-%c%s[", star, letter, plus));
    else
        RV_TRY(rv_buf_printf(out, err, " \\\n        '%s--%s%s[", star, f->name, plus));
    RV_TRY(add_quoted(out, f->help, err));
    RV_TRY(rv_buf_add_byte(out, ']', err));
    RV_TRY(add_action(out, f, err));
    return rv_buf_add_byte(out, '\'', err);
}

static rv_status add_flags(rv_buf *out, const rv_command *c, rv_error *err)
{
    const rv_flag *f;
    RV_TRY(rv_buf_add_c(out, "        _arguments", err));
    for (size_t i = 0; (f = rv_command_flag(c, i)) != NULL; i++) {
        RV_TRY(add_spec(out, f, 0, err));
        if (f->letter)
            RV_TRY(add_spec(out, f, f->letter, err));
    }
    if (c->operand_words) {
        RV_TRY(rv_buf_printf(out, err, " \\\n        '*:%s:(", c->operand));
        for (size_t i = 0; c->operand_words[i]; i++)
            RV_TRY(rv_buf_printf(out, err, "%s%s", i ? " " : "", c->operand_words[i]));
        return rv_buf_add_c(out, ")'\n", err);
    }
    return rv_buf_add_c(out, c->operand ? " \\\n        '*:file:_files'\n" : "\n", err);
}

static rv_status add_children(rv_buf *out, const rv_command *c, rv_error *err)
{
    if (!rv_command_has_children(c->id))
        return RV_OK;
    RV_TRY(rv_buf_add_c(out,
                        "        if [[ $words[CURRENT] != -* ]]; then\n"
                        "            local -a commands=(",
                        err));
    for (size_t i = 1; i < RV_CMD_COUNT; i++) {
        const rv_command *sub = rv_command_get((rv_command_id)i);
        if (sub->parent != c->id || (sub->bits & RV_CMD_HIDDEN))
            continue;
        RV_TRY(rv_buf_printf(out, err, "\n                '%s:", rv_command_word(sub)));
        RV_TRY(add_quoted(out, sub->summary, err));
        RV_TRY(rv_buf_add_byte(out, '\'', err));
    }
    return rv_buf_add_c(out,
                        ")\n            _describe command commands && return\n"
                        "        fi\n",
                        err);
}

rv_status rv_complete_zsh(rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out,
                        "#compdef rivet\n"
                        "_rivet() {\n"
                        "    local cmd='' at=1 i\n"
                        "    for ((i = 2; i < CURRENT; i++)); do\n"
                        "        case \"$cmd/$words[i]\" in\n",
                        err));
    for (size_t i = 1; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        if (!(c->bits & RV_CMD_HIDDEN))
            RV_TRY(rv_buf_printf(out, err, "        '%s/%s') cmd='%s' at=$i ;;\n",
                                 rv_command_get(c->parent)->path, rv_command_word(c), c->path));
    }
    /* _arguments counts words from the command's own name */
    RV_TRY(rv_buf_add_c(out,
                        "        esac\n    done\n"
                        "    words=(\"${(@)words[at,-1]}\")\n"
                        "    (( CURRENT -= at - 1 ))\n"
                        "    case \"$cmd\" in\n",
                        err));
    for (size_t i = 0; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        if (c->bits & RV_CMD_HIDDEN)
            continue;
        RV_TRY(rv_buf_printf(out, err, "    '%s')\n", c->path));
        RV_TRY(add_children(out, c, err));
        RV_TRY(add_flags(out, c, err));
        RV_TRY(rv_buf_add_c(out, "        ;;\n", err));
    }
    return rv_buf_add_c(out,
                        "    esac\n}\n"
                        "if [ \"$funcstack[1]\" = _rivet ]; then\n    _rivet \"$@\"\n"
                        "else\n    compdef _rivet rivet\nfi\n",
                        err);
}
