#include "format/parquet/pack.h"

#include <assert.h>
#include <string.h>

/* One kernel per width, written once: after inlining with a constant width every shift and
 * store position below is a constant and the conditions vanish. */
#define STEP(i, w)                                                                                 \
    do {                                                                                           \
        const unsigned at_ = ((i) * (w)) & 63u;                                                    \
        const uint64_t v_ = in[i];                                                                 \
        acc |= v_ << at_;                                                                          \
        if (at_ + (w) >= 64u) {                                                                    \
            rv_pq_store64(out + 8u * (((i) * (w)) / 64u), acc);                                    \
            acc = at_ + (w) > 64u ? v_ >> ((64u - at_) & 63u) : 0;                                 \
        }                                                                                          \
    } while (0)
#define STEP4(i, w)                                                                                \
    STEP((i), (w));                                                                                \
    STEP((i) + 1u, (w));                                                                           \
    STEP((i) + 2u, (w));                                                                           \
    STEP((i) + 3u, (w))
#define STEP16(i, w)                                                                               \
    STEP4((i), (w));                                                                               \
    STEP4((i) + 4u, (w));                                                                          \
    STEP4((i) + 8u, (w));                                                                          \
    STEP4((i) + 12u, (w))
/* 32 values of an odd width end in the middle of a word: half of it is left over. */
#define KERNEL_BODY(w)                                                                             \
    uint64_t acc = 0;                                                                              \
    STEP16(0u, (w));                                                                               \
    STEP16(16u, (w));                                                                              \
    if ((w)&1u)                                                                                    \
    rv_pq_store32(out + 8u * (((w)*32u) / 64u), (uint32_t)acc)

#define KERNEL32(w)                                                                                \
    static void pack32_##w(const uint32_t *in, uint8_t *out)                                       \
    {                                                                                              \
        KERNEL_BODY(w##u);                                                                         \
    }
#define KERNEL64(w)                                                                                \
    static void pack64_##w(const uint64_t *in, uint8_t *out)                                       \
    {                                                                                              \
        KERNEL_BODY(w##u);                                                                         \
    }
#define FOR_1_TO_32(X)                                                                             \
    X(1)                                                                                           \
    X(2)                                                                                           \
    X(3)                                                                                           \
    X(4)                                                                                           \
    X(5)                                                                                           \
    X(6)                                                                                           \
    X(7)                                                                                           \
    X(8)                                                                                           \
    X(9)                                                                                           \
    X(10)                                                                                          \
    X(11)                                                                                          \
    X(12)                                                                                          \
    X(13)                                                                                          \
    X(14)                                                                                          \
    X(15)                                                                                          \
    X(16)                                                                                          \
    X(17)                                                                                          \
    X(18)                                                                                          \
    X(19)                                                                                          \
    X(20)                                                                                          \
    X(21)                                                                                          \
    X(22)                                                                                          \
    X(23)                                                                                          \
    X(24)                                                                                          \
    X(25)                                                                                          \
    X(26)                                                                                          \
    X(27)                                                                                          \
    X(28)                                                                                          \
    X(29)                                                                                          \
    X(30)                                                                                          \
    X(31)                                                                                          \
    X(32)
#define FOR_33_TO_63(X)                                                                            \
    X(33)                                                                                          \
    X(34)                                                                                          \
    X(35)                                                                                          \
    X(36)                                                                                          \
    X(37)                                                                                          \
    X(38)                                                                                          \
    X(39)                                                                                          \
    X(40)                                                                                          \
    X(41)                                                                                          \
    X(42)                                                                                          \
    X(43)                                                                                          \
    X(44)                                                                                          \
    X(45)                                                                                          \
    X(46)                                                                                          \
    X(47)                                                                                          \
    X(48)                                                                                          \
    X(49)                                                                                          \
    X(50)                                                                                          \
    X(51)                                                                                          \
    X(52)                                                                                          \
    X(53)                                                                                          \
    X(54)                                                                                          \
    X(55)                                                                                          \
    X(56)                                                                                          \
    X(57)                                                                                          \
    X(58)                                                                                          \
    X(59)                                                                                          \
    X(60)                                                                                          \
    X(61)                                                                                          \
    X(62)                                                                                          \
    X(63)

/* NOLINTBEGIN(readability-function-cognitive-complexity): every condition is a constant */
FOR_1_TO_32(KERNEL32)
FOR_33_TO_63(KERNEL64)
/* NOLINTEND(readability-function-cognitive-complexity) */

void rv_pq_pack32(const uint32_t *values, unsigned width, uint8_t *out)
{
#define ENTRY32(w) pack32_##w,
    static void (*const kernels[])(const uint32_t *, uint8_t *) = {FOR_1_TO_32(ENTRY32)};
    assert(width <= 32);
    if (width > 0)
        kernels[width - 1](values, out);
}

void rv_pq_pack64(const uint64_t *values, unsigned width, uint8_t *out)
{
#define ENTRY64(w) pack64_##w,
    static void (*const kernels[])(const uint64_t *, uint8_t *) = {FOR_33_TO_63(ENTRY64)};
    assert(width <= 64);
    if (width == 64) {
        memcpy(out, values, (size_t)RV_PACK_LANE * 8);
    } else if (width > 32) {
        kernels[width - 33](values, out);
    } else if (width > 0) {
        uint32_t narrow[RV_PACK_LANE];
        for (unsigned i = 0; i < RV_PACK_LANE; i++)
            narrow[i] = (uint32_t)values[i];
        rv_pq_pack32(narrow, width, out);
    }
}

/* Up to 64 bits starting anywhere; bytes beyond the range are not read. */
static uint64_t load_bits(const uint8_t *src, size_t bit, size_t n)
{
    size_t first = bit >> 3, last = (bit + n - 1) >> 3, shift = bit & 7;
    uint8_t raw[9] = {0};
    memcpy(raw, src + first, last - first + 1);
    uint64_t v = rv_pq_load64(raw) >> shift;
    if (shift)
        v |= (uint64_t)raw[8] << (64 - shift);
    return n < 64 ? v & ((UINT64_C(1) << n) - 1) : v;
}

/* Writes n <= 56 bits behind those below `bit` and zeroes the rest of the last byte. */
static void store_bits(uint8_t *dst, size_t bit, uint64_t v, size_t n)
{
    size_t first = bit >> 3, last = (bit + n - 1) >> 3, shift = bit & 7;
    uint64_t keep = shift ? dst[first] & ((1u << shift) - 1u) : 0;
    uint64_t word = keep | (v << shift);
    memcpy(dst + first, &word, last - first + 1);
}

void rv_pq_bits_copy(uint8_t *dst, size_t dst_bit, const uint8_t *src, size_t src_bit, size_t n)
{
    if (((dst_bit | src_bit) & 7) == 0 && n >= 8) {
        memcpy(dst + (dst_bit >> 3), src + (src_bit >> 3), n >> 3);
        dst_bit += n & ~(size_t)7;
        src_bit += n & ~(size_t)7;
        n &= 7;
    }
    while (n > 0) {
        size_t step = n < 56 ? n : 56;
        store_bits(dst, dst_bit, load_bits(src, src_bit, step), step);
        dst_bit += step;
        src_bit += step;
        n -= step;
    }
}

void rv_pq_bits_fill(uint8_t *dst, size_t dst_bit, size_t n)
{
    while (n > 0 && (dst_bit & 7)) {
        size_t step = 8 - (dst_bit & 7);
        step = n < step ? n : step;
        store_bits(dst, dst_bit, (UINT64_C(1) << step) - 1, step);
        dst_bit += step;
        n -= step;
    }
    memset(dst + (dst_bit >> 3), 0xFF, n >> 3);
    if (n & 7)
        dst[(dst_bit + n) >> 3] = (uint8_t)((1u << (n & 7)) - 1u);
}

void rv_pq_bits_pack(const uint8_t *bytes, size_t n, uint8_t *out)
{
    size_t i = 0;
    /* the product gathers the low bits of eight bytes in the top byte, first byte lowest */
    for (; i + 8 <= n; i += 8)
        *out++ = (uint8_t)((rv_pq_load64(bytes + i) * UINT64_C(0x0102040810204080)) >> 56);
    if (i < n) {
        unsigned last = 0;
        for (unsigned k = 0; i + k < n; k++)
            last |= (unsigned)(bytes[i + k] & 1u) << k;
        *out = (uint8_t)last;
    }
}
