#include "engine/reconcile_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/owner.h"

#define RV_TARGET "engine"

/* ---- the subject ---- */

static rv_status no_stdout(const rv_cfg_export *x, rv_error *err)
{
    rv_status st;
    if (x->mode == RV_CDC)
        return rv_fail(err, RV_E_CONFIG_UNSUPPORTED,
                       "export '%s': reconcile of mode: cdc is not part of this build", x->name);
    if (x->partition_by) {
        st = rv_fail(err, RV_E_CONFIG_PARTITION,
                     "export '%s': every partition is a dataset of its own; name one of them",
                     x->name);
        rv_hint(err,
                "-e %s__VALUE, such as `-e %s__2026-05-02`; `rivet state show` lists them, and "
                "`rivet run -e %s --reconcile` counts them all",
                x->name, x->name, x->name);
        return st;
    }
    if (x->dest.kind != RV_DEST_STDOUT)
        return RV_OK;
    st = rv_fail(err, RV_E_RUN_NOTHING, "export '%s': stdout leaves nothing behind to reconcile",
                 x->name);
    rv_hint(err, "`rivet run -e %s --reconcile` counts while it exports", x->name);
    return st;
}

static const rv_manifest *newest_success(const rv_validating *v)
{
    const rv_manifest *best = NULL;
    for (size_t i = 0; i < v->n_manifests; i++) {
        const rv_seen_manifest *s = &v->manifests[i];
        if (!s->mine || strcmp(s->m.status, "success") != 0)
            continue;
        /* RFC 3339 UTC: text order is time */
        if (!best || strcmp(s->m.started_at, best->started_at) > 0)
            best = &s->m;
    }
    return best;
}

static const char *strategy_of(const rv_cfg_export *x, const rv_subject *s)
{
    if (s->m)
        return s->m->strategy;
    if (x->chunk_by_key || (x->mode == RV_FULL && x->chunk_checkpoint))
        return "keyset";
    return x->mode == RV_TIME_WINDOW ? "timewindow" : rv_mode_name(x->mode);
}

static bool listed(const rv_part_row *p)
{
    return strcmp(p->status, "committed") == 0 || strcmp(p->status, "superseded") == 0 ||
           strcmp(p->status, "quarantined") == 0;
}

/* Without a manifest the state says what was delivered. */
static rv_status parts_of_state(rv_subject *s, rv_error *err)
{
    rv_part_rows rows = {0};
    rv_arena *a = s->v.arena;
    RV_TRY(rv_state_parts(s->v.state, s->run_id, NULL, a, &rows, err));
    RV_TRY(rv_arena_array(a, rows.n + 1, sizeof *s->parts, &s->parts, err));
    for (size_t i = 0; i < rows.n; i++) {
        const rv_part_row *p = &rows.rows[i];
        if (!listed(p))
            continue;
        s->parts[s->n_parts++] = (rv_manifest_part){.part_id = (int64_t)i,
                                                    .rows = p->row_count,
                                                    .size_bytes = p->bytes,
                                                    .chunk_index = p->chunk_index,
                                                    .path = p->file_name,
                                                    .fingerprint = p->fingerprint,
                                                    .md5 = p->md5,
                                                    .status = p->status};
    }
    return RV_OK;
}

static rv_status no_run(const rv_cfg_export *x, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_RUN_NOTHING,
                           "export '%s': there is neither a manifest nor a run of it", x->name);
    rv_hint(err, "`rivet run -e %s` makes the first", x->name);
    return st;
}

static bool delivered(const rv_run_row *r)
{
    return strcmp(r->status, "success") == 0 || strcmp(r->status, "degraded") == 0 ||
           strcmp(r->status, "unpublished") == 0;
}

static rv_status take_run(rv_subject *s, const char *run_id, rv_error *err)
{
    s->run_id = run_id;
    if (s->v.state)
        RV_TRY(rv_state_run_get(s->v.state, run_id, s->v.arena, &s->row, &s->known, err));
    s->delivered = s->m || (s->known && delivered(&s->row));
    s->strategy = strategy_of(s->v.x, s);
    if (!s->m)
        return parts_of_state(s, err);
    s->parts = s->m->parts;
    s->n_parts = s->m->n_parts;
    return RV_OK;
}

/* The last run that is no repair: a repair that failed left nothing behind. */
static rv_status take_last_run(rv_subject *s, rv_error *err)
{
    rv_run_rows runs = {0};
    if (s->v.state)
        RV_TRY(rv_state_runs(s->v.state, s->v.x->name, 0, s->v.arena, &runs, err));
    for (size_t i = 0; i < runs.n; i++)
        if (strcmp(runs.rows[i].mode, "repair") != 0 || delivered(&runs.rows[i]))
            return take_run(s, runs.rows[i].run_id, err);
    return no_run(s->v.x, err);
}

static rv_status choose(rv_subject *s, bool checkpoint, rv_error *err)
{
    rv_checkpoint_row ckpt;
    bool found = false;
    if (checkpoint && s->v.state)
        RV_TRY(rv_state_checkpoint_get(s->v.state, s->v.x->name, s->v.arena, &ckpt, &found, err));
    if (found)
        return take_run(s, ckpt.run_id, err);
    s->m = newest_success(&s->v);
    return s->m ? take_run(s, s->m->run_id, err) : take_last_run(s, err);
}

rv_status rv_subject_open(rv_subject *s, const rv_env *env, const rv_cfg_export *x, rv_state *state,
                          bool checkpoint, rv_arena *a, rv_error *err)
{
    *s = (rv_subject){.vopts = {.export_name = x->name, .depth = RV_DEPTH_SAMPLE},
                      .vreport = {.export_name = x->name}};
    s->v = (rv_validating){
        .env = env, .x = x, .opts = &s->vopts, .state = state, .arena = a, .out = &s->vreport};
    RV_TRY(no_stdout(x, err));
    RV_TRY(rv_validate_open(&s->v, err));
    RV_TRY(rv_validate_prefix(&s->v, err));
    return choose(s, checkpoint, err);
}

void rv_subject_close(rv_subject *s)
{
    rv_object_list_free(&s->v.objects);
    if (s->v.dest)
        s->v.dd->close(s->v.dest);
    s->v.dest = NULL;
}

bool rv_subject_same_plan(const rv_subject *s, const rv_job *job)
{
    return s->known && ((s->row.plan_hash && strcmp(s->row.plan_hash, job->plan_hash) == 0) ||
                        rv_owner_accepts_plan(job, s->row.owner));
}

/* ---- (a) the destination ---- */

static int by_key(const void *key, const void *item)
{
    return strcmp(key, ((const rv_object *)item)->key);
}

static rv_status find_object(rv_validating *v, const char *path, rv_object *out, bool *out_found,
                             rv_error *err)
{
    const rv_object *o = NULL;
    if (!v->listed || strchr(path, '/'))
        return v->dd->stat(v->dest, path, out, out_found, err);
    if (v->objects.n)
        o = bsearch(path, v->objects.items, v->objects.n, sizeof *o, by_key);
    if (o)
        *out = *o;
    *out_found = o != NULL;
    return RV_OK;
}

/* A disk lists no hash: its files are read. A store that lists none is trusted by size. */
rv_status rv_subject_part_status(rv_subject *s, const rv_manifest_part *p, const char **out,
                                 rv_error *err)
{
    rv_validating *v = &s->v;
    rv_object obj = {0};
    bool found = false;
    RV_TRY(rv_cancel_check(v->env->cancel, err));
    RV_TRY(find_object(v, p->path, &obj, &found, err));
    *out = "ok";
    if (!found) {
        *out = "missing";
    } else if (obj.size_bytes != (uint64_t)p->size_bytes) {
        *out = "size_mismatch";
    } else if (obj.md5[0]) {
        if (strcmp(obj.md5, p->md5) != 0)
            *out = "checksum_mismatch";
    } else if (v->dd->kind == RV_DEST_LOCAL) {
        rv_digests d = {0};
        RV_TRY(rv_object_digest(v->dd, v->dest, p->path, v->env->cancel, &d, err));
        if (strcmp(d.fingerprint, p->fingerprint) != 0)
            *out = "checksum_mismatch";
    }
    return RV_OK;
}

static bool holds(const rv_part_rows *parts, const char *key)
{
    for (size_t i = 0; key && i < parts->n; i++)
        if (strcmp(parts->rows[i].file_name, key) == 0)
            return true;
    return false;
}

/* Parts of the subject, and of a run whose checkpoint goes on, may stand without a manifest. */
rv_status rv_subject_untracked(rv_subject *s, size_t *out_first, rv_error *err)
{
    rv_validating *v = &s->v;
    rv_validate_report *seen = v->out;
    rv_part_rows own = {0}, going = {0};
    rv_checkpoint_row ckpt;
    bool found = false;
    *out_first = seen->n_failures;
    RV_TRY(rv_validate_untracked(v, err));
    if (!v->state || seen->n_failures == *out_first)
        return RV_OK;
    RV_TRY(rv_state_parts(v->state, s->run_id, NULL, v->arena, &own, err));
    RV_TRY(rv_state_checkpoint_get(v->state, v->x->name, v->arena, &ckpt, &found, err));
    if (found)
        RV_TRY(rv_state_parts(v->state, ckpt.run_id, NULL, v->arena, &going, err));
    size_t n = *out_first;
    for (size_t i = n; i < seen->n_failures; i++)
        if (!holds(&own, seen->failures[i].key) && !holds(&going, seen->failures[i].key))
            seen->failures[n++] = seen->failures[i];
    seen->n_failures = n;
    return RV_OK;
}

rv_status rv_reconcile_parts(rv_subject *s, rv_reconcile_report *out, rv_error *err)
{
    rv_validating *v = &s->v;
    size_t before;
    RV_TRY(rv_subject_untracked(s, &before, err));
    size_t strays = v->out->n_failures - before;
    RV_TRY(rv_arena_array(v->arena, s->n_parts + strays + 1, sizeof *out->parts, &out->parts, err));
    for (size_t i = 0; i < s->n_parts; i++) {
        rv_checked_part *c = &out->parts[out->n_parts];
        if (strcmp(s->parts[i].status, "committed") != 0)
            continue;
        c->path = s->parts[i].path;
        RV_TRY(rv_subject_part_status(s, &s->parts[i], &c->status, err));
        out->n_parts++;
    }
    for (size_t i = before; i < v->out->n_failures; i++)
        out->parts[out->n_parts++] = (rv_checked_part){v->out->failures[i].key, "untracked"};
    return RV_OK;
}

/* ---- (b) the source ---- */

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static rv_status load_partitions(rv_subject *s, rv_reconcile_report *out, rv_error *err)
{
    rv_slices parts = {0};
    rv_arena *a = s->v.arena;
    if (s->known)
        RV_TRY(rv_slices_load(s->v.state, s->v.x, s->run_id, s->delivered, a, &parts, err));
    if (parts.n == 0 && is(s->strategy, "full")) {
        RV_TRY(rv_arena_array(a, 1, sizeof *parts.rows, &parts.rows, err));
        parts.n = 1;
        parts.rows[0] = (rv_slice){.unit = "0",
                                   .identifier = "full",
                                   .kind = "whole",
                                   .source_count = -1,
                                   .exported_count = s->m ? s->m->row_count : -1,
                                   .status = s->m ? NULL : "unknown",
                                   .note = s->m ? NULL : "the run is unfinished"};
    }
    out->partitions = parts.rows;
    out->n_partitions = parts.n;
    return RV_OK;
}

static rv_status count_one(rv_job *job, rv_slice *p, rv_error *err)
{
    rv_error why = {0};
    if (p->status)
        return RV_OK;
    rv_status st = rv_slice_count(job, p, &p->source_count, &why);
    if (st == RV_E_STATE_DAMAGED) { /* bounds that cannot be read are nobody's count */
        p->status = "unknown";
        p->note = "its stored bounds cannot be read";
        return RV_OK;
    }
    if (st != RV_OK) {
        *err = why;
        return st;
    }
    p->status = p->source_count == p->exported_count ? "match" : "mismatch";
    return RV_OK;
}

static rv_status same_plan_or_unknown(rv_subject *s, rv_job *job, rv_reconcile_report *out,
                                      bool *out_same, rv_error *err)
{
    bool whole = out->n_partitions == 1 && is(out->partitions[0].kind, "whole");
    *out_same = true;
    if (s->known)
        RV_TRY(rv_owner_compare(job, s->row.owner, "run", err));
    if (rv_subject_same_plan(s, job) || (whole && !s->known))
        return RV_OK;
    *out_same = false;
    for (size_t i = 0; i < out->n_partitions; i++) {
        out->partitions[i].status = "unknown";
        out->partitions[i].note = "the configuration or the columns changed since the run";
    }
    return RV_OK;
}

rv_status rv_reconcile_counts(rv_subject *s, rv_job *job, rv_reconcile_report *out, rv_error *err)
{
    bool same = true;
    out->counted = !is(s->strategy, "incremental") && !is(s->strategy, "timewindow");
    if (!out->counted)
        return RV_OK;
    RV_TRY(load_partitions(s, out, err));
    if (!job || out->n_partitions == 0)
        return RV_OK;
    RV_TRY(rv_job_resolve(job, err));
    RV_TRY(same_plan_or_unknown(s, job, out, &same, err));
    for (size_t i = 0; same && i < out->n_partitions; i++)
        RV_TRY(count_one(job, &out->partitions[i], err));
    return RV_OK;
}

void rv_reconcile_sum(rv_reconcile_report *r)
{
    for (size_t i = 0; i < r->n_parts; i++) {
        bool stray = is(r->parts[i].status, "untracked");
        r->untracked += stray;
        r->damaged += !stray && !is(r->parts[i].status, "ok");
    }
    for (size_t i = 0; i < r->n_partitions; i++) {
        const rv_slice *p = &r->partitions[i];
        r->matches += is(p->status, "match");
        r->mismatches += is(p->status, "mismatch");
        r->unknown += is(p->status, "unknown");
        if (is(p->status, "unknown"))
            continue;
        r->total_source_rows += p->source_count;
        r->total_exported_rows += p->exported_count;
    }
}

/* ---- the command ---- */

static rv_status fill(rv_subject *s, rv_job *job, rv_reconcile_report *out, rv_error *err)
{
    char now[RV_RFC3339_SIZE];
    rv_arena *a = s->v.arena;
    rv_rfc3339_ms(rv_env_now_us(s->v.env), now);
    RV_TRY(rv_arena_cstr(a, rv_str_c(now), &out->generated_at, err));
    out->export_name = s->v.x->name;
    out->run_id = s->run_id;
    out->strategy = s->strategy;
    out->prefix = s->vreport.prefix;
    RV_TRY(rv_reconcile_parts(s, out, err));
    RV_TRY(rv_reconcile_counts(s, job, out, err));
    rv_reconcile_sum(out);
    return RV_OK;
}

static rv_status move_verified(rv_subject *s, const rv_reconcile_report *r, rv_error *err)
{
    if (!s->known || !s->delivered || r->mismatches || r->unknown || r->damaged)
        return RV_OK;
    return rv_state_verified(s->v.state, s->v.x->name, s->run_id, err);
}

rv_status rv_engine_reconcile(const rv_env *env, const rv_cfg *cfg, const rv_cfg_export *x,
                              rv_arena *arena, rv_reconcile_report *out, rv_error *err)
{
    static const rv_run_opts no_opts;
    rv_state *state = NULL;
    rv_subject s = {0};
    rv_job job = {
        .env = env, .cfg = cfg, .x = x, .opts = &no_opts, .started_us = rv_env_now_us(env)};
    rv_status st;
    *out = (rv_reconcile_report){0};
    pthread_mutex_init(&job.lock, NULL);
    RV_GO(rv_engine_state(env, cfg, true, &state, err));
    RV_GO(rv_subject_open(&s, env, x, state, false, arena, err));
    job.state = state;
    RV_GO(rv_job_open(&job, err));
    RV_GO(fill(&s, &job, out, err));
    RV_GO(move_verified(&s, out, err));
done:
    rv_subject_close(&s);
    rv_job_close(&job);
    rv_state_close(state);
    return st;
}
