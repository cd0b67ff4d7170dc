/* base/arena.h: memory with one lifetime. Nothing in an arena is freed singly.
 * Zero-initialise (RV_ARENA_INIT); one thread at a time. Every pointer is aligned to 16. */
#ifndef RV_BASE_ARENA_H
#define RV_BASE_ARENA_H

#include "base/error.h"
#include "base/str.h"

typedef struct rv_arena {
    struct rv_arena_block *head;
    size_t used; /* bytes handed out */
} rv_arena;

#define RV_ARENA_INIT ((rv_arena){NULL, 0})

/* Zeroed memory; *out untouched on failure. */
rv_status rv_arena_alloc(rv_arena *a, size_t size, void *out_ptr, rv_error *err) RV_MUST_USE;
/* count * size zeroed bytes, checked. */
rv_status rv_arena_array(rv_arena *a, size_t count, size_t size, void *out_ptr,
                         rv_error *err) RV_MUST_USE;
/* Copies; the copy is NUL-terminated beyond len. */
rv_status rv_arena_str(rv_arena *a, rv_str s, rv_str *out, rv_error *err) RV_MUST_USE;
rv_status rv_arena_cstr(rv_arena *a, rv_str s, const char **out, rv_error *err) RV_MUST_USE;
rv_status rv_arena_printf(rv_arena *a, const char **out, rv_error *err, const char *fmt,
                          ...) RV_MUST_USE RV_PRINTF(4, 5);
void rv_arena_free(rv_arena *a);

#endif
