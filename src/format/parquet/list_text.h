/* format/parquet/list_text.h: a list as JSON text, for readers that cannot read lists
 * (encoding: compatible). Numbers and text as in the NDJSON of spec "cdc" section 7. */
#ifndef RV_FORMAT_PARQUET_LIST_TEXT_H
#define RV_FORMAT_PARQUET_LIST_TEXT_H

#include "base/buf.h"
#include "column/batch.h"

/* Appends present list k of the column. */
rv_status rv_pq_list_text(const rv_col *list, uint32_t k, rv_buf *out, rv_error *err) RV_MUST_USE;

#endif
