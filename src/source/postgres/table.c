/* One relation of the catalog: its kind, size, columns and indexes. */
#include <assert.h>
#include <stdio.h>

#include "source/postgres/relation_internal.h"
#include "source/sql/guard.h"
#include "source/sql/name.h"

#define WHAT "reading the catalog"
#define GUESSES 2000

/* --- finding it --- */

#define SELECT_TABLE                                                                               \
    "SELECT c.oid, n.nspname, c.relname, c.relkind, "                                              \
    "(c.relkind <> 'p' AND EXISTS(SELECT 1 FROM pg_catalog.pg_inherits i "                         \
    "WHERE i.inhparent = c.oid))::int, "                                                           \
    "CASE WHEN c.relkind = 'p' THEN (SELECT pg_catalog.sum(pg_catalog.pg_relation_size(t.relid)) " \
    "FROM pg_catalog.pg_partition_tree(c.oid) AS t WHERE t.isleaf) "                               \
    "WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_relation_size(c.oid) ELSE 0 END::bigint, "    \
    "pg_catalog.current_setting('block_size') "                                                    \
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "

static rv_status fill_table(const PGresult *r, int row, rv_arena *arena, rv_pgs_table *t,
                            rv_error *err)
{
    t->oid = (uint32_t)rv_pgs_int(r, row, 0, 0);
    RV_TRY(rv_pgs_text(r, row, 1, arena, &t->schema, err));
    RV_TRY(rv_pgs_text(r, row, 2, arena, &t->name, err));
    t->relkind = PQgetvalue(r, row, 3)[0];
    t->children = rv_pgs_int(r, row, 4, 0) != 0;
    t->bytes = rv_pgs_int(r, row, 5, 0);
    int64_t block = rv_pgs_int(r, row, 6, 8192);
    if (t->relkind == 'r' || t->relkind == 'm')
        t->blocks = t->bytes / (block > 0 ? block : 8192);
    return RV_OK;
}

static rv_status ask_table(rv_source *s, const char *where, const char *what, rv_arena *arena,
                           rv_pgs_table **out, size_t *out_n, rv_error *err)
{
    PGresult *r = NULL;
    const char *sql = NULL;
    rv_pgs_table *list = NULL;
    rv_status st;
    RV_GO(rv_arena_printf(arena, &sql, err, SELECT_TABLE "%s", where));
    RV_GO(rv_pgs_ask(s, sql, what, &r, err));
    size_t n = (size_t)PQntuples(r);
    RV_GO(rv_arena_array(arena, n + 1, sizeof *list, &list, err));
    for (size_t i = 0; i < n; i++)
        RV_GO(fill_table(r, (int)i, arena, &list[i], err));
    *out = list;
    *out_n = n;
done:
    PQclear(r);
    return st;
}

rv_status rv_pgs_table_load(rv_source *s, uint32_t oid, rv_arena *arena, rv_pgs_table **out,
                            rv_error *err)
{
    const char *where = NULL;
    rv_pgs_table *t = NULL;
    size_t n = 0;
    RV_TRY(rv_arena_printf(arena, &where, err, "c.oid = %u", oid));
    RV_TRY(ask_table(s, where, WHAT, arena, &t, &n, err));
    *out = n ? t : NULL;
    return RV_OK;
}

/* As the server folds an identifier that is not quoted: ASCII letters only. */
static rv_status folded(const char *name, bool quoted, rv_arena *arena, const char **out,
                        rv_error *err)
{
    char *copy = NULL;
    RV_TRY(rv_arena_alloc(arena, strlen(name) + 1, &copy, err));
    memcpy(copy, name, strlen(name) + 1);
    for (char *p = copy; *p && !quoted; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    *out = copy;
    return RV_OK;
}

typedef struct wanted {
    const char *schema, *schema_folded; /* NULL: by search_path */
    const char *name, *name_folded;
} wanted;

static rv_status wanted_of(const char *text, rv_arena *arena, wanted *out, rv_error *err)
{
    rv_sql_name name;
    RV_TRY(rv_sql_name_parse(text, 2, arena, &name, err));
    *out = (wanted){.name = name.part[name.n - 1]};
    RV_TRY(folded(out->name, name.quoted[name.n - 1], arena, &out->name_folded, err));
    if (name.n == 1)
        return RV_OK;
    out->schema = name.part[0];
    return folded(out->schema, name.quoted[0], arena, &out->schema_folded, err);
}

static rv_status one_of(const char *column, const char *a, const char *b, rv_buf *out,
                        rv_error *err)
{
    RV_TRY(rv_buf_printf(out, err, "%s IN (", column));
    RV_TRY(rv_pgs_literal(rv_str_c(a), out, err));
    RV_TRY(rv_buf_add_c(out, ", ", err));
    RV_TRY(rv_pgs_literal(rv_str_c(b), out, err));
    return rv_buf_add_c(out, ")", err);
}

static rv_status candidates(rv_source *s, const wanted *w, rv_arena *arena, rv_pgs_table **out,
                            size_t *out_n, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    const char *where = NULL, *what = NULL;
    rv_status st;
    RV_GO(rv_arena_printf(arena, &what, err, "resolving table '%s'", w->name));
    RV_GO(one_of("c.relname", w->name, w->name_folded, &b, err));
    RV_GO(rv_buf_add_c(&b, " AND c.relkind NOT IN ('i', 'I', 'c', 't') AND ", err));
    if (w->schema)
        RV_GO(one_of("n.nspname", w->schema, w->schema_folded, &b, err));
    else
        RV_GO(rv_buf_add_c(&b, "pg_catalog.pg_table_is_visible(c.oid)", err));
    RV_GO(rv_buf_add_c(&b, " ORDER BY n.nspname, c.relname", err));
    RV_GO(rv_pgs_keep(&b, arena, &where, err));
    RV_GO(ask_table(s, where, what, arena, out, out_n, err));
done:
    rv_buf_free(&b);
    return st;
}

static const char *after_dot(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

/* The same name in a schema that search_path leaves out, else one that looks like it. */
static int guess_name(const wanted *w, const char *text, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n && !w->schema; i++)
        if (strcmp(after_dot(names[i]), w->name_folded) == 0)
            return (int)i;
    return rv_suggest(rv_str_c(text), names, n);
}

/* A schema the role may not use is left out of its search_path: the table seems not to be there. */
static rv_status closed_schema(rv_source *s, const wanted *w, rv_arena *arena, const char **out,
                               rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    PGresult *r = NULL;
    const char *sql = NULL;
    rv_status st;
    RV_GO(rv_buf_add_c(&b,
                       "SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_class c JOIN "
                       "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN "
                       "('r', 'p', 'v', 'm', 'f') AND NOT "
                       "pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND ",
                       err));
    RV_GO(one_of("c.relname", w->name, w->name_folded, &b, err));
    RV_GO(rv_buf_add_c(&b, " ORDER BY n.nspname <> 'public', n.nspname LIMIT 1", err));
    RV_GO(rv_pgs_keep(&b, arena, &sql, err));
    RV_GO(rv_pgs_ask_optional(s, sql, WHAT, &r, err));
    if (PQntuples(r) == 1)
        RV_GO(rv_pgs_text(r, 0, 0, arena, out, err));
done:
    PQclear(r);
    rv_buf_free(&b);
    return st;
}

static rv_status fail_closed(const char *text, const char *schema, rv_error *err)
{
    rv_status st =
        rv_fail(err, RV_E_SOURCE_PERMISSION,
                "table '%s' lies in schema %s, which this role may not use", text, schema);
    rv_hint(err, "GRANT USAGE ON SCHEMA %s and SELECT on its tables to the role", schema);
    return st;
}

static rv_status missing(rv_source *s, const char *text, const wanted *w, rv_arena *arena,
                         rv_error *err)
{
    PGresult *r = NULL;
    const char **names = NULL, *sql = NULL, *closed = NULL;
    rv_status st;
    int guess = -1;
    if (!w->schema)
        RV_TRY(closed_schema(s, w, arena, &closed, err));
    if (closed)
        return fail_closed(text, closed, err);
    RV_GO(rv_arena_printf(
        arena, &sql, err,
        "SELECT CASE WHEN %s pg_catalog.pg_table_is_visible(c.oid) THEN c.relname::text ELSE "
        "n.nspname || '.' || c.relname END FROM pg_catalog.pg_class c JOIN "
        "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', "
        "'m', 'f') AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema' "
        "ORDER BY 1 LIMIT %d",
        w->schema ? "false AND" : "", GUESSES));
    RV_GO(rv_pgs_ask_optional(s, sql, WHAT, &r, err));
    size_t n = (size_t)PQntuples(r);
    RV_GO(rv_arena_array(arena, n + 1, sizeof *names, &names, err));
    for (size_t i = 0; i < n; i++)
        RV_GO(rv_pgs_text(r, (int)i, 0, arena, &names[i], err));
    guess = guess_name(w, text, names, n);
    st = rv_fail(err, RV_E_SOURCE_MISSING, "table '%s' does not exist in database '%s'", text,
                 s->info.database ? s->info.database : "");
    if (guess >= 0)
        rv_hint(err, "did you mean '%s'?", names[guess]);
    else
        rv_hint(err, "correct exports[].table, or choose another database under source");
done:
    PQclear(r);
    return st;
}

static rv_status ambiguous(const char *text, const rv_pgs_table *list, size_t n, rv_error *err)
{
    char names[400] = "";
    size_t used = 0;
    for (size_t i = 0; i < n && used < sizeof names - 1; i++) {
        int k = snprintf(names + used, sizeof names - used, "%s%s.%s", i ? ", " : "",
                         list[i].schema, list[i].name);
        used += k > 0 ? (size_t)k : 0;
    }
    return rv_fail(err, RV_E_CONFIG_TABLE_AMBIGUOUS,
                   "'%s' matches several relations: %s; quote the exact name", text, names);
}

static const rv_pgs_table *pick(const wanted *w, const rv_pgs_table *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].name, w->name) == 0 &&
            (!w->schema || strcmp(list[i].schema, w->schema) == 0))
            return &list[i];
    return n == 1 ? list : NULL;
}

static rv_status refuse_kind(const char *text, char relkind, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_QUERY, "'%s' is a %s, not a table", text,
                           relkind == 'S' ? "sequence" : "relation without rows");
    rv_hint(err, "name a table, a view or a foreign table under table:");
    return st;
}

rv_status rv_pgs_table_find(rv_source *s, const char *name, rv_arena *arena, rv_pgs_table **out,
                            rv_error *err)
{
    wanted w;
    rv_pgs_table *list = NULL, *copy = NULL;
    size_t n = 0;
    RV_TRY(wanted_of(name, arena, &w, err));
    RV_TRY(candidates(s, &w, arena, &list, &n, err));
    if (n == 0)
        return missing(s, name, &w, arena, err);
    const rv_pgs_table *t = pick(&w, list, n);
    if (!t)
        return ambiguous(name, list, n, err);
    if (!strchr("rpvmf", t->relkind))
        return refuse_kind(name, t->relkind, err);
    RV_TRY(rv_arena_alloc(arena, sizeof *copy, &copy, err));
    *copy = *t;
    *out = copy;
    return RV_OK;
}

/* --- columns --- */

rv_status rv_pgs_table_attrs(rv_source *s, rv_pgs_table *t, rv_arena *arena, rv_error *err)
{
    const char *sql = NULL;
    PGresult *r = NULL;
    rv_pgs_attr *list = NULL;
    rv_status st;
    RV_GO(rv_arena_printf(
        arena, &sql, err,
        "SELECT a.attnum, a.attname, a.attnotnull::int, a.atttypid, a.atttypmod, "
        "(SELECT pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname) "
        "FROM pg_catalog.pg_collation co JOIN pg_catalog.pg_namespace cn "
        "ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation) "
        "FROM pg_catalog.pg_attribute a WHERE a.attrelid = %u AND a.attnum > 0 "
        "AND NOT a.attisdropped ORDER BY a.attnum",
        t->oid));
    RV_GO(rv_pgs_ask(s, sql, WHAT, &r, err));
    size_t n = (size_t)PQntuples(r);
    RV_GO(rv_arena_array(arena, n + 1, sizeof *list, &list, err));
    for (size_t i = 0; i < n; i++) {
        list[i].number = (int)rv_pgs_int(r, (int)i, 0, 0);
        RV_GO(rv_pgs_text(r, (int)i, 1, arena, &list[i].name, err));
        list[i].not_null = rv_pgs_int(r, (int)i, 2, 0) != 0;
        list[i].type = (uint32_t)rv_pgs_int(r, (int)i, 3, 0);
        list[i].typmod = (int32_t)rv_pgs_int(r, (int)i, 4, -1);
        RV_GO(rv_pgs_text(r, (int)i, 5, arena, &list[i].collation, err));
    }
    t->attrs = list;
    t->n_attrs = n;
done:
    PQclear(r);
    return st;
}

const rv_pgs_attr *rv_pgs_attr_find(const rv_pgs_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_attrs; i++)
        if (strcmp(t->attrs[i].name, name) == 0)
            return &t->attrs[i];
    return NULL;
}

const rv_pgs_attr *rv_pgs_attr_number(const rv_pgs_table *t, int number)
{
    for (size_t i = 0; i < t->n_attrs; i++)
        if (t->attrs[i].number == number)
            return &t->attrs[i];
    return NULL;
}

rv_status rv_pgs_attr_print(const rv_pgs_table *t, rv_arena *arena, const char **out, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (size_t i = 0; i < t->n_attrs; i++) {
        char type[32], origin[16];
        (void)snprintf(type, sizeof type, "%u %d", t->attrs[i].type, t->attrs[i].typmod);
        (void)snprintf(origin, sizeof origin, "%d", t->attrs[i].number);
        RV_GO(rv_sql_guard_line(t->attrs[i].name, type, origin, &b, err));
    }
    RV_GO(rv_pgs_keep(&b, arena, out, err));
done:
    rv_buf_free(&b);
    return st;
}

/* --- indexes --- */

#define SELECT_INDEXES                                                                             \
    "SELECT ic.relname, i.indisprimary::int, (i.indisunique AND i.indimmediate AND "               \
    "i.indisready)::int, i.indkey[k.n], i.indoption[k.n], (oc.opcdefault AND "                     \
    "i.indcollation[k.n] = a.attcollation)::int FROM pg_catalog.pg_index i "                       \
    "JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid "                                        \
    "JOIN pg_catalog.pg_am am ON am.oid = ic.relam AND am.amname = 'btree' "                       \
    "CROSS JOIN LATERAL pg_catalog.generate_series(0, i.indnkeyatts - 1) AS k(n) "                 \
    "JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[k.n] "                                   \
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n] "      \
    "WHERE i.indrelid = %u AND i.indisvalid AND i.indislive AND i.indpred IS NULL AND "            \
    "i.indexprs IS NULL ORDER BY i.indisprimary DESC, ic.relname COLLATE \"C\", ic.oid, k.n"

/* ORDER BY walks it forward (ascending, NULLS LAST) or backward (descending, NULLS FIRST). */
static bool walked(int64_t option)
{
    return option == 0 || option == 3;
}

/* One row per column of an index; rows of one index follow each other. */
static rv_status add_index_column(const PGresult *r, int row, rv_arena *arena, rv_pgs_table *t,
                                  rv_error *err)
{
    assert(t->indexes);
    rv_pgs_index *x = t->n_indexes ? &t->indexes[t->n_indexes - 1] : NULL;
    int64_t option = rv_pgs_int(r, row, 4, -1);
    if (!x || strcmp(x->name, PQgetvalue(r, row, 0)) != 0) {
        x = &t->indexes[t->n_indexes];
        RV_TRY(rv_pgs_text(r, row, 0, arena, &x->name, err));
        x->primary = rv_pgs_int(r, row, 1, 0) != 0;
        x->unique = rv_pgs_int(r, row, 2, 0) != 0;
        x->ordered = true;
        t->n_indexes++;
    }
    if (x->n == RV_PGS_INDEX_COLUMNS) {
        x->ordered = false;
        return RV_OK;
    }
    x->attnum[x->n++] = (int)rv_pgs_int(r, row, 3, 0);
    bool same = row == 0 || x->n == 1 || rv_pgs_int(r, row - 1, 4, -1) == option;
    x->ordered = x->ordered && same && walked(option) && rv_pgs_int(r, row, 5, 0) != 0;
    return RV_OK;
}

rv_status rv_pgs_table_indexes(rv_source *s, rv_pgs_table *t, rv_arena *arena, rv_error *err)
{
    const char *sql = NULL;
    PGresult *r = NULL;
    rv_status st;
    t->n_indexes = 0;
    RV_GO(rv_arena_printf(arena, &sql, err, SELECT_INDEXES, t->oid));
    RV_GO(rv_pgs_ask(s, sql, WHAT, &r, err));
    RV_GO(rv_arena_array(arena, (size_t)PQntuples(r) + 1, sizeof *t->indexes, &t->indexes, err));
    for (int i = 0; i < PQntuples(r); i++)
        RV_GO(add_index_column(r, i, arena, t, err));
done:
    PQclear(r);
    return st;
}
