/* config/mask.h: hides the $, { and } of ${NAME} from the YAML parser, character for character,
 * so that placeholders may stand in flow collections and positions stay true.
 * Source: spec "config" section 1, Interpolation. */
#ifndef RV_CONFIG_MASK_H
#define RV_CONFIG_MASK_H

#include "base/arena.h"
#include "base/buf.h"

/* The code points that stand for $, { and }: private ones that the text does not use. */
typedef struct rv_mask {
    uint32_t code[3];
} rv_mask;

/* Length of `${NAME}` at the start of s, 0 when there is none. */
size_t rv_placeholder_len(rv_str s);
rv_status rv_mask_apply(rv_str text, rv_mask *mask, rv_buf *out, rv_error *err) RV_MUST_USE;
/* NUL-terminated copy with the placeholders restored. */
rv_status rv_mask_restore(const rv_mask *mask, rv_str text, rv_arena *arena, rv_str *out,
                          rv_error *err) RV_MUST_USE;

#endif
