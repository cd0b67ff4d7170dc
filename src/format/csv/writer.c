#include "format/csv/csv_internal.h"

#include <assert.h>

#include "base/mem.h"

enum {
    BUFFER_BYTES = 256 << 10,
    /* a longer value goes through the buffer in slices of this size */
    SLICE_BYTES = 64 << 10,
    /* until the codec has shown its ratio, text is taken to shrink to a quarter */
    FIRST_RATIO_DIVISOR = 4
};

typedef struct csv_column {
    rv_type type;
    bool is_var;
    unsigned width;
    rv_csv_day day;
    /* of the batch at hand */
    const uint8_t *validity;
    const uint8_t *next; /* next present value; VAR: the bytes */
    const uint32_t *offset;
} csv_column;

struct rv_writer {
    rv_sink sink;
    rv_codec_stream *stream; /* NULL: plain text */
    csv_column *columns;
    size_t n_columns;
    uint64_t rows;
    uint64_t flushed_bytes;  /* of text */
    uint64_t estimate_floor; /* see rv_csv_encoded_bytes */
    size_t len;
    uint8_t buffer[BUFFER_BYTES];
};

rv_status rv_csv_check(const rv_schema *schema, const rv_format_opts *opts, rv_error *err)
{
    (void)opts;
    if (schema->n_columns == 0) {
        rv_fail(err, RV_E_FORMAT_UNSUPPORTED, "a result without columns has no CSV form");
        rv_hint(err, "name at least one column in the query");
        return RV_E_FORMAT_UNSUPPORTED;
    }
    for (size_t i = 0; i < schema->n_columns; i++) {
        const rv_column *c = &schema->columns[i];
        if (c->type.kind != RV_LIST)
            continue;
        char type[RV_TYPE_NAME_SIZE];
        rv_type_name(c->type, type);
        return rv_fail(err, RV_E_FORMAT_UNSUPPORTED,
                       "column '%s' (%s) has no CSV form; choose format: parquet or leave it out",
                       c->name, type);
    }
    return RV_OK;
}

static rv_status writer_flush(rv_writer *w, rv_error *err)
{
    if (w->len == 0)
        return RV_OK;
    /* what was said before more is known stays said */
    w->estimate_floor = rv_csv_encoded_bytes(w);
    rv_bytes data = {w->buffer, w->len};
    if (w->stream)
        RV_TRY(rv_codec_stream_write(w->stream, data, err));
    else
        RV_TRY(w->sink.write(w->sink.self, data, err));
    w->flushed_bytes += w->len;
    w->len = 0;
    return RV_OK;
}

/* Room for a field of `need` bytes, its comma and the line end. Called at places that depend on
 * the rows alone, so that flushes do too. */
static inline rv_status writer_room(rv_writer *w, size_t need, rv_error *err)
{
    if (BUFFER_BYTES - w->len >= need + 2)
        return RV_OK;
    return writer_flush(w, err);
}

static rv_status put_byte(rv_writer *w, uint8_t c, rv_error *err)
{
    RV_TRY(writer_room(w, 1, err));
    w->buffer[w->len++] = c;
    return RV_OK;
}

/* A value too long for the buffer: looked over once, then written slice by slice. */
static rv_status put_long_value(rv_writer *w, const uint8_t *p, size_t len, bool hex, rv_error *err)
{
    bool quoted = !hex && rv_csv_find_special(p, len) < len;
    if (quoted)
        RV_TRY(put_byte(w, '"', err));
    while (len > 0) {
        size_t n = len < SLICE_BYTES ? len : SLICE_BYTES;
        RV_TRY(writer_room(w, 2 * n, err));
        uint8_t *out = w->buffer + w->len;
        uint8_t *end = hex ? rv_csv_put_hex(out, p, n) : rv_csv_put_doubled(out, p, n);
        w->len += (size_t)(end - out);
        p += n;
        len -= n;
    }
    return quoted ? put_byte(w, '"', err) : RV_OK;
}

static rv_status put_value(rv_writer *w, const uint8_t *p, size_t len, bool hex, rv_error *err)
{
    if (len > SLICE_BYTES)
        return put_long_value(w, p, len, hex, err);
    RV_TRY(writer_room(w, 2 * len + 2, err));
    uint8_t *out = w->buffer + w->len;
    /* an empty binary is an empty text: quoted, for it is not NULL */
    uint8_t *end = hex && len > 0 ? rv_csv_put_hex(out, p, len) : rv_csv_put_text(out, p, len);
    w->len += (size_t)(end - out);
    return RV_OK;
}

static rv_status put_header(rv_writer *w, const rv_schema *schema, rv_error *err)
{
    for (size_t i = 0; i < schema->n_columns; i++) {
        rv_bytes name = rv_str_bytes(rv_str_c(schema->columns[i].name));
        RV_TRY(put_value(w, name.ptr, name.len, false, err));
        RV_TRY(put_byte(w, i + 1 < schema->n_columns ? ',' : '\n', err));
    }
    return RV_OK;
}

static rv_status columns_open(rv_writer *w, const rv_schema *schema, rv_error *err)
{
    w->columns = rv_calloc(schema->n_columns, sizeof *w->columns);
    if (!w->columns)
        return rv_fail_memory(err);
    w->n_columns = schema->n_columns;
    for (size_t i = 0; i < schema->n_columns; i++) {
        csv_column *c = &w->columns[i];
        rv_layout layout = rv_type_layout(schema->columns[i].type);
        c->type = schema->columns[i].type;
        c->is_var = layout == RV_LAYOUT_VAR;
        c->width = rv_layout_width(layout);
    }
    return RV_OK;
}

rv_status rv_csv_begin(const rv_env *env, const rv_schema *schema, const rv_format_opts *opts,
                       rv_sink sink, rv_writer **out, rv_error *err)
{
    (void)env;
    RV_TRY(rv_csv_check(schema, opts, err));
    rv_status st = RV_OK;
    rv_writer *w = rv_calloc(1, sizeof *w);
    if (!w)
        return rv_fail_memory(err);
    w->sink = sink;
    RV_GO(columns_open(w, schema, err));
    if (opts->codec == RV_CODEC_GZIP || opts->codec == RV_CODEC_ZSTD)
        RV_GO(rv_codec_stream_open(opts->codec, opts->level, sink, &w->stream, err));
    RV_GO(put_header(w, schema, err));
    *out = w;
    return RV_OK;
done:
    rv_csv_discard(w);
    return st;
}

static inline rv_status put_cell(rv_writer *w, csv_column *c, rv_error *err)
{
    if (c->is_var) {
        uint32_t from = c->offset[0], to = c->offset[1];
        c->offset++;
        return put_value(w, c->next + from, to - from, c->type.kind == RV_BINARY, err);
    }
    RV_TRY(writer_room(w, RV_CSV_CELL_MAX, err));
    uint8_t *out = w->buffer + w->len;
    w->len += (size_t)(rv_csv_put_fixed(out, c->type, c->next, &c->day) - out);
    c->next += c->width;
    return RV_OK;
}

static rv_status put_row(rv_writer *w, uint32_t row, rv_error *err)
{
    for (size_t i = 0; i < w->n_columns; i++) {
        csv_column *c = &w->columns[i];
        if (!c->validity || rv_bit(c->validity, row))
            RV_TRY(put_cell(w, c, err));
        RV_TRY(put_byte(w, i + 1 < w->n_columns ? ',' : '\n', err));
    }
    return RV_OK;
}

rv_status rv_csv_write(rv_writer *w, const rv_batch *batch, rv_error *err)
{
    assert(batch->schema->n_columns == w->n_columns);
    for (size_t i = 0; i < w->n_columns; i++) {
        const rv_col *col = &batch->columns[i];
        csv_column *c = &w->columns[i];
        assert(rv_type_eq(col->type, c->type) && col->rows == batch->rows);
        c->validity = col->nulls > 0 ? col->validity : NULL;
        c->next = col->values;
        c->offset = col->offsets;
    }
    for (uint32_t row = 0; row < batch->rows; row++) {
        RV_TRY(put_row(w, row, err));
        w->rows++;
    }
    return RV_OK;
}

/* Plain text: what was written. Compressed: what the codec handed out, plus what it and the
 * buffer still hold at the ratio seen so far. The floor keeps a better ratio from taking back
 * what was said. Everything here moves with the rows alone. */
uint64_t rv_csv_encoded_bytes(const rv_writer *w)
{
    uint64_t text = w->flushed_bytes + w->len;
    if (!w->stream)
        return text;
    uint64_t in = rv_codec_stream_in_bytes(w->stream);
    uint64_t out = rv_codec_stream_out_bytes(w->stream);
    uint64_t pending = text - in;
    uint64_t estimate = out + (in > 0 ? pending * out / in : pending / FIRST_RATIO_DIVISOR);
    return estimate > w->estimate_floor ? estimate : w->estimate_floor;
}

rv_status rv_csv_finish(rv_writer *w, const rv_sums *sums, rv_file_stats *out, rv_error *err)
{
    rv_status st = RV_OK;
    if (sums && sums->rows != w->rows)
        RV_GO(rv_fail(err, RV_E_INTERNAL, "csv: %llu rows were written, the sums count %llu",
                      (unsigned long long)w->rows, (unsigned long long)sums->rows));
    RV_GO(writer_flush(w, err));
    if (w->stream)
        RV_GO(rv_codec_stream_finish(w->stream, err));
    *out = (rv_file_stats){.rows = w->rows,
                           .file_bytes =
                               w->stream ? rv_codec_stream_out_bytes(w->stream) : w->flushed_bytes};
done:
    rv_csv_discard(w);
    return st;
}

void rv_csv_discard(rv_writer *w)
{
    if (!w)
        return;
    rv_codec_stream_close(w->stream);
    rv_free(w->columns);
    rv_free(w);
}
