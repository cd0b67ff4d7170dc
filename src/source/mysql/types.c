/* Types: what a column of MySQL and MariaDB becomes. Spec "types" sections 4 and 8. */
#include <stdio.h>

#include "source/mysql/decode_internal.h"

/* What a type can be overridden to. */
typedef enum group {
    G_UNKNOWN, /* bytes of a type that has no name here */
    G_BOOL,
    G_INT,
    G_BIT,
    G_FLOAT,
    G_DECIMAL,
    G_DATE,
    G_DATETIME,
    G_TIME,
    G_TEXT,
    G_JSON,
    G_BYTES,
    G_OPAQUE, /* bytes that no text can be */
    G_UUID
} group;

static bool is_unsigned(const rv_mys_field *f)
{
    return (f->flags & UNSIGNED_FLAG) != 0;
}

static bool is_label(const rv_mys_field *f)
{
    return (f->flags & (ENUM_FLAG | SET_FLAG)) || f->type == MYSQL_TYPE_ENUM ||
           f->type == MYSQL_TYPE_SET;
}

static bool is_string(enum enum_field_types type)
{
    switch ((int)type) {
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_ENUM:
    case MYSQL_TYPE_SET:
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB:
        return true;
    default:
        return false;
    }
}

static bool is_blob(enum enum_field_types type)
{
    return type >= MYSQL_TYPE_TINY_BLOB && type <= MYSQL_TYPE_BLOB;
}

bool rv_mys_is_temporal(enum enum_field_types type)
{
    return type == MYSQL_TYPE_DATE || type == MYSQL_TYPE_NEWDATE || type == MYSQL_TYPE_DATETIME ||
           type == MYSQL_TYPE_TIMESTAMP;
}

bool rv_mys_is_text(const rv_mys_field *f)
{
    return is_string(f->type) && !f->uuid && !f->inet &&
           (is_label(f) || f->charset != RV_MYS_CHARSET_BINARY);
}

static group string_group(const rv_mys_field *f)
{
    if (f->uuid)
        return G_UUID;
    if (is_label(f) || f->inet)
        return G_TEXT;
    if (f->json)
        return G_JSON;
    return f->charset == RV_MYS_CHARSET_BINARY ? G_BYTES : G_TEXT;
}

static group group_of(const rv_mys_field *f)
{
    switch ((int)f->type) {
    case MYSQL_TYPE_TINY:
        return f->length == 1 ? G_BOOL : G_INT;
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
        return G_INT;
    case MYSQL_TYPE_BIT:
        return G_BIT;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
        return G_FLOAT;
    case MYSQL_TYPE_DECIMAL:
    case MYSQL_TYPE_NEWDECIMAL:
        return G_DECIMAL;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
        return G_DATE;
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        return G_DATETIME;
    case MYSQL_TYPE_TIME:
        return G_TIME;
    case MYSQL_TYPE_JSON:
        return G_JSON;
    case MYSQL_TYPE_GEOMETRY:
    case RV_MYS_TYPE_VECTOR:
        return G_OPAQUE;
    case MYSQL_TYPE_NULL:
        return G_TEXT;
    default:
        return is_string(f->type) ? string_group(f) : G_UNKNOWN;
    }
}

static rv_kind integer_kind(const rv_mys_field *f)
{
    bool wide = is_unsigned(f);
    switch ((int)f->type) {
    case MYSQL_TYPE_SHORT:
        return wide ? RV_INT32 : RV_INT16;
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
        return wide ? RV_INT64 : RV_INT32;
    case MYSQL_TYPE_LONGLONG:
        return wide ? RV_UINT64 : RV_INT64;
    default: /* tinyint and year, also unsigned */
        return RV_INT16;
    }
}

/* The length of a decimal counts its sign and its point. */
static bool decimal_of(const rv_mys_field *f, unsigned *precision, unsigned *scale)
{
    unsigned long marks = (f->decimals > 0 ? 1UL : 0UL) + (is_unsigned(f) ? 0UL : 1UL);
    if (f->length <= marks || f->length - marks > 76 || f->decimals > f->length - marks)
        return false;
    *precision = (unsigned)(f->length - marks);
    *scale = f->decimals;
    return true;
}

static rv_type bit_type(const rv_mys_field *f)
{
    return rv_type_of(f->length == 1 ? RV_BOOL : f->length < 64 ? RV_INT64 : RV_UINT64);
}

static rv_type text_type(const rv_mys_field *f)
{
    return rv_type_of(is_label(f) ? RV_ENUM : RV_STRING);
}

void rv_mys_natural(const rv_mys_field *f, rv_type *out, bool *out_supported)
{
    unsigned precision, scale;
    *out_supported = true;
    switch (group_of(f)) {
    case G_BOOL:
        *out = rv_type_of(RV_BOOL);
        return;
    case G_INT:
        *out = rv_type_of(integer_kind(f));
        return;
    case G_BIT:
        *out = bit_type(f);
        return;
    case G_FLOAT:
        *out = rv_type_of(f->type == MYSQL_TYPE_FLOAT ? RV_FLOAT32 : RV_FLOAT64);
        return;
    case G_DECIMAL:
        *out_supported = decimal_of(f, &precision, &scale);
        if (*out_supported)
            *out = rv_type_decimal(precision, scale);
        return;
    case G_DATE:
        *out = rv_type_of(RV_DATE);
        return;
    case G_DATETIME:
        *out = rv_type_of(f->type == MYSQL_TYPE_TIMESTAMP ? RV_TIMESTAMP_TZ : RV_TIMESTAMP);
        return;
    case G_TIME:
        *out = rv_type_of(RV_TIME);
        return;
    case G_TEXT:
        *out = text_type(f);
        return;
    case G_JSON:
        *out = rv_type_of(RV_JSON);
        return;
    case G_BYTES:
    case G_OPAQUE:
        *out = rv_type_of(RV_BINARY);
        return;
    case G_UUID:
        *out = rv_type_of(RV_UUID);
        return;
    case G_UNKNOWN:
        *out_supported = false;
        return;
    }
}

rv_fidelity rv_mys_fidelity(const rv_mys_field *f, rv_type natural)
{
    bool supported;
    rv_type type;
    rv_mys_natural(f, &type, &supported);
    if (!supported)
        return RV_UNSUPPORTED;
    rv_fidelity class_ = rv_type_fidelity(natural);
    if (class_ == RV_EXACT && (f->inet || group_of(f) == G_OPAQUE))
        return RV_COMPATIBLE;
    return class_;
}

/* Measured on 2 million rows, CPU of server and client together, text / binary, MariaDB 10.11 and
 * MySQL 9.7: strings alone 0.93 and 1.00; one integer among four columns 1.05 and 1.08; half of
 * them numbers 1.08 and 1.04; numbers, decimals, dates and strings mixed (20 columns) 1.48
 * and 1.30. A float's text is not exact, see float_decoder. */
bool rv_mys_text_faster(const rv_mys_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_string(fields[i].type) && fields[i].type != MYSQL_TYPE_JSON)
            return false;
    return n > 0;
}

/* ---- decoders of the natural types ---- */

static int integer_decoder(const rv_mys_field *f, bool text)
{
    bool whole = is_unsigned(f);
    if (text)
        return f->type == MYSQL_TYPE_LONGLONG && whole ? RV_MYS_T_U64 : RV_MYS_T_I64;
    switch ((int)f->type) {
    case MYSQL_TYPE_TINY:
        return whole ? RV_MYS_B_U8 : RV_MYS_B_I8;
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_YEAR:
        return whole ? RV_MYS_B_U16 : RV_MYS_B_I16;
    case MYSQL_TYPE_LONGLONG:
        return whole ? RV_MYS_B_U64 : RV_MYS_B_I64;
    default: /* a mediumint travels in four bytes */
        return whole ? RV_MYS_B_U32 : RV_MYS_B_I32;
    }
}

static int bit_decoder(const rv_mys_field *f)
{
    return f->length == 1 ? RV_MYS_BIT_BOOL : f->length < 64 ? RV_MYS_BIT_I64 : RV_MYS_BIT_U64;
}

/* A float's text has six digits, so that it never travels as one; see rv_mys_text_faster, which
 * never chooses the text protocol then. */
static int float_decoder(const rv_mys_field *f, bool text)
{
    if (f->type == MYSQL_TYPE_FLOAT)
        return text ? RV_MYS_NO_DECODER : RV_MYS_B_FLOAT;
    return text ? RV_MYS_T_DOUBLE : RV_MYS_B_DOUBLE;
}

static int natural_decoder(const rv_mys_field *f, bool text)
{
    switch (group_of(f)) {
    case G_BOOL:
        return text ? RV_MYS_T_BOOL : RV_MYS_B_BOOL;
    case G_INT:
        return integer_decoder(f, text);
    case G_BIT:
        return bit_decoder(f);
    case G_FLOAT:
        return float_decoder(f, text);
    case G_DECIMAL:
        return RV_MYS_DECIMAL;
    case G_DATE:
        return text ? RV_MYS_T_DATE : RV_MYS_B_DATE;
    case G_DATETIME:
        return text ? RV_MYS_T_DATETIME : RV_MYS_B_DATETIME;
    case G_TIME:
        return text ? RV_MYS_T_TIME : RV_MYS_B_TIME;
    case G_UUID:
        return RV_MYS_UUID;
    case G_TEXT:
    case G_JSON:
    case G_BYTES:
    case G_OPAQUE:
        return RV_MYS_BYTES;
    case G_UNKNOWN:
        break;
    }
    return RV_MYS_NO_DECODER;
}

/* ---- overrides: one decoder per (wire type, target), or none ---- */

static int to_integer(const rv_mys_field *f, group g, rv_kind target, bool text)
{
    if ((g == G_INT || g == G_BOOL) && target != RV_UINT64)
        return integer_decoder(f, text);
    if (g == G_BIT && f->length < 64 && target != RV_UINT64)
        return RV_MYS_BIT_I64;
    if (g == G_INT || g == G_BOOL || g == G_BIT || g == G_DECIMAL || g == G_FLOAT)
        return RV_MYS_VIA_TEXT;
    return g == G_TEXT ? RV_MYS_TEXT_PARSE : RV_MYS_NO_DECODER;
}

static int to_float(const rv_mys_field *f, group g, rv_kind target, bool text)
{
    if (g == G_FLOAT && f->type == MYSQL_TYPE_FLOAT)
        return target == RV_FLOAT64 && !text ? RV_MYS_B_FLOAT_WIDE : RV_MYS_NO_DECODER;
    if (g == G_FLOAT)
        return text ? RV_MYS_T_DOUBLE_NARROW : RV_MYS_B_DOUBLE_NARROW;
    if (g == G_INT || g == G_BOOL || g == G_BIT || g == G_DECIMAL)
        return RV_MYS_VIA_TEXT;
    return g == G_TEXT ? RV_MYS_TEXT_PARSE : RV_MYS_NO_DECODER;
}

static int to_decimal(group g)
{
    if (g == G_DECIMAL)
        return RV_MYS_DECIMAL;
    if (g == G_INT || g == G_BOOL || g == G_BIT || g == G_FLOAT)
        return RV_MYS_VIA_TEXT;
    return g == G_TEXT ? RV_MYS_TEXT_PARSE : RV_MYS_NO_DECODER;
}

static int to_temporal(group g, rv_kind target, bool text)
{
    bool micros = target == RV_TIMESTAMP || target == RV_TIMESTAMP_TZ;
    if (g == G_DATETIME && micros)
        return text ? RV_MYS_T_DATETIME : RV_MYS_B_DATETIME;
    if (g == G_DATETIME || g == G_DATE)
        return RV_MYS_VIA_TEXT;
    return g == G_TEXT ? RV_MYS_TEXT_PARSE : RV_MYS_NO_DECODER;
}

static int to_string(group g)
{
    if (g == G_OPAQUE)
        return RV_MYS_NO_DECODER;
    if (g == G_TEXT || g == G_JSON || g == G_BYTES || g == G_UUID || g == G_UNKNOWN ||
        g == G_DECIMAL)
        return RV_MYS_BYTES;
    return RV_MYS_TEXT;
}

static int override_decoder(const rv_mys_field *f, rv_kind target, bool text)
{
    group g = group_of(f);
    switch (target) {
    case RV_BOOL:
        if (g == G_TEXT)
            return RV_MYS_TEXT_PARSE;
        return g == G_INT || g == G_BIT ? RV_MYS_VIA_TEXT : RV_MYS_NO_DECODER;
    case RV_INT16:
    case RV_INT32:
    case RV_INT64:
    case RV_UINT64:
        return to_integer(f, g, target, text);
    case RV_FLOAT32:
    case RV_FLOAT64:
        return to_float(f, g, target, text);
    case RV_DECIMAL:
        return to_decimal(g);
    case RV_DATE:
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
        return to_temporal(g, target, text);
    case RV_STRING:
        return to_string(g);
    case RV_BINARY:
        return g == G_TEXT || g == G_JSON || g == G_UNKNOWN ? RV_MYS_BYTES : RV_MYS_NO_DECODER;
    case RV_JSON:
        return g == G_TEXT ? RV_MYS_BYTES : RV_MYS_NO_DECODER;
    case RV_UUID:
        return g == G_TEXT || g == G_BYTES ? RV_MYS_UUID : RV_MYS_NO_DECODER;
    case RV_TIME:
    case RV_ENUM:
    case RV_INTERVAL:
    case RV_LIST:
        break;
    }
    return RV_MYS_NO_DECODER;
}

static rv_status refuse(const rv_mys_column *c, bool supported, rv_type natural, rv_error *err)
{
    char to[RV_TYPE_NAME_SIZE];
    char from[RV_TYPE_NAME_SIZE] = "";
    rv_type_name(c->type, to);
    if (supported)
        rv_type_name(natural, from);
    rv_status st =
        rv_fail(err, RV_E_CONFIG_COLUMN_TYPE, "column '%s' (%s%s%s) cannot be exported as %s",
                c->name, c->field.declared ? c->field.declared : "mysql",
                supported ? ", read as " : " type", from, to);
    if (to_string(group_of(&c->field)) == RV_MYS_NO_DECODER)
        rv_hint(err, "use columns: {%s: binary}, or convert in query:", c->name);
    else
        rv_hint(err, "use columns: {%s: text}, or convert in query:", c->name);
    return st;
}

rv_status rv_mys_column_bind(rv_mys_column *c, bool text_protocol, rv_error *err)
{
    bool supported;
    rv_type natural = {0};
    rv_mys_natural(&c->field, &natural, &supported);
    c->text = text_protocol;
    if (supported && (!c->overridden || rv_type_eq(c->type, natural)))
        c->decoder = natural_decoder(&c->field, text_protocol);
    else if (c->overridden)
        c->decoder = override_decoder(&c->field, (rv_kind)c->type.kind, text_protocol);
    else
        c->decoder = RV_MYS_NO_DECODER; /* described, never read */
    if (c->overridden && c->decoder == RV_MYS_NO_DECODER)
        return refuse(c, supported, natural, err);
    return RV_OK;
}

/* ---- keys and bounds ---- */

rv_kind rv_mys_wire_kind(const rv_mys_field *f)
{
    switch (group_of(f)) {
    case G_BOOL:
        return RV_INT64;
    case G_INT:
        return f->type == MYSQL_TYPE_LONGLONG && is_unsigned(f) ? RV_UINT64 : RV_INT64;
    case G_BIT:
        return RV_UINT64;
    case G_FLOAT: /* written as the double it widens to */
        return RV_FLOAT64;
    case G_DECIMAL:
        return RV_DECIMAL;
    case G_DATE:
        return RV_DATE;
    case G_DATETIME:
        return f->type == MYSQL_TYPE_TIMESTAMP ? RV_TIMESTAMP_TZ : RV_TIMESTAMP;
    case G_TIME:
        return RV_TIME;
    case G_UUID:
        return RV_STRING;
    case G_TEXT:
        return f->inet ? RV_STRING : RV_BINARY;
    case G_BYTES:
        return RV_BINARY;
    case G_JSON:
    case G_OPAQUE:
    case G_UNKNOWN:
        break;
    }
    return (rv_kind)RV_KIND_COUNT;
}

bool rv_mys_may_page(const rv_mys_field *f)
{
    switch (group_of(f)) {
    case G_BOOL:
    case G_DECIMAL:
    case G_DATE:
    case G_DATETIME:
    case G_UUID:
        return true;
    case G_INT:
        return f->type != MYSQL_TYPE_YEAR;
    case G_TEXT: /* labels sort by number and compare as text */
        return f->type != MYSQL_TYPE_NULL && !is_label(f) && !f->inet;
    case G_BYTES:
        return true;
    case G_BIT:
    case G_FLOAT:
    case G_TIME:
    case G_JSON:
    case G_OPAQUE:
    case G_UNKNOWN:
        break;
    }
    return false;
}

/* ---- labels ---- */

static const char *number_name(enum enum_field_types type)
{
    switch ((int)type) {
    case MYSQL_TYPE_TINY:
        return "tinyint";
    case MYSQL_TYPE_SHORT:
        return "smallint";
    case MYSQL_TYPE_INT24:
        return "mediumint";
    case MYSQL_TYPE_LONG:
        return "int";
    case MYSQL_TYPE_LONGLONG:
        return "bigint";
    case MYSQL_TYPE_FLOAT:
        return "float";
    case MYSQL_TYPE_DOUBLE:
        return "double";
    default:
        return NULL;
    }
}

static const char *time_name(enum enum_field_types type)
{
    switch ((int)type) {
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
        return "date";
    case MYSQL_TYPE_DATETIME:
        return "datetime";
    case MYSQL_TYPE_TIMESTAMP:
        return "timestamp";
    case MYSQL_TYPE_TIME:
        return "time";
    default:
        return NULL;
    }
}

/* Where the catalog does not tell: an expression. */
static const char *string_name(const rv_mys_field *f)
{
    bool bytes = group_of(f) == G_BYTES;
    if (f->flags & SET_FLAG || f->type == MYSQL_TYPE_SET)
        return "set";
    if (is_label(f))
        return "enum";
    if (f->uuid)
        return "uuid";
    if (f->json)
        return "json";
    if (is_blob(f->type))
        return bytes ? "blob" : "text";
    if (f->type == MYSQL_TYPE_STRING)
        return bytes ? "binary" : "char";
    return bytes ? "varbinary" : "varchar";
}

static rv_status number_label(const rv_mys_field *f, rv_arena *arena, const char **out,
                              rv_error *err)
{
    const char *sign = is_unsigned(f) ? " unsigned" : "";
    unsigned precision, scale;
    if (group_of(f) == G_DECIMAL)
        return decimal_of(f, &precision, &scale)
                   ? rv_arena_printf(arena, out, err, "decimal(%u,%u)%s", precision, scale, sign)
                   : rv_arena_printf(arena, out, err, "decimal%s", sign);
    return rv_arena_printf(arena, out, err, "%s%s%s", number_name(f->type),
                           group_of(f) == G_BOOL ? "(1)" : "", sign);
}

rv_status rv_mys_label(const rv_mys_field *f, rv_arena *arena, const char **out, rv_error *err)
{
    const char *name = time_name(f->type);
    if (name && f->decimals > 0 && f->decimals <= 6)
        return rv_arena_printf(arena, out, err, "%s(%u)", name, f->decimals);
    if (name)
        return rv_arena_printf(arena, out, err, "%s", name);
    if (number_name(f->type) || group_of(f) == G_DECIMAL)
        return number_label(f, arena, out, err);
    switch ((int)f->type) {
    case MYSQL_TYPE_YEAR:
        return rv_arena_printf(arena, out, err, "year");
    case MYSQL_TYPE_BIT:
        return rv_arena_printf(arena, out, err, "bit(%lu)", f->length);
    case MYSQL_TYPE_JSON:
        return rv_arena_printf(arena, out, err, "json");
    case MYSQL_TYPE_NULL:
        return rv_arena_printf(arena, out, err, "null");
    case RV_MYS_TYPE_VECTOR:
        return rv_arena_printf(arena, out, err, "%s", f->declared ? f->declared : "vector");
    case MYSQL_TYPE_GEOMETRY:
        return rv_arena_printf(arena, out, err, "%s", f->declared ? f->declared : "geometry");
    default:
        break;
    }
    if (!is_string(f->type))
        return rv_arena_printf(arena, out, err, "%s", f->declared ? f->declared : "unknown type");
    if (is_label(f) || f->json || !f->declared) /* a label's list may be long */
        return rv_arena_printf(arena, out, err, "%s", string_name(f));
    return rv_arena_printf(arena, out, err, "%s", f->declared);
}

/* ---- descriptions ---- */

static bool has_attr(const MYSQL_FIELD *f, enum mariadb_field_attr_t which, const char *prefix)
{
    MARIADB_CONST_STRING text = {NULL, 0};
    if (mariadb_field_attr(&text, f, which) != 0 || !text.str)
        return false;
    return text.length >= strlen(prefix) && memcmp(text.str, prefix, strlen(prefix)) == 0;
}

static const char *text_or_empty(const char *s)
{
    return s ? s : "";
}

void rv_mys_field_of(const MYSQL_FIELD *f, rv_mys_field *out)
{
    *out = (rv_mys_field){.name = text_or_empty(f->name),
                          .db = text_or_empty(f->db),
                          .org_table = text_or_empty(f->org_table),
                          .org_name = text_or_empty(f->org_name),
                          .type = f->type,
                          .flags = f->flags,
                          .charset = f->charsetnr,
                          .decimals = f->decimals,
                          .length = f->length};
    out->json = has_attr(f, MARIADB_FIELD_ATTR_FORMAT_NAME, "json");
    out->uuid = has_attr(f, MARIADB_FIELD_ATTR_DATA_TYPE_NAME, "uuid");
    out->inet = has_attr(f, MARIADB_FIELD_ATTR_DATA_TYPE_NAME, "inet");
}
