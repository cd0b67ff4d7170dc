#include <string.h>

#include "engine/check_internal.h"

static rv_status copy(rv_arena *a, const char *text, const char **out, rv_error *err)
{
    *out = NULL;
    return text ? rv_arena_cstr(a, rv_str_c(text), out, err) : RV_OK;
}

static rv_status copy_column(const rv_column *from, rv_arena *a, const rv_column **out,
                             rv_error *err)
{
    rv_column *to;
    RV_TRY(rv_arena_alloc(a, sizeof *to, &to, err));
    *to = *from;
    RV_TRY(copy(a, from->name, &to->name, err));
    RV_TRY(copy(a, from->source_type, &to->source_type, err));
    RV_TRY(copy(a, from->lossy_reason, &to->lossy_reason, err));
    for (unsigned i = 0; i < from->n_warnings; i++)
        RV_TRY(copy(a, from->warnings[i], &to->warnings[i], err));
    *out = to;
    return RV_OK;
}

/* ---- violations ---- */

static rv_status violate(rv_checking *c, const rv_column *col, const char *message, bool fatal,
                         rv_error *err)
{
    rv_violation *v = &c->out->violations[c->out->n_violations];
    RV_TRY(copy(c->arena, col->name, &v->column_name, err));
    RV_TRY(copy(c->arena, message, &v->message, err));
    v->fidelity = rv_fidelity_name(col->fidelity);
    v->fatal = fatal;
    c->out->n_violations++;
    return RV_OK;
}

static rv_status judge_column(rv_checking *c, const rv_column *col, rv_error *err)
{
    bool csv = strcmp(c->job->fmt->name, "csv") == 0;
    if (col->fidelity == RV_UNSUPPORTED)
        return violate(c, col, "the column has no lossless type; override it under columns:", true,
                       err);
    if (csv && col->type.kind == RV_LIST)
        return violate(c, col, "CSV cannot hold a list; use format: parquet", true, err);
    if (col->fidelity == RV_LOSSY)
        return violate(c, col, col->lossy_reason ? col->lossy_reason : "lossy", c->opts->strict,
                       err);
    return RV_OK;
}

/* What the run would refuse before row one. */
static rv_status refuse(const rv_checking *c, rv_error *err)
{
    const rv_schema *s = &c->job->schema;
    for (size_t i = 0; i < s->n_columns; i++)
        if (s->columns[i].fidelity == RV_UNSUPPORTED)
            return rv_fail(err, RV_E_TYPE_UNSUPPORTED,
                           "export '%s': column '%s' (%s) has no lossless type", c->job->x->name,
                           s->columns[i].name, s->columns[i].source_type);
    return c->job->fmt->check(s, &c->job->fopts, err);
}

/* ---- target ---- */

static rv_status add_quoted(rv_target target, const char *name, rv_buf *b, rv_error *err)
{
    bool backtick = target == RV_BIGQUERY || target == RV_CLICKHOUSE;
    char quote = backtick ? '`' : '"', escape = backtick ? '\\' : '"';
    RV_TRY(rv_buf_add_byte(b, (uint8_t)quote, err));
    for (const char *p = name; *p; p++) {
        if (*p == quote || *p == escape)
            RV_TRY(rv_buf_add_byte(b, (uint8_t)escape, err));
        RV_TRY(rv_buf_add_byte(b, (uint8_t)*p, err));
    }
    return rv_buf_add_byte(b, (uint8_t)quote, err);
}

/* A SELECT over the loaded table that restores what autoload changed. */
static rv_status recovery(rv_checking *c, rv_error *err)
{
    rv_check_report *r = c->out;
    rv_buf b = RV_BUF_INIT;
    rv_status st;
    bool needed = false;
    RV_GO(rv_buf_add_c(&b, "SELECT", err));
    for (size_t i = 0; i < r->n_columns; i++) {
        const char *cast = r->columns[i].target.cast_sql;
        RV_GO(rv_buf_add_c(&b, i ? ",\n  " : "\n  ", err));
        if (cast)
            RV_GO(rv_buf_printf(&b, err, "%s AS ", cast));
        RV_GO(add_quoted(r->target, r->columns[i].column->name, &b, err));
        needed |= cast != NULL;
    }
    RV_GO(rv_buf_add_c(&b, "\nFROM ", err));
    RV_GO(add_quoted(r->target, r->export_name, &b, err));
    RV_GO(rv_buf_add_byte(&b, ';', err));
    if (needed)
        RV_GO(rv_arena_cstr(c->arena, rv_buf_str(&b), &r->recovery_sql, err));
done:
    rv_buf_free(&b);
    return st;
}

static rv_status report_columns(rv_checking *c, rv_error *err)
{
    const rv_schema *s = &c->job->schema;
    rv_check_report *r = c->out;
    RV_TRY(rv_arena_array(c->arena, s->n_columns, sizeof *r->columns, &r->columns, err));
    for (size_t i = 0; i < s->n_columns; i++) {
        rv_check_column *col = &r->columns[i];
        RV_TRY(copy_column(&s->columns[i], c->arena, &col->column, err));
        RV_TRY(rv_target_judge(r->target, col->column, c->arena, &col->target, err));
        if (r->target != RV_TARGET_NONE && strcmp(col->target.status, "fail") == 0)
            r->target_failures++;
        r->n_columns++;
    }
    return r->target == RV_TARGET_NONE ? RV_OK : recovery(c, err);
}

rv_status rv_check_types(rv_checking *c, rv_error *err)
{
    const rv_schema *s = &c->job->schema;
    RV_TRY(rv_arena_array(c->arena, s->n_columns, sizeof *c->out->violations, &c->out->violations,
                          err));
    for (size_t i = 0; i < s->n_columns; i++)
        RV_TRY(judge_column(c, &s->columns[i], err));
    if (c->opts->type_report || c->out->target != RV_TARGET_NONE)
        RV_TRY(report_columns(c, err));
    return refuse(c, err);
}
