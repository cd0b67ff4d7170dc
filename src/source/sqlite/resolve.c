#include <stdio.h>

#include "source/sql/name.h"
#include "source/sql/override.h"
#include "source/sqlite/relation_internal.h"

#define WHAT "resolving the columns"

rv_status rv_sq_describe(sqlite3_stmt *stmt, rv_arena *arena, rv_sq_relation *r, rv_error *err)
{
    r->n_columns = (size_t)sqlite3_column_count(stmt);
    RV_TRY(rv_arena_array(arena, r->n_columns, sizeof *r->columns, &r->columns, err));
    for (size_t i = 0; i < r->n_columns; i++) {
        rv_sq_column *c = &r->columns[i];
        const char *name = sqlite3_column_name(stmt, (int)i);
        const char *decl = sqlite3_column_decltype(stmt, (int)i);
        if (!name)
            return rv_fail_memory(err);
        RV_TRY(rv_arena_cstr(arena, rv_str_c(name), &c->name, err));
        RV_TRY(rv_arena_cstr(arena, rv_str_c(decl ? decl : ""), &c->decl, err));
    }
    return RV_OK;
}

static rv_status missing_table(rv_source *s, const rv_read_spec *spec, rv_arena *arena,
                               rv_error *err)
{
    const char **names = NULL;
    size_t n = 0;
    RV_TRY(rv_sq_names(s, arena, &names, &n, err));
    rv_status st = rv_fail(err, RV_E_SOURCE_MISSING, "table '%s' does not exist in '%s'",
                           spec->table, s->path);
    int guess = rv_suggest(rv_str_c(spec->table), names, n);
    if (guess >= 0)
        rv_hint(err, "did you mean '%s'?", names[guess]);
    else
        rv_hint(err, "correct exports[].table, or choose another database under source");
    return st;
}

static rv_status find_spec_table(rv_source *s, const rv_read_spec *spec, rv_arena *arena,
                                 rv_sq_table **out, rv_error *err)
{
    rv_sql_name name;
    RV_TRY(rv_sql_name_parse(spec->table, 2, arena, &name, err));
    bool main_schema = name.n == 1 || rv_str_eq_nocase(rv_str_c(name.part[0]), RV_STR("main"));
    rv_sq_table *t = NULL;
    if (main_schema)
        RV_TRY(
            rv_sq_table_load(s, name.part[name.n - 1], !name.quoted[name.n - 1], arena, &t, err));
    if (!t)
        return missing_table(s, spec, arena, err);
    *out = t;
    return RV_OK;
}

/* Copies what a buffer holds into the arena and empties it. */
static rv_status keep(rv_buf *b, rv_arena *arena, const char **out, rv_error *err)
{
    rv_status st = rv_arena_cstr(arena, rv_buf_str(b), out, err);
    rv_buf_clear(b);
    return st;
}

static rv_status table_texts(const rv_sq_table *t, rv_arena *arena, rv_sq_relation *r,
                             rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_sql_quote(rv_str_c(t->name), '"', '"', &b, err));
    RV_GO(rv_buf_add_byte(&b, '.', err));
    RV_GO(keep(&b, arena, &r->qual, err));
    /* unqualified, as plans are to be read by people: no other schema exists here */
    RV_GO(rv_sql_quote(rv_str_c(t->name), '"', '"', &b, err));
    RV_GO(keep(&b, arena, &r->from, err));
    for (size_t i = 0; i < t->n_columns; i++) {
        RV_GO(rv_buf_add_c(&b, i ? ", " : "", err));
        RV_GO(rv_buf_add_c(&b, r->qual, err));
        RV_GO(rv_sql_quote(rv_str_c(t->columns[i].name), '"', '"', &b, err));
    }
    RV_GO(keep(&b, arena, &r->list, err));
    RV_GO(rv_arena_printf(arena, &r->what, err, "reading %s '%s'", t->view ? "view" : "table",
                          t->name));
done:
    rv_buf_free(&b);
    return st;
}

/* Result columns of `table:`; a view's declared types come from its own result. */
static rv_status table_columns(rv_source *s, const rv_sq_table *t, rv_arena *arena,
                               rv_sq_relation *r, rv_error *err)
{
    const char *sql = NULL;
    sqlite3_stmt *stmt = NULL;
    RV_TRY(rv_arena_printf(arena, &sql, err, "SELECT %s FROM %s", r->list, r->from));
    RV_TRY(rv_sq_prepare(s, sql, WHAT, &stmt, err));
    rv_status st = rv_sq_describe(stmt, arena, r, err);
    sqlite3_finalize(stmt);
    for (size_t i = 0; st == RV_OK && i < r->n_columns; i++) {
        r->columns[i].name = t->columns[i].name;
        if (!t->view)
            r->columns[i].decl = t->columns[i].decl;
    }
    return st;
}

static rv_status resolve_table(rv_source *s, const rv_read_spec *spec, rv_arena *arena,
                               rv_relation *rel, rv_error *err)
{
    rv_sq_relation *r = rel->driver;
    rv_sq_table *t = NULL;
    RV_TRY(find_spec_table(s, spec, arena, &t, err));
    r->is_table = true;
    r->table = t;
    rel->base_table = t->name;
    if (t->n_columns == 0)
        return rv_fail(err, RV_E_SOURCE_QUERY, "table '%s' has no columns", t->name);
    RV_TRY(table_texts(t, arena, r, err));
    RV_TRY(table_columns(s, t, arena, r, err));
    rel->shape = RV_SHAPE_STATEMENT;
    rel->shape_reason = t->view ? "view" : t->is_virtual ? "virtual table" : "no usable key";
    return RV_OK;
}

/* --- types --- */

typedef struct sampling {
    rv_sq_sample *samples; /* one per column */
    size_t n_open;         /* columns without a declared type */
} sampling;

static rv_status sample_rows(rv_source *s, const rv_sq_relation *r, const char *sql, sampling *sam,
                             rv_error *err)
{
    sqlite3_stmt *stmt = NULL;
    bool row = false;
    RV_TRY(rv_sq_prepare(s, sql, WHAT, &stmt, err));
    rv_status st = RV_OK;
    rv_sq_arm(s, 0);
    for (int n = 0; n < RV_SQ_SAMPLE_ROWS; n++) {
        RV_GO(rv_sq_step(s, stmt, WHAT, &row, err));
        if (!row)
            break;
        for (size_t i = 0; i < r->n_columns; i++)
            if (r->columns[i].sampled)
                rv_sq_sample_add(&sam->samples[i], sqlite3_column_type(stmt, (int)i));
    }
done:
    rv_sq_disarm(s);
    sqlite3_finalize(stmt);
    return st;
}

static bool is_mixed(const rv_sq_sample *s)
{
    return s->integer + s->real + s->text + s->blob > 1;
}

static rv_status natural_types(rv_source *s, rv_arena *arena, rv_sq_relation *r, rv_error *err)
{
    sampling sam = {NULL, 0};
    const char *sql = r->query;
    for (size_t i = 0; i < r->n_columns; i++) {
        rv_sq_column *c = &r->columns[i];
        c->sampled = !rv_sq_declared(c->decl, &c->natural);
        sam.n_open += c->sampled;
    }
    if (sam.n_open == 0)
        return RV_OK;
    RV_TRY(rv_arena_array(arena, r->n_columns, sizeof *sam.samples, &sam.samples, err));
    if (!sql)
        RV_TRY(rv_arena_printf(arena, &sql, err, "SELECT %s\nFROM %s%s%s", r->list, r->from,
                               r->where ? " WHERE " : "", r->where ? r->where : ""));
    RV_TRY(sample_rows(s, r, sql, &sam, err));
    for (size_t i = 0; i < r->n_columns; i++) {
        rv_sq_column *c = &r->columns[i];
        if (!c->sampled)
            continue;
        c->natural = rv_sq_sample_type(&sam.samples[i]);
        c->mixed = is_mixed(&sam.samples[i]);
    }
    return RV_OK;
}

/* --- schema --- */

static bool column_nullable(const rv_sq_relation *r, const rv_sq_column *c)
{
    if (!r->table)
        return true;
    const rv_sq_table_column *tc =
        rv_sq_table_column_find(r->table, c->origin ? c->origin : c->name);
    return !tc || !tc->not_null || (!r->is_table && !c->origin);
}

static rv_status fill_column(const rv_read_spec *spec, const rv_relation *rel, rv_sq_column *c,
                             rv_column *out, rv_arena *arena, rv_error *err)
{
    const rv_cfg_column *o = rv_sql_override_find(spec, rel->base_table, c->name);
    c->type = c->natural;
    if (!o && spec->on_invalid_utf8 == RV_UTF8_BINARY && c->natural.kind == RV_STRING)
        c->type = rv_type_of(RV_BINARY);
    if (o) {
        RV_TRY(rv_sq_override_check(c->name, c->decl, c->natural, o->type, err));
        c->type = o->type;
        c->overridden = true;
    }
    atomic_init(&c->storage, 0);
    c->decode = rv_sq_decoder(c);
    out->name = c->name;
    out->type = c->type;
    out->source_type = c->decl[0] ? c->decl : "untyped";
    out->nullable = column_nullable(rel->driver, c);
    out->fidelity = rv_type_fidelity(c->type);
    return o ? rv_override_judge(out, c->natural, o->type, arena, err) : RV_OK;
}

static rv_status fill_schema(const rv_read_spec *spec, rv_arena *arena, rv_relation *rel,
                             rv_error *err)
{
    rv_sq_relation *r = rel->driver;
    RV_TRY(rv_arena_alloc(arena, sizeof *rel->schema, &rel->schema, err));
    rel->schema->n_columns = r->n_columns;
    RV_TRY(rv_arena_array(arena, r->n_columns, sizeof(rv_column), &rel->schema->columns, err));
    for (size_t i = 0; i < r->n_columns; i++)
        RV_TRY(fill_column(spec, rel, &r->columns[i], &rel->schema->columns[i], arena, err));
    RV_TRY(rv_schema_check_names(rel->schema, err));
    return rv_sql_override_check(spec, rel->schema, arena, err);
}

/* --- bound --- */

static rv_sq_column *result_column(const rv_relation *rel, const char *name)
{
    rv_sq_relation *r = rel->driver;
    for (size_t i = 0; i < r->n_columns; i++)
        if (strcmp(r->columns[i].name, name) == 0)
            return &r->columns[i];
    return NULL;
}

static rv_status missing_column(const rv_relation *rel, const char *name, rv_arena *arena,
                                rv_error *err)
{
    const rv_sq_relation *r = rel->driver;
    const char **names = NULL;
    RV_TRY(rv_arena_array(arena, r->n_columns, sizeof *names, &names, err));
    for (size_t i = 0; i < r->n_columns; i++)
        names[i] = r->columns[i].name;
    rv_status st =
        rv_fail(err, RV_E_SOURCE_MISSING, "%s: no column '%s' in the result", r->what, name);
    int guess = rv_suggest(rv_str_c(name), names, r->n_columns);
    if (guess >= 0)
        rv_hint(err, "did you mean '%s'? names are taken exactly, case included", names[guess]);
    return st;
}

/* The class of the first value among the first rows, and the form of TEXT instants. */
static rv_status probe_bound(rv_source *s, const rv_relation *rel, rv_expr bound, rv_arena *arena,
                             int *out_storage, char *out_separator, rv_error *err)
{
    const rv_sq_relation *r = rel->driver;
    rv_buf column = RV_BUF_INIT;
    sqlite3_stmt *stmt = NULL;
    const char *sql = NULL;
    bool row = false;
    rv_status st;
    RV_GO(rv_sq_text_expr(rel, bound, &column, err));
    RV_GO(rv_arena_printf(arena, &sql, err,
                          "SELECT v FROM (SELECT %.*s AS v FROM %s%s%s LIMIT %d) "
                          "WHERE v IS NOT NULL LIMIT 1",
                          (int)column.len, (const char *)column.ptr, r->from,
                          r->where ? " WHERE " : "", r->where ? r->where : "", RV_SQ_SAMPLE_ROWS));
    RV_GO(rv_sq_prepare(s, sql, WHAT, &stmt, err));
    rv_sq_arm(s, 0);
    RV_GO(rv_sq_step(s, stmt, WHAT, &row, err));
    *out_storage = row ? sqlite3_column_type(stmt, 0) : SQLITE_NULL;
    if (*out_storage == SQLITE_TEXT && sqlite3_column_bytes(stmt, 0) > 10 &&
        sqlite3_column_text(stmt, 0)[10] == 'T')
        *out_separator = 'T';
done:
    rv_sq_disarm(s);
    sqlite3_finalize(stmt);
    rv_buf_free(&column);
    return st;
}

static rv_kind wire_kind(int storage, rv_type natural)
{
    switch (storage) {
    case SQLITE_INTEGER:
        return RV_INT64;
    case SQLITE_FLOAT: /* a decimal column holds integers too, which must keep their digits */
        return natural.kind == RV_DECIMAL ? RV_INT64 : RV_FLOAT64;
    case SQLITE_TEXT:
        return RV_STRING;
    case SQLITE_BLOB:
        return RV_BINARY;
    default:
        break;
    }
    if (natural.kind == RV_INT64 || natural.kind == RV_BOOL)
        return RV_INT64;
    if (natural.kind == RV_FLOAT64)
        return RV_FLOAT64;
    return natural.kind == RV_BINARY ? RV_BINARY : RV_STRING;
}

size_t rv_sq_bound_order(const rv_relation *rel, rv_expr bound, rv_expr out[RV_SQ_ORDER_MAX])
{
    size_t n = 0;
    if (bound.column)
        out[n++] = bound;
    for (size_t i = 0; i < rel->key.n_columns; i++)
        if (!bound.column || bound.fallback || strcmp(rel->key.columns[i], bound.column) != 0)
            out[n++] = (rv_expr){rel->key.columns[i], NULL};
    return n;
}

rv_status rv_sq_page_plan(rv_source *s, const rv_relation *rel, rv_expr bound, const rv_expr *order,
                          size_t n_order, rv_arena *arena, rv_sq_plan *out, rv_error *err)
{
    rv_datum values[RV_SQ_ORDER_MAX] = {0};
    for (size_t i = 0; i < n_order; i++)
        values[i] = (rv_datum){.kind = RV_INT64, .text = RV_STR("0")};
    rv_pred upper = {.expr = bound, .op = RV_LE, .value = values[0]};
    rv_page_spec page = {.relation = rel,
                         .preds = &upper,
                         .n_preds = bound.column ? 1 : 0,
                         .order = order,
                         .n_order = n_order,
                         .after = values};
    rv_sq_select select = {.limit = true};
    rv_sq_text text = RV_SQ_TEXT_INIT;
    rv_status st;
    RV_GO(rv_sq_text_select(rel, &page, &select, &text, err));
    RV_GO(rv_sq_explain(s, (const char *)text.sql.ptr, arena, out, err));
done:
    rv_sq_text_free(&text);
    return st;
}

/* The plan of a page in (bound, key) order: no sort, and an index or the table itself leads. */
static rv_status bound_plan(rv_source *s, rv_relation *rel, rv_expr bound, rv_arena *arena,
                            rv_error *err)
{
    rv_expr order[RV_SQ_ORDER_MAX];
    rv_sq_plan plan;
    bool sorted = false, search = false;
    RV_TRY(rv_sq_page_plan(s, rel, bound, &bound, 1, arena, &plan, err));
    for (size_t i = 0; i < plan.n; i++)
        search |= strncmp(plan.lines[i], "0 SEARCH", 8) == 0;
    rel->bound_indexed = search;
    if (!search || rel->key.n_columns == 0)
        return RV_OK;
    size_t n = rv_sq_bound_order(rel, bound, order);
    RV_TRY(rv_sq_page_plan(s, rel, bound, order, n, arena, &plan, err));
    for (size_t i = 0; i < plan.n; i++)
        sorted |= strstr(plan.lines[i], "TEMP B-TREE") != NULL;
    rel->ordered_by_bound = !sorted;
    return RV_OK;
}

static rv_status resolve_bound(rv_source *s, const rv_read_spec *spec, rv_arena *arena,
                               rv_relation *rel, rv_error *err)
{
    rv_sq_relation *r = rel->driver;
    r->day_separator = ' ';
    r->bound = spec->bound;
    if (!spec->bound.column)
        return RV_OK;
    const rv_sq_column *c = result_column(rel, spec->bound.column);
    if (!c)
        return missing_column(rel, spec->bound.column, arena, err);
    if (spec->bound.fallback && !result_column(rel, spec->bound.fallback))
        return missing_column(rel, spec->bound.fallback, arena, err);
    int storage = SQLITE_NULL;
    RV_TRY(probe_bound(s, rel, spec->bound, arena, &storage, &r->day_separator, err));
    rel->bound_type = c->natural;
    rel->bound_kind = wire_kind(storage, c->natural);
    rel->bound_not_null = !spec->bound.fallback && !column_nullable(r, c);
    return bound_plan(s, rel, spec->bound, arena, err);
}

/* --- the whole --- */

static rv_status row_names(rv_arena *arena, rv_relation *rel, rv_error *err)
{
    rv_sq_relation *r = rel->driver;
    const rv_sq_table *t = r->table;
    if (!t || t->view || t->is_virtual)
        return RV_OK;
    const char **names = NULL;
    if (t->rowid) {
        RV_TRY(rv_arena_array(arena, 1, sizeof *names, &names, err));
        names[0] = t->rowid;
        r->n_ident = 1;
        r->ident_rowid = true;
    } else if (t->n_keys > 0 && t->keys[0].primary) {
        r->n_ident = t->keys[0].n;
        RV_TRY(rv_arena_array(arena, r->n_ident, sizeof *names, &names, err));
        memcpy(names, t->keys[0].columns, r->n_ident * sizeof *names);
    }
    r->ident = names;
    return RV_OK;
}

static void choose_shape(const rv_read_spec *spec, rv_relation *rel)
{
    const rv_sq_relation *r = rel->driver;
    if (!r->is_table)
        return;
    if (rel->key.n_columns == 0)
        return;
    if (spec->consistency == RV_CONSISTENCY_STATEMENT) {
        rel->shape_reason = "consistency: statement";
        return;
    }
    rel->shape = RV_SHAPE_PAGES;
    rel->shape_reason = "";
}

rv_status rv_sq_resolve(rv_source *s, const rv_read_spec *spec, rv_arena *arena, rv_relation **out,
                        rv_error *err)
{
    rv_relation *rel = NULL;
    rv_sq_relation *r = NULL;
    RV_TRY(rv_arena_alloc(arena, sizeof *rel, &rel, err));
    RV_TRY(rv_arena_alloc(arena, sizeof *r, &r, err));
    rel->driver = r;
    rel->engine = "sqlite";
    rel->row_estimate = -1;
    rel->row_bytes = -1;
    rel->shape_reason = "";
    r->null_on_error = spec->override_error_null;
    if (spec->table)
        RV_TRY(resolve_table(s, spec, arena, rel, err));
    else
        RV_TRY(rv_sq_query_gates(s, spec, arena, rel, err));
    RV_TRY(natural_types(s, arena, r, err));
    RV_TRY(fill_schema(spec, arena, rel, err));
    RV_TRY(row_names(arena, rel, err));
    if (spec->table)
        RV_TRY(rv_sq_key_choose(spec, r->table, NULL, rel, err));
    choose_shape(spec, rel);
    RV_TRY(resolve_bound(s, spec, arena, rel, err));
    if (r->table && !r->table->view && !r->table->is_virtual)
        RV_TRY(rv_sq_estimate(s, r->table, &rel->row_estimate, &rel->row_bytes, err));
    *out = rel;
    return RV_OK;
}
