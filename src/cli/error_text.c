#include "cli/error_text.h"

static rv_str next_line(rv_str *rest)
{
    const char *end = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    rv_str line = {rest->ptr, end ? (size_t)(end - rest->ptr) : rest->len};
    size_t used = line.len + (end != NULL);
    *rest = (rv_str){rest->ptr + used, rest->len - used};
    return line;
}

static bool has_export_prefix(const rv_error_facts *e)
{
    return !e->export_name || strncmp(e->text, "export '", 8) == 0;
}

static rv_status add_first(const rv_error_facts *e, rv_buf *out, rv_error *err)
{
    if (e->file && e->pos.line)
        return rv_buf_printf(out, err, "%s:%u:%u: ", e->file, e->pos.line, e->pos.col);
    if (!e->file && !has_export_prefix(e))
        return rv_buf_printf(out, err, "export '%s': ", e->export_name);
    return RV_OK;
}

rv_status rv_error_human(const rv_error_facts *e, bool colour, rv_buf *out, rv_error *err)
{
    rv_str rest = rv_str_c(e->text);
    rv_str line = next_line(&rest);
    RV_TRY(rv_buf_add_c(out, colour ? "\033[1;31mError:\033[0m " : "Error: ", err));
    RV_TRY(add_first(e, out, err));
    RV_TRY(rv_buf_printf(out, err, "%.*s\n", RV_STR_ARG(line)));
    while (rest.len) {
        line = next_line(&rest);
        RV_TRY(rv_buf_printf(out, err, "%s%.*s\n", e->file ? "" : "  cause: ", RV_STR_ARG(line)));
    }
    rest = rv_str_c(e->hint);
    while (rest.len) {
        line = next_line(&rest);
        RV_TRY(rv_buf_printf(out, err, "  hint: %.*s\n", RV_STR_ARG(line)));
    }
    return RV_OK;
}

void rv_error_members(rv_json *j, const rv_error_facts *e, const char *text)
{
    const rv_code_info *info = rv_code(e->code);
    rv_json_object(j);
    rv_json_kstr(j, "error", text);
    rv_json_kstr(j, "code", info->name);
    rv_json_kstr(j, "class", rv_class_name(info->class_));
    rv_json_ki64(j, "exit_class", e->exit_code);
    rv_json_ki64(j, "exit_code", e->exit_code);
    rv_json_kstr(j, "kind", info->kind);
    rv_json_kbool(j, "retryable", info->class_ == RV_CLASS_RETRYABLE);
    rv_json_kstr(j, "action", info->action);
    if (e->export_name)
        rv_json_kstr(j, "export", e->export_name);
    if (!e->file)
        return;
    rv_json_kstr(j, "file", e->file);
    rv_json_key(j, "line");
    if (e->pos.line)
        rv_json_u64(j, e->pos.line);
    else
        rv_json_null(j);
    rv_json_key(j, "column");
    if (e->pos.line)
        rv_json_u64(j, e->pos.col);
    else
        rv_json_null(j);
}

/* Everything the lines say in one: "what failed: cause: cause; hint". */
static rv_status add_flat(const rv_error_facts *e, rv_buf *out, rv_error *err)
{
    if (!e->file)
        RV_TRY(add_first(e, out, err));
    rv_str rest = rv_str_c(e->text);
    for (bool first = true; rest.len; first = false) {
        rv_str line = next_line(&rest);
        if (e->file)
            RV_TRY(rv_buf_printf(out, err, "%s%.*s", first ? "" : "\n", RV_STR_ARG(line)));
        else
            RV_TRY(rv_buf_printf(out, err, "%s%.*s", first ? "" : ": ", RV_STR_ARG(line)));
    }
    if (e->hint[0])
        RV_TRY(rv_buf_printf(out, err, "; %s", e->hint));
    return RV_OK;
}

rv_status rv_error_json(const rv_error_facts *e, rv_buf *out, rv_error *err)
{
    rv_buf text = RV_BUF_INIT;
    rv_json j;
    rv_status st;
    RV_GO(add_flat(e, &text, err));
    const char *flat = rv_buf_cstr(&text);
    if (!flat) {
        st = rv_fail_memory(err);
        goto done;
    }
    rv_json_begin(&j, out, false);
    rv_error_members(&j, e, flat);
    rv_json_object_end(&j);
    RV_GO(rv_json_end(&j, err));
    st = rv_buf_add_byte(out, '\n', err);
done:
    rv_buf_free(&text);
    return st;
}
