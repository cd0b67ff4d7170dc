/* format/parquet/meta_page.h: page headers, page indexes and the bloom filter header; the rules
 * of meta.h hold. Source: parquet.thrift of apache/parquet-format. */
#ifndef RV_FORMAT_PARQUET_META_PAGE_H
#define RV_FORMAT_PARQUET_META_PAGE_H

#include "format/parquet/meta.h"

enum { RV_PQ_DATA_STATS = 5 };
typedef struct rv_pq_data_header {
    uint32_t has;
    int32_t num_values, encoding, def_encoding, rep_encoding;
    rv_pq_statistics stats;
} rv_pq_data_header;
enum { RV_PQ_DICT_SORTED = 3 };
typedef struct rv_pq_dict_header {
    uint32_t has;
    int32_t num_values, encoding;
    bool is_sorted;
} rv_pq_dict_header;
enum { RV_PQ_DATA_V2_COMPRESSED = 7, RV_PQ_DATA_V2_STATS = 8 };
typedef struct rv_pq_data_v2_header {
    uint32_t has;
    int32_t num_values, num_nulls, num_rows, encoding, def_bytes, rep_bytes;
    bool is_compressed; /* absent means true */
    rv_pq_statistics stats;
} rv_pq_data_v2_header;
enum { RV_PQ_PAGE_CRC = 4, RV_PQ_PAGE_V1 = 5, RV_PQ_PAGE_DICTIONARY = 7, RV_PQ_PAGE_V2 = 8 };
typedef struct rv_pq_page_header {
    uint32_t has;
    int32_t type, uncompressed, compressed, crc; /* crc: CRC-32 of the stored body, bit-cast */
    rv_pq_data_header data;                      /* 5 */
    rv_pq_dict_header dict;                      /* 7 */
    rv_pq_data_v2_header data_v2;                /* 8 */
} rv_pq_page_header;

typedef struct rv_pq_page_location {
    uint32_t has;
    int64_t offset;
    int32_t size;
    int64_t first_row;
} rv_pq_page_location;
enum { RV_PQ_OFFSET_INDEX_UNENCODED = 2 };
typedef struct rv_pq_offset_index {
    uint32_t has;
    struct {
        rv_pq_page_location *items;
        size_t n;
    } pages;
    struct {
        int64_t *items;
        size_t n;
    } unencoded_bytes;
} rv_pq_offset_index;
enum {
    RV_PQ_COLUMN_INDEX_NULLS = 5,
    RV_PQ_COLUMN_INDEX_REP = 6,
    RV_PQ_COLUMN_INDEX_DEF = 7,
    RV_PQ_COLUMN_INDEX_NANS = 8
};
typedef struct rv_pq_column_index {
    uint32_t has;
    struct {
        bool *items;
        size_t n;
    } null_pages;
    struct {
        rv_bytes *items;
        size_t n;
    } mins, maxs;
    int32_t boundary_order;
    struct {
        int64_t *items;
        size_t n;
    } null_counts, rep_histograms, def_histograms, nan_counts;
} rv_pq_column_index;

enum { RV_PQ_BLOOM_BLOCK = 1, RV_PQ_BLOOM_XXHASH = 1, RV_PQ_BLOOM_UNCOMPRESSED = 1 };
typedef struct rv_pq_bloom_header {
    uint32_t has;
    int32_t num_bytes;
    rv_pq_column_order algorithm, hash, compression; /* unions of empty structs: {1:{}} */
} rv_pq_bloom_header;

extern const rv_thrift_desc rv_pq_page_header_desc, rv_pq_offset_index_desc,
    rv_pq_column_index_desc, rv_pq_bloom_header_desc;

#endif
