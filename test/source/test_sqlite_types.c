/* Every declared type against every storage class. Spec "types" sections 6 and 8. */
#include "source/sqlite_fixture.h"

/* One column of the declared type, one row with the value: the cell, or the error. */
static const char *one(fixture *f, const char *decl, const char *value, const rv_cfg_column *o,
                       rv_status *st)
{
    char sql[512];
    rv_relation *rel = NULL;
    rv_read_spec spec = {.table = "t", .mode = RV_FULL, .overrides = o, .n_overrides = o != NULL};
    (void)snprintf(sql, sizeof sql,
                   "DROP TABLE IF EXISTS t; CREATE TABLE t(id INTEGER PRIMARY KEY, c %s);"
                   "INSERT INTO t VALUES (812, %s)",
                   decl, value);
    rv_buf_clear(&f->text);
    *st = fx_exec(f, sql) ? fx_resolve(f, &spec, &rel) : RV_E_INTERNAL;
    if (*st == RV_OK)
        *st = fx_read(f, rel);
    if (*st != RV_OK)
        return f->err.text;
    char *text = (char *)(uintptr_t)fx_text(f);
    size_t n = strlen(text);
    if (n > 0 && text[n - 1] == '\n')
        text[n - 1] = '\0';
    return n > 4 ? text + 4 : text;
}

RV_TEST(accepted)
{
    static const char *const rows[][3] = {
        {"BOOL", "1", "true"},
        {"boolean", "0", "false"},
        {"DECIMAL(10,2)", "'12.5'", "12.50"},
        {"NUMERIC(6, 2)", "7", "7.00"},
        {"decimal(5)", "12345", "12345"},
        {"DECIMAL(10,2)", "0.1", "0.10"},
        {"DECIMAL(30,20)", "3", "3.00000000000000000000"},
        {"DATETIME", "'2024-05-06 07:08:09'", "2024-05-06T07:08:09.000000"},
        {"TIMESTAMP(6)", "'2024-05-06T07:08:09.5+02:00'", "2024-05-06T05:08:09.500000"},
        {"TIMESTAMP", "1700000000", "2023-11-14T22:13:20.000000"},
        {"TIMESTAMP", "-1", "1969-12-31T23:59:59.000000"},
        {"TIMESTAMP", "2440587.5", "1970-01-01T00:00:00.000000"},
        {"TIMESTAMP", "julianday('2024-01-15 10:30:00.123')", "2024-01-15T10:30:00.123000"},
        {"DATE", "'2024-02-29'", "2024-02-29"},
        {"TIME", "'23:59:59.25'", "23:59:59.250000"},
        {"JSON", "'{\"a\": 1}'", "{\"a\": 1}"},
        {"UUID", "'00112233-4455-6677-8899-AABBCCDDEEFF'", "00112233-4455-6677-8899-aabbccddeeff"},
        {"UUID", "x'00112233445566778899aabbccddeeff'", "00112233-4455-6677-8899-aabbccddeeff"},
        {"BIGINT", "9223372036854775807", "9223372036854775807"},
        {"POINT", "3", "3"},
        {"VARCHAR(20)", "'x'", "x"},
        {"CLOB", "'y'", "y"},
        {"my text", "'z'", "z"},
        {"BLOB", "x'00ff'", "00ff"},
        {"REAL", "1", "1.0"},
        {"FLOAT", "-0.5", "-0.5"},
        {"DOUBLE PRECISION", "1e21", "1000000000000000000000.0"},
        {"REAL", "9e999", "inf"},
        {"", "5", "5"},
        {"", "'t'", "t"},
        {"", "x'01'", "01"},
        {"", "2.5", "2.5"},
        {"NUMERIC", "1.5", "1.5"},
        {"INTEGER", "NULL", "NULL"},
        {"TEXT", "''", ""},
    };
    fixture f;
    REQUIRE(fx_open(&f, "SELECT 1"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_status st;
        const char *got = one(&f, rows[i][0], rows[i][1], NULL, &st);
        if (st != RV_OK)
            printf("%s %s\n", rows[i][0], rows[i][1]);
        CHECK_EQ(st, RV_OK);
        CHECK_STR(got, rows[i][2]);
    }
    fx_close(&f);
}

RV_TEST(refused)
{
    static const char *const rows[][3] = {
        {"INTEGER", "'n/a'",
         "column 'c' declared INTEGER holds TEXT 'n/a' (rowid 812); add columns: {c: text}"},
        {"INTEGER", "2.5",
         "column 'c' declared INTEGER holds REAL 2.5 (rowid 812); add columns: {c: text}"},
        {"INT", "x'ab'",
         "column 'c' declared INT holds BLOB x'ab' (1 bytes) (rowid 812); add columns: {c: text}"},
        {"BOOL", "2",
         "column 'c' declared BOOL holds INTEGER 2 (rowid 812); add columns: {c: text}"},
        {"BOOL", "'true'",
         "column 'c' declared BOOL holds TEXT 'true' (rowid 812); add columns: {c: text}"},
        {"DECIMAL(10,2)", "'1.005'", NULL},
        {"DECIMAL(10,2)", "1.005", NULL},
        {"DECIMAL(3,2)", "1000", NULL},
        {"DECIMAL(3,2)", "x'00'", NULL},
        {"TIMESTAMP", "'yesterday'", NULL},
        {"TIMESTAMP", "9223372036854775807", NULL},
        {"TIMESTAMP", "x'00'", NULL},
        {"TIMESTAMP", "-5.5", NULL},
        {"DATE", "'2024-02-30'", NULL},
        {"DATE", "20240229", NULL},
        {"TIME", "'24:00:00'", NULL},
        {"JSON", "1", NULL},
        {"UUID", "'nope'", NULL},
        {"UUID", "x'00'", NULL},
        {"TEXT", "x'00'", NULL},
        {"BLOB", "'text'", NULL},
        {"BLOB", "5", NULL},
        {"REAL", "'x'", NULL},
        {"REAL", "x'00'", NULL},
    };
    fixture f;
    REQUIRE(fx_open(&f, "SELECT 1"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_status st;
        const char *got = one(&f, rows[i][0], rows[i][1], NULL, &st);
        if (st != RV_E_VALUE)
            printf("%s %s: %s\n", rows[i][0], rows[i][1], got);
        CHECK_EQ(st, RV_E_VALUE);
        CHECK(strstr(got, "(rowid 812)") != NULL);
        if (rows[i][2])
            CHECK_STR(got, rows[i][2]);
    }
    fx_close(&f);
}

RV_TEST(integer_as_real)
{
    fixture f;
    rv_status st;
    REQUIRE(fx_open(&f, "SELECT 1"));
    /* REAL affinity turns integers into doubles on the way in; a sampled column keeps them */
    REQUIRE(fx_exec(&f, "CREATE TABLE u(a INTEGER PRIMARY KEY, v); INSERT INTO u VALUES (1, 0.5), "
                        "(2, 9007199254740992), (3, -9007199254740992)"));
    CHECK_EQ(fx_export(&f, "u", NULL), RV_OK);
    CHECK_STR(fx_text(&f), "1|0.5\n2|9007199254740992.0\n3|-9007199254740992.0\n");
    REQUIRE(fx_exec(&f, "INSERT INTO u VALUES (4, 9007199254740993)"));
    CHECK_EQ(fx_export(&f, "u", NULL), RV_E_VALUE);
    CHECK_STR(f.err.text, "column 'v' resolved as float64 from its first rows holds INTEGER "
                          "9007199254740993 (rowid 4); add columns: {v: text}");
    CHECK_STR(fx_text(&f), "1|0.5\n2|9007199254740992.0\n3|-9007199254740992.0\n");
    (void)st;
    fx_close(&f);
}

RV_TEST(text_override_takes_everything)
{
    static const char *const rows[][2] = {{"5", "5"},
                                          {"2.5", "2.5"},
                                          {"1e300 / 1e290", "10000000000.0"},
                                          {"'x'", "x"},
                                          {"x'0AFF'", "0aff"},
                                          {"NULL", "NULL"},
                                          {"-9223372036854775807 - 1", "-9223372036854775808"}};
    rv_cfg_column o = {.column = "c", .type = {.kind = RV_STRING}};
    fixture f;
    REQUIRE(fx_open(&f, "SELECT 1"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_status st;
        const char *got = one(&f, "BLOB", rows[i][0], &o, &st);
        CHECK_EQ(st, RV_OK);
        CHECK_STR(got, rows[i][1]);
    }
    fx_close(&f);
}

RV_TEST(other_overrides)
{
    static const struct {
        const char *decl, *value;
        rv_type type;
        const char *want; /* NULL: refused with this status */
        rv_status st;
    } rows[] = {
        {"TEXT", "'42'", {.kind = RV_INT32}, "42", RV_OK},
        {"INTEGER", "70000", {.kind = RV_INT16}, NULL, RV_E_VALUE},
        {"TEXT", "'2024-01-01'", {.kind = RV_DATE}, "2024-01-01", RV_OK},
        {"TEXT", "'true'", {.kind = RV_BOOL}, "true", RV_OK},
        {"TEXT", "'1.50'", {.kind = RV_DECIMAL, .precision = 5, .scale = 1}, "1.5", RV_OK},
        {"TEXT", "'1.55'", {.kind = RV_DECIMAL, .precision = 5, .scale = 1}, NULL, RV_E_VALUE},
        {"REAL", "0.1", {.kind = RV_FLOAT32}, "0.1", RV_OK},
        {"REAL", "1e300", {.kind = RV_FLOAT32}, NULL, RV_E_VALUE},
        {"INTEGER", "60", {.kind = RV_TIMESTAMP_TZ}, "1970-01-01T00:01:00.000000Z", RV_OK},
        {"INTEGER", "60", {.kind = RV_TIMESTAMP_NS}, "1970-01-01T00:01:00.000000000", RV_OK},
        {"TEXT", "'abc'", {.kind = RV_BINARY}, "616263", RV_OK},
        {"INTEGER", "1", {.kind = RV_UUID}, NULL, RV_E_CONFIG_COLUMN_TYPE},
        {"INTEGER", "1", {.kind = RV_DATE}, NULL, RV_E_CONFIG_COLUMN_TYPE},
        {"BLOB", "x'00'", {.kind = RV_INT64}, NULL, RV_E_CONFIG_COLUMN_TYPE},
    };
    fixture f;
    REQUIRE(fx_open(&f, "SELECT 1"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        rv_status st;
        rv_cfg_column o = {.column = "c", .type = rows[i].type};
        const char *got = one(&f, rows[i].decl, rows[i].value, &o, &st);
        CHECK_EQ(st, rows[i].st);
        if (rows[i].want)
            CHECK_STR(got, rows[i].want);
    }
    rv_status st;
    rv_cfg_column o = {.column = "nope", .type = {.kind = RV_STRING}};
    (void)one(&f, "TEXT", "'x'", &o, &st);
    CHECK_EQ(st, RV_E_CONFIG_COLUMN_TYPE);
    fx_close(&f);
}

RV_TEST(null_policy_is_for_overridden_columns)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INTEGER);"
                        "INSERT INTO t VALUES (1,'5',1),(2,'x',2),(3,'y',3),(4,NULL,4)"));
    rv_cfg_column o = {.column = "a", .type = {.kind = RV_INT64}};
    rv_read_spec spec = {.table = "t",
                         .mode = RV_FULL,
                         .overrides = &o,
                         .n_overrides = 1,
                         .override_error_null = true};
    rv_relation *rel = NULL;
    CHECK_EQ(fx_resolve(&f, &spec, &rel), RV_OK);
    REQUIRE(rel != NULL);
    CHECK_EQ(fx_read(&f, rel), RV_OK);
    CHECK_STR(fx_text(&f), "1|5|1\n2|NULL|2\n3|NULL|3\n4|NULL|4\n");
    REQUIRE(fx_exec(&f, "INSERT INTO t VALUES (5, 'z', 'bad')"));
    CHECK_EQ(fx_read(&f, rel), RV_E_VALUE);
    CHECK(strstr(f.err.text, "column 'b' declared INTEGER holds TEXT 'bad' (rowid 5)") != NULL);
    fx_close(&f);
}

RV_TEST(timestamps_keep_one_class)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, ts TIMESTAMP);"
                        "INSERT INTO t VALUES (1,'2024-01-01'),(2,1700000000)"));
    CHECK_EQ(fx_export(&f, "t", NULL), RV_E_VALUE);
    CHECK_STR(f.err.text, "column 'ts' declared TIMESTAMP holds INTEGER 1700000000 (rowid 2), "
                          "earlier rows TEXT; add columns: {ts: text}");
    fx_close(&f);
}

RV_TEST(untyped_columns_go_by_their_first_rows)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(i, r, x, m, n, b);"
                        "INSERT INTO t VALUES (1, 1, 'a', 1, NULL, x'00'), "
                        "(2, 1.5, 'b', 'q', NULL, x'01')"));
    rv_read_spec spec = {.table = "t", .mode = RV_FULL};
    rv_relation *rel = NULL;
    CHECK_EQ(fx_resolve(&f, &spec, &rel), RV_OK);
    REQUIRE(rel != NULL);
    static const rv_kind want[] = {RV_INT64,  RV_FLOAT64, RV_STRING,
                                   RV_STRING, RV_STRING,  RV_BINARY};
    for (size_t i = 0; i < 6; i++)
        CHECK_EQ(rel->schema->columns[i].type.kind, want[i]);
    CHECK_EQ(fx_read(&f, rel), RV_OK);
    CHECK_STR(fx_text(&f), "1|1.0|a|1|NULL|00\n2|1.5|b|q|NULL|01\n");
    REQUIRE(fx_exec(&f, "INSERT INTO t VALUES ('late', 1, 'c', 1, NULL, x'02')"));
    CHECK_EQ(fx_read(&f, rel), RV_E_VALUE);
    CHECK_STR(f.err.text, "column 'i' resolved as int64 from its first rows holds TEXT 'late' "
                          "(rowid 3); add columns: {i: text}");
    fx_close(&f);
}

RV_TEST(rows_without_rowid_are_named_by_key)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(a TEXT, b INTEGER, q INTEGER, PRIMARY KEY(a, b)) "
                        "WITHOUT ROWID; INSERT INTO t VALUES ('k', 7, 'n/a')"));
    CHECK_EQ(fx_export(&f, "t", NULL), RV_E_VALUE);
    CHECK_STR(f.err.text, "column 'q' declared INTEGER holds TEXT 'n/a' (a=k, b=7); "
                          "add columns: {q: text}");
    fx_close(&f);
}

RV_TEST(invalid_utf8)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT);"
                        "INSERT INTO t VALUES (9, CAST(x'61ff62' AS TEXT))"));
    CHECK_EQ(fx_export(&f, "t", NULL), RV_E_VALUE);
    CHECK_STR(f.err.text, "column 's' holds text that is not valid UTF-8 (rowid 9)");
    rv_read_spec spec = {.table = "t", .mode = RV_FULL, .on_invalid_utf8 = RV_UTF8_BINARY};
    rv_relation *rel = NULL;
    CHECK_EQ(fx_resolve(&f, &spec, &rel), RV_OK);
    REQUIRE(rel != NULL);
    CHECK_EQ(rel->schema->columns[1].type.kind, RV_BINARY);
    CHECK_EQ(fx_read(&f, rel), RV_OK);
    CHECK_STR(fx_text(&f), "9|61ff62\n");
    fx_close(&f);
}

RV_TEST(utf16_reads_as_utf8)
{
    fixture f;
    REQUIRE(fx_open(&f, "PRAGMA encoding='UTF-16le'; CREATE TABLE t(k TEXT PRIMARY KEY, s TEXT) "
                        "WITHOUT ROWID; INSERT INTO t VALUES ('\xC3\xA4', '\xE2\x82\xAC'), "
                        "('\xF0\x9F\x98\x80', 'x')"));
    CHECK_EQ(fx_export(&f, "t", NULL), RV_OK);
    /* the order is the database's own: bytes of UTF-16LE */
    CHECK_STR(fx_text(&f), "\xF0\x9F\x98\x80|x\n\xC3\xA4|\xE2\x82\xAC\n");
    fx_close(&f);
}

RV_TEST(oversized_cell)
{
    fixture f;
    REQUIRE(fx_open(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT);"
                        "INSERT INTO t VALUES (1,'ok'),(2, hex(zeroblob(1000000)))"));
    f.tuning.max_value_mb = 1;
    CHECK_EQ(fx_export(&f, "t", NULL), RV_E_VALUE_TOO_LARGE);
    CHECK(strstr(f.err.text, "column 'body': one cell is") != NULL);
    CHECK(strstr(f.err.hint, "rowid 2") != NULL);
    CHECK_STR(fx_text(&f), "1|ok\n");
    fx_close(&f);
}

RV_TEST_MAIN(RV_CASE(accepted), RV_CASE(refused), RV_CASE(integer_as_real),
             RV_CASE(text_override_takes_everything), RV_CASE(other_overrides),
             RV_CASE(null_policy_is_for_overridden_columns), RV_CASE(timestamps_keep_one_class),
             RV_CASE(untyped_columns_go_by_their_first_rows),
             RV_CASE(rows_without_rowid_are_named_by_key), RV_CASE(invalid_utf8),
             RV_CASE(utf16_reads_as_utf8), RV_CASE(oversized_cell))
