#include <stdlib.h>
#include <string.h>

#include "state/state_internal.h"

static const rv_field unit_fields[] = {
    RV_F_TEXT(rv_unit_row, unit),      RV_F_TEXT(rv_unit_row, key_low),
    RV_F_TEXT(rv_unit_row, key_high),  RV_F_I64(rv_unit_row, rows),
    RV_F_I64(rv_unit_row, parts),      RV_F_TEXT(rv_unit_row, accumulators),
    RV_F_TEXT(rv_unit_row, sealed_at), RV_F_TEXT(rv_unit_row, committed_at),
};
enum { UNIT_FIELDS = sizeof unit_fields / sizeof unit_fields[0] };
#define UNIT_COLUMNS "unit, key_low, key_high, rows, parts, accumulators, sealed_at, committed_at"

static bool number(const char *text, const char **out_end, int64_t *out)
{
    size_t len = strspn(text, "0123456789");
    *out_end = text + len;
    return rv_str_i64((rv_str){text, len}, out);
}

bool rv_unit_parse(const char *unit, rv_unit_name *out)
{
    const char *end;
    *out = (rv_unit_name){.kind = RV_UNIT_SINGLE};
    if (strncmp(unit, "chunk", 5) == 0) {
        out->kind = RV_UNIT_TASK;
        return number(unit + 5, &end, &out->index) && *end == '\0';
    }
    if (strncmp(unit, "keyset", 6) != 0)
        return strcmp(unit, "0") == 0;
    out->kind = RV_UNIT_RANGE;
    if (!number(unit + 6, &end, &out->index))
        return false;
    if (*end == '\0')
        return true;
    out->range = out->index;
    return *end == '-' && number(end + 1, &end, &out->index) && *end == '\0';
}

typedef struct seal_ctx {
    const rv_lease *lease;
    const rv_unit_row *unit;
} seal_ctx;

static rv_status seal_body(rv_state *s, void *ctx, rv_error *err)
{
    seal_ctx *c = ctx;
    char now[RV_RFC3339_SIZE];
    rv_val params[UNIT_FIELDS + 1];
    int64_t touched;
    RV_TRY(rv_st_lease(s, c->lease, err));
    RV_TRY(rv_st_now(s, now, err));
    rv_unit_row row = *c->unit;
    row.sealed_at = row.sealed_at ? row.sealed_at : now;
    row.committed_at = NULL;
    rv_st_bind(unit_fields, UNIT_FIELDS, &row, params);
    params[UNIT_FIELDS] = rv_val_text(c->lease->run_id);
    RV_TRY(rv_st_run(s,
                     "INSERT INTO run_unit (" UNIT_COLUMNS ", run_id) VALUES "
                     "(?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, unit) DO UPDATE SET "
                     "key_low = excluded.key_low, key_high = excluded.key_high, "
                     "rows = excluded.rows, parts = excluded.parts, "
                     "accumulators = excluded.accumulators, sealed_at = excluded.sealed_at "
                     "WHERE run_unit.committed_at IS NULL",
                     params, UNIT_FIELDS + 1, &touched, err));
    if (touched != 1)
        return rv_fail(err, RV_E_INTERNAL, "unit '%s' of run '%s' is committed already", row.unit,
                       c->lease->run_id);
    return RV_OK;
}

rv_status rv_state_unit_seal(rv_state *s, const rv_lease *l, const rv_unit_row *u, rv_error *err)
{
    seal_ctx c = {l, u};
    rv_tx tx = {.name = "seal", .body = seal_body, .ctx = &c};
    return rv_state_write(s, &tx, err);
}

/* The unit's parts count for nothing until they are offered again. */
static rv_status reopen_parts(rv_state *s, const char *run_id, const char *unit, rv_error *err)
{
    return rv_st_run(s,
                     "UPDATE file_log SET status = 'pending' WHERE run_id = ? AND unit = ? "
                     "AND status IN ('uploaded', 'committed')",
                     RV_PARAMS(rv_val_text(run_id), rv_val_text(unit)), NULL, err);
}

/* The position has already passed a keyset unit that is read again: its bounds are kept in the
 * row, unsealed, because nothing else remembers that they are still owed. */
static rv_status unseal_row(rv_state *s, const char *run_id, const char *unit, rv_error *err)
{
    rv_unit_name name;
    int64_t next = 0;
    bool found = false;
    if (rv_unit_parse(unit, &name) && name.kind == RV_UNIT_RANGE)
        RV_TRY(
            rv_st_int(s, "SELECT next_unit FROM keyset_range WHERE run_id = ? AND range_index = ?",
                      RV_PARAMS(rv_val_text(run_id), rv_val_int(name.range)), &next, &found, err));
    rv_val run = rv_val_text(run_id), unit_val = rv_val_text(unit);
    if (found && name.index < next)
        return rv_st_run(s,
                         "UPDATE run_unit SET sealed_at = NULL, committed_at = NULL, rows = 0, "
                         "parts = 0, accumulators = NULL WHERE run_id = ? AND unit = ?",
                         RV_PARAMS(run, unit_val), NULL, err);
    return rv_st_run(s, "DELETE FROM run_unit WHERE run_id = ? AND unit = ?",
                     RV_PARAMS(run, unit_val), NULL, err);
}

typedef struct unit_ctx {
    const rv_lease *lease;
    const char *unit;
    const rv_unit_done *done;
} unit_ctx;

static rv_status unseal_body(rv_state *s, void *ctx, rv_error *err)
{
    unit_ctx *c = ctx;
    RV_TRY(rv_st_lease(s, c->lease, err));
    RV_TRY(reopen_parts(s, c->lease->run_id, c->unit, err));
    return unseal_row(s, c->lease->run_id, c->unit, err);
}

rv_status rv_state_unit_unseal(rv_state *s, const rv_lease *l, const char *unit, rv_error *err)
{
    unit_ctx c = {.lease = l, .unit = unit};
    rv_tx tx = {.name = "unseal", .body = unseal_body, .ctx = &c};
    return rv_state_write(s, &tx, err);
}

static int compare_units(const void *a, const void *b)
{
    const rv_unit_row *x = a, *y = b;
    rv_unit_name n, m;
    if (!rv_unit_parse(x->unit, &n) || !rv_unit_parse(y->unit, &m) || n.kind != m.kind)
        return strcmp(x->unit, y->unit);
    if (n.range != m.range)
        return n.range < m.range ? -1 : 1;
    return n.index < m.index ? -1 : n.index > m.index;
}

rv_status rv_state_units(rv_state *s, const char *run_id, rv_arena *a, rv_unit_rows *out,
                         rv_error *err)
{
    const rv_val params[] = {rv_val_text(run_id)};
    rv_select q = {"SELECT " UNIT_COLUMNS " FROM run_unit WHERE run_id = ?",
                   params,
                   1,
                   unit_fields,
                   UNIT_FIELDS,
                   sizeof(rv_unit_row),
                   a};
    void *rows;
    size_t n;
    RV_TRY(rv_state_select(s, &q, &rows, &n, err));
    qsort(rows, n, sizeof(rv_unit_row), compare_units);
    *out = (rv_unit_rows){rows, n};
    return RV_OK;
}

/* ---- the unit transaction ---- */

static rv_status commit_parts(rv_state *s, const rv_lease *l, const char *unit, int64_t *out_parts,
                              rv_error *err)
{
    rv_val run = rv_val_text(l->run_id), name = rv_val_text(unit);
    int64_t pending;
    RV_TRY(rv_st_int(s,
                     "SELECT COUNT(*) FROM file_log WHERE run_id = ? AND unit = ? "
                     "AND status = 'pending'",
                     RV_PARAMS(run, name), &pending, NULL, err));
    if (pending)
        return rv_fail(err, RV_E_INTERNAL, "unit '%s' of run '%s' has %lld files not uploaded",
                       unit, l->run_id, (long long)pending);
    RV_TRY(rv_st_run(s,
                     "UPDATE file_log SET status = 'committed' WHERE run_id = ? AND unit = ? "
                     "AND status = 'uploaded'",
                     RV_PARAMS(run, name), NULL, err));
    return rv_st_int(s,
                     "SELECT COUNT(*) FROM file_log WHERE run_id = ? AND unit = ? "
                     "AND status = 'committed'",
                     RV_PARAMS(run, name), out_parts, NULL, err);
}

static rv_status commit_row(rv_state *s, const rv_lease *l, const char *unit, int64_t parts,
                            const char *now, rv_error *err)
{
    int64_t touched;
    RV_TRY(rv_st_run(s,
                     "UPDATE run_unit SET committed_at = ? WHERE run_id = ? AND unit = ? "
                     "AND sealed_at IS NOT NULL",
                     RV_PARAMS(rv_val_text(now), rv_val_text(l->run_id), rv_val_text(unit)),
                     &touched, err));
    if (touched != 1 && parts)
        return rv_fail(err, RV_E_INTERNAL, "unit '%s' of run '%s' was never sealed", unit,
                       l->run_id);
    return RV_OK;
}

/* No row: the checkpoint was dropped under the run. */
static rv_status checkpoint_gone(const rv_lease *l, rv_error *err)
{
    (void)rv_fail(err, RV_E_STATE_LEASE_LOST, "the checkpoint of run '%s' was deleted meanwhile",
                  l->run_id);
    rv_hint(err, "start the export again");
    return RV_E_STATE_LEASE_LOST;
}

static rv_status move_task(rv_state *s, const rv_lease *l, const rv_unit_done *u, const char *now,
                           rv_error *err)
{
    int64_t touched;
    RV_TRY(rv_st_run(s,
                     "UPDATE chunk_task SET status = 'completed', rows_written = ?, "
                     "file_name = ?, last_error = NULL, updated_at = ? "
                     "WHERE run_id = ? AND chunk_index = ?",
                     RV_PARAMS(rv_val_int(u->rows), rv_val_text(u->file_name), rv_val_text(now),
                               rv_val_text(l->run_id), rv_val_int(u->chunk_index)),
                     &touched, err));
    return touched == 1 ? RV_OK : checkpoint_gone(l, err);
}

/* Only ever forward: a unit read again within its bounds lies behind the position. */
static rv_status move_range(rv_state *s, const rv_lease *l, const rv_unit_done *u, const char *now,
                            rv_error *err)
{
    int64_t one;
    bool found;
    rv_val run = rv_val_text(l->run_id), range = rv_val_int(u->range_index);
    RV_TRY(rv_st_run(s,
                     "UPDATE keyset_range SET position = ?, next_unit = ?, "
                     "done = CASE WHEN done <> 0 THEN done ELSE ? END, updated_at = ? "
                     "WHERE run_id = ? AND range_index = ? AND next_unit <= ?",
                     RV_PARAMS(rv_val_text(u->position), rv_val_int(u->next_unit),
                               rv_val_int(u->range_done), rv_val_text(now), run, range,
                               rv_val_int(u->next_unit)),
                     NULL, err));
    RV_TRY(rv_st_int(s, "SELECT 1 FROM keyset_range WHERE run_id = ? AND range_index = ?",
                     RV_PARAMS(run, range), &one, &found, err));
    return found ? RV_OK : checkpoint_gone(l, err);
}

static rv_status touch_checkpoint(rv_state *s, const rv_lease *l, const char *now, rv_error *err)
{
    return rv_st_run(s, "UPDATE chunk_run SET updated_at = ? WHERE run_id = ?",
                     RV_PARAMS(rv_val_text(now), rv_val_text(l->run_id)), NULL, err);
}

rv_status rv_st_unit_done(rv_state *s, const rv_lease *l, const rv_unit_done *u, rv_error *err)
{
    char now[RV_RFC3339_SIZE];
    int64_t parts;
    RV_TRY(rv_st_now(s, now, err));
    RV_TRY(commit_parts(s, l, u->unit, &parts, err));
    RV_TRY(commit_row(s, l, u->unit, parts, now, err));
    if (u->kind == RV_UNIT_SINGLE)
        return RV_OK;
    RV_TRY(u->kind == RV_UNIT_TASK ? move_task(s, l, u, now, err) : move_range(s, l, u, now, err));
    return touch_checkpoint(s, l, now, err);
}

static rv_status done_body(rv_state *s, void *ctx, rv_error *err)
{
    unit_ctx *c = ctx;
    RV_TRY(rv_st_lease(s, c->lease, err));
    return rv_st_unit_done(s, c->lease, c->done, err);
}

rv_status rv_state_unit_done(rv_state *s, const rv_lease *l, const rv_unit_done *u, rv_error *err)
{
    unit_ctx c = {.lease = l, .done = u};
    rv_tx tx = {.name = "unit-done", .body = done_body, .ctx = &c};
    return rv_state_write(s, &tx, err);
}

static rv_status redo_body(rv_state *s, void *ctx, rv_error *err)
{
    unit_ctx *c = ctx;
    const char *run_id = c->lease->run_id;
    char now[RV_RFC3339_SIZE];
    int64_t touched = 1;
    RV_TRY(rv_st_lease(s, c->lease, err));
    RV_TRY(rv_st_now(s, now, err));
    RV_TRY(reopen_parts(s, run_id, c->done->unit, err));
    RV_TRY(unseal_row(s, run_id, c->done->unit, err));
    if (c->done->kind == RV_UNIT_TASK)
        RV_TRY(rv_st_run(
            s,
            "UPDATE chunk_task SET status = 'pending', rows_written = NULL, "
            "file_name = NULL, updated_at = ? WHERE run_id = ? AND chunk_index = ?",
            RV_PARAMS(rv_val_text(now), rv_val_text(run_id), rv_val_int(c->done->chunk_index)),
            &touched, err));
    return touched == 1 ? touch_checkpoint(s, c->lease, now, err) : checkpoint_gone(c->lease, err);
}

rv_status rv_state_unit_redo(rv_state *s, const rv_lease *l, const rv_unit_done *u, rv_error *err)
{
    unit_ctx c = {.lease = l, .done = u};
    rv_tx tx = {.name = "redo", .body = redo_body, .ctx = &c};
    return rv_state_write(s, &tx, err);
}
