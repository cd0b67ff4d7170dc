#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>

#include "sweep.h"

static const char *md5_hex(const void *data, size_t len, size_t piece)
{
    static char hex[33];
    rv_md5 m;
    uint8_t out[16];
    rv_md5_init(&m);
    for (size_t at = 0; at < len; at += piece)
        rv_md5_update(&m, (const uint8_t *)data + at, len - at < piece ? len - at : piece);
    rv_md5_final(&m, out);
    rv_hex(out, 16, hex);
    return hex;
}

RV_TEST(md5_of_rfc_1321)
{
    static const char *const rows[][2] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_STR(md5_hex(rows[i][0], strlen(rows[i][0]), 1000), rows[i][1]);
}

RV_TEST(md5_does_not_depend_on_the_pieces)
{
    uint8_t data[400];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37 + 11);
    for (size_t len = 0; len <= sizeof data; len += 13) {
        char whole[33];
        memcpy(whole, md5_hex(data, len, 1000), sizeof whole);
        for (size_t piece = 1; piece < 140; piece += 9)
            CHECK_STR(md5_hex(data, len, piece), whole);
    }
    char million[33];
    char *a = calloc(1, 1000000);
    REQUIRE(a != NULL);
    memset(a, 'a', 1000000);
    memcpy(million, md5_hex(a, 1000000, 4096), sizeof million);
    CHECK_STR(million, "7707d6ae4e027c70eea2a935c2296f21");
    free(a);
}

RV_TEST(xxh3_known_values)
{
    /* published for the empty input; the others pin the byte order we rely on */
    CHECK(rv_xxh3("", 0) == UINT64_C(0x2D06800538D394C2));
    rv_u128 e = rv_xxh3_128("", 0);
    CHECK(e.lo == UINT64_C(0x6001C324468D497F) && e.hi == UINT64_C(0x99AA06D3014798D8));
    CHECK(rv_xxh3_seed("abc", 3, 0) == rv_xxh3("abc", 3));
    CHECK(rv_xxh3_seed("abc", 3, 1) != rv_xxh3("abc", 3));
    CHECK(rv_xxh3("abc", 3) == UINT64_C(0x78AF5F94892F3950));
}

RV_TEST(sums_carry)
{
    rv_u128 r = rv_u128_add((rv_u128){UINT64_MAX, 1}, (rv_u128){1, 2});
    CHECK(r.lo == 0 && r.hi == 4);
    r = rv_u128_add((rv_u128){5, UINT64_MAX}, (rv_u128){6, 1});
    CHECK(r.lo == 11 && r.hi == 0);
}

RV_TEST(hex_texts)
{
    char out[33];
    uint8_t back[4];
    rv_hex((const uint8_t *)"\x00\x0f\xa5\xff", 4, out);
    CHECK_STR(out, "000fa5ff");
    CHECK(rv_unhex(RV_STR("000fA5fF"), back));
    CHECK_MEM(back, 4, "\x00\x0f\xa5\xff", 4);
    CHECK(rv_unhex(RV_STR(""), back));
    CHECK(!rv_unhex(RV_STR("0"), back) && !rv_unhex(RV_STR("0g"), back) &&
          !rv_unhex(RV_STR("@0"), back) && !rv_unhex(RV_STR("0`"), back));
    rv_hex_u64(UINT64_C(0x0123456789abcdef), out);
    CHECK_STR(out, "0123456789abcdef");
    rv_hex_u128((rv_u128){0x2a, UINT64_C(0x0123456789abcdef)}, out);
    CHECK_STR(out, "0123456789abcdef000000000000002a");
}

RV_TEST(digest_of_a_stream)
{
    rv_digest d;
    rv_digests out;
    REQUIRE(rv_digest_init(&d));
    rv_digest_final(&d, &out);
    CHECK_STR(out.fingerprint, "xxh3:2d06800538d394c2");
    rv_digest_update(&d, "a", 1);
    rv_digest_update(&d, NULL, 0);
    rv_digest_final(&d, &out); /* in the middle */
    rv_digest_update(&d, "bc", 2);
    for (unsigned again = 0; again < 2; again++) {
        rv_digest_final(&d, &out);
        CHECK_EQ(out.size_bytes, 3);
        CHECK_STR(out.md5, "900150983cd24fb0d6963f7d28e17f72");
        CHECK_STR(out.fingerprint, "xxh3:78af5f94892f3950");
    }
    rv_digest_free(&d);
    rv_digest_free(&d);
    rv_digest_free(NULL);
}

RV_TEST(digest_does_not_depend_on_the_pieces)
{
    uint8_t data[5000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * i >> 3);
    char want[22];
    memcpy(want, "xxh3:", 5);
    rv_hex_u64(rv_xxh3(data, sizeof data), want + 5);
    for (size_t piece = 1; piece < sizeof data; piece = piece * 3 + 1) {
        rv_digest d;
        rv_digests out;
        REQUIRE(rv_digest_init(&d));
        for (size_t at = 0; at < sizeof data; at += piece)
            rv_digest_update(&d, data + at, sizeof data - at < piece ? sizeof data - at : piece);
        rv_digest_final(&d, &out);
        CHECK_STR(out.fingerprint, want);
        rv_digest_free(&d);
    }
}

static rv_status open_digest(void)
{
    rv_digest d;
    if (!rv_digest_init(&d))
        return RV_E_MEMORY;
    rv_digest_free(&d);
    return RV_OK;
}

RV_TEST(allocation_sweep)
{
    sweep_alloc(open_digest);
}

RV_TEST_MAIN(RV_CASE(md5_of_rfc_1321), RV_CASE(md5_does_not_depend_on_the_pieces),
             RV_CASE(xxh3_known_values), RV_CASE(sums_carry), RV_CASE(hex_texts),
             RV_CASE(digest_of_a_stream), RV_CASE(digest_does_not_depend_on_the_pieces),
             RV_CASE(allocation_sweep))
