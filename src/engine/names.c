#include "engine/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/env.h"
#include "base/hash.h"

rv_status rv_name_run_id(rv_arena *a, const char *export_name, int64_t started_us, const char **out,
                         rv_error *err)
{
    char stamp[32];
    rv_run_stamp_utc(started_us, stamp);
    return rv_arena_printf(a, out, err, "%s_%s", export_name, stamp);
}

rv_status rv_name_stem(rv_arena *a, const char *export_name, int64_t started_us, unsigned try_no,
                       const char **out, rv_error *err)
{
    char stamp[24];
    if (try_no == 0) {
        rv_stamp_utc(started_us, stamp);
        return rv_arena_printf(a, out, err, "%s_%s", export_name, stamp);
    }
    int64_t at_us = started_us + (int64_t)(try_no - 1) * 1000;
    rv_stamp_utc(at_us, stamp);
    unsigned ms = (unsigned)((at_us / 1000) % 1000);
    return rv_arena_printf(a, out, err, "%s_%s_%03u", export_name, stamp, ms);
}

void rv_name_unit_chunk(int64_t index, char out[RV_UNIT_NAME_SIZE])
{
    (void)snprintf(out, RV_UNIT_NAME_SIZE, "chunk%" PRId64, index);
}

void rv_name_unit_keyset(bool parallel, int64_t range, int64_t no, char out[RV_UNIT_NAME_SIZE])
{
    if (parallel)
        (void)snprintf(out, RV_UNIT_NAME_SIZE, "keyset%" PRId64 "-%" PRId64, range, no);
    else
        (void)snprintf(out, RV_UNIT_NAME_SIZE, "keyset%" PRId64, no);
}

rv_status rv_name_part(rv_arena *a, const char *stem, const char *unit, int64_t part,
                       const char *ext, const char **out, rv_error *err)
{
    bool plain = strcmp(unit, "0") == 0;
    char suffix[32] = "";
    if (part >= 0)
        (void)snprintf(suffix, sizeof suffix, "_part%" PRId64, part);
    return rv_arena_printf(a, out, err, "%s%s%s%s%s", stem, plain ? "" : "_", plain ? "" : unit,
                           suffix, ext);
}

int64_t rv_name_chunk_index(const char *unit)
{
    const char *digits = NULL;
    if (strncmp(unit, "chunk", 5) == 0)
        digits = unit + 5;
    else if (strncmp(unit, "keyset", 6) == 0 && !strchr(unit, '-'))
        digits = unit + 6;
    return digits && *digits ? strtoll(digits, NULL, 10) : -1;
}

rv_status rv_name_spool(rv_arena *a, const char *run_id, const char *owner_token, const char **out,
                        rv_error *err)
{
    return rv_arena_printf(a, out, err, "%s-%.8s", run_id, owner_token);
}

rv_status rv_name_owner_token(char out[33], rv_error *err)
{
    uint8_t raw[16];
    RV_TRY(rv_env_random(raw, sizeof raw, err));
    rv_hex(raw, sizeof raw, out);
    return RV_OK;
}
