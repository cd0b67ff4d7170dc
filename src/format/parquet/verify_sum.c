#include <string.h>

#include "base/mem.h"
#include "format/parquet/verify_internal.h"

typedef enum hash_way { BY_CELL, BY_INTS, BY_DECIMALS, BY_DOUBLES, BY_SPANS } hash_way;

typedef struct column {
    rv_type type;
    hash_way way;
    uint64_t seed;
    uint64_t null_hash;
    uint64_t *rows; /* RV_PQ_SLICE cell hashes */
    uint32_t filled;
    bool is_text_list; /* a list as JSON text */
    bool counts_length;
    bool list_open;
    bool list_null;
    uint64_t list_count;
    rv_buf list;        /* canonical bytes of the list being read */
    rv_buf dict_hashes; /* of the dictionary's entries */
    bool dict_ready;
} column;

struct rv_pq_sum {
    const rv_pq_file *file;
    size_t n;
    column *columns;
    uint64_t *cells; /* all columns' rows */
    uint64_t *row;
    rv_buf scratch;
    rv_buf text;
    rv_sums sums;
    uint64_t values[RV_PQ_SLICE]; /* hashes of the present values of a slice */
};

/* ---- life ---- */

/* Values whose canonical bytes are those of the file, or their integer, need no cell each. */
static hash_way way_of(rv_type type, const rv_pq_read_leaf *leaf)
{
    rv_layout layout = rv_type_layout(type);
    bool whole = leaf->type == RV_PQ_INT32 || leaf->type == RV_PQ_INT64;
    if (leaf->max_rep || type.kind == RV_LIST)
        return BY_CELL;
    if (type.kind == RV_FLOAT64 && leaf->type == RV_PQ_DOUBLE)
        return BY_DOUBLES;
    if (layout == RV_LAYOUT_VAR && leaf->type == RV_PQ_BYTE_ARRAY)
        return BY_SPANS;
    if (type.kind == RV_DECIMAL)
        return whole ? BY_DECIMALS : BY_CELL;
    if (type.kind == RV_TIME) /* its range is checked */
        return BY_CELL;
    return whole && (layout == RV_LAYOUT_I32 || layout == RV_LAYOUT_I64) ? BY_INTS : BY_CELL;
}

static rv_status open_column(rv_pq_sum *s, size_t i, rv_type type, rv_error *err)
{
    const rv_pq_top *top = &s->file->columns[i];
    const rv_cell null = {.null = true};
    column *c = &s->columns[i];
    c->type = type;
    c->rows = s->cells + i * RV_PQ_SLICE;
    c->seed =
        rv_canonical_seed((rv_str){(const char *)top->element->name.ptr, top->element->name.len});
    c->is_text_list = type.kind == RV_LIST && s->file->leaves[top->first_leaf].max_rep == 0;
    c->counts_length = rv_type_layout(type) == RV_LAYOUT_VAR;
    c->way = c->is_text_list ? BY_CELL : way_of(type, &s->file->leaves[top->first_leaf]);
    return rv_canonical_hash(type, &null, c->seed, &s->scratch, &c->null_hash, err);
}

rv_status rv_pq_sum_open(const rv_pq_file *f, const rv_type *types, rv_pq_sum **out, rv_error *err)
{
    rv_status st = RV_OK;
    rv_pq_sum *s = rv_calloc(1, sizeof *s);
    if (!s)
        return rv_fail_memory(err);
    s->file = f;
    s->n = f->n_columns;
    s->columns = rv_calloc(s->n + 1, sizeof *s->columns);
    s->cells = rv_calloc(s->n + 1, RV_PQ_SLICE * sizeof *s->cells);
    s->row = rv_calloc(s->n + 1, sizeof *s->row);
    if (!s->columns || !s->cells || !s->row) {
        st = rv_fail_memory(err);
        goto done;
    }
    RV_GO(rv_sums_init(&s->sums, s->n, err));
    for (size_t i = 0; i < s->n; i++)
        RV_GO(open_column(s, i, types[i], err));
    *out = s;
    return RV_OK;
done:
    rv_pq_sum_close(s);
    return st;
}

void rv_pq_sum_close(rv_pq_sum *s)
{
    if (!s)
        return;
    for (size_t i = 0; s->columns && i < s->n; i++) {
        rv_buf_free(&s->columns[i].list);
        rv_buf_free(&s->columns[i].dict_hashes);
    }
    rv_free(s->columns);
    rv_free(s->cells);
    rv_free(s->row);
    rv_buf_free(&s->scratch);
    rv_buf_free(&s->text);
    rv_sums_free(&s->sums);
    rv_free(s);
}

void rv_pq_sum_group(rv_pq_sum *s)
{
    for (size_t i = 0; i < s->n; i++)
        s->columns[i].dict_ready = false;
}

/* ---- cells ---- */

static void put(rv_pq_sum *s, column *c, uint64_t hash)
{
    c->rows[c->filled++] = hash;
    s->sums.columns[c - s->columns].sum += hash;
}

static void put_null(rv_pq_sum *s, column *c)
{
    s->sums.columns[c - s->columns].nulls++;
    put(s, c, c->null_hash);
}

static rv_status hash_text_list(rv_pq_sum *s, column *c, rv_bytes text, uint64_t *out,
                                rv_error *err)
{
    rv_buf_clear(&c->list);
    RV_TRY(rv_buf_add_byte(&c->list, rv_canonical_tag(c->type), err));
    rv_str str = {(const char *)text.ptr, text.len};
    RV_TRY(rv_pq_list_from_text(c->type, str, &s->text, &c->list, err));
    *out = rv_xxh3_seed(c->list.ptr, c->list.len, c->seed);
    return RV_OK;
}

static rv_status hash_value(rv_pq_sum *s, column *c, const rv_pq_read_leaf *leaf,
                            const rv_pq_slice_values *v, uint32_t i, uint64_t *out, rv_error *err)
{
    uint8_t uuid[16];
    rv_cell cell;
    if (c->is_text_list)
        return hash_text_list(s, c, v->spans[i], out, err);
    RV_TRY(rv_pq_cell_from_value(c->type, leaf, v, i, &cell, uuid, err));
    return rv_canonical_hash(c->type, &cell, c->seed, &s->scratch, out, err);
}

static rv_status hash_values(rv_pq_sum *s, column *c, const rv_pq_read_leaf *leaf,
                             const rv_pq_slice_values *v, uint64_t *out, rv_error *err)
{
    uint8_t tag = rv_canonical_tag(c->type);
    unsigned width = leaf->type == RV_PQ_INT32 ? 4 : 8;
    switch (c->way) {
    case BY_INTS:
        rv_canonical_hash_ints(tag, v->fixed, width, v->n, c->seed, out);
        return RV_OK;
    case BY_DECIMALS:
        rv_canonical_hash_decimals(c->type.scale, v->fixed, width, v->n, c->seed, out);
        return RV_OK;
    case BY_DOUBLES:
        rv_canonical_hash_doubles(v->fixed, v->n, c->seed, out);
        return RV_OK;
    case BY_SPANS:
        rv_canonical_hash_spans(tag, v->spans, v->n, c->seed, out);
        return RV_OK;
    case BY_CELL:
        break;
    }
    for (uint32_t i = 0; i < v->n; i++)
        RV_TRY(hash_value(s, c, leaf, v, i, &out[i], err));
    return RV_OK;
}

/* Each entry once; what no page refers to need not make sense. */
static rv_status hash_dict(rv_pq_sum *s, column *c, const rv_pq_check *check, rv_error *err)
{
    const rv_pq_read_dict *d = &check->reader.dict;
    rv_pq_slice_values all = {.n = d->n, .fixed = d->fixed, .spans = d->spans};
    rv_buf_clear(&c->dict_hashes);
    RV_TRY(rv_buf_reserve(&c->dict_hashes, (size_t)d->n * sizeof(uint64_t) + 1, err));
    RV_TRY(
        hash_values(s, c, check->chunk->leaf, &all, (uint64_t *)(void *)c->dict_hashes.ptr, err));
    c->dict_ready = true;
    return RV_OK;
}

static void count_lengths(rv_pq_sum *s, const column *c, const rv_pq_slice_values *v)
{
    rv_col_sum *sum = &s->sums.columns[c - s->columns];
    for (uint32_t i = 0; i < v->n; i++)
        sum->max_len = v->spans[i].len > sum->max_len ? v->spans[i].len : sum->max_len;
}

static rv_status value_hashes(rv_pq_sum *s, column *c, const rv_pq_check *check,
                              const rv_pq_slice_values *v, rv_error *err)
{
    if (!v->indices)
        return hash_values(s, c, check->chunk->leaf, v, s->values, err);
    if (!c->dict_ready)
        RV_TRY(hash_dict(s, c, check, err));
    const uint64_t *hashes = (const uint64_t *)(const void *)c->dict_hashes.ptr;
    for (uint32_t i = 0; i < v->n; i++)
        s->values[i] = hashes[v->indices[i]];
    return RV_OK;
}

static rv_status flat_slice(rv_pq_sum *s, column *c, const rv_pq_check *check,
                            const rv_pq_slice *slice, rv_error *err)
{
    const rv_pq_read_leaf *leaf = check->chunk->leaf;
    RV_TRY(value_hashes(s, c, check, &slice->values, err));
    for (uint32_t e = 0, k = 0; e < slice->n; e++) {
        if (slice->def && slice->def[e] != leaf->max_def)
            put_null(s, c);
        else
            put(s, c, s->values[k++]);
    }
    if (c->counts_length)
        count_lengths(s, c, &slice->values);
    return RV_OK;
}

/* ---- lists ---- */

static void close_list(rv_pq_sum *s, column *c)
{
    if (!c->list_open)
        return;
    c->list_open = false;
    if (c->list_null) {
        put_null(s, c);
        return;
    }
    memcpy(c->list.ptr + 1, &c->list_count, sizeof c->list_count);
    put(s, c, rv_xxh3_seed(c->list.ptr, c->list.len, c->seed));
}

static rv_status open_list(rv_pq_sum *s, column *c, bool null, rv_error *err)
{
    static const uint64_t no_count = 0;
    close_list(s, c);
    c->list_open = true;
    c->list_null = null;
    c->list_count = 0;
    rv_buf_clear(&c->list);
    RV_TRY(rv_buf_add_byte(&c->list, rv_canonical_tag(c->type), err));
    return rv_buf_add(&c->list, &no_count, sizeof no_count, err);
}

/* Definition levels: 0 no list, 1 an empty one, 2 a null element, 3 a value. */
static rv_status list_slice(rv_pq_sum *s, column *c, const rv_pq_check *check,
                            const rv_pq_slice *slice, rv_error *err)
{
    rv_type elem = rv_type_elem(c->type);
    uint8_t uuid[16];
    uint32_t k = 0;
    for (uint32_t e = 0; e < slice->n; e++) {
        uint8_t def = slice->def[e];
        if (slice->rep[e] == 0)
            RV_TRY(open_list(s, c, def == 0, err));
        else if (def < 2)
            return rv_fail(err, RV_E_CORRUPT, "a list continues with no element");
        if (def < 2)
            continue;
        rv_cell cell = {.null = def == 2};
        if (def == 3)
            RV_TRY(rv_pq_cell_from_value(elem, check->chunk->leaf, &slice->values, k++, &cell, uuid,
                                         err));
        RV_TRY(rv_pq_list_element(elem, &cell, &c->list, err));
        c->list_count++;
    }
    return RV_OK;
}

rv_status rv_pq_sum_slice(rv_pq_sum *s, const rv_pq_check *check, const rv_pq_slice *slice,
                          rv_error *err)
{
    column *c = &s->columns[check->chunk->leaf->column];
    if (check->chunk->leaf->max_rep)
        return list_slice(s, c, check, slice, err);
    return flat_slice(s, c, check, slice, err);
}

void rv_pq_sum_row_end(rv_pq_sum *s, uint32_t column_at)
{
    close_list(s, &s->columns[column_at]);
}

/* ---- rows ---- */

const uint64_t *rv_pq_sum_cells(const rv_pq_sum *s, uint32_t column_at, uint64_t *out_null_hash)
{
    *out_null_hash = s->columns[column_at].null_hash;
    return s->columns[column_at].rows;
}

void rv_pq_sum_rows(rv_pq_sum *s, uint32_t rows)
{
    for (uint32_t r = 0; r < rows; r++) {
        for (size_t i = 0; i < s->n; i++)
            s->row[i] = s->cells[i * RV_PQ_SLICE + r];
        s->sums.row_sum = rv_u128_add(s->sums.row_sum, rv_canonical_row(s->row, s->n));
    }
    s->sums.rows += rows;
    for (size_t i = 0; i < s->n; i++)
        s->columns[i].filled = 0;
}

rv_status rv_pq_sum_result(const rv_pq_sum *s, rv_arena *arena, rv_sums *out, rv_error *err)
{
    rv_sums sums = s->sums;
    RV_TRY(rv_arena_array(arena, s->n + 1, sizeof *sums.columns, &sums.columns, err));
    for (size_t i = 0; i < s->n; i++)
        sums.columns[i] = s->sums.columns[i];
    *out = sums;
    return RV_OK;
}
