#include "engine/quality.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "engine/objects.h"
#include "engine/unit.h"

#define RV_TARGET "engine"
#define RULE_TEXT_SIZE 400
#define MEET_BLOCK 64u /* hashes whose memory is fetched at once */

typedef struct rv_unique {
    const char *name;
    uint32_t column; /* in job->schema */
    uint64_t seed;
    rv_distinct met;
} rv_unique;

struct rv_quality {
    rv_job *job;
    const rv_cfg_quality *rules;
    bool single;       /* a run of one unit: judged before anything is offered */
    rv_unique *unique; /* rules->n_unique_columns, in the job's arena */
    uint32_t *ratio_columns;
    pthread_mutex_t lock; /* everything below, and unique[].met in runs of many units */
    rv_sums merged;
    bool judged;
    rv_error failure; /* the first one, for whoever comes later */
};

/* ---- issues ---- */

typedef struct rv_issues {
    rv_quality *q;
    rv_buf lines; /* LF before each */
    size_t n;
} rv_issues;

static rv_status issue(rv_issues *is, rv_error *err, const char *fmt, ...) RV_PRINTF(3, 4);

static rv_status issue(rv_issues *is, rv_error *err, const char *fmt, ...)
{
    char text[RULE_TEXT_SIZE];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    is->n++;
    RV_LOG_WARN(is->q->job->env, "quality FAIL: %s", text);
    rv_journal_add(is->q->job->journal, "quality_issue", "ss", "severity", "fail", "message", text);
    return rv_buf_printf(&is->lines, err, "\n%s", text);
}

/* The run goes on, but somebody should look. */
static void warn_column(rv_quality *q, const rv_unique *u, const char *why)
{
    char text[RULE_TEXT_SIZE];
    (void)snprintf(text, sizeof text, "column '%s': %s", u->name, why);
    RV_LOG_WARN(q->job->env, "quality WARN: %s", text);
    rv_journal_add(q->job->journal, "quality_issue", "ss", "severity", "warn", "message", text);
    q->job->degraded = true;
}

static void set_passed(rv_quality *q, bool passed)
{
    if (q->job->report)
        q->job->report->quality_passed = passed;
}

static rv_status conclude(rv_issues *is, rv_status st, rv_error *err)
{
    rv_quality *q = is->q;
    if (st == RV_OK && is->n) {
        const char *lines = rv_buf_cstr(&is->lines);
        RV_LOG_ERROR(q->job->env, "export '%s': quality checks failed", q->job->x->name);
        set_passed(q, false);
        st = rv_fail(&q->failure, RV_E_QUALITY, "export '%s': quality checks failed%s",
                     q->job->x->name, lines ? lines : "");
        if (err)
            *err = q->failure;
    }
    rv_buf_free(&is->lines);
    return st;
}

/* ---- rules ---- */

static rv_status judge_count(rv_issues *is, const rv_sums *s, bool final, rv_error *err)
{
    const rv_cfg_quality *r = is->q->rules;
    if (final && r->row_count_min >= 0 && s->rows < (uint64_t)r->row_count_min)
        RV_TRY(issue(is, err, "row count %" PRIu64 " is below the minimum %" PRId64, s->rows,
                     r->row_count_min));
    if (r->row_count_max >= 0 && s->rows > (uint64_t)r->row_count_max)
        RV_TRY(issue(is, err, "row count %" PRIu64 " exceeds the maximum %" PRId64, s->rows,
                     r->row_count_max));
    return RV_OK;
}

/* Whether no further row can bring the ratio back below its limit. */
static bool beyond_repair(const rv_cfg_quality *r, double limit, uint64_t nulls)
{
    bool bounded = r->row_count_max >= 0 && (double)nulls > limit * (double)r->row_count_max;
    return nulls > 0 && (limit <= 0 || bounded);
}

static rv_status judge_ratios(rv_issues *is, const rv_sums *s, bool final, rv_error *err)
{
    const rv_cfg_quality *r = is->q->rules;
    for (size_t i = 0; s->rows && i < r->n_null_ratio_max; i++) {
        uint64_t nulls = s->columns[is->q->ratio_columns[i]].nulls;
        double ratio = (double)nulls / (double)s->rows, limit = r->null_ratio_max[i].limit;
        if (ratio > limit && (final || beyond_repair(r, limit, nulls)))
            RV_TRY(issue(is, err, "column '%s': null ratio %.4f exceeds threshold %.4f",
                         r->null_ratio_max[i].column, ratio, limit));
    }
    return RV_OK;
}

static rv_status judge_unique(rv_issues *is, rv_error *err)
{
    const rv_quality *q = is->q;
    for (size_t i = 0; i < q->rules->n_unique_columns; i++)
        if (q->unique[i].met.repeated)
            RV_TRY(issue(is, err, "column '%s': %" PRIu64 " repeated values", q->unique[i].name,
                         q->unique[i].met.repeated));
    return RV_OK;
}

/* `final`: all rows are in; else only what can no longer be mended counts. Under the lock. */
static rv_status judge(rv_quality *q, const rv_sums *s, bool final, rv_error *err)
{
    rv_issues is = {.q = q};
    if (q->failure.code != RV_OK) { /* told already */
        *err = q->failure;
        return err->code;
    }
    rv_status st = judge_count(&is, s, final, err);
    if (st == RV_OK)
        st = judge_ratios(&is, s, final, err);
    if (st == RV_OK)
        st = judge_unique(&is, err);
    return conclude(&is, st, err);
}

/* ---- life ---- */

static rv_status bind_column(rv_issues *is, const char *name, uint32_t *out, rv_error *err)
{
    int at = rv_schema_find(&is->q->job->schema, rv_str_c(name));
    *out = at < 0 ? 0 : (uint32_t)at;
    return at < 0 ? issue(is, err, "column '%s': the result has no such column", name) : RV_OK;
}

static rv_status bind_rules(rv_quality *q, rv_error *err)
{
    rv_issues is = {.q = q};
    const rv_cfg_quality *r = q->rules;
    rv_arena *a = &q->job->arena;
    rv_status st;
    RV_GO(rv_arena_array(a, r->n_unique_columns + 1, sizeof *q->unique, &q->unique, err));
    RV_GO(rv_arena_array(a, r->n_null_ratio_max + 1, sizeof *q->ratio_columns, &q->ratio_columns,
                         err));
    RV_GO(rv_sums_init(&q->merged, q->job->schema.n_columns, err));
    for (size_t i = 0; i < r->n_null_ratio_max; i++)
        RV_GO(bind_column(&is, r->null_ratio_max[i].column, &q->ratio_columns[i], err));
    for (size_t i = 0; i < r->n_unique_columns; i++) {
        rv_unique *u = &q->unique[i];
        *u = (rv_unique){.name = r->unique_columns[i]};
        u->seed = rv_canonical_seed(rv_str_c(u->name));
        RV_GO(bind_column(&is, u->name, &u->column, err));
    }
done:
    return conclude(&is, st, err);
}

rv_status rv_quality_open(rv_job *job, rv_quality **out, rv_error *err)
{
    *out = NULL;
    if (!job->x->quality.written)
        return RV_OK;
    rv_quality *q = rv_calloc(1, sizeof *q);
    if (!q)
        return rv_fail_memory(err);
    q->job = job;
    q->rules = &job->x->quality;
    q->single = job->mode != RV_CHUNKED && !job->keyset;
    pthread_mutex_init(&q->lock, NULL);
    rv_status st = bind_rules(q, err);
    if (st == RV_OK)
        *out = q;
    else
        rv_quality_close(q);
    return st;
}

static void forget(rv_distinct *d)
{
    rv_hashset_free(&d->set);
    *d = (rv_distinct){0};
}

void rv_quality_close(rv_quality *q)
{
    if (!q)
        return;
    for (size_t i = 0; q->unique && i < q->rules->n_unique_columns; i++)
        forget(&q->unique[i].met);
    rv_sums_free(&q->merged);
    pthread_mutex_destroy(&q->lock);
    rv_free(q);
}

/* ---- distinct values ---- */

static rv_status meet(rv_distinct *d, uint64_t hash, uint64_t max, rv_error *err)
{
    bool fresh = false;
    if (d->off)
        return RV_OK;
    if (rv_hashset_size(&d->set) < max) {
        RV_TRY(rv_hashset_add(&d->set, hash, &fresh, err));
        d->repeated += !fresh;
    } else if (rv_hashset_has(&d->set, hash)) {
        d->repeated++;
    } else {
        d->off = true;
        rv_hashset_free(&d->set);
    }
    return RV_OK;
}

/* The sets are far larger than any cache: one miss after the other would cost most of the time. */
static rv_status meet_many(rv_distinct *d, const uint64_t *hashes, uint32_t n, uint64_t max,
                           rv_error *err)
{
    for (uint32_t from = 0; from < n && !d->off; from += MEET_BLOCK) {
        uint32_t to = n - from < MEET_BLOCK ? n : from + MEET_BLOCK;
        for (uint32_t k = from; k < to; k++)
            rv_hashset_expect(&d->set, hashes[k]);
        for (uint32_t k = from; k < to; k++)
            RV_TRY(meet(d, hashes[k], max, err));
    }
    return RV_OK;
}

static void warn_capped(rv_quality *q, const rv_unique *u)
{
    char text[120];
    (void)snprintf(text, sizeof text,
                   "more than %" PRIu64 " distinct values (unique_max_entries); uniqueness is no "
                   "longer checked",
                   q->rules->unique_max_entries);
    warn_column(q, u, text);
}

static rv_status merge_column(rv_quality *q, rv_unique *u, const rv_distinct *from, rv_error *err)
{
    bool was_off = u->met.off;
    uint64_t some[MEET_BLOCK], max = q->rules->unique_max_entries;
    uint32_t n = 0;
    u->met.repeated += from->repeated;
    if (from->set.has_zero)
        some[n++] = 0;
    for (size_t i = 0; i < from->set.capacity; i++) {
        if (n == MEET_BLOCK) {
            RV_TRY(meet_many(&u->met, some, n, max, err));
            n = 0;
        }
        if (from->set.slots[i] != 0)
            some[n++] = from->set.slots[i];
    }
    RV_TRY(meet_many(&u->met, some, n, max, err));
    if (from->off && !u->met.off) {
        u->met.off = true;
        rv_hashset_free(&u->met.set);
    }
    if (u->met.off && !was_off)
        warn_capped(q, u);
    return RV_OK;
}

/* ---- one reading of a unit ---- */

rv_status rv_quality_begin(rv_job *job, rv_quality_unit *out, rv_error *err)
{
    rv_quality *q = job->quality;
    *out = (rv_quality_unit){0};
    if (!q)
        return RV_OK;
    if (!q->single) {
        out->staged = rv_calloc(q->rules->n_unique_columns + 1, sizeof *out->staged);
        if (!out->staged)
            return rv_fail_memory(err);
    }
    out->quality = q;
    out->n_unique = q->rules->n_unique_columns;
    return RV_OK;
}

static rv_status room_for_elements(rv_quality_unit *u, size_t n, rv_error *err)
{
    if (n <= u->elements_cap)
        return RV_OK;
    rv_cell *grown = rv_realloc_array(u->elements, n, sizeof *grown);
    if (!grown)
        return rv_fail_memory(err);
    u->elements = grown;
    u->elements_cap = n;
    return RV_OK;
}

/* *io_present: present elements of the child consumed by the lists before. */
static rv_status list_cell(rv_quality_unit *u, const rv_col *col, uint32_t k, uint32_t *io_present,
                           rv_cell *out, rv_error *err)
{
    const rv_col *child = col->child;
    uint32_t from = col->offsets[k], n = col->offsets[k + 1] - from;
    RV_TRY(room_for_elements(u, (size_t)n + 1, err));
    for (uint32_t e = 0; e < n; e++) {
        bool present = !child->validity || rv_bit(child->validity, from + e);
        u->elements[e] = present ? rv_cell_of(child, (*io_present)++) : (rv_cell){.null = true};
    }
    *out = (rv_cell){.elems = u->elements, .n_elems = n};
    return RV_OK;
}

static rv_status hash_cell(rv_quality_unit *u, const rv_unique *rule, const rv_col *col, uint32_t k,
                           uint32_t *io_elements, uint64_t *out, rv_error *err)
{
    rv_cell cell;
    if (col->type.kind == RV_LIST)
        RV_TRY(list_cell(u, col, k, io_elements, &cell, err));
    else
        cell = rv_cell_of(col, k);
    return rv_canonical_hash(col->type, &cell, rule->seed, &u->scratch, out, err);
}

static rv_status add_column(rv_quality_unit *u, const rv_unique *rule, rv_distinct *into,
                            const rv_col *col, rv_error *err)
{
    uint64_t some[MEET_BLOCK];
    uint32_t n = col->rows - col->nulls, elements = 0;
    for (uint32_t from = 0; from < n && !into->off; from += MEET_BLOCK) {
        uint32_t m = n - from < MEET_BLOCK ? n - from : MEET_BLOCK;
        for (uint32_t k = 0; k < m; k++)
            RV_TRY(hash_cell(u, rule, col, from + k, &elements, &some[k], err));
        RV_TRY(meet_many(into, some, m, u->quality->rules->unique_max_entries, err));
    }
    return RV_OK;
}

rv_status rv_quality_add(rv_quality_unit *u, const rv_batch *batch, rv_error *err)
{
    rv_quality *q = u->quality;
    for (size_t i = 0; q && i < q->rules->n_unique_columns; i++) {
        rv_unique *rule = &q->unique[i];
        rv_distinct *into = u->staged ? &u->staged[i] : &rule->met;
        bool was_off = into->off;
        RV_TRY(add_column(u, rule, into, &batch->columns[rule->column], err));
        if (!u->staged && into->off && !was_off)
            warn_capped(q, rule);
    }
    return RV_OK;
}

static rv_status merge_all(rv_quality_unit *u, const rv_sums *sums, rv_error *err)
{
    rv_quality *q = u->quality;
    for (size_t i = 0; i < q->rules->n_unique_columns; i++)
        RV_TRY(merge_column(q, &q->unique[i], &u->staged[i], err));
    rv_sums_add(&q->merged, sums);
    return judge(q, &q->merged, false, err);
}

rv_status rv_quality_merge(rv_quality_unit *u, const rv_sums *sums, rv_error *err)
{
    rv_quality *q = u->quality;
    rv_status st;
    if (!q)
        return RV_OK;
    pthread_mutex_lock(&q->lock);
    if (u->staged) {
        st = merge_all(u, sums, err);
    } else {
        st = judge(q, sums, true, err);
        q->judged = st == RV_OK;
    }
    pthread_mutex_unlock(&q->lock);
    if (st == RV_OK && q->judged)
        set_passed(q, true);
    if (st == RV_OK)
        u->quality = NULL; /* merged: nothing to forget */
    return st;
}

void rv_quality_end(rv_quality_unit *u)
{
    for (size_t i = 0; u->staged && i < u->n_unique; i++)
        forget(&u->staged[i]);
    for (size_t i = 0; u->quality && !u->staged && i < u->n_unique; i++)
        forget(&u->quality->unique[i].met);
    rv_free(u->staged);
    rv_free(u->elements);
    rv_buf_free(&u->scratch);
    *u = (rv_quality_unit){0};
}

/* ---- units of an earlier process ---- */

static rv_status take_cells(void *ctx, size_t column, const uint64_t *cells, uint32_t n,
                            uint64_t null_hash, rv_error *err)
{
    rv_quality *q = ctx;
    for (size_t i = 0; i < q->rules->n_unique_columns; i++) {
        rv_unique *u = &q->unique[i];
        bool was_off = u->met.off;
        if (u->column != column)
            continue;
        for (uint32_t k = 0; k < n; k++)
            if (cells[k] != null_hash)
                RV_TRY(meet(&u->met, cells[k], q->rules->unique_max_entries, err));
        if (u->met.off && !was_off)
            warn_capped(q, u);
    }
    return RV_OK;
}

static rv_status read_part(rv_quality *q, const rv_part_row *part, rv_error *err)
{
    rv_job *job = q->job;
    rv_arena scratch = RV_ARENA_INIT;
    rv_verify_result result = {0};
    rv_object_reader reader = {job->dd, job->dest, part->file_name};
    rv_readable in = rv_object_readable(&reader, (uint64_t)part->bytes);
    const rv_cell_tap tap = {q, take_cells};
    rv_status st = strcmp(job->fmt->name, "parquet") == 0
                       ? rv_parquet_cells(job->env, in, &tap, &scratch, &result, err)
                       : rv_fail(err, RV_E_FORMAT_UNSUPPORTED,
                                 "the values of a %s file are not read back", job->fmt->name);
    if (st == RV_OK && (result.rows != (uint64_t)part->row_count ||
                        result.n_columns != job->schema.n_columns || !result.sums.columns))
        st = rv_fail(err, RV_E_CORRUPT, "%s does not hold what was written", part->file_name);
    rv_arena_free(&scratch);
    return st;
}

static void leave_unchecked(rv_quality *q, const char *why)
{
    char text[RULE_TEXT_SIZE / 2], line[120];
    (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(why, "\n"), why);
    (void)snprintf(text, sizeof text, "uniqueness is unchecked: %s", line);
    for (size_t i = 0; i < q->rules->n_unique_columns; i++) {
        rv_unique *u = &q->unique[i];
        if (u->met.off)
            continue;
        u->met.off = true;
        rv_hashset_free(&u->met.set);
        warn_column(q, u, text);
    }
}

static bool ends_the_run(rv_status st)
{
    return st == RV_E_MEMORY || st == RV_E_INTERRUPTED || st == RV_E_STATE_LEASE_LOST;
}

static rv_status rebuild(rv_quality *q, const char *unit, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_part_rows parts = {0};
    rv_status st = rv_state_parts(q->job->state, q->job->run_id, unit, &scratch, &parts, err);
    for (size_t i = 0; st == RV_OK && i < parts.n; i++) {
        const char *status = parts.rows[i].status;
        if (strcmp(status, "committed") == 0 || strcmp(status, "uploaded") == 0)
            st = read_part(q, &parts.rows[i], err);
    }
    rv_arena_free(&scratch);
    if (st == RV_OK || ends_the_run(st))
        return st;
    leave_unchecked(q, err->text);
    rv_error_clear(err);
    return RV_OK;
}

static rv_status adopt(rv_quality *q, const rv_unit_row *unit, rv_error *err)
{
    rv_sums sums = {0};
    RV_TRY(rv_sums_from_json(unit->accumulators, q->job->schema.n_columns, &sums, NULL, NULL, err));
    rv_sums_add(&q->merged, &sums);
    rv_sums_free(&sums);
    if (q->rules->n_unique_columns)
        RV_TRY(rebuild(q, unit->unit, err));
    return judge(q, &q->merged, false, err);
}

rv_status rv_quality_adopt(rv_job *job, const rv_unit_row *unit, rv_error *err)
{
    rv_quality *q = job->quality;
    if (!q)
        return RV_OK;
    pthread_mutex_lock(&q->lock);
    rv_status st = adopt(q, unit, err);
    pthread_mutex_unlock(&q->lock);
    return st;
}

/* ---- the end ---- */

rv_status rv_quality_judge(rv_job *job, const rv_sums *total, rv_error *err)
{
    rv_quality *q = job->quality;
    if (!q || q->judged)
        return RV_OK;
    RV_TRY(judge(q, total, true, err));
    q->judged = true;
    set_passed(q, true);
    return RV_OK;
}
