#include "rvtest.h"

#include "base/clock.h"
#include "base/fault.h"
#include "engine/partition.h"
#include "enginetest.h"

RV_TEST(buckets_tile_the_days)
{
    static const rv_granularity all[] = {RV_DAY, RV_MONTH, RV_YEAR};
    for (size_t g = 0; g < 3; g++) {
        rv_bucket before, b;
        rv_bucket_of_day(-800000, all[g], &before);
        for (int64_t day = before.next_day; day < 100000; day = b.next_day) {
            rv_bucket again;
            rv_bucket_of_day(day, all[g], &b);
            CHECK_EQ(b.first_day, before.next_day); /* no day between, none twice */
            CHECK(b.next_day > b.first_day);
            rv_bucket_of_day(b.next_day - 1, all[g], &again);
            CHECK_STR(again.value, b.value);
            REQUIRE(rv_bucket_parse(b.value, &again));
            CHECK_EQ(again.first_day, b.first_day);
            CHECK_EQ(again.next_day, b.next_day);
            before = b;
        }
    }
}

RV_TEST(values_as_readers_know_them)
{
    rv_bucket b;
    int64_t day = rv_days_from_civil(2024, 2, 29);
    rv_bucket_of_day(day, RV_DAY, &b);
    CHECK_STR(b.value, "2024-02-29");
    rv_bucket_of_day(day, RV_MONTH, &b);
    CHECK_STR(b.value, "2024-02");
    CHECK_EQ(b.next_day - b.first_day, 29);
    rv_bucket_of_day(day, RV_YEAR, &b);
    CHECK_STR(b.value, "2024");
    CHECK_EQ(b.next_day - b.first_day, 366);
    rv_bucket_of_day(-1, RV_DAY, &b);
    CHECK_STR(b.value, "1969-12-31");
}

RV_TEST(what_is_no_value)
{
    static const char *const bad[] = {
        "",
        "x",
        "2024-",
        "2024-13",
        "2024-00",
        "2024-02-30",
        "2024-2",
        "2024-02-1",
        "24",
        "2024-02-29T",
        " 2024",
        "+2024",
        "2024-02-29-",
        "__HIVE__",
        "99999999999",
        "2024-02-29 ",
        "2023-02-29",
        "-",
    };
    rv_bucket b;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!rv_bucket_parse(bad[i], &b));
    CHECK(rv_bucket_parse("__HIVE_DEFAULT_PARTITION__", &b) && b.null);
}

RV_TEST(a_sub_export_is_found_by_its_name)
{
    rv_arena a = RV_ARENA_INIT;
    rv_error err = {0};
    rv_cfg_export exports[] = {
        {.name = "o", .partition_by = "at", .dest = {.path = "out/{export}/{partition}/{date}"}},
        {.name = "o__2024", .dest = {.path = "x"}},
    };
    rv_cfg cfg = {.exports = exports, .n_exports = 2};
    const rv_cfg_export *x;
    REQUIRE(rv_partition_find(&cfg, "o__2024-05", &a, &x, &err) == RV_OK);
    REQUIRE(x != NULL);
    CHECK_STR(x->name, "o__2024-05");
    CHECK_STR(x->dest.path, "out/o/at=2024-05/{date}");
    CHECK(!x->partition_by && x->skip_empty);
    REQUIRE(rv_partition_find(&cfg, "o__2024-5", &a, &x, &err) == RV_OK);
    CHECK(!x);
    REQUIRE(rv_partition_find(&cfg, "p__2024-05", &a, &x, &err) == RV_OK);
    CHECK(!x);
    rv_arena_free(&a);
}

#ifdef RV_FAULTS
#define DAYS_SQL                                                                                   \
    "CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP);"                                       \
    "INSERT INTO t VALUES (1, '2024-01-01 10:00:00'), (2, '2024-01-02'), (3, NULL), "              \
    "(4, '2024-03-02 11:00:00'), (5, '2024-03-31 23:59:59.999')"

static bool whole(place *p, rv_error *err)
{
    (void)place_state(p, "UPDATE run_status SET pid = 2147480000 WHERE finished_at IS NULL");
    rv_error_clear(err);
    return place_run(p, (rv_run_opts){0}, err) == 0;
}

/* Whatever fails, the run ends cleanly and the next one is good. */
static void sweep(void (*set)(long, bool), long first, long step, long max)
{
    for (long nth = first; nth < max; nth += step) {
        place p;
        char text[512];
        rv_error err = {0};
        REQUIRE(place_open(&p));
        CHECK(place_sql(&p, DAYS_SQL));
        (void)snprintf(text, sizeof text,
                       YAML_HEAD() "  - {name: x, table: t, format: parquet, partition_by: at, "
                                   "partition_granularity: month, destination: {type: local, "
                                   "path: '%s/out/{partition}'}}\n",
                       p.dir);
        CHECK(place_write(&p, "rivet.yaml", text));
        set(nth, false);
        int code = place_run(&p, (rv_run_opts){0}, &err);
        set(0, false);
        CHECK(code == 0 || err.code != RV_OK);
        CHECK(whole(&p, &err));
        CHECK_STR(err.text, "");
        place_close(&p);
    }
}

RV_TEST(allocation_failures)
{
    sweep(rv_fault_set_alloc, 3, 611, 6000);
}

RV_TEST(io_failures)
{
    sweep(rv_fault_set_io, 1, 47, 400);
}
#else
RV_TEST(allocation_failures)
{
    SKIP("built without fault points");
}
RV_TEST(io_failures)
{
    SKIP("built without fault points");
}
#endif

RV_TEST_MAIN(RV_CASE(buckets_tile_the_days), RV_CASE(values_as_readers_know_them),
             RV_CASE(what_is_no_value), RV_CASE(a_sub_export_is_found_by_its_name),
             RV_CASE(allocation_failures), RV_CASE(io_failures))
