#include "config/config_internal.h"

#include "base/file.h"
#include "base/mem.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 1 << 20, MAX_NOTES = 10000 };

static rv_status RV_PRINTF(3, 0)
    format(rv_load *ld, const char **out, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    char *text = NULL;
    if (len < 0)
        return rv_fail(ld->err, RV_E_INTERNAL, "a message cannot be formatted");
    RV_TRY(rv_arena_alloc(ld->arena, (size_t)len + 1, &text, ld->err));
    (void)vsnprintf(text, (size_t)len + 1, fmt, args);
    *out = text;
    return RV_OK;
}

static rv_status add_note(rv_load *ld, rv_status code, rv_pos pos, const char *text)
{
    rv_note note = {ld->stage, ld->notes.len, {code, pos, text}};
    if (ld->notes.len / sizeof note >= MAX_NOTES)
        return RV_OK;
    return rv_buf_add(&ld->notes, &note, sizeof note, ld->err);
}

rv_status rv_load_note(rv_load *ld, rv_status code, rv_pos pos, const char *fmt, ...)
{
    const char *text = NULL;
    va_list args;
    va_start(args, fmt);
    rv_status st = format(ld, &text, fmt, args);
    va_end(args);
    RV_TRY(st);
    return add_note(ld, code, pos, text);
}

rv_status rv_load_bad(rv_load *ld, rv_status code, rv_pos pos, const char *fmt, ...)
{
    const char *text = NULL;
    va_list args;
    va_start(args, fmt);
    rv_status st = format(ld, &text, fmt, args);
    va_end(args);
    RV_TRY(st);
    RV_TRY(add_note(ld, code, pos, text));
    return code;
}

rv_status rv_load_warn(rv_load *ld, rv_pos pos, const char *fmt, ...)
{
    const char *text = NULL;
    va_list args;
    va_start(args, fmt);
    rv_status st = format(ld, &text, fmt, args);
    va_end(args);
    RV_TRY(st);
    if (pos.line > 0)
        RV_TRY(rv_arena_printf(ld->arena, &text, ld->err, "%s:%u:%u: %s", ld->path, pos.line,
                               pos.col, text));
    const char *const *old = (const char *const *)(const void *)ld->warnings.ptr;
    for (size_t i = 0; i < ld->warnings.len / sizeof text; i++)
        if (strcmp(old[i], text) == 0) /* an aliased block is walked more than once */
            return RV_OK;
    return rv_buf_add(&ld->warnings, &text, sizeof text, ld->err);
}

static int note_order(const void *a, const void *b)
{
    const rv_note *x = a;
    const rv_note *y = b;
    if (x->diag.pos.line != y->diag.pos.line)
        return x->diag.pos.line < y->diag.pos.line ? -1 : 1;
    if (x->diag.pos.col != y->diag.pos.col)
        return x->diag.pos.col < y->diag.pos.col ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static bool same_note(const rv_diag *a, const rv_diag *b)
{
    return a->pos.line == b->pos.line && a->pos.col == b->pos.col && strcmp(a->text, b->text) == 0;
}

/* The notes of the lowest stage, in source order. */
static void fill_diags(rv_load *ld, rv_diags *diags)
{
    rv_note *notes = (rv_note *)(void *)ld->notes.ptr;
    size_t n = ld->notes.len / sizeof *notes;
    unsigned stage = UINT_MAX;
    for (size_t i = 0; i < n; i++)
        if (notes[i].stage < stage)
            stage = notes[i].stage;
    if (n > 0)
        qsort(notes, n, sizeof *notes, note_order);
    diags->n_errors = 0;
    for (size_t i = 0; i < n && diags->n_errors < RV_DIAGS_MAX; i++) {
        bool again =
            diags->n_errors > 0 && same_note(&diags->errors[diags->n_errors - 1], &notes[i].diag);
        if (notes[i].stage == stage && !again)
            diags->errors[diags->n_errors++] = notes[i].diag;
    }
}

static rv_status fill_warnings(rv_load *ld, rv_diags *diags)
{
    size_t n = ld->warnings.len / sizeof(const char *);
    const char **list = NULL;
    RV_TRY(rv_arena_array(ld->arena, n + 1, sizeof *list, &list, ld->err));
    if (n > 0)
        memcpy(list, ld->warnings.ptr, ld->warnings.len);
    diags->warnings = list;
    diags->n_warnings = n;
    return RV_OK;
}

static rv_status report(void *ctx, rv_status code, rv_pos pos, const char *text)
{
    rv_load *ld = ctx;
    unsigned stage = ld->stage;
    ld->stage = code == RV_E_CONFIG_SYNTAX ? 1 : 2;
    rv_status st = add_note(ld, code, pos, text);
    ld->stage = stage;
    return st;
}

static rv_status find_dir(rv_load *ld)
{
    char real[PATH_MAX];
    const char *slash = strrchr(ld->path, '/');
    rv_str dir = slash ? (rv_str){ld->path, (size_t)(slash - ld->path)} : RV_STR(".");
    const char *name = NULL;
    RV_TRY(rv_arena_cstr(ld->arena, dir.len > 0 ? dir : RV_STR("/"), &name, ld->err));
    RV_TRY(rv_arena_cstr(ld->arena, rv_str_c(realpath(name, real) ? real : name), &ld->cfg->dir,
                         ld->err));
    return rv_arena_cstr(ld->arena, rv_str_c(ld->path), &ld->cfg->path, ld->err);
}

rv_status rv_load_rules(rv_load *ld)
{
    ld->stage = 4;
    RV_TRY(rv_rules_root(ld));
    RV_TRY(rv_rules_source(ld));
    ld->stage = 5;
    for (size_t i = 0; i < ld->cfg->n_exports; i++)
        RV_TRY(rv_rules_export(ld, i));
    ld->stage = 6;
    return rv_rules_cross(ld);
}

static rv_status scan_query_files(rv_load *ld)
{
    rv_status st = RV_OK;
    rv_buf text = RV_BUF_INIT;
    rv_error ignored;
    for (size_t i = 0; i < ld->cfg->n_exports; i++) {
        const rv_cfg_export *x = &ld->cfg->exports[i];
        const char *path = NULL;
        bool found = false;
        if (!x->query_file)
            continue;
        RV_GO(rv_arena_printf(ld->arena, &path, ld->err, "%s/%s", ld->cfg->dir, x->query_file));
        rv_buf_clear(&text);
        st = rv_file_read_all(path, MAX_FILE_BYTES, &text, &found, &ignored);
        if (st == RV_E_MEMORY)
            goto done;
        if (st == RV_OK && found)
            rv_interp_mark(ld, rv_buf_str(&text));
        st = RV_OK; /* only a search for names: an unreadable file is the reader's business */
    }
done:
    rv_buf_free(&text);
    return st;
}

static bool any_unused(const rv_load *ld)
{
    for (size_t i = 0; i < ld->opts->n_params; i++)
        if (!ld->params_used[i])
            return true;
    return false;
}

static rv_status warn_unused_params(rv_load *ld)
{
    if (!any_unused(ld))
        return RV_OK;
    RV_TRY(scan_query_files(ld));
    for (size_t i = 0; i < ld->opts->n_params; i++)
        if (!ld->params_used[i])
            RV_TRY(rv_load_warn(ld, (rv_pos){0, 0}, "--param '%s' matches no placeholder",
                                ld->opts->params[i].key));
    return RV_OK;
}

static rv_status read_text(rv_load *ld, rv_buf *text)
{
    bool found = false;
    rv_status st = rv_file_read_all(ld->path, MAX_FILE_BYTES, text, &found, ld->err);
    if (st == RV_E_CORRUPT) {
        ld->stage = 1;
        return rv_load_bad(ld, RV_E_CONFIG_SYNTAX, (rv_pos){1, 1},
                           "invalid YAML: the file is larger than 1 MiB");
    }
    if (st == RV_OK && !found)
        return rv_load_bad(ld, RV_E_CONFIG_NOT_FOUND, (rv_pos){0, 0},
                           "config file '%s' does not exist; pass the right path or create one "
                           "with `rivet init`",
                           ld->path);
    return st;
}

static rv_status load_text(rv_load *ld, rv_str text)
{
    const rv_node *root = NULL;
    rv_pos start = {1, 1};
    ld->stage = 1;
    RV_TRY(rv_yaml_parse(text, ld->arena, (rv_yaml_sink){report, ld}, &root, &start, ld->err));
    const rv_note *first = (const rv_note *)(const void *)ld->notes.ptr;
    if (first && ld->notes.len > 0 && !root)
        return first->diag.code;
    ld->stage = 2;
    RV_TRY(rv_shape_root(ld, root, start));
    if (ld->notes.len > 0)
        return ((const rv_note *)(const void *)ld->notes.ptr)->diag.code;
    RV_TRY(rv_load_rules(ld));
    if (ld->opts->seal)
        RV_TRY(rv_seal(ld));
    return warn_unused_params(ld);
}

rv_status rv_load_finish(rv_load *ld, rv_status st, rv_cfg **out, rv_diags *diags)
{
    RV_TRY(st == RV_E_MEMORY ? st : fill_warnings(ld, diags));
    if (st == RV_OK) {
        *out = ld->cfg;
        return RV_OK;
    }
    if (ld->notes.len == 0)
        return st; /* not the file's fault: err says what */
    fill_diags(ld, diags);
    return rv_diag_error(ld->path, &diags->errors[0], ld->err);
}

rv_status rv_cfg_load(const rv_env *env, const char *path, const rv_cfg_opts *opts, rv_arena *arena,
                      rv_cfg **out, rv_diags *diags, rv_error *err)
{
    rv_error own = {0};
    rv_load ld = {.env = env, .path = path, .opts = opts, .arena = arena, .err = err ? err : &own};
    rv_buf text = RV_BUF_INIT;
    rv_status st = RV_OK;
    rv_error_clear(ld.err);
    memset(diags, 0, sizeof *diags);
    RV_GO(rv_arena_alloc(arena, sizeof *ld.cfg, &ld.cfg, ld.err));
    RV_GO(rv_arena_array(arena, opts->n_params + 1, sizeof(bool), &ld.params_used, ld.err));
    RV_GO(find_dir(&ld));
    st = read_text(&ld, &text);
    if (st == RV_OK)
        st = load_text(&ld, rv_buf_str(&text));
    st = rv_load_finish(&ld, st, out, diags);
done:
    rv_buf_free(&text);
    rv_buf_free(&ld.notes);
    rv_buf_free(&ld.warnings);
    return st;
}

rv_status rv_diag_error(const char *path, const rv_diag *diag, rv_error *err)
{
    if (diag->pos.line == 0)
        return rv_fail(err, diag->code, "%s", diag->text);
    return rv_fail(err, diag->code, "%s:%u:%u: %s", path, diag->pos.line, diag->pos.col,
                   diag->text);
}
