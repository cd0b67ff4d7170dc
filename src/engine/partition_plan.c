#include <stdlib.h>
#include <string.h>

#include "engine/partition.h"

#define RV_TARGET "engine"
#define US_PER_DAY 86400000000LL

typedef struct rv_planning {
    rv_job *job;
    const rv_relation *rel; /* resolved with partition_by as its bound */
    rv_expr column;
    rv_partition_plan *out;
    size_t cap;
} rv_planning;

static bool is_temporal(rv_type t)
{
    return t.kind == RV_DATE || t.kind == RV_TIMESTAMP || t.kind == RV_TIMESTAMP_TZ ||
           t.kind == RV_TIMESTAMP_NS || t.kind == RV_TIMESTAMP_TZ_NS;
}

/* ---- SQL ---- */

static rv_status quoted(const rv_planning *p, const char *ident, rv_buf *out, rv_error *err)
{
    return p->job->sd->quote(ident, out, err);
}

/* Numbers stand as they are; every engine reads a date or an instant from a plain string. */
static rv_status add_literal(rv_buf *out, const rv_datum *d, rv_error *err)
{
    if (d->kind == RV_INT64 || d->kind == RV_FLOAT64)
        return rv_buf_add(out, d->text.ptr, d->text.len, err);
    RV_TRY(rv_buf_add_byte(out, '\'', err));
    for (size_t i = 0; i < d->text.len; i++) {
        if (d->text.ptr[i] == '\'')
            RV_TRY(rv_buf_add_byte(out, '\'', err));
        RV_TRY(rv_buf_add_byte(out, (uint8_t)d->text.ptr[i], err));
    }
    return rv_buf_add_byte(out, '\'', err);
}

static rv_status instant_of(const rv_planning *p, int64_t day, rv_datum *out, rv_error *err)
{
    return p->job->sd->instant(p->job->source, p->rel, day * US_PER_DAY, false, &p->job->arena, out,
                               err);
}

static rv_status write_where(const rv_planning *p, const rv_bucket *b, rv_buf *sql, rv_error *err)
{
    rv_datum lo, hi;
    RV_TRY(quoted(p, p->column.column, sql, err));
    if (b->null)
        return rv_buf_add_c(sql, " IS NULL", err);
    RV_TRY(instant_of(p, b->first_day, &lo, err));
    RV_TRY(instant_of(p, b->next_day, &hi, err));
    RV_TRY(rv_buf_add_c(sql, " >= ", err));
    RV_TRY(add_literal(sql, &lo, err));
    RV_TRY(rv_buf_add_c(sql, " AND ", err));
    RV_TRY(quoted(p, p->column.column, sql, err));
    RV_TRY(rv_buf_add_c(sql, " < ", err));
    return add_literal(sql, &hi, err);
}

static rv_status where_text(const rv_planning *p, const rv_bucket *b, const char **out,
                            rv_error *err)
{
    rv_buf sql = RV_BUF_INIT;
    rv_status st = write_where(p, b, &sql, err);
    if (st == RV_OK)
        st = rv_arena_cstr(&p->job->arena, rv_buf_str(&sql), out, err);
    rv_buf_free(&sql);
    return st;
}

static rv_status write_from(const rv_planning *p, rv_buf *sql, rv_error *err)
{
    const rv_cfg_export *x = p->job->x;
    if (x->query)
        return rv_buf_printf(sql, err, "(%s\n) AS _rivet_rows", x->query);
    if (p->rel->base_schema) {
        RV_TRY(quoted(p, p->rel->base_schema, sql, err));
        RV_TRY(rv_buf_add_byte(sql, '.', err));
    }
    return quoted(p, p->rel->base_table, sql, err);
}

static rv_status from_text(const rv_planning *p, const char **out, rv_error *err)
{
    rv_buf sql = RV_BUF_INIT;
    rv_status st = write_from(p, &sql, err);
    if (st == RV_OK)
        st = rv_arena_cstr(&p->job->arena, rv_buf_str(&sql), out, err);
    rv_buf_free(&sql);
    return st;
}

/* ---- buckets ---- */

static rv_status add_bucket(rv_planning *p, const rv_bucket *b, rv_error *err)
{
    rv_partition_plan *o = p->out;
    rv_arena *a = &p->job->arena;
    if (o->n >= RV_PARTITIONS_MAX)
        return rv_fail(err, RV_E_CONFIG_PARTITION,
                       "export '%s': more than 100,000 partitions; use partition_granularity month "
                       "or year",
                       p->job->x->name);
    if (o->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 64;
        rv_bucket *buckets;
        const char **where;
        RV_TRY(rv_arena_array(a, cap, sizeof *buckets, &buckets, err));
        RV_TRY(rv_arena_array(a, cap, sizeof *where, &where, err));
        if (o->n) {
            memcpy(buckets, o->buckets, o->n * sizeof *buckets);
            memcpy(where, o->where, o->n * sizeof *where);
        }
        o->buckets = buckets;
        o->where = where;
        p->cap = cap;
    }
    RV_TRY(where_text(p, b, &o->where[o->n], err));
    o->buckets[o->n++] = *b;
    return RV_OK;
}

static rv_status no_order(const rv_planning *p, const rv_datum *v, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_VALUE,
                           "export '%s': '%.*s' in partition_by column '%s' does not sort by its "
                           "day: its values are written in several forms",
                           p->job->x->name, RV_STR_ARG(v->text), p->column.column);
    rv_hint(err, "partition by a column whose values have one form");
    return st;
}

/* The bucket of the smallest value at or above the end of the last one. */
static rv_status bucket_of(const rv_planning *p, const rv_datum *min, int64_t from_day,
                           rv_bucket *out, rv_error *err)
{
    int64_t day;
    rv_datum lo;
    RV_TRY(p->job->sd->datum_day(p->rel, min, &day, err));
    rv_bucket_of_day(day, p->job->x->partition_granularity, out);
    RV_TRY(instant_of(p, out->first_day, &lo, err));
    if (out->first_day < from_day || lo.kind != min->kind)
        return no_order(p, min, err);
    return RV_OK;
}

/* Empty stretches between MIN and MAX cost one question each, however long they are. */
static rv_status walk(rv_planning *p, rv_error *err)
{
    rv_job *job = p->job;
    rv_datum min = {0}, max = {0}, ignored = {0};
    rv_bucket b = {.next_day = INT64_MIN};
    RV_TRY(job->sd->bounds(job->source, p->rel, p->column, NULL, 0, &job->arena, &min, &max, err));
    while (!min.null) {
        rv_pred above = {.expr = p->column, .op = RV_GE};
        RV_TRY(rv_cancel_check(job->env->cancel, err));
        RV_TRY(bucket_of(p, &min, b.next_day, &b, err));
        RV_TRY(add_bucket(p, &b, err));
        RV_TRY(instant_of(p, b.next_day, &above.value, err));
        RV_TRY(job->sd->bounds(job->source, p->rel, p->column, &above, 1, &job->arena, &min,
                               &ignored, err));
    }
    return RV_OK;
}

static rv_status add_null_bucket(rv_planning *p, rv_error *err)
{
    rv_job *job = p->job;
    rv_bucket b;
    uint64_t rows = 0;
    const rv_pred is_null = {.expr = p->column, .op = RV_IS_NULL};
    if (p->rel->bound_not_null)
        return RV_OK;
    RV_TRY(job->sd->count(job->source, p->rel, &is_null, 1, &rows, err));
    return rows && rv_bucket_parse(RV_PARTITION_NULL, &b) ? add_bucket(p, &b, err) : RV_OK;
}

static rv_status unsettled(rv_job *job, const char *name, bool *out, rv_error *err)
{
    rv_run_row row;
    rv_run_rows rows = {0};
    rv_checkpoint_row ckpt;
    RV_TRY(rv_state_run_open(job->state, name, &job->arena, &row, out, err));
    if (*out)
        return RV_OK;
    RV_TRY(rv_state_checkpoint_get(job->state, name, &job->arena, &ckpt, out, err));
    if (*out)
        return RV_OK;
    RV_TRY(rv_state_runs_uncleared(job->state, name, &job->arena, &rows, err));
    *out = rows.n > 0;
    return RV_OK;
}

static bool planned(const rv_partition_plan *o, const char *value)
{
    for (size_t i = 0; i < o->n; i++)
        if (strcmp(o->buckets[i].value, value) == 0)
            return true;
    return false;
}

/* A bucket whose rows are gone may still have a dead run to be published or cleared. */
static rv_status add_unsettled(rv_planning *p, rv_error *err)
{
    rv_job *job = p->job;
    rv_bucket *known;
    size_t n = 0;
    RV_TRY(rv_partition_known(job->state, job->cfg, job->x, &job->arena, &known, &n, err));
    for (size_t i = 0; i < n; i++) {
        const char *name;
        bool owed = false;
        if (planned(p->out, known[i].value))
            continue;
        RV_TRY(rv_arena_printf(&job->arena, &name, err, "%s__%s", job->x->name, known[i].value));
        RV_TRY(unsettled(job, name, &owed, err));
        if (owed)
            RV_TRY(add_bucket(p, &known[i], err));
    }
    return RV_OK;
}

/* ---- what fits ---- */

/* Without a table in front the parts of a chunked plan must be chosen here. */
static rv_status choose_chunks(rv_planning *p, rv_error *err)
{
    const rv_cfg_export *x = p->job->x;
    const rv_key *key = &p->rel->key;
    if (x->mode != RV_CHUNKED || x->chunk_column)
        return RV_OK;
    if (key->n_columns != 1 || !p->rel->is_primary || key->kinds[0] != RV_INT64)
        return rv_fail(err, RV_E_CONFIG_PARTITION,
                       "export '%s': partition_by in mode chunked needs chunk_column: %s has no "
                       "primary key of one integer, and chunk_by_key does not go with partition_by",
                       x->name, x->table);
    p->out->chunk_column = key->columns[0];
    return RV_OK;
}

static rv_status check_column(const rv_planning *p, rv_error *err)
{
    const rv_cfg_export *x = p->job->x;
    if (!is_temporal(p->rel->bound_type))
        return rv_fail(err, RV_E_CONFIG_PARTITION,
                       "export '%s': partition_by needs a DATE or timestamp column; '%s' is "
                       "neither",
                       x->name, x->partition_by);
    for (size_t i = 0; i < p->out->n; i++) {
        rv_cfg_export sub;
        RV_TRY(rv_partition_export(x, p->out->buckets[i].value, &p->job->arena, &sub, err));
        if (rv_cfg_find_export(p->job->cfg, sub.name, NULL))
            return rv_fail(err, RV_E_CONFIG_PARTITION,
                           "export '%s': its partition would be named '%s' like another export",
                           x->name, sub.name);
    }
    return RV_OK;
}

static rv_status begin(rv_planning *p, rv_error *err)
{
    rv_relation *rel = NULL;
    p->cap = 0;
    *p->out = (rv_partition_plan){0};
    RV_TRY(rv_job_relation(p->job, p->column, &rel, err));
    p->rel = rel;
    RV_TRY(check_column(p, err));
    RV_TRY(choose_chunks(p, err));
    return from_text(p, &p->out->from, err);
}

static rv_status make(rv_planning *p, rv_error *err)
{
    RV_TRY(begin(p, err));
    RV_TRY(walk(p, err));
    RV_TRY(add_null_bucket(p, err));
    RV_TRY(add_unsettled(p, err));
    return check_column(p, err);
}

rv_status rv_partition_plan_make(rv_job *job, rv_partition_plan *out, rv_error *err)
{
    rv_planning p = {.job = job, .column = {job->x->partition_by, NULL}, .out = out};
    for (unsigned attempt = 0;;) {
        rv_status st = make(&p, err);
        if (st == RV_OK)
            return RV_OK;
        RV_TRY(rv_job_mend(job, &attempt, err));
    }
}

rv_status rv_partition_plan_check(rv_job *job, rv_error *err)
{
    rv_partition_plan found = {0};
    rv_planning p = {.job = job, .column = {job->x->partition_by, NULL}, .out = &found};
    return begin(&p, err);
}

rv_status rv_partition_plan_one(rv_job *job, const rv_bucket *b, rv_partition_plan *out,
                                rv_error *err)
{
    rv_planning p = {.job = job, .column = {job->x->partition_by, NULL}, .out = out};
    RV_TRY(begin(&p, err));
    return add_bucket(&p, b, err);
}

/* A key "table.column" wins over a bare one, and in a query nothing but the column is left. */
static rv_status bare_overrides(const rv_cfg_export *x, rv_arena *a, rv_cfg_export *out,
                                rv_error *err)
{
    rv_cfg_column *columns;
    size_t n = 0;
    RV_TRY(rv_arena_array(a, x->n_columns + 1, sizeof *columns, &columns, err));
    for (size_t i = 0; i < x->n_columns; i++) {
        bool beaten = false;
        for (size_t k = 0; !x->columns[i].table && k < x->n_columns; k++)
            beaten = beaten || (x->columns[k].table &&
                                strcmp(x->columns[k].column, x->columns[i].column) == 0);
        if (beaten)
            continue;
        columns[n] = x->columns[i];
        columns[n++].table = NULL;
    }
    out->columns = columns;
    out->n_columns = n;
    return RV_OK;
}

rv_status rv_partition_plan_export(const rv_partition_plan *p, const rv_cfg_export *x, size_t i,
                                   rv_arena *a, rv_cfg_export *out, rv_error *err)
{
    rv_cfg_export sub;
    RV_TRY(rv_partition_export(x, p->buckets[i].value, a, &sub, err));
    RV_TRY(rv_arena_printf(a, &sub.query, err, "SELECT * FROM %s WHERE %s", p->from, p->where[i]));
    RV_TRY(bare_overrides(x, a, &sub, err));
    sub.query_sealed = NULL;
    sub.query_file = NULL;
    sub.table = NULL;
    if (p->chunk_column)
        RV_TRY(rv_arena_cstr(a, rv_str_c(p->chunk_column), &sub.chunk_column, err));
    *out = sub;
    return RV_OK;
}
