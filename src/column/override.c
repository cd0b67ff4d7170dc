#include "column/override.h"

/* Decimal digits left of the point that a numeric type may need; 0 for others. */
static unsigned integer_digits(rv_type t)
{
    switch ((rv_kind)t.kind) {
    case RV_BOOL:
        return 1;
    case RV_INT16:
        return 5;
    case RV_INT32:
        return 10;
    case RV_INT64:
        return 19;
    case RV_UINT64:
        return 20;
    case RV_DECIMAL:
        return (unsigned)t.precision - t.scale;
    case RV_FLOAT32:
    case RV_FLOAT64:
    case RV_DATE:
    case RV_TIME:
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
    case RV_STRING:
    case RV_BINARY:
    case RV_JSON:
    case RV_UUID:
    case RV_ENUM:
    case RV_INTERVAL:
    case RV_LIST:
        break;
    }
    return 0;
}

static bool is_integer(rv_type t)
{
    return t.kind >= RV_INT16 && t.kind <= RV_UINT64;
}

static bool is_float(rv_type t)
{
    return t.kind == RV_FLOAT32 || t.kind == RV_FLOAT64;
}

static bool is_timestamp(rv_type t)
{
    return t.kind >= RV_TIMESTAMP && t.kind <= RV_TIMESTAMP_TZ_NS;
}

static bool is_nanos(rv_type t)
{
    return t.kind == RV_TIMESTAMP_NS || t.kind == RV_TIMESTAMP_TZ_NS;
}

/* Digits before the point that the target holds whatever they are. */
static unsigned digits_held(rv_type t)
{
    if (t.kind == RV_DECIMAL)
        return (unsigned)t.precision - t.scale;
    return integer_digits(t) ? integer_digits(t) - 1 : 0;
}

/* Why natural -> target loses something, as a suffix for "<target> ... <natural>"; NULL = not. */
static const char *integer_loss(rv_type natural, rv_type target)
{
    if (target.kind == RV_BOOL)
        return "holds only 0 and 1 of";
    if (is_integer(target)) {
        if (natural.kind == RV_UINT64)
            return target.kind == RV_UINT64 ? NULL : "has a smaller range than";
        if (target.kind == RV_UINT64)
            return "holds no negative value of";
        return target.kind < natural.kind ? "has a smaller range than" : NULL;
    }
    bool small =
        natural.kind == RV_INT16 || (natural.kind == RV_INT32 && target.kind == RV_FLOAT64);
    if (is_float(target) && !small)
        return "rounds large values of";
    return NULL;
}

static rv_status decimal_loss(rv_type natural, rv_type target, const char *to, const char *from,
                              rv_arena *arena, const char **out, rv_error *err)
{
    unsigned scale = target.kind == RV_DECIMAL ? target.scale : 0;
    unsigned had_scale = natural.kind == RV_DECIMAL ? natural.scale : 0;
    unsigned had = integer_digits(natural);
    unsigned holds = digits_held(target);
    if (scale < had_scale)
        return rv_arena_printf(arena, out, err, "%s keeps %u fewer fraction digit%s than %s: lossy",
                               to, had_scale - scale, had_scale - scale == 1 ? "" : "s", from);
    if (holds < had)
        return rv_arena_printf(arena, out, err, "%s keeps %u fewer integer digit%s than %s: lossy",
                               to, had - holds, had - holds == 1 ? "" : "s", from);
    return RV_OK;
}

static const char *plain_loss(rv_type natural, rv_type target)
{
    if (is_integer(natural))
        return integer_loss(natural, target);
    if (is_float(natural)) {
        if (is_integer(target) || target.kind == RV_BOOL)
            return "keeps no fraction of";
        return target.kind == RV_FLOAT32 && natural.kind == RV_FLOAT64 ? "keeps fewer digits than"
                                                                       : NULL;
    }
    if (natural.kind == RV_DECIMAL && is_float(target))
        return "cannot hold decimal fractions exactly, unlike";
    if (is_timestamp(natural)) {
        if (target.kind == RV_DATE)
            return "drops the time of day of";
        if (is_timestamp(target) && is_nanos(natural) && !is_nanos(target))
            return "keeps 3 fewer fraction digits than";
    }
    return NULL;
}

static bool by_digits(rv_type natural, rv_type target)
{
    bool whole = is_integer(natural) && target.kind == RV_DECIMAL;
    return whole || (natural.kind == RV_DECIMAL &&
                     (target.kind == RV_DECIMAL || is_integer(target) || target.kind == RV_BOOL));
}

static rv_status find_loss(rv_type natural, rv_type target, const char *from, rv_arena *arena,
                           const char **out, rv_error *err)
{
    char to[RV_TYPE_NAME_SIZE];
    rv_type_name(target, to);
    if (by_digits(natural, target))
        return decimal_loss(natural, target, to, from, arena, out, err);
    const char *why = plain_loss(natural, target);
    return why ? rv_arena_printf(arena, out, err, "%s %s %s: lossy", to, why, from) : RV_OK;
}

/* A wider number or instant is the same value with the same meaning. */
static bool is_widening(rv_type natural, rv_type target)
{
    bool number = is_integer(natural) || natural.kind == RV_DECIMAL;
    if (number && (is_integer(target) || target.kind == RV_DECIMAL))
        return true;
    return (is_float(natural) && is_float(target)) ||
           (is_timestamp(natural) && natural.kind + 2 == target.kind);
}

static rv_fidelity kept_fidelity(rv_type natural, rv_type target)
{
    rv_fidelity own = rv_type_fidelity(target);
    if (own != RV_EXACT || is_widening(natural, target))
        return own;
    return RV_COMPATIBLE;
}

rv_status rv_override_judge(rv_column *col, rv_type natural, rv_type target, rv_arena *arena,
                            rv_error *err)
{
    char from[RV_TYPE_NAME_SIZE];
    rv_type_name(natural, from);
    const char *loss = NULL;
    /* the native label is what the user knows, where it carries the digits */
    bool labelled = natural.kind == RV_DECIMAL && col->source_type && strchr(col->source_type, '(');
    RV_TRY(find_loss(natural, target, labelled ? col->source_type : from, arena, &loss, err));
    col->overridden = true;
    col->lossy_reason = loss;
    if (loss)
        col->fidelity = RV_LOSSY;
    else if (!rv_type_eq(natural, target))
        col->fidelity = kept_fidelity(natural, target);
    else if (col->fidelity == RV_UNSUPPORTED || col->fidelity == RV_LOSSY)
        col->fidelity = rv_type_fidelity(target);
    return RV_OK;
}

rv_status rv_override_check_names(const rv_schema *schema, const rv_override *overrides, size_t n,
                                  rv_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (rv_schema_find(schema, rv_str_c(overrides[i].column)) >= 0)
            continue;
        rv_status st = rv_fail(err, RV_E_CONFIG_COLUMN_TYPE, "no such column '%s' in the result",
                               overrides[i].column);
        rv_hint(err, "names are compared exactly; remove the key or correct it");
        return st;
    }
    return RV_OK;
}
