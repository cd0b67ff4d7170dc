#include "cli/help.h"

#include <stdio.h>

#define WIDTH 96

/* " -c, --config PATH" */
static int flag_label(const rv_flag *f, char *out, size_t size)
{
    char letter[8] = "    ";
    if (f->letter)
        (void)snprintf(letter, sizeof letter, "-%c, ", f->letter);
    return snprintf(out, size, "%s--%s%s%s", letter, f->name, f->value ? " " : "",
                    f->value ? f->value : "");
}

/* Text after a label of `indent` columns, folded at blanks. */
static rv_status add_folded(rv_buf *out, const char *text, size_t indent, rv_error *err)
{
    size_t column = indent;
    rv_str rest = rv_str_c(text);
    while (rest.len) {
        size_t word = strcspn(rest.ptr, " ");
        if (column > indent && column + 1 + word > WIDTH) {
            RV_TRY(rv_buf_printf(out, err, "\n%*s", (int)indent, ""));
            column = indent;
        }
        if (column > indent) {
            RV_TRY(rv_buf_add_byte(out, ' ', err));
            column++;
        }
        RV_TRY(rv_buf_add(out, rest.ptr, word, err));
        column += word;
        size_t used = word + (rest.ptr[word] == ' ');
        rest = (rv_str){rest.ptr + used, rest.len - used};
    }
    return rv_buf_add_byte(out, '\n', err);
}

static rv_status add_words(rv_buf *out, const char *const *words, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out, " [", err));
    for (size_t i = 0; words[i]; i++)
        RV_TRY(rv_buf_printf(out, err, "%s%s", i ? ", " : "", words[i]));
    return rv_buf_add_byte(out, ']', err);
}

/* The help line of a flag with its words, when they say more than the line does. */
static rv_status flag_line(const rv_flag *f, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out, f->help, err));
    if (f->alias)
        RV_TRY(rv_buf_printf(out, err, " (also --%s)", f->alias));
    if (f->words && f->words != rv_words_shape && f->id != RV_FLAG_DEPTH)
        RV_TRY(add_words(out, f->words, err));
    return RV_OK;
}

static rv_status add_flags(rv_buf *out, const rv_flag *flags, size_t n, rv_error *err)
{
    char label[64];
    int widest = 0;
    for (size_t i = 0; i < n; i++) {
        int width = flag_label(&flags[i], label, sizeof label);
        widest = width > widest ? width : widest;
    }
    rv_status st = RV_OK;
    rv_buf line = RV_BUF_INIT;
    for (size_t i = 0; i < n; i++) {
        (void)flag_label(&flags[i], label, sizeof label);
        rv_buf_clear(&line);
        RV_GO(flag_line(&flags[i], &line, err));
        RV_GO(rv_buf_printf(out, err, "  %-*s  ", widest, label));
        const char *text = rv_buf_cstr(&line);
        if (!text) {
            st = rv_fail_memory(err);
            goto done;
        }
        RV_GO(add_folded(out, text, (size_t)widest + 4, err));
    }
done:
    rv_buf_free(&line);
    return st;
}

static rv_status add_commands(rv_buf *out, rv_command_id parent, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out, "\nCommands:\n", err));
    for (size_t i = 1; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        if (c->parent == parent && !(c->bits & RV_CMD_HIDDEN))
            RV_TRY(rv_buf_printf(out, err, "  %-12s  %s\n", rv_command_word(c), c->summary));
    }
    return RV_OK;
}

rv_status rv_help_usage(const rv_command *c, rv_buf *out, rv_error *err)
{
    if (c->id == RV_CMD_ROOT)
        return rv_buf_add_c(out, "Usage: rivet [GLOBAL FLAGS] COMMAND [FLAGS]\n", err);
    RV_TRY(rv_buf_printf(out, err, "Usage: rivet %s", c->path));
    if (rv_command_has_children(c->id))
        RV_TRY(rv_buf_add_c(out, c->bits & RV_CMD_GROUP ? " COMMAND" : " [COMMAND]", err));
    if (c->n_flags)
        RV_TRY(rv_buf_add_c(out, " [FLAGS]", err));
    if (c->operand)
        RV_TRY(rv_buf_printf(out, err, " %s", c->operand));
    return rv_buf_add_byte(out, '\n', err);
}

rv_status rv_help_text(const rv_command *c, rv_buf *out, rv_error *err)
{
    size_t n = 0;
    const rv_flag *globals = rv_flags_global(&n);
    if (c->id == RV_CMD_ROOT)
        RV_TRY(rv_buf_printf(out, err, "rivet %s: %s\n\n", RIVET_VERSION, c->summary));
    else
        RV_TRY(rv_buf_printf(out, err, "rivet %s: %s\n\n", c->path, c->summary));
    RV_TRY(rv_help_usage(c, out, err));
    if (c->about) {
        RV_TRY(rv_buf_add_byte(out, '\n', err));
        RV_TRY(add_folded(out, c->about, 0, err));
    }
    if (c->operand_words) {
        RV_TRY(rv_buf_printf(out, err, "\n%s:", c->operand));
        RV_TRY(add_words(out, c->operand_words, err));
        RV_TRY(rv_buf_add_byte(out, '\n', err));
    }
    if (rv_command_has_children(c->id))
        RV_TRY(add_commands(out, c->id, err));
    if (c->n_flags) {
        RV_TRY(rv_buf_add_c(out, "\nFlags:\n", err));
        RV_TRY(add_flags(out, c->flags, c->n_flags, err));
    }
    RV_TRY(rv_buf_add_c(out, "\nGlobal flags:\n", err));
    RV_TRY(add_flags(out, globals, n, err));
    RV_TRY(rv_buf_printf(out, err, "\nExample:\n  %s\n", c->example));
    if (c->id == RV_CMD_ROOT)
        RV_TRY(rv_buf_add_c(out, "\n'rivet COMMAND --help' tells more about a command.\n", err));
    return RV_OK;
}
