#include "inspect_fixture.h"

static rv_doctor_check *doctor(fixture *f, size_t *out_n)
{
    rv_doctor_check *list = NULL;
    if (rv_engine_doctor(&f->env, f->cfg, &f->arena, &list, out_n, &f->err) == RV_OK)
        return list;
    printf("doctor: %s\n", f->err.text);
    return NULL;
}

RV_TEST(everything_is_fine)
{
    fixture f;
    size_t n = 0;
    char name[160];
    REQUIRE(fx_open(&f, FX_SHOP));
    REQUIRE(fx_config(&f,
                      "  - {name: a, table: orders, format: parquet, destination: {type: local, "
                      "path: OUT}}\n"
                      "  - {name: b, table: orders, format: parquet, destination: {type: local, "
                      "path: OUT/}}\n"
                      "  - {name: c, table: orders, format: csv, destination: {type: "
                      "stdout}}\n"));
    rv_doctor_check *c = doctor(&f, &n);
    REQUIRE(c != NULL && n == 4);
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(c[i].kind, 'O');
    CHECK_STR(c[0].name, "Source auth (Sqlite)");
    CHECK(strstr(c[0].detail, "direct") != NULL);
    (void)snprintf(name, sizeof name, "Destination Local(%s)", f.out);
    CHECK_STR(c[1].name, name);
    CHECK_STR(c[2].name, "Destination Stdout (streaming; no preflight needed)");
    CHECK_STR(c[3].name, "State (sqlite, schema v1)");
    CHECK(access(f.out, F_OK) != 0);
    (void)snprintf(name, sizeof name, "%s/.rivet_state.db", f.dir);
    CHECK(access(name, F_OK) != 0);
    fx_close(&f);
}

RV_TEST(a_failure_stops_nothing)
{
    fixture f;
    size_t n = 0;
    char path[128];
    REQUIRE(fx_open(&f, FX_SHOP));
    REQUIRE(fx_write(f.config,
                     "source:\n  type: sqlite\n  url_env: DATABASE_URL\nexports:\n"
                     "  - {name: a, table: t, format: parquet, destination: {type: local, "
                     "path: /dev/null/x}}\n") &&
            fx_load(&f));
    (void)snprintf(path, sizeof path, "%s/.rivet_state.db", f.dir);
    REQUIRE(fx_write(path, "this is no database, and it is long enough to be seen as none"));
    rv_doctor_check *c = doctor(&f, &n);
    REQUIRE(c != NULL && n == 3);
    for (size_t i = 0; i < n; i++) {
        CHECK_EQ(c[i].kind, 'F');
        CHECK(c[i].detail && c[i].detail[0]);
        CHECK(c[i].code != RV_OK);
    }
    CHECK(strstr(c[0].detail, "DATABASE_URL") != NULL);
    CHECK(c[0].hint != NULL);
    CHECK_STR(c[2].name, "State");
    fx_close(&f);
}

RV_TEST(a_file_that_is_no_database_fails)
{
    fixture f;
    size_t n = 0;
    REQUIRE(fx_open(&f, FX_SHOP));
    REQUIRE(fx_config(&f,
                      "  - {name: a, table: orders, format: parquet, destination: {type: local, "
                      "path: OUT}}\n"));
    REQUIRE(fx_write(f.db, "this is no database, and it is long enough to be seen as none, "
                           "whatever it was before; more text follows to fill the header of it"));
    rv_doctor_check *c = doctor(&f, &n);
    REQUIRE(c != NULL && n == 3);
    CHECK_EQ(c[0].kind, 'F');
    CHECK_EQ(c[1].kind, 'O');
    fx_close(&f);
}

RV_TEST(what_is_not_built_is_said)
{
    fixture f;
    size_t n = 0;
    REQUIRE(fx_open(&f, FX_SHOP));
    REQUIRE(fx_write(f.config,
                     "source:\n  type: mssql\n  url: sqlserver://u:hunter22@h/d\nexports:\n"
                     "  - {name: a, table: t, format: parquet, destination: {type: s3, bucket: b, "
                     "region: eu-west-1, allow_anonymous: true}}\n") &&
            fx_load(&f));
    rv_doctor_check *c = doctor(&f, &n);
    REQUIRE(c != NULL && n == 3);
    CHECK_STR(c[0].name, "Source auth (Mssql)");
    CHECK_EQ(c[0].code, RV_E_CONFIG_UNSUPPORTED);
    CHECK_STR(c[1].name, "Destination S3(b)");
    CHECK_EQ(c[1].code, RV_E_CONFIG_DESTINATION); /* no bucket has so short a name */
    CHECK_EQ(c[2].kind, 'O');
    fx_close(&f);
}

RV_TEST(memory_may_run_out_anywhere)
{
#ifdef RV_FAULTS
    fixture f;
    bool whole = false;
    REQUIRE(fx_open(&f, FX_SHOP));
    REQUIRE(fx_config(&f,
                      "  - {name: a, table: orders, format: parquet, destination: {type: local, "
                      "path: OUT}}\n"));
    for (long nth = 1; nth < 500 && !whole; nth++) {
        rv_arena a = RV_ARENA_INIT;
        rv_doctor_check *c = NULL;
        size_t n = 0;
        rv_error err = {0};
        rv_fault_set_alloc(nth, false);
        rv_status st = rv_engine_doctor(&f.env, f.cfg, &a, &c, &n, &err);
        whole = rv_fault_seen_alloc() < nth;
        rv_fault_set_alloc(0, false);
        CHECK(st == RV_OK || st == RV_E_MEMORY);
        rv_arena_free(&a);
    }
    CHECK(whole);
    fx_close(&f);
#else
    SKIP("built without faults");
#endif
}

RV_TEST_MAIN(RV_CASE(everything_is_fine), RV_CASE(a_failure_stops_nothing),
             RV_CASE(a_file_that_is_no_database_fails), RV_CASE(what_is_not_built_is_said),
             RV_CASE(memory_may_run_out_anywhere))
