#include <stdio.h>
#include <string.h>

#include "destination/cloud/cloud_internal.h"

#define PROBE ".rivet_doctor_probe"

static const char text[] = "written by rivet doctor\n";

/* One probe at work. The object is ours by its name. */
typedef struct rv_probing {
    rv_dest *d;
    rv_http *h;
    rv_probe *out;
    char name[RV_CLOUD_NAME_SIZE], md5[33], owner[33];
    rv_store_write w;
    bool left; /* by an earlier doctor, and perhaps not to be replaced */
} rv_probing;

/* Only the write is required: what else fails is told with what needs it. */
static rv_status warn(rv_probing *p, rv_status st, const char *what, const char *needed,
                      const rv_error *why)
{
    char headline[200];
    if (st == RV_E_MEMORY || st == RV_E_INTERRUPTED)
        return st;
    if (p->out->n_warnings == RV_PROBE_WARNINGS_MAX)
        return RV_OK;
    rv_error_headline(why, headline, sizeof headline);
    (void)snprintf(p->out->warnings[p->out->n_warnings++], sizeof p->out->warnings[0],
                   "%s: %s; needed by %s", what, headline, needed);
    return RV_OK;
}

static rv_status warn_or_fail(rv_probing *p, rv_status st, const char *what, const char *needed,
                              const rv_error *why, rv_error *err)
{
    rv_status over = st == RV_OK ? RV_OK : warn(p, st, what, needed, why);
    if (over != RV_OK && err)
        *err = *why;
    return over;
}

static rv_status put(rv_probing *p, rv_store_condition condition, rv_store_outcome *out,
                     rv_error *err)
{
    p->w.condition = condition;
    return p->d->ops->put(p->d->store, p->h, &p->w, out, err);
}

/* ---- the write, twice ---- */

static const char no_conditions[] = "the store refuses conditional writes: names are looked at "
                                    "before each";
static const char ignored_conditions[] = "the store ignores conditional writes: names are looked "
                                         "at before each";
static const char in_force[] = "conditional writes are in force";

static rv_status replace_probe(rv_probing *p, rv_store_outcome *out, rv_error *err)
{
    rv_error why = {.code = RV_OK};
    rv_status st = put(p, RV_STORE_ALWAYS, out, &why);
    return warn_or_fail(p, st, "an object may not be replaced",
                        "manifest.json and _SUCCESS under a prefix of several runs", &why, err);
}

/* An earlier doctor may have left the object: that the name is told to be taken shows the right to
 * write as well. */
static rv_status write_probe(rv_probing *p, const char **out_conditions, rv_error *err)
{
    rv_store_outcome first = RV_STORE_DONE, outcome = RV_STORE_DONE;
    rv_error why = {.code = RV_OK};
    RV_TRY(put(p, RV_STORE_IF_ABSENT, &first, err));
    *out_conditions = first == RV_STORE_UNCONDITIONAL ? no_conditions : in_force;
    if (first == RV_STORE_UNMET) {
        p->left = true;
        return replace_probe(p, &outcome, err);
    }
    if (first == RV_STORE_UNCONDITIONAL)
        RV_TRY(put(p, RV_STORE_ALWAYS, &outcome, err));
    else if (put(p, RV_STORE_IF_ABSENT, &outcome, &why) == RV_OK && outcome == RV_STORE_DONE)
        *out_conditions = ignored_conditions;
    else
        RV_TRY(replace_probe(p, &outcome, err));
    return outcome == RV_STORE_DONE || outcome == RV_STORE_UNMET
               ? RV_OK
               : rv_fail(err, RV_E_DEST_IO, "the store refuses to write");
}

/* ---- what else a run may need ---- */

#define READERS "validate, reconcile, --resume and replacing own objects"

static rv_status look(rv_probing *p, rv_error *err)
{
    rv_object o = {.size_bytes = 0};
    rv_store_outcome outcome = RV_STORE_MISSING;
    rv_error why = {.code = RV_OK};
    rv_status st = p->d->ops->head(p->d->store, p->h, p->name, &o, &outcome, &why);
    if (st == RV_OK && outcome != RV_STORE_DONE)
        st = rv_fail(&why, RV_E_DEST_IO, "what was just written is missing");
    else if (st == RV_OK && o.size_bytes != p->w.size_bytes)
        st = rv_fail(&why, RV_E_DEST_IO, "what was just written has another size");
    else if (st == RV_OK && (p->left ? !o.owner[0] : strcmp(o.owner, p->owner) != 0))
        st = rv_fail(&why, RV_E_DEST_IO, "the store does not keep the metadata that names owners");
    return warn_or_fail(p, st, "HEAD", READERS, &why, err);
}

static rv_status take_in(void *self, rv_bytes data, rv_error *err)
{
    rv_buf *got = self;
    return rv_buf_add(got, data.ptr, data.len, err);
}

static rv_status read_back(rv_probing *p, rv_error *err)
{
    rv_buf got = RV_BUF_INIT;
    rv_store_outcome outcome = RV_STORE_MISSING;
    rv_error why = {.code = RV_OK};
    rv_status st = p->d->ops->get(p->d->store, p->h, p->name, 0, sizeof text,
                                  (rv_sink){&got, take_in}, &outcome, &why);
    if (st == RV_OK && outcome != RV_STORE_DONE)
        st = rv_fail(&why, RV_E_DEST_IO, "what was just written is missing");
    else if (st == RV_OK && !rv_str_eq(rv_buf_str(&got), rv_str_c(text)))
        st = rv_fail(&why, RV_E_DEST_IO, "what was just written reads back differently");
    rv_buf_free(&got);
    return warn_or_fail(p, st, "GET", READERS, &why, err);
}

static rv_status list(rv_probing *p, rv_error *err)
{
    rv_object_list found = {0};
    rv_buf token = RV_BUF_INIT;
    rv_store_page page = {.into = &found, .token = &token};
    rv_error why = {.code = RV_OK};
    rv_status st = p->d->ops->list(p->d->store, p->h, (const char *)p->d->prefix.ptr, &page, &why);
    rv_buf_free(&token);
    rv_object_list_free(&found);
    return warn_or_fail(p, st, "LIST", "--resume, validate and quarantine", &why, err);
}

static rv_status remove_probe(rv_probing *p, rv_error *err)
{
    rv_store_outcome outcome;
    rv_error why = {.code = RV_OK};
    rv_status st = p->d->ops->remove(p->d->store, p->h, p->name, NULL, &outcome, &why);
    return warn_or_fail(p, st, "DELETE (" PROBE " stays)",
                        "clearing away a dead run, repair --execute", &why, err);
}

static rv_status run(rv_probing *p, rv_error *err)
{
    const char *conditions = "";
    rv_buf who = RV_BUF_INIT;
    rv_status st = p->d->ops->credentials(p->d->store, p->h, &who, err);
    if (st == RV_OK)
        st = write_probe(p, &conditions, err);
    if (st == RV_OK)
        (void)snprintf(p->out->detail, sizeof p->out->detail, "%.*s; %s", (int)who.len,
                       (const char *)who.ptr, conditions);
    rv_buf_free(&who);
    RV_TRY(st);
    RV_TRY(look(p, err));
    RV_TRY(read_back(p, err));
    RV_TRY(list(p, err));
    return remove_probe(p, err);
}

static rv_status describe(rv_probing *p, rv_error *err)
{
    uint8_t raw[16];
    rv_md5 m;
    rv_md5_init(&m);
    rv_md5_update(&m, text, sizeof text - 1);
    rv_md5_final(&m, raw);
    rv_hex(raw, sizeof raw, p->md5);
    RV_TRY(rv_env_random(raw, sizeof raw, err));
    rv_hex(raw, sizeof raw, p->owner);
    RV_TRY(rv_cloud_name(p->d, PROBE, p->name, err));
    p->w = (rv_store_write){.name = p->name,
                            .fd = -1,
                            .bytes = rv_str_bytes(rv_str_c(text)),
                            .size_bytes = sizeof text - 1,
                            .md5 = p->md5,
                            .owner_token = p->owner,
                            .mime = "text/plain"};
    return RV_OK;
}

rv_status rv_cloud_probe(rv_dest *d, rv_probe *out, rv_error *err)
{
    rv_probing p = {.d = d, .out = out};
    out->n_warnings = 0;
    out->detail[0] = '\0';
    RV_TRY(describe(&p, err));
    RV_TRY(rv_lines_take(&d->lines, &p.h, err));
    d->ops->set_tries(d->store, 1);
    rv_status st = run(&p, err);
    d->ops->set_tries(d->store, 0);
    rv_lines_give(&d->lines, p.h);
    return st;
}
