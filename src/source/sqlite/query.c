/* A `query:`: proven to be one reading statement, then read in pages when the gates of spec
 * "source-safety" section 14 allow it, else sent whole or wrapped. */
#include "source/sql/name.h"
#include "source/sql/shape.h"
#include "source/sqlite/relation_internal.h"

#define WHAT "reading the query"

static rv_status refuse_query(rv_error *err, const char *why)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_QUERY, "query: it %s", why);
    rv_hint(err, "write one SELECT, or WITH ... SELECT, without parameters");
    return st;
}

static bool opens_like_select(const char *query)
{
    rv_sql_lexer lexer = {.text = rv_str_c(query), .flags = RV_SQL_SQLITE};
    rv_sql_token first = rv_sql_next(&lexer);
    return rv_sql_is(lexer.text, first, "SELECT") || rv_sql_is(lexer.text, first, "WITH");
}

/* One statement, SELECT or WITH, that returns columns and changes nothing. */
static rv_status prepare_user(rv_source *s, const char *query, sqlite3_stmt **out, rv_error *err)
{
    sqlite3_stmt *stmt = NULL;
    bool more = false;
    const char *why = NULL;
    if (!opens_like_select(query))
        return refuse_query(err, "does not begin with SELECT or WITH");
    RV_TRY(rv_sq_prepare_first(s, query, WHAT, &stmt, &more, err));
    if (!stmt || !sqlite3_stmt_readonly(stmt) || sqlite3_column_count(stmt) == 0)
        why = "is no reading statement";
    else if (more)
        why = "holds more than one statement";
    else if (sqlite3_bind_parameter_count(stmt) > 0)
        why = "has parameters";
    if (why) {
        sqlite3_finalize(stmt);
        return refuse_query(err, why);
    }
    *out = stmt;
    return RV_OK;
}

/* --- gates; each returns RV_OK with *reason set when the query is not read in pages --- */

typedef struct gate {
    rv_source *s;
    const rv_read_spec *spec;
    rv_arena *arena;
    rv_relation *rel;
    rv_sq_relation *r;
    rv_sql_shape shape;
    const char **origins; /* per result column, NULL: expression */
    const char *reason;   /* NULL: passed so far */
    bool small;
} gate;

static rv_status span_copy(const gate *g, rv_sql_span span, const char **out, rv_error *err)
{
    return rv_arena_cstr(g->arena, rv_sql_span_text(rv_str_c(g->r->query), span), out, err);
}

static rv_status splice_texts(gate *g, rv_error *err)
{
    rv_sq_relation *r = g->r;
    const char *text = NULL;
    RV_TRY(span_copy(g, g->shape.list, &r->list, err));
    RV_TRY(span_copy(g, g->shape.from, &r->from, err));
    RV_TRY(span_copy(g, g->shape.qualifier, &text, err));
    RV_TRY(rv_arena_printf(g->arena, &r->qual, err, "%s.", text));
    r->where = NULL;
    if (g->shape.condition.begin == g->shape.condition.end)
        return RV_OK;
    RV_TRY(span_copy(g, g->shape.condition, &text, err));
    return rv_arena_printf(g->arena, &r->where, err, "(%s\n)", text);
}

static rv_status part_name(const gate *g, size_t i, const char **out, rv_error *err)
{
    return rv_sql_unquote(rv_sql_span_text(rv_str_c(g->r->query), g->shape.parts[i]), g->arena, out,
                          err);
}

static rv_status find_base(gate *g, rv_sq_table **out, rv_error *err)
{
    const char *name = NULL;
    rv_sq_table *t = NULL;
    size_t n = g->shape.n_parts;
    RV_TRY(part_name(g, n - 1, &name, err));
    RV_TRY(rv_sq_table_load(g->s, name, true, g->arena, &t, err));
    if (n > 1)
        RV_TRY(part_name(g, 0, &name, err));
    if (!t || n > 2 || (n == 2 && !rv_str_eq_nocase(rv_str_c(name), RV_STR("main"))))
        g->reason = "no table of the main database";
    else if (t->view)
        g->reason = "view";
    else if (t->is_virtual)
        g->reason = "virtual table";
    *out = t;
    return RV_OK;
}

static rv_status read_origins(gate *g, const rv_sq_table *t, sqlite3_stmt *stmt, rv_error *err)
{
    size_t n = g->r->n_columns;
    if ((size_t)sqlite3_column_count(stmt) != n) {
        g->reason = "other columns when spliced";
        return RV_OK;
    }
    RV_TRY(rv_arena_array(g->arena, n, sizeof *g->origins, &g->origins, err));
    for (size_t i = 0; i < n; i++) {
        const char *table = sqlite3_column_table_name(stmt, (int)i);
        const char *base = sqlite3_column_database_name(stmt, (int)i);
        const char *column = sqlite3_column_origin_name(stmt, (int)i);
        if (!table || !column || !base)
            continue;
        if (strcmp(table, t->name) != 0 || strcmp(base, "main") != 0) {
            g->reason = "columns of several tables";
            return RV_OK;
        }
        RV_TRY(rv_arena_cstr(g->arena, rv_str_c(column), &g->origins[i], err));
    }
    return RV_OK;
}

static rv_status metadata(gate *g, const rv_sq_table *t, rv_error *err)
{
    const rv_sq_relation *r = g->r;
    const char *sql = NULL;
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    RV_TRY(rv_arena_printf(g->arena, &sql, err, "SELECT %s\nFROM %s WHERE %s%s1 = 0", r->list,
                           r->from, r->where ? r->where : "", r->where ? " AND " : ""));
    rv_error refused = {0};
    rv_status st = rv_sq_prepare(g->s, sql, WHAT, &stmt, &refused);
    if (st == RV_E_SOURCE_QUERY) {
        g->reason = "refused when spliced";
        return RV_OK;
    }
    if (st != RV_OK) {
        if (err)
            *err = refused;
        return st;
    }
    rv_sq_arm(g->s, 0);
    st = rv_sq_step(g->s, stmt, WHAT, &row, err);
    rv_sq_disarm(g->s);
    if (st == RV_OK && row)
        g->reason = "aggregation";
    else if (st == RV_OK)
        st = read_origins(g, t, stmt, err);
    sqlite3_finalize(stmt);
    return st;
}

static bool list_has_subquery(const gate *g)
{
    rv_sql_lexer lexer = {.text = rv_str_c(g->r->list), .flags = RV_SQL_SQLITE};
    for (;;) {
        rv_sql_token t = rv_sql_next(&lexer);
        if (t.kind == RV_SQL_END || t.kind == RV_SQL_BAD)
            return t.kind == RV_SQL_BAD;
        if (rv_sql_is(lexer.text, t, "SELECT") || rv_sql_is(lexer.text, t, "VALUES"))
            return true;
    }
}

/* A result column called like a key column must be that column: predicates go by name. */
static bool key_hidden(const gate *g)
{
    for (size_t k = 0; k < g->rel->key.n_columns; k++)
        for (size_t i = 0; i < g->r->n_columns; i++)
            if (strcmp(g->r->columns[i].name, g->rel->key.columns[k]) == 0 &&
                (!g->origins[i] || strcmp(g->origins[i], g->rel->key.columns[k]) != 0))
                return true;
    return false;
}

static bool bound_is_column(const gate *g, const char *name)
{
    for (size_t i = 0; name && i < g->r->n_columns; i++)
        if (strcmp(g->r->columns[i].name, name) == 0)
            return g->origins[i] != NULL;
    return true;
}

static rv_status key_gate(gate *g, const rv_sq_table *t, rv_error *err)
{
    for (size_t i = 0; i < g->r->n_columns; i++)
        g->r->columns[i].origin = g->origins[i];
    RV_TRY(rv_sq_key_choose(g->spec, t, g->r, g->rel, err));
    if (g->rel->key.n_columns == 0)
        g->reason = "no usable key in the list";
    else if (key_hidden(g))
        g->reason = "an alias hides the key";
    else if (!bound_is_column(g, g->spec->bound.column) ||
             !bound_is_column(g, g->spec->bound.fallback) ||
             (g->spec->bound.column && list_has_subquery(g)))
        g->reason = "the bound is no plain column";
    return RV_OK;
}

/* "LIST SUBQUERY 1", "CORRELATED SCALAR SUBQUERY 2", "USING ROWID SEARCH ON TABLE u FOR
 * IN-OPERATOR": what the condition asks beside the table being read. */
static bool is_subquery_node(const char *line)
{
    if (strncmp(line, "0 SEARCH", 8) == 0 || strncmp(line, "0 SCAN", 6) == 0)
        return false;
    return strstr(line, " SUBQUERY ") != NULL || strstr(line, " FOR IN-OPERATOR") != NULL;
}

static const rv_sq_key *chosen_key(const rv_sq_table *t, const rv_key *key)
{
    for (size_t i = 0; i < t->n_keys; i++) {
        const rv_sq_key *k = &t->keys[i];
        bool same = k->n == key->n_columns;
        for (size_t c = 0; same && c < k->n; c++)
            same = strcmp(k->columns[c], key->columns[c]) == 0;
        if (same)
            return k;
    }
    return NULL;
}

/* "USING INTEGER PRIMARY KEY", the key's own index, or one whose seek ends with the key: there an
 * equality of the condition comes first and the key still bounds and orders what is read. */
static bool seeks_key(const gate *g, const rv_sq_table *t, const char *line)
{
    const rv_sq_key *key = chosen_key(t, &g->rel->key);
    const char *uses = strstr(line, " USING ");
    const char *column = key ? g->rel->key.columns[0] : "rowid";
    if (!uses)
        return false;
    if (g->spec->bound.column && strstr(uses, "INDEX "))
        return true;
    if (key ? strstr(uses, key->index) != NULL : strstr(uses, "INTEGER PRIMARY KEY") != NULL)
        return true;
    const char *at = strstr(uses, column);
    return at && strncmp(at + strlen(column), ">?", 2) == 0;
}

/* One SEARCH along the key, no sort, nothing built first; else the node that refuses. */
static const char *plan_refusal(const gate *g, const rv_sq_table *t, const rv_sq_plan *plan)
{
    bool found = false;
    for (size_t i = 0; i < plan->n; i++) {
        const char *line = plan->lines[i];
        if (strstr(line, "TEMP B-TREE") || strstr(line, "MATERIALIZE") ||
            strstr(line, "CO-ROUTINE"))
            return line + 2;
        if (line[0] != '0' || is_subquery_node(line))
            continue;
        if (strncmp(line, "0 SEARCH", 8) != 0 || !seeks_key(g, t, line) || found)
            return line + 2;
        found = true;
    }
    return found ? NULL : "no plan";
}

static rv_status plan_gate(gate *g, const rv_sq_table *t, rv_error *err)
{
    rv_expr order[RV_SQ_ORDER_MAX];
    rv_sq_plan plan;
    RV_TRY(rv_sq_small(g->s, t, &g->small, err));
    if (g->small)
        return RV_OK;
    size_t n = rv_sq_bound_order(g->rel, g->spec->bound, order);
    RV_TRY(rv_sq_page_plan(g->s, g->rel, g->spec->bound, order, n, g->arena, &plan, err));
    g->reason = plan_refusal(g, t, &plan);
    return RV_OK;
}

static rv_status run_gates(gate *g, rv_error *err)
{
    rv_sq_table *t = NULL;
    rv_sql_shape_of(rv_str_c(g->r->query), RV_SQL_SQLITE, &g->shape);
    if (!g->shape.ok)
        return rv_arena_cstr(g->arena, rv_str_c(g->shape.reason), &g->reason, err);
    RV_TRY(splice_texts(g, err));
    RV_TRY(find_base(g, &t, err));
    if (g->reason)
        return RV_OK;
    RV_TRY(metadata(g, t, err));
    if (g->reason)
        return RV_OK;
    g->rel->base_table = t->name;
    RV_TRY(key_gate(g, t, err));
    if (g->reason)
        return RV_OK;
    g->r->table = t;
    g->r->spliced = true;
    return plan_gate(g, t, err);
}

/* --- what becomes of the query --- */

static rv_status probe_wrapped(rv_source *s, const rv_read_spec *spec, rv_arena *arena,
                               const rv_sq_relation *r, rv_error *err)
{
    const char *sql = NULL;
    char text[400];
    rv_error cause = {0};
    sqlite3_stmt *stmt = NULL;
    RV_TRY(rv_arena_printf(arena, &sql, err, "SELECT * FROM %s WHERE 1 = 0", r->from));
    bool same = false;
    rv_status st = rv_sq_prepare(s, sql, WHAT, &stmt, &cause);
    if (st != RV_OK && st != RV_E_SOURCE_QUERY) {
        if (err)
            *err = cause;
        return st;
    }
    if (st == RV_OK) {
        same = (size_t)sqlite3_column_count(stmt) == r->n_columns;
        for (size_t i = 0; same && i < r->n_columns; i++) {
            const char *name = sqlite3_column_name(stmt, (int)i);
            same = name && strcmp(name, r->columns[i].name) == 0;
        }
        sqlite3_finalize(stmt);
    }
    if (same)
        return RV_OK;
    rv_error_headline(&cause, text, sizeof text);
    st = rv_fail(err, RV_E_SOURCE_QUERY,
                 "mode %s has to wrap this query and the server refuses that (%s)",
                 rv_mode_name(spec->mode), text[0] ? text : "other column names");
    rv_hint(err, "make it a view and name it under table:");
    return st;
}

static rv_status warn_materialised(rv_source *s, const rv_read_spec *spec, const rv_relation *rel,
                                   rv_arena *arena, rv_error *err)
{
    const char *sql = NULL;
    rv_sq_plan plan;
    const rv_sq_relation *r = rel->driver;
    if (spec->mode != RV_CHUNKED)
        return RV_OK;
    RV_TRY(rv_arena_printf(arena, &sql, err, "SELECT * FROM %s", r->from));
    RV_TRY(rv_sq_explain(s, sql, arena, &plan, err));
    for (size_t i = 0; i < plan.n; i++) {
        if (!strstr(plan.lines[i], "MATERIALIZE") && !strstr(plan.lines[i], "CO-ROUTINE"))
            continue;
        RV_LOG_WARN(s->env,
                    "the query is computed anew for every chunk (%s); make it a table, or "
                    "read it with mode: full",
                    plan.lines[i] + 2);
        break;
    }
    return RV_OK;
}

static rv_status wrap(rv_source *s, const rv_read_spec *spec, rv_arena *arena, rv_relation *rel,
                      rv_error *err)
{
    rv_sq_relation *r = rel->driver;
    for (size_t i = 0; i < r->n_columns; i++)
        r->columns[i].origin = NULL;
    r->table = NULL;
    r->spliced = false;
    r->where = NULL;
    r->list = "*";
    r->qual = "\"_rivet\".";
    rel->key = (rv_key){0};
    rel->is_primary = false;
    RV_TRY(rv_arena_printf(arena, &r->from, err, "(%s\n) AS _rivet", r->query));
    if (spec->mode == RV_FULL) {
        r->verbatim = r->query;
        return RV_OK;
    }
    rel->wrapped = true;
    RV_TRY(probe_wrapped(s, spec, arena, r, err));
    return warn_materialised(s, spec, rel, arena, err);
}

static void settle(gate *g)
{
    rv_relation *rel = g->rel;
    rel->shape = RV_SHAPE_STATEMENT;
    rel->small = g->small;
    if (g->small)
        rel->shape_reason = "small table";
    else if (g->reason)
        rel->shape_reason = g->reason;
    else if (g->spec->consistency == RV_CONSISTENCY_STATEMENT)
        rel->shape_reason = "consistency: statement";
    else
        rel->shape = RV_SHAPE_PAGES;
    if (rel->shape == RV_SHAPE_STATEMENT && g->spec->mode == RV_FULL)
        g->r->verbatim = g->r->query;
}

rv_status rv_sq_query_gates(rv_source *s, const rv_read_spec *spec, rv_arena *arena,
                            rv_relation *rel, rv_error *err)
{
    rv_sq_relation *r = rel->driver;
    gate g = {.s = s, .spec = spec, .arena = arena, .rel = rel, .r = r};
    sqlite3_stmt *stmt = NULL;
    RV_TRY(rv_arena_cstr(arena, rv_str_c(spec->query), &r->query, err));
    r->what = WHAT;
    RV_TRY(rv_sq_refresh(s, err));
    RV_TRY(prepare_user(s, r->query, &stmt, err));
    rv_status st = rv_sq_describe(stmt, arena, r, err);
    sqlite3_finalize(stmt);
    RV_TRY(st);
    RV_TRY(run_gates(&g, err));
    if (g.reason)
        RV_TRY(wrap(s, spec, arena, rel, err));
    settle(&g);
    return RV_OK;
}
