#include <stdlib.h>
#include <string.h>

#include "engine/init_internal.h"

#define SMALL_ROWS 100000
#define ONE_WORKER_ROWS 500000
#define TWO_WORKER_ROWS 5000000
#define SCORE_TIMESTAMP 40
#define SCORE_INTEGER_PK 25
#define SCORE_UPDATED 40
#define SCORE_CREATED 20
#define SCORE_NULLABLE 10
#define SCORE_EARLY 5
#define SCORE_CHUNK 20
#define SCORE_CHUNK_PK 40
#define EXPORT_NAME_MAX 200

/* ---- candidates ---- */

static bool called(const rv_catalog_column *c, const char *name)
{
    return rv_str_eq_nocase(rv_str_c(c->name), rv_str_c(name));
}

static bool cursor_candidate(const rv_catalog_column *c, size_t at, rv_init_candidate *out)
{
    if (!c->timestamp && !(c->integer && c->primary_key))
        return false;
    *out = (rv_init_candidate){.column = c};
    out->updated = called(c, "updated_at") || called(c, "modified_at");
    out->created = called(c, "created_at");
    out->score = c->timestamp ? SCORE_TIMESTAMP : SCORE_INTEGER_PK;
    out->score += out->updated ? SCORE_UPDATED : out->created ? SCORE_CREATED : 0;
    out->score -= c->nullable ? SCORE_NULLABLE : 0;
    out->score += at < SCORE_EARLY ? SCORE_EARLY - (int64_t)at : 0;
    return true;
}

static int by_score(const void *a, const void *b)
{
    const rv_init_candidate *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return strcmp(x->column->name, y->column->name);
}

static const char *find_fallback(const rv_init_plan *p)
{
    if (p->n_cursors == 0 || !p->cursors[0].column->nullable)
        return NULL;
    for (size_t i = 1; i < p->n_cursors; i++)
        if (p->cursors[i].column->timestamp && !p->cursors[i].column->nullable)
            return p->cursors[i].column->name;
    return NULL;
}

static rv_status candidates(rv_init_plan *p, rv_arena *a, rv_error *err)
{
    const rv_catalog_table *t = p->table;
    RV_TRY(rv_arena_array(a, t->n_columns + 1, sizeof *p->cursors, &p->cursors, err));
    RV_TRY(rv_arena_array(a, t->n_columns + 1, sizeof *p->chunks, &p->chunks, err));
    for (size_t i = 0; i < t->n_columns; i++) {
        const rv_catalog_column *c = &t->columns[i];
        if (c->unsupported)
            continue;
        if (cursor_candidate(c, i, &p->cursors[p->n_cursors]))
            p->n_cursors++;
        if (c->integer)
            p->chunks[p->n_chunks++] = (rv_init_candidate){
                .column = c, .score = SCORE_CHUNK + (c->primary_key ? SCORE_CHUNK_PK : 0)};
    }
    if (p->n_cursors)
        qsort(p->cursors, p->n_cursors, sizeof *p->cursors, by_score);
    if (p->n_chunks)
        qsort(p->chunks, p->n_chunks, sizeof *p->chunks, by_score);
    p->fallback = find_fallback(p);
    return RV_OK;
}

/* ---- keys ---- */

static const rv_catalog_column *single_primary_key(const rv_catalog_table *t)
{
    const rv_catalog_column *found = NULL;
    for (size_t i = 0; i < t->n_columns; i++) {
        if (!t->columns[i].primary_key)
            continue;
        if (found)
            return NULL;
        found = &t->columns[i];
    }
    return found;
}

static bool keyset_type(rv_type t)
{
    switch ((rv_kind)t.kind) {
    case RV_INT16:
    case RV_INT32:
    case RV_INT64:
    case RV_UINT64:
    case RV_DECIMAL:
    case RV_STRING:
    case RV_UUID:
    case RV_ENUM:
    case RV_DATE:
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
        return true;
    case RV_BOOL:
    case RV_FLOAT32:
    case RV_FLOAT64:
    case RV_TIME:
    case RV_BINARY:
    case RV_JSON:
    case RV_INTERVAL:
    case RV_LIST:
        break;
    }
    return false;
}

static const rv_catalog_column *column_named(const rv_catalog_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (strcmp(t->columns[i].name, name) == 0)
            return &t->columns[i];
    return NULL;
}

static const rv_catalog_column *integer_key(const rv_catalog_table *t)
{
    const rv_catalog_column *pk = single_primary_key(t);
    if (pk && pk->integer)
        return pk;
    const rv_catalog_column *key =
        t->key.n_columns == 1 ? column_named(t, t->key.columns[0]) : NULL;
    return key && key->integer && !key->nullable ? key : NULL;
}

static const rv_catalog_column *keyset_key(const rv_catalog_table *t)
{
    const rv_catalog_column *pk = single_primary_key(t);
    return pk && !pk->nullable && !pk->unsupported && keyset_type(pk->type) ? pk : NULL;
}

static const rv_catalog_column *best_timestamp(const rv_init_plan *p)
{
    for (size_t i = 0; i < p->n_cursors; i++)
        if (p->cursors[i].column->timestamp)
            return p->cursors[i].column;
    return NULL;
}

/* ---- mode ---- */

static bool take_chunked(rv_init_plan *p)
{
    const rv_catalog_column *key = integer_key(p->table), *keyset = keyset_key(p->table);
    int64_t rows = p->table->row_estimate;
    if (key) {
        p->chunk_column = key->name;
        p->parallel = rows <= ONE_WORKER_ROWS ? 1 : rows < TWO_WORKER_ROWS ? 2 : 4;
    } else if (keyset) {
        p->chunk_by_key = keyset->name;
    } else {
        return false;
    }
    p->mode = RV_CHUNKED;
    return true;
}

static bool take_incremental(rv_init_plan *p, bool any)
{
    const rv_catalog_column *c = best_timestamp(p);
    if (any && p->n_cursors)
        c = p->cursors[0].column;
    if (!c)
        return false;
    p->mode = RV_INCREMENTAL;
    p->cursor_column = c->name;
    return true;
}

static bool take_time_window(rv_init_plan *p)
{
    const rv_catalog_column *c = best_timestamp(p);
    if (!c)
        return false;
    p->mode = RV_TIME_WINDOW;
    p->time_column = c->name;
    return true;
}

static void choose_mode(rv_init_plan *p)
{
    int64_t rows = p->table->row_estimate;
    p->mode = RV_FULL;
    if (rows >= 0 && rows <= SMALL_ROWS)
        return;
    if (rows < 0)
        p->comment = "the row count is unknown: review the mode";
    else if (!take_chunked(p) && !take_incremental(p, false))
        p->comment = "no key to chunk by and no timestamp to follow: every run reads everything";
}

static void force_mode(rv_init_plan *p, rv_mode mode)
{
    bool done = mode == RV_FULL || (mode == RV_CHUNKED && take_chunked(p)) ||
                (mode == RV_INCREMENTAL && take_incremental(p, true)) ||
                (mode == RV_TIME_WINDOW && take_time_window(p));
    if (done)
        return;
    p->mode = RV_FULL;
    p->comment = "REVIEW: the table has no column for the mode asked for";
}

static rv_status mode_of(const rv_initing *in, rv_mode *out, rv_error *err)
{
    for (rv_mode m = RV_FULL; m <= RV_CDC; m++) {
        if (strcmp(in->opts->mode, rv_mode_name(m)) != 0)
            continue;
        *out = m;
        if (m != RV_CDC)
            return RV_OK;
        if (in->source.engine == RV_ENGINE_SQLITE)
            return rv_fail(err, RV_E_CONFIG_MODE_UNSUPPORTED,
                           "mode cdc is not available for source type sqlite; use mode: "
                           "incremental");
        return rv_fail(err, RV_E_CONFIG_UNSUPPORTED, "mode: cdc is not part of this build");
    }
    return rv_fail(err, RV_E_USAGE, "'%s' is no mode", in->opts->mode);
}

/* ---- names ---- */

static bool default_schema(const rv_initing *in, const char *schema)
{
    if (!schema)
        return true;
    const char *standard = in->source.engine == RV_ENGINE_POSTGRES ? "public"
                           : in->source.engine == RV_ENGINE_MSSQL  ? "dbo"
                           : in->database                          ? in->database
                                                                   : in->opts->schema;
    return !standard || strcmp(schema, standard) == 0;
}

static bool taken(const rv_initing *in, const char *name)
{
    for (size_t i = 0; i < in->n_plans; i++)
        if (strcmp(in->plans[i].export_name, name) == 0)
            return true;
    return false;
}

/* A name that can stand in file names: what cannot becomes '_', a twin gets a number. */
static rv_status name_export(const rv_initing *in, const rv_catalog_table *t, const char **out,
                             rv_error *err)
{
    const char *raw = t->name;
    char *name;
    if (!default_schema(in, t->schema))
        RV_TRY(rv_arena_printf(in->arena, &raw, err, "%s_%s", t->schema, t->name));
    size_t len = rv_utf8_cut(rv_str_c(raw), EXPORT_NAME_MAX - 8);
    RV_TRY(rv_arena_alloc(in->arena, len + 1, &name, err));
    memcpy(name, raw, len);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];
        bool bad = c == '/' || c == '\\' || c < 0x20 || c == 0x7F || c == '.' || c == '{' ||
                   c == '}' || c == '$';
        name[i] = bad ? '_' : name[i];
    }
    *out = len ? name : "table";
    for (unsigned n = 2; taken(in, *out); n++)
        RV_TRY(rv_arena_printf(in->arena, out, err, "%s_%u", name, n));
    return RV_OK;
}

static void count_review(rv_initing *in, const rv_catalog_table *t)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        in->n_review += t->columns[i].unconstrained_decimal;
        in->n_text += t->columns[i].unsupported && !t->columns[i].unconstrained_decimal;
    }
}

rv_status rv_init_plan_all(rv_initing *in, const rv_catalog_table *tables, size_t n, rv_error *err)
{
    rv_mode mode = RV_FULL;
    if (in->opts->mode)
        RV_TRY(mode_of(in, &mode, err));
    RV_TRY(rv_arena_array(in->arena, n, sizeof *in->plans, &in->plans, err));
    for (size_t i = 0; i < n; i++) {
        rv_init_plan p = {.table = &tables[i]};
        RV_TRY(candidates(&p, in->arena, err));
        if (in->opts->mode)
            force_mode(&p, mode);
        else
            choose_mode(&p);
        RV_TRY(name_export(in, &tables[i], &p.export_name, err));
        count_review(in, &tables[i]);
        in->plans[in->n_plans++] = p;
    }
    return RV_OK;
}
