/* column/temporal.h: ISO texts and dates, times, timestamps. Floor division before 1970;
 * years outside 0..9999 carry a sign and at least four digits. Pure functions.
 * Source: spec "types" sections 2, 6. */
#ifndef RV_COLUMN_TEMPORAL_H
#define RV_COLUMN_TEMPORAL_H

#include "column/type.h"

#define RV_TEMPORAL_TEXT_SIZE 48
/* Returns the length; a NUL follows. */
unsigned rv_date_text(int64_t days, char out[RV_TEMPORAL_TEXT_SIZE]);
unsigned rv_time_text(int64_t us, char out[RV_TEMPORAL_TEXT_SIZE]);
unsigned rv_timestamp_text(int64_t us, bool tz, char out[RV_TEMPORAL_TEXT_SIZE]);
unsigned rv_timestamp_ns_text(int64_t ns, bool tz, char out[RV_TEMPORAL_TEXT_SIZE]);

typedef enum rv_temporal_fit {
    RV_TEMPORAL_OK,
    RV_TEMPORAL_SYNTAX,
    RV_TEMPORAL_RANGE /* well-formed but not representable: 24:00, day 30 of February, overflow */
} rv_temporal_fit;
/* YYYY-MM-DD, sign and more year digits allowed. */
rv_temporal_fit rv_date_parse(rv_str s, int64_t *out_days);
/* HH:MM[:SS[.f{1,9}]]; digits beyond µs must be zero (else RANGE). */
rv_temporal_fit rv_time_parse(rv_str s, int64_t *out_us);
/* Date, then 'T' or blank and a time, optional zone Z, +HH, +HHMM, +HH:MM[:SS]. A zone converts
 * to UTC; *out_zoned tells. A bare date is midnight. scale_ns: result in ns, else µs. Digits
 * beyond the unit must be zero (else RANGE). */
rv_temporal_fit rv_timestamp_parse(rv_str s, bool scale_ns, int64_t *out, bool *out_zoned);

#endif
