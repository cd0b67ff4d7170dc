/* format/parquet/decode.h: Parquet's encodings, undone in slices, so that memory never follows
 * a count in the file. Each decoder is a cursor: init, then next as often as needed, then finish,
 * which tells whether exactly the input was used. A cursor may be copied to look ahead.
 * Every input must have RV_PQ_PAD readable bytes behind it. Inputs are borrowed.
 * Errors: RV_E_CORRUPT without the place; the caller adds it. Hostile input is safe.
 * Source: Encodings.md of apache/parquet-format; design "parquet" section 2. */
#ifndef RV_FORMAT_PARQUET_DECODE_H
#define RV_FORMAT_PARQUET_DECODE_H

#include "base/buf.h"
#include "format/parquet/enums.h"

#define RV_PQ_PAD 16u
#define RV_PQ_SLICE 1024u                     /* most values one next may be asked for */
#define RV_PQ_JOINED_MAX (256u * 1024 * 1024) /* rebuilt bytes of one slice */

/* RLE and bit-packed runs: levels, dictionary indexes, booleans. */
typedef struct rv_pq_rle {
    rv_bytes in;
    size_t pos;       /* next run header */
    size_t packed_at; /* first byte of the current packed run */
    uint64_t packed_done;
    uint64_t run_left;
    uint32_t value;
    uint8_t width;
    bool packed;
} rv_pq_rle;
rv_status rv_pq_rle_init(rv_pq_rle *r, rv_bytes in, unsigned width, rv_error *err) RV_MUST_USE;
rv_status rv_pq_rle_next(rv_pq_rle *r, uint32_t *out, size_t n, rv_error *err) RV_MUST_USE;
rv_status rv_pq_rle_next_u8(rv_pq_rle *r, uint8_t *out, size_t n, rv_error *err) RV_MUST_USE;
/* exact: the last run ends with the last value, padding to eight apart; some writers count on. */
rv_status rv_pq_rle_finish(const rv_pq_rle *r, bool exact, rv_error *err) RV_MUST_USE;

/* Definition or repetition levels, RLE or the old BIT_PACKED (most significant bit first). */
typedef struct rv_pq_levels {
    rv_pq_rle rle;
    size_t bit; /* BIT_PACKED */
    uint8_t max;
    bool old;
} rv_pq_levels;
/* Levels 0..max; takes the whole of `in`. */
rv_status rv_pq_levels_init(rv_pq_levels *l, rv_bytes in, int32_t encoding, unsigned max,
                            rv_error *err) RV_MUST_USE;
rv_status rv_pq_levels_next(rv_pq_levels *l, uint8_t *out, size_t n, rv_error *err) RV_MUST_USE;
rv_status rv_pq_levels_finish(const rv_pq_levels *l, bool exact, rv_error *err) RV_MUST_USE;
unsigned rv_pq_bit_width(uint32_t max);

/* DELTA_BINARY_PACKED. Sums wrap at 64 bits; the low half of a value is right for INT32. */
typedef struct rv_pq_dbp {
    rv_bytes in;
    size_t pos;    /* next block, or next miniblock's first byte */
    uint64_t left; /* values not yet given */
    uint64_t last;
    uint64_t min_delta;
    size_t widths_at;
    uint64_t mini_bit; /* within the current miniblock */
    uint32_t mini_left;
    uint32_t minis; /* per block */
    uint32_t per_mini;
    uint32_t mini; /* next of the block */
    uint8_t width;
    bool first;
} rv_pq_dbp;
rv_status rv_pq_dbp_init(rv_pq_dbp *d, rv_bytes in, rv_error *err) RV_MUST_USE;
rv_status rv_pq_dbp_next(rv_pq_dbp *d, uint64_t *out, size_t n, rv_error *err) RV_MUST_USE;
rv_status rv_pq_dbp_finish(const rv_pq_dbp *d, rv_error *err) RV_MUST_USE;
/* Bytes of the whole sequence at the start of `in`. */
rv_status rv_pq_dbp_length(rv_bytes in, size_t *out, rv_error *err) RV_MUST_USE;

/* DELTA_LENGTH_BYTE_ARRAY, and with prefixes DELTA_BYTE_ARRAY. */
typedef struct rv_pq_delta_bytes {
    rv_pq_dbp prefixes;
    rv_pq_dbp lengths;
    rv_bytes data;
    size_t pos;
    size_t last_at; /* the last value, in `joined` */
    size_t last_len;
    bool with_prefixes;
} rv_pq_delta_bytes;
rv_status rv_pq_delta_bytes_init(rv_pq_delta_bytes *d, rv_bytes in, bool with_prefixes,
                                 rv_error *err) RV_MUST_USE;
/* Values point into the input, with prefixes into `joined`, which keeps the last value from one
 * call to the next. n <= RV_PQ_SLICE; `joined` is one buffer per cursor. */
rv_status rv_pq_delta_bytes_next(rv_pq_delta_bytes *d, rv_bytes *out, size_t n, rv_buf *joined,
                                 rv_error *err) RV_MUST_USE;
rv_status rv_pq_delta_bytes_finish(const rv_pq_delta_bytes *d, rv_error *err) RV_MUST_USE;

/* The dictionary of a column chunk: fixed-width values as they lie, or spans. */
typedef struct rv_pq_read_dict {
    uint32_t n;
    const uint8_t *fixed;
    rv_bytes *spans; /* BYTE_ARRAY and FLBA */
} rv_pq_read_dict;

/* Room for one slice; shared by all columns of a reader that uses one slice at a time. */
typedef struct rv_pq_scratch {
    uint32_t *indices;
    uint64_t *wide; /* also fixed-width output: 12 bytes x RV_PQ_SLICE */
    uint64_t *aux;
    rv_bytes *spans;
    uint8_t *def;
    uint8_t *rep;
} rv_pq_scratch;
rv_status rv_pq_scratch_open(rv_pq_scratch *s, rv_error *err) RV_MUST_USE;
void rv_pq_scratch_close(rv_pq_scratch *s);

/* A slice of present values. Fixed-width ones need not be aligned. Valid until the next slice. */
typedef struct rv_pq_slice_values {
    uint32_t n;
    const uint8_t *fixed;    /* BOOLEAN 1 byte each, INT96 12, others their width */
    const rv_bytes *spans;   /* BYTE_ARRAY, FLBA */
    const uint32_t *indices; /* dictionary positions, or NULL */
} rv_pq_slice_values;

typedef struct rv_pq_value_cursor {
    rv_bytes in;
    size_t pos;
    const rv_pq_read_dict *dict;
    uint32_t flba;
    uint8_t type;
    uint8_t encoding;
    bool empty; /* no body: fine while nothing is asked for */
    union {
        rv_pq_rle rle;
        rv_pq_dbp dbp;
        rv_pq_delta_bytes delta;
    } u;
    rv_buf joined;
} rv_pq_value_cursor;
unsigned rv_pq_fixed_width(int32_t type); /* 0 for BYTE_ARRAY and FLBA */
/* Only init and close may touch v->joined from outside; zero-initialise once. */
rv_status rv_pq_value_cursor_init(rv_pq_value_cursor *v, rv_bytes in, int32_t type, uint32_t flba,
                                  int32_t encoding, const rv_pq_read_dict *dict,
                                  rv_error *err) RV_MUST_USE;
rv_status rv_pq_value_cursor_next(rv_pq_value_cursor *v, uint32_t n, rv_pq_scratch *s,
                                  rv_pq_slice_values *out, rv_error *err) RV_MUST_USE;
rv_status rv_pq_value_cursor_finish(const rv_pq_value_cursor *v, bool exact,
                                    rv_error *err) RV_MUST_USE;
void rv_pq_value_cursor_close(rv_pq_value_cursor *v);

/* PLAIN byte arrays or FLBA: n spans from the front of `in`, bytes used. */
rv_status rv_pq_plain_spans(rv_bytes in, uint32_t flba, bool is_flba, rv_bytes *out, size_t n,
                            size_t *used, rv_error *err) RV_MUST_USE;

#endif
