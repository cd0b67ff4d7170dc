#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/process.h"
#include "engine/drift.h"
#include "engine/harm.h"
#include "engine/manifest.h"
#include "engine/publish.h"
#include "engine/quality.h"
#include "engine/report.h"
#include "engine/run.h"

#define RV_TARGET "engine"

static rv_status add_unit(rv_job *job, const rv_unit_row *unit, rv_sums *total, rv_error *err)
{
    rv_sums one = {0};
    RV_TRY(rv_sums_from_json(unit->accumulators, job->schema.n_columns, &one, NULL, NULL, err));
    rv_sums_add(total, &one);
    rv_sums_free(&one);
    return RV_OK;
}

static rv_status add_units(rv_job *job, rv_sums *total, bool committed_only, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_unit_rows units = {0};
    rv_status st = rv_state_units(job->state, job->run_id, &scratch, &units, err);
    for (size_t i = 0; st == RV_OK && i < units.n; i++)
        if (!committed_only || units.rows[i].committed_at)
            st = add_unit(job, &units.rows[i], total, err);
    rv_arena_free(&scratch);
    return st;
}

typedef struct policy {
    const char *key;  /* of the configuration */
    const char *what; /* happened to the values */
} policy;

/* Which policy did it, as far as the column tells. */
static policy policy_of(const rv_job *job, const rv_column *c)
{
    static const policy zero = {"zero_date", "zero dates became NULL"};
    static const policy failed = {"on_override_error",
                                  "values that the override does not take became NULL"};
    static const policy broken = {"on_invalid_utf8",
                                  "values that are no UTF-8 got U+FFFD in place of the bytes"};
    bool date = c->type.kind == RV_DATE ||
                (c->type.kind >= RV_TIMESTAMP && c->type.kind <= RV_TIMESTAMP_TZ_NS);
    if (c->overridden && job->x->override_error_null)
        return failed;
    return date ? zero : broken;
}

/* What the policies of the export changed, with the counts of the whole run. */
static rv_status tell_replaced(rv_job *job, const rv_sums *sums, rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    rv_json j;
    rv_status st = RV_OK;
    bool any = false;
    rv_json_begin(&j, &text, false);
    rv_json_object(&j);
    for (size_t i = 0; i < sums->n_columns; i++) {
        const rv_column *c = &job->schema.columns[i];
        uint64_t n = sums->columns[i].replaced;
        if (n == 0)
            continue;
        any = true;
        policy by = policy_of(job, c);
        rv_json_key(&j, c->name);
        rv_json_u64(&j, n);
        rv_job_warn(job, by.key, "column '%s': %llu %s", c->name, (unsigned long long)n, by.what);
    }
    rv_json_object_end(&j);
    RV_GO(rv_json_end(&j, err));
    if (any && job->report)
        RV_GO(rv_arena_cstr(&job->arena, rv_buf_str(&text), &job->report->replaced, err));
done:
    rv_buf_free(&text);
    return st;
}

static rv_status shapes_of(rv_job *job, const rv_sums *sums, const rv_shape_row **out,
                           size_t *out_n, rv_error *err)
{
    rv_shape_row *rows;
    size_t n = 0;
    RV_TRY(rv_arena_array(&job->arena, job->schema.n_columns + 1, sizeof *rows, &rows, err));
    for (size_t i = 0; i < sums->n_columns; i++)
        if (rv_type_layout(job->schema.columns[i].type) == RV_LAYOUT_VAR)
            rows[n++] =
                (rv_shape_row){job->schema.columns[i].name, (int64_t)sums->columns[i].max_len};
    *out = rows;
    *out_n = n;
    return RV_OK;
}

static const char *progression_word(const rv_job *job)
{
    return job->keyset ? "keyset" : rv_mode_name(job->mode);
}

static rv_status key_columns_json(rv_job *job, const char **out, rv_error *err)
{
    rv_buf buf = RV_BUF_INIT;
    rv_json j;
    rv_json_begin(&j, &buf, false);
    rv_json_array(&j);
    for (size_t i = 0; i < job->rel->key.n_columns; i++)
        rv_json_cstr(&j, job->rel->key.columns[i]);
    rv_json_array_end(&j);
    rv_status st = rv_json_end(&j, err);
    if (st == RV_OK)
        st = rv_arena_cstr(&job->arena, rv_buf_str(&buf), out, err);
    rv_buf_free(&buf);
    return st;
}

static rv_status new_position(rv_job *job, const rv_executed *e, rv_position_row *p,
                              bool *out_store, rv_error *err)
{
    bool have = false;
    *out_store = job->mode == RV_INCREMENTAL || job->x->keyset_incremental;
    if (!*out_store)
        return RV_OK;
    RV_TRY(rv_state_position_get(job->state, job->x->name, &job->arena, p, &have, err));
    if (job->mode == RV_INCREMENTAL && (e->moved || e->position.has_ties)) {
        p->last_cursor_value = e->position.last_cursor_value;
        p->cursor_type = e->position.cursor_type;
        p->cursor_ties = e->position.cursor_ties;
        p->has_ties = e->position.has_ties;
    }
    if (job->x->keyset_incremental && e->moved)
        p->keyset_high = e->position.keyset_high;
    RV_TRY(key_columns_json(job, &p->key_columns, err));
    p->owner = job->owner_json;
    p->last_run_id = job->run_id;
    char now[40];
    return rv_arena_cstr(&job->arena, rv_str_c(rv_job_now(job, now)), &p->last_run_at, err);
}

static rv_status build_success_manifest(rv_job *job, const rv_executed *e, const rv_sums *sums,
                                        const char *cursor_low, const char **out, rv_error *err)
{
    rv_part_rows parts = {0};
    RV_TRY(rv_state_parts(job->state, job->run_id, NULL, &job->arena, &parts, err));
    rv_manifest_facts facts = {
        .status = "success",
        .degraded = job->degraded,
        .cursor_type = e->position.cursor_type,
        .cursor_low = cursor_low,
        .cursor_high = job->mode == RV_INCREMENTAL ? e->position.last_cursor_value : NULL,
        .source_row_count = job->report ? job->report->source_count : -1,
        .parts = &parts,
        .sums = sums,
        .uploaded_counts = e->single};
    return rv_manifest_build(job, &facts, &job->arena, out, err);
}

static rv_status final_transaction(rv_job *job, const rv_executed *e, const char *columns_json,
                                   const char **out_manifest, rv_error *err)
{
    rv_status st;
    rv_sums sums = {0};
    rv_position_row position = {0};
    bool store_position = false, drifted = false;
    const char *low = NULL;
    char fingerprint[22];
    rv_unit_done done = {
        .unit = "0", .kind = RV_UNIT_SINGLE, .rows = (int64_t)e->rows, .file_name = e->first_name};
    rv_run_final f = {.close_checkpoint = job->checkpoint,
                      .progression_chunk = -1,
                      .progression_strategy = progression_word(job),
                      .verified = job->validate};
    RV_GO(rv_sums_init(&sums, job->schema.n_columns, err));
    RV_GO(add_units(job, &sums, false, err));
    RV_GO(tell_replaced(job, &sums, err));
    RV_GO(rv_drift_shapes(job, &sums, &drifted, err));
    job->degraded = job->degraded || drifted;
    RV_GO(new_position(job, e, &position, &store_position, err));
    if (job->report)
        low = job->report->cursor_low;
    if (!job->to_stdout && !e->skipped) {
        RV_GO(build_success_manifest(job, e, &sums, low, &f.manifest_json, err));
        if (e->single)
            f.unit = &done;
    }
    RV_GO(rv_schema_fingerprint(&job->schema, fingerprint, err));
    f.position = store_position && !e->skipped ? &position : NULL;
    f.columns_json = columns_json;
    f.schema_fingerprint = fingerprint;
    f.progression_cursor = job->keyset ? position.keyset_high : position.last_cursor_value;
    if (job->mode == RV_CHUNKED && !job->keyset && job->chunks_total > 0)
        f.progression_chunk = job->chunks_total - 1;
    RV_GO(shapes_of(job, &sums, &f.shapes, &f.n_shapes, err));
    RV_KILL_POINT("before-final");
    RV_GO(rv_state_run_final(job->state, &job->lease, &f, err));
    RV_KILL_POINT("after-final");
    *out_manifest = f.manifest_json;
done:
    rv_sums_free(&sums);
    return st;
}

rv_status rv_run_gates(rv_job *job, rv_error *err)
{
    rv_sums total = {0};
    rv_status st;
    if (!job->quality)
        return RV_OK;
    RV_GO(rv_sums_init(&total, job->schema.n_columns, err));
    RV_GO(add_units(job, &total, false, err));
    RV_GO(rv_quality_judge(job, &total, err));
done:
    rv_sums_free(&total);
    return st;
}

rv_status rv_run_publish(rv_job *job, const char *manifest_json, rv_error *err)
{
    char name[RV_PUBLISH_NAME_SIZE];
    rv_publication p = {.env = job->env,
                        .dd = job->dd,
                        .dest = job->dest,
                        .export_name = job->x->name,
                        .run_id = job->run_id,
                        .owner_token = job->owner_token,
                        .started_at = job->started_at,
                        .epoch = job->lease.epoch,
                        .manifest_json = manifest_json,
                        .guard = rv_job_guard,
                        .guard_ctx = job};
    RV_TRY(rv_publish(&p, name, err));
    RV_TRY(rv_arena_cstr(&job->arena, rv_str_c(name), &job->manifest_name, err));
    rv_journal_add(job->journal, "published", "s", "manifest", name);
    return RV_OK;
}

rv_status rv_run_finish(rv_job *job, const rv_executed *e, const char *columns_json,
                        bool *out_published, rv_error *err)
{
    const char *manifest = NULL;
    *out_published = false;
    if (job->validate && !e->skipped)
        rv_journal_add(job->journal, "validation_result", "b", "passed", 1);
    RV_TRY(final_transaction(job, e, columns_json, &manifest, err));
    if (manifest) {
        *out_published = true; /* from here the next start can finish the work */
        RV_TRY(rv_run_publish(job, manifest, err));
        if (job->validate) /* of the only unit, and of one whose commit was an earlier process's
                              last */
            rv_unit_drop_spool(job, NULL);
    }
    const char *status = e->skipped ? "skipped" : job->degraded ? "degraded" : "success";
    RV_TRY(rv_state_run_close(job->state, &job->lease, status, err));
    job->leased = false;
    RV_KILL_POINT("run-closed");
    return RV_OK;
}

/* ---- failure ---- */

static rv_status write_failed_manifest(rv_job *job, const char *status, rv_error *err)
{
    rv_status st;
    rv_part_rows parts = {0};
    rv_sums sums = {0};
    const char *json;
    char name[RV_PUBLISH_NAME_SIZE];
    bool any = false;
    RV_GO(rv_state_parts(job->state, job->run_id, NULL, &job->arena, &parts, err));
    for (size_t i = 0; i < parts.n; i++)
        any = any || (strcmp(parts.rows[i].status, "pending") != 0 &&
                      strcmp(parts.rows[i].status, "removed") != 0);
    if (!any)
        goto done;
    RV_GO(rv_sums_init(&sums, job->schema.n_columns, err));
    RV_GO(add_units(job, &sums, true, err));
    rv_manifest_facts facts = {
        .status = status, .parts = &parts, .sums = &sums, .source_row_count = -1};
    RV_GO(rv_manifest_build(job, &facts, &job->arena, &json, err));
    rv_publication p = {.env = job->env,
                        .dd = job->dd,
                        .dest = job->dest,
                        .export_name = job->x->name,
                        .run_id = job->run_id,
                        .owner_token = job->owner_token,
                        .started_at = job->started_at,
                        .epoch = job->lease.epoch,
                        .manifest_json = json,
                        .guard = rv_job_guard,
                        .guard_ctx = job};
    RV_GO(rv_publish_own(&p, name, err));
    RV_GO(rv_arena_cstr(&job->arena, rv_str_c(name), &job->manifest_name, err));
done:
    rv_sums_free(&sums);
    return st;
}

/* A failed check of the only unit, and every failed quality gate: the next run reads anew. */
static rv_status leave_nothing_to_resume(rv_job *job, const rv_error *cause, rv_error *err)
{
    int64_t dropped;
    bool gate = cause->code == RV_E_QUALITY;
    if (gate && job->checkpoint) {
        RV_TRY(rv_state_lease_check(job->state, &job->lease, err)); /* it may be another's by now */
        RV_TRY(rv_state_checkpoint_drop(job->state, job->x->name, true, true, &dropped, err));
        job->checkpoint = false;
    }
    if (rv_code(cause->code)->class_ != RV_CLASS_DATA || job->checkpoint)
        return RV_OK;
    return rv_state_unit_unseal(job->state, &job->lease, "0", err);
}

void rv_run_fail(rv_job *job, const rv_error *cause, bool unpublished)
{
    rv_error err = {0};
    if (!job->leased || cause->code == RV_E_STATE_LEASE_LOST)
        return;
    if (unpublished)
        return; /* the row stays unpublished for the next start */
    const char *status = cause->code == RV_E_INTERRUPTED ? "interrupted" : "failed";
    if (job->rel && job->dest && !job->to_stdout &&
        write_failed_manifest(job, status, &err) != RV_OK)
        RV_LOG_WARN(job->env, "export '%s': the %s manifest was not written: %s", job->x->name,
                    status, err.text);
    if (job->rel && leave_nothing_to_resume(job, cause, &err) != RV_OK)
        RV_LOG_WARN(job->env, "export '%s': what failed its check may be resumed: %s", job->x->name,
                    err.text);
    rv_status st = rv_state_run_close(job->state, &job->lease, status, &err);
    job->replaced = st == RV_E_STATE_LEASE_LOST;
    if (st != RV_OK)
        RV_LOG_WARN(job->env, "export '%s': the run's row could not be closed: %s", job->x->name,
                    err.text);
    job->leased = false;
}

/* ---- records ---- */

static const char *error_class(const rv_export_report *r)
{
    return r->error.code == RV_OK ? NULL : rv_class_name(rv_code(r->error.code)->class_);
}

static rv_status put_metric(rv_job *job, const rv_export_report *r, rv_error *err)
{
    const rv_cfg_tuning *t = &job->x->tuning;
    char fingerprint[22] = "";
    if (job->rel)
        RV_TRY(rv_schema_fingerprint(&job->schema, fingerprint, err));
    rv_metric m = {.run_id = job->run_id,
                   .export_name = job->x->name,
                   .run_at = job->started_at,
                   .status = r->status,
                   .error_message = r->error.code ? r->error.text : NULL,
                   .error_class = error_class(r),
                   .tuning_profile = r->tuning_profile,
                   .format = job->x->format,
                   .mode = r->mode,
                   .source_type = rv_engine_name(job->cfg->source.engine),
                   .destination_type = rv_dest_kind_name(job->x->dest.kind),
                   .skip_reason = r->skip_reason,
                   .schema_fingerprint = fingerprint[0] ? fingerprint : NULL,
                   .duration_ms = r->duration_ms,
                   .total_rows = r->rows,
                   .peak_rss_mb = r->peak_rss_mb,
                   .batch_size = t->batch_size ? (int64_t)t->batch_size : -1,
                   .batch_size_memory_mb = t->batch_memory_mb ? (int64_t)t->batch_memory_mb : -1,
                   .chunk_size = job->x->mode == RV_CHUNKED ? (int64_t)job->x->chunk_size : -1,
                   .parallel = (int64_t)job->x->parallel,
                   .files_produced = r->files,
                   .files_committed = r->files,
                   .bytes_written = r->bytes,
                   .bytes_read = r->bytes_read,
                   .retries = r->retries,
                   .source_count = r->source_count,
                   .longest_chunk_ms = r->longest_statement_ms,
                   .pg_temp_bytes_delta = rv_harm_temp_bytes(job),
                   .validated = r->validated,
                   .schema_changed = r->schema_changed,
                   .quality_passed = r->quality_passed,
                   .reconciled = r->reconciled};
    return rv_state_metric_put(job->state, &m, err);
}

static rv_status write_file(rv_job *job, const char *name, const rv_buf *text, rv_error *err)
{
    const char *path;
    rv_buf clean = RV_BUF_INIT;
    RV_TRY(rv_arena_printf(&job->arena, &path, err, "%s/%s", job->run_dir, name));
    rv_status st = rv_secrets_redact(job->env->secrets, rv_buf_str(text), &clean, err);
    if (st == RV_OK)
        st = rv_file_replace(path, rv_buf_bytes(&clean), 0600, err);
    rv_buf_free(&clean);
    return st;
}

static rv_status write_summaries(rv_job *job, const rv_export_report *r, rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    rv_json j;
    rv_status st;
    rv_json_begin(&j, &text, true);
    rv_json_object(&j);
    rv_export_report_members(r, &j);
    rv_json_kstr(&j, "manifest", job->manifest_name);
    rv_json_object_end(&j);
    RV_GO(rv_json_end(&j, err));
    RV_GO(write_file(job, "summary.json", &text, err));
    rv_buf_clear(&text);
    RV_GO(rv_export_report_markdown(r, &text, err));
    RV_GO(write_file(job, "summary.md", &text, err));
done:
    rv_buf_free(&text);
    return st;
}

static rv_status store_journal(rv_job *job, const rv_export_report *r, rv_error *err)
{
    rv_buf doc = RV_BUF_INIT;
    char now[40];
    rv_journal_add(job->journal, "run_completed", "ssi", "status", r->status, "error_message",
                   r->error.code ? r->error.text : NULL, "duration_ms", r->duration_ms);
    rv_status st = rv_journal_document(job->journal, &doc, err);
    const char *text = st == RV_OK ? rv_buf_cstr(&doc) : NULL;
    if (text)
        st = rv_state_journal_put(job->state, job->x->name, job->run_id, rv_job_now(job, now), text,
                                  err);
    rv_buf_free(&doc);
    return st;
}

static void warn_if(rv_job *job, rv_status st, const char *what, const rv_error *err)
{
    if (st != RV_OK)
        RV_LOG_WARN(job->env, "export '%s': %s was not stored: %s", job->x->name, what, err->text);
}

void rv_run_record(rv_job *job, const rv_export_report *r)
{
    rv_error err = {0};
    if (job->replaced)
        return;
    warn_if(job, put_metric(job, r, &err), "the metric", &err);
    if (job->journal) {
        warn_if(job, store_journal(job, r, &err), "the journal", &err);
        warn_if(job, write_summaries(job, r, &err), "the summary", &err);
    }
}
