#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/file.h"
#include "engine/objects.h"
#include "engine/upload.h"

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

/* State no longer names it, so nobody would come back for it: what fails in passing is tried once
 * more. */
static void drop_spool(const rv_job *job, const char *path)
{
    bool found;
    rv_error why = {.code = RV_OK};
    rv_status st = RV_E_IO;
    for (int tries = 0; tries < 2 && st != RV_OK; tries++)
        st = rv_file_remove(path, &found, &why);
    if (st != RV_OK)
        RV_LOG_WARN(job->env, "%s", why.text);
    RV_KILL_POINT("part-unlinked");
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
                        .guard = part_guard,
                        .guard_ctx = job,
                        .on_upload_id = note_upload_id,
                        .on_upload_ctx = &note};
    RV_TRY(job->dd->put(job->dest, &spec, out, err));
    RV_KILL_POINT("part-put");
    if (*out == RV_PUT_FOREIGN || *out == RV_PUT_CHANGED)
        return RV_OK;
    RV_TRY(rv_state_part_status(job->state, &job->lease, job->run_id, row->file_name, "uploaded",
                                !job->validate, err));
    RV_KILL_POINT("part-uploaded");
    if (!job->validate)
        drop_spool(job, row->spool_path);
    return RV_OK;
}

/* The run moves to the next free stem; names already recorded keep theirs. Where another part has
 * moved it already, that stem will do. */
static rv_status next_stem(rv_job *job, const char *taken_stem, rv_error *err)
{
    rv_status st = RV_OK;
    pthread_mutex_lock(&job->lock);
    bool taken = strcmp(job->stem, taken_stem) == 0;
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

static rv_status name_offer(rv_job *job, const char *unit, rv_offer *o, rv_error *err)
{
    pthread_mutex_lock(&job->lock);
    o->stem = job->stem;
    rv_status st =
        rv_name_part(&job->arena, o->stem, unit, o->part.index, job->extension, &o->part.name, err);
    pthread_mutex_unlock(&job->lock);
    return st;
}

/* Asked once: names that this very reading records are all different. */
static rv_status find_earlier(rv_job *job, const char *unit, rv_earlier *earlier, const char *name,
                              const rv_part_row **out, rv_error *err)
{
    if (!earlier->known) { /* by the unit's own thread: upload threads come later */
        RV_TRY(rv_state_parts(job->state, job->run_id, unit, &earlier->arena, &earlier->rows, err));
        earlier->known = true;
    }
    *out = NULL;
    for (size_t i = 0; !*out && i < earlier->rows.n; i++)
        if (strcmp(earlier->rows.rows[i].file_name, name) == 0)
            *out = &earlier->rows.rows[i];
    return RV_OK;
}

/* ---- names that cannot be had ---- */

/* Ours, though it may neither be replaced nor perhaps be looked at; or somebody else's. */
static rv_status is_ours(rv_job *job, const char *name, bool *out, rv_error *err)
{
    rv_object obj = {.owner = ""};
    bool found = false, known;
    RV_TRY(rv_object_look(job->dd, job->dest, name, &obj, &found, &known, err));
    *out = !known || (found && strcmp(obj.owner, job->owner_token) == 0);
    return RV_OK;
}

/* What is somebody else's is forgotten; what is ours and may not go is superseded, as it was. */
static rv_status give_name_up(rv_job *job, rv_offer *o, const rv_part_row *earlier, bool kept,
                              rv_error *err)
{
    bool ours = kept;
    const char *name = o->part.name;
    if (!kept)
        RV_TRY(is_ours(job, name, &ours, err));
    rv_job_warn(job, "destination", "%s %s; the run goes on under another name", name,
                ours ? "may not be replaced" : "is taken by somebody else");
    if (!ours) {
        RV_TRY(rv_state_part_forget(job->state, &job->lease, job->run_id, name, err));
    } else {
        if (earlier && !kept)
            RV_TRY(rv_state_part_intent(job->state, &job->lease, job->prefix, earlier, err));
        RV_TRY(rv_state_part_status(job->state, &job->lease, job->run_id, name, "superseded", true,
                                    err));
        rv_journal_add(job->journal, "part_superseded", "s", "name", name);
    }
    return next_stem(job, o->stem, err);
}

/* Stores know an own object by its owner and replace it where it stands. A local one goes by the
 * record that proves it ours, before the new intent overwrites that record. */
static rv_status make_way(rv_job *job, const rv_offer *o, const rv_part_row *earlier,
                          rv_remove_outcome *out, rv_error *err)
{
    *out = RV_REMOVE_MISSING;
    if (!earlier || job->dd->kind != RV_DEST_LOCAL ||
        strcmp(earlier->fingerprint, o->part.digests.fingerprint) == 0)
        return RV_OK;
    return job->dd->remove(job->dest, earlier->file_name, job->owner_token, earlier->fingerprint,
                           (uint64_t)earlier->bytes, out, err);
}

/* ---- intent and upload ---- */

static rv_part_row row_of(const rv_job *job, const char *unit, const rv_offer *o)
{
    const rv_part *part = &o->part;
    return (rv_part_row){.run_id = job->run_id,
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
}

rv_status rv_offer_record(rv_job *job, const char *unit, rv_earlier *earlier, rv_offer *o,
                          rv_error *err)
{
    for (;;) {
        const rv_part_row *row;
        rv_remove_outcome gone;
        RV_TRY(name_offer(job, unit, o, err));
        RV_TRY(find_earlier(job, unit, earlier, o->part.name, &row, err));
        RV_TRY(make_way(job, o, row, &gone, err));
        if (gone == RV_REMOVE_FOREIGN || gone == RV_REMOVE_DENIED) {
            RV_TRY(give_name_up(job, o, row, gone == RV_REMOVE_DENIED, err));
            continue;
        }
        o->recorded = row != NULL;
        if (row) /* an earlier process was about to write it */
            RV_TRY(rv_part_abort_left(job->dd, job->dest, row, err));
        const rv_part_row intent = row_of(job, unit, o);
        RV_TRY(rv_state_part_intent(job->state, &job->lease, job->prefix, &intent, err));
        RV_KILL_POINT("part-intent");
        return RV_OK;
    }
}

bool rv_upload_passing(const rv_error *e)
{
    return e->code == RV_E_STATE_LEASE_LOST || e->code == RV_E_STATE_UNREACHABLE ||
           e->code == RV_E_MEMORY || e->code == RV_E_INTERRUPTED;
}

static void arrived(rv_job *job, const rv_part *part)
{
    pthread_mutex_lock(&job->lock);
    job->files++;
    job->bytes += (int64_t)part->digests.size_bytes;
    pthread_mutex_unlock(&job->lock);
    if (!job->validate) /* else the file stays until its unit commits */
        atomic_fetch_sub(&job->spooled, (int64_t)part->digests.size_bytes);
    rv_journal_add(job->journal, "file_written", "siii", "file_name", part->name, "rows",
                   (int64_t)part->rows, "bytes", (int64_t)part->digests.size_bytes, "part_index",
                   part->index < 0 ? (int64_t)0 : part->index);
}

rv_status rv_offer_carry(rv_job *job, const char *unit, rv_earlier *earlier, rv_offer *o,
                         rv_error *err)
{
    for (;;) {
        const rv_part_row *row;
        rv_put_outcome outcome = RV_PUT_FOREIGN;
        const rv_part_row intent = row_of(job, unit, o);
        RV_TRY(rv_part_upload(job, &intent, o->recorded, &outcome, err));
        if (outcome == RV_PUT_WRITTEN || outcome == RV_PUT_SAME) {
            arrived(job, &o->part);
            return RV_OK;
        }
        RV_TRY(find_earlier(job, unit, earlier, o->part.name, &row, err));
        RV_TRY(give_name_up(job, o, row, false, err));
        RV_TRY(rv_offer_record(job, unit, earlier, o, err));
    }
}
