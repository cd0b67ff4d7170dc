/* base/clock.h: instants as µs since 1970-01-01T00:00:00 UTC and their text forms.
 * Proleptic Gregorian calendar, astronomical years. Pure but rv_clock_now/mono. */
#ifndef RV_BASE_CLOCK_H
#define RV_BASE_CLOCK_H

#include "base/str.h"

int64_t rv_clock_now_us(void);  /* wall clock */
int64_t rv_clock_mono_us(void); /* never jumps back; suspended time counts */

/* Days since 1970-01-01 of a civil date, and back. Any int32 year. */
int64_t rv_days_from_civil(int64_t year, unsigned month, unsigned day);
void rv_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day);
unsigned rv_days_in_month(int64_t year, unsigned month);

#define RV_RFC3339_SIZE 40
void rv_rfc3339_ms(int64_t us, char out[RV_RFC3339_SIZE]); /* 2026-05-02T08:00:00.117Z */
void rv_rfc3339_s(int64_t us, char out[RV_RFC3339_SIZE]);  /* 2026-05-02T08:00:04+00:00 */
bool rv_rfc3339_parse(rv_str s, int64_t *out_us);          /* either, any offset, 0-9 digits */
void rv_date_utc(int64_t us, char out[16]);                /* 2026-05-02 */
void rv_stamp_utc(int64_t us, char out[24]);               /* 20260502_080000 */
void rv_run_stamp_utc(int64_t us, char out[32]);           /* 20260502T080000.117 */
/* Human forms of spec "cli": 340ms, 1.2s, 2m 06.0s, 1h 02m 03.4s; 9.6 MB. */
void rv_duration_text(int64_t ms, char out[32]);
void rv_size_text(uint64_t bytes, char out[32]);

#endif
