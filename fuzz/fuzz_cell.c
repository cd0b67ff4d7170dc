#include "fuzz.h"

#include "column/builder.h"
#include "column/render.h"

static const rv_type types[] = {
    {RV_BOOL, 0, 0, 0},         {RV_INT16, 0, 0, 0},
    {RV_INT64, 0, 0, 0},        {RV_UINT64, 0, 0, 0},
    {RV_FLOAT32, 0, 0, 0},      {RV_FLOAT64, 0, 0, 0},
    {RV_DECIMAL, 18, 4, 0},     {RV_DECIMAL, 38, 10, 0},
    {RV_DECIMAL, 76, 40, 0},    {RV_DATE, 0, 0, 0},
    {RV_TIME, 0, 0, 0},         {RV_TIMESTAMP, 0, 0, 0},
    {RV_TIMESTAMP_TZ, 0, 0, 0}, {RV_TIMESTAMP_TZ_NS, 0, 0, 0},
    {RV_UUID, 0, 0, 0},         {RV_STRING, 0, 0, 0},
    {RV_JSON, 0, 0, 0},
};

/* The text's cell as CSV writes it and its checksum; false when it is refused. */
static bool cell(rv_type type, rv_str text, bool replace, rv_buf *out, uint64_t *sum)
{
    rv_column column = {.name = "c", .type = type};
    rv_schema schema = {&column, 1};
    rv_builder_opts opts = {.schema = &schema,
                            .max_rows = 1,
                            .max_bytes = 1 << 20,
                            .batches = 2,
                            .invalid_utf8_replace = replace};
    rv_builder *b;
    rv_batch *batch;
    rv_error err;
    if (rv_builder_open(&opts, &b, &err) != RV_OK)
        return false;
    bool ok = rv_builder_text(b, 0, text, &err) == RV_OK && rv_builder_row_end(b, &err) == RV_OK &&
              rv_builder_freeze(b, &batch, &err) == RV_OK &&
              rv_render_value(&batch->columns[0], 0, out, &err) == RV_OK;
    if (ok)
        *sum = batch->sums.columns[0].sum;
    else if (!rv_utf8_valid(rv_str_bytes(rv_str_c(err.text))))
        __builtin_trap();
    rv_builder_close(b);
    return ok;
}

/* Byte 0 picks the type, byte 1 the policy; what a cell prints must read back as the same cell. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    rv_type type = types[data[0] % (sizeof types / sizeof types[0])];
    rv_str text = {(const char *)data + 2, size - 2};
    rv_buf first = RV_BUF_INIT;
    rv_buf second = RV_BUF_INIT;
    uint64_t sums[2] = {0, 0};
    rv_type ignored;
    (void)rv_type_from_override(text, &ignored);
    (void)rv_type_from_name(text, &ignored);
    (void)rv_type_from_arrow(text, &ignored);
    if (cell(type, text, data[1] & 1, &first, &sums[0]) &&
        (!cell(type, rv_buf_str(&first), false, &second, &sums[1]) || sums[0] != sums[1] ||
         !rv_str_eq(rv_buf_str(&first), rv_buf_str(&second))))
        __builtin_trap();
    rv_buf_free(&first);
    rv_buf_free(&second);
    return 0;
}
