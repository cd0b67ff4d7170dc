#include "fuzz.h"

#include "format/parquet/meta_page.h"

static const rv_thrift_desc *const tables[] = {
    &rv_pq_file_meta_desc,    &rv_pq_row_group_desc,    &rv_pq_column_chunk_desc,
    &rv_pq_column_meta_desc,  &rv_pq_page_header_desc,  &rv_pq_offset_index_desc,
    &rv_pq_column_index_desc, &rv_pq_bloom_header_desc, &rv_pq_schema_element_desc};

typedef union any_struct {
    rv_pq_file_meta file;
    rv_pq_column_meta column;
    rv_pq_page_header page;
    rv_pq_column_index index;
    rv_pq_schema_element element;
} any_struct;

/* Byte 0 picks the struct. What was read and is written reads the same again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const rv_thrift_desc *desc = tables[data[0] % (sizeof tables / sizeof tables[0])];
    any_struct value, again;
    rv_arena arena = RV_ARENA_INIT;
    rv_buf out = RV_BUF_INIT, twice = RV_BUF_INIT;
    size_t used = 0;
    rv_error err = {0};
    rv_status st =
        rv_thrift_read(desc, (rv_bytes){data + 1, size - 1}, &arena, &value, &used, &err);
    if (st != RV_OK && st != RV_E_CORRUPT)
        __builtin_trap();
    if (arena.used > 64 * size + 64)
        __builtin_trap();
    if (st == RV_OK) {
        if (used > size - 1 || rv_thrift_write(desc, &value, &out, &err) != RV_OK)
            __builtin_trap();
        st = rv_thrift_read(desc, rv_buf_bytes(&out), &arena, &again, &used, &err);
        if (st != RV_OK || used != out.len ||
            rv_thrift_write(desc, &again, &twice, &err) != RV_OK || twice.len != out.len ||
            memcmp(twice.ptr, out.ptr, out.len) != 0)
            __builtin_trap();
    }
    rv_buf_free(&out);
    rv_buf_free(&twice);
    rv_arena_free(&arena);
    return 0;
}
