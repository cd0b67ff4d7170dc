#include "fuzz.h"

#include "source/postgres/scan_internal.h"

#define FIELDS 3

/* Columns of every decoder; elements as arrays of them. */
static const struct {
    uint32_t oid, element;
    int32_t typmod;
    const char *name;
    const char *override_word; /* NULL: none */
} kinds[] = {
    {RV_PG_BOOL, 0, -1, "bool", NULL},
    {RV_PG_INT2, 0, -1, "int2", NULL},
    {RV_PG_INT8, 0, -1, "int8", NULL},
    {RV_PG_OID, 0, -1, "oid", NULL},
    {RV_PG_XID8, 0, -1, "xid8", NULL},
    {RV_PG_FLOAT4, 0, -1, "float4", "float8"},
    {RV_PG_FLOAT8, 0, -1, "float8", "decimal(20,4)"},
    {RV_PG_NUMERIC, 0, (12 << 16 | 2) + 4, "numeric", NULL},
    {RV_PG_NUMERIC, 0, (70 << 16 | 40) + 4, "numeric", NULL},
    {RV_PG_NUMERIC, 0, -1, "numeric", "int8"},
    {RV_PG_NUMERIC, 0, -1, "numeric", "float8"},
    {RV_PG_MONEY, 0, -1, "money", NULL},
    {RV_PG_DATE, 0, -1, "date", NULL},
    {RV_PG_TIME, 0, -1, "time", NULL},
    {RV_PG_TIMETZ, 0, -1, "timetz", NULL},
    {RV_PG_TIMESTAMP, 0, -1, "timestamp", NULL},
    {RV_PG_TIMESTAMPTZ, 0, -1, "timestamptz", "timestamp_ns"},
    {RV_PG_INTERVAL, 0, -1, "interval", NULL},
    {RV_PG_TEXT, 0, -1, "text", NULL},
    {RV_PG_TEXT, 0, -1, "text", "timestamptz"},
    {RV_PG_JSONB, 0, -1, "jsonb", NULL},
    {RV_PG_UUID, 0, -1, "uuid", NULL},
    {RV_PG_VARBIT, 0, -1, "varbit", NULL},
    {RV_PG_INET, 0, -1, "inet", NULL},
    {RV_PG_MACADDR, 0, -1, "macaddr", NULL},
    {70002, 0, -1, "hstore", NULL},
    {1007, RV_PG_INT4, -1, "_int4", NULL},
    {1009, RV_PG_TEXT, -1, "_text", NULL},
    {1231, RV_PG_NUMERIC, (12 << 16 | 2) + 4, "_numeric", NULL},
};

static rv_status bind(unsigned pick, rv_arena *arena, rv_pgs_column *column, rv_column *schema,
                      rv_error *err)
{
    size_t k = pick % (sizeof kinds / sizeof kinds[0]);
    rv_source source = {.money_known = true, .money_scale = 2};
    rv_pgs_type_facts facts = {.oid = kinds[k].oid,
                               .typmod = kinds[k].typmod,
                               .typtype = 'b',
                               .typcategory = kinds[k].element ? 'A' : 'X',
                               .element = kinds[k].element,
                               .element_typtype = 'b',
                               .name = kinds[k].name,
                               .display = kinds[k].name};
    rv_cfg_column o = {.column = "x"};
    bool supported = false;
    const char *word = kinds[k].override_word;
    if (word && !rv_type_from_override(rv_str_c(word), &o.type))
        __builtin_trap();
    return rv_pgs_column_bind(&source, &facts, "x", word ? &o : NULL, arena, column, schema,
                              &supported, err);
}

/* A row the parser gave out: decoded, and each field as if it were a key. */
static void take_row(const rv_pgs_relation *r, const char *const *fields, const int32_t *lengths,
                     rv_builder *b)
{
    rv_error err = {0};
    rv_status st = RV_OK;
    for (uint32_t i = 0; i < FIELDS && st == RV_OK; i++)
        st = rv_pgs_decode(r, i, fields[i], lengths[i], b, &err);
    if (st == RV_OK)
        st = rv_builder_row_end(b, &err);
    if (st != RV_OK)
        rv_builder_row_undo(b);
    for (uint32_t i = 0; i < FIELDS; i++) {
        rv_buf key = RV_BUF_INIT;
        if (lengths[i] >= 0 &&
            rv_pgs_wire_text(r->columns[i].oid, fields[i], lengths[i], &key, NULL) == RV_OK &&
            key.len > rv_pgs_wire_text_room(r->columns[i].oid, fields[i], lengths[i]))
            __builtin_trap();
        rv_buf_free(&key);
    }
    rv_batch *batch = NULL;
    if (rv_builder_full(b) && rv_builder_freeze(b, &batch, &err) == RV_OK)
        rv_builder_recycle(b, batch);
}

/* The message at `data` ends where its first two bytes say. */
static size_t message(const uint8_t *data, size_t size, const char **out)
{
    size_t n = size < 2 ? 0 : (size_t)data[0] << 8 | data[1];
    *out = (const char *)data + (size < 2 ? size : 2);
    return size < 2 ? 0 : n < size - 2 ? n : size - 2;
}

static void read_stream(const rv_pgs_relation *r, const uint8_t *data, size_t size, rv_builder *b)
{
    rv_pgs_copy copy = {.at = NULL};
    const char *fields[FIELDS];
    int32_t lengths[FIELDS];
    while (size >= 2) {
        const char *at;
        size_t n = message(data, size, &at);
        size -= 2 + n;
        data += 2 + n;
        rv_pgs_copy_feed(&copy, at, n);
        rv_pgs_tuple t;
        while ((t = rv_pgs_copy_row(&copy, FIELDS, fields, lengths)) == RV_PGS_ROW)
            take_row(r, fields, lengths, b);
        if (t == RV_PGS_BROKEN)
            return;
    }
}

/* Three bytes pick the columns; then come COPY messages, each behind its length. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_pgs_column columns[FIELDS];
    rv_column schema_columns[FIELDS];
    rv_schema schema = {schema_columns, FIELDS};
    rv_pgs_relation r = {.columns = columns, .n_columns = FIELDS};
    rv_builder_opts opts = {.schema = &schema,
                            .max_rows = 8,
                            .max_bytes = 1 << 20,
                            .max_value_bytes = 1 << 20,
                            .batches = 2};
    rv_builder *b = NULL;
    rv_error err = {0};
    if (size < FIELDS)
        return 0;
    for (size_t i = 0; i < FIELDS; i++)
        if (bind(data[i], &arena, &columns[i], &schema_columns[i], &err) != RV_OK)
            __builtin_trap();
    if (rv_builder_open(&opts, &b, &err) == RV_OK)
        read_stream(&r, data + FIELDS, size - FIELDS, b);
    rv_builder_close(b);
    rv_arena_free(&arena);
    return 0;
}
