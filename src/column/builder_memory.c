#include "base/mem.h"
#include "column/builder_internal.h"
#include "column/decimal_internal.h"

#define CELLS_FIRST 64
#define VAR_FIRST 1024
#define VAR_STEADY                                                                                 \
    (UINT64_C(16) << 20) /* beyond, growth is an eighth: a huge cell is not doubled */

static void set_range(rv_bcol *c, int64_t low, int64_t high)
{
    c->low = low;
    c->high = high;
}

static void set_ranges(rv_bcol *c)
{
    set_range(c, 1, 0);
    switch ((rv_kind)c->kind) {
    case RV_INT16:
        set_range(c, INT16_MIN, INT16_MAX);
        break;
    case RV_INT32:
    case RV_DATE:
        set_range(c, INT32_MIN, INT32_MAX);
        break;
    case RV_TIME:
        set_range(c, 0, INT64_C(86400000000) - 1);
        break;
    case RV_INT64:
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
        set_range(c, INT64_MIN, INT64_MAX);
        break;
    case RV_UINT64:
        set_range(c, 0, INT64_MAX);
        break;
    case RV_DECIMAL:
        c->unscaled_max = c->type.precision <= 18
                              ? (int64_t)rv_i256_pow10(c->type.precision)->limb[0] - 1
                              : INT64_MAX;
        break;
    case RV_BOOL:
    case RV_FLOAT32:
    case RV_FLOAT64:
    case RV_STRING:
    case RV_BINARY:
    case RV_JSON:
    case RV_UUID:
    case RV_ENUM:
    case RV_INTERVAL:
    case RV_LIST:
        break;
    }
}

static void set_type(rv_bcol *c, rv_type t, const char *name)
{
    *c = (rv_bcol){.type = t, .name = name, .kind = t.kind, .scale = t.scale};
    c->layout = (uint8_t)rv_type_layout(t);
    c->width = (uint8_t)rv_layout_width((rv_layout)c->layout);
    c->tag = rv_canonical_tag(t);
    c->text = rv_type_is_text(t);
    set_ranges(c);
}

rv_status rv_bcol_init(rv_bcol *c, const rv_column *column, rv_error *err)
{
    set_type(c, column->type, column->name);
    c->seed = rv_cell_seed_of(rv_canonical_seed(rv_str_c(column->name)));
    c->null_hash = rv_hash_tagged(&c->seed, 0, NULL, 0);
    for (uint8_t v = 0; v < 2; v++)
        c->bool_hash[v] = rv_hash_tagged(&c->seed, c->tag, &v, 1);
    if (c->kind != RV_LIST)
        return RV_OK;
    c->child = rv_calloc(1, sizeof *c->child);
    if (!c->child)
        return rv_fail_memory(err);
    set_type(c->child, rv_type_elem(c->type), c->name);
    return RV_OK;
}

void rv_bcol_reset(rv_bcol *c)
{
    c->present = 0;
    c->nulls = 0;
    c->bits_on = false;
    c->open = false;
    c->replaced = 0;
    c->replaced_row = 0;
    if (c->child)
        rv_bcol_reset(c->child);
}

rv_status rv_bcol_first(rv_bcol *c, rv_error *err)
{
    if (c->cap == 0)
        RV_TRY(rv_bcol_grow_cells(c, err));
    if (c->layout == RV_LAYOUT_VAR && c->var_cap == 0)
        RV_TRY(rv_bcol_grow_var(c, 0, err));
    return c->child ? rv_bcol_first(c->child, err) : RV_OK;
}

static void free_values(rv_bcol *c)
{
    rv_free(c->values ? c->values - RV_HEADROOM : NULL);
    c->values = NULL;
}

void rv_bcol_trim(rv_bcol *c)
{
    free_values(c);
    rv_free(c->offsets);
    rv_free(c->bits);
    c->offsets = NULL;
    c->bits = NULL;
    c->cap = 0;
    c->bits_cap = 0;
    c->var_cap = 0;
    if (c->child)
        rv_bcol_trim(c->child);
}

void rv_bcol_close(rv_bcol *c)
{
    rv_bcol_trim(c);
    rv_free(c->child);
}

uint64_t rv_bcol_held_bytes(const rv_bcol *c)
{
    uint64_t cell = c->width ? c->width : sizeof(uint32_t);
    uint64_t own = c->cap * cell + c->var_cap + c->bits_cap / 8;
    return own + (c->child ? rv_bcol_held_bytes(c->child) : 0);
}

uint64_t rv_bcol_used_bytes(const rv_bcol *c)
{
    uint64_t bytes = c->nulls ? (rv_bcol_rows(c) + UINT64_C(7)) / 8 : 0;
    if (c->width)
        return bytes + (uint64_t)c->present * c->width;
    bytes += (c->present + UINT64_C(1)) * sizeof(uint32_t);
    return bytes + (c->child ? rv_bcol_used_bytes(c->child) : c->offsets[c->present]);
}

uint64_t rv_bcol_max_len(const rv_bcol *c)
{
    uint32_t longest = 0;
    if (c->layout != RV_LAYOUT_VAR)
        return 0;
    for (uint32_t k = 0; k < c->present; k++) {
        uint32_t len = c->offsets[k + 1] - c->offsets[k];
        longest = len > longest ? len : longest;
    }
    return longest;
}

void rv_bcol_freeze(rv_bcol *c, rv_col *out)
{
    struct rv_col *child = out->child;
    uint32_t rows = rv_bcol_rows(c);
    /* a dropped row may have left its bit */
    if (c->nulls && (rows & 7))
        c->bits[rows >> 3] &= (uint8_t)((1U << (rows & 7)) - 1);
    *out =
        (rv_col){c->type, rows, c->nulls, c->nulls ? c->bits : NULL, c->values, c->offsets, child};
    if (child)
        rv_bcol_freeze(c->child, child);
}

static rv_status grow_values(rv_bcol *c, uint64_t bytes, rv_error *err)
{
    uint8_t *old = c->values ? c->values - RV_HEADROOM : NULL;
    uint8_t *ptr = rv_realloc(old, RV_HEADROOM + bytes);
    if (!ptr)
        return rv_fail_memory(err);
    c->values = ptr + RV_HEADROOM;
    return RV_OK;
}

static rv_status too_many(const rv_bcol *c, rv_error *err)
{
    return rv_fail(err, RV_E_VALUE_TOO_LARGE, "column '%s': one batch cannot hold more than 4 GiB",
                   c->name);
}

rv_status rv_bcol_grow_cells(rv_bcol *c, rv_error *err)
{
    if (c->cap > UINT32_MAX / 2 - 1)
        return too_many(c, err);
    uint32_t cap = c->cap ? c->cap * 2 : CELLS_FIRST;
    if (c->width) {
        RV_TRY(grow_values(c, (uint64_t)cap * c->width, err));
    } else {
        uint32_t *offsets = rv_realloc_array(c->offsets, cap + (size_t)1, sizeof *offsets);
        if (!offsets)
            return rv_fail_memory(err);
        offsets[0] = 0;
        c->offsets = offsets;
    }
    c->cap = cap;
    return RV_OK;
}

rv_status rv_bcol_grow_bits(rv_bcol *c, rv_error *err)
{
    if (c->bits_cap > UINT32_MAX / 2)
        return too_many(c, err);
    uint32_t cap = c->bits_cap ? c->bits_cap * 2 : 8 * CELLS_FIRST;
    while (cap <= rv_bcol_rows(c))
        cap = cap > UINT32_MAX / 2 ? UINT32_MAX - 7 : cap * 2;
    uint8_t *bits = rv_realloc(c->bits, cap / 8);
    if (!bits)
        return rv_fail_memory(err);
    c->bits = bits;
    c->bits_cap = cap;
    return RV_OK;
}

rv_status rv_bcol_grow_var(rv_bcol *c, uint64_t more, rv_error *err)
{
    uint64_t need = c->offsets[c->present] + more + RV_VAR_SLACK;
    if (need > UINT32_MAX)
        return too_many(c, err);
    uint64_t cap = c->var_cap ? c->var_cap : VAR_FIRST;
    while (cap < need)
        cap += cap < VAR_STEADY ? cap : cap / 8;
    if (cap > UINT32_MAX)
        cap = UINT32_MAX;
    RV_TRY(grow_values(c, cap, err));
    c->var_cap = (uint32_t)cap;
    return RV_OK;
}

/* The batch's first NULL: every row before it has a value. */
static rv_status start_bits(rv_bcol *c, rv_error *err)
{
    uint32_t rows = rv_bcol_rows(c);
    if (c->bits_cap <= rows)
        RV_TRY(rv_bcol_grow_bits(c, err));
    memset(c->bits, 0xFF, (rows + (size_t)7) / 8);
    c->bits_on = true;
    return RV_OK;
}

rv_status rv_bcol_null(rv_bcol *c, rv_error *err)
{
    uint32_t row = rv_bcol_rows(c);
    if (!c->bits_on)
        RV_TRY(start_bits(c, err));
    if (row == c->bits_cap)
        RV_TRY(rv_bcol_grow_bits(c, err));
    c->bits[row >> 3] &= (uint8_t)((1U << (row & 7)) - 1);
    c->nulls++;
    return RV_OK;
}

void rv_bcol_drop(rv_bcol *c)
{
    uint32_t last = rv_bcol_rows(c) - 1;
    if (c->bits_on && !rv_bit(c->bits, last))
        c->nulls--;
    else
        c->present--;
}
