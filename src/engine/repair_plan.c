#include <jansson.h>
#include <string.h>

#include "engine/reconcile_internal.h"

#define RV_TARGET "engine"

/* ---- a report from a file ---- */

typedef struct rv_report_reading {
    const char *path;
    rv_arena *arena;
    rv_error *err;
} rv_report_reading;

static rv_status unusable(const rv_report_reading *r, const char *what)
{
    return rv_fail(r->err, RV_E_REPAIR_REPORT, "report %s: %s", r->path, what);
}

static rv_status text(const rv_report_reading *r, const json_t *object, const char *key,
                      const char **out)
{
    const json_t *item = json_object_get(object, key);
    *out = NULL;
    if (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item))
        return unusable(r, "it lacks a readable export_name, run_id, identifier, path or status");
    return rv_arena_cstr(r->arena, rv_str_c(json_string_value(item)), out, r->err);
}

static rv_status read_partitions(const rv_report_reading *r, const json_t *list,
                                 rv_reconcile_report *out)
{
    size_t n = json_array_size(list);
    RV_TRY(rv_arena_array(r->arena, n + 1, sizeof *out->partitions, &out->partitions, r->err));
    for (size_t i = 0; i < n; i++) {
        rv_slice *p = &out->partitions[i];
        *p = (rv_slice){.source_count = -1, .exported_count = -1};
        RV_TRY(text(r, json_array_get(list, i), "identifier", &p->identifier));
        RV_TRY(text(r, json_array_get(list, i), "status", &p->status));
    }
    out->n_partitions = n;
    return RV_OK;
}

/* The original's reports know no destination. */
static rv_status read_parts(const rv_report_reading *r, const json_t *list,
                            rv_reconcile_report *out)
{
    size_t n = json_array_size(list);
    RV_TRY(rv_arena_array(r->arena, n + 1, sizeof *out->parts, &out->parts, r->err));
    for (size_t i = 0; i < n; i++) {
        RV_TRY(text(r, json_array_get(list, i), "path", &out->parts[i].path));
        RV_TRY(text(r, json_array_get(list, i), "status", &out->parts[i].status));
    }
    out->n_parts = n;
    return RV_OK;
}

static rv_status read_report(const rv_report_reading *r, const json_t *root,
                             rv_reconcile_report *out)
{
    const json_t *partitions = json_object_get(root, "partitions");
    const json_t *parts = json_object_get(root, "destination");
    if (!json_is_object(root) || !json_is_array(partitions) || (parts && !json_is_array(parts)))
        return unusable(r, "it is not the JSON that `rivet reconcile --format json` writes");
    RV_TRY(text(r, root, "export_name", &out->export_name));
    RV_TRY(text(r, root, "run_id", &out->run_id));
    RV_TRY(read_partitions(r, partitions, out));
    return read_parts(r, parts, out);
}

rv_status rv_report_parse(rv_str json, const char *path, rv_arena *a, rv_reconcile_report *out,
                          rv_error *err)
{
    const rv_report_reading r = {path, a, err};
    json_error_t why;
    json_t *root = json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES, &why);
    *out = (rv_reconcile_report){0};
    rv_status st = read_report(&r, root, out);
    json_decref(root);
    return st;
}

/* ---- the plan ---- */

typedef struct rv_planning {
    const rv_slices *known;
    bool *planned; /* of each known range */
    rv_arena *arena;
    rv_repair_report *out;
} rv_planning;

static rv_status skip(rv_planning *p, const char *identifier, const char *reason, rv_error *err)
{
    return rv_arena_printf(p->arena, &p->out->skipped[p->out->n_skipped++], err, "%s: %s",
                           identifier, reason);
}

static rv_status act(rv_planning *p, const rv_slice *unit, const char *reason, rv_error *err)
{
    rv_unit_id id;
    rv_repair_report *out = p->out;
    bool *planned = &p->planned[unit - p->known->rows];
    if (*planned)
        return RV_OK; /* for another reason */
    *planned = true;
    if (!rv_unit_id_parse(unit->unit, &id))
        return rv_fail(err, RV_E_INTERNAL, "unit '%s' has no range", unit->unit);
    out->actions[out->n_actions++] = (rv_repair_action){.unit = unit->unit,
                                                        .chunk_index = id.keyset ? -1 : id.index,
                                                        .start_key = unit->key_low,
                                                        .end_key = unit->key_high,
                                                        .reason = reason,
                                                        .rows_written = -1};
    return RV_OK;
}

/* "chunk 3 [..": "keyset 2-5 (..": the number counts, the bounds are those of the state. */
static bool parse_identifier(const char *text, rv_unit_id *out)
{
    char unit[RV_UNIT_NAME_SIZE];
    const char *blank = strchr(text, ' ');
    if (!blank)
        return false;
    size_t word = (size_t)(blank - text), digits = strspn(blank + 1, "0123456789-");
    if (word + digits >= sizeof unit)
        return false;
    memcpy(unit, text, word);
    memcpy(unit + word, blank + 1, digits);
    unit[word + digits] = '\0';
    return rv_unit_id_parse(unit, out) && out->generation == 0;
}

static rv_status plan_partition(rv_planning *p, const rv_slice *r, rv_error *err)
{
    rv_unit_id id;
    bool mismatch = strcmp(r->status, "mismatch") == 0;
    if (!mismatch && strcmp(r->status, "unknown") != 0)
        return RV_OK;
    if (strcmp(r->identifier, "full") == 0)
        return skip(p, r->identifier, "not chunked; `rivet run` exports the whole table again",
                    err);
    if (!parse_identifier(r->identifier, &id))
        return skip(p, r->identifier, "the identifier names no chunk or keyset unit", err);
    const rv_slice *unit = rv_slice_find(p->known, &id);
    if (!unit)
        return skip(p, r->identifier, "the run has no such chunk or keyset unit", err);
    return act(p, unit, mismatch ? "mismatch" : "unknown", err);
}

static const char *known_word(const char *status)
{
    static const char *const words[] = {"missing", "size_mismatch", "checksum_mismatch"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], status) == 0)
            return words[i];
    return NULL;
}

static rv_status plan_part(rv_planning *p, const rv_checked_part *c, rv_error *err)
{
    const char *unit, *stem, *word = known_word(c->status);
    rv_unit_id id;
    if (strcmp(c->status, "untracked") == 0)
        return skip(p, c->path, "untracked; --execute moves it to _quarantine", err);
    if (!word)
        return RV_OK;
    RV_TRY(rv_unit_of_path(c->path, p->arena, &unit, &stem, err));
    const rv_slice *found =
        unit && rv_unit_id_parse(unit, &id) ? rv_slice_find(p->known, &id) : NULL;
    if (found)
        return act(p, found, word, err);
    const char *reason;
    RV_TRY(rv_arena_printf(p->arena, &reason, err,
                           "%s; it belongs to no chunk or keyset unit of the run, `rivet run` "
                           "exports anew",
                           word));
    return skip(p, c->path, reason, err);
}

rv_status rv_repair_plan(const rv_reconcile_report *report, const rv_slices *known, rv_arena *a,
                         rv_repair_report *out, rv_error *err)
{
    rv_planning p = {.known = known, .arena = a, .out = out};
    size_t most = report->n_partitions + report->n_parts + 1;
    RV_TRY(rv_arena_array(a, known->n + 1, sizeof *p.planned, &p.planned, err));
    memset(p.planned, 0, (known->n + 1) * sizeof *p.planned);
    RV_TRY(rv_arena_array(a, most, sizeof *out->actions, &out->actions, err));
    RV_TRY(rv_arena_array(a, most, sizeof *out->skipped, &out->skipped, err));
    for (size_t i = 0; i < report->n_partitions; i++)
        RV_TRY(plan_partition(&p, &report->partitions[i], err));
    for (size_t i = 0; i < report->n_parts; i++)
        RV_TRY(plan_part(&p, &report->parts[i], err));
    return RV_OK;
}
