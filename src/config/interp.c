#include "config/config_internal.h"
#include "config/mask.h"
#include <assert.h>

bool rv_interp_has(rv_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (rv_placeholder_len((rv_str){text.ptr + i, text.len - i}) > 0)
            return true;
    return false;
}

static const char *param_value(rv_load *ld, rv_str name)
{
    const char *value = NULL;
    for (size_t i = 0; i < ld->opts->n_params; i++) {
        if (!rv_str_eq(rv_str_c(ld->opts->params[i].key), name))
            continue;
        ld->params_used[i] = true;
        value = ld->opts->params[i].value;
    }
    return value;
}

static rv_status lookup(rv_load *ld, rv_str name, const char **out, bool *out_env)
{
    *out = param_value(ld, name);
    *out_env = false;
    if (*out)
        return RV_OK;
    const char *key = NULL;
    RV_TRY(rv_arena_cstr(ld->arena, name, &key, ld->err));
    *out = rv_env_get(ld->env, key);
    *out_env = *out != NULL;
    return RV_OK;
}

static bool looks_secret(rv_str name)
{
    static const char *const parts[] = {"password", "secret", "token", "key"};
    for (size_t p = 0; p < sizeof parts / sizeof parts[0]; p++) {
        rv_str part = rv_str_c(parts[p]);
        for (size_t i = 0; i + part.len <= name.len; i++)
            if (rv_str_eq_nocase((rv_str){name.ptr + i, part.len}, part))
                return true;
    }
    return false;
}

/* One pass over a text. A `$${NAME}` is the literal ${NAME}. */
typedef struct pass {
    bool sealed;    /* keep secret-looking environment values and escapes */
    bool whole_env; /* sealed: keep every environment value */
    bool kept;      /* something was kept */
    bool need;
    bool missing;
    rv_pos pos;
    rv_buf out;
} pass;

rv_status rv_interp_escape(rv_str text, rv_buf *out, rv_error *err)
{
    for (size_t i = 0; i < text.len; i++) {
        if (rv_placeholder_len((rv_str){text.ptr + i, text.len - i}) > 0)
            RV_TRY(rv_buf_add_byte(out, '$', err));
        RV_TRY(rv_buf_add_byte(out, (uint8_t)text.ptr[i], err));
    }
    return RV_OK;
}

static rv_status one(rv_load *ld, pass *p, rv_str placeholder)
{
    rv_str name = {placeholder.ptr + 2, placeholder.len - 3};
    const char *value = NULL;
    bool env = false;
    RV_TRY(lookup(ld, name, &value, &env));
    if (!value) {
        p->missing = true;
        p->kept = p->kept || p->sealed;
        if (p->need)
            return rv_load_note(ld, RV_E_CONFIG_UNRESOLVED, p->pos,
                                "${%.*s} has no value; export it or pass --param %.*s=...",
                                RV_STR_ARG(name), RV_STR_ARG(name));
        return rv_buf_add_str(&p->out, placeholder, ld->err);
    }
    bool secret = env && looks_secret(name);
    if (p->sealed && (secret || (env && p->whole_env))) {
        p->kept = true;
        return rv_buf_add_str(&p->out, placeholder, ld->err);
    }
    if (p->sealed) { /* a value that looks like a placeholder is none when it is read again */
        p->kept = p->kept || rv_interp_has(rv_str_c(value));
        return rv_interp_escape(rv_str_c(value), &p->out, ld->err);
    }
    if (secret && ld->env->secrets)
        RV_TRY(rv_secrets_add(ld->env->secrets, rv_str_c(value), ld->err));
    return rv_buf_add_c(&p->out, value, ld->err);
}

static rv_status run(rv_load *ld, pass *p, rv_str text)
{
    for (size_t i = 0; i < text.len;) {
        rv_str rest = {text.ptr + i, text.len - i};
        bool escape = rest.len > 1 && rest.ptr[0] == '$';
        size_t escaped = escape ? rv_placeholder_len((rv_str){rest.ptr + 1, rest.len - 1}) : 0;
        size_t len = rv_placeholder_len(rest);
        if (escaped > 0) {
            size_t skip = p->sealed ? 0 : 1;
            p->kept = p->kept || p->sealed;
            RV_TRY(rv_buf_add(&p->out, rest.ptr + skip, escaped + 1 - skip, ld->err));
            i += escaped + 1;
        } else if (len > 0) {
            RV_TRY(one(ld, p, (rv_str){rest.ptr, len}));
            i += len;
        } else {
            RV_TRY(rv_buf_add_byte(&p->out, (uint8_t)rest.ptr[0], ld->err));
            i++;
        }
    }
    return RV_OK;
}

rv_status rv_interp(rv_load *ld, rv_str text, rv_pos pos, bool need, rv_str *out,
                    bool *out_unresolved)
{
    *out_unresolved = false;
    *out = text;
    if (!rv_interp_has(text))
        return RV_OK;
    pass p = {.need = need, .pos = pos, .out = RV_BUF_INIT};
    unsigned stage = ld->stage;
    ld->stage = 3;
    rv_status st = RV_OK;
    RV_GO(run(ld, &p, text));
    if (p.missing)
        *out_unresolved = true;
    else
        st = rv_arena_str(ld->arena, rv_buf_str(&p.out), out, ld->err);
done:
    ld->stage = stage;
    rv_buf_free(&p.out);
    return st;
}

rv_status rv_interp_sealed(rv_load *ld, rv_str text, bool whole_env, const char **out)
{
    pass p = {.sealed = true, .whole_env = whole_env, .out = RV_BUF_INIT};
    rv_status st = RV_OK;
    const char *sealed = NULL;
    RV_GO(run(ld, &p, text));
    if (p.kept)
        RV_GO(rv_arena_cstr(ld->arena, rv_buf_str(&p.out), &sealed, ld->err));
    *out = sealed;
done:
    rv_buf_free(&p.out);
    return st;
}

void rv_interp_mark(rv_load *ld, rv_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        rv_str rest = {text.ptr + i, text.len - i};
        size_t len = rv_placeholder_len(rest);
        if (len == 0 || (i > 0 && text.ptr[i - 1] == '$'))
            continue;
        (void)param_value(ld, (rv_str){rest.ptr + 2, len - 3});
    }
}

rv_status rv_cfg_unseal(const rv_env *env, const char *sealed, rv_arena *arena, const char **out,
                        rv_error *err)
{
    static const rv_cfg_opts none;
    rv_error own = {0};
    rv_load ld = {.env = env, .opts = &none, .arena = arena, .err = err ? err : &own};
    rv_str text = {NULL, 0};
    bool unresolved = false;
    rv_status st = rv_interp(&ld, rv_str_c(sealed), (rv_pos){0, 0}, true, &text, &unresolved);
    if (st == RV_OK && unresolved) {
        const rv_note *note = (const rv_note *)(const void *)ld.notes.ptr;
        assert(note); /* whatever stayed unresolved left one */
        st = rv_fail(err, note->diag.code, "%s", note->diag.text);
    }
    if (st == RV_OK)
        st = rv_arena_cstr(arena, text, out, err);
    rv_buf_free(&ld.notes);
    return st;
}
