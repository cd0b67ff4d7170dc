/* A real server (RIVET_TEST_PG_URL): statements, COPY, cuts, interrupts. Design "sources" section
 * 1, "pitfalls" row 50. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "pg/pg.h"
#include "rvtest.h"

#define BIG_COPY "COPY (SELECT generate_series(1, 2000000), repeat('x', 200)) TO STDOUT"

typedef struct link {
    rv_env env;
    rv_arena arena;
    rv_pg *c;
    rv_error err;
} link_;

static rv_status connect_url(link_ *l, const char *url)
{
    rv_pg_opts opts = {.what = "the source",
                       .application_name = "rivet/test",
                       .connect_timeout_us = 10000000,
                       .connect_code = RV_E_SOURCE_CONNECT};
    rv_pg_param *params = NULL;
    rv_error_clear(&l->err);
    RV_TRY(rv_pg_params_parse(&l->env, url, &l->arena, &params, &opts.n_params, &l->err));
    opts.params = params;
    return rv_pg_open(&l->env, &opts, &l->c, &l->err);
}

static bool open_link(link_ *l)
{
    *l = (link_){.arena = RV_ARENA_INIT};
    return rvtest_check(connect_url(l, getenv("RIVET_TEST_PG_URL")) == RV_OK, __FILE__, __LINE__,
                        l->err.text);
}

static void close_link(link_ *l)
{
    rv_pg_close(l->c);
    rv_arena_free(&l->arena);
}

#define NEEDS_SERVER()                                                                             \
    do {                                                                                           \
        if (!getenv("RIVET_TEST_PG_URL"))                                                          \
            SKIP("RIVET_TEST_PG_URL names no PostgreSQL server");                                  \
    } while (0)

/* The first cell of the answer, or the error's first line. */
static const char *ask(link_ *l, const char *sql)
{
    PGresult *r = NULL;
    const char *text = "none";
    rv_error_clear(&l->err);
    if (rv_pg_query(l->c, sql, 0, "asking", &r, &l->err) != RV_OK)
        return l->err.text;
    if (PQntuples(r) > 0 && rv_arena_cstr(&l->arena, rv_str_c(PQgetvalue(r, 0, 0)), &text, NULL))
        text = "no memory";
    PQclear(r);
    return text;
}

RV_TEST(statements)
{
    NEEDS_SERVER();
    link_ l;
    REQUIRE(open_link(&l));
    CHECK_STR(ask(&l, "SELECT 1; SELECT 'two'; SET LOCAL lock_timeout = 7"), "two");
    CHECK_STR(ask(&l, "SHOW lock_timeout"), "0");
    CHECK_STR(ask(&l, "SHOW client_encoding"), "UTF8");
    CHECK_STR(ask(&l, "SHOW application_name"), "rivet/test");
    CHECK_STR(ask(&l, "SELECT 1/0"), "asking: division by zero");
    CHECK_EQ(l.err.code, RV_E_SOURCE_QUERY);
    CHECK_STR(ask(&l, "SELECT x FROM nowhere"), "asking: relation \"nowhere\" does not exist");
    CHECK_EQ(l.err.code, RV_E_SOURCE_MISSING);
    CHECK_STR(ask(&l, ""), "none");
    CHECK_STR(ask(&l, "DO $$ BEGIN RAISE NOTICE 'quiet'; END $$"), "none");
    CHECK(rv_pg_version(l.c) >= 100000);
    CHECK(!rv_pg_broken(l.c));
    close_link(&l);
}

RV_TEST(bound_parameters)
{
    NEEDS_SERVER();
    link_ l;
    REQUIRE(open_link(&l));
    const char *const values[] = {"o'brien\\", NULL, "\0\0\0\7"};
    const int lengths[] = {0, 0, 4}, formats[] = {0, 0, 1};
    const rv_pg_bind bind = {values, lengths, formats, 3};
    PGresult *r = NULL;
    CHECK_EQ(rv_pg_query_bound(l.c, "SELECT $1::text, $2::int, $3::int4 + 1", &bind, 0, "asking",
                               &r, &l.err),
             RV_OK);
    REQUIRE(r != NULL);
    CHECK_STR(PQgetvalue(r, 0, 0), "o'brien\\");
    CHECK_EQ(PQgetisnull(r, 0, 1), 1);
    CHECK_STR(PQgetvalue(r, 0, 2), "8");
    PQclear(r);
    close_link(&l);
}

RV_TEST(descriptions)
{
    NEEDS_SERVER();
    link_ l;
    PGresult *r = NULL;
    REQUIRE(open_link(&l));
    for (int with = 0; with < 2; with++) {
        const char *prefix = with ? "BEGIN READ ONLY; SET LOCAL lock_timeout = 5" : NULL;
        CHECK_EQ(rv_pg_describe(l.c, prefix, "SELECT 1::numeric(12,2) AS n, 'x'::text",
                                "describing", &r, &l.err),
                 RV_OK);
        CHECK_EQ(PQnfields(r), 2);
        CHECK_STR(PQfname(r, 0), "n");
        CHECK_EQ(PQfmod(r, 0), (12 << 16 | 2) + 4);
        PQclear(r);
        r = NULL;
        CHECK_EQ(rv_pg_describe(l.c, prefix, "SELECT x FROM nowhere", "describing", &r, &l.err),
                 RV_E_SOURCE_MISSING);
        CHECK(r == NULL);
        CHECK_STR(ask(&l, "SHOW lock_timeout"), "0");
        CHECK_EQ(PQtransactionStatus(rv_pg_libpq(l.c)), PQTRANS_IDLE);
    }
    close_link(&l);
}

/* Rows of a COPY read up to `most`; -1 on failure. */
static long copy_rows(link_ *l, const char *sql, long most, size_t *out_bytes)
{
    const char *row = NULL;
    size_t n = 0;
    long rows = 0;
    if (rv_pg_copy_begin(l->c, sql, "reading rows", &l->err) != RV_OK)
        return -1;
    *out_bytes = 0;
    for (; rows < most; rows++) {
        if (rv_pg_copy_next(l->c, &row, &n, &l->err) != RV_OK)
            return -1;
        if (!row)
            break;
        *out_bytes += n;
    }
    return rows;
}

RV_TEST(copies)
{
    NEEDS_SERVER();
    link_ l;
    size_t bytes = 0;
    REQUIRE(open_link(&l));
    CHECK_EQ(copy_rows(&l, "SET LOCAL work_mem='1MB'; COPY (SELECT 1 WHERE false) TO STDOUT", 10,
                       &bytes),
             0);
    CHECK_EQ(copy_rows(&l, "COPY (SELECT g FROM generate_series(1, 100000) g) TO STDOUT", 1000000,
                       &bytes),
             100000);
    CHECK_EQ(bytes, 588895);
    CHECK_EQ(copy_rows(&l,
                       "COPY (SELECT repeat('x', 8388608) FROM generate_series(1, 3)) TO STDOUT",
                       10, &bytes),
             3);
    CHECK_EQ(bytes, 3 * 8388609);
    /* fails on the way: what came before is complete */
    CHECK_EQ(copy_rows(&l, "COPY (SELECT 1/(50000 - g) FROM generate_series(1, 60000) g) TO STDOUT",
                       1000000, &bytes),
             -1);
    CHECK_STR(l.err.text, "reading rows: division by zero");
    CHECK_STR(ask(&l, "SELECT 'alive'"), "alive");
    CHECK_EQ(copy_rows(&l, "COPY nowhere TO STDOUT", 10, &bytes), -1);
    CHECK_EQ(l.err.code, RV_E_SOURCE_MISSING);
    CHECK_STR(ask(&l, "SELECT 'alive'"), "alive");
    close_link(&l);
}

/* The statement after a cut never feels the cancel, however late the cut comes. */
RV_TEST(cuts)
{
    NEEDS_SERVER();
    link_ l;
    size_t bytes = 0;
    REQUIRE(open_link(&l));
    for (long rows = 0; rows < 60; rows++) {
        CHECK_EQ(copy_rows(&l, BIG_COPY, rows, &bytes), rows);
        CHECK_EQ(rv_pg_copy_cut(l.c, &l.err), RV_OK);
        CHECK_STR(ask(&l, "SELECT pg_sleep(0.005)"), "");
    }
    /* cut when the server may just have ended by itself */
    for (long i = 0; i < 60; i++) {
        CHECK_EQ(copy_rows(&l, "COPY (SELECT 1 FROM generate_series(1, 3)) TO STDOUT", 1 + i % 3,
                           &bytes),
                 1 + i % 3);
        CHECK_EQ(rv_pg_copy_cut(l.c, &l.err), RV_OK);
        CHECK_STR(ask(&l, "SELECT pg_sleep(0.005)"), "");
    }
    CHECK_EQ(rv_pg_copy_cut(l.c, &l.err), RV_OK); /* none under way */
    /* inside a transaction a savepoint keeps it */
    CHECK_STR(ask(&l, "BEGIN; SELECT 1"), "1");
    CHECK_STR(ask(&l, "SAVEPOINT s"), "none");
    CHECK_EQ(copy_rows(&l, BIG_COPY, 5, &bytes), 5);
    CHECK_EQ(rv_pg_copy_cut(l.c, &l.err), RV_OK);
    CHECK_STR(ask(&l, "ROLLBACK TO SAVEPOINT s; SELECT 2"), "2");
    CHECK_STR(ask(&l, "ROLLBACK"), "none");
    /* behind a pooler nothing is cancelled: the connection is given up */
    rv_pg_set_pooled(l.c, true);
    CHECK_EQ(copy_rows(&l, BIG_COPY, 5, &bytes), 5);
    CHECK_EQ(rv_pg_copy_cut(l.c, &l.err), RV_E_SOURCE_CONNECT);
    CHECK(rv_pg_broken(l.c));
    close_link(&l);
}

RV_TEST(deadlines)
{
    NEEDS_SERVER();
    link_ l;
    REQUIRE(open_link(&l));
    int64_t start = rv_clock_mono_us();
    CHECK_EQ(rv_pg_query(l.c, "SELECT pg_sleep(20)", start + 200000, "asking", NULL, &l.err),
             RV_E_SOURCE_TIMEOUT);
    CHECK_EQ(l.err.retry, RV_RETRY_T);
    CHECK_STR(l.err.native, "57014");
    CHECK(rv_clock_mono_us() - start < 3000000);
    CHECK_STR(ask(&l, "SELECT 'usable'"), "usable");
    CHECK_STR(ask(&l, "SET LOCAL statement_timeout = 50; SELECT pg_sleep(20)"),
              "asking: canceling statement due to statement timeout");
    CHECK_EQ(l.err.retry, RV_RETRY_T);
    CHECK_STR(ask(&l, "SELECT 'usable'"), "usable");
    close_link(&l);
}

static void *interrupt_soon(void *ctx)
{
    usleep(200000);
    rv_pg_interrupt(ctx);
    return NULL;
}

/* Within a second, and the server is left with nothing to do. */
RV_TEST(interrupts_reach_the_server)
{
    NEEDS_SERVER();
    static const char *const running =
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
        "AND application_name = 'rivet/test' AND query LIKE '%%mark%'"
        " AND pid <> pg_backend_pid()";
    link_ l, watch;
    pthread_t thread;
    size_t bytes = 0;
    REQUIRE(open_link(&watch));
    for (int copy = 0; copy < 2; copy++) {
        REQUIRE(open_link(&l));
        REQUIRE(pthread_create(&thread, NULL, interrupt_soon, l.c) == 0);
        int64_t start = rv_clock_mono_us();
        if (copy)
            CHECK_EQ(
                copy_rows(&l,
                          "/* mark */ COPY (SELECT g, pg_sleep(CASE WHEN g > 5 THEN 20 ELSE 0 END) "
                          "FROM generate_series(1, 9) g) TO STDOUT",
                          1000, &bytes),
                -1);
        else
            CHECK_EQ(rv_pg_query(l.c, "/* mark */ SELECT pg_sleep(20)", 0, "asking", NULL, &l.err),
                     RV_E_INTERRUPTED);
        CHECK_EQ(l.err.code, RV_E_INTERRUPTED);
        CHECK(rv_clock_mono_us() - start < 1200000);
        CHECK_EQ(rv_pg_query(l.c, "SELECT 1", 0, "asking", NULL, &l.err), RV_E_INTERRUPTED);
        (void)pthread_join(thread, NULL);
        usleep(300000);
        CHECK_STR(ask(&watch, running), "0");
        close_link(&l);
    }
    close_link(&watch);
}

#ifdef RV_FAULTS
static rv_status whole_session(link_ *l)
{
    const char *row = NULL;
    size_t n = 0;
    PGresult *r = NULL;
    RV_TRY(connect_url(l, getenv("RIVET_TEST_PG_URL")));
    RV_TRY(rv_pg_query(l->c, "SELECT 1", 0, "asking", &r, &l->err));
    PQclear(r);
    RV_TRY(rv_pg_copy_begin(l->c, BIG_COPY, "reading", &l->err));
    RV_TRY(rv_pg_copy_next(l->c, &row, &n, &l->err));
    RV_TRY(rv_pg_copy_cut(l->c, &l->err));
    return rv_pg_query(l->c, "SELECT 2", 0, "asking", NULL, &l->err);
}
#endif

RV_TEST(survives_every_failed_allocation)
{
    NEEDS_SERVER();
#ifdef RV_FAULTS
    rv_status st = RV_E_MEMORY;
    long n = 1;
    for (; st != RV_OK && n < 200; n++) {
        link_ l = {.arena = RV_ARENA_INIT};
        rv_fault_set_alloc(n, false);
        st = whole_session(&l);
        rv_fault_set_alloc(0, false);
        /* a cancel that cannot be made breaks the connection instead */
        CHECK(st == RV_OK || st == RV_E_MEMORY || st == RV_E_SOURCE_CONNECT);
        close_link(&l);
    }
    CHECK_EQ(st, RV_OK);
    CHECK(n > 3);
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(statements), RV_CASE(bound_parameters), RV_CASE(descriptions), RV_CASE(copies),
             RV_CASE(cuts), RV_CASE(deadlines), RV_CASE(interrupts_reach_the_server),
             RV_CASE(survives_every_failed_allocation))
