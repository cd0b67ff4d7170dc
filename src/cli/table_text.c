#include "cli/table_text.h"

#include "base/clock.h"

static const char *shown(const char *cell)
{
    return cell && cell[0] ? cell : "-";
}

static void measure(const rv_table *t, size_t *widths)
{
    for (size_t c = 0; c < t->n_columns; c++) {
        widths[c] = t->columns[c].width;
        if (widths[c])
            continue;
        widths[c] = strlen(t->columns[c].title);
        for (size_t r = 0; r < t->n_rows; r++) {
            size_t n = rv_utf8_count(rv_str_c(shown(t->cells[r * t->n_columns + c])));
            widths[c] = n > widths[c] ? n : widths[c];
        }
    }
}

static rv_status add_blanks(rv_buf *out, size_t n, rv_error *err)
{
    return n ? rv_buf_printf(out, err, "%*s", (int)n, "") : RV_OK;
}

/* A foreign text must not steer the terminal. */
static rv_status add_cell(rv_buf *out, const char *cell, rv_error *err)
{
    for (const char *p = cell; *p; p++) {
        bool control = (unsigned char)*p < 0x20 || *p == 0x7F;
        RV_TRY(rv_buf_add_byte(out, control ? (uint8_t)' ' : (uint8_t)*p, err));
    }
    return RV_OK;
}

static rv_status add_line(const rv_table *t, const size_t *widths, const char *const *cells,
                          rv_buf *out, rv_error *err)
{
    RV_TRY(add_blanks(out, t->indent, err));
    for (size_t c = 0; c < t->n_columns; c++) {
        const char *cell = shown(cells[c]);
        size_t n = rv_utf8_count(rv_str_c(cell));
        size_t pad = widths[c] > n ? widths[c] - n : 0;
        bool last = c + 1 == t->n_columns;
        if (t->columns[c].right)
            RV_TRY(add_blanks(out, pad, err));
        RV_TRY(add_cell(out, cell, err));
        if (!t->columns[c].right && !last)
            RV_TRY(add_blanks(out, pad, err));
        RV_TRY(rv_buf_add_byte(out, last ? '\n' : ' ', err));
    }
    return RV_OK;
}

static rv_status add_rule(const rv_table *t, const size_t *widths, rv_buf *out, rv_error *err)
{
    size_t n = t->rule;
    for (size_t c = 0; c < t->n_columns && t->rule == 0; c++)
        n += widths[c] + (c > 0);
    RV_TRY(add_blanks(out, t->indent, err));
    for (size_t i = 0; i < n; i++)
        RV_TRY(rv_buf_add_byte(out, '-', err));
    return rv_buf_add_byte(out, '\n', err);
}

rv_status rv_table_text(const rv_table *t, rv_buf *out, rv_error *err)
{
    size_t widths[RV_TABLE_COLUMNS_MAX];
    const char *titles[RV_TABLE_COLUMNS_MAX];
    measure(t, widths);
    for (size_t c = 0; c < t->n_columns; c++)
        titles[c] = t->columns[c].title;
    RV_TRY(add_line(t, widths, titles, out, err));
    RV_TRY(add_rule(t, widths, out, err));
    for (size_t r = 0; r < t->n_rows; r++) {
        RV_TRY(add_line(t, widths, &t->cells[r * t->n_columns], out, err));
        if (!t->notes || !t->notes[r])
            continue;
        RV_TRY(add_blanks(out, t->indent + 2, err));
        RV_TRY(add_cell(out, t->notes[r], err));
        RV_TRY(rv_buf_add_byte(out, '\n', err));
    }
    return RV_OK;
}

rv_status rv_cell_i64(rv_arena *a, int64_t v, const char **out, rv_error *err)
{
    *out = NULL;
    return v < 0 ? RV_OK : rv_arena_printf(a, out, err, "%lld", (long long)v);
}

rv_status rv_cell_size(rv_arena *a, int64_t bytes, const char **out, rv_error *err)
{
    char text[32];
    *out = NULL;
    if (bytes < 0)
        return RV_OK;
    rv_size_text((uint64_t)bytes, text);
    return rv_arena_cstr(a, rv_str_c(text), out, err);
}

rv_status rv_cell_duration(rv_arena *a, int64_t ms, const char **out, rv_error *err)
{
    char text[32];
    *out = NULL;
    if (ms < 0)
        return RV_OK;
    rv_duration_text(ms, text);
    return rv_arena_cstr(a, rv_str_c(text), out, err);
}

rv_status rv_cell_time(rv_arena *a, const char *time, const char **out, rv_error *err)
{
    char text[RV_RFC3339_SIZE];
    int64_t us;
    *out = time;
    if (!time || !rv_rfc3339_parse(rv_str_c(time), &us))
        return RV_OK;
    rv_rfc3339_s(us, text);
    return rv_arena_cstr(a, rv_str_c(text), out, err);
}
