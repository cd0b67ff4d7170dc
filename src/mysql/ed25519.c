/* Ed25519 as MariaDB has it: RFC 8032 with SHA512 of a password of any length where the RFC has
 * SHA512 of a seed of 32 bytes, which no interface of OpenSSL takes. Its big numbers do: one
 * signature per connection needs two multiplications of the base point, in projective coordinates
 * (X:Y:Z) by the complete addition law, which holds for equal points too. */
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <string.h>

#include "mysql/scramble.h"

#define HALF 32
#define FULL 64
#define BITS 256

typedef struct point {
    BIGNUM *x, *y, *z;
} point;

typedef struct curve {
    BN_CTX *ctx;
    BIGNUM *p, *order, *d; /* 2^255 - 19; of the base point; of the equation */
    BIGNUM *a, *b, *c, *dd, *e, *f, *g, *t;
    point base;
} curve;

/* From the context's frame: freed with it, NULL once memory ran out. */
static bool take(BN_CTX *ctx, BIGNUM **const *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *out[i] = BN_CTX_get(ctx);
    return *out[n - 1] != NULL;
}

static bool take_point(BN_CTX *ctx, point *p)
{
    BIGNUM **const all[] = {&p->x, &p->y, &p->z};
    return take(ctx, all, 3);
}

static bool open_curve(curve *c)
{
    static const char p[] = "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFED";
    static const char order[] = "1000000000000000000000000000000014DEF9DEA2F79CD65812631A5CF5D3ED";
    static const char d[] = "52036CEE2B6FFE738CC740797779E89800700A4D4141D8AB75EB4DCA135978A3";
    static const char x[] = "216936D3CD6E53FEC0A4E231FDD6DC5C692CC7609525A7B2C9562D608F25D51A";
    static const char y[] = "6666666666666666666666666666666666666666666666666666666666666658";
    BIGNUM **const all[] = {&c->p,  &c->order, &c->d, &c->a, &c->b, &c->c,
                            &c->dd, &c->e,     &c->f, &c->g, &c->t};
    return take(c->ctx, all, sizeof all / sizeof all[0]) && take_point(c->ctx, &c->base) &&
           BN_hex2bn(&c->p, p) && BN_hex2bn(&c->order, order) && BN_hex2bn(&c->d, d) &&
           BN_hex2bn(&c->base.x, x) && BN_hex2bn(&c->base.y, y) && BN_one(c->base.z);
}

static bool mul(curve *c, BIGNUM *r, const BIGNUM *a, const BIGNUM *b)
{
    return BN_mod_mul(r, a, b, c->p, c->ctx) == 1;
}

/* r = p + q; r may be either. "Twisted Edwards Curves", section 6, with a = -1. */
static bool add(curve *c, point *r, const point *p, const point *q)
{
    return mul(c, c->a, p->z, q->z) && mul(c, c->b, c->a, c->a) && mul(c, c->c, p->x, q->x) &&
           mul(c, c->dd, p->y, q->y) && mul(c, c->e, c->c, c->dd) && mul(c, c->e, c->e, c->d) &&
           BN_mod_sub(c->f, c->b, c->e, c->p, c->ctx) &&
           BN_mod_add(c->g, c->b, c->e, c->p, c->ctx) &&
           BN_mod_add(c->t, p->x, p->y, c->p, c->ctx) &&
           BN_mod_add(c->b, q->x, q->y, c->p, c->ctx) && mul(c, c->t, c->t, c->b) &&
           BN_mod_sub(c->t, c->t, c->c, c->p, c->ctx) &&
           BN_mod_sub(c->t, c->t, c->dd, c->p, c->ctx) && mul(c, r->x, c->a, c->f) &&
           mul(c, r->x, r->x, c->t) && BN_mod_add(c->t, c->dd, c->c, c->p, c->ctx) &&
           mul(c, r->y, c->a, c->g) && mul(c, r->y, r->y, c->t) && mul(c, r->z, c->f, c->g);
}

/* y in 32 bytes, little-endian, with the lowest bit of x on top. */
static bool encode(curve *c, const point *p, uint8_t out[HALF])
{
    if (!BN_mod_inverse(c->t, p->z, c->p, c->ctx) || !mul(c, c->a, p->x, c->t) ||
        !mul(c, c->b, p->y, c->t) || BN_bn2lebinpad(c->b, out, HALF) != HALF)
        return false;
    out[HALF - 1] |= (uint8_t)(BN_is_odd(c->a) << 7);
    return true;
}

/* The encoded multiple of the base point. An addition per bit, wanted or not, so that the time
 * taken tells little of the number. */
static bool multiply(curve *c, const BIGNUM *n, uint8_t out[HALF])
{
    point sum, spare;
    BN_CTX_start(c->ctx);
    bool ok = take_point(c->ctx, &sum) && take_point(c->ctx, &spare);
    if (ok) {
        BN_zero(sum.x);
        ok = BN_one(sum.y) && BN_one(sum.z);
    }
    for (int bit = BITS - 1; bit >= 0 && ok; bit--) {
        ok = add(c, &sum, &sum, &sum) && add(c, &spare, &sum, &c->base);
        if (ok && BN_is_bit_set(n, bit)) {
            point kept = sum;
            sum = spare;
            spare = kept;
        }
    }
    ok = ok && encode(c, &sum, out);
    BN_CTX_end(c->ctx);
    return ok;
}

static bool sha512(const rv_bytes *parts, size_t n, uint8_t out[FULL])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha512(), NULL) == 1;
    for (size_t i = 0; i < n && ok; i++)
        ok = EVP_DigestUpdate(ctx, parts[i].ptr, parts[i].len) == 1;
    ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* The hash as a number below the order. */
static bool number(curve *c, const rv_bytes *parts, size_t n, BIGNUM *out)
{
    uint8_t hash[FULL];
    bool ok = sha512(parts, n, hash) && BN_lebin2bn(hash, FULL, out) &&
              BN_nnmod(out, out, c->order, c->ctx) == 1;
    explicit_bzero(hash, sizeof hash);
    return ok;
}

static bool sign(curve *c, rv_bytes password, rv_bytes nonce, uint8_t out[FULL])
{
    uint8_t secret[FULL], public[HALF];
    BIGNUM *key = NULL, *r = NULL, *h = NULL;
    BIGNUM **const all[] = {&key, &r, &h};
    if (!open_curve(c) || !take(c->ctx, all, 3) || !sha512(&password, 1, secret))
        return false;
    const rv_bytes seeded[] = {{secret + HALF, HALF}, nonce};
    secret[0] &= 248;
    secret[HALF - 1] = (uint8_t)((secret[HALF - 1] & 63) | 64);
    const rv_bytes all_said[] = {{out, HALF}, {public, HALF}, nonce};
    bool ok = BN_lebin2bn(secret, HALF, key) && multiply(c, key, public) &&
              number(c, seeded, 2, r) && multiply(c, r, out) && number(c, all_said, 3, h) &&
              BN_mod_mul(h, h, key, c->order, c->ctx) && BN_mod_add(h, h, r, c->order, c->ctx) &&
              BN_bn2lebinpad(h, out + HALF, HALF) == HALF;
    BN_clear(key);
    BN_clear(r);
    explicit_bzero(secret, sizeof secret);
    return ok;
}

rv_status rv_my_ed25519_sign(const char *password, const uint8_t *nonce, size_t nonce_len,
                             uint8_t out[RV_MY_ED25519_BYTES], rv_error *err)
{
    uint8_t signature[FULL];
    curve c = {.ctx = BN_CTX_secure_new()};
    bool ok = false;
    if (c.ctx) {
        BN_CTX_start(c.ctx);
        ok = sign(&c, (rv_bytes){(const uint8_t *)password, strlen(password)},
                  (rv_bytes){nonce, nonce_len}, signature);
        BN_CTX_end(c.ctx);
        BN_CTX_free(c.ctx);
    }
    if (!ok)
        return rv_fail_memory(err);
    memcpy(out, signature, sizeof signature);
    return RV_OK;
}
