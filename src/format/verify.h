/* format/verify.h: reads a finished file back and judges it. Streaming; memory bounded by one
 * page per column. Hostile input is safe: every failure is RV_E_CORRUPT with offset, row group
 * and column in the text. Source: design "parquet" section 5, spec "lifecycle" section 16. */
#ifndef RV_FORMAT_VERIFY_H
#define RV_FORMAT_VERIFY_H

#include "base/env.h"
#include "codec/codec.h"
#include "column/batch.h"

/* Random access to the bytes of a file, wherever it lies. */
typedef struct rv_readable {
    void *self;
    uint64_t size_bytes;
    rv_status (*read)(void *self, uint64_t offset, uint8_t *out, size_t len, rv_error *err);
} rv_readable;

typedef enum rv_verify_level {
    RV_VERIFY_STRUCTURE = 1, /* magics, footer, offsets */
    RV_VERIFY_CRC,           /* + page checksums */
    RV_VERIFY_DECODE,        /* + every value decodes, no trailing bytes */
    RV_VERIFY_STATISTICS,    /* + statistics and indexes recomputed */
    RV_VERIFY_CHECKSUM       /* + rivet.checksum recomputed */
} rv_verify_level;

typedef struct rv_verify_result {
    uint64_t rows;
    bool has_checksum;     /* the file carries rivet.checksum */
    bool checksum_matches; /* at RV_VERIFY_CHECKSUM, when has_checksum */
    size_t n_columns;
    const char **names; /* in the arena; top-level columns */
    rv_type *types;     /* canonical types, where known */
    rv_sums sums;       /* recomputed at RV_VERIFY_CHECKSUM (columns in the arena) */
    char mismatch[256]; /* which column or sum differs first, empty when all match */
} rv_verify_result;

/* Parquet. The first damage ends it: RV_E_CORRUPT. A checksum mismatch is not an error here but
 * in the result. */
rv_status rv_parquet_verify(const rv_env *env, rv_readable in, rv_verify_level level,
                            rv_arena *arena, rv_verify_result *out, rv_error *err) RV_MUST_USE;
/* Told the cell hashes (column/canonical.h) of some rows of a top-level column; the rows of a
 * column come in order, and null_hash marks a NULL. */
typedef struct rv_cell_tap {
    void *ctx;
    rv_status (*take)(void *ctx, size_t column, const uint64_t *cells, uint32_t n,
                      uint64_t null_hash, rv_error *err);
} rv_cell_tap;
/* As rv_parquet_verify at RV_VERIFY_CHECKSUM, telling `tap` on the way. Without known types (the
 * file is somebody else's) nothing is told and out->sums.columns is NULL. */
rv_status rv_parquet_cells(const rv_env *env, rv_readable in, const rv_cell_tap *tap,
                           rv_arena *arena, rv_verify_result *out, rv_error *err) RV_MUST_USE;
/* CSV (codec none, gzip or zstd): header, field counts, quoting; rows are counted. */
rv_status rv_csv_verify(const rv_env *env, rv_readable in, rv_codec_id codec, rv_arena *arena,
                        rv_verify_result *out, rv_error *err) RV_MUST_USE;

/* Prints the schema and the first rows as text, for the demo and for humans. Cells as in CSV,
 * cut at 32 characters. */
rv_status rv_parquet_head(const rv_env *env, rv_readable in, uint64_t max_rows, rv_buf *out,
                          rv_error *err) RV_MUST_USE;

#endif
