#include "source/sql/override.h"

#include "base/buf.h"
#include "column/override.h"

const rv_cfg_column *rv_sql_override_find(const rv_read_spec *spec, const char *base_table,
                                          const char *column)
{
    const rv_cfg_column *bare = NULL;
    for (size_t i = 0; i < spec->n_overrides; i++) {
        const rv_cfg_column *o = &spec->overrides[i];
        if (strcmp(o->column, column) != 0)
            continue;
        if (!o->table)
            bare = o;
        else if (base_table && strcmp(o->table, base_table) == 0)
            return o;
    }
    return bare;
}

rv_status rv_sql_override_check(const rv_read_spec *spec, const rv_schema *schema, rv_arena *arena,
                                rv_error *err)
{
    rv_override *list = NULL;
    size_t n = spec->n_overrides;
    if (n == 0)
        return RV_OK;
    RV_TRY(rv_arena_array(arena, n, sizeof *list, &list, err));
    for (size_t i = 0; i < n; i++)
        list[i] = (rv_override){spec->overrides[i].column, spec->overrides[i].type};
    return rv_override_check_names(schema, list, n, err);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

rv_status rv_sql_refuse_columns(const rv_sql_refused *list, size_t n, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    size_t name = 0, type = 0, shown = 0;
    rv_status st = RV_OK;
    for (size_t i = 0; i < n; i++) {
        name = larger(name, strlen(list[i].name));
        type = larger(type, strlen(list[i].type));
    }
    /* an error's text has an end: what does not fit is counted */
    for (; shown < n && b.len + name + type + 120 < sizeof err->text - 160; shown++) {
        const rv_sql_refused *x = &list[shown];
        RV_GO(rv_buf_printf(&b, err, "\n%-*s  (%s):%*s try  ", (int)name, x->name, x->type,
                            (int)(type - strlen(x->type)), ""));
        if (x->word)
            RV_GO(rv_buf_printf(&b, err, "%s: %s  or  ", x->name, x->word));
        RV_GO(rv_buf_printf(&b, err, "%s: text", x->name));
    }
    if (shown < n)
        RV_GO(rv_buf_printf(&b, err, "\nand %zu more", n - shown));
    st = rv_fail(err, RV_E_TYPE_UNSUPPORTED,
                 "%zu column%s no lossless type; declare %s under exports[].columns:%.*s", n,
                 n == 1 ? " has" : "s have", n == 1 ? "it" : "them", (int)b.len,
                 b.ptr ? (const char *)b.ptr : "");
done:
    rv_buf_free(&b);
    return st;
}
