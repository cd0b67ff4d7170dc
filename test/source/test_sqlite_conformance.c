#include "conformance/source.h"
#include "source/sqlite_fixture.h"

static bool exec(void *ctx, const char *sql)
{
    return fx_exec(ctx, sql);
}

static rv_source *connect_source(void *ctx)
{
    return fx_connect(ctx);
}

static void run(const char *journal, const char *pairs)
{
    fixture f;
    REQUIRE(fx_open(&f, journal));
    rv_source_fixture fx = {.driver = f.d,
                            .ctx = &f,
                            .exec = exec,
                            .connect = connect_source,
                            .create_items = "CREATE TABLE conf_items(id INTEGER PRIMARY KEY, "
                                            "grp INTEGER NOT NULL, name TEXT)",
                            .create_pairs = pairs};
    rv_source_conformance(&fx);
    fx_close(&f);
}

RV_TEST(rollback_journal)
{
    run("PRAGMA journal_mode=DELETE; PRAGMA synchronous=OFF",
        "CREATE TABLE conf_pairs(a INTEGER, b INTEGER, v INTEGER, PRIMARY KEY(a, b)) WITHOUT "
        "ROWID");
}

RV_TEST(wal)
{
    run("PRAGMA journal_mode=WAL",
        "CREATE TABLE conf_pairs(a INTEGER NOT NULL, b INTEGER NOT NULL, v INTEGER, "
        "PRIMARY KEY(a, b))");
}

RV_TEST_MAIN(RV_CASE(rollback_journal), RV_CASE(wal))
