/* format/parquet/reader.h: a Parquet file being read back: footer, schema, column chunks in
 * slices of one page. Memory: the footer (once, and 64 times in the worst case as structs), the
 * chunks of one row group, and per open column one page and its dictionary.
 * Errors: RV_E_CORRUPT naming offset, row group and column; whatever the file's bytes are.
 * Threads: one at a time. Source: parquet-format README, Encodings.md, Compression.md; design
 * "parquet" section 5. */
#ifndef RV_FORMAT_PARQUET_READER_H
#define RV_FORMAT_PARQUET_READER_H

#include "format/parquet/decode.h"
#include "format/parquet/meta_page.h"
#include "format/verify.h"

#define RV_PQ_NESTING_MAX 64u
#define RV_PQ_FOOTER_MAX (256u * 1024 * 1024)
#define RV_PQ_PAGE_MAX ((1u << 30) + (64u << 10))

/* How values of a leaf compare, which decides what min and max mean. */
typedef enum rv_pq_leaf_order {
    RV_PQ_BY_NOTHING, /* INT96, intervals, unknown logical types */
    RV_PQ_BY_BOOL,
    RV_PQ_BY_I32,
    RV_PQ_BY_U32,
    RV_PQ_BY_I64,
    RV_PQ_BY_U64,
    RV_PQ_BY_F32,
    RV_PQ_BY_F64,
    RV_PQ_BY_BYTES,  /* unsigned, shorter first */
    RV_PQ_BY_SIGNED, /* big-endian two's complement of any length */
    RV_PQ_BY_F16
} rv_pq_leaf_order;

typedef struct rv_pq_read_leaf {
    const rv_pq_schema_element *element;
    const rv_bytes *path;
    uint32_t path_len;
    const char *name; /* dotted path, for messages */
    uint32_t column;  /* top-level column it belongs to */
    uint32_t flba;
    rv_pq_leaf_order order;
    uint8_t type; /* rv_pq_type */
    uint8_t max_def;
    uint8_t max_rep;
    bool utf8;         /* values must be UTF-8 */
    uint8_t precision; /* decimals */
    uint8_t scale;
    uint8_t int_bits; /* 8 or 16: narrower than the physical type */
    bool int_unsigned;
} rv_pq_read_leaf;

typedef struct rv_pq_top {
    const rv_pq_schema_element *element;
    const char *name;
    uint32_t element_at; /* in the schema */
    uint32_t first_leaf;
    uint32_t n_leaves;
} rv_pq_top;

typedef struct rv_pq_file {
    const rv_env *env;
    rv_readable in;
    rv_arena arena;
    uint8_t *footer;
    uint64_t footer_at;
    uint32_t footer_len;
    rv_pq_file_meta meta;
    rv_pq_read_leaf *leaves;
    uint32_t n_leaves;
    rv_pq_top *columns;
    uint32_t n_columns;
    bool own; /* Rivet wrote it: what other writers get wrong is an error here */
} rv_pq_file;

/* Zero-initialise; free after success and failure alike. env and in.self are borrowed. */
rv_status rv_pq_file_init(rv_pq_file *f, const rv_env *env, rv_readable in,
                          rv_error *err) RV_MUST_USE;
void rv_pq_file_free(rv_pq_file *f);
rv_status rv_pq_schema_read(rv_pq_file *f, rv_error *err) RV_MUST_USE; /* part of init */
/* Rivet writes one form only: a struct that serialises to other bytes than were read is damaged. */
rv_status rv_pq_own_form(const rv_thrift_desc *desc, const void *value, rv_bytes read,
                         rv_error *err) RV_MUST_USE;
/* Value of a footer key; false when absent. */
bool rv_pq_file_key(const rv_pq_file *f, const char *key, rv_str *out);
/* The canonical type a top-level column has by its Parquet type; false when there is none. */
bool rv_pq_natural_type(const rv_pq_file *f, const rv_pq_top *column, rv_type *out);

typedef struct rv_pq_read_chunk {
    const rv_pq_read_leaf *leaf;
    uint32_t group;
    int64_t group_rows;
    uint64_t start; /* first page header */
    uint64_t end;
    rv_pq_column_chunk chunk;
    rv_pq_column_meta meta;
} rv_pq_read_chunk;

typedef struct rv_pq_read_group {
    uint32_t index;
    rv_pq_row_group meta;
    rv_pq_read_chunk *chunks; /* one per leaf */
} rv_pq_read_group;
/* Decodes and checks the metadata of one row group; lives in the arena. */
rv_status rv_pq_group_read(const rv_pq_file *f, uint32_t index, rv_arena *arena,
                           rv_pq_read_group *out, rv_error *err) RV_MUST_USE;

/* What the columns of a file share. Zero-initialise by open. */
typedef struct rv_pq_shared {
    rv_pq_scratch scratch;
    rv_buf compressed;
    rv_arena headers; /* of the page header at hand */
    rv_codec *codecs[RV_CODEC_BROTLI + 1];
} rv_pq_shared;
rv_status rv_pq_shared_open(rv_pq_shared *s, rv_error *err) RV_MUST_USE;
void rv_pq_shared_close(rv_pq_shared *s);

typedef struct rv_pq_read_page {
    uint64_t offset; /* of the header */
    uint64_t body_at;
    uint32_t body_len;
    uint32_t index; /* among the data pages; the dictionary page has none */
    bool is_dict;
    rv_pq_page_header header;
} rv_pq_read_page;

/* A column chunk being read. */
typedef struct rv_pq_reader {
    const rv_pq_file *file;
    rv_pq_shared *shared;
    const rv_pq_read_chunk *chunk;
    bool check_crc;
    uint64_t at; /* next page header */
    rv_pq_read_page page;
    uint32_t data_pages;
    int64_t entries;    /* of data pages met */
    int64_t rows;       /* begun */
    int64_t page_nulls; /* entries of the page without a value */
    int64_t page_rows;  /* begun in the page */
    uint64_t raw_bytes; /* headers and uncompressed bodies */
    uint32_t page_left; /* entries not yet given */
    bool page_open;
    bool closed; /* the end was reached and everything checked */
    rv_pq_levels def, rep;
    rv_pq_value_cursor values;
    rv_buf body;
    rv_buf dict_body;
    rv_buf dict_spans;
    rv_pq_read_dict dict;
    bool has_dict;
} rv_pq_reader;

typedef struct rv_pq_slice {
    uint32_t n;    /* entries; 0: the chunk is over, or a row begins at once and none was wanted */
    uint32_t rows; /* that begin here */
    bool end;
    const uint8_t *def; /* NULL when max_def is 0 */
    const uint8_t *rep; /* NULL when max_rep is 0 */
    rv_pq_slice_values values;
} rv_pq_slice;

/* Zero-initialise once; start as often as needed; close at the end. */
void rv_pq_reader_start(rv_pq_reader *r, const rv_pq_file *file, const rv_pq_read_chunk *chunk,
                        rv_pq_shared *shared, bool check_crc);
/* The next page without its body (checked against its CRC when asked). *out_end at the end of
 * the chunk, whose totals have been checked then. */
rv_status rv_pq_reader_skip(rv_pq_reader *r, bool *out_end, rv_error *err) RV_MUST_USE;
/* Entries of one page, at most RV_PQ_SLICE, in which at most max_rows rows begin. At the end of
 * the chunk everything has been checked that needs no statistics. */
rv_status rv_pq_reader_next(rv_pq_reader *r, uint32_t max_rows, rv_pq_slice *out,
                            rv_error *err) RV_MUST_USE;
void rv_pq_reader_close(rv_pq_reader *r);
/* Adds row group, column and page to an error; returns its code. */
rv_status rv_pq_reader_where(const rv_pq_reader *r, rv_status st, rv_error *err);

/* Parts of the above, private to read_*.c. */
rv_status rv_pq_page_header_read(rv_pq_reader *r, rv_error *err) RV_MUST_USE;
/* Reads, checks and uncompresses the body of r->page into `out`, padded. */
rv_status rv_pq_page_body_read(rv_pq_reader *r, rv_buf *out, rv_error *err) RV_MUST_USE;
rv_status rv_pq_page_crc_check(rv_pq_reader *r, rv_error *err) RV_MUST_USE;

#endif
