#include "config/table.h"

static const char *type_word(const rv_cfg_key *key)
{
    switch (key->type) {
    case RV_KEY_STR:
    case RV_KEY_ENUM:
    case RV_KEY_ENUM1:
    case RV_KEY_WORD:
        return "string";
    case RV_KEY_BOOL:
        return "boolean";
    case RV_KEY_INT:
    case RV_KEY_PORT:
    case RV_KEY_COUNT:
        return "integer";
    case RV_KEY_FLOAT:
        return "number";
    case RV_KEY_SIZE:
        return "size";
    case RV_KEY_DURATION:
        return "duration";
    case RV_KEY_STRS:
    case RV_KEY_WORDS:
        return "list";
    case RV_KEY_BOOL_OR_STRS:
        return "boolean or list of columns";
    case RV_KEY_WORD_OR_STRS:
        return "word or list of names";
    case RV_KEY_MAP_FLOAT:
        return "mapping of name to number";
    case RV_KEY_MAP_STR:
        return "mapping of name to type";
    case RV_KEY_BLOCK:
        return "mapping";
    case RV_KEY_EXPORTS:
        return "list of mappings";
    case RV_KEY_ANY:
        break;
    }
    return "any";
}

static rv_status add_range(const rv_cfg_key *key, rv_buf *out, rv_error *err)
{
    bool number = key->type == RV_KEY_INT || key->type == RV_KEY_PORT ||
                  key->type == RV_KEY_COUNT || key->type == RV_KEY_FLOAT;
    if (!number || key->min <= INT32_MIN + 1)
        return RV_OK;
    if (key->max == INT64_MAX)
        return rv_buf_printf(out, err, " >= %lld", (long long)key->min);
    return rv_buf_printf(out, err, " %lld..%lld", (long long)key->min, (long long)key->max);
}

static rv_status add_type(const rv_cfg_key *key, rv_buf *out, rv_error *err)
{
    if (!key->words || key->type == RV_KEY_WORDS || key->type == RV_KEY_WORD_OR_STRS)
        RV_TRY(rv_buf_add_c(out, type_word(key), err));
    for (size_t i = 0; key->words && key->words[i]; i++)
        RV_TRY(
            rv_buf_printf(out, err, "%s`%s`",
                          i == 0 && (key->type == RV_KEY_WORDS || key->type == RV_KEY_WORD_OR_STRS)
                              ? ": "
                              : (i == 0 ? "" : " "),
                          key->words[i]));
    return add_range(key, out, err);
}

/* The columns of a table are cut at '|'. */
static rv_status add_cell(const char *text, rv_buf *out, rv_error *err)
{
    for (const char *p = text; *p; p++) {
        if (*p == '|')
            RV_TRY(rv_buf_add_byte(out, '\\', err));
        RV_TRY(rv_buf_add_byte(out, (uint8_t)*p, err));
    }
    return RV_OK;
}

static rv_status add_dest_types(const rv_cfg_key *key, rv_buf *out, rv_error *err)
{
    static const struct {
        unsigned bit;
        const char *name;
    } on[] = {{RV_ON_LOCAL, "local"}, {RV_ON_S3, "s3"}, {RV_ON_GCS, "gcs"}, {RV_ON_AZURE, "azure"}};
    bool first = true;
    for (size_t i = 0; i < sizeof on / sizeof on[0]; i++) {
        if (!(key->flags & on[i].bit))
            continue;
        RV_TRY(rv_buf_printf(out, err, "%s%s", first ? " Types: " : ", ", on[i].name));
        first = false;
    }
    return first ? RV_OK : rv_buf_add_byte(out, '.', err);
}

static rv_status add_key(const rv_cfg_key *key, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "| `%s` | ", key->name));
    RV_TRY(add_type(key, out, err));
    RV_TRY(rv_buf_add_c(out, " | ", err));
    if (key->flags & RV_KEY_REQUIRED)
        RV_TRY(rv_buf_add_c(out, "required", err));
    else if (key->dflt && key->dflt[0])
        RV_TRY(rv_buf_printf(out, err, "`%s`", key->dflt));
    RV_TRY(rv_buf_add_c(out, " | ", err));
    RV_TRY(add_cell(key->doc, out, err));
    RV_TRY(add_dest_types(key, out, err));
    if (key->flags & RV_KEY_DEPRECATED)
        RV_TRY(rv_buf_add_c(out, " Deprecated.", err));
    return rv_buf_add_c(out, " |\n", err);
}

static rv_status add_block(rv_block_id id, rv_buf *out, rv_error *err)
{
    const rv_block *b = rv_block_get(id);
    size_t n = 0;
    const rv_cfg_key *keys = rv_block_keys(id, &n);
    RV_TRY(rv_buf_printf(out, err,
                         "\n## %s\n\n%s\n\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n",
                         b->heading, b->doc));
    for (size_t i = 0; i < n; i++)
        RV_TRY(add_key(&keys[i], out, err));
    return RV_OK;
}

rv_status rv_cfg_reference(rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_c(
        out,
        "# Configuration reference\n\n"
        "Every key of `rivet.yaml`. This page is generated from the table the parser reads; "
        "`rivet schema config` prints the same as a JSON Schema.\n\n"
        "- The file is YAML 1.2: one document, anchors, aliases and `<<` merges allowed, spaces "
        "for indentation. Booleans are `true` and `false`; `yes`, `no`, `on` and `off` are text.\n"
        "- An unknown key is an error, and so is a key in the wrong block. A key that has no "
        "effect where it stands is a warning.\n"
        "- `${NAME}` in any value is replaced: first by `--param NAME=...`, then from the "
        "environment. `$${NAME}` is the text `${NAME}`.\n"
        "- `destination.path` and `prefix` may hold `{date}`, `{export}`, `{table}`, "
        "`{partition}` and `{run_id}`.\n"
        "- Sizes are a number with `B`, `KB`, `MB` or `GB` (1 KB = 1024 bytes); durations are a "
        "whole number with `s`, `m`, `h` or `d`.\n",
        err));
    for (unsigned id = 0; id < RV_BLOCK_COUNT; id++)
        RV_TRY(add_block((rv_block_id)id, out, err));
    return RV_OK;
}
