#include "engine/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "destination/stdout/stdout.h"
#include "engine/apply.h"
#include "engine/drift.h"
#include "engine/old_dest.h"
#include "engine/owner.h"
#include "engine/partition.h"
#include "engine/report.h"
#include "engine/quality.h"
#include "engine/rss.h"
#include "engine/settle.h"

#define RV_TARGET "engine"
#define STEM_TRIES 1000u

/* ---- identity and lease ---- */

static const char *checks_of(const rv_job *job)
{
    return job->reconcile ? "validate,reconcile" : job->validate ? "validate" : NULL;
}

static rv_status row_for(rv_job *job, rv_run_row *row, rv_error *err)
{
    *row = (rv_run_row){.run_id = job->run_id,
                        .export_name = job->x->name,
                        .aggregate_id = job->aggregate_id,
                        .mode = job->repairs ? "repair" : rv_mode_name(job->mode),
                        .stem = job->stem,
                        .prefix = job->prefix,
                        .date_token = job->date,
                        .status = "running",
                        .owner_token = job->owner_token,
                        .started_at = job->started_at,
                        .checks = checks_of(job) ? checks_of(job) : ""};
    rv_process_self(&row->process);
    return rv_old_dest_facts(job, &row->destination, err);
}

/* Another stem, or another millisecond when even the run id is taken. */
static rv_status move_identity(rv_job *job, rv_error *err)
{
    rv_run_row taken;
    bool found = false;
    RV_TRY(rv_state_run_get(job->state, job->run_id, &job->arena, &taken, &found, err));
    if (!found)
        return rv_name_stem(&job->arena, job->x->name, job->started_us, ++job->stem_try, &job->stem,
                            err);
    job->started_us += 1000;
    job->dd->close(job->dest);
    job->dest = NULL;
    return rv_job_open(job, err);
}

rv_status rv_run_take_lease(rv_job *job, rv_settle_for purpose, rv_settled *settled, rv_error *err)
{
    for (unsigned i = 0; i < STEM_TRIES; i++) {
        rv_run_row row, open;
        rv_take take;
        RV_TRY(row_for(job, &row, err));
        RV_TRY(rv_state_lease_take(job->state, &row, &job->arena, &take, &open, err));
        if (take == RV_LEASE_TAKEN) {
            job->lease = (rv_lease){.run_id = job->run_id, .export_name = job->x->name, .epoch = 1};
            job->leased = true;
            RV_KILL_POINT("lease-taken");
            return RV_OK;
        }
        if (take == RV_LEASE_STEM_TAKEN) {
            RV_TRY(move_identity(job, err));
            continue;
        }
        RV_TRY(rv_settle(job, purpose, settled, err)); /* somebody was quicker */
        if (settled->resume)
            return RV_OK;
    }
    return rv_fail(err, RV_E_STATE_LEASE, "export '%s': no free run name was found", job->x->name);
}

static rv_status continue_run(rv_job *job, const rv_settled *settled, rv_error *err)
{
    char age[32];
    rv_process_id self;
    rv_process_self(&self);
    RV_TRY(rv_job_assume(job, &settled->row, err));
    /* its units are remembered, whatever chunk_checkpoint says by now */
    job->checkpoint = settled->checkpoint;
    job->lease = (rv_lease){.run_id = job->run_id, .export_name = job->x->name};
    RV_TRY(rv_state_lease_adopt(job->state, &settled->row, &self, job->aggregate_id,
                                &job->lease.epoch, err));
    job->leased = true;
    RV_KILL_POINT("lease-adopted");
    rv_duration_text(settled->row.heartbeat_age_us / 1000, age);
    RV_LOG_WARN(job->env, "export '%s': run %s is continued; its last heartbeat is %s old",
                job->x->name, job->run_id, age);
    return RV_OK;
}

/* ---- gates before row one ---- */

static void warn_case_twins(rv_job *job)
{
    const rv_schema *s = &job->schema;
    for (size_t i = 0; i < s->n_columns; i++)
        for (size_t k = 0; k < i; k++)
            if (strcasecmp(s->columns[i].name, s->columns[k].name) == 0)
                RV_LOG_WARN(job->env,
                            "export '%s': columns '%s' and '%s' differ only in case; many readers "
                            "take them for one",
                            job->x->name, s->columns[k].name, s->columns[i].name);
}

static rv_status judge_columns(rv_job *job, rv_error *err)
{
    const rv_schema *s = &job->schema;
    warn_case_twins(job);
    for (size_t i = 0; i < s->n_columns; i++) {
        const rv_column *c = &s->columns[i];
        if (c->fidelity != RV_LOSSY)
            continue;
        if (job->opts->strict)
            return rv_fail(err, RV_E_TYPE_LOSSY, "export '%s': column '%s': %s", job->x->name,
                           c->name, c->lossy_reason ? c->lossy_reason : "lossy");
        RV_LOG_WARN(job->env, "export '%s': column '%s': %s", job->x->name, c->name,
                    c->lossy_reason ? c->lossy_reason : "lossy");
    }
    return RV_OK;
}

/* The relation has pages, but not in the order that this mode moves along. */
static bool streams_bound(const rv_job *job)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_segment seg = {0};
    rv_error ignored = {0};
    bool streams = job->rel->shape == RV_SHAPE_PAGES && !job->keyset &&
                   rv_plan_order(job, &scratch, &seg, &ignored) == RV_OK && !seg.paged;
    rv_arena_free(&scratch);
    return streams;
}

static void announce_connection(rv_job *job)
{
    const rv_source_info *info = job->sd->info(job->source);
    if (info->host_port)
        RV_LOG_INFO(job->env, "export '%s': reading from %s version %s connection=%s tls=%s",
                    job->x->name, info->host_port, info->version ? info->version : "?",
                    info->connection ? info->connection : "direct", info->tls ? info->tls : "off");
}

/* "id, line" */
static const char *key_list(const rv_relation *rel, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < rel->key.n_columns && used < size; i++) {
        int n = snprintf(out + used, size - used, "%s%s", i ? ", " : "", rel->key.columns[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    return out;
}

static void announce_shape(rv_job *job)
{
    const rv_relation *rel = job->rel;
    char columns[256];
    if (rel->small)
        return;
    if (streams_bound(job)) {
        rv_job_plan_warn(job, "streamed_statement",
                         "%s cannot be read in pages (no index by %s and the key); one statement "
                         "reads %s whole",
                         job->x->table ? job->x->table : "query", rv_plan_bound(job).column,
                         job->mode == RV_CHUNKED ? "each chunk" : "it");
        return;
    }
    if (rel->shape == RV_SHAPE_RANGES) {
        RV_LOG_INFO(job->env, "export '%s': read in ranges of addresses within one snapshot (%s)",
                    job->x->name, rel->shape_reason);
        return;
    }
    if (!job->x->query) {
        if (rel->shape != RV_SHAPE_PAGES)
            rv_job_plan_warn(job, "streamed_statement",
                             "%s cannot be read in pages (%s); one statement reads it whole",
                             job->x->table, rel->shape_reason);
        return;
    }
    if (rel->shape == RV_SHAPE_PAGES)
        RV_LOG_INFO(job->env, "export '%s': query read in pages of %s%s%s by %s (%s)", job->x->name,
                    rel->base_schema ? rel->base_schema : "", rel->base_schema ? "." : "",
                    rel->base_table ? rel->base_table : "its table", rel->key.name,
                    key_list(rel, columns, sizeof columns));
    else
        rv_job_plan_warn(job, "streamed_statement",
                         "query cannot be read in pages (%s); one statement reads it whole",
                         rel->shape_reason);
}

static rv_status compare_progress(rv_job *job, rv_error *err)
{
    rv_position_row position = {0};
    bool have = false;
    bool uses = job->mode == RV_INCREMENTAL || job->x->keyset_incremental;
    if (!uses)
        return RV_OK;
    RV_TRY(rv_state_position_get(job->state, job->x->name, &job->arena, &position, &have, err));
    if (!have)
        return RV_OK;
    job->report->cursor_low = position.last_cursor_value;
    return rv_owner_compare(job, position.owner, "cursor", err);
}

static rv_status prepare_room(rv_job *job, rv_error *err)
{
    bool tmpfs = false;
    uint64_t need = job->x->max_file_bytes ? job->x->max_file_bytes * job->x->parallel : 0;
    if (job->to_stdout && strcmp(job->fmt->name, "parquet") == 0 && rv_dest_stdout_is_tty())
        return rv_fail(err, RV_E_CONFIG_STDOUT,
                       "export '%s': Parquet is not written to a terminal; redirect stdout",
                       job->x->name);
    if (job->to_stdout)
        return RV_OK;
    RV_TRY(job->dd->prepare(job->dest, need, &tmpfs, err));
    job->spool_is_memory = tmpfs;
    if (tmpfs)
        rv_job_warn(job, "spool", "the spool lies on tmpfs and counts as memory");
    return RV_OK;
}

static rv_status journal_plan(rv_job *job, rv_error *err)
{
    const char *strategy;
    char members[512];
    RV_TRY(rv_plan_strategy(job, &job->arena, &strategy, err));
    int n = snprintf(members, sizeof members,
                     "\"snapshot\":{\"strategy\":\"%s\",\"plan_hash\":\"%s\",\"read_shape\":\"%s\","
                     "\"columns\":%zu,\"resumed\":%s}",
                     strategy, job->plan_hash, rv_shape_name(job->rel->shape),
                     job->schema.n_columns, job->resumed ? "true" : "false");
    rv_journal_add_raw(job->journal, "plan_resolved", (rv_str){members, (size_t)n});
    return RV_OK;
}

/* ---- the order of the page ---- */

typedef struct rv_course {
    rv_settled settled;
    rv_executed executed;
    const char *columns_json;
    bool published;
} rv_course;

rv_status rv_run_open_journal(rv_job *job, rv_error *err)
{
    rv_error why = {0};
    rv_status st = rv_file_mkdirs(job->run_dir, 0700, &why);
    if (st == RV_OK)
        st = rv_job_open_journal(job, &why);
    if (st == RV_OK)
        return RV_OK;
    RV_LOG_WARN(job->env, "export '%s': the journal is not kept on disk: %s", job->x->name,
                why.text);
    return rv_journal_open(job->env, NULL, &job->journal, err);
}

static rv_status start(rv_job *job, rv_course *c, rv_error *err)
{
    RV_TRY(rv_refuse_unbuilt(job->x, err));
    RV_TRY(rv_job_open(job, err));
    RV_TRY(rv_settle(job, RV_SETTLE_RUN, &c->settled, err));
    if (!c->settled.resume)
        RV_TRY(rv_run_take_lease(job, RV_SETTLE_RUN, &c->settled, err));
    if (c->settled.resume)
        RV_TRY(continue_run(job, &c->settled, err));
    job->report->run_id = job->run_id;
    job->report->started_at = job->started_at;
    job->report->output = job->dd->uri(job->dest);
    job->report->resumed = job->resumed;
    RV_TRY(rv_heartbeat_start(job, err));
    return rv_run_open_journal(job, err);
}

static rv_status gates(rv_job *job, rv_course *c, rv_error *err)
{
    bool changed = false;
    RV_TRY(rv_job_resolve(job, err));
    RV_TRY(journal_plan(job, err));
    RV_TRY(rv_sealed_check(job, err));
    if (c->settled.settled)
        rv_journal_add(job->journal, "run_settled", "ss", "run_id", c->settled.settled, "outcome",
                       c->settled.outcome);
    announce_connection(job);
    announce_shape(job);
    RV_TRY(compare_progress(job, err));
    RV_TRY(rv_drift_columns(job, &c->columns_json, err));
    RV_TRY(rv_drift_gate(job, &changed, err));
    job->report->schema_changed = changed;
    RV_TRY(judge_columns(job, err));
    RV_TRY(rv_quality_open(job, &job->quality, err));
    RV_TRY(job->fmt->check(&job->schema, &job->fopts, err));
    RV_TRY(prepare_room(job, err));
    if (job->resumed)
        RV_TRY(rv_settle_sweep_own(job, err));
    rv_run_facts facts = {
        .owner = job->owner_json, .plan_hash = job->plan_hash, .checks = checks_of(job)};
    RV_TRY(rv_state_run_facts(job->state, &job->lease, &facts, err));
    return rv_settle_clear(job, err);
}

static rv_status run_steps(const rv_export_call *call, rv_job *job, rv_course *c, rv_error *err)
{
    const rv_run_hooks *hooks = job->opts->hooks;
    RV_TRY(start(job, c, err));
    if (hooks && hooks->started)
        hooks->started(hooks->ctx, job->report);
    if (job->x->partition_by)
        return rv_partition_steps(call, job, &c->executed, err);
    RV_TRY(gates(job, c, err));
    /* what a tie set dropped is not stored: a sealed cursor unit cannot be counted, only read anew
     */
    bool sealed =
        job->resumed && !c->settled.checkpoint && !(job->reconcile && job->mode == RV_INCREMENTAL);
    RV_TRY(rv_execute(job, sealed, &c->executed, err));
    RV_TRY(rv_cancel_check(job->env->cancel, err));
    RV_TRY(rv_run_gates(job, err));
    RV_TRY(rv_run_reconcile(job, &c->executed, err));
    return rv_run_finish(job, &c->executed, c->columns_json, &c->published, err);
}

/* ---- the report ---- */

static void tuning_text(rv_job *job, rv_export_report *r, rv_arena *a)
{
    const rv_cfg_tuning *t = &job->x->tuning;
    rv_error ignored = {0};
    const char *suffix = t->profile_default ? " (default)" : "";
    (void)!rv_arena_printf(a, &r->tuning_profile, &ignored, "%s%s", rv_profile_name(t->profile),
                           suffix);
    if (t->batch_memory_mb && !t->batch_size_written)
        (void)!rv_arena_printf(a, &r->tuning_text, &ignored,
                               "profile=%s%s, batch_size=adaptive (target %" PRIu64 " MB)",
                               rv_profile_name(t->profile), suffix, t->batch_memory_mb);
    else
        (void)!rv_arena_printf(a, &r->tuning_text, &ignored, "profile=%s%s, batch_size=%" PRIu64,
                               rv_profile_name(t->profile), suffix, t->batch_size);
}

static const char *copy_text(rv_arena *a, const char *text)
{
    const char *out = NULL;
    rv_error ignored = {0};
    if (text && rv_arena_cstr(a, rv_str_c(text), &out, &ignored) != RV_OK)
        return NULL;
    return out;
}

static int64_t upload_retries(const rv_job *job)
{
    return job->dest && job->dd->retries ? (int64_t)job->dd->retries(job->dest) : 0;
}

static void fill_report(rv_job *job, const rv_course *c, rv_status st, int64_t began_us,
                        rv_arena *a, rv_export_report *r)
{
    static const char *const consistency[] = {"pages", "pages", "statement", "snapshot"};
    r->duration_ms = (rv_clock_mono_us() - began_us) / 1000;
    r->rows = job->rows;
    r->files = job->files;
    r->bytes = job->bytes;
    r->bytes_read = job->bytes_read;
    r->retries = job->retries + upload_retries(job);
    r->longest_statement_ms = job->longest_us / 1000;
    r->consistency = job->rel ? consistency[job->consistency] : NULL;
    bool many = job->rel && (job->mode == RV_CHUNKED || job->keyset);
    r->chunks_total = many ? (job->chunks_total ? job->chunks_total : job->chunks_done) : -1;
    r->chunks_done = many ? job->chunks_done : -1;
    r->chunks_retried = many ? job->chunks_retried : -1;
    if (st == RV_OK) {
        r->status = c->executed.skipped ? "skipped" : job->degraded ? "degraded" : "success";
        r->validated = job->validate ? 1 : -1;
        if (c->executed.skipped)
            r->skip_reason = r->cursor_low ? "no new rows since the stored cursor" : "no rows";
        if (job->mode == RV_INCREMENTAL && c->executed.moved && !c->executed.skipped)
            r->cursor_high = c->executed.position.last_cursor_value;
    } else {
        r->status = c->published                        ? "unpublished"
                    : r->error.code == RV_E_INTERRUPTED ? "interrupted"
                                                        : "failed";
        r->validated = r->error.code == RV_E_VALIDATE    ? 0
                       : r->error.code == RV_E_RECONCILE ? 1
                                                         : -1;
        r->resumable = r->run_id != NULL && job->checkpoint;
        r->exit_code = rv_class_exit(rv_code(st)->class_);
        int signo = job->env->cancel ? rv_cancel_signal(job->env->cancel) : 0;
        if (r->error.code == RV_E_INTERRUPTED && signo != 0 && signo != 2)
            r->exit_code = 143;
    }
    r->run_id = copy_text(a, r->run_id);
    r->started_at = copy_text(a, r->started_at);
    r->output = copy_text(a, r->output);
    r->replaced = copy_text(a, r->replaced);
    r->cursor_low = copy_text(a, r->cursor_low);
    r->cursor_high = copy_text(a, r->cursor_high);
    if (c->executed.skipped && r->cursor_low) {
        rv_error ignored = {0};
        (void)!rv_arena_printf(a, &r->skip_reason, &ignored, "no new rows since cursor '%s'",
                               r->cursor_low);
    }
}

void rv_export_run(const rv_export_call *call, rv_export_report *out)
{
    int64_t began_us = rv_clock_mono_us();
    rv_run_opts opts = *call->opts;
    if (call->x->partition_by) /* what there is to resume are its buckets */
        opts.resume = false;
    rv_export_report_empty(call->x, out);
    out->forced = rv_sealed_forced(&opts, call->x->name);
    rv_job job = {.env = call->env,
                  .cfg = call->cfg,
                  .x = call->x,
                  .opts = &opts,
                  .state = call->state,
                  .aggregate_id = call->aggregate_id,
                  .report = out,
                  .started_us = rv_env_now_us(call->env)};
    rv_course course = {0};
    rv_rss_sampler rss = {0};
    rv_rss_start(&rss);
    pthread_mutex_init(&job.lock, NULL);
    tuning_text(&job, out, call->report_arena);
    rv_status st = run_steps(call, &job, &course, &out->error);
    if (st != RV_OK && rv_cancel_raised(call->env->cancel) && out->error.code != RV_E_INTERRUPTED &&
        out->error.code != RV_E_STATE_LEASE_LOST) {
        /* whatever the interruption made fail, the cause is the signal */
        st = rv_cancel_check(call->env->cancel, &out->error);
    }
    if (st != RV_OK)
        rv_run_fail(&job, &out->error, course.published);
    fill_report(&job, &course, st, began_us, call->report_arena, out);
    out->peak_rss_mb = rv_rss_stop(&rss); /* before the metric and the summary are stored */
    /* whoever took the run over writes its one metric and its journal */
    if (out->run_id && out->error.code != RV_E_STATE_LEASE_LOST)
        rv_run_record(&job, out);
    rv_quality_close(job.quality);
    rv_job_close(&job);
}
