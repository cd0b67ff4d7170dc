/* column/render.h: the text of a cell as CSV writes it, without quoting (spec "types" section 2),
 * and shortest round-trip doubles. Pure but for the buffer. */
#ifndef RV_COLUMN_RENDER_H
#define RV_COLUMN_RENDER_H

#include "base/buf.h"
#include "column/batch.h"

#define RV_DOUBLE_TEXT_SIZE 352
/* Positional, never an exponent, always a fraction digit; NaN, inf, -inf. Returns the length. */
unsigned rv_double_text(double v, char out[RV_DOUBLE_TEXT_SIZE]);
unsigned rv_float_text(float v, char out[RV_DOUBLE_TEXT_SIZE]);
/* Shortest digits and exponent of |v| (finite, not zero): v = 0.d1d2.. x 10^*exp10. */
unsigned rv_double_digits(double v, char digits[20], int *exp10);
/* Present value k of a non-list column. */
rv_status rv_render_value(const rv_col *col, uint32_t k, rv_buf *out, rv_error *err) RV_MUST_USE;

#endif
