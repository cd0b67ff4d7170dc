/* What writing and reading a plan artifact share. */
#ifndef RV_ENGINE_PLAN_ARTIFACT_INTERNAL_H
#define RV_ENGINE_PLAN_ARTIFACT_INTERNAL_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "engine/plan_artifact.h"

#define RV_PLAN_LIFE_US (INT64_C(24) * 3600 * 1000000)

/* "xxh3:<16 hex>" over the two values with sorted keys and no blanks, one after the other. */
rv_status rv_plan_integrity(const json_t *resolved, const json_t *computed, char out[22],
                            rv_error *err) RV_MUST_USE;
/* JSON array of texts. */
rv_status rv_plan_texts(const json_t *array, rv_arena *arena, const char ***out, size_t *out_n,
                        rv_error *err) RV_MUST_USE;

#endif
