#include "cli/help.h"

/* "rivet state" + "show" -> cmd="state show": walks the words that are commands. */
static rv_status add_walk(rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out,
                        "# bash completion for rivet\n"
                        "_rivet() {\n"
                        "    local cur=\"${COMP_WORDS[COMP_CWORD]}\"\n"
                        "    local prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
                        "    local cmd=\"\" words=\"\" i\n"
                        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                        "        case \"$cmd/${COMP_WORDS[i]}\" in\n",
                        err));
    for (size_t i = 1; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        if (!(c->bits & RV_CMD_HIDDEN))
            RV_TRY(rv_buf_printf(out, err, "            '%s/%s') cmd='%s' ;;\n",
                                 rv_command_get(c->parent)->path, rv_command_word(c), c->path));
    }
    return rv_buf_add_c(out, "        esac\n    done\n", err);
}

static rv_status add_value(rv_buf *out, const rv_command *c, const rv_flag *f, rv_error *err)
{
    if (f->kind == RV_VALUE_NONE)
        return RV_OK;
    RV_TRY(rv_buf_printf(out, err, "        '%s:--%s'", c->path, f->name));
    if (f->letter)
        RV_TRY(rv_buf_printf(out, err, "|'%s:-%c'", c->path, f->letter));
    RV_TRY(rv_buf_add_c(out, ") ", err));
    if (f->kind == RV_VALUE_WORD) {
        RV_TRY(rv_buf_add_c(out, "COMPREPLY=($(compgen -W '", err));
        for (size_t i = 0; f->words[i]; i++)
            RV_TRY(rv_buf_printf(out, err, "%s%s", i ? " " : "", f->words[i]));
        return rv_buf_add_c(out, "' -- \"$cur\")); return ;;\n", err);
    }
    if (f->kind == RV_VALUE_FILE)
        return rv_buf_add_c(out, "COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", err);
    if (f->kind == RV_VALUE_DIR)
        return rv_buf_add_c(out, "COMPREPLY=($(compgen -d -- \"$cur\")); return ;;\n", err);
    return rv_buf_add_c(out, "return ;;\n", err);
}

static rv_status add_words(rv_buf *out, const rv_command *c, rv_error *err)
{
    const rv_flag *f;
    RV_TRY(rv_buf_printf(out, err, "        '%s') words='", c->path));
    for (size_t i = 1; i < RV_CMD_COUNT; i++) {
        const rv_command *sub = rv_command_get((rv_command_id)i);
        if (sub->parent == c->id && !(sub->bits & RV_CMD_HIDDEN))
            RV_TRY(rv_buf_printf(out, err, "%s ", rv_command_word(sub)));
    }
    for (size_t i = 0; c->operand_words && c->operand_words[i]; i++)
        RV_TRY(rv_buf_printf(out, err, "%s ", c->operand_words[i]));
    for (size_t i = 0; (f = rv_command_flag(c, i)) != NULL; i++)
        RV_TRY(rv_buf_printf(out, err, "%s--%s", i ? " " : "", f->name));
    return rv_buf_add_c(out, "' ;;\n", err);
}

rv_status rv_complete_bash(rv_buf *out, rv_error *err)
{
    const rv_flag *f;
    RV_TRY(add_walk(out, err));
    RV_TRY(rv_buf_add_c(out, "    case \"$cmd:$prev\" in\n", err));
    for (size_t i = 0; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        if (c->bits & RV_CMD_HIDDEN)
            continue;
        for (size_t k = 0; (f = rv_command_flag(c, k)) != NULL; k++)
            RV_TRY(add_value(out, c, f, err));
    }
    RV_TRY(rv_buf_add_c(out, "    esac\n    case \"$cmd\" in\n", err));
    for (size_t i = 0; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        if (!(c->bits & RV_CMD_HIDDEN))
            RV_TRY(add_words(out, c, err));
    }
    return rv_buf_add_c(out,
                        "    esac\n"
                        "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                        "}\n"
                        "complete -o default -F _rivet rivet\n",
                        err);
}
