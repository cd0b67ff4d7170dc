#include "engine/publish.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "engine/manifest.h"
#include "engine/objects.h"

#define RV_TARGET "engine"
#define SHARED_TRIES 5
#define SHARED "manifest.json"

static rv_status digest_bytes(rv_str text, rv_digests *out, rv_error *err)
{
    rv_digest d;
    if (!rv_digest_init(&d))
        return rv_fail_memory(err);
    rv_digest_update(&d, text.ptr, text.len);
    rv_digest_final(&d, out);
    rv_digest_free(&d);
    return RV_OK;
}

typedef struct rv_text_put {
    const char *key, *mime;
    rv_put_mode mode;
    const char *version;      /* SHARED */
    const rv_digests *before; /* NEW: of the own object that may be replaced; NULL: none */
} rv_text_put;

static rv_status put_text(const rv_publication *p, const rv_text_put *t, rv_str text,
                          rv_put_outcome *out, rv_error *err)
{
    rv_digests digests = {0};
    RV_TRY(digest_bytes(text, &digests, err));
    rv_put_spec spec = {.key = t->key,
                        .bytes = rv_str_bytes(text),
                        .digests = &digests,
                        .owner_token = p->owner_token,
                        .mime = t->mime,
                        .mode = t->mode,
                        .version = t->version,
                        .known_fingerprint = t->before ? t->before->fingerprint : NULL,
                        .known_size_bytes = t->before ? t->before->size_bytes : 0,
                        .guard = p->guard,
                        .guard_ctx = p->guard_ctx};
    return p->dd->put(p->dest, &spec, out, err);
}

/* The manifest of an earlier failed end of this very run is ours to replace: locally its run_id
 * proves that, elsewhere the owner token does. One of success is final. */
static rv_status find_own(const rv_publication *p, const char *key, rv_digests *out, bool *out_own,
                          rv_error *err)
{
    rv_buf old = RV_BUF_INIT;
    rv_arena scratch = RV_ARENA_INIT;
    rv_manifest m;
    rv_error why = {0}, ignored = {0};
    bool found = false;
    *out_own = false;
    rv_status st =
        rv_object_read_all(p->dd, p->dest, key, RV_MANIFEST_MAX_BYTES, &old, &found, &why);
    if (st == RV_E_CORRUPT || st == RV_E_DEST_PERMISSION)
        st = RV_OK; /* not a manifest of ours, or nobody may know */
    else if (st != RV_OK && err)
        *err = why;
    else if (st == RV_OK && found &&
             rv_manifest_parse(rv_buf_str(&old), &scratch, &m, &ignored) == RV_OK)
        *out_own = strcmp(m.run_id, p->run_id) == 0 && strcmp(m.export_name, p->export_name) == 0 &&
                   strcmp(m.status, "success") != 0;
    if (*out_own)
        st = digest_bytes(rv_buf_str(&old), out, err);
    rv_arena_free(&scratch);
    rv_buf_free(&old);
    return st;
}

rv_status rv_publish_own(const rv_publication *p, char *out_name, rv_error *err)
{
    rv_put_outcome outcome;
    rv_digests before = {0};
    bool own = false;
    rv_str json = rv_str_c(p->manifest_json);
    rv_text_put put = {.key = out_name, .mime = "application/json", .mode = RV_PUT_NEW};
    (void)snprintf(out_name, RV_PUBLISH_NAME_SIZE, "manifest-%s.json", p->run_id);
    RV_TRY(find_own(p, out_name, &before, &own, err));
    put.before = own ? &before : NULL;
    RV_TRY(put_text(p, &put, json, &outcome, err));
    if (outcome == RV_PUT_FOREIGN) {
        put.before = NULL;
        (void)snprintf(out_name, RV_PUBLISH_NAME_SIZE, "manifest-%s-%lld.json", p->run_id,
                       (long long)p->epoch);
        RV_TRY(put_text(p, &put, json, &outcome, err));
        if (outcome == RV_PUT_FOREIGN)
            return rv_fail(err, RV_E_DEST_CONFLICT, "%s belongs to somebody else", out_name);
    }
    RV_KILL_POINT("published-own");
    return RV_OK;
}

/* True when the manifest at the shared name is of a later run of the same export. */
static rv_status is_later(const rv_publication *p, rv_str json, bool *out, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_manifest m;
    rv_error ignored = {0};
    int64_t theirs, ours;
    *out = false;
    rv_status st = rv_manifest_parse(json, &scratch, &m, &ignored);
    if (st == RV_E_MEMORY)
        rv_fail_memory(err);
    else if (st == RV_OK && strcmp(m.export_name, p->export_name) == 0 &&
             strcmp(m.run_id, p->run_id) != 0 &&
             rv_rfc3339_parse(rv_str_c(m.started_at), &theirs) &&
             rv_rfc3339_parse(rv_str_c(p->started_at), &ours))
        *out = theirs > ours;
    rv_arena_free(&scratch);
    return st == RV_E_MEMORY ? st : RV_OK;
}

static void warn_shared(const rv_publication *p, const char *key, const char *why)
{
    RV_LOG_WARN(p->env, "export '%s': %s stays as it is: %s", p->export_name, key, why);
}

/* Whether a later run has published; what cannot be read, or is no manifest, is of none. */
static rv_status later_published(const rv_publication *p, bool *out, rv_error *err)
{
    rv_buf old = RV_BUF_INIT;
    rv_error why = {0};
    bool found = false;
    *out = false;
    rv_status st =
        rv_object_read_all(p->dd, p->dest, SHARED, RV_MANIFEST_MAX_BYTES, &old, &found, &why);
    if (st == RV_E_CORRUPT || st == RV_E_DEST_PERMISSION)
        st = RV_OK;
    else if (st != RV_OK && err)
        *err = why;
    else if (st == RV_OK && found)
        st = is_later(p, rv_buf_str(&old), out, err);
    rv_buf_free(&old);
    return st;
}

/* Replaces a shared name unless a later run has published, asked behind each look at its version:
 * the marker of that run is not taken back either. *out_kept: a later run's stays. */
static rv_status put_shared(const rv_publication *p, const char *key, rv_str text, const char *mime,
                            bool *out_kept, rv_error *err)
{
    rv_text_put put = {.key = key, .mime = mime, .mode = RV_PUT_SHARED};
    rv_put_outcome outcome = RV_PUT_CHANGED;
    *out_kept = false;
    for (int i = 0; i < SHARED_TRIES && outcome == RV_PUT_CHANGED; i++) {
        rv_object obj;
        bool found = false, known;
        RV_TRY(rv_object_look(p->dd, p->dest, key, &obj, &found, &known, err));
        if (found)
            RV_TRY(later_published(p, out_kept, err));
        if (*out_kept)
            return RV_OK;
        put.version = found ? obj.version : NULL; /* unknown: the driver writes over it */
        RV_TRY(put_text(p, &put, text, &outcome, err));
    }
    if (outcome == RV_PUT_FOREIGN)
        warn_shared(p, key, "the destination does not let it be replaced");
    else if (outcome == RV_PUT_CHANGED)
        warn_shared(p, key, "other runs keep replacing it");
    return RV_OK;
}

rv_status rv_publish(const rv_publication *p, char *out_name, rv_error *err)
{
    bool later = false;
    char marker[24];
    rv_str json = rv_str_c(p->manifest_json);
    RV_TRY(rv_publish_own(p, out_name, err));
    RV_TRY(put_shared(p, SHARED, json, "application/json", &later, err));
    RV_KILL_POINT("published-manifest");
    if (later)
        return RV_OK;
    rv_manifest_marker(json, marker);
    RV_TRY(put_shared(p, "_SUCCESS", rv_str_c(marker), "text/plain", &later, err));
    RV_KILL_POINT("published-marker");
    return RV_OK;
}
