/* format/parquet/pack.h: bit packing, least significant bit first, as every Parquet encoding
 * wants it, and copying of bit ranges. Pure functions.
 * Source: the encodings page of apache/parquet-format (RLE / bit-packing hybrid). */
#ifndef RV_FORMAT_PARQUET_PACK_H
#define RV_FORMAT_PARQUET_PACK_H

#include <stddef.h>
#include <stdint.h>

#define RV_PACK_LANE 32u /* values packed by one call: 4 * width bytes */

/* Packs 32 values of `width` bits, 0..32 (values must fit); writes exactly 4 * width bytes. */
void rv_pq_pack32(const uint32_t *values, unsigned width, uint8_t *out);
/* The same for 0..64 bits. */
void rv_pq_pack64(const uint64_t *values, unsigned width, uint8_t *out);

static inline unsigned rv_pq_bits_of(uint64_t v) /* bits needed; 0 for 0 */
{
    return v ? 64u - (unsigned)__builtin_clzll(v) : 0u;
}

/* Copies n bits; bits of dst beyond them in the last byte touched become zero. */
void rv_pq_bits_copy(uint8_t *dst, size_t dst_bit, const uint8_t *src, size_t src_bit, size_t n);
/* Sets n bits; bits beyond them in the last byte become zero. */
void rv_pq_bits_fill(uint8_t *dst, size_t dst_bit, size_t n);
/* n bytes of 0 or 1 become n bits, zero padded: (n+7)/8 bytes. */
void rv_pq_bits_pack(const uint8_t *bytes, size_t n, uint8_t *out);

static inline uint64_t rv_pq_load64(const uint8_t *p)
{
    uint64_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
static inline uint32_t rv_pq_load32(const uint8_t *p)
{
    uint32_t v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
static inline void rv_pq_store64(uint8_t *p, uint64_t v)
{
    __builtin_memcpy(p, &v, sizeof v);
}
static inline void rv_pq_store32(uint8_t *p, uint32_t v)
{
    __builtin_memcpy(p, &v, sizeof v);
}
/* LEB128; returns the bytes written, at most 10. */
static inline size_t rv_pq_varint(uint64_t v, uint8_t *out)
{
    size_t n = 0;
    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    return n;
}
static inline uint64_t rv_pq_zigzag(uint64_t v)
{
    return (v << 1) ^ (0 - (v >> 63));
}

#endif
