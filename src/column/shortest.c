/* Shortest digits that read back as the same number, and of those the closest: Schubfach
 * (Raffaello Giulietti, "The Schubfach way to render doubles", 2022), written from the paper. */
#include "column/render.h"

#include "column/shortest_internal.h"

#define POW10_FIRST (-292)

typedef struct u64x2 {
    uint64_t high;
    uint64_t low;
} u64x2;

static const u64x2 pow10_table[] = {
#include "column/pow10_128.inc"
};

static int floor_log2_pow10(int e)
{
    return (e * 1741647) >> 19;
}

/* floor(log10(2^q)), or of 3/4 * 2^q: the interval below a power of two is half as wide. */
static int floor_log10_pow2(int q, bool narrow_below)
{
    return (q * 1262611 - (narrow_below ? 524031 : 0)) >> 22;
}

/* The product's top 64 bits; its last bit is set when anything was cut ("round to odd"). */
static uint64_t round_to_odd(u64x2 g, uint64_t cp)
{
    rv_ui128 x = (rv_ui128)g.low * cp;
    rv_ui128 y = (rv_ui128)g.high * cp + (uint64_t)(x >> 64);
    return (uint64_t)(y >> 64) | ((uint64_t)y > 1);
}

/* A float's 64-bit factor leaves the product's lower half for the same test. */
static uint64_t round_to_odd_narrow(u64x2 g, uint64_t cp)
{
    rv_ui128 y = (rv_ui128)(g.high + (g.low != 0)) * cp;
    return (uint64_t)(y >> 64) | ((uint32_t)((uint64_t)y >> 32) > 1);
}

/* c * 2^q; narrow_below: c is the smallest significand of its exponent. */
static rv_shortest shortest(uint64_t c, int q, bool narrow_below, bool single)
{
    uint64_t odd = c & 1; /* an even significand owns the borders of its interval */
    int k = floor_log10_pow2(q, narrow_below);
    int h = q + floor_log2_pow10(-k) + 1;
    u64x2 g = pow10_table[-k - POW10_FIRST];
    uint64_t below = (4 * c - 2 + narrow_below) << h;
    uint64_t exact = (4 * c) << h;
    uint64_t above = (4 * c + 2) << h;
    uint64_t vb = single ? round_to_odd_narrow(g, exact) : round_to_odd(g, exact);
    uint64_t lower = (single ? round_to_odd_narrow(g, below) : round_to_odd(g, below)) + odd;
    uint64_t upper = (single ? round_to_odd_narrow(g, above) : round_to_odd(g, above)) - odd;
    uint64_t s = vb / 4;
    if (s >= 10) {
        uint64_t tens = s / 10;
        bool down = lower <= 40 * tens;
        bool up = 40 * tens + 40 <= upper;
        if (down != up)
            return (rv_shortest){tens + up, k + 1};
    }
    bool down = lower <= 4 * s;
    bool up = 4 * s + 4 <= upper;
    if (down != up)
        return (rv_shortest){s + up, k};
    uint64_t middle = 4 * s + 2;
    return (rv_shortest){s + (vb > middle || (vb == middle && (s & 1))), k};
}

/* An integer below 2^bits needs no search: its own digits are exact, and zeros are cut later. */
static bool small_integer(uint64_t c, int q, unsigned bits, rv_shortest *out)
{
    if (q > 0 || -q >= (int)bits || (c & ((UINT64_C(1) << -q) - 1)))
        return false;
    *out = (rv_shortest){c >> -q, 0};
    return true;
}

/* Money and measurements: when the number is a multiple of 1/10000 below 10^11, so that at most
 * 15 digits divided by an exact power of ten give it back, no other text that short can. */
static bool exact_scaling(double v, rv_shortest *out)
{
    double abs = __builtin_fabs(v);
    double scaled = abs * 1e4;
    if (!(scaled < 1e15))
        return false;
    uint64_t m = (uint64_t)(int64_t)(scaled + 0.5);
    if ((double)(int64_t)m / 1e4 != abs)
        return false;
    *out = (rv_shortest){m, -4};
    return true;
}

rv_shortest rv_shortest_double(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    int exponent = (int)(bits >> 52 & 0x7FF);
    rv_shortest r;
    uint64_t c = exponent ? fraction | UINT64_C(1) << 52 : fraction;
    int q = (exponent ? exponent : 1) - 1075;
    if (exponent && (small_integer(c, q, 53, &r) || exact_scaling(v, &r)))
        return r;
    return shortest(c, q, fraction == 0 && exponent > 1, false);
}

rv_shortest rv_shortest_float(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint32_t fraction = bits & ((1U << 23) - 1);
    int exponent = (int)(bits >> 23 & 0xFF);
    rv_shortest r;
    uint64_t c = exponent ? fraction | 1U << 23 : fraction;
    int q = (exponent ? exponent : 1) - 150;
    if (exponent && small_integer(c, q, 24, &r))
        return r;
    return shortest(c, q, fraction == 0 && exponent > 1, true);
}
