/* format/parquet/dict.h: the dictionary of one column chunk: values in order of first sight.
 * Bounded in entries and bytes; deterministic. Owner: the column. One thread at a time.
 * Source: design "parquet" sections 2 and 3. */
#ifndef RV_FORMAT_PARQUET_DICT_H
#define RV_FORMAT_PARQUET_DICT_H

#include "base/buf.h"
#include "format/parquet/stats.h"

#define RV_PQ_DICT_ENTRIES_MAX 65536u

typedef struct rv_pq_dict {
    unsigned width;      /* bytes of a value, 0: strings */
    size_t bytes_max;    /* of the entries in PLAIN form */
    uint64_t *slots;     /* hash tag above, index + 1 below; 0 = free */
    uint32_t n_slots;    /* a power of two */
    uint32_t n;          /* entries */
    uint64_t seen;       /* values looked up since the last clear */
    uint64_t next_check; /* of seen, when the share of distinct values is judged */
    rv_buf values;       /* fixed width: values; strings: bytes */
    rv_buf ends;         /* strings: u32 end of each in `values` */
} rv_pq_dict;

void rv_pq_dict_init(rv_pq_dict *d, unsigned width, size_t bytes_max);
void rv_pq_dict_clear(rv_pq_dict *d); /* keeps the memory */
void rv_pq_dict_free(rv_pq_dict *d);
/* Indexes of all values. *fits false: too many distinct values, too many bytes, or more than
 * half of them distinct at 4 Ki, 8 Ki, ... values; the dictionary then holds entries of these
 * values and can only be truncated. */
rv_status rv_pq_dict_index(rv_pq_dict *d, const rv_pq_values *v, uint16_t *indexes, bool *fits,
                           rv_error *err) RV_MUST_USE;
/* Bytes of the first n entries in PLAIN form. */
size_t rv_pq_dict_plain_bytes(const rv_pq_dict *d, uint32_t n);
/* The first n entries in PLAIN form. */
rv_status rv_pq_dict_plain(const rv_pq_dict *d, uint32_t n, rv_buf *out, rv_error *err) RV_MUST_USE;
/* The entries that n indexes stand for, each once, as values. The buffers are reused. */
typedef struct rv_pq_used {
    rv_buf marks, bytes, lengths;
} rv_pq_used;
rv_status rv_pq_dict_used(const rv_pq_dict *d, const uint16_t *indexes, size_t n, rv_pq_used *used,
                          rv_pq_values *out, rv_error *err) RV_MUST_USE;
void rv_pq_used_free(rv_pq_used *used);
/* Bits of an index into n entries; at least 1, a width of 0 is not understood by all readers. */
unsigned rv_pq_dict_width(uint32_t n);

#endif
