/* engine/events.h: what a child process tells its parent: NDJSON lines over an inherited
 * descriptor. Both ends live here: the hooks that write them, the reader that trusts none of it.
 * Source: spec "cli" section 2 (Progress display). */
#ifndef RV_ENGINE_EVENTS_H
#define RV_ENGINE_EVENTS_H

#include "engine/engine.h"

#define RV_ENV_IPC_FD "RIVET_IPC_FD"
#define RV_ENV_PARAMS "RIVET_PARAMS"
#define RV_ENV_AGGREGATE "RIVET_AGGREGATE_ID"
/* Longer lines are no event of ours. */
#define RV_EVENT_LINE_MAX ((size_t)1 << 20)

/* The writing end. Hooks with this as their context; a parent that is gone is no failure. */
typedef struct rv_event_writer {
    const rv_env *env; /* secrets */
    const rv_cfg *cfg;
    int fd;
} rv_event_writer;
rv_run_hooks rv_event_hooks(rv_event_writer *w);

typedef enum rv_event_kind {
    RV_EVENT_NONE, /* not ours, of another export, or of a later version */
    RV_EVENT_STARTED,
    RV_EVENT_PLANNED,
    RV_EVENT_PROGRESS,
    RV_EVENT_FINISHED
} rv_event_kind;

typedef struct rv_event {
    rv_event_kind kind;
    int64_t total_chunks, chunks_done, rows;
    rv_export_report report; /* STARTED: run id, tuning; FINISHED: everything but the exit code */
} rv_event;

/* One line without its line feed. What is malformed is RV_EVENT_NONE; only memory fails. Texts of
 * the report lie in the arena. */
rv_status rv_event_parse(rv_str line, const rv_cfg_export *x, rv_arena *arena, rv_event *out,
                         rv_error *err) RV_MUST_USE;

/* The report with its texts in another arena. */
rv_status rv_export_report_copy(const rv_export_report *r, rv_arena *arena, rv_export_report *out,
                                rv_error *err) RV_MUST_USE;

#endif
