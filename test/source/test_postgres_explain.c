/* Verdicts over plans as EXPLAIN (FORMAT JSON) of PostgreSQL prints them. */
#include <stdio.h>

#include "rvtest.h"
#include "source/postgres/relation_internal.h"

#define WALK                                                                                       \
    "{\"Node Type\": \"Index Scan\", \"Parent Relationship\": \"Outer\", \"Relation Name\": "      \
    "\"orders\", \"Index Name\": \"orders_pkey\", \"Index Cond\": \"(id > 5)\"}"
#define SEQ                                                                                        \
    "{\"Node Type\": \"Seq Scan\", \"Parent Relationship\": \"Outer\", \"Relation Name\": "        \
    "\"orders\", \"Filter\": \"(id > 5)\"}"
#define NODE(type, inner)                                                                          \
    "{\"Node Type\": \"" type "\", \"Parent Relationship\": \"Outer\", \"Plans\": [" inner "]}"
#define PLAN(node) "[{\"Plan\": " node "}]"

typedef struct verdict {
    rv_arena arena;
    const char *reason;
    bool seq;
} verdict;

static const char *judge_as(verdict *v, const char *json, const char *column, unsigned flags)
{
    rv_pgs_plan p = {NULL, NULL};
    rv_error err;
    v->reason = "unread";
    if (rv_pgs_plan_parse(rv_str_c(json), &p, &err) == RV_OK)
        CHECK_EQ(rv_pgs_plan_judge(&p, column, flags, &v->arena, &v->reason, &v->seq, &err), RV_OK);
    rv_pgs_plan_free(&p);
    return v->reason ? v->reason : "accepted";
}

static const char *judge(verdict *v, const char *json)
{
    return judge_as(v, json, "id", 0);
}

RV_TEST(accepted)
{
    verdict v = {.arena = RV_ARENA_INIT};
    CHECK_STR(judge(&v, PLAN(NODE("Limit", WALK))), "accepted");
    CHECK_STR(judge(&v, PLAN(NODE("Limit", NODE("Append", WALK ", " WALK)))), "accepted");
    CHECK_STR(judge(&v, PLAN(NODE("Limit", NODE("Merge Append", WALK ", " WALK)))), "accepted");
    /* what a condition asks beside: a scan there is its own business */
    CHECK_STR(judge(&v, PLAN("{\"Node Type\": \"Limit\", \"Plans\": [{\"Node Type\": "
                             "\"Seq Scan\", \"Parent Relationship\": \"InitPlan\"}, " WALK "]}")),
              "accepted");
    /* the casts around a page */
    CHECK_STR(judge(&v, PLAN("{\"Node Type\": \"Subquery Scan\", \"Alias\": \"_rivet\", "
                             "\"Plans\": [" NODE("Limit", WALK) "]}")),
              "accepted");
    CHECK(!v.seq);
    rv_arena_free(&v.arena);
}

/* Only rows that are equal in the one column may be sorted, and only where that is asked. */
RV_TEST(groups_may_be_sorted)
{
    verdict v = {.arena = RV_ARENA_INIT};
    const char *by_id = PLAN(
        NODE("Limit", "{\"Node Type\": \"Incremental Sort\", \"Parent Relationship\": \"Outer\", "
                      "\"Presorted Key\": [\"t.id\"], \"Plans\": [" WALK "]}"));
    const char *by_two =
        PLAN(NODE("Limit", "{\"Node Type\": \"Incremental Sort\", \"Presorted Key\": [\"t.id\", "
                           "\"t.at\"], \"Plans\": [" WALK "]}"));
    CHECK_STR(judge_as(&v, by_id, "id", RV_PGS_JUDGE_PRESORTED), "accepted");
    CHECK_STR(judge_as(&v, by_id, "id", 0), "Incremental Sort");
    CHECK_STR(judge_as(&v, by_two, "id", RV_PGS_JUDGE_PRESORTED), "Incremental Sort");
    CHECK_STR(judge_as(&v, PLAN(NODE("Limit", NODE("Sort", WALK))), "id", RV_PGS_JUDGE_PRESORTED),
              "Sort");
    rv_arena_free(&v.arena);
}

RV_TEST(refused)
{
    verdict v = {.arena = RV_ARENA_INIT};
    CHECK_STR(judge(&v, PLAN(NODE("Limit", NODE("Sort", SEQ)))), "Seq Scan on orders");
    CHECK(v.seq);
    CHECK_STR(judge(&v, PLAN(NODE("Limit", NODE("Sort", WALK)))), "Sort");
    CHECK(!v.seq);
    CHECK_STR(judge(&v, PLAN(NODE("Limit", NODE("ProjectSet", WALK)))), "ProjectSet");
    CHECK_STR(judge(&v, PLAN(NODE("Limit", NODE("Aggregate", WALK)))), "Aggregate");
    CHECK_STR(judge(&v, PLAN(NODE("Limit", NODE("Incremental Sort", WALK)))), "Incremental Sort");
    CHECK_STR(judge(&v, PLAN(NODE("Limit", NODE("Append", WALK ", " SEQ)))), "Seq Scan on orders");
    CHECK_STR(judge(&v, PLAN(WALK)), "Index Scan on orders without the key");
    CHECK_STR(judge(&v, PLAN("{\"Node Type\": \"Result\"}")), "Result");
    CHECK_STR(judge(&v, PLAN(NODE("Limit", "{\"Node Type\": \"Append\"}"))), "Append");
    CHECK_STR(judge(&v, PLAN(NODE("Limit", WALK ", " WALK))), "Limit");
    rv_arena_free(&v.arena);
}

static const char *with_cond(verdict *v, const char *cond, const char *column)
{
    char json[512];
    (void)snprintf(json, sizeof json,
                   PLAN(NODE("Limit", "{\"Node Type\": \"Index Only Scan\", \"Relation Name\": "
                                      "\"t\", \"Index Cond\": \"%s\"}")),
                   cond);
    return judge_as(v, json, column, false);
}

RV_TEST(the_condition_names_the_key)
{
    verdict v = {.arena = RV_ARENA_INIT};
    CHECK_STR(with_cond(&v, "(ROW(a, id) > ROW(1, 2))", "id"), "accepted");
    CHECK_STR(with_cond(&v, "((tenant = 5) AND (id > 7))", "id"), "accepted");
    CHECK_STR(with_cond(&v, "((code)::text > 'x'::text)", "code"), "accepted");
    CHECK_STR(with_cond(&v, "(orders.id > 7)", "id"), "accepted");
    CHECK_STR(with_cond(&v, "(\\\"a \\\"\\\"b\\\" > 7)", "a \"b"), "accepted");
    CHECK_STR(with_cond(&v, "(paid > 7)", "id"), "Index Only Scan on t without the key");
    CHECK_STR(with_cond(&v, "(kind = 'id'::text)", "id"), "Index Only Scan on t without the key");
    CHECK_STR(with_cond(&v, "(kind = 'it''s id'::text)", "id"),
              "Index Only Scan on t without the key");
    CHECK_STR(with_cond(&v, "(\\\"id x\\\" > 7)", "id"), "Index Only Scan on t without the key");
    CHECK_STR(with_cond(&v, "(broken = 'id", "id"), "Index Only Scan on t without the key");
    CHECK_STR(with_cond(&v, "(paid > 7)", NULL), "accepted");
    rv_arena_free(&v.arena);
}

RV_TEST(windows_have_no_limit)
{
    verdict v = {.arena = RV_ARENA_INIT};
    CHECK_STR(judge_as(&v, PLAN(WALK), "id", true), "accepted");
    CHECK_STR(judge_as(&v, PLAN(NODE("Sort", SEQ)), "id", true), "Seq Scan on orders");
    rv_arena_free(&v.arena);
}

RV_TEST(estimates)
{
    rv_pgs_plan p = {NULL, NULL};
    rv_error err;
    CHECK_EQ(rv_pgs_plan_parse(RV_STR("[{\"Plan\": {\"Plan Rows\": 50000, \"Plan Width\": 84}}]"),
                               &p, &err),
             RV_OK);
    CHECK_EQ(rv_pgs_plan_rows(&p), 50000);
    CHECK_EQ(rv_pgs_plan_width(&p), 84);
    rv_pgs_plan_free(&p);
    CHECK_EQ(rv_pgs_plan_parse(RV_STR("[{\"Plan\": {\"Plan Rows\": 1e300}}]"), &p, &err), RV_OK);
    CHECK_EQ(rv_pgs_plan_rows(&p), -1);
    rv_pgs_plan_free(&p);
}

RV_TEST(no_plan)
{
    static const char *const texts[] = {"", "[]", "{}", "[{}]", "[{\"Plan\": 3}]", "[{\"Plan\": {"};
    rv_pgs_plan p = {NULL, NULL};
    rv_error err;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        CHECK_EQ(rv_pgs_plan_parse(rv_str_c(texts[i]), &p, &err), RV_E_SOURCE_QUERY);
    CHECK(p.root == NULL);
}

RV_TEST_MAIN(RV_CASE(accepted), RV_CASE(refused), RV_CASE(the_condition_names_the_key),
             RV_CASE(groups_may_be_sorted), RV_CASE(windows_have_no_limit), RV_CASE(estimates),
             RV_CASE(no_plan))
