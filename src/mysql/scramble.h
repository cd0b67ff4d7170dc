/* mysql/scramble.h: what a client answers to a server's challenge, one function per way of logging
 * in. Pure. Passwords are NUL-terminated bytes; outputs are untouched on failure. RV_E_MEMORY when
 * OpenSSL has none. Private to the room and its tests.
 * Source: MySQL internals "Authentication Method" pages (caching_sha2_password, sha256_password);
 * MariaDB server documentation "Authentication Plugin - ed25519"; RFC 8032. */
#ifndef RV_MYSQL_SCRAMBLE_H
#define RV_MYSQL_SCRAMBLE_H

#include "base/buf.h"

#define RV_MY_NONCE_BYTES 20
#define RV_MY_SHA256_BYTES 32
#define RV_MY_ED25519_NONCE_BYTES 32
#define RV_MY_ED25519_BYTES 64

/* SHA256(p) XOR SHA256(SHA256(SHA256(p)) || nonce). */
rv_status rv_my_sha256_scramble(const char *password, const uint8_t nonce[RV_MY_NONCE_BYTES],
                                uint8_t out[RV_MY_SHA256_BYTES], rv_error *err) RV_MUST_USE;
/* The password with its NUL, XOR the repeated nonce, under the server's RSA key (PEM, any bytes,
 * not terminated) with OAEP of SHA-1. A key that is none: RV_E_SOURCE_AUTH. */
rv_status rv_my_rsa_password(const char *password, const uint8_t nonce[RV_MY_NONCE_BYTES],
                             rv_str pem, rv_buf *out, rv_error *err) RV_MUST_USE;
/* Signature of the nonce with the key that SHA512(password) gives. */
rv_status rv_my_ed25519_sign(const char *password, const uint8_t *nonce, size_t nonce_len,
                             uint8_t out[RV_MY_ED25519_BYTES], rv_error *err) RV_MUST_USE;

#endif
