/* Cells above tuning.max_value_mb. Spec "types" section 7. */
#include "base/fault.h"
#include "source/sqlite_fixture.h"

#define MB3 "3145728"
#define MB1 "1048576"

static bool open_1mb(fixture *f, const char *sql)
{
    if (!fx_open(f, sql))
        return false;
    f->d->close(f->s);
    f->tuning.max_value_mb = 1;
    f->s = fx_connect(f);
    return f->s != NULL;
}

static rv_status refused(fixture *f, const char *table, const char *query, sqlite3_int64 *out_peak)
{
    sqlite3_int64 now = 0;
    (void)sqlite3_status64(SQLITE_STATUS_MALLOC_SIZE, &now, out_peak, 1);
    rv_status st = fx_export(f, table, query);
    (void)sqlite3_status64(SQLITE_STATUS_MALLOC_SIZE, &now, out_peak, 0);
    if (st != RV_E_VALUE_TOO_LARGE)
        printf("%s%s: %s\n", table ? table : "", query ? query : "", f->err.text);
    return st;
}

#define SAYS(f, says, row)                                                                         \
    do {                                                                                           \
        CHECK_STR((f)->err.text, says);                                                            \
        CHECK(strstr((f)->err.hint, row) != NULL);                                                 \
        CHECK(strstr((f)->err.hint, "raise tuning.max_value_mb") != NULL);                         \
        CHECK_EQ((f)->err.retry, RV_RETRY_P);                                                      \
    } while (0)
#define LARGE(column, size)                                                                        \
    "RIVET_VALUE_TOO_LARGE: column '" column "': one cell is " size " 1 MB (tuning.max_value_mb)"

RV_TEST(tables)
{
    static const struct {
        const char *table, *says, *row;
    } rows[] = {
        {"r", LARGE("body", "3.0 MB, limit"), "rowid 2"},
        {"rt", LARGE("body", "3.0 MB, limit"), "rowid 2"},
        {"w", LARGE("body", "3.0 MB, limit"), "k=b"},
        {"wt", LARGE("body", "larger than the limit"), "k=b"},
        {"g", LARGE("n", "larger than the limit"), "id=2"},
        {"two", LARGE("b2", "3.0 MB, limit"), "k1=a, k2=2"},
    };
    fixture f;
    REQUIRE(open_1mb(
        &f, "CREATE TABLE r(id INTEGER PRIMARY KEY, s TEXT, body BLOB);"
            "INSERT INTO r VALUES (1,'x',x'00'),(2,'y',zeroblob(" MB3 ")),(3,'z',NULL);"
            "CREATE TABLE rt(s TEXT, body TEXT);"
            "INSERT INTO rt VALUES ('x','b'),(NULL, CAST(zeroblob(" MB3 ") AS TEXT));"
            "CREATE TABLE w(k TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;"
            "INSERT INTO w VALUES ('a',x'00'),('b',zeroblob(" MB3 "));"
            "CREATE TABLE wt(k TEXT PRIMARY KEY, s TEXT, body TEXT) WITHOUT ROWID;"
            "INSERT INTO wt VALUES ('a','s','t'),('b','s',CAST(zeroblob(" MB3 ") AS TEXT));"
            "CREATE TABLE g(id INTEGER PRIMARY KEY, n BLOB AS (zeroblob(CASE id WHEN 2 THEN " MB3
            " END)));"
            "INSERT INTO g VALUES (1),(2);"
            "CREATE TABLE two(b1 BLOB, b2 BLOB, k1 TEXT, k2 INT, PRIMARY KEY(k1, k2)) WITHOUT "
            "ROWID; INSERT INTO two VALUES (x'00', zeroblob(" MB3 "), 'a', 2)"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sqlite3_int64 peak = 0;
        CHECK_EQ(refused(&f, rows[i].table, NULL, &peak), RV_E_VALUE_TOO_LARGE);
        SAYS(&f, rows[i].says, rows[i].row);
        /* a seek among WITHOUT ROWID rows loads the row it compares: SQLite's own way */
        if (rows[i].table[0] == 'r' || rows[i].table[0] == 'g')
            CHECK(peak < 100000);
    }
    fx_close(&f);
}

RV_TEST(unordered_tables)
{
    fixture f;
    rv_relation *rel = NULL;
    REQUIRE(open_1mb(&f, "CREATE TABLE r(id INTEGER PRIMARY KEY, body BLOB);"
                         "INSERT INTO r VALUES (1,x'00'),(7,zeroblob(" MB3 "));"
                         "CREATE TABLE w(k BLOB PRIMARY KEY, body BLOB) WITHOUT ROWID;"
                         "INSERT INTO w VALUES (x'01',x'00'),(x'02',zeroblob(" MB3 "))"));
    rv_read_spec spec = {.table = "r", .mode = RV_FULL, .consistency = RV_CONSISTENCY_STATEMENT};
    CHECK_EQ(fx_resolve(&f, &spec, &rel), RV_OK);
    CHECK_EQ(fx_read(&f, rel), RV_E_VALUE_TOO_LARGE);
    SAYS(&f, LARGE("body", "3.0 MB, limit"), "rowid 7");
    CHECK_EQ(fx_export(&f, "w", NULL), RV_E_VALUE_TOO_LARGE);
    SAYS(&f, "RIVET_VALUE_TOO_LARGE: one cell is larger than the limit 1 MB (tuning.max_value_mb)",
         "after row 1 of the result");
    fx_close(&f);
}

#define MANY                                                                                       \
    "CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB, s TEXT);"                                   \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "              \
    "INSERT INTO t SELECT i, zeroblob(CASE WHEN i IN (1, 5, 700) THEN " MB3                        \
    " ELSE 1 END), hex(zeroblob(400)) FROM n; CREATE VIEW v AS SELECT id, body FROM t"

RV_TEST(views_and_queries)
{
    static const struct {
        const char *table, *query, *says, *row;
    } rows[] = {
        {"v", NULL, LARGE("body", "3.0 MB, limit"), "row 1 of the result"},
        {NULL, "SELECT id, body FROM t WHERE id > 1", LARGE("body", "3.0 MB, limit"), "rowid 5"},
        {NULL, "SELECT id, body || 'xy' AS b FROM t", LARGE("b", "3.0 MB, limit"), "rowid 1"},
        {NULL, "SELECT 1 AS id, zeroblob(" MB3 ") AS z", LARGE("z", "3.0 MB, limit"), "row 1"},
    };
    fixture f;
    sqlite3_int64 peak = 0;
    REQUIRE(open_1mb(&f, MANY));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_EQ(refused(&f, rows[i].table, rows[i].query, &peak), RV_E_VALUE_TOO_LARGE);
        SAYS(&f, rows[i].says, rows[i].row);
    }
    fx_close(&f);
}

/* Pages as the engine asks for them: each may be cut, and the next begins behind it. */
static rv_status read_pages(fixture *f, const char *query, int *out_pages)
{
    rv_read_spec spec = {.query = query, .mode = RV_FULL};
    rv_relation *rel = NULL;
    rv_datum after;
    rv_status st = fx_resolve(f, &spec, &rel);
    if (st != RV_OK || rel->shape != RV_SHAPE_PAGES)
        return RV_E_INTERNAL;
    rv_expr order = {rel->key.columns[0], NULL};
    rv_page_spec page = {
        .relation = rel, .order = &order, .n_order = 1, .limit = 1000, .cut_bytes = 1 << 20};
    rv_buf_clear(&f->text);
    for (*out_pages = 1; *out_pages < 20; ++*out_pages) {
        st = fx_page(f, &page, 5000, &after);
        if (st != RV_OK || (!f->end.limited && !f->end.cut))
            return st;
        page.after = &after;
    }
    return RV_E_INTERNAL;
}

static size_t lines(const fixture *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->text.len; i++)
        n += f->text.ptr[i] == '\n';
    return n;
}

/* What a query makes on its way to short values is no cell. */
RV_TEST(values_on_the_way_are_no_cells)
{
    static const struct {
        const char *query;
        size_t rows;
    } rows[] = {
        {"SELECT id, hex(substr(body, 1, 1)) AS h FROM t", 3000},
        {"SELECT id, s FROM t WHERE substr(body, 1, 1) = x'00'", 3000},
        {"SELECT id FROM t WHERE length(hex(body)) = 2 AND id < 900", 896},
        {"SELECT id FROM t WHERE body = zeroblob(1)", 2997},
    };
    fixture f;
    REQUIRE(open_1mb(&f, MANY));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int pages = 0;
        CHECK_EQ(read_pages(&f, rows[i].query, &pages), RV_OK);
        CHECK_EQ(lines(&f), rows[i].rows);
    }
    fx_close(&f);
}

RV_TEST(pages_of_a_query)
{
    fixture f;
    int pages = 0;
    REQUIRE(open_1mb(&f, MANY));
    CHECK_EQ(read_pages(&f, "SELECT body AS b, id AS x FROM t WHERE id > 5", &pages),
             RV_E_VALUE_TOO_LARGE);
    SAYS(&f, LARGE("b", "3.0 MB, limit"), "rowid 700");
    CHECK_EQ(lines(&f), 694);
    CHECK_EQ(read_pages(&f, "SELECT id, body || s AS b FROM t WHERE id > 5", &pages),
             RV_E_VALUE_TOO_LARGE);
    SAYS(&f, LARGE("b", "3.0 MB, limit"), "rowid 700");
    CHECK_EQ(pages, 2); /* the first was cut before the row that cannot be judged unseen */
    CHECK_EQ(lines(&f), 694);
    fx_close(&f);
}

RV_TEST(the_limit_itself_passes)
{
    fixture f;
    REQUIRE(open_1mb(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, a BLOB, b TEXT, c BLOB);"
                         "INSERT INTO t VALUES (1, zeroblob(" MB1 "), CAST(zeroblob(" MB1
                         ") AS TEXT), zeroblob(" MB1 "));"
                         "CREATE TABLE w(k TEXT PRIMARY KEY, a BLOB) WITHOUT ROWID;"
                         "INSERT INTO w VALUES ('k', zeroblob(" MB1 "));"
                         "CREATE TABLE over(id INTEGER PRIMARY KEY, a BLOB);"
                         "INSERT INTO over VALUES (1, zeroblob(" MB1 " + 1))"));
    CHECK_EQ(fx_export(&f, "t", NULL), RV_OK);
    CHECK_EQ(fx_export(&f, "w", NULL), RV_OK);
    CHECK_EQ(fx_export(&f, NULL, "SELECT a, b, c FROM t ORDER BY b"), RV_OK); /* a sorter's row */
    CHECK_EQ(fx_export(&f, "over", NULL), RV_E_VALUE_TOO_LARGE);
    SAYS(&f, LARGE("a", "1.0 MB, limit"), "rowid 1");
    fx_close(&f);
}

/* Rows of legal cells may be longer than one cell: a sort that keeps them is not refused. */
RV_TEST(a_sort_of_large_rows)
{
    fixture f;
    rv_relation *rel = NULL;
    REQUIRE(open_1mb(&f, "CREATE TABLE t(id INTEGER PRIMARY KEY, at INT, a BLOB, b BLOB);"
                         "INSERT INTO t VALUES (1, 2, zeroblob(900000), zeroblob(900000)), "
                         "(2, 1, zeroblob(900000), zeroblob(900000))"));
    rv_read_spec spec = {.table = "t", .mode = RV_INCREMENTAL, .bound = {"at", NULL}};
    CHECK_EQ(fx_resolve(&f, &spec, &rel), RV_OK);
    rv_expr order[] = {{"at", NULL}, {"id", NULL}};
    rv_page_spec page = {.relation = rel, .order = order, .n_order = 2};
    CHECK_EQ(fx_page(&f, &page, 100, NULL), RV_OK);
    CHECK_EQ(f.end.rows, 2);
    fx_close(&f);
}

/* Twice the bytes in the file. */
RV_TEST(utf16_counts_as_utf8)
{
    fixture f;
    REQUIRE(open_1mb(&f, "PRAGMA encoding='UTF-16le'; CREATE TABLE t(id INTEGER PRIMARY KEY, s "
                         "TEXT); INSERT INTO t VALUES (1, hex(zeroblob(500000)))"));
    CHECK_EQ(fx_export(&f, "t", NULL), RV_OK);
    fx_close(&f);
}

#ifdef RV_FAULTS
static rv_status bare_read(fixture *f, const rv_relation *rel)
{
    rv_expr order = {rel->key.columns[0], NULL};
    rv_page_spec page = {.relation = rel, .order = &order, .n_order = 1};
    rv_builder_opts opts = {.schema = rel->schema,
                            .max_rows = 10,
                            .max_bytes = 1 << 22,
                            .max_value_bytes = 1 << 20,
                            .batches = 2};
    rv_builder *b = NULL;
    rv_scan *scan = NULL;
    bool end = false;
    rv_status st = rv_builder_open(&opts, &b, &f->err);
    if (st == RV_OK)
        st = f->d->scan(f->s, &page, &scan, &f->err);
    if (st == RV_OK)
        st = f->d->next(scan, b, &end, &f->err);
    f->d->scan_close(scan);
    rv_builder_close(b);
    return st;
}
#endif

RV_TEST(survives_every_failed_allocation)
{
#ifdef RV_FAULTS
    static const char *const tables[] = {"r", "w"};
    for (size_t i = 0; i < 2; i++) {
        fixture f;
        rv_relation *rel = NULL;
        REQUIRE(open_1mb(&f,
                         "CREATE TABLE r(id INTEGER PRIMARY KEY, body BLOB);"
                         "INSERT INTO r VALUES (1,x'00'),(2,zeroblob(" MB3 "));"
                         "CREATE TABLE w(k TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID;"
                         "INSERT INTO w VALUES ('a',''),('b',CAST(zeroblob(" MB3 ") AS TEXT))"));
        rv_read_spec spec = {.table = tables[i], .mode = RV_FULL};
        REQUIRE(fx_resolve(&f, &spec, &rel) == RV_OK);
        rv_status st = RV_E_MEMORY;
        long n = 0;
        while (st == RV_E_MEMORY && n < 1000) {
            f.d->close(f.s); /* statements are prepared anew each time */
            f.s = fx_connect(&f);
            REQUIRE(f.s != NULL);
            rv_fault_set_alloc(++n, false);
            st = bare_read(&f, rel);
            rv_fault_set_alloc(0, false);
        }
        CHECK_EQ(st, RV_E_VALUE_TOO_LARGE);
        CHECK(strstr(f.err.text, "column 'body'") != NULL);
        CHECK(n > 15);
        fx_close(&f);
    }
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(tables), RV_CASE(unordered_tables), RV_CASE(views_and_queries),
             RV_CASE(values_on_the_way_are_no_cells), RV_CASE(pages_of_a_query),
             RV_CASE(the_limit_itself_passes), RV_CASE(a_sort_of_large_rows),
             RV_CASE(utf16_counts_as_utf8), RV_CASE(survives_every_failed_allocation))
