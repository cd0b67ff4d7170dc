#include "source/sql/keyset.h"

static rv_status compare(const rv_sql_keyset *k, size_t i, const char *op, rv_buf *out,
                         rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "%s %s ", k->columns[i], op));
    return k->value(k->ctx, &k->values[i], out, err);
}

static rv_status equal(const rv_sql_keyset *k, size_t i, rv_buf *out, rv_error *err)
{
    if (k->values[i].null)
        return rv_buf_printf(out, err, "%s IS NULL", k->columns[i]);
    return compare(k, i, "=", out, err);
}

/* Column i lies beyond the position: after it, or before it when `until`. */
static rv_status beyond(const rv_sql_keyset *k, size_t i, bool until, bool last, rv_buf *out,
                        rv_error *err)
{
    if (!k->values[i].null)
        return compare(k, i, until ? (last ? "<=" : "<") : ">", out, err);
    if (!until)
        return rv_buf_printf(out, err, "%s IS NOT NULL", k->columns[i]);
    if (last)
        return rv_buf_printf(out, err, "%s IS NULL", k->columns[i]);
    return rv_buf_add_c(out, "1 = 0", err);
}

/* a > x OR (a = x AND (b > y OR (b = y AND c > z))) */
static rv_status expand(const rv_sql_keyset *k, bool until, rv_buf *out, rv_error *err)
{
    for (size_t i = 0; i < k->n; i++) {
        bool last = i + 1 == k->n;
        RV_TRY(rv_buf_add_byte(out, '(', err));
        RV_TRY(beyond(k, i, until, last, out, err));
        if (last)
            break;
        RV_TRY(rv_buf_add_c(out, " OR (", err));
        RV_TRY(equal(k, i, out, err));
        RV_TRY(rv_buf_add_c(out, " AND ", err));
    }
    RV_TRY(rv_buf_add_byte(out, ')', err));
    for (size_t i = 1; i < k->n; i++)
        RV_TRY(rv_buf_add_c(out, "))", err));
    return RV_OK;
}

static rv_status row_compare(const rv_sql_keyset *k, const char *op, rv_buf *out, rv_error *err)
{
    for (size_t i = 0; i < k->n; i++)
        RV_TRY(rv_buf_printf(out, err, "%s%s", i ? ", " : "((", k->columns[i]));
    RV_TRY(rv_buf_printf(out, err, ") %s (", op));
    for (size_t i = 0; i < k->n; i++) {
        if (i)
            RV_TRY(rv_buf_add_c(out, ", ", err));
        RV_TRY(k->value(k->ctx, &k->values[i], out, err));
    }
    return rv_buf_add_c(out, "))", err);
}

static bool any_null(const rv_sql_keyset *k)
{
    for (size_t i = 0; i < k->n; i++)
        if (k->values[i].null)
            return true;
    return false;
}

rv_status rv_sql_after(const rv_sql_keyset *k, rv_buf *out, rv_error *err)
{
    if (k->n > 1 && k->row_values && !any_null(k))
        return row_compare(k, ">", out, err);
    return expand(k, false, out, err);
}

rv_status rv_sql_until(const rv_sql_keyset *k, rv_buf *out, rv_error *err)
{
    if (k->n > 1 && k->row_values && !any_null(k))
        return row_compare(k, "<=", out, err);
    return expand(k, true, out, err);
}

static const char *op_text(rv_op op)
{
    switch (op) {
    case RV_LT:
        return "<";
    case RV_LE:
        return "<=";
    case RV_GE:
        return ">=";
    case RV_GT:
        return ">";
    case RV_EQ:
        return "=";
    case RV_IS_NULL:
        return "IS NULL";
    case RV_NOT_NULL:
        return "IS NOT NULL";
    }
    return "=";
}

rv_status rv_sql_pred(const char *column, rv_op op, const rv_datum *value, rv_sql_value_fn fn,
                      void *ctx, rv_buf *out, rv_error *err)
{
    if (op == RV_IS_NULL || op == RV_NOT_NULL)
        return rv_buf_printf(out, err, "%s %s", column, op_text(op));
    if (value->null)
        return rv_buf_add_c(out, "1 = 0", err);
    RV_TRY(rv_buf_printf(out, err, "%s %s ", column, op_text(op)));
    return fn(ctx, value, out, err);
}
