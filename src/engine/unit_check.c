#include <stdio.h>
#include <string.h>

#include "engine/objects.h"
#include "engine/unit.h"

#define RV_TARGET "engine"

static bool written_now(const rv_unit_result *result, const char *name)
{
    for (size_t i = 0; i < result->parts; i++)
        if (strcmp(result->names[i], name) == 0)
            return true;
    return false;
}

static rv_status drop_part(rv_job *job, const rv_part_row *row, rv_error *err)
{
    rv_remove_outcome outcome = RV_REMOVE_MISSING;
    if (strcmp(row->status, "superseded") == 0 || strcmp(row->status, "removed") == 0)
        return RV_OK;
    RV_TRY(rv_part_abort_left(job->dd, job->dest, row, err));
    if (row->spool_path)
        RV_TRY(rv_job_drop_spool(job, row->spool_path, err));
    RV_TRY(job->dd->remove(job->dest, row->file_name, job->owner_token, row->fingerprint,
                           (uint64_t)row->bytes, &outcome, err));
    if (outcome == RV_REMOVE_FOREIGN)
        return rv_state_part_forget(job->state, &job->lease, job->run_id, row->file_name, err);
    const char *status = outcome == RV_REMOVE_DENIED ? "superseded" : "removed";
    rv_journal_add(job->journal, outcome == RV_REMOVE_DENIED ? "part_superseded" : "part_removed",
                   "s", "name", row->file_name);
    return rv_state_part_status(job->state, &job->lease, job->run_id, row->file_name, status, true,
                                err);
}

rv_status rv_unit_drop_surplus(rv_job *job, const char *unit, const rv_unit_result *result,
                               rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_part_rows rows = {0};
    rv_status st = rv_state_parts(job->state, job->run_id, unit, &scratch, &rows, err);
    for (size_t i = 0; st == RV_OK && i < rows.n; i++)
        if (!written_now(result, rows.rows[i].file_name))
            st = drop_part(job, &rows.rows[i], err);
    rv_arena_free(&scratch);
    return st;
}

static rv_status count_rows(rv_job *job, const rv_part_row *row, uint64_t size, uint64_t *out,
                            rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_verify_result result = {0};
    rv_object_reader reader = {job->dd, job->dest, row->file_name};
    rv_readable in = rv_object_readable(&reader, size);
    bool parquet = strcmp(job->fmt->name, "parquet") == 0;
    rv_status st =
        parquet ? rv_parquet_verify(job->env, in, RV_VERIFY_STRUCTURE, &scratch, &result, err)
                : rv_csv_verify(job->env, in, job->fopts.codec, &scratch, &result, err);
    *out = result.rows;
    rv_arena_free(&scratch);
    return st;
}

static rv_status validate_part(rv_job *job, const rv_part_row *row, rv_error *err)
{
    rv_object obj;
    bool found = false;
    uint64_t rows = 0;
    rv_digests digests = {0};
    RV_TRY(job->dd->stat(job->dest, row->file_name, &obj, &found, err));
    if (!found)
        return rv_fail(err, RV_E_VALIDATE, "part %s is not at the destination", row->file_name);
    if (obj.size_bytes != (uint64_t)row->bytes)
        return rv_fail(err, RV_E_VALIDATE, "part %s has %llu bytes, %lld were written",
                       row->file_name, (unsigned long long)obj.size_bytes, (long long)row->bytes);
    RV_TRY(rv_object_digest(job->dd, job->dest, row->file_name, job->env->cancel, &digests, err));
    if (strcmp(digests.md5, row->md5) != 0 || strcmp(digests.fingerprint, row->fingerprint) != 0)
        return rv_fail(err, RV_E_VALIDATE, "part %s does not hold the bytes that were written",
                       row->file_name);
    RV_TRY(count_rows(job, row, obj.size_bytes, &rows, err));
    if (rows != (uint64_t)row->row_count)
        return rv_fail(err, RV_E_VALIDATE, "part %s holds %llu rows, %lld were written",
                       row->file_name, (unsigned long long)rows, (long long)row->row_count);
    return RV_OK;
}

rv_status rv_unit_validate(rv_job *job, const char *unit, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_part_rows rows = {0};
    rv_status st = rv_state_parts(job->state, job->run_id, unit, &scratch, &rows, err);
    for (size_t i = 0; st == RV_OK && i < rows.n; i++)
        if (strcmp(rows.rows[i].status, "uploaded") == 0)
            st = validate_part(job, &rows.rows[i], err);
    rv_arena_free(&scratch);
    if (st != RV_OK)
        rv_journal_add(job->journal, "validation_result", "b", "passed", 0);
    return st;
}

void rv_unit_drop_spool(rv_job *job, const char *unit)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_part_rows rows = {0};
    rv_error ignored = {0};
    rv_status st = rv_state_parts(job->state, job->run_id, unit, &scratch, &rows, &ignored);
    for (size_t i = 0; st == RV_OK && i < rows.n; i++) {
        if (!rows.rows[i].spool_path)
            continue;
        st = rv_job_drop_spool(job, rows.rows[i].spool_path, &ignored);
        atomic_fetch_sub(&job->spooled, rows.rows[i].bytes);
        if (st == RV_OK)
            st = rv_state_part_status(job->state, &job->lease, job->run_id, rows.rows[i].file_name,
                                      rows.rows[i].status, true, &ignored);
    }
    if (st != RV_OK)
        RV_LOG_WARN(job->env, "spool files of unit %s stay behind: %s", unit, ignored.text);
    rv_arena_free(&scratch);
}
