#include "base/json.h"
#include "engine/init_internal.h"

static void number(rv_json *j, const char *key, int64_t v)
{
    rv_json_key(j, key);
    if (v < 0)
        rv_json_null(j);
    else
        rv_json_i64(j, v);
}

static void reasons(rv_json *j, const rv_init_candidate *c)
{
    rv_json_key(j, "reasons");
    rv_json_array(j);
    rv_json_cstr(j, c->column->timestamp ? "timestamp_type" : "integer_monotonic");
    if (c->column->primary_key)
        rv_json_cstr(j, "primary_key");
    if (c->updated)
        rv_json_cstr(j, "name_suggests_updated");
    if (c->created)
        rv_json_cstr(j, "name_suggests_created");
    if (c->column->nullable)
        rv_json_cstr(j, "nullable");
    rv_json_array_end(j);
}

static void cursors(rv_json *j, const rv_init_plan *p)
{
    rv_json_key(j, "cursor_candidates");
    rv_json_array(j);
    for (size_t i = 0; i < p->n_cursors; i++) {
        const rv_init_candidate *c = &p->cursors[i];
        rv_json_object(j);
        rv_json_kstr(j, "column", c->column->name);
        rv_json_kstr(j, "data_type", c->column->data_type);
        rv_json_kbool(j, "is_nullable", c->column->nullable);
        rv_json_kbool(j, "is_primary_key", c->column->primary_key);
        rv_json_ki64(j, "score", c->score);
        reasons(j, c);
        rv_json_object_end(j);
    }
    rv_json_array_end(j);
}

static void chunks(rv_json *j, const rv_init_plan *p)
{
    rv_json_key(j, "chunk_candidates");
    rv_json_array(j);
    for (size_t i = 0; i < p->n_chunks; i++) {
        const rv_init_candidate *c = &p->chunks[i];
        rv_json_object(j);
        rv_json_kstr(j, "column", c->column->name);
        rv_json_kstr(j, "data_type", c->column->data_type);
        rv_json_kbool(j, "is_primary_key", c->column->primary_key);
        rv_json_ki64(j, "score", c->score);
        rv_json_object_end(j);
    }
    rv_json_array_end(j);
}

static rv_status note_columns(rv_json *j, const rv_init_plan *p, rv_arena *a, rv_error *err)
{
    for (size_t i = 0; i < p->table->n_columns; i++) {
        const rv_catalog_column *c = &p->table->columns[i];
        const char *text;
        if (!c->unsupported && !c->unconstrained_decimal)
            continue;
        RV_TRY(rv_arena_printf(a, &text, err, "column '%s' (%s) %s", c->name, c->data_type,
                               c->unsupported ? "has no lossless type"
                                              : "has no precision: declare it under columns:"));
        rv_json_cstr(j, text);
    }
    return RV_OK;
}

static rv_status notes(rv_json *j, const rv_init_plan *p, rv_arena *a, rv_error *err)
{
    const char *text;
    rv_json_key(j, "notes");
    rv_json_array(j);
    if (p->table->view)
        rv_json_cstr(j, "a view: rows and keys are unknown");
    if (p->comment)
        rv_json_cstr(j, p->comment);
    if (p->chunk_by_key) {
        RV_TRY(rv_arena_printf(a, &text, err, "chunked by key: chunk_by_key: %s", p->chunk_by_key));
        rv_json_cstr(j, text);
    }
    RV_TRY(note_columns(j, p, a, err));
    rv_json_array_end(j);
    return RV_OK;
}

static rv_status table(rv_json *j, const rv_init_plan *p, rv_arena *a, rv_error *err)
{
    rv_json_object(j);
    rv_json_kstr(j, "schema", p->table->schema);
    rv_json_kstr(j, "table", p->table->name);
    number(j, "row_estimate", p->table->row_estimate);
    number(j, "total_bytes", p->table->total_bytes);
    rv_json_kstr(j, "suggested_mode", rv_mode_name(p->mode));
    cursors(j, p);
    rv_json_kstr(j, "suggested_cursor_fallback_column", p->fallback);
    chunks(j, p);
    RV_TRY(notes(j, p, a, err));
    rv_json_object_end(j);
    return RV_OK;
}

static const char *scope(const rv_initing *in)
{
    if (in->opts->table)
        return in->opts->table;
    if (in->opts->schema)
        return in->opts->schema;
    return in->source.engine == RV_ENGINE_SQLITE ? "main" : in->plans[0].table->schema;
}

rv_status rv_init_discover(rv_initing *in, rv_buf *out, rv_error *err)
{
    rv_json j;
    bool tls = in->source.engine != RV_ENGINE_SQLITE;
    rv_json_begin(&j, out, true);
    rv_json_object(&j);
    rv_json_kstr(&j, "rivet_version", RIVET_VERSION);
    rv_json_kstr(&j, "source_type", rv_engine_name(in->source.engine));
    rv_json_kstr(&j, "scope", scope(in));
    rv_json_kstr(&j, "tls_mode", tls ? in->opts->tls_mode : NULL);
    rv_json_key(&j, "tables");
    rv_json_array(&j);
    for (size_t i = 0; i < in->n_plans; i++)
        RV_TRY(table(&j, &in->plans[i], in->arena, err));
    rv_json_array_end(&j);
    rv_json_object_end(&j);
    RV_TRY(rv_json_end(&j, err));
    return rv_buf_add_byte(out, '\n', err);
}
