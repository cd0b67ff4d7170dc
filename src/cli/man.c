#include "cli/help.h"

#include <stdio.h>

/* roff reads '\' everywhere, '.' and ''' at the start of a line, and '-' as a hyphen. */
static rv_status add_roff(rv_buf *out, const char *text, rv_error *err)
{
    bool line_start = out->len == 0 || out->ptr[out->len - 1] == '\n';
    for (const char *p = text; *p; p++) {
        if (line_start && (*p == '.' || *p == '\''))
            RV_TRY(rv_buf_add_c(out, "\\&", err));
        if (*p == '\\')
            RV_TRY(rv_buf_add_c(out, "\\e", err));
        else if (*p == '-')
            RV_TRY(rv_buf_add_c(out, "\\-", err));
        else
            RV_TRY(rv_buf_add_byte(out, (uint8_t)*p, err));
        line_start = *p == '\n';
    }
    return RV_OK;
}

static rv_status add_flag(rv_buf *out, const rv_flag *f, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out, ".TP\n", err));
    if (f->letter)
        RV_TRY(rv_buf_printf(out, err, "\\fB\\-%c\\fR, ", f->letter));
    RV_TRY(rv_buf_add_c(out, "\\fB\\-\\-", err));
    RV_TRY(add_roff(out, f->name, err));
    RV_TRY(rv_buf_add_c(out, "\\fR", err));
    if (f->value)
        RV_TRY(rv_buf_printf(out, err, " \\fI%s\\fR", f->value));
    RV_TRY(rv_buf_add_byte(out, '\n', err));
    RV_TRY(add_roff(out, f->help, err));
    for (size_t i = 0; f->words && f->words[i]; i++) {
        RV_TRY(rv_buf_add_c(out, i ? ", " : "; one of ", err));
        RV_TRY(add_roff(out, f->words[i], err));
    }
    return rv_buf_add_byte(out, '\n', err);
}

static rv_status add_flags(rv_buf *out, const char *title, const rv_flag *flags, size_t n,
                           rv_error *err)
{
    if (n == 0)
        return RV_OK;
    RV_TRY(rv_buf_printf(out, err, ".SH %s\n", title));
    for (size_t i = 0; i < n; i++)
        RV_TRY(add_flag(out, &flags[i], err));
    return RV_OK;
}

static rv_status add_children(rv_buf *out, rv_command_id parent, rv_error *err)
{
    if (!rv_command_has_children(parent))
        return RV_OK;
    RV_TRY(rv_buf_add_c(out, ".SH COMMANDS\n", err));
    for (size_t i = 1; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        if (c->parent != parent || (c->bits & RV_CMD_HIDDEN))
            continue;
        RV_TRY(rv_buf_add_c(out, ".TP\n\\fB", err));
        RV_TRY(add_roff(out, rv_command_word(c), err));
        RV_TRY(rv_buf_add_c(out, "\\fR\n", err));
        RV_TRY(add_roff(out, c->summary, err));
        RV_TRY(rv_buf_add_byte(out, '\n', err));
    }
    return RV_OK;
}

void rv_help_man_name(const rv_command *c, char out[64])
{
    int n = snprintf(out, 64, "rivet%s%s.1", c->path[0] ? "-" : "", c->path);
    for (int i = 0; i < n && i < 63; i++)
        if (out[i] == ' ')
            out[i] = '-';
}

static rv_status add_title(rv_buf *out, const rv_command *c, rv_error *err)
{
    char name[64];
    rv_help_man_name(c, name);
    name[strlen(name) - 2] = '\0';
    RV_TRY(rv_buf_printf(out, err, ".TH \"%s\" 1 \"\" \"rivet %s\" \"Rivet manual\"\n.SH NAME\n",
                         name, RIVET_VERSION));
    RV_TRY(add_roff(out, name, err));
    RV_TRY(rv_buf_add_c(out, " \\- ", err));
    RV_TRY(add_roff(out, c->summary, err));
    RV_TRY(rv_buf_add_c(out, "\n.SH SYNOPSIS\n", err));
    size_t before = out->len;
    RV_TRY(rv_help_usage(c, out, err));
    /* the page's heading already says "Usage: " */
    size_t skip = strlen("Usage: ");
    memmove(out->ptr + before, out->ptr + before + skip, out->len - before - skip);
    out->len -= skip;
    return RV_OK;
}

rv_status rv_help_man(const rv_command *c, rv_buf *out, rv_error *err)
{
    size_t n = 0;
    const rv_flag *globals = rv_flags_global(&n);
    RV_TRY(add_title(out, c, err));
    if (c->about) {
        RV_TRY(rv_buf_add_c(out, ".SH DESCRIPTION\n", err));
        RV_TRY(add_roff(out, c->about, err));
        RV_TRY(rv_buf_add_byte(out, '\n', err));
    }
    RV_TRY(add_children(out, c->id, err));
    RV_TRY(add_flags(out, "OPTIONS", c->flags, c->n_flags, err));
    RV_TRY(add_flags(out, "GLOBAL OPTIONS", globals, n, err));
    RV_TRY(rv_buf_add_c(out, ".SH EXAMPLE\n.nf\n", err));
    RV_TRY(add_roff(out, c->example, err));
    RV_TRY(rv_buf_add_c(out, "\n.fi\n", err));
    if (c->id == RV_CMD_ROOT)
        RV_TRY(rv_buf_add_c(out,
                            ".SH EXIT STATUS\n0 success; 1 a failure that retrying will not help; "
                            "2 a failure that may pass, or a wrong command line; 3 data failed a "
                            "check; 4 schema drift; 5 refusal; 6 internal; 130 and 143 "
                            "interrupted.\n",
                            err));
    return RV_OK;
}
