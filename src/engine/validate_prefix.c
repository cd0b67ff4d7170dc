#include <stdlib.h>
#include <string.h>

#include "engine/validate_internal.h"

#define RV_TARGET "engine"
#define SHARED "manifest.json"
#define MARKER "_SUCCESS"
#define MARKER_MAX_BYTES 4096u

static bool fatal_to_all(rv_status st)
{
    return st == RV_E_MEMORY || st == RV_E_INTERRUPTED;
}

static rv_status fail(rv_validating *v, const char *kind, const char *message, const char *status,
                      rv_error *err)
{
    rv_failure f = {.kind = kind,
                    .message = message,
                    .status = status,
                    .part_id = -1,
                    .size_bytes = -1,
                    .fatal = true};
    return rv_validate_fail(v, &f, err);
}

/* ---- what lies there ---- */

/* Whatever passes tomorrow is not a verdict about data: it ends the export with its own error. */
static rv_status list(rv_validating *v, rv_error *err)
{
    rv_error why = {0};
    rv_status st = v->dd->list(v->dest, "", &v->objects, &why);
    v->listed = st == RV_OK;
    if (st == RV_OK)
        return RV_OK;
    if (fatal_to_all(st) || rv_code(st)->class_ == RV_CLASS_RETRYABLE ||
        v->opts->depth == RV_DEPTH_LIGHT) {
        if (err)
            *err = why;
        return st;
    }
    return fail(v, "list_prefix_error", why.text, NULL, err);
}

static bool is_manifest(const char *key)
{
    rv_str s = rv_str_c(key);
    return strcmp(key, SHARED) == 0 ||
           (rv_str_starts(s, RV_STR("manifest-")) && rv_str_ends(s, RV_STR(".json")));
}

static rv_status read_manifest(rv_validating *v, const char *key, rv_error *err)
{
    rv_seen_manifest *s = &v->manifests[v->n_manifests];
    rv_buf bytes = RV_BUF_INIT;
    bool found = false;
    rv_error why = {0};
    rv_status st;
    RV_GO(rv_arena_cstr(v->arena, rv_str_c(key), &s->key, err));
    st = rv_object_read_all(v->dd, v->dest, key, RV_MANIFEST_MAX_BYTES, &bytes, &found, &why);
    if (st == RV_OK && !found)
        goto done;
    if (st == RV_OK) {
        rv_manifest_marker(rv_buf_str(&bytes), s->marker);
        st = rv_manifest_parse(rv_buf_str(&bytes), v->arena, &s->m, &why);
    }
    s->parsed = st == RV_OK;
    s->mine = s->parsed && strcmp(s->m.export_name, v->x->name) == 0;
    if (fatal_to_all(st)) {
        if (err)
            *err = why;
        goto done;
    }
    st = RV_OK;
    s->why = why;
    v->n_manifests++;
done:
    rv_buf_free(&bytes);
    return st;
}

static rv_status read_manifests(rv_validating *v, rv_error *err)
{
    RV_TRY(rv_arena_array(v->arena, v->objects.n + 1, sizeof *v->manifests, &v->manifests, err));
    if (!v->listed)
        return read_manifest(v, SHARED, err);
    for (size_t i = 0; i < v->objects.n; i++) {
        RV_TRY(rv_cancel_check(v->env->cancel, err));
        if (is_manifest(v->objects.items[i].key))
            RV_TRY(read_manifest(v, v->objects.items[i].key, err));
    }
    return RV_OK;
}

/* ---- the subject ---- */

static bool is_success(const rv_seen_manifest *s)
{
    return s->mine && strcmp(s->m.status, "success") == 0;
}

static const rv_seen_manifest *shared_manifest(const rv_validating *v)
{
    for (size_t i = 0; i < v->n_manifests; i++)
        if (strcmp(v->manifests[i].key, SHARED) == 0)
            return &v->manifests[i];
    return NULL;
}

/* Of this export; `success`: only successful ones. Times are RFC 3339 UTC: text order is time. */
static const rv_seen_manifest *newest(const rv_validating *v, bool success)
{
    const rv_seen_manifest *best = NULL;
    for (size_t i = 0; i < v->n_manifests; i++) {
        const rv_seen_manifest *s = &v->manifests[i];
        if (!s->mine || (success && !is_success(s)))
            continue;
        if (!best || strcmp(s->m.started_at, best->m.started_at) > 0)
            best = s;
    }
    return best;
}

static const rv_seen_manifest *of_run(const rv_validating *v, const char *run_id)
{
    for (size_t i = 0; i < v->n_manifests; i++)
        if (v->manifests[i].mine && strcmp(v->manifests[i].m.run_id, run_id) == 0)
            return &v->manifests[i];
    return NULL;
}

static bool already(const rv_validating *v, const char *run_id)
{
    for (size_t i = 0; i < v->n_subjects; i++)
        if (strcmp(v->subjects[i]->m.run_id, run_id) == 0)
            return true;
    return false;
}

/* manifest.json belongs to somebody else: the export's own manifests are the truth. */
static void take_own(rv_validating *v)
{
    bool together = v->x->mode == RV_INCREMENTAL || v->x->keyset_incremental;
    const rv_seen_manifest *best = newest(v, true);
    if (best)
        v->subjects[v->n_subjects++] = best;
    for (size_t i = 0; together && i < v->n_manifests; i++)
        if (is_success(&v->manifests[i]) && !already(v, v->manifests[i].m.run_id))
            v->subjects[v->n_subjects++] = &v->manifests[i];
}

static rv_status unreadable(rv_validating *v, const rv_seen_manifest *s, rv_error *err)
{
    rv_failure f = {.kind = "manifest_read_error",
                    .message = s->why.text,
                    .key = s->key,
                    .part_id = -1,
                    .size_bytes = -1,
                    .fatal = true};
    v->out->manifest_found = true;
    return rv_validate_fail(v, &f, err);
}

/* A damaged manifest-{run}.json of this export: its name tells whose it was. */
static bool damaged_own(const rv_validating *v, const rv_seen_manifest *s)
{
    size_t len = strlen(v->x->name);
    return !s->parsed && strncmp(s->key, "manifest-", 9) == 0 &&
           strncmp(s->key + 9, v->x->name, len) == 0 && s->key[9 + len] == '_';
}

static rv_status choose_run(rv_validating *v, rv_error *err)
{
    const rv_seen_manifest *s = of_run(v, v->opts->run_id);
    if (s) {
        v->subjects[v->n_subjects++] = s;
        return RV_OK;
    }
    for (size_t i = 0; i < v->n_manifests; i++)
        if (damaged_own(v, &v->manifests[i]) && strstr(v->manifests[i].key, v->opts->run_id))
            return unreadable(v, &v->manifests[i], err);
    if (v->n_manifests == 0)
        return RV_OK;
    const char *text;
    RV_TRY(rv_arena_printf(v->arena, &text, err, "no manifest of run '%s' is at the prefix",
                           v->opts->run_id));
    return fail(v, "manifest_read_error", text, NULL, err);
}

static rv_status choose(rv_validating *v, rv_error *err)
{
    const rv_seen_manifest *shared = shared_manifest(v);
    RV_TRY(rv_arena_array(v->arena, v->n_manifests + 1, sizeof(void *), &v->subjects, err));
    if (v->opts->run_id)
        return choose_run(v, err);
    if (shared && is_success(shared)) {
        v->subjects[v->n_subjects++] = shared;
        return RV_OK;
    }
    if (shared && !shared->parsed)
        RV_TRY(unreadable(v, shared, err));
    take_own(v);
    if (v->n_subjects)
        return RV_OK;
    const rv_seen_manifest *last = newest(v, false);
    if (last) {
        v->subjects[v->n_subjects++] = last;
        return RV_OK;
    }
    for (size_t i = 0; i < v->n_manifests; i++)
        if (damaged_own(v, &v->manifests[i]))
            return unreadable(v, &v->manifests[i], err);
    return RV_OK;
}

static rv_status judge_subjects(rv_validating *v, rv_error *err)
{
    rv_validate_report *r = v->out;
    r->manifest_self_consistent = v->n_subjects > 0;
    for (size_t i = 0; i < v->n_subjects; i++) {
        const rv_manifest *m = &v->subjects[i]->m;
        rv_error why = {0};
        const char *text;
        r->manifest_found = true;
        if (rv_manifest_check(m, &why) != RV_OK) {
            r->manifest_self_consistent = false;
            RV_TRY(fail(v, "manifest_self_inconsistent", why.text, NULL, err));
        }
        if (strcmp(m->status, "success") == 0)
            continue;
        RV_TRY(rv_arena_printf(v->arena, &text, err, "run '%s' ended as %s", m->run_id, m->status));
        RV_TRY(fail(v, "run_not_successful", text, m->status, err));
    }
    if (v->n_subjects)
        r->run_id = v->subjects[0]->m.run_id;
    return RV_OK;
}

/* ---- the marker ---- */

static bool well_formed(rv_str text)
{
    if (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (text.len != 21 || !rv_str_starts(text, RV_STR("xxh3:")))
        return false;
    for (size_t i = 5; i < text.len; i++)
        if (!strchr("0123456789abcdef", text.ptr[i]))
            return false;
    return true;
}

static const rv_seen_manifest *marked(const rv_validating *v, rv_str text)
{
    const rv_seen_manifest *found = NULL;
    for (size_t i = 0; i < v->n_manifests; i++) {
        const rv_seen_manifest *s = &v->manifests[i];
        if (s->marker[0] && text.len >= 21 && memcmp(s->marker, text.ptr, 21) == 0 &&
            (!found || s->mine))
            found = s;
    }
    return found;
}

static rv_status judge_marker(rv_validating *v, rv_str text, rv_error *err)
{
    rv_validate_report *r = v->out;
    if (!well_formed(text))
        return fail(v, "success_marker_malformed",
                    "_SUCCESS does not hold xxh3: and 16 hexadecimal digits", NULL, err);
    const rv_seen_manifest *s = marked(v, text);
    if (s && s->parsed && !s->mine) {
        RV_TRY(rv_arena_printf(v->arena, &r->warning, err, "_SUCCESS at %s is of export '%s'",
                               r->prefix, s->m.export_name));
        RV_LOG_WARN(v->env, "export '%s': %s", v->x->name, r->warning);
        r->success_marker_consistent = true;
        return RV_OK;
    }
    if (v->n_manifests == 0)
        return fail(v, "manifest_missing_under_marker", "_SUCCESS stands without any manifest",
                    NULL, err);
    if (s) {
        r->success_marker_consistent = true;
        return RV_OK;
    }
    return fail(v, "success_marker_stale", "_SUCCESS matches no manifest at the prefix", NULL, err);
}

static rv_status read_marker(rv_validating *v, rv_error *err)
{
    rv_buf bytes = RV_BUF_INIT;
    rv_error why = {0};
    bool found = false;
    rv_status st =
        rv_object_read_all(v->dd, v->dest, MARKER, MARKER_MAX_BYTES, &bytes, &found, &why);
    if (fatal_to_all(st) && err)
        *err = why;
    else if (st == RV_E_CORRUPT) /* far too large for a marker */
        st = fail(v, "success_marker_malformed", why.text, NULL, err);
    else if (st != RV_OK)
        st = fail(v, "success_marker_read_error", why.text, NULL, err);
    else if (found)
        st = judge_marker(v, rv_buf_str(&bytes), err);
    else if (v->out->manifest_found)
        st = fail(v, "success_marker_absent", "there is a manifest but no _SUCCESS", NULL, err);
    rv_buf_free(&bytes);
    return st;
}

rv_status rv_validate_prefix(rv_validating *v, rv_error *err)
{
    rv_validate_report *r = v->out;
    RV_TRY(list(v, err));
    RV_TRY(read_manifests(v, err));
    RV_TRY(choose(v, err));
    RV_TRY(judge_subjects(v, err));
    RV_TRY(read_marker(v, err));
    r->legacy_run = !r->manifest_found && r->n_failures == 0;
    return RV_OK;
}
