#include "net/crypto.h"

#include <string.h>

/* The functions of the SHA family that need no memory are the only ones that cannot fail. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include "base/checked.h"
#include "base/file.h"

/* ---- SHA-256 ---- */

void rv_sha256(rv_bytes data, uint8_t out[32])
{
    SHA256_CTX ctx;
    (void)SHA256_Init(&ctx);
    (void)SHA256_Update(&ctx, data.ptr, data.len);
    (void)SHA256_Final(out, &ctx);
    OPENSSL_cleanse(&ctx, sizeof ctx);
}

rv_status rv_sha256_file(int fd, uint64_t offset, uint64_t len, const char *name, uint8_t out[32],
                         rv_error *err)
{
    SHA256_CTX ctx;
    uint8_t block[65536];
    (void)SHA256_Init(&ctx);
    for (uint64_t at = 0; at < len;) {
        size_t n = len - at < sizeof block ? (size_t)(len - at) : sizeof block;
        RV_TRY(rv_file_pread(fd, block, n, offset + at, name, err));
        (void)SHA256_Update(&ctx, block, n);
        at += n;
    }
    (void)SHA256_Final(out, &ctx);
    return RV_OK;
}

void rv_sha1(rv_bytes data, uint8_t out[20])
{
    SHA_CTX ctx;
    (void)SHA1_Init(&ctx);
    (void)SHA1_Update(&ctx, data.ptr, data.len);
    (void)SHA1_Final(out, &ctx);
}

#define HMAC_BLOCK 64u

/* One of the two rounds of RFC 2104: the key, masked, before the message. */
static void hmac_round(const uint8_t key[HMAC_BLOCK], uint8_t mask, rv_bytes data, uint8_t out[32])
{
    SHA256_CTX ctx;
    uint8_t masked[HMAC_BLOCK];
    for (size_t i = 0; i < HMAC_BLOCK; i++)
        masked[i] = key[i] ^ mask;
    (void)SHA256_Init(&ctx);
    (void)SHA256_Update(&ctx, masked, sizeof masked);
    (void)SHA256_Update(&ctx, data.ptr, data.len);
    (void)SHA256_Final(out, &ctx);
    OPENSSL_cleanse(masked, sizeof masked);
    OPENSSL_cleanse(&ctx, sizeof ctx);
}

void rv_hmac_sha256(rv_bytes key, rv_bytes data, uint8_t out[32])
{
    uint8_t block[HMAC_BLOCK] = {0}, inner[32];
    if (key.len > HMAC_BLOCK)
        rv_sha256(key, block);
    else if (key.len)
        memcpy(block, key.ptr, key.len);
    hmac_round(block, 0x36, data, inner);
    hmac_round(block, 0x5c, (rv_bytes){inner, sizeof inner}, out);
    OPENSSL_cleanse(block, sizeof block);
}

/* ---- RS256 ---- */

/* A key under a passphrase is refused: nobody is there to be asked for it. */
static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

static EVP_PKEY *read_key(rv_str pem)
{
    BIO *bio = pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    (void)BIO_free(bio);
    if (key && EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

static rv_status sign(EVP_PKEY *key, rv_bytes data, rv_buf *out, rv_error *err)
{
    rv_status st = RV_OK;
    size_t len = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx)
        return rv_fail_memory(err);
    bool ready = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                 EVP_DigestSign(ctx, NULL, &len, data.ptr, data.len) == 1;
    if (ready)
        RV_GO(rv_buf_reserve(out, len, err));
    if (!ready || EVP_DigestSign(ctx, out->ptr + out->len, &len, data.ptr, data.len) != 1)
        RV_GO(rv_fail(err, RV_E_DEST_AUTH, "the private key cannot sign with RS256"));
    out->len += len;
done:
    EVP_MD_CTX_free(ctx);
    return st;
}

rv_status rv_rs256(rv_str pem, rv_bytes data, rv_buf *out, rv_error *err)
{
    EVP_PKEY *key = read_key(pem);
    rv_status st = key ? sign(key, data, out, err)
                       : rv_fail(err, RV_E_DEST_AUTH,
                                 "the private key is no RSA key in PEM without a passphrase");
    EVP_PKEY_free(key);
    ERR_clear_error();
    return st;
}

/* ---- texts ---- */

static const char digits_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char digits_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

rv_status rv_base64(rv_bytes data, rv_base64_alphabet a, rv_buf *out, rv_error *err)
{
    const char *digits = a == RV_BASE64 ? digits_std : digits_url;
    RV_TRY(rv_buf_reserve(out, data.len / 3 * 4 + 4, err));
    for (size_t i = 0; i < data.len; i += 3) {
        size_t n = data.len - i < 3 ? data.len - i : 3;
        uint32_t v = (uint32_t)data.ptr[i] << 16;
        v |= n > 1 ? (uint32_t)data.ptr[i + 1] << 8 : 0;
        v |= n > 2 ? (uint32_t)data.ptr[i + 2] : 0;
        for (size_t k = 0; k < 4; k++) {
            uint32_t digit = v >> (18 - 6 * k) & 63;
            if (k <= n)
                out->ptr[out->len++] = (uint8_t)digits[digit];
            else if (a == RV_BASE64)
                out->ptr[out->len++] = '=';
        }
    }
    return RV_OK;
}

static int value_of(char c)
{
    const char *p = c ? strchr(digits_std, c) : NULL;
    return p ? (int)(p - digits_std) : -1;
}

/* One group of four digits, `n` of them before the padding; false: a bit too many is set. */
static bool read_group(const char *text, size_t n, uint8_t out[3])
{
    uint32_t v = 0;
    for (size_t k = 0; k < 4; k++) {
        int digit = k < n ? value_of(text[k]) : 0;
        if (digit < 0)
            return false;
        v = v << 6 | (uint32_t)digit;
    }
    for (size_t k = 0; k < 3; k++)
        out[k] = (uint8_t)(v >> (16 - 8 * k));
    return (n > 3 || out[2] == 0) && (n > 2 || out[1] == 0);
}

bool rv_unbase64(rv_str text, rv_buf *out)
{
    size_t start = out->len;
    if (text.len % 4 != 0 || rv_buf_reserve(out, text.len / 4 * 3 + 1, NULL) != RV_OK)
        return false;
    for (size_t i = 0; i < text.len; i += 4) {
        size_t n = 4;
        while (i + 4 == text.len && n > 2 && text.ptr[i + n - 1] == '=')
            n--;
        if (!read_group(text.ptr + i, n, out->ptr + out->len)) {
            out->len = start;
            return false;
        }
        out->len += n - 1;
    }
    return true;
}

static bool unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

rv_status rv_percent(rv_str text, const char *keep, rv_buf *out, rv_error *err)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t more = 0;
    if (!rv_mul_size(text.len, 3, &more))
        return rv_fail_memory(err);
    RV_TRY(rv_buf_reserve(out, more, err));
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (unreserved(c) || (c && strchr(keep, c))) {
            out->ptr[out->len++] = (uint8_t)c;
            continue;
        }
        out->ptr[out->len++] = '%';
        out->ptr[out->len++] = (uint8_t)hex[(uint8_t)c >> 4];
        out->ptr[out->len++] = (uint8_t)hex[(uint8_t)c & 15];
    }
    return RV_OK;
}

/* ---- CRC-32C ---- */

/* Remainders of one nibble at a time: small, for the bytes that no instruction takes. */
static uint32_t crc_bytes(uint32_t crc, const uint8_t *p, size_t len)
{
    static const uint32_t nibble[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
                                        0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
                                        0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        crc = nibble[crc & 15] ^ crc >> 4;
        crc = nibble[crc & 15] ^ crc >> 4;
    }
    return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc_words(uint32_t crc, const uint8_t *p,
                                                            size_t n_words)
{
    uint64_t wide = crc;
    for (size_t i = 0; i < n_words; i++) {
        uint64_t word;
        memcpy(&word, p + i * sizeof word, sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    return (uint32_t)wide;
}
#endif

uint32_t rv_crc32c(uint32_t crc, const void *data, size_t len)
{
    const uint8_t *p = data;
    size_t done = 0;
    crc = ~crc;
#ifdef __x86_64__
    if (__builtin_cpu_supports("sse4.2")) {
        done = len / sizeof(uint64_t) * sizeof(uint64_t);
        crc = crc_words(crc, p, len / sizeof(uint64_t));
    }
#endif
    return ~crc_bytes(crc, p + done, len - done);
}
