/* source/postgres/decode_internal.h: the decoders of COPY binary fields, big-endian readers and
 * the fixed type oids. Private to the folder.
 * Source: PostgreSQL 15 documentation, sections 55.7 (COPY formats) and 8 (types); the send
 * functions of src/backend/utils/adt as released. */
#ifndef RV_SOURCE_POSTGRES_DECODE_INTERNAL_H
#define RV_SOURCE_POSTGRES_DECODE_INTERNAL_H

#include "source/postgres/postgres_internal.h"

/* Oids of pg_type.dat, which never change. */
enum {
    RV_PG_BOOL = 16,
    RV_PG_BYTEA = 17,
    RV_PG_CHAR = 18,
    RV_PG_NAME = 19,
    RV_PG_INT8 = 20,
    RV_PG_INT2 = 21,
    RV_PG_INT4 = 23,
    RV_PG_REGPROC = 24,
    RV_PG_TEXT = 25,
    RV_PG_OID = 26,
    RV_PG_TID = 27,
    RV_PG_XID = 28,
    RV_PG_CID = 29,
    RV_PG_JSON = 114,
    RV_PG_XML = 142,
    RV_PG_POINT = 600,
    RV_PG_LSEG = 601,
    RV_PG_PATH = 602,
    RV_PG_BOX = 603,
    RV_PG_POLYGON = 604,
    RV_PG_LINE = 628,
    RV_PG_CIDR = 650,
    RV_PG_FLOAT4 = 700,
    RV_PG_FLOAT8 = 701,
    RV_PG_CIRCLE = 718,
    RV_PG_MACADDR8 = 774,
    RV_PG_MONEY = 790,
    RV_PG_MACADDR = 829,
    RV_PG_INET = 869,
    RV_PG_BPCHAR = 1042,
    RV_PG_VARCHAR = 1043,
    RV_PG_DATE = 1082,
    RV_PG_TIME = 1083,
    RV_PG_TIMESTAMP = 1114,
    RV_PG_TIMESTAMPTZ = 1184,
    RV_PG_INTERVAL = 1186,
    RV_PG_TIMETZ = 1266,
    RV_PG_BIT = 1560,
    RV_PG_VARBIT = 1562,
    RV_PG_NUMERIC = 1700,
    RV_PG_REGPROCEDURE = 2202,
    RV_PG_REGOPER = 2203,
    RV_PG_REGOPERATOR = 2204,
    RV_PG_REGCLASS = 2205,
    RV_PG_REGTYPE = 2206,
    RV_PG_UUID = 2950,
    RV_PG_LSN = 3220,
    RV_PG_TSVECTOR = 3614,
    RV_PG_TSQUERY = 3615,
    RV_PG_REGCONFIG = 3734,
    RV_PG_REGDICTIONARY = 3769,
    RV_PG_JSONB = 3802,
    RV_PG_JSONPATH = 4072,
    RV_PG_REGNAMESPACE = 4089,
    RV_PG_REGROLE = 4096,
    RV_PG_REGCOLLATION = 4191,
    RV_PG_XID8 = 5069
};

/* µs and days between 1970-01-01 and 2000-01-01, where the server counts from. */
#define RV_PG_EPOCH_US INT64_C(946684800000000)
#define RV_PG_EPOCH_DAYS 10957
#define RV_PG_DAY_US INT64_C(86400000000)

typedef enum rv_pgs_decoder {
    RV_PGS_NO_DECODER, /* an unsupported column without an override */
    RV_PGS_BOOL,
    RV_PGS_INT2,
    RV_PGS_INT4,
    RV_PGS_INT8,
    RV_PGS_OID,
    RV_PGS_XID8,
    RV_PGS_FLOAT4,
    RV_PGS_FLOAT8,
    RV_PGS_FLOAT4_WIDE,
    RV_PGS_FLOAT8_NARROW,
    RV_PGS_NUMERIC,
    RV_PGS_NUMERIC_INT,
    RV_PGS_MONEY,
    RV_PGS_DATE,
    RV_PGS_TIME,
    RV_PGS_TIMETZ,
    RV_PGS_TIMESTAMP,
    RV_PGS_INTERVAL,
    RV_PGS_BYTES, /* text, bytea, json, labels: the field is the cell */
    RV_PGS_CHAR,  /* "char" inside an array: a zero byte is the empty text */
    RV_PGS_JSONB,
    RV_PGS_UUID,
    RV_PGS_BIT,
    RV_PGS_NET,
    RV_PGS_MAC,
    RV_PGS_HSTORE,
    RV_PGS_LIST,
    RV_PGS_TEXT_PARSE, /* text that becomes the column's type */
    RV_PGS_VIA_TEXT,   /* a value of c->oid, written out, that becomes the column's type */
    RV_PGS_DECODERS
} rv_pgs_decoder;

typedef rv_status (*rv_pgs_decode_fn)(const rv_pgs_column *c, uint32_t col, const char *data,
                                      int32_t n, rv_builder *b, rv_error *err);

static inline uint16_t rv_be16(const char *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap16(v);
}
static inline uint32_t rv_be32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap32(v);
}
static inline uint64_t rv_be64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap64(v);
}

/* "column 'x': a field of 3 bytes is no int4": RV_E_SOURCE_CHANGED, for the wire does not carry
 * what the catalog said. */
rv_status rv_pgs_malformed(const rv_pgs_column *c, int32_t n, rv_error *err);
/* RV_E_VALUE "column 'x': <what> does not fit <type>; override with x: text". */
rv_status rv_pgs_misfit(const rv_pgs_column *c, const char *what, const char *type, rv_error *err);

/* decode_number.c */
rv_status rv_pgs_decode_numeric(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                                rv_builder *b, rv_error *err);
rv_status rv_pgs_decode_numeric_int(const rv_pgs_column *c, uint32_t col, const char *data,
                                    int32_t n, rv_builder *b, rv_error *err);
rv_status rv_pgs_decode_money(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                              rv_builder *b, rv_error *err);
/* Digits of a numeric field with its own scale; NaN, Infinity, -Infinity. False: malformed. */
rv_status rv_pgs_numeric_text(const char *data, int32_t n, rv_buf *out, bool *out_ok,
                              rv_error *err) RV_MUST_USE;

/* decode_time.c */
rv_status rv_pgs_decode_date(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                             rv_builder *b, rv_error *err);
rv_status rv_pgs_decode_time(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                             rv_builder *b, rv_error *err);
rv_status rv_pgs_decode_timetz(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                               rv_builder *b, rv_error *err);
rv_status rv_pgs_decode_timestamp(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                                  rv_builder *b, rv_error *err);
rv_status rv_pgs_decode_interval(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                                 rv_builder *b, rv_error *err);

/* datum.c: bytes that rv_pgs_wire_text needs at most. */
size_t rv_pgs_wire_text_room(uint32_t oid, const char *data, int32_t n);

/* decode_text.c: values that become text */
rv_status rv_pgs_decode_bit(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                            rv_builder *b, rv_error *err);
rv_status rv_pgs_decode_net(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                            rv_builder *b, rv_error *err);
rv_status rv_pgs_decode_mac(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                            rv_builder *b, rv_error *err);
rv_status rv_pgs_decode_hstore(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                               rv_builder *b, rv_error *err);
/* As the server's inet_out and cidr_out write it; false: malformed. */
#define RV_PGS_NET_TEXT_SIZE 64
bool rv_pgs_net_text(const char *data, int32_t n, char out[RV_PGS_NET_TEXT_SIZE],
                     unsigned *out_len);

/* decode_list.c */
rv_status rv_pgs_decode_list(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                             rv_builder *b, rv_error *err);

/* decode.c */
rv_pgs_decode_fn rv_pgs_decoder_fn(int decoder);

/* types.c: how an element of an array of this type is decoded and what it becomes; false: arrays
 * of it have no lossless type. */
bool rv_pgs_element_type(const rv_pgs_type_facts *array, rv_type *out, int *out_decoder);
bool rv_pgs_known_oid(uint32_t oid);

#endif
