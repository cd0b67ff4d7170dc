#include <string.h>

#include "state/state_internal.h"

static rv_status read_ties(const rv_val *v, rv_position_row *out, rv_arena *a, rv_error *err)
{
    out->has_ties = v->kind == RV_VAL_BLOB;
    if (!out->has_ties)
        return RV_OK;
    uint8_t *copy;
    RV_TRY(rv_arena_alloc(a, v->b.len ? v->b.len : 1, &copy, err));
    if (v->b.len)
        memcpy(copy, v->b.ptr, v->b.len);
    out->cursor_ties = (rv_bytes){copy, v->b.len};
    return RV_OK;
}

static rv_status read_position(rv_state *s, rv_rows *rows, rv_arena *a, rv_position_row *out,
                               rv_error *err)
{
    const char **texts[] = {&out->last_cursor_value, &out->cursor_type, &out->keyset_high,
                            &out->key_columns,       &out->owner,       &out->last_run_at,
                            &out->last_run_id};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        rv_val v = s->backend->value(rows, i);
        RV_TRY(rv_st_text(&v, a, texts[i], err));
    }
    rv_val ties = s->backend->value(rows, sizeof texts / sizeof texts[0]);
    return read_ties(&ties, out, a, err);
}

typedef struct position_ctx {
    const char *export_name;
    rv_arena *arena;
    rv_position_row row;
    bool found;
} position_ctx;

static rv_status position_body(rv_state *s, void *ctx, rv_error *err)
{
    position_ctx *c = ctx;
    rv_rows *rows;
    c->row = (rv_position_row){0};
    RV_TRY(s->backend->query(s->db,
                             "SELECT last_cursor_value, cursor_type, keyset_high, key_columns, "
                             "owner, last_run_at, last_run_id, cursor_ties FROM export_state "
                             "WHERE project = ? AND export_name = ?",
                             RV_PARAMS(rv_val_text(s->project), rv_val_text(c->export_name)), &rows,
                             err));
    rv_status st = s->backend->next(rows, &c->found, err);
    if (st == RV_OK && c->found)
        st = read_position(s, rows, c->arena, &c->row, err);
    s->backend->rows_end(rows);
    return st;
}

rv_status rv_state_position_get(rv_state *s, const char *export_name, rv_arena *a,
                                rv_position_row *out, bool *out_found, rv_error *err)
{
    position_ctx c = {.export_name = export_name, .arena = a};
    RV_TRY(rv_state_read(s, position_body, &c, err));
    *out_found = c.found;
    if (c.found)
        *out = c.row;
    return RV_OK;
}

rv_status rv_state_schema_get(rv_state *s, const char *export_name, rv_arena *a,
                              const char **out_columns_json, rv_error *err)
{
    static const rv_field field[] = {{RV_FIELD_TEXT, 0, 0}};
    const rv_val params[] = {rv_val_text(s->project), rv_val_text(export_name)};
    rv_select q = {"SELECT columns_json FROM export_schema WHERE project = ? AND export_name = ?",
                   params,
                   2,
                   field,
                   1,
                   sizeof(const char *),
                   a};
    void *rows;
    size_t n;
    RV_TRY(rv_state_select(s, &q, &rows, &n, err));
    *out_columns_json = n ? *(const char **)rows : NULL;
    return RV_OK;
}

rv_status rv_state_shapes(rv_state *s, const char *export_name, rv_arena *a, rv_shape_row **out,
                          size_t *out_n, rv_error *err)
{
    static const rv_field fields[] = {RV_F_TEXT(rv_shape_row, column),
                                      RV_F_I64(rv_shape_row, max_byte_len)};
    const rv_val params[] = {rv_val_text(s->project), rv_val_text(export_name)};
    rv_select q = {"SELECT column_name, max_byte_len FROM export_shape WHERE project = ? "
                   "AND export_name = ? ORDER BY column_name",
                   params,
                   2,
                   fields,
                   2,
                   sizeof(rv_shape_row),
                   a};
    void *rows;
    size_t n;
    RV_TRY(rv_state_select(s, &q, &rows, &n, err));
    *out = rows;
    *out_n = n;
    return RV_OK;
}

/* ---- the final transaction ---- */

typedef struct final_ctx {
    const rv_lease *lease;
    const rv_run_final *f;
} final_ctx;

/* A position may not pass over anything that is still owed. */
static rv_status nothing_left(rv_state *s, const rv_lease *l, rv_error *err)
{
    rv_val run = rv_val_text(l->run_id);
    int64_t left;
    RV_TRY(rv_st_int(s,
                     "SELECT (SELECT COUNT(*) FROM chunk_task WHERE run_id = ? "
                     "AND status <> 'completed') + "
                     "(SELECT COUNT(*) FROM keyset_range WHERE run_id = ? AND done = 0) + "
                     "(SELECT COUNT(*) FROM run_unit WHERE run_id = ? AND committed_at IS NULL)",
                     RV_PARAMS(run, run, run), &left, NULL, err));
    if (left)
        return rv_fail(err, RV_E_INTERNAL, "run '%s' has %lld unfinished units and cannot end",
                       l->run_id, (long long)left);
    return RV_OK;
}

static rv_status put_position(rv_state *s, const final_ctx *c, const char *now, rv_error *err)
{
    const rv_position_row *p = c->f->position;
    rv_val ties = p->has_ties ? rv_val_blob(p->cursor_ties) : rv_val_null();
    return rv_st_run(
        s,
        "INSERT INTO export_state (project, export_name, last_cursor_value, cursor_type, "
        "cursor_ties, keyset_high, key_columns, owner, last_run_at, last_run_id) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (project, export_name) DO UPDATE SET "
        "last_cursor_value = excluded.last_cursor_value, cursor_type = excluded.cursor_type, "
        "cursor_ties = excluded.cursor_ties, keyset_high = excluded.keyset_high, "
        "key_columns = excluded.key_columns, owner = excluded.owner, "
        "last_run_at = excluded.last_run_at, last_run_id = excluded.last_run_id",
        RV_PARAMS(rv_val_text(s->project), rv_val_text(c->lease->export_name),
                  rv_val_text(p->last_cursor_value), rv_val_text(p->cursor_type), ties,
                  rv_val_text(p->keyset_high), rv_val_text(p->key_columns), rv_val_text(p->owner),
                  rv_val_text(p->last_run_at ? p->last_run_at : now),
                  rv_val_text(c->lease->run_id)),
        NULL, err);
}

static rv_status put_schema(rv_state *s, const final_ctx *c, const char *now, rv_error *err)
{
    const rv_run_final *f = c->f;
    rv_val project = rv_val_text(s->project), name = rv_val_text(c->lease->export_name);
    if (f->columns_json)
        RV_TRY(rv_st_run(s,
                         "INSERT INTO export_schema (project, export_name, columns_json, "
                         "fingerprint, updated_at) VALUES (?, ?, ?, ?, ?) "
                         "ON CONFLICT (project, export_name) DO UPDATE SET "
                         "columns_json = excluded.columns_json, "
                         "fingerprint = excluded.fingerprint, updated_at = excluded.updated_at",
                         RV_PARAMS(project, name, rv_val_text(f->columns_json),
                                   rv_val_text(f->schema_fingerprint), rv_val_text(now)),
                         NULL, err));
    for (size_t i = 0; i < f->n_shapes; i++)
        RV_TRY(rv_st_run(s,
                         "INSERT INTO export_shape (project, export_name, column_name, "
                         "max_byte_len, updated_at) VALUES (?, ?, ?, ?, ?) "
                         "ON CONFLICT (project, export_name, column_name) DO UPDATE SET "
                         "max_byte_len = excluded.max_byte_len, updated_at = excluded.updated_at "
                         "WHERE excluded.max_byte_len > export_shape.max_byte_len",
                         RV_PARAMS(project, name, rv_val_text(f->shapes[i].column),
                                   rv_val_int(f->shapes[i].max_byte_len), rv_val_text(now)),
                         NULL, err));
    return RV_OK;
}

#define PROGRESSION(which)                                                                         \
    "INSERT INTO export_progression (project, export_name, last_" which "_strategy, "              \
    "last_" which "_cursor, last_" which "_chunk_index, last_" which "_run_id, "                   \
    "last_" which "_at) VALUES (?, ?, ?, ?, ?, ?, ?) "                                             \
    "ON CONFLICT (project, export_name) DO UPDATE SET "                                            \
    "last_" which "_strategy = excluded.last_" which "_strategy, "                                 \
    "last_" which "_cursor = excluded.last_" which "_cursor, "                                     \
    "last_" which "_chunk_index = excluded.last_" which "_chunk_index, "                           \
    "last_" which "_run_id = excluded.last_" which "_run_id, "                                     \
    "last_" which "_at = excluded.last_" which "_at"

static rv_status put_progression(rv_state *s, const final_ctx *c, const char *now, rv_error *err)
{
    const rv_run_final *f = c->f;
    const rv_val params[] = {rv_val_text(s->project),
                             rv_val_text(c->lease->export_name),
                             rv_val_text(f->progression_strategy),
                             rv_val_text(f->progression_cursor),
                             rv_val_known(f->progression_chunk),
                             rv_val_text(c->lease->run_id),
                             rv_val_text(now)};
    if (!f->progression_strategy)
        return RV_OK;
    RV_TRY(rv_st_run(s, PROGRESSION("committed"), params, 7, NULL, err));
    if (!f->verified)
        return RV_OK;
    return rv_st_run(s, PROGRESSION("verified"), params, 7, NULL, err);
}

static rv_status put_manifest(rv_state *s, const final_ctx *c, rv_error *err)
{
    rv_val run = rv_val_text(c->lease->run_id);
    if (!c->f->manifest_json)
        return RV_OK;
    RV_TRY(rv_st_run(s,
                     "UPDATE file_log SET listed_by = ? WHERE run_id = ? AND status = 'committed'",
                     RV_PARAMS(run, run), NULL, err));
    return rv_st_run(
        s, "UPDATE run_status SET status = 'unpublished', manifest_json = ? WHERE run_id = ?",
        RV_PARAMS(rv_val_text(c->f->manifest_json), run), NULL, err);
}

/* The dataset of the repaired run goes on under this one. */
static rv_status take_over(rv_state *s, const final_ctx *c, const char *now, rv_error *err)
{
    const rv_run_final *f = c->f;
    rv_val run = rv_val_text(c->lease->run_id), old = rv_val_text(f->repairs);
    rv_val project = rv_val_text(s->project), name = rv_val_text(c->lease->export_name);
    RV_TRY(rv_st_run(s,
                     "INSERT INTO run_unit (run_id, unit, key_low, key_high, rows, parts, "
                     "accumulators, sealed_at, committed_at) SELECT CAST(? AS TEXT), unit, "
                     "key_low, key_high, rows, parts, accumulators, sealed_at, committed_at "
                     "FROM run_unit WHERE run_id = ? AND committed_at IS NOT NULL",
                     RV_PARAMS(run, old), NULL, err));
    for (size_t i = 0; i < f->n_replaced_units; i++)
        RV_TRY(rv_st_run(s, "DELETE FROM run_unit WHERE run_id = ? AND unit = ?",
                         RV_PARAMS(run, rv_val_text(f->replaced_units[i])), NULL, err));
    for (size_t i = 0; i < f->n_replaced_files; i++)
        RV_TRY(rv_st_run(s,
                         "UPDATE file_log SET status = 'superseded', "
                         "listed_by = COALESCE(listed_by, ?) WHERE project = ? "
                         "AND export_name = ? AND file_name = ? AND status = 'committed'",
                         RV_PARAMS(run, project, name, rv_val_text(f->replaced_files[i])), NULL,
                         err));
    RV_TRY(rv_st_run(s,
                     "UPDATE file_log SET listed_by = ? WHERE run_id = ? AND project = ? "
                     "AND status = 'committed' AND listed_by IS NULL",
                     RV_PARAMS(run, old, project), NULL, err));
    return rv_st_run(s,
                     "UPDATE chunk_run SET status = 'completed', updated_at = ? "
                     "WHERE run_id = ? AND status = 'in_progress'",
                     RV_PARAMS(rv_val_text(now), old), NULL, err);
}

static rv_status final_body(rv_state *s, void *ctx, rv_error *err)
{
    final_ctx *c = ctx;
    char now[RV_RFC3339_SIZE];
    RV_TRY(rv_st_lease(s, c->lease, err));
    RV_TRY(rv_st_now(s, now, err));
    if (c->f->unit)
        RV_TRY(rv_st_unit_done(s, c->lease, c->f->unit, err));
    RV_TRY(nothing_left(s, c->lease, err));
    if (c->f->repairs)
        RV_TRY(take_over(s, c, now, err));
    if (c->f->position)
        RV_TRY(put_position(s, c, now, err));
    if (c->f->close_checkpoint)
        RV_TRY(rv_st_run(s,
                         "UPDATE chunk_run SET status = 'completed', updated_at = ? "
                         "WHERE run_id = ?",
                         RV_PARAMS(rv_val_text(now), rv_val_text(c->lease->run_id)), NULL, err));
    RV_TRY(put_schema(s, c, now, err));
    RV_TRY(put_progression(s, c, now, err));
    return put_manifest(s, c, err);
}

rv_status rv_state_run_final(rv_state *s, const rv_lease *l, const rv_run_final *f, rv_error *err)
{
    final_ctx c = {l, f};
    rv_tx tx = {.name = "final", .body = final_body, .ctx = &c};
    return rv_state_write(s, &tx, err);
}

/* ---- verified without a run ---- */

typedef struct verified_ctx {
    const char *export_name, *run_id;
} verified_ctx;

static rv_status verified_body(rv_state *s, void *ctx, rv_error *err)
{
    const verified_ctx *c = ctx;
    char now[RV_RFC3339_SIZE];
    rv_val project = rv_val_text(s->project), run = rv_val_text(c->run_id);
    RV_TRY(rv_st_now(s, now, err));
    return rv_st_run(
        s,
        "UPDATE export_progression SET last_verified_strategy = last_committed_strategy, "
        "last_verified_cursor = last_committed_cursor, "
        "last_verified_chunk_index = last_committed_chunk_index, "
        "last_verified_run_id = last_committed_run_id, last_verified_at = ? "
        "WHERE project = ? AND export_name = ? AND last_committed_run_id IS NOT NULL "
        "AND (last_committed_run_id = ? OR last_committed_at <= "
        "(SELECT started_at FROM run_status WHERE run_id = ?))",
        RV_PARAMS(rv_val_text(now), project, rv_val_text(c->export_name), run, run), NULL, err);
}

rv_status rv_state_verified(rv_state *s, const char *export_name, const char *run_id, rv_error *err)
{
    verified_ctx c = {export_name, run_id};
    rv_tx tx = {.name = "verified", .body = verified_body, .ctx = &c};
    return rv_state_write(s, &tx, err);
}
