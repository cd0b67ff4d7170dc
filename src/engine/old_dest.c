#include "engine/old_dest.h"

#include <jansson.h>
#include <string.h>

typedef struct rv_where {
    const char *kind, *endpoint, *root, *account;
} rv_where;

static const char *text_of(const char *s)
{
    return s ? s : "";
}

rv_status rv_old_dest_facts(rv_job *job, const char **out, rv_error *err)
{
    const char *endpoint = "", *root = "";
    rv_buf json = RV_BUF_INIT;
    rv_json j;
    if (job->dd->facts)
        job->dd->facts(job->dest, &endpoint, &root);
    rv_json_begin(&j, &json, false);
    rv_json_object(&j);
    rv_json_kstr(&j, "kind", job->dd->name);
    rv_json_kstr(&j, "endpoint", endpoint);
    rv_json_kstr(&j, "root", root);
    if (job->x->dest.account_name)
        rv_json_kstr(&j, "account", job->x->dest.account_name);
    rv_json_object_end(&j);
    rv_status st = rv_json_end(&j, err);
    if (st == RV_OK)
        st = rv_arena_cstr(&job->arena, rv_buf_str(&json), out, err);
    rv_buf_free(&json);
    return st;
}

static rv_status member(rv_job *job, const json_t *root, const char *key, const char **out,
                        rv_error *err)
{
    const char *text = json_string_value(json_object_get(root, key));
    return rv_arena_cstr(&job->arena, rv_str_c(text_of(text)), out, err);
}

static rv_status parse(rv_job *job, const char *facts, rv_where *out, rv_error *err)
{
    json_error_t why;
    rv_status st;
    json_t *root = json_loads(text_of(facts), 0, &why);
    *out = (rv_where){"", "", "", ""};
    RV_GO(member(job, root, "kind", &out->kind, err));
    RV_GO(member(job, root, "endpoint", &out->endpoint, err));
    RV_GO(member(job, root, "root", &out->root, err));
    RV_GO(member(job, root, "account", &out->account, err));
done:
    json_decref(root);
    return st;
}

rv_status rv_old_dest_is_ours(rv_job *job, const rv_run_row *row, bool *out, rv_error *err)
{
    const char *now;
    rv_where a, b;
    RV_TRY(rv_old_dest_facts(job, &now, err));
    RV_TRY(parse(job, now, &a, err));
    RV_TRY(parse(job, row->destination, &b, err));
    *out = strcmp(a.kind, b.kind) == 0 && strcmp(a.endpoint, b.endpoint) == 0 &&
           strcmp(a.root, b.root) == 0 && strcmp(a.account, b.account) == 0;
    return RV_OK;
}

static const rv_dest_driver *driver_named(const rv_job *job, const char *name)
{
    if (strcmp(job->dd->name, name) == 0)
        return job->dd;
    for (const rv_dest_driver *const *d = rv_dest_drivers(); *d; d++)
        if (strcmp((*d)->name, name) == 0)
            return *d;
    return NULL;
}

/* Credentials go nowhere but to an endpoint and an account that the configuration names. */
static const rv_cfg_dest *keys_for(const rv_job *job, const rv_dest_driver *dd, const rv_where *w)
{
    const rv_cfg_dest *mine = &job->x->dest;
    for (size_t i = 0; i <= job->cfg->n_exports; i++) {
        const rv_cfg_dest *d = i == 0 ? mine : &job->cfg->exports[i - 1].dest;
        if (d->kind == dd->kind && strcmp(text_of(d->endpoint), w->endpoint) == 0 &&
            strcmp(text_of(d->account_name), w->account) == 0)
            return d;
    }
    return NULL;
}

rv_status rv_old_dest_open(rv_job *job, const rv_run_row *row, rv_old_dest *out, bool *out_known,
                           rv_error *err)
{
    rv_where w;
    rv_cfg_dest cfg = {.kind = RV_DEST_LOCAL};
    RV_TRY(parse(job, row->destination, &w, err));
    *out = (rv_old_dest){.dd = driver_named(job, w.kind)};
    *out_known = false;
    if (!out->dd)
        return RV_OK;
    if (out->dd->kind != RV_DEST_LOCAL) {
        const rv_cfg_dest *keys = keys_for(job, out->dd, &w);
        if (!keys)
            return RV_OK;
        cfg = *keys;
        if (out->dd->kind != RV_DEST_STDOUT)
            cfg.bucket = w.root;
    }
    *out_known = true;
    return out->dd->open(job->env, &cfg, text_of(row->prefix), &out->dest, err);
}

void rv_old_dest_close(rv_old_dest *o)
{
    if (o->dest)
        o->dd->close(o->dest);
    o->dest = NULL;
}
