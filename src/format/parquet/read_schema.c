#include <stdio.h>

#include "format/parquet/reader.h"

/* The path from the root to the element at hand. */
typedef struct walk {
    uint32_t left[RV_PQ_NESTING_MAX]; /* children still to come, by depth */
    uint8_t def[RV_PQ_NESTING_MAX];
    uint8_t rep[RV_PQ_NESTING_MAX];
    rv_bytes path[RV_PQ_NESTING_MAX];
    uint32_t depth; /* groups open; the root counts */
} walk;

static bool has_logical(const rv_pq_schema_element *e, unsigned id)
{
    return (e->has & RV_HAS(RV_PQ_SCHEMA_LOGICAL)) && (e->logical.has & RV_HAS(id));
}

static bool has_converted(const rv_pq_schema_element *e, int32_t converted)
{
    return (e->has & RV_HAS(RV_PQ_SCHEMA_CONVERTED)) && e->converted == converted;
}

static bool is_decimal(const rv_pq_schema_element *e)
{
    return has_logical(e, RV_PQ_LOGICAL_DECIMAL) || has_converted(e, RV_PQ_CONV_DECIMAL);
}

static bool is_text(const rv_pq_schema_element *e)
{
    return has_logical(e, RV_PQ_LOGICAL_STRING) || has_logical(e, RV_PQ_LOGICAL_JSON) ||
           has_logical(e, RV_PQ_LOGICAL_ENUM) || has_converted(e, RV_PQ_CONV_UTF8) ||
           has_converted(e, RV_PQ_CONV_JSON) || has_converted(e, RV_PQ_CONV_ENUM);
}

static bool has_unknown_logical(const rv_pq_schema_element *e)
{
    return (e->has & RV_HAS(RV_PQ_SCHEMA_LOGICAL)) && e->logical.has == 0;
}

static void int_annotation(const rv_pq_schema_element *e, rv_pq_read_leaf *leaf)
{
    static const uint8_t bits[] = {8, 16, 32, 64};
    if (has_logical(e, RV_PQ_LOGICAL_INTEGER)) {
        leaf->int_bits = (uint8_t)e->logical.integer.width;
        leaf->int_unsigned = !e->logical.integer.is_signed;
    } else if ((e->has & RV_HAS(RV_PQ_SCHEMA_CONVERTED)) && e->converted >= RV_PQ_CONV_UINT_8 &&
               e->converted <= RV_PQ_CONV_INT_64) {
        leaf->int_unsigned = e->converted <= RV_PQ_CONV_UINT_64;
        leaf->int_bits = bits[(e->converted - RV_PQ_CONV_UINT_8) % 4];
    }
    if (leaf->int_bits >= 32)
        leaf->int_bits = 0;
}

static rv_pq_leaf_order leaf_order(const rv_pq_schema_element *e, const rv_pq_read_leaf *leaf)
{
    if (has_unknown_logical(e))
        return RV_PQ_BY_NOTHING;
    switch ((rv_pq_type)leaf->type) {
    case RV_PQ_BOOLEAN:
        return RV_PQ_BY_BOOL;
    case RV_PQ_INT32:
        return leaf->int_unsigned ? RV_PQ_BY_U32 : RV_PQ_BY_I32;
    case RV_PQ_INT64:
        return leaf->int_unsigned ? RV_PQ_BY_U64 : RV_PQ_BY_I64;
    case RV_PQ_FLOAT:
        return RV_PQ_BY_F32;
    case RV_PQ_DOUBLE:
        return RV_PQ_BY_F64;
    case RV_PQ_BYTE_ARRAY:
    case RV_PQ_FLBA:
        if (has_logical(e, RV_PQ_LOGICAL_FLOAT16))
            return RV_PQ_BY_F16;
        if (has_converted(e, RV_PQ_CONV_INTERVAL))
            return RV_PQ_BY_NOTHING;
        return is_decimal(e) ? RV_PQ_BY_SIGNED : RV_PQ_BY_BYTES;
    case RV_PQ_INT96:
        break;
    }
    return RV_PQ_BY_NOTHING;
}

static rv_status decimal_annotation(const rv_pq_schema_element *e, rv_pq_read_leaf *leaf,
                                    rv_error *err)
{
    bool logical = has_logical(e, RV_PQ_LOGICAL_DECIMAL);
    int32_t precision = logical ? e->logical.decimal.precision : e->precision;
    int32_t scale = logical ? e->logical.decimal.scale : e->scale;
    if (precision < 1 || scale < 0 || scale > precision)
        return rv_fail(err, RV_E_CORRUPT, "column '%s' is decimal(%d,%d)", leaf->name, precision,
                       scale);
    /* Beyond 76 digits there is no arithmetic here; such a column is bytes. */
    leaf->precision = precision <= 76 ? (uint8_t)precision : 0;
    leaf->scale = precision <= 76 ? (uint8_t)scale : 0;
    return RV_OK;
}

static rv_status leaf_meaning(rv_pq_read_leaf *leaf, rv_error *err)
{
    const rv_pq_schema_element *e = leaf->element;
    if (e->type < 0 || e->type > RV_PQ_FLBA)
        return rv_fail(err, RV_E_CORRUPT, "column '%s' has physical type %d", leaf->name, e->type);
    leaf->type = (uint8_t)e->type;
    if (leaf->type == RV_PQ_FLBA) {
        if (e->type_length <= 0)
            return rv_fail(err, RV_E_CORRUPT, "column '%s' has values of length %d", leaf->name,
                           e->type_length);
        leaf->flba = (uint32_t)e->type_length;
    }
    if (leaf->type == RV_PQ_INT32 || leaf->type == RV_PQ_INT64)
        int_annotation(e, leaf);
    if (is_decimal(e))
        RV_TRY(decimal_annotation(e, leaf, err));
    leaf->utf8 = leaf->type == RV_PQ_BYTE_ARRAY && is_text(e);
    leaf->order = leaf_order(e, leaf);
    if (leaf->order == RV_PQ_BY_F16 && leaf->flba != 2)
        return rv_fail(err, RV_E_CORRUPT, "column '%s' has half floats of %u bytes", leaf->name,
                       leaf->flba);
    return RV_OK;
}

static rv_status dotted(rv_arena *arena, const rv_bytes *path, uint32_t n, const char **out,
                        rv_error *err)
{
    size_t len = 0;
    for (uint32_t i = 0; i < n; i++)
        len += path[i].len + 1;
    char *text;
    RV_TRY(rv_arena_alloc(arena, len + 1, &text, err));
    char *at = text;
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            *at++ = '.';
        if (path[i].len)
            memcpy(at, path[i].ptr, path[i].len);
        at += path[i].len;
    }
    *at = '\0';
    *out = text;
    return RV_OK;
}

static rv_status add_leaf(rv_pq_file *f, const walk *w, const rv_pq_schema_element *e, uint8_t def,
                          uint8_t rep, rv_error *err)
{
    rv_pq_read_leaf *leaf = &f->leaves[f->n_leaves];
    *leaf = (rv_pq_read_leaf){.element = e,
                              .path_len = w->depth,
                              .column = f->n_columns - 1,
                              .max_def = def,
                              .max_rep = rep};
    rv_bytes *path;
    RV_TRY(rv_arena_array(&f->arena, w->depth, sizeof *path, &path, err));
    for (uint32_t i = 0; i + 1 < w->depth; i++)
        path[i] = w->path[i + 1];
    path[w->depth - 1] = e->name;
    leaf->path = path;
    RV_TRY(dotted(&f->arena, path, w->depth, &leaf->name, err));
    RV_TRY(leaf_meaning(leaf, err));
    f->columns[f->n_columns - 1].n_leaves++;
    f->n_leaves++;
    return RV_OK;
}

static rv_status add_column(rv_pq_file *f, uint32_t at, rv_error *err)
{
    const rv_pq_schema_element *e = &f->meta.schema.items[at];
    rv_pq_top *column = &f->columns[f->n_columns];
    *column = (rv_pq_top){.element = e, .element_at = at, .first_leaf = f->n_leaves};
    RV_TRY(rv_arena_cstr(&f->arena, (rv_str){(const char *)e->name.ptr, e->name.len}, &column->name,
                         err));
    f->n_columns++;
    return RV_OK;
}

static rv_status open_group(walk *w, const rv_pq_schema_element *e, uint8_t def, uint8_t rep,
                            rv_error *err)
{
    if (w->depth == RV_PQ_NESTING_MAX)
        return rv_fail(err, RV_E_CORRUPT, "schema nested deeper than %u", RV_PQ_NESTING_MAX);
    if (e->num_children < 0)
        return rv_fail(err, RV_E_CORRUPT, "schema group with %d children", e->num_children);
    w->left[w->depth] = (uint32_t)e->num_children;
    w->def[w->depth] = def;
    w->rep[w->depth] = rep;
    w->path[w->depth] = e->name;
    w->depth++;
    return RV_OK;
}

static rv_status take_element(rv_pq_file *f, walk *w, uint32_t at, rv_error *err)
{
    const rv_pq_schema_element *e = &f->meta.schema.items[at];
    while (w->depth && w->left[w->depth - 1] == 0)
        w->depth--;
    if (w->depth == 0)
        return rv_fail(err, RV_E_CORRUPT, "schema has elements outside the root");
    w->left[w->depth - 1]--;
    if (w->depth == 1)
        RV_TRY(add_column(f, at, err));
    if (!(e->has & RV_HAS(RV_PQ_SCHEMA_REPETITION)) || e->repetition < 0 ||
        e->repetition > RV_PQ_REPEATED)
        return rv_fail(err, RV_E_CORRUPT, "schema element %u has no repetition", at);
    uint8_t def = (uint8_t)(w->def[w->depth - 1] + (e->repetition != RV_PQ_REQUIRED));
    uint8_t rep = (uint8_t)(w->rep[w->depth - 1] + (e->repetition == RV_PQ_REPEATED));
    if (e->has & RV_HAS(RV_PQ_SCHEMA_TYPE))
        return add_leaf(f, w, e, def, rep, err);
    return open_group(w, e, def, rep, err);
}

rv_status rv_pq_schema_read(rv_pq_file *f, rv_error *err)
{
    size_t n = f->meta.schema.n;
    walk w = {.depth = 0};
    if (n == 0 || n > UINT32_MAX)
        return rv_fail(err, RV_E_CORRUPT, "the schema is empty");
    RV_TRY(rv_arena_array(&f->arena, n, sizeof *f->leaves, &f->leaves, err));
    RV_TRY(rv_arena_array(&f->arena, n, sizeof *f->columns, &f->columns, err));
    RV_TRY(open_group(&w, &f->meta.schema.items[0], 0, 0, err));
    for (uint32_t i = 1; i < n; i++)
        RV_TRY(take_element(f, &w, i, err));
    while (w.depth && w.left[w.depth - 1] == 0)
        w.depth--;
    if (w.depth)
        return rv_fail(err, RV_E_CORRUPT, "the schema ends too early");
    return RV_OK;
}

/* ---- canonical types ---- */

static bool time_unit(const rv_pq_schema_element *e, unsigned logical, unsigned unit)
{
    return has_logical(e, logical) && (e->logical.time.unit.has & RV_HAS(unit));
}

static bool int_type(const rv_pq_read_leaf *leaf, rv_type *out)
{
    const rv_pq_schema_element *e = leaf->element;
    bool wide = leaf->type == RV_PQ_INT64;
    bool utc = e->logical.time.utc;
    if (leaf->precision)
        *out = rv_type_decimal(leaf->precision, leaf->scale);
    else if (has_logical(e, RV_PQ_LOGICAL_DATE) || has_converted(e, RV_PQ_CONV_DATE))
        *out = rv_type_of(RV_DATE);
    else if (wide && time_unit(e, RV_PQ_LOGICAL_TIMESTAMP, RV_PQ_UNIT_US))
        *out = rv_type_of(utc ? RV_TIMESTAMP_TZ : RV_TIMESTAMP);
    else if (wide && time_unit(e, RV_PQ_LOGICAL_TIMESTAMP, RV_PQ_UNIT_NS))
        *out = rv_type_of(utc ? RV_TIMESTAMP_TZ_NS : RV_TIMESTAMP_NS);
    else if (wide && time_unit(e, RV_PQ_LOGICAL_TIME, RV_PQ_UNIT_US))
        *out = rv_type_of(RV_TIME);
    else if (wide && has_converted(e, RV_PQ_CONV_TIMESTAMP_MICROS))
        *out = rv_type_of(RV_TIMESTAMP_TZ);
    else if (has_logical(e, RV_PQ_LOGICAL_TIME) || has_logical(e, RV_PQ_LOGICAL_TIMESTAMP))
        return false; /* milliseconds have no canonical type */
    else if (wide)
        *out = rv_type_of(leaf->int_unsigned ? RV_UINT64 : RV_INT64);
    else
        *out = rv_type_of(leaf->int_bits == 16 && !leaf->int_unsigned ? RV_INT16 : RV_INT32);
    return true;
}

static bool bytes_type(const rv_pq_read_leaf *leaf, rv_type *out)
{
    const rv_pq_schema_element *e = leaf->element;
    if (leaf->precision)
        *out = rv_type_decimal(leaf->precision, leaf->scale);
    else if (leaf->type == RV_PQ_FLBA && leaf->flba == 16 && has_logical(e, RV_PQ_LOGICAL_UUID))
        *out = rv_type_of(RV_UUID);
    else if (has_logical(e, RV_PQ_LOGICAL_JSON) || has_converted(e, RV_PQ_CONV_JSON))
        *out = rv_type_of(RV_JSON);
    else
        *out = rv_type_of(leaf->utf8 ? RV_STRING : RV_BINARY);
    return true;
}

static bool leaf_type(const rv_pq_read_leaf *leaf, rv_type *out)
{
    switch ((rv_pq_type)leaf->type) {
    case RV_PQ_BOOLEAN:
        *out = rv_type_of(RV_BOOL);
        return true;
    case RV_PQ_INT32:
    case RV_PQ_INT64:
        return int_type(leaf, out);
    case RV_PQ_FLOAT:
        *out = rv_type_of(RV_FLOAT32);
        return true;
    case RV_PQ_DOUBLE:
        *out = rv_type_of(RV_FLOAT64);
        return true;
    case RV_PQ_BYTE_ARRAY:
    case RV_PQ_FLBA:
        return bytes_type(leaf, out);
    case RV_PQ_INT96:
        break;
    }
    return false;
}

/* The three-level list: optional group, repeated group of one child, optional element. */
static bool is_list(const rv_pq_file *f, const rv_pq_top *column)
{
    const rv_pq_schema_element *e = column->element;
    const rv_pq_read_leaf *leaf = &f->leaves[column->first_leaf];
    return column->n_leaves == 1 && leaf->path_len == 3 && leaf->max_rep == 1 &&
           leaf->max_def == 3 &&
           (has_logical(e, RV_PQ_LOGICAL_LIST) || has_converted(e, RV_PQ_CONV_LIST));
}

bool rv_pq_natural_type(const rv_pq_file *f, const rv_pq_top *column, rv_type *out)
{
    rv_type t;
    if (column->n_leaves != 1 || !leaf_type(&f->leaves[column->first_leaf], &t))
        return false;
    const rv_pq_read_leaf *leaf = &f->leaves[column->first_leaf];
    if (is_list(f, column))
        t = rv_type_list(t);
    else if (leaf->path_len != 1 || leaf->max_rep)
        return false;
    *out = t;
    return true;
}
