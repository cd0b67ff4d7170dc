#include <string.h>

#include "base/fault.h"
#include "engine/run.h"
#include "engine/manifest.h"
#include "engine/publish.h"
#include "engine/repair_internal.h"

#define RV_TARGET "engine"

const rv_slice *rv_repair_range(const rv_repair *r, const char *unit)
{
    rv_unit_id id;
    if (!unit || !rv_unit_id_parse(unit, &id))
        return NULL;
    const rv_slice *p = rv_slice_find(&r->known, &id);
    return p && strcmp(p->unit, unit) == 0 ? p : NULL;
}

static bool replaced(const rv_mending *m, const char *unit)
{
    const rv_slice *p = m->executed ? rv_repair_range(m->r, unit) : NULL;
    return p && m->mended[p - m->r->known.rows];
}

typedef struct rv_whole {
    rv_part_rows parts;
    const char **files, **units; /* replaced */
    size_t n_files, n_units;
    rv_sums sums;
} rv_whole;

static rv_status add_old_parts(rv_mending *m, rv_whole *w, rv_error *err)
{
    const rv_subject *s = &m->r->subject;
    rv_arena *a = &m->job.arena;
    for (size_t i = 0; i < s->n_parts; i++) {
        const rv_manifest_part *p = &s->parts[i];
        const char *unit, *stem, *status = p->status;
        RV_TRY(rv_unit_of_path(p->path, a, &unit, &stem, err));
        if (strcmp(status, "committed") == 0 && replaced(m, unit)) {
            status = "superseded";
            w->files[w->n_files++] = p->path;
            rv_journal_add(m->job.journal, "part_superseded", "s", "name", p->path);
        }
        w->parts.rows[w->parts.n++] = (rv_part_row){.unit = unit,
                                                    .chunk_index = p->chunk_index,
                                                    .file_name = p->path,
                                                    .row_count = p->rows,
                                                    .bytes = p->size_bytes,
                                                    .fingerprint = p->fingerprint,
                                                    .md5 = p->md5,
                                                    .status = status};
    }
    return RV_OK;
}

static rv_status merge_parts(rv_mending *m, rv_whole *w, rv_error *err)
{
    rv_job *job = &m->job;
    const rv_subject *s = &m->r->subject;
    const rv_repair_report *out = m->r->out;
    rv_part_rows own = {0};
    RV_TRY(rv_state_parts(job->state, job->run_id, NULL, &job->arena, &own, err));
    RV_TRY(rv_arena_array(&job->arena, s->n_parts + own.n + 1, sizeof *w->parts.rows,
                          &w->parts.rows, err));
    RV_TRY(rv_arena_array(&job->arena, s->n_parts + 1, sizeof *w->files, &w->files, err));
    RV_TRY(rv_arena_array(&job->arena, out->n_actions + 1, sizeof *w->units, &w->units, err));
    RV_TRY(add_old_parts(m, w, err));
    for (size_t i = 0; i < own.n; i++)
        w->parts.rows[w->parts.n++] = own.rows[i];
    for (size_t i = 0; i < out->n_actions; i++)
        if (out->actions[i].outcome && strcmp(out->actions[i].outcome, "executed") == 0)
            w->units[w->n_units++] = out->actions[i].unit;
    return RV_OK;
}

static rv_status add_sums(rv_mending *m, const char *run_id, rv_sums *total, rv_error *err)
{
    rv_job *job = &m->job;
    rv_unit_rows units = {0};
    RV_TRY(rv_state_units(job->state, run_id, &job->arena, &units, err));
    for (size_t i = 0; i < units.n; i++) {
        rv_sums one = {0};
        if (!units.rows[i].committed_at || replaced(m, units.rows[i].unit))
            continue;
        RV_TRY(rv_sums_from_json(units.rows[i].accumulators, job->schema.n_columns, &one,
                                 &job->arena, NULL, err));
        rv_sums_add(total, &one);
        rv_sums_free(&one);
    }
    return RV_OK;
}

static rv_status commit_whole(rv_mending *m, rv_whole *w, const char **out_json, rv_error *err)
{
    rv_job *job = &m->job;
    RV_TRY(merge_parts(m, w, err));
    RV_TRY(rv_sums_init(&w->sums, job->schema.n_columns, err));
    RV_TRY(add_sums(m, job->repairs, &w->sums, err));
    RV_TRY(add_sums(m, job->run_id, &w->sums, err));
    rv_manifest_facts facts = {.status = "success",
                               .degraded = job->degraded,
                               .source_row_count = -1,
                               .parts = &w->parts,
                               .sums = &w->sums};
    RV_TRY(rv_manifest_build(job, &facts, &job->arena, out_json, err));
    rv_run_final f = {.manifest_json = *out_json,
                      .progression_chunk = -1,
                      .repairs = job->repairs,
                      .replaced_units = w->units,
                      .n_replaced_units = w->n_units,
                      .replaced_files = w->files,
                      .n_replaced_files = w->n_files};
    RV_KILL_POINT("repair-before-final");
    RV_TRY(rv_state_run_final(job->state, &job->lease, &f, err));
    RV_KILL_POINT("repair-after-final");
    return RV_OK;
}

rv_status rv_repair_publish(rv_mending *m, rv_error *err)
{
    rv_whole w = {0};
    const char *json = NULL;
    rv_status st = commit_whole(m, &w, &json, err);
    rv_sums_free(&w.sums);
    RV_TRY(st);
    m->published = true; /* from here the next start can finish the work */
    return rv_run_publish(&m->job, json, err);
}
