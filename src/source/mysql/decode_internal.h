/* source/mysql/decode_internal.h: the decoders of both row protocols, the parts of a date or a
 * time, and the splitter of a binary row. Private to the folder.
 * Source: MySQL internals "Protocol::BinaryResultset", "Protocol::TextResultsetRow"; MySQL
 * Reference Manual chapter 13 (data types); spec "types" sections 4, 7, 8. */
#ifndef RV_SOURCE_MYSQL_DECODE_INTERNAL_H
#define RV_SOURCE_MYSQL_DECODE_INTERNAL_H

#include "column/render.h"
#include "source/mysql/mysql_internal.h"

#define RV_MYS_TYPE_VECTOR 242 /* MySQL 9; the client library has no name for it */
#define RV_MYS_CHARSET_BINARY 63
#define RV_MYS_DAY_US INT64_C(86400000000)

typedef enum rv_mys_decoder {
    RV_MYS_NO_DECODER,
    /* binary protocol: little-endian words and packed dates */
    RV_MYS_B_BOOL,
    RV_MYS_B_I8,
    RV_MYS_B_U8,
    RV_MYS_B_I16,
    RV_MYS_B_U16,
    RV_MYS_B_I32,
    RV_MYS_B_U32,
    RV_MYS_B_I64,
    RV_MYS_B_U64,
    RV_MYS_B_FLOAT,
    RV_MYS_B_DOUBLE,
    RV_MYS_B_FLOAT_WIDE,
    RV_MYS_B_DOUBLE_NARROW,
    RV_MYS_B_DATE,
    RV_MYS_B_DATETIME,
    RV_MYS_B_TIME,
    /* text protocol: digits */
    RV_MYS_T_BOOL,
    RV_MYS_T_I64,
    RV_MYS_T_U64,
    RV_MYS_T_DOUBLE,
    RV_MYS_T_DOUBLE_NARROW,
    RV_MYS_T_DATE,
    RV_MYS_T_DATETIME,
    RV_MYS_T_TIME,
    /* the same bytes in both */
    RV_MYS_BIT_BOOL,
    RV_MYS_BIT_I64,
    RV_MYS_BIT_U64,
    RV_MYS_DECIMAL,
    RV_MYS_BYTES, /* text, binary, json, labels: the field is the cell */
    RV_MYS_UUID,
    RV_MYS_TEXT_PARSE, /* text that becomes the column's type */
    /* through the value's text: the server's own, but for floats, which have all their digits */
    RV_MYS_TEXT,
    RV_MYS_VIA_TEXT,
    RV_MYS_DECODERS
} rv_mys_decoder;

/* data: the value without its length bytes; never NULL, SQL NULL is the caller's. */
typedef rv_status (*rv_mys_decode_fn)(const rv_mys_column *c, uint32_t col, const char *data,
                                      size_t n, rv_builder *b, rv_error *err);

typedef struct rv_mys_cell { /* data NULL: SQL NULL */
    const char *data;
    size_t n;
} rv_mys_cell;

/* "column 'x': a field of 3 bytes is none of its type": RV_E_SOURCE_CHANGED. */
rv_status rv_mys_malformed(const rv_mys_column *c, size_t n, rv_error *err);
/* RV_E_VALUE "column 'x': <what> does not fit <type>; override with x: <word>". */
rv_status rv_mys_misfit(const rv_mys_column *c, const char *what, const char *type,
                        const char *word, rv_error *err);

/* ---- decode.c ---- */

rv_mys_decode_fn rv_mys_decoder_fn(int decoder);
/* Length of a value of this type in a binary row: 1, 2, 4, 8; 0: one length byte goes before it;
 * RV_MYS_WIDTH_LENENC: a length-encoded integer does. */
#define RV_MYS_WIDTH_LENENC 255
uint8_t rv_mys_binary_width(enum enum_field_types type);
/* Cells of one packet of a binary row; they lie in it. False: it is none of these columns. */
bool rv_mys_split(rv_bytes packet, const uint8_t *widths, size_t n, rv_mys_cell *out);

/* ---- decode_time.c ---- */

typedef struct rv_mys_time { /* as it travels: also a date of zeros, or a duration */
    unsigned year, month, day;
    bool negative; /* TIME */
    uint64_t hour; /* TIME: days included */
    unsigned minute, second, us;
} rv_mys_time;

/* False: malformed. `text`: of the text protocol. */
bool rv_mys_time_read(enum enum_field_types type, bool text, const char *data, size_t n,
                      rv_mys_time *out);
static inline bool rv_mys_time_zero(const rv_mys_time *t)
{
    return t->month == 0 || t->day == 0;
}
/* The server's own text, with `digits` fraction digits. */
#define RV_MYS_TIME_TEXT_SIZE 64
unsigned rv_mys_time_text(enum enum_field_types type, const rv_mys_time *t, unsigned digits,
                          char out[RV_MYS_TIME_TEXT_SIZE]);
/* By zero_date: NULL, counted, or RV_E_VALUE. */
rv_status rv_mys_zero_date(const rv_mys_column *c, uint32_t col, rv_builder *b, rv_error *err);
rv_status rv_mys_decode_b_date(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                               rv_builder *b, rv_error *err);
rv_status rv_mys_decode_b_datetime(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                                   rv_builder *b, rv_error *err);
rv_status rv_mys_decode_b_time(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                               rv_builder *b, rv_error *err);
rv_status rv_mys_decode_t_date(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                               rv_builder *b, rv_error *err);
rv_status rv_mys_decode_t_datetime(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                                   rv_builder *b, rv_error *err);
rv_status rv_mys_decode_t_time(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                               rv_builder *b, rv_error *err);

/* ---- decode_text.c: a value as text ---- */

#define RV_MYS_TEXT_SIZE RV_DOUBLE_TEXT_SIZE
/* Text lies in `room` or in data. False: malformed. */
bool rv_mys_cell_text(const rv_mys_field *f, bool text, const char *data, size_t n,
                      char room[RV_MYS_TEXT_SIZE], rv_str *out);
rv_status rv_mys_decode_text(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                             rv_builder *b, rv_error *err);
rv_status rv_mys_decode_via_text(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                                 rv_builder *b, rv_error *err);

/* ---- types.c ---- */

bool rv_mys_is_temporal(enum enum_field_types type); /* date, datetime, timestamp; not time */
bool rv_mys_is_text(const rv_mys_field *f);          /* of a character set, enum and set included */

#endif
