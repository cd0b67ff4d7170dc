/* engine/job.h: one export while it runs: what was fixed at start, what it holds open, what it
 * has counted. Owner: rv_export_run's frame. The fields of `identity` never change after the
 * lease is taken, but `stem` (a foreign name moves it on), which `lock` guards together with
 * everything under "shared".
 * Source: spec "lifecycle" sections 1, 2. */
#ifndef RV_ENGINE_JOB_H
#define RV_ENGINE_JOB_H

#include <pthread.h>
#include <stdatomic.h>

#include "destination/destination.h"
#include "engine/engine.h"
#include "engine/journal.h"
#include "format/format.h"

typedef struct rv_heartbeat rv_heartbeat;
struct rv_quality;
typedef struct rv_watch rv_watch;
typedef struct rv_governor rv_governor;
typedef struct rv_uploader rv_uploader;

/* What --reconcile counted. */
typedef struct rv_tally {
    bool done;
    int64_t source, exported;
    bool differs, moved;
    char where[256]; /* the first range that differs */
} rv_tally;

typedef struct rv_job {
    const rv_env *env;
    const rv_cfg *cfg;
    const rv_cfg_export *x;
    const rv_run_opts *opts;
    const char *aggregate_id;
    rv_arena arena; /* the run's lifetime; only under `lock` once workers run */

    /* identity */
    int64_t started_us;
    const char *run_id, *stem, *date, *prefix, *owner_token, *started_at;
    const char *spool_name; /* of run id and owner token */
    const char *run_dir;    /* .rivet/runs/{run_id} beside the config */
    bool resumed;           /* this invocation continues an older run */
    const char *repairs;    /* the run whose dataset this one mends; NULL: an ordinary run */

    /* open resources */
    rv_state *state;
    rv_lease lease;
    bool leased;
    bool replaced; /* another runner has the run by now: its records are not ours to write */
    rv_heartbeat *heartbeat;
    const rv_dest_driver *dd;
    rv_dest *dest;
    const rv_source_driver *sd;
    rv_source *source; /* the coordinator's connection; worker 0 reads with it */
    rv_relation *rel;
    rv_schema schema; /* rel->schema plus meta columns */
    uint32_t *row_hash_columns;
    const rv_format_driver *fmt;
    rv_format_opts fopts;
    const char *extension; /* ".parquet", ".csv.gz" */
    rv_journal *journal;
    bool to_stdout;
    rv_mode mode;               /* as configured */
    bool checkpoint;            /* units are remembered: chunk_checkpoint */
    bool keyset;                /* units are keyset units */
    bool validate;              /* asked for now, or ever of the run that is continued */
    bool reconcile;             /* likewise; implies validate */
    struct rv_quality *quality; /* NULL: no gates are written */
    rv_consistency consistency;
    const char *plan_hash, *owner_json;
    const char *manifest_name; /* what this run wrote last under its own name; NULL: none */
    bool degraded;             /* complete, but something deserves a look */
    bool keep_unsupported;     /* `check` shows what a run would refuse */

    /* while reading: reading.h */
    const char *server;    /* identity of the first connection; every other must have it */
    const char *server_db; /* likewise its database */
    rv_source **spare;     /* further connections of the run's snapshot; NULL once taken */
    size_t n_spare;
    bool snapshot_open;    /* the run's one instant was taken by rv_reading_begin */
    size_t snapshot_size;  /* connections that share it */
    rv_tally counted;      /* within the instant, before anything was uploaded */
    rv_watch *watch;       /* NULL: nobody needs watching */
    rv_governor *governor; /* NULL: parallelism is fixed */
    rv_uploader *uploader; /* NULL until the first part is offered */
    rv_counter *harm;      /* of the source, before the run */
    size_t n_harm;
    bool temp_bytes_known;
    int64_t temp_bytes; /* PostgreSQL temporary files written during the run */

    /* shared, under lock */
    pthread_mutex_t lock;
    unsigned stem_try;
    int64_t rows, files, bytes, bytes_read, retries, longest_us;
    int64_t chunks_done, chunks_total, chunks_retried;
    int64_t first_page_us, last_page_us; /* 0 = none yet */
    int64_t units_committed;             /* by this invocation */
    bool rss_warned, cap_warned, row_warned, held_warned;
    atomic_bool stdout_begun; /* bytes went out: nothing is tried again */
    bool spool_is_memory;     /* it lies on tmpfs; set before reading */
    _Atomic int64_t spooled;  /* bytes of parts that have not arrived */
    rv_export_report *report;
} rv_job;

/* Opens state, destination and format; fixes the identity of a new run. Nothing is written. */
rv_status rv_job_open(rv_job *job, rv_error *err) RV_MUST_USE;
/* Fixes identity anew from the row of the run that is continued. */
rv_status rv_job_assume(rv_job *job, const rv_run_row *row, rv_error *err) RV_MUST_USE;
/* Connects the source (once) and resolves the relation, the schema with meta columns, plan hash
 * and owner facts. */
rv_status rv_job_resolve(rv_job *job, rv_error *err) RV_MUST_USE;
/* One try, and as many as section 10 of the lifecycle page grants. */
rv_status rv_job_connect(rv_job *job, rv_source **out, rv_error *err) RV_MUST_USE;
rv_status rv_job_open_source(rv_job *job, rv_source **out, rv_error *err) RV_MUST_USE;
/* The relation with another bound column than the mode's own (settle.column). */
rv_status rv_job_relation(rv_job *job, rv_expr bound, rv_relation **out, rv_error *err) RV_MUST_USE;

/* Whether the class of this failure, the attempt-th in a row, grants another try at all. */
bool rv_job_may_pass(const rv_job *job, const rv_error *cause, unsigned attempt) RV_MUST_USE;
/* Logs, journals, counts and waits; RV_E_INTERRUPTED when cancelled. */
rv_status rv_job_back_off(rv_job *job, unsigned attempt, rv_error *err) RV_MUST_USE;
/* Both, within max_retries: RV_OK means try again; else the cause is the answer. Counts *io_attempt
 * from 0. */
rv_status rv_job_again(rv_job *job, unsigned *io_attempt, rv_error *err) RV_MUST_USE;
/* The same for what the run asks on its own connection, between readings: one that is lost is
 * opened anew. An open snapshot is lost with it: then the cause is the answer. */
rv_status rv_job_mend(rv_job *job, unsigned *io_attempt, rv_error *err) RV_MUST_USE;
/* Wait before the next try: spec "lifecycle" section 10. */
int64_t rv_retry_wait_us(const rv_error *err, unsigned attempt, uint64_t base_ms);

rv_status rv_job_open_journal(rv_job *job, rv_error *err) RV_MUST_USE;
void rv_job_close(rv_job *job);

/* Lease guard for destination requests (ctx = job). */
rv_status rv_job_guard(void *job, rv_error *err) RV_MUST_USE;
/* Starts and stops the 10 s renewal. */
rv_status rv_heartbeat_start(rv_job *job, rv_error *err) RV_MUST_USE;
void rv_heartbeat_stop(rv_job *job);
/* True while the lease was renewed within the last 60 s. */
bool rv_heartbeat_fresh(const rv_job *job);

/* A WARN of the log that the journal remembers too: `warning` of what went on, `plan_warning` of
 * how it will be read. Any thread. */
void rv_job_warn(rv_job *job, const char *context, const char *fmt, ...) RV_PRINTF(3, 4);
void rv_job_plan_warn(rv_job *job, const char *rule, const char *fmt, ...) RV_PRINTF(3, 4);

/* A hidden file that this user may not remove, as the failed removal tells it. */
void rv_job_warn_hidden(rv_job *job, const rv_error *why);
/* Removes a spool file; one that this user may not remove stays, with a WARN. */
rv_status rv_job_drop_spool(rv_job *job, const char *path, rv_error *err) RV_MUST_USE;

/* Text of now for state columns. */
const char *rv_job_now(rv_job *job, char out[40]);

#endif
