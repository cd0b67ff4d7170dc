/* format/format.h: the contract of a file format. A driver turns batches into bytes; the same
 * rows, schema and options give the same bytes, whatever the batch edges.
 * Threads: a writer belongs to one thread at a time. Source: spec "types", design "parquet". */
#ifndef RV_FORMAT_FORMAT_H
#define RV_FORMAT_FORMAT_H

#include "base/env.h"
#include "base/sink.h"
#include "codec/codec.h"
#include "column/batch.h"

typedef enum rv_encoding_policy {
    RV_ENCODING_AUTO,
    RV_ENCODING_COMPATIBLE,
    RV_ENCODING_SMALL
} rv_encoding_policy;

typedef enum rv_group_strategy {
    RV_GROUP_DEFAULT, /* 16 MiB compressed, 64 MiB encoded or 1,048,576 rows */
    RV_GROUP_ROWS,    /* group_rows */
    RV_GROUP_BYTES    /* group_target_bytes of raw data by the schema's row estimate */
} rv_group_strategy;

typedef struct rv_format_opts {
    rv_codec_id codec;
    int level; /* RV_LEVEL_DEFAULT or the codec's */
    /* Parquet */
    rv_encoding_policy encoding;
    rv_group_strategy group;
    uint64_t group_rows;
    uint64_t group_target_bytes;
    uint64_t group_max_bytes;    /* max_row_group_mb in bytes, 0 = none */
    uint64_t max_file_bytes;     /* 0 = none; caps a group at a quarter of it */
    uint64_t memory_bytes;       /* compressed pages beyond this go to a scratch file */
    const char *scratch_dir;     /* for that file; NULL: never spill */
    bool source_nullable_footer; /* table exports: write rivet.source_nullable */
} rv_format_opts;

typedef struct rv_writer rv_writer; /* each driver's own struct begins with nothing shared */

typedef struct rv_file_stats {
    uint64_t rows;
    uint64_t file_bytes; /* bytes given to the sink */
    uint64_t row_groups;
} rv_file_stats;

#define RV_FORMAT_ABI 1
typedef struct rv_format_driver {
    uint32_t abi;
    const char *name;      /* "parquet", "csv": folder and configuration word */
    const char *extension; /* ".parquet" */
    const char *mime;
    /* Refuses what the format cannot hold, before row one: RV_E_FORMAT_UNSUPPORTED naming the
     * column and the way out. */
    rv_status (*check)(const rv_schema *schema, const rv_format_opts *opts, rv_error *err);
    /* schema and opts are borrowed until finish or discard; bytes flow into sink in order. */
    rv_status (*begin)(const rv_env *env, const rv_schema *schema, const rv_format_opts *opts,
                       rv_sink sink, rv_writer **out, rv_error *err);
    /* Borrows the batch for the call. Afterwards the writer may only be discarded if it failed. */
    rv_status (*write)(rv_writer *w, const rv_batch *batch, rv_error *err);
    /* Size the file would have if finished now, estimated from encoded bytes only: a pure
     * function of rows, schema and options. Never decreases by more than rounding. */
    uint64_t (*encoded_bytes)(const rv_writer *w);
    /* RSS guard: moves what can be moved to the scratch file; never changes the bytes. May be NULL.
     */
    rv_status (*spill)(rv_writer *w, rv_error *err);
    /* Footer; `sums` are of all rows written, in schema order (footer rivet.checksum). The writer
     * is gone afterwards, on failure too. */
    rv_status (*finish)(rv_writer *w, const rv_sums *sums, rv_file_stats *out, rv_error *err);
    void (*discard)(rv_writer *w);
} rv_format_driver;

extern const rv_format_driver rv_format_parquet;
extern const rv_format_driver rv_format_csv;
/* NULL-terminated table of all drivers. */
const rv_format_driver *const *rv_format_drivers(void);
const rv_format_driver *rv_format_find(rv_str name); /* NULL when unknown */

#endif
