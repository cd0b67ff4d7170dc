/* net/crypto.h: what signing requests needs. Pure functions over OpenSSL; no state, any thread.
 * Secrets: inputs are never copied beyond the call; callers wipe their own.
 * Sources: FIPS 180-4, RFC 2104 (HMAC), RFC 8017 (RSASSA-PKCS1-v1_5), RFC 4648 (base64),
 * RFC 3986 (percent-encoding), RFC 3720 appendix B.4 (CRC-32C). */
#ifndef RV_NET_CRYPTO_H
#define RV_NET_CRYPTO_H

#include "base/buf.h"

void rv_sha256(rv_bytes data, uint8_t out[32]);
/* SHA-256 of len bytes of fd from offset on. RV_E_IO as base/file.h fails. */
rv_status rv_sha256_file(int fd, uint64_t offset, uint64_t len, const char *name, uint8_t out[32],
                         rv_error *err) RV_MUST_USE;
/* For names that others derive by it (files of a cache); nothing rests on its strength. */
void rv_sha1(rv_bytes data, uint8_t out[20]);
void rv_hmac_sha256(rv_bytes key, rv_bytes data, uint8_t out[32]);
/* RSASSA-PKCS1-v1_5 with SHA-256 (JWT "RS256") by a PEM private key (PKCS #8 or #1). A key that
 * cannot be read: RV_E_DEST_AUTH, its text not shown. */
rv_status rv_rs256(rv_str pem, rv_bytes data, rv_buf *out, rv_error *err) RV_MUST_USE;

typedef enum rv_base64_alphabet {
    RV_BASE64,    /* with padding */
    RV_BASE64_URL /* RFC 4648 section 5, no padding */
} rv_base64_alphabet;
rv_status rv_base64(rv_bytes data, rv_base64_alphabet a, rv_buf *out, rv_error *err) RV_MUST_USE;
/* Standard alphabet, padding required, nothing else allowed; false: it is none, out as before. */
bool rv_unbase64(rv_str text, rv_buf *out);

/* Appends text with every byte but A-Z a-z 0-9 - . _ ~ and those in `keep` as %XX. */
rv_status rv_percent(rv_str text, const char *keep, rv_buf *out, rv_error *err) RV_MUST_USE;

/* CRC-32C: start with 0, feed piece after piece. */
uint32_t rv_crc32c(uint32_t crc, const void *data, size_t len);

#endif
