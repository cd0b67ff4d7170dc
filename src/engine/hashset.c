#include "engine/hashset.h"

#include <string.h>

#include "base/mem.h"

#define FIRST_CAPACITY 1024u

/* The hashes are good already: their bits choose the slot. */
static size_t home_of(const rv_hashset *s, uint64_t hash)
{
    return (size_t)(hash ^ (hash >> 32)) & (s->capacity - 1);
}

static size_t slot_of(const rv_hashset *s, uint64_t hash)
{
    size_t mask = s->capacity - 1, at = home_of(s, hash);
    while (s->slots[at] != 0 && s->slots[at] != hash)
        at = (at + 1) & mask;
    return at;
}

static rv_status grow(rv_hashset *s, rv_error *err)
{
    rv_hashset more = {.capacity = s->capacity ? s->capacity * 2 : FIRST_CAPACITY};
    if (s->used + 1 <= s->capacity / 4 * 3)
        return RV_OK;
    more.slots = rv_alloc(more.capacity * sizeof *more.slots);
    if (!more.slots)
        return rv_fail_memory(err);
    /* written in order: looking before writing would fault every page twice, in random order */
    memset(more.slots, 0, more.capacity * sizeof *more.slots);
    for (size_t i = 0; i < s->capacity; i++)
        if (s->slots[i] != 0)
            more.slots[slot_of(&more, s->slots[i])] = s->slots[i];
    rv_free(s->slots);
    s->slots = more.slots;
    s->capacity = more.capacity;
    return RV_OK;
}

rv_status rv_hashset_add(rv_hashset *s, uint64_t hash, bool *out_new, rv_error *err)
{
    if (hash == 0) {
        *out_new = !s->has_zero;
        s->has_zero = true;
        return RV_OK;
    }
    RV_TRY(grow(s, err));
    size_t at = slot_of(s, hash);
    *out_new = s->slots[at] == 0;
    s->slots[at] = hash;
    s->used += *out_new;
    return RV_OK;
}

void rv_hashset_expect(const rv_hashset *s, uint64_t hash)
{
    if (s->capacity)
        __builtin_prefetch(&s->slots[home_of(s, hash)], 1);
}

bool rv_hashset_has(const rv_hashset *s, uint64_t hash)
{
    if (hash == 0)
        return s->has_zero;
    return s->capacity && s->slots[slot_of(s, hash)] == hash;
}

uint64_t rv_hashset_size(const rv_hashset *s)
{
    return s->used + (s->has_zero ? 1u : 0u);
}

void rv_hashset_free(rv_hashset *s)
{
    rv_free(s->slots);
    *s = (rv_hashset){0};
}
