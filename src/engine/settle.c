#include "engine/settle.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "engine/manifest.h"
#include "engine/names.h"
#include "engine/objects.h"
#include "engine/old_dest.h"
#include "engine/owner.h"
#include "engine/publish.h"

#define RV_TARGET "engine"
#define POLL_US 200000
#define RESUME_AGE_MAX_US (24LL * 3600 * 1000000)
#define SPOOL_READ_STEP 65536

/* ---- live leases ---- */

static rv_status refuse_live(rv_job *job, const rv_run_row *row, rv_error *err)
{
    char age[32];
    rv_duration_text(row->heartbeat_age_us / 1000, age);
    rv_status st =
        rv_fail(err, RV_E_STATE_LEASE,
                "export '%s': run %s holds the lease (host %s, pid %lld, last heartbeat "
                "%s ago)",
                job->x->name, row->run_id, row->process.host, (long long)row->process.pid, age);
    rv_hint(err, "wait for it, or give --lock-wait SECONDS");
    return st;
}

static rv_status wait_for_dead(rv_job *job, rv_run_row *row, bool *io_found, rv_error *err)
{
    int64_t until_us = rv_clock_mono_us() + job->opts->lock_wait_s * 1000000;
    for (;;) {
        rv_arena scratch = RV_ARENA_INIT; /* hours of waiting must not pile up rows */
        rv_status st = rv_state_run_open(job->state, job->x->name, &scratch, row, io_found, err);
        bool wait = st == RV_OK && *io_found && !rv_run_row_dead(row);
        if (wait && rv_clock_mono_us() >= until_us)
            st = refuse_live(job, row, err);
        rv_arena_free(&scratch);
        if (st != RV_OK)
            return st;
        if (!wait)
            return rv_state_run_open(job->state, job->x->name, &job->arena, row, io_found, err);
        if (!rv_cancel_sleep_us(job->env->cancel, POLL_US))
            return rv_cancel_check(job->env->cancel, err);
    }
}

/* ---- unpublished ---- */

typedef struct rv_old_lease {
    rv_job *job;
    rv_lease lease;
} rv_old_lease;

static rv_status guard_old(void *ctx, rv_error *err)
{
    rv_old_lease *o = ctx;
    return rv_state_lease_check(o->job->state, &o->lease, err);
}

static rv_status adopt(rv_job *job, const rv_run_row *row, rv_lease *out, rv_error *err)
{
    rv_process_id self;
    rv_process_self(&self);
    *out = (rv_lease){.run_id = row->run_id, .export_name = job->x->name};
    return rv_state_lease_adopt(job->state, row, &self, NULL, &out->epoch, err);
}

static rv_status rebuild_metric(rv_job *job, const rv_run_row *row, const rv_manifest *m,
                                rv_error *err)
{
    int64_t started = 0, finished = 0;
    if (!rv_rfc3339_parse(rv_str_c(m->started_at), &started) ||
        !rv_rfc3339_parse(rv_str_c(m->finished_at), &finished))
        finished = started = 0;
    rv_metric metric = {.run_id = row->run_id,
                        .export_name = job->x->name,
                        .run_at = m->started_at,
                        .status = m->degraded ? "degraded" : "success",
                        .format = m->format,
                        .mode = row->mode,
                        .source_type = rv_engine_name(job->cfg->source.engine),
                        .destination_type = job->dd->name,
                        .duration_ms = (finished - started) / 1000,
                        .total_rows = m->row_count,
                        .files_produced = m->part_count,
                        .files_committed = m->part_count,
                        .bytes_written = m->total_bytes,
                        .peak_rss_mb = -1,
                        .batch_size = -1,
                        .batch_size_memory_mb = -1,
                        .chunk_size = -1,
                        .parallel = -1,
                        .bytes_read = -1,
                        .retries = -1,
                        .source_count = -1,
                        .longest_chunk_ms = -1,
                        .pg_temp_bytes_delta = -1,
                        .validated = -1,
                        .schema_changed = -1,
                        .quality_passed = -1,
                        .reconciled = -1};
    return rv_state_metric_put(job->state, &metric, err);
}

/* A run that died after its final transaction may have left what --validate kept. */
static rv_status drop_spools(rv_job *job, const rv_lease *lease, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_part_rows parts = {0};
    rv_status st = rv_state_parts(job->state, lease->run_id, NULL, &scratch, &parts, err);
    for (size_t i = 0; st == RV_OK && i < parts.n; i++) {
        const rv_part_row *p = &parts.rows[i];
        if (!p->spool_path)
            continue;
        st = rv_job_drop_spool(job, p->spool_path, err);
        if (st == RV_OK)
            st = rv_state_part_status(job->state, lease, lease->run_id, p->file_name, p->status,
                                      true, err);
    }
    rv_arena_free(&scratch);
    return st;
}

static rv_status publish_dead(rv_job *job, const rv_run_row *row, rv_error *err)
{
    rv_status st;
    rv_old_dest at = {0};
    rv_old_lease old = {.job = job};
    rv_manifest m;
    bool known = false;
    char name[RV_PUBLISH_NAME_SIZE];
    RV_TRY(adopt(job, row, &old.lease, err));
    RV_GO(rv_manifest_parse(rv_str_c(row->manifest_json), &job->arena, &m, err));
    RV_GO(rv_old_dest_open(job, row, &at, &known, err));
    if (!known) {
        st = rv_fail(err, RV_E_DEST_IO, "its destination %s is no longer configured",
                     row->destination ? row->destination : "");
        rv_hint(err, "configure it once more, or give the run up with `rivet state reset -e %s`",
                job->x->name);
        goto done;
    }
    rv_publication p = {.env = job->env,
                        .dd = at.dd,
                        .dest = at.dest,
                        .export_name = job->x->name,
                        .run_id = row->run_id,
                        .owner_token = row->owner_token,
                        .started_at = row->started_at,
                        .epoch = old.lease.epoch,
                        .manifest_json = row->manifest_json,
                        .guard = guard_old,
                        .guard_ctx = &old};
    RV_GO(rv_publish(&p, name, err));
    RV_GO(drop_spools(job, &old.lease, err));
    RV_GO(rv_state_run_close(job->state, &old.lease, m.degraded ? "degraded" : "success", err));
    rv_error metric_err = {0};
    if (rebuild_metric(job, row, &m, &metric_err) != RV_OK)
        RV_LOG_WARN(job->env, "export '%s': the metric of run %s was not stored: %s", job->x->name,
                    row->run_id, metric_err.text);
    RV_LOG_WARN(job->env, "export '%s': run %s was complete but not published; it is now",
                job->x->name, row->run_id);
    RV_KILL_POINT("settled-publish");
done:
    rv_old_dest_close(&at);
    if (st != RV_OK)
        return rv_wrap(err, st, "export '%s': the unpublished run %s could not be published",
                       job->x->name, row->run_id);
    return RV_OK;
}

/* ---- resumable or not ---- */

static rv_status spool_intact(const rv_part_row *p, bool *out, rv_error *err)
{
    uint64_t size = 0, offset = 0;
    bool found = false;
    *out = false;
    if (!p->spool_path)
        return RV_OK;
    RV_TRY(rv_file_size(p->spool_path, &size, &found, err));
    if (!found || size != (uint64_t)p->bytes)
        return RV_OK;
    uint8_t step[SPOOL_READ_STEP];
    rv_digest d = {0};
    rv_digests digests;
    int fd = -1;
    rv_status st = rv_file_open_read(p->spool_path, &fd, err);
    if (st == RV_OK && !rv_digest_init(&d))
        st = rv_fail_memory(err);
    while (st == RV_OK && offset < size) {
        size_t n = size - offset < sizeof step ? (size_t)(size - offset) : sizeof step;
        st = rv_file_pread(fd, step, n, offset, p->spool_path, err);
        if (st == RV_OK)
            rv_digest_update(&d, step, n);
        offset += n;
    }
    if (st == RV_OK) {
        rv_digest_final(&d, &digests);
        *out = strcmp(digests.fingerprint, p->fingerprint) == 0;
    }
    rv_digest_free(&d);
    rv_file_close(fd);
    return st;
}

static rv_status parts_intact(rv_job *job, const rv_old_dest *at, const char *run_id,
                              const char *unit, bool *out, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_part_rows parts = {0};
    rv_status st = rv_state_parts(job->state, run_id, unit, &scratch, &parts, err);
    *out = true;
    for (size_t i = 0; st == RV_OK && *out && i < parts.n; i++) {
        const rv_part_row *p = &parts.rows[i];
        if (strcmp(p->status, "uploaded") == 0 || strcmp(p->status, "committed") == 0) {
            rv_object obj;
            bool found = false, known = true;
            st = rv_object_look(at->dd, at->dest, p->file_name, &obj, &found, &known, err);
            if (st == RV_OK && (!known || (found && obj.size_bytes == (uint64_t)p->bytes)))
                continue;
            if (st == RV_OK)
                st = spool_intact(p, out, err);
        } else if (strcmp(p->status, "pending") == 0) {
            st = spool_intact(p, out, err);
        }
    }
    rv_arena_free(&scratch);
    return st;
}

rv_status rv_settle_unit_intact(rv_job *job, const char *unit, bool *out, rv_error *err)
{
    const rv_old_dest here = {job->dd, job->dest};
    return parts_intact(job, &here, job->run_id, unit, out, err);
}

static rv_status only_unit_sealed(rv_job *job, const rv_run_row *row, bool *out, rv_error *err)
{
    rv_unit_rows units = {0};
    rv_position_row position = {0};
    bool have_position = false;
    *out = false;
    RV_TRY(rv_state_units(job->state, row->run_id, &job->arena, &units, err));
    if (units.n != 1 || !units.rows[0].sealed_at || strcmp(units.rows[0].unit, "0") != 0)
        return RV_OK;
    RV_TRY(rv_state_position_get(job->state, job->x->name, &job->arena, &position, &have_position,
                                 err));
    const char *stored = have_position ? position.last_cursor_value : NULL;
    bool same = (!stored && !row->cursor_low) ||
                (stored && row->cursor_low && strcmp(stored, row->cursor_low) == 0);
    if (job->mode == RV_INCREMENTAL && !same)
        return RV_OK;
    rv_old_dest at;
    bool known = false;
    rv_status st = rv_old_dest_open(job, row, &at, &known, err);
    if (st == RV_OK && known)
        st = parts_intact(job, &at, row->run_id, "0", out, err);
    rv_old_dest_close(&at);
    return st;
}

static const char *why_not(const rv_job *job, const rv_run_row *row, bool lift)
{
    if ((!row->plan_hash || strcmp(row->plan_hash, job->plan_hash) != 0) &&
        !rv_owner_accepts_plan(job, row->owner))
        return "the plan changed since";
    bool dated = strstr(job->x->dest.path ? job->x->dest.path : "", "{date}") != NULL ||
                 strstr(job->x->dest.prefix ? job->x->dest.prefix : "", "{date}") != NULL;
    if (!lift && dated && row->date_token && strcmp(row->date_token, job->date) != 0)
        return "its {date} is another day";
    if (!lift && row->heartbeat_age_us >= RESUME_AGE_MAX_US)
        return "it is older than 24 h";
    return NULL;
}

static rv_status refuse_checkpoint(rv_job *job, const rv_checkpoint_row *c, const char *why,
                                   rv_error *err)
{
    rv_status st =
        rv_fail(err, RV_E_RUN_CHECKPOINT,
                "chunk checkpoint of export '%s' in progress (run %s, %lld/%lld chunks)\n%s",
                job->x->name, c->run_id, (long long)c->tasks_done, (long long)c->tasks, why);
    rv_hint(err,
            "continue it with `rivet run -e %s --resume`, or drop it with `rivet state "
            "reset-chunks -e %s`",
            job->x->name, job->x->name);
    return st;
}

/* Without the right to read nobody can tell. */
static rv_status read_published(const rv_old_dest *at, rv_buf *out, bool *out_found, rv_error *err)
{
    rv_error why = {0};
    rv_status st = rv_object_read_all(at->dd, at->dest, "manifest.json", RV_MANIFEST_MAX_BYTES, out,
                                      out_found, &why);
    if (st == RV_E_DEST_PERMISSION || st == RV_E_CORRUPT) { /* too large to be a manifest */
        *out_found = false;
        return RV_OK;
    }
    if (st != RV_OK)
        *err = why;
    return st;
}

/* A later run of this export published here: resuming the older one would bury it. */
static rv_status check_not_completed(rv_job *job, const rv_run_row *row, rv_error *err)
{
    rv_buf json = RV_BUF_INIT;
    rv_manifest m;
    bool found = false;
    int64_t theirs = 0, ours = 0;
    rv_error ignored = {0};
    rv_old_dest at;
    bool known = false;
    rv_status st = rv_old_dest_open(job, row, &at, &known, err);
    if (st == RV_OK && known)
        st = read_published(&at, &json, &found, err);
    if (st == RV_OK && found &&
        rv_manifest_parse(rv_buf_str(&json), &job->arena, &m, &ignored) == RV_OK &&
        strcmp(m.export_name, job->x->name) == 0 && strcmp(m.run_id, row->run_id) != 0 &&
        rv_rfc3339_parse(rv_str_c(m.started_at), &theirs) &&
        rv_rfc3339_parse(rv_str_c(row->started_at), &ours) && theirs > ours && !job->opts->force) {
        st = rv_fail(err, RV_E_RUN_COMPLETED,
                     "export '%s': run %s completed this prefix after run %s began", job->x->name,
                     m.run_id, row->run_id);
        rv_hint(err, "drop the older run with `rivet state reset-chunks -e %s`, or give --force",
                job->x->name);
    }
    rv_old_dest_close(&at);
    rv_buf_free(&json);
    return st;
}

static rv_status abandon(rv_job *job, const rv_run_row *row, rv_settled *out, rv_error *err)
{
    rv_lease lease;
    RV_TRY(adopt(job, row, &lease, err));
    RV_TRY(rv_state_run_close(job->state, &lease, "abandoned", err));
    out->outcome = "abandoned";
    out->settled = row->run_id;
    RV_LOG_WARN(job->env, "export '%s': run %s died; it is abandoned", job->x->name, row->run_id);
    RV_KILL_POINT("settled-abandon");
    return RV_OK;
}

static rv_status decide(rv_job *job, const rv_run_row *row, bool row_open,
                        const rv_checkpoint_row *ckpt, rv_settle_for purpose, rv_settled *out,
                        rv_error *err)
{
    bool sealed = false, here = false;
    if (!ckpt && strcmp(row->status, "running") != 0 && strcmp(row->status, "failed") != 0 &&
        strcmp(row->status, "interrupted") != 0)
        return RV_OK;
    if (!ckpt && !row->cleared)
        RV_TRY(only_unit_sealed(job, row, &sealed, err));
    if (purpose == RV_SETTLE_RUN && (ckpt || sealed)) {
        RV_TRY(rv_job_resolve(job, err));
        const char *why = strcmp(row->status, "abandoned") == 0
                              ? "its run was closed as abandoned and cannot be continued"
                              : why_not(job, row, ckpt && job->opts->resume);
        if (ckpt)
            RV_TRY(rv_owner_compare(job, row->owner, "checkpoint", err));
        if (!why) {
            RV_TRY(check_not_completed(job, row, err));
            out->resume = true;
            out->checkpoint = ckpt != NULL;
            out->row = *row;
            return RV_OK;
        }
        if (ckpt)
            return refuse_checkpoint(job, ckpt, why, err);
    }
    if (purpose == RV_SETTLE_REPAIR && (ckpt || sealed) && strcmp(row->status, "abandoned") != 0)
        RV_TRY(rv_old_dest_is_ours(job, row, &here, err));
    if (here) {
        out->resume = true;
        out->checkpoint = ckpt != NULL;
        out->row = *row;
        return RV_OK;
    }
    return row_open ? abandon(job, row, out, err) : RV_OK;
}

rv_status rv_settle(rv_job *job, rv_settle_for purpose, rv_settled *out, rv_error *err)
{
    rv_run_row row;
    rv_checkpoint_row ckpt;
    bool open = false, have = false, have_ckpt = false;
    *out = (rv_settled){.outcome = "nothing"};
    for (;;) {
        RV_TRY(wait_for_dead(job, &row, &open, err));
        if (!open || strcmp(row.status, "unpublished") != 0)
            break;
        RV_TRY(publish_dead(job, &row, err));
        out->outcome = "published";
        out->settled = row.run_id;
    }
    RV_TRY(rv_state_checkpoint_get(job->state, job->x->name, &job->arena, &ckpt, &have_ckpt, err));
    have = open;
    if (have_ckpt && (!open || strcmp(row.run_id, ckpt.run_id) != 0)) {
        bool found = false;
        rv_run_row owner;
        RV_TRY(rv_state_run_get(job->state, ckpt.run_id, &job->arena, &owner, &found, err));
        if (found) {
            if (open) /* a repair of that checkpoint's run died */
                RV_TRY(abandon(job, &row, out, err));
            row = owner;
            have = true;
            open = false;
        }
    } else if (!open) {
        rv_run_rows latest = {0};
        RV_TRY(rv_state_runs(job->state, job->x->name, 1, &job->arena, &latest, err));
        have = latest.n == 1;
        if (have)
            row = latest.rows[0];
    }
    if (have)
        RV_TRY(decide(job, &row, open, have_ckpt ? &ckpt : NULL, purpose, out, err));
    if (job->opts->resume && !out->resume && job->opts->export_name) {
        rv_status st = rv_fail(err, RV_E_RUN_NOTHING,
                               "export '%s': nothing is in progress to resume", job->x->name);
        rv_hint(err,
                "start fresh with `rivet run -e %s`; `rivet state chunks -e %s` shows checkpoints",
                job->x->name, job->x->name);
        return st;
    }
    return RV_OK;
}

/* ---- clearing ---- */

/* In a sticky directory a file of another user stays: that is worth a word, not a run. */
static rv_status sweep(rv_job *job, const rv_old_dest *at, const char *name,
                       const char *const *keep, size_t n_keep, rv_error *err)
{
    rv_error why = {0};
    rv_status st = at->dd->sweep(at->dest, name, keep, n_keep, &why);
    if (st == RV_E_DEST_PERMISSION) {
        rv_job_warn_hidden(job, &why);
        return RV_OK;
    }
    if (st != RV_OK)
        *err = why;
    return st;
}

rv_status rv_settle_sweep_own(rv_job *job, rv_error *err)
{
    rv_part_rows parts = {0};
    const char **keep;
    size_t n = 0;
    RV_TRY(rv_state_parts(job->state, job->run_id, NULL, &job->arena, &parts, err));
    RV_TRY(rv_arena_array(&job->arena, parts.n + 1, sizeof *keep, &keep, err));
    for (size_t i = 0; i < parts.n; i++)
        if (parts.rows[i].spool_path)
            keep[n++] = parts.rows[i].spool_path;
    const rv_old_dest here = {job->dd, job->dest};
    RV_TRY(sweep(job, &here, job->spool_name, keep, n, err));
    return sweep(job, &here, job->owner_token, NULL, 0, err);
}

static rv_status clear_part(rv_job *job, const rv_old_dest *at, const rv_run_row *row,
                            const rv_part_row *part, bool *out_left, rv_error *err)
{
    rv_remove_outcome outcome = RV_REMOVE_MISSING;
    if (strcmp(part->status, "removed") == 0 || strcmp(part->status, "quarantined") == 0 ||
        part->listed_by)
        return RV_OK;
    RV_TRY(rv_part_abort_left(at->dd, at->dest, part, err));
    if (part->spool_path) {
        rv_error why = {0};
        bool found;
        rv_status st = rv_file_remove(part->spool_path, &found, &why);
        if (st != RV_OK && st != RV_E_DEST_PERMISSION) {
            *err = why;
            return st;
        }
    }
    RV_TRY(at->dd->remove(at->dest, part->file_name, row->owner_token, part->fingerprint,
                          (uint64_t)part->bytes, &outcome, err));
    RV_KILL_POINT("clear-part");
    if (outcome == RV_REMOVE_FOREIGN)
        return rv_state_part_forget(job->state, &job->lease, row->run_id, part->file_name, err);
    bool denied = outcome == RV_REMOVE_DENIED;
    if (denied) {
        *out_left = true;
        RV_LOG_WARN(job->env, "export '%s': %s of run %s may not be removed; it is superseded",
                    job->x->name, part->file_name, row->run_id);
    }
    rv_journal_add(job->journal, denied ? "part_superseded" : "part_removed", "s", "name",
                   part->file_name);
    return rv_state_part_status(job->state, &job->lease, row->run_id, part->file_name,
                                denied ? "superseded" : "removed", true, err);
}

/* Readers must be able to tell what was left: the dead run's own manifest lists it. */
static rv_status list_left(rv_job *job, const rv_old_dest *at, const rv_run_row *row, rv_error *err)
{
    rv_job old = *job;
    rv_part_rows parts = {0};
    const char *json;
    char name[RV_PUBLISH_NAME_SIZE];
    old.run_id = row->run_id;
    old.started_at = row->started_at;
    old.owner_token = row->owner_token;
    old.dd = at->dd;
    old.dest = at->dest;
    old.rel = NULL;
    old.schema = (rv_schema){0};
    RV_TRY(rv_state_parts(job->state, row->run_id, NULL, &job->arena, &parts, err));
    rv_manifest_facts facts = {.status = "failed", .parts = &parts, .source_row_count = -1};
    RV_TRY(rv_manifest_build(&old, &facts, &job->arena, &json, err));
    rv_publication p = {.env = job->env,
                        .dd = at->dd,
                        .dest = at->dest,
                        .export_name = job->x->name,
                        .run_id = row->run_id,
                        .owner_token = row->owner_token,
                        .started_at = row->started_at,
                        .epoch = row->epoch,
                        .manifest_json = json,
                        .guard = rv_job_guard,
                        .guard_ctx = job};
    return rv_publish_own(&p, name, err);
}

static rv_status clear_run(rv_job *job, const rv_run_row *row, rv_error *err)
{
    rv_status st;
    rv_old_dest at = {0};
    rv_part_rows parts = {0};
    bool left = false, known = false;
    const char *spool;
    RV_GO(rv_old_dest_open(job, row, &at, &known, err));
    if (!known || !at.dd->remove) {
        RV_LOG_WARN(job->env, "export '%s': run %s wrote to another destination; its parts stay",
                    job->x->name, row->run_id);
        goto done;
    }
    RV_GO(rv_state_parts(job->state, row->run_id, NULL, &job->arena, &parts, err));
    for (size_t i = 0; i < parts.n; i++)
        RV_GO(clear_part(job, &at, row, &parts.rows[i], &left, err));
    RV_GO(rv_name_spool(&job->arena, row->run_id, row->owner_token ? row->owner_token : "", &spool,
                        err));
    RV_GO(sweep(job, &at, spool, NULL, 0, err)); /* also what may not go above: said once */
    RV_GO(sweep(job, &at, row->owner_token, NULL, 0, err)); /* manifests half written */
    if (left)
        RV_GO(list_left(job, &at, row, err));
    RV_GO(rv_state_run_cleared(job->state, &job->lease, row->run_id, err));
    rv_journal_add(job->journal, "run_settled", "ss", "run_id", row->run_id, "outcome", "cleared");
    RV_KILL_POINT("settled-clear");
done:
    rv_old_dest_close(&at);
    return st;
}

rv_status rv_settle_clear(rv_job *job, rv_error *err)
{
    rv_run_rows rows = {0};
    RV_TRY(rv_state_runs_uncleared(job->state, job->x->name, &job->arena, &rows, err));
    for (size_t i = 0; i < rows.n; i++)
        if (strcmp(rows.rows[i].run_id, job->run_id) != 0 &&
            (!job->repairs || strcmp(rows.rows[i].run_id, job->repairs) != 0))
            RV_TRY(clear_run(job, &rows.rows[i], err));
    return RV_OK;
}
