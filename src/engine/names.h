/* engine/names.h: every name a run gives out. Pure functions of what was fixed at start.
 * Source: spec "lifecycle" section 1. */
#ifndef RV_ENGINE_NAMES_H
#define RV_ENGINE_NAMES_H

#include "base/arena.h"

#define RV_UNIT_NAME_SIZE 64
#define RV_NAME_MAX 420 /* export name + stamps + suffixes */

/* "{export}_{YYYYMMDD}T{HHMMSS}.{mmm}" */
rv_status rv_name_run_id(rv_arena *a, const char *export_name, int64_t started_us, const char **out,
                         rv_error *err) RV_MUST_USE;
/* try 0: "{export}_{stamp}"; try n: "{export}_{stamp}_{mmm}" of n-1 ms after the start. */
rv_status rv_name_stem(rv_arena *a, const char *export_name, int64_t started_us, unsigned try_no,
                       const char **out, rv_error *err) RV_MUST_USE;

/* What a unit is called in state and in file names: "0", "chunk7", "keyset12", "keyset2-5". */
void rv_name_unit_chunk(int64_t index, char out[RV_UNIT_NAME_SIZE]);
void rv_name_unit_keyset(bool parallel, int64_t range, int64_t no, char out[RV_UNIT_NAME_SIZE]);
/* "{stem}[_{unit}][_part{M}]{ext}"; unit "0" adds nothing; part -1: the only one. */
rv_status rv_name_part(rv_arena *a, const char *stem, const char *unit, int64_t part,
                       const char *ext, const char **out, rv_error *err) RV_MUST_USE;
/* Chunk index of a unit name ("chunk7" 7, "keyset12" 12), -1 when it has none. */
int64_t rv_name_chunk_index(const char *unit);
/* What the spool files of one runner are called after: runs of two state databases may share the
 * very millisecond and so the run id. */
rv_status rv_name_spool(rv_arena *a, const char *run_id, const char *owner_token, const char **out,
                        rv_error *err) RV_MUST_USE;
rv_status rv_name_owner_token(char out[33], rv_error *err) RV_MUST_USE;

#endif
