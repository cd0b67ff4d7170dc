#include <pthread.h>

#include "fake_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

fake_script fake;

struct rv_source {
    rv_source_info info;
    char identity[32];
    int64_t instant; /* 0: no snapshot */
    atomic_llong session;
    int64_t id;
    atomic_bool interrupted;
};

struct rv_scan {
    rv_source *s;
    const rv_page_spec *page;
    rv_page_spec spec;
    fake_step step;
    int64_t at, from, hi; /* next id; last id + 1 */
    uint64_t rows, piece, ask;
    rv_page_end end;
    char last_text[24];
    rv_datum last;
    bool done;
};

void fake_begin(int64_t rows)
{
    fake = (fake_script){.engine = RV_ENGINE_POSTGRES, .rows = rows, .shape = RV_SHAPE_PAGES};
    pthread_mutex_init(&fake.lock, NULL);
}

static rv_status lost(rv_source *s, rv_error *err)
{
    if (!atomic_load(&s->interrupted))
        return RV_OK;
    return rv_fail(err, RV_E_INTERRUPTED, "the fake was interrupted");
}

static rv_status fake_open(const rv_env *env, const rv_source_opts *opts, rv_source **out,
                           rv_error *err)
{
    (void)env;
    (void)opts;
    rv_source *s = rv_calloc(1, sizeof *s);
    if (!s)
        return rv_fail_memory(err);
    unsigned n = atomic_fetch_add(&fake.opened, 1);
    const char *identity = n < 16 && fake.identity[n] ? fake.identity[n] : "server 1";
    (void)snprintf(s->identity, sizeof s->identity, "%s", identity);
    s->id = 100 + (int64_t)n;
    s->info = (rv_source_info){.identity = s->identity,
                               .host_port = fake.host_port,
                               .database = "db",
                               .version = "1",
                               .connection = "direct",
                               .cannot_cut = fake.cannot_cut};
    *out = s;
    return RV_OK;
}

static void fake_close(rv_source *s)
{
    if (s)
        atomic_fetch_add(&fake.closed, 1);
    rv_free(s);
}

static void fake_interrupt(rv_source *s)
{
    atomic_fetch_add(&fake.interrupts, 1);
    atomic_store(&s->interrupted, true);
}

static const rv_source_info *fake_info(rv_source *s)
{
    return &s->info;
}

static rv_status fake_resolve(rv_source *s, const rv_read_spec *spec, rv_arena *arena,
                              rv_relation **out, rv_error *err)
{
    rv_relation *rel;
    rv_schema *schema;
    rv_column *columns;
    RV_TRY(lost(s, err));
    RV_TRY(rv_arena_alloc(arena, sizeof *rel, &rel, err));
    RV_TRY(rv_arena_alloc(arena, sizeof *schema, &schema, err));
    RV_TRY(rv_arena_array(arena, 2, sizeof *columns, &columns, err));
    columns[0] = (rv_column){
        .name = "id", .type = rv_type_of(RV_INT64), .source_type = "int8", .fidelity = RV_EXACT};
    columns[1] = (rv_column){
        .name = "v", .type = rv_type_of(RV_INT64), .source_type = "int8", .fidelity = RV_EXACT};
    *schema = (rv_schema){columns, 2};
    *rel = (rv_relation){.schema = schema,
                         .engine = "fake",
                         .base_table = "t",
                         .shape = fake.shape,
                         .shape_reason = "",
                         .ordered_by_bound = true,
                         .bound_indexed = true,
                         .bound_not_null = true,
                         .bound_kind = RV_INT64,
                         .bound_type = rv_type_of(RV_INT64),
                         .is_primary = true,
                         .row_estimate = fake.rows,
                         .row_bytes = 16};
    (void)spec;
    if (fake.shape == RV_SHAPE_PAGES || fake.shape == RV_SHAPE_RANGES)
        rel->key =
            (rv_key){.name = "t_pkey", .columns = {"id"}, .kinds = {RV_INT64}, .n_columns = 1};
    *out = rel;
    return RV_OK;
}

static rv_status fake_recheck(rv_source *s, const rv_relation *rel, rv_error *err)
{
    (void)rel;
    return lost(s, err);
}

static int64_t number(rv_str text)
{
    int64_t v = 0;
    (void)rv_str_i64(text, &v);
    return v;
}

static void narrow(const rv_page_spec *page, int64_t *lo, int64_t *hi)
{
    *lo = 1;
    *hi = fake.rows + 1;
    for (size_t i = 0; i < page->n_preds; i++) {
        const rv_pred *p = &page->preds[i];
        int64_t v = number(p->value.text);
        if (p->op == RV_GE && v > *lo)
            *lo = v;
        else if (p->op == RV_GT && v + 1 > *lo)
            *lo = v + 1;
        else if (p->op == RV_LT && v < *hi)
            *hi = v;
        else if (p->op == RV_LE && v + 1 < *hi)
            *hi = v + 1;
        else if (p->op == RV_IS_NULL)
            *hi = *lo;
    }
    if (page->after && number(page->after[0].text) + 1 > *lo)
        *lo = number(page->after[0].text) + 1;
    if (page->until && number(page->until[0].text) + 1 < *hi)
        *hi = number(page->until[0].text) + 1;
}

static rv_status fake_scan(rv_source *s, const rv_page_spec *page, rv_scan **out, rv_error *err)
{
    RV_TRY(lost(s, err));
    rv_scan *scan = rv_calloc(1, sizeof *scan);
    if (!scan)
        return rv_fail_memory(err);
    scan->s = s;
    scan->spec = *page;
    scan->page = &scan->spec;
    narrow(page, &scan->at, &scan->hi);
    scan->from = scan->at;
    scan->ask = page->fetch_rows ? page->fetch_rows : 1000;
    unsigned n = atomic_fetch_add(&fake.scans, 1);
    if (n < 64)
        fake.limits[n] = page->limit;
    if (n < fake.n_steps)
        scan->step = fake.steps[n];
    if (page->n_order == 0 || fake.shape == RV_SHAPE_CURSOR)
        atomic_store(&s->session, s->id);
    unsigned now = atomic_fetch_add(&fake.at_once, 1) + 1;
    unsigned most = atomic_load(&fake.most_at_once);
    while (now > most && !atomic_compare_exchange_weak(&fake.most_at_once, &most, now)) {
    }
    if (fake.row_ms)
        (void)usleep(fake.row_ms * 1000);
    *out = scan;
    return RV_OK;
}

static rv_status step_failure(rv_scan *scan, rv_error *err)
{
    rv_status st = rv_fail(err, scan->step.code, "scripted failure");
    err->retry = scan->step.retry;
    if (scan->step.native)
        (void)snprintf(err->native, sizeof err->native, "%s", scan->step.native);
    if (fake.snapshot_dies_with_failure) {
        scan->s->instant = 0;
        atomic_store(&scan->s->session, 0);
    }
    return st;
}

static rv_status hang(rv_source *s, rv_error *err)
{
    atomic_store(&s->session, s->id);
    for (int i = 0; i < 5000 && !atomic_load(&s->interrupted); i++)
        (void)usleep(1000);
    return rv_fail(err, RV_E_INTERRUPTED, "the fake was interrupted");
}

static rv_status piece_over(rv_scan *scan, rv_error *err)
{
    const rv_page_spec *p = scan->page;
    if (!p->between || !fake.pieces_of || ++scan->piece < scan->ask || scan->at >= scan->hi)
        return RV_OK;
    rv_page_end end = {
        .rows = scan->piece, .bytes = scan->piece * 16, .elapsed_us = 1000, .limited = true};
    scan->piece = 0;
    scan->ask = fake.pieces_of;
    atomic_fetch_add(&fake.pieces, 1);
    return p->between(p->between_ctx, &end, fake.idle_us, &scan->ask, err);
}

static rv_status one_row(rv_scan *scan, rv_builder *b, rv_error *err)
{
    RV_TRY(rv_builder_i64(b, 0, scan->at, err));
    RV_TRY(rv_builder_i64(b, 1, scan->s->instant, err));
    if (scan->page->keep && !scan->page->keep(scan->page->keep_ctx, b, true))
        rv_builder_row_undo(b);
    else
        RV_TRY(rv_builder_row_end(b, err));
    scan->at++;
    scan->end.rows++;
    scan->end.bytes += 16;
    scan->end.elapsed_us += fake.us_per_row;
    return piece_over(scan, err);
}

static rv_status fake_next(rv_scan *scan, rv_builder *b, bool *out_end, rv_error *err)
{
    const rv_page_spec *p = scan->page;
    *out_end = false;
    RV_TRY(lost(scan->s, err));
    if (scan->step.kind == FAKE_EMPTY || scan->step.kind == FAKE_WINDOW) {
        scan->end.cut = true;
        if (scan->step.kind == FAKE_WINDOW)
            scan->at += (int64_t)scan->step.rows;
        *out_end = true;
        return RV_OK;
    }
    while (!rv_builder_full(b)) {
        bool reached = scan->end.rows == scan->step.rows;
        if (scan->step.kind == FAKE_FAIL && reached)
            return step_failure(scan, err);
        if (scan->step.kind == FAKE_HANG && reached)
            return hang(scan->s, err);
        if (scan->at >= scan->hi) {
            *out_end = true;
            return RV_OK;
        }
        if (p->limit && scan->end.rows == p->limit) {
            scan->end.limited = *out_end = true;
            return RV_OK;
        }
        RV_TRY(one_row(scan, b, err));
        if (p->cut_us && scan->end.elapsed_us > p->cut_us && !fake.cannot_cut) {
            scan->end.cut = *out_end = true;
            return RV_OK;
        }
    }
    return RV_OK;
}

static void fake_scan_end(const rv_scan *scan, rv_page_end *out)
{
    rv_scan *s = (rv_scan *)(uintptr_t)scan;
    *out = scan->end;
    if (scan->at == scan->from)
        return;
    (void)snprintf(s->last_text, sizeof s->last_text, "%lld", (long long)scan->at - 1);
    s->last = (rv_datum){.kind = RV_INT64, .text = rv_str_c(s->last_text)};
    out->last = &s->last;
}

static void fake_scan_close(rv_scan *scan)
{
    if (!scan)
        return;
    atomic_fetch_sub(&fake.at_once, 1);
    if (!scan->s->instant)
        atomic_store(&scan->s->session, 0);
    rv_free(scan);
}

static rv_status as_datum(int64_t v, rv_arena *a, rv_datum *out, rv_error *err)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)v);
    *out = (rv_datum){.kind = RV_INT64};
    return rv_arena_str(a, rv_str_c(text), &out->text, err);
}

static rv_status fake_bounds(rv_source *s, const rv_relation *rel, rv_expr expr,
                             const rv_pred *preds, size_t n_preds, rv_arena *arena,
                             rv_datum *out_min, rv_datum *out_max, rv_error *err)
{
    rv_page_spec page = {.relation = rel, .preds = preds, .n_preds = n_preds};
    int64_t lo, hi;
    (void)expr;
    RV_TRY(lost(s, err));
    narrow(&page, &lo, &hi);
    *out_min = *out_max = (rv_datum){.null = true};
    if (lo >= hi)
        return RV_OK;
    RV_TRY(as_datum(lo, arena, out_min, err));
    return as_datum(hi - 1, arena, out_max, err);
}

static rv_status fake_nth(rv_source *s, const rv_page_spec *from, uint64_t n, rv_arena *arena,
                          rv_datum *out, bool *out_found, rv_error *err)
{
    int64_t lo, hi;
    RV_TRY(lost(s, err));
    narrow(from, &lo, &hi);
    *out_found = lo + (int64_t)n - 1 < hi;
    return *out_found ? as_datum(lo + (int64_t)n - 1, arena, out, err) : RV_OK;
}

static rv_status fake_count(rv_source *s, const rv_relation *rel, const rv_pred *preds,
                            size_t n_preds, uint64_t *out, rv_error *err)
{
    rv_page_spec page = {.relation = rel, .preds = preds, .n_preds = n_preds};
    int64_t lo, hi;
    narrow(&page, &lo, &hi);
    *out = hi > lo ? (uint64_t)(hi - lo) : 0;
    return lost(s, err);
}

static rv_status fake_cuts(rv_source *s, const rv_relation *rel, size_t want, rv_arena *arena,
                           rv_datum *out, size_t *out_n, rv_error *err)
{
    (void)rel;
    RV_TRY(lost(s, err));
    for (size_t i = 0; i + 1 < want; i++)
        RV_TRY(as_datum(fake.rows * (int64_t)(i + 1) / (int64_t)want, arena, &out[i], err));
    *out_n = want - 1;
    return RV_OK;
}

static rv_status fake_now(rv_source *s, int64_t *out_us, rv_error *err)
{
    *out_us = 1700000000000000;
    return lost(s, err);
}

static rv_status fake_instant(rv_source *s, const rv_relation *rel, int64_t us, bool unix_seconds,
                              rv_arena *arena, rv_datum *out, rv_error *err)
{
    (void)s;
    (void)rel;
    (void)unix_seconds;
    return as_datum(us, arena, out, err);
}

static rv_status fake_parse(rv_source *s, const rv_relation *rel, rv_str text, rv_arena *arena,
                            rv_datum *out, rv_error *err)
{
    (void)s;
    (void)rel;
    return as_datum(number(text), arena, out, err);
}

static rv_status fake_day(const rv_relation *rel, const rv_datum *d, int64_t *out_days,
                          rv_error *err)
{
    (void)rel;
    (void)err;
    *out_days = number(d->text);
    return RV_OK;
}

static rv_status fake_snapshot_begin(rv_source *const *s, size_t n, rv_error *err)
{
    if (n > 1 && fake.no_snapshot_of_many)
        return rv_fail(err, RV_E_SOURCE_SNAPSHOT, "the fake cannot share a snapshot");
    for (size_t i = 0; i < n; i++)
        RV_TRY(lost(s[i], err));
    int64_t instant = atomic_fetch_add(&fake.instant, 1) + 1;
    for (size_t i = 0; i < n; i++) {
        s[i]->instant = instant;
        atomic_store(&s[i]->session, s[i]->id);
    }
    atomic_fetch_add(&fake.snapshots, 1);
    if (n > 1)
        atomic_fetch_add(&fake.shared_snapshots, 1);
    return RV_OK;
}

static rv_status fake_snapshot_end(rv_source *s, rv_error *err)
{
    (void)err;
    s->instant = 0;
    atomic_store(&s->session, 0);
    return RV_OK;
}

static rv_status scripted(const int64_t *values, size_t n, unsigned at, int64_t *out, rv_error *err)
{
    *out = n ? values[at < n ? at : n - 1] : 0;
    return *out < 0 ? rv_fail(err, RV_E_SOURCE_PERMISSION, "no counter") : RV_OK;
}

static rv_status fake_signal(rv_source *s, rv_signal which, int64_t *out, rv_error *err)
{
    RV_TRY(lost(s, err));
    if (which == RV_SIGNAL_PRESSURE)
        return scripted(fake.signal, fake.n_signal, atomic_fetch_add(&fake.signals, 1), out, err);
    return scripted(fake.batch_signal, fake.n_batch_signal,
                    atomic_fetch_add(&fake.batch_signals, 1), out, err);
}

static rv_status fake_counters(rv_source *s, rv_arena *arena, rv_counter **out, size_t *out_n,
                               rv_error *err)
{
    RV_TRY(lost(s, err));
    RV_TRY(rv_arena_array(arena, 2, sizeof **out, out, err));
    unsigned n = atomic_fetch_add(&fake.counters, 1);
    (*out)[0] = (rv_counter){"pg_temp_bytes", fake.counter[n ? 1 : 0]};
    (*out)[1] = (rv_counter){"checkpoints_req", n ? 9 : 7};
    *out_n = 2;
    return RV_OK;
}

static int64_t fake_session(rv_source *s)
{
    return atomic_load(&s->session);
}

static rv_status fake_waiter(rv_source *s, int64_t session, rv_arena *arena,
                             const char **out_waiter, rv_error *err)
{
    (void)arena;
    RV_TRY(lost(s, err));
    atomic_fetch_add(&fake.asked, 1);
    if (fake.may_not_look)
        return rv_fail(err, RV_E_SOURCE_PERMISSION, "the fake hides its sessions");
    *out_waiter = session > 0 ? fake.waiter : NULL;
    return RV_OK;
}

static rv_status fake_quote(const char *ident, rv_buf *out, rv_error *err)
{
    return rv_buf_printf(out, err, "\"%s\"", ident);
}

const rv_source_driver fake_driver = {.abi = RV_SOURCE_ABI,
                                      .engine = RV_ENGINE_POSTGRES,
                                      .name = "fake",
                                      .display = "Fake",
                                      .open = fake_open,
                                      .close = fake_close,
                                      .interrupt = fake_interrupt,
                                      .info = fake_info,
                                      .resolve = fake_resolve,
                                      .recheck = fake_recheck,
                                      .scan = fake_scan,
                                      .next = fake_next,
                                      .scan_end = fake_scan_end,
                                      .scan_close = fake_scan_close,
                                      .bounds = fake_bounds,
                                      .nth = fake_nth,
                                      .count = fake_count,
                                      .cuts = fake_cuts,
                                      .now = fake_now,
                                      .instant = fake_instant,
                                      .datum_parse = fake_parse,
                                      .datum_day = fake_day,
                                      .snapshot_begin = fake_snapshot_begin,
                                      .snapshot_end = fake_snapshot_end,
                                      .signal = fake_signal,
                                      .counters = fake_counters,
                                      .session = fake_session,
                                      .waiter = fake_waiter,
                                      .quote = fake_quote};
