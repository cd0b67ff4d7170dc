#include "cli/args.h"

#include <stdio.h>
#include <string.h>

typedef struct parser {
    int argc;
    char *const *argv;
    int at;
    bool flags_over;
    rv_args *out;
} parser;

static rv_status unknown(const char *what, const char *shown, const char *const *candidates,
                         size_t n, const char *dashes, rv_error *err)
{
    rv_str bare = rv_str_c(shown + strspn(shown, "-"));
    bare.len = strcspn(bare.ptr, "=");
    int best = rv_suggest(bare, candidates, n);
    if (best >= 0)
        return rv_fail(err, RV_E_USAGE, "unknown %s '%.*s'; did you mean '%s%s'?", what,
                       (int)strcspn(shown, "="), shown, dashes, candidates[best]);
    return rv_fail(err, RV_E_USAGE, "unknown %s '%.*s'", what, (int)strcspn(shown, "="), shown);
}

static rv_status unknown_flag(const rv_command *c, const char *shown, rv_error *err)
{
    const char *names[RV_FLAG_COUNT];
    size_t n = 0;
    const rv_flag *f;
    for (size_t i = 0; n < RV_FLAG_COUNT && (f = rv_command_flag(c, i)) != NULL; i++)
        names[n++] = f->name;
    /* a single letter resembles everything */
    if (shown[1] != '-')
        n = 0;
    return unknown("flag", shown, names, n, "--", err);
}

static rv_status unknown_command(const rv_command *parent, const char *word, rv_error *err)
{
    const char *names[RV_CMD_COUNT];
    size_t n = 0;
    for (size_t i = 1; i < RV_CMD_COUNT; i++) {
        const rv_command *c = rv_command_get((rv_command_id)i);
        if (c->parent == parent->id && !(c->bits & RV_CMD_HIDDEN))
            names[n++] = rv_command_word(c);
    }
    return unknown(parent->id == RV_CMD_ROOT ? "command" : "subcommand", word, names, n, "", err);
}

static rv_status check_word(const char *what, const char *value, const char *const *words,
                            rv_error *err)
{
    char list[160] = "";
    size_t n = 0;
    for (; words[n]; n++) {
        if (strcmp(words[n], value) == 0)
            return RV_OK;
        (void)strncat(list, n ? ", " : "", sizeof list - strlen(list) - 1);
        (void)strncat(list, words[n], sizeof list - strlen(list) - 1);
    }
    int best = rv_suggest(rv_str_c(value), words, n);
    if (best >= 0)
        return rv_fail(err, RV_E_USAGE, "%s cannot be '%s'; allowed: %s; did you mean '%s'?", what,
                       value, list, words[best]);
    return rv_fail(err, RV_E_USAGE, "%s cannot be '%s'; allowed: %s", what, value, list);
}

static rv_status check_value(const rv_flag *f, const char *value, rv_error *err)
{
    uint64_t number;
    char what[64];
    switch (f->kind) {
    case RV_VALUE_WORD:
        (void)snprintf(what, sizeof what, "--%s", f->name);
        return check_word(what, value, f->words, err);
    case RV_VALUE_COUNT:
        if (!rv_str_u64(rv_str_c(value), &number))
            return rv_fail(err, RV_E_USAGE, "--%s needs a whole number, got '%s'", f->name, value);
        if (f->id == RV_FLAG_LAST && number == 0)
            return rv_fail(err, RV_E_USAGE, "--last must be at least 1");
        return RV_OK;
    case RV_VALUE_PAIR:
        if (!strchr(value, '=') || value[0] == '=')
            return rv_fail(err, RV_E_USAGE, "--%s needs KEY=VALUE, got '%s'", f->name, value);
        return RV_OK;
    case RV_VALUE_TEXT:
    case RV_VALUE_FILE:
    case RV_VALUE_DIR:
        if (!value[0])
            return rv_fail(err, RV_E_USAGE, "--%s needs a value that is not empty", f->name);
        return RV_OK;
    case RV_VALUE_NONE:
        break;
    }
    return RV_OK;
}

static rv_status keep(parser *p, const rv_flag *f, const char *value, rv_error *err)
{
    rv_args *a = p->out;
    RV_TRY(check_value(f, value, err));
    if (a->value[f->id] && !(f->bits & RV_FLAG_REPEATS) && strcmp(a->value[f->id], value) != 0)
        return rv_fail(err, RV_E_USAGE, "--%s is given twice", f->name);
    a->value[f->id] = value;
    a->given[a->n_given++] = (rv_given){f, value};
    return RV_OK;
}

/* A word that looks like a flag is a forgotten value; "-" and negative numbers are values. */
static bool is_flag(const char *word)
{
    return word[0] == '-' && word[1] != '\0' && !(word[1] >= '0' && word[1] <= '9');
}

static rv_status take_value(parser *p, const rv_flag *f, const char *attached, rv_error *err)
{
    if (f->kind == RV_VALUE_NONE) {
        if (attached)
            return rv_fail(err, RV_E_USAGE, "--%s takes no value", f->name);
        return keep(p, f, "", err);
    }
    if (attached)
        return keep(p, f, attached, err);
    if (p->at >= p->argc || is_flag(p->argv[p->at]))
        return rv_fail(err, RV_E_USAGE, "--%s needs a value: %s", f->name, f->value);
    return keep(p, f, p->argv[p->at++], err);
}

static rv_status long_flag(parser *p, const char *word, rv_error *err)
{
    rv_str name = {word + 2, strcspn(word + 2, "=")};
    const rv_flag *f = rv_flag_find(p->out->command, name);
    if (!f)
        return unknown_flag(p->out->command, word, err);
    return take_value(p, f, name.ptr[name.len] == '=' ? name.ptr + name.len + 1 : NULL, err);
}

static rv_status short_flag(parser *p, const char *word, rv_error *err)
{
    const rv_flag *f = rv_flag_letter(p->out->command, word[1]);
    if (!f)
        return unknown_flag(p->out->command, word, err);
    const char *attached = word[2] ? word + 2 : NULL;
    if (attached && f->kind != RV_VALUE_NONE && attached[0] == '=')
        attached++;
    return take_value(p, f, attached, err);
}

static rv_status plain_word(parser *p, const char *word, rv_error *err)
{
    rv_args *a = p->out;
    const rv_command *c = a->command;
    if (rv_command_has_children(c->id)) {
        const rv_command *sub = rv_command_find(c->id, rv_str_c(word));
        if (!sub)
            return unknown_command(c, word, err);
        a->command = sub;
        return RV_OK;
    }
    if (!c->operand || a->operand)
        return rv_fail(err, RV_E_USAGE, "unexpected argument '%s'", word);
    if (c->operand_words)
        RV_TRY(check_word(c->operand, word, c->operand_words, err));
    a->operand = word;
    return RV_OK;
}

static rv_status parse_word(parser *p, rv_error *err)
{
    const char *word = p->argv[p->at++];
    if (!p->flags_over && strcmp(word, "--") == 0) {
        p->flags_over = true;
        return RV_OK;
    }
    bool operand = p->out->command->operand && !is_flag(word);
    if (p->flags_over || word[0] != '-' || operand)
        return plain_word(p, word, err);
    if (word[1] == '-')
        return long_flag(p, word, err);
    if (word[1] == '\0')
        return rv_fail(err, RV_E_USAGE, "unexpected argument '-'");
    return short_flag(p, word, err);
}

static rv_status check_shape(rv_args *a, rv_error *err)
{
    const rv_flag *format = rv_flag_find(a->command, RV_STR("format"));
    bool has_shape = format && format->words == rv_words_shape;
    const char *shape = has_shape ? a->value[RV_FLAG_FORMAT] : NULL;
    a->json = rv_args_has(a, RV_FLAG_JSON) || (shape && strcmp(shape, "json") == 0);
    if (rv_args_has(a, RV_FLAG_JSON) && shape && strcmp(shape, "json") != 0)
        return rv_fail(err, RV_E_USAGE, "--json and --format %s contradict each other", shape);
    if (has_shape && rv_args_has(a, RV_FLAG_OUTPUT) && !a->json)
        return rv_fail(err, RV_E_USAGE, "--output writes JSON only; add --format json");
    return RV_OK;
}

static rv_status check_complete(rv_args *a, rv_error *err)
{
    const rv_command *c = a->command;
    for (size_t i = 0; i < a->n_given; i++)
        if (!rv_flag_find(c, rv_str_c(a->given[i].flag->name)))
            return rv_fail(err, RV_E_USAGE, "'rivet %s' has no flag --%s", c->path,
                           a->given[i].flag->name);
    if (c->bits & RV_CMD_GROUP)
        return rv_fail(err, RV_E_USAGE, "a %s is missing",
                       c->id == RV_CMD_ROOT ? "command" : "subcommand");
    for (size_t i = 0; i < c->n_flags; i++)
        if ((c->flags[i].bits & RV_FLAG_REQUIRED) && !rv_args_has(a, c->flags[i].id))
            return rv_fail(err, RV_E_USAGE, "--%s %s is missing", c->flags[i].name,
                           c->flags[i].value);
    if (c->operand && !a->operand)
        return rv_fail(err, RV_E_USAGE, "%s is missing", c->operand);
    return check_shape(a, err);
}

static bool asks_json_errors(int argc, char *const *argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json-errors") == 0)
            return true;
    return false;
}

static bool is_mcp(const char *program)
{
    const char *slash = strrchr(program, '/');
    return strcmp(slash ? slash + 1 : program, "rivet-mcp") == 0;
}

rv_status rv_args_parse(int argc, char *const *argv, rv_arena *arena, rv_args *out, rv_error *err)
{
    *out = (rv_args){.command = rv_command_get(RV_CMD_ROOT)};
    out->json_errors = asks_json_errors(argc, argv);
    if (argc > 0 && is_mcp(argv[0]))
        out->command = rv_command_get(RV_CMD_MCP);
    RV_TRY(
        rv_arena_array(arena, argc > 0 ? (size_t)argc : 1, sizeof *out->given, &out->given, err));
    parser p = {argc, argv, 1, false, out};
    while (p.at < argc)
        RV_TRY(parse_word(&p, err));
    if (rv_args_has(out, RV_FLAG_HELP) || rv_args_has(out, RV_FLAG_VERSION))
        return RV_OK;
    return check_complete(out, err);
}

uint64_t rv_args_count(const rv_args *a, rv_flag_id id, uint64_t dflt)
{
    uint64_t number = dflt;
    if (a->value[id])
        (void)rv_str_u64(rv_str_c(a->value[id]), &number);
    return number;
}

rv_status rv_args_list(const rv_args *a, rv_flag_id id, rv_arena *arena, const char *const **out,
                       size_t *out_n, rv_error *err)
{
    const char **list = NULL;
    size_t n = 0;
    RV_TRY(rv_arena_array(arena, a->n_given + 1, sizeof *list, &list, err));
    for (size_t i = 0; i < a->n_given; i++)
        if (a->given[i].flag->id == id)
            list[n++] = a->given[i].value;
    *out = list;
    *out_n = n;
    return RV_OK;
}
