/* Verdicts over plans as EXPLAIN of MySQL and MariaDB prints them. */
#include "rvtest.h"
#include "source/mysql/relation_internal.h"

#define ROW(i, st, t, ty, k, ex)                                                                   \
    {                                                                                              \
        .id = (i), .select_type = (st), .table = (t), .type = (ty), .key = (k), .extra = (ex),     \
        .rows = 10                                                                                 \
    }

static const char *judge_as(rv_arena *arena, const rv_mys_plan_row *rows, size_t n, bool from_start)
{
    rv_mys_plan_row copy[4];
    rv_mys_plan p = {copy, n};
    rv_mys_wish wish = {.table = "o", .key = "PRIMARY", .from_start = from_start};
    const char *reason = "unread";
    rv_error err;
    memcpy(copy, rows, n * sizeof *rows);
    CHECK_EQ(rv_mys_plan_judge(&p, &wish, arena, &reason, &err), RV_OK);
    return reason ? reason : "accepted";
}

static const char *judge(rv_arena *arena, const rv_mys_plan_row *rows, size_t n)
{
    return judge_as(arena, rows, n, false);
}

RV_TEST(accepted)
{
    rv_arena a = RV_ARENA_INIT;
    const rv_mys_plan_row walk[] = {ROW(1, "SIMPLE", "o", "range", "PRIMARY", "Using where")};
    const rv_mys_plan_row back[] = {
        ROW(1, "SIMPLE", "O", "range", "primary", "Using where; Backward index scan")};
    const rv_mys_plan_row one[] = {ROW(1, "SIMPLE", "o", "const", "PRIMARY", "")};
    const rv_mys_plan_row none[] = {ROW(1, "SIMPLE", "", "", "", "Impossible WHERE")};
    const rv_mys_plan_row aside[] = {ROW(1, "PRIMARY", "o", "range", "PRIMARY", "Using where"),
                                     ROW(2, "SUBQUERY", "p", "ALL", "", "Using where")};
    const rv_mys_plan_row whole[] = {ROW(1, "SIMPLE", "o", "index", "PRIMARY", "")};
    CHECK_STR(judge(&a, walk, 1), "accepted");
    CHECK_STR(judge(&a, back, 1), "accepted");
    CHECK_STR(judge(&a, one, 1), "accepted");
    CHECK_STR(judge(&a, none, 1), "accepted");
    CHECK_STR(judge(&a, aside, 2), "accepted"); /* what a condition asks beside */
    CHECK_STR(judge_as(&a, whole, 1, true), "accepted");
    rv_arena_free(&a);
}

RV_TEST(refused)
{
    rv_arena a = RV_ARENA_INIT;
    const rv_mys_plan_row scan[] = {ROW(1, "SIMPLE", "o", "ALL", "", "Using where")};
    const rv_mys_plan_row sort[] = {
        ROW(1, "SIMPLE", "o", "range", "PRIMARY", "Using where; Using filesort")};
    const rv_mys_plan_row temp[] = {
        ROW(1, "SIMPLE", "o", "range", "PRIMARY", "Using where; Using temporary")};
    const rv_mys_plan_row other[] = {ROW(1, "SIMPLE", "o", "ref", "by_state", "Using where")};
    const rv_mys_plan_row filter[] = {ROW(1, "SIMPLE", "o", "range|filter", "PRIMARY|by_s", "")};
    const rv_mys_plan_row whole[] = {ROW(1, "SIMPLE", "o", "index", "PRIMARY", "")};
    const rv_mys_plan_row derived[] = {ROW(1, "PRIMARY", "o", "range", "PRIMARY", "Using where"),
                                       ROW(2, "DERIVED", "p", "ALL", "", "")};
    const rv_mys_plan_row joined[] = {ROW(1, "SIMPLE", "p", "range", "PRIMARY", "Using where"),
                                      ROW(1, "SIMPLE", "o", "eq_ref", "PRIMARY", "")};
    CHECK_STR(judge(&a, scan, 1), "ALL on o");
    CHECK_STR(judge(&a, sort, 1), "filesort on o");
    CHECK_STR(judge(&a, temp, 1), "temporary table on o");
    CHECK_STR(judge(&a, other, 1), "ref on o by by_state");
    CHECK_STR(judge(&a, filter, 1), "range|filter on o by PRIMARY|by_s");
    CHECK_STR(judge(&a, whole, 1), "index on o by PRIMARY");
    CHECK_STR(judge(&a, derived, 2), "derived table on p");
    CHECK_STR(judge(&a, joined, 2), "p is read first");
    CHECK_STR(judge(&a, scan, 0), "no plan");
    rv_arena_free(&a);
}

RV_TEST(rows_of_a_plan)
{
    rv_mys_plan_row rows[] = {ROW(1, "PRIMARY", "a", "ALL", "", ""),
                              ROW(1, "PRIMARY", "b", "ref", "k", ""),
                              ROW(2, "SUBQUERY", "c", "ALL", "", "")};
    rv_mys_plan p = {rows, 3};
    CHECK_EQ(rv_mys_plan_rows(&p), 100);
    rows[0].rows = rows[1].rows = INT64_MAX / 2;
    CHECK_EQ(rv_mys_plan_rows(&p), INT64_MAX);
    p.n = 0;
    CHECK_EQ(rv_mys_plan_rows(&p), -1);
    CHECK(!rv_mys_plan_derives(&p));
    p.n = 3;
    rows[2].select_type = "DERIVED";
    CHECK(rv_mys_plan_derives(&p));
}

RV_TEST_MAIN(RV_CASE(accepted), RV_CASE(refused), RV_CASE(rows_of_a_plan))
