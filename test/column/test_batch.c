#include "column/batch.h"

#include "base/fault.h"
#include "rvtest.h"

RV_TEST(bits_count_any_range)
{
    uint8_t bits[40];
    uint64_t r = 12345;
    for (size_t i = 0; i < sizeof bits; i++) {
        r = r * UINT64_C(6364136223846793005) + 1442695040888963407U;
        bits[i] = (uint8_t)(r >> 56);
    }
    for (uint32_t from = 0; from < 70; from++) {
        uint32_t want = 0;
        for (uint32_t count = 0; from + count <= 320; count++) {
            CHECK_EQ(rv_bits_count(bits, from, count), want);
            if (from + count < 320)
                want += rv_bit(bits, from + count);
        }
    }
}

RV_TEST(sums_add_up)
{
    rv_sums a;
    rv_sums b;
    rv_error err;
    REQUIRE(rv_sums_init(&a, 2, &err) == RV_OK && rv_sums_init(&b, 2, &err) == RV_OK);
    a.rows = 1;
    a.row_sum = (rv_u128){UINT64_MAX, 1};
    a.columns[1] = (rv_col_sum){1, UINT64_MAX, 5, 0};
    b.rows = 2;
    b.row_sum = (rv_u128){2, 3};
    b.columns[1] = (rv_col_sum){2, 3, 4, 1};
    rv_sums_add(&a, &b);
    CHECK_EQ(a.rows, 3);
    CHECK(a.row_sum.lo == 1 && a.row_sum.hi == 5);
    CHECK_EQ(a.columns[1].nulls, 3);
    CHECK_EQ(a.columns[1].sum, 2);
    CHECK_EQ(a.columns[1].max_len, 5);
    CHECK_EQ(a.columns[1].replaced, 1);
    rv_sums_reset(&a);
    CHECK(a.rows == 0 && a.row_sum.hi == 0 && a.columns[1].sum == 0 && a.n_columns == 2);
    rv_sums_free(&a);
    rv_sums_free(&b);
    CHECK(a.columns == NULL);
#ifdef RV_FAULTS
    rv_fault_set_alloc(1, false);
    CHECK_EQ(rv_sums_init(&a, 2, &err), RV_E_MEMORY);
    rv_fault_set_alloc(0, false);
#endif
}

RV_TEST_MAIN(RV_CASE(bits_count_any_range), RV_CASE(sums_add_up))
