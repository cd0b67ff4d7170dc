/* column/decimal.h: exact decimals up to 76 digits, never through binary floating point.
 * Unscaled values are 256-bit two's complement, four 64-bit limbs, least significant first.
 * Pure functions. Source: spec "types" sections 1.2, 2, 8. */
#ifndef RV_COLUMN_DECIMAL_H
#define RV_COLUMN_DECIMAL_H

#include "column/type.h"

typedef struct rv_i256 {
    uint64_t limb[4];
} rv_i256;

typedef enum rv_decimal_fit {
    RV_DECIMAL_OK,
    RV_DECIMAL_SYNTAX,   /* not a number (NaN and infinity included) */
    RV_DECIMAL_FRACTION, /* a non-zero digit beyond the scale */
    RV_DECIMAL_OVERFLOW  /* more digits than the precision */
} rv_decimal_fit;

/* Digits with optional sign, point and exponent (e/E); blanks are not skipped. */
rv_decimal_fit rv_decimal_parse(rv_str text, unsigned precision, unsigned scale, rv_i256 *out);
rv_decimal_fit rv_decimal_from_i128(rv_i128 unscaled, unsigned from_scale, unsigned precision,
                                    unsigned scale, rv_i256 *out);
rv_i256 rv_i256_from_i64(int64_t v);
rv_i256 rv_i256_from_i128(rv_i128 v);
bool rv_i256_to_i64(rv_i256 v, int64_t *out); /* false when it does not fit */
bool rv_i256_to_i128(rv_i256 v, rv_i128 *out);
bool rv_i256_negative(rv_i256 v);
int rv_i256_cmp(rv_i256 a, rv_i256 b);
bool rv_decimal_fits(rv_i256 v, unsigned precision); /* |v| < 10^precision */
/* Exactly `scale` fraction digits; returns the length, out holds RV_DECIMAL_TEXT_SIZE. */
#define RV_DECIMAL_TEXT_SIZE 80
unsigned rv_decimal_text(rv_i256 v, unsigned scale, char out[RV_DECIMAL_TEXT_SIZE]);
/* Bytes of the smallest two's complement that holds every value of the precision (the n of
 * Parquet's FIXED_LEN_BYTE_ARRAY). */
unsigned rv_decimal_flba_bytes(unsigned precision);
/* Big-endian two's complement in exactly n bytes (1..32). */
void rv_i256_to_be(rv_i256 v, uint8_t *out, unsigned n);
rv_i256 rv_i256_from_be(const uint8_t *in, unsigned n);
rv_i256 rv_i256_from_le(const uint8_t *in, unsigned n); /* 8, 16 or 32 */
unsigned rv_i256_shortest_bytes(rv_i256 v);             /* zero: 1 */

#endif
