#include "engine/read.h"

#include <malloc.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/process.h"
#include "engine/governor.h"
#include "engine/reading.h"
#include "engine/upload.h"
#include "engine/watch.h"

#define RV_TARGET "engine"
#define RSS_WAIT_STEP_US 250000
#define RSS_WAIT_MAX_US 30000000
#define RSS_WAIT_HELD_US 5000000 /* with a snapshot open */
#define HELD_WARN_US 300000000
#define REST_SLICE_US 250000
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
    if (!shared)
        RV_TRY(rv_job_open_source(job, &r->source, err));
    rv_pager_opts pager = {.tuning = &job->x->tuning,
                           .row_estimate_bytes = row_bytes,
                           .workers = workers,
                           .engine = job->sd->engine,
                           .cannot_cut = job->sd->info(r->source)->cannot_cut};
    rv_pager_init(&r->pager, &pager);
    r->adaptive.on = job->x->tuning.adaptive && job->sd->signal;
    r->in_snapshot = job->snapshot_open;
    r->held_since_us = r->in_snapshot ? rv_clock_mono_us() : 0;
    pthread_mutex_init(&r->source_lock, NULL);
    r->hook = rv_cancel_hook_add(job->env->cancel, rv_reader_interrupt, r);
    rv_status st = rv_watch_add(job, r, err);
    if (st != RV_OK)
        rv_reader_close(r);
    return st;
}

void rv_reader_close(rv_reader *r)
{
    rv_watch_remove(r->job, r);
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
    r->lost = false;
}

/* ---- instants, and those who wait for them to end ---- */

rv_status rv_reader_hold(rv_reader *r, bool own, rv_error *err)
{
    if (r->in_snapshot)
        return RV_OK;
    rv_status st = r->job->sd->snapshot_begin(&r->source, 1, err);
    r->lost = st != RV_OK; /* nothing was read: the unit may begin again */
    r->in_snapshot = st == RV_OK;
    r->own_snapshot = own;
    r->held_since_us = r->in_snapshot ? rv_clock_mono_us() : 0;
    return st;
}

void rv_reader_release(rv_reader *r)
{
    rv_error ignored = {0};
    if (r->in_snapshot && r->source)
        (void)!r->job->sd->snapshot_end(r->source, &ignored);
    r->in_snapshot = r->own_snapshot = false;
    r->held_since_us = 0;
}

int64_t rv_reader_session(rv_reader *r)
{
    const rv_source_driver *sd = r->job->sd;
    pthread_mutex_lock(&r->source_lock);
    int64_t session = r->source && sd->session ? sd->session(r->source) : 0;
    pthread_mutex_unlock(&r->source_lock);
    return session;
}

void rv_reader_leave(rv_reader *r, const char *waiter)
{
    pthread_mutex_lock(&r->source_lock);
    (void)snprintf(r->waiter, sizeof r->waiter, "%s", waiter);
    atomic_store(&r->leave, true);
    if (r->source)
        r->job->sd->interrupt(r->source);
    pthread_mutex_unlock(&r->source_lock);
}

/* RV_E_SOURCE_BLOCKING when somebody waits for this read, whatever the interruption made fail. */
static rv_status check_leave(rv_reader *r, rv_status st, rv_error *err)
{
    if (!atomic_load(&r->leave) || rv_cancel_raised(r->job->env->cancel))
        return st;
    pthread_mutex_lock(&r->source_lock);
    atomic_store(&r->leave, false);
    st = rv_fail(err, RV_E_SOURCE_BLOCKING,
                 "export '%s': the read was given up because another session waits for it: %s",
                 r->job->x->name, r->waiter);
    pthread_mutex_unlock(&r->source_lock);
    rv_hint(err, "run it when nobody changes the table, or give it a usable key, so that it is "
                 "read in short pages");
    return st;
}

static void warn_if_held_long(rv_reader *r)
{
    rv_job *job = r->job;
    if (!r->held_since_us || rv_clock_mono_us() - r->held_since_us < HELD_WARN_US)
        return;
    pthread_mutex_lock(&job->lock);
    bool first = !job->held_warned;
    job->held_warned = true;
    pthread_mutex_unlock(&job->lock);
    if (first)
        rv_job_warn(job, "snapshot",
                    "one transaction has been open for more than 5 minutes; it holds back the "
                    "source's cleaning up of old rows");
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

/* auto_shrink: batches are never larger than the cap, but for one row that is. */
static void warn_large_row(rv_reader *r, const rv_batch *batch)
{
    rv_job *job = r->job;
    uint64_t cap = job->x->tuning.max_batch_memory_mb * 1024 * 1024;
    if (!cap || batch->rows != 1 || batch->bytes <= cap ||
        job->x->tuning.on_batch_memory_exceeded != RV_BATCH_SHRINK)
        return;
    pthread_mutex_lock(&job->lock);
    bool first = !job->row_warned;
    job->row_warned = true;
    pthread_mutex_unlock(&job->lock);
    if (first)
        rv_job_warn(job, "memory", "one row alone is %.1f MB, limit %llu MB; it is written",
                    (double)batch->bytes / MIB,
                    (unsigned long long)job->x->tuning.max_batch_memory_mb);
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
    warn_large_row(r, batch);
    warn_if_held_long(r);
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
        rv_job_warn(r->job, "memory",
                    "a batch of %llu rows is %.1f MB, limit %llu MB; suggested batch_size: %llu",
                    (unsigned long long)rows, (double)batch_bytes / MIB,
                    (unsigned long long)t->max_batch_memory_mb, (unsigned long long)suggested);
    return RV_OK;
}

static uint64_t memory_in_use(rv_job *job)
{
    int64_t spooled = job->spool_is_memory ? atomic_load(&job->spooled) : 0;
    return rv_process_rss_bytes() + (spooled > 0 ? (uint64_t)spooled : 0);
}

static rv_status guard_rss(rv_reader *r, rv_error *err)
{
    uint64_t limit = r->job->x->tuning.memory_threshold_mb * 1024 * 1024;
    if (!limit || memory_in_use(r->job) < limit)
        return RV_OK;
    rv_builder_trim(r->builder);
    (void)malloc_trim(0);
    rv_pager_halve_cap(&r->pager);
    int64_t waited_us = 0, most_us = r->held_since_us ? RSS_WAIT_HELD_US : RSS_WAIT_MAX_US;
    while (memory_in_use(r->job) >= limit / 100 * 95 && waited_us < most_us) {
        RV_TRY(check_leave(r, RV_OK, err));
        if (!rv_cancel_sleep_us(r->job->env->cancel, RSS_WAIT_STEP_US))
            return rv_cancel_check(r->job->env->cancel, err);
        waited_us += RSS_WAIT_STEP_US;
    }
    pthread_mutex_lock(&r->job->lock);
    bool first = !r->job->rss_warned;
    r->job->rss_warned = true;
    pthread_mutex_unlock(&r->job->lock);
    if (first)
        rv_job_warn(r->job, "memory",
                    "memory reached tuning.memory_threshold_mb (%llu MB); pages are smaller from "
                    "here",
                    (unsigned long long)r->job->x->tuning.memory_threshold_mb);
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
    bool shaped = rv_pager_done(&r->pager, end->rows, end->bytes, end->elapsed_us);
    if (shaped && r->pager.target_bytes && end->rows)
        RV_LOG_INFO(
            job->env, "batch_size_memory_mb=%llu: estimated row ~%lluB, computed batch_size=%llu",
            (unsigned long long)(r->pager.target_bytes / (1024 * 1024)),
            (unsigned long long)(end->bytes / end->rows), (unsigned long long)r->pager.ceiling);
}

static void adapt(rv_reader *r)
{
    const rv_source_driver *sd = r->job->sd;
    int64_t value = 0;
    rv_error ignored = {0};
    if (!rv_adaptive_due(&r->adaptive))
        return;
    /* a question that fails inside a transaction would end it */
    bool readable = r->held_since_us
                        ? rv_watch_batch_signal(r->job, &value)
                        : sd->signal(r->source, RV_SIGNAL_BATCH, &value, &ignored) == RV_OK;
    if (rv_adaptive_reading(&r->adaptive, readable, value, &r->pager))
        RV_LOG_INFO(r->job->env, "export '%s': adaptive batch size: %llu rows", r->job->x->name,
                    (unsigned long long)r->pager.ceiling);
}

/* Sleeps in slices: who waits for this read is not kept waiting. */
static rv_status rest(rv_reader *r, int64_t us, rv_error *err)
{
    while (us > 0) {
        int64_t slice = us < REST_SLICE_US ? us : REST_SLICE_US;
        if (!rv_cancel_sleep_us(r->job->env->cancel, slice))
            break;
        us -= slice;
        RV_TRY(check_leave(r, RV_OK, err));
    }
    return rv_cancel_check(r->job->env->cancel, err);
}

/* Between the statements of one scan: what stands between pages otherwise. */
static rv_status between(void *ctx, const rv_page_end *piece, int64_t idle_us, uint64_t *io_rows,
                         rv_error *err)
{
    rv_reader *r = ctx;
    r->n_pieces++;
    r->pieces.rows += piece->rows;
    r->pieces.bytes += piece->bytes;
    r->pieces.elapsed_us += piece->elapsed_us;
    count_statement(r, piece);
    adapt(r);
    warn_if_held_long(r);
    RV_TRY(check_leave(r, RV_OK, err));
    RV_TRY(guard_rss(r, err));
    int64_t pause_us = (int64_t)rv_pager_pause_us(&r->pager, piece->rows);
    RV_TRY(rest(r, idle_us && idle_us < pause_us ? idle_us : pause_us, err));
    uint64_t next = rv_pager_ask(&r->pager, 0);
    if (next < *io_rows)
        *io_rows = next;
    return RV_OK;
}

/* What the scan's end tells beyond the pieces that `between` has counted. */
static void count_end(rv_reader *r, const rv_page_end *end)
{
    rv_page_end rest_of_it = *end;
    if (r->n_pieces) {
        rest_of_it.rows -= r->pieces.rows < end->rows ? r->pieces.rows : end->rows;
        rest_of_it.bytes -= r->pieces.bytes < end->bytes ? r->pieces.bytes : end->bytes;
        rest_of_it.elapsed_us -=
            r->pieces.elapsed_us < end->elapsed_us ? r->pieces.elapsed_us : end->elapsed_us;
    }
    count_statement(r, &rest_of_it);
}

static rv_status note_position(rv_reader *r, const rv_page_spec *spec, const rv_page_end *end,
                               const rv_datum **io_last, rv_error *err)
{
    if (!end->last || !spec->n_order)
        return RV_OK;
    RV_TRY(rv_datums_copy(&r->arena, end->last, spec->n_order, io_last, err));
    if (end->rows && !r->no_position) {
        r->last = *io_last;
        r->n_last = spec->n_order;
    }
    return RV_OK;
}

/* Runs the statement to its end. On failure *end still tells how far the rows go; *io_last moves
 * where anything was gained. */
static rv_status run_statement(rv_reader *r, const rv_page_spec *spec, rv_page_end *end,
                               const rv_datum **io_last, rv_error *err)
{
    const rv_source_driver *sd = r->job->sd;
    rv_scan *scan = NULL;
    *end = (rv_page_end){0};
    r->pieces = (rv_page_end){0};
    r->n_pieces = 0;
    rv_status st = sd->scan(r->source, spec, &scan, err);
    if (st != RV_OK)
        return check_leave(r, st, err);
    bool at_end = false;
    while (st == RV_OK && !at_end) {
        st = sd->next(scan, r->builder, &at_end, err);
        if (st == RV_OK && rv_builder_full(r->builder))
            st = flush_batch(r, err);
        if (!at_end)
            st = check_leave(r, st, err);
    }
    sd->scan_end(scan, end);
    rv_error copy_err = {0};
    rv_status copied = note_position(r, spec, end, io_last, &copy_err);
    if (copied != RV_OK && st == RV_OK) {
        st = copied;
        if (err)
            *err = copy_err;
    }
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

/* The server cancelled a statement, and not by our timer: somebody there feels pressed. */
static void note_pressure(rv_reader *r, const rv_error *cause)
{
    rv_job_warn(r->job, "source pressure", "the server cancelled a statement: %s", cause->text);
    if (r->adaptive.on)
        rv_pager_adapt(&r->pager, true);
    rv_governor_cancelled(r->job);
}

static bool connection_lost(const rv_error *err)
{
    return err->retry == RV_RETRY_N || err->retry == RV_RETRY_C;
}

/* On a server a failed statement ends the transaction, or may have. */
static bool instant_lost(rv_reader *r, const rv_error *cause)
{
    if (!r->in_snapshot)
        return false;
    r->lost = connection_lost(cause) || r->job->sd->session != NULL;
    return r->lost;
}

static rv_status give_up(rv_reader *r, bool instant, rv_error *err)
{
    r->spent = true;
    if (instant) {
        rv_status st = rv_wrap(err, err->code,
                               "export '%s': the snapshot was lost, and another instant must not "
                               "be mixed with it",
                               r->job->x->name);
        rv_hint(err,
                "run it again from the start: `rivet state reset-chunks -e %s` drops a "
                "checkpoint",
                r->job->x->name);
        return st;
    }
    if (err->retry == RV_RETRY_T)
        rv_hint(err, "read it in chunks (mode: chunked), lower chunk_size, or raise "
                     "tuning.statement_timeout_s");
    return err->code;
}

rv_status rv_reader_recover(rv_reader *r, unsigned *io_attempt, rv_error *err)
{
    for (;;) {
        bool allowed = false;
        rv_error state_err = {0};
        bool reopen = connection_lost(err);
        r->lost = r->lost || (r->in_snapshot && reopen);
        ++*io_attempt;
        rv_status st = may_go_on(r, err, *io_attempt, &allowed, &state_err);
        if (st != RV_OK) {
            *err = state_err;
            return st;
        }
        bool instant = r->lost && !r->own_snapshot && r->in_snapshot;
        if (!allowed || (instant && !rv_reading_may_renew(r->job)))
            return give_up(r, allowed && instant, err);
        if (err->retry == RV_RETRY_X)
            note_pressure(r, err);
        rv_pager_failed(&r->pager, err);
        if (r->lost)
            rv_reader_release(r);
        r->lost = false;
        RV_TRY(rv_job_back_off(r->job, *io_attempt, err));
        if (!reopen || reconnect(r, err) == RV_OK)
            return RV_OK;
    }
}

/* Somebody waits. A page goes on in a new statement on a new connection; what was read in one
 * transaction is given up, and the transaction ended here and now. */
static rv_status make_way(rv_reader *r, const rv_segment *seg, unsigned *io_attempt, rv_error *err)
{
    char cause[sizeof err->text];
    (void)snprintf(cause, sizeof cause, "%s", err->text);
    if (seg->paged && !r->in_snapshot && ++*io_attempt <= r->job->x->tuning.max_retries) {
        rv_error why = {0};
        if (reconnect(r, &why) == RV_OK) {
            rv_job_warn(r->job, "blocking", "%s; reading goes on in a new statement", cause);
            rv_error_clear(err);
            return RV_OK;
        }
    }
    r->spent = true;
    pthread_mutex_lock(&r->source_lock);
    rv_source *old = r->source;
    r->source = NULL;
    pthread_mutex_unlock(&r->source_lock);
    if (!r->own_source)
        r->job->source = NULL;
    r->in_snapshot = r->own_snapshot = false;
    r->job->sd->close(old);
    return err->code;
}

/* The pieces of a statement have been paused for already. */
static rv_status pause_between(rv_reader *r, uint64_t rows, rv_error *err)
{
    RV_TRY(guard_rss(r, err));
    if (!r->in_snapshot)
        RV_TRY(rv_uploads_room(r->job, err));
    if (r->yield && !r->in_snapshot)
        r->yield(r->yield_ctx);
    rows -= r->pieces.rows < rows ? r->pieces.rows : rows;
    return rest(r, (int64_t)rv_pager_pause_us(&r->pager, rows), err);
}

/* ---- a segment ---- */

static rv_page_spec page_for(rv_reader *r, const rv_segment *seg, const rv_datum *after,
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
                         .keep_ctx = seg->keep_ctx,
                         .between = between,
                         .between_ctx = r,
                         .fetch_rows = rv_pager_ask(&r->pager, 0)};
    if (seg->paged) {
        spec.limit = rv_pager_ask(&r->pager, left);
        spec.cut_bytes = rv_pager_cut_bytes(&r->pager);
        spec.cut_us = rv_pager_cut_us(&r->pager);
    }
    return spec;
}

/* After a failure: RV_OK, go on with the next statement; else the segment ends with it. */
static rv_status mend(rv_reader *r, const rv_segment *seg, unsigned *io_attempt, rv_error *err)
{
    if (err->code == RV_E_SOURCE_BLOCKING)
        return make_way(r, seg, io_attempt, err);
    /* only what is known by its last key goes on; the rest starts its unit again */
    if (!seg->paged || instant_lost(r, err))
        return err->code;
    return rv_reader_recover(r, io_attempt, err);
}

/* A cut without a row and without a position: the same place with less. */
static rv_status pace(rv_reader *r, unsigned *io_attempt, rv_error *err)
{
    RV_TRY(rv_cancel_check(r->job->env->cancel, err));
    if (rv_pager_paced(&r->pager))
        return RV_OK;
    r->pager.stuck = 0;
    (void)rv_fail(err, RV_E_SOURCE_TIMEOUT,
                  "export '%s': a statement of %llu rows does not end within its time",
                  r->job->x->name, (unsigned long long)rv_pager_ask(&r->pager, 0));
    err->retry = RV_RETRY_T;
    return rv_reader_recover(r, io_attempt, err);
}

/* What max_batch_memory_mb is compared with: a page, or as many rows as the ceiling allows. */
static rv_status check_page_memory(rv_reader *r, const rv_segment *seg, uint64_t bytes,
                                   uint64_t rows, rv_error *err)
{
    if (!seg->paged && rows > r->pager.ceiling) {
        bytes = bytes / rows * r->pager.ceiling;
        rows = r->pager.ceiling;
    }
    return check_batch_memory(r, bytes, rows, err);
}

static rv_status read_segment(rv_reader *r, const rv_segment *seg, rv_error *err)
{
    const rv_datum *after = seg->after;
    uint64_t left = seg->limit;
    unsigned attempt = 0;
    r->no_position = seg->no_position;
    for (;;) {
        const rv_datum *from = after;
        rv_page_spec spec = page_for(r, seg, after, left);
        rv_page_end end;
        uint64_t before = r->frozen_bytes + rv_builder_bytes_used(r->builder);
        if (!r->in_snapshot)
            r->held_since_us = seg->paged ? 0 : rv_clock_mono_us();
        rv_status st = run_statement(r, &spec, &end, &after, err);
        if (!r->in_snapshot)
            r->held_since_us = 0;
        if (seg->limit)
            left -= end.rows < left ? end.rows : left;
        r->limited = r->limited || (seg->limit && left == 0);
        if (st != RV_OK) {
            RV_TRY(mend(r, seg, &attempt, err));
            if (seg->limit && left == 0)
                return RV_OK;
            continue;
        }
        count_end(r, &end);
        if (seg->paged && end.cut && end.rows == 0 && after == from) {
            RV_TRY(pace(r, &attempt, err));
            continue;
        }
        attempt = r->pager.stuck = 0;
        adapt(r);
        uint64_t page_bytes = r->frozen_bytes + rv_builder_bytes_used(r->builder) - before;
        RV_TRY(check_page_memory(r, seg, page_bytes, end.rows, err));
        if (seg->limit && left == 0)
            return RV_OK;
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
