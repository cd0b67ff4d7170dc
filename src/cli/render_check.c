#include "cli/render_check.h"

#include <ctype.h>
#include <stdio.h>

#include "cli/table_text.h"

#define INDENT 16

/* Further lines of a text stand under its first. */
static rv_status add_text(rv_buf *out, const char *label, const char *text, rv_error *err)
{
    if (!text)
        return RV_OK;
    RV_TRY(rv_buf_printf(out, err, "  %-14s", label));
    for (const char *p = text; *p; p++) {
        RV_TRY(rv_buf_add_byte(out, (uint8_t)*p, err));
        if (*p == '\n' && p[1])
            RV_TRY(rv_buf_printf(out, err, "%*s", INDENT, ""));
    }
    return rv_buf_add_byte(out, '\n', err);
}

/* As the configuration writes it: "bigquery". */
static rv_status add_target(rv_target target, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_add_c(out, "  [target: ", err));
    for (const char *p = rv_target_label(target); *p; p++)
        RV_TRY(rv_buf_add_byte(out, (uint8_t)tolower((unsigned char)*p), err));
    return rv_buf_add_byte(out, ']', err);
}

static rv_status add_heading(const rv_check_report *r, bool type_report, rv_buf *out, rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "Export: %s", r->export_name));
    if (r->table)
        RV_TRY(rv_buf_printf(out, err, "/%s", r->table));
    if (type_report && r->target != RV_TARGET_NONE)
        RV_TRY(add_target(r->target, out, err));
    return rv_buf_add_byte(out, '\n', err);
}

static rv_status add_verdict(const rv_check_report *r, rv_buf *out, rv_error *err)
{
    RV_TRY(add_text(out, "Strategy:", r->strategy, err));
    RV_TRY(add_text(out, "Mode:", r->mode, err));
    RV_TRY(add_text(out, "Row estimate:", r->row_estimate, err));
    RV_TRY(add_text(out, "Scan type:", r->scan_type, err));
    RV_TRY(add_text(out, "Reads:", r->reads, err));
    RV_TRY(add_text(out, "Memory:", r->memory, err));
    RV_TRY(add_text(out, "Verdict:", r->verdict, err));
    RV_TRY(add_text(out, "Recommended:", r->recommended, err));
    bool advised = r->parallelism && strncmp(r->parallelism, "parallel: ", 10) == 0;
    RV_TRY(add_text(out, advised ? "Recommended:" : "Parallelism:", r->parallelism, err));
    for (size_t i = 0; i < r->n_warnings; i++)
        RV_TRY(rv_buf_printf(out, err, "  %-14s[%s] %s\n", "Warning:", r->warnings[i].severity,
                             r->warnings[i].message));
    return add_text(out, "Suggestion:", r->suggestion, err);
}

enum { PLAIN_COLUMNS = 5, TARGET_COLUMNS = 8 };

/* What a column becomes; one without a lossless type becomes nothing. */
static void type_words(const rv_column *c, char name[RV_TYPE_NAME_SIZE],
                       char arrow[RV_TYPE_NAME_SIZE])
{
    (void)snprintf(name, RV_TYPE_NAME_SIZE, "%s", "unsupported");
    (void)snprintf(arrow, RV_TYPE_NAME_SIZE, "%s", "unsupported");
    if (c->fidelity == RV_UNSUPPORTED)
        return;
    rv_type_name(c->type, name);
    rv_type_arrow(c->type, arrow);
}

static rv_status fill_row(const rv_check_column *c, bool target, rv_arena *arena,
                          const char **cells, rv_error *err)
{
    char name[RV_TYPE_NAME_SIZE], arrow[RV_TYPE_NAME_SIZE];
    type_words(c->column, name, arrow);
    cells[0] = c->column->name;
    cells[1] = c->column->source_type;
    RV_TRY(rv_arena_cstr(arena, rv_str_c(name), &cells[2], err));
    RV_TRY(rv_arena_cstr(arena, rv_str_c(arrow), &cells[3], err));
    cells[4] = rv_fidelity_name(c->column->fidelity);
    if (!target)
        return RV_OK;
    cells[5] = c->target.target_type;
    cells[6] = c->target.status;
    cells[7] = c->target.note;
    return RV_OK;
}

static rv_status add_columns(const rv_check_report *r, rv_arena *arena, rv_buf *out, rv_error *err)
{
    static const rv_table_column columns[] = {{"Column", 0, false},     {"Source type", 0, false},
                                              {"Rivet type", 0, false}, {"Arrow type", 0, false},
                                              {"Fidelity", 0, false},   {"Target type", 0, false},
                                              {"Status", 0, false},     {"Note", 0, false}};
    bool target = r->target != RV_TARGET_NONE;
    size_t n = target ? TARGET_COLUMNS : PLAIN_COLUMNS;
    const char **cells = NULL;
    if (r->n_columns == 0)
        return RV_OK;
    RV_TRY(rv_arena_array(arena, r->n_columns * n, sizeof *cells, &cells, err));
    for (size_t i = 0; i < r->n_columns; i++)
        RV_TRY(fill_row(&r->columns[i], target, arena, &cells[i * n], err));
    const rv_table table = {
        .columns = columns, .n_columns = n, .cells = cells, .n_rows = r->n_columns, .indent = 2};
    RV_TRY(rv_buf_add_byte(out, '\n', err));
    RV_TRY(rv_table_text(&table, out, err));
    for (size_t i = 0; i < r->n_violations; i++)
        RV_TRY(rv_buf_printf(out, err, "  %s %s: %s\n", r->violations[i].fatal ? "ERROR" : "WARN ",
                             r->violations[i].column_name, r->violations[i].message));
    if (r->recovery_sql)
        RV_TRY(rv_buf_printf(out, err, "\n%s\n", r->recovery_sql));
    return RV_OK;
}

rv_status rv_render_check(const rv_check_report *r, bool type_report, rv_arena *arena, rv_buf *out,
                          rv_error *err)
{
    RV_TRY(add_heading(r, type_report, out, err));
    RV_TRY(add_verdict(r, out, err));
    return type_report ? add_columns(r, arena, out, err) : RV_OK;
}

static void json_column(rv_json *j, const rv_check_column *c, bool target)
{
    char name[RV_TYPE_NAME_SIZE], arrow[RV_TYPE_NAME_SIZE];
    type_words(c->column, name, arrow);
    rv_json_object(j);
    rv_json_kstr(j, "column", c->column->name);
    rv_json_kstr(j, "source_type", c->column->source_type);
    rv_json_kstr(j, "rivet_type", name);
    rv_json_kstr(j, "arrow_type", arrow);
    rv_json_kstr(j, "fidelity", rv_fidelity_name(c->column->fidelity));
    rv_json_key(j, "warnings");
    rv_json_array(j);
    for (unsigned i = 0; i < c->column->n_warnings; i++)
        rv_json_cstr(j, c->column->warnings[i]);
    rv_json_array_end(j);
    if (target) {
        rv_json_kstr(j, "target_type", c->target.target_type);
        rv_json_kstr(j, "target_status", c->target.status);
        rv_json_kstr(j, "target_note", c->target.note);
        if (c->target.autoload_type)
            rv_json_kstr(j, "autoload_type", c->target.autoload_type);
        if (c->target.cast_sql)
            rv_json_kstr(j, "cast_sql", c->target.cast_sql);
    }
    rv_json_object_end(j);
}

static void json_warnings(rv_json *j, const rv_check_report *r)
{
    rv_json_key(j, "warnings");
    rv_json_array(j);
    for (size_t i = 0; i < r->n_warnings; i++) {
        rv_json_object(j);
        rv_json_kstr(j, "severity", r->warnings[i].severity);
        rv_json_kstr(j, "message", r->warnings[i].message);
        rv_json_object_end(j);
    }
    rv_json_array_end(j);
}

static void json_violations(rv_json *j, const rv_check_report *r)
{
    rv_json_key(j, "violations");
    rv_json_array(j);
    for (size_t i = 0; i < r->n_violations; i++) {
        rv_json_object(j);
        rv_json_kstr(j, "column_name", r->violations[i].column_name);
        rv_json_kstr(j, "fidelity", r->violations[i].fidelity);
        rv_json_kstr(j, "message", r->violations[i].message);
        rv_json_kbool(j, "fatal", r->violations[i].fatal);
        rv_json_object_end(j);
    }
    rv_json_array_end(j);
}

rv_status rv_render_check_json(const rv_check_report *r, rv_buf *out, rv_error *err)
{
    rv_json j;
    bool target = r->target != RV_TARGET_NONE;
    rv_json_begin(&j, out, false);
    rv_json_object(&j);
    rv_json_kstr(&j, "export", r->export_name);
    if (r->table)
        rv_json_kstr(&j, "table", r->table);
    rv_json_kstr(&j, "verdict", r->verdict);
    rv_json_kstr(&j, "read_shape", r->read_shape);
    rv_json_kstr(&j, "read_key", r->read_key);
    rv_json_kstr(&j, "read_reason", r->read_reason);
    json_warnings(&j, r);
    rv_json_key(&j, "columns");
    rv_json_array(&j);
    for (size_t i = 0; i < r->n_columns; i++)
        json_column(&j, &r->columns[i], target);
    rv_json_array_end(&j);
    json_violations(&j, r);
    if (target)
        rv_json_ki64(&j, "target_failures", r->target_failures < 0 ? 0 : r->target_failures);
    if (r->recovery_sql)
        rv_json_kstr(&j, "recovery_sql", r->recovery_sql);
    rv_json_object_end(&j);
    return rv_json_end(&j, err);
}
