/* config/annotate.h: writes `wave:` and `parallel_safe:` into rivet.yaml and changes nothing else:
 * comments, order and spelling stay, and what the file means is compared before and after.
 * Source: spec "cli" section 6. */
#ifndef RV_CONFIG_ANNOTATE_H
#define RV_CONFIG_ANNOTATE_H

#include "base/arena.h"
#include "base/buf.h"

typedef struct rv_annotation {
    size_t index; /* of the export in the file */
    const char *export_name;
    uint64_t wave;
    bool parallel_safe;
} rv_annotation;

/* Appends the annotated text. `rewrite`: also keys that are there. *out_changed false: everything
 * was there. *out_refusal (in the arena): why nothing can be written; then out is as it was. */
rv_status rv_annotate_text(rv_str text, const rv_annotation *items, size_t n, bool rewrite,
                           rv_arena *arena, rv_buf *out, bool *out_changed,
                           const char **out_refusal, rv_error *err) RV_MUST_USE;
/* The same for a file, by temp file and rename; a symbolic link stays one. */
rv_status rv_annotate_file(const char *path, const rv_annotation *items, size_t n, bool rewrite,
                           rv_arena *arena, bool *out_changed, const char **out_refusal,
                           rv_error *err) RV_MUST_USE;

#endif
