#include "format/parquet/unpack.h"

#include <string.h>

#define INLINE static inline __attribute__((always_inline))

INLINE uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* With a constant width the compiler turns eight values into shifts of a few loads. */
INLINE void unpack32_width(const uint8_t *in, uint64_t bit, unsigned width, uint32_t *out, size_t n)
{
    const uint64_t mask = (UINT64_C(1) << width) - 1;
    size_t i = 0;
    for (; i + 8 <= n; i += 8, bit += 8u * width) {
        const uint8_t *p = in + (bit >> 3);
        unsigned s = (unsigned)bit & 7;
        for (unsigned k = 0; k < 8; k++) {
            unsigned b = s + k * width;
            out[i + k] = (uint32_t)((load64(p + (b >> 3)) >> (b & 7)) & mask);
        }
    }
    for (; i < n; i++, bit += width)
        out[i] = (uint32_t)((load64(in + (bit >> 3)) >> (bit & 7)) & mask);
}

INLINE void unpack64_width(const uint8_t *in, uint64_t bit, unsigned width, uint64_t *out, size_t n)
{
    const uint64_t mask = (UINT64_C(1) << width) - 1;
    size_t i = 0;
    for (; i + 8 <= n; i += 8, bit += 8u * width) {
        const uint8_t *p = in + (bit >> 3);
        unsigned s = (unsigned)bit & 7;
        for (unsigned k = 0; k < 8; k++) {
            unsigned b = s + k * width;
            out[i + k] = (load64(p + (b >> 3)) >> (b & 7)) & mask;
        }
    }
    for (; i < n; i++, bit += width)
        out[i] = (load64(in + (bit >> 3)) >> (bit & 7)) & mask;
}

/* Widths 57..64 may reach into a ninth byte. */
static void unpack64_wide(const uint8_t *in, uint64_t bit, unsigned width, uint64_t *out, size_t n)
{
    const uint64_t mask = UINT64_MAX >> (64 - width);
    for (size_t i = 0; i < n; i++, bit += width) {
        const uint8_t *p = in + (bit >> 3);
        unsigned s = (unsigned)bit & 7;
        uint64_t v = load64(p) >> s;
        if (s)
            v |= (uint64_t)p[8] << (64 - s);
        out[i] = v & mask;
    }
}

#define WIDTHS_1_16(X)                                                                             \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16)
#define WIDTHS_17_32(X)                                                                            \
    X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32)

/* A flat switch over widths: exempt from the length limit. */
void rv_pq_unpack32(const uint8_t *in, uint64_t bit, unsigned width, uint32_t *out, size_t n)
{
    switch (width) {
#define CASE(w)                                                                                    \
    case w:                                                                                        \
        unpack32_width(in, bit, w, out, n);                                                        \
        return;
        WIDTHS_1_16(CASE)
        WIDTHS_17_32(CASE)
#undef CASE
    default:
        memset(out, 0, n * sizeof *out);
    }
}

void rv_pq_unpack64(const uint8_t *in, uint64_t bit, unsigned width, uint64_t *out, size_t n)
{
    switch (width) {
#define CASE(w)                                                                                    \
    case w:                                                                                        \
        unpack64_width(in, bit, w, out, n);                                                        \
        return;
        WIDTHS_1_16(CASE)
        WIDTHS_17_32(CASE)
#undef CASE
    case 0:
        memset(out, 0, n * sizeof *out);
        return;
    default:
        if (width < 57)
            unpack64_width(in, bit, width, out, n);
        else
            unpack64_wide(in, bit, width, out, n);
    }
}
