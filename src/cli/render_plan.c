#include "cli/render_plan.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"

#define LABEL "  %-13s"
#define ROW_SMALL_BYTES 200u
#define ROW_LARGE_BYTES (10u * 1024u)

static rv_status add(rv_buf *out, const char *label, const char *text, rv_error *err)
{
    return rv_buf_printf(out, err, LABEL "%s\n", label, text ? text : "-");
}

static rv_status add_rows(rv_buf *out, int64_t rows, rv_error *err)
{
    if (rows < 0)
        return add(out, "Row est.:", "unknown", err);
    if (rows < 1000)
        return rv_buf_printf(out, err, LABEL "~%" PRId64 "\n", "Row est.:", rows);
    bool millions = rows >= 1000000;
    return rv_buf_printf(out, err, LABEL "~%" PRId64 "%c\n",
                         "Row est.:", rows / (millions ? 1000000 : 1000), millions ? 'M' : 'K');
}

static rv_status add_chunks(rv_buf *out, const rv_plan *p, rv_error *err)
{
    if (!p->ranges)
        return add(out, "Chunks:", "-", err);
    RV_TRY(rv_buf_printf(out, err, LABEL "%zu", "Chunks:", p->n_ranges));
    if (p->n_ranges > 1)
        RV_TRY(rv_buf_printf(out, err, " (up to %s)", p->ranges[p->n_ranges - 1].hi));
    return rv_buf_add_byte(out, '\n', err);
}

static rv_status add_warnings(rv_buf *out, const rv_plan *p, rv_error *err)
{
    if (p->n_warnings == 0)
        return add(out, "Warnings:", "none", err);
    for (size_t i = 0; i < p->n_warnings; i++)
        RV_TRY(add(out, i ? "" : "Warnings:", p->warnings[i], err));
    return RV_OK;
}

static uint64_t times(uint64_t rows, uint64_t bytes)
{
    uint64_t all;
    return __builtin_mul_overflow(rows, bytes, &all) ? UINT64_MAX : all;
}

static rv_status add_resources(rv_buf *out, const rv_cfg_tuning *t, rv_error *err)
{
    char low[32], high[32], guard[40] = "off";
    rv_size_text(times(t->batch_size, ROW_SMALL_BYTES), low);
    rv_size_text(times(t->batch_size, ROW_LARGE_BYTES), high);
    if (t->memory_threshold_mb)
        (void)snprintf(guard, sizeof guard, "%" PRIu64 " MB", t->memory_threshold_mb);
    bool adaptive = t->batch_memory_mb && !t->batch_size_written;
    return rv_buf_printf(out, err,
                         LABEL "batch_size=%" PRIu64 "%s, batch memory %s..%s (200 B..10 KB per "
                               "row), RSS guard %s, throttle %" PRIu64 " ms\n",
                         "Resources:", t->batch_size, adaptive ? " (adaptive)" : "", low, high,
                         guard, t->throttle_ms);
}

static rv_status add_priority(rv_buf *out, const rv_priority *r, rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, LABEL "%" PRId64 " (%s), wave %" PRId64 "%s%s\n",
                         "Priority:", r->score, r->priority_class, r->wave,
                         r->parallel_safe ? ", parallel_safe" : "",
                         r->isolate_on_source ? ", alone on its source" : ""));
    for (size_t i = 0; i < r->n_reasons; i++)
        RV_TRY(rv_buf_printf(out, err, LABEL "%s: %s\n", "", r->reasons[i].kind,
                             r->reasons[i].message));
    return RV_OK;
}

rv_status rv_render_plan(const rv_plan *p, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "── Plan: %s ──\n", p->export_name));
    RV_TRY(add(out, "Plan ID:", p->plan_id, err));
    RV_TRY(add(out, "Created:", p->created_at, err));
    RV_TRY(add(out, "Expires:", p->expires_at, err));
    RV_TRY(add(out, "Export:", p->export_name, err));
    RV_TRY(add(out, "Strategy:", p->strategy_text, err));
    RV_TRY(add(out, "Fingerprint:", p->plan_fingerprint, err));
    RV_TRY(add_chunks(out, p, err));
    RV_TRY(add_rows(out, p->row_estimate, err));
    RV_TRY(add(out, "Verdict:", p->verdict, err));
    RV_TRY(add(out, "Profile:", p->recommended_profile, err));
    RV_TRY(add_warnings(out, p, err));
    RV_TRY(add_resources(out, &p->x->tuning, err));
    RV_TRY(add(out, "Output:", p->output, err));
    RV_TRY(add(out, "Format:", p->format_text, err));
    return add_priority(out, &p->campaign->exports[p->campaign_index], err);
}

rv_status rv_render_campaign(const rv_campaign *c, rv_buf *out, rv_error *err)
{
    int64_t wave = 0;
    RV_TRY(rv_buf_printf(out, err, "── Campaign (%zu export%s) ──\n", c->n, c->n == 1 ? "" : "s"));
    for (size_t i = 0; i < c->n; i++) {
        const rv_priority *r = &c->exports[c->order[i]];
        if (r->wave != wave)
            RV_TRY(rv_buf_printf(out, err, "%s  wave %" PRId64 ":      ", i ? "\n" : "", r->wave));
        else
            RV_TRY(rv_buf_add_c(out, ", ", err));
        RV_TRY(rv_buf_printf(out, err, "%s (%" PRId64 ")", r->export_name, r->score));
        wave = r->wave;
    }
    if (c->n)
        RV_TRY(rv_buf_add_byte(out, '\n', err));
    for (size_t i = 0; i < c->n_warnings; i++)
        RV_TRY(add(out, i ? "" : "Warnings:", c->warnings[i], err));
    return RV_OK;
}
