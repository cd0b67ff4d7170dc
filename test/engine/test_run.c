#include "rvtest.h"

#include "base/fault.h"
#include "engine/run.h"
#include "enginetest.h"

#define RETURN_UNLESS(c)                                                                           \
    do {                                                                                           \
        if (!rvtest_check((c), __FILE__, __LINE__, #c))                                            \
            goto done;                                                                             \
    } while (0)

static void write_config(const place *p, const char *extra)
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   YAML_HEAD() "  - {name: x, table: t, format: parquet, destination: {type: "
                               "local, path: %s/out}%s}\n",
                   p->dir, extra);
    CHECK(place_write(p, "rivet.yaml", text));
}

static void run_ok(const char *extra, bool validate)
{
    place p;
    rv_error err = {0};
    REQUIRE(place_open(&p));
    RETURN_UNLESS(place_sql(&p, ROWS_SQL(5000)));
    write_config(&p, extra);
    CHECK_EQ(place_run(&p, (rv_run_opts){.validate = validate}, &err), 0);
    CHECK_STR(err.text, "");
done:
    place_close(&p);
}

RV_TEST(full)
{
    run_ok("", true);
}

RV_TEST(chunked_by_four)
{
    run_ok(
        ", mode: chunked, chunk_column: id, chunk_size: 400, parallel: 4, chunk_checkpoint: true",
        true);
}

RV_TEST(keyset_ranges)
{
    run_ok(", mode: chunked, chunk_by_key: id, chunk_size: 700, parallel: 3", false);
}

RV_TEST(incremental)
{
    run_ok(", mode: incremental, cursor_column: name", false);
}

RV_TEST(split)
{
    run_ok(", max_file_size: 8KB", true);
}

RV_TEST(cancelled_before_it_starts)
{
    place p;
    rv_error err = {0};
    REQUIRE(place_open(&p));
    RETURN_UNLESS(place_sql(&p, ROWS_SQL(100)));
    write_config(&p, "");
    rv_cancel_raise(p.cancel, 15);
    CHECK_EQ(place_run(&p, (rv_run_opts){0}, &err), 143);
    CHECK_EQ(err.code, RV_OK); /* nothing was started, so nothing failed */
done:
    place_close(&p);
}

RV_TEST(unbuilt_features_are_refused)
{
    rv_error err = {0};
    const rv_cfg_export x = {.name = "x", .mode = RV_CDC};
    CHECK_EQ(rv_refuse_unbuilt(&x, &err), RV_E_CONFIG_UNSUPPORTED);
}

#ifdef RV_FAULTS
/* Every nth allocation fails once: a clean error or a run that did not need it, never a crash or
 * a leak (the sanitizer watches), and the next run is good. */
static void sweep(void (*set)(long, bool), long first, long step, long max, const char *extra)
{
    place p;
    REQUIRE(place_open(&p));
    RETURN_UNLESS(place_sql(&p, ROWS_SQL(300)));
    write_config(&p, extra);
    int clean = 0, failed = 0;
    for (long n = first; n < max; n += step) {
        rv_error err = {0};
        set(n, false);
        int code = place_run(&p, (rv_run_opts){.validate = true}, &err);
        set(0, false);
        if (code != 0)
            failed++;
        if (code != 0 && code != 99)
            CHECK(err.code != RV_OK);
        /* the process would be gone now */
        if (!place_state(&p, "UPDATE run_status SET pid = 2147480000 WHERE finished_at IS NULL"))
            continue; /* failed before there was a state */
        rv_error again = {0};
        code = place_run(&p, (rv_run_opts){0}, &again);
        CHECK_EQ(code, 0);
        if (code != 0) {
            printf("after n=%ld: %s\n", n, again.text);
            break;
        }
        clean++;
    }
    CHECK(failed > 0);
    CHECK(clean > 0);
done:
    place_close(&p);
}

RV_TEST(every_so_many_allocations)
{
    sweep(rv_fault_set_alloc, 1, 37, 2500, "");
}

RV_TEST(every_so_many_allocations_in_chunks)
{
    sweep(rv_fault_set_alloc, 5, 83, 4000,
          ", mode: chunked, chunk_column: id, chunk_size: 100, chunk_checkpoint: true");
}

RV_TEST(every_io)
{
    sweep(rv_fault_set_io, 1, 3, 220, "");
}
#else
RV_TEST(every_so_many_allocations)
{
    SKIP("built without fault points");
}
RV_TEST(every_so_many_allocations_in_chunks)
{
    SKIP("built without fault points");
}
RV_TEST(every_io)
{
    SKIP("built without fault points");
}
#endif

RV_TEST_MAIN(RV_CASE(full), RV_CASE(chunked_by_four), RV_CASE(keyset_ranges), RV_CASE(incremental),
             RV_CASE(split), RV_CASE(cancelled_before_it_starts),
             RV_CASE(unbuilt_features_are_refused), RV_CASE(every_so_many_allocations),
             RV_CASE(every_so_many_allocations_in_chunks), RV_CASE(every_io))
