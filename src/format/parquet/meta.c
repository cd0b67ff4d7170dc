#include "format/parquet/meta_page.h"

#include <stddef.h>

#define COUNT(a) ((uint32_t)(sizeof(a) / sizeof(a)[0]))
#define FIELD(id, kind, type, member)                                                              \
    {                                                                                              \
        id, RV_THRIFT_##kind, 0, false, offsetof(type, member), NULL                               \
    }
#define NEED(id, kind, type, member)                                                               \
    {                                                                                              \
        id, RV_THRIFT_##kind, 0, true, offsetof(type, member), NULL                                \
    }
#define SUB(id, type, member, desc)                                                                \
    {                                                                                              \
        id, RV_THRIFT_STRUCT, 0, false, offsetof(type, member), &(desc)                            \
    }
#define NEED_SUB(id, type, member, desc)                                                           \
    {                                                                                              \
        id, RV_THRIFT_STRUCT, 0, true, offsetof(type, member), &(desc)                             \
    }
#define LIST(id, elem, type, member)                                                               \
    {                                                                                              \
        id, RV_THRIFT_LIST, RV_THRIFT_##elem, false, offsetof(type, member), NULL                  \
    }
#define NEED_LIST(id, elem, type, member)                                                          \
    {                                                                                              \
        id, RV_THRIFT_LIST, RV_THRIFT_##elem, true, offsetof(type, member), NULL                   \
    }
#define STRUCTS(id, type, member, desc)                                                            \
    {                                                                                              \
        id, RV_THRIFT_LIST, RV_THRIFT_STRUCT, false, offsetof(type, member), &(desc)               \
    }
#define NEED_STRUCTS(id, type, member, desc)                                                       \
    {                                                                                              \
        id, RV_THRIFT_LIST, RV_THRIFT_STRUCT, true, offsetof(type, member), &(desc)                \
    }
/* Member of a union that holds nothing: only its bit in `has` matters. */
#define EMPTY(id)                                                                                  \
    {                                                                                              \
        id, RV_THRIFT_STRUCT, 0, false, 0, &empty_desc                                             \
    }
#define DESC(var, text, type, table)                                                               \
    const rv_thrift_desc var = {text, sizeof(type), COUNT(table), table}

static const rv_thrift_desc empty_desc = {"empty struct", 0, 0, NULL};

/* ---- schema ---- */

static const rv_thrift_field unit_fields[] = {EMPTY(1), EMPTY(2), EMPTY(3)};
static DESC(unit_desc, "TimeUnit", rv_pq_unit, unit_fields);

static const rv_thrift_field decimal_fields[] = {
    NEED(1, I32, rv_pq_logical_decimal, scale),
    NEED(2, I32, rv_pq_logical_decimal, precision),
};
static DESC(decimal_desc, "DecimalType", rv_pq_logical_decimal, decimal_fields);

static const rv_thrift_field time_fields[] = {
    NEED(1, BOOL, rv_pq_logical_time, utc),
    NEED_SUB(2, rv_pq_logical_time, unit, unit_desc),
};
static DESC(time_desc, "TimeType", rv_pq_logical_time, time_fields);

static const rv_thrift_field int_fields[] = {
    NEED(1, I8, rv_pq_logical_int, width),
    NEED(2, BOOL, rv_pq_logical_int, is_signed),
};
static DESC(int_desc, "IntType", rv_pq_logical_int, int_fields);

static const rv_thrift_field logical_fields[] = {
    EMPTY(RV_PQ_LOGICAL_STRING),
    EMPTY(RV_PQ_LOGICAL_MAP),
    EMPTY(RV_PQ_LOGICAL_LIST),
    EMPTY(RV_PQ_LOGICAL_ENUM),
    SUB(RV_PQ_LOGICAL_DECIMAL, rv_pq_logical, decimal, decimal_desc),
    EMPTY(RV_PQ_LOGICAL_DATE),
    SUB(RV_PQ_LOGICAL_TIME, rv_pq_logical, time, time_desc),
    SUB(RV_PQ_LOGICAL_TIMESTAMP, rv_pq_logical, time, time_desc),
    SUB(RV_PQ_LOGICAL_INTEGER, rv_pq_logical, integer, int_desc),
    EMPTY(RV_PQ_LOGICAL_UNKNOWN),
    EMPTY(RV_PQ_LOGICAL_JSON),
    EMPTY(RV_PQ_LOGICAL_BSON),
    EMPTY(RV_PQ_LOGICAL_UUID),
    EMPTY(RV_PQ_LOGICAL_FLOAT16),
};
static DESC(logical_desc, "LogicalType", rv_pq_logical, logical_fields);

static const rv_thrift_field schema_fields[] = {
    FIELD(RV_PQ_SCHEMA_TYPE, I32, rv_pq_schema_element, type),
    FIELD(RV_PQ_SCHEMA_LENGTH, I32, rv_pq_schema_element, type_length),
    FIELD(RV_PQ_SCHEMA_REPETITION, I32, rv_pq_schema_element, repetition),
    NEED(4, BINARY, rv_pq_schema_element, name),
    FIELD(RV_PQ_SCHEMA_CHILDREN, I32, rv_pq_schema_element, num_children),
    FIELD(RV_PQ_SCHEMA_CONVERTED, I32, rv_pq_schema_element, converted),
    FIELD(RV_PQ_SCHEMA_SCALE, I32, rv_pq_schema_element, scale),
    FIELD(RV_PQ_SCHEMA_PRECISION, I32, rv_pq_schema_element, precision),
    FIELD(RV_PQ_SCHEMA_FIELD_ID, I32, rv_pq_schema_element, field_id),
    SUB(RV_PQ_SCHEMA_LOGICAL, rv_pq_schema_element, logical, logical_desc),
};
DESC(rv_pq_schema_element_desc, "SchemaElement", rv_pq_schema_element, schema_fields);

/* ---- column chunks ---- */

static const rv_thrift_field statistics_fields[] = {
    FIELD(RV_PQ_STATS_MAX_LEGACY, BINARY, rv_pq_statistics, max_legacy),
    FIELD(RV_PQ_STATS_MIN_LEGACY, BINARY, rv_pq_statistics, min_legacy),
    FIELD(RV_PQ_STATS_NULLS, I64, rv_pq_statistics, null_count),
    FIELD(RV_PQ_STATS_DISTINCT, I64, rv_pq_statistics, distinct_count),
    FIELD(RV_PQ_STATS_MAX, BINARY, rv_pq_statistics, max_value),
    FIELD(RV_PQ_STATS_MIN, BINARY, rv_pq_statistics, min_value),
    FIELD(RV_PQ_STATS_MAX_EXACT, BOOL, rv_pq_statistics, is_max_exact),
    FIELD(RV_PQ_STATS_MIN_EXACT, BOOL, rv_pq_statistics, is_min_exact),
    FIELD(RV_PQ_STATS_NANS, I64, rv_pq_statistics, nan_count),
};
DESC(rv_pq_statistics_desc, "Statistics", rv_pq_statistics, statistics_fields);

static const rv_thrift_field sizes_fields[] = {
    FIELD(RV_PQ_SIZES_UNENCODED, I64, rv_pq_size_statistics, unencoded_bytes),
    LIST(RV_PQ_SIZES_REP, I64, rv_pq_size_statistics, rep_histogram),
    LIST(RV_PQ_SIZES_DEF, I64, rv_pq_size_statistics, def_histogram),
};
static DESC(sizes_desc, "SizeStatistics", rv_pq_size_statistics, sizes_fields);

static const rv_thrift_field key_value_fields[] = {
    NEED(1, BINARY, rv_pq_key_value, key),
    FIELD(RV_PQ_KV_VALUE, BINARY, rv_pq_key_value, value),
};
static DESC(key_value_desc, "KeyValue", rv_pq_key_value, key_value_fields);

static const rv_thrift_field sorting_fields[] = {
    NEED(1, I32, rv_pq_sorting, column),
    NEED(2, BOOL, rv_pq_sorting, descending),
    NEED(3, BOOL, rv_pq_sorting, nulls_first),
};
static DESC(sorting_desc, "SortingColumn", rv_pq_sorting, sorting_fields);

static const rv_thrift_field encoding_stats_fields[] = {
    NEED(1, I32, rv_pq_encoding_stats, page_type),
    NEED(2, I32, rv_pq_encoding_stats, encoding),
    NEED(3, I32, rv_pq_encoding_stats, count),
};
static DESC(encoding_stats_desc, "PageEncodingStats", rv_pq_encoding_stats, encoding_stats_fields);

static const rv_thrift_field column_meta_fields[] = {
    NEED(1, I32, rv_pq_column_meta, type),
    NEED_LIST(2, I32, rv_pq_column_meta, encodings),
    NEED_LIST(3, BINARY, rv_pq_column_meta, path),
    NEED(4, I32, rv_pq_column_meta, codec),
    NEED(5, I64, rv_pq_column_meta, num_values),
    NEED(6, I64, rv_pq_column_meta, total_uncompressed),
    NEED(7, I64, rv_pq_column_meta, total_compressed),
    STRUCTS(RV_PQ_CHUNK_META_KEY_VALUES, rv_pq_column_meta, key_values, key_value_desc),
    NEED(9, I64, rv_pq_column_meta, data_page_offset),
    FIELD(RV_PQ_CHUNK_META_INDEX_PAGE, I64, rv_pq_column_meta, index_page_offset),
    FIELD(RV_PQ_CHUNK_META_DICT_PAGE, I64, rv_pq_column_meta, dict_page_offset),
    SUB(RV_PQ_CHUNK_META_STATS, rv_pq_column_meta, stats, rv_pq_statistics_desc),
    STRUCTS(RV_PQ_CHUNK_META_ENCODING_STATS, rv_pq_column_meta, encoding_stats,
            encoding_stats_desc),
    FIELD(RV_PQ_CHUNK_META_BLOOM_OFFSET, I64, rv_pq_column_meta, bloom_offset),
    FIELD(RV_PQ_CHUNK_META_BLOOM_LENGTH, I32, rv_pq_column_meta, bloom_length),
    SUB(RV_PQ_CHUNK_META_SIZES, rv_pq_column_meta, sizes, sizes_desc),
};
DESC(rv_pq_column_meta_desc, "ColumnMetaData", rv_pq_column_meta, column_meta_fields);

static const rv_thrift_field column_chunk_fields[] = {
    FIELD(RV_PQ_CHUNK_PATH, BINARY, rv_pq_column_chunk, file_path),
    NEED(2, I64, rv_pq_column_chunk, file_offset),
    FIELD(RV_PQ_CHUNK_META, RAW, rv_pq_column_chunk, meta),
    FIELD(RV_PQ_CHUNK_OFFSET_INDEX_OFFSET, I64, rv_pq_column_chunk, offset_index_offset),
    FIELD(RV_PQ_CHUNK_OFFSET_INDEX_LENGTH, I32, rv_pq_column_chunk, offset_index_length),
    FIELD(RV_PQ_CHUNK_COLUMN_INDEX_OFFSET, I64, rv_pq_column_chunk, column_index_offset),
    FIELD(RV_PQ_CHUNK_COLUMN_INDEX_LENGTH, I32, rv_pq_column_chunk, column_index_length),
    FIELD(RV_PQ_CHUNK_CRYPTO, RAW, rv_pq_column_chunk, crypto),
    FIELD(RV_PQ_CHUNK_ENCRYPTED_META, BINARY, rv_pq_column_chunk, encrypted_meta),
};
DESC(rv_pq_column_chunk_desc, "ColumnChunk", rv_pq_column_chunk, column_chunk_fields);

/* ---- row groups and the file ---- */

static const rv_thrift_field row_group_fields[] = {
    NEED_LIST(1, RAW, rv_pq_row_group, columns),
    NEED(2, I64, rv_pq_row_group, total_byte_size),
    NEED(3, I64, rv_pq_row_group, num_rows),
    STRUCTS(RV_PQ_GROUP_SORTING, rv_pq_row_group, sorting, sorting_desc),
    FIELD(RV_PQ_GROUP_FILE_OFFSET, I64, rv_pq_row_group, file_offset),
    FIELD(RV_PQ_GROUP_COMPRESSED, I64, rv_pq_row_group, total_compressed),
    FIELD(RV_PQ_GROUP_ORDINAL, I16, rv_pq_row_group, ordinal),
};
DESC(rv_pq_row_group_desc, "RowGroup", rv_pq_row_group, row_group_fields);

static const rv_thrift_field order_fields[] = {EMPTY(1), EMPTY(2)};
static DESC(order_desc, "ColumnOrder", rv_pq_column_order, order_fields);

static const rv_thrift_field file_meta_fields[] = {
    NEED(1, I32, rv_pq_file_meta, version),
    NEED_STRUCTS(2, rv_pq_file_meta, schema, rv_pq_schema_element_desc),
    NEED(3, I64, rv_pq_file_meta, num_rows),
    NEED_LIST(4, RAW, rv_pq_file_meta, row_groups),
    STRUCTS(RV_PQ_FILE_KEY_VALUES, rv_pq_file_meta, key_values, key_value_desc),
    FIELD(RV_PQ_FILE_CREATED_BY, BINARY, rv_pq_file_meta, created_by),
    STRUCTS(RV_PQ_FILE_COLUMN_ORDERS, rv_pq_file_meta, orders, order_desc),
    FIELD(RV_PQ_FILE_ENCRYPTION, RAW, rv_pq_file_meta, encryption),
};
DESC(rv_pq_file_meta_desc, "FileMetaData", rv_pq_file_meta, file_meta_fields);

/* ---- pages and indexes ---- */

static const rv_thrift_field data_fields[] = {
    NEED(1, I32, rv_pq_data_header, num_values),
    NEED(2, I32, rv_pq_data_header, encoding),
    NEED(3, I32, rv_pq_data_header, def_encoding),
    NEED(4, I32, rv_pq_data_header, rep_encoding),
    SUB(RV_PQ_DATA_STATS, rv_pq_data_header, stats, rv_pq_statistics_desc),
};
static DESC(data_desc, "DataPageHeader", rv_pq_data_header, data_fields);

static const rv_thrift_field dict_fields[] = {
    NEED(1, I32, rv_pq_dict_header, num_values),
    NEED(2, I32, rv_pq_dict_header, encoding),
    FIELD(RV_PQ_DICT_SORTED, BOOL, rv_pq_dict_header, is_sorted),
};
static DESC(dict_desc, "DictionaryPageHeader", rv_pq_dict_header, dict_fields);

static const rv_thrift_field data_v2_fields[] = {
    NEED(1, I32, rv_pq_data_v2_header, num_values),
    NEED(2, I32, rv_pq_data_v2_header, num_nulls),
    NEED(3, I32, rv_pq_data_v2_header, num_rows),
    NEED(4, I32, rv_pq_data_v2_header, encoding),
    NEED(5, I32, rv_pq_data_v2_header, def_bytes),
    NEED(6, I32, rv_pq_data_v2_header, rep_bytes),
    FIELD(RV_PQ_DATA_V2_COMPRESSED, BOOL, rv_pq_data_v2_header, is_compressed),
    SUB(RV_PQ_DATA_V2_STATS, rv_pq_data_v2_header, stats, rv_pq_statistics_desc),
};
static DESC(data_v2_desc, "DataPageHeaderV2", rv_pq_data_v2_header, data_v2_fields);

static const rv_thrift_field page_fields[] = {
    NEED(1, I32, rv_pq_page_header, type),
    NEED(2, I32, rv_pq_page_header, uncompressed),
    NEED(3, I32, rv_pq_page_header, compressed),
    FIELD(RV_PQ_PAGE_CRC, I32, rv_pq_page_header, crc),
    SUB(RV_PQ_PAGE_V1, rv_pq_page_header, data, data_desc),
    SUB(RV_PQ_PAGE_DICTIONARY, rv_pq_page_header, dict, dict_desc),
    SUB(RV_PQ_PAGE_V2, rv_pq_page_header, data_v2, data_v2_desc),
};
DESC(rv_pq_page_header_desc, "PageHeader", rv_pq_page_header, page_fields);

static const rv_thrift_field location_fields[] = {
    NEED(1, I64, rv_pq_page_location, offset),
    NEED(2, I32, rv_pq_page_location, size),
    NEED(3, I64, rv_pq_page_location, first_row),
};
static DESC(location_desc, "PageLocation", rv_pq_page_location, location_fields);

static const rv_thrift_field offset_index_fields[] = {
    NEED_STRUCTS(1, rv_pq_offset_index, pages, location_desc),
    LIST(RV_PQ_OFFSET_INDEX_UNENCODED, I64, rv_pq_offset_index, unencoded_bytes),
};
DESC(rv_pq_offset_index_desc, "OffsetIndex", rv_pq_offset_index, offset_index_fields);

static const rv_thrift_field column_index_fields[] = {
    NEED_LIST(1, BOOL, rv_pq_column_index, null_pages),
    NEED_LIST(2, BINARY, rv_pq_column_index, mins),
    NEED_LIST(3, BINARY, rv_pq_column_index, maxs),
    NEED(4, I32, rv_pq_column_index, boundary_order),
    LIST(RV_PQ_COLUMN_INDEX_NULLS, I64, rv_pq_column_index, null_counts),
    LIST(RV_PQ_COLUMN_INDEX_REP, I64, rv_pq_column_index, rep_histograms),
    LIST(RV_PQ_COLUMN_INDEX_DEF, I64, rv_pq_column_index, def_histograms),
    LIST(RV_PQ_COLUMN_INDEX_NANS, I64, rv_pq_column_index, nan_counts),
};
DESC(rv_pq_column_index_desc, "ColumnIndex", rv_pq_column_index, column_index_fields);

static const rv_thrift_field bloom_fields[] = {
    NEED(1, I32, rv_pq_bloom_header, num_bytes),
    NEED_SUB(2, rv_pq_bloom_header, algorithm, order_desc),
    NEED_SUB(3, rv_pq_bloom_header, hash, order_desc),
    NEED_SUB(4, rv_pq_bloom_header, compression, order_desc),
};
DESC(rv_pq_bloom_header_desc, "BloomFilterHeader", rv_pq_bloom_header, bloom_fields);

/* ---- pieces ---- */

rv_status rv_pq_row_group_begin(size_t n_columns, rv_buf *out, rv_error *err)
{
    unsigned last_id = 0;
    return rv_thrift_write_list_of_structs(1, n_columns, &last_id, out, err);
}

rv_status rv_pq_row_group_end(const rv_pq_row_group *group, rv_buf *out, rv_error *err)
{
    unsigned last_id = 1;
    RV_TRY(rv_thrift_write_fields(&rv_pq_row_group_desc, group, 2, 31, &last_id, out, err));
    return rv_thrift_write_stop(out, err);
}

rv_status rv_pq_footer_begin(const rv_pq_file_meta *file, size_t n_row_groups, rv_buf *out,
                             rv_error *err)
{
    unsigned last_id = 0;
    RV_TRY(rv_thrift_write_fields(&rv_pq_file_meta_desc, file, 1, 3, &last_id, out, err));
    return rv_thrift_write_list_of_structs(4, n_row_groups, &last_id, out, err);
}

rv_status rv_pq_footer_end(const rv_pq_file_meta *file, rv_buf *out, rv_error *err)
{
    unsigned last_id = 4;
    RV_TRY(rv_thrift_write_fields(&rv_pq_file_meta_desc, file, 5, 31, &last_id, out, err));
    return rv_thrift_write_stop(out, err);
}

static const char *name_of(const char *const *names, size_t n, int32_t i)
{
    return i >= 0 && (size_t)i < n && names[i] ? names[i] : "?";
}

const char *rv_pq_type_name(int32_t type)
{
    static const char *const names[] = {"BOOLEAN", "INT32",  "INT64",      "INT96",
                                        "FLOAT",   "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"};
    return name_of(names, COUNT(names), type);
}

const char *rv_pq_encoding_name(int32_t encoding)
{
    static const char *const names[] = {"PLAIN",
                                        "?",
                                        "PLAIN_DICTIONARY",
                                        "RLE",
                                        "BIT_PACKED",
                                        "DELTA_BINARY_PACKED",
                                        "DELTA_LENGTH_BYTE_ARRAY",
                                        "DELTA_BYTE_ARRAY",
                                        "RLE_DICTIONARY",
                                        "BYTE_STREAM_SPLIT",
                                        "ALP"};
    return name_of(names, COUNT(names), encoding);
}

const char *rv_pq_codec_name(int32_t codec)
{
    static const char *const names[] = {"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO",
                                        "BROTLI",       "LZ4",    "ZSTD", "LZ4_RAW"};
    return name_of(names, COUNT(names), codec);
}
