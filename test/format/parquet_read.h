/* A Parquet file in memory as the reader wants it, and a column of it as lines of text. */
#ifndef RV_TEST_PARQUET_READ_H
#define RV_TEST_PARQUET_READ_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "column/render.h"
#include "format/parquet/reader.h"
#include "format/verify.h"

static const rv_env pq_env = {0};

static inline rv_status pq_read_at(void *self, uint64_t offset, uint8_t *out, size_t len,
                                   rv_error *err)
{
    const rv_buf *b = self;
    if (offset > b->len || len > b->len - offset)
        return rv_fail(err, RV_E_CORRUPT, "read beyond the end");
    if (len)
        memcpy(out, b->ptr + offset, len);
    return RV_OK;
}

static inline rv_readable pq_readable(rv_buf *b)
{
    return (rv_readable){.self = b, .size_bytes = b->len, .read = pq_read_at};
}

/* False when the file does not open. */
static inline bool pq_load(const char *path, rv_buf *out)
{
    FILE *f = fopen(path, "rb");
    uint8_t chunk[65536];
    size_t n;
    bool ok = true;
    if (!f)
        return false;
    while (ok && (n = fread(chunk, 1, sizeof chunk, f)) > 0)
        ok = rv_buf_add(out, chunk, n, NULL) == RV_OK;
    (void)fclose(f);
    return ok;
}

static inline rv_status pq_verify(rv_buf *file, rv_verify_level level, rv_verify_result *out,
                                  rv_arena *arena, rv_error *err)
{
    *err = (rv_error){0};
    *out = (rv_verify_result){0};
    return rv_parquet_verify(&pq_env, pq_readable(file), level, arena, out, err);
}

/* One present value: numbers in decimal, bytes as they are, INT96 and FLBA in hex. */
static inline rv_status pq_dump_value(const rv_pq_read_leaf *leaf, const rv_pq_slice_values *v,
                                      uint32_t i, rv_buf *out, rv_error *err)
{
    int32_t i32;
    int64_t i64;
    float f32;
    double f64;
    switch (leaf->type) {
    case RV_PQ_BOOLEAN:
        return rv_buf_add_c(out, v->fixed[i] ? "true" : "false", err);
    case RV_PQ_INT32:
        memcpy(&i32, v->fixed + (size_t)i * 4, 4);
        return rv_buf_printf(out, err, "%" PRId32, i32);
    case RV_PQ_INT64:
        memcpy(&i64, v->fixed + (size_t)i * 8, 8);
        return rv_buf_printf(out, err, "%" PRId64, i64);
    case RV_PQ_FLOAT:
        memcpy(&f32, v->fixed + (size_t)i * 4, 4);
        return rv_buf_printf(out, err, "%.9g", (double)f32);
    case RV_PQ_DOUBLE:
        memcpy(&f64, v->fixed + (size_t)i * 8, 8);
        return rv_buf_printf(out, err, "%.17g", f64);
    case RV_PQ_BYTE_ARRAY:
        return v->spans[i].len ? rv_buf_add(out, v->spans[i].ptr, v->spans[i].len, err) : RV_OK;
    default:
        break;
    }
    rv_bytes b = leaf->type == RV_PQ_FLBA ? v->spans[i] : (rv_bytes){v->fixed + (size_t)i * 12, 12};
    for (size_t k = 0; k < b.len; k++)
        RV_TRY(rv_buf_printf(out, err, "%02x", b.ptr[k]));
    return RV_OK;
}

/* "value", "NULL", before it "rep,def:" in columns with more than one level. */
static inline rv_status pq_dump_slice(const rv_pq_read_leaf *leaf, const rv_pq_slice *s,
                                      rv_buf *out, rv_error *err)
{
    uint32_t k = 0;
    for (uint32_t e = 0; e < s->n; e++) {
        bool present = !s->def || s->def[e] == leaf->max_def;
        if (leaf->max_rep || leaf->max_def > 1)
            RV_TRY(
                rv_buf_printf(out, err, "%u,%u:", s->rep ? s->rep[e] : 0, s->def ? s->def[e] : 0));
        if (present)
            RV_TRY(pq_dump_value(leaf, &s->values, k++, out, err));
        else
            RV_TRY(rv_buf_add_c(out, "NULL", err));
        RV_TRY(rv_buf_add_byte(out, '\n', err));
    }
    return RV_OK;
}

/* All values of a leaf, one a line; asked for in slices of `step` rows. */
static inline rv_status pq_dump(rv_buf *file, uint32_t leaf, uint32_t step, rv_buf *out,
                                rv_error *err)
{
    rv_pq_file f;
    rv_pq_shared shared = {0};
    rv_pq_reader r = {0};
    rv_arena arena = RV_ARENA_INIT;
    rv_status st = rv_pq_file_init(&f, &pq_env, pq_readable(file), err);
    if (st != RV_OK)
        goto done;
    if (leaf >= f.n_leaves) {
        st = rv_fail(err, RV_E_USAGE, "no such leaf");
        goto done;
    }
    RV_GO(rv_pq_shared_open(&shared, err));
    for (uint32_t g = 0; g < f.meta.row_groups.n; g++) {
        rv_pq_read_group group;
        rv_pq_slice s = {0};
        RV_GO(rv_pq_group_read(&f, g, &arena, &group, err));
        rv_pq_reader_start(&r, &f, &group.chunks[leaf], &shared, true);
        while (!s.end) {
            RV_GO(rv_pq_reader_next(&r, step, &s, err));
            RV_GO(pq_dump_slice(&f.leaves[leaf], &s, out, err));
        }
    }
done:
    rv_pq_reader_close(&r);
    rv_pq_shared_close(&shared);
    rv_arena_free(&arena);
    rv_pq_file_free(&f);
    return st;
}

#endif
