/* column/canonical_internal.h: canonical bytes of single cells, for the builder's lists and row
 * hash as well. Both byte orders would be needed for a big-endian host; none is supported. */
#ifndef RV_COLUMN_CANONICAL_INTERNAL_H
#define RV_COLUMN_CANONICAL_INTERNAL_H

#include "column/canonical.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "batches and hashes are little-endian");

#define RV_NAN_BITS UINT64_C(0x7FF8000000000000)
#define RV_CANONICAL_FIXED_MAX 33 /* decimal: scale and 32 bytes */

/* Value k of a column that is still being built. */
rv_cell rv_cell_at(rv_type t, const uint8_t *values, const uint32_t *offsets, uint32_t k);
/* Scale byte and shortest big-endian two's complement; returns the length. */
unsigned rv_canonical_decimal(rv_i256 v, unsigned scale, uint8_t out[RV_CANONICAL_FIXED_MAX]);
/* 00, or 01 + length + canonical bytes: a list's element or a row hash's plain column. */
rv_status rv_canonical_element(rv_type t, const rv_cell *cell, rv_buf *out,
                               rv_error *err) RV_MUST_USE;

#endif
