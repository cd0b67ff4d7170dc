#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/fault.h"

/* No single piece is ever this large; a length that asks for it is a lie. */
#define ALLOC_MAX ((size_t)1 << 39)

static bool must_fail(size_t size)
{
#ifdef RV_FAULTS
    if (rv_fault_alloc())
        return true;
#endif
    return size > ALLOC_MAX;
}

void *rv_alloc(size_t size)
{
    return must_fail(size) ? NULL : malloc(size ? size : 1);
}

void *rv_calloc(size_t count, size_t size)
{
    size_t total;
    if (!rv_mul_size(count, size, &total) || must_fail(total))
        return NULL;
    return total ? calloc(count, size) : calloc(1, 1);
}

void *rv_realloc(void *ptr, size_t size)
{
    return must_fail(size) ? NULL : realloc(ptr, size ? size : 1);
}

void *rv_realloc_array(void *ptr, size_t count, size_t size)
{
    size_t total;
    return rv_mul_size(count, size, &total) ? rv_realloc(ptr, total) : NULL;
}

void rv_free(void *ptr)
{
    free(ptr);
}

char *rv_strdup(const char *s)
{
    if (!s)
        return NULL;
    size_t size = strlen(s) + 1;
    char *copy = rv_alloc(size);
    return copy ? memcpy(copy, s, size) : NULL;
}
