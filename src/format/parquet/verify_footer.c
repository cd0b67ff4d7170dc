#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "format/parquet/verify_internal.h"

/* A footer key that holds a JSON object; NULL in *out when absent. */
static rv_status load_object(const rv_pq_file *f, const char *key, json_t **out, rv_error *err)
{
    rv_str text;
    json_error_t why;
    *out = NULL;
    if (!rv_pq_file_key(f, key, &text))
        return RV_OK;
    json_t *json = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &why);
    if (json_is_object(json)) {
        *out = json;
        return RV_OK;
    }
    json_decref(json);
    return rv_fail(err, RV_E_CORRUPT, "footer key %s is no JSON object", key);
}

static json_t *member(const json_t *object, const rv_pq_top *column)
{
    return json_object_getn(object, (const char *)column->element->name.ptr,
                            column->element->name.len);
}

/* ---- canonical types ---- */

static bool int_form(rv_type t, const rv_pq_read_leaf *leaf)
{
    bool wide = leaf->type == RV_PQ_INT64;
    switch ((rv_kind)t.kind) {
    case RV_INT16:
    case RV_INT32:
    case RV_DATE:
        return !wide;
    case RV_INT64:
    case RV_UINT64:
    case RV_TIME:
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
        return wide;
    case RV_DECIMAL:
        return leaf->precision == t.precision && leaf->scale == t.scale;
    case RV_BOOL:
    case RV_FLOAT32:
    case RV_FLOAT64:
    case RV_STRING:
    case RV_BINARY:
    case RV_JSON:
    case RV_UUID:
    case RV_ENUM:
    case RV_INTERVAL:
    case RV_LIST:
        break;
    }
    return false;
}

static bool bytes_form(rv_type t, const rv_pq_read_leaf *leaf)
{
    bool variable = leaf->type == RV_PQ_BYTE_ARRAY;
    if (t.kind == RV_DECIMAL)
        return leaf->precision == t.precision && leaf->scale == t.scale;
    if (t.kind == RV_UINT64)
        return leaf->precision == 20 && leaf->scale == 0;
    if (t.kind == RV_TIME || t.kind == RV_LIST || rv_type_is_text(t))
        return variable && leaf->utf8;
    if (t.kind == RV_UUID)
        return variable ? leaf->utf8 : leaf->flba == 16;
    return t.kind == RV_BINARY && variable;
}

static bool form_fits(rv_type t, const rv_pq_read_leaf *leaf)
{
    switch ((rv_pq_type)leaf->type) {
    case RV_PQ_BOOLEAN:
        return t.kind == RV_BOOL;
    case RV_PQ_INT32:
    case RV_PQ_INT64:
        return int_form(t, leaf);
    case RV_PQ_FLOAT:
        return t.kind == RV_FLOAT32;
    case RV_PQ_DOUBLE:
        return t.kind == RV_FLOAT64;
    case RV_PQ_BYTE_ARRAY:
    case RV_PQ_FLBA:
        return bytes_form(t, leaf);
    case RV_PQ_INT96:
        break;
    }
    return false;
}

static rv_status check_form(const rv_pq_file *f, const rv_pq_top *top, rv_type t, rv_error *err)
{
    const rv_pq_read_leaf *leaf = &f->leaves[top->first_leaf];
    bool nested = leaf->path_len == 3 && leaf->max_rep == 1 && leaf->max_def == 3;
    bool flat = leaf->path_len == 1 && leaf->max_rep == 0;
    if (top->n_leaves == 1 && t.kind == RV_LIST && nested && form_fits(rv_type_elem(t), leaf))
        return RV_OK;
    if (top->n_leaves == 1 && flat && form_fits(t, leaf))
        return RV_OK;
    char name[RV_TYPE_NAME_SIZE];
    rv_type_name(t, name);
    return rv_fail(err, RV_E_CORRUPT,
                   "column '%s' is %s by rivet.types, which its Parquet type"
                   " cannot hold",
                   top->name, name);
}

static rv_status read_types(const rv_pq_file *f, const json_t *json, rv_type *types, rv_error *err)
{
    if (json_object_size(json) != f->n_columns)
        return rv_fail(err, RV_E_CORRUPT, "rivet.types has %zu columns, the schema %u",
                       json_object_size(json), f->n_columns);
    for (uint32_t i = 0; i < f->n_columns; i++) {
        const char *name = json_string_value(member(json, &f->columns[i]));
        if (!name || !rv_type_from_name(rv_str_c(name), &types[i]))
            return rv_fail(err, RV_E_CORRUPT, "rivet.types has no known type for column '%s'",
                           f->columns[i].name);
        RV_TRY(check_form(f, &f->columns[i], types[i], err));
    }
    return RV_OK;
}

rv_status rv_pq_types_read(const rv_pq_file *f, rv_arena *arena, rv_type **out, rv_error *err)
{
    json_t *json;
    rv_type *types = NULL;
    RV_TRY(load_object(f, "rivet.types", &json, err));
    if (json) {
        rv_status st = rv_arena_array(arena, f->n_columns + 1u, sizeof *types, &types, err);
        if (st == RV_OK)
            st = read_types(f, json, types, err);
        json_decref(json);
        RV_TRY(st);
    }
    *out = types;
    return RV_OK;
}

/* ---- the checksum ---- */

static bool hex_is(const json_t *value, const char *want)
{
    const char *text = json_string_value(value);
    return text && strcmp(text, want) == 0;
}

static bool number_is(const json_t *value, uint64_t want)
{
    return json_is_integer(value) && (uint64_t)json_integer_value(value) == want;
}

static void differs(rv_verify_result *out, const char *what, const char *column)
{
    if (column)
        (void)snprintf(out->mismatch, sizeof out->mismatch, "column '%s': %s", column, what);
    else
        (void)snprintf(out->mismatch, sizeof out->mismatch, "%s", what);
}

static bool columns_match(const rv_pq_file *f, const json_t *columns, rv_verify_result *out)
{
    char hex[17];
    for (uint32_t i = 0; i < f->n_columns; i++) {
        const json_t *column = member(columns, &f->columns[i]);
        const rv_col_sum *sum = &out->sums.columns[i];
        rv_hex_u64(sum->sum, hex);
        if (!number_is(json_object_get(column, "nulls"), sum->nulls))
            differs(out, "the number of nulls differs", f->columns[i].name);
        else if (!hex_is(json_object_get(column, "sum"), hex))
            differs(out, "the checksum of its values differs", f->columns[i].name);
        else
            continue;
        return false;
    }
    return true;
}

static bool sums_match(const rv_pq_file *f, const json_t *json, rv_verify_result *out)
{
    char hex[33];
    rv_hex_u128(out->sums.row_sum, hex);
    if (!hex_is(json_object_get(json, "id"), "rivet-checksum-v1")) {
        differs(out, "the checksum is of an unknown kind", NULL);
        return false;
    }
    if (!number_is(json_object_get(json, "rows"), out->sums.rows)) {
        differs(out, "the number of rows differs", NULL);
        return false;
    }
    const json_t *columns = json_object_get(json, "columns");
    if (json_object_size(columns) != f->n_columns) {
        differs(out, "the checksum is of other columns", NULL);
        return false;
    }
    if (!columns_match(f, columns, out))
        return false;
    if (hex_is(json_object_get(json, "row_sum"), hex))
        return true;
    differs(out, "the checksum of the rows differs: cells have changed places", NULL);
    return false;
}

rv_status rv_pq_checksum_compare(const rv_pq_file *f, rv_verify_result *out, rv_error *err)
{
    json_t *json;
    RV_TRY(load_object(f, "rivet.checksum", &json, err));
    out->has_checksum = json != NULL;
    if (json && out->sums.columns)
        out->checksum_matches = sums_match(f, json, out);
    json_decref(json);
    return RV_OK;
}
