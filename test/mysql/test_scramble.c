/* What a client answers to a challenge, against vectors from elsewhere. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "mysql/scramble.h"
#include "rvtest.h"

static void unhex(const char *text, uint8_t *out)
{
    for (size_t i = 0; text[i * 2]; i++) {
        char pair[3] = {text[i * 2], text[i * 2 + 1], 0};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

/* Computed with Python's hashlib after the formula of MySQL's documentation. */
RV_TEST(caching_sha2)
{
    uint8_t nonce[RV_MY_NONCE_BYTES], got[RV_MY_SHA256_BYTES], want[RV_MY_SHA256_BYTES];
    for (size_t i = 0; i < sizeof nonce; i++)
        nonce[i] = (uint8_t)(i + 1);
    CHECK_EQ(rv_my_sha256_scramble("secret", nonce, got, NULL), RV_OK);
    unhex("746ebe205d56a0707acb3e796e834e0dd7b1d61743b26bd5202c7a623230c7c9", want);
    CHECK_MEM(got, sizeof got, want, sizeof want);
}

/* RFC 8032, section 7.1: seeds of 32 bytes are passwords of 32 bytes where they hold no NUL. */
RV_TEST(ed25519_as_the_rfc_has_it)
{
    static const struct {
        const char *seed, *message, *signature;
    } vectors[] = {
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613"
         "d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760"
         "984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char password[33] = {0};
        uint8_t message[2], got[RV_MY_ED25519_BYTES], want[RV_MY_ED25519_BYTES];
        unhex(vectors[i].seed, (uint8_t *)password);
        unhex(vectors[i].message, message);
        unhex(vectors[i].signature, want);
        CHECK_EQ(rv_my_ed25519_sign(password, message, strlen(vectors[i].message) / 2, got, NULL),
                 RV_OK);
        CHECK_MEM(got, sizeof got, want, sizeof want);
    }
}

/* OpenSSL signs the same for any password of 32 bytes; that of other lengths differs nowhere but
 * in what is hashed first. */
RV_TEST(ed25519_as_openssl_has_it)
{
    uint8_t nonce[RV_MY_ED25519_NONCE_BYTES];
    char password[33] = {0};
    for (unsigned round = 0; round < 20; round++) {
        uint8_t got[RV_MY_ED25519_BYTES], want[RV_MY_ED25519_BYTES];
        size_t n = sizeof want;
        for (unsigned i = 0; i < 32; i++) {
            password[i] = (char)('!' + (round * 31 + i * 7) % 90);
            nonce[i] = (uint8_t)(round * 13 + i * 5);
        }
        EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
                                                     (const unsigned char *)password, 32);
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        REQUIRE(key && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1);
        CHECK_EQ(EVP_DigestSign(ctx, want, &n, nonce, sizeof nonce), 1);
        CHECK_EQ(rv_my_ed25519_sign(password, nonce, sizeof nonce, got, NULL), RV_OK);
        CHECK_MEM(got, sizeof got, want, sizeof want);
        EVP_MD_CTX_free(ctx);
        EVP_PKEY_free(key);
    }
}

static EVP_PKEY *new_rsa(rv_buf *pem)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (key && bio && PEM_write_bio_PUBKEY(bio, key)) {
        long n = BIO_get_mem_data(bio, &text);
        CHECK_EQ(rv_buf_add(pem, text, (size_t)n, NULL), RV_OK);
    }
    BIO_free(bio);
    return key;
}

RV_TEST(rsa_password)
{
    uint8_t nonce[RV_MY_NONCE_BYTES], plain[512];
    rv_buf pem = RV_BUF_INIT, sealed = RV_BUF_INIT;
    const char *password = "a password longer than the nonce";
    for (size_t i = 0; i < sizeof nonce; i++)
        nonce[i] = (uint8_t)(i * 11 + 3);
    EVP_PKEY *key = new_rsa(&pem);
    REQUIRE(key != NULL);
    CHECK_EQ(rv_my_rsa_password(password, nonce, rv_buf_str(&pem), &sealed, NULL), RV_OK);
    CHECK_EQ(sealed.len, 256);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    size_t n = sizeof plain;
    REQUIRE(ctx && EVP_PKEY_decrypt_init(ctx) == 1);
    CHECK_EQ(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING), 1);
    CHECK_EQ(EVP_PKEY_decrypt(ctx, plain, &n, sealed.ptr, sealed.len), 1);
    for (size_t i = 0; i < n; i++)
        plain[i] ^= nonce[i % sizeof nonce];
    CHECK_MEM(plain, n, password, strlen(password) + 1);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    rv_buf_free(&pem);
    rv_buf_free(&sealed);
}

RV_TEST(rsa_key_that_is_none)
{
    static const char *const keys[] = {
        "", "no key", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"};
    uint8_t nonce[RV_MY_NONCE_BYTES] = {0};
    rv_buf sealed = RV_BUF_INIT;
    rv_error err;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        rv_error_clear(&err);
        CHECK_EQ(rv_my_rsa_password("x", nonce, rv_str_c(keys[i]), &sealed, &err),
                 RV_E_SOURCE_AUTH);
        CHECK_EQ(sealed.len, 0);
    }
    rv_buf_free(&sealed);
}

/* A password that the padding leaves no room for. */
RV_TEST(rsa_password_too_long)
{
    uint8_t nonce[RV_MY_NONCE_BYTES] = {0};
    char password[400];
    rv_buf pem = RV_BUF_INIT, sealed = RV_BUF_INIT;
    memset(password, 'x', sizeof password - 1);
    password[sizeof password - 1] = '\0';
    EVP_PKEY *key = new_rsa(&pem);
    REQUIRE(key != NULL);
    CHECK_EQ(rv_my_rsa_password(password, nonce, rv_buf_str(&pem), &sealed, NULL),
             RV_E_SOURCE_AUTH);
    CHECK_EQ(sealed.len, 0);
    EVP_PKEY_free(key);
    rv_buf_free(&pem);
    rv_buf_free(&sealed);
}

RV_TEST_MAIN(RV_CASE(caching_sha2), RV_CASE(ed25519_as_the_rfc_has_it),
             RV_CASE(ed25519_as_openssl_has_it), RV_CASE(rsa_password),
             RV_CASE(rsa_key_that_is_none), RV_CASE(rsa_password_too_long))
