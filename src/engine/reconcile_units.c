#include <stdlib.h>
#include <string.h>

#include "engine/reconcile_internal.h"

#define RV_TARGET "engine"

/* ---- names ---- */

static bool take_number(const char **p, int64_t *out)
{
    size_t len = strspn(*p, "0123456789");
    if (!rv_str_i64((rv_str){*p, len}, out))
        return false;
    *p += len;
    return true;
}

static bool take_word(const char **p, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(*p, word, len) != 0)
        return false;
    *p += len;
    return true;
}

/* Stops behind the unit: *io_p tells where. */
static bool parse_unit(const char **io_p, rv_unit_id *out)
{
    *out = (rv_unit_id){.range = -1};
    out->keyset = take_word(io_p, "keyset");
    if (!out->keyset && !take_word(io_p, "chunk"))
        return false;
    if (!take_number(io_p, &out->index))
        return false;
    if (out->keyset && take_word(io_p, "-")) {
        out->range = out->index;
        if (!take_number(io_p, &out->index))
            return false;
    }
    return !take_word(io_p, "_repair") || take_number(io_p, &out->generation);
}

bool rv_unit_id_parse(const char *unit, rv_unit_id *out)
{
    return parse_unit(&unit, out) && *unit == '\0';
}

rv_status rv_unit_base(const rv_unit_id *id, rv_arena *a, const char **out, rv_error *err)
{
    char name[RV_UNIT_NAME_SIZE];
    if (id->keyset)
        rv_name_unit_keyset(id->range >= 0, id->range, id->index, name);
    else
        rv_name_unit_chunk(id->index, name);
    return rv_arena_cstr(a, rv_str_c(name), out, err);
}

/* The last "_chunk" or "_keyset": an export's own name may hold such a word too. */
static const char *unit_mark(const char *path)
{
    const char *mark = NULL;
    for (const char *p = strchr(path, '_'); p; p = strchr(p + 1, '_'))
        if (strncmp(p, "_chunk", 6) == 0 || strncmp(p, "_keyset", 7) == 0)
            mark = p;
    return mark;
}

rv_status rv_unit_of_path(const char *path, rv_arena *a, const char **out_unit,
                          const char **out_stem, rv_error *err)
{
    rv_unit_id id;
    int64_t part;
    *out_unit = *out_stem = NULL;
    const char *mark = unit_mark(path), *end = mark ? mark + 1 : NULL;
    if (!mark || !parse_unit(&end, &id))
        return RV_OK;
    size_t len = (size_t)(end - (mark + 1));
    if ((take_word(&end, "_part") && !take_number(&end, &part)) || *end != '.')
        return RV_OK;
    RV_TRY(rv_arena_cstr(a, (rv_str){path, (size_t)(mark - path)}, out_stem, err));
    return rv_arena_cstr(a, (rv_str){mark + 1, len}, out_unit, err);
}

/* ---- the ranges of a run ---- */

typedef struct rv_loading {
    rv_arena *arena;
    rv_slices *out;
    size_t cap;
    rv_unit_rows units;
    rv_task_rows tasks;
    rv_range_rows ranges;
} rv_loading;

static const char *or_open(const char *key)
{
    return key ? key : "";
}

rv_status rv_slice_identify(rv_slice *p, rv_arena *a, rv_error *err)
{
    rv_unit_id id;
    if (!rv_unit_id_parse(p->unit, &id))
        return rv_arena_cstr(a, RV_STR("full"), &p->identifier, err);
    if (id.keyset && id.range >= 0)
        return rv_arena_printf(a, &p->identifier, err, "keyset %lld-%lld (%s..%s]",
                               (long long)id.range, (long long)id.index, or_open(p->key_low),
                               or_open(p->key_high));
    if (id.keyset)
        return rv_arena_printf(a, &p->identifier, err, "keyset %lld (%s..%s]", (long long)id.index,
                               or_open(p->key_low), or_open(p->key_high));
    if (strcmp(p->kind, "null") == 0)
        return rv_arena_printf(a, &p->identifier, err, "chunk %lld [NULL]", (long long)id.index);
    return rv_arena_printf(a, &p->identifier, err, "chunk %lld [%s..%s%c", (long long)id.index,
                           or_open(p->key_low), or_open(p->key_high),
                           strcmp(p->kind, "last") == 0 ? ']' : ')');
}

static rv_status add(rv_loading *l, const rv_slice *p, rv_error *err)
{
    rv_slices *out = l->out;
    if (out->n == l->cap) {
        size_t cap = l->cap ? l->cap * 4 : 16;
        rv_slice *more;
        RV_TRY(rv_arena_array(l->arena, cap, sizeof *more, &more, err));
        if (out->n)
            memcpy(more, out->rows, out->n * sizeof *more);
        out->rows = more;
        l->cap = cap;
    }
    rv_slice *own = &out->rows[out->n];
    *own = *p;
    own->source_count = -1;
    RV_TRY(rv_slice_identify(own, l->arena, err));
    out->n++;
    return RV_OK;
}

/* Units are sorted by index, and so are tasks: *io_at only ever moves on. */
static const rv_unit_row *unit_of_task(const rv_loading *l, int64_t index, size_t *io_at)
{
    rv_unit_id id;
    for (; *io_at < l->units.n; ++*io_at) {
        bool chunk = rv_unit_id_parse(l->units.rows[*io_at].unit, &id) && !id.keyset;
        if (chunk && id.index >= index)
            return id.index == index ? &l->units.rows[*io_at] : NULL;
    }
    return NULL;
}

/* A checkpoint remembers how each chunk was cut, and which were never read. */
static rv_status add_tasks(rv_loading *l, rv_error *err)
{
    size_t at = 0;
    for (size_t i = 0; i < l->tasks.n; i++) {
        const rv_task_row *t = &l->tasks.rows[i];
        const rv_unit_row *u = unit_of_task(l, t->chunk_index, &at);
        bool done = u && u->committed_at && strcmp(t->status, "completed") == 0;
        char name[RV_UNIT_NAME_SIZE];
        rv_slice p = {.kind = t->kind,
                      .key_low = t->start_key,
                      .key_high = t->end_key,
                      .exported_count = done ? u->rows : -1,
                      .status = done ? NULL : "unknown",
                      .note = done ? NULL : "the chunk is unfinished"};
        rv_name_unit_chunk(t->chunk_index, name);
        RV_TRY(rv_arena_cstr(l->arena, rv_str_c(name), &p.unit, err));
        RV_TRY(add(l, &p, err));
    }
    return RV_OK;
}

/* Without a checkpoint only bounds are stored: both open means NULL, the highest chunk is closed,
 * but day windows never are. */
static rv_status add_chunks(rv_loading *l, bool days, bool finished, rv_error *err)
{
    int64_t highest = -1;
    rv_unit_id id;
    for (size_t i = 0; i < l->units.n; i++) {
        const rv_unit_row *u = &l->units.rows[i];
        if (rv_unit_id_parse(u->unit, &id) && !id.keyset && (u->key_low || u->key_high) &&
            id.index > highest)
            highest = id.index;
    }
    for (size_t i = 0; i < l->units.n; i++) {
        const rv_unit_row *u = &l->units.rows[i];
        if (!rv_unit_id_parse(u->unit, &id) || id.keyset)
            continue;
        bool null = !u->key_low && !u->key_high;
        bool known = u->committed_at && (finished || id.index != highest);
        rv_slice p = {.unit = u->unit,
                      .kind = null                              ? "null"
                              : days                            ? "days"
                              : finished && id.index == highest ? "last"
                                                                : "range",
                      .key_low = u->key_low,
                      .key_high = u->key_high,
                      .exported_count = known ? u->rows : -1,
                      .status = known ? NULL : "unknown",
                      .note = known ? NULL : "the run is unfinished"};
        RV_TRY(add(l, &p, err));
    }
    return RV_OK;
}

static const rv_range_row *range_of(const rv_loading *l, const rv_unit_id *id)
{
    int64_t index = id->range >= 0 ? id->range : 0;
    for (size_t i = 0; i < l->ranges.n; i++)
        if (l->ranges.rows[i].range_index == index)
            return &l->ranges.rows[i];
    return NULL;
}

static rv_status add_keyset(rv_loading *l, rv_error *err)
{
    for (size_t i = 0; i < l->units.n; i++) {
        const rv_unit_row *u = &l->units.rows[i];
        rv_unit_id id;
        if (!rv_unit_id_parse(u->unit, &id) || !id.keyset)
            continue;
        const rv_range_row *range = range_of(l, &id);
        if (!u->committed_at && range && id.index >= range->next_unit)
            continue; /* within what its range still owes */
        bool done = u->committed_at != NULL;
        rv_slice p = {.unit = u->unit,
                      .kind = "keys",
                      .key_low = u->key_low,
                      .key_high = u->key_high,
                      .exported_count = done ? u->rows : -1,
                      .status = done ? NULL : "unknown",
                      .note = done ? NULL : "the unit is unfinished"};
        RV_TRY(add(l, &p, err));
    }
    return RV_OK;
}

/* What no unit of a range has read yet. */
static rv_status add_remainders(rv_loading *l, rv_error *err)
{
    for (size_t i = 0; i < l->ranges.n; i++) {
        const rv_range_row *r = &l->ranges.rows[i];
        char name[RV_UNIT_NAME_SIZE];
        if (r->done)
            continue;
        rv_slice p = {.kind = "keys",
                      .key_low = r->position,
                      .key_high = r->hi,
                      .exported_count = -1,
                      .status = "unknown",
                      .note = "the rest of the key range is unfinished"};
        rv_name_unit_keyset(l->ranges.n > 1, r->range_index, r->next_unit, name);
        RV_TRY(rv_arena_cstr(l->arena, rv_str_c(name), &p.unit, err));
        RV_TRY(add(l, &p, err));
    }
    return RV_OK;
}

static int by_index(const void *a, const void *b)
{
    rv_unit_id x, y;
    const rv_slice *p = a, *q = b;
    if (!rv_unit_id_parse(p->unit, &x) || !rv_unit_id_parse(q->unit, &y))
        return strcmp(p->unit, q->unit);
    if (x.range != y.range)
        return x.range < y.range ? -1 : 1;
    return x.index < y.index ? -1 : x.index > y.index;
}

static bool many(const rv_loading *l)
{
    rv_unit_id id;
    for (size_t i = 0; i < l->units.n; i++)
        if (rv_unit_id_parse(l->units.rows[i].unit, &id))
            return true;
    return l->tasks.n > 0 || l->ranges.n > 0;
}

static rv_status add_whole(rv_loading *l, rv_error *err)
{
    for (size_t i = 0; i < l->units.n; i++) {
        const rv_unit_row *u = &l->units.rows[i];
        rv_slice p = {.unit = "0",
                      .kind = "whole",
                      .exported_count = u->committed_at ? u->rows : -1,
                      .status = u->committed_at ? NULL : "unknown",
                      .note = u->committed_at ? NULL : "the run is unfinished"};
        if (strcmp(u->unit, "0") == 0)
            RV_TRY(add(l, &p, err));
    }
    return RV_OK;
}

rv_status rv_slices_load(rv_state *state, const rv_cfg_export *x, const char *run_id, bool finished,
                         rv_arena *a, rv_slices *out, rv_error *err)
{
    rv_loading l = {.arena = a, .out = out};
    *out = (rv_slices){0};
    RV_TRY(rv_state_units(state, run_id, a, &l.units, err));
    RV_TRY(rv_state_tasks(state, run_id, a, &l.tasks, err));
    RV_TRY(rv_state_ranges(state, run_id, a, &l.ranges, err));
    if (!many(&l))
        return add_whole(&l, err);
    RV_TRY(l.tasks.n ? add_tasks(&l, err) : add_chunks(&l, x->chunk_by_days > 0, finished, err));
    RV_TRY(add_keyset(&l, err));
    RV_TRY(add_remainders(&l, err));
    if (out->n > 1)
        qsort(out->rows, out->n, sizeof *out->rows, by_index);
    return RV_OK;
}

const rv_slice *rv_slice_find(const rv_slices *parts, const rv_unit_id *want)
{
    rv_unit_id id;
    size_t low = 0, high = parts->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (!rv_unit_id_parse(parts->rows[mid].unit, &id))
            return NULL;
        if (id.range < want->range || (id.range == want->range && id.index < want->index))
            low = mid + 1;
        else
            high = mid;
    }
    bool found = low < parts->n && rv_unit_id_parse(parts->rows[low].unit, &id) &&
                 id.keyset == want->keyset && id.range == want->range && id.index == want->index;
    return found ? &parts->rows[low] : NULL;
}
