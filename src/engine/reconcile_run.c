#include <stdio.h>
#include <string.h>

#include "engine/reading.h"
#include "engine/reconcile_internal.h"
#include "engine/run.h"

#define RV_TARGET "engine"

static void judge(rv_tally *t, const char *where, int64_t exported, int64_t first, int64_t again)
{
    t->source += again;
    t->exported += exported;
    if (first == exported)
        return;
    if (!t->differs)
        (void)snprintf(t->where, sizeof t->where, "%s: exported %lld, source %lld", where,
                       (long long)exported, (long long)again);
    t->differs = true;
    t->moved = t->moved || again != first;
}

/* ---- the single unit ---- */

/* Where no upper bound was taken beforehand, the last row read is the bound. */
static rv_status count_segment(rv_job *job, const rv_executed *e, const rv_segment *seg,
                               int64_t *out, rv_error *err)
{
    rv_pred preds[16];
    size_t n = seg->n_preds;
    bool nulls = n == 1 && seg->preds[0].op == RV_IS_NULL;
    const char *high = e->position.last_cursor_value;
    if (n + 1 > sizeof preds / sizeof preds[0])
        return rv_fail(err, RV_E_INTERNAL, "a segment has %zu predicates", n);
    for (size_t i = 0; i < n; i++)
        preds[i] = seg->preds[i];
    if (!e->bounded && !nulls && high)
        preds[n++] = (rv_pred){
            rv_plan_bound(job), RV_LE, {.kind = job->rel->bound_kind, .text = rv_str_c(high)}};
    return rv_segment_count(job, preds, n, out, err);
}

static rv_status count_single(rv_job *job, const rv_executed *e, int64_t *out, rv_error *err)
{
    *out = -(int64_t)e->dropped;
    for (size_t i = 0; i < e->n_segments; i++) {
        int64_t n = 0;
        RV_TRY(count_segment(job, e, &e->segments[i], &n, err));
        *out += n;
    }
    return RV_OK;
}

static rv_status reconcile_single(rv_job *job, const rv_executed *e, rv_tally *t, rv_error *err)
{
    rv_executed own = *e;
    int64_t first, again;
    if (!own.n_segments) { /* sealed by an earlier process: its bounds are those of its start */
        rv_work work = {0};
        RV_TRY(rv_plan_single(job, &work, err));
        own.segments = work.single.segments;
        own.n_segments = work.single.n_segments;
        own.bounded = true;
    }
    RV_TRY(count_single(job, &own, &first, err));
    again = first;
    if (first != (int64_t)e->rows)
        RV_TRY(count_single(job, &own, &again, err));
    judge(t, job->x->name, (int64_t)e->rows, first, again);
    return RV_OK;
}

/* ---- ranges ---- */

static rv_status reconcile_slice(rv_job *job, const rv_slice *p, rv_tally *t, rv_error *err)
{
    int64_t first = 0, again;
    /* nothing was read and no upper end was learnt: there is no bound to count up to */
    bool unread = strcmp(p->kind, "keys") == 0 && !p->key_high && p->exported_count == 0;
    if (p->exported_count < 0 || strcmp(p->kind, "whole") == 0 || unread)
        return RV_OK;
    RV_TRY(rv_slice_count(job, p, &first, err));
    again = first;
    if (first != p->exported_count)
        RV_TRY(rv_slice_count(job, p, &again, err));
    judge(t, p->identifier, p->exported_count, first, again);
    return RV_OK;
}

static rv_status reconcile_ranges(rv_job *job, rv_tally *t, rv_error *err)
{
    rv_slices parts;
    rv_arena scratch = RV_ARENA_INIT;
    rv_status st = rv_slices_load(job->state, job->x, job->run_id, true, &scratch, &parts, err);
    for (size_t i = 0; st == RV_OK && i < parts.n; i++)
        st = reconcile_slice(job, &parts.rows[i], t, err);
    rv_arena_free(&scratch);
    return st;
}

/* ---- within the run's one instant ---- */

rv_status rv_tally_unit(rv_job *job, const rv_unit *unit, const rv_task_row *task, const char *high,
                        uint64_t rows, rv_error *err)
{
    rv_slice p = {.unit = unit->name,
                  .kind = task->kind ? task->kind : "keys",
                  .key_low = unit->key_low,
                  .key_high = high,
                  .exported_count = (int64_t)rows};
    rv_arena scratch = RV_ARENA_INIT;
    rv_status st = rv_slice_identify(&p, &scratch, err);
    if (st == RV_OK)
        st = reconcile_slice(job, &p, &job->counted, err);
    rv_arena_free(&scratch);
    return st;
}

rv_status rv_tally_single(rv_job *job, const rv_unit *unit, uint64_t rows, uint64_t dropped,
                          rv_error *err)
{
    int64_t source = -(int64_t)dropped;
    for (size_t i = 0; i < unit->n_segments; i++) {
        int64_t n = 0;
        const rv_segment *seg = &unit->segments[i];
        RV_TRY(rv_segment_count(job, seg->preds, seg->n_preds, &n, err));
        source += n;
    }
    judge(&job->counted, job->x->name, (int64_t)rows, source, source);
    job->counted.done = true;
    return RV_OK;
}

rv_status rv_run_reconcile(rv_job *job, const rv_executed *e, rv_error *err)
{
    rv_tally t = {0};
    rv_export_report *r = job->report;
    if (!job->reconcile)
        return RV_OK;
    bool many = job->mode == RV_CHUNKED || job->keyset;
    rv_status st = RV_OK;
    if (job->counted.done)
        t = job->counted;
    else
        st = many ? reconcile_ranges(job, &t, err) : reconcile_single(job, e, &t, err);
    rv_reading_end(job);
    RV_TRY(st);
    r->source_count = t.source;
    r->source_matched = t.differs ? 0 : 1;
    r->reconciled = !t.differs;
    r->source_changed = t.moved;
    rv_journal_add(job->journal, "reconciliation_result", "iib", "source_count", t.source,
                   "exported_rows", t.exported, "matched", (int)!t.differs);
    if (!t.differs)
        return RV_OK;
    st = rv_fail(err, RV_E_RECONCILE, "export '%s': %s\n%s", job->x->name,
                 t.moved ? "the source changed while it was counted" : "source and export disagree",
                 t.where);
    if (job->checkpoint && many)
        rv_hint(err, "`rivet repair -e %s --execute` exports the ranges that differ again",
                job->x->name);
    else
        rv_hint(err, "nothing was published; run it again, with `consistency: snapshot` where the "
                     "source is written to meanwhile");
    return st;
}
