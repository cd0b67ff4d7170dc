/* config/mask.h: hides characters from the YAML parser, one for one, so that positions stay true:
 * the $, { and } of ${NAME}, which may then stand in flow collections, and U+0085, U+2028, U+2029,
 * which libyaml (YAML 1.1) would take for line breaks and YAML 1.2 does not.
 * Source: spec "config" section 1, Interpolation; YAML 1.2.2 section 5.4. */
#ifndef RV_CONFIG_MASK_H
#define RV_CONFIG_MASK_H

#include "base/arena.h"
#include "base/buf.h"

#define RV_MASK_CODES 6
/* The code points that stand for them: private ones that the text does not use. */
typedef struct rv_mask {
    uint32_t code[RV_MASK_CODES];
} rv_mask;

/* Length of `${NAME}` at the start of s, 0 when there is none. */
size_t rv_placeholder_len(rv_str s);
rv_status rv_mask_apply(rv_str text, rv_mask *mask, rv_buf *out, rv_error *err) RV_MUST_USE;
/* NUL-terminated copy with the characters restored. */
rv_status rv_mask_restore(const rv_mask *mask, rv_str text, rv_arena *arena, rv_str *out,
                          rv_error *err) RV_MUST_USE;

#endif
