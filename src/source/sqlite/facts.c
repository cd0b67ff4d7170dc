#include "source/sqlite/relation_internal.h"

#define WHAT "estimating the table"
/* dbstat walks one b-tree page by page; this many are read to learn the width of a row. The limit
 * counts overflow pages too, so that large values do not make an estimate a scan. */
#define WIDTH_PAGES 64

/* First row of a statement with one text parameter; *out_row false also when the engine refuses
 * it (a library without dbstat, no sqlite_stat1): for that an estimate is not worth a failure. */
static rv_status ask(rv_source *s, const char *sql, const char *arg, sqlite3_stmt **out,
                     bool *out_row, rv_error *err)
{
    sqlite3_stmt *stmt = NULL;
    rv_error refused = {0};
    *out_row = false;
    rv_status st = rv_sq_prepare(s, sql, WHAT, &stmt, &refused);
    if (st == RV_OK && sqlite3_bind_text(stmt, 1, arg, -1, SQLITE_TRANSIENT) != SQLITE_OK)
        st = rv_fail_memory(&refused);
    rv_sq_arm(s, 0);
    if (st == RV_OK)
        st = rv_sq_step(s, stmt, WHAT, out_row, &refused);
    rv_sq_disarm(s);
    *out = stmt;
    if (st == RV_OK || st == RV_E_SOURCE_QUERY)
        return RV_OK;
    if (err)
        *err = refused;
    return st;
}

static rv_status stat_rows(rv_source *s, const rv_sq_table *t, int64_t *out, rv_error *err)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    rv_status st = ask(s,
                       "SELECT max(CAST(stat AS INTEGER)) FROM main.sqlite_stat1 "
                       "WHERE tbl = ?1 COLLATE NOCASE",
                       t->name, &stmt, &row, err);
    if (st == RV_OK && row && sqlite3_column_type(stmt, 0) == SQLITE_INTEGER)
        *out = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return st;
}

static rv_status rowid_rows(rv_source *s, const rv_sq_table *t, int64_t *out, rv_error *err)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    char *sql = t->rowid ? sqlite3_mprintf("SELECT max(\"%w\".\"%w\") FROM main.\"%w\" "
                                           "WHERE ?1 IS NOT NULL",
                                           t->name, t->rowid, t->name)
                         : NULL;
    if (!sql)
        return RV_OK;
    rv_status st = ask(s, sql, "", &stmt, &row, err);
    if (st == RV_OK && row)
        *out = sqlite3_column_type(stmt, 0) == SQLITE_NULL ? 0 : sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    if (*out < -1)
        *out = -1;
    return st;
}

static rv_status row_width(rv_source *s, const rv_sq_table *t, int64_t *out, rv_error *err)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    char *sql = sqlite3_mprintf("SELECT sum(payload), sum(ncell) FROM (SELECT payload * (pagetype "
                                "!= 'internal') AS payload, ncell * (pagetype = 'leaf') AS ncell "
                                "FROM dbstat WHERE name = ?1 LIMIT %d)",
                                WIDTH_PAGES);
    if (!sql)
        return rv_fail_memory(err);
    rv_status st = ask(s, sql, t->name, &stmt, &row, err);
    if (st == RV_OK && row && sqlite3_column_int64(stmt, 1) > 0)
        *out = sqlite3_column_int64(stmt, 0) / sqlite3_column_int64(stmt, 1);
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return st;
}

rv_status rv_sq_estimate(rv_source *s, const rv_sq_table *t, int64_t *out_rows,
                         int64_t *out_row_bytes, rv_error *err)
{
    int64_t rows = -1, bytes = -1;
    RV_TRY(stat_rows(s, t, &rows, err));
    if (rows < 0)
        RV_TRY(rowid_rows(s, t, &rows, err));
    RV_TRY(row_width(s, t, &bytes, err));
    *out_rows = rows;
    *out_row_bytes = bytes;
    return RV_OK;
}

rv_status rv_sq_small(rv_source *s, const rv_sq_table *t, bool *out, rv_error *err)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    int64_t whole = INT64_MAX, page = 4096;
    *out = false;
    rv_status st = ask(s,
                       "SELECT page_count * page_size, page_size FROM pragma_page_count, "
                       "pragma_page_size WHERE ?1 IS NOT NULL",
                       t->name, &stmt, &row, err);
    if (st == RV_OK && row) {
        whole = sqlite3_column_int64(stmt, 0);
        page = sqlite3_column_int64(stmt, 1);
    }
    sqlite3_finalize(stmt);
    RV_TRY(st);
    if (whole <= RV_SQ_SMALL_BYTES) {
        *out = true;
        return RV_OK;
    }
    char *sql = sqlite3_mprintf("SELECT sum(pgsize) FROM (SELECT pgsize FROM dbstat "
                                "WHERE name = ?1 LIMIT %d)",
                                (int)(RV_SQ_SMALL_BYTES / (page > 0 ? page : 4096)) + 1);
    if (!sql)
        return rv_fail_memory(err);
    stmt = NULL;
    st = ask(s, sql, t->name, &stmt, &row, err);
    if (st == RV_OK && row)
        *out = sqlite3_column_type(stmt, 0) == SQLITE_INTEGER &&
               sqlite3_column_int64(stmt, 0) <= RV_SQ_SMALL_BYTES;
    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return st;
}

/* Top nodes of the plan in one line: "SCAN orders", "SEARCH o USING INDEX io (c>?)". */
static rv_status plan_text(const rv_sq_plan *plan, rv_arena *arena, rv_plan_facts *f, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (size_t i = 0; i < plan->n; i++) {
        const char *line = plan->lines[i];
        f->index_used |= strstr(line, " USING ") != NULL && strstr(line, "TEMP B-TREE") == NULL;
        if (line[0] != '0')
            continue;
        if (b.len)
            RV_GO(rv_buf_add_c(&b, "; ", err));
        RV_GO(rv_buf_add_c(&b, line + 2, err));
    }
    RV_GO(rv_arena_cstr(arena, rv_buf_str(&b), &f->scan_text, err));
done:
    rv_buf_free(&b);
    return st;
}

static rv_status written_plan(rv_source *s, const rv_relation *rel, rv_arena *arena,
                              rv_plan_facts *f, rv_error *err)
{
    const rv_sq_relation *r = rel->driver;
    const char *sql = r->query;
    rv_sq_plan plan;
    if (!sql)
        RV_TRY(rv_arena_printf(arena, &sql, err, "SELECT %s FROM %s", r->list, r->from));
    RV_TRY(rv_sq_explain(s, sql, arena, &plan, err));
    return plan_text(&plan, arena, f, err);
}

/* Ends of an integer bound that an index leads: two seeks. */
static rv_status key_range(rv_source *s, const rv_relation *rel, rv_arena *arena, rv_plan_facts *f,
                           rv_error *err)
{
    const rv_sq_relation *r = rel->driver;
    rv_datum low, high;
    if (!r->bound.column || !rel->bound_indexed || rel->bound_kind != RV_INT64)
        return RV_OK;
    RV_TRY(rv_sq_bounds(s, rel, r->bound, NULL, 0, arena, &low, &high, err));
    f->has_range = !low.null && !high.null && low.kind == RV_INT64 && high.kind == RV_INT64 &&
                   rv_str_i64(low.text, &f->key_min) && rv_str_i64(high.text, &f->key_max);
    return RV_OK;
}

rv_status rv_sq_facts(rv_source *s, const rv_relation *rel, rv_arena *arena, rv_plan_facts *out,
                      rv_error *err)
{
    const rv_sq_relation *r = rel->driver;
    rv_plan_facts f = {.scan_text = "", .max_connections = -1};
    RV_TRY(written_plan(s, rel, arena, &f, err));
    if (r->bound.column) {
        f.index_used |= rel->bound_indexed;
        f.index_hint = rel->bound_indexed ? NULL : r->bound.column;
    }
    RV_TRY(key_range(s, rel, arena, &f, err));
    *out = f;
    return RV_OK;
}
