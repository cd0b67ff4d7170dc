#include "base/fault.h"
#include "parquet_naive.h"
#include "rvtest.h"

/* All n values of a page, as bytes one after the other (spans with their length before). */
static rv_status decode(rv_bytes in, int32_t type, uint32_t flba, int32_t encoding,
                        const rv_pq_read_dict *dict, uint32_t n, rv_buf *out)
{
    rv_pq_value_cursor v = {0};
    rv_pq_scratch s;
    rv_error err = {0};
    unsigned width = rv_pq_fixed_width(type);
    rv_status st = rv_pq_scratch_open(&s, &err);
    if (st != RV_OK)
        return st;
    RV_GO(rv_pq_value_cursor_init(&v, in, type, flba, encoding, dict, &err));
    for (uint32_t at = 0, step = 3; at < n; at += step, step = step * 7 % 1021) {
        rv_pq_slice_values slice;
        step = step < n - at ? step : n - at;
        RV_GO(rv_pq_value_cursor_next(&v, step, &s, &slice, &err));
        if (width)
            RV_GO(rv_buf_add(out, slice.fixed, (size_t)step * width, &err));
        for (uint32_t i = 0; !width && i < step; i++) {
            RV_GO(rv_buf_add(out, &slice.spans[i].len, sizeof(size_t), &err));
            if (slice.spans[i].len)
                RV_GO(rv_buf_add(out, slice.spans[i].ptr, slice.spans[i].len, &err));
        }
    }
    st = rv_pq_value_cursor_finish(&v, true, &err);
done:
    rv_pq_value_cursor_close(&v);
    rv_pq_scratch_close(&s);
    return st;
}

static void check(const naive *page, int32_t type, uint32_t flba, int32_t encoding,
                  const rv_pq_read_dict *dict, uint32_t n, const rv_buf *want)
{
    rv_buf got = RV_BUF_INIT;
    CHECK_EQ(decode(naive_bytes(page), type, flba, encoding, dict, n, &got), RV_OK);
    CHECK_MEM(got.ptr, got.len, want->ptr, want->len);
    CHECK_EQ(decode(naive_bytes(page), type, flba, encoding, dict, n + 9, &got), RV_E_CORRUPT);
    if (n > 8)
        CHECK_EQ(decode(naive_bytes(page), type, flba, encoding, dict, n - 9, &got), RV_E_CORRUPT);
    rv_buf_free(&got);
}

RV_TEST(plain_fixed_width)
{
    static const int32_t types[] = {RV_PQ_INT32, RV_PQ_INT64, RV_PQ_INT96, RV_PQ_FLOAT,
                                    RV_PQ_DOUBLE};
    uint64_t seed = 5;
    for (size_t t = 0; t < 5; t++) {
        naive *page = naive_new();
        for (unsigned i = 0; i < 2500 * rv_pq_fixed_width(types[t]); i++)
            naive_byte(page, (unsigned)naive_random(&seed) & 0xFF);
        rv_buf want = {page->bytes, page->len, page->len};
        check(page, types[t], 0, RV_PQ_PLAIN, NULL, 2500, &want);
        free(page);
    }
}

RV_TEST(booleans_plain_and_run_length)
{
    naive *plain = naive_new(), *runs = naive_new();
    rv_buf want = RV_BUF_INIT;
    static uint32_t values[2501];
    uint64_t seed = 6;
    for (size_t i = 0; i < 2501; i++) {
        values[i] = naive_random(&seed) % 20 ? i / 300 & 1 : 1;
        naive_bits(plain, values[i], 1);
        (void)!rv_buf_add_byte(&want, (uint8_t)values[i], NULL);
    }
    for (int k = 0; k < 4; k++)
        naive_byte(runs, 0);
    naive_hybrid(runs, values, 2501, 1, 30);
    uint32_t len = (uint32_t)runs->len - 4;
    memcpy(runs->bytes, &len, 4);
    check(plain, RV_PQ_BOOLEAN, 0, RV_PQ_PLAIN, NULL, 2501, &want);
    check(runs, RV_PQ_BOOLEAN, 0, RV_PQ_RLE, NULL, 2501, &want);
    runs->bytes[0]++; /* a length that is not the rest of the page */
    rv_buf got = RV_BUF_INIT;
    CHECK_EQ(decode(naive_bytes(runs), RV_PQ_BOOLEAN, 0, RV_PQ_RLE, NULL, 2501, &got),
             RV_E_CORRUPT);
    rv_buf_free(&got);
    rv_buf_free(&want);
    free(plain);
    free(runs);
}

typedef struct texts {
    char room[1200][24];
    rv_bytes values[1200];
    rv_buf want;
} texts;

static texts *make_texts(uint32_t flba)
{
    texts *t = calloc(1, sizeof *t);
    uint64_t seed = flba + 1;
    for (size_t i = 0; i < 1200; i++) {
        size_t len = flba ? flba : naive_random(&seed) % 24;
        for (size_t k = 0; k < len; k++)
            t->room[i][k] = (char)('a' + naive_random(&seed) % 4);
        t->values[i] = (rv_bytes){(const uint8_t *)t->room[i], len};
        (void)!rv_buf_add(&t->want, &len, sizeof len, NULL);
        if (len)
            (void)!rv_buf_add(&t->want, t->room[i], len, NULL);
    }
    return t;
}

static void free_texts(texts *t)
{
    rv_buf_free(&t->want);
    free(t);
}

RV_TEST(byte_arrays_in_every_encoding)
{
    texts *t = make_texts(0);
    naive *plain = naive_new(), *lengths = naive_new(), *prefixes = naive_new();
    for (size_t i = 0; i < 1200; i++) {
        for (unsigned k = 0; k < 4; k++)
            naive_byte(plain, (unsigned)(t->values[i].len >> (8 * k)) & 0xFF);
        for (size_t k = 0; k < t->values[i].len; k++)
            naive_byte(plain, t->values[i].ptr[k]);
    }
    naive_delta_bytes(lengths, t->values, 1200, false);
    naive_delta_bytes(prefixes, t->values, 1200, true);
    check(plain, RV_PQ_BYTE_ARRAY, 0, RV_PQ_PLAIN, NULL, 1200, &t->want);
    check(lengths, RV_PQ_BYTE_ARRAY, 0, RV_PQ_DLBA, NULL, 1200, &t->want);
    check(prefixes, RV_PQ_BYTE_ARRAY, 0, RV_PQ_DBA, NULL, 1200, &t->want);
    free(plain);
    free(lengths);
    free(prefixes);
    free_texts(t);
}

RV_TEST(fixed_byte_arrays_in_every_encoding)
{
    texts *t = make_texts(9);
    naive *plain = naive_new(), *split = naive_new(), *prefixes = naive_new();
    for (size_t i = 0; i < 1200; i++)
        for (size_t k = 0; k < 9; k++)
            naive_byte(plain, t->values[i].ptr[k]);
    for (size_t k = 0; k < 9; k++)
        for (size_t i = 0; i < 1200; i++)
            naive_byte(split, t->values[i].ptr[k]);
    naive_delta_bytes(prefixes, t->values, 1200, true);
    check(plain, RV_PQ_FLBA, 9, RV_PQ_PLAIN, NULL, 1200, &t->want);
    check(split, RV_PQ_FLBA, 9, RV_PQ_BSS, NULL, 1200, &t->want);
    check(prefixes, RV_PQ_FLBA, 9, RV_PQ_DBA, NULL, 1200, &t->want);
    rv_buf got = RV_BUF_INIT;
    CHECK_EQ(decode(naive_bytes(prefixes), RV_PQ_FLBA, 8, RV_PQ_DBA, NULL, 1200, &got),
             RV_E_CORRUPT);
    CHECK_EQ(decode(naive_bytes(split), RV_PQ_FLBA, 7, RV_PQ_BSS, NULL, 1200, &got), RV_E_CORRUPT);
    rv_buf_free(&got);
    free(plain);
    free(split);
    free(prefixes);
    free_texts(t);
}

RV_TEST(split_streams_of_numbers)
{
    naive *page = naive_new();
    rv_buf want = RV_BUF_INIT;
    static uint64_t values[1500];
    uint64_t seed = 8;
    for (size_t i = 0; i < 1500; i++)
        values[i] = naive_random(&seed);
    for (unsigned k = 0; k < 8; k++)
        for (size_t i = 0; i < 1500; i++)
            naive_byte(page, (unsigned)(values[i] >> (8 * k)) & 0xFF);
    (void)!rv_buf_add(&want, values, sizeof values, NULL);
    check(page, RV_PQ_DOUBLE, 0, RV_PQ_BSS, NULL, 1500, &want);
    rv_buf_free(&want);
    free(page);
}

RV_TEST(delta_integers_of_both_widths)
{
    static int64_t values[1500];
    static int32_t narrow[1500];
    uint64_t seed = 11;
    naive *wide = naive_new(), *small = naive_new();
    for (size_t i = 0; i < 1500; i++) {
        values[i] = (int64_t)naive_random(&seed);
        narrow[i] = (int32_t)values[i];
    }
    naive_dbp(wide, values, 1500, 64, 128, 4);
    for (size_t i = 0; i < 1500; i++)
        values[i] = narrow[i];
    naive_dbp(small, values, 1500, 32, 128, 4);
    rv_buf want = {(uint8_t *)narrow, sizeof narrow, sizeof narrow};
    check(small, RV_PQ_INT32, 0, RV_PQ_DBP, NULL, 1500, &want);
    seed = 11;
    for (size_t i = 0; i < 1500; i++)
        values[i] = (int64_t)naive_random(&seed);
    want = (rv_buf){(uint8_t *)values, sizeof values, sizeof values};
    check(wide, RV_PQ_INT64, 0, RV_PQ_DBP, NULL, 1500, &want);
    free(wide);
    free(small);
}

RV_TEST(dictionary_indexes)
{
    static const int64_t entries[] = {100, -5, 1LL << 50};
    static uint32_t indexes[2000];
    rv_pq_read_dict dict = {.n = 3, .fixed = (const uint8_t *)entries};
    rv_buf want = RV_BUF_INIT;
    naive *page = naive_new();
    for (size_t i = 0; i < 2000; i++) {
        indexes[i] = (uint32_t)(i * i / 7 % 3);
        (void)!rv_buf_add(&want, &entries[indexes[i]], 8, NULL);
    }
    naive_byte(page, 2);
    naive_hybrid(page, indexes, 2000, 2, 8);
    check(page, RV_PQ_INT64, 0, RV_PQ_RLE_DICT, &dict, 2000, &want);
    check(page, RV_PQ_INT64, 0, RV_PQ_PLAIN_DICT, &dict, 2000, &want);
    rv_buf got = RV_BUF_INIT;
    dict.n = 2;
    CHECK_EQ(decode(naive_bytes(page), RV_PQ_INT64, 0, RV_PQ_RLE_DICT, &dict, 2000, &got),
             RV_E_CORRUPT);
    CHECK_EQ(decode(naive_bytes(page), RV_PQ_INT64, 0, RV_PQ_RLE_DICT, NULL, 2000, &got),
             RV_E_CORRUPT);
    page->bytes[0] = 33;
    CHECK_EQ(decode(naive_bytes(page), RV_PQ_INT64, 0, RV_PQ_RLE_DICT, &dict, 2000, &got),
             RV_E_CORRUPT);
    rv_buf_free(&got);
    rv_buf_free(&want);
    free(page);
}

RV_TEST(encodings_that_do_not_fit_the_type)
{
    static const uint8_t page[8 + RV_PQ_PAD];
    static const int32_t wrong[][2] = {{RV_PQ_BOOLEAN, RV_PQ_RLE_DICT},
                                       {RV_PQ_INT32, RV_PQ_RLE},
                                       {RV_PQ_FLOAT, RV_PQ_DBP},
                                       {RV_PQ_FLBA, RV_PQ_DLBA},
                                       {RV_PQ_INT64, RV_PQ_DBA},
                                       {RV_PQ_BYTE_ARRAY, RV_PQ_BSS},
                                       {RV_PQ_DOUBLE, RV_PQ_ALP},
                                       {RV_PQ_INT32, RV_PQ_BIT_PACKED},
                                       {RV_PQ_INT32, 77}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        rv_buf got = RV_BUF_INIT;
        CHECK_EQ(decode((rv_bytes){page, 8}, wrong[i][0], 1, wrong[i][1], NULL, 1, &got),
                 RV_E_CORRUPT);
        rv_buf_free(&got);
    }
}

RV_TEST(a_page_without_values_may_be_empty)
{
    rv_buf got = RV_BUF_INIT;
    static const uint8_t nothing[RV_PQ_PAD];
    CHECK_EQ(decode((rv_bytes){nothing, 0}, RV_PQ_INT32, 0, RV_PQ_RLE_DICT, NULL, 0, &got), RV_OK);
    CHECK_EQ(decode((rv_bytes){nothing, 0}, RV_PQ_INT32, 0, RV_PQ_PLAIN, NULL, 1, &got),
             RV_E_CORRUPT);
    rv_buf_free(&got);
}

RV_TEST(failing_allocations_are_reported)
{
#ifdef RV_FAULTS
    texts *t = make_texts(9);
    naive *prefixes = naive_new();
    naive_delta_bytes(prefixes, t->values, 1200, true);
    rv_status st = RV_E_MEMORY;
    for (long nth = 1; st == RV_E_MEMORY && nth < 100; nth++) {
        rv_buf got = RV_BUF_INIT;
        rv_fault_set_alloc(nth, false);
        st = decode(naive_bytes(prefixes), RV_PQ_FLBA, 9, RV_PQ_DBA, NULL, 1200, &got);
        rv_fault_set_alloc(0, false);
        rv_buf_free(&got);
    }
    CHECK_EQ(st, RV_OK);
    free(prefixes);
    free_texts(t);
#else
    SKIP("built without fault points");
#endif
}

RV_TEST_MAIN(RV_CASE(plain_fixed_width), RV_CASE(booleans_plain_and_run_length),
             RV_CASE(byte_arrays_in_every_encoding), RV_CASE(fixed_byte_arrays_in_every_encoding),
             RV_CASE(split_streams_of_numbers), RV_CASE(delta_integers_of_both_widths),
             RV_CASE(dictionary_indexes), RV_CASE(encodings_that_do_not_fit_the_type),
             RV_CASE(a_page_without_values_may_be_empty), RV_CASE(failing_allocations_are_reported))
