/* column/decimal_internal.h: what decimal.c shares with the room. */
#ifndef RV_COLUMN_DECIMAL_INTERNAL_H
#define RV_COLUMN_DECIMAL_INTERNAL_H

#include "column/decimal.h"

#define RV_DECIMAL_DIGITS_MAX 76

/* 10^k, k <= 76. */
const rv_i256 *rv_i256_pow10(unsigned k);

#endif
