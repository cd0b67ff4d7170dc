#include "base/arena.h"

#include "sweep.h"

RV_TEST(pieces_are_zeroed_aligned_and_apart)
{
    rv_arena a = RV_ARENA_INIT;
    uint32_t seed = 7;
    uint8_t *pieces[500];
    size_t sizes[500];
    for (unsigned i = 0; i < 500; i++) {
        seed = seed * 1664525U + 1013904223U;
        sizes[i] = (seed >> 16) % (i % 50 == 0 ? 60000 : 300);
        REQUIRE(rv_arena_alloc(&a, sizes[i], &pieces[i], NULL) == RV_OK);
        CHECK_EQ((uintptr_t)pieces[i] % 16, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            if (pieces[i][k] != 0)
                CHECK(false && "memory is zeroed");
        memset(pieces[i], (int)(i % 251 + 1), sizes[i]);
    }
    for (unsigned i = 0; i < 500; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            if (pieces[i][k] != i % 251 + 1)
                CHECK(false && "pieces do not overlap");
    CHECK(a.used > 0);
    rv_arena_free(&a);
    CHECK(a.head == NULL && a.used == 0);
    rv_arena_free(NULL);
}

RV_TEST(texts_are_terminated_copies)
{
    rv_arena a = RV_ARENA_INIT;
    rv_str s;
    const char *c;
    REQUIRE(rv_arena_str(&a, RV_STR("a\0b"), &s, NULL) == RV_OK);
    CHECK_MEM(s.ptr, s.len + 1, "a\0b\0", 4);
    REQUIRE(rv_arena_str(&a, (rv_str){NULL, 0}, &s, NULL) == RV_OK);
    CHECK_STR(s.ptr, "");
    REQUIRE(rv_arena_cstr(&a, RV_STR("hello"), &c, NULL) == RV_OK);
    CHECK_STR(c, "hello");
    REQUIRE(rv_arena_printf(&a, &c, NULL, "%s-%d", "n", 5) == RV_OK);
    CHECK_STR(c, "n-5");
    rv_arena_free(&a);
}

RV_TEST(products_and_sizes_are_checked)
{
    rv_arena a = RV_ARENA_INIT;
    int *p = NULL;
    rv_error err;
    CHECK_EQ(rv_arena_array(&a, SIZE_MAX / 2, 4, &p, &err), RV_E_MEMORY);
    CHECK_EQ(rv_arena_alloc(&a, SIZE_MAX, &p, &err), RV_E_MEMORY);
    CHECK_EQ(rv_arena_alloc(&a, SIZE_MAX - 20, &p, &err), RV_E_MEMORY);
    CHECK(p == NULL);
    CHECK_EQ(rv_arena_array(&a, 10, sizeof *p, &p, &err), RV_OK);
    CHECK(p != NULL && p[9] == 0);
    rv_arena_free(&a);
}

static rv_status build(void)
{
    rv_arena a = RV_ARENA_INIT;
    const char *text = NULL;
    rv_str s;
    void *p;
    rv_status st;
    for (unsigned i = 0; i < 100; i++) {
        RV_GO(rv_arena_alloc(&a, i * 40, &p, NULL));
        RV_GO(rv_arena_str(&a, RV_STR("text"), &s, NULL));
        RV_GO(rv_arena_printf(&a, &text, NULL, "%u", i));
    }
done:
    rv_arena_free(&a);
    return st;
}

RV_TEST(allocation_sweep)
{
    sweep_alloc(build);
}

RV_TEST_MAIN(RV_CASE(pieces_are_zeroed_aligned_and_apart), RV_CASE(texts_are_terminated_copies),
             RV_CASE(products_and_sizes_are_checked), RV_CASE(allocation_sweep))
