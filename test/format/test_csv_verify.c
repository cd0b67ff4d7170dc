#include "rvtest.h"

#include <stdlib.h>

#include "base/fault.h"
#include "format/verify.h"

static rv_status read_memory(void *self, uint64_t offset, uint8_t *out, size_t len, rv_error *err)
{
    const rv_bytes *b = self;
    if (offset > b->len || len > b->len - offset)
        return rv_fail(err, RV_E_INTERNAL, "read past the end");
    memcpy(out, b->ptr + offset, len);
    return RV_OK;
}

static rv_status verify(rv_bytes file, rv_codec_id codec, rv_arena *arena, rv_verify_result *out,
                        rv_error *err)
{
    rv_env env = {0};
    rv_readable in = {&file, file.len, read_memory};
    return rv_csv_verify(&env, in, codec, arena, out, err);
}

static rv_bytes bytes(const char *s)
{
    return (rv_bytes){(const uint8_t *)s, strlen(s)};
}

RV_TEST(good_files_are_counted)
{
    static const struct {
        const char *text;
        uint64_t rows;
        size_t columns;
    } good[] = {{"a\n", 0, 1},
                {"a\n\n\n", 2, 1},
                {"a,b\n1,\n,\n", 2, 2},
                {"a,b\n\"x,y\",\"say \"\"hi\"\"\"\n", 1, 2},
                {"a\n\"two\r\nlines\"\n", 1, 1},
                {"\"\",\"\"\"\",\"c,d\"\n\"\",\"\",\"\"\n", 1, 3},
                {"n\ncaf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n", 1, 1}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        rv_arena arena = RV_ARENA_INIT;
        rv_verify_result r = {0};
        rv_error err = {0};
        CHECK_EQ(verify(bytes(good[i].text), RV_CODEC_NONE, &arena, &r, &err), RV_OK);
        CHECK_STR(err.text, "");
        CHECK_EQ(r.rows, good[i].rows);
        CHECK_EQ(r.n_columns, good[i].columns);
        CHECK(!r.has_checksum && !r.checksum_matches && r.mismatch[0] == 0);
        rv_arena_free(&arena);
    }
}

RV_TEST(names_come_unquoted)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_verify_result r = {0};
    REQUIRE(verify(bytes("id,\"\",\"a \"\"b\"\",c\"\n"), RV_CODEC_NONE, &arena, &r, NULL) == RV_OK);
    REQUIRE(r.n_columns == 3);
    CHECK_STR(r.names[0], "id");
    CHECK_STR(r.names[1], "");
    CHECK_STR(r.names[2], "a \"b\",c");
    rv_arena_free(&arena);
}

RV_TEST(damage_is_named)
{
    static const struct {
        const char *text;
        const char *want;
    } bad[] = {{"", "csv: the file is empty, without even a header"},
               {"a", "csv: header at byte 1: the file ends inside a record"},
               {"a,b\n1\n", "csv: record 1 at byte 5 has 1 fields, the header has 2"},
               {"a\n1\n1,2\n", "csv: record 2 at byte 7 has 2 fields, the header has 1"},
               {"a\n1", "csv: record 1 at byte 3: the file ends inside a record"},
               {"a,b\n1,", "csv: record 1 at byte 6: the file ends inside a record"},
               {"a\n\"x", "csv: record 1 at byte 4: the file ends inside a quoted field"},
               {"a\n\"x\"", "csv: record 1 at byte 5: the file ends inside a record"},
               {"a\nx\"y\n", "csv: record 1 at byte 3: a quote inside an unquoted field"},
               {"a\n\"x\"y\n", "csv: record 1 at byte 5: text behind the closing quote of a field"},
               {"a\n1\r\n", "csv: record 1 at byte 3: a carriage return outside quotes"},
               {"a\r\n", "csv: header at byte 1: a carriage return outside quotes"},
               {"a\n\xff\n", "csv: header at byte 0: not valid UTF-8 here or shortly after"},
               {"a\n\xc3\n", "csv: header at byte 0: not valid UTF-8 here or shortly after"},
               {"a\n\xe2\x82", "csv: record 1 at byte 4: the file ends inside a record"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rv_arena arena = RV_ARENA_INIT;
        rv_verify_result r = {.rows = 99};
        rv_error err = {0};
        CHECK_EQ(verify(bytes(bad[i].text), RV_CODEC_NONE, &arena, &r, &err), RV_E_CORRUPT);
        CHECK_STR(err.text, bad[i].want);
        CHECK_EQ(r.rows, 99);
        rv_arena_free(&arena);
    }
}

/* Rows of odd length, so that quotes and code points fall on every edge of the read chunks. */
static void big_file(rv_buf *out, unsigned rows, unsigned shift)
{
    CHECK_EQ(rv_buf_printf(out, NULL, "id%.*s,text\n", (int)shift, "xxxxxxxxxxxxxxxx"), RV_OK);
    for (unsigned i = 0; i < rows; i++)
        CHECK_EQ(
            rv_buf_printf(out, NULL, "%u,\"\"\"\xf0\x9f\x98\x80\"\"\xe2\x82\xac, \r\n\"\n", i % 10),
            RV_OK);
}

RV_TEST(chunk_edges_do_not_matter)
{
    for (unsigned shift = 0; shift < 16; shift++) {
        rv_buf file = RV_BUF_INIT;
        rv_arena arena = RV_ARENA_INIT;
        rv_verify_result r = {0};
        rv_error err = {0};
        big_file(&file, 30000, shift);
        CHECK_EQ(verify(rv_buf_bytes(&file), RV_CODEC_NONE, &arena, &r, &err), RV_OK);
        CHECK_STR(err.text, "");
        CHECK_EQ(r.rows, 30000);
        rv_arena_free(&arena);
        rv_buf_free(&file);
    }
}

RV_TEST(bad_code_points_are_found_at_every_chunk_edge)
{
    enum { EDGE = 256 << 10, N = EDGE + 64 };
    static const char *const bad[] = {"\xe2\xc3\xe2\xc3\xe2\xc3\xe2", "\xf0\x9f\x98!",
                                      "\xe2\x82\xe2\x82\xac", "\xc3\xe2\x82\xac", "\x80"};
    uint8_t *text = malloc(N);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        for (size_t at = EDGE - 8; at <= EDGE; at++) {
            rv_arena arena = RV_ARENA_INIT;
            rv_verify_result r = {0};
            rv_error err = {0};
            memset(text, 'x', N);
            text[1] = text[N - 1] = '\n';
            CHECK_EQ(verify((rv_bytes){text, N}, RV_CODEC_NONE, &arena, &r, &err), RV_OK);
            memcpy(text + at, bad[i], strlen(bad[i]));
            CHECK_EQ(verify((rv_bytes){text, N}, RV_CODEC_NONE, &arena, &r, &err), RV_E_CORRUPT);
            rv_arena_free(&arena);
        }
    }
    free(text);
}

static rv_status collect(void *self, rv_bytes data, rv_error *err)
{
    return rv_buf_add(self, data.ptr, data.len, err);
}

static void pack(rv_codec_id id, const rv_buf *text, rv_buf *out)
{
    rv_codec_stream *s = NULL;
    REQUIRE(rv_codec_stream_open(id, RV_LEVEL_DEFAULT, (rv_sink){out, collect}, &s, NULL) == RV_OK);
    CHECK_EQ(rv_codec_stream_write(s, rv_buf_bytes(text), NULL), RV_OK);
    CHECK_EQ(rv_codec_stream_finish(s, NULL), RV_OK);
    rv_codec_stream_close(s);
}

RV_TEST(compressed_files_are_read_to_their_end)
{
    rv_buf text = RV_BUF_INIT;
    big_file(&text, 80000, 3);
    static const rv_codec_id ids[] = {RV_CODEC_GZIP, RV_CODEC_ZSTD};
    for (size_t i = 0; i < 2; i++) {
        rv_buf file = RV_BUF_INIT;
        rv_arena arena = RV_ARENA_INIT;
        rv_verify_result r = {0};
        rv_error err = {0};
        pack(ids[i], &text, &file);
        CHECK_EQ(verify(rv_buf_bytes(&file), ids[i], &arena, &r, &err), RV_OK);
        CHECK_EQ(r.rows, 80000);
        rv_bytes cut = {file.ptr, file.len - 1};
        CHECK_EQ(verify(cut, ids[i], &arena, &r, &err), RV_E_CORRUPT);
        CHECK_EQ(verify((rv_bytes){NULL, 0}, ids[i], &arena, &r, &err), RV_E_CORRUPT);
        CHECK_EQ(rv_buf_add_c(&file, "more", NULL), RV_OK);
        CHECK_EQ(verify(rv_buf_bytes(&file), ids[i], &arena, &r, &err), RV_E_CORRUPT);
        CHECK_EQ(verify(rv_buf_bytes(&text), ids[i], &arena, &r, &err), RV_E_CORRUPT);
        rv_arena_free(&arena);
        rv_buf_free(&file);
    }
    rv_buf_free(&text);
}

RV_TEST(an_endless_header_is_refused)
{
    size_t n = 5 << 20;
    char *text = malloc(n);
    rv_arena arena = RV_ARENA_INIT;
    rv_verify_result r = {0};
    memset(text, 'x', n);
    CHECK_EQ(verify((rv_bytes){(uint8_t *)text, n}, RV_CODEC_NONE, &arena, &r, NULL), RV_E_CORRUPT);
    memset(text, ',', n);
    CHECK_EQ(verify((rv_bytes){(uint8_t *)text, n}, RV_CODEC_NONE, &arena, &r, NULL), RV_E_CORRUPT);
    rv_arena_free(&arena);
    free(text);
}

RV_TEST(a_cancelled_run_stops)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_verify_result r = {0};
    rv_bytes file = bytes("a\n1\n");
    rv_env env = {0};
    REQUIRE(rv_cancel_open(&env.cancel, NULL) == RV_OK);
    rv_cancel_raise(env.cancel, 15);
    rv_readable in = {&file, file.len, read_memory};
    CHECK_EQ(rv_csv_verify(&env, in, RV_CODEC_NONE, &arena, &r, NULL), RV_E_INTERRUPTED);
    rv_cancel_close(env.cancel);
    rv_arena_free(&arena);
}

RV_TEST(every_failed_allocation_is_a_clean_error)
{
#ifdef RV_FAULTS
    rv_buf text = RV_BUF_INIT, file = RV_BUF_INIT;
    REQUIRE(rv_buf_add_c(&text, "a,\"b \"\"c\"\"\",d\n1,2,3\n", NULL) == RV_OK);
    pack(RV_CODEC_GZIP, &text, &file);
    rv_status st = RV_E_MEMORY;
    long nth = 1;
    for (; nth < 100 && st != RV_OK; nth++) {
        rv_arena arena = RV_ARENA_INIT;
        rv_verify_result r = {0};
        rv_fault_set_alloc(nth, false);
        st = verify(rv_buf_bytes(&file), RV_CODEC_GZIP, &arena, &r, NULL);
        rv_fault_set_alloc(0, false);
        CHECK(st == RV_OK || st == RV_E_MEMORY);
        rv_arena_free(&arena);
    }
    CHECK(nth > 6 && nth < 100);
    rv_buf_free(&text), rv_buf_free(&file);
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(good_files_are_counted), RV_CASE(names_come_unquoted),
             RV_CASE(damage_is_named), RV_CASE(chunk_edges_do_not_matter),
             RV_CASE(bad_code_points_are_found_at_every_chunk_edge),
             RV_CASE(compressed_files_are_read_to_their_end), RV_CASE(an_endless_header_is_refused),
             RV_CASE(a_cancelled_run_stops), RV_CASE(every_failed_allocation_is_a_clean_error))
