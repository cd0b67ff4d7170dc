/* Text as the server stores it, or converted to utf8mb4. Converting utf8mb3, a server puts '?' for
 * bytes that are no text, or ends the value there, and says nothing: what is UTF-8 as it stands is
 * taken so, and judged where all text is. Spec "types" sections 1, 7. */
#include "source/mysql/decode_internal.h"
#include "source/mysql/relation_internal.h"
#include "source/mysql/session_internal.h"

#define WHAT "choosing how text is sent"

typedef enum family { ANOTHER, UTF8MB4, NARROW } family;

/* Collations by number: those of MySQL 5.7 to 9 and MariaDB 10.6 to 12, which numbers its newer
 * ones by character set. NARROW: utf8mb3 and ascii. */
static family family_of(unsigned collation)
{
    static const struct {
        unsigned from, to;
        family family;
    } ranges[] = {{11, 11, NARROW},      {33, 33, NARROW},      {45, 46, UTF8MB4},
                  {65, 65, NARROW},      {76, 76, NARROW},      {83, 83, NARROW},
                  {192, 215, NARROW},    {223, 223, NARROW},    {224, 247, UTF8MB4},
                  {255, 323, UTF8MB4},   {576, 578, NARROW},    {608, 610, UTF8MB4},
                  {1057, 1057, NARROW},  {1069, 1070, UTF8MB4}, {1107, 1107, NARROW},
                  {1216, 1216, NARROW},  {1238, 1238, NARROW},  {1248, 1248, UTF8MB4},
                  {1270, 1270, UTF8MB4}, {2048, 2303, NARROW},  {2304, 2559, UTF8MB4}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (collation >= ranges[i].from && collation <= ranges[i].to)
            return ranges[i].family;
    return ANOTHER;
}

bool rv_mys_is_utf8(const rv_mys_field *f)
{
    return !rv_mys_is_text(f) || family_of(f->charset) != ANOTHER;
}

rv_status rv_mys_results(rv_source *s, bool raw, const char *what, rv_error *err)
{
    if (s->raw_results == raw)
        return RV_OK;
    RV_TRY(rv_mys_say(
        s, raw ? "SET character_set_results = NULL" : "SET character_set_results = utf8mb4", what,
        NULL, err));
    s->raw_results = raw;
    return RV_OK;
}

static rv_status describe_raw(rv_mys_resolving *v, rv_mys_field **out, size_t *out_n, rv_error *err)
{
    const rv_mys_relation *r = v->r;
    const char *sql = r->query;
    if (!sql)
        RV_TRY(rv_arena_printf(v->arena, &sql, err, "SELECT %s FROM %s", r->list, r->from));
    RV_TRY(rv_mys_page_begin(v->s, WHAT, err));
    rv_status st = rv_mys_results(v->s, true, WHAT, err);
    if (st == RV_OK)
        st = rv_mys_prepare_fields(v->s, sql, WHAT, v->arena, out, out_n, err);
    if (st == RV_OK)
        st = rv_mys_results(v->s, false, WHAT, err);
    rv_status ended = rv_mys_page_end(v->s, WHAT, st == RV_OK ? err : NULL);
    return st == RV_OK ? ended : st;
}

rv_status rv_mys_choose_results(rv_mys_resolving *v, rv_error *err)
{
    rv_mys_field *stored = NULL;
    size_t n = 0, narrow = 0;
    bool any = false;
    for (size_t i = 0; i < v->n_columns; i++)
        any = any || rv_mys_is_text(&v->columns[i]);
    if (!any)
        return RV_OK;
    RV_TRY(describe_raw(v, &stored, &n, err));
    for (size_t i = 0; i < n && i < v->n_columns; i++) {
        if (!rv_mys_is_utf8(&stored[i]))
            return RV_OK; /* what only the server can convert */
        narrow += rv_mys_is_text(&stored[i]) && family_of(stored[i].charset) == NARROW;
    }
    v->r->raw_text = n == v->n_columns && narrow > 0;
    return RV_OK;
}
