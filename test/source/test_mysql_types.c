/* Mapping, labels and overrides of MySQL and MariaDB types: spec "types" sections 4 and 8. */
#include "mysql_decode.h"

#define UNS UNSIGNED_FLAG

static const struct {
    rv_mys_field field;
    const char *type; /* NULL: unsupported */
    const char *fidelity, *label;
} rows[] = {
#define F(t, len, dec, flags_, cs)                                                                 \
    {                                                                                              \
        .name = "x", .type = (t), .length = (len), .decimals = (dec), .flags = (flags_),           \
        .charset = (cs)                                                                            \
    }
    {F(MYSQL_TYPE_TINY, 1, 0, 0, 63), "bool", "exact", "tinyint(1)"},
    {F(MYSQL_TYPE_TINY, 1, 0, UNS, 63), "bool", "exact", "tinyint(1) unsigned"},
    {F(MYSQL_TYPE_TINY, 4, 0, 0, 63), "int16", "exact", "tinyint"},
    {F(MYSQL_TYPE_TINY, 3, 0, UNS, 63), "int16", "exact", "tinyint unsigned"},
    {F(MYSQL_TYPE_SHORT, 6, 0, 0, 63), "int16", "exact", "smallint"},
    {F(MYSQL_TYPE_SHORT, 5, 0, UNS, 63), "int32", "exact", "smallint unsigned"},
    {F(MYSQL_TYPE_INT24, 9, 0, 0, 63), "int32", "exact", "mediumint"},
    {F(MYSQL_TYPE_INT24, 8, 0, UNS, 63), "int64", "exact", "mediumint unsigned"},
    {F(MYSQL_TYPE_LONG, 11, 0, 0, 63), "int32", "exact", "int"},
    {F(MYSQL_TYPE_LONG, 10, 0, UNS | ZEROFILL_FLAG, 63), "int64", "exact", "int unsigned"},
    {F(MYSQL_TYPE_LONGLONG, 20, 0, 0, 63), "int64", "exact", "bigint"},
    {F(MYSQL_TYPE_LONGLONG, 20, 0, UNS, 63), "uint64", "exact", "bigint unsigned"},
    {F(MYSQL_TYPE_LONGLONG, 1, 0, 0, 63), "int64", "exact", "bigint"},
    {F(MYSQL_TYPE_NEWDECIMAL, 14, 2, 0, 63), "decimal(12,2)", "exact", "decimal(12,2)"},
    {F(MYSQL_TYPE_NEWDECIMAL, 13, 2, UNS, 63), "decimal(12,2)", "exact", "decimal(12,2) unsigned"},
    {F(MYSQL_TYPE_NEWDECIMAL, 67, 30, 0, 63), "decimal(65,30)", "exact", "decimal(65,30)"},
    {F(MYSQL_TYPE_NEWDECIMAL, 6, 4, 0, 63), "decimal(4,4)", "exact", "decimal(4,4)"},
    {F(MYSQL_TYPE_NEWDECIMAL, 11, 0, 0, 63), "decimal(10,0)", "exact", "decimal(10,0)"},
    {F(MYSQL_TYPE_NEWDECIMAL, 1, 0, 0, 63), NULL, "unsupported", "decimal"},
    {F(MYSQL_TYPE_FLOAT, 12, 31, 0, 63), "float32", "exact", "float"},
    {F(MYSQL_TYPE_DOUBLE, 22, 31, UNS, 63), "float64", "exact", "double unsigned"},
    {F(MYSQL_TYPE_BIT, 1, 0, UNS, 63), "bool", "exact", "bit(1)"},
    {F(MYSQL_TYPE_BIT, 63, 0, UNS, 63), "int64", "exact", "bit(63)"},
    {F(MYSQL_TYPE_BIT, 64, 0, UNS, 63), "uint64", "exact", "bit(64)"},
    {F(MYSQL_TYPE_DATE, 10, 0, 128, 63), "date", "exact", "date"},
    {F(MYSQL_TYPE_DATETIME, 26, 6, 128, 63), "timestamp", "exact", "datetime(6)"},
    {F(MYSQL_TYPE_DATETIME, 19, 0, 128, 63), "timestamp", "exact", "datetime"},
    {F(MYSQL_TYPE_TIMESTAMP, 23, 3, 128, 63), "timestamp_tz", "exact", "timestamp(3)"},
    {F(MYSQL_TYPE_TIME, 10, 0, 128, 63), "time", "exact", "time"},
    {F(MYSQL_TYPE_YEAR, 4, 0, UNS, 63), "int16", "exact", "year"},
    {F(MYSQL_TYPE_STRING, 20, 0, 0, 45), "string", "exact", "char"},
    {F(MYSQL_TYPE_VAR_STRING, 80, 0, 0, 255), "string", "exact", "varchar"},
    {F(MYSQL_TYPE_BLOB, 262140, 0, 16, 255), "string", "exact", "text"},
    {F(MYSQL_TYPE_STRING, 4, 0, 128, 63), "binary", "exact", "binary"},
    {F(MYSQL_TYPE_VAR_STRING, 8, 0, 128, 63), "binary", "exact", "varbinary"},
    {F(MYSQL_TYPE_BLOB, 65535, 0, 144, 63), "binary", "exact", "blob"},
    {F(MYSQL_TYPE_STRING, 4, 0, ENUM_FLAG, 45), "enum", "compatible", "enum"},
    {F(MYSQL_TYPE_STRING, 12, 0, SET_FLAG, 45), "enum", "compatible", "set"},
    {F(MYSQL_TYPE_STRING, 12, 0, SET_FLAG, 63), "enum", "compatible", "set"},
    {F(MYSQL_TYPE_JSON, 4294967295, 0, 144, 63), "json", "logical_string", "json"},
    {F(MYSQL_TYPE_GEOMETRY, 4294967295, 0, 144, 63), "binary", "compatible", "geometry"},
    {F((enum enum_field_types)RV_MYS_TYPE_VECTOR, 16, 0, 128, 63), "binary", "compatible",
     "vector"},
    {F(MYSQL_TYPE_NULL, 0, 0, 128, 63), "string", "exact", "null"},
    {F((enum enum_field_types)200, 8, 0, 0, 63), NULL, "unsupported", "unknown type"},
};

static mysd d;

RV_TEST(every_row_of_the_table)
{
    rv_arena arena = RV_ARENA_INIT;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[RV_TYPE_NAME_SIZE] = "";
        const char *label = NULL;
        bool supported;
        rv_type type = {0};
        rv_mys_natural(&rows[i].field, &type, &supported);
        CHECK_EQ(supported, rows[i].type != NULL);
        if (supported)
            rv_type_name(type, name);
        if (supported && rows[i].type)
            CHECK_STR(name, rows[i].type);
        CHECK_STR(rv_fidelity_name(rv_mys_fidelity(&rows[i].field, type)), rows[i].fidelity);
        CHECK_EQ(rv_mys_label(&rows[i].field, &arena, &label, NULL), RV_OK);
        CHECK_STR(label, rows[i].label);
        CHECK_EQ(mysd_bind(&d, rows[i].field, NULL, false), RV_OK);
        CHECK_EQ(d.column.decoder != RV_MYS_NO_DECODER, supported);
    }
    rv_arena_free(&arena);
}

RV_TEST(what_only_the_catalog_tells)
{
    rv_arena arena = RV_ARENA_INIT;
    const char *label = NULL;
    rv_mys_field f = mysd_text_field();
    f.declared = "varchar(20)";
    CHECK_EQ(rv_mys_label(&f, &arena, &label, NULL), RV_OK);
    CHECK_STR(label, "varchar(20)");
    bool supported;
    rv_type type;
    f = mysd_field(MYSQL_TYPE_BLOB, 4294967295, 0, 144, 45);
    f.json = true;
    rv_mys_natural(&f, &type, &supported);
    CHECK_EQ(type.kind, RV_JSON);
    f = mysd_field(MYSQL_TYPE_STRING, 36, 0, 128, 45);
    f.uuid = true;
    f.declared = "uuid";
    rv_mys_natural(&f, &type, &supported);
    CHECK_EQ(type.kind, RV_UUID);
    f = mysd_field(MYSQL_TYPE_STRING, 39, 0, 128, 63);
    f.inet = true;
    rv_mys_natural(&f, &type, &supported);
    CHECK_EQ(type.kind, RV_STRING);
    CHECK_EQ(rv_mys_fidelity(&f, type), RV_COMPATIBLE);
    rv_arena_free(&arena);
}

/* Every accepted word against every type has a decoder or is refused, in both protocols; a pair
 * that one protocol has the other has too, but floats, which never travel as text. */
RV_TEST(every_override_is_decided)
{
    static const char *const words[] = {
        "bool", "int2",         "int4",      "int8",        "float4",       "float8",
        "date", "decimal(9,3)", "timestamp", "timestamptz", "timestamp_ns", "timestamp_tz_ns",
        "text", "binary",       "json",      "uuid"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
            rv_status binary = mysd_bind(&d, rows[i].field, words[w], false);
            CHECK_EQ(d.column.decoder == RV_MYS_NO_DECODER, binary != RV_OK);
            rv_status text = mysd_bind(&d, rows[i].field, words[w], true);
            if (rows[i].field.type != MYSQL_TYPE_FLOAT)
                CHECK_EQ(binary, text);
            CHECK(binary == RV_OK || binary == RV_E_CONFIG_COLUMN_TYPE);
        }
    CHECK_EQ(mysd_bind(&d, rows[0].field, "date", false), RV_E_CONFIG_COLUMN_TYPE);
    CHECK(strstr(d.err.text, "column 'x'") && strstr(d.err.text, "bool") &&
          strstr(d.err.text, "date"));
}

RV_TEST(keys)
{
    static const struct {
        rv_mys_field field;
        bool pages;
        int kind;
    } keys[] = {{F(MYSQL_TYPE_LONG, 11, 0, 0, 63), true, RV_INT64},
                {F(MYSQL_TYPE_LONGLONG, 20, 0, UNS, 63), true, RV_UINT64},
                {F(MYSQL_TYPE_NEWDECIMAL, 14, 2, 0, 63), true, RV_DECIMAL},
                {F(MYSQL_TYPE_VAR_STRING, 80, 0, 0, 45), true, RV_BINARY},
                {F(MYSQL_TYPE_STRING, 16, 0, 128, 63), true, RV_BINARY},
                {F(MYSQL_TYPE_DATE, 10, 0, 128, 63), true, RV_DATE},
                {F(MYSQL_TYPE_DATETIME, 26, 6, 128, 63), true, RV_TIMESTAMP},
                {F(MYSQL_TYPE_TIMESTAMP, 19, 0, 128, 63), true, RV_TIMESTAMP_TZ},
                {F(MYSQL_TYPE_FLOAT, 12, 31, 0, 63), false, RV_FLOAT64},
                {F(MYSQL_TYPE_TIME, 10, 0, 128, 63), false, RV_TIME},
                {F(MYSQL_TYPE_STRING, 4, 0, ENUM_FLAG, 45), false, RV_BINARY},
                {F(MYSQL_TYPE_JSON, 99, 0, 144, 63), false, RV_KIND_COUNT},
                {F(MYSQL_TYPE_GEOMETRY, 99, 0, 144, 63), false, RV_KIND_COUNT}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        CHECK_EQ(rv_mys_may_page(&keys[i].field), keys[i].pages);
        CHECK_EQ(rv_mys_wire_kind(&keys[i].field), keys[i].kind);
    }
}

RV_TEST(protocol_by_columns)
{
    rv_mys_field f[3] = {mysd_text_field(), mysd_text_field(), mysd_text_field()};
    CHECK(rv_mys_text_faster(f, 3));
    f[1].type = MYSQL_TYPE_JSON;
    CHECK(rv_mys_text_faster(f, 3));
    f[2].type = MYSQL_TYPE_FLOAT;
    CHECK(!rv_mys_text_faster(f, 3));
    CHECK(!rv_mys_text_faster(f, 0));
}

RV_TEST_MAIN(RV_CASE(every_row_of_the_table), RV_CASE(what_only_the_catalog_tells),
             RV_CASE(every_override_is_decided), RV_CASE(keys), RV_CASE(protocol_by_columns))
