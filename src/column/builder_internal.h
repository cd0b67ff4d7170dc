/* column/builder_internal.h: the builder's columns, and the inlined path of one cell.
 *
 * Each batch slot owns a full set of columns with their memory, so handing a batch over moves
 * nothing. VALUES: `values` has RV_HEADROOM bytes in front, where the tag of a VAR cell is put
 * for the length of one hash call, so that tag and bytes need no copy. BITS: no bitmap is kept
 * until a batch's first NULL (bits_on). The row under construction needs no log: a column whose
 * cell count is ahead of the builder's rows has one cell to drop. */
#ifndef RV_COLUMN_BUILDER_INTERNAL_H
#define RV_COLUMN_BUILDER_INTERNAL_H

#include <assert.h>
#include <pthread.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/buf.h"
#include "column/builder.h"
#include "column/canonical_internal.h"
#include "column/cell_hash_internal.h"

#define RV_HEADROOM 16
#define RV_VAR_SLACK 16 /* kept beyond the last VAR byte */

typedef struct rv_bcol {
    uint8_t *values;   /* RV_HEADROOM bytes into its allocation; NULL before the first */
    uint32_t *offsets; /* VAR and LIST */
    uint8_t *bits;
    uint32_t present;
    uint32_t nulls;
    uint32_t cap;      /* cells: values of a fixed layout, offsets - 1 of the others */
    uint32_t bits_cap; /* rows */
    uint32_t var_cap;  /* bytes of a VAR column */
    uint8_t kind;
    uint8_t layout;
    uint8_t width; /* 0 for VAR and LIST */
    uint8_t tag;
    uint8_t scale;
    bool bits_on;
    bool text;
    bool dirty;  /* the last append put U+FFFD */
    bool open;   /* LIST: between begin and end */
    int64_t low; /* what rv_builder_i64 takes; low > high: nothing */
    int64_t high;
    int64_t unscaled_max; /* decimal in 64 bits */
    uint64_t null_hash;
    uint64_t bool_hash[2];
    rv_cell_seed seed;
    uint32_t replaced;     /* cells */
    uint32_t replaced_row; /* 1 + the row last counted */
    uint32_t list_nulls;   /* of the child, before the row's list */
    rv_type type;
    const char *name;
    struct rv_bcol *child;
} rv_bcol;

typedef struct rv_slot {
    rv_batch batch; /* first: the pointer that travels */
    rv_bcol *cols;
    struct rv_slot *next_free;
    struct rv_slot *next_all;
} rv_slot;

struct rv_builder {
    rv_bcol *cols;      /* of the slot being filled */
    uint64_t *hashes;   /* cells of the row under construction */
    uint64_t row_bytes; /* of its VAR cells */
    uint32_t n_columns;
    uint32_t rows;
    uint32_t limit;
    uint64_t bytes;
    uint64_t max_value_bytes;
    uint64_t fixed_row_bytes;
    uint64_t *sums; /* of cell hashes, by column */
    rv_u128 row_sum;
    uint64_t exported_at_hash;
    uint32_t exported_at_col; /* n_columns when absent */
    uint32_t row_hash_col;
    uint32_t *row_hash_columns;
    size_t n_row_hash_columns;
    rv_builder_opts opts;
    rv_buf scratch;
    rv_slot *slot;
    rv_slot *all;
    unsigned n_slots;
    pthread_mutex_t lock; /* free, shut */
    pthread_cond_t given;
    rv_slot *free;
    bool shut;
};

/* builder_memory.c */
rv_status rv_bcol_init(rv_bcol *c, const rv_column *column, rv_error *err) RV_MUST_USE;
void rv_bcol_reset(rv_bcol *c);
rv_status rv_bcol_first(rv_bcol *c, rv_error *err) RV_MUST_USE; /* offsets exist from the start */
void rv_bcol_trim(rv_bcol *c);
void rv_bcol_close(rv_bcol *c);
uint64_t rv_bcol_held_bytes(const rv_bcol *c);
uint64_t rv_bcol_used_bytes(const rv_bcol *c);
void rv_bcol_freeze(rv_bcol *c, rv_col *out);
uint64_t rv_bcol_max_len(const rv_bcol *c);
rv_status rv_bcol_grow_cells(rv_bcol *c, rv_error *err) RV_MUST_USE;
rv_status rv_bcol_grow_bits(rv_bcol *c, rv_error *err) RV_MUST_USE;
rv_status rv_bcol_grow_var(rv_bcol *c, uint64_t more, rv_error *err) RV_MUST_USE;
rv_status rv_bcol_null(rv_bcol *c, rv_error *err) RV_MUST_USE;
/* Drops the last cell. */
void rv_bcol_drop(rv_bcol *c);

/* builder_append.c */
/* The column an append writes to: the child of an open list, or RV_E_INTERNAL. */
rv_status rv_bcol_target(rv_bcol *c, const char *what, rv_bcol **out, rv_error *err) RV_MUST_USE;
/* The row hash's frame of the list just ended. */
rv_status rv_bcol_list_frame(const rv_bcol *c, rv_buf *out, rv_error *err) RV_MUST_USE;
void rv_bcol_count_replaced(rv_builder *b, rv_bcol *c);
/* "column 'qty': 70000 does not fit int16". */
rv_status rv_bcol_misfit(const rv_bcol *c, rv_str value, rv_error *err);

static inline uint32_t rv_bcol_rows(const rv_bcol *c)
{
    return c->present + c->nulls;
}

/* Room for one more present value and its bit, set. */
static inline rv_status rv_bcol_room(rv_bcol *c, rv_error *err)
{
    if (__builtin_expect(c->present == c->cap, 0))
        RV_TRY(rv_bcol_grow_cells(c, err));
    if (c->bits_on) {
        uint32_t row = rv_bcol_rows(c);
        if (__builtin_expect(row == c->bits_cap, 0))
            RV_TRY(rv_bcol_grow_bits(c, err));
        uint8_t *byte = &c->bits[row >> 3];
        unsigned kept = *byte & ((1U << (row & 7)) - 1); /* bits above are of an older batch */
        *byte = (uint8_t)(kept | 1U << (row & 7));
    }
    return RV_OK;
}

static inline uint64_t rv_bcol_hash_u64(const rv_bcol *c, uint64_t v)
{
    return rv_hash_word(&c->seed, c->tag, v);
}

static inline void rv_bcol_put64(rv_bcol *c, uint64_t v)
{
    memcpy(c->values + (size_t)c->present * 8, &v, sizeof v);
    c->present++;
}

static inline void rv_bcol_put32(rv_bcol *c, uint32_t v)
{
    memcpy(c->values + (size_t)c->present * 4, &v, sizeof v);
    c->present++;
}

static inline void rv_builder_expect(const rv_builder *b, uint32_t col)
{
    assert(col < b->n_columns && rv_bcol_rows(&b->cols[col]) == b->rows);
}

#endif
