#include "rvtest.h"

#include <stdlib.h>

#include "base/fault.h"
#include "base/mem.h"
#include "codec/codec.h"

static const rv_codec_id writable[] = {RV_CODEC_NONE, RV_CODEC_SNAPPY, RV_CODEC_GZIP,
                                       RV_CODEC_LZ4_RAW, RV_CODEC_ZSTD};
enum { N_WRITABLE = sizeof writable / sizeof writable[0] };

/* Text-like, noise or constant bytes, the same for the same seed. */
static uint8_t *sample(size_t n, unsigned kind)
{
    uint8_t *p = malloc(n ? n : 1);
    uint64_t x = 88172645463325252u + kind;
    for (size_t i = 0; i < n; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        p[i] = kind == 0 ? (uint8_t)x : kind == 1 ? (uint8_t)("customer,12.50\n"[x % 15]) : 'z';
    }
    return p;
}

static void round_trip(rv_codec *c, const uint8_t *raw, size_t n)
{
    rv_error err = {0};
    size_t cap = rv_codec_bound(c, n), len = 0, len2 = 0;
    uint8_t *packed = malloc(cap + 1), *again = malloc(cap + 1), *back = malloc(n + 1);
    CHECK_EQ(rv_codec_compress(c, (rv_bytes){raw, n}, packed, cap, &len, &err), RV_OK);
    CHECK(len <= cap);
    CHECK_EQ(rv_codec_compress(c, (rv_bytes){raw, n}, again, cap, &len2, &err), RV_OK);
    CHECK_MEM(again, len2, packed, len);
    CHECK_EQ(rv_codec_decompress(c, (rv_bytes){packed, len}, back, n, &err), RV_OK);
    CHECK_MEM(back, n, raw, n);
    /* exactly the length: one more or one less is damage */
    CHECK_EQ(rv_codec_decompress(c, (rv_bytes){packed, len}, back, n + 1, &err), RV_E_CORRUPT);
    if (n > 0)
        CHECK_EQ(rv_codec_decompress(c, (rv_bytes){packed, len}, back, n - 1, &err), RV_E_CORRUPT);
    free(packed), free(again), free(back);
}

RV_TEST(every_codec_round_trips)
{
    static const size_t sizes[] = {0, 1, 15, 4096, 131072, 131073, 1u << 20};
    for (size_t i = 0; i < N_WRITABLE; i++) {
        rv_codec *c = NULL;
        REQUIRE(rv_codec_open(writable[i], RV_LEVEL_DEFAULT, &c, NULL) == RV_OK);
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            for (unsigned kind = 0; kind < 3; kind++) {
                uint8_t *raw = sample(sizes[s], kind);
                round_trip(c, raw, sizes[s]);
                free(raw);
            }
        }
        rv_codec_close(c);
    }
}

RV_TEST(every_level_round_trips)
{
    uint8_t *raw = sample(100000, 1);
    static const rv_codec_id leveled[] = {RV_CODEC_GZIP, RV_CODEC_ZSTD};
    for (size_t i = 0; i < 2; i++) {
        int min = 0, max = 0, def = 0;
        REQUIRE(rv_codec_level_range(leveled[i], &min, &max, &def));
        for (int level = min; level <= max; level++) {
            rv_codec *c = NULL;
            REQUIRE(rv_codec_open(leveled[i], level, &c, NULL) == RV_OK);
            round_trip(c, raw, 100000);
            rv_codec_close(c);
        }
    }
    free(raw);
}

/* What a context did before must not show in what it does next: pages meet contexts in an order
 * that depends on timing. */
RV_TEST(a_used_context_writes_the_bytes_of_a_fresh_one)
{
    static const struct {
        rv_codec_id id;
        int level;
    } cases[] = {{RV_CODEC_SNAPPY, RV_LEVEL_DEFAULT},
                 {RV_CODEC_LZ4_RAW, RV_LEVEL_DEFAULT},
                 {RV_CODEC_GZIP, 1},
                 {RV_CODEC_GZIP, 6},
                 {RV_CODEC_GZIP, 10},
                 {RV_CODEC_ZSTD, 1},
                 {RV_CODEC_ZSTD, 3},
                 {RV_CODEC_ZSTD, 7},
                 {RV_CODEC_ZSTD, 12},
                 {RV_CODEC_ZSTD, 19}};
    static const size_t sizes[] = {300000, 5, 131072, 70000, 0, 262144};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rv_codec *used = NULL;
        REQUIRE(rv_codec_open(cases[i].id, cases[i].level, &used, NULL) == RV_OK);
        for (unsigned k = 0; k < 12; k++) {
            size_t n = sizes[k % 6], cap = rv_codec_bound(used, n), a_len = 0, b_len = 0;
            uint8_t *raw = sample(n, k % 3), *a = malloc(cap), *b = malloc(cap);
            rv_codec *fresh = NULL;
            CHECK_EQ(rv_codec_open(cases[i].id, cases[i].level, &fresh, NULL), RV_OK);
            CHECK_EQ(rv_codec_compress(used, (rv_bytes){raw, n}, a, cap, &a_len, NULL), RV_OK);
            CHECK_EQ(rv_codec_compress(fresh, (rv_bytes){raw, n}, b, cap, &b_len, NULL), RV_OK);
            CHECK_MEM(a, a_len, b, b_len);
            rv_codec_close(fresh);
            free(raw), free(a), free(b);
        }
        rv_codec_close(used);
    }
}

static size_t packed_size(rv_codec_id id, int level, const uint8_t *raw, size_t n)
{
    rv_codec *c = NULL;
    if (rv_codec_open(id, level, &c, NULL) != RV_OK)
        return 0;
    size_t cap = rv_codec_bound(c, n), len = 0;
    uint8_t *packed = malloc(cap);
    if (rv_codec_compress(c, (rv_bytes){raw, n}, packed, cap, &len, NULL) != RV_OK)
        len = 0;
    free(packed);
    rv_codec_close(c);
    return len;
}

RV_TEST(levels_follow_the_configuration)
{
    int min = 0, max = 0, def = 0;
    CHECK(rv_codec_level_range(RV_CODEC_ZSTD, &min, &max, &def));
    CHECK(min == 1 && max == 22 && def == 3);
    CHECK(rv_codec_level_range(RV_CODEC_GZIP, &min, &max, &def));
    CHECK(min == 0 && max == 10 && def == 6);
    CHECK(!rv_codec_level_range(RV_CODEC_SNAPPY, &min, &max, &def));
    CHECK(!rv_codec_level_range(RV_CODEC_LZ4_RAW, &min, &max, &def));

    uint8_t *raw = sample(200000, 1);
    CHECK_EQ(packed_size(RV_CODEC_ZSTD, RV_LEVEL_DEFAULT, raw, 200000),
             packed_size(RV_CODEC_ZSTD, 3, raw, 200000));
    CHECK_EQ(packed_size(RV_CODEC_GZIP, RV_LEVEL_DEFAULT, raw, 200000),
             packed_size(RV_CODEC_GZIP, 6, raw, 200000));
    CHECK(packed_size(RV_CODEC_GZIP, 10, raw, 200000) < packed_size(RV_CODEC_GZIP, 6, raw, 200000));
    CHECK(packed_size(RV_CODEC_GZIP, 0, raw, 200000) > 200000);
    free(raw);

    rv_codec *c = NULL;
    rv_error err = {0};
    CHECK_EQ(rv_codec_open(RV_CODEC_ZSTD, 23, &c, &err), RV_E_CONFIG_LEVEL);
    CHECK_STR(err.text, "zstd has no level 23; its levels are 1 to 22");
    CHECK_EQ(rv_codec_open(RV_CODEC_GZIP, 11, &c, &err), RV_E_CONFIG_LEVEL);
    CHECK(c == NULL);
}

RV_TEST(names_are_the_words_of_the_configuration)
{
    static const char *const words[] = {"none", "snappy", "gzip", "lz4", "zstd"};
    for (size_t i = 0; i < N_WRITABLE; i++) {
        rv_codec_id id = RV_CODEC_BROTLI;
        CHECK(rv_codec_from_name(rv_str_c(words[i]), &id));
        CHECK_EQ(id, writable[i]);
        CHECK_STR(rv_codec_name(id), words[i]);
    }
    rv_codec_id id = RV_CODEC_GZIP;
    CHECK(!rv_codec_from_name(RV_STR("brotli"), &id));
    CHECK(!rv_codec_from_name(RV_STR("lz4_hadoop"), &id));
    CHECK(!rv_codec_from_name(RV_STR("ZSTD"), &id));
    CHECK_EQ(id, RV_CODEC_GZIP);
}

/* Two compressed pieces behind each other decode as their concatenation. */
RV_TEST(members_and_frames_concatenate)
{
    static const rv_codec_id ids[] = {RV_CODEC_GZIP, RV_CODEC_ZSTD};
    static const uint8_t text[] = "one,two\nthree,four\n";
    for (size_t i = 0; i < 2; i++) {
        rv_codec *c = NULL;
        uint8_t two[512], back[64];
        size_t n = sizeof text - 1, len = 0, len2 = 0;
        REQUIRE(rv_codec_open(ids[i], RV_LEVEL_DEFAULT, &c, NULL) == RV_OK);
        CHECK_EQ(rv_codec_compress(c, (rv_bytes){text, n}, two, 256, &len, NULL), RV_OK);
        CHECK_EQ(rv_codec_compress(c, (rv_bytes){text, n}, two + len, 256, &len2, NULL), RV_OK);
        CHECK_EQ(rv_codec_decompress(c, (rv_bytes){two, len + len2}, back, 2 * n, NULL), RV_OK);
        CHECK_MEM(back, n, text, n);
        CHECK_MEM(back + n, n, text, n);
        two[len + len2] = 'x';
        CHECK_EQ(rv_codec_decompress(c, (rv_bytes){two, len + len2 + 1}, back, 2 * n, NULL),
                 RV_E_CORRUPT);
        rv_codec_close(c);
    }
}

/* Each byte damaged in turn: never a crash, never a success of another length. */
RV_TEST(damage_is_found_or_harmless)
{
    uint8_t *raw = sample(600, 1), *packed = malloc(4096), *back = malloc(600);
    for (size_t i = 0; i < N_WRITABLE; i++) {
        rv_codec *c = NULL;
        size_t len = 0;
        REQUIRE(rv_codec_open(writable[i], RV_LEVEL_DEFAULT, &c, NULL) == RV_OK);
        REQUIRE(rv_codec_compress(c, (rv_bytes){raw, 600}, packed, rv_codec_bound(c, 600), &len,
                                  NULL) == RV_OK);
        for (size_t at = 0; at < len; at++) {
            packed[at] ^= 0x41;
            rv_status st = rv_codec_decompress(c, (rv_bytes){packed, len}, back, 600, NULL);
            CHECK(st == RV_OK || st == RV_E_CORRUPT);
            packed[at] ^= 0x41;
            if (writable[i] != RV_CODEC_NONE)
                CHECK_EQ(rv_codec_decompress(c, (rv_bytes){packed, at}, back, 600, NULL),
                         RV_E_CORRUPT);
        }
        /* the context survives damage */
        CHECK_EQ(rv_codec_decompress(c, (rv_bytes){packed, len}, back, 600, NULL), RV_OK);
        CHECK_MEM(back, 600, raw, 600);
        rv_codec_close(c);
    }
    free(raw), free(packed), free(back);
}

static void put_be32(uint8_t *p, size_t v)
{
    p[0] = (uint8_t)(v >> 24), p[1] = (uint8_t)(v >> 16), p[2] = (uint8_t)(v >> 8),
    p[3] = (uint8_t)v;
}

RV_TEST(lz4_hadoop_reads_frames_and_bare_blocks)
{
    uint8_t *raw = sample(1000, 1);
    uint8_t framed[4096], back[2000];
    rv_codec *lz4 = NULL, *hadoop = NULL;
    size_t len = 0;
    REQUIRE(rv_codec_open(RV_CODEC_LZ4_RAW, RV_LEVEL_DEFAULT, &lz4, NULL) == RV_OK);
    REQUIRE(rv_codec_open(RV_CODEC_LZ4_HADOOP, RV_LEVEL_DEFAULT, &hadoop, NULL) == RV_OK);
    REQUIRE(rv_codec_compress(lz4, (rv_bytes){raw, 1000}, framed + 8, 2000, &len, NULL) == RV_OK);
    put_be32(framed, 1000);
    put_be32(framed + 4, len);
    CHECK_EQ(rv_codec_decompress(hadoop, (rv_bytes){framed, len + 8}, back, 1000, NULL), RV_OK);
    CHECK_MEM(back, 1000, raw, 1000);
    CHECK_EQ(rv_codec_decompress(hadoop, (rv_bytes){framed + 8, len}, back, 1000, NULL), RV_OK);
    CHECK_MEM(back, 1000, raw, 1000);
    /* two frames, and one frame of two pieces */
    memcpy(framed + 8 + len, framed, len + 8);
    CHECK_EQ(rv_codec_decompress(hadoop, (rv_bytes){framed, 2 * len + 16}, back, 2000, NULL),
             RV_OK);
    CHECK_MEM(back + 1000, 1000, raw, 1000);
    memmove(framed + 8 + len, framed + 12 + len, len + 4);
    put_be32(framed, 2000);
    CHECK_EQ(rv_codec_decompress(hadoop, (rv_bytes){framed, 2 * len + 12}, back, 2000, NULL),
             RV_OK);
    CHECK_MEM(back + 1000, 1000, raw, 1000);
    put_be32(framed + 4, 0xfffffff0u);
    CHECK_EQ(rv_codec_decompress(hadoop, (rv_bytes){framed, 2 * len + 12}, back, 2000, NULL),
             RV_E_CORRUPT);
    CHECK_EQ(rv_codec_compress(hadoop, (rv_bytes){raw, 10}, framed, 100, &len, NULL),
             RV_E_FORMAT_UNSUPPORTED);
    rv_codec_close(lz4), rv_codec_close(hadoop);
    free(raw);
}

RV_TEST(brotli_reads)
{
    /* a stored block, RFC 7932 section 9 */
    static const uint8_t hello[] = {0x0b, 0x02, 0x80, 'h', 'e', 'l', 'l', 'o', 0x03};
    uint8_t back[8];
    rv_codec *c = NULL;
    REQUIRE(rv_codec_open(RV_CODEC_BROTLI, RV_LEVEL_DEFAULT, &c, NULL) == RV_OK);
    CHECK_EQ(rv_codec_decompress(c, (rv_bytes){hello, sizeof hello}, back, 5, NULL), RV_OK);
    CHECK_MEM(back, 5, "hello", 5);
    CHECK_EQ(rv_codec_decompress(c, (rv_bytes){hello, sizeof hello}, back, 4, NULL), RV_E_CORRUPT);
    CHECK_EQ(rv_codec_decompress(c, (rv_bytes){hello, 7}, back, 5, NULL), RV_E_CORRUPT);
    rv_codec_close(c);
}

RV_TEST(nothing_decodes_to_nothing_only)
{
    uint8_t back[4];
    for (rv_codec_id id = RV_CODEC_NONE; id <= RV_CODEC_BROTLI; id++) {
        rv_codec *c = NULL;
        REQUIRE(rv_codec_open(id, RV_LEVEL_DEFAULT, &c, NULL) == RV_OK);
        CHECK_EQ(rv_codec_decompress(c, (rv_bytes){NULL, 0}, back, 0, NULL), RV_OK);
        CHECK_EQ(rv_codec_decompress(c, (rv_bytes){NULL, 0}, back, 1, NULL), RV_E_CORRUPT);
        rv_codec_close(c);
    }
    rv_codec_close(NULL);
}

#ifdef RV_FAULTS
static rv_status whole_life(rv_codec_id id, const uint8_t *raw, size_t n)
{
    rv_codec *c = NULL;
    static uint8_t packed[8192], back[4096];
    size_t len = 0;
    rv_status st = rv_codec_open(id, RV_LEVEL_DEFAULT, &c, NULL);
    if (st == RV_OK)
        st = rv_codec_compress(c, (rv_bytes){raw, n}, packed, rv_codec_bound(c, n), &len, NULL);
    if (st == RV_OK)
        st = rv_codec_decompress(c, (rv_bytes){packed, len}, back, n, NULL);
    rv_codec_close(c);
    return st;
}
#endif

RV_TEST(every_failed_allocation_is_a_clean_error)
{
#ifdef RV_FAULTS
    uint8_t *raw = sample(4096, 1);
    for (size_t i = 0; i < N_WRITABLE; i++) {
        rv_status st = RV_E_MEMORY;
        long nth = 1;
        for (; nth < 100 && st != RV_OK; nth++) {
            rv_fault_set_alloc(nth, false);
            st = whole_life(writable[i], raw, 4096);
            CHECK(st == RV_OK || st == RV_E_MEMORY);
        }
        rv_fault_set_alloc(0, false);
        CHECK(nth > 2 && nth < 100);
    }
    free(raw);
#else
    SKIP("built without RV_FAULTS");
#endif
}

/* Faster contexts write the same format, for the levels that promise them only. */
RV_TEST(faster_contexts_of_the_middle_levels)
{
    const size_t n = 100000;
    for (int level = 1; level <= 4; level++) {
        for (unsigned rank = 0; rank <= RV_CODEC_FASTER; rank++) {
            rv_codec *c = NULL;
            bool offered = (level == 2 || level == 3) && rank < RV_CODEC_FASTER;
            REQUIRE(rv_codec_open_faster(RV_CODEC_ZSTD, level, rank, &c, NULL) == RV_OK);
            CHECK_EQ(c != NULL, offered);
            for (unsigned kind = 0; c && kind < 3; kind++) {
                uint8_t *raw = sample(n, kind);
                round_trip(c, raw, n);
                free(raw);
            }
            rv_codec_close(c);
        }
    }
}

/* The default level counts as its number; codecs without a search to shorten offer none. */
RV_TEST(faster_contexts_follow_the_level_not_the_codec)
{
    rv_codec *c = NULL;
    REQUIRE(rv_codec_open_faster(RV_CODEC_ZSTD, RV_LEVEL_DEFAULT, 0, &c, NULL) == RV_OK);
    CHECK(c != NULL);
    rv_codec_close(c);
    for (size_t i = 0; i < N_WRITABLE; i++) {
        if (writable[i] == RV_CODEC_ZSTD)
            continue;
        REQUIRE(rv_codec_open_faster(writable[i], RV_LEVEL_DEFAULT, 0, &c, NULL) == RV_OK);
        CHECK(c == NULL);
    }
    rv_error err = {0};
    CHECK_EQ(rv_codec_open_faster(RV_CODEC_ZSTD, 99, 0, &c, &err), RV_E_CONFIG_LEVEL);
}

/* Ranks differ in what they search for: on the same text at least two sizes come out. */
RV_TEST(faster_ranks_differ)
{
    const size_t n = 200000;
    size_t len[RV_CODEC_FASTER] = {0};
    uint8_t *raw = sample(n, 1);
    for (unsigned rank = 0; rank < RV_CODEC_FASTER; rank++) {
        rv_codec *c = NULL;
        REQUIRE(rv_codec_open_faster(RV_CODEC_ZSTD, 3, rank, &c, NULL) == RV_OK);
        size_t cap = rv_codec_bound(c, n);
        uint8_t *packed = malloc(cap);
        CHECK_EQ(rv_codec_compress(c, (rv_bytes){raw, n}, packed, cap, &len[rank], NULL), RV_OK);
        free(packed);
        rv_codec_close(c);
    }
    CHECK(len[0] != len[1] && len[1] != len[2]);
    free(raw);
}

RV_TEST_MAIN(RV_CASE(every_codec_round_trips), RV_CASE(every_level_round_trips),
             RV_CASE(a_used_context_writes_the_bytes_of_a_fresh_one),
             RV_CASE(levels_follow_the_configuration),
             RV_CASE(names_are_the_words_of_the_configuration),
             RV_CASE(members_and_frames_concatenate), RV_CASE(damage_is_found_or_harmless),
             RV_CASE(lz4_hadoop_reads_frames_and_bare_blocks), RV_CASE(brotli_reads),
             RV_CASE(nothing_decodes_to_nothing_only),
             RV_CASE(faster_contexts_of_the_middle_levels),
             RV_CASE(faster_contexts_follow_the_level_not_the_codec), RV_CASE(faster_ranks_differ),
             RV_CASE(every_failed_allocation_is_a_clean_error))
