#include "column/batch.h"

#include <assert.h>

#include "base/mem.h"

rv_status rv_sums_init(rv_sums *s, size_t n_columns, rv_error *err)
{
    rv_col_sum *columns = rv_calloc(n_columns, sizeof columns[0]);
    if (!columns)
        return rv_fail_memory(err);
    *s = (rv_sums){.n_columns = n_columns, .columns = columns};
    return RV_OK;
}

void rv_sums_add(rv_sums *into, const rv_sums *more)
{
    assert(into->n_columns == more->n_columns);
    into->rows += more->rows;
    into->row_sum = rv_u128_add(into->row_sum, more->row_sum);
    for (size_t i = 0; i < into->n_columns; i++) {
        rv_col_sum *a = &into->columns[i];
        const rv_col_sum *b = &more->columns[i];
        a->nulls += b->nulls;
        a->sum += b->sum;
        a->replaced += b->replaced;
        if (b->max_len > a->max_len)
            a->max_len = b->max_len;
    }
}

void rv_sums_reset(rv_sums *s)
{
    s->rows = 0;
    s->row_sum = (rv_u128){0, 0};
    for (size_t i = 0; i < s->n_columns; i++)
        s->columns[i] = (rv_col_sum){0};
}

void rv_sums_free(rv_sums *s)
{
    if (!s)
        return;
    rv_free(s->columns);
    *s = (rv_sums){0};
}

uint32_t rv_bits_count(const uint8_t *bits, uint32_t from, uint32_t count)
{
    uint32_t set = 0;
    uint32_t i = from;
    uint32_t end = from + count;
    for (; i < end && (i & 7); i++)
        set += rv_bit(bits, i);
    for (; end - i >= 64; i += 64) {
        uint64_t word;
        memcpy(&word, bits + (i >> 3), sizeof word);
        set += (uint32_t)__builtin_popcountll(word);
    }
    for (; i < end; i++)
        set += rv_bit(bits, i);
    return set;
}
