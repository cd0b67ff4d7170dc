#include "fuzz.h"

#include "source/mysql/scan_internal.h"

#define FIELDS 3

/* Columns of every decoder. */
static const struct {
    int type;
    unsigned long length;
    unsigned decimals, flags, charset;
    const char *override_word; /* NULL: none */
} kinds[] = {
    {MYSQL_TYPE_TINY, 1, 0, 0, 63, NULL},
    {MYSQL_TYPE_TINY, 4, 0, 0, 63, NULL},
    {MYSQL_TYPE_SHORT, 5, 0, UNSIGNED_FLAG, 63, NULL},
    {MYSQL_TYPE_LONG, 10, 0, UNSIGNED_FLAG, 63, "text"},
    {MYSQL_TYPE_LONGLONG, 20, 0, 0, 63, NULL},
    {MYSQL_TYPE_LONGLONG, 20, 0, UNSIGNED_FLAG, 63, "decimal(20,0)"},
    {MYSQL_TYPE_LONGLONG, 20, 0, 0, 63, "float8"},
    {MYSQL_TYPE_YEAR, 4, 0, UNSIGNED_FLAG, 63, "text"},
    {MYSQL_TYPE_NEWDECIMAL, 14, 2, 0, 63, NULL},
    {MYSQL_TYPE_NEWDECIMAL, 67, 30, 0, 63, NULL},
    {MYSQL_TYPE_NEWDECIMAL, 14, 2, 0, 63, "int8"},
    {MYSQL_TYPE_DOUBLE, 22, 31, 0, 63, NULL},
    {MYSQL_TYPE_DOUBLE, 22, 31, 0, 63, "float4"},
    {MYSQL_TYPE_DOUBLE, 22, 31, 0, 63, "decimal(20,4)"},
    {MYSQL_TYPE_BIT, 1, 0, UNSIGNED_FLAG, 63, NULL},
    {MYSQL_TYPE_BIT, 64, 0, UNSIGNED_FLAG, 63, "text"},
    {MYSQL_TYPE_DATE, 10, 0, 128, 63, NULL},
    {MYSQL_TYPE_DATE, 10, 0, 128, 63, "timestamp_ns"},
    {MYSQL_TYPE_DATETIME, 26, 6, 128, 63, NULL},
    {MYSQL_TYPE_DATETIME, 26, 6, 128, 63, "date"},
    {MYSQL_TYPE_TIMESTAMP, 19, 0, 128, 63, "text"},
    {MYSQL_TYPE_TIME, 17, 6, 128, 63, NULL},
    {MYSQL_TYPE_TIME, 10, 0, 128, 63, "text"},
    {MYSQL_TYPE_VAR_STRING, 80, 0, 0, 45, NULL},
    {MYSQL_TYPE_VAR_STRING, 80, 0, 0, 45, "timestamptz"},
    {MYSQL_TYPE_STRING, 16, 0, 128, 63, "uuid"},
    {MYSQL_TYPE_BLOB, 65535, 0, 144, 63, NULL},
    {MYSQL_TYPE_JSON, 99, 0, 144, 63, NULL},
};

typedef struct row {
    rv_mys_column columns[FIELDS];
    rv_mys_cell cells[FIELDS];
    bool text;
} row;

static void bind(unsigned pick, bool text, rv_mys_column *c)
{
    size_t k = pick % (sizeof kinds / sizeof kinds[0]);
    bool supported = false;
    rv_error err = {0};
    *c = (rv_mys_column){.name = "x",
                         .field = {.name = "x",
                                   .type = (enum enum_field_types)kinds[k].type,
                                   .length = kinds[k].length,
                                   .decimals = kinds[k].decimals,
                                   .flags = kinds[k].flags,
                                   .charset = kinds[k].charset}};
    rv_mys_natural(&c->field, &c->type, &supported);
    c->overridden = kinds[k].override_word != NULL;
    if (c->overridden && !rv_type_from_override(rv_str_c(kinds[k].override_word), &c->type))
        __builtin_trap();
    if (rv_mys_column_bind(c, text, &err) != RV_OK)
        __builtin_trap();
}

/* A row: decoded, and each cell as if it were a key. */
static void take_row(const row *r, rv_builder *b)
{
    rv_error err = {0};
    rv_status st = RV_OK;
    for (uint32_t i = 0; i < FIELDS && st == RV_OK; i++) {
        const rv_mys_column *c = &r->columns[i];
        st = r->cells[i].data
                 ? rv_mys_decoder_fn(c->decoder)(c, i, r->cells[i].data, r->cells[i].n, b, &err)
                 : rv_builder_null(b, i, &err);
    }
    if (st == RV_OK)
        st = rv_builder_row_end(b, &err);
    if (st != RV_OK)
        rv_builder_row_undo(b);
    for (size_t i = 0; i < FIELDS; i++) {
        rv_buf key = RV_BUF_INIT;
        rv_mys_key_column c = {.field = r->columns[i].field};
        size_t room = rv_mys_wire_text_room(r->cells[i].n);
        if (r->cells[i].data && rv_buf_reserve(&key, room, NULL) == RV_OK &&
            rv_mys_wire_text(&c, &c.field, r->text, r->cells[i].data, r->cells[i].n,
                             (char *)key.ptr, &key.len) &&
            key.len > room)
            __builtin_trap();
        rv_buf_free(&key);
    }
    rv_batch *batch = NULL;
    if (rv_builder_full(b) && rv_builder_freeze(b, &batch, &err) == RV_OK)
        rv_builder_recycle(b, batch);
}

/* A packet of the binary protocol, or fields of the text protocol, each behind its length byte
 * (0xff: NULL). */
static bool read_cells(row *r, const uint8_t *data, size_t n)
{
    uint8_t widths[FIELDS];
    if (!r->text) {
        for (size_t i = 0; i < FIELDS; i++)
            widths[i] = rv_mys_binary_width(r->columns[i].field.type);
        return rv_mys_split((rv_bytes){data, n}, widths, FIELDS, r->cells);
    }
    for (size_t i = 0; i < FIELDS; i++) {
        size_t len = n ? data[0] : 0xff;
        r->cells[i] = (rv_mys_cell){NULL, 0};
        data += n > 0;
        n -= n > 0;
        if (len == 0xff)
            continue;
        len = len < n ? len : n;
        r->cells[i] = (rv_mys_cell){(const char *)data, len};
        data += len;
        n -= len;
    }
    return true;
}

/* One byte picks the protocol, three the columns; then come rows, each behind its length. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rv_column columns[FIELDS];
    rv_schema schema = {columns, FIELDS};
    rv_builder_opts opts = {.schema = &schema,
                            .max_rows = 8,
                            .max_bytes = 1 << 20,
                            .max_value_bytes = 1 << 20,
                            .batches = 2};
    rv_builder *b = NULL;
    row r = {.text = size > 0 && data[0] % 2 == 1};
    if (size < 1 + FIELDS)
        return 0;
    for (size_t i = 0; i < FIELDS; i++) {
        bind(data[1 + i], r.text, &r.columns[i]);
        columns[i] = (rv_column){.name = "x", .type = r.columns[i].type};
    }
    data += 1 + FIELDS;
    size -= 1 + FIELDS;
    if (rv_builder_open(&opts, &b, NULL) != RV_OK)
        return 0;
    while (size >= 2) {
        size_t n = (size_t)data[0] << 8 | data[1];
        n = n < size - 2 ? n : size - 2;
        if (read_cells(&r, data + 2, n))
            take_row(&r, b);
        data += 2 + n;
        size -= 2 + n;
    }
    rv_builder_close(b);
    return 0;
}
