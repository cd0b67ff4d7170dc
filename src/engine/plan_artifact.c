#include "engine/plan_artifact.h"

#include "engine/plan_artifact_internal.h"

#define INDENT 2

/* ---- integrity ---- */

static rv_status add_sorted(const json_t *value, rv_buf *out, rv_error *err)
{
    char *text = json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text)
        return rv_fail_memory(err);
    rv_status st = rv_buf_add_c(out, text, err);
    free(text);
    return st;
}

rv_status rv_plan_integrity(const json_t *resolved, const json_t *computed, char out[22],
                            rv_error *err)
{
    char hex[17];
    rv_buf text = RV_BUF_INIT;
    rv_status st = add_sorted(resolved, &text, err);
    if (st == RV_OK)
        st = add_sorted(computed, &text, err);
    if (st == RV_OK) {
        rv_hex_u64(rv_xxh3(text.ptr, text.len), hex);
        (void)snprintf(out, 22, "xxh3:%s", hex);
    }
    rv_buf_free(&text);
    return st;
}

/* ---- writing ---- */

static void write_resolved(const rv_plan *p, rv_json *j)
{
    rv_json_object(j);
    rv_json_kstr(j, "config_dir", p->config_dir);
    rv_json_kstr(j, "project", p->project);
    rv_json_key(j, "source");
    rv_json_raw(j, rv_str_c(p->source));
    if (p->notifications) {
        rv_json_key(j, "notifications");
        rv_json_raw(j, rv_str_c(p->notifications));
    }
    rv_json_key(j, "export");
    rv_json_raw(j, rv_str_c(p->export_json));
    rv_json_kstr(j, "chunk_column", p->chunk_column);
    rv_json_key(j, "removed");
    rv_json_array(j);
    for (size_t i = 0; i < p->n_removed; i++)
        rv_json_cstr(j, p->removed[i]);
    rv_json_array_end(j);
    rv_json_object_end(j);
}

static void write_ranges(const rv_plan *p, rv_json *j)
{
    rv_json_key(j, "chunk_ranges");
    if (!p->ranges) {
        rv_json_null(j);
        return;
    }
    rv_json_array(j);
    for (size_t i = 0; i < p->n_ranges; i++) {
        rv_json_object(j);
        rv_json_kstr(j, "lo", p->ranges[i].lo);
        rv_json_kstr(j, "hi", p->ranges[i].hi);
        if (i + 1 == p->n_ranges)
            rv_json_kbool(j, "hi_inclusive", true);
        rv_json_object_end(j);
    }
    rv_json_array_end(j);
}

static void write_count(rv_json *j, const char *key, int64_t v)
{
    rv_json_key(j, key);
    if (v < 0)
        rv_json_null(j);
    else
        rv_json_i64(j, v);
}

static void write_computed(const rv_plan *p, rv_json *j)
{
    rv_json_object(j);
    write_ranges(p, j);
    write_count(j, "chunk_count", p->ranges ? (int64_t)p->n_ranges : -1);
    rv_json_kstr(j, "cursor_snapshot", p->cursor_snapshot);
    write_count(j, "row_estimate", p->row_estimate);
    rv_json_object_end(j);
}

static void write_diagnostics(const rv_plan *p, rv_json *j)
{
    rv_json_object(j);
    rv_json_kstr(j, "verdict", p->verdict);
    rv_json_key(j, "warnings");
    rv_json_array(j);
    for (size_t i = 0; i < p->n_warnings; i++)
        rv_json_cstr(j, p->warnings[i]);
    rv_json_array_end(j);
    rv_json_kstr(j, "recommended_profile", p->recommended_profile);
    rv_json_kstr(j, "strategy_rationale", p->strategy_rationale);
    rv_json_object_end(j);
}

static void write_priority(const rv_priority *r, rv_json *j)
{
    rv_json_object(j);
    rv_json_kstr(j, "export_name", r->export_name);
    rv_json_ki64(j, "priority_score", r->score);
    rv_json_kstr(j, "priority_class", r->priority_class);
    rv_json_kstr(j, "cost_class", r->cost_class);
    rv_json_kstr(j, "risk_class", r->risk_class);
    rv_json_ki64(j, "recommended_wave", r->wave);
    rv_json_kbool(j, "isolate_on_source", r->isolate_on_source);
    rv_json_key(j, "reasons");
    rv_json_array(j);
    for (size_t i = 0; i < r->n_reasons; i++) {
        rv_json_object(j);
        rv_json_kstr(j, "kind", r->reasons[i].kind);
        rv_json_kstr(j, "message", r->reasons[i].message);
        rv_json_object_end(j);
    }
    rv_json_array_end(j);
    rv_json_object_end(j);
}

static void write_waves(const rv_campaign *c, rv_json *j)
{
    int64_t wave = 0;
    rv_json_array(j);
    for (size_t i = 0; i < c->n; i++) {
        const rv_priority *r = &c->exports[c->order[i]];
        if (r->wave != wave && wave != 0) {
            rv_json_array_end(j);
            rv_json_object_end(j);
        }
        if (r->wave != wave) {
            wave = r->wave;
            rv_json_object(j);
            rv_json_ki64(j, "wave", wave);
            rv_json_key(j, "exports");
            rv_json_array(j);
        }
        rv_json_cstr(j, r->export_name);
    }
    if (wave != 0) {
        rv_json_array_end(j);
        rv_json_object_end(j);
    }
    rv_json_array_end(j);
}

static void write_prioritization(const rv_plan *p, rv_json *j)
{
    const rv_campaign *c = p->campaign;
    rv_json_object(j);
    rv_json_key(j, "export_recommendation");
    write_priority(&c->exports[p->campaign_index], j);
    rv_json_key(j, "campaign");
    rv_json_object(j);
    rv_json_key(j, "ordered_exports");
    rv_json_array(j);
    for (size_t i = 0; i < c->n; i++)
        write_priority(&c->exports[c->order[i]], j);
    rv_json_array_end(j);
    rv_json_key(j, "waves");
    write_waves(c, j);
    rv_json_key(j, "source_group_warnings");
    rv_json_array(j);
    for (size_t i = 0; i < c->n_warnings; i++)
        rv_json_cstr(j, c->warnings[i]);
    rv_json_array_end(j);
    rv_json_object_end(j);
    rv_json_object_end(j);
}

static void write_all(const rv_plan *p, rv_json *j)
{
    rv_json_object(j);
    rv_json_kstr(j, "rivet_version", p->rivet_version);
    rv_json_kstr(j, "plan_id", p->plan_id);
    rv_json_kstr(j, "created_at", p->created_at);
    rv_json_kstr(j, "expires_at", p->expires_at);
    rv_json_kstr(j, "config_path", p->config_path);
    rv_json_kstr(j, "export_name", p->export_name);
    rv_json_kstr(j, "strategy", p->strategy);
    rv_json_kstr(j, "plan_fingerprint", p->plan_fingerprint);
    rv_json_kstr(j, "integrity", NULL); /* its place; the value follows from what comes next */
    rv_json_key(j, "resolved_plan");
    write_resolved(p, j);
    rv_json_key(j, "computed");
    write_computed(p, j);
    rv_json_key(j, "diagnostics");
    write_diagnostics(p, j);
    rv_json_key(j, "prioritization");
    write_prioritization(p, j);
    rv_json_object_end(j);
}

static rv_status dump(const json_t *root, rv_buf *out, rv_error *err)
{
    char *text = json_dumps(root, JSON_INDENT(INDENT));
    if (!text)
        return rv_fail_memory(err);
    rv_status st = rv_buf_add_c(out, text, err);
    free(text);
    return st;
}

rv_status rv_plan_json(const rv_plan *plan, rv_buf *out, rv_error *err)
{
    rv_json j;
    rv_buf text = RV_BUF_INIT;
    json_error_t why;
    json_t *root = NULL;
    char integrity[22];
    rv_json_begin(&j, &text, false);
    write_all(plan, &j);
    rv_status st = rv_json_end(&j, err);
    if (st == RV_OK) {
        root = json_loadb((const char *)text.ptr, text.len, 0, &why);
        st = root ? RV_OK : rv_fail(err, RV_E_INTERNAL, "a plan is no JSON: %s", why.text);
    }
    if (st == RV_OK)
        st = rv_plan_integrity(json_object_get(root, "resolved_plan"),
                               json_object_get(root, "computed"), integrity, err);
    if (st == RV_OK && json_object_set_new(root, "integrity", json_string(integrity)) != 0)
        st = rv_fail_memory(err);
    if (st == RV_OK)
        st = dump(root, out, err);
    json_decref(root);
    rv_buf_free(&text);
    return st;
}
