#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "engine/owner.h"
#include "engine/reading.h"
#include "engine/repair_internal.h"
#include "engine/report.h"
#include "engine/run.h"

#define RV_TARGET "engine"

/* ---- settling ---- */

static rv_status upload_steps(rv_job *old, const rv_settled *settled, rv_error *err)
{
    rv_process_id self;
    rv_process_self(&self);
    RV_TRY(rv_job_open(old, err));
    RV_TRY(rv_job_assume(old, &settled->row, err));
    old->checkpoint = settled->checkpoint;
    old->lease = (rv_lease){.run_id = old->run_id, .export_name = old->x->name};
    RV_TRY(rv_state_lease_adopt(old->state, &settled->row, &self, NULL, &old->lease.epoch, err));
    old->leased = true;
    RV_TRY(rv_heartbeat_start(old, err));
    return settled->checkpoint ? rv_resume_sealed_units(old, err)
                               : rv_unit_upload_rest(old, "0", err);
}

/* What the run that stopped had finished is sent and committed under its own identity; nothing is
 * read for it. */
static rv_status upload_sealed(rv_mending *m, const rv_settled *settled, rv_error *err)
{
    const rv_repair *r = m->r;
    rv_error close_err = {0};
    rv_job old = {.env = r->env,
                  .cfg = r->cfg,
                  .x = r->x,
                  .opts = &m->opts,
                  .state = r->state,
                  .started_us = rv_env_now_us(r->env)};
    pthread_mutex_init(&old.lock, NULL);
    rv_status st = upload_steps(&old, settled, err);
    const char *status =
        strcmp(settled->row.status, "failed") == 0 ? settled->row.status : "interrupted";
    rv_heartbeat_stop(&old);
    if (old.leased && st != RV_E_STATE_LEASE_LOST) {
        rv_status closed = rv_state_run_close(old.state, &old.lease, status, &close_err);
        if (st == RV_OK && closed != RV_OK) {
            st = closed;
            *err = close_err;
        }
    }
    rv_job_close(&old);
    RV_KILL_POINT("repair-settled");
    return st;
}

/* A repair lies where the run it mends lies, whatever day it is. */
static rv_status move_to_subject(rv_mending *m, rv_error *err)
{
    rv_repair *r = m->r;
    rv_job *job = &m->job;
    RV_TRY(rv_subject_open(&r->subject, r->env, r->x, r->state, true, r->arena, err));
    job->repairs = r->subject.run_id;
    if (!r->subject.known)
        return RV_OK;
    if (r->subject.row.date_token)
        job->date = r->subject.row.date_token;
    if (!r->subject.row.prefix || strcmp(r->subject.row.prefix, job->prefix) == 0)
        return RV_OK;
    job->dd->close(job->dest);
    job->dest = NULL;
    job->prefix = r->subject.row.prefix;
    return job->dd->open(job->env, &job->x->dest, job->prefix, &job->dest, err);
}

static rv_status again_please(const rv_job *job, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_STATE_LEASE,
                           "export '%s': another run ended while the repair began", job->x->name);
    rv_hint(err, "run `rivet repair` once more");
    return st;
}

static rv_status take_lease(rv_mending *m, rv_error *err)
{
    rv_job *job = &m->job;
    rv_settled settled = {0};
    const char *prefix;
    RV_TRY(move_to_subject(m, err));
    prefix = job->prefix;
    RV_TRY(rv_run_take_lease(job, RV_SETTLE_REPAIR, &settled, err));
    rv_subject_close(&m->r->subject);
    if (!job->leased)
        return again_please(job, err);
    RV_TRY(rv_arena_cstr(m->r->arena, rv_str_c(job->run_id), &m->r->out->repair_run_id, err));
    m->report.run_id = m->r->out->repair_run_id;
    m->report.started_at = job->started_at;
    m->report.output = job->dd->uri(job->dest);
    RV_TRY(rv_heartbeat_start(job, err));
    RV_TRY(rv_run_open_journal(job, err));
    return strcmp(prefix, job->prefix) == 0 ? RV_OK : again_please(job, err);
}

/* ---- may this be repaired? ---- */

static rv_status check_plan(rv_mending *m, rv_error *err)
{
    rv_job *job = &m->job;
    const rv_subject *s = &m->r->subject;
    RV_TRY(rv_job_resolve(job, err));
    RV_TRY(rv_owner_compare(job, s->row.owner, "run", err));
    if (rv_subject_same_plan(s, job))
        return RV_OK;
    rv_status st = rv_fail(err, RV_E_RUN_OWNER,
                           "export '%s': its configuration or columns changed since run %s",
                           job->x->name, s->run_id);
    rv_hint(err,
            "export it anew with `rivet run -e %s`; only what a run read the same way fits its "
            "other parts",
            job->x->name);
    return st;
}

static rv_status check_complete(rv_mending *m, rv_error *err)
{
    const rv_repair *r = m->r;
    const rv_repair_report *out = r->out;
    size_t owed = 0, planned = 0;
    for (size_t i = 0; i < r->known.n; i++)
        owed += r->known.rows[i].status != NULL; /* unfinished */
    for (size_t i = 0; i < out->n_actions; i++) {
        const rv_slice *p = rv_repair_range(r, out->actions[i].unit);
        planned += p && p->status;
    }
    if (planned == owed)
        return RV_OK;
    rv_status st = rv_fail(
        err, RV_E_REPAIR_REPORT, "report %s leaves out %zu unfinished ranges of run %s",
        r->opts->report_path ? r->opts->report_path : "", owed - planned, r->subject.run_id);
    rv_hint(err, "leave --report out");
    return st;
}

static rv_status check_subject(rv_mending *m, rv_error *err)
{
    rv_job *job = &m->job;
    const rv_repair *r = m->r;
    rv_checkpoint_row ckpt;
    bool found = false, tmpfs = false;
    if (strcmp(r->subject.run_id, job->repairs) != 0)
        return again_please(job, err);
    RV_TRY(rv_state_checkpoint_get(job->state, job->x->name, &job->arena, &ckpt, &found, err));
    m->checkpoint = found && strcmp(ckpt.run_id, r->subject.run_id) == 0;
    if (!r->out->n_actions && !m->checkpoint)
        return RV_OK;
    if (!r->subject.delivered && !m->checkpoint) {
        rv_status st = rv_fail(err, RV_E_RUN_NOTHING,
                               "export '%s': run %s was never finished and has no checkpoint",
                               job->x->name, r->subject.run_id);
        rv_hint(err, "start over with `rivet run -e %s`", job->x->name);
        return st;
    }
    if (job->x->keyset_incremental)
        return rv_fail(err, RV_E_CONFIG_UNSUPPORTED,
                       "export '%s': repair of keyset_incremental is not part of this build: its "
                       "dataset is many manifests, and a range would be counted in two of them",
                       job->x->name);
    RV_TRY(check_complete(m, err));
    RV_TRY(check_plan(m, err));
    RV_TRY(job->fmt->check(&job->schema, &job->fopts, err));
    RV_TRY(job->dd->prepare(job->dest, job->x->max_file_bytes, &tmpfs, err));
    rv_run_facts facts = {
        .owner = job->owner_json, .plan_hash = job->plan_hash, .checks = "validate"};
    return rv_state_run_facts(job->state, &job->lease, &facts, err);
}

/* ---- names ---- */

static rv_status note_generation(rv_mending *m, const char *name, rv_error *err)
{
    rv_generation g;
    const char *unit;
    rv_unit_id id;
    rv_arena *a = &m->job.arena;
    if (!strstr(name, "_repair"))
        return RV_OK;
    RV_TRY(rv_unit_of_path(name, a, &unit, &g.stem, err));
    if (!unit || !rv_unit_id_parse(unit, &id) || id.generation == 0)
        return RV_OK;
    RV_TRY(rv_unit_base(&id, a, &g.base, err));
    g.no = id.generation;
    if (m->n_generations == m->generations_cap) {
        size_t cap = m->generations_cap ? m->generations_cap * 4 : 16;
        rv_generation *more;
        RV_TRY(rv_arena_array(a, cap, sizeof *more, &more, err));
        if (m->n_generations)
            memcpy(more, m->generations, m->n_generations * sizeof *more);
        m->generations = more;
        m->generations_cap = cap;
    }
    m->generations[m->n_generations++] = g;
    return RV_OK;
}

/* A generation once used is never used again: what stood under its name may still be about. */
static rv_status load_generations(rv_mending *m, rv_error *err)
{
    rv_job *job = &m->job;
    const rv_object_list *objects = &m->r->subject.v.objects;
    rv_run_rows runs = {0};
    RV_TRY(rv_state_runs(job->state, job->x->name, 0, &job->arena, &runs, err));
    for (size_t i = 0; i < runs.n; i++) {
        rv_part_rows parts = {0};
        if (strcmp(runs.rows[i].mode, "repair") != 0)
            continue;
        RV_TRY(rv_state_parts(job->state, runs.rows[i].run_id, NULL, &job->arena, &parts, err));
        for (size_t k = 0; k < parts.n; k++)
            RV_TRY(note_generation(m, parts.rows[k].file_name, err));
    }
    for (size_t i = 0; i < objects->n; i++)
        RV_TRY(note_generation(m, objects->items[i].key, err));
    return RV_OK;
}

/* The stem of the repaired run as its parts bear it. */
static rv_status load_stems(rv_mending *m, rv_error *err)
{
    const rv_repair *r = m->r;
    rv_arena *a = &m->job.arena;
    RV_TRY(rv_arena_array(a, r->known.n + 1, sizeof *m->stems, &m->stems, err));
    RV_TRY(rv_arena_array(a, r->known.n + 1, sizeof(void *), &m->mended, err));
    for (size_t i = 0; i < r->known.n; i++) {
        m->stems[i] = NULL;
        m->mended[i] = NULL;
    }
    for (size_t i = 0; i < r->subject.n_parts; i++) {
        const char *unit, *stem;
        RV_TRY(rv_unit_of_path(r->subject.parts[i].path, a, &unit, &stem, err));
        const rv_slice *p = rv_repair_range(r, unit);
        if (p)
            m->stems[p - r->known.rows] = stem;
        if (unit)
            m->any_stem = stem;
    }
    return RV_OK;
}

static const char *stem_for(const rv_mending *m, const rv_slice *p)
{
    const char *own = m->stems[p - m->r->known.rows];
    return own ? own : m->any_stem ? m->any_stem : m->r->subject.row.stem;
}

static rv_status name_unit(rv_mending *m, const rv_slice *p, rv_unit *unit, rv_error *err)
{
    rv_unit_id id;
    const char *base, *stem = stem_for(m, p);
    int64_t no = 0;
    if (!rv_unit_id_parse(p->unit, &id))
        return rv_fail(err, RV_E_INTERNAL, "unit '%s' has no range", p->unit);
    RV_TRY(rv_unit_base(&id, &m->job.arena, &base, err));
    for (size_t i = 0; i < m->n_generations; i++)
        if (strcmp(m->generations[i].base, base) == 0 &&
            strcmp(m->generations[i].stem, stem) == 0 && m->generations[i].no > no)
            no = m->generations[i].no;
    (void)snprintf(unit->name, sizeof unit->name, "%s_repair%lld", base, (long long)no + 1);
    pthread_mutex_lock(&m->job.lock);
    m->job.stem = stem;
    pthread_mutex_unlock(&m->job.lock);
    return RV_OK;
}

/* ---- reading the ranges again ---- */

static rv_status mend_range(rv_mending *m, rv_worker *worker, rv_repair_action *a, rv_error *err)
{
    rv_job *job = &m->job;
    rv_arena scratch = RV_ARENA_INIT;
    rv_unit unit = {0};
    rv_unit_result result = {0};
    rv_unit_done done = {.kind = RV_UNIT_SINGLE};
    const rv_slice *p = rv_repair_range(m->r, a->unit);
    rv_status st;
    if (!p)
        return rv_fail(err, RV_E_INTERNAL, "unit '%s' is not known", a->unit);
    RV_GO(rv_slice_unit(job, p, &scratch, &unit, err));
    RV_GO(name_unit(m, p, &unit, err));
    rv_journal_add(job->journal, "chunk_started", "iss", "chunk_index", a->chunk_index, "start_key",
                   a->start_key, "end_key", a->end_key);
    RV_GO(rv_state_unit_unseal(job->state, &job->lease, unit.name, err));
    RV_GO(rv_unit_extract(worker, &unit, &result, err));
    RV_GO(rv_unit_commit(job, &unit, p->key_high, &result, &done, err));
    a->rows_written = (int64_t)result.rows;
done:
    rv_unit_result_free(&result);
    rv_arena_free(&scratch);
    return st;
}

static bool ends_it(rv_status st)
{
    return st == RV_E_INTERRUPTED || st == RV_E_MEMORY || st == RV_E_STATE_LEASE_LOST ||
           st == RV_E_STATE_UNREACHABLE || st == RV_E_INTERNAL;
}

static rv_status mend_one(rv_mending *m, rv_worker *worker, rv_repair_action *a, rv_error *err)
{
    rv_error why = {0};
    if (!worker->open)
        RV_TRY(rv_worker_open(worker, &m->job, m->job.source, 1, err));
    rv_status st = mend_range(m, worker, a, &why);
    if (st == RV_OK) {
        a->outcome = "executed";
        m->mended[rv_repair_range(m->r, a->unit) - m->r->known.rows] = a;
        m->executed++;
        return RV_OK;
    }
    a->outcome = "failed";
    rv_worker_close(worker);
    rv_journal_add(m->job.journal, "chunk_failed", "isi", "chunk_index", a->chunk_index, "error",
                   why.text, "attempt", (int64_t)1);
    RV_TRY(rv_arena_cstr(m->r->arena, rv_str_c(why.text), &a->error, err));
    if (m->failed.code == RV_OK)
        m->failed = why;
    if (!ends_it(st))
        return RV_OK;
    *err = why;
    return st;
}

static rv_status mend_all(rv_mending *m, rv_error *err)
{
    rv_worker worker = {0};
    rv_repair_report *out = m->r->out;
    rv_status st = RV_OK;
    if (!out->n_actions)
        return RV_OK;
    RV_TRY(load_stems(m, err));
    RV_TRY(load_generations(m, err));
    RV_TRY(rv_reading_begin(&m->job, err));
    for (size_t i = 0; st == RV_OK && i < out->n_actions; i++) {
        st = rv_cancel_check(m->job.env->cancel, err);
        if (st == RV_OK)
            st = mend_one(m, &worker, &out->actions[i], err);
    }
    rv_worker_close(&worker);
    rv_reading_end(&m->job);
    return st;
}

/* ---- the order ---- */

/* A dataset that was whole before is better with some ranges mended; an unfinished one is only
 * published whole. */
static rv_status publish_mended(rv_mending *m, rv_error *err)
{
    bool failed = m->failed.code != RV_OK;
    bool whole = m->r->subject.delivered;
    if (failed && (!whole || !m->executed)) {
        for (size_t i = 0; i < m->r->out->n_actions; i++)
            if (m->r->out->actions[i].rows_written >= 0) {
                m->r->out->actions[i].outcome = "skipped";
                m->r->out->actions[i].error = "not published, because another range failed";
            }
        *err = m->failed;
        return err->code;
    }
    m->job.degraded = failed;
    return m->executed || m->checkpoint ? rv_repair_publish(m, err) : RV_OK;
}

static rv_status mend(rv_mending *m, rv_error *err)
{
    rv_job *job = &m->job;
    RV_TRY(take_lease(m, err));
    RV_TRY(rv_settle_clear(job, err));
    RV_TRY(rv_repair_prepare(m->r, job, err));
    rv_journal_add(job->journal, "plan_resolved", "sii", "repairs", job->repairs, "actions",
                   (int64_t)m->r->out->n_actions, "skipped", (int64_t)m->r->out->n_skipped);
    RV_TRY(check_subject(m, err));
    RV_TRY(mend_all(m, err));
    RV_KILL_POINT("repair-mended");
    RV_TRY(publish_mended(m, err));
    RV_TRY(rv_repair_sweep(m->r, job, err));
    RV_KILL_POINT("repair-swept");
    RV_TRY(
        rv_state_run_close(job->state, &job->lease, job->degraded ? "degraded" : "success", err));
    job->leased = false;
    return RV_OK;
}

static rv_status settle_first(rv_mending *m, rv_error *err)
{
    rv_settled settled = {0};
    const char *text;
    RV_TRY(rv_job_open(&m->job, err));
    RV_TRY(rv_settle(&m->job, RV_SETTLE_REPAIR, &settled, err));
    if (!settled.resume)
        return RV_OK;
    RV_TRY(upload_sealed(m, &settled, err));
    m->uploaded_only = !settled.checkpoint;
    if (!m->uploaded_only)
        return RV_OK;
    /* it is complete but for its own final transaction, which moves the cursor: a run's matter */
    RV_TRY(rv_repair_prepare(m->r, &m->job, err));
    RV_TRY(
        rv_arena_printf(m->r->arena, &text, err,
                        "run %s: its parts are uploaded; `rivet run` finishes it without reading",
                        settled.row.run_id));
    m->r->out->skipped[m->r->out->n_skipped++] = text;
    return RV_OK;
}

static void fill_report(rv_mending *m, rv_status st, int64_t began_us)
{
    rv_export_report *rep = &m->report;
    rv_repair_report *out = m->r->out;
    for (size_t i = 0; i < out->n_actions; i++)
        if (out->actions[i].outcome && strcmp(out->actions[i].outcome, "executed") == 0)
            out->rows_written += out->actions[i].rows_written;
    rep->rows = out->rows_written;
    rep->files = m->job.files;
    rep->bytes = m->job.bytes;
    rep->bytes_read = m->job.bytes_read;
    rep->retries = m->job.retries;
    rep->duration_ms = (rv_clock_mono_us() - began_us) / 1000;
    rep->mode = "repair";
    rep->status = st == RV_OK                           ? m->job.degraded ? "degraded" : "success"
                  : m->published                        ? "unpublished"
                  : rep->error.code == RV_E_INTERRUPTED ? "interrupted"
                                                        : "failed";
}

rv_status rv_repair_execute(rv_repair *r, rv_error *err)
{
    int64_t began_us = rv_clock_mono_us();
    rv_mending m = {.r = r, .opts = {.lock_wait_s = r->opts->lock_wait_s, .validate = true}};
    rv_export_report_empty(r->x, &m.report);
    m.job = (rv_job){.env = r->env,
                     .cfg = r->cfg,
                     .x = r->x,
                     .opts = &m.opts,
                     .state = r->state,
                     .report = &m.report,
                     .started_us = rv_env_now_us(r->env)};
    pthread_mutex_init(&m.job.lock, NULL);
    r->out->executed = true;
    rv_error *why = &m.report.error;
    rv_status st = settle_first(&m, why);
    if (st == RV_OK && !m.uploaded_only)
        st = mend(&m, why);
    if (st != RV_OK && m.job.leased)
        rv_run_fail(&m.job, why, m.published);
    fill_report(&m, st, began_us);
    if (m.report.run_id && st != RV_E_STATE_LEASE_LOST)
        rv_run_record(&m.job, &m.report);
    if (st == RV_OK && m.failed.code != RV_OK) {
        *why = m.failed;
        st = m.failed.code;
    }
    if (st != RV_OK)
        *err = *why;
    rv_job_close(&m.job);
    return st;
}
