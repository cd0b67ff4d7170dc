#include "engine/reading.h"

#include "base/mem.h"
#include "engine/governor.h"
#include "engine/harm.h"
#include "engine/watch.h"

#define RV_TARGET "engine"

static bool many_units(const rv_job *job)
{
    return job->mode == RV_CHUNKED || job->keyset;
}

size_t rv_reading_workers(const rv_job *job)
{
    return many_units(job) && job->x->parallel > 1 ? (size_t)job->x->parallel : 1;
}

rv_status rv_reading_can_snapshot(rv_job *job, rv_error *err)
{
    const rv_cfg_export *x = job->x;
    rv_error ignored = {0};
    if (!job->sd->snapshot_begin ||
        (rv_reading_workers(job) > 1 && job->sd->engine == RV_ENGINE_SQLITE))
        return rv_fail(err, RV_E_CONFIG_UNSUPPORTED,
                       "export '%s': consistency snapshot needs parallel: 1 on %s, whose snapshot "
                       "belongs to one connection",
                       x->name, job->sd->display);
    RV_TRY(job->sd->snapshot_begin(&job->source, 1, err));
    (void)!job->sd->snapshot_end(job->source, &ignored);
    return RV_OK;
}

static rv_status open_spares(rv_job *job, size_t n, rv_error *err)
{
    if (!job->spare) {
        job->spare = rv_calloc(n, sizeof(void *));
        if (!job->spare)
            return rv_fail_memory(err);
        job->n_spare = n;
    }
    for (size_t i = 1; i < n; i++)
        if (!job->spare[i])
            RV_TRY(rv_job_connect(job, &job->spare[i], err));
    return RV_OK;
}

static void close_spares(rv_job *job)
{
    for (size_t i = 1; i < job->n_spare; i++) {
        if (!job->spare[i])
            continue;
        rv_error ignored = {0};
        (void)!job->sd->snapshot_end(job->spare[i], &ignored);
        job->sd->close(job->spare[i]);
        job->spare[i] = NULL;
    }
}

static rv_status reopen(rv_job *job, rv_error *err)
{
    rv_source *fresh = NULL;
    close_spares(job);
    RV_TRY(rv_job_connect(job, &fresh, err));
    job->sd->close(job->source);
    job->source = fresh;
    return RV_OK;
}

static rv_status try_snapshot(rv_job *job, size_t n, rv_error *err)
{
    if (n == 1)
        return job->sd->snapshot_begin(&job->source, 1, err);
    RV_TRY(open_spares(job, n, err));
    job->spare[0] = job->source;
    rv_status st = job->sd->snapshot_begin(job->spare, n, err);
    job->spare[0] = NULL;
    return st;
}

/* MySQL cannot share a snapshot, only open several between two commits: a busy server leaves one
 * worker. */
static bool falls_to_one(const rv_job *job, size_t n, rv_status st)
{
    return n > 1 && st == RV_E_SOURCE_SNAPSHOT && job->sd->engine == RV_ENGINE_MYSQL;
}

static rv_status begin_snapshot(rv_job *job, rv_error *err)
{
    size_t n = rv_reading_workers(job);
    for (unsigned attempt = 0;;) {
        rv_status st = try_snapshot(job, n, err);
        if (st == RV_OK)
            break;
        if (falls_to_one(job, n, st)) {
            rv_job_warn(job, "snapshot_alone", "%s; one worker reads", err->text);
            rv_error_clear(err);
            close_spares(job);
            n = 1;
            continue;
        }
        bool lost = err->retry == RV_RETRY_N || err->retry == RV_RETRY_C;
        RV_TRY(rv_job_again(job, &attempt, err));
        rv_error why = {0};
        if (lost && reopen(job, &why) != RV_OK)
            RV_LOG_DEBUG(job->env, "%s", why.text); /* the next try tells */
    }
    job->snapshot_open = true;
    job->snapshot_size = n;
    return RV_OK;
}

rv_status rv_reading_begin(rv_job *job, rv_error *err)
{
    rv_harm_begin(job);
    if (job->consistency == RV_CONSISTENCY_SNAPSHOT)
        RV_TRY(begin_snapshot(job, err));
    RV_TRY(rv_governor_open(job, err));
    return rv_watch_start(job, err);
}

void rv_reading_end_instant(rv_job *job)
{
    rv_error ignored = {0};
    if (job->source && job->snapshot_open)
        (void)!job->sd->snapshot_end(job->source, &ignored);
    job->snapshot_open = false;
}

void rv_reading_end(rv_job *job)
{
    rv_watch_stop(job);
    rv_governor_close(job);
    close_spares(job);
    rv_free(job->spare);
    job->spare = NULL;
    job->n_spare = 0;
    rv_reading_end_instant(job);
    rv_harm_end(job);
}

rv_source *rv_reading_take(rv_job *job, size_t i)
{
    if (i == 0 || i >= job->n_spare)
        return NULL;
    rv_source *s = job->spare[i];
    job->spare[i] = NULL;
    return s;
}

bool rv_reading_may_renew(rv_job *job)
{
    pthread_mutex_lock(&job->lock);
    bool fresh = job->units_committed == 0 && job->chunks_done == 0;
    pthread_mutex_unlock(&job->lock);
    /* chunk bounds and cuts hold for the instant they were asked in */
    return fresh && job->snapshot_size == 1 && !many_units(job);
}
