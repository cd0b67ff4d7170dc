#include "mysql/scramble.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

/* Of two pieces in a row. */
static bool sha256(rv_bytes a, rv_bytes b, uint8_t out[RV_MY_SHA256_BYTES])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(ctx, a.ptr, a.len) == 1 &&
              EVP_DigestUpdate(ctx, b.ptr, b.len) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

rv_status rv_my_sha256_scramble(const char *password, const uint8_t nonce[RV_MY_NONCE_BYTES],
                                uint8_t out[RV_MY_SHA256_BYTES], rv_error *err)
{
    static const rv_bytes none = {(const uint8_t *)"", 0};
    uint8_t once[RV_MY_SHA256_BYTES], twice[RV_MY_SHA256_BYTES], salted[RV_MY_SHA256_BYTES];
    rv_bytes text = {(const uint8_t *)password, strlen(password)};
    bool ok = sha256(text, none, once) && sha256((rv_bytes){once, sizeof once}, none, twice) &&
              sha256((rv_bytes){twice, sizeof twice}, (rv_bytes){nonce, RV_MY_NONCE_BYTES}, salted);
    for (size_t i = 0; ok && i < sizeof once; i++)
        out[i] = once[i] ^ salted[i];
    explicit_bzero(once, sizeof once);
    return ok ? RV_OK : rv_fail_memory(err);
}

static EVP_PKEY *read_key(rv_str pem)
{
    BIO *bio = pem.len <= INT_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    (void)BIO_free(bio);
    if (key && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

static bool encrypt(EVP_PKEY *key, rv_bytes plain, rv_buf *out, rv_error *err)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    size_t len = 0;
    bool ok = ctx && EVP_PKEY_encrypt_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
              EVP_PKEY_encrypt(ctx, NULL, &len, plain.ptr, plain.len) == 1 &&
              rv_buf_reserve(out, len, err) == RV_OK &&
              EVP_PKEY_encrypt(ctx, out->ptr + out->len, &len, plain.ptr, plain.len) == 1;
    if (ok)
        out->len += len;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

rv_status rv_my_rsa_password(const char *password, const uint8_t nonce[RV_MY_NONCE_BYTES],
                             rv_str pem, rv_buf *out, rv_error *err)
{
    rv_buf mixed = RV_BUF_INIT;
    EVP_PKEY *key = read_key(pem);
    rv_status st = RV_OK;
    if (!key) {
        st = rv_fail(err, RV_E_SOURCE_AUTH, "the server's RSA key cannot be read");
        goto done;
    }
    RV_GO(rv_buf_add(&mixed, password, strlen(password) + 1, err));
    for (size_t i = 0; i < mixed.len; i++)
        mixed.ptr[i] ^= nonce[i % RV_MY_NONCE_BYTES];
    if (!encrypt(key, rv_buf_bytes(&mixed), out, err))
        st = rv_fail(err, RV_E_SOURCE_AUTH, "the password does not fit under the server's RSA key");
done:
    if (mixed.ptr)
        explicit_bzero(mixed.ptr, mixed.cap);
    rv_buf_free(&mixed);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return st;
}
