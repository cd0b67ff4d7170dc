/* base/mem.h: the one door to the heap; test builds can fail its nth call.
 * rv_alloc(0) returns a unique pointer. rv_free(NULL) does nothing. Thread-safe. */
#ifndef RV_BASE_MEM_H
#define RV_BASE_MEM_H

#include <stddef.h>

#include "base/error.h"

void *rv_alloc(size_t size) RV_MUST_USE;
void *rv_calloc(size_t count, size_t size) RV_MUST_USE; /* zeroed; overflow gives NULL */
void *rv_realloc(void *ptr, size_t size) RV_MUST_USE;   /* ptr stays valid on NULL */
void *rv_realloc_array(void *ptr, size_t count, size_t size) RV_MUST_USE; /* overflow gives NULL */
void rv_free(void *ptr);
char *rv_strdup(const char *s) RV_MUST_USE; /* NULL in, NULL out */

#endif
