#include "rvtest.h"

#include "base/fault.h"
#include "engine/hashset.h"
#include "enginetest.h"

static uint64_t next_random(uint64_t *io)
{
    *io ^= *io << 13;
    *io ^= *io >> 7;
    *io ^= *io << 17;
    return *io;
}

/* Against the plainest possible set. */
RV_TEST(the_set_knows_what_it_met)
{
    enum { N = 4000 };
    static uint64_t met[N];
    rv_hashset set = {0};
    rv_error err = {0};
    uint64_t seed = 0x5eed, n = 0;
    for (int i = 0; i < N; i++) {
        uint64_t hash = next_random(&seed) % 3000; /* many repeat, and 0 is among them */
        bool known = false, fresh = false;
        for (uint64_t k = 0; k < n && !known; k++)
            known = met[k] == hash;
        CHECK_EQ(rv_hashset_has(&set, hash), known);
        REQUIRE(rv_hashset_add(&set, hash, &fresh, &err) == RV_OK);
        CHECK_EQ(fresh, !known);
        if (!known)
            met[n++] = hash;
        CHECK_EQ(rv_hashset_size(&set), n);
    }
    rv_hashset_free(&set);
    CHECK_EQ(rv_hashset_size(&set), 0);
    CHECK(!rv_hashset_has(&set, 5));
}

/* What docs/best-practices/quality-checks.md promises of memory. */
RV_TEST(five_million_entries_take_64_mib)
{
    rv_hashset set = {0};
    rv_error err = {0};
    uint64_t seed = 7;
    bool fresh;
    for (int i = 0; i < 5000000; i++)
        REQUIRE(rv_hashset_add(&set, next_random(&seed), &fresh, &err) == RV_OK);
    CHECK_EQ(set.capacity * sizeof *set.slots, 64u * 1024 * 1024);
    rv_hashset_free(&set);
}

static void write_gates(const place *p, const char *gates, const char *more)
{
    char text[1024];
    (void)snprintf(text, sizeof text,
                   YAML_HEAD() "  - {name: x, table: t, format: parquet, destination: {type: "
                               "local, path: %s/out}, quality: {%s}%s}\n",
                   p->dir, gates, more);
    CHECK(place_write(p, "rivet.yaml", text));
}

static void judged(const char *gates, const char *more, int code, const char *text)
{
    place p;
    rv_error err = {0};
    REQUIRE(place_open(&p));
    CHECK(place_sql(&p, ROWS_SQL(3000)));
    write_gates(&p, gates, more);
    CHECK_EQ(place_run(&p, (rv_run_opts){0}, &err), code);
    CHECK_STR(err.text, text);
    place_close(&p);
}

RV_TEST(rules_that_hold)
{
    judged("unique_columns: [id, name, b], unique_max_entries: 3000", "", 3,
           "export 'x': quality checks failed\ncolumn 'b': 2999 repeated values");
    judged("unique_columns: [id, name], row_count_min: 3000, row_count_max: 3000", "", 0, "");
}

RV_TEST(rules_over_chunks)
{
    const char *chunks = ", mode: chunked, chunk_column: id, chunk_size: 500, parallel: 3";
    judged("unique_columns: [id, name, price]", chunks, 0, "");
    judged("row_count_min: 3001", chunks, 3,
           "export 'x': quality checks failed\nrow count 3000 is below the minimum 3001");
}

#define CHUNKS ", mode: chunked, chunk_column: id, chunk_size: 400, chunk_checkpoint: true"

#ifdef RV_FAULTS
/* Whatever allocation fails, the run ends cleanly, and the next one says what is true. */
static void sweep(const char *more, long first, long step, long max)
{
    for (long nth = first; nth < max; nth += step) {
        place p;
        rv_error err = {0};
        REQUIRE(place_open(&p));
        CHECK(place_sql(&p, ROWS_SQL(1200)));
        write_gates(&p, "unique_columns: [id, name], null_ratio_max: {b: 0.5}", more);
        rv_fault_set_alloc(nth, false);
        int code = place_run(&p, (rv_run_opts){0}, &err);
        rv_fault_set_alloc(0, false);
        CHECK(code != 3); /* running out of memory is no verdict on the data */
        if (code != 0) {
            /* the process would be gone now */
            (void)place_state(&p,
                              "UPDATE run_status SET pid = 2147480000 WHERE finished_at IS NULL");
            rv_error_clear(&err);
            CHECK_EQ(place_run(&p, (rv_run_opts){0}, &err), 0);
        }
        place_close(&p);
    }
}

RV_TEST(allocation_failures)
{
    sweep("", 3, 41, 2500);
}

RV_TEST(allocation_failures_in_chunks)
{
    sweep(CHUNKS, 7, 97, 4500);
}

#else
RV_TEST(allocation_failures)
{
    SKIP("built without fault points");
}
RV_TEST(allocation_failures_in_chunks)
{
    SKIP("built without fault points");
}
#endif

RV_TEST_MAIN(RV_CASE(the_set_knows_what_it_met), RV_CASE(five_million_entries_take_64_mib),
             RV_CASE(rules_that_hold), RV_CASE(rules_over_chunks), RV_CASE(allocation_failures),
             RV_CASE(allocation_failures_in_chunks))
