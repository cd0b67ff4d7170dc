/* format/parquet/page.h: makes the bytes of one page: values by encoding, compression, CRC,
 * header; and stores them in the group's log.
 * Owner: the writer holds one rv_pq_press, whose buffers every page reuses. One thread.
 * Source: parquet.thrift (PageHeader), the encodings page of apache/parquet-format. */
#ifndef RV_FORMAT_PARQUET_PAGE_H
#define RV_FORMAT_PARQUET_PAGE_H

#include "codec/codec.h"
#include "format/parquet/blocks.h"
#include "format/parquet/meta_page.h"
#include "format/parquet/stats.h"

typedef struct rv_pq_press {
    rv_codec *codec;                   /* NULL: nothing is compressed */
    rv_codec *faster[RV_CODEC_FASTER]; /* the same format, tried beside it; NULL: none */
    rv_pq_codec codec_id;
    rv_buf body;   /* of the page being made */
    rv_buf packed; /* its compressed form */
    rv_buf header;
    rv_buf indexes; /* u16 scratch: dictionary indexes, levels */
    rv_buf entries; /* dictionary on trial */
} rv_pq_press;

rv_status rv_pq_press_open(rv_codec_id codec, int level, rv_pq_press *out,
                           rv_error *err) RV_MUST_USE;
void rv_pq_press_close(rv_pq_press *p);
/* Frees buffers that one large value made large. */
void rv_pq_press_trim(rv_pq_press *p);

/* Appends the values in PLAIN, DBP, DLBA, DBA or BSS; booleans (one byte each) as bits. */
rv_status rv_pq_encode(rv_pq_encoding encoding, rv_pq_type physical, const rv_pq_values *v,
                       rv_buf *out, rv_error *err) RV_MUST_USE;
/* Room for n u16 in press->indexes. */
rv_status rv_pq_press_u16(rv_pq_press *p, size_t n, uint16_t **out, rv_error *err) RV_MUST_USE;
/* Size of `raw` after compression, for decisions. */
rv_status rv_pq_press_trial(rv_pq_press *p, rv_codec *codec, rv_bytes raw, size_t *out_len,
                            rv_error *err) RV_MUST_USE;

typedef struct rv_pq_stored {
    uint64_t at;       /* in the log */
    uint32_t size;     /* header and body */
    uint32_t raw_size; /* header and body before compression */
} rv_pq_stored;
/* Compresses the body by `codec` (NULL: stores it as it is), completes the header (sizes, CRC),
 * appends both to the log. */
rv_status rv_pq_page_store(rv_pq_press *p, rv_pq_page_header *header, rv_bytes body,
                           rv_codec *codec, rv_pq_log *log, rv_pq_stored *out,
                           rv_error *err) RV_MUST_USE;

#endif
