#include "base/buf.h"

#include "sweep.h"

RV_TEST(appending)
{
    rv_buf b = RV_BUF_INIT;
    CHECK_EQ(rv_buf_add(&b, NULL, 0, NULL), RV_OK);
    CHECK(b.ptr == NULL);
    CHECK_EQ(rv_buf_add_c(&b, "ab", NULL), RV_OK);
    CHECK_EQ(rv_buf_add_byte(&b, 'c', NULL), RV_OK);
    CHECK_EQ(rv_buf_add_str(&b, RV_STR("d\0e"), NULL), RV_OK);
    CHECK_EQ(rv_buf_printf(&b, NULL, "%d-%s", 42, "x"), RV_OK);
    CHECK_MEM(b.ptr, b.len, "abcd\0e42-x", 10);
    CHECK_STR(rv_buf_cstr(&b) + 6, "42-x");
    CHECK_EQ(b.len, 10);
    rv_buf_clear(&b);
    CHECK(b.len == 0 && b.cap > 0);
    rv_buf_free(&b);
    CHECK(b.ptr == NULL && b.cap == 0);
    rv_buf_free(NULL);
}

RV_TEST(an_empty_buffer_is_an_empty_text)
{
    rv_buf b = RV_BUF_INIT;
    CHECK_STR(rv_buf_cstr(&b), "");
    rv_buf_free(&b);
}

RV_TEST(growth_is_geometric)
{
    rv_buf b = RV_BUF_INIT;
    unsigned moves = 0;
    size_t cap = 0;
    for (unsigned i = 0; i < 100000; i++) {
        REQUIRE(rv_buf_add_byte(&b, (uint8_t)i, NULL) == RV_OK);
        moves += b.cap != cap;
        cap = b.cap;
    }
    CHECK(moves < 30);
    for (unsigned i = 0; i < 100000; i++)
        if (b.ptr[i] != (uint8_t)i)
            CHECK(false && "every byte is kept");
    rv_buf_free(&b);
}

RV_TEST(an_impossible_size_changes_nothing)
{
    rv_buf b = RV_BUF_INIT;
    rv_error err;
    REQUIRE(rv_buf_add_c(&b, "abc", NULL) == RV_OK);
    CHECK_EQ(rv_buf_reserve(&b, SIZE_MAX, &err), RV_E_MEMORY);
    CHECK_EQ(rv_buf_reserve(&b, SIZE_MAX - 3, &err), RV_E_MEMORY);
    CHECK_MEM(b.ptr, b.len, "abc", 3);
    rv_buf_free(&b);
}

static rv_status build(void)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (unsigned i = 0; st == RV_OK && i < 300; i++) {
        size_t before = b.len;
        st = rv_buf_printf(&b, NULL, "%u,", i);
        if (st != RV_OK && b.len != before)
            CHECK(false && "a failed append changes nothing");
    }
    rv_buf_free(&b);
    return st;
}

RV_TEST(allocation_sweep)
{
    sweep_alloc(build);
}

RV_TEST_MAIN(RV_CASE(appending), RV_CASE(an_empty_buffer_is_an_empty_text),
             RV_CASE(growth_is_geometric), RV_CASE(an_impossible_size_changes_nothing),
             RV_CASE(allocation_sweep))
