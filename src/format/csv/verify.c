/* A streaming RFC 4180 parser, strict about what Rivet itself writes: LF line ends, the last
 * record too, quotes only around whole fields. */
#include "format/verify.h"

#include "base/mem.h"
#include "format/csv/csv_internal.h"

enum {
    CHUNK_BYTES = 256 << 10,
    /* a header beyond this is no header; it bounds what the names may take */
    HEADER_MAX_BYTES = 4 << 20,
    UTF8_TAIL_MAX = 3
};

typedef enum field_state { FIELD_START, FIELD_PLAIN, FIELD_QUOTED, FIELD_QUOTE_SEEN } field_state;

typedef struct csv_parser {
    field_state state;
    bool in_header;
    uint64_t offset; /* of the decoded text */
    uint64_t records;
    size_t fields;               /* ended fields of the record at hand */
    size_t columns;              /* fields of the header */
    rv_buf names;                /* the header's texts, one behind the other */
    rv_buf ends;                 /* size_t each: where in names they end */
    uint8_t tail[UTF8_TAIL_MAX]; /* a code point cut by the chunk's edge */
    size_t tail_len;
} csv_parser;

static rv_status damaged(const csv_parser *p, const char *what, rv_error *err)
{
    if (p->in_header)
        return rv_fail(err, RV_E_CORRUPT, "csv: header at byte %llu: %s",
                       (unsigned long long)p->offset, what);
    return rv_fail(err, RV_E_CORRUPT, "csv: record %llu at byte %llu: %s",
                   (unsigned long long)p->records + 1, (unsigned long long)p->offset, what);
}

/* Keeps text of the header; of other records nothing is kept. */
static rv_status keep(csv_parser *p, const uint8_t *text, size_t len, rv_error *err)
{
    if (!p->in_header)
        return RV_OK;
    if (len > HEADER_MAX_BYTES - p->names.len)
        return damaged(p, "longer than any header", err);
    return rv_buf_add(&p->names, text, len, err);
}

static rv_status end_field(csv_parser *p, rv_error *err)
{
    p->fields++;
    p->state = FIELD_START;
    if (!p->in_header)
        return RV_OK;
    if (p->fields > HEADER_MAX_BYTES / sizeof(size_t))
        return damaged(p, "more fields than any header", err);
    return rv_buf_add(&p->ends, &p->names.len, sizeof p->names.len, err);
}

static rv_status end_record(csv_parser *p, rv_error *err)
{
    RV_TRY(end_field(p, err));
    if (p->in_header) {
        p->columns = p->fields;
        p->in_header = false;
    } else if (p->fields != p->columns) {
        return rv_fail(err, RV_E_CORRUPT,
                       "csv: record %llu at byte %llu has %zu fields, the header has %zu",
                       (unsigned long long)p->records + 1, (unsigned long long)p->offset, p->fields,
                       p->columns);
    } else {
        p->records++;
    }
    p->fields = 0;
    return RV_OK;
}

/* A byte that stops a run of plain text. */
static rv_status parse_special(csv_parser *p, uint8_t c, rv_error *err)
{
    if (c == ',')
        return end_field(p, err);
    if (c == '\n')
        return end_record(p, err);
    if (c == '\r')
        return damaged(p, "a carriage return outside quotes", err);
    if (p->state != FIELD_START)
        return damaged(p, "a quote inside an unquoted field", err);
    p->state = FIELD_QUOTED;
    return RV_OK;
}

static rv_status parse_plain(csv_parser *p, const uint8_t *at, size_t len, size_t *used,
                             rv_error *err)
{
    size_t run = rv_csv_find_special(at, len);
    if (run > 0) {
        RV_TRY(keep(p, at, run, err));
        p->state = FIELD_PLAIN;
        *used = run;
        return RV_OK;
    }
    *used = 1;
    return parse_special(p, *at, err);
}

static rv_status parse_quoted(csv_parser *p, const uint8_t *at, size_t len, size_t *used,
                              rv_error *err)
{
    const uint8_t *quote = memchr(at, '"', len);
    size_t run = quote ? (size_t)(quote - at) : len;
    RV_TRY(keep(p, at, run, err));
    if (quote)
        p->state = FIELD_QUOTE_SEEN;
    *used = run + (quote ? 1 : 0);
    return RV_OK;
}

/* Behind a quote inside a quoted field: another one, or the field's end. */
static rv_status parse_after_quote(csv_parser *p, const uint8_t *at, size_t *used, rv_error *err)
{
    *used = 1;
    if (*at == '"') {
        p->state = FIELD_QUOTED;
        return keep(p, at, 1, err);
    }
    if (*at == ',' || *at == '\n')
        return parse_special(p, *at, err);
    return damaged(p, "text behind the closing quote of a field", err);
}

static rv_status parse_text(csv_parser *p, rv_bytes in, rv_error *err)
{
    while (in.len > 0) {
        size_t used = 0;
        switch (p->state) {
        case FIELD_START:
        case FIELD_PLAIN:
            RV_TRY(parse_plain(p, in.ptr, in.len, &used, err));
            break;
        case FIELD_QUOTED:
            RV_TRY(parse_quoted(p, in.ptr, in.len, &used, err));
            break;
        case FIELD_QUOTE_SEEN:
            RV_TRY(parse_after_quote(p, in.ptr, &used, err));
            break;
        }
        in = (rv_bytes){in.ptr + used, in.len - used};
        p->offset += used;
    }
    return RV_OK;
}

/* Bytes at the end of b that begin a code point and do not finish it. */
static size_t unfinished_tail(rv_bytes b)
{
    for (size_t back = 1; back <= UTF8_TAIL_MAX && back <= b.len; back++) {
        uint8_t c = b.ptr[b.len - back];
        if ((c & 0xc0) == 0x80)
            continue;
        size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        return need > back ? back : 0;
    }
    return 0;
}

static rv_status check_utf8(csv_parser *p, rv_bytes in, rv_error *err)
{
    /* the code point the last chunk began, byte by byte */
    while (p->tail_len > 0 && in.len > 0) {
        uint8_t whole[UTF8_TAIL_MAX + 1];
        memcpy(whole, p->tail, p->tail_len);
        whole[p->tail_len] = in.ptr[0];
        in = (rv_bytes){in.ptr + 1, in.len - 1};
        rv_bytes point = {whole, p->tail_len + 1};
        if (unfinished_tail(point) == point.len) {
            memcpy(p->tail, whole, point.len);
            p->tail_len = point.len;
            continue;
        }
        if (!rv_utf8_valid(point))
            return damaged(p, "not valid UTF-8 here or shortly after", err);
        p->tail_len = 0;
    }
    size_t tail = unfinished_tail(in);
    if (!rv_utf8_valid((rv_bytes){in.ptr, in.len - tail}))
        return damaged(p, "not valid UTF-8 here or shortly after", err);
    if (tail > 0) {
        memcpy(p->tail, in.ptr + in.len - tail, tail);
        p->tail_len = tail;
    }
    return RV_OK;
}

static rv_status parse_chunk(csv_parser *p, rv_bytes in, rv_error *err)
{
    RV_TRY(check_utf8(p, in, err));
    return parse_text(p, in, err);
}

static rv_status parse_end(const csv_parser *p, rv_error *err)
{
    if (p->offset == 0)
        return rv_fail(err, RV_E_CORRUPT, "csv: the file is empty, without even a header");
    if (p->state == FIELD_QUOTED)
        return damaged(p, "the file ends inside a quoted field", err);
    /* a line feed ends every record, so anything begun is cut */
    if (p->state != FIELD_START || p->fields > 0 || p->in_header)
        return damaged(p, "the file ends inside a record", err);
    return RV_OK;
}

/* Input bytes through the decoder to the parser. */
static rv_status inflate_chunk(csv_parser *p, rv_codec_unstream *u, rv_bytes in, rv_buf *text,
                               rv_error *err)
{
    do {
        size_t used = 0;
        rv_buf_clear(text);
        RV_TRY(rv_codec_unstream_feed(u, in, &used, CHUNK_BYTES, text, err));
        RV_TRY(parse_chunk(p, rv_buf_bytes(text), err));
        in = (rv_bytes){in.ptr + used, in.len - used};
    } while (in.len > 0 || text->len == CHUNK_BYTES);
    return RV_OK;
}

static rv_status parse_file(const rv_env *env, csv_parser *p, rv_readable in, rv_codec_unstream *u,
                            uint8_t *chunk, rv_buf *text, rv_error *err)
{
    for (uint64_t at = 0; at < in.size_bytes;) {
        uint64_t left = in.size_bytes - at;
        size_t n = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
        if (env && env->cancel)
            RV_TRY(rv_cancel_check(env->cancel, err));
        RV_TRY(in.read(in.self, at, chunk, n, err));
        rv_bytes data = {chunk, n};
        RV_TRY(u ? inflate_chunk(p, u, data, text, err) : parse_chunk(p, data, err));
        at += n;
    }
    if (u && !rv_codec_unstream_at_end(u))
        return rv_fail(err, RV_E_CORRUPT, "csv: the compressed stream ends early, after %llu bytes",
                       (unsigned long long)in.size_bytes);
    return parse_end(p, err);
}

static rv_status take_result(const csv_parser *p, rv_arena *arena, rv_verify_result *out,
                             rv_error *err)
{
    rv_verify_result r = {.rows = p->records, .n_columns = p->columns};
    RV_TRY(rv_arena_array(arena, p->columns, sizeof *r.names, &r.names, err));
    size_t from = 0;
    for (size_t i = 0; i < p->columns; i++) {
        size_t to;
        memcpy(&to, p->ends.ptr + i * sizeof to, sizeof to);
        rv_str name = {to > from ? (const char *)p->names.ptr + from : "", to - from};
        RV_TRY(rv_arena_cstr(arena, name, &r.names[i], err));
        from = to;
    }
    *out = r;
    return RV_OK;
}

rv_status rv_csv_verify(const rv_env *env, rv_readable in, rv_codec_id codec, rv_arena *arena,
                        rv_verify_result *out, rv_error *err)
{
    rv_status st = RV_OK;
    csv_parser parser = {.state = FIELD_START, .in_header = true};
    rv_codec_unstream *u = NULL;
    rv_buf text = RV_BUF_INIT;
    uint8_t *chunk = rv_alloc(CHUNK_BYTES);
    if (!chunk)
        RV_GO(rv_fail_memory(err));
    /* as the writer: every other codec means plain text */
    if (codec == RV_CODEC_GZIP || codec == RV_CODEC_ZSTD)
        RV_GO(rv_codec_unstream_open(codec, &u, err));
    RV_GO(parse_file(env, &parser, in, u, chunk, &text, err));
    RV_GO(take_result(&parser, arena, out, err));
done:
    rv_codec_unstream_close(u);
    rv_buf_free(&parser.names);
    rv_buf_free(&parser.ends);
    rv_buf_free(&text);
    rv_free(chunk);
    return st;
}
