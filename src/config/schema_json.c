#include "config/table.h"

#include "base/json.h"

#include <stdlib.h>

static void write_block(rv_json *j, rv_block_id id);

static void write_words(rv_json *j, const rv_cfg_key *key)
{
    rv_json_key(j, "enum");
    rv_json_array(j);
    for (size_t i = 0; key->words[i]; i++)
        rv_json_cstr(j, key->words[i]);
    if (key->flags & RV_KEY_NULL_WORD)
        rv_json_null(j);
    rv_json_array_end(j);
}

static void write_range(rv_json *j, const rv_cfg_key *key)
{
    if (key->min > INT32_MIN + 1)
        rv_json_ki64(j, "minimum", key->min);
    if (key->max != INT64_MAX && key->max != INT32_MAX)
        rv_json_ki64(j, "maximum", key->max);
}

static void write_string_items(rv_json *j, const rv_cfg_key *key)
{
    rv_json_kstr(j, "type", "array");
    rv_json_key(j, "items");
    rv_json_object(j);
    if (key->type == RV_KEY_WORDS)
        write_words(j, key);
    else
        rv_json_kstr(j, "type", "string");
    rv_json_object_end(j);
    if (key->type == RV_KEY_WORDS)
        rv_json_ki64(j, "minItems", 1);
}

/* A boolean or word, or a list of names. */
static void write_either(rv_json *j, const rv_cfg_key *key)
{
    rv_json_key(j, "anyOf");
    rv_json_array(j);
    rv_json_object(j);
    if (key->type == RV_KEY_BOOL_OR_STRS)
        rv_json_kstr(j, "type", "boolean");
    else
        write_words(j, key);
    rv_json_object_end(j);
    rv_json_object(j);
    write_string_items(j, key);
    rv_json_object_end(j);
    rv_json_array_end(j);
}

static void write_map(rv_json *j, const rv_cfg_key *key)
{
    rv_json_kstr(j, "type", "object");
    rv_json_key(j, "additionalProperties");
    rv_json_object(j);
    rv_json_kstr(j, "type", key->type == RV_KEY_MAP_FLOAT ? "number" : "string");
    if (key->type == RV_KEY_MAP_FLOAT)
        write_range(j, key);
    rv_json_object_end(j);
}

static void write_exports(rv_json *j, const rv_cfg_key *key)
{
    rv_json_kstr(j, "type", "array");
    rv_json_ki64(j, "minItems", 1);
    rv_json_key(j, "items");
    rv_json_object(j);
    write_block(j, key->child);
    rv_json_object_end(j);
}

static void write_type(rv_json *j, const rv_cfg_key *key)
{
    switch (key->type) {
    case RV_KEY_STR:
    case RV_KEY_DURATION:
        rv_json_kstr(j, "type", "string");
        break;
    case RV_KEY_SIZE:
        rv_json_key(j, "type");
        rv_json_raw(j, RV_STR("[\"string\",\"number\"]"));
        break;
    case RV_KEY_BOOL:
        rv_json_kstr(j, "type", "boolean");
        break;
    case RV_KEY_INT:
    case RV_KEY_PORT:
    case RV_KEY_COUNT:
        rv_json_kstr(j, "type", "integer");
        write_range(j, key);
        break;
    case RV_KEY_FLOAT:
        rv_json_kstr(j, "type", "number");
        write_range(j, key);
        break;
    case RV_KEY_ENUM:
    case RV_KEY_ENUM1:
    case RV_KEY_WORD:
        write_words(j, key);
        break;
    case RV_KEY_STRS:
    case RV_KEY_WORDS:
        write_string_items(j, key);
        break;
    case RV_KEY_BOOL_OR_STRS:
    case RV_KEY_WORD_OR_STRS:
        write_either(j, key);
        break;
    case RV_KEY_MAP_FLOAT:
    case RV_KEY_MAP_STR:
        write_map(j, key);
        break;
    case RV_KEY_BLOCK:
        write_block(j, key->child);
        break;
    case RV_KEY_EXPORTS:
        write_exports(j, key);
        break;
    case RV_KEY_ANY:
        break;
    }
}

static void write_default(rv_json *j, const rv_cfg_key *key)
{
    if (!key->dflt)
        return;
    rv_json_key(j, "default");
    bool bare = key->type == RV_KEY_BOOL || key->type == RV_KEY_INT ||
                key->type == RV_KEY_BOOL_OR_STRS || key->type == RV_KEY_FLOAT;
    if (bare)
        rv_json_raw(j, rv_str_c(key->dflt));
    else if (key->type == RV_KEY_WORDS)
        rv_json_raw(j, RV_STR("[\"failure\"]"));
    else
        rv_json_cstr(j, key->dflt);
}

static void write_key(rv_json *j, const rv_cfg_key *key)
{
    rv_json_key(j, key->name);
    rv_json_object(j);
    rv_json_kstr(j, "description", key->doc);
    write_type(j, key);
    write_default(j, key);
    if (key->flags & RV_KEY_DEPRECATED)
        rv_json_kbool(j, "deprecated", true);
    if (key->flags & RV_KEY_SECRET)
        rv_json_kbool(j, "writeOnly", true);
    rv_json_object_end(j);
}

static void write_required(rv_json *j, const rv_cfg_key *keys, size_t n)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (!(keys[i].flags & RV_KEY_REQUIRED))
            continue;
        if (!any) {
            rv_json_key(j, "required");
            rv_json_array(j);
        }
        any = true;
        rv_json_cstr(j, keys[i].name);
    }
    if (any)
        rv_json_array_end(j);
}

/* The members of the schema of a block, inside an open object. */
static void write_block(rv_json *j, rv_block_id id)
{
    size_t n = 0;
    const rv_cfg_key *keys = rv_block_keys(id, &n);
    rv_json_kstr(j, "type", "object");
    rv_json_kbool(j, "additionalProperties", false);
    write_required(j, keys, n);
    rv_json_key(j, "properties");
    rv_json_object(j);
    for (size_t i = 0; i < n; i++)
        write_key(j, &keys[i]);
    rv_json_object_end(j);
}

rv_status rv_cfg_json_schema(rv_buf *out, rv_error *err)
{
    rv_json j;
    rv_json_begin(&j, out, true);
    rv_json_object(&j);
    rv_json_kstr(&j, "$schema", "https://json-schema.org/draft/2020-12/schema");
    rv_json_kstr(&j, "title", "Rivet config (rivet " RIVET_VERSION ")");
    rv_json_kstr(&j, "description",
                 "rivet.yaml. Every scalar may hold ${NAME}, filled from --param or the "
                 "environment.");
    write_block(&j, RV_BLOCK_ROOT);
    rv_json_object_end(&j);
    RV_TRY(rv_json_end(&j, err));
    return rv_buf_add_byte(out, '\n', err);
}
