/* codec/codec.h: block and stream compression behind one door. A context is reused across
 * calls and belongs to one thread at a time.
 * Source: RFC 8878 (zstd), RFC 1952 (gzip), the LZ4 block and Snappy formats, RFC 7932. */
#ifndef RV_CODEC_CODEC_H
#define RV_CODEC_CODEC_H

#include "base/buf.h"
#include "base/sink.h"

typedef enum rv_codec_id {
    RV_CODEC_NONE,
    RV_CODEC_SNAPPY,
    RV_CODEC_GZIP,
    RV_CODEC_LZ4_RAW,
    RV_CODEC_ZSTD,
    RV_CODEC_LZ4_HADOOP, /* read only: Hadoop framing or a bare block */
    RV_CODEC_BROTLI      /* read only */
} rv_codec_id;

/* Levels of the configuration: zstd 1..22 (0 = 3), gzip 0..10 (-1 = 6); others have none. */
#define RV_LEVEL_DEFAULT INT32_MIN
bool rv_codec_level_range(rv_codec_id id, int *out_min, int *out_max, int *out_default);
const char *rv_codec_name(rv_codec_id id); /* zstd snappy gzip lz4 none */
bool rv_codec_from_name(rv_str name, rv_codec_id *out);

typedef struct rv_codec rv_codec;
rv_status rv_codec_open(rv_codec_id id, int level, rv_codec **out, rv_error *err) RV_MUST_USE;
/* Another context of the same format that searches less than the level asks for, for a caller
 * that compares them on a sample of its data: rank 0 is the fastest of RV_CODEC_FASTER. *out is
 * NULL when there is none worth having: only zstd's levels 2 and 3 have them. */
#define RV_CODEC_FASTER 3u
rv_status rv_codec_open_faster(rv_codec_id id, int level, unsigned rank, rv_codec **out,
                               rv_error *err) RV_MUST_USE;
void rv_codec_close(rv_codec *c);
size_t rv_codec_bound(const rv_codec *c, size_t raw_len); /* worst compressed size */
/* out must have rv_codec_bound bytes. Deterministic for (input, level, library version). */
rv_status rv_codec_compress(rv_codec *c, rv_bytes raw, uint8_t *out, size_t cap, size_t *out_len,
                            rv_error *err) RV_MUST_USE;
/* Exactly raw_len bytes must come out; anything else is RV_E_CORRUPT. Concatenated gzip members
 * and zstd frames are accepted. Hostile input is safe. */
rv_status rv_codec_decompress(rv_codec *c, rv_bytes in, uint8_t *out, size_t raw_len,
                              rv_error *err) RV_MUST_USE;

/* Streams for CSV: bytes in, compressed bytes to the sink. gzip and zstd only. */
typedef struct rv_codec_stream rv_codec_stream;
rv_status rv_codec_stream_open(rv_codec_id id, int level, rv_sink out, rv_codec_stream **stream,
                               rv_error *err) RV_MUST_USE;
rv_status rv_codec_stream_write(rv_codec_stream *s, rv_bytes data, rv_error *err) RV_MUST_USE;
/* Bytes handed to the sink so far: a function of the bytes written alone, not of the cuts. */
uint64_t rv_codec_stream_out_bytes(const rv_codec_stream *s);
/* Input bytes those stand for; the rest still waits inside. As pure. */
uint64_t rv_codec_stream_in_bytes(const rv_codec_stream *s);
rv_status rv_codec_stream_finish(rv_codec_stream *s, rv_error *err) RV_MUST_USE;
void rv_codec_stream_close(rv_codec_stream *s); /* without finish: the output is incomplete */
/* Whole-stream decoder for validate: pulls from fd-less input chunks. */
typedef struct rv_codec_unstream rv_codec_unstream;
rv_status rv_codec_unstream_open(rv_codec_id id, rv_codec_unstream **out,
                                 rv_error *err) RV_MUST_USE;
/* Decodes `in`, appending at most max_out bytes to out; *out_used = input consumed. Call again
 * with the rest until used == in.len and nothing more comes. */
rv_status rv_codec_unstream_feed(rv_codec_unstream *u, rv_bytes in, size_t *out_used,
                                 size_t max_out, rv_buf *out, rv_error *err) RV_MUST_USE;
/* True when a member or frame ended exactly here. */
bool rv_codec_unstream_at_end(const rv_codec_unstream *u);
void rv_codec_unstream_close(rv_codec_unstream *u);

#endif
