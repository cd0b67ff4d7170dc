#include "fuzz.h"

#include <stdlib.h>

#include "format/parquet/decode.h"

#define VALUES_MAX 20000u

/* Touches every byte handed out, so that the sanitizer sees it. */
static unsigned touch(const rv_pq_slice_values *v, unsigned width)
{
    unsigned sum = 0;
    for (size_t i = 0; width && i < (size_t)v->n * width; i++)
        sum += v->fixed[i];
    for (uint32_t i = 0; !width && i < v->n; i++)
        for (size_t k = 0; k < v->spans[i].len; k += 64)
            sum += v->spans[i].ptr[k];
    return sum;
}

static void decode(rv_bytes page, int32_t type, uint32_t flba, int32_t encoding, uint32_t n,
                   uint32_t step)
{
    static const uint8_t entries[8 * 12] = {1, 2, 3};
    rv_bytes spans[8];
    rv_pq_read_dict dict = {.n = 8, .fixed = entries, .spans = spans};
    rv_pq_value_cursor v = {0};
    rv_pq_scratch s;
    rv_error err = {0};
    for (size_t i = 0; i < 8; i++)
        spans[i] = (rv_bytes){entries + i, i};
    if (rv_pq_scratch_open(&s, &err) != RV_OK)
        return;
    rv_status st = rv_pq_value_cursor_init(&v, page, type, flba, encoding, &dict, &err);
    unsigned sum = 0;
    for (uint32_t at = 0; st == RV_OK && at < n; at += step) {
        rv_pq_slice_values slice;
        uint32_t take = n - at < step ? n - at : step;
        st = rv_pq_value_cursor_next(&v, take, &s, &slice, &err);
        if (st == RV_OK)
            sum += touch(&slice, rv_pq_fixed_width(type));
    }
    if (st == RV_OK)
        st = rv_pq_value_cursor_finish(&v, step & 1, &err);
    __asm__ volatile("" : : "r"(sum)); /* keeps the reads */
    if (st != RV_OK && st != RV_E_CORRUPT)
        __builtin_trap();
    rv_pq_value_cursor_close(&v);
    rv_pq_scratch_close(&s);
}

static void levels(rv_bytes in, int32_t encoding, unsigned max, uint32_t n)
{
    rv_pq_levels l;
    rv_error err = {0};
    uint8_t out[RV_PQ_SLICE];
    rv_status st = rv_pq_levels_init(&l, in, encoding, max, &err);
    for (uint32_t at = 0; st == RV_OK && at < n; at += RV_PQ_SLICE) {
        size_t take = n - at < RV_PQ_SLICE ? n - at : RV_PQ_SLICE;
        st = rv_pq_levels_next(&l, out, take, &err);
        for (size_t i = 0; st == RV_OK && i < take; i++)
            if (out[i] > max)
                __builtin_trap();
    }
    if (st == RV_OK)
        (void)!rv_pq_levels_finish(&l, true, &err);
}

/* Bytes 0..6: type, encoding, length of fixed values, slice, number of values; then the page. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 7)
        return 0;
    uint32_t n = (data[4] | (uint32_t)data[5] << 8) % VALUES_MAX;
    uint32_t step = 1 + (uint32_t)data[3] * 4 % RV_PQ_SLICE;
    size_t len = size - 7;
    uint8_t *page = calloc(1, len + RV_PQ_PAD);
    if (!page)
        return 0;
    if (len)
        memcpy(page, data + 7, len);
    if (data[6] & 1)
        levels((rv_bytes){page, len}, data[6] & 2 ? RV_PQ_RLE : RV_PQ_BIT_PACKED, 1 + data[2] % 60u,
               n);
    else
        decode((rv_bytes){page, len}, data[0] % 8, 1 + data[2] % 40u, data[1] % 12, n, step);
    free(page);
    return 0;
}
