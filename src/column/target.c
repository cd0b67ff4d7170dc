#include "base/buf.h"
#include "column/override.h"

/* What a warehouse makes of a column of one kind. Decimals and lists are worked out. */
typedef struct target_fact {
    const char *type;
    const char *status; /* NULL: ok */
    const char *note;
    const char *autoload;
    const char *cast_before; /* around the quoted column */
    const char *cast_after;
} target_fact;

typedef struct target_info {
    const char *label;
    char quote;
    char escape; /* before a quote inside a name */
    target_fact facts[RV_KIND_COUNT];
} target_info;

#define PLAIN(t)                                                                                   \
    {                                                                                              \
        t, NULL, NULL, NULL, NULL, NULL                                                            \
    }
#define WARN(t, note)                                                                              \
    {                                                                                              \
        t, "warn", note, NULL, NULL, NULL                                                          \
    }

static const target_info duckdb = {
    "DuckDB",
    '"',
    '"',
    {[RV_BOOL] = PLAIN("BOOLEAN"),
     [RV_INT16] = PLAIN("SMALLINT"),
     [RV_INT32] = PLAIN("INTEGER"),
     [RV_INT64] = PLAIN("BIGINT"),
     [RV_UINT64] = PLAIN("UBIGINT"),
     [RV_FLOAT32] = PLAIN("FLOAT"),
     [RV_FLOAT64] = PLAIN("DOUBLE"),
     [RV_DATE] = PLAIN("DATE"),
     [RV_TIME] = PLAIN("TIME"),
     [RV_TIMESTAMP] = PLAIN("TIMESTAMP"),
     [RV_TIMESTAMP_TZ] = PLAIN("TIMESTAMP WITH TIME ZONE"),
     [RV_TIMESTAMP_NS] = PLAIN("TIMESTAMP_NS"),
     [RV_TIMESTAMP_TZ_NS] = WARN("TIMESTAMP WITH TIME ZONE", "digits beyond microseconds are cut"),
     [RV_STRING] = PLAIN("VARCHAR"),
     [RV_BINARY] = PLAIN("BLOB"),
     [RV_JSON] = PLAIN("JSON"),
     [RV_UUID] = PLAIN("UUID"),
     [RV_ENUM] = PLAIN("VARCHAR"),
     [RV_INTERVAL] = PLAIN("VARCHAR")},
};

static const target_info bigquery = {
    "BigQuery",
    '`',
    '\\',
    {[RV_BOOL] = PLAIN("BOOL"),
     [RV_INT16] = PLAIN("INT64"),
     [RV_INT32] = PLAIN("INT64"),
     [RV_INT64] = PLAIN("INT64"),
     [RV_UINT64] = {"NUMERIC", "fail",
                    "values above 9223372036854775807 overflow; declare decimal(20,0) or set "
                    "parquet.encoding: compatible",
                    "INT64", NULL, NULL},
     [RV_FLOAT32] = PLAIN("FLOAT64"),
     [RV_FLOAT64] = PLAIN("FLOAT64"),
     [RV_DATE] = PLAIN("DATE"),
     [RV_TIME] = PLAIN("TIME"),
     [RV_TIMESTAMP] = {"DATETIME", "warn", "autoload reads it as an instant in UTC", "TIMESTAMP",
                       "DATETIME(", ")"},
     [RV_TIMESTAMP_TZ] = PLAIN("TIMESTAMP"),
     [RV_TIMESTAMP_NS] = {"DATETIME", "warn",
                          "autoload reads it as an instant in UTC; digits beyond microseconds "
                          "are cut",
                          "TIMESTAMP", "DATETIME(", ")"},
     [RV_TIMESTAMP_TZ_NS] = WARN("TIMESTAMP", "digits beyond microseconds are cut"),
     [RV_STRING] = PLAIN("STRING"),
     [RV_BINARY] = PLAIN("BYTES"),
     [RV_JSON] = {"JSON", "warn", "autoload reads it as bytes", "BYTES",
                  "PARSE_JSON(SAFE_CONVERT_BYTES_TO_STRING(", "))"},
     [RV_UUID] = {"STRING", "warn", "autoload reads it as 16 bytes", "BYTES",
                  "REGEXP_REPLACE(TO_HEX(",
                  "), r'^(.{8})(.{4})(.{4})(.{4})(.{12})$', r'\\1-\\2-\\3-\\4-\\5')"},
     [RV_ENUM] = PLAIN("STRING"),
     [RV_INTERVAL] = PLAIN("STRING")},
};

static const target_info snowflake = {
    "Snowflake",
    '"',
    '"',
    {[RV_BOOL] = PLAIN("BOOLEAN"),
     [RV_INT16] = PLAIN("NUMBER(38,0)"),
     [RV_INT32] = PLAIN("NUMBER(38,0)"),
     [RV_INT64] = PLAIN("NUMBER(38,0)"),
     [RV_UINT64] = PLAIN("NUMBER(38,0)"),
     [RV_FLOAT32] = PLAIN("FLOAT"),
     [RV_FLOAT64] = PLAIN("FLOAT"),
     [RV_DATE] = PLAIN("DATE"),
     [RV_TIME] = {"TIME", "warn", "autoload reads it as microseconds since midnight", "NUMBER",
                  "TO_TIME(TO_TIMESTAMP_NTZ(", ", 6))"},
     [RV_TIMESTAMP] = {"TIMESTAMP_NTZ", "warn", "autoload reads it as microseconds since 1970",
                       "NUMBER", "TO_TIMESTAMP_NTZ(", ", 6)"},
     [RV_TIMESTAMP_TZ] = PLAIN("TIMESTAMP_TZ"),
     [RV_TIMESTAMP_NS] = {"TIMESTAMP_NTZ", "warn", "autoload reads it as nanoseconds since 1970",
                          "NUMBER", "TO_TIMESTAMP_NTZ(", ", 9)"},
     [RV_TIMESTAMP_TZ_NS] = PLAIN("TIMESTAMP_TZ"),
     [RV_STRING] = PLAIN("VARCHAR"),
     [RV_BINARY] = PLAIN("BINARY"),
     [RV_JSON] = {"VARIANT", "warn", "autoload reads it as text", "VARCHAR", "PARSE_JSON(", ")"},
     [RV_UUID] = {"VARCHAR", "warn", "autoload reads it as 16 bytes", "BINARY",
                  "REGEXP_REPLACE(LOWER(HEX_ENCODE(",
                  ")), '^(.{8})(.{4})(.{4})(.{4})(.{12})$', '\\\\1-\\\\2-\\\\3-\\\\4-\\\\5')"},
     [RV_ENUM] = PLAIN("VARCHAR"),
     [RV_INTERVAL] = PLAIN("VARCHAR")},
};

static const target_info clickhouse = {
    "ClickHouse",
    '`',
    '\\',
    {[RV_BOOL] = PLAIN("Bool"),
     [RV_INT16] = PLAIN("Int16"),
     [RV_INT32] = PLAIN("Int32"),
     [RV_INT64] = PLAIN("Int64"),
     [RV_UINT64] = PLAIN("UInt64"),
     [RV_FLOAT32] = PLAIN("Float32"),
     [RV_FLOAT64] = PLAIN("Float64"),
     [RV_DATE] = PLAIN("Date32"),
     [RV_TIME] = WARN("Int64", "there is no time of day: microseconds since midnight"),
     [RV_TIMESTAMP] = PLAIN("DateTime64(6)"),
     [RV_TIMESTAMP_TZ] = PLAIN("DateTime64(6, 'UTC')"),
     [RV_TIMESTAMP_NS] = PLAIN("DateTime64(9)"),
     [RV_TIMESTAMP_TZ_NS] = PLAIN("DateTime64(9, 'UTC')"),
     [RV_STRING] = PLAIN("String"),
     [RV_BINARY] = PLAIN("String"),
     [RV_JSON] = {"JSON", "warn", "read as text", "String", "CAST(", " AS JSON)"},
     [RV_UUID] = {"UUID", "warn", "read as 16 bytes before 25.x", "FixedString(16)",
                  "toUUID(UUIDNumToString(", "))"},
     [RV_ENUM] = PLAIN("String"),
     [RV_INTERVAL] = PLAIN("String")},
};

static const target_info *info(rv_target t)
{
    switch (t) {
    case RV_DUCKDB:
        return &duckdb;
    case RV_BIGQUERY:
        return &bigquery;
    case RV_SNOWFLAKE:
        return &snowflake;
    case RV_CLICKHOUSE:
        return &clickhouse;
    case RV_TARGET_NONE:
        break;
    }
    return NULL;
}

bool rv_target_from_name(rv_str name, rv_target *out)
{
    static const struct {
        const char *name;
        rv_target target;
    } names[] = {
        {"duckdb", RV_DUCKDB},       {"bigquery", RV_BIGQUERY}, {"bq", RV_BIGQUERY},
        {"snowflake", RV_SNOWFLAKE}, {"sf", RV_SNOWFLAKE},      {"clickhouse", RV_CLICKHOUSE},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (rv_str_eq(name, rv_str_c(names[i].name))) {
            *out = names[i].target;
            return true;
        }
    }
    return false;
}

const char *rv_target_label(rv_target t)
{
    return t == RV_TARGET_NONE ? "" : info(t)->label;
}

static void verdict(rv_target_verdict *v, const char *type, const char *status, const char *note)
{
    *v = (rv_target_verdict){.target_type = type, .status = status, .note = note};
}

static rv_status bigquery_decimal(rv_type t, rv_arena *arena, rv_target_verdict *v, rv_error *err)
{
    const char *type;
    unsigned whole = (unsigned)t.precision - t.scale;
    if (t.scale <= 9 && whole <= 29) {
        RV_TRY(rv_arena_printf(arena, &type, err, "NUMERIC(%u,%u)", t.precision, t.scale));
        verdict(v, type, "ok", "");
    } else if (t.scale <= 38 && whole <= 38) {
        RV_TRY(rv_arena_printf(arena, &type, err, "BIGNUMERIC(%u,%u)", t.precision, t.scale));
        verdict(v, type, "warn", "load with decimal_target_types = ['NUMERIC', 'BIGNUMERIC']");
    } else {
        verdict(v, "STRING", "fail",
                "BIGNUMERIC holds 38 digits on either side of the point; declare text");
    }
    return RV_OK;
}

static rv_status judge_decimal(rv_target target, rv_type t, rv_arena *arena, rv_target_verdict *v,
                               rv_error *err)
{
    if (target == RV_BIGQUERY)
        return bigquery_decimal(t, arena, v, err);
    if (target == RV_DUCKDB && t.precision > 38) {
        verdict(v, "DOUBLE", "fail", "more than 38 digits are read as DOUBLE; declare text");
        return RV_OK;
    }
    if (target == RV_SNOWFLAKE && t.precision > 38) {
        verdict(v, "VARCHAR", "fail", "NUMBER holds 38 digits; declare text");
        return RV_OK;
    }
    const char *type;
    const char *name = target == RV_DUCKDB      ? "DECIMAL"
                       : target == RV_SNOWFLAKE ? "NUMBER"
                                                : "Decimal";
    RV_TRY(rv_arena_printf(arena, &type, err, "%s(%u,%u)", name, t.precision, t.scale));
    verdict(v, type, "ok", "");
    return RV_OK;
}

/* prefix + the quoted column + suffix. */
static rv_status cast_text(const target_info *in, const target_fact *fact, const char *column,
                           rv_arena *arena, const char **out, rv_error *err)
{
    rv_status st;
    rv_buf sql = RV_BUF_INIT;
    RV_GO(rv_buf_add_c(&sql, fact->cast_before, err));
    RV_GO(rv_buf_add_byte(&sql, (uint8_t)in->quote, err));
    for (const char *p = column; *p; p++) {
        if (*p == in->quote || *p == in->escape)
            RV_GO(rv_buf_add_byte(&sql, (uint8_t)in->escape, err));
        RV_GO(rv_buf_add_byte(&sql, (uint8_t)*p, err));
    }
    RV_GO(rv_buf_add_byte(&sql, (uint8_t)in->quote, err));
    RV_GO(rv_buf_add_c(&sql, fact->cast_after, err));
    RV_GO(rv_arena_cstr(arena, rv_buf_str(&sql), out, err));
done:
    rv_buf_free(&sql);
    return st;
}

/* A list is as good as its element; casts would need the target's own lambda and are left out. */
static rv_status judge_list(rv_target target, const rv_column *col, rv_arena *arena,
                            rv_target_verdict *v, rv_error *err)
{
    rv_column elem = *col;
    rv_target_verdict of;
    const char *type = "ARRAY";
    elem.type = rv_type_elem(col->type);
    RV_TRY(rv_target_judge(target, &elem, arena, &of, err));
    const char *name = of.autoload_type ? of.autoload_type : of.target_type;
    if (target == RV_DUCKDB)
        RV_TRY(rv_arena_printf(arena, &type, err, "%s[]", name));
    else if (target == RV_BIGQUERY)
        RV_TRY(rv_arena_printf(arena, &type, err, "ARRAY<%s>", name));
    else if (target == RV_CLICKHOUSE)
        RV_TRY(rv_arena_printf(arena, &type, err, "Array(Nullable(%s))", name));
    verdict(v, type, of.status, of.note);
    if (target == RV_BIGQUERY && strcmp(of.status, "ok") == 0)
        verdict(v, type, "warn", "load with list inference enabled");
    return RV_OK;
}

rv_status rv_target_judge(rv_target target, const rv_column *col, rv_arena *arena,
                          rv_target_verdict *out, rv_error *err)
{
    const target_info *in = info(target);
    rv_target_verdict v;
    verdict(&v, "", "ok", "");
    if (!in) {
        *out = v;
        return RV_OK;
    }
    if (col->fidelity == RV_UNSUPPORTED) {
        verdict(&v, "", "fail", "the column has no lossless type");
    } else if (col->type.kind == RV_DECIMAL) {
        RV_TRY(judge_decimal(target, col->type, arena, &v, err));
    } else if (col->type.kind == RV_LIST) {
        RV_TRY(judge_list(target, col, arena, &v, err));
    } else {
        const target_fact *fact = &in->facts[col->type.kind];
        verdict(&v, fact->type, fact->status ? fact->status : "ok", fact->note ? fact->note : "");
        v.autoload_type = fact->autoload;
        if (fact->cast_before)
            RV_TRY(cast_text(in, fact, col->name, arena, &v.cast_sql, err));
    }
    *out = v;
    return RV_OK;
}
