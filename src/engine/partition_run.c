#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "engine/partition.h"
#include "engine/quality.h"
#include "engine/settle.h"

#define RV_TARGET "engine"

typedef struct rv_parting {
    const rv_export_call *call; /* as the parent was asked */
    rv_job *job;                /* the parent, under its lease */
    rv_partition_plan plan;
    const char *done_since; /* --resume: buckets delivered since then are complete; NULL: none */
    rv_run_hooks hooks;
    int64_t rows_before;
    size_t delivered;
    rv_error failure; /* the worst so far */
} rv_parting;

/* ---- one bucket ---- */

static void show_progress(void *ctx, const char *name, int64_t chunks_done, int64_t rows)
{
    rv_parting *p = ctx;
    const rv_run_hooks *hooks = p->call->opts->hooks;
    (void)name;
    hooks->progress(hooks->ctx, p->job->x->name, chunks_done, p->rows_before + rows);
}

static int worst(int a, int b) /* of -1 unknown, 1 good, 0 bad */
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

static void add_known(int64_t *into, int64_t n)
{
    if (n > 0)
        *into += n;
}

static void absorb(rv_parting *p, const rv_export_report *r)
{
    rv_job *job = p->job;
    rv_export_report *sum = job->report;
    add_known(&job->rows, r->rows);
    add_known(&job->files, r->files);
    add_known(&job->bytes, r->bytes);
    add_known(&job->bytes_read, r->bytes_read);
    add_known(&job->retries, r->retries);
    if (r->longest_statement_ms * 1000 > job->longest_us)
        job->longest_us = r->longest_statement_ms * 1000;
    if (r->source_count >= 0)
        sum->source_count = (sum->source_count < 0 ? 0 : sum->source_count) + r->source_count;
    sum->quality_passed = worst(sum->quality_passed, r->quality_passed);
    sum->reconciled = worst(sum->reconciled, r->reconciled);
    if (r->schema_changed > sum->schema_changed)
        sum->schema_changed = r->schema_changed;
    sum->resumed = sum->resumed || r->resumed;
    job->degraded = job->degraded || strcmp(r->status, "degraded") == 0;
    p->delivered += strcmp(r->status, "success") == 0 || strcmp(r->status, "degraded") == 0;
}

static void note_failure(rv_parting *p, const rv_export_report *r)
{
    int before = p->failure.code == RV_OK ? 0 : rv_class_exit(rv_code(p->failure.code)->class_);
    if (rv_exit_worse(before, r->exit_code) != before)
        p->failure = r->error;
    rv_journal_add(p->job->journal, "warning", "ss", "context", r->export_name, "message",
                   r->error.text);
}

/* A bucket with a checkpoint in progress is resumed when asked; any other starts as usual. */
static rv_status bucket_opts(rv_parting *p, const rv_cfg_export *sub, rv_arena *a, rv_run_opts *out,
                             rv_error *err)
{
    rv_checkpoint_row ckpt;
    bool found = false;
    *out = *p->call->opts;
    out->export_name = sub->name;
    out->hooks = &p->hooks;
    if (out->resume)
        RV_TRY(rv_state_checkpoint_get(p->job->state, sub->name, a, &ckpt, &found, err));
    out->resume = found;
    return RV_OK;
}

static rv_status complete_already(rv_parting *p, const rv_cfg_export *sub, rv_arena *a, bool *out,
                                  rv_error *err)
{
    rv_run_rows rows = {0};
    *out = false;
    if (!p->done_since)
        return RV_OK;
    RV_TRY(rv_state_runs(p->job->state, sub->name, 1, a, &rows, err));
    *out = rows.n && strcmp(rows.rows[0].started_at, p->done_since) >= 0 &&
           (strcmp(rows.rows[0].status, "success") == 0 ||
            strcmp(rows.rows[0].status, "degraded") == 0);
    return RV_OK;
}

static rv_status run_bucket(rv_parting *p, size_t i, rv_arena *a, bool *out_stop, rv_error *err)
{
    rv_job *job = p->job;
    rv_cfg_export sub;
    rv_run_opts opts;
    rv_export_report report;
    bool complete = false;
    RV_TRY(rv_partition_plan_export(&p->plan, job->x, i, a, &sub, err));
    RV_TRY(complete_already(p, &sub, a, &complete, err));
    if (complete) {
        RV_LOG_INFO(job->env, "export '%s': partition %s is complete already", job->x->name,
                    p->plan.buckets[i].value);
        return RV_OK;
    }
    RV_TRY(bucket_opts(p, &sub, a, &opts, err));
    RV_TRY(rv_job_guard(job, err));
    rv_export_call call = *p->call;
    call.x = &sub;
    call.opts = &opts;
    p->rows_before = job->rows;
    rv_export_run(&call, &report);
    absorb(p, &report);
    RV_LOG_INFO(job->env, "export '%s': partition %zu/%zu %s: %s, %lld rows", job->x->name, i + 1,
                p->plan.n, p->plan.buckets[i].value, report.status, (long long)report.rows);
    RV_KILL_POINT("partition-done");
    if (report.exit_code == 0)
        return RV_OK;
    note_failure(p, &report);
    /* data of one bucket says nothing about the next; anything else would only be repeated */
    *out_stop = rv_code(report.error.code)->class_ != RV_CLASS_DATA;
    return RV_OK;
}

/* ---- all of them ---- */

static rv_status run_buckets(rv_parting *p, rv_error *err)
{
    bool stop = false;
    rv_status st = RV_OK;
    for (size_t i = 0; st == RV_OK && !stop && i < p->plan.n; i++) {
        rv_arena scratch = RV_ARENA_INIT;
        st = rv_cancel_check(p->job->env->cancel, err);
        if (st == RV_OK)
            st = run_bucket(p, i, &scratch, &stop, err);
        rv_arena_free(&scratch);
    }
    if (st == RV_OK && p->failure.code != RV_OK) {
        *err = p->failure;
        st = err->code;
    }
    return st;
}

/* What the last run of the parent, had it not ended early, would not have to do again. */
static rv_status find_resume(rv_parting *p, rv_error *err)
{
    rv_job *job = p->job;
    rv_run_rows rows = {0};
    bool any = false;
    if (!p->call->opts->resume)
        return RV_OK;
    RV_TRY(rv_state_runs(job->state, job->x->name, 2, &job->arena, &rows, err));
    const rv_run_row *last = rows.n == 2 ? &rows.rows[1] : NULL;
    if (last && strcmp(last->status, "success") != 0 && strcmp(last->status, "degraded") != 0 &&
        strcmp(last->status, "skipped") != 0) {
        p->done_since = last->started_at;
        return RV_OK;
    }
    RV_TRY(rv_partition_unfinished(job->state, job->cfg, job->x, &any, err));
    if (any || !p->call->opts->export_name)
        return RV_OK;
    rv_status st = rv_fail(err, RV_E_RUN_NOTHING, "export '%s': nothing is in progress to resume",
                           job->x->name);
    rv_hint(err, "start fresh with `rivet run -e %s`", job->x->name);
    return st;
}

/* No bucket was there to count its rows; columns of no rows keep every other rule. */
static rv_status judge_nothing(rv_job *job, rv_error *err)
{
    const rv_cfg_export *x = job->x;
    rv_cfg_export counted = *x;
    rv_sums none = {0};
    counted.quality.n_unique_columns = 0;
    counted.quality.n_null_ratio_max = 0;
    job->x = &counted;
    rv_status st = rv_quality_open(job, &job->quality, err);
    if (st == RV_OK)
        st = rv_quality_judge(job, &none, err);
    rv_quality_close(job->quality);
    job->quality = NULL;
    job->x = x;
    return st;
}

static rv_status check_mode(const rv_job *job, rv_error *err)
{
    if (!job->keyset)
        return RV_OK;
    return rv_fail(err, RV_E_CONFIG_PARTITION,
                   "export '%s': partition_by cannot be used with keyset units "
                   "(chunk_checkpoint in mode full); use mode chunked with chunk_column",
                   job->x->name);
}

static rv_status plan_buckets(rv_parting *p, rv_error *err)
{
    static const char *const words[] = {"day", "month", "year"};
    rv_job *job = p->job;
    char members[160];
    job->sd = rv_source_for(job->cfg->source.engine);
    if (!job->sd)
        return rv_fail(err, RV_E_CONFIG_UNSUPPORTED, "source type %s is not part of this build",
                       rv_engine_name(job->cfg->source.engine));
    if (!job->source)
        RV_TRY(rv_job_open_source(job, &job->source, err));
    RV_TRY(rv_partition_plan_make(job, &p->plan, err));
    job->sd->close(job->source); /* buckets have their own; this one would only idle */
    job->source = NULL;
    (void)snprintf(members, sizeof members,
                   "\"snapshot\":{\"strategy\":\"%s\",\"partition_granularity\":\"%s\","
                   "\"partitions\":%zu}",
                   rv_mode_name(job->mode), words[job->x->partition_granularity], p->plan.n);
    rv_journal_add_raw(job->journal, "plan_resolved", rv_str_c(members));
    return RV_OK;
}

rv_status rv_partition_steps(const rv_export_call *call, rv_job *job, rv_executed *out,
                             rv_error *err)
{
    rv_parting p = {.call = call, .job = job};
    if (call->opts->hooks && call->opts->hooks->progress)
        p.hooks = (rv_run_hooks){.ctx = &p, .progress = show_progress};
    *out = (rv_executed){0};
    if (job->resumed)
        return rv_fail(err, RV_E_RUN_CHECKPOINT,
                       "export '%s': run %s began before partition_by was written and is not "
                       "finished",
                       job->x->name, job->run_id);
    RV_TRY(check_mode(job, err));
    RV_TRY(plan_buckets(&p, err));
    RV_TRY(rv_settle_clear(job, err));
    RV_TRY(find_resume(&p, err));
    RV_TRY(run_buckets(&p, err));
    if (p.plan.n == 0 && job->x->quality.written)
        RV_TRY(judge_nothing(job, err));
    out->skipped = p.delivered == 0 && !p.done_since && job->x->skip_empty;
    const char *status = out->skipped ? "skipped" : job->degraded ? "degraded" : "success";
    RV_TRY(rv_state_run_close(job->state, &job->lease, status, err));
    job->leased = false;
    return RV_OK;
}
