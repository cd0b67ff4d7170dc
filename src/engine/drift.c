#include "engine/drift.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RV_TARGET "engine"

rv_status rv_drift_columns(rv_job *job, const char **out, rv_error *err)
{
    rv_buf buf = RV_BUF_INIT;
    rv_json j;
    rv_json_begin(&j, &buf, false);
    rv_json_array(&j);
    for (size_t i = 0; i < job->schema.n_columns; i++) {
        char type[RV_TYPE_NAME_SIZE];
        rv_type_arrow(job->schema.columns[i].type, type);
        rv_json_object(&j);
        rv_json_kstr(&j, "name", job->schema.columns[i].name);
        rv_json_kstr(&j, "type", type);
        rv_json_object_end(&j);
    }
    rv_json_array_end(&j);
    rv_status st = rv_json_end(&j, err);
    if (st == RV_OK)
        st = rv_arena_cstr(&job->arena, rv_buf_str(&buf), out, err);
    rv_buf_free(&buf);
    return st;
}

typedef struct rv_drift {
    rv_buf added, removed, changed;
} rv_drift;

static rv_status note(rv_buf *list, rv_error *err, const char *name, const char *detail)
{
    return rv_buf_printf(list, err, "%s%s (%s)", list->len ? ", " : "", name, detail);
}

static const json_t *find_stored(const json_t *stored, const char *name)
{
    for (size_t i = 0; i < json_array_size(stored); i++) {
        const json_t *c = json_array_get(stored, i);
        const char *have = json_string_value(json_object_get(c, "name"));
        if (have && strcmp(have, name) == 0)
            return c;
    }
    return NULL;
}

static rv_status compare(rv_job *job, const json_t *stored, rv_drift *d, rv_error *err)
{
    char type[RV_TYPE_NAME_SIZE], detail[2 * RV_TYPE_NAME_SIZE + 8];
    for (size_t i = 0; i < job->schema.n_columns; i++) {
        const rv_column *c = &job->schema.columns[i];
        const json_t *old = find_stored(stored, c->name);
        rv_type_arrow(c->type, type);
        const char *was = json_string_value(json_object_get(old, "type"));
        if (!old) {
            RV_TRY(note(&d->added, err, c->name, type));
        } else if (was && strcmp(was, type) != 0) {
            (void)snprintf(detail, sizeof detail, "%.63s -> %s", was, type);
            RV_TRY(note(&d->changed, err, c->name, detail));
        }
    }
    for (size_t i = 0; i < json_array_size(stored); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(stored, i), "name"));
        if (name && rv_schema_find(&job->schema, rv_str_c(name)) < 0)
            RV_TRY(rv_buf_printf(&d->removed, err, "%s%s", d->removed.len ? ", " : "", name));
    }
    return RV_OK;
}

static void log_drift(rv_job *job, rv_drift *d, rv_level level)
{
    rv_logf(job->env->log, level, RV_TARGET, "export '%s': schema changed!", job->x->name);
    if (d->added.len)
        rv_logf(job->env->log, level, RV_TARGET, "  added columns: %.*s", (int)d->added.len,
                (char *)d->added.ptr);
    if (d->removed.len)
        rv_logf(job->env->log, level, RV_TARGET, "  removed columns: %.*s", (int)d->removed.len,
                (char *)d->removed.ptr);
    if (d->changed.len)
        rv_logf(job->env->log, level, RV_TARGET, "  type changed: %.*s", (int)d->changed.len,
                (char *)d->changed.ptr);
}

static const char *text_or_null(rv_buf *b)
{
    return b->len ? rv_buf_cstr(b) : NULL;
}

static rv_status judge(rv_job *job, rv_drift *d, bool *out_changed, rv_error *err)
{
    rv_drift_policy policy = job->x->on_schema_drift;
    *out_changed = d->added.len || d->removed.len || d->changed.len;
    if (!*out_changed)
        return RV_OK;
    log_drift(job, d, policy == RV_DRIFT_CONTINUE ? RV_INFO : RV_WARN);
    rv_journal_add(job->journal, "schema_changed", "sss", "added", text_or_null(&d->added),
                   "removed", text_or_null(&d->removed), "type_changed", text_or_null(&d->changed));
    if (policy != RV_DRIFT_FAIL)
        return RV_OK;
    rv_status st =
        rv_fail(err, RV_E_SCHEMA_DRIFT,
                "export '%s': the schema changed and on_schema_drift is fail", job->x->name);
    rv_hint(err, "review the columns; then set on_schema_drift: warn for one run");
    return st;
}

rv_status rv_drift_gate(rv_job *job, bool *out_changed, rv_error *err)
{
    const char *stored_json = NULL;
    *out_changed = false;
    RV_TRY(rv_state_schema_get(job->state, job->x->name, &job->arena, &stored_json, err));
    if (!stored_json)
        return RV_OK;
    json_error_t why;
    json_t *stored = json_loads(stored_json, 0, &why);
    rv_drift d = {RV_BUF_INIT, RV_BUF_INIT, RV_BUF_INIT};
    rv_status st = compare(job, stored, &d, err);
    if (st == RV_OK)
        st = judge(job, &d, out_changed, err);
    json_decref(stored);
    rv_buf_free(&d.added);
    rv_buf_free(&d.removed);
    rv_buf_free(&d.changed);
    return st;
}

rv_status rv_drift_shapes(rv_job *job, const rv_sums *sums, bool *out_drifted, rv_error *err)
{
    rv_shape_row *rows = NULL;
    size_t n = 0;
    double factor = job->x->shape_drift_warn_factor;
    *out_drifted = false;
    RV_TRY(rv_state_shapes(job->state, job->x->name, &job->arena, &rows, &n, err));
    for (size_t i = 0; factor > 0 && i < n; i++) {
        int at = rv_schema_find(&job->schema, rv_str_c(rows[i].column));
        if (at < 0 || (double)sums->columns[at].max_len <= factor * (double)rows[i].max_byte_len)
            continue;
        if (rows[i].max_byte_len == 0)
            continue; /* nothing but NULL and empty values so far: no shape to drift from */
        *out_drifted = true;
        RV_LOG_WARN(job->env, "export '%s': column '%s': longest value %llu bytes, so far %lld",
                    job->x->name, rows[i].column, (unsigned long long)sums->columns[at].max_len,
                    (long long)rows[i].max_byte_len);
    }
    return RV_OK;
}
