#include "engine/priority.h"

#include <stdlib.h>

enum { SCORE_START = 50, SCORE_MAX = 100, ROWS_SMALL = 100000, ROWS_LARGE = 10000000 };
enum { ROWS_CHUNKING = 1000000, CHUNKS_HUGE = 8, RUNS_MIN = 3, SLOW_MS = 300000 };
enum { WARNINGS_MANY = 3 };

static bool is(const char *word, const char *what)
{
    return word && strcmp(word, what) == 0;
}

static void because(rv_priority *p, int64_t points, const char *kind, const char *message)
{
    p->score += points;
    if (kind && p->n_reasons < RV_REASONS_MAX)
        p->reasons[p->n_reasons++] = (rv_reason){kind, message};
}

static void judge_size(const rv_priority_facts *f, rv_priority *p)
{
    p->cost_class = "medium";
    if (f->rows < 0) {
        because(p, -3, "low_confidence_metadata", "the number of rows is not known");
    } else if (f->rows < ROWS_SMALL) {
        p->cost_class = "low";
        because(p, 12, "small_table", "fewer than 100K rows");
    } else if (f->rows >= ROWS_LARGE && f->chunks >= CHUNKS_HUGE) {
        p->cost_class = "very_high";
        because(p, -15, "huge_table", "10M rows or more in 8 chunks or more");
    } else if (f->rows >= ROWS_LARGE) {
        p->cost_class = "high";
        because(p, -15, "large_table", "10M rows or more");
    }
}

static void judge_mode(const rv_priority_facts *f, rv_priority *p)
{
    if (f->full)
        because(p, 5, NULL, NULL);
    switch (f->cursor) {
    case RV_CURSOR_UNUSED:
        break;
    case RV_CURSOR_UNIQUE:
        because(p, 18, NULL, NULL);
        break;
    case RV_CURSOR_WEAK:
        because(p, -8, "weak_cursor", "rows can share a value of the cursor");
        break;
    case RV_CURSOR_COALESCE:
        because(p, -14, "weak_cursor", "the cursor falls back to a second column");
        break;
    case RV_CURSOR_UNINDEXED:
        because(p, -12, "weak_cursor", "no index leads with the cursor");
        break;
    }
    if (f->chunked && (f->chunks > 1 || f->rows > ROWS_CHUNKING))
        because(p, -10, "chunking_heavy", "read in several chunks");
    if (f->sparse)
        because(p, -18, "sparse_range_risk", "most of the key range is empty");
    if (f->reconcile_required)
        because(p, -12, "reconcile_required", "the source is counted as well");
    if (f->short_window)
        because(p, 6, NULL, NULL);
}

static void judge_risk(const rv_priority_facts *f, rv_priority *p)
{
    bool unsafe = is(f->verdict, "UNSAFE"), degraded = is(f->verdict, "DEGRADED");
    p->risk_class = "low";
    if (f->sparse || unsafe)
        p->risk_class = "high";
    else if (degraded || f->n_warnings > WARNINGS_MANY)
        p->risk_class = "medium";
    because(p, unsafe ? -25 : degraded ? -12 : is(f->verdict, "EFFICIENT") ? 8 : 0, NULL, NULL);
    because(p, is(p->risk_class, "medium") ? -4 : 0, NULL, NULL);
}

static void judge_history(const rv_priority_facts *f, rv_priority *p)
{
    bool enough = f->runs >= RUNS_MIN;
    if (f->last_failed)
        because(p, -8, "recent_failure_history", "the last run failed");
    if (enough && f->retried_runs * 10 > f->runs * 3)
        because(p, -5, "high_retry_rate_history", "more than 30% of the runs needed retries");
    if (enough && f->mean_ms >= SLOW_MS)
        because(p, -4, "slow_history", "runs take 5 minutes or more");
}

static void judge(const rv_priority_facts *f, rv_priority *p)
{
    *p = (rv_priority){.export_name = f->export_name, .score = SCORE_START};
    judge_size(f, p);
    judge_mode(f, p);
    judge_risk(f, p);
    judge_history(f, p);
    p->score = p->score < 0 ? 0 : p->score > SCORE_MAX ? SCORE_MAX : p->score;
    p->priority_class = p->score >= 70 ? "high" : p->score >= 40 ? "medium" : "low";
    p->wave = p->score >= 75 ? 1 : p->score >= 55 ? 2 : p->score >= 35 ? 3 : 4;
    p->parallel_safe = is(p->cost_class, "low");
}

static bool is_heavy(const rv_priority *p)
{
    return is(p->cost_class, "high") || is(p->cost_class, "very_high");
}

static bool same_group(const rv_priority_facts *a, const rv_priority_facts *b)
{
    return a->source_group && is(b->source_group, a->source_group);
}

static rv_status isolate(const rv_priority_facts *facts, rv_arena *a, rv_campaign *c, rv_error *err)
{
    RV_TRY(rv_arena_array(a, c->n + 1, sizeof *c->warnings, &c->warnings, err));
    for (size_t i = 0; i < c->n; i++) {
        size_t heavy = 0, first = c->n;
        for (size_t k = 0; k < c->n; k++) {
            if (!is_heavy(&c->exports[k]) || !same_group(&facts[i], &facts[k]))
                continue;
            first = heavy++ == 0 ? k : first;
        }
        if (!is_heavy(&c->exports[i]) || heavy < 2)
            continue;
        c->exports[i].isolate_on_source = true;
        c->exports[i].parallel_safe = false;
        because(&c->exports[i], 0, "shared_source_heavy_conflict",
                "another heavy export reads the same source group");
        if (i == first)
            RV_TRY(rv_arena_printf(a, &c->warnings[c->n_warnings++], err,
                                   "source_group '%s': %zu heavy exports; run them one at a time",
                                   facts[i].source_group, heavy));
    }
    return RV_OK;
}

typedef struct rv_rank {
    const rv_priority *p;
    size_t index;
} rv_rank;

static int by_rank(const void *x, const void *y)
{
    const rv_rank *a = x, *b = y;
    if (a->p->wave != b->p->wave)
        return a->p->wave < b->p->wave ? -1 : 1;
    if (a->p->score != b->p->score)
        return a->p->score > b->p->score ? -1 : 1;
    int by_name = strcmp(a->p->export_name, b->p->export_name);
    return by_name ? by_name : a->index < b->index ? -1 : a->index > b->index;
}

static rv_status rank(rv_arena *a, rv_campaign *c, rv_error *err)
{
    rv_rank *ranks;
    size_t *order;
    RV_TRY(rv_arena_array(a, c->n + 1, sizeof *ranks, &ranks, err));
    RV_TRY(rv_arena_array(a, c->n + 1, sizeof *order, &order, err));
    for (size_t i = 0; i < c->n; i++)
        ranks[i] = (rv_rank){&c->exports[i], i};
    qsort(ranks, c->n, sizeof *ranks, by_rank);
    for (size_t i = 0; i < c->n; i++)
        order[i] = ranks[i].index;
    c->order = order;
    return RV_OK;
}

rv_status rv_campaign_make(const rv_priority_facts *facts, size_t n, rv_arena *arena,
                           rv_campaign *out, rv_error *err)
{
    *out = (rv_campaign){.n = n};
    RV_TRY(rv_arena_array(arena, n + 1, sizeof *out->exports, &out->exports, err));
    for (size_t i = 0; i < n; i++)
        judge(&facts[i], &out->exports[i]);
    RV_TRY(isolate(facts, arena, out, err));
    return rank(arena, out, err);
}
