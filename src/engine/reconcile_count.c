#include <string.h>

#include "engine/reconcile_internal.h"

#define RV_TARGET "engine"
#define PREDS_MAX (3 * RV_KEY_COLUMNS_MAX + 2)

rv_status rv_segment_count(rv_job *job, const rv_pred *preds, size_t n, int64_t *out, rv_error *err)
{
    for (unsigned attempt = 0;;) {
        uint64_t count = 0;
        RV_TRY(rv_cancel_check(job->env->cancel, err));
        if (job->sd->count(job->source, job->rel, preds, n, &count, err) == RV_OK) {
            *out = (int64_t)count;
            return RV_OK;
        }
        if (job->snapshot_open) /* a failure may have ended the instant */
            return err->code;
        RV_TRY(rv_job_mend(job, &attempt, err));
    }
}

/* ---- (low..high] of a key ----
 * A driver counts predicates joined by AND. A range of a key of several columns is a sum of such
 * counts that do not overlap; every comparison stays the server's, also whether two values are
 * equal. */

typedef struct rv_key_count {
    rv_job *job;
    const rv_datum *low, *high; /* NULL: open */
    rv_pred preds[PREDS_MAX];
    size_t n;
    int64_t total;
} rv_key_count;

static void push(rv_key_count *k, size_t column, rv_op op, const rv_datum *value)
{
    k->preds[k->n++] = (rv_pred){{k->job->rel->key.columns[column], NULL}, op, value[column]};
}

static rv_status count_now(rv_key_count *k, rv_error *err)
{
    int64_t n = 0;
    RV_TRY(rv_segment_count(k->job, k->preds, k->n, &n, err));
    k->total += n;
    return RV_OK;
}

/* Columns from `at` on lie after (GT) low, or before (LT) or at high. */
static rv_status count_side(rv_key_count *k, size_t at, rv_op op, const rv_datum *value,
                            rv_error *err)
{
    size_t before = k->n, columns = k->job->rel->key.n_columns;
    for (size_t c = at; c < columns; c++) {
        push(k, c, op == RV_LT && c + 1 == columns ? RV_LE : op, value);
        RV_TRY(count_now(k, err));
        k->preds[k->n - 1].op = RV_EQ;
    }
    k->n = before;
    return RV_OK;
}

static rv_status count_between(rv_key_count *k, size_t at, rv_error *err)
{
    size_t before = k->n;
    bool last = at + 1 == k->job->rel->key.n_columns;
    bool same = rv_str_eq(k->low[at].text, k->high[at].text);
    if (last || !same) {
        push(k, at, RV_GT, k->low);
        push(k, at, last ? RV_LE : RV_LT, k->high);
        RV_TRY(count_now(k, err));
        k->n = before;
    }
    if (last)
        return RV_OK;
    if (!same) {
        push(k, at, RV_EQ, k->low);
        push(k, at, RV_LT, k->high);
        RV_TRY(count_side(k, at + 1, RV_GT, k->low, err));
        k->n = before;
        push(k, at, RV_EQ, k->high);
        push(k, at, RV_GT, k->low);
        RV_TRY(count_side(k, at + 1, RV_LT, k->high, err));
        k->n = before;
        push(k, at, RV_EQ, k->low); /* equal for the server though written differently */
    }
    push(k, at, RV_EQ, k->high);
    RV_TRY(count_between(k, at + 1, err));
    k->n = before;
    return RV_OK;
}

static rv_status count_keys(rv_job *job, const rv_slice *p, rv_arena *a, int64_t *out,
                            rv_error *err)
{
    rv_key_count k = {.job = job};
    const rv_key *key = &job->rel->key;
    if (p->key_low)
        RV_TRY(rv_key_from_text(key, p->key_low, a, &k.low, err));
    if (p->key_high)
        RV_TRY(rv_key_from_text(key, p->key_high, a, &k.high, err));
    if (k.low && k.high)
        RV_TRY(count_between(&k, 0, err));
    else if (k.low)
        RV_TRY(count_side(&k, 0, RV_GT, k.low, err));
    else if (k.high)
        RV_TRY(count_side(&k, 0, RV_LT, k.high, err));
    else
        RV_TRY(count_now(&k, err));
    *out = k.total;
    return RV_OK;
}

/* ---- any partition ---- */

rv_status rv_slice_unit(const rv_job *job, const rv_slice *p, rv_arena *a, rv_unit *out,
                        rv_error *err)
{
    if (strcmp(p->kind, "keys") == 0) {
        const rv_range_row range = {0};
        return rv_plan_range_unit(job, &range, false, p->key_low, p->key_high, 0, a, out, err);
    }
    rv_task_row task = {.start_key = p->key_low, .end_key = p->key_high, .kind = p->kind};
    return rv_plan_task_unit(job, &task, a, out, err);
}

rv_status rv_slice_count(rv_job *job, const rv_slice *p, int64_t *out, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_unit unit;
    rv_status st;
    if (strcmp(p->kind, "whole") == 0)
        return rv_segment_count(job, NULL, 0, out, err);
    if (strcmp(p->kind, "keys") == 0) {
        st = count_keys(job, p, &scratch, out, err);
    } else {
        st = rv_slice_unit(job, p, &scratch, &unit, err);
        if (st == RV_OK)
            st = rv_segment_count(job, unit.segments->preds, unit.segments->n_preds, out, err);
    }
    rv_arena_free(&scratch);
    return st;
}
