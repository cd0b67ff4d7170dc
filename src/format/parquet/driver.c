#include "format/format.h"
#include "format/parquet/writer.h"

/* rv_writer is opaque outside; each driver gives it its own shape. */
static rv_pq_writer *own(rv_writer *w)
{
    return (rv_pq_writer *)(void *)w;
}

static rv_status begin(const rv_env *env, const rv_schema *schema, const rv_format_opts *opts,
                       rv_sink sink, rv_writer **out, rv_error *err)
{
    rv_pq_writer *w;
    (void)env;
    RV_TRY(rv_pq_writer_open(schema, opts, sink, &w, err));
    *out = (rv_writer *)(void *)w;
    return RV_OK;
}

static rv_status write_batch(rv_writer *w, const rv_batch *batch, rv_error *err)
{
    return rv_pq_writer_write(own(w), batch, err);
}

static uint64_t encoded_bytes(const rv_writer *w)
{
    return rv_pq_writer_encoded_bytes((const rv_pq_writer *)(const void *)w);
}

static rv_status spill(rv_writer *w, rv_error *err)
{
    return rv_pq_writer_spill(own(w), err);
}

static rv_status finish(rv_writer *w, const rv_sums *sums, rv_file_stats *out, rv_error *err)
{
    return rv_pq_writer_finish(own(w), sums, out, err);
}

static void discard(rv_writer *w)
{
    rv_pq_writer_close(own(w));
}

const rv_format_driver rv_format_parquet = {
    .abi = RV_FORMAT_ABI,
    .name = "parquet",
    .extension = ".parquet",
    .mime = "application/vnd.apache.parquet",
    .check = rv_pq_writer_check,
    .begin = begin,
    .write = write_batch,
    .encoded_bytes = encoded_bytes,
    .spill = spill,
    .finish = finish,
    .discard = discard,
};
