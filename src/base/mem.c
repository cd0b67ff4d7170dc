#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/fault.h"

static bool must_fail(void)
{
#ifdef RV_FAULTS
    return rv_fault_alloc();
#else
    return false;
#endif
}

void *rv_alloc(size_t size)
{
    return must_fail() ? NULL : malloc(size ? size : 1);
}

void *rv_calloc(size_t count, size_t size)
{
    if (must_fail())
        return NULL;
    return count && size ? calloc(count, size) : calloc(1, 1);
}

void *rv_realloc(void *ptr, size_t size)
{
    return must_fail() ? NULL : realloc(ptr, size ? size : 1);
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
