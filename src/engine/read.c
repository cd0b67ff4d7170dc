#include "engine/read.h"

#include <malloc.h>
#include <string.h>

#include "base/clock.h"
#include "base/process.h"

#define RV_TARGET "engine"
#define RSS_WAIT_STEP_US 250000
#define RSS_WAIT_MAX_US 30000000
#define MIB (1024.0 * 1024.0)

void rv_reader_interrupt(void *reader)
{
    rv_reader *r = reader;
    pthread_mutex_lock(&r->source_lock);
    if (r->source)
        r->job->sd->interrupt(r->source);
    pthread_mutex_unlock(&r->source_lock);
}

rv_status rv_reader_open(rv_reader *r, rv_job *job, rv_source *shared, unsigned workers,
                         rv_error *err)
{
    *r = (rv_reader){.job = job, .source = shared, .own_source = shared == NULL, .hook = -1};
    uint64_t row_bytes = job->rel->row_bytes > 0 ? (uint64_t)job->rel->row_bytes
                                                 : rv_schema_row_estimate_bytes(&job->schema);
    rv_pager_init(&r->pager, &job->x->tuning, row_bytes, workers);
    if (!shared)
        RV_TRY(rv_job_open_source(job, &r->source, err));
    pthread_mutex_init(&r->source_lock, NULL);
    r->hook = rv_cancel_hook_add(job->env->cancel, rv_reader_interrupt, r);
    return RV_OK;
}

void rv_reader_close(rv_reader *r)
{
    if (r->hook >= 0)
        rv_cancel_hook_remove(r->job->env->cancel, r->hook);
    if (r->own_source && r->source)
        r->job->sd->close(r->source);
    pthread_mutex_destroy(&r->source_lock);
    rv_arena_free(&r->arena);
    r->source = NULL;
    r->hook = -1;
}

void rv_reader_reset(rv_reader *r)
{
    rv_arena_free(&r->arena);
    r->arena = RV_ARENA_INIT;
    r->unit_rows = 0;
    r->frozen_bytes = 0;
    r->rows_read = 0;
    r->limited = false;
    r->last = NULL;
    r->n_last = 0;
    r->spent = false;
}

rv_status rv_datums_copy(rv_arena *a, const rv_datum *in, size_t n, const rv_datum **out,
                         rv_error *err)
{
    rv_datum *copy;
    RV_TRY(rv_arena_array(a, n, sizeof *copy, &copy, err));
    for (size_t i = 0; i < n; i++) {
        copy[i] = in[i];
        if (!in[i].null)
            RV_TRY(rv_arena_str(a, in[i].text, &copy[i].text, err));
    }
    *out = copy;
    return RV_OK;
}

/* ---- batches ---- */

static void align_batch(rv_reader *r)
{
    if (r->batch_align) {
        uint64_t past = r->unit_rows % r->batch_align;
        rv_builder_limit_rows(r->builder, (uint32_t)(r->batch_align - past));
    }
}

static rv_status flush_batch(rv_reader *r, rv_error *err)
{
    if (rv_builder_rows(r->builder) == 0)
        return RV_OK;
    rv_batch *batch = NULL;
    RV_TRY(rv_builder_freeze(r->builder, &batch, err));
    r->unit_rows += batch->rows;
    r->frozen_bytes += batch->bytes;
    align_batch(r);
    return r->emit(r->emit_ctx, batch, err);
}

/* ---- memory guards ---- */

static rv_status check_batch_memory(rv_reader *r, uint64_t batch_bytes, uint64_t rows,
                                    rv_error *err)
{
    const rv_cfg_tuning *t = &r->job->x->tuning;
    uint64_t cap = t->max_batch_memory_mb * 1024 * 1024;
    if (!cap || batch_bytes <= cap || t->on_batch_memory_exceeded == RV_BATCH_SHRINK)
        return RV_OK;
    uint64_t suggested = rows * cap / batch_bytes;
    if (suggested == 0)
        suggested = 1;
    if (t->on_batch_memory_exceeded == RV_BATCH_FAIL) {
        rv_status st = rv_fail(err, RV_E_BATCH_TOO_LARGE,
                               "export '%s': a batch of %llu rows is %.1f MB, limit %llu MB "
                               "(tuning.max_batch_memory_mb)",
                               r->job->x->name, (unsigned long long)rows, (double)batch_bytes / MIB,
                               (unsigned long long)t->max_batch_memory_mb);
        rv_hint(err, "set tuning.batch_size: %llu, or on_batch_memory_exceeded: auto_shrink",
                (unsigned long long)suggested);
        return st;
    }
    pthread_mutex_lock(&r->job->lock);
    bool first = !r->job->cap_warned;
    r->job->cap_warned = true;
    pthread_mutex_unlock(&r->job->lock);
    if (first)
        RV_LOG_WARN(r->job->env,
                    "export '%s': a batch of %llu rows is %.1f MB, limit %llu MB; suggested "
                    "batch_size: %llu",
                    r->job->x->name, (unsigned long long)rows, (double)batch_bytes / MIB,
                    (unsigned long long)t->max_batch_memory_mb, (unsigned long long)suggested);
    return RV_OK;
}

static rv_status guard_rss(rv_reader *r, rv_error *err)
{
    uint64_t limit = r->job->x->tuning.memory_threshold_mb * 1024 * 1024;
    if (!limit || rv_process_rss_bytes() < limit)
        return RV_OK;
    rv_builder_trim(r->builder);
    (void)malloc_trim(0);
    rv_pager_halve_cap(&r->pager);
    int64_t waited_us = 0;
    while (rv_process_rss_bytes() >= limit / 100 * 95 && waited_us < RSS_WAIT_MAX_US) {
        if (!rv_cancel_sleep_us(r->job->env->cancel, RSS_WAIT_STEP_US))
            return rv_cancel_check(r->job->env->cancel, err);
        waited_us += RSS_WAIT_STEP_US;
    }
    pthread_mutex_lock(&r->job->lock);
    bool first = !r->job->rss_warned;
    r->job->rss_warned = true;
    pthread_mutex_unlock(&r->job->lock);
    if (first)
        RV_LOG_WARN(r->job->env,
                    "export '%s': memory reached tuning.memory_threshold_mb (%llu MB); pages are "
                    "smaller from here",
                    r->job->x->name, (unsigned long long)r->job->x->tuning.memory_threshold_mb);
    return RV_OK;
}

/* ---- one statement ---- */

static void count_statement(rv_reader *r, const rv_page_end *end)
{
    rv_job *job = r->job;
    int64_t now_us = rv_env_now_us(job->env);
    pthread_mutex_lock(&job->lock);
    job->bytes_read += (int64_t)end->bytes;
    if (end->elapsed_us > job->longest_us)
        job->longest_us = end->elapsed_us;
    if (!job->first_page_us)
        job->first_page_us = now_us;
    job->last_page_us = now_us;
    pthread_mutex_unlock(&job->lock);
    if (rv_pager_done(&r->pager, end->rows, end->bytes, end->elapsed_us) && r->pager.target_bytes)
        RV_LOG_INFO(
            job->env, "batch_size_memory_mb=%llu: estimated row ~%lluB, computed batch_size=%llu",
            (unsigned long long)(r->pager.target_bytes / (1024 * 1024)),
            (unsigned long long)(end->bytes / end->rows), (unsigned long long)r->pager.ceiling);
}

/* Runs the statement to its end. On failure *end still tells how far the rows go. */
static rv_status run_statement(rv_reader *r, const rv_page_spec *spec, rv_page_end *end,
                               const rv_datum **io_last, rv_error *err)
{
    const rv_source_driver *sd = r->job->sd;
    rv_scan *scan = NULL;
    *end = (rv_page_end){0};
    RV_TRY(sd->scan(r->source, spec, &scan, err));
    rv_status st = RV_OK;
    bool at_end = false;
    while (st == RV_OK && !at_end) {
        st = sd->next(scan, r->builder, &at_end, err);
        if (st == RV_OK && rv_builder_full(r->builder))
            st = flush_batch(r, err);
    }
    sd->scan_end(scan, end);
    if (end->rows && spec->n_order) {
        rv_error copy_err = {0};
        rv_status copied = rv_datums_copy(&r->arena, end->last, spec->n_order, io_last, &copy_err);
        if (copied != RV_OK && st == RV_OK) {
            st = copied;
            if (err)
                *err = copy_err;
        }
        if (!r->no_position) {
            r->last = *io_last;
            r->n_last = spec->n_order;
        }
    }
    end->last = NULL;
    sd->scan_close(scan);
    r->rows_read += end->rows;
    return st;
}

static rv_status reconnect(rv_reader *r, rv_error *err)
{
    rv_source *fresh = NULL;
    RV_TRY(rv_job_connect(r->job, &fresh, err));
    pthread_mutex_lock(&r->source_lock);
    rv_source *old = r->source;
    r->source = fresh;
    pthread_mutex_unlock(&r->source_lock);
    if (!r->own_source)
        r->job->source = fresh;
    r->job->sd->close(old);
    return rv_cancel_check(r->job->env->cancel, err); /* an interrupt may have met the old one */
}

static rv_status may_go_on(rv_reader *r, const rv_error *cause, unsigned attempt, bool *out,
                           rv_error *err)
{
    bool passing = rv_job_may_pass(r->job, cause, attempt);
    *out = passing && attempt <= r->job->x->tuning.max_retries;
    return passing && r->may_retry ? r->may_retry(r->retry_ctx, cause, out, err) : RV_OK;
}

rv_status rv_reader_recover(rv_reader *r, unsigned *io_attempt, rv_error *err)
{
    for (;;) {
        bool allowed = false;
        rv_error state_err = {0};
        bool lost = err->retry == RV_RETRY_N || err->retry == RV_RETRY_C;
        ++*io_attempt;
        rv_status st = may_go_on(r, err, *io_attempt, &allowed, &state_err);
        if (st != RV_OK) {
            *err = state_err;
            return st;
        }
        /* another connection has another snapshot */
        if (!allowed || (lost && r->job->consistency == RV_CONSISTENCY_SNAPSHOT)) {
            r->spent = true;
            return err->code;
        }
        rv_pager_failed(&r->pager, err->retry);
        RV_TRY(rv_job_back_off(r->job, *io_attempt, err));
        if (!lost || reconnect(r, err) == RV_OK)
            return RV_OK;
    }
}

static rv_status pause_between(rv_reader *r, uint64_t rows, rv_error *err)
{
    RV_TRY(guard_rss(r, err));
    uint64_t pause_us = rv_pager_pause_us(&r->pager, rows);
    if (pause_us && !rv_cancel_sleep_us(r->job->env->cancel, (int64_t)pause_us))
        return rv_cancel_check(r->job->env->cancel, err);
    return rv_cancel_check(r->job->env->cancel, err);
}

/* ---- a segment ---- */

static rv_page_spec page_for(const rv_reader *r, const rv_segment *seg, const rv_datum *after,
                             uint64_t left)
{
    rv_page_spec spec = {.relation = r->job->rel,
                         .preds = seg->preds,
                         .n_preds = seg->n_preds,
                         .order = seg->order,
                         .n_order = seg->n_order,
                         .after = after,
                         .until = seg->until,
                         .keep = seg->keep,
                         .keep_ctx = seg->keep_ctx};
    if (seg->paged) {
        spec.limit = rv_pager_ask(&r->pager, left);
        spec.cut_bytes = rv_pager_cut_bytes(&r->pager);
        spec.cut_us = rv_pager_cut_us(&r->pager);
    }
    return spec;
}

static rv_status read_segment(rv_reader *r, const rv_segment *seg, rv_error *err)
{
    const rv_datum *after = seg->after;
    uint64_t left = seg->limit;
    unsigned attempt = 0;
    r->no_position = seg->no_position;
    for (;;) {
        rv_page_spec spec = page_for(r, seg, after, left);
        rv_page_end end;
        uint64_t before = r->frozen_bytes + rv_builder_bytes_used(r->builder);
        rv_status st = run_statement(r, &spec, &end, &after, err);
        if (seg->limit)
            left -= end.rows < left ? end.rows : left;
        if (st != RV_OK) {
            /* only what is known by its last key goes on; the rest starts its unit again */
            if (!seg->paged)
                return st;
            RV_TRY(rv_reader_recover(r, &attempt, err));
            if (seg->limit && left == 0) {
                r->limited = true;
                return RV_OK;
            }
            continue;
        }
        attempt = 0;
        count_statement(r, &end);
        uint64_t page_bytes = r->frozen_bytes + rv_builder_bytes_used(r->builder) - before;
        RV_TRY(check_batch_memory(r, page_bytes, end.rows, err));
        if (seg->limit && left == 0) {
            r->limited = true;
            return RV_OK;
        }
        bool more = seg->paged && (end.limited || end.cut);
        RV_TRY(pause_between(r, end.rows, err));
        if (!more)
            return RV_OK;
    }
}

rv_status rv_reader_read(rv_reader *r, const rv_segment *segments, size_t n, rv_error *err)
{
    align_batch(r);
    for (size_t i = 0; i < n; i++)
        RV_TRY(read_segment(r, &segments[i], err));
    return flush_batch(r, err);
}
