#include "engine/unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/queue.h"
#include "engine/upload.h"

#define RV_TARGET "engine"
#define BATCH_MAX_ROWS 16384u
#define BATCH_MAX_BYTES (1024u * 1024u)
#define PART_ALIGN_ROWS 1024u
#define QUEUE_DEPTH_MAX 64

static unsigned queue_depth(const rv_env *env)
{
    int64_t n;
    const char *text = rv_env_get(env, "RIVET_PIPELINE_WRITES");
    if (!text || !rv_str_i64(rv_str_c(text), &n) || n < 0)
        return 2;
    return n > QUEUE_DEPTH_MAX ? QUEUE_DEPTH_MAX : (unsigned)n;
}

rv_status rv_worker_open(rv_worker *w, rv_job *job, rv_source *shared, unsigned workers,
                         rv_error *err)
{
    *w = (rv_worker){.job = job, .queue_depth = queue_depth(job->env)};
    RV_TRY(rv_reader_open(&w->reader, job, shared, workers, err));
    w->open = true;
    return RV_OK;
}

void rv_worker_close(rv_worker *w)
{
    if (w->open)
        rv_reader_close(&w->reader);
    w->open = false;
}

/* ---- one reading of a unit ---- */

typedef struct rv_pipe {
    rv_worker *worker;
    const rv_unit *unit;
    rv_unit_work *work;
    rv_queue *queue; /* NULL: no second thread */
    rv_status read_status;
    rv_error read_error;
} rv_pipe;

static rv_status open_builder(rv_worker *w, rv_error *err)
{
    rv_job *job = w->job;
    uint64_t max_bytes = BATCH_MAX_BYTES;
    uint64_t cap = job->x->tuning.max_batch_memory_mb * 1024 * 1024;
    if (cap && cap < max_bytes)
        max_bytes = cap;
    rv_builder_opts opts = {.schema = &job->schema,
                            .max_rows = BATCH_MAX_ROWS,
                            .max_bytes = max_bytes,
                            .max_value_bytes = job->x->tuning.max_value_mb * 1024 * 1024,
                            .batches = w->queue_depth + 2,
                            .exported_at = job->x->exported_at,
                            .exported_at_us = job->started_us,
                            .row_hash = job->x->row_hash,
                            .row_hash_columns = job->row_hash_columns,
                            .n_row_hash_columns = job->x->n_row_hash_columns,
                            .invalid_utf8_replace = job->x->on_invalid_utf8 == RV_UTF8_REPLACE};
    w->reader.batch_align = job->x->max_file_bytes ? PART_ALIGN_ROWS : 0;
    return rv_builder_open(&opts, &w->reader.builder, err);
}

static void show_progress(rv_job *job, int64_t rows)
{
    const rv_run_hooks *hooks = job->opts->hooks;
    pthread_mutex_lock(&job->lock);
    job->rows += rows;
    if (hooks && hooks->progress)
        hooks->progress(hooks->ctx, job->x->name, job->chunks_done, job->rows);
    pthread_mutex_unlock(&job->lock);
}

static rv_status take_batch(rv_pipe *p, rv_batch *batch, rv_error *err)
{
    int64_t rows = batch->rows;
    rv_status st = rv_parts_write(&p->work->parts, batch, err);
    rv_builder_recycle(p->worker->reader.builder, batch);
    if (st == RV_OK) {
        show_progress(p->worker->job, rows);
        p->work->shown += rows;
    }
    return st;
}

static rv_status emit_inline(void *ctx, rv_batch *batch, rv_error *err)
{
    return take_batch(ctx, batch, err);
}

static rv_status emit_queued(void *ctx, rv_batch *batch, rv_error *err)
{
    rv_pipe *p = ctx;
    if (rv_queue_put(p->queue, batch))
        return RV_OK;
    rv_builder_recycle(p->worker->reader.builder, batch);
    return rv_fail(err, RV_E_INTERRUPTED, "the encoder stopped");
}

static void *reading_thread(void *arg)
{
    rv_pipe *p = arg;
    p->read_status =
        rv_reader_read(&p->worker->reader, p->unit->segments, p->unit->n_segments, &p->read_error);
    rv_queue_shut(p->queue);
    return NULL;
}

static rv_status encode_all(rv_pipe *p, rv_error *err)
{
    void *item;
    rv_status st = RV_OK;
    while (rv_queue_get(p->queue, &item)) {
        if (st != RV_OK) {
            rv_builder_recycle(p->worker->reader.builder, item);
            continue;
        }
        st = take_batch(p, item, err);
        if (st != RV_OK) { /* the reader must not go on for nothing */
            rv_queue_shut(p->queue);
            rv_builder_shut(p->worker->reader.builder);
            rv_reader_interrupt(&p->worker->reader);
        }
    }
    return st;
}

static rv_status run_two_threads(rv_pipe *p, rv_error *err)
{
    pthread_t thread;
    RV_TRY(rv_queue_open(p->worker->queue_depth, &p->queue, err));
    p->worker->reader.emit = emit_queued;
    p->worker->reader.emit_ctx = p;
    if (pthread_create(&thread, NULL, reading_thread, p) != 0) {
        rv_queue_close(p->queue);
        return rv_fail(err, RV_E_MEMORY, "a thread could not be started");
    }
    rv_status st = encode_all(p, err);
    (void)pthread_join(thread, NULL);
    rv_queue_close(p->queue);
    if (st == RV_OK && p->read_status != RV_OK) {
        st = p->read_status;
        *err = p->read_error;
    }
    return st;
}

static rv_status run_one_thread(rv_pipe *p, rv_error *err)
{
    p->worker->reader.emit = emit_inline;
    p->worker->reader.emit_ctx = p;
    return rv_reader_read(&p->worker->reader, p->unit->segments, p->unit->n_segments, err);
}

/* DDL guard: the columns are still those that were resolved. */
static rv_status guard_columns(rv_worker *w, rv_error *err)
{
    for (unsigned attempt = 0;;) {
        rv_status st = w->job->sd->recheck(w->reader.source, w->job->rel, err);
        if (st == RV_OK)
            return RV_OK;
        RV_TRY(rv_reader_recover(&w->reader, &attempt, err));
    }
}

static bool any_paged(const rv_unit *unit, bool paged)
{
    for (size_t i = 0; i < unit->n_segments; i++)
        if (unit->segments[i].paged == paged)
            return true;
    return false;
}

/* Physical addresses are a key within one instant only. */
static bool needs_own_instant(const rv_worker *w, const rv_unit *unit)
{
    return w->job->rel->shape == RV_SHAPE_RANGES && any_paged(unit, true);
}

static rv_status hold_instant(rv_worker *w, const rv_unit *unit, rv_error *err)
{
    bool whole_run = w->job->consistency == RV_CONSISTENCY_SNAPSHOT;
    if (!whole_run && !needs_own_instant(w, unit))
        return RV_OK;
    return rv_reader_hold(&w->reader, !whole_run, err);
}

/* Kept only where the run goes on reading or counting in it. */
static void release_instant(rv_worker *w)
{
    const rv_job *job = w->job;
    if (w->reader.own_snapshot || !(job->mode == RV_CHUNKED || job->keyset || job->reconcile))
        rv_reader_release(&w->reader);
}

static rv_status run_threads(rv_pipe *p, rv_error *err)
{
    return p->worker->queue_depth ? run_two_threads(p, err) : run_one_thread(p, err);
}

static rv_status read_once(rv_worker *w, const rv_unit *unit, rv_unit_work *out, rv_error *err)
{
    rv_status st;
    rv_pipe p = {.worker = w, .unit = unit, .work = out};
    *out = (rv_unit_work){0};
    rv_reader_reset(&w->reader);
    RV_GO(guard_columns(w, err));
    RV_GO(hold_instant(w, unit, err));
    RV_GO(open_builder(w, err));
    RV_GO(rv_parts_init(&out->parts, w->job, unit->name, err));
    out->parts.defer = w->reader.in_snapshot || (any_paged(unit, false) && !w->job->rel->small);
    RV_GO(run_threads(&p, err));
    release_instant(w);
    RV_GO(guard_columns(w, err));
    RV_GO(rv_parts_close(&out->parts, unit->empty_file, err));
    out->limited = w->reader.limited;
    out->last = w->reader.last;
    out->n_last = w->reader.n_last;
done:
    rv_builder_close(w->reader.builder);
    w->reader.builder = NULL;
    return st;
}

rv_status rv_unit_read(rv_worker *w, const rv_unit *unit, rv_unit_work *out, rv_error *err)
{
    rv_job *job = w->job;
    for (unsigned restarts = 0;;) {
        rv_status st = read_once(w, unit, out, err);
        if (st == RV_OK)
            return RV_OK;
        int64_t shown = out->shown;
        rv_unit_work_free(out);
        if (!w->reader.spent && (any_paged(unit, false) || w->reader.lost))
            st = rv_reader_recover(&w->reader, &restarts, err);
        if (st != RV_OK) {
            release_instant(w);
            return st;
        }
        release_instant(w);
        rv_job_warn(job, "retry", "unit %s is read again from its start", unit->name);
        pthread_mutex_lock(&job->lock);
        job->rows -= shown;
        pthread_mutex_unlock(&job->lock);
        if (unit->rewind)
            RV_TRY(unit->rewind(unit->rewind_ctx, err));
    }
}

rv_status rv_unit_offer(rv_unit_work *work, rv_error *err)
{
    return rv_parts_offer(&work->parts, err);
}

bool rv_unit_arrived(const rv_unit_work *work)
{
    return !work->parts.offers || rv_offers_arrived(work->parts.offers);
}

rv_status rv_unit_deliver(rv_unit_work *work, rv_unit_result *out, rv_error *err)
{
    static const char *const stream_name[] = {""};
    rv_parts *p = &work->parts;
    rv_unit_result r = {.rows = p->sums.rows,
                        .names = stream_name,
                        .parts = p->streamed,
                        .bytes = p->bytes,
                        .limited = work->limited,
                        .last = work->last,
                        .n_last = work->n_last};
    RV_TRY(rv_parts_offer(p, err));
    if (p->offers)
        RV_TRY(rv_offers_wait(p->offers, &r.names, &r.parts, &r.upload_error, err));
    r.sums = p->sums;
    p->sums = (rv_sums){0};
    *out = r;
    return RV_OK;
}

void rv_unit_work_free(rv_unit_work *work)
{
    rv_parts_free(&work->parts);
}

rv_status rv_unit_extract(rv_worker *w, const rv_unit *unit, rv_unit_result *out, rv_error *err)
{
    rv_unit_work work = {0};
    rv_status st = rv_unit_read(w, unit, &work, err);
    if (st == RV_OK)
        st = rv_unit_deliver(&work, out, err);
    rv_unit_work_free(&work);
    return st;
}

void rv_unit_result_free(rv_unit_result *r)
{
    rv_sums_free(&r->sums);
    *r = (rv_unit_result){0};
}

/* ---- accumulators ---- */

rv_status rv_sums_to_json(const rv_sums *s, const char *position_json, rv_buf *out, rv_error *err)
{
    rv_json j;
    char hex[33];
    rv_json_begin(&j, out, false);
    rv_json_object(&j);
    rv_json_key(&j, "rows");
    rv_json_u64(&j, s->rows);
    rv_hex_u128(s->row_sum, hex);
    rv_json_kstr(&j, "row_sum", hex);
    rv_json_key(&j, "columns");
    rv_json_array(&j);
    for (size_t i = 0; i < s->n_columns; i++) {
        rv_json_array(&j);
        rv_json_u64(&j, s->columns[i].nulls);
        rv_hex_u64(s->columns[i].sum, hex);
        rv_json_cstr(&j, hex);
        rv_json_u64(&j, s->columns[i].max_len);
        rv_json_u64(&j, s->columns[i].replaced);
        rv_json_array_end(&j);
    }
    rv_json_array_end(&j);
    if (position_json) {
        rv_json_key(&j, "position");
        rv_json_raw(&j, rv_str_c(position_json));
    }
    rv_json_object_end(&j);
    return rv_json_end(&j, err);
}

static bool hex_u64(const char *text, size_t len, uint64_t *out)
{
    uint8_t raw[8];
    if (!text || len != 16 || !rv_unhex((rv_str){text, len}, raw))
        return false;
    *out = 0;
    for (size_t i = 0; i < sizeof raw; i++)
        *out = (*out << 8) | raw[i];
    return true;
}

static bool column_from_json(const json_t *item, rv_col_sum *out)
{
    out->nulls = (uint64_t)json_integer_value(json_array_get(item, 0));
    out->max_len = (uint64_t)json_integer_value(json_array_get(item, 2));
    out->replaced = (uint64_t)json_integer_value(json_array_get(item, 3)); /* older: not kept */
    const char *sum = json_string_value(json_array_get(item, 1));
    return sum && hex_u64(sum, strlen(sum), &out->sum);
}

rv_status rv_sums_from_json(const char *json, size_t n_columns, rv_sums *out, rv_arena *arena,
                            const char **out_position_json, rv_error *err)
{
    rv_status st = RV_OK;
    rv_sums sums = {0};
    *out = (rv_sums){0};
    json_error_t why;
    json_t *root = json_loads(json ? json : "", 0, &why);
    const json_t *columns = json_object_get(root, "columns");
    const char *row_sum = json_string_value(json_object_get(root, "row_sum"));
    bool ok = columns && json_array_size(columns) == n_columns && row_sum &&
              strlen(row_sum) == 32 && hex_u64(row_sum, 16, &sums.row_sum.hi) &&
              hex_u64(row_sum + 16, 16, &sums.row_sum.lo);
    if (ok) {
        RV_GO(rv_sums_init(out, n_columns, err));
        out->row_sum = sums.row_sum;
        out->rows = (uint64_t)json_integer_value(json_object_get(root, "rows"));
    }
    for (size_t i = 0; ok && i < n_columns; i++)
        ok = column_from_json(json_array_get(columns, i), &out->columns[i]);
    if (!ok) {
        rv_sums_free(out);
        st = rv_fail(err, RV_E_STATE_DAMAGED, "the accumulators of a unit cannot be read");
        goto done;
    }
    if (out_position_json) {
        char *text = json_dumps(json_object_get(root, "position"), JSON_COMPACT);
        *out_position_json = NULL;
        if (text)
            st = rv_arena_cstr(arena, rv_str_c(text), out_position_json, err);
        free(text);
    }
done:
    json_decref(root);
    return st;
}

rv_status rv_unit_seal(rv_job *job, const rv_unit *unit, const char *key_high,
                       const rv_unit_result *result, const char *position_json, rv_error *err)
{
    rv_buf json = RV_BUF_INIT;
    rv_status st = rv_sums_to_json(&result->sums, position_json, &json, err);
    if (st == RV_OK && !rv_buf_cstr(&json))
        st = rv_fail_memory(err);
    if (st == RV_OK) {
        rv_unit_row row = {.unit = unit->name,
                           .key_low = unit->key_low,
                           .key_high = key_high,
                           .rows = (int64_t)result->rows,
                           .parts = (int64_t)result->parts,
                           .accumulators = (const char *)json.ptr};
        st = rv_state_unit_seal(job->state, &job->lease, &row, err);
    }
    rv_buf_free(&json);
    if (st == RV_OK)
        RV_KILL_POINT("unit-sealed");
    return st;
}
