#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "column/render.h"
#include "format/parquet/verify_internal.h"

#define CELL_CHARS 32u
#define CELL_BYTES_MAX 160u /* enough for 32 code points, cut or not */
#define ROWS_MAX 1000u

typedef struct head {
    rv_pq_file file;
    rv_pq_shared shared;
    rv_pq_reader reader;
    rv_arena group_arena;
    rv_arena texts;
    rv_buf cell;
    rv_type *types; /* by rivet.types, or NULL */
    rv_str *cells;  /* column by column */
    uint32_t rows;
} head;

/* ---- one cell ---- */

/* Lays the cell out as a batch would, since that is what the renderer takes. */
static rv_status render_cell(rv_type t, const rv_cell *cell, rv_buf *out, rv_error *err)
{
    uint8_t bytes[CELL_BYTES_MAX] = {0};
    uint32_t offsets[2] = {0, 0};
    rv_col col = {.type = t, .rows = 1, .values = bytes, .offsets = offsets};
    int32_t i32 = (int32_t)cell->i64;
    int64_t i64 = cell->i64;
    float f32 = (float)cell->f64;
    rv_bytes var = cell->bytes;
    switch (rv_type_layout(t)) {
    case RV_LAYOUT_BOOL8:
        bytes[0] = cell->i64 != 0;
        break;
    case RV_LAYOUT_I32:
        memcpy(bytes, &i32, sizeof i32);
        break;
    case RV_LAYOUT_I64:
        if (t.kind == RV_DECIMAL && !rv_i256_to_i64(cell->dec, &i64))
            return rv_fail(err, RV_E_CORRUPT, "a decimal has too many digits");
        memcpy(bytes, &i64, sizeof i64);
        break;
    case RV_LAYOUT_F32:
        memcpy(bytes, &f32, sizeof f32);
        break;
    case RV_LAYOUT_F64:
        memcpy(bytes, &cell->f64, sizeof cell->f64);
        break;
    case RV_LAYOUT_B16:
    case RV_LAYOUT_B32:
        if (t.kind == RV_UUID)
            memcpy(bytes, var.ptr, 16);
        else
            memcpy(bytes, cell->dec.limb, rv_layout_width(rv_type_layout(t)));
        break;
    case RV_LAYOUT_VAR:
    case RV_LAYOUT_LIST:
        var.len = rv_utf8_cut((rv_str){(const char *)var.ptr, var.len}, CELL_BYTES_MAX);
        if (var.len)
            memcpy(bytes, var.ptr, var.len);
        offsets[1] = (uint32_t)var.len;
        break;
    }
    return rv_render_value(&col, 0, out, err);
}

static rv_type shown_type(const head *h, uint32_t column)
{
    const rv_pq_top *top = &h->file.columns[column];
    const rv_pq_read_leaf *leaf = &h->file.leaves[top->first_leaf];
    rv_type t;
    if (h->types)
        return h->types[column];
    if (rv_pq_natural_type(&h->file, top, &t))
        return t;
    if (top->n_leaves && leaf->type == RV_PQ_INT64)
        return rv_type_of(RV_INT64);
    if (top->n_leaves && leaf->type == RV_PQ_INT32)
        return rv_type_of(RV_INT32);
    return rv_type_of(RV_BINARY);
}

/* A list kept as text is shown as that text. */
static rv_status render_value(rv_type t, const rv_pq_read_leaf *leaf, const rv_pq_slice_values *v,
                              uint32_t k, rv_buf *out, rv_error *err)
{
    uint8_t uuid[16];
    rv_cell cell = {0};
    if (leaf->type == RV_PQ_INT96) {
        cell.bytes = (rv_bytes){v->fixed + (size_t)k * 12, 12};
        return render_cell(rv_type_of(RV_BINARY), &cell, out, err);
    }
    if (t.kind == RV_LIST)
        t = leaf->max_rep ? rv_type_elem(t) : rv_type_of(RV_STRING);
    RV_TRY(rv_pq_cell_from_value(t, leaf, v, k, &cell, uuid, err));
    return render_cell(t, &cell, out, err);
}

/* ---- one column ---- */

/* Keeps the text in hand as cell `row`, cut and on one line. */
static rv_status keep(head *h, uint32_t column, uint32_t row, rv_error *err)
{
    rv_str s = rv_buf_str(&h->cell);
    size_t at = 0, chars = 0;
    for (; at < s.len && chars < CELL_CHARS; chars++) {
        at++;
        while (at < s.len && ((uint8_t)s.ptr[at] & 0xC0) == 0x80)
            at++;
    }
    for (size_t i = 0; i < at; i++)
        if (h->cell.ptr[i] < 0x20 || h->cell.ptr[i] == 0x7F)
            h->cell.ptr[i] = ' ';
    s.len = at;
    RV_TRY(rv_arena_str(&h->texts, s, &h->cells[(size_t)column * h->rows + row], err));
    rv_buf_clear(&h->cell);
    return RV_OK;
}

static rv_status add_element(head *h, rv_type t, const rv_pq_slice *s, uint32_t e, uint32_t *k,
                             rv_error *err)
{
    const rv_pq_read_leaf *leaf = h->reader.chunk->leaf;
    bool present = !s->def || s->def[e] == leaf->max_def;
    uint32_t at = *k;
    *k += present;
    if (h->cell.len > CELL_BYTES_MAX)
        return RV_OK;
    if (leaf->max_rep)
        RV_TRY(rv_buf_add_c(&h->cell, h->cell.len ? ", " : "[", err));
    return present ? render_value(t, leaf, &s->values, at, &h->cell, err) : RV_OK;
}

static rv_status end_row(head *h, uint32_t column, uint32_t *row, rv_error *err)
{
    if (h->reader.chunk->leaf->max_rep && h->cell.len)
        RV_TRY(rv_buf_add_byte(&h->cell, ']', err));
    return keep(h, column, (*row)++, err);
}

static rv_status show_slice(head *h, uint32_t column, const rv_pq_slice *s, uint32_t *row,
                            bool *in_row, rv_error *err)
{
    rv_type t = shown_type(h, column);
    uint32_t k = 0;
    for (uint32_t e = 0; e < s->n; e++) {
        bool begins = !s->rep || s->rep[e] == 0;
        if (begins && *in_row)
            RV_TRY(end_row(h, column, row, err));
        *in_row = true;
        RV_TRY(add_element(h, t, s, e, &k, err));
    }
    return RV_OK;
}

static rv_status show_group(head *h, uint32_t column, const rv_pq_read_chunk *chunk, uint32_t *row,
                            rv_error *err)
{
    uint32_t want = h->rows - *row, begun = 0;
    bool in_row = false;
    rv_pq_slice s = {0};
    rv_pq_reader_start(&h->reader, &h->file, chunk, &h->shared, true);
    bool flat = chunk->leaf->max_rep == 0;
    while (!flat || begun < want) {
        RV_TRY(rv_pq_reader_next(&h->reader, want - begun, &s, err));
        if (s.n == 0)
            break;
        begun += s.rows;
        RV_TRY(show_slice(h, column, &s, row, &in_row, err));
    }
    return in_row ? end_row(h, column, row, err) : RV_OK;
}

static rv_status show_column(head *h, uint32_t column, rv_error *err)
{
    const rv_pq_top *top = &h->file.columns[column];
    uint32_t row = 0;
    rv_buf_clear(&h->cell);
    for (uint32_t g = 0; top->n_leaves == 1 && g < h->file.meta.row_groups.n && row < h->rows;
         g++) {
        rv_pq_read_group group;
        rv_arena_free(&h->group_arena);
        RV_TRY(rv_pq_group_read(&h->file, g, &h->group_arena, &group, err));
        RV_TRY(show_group(h, column, &group.chunks[top->first_leaf], &row, err));
    }
    while (row < h->rows) {
        RV_TRY(rv_buf_add_c(&h->cell, "{...}", err));
        RV_TRY(keep(h, column, row++, err));
    }
    return RV_OK;
}

/* ---- the text ---- */

static const char *type_text(const head *h, uint32_t column, char name[RV_TYPE_NAME_SIZE])
{
    const rv_pq_top *top = &h->file.columns[column];
    rv_type t;
    if (!h->types && !rv_pq_natural_type(&h->file, top, &t))
        return top->n_leaves == 1 ? rv_pq_type_name(h->file.leaves[top->first_leaf].type)
                                  : "nested";
    rv_type_name(shown_type(h, column), name);
    return name;
}

static rv_status print_schema(const head *h, rv_buf *out, rv_error *err)
{
    char name[RV_TYPE_NAME_SIZE];
    RV_TRY(rv_buf_printf(
        out, err, "%" PRId64 " rows in %zu row groups, %u columns, written by %.*s\n",
        h->file.meta.num_rows, h->file.meta.row_groups.n, h->file.n_columns,
        (int)(h->file.meta.created_by.len < 200 ? h->file.meta.created_by.len : 200),
        h->file.meta.created_by.len ? (const char *)h->file.meta.created_by.ptr : ""));
    for (uint32_t i = 0; i < h->file.n_columns; i++)
        RV_TRY(rv_buf_printf(out, err, "  %-24s %s\n", h->file.columns[i].name,
                             type_text(h, i, name)));
    return RV_OK;
}

static rv_status print_padded(rv_str s, size_t width, bool last, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_str(out, s, err));
    for (size_t n = rv_utf8_count(s); !last && n < width + 2; n++)
        RV_TRY(rv_buf_add_byte(out, ' ', err));
    return last ? rv_buf_add_byte(out, '\n', err) : RV_OK;
}

static rv_status measure(head *h, size_t **out, rv_error *err)
{
    size_t *widths;
    RV_TRY(rv_arena_array(&h->texts, h->file.n_columns + 1u, sizeof *widths, &widths, err));
    for (uint32_t i = 0; i < h->file.n_columns; i++) {
        widths[i] = rv_utf8_count(rv_str_c(h->file.columns[i].name));
        for (uint32_t k = 0; k < h->rows; k++) {
            size_t width = rv_utf8_count(h->cells[(size_t)i * h->rows + k]);
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
    *out = widths;
    return RV_OK;
}

static rv_status print_rows(head *h, rv_buf *out, rv_error *err)
{
    uint32_t n = h->file.n_columns;
    size_t *widths = NULL;
    RV_TRY(measure(h, &widths, err));
    for (uint32_t i = 0; i < n; i++)
        RV_TRY(print_padded(rv_str_c(h->file.columns[i].name), widths[i], i + 1 == n, out, err));
    for (uint32_t r = 0; r < h->rows; r++)
        for (uint32_t i = 0; i < n; i++)
            RV_TRY(
                print_padded(h->cells[(size_t)i * h->rows + r], widths[i], i + 1 == n, out, err));
    return RV_OK;
}

static rv_status show_file(head *h, uint64_t max_rows, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_pq_check_structure(&h->file, err));
    RV_TRY(rv_pq_types_read(&h->file, &h->file.arena, &h->types, err));
    RV_TRY(rv_pq_shared_open(&h->shared, err));
    uint64_t rows = (uint64_t)h->file.meta.num_rows;
    rows = rows < max_rows ? rows : max_rows;
    h->rows = rows < ROWS_MAX ? (uint32_t)rows : ROWS_MAX;
    RV_TRY(rv_arena_array(&h->texts, (size_t)h->file.n_columns * h->rows + 1, sizeof *h->cells,
                          &h->cells, err));
    for (uint32_t i = 0; i < h->file.n_columns; i++)
        RV_TRY(show_column(h, i, err));
    RV_TRY(print_schema(h, out, err));
    return h->rows ? print_rows(h, out, err) : RV_OK;
}

rv_status rv_parquet_head(const rv_env *env, rv_readable in, uint64_t max_rows, rv_buf *out,
                          rv_error *err)
{
    head h = {0};
    size_t before = out->len;
    rv_status st = rv_pq_file_init(&h.file, env, in, err);
    if (st == RV_OK)
        st = show_file(&h, max_rows, out, err);
    if (st != RV_OK)
        out->len = before;
    rv_pq_reader_close(&h.reader);
    rv_pq_shared_close(&h.shared);
    rv_buf_free(&h.cell);
    rv_arena_free(&h.texts);
    rv_arena_free(&h.group_arena);
    rv_pq_file_free(&h.file);
    return st;
}
