#include "column/builder.h"

#include "base/mem.h"
#include "column/builder_internal.h"

#define BYTES_MOST (UINT64_C(1) << 30) /* keeps every offset below 4 GiB, one cell included */
#define VALUE_MOST (UINT64_C(1) << 30)
#define SCRATCH_KEPT (1 << 20)

static void slot_free(rv_slot *s, uint32_t n_columns)
{
    if (!s)
        return;
    for (uint32_t i = 0; s->cols && i < n_columns; i++)
        rv_bcol_close(&s->cols[i]);
    for (uint32_t i = 0; s->batch.columns && i < n_columns; i++)
        rv_free(s->batch.columns[i].child);
    rv_free(s->cols);
    rv_free(s->batch.columns);
    rv_sums_free(&s->batch.sums);
    rv_free(s);
}

static rv_status slot_fill(const rv_builder *b, rv_slot *s, rv_error *err)
{
    const rv_schema *schema = b->opts.schema;
    s->cols = rv_calloc(b->n_columns, sizeof s->cols[0]);
    s->batch.columns = rv_calloc(b->n_columns, sizeof s->batch.columns[0]);
    if (!s->cols || !s->batch.columns)
        return rv_fail_memory(err);
    RV_TRY(rv_sums_init(&s->batch.sums, b->n_columns, err));
    s->batch.schema = schema;
    for (uint32_t i = 0; i < b->n_columns; i++) {
        RV_TRY(rv_bcol_init(&s->cols[i], &schema->columns[i], err));
        if (!s->cols[i].child)
            continue;
        s->batch.columns[i].child = rv_calloc(1, sizeof(rv_col));
        if (!s->batch.columns[i].child)
            return rv_fail_memory(err);
    }
    return RV_OK;
}

static rv_status slot_open(rv_builder *b, rv_slot **out, rv_error *err)
{
    rv_slot *s = rv_calloc(1, sizeof *s);
    if (!s)
        return rv_fail_memory(err);
    rv_status st = slot_fill(b, s, err);
    if (st != RV_OK) {
        slot_free(s, b->n_columns);
        return st;
    }
    s->next_all = b->all;
    b->all = s;
    b->n_slots++;
    *out = s;
    return RV_OK;
}

/* An empty slot with its first memory; one that cannot get it goes back among the free. */
static rv_status slot_ready(rv_builder *b, rv_slot *s, rv_error *err)
{
    rv_status st = RV_OK;
    for (uint32_t i = 0; st == RV_OK && i < b->n_columns; i++) {
        rv_bcol_reset(&s->cols[i]);
        st = rv_bcol_first(&s->cols[i], err);
    }
    if (st != RV_OK) {
        (void)pthread_mutex_lock(&b->lock);
        s->next_free = b->free;
        b->free = s;
        (void)pthread_mutex_unlock(&b->lock);
    }
    return st;
}

/* A free slot, a new one while fewer than opts.batches exist, or the next that comes back. */
static rv_status slot_take(rv_builder *b, rv_slot **out, rv_error *err)
{
    rv_slot *s = NULL;
    (void)pthread_mutex_lock(&b->lock);
    while (!b->shut && !b->free && b->n_slots >= b->opts.batches)
        (void)pthread_cond_wait(&b->given, &b->lock);
    bool shut = b->shut;
    if (!shut && b->free) {
        s = b->free;
        b->free = s->next_free;
    }
    (void)pthread_mutex_unlock(&b->lock);
    if (shut)
        return rv_fail(err, RV_E_INTERRUPTED, "the writer of this batch has stopped");
    if (!s)
        RV_TRY(slot_open(b, &s, err));
    RV_TRY(slot_ready(b, s, err));
    *out = s;
    return RV_OK;
}

static void start(rv_builder *b, rv_slot *s)
{
    b->slot = s;
    b->cols = s->cols;
    b->rows = 0;
    b->bytes = 0;
    b->row_bytes = 0;
    b->limit = b->opts.max_rows;
    b->row_sum = (rv_u128){0, 0};
    memset(b->sums, 0, b->n_columns * sizeof b->sums[0]);
}

static void set_meta(rv_builder *b)
{
    const rv_builder_opts *o = &b->opts;
    uint32_t next = b->n_columns - (uint32_t)o->exported_at - (uint32_t)o->row_hash;
    b->exported_at_col = o->exported_at ? next++ : b->n_columns;
    b->row_hash_col = o->row_hash ? next : b->n_columns;
}

/* The row hash's columns: those asked for, else all of the source. */
static rv_status set_row_hash(rv_builder *b, rv_error *err)
{
    const rv_builder_opts *o = &b->opts;
    if (!o->row_hash)
        return RV_OK;
    size_t source = b->n_columns - (size_t)o->exported_at - 1;
    b->n_row_hash_columns = o->row_hash_columns ? o->n_row_hash_columns : source;
    b->row_hash_columns = rv_calloc(b->n_row_hash_columns, sizeof b->row_hash_columns[0]);
    if (!b->row_hash_columns)
        return rv_fail_memory(err);
    for (size_t i = 0; i < b->n_row_hash_columns; i++)
        b->row_hash_columns[i] = o->row_hash_columns ? o->row_hash_columns[i] : (uint32_t)i;
    return RV_OK;
}

static rv_status builder_fill(rv_builder *b, rv_error *err)
{
    const rv_schema *schema = b->opts.schema;
    rv_slot *s;
    b->hashes = rv_calloc(b->n_columns, sizeof b->hashes[0]);
    b->sums = rv_calloc(b->n_columns, sizeof b->sums[0]);
    if (!b->hashes || !b->sums)
        return rv_fail_memory(err);
    RV_TRY(set_row_hash(b, err));
    b->fixed_row_bytes = (b->n_columns + UINT64_C(7)) / 8;
    for (uint32_t i = 0; i < b->n_columns; i++) {
        unsigned width = rv_layout_width(rv_type_layout(schema->columns[i].type));
        b->fixed_row_bytes += width ? width : sizeof(uint32_t);
    }
    RV_TRY(slot_take(b, &s, err));
    start(b, s);
    if (b->opts.exported_at)
        b->exported_at_hash =
            rv_bcol_hash_u64(&b->cols[b->exported_at_col], (uint64_t)b->opts.exported_at_us);
    return RV_OK;
}

rv_status rv_builder_open(const rv_builder_opts *opts, rv_builder **out, rv_error *err)
{
    assert(opts->max_rows >= 1 && opts->max_rows <= 65536 && opts->batches >= 2);
    assert(opts->schema->n_columns <= UINT32_MAX);
    rv_builder *b = rv_calloc(1, sizeof *b);
    if (!b)
        return rv_fail_memory(err);
    b->opts = *opts;
    b->n_columns = (uint32_t)opts->schema->n_columns;
    b->max_value_bytes = opts->max_value_bytes;
    if (b->max_value_bytes == 0 || b->max_value_bytes > VALUE_MOST)
        b->max_value_bytes = VALUE_MOST;
    if (b->opts.max_bytes > BYTES_MOST)
        b->opts.max_bytes = BYTES_MOST;
    (void)pthread_mutex_init(&b->lock, NULL);
    (void)pthread_cond_init(&b->given, NULL);
    set_meta(b);
    rv_status st = builder_fill(b, err);
    if (st != RV_OK) {
        rv_builder_close(b);
        return st;
    }
    *out = b;
    return RV_OK;
}

void rv_builder_close(rv_builder *b)
{
    if (!b)
        return;
    for (rv_slot *s = b->all, *next; s; s = next) {
        next = s->next_all;
        slot_free(s, b->n_columns);
    }
    (void)pthread_cond_destroy(&b->given);
    (void)pthread_mutex_destroy(&b->lock);
    rv_buf_free(&b->scratch);
    rv_free(b->row_hash_columns);
    rv_free(b->hashes);
    rv_free(b->sums);
    rv_free(b);
}

rv_u128 rv_builder_row_digest(const rv_builder *b, size_t n_columns)
{
    assert(n_columns <= b->n_columns);
    for (size_t i = 0; i < n_columns; i++)
        assert(rv_bcol_rows(&b->cols[i]) == b->rows + 1);
    return rv_canonical_row(b->hashes, n_columns);
}

/* The frame of the cell just appended. */
static rv_status frame_last(rv_builder *b, const rv_bcol *c, rv_error *err)
{
    bool null = c->bits_on && !rv_bit(c->bits, b->rows);
    if (!null && c->kind == RV_LIST)
        return rv_bcol_list_frame(c, &b->scratch, err);
    rv_cell cell = {.null = true};
    if (!null)
        cell = rv_cell_at(c->type, c->values, c->offsets, c->present - 1);
    return rv_canonical_frame(c->type, &cell, &b->scratch, err);
}

static rv_status append_row_hash(rv_builder *b, rv_error *err)
{
    rv_buf_clear(&b->scratch);
    for (size_t i = 0; i < b->n_row_hash_columns; i++)
        RV_TRY(frame_last(b, &b->cols[b->row_hash_columns[i]], err));
    uint64_t hash = XXH3_128bits(b->scratch.ptr, b->scratch.len).low64;
    return rv_builder_i64(b, b->row_hash_col, (int64_t)hash, err);
}

static rv_status append_exported_at(rv_builder *b, rv_error *err)
{
    rv_bcol *c = &b->cols[b->exported_at_col];
    RV_TRY(rv_bcol_room(c, err));
    rv_bcol_put64(c, (uint64_t)b->opts.exported_at_us);
    b->hashes[b->exported_at_col] = b->exported_at_hash;
    return RV_OK;
}

rv_status rv_builder_row_end(rv_builder *b, rv_error *err)
{
    if (b->opts.exported_at)
        RV_TRY(append_exported_at(b, err));
    if (b->opts.row_hash)
        RV_TRY(append_row_hash(b, err));
    b->rows++;
    for (uint32_t i = 0; i < b->n_columns; i++) {
        assert(rv_bcol_rows(&b->cols[i]) == b->rows);
        b->sums[i] += b->hashes[i];
    }
    b->row_sum = rv_u128_add(b->row_sum, rv_canonical_row(b->hashes, b->n_columns));
    b->bytes += b->fixed_row_bytes + b->row_bytes;
    b->row_bytes = 0;
    return RV_OK;
}

static void undo_list(rv_bcol *c)
{
    rv_bcol *e = c->child;
    uint32_t rows = c->offsets[c->present];
    e->nulls = c->list_nulls;
    e->present = rows - e->nulls;
    c->open = false;
}

static void undo_cell(rv_builder *b, rv_bcol *c)
{
    bool ahead = rv_bcol_rows(c) > b->rows;
    bool list = c->open;
    if (ahead) {
        uint32_t before = c->present;
        rv_bcol_drop(c);
        list = c->child && c->present < before;
    }
    if (list)
        undo_list(c);
    if (c->replaced_row == b->rows + 1) {
        c->replaced_row = 0;
        c->replaced--;
    }
}

void rv_builder_row_undo(rv_builder *b)
{
    for (uint32_t i = 0; i < b->n_columns; i++)
        undo_cell(b, &b->cols[i]);
    b->row_bytes = 0;
}

uint32_t rv_builder_rows(const rv_builder *b)
{
    return b->rows;
}

uint64_t rv_builder_bytes_used(const rv_builder *b)
{
    return b->bytes;
}

bool rv_builder_full(const rv_builder *b)
{
    return b->rows >= b->limit || b->bytes > b->opts.max_bytes;
}

void rv_builder_limit_rows(rv_builder *b, uint32_t max_rows)
{
    if (max_rows < b->limit)
        b->limit = max_rows;
}

static void publish(const rv_builder *b, rv_batch *batch)
{
    batch->rows = b->rows;
    batch->bytes = 0;
    batch->sums.rows = b->rows;
    batch->sums.row_sum = b->row_sum;
    for (uint32_t i = 0; i < b->n_columns; i++) {
        rv_bcol *c = &b->cols[i];
        rv_bcol_freeze(c, &batch->columns[i]);
        batch->bytes += rv_bcol_used_bytes(c);
        batch->sums.columns[i] =
            (rv_col_sum){c->nulls, b->sums[i], rv_bcol_max_len(c), c->replaced};
    }
}

rv_status rv_builder_freeze(rv_builder *b, rv_batch **out, rv_error *err)
{
    rv_slot *next;
    RV_TRY(slot_take(b, &next, err));
    rv_batch *batch = &b->slot->batch;
    publish(b, batch);
    start(b, next);
    if (b->scratch.cap > SCRATCH_KEPT)
        rv_buf_free(&b->scratch);
    *out = batch;
    return RV_OK;
}

static void slot_trim(const rv_builder *b, rv_slot *s)
{
    for (uint32_t i = 0; i < b->n_columns; i++)
        rv_bcol_trim(&s->cols[i]);
}

void rv_builder_recycle(rv_builder *b, rv_batch *batch)
{
    if (!batch)
        return;
    rv_slot *s = (rv_slot *)batch;
    uint64_t held = 0;
    for (uint32_t i = 0; i < b->n_columns; i++)
        held += rv_bcol_held_bytes(&s->cols[i]);
    /* one huge row must not keep its memory for the rest of the run */
    if (held / 4 > b->opts.max_bytes)
        slot_trim(b, s);
    (void)pthread_mutex_lock(&b->lock);
    s->next_free = b->free;
    b->free = s;
    (void)pthread_cond_signal(&b->given);
    (void)pthread_mutex_unlock(&b->lock);
}

void rv_builder_trim(rv_builder *b)
{
    (void)pthread_mutex_lock(&b->lock);
    for (rv_slot *s = b->free; s; s = s->next_free)
        slot_trim(b, s);
    (void)pthread_mutex_unlock(&b->lock);
}

void rv_builder_shut(rv_builder *b)
{
    (void)pthread_mutex_lock(&b->lock);
    b->shut = true;
    (void)pthread_cond_broadcast(&b->given);
    (void)pthread_mutex_unlock(&b->lock);
}
