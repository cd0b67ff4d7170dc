#include "column/override.h"

#include <stdio.h>

#include "base/fault.h"
#include "rvtest.h"

#define T(k)                                                                                       \
    {                                                                                              \
        k, 0, 0, 0                                                                                 \
    }

typedef struct judgement {
    rv_type natural;
    rv_type target;
    rv_fidelity fidelity;
    const char *reason;
} judgement;

static const judgement judgements[] = {
    {{RV_DECIMAL, 12, 4, 0},
     {RV_DECIMAL, 10, 2, 0},
     RV_LOSSY,
     "decimal(10,2) keeps 2 fewer fraction digits than decimal(12,4): lossy"},
    {{RV_DECIMAL, 12, 2, 0},
     {RV_DECIMAL, 10, 2, 0},
     RV_LOSSY,
     "decimal(10,2) keeps 2 fewer integer digits than decimal(12,2): lossy"},
    {{RV_DECIMAL, 12, 2, 0},
     {RV_DECIMAL, 12, 3, 0},
     RV_LOSSY,
     "decimal(12,3) keeps 1 fewer integer digit than decimal(12,2): lossy"},
    {{RV_DECIMAL, 12, 2, 0}, {RV_DECIMAL, 40, 4, 0}, RV_EXACT, NULL},
    {{RV_DECIMAL, 12, 2, 0}, {RV_DECIMAL, 12, 2, 0}, RV_EXACT, NULL},
    {{RV_DECIMAL, 12, 2, 0},
     T(RV_FLOAT64),
     RV_LOSSY,
     "float64 cannot hold decimal fractions exactly, unlike decimal(12,2): lossy"},
    {{RV_DECIMAL, 12, 2, 0},
     T(RV_INT64),
     RV_LOSSY,
     "int64 keeps 2 fewer fraction digits than decimal(12,2): lossy"},
    {{RV_DECIMAL, 18, 0, 0}, T(RV_INT64), RV_EXACT, NULL},
    {{RV_DECIMAL, 19, 0, 0},
     T(RV_INT64),
     RV_LOSSY,
     "int64 keeps 1 fewer integer digit than decimal(19,0): lossy"},
    {{RV_DECIMAL, 12, 2, 0}, T(RV_STRING), RV_COMPATIBLE, NULL},
    {T(RV_INT64), T(RV_INT32), RV_LOSSY, "int32 has a smaller range than int64: lossy"},
    {T(RV_INT64), T(RV_BOOL), RV_LOSSY, "bool holds only 0 and 1 of int64: lossy"},
    {T(RV_INT64), T(RV_FLOAT64), RV_LOSSY, "float64 rounds large values of int64: lossy"},
    {T(RV_INT32), T(RV_FLOAT64), RV_COMPATIBLE, NULL},
    {T(RV_INT32), T(RV_FLOAT32), RV_LOSSY, "float32 rounds large values of int32: lossy"},
    {T(RV_INT32), T(RV_INT64), RV_EXACT, NULL},
    {T(RV_INT64), {RV_DECIMAL, 20, 0, 0}, RV_EXACT, NULL},
    {T(RV_INT64),
     {RV_DECIMAL, 18, 0, 0},
     RV_LOSSY,
     "decimal(18,0) keeps 1 fewer integer digit than int64: lossy"},
    {T(RV_UINT64), {RV_DECIMAL, 20, 0, 0}, RV_EXACT, NULL},
    {T(RV_UINT64), T(RV_INT64), RV_LOSSY, "int64 has a smaller range than uint64: lossy"},
    {T(RV_FLOAT64), T(RV_FLOAT32), RV_LOSSY, "float32 keeps fewer digits than float64: lossy"},
    {T(RV_FLOAT32), T(RV_FLOAT64), RV_EXACT, NULL},
    {T(RV_FLOAT64), T(RV_INT64), RV_LOSSY, "int64 keeps no fraction of float64: lossy"},
    {T(RV_FLOAT64), {RV_DECIMAL, 18, 2, 0}, RV_COMPATIBLE, NULL},
    {T(RV_TIMESTAMP), T(RV_DATE), RV_LOSSY, "date drops the time of day of timestamp: lossy"},
    {T(RV_TIMESTAMP_NS), T(RV_TIMESTAMP), RV_LOSSY,
     "timestamp keeps 3 fewer fraction digits than timestamp_ns: lossy"},
    {T(RV_TIMESTAMP), T(RV_TIMESTAMP_NS), RV_EXACT, NULL},
    {T(RV_TIMESTAMP), T(RV_TIMESTAMP_TZ), RV_COMPATIBLE, NULL},
    {T(RV_STRING), T(RV_UUID), RV_COMPATIBLE, NULL},
    {T(RV_STRING), T(RV_INT32), RV_COMPATIBLE, NULL},
    {T(RV_STRING), T(RV_JSON), RV_LOGICAL_STRING, NULL},
    {T(RV_STRING), T(RV_STRING), RV_EXACT, NULL},
    {T(RV_BINARY), T(RV_STRING), RV_COMPATIBLE, NULL},
};

RV_TEST(fidelity_of_overrides)
{
    for (size_t i = 0; i < sizeof judgements / sizeof judgements[0]; i++) {
        const judgement *j = &judgements[i];
        rv_arena arena = RV_ARENA_INIT;
        rv_column col = {.name = "c", .type = j->target, .source_type = "x"};
        rv_error err;
        REQUIRE(rv_override_judge(&col, j->natural, j->target, &arena, &err) == RV_OK);
        CHECK(col.overridden);
        if (col.fidelity != j->fidelity)
            (void)printf("judgement %zu: %s\n", i, rv_fidelity_name(col.fidelity));
        CHECK_EQ(col.fidelity, j->fidelity);
        CHECK(!col.lossy_reason == !j->reason);
        if (col.lossy_reason && j->reason)
            CHECK_STR(col.lossy_reason, j->reason);
        rv_arena_free(&arena);
    }
}

RV_TEST(the_native_label_is_named)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_column col = {.name = "c", .type = {RV_DECIMAL, 10, 2, 0}, .source_type = "numeric(12,4)"};
    rv_error err;
    REQUIRE(rv_override_judge(&col, rv_type_decimal(12, 4), col.type, &arena, &err) == RV_OK);
    CHECK_STR(col.lossy_reason,
              "decimal(10,2) keeps 2 fewer fraction digits than numeric(12,4): lossy");
    rv_arena_free(&arena);
}

RV_TEST(unsupported_becomes_what_was_declared)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_column col = {
        .name = "c", .type = T(RV_STRING), .source_type = "x", .fidelity = RV_UNSUPPORTED};
    rv_error err;
    REQUIRE(rv_override_judge(&col, col.type, col.type, &arena, &err) == RV_OK);
    CHECK_EQ(col.fidelity, RV_EXACT);
    rv_arena_free(&arena);
}

RV_TEST(overrides_name_columns_of_the_result)
{
    rv_column columns[] = {{.name = "id"}, {.name = "amount"}};
    rv_schema schema = {columns, 2};
    rv_override good[] = {{"amount", T(RV_STRING)}, {"id", T(RV_INT32)}};
    rv_override bad[] = {{"amount", T(RV_STRING)}, {"Amount", T(RV_INT32)}};
    rv_error err;
    CHECK_EQ(rv_override_check_names(&schema, good, 2, &err), RV_OK);
    CHECK_EQ(rv_override_check_names(&schema, bad, 2, &err), RV_E_CONFIG_COLUMN_TYPE);
    CHECK(strstr(err.text, "'Amount'") != NULL);
}

static void check_target(rv_target target, rv_type type, const char *want)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_column col = {.name = "a`\"b", .type = type};
    rv_target_verdict v;
    rv_error err;
    char got[400];
    REQUIRE(rv_target_judge(target, &col, &arena, &v, &err) == RV_OK);
    (void)snprintf(got, sizeof got, "%s|%s|%s|%s", v.target_type, v.status,
                   v.autoload_type ? v.autoload_type : "", v.cast_sql ? v.cast_sql : "");
    CHECK_STR(got, want);
    CHECK((strcmp(v.status, "ok") == 0) == (v.note[0] == '\0'));
    rv_arena_free(&arena);
}

RV_TEST(known_facts_of_targets)
{
    rv_type time = T(RV_TIME);
    rv_type naive = T(RV_TIMESTAMP);
    rv_type json = T(RV_JSON);
    rv_type uuid = T(RV_UUID);
    check_target(RV_BIGQUERY, naive, "DATETIME|warn|TIMESTAMP|DATETIME(`a\\`\"b`)");
    check_target(RV_BIGQUERY, json,
                 "JSON|warn|BYTES|PARSE_JSON(SAFE_CONVERT_BYTES_TO_STRING(`a\\`\"b`))");
    check_target(RV_BIGQUERY, (rv_type)T(RV_UINT64), "NUMERIC|fail|INT64|");
    check_target(RV_BIGQUERY, rv_type_decimal(38, 9), "NUMERIC(38,9)|ok||");
    check_target(RV_BIGQUERY, rv_type_decimal(38, 8), "BIGNUMERIC(38,8)|warn||");
    check_target(RV_BIGQUERY, rv_type_decimal(76, 38), "BIGNUMERIC(76,38)|warn||");
    check_target(RV_BIGQUERY, rv_type_decimal(76, 39), "STRING|fail||");
    check_target(RV_BIGQUERY, rv_type_list(rv_type_of(RV_INT32)), "ARRAY<INT64>|warn||");
    check_target(RV_SNOWFLAKE, time, "TIME|warn|NUMBER|TO_TIME(TO_TIMESTAMP_NTZ(\"a`\"\"b\", 6))");
    check_target(RV_SNOWFLAKE, naive, "TIMESTAMP_NTZ|warn|NUMBER|TO_TIMESTAMP_NTZ(\"a`\"\"b\", 6)");
    check_target(RV_SNOWFLAKE, rv_type_decimal(39, 0), "VARCHAR|fail||");
    check_target(RV_DUCKDB, uuid, "UUID|ok||");
    check_target(RV_DUCKDB, rv_type_decimal(38, 2), "DECIMAL(38,2)|ok||");
    check_target(RV_DUCKDB, rv_type_decimal(39, 2), "DOUBLE|fail||");
    check_target(RV_DUCKDB, rv_type_list(rv_type_of(RV_STRING)), "VARCHAR[]|ok||");
    check_target(RV_CLICKHOUSE, json, "JSON|warn|String|CAST(`a\\`\"b` AS JSON)");
    check_target(RV_CLICKHOUSE, uuid,
                 "UUID|warn|FixedString(16)|toUUID(UUIDNumToString(`a\\`\"b`))");
    check_target(RV_CLICKHOUSE, rv_type_decimal(76, 2), "Decimal(76,2)|ok||");
    check_target(RV_TARGET_NONE, uuid, "|ok||");
}

RV_TEST(every_target_knows_every_kind)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_error err;
    for (unsigned t = RV_DUCKDB; t <= RV_CLICKHOUSE; t++) {
        for (unsigned k = 0; k < RV_KIND_COUNT; k++) {
            rv_column col = {.name = "c", .type = rv_type_of((rv_kind)k)};
            rv_target_verdict v = {0};
            if (k == RV_DECIMAL)
                col.type = rv_type_decimal(10, 2);
            if (k == RV_LIST)
                col.type = rv_type_list(rv_type_of(RV_TIME));
            REQUIRE(rv_target_judge((rv_target)t, &col, &arena, &v, &err) == RV_OK);
            REQUIRE(v.target_type && v.target_type[0] && v.note);
            CHECK(!v.autoload_type || strcmp(v.autoload_type, v.target_type) != 0);
        }
        CHECK(rv_target_label((rv_target)t)[0] != '\0');
    }
    rv_arena_free(&arena);
}

RV_TEST(target_names)
{
    rv_target t = RV_TARGET_NONE;
    CHECK(rv_target_from_name(RV_STR("bq"), &t) && t == RV_BIGQUERY);
    CHECK(rv_target_from_name(RV_STR("sf"), &t) && t == RV_SNOWFLAKE);
    CHECK(rv_target_from_name(RV_STR("duckdb"), &t) && t == RV_DUCKDB);
    CHECK(!rv_target_from_name(RV_STR("redshift"), &t));
    CHECK_STR(rv_target_label(RV_SNOWFLAKE), "Snowflake");
}

#ifdef RV_FAULTS
static rv_status judge_once(rv_arena *arena, rv_error *err)
{
    rv_column col = {.name = "c", .type = {RV_DECIMAL, 10, 2, 0}, .source_type = "x"};
    rv_target_verdict v;
    RV_TRY(rv_override_judge(&col, rv_type_decimal(12, 4), col.type, arena, err));
    RV_TRY(rv_target_judge(RV_BIGQUERY, &col, arena, &v, err));
    col.type = rv_type_of(RV_JSON);
    return rv_target_judge(RV_SNOWFLAKE, &col, arena, &v, err);
}
#endif

RV_TEST(survives_failed_allocations)
{
#ifdef RV_FAULTS
    rv_status st = RV_E_MEMORY;
    for (long n = 1; st != RV_OK && n < 100; n++) {
        rv_arena arena = RV_ARENA_INIT;
        rv_error err;
        rv_fault_set_alloc(n, false);
        st = judge_once(&arena, &err);
        rv_fault_set_alloc(0, false);
        CHECK(st == RV_OK || st == RV_E_MEMORY);
        rv_arena_free(&arena);
    }
    CHECK_EQ(st, RV_OK);
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(fidelity_of_overrides), RV_CASE(the_native_label_is_named),
             RV_CASE(unsupported_becomes_what_was_declared),
             RV_CASE(overrides_name_columns_of_the_result), RV_CASE(known_facts_of_targets),
             RV_CASE(every_target_knows_every_kind), RV_CASE(target_names),
             RV_CASE(survives_failed_allocations))
