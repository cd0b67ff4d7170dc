/* base/secret_internal.h: what a text gives away by its shape: URL userinfo and the values of
 * password-like parameters. Every scan is linear in the text. */
#ifndef RV_BASE_SECRET_INTERNAL_H
#define RV_BASE_SECRET_INTERNAL_H

#include "base/str.h"

typedef struct rv_span {
    size_t start;
    size_t end;
} rv_span;

typedef struct rv_pattern_scan {
    rv_str text;
    size_t pos;
    size_t word_end; /* end of the word that was last measured, and its last '@' */
    size_t word_at;
} rv_pattern_scan;

/* The next span to mask, in rising order; false at the end. Zero-initialise but for text. */
bool rv_pattern_next(rv_pattern_scan *scan, rv_span *out);

#endif
