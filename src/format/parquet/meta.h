/* format/parquet/meta.h: the structs of a Parquet footer, with their serialised form; page
 * headers and indexes are in meta_page.h.
 * Each begins with `has` (bit 1 << field id, see thrift.h); required fields are written whatever
 * `has` says. Optional ids are named RV_PQ_<STRUCT>_<FIELD>.
 * Ownership: as thrift.h; a writer only lends what it passes. Pure functions.
 * Source: parquet.thrift of apache/parquet-format; design "parquet" section 1. */
#ifndef RV_FORMAT_PARQUET_META_H
#define RV_FORMAT_PARQUET_META_H

#include "format/parquet/enums.h"
#include "format/parquet/thrift.h"

typedef struct rv_pq_unit {
    uint32_t has;
} rv_pq_unit;
typedef struct rv_pq_logical_decimal {
    uint32_t has;
    int32_t scale, precision;
} rv_pq_logical_decimal;
typedef struct rv_pq_logical_time {
    uint32_t has;
    bool utc;
    rv_pq_unit unit;
} rv_pq_logical_time;
typedef struct rv_pq_logical_int {
    uint32_t has;
    int8_t width;
    bool is_signed;
} rv_pq_logical_int;
typedef struct rv_pq_logical {
    uint32_t has;
    rv_pq_logical_decimal decimal;
    rv_pq_logical_time time; /* TIME and TIMESTAMP */
    rv_pq_logical_int integer;
} rv_pq_logical;

enum {
    RV_PQ_SCHEMA_TYPE = 1,
    RV_PQ_SCHEMA_LENGTH = 2,
    RV_PQ_SCHEMA_REPETITION = 3,
    RV_PQ_SCHEMA_CHILDREN = 5,
    RV_PQ_SCHEMA_CONVERTED = 6,
    RV_PQ_SCHEMA_SCALE = 7,
    RV_PQ_SCHEMA_PRECISION = 8,
    RV_PQ_SCHEMA_FIELD_ID = 9,
    RV_PQ_SCHEMA_LOGICAL = 10
};
typedef struct rv_pq_schema_element {
    uint32_t has;
    int32_t type, type_length, repetition;
    rv_bytes name; /* required */
    int32_t num_children, converted, scale, precision, field_id;
    rv_pq_logical logical;
} rv_pq_schema_element;

enum {
    RV_PQ_STATS_MAX_LEGACY = 1,
    RV_PQ_STATS_MIN_LEGACY = 2,
    RV_PQ_STATS_NULLS = 3,
    RV_PQ_STATS_DISTINCT = 4,
    RV_PQ_STATS_MAX = 5,
    RV_PQ_STATS_MIN = 6,
    RV_PQ_STATS_MAX_EXACT = 7,
    RV_PQ_STATS_MIN_EXACT = 8,
    RV_PQ_STATS_NANS = 9
};
typedef struct rv_pq_statistics {
    uint32_t has;
    rv_bytes max_legacy, min_legacy;
    int64_t null_count, distinct_count;
    rv_bytes max_value, min_value;
    bool is_max_exact, is_min_exact;
    int64_t nan_count;
} rv_pq_statistics;

enum { RV_PQ_SIZES_UNENCODED = 1, RV_PQ_SIZES_REP = 2, RV_PQ_SIZES_DEF = 3 };
typedef struct rv_pq_size_statistics {
    uint32_t has;
    int64_t unencoded_bytes;
    struct {
        int64_t *items;
        size_t n;
    } rep_histogram, def_histogram;
} rv_pq_size_statistics;

enum { RV_PQ_KV_VALUE = 2 };
typedef struct rv_pq_key_value {
    uint32_t has;
    rv_bytes key, value;
} rv_pq_key_value;
typedef struct rv_pq_sorting {
    uint32_t has;
    int32_t column;
    bool descending, nulls_first;
} rv_pq_sorting;
typedef struct rv_pq_encoding_stats {
    uint32_t has;
    int32_t page_type, encoding, count;
} rv_pq_encoding_stats;

enum {
    RV_PQ_CHUNK_META_KEY_VALUES = 8,
    RV_PQ_CHUNK_META_INDEX_PAGE = 10,
    RV_PQ_CHUNK_META_DICT_PAGE = 11,
    RV_PQ_CHUNK_META_STATS = 12,
    RV_PQ_CHUNK_META_ENCODING_STATS = 13,
    RV_PQ_CHUNK_META_BLOOM_OFFSET = 14,
    RV_PQ_CHUNK_META_BLOOM_LENGTH = 15,
    RV_PQ_CHUNK_META_SIZES = 16
};
typedef struct rv_pq_column_meta {
    uint32_t has;
    int32_t type; /* 1 */
    struct {
        int32_t *items;
        size_t n;
    } encodings; /* 2 */
    struct {
        rv_bytes *items;
        size_t n;
    } path;                                                   /* 3 */
    int32_t codec;                                            /* 4 */
    int64_t num_values, total_uncompressed, total_compressed; /* 5 6 7 */
    struct {
        rv_pq_key_value *items;
        size_t n;
    } key_values;                                                  /* 8 */
    int64_t data_page_offset, index_page_offset, dict_page_offset; /* 9 10 11 */
    rv_pq_statistics stats;                                        /* 12 */
    struct {
        rv_pq_encoding_stats *items;
        size_t n;
    } encoding_stats;            /* 13 */
    int64_t bloom_offset;        /* 14 */
    int32_t bloom_length;        /* 15 */
    rv_pq_size_statistics sizes; /* 16 */
} rv_pq_column_meta;

enum {
    RV_PQ_CHUNK_PATH = 1,
    RV_PQ_CHUNK_META = 3,
    RV_PQ_CHUNK_OFFSET_INDEX_OFFSET = 4,
    RV_PQ_CHUNK_OFFSET_INDEX_LENGTH = 5,
    RV_PQ_CHUNK_COLUMN_INDEX_OFFSET = 6,
    RV_PQ_CHUNK_COLUMN_INDEX_LENGTH = 7,
    RV_PQ_CHUNK_CRYPTO = 8,
    RV_PQ_CHUNK_ENCRYPTED_META = 9
};
typedef struct rv_pq_column_chunk {
    uint32_t has;
    rv_bytes file_path;
    int64_t file_offset; /* required, 0 */
    rv_bytes meta;       /* 3: a serialised rv_pq_column_meta */
    int64_t offset_index_offset;
    int32_t offset_index_length;
    int64_t column_index_offset;
    int32_t column_index_length;
    rv_bytes crypto, encrypted_meta;
} rv_pq_column_chunk;

enum {
    RV_PQ_GROUP_SORTING = 4,
    RV_PQ_GROUP_FILE_OFFSET = 5,
    RV_PQ_GROUP_COMPRESSED = 6,
    RV_PQ_GROUP_ORDINAL = 7
};
typedef struct rv_pq_row_group {
    uint32_t has;
    struct {
        rv_bytes *items;
        size_t n;
    } columns;                         /* 1: serialised rv_pq_column_chunk */
    int64_t total_byte_size, num_rows; /* 2 3 */
    struct {
        rv_pq_sorting *items;
        size_t n;
    } sorting;                             /* 4 */
    int64_t file_offset, total_compressed; /* 5 6 */
    int16_t ordinal;                       /* 7 */
} rv_pq_row_group;

typedef struct rv_pq_column_order {
    uint32_t has;
} rv_pq_column_order; /* RV_HAS(RV_PQ_ORDER_TYPE) */
enum {
    RV_PQ_FILE_KEY_VALUES = 5,
    RV_PQ_FILE_CREATED_BY = 6,
    RV_PQ_FILE_COLUMN_ORDERS = 7,
    RV_PQ_FILE_ENCRYPTION = 8
};
typedef struct rv_pq_file_meta {
    uint32_t has;
    int32_t version; /* 1 */
    struct {
        rv_pq_schema_element *items;
        size_t n;
    } schema;         /* 2 */
    int64_t num_rows; /* 3 */
    struct {
        rv_bytes *items;
        size_t n;
    } row_groups; /* 4: serialised rv_pq_row_group */
    struct {
        rv_pq_key_value *items;
        size_t n;
    } key_values;        /* 5 */
    rv_bytes created_by; /* 6 */
    struct {
        rv_pq_column_order *items;
        size_t n;
    } orders;            /* 7 */
    rv_bytes encryption; /* 8: read only, to refuse it */
} rv_pq_file_meta;

/* Tables for rv_thrift_write and rv_thrift_read. */
extern const rv_thrift_desc rv_pq_file_meta_desc, rv_pq_schema_element_desc, rv_pq_row_group_desc,
    rv_pq_column_chunk_desc, rv_pq_column_meta_desc, rv_pq_statistics_desc;

/* Serialised in pieces, so a writer holds metadata as bytes and may spill them:
 *   row group: begin(n columns), n x rv_thrift_write(&rv_pq_column_chunk_desc), end
 *   footer:    begin(n row groups), n row groups as bytes, end
 * A column chunk takes its meta as bytes made by rv_thrift_write(&rv_pq_column_meta_desc). */
rv_status rv_pq_row_group_begin(size_t n_columns, rv_buf *out, rv_error *err) RV_MUST_USE;
/* Fields 2.. of `group` (columns are ignored) and the stop byte. */
rv_status rv_pq_row_group_end(const rv_pq_row_group *group, rv_buf *out, rv_error *err) RV_MUST_USE;
/* Fields 1..3 and the header of 4 (row_groups are ignored). */
rv_status rv_pq_footer_begin(const rv_pq_file_meta *file, size_t n_row_groups, rv_buf *out,
                             rv_error *err) RV_MUST_USE;
rv_status rv_pq_footer_end(const rv_pq_file_meta *file, rv_buf *out, rv_error *err) RV_MUST_USE;

#endif
