/* engine/publish.h: makes a finished run's manifest and marker visible, in order (D5, D12).
 * Repeatable at every point. Source: spec "lifecycle" section 6, "destinations" section 1. */
#ifndef RV_ENGINE_PUBLISH_H
#define RV_ENGINE_PUBLISH_H

#include "destination/destination.h"

typedef struct rv_publication {
    const rv_env *env;
    const rv_dest_driver *dd;
    rv_dest *dest;
    const char *export_name, *run_id, *owner_token, *started_at;
    int64_t epoch;
    const char *manifest_json;
    rv_status (*guard)(void *ctx, rv_error *err);
    void *guard_ctx;
} rv_publication;

/* manifest-{run_id}.json alone (failed and interrupted runs). *out_name: RV_PUBLISH_NAME_SIZE. */
#define RV_PUBLISH_NAME_SIZE 512
rv_status rv_publish_own(const rv_publication *p, char *out_name, rv_error *err) RV_MUST_USE;
/* + manifest.json + _SUCCESS. A shared name that may not be replaced is one WARN. */
rv_status rv_publish(const rv_publication *p, char *out_name, rv_error *err) RV_MUST_USE;

#endif
