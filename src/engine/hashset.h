/* engine/hashset.h: a set of 64-bit hashes that grows by doubling up to a bound, 8 bytes a slot at
 * three quarters full. What uniqueness checks remember of a column: no values, only hashes.
 * One thread at a time. */
#ifndef RV_ENGINE_HASHSET_H
#define RV_ENGINE_HASHSET_H

#include <stddef.h>

#include "base/error.h"

typedef struct rv_hashset {
    uint64_t *slots; /* 0 = empty; rv_hashset_free */
    size_t capacity; /* a power of two, or 0 */
    size_t used;     /* slots taken */
    bool has_zero;   /* the hash 0 itself */
} rv_hashset;

/* *out_new: it was not in the set. RV_E_MEMORY: the set is as it was. */
rv_status rv_hashset_add(rv_hashset *s, uint64_t hash, bool *out_new, rv_error *err) RV_MUST_USE;
/* Fetches the memory that adding this hash will look at: ask for some dozens, then add them. */
void rv_hashset_expect(const rv_hashset *s, uint64_t hash);
bool rv_hashset_has(const rv_hashset *s, uint64_t hash);
uint64_t rv_hashset_size(const rv_hashset *s);
void rv_hashset_free(rv_hashset *s); /* empty and usable again */

#endif
