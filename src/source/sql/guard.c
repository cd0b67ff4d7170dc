#include "source/sql/guard.h"

#include <stdlib.h>
#include <string.h>

typedef struct line {
    rv_str name, type, origin;
} line;

/* "<bytes>:<text>"; a text may hold anything. */
static rv_str next_text(const char **at)
{
    char *colon = NULL;
    size_t n = (size_t)strtoull(*at, &colon, 10);
    *at = colon + 1 + n;
    return (rv_str){colon + 1, n};
}

static bool next_line(const char **at, line *out)
{
    if (!**at)
        return false;
    out->name = next_text(at);
    out->type = next_text(at);
    out->origin = next_text(at);
    return true;
}

static rv_status changed(const char *what, rv_str column, const char *how, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_CHANGED, "%s: column '%.*s' %s while it was read", what,
                           RV_STR_ARG(column), how);
    rv_hint(err, "run again: the next run sees the new columns and applies on_schema_drift");
    return st;
}

rv_status rv_sql_guard_compare(const char *then, const char *now, const char *what, rv_error *err)
{
    line a, b;
    while (next_line(&then, &a)) {
        if (!next_line(&now, &b) || !rv_str_eq(a.name, b.name))
            return changed(what, a.name, "was dropped, renamed or moved", err);
        if (!rv_str_eq(a.type, b.type))
            return changed(what, a.name, "changed its type", err);
        if (!rv_str_eq(a.origin, b.origin))
            return changed(what, a.name, "was replaced by another of its name", err);
    }
    return next_line(&now, &b) ? changed(what, b.name, "was added", err) : RV_OK;
}

rv_status rv_sql_guard_altered(const char *what, rv_error *err)
{
    char said[300];
    rv_error_headline(err, said, sizeof said);
    rv_status st =
        rv_fail(err, RV_E_SOURCE_CHANGED, "%s: it was altered while it was read\n%s", what, said);
    rv_hint(err, "run again: the next run sees the new columns and applies on_schema_drift");
    return st;
}

rv_status rv_sql_guard_line(const char *name, const char *type, const char *origin, rv_buf *out,
                            rv_error *err)
{
    return rv_buf_printf(out, err, "%zu:%s%zu:%s%zu:%s", strlen(name), name, strlen(type), type,
                         strlen(origin), origin);
}
