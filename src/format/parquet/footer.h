/* format/parquet/footer.h: the end of a file: page indexes, footer, magic.
 * Source: parquet.thrift; design "parquet" sections 1 and 5; spec "types" section 2. */
#ifndef RV_FORMAT_PARQUET_FOOTER_H
#define RV_FORMAT_PARQUET_FOOTER_H

#include "format/parquet/group.h"

typedef struct rv_pq_footer_spec {
    const rv_schema *schema;
    const rv_pq_column *columns;
    const rv_sums *sums;
    bool source_nullable;
} rv_pq_footer_spec;

rv_status rv_pq_footer_write(const rv_pq_footer_spec *spec, rv_pq_ledger *ledger, rv_pq_out *out,
                             rv_error *err) RV_MUST_USE;

#endif
