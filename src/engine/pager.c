#include "engine/pager.h"

#include <string.h>

#define PAGE_MIN 50u
#define PAGE_MIN_POSTGRES 100u
#define PAGE_MAX 200000u
#define FIRST_PAGE 500u
#define CAP_FLOOR (256u * 1024u)
#define MIB (1024u * 1024u)
#define GOOD_PAGES_TO_GROW 20u
#define ESTIMATE_MIN 1000u /* rows of a ceiling that rests on an estimate */
#define ADAPTIVE_FLOOR 500u
#define STUCK_MAX 3u
#define SERVER_LIMIT_MIN_US 100000

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

static uint64_t ceiling_for(const rv_pager *p, double row_bytes, uint64_t at_least)
{
    double rows = (double)p->target_bytes / (row_bytes < 1.0 ? 1.0 : row_bytes);
    return clamp_u64(rows > 1e9 ? 1000000000u : (uint64_t)rows, at_least, p->clamp_max);
}

void rv_pager_init(rv_pager *p, const rv_pager_opts *opts)
{
    const rv_cfg_tuning *tuning = opts->tuning;
    *p = (rv_pager){.rows = opts->cannot_cut ? FIRST_PAGE / 2 : FIRST_PAGE,
                    .half = opts->cannot_cut,
                    .target_us = (int64_t)tuning->target_query_ms * 1000,
                    .throttle_us = tuning->throttle_ms * 1000,
                    .clamp_max = tuning->batch_memory_written ? 500000 : 150000,
                    .floor_rows = opts->engine == RV_ENGINE_POSTGRES ? PAGE_MIN_POSTGRES : PAGE_MIN,
                    .row_bytes = (double)opts->row_estimate_bytes};
    unsigned share = opts->workers > 2 ? opts->workers / 2 : 1;
    p->cap_bytes = profile_cap_bytes(tuning->profile) / share;
    if (p->cap_bytes < CAP_FLOOR)
        p->cap_bytes = CAP_FLOOR;
    if (tuning->batch_size_written || tuning->batch_memory_mb == 0) {
        p->ceiling = tuning->batch_size ? tuning->batch_size : 1;
        p->ceiling_fixed = true;
    } else {
        p->target_bytes = tuning->batch_memory_mb * MIB;
        p->ceiling = ceiling_for(p, (double)opts->row_estimate_bytes, ESTIMATE_MIN);
    }
    p->base_ceiling = p->ceiling;
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
    int64_t limit_us = 2 * p->target_us;
    if (p->half && limit_us && limit_us < SERVER_LIMIT_MIN_US)
        limit_us = SERVER_LIMIT_MIN_US;
    return limit_us << p->stuck;
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

static double page_bytes_aim(const rv_pager *p)
{
    return (double)p->cap_bytes / (p->half ? 2.0 : 1.0);
}

/* Least rows of a page: the engine's floor, as far as its bytes allow, never below PAGE_MIN. */
static uint64_t least_rows(const rv_pager *p)
{
    double fit = page_bytes_aim(p) / (p->row_bytes < 1.0 ? 1.0 : p->row_bytes);
    return (double)p->floor_rows <= fit ? p->floor_rows : min_u64(p->floor_rows, PAGE_MIN);
}

static void choose_rows(rv_pager *p, int64_t elapsed_us)
{
    double x = 2.0 * (double)p->rows;
    double by_bytes = page_bytes_aim(p) / (p->row_bytes < 1.0 ? 1.0 : p->row_bytes);
    x = by_bytes < x ? by_bytes : x;
    if (p->target_us) {
        double by_time = (p->half ? 0.4 : 0.8) * (double)p->target_us / p->cost_us;
        x = by_time < x ? by_time : x;
        if (elapsed_us > 2 * p->target_us && (double)p->rows / 2 < x)
            x = (double)p->rows / 2;
    }
    p->rows = clamp_u64((uint64_t)x, least_rows(p), PAGE_MAX);
}

bool rv_pager_done(rv_pager *p, uint64_t rows, uint64_t bytes, int64_t elapsed_us)
{
    if (rows == 0)
        return false;
    p->stuck = 0;
    grow_back(p);
    double s = (double)(elapsed_us > 0 ? elapsed_us : 1) / (double)rows;
    double w = (double)bytes / (double)rows;
    p->cost_us = s > p->cost_us ? s : 0.7 * p->cost_us + 0.3 * s;
    bool first = !p->ceiling_measured;
    p->row_bytes = first || w > p->row_bytes ? w : 0.8 * p->row_bytes + 0.2 * w;
    choose_rows(p, elapsed_us);
    p->ceiling_measured = true;
    if (!first || p->ceiling_fixed)
        return false;
    p->ceiling = ceiling_for(p, w, 1);
    p->base_ceiling = p->ceiling;
    return true;
}

void rv_pager_failed(rv_pager *p, const rv_error *cause)
{
    uint64_t now = rv_pager_ask(p, 0);
    /* a read-only statement meets 40001 only where recovery on a standby cancels it */
    bool recovery = cause->retry == RV_RETRY_D && strcmp(cause->native, "40001") == 0;
    if (cause->retry == RV_RETRY_T || recovery)
        p->shrunk = now / 2;
    else if (cause->retry == RV_RETRY_M)
        p->shrunk = now / 4;
    else
        return;
    if (p->shrunk == 0)
        p->shrunk = 1;
    p->good_pages = 0;
}

bool rv_pager_paced(rv_pager *p)
{
    uint64_t now = rv_pager_ask(p, 0), least = least_rows(p);
    if (now > least) {
        p->rows = now / 4 > least ? now / 4 : least;
        return true;
    }
    return ++p->stuck <= STUCK_MAX;
}

void rv_pager_adapt(rv_pager *p, bool pressure)
{
    uint64_t floor = min_u64(ADAPTIVE_FLOOR, p->base_ceiling);
    uint64_t next = pressure ? p->ceiling - p->ceiling / 4 : p->ceiling + p->ceiling / 4;
    p->ceiling = clamp_u64(next, floor, p->base_ceiling);
}

void rv_pager_halve_cap(rv_pager *p)
{
    p->cap_bytes = p->cap_bytes / 2 < CAP_FLOOR ? CAP_FLOOR : p->cap_bytes / 2;
    double by_bytes = page_bytes_aim(p) / (p->row_bytes < 1.0 ? 1.0 : p->row_bytes);
    p->rows = min_u64(p->rows, clamp_u64((uint64_t)by_bytes, PAGE_MIN, PAGE_MAX));
}

uint64_t rv_pager_pause_us(const rv_pager *p, uint64_t rows)
{
    return p->throttle_us * rows / p->ceiling;
}
