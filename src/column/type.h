/* column/type.h: the canonical types every source maps to and every format writes.
 * Values, no ownership; pure functions. Source: spec "types" section 2. */
#ifndef RV_COLUMN_TYPE_H
#define RV_COLUMN_TYPE_H

#include "base/arena.h"

/* Both compilers have them; the standard does not. */
__extension__ typedef __int128 rv_i128;
__extension__ typedef unsigned __int128 rv_ui128;

typedef enum rv_kind {
    RV_BOOL,
    RV_INT16,
    RV_INT32,
    RV_INT64,
    RV_UINT64,
    RV_FLOAT32,
    RV_FLOAT64,
    RV_DECIMAL,      /* precision 1..76, scale 0..precision */
    RV_DATE,         /* days since 1970-01-01 */
    RV_TIME,         /* µs since midnight, 0 <= t < 86400000000 */
    RV_TIMESTAMP,    /* µs since 1970-01-01T00:00:00, no zone */
    RV_TIMESTAMP_TZ, /* µs, UTC */
    RV_TIMESTAMP_NS,
    RV_TIMESTAMP_TZ_NS,
    RV_STRING,
    RV_BINARY,
    RV_JSON,
    RV_UUID,     /* 16 bytes in text order */
    RV_ENUM,     /* label */
    RV_INTERVAL, /* ISO 8601 duration text */
    RV_LIST      /* of a non-list element */
} rv_kind;
#define RV_KIND_COUNT (RV_LIST + 1)

typedef struct rv_type {
    uint8_t kind;      /* rv_kind */
    uint8_t precision; /* decimals, also of a list's elements; else 0 */
    uint8_t scale;
    uint8_t elem; /* rv_kind of a list's elements; else 0 */
} rv_type;

/* How cells of a type lie in a batch; see batch.h. */
typedef enum rv_layout {
    RV_LAYOUT_BOOL8, /* one byte, 0 or 1 */
    RV_LAYOUT_I32,   /* int16, int32, date */
    RV_LAYOUT_I64,   /* int64, uint64 (bit pattern), time, timestamps, decimal p <= 18 */
    RV_LAYOUT_F32,
    RV_LAYOUT_F64,
    RV_LAYOUT_B16, /* decimal p <= 38: little-endian two's complement; uuid: text order */
    RV_LAYOUT_B32, /* decimal p > 38: little-endian two's complement */
    RV_LAYOUT_VAR, /* string, binary, json, enum, interval */
    RV_LAYOUT_LIST
} rv_layout;

typedef enum rv_fidelity {
    RV_EXACT,
    RV_COMPATIBLE,
    RV_LOGICAL_STRING,
    RV_LOSSY,
    RV_UNSUPPORTED
} rv_fidelity;

static inline rv_type rv_type_of(rv_kind kind)
{
    return (rv_type){(uint8_t)kind, 0, 0, 0};
}
static inline rv_type rv_type_decimal(unsigned precision, unsigned scale)
{
    return (rv_type){RV_DECIMAL, (uint8_t)precision, (uint8_t)scale, 0};
}
rv_type rv_type_list(rv_type elem);
rv_type rv_type_elem(rv_type list); /* the element type of a list */
bool rv_type_eq(rv_type a, rv_type b);
rv_layout rv_type_layout(rv_type t);
unsigned rv_layout_width(rv_layout layout); /* bytes; 0 for VAR and LIST */
bool rv_type_is_text(rv_type t);            /* string, json, enum, interval: valid UTF-8 */
rv_fidelity rv_type_fidelity(rv_type t);    /* the class of spec "types" section 2 */
const char *rv_fidelity_name(rv_fidelity f);
unsigned rv_type_estimate_bytes(rv_type t); /* row-size estimate, without the validity byte */

#define RV_TYPE_NAME_SIZE 64
void rv_type_name(rv_type t, char out[RV_TYPE_NAME_SIZE]);  /* "decimal(12,2)", "list<int32>" */
void rv_type_arrow(rv_type t, char out[RV_TYPE_NAME_SIZE]); /* "Decimal128(12,2)", "List(Int32)" */
bool rv_type_from_name(rv_str name, rv_type *out);          /* reads what rv_type_name writes */
bool rv_type_from_arrow(rv_str name, rv_type *out);         /* reads what rv_type_arrow writes */
/* A type word of exports[].columns, case-insensitive (spec "config" section 9). False: unknown
 * word or impossible precision; rv_type_override_words lists the accepted ones for the message. */
bool rv_type_from_override(rv_str word, rv_type *out);
const char *rv_type_override_words(void);

#endif
