/* One-dimensional arrays. */
#include <stdio.h>

#include "source/postgres/decode_internal.h"

#define DIMENSIONS_MAX 6 /* the server's own limit */

/* "an array of 2 dimensions [2][3]" */
static rv_status too_deep(const rv_pgs_column *c, const char *data, int32_t n, int32_t dimensions,
                          rv_error *err)
{
    char what[160];
    if (dimensions > DIMENSIONS_MAX || n < 12 + 8 * dimensions)
        return rv_pgs_malformed(c, n, err);
    int len = snprintf(what, sizeof what, "an array of %d dimensions ", dimensions);
    for (int32_t i = 0; i < dimensions; i++)
        len += snprintf(what + len, sizeof what - (size_t)len, "[%d]",
                        (int)rv_be32(data + 12 + 8 * i));
    return rv_pgs_misfit(c, what, "a list", err);
}

static rv_status append_elements(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                                 rv_builder *b, rv_error *err)
{
    rv_pgs_decode_fn decode = rv_pgs_decoder_fn(c->element_decoder);
    const char *at = data + 20;
    const char *end = data + n;
    int32_t count = (int32_t)rv_be32(data + 12);
    for (int32_t i = 0; i < count; i++) {
        if (end - at < 4)
            return rv_pgs_malformed(c, n, err);
        int32_t len = (int32_t)rv_be32(at);
        at += 4;
        if (len > end - at)
            return rv_pgs_malformed(c, n, err);
        if (len < 0) {
            RV_TRY(rv_builder_null(b, col, err));
            continue;
        }
        RV_TRY(decode(c, col, at, len, b, err));
        at += len;
    }
    return at == end && count >= 0 ? RV_OK : rv_pgs_malformed(c, n, err);
}

rv_status rv_pgs_decode_list(const rv_pgs_column *c, uint32_t col, const char *data, int32_t n,
                             rv_builder *b, rv_error *err)
{
    if (n < 12)
        return rv_pgs_malformed(c, n, err);
    int32_t dimensions = (int32_t)rv_be32(data);
    uint32_t element = rv_be32(data + 8);
    if (dimensions > 1)
        return too_deep(c, data, n, dimensions, err);
    /* another oid is that of a domain over the element, or of an extension */
    bool other = element != c->element && rv_pgs_known_oid(element) && rv_pgs_known_oid(c->element);
    if (dimensions < 0 || other || (dimensions == 0 && n != 12) || (dimensions == 1 && n < 20))
        return rv_pgs_malformed(c, n, err);
    RV_TRY(rv_builder_list_begin(b, col, err));
    if (dimensions == 1)
        RV_TRY(append_elements(c, col, data, n, b, err));
    return rv_builder_list_end(b, col, err);
}
