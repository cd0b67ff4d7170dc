/* Values that cut a table into ranges of about equal rows, without reading it: equal steps of an
 * integer key, what ANALYZE remembers of another one, or a sample of its pages. The server sorts.
 * Source: design "sources" section 1; PostgreSQL documentation, section 54.28 (pg_stats). */
#include <inttypes.h>
#include <stdio.h>

#include "source/postgres/scan_internal.h"

#define SAMPLE_BYTES (4 * 1024 * 1024)

typedef struct cutting {
    rv_source *s;
    const rv_relation *rel;
    const rv_pgs_relation *r;
    size_t want;
    rv_arena *arena;
    rv_datum *out;
    size_t n;
} cutting;

static rv_status equal_steps(cutting *c, rv_error *err)
{
    rv_datum low, high;
    int64_t a = 0, b = 0;
    rv_expr key = {c->rel->key.columns[0], NULL};
    RV_TRY(rv_pgs_bounds(c->s, c->rel, key, NULL, 0, c->arena, &low, &high, err));
    if (low.null || high.null || !rv_str_i64(low.text, &a) || !rv_str_i64(high.text, &b))
        return RV_OK;
    rv_i128 span = (rv_i128)b - a + 1;
    int64_t previous = a;
    for (size_t i = 1; i < c->want; i++) {
        int64_t cut = (int64_t)(a + span * (rv_i128)i / (rv_i128)c->want);
        char text[24];
        if (cut <= previous)
            continue;
        (void)snprintf(text, sizeof text, "%" PRId64, cut);
        c->out[c->n] = (rv_datum){.kind = RV_INT64};
        RV_TRY(rv_arena_str(c->arena, rv_str_c(text), &c->out[c->n].text, err));
        previous = cut;
        c->n++;
    }
    return RV_OK;
}

/* Where the column lies: schema and table as literals, its type and collation as SQL. */
typedef struct place {
    const char *schema, *table, *column, *type, *collate;
} place;

static rv_status literal(const cutting *c, const char *text, const char **out, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = rv_pgs_literal(rv_str_c(text), &b, err);
    if (st == RV_OK)
        st = rv_pgs_keep(&b, c->arena, out, err);
    rv_buf_free(&b);
    return st;
}

static rv_status find_place(const cutting *c, place *out, rv_error *err)
{
    const char *sql = NULL, *column = NULL, *collation = NULL;
    PGresult *r = NULL;
    rv_status st;
    RV_GO(literal(c, c->rel->key.columns[0], &column, err));
    RV_GO(rv_arena_printf(
        c->arena, &sql, err,
        "SELECT pg_catalog.format_type(a.atttypid, NULL), (SELECT "
        "pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(l.collname) FROM "
        "pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace "
        "WHERE l.oid = a.attcollation) FROM pg_catalog.pg_attribute a WHERE a.attrelid = %u AND "
        "a.attname = %s AND NOT a.attisdropped",
        c->r->base_oid, column));
    RV_GO(rv_pgs_ask(c->s, sql, "reading the catalog", &r, err));
    *out = (place){.column = column, .collate = ""};
    if (PQntuples(r) == 0)
        goto done;
    RV_GO(rv_pgs_text(r, 0, 0, c->arena, &out->type, err));
    RV_GO(rv_pgs_text(r, 0, 1, c->arena, &collation, err));
    if (strcmp(out->type, "character") == 0) /* which would cast to one character */
        out->type = "bpchar";
    if (collation)
        RV_GO(rv_arena_printf(c->arena, &out->collate, err, " COLLATE %s", collation));
    RV_GO(literal(c, c->rel->base_schema, &out->schema, err));
    RV_GO(literal(c, c->rel->base_table, &out->table, err));
done:
    PQclear(r);
    return st;
}

/* Values of a statement that gives them one per row, ascending; repeated ones once. */
static rv_status take_rows(cutting *c, const char *sql, rv_error *err)
{
    rv_datum *values = NULL;
    size_t n = 0;
    rv_pgs_asked q = {.sql = sql, .oids = c->r->key_oid, .n = 1, .most = c->want - 1};
    RV_TRY(rv_arena_array(c->arena, q.most, sizeof *values, &values, err));
    RV_TRY(rv_pgs_rows(c->s, c->r->allow_row_security, &q, c->arena, values, &n, err));
    for (size_t i = 0; i < n; i++)
        if (!values[i].null && (c->n == 0 || !rv_str_eq(c->out[c->n - 1].text, values[i].text)))
            c->out[c->n++] = values[i];
    return RV_OK;
}

/* The bounds of pg_stats hold equally many rows between each two. */
static rv_status histogram(cutting *c, const place *p, rv_error *err)
{
    const char *sql = NULL;
    RV_TRY(rv_arena_printf(
        c->arena, &sql, err,
        "SELECT h.v FROM (SELECT u.v, pg_catalog.row_number() OVER (ORDER BY u.v%s) - 1 AS i, "
        "pg_catalog.count(*) OVER () - 1 AS n FROM (SELECT pg_catalog.unnest("
        "s.histogram_bounds::text::%s[]) AS v FROM (SELECT p.histogram_bounds FROM "
        "pg_catalog.pg_stats p WHERE p.schemaname = %s AND p.tablename = %s AND p.attname = %s "
        "ORDER BY p.inherited DESC LIMIT 1) AS s) AS u) AS h WHERE h.i > 0 AND h.i < h.n AND "
        "h.i IN (SELECT g.k * h.n / %zu FROM pg_catalog.generate_series(1, %zu) AS g(k)) "
        "ORDER BY h.i",
        p->collate, p->type, p->schema, p->table, p->column, c->want, c->want - 1));
    return take_rows(c, sql, err);
}

static rv_status sample(cutting *c, rv_error *err)
{
    const char *sql = NULL;
    rv_buf key = RV_BUF_INIT;
    double percent = c->r->pages > 0 ? 100.0 * SAMPLE_BYTES / (8192.0 * (double)c->r->pages) : 1.0;
    rv_expr e = {c->rel->key.columns[0], NULL};
    rv_status st;
    RV_GO(rv_pgs_expr(c->r, &e, &key, err));
    RV_GO(rv_arena_printf(
        c->arena, &sql, err,
        "SELECT u.v FROM pg_catalog.unnest((SELECT pg_catalog.percentile_disc(ARRAY(SELECT "
        "g.k::float8 / %zu FROM pg_catalog.generate_series(1, %zu) AS g(k))) WITHIN GROUP "
        "(ORDER BY %.*s) FROM %s TABLESAMPLE SYSTEM (%.4f))) WITH ORDINALITY AS u(v, i) "
        "ORDER BY u.i",
        c->want, c->want - 1, (int)key.len, (const char *)key.ptr, c->r->from,
        percent > 100 ? 100.0 : percent));
    RV_GO(take_rows(c, sql, err));
done:
    rv_buf_free(&key);
    return st;
}

static bool is_integer(uint32_t oid)
{
    return oid == RV_PG_INT2 || oid == RV_PG_INT4 || oid == RV_PG_INT8;
}

rv_status rv_pgs_cuts(rv_source *s, const rv_relation *rel, size_t want, rv_arena *arena,
                      rv_datum *out, size_t *out_n, rv_error *err)
{
    const rv_pgs_relation *r = rel->driver;
    cutting c = {.s = s, .rel = rel, .r = r, .want = want, .arena = arena, .out = out};
    place p = {.type = NULL};
    *out_n = 0;
    if (want < 2 || rel->key.n_columns != 1 || rel->shape == RV_SHAPE_RANGES || r->base_oid == 0)
        return RV_OK;
    if (is_integer(r->key_oid[0])) {
        RV_TRY(equal_steps(&c, err));
    } else {
        RV_TRY(find_place(&c, &p, err));
        if (p.type)
            RV_TRY(histogram(&c, &p, err));
        if (c.n == 0 && !r->query)
            RV_TRY(sample(&c, err));
    }
    *out_n = c.n;
    return RV_OK;
}
