#include "engine/part.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/upload.h"

#define RV_TARGET "engine"
#define PART_ALIGN_ROWS 1024u
#define SPOOL_TRIES_MAX 16u

rv_status rv_parts_init(rv_parts *p, rv_job *job, const char *unit, rv_error *err)
{
    *p = (rv_parts){.job = job, .fd = -1};
    (void)snprintf(p->unit, sizeof p->unit, "%s", unit);
    p->gated = job->quality && job->mode != RV_CHUNKED && !job->keyset;
    RV_TRY(rv_quality_begin(job, &p->quality, err));
    RV_TRY(rv_sums_init(&p->sums, job->schema.n_columns, err));
    return rv_sums_init(&p->part_sums, job->schema.n_columns, err);
}

static void drop_spool(char **path)
{
    if (*path) {
        bool found;
        rv_error ignored = {0};
        (void)!rv_file_remove(*path, &found, &ignored);
    }
    rv_free(*path);
    *path = NULL;
}

static void abandon_open_part(rv_parts *p)
{
    if (p->writer)
        p->job->fmt->discard(p->writer);
    p->writer = NULL;
    rv_file_close(p->fd);
    p->fd = -1;
    rv_digest_free(&p->digest);
    p->digest = (rv_digest){0};
    drop_spool(&p->path);
    atomic_fetch_sub(&p->job->spooled, p->open_bytes);
    p->open_bytes = 0;
}

void rv_parts_free(rv_parts *p)
{
    if (!p->job)
        return;
    abandon_open_part(p);
    rv_offers_free(p->offers);
    for (size_t i = 0; i < p->n_waiting; i++) {
        drop_spool(&p->waiting[i].spool_path);
        atomic_fetch_sub(&p->job->spooled, (int64_t)p->waiting[i].digests.size_bytes);
    }
    rv_free(p->waiting);
    rv_quality_end(&p->quality);
    rv_sums_free(&p->sums);
    rv_sums_free(&p->part_sums);
    p->job = NULL;
}

/* ---- one open part ---- */

static rv_status spool_write(void *self, rv_bytes data, rv_error *err)
{
    rv_parts *p = self;
    RV_TRY(rv_file_write(p->fd, data.ptr, data.len, p->path, err));
    p->open_bytes += (int64_t)data.len;
    atomic_fetch_add(&p->job->spooled, (int64_t)data.len);
    rv_digest_update(&p->digest, data.ptr, data.len);
    return RV_OK;
}

static rv_status stdout_write(void *self, rv_bytes data, rv_error *err)
{
    rv_parts *p = self;
    rv_digest_update(&p->digest, data.ptr, data.len);
    atomic_store(&p->job->stdout_begun, true);
    return p->stdout_sink.write(p->stdout_sink.self, data, err);
}

/* *out_ours false: an earlier process of this very run wrote there as another user. */
static rv_status try_spool(rv_parts *p, unsigned nth, bool *out_ours, rv_error *err)
{
    rv_job *job = p->job;
    rv_buf path = RV_BUF_INIT;
    char key[RV_NAME_MAX], again[16] = "";
    rv_status st = RV_OK;
    rv_error why = {0};
    if (nth)
        (void)snprintf(again, sizeof again, ".%u", nth);
    pthread_mutex_lock(&job->lock);
    (void)snprintf(key, sizeof key, "%s_%s.%lld%s%s", job->stem, p->unit, (long long)p->next_index,
                   again, job->extension);
    pthread_mutex_unlock(&job->lock);
    RV_GO(job->dd->spool_path(job->dest, job->spool_name, key, &path, err));
    p->path = rv_strdup(rv_buf_cstr(&path));
    if (!p->path) {
        st = rv_fail_memory(err);
        goto done;
    }
    bool found;
    st = rv_file_remove(p->path, &found, &why); /* an earlier attempt of this very run */
    *out_ours = st != RV_E_DEST_PERMISSION;
    if (st == RV_OK)
        st = rv_file_create(p->path, 0600, &p->fd, &why);
    if (st != RV_OK && *out_ours)
        *err = why;
done:
    rv_buf_free(&path);
    return st;
}

static rv_status open_spool(rv_parts *p, rv_error *err)
{
    for (unsigned i = 0;; i++) {
        bool ours = true;
        rv_status st = try_spool(p, i, &ours, err);
        if (st == RV_OK || ours)
            return st;
        rv_free(p->path);
        p->path = NULL;
        if (i == SPOOL_TRIES_MAX)
            return rv_fail(err, st, "the spool file of unit %s cannot be made", p->unit);
    }
}

static rv_status open_part(rv_parts *p, rv_error *err)
{
    rv_job *job = p->job;
    rv_sink sink = {p, spool_write};
    if (!rv_digest_init(&p->digest))
        return rv_fail_memory(err);
    if (job->to_stdout) {
        RV_TRY(job->dd->stream(job->dest, &p->stdout_sink, err));
        sink.write = stdout_write;
    } else {
        RV_TRY(open_spool(p, err));
    }
    rv_sums_reset(&p->part_sums);
    return job->fmt->begin(job->env, &job->schema, &job->fopts, sink, &p->writer, err);
}

rv_status rv_parts_withhold(rv_parts *p, const rv_error *why, rv_error *err)
{
    if (!p->offers)
        RV_TRY(rv_offers_open(p->job, p->unit, &p->offers, err));
    rv_offers_withhold(p->offers, why);
    return RV_OK;
}

rv_status rv_parts_offer(rv_parts *p, rv_error *err)
{
    if (p->n_waiting == 1 && p->next_index == 1)
        p->waiting[0].index = -1; /* the only one: no suffix */
    if (p->n_waiting && !p->offers)
        RV_TRY(rv_offers_open(p->job, p->unit, &p->offers, err));
    for (size_t i = 0; i < p->n_waiting; i++)
        RV_TRY(rv_offers_add(p->offers, &p->waiting[i], err));
    p->n_waiting = 0;
    return RV_OK;
}

static rv_status room_to_wait(rv_parts *p, rv_error *err)
{
    if (p->n_waiting < p->waiting_cap)
        return RV_OK;
    size_t cap = p->waiting_cap ? p->waiting_cap * 2 : 2;
    rv_part *grown = rv_realloc_array(p->waiting, cap, sizeof *grown);
    if (!grown)
        return rv_fail_memory(err);
    p->waiting = grown;
    p->waiting_cap = cap;
    return RV_OK;
}

static rv_status close_part(rv_parts *p, rv_error *err)
{
    rv_job *job = p->job;
    rv_file_stats stats = {0};
    rv_writer *w = p->writer;
    p->writer = NULL;
    RV_TRY(job->fmt->finish(w, &p->part_sums, &stats, err));
    rv_part part = {.index = p->next_index++, .rows = p->part_sums.rows};
    rv_digest_final(&p->digest, &part.digests);
    p->bytes += part.digests.size_bytes;
    rv_digest_free(&p->digest);
    p->digest = (rv_digest){0};
    if (job->to_stdout) {
        p->streamed = true;
        return RV_OK;
    }
    /* D1: finished before any byte is offered; by the upload thread, so that encoding goes on */
    if (rv_uploads_units(job) == 0)
        RV_TRY(rv_file_sync(p->fd, p->path, err));
    rv_file_close(p->fd);
    p->fd = -1;
    RV_KILL_POINT("part-closed");
    RV_TRY(room_to_wait(p, err));
    part.spool_path = p->path;
    p->path = NULL;
    p->open_bytes = 0;
    p->waiting[p->n_waiting++] = part;
    /* whether it stays the only one is known with the second */
    return p->defer || p->gated || part.index == 0 ? RV_OK : rv_parts_offer(p, err);
}

rv_status rv_parts_write(rv_parts *p, const rv_batch *batch, rv_error *err)
{
    rv_job *job = p->job;
    if (!p->writer)
        RV_TRY(open_part(p, err));
    RV_TRY(job->fmt->write(p->writer, batch, err));
    RV_KILL_POINT("part-writing");
    RV_TRY(rv_quality_add(&p->quality, batch, err));
    rv_sums_add(&p->part_sums, &batch->sums);
    rv_sums_add(&p->sums, &batch->sums);
    uint64_t limit = job->x->max_file_bytes;
    /* only where the rows of the part allow a cut, so the files do not depend on timing */
    if (limit && p->part_sums.rows % PART_ALIGN_ROWS == 0 &&
        job->fmt->encoded_bytes(p->writer) >= limit)
        return close_part(p, err);
    return RV_OK;
}

rv_status rv_parts_close(rv_parts *p, bool empty_file, rv_error *err)
{
    if (!p->writer && p->next_index == 0 && empty_file)
        RV_TRY(open_part(p, err));
    if (p->writer)
        RV_TRY(close_part(p, err));
    return rv_quality_merge(&p->quality, &p->sums, err);
}
