/* Mapping and overrides of PostgreSQL types: spec "types" sections 3 and 8. */
#include "postgres_decode.h"

static void check_type(pgd *p, uint32_t oid, const char *type, const char *fidelity, bool as_text)
{
    char name[RV_TYPE_NAME_SIZE];
    CHECK_EQ(pgd_bind(p, pgd_facts(oid, -1, "label"), NULL), RV_OK);
    CHECK(p->supported);
    rv_type_name(p->schema.type, name);
    CHECK_STR(name, type);
    CHECK_STR(rv_fidelity_name(p->schema.fidelity), fidelity);
    CHECK_EQ(p->column.as_text, as_text);
    CHECK_STR(p->schema.source_type, "label");
    CHECK(p->schema.nullable);
}

RV_TEST(every_row_of_the_table)
{
    static const struct {
        uint32_t oid;
        const char *type, *fidelity;
        bool as_text;
    } rows[] = {{16, "bool", "exact", false},
                {21, "int16", "exact", false},
                {23, "int32", "exact", false},
                {20, "int64", "exact", false},
                {26, "int64", "exact", false},
                {28, "int64", "exact", false},
                {29, "int64", "exact", false},
                {2205, "string", "exact", true},
                {700, "float32", "exact", false},
                {701, "float64", "exact", false},
                {790, "decimal(19,2)", "exact", false},
                {1082, "date", "exact", false},
                {1083, "time", "exact", false},
                {1266, "string", "compatible", false},
                {1114, "timestamp", "exact", false},
                {1184, "timestamp_tz", "exact", false},
                {1186, "interval", "compatible", false},
                {25, "string", "exact", false},
                {1043, "string", "exact", false},
                {19, "string", "exact", false},
                {18, "string", "exact", true},
                {1042, "string", "exact", false},
                {17, "binary", "exact", false},
                {114, "json", "logical_string", false},
                {3802, "json", "logical_string", false},
                {2950, "uuid", "exact", false},
                {1560, "string", "compatible", false},
                {1562, "string", "compatible", false},
                {869, "string", "compatible", false},
                {650, "string", "compatible", false},
                {829, "string", "compatible", false},
                {774, "string", "compatible", false},
                {142, "string", "compatible", true},
                {3614, "string", "compatible", true},
                {3220, "string", "compatible", true},
                {600, "string", "compatible", true},
                {718, "string", "compatible", true}};
    pgd p = {.arena = RV_ARENA_INIT};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_type(&p, rows[i].oid, rows[i].type, rows[i].fidelity, rows[i].as_text);
    rv_arena_free(&p.arena);
}

RV_TEST(numeric_modifiers)
{
    static const struct {
        int precision, scale;
        const char *type; /* NULL: unsupported */
    } rows[] = {{12, 2, "decimal(12,2)"},
                {38, 38, "decimal(38,38)"},
                {76, 0, "decimal(76,0)"},
                {3, 5, "decimal(5,5)"},
                {5, -2, NULL},
                {77, 0, NULL},
                {1000, 3, NULL}};
    pgd p = {.arena = RV_ARENA_INIT};
    char name[RV_TYPE_NAME_SIZE];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_pgs_type_facts f =
            pgd_facts(1700, numeric_typmod(rows[i].precision, rows[i].scale), "numeric");
        CHECK_EQ(pgd_bind(&p, f, NULL), RV_OK);
        CHECK_EQ(p.supported, rows[i].type != NULL);
        rv_type_name(p.schema.type, name);
        if (rows[i].type)
            CHECK_STR(name, rows[i].type);
        else
            CHECK_EQ(p.schema.fidelity, RV_UNSUPPORTED);
    }
    rv_arena_free(&p.arena);
}

RV_TEST(unsupported_types)
{
    pgd p = {.arena = RV_ARENA_INIT};
    rv_pgs_type_facts f = pgd_facts(99999, -1, "thing");
    CHECK_EQ(pgd_bind(&p, f, NULL), RV_OK);
    CHECK(!p.supported);
    f.typtype = 'c';
    CHECK_EQ(pgd_bind(&p, f, NULL), RV_OK);
    CHECK(!p.supported);
    f.typtype = 'p';
    CHECK_EQ(pgd_bind(&p, f, NULL), RV_OK);
    CHECK(!p.supported);
    f.typtype = 'c';
    CHECK_EQ(pgd_bind(&p, f, "text"), RV_OK);
    CHECK(p.supported && p.column.as_text);
    CHECK_EQ(pgd_bind(&p, f, "json"), RV_E_CONFIG_COLUMN_TYPE);
    CHECK_EQ(pgd_bind(&p, pgd_facts(1700, -1, "numeric"), "decimal(20,4)"), RV_OK);
    CHECK(p.supported && !p.column.as_text && p.column.scale == 4);
    CHECK_EQ(p.schema.fidelity, RV_EXACT);
    rv_arena_free(&p.arena);
}

RV_TEST(by_typtype_and_name)
{
    pgd p = {.arena = RV_ARENA_INIT};
    rv_pgs_type_facts f = pgd_facts(70001, -1, "mood");
    f.typtype = 'e';
    CHECK_EQ(pgd_bind(&p, f, NULL), RV_OK);
    CHECK_EQ(p.schema.type.kind, RV_ENUM);
    f.typtype = 'r';
    CHECK_EQ(pgd_bind(&p, f, NULL), RV_OK);
    CHECK(p.schema.type.kind == RV_STRING && p.column.as_text);
    f.typtype = 'm';
    CHECK_EQ(pgd_bind(&p, f, NULL), RV_OK);
    CHECK(p.schema.type.kind == RV_STRING && p.column.as_text);
    CHECK_EQ(pgd_bind(&p, pgd_facts(70002, -1, "hstore"), NULL), RV_OK);
    CHECK_EQ(p.schema.type.kind, RV_JSON);
    CHECK_EQ(pgd_bind(&p, pgd_facts(70003, -1, "citext"), NULL), RV_OK);
    CHECK(p.schema.type.kind == RV_STRING && !p.column.as_text);
    CHECK_EQ(pgd_bind(&p, pgd_facts(70004, -1, "geometry"), NULL), RV_OK);
    CHECK_EQ(p.schema.type.kind, RV_BINARY);
    f = pgd_facts(70005, -1, "hstore"); /* a composite of that name is none */
    f.typtype = 'c';
    CHECK_EQ(pgd_bind(&p, f, NULL), RV_OK);
    CHECK(!p.supported);
    rv_arena_free(&p.arena);
}

RV_TEST(arrays)
{
    static const struct {
        uint32_t element;
        const char *type; /* NULL: unsupported */
    } rows[] = {{16, "list<bool>"},
                {21, "list<int16>"},
                {23, "list<int32>"},
                {20, "list<int64>"},
                {700, "list<float32>"},
                {701, "list<float64>"},
                {25, "list<string>"},
                {1043, "list<string>"},
                {1042, "list<string>"},
                {19, "list<string>"},
                {18, "list<string>"},
                {2950, "list<uuid>"},
                {1082, "list<date>"},
                {1114, "list<timestamp>"},
                {1184, "list<timestamp_tz>"},
                {17, "list<binary>"},
                {114, "list<json>"},
                {3802, "list<json>"},
                {869, "list<string>"},
                {600, NULL},
                {1186, NULL}};
    pgd p = {.arena = RV_ARENA_INIT};
    char name[RV_TYPE_NAME_SIZE];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(pgd_bind(&p, pgd_array(rows[i].element, -1, "_a"), NULL), RV_OK);
        CHECK_EQ(p.supported, rows[i].type != NULL);
        rv_type_name(p.schema.type, name);
        if (rows[i].type)
            CHECK_STR(name, rows[i].type);
    }
    CHECK_EQ(pgd_bind(&p, pgd_array(1700, numeric_typmod(10, 3), "_numeric"), NULL), RV_OK);
    rv_type_name(p.schema.type, name);
    CHECK_STR(name, "list<decimal(10,3)>");
    CHECK_EQ(pgd_bind(&p, pgd_array(1700, -1, "_numeric"), NULL), RV_OK);
    CHECK(!p.supported);
    CHECK_EQ(pgd_bind(&p, pgd_array(70003, -1, "_citext"), NULL), RV_OK);
    CHECK(p.supported);
    CHECK_EQ(pgd_bind(&p, pgd_array(600, -1, "_point"), "text"), RV_OK);
    CHECK(p.supported && p.column.as_text);
    CHECK_EQ(pgd_bind(&p, pgd_array(23, -1, "_int4"), "json"), RV_E_CONFIG_COLUMN_TYPE);
    rv_arena_free(&p.arena);
}

/* Every pair has a decoder or is refused. */
RV_TEST(override_pairs)
{
    static const char *const words[] = {"bool",      "int2",        "int4",          "int8",
                                        "float4",    "float8",      "decimal(30,5)", "date",
                                        "timestamp", "timestamptz", "timestamp_ns",  "text",
                                        "binary",    "json",        "uuid"};
    static const struct {
        uint32_t oid;
        const char *allowed; /* one letter per word */
    } rows[] = {{16, "yyyynnnnnnnynnn"},   {23, "yyyyyyynnnnynnn"},   {701, "nyyyyyynnnnynnn"},
                {1700, "nyyyyyynnnnynnn"}, {790, "nnnnnnynnnnynnn"},  {1082, "nnnnnnnyyyyynnn"},
                {1114, "nnnnnnnyyyyynnn"}, {1184, "nnnnnnnyyyyynnn"}, {1083, "nnnnnnnnnnnynnn"},
                {25, "yyyyyyyyyyyyyyy"},   {3802, "nnnnnnnnnnnyyyn"}, {17, "nnnnnnnnnnnyyny"},
                {2950, "nnnnnnnnnnnyyny"}, {1186, "nnnnnnnnnnnynnn"}, {869, "nnnnnnnnnnnynnn"}};
    pgd p = {.arena = RV_ARENA_INIT};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
            rv_status st = pgd_bind(&p, pgd_facts(rows[i].oid, -1, "label"), words[w]);
            bool allowed = rows[i].allowed[w] == 'y';
            if ((st == RV_OK) != allowed)
                printf("oid %u as %s\n", rows[i].oid, words[w]);
            CHECK_EQ(st, allowed ? RV_OK : RV_E_CONFIG_COLUMN_TYPE);
            CHECK(st != RV_OK || p.column.decoder != RV_PGS_NO_DECODER);
        }
    }
    rv_arena_free(&p.arena);
}

RV_TEST(lossy_override)
{
    pgd p = {.arena = RV_ARENA_INIT};
    rv_pgs_type_facts f = pgd_facts(1700, numeric_typmod(12, 4), "numeric(12,4)");
    REQUIRE(pgd_bind(&p, f, "decimal(10,2)") == RV_OK);
    CHECK_EQ(p.schema.fidelity, RV_LOSSY);
    CHECK_STR(p.schema.lossy_reason,
              "decimal(10,2) keeps 2 fewer fraction digits than numeric(12,4): lossy");
    rv_arena_free(&p.arena);
}

RV_TEST(keys)
{
    static const uint32_t yes[] = {21,   23, 20,   26,   1700, 25,  1043,
                                   1042, 19, 2950, 1082, 1114, 1184};
    static const uint32_t no[] = {16, 700, 701, 17, 3802, 1186, 1083, 869, 99999};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        CHECK(rv_pgs_key_type(yes[i], 'b'));
        CHECK(rv_pgs_wire_kind(yes[i]) < RV_KIND_COUNT);
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        CHECK(!rv_pgs_key_type(no[i], 'b'));
    CHECK(!rv_pgs_key_type(23, 'e'));
    CHECK_EQ(rv_pgs_wire_kind(99999), RV_KIND_COUNT);
    CHECK_EQ(rv_pgs_common_oid(1114, 1184), 1184);
    CHECK_EQ(rv_pgs_common_oid(20, 23), 20);
    CHECK_EQ(rv_pgs_common_oid(25, 1043), 25);
    CHECK_EQ(rv_pgs_common_oid(25, 20), 0);
}

RV_TEST_MAIN(RV_CASE(every_row_of_the_table), RV_CASE(numeric_modifiers),
             RV_CASE(unsupported_types), RV_CASE(by_typtype_and_name), RV_CASE(arrays),
             RV_CASE(override_pairs), RV_CASE(lossy_override), RV_CASE(keys))
