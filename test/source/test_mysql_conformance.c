#include "conformance/source.h"
#include "source/mysql_fixture.h"

static bool exec(void *ctx, const char *sql)
{
    return myx_exec(ctx, sql);
}

static rv_source *connect_source(void *ctx)
{
    return myx_connect(ctx);
}

static void run(myx *f, const char *items, const char *pairs)
{
    rv_source_fixture fx = {.driver = &rv_source_mysql,
                            .ctx = f,
                            .exec = exec,
                            .connect = connect_source,
                            .create_items = items,
                            .create_pairs = pairs};
    rv_source_conformance(&fx);
}

static void plain(myx *f)
{
    run(f, "CREATE TABLE conf_items(id bigint PRIMARY KEY, grp integer NOT NULL, name text)",
        "CREATE TABLE conf_pairs(a integer, b integer, v integer, PRIMARY KEY(a, b))");
}

static void partitioned(myx *f)
{
    run(f,
        "CREATE TABLE conf_items(id bigint PRIMARY KEY, grp integer NOT NULL, name text) "
        "PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN (300), PARTITION high VALUES LESS "
        "THAN MAXVALUE)",
        "CREATE TABLE conf_pairs(a integer, b integer, v integer, PRIMARY KEY(a, b)) "
        "PARTITION BY HASH (b) PARTITIONS 2");
}

RV_TEST(plain_tables)
{
    myx_each("SELECT 1", plain);
}

RV_TEST(partitioned_tables)
{
    myx_each("SELECT 1", partitioned);
}

RV_TEST_MAIN(RV_CASE(plain_tables), RV_CASE(partitioned_tables))
