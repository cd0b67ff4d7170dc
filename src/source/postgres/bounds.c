/* Single values of a relation: ends, steps along an order, counts.
 * Source: spec "lifecycle" sections 7 and 8, "source-safety" section 14. */
#include "source/postgres/scan_internal.h"

#define WHAT "reading single values"

static rv_status read_datums(const uint32_t *oids, const char *const *fields,
                             const int32_t *lengths, size_t n, rv_arena *arena, rv_datum *out,
                             rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (size_t i = 0; i < n; i++) {
        rv_datum d = {.null = lengths[i] < 0, .kind = rv_pgs_wire_kind(oids[i])};
        rv_buf_clear(&b);
        if (!d.null) {
            RV_GO(rv_pgs_wire_text(oids[i], fields[i], lengths[i], &b, err));
            RV_GO(rv_arena_str(arena, rv_buf_str(&b), &d.text, err));
        }
        out[i] = d;
    }
done:
    rv_buf_free(&b);
    return st;
}

/* Reads the COPY to its end; the first `most` rows are kept. */
static rv_status drain(rv_source *s, const rv_pgs_asked *q, rv_arena *arena, rv_datum *out,
                       size_t *out_n, rv_error *err)
{
    const char *fields[RV_PGS_ORDER_MAX], *data = NULL;
    int32_t lengths[RV_PGS_ORDER_MAX];
    rv_pgs_copy copy = {.at = NULL};
    size_t size = 0;
    for (*out_n = 0;;) {
        RV_TRY(rv_pg_copy_next(s->pg, &data, &size, err));
        if (!data)
            return RV_OK;
        rv_pgs_copy_feed(&copy, data, size);
        rv_pgs_tuple t = rv_pgs_copy_row(&copy, q->n, fields, lengths);
        for (; t == RV_PGS_ROW; t = rv_pgs_copy_row(&copy, q->n, fields, lengths)) {
            if (*out_n == q->most)
                continue;
            RV_TRY(read_datums(q->oids, fields, lengths, q->n, arena, out + *out_n * q->n, err));
            ++*out_n;
        }
        if (t == RV_PGS_BROKEN)
            return rv_fail(err, RV_E_SOURCE_CHANGED, "%s: the answer is no COPY of %zu columns",
                           WHAT, q->n);
    }
}

rv_status rv_pgs_rows(rv_source *s, bool allow_row_security, const rv_pgs_asked *q, rv_arena *arena,
                      rv_datum *out, size_t *out_n, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_datum *values = NULL;
    size_t n = 0;
    rv_status st;
    if (q->n == 0 || q->n > RV_PGS_ORDER_MAX)
        return rv_fail(err, RV_E_INTERNAL, "%zu values are asked of one row", q->n);
    RV_GO(rv_arena_array(arena, q->n * q->most, sizeof *values, &values, err));
    RV_GO(rv_pgs_opening(s, allow_row_security, -1, &b, err));
    RV_GO(rv_buf_printf(&b, err, "%sCOPY (%s\n) TO STDOUT (FORMAT binary)",
                        q->walking ? RV_PGS_WALKING : "", q->sql));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    RV_GO(rv_pg_copy_begin(s->pg, (const char *)b.ptr, WHAT, err));
    st = drain(s, q, arena, values, &n, err);
    if (st != RV_OK) { /* what is left of the answer must not meet the next statement */
        rv_error late;
        rv_error_clear(&late);
        (void)!rv_pg_copy_cut(s->pg, &late);
        goto done;
    }
    if (n)
        memcpy(out, values, n * q->n * sizeof *out);
    *out_n = n;
done:
    rv_buf_free(&b);
    return st;
}

rv_status rv_pgs_first_row(rv_source *s, bool allow_row_security, const char *sql,
                           const uint32_t *oids, size_t n, rv_arena *arena, rv_datum *out,
                           bool *out_found, rv_error *err)
{
    rv_pgs_asked q = {.sql = sql, .oids = oids, .n = n, .most = 1};
    size_t rows = 0;
    RV_TRY(rv_pgs_rows(s, allow_row_security, &q, arena, out, &rows, err));
    *out_found = rows > 0;
    return RV_OK;
}

/* --- ends --- */

static bool is_indexed(const rv_relation *rel, const rv_expr *e)
{
    if (e->fallback)
        return false;
    return rel->bound_indexed ||
           (rel->key.n_columns && strcmp(rel->key.columns[0], e->column) == 0);
}

/* A condition on another column may leave few rows: walking the index from its end would then be
 * the longer way, and the planner may choose. */
static bool only_about(const rv_expr *e, const rv_pred *preds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(preds[i].expr.column, e->column) != 0)
            return false;
    return true;
}

/* Types that have min() and max() of their own in every version. */
static bool has_aggregate(uint32_t oid)
{
    switch (oid) {
    case RV_PG_INT2:
    case RV_PG_INT4:
    case RV_PG_INT8:
    case RV_PG_FLOAT4:
    case RV_PG_FLOAT8:
    case RV_PG_NUMERIC:
    case RV_PG_DATE:
    case RV_PG_TIMESTAMP:
    case RV_PG_TIMESTAMPTZ:
    case RV_PG_TEXT:
    case RV_PG_VARCHAR:
    case RV_PG_BPCHAR:
        return true;
    default:
        return false;
    }
}

/* Both ends in one pass over what has to be read anyway. */
static rv_status both_ends(rv_source *s, const rv_page_spec *page, const rv_expr *e, rv_arena *a,
                           rv_datum out[2], rv_error *err)
{
    const rv_pgs_relation *r = page->relation->driver;
    uint32_t oid = rv_pgs_expr_oid(page->relation, e), oids[2] = {oid, oid};
    rv_buf b = RV_BUF_INIT;
    bool found = false;
    rv_status st;
    RV_GO(rv_buf_add_c(&b, "SELECT min(", err));
    RV_GO(rv_pgs_expr(r, e, &b, err));
    RV_GO(rv_buf_add_c(&b, "), max(", err));
    RV_GO(rv_pgs_expr(r, e, &b, err));
    RV_GO(rv_buf_printf(&b, err, ") FROM %s ", r->from));
    RV_GO(rv_pgs_where(page, &b, err));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    RV_GO(rv_pgs_first_row(s, r->allow_row_security, (const char *)b.ptr, oids, 2, a, out, &found,
                           err));
done:
    rv_buf_free(&b);
    return st;
}

/* One end, from the end of an index. */
static rv_status one_end(rv_source *s, const rv_page_spec *page, const rv_expr *e, bool max,
                         rv_arena *a, rv_datum *out, rv_error *err)
{
    const rv_pgs_relation *r = page->relation->driver;
    uint32_t oid = rv_pgs_expr_oid(page->relation, e);
    rv_buf b = RV_BUF_INIT;
    bool found = false;
    rv_status st;
    RV_GO(rv_buf_add_c(&b, "SELECT ", err));
    RV_GO(rv_pgs_expr(r, e, &b, err));
    RV_GO(rv_buf_printf(&b, err, " FROM %s ", r->from));
    RV_GO(rv_pgs_where(page, &b, err));
    RV_GO(rv_buf_add_c(&b, " ORDER BY ", err));
    RV_GO(rv_pgs_expr(r, e, &b, err));
    RV_GO(rv_buf_printf(&b, err, "%s LIMIT 1", max ? " DESC" : ""));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    RV_GO(rv_pgs_first_row(s, r->allow_row_security, (const char *)b.ptr, &oid, 1, a, out, &found,
                           err));
done:
    rv_buf_free(&b);
    return st;
}

rv_status rv_pgs_bounds(rv_source *s, const rv_relation *rel, rv_expr expr, const rv_pred *preds,
                        size_t n_preds, rv_arena *arena, rv_datum *out_min, rv_datum *out_max,
                        rv_error *err)
{
    uint32_t oid = rv_pgs_expr_oid(rel, &expr);
    rv_datum ends[2];
    rv_pred *all = NULL;
    rv_kind kind = rv_pgs_wire_kind(oid);
    ends[0] = ends[1] = (rv_datum){.null = true, .kind = kind};
    RV_TRY(rv_arena_array(arena, n_preds + 1, sizeof *all, &all, err));
    if (n_preds)
        memcpy(all, preds, n_preds * sizeof *all);
    all[n_preds] = (rv_pred){.expr = expr, .op = RV_NOT_NULL};
    rv_page_spec page = {.relation = rel, .preds = all, .n_preds = n_preds + 1};
    bool from_index = is_indexed(rel, &expr) && only_about(&expr, preds, n_preds);
    if (!from_index && has_aggregate(oid)) {
        RV_TRY(both_ends(s, &page, &expr, arena, ends, err));
    } else {
        RV_TRY(one_end(s, &page, &expr, false, arena, &ends[0], err));
        if (!ends[0].null)
            RV_TRY(one_end(s, &page, &expr, true, arena, &ends[1], err));
    }
    *out_min = ends[0];
    *out_max = ends[1];
    return RV_OK;
}

/* --- steps along an order --- */

static rv_status walk(rv_source *s, const rv_page_spec *from, uint64_t n, rv_arena *arena,
                      rv_datum *out, bool *out_found, rv_error *err)
{
    const rv_pgs_relation *r = from->relation->driver;
    uint32_t oids[RV_PGS_ORDER_MAX] = {0};
    rv_buf b = RV_BUF_INIT, list = RV_BUF_INIT;
    size_t rows = 0;
    rv_status st = RV_OK;
    for (size_t i = 0; i < from->n_order; i++) {
        oids[i] = rv_pgs_expr_oid(from->relation, &from->order[i]);
        RV_GO(rv_buf_add_c(&list, i ? ", " : "", err));
        RV_GO(rv_pgs_expr(r, &from->order[i], &list, err));
    }
    RV_GO(rv_buf_printf(&b, err, "SELECT %.*s FROM %s ", (int)list.len, (const char *)list.ptr,
                        r->from));
    RV_GO(rv_pgs_where(from, &b, err));
    RV_GO(rv_buf_printf(&b, err, " ORDER BY %.*s LIMIT 1 OFFSET %llu", (int)list.len,
                        (const char *)list.ptr, (unsigned long long)(n - 1)));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    rv_pgs_asked q = {
        .sql = (const char *)b.ptr, .oids = oids, .n = from->n_order, .most = 1, .walking = true};
    RV_GO(rv_pgs_rows(s, r->allow_row_security, &q, arena, out, &rows, err));
    *out_found = rows > 0;
done:
    rv_buf_free(&b);
    rv_buf_free(&list);
    return st;
}

rv_status rv_pgs_walk(rv_source *s, const rv_page_spec *from, uint64_t n, bool bare,
                      rv_arena *arena, rv_datum *out, bool *out_found, rv_error *err)
{
    rv_relation rel = *from->relation;
    rv_pgs_relation r = *(const rv_pgs_relation *)rel.driver;
    rv_page_spec page = *from;
    if (n == 0 || n > INT64_MAX || from->n_order == 0 || from->n_order > RV_PGS_ORDER_MAX)
        return rv_fail(err, RV_E_INTERNAL, "a walk along the key needs an order and n >= 1");
    if (bare)
        r.condition = NULL;
    rel.driver = &r;
    page.relation = &rel;
    return walk(s, &page, n, arena, out, out_found, err);
}

rv_status rv_pgs_nth(rv_source *s, const rv_page_spec *from, uint64_t n, rv_arena *arena,
                     rv_datum *out, bool *out_found, rv_error *err)
{
    return rv_pgs_walk(s, from, n, false, arena, out, out_found, err);
}

rv_status rv_pgs_count(rv_source *s, const rv_relation *rel, const rv_pred *preds, size_t n_preds,
                       uint64_t *out, rv_error *err)
{
    const rv_pgs_relation *r = rel->driver;
    rv_page_spec page = {.relation = rel, .preds = preds, .n_preds = n_preds};
    rv_buf b = RV_BUF_INIT;
    PGresult *result = NULL;
    rv_status st;
    if (r->query && !r->wrapped) { /* its list may give several rows for one */
        RV_GO(rv_buf_add_c(&b, "SELECT pg_catalog.count(*) FROM (", err));
        RV_GO(rv_pgs_select(&page, 0, &b, err));
        RV_GO(rv_buf_add_c(&b, "\n) AS _rivet", err));
    } else {
        RV_GO(rv_buf_printf(&b, err, "SELECT pg_catalog.count(*) FROM %s ", r->from));
        RV_GO(rv_pgs_where(&page, &b, err));
    }
    RV_GO(rv_buf_add_byte(&b, 0, err));
    RV_GO(
        rv_pgs_read(s, r->allow_row_security, (const char *)b.ptr, "counting rows", &result, err));
    *out = (uint64_t)rv_pgs_int(result, 0, 0, 0);
done:
    PQclear(result);
    rv_buf_free(&b);
    return st;
}
