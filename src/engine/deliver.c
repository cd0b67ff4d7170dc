#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "engine/part.h"

#define RV_TARGET "engine"
#define STEM_TRIES_MAX 1000u

typedef struct rv_upload_note {
    rv_job *job;
    const char *file_name;
} rv_upload_note;

static rv_status note_upload_id(void *ctx, const char *upload_id, rv_error *err)
{
    rv_upload_note *n = ctx;
    return rv_state_part_upload_id(n->job->state, &n->job->lease, n->file_name, upload_id, err);
}

/* A part on its way when the signal came has the grace period; a manifest of the interrupted run,
 * which is written afterwards, does not pass here. */
static rv_status part_guard(void *ctx, rv_error *err)
{
    rv_job *job = ctx;
    if (rv_cancel_overdue(job->env->cancel))
        return rv_cancel_check(job->env->cancel, err);
    return rv_job_guard(job, err);
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
                        .guard = part_guard,
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

/* Asked once: names that this very reading records are all different. */
static rv_status find_earlier(rv_parts *p, const char *name, const rv_part_row **out, rv_error *err)
{
    rv_job *job = p->job;
    if (!p->earlier_known)
        RV_TRY(
            rv_state_parts(job->state, job->run_id, p->unit, &p->earlier_arena, &p->earlier, err));
    p->earlier_known = true;
    *out = NULL;
    for (size_t i = 0; !*out && i < p->earlier.n; i++)
        if (strcmp(p->earlier.rows[i].file_name, name) == 0)
            *out = &p->earlier.rows[i];
    return RV_OK;
}

/* A unit read again within its run replaces its own object: the old one goes by the record that
 * proves it ours, before the new intent overwrites that record. */
static rv_status remove_earlier(rv_parts *p, const rv_part *part, rv_earlier *out, rv_error *err)
{
    rv_job *job = p->job;
    const rv_part_row *row;
    rv_remove_outcome outcome = RV_REMOVE_MISSING;
    RV_TRY(find_earlier(p, part->name, &row, err));
    *out = row ? RV_NAME_OURS : RV_NAME_NEW;
    if (!row || strcmp(row->fingerprint, part->digests.fingerprint) == 0)
        return RV_OK;
    RV_TRY(job->dd->remove(job->dest, row->file_name, job->owner_token, row->fingerprint,
                           (uint64_t)row->bytes, &outcome, err));
    if (outcome == RV_REMOVE_FOREIGN)
        *out = RV_NAME_FOREIGN;
    else if (outcome == RV_REMOVE_DENIED)
        *out = RV_NAME_KEPT;
    return RV_OK;
}

static bool passing(const rv_error *e)
{
    return e->code == RV_E_STATE_LEASE_LOST || e->code == RV_E_STATE_UNREACHABLE ||
           e->code == RV_E_MEMORY || e->code == RV_E_INTERRUPTED;
}

static rv_status offer(rv_parts *p, rv_part *part, bool recorded, rv_put_outcome *out,
                       rv_error *err)
{
    rv_job *job = p->job;
    rv_part_row row = {.run_id = job->run_id,
                       .unit = p->unit,
                       .part_index = part->index < 0 ? 0 : part->index,
                       .chunk_index = rv_name_chunk_index(p->unit),
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
    if (p->upload_error.code == RV_OK) {
        rv_error upload_err = {0};
        rv_status st = rv_part_upload(job, &row, recorded, out, &upload_err);
        if (st == RV_OK)
            return RV_OK;
        if (passing(&upload_err)) {
            *err = upload_err;
            return st;
        }
        p->upload_error = upload_err;
    }
    *out = RV_PUT_WRITTEN; /* waits in the spool under this name */
    return RV_OK;
}

rv_status rv_part_deliver(rv_parts *p, rv_part *part, rv_error *err)
{
    rv_job *job = p->job;
    for (;;) {
        rv_earlier earlier;
        rv_put_outcome outcome = RV_PUT_FOREIGN;
        RV_TRY(part_name(job, p->unit, part, err));
        RV_TRY(remove_earlier(p, part, &earlier, err));
        if (earlier == RV_NAME_NEW || earlier == RV_NAME_OURS)
            RV_TRY(offer(p, part, earlier == RV_NAME_OURS, &outcome, err));
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
    if (p->upload_error.code != RV_OK)
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
