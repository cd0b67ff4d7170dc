#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "engine/execute_internal.h"
#include "engine/objects.h"

#define RV_TARGET "engine"

bool rv_unit_counts(const char *unit)
{
    return strcmp(unit, "0") != 0;
}

/* ---- one unit's commit ---- */

/* Seal, then whatever failed to upload, then validation: the order of the page. */
rv_status rv_unit_seal_and_check(rv_job *job, const rv_unit *unit, const char *key_high,
                                 const rv_unit_result *result, const char *position_json,
                                 rv_error *err)
{
    RV_TRY(rv_unit_drop_surplus(job, unit->name, result, err));
    RV_TRY(rv_unit_seal(job, unit, key_high, result, position_json, err));
    if (result->upload_error.code != RV_OK) {
        *err = result->upload_error;
        return err->code;
    }
    if (job->validate)
        RV_TRY(rv_unit_validate(job, unit->name, err));
    return RV_OK;
}

/* Sends what an earlier process left in the spool of a sealed unit. */
rv_status rv_unit_upload_rest(rv_job *job, const char *unit, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_part_rows parts = {0};
    rv_status st = rv_state_parts(job->state, job->run_id, unit, &scratch, &parts, err);
    for (size_t i = 0; st == RV_OK && i < parts.n; i++) {
        rv_put_outcome outcome;
        bool pending = strcmp(parts.rows[i].status, "pending") == 0;
        if (!pending && !parts.rows[i].spool_path)
            continue;
        st = rv_part_abort_left(job->dd, job->dest, &parts.rows[i], err);
        if (st == RV_OK)
            st = rv_part_upload(job, &parts.rows[i], true, &outcome, err);
        if (st == RV_OK && outcome == RV_PUT_FOREIGN)
            st = rv_fail(err, RV_E_DEST_CONFLICT, "%s belongs to somebody else",
                         parts.rows[i].file_name);
    }
    if (st == RV_OK && job->validate)
        st = rv_unit_validate(job, unit, err);
    rv_arena_free(&scratch);
    return st;
}

void rv_unit_committed(rv_job *job, const rv_unit_row *unit, const char *file)
{
    char total[24] = "";
    if (!rv_unit_counts(unit->unit)) { /* the empty file of a table without rows is no chunk */
        RV_KILL_POINT("unit-committed");
        return;
    }
    rv_journal_add(job->journal, "chunk_completed", "siis", "unit", unit->unit, "chunk_index",
                   rv_name_chunk_index(unit->unit), "rows", unit->rows, "file_name", file);
    const rv_run_hooks *hooks = job->opts->hooks;
    pthread_mutex_lock(&job->lock);
    job->chunks_done++;
    if (hooks && hooks->progress)
        hooks->progress(hooks->ctx, job->x->name, job->chunks_done, job->rows);
    if (job->chunks_total > 0)
        (void)snprintf(total, sizeof total, "/%lld", (long long)job->chunks_total);
    RV_LOG_INFO(job->env, "export '%s': chunk %lld%s (%s..%s) %lld rows", job->x->name,
                (long long)job->chunks_done, total, unit->key_low ? unit->key_low : "",
                unit->key_high ? unit->key_high : "", (long long)unit->rows);
    pthread_mutex_unlock(&job->lock);
    RV_KILL_POINT("unit-committed");
}

rv_status rv_unit_commit(rv_job *job, const rv_unit *unit, const char *key_high,
                         const rv_unit_result *result, rv_unit_done *done, rv_error *err)
{
    RV_TRY(rv_unit_seal_and_check(job, unit, key_high, result, NULL, err));
    done->unit = unit->name;
    done->rows = (int64_t)result->rows;
    done->file_name = result->parts ? result->names[0] : NULL;
    RV_TRY(rv_state_unit_done(job->state, &job->lease, done, err));
    if (job->validate)
        rv_unit_drop_spool(job, unit->name);
    const rv_unit_row row = {
        .unit = unit->name, .key_low = unit->key_low, .key_high = key_high, .rows = done->rows};
    rv_unit_committed(job, &row, done->file_name);
    return RV_OK;
}
