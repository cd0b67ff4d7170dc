#include <jansson.h>
#include <string.h>

#include "engine/manifest.h"

typedef struct rv_reading {
    rv_arena *arena;
    rv_error *err;
    rv_status st;
} rv_reading;

static rv_status lacks(rv_reading *r, const char *key)
{
    return rv_fail(r->err, RV_E_VALIDATE, "the manifest lacks a valid '%s'", key);
}

static void get_text(rv_reading *r, const json_t *o, const char *key, bool nullable,
                     const char **out)
{
    const json_t *v = json_object_get(o, key);
    *out = NULL;
    if (r->st != RV_OK || (nullable && json_is_null(v)))
        return;
    if (!json_is_string(v))
        r->st = lacks(r, key);
    else
        r->st = rv_arena_cstr(r->arena, (rv_str){json_string_value(v), json_string_length(v)}, out,
                              r->err);
}

static void get_number(rv_reading *r, const json_t *o, const char *key, bool nullable, int64_t *out)
{
    const json_t *v = json_object_get(o, key);
    *out = -1;
    if (r->st != RV_OK || (nullable && json_is_null(v)))
        return;
    if (!json_is_integer(v))
        r->st = lacks(r, key);
    else
        *out = json_integer_value(v);
}

static bool safe_path(const char *path)
{
    if (!path || !*path || *path == '/')
        return false;
    for (const char *p = path; p; p = strchr(p, '/')) {
        p += *p == '/';
        if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == 0))
            return false;
        if (!*p)
            return false;
    }
    return true;
}

static void get_part(rv_reading *r, const json_t *o, rv_manifest_part *p)
{
    get_number(r, o, "part_id", false, &p->part_id);
    get_number(r, o, "rows", false, &p->rows);
    get_number(r, o, "size_bytes", false, &p->size_bytes);
    get_number(r, o, "chunk_index", true, &p->chunk_index);
    get_text(r, o, "path", false, &p->path);
    get_text(r, o, "content_fingerprint", false, &p->fingerprint);
    get_text(r, o, "content_md5", false, &p->md5);
    get_text(r, o, "status", false, &p->status);
    if (r->st == RV_OK && !safe_path(p->path))
        r->st = rv_fail(r->err, RV_E_VALIDATE, "the manifest names the unsafe path '%s'", p->path);
    if (r->st == RV_OK && (p->rows < 0 || p->size_bytes < 0))
        r->st = lacks(r, "rows");
}

static void get_parts(rv_reading *r, const json_t *root, rv_manifest *m)
{
    const json_t *parts = json_object_get(root, "parts");
    if (r->st == RV_OK && !json_is_array(parts))
        r->st = lacks(r, "parts");
    if (r->st != RV_OK)
        return;
    m->n_parts = json_array_size(parts);
    r->st = rv_arena_array(r->arena, m->n_parts + 1, sizeof *m->parts, &m->parts, r->err);
    for (size_t i = 0; r->st == RV_OK && i < m->n_parts; i++)
        get_part(r, json_array_get(parts, i), &m->parts[i]);
}

static void get_checksums(rv_reading *r, const json_t *root, rv_manifest *m)
{
    const json_t *list = json_object_get(root, "column_checksums");
    if (r->st != RV_OK || !json_is_array(list))
        return;
    m->n_checksums = json_array_size(list);
    r->st =
        rv_arena_array(r->arena, m->n_checksums + 1, sizeof(char *), &m->checksum_names, r->err);
    if (r->st == RV_OK)
        r->st = rv_arena_array(r->arena, m->n_checksums + 1, sizeof(char *), &m->checksums, r->err);
    for (size_t i = 0; r->st == RV_OK && i < m->n_checksums; i++) {
        get_text(r, json_array_get(list, i), "name", false, &m->checksum_names[i]);
        get_text(r, json_array_get(list, i), "checksum", false, &m->checksums[i]);
    }
}

rv_status rv_manifest_parse(rv_str json, rv_arena *a, rv_manifest *out, rv_error *err)
{
    rv_reading r = {.arena = a, .err = err, .st = RV_OK};
    rv_manifest m = {0};
    json_error_t why;
    json_t *root = json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(root)) {
        json_decref(root);
        return rv_fail(err, RV_E_VALIDATE, "the manifest is not a JSON object");
    }
    int64_t version = 0;
    get_number(&r, root, "manifest_version", false, &version);
    if (r.st == RV_OK && version != 1)
        r.st =
            rv_fail(err, RV_E_VALIDATE, "manifest_version %lld is not known", (long long)version);
    get_text(&r, root, "run_id", false, &m.run_id);
    get_text(&r, root, "export_name", false, &m.export_name);
    get_text(&r, root, "status", false, &m.status);
    get_text(&r, root, "started_at", false, &m.started_at);
    get_text(&r, root, "finished_at", false, &m.finished_at);
    get_text(&r, root, "format", false, &m.format);
    get_text(&r, root, "compression", true, &m.compression);
    get_text(&r, root, "checksum_render", true, &m.checksum_render);
    get_text(&r, root, "row_checksum", true, &m.row_checksum);
    m.degraded = json_is_true(json_object_get(root, "degraded"));
    const json_t *source = json_object_get(root, "source");
    get_text(&r, json_object_get(source, "extraction"), "strategy", false, &m.strategy);
    get_number(&r, root, "row_count", false, &m.row_count);
    get_number(&r, root, "part_count", false, &m.part_count);
    get_number(&r, root, "total_bytes", false, &m.total_bytes);
    get_checksums(&r, root, &m);
    get_parts(&r, root, &m);
    json_decref(root);
    if (r.st == RV_OK)
        *out = m;
    return r.st;
}

rv_status rv_manifest_check(const rv_manifest *m, rv_error *err)
{
    int64_t rows = 0, parts = 0, bytes = 0;
    for (size_t i = 0; i < m->n_parts; i++) {
        if (strcmp(m->parts[i].status, "committed") != 0)
            continue;
        if (__builtin_add_overflow(rows, m->parts[i].rows, &rows) ||
            __builtin_add_overflow(bytes, m->parts[i].size_bytes, &bytes))
            return rv_fail(err, RV_E_VALIDATE, "the manifest's totals overflow");
        parts++;
    }
    if (rows != m->row_count || parts != m->part_count || bytes != m->total_bytes)
        return rv_fail(err, RV_E_VALIDATE,
                       "the manifest does not add up: %lld rows, %lld parts, %lld bytes in its "
                       "parts, %lld, %lld, %lld in its totals",
                       (long long)rows, (long long)parts, (long long)bytes, (long long)m->row_count,
                       (long long)m->part_count, (long long)m->total_bytes);
    return RV_OK;
}
