/* format/parquet/levels.h: the RLE / bit-packing hybrid for definition and repetition levels
 * and dictionary indexes. Every function writes behind `out` and returns the bytes written;
 * `out` must have the bound. Pure functions.
 * Source: the encodings page of apache/parquet-format; design "parquet" section 3. */
#ifndef RV_FORMAT_PARQUET_LEVELS_H
#define RV_FORMAT_PARQUET_LEVELS_H

#include <stddef.h>
#include <stdint.h>

size_t rv_pq_hybrid_bound(size_t n, unsigned width);
/* n bits of a validity bitmap as levels of width 1. Bits beyond n must be zero. */
size_t rv_pq_levels_bitmap(const uint8_t *bits, size_t n, uint8_t *out);
/* n levels, all `level` (< 256). */
size_t rv_pq_levels_constant(unsigned level, size_t n, uint8_t *out);
/* n values of 1..16 bits: `runs` of equal values become RLE, the rest is packed. */
size_t rv_pq_hybrid_u16(const uint16_t *values, size_t n, unsigned width, uint8_t *out);

#endif
