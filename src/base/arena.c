#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/mem.h"

#define ARENA_ALIGN 16
#define BLOCK_FIRST 4096U
#define BLOCK_MAX (1U << 20)

/* Blocks come zeroed and nothing in them is used twice, so no allocation clears memory. */
typedef struct rv_arena_block {
    struct rv_arena_block *next;
    size_t used;
    size_t cap;
    alignas(ARENA_ALIGN) uint8_t data[];
} rv_arena_block;

static rv_status add_block(rv_arena *a, size_t size, rv_error *err)
{
    size_t cap = a->head ? a->head->cap : BLOCK_FIRST / 2;
    cap = cap < BLOCK_MAX / 2 ? cap * 2 : BLOCK_MAX;
    if (cap < size)
        cap = size;
    size_t total;
    if (!rv_add_size(sizeof(rv_arena_block), cap, &total))
        return rv_fail_memory(err);
    rv_arena_block *block = rv_calloc(1, total);
    if (!block)
        return rv_fail_memory(err);
    block->cap = cap;
    block->next = a->head;
    a->head = block;
    return RV_OK;
}

rv_status rv_arena_alloc(rv_arena *a, size_t size, void *out_ptr, rv_error *err)
{
    size_t rounded;
    if (!rv_add_size(size ? size : 1, ARENA_ALIGN - 1, &rounded))
        return rv_fail_memory(err);
    rounded &= ~(size_t)(ARENA_ALIGN - 1);
    if (!a->head || a->head->cap - a->head->used < rounded)
        RV_TRY(add_block(a, rounded, err));
    assert(a->head);
    void *p = a->head->data + a->head->used;
    a->head->used += rounded;
    a->used += rounded;
    memcpy(out_ptr, &p, sizeof p);
    return RV_OK;
}

rv_status rv_arena_array(rv_arena *a, size_t count, size_t size, void *out_ptr, rv_error *err)
{
    size_t total;
    if (!rv_mul_size(count, size, &total))
        return rv_fail_memory(err);
    return rv_arena_alloc(a, total, out_ptr, err);
}

rv_status rv_arena_str(rv_arena *a, rv_str s, rv_str *out, rv_error *err)
{
    char *copy = NULL;
    size_t size;
    if (!rv_add_size(s.len, 1, &size))
        return rv_fail_memory(err);
    RV_TRY(rv_arena_alloc(a, size, &copy, err));
    assert(copy);
    if (s.len)
        memcpy(copy, s.ptr, s.len);
    *out = (rv_str){copy, s.len};
    return RV_OK;
}

rv_status rv_arena_cstr(rv_arena *a, rv_str s, const char **out, rv_error *err)
{
    rv_str copy = {NULL, 0};
    RV_TRY(rv_arena_str(a, s, &copy, err));
    *out = copy.ptr;
    return RV_OK;
}

rv_status rv_arena_printf(rv_arena *a, const char **out, rv_error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return rv_fail(err, RV_E_INTERNAL, "text cannot be formatted");
    char *text = NULL;
    RV_TRY(rv_arena_alloc(a, (size_t)n + 1, &text, err));
    va_start(ap, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    *out = text;
    return RV_OK;
}

void rv_arena_free(rv_arena *a)
{
    if (!a)
        return;
    for (rv_arena_block *block = a->head; block;) {
        rv_arena_block *next = block->next;
        rv_free(block);
        block = next;
    }
    *a = RV_ARENA_INIT;
}
