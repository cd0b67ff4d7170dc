#include "base/mem.h"
#include "state/state_internal.h"

#define VALUES_MAX 2000

rv_status rv_bulk_begin(rv_state *s, const char *head, size_t columns, rv_bulk *out, rv_error *err)
{
    rv_bulk b = {.s = s, .head = head, .columns = columns};
    if (columns == 0 || columns > VALUES_MAX)
        return rv_fail(err, RV_E_INTERNAL, "a state table has %zu columns", columns);
    b.room = VALUES_MAX / columns;
    b.values = rv_calloc(b.room * columns, sizeof *b.values);
    if (!b.values)
        return rv_fail_memory(err);
    *out = b;
    return RV_OK;
}

static rv_status keep(rv_bulk *b, const rv_val *v, rv_val *out, rv_error *err)
{
    rv_str copy;
    *out = *v;
    if (v->kind != RV_VAL_TEXT && v->kind != RV_VAL_BLOB)
        return RV_OK;
    RV_TRY(rv_arena_str(&b->texts, (rv_str){(const char *)v->b.ptr, v->b.len}, &copy, err));
    out->b = rv_str_bytes(copy);
    return RV_OK;
}

rv_status rv_bulk_add(rv_bulk *b, const rv_val *row, rv_error *err)
{
    for (size_t i = 0; i < b->columns; i++)
        RV_TRY(keep(b, &row[i], &b->values[b->rows * b->columns + i], err));
    b->rows++;
    return b->rows < b->room ? RV_OK : rv_bulk_flush(b, err);
}

static rv_status write_sql(rv_bulk *b, rv_error *err)
{
    rv_buf_clear(&b->sql);
    RV_TRY(rv_buf_add_c(&b->sql, b->head, err));
    for (size_t r = 0; r < b->rows; r++)
        for (size_t i = 0; i < b->columns; i++)
            RV_TRY(rv_buf_printf(&b->sql, err, "%s?%s",
                                 i   ? ", "
                                 : r ? ", ("
                                     : "(",
                                 i + 1 == b->columns ? ")" : ""));
    return rv_buf_cstr(&b->sql) ? RV_OK : rv_fail_memory(err);
}

rv_status rv_bulk_flush(rv_bulk *b, rv_error *err)
{
    if (b->rows == 0)
        return RV_OK;
    RV_TRY(write_sql(b, err));
    RV_TRY(rv_st_run(b->s, (const char *)b->sql.ptr, b->values, b->rows * b->columns, NULL, err));
    b->rows = 0;
    rv_arena_free(&b->texts);
    return RV_OK;
}

void rv_bulk_end(rv_bulk *b)
{
    rv_free(b->values);
    rv_arena_free(&b->texts);
    rv_buf_free(&b->sql);
}
