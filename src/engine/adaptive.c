#include "engine/adaptive.h"

#define BATCHES_PER_READING 10u

bool rv_adaptive_due(rv_adaptive *a)
{
    if (!a->on || ++a->batches < BATCHES_PER_READING)
        return false;
    a->batches = 0;
    return true;
}

bool rv_adaptive_reading(rv_adaptive *a, bool readable, int64_t value, rv_pager *pager)
{
    uint64_t before = pager->ceiling;
    if (!readable)
        return false;
    if (a->have)
        rv_pager_adapt(pager, value > a->last);
    a->have = true;
    a->last = value;
    return pager->ceiling != before;
}
