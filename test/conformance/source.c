#include "conformance/source.h"

#include <inttypes.h>
#include <stdio.h>

#include "column/render.h"
#include "rvtest.h"

#define ITEMS 200

typedef struct suite {
    const rv_source_fixture *fx;
    const rv_source_driver *d;
    rv_source *s;
    rv_arena arena;
    rv_error err;
} suite;

/* The rows of a batch as "1,x,\n" lines. */
static void add_rows(const rv_batch *batch, rv_buf *out)
{
    uint32_t present[16] = {0};
    for (uint32_t row = 0; row < batch->rows; row++) {
        for (size_t c = 0; c < batch->schema->n_columns; c++) {
            const rv_col *col = &batch->columns[c];
            bool there = !col->validity || rv_bit(col->validity, row);
            if (there)
                CHECK(rv_render_value(col, present[c]++, out, NULL) == RV_OK);
            CHECK(rv_buf_add_c(out, there ? "," : "NULL,", NULL) == RV_OK);
        }
        CHECK(rv_buf_add_byte(out, '\n', NULL) == RV_OK);
    }
}

typedef struct reading {
    const rv_page_spec *page;
    uint32_t builder_rows;
    rv_buf text;
    rv_page_end end;
    rv_datum last[RV_KEY_COLUMNS_MAX];
    rv_status st;
} reading;

static void take_batch(rv_builder *b, reading *r)
{
    rv_batch *batch = NULL;
    r->st = rv_builder_freeze(b, &batch, NULL);
    if (r->st != RV_OK)
        return;
    add_rows(batch, &r->text);
    rv_builder_recycle(b, batch);
}

/* One page to its end; copies the last key into the arena. */
static void read_page(suite *u, reading *r)
{
    rv_builder_opts opts = {.schema = r->page->relation->schema,
                            .max_rows = r->builder_rows ? r->builder_rows : 4096,
                            .max_bytes = 1 << 20,
                            .batches = 2};
    rv_builder *b = NULL;
    rv_scan *scan = NULL;
    bool end = false;
    r->st = rv_builder_open(&opts, &b, &u->err);
    if (r->st == RV_OK)
        r->st = u->d->scan(u->s, r->page, &scan, &u->err);
    while (r->st == RV_OK && !end) {
        r->st = u->d->next(scan, b, &end, &u->err);
        if (r->st == RV_OK)
            take_batch(b, r);
    }
    if (scan)
        u->d->scan_end(scan, &r->end);
    for (size_t i = 0; r->end.last && i < r->page->n_order; i++) {
        r->last[i] = r->end.last[i];
        CHECK(rv_arena_str(&u->arena, r->end.last[i].text, &r->last[i].text, NULL) == RV_OK);
    }
    u->d->scan_close(scan);
    rv_builder_close(b);
}

/* Page after page until one is neither limited nor cut. */
static void read_pages(suite *u, rv_page_spec page, uint32_t builder_rows, rv_buf *out,
                       uint64_t *out_rows)
{
    rv_datum after[RV_KEY_COLUMNS_MAX];
    bool ended = false;
    *out_rows = 0;
    for (int guard = 0; !ended && guard < 10 * ITEMS; guard++) {
        reading r = {.page = &page, .builder_rows = builder_rows};
        read_page(u, &r);
        CHECK_EQ(r.st, RV_OK);
        CHECK(rv_buf_add_str(out, rv_buf_str(&r.text), NULL) == RV_OK);
        rv_buf_free(&r.text);
        *out_rows += r.end.rows;
        ended = r.st != RV_OK || (!r.end.limited && !r.end.cut) || r.end.rows == 0;
        memcpy(after, r.last, sizeof after);
        page.after = after;
    }
    CHECK(ended);
}

static rv_relation *resolve(suite *u, const char *table, rv_expr bound, rv_mode mode)
{
    rv_read_spec spec = {.table = table, .mode = mode, .bound = bound};
    rv_relation *rel = NULL;
    rv_status st = u->d->resolve(u->s, &spec, &u->arena, &rel, &u->err);
    if (st != RV_OK)
        printf("resolve %s: %s\n", table, u->err.text);
    CHECK_EQ(st, RV_OK);
    return rel;
}

static size_t key_order(const rv_relation *rel, rv_expr *order)
{
    for (size_t i = 0; i < rel->key.n_columns; i++)
        order[i] = (rv_expr){rel->key.columns[i], NULL};
    return rel->key.n_columns;
}

static bool fill(suite *u)
{
    rv_buf sql = RV_BUF_INIT;
    bool ok = u->fx->exec(u->fx->ctx, u->fx->create_items) &&
              u->fx->exec(u->fx->ctx, u->fx->create_pairs);
    for (int i = 0; ok && i < ITEMS; i++) {
        rv_buf_clear(&sql);
        /* gaps in id, five groups, every seventh name missing */
        if (i % 7 == 0)
            ok = rv_buf_printf(&sql, NULL, "INSERT INTO conf_items VALUES (%d, %d, NULL)", i * 3,
                               i % 5) == RV_OK;
        else
            ok = rv_buf_printf(&sql, NULL, "INSERT INTO conf_items VALUES (%d, %d, 'n%d')", i * 3,
                               i % 5, i) == RV_OK;
        ok = ok && u->fx->exec(u->fx->ctx, rv_buf_cstr(&sql));
        rv_buf_clear(&sql);
        ok = ok && rv_buf_printf(&sql, NULL, "INSERT INTO conf_pairs VALUES (%d, %d, %d)", i / 9,
                                 i % 9, i) == RV_OK;
        ok = ok && u->fx->exec(u->fx->ctx, rv_buf_cstr(&sql));
    }
    rv_buf_free(&sql);
    return ok;
}

static void check_paging(suite *u, const char *table)
{
    static const uint64_t sizes[] = {1, 2, 3, 7, 50, 199, 200, 201};
    rv_expr order[RV_KEY_COLUMNS_MAX];
    rv_relation *rel = resolve(u, table, (rv_expr){0}, RV_FULL);
    REQUIRE(rel != NULL);
    CHECK_EQ(rel->shape, RV_SHAPE_PAGES);
    REQUIRE(rel->key.n_columns > 0);
    rv_page_spec page = {.relation = rel, .order = order, .n_order = key_order(rel, order)};
    rv_buf whole = RV_BUF_INIT;
    uint64_t rows = 0;
    read_pages(u, page, 0, &whole, &rows);
    CHECK_EQ(rows, ITEMS);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        rv_buf paged = RV_BUF_INIT;
        page.limit = sizes[i];
        read_pages(u, page, 5, &paged, &rows);
        CHECK_EQ(rows, ITEMS);
        CHECK(rv_str_eq(rv_buf_str(&paged), rv_buf_str(&whole)));
        rv_buf_free(&paged);
    }
    page.limit = 0;
    page.cut_bytes = 100;
    rv_buf cut = RV_BUF_INIT;
    read_pages(u, page, 0, &cut, &rows);
    CHECK(rv_str_eq(rv_buf_str(&cut), rv_buf_str(&whole)));
    rv_buf_free(&cut);
    rv_buf_free(&whole);
}

static uint64_t rows_where(suite *u, const rv_relation *rel, const rv_pred *preds, size_t n)
{
    rv_page_spec page = {.relation = rel, .preds = preds, .n_preds = n};
    reading r = {.page = &page};
    read_page(u, &r);
    CHECK_EQ(r.st, RV_OK);
    rv_buf_free(&r.text);
    uint64_t counted = 0;
    CHECK_EQ(u->d->count(u->s, rel, preds, n, &counted, &u->err), RV_OK);
    CHECK_EQ(counted, r.end.rows);
    return r.end.rows;
}

static void check_predicates(suite *u)
{
    static const struct {
        rv_op op;
        const char *value;
        uint64_t rows;
    } cases[] = {{RV_LT, "30", 10},  {RV_LE, "30", 11}, {RV_GE, "30", 190},
                 {RV_GT, "30", 189}, {RV_EQ, "30", 1},  {RV_EQ, "31", 0}};
    rv_relation *rel = resolve(u, "conf_items", (rv_expr){"id", NULL}, RV_CHUNKED);
    REQUIRE(rel != NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rv_pred p = {.expr = {"id", NULL}, .op = cases[i].op};
        CHECK_EQ(
            u->d->datum_parse(u->s, rel, rv_str_c(cases[i].value), &u->arena, &p.value, &u->err),
            RV_OK);
        CHECK_EQ(rows_where(u, rel, &p, 1), cases[i].rows);
    }
    rv_pred none = {.expr = {"name", NULL}, .op = RV_IS_NULL};
    rv_pred some = {.expr = {"name", NULL}, .op = RV_NOT_NULL};
    CHECK_EQ(rows_where(u, rel, &none, 1), 29);
    CHECK_EQ(rows_where(u, rel, &some, 1), ITEMS - 29);
    rv_datum bad;
    CHECK_EQ(u->d->datum_parse(u->s, rel, RV_STR("x1"), &u->arena, &bad, &u->err), RV_E_VALUE);
}

static void check_bounds(suite *u)
{
    rv_relation *rel = resolve(u, "conf_items", (rv_expr){"id", NULL}, RV_CHUNKED);
    REQUIRE(rel != NULL);
    CHECK(rel->bound_indexed);
    CHECK(rel->bound_not_null);
    CHECK_EQ(rel->bound_type.kind, RV_INT64);
    rv_datum low, high;
    rv_expr id = {"id", NULL};
    CHECK_EQ(u->d->bounds(u->s, rel, id, NULL, 0, &u->arena, &low, &high, &u->err), RV_OK);
    CHECK(rv_str_eq(low.text, RV_STR("0")));
    CHECK(rv_str_eq(high.text, RV_STR("597")));
    rv_pred none = {.expr = id, .op = RV_GT, .value = high};
    CHECK_EQ(u->d->bounds(u->s, rel, id, &none, 1, &u->arena, &low, &high, &u->err), RV_OK);
    CHECK(low.null && high.null);
}

/* Walking by `nth` and reading each window up to its end gives every row once. */
static void check_windows(suite *u, const char *table)
{
    rv_expr order[RV_KEY_COLUMNS_MAX];
    rv_datum lo[RV_KEY_COLUMNS_MAX], hi[RV_KEY_COLUMNS_MAX];
    rv_relation *rel = resolve(u, table, (rv_expr){0}, RV_FULL);
    REQUIRE(rel != NULL);
    rv_page_spec page = {.relation = rel, .order = order, .n_order = key_order(rel, order)};
    uint64_t total = 0;
    for (int window = 0; window < ITEMS; window++) {
        bool found = false;
        CHECK_EQ(u->d->nth(u->s, &page, 33, &u->arena, hi, &found, &u->err), RV_OK);
        page.until = found ? hi : NULL;
        reading r = {.page = &page};
        read_page(u, &r);
        CHECK_EQ(r.st, RV_OK);
        CHECK(!found || r.end.rows == 33);
        total += r.end.rows;
        rv_buf_free(&r.text);
        page.until = NULL;
        if (!found)
            break;
        memcpy(lo, hi, sizeof lo);
        page.after = lo;
    }
    CHECK_EQ(total, ITEMS);
}

typedef struct dropper {
    unsigned seen, changes;
} dropper;

static bool keep_every_third(void *ctx, rv_builder *builder, bool changed)
{
    dropper *d = ctx;
    (void)builder;
    d->changes += changed;
    return ++d->seen % 3 == 0;
}

static void check_keep(suite *u)
{
    rv_relation *rel = resolve(u, "conf_items", (rv_expr){"grp", NULL}, RV_INCREMENTAL);
    REQUIRE(rel != NULL);
    rv_expr order[2] = {{"grp", NULL}, {rel->key.columns[0], NULL}};
    dropper d = {0};
    rv_page_spec page = {
        .relation = rel, .order = order, .n_order = 2, .keep = keep_every_third, .keep_ctx = &d};
    reading r = {.page = &page};
    read_page(u, &r);
    CHECK_EQ(r.st, RV_OK);
    CHECK_EQ(r.end.rows, ITEMS); /* dropped rows count as received */
    CHECK_EQ(d.seen, ITEMS);
    CHECK_EQ(d.changes, 5);
    size_t lines = 0;
    for (size_t i = 0; i < r.text.len; i++)
        lines += r.text.ptr[i] == '\n';
    CHECK_EQ(lines, ITEMS / 3);
    CHECK(rv_str_eq(r.last[0].text, RV_STR("4")));
    rv_buf_free(&r.text);
}

static void check_interrupt(suite *u)
{
    rv_relation *rel = resolve(u, "conf_items", (rv_expr){0}, RV_FULL);
    REQUIRE(rel != NULL);
    rv_page_spec page = {.relation = rel};
    rv_builder_opts opts = {
        .schema = rel->schema, .max_rows = 10, .max_bytes = 1 << 20, .batches = 2};
    rv_builder *b = NULL;
    rv_scan *scan = NULL;
    rv_batch *batch = NULL;
    bool end = false;
    CHECK_EQ(rv_builder_open(&opts, &b, &u->err), RV_OK);
    CHECK_EQ(u->d->scan(u->s, &page, &scan, &u->err), RV_OK);
    CHECK_EQ(u->d->next(scan, b, &end, &u->err), RV_OK);
    CHECK(!end);
    CHECK_EQ(rv_builder_freeze(b, &batch, &u->err), RV_OK);
    rv_builder_recycle(b, batch);
    u->d->interrupt(u->s);
    CHECK_EQ(u->d->next(scan, b, &end, &u->err), RV_E_INTERRUPTED);
    u->d->scan_close(scan);
    rv_builder_close(b);
}

static void check_change(suite *u)
{
    rv_relation *rel = resolve(u, "conf_items", (rv_expr){0}, RV_FULL);
    REQUIRE(rel != NULL);
    CHECK_EQ(u->d->recheck(u->s, rel, &u->err), RV_OK);
    CHECK(u->fx->exec(u->fx->ctx, "ALTER TABLE conf_items ADD COLUMN extra INTEGER"));
    CHECK_EQ(u->d->recheck(u->s, rel, &u->err), RV_E_SOURCE_CHANGED);
    CHECK(strstr(u->err.text, "extra") != NULL);
    CHECK(u->fx->exec(u->fx->ctx, "DROP TABLE conf_items"));
    CHECK_EQ(u->d->recheck(u->s, rel, &u->err), RV_E_SOURCE_CHANGED);
}

static void check_refusals(suite *u)
{
    rv_read_spec spec = {.table = "conf_nothing", .mode = RV_FULL};
    rv_relation *rel = NULL;
    CHECK_EQ(u->d->resolve(u->s, &spec, &u->arena, &rel, &u->err), RV_E_SOURCE_MISSING);
    spec.table = "a b";
    CHECK_EQ(u->d->resolve(u->s, &spec, &u->arena, &rel, &u->err), RV_E_CONFIG_TABLE_NAME);
    spec.table = "conf_items";
    spec.bound = (rv_expr){"nothing", NULL};
    CHECK_EQ(u->d->resolve(u->s, &spec, &u->arena, &rel, &u->err), RV_E_SOURCE_MISSING);
    spec.bound = (rv_expr){0};
    spec.key_column = "name";
    CHECK_EQ(u->d->resolve(u->s, &spec, &u->arena, &rel, &u->err), RV_E_CONFIG_KEY_UNUSABLE);
    CHECK(rel == NULL);
}

void rv_source_conformance(const rv_source_fixture *fixture)
{
    suite u = {.fx = fixture, .d = fixture->driver, .arena = RV_ARENA_INIT};
    CHECK_EQ(u.d->abi, RV_SOURCE_ABI);
    REQUIRE(fill(&u));
    u.s = fixture->connect(fixture->ctx);
    REQUIRE(u.s != NULL);
    check_paging(&u, "conf_items");
    check_paging(&u, "conf_pairs");
    check_predicates(&u);
    check_bounds(&u);
    check_windows(&u, "conf_items");
    check_windows(&u, "conf_pairs");
    check_keep(&u);
    check_refusals(&u);
    check_interrupt(&u);
    u.d->close(u.s);
    u.s = fixture->connect(fixture->ctx);
    REQUIRE(u.s != NULL);
    check_change(&u);
    CHECK(fixture->exec(fixture->ctx, "DROP TABLE conf_pairs"));
    u.d->close(u.s);
    rv_arena_free(&u.arena);
}
