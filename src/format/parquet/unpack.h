/* format/parquet/unpack.h: bit-packed integers, least significant bit first. Reads up to 9 bytes
 * from the first bit's byte of any value: inputs need RV_PQ_PAD behind them. Pure functions. */
#ifndef RV_FORMAT_PARQUET_UNPACK_H
#define RV_FORMAT_PARQUET_UNPACK_H

#include <stddef.h>
#include <stdint.h>

/* n values of `width` bits from bit `bit` on. width <= 32 resp. 64. */
void rv_pq_unpack32(const uint8_t *in, uint64_t bit, unsigned width, uint32_t *out, size_t n);
void rv_pq_unpack64(const uint8_t *in, uint64_t bit, unsigned width, uint64_t *out, size_t n);

#endif
