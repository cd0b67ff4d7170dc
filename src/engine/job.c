#include "engine/job.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/names.h"
#include "engine/owner.h"
#include "engine/plan.h"
#include "engine/reading.h"
#include "engine/upload.h"

#define RV_TARGET "engine"
#define MIB (1024u * 1024u)

RV_PRINTF(5, 0)
static void warn_and_note(rv_job *job, const char *event, const char *key, const char *value,
                          const char *fmt, va_list ap)
{
    char text[800];
    (void)vsnprintf(text, sizeof text, fmt, ap);
    RV_LOG_WARN(job->env, "export '%s': %s", job->x->name, text);
    rv_journal_add(job->journal, event, "ss", key, value, "message", text);
}

void rv_job_warn(rv_job *job, const char *context, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    warn_and_note(job, "warning", "context", context, fmt, ap);
    va_end(ap);
}

void rv_job_plan_warn(rv_job *job, const char *rule, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    warn_and_note(job, "plan_warning", "rule", rule, fmt, ap);
    va_end(ap);
}

void rv_job_warn_hidden(rv_job *job, const rv_error *why)
{
    const char *innermost = strrchr(why->text, '\n'); /* it names the file */
    rv_job_warn(job, "spool", "a hidden file stays behind: %s",
                innermost ? innermost + 1 : why->text);
}

rv_status rv_job_drop_spool(rv_job *job, const char *path, rv_error *err)
{
    bool found;
    rv_error why = {0};
    rv_status st = rv_file_remove(path, &found, &why);
    if (st == RV_E_DEST_PERMISSION) {
        rv_job_warn_hidden(job, &why);
        return RV_OK;
    }
    if (st != RV_OK)
        *err = why;
    return st;
}

const char *rv_job_now(rv_job *job, char out[40])
{
    rv_rfc3339_ms(rv_env_now_us(job->env), out);
    return out;
}

rv_status rv_job_guard(void *ctx, rv_error *err)
{
    rv_job *job = ctx;
    if (!rv_heartbeat_fresh(job))
        return rv_fail(err, RV_E_STATE_LEASE_LOST,
                       "export '%s': the lease could not be renewed for 60 s", job->x->name);
    return rv_state_lease_check(job->state, &job->lease, err);
}

/* ---- destination and format ---- */

static rv_status open_dest(rv_job *job, rv_error *err)
{
    const rv_cfg_dest *d = &job->x->dest;
    rv_placeholders values = {.date = job->date,
                              .export_name = job->x->name,
                              .table = job->x->name,
                              .run_id = job->run_id};
    const char *pattern = d->kind == RV_DEST_LOCAL ? (d->path ? d->path : d->prefix) : d->prefix;
    RV_TRY(rv_cfg_expand(pattern ? pattern : "", &values, &job->arena, &job->prefix, err));
    const rv_run_stand_ins *stand_ins = job->opts->stand_ins;
    job->dd = stand_ins && stand_ins->dest ? stand_ins->dest : rv_dest_for(d->kind);
    job->to_stdout = d->kind == RV_DEST_STDOUT;
    return job->dd->open(job->env, d, job->prefix, &job->dest, err);
}

static void group_options(const rv_cfg_parquet *p, rv_format_opts *f)
{
    f->group_max_bytes = p->max_row_group_mb * MIB;
    if (!p->written)
        return;
    f->group = p->fixed_rows ? RV_GROUP_ROWS : RV_GROUP_BYTES;
    f->group_rows = p->row_group_rows;
    f->group_target_bytes = p->target_row_group_mb * MIB;
}

static rv_encoding_policy encoding_of(const char *word)
{
    if (word && strcmp(word, "compatible") == 0)
        return RV_ENCODING_COMPATIBLE;
    return word && strcmp(word, "small") == 0 ? RV_ENCODING_SMALL : RV_ENCODING_AUTO;
}

/* Compressed pages a writer keeps before they go to its scratch file: what the plan of 64 MB and 16
 * per further worker leaves of a worker's share beside batches, columns and its part of the rest.
 */
static uint64_t pages_bytes(size_t workers)
{
    uint64_t plan = (64 + 16 * ((uint64_t)workers - 1) - 8) * MIB / workers;
    uint64_t left = plan > 16 * MIB ? plan - 12 * MIB : 4 * MIB;
    return left < 20 * MIB ? left : 20 * MIB;
}

static rv_status choose_format(rv_job *job, rv_error *err)
{
    const rv_cfg_export *x = job->x;
    job->fmt = rv_format_find(rv_str_c(x->format));
    if (!job->fmt)
        return rv_fail(err, RV_E_CONFIG_UNSUPPORTED, "format %s is not part of this build",
                       x->format);
    job->fopts = (rv_format_opts){.level = x->compression_level,
                                  .encoding = encoding_of(x->parquet.encoding),
                                  .max_file_bytes = x->max_file_bytes,
                                  .memory_bytes = pages_bytes(rv_reading_workers(job)),
                                  .scratch_dir = job->env->tmp_dir,
                                  .source_nullable_footer = x->table != NULL};
    if (!rv_codec_from_name(rv_str_c(x->compression), &job->fopts.codec))
        return rv_fail(err, RV_E_INTERNAL, "compression %s has no codec", x->compression);
    group_options(&x->parquet, &job->fopts);
    const char *suffix = "";
    if (strcmp(x->format, "csv") == 0)
        suffix = job->fopts.codec == RV_CODEC_GZIP   ? ".gz"
                 : job->fopts.codec == RV_CODEC_ZSTD ? ".zst"
                                                     : "";
    return rv_arena_printf(&job->arena, &job->extension, err, "%s%s", job->fmt->extension, suffix);
}

/* ---- identity ---- */

/* The driver knows the column, the configuration knows where it stands: FILE:LINE:COL in front. */
static rv_status locate_override(const rv_job *job, rv_error *err)
{
    char name[256];
    for (size_t i = 0; i < job->x->n_columns; i++) {
        const rv_cfg_column *c = &job->x->columns[i];
        (void)snprintf(name, sizeof name, "'%s'", c->column);
        if (!strstr(err->text, name))
            continue;
        rv_diag diag = {.code = err->code, .pos = c->pos};
        rv_error at = *err;
        diag.text = at.text;
        return rv_diag_error(job->cfg->path, &diag, err);
    }
    return err->code;
}

static rv_status set_paths(rv_job *job, rv_error *err)
{
    RV_TRY(rv_name_spool(&job->arena, job->run_id, job->owner_token, &job->spool_name, err));
    return rv_arena_printf(&job->arena, &job->run_dir, err, "%s/.rivet/runs/%s", job->cfg->dir,
                           job->run_id);
}

rv_status rv_job_open(rv_job *job, rv_error *err)
{
    char text[40], token[33];
    rv_date_utc(job->started_us, text);
    RV_TRY(rv_arena_cstr(&job->arena, rv_str_c(text), &job->date, err));
    rv_rfc3339_ms(job->started_us, text);
    RV_TRY(rv_arena_cstr(&job->arena, rv_str_c(text), &job->started_at, err));
    RV_TRY(rv_name_run_id(&job->arena, job->x->name, job->started_us, &job->run_id, err));
    RV_TRY(rv_name_stem(&job->arena, job->x->name, job->started_us, 0, &job->stem, err));
    RV_TRY(rv_name_owner_token(token, err));
    RV_TRY(rv_arena_cstr(&job->arena, rv_str_c(token), &job->owner_token, err));
    job->mode = job->x->mode;
    job->reconcile = job->opts->reconcile;
    job->validate = job->opts->validate || job->reconcile;
    job->checkpoint = job->x->chunk_checkpoint;
    job->keyset = job->x->chunk_by_key != NULL || (job->mode == RV_FULL && job->checkpoint);
    RV_TRY(set_paths(job, err));
    RV_TRY(choose_format(job, err));
    return open_dest(job, err);
}

rv_status rv_job_assume(rv_job *job, const rv_run_row *row, rv_error *err)
{
    int64_t started;
    rv_arena *a = &job->arena;
    if (!rv_rfc3339_parse(rv_str_c(row->started_at), &started))
        return rv_fail(err, RV_E_STATE_DAMAGED, "run %s has no readable start", row->run_id);
    job->started_us = started;
    job->resumed = true;
    if (row->checks && strstr(row->checks, "validate"))
        job->validate = true;
    if (row->checks && strstr(row->checks, "reconcile"))
        job->reconcile = true;
    RV_TRY(rv_arena_cstr(a, rv_str_c(row->run_id), &job->run_id, err));
    RV_TRY(rv_arena_cstr(a, rv_str_c(row->stem), &job->stem, err));
    RV_TRY(rv_arena_cstr(a, rv_str_c(row->owner_token), &job->owner_token, err));
    RV_TRY(rv_arena_cstr(a, rv_str_c(row->started_at), &job->started_at, err));
    if (row->date_token)
        RV_TRY(rv_arena_cstr(a, rv_str_c(row->date_token), &job->date, err));
    RV_TRY(set_paths(job, err));
    job->dd->close(job->dest);
    job->dest = NULL;
    return open_dest(job, err);
}

rv_status rv_job_open_journal(rv_job *job, rv_error *err)
{
    const char *path;
    RV_TRY(
        rv_arena_printf(&job->arena, &path, err, "%s/%s.journal.jsonl", job->run_dir, job->run_id));
    return rv_journal_open(job->env, path, &job->journal, err);
}

/* ---- source ---- */

int64_t rv_retry_wait_us(const rv_error *err, unsigned attempt, uint64_t base_ms)
{
    static const int64_t extra_us[] = {[RV_RETRY_C] = 15000000,
                                       [RV_RETRY_D] = 1000000,
                                       [RV_RETRY_M] = 5000000,
                                       [RV_RETRY_R] = 5000000};
    int64_t wait_us = (int64_t)base_ms * 1000;
    for (unsigned i = 1; i < attempt && wait_us < 60000000; i++)
        wait_us *= 2;
    if (wait_us > 60000000)
        wait_us = 60000000;
    if ((size_t)err->retry < sizeof extra_us / sizeof extra_us[0])
        wait_us += extra_us[err->retry];
    int64_t wished_us = (int64_t)err->retry_after_ms * 1000;
    return wait_us > wished_us ? wait_us : wished_us;
}

bool rv_job_may_pass(const rv_job *job, const rv_error *cause, unsigned attempt)
{
    if (cause->retry == RV_RETRY_P || cause->code == RV_E_INTERRUPTED)
        return false;
    if (atomic_load(&job->stdout_begun))
        return false;
    /* a disk that fails twice stays broken; a network heals */
    return cause->retry != RV_RETRY_N || job->sd->engine != RV_ENGINE_SQLITE || attempt <= 1;
}

rv_status rv_job_back_off(rv_job *job, unsigned attempt, rv_error *err)
{
    int64_t wait_us = rv_retry_wait_us(err, attempt, job->x->tuning.retry_backoff_ms);
    RV_LOG_WARN(job->env, "export '%s': attempt %u failed (%s), next in %lld ms", job->x->name,
                attempt, err->text, (long long)(wait_us / 1000));
    rv_journal_add(job->journal, "retry_attempted", "isi", "attempt", (int64_t)attempt, "reason",
                   err->text, "backoff_ms", wait_us / 1000);
    pthread_mutex_lock(&job->lock);
    job->retries++;
    pthread_mutex_unlock(&job->lock);
    if (!rv_cancel_sleep_us(job->env->cancel, wait_us))
        return rv_cancel_check(job->env->cancel, err);
    rv_error_clear(err); /* what is tried again has not failed */
    return RV_OK;
}

rv_status rv_job_again(rv_job *job, unsigned *io_attempt, rv_error *err)
{
    ++*io_attempt;
    bool allowed =
        *io_attempt <= job->x->tuning.max_retries && rv_job_may_pass(job, err, *io_attempt);
    return allowed ? rv_job_back_off(job, *io_attempt, err) : err->code;
}

static bool same_text(const char *a, const char *b)
{
    return (!a || !b) ? a == b : strcmp(a, b) == 0;
}

/* Workers that a balancer spreads over servers, or a failover in the middle of a run, would mix
 * the rows of two databases. */
static rv_status same_server(rv_job *job, rv_source *s, rv_error *err)
{
    const rv_source_info *info = job->sd->info(s);
    if (!job->server ||
        (same_text(job->server, info->identity) && same_text(job->server_db, info->database)))
        return RV_OK;
    rv_status st =
        rv_fail(err, RV_E_SOURCE_IDENTITY,
                "export '%s': the source answers from another server than at the "
                "start\nit was: %s, database %s\nnow: %s, database %s",
                job->x->name, job->server, job->server_db ? job->server_db : "?",
                info->identity ? info->identity : "?", info->database ? info->database : "?");
    rv_hint(err, "connect to one server, not to a balancer over several; after a failover, run it "
                 "again");
    return st;
}

static rv_status remember_server(rv_job *job, rv_error *err)
{
    const rv_source_info *info = job->sd->info(job->source);
    if (info->database)
        RV_TRY(rv_arena_cstr(&job->arena, rv_str_c(info->database), &job->server_db, err));
    if (info->identity)
        RV_TRY(rv_arena_cstr(&job->arena, rv_str_c(info->identity), &job->server, err));
    return RV_OK;
}

rv_status rv_job_connect(rv_job *job, rv_source **out, rv_error *err)
{
    rv_source_opts opts = {.cfg = &job->cfg->source,
                           .tuning = &job->x->tuning,
                           .export_name = job->x->name,
                           .run_id = job->run_id};
    rv_source *s = NULL;
    RV_TRY(job->sd->open(job->env, &opts, &s, err));
    rv_status st = same_server(job, s, err);
    if (st != RV_OK) {
        job->sd->close(s);
        return st;
    }
    *out = s;
    return RV_OK;
}

rv_status rv_job_open_source(rv_job *job, rv_source **out, rv_error *err)
{
    for (unsigned attempt = 0;;) {
        rv_status st = rv_job_connect(job, out, err);
        if (st == RV_OK)
            return RV_OK;
        RV_TRY(rv_job_again(job, &attempt, err));
    }
}

rv_status rv_job_mend(rv_job *job, unsigned *io_attempt, rv_error *err)
{
    for (;;) {
        rv_source *fresh = NULL;
        bool lost = err->retry == RV_RETRY_N || err->retry == RV_RETRY_C;
        if (lost && job->snapshot_open)
            return err->code;
        RV_TRY(rv_job_again(job, io_attempt, err));
        if (!lost)
            return RV_OK;
        if (rv_job_connect(job, &fresh, err) != RV_OK)
            continue;
        job->sd->close(job->source);
        job->source = fresh;
        return RV_OK;
    }
}

rv_status rv_job_relation(rv_job *job, rv_expr bound, rv_relation **out, rv_error *err)
{
    const rv_cfg_export *x = job->x;
    rv_read_spec spec = {.table = x->table,
                         .query = x->query,
                         .mode = x->mode,
                         .bound = bound,
                         .key_column = x->chunk_by_key,
                         .consistency = x->consistency,
                         .overrides = x->columns,
                         .n_overrides = x->n_columns,
                         .on_invalid_utf8 = x->on_invalid_utf8,
                         .override_error_null = x->override_error_null,
                         .allow_row_security = x->allow_row_security,
                         .zero_date_fail = x->zero_date_fail,
                         .keep_unsupported = job->keep_unsupported};
    for (unsigned attempt = 0;;) {
        rv_status st = job->sd->resolve(job->source, &spec, &job->arena, out, err);
        if (st == RV_OK)
            return RV_OK;
        if (st == RV_E_CONFIG_COLUMN_TYPE)
            return locate_override(job, err);
        RV_TRY(rv_job_mend(job, &attempt, err));
    }
}

/* chunked on a table without a column named: its key decides (config section 6). */
static rv_status auto_chunk(rv_job *job, rv_error *err)
{
    const rv_key *key = &job->rel->key;
    const rv_cfg_export *x = job->x;
    if (key->n_columns != 1)
        return rv_fail(err, RV_E_CONFIG_NEEDS_CHUNKING,
                       "export '%s': chunked needs chunk_column, or table: with a primary or other "
                       "usable key (chunk_by_key)",
                       x->name);
    const char *table = job->rel->base_table ? job->rel->base_table : x->table;
    const char *dot = job->rel->base_schema ? "." : "";
    const char *schema = job->rel->base_schema ? job->rel->base_schema : "";
    if (!job->rel->is_primary || key->kinds[0] != RV_INT64) {
        RV_LOG_INFO(job->env, "auto-resolved chunk_by_key = '%s' from key %s on %s%s%s",
                    key->columns[0], key->name, schema, dot, table);
        job->keyset = true;
        return RV_OK;
    }
    RV_LOG_INFO(job->env, "auto-resolved chunk_column = '%s' from primary key on %s%s%s",
                key->columns[0], schema, dot, table);
    rv_cfg_export *own;
    RV_TRY(rv_arena_alloc(&job->arena, sizeof *own, &own, err));
    *own = *x;
    own->chunk_column = key->columns[0];
    job->x = own;
    return rv_job_relation(job, (rv_expr){own->chunk_column, NULL}, &job->rel, err);
}

static rv_status add_meta_columns(rv_job *job, rv_error *err)
{
    const rv_cfg_export *x = job->x;
    const rv_schema *base = job->rel->schema;
    rv_column *columns;
    size_t n = base->n_columns;
    RV_TRY(rv_arena_array(&job->arena, n + 2, sizeof *columns, &columns, err));
    memcpy(columns, base->columns, n * sizeof *columns);
    if (x->exported_at)
        columns[n++] = (rv_column){.name = RV_META_EXPORTED_AT,
                                   .type = rv_type_of(RV_TIMESTAMP_TZ),
                                   .source_type = "rivet",
                                   .fidelity = RV_EXACT};
    if (x->row_hash)
        columns[n++] = (rv_column){.name = RV_META_ROW_HASH,
                                   .type = rv_type_of(RV_INT64),
                                   .source_type = "rivet",
                                   .fidelity = RV_EXACT};
    job->schema = (rv_schema){columns, n};
    if (!x->row_hash_columns)
        return RV_OK;
    RV_TRY(rv_arena_array(&job->arena, x->n_row_hash_columns, sizeof *job->row_hash_columns,
                          &job->row_hash_columns, err));
    for (size_t i = 0; i < x->n_row_hash_columns; i++) {
        int at = rv_schema_find(base, rv_str_c(x->row_hash_columns[i]));
        if (at < 0)
            return rv_fail(err, RV_E_CONFIG_COLUMN_TYPE,
                           "export '%s': meta_columns.row_hash names '%s', which the result lacks",
                           x->name, x->row_hash_columns[i]);
        job->row_hash_columns[i] = (uint32_t)at;
    }
    return RV_OK;
}

static rv_status fix_consistency(rv_job *job, rv_error *err)
{
    const rv_cfg_export *x = job->x;
    bool pages = job->rel->shape == RV_SHAPE_PAGES && !job->rel->small;
    job->consistency = x->consistency;
    if (x->consistency == RV_CONSISTENCY_UNSET || x->consistency == RV_CONSISTENCY_PAGES)
        job->consistency = pages ? RV_CONSISTENCY_PAGES : RV_CONSISTENCY_STATEMENT;
    if (x->consistency != RV_CONSISTENCY_SNAPSHOT)
        return RV_OK;
    return rv_reading_can_snapshot(job, err);
}

rv_status rv_job_resolve(rv_job *job, rv_error *err)
{
    if (job->rel)
        return RV_OK;
    const rv_run_stand_ins *stand_ins = job->opts->stand_ins;
    job->sd =
        stand_ins && stand_ins->source ? stand_ins->source : rv_source_for(job->cfg->source.engine);
    if (!job->sd)
        return rv_fail(err, RV_E_CONFIG_UNSUPPORTED, "source type %s is not part of this build",
                       rv_engine_name(job->cfg->source.engine));
    if (!job->source)
        RV_TRY(rv_job_open_source(job, &job->source, err));
    RV_TRY(remember_server(job, err));
    RV_TRY(rv_job_relation(job, rv_plan_bound(job), &job->rel, err));
    if (job->mode == RV_CHUNKED && !job->keyset && !job->x->chunk_column)
        RV_TRY(auto_chunk(job, err));
    RV_TRY(rv_plan_check(job, err));
    if (job->keyset && (job->rel->shape != RV_SHAPE_PAGES || job->rel->key.n_columns == 0) &&
        !job->rel->small)
        return rv_fail(err, RV_E_CONFIG_NEEDS_CHUNKING,
                       "export '%s': %s has no usable key to read units by", job->x->name,
                       job->x->table ? job->x->table : "the query");
    RV_TRY(add_meta_columns(job, err));
    RV_TRY(rv_schema_check_names(&job->schema, err));
    RV_TRY(fix_consistency(job, err));
    RV_TRY(rv_plan_hash(job, &job->arena, &job->plan_hash, err));
    return rv_owner_json(job, &job->arena, &job->owner_json, err);
}

void rv_job_close(rv_job *job)
{
    rv_uploads_close(job);
    rv_heartbeat_stop(job);
    rv_reading_end(job);
    if (job->source)
        job->sd->close(job->source);
    if (job->dest)
        job->dd->close(job->dest);
    rv_journal_close(job->journal);
    pthread_mutex_destroy(&job->lock);
    rv_arena_free(&job->arena);
}
