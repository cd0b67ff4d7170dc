#include "base/mem.h"

#include <stdint.h>
#include <string.h>

#include "base/fault.h"
#include "rvtest.h"

RV_TEST(zero_bytes_are_a_unique_pointer)
{
    void *a = rv_alloc(0), *b = rv_alloc(0), *c = rv_calloc(0, 8), *d = rv_calloc(8, 0);
    CHECK(a && b && c && d && a != b && c != d);
    rv_free(a);
    rv_free(b);
    rv_free(c);
    rv_free(d);
    rv_free(NULL);
}

RV_TEST(products_are_checked)
{
    /* volatile: the compiler knows such sizes are nonsense, and says so */
    volatile size_t huge = SIZE_MAX / 2 + 1;
    CHECK(rv_calloc(huge, 2) == NULL);
    void *p = rv_alloc(4);
    REQUIRE(p != NULL);
    CHECK(rv_realloc_array(p, huge, 2) == NULL);
    memset(p, 1, 4); /* still ours */
    void *q = rv_realloc_array(p, 4, 4);
    CHECK(q != NULL);
    rv_free(q ? q : p);
}

RV_TEST(calloc_is_zeroed)
{
    static const uint8_t zero[64];
    uint8_t *p = rv_calloc(8, 8);
    REQUIRE(p != NULL);
    CHECK_MEM(p, 64, zero, 64);
    rv_free(p);
}

RV_TEST(realloc_to_nothing_keeps_a_pointer)
{
    void *p = rv_alloc(8);
    void *q = rv_realloc(p, 0);
    CHECK(q != NULL);
    rv_free(q);
}

RV_TEST(strdup_copies)
{
    char *s = rv_strdup("abc");
    CHECK_STR(s, "abc");
    rv_free(s);
    CHECK(rv_strdup(NULL) == NULL);
}

RV_TEST(every_door_can_be_failed)
{
#ifdef RV_FAULTS
    rv_fault_set_alloc(1, true);
    CHECK(rv_alloc(1) == NULL);
    CHECK(rv_calloc(1, 1) == NULL);
    CHECK(rv_realloc(NULL, 1) == NULL);
    CHECK(rv_realloc_array(NULL, 1, 1) == NULL);
    CHECK(rv_strdup("x") == NULL);
    CHECK_EQ(rv_fault_seen_alloc(), 5);
    rv_fault_set_alloc(2, false);
    void *a = rv_alloc(1), *b = rv_alloc(1), *c = rv_alloc(1);
    CHECK(a && !b && c);
    rv_fault_set_alloc(0, false);
    rv_free(a);
    rv_free(b);
    rv_free(c);
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(zero_bytes_are_a_unique_pointer), RV_CASE(products_are_checked),
             RV_CASE(calloc_is_zeroed), RV_CASE(realloc_to_nothing_keeps_a_pointer),
             RV_CASE(strdup_copies), RV_CASE(every_door_can_be_failed))
