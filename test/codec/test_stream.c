#include "rvtest.h"

#include <stdlib.h>

#include "base/fault.h"
#include "codec/codec.h"

static const rv_codec_id ids[] = {RV_CODEC_GZIP, RV_CODEC_ZSTD};

static rv_status collect(void *self, rv_bytes data, rv_error *err)
{
    return rv_buf_add(self, data.ptr, data.len, err);
}

static rv_status refuse(void *self, rv_bytes data, rv_error *err)
{
    (void)self, (void)data;
    return rv_fail(err, RV_E_DEST_NO_SPACE, "full");
}

static uint8_t *text(size_t n)
{
    uint8_t *p = malloc(n ? n : 1);
    uint64_t x = 1234567;
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        p[i] = (uint8_t)("0123456789,\nabcdef"[x % 18]);
    }
    return p;
}

/* Writes in pieces whose sizes cycle through step, 2*step, 3*step. */
static rv_status pack(rv_codec_id id, const uint8_t *raw, size_t n, size_t step, rv_buf *out)
{
    rv_codec_stream *s = NULL;
    rv_status st = rv_codec_stream_open(id, RV_LEVEL_DEFAULT, (rv_sink){out, collect}, &s, NULL);
    size_t at = 0;
    for (size_t k = 1; st == RV_OK && at < n; k = k % 3 + 1) {
        size_t len = k * step < n - at ? k * step : n - at;
        st = rv_codec_stream_write(s, (rv_bytes){raw + at, len}, NULL);
        at += len;
        if (st == RV_OK)
            CHECK_EQ(rv_codec_stream_out_bytes(s), out->len);
    }
    if (st == RV_OK)
        st = rv_codec_stream_finish(s, NULL);
    if (st == RV_OK)
        CHECK_EQ(rv_codec_stream_out_bytes(s), out->len);
    rv_codec_stream_close(s);
    return st;
}

static rv_status unpack(rv_codec_id id, rv_bytes in, size_t piece, size_t max_out, rv_buf *out,
                        bool *at_end)
{
    rv_codec_unstream *u = NULL;
    rv_status st = rv_codec_unstream_open(id, &u, NULL);
    for (size_t made = max_out; st == RV_OK && (in.len > 0 || made == max_out);) {
        size_t used = 0, before = out->len, n = in.len < piece ? in.len : piece;
        st = rv_codec_unstream_feed(u, (rv_bytes){in.ptr, n}, &used, max_out, out, NULL);
        made = out->len - before;
        CHECK(made <= max_out);
        if (st == RV_OK)
            in = (rv_bytes){in.ptr + used, in.len - used};
    }
    if (st == RV_OK)
        *at_end = rv_codec_unstream_at_end(u);
    rv_codec_unstream_close(u);
    return st;
}

RV_TEST(bytes_do_not_depend_on_the_cuts)
{
    static const size_t sizes[] = {0,      1,         131072,        131073,
                                   262144, (1 << 20), (1 << 20) + 1, (2 << 20) + 77};
    for (size_t i = 0; i < 2; i++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            uint8_t *raw = text(sizes[s]);
            rv_buf a = RV_BUF_INIT, b = RV_BUF_INIT, back = RV_BUF_INIT;
            CHECK_EQ(pack(ids[i], raw, sizes[s], SIZE_MAX / 4, &a), RV_OK);
            CHECK_EQ(pack(ids[i], raw, sizes[s], 37, &b), RV_OK);
            CHECK_MEM(b.ptr, b.len, a.ptr, a.len);
            CHECK(a.len > 0);
            bool at_end = false;
            CHECK_EQ(unpack(ids[i], rv_buf_bytes(&a), 999, 70000, &back, &at_end), RV_OK);
            CHECK(at_end);
            CHECK_MEM(back.ptr, back.len, raw, sizes[s]);
            rv_buf_free(&a), rv_buf_free(&b), rv_buf_free(&back);
            free(raw);
        }
    }
}

RV_TEST(decoding_survives_any_piece_size)
{
    uint8_t *raw = text(5000);
    static const size_t steps[][2] = {{1, 1}, {1, 5000}, {7, 3}, {5000, 1}, {4096, 9999}};
    for (size_t i = 0; i < 2; i++) {
        rv_buf a = RV_BUF_INIT;
        REQUIRE(pack(ids[i], raw, 5000, 5000, &a) == RV_OK);
        for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
            rv_buf back = RV_BUF_INIT;
            bool at_end = false;
            CHECK_EQ(unpack(ids[i], rv_buf_bytes(&a), steps[k][0], steps[k][1], &back, &at_end),
                     RV_OK);
            CHECK(at_end);
            CHECK_MEM(back.ptr, back.len, raw, 5000);
            rv_buf_free(&back);
        }
        rv_buf_free(&a);
    }
    free(raw);
}

/* What the input so far holds comes out without more of it, however small the room. */
RV_TEST(output_waits_for_room)
{
    enum { N = 400000 };
    uint8_t *raw = text(N);
    for (size_t i = 0; i < 2; i++) {
        rv_buf a = RV_BUF_INIT, large = RV_BUF_INIT, small = RV_BUF_INIT;
        bool at_end = true;
        REQUIRE(pack(ids[i], raw, N, N, &a) == RV_OK);
        rv_bytes half = {a.ptr, a.len / 2};
        CHECK_EQ(unpack(ids[i], half, N, N, &large, &at_end), RV_OK);
        CHECK_EQ(unpack(ids[i], half, N, 7777, &small, &at_end), RV_OK);
        CHECK(!at_end);
        CHECK(large.len > N / 4);
        CHECK_MEM(small.ptr, small.len, large.ptr, large.len);
        rv_buf_free(&a), rv_buf_free(&large), rv_buf_free(&small);
    }
    free(raw);
}

RV_TEST(cut_garbage_and_empty_are_told_apart)
{
    uint8_t *raw = text(3000);
    for (size_t i = 0; i < 2; i++) {
        rv_buf a = RV_BUF_INIT, back = RV_BUF_INIT;
        bool at_end = true;
        CHECK_EQ(unpack(ids[i], (rv_bytes){NULL, 0}, 1, 100, &back, &at_end), RV_OK);
        CHECK(!at_end);
        REQUIRE(pack(ids[i], raw, 3000, 3000, &a) == RV_OK);
        for (size_t cut = 1; cut < 30; cut++) {
            rv_buf_clear(&back);
            at_end = true;
            CHECK_EQ(unpack(ids[i], (rv_bytes){a.ptr, a.len - cut}, 512, 4096, &back, &at_end),
                     RV_OK);
            CHECK(!at_end);
        }
        REQUIRE(rv_buf_add_c(&a, "tail", NULL) == RV_OK);
        rv_status st = unpack(ids[i], rv_buf_bytes(&a), 512, 4096, &back, &at_end);
        CHECK_EQ(st, RV_E_CORRUPT);
        a.ptr[a.len - 8] ^= 1; /* in the checksum of either form */
        a.len -= 4;
        CHECK_EQ(unpack(ids[i], rv_buf_bytes(&a), 512, 4096, &back, &at_end), RV_E_CORRUPT);
        rv_buf_free(&a), rv_buf_free(&back);
    }
    free(raw);
}

RV_TEST(a_huge_window_is_refused)
{
    /* a frame header asking for 2 GiB, then an empty last block */
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, (31 - 10) << 3, 0x01, 0, 0};
    rv_buf out = RV_BUF_INIT;
    bool at_end = false;
    CHECK_EQ(unpack(RV_CODEC_ZSTD, (rv_bytes){frame, sizeof frame}, 64, 64, &out, &at_end),
             RV_E_CORRUPT);
    rv_buf_free(&out);
}

RV_TEST(only_gzip_and_zstd_stream)
{
    rv_codec_stream *s = NULL;
    rv_codec_unstream *u = NULL;
    rv_sink sink = {NULL, refuse};
    CHECK_EQ(rv_codec_stream_open(RV_CODEC_SNAPPY, RV_LEVEL_DEFAULT, sink, &s, NULL),
             RV_E_FORMAT_UNSUPPORTED);
    CHECK_EQ(rv_codec_unstream_open(RV_CODEC_NONE, &u, NULL), RV_E_FORMAT_UNSUPPORTED);
    CHECK_EQ(rv_codec_stream_open(RV_CODEC_ZSTD, 99, sink, &s, NULL), RV_E_CONFIG_LEVEL);
    CHECK_EQ(rv_codec_stream_open(RV_CODEC_GZIP, 99, sink, &s, NULL), RV_E_CONFIG_LEVEL);
    CHECK(s == NULL && u == NULL);
    rv_codec_stream_close(NULL);
    rv_codec_unstream_close(NULL);
}

RV_TEST(a_failing_sink_is_reported)
{
    for (size_t i = 0; i < 2; i++) {
        rv_codec_stream *s = NULL;
        rv_error err = {0};
        REQUIRE(rv_codec_stream_open(ids[i], RV_LEVEL_DEFAULT, (rv_sink){NULL, refuse}, &s, NULL) ==
                RV_OK);
        CHECK_EQ(rv_codec_stream_write(s, (rv_bytes){(const uint8_t *)"a", 1}, &err), RV_OK);
        CHECK_EQ(rv_codec_stream_finish(s, &err), RV_E_DEST_NO_SPACE);
        CHECK_EQ(rv_codec_stream_out_bytes(s), 0);
        rv_codec_stream_close(s);
    }
}

RV_TEST(every_failed_allocation_is_a_clean_error)
{
#ifdef RV_FAULTS
    uint8_t *raw = text(300000);
    for (size_t i = 0; i < 2; i++) {
        rv_status st = RV_E_MEMORY;
        long nth = 1;
        for (; nth < 200 && st != RV_OK; nth++) {
            rv_buf a = RV_BUF_INIT, back = RV_BUF_INIT;
            bool at_end = false;
            rv_fault_set_alloc(nth, false);
            st = pack(ids[i], raw, 300000, 100000, &a);
            if (st == RV_OK)
                st = unpack(ids[i], rv_buf_bytes(&a), 65536, 65536, &back, &at_end);
            rv_fault_set_alloc(0, false);
            CHECK(st == RV_OK || st == RV_E_MEMORY);
            rv_buf_free(&a), rv_buf_free(&back);
        }
        CHECK(nth > 5 && nth < 200);
    }
    free(raw);
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(bytes_do_not_depend_on_the_cuts), RV_CASE(decoding_survives_any_piece_size),
             RV_CASE(output_waits_for_room), RV_CASE(cut_garbage_and_empty_are_told_apart),
             RV_CASE(a_huge_window_is_refused), RV_CASE(only_gzip_and_zstd_stream),
             RV_CASE(a_failing_sink_is_reported), RV_CASE(every_failed_allocation_is_a_clean_error))
