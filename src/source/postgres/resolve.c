/* From the configuration to a relation: which table, columns, key and shape. */
#include "source/postgres/decode_internal.h"
#include "source/postgres/relation_internal.h"

/* --- table: --- */

static rv_status table_texts(rv_pgs_resolving *v, rv_error *err)
{
    rv_pgs_relation *r = v->r;
    const rv_pgs_table *t = v->table;
    rv_buf b = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_pgs_quote(t->name, &b, err));
    RV_GO(rv_pgs_keep(&b, v->arena, &r->qualifier, err));
    RV_GO(rv_pgs_quote(t->schema, &b, err));
    RV_GO(rv_buf_printf(&b, err, ".%s", r->qualifier));
    RV_GO(rv_pgs_keep(&b, v->arena, &r->from, err));
    for (size_t i = 0; i < t->n_attrs; i++) {
        RV_GO(rv_buf_printf(&b, err, "%s%s.", i ? ", " : "", r->qualifier));
        RV_GO(rv_pgs_quote(t->attrs[i].name, &b, err));
    }
    RV_GO(rv_pgs_keep(&b, v->arena, &r->list, err));
done:
    rv_buf_free(&b);
    return st;
}

static rv_status describe_table(rv_pgs_resolving *v, rv_error *err)
{
    const char *sql = NULL;
    RV_TRY(rv_arena_printf(v->arena, &sql, err, "SELECT %s FROM %s WHERE 1 = 0", v->r->list,
                           v->r->from));
    RV_TRY(rv_pgs_describe(v, sql, NULL, err));
    rv_pgs_attr_types(v);
    return rv_pgs_attr_print(v->table, v->arena, &v->r->fingerprint, err);
}

static rv_status resolve_table(rv_pgs_resolving *v, rv_error *err)
{
    RV_TRY(rv_pgs_table_find(v->s, v->spec->table, v->arena, &v->table, err));
    v->rel->base_schema = v->table->schema;
    v->rel->base_table = v->table->name;
    v->r->base_oid = v->table->oid;
    v->r->relkind = v->table->relkind;
    v->r->pages = v->table->blocks;
    RV_TRY(rv_pgs_table_attrs(v->s, v->table, v->arena, err));
    if (v->table->n_attrs == 0)
        return rv_fail(err, RV_E_SOURCE_QUERY, "table '%s' has no columns", v->table->name);
    RV_TRY(table_texts(v, err));
    RV_TRY(describe_table(v, err));
    RV_TRY(rv_pgs_table_indexes(v->s, v->table, v->arena, err));
    return rv_pgs_key_choose(v->spec, v->table, NULL, v->rel, err);
}

/* --- shape of a table --- */

static const char *kind_reason(const rv_pgs_table *t)
{
    if (t->relkind == 'v')
        return "view";
    if (t->relkind == 'f')
        return "foreign table";
    if (t->children)
        return "inheritance children";
    return t->relkind == 'p' ? "partitioned table without a usable key" : "no usable key";
}

/* Ranges of physical addresses: one heap, one snapshot, a server that can scan them. */
static bool ranges_possible(const rv_pgs_resolving *v)
{
    const rv_pgs_table *t = v->table;
    return v->spec->mode == RV_FULL && (t->relkind == 'r' || t->relkind == 'm') && !t->children &&
           rv_pg_version(v->s->pg) >= 140000 && !v->s->statement_pool;
}

static void take_ranges(rv_relation *rel)
{
    rv_pgs_relation *r = rel->driver;
    rel->shape = RV_SHAPE_RANGES;
    rel->key = (rv_key){.name = "ctid",
                        .columns = {"ctid"},
                        .kinds = {rv_pgs_wire_kind(RV_PG_TID)},
                        .n_columns = 1};
    rel->is_primary = false;
    r->key_column[0] = -1;
    r->key_oid[0] = RV_PG_TID;
}

static void take_whole(rv_pgs_resolving *v, const char *reason)
{
    rv_relation *rel = v->rel;
    const rv_pgs_table *t = v->table;
    bool heap = t->relkind == 'r' || t->relkind == 'm' || t->relkind == 'p';
    rel->shape_reason = reason;
    rel->small = heap && t->bytes <= RV_PGS_SMALL_BYTES;
    if (rel->small) {
        rel->shape = RV_SHAPE_STATEMENT;
        rel->shape_reason = "small table";
    } else if (ranges_possible(v)) {
        take_ranges(rel);
    } else {
        rel->shape = v->s->statement_pool ? RV_SHAPE_STATEMENT : RV_SHAPE_CURSOR;
    }
}

static rv_status choose_shape(rv_pgs_resolving *v, rv_error *err)
{
    rv_relation *rel = v->rel;
    bool seq = false;
    const char *refusal = NULL;
    rv_consistency wish = v->spec->consistency;
    if (rel->key.n_columns == 0) {
        take_whole(v, kind_reason(v->table));
        return RV_OK;
    }
    if (wish == RV_CONSISTENCY_STATEMENT) {
        take_whole(v, "consistency: statement");
        return RV_OK;
    }
    if (wish == RV_CONSISTENCY_SNAPSHOT && ranges_possible(v)) {
        rel->shape_reason = "consistency: snapshot";
        take_ranges(rel);
        return RV_OK;
    }
    if (v->table->bytes > RV_PGS_SMALL_BYTES)
        RV_TRY(rv_pgs_page_gate(v, false, &refusal, &seq, err));
    if (refusal) {
        take_whole(v, refusal);
        return RV_OK;
    }
    rel->shape = RV_SHAPE_PAGES;
    return RV_OK;
}

/* --- what both have in common --- */

void rv_pgs_place_key(rv_pgs_resolving *v)
{
    const rv_key *key = &v->rel->key;
    for (size_t k = 0; k < key->n_columns; k++) {
        const rv_pgs_attr *a = rv_pgs_attr_find(v->table, key->columns[k]);
        v->r->key_column[k] = -1;
        v->r->key_oid[k] = a->base;
        for (size_t i = 0; i < v->n_columns && v->r->key_column[k] < 0; i++)
            if (v->columns[i].table == v->table->oid && v->columns[i].attnum == a->number)
                v->r->key_column[k] = (int)i;
    }
}

/* Columns that travel as the server's text are cast by an outer SELECT. */
static rv_status outer_list(rv_pgs_resolving *v, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = RV_OK;
    bool needed = false;
    for (size_t i = 0; i < v->r->n_columns; i++) {
        const rv_pgs_column *c = &v->r->columns[i];
        needed |= c->as_text;
        RV_GO(rv_buf_add_c(&b, i ? ", " : "", err));
        RV_GO(rv_pgs_quote(c->name, &b, err));
        if (!c->as_text)
            continue;
        RV_GO(rv_buf_add_c(&b, "::text AS ", err));
        RV_GO(rv_pgs_quote(c->name, &b, err));
    }
    if (needed)
        RV_GO(rv_pgs_keep(&b, v->arena, &v->r->outer_list, err));
done:
    rv_buf_free(&b);
    return st;
}

/* Rows the planner expects of the read as it is written. */
static rv_status estimate(rv_pgs_resolving *v, rv_error *err)
{
    const rv_pgs_relation *r = v->r;
    rv_relation *rel = v->rel;
    rv_pgs_plan plan = {NULL, NULL};
    const char *sql = r->query;
    if (!sql)
        RV_TRY(rv_arena_printf(v->arena, &sql, err, "SELECT %s FROM %s", r->list, r->from));
    RV_TRY(rv_pgs_explain(v->s, r->allow_row_security, "", sql, &plan, err));
    rel->row_estimate = rv_pgs_plan_rows(&plan);
    rel->row_bytes = rv_pgs_plan_width(&plan);
    if (!r->query && rel->row_estimate > 0 && v->table->bytes > 0)
        rel->row_bytes = v->table->bytes / rel->row_estimate;
    rv_pgs_plan_free(&plan);
    return RV_OK;
}

rv_status rv_pgs_resolve(rv_source *s, const rv_read_spec *spec, rv_arena *arena, rv_relation **out,
                         rv_error *err)
{
    rv_pgs_resolving v = {.s = s, .spec = spec, .arena = arena};
    const char *ignored = NULL;
    RV_TRY(rv_arena_alloc(arena, sizeof *v.rel, &v.rel, err));
    RV_TRY(rv_arena_alloc(arena, sizeof *v.r, &v.r, err));
    v.rel->driver = v.r;
    v.rel->engine = "postgres";
    v.rel->row_estimate = v.rel->row_bytes = -1;
    v.rel->shape_reason = "";
    v.r->bound_column = -1;
    v.r->allow_row_security = spec->allow_row_security;
    v.r->on_invalid_utf8 = spec->on_invalid_utf8;
    v.r->override_error_null = spec->override_error_null;
    if (spec->table)
        RV_TRY(resolve_table(&v, err));
    else
        RV_TRY(rv_pgs_query_gates(&v, err));
    RV_TRY(rv_pgs_bind_columns(&v, err));
    RV_TRY(outer_list(&v, err));
    RV_TRY(estimate(&v, err));
    if (v.rel->key.n_columns)
        rv_pgs_place_key(&v);
    RV_TRY(rv_pgs_place_bound(&v, err));
    if (spec->table)
        RV_TRY(choose_shape(&v, err));
    else
        RV_TRY(rv_pgs_query_shape(&v, err));
    if (v.rel->shape == RV_SHAPE_PAGES)
        RV_TRY(rv_pgs_bound_order(&v, &ignored, err));
    *out = v.rel;
    return RV_OK;
}
