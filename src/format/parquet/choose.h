/* format/parquet/choose.h: which encoding a column gets, from the values of its first page.
 * Deterministic. Source: design "parquet" section 2. */
#ifndef RV_FORMAT_PARQUET_CHOOSE_H
#define RV_FORMAT_PARQUET_CHOOSE_H

#include "format/parquet/dict.h"
#include "format/parquet/leaf.h"
#include "format/parquet/page.h"

/* Values looked at; until ENOUGH were seen the choice is made again on the next page. */
#define RV_PQ_SAMPLE_MAX 16384u
#define RV_PQ_SAMPLE_ENOUGH 1024u

typedef struct rv_pq_choice {
    bool dictionary;
    rv_pq_encoding fallback; /* of pages that are not dictionary-coded */
} rv_pq_choice;

/* `more`: the page is full, others will follow. `dict` belongs to the column, is used for the
 * trial and cleared. */
rv_status rv_pq_choose(const rv_pq_leaf *leaf, rv_encoding_policy policy, const rv_pq_values *v,
                       bool more, rv_pq_dict *dict, rv_pq_press *press, rv_pq_choice *out,
                       rv_error *err) RV_MUST_USE;

#endif
