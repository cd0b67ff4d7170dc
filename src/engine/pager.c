#include "engine/pager.h"

#define PAGE_MIN 50u
#define PAGE_MAX 200000u
#define FIRST_PAGE 500u
#define CAP_FLOOR (256u * 1024u)
#define MIB (1024u * 1024u)
#define GOOD_PAGES_TO_GROW 20u

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t clamp_u64(uint64_t v, uint64_t lo, uint64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static uint64_t profile_cap_bytes(rv_profile profile)
{
    switch (profile) {
    case RV_FAST:
        return 8u * MIB;
    case RV_SAFE:
        return 2u * MIB;
    case RV_BALANCED:
        break;
    }
    return 4u * MIB;
}

static uint64_t ceiling_for(const rv_pager *p, double row_bytes)
{
    double rows = (double)p->target_bytes / (row_bytes < 1.0 ? 1.0 : row_bytes);
    return clamp_u64(rows > 1e9 ? 1000000000u : (uint64_t)rows, p->clamp_min, p->clamp_max);
}

void rv_pager_init(rv_pager *p, const rv_cfg_tuning *tuning, uint64_t row_estimate_bytes,
                   unsigned workers)
{
    *p = (rv_pager){.rows = FIRST_PAGE,
                    .target_us = (int64_t)tuning->target_query_ms * 1000,
                    .throttle_us = tuning->throttle_ms * 1000,
                    .clamp_min = 1000,
                    .clamp_max = tuning->batch_memory_written ? 500000 : 150000,
                    .row_bytes = (double)row_estimate_bytes};
    p->cap_bytes = profile_cap_bytes(tuning->profile) / (workers > 2 ? workers / 2 : 1);
    if (p->cap_bytes < CAP_FLOOR)
        p->cap_bytes = CAP_FLOOR;
    if (tuning->batch_size_written || tuning->batch_memory_mb == 0) {
        p->ceiling = tuning->batch_size ? tuning->batch_size : 1;
        p->ceiling_fixed = true;
    } else {
        p->target_bytes = tuning->batch_memory_mb * MIB;
        p->ceiling = ceiling_for(p, (double)row_estimate_bytes);
    }
}

uint64_t rv_pager_ask(const rv_pager *p, uint64_t rest)
{
    uint64_t n = min_u64(p->rows, p->ceiling);
    if (p->shrunk)
        n = min_u64(n, p->shrunk);
    if (rest)
        n = min_u64(n, rest);
    return n ? n : 1;
}

int64_t rv_pager_cut_us(const rv_pager *p)
{
    return 2 * p->target_us;
}

uint64_t rv_pager_cut_bytes(const rv_pager *p)
{
    return p->cap_bytes + p->cap_bytes / 2;
}

static void grow_back(rv_pager *p)
{
    if (p->shrunk && ++p->good_pages >= GOOD_PAGES_TO_GROW) {
        p->good_pages = 0;
        p->shrunk *= 2;
        if (p->shrunk >= p->ceiling)
            p->shrunk = 0;
    }
}

bool rv_pager_done(rv_pager *p, uint64_t rows, uint64_t bytes, int64_t elapsed_us)
{
    if (rows == 0)
        return false;
    grow_back(p);
    double s = (double)(elapsed_us > 0 ? elapsed_us : 1) / (double)rows;
    double w = (double)bytes / (double)rows;
    p->cost_us = s > p->cost_us ? s : 0.7 * p->cost_us + 0.3 * s;
    bool first = !p->ceiling_measured;
    p->row_bytes = first || w > p->row_bytes ? w : 0.8 * p->row_bytes + 0.2 * w;
    double x = 2.0 * (double)p->rows;
    double by_bytes = (double)p->cap_bytes / (p->row_bytes < 1.0 ? 1.0 : p->row_bytes);
    x = by_bytes < x ? by_bytes : x;
    if (p->target_us) {
        double by_time = 0.8 * (double)p->target_us / p->cost_us;
        x = by_time < x ? by_time : x;
        if (elapsed_us > 2 * p->target_us && (double)p->rows / 2 < x)
            x = (double)p->rows / 2;
    }
    p->rows = clamp_u64((uint64_t)x, PAGE_MIN, PAGE_MAX);
    p->ceiling_measured = true;
    if (!first || p->ceiling_fixed)
        return false;
    p->ceiling = ceiling_for(p, w);
    return true;
}

void rv_pager_failed(rv_pager *p, rv_retry class_)
{
    uint64_t now = rv_pager_ask(p, 0);
    if (class_ == RV_RETRY_T)
        p->shrunk = now / 2;
    else if (class_ == RV_RETRY_M)
        p->shrunk = now / 4;
    else
        return;
    if (p->shrunk == 0)
        p->shrunk = 1;
    p->good_pages = 0;
}

void rv_pager_halve_cap(rv_pager *p)
{
    p->cap_bytes = p->cap_bytes / 2 < CAP_FLOOR ? CAP_FLOOR : p->cap_bytes / 2;
    double by_bytes = (double)p->cap_bytes / (p->row_bytes < 1.0 ? 1.0 : p->row_bytes);
    p->rows = min_u64(p->rows, clamp_u64((uint64_t)by_bytes, PAGE_MIN, PAGE_MAX));
}

uint64_t rv_pager_pause_us(const rv_pager *p, uint64_t rows)
{
    return p->throttle_us * rows / p->ceiling;
}
