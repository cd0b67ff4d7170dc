/* format/csv/csv_internal.h: the pieces of the CSV driver.
 * Form: RFC 4180 with comma and LF, UTF-8 without BOM (spec "types" section 2). All functions
 * are pure but for the buffers named; lengths are bytes. */
#ifndef RV_FORMAT_CSV_INTERNAL_H
#define RV_FORMAT_CSV_INTERNAL_H

#include "column/temporal.h"
#include "format/format.h"

/* quote.c: fields */

/* Index of the first comma, quote, CR or LF; len when there is none. */
size_t rv_csv_find_special(const uint8_t *p, size_t len);
/* Writes the field of a present text, quoted where it must be. out holds 2 * len + 2 bytes;
 * returns behind the last one written. */
uint8_t *rv_csv_put_text(uint8_t *out, const uint8_t *p, size_t len);
/* The inside of a quoted field: every quote doubled. out holds 2 * len bytes. */
uint8_t *rv_csv_put_doubled(uint8_t *out, const uint8_t *p, size_t len);
/* Lower-case hex, 2 * len bytes. */
uint8_t *rv_csv_put_hex(uint8_t *out, const uint8_t *p, size_t len);

/* cell.c: everything but texts and binaries; such a field never needs quotes. */

enum { RV_CSV_CELL_MAX = 384 }; /* the longest double is shorter */

/* The text of the last day seen in a column: most neighbours share it. */
typedef struct rv_csv_day {
    int64_t day;
    unsigned len; /* 0: nothing remembered yet */
    char text[RV_TEMPORAL_TEXT_SIZE];
} rv_csv_day;

uint8_t *rv_csv_put_u64(uint8_t *out, uint64_t v);
uint8_t *rv_csv_put_i64(uint8_t *out, int64_t v);
/* A value of a fixed layout as it lies in the batch; writes at most RV_CSV_CELL_MAX bytes. */
uint8_t *rv_csv_put_fixed(uint8_t *out, rv_type type, const uint8_t *value, rv_csv_day *day);

/* writer.c: the driver's entries, see format.h */

rv_status rv_csv_check(const rv_schema *schema, const rv_format_opts *opts, rv_error *err);
rv_status rv_csv_begin(const rv_env *env, const rv_schema *schema, const rv_format_opts *opts,
                       rv_sink sink, rv_writer **out, rv_error *err);
rv_status rv_csv_write(rv_writer *w, const rv_batch *batch, rv_error *err);
uint64_t rv_csv_encoded_bytes(const rv_writer *w);
rv_status rv_csv_finish(rv_writer *w, const rv_sums *sums, rv_file_stats *out, rv_error *err);
void rv_csv_discard(rv_writer *w);

#endif
