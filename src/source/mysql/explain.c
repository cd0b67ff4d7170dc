/* Reads what EXPLAIN answers, a line per table read. Source: MySQL 9 reference manual, section
 * 10.8.2; MariaDB documentation, page "EXPLAIN". */
#include "source/mysql/relation_internal.h"

#define WHAT "planning the read"

/* Columns differ by server and version: they go by name. */
static int column_of(MYSQL_RES *r, const char *name)
{
    const MYSQL_FIELD *fields = mysql_fetch_fields(r);
    for (unsigned i = 0; i < mysql_num_fields(r); i++)
        if (rv_str_eq_nocase(rv_str_c(fields[i].name), rv_str_c(name)))
            return (int)i;
    return -1;
}

static rv_status text_of(MYSQL_RES *r, MYSQL_ROW row, const char *name, rv_arena *arena,
                         const char **out, rv_error *err)
{
    int col = column_of(r, name);
    const char *text = NULL;
    if (col >= 0)
        RV_TRY(rv_mys_text(row, mysql_fetch_lengths(r), (unsigned)col, arena, &text, err));
    *out = text ? text : "";
    return RV_OK;
}

static int64_t number_of(MYSQL_RES *r, MYSQL_ROW row, const char *name)
{
    int col = column_of(r, name);
    return col >= 0 ? rv_mys_int(row, (unsigned)col, -1) : -1;
}

static rv_status read_plan(MYSQL_RES *r, rv_arena *arena, rv_mys_plan *out, rv_error *err)
{
    size_t n = (size_t)mysql_num_rows(r);
    rv_mys_plan_row *list = NULL;
    RV_TRY(rv_arena_array(arena, n + 1, sizeof *list, &list, err));
    for (size_t i = 0; i < n; i++) {
        MYSQL_ROW row = mysql_fetch_row(r);
        rv_mys_plan_row *p = &list[i];
        p->id = number_of(r, row, "id");
        p->rows = number_of(r, row, "rows");
        RV_TRY(text_of(r, row, "select_type", arena, &p->select_type, err));
        RV_TRY(text_of(r, row, "table", arena, &p->table, err));
        RV_TRY(text_of(r, row, "type", arena, &p->type, err));
        RV_TRY(text_of(r, row, "key", arena, &p->key, err));
        RV_TRY(text_of(r, row, "Extra", arena, &p->extra, err));
    }
    *out = (rv_mys_plan){list, n};
    return RV_OK;
}

rv_status rv_mys_explain(rv_source *s, const char *sql, rv_arena *arena, rv_mys_plan *out,
                         rv_error *err)
{
    const char *text = NULL;
    MYSQL_RES *r = NULL;
    rv_status st;
    RV_GO(rv_arena_printf(arena, &text, err, "EXPLAIN FORMAT=TRADITIONAL %s", sql));
    RV_GO(rv_mys_ask(s, text, WHAT, &r, err));
    if (!r)
        st = rv_fail(err, RV_E_SOURCE_QUERY, "%s: the server's EXPLAIN cannot be read", WHAT);
    else
        st = read_plan(r, arena, out, err);
done:
    mysql_free_result(r);
    return st;
}

static bool has(const char *text, const char *word)
{
    return strstr(text, word) != NULL;
}

/* Rows read of the outermost select's tables, each for every one of the table before it. */
int64_t rv_mys_plan_rows(const rv_mys_plan *p)
{
    int64_t rows = p->n ? p->rows[0].rows : -1;
    for (size_t i = 1; i < p->n && rows >= 0; i++)
        if (p->rows[i].id == p->rows[0].id && p->rows[i].rows > 1 &&
            __builtin_mul_overflow(rows, p->rows[i].rows, &rows))
            return INT64_MAX;
    return rows;
}

bool rv_mys_plan_derives(const rv_mys_plan *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (has(p->rows[i].select_type, "DERIVED") || has(p->rows[i].select_type, "UNION"))
            return true;
    return false;
}

/* --- gate 4 --- */

/* What refuses a plan of which nothing is known but this line; NULL: nothing. */
static const char *refusal_of_line(const rv_mys_plan_row *p)
{
    if (has(p->select_type, "DERIVED"))
        return "derived table";
    if (has(p->extra, "Using filesort"))
        return "filesort";
    return has(p->extra, "Using temporary") ? "temporary table" : NULL;
}

/* No row can come, or the one that a constant key names. */
static bool reads_nothing(const rv_mys_plan_row *p)
{
    return has(p->extra, "Impossible WHERE") || has(p->extra, "no matching row");
}

static bool walks(const rv_mys_plan_row *p, const rv_mys_wish *wish)
{
    bool range = strcmp(p->type, "range") == 0;
    bool one = strcmp(p->type, "const") == 0 || strcmp(p->type, "system") == 0;
    bool whole = wish->from_start && strcmp(p->type, "index") == 0;
    return (range || one || whole) && rv_str_eq_nocase(rv_str_c(p->key), rv_str_c(wish->key));
}

rv_status rv_mys_plan_judge(const rv_mys_plan *p, const rv_mys_wish *wish, rv_arena *arena,
                            const char **out_reason, rv_error *err)
{
    const rv_mys_plan_row *first = p->n ? &p->rows[0] : NULL;
    *out_reason = NULL;
    if (!first)
        return rv_arena_printf(arena, out_reason, err, "no plan");
    if (reads_nothing(first))
        return RV_OK;
    for (size_t i = 0; i < p->n; i++) {
        const char *why = refusal_of_line(&p->rows[i]);
        if (why)
            return rv_arena_printf(arena, out_reason, err, "%s on %s", why, p->rows[i].table);
    }
    if (!rv_str_eq_nocase(rv_str_c(first->table), rv_str_c(wish->table)))
        return rv_arena_printf(arena, out_reason, err, "%s is read first", first->table);
    if (walks(first, wish))
        return RV_OK;
    return rv_arena_printf(arena, out_reason, err, "%s on %s%s%s", first->type, first->table,
                           first->key[0] ? " by " : "", first->key);
}
