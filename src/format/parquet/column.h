/* format/parquet/column.h: one column of the open row group: a slab that gathers the values of
 * the page being filled, and the pages sealed so far. Where pages end depends on the rows and on
 * the columns' number and types only.
 * Owner: the writer. One thread at a time. Source: design "parquet" sections 2 to 4. */
#ifndef RV_FORMAT_PARQUET_COLUMN_H
#define RV_FORMAT_PARQUET_COLUMN_H

#include "format/parquet/choose.h"

#define RV_PQ_PAGE_ROWS_MAX 32768u

/* Page sizes of a table, from its number of columns and how many of them hold strings. */
typedef struct rv_pq_page_plan {
    uint32_t string_bytes; /* PLAIN bytes of strings in a page */
    uint32_t fixed_bytes;  /* of other values */
    uint32_t rows_max;     /* twice as many of strings without a dictionary */
    uint32_t dict_bytes;   /* limit of one dictionary */
} rv_pq_page_plan;
rv_pq_page_plan rv_pq_page_plan_of(size_t n_columns, size_t n_strings);

/* Values and levels of the page being filled. `values` begins with `head` free bytes: there the
 * levels and lengths of a page go, so that values which are stored as they lie need not be copied
 * again. */
#define RV_PQ_SLAB_HEAD_PART 16u /* of a page's bytes */
typedef struct rv_pq_slab {
    rv_buf values;
    size_t head;
    rv_buf lengths; /* strings: u32 each */
    rv_buf bits;    /* flat: validity, LSB first */
    rv_buf levels;  /* lists: repetition << 2 | definition, one byte each */
    uint32_t rows;
    uint32_t n;     /* present values */
    uint64_t plain; /* their bytes in PLAIN form */
} rv_pq_slab;

/* A sealed page. Its bounds lie in rv_pq_chunk.bounds, one after the other. */
typedef struct rv_pq_page_rec {
    rv_pq_stored stored;
    uint32_t rows;
    uint32_t min_len, max_len;
    bool null_page;
    uint64_t nulls, nans;
    uint64_t unencoded;      /* bytes of strings */
    uint32_t rep[2], def[4]; /* lists: how many levels of each value */
} rv_pq_page_rec;

/* What the open row group holds of the column. */
typedef struct rv_pq_chunk {
    rv_buf pages; /* rv_pq_page_rec */
    rv_buf bounds;
    rv_pq_bounds total;
    bool compressed;
    bool no_index;                   /* a page has values but no bounds */
    uint32_t n_coded[RV_PQ_ALP + 1]; /* data pages by encoding */
    uint32_t dict_n;                 /* entries the sealed pages use */
    rv_pq_stored dict_page;
    uint64_t entries;                 /* values with nulls: levels */
    uint64_t raw_bytes, stored_bytes; /* of all pages, headers included */
} rv_pq_chunk;

typedef struct rv_pq_column {
    rv_pq_leaf leaf;
    const char *name;
    rv_pq_slab slab;
    rv_pq_dict dict;
    rv_pq_choice choice;
    uint64_t sampled; /* values choices were made from */
    bool decided;
    bool dict_over;     /* abandoned for the rest of the file */
    uint32_t page_rows; /* rows at which the open page ends at the latest */
    rv_pq_chunk chunk;
    uint64_t groups;              /* row groups finished */
    bool compressed_before;       /* the last group, and it paid */
    bool codec_over;              /* compressing a whole chunk did not pay */
    bool codec_tried;             /* `faster` is decided */
    unsigned faster;              /* 1 + rank of the faster codec that does as well, or 0 */
    uint64_t in_bytes, out_bytes; /* slab bytes in, page bytes out, of all sealed pages */
    uint32_t present_upto;        /* cursor of the batch being appended: present values before it */
} rv_pq_column;

/* What sealing a page needs besides the column. */
typedef struct rv_pq_shop {
    rv_encoding_policy policy;
    rv_pq_page_plan plan;
    rv_pq_press press;
    rv_pq_log *log;
    rv_pq_scratch scratch;
    rv_pq_bounds bounds; /* of the page being sealed */
    rv_pq_used used;     /* dictionary entries of that page */
} rv_pq_shop;

void rv_pq_column_init(rv_pq_column *c, const rv_pq_leaf *leaf, const char *name,
                       const rv_pq_page_plan *plan);
void rv_pq_column_free(rv_pq_column *c);
/* Rows [from, from + n) of a batch's column; from must follow the rows given before, or be 0. */
rv_status rv_pq_column_append(rv_pq_column *c, rv_pq_shop *shop, const rv_col *col, uint32_t from,
                              uint32_t n, rv_error *err) RV_MUST_USE;
/* Seals what is open and the dictionary. */
rv_status rv_pq_column_finish(rv_pq_column *c, rv_pq_shop *shop, rv_error *err) RV_MUST_USE;
/* Forgets the chunk and begins the next. */
void rv_pq_column_next_group(rv_pq_column *c);

/* Bytes the sealed pages and the open page (estimated) take. */
uint64_t rv_pq_column_stored_estimate(const rv_pq_column *c);
/* The same before compression. */
uint64_t rv_pq_column_raw_estimate(const rv_pq_column *c);

static inline size_t rv_pq_chunk_n_pages(const rv_pq_chunk *chunk)
{
    return chunk->pages.len / sizeof(rv_pq_page_rec);
}

#endif
