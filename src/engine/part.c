#include "engine/part.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"

#define RV_TARGET "engine"
#define PART_ALIGN_ROWS 1024u
#define STEM_TRIES_MAX 1000u

rv_status rv_parts_init(rv_parts *p, rv_job *job, const char *unit, rv_error *err)
{
    *p = (rv_parts){.job = job, .fd = -1};
    (void)snprintf(p->unit, sizeof p->unit, "%s", unit);
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
}

void rv_parts_free(rv_parts *p)
{
    if (!p->job)
        return;
    abandon_open_part(p);
    for (size_t i = 0; i < p->n_waiting; i++)
        drop_spool(&p->waiting[i].spool_path);
    rv_free(p->waiting);
    rv_sums_free(&p->sums);
    rv_sums_free(&p->part_sums);
    p->job = NULL;
}

/* ---- one open part ---- */

static rv_status spool_write(void *self, rv_bytes data, rv_error *err)
{
    rv_parts *p = self;
    RV_TRY(rv_file_write(p->fd, data.ptr, data.len, p->path, err));
    rv_digest_update(&p->digest, data.ptr, data.len);
    return RV_OK;
}

static rv_status stdout_write(void *self, rv_bytes data, rv_error *err)
{
    rv_parts *p = self;
    rv_digest_update(&p->digest, data.ptr, data.len);
    return p->stdout_sink.write(p->stdout_sink.self, data, err);
}

static rv_status open_spool(rv_parts *p, rv_error *err)
{
    rv_job *job = p->job;
    rv_buf path = RV_BUF_INIT;
    char key[RV_NAME_MAX];
    rv_status st = RV_OK;
    pthread_mutex_lock(&job->lock);
    (void)snprintf(key, sizeof key, "%s_%s.%lld%s", job->stem, p->unit, (long long)p->next_index,
                   job->extension);
    pthread_mutex_unlock(&job->lock);
    RV_GO(job->dd->spool_path(job->dest, job->spool_name, key, &path, err));
    p->path = rv_strdup(rv_buf_cstr(&path));
    if (!p->path) {
        st = rv_fail_memory(err);
        goto done;
    }
    bool found;
    RV_GO(rv_file_remove(p->path, &found, err)); /* an earlier attempt of this very run */
    RV_GO(rv_file_create(p->path, 0600, &p->fd, err));
done:
    rv_buf_free(&path);
    return st;
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

static rv_status note_name(rv_parts *p, const char *name, rv_error *err)
{
    if (p->delivered == p->names_cap) {
        size_t cap = p->names_cap ? p->names_cap * 4 : 4;
        const char **grown;
        pthread_mutex_lock(&p->job->lock);
        rv_status st = rv_arena_array(&p->job->arena, cap, sizeof *grown, &grown, err);
        pthread_mutex_unlock(&p->job->lock);
        if (st != RV_OK)
            return st;
        for (size_t i = 0; i < p->delivered; i++)
            grown[i] = p->names[i];
        p->names = grown;
        p->names_cap = cap;
    }
    p->names[p->delivered++] = name;
    return RV_OK;
}

static rv_status deliver_one(rv_parts *p, rv_part *part, rv_error *err)
{
    rv_status st = rv_part_deliver(p->job, p->unit, part, &p->upload_error, err);
    /* from here the file belongs to state: an intent may name it */
    rv_free(part->spool_path);
    part->spool_path = NULL;
    return st == RV_OK ? note_name(p, part->name, err) : st;
}

rv_status rv_parts_deliver(rv_parts *p, rv_error *err)
{
    if (p->n_waiting == 1 && p->next_index == 1)
        p->waiting[0].index = -1; /* the only one: no suffix */
    for (size_t i = 0; i < p->n_waiting; i++)
        RV_TRY(deliver_one(p, &p->waiting[i], err));
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
    if (job->to_stdout)
        return note_name(p, "", err);
    RV_TRY(rv_file_sync(p->fd, p->path, err)); /* D1: finished before any byte is offered */
    rv_file_close(p->fd);
    p->fd = -1;
    RV_KILL_POINT("part-closed");
    RV_TRY(room_to_wait(p, err));
    part.spool_path = p->path;
    p->path = NULL;
    p->waiting[p->n_waiting++] = part;
    /* whether it stays the only one is known with the second */
    return p->defer || part.index == 0 ? RV_OK : rv_parts_deliver(p, err);
}

rv_status rv_parts_write(rv_parts *p, const rv_batch *batch, rv_error *err)
{
    rv_job *job = p->job;
    if (!p->writer)
        RV_TRY(open_part(p, err));
    RV_TRY(job->fmt->write(p->writer, batch, err));
    RV_KILL_POINT("part-writing");
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
    return p->writer ? close_part(p, err) : RV_OK;
}

/* ---- delivery ---- */

typedef struct rv_upload_note {
    rv_job *job;
    const char *file_name;
} rv_upload_note;

static rv_status note_upload_id(void *ctx, const char *upload_id, rv_error *err)
{
    rv_upload_note *n = ctx;
    return rv_state_part_upload_id(n->job->state, &n->job->lease, n->file_name, upload_id, err);
}

rv_status rv_part_upload(rv_job *job, const rv_part_row *row, bool recorded, rv_put_outcome *out,
                         rv_error *err)
{
    rv_digests digests = {.size_bytes = (uint64_t)row->bytes};
    (void)snprintf(digests.md5, sizeof digests.md5, "%s", row->md5);
    (void)snprintf(digests.fingerprint, sizeof digests.fingerprint, "%s", row->fingerprint);
    rv_upload_note note = {job, row->file_name};
    rv_put_spec spec = {.key = row->file_name,
                        .spool = row->spool_path,
                        .digests = &digests,
                        .owner_token = job->owner_token,
                        .mime = job->fmt->mime,
                        .mode = RV_PUT_NEW,
                        .known_fingerprint = recorded ? row->fingerprint : NULL,
                        .known_size_bytes = (uint64_t)row->bytes,
                        .keep_spool = job->validate,
                        .guard = rv_job_guard,
                        .guard_ctx = job,
                        .on_upload_id = note_upload_id,
                        .on_upload_ctx = &note};
    RV_TRY(job->dd->put(job->dest, &spec, out, err));
    RV_KILL_POINT("part-put");
    if (*out == RV_PUT_FOREIGN || *out == RV_PUT_CHANGED)
        return RV_OK;
    RV_TRY(rv_state_part_status(job->state, &job->lease, job->run_id, row->file_name, "uploaded",
                                !spec.keep_spool, err));
    RV_KILL_POINT("part-uploaded");
    return RV_OK;
}

/* The run moves to the next free stem; names already recorded keep theirs. */
static rv_status next_stem(rv_job *job, rv_error *err)
{
    rv_status st = RV_OK;
    bool taken = true;
    pthread_mutex_lock(&job->lock);
    while (st == RV_OK && taken && job->stem_try < STEM_TRIES_MAX) {
        const char *stem;
        st = rv_name_stem(&job->arena, job->x->name, job->started_us, ++job->stem_try, &stem, err);
        if (st == RV_OK)
            st = rv_state_run_stem(job->state, &job->lease, stem, &taken, err);
        if (st == RV_OK && !taken)
            job->stem = stem;
    }
    pthread_mutex_unlock(&job->lock);
    if (st == RV_OK && taken)
        st = rv_fail(err, RV_E_DEST_CONFLICT, "export '%s': no free file name was found",
                     job->x->name);
    return st;
}

static rv_status part_name(rv_job *job, const char *unit, rv_part *part, rv_error *err)
{
    pthread_mutex_lock(&job->lock);
    rv_status st =
        rv_name_part(&job->arena, job->stem, unit, part->index, job->extension, &part->name, err);
    pthread_mutex_unlock(&job->lock);
    return st;
}

typedef enum rv_earlier { RV_NAME_NEW, RV_NAME_OURS, RV_NAME_FOREIGN, RV_NAME_KEPT } rv_earlier;

/* A unit read again within its run replaces its own object: the old one goes by the record that
 * proves it ours, before the new intent overwrites that record. */
static rv_status remove_earlier(rv_job *job, const char *unit, const rv_part *part, rv_earlier *out,
                                rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_part_rows rows = {0};
    rv_status st = rv_state_parts(job->state, job->run_id, unit, &scratch, &rows, err);
    *out = RV_NAME_NEW;
    for (size_t i = 0; st == RV_OK && i < rows.n; i++) {
        const rv_part_row *row = &rows.rows[i];
        if (strcmp(row->file_name, part->name) != 0)
            continue;
        *out = RV_NAME_OURS;
        if (strcmp(row->fingerprint, part->digests.fingerprint) == 0)
            continue;
        rv_remove_outcome outcome = RV_REMOVE_MISSING;
        st = job->dd->remove(job->dest, row->file_name, job->owner_token, row->fingerprint,
                             (uint64_t)row->bytes, &outcome, err);
        *out = outcome == RV_REMOVE_FOREIGN  ? RV_NAME_FOREIGN
               : outcome == RV_REMOVE_DENIED ? RV_NAME_KEPT
                                             : RV_NAME_OURS;
    }
    rv_arena_free(&scratch);
    return st;
}

static bool passing(const rv_error *e)
{
    return e->code == RV_E_STATE_LEASE_LOST || e->code == RV_E_STATE_UNREACHABLE ||
           e->code == RV_E_MEMORY;
}

static rv_status offer(rv_job *job, const char *unit, rv_part *part, bool recorded,
                       rv_put_outcome *out, rv_error *io_upload_error, rv_error *err)
{
    rv_part_row row = {.run_id = job->run_id,
                       .unit = unit,
                       .part_index = part->index < 0 ? 0 : part->index,
                       .chunk_index = rv_name_chunk_index(unit),
                       .file_name = part->name,
                       .row_count = (int64_t)part->rows,
                       .bytes = (int64_t)part->digests.size_bytes,
                       .format = job->x->format,
                       .compression = job->x->compression,
                       .fingerprint = part->digests.fingerprint,
                       .md5 = part->digests.md5,
                       .spool_path = part->spool_path,
                       .status = "pending"};
    RV_TRY(rv_state_part_intent(job->state, &job->lease, job->prefix, &row, err));
    RV_KILL_POINT("part-intent");
    if (io_upload_error->code == RV_OK) {
        rv_error upload_err = {0};
        rv_status st = rv_part_upload(job, &row, recorded, out, &upload_err);
        if (st == RV_OK)
            return RV_OK;
        if (passing(&upload_err)) {
            *err = upload_err;
            return st;
        }
        *io_upload_error = upload_err;
    }
    *out = RV_PUT_WRITTEN; /* waits in the spool under this name */
    return RV_OK;
}

rv_status rv_part_deliver(rv_job *job, const char *unit, rv_part *part, rv_error *io_upload_error,
                          rv_error *err)
{
    for (;;) {
        rv_earlier earlier;
        rv_put_outcome outcome = RV_PUT_FOREIGN;
        RV_TRY(part_name(job, unit, part, err));
        RV_TRY(remove_earlier(job, unit, part, &earlier, err));
        if (earlier == RV_NAME_NEW || earlier == RV_NAME_OURS)
            RV_TRY(offer(job, unit, part, earlier == RV_NAME_OURS, &outcome, io_upload_error, err));
        if (outcome == RV_PUT_WRITTEN || outcome == RV_PUT_SAME)
            break;
        RV_LOG_WARN(job->env,
                    "export '%s': %s is taken by somebody else; the run goes on under "
                    "another name",
                    job->x->name, part->name);
        /* what is somebody else's is forgotten; what is ours and may not go is superseded */
        if (earlier == RV_NAME_KEPT)
            RV_TRY(rv_state_part_status(job->state, &job->lease, job->run_id, part->name,
                                        "superseded", true, err));
        else
            RV_TRY(rv_state_part_forget(job->state, &job->lease, job->run_id, part->name, err));
        RV_TRY(next_stem(job, err));
    }
    if (io_upload_error->code != RV_OK)
        return RV_OK;
    pthread_mutex_lock(&job->lock);
    job->files++;
    job->bytes += (int64_t)part->digests.size_bytes;
    pthread_mutex_unlock(&job->lock);
    rv_journal_add(job->journal, "file_written", "siii", "file_name", part->name, "rows",
                   (int64_t)part->rows, "bytes", (int64_t)part->digests.size_bytes, "part_index",
                   part->index < 0 ? (int64_t)0 : part->index);
    return RV_OK;
}
