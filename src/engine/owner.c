#include "engine/owner.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "engine/plan.h"

#define RV_TARGET "engine"

static const char *dest_root_as_written(const rv_cfg_dest *d)
{
    return d->kind == RV_DEST_LOCAL ? (d->path ? d->path : d->prefix) : d->bucket;
}

static void write_columns(rv_json *j, const rv_job *job)
{
    rv_expr bound = rv_plan_bound(job);
    rv_json_key(j, "columns");
    rv_json_array(j);
    if (bound.column)
        rv_json_cstr(j, bound.column);
    if (bound.fallback)
        rv_json_cstr(j, bound.fallback);
    for (size_t i = 0; job->keyset && i < job->rel->key.n_columns; i++)
        rv_json_cstr(j, job->rel->key.columns[i]);
    rv_json_array_end(j);
}

rv_status rv_owner_json(rv_job *job, rv_arena *a, const char **out, rv_error *err)
{
    const rv_source_info *info = job->sd->info(job->source);
    const rv_cfg_export *x = job->x;
    rv_buf buf = RV_BUF_INIT;
    rv_json j;
    char hex[17];
    rv_json_begin(&j, &buf, false);
    rv_json_object(&j);
    rv_json_kstr(&j, "source", info->identity);
    rv_json_kstr(&j, "database", info->database);
    rv_json_kstr(&j, "host", info->loopback ? NULL : info->host_port);
    rv_json_kstr(&j, "schema", job->rel->base_schema);
    rv_json_kstr(&j, "relation", job->rel->base_table);
    write_columns(&j, job);
    rv_json_kstr(&j, "destination_kind", rv_dest_kind_name(x->dest.kind));
    rv_json_kstr(&j, "destination_root", dest_root_as_written(&x->dest));
    rv_json_kstr(&j, "destination_prefix", x->dest.kind == RV_DEST_LOCAL ? NULL : x->dest.prefix);
    if (x->query)
        rv_hex_u64(rv_xxh3(x->query, strlen(x->query)), hex);
    rv_json_kstr(&j, "query", x->query ? hex : NULL);
    rv_json_kstr(&j, "plan", job->plan_hash);
    rv_json_object_end(&j);
    rv_status st = rv_json_end(&j, err);
    if (st == RV_OK)
        st = rv_arena_cstr(a, rv_buf_str(&buf), out, err);
    rv_buf_free(&buf);
    return st;
}

static rv_status refuse(rv_job *job, const char *what, const char *fact, const char *old,
                        const char *now, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_RUN_OWNER,
                           "export '%s': the stored %s belongs to another %s\nit was: %s\nnow: %s",
                           job->x->name, what, fact, old, now);
    rv_hint(err,
            "bind it with `rivet state accept -e %s`, give this config a 'project:' of its "
            "own, or drop it with `rivet state %s -e %s`",
            job->x->name, strcmp(what, "checkpoint") == 0 ? "reset-chunks" : "reset", job->x->name);
    return st;
}

/* Unknown on either side (a relation not proven) is no difference. */
static bool differs(const json_t *a, const json_t *b)
{
    if (!a || !b || json_is_null(a) || json_is_null(b))
        return false;
    return !json_equal(a, b);
}

/* A failover behind one name: the host and the database are the same, the server is another. */
static bool rebound(rv_job *job, const json_t *old, const json_t *now, const char *what)
{
    const char *was = json_string_value(json_object_get(old, "host"));
    const char *is = json_string_value(json_object_get(now, "host"));
    if (!was || !is || strcmp(was, is) != 0 ||
        differs(json_object_get(old, "database"), json_object_get(now, "database")))
        return false;
    rv_job_warn(job, "source",
                "another server answers at %s (it was %s, now %s): a failover; the stored %s is "
                "bound to it",
                is, json_string_value(json_object_get(old, "source")),
                json_string_value(json_object_get(now, "source")), what);
    return true;
}

bool rv_owner_accepts_plan(const rv_job *job, const char *stored)
{
    json_error_t why;
    json_t *old = stored ? json_loads(stored, 0, &why) : NULL;
    const char *plan = json_string_value(json_object_get(old, "plan"));
    bool same = plan && strcmp(plan, job->plan_hash) == 0;
    json_decref(old);
    return same;
}

rv_status rv_owner_compare(rv_job *job, const char *stored, const char *what, rv_error *err)
{
    static const struct {
        const char *key, *fact;
    } facts[] = {{"source", "source"},
                 {"database", "database"},
                 {"schema", "relation"},
                 {"relation", "relation"},
                 {"columns", "column"},
                 {"destination_kind", "destination"},
                 {"destination_root", "destination"},
                 {"destination_prefix", "destination"}};
    if (!stored || !*stored)
        return RV_OK;
    rv_status st = RV_OK;
    json_error_t why;
    json_t *old = json_loads(stored, 0, &why);
    json_t *now = json_loads(job->owner_json, 0, &why);
    for (size_t i = 0; st == RV_OK && i < sizeof facts / sizeof facts[0]; i++) {
        const json_t *a = json_object_get(old, facts[i].key),
                     *b = json_object_get(now, facts[i].key);
        if (!differs(a, b) || (i == 0 && rebound(job, old, now, what)))
            continue;
        char *was = json_dumps(a, JSON_ENCODE_ANY | JSON_COMPACT);
        char *is = json_dumps(b, JSON_ENCODE_ANY | JSON_COMPACT);
        st = refuse(job, what, facts[i].fact, was ? was : "?", is ? is : "?", err);
        free(was);
        free(is);
    }
    if (st == RV_OK && differs(json_object_get(old, "query"), json_object_get(now, "query")))
        RV_LOG_WARN(job->env,
                    "export '%s': the query text changed since the %s was stored; the "
                    "%s is kept",
                    job->x->name, what, what);
    json_decref(old);
    json_decref(now);
    return st;
}

static rv_status add_field(rv_buf *buf, const char *text, rv_error *err)
{
    size_t len = text ? strlen(text) : 0;
    uint8_t prefix[8];
    for (unsigned i = 0; i < 8; i++)
        prefix[i] = (uint8_t)((uint64_t)len >> (8 * i));
    RV_TRY(rv_buf_add(buf, prefix, sizeof prefix, err));
    return len ? rv_buf_add(buf, text, len, err) : RV_OK;
}

rv_status rv_plan_hash(rv_job *job, rv_arena *a, const char **out, rv_error *err)
{
    rv_buf buf = RV_BUF_INIT;
    rv_status st;
    const char *strategy;
    char fingerprint[22], hex[17];
    const rv_cfg_export *x = job->x;
    rv_expr bound = rv_plan_bound(job);
    const rv_source_info *info = job->sd->info(job->source);
    RV_GO(rv_plan_strategy(job, a, &strategy, err));
    RV_GO(rv_schema_fingerprint(&job->schema, fingerprint, err));
    RV_GO(add_field(&buf, info->identity, err));
    RV_GO(add_field(&buf, info->database, err));
    RV_GO(add_field(&buf, x->query ? x->query : x->table, err));
    RV_GO(add_field(&buf, bound.column, err));
    RV_GO(add_field(&buf, bound.fallback, err));
    for (size_t i = 0; job->keyset && i < job->rel->key.n_columns; i++)
        RV_GO(add_field(&buf, job->rel->key.columns[i], err));
    RV_GO(add_field(&buf, strategy, err));
    RV_GO(add_field(&buf, x->format, err));
    RV_GO(add_field(&buf, fingerprint, err));
    RV_GO(add_field(&buf, rv_dest_kind_name(x->dest.kind), err));
    RV_GO(add_field(&buf, dest_root_as_written(&x->dest), err));
    RV_GO(add_field(&buf, x->dest.prefix, err));
    rv_hex_u64(rv_xxh3(buf.ptr, buf.len), hex);
    RV_GO(rv_arena_printf(a, out, err, "xxh3:%s", hex));
done:
    rv_buf_free(&buf);
    return st;
}
