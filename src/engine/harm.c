#include "engine/harm.h"

#include <string.h>

#define RV_TARGET "engine"

void rv_harm_begin(rv_job *job)
{
    rv_error err = {0};
    if (!job->sd->counters || !job->leased)
        return;
    if (job->sd->counters(job->source, &job->arena, &job->harm, &job->n_harm, &err) != RV_OK) {
        job->n_harm = 0;
        rv_job_warn(job, "counters", "the source's counters cannot be read: %s", err.text);
    }
}

static const rv_counter *find(const rv_counter *list, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

static void store(rv_job *job, const char *name, int64_t delta)
{
    rv_error err = {0};
    if (strcmp(name, "pg_temp_bytes") == 0) {
        job->temp_bytes_known = true;
        job->temp_bytes = delta;
    }
    if (rv_state_harm_put(job->state, job->x->name, job->run_id, name, delta, &err) != RV_OK)
        rv_job_warn(job, "counters", "what the run cost the source was not stored: %s", err.text);
}

/* A connection that was interrupted or lost answers nothing any more. */
static rv_status read_after(rv_job *job, rv_counter **out, size_t *out_n, rv_error *err)
{
    rv_source *fresh = NULL;
    if (job->source && job->sd->counters(job->source, &job->arena, out, out_n, err) == RV_OK)
        return RV_OK;
    rv_error_clear(err);
    RV_TRY(rv_job_connect(job, &fresh, err));
    rv_status st = job->sd->counters(fresh, &job->arena, out, out_n, err);
    job->sd->close(fresh);
    return st;
}

void rv_harm_end(rv_job *job)
{
    rv_error err = {0};
    rv_counter *after = NULL;
    size_t n = 0, before = job->n_harm;
    job->n_harm = 0;
    if (before == 0 || rv_cancel_raised(job->env->cancel))
        return;
    if (read_after(job, &after, &n, &err) != RV_OK) {
        rv_job_warn(job, "counters", "the source's counters cannot be read: %s", err.text);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const rv_counter *old = find(job->harm, before, after[i].name);
        if (old)
            store(job, after[i].name, after[i].value - old->value);
    }
}

int64_t rv_harm_temp_bytes(const rv_job *job)
{
    return job->temp_bytes_known ? job->temp_bytes : -1;
}
