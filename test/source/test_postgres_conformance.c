#include "conformance/source.h"
#include "source/postgres_fixture.h"

static bool exec(void *ctx, const char *sql)
{
    return pgx_exec(ctx, sql);
}

static rv_source *connect_source(void *ctx)
{
    return pgx_connect(ctx);
}

static void run(const char *items, const char *pairs)
{
    pgx f;
    REQUIRE(pgx_open(&f, "SELECT 1"));
    rv_source_fixture fx = {.driver = rv_source_for(RV_ENGINE_POSTGRES),
                            .ctx = &f,
                            .exec = exec,
                            .connect = connect_source,
                            .create_items = items,
                            .create_pairs = pairs};
    REQUIRE(fx.driver != NULL);
    rv_source_conformance(&fx);
    pgx_close(&f);
}

RV_TEST(plain_tables)
{
    PGX_NEEDED();
    run("CREATE TABLE conf_items(id bigint PRIMARY KEY, grp integer NOT NULL, name text)",
        "CREATE TABLE conf_pairs(a integer, b integer, v integer, PRIMARY KEY(a, b))");
}

RV_TEST(partitioned_tables)
{
    PGX_NEEDED();
    run("CREATE TABLE conf_items(id bigint PRIMARY KEY, grp integer NOT NULL, name text) "
        "PARTITION BY RANGE (id); "
        "CREATE TABLE conf_low PARTITION OF conf_items FOR VALUES FROM (MINVALUE) TO (300); "
        "CREATE TABLE conf_high PARTITION OF conf_items FOR VALUES FROM (300) TO (MAXVALUE)",
        "CREATE TABLE conf_pairs(a integer, b integer, v integer, PRIMARY KEY(a, b)) "
        "PARTITION BY HASH (b); "
        "CREATE TABLE conf_p0 PARTITION OF conf_pairs FOR VALUES WITH (MODULUS 2, REMAINDER 0); "
        "CREATE TABLE conf_p1 PARTITION OF conf_pairs FOR VALUES WITH (MODULUS 2, REMAINDER 1)");
}

RV_TEST_MAIN(RV_CASE(plain_tables), RV_CASE(partitioned_tables))
