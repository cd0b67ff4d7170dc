#include <string.h>

#include "base/fault.h"
#include "engine/reconcile_internal.h"

#define RV_TARGET "engine"

/* What a store may refuse without harm: the object stays and is told. */
static rv_status refused(rv_job *job, const char *what, const char *key, rv_status st,
                         const rv_error *why, rv_error *err)
{
    bool local_matter =
        st == RV_E_DEST_PERMISSION || st == RV_E_DEST_CONFLICT || st == RV_E_DEST_IO;
    if (!local_matter) {
        *err = *why;
        return st;
    }
    RV_LOG_WARN(job->env, "export '%s': %s was not %s: %s", job->x->name, key, what, why->text);
    return RV_OK;
}

static rv_status quarantine(rv_repair *r, rv_job *job, const char *key, const char *reason,
                            bool *out_moved, rv_error *err)
{
    const char *to;
    rv_error why = {0};
    *out_moved = false;
    if (!job->dd->move)
        return RV_OK;
    RV_TRY(rv_arena_printf(&job->arena, &to, err, "_quarantine/%s/%s", job->run_id, key));
    RV_TRY(rv_job_guard(job, err));
    rv_status st = job->dd->move(job->dest, key, to, &why);
    if (st != RV_OK)
        return refused(job, "moved to _quarantine", key, st, &why, err);
    rv_journal_add(job->journal, "quarantined", "ss", "name", key, "reason", reason);
    r->out->quarantined++;
    *out_moved = true;
    RV_KILL_POINT("repair-quarantined");
    return RV_OK;
}

/* ---- parts that no manifest counts any more ---- */

static rv_status retry_removal(rv_repair *r, rv_job *job, const rv_run_row *run,
                               const rv_part_row *p, rv_error *err)
{
    rv_remove_outcome outcome = RV_REMOVE_MISSING;
    rv_error why = {0};
    if (!job->dd->remove)
        return RV_OK;
    RV_TRY(rv_job_guard(job, err));
    rv_status st = job->dd->remove(job->dest, p->file_name, run->owner_token, p->fingerprint,
                                   (uint64_t)p->bytes, &outcome, &why);
    if (st != RV_OK)
        return refused(job, "removed", p->file_name, st, &why, err);
    if (outcome == RV_REMOVE_DENIED) {
        RV_LOG_WARN(job->env, "export '%s': %s still may not be removed", job->x->name,
                    p->file_name);
        return RV_OK;
    }
    if (outcome == RV_REMOVED) {
        r->out->removed++;
        rv_journal_add(job->journal, "part_removed", "s", "name", p->file_name);
    }
    return rv_state_part_status(job->state, &job->lease, run->run_id, p->file_name, "removed", true,
                                err);
}

/* A replaced part stays as it is, unless it is damaged: then nobody may take it for data. */
static rv_status judge_replaced(rv_repair *r, rv_job *job, const rv_run_row *run,
                                const rv_part_row *p, rv_error *err)
{
    const char *status;
    bool moved = false;
    const rv_manifest_part part = {
        .path = p->file_name, .size_bytes = p->bytes, .fingerprint = p->fingerprint, .md5 = p->md5};
    RV_TRY(rv_subject_part_status(&r->subject, &part, &status, err));
    if (strcmp(status, "ok") == 0 || strcmp(status, "missing") == 0)
        return RV_OK;
    RV_TRY(quarantine(r, job, p->file_name, status, &moved, err));
    if (!moved)
        return RV_OK;
    return rv_state_part_status(job->state, &job->lease, run->run_id, p->file_name, "quarantined",
                                true, err);
}

static rv_status sweep_run(rv_repair *r, rv_job *job, const rv_run_row *run, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_part_rows parts = {0};
    rv_status st = rv_state_parts(job->state, run->run_id, NULL, &scratch, &parts, err);
    for (size_t i = 0; st == RV_OK && i < parts.n; i++) {
        const rv_part_row *p = &parts.rows[i];
        if (strcmp(p->status, "superseded") != 0)
            continue;
        st =
            p->listed_by ? judge_replaced(r, job, run, p, err) : retry_removal(r, job, run, p, err);
    }
    rv_arena_free(&scratch);
    return st;
}

/* Runs of another prefix are out of this destination's reach. */
static bool same_place(const rv_job *job, const rv_run_row *run)
{
    return run->prefix && strcmp(run->prefix, job->prefix) == 0;
}

/* ---- objects that no manifest lists ---- */

/* Only what is untracked by today's listing, whatever the report says. */
static rv_status sweep_untracked(rv_repair *r, rv_job *job, rv_error *err)
{
    rv_validate_report *seen = &r->subject.vreport;
    for (size_t i = 0; i < r->report.n_parts; i++) {
        const rv_checked_part *c = &r->report.parts[i];
        bool confirmed = false, moved;
        if (strcmp(c->status, "untracked") != 0)
            continue;
        for (size_t k = 0; k < seen->n_failures && !confirmed; k++)
            confirmed = strcmp(seen->failures[k].kind, "untracked_object") == 0 &&
                        strcmp(seen->failures[k].key, c->path) == 0;
        if (confirmed)
            RV_TRY(quarantine(r, job, c->path, "untracked", &moved, err));
    }
    return RV_OK;
}

rv_status rv_repair_sweep(rv_repair *r, rv_job *job, rv_error *err)
{
    rv_run_rows runs = {0};
    RV_TRY(rv_state_runs(job->state, job->x->name, 0, &job->arena, &runs, err));
    for (size_t i = 0; i < runs.n; i++)
        if (same_place(job, &runs.rows[i]))
            RV_TRY(sweep_run(r, job, &runs.rows[i], err));
    return sweep_untracked(r, job, err);
}
