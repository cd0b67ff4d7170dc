#include "cli/table_text.h"

#include "../base/sweep.h"

RV_TEST(columns_are_padded_and_long_cells_push)
{
    static const rv_table_column columns[] = {
        {"EXPORT", 8, false}, {"ROWS", 5, true}, {"ID", 0, false}};
    const char *cells[] = {"zähler", "12", "a", "a_long_name", "123456", NULL};
    const char *notes[] = {NULL, "note: schema changed"};
    const rv_table t = {columns, 3, cells, notes, 2, 20, 0};
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_table_text(&t, &out, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&out), "EXPORT    ROWS ID\n"
                                 "--------------------\n"
                                 "zähler      12 a\n"
                                 "a_long_name 123456 -\n"
                                 "  note: schema changed\n");
    rv_buf_free(&out);
}

RV_TEST(free_columns_are_as_wide_as_their_cells)
{
    static const rv_table_column columns[] = {{"A", 0, false}, {"LONG", 0, true}};
    const char *cells[] = {"value", "1"};
    const rv_table t = {columns, 2, cells, NULL, 1, 0, 2};
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_table_text(&t, &out, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&out), "  A     LONG\n  ----------\n  value    1\n");
    rv_buf_free(&out);
}

RV_TEST(foreign_texts_cannot_steer_the_terminal)
{
    static const rv_table_column columns[] = {{"A", 0, false}};
    const char *cells[] = {"a\033[2Jb\nc"};
    const rv_table t = {columns, 1, cells, NULL, 1, 1, 0};
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_table_text(&t, &out, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&out), "A\n-\na [2Jb c\n");
    rv_buf_free(&out);
}

RV_TEST(cells_say_what_is_unknown)
{
    rv_arena a = RV_ARENA_INIT;
    const char *cell = "x";
    CHECK_EQ(rv_cell_i64(&a, -1, &cell, NULL), RV_OK);
    CHECK(!cell);
    CHECK_EQ(rv_cell_size(&a, 1536, &cell, NULL), RV_OK);
    CHECK_STR(cell, "1.5 KB");
    CHECK_EQ(rv_cell_duration(&a, 126000, &cell, NULL), RV_OK);
    CHECK_STR(cell, "2m 06.0s");
    CHECK_EQ(rv_cell_time(&a, "2026-05-02T08:00:04.500Z", &cell, NULL), RV_OK);
    CHECK_STR(cell, "2026-05-02T08:00:04+00:00");
    CHECK_EQ(rv_cell_time(&a, "whenever", &cell, NULL), RV_OK);
    CHECK_STR(cell, "whenever");
    rv_arena_free(&a);
}

static rv_status make_one(void)
{
    static const rv_table_column columns[] = {{"A", 0, false}};
    const char *cells[] = {"value"};
    const rv_table t = {columns, 1, cells, NULL, 1, 0, 0};
    rv_error err = {0};
    rv_arena a = RV_ARENA_INIT;
    rv_buf out = RV_BUF_INIT;
    rv_status st = rv_cell_i64(&a, 41200, &cells[0], &err);
    if (st == RV_OK)
        st = rv_table_text(&t, &out, &err);
    rv_buf_free(&out);
    rv_arena_free(&a);
    return st;
}

RV_TEST(memory_may_run_out)
{
    sweep_alloc(make_one);
}

RV_TEST_MAIN(RV_CASE(columns_are_padded_and_long_cells_push),
             RV_CASE(free_columns_are_as_wide_as_their_cells),
             RV_CASE(foreign_texts_cannot_steer_the_terminal), RV_CASE(cells_say_what_is_unknown),
             RV_CASE(memory_may_run_out))
