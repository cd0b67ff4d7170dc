/* format/parquet/enums.h: the numbers of the Parquet format.
 * Source: parquet.thrift of apache/parquet-format; design "parquet" section 1. */
#ifndef RV_FORMAT_PARQUET_ENUMS_H
#define RV_FORMAT_PARQUET_ENUMS_H

#include <stdint.h>

#define RV_PQ_MAGIC "PAR1"
#define RV_PQ_MAGIC_ENCRYPTED "PARE"
#define RV_PQ_MAGIC_BYTES 4u
#define RV_PQ_TAIL_BYTES 8u /* footer length and magic */

typedef enum rv_pq_type {
    RV_PQ_BOOLEAN = 0,
    RV_PQ_INT32 = 1,
    RV_PQ_INT64 = 2,
    RV_PQ_INT96 = 3,
    RV_PQ_FLOAT = 4,
    RV_PQ_DOUBLE = 5,
    RV_PQ_BYTE_ARRAY = 6,
    RV_PQ_FLBA = 7
} rv_pq_type;
typedef enum rv_pq_repetition {
    RV_PQ_REQUIRED = 0,
    RV_PQ_OPTIONAL = 1,
    RV_PQ_REPEATED = 2
} rv_pq_repetition;
typedef enum rv_pq_codec {
    RV_PQ_UNCOMPRESSED = 0,
    RV_PQ_SNAPPY = 1,
    RV_PQ_GZIP = 2,
    RV_PQ_LZO = 3,
    RV_PQ_BROTLI = 4,
    RV_PQ_LZ4 = 5,
    RV_PQ_ZSTD = 6,
    RV_PQ_LZ4_RAW = 7
} rv_pq_codec;
typedef enum rv_pq_encoding {
    RV_PQ_PLAIN = 0,
    RV_PQ_PLAIN_DICT = 2,
    RV_PQ_RLE = 3,
    RV_PQ_BIT_PACKED = 4,
    RV_PQ_DBP = 5,
    RV_PQ_DLBA = 6,
    RV_PQ_DBA = 7,
    RV_PQ_RLE_DICT = 8,
    RV_PQ_BSS = 9,
    RV_PQ_ALP = 10
} rv_pq_encoding;
typedef enum rv_pq_page_type {
    RV_PQ_PAGE_DATA = 0,
    RV_PQ_PAGE_INDEX = 1,
    RV_PQ_PAGE_DICT = 2,
    RV_PQ_PAGE_DATA_V2 = 3
} rv_pq_page_type;
typedef enum rv_pq_boundary {
    RV_PQ_UNORDERED = 0,
    RV_PQ_ASCENDING = 1,
    RV_PQ_DESCENDING = 2
} rv_pq_boundary;
typedef enum rv_pq_converted {
    RV_PQ_CONV_UTF8 = 0,
    RV_PQ_CONV_MAP = 1,
    RV_PQ_CONV_MAP_KEY_VALUE = 2,
    RV_PQ_CONV_LIST = 3,
    RV_PQ_CONV_ENUM = 4,
    RV_PQ_CONV_DECIMAL = 5,
    RV_PQ_CONV_DATE = 6,
    RV_PQ_CONV_TIME_MILLIS = 7,
    RV_PQ_CONV_TIME_MICROS = 8,
    RV_PQ_CONV_TIMESTAMP_MILLIS = 9,
    RV_PQ_CONV_TIMESTAMP_MICROS = 10,
    RV_PQ_CONV_UINT_8 = 11,
    RV_PQ_CONV_UINT_16 = 12,
    RV_PQ_CONV_UINT_32 = 13,
    RV_PQ_CONV_UINT_64 = 14,
    RV_PQ_CONV_INT_8 = 15,
    RV_PQ_CONV_INT_16 = 16,
    RV_PQ_CONV_INT_32 = 17,
    RV_PQ_CONV_INT_64 = 18,
    RV_PQ_CONV_JSON = 19,
    RV_PQ_CONV_BSON = 20,
    RV_PQ_CONV_INTERVAL = 21
} rv_pq_converted;

/* Field ids of unions: the set bit of `has` is the member. */
enum {
    RV_PQ_LOGICAL_STRING = 1,
    RV_PQ_LOGICAL_MAP = 2,
    RV_PQ_LOGICAL_LIST = 3,
    RV_PQ_LOGICAL_ENUM = 4,
    RV_PQ_LOGICAL_DECIMAL = 5,
    RV_PQ_LOGICAL_DATE = 6,
    RV_PQ_LOGICAL_TIME = 7,
    RV_PQ_LOGICAL_TIMESTAMP = 8,
    RV_PQ_LOGICAL_INTEGER = 10,
    RV_PQ_LOGICAL_UNKNOWN = 11,
    RV_PQ_LOGICAL_JSON = 12,
    RV_PQ_LOGICAL_BSON = 13,
    RV_PQ_LOGICAL_UUID = 14,
    RV_PQ_LOGICAL_FLOAT16 = 15
};
enum { RV_PQ_UNIT_MS = 1, RV_PQ_UNIT_US = 2, RV_PQ_UNIT_NS = 3 };
enum { RV_PQ_ORDER_TYPE = 1, RV_PQ_ORDER_IEEE754 = 2 };

const char *rv_pq_type_name(int32_t type); /* "INT64", "?" when unknown */
const char *rv_pq_encoding_name(int32_t encoding);
const char *rv_pq_codec_name(int32_t codec);

#endif
