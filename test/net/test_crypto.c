#include "net/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/hash.h"
#include "rvtest.h"

static rv_bytes text(const char *s)
{
    return rv_str_bytes(rv_str_c(s));
}

static rv_bytes filled(uint8_t byte, size_t n, uint8_t *store)
{
    memset(store, byte, n);
    return (rv_bytes){store, n};
}

static void is_hex(const uint8_t *got, size_t n, const char *want)
{
    char hex[129];
    rv_hex(got, n, hex);
    CHECK_STR(hex, want);
}

/* ---- SHA-256: FIPS 180-4, examples of NIST ---- */

RV_TEST(sha256_vectors)
{
    static const struct {
        const char *in, *out;
    } v[] = {{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
             {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
             {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}};
    uint8_t out[32];
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        rv_sha256(text(v[i].in), out);
        is_hex(out, 32, v[i].out);
    }
    uint8_t *million = malloc(1000000);
    REQUIRE(million != NULL);
    rv_sha256(filled('a', 1000000, million), out);
    is_hex(out, 32, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

RV_TEST(sha256_of_a_file)
{
    char path[] = "/tmp/rvcryptoXXXXXX";
    uint8_t *block = malloc(100000), want[32], got[32];
    rv_error err;
    int fd = mkstemp(path);
    REQUIRE(fd >= 0 && block != NULL);
    (void)unlink(path);
    for (size_t i = 0; i < 100000; i++)
        block[i] = (uint8_t)(i * 7 + i / 251);
    CHECK_EQ(rv_file_write(fd, block, 100000, path, &err), RV_OK);
    static const struct {
        uint64_t offset, len;
    } ranges[] = {{0, 100000}, {1, 99999}, {16384, 16384}, {99999, 1}, {50000, 0}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        rv_sha256((rv_bytes){block + ranges[i].offset, (size_t)ranges[i].len}, want);
        CHECK_EQ(rv_sha256_file(fd, ranges[i].offset, ranges[i].len, "part", got, &err), RV_OK);
        CHECK_MEM(got, 32, want, 32);
    }
    CHECK_EQ(rv_sha256_file(fd, 1, 100000, "part", got, &err), RV_E_CORRUPT); /* it is shorter */
    CHECK(strstr(err.text, "part") != NULL);
#ifdef RV_FAULTS
    rv_fault_set_io(1, false);
    CHECK_EQ(rv_sha256_file(fd, 0, 10, "part", got, &err), RV_E_IO);
    rv_fault_set_io(0, false);
#endif
    close(fd);
    free(block);
}

/* ---- HMAC: RFC 4231 ---- */

RV_TEST(hmac_vectors)
{
    uint8_t key[131], data[152], out[32];
    rv_hmac_sha256(filled(0x0b, 20, key), text("Hi There"), out);
    is_hex(out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    rv_hmac_sha256(text("Jefe"), text("what do ya want for nothing?"), out);
    is_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    rv_hmac_sha256(filled(0xaa, 20, key), filled(0xdd, 50, data), out);
    is_hex(out, 32, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    for (uint8_t i = 0; i < 25; i++)
        key[i] = (uint8_t)(i + 1);
    rv_hmac_sha256((rv_bytes){key, 25}, filled(0xcd, 50, data), out);
    is_hex(out, 32, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    rv_hmac_sha256(filled(0xaa, 131, key),
                   text("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    is_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    rv_hmac_sha256(filled(0xaa, 131, key),
                   text("This is a test using a larger than block-size key and a larger than "
                        "block-size data. The key needs to be hashed before being used by the "
                        "HMAC algorithm."),
                   out);
    is_hex(out, 32, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
    /* no key and no data: of the same construction by another program */
    rv_hmac_sha256((rv_bytes){NULL, 0}, (rv_bytes){NULL, 0}, out);
    is_hex(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* ---- base64: RFC 4648 section 10 ---- */

RV_TEST(base64_vectors)
{
    static const struct {
        const char *plain, *std, *url;
    } v[] = {{"", "", ""},
             {"f", "Zg==", "Zg"},
             {"fo", "Zm8=", "Zm8"},
             {"foo", "Zm9v", "Zm9v"},
             {"foob", "Zm9vYg==", "Zm9vYg"},
             {"fooba", "Zm9vYmE=", "Zm9vYmE"},
             {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
             {"\xfb\xff\xbf", "+/+/", "-_-_"}};
    rv_buf b = RV_BUF_INIT;
    rv_error err;
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        rv_buf_clear(&b);
        CHECK_EQ(rv_base64(text(v[i].plain), RV_BASE64, &b, &err), RV_OK);
        CHECK_STR(rv_buf_cstr(&b), v[i].std);
        rv_buf_clear(&b);
        CHECK_EQ(rv_base64(text(v[i].plain), RV_BASE64_URL, &b, &err), RV_OK);
        CHECK_STR(rv_buf_cstr(&b), v[i].url);
        rv_buf_clear(&b);
        CHECK(rv_unbase64(rv_str_c(v[i].std), &b));
        CHECK_STR(rv_buf_cstr(&b), v[i].plain);
    }
    rv_buf_free(&b);
}

RV_TEST(base64_refuses_everything_else)
{
    static const char *const bad[] = {
        "Z",    "Zg",   "Zg=",    "Zm9vYg=", "Zh==", "Zm9=",   "Zg==Zg==", "=Zg=",  "====",
        "Z===", "Zm9 ", "Zm9v\n", "Zm-v",    "Zm_v", "Zg==\n", "Zm9v====", "Zm\0v", "\303\251AA"};
    rv_buf b = RV_BUF_INIT;
    CHECK_EQ(rv_buf_add_c(&b, "before", NULL), RV_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK(!rv_unbase64(rv_str_c(bad[i]), &b));
        CHECK_MEM(b.ptr, b.len, "before", 6);
    }
    CHECK(!rv_unbase64((rv_str){"Zm\0v", 4}, &b));
    CHECK_MEM(b.ptr, b.len, "before", 6);
    rv_buf_free(&b);
}

RV_TEST(base64_round_trip)
{
    uint8_t data[300];
    uint64_t seed = 20260502;
    rv_buf coded = RV_BUF_INIT, back = RV_BUF_INIT;
    for (size_t i = 0; i < sizeof data; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        data[i] = (uint8_t)(seed >> 33);
    }
    for (size_t n = 0; n <= sizeof data; n++) {
        rv_buf_clear(&coded);
        rv_buf_clear(&back);
        CHECK_EQ(rv_base64((rv_bytes){data, n}, RV_BASE64, &coded, NULL), RV_OK);
        CHECK_EQ(coded.len, (n + 2) / 3 * 4);
        CHECK(rv_unbase64(rv_buf_str(&coded), &back));
        CHECK_MEM(back.ptr, back.len, data, n);
    }
    rv_buf_free(&coded);
    rv_buf_free(&back);
}

/* ---- percent-encoding: RFC 3986 section 2.1 ---- */

RV_TEST(percent_vectors)
{
    static const struct {
        const char *in, *keep, *out;
    } v[] = {{"", "", ""},
             {"AZaz09-._~", "", "AZaz09-._~"},
             {"a/b c", "", "a%2Fb%20c"},
             {"a/b c", "/", "a/b%20c"},
             {"dt=2026-05-02/\xc3\xa9", "/", "dt%3D2026-05-02/%C3%A9"},
             {"!*'()+%&=@:,;$\x7f\x01", "", "%21%2A%27%28%29%2B%25%26%3D%40%3A%2C%3B%24%7F%01"}};
    rv_buf b = RV_BUF_INIT;
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        rv_buf_clear(&b);
        CHECK_EQ(rv_percent(rv_str_c(v[i].in), v[i].keep, &b, NULL), RV_OK);
        CHECK_STR(rv_buf_cstr(&b), v[i].out);
    }
    rv_buf_clear(&b);
    CHECK_EQ(rv_percent((rv_str){"a\0b", 3}, "/", &b, NULL), RV_OK); /* NUL is never kept */
    CHECK_STR(rv_buf_cstr(&b), "a%00b");
    rv_buf_free(&b);
}

/* ---- CRC-32C: RFC 3720 appendix B.4 ---- */

RV_TEST(crc32c_vectors)
{
    uint8_t data[32];
    CHECK_EQ(rv_crc32c(0, filled(0, 32, data).ptr, 32), 0x8a9136aa);
    CHECK_EQ(rv_crc32c(0, filled(0xff, 32, data).ptr, 32), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++)
        data[i] = i;
    CHECK_EQ(rv_crc32c(0, data, 32), 0x46dd794e);
    for (uint8_t i = 0; i < 32; i++)
        data[i] = (uint8_t)(31 - i);
    CHECK_EQ(rv_crc32c(0, data, 32), 0x113fdb5c);
    CHECK_EQ(rv_crc32c(0, "123456789", 9), 0xe3069283);
    CHECK_EQ(rv_crc32c(0, NULL, 0), 0);
    for (size_t cut = 0; cut <= 32; cut++) /* by instruction and byte by byte alike */
        CHECK_EQ(rv_crc32c(rv_crc32c(0, data, cut), data + cut, 32 - cut), 0x113fdb5c);
}

/* ---- RS256, against openssl(1) ---- */

static bool shell(const char *dir, const char *command)
{
    char line[1024];
    (void)snprintf(line, sizeof line, "cd '%s' && { %s; } >/dev/null 2>&1", dir, command);
    return system(line) == 0;
}

static rv_status sign_with(const char *dir, const char *file, rv_buf *out, rv_error *err)
{
    char path[256];
    rv_buf pem = RV_BUF_INIT;
    bool found = false;
    (void)snprintf(path, sizeof path, "%s/%s", dir, file);
    CHECK_EQ(rv_file_read_all(path, 65536, &pem, &found, err), RV_OK);
    CHECK(found);
    rv_status st = rv_rs256(rv_buf_str(&pem), text("header.claims"), out, err);
    rv_buf_free(&pem);
    return st;
}

RV_TEST(rs256_is_what_openssl_verifies)
{
    char dir[] = "/tmp/rvrsXXXXXX", path[256];
    rv_buf first = RV_BUF_INIT, second = RV_BUF_INIT;
    rv_error err;
    REQUIRE(mkdtemp(dir) != NULL);
    if (!shell(dir, "openssl version"))
        SKIP("needs openssl(1)");
    CHECK(shell(dir, "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out p8.pem && "
                     "openssl rsa -in p8.pem -traditional -out p1.pem && "
                     "openssl rsa -in p8.pem -pubout -out public.pem"));
    CHECK_EQ(sign_with(dir, "p8.pem", &first, &err), RV_OK);
    CHECK_EQ(sign_with(dir, "p1.pem", &second, &err), RV_OK);
    CHECK_EQ(first.len, 256);
    CHECK_MEM(first.ptr, first.len, second.ptr, second.len); /* PKCS #1 v1.5 has no dice */
    (void)snprintf(path, sizeof path, "%s/sig", dir);
    CHECK_EQ(rv_file_replace(path, rv_buf_bytes(&first), 0600, &err), RV_OK);
    CHECK(shell(dir, "printf header.claims > data && "
                     "openssl dgst -sha256 -verify public.pem -signature sig data"));
    CHECK(!shell(dir, "printf other.claims > data && "
                      "openssl dgst -sha256 -verify public.pem -signature sig data"));
    rv_buf_free(&first);
    rv_buf_free(&second);
    CHECK(shell(dir, "rm -rf \"$PWD\""));
}

RV_TEST(rs256_refuses_other_keys)
{
    char dir[] = "/tmp/rvrsXXXXXX";
    rv_buf out = RV_BUF_INIT;
    rv_error err;
    REQUIRE(mkdtemp(dir) != NULL);
    if (!shell(dir, "openssl version"))
        SKIP("needs openssl(1)");
    CHECK(shell(dir, "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem "
                     "&& openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out p8.pem "
                     "&& openssl rsa -aes128 -passout pass:geheim -in p8.pem -out locked.pem && "
                     "openssl rsa -in p8.pem -pubout -out public.pem && "
                     "head -c 400 p8.pem > cut.pem && : > empty.pem"));
    static const char *const bad[] = {"ec.pem", "locked.pem", "public.pem", "cut.pem", "empty.pem"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ(sign_with(dir, bad[i], &out, &err), RV_E_DEST_AUTH);
        CHECK_EQ(out.len, 0);
        CHECK(strstr(err.text, "BEGIN") == NULL);
    }
    rv_buf_free(&out);
    CHECK(shell(dir, "rm -rf \"$PWD\""));
}

RV_TEST_MAIN(RV_CASE(sha256_vectors), RV_CASE(sha256_of_a_file), RV_CASE(hmac_vectors),
             RV_CASE(base64_vectors), RV_CASE(base64_refuses_everything_else),
             RV_CASE(base64_round_trip), RV_CASE(percent_vectors), RV_CASE(crc32c_vectors),
             RV_CASE(rs256_is_what_openssl_verifies), RV_CASE(rs256_refuses_other_keys))
