#include <string.h>

#include "state/state_internal.h"

static const rv_field part_fields[] = {
    RV_F_TEXT(rv_part_row, run_id),      RV_F_TEXT(rv_part_row, unit),
    RV_F_I64(rv_part_row, part_index),   RV_F_KNOWN(rv_part_row, chunk_index),
    RV_F_TEXT(rv_part_row, file_name),   RV_F_I64(rv_part_row, row_count),
    RV_F_I64(rv_part_row, bytes),        RV_F_TEXT(rv_part_row, format),
    RV_F_TEXT(rv_part_row, compression), RV_F_TEXT(rv_part_row, fingerprint),
    RV_F_TEXT(rv_part_row, md5),         RV_F_TEXT(rv_part_row, spool_path),
    RV_F_TEXT(rv_part_row, upload_id),   RV_F_TEXT(rv_part_row, status),
    RV_F_TEXT(rv_part_row, listed_by),   RV_F_TEXT(rv_part_row, cursor_high),
    RV_F_TEXT(rv_part_row, created_at),
};
enum { PART_FIELDS = sizeof part_fields / sizeof part_fields[0] };
#define PART_COLUMNS                                                                               \
    "run_id, unit, part_index, chunk_index, file_name, row_count, bytes, format, compression, "    \
    "fingerprint, md5, spool_path, upload_id, status, listed_by, cursor_high, created_at"

typedef struct intent_ctx {
    const rv_lease *lease;
    const char *prefix;
    const rv_part_row *part;
} intent_ctx;

static rv_status intent_body(rv_state *s, void *ctx, rv_error *err)
{
    intent_ctx *c = ctx;
    char now[RV_RFC3339_SIZE];
    rv_val params[PART_FIELDS + 3];
    RV_TRY(rv_st_lease(s, c->lease, err));
    RV_TRY(rv_st_now(s, now, err));
    rv_part_row row = *c->part;
    row.run_id = c->lease->run_id;
    row.status = "pending";
    row.listed_by = NULL;
    row.created_at = row.created_at ? row.created_at : now;
    rv_st_bind(part_fields, PART_FIELDS, &row, params);
    params[PART_FIELDS] = rv_val_text(s->project);
    params[PART_FIELDS + 1] = rv_val_text(c->lease->export_name);
    params[PART_FIELDS + 2] = rv_val_text(c->prefix);
    return rv_st_run(
        s,
        "INSERT INTO file_log (" PART_COLUMNS ", project, export_name, prefix) VALUES "
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (run_id, file_name) DO UPDATE SET unit = excluded.unit, "
        "part_index = excluded.part_index, chunk_index = excluded.chunk_index, "
        "row_count = excluded.row_count, bytes = excluded.bytes, format = excluded.format, "
        "compression = excluded.compression, fingerprint = excluded.fingerprint, "
        "md5 = excluded.md5, spool_path = excluded.spool_path, upload_id = excluded.upload_id, "
        "status = 'pending', listed_by = NULL, cursor_high = excluded.cursor_high, "
        "created_at = excluded.created_at",
        params, PART_FIELDS + 3, NULL, err);
}

rv_status rv_state_part_intent(rv_state *s, const rv_lease *l, const char *prefix,
                               const rv_part_row *part, rv_error *err)
{
    intent_ctx c = {l, prefix, part};
    rv_tx tx = {.name = "intent", .body = intent_body, .ctx = &c};
    return rv_state_write(s, &tx, err);
}

static rv_status touched_one(int64_t touched, const char *run_id, const char *file_name,
                             rv_error *err)
{
    if (touched == 1)
        return RV_OK;
    return rv_fail(err, RV_E_INTERNAL, "the state knows no file '%s' of run '%s'", file_name,
                   run_id);
}

rv_status rv_state_part_status(rv_state *s, const rv_lease *l, const char *run_id,
                               const char *file_name, const char *status, bool spool_gone,
                               rv_error *err)
{
    const rv_val params[] = {rv_val_text(status),     rv_val_int(spool_gone),
                             rv_val_text(run_id),     rv_val_text(file_name),
                             rv_val_text(s->project), rv_val_text(l->export_name)};
    rv_leased w = {"part", l,
                   "UPDATE file_log SET status = ?, "
                   "spool_path = CASE WHEN ? = 1 THEN NULL ELSE spool_path END "
                   "WHERE run_id = ? AND file_name = ? AND project = ? AND export_name = ?",
                   params, sizeof params / sizeof params[0]};
    int64_t touched;
    RV_TRY(rv_state_leased(s, &w, &touched, err));
    return touched_one(touched, run_id, file_name, err);
}

rv_status rv_state_part_upload_id(rv_state *s, const rv_lease *l, const char *file_name,
                                  const char *upload_id, rv_error *err)
{
    const rv_val params[] = {rv_val_text(upload_id), rv_val_text(l->run_id),
                             rv_val_text(file_name)};
    rv_leased w = {"upload", l,
                   "UPDATE file_log SET upload_id = ? WHERE run_id = ? AND file_name = ?", params,
                   3};
    int64_t touched;
    RV_TRY(rv_state_leased(s, &w, &touched, err));
    return touched_one(touched, l->run_id, file_name, err);
}

rv_status rv_state_part_forget(rv_state *s, const rv_lease *l, const char *run_id,
                               const char *file_name, rv_error *err)
{
    const rv_val params[] = {rv_val_text(run_id), rv_val_text(file_name), rv_val_text(s->project),
                             rv_val_text(l->export_name)};
    rv_leased w = {"forget", l,
                   "DELETE FROM file_log WHERE run_id = ? AND file_name = ? AND project = ? "
                   "AND export_name = ?",
                   params, 4};
    return rv_state_leased(s, &w, NULL, err);
}

rv_status rv_state_parts(rv_state *s, const char *run_id, const char *unit, rv_arena *a,
                         rv_part_rows *out, rv_error *err)
{
    rv_val name = rv_val_text(unit);
    const rv_val params[] = {rv_val_text(run_id), rv_val_text(s->project), name, name};
    rv_select q = {"SELECT " PART_COLUMNS " FROM file_log WHERE run_id = ? AND project = ? "
                   "AND (CAST(? AS TEXT) IS NULL OR unit = ?) "
                   "ORDER BY MIN(id) OVER (PARTITION BY unit), part_index, id",
                   params,
                   4,
                   part_fields,
                   PART_FIELDS,
                   sizeof(rv_part_row),
                   a};
    void *rows;
    size_t n;
    RV_TRY(rv_state_select(s, &q, &rows, &n, err));
    *out = (rv_part_rows){rows, n};
    return RV_OK;
}
