/* Every encoder against a decoder written here as simply as the format's text allows. */
#include <stdlib.h>

#include "format/parquet/dict.h"
#include "format/parquet/enc_plain.h"
#include "format/parquet/levels.h"
#include "format/parquet/pack.h"
#include "rvtest.h"

static uint64_t seed = 1;

static uint64_t rnd(void)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) ^ (seed << 20);
}

/* Bit i of a little-endian bit stream. */
static unsigned bit_at(const uint8_t *p, size_t i)
{
    return (unsigned)(p[i / 8] >> (i % 8)) & 1u;
}

static uint64_t bits_at(const uint8_t *p, size_t bit, unsigned width)
{
    uint64_t v = 0;
    for (unsigned b = 0; b < width; b++)
        v |= (uint64_t)bit_at(p, bit + b) << b;
    return v;
}

static uint64_t varint(const uint8_t **p)
{
    uint64_t v = 0;
    unsigned shift = 0;
    do
        v |= (uint64_t)(**p & 0x7F) << shift, shift += 7;
    while (*(*p)++ & 0x80);
    return v;
}

static uint64_t unzigzag(uint64_t v)
{
    return (v >> 1) ^ (0 - (v & 1));
}

RV_TEST(packing_every_width)
{
    for (unsigned w = 0; w <= 64; w++) {
        uint64_t in[32];
        uint32_t in32[32];
        uint8_t out[32 * 8 + 8];
        memset(out, 0xAA, sizeof out);
        for (unsigned i = 0; i < 32; i++) {
            in[i] = w == 64 ? rnd() * rnd() : w ? rnd() * rnd() >> (64 - w) : 0;
            in32[i] = (uint32_t)in[i];
        }
        rv_pq_pack64(in, w, out);
        for (unsigned i = 0; i < 32; i++)
            CHECK(bits_at(out, (size_t)i * w, w) == in[i]);
        CHECK_EQ(out[4 * w], 0xAA);
        if (w > 32)
            continue;
        memset(out, 0xAA, sizeof out);
        rv_pq_pack32(in32, w, out);
        for (unsigned i = 0; i < 32; i++)
            CHECK(bits_at(out, (size_t)i * w, w) == in32[i]);
        CHECK_EQ(out[4 * w], 0xAA);
    }
}

RV_TEST(bit_ranges)
{
    for (unsigned round = 0; round < 2000; round++) {
        uint8_t src[64], dst[64] = {0}, want[64] = {0};
        for (size_t i = 0; i < sizeof src; i++)
            src[i] = (uint8_t)rnd();
        size_t to = rnd() % 100, from = rnd() % 100, n = rnd() % 300;
        for (size_t i = 0; i < to; i++)
            if (rnd() & 1)
                want[i / 8] |= (uint8_t)(1u << i % 8);
        memcpy(dst, want, sizeof dst);
        bool fill = round & 1;
        for (size_t i = 0; i < n; i++)
            if (fill || bit_at(src, from + i))
                want[(to + i) / 8] |= (uint8_t)(1u << (to + i) % 8);
        if (fill)
            rv_pq_bits_fill(dst, to, n);
        else
            rv_pq_bits_copy(dst, to, src, from, n);
        CHECK_MEM(dst, sizeof dst, want, sizeof want);
    }
}

RV_TEST(booleans_become_bits)
{
    uint8_t bytes[100], out[14];
    for (size_t n = 0; n <= 100; n++) {
        memset(out, 0xAA, sizeof out);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(rnd() & 1);
        rv_pq_bits_pack(bytes, n, out);
        for (size_t i = 0; i < n; i++)
            CHECK_EQ(bit_at(out, i), bytes[i]);
        for (size_t i = n; i < (n + 7) / 8 * 8; i++)
            CHECK_EQ(bit_at(out, i), 0);
    }
}

/* Decodes a hybrid; returns the bytes consumed, or 0 when runs do not add up. */
static size_t hybrid(const uint8_t *p, size_t len, unsigned width, size_t n, uint16_t *out)
{
    const uint8_t *at = p;
    size_t i = 0;
    while (i < n && at < p + len) {
        uint64_t header = varint(&at);
        if (header & 1) {
            size_t count = (size_t)(header >> 1) * 8;
            for (size_t k = 0; k < count && i < n; k++)
                out[i++] = (uint16_t)bits_at(at, k * width, width);
            at += header / 2 * width;
        } else {
            uint16_t v = at[0];
            if (width > 8)
                v = (uint16_t)(v | (unsigned)at[1] << 8);
            at += (width + 7) / 8;
            for (uint64_t k = 0; k < header >> 1 && i < n; k++)
                out[i++] = v;
        }
    }
    return i == n ? (size_t)(at - p) : 0;
}

RV_TEST(hybrid_of_indexes)
{
    enum { N = 3000 };
    static uint16_t in[N], back[N];
    static uint8_t out[N * 4];
    for (unsigned round = 0; round < 600; round++) {
        unsigned width = 1 + round % 16;
        size_t n = rnd() % N;
        unsigned run = 1u << (unsigned)(rnd() % 9);
        for (size_t i = 0; i < n; i++)
            in[i] = (uint16_t)(i % run ? in[i - 1] : rnd() & ((1u << width) - 1));
        size_t len = rv_pq_hybrid_u16(in, n, width, out);
        CHECK(len <= rv_pq_hybrid_bound(n, width));
        CHECK_EQ(hybrid(out, len, width, n, back), len);
        CHECK_MEM(back, n * 2, in, n * 2);
    }
}

RV_TEST(levels_of_bitmaps)
{
    enum { N = 5000 };
    static uint8_t bits[N / 8 + 9], out[N];
    static uint16_t back[N];
    for (unsigned round = 0; round < 600; round++) {
        size_t n = rnd() % N;
        memset(bits, 0, sizeof bits);
        unsigned density = (unsigned)(rnd() % 5);
        for (size_t i = 0; i < n; i++) {
            bool valid = density == 0   ? false
                         : density == 1 ? true
                         : density == 2 ? rnd() % 100 != 0
                         : density == 3 ? rnd() & 1
                                        : i / 300 % 2;
            bits[i / 8] |= (uint8_t)((unsigned)valid << i % 8);
        }
        size_t len = rv_pq_levels_bitmap(bits, n, out);
        CHECK(len <= rv_pq_hybrid_bound(n, 1));
        if (density < 2 && n)
            CHECK(len <= 8);
        CHECK_EQ(hybrid(out, len, 1, n, back), len);
        for (size_t i = 0; i < n; i++)
            CHECK_EQ(back[i], bit_at(bits, i));
    }
    CHECK_EQ(rv_pq_levels_constant(1, 30000, out), 4);
    CHECK_EQ(hybrid(out, 4, 1, 3000, back), 4);
    CHECK_EQ(back[0], 1);
}

/* DELTA_BINARY_PACKED, value by value. */
static size_t dbp(const uint8_t *p, uint64_t mask, uint64_t *out, size_t *n)
{
    const uint8_t *at = p;
    size_t block = (size_t)varint(&at), minis = (size_t)varint(&at), total = (size_t)varint(&at);
    uint64_t value = unzigzag(varint(&at)) & mask;
    size_t i = 0, per = minis ? block / minis : 1;
    *n = total;
    if (total)
        out[i++] = value;
    while (i < total) {
        uint64_t min = unzigzag(varint(&at));
        const uint8_t *widths = at;
        at += minis;
        for (size_t m = 0; m < minis && i < total; m++) {
            for (size_t k = 0; k < per; k++) {
                uint64_t d = bits_at(at, k * widths[m], widths[m]);
                if (i >= total) {
                    CHECK(d == 0); /* padding */
                    continue;
                }
                value = (value + min + d) & mask;
                out[i++] = value;
            }
            at += per * widths[m] / 8;
        }
        if (i == total)
            for (size_t m = (total - 1 - 1) % block / per + 1; m < minis; m++)
                CHECK_EQ(widths[m], 0);
    }
    return (size_t)(at - p);
}

static uint64_t delta_value(unsigned kind, size_t i, uint64_t before)
{
    switch (kind % 7) {
    case 0:
        return rnd() * rnd();
    case 1:
        return before + rnd() % 100;
    case 2:
        return before - rnd() % 3;
    case 3:
        return 42;
    case 4:
        return i % 2 ? (uint64_t)INT64_MIN : (uint64_t)INT64_MAX;
    case 5:
        return i % 2 ? (uint64_t)INT32_MIN : INT32_MAX;
    default:
        return (uint64_t)(int64_t)(int32_t)rnd();
    }
}

RV_TEST(deltas)
{
    enum { N = 700 };
    static uint64_t in[N], back[N];
    static uint32_t in32[N];
    static uint8_t out[N * 10 + 200];
    for (unsigned round = 0; round < 1400; round++) {
        size_t n = round < 300 ? round : rnd() % N, count;
        for (size_t i = 0; i < n; i++) {
            in[i] = delta_value(round, i, i ? in[i - 1] : 7);
            in32[i] = (uint32_t)in[i];
        }
        size_t len = rv_pq_dbp64(in, n, out);
        CHECK(len <= rv_pq_dbp_bound(n, 8));
        CHECK_EQ(rv_pq_dbp64_size(in, n), len);
        CHECK_EQ(dbp(out, UINT64_MAX, back, &count), len);
        CHECK_EQ(count, n);
        CHECK_MEM(back, n * 8, in, n * 8);
        len = rv_pq_dbp32(in32, n, out);
        CHECK(len <= rv_pq_dbp_bound(n, 4));
        CHECK_EQ(rv_pq_dbp32_size(in32, n), len);
        CHECK_EQ(dbp(out, UINT32_MAX, back, &count), len);
        CHECK_EQ(count, n);
        for (size_t i = 0; i < n; i++)
            CHECK(back[i] == in32[i]);
    }
}

typedef struct texts {
    uint8_t bytes[40000];
    uint32_t lengths[400];
    size_t n, used;
} texts;

/* Strings that share prefixes with the one before, some empty. */
static void make_texts(texts *t, size_t n)
{
    t->n = n;
    t->used = 0;
    size_t before = 0, before_len = 0;
    for (size_t i = 0; i < n; i++) {
        size_t shared = before_len ? rnd() % (before_len + 1) : 0, len = shared + rnd() % 40;
        if (rnd() % 9 == 0)
            len = shared = 0;
        size_t at = t->used;
        len = len > 90 ? 90 : len;
        shared = shared > len ? len : shared;
        memmove(t->bytes + at, t->bytes + before, shared);
        for (size_t k = shared; k < len; k++)
            t->bytes[at + k] = (uint8_t)rnd();
        t->lengths[i] = (uint32_t)len;
        t->used += len;
        before = at;
        before_len = len;
    }
}

RV_TEST(strings)
{
    static texts t;
    static uint64_t lengths[400], suffixes[400];
    for (unsigned round = 0; round < 300; round++) {
        make_texts(&t, rnd() % 400);
        rv_pq_strings s = {t.bytes, t.lengths, t.n};
        rv_buf out = RV_BUF_INIT;
        size_t count, at;
        CHECK_EQ(rv_pq_dlba_lengths(&s, &out, NULL), RV_OK);
        CHECK_EQ(dbp(out.ptr, UINT32_MAX, lengths, &count), out.len);
        CHECK_EQ(count, t.n);
        for (size_t i = 0; i < t.n; i++)
            CHECK_EQ(lengths[i], t.lengths[i]);

        rv_buf_clear(&out);
        CHECK_EQ(rv_pq_plain_strings(&s, &out, NULL), RV_OK);
        const uint8_t *p = out.ptr, *want = t.bytes;
        for (size_t i = 0; i < t.n; i++) {
            CHECK_EQ(rv_pq_load32(p), t.lengths[i]);
            CHECK_MEM(p + 4, t.lengths[i], want, t.lengths[i]);
            p += 4 + t.lengths[i];
            want += t.lengths[i];
        }
        CHECK_EQ(out.len, t.used + 4 * t.n);

        rv_buf_clear(&out);
        CHECK_EQ(rv_pq_dba(&s, &out, NULL), RV_OK);
        at = dbp(out.ptr, UINT32_MAX, lengths, &count);
        CHECK_EQ(count, t.n);
        at += dbp(out.ptr + at, UINT32_MAX, suffixes, &count);
        CHECK_EQ(count, t.n);
        uint8_t value[100];
        size_t shared = 0, pos = 0;
        for (size_t i = 0; i < t.n; i++) {
            memcpy(value + lengths[i], out.ptr + at, suffixes[i]);
            at += suffixes[i];
            CHECK_EQ(lengths[i] + suffixes[i], t.lengths[i]);
            CHECK_MEM(value, t.lengths[i], t.bytes + pos, t.lengths[i]);
            pos += t.lengths[i];
            shared += lengths[i];
        }
        CHECK_EQ(at, out.len);
        CHECK_EQ(rv_pq_shared_prefix_bytes(&s), shared);
        rv_buf_free(&out);
    }
}

RV_TEST(streams_split)
{
    uint8_t in[8 * 20], out[8 * 20];
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)rnd();
    rv_pq_split_streams(in, 20, 8, out);
    for (size_t i = 0; i < 20; i++)
        for (size_t k = 0; k < 8; k++)
            CHECK_EQ(out[k * 20 + i], in[i * 8 + k]);
}

/* Looks values of one width up page by page and compares with what the indexes stand for. */
static void check_dictionary(unsigned width, unsigned distinct)
{
    enum { N = 2000 };
    static uint8_t values[N * 16];
    static uint16_t indexes[N];
    rv_pq_dict d;
    bool fits = true;
    rv_buf plain = RV_BUF_INIT;
    rv_pq_dict_init(&d, width, 1 << 20);
    for (unsigned page = 0; page < 5; page++) {
        for (size_t i = 0; i < N; i++) {
            uint64_t v = rnd() % distinct * 1000003;
            uint8_t cell[16] = {0};
            memcpy(cell, &v, 8);
            memcpy(values + i * width, cell, width);
        }
        rv_pq_values v = {values, NULL, N, width};
        CHECK_EQ(rv_pq_dict_index(&d, &v, indexes, &fits, NULL), RV_OK);
        CHECK(fits);
        rv_buf_clear(&plain);
        CHECK_EQ(rv_pq_dict_plain(&d, d.n, &plain, NULL), RV_OK);
        CHECK_EQ(plain.len, rv_pq_dict_plain_bytes(&d, d.n));
        for (size_t i = 0; i < N; i++) {
            CHECK(indexes[i] < d.n);
            CHECK_MEM(plain.ptr + (size_t)indexes[i] * width, width, values + i * width, width);
        }
    }
    CHECK(d.n <= distinct);
    rv_buf_free(&plain);
    rv_pq_dict_free(&d);
}

RV_TEST(dictionary_of_numbers)
{
    static const unsigned widths[] = {4, 8, 16, 9, 3};
    for (size_t i = 0; i < 5; i++) {
        check_dictionary(widths[i], 1);
        check_dictionary(widths[i], 700);
    }
}

RV_TEST(dictionary_of_strings)
{
    static texts t;
    uint16_t indexes[400];
    bool fits;
    rv_pq_dict d;
    rv_buf plain = RV_BUF_INIT;
    rv_pq_dict_init(&d, 0, 1 << 20);
    for (unsigned page = 0; page < 3; page++) {
        make_texts(&t, 400);
        rv_pq_values v = {t.bytes, t.lengths, t.n, 0};
        CHECK_EQ(rv_pq_dict_index(&d, &v, indexes, &fits, NULL), RV_OK);
        CHECK(fits);
        rv_buf_clear(&plain);
        CHECK_EQ(rv_pq_dict_plain(&d, d.n, &plain, NULL), RV_OK);
        size_t pos = 0;
        for (size_t i = 0; i < t.n; i++) {
            const uint8_t *e = plain.ptr;
            for (unsigned k = 0; k < indexes[i]; k++)
                e += 4 + rv_pq_load32(e);
            CHECK_MEM(e + 4, rv_pq_load32(e), t.bytes + pos, t.lengths[i]);
            pos += t.lengths[i];
        }
    }
    rv_buf_free(&plain);
    rv_pq_dict_free(&d);
}

RV_TEST(dictionary_limits)
{
    enum { N = 70000 };
    uint64_t *values = calloc(N, 8);
    uint16_t *indexes = calloc(N, 2);
    bool fits;
    rv_pq_dict d;
    REQUIRE(values && indexes);
    /* more than half distinct at 4 Ki values */
    for (size_t i = 0; i < N; i++)
        values[i] = i;
    rv_pq_dict_init(&d, 8, 1 << 20);
    rv_pq_values v = {(const uint8_t *)values, NULL, 5000, 8};
    CHECK_EQ(rv_pq_dict_index(&d, &v, indexes, &fits, NULL), RV_OK);
    CHECK(!fits);
    CHECK_EQ(d.seen, 4096);
    rv_pq_dict_clear(&d);
    v.n = 4095;
    CHECK_EQ(rv_pq_dict_index(&d, &v, indexes, &fits, NULL), RV_OK);
    CHECK(fits);
    rv_pq_dict_free(&d);
    /* bytes */
    rv_pq_dict_init(&d, 8, 800);
    v.n = 100;
    CHECK_EQ(rv_pq_dict_index(&d, &v, indexes, &fits, NULL), RV_OK);
    CHECK(fits);
    rv_pq_dict_clear(&d);
    v.n = 101;
    CHECK_EQ(rv_pq_dict_index(&d, &v, indexes, &fits, NULL), RV_OK);
    CHECK(!fits);
    CHECK_EQ(d.n, 100);
    rv_pq_dict_free(&d);
    /* entries: 64 Ki fit, one more does not */
    rv_pq_dict_init(&d, 8, 1 << 20);
    for (unsigned round = 0; round < 2; round++) {
        v.n = 65536 / 2;
        for (unsigned part = 0; part < 2; part++)
            for (unsigned twice = 0; twice < 3; twice++) {
                v.bytes = (const uint8_t *)(values + part * 32768);
                d.next_check = UINT64_MAX;
                CHECK_EQ(rv_pq_dict_index(&d, &v, indexes, &fits, NULL), RV_OK);
                CHECK(fits);
            }
    }
    CHECK_EQ(d.n, 65536);
    CHECK_EQ(rv_pq_dict_width(d.n), 16);
    v.bytes = (const uint8_t *)(values + 65536);
    v.n = 1;
    CHECK_EQ(rv_pq_dict_index(&d, &v, indexes, &fits, NULL), RV_OK);
    CHECK(!fits);
    rv_pq_dict_free(&d);
    CHECK_EQ(rv_pq_dict_width(1), 1);
    CHECK_EQ(rv_pq_dict_width(2), 1);
    CHECK_EQ(rv_pq_dict_width(3), 2);
    free(values);
    free(indexes);
}

RV_TEST_MAIN(RV_CASE(packing_every_width), RV_CASE(bit_ranges), RV_CASE(booleans_become_bits),
             RV_CASE(hybrid_of_indexes), RV_CASE(levels_of_bitmaps), RV_CASE(deltas),
             RV_CASE(strings), RV_CASE(streams_split), RV_CASE(dictionary_of_numbers),
             RV_CASE(dictionary_of_strings), RV_CASE(dictionary_limits))
