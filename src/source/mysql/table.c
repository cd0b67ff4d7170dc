/* One table of the catalog: its kind, size, columns and indexes. */
#include <assert.h>

#include "source/mysql/relation_internal.h"
#include "source/sql/guard.h"
#include "source/sql/name.h"

#define WHAT "reading the catalog"
#define GUESSES 2000

bool rv_mys_same_name(const rv_source *s, const char *a, const char *b)
{
    return s->lower_case_table_names ? rv_str_eq_nocase(rv_str_c(a), rv_str_c(b))
                                     : strcmp(a, b) == 0;
}

/* --- finding it --- */

#define SELECT_TABLE                                                                               \
    "SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE, t.ENGINE, t.TABLE_ROWS, "                  \
    "t.AVG_ROW_LENGTH, t.DATA_LENGTH, t.INDEX_LENGTH, (SELECT e.TRANSACTIONS FROM "                \
    "information_schema.ENGINES e WHERE e.ENGINE = t.ENGINE) FROM information_schema.TABLES t "    \
    "WHERE "

typedef struct table_row {
    rv_mys_table table;
    const char *type; /* "BASE TABLE", "SYSTEM VERSIONED", "VIEW", "SEQUENCE" ... */
} table_row;

static bool is_word(const char *text, const char *word)
{
    return text && strcmp(text, word) == 0;
}

static rv_status fill_table(MYSQL_RES *r, MYSQL_ROW row, rv_arena *arena, table_row *out,
                            rv_error *err)
{
    const unsigned long *lengths = mysql_fetch_lengths(r);
    rv_mys_table *t = &out->table;
    const char *transactions = NULL;
    RV_TRY(rv_mys_text(row, lengths, 0, arena, &t->schema, err));
    RV_TRY(rv_mys_text(row, lengths, 1, arena, &t->name, err));
    RV_TRY(rv_mys_text(row, lengths, 2, arena, &out->type, err));
    RV_TRY(rv_mys_text(row, lengths, 3, arena, &t->engine, err));
    t->rows = rv_mys_int(row, 4, -1);
    t->average_bytes = rv_mys_int(row, 5, -1);
    t->bytes = rv_mys_int(row, 6, -1);
    t->index_bytes = rv_mys_int(row, 7, -1);
    RV_TRY(rv_mys_text(row, lengths, 8, arena, &transactions, err));
    t->view = is_word(out->type, "VIEW") || is_word(out->type, "SYSTEM VIEW");
    t->transactional = t->view || !is_word(transactions, "NO");
    return RV_OK;
}

/* Lower case throughout is what the server stores then; else it compares so. */
static rv_status add_name(const rv_source *s, const char *column, const char *name, rv_buf *out,
                          rv_error *err)
{
    bool lower = s->lower_case_table_names == 1, fold = s->lower_case_table_names == 2;
    RV_TRY(rv_buf_printf(out, err, fold ? "LOWER(%s) = " : "%s = ", column));
    RV_TRY(rv_buf_add_c(out, lower || fold ? "LOWER(" : "", err));
    RV_TRY(rv_my_literal(rv_str_c(name), out, err));
    return rv_buf_add_c(out, lower || fold ? ")" : "", err);
}

static rv_status ask_table(rv_source *s, const char *schema, const char *name, rv_arena *arena,
                           table_row **out, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    MYSQL_RES *r = NULL;
    MYSQL_ROW row;
    table_row *t = NULL;
    rv_status st;
    RV_GO(rv_buf_add_c(&b, SELECT_TABLE, err));
    RV_GO(add_name(s, "t.TABLE_SCHEMA", schema, &b, err));
    RV_GO(rv_buf_add_c(&b, " AND ", err));
    RV_GO(add_name(s, "t.TABLE_NAME", name, &b, err));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    RV_GO(rv_mys_ask(s, (const char *)b.ptr, WHAT, &r, err));
    RV_GO(rv_arena_alloc(arena, sizeof *t, &t, err));
    for (row = mysql_fetch_row(r); row; row = mysql_fetch_row(r)) {
        RV_GO(fill_table(r, row, arena, t, err));
        if (rv_mys_same_name(s, t->table.name, name))
            break;
    }
    *out = row ? t : NULL;
done:
    mysql_free_result(r);
    rv_buf_free(&b);
    return st;
}

rv_status rv_mys_table_load(rv_source *s, const char *schema, const char *name, rv_arena *arena,
                            rv_mys_table **out, rv_error *err)
{
    table_row *t = NULL;
    schema = schema ? schema : s->info.database;
    *out = NULL;
    if (!schema || !schema[0])
        return RV_OK;
    RV_TRY(ask_table(s, schema, name, arena, &t, err));
    if (t &&
        (t->table.view || is_word(t->type, "BASE TABLE") || is_word(t->type, "SYSTEM VERSIONED")))
        *out = &t->table;
    return RV_OK;
}

/* The catalog shows only what the user has a right on: the server itself may say more. */
static rv_status ask_server(rv_source *s, const char *schema, const char *name, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    MYSQL_RES *r = NULL;
    rv_error why;
    rv_status st;
    rv_error_clear(&why);
    RV_GO(rv_buf_add_c(&b, "SELECT 1 FROM ", err));
    RV_GO(rv_my_quote(schema, &b, err));
    RV_GO(rv_buf_add_byte(&b, '.', err));
    RV_GO(rv_my_quote(name, &b, err));
    RV_GO(rv_buf_add(&b, " WHERE 1 = 0", sizeof " WHERE 1 = 0", err));
    st = rv_mys_ask(s, (const char *)b.ptr, WHAT, &r, &why);
    if (st == RV_E_SOURCE_QUERY || st == RV_E_SOURCE_MISSING) {
        st = RV_OK;
    } else if (st != RV_OK && err) {
        *err = why;
        rv_mys_advise(err);
    }
done:
    mysql_free_result(r);
    rv_buf_free(&b);
    return st;
}

/* The same name in other letters, else one that looks like it. */
static int guess_name(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rv_str_eq_nocase(rv_str_c(name), rv_str_c(names[i])))
            return (int)i;
    return rv_suggest(rv_str_c(name), names, n);
}

static rv_status names_of(rv_source *s, const char *schema, rv_arena *arena, const char ***out,
                          size_t *out_n, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    MYSQL_RES *r = NULL;
    const char **names = NULL;
    rv_status st;
    RV_GO(rv_buf_add_c(&b, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE ", err));
    RV_GO(add_name(s, "TABLE_SCHEMA", schema, &b, err));
    RV_GO(rv_buf_printf(&b, err, " ORDER BY TABLE_NAME LIMIT %d", GUESSES));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    RV_GO(rv_mys_ask(s, (const char *)b.ptr, WHAT, &r, err));
    size_t n = (size_t)mysql_num_rows(r);
    RV_GO(rv_arena_array(arena, n + 1, sizeof *names, &names, err));
    for (size_t i = 0; i < n; i++) {
        MYSQL_ROW row = mysql_fetch_row(r);
        RV_GO(rv_mys_text(row, mysql_fetch_lengths(r), 0, arena, &names[i], err));
    }
    *out = names;
    *out_n = n;
done:
    mysql_free_result(r);
    rv_buf_free(&b);
    return st;
}

static rv_status missing(rv_source *s, const char *text, const char *schema, const char *name,
                         rv_arena *arena, rv_error *err)
{
    const char **names = NULL;
    size_t n = 0;
    RV_TRY(ask_server(s, schema, name, err));
    RV_TRY(names_of(s, schema, arena, &names, &n, err));
    int guess = guess_name(name, names, n);
    rv_status st = rv_fail(err, RV_E_SOURCE_MISSING, "table '%s' does not exist in database '%s'",
                           text, schema);
    if (guess >= 0 && s->info.database && rv_mys_same_name(s, schema, s->info.database))
        rv_hint(err, "did you mean '%s'?", names[guess]);
    else if (guess >= 0)
        rv_hint(err, "did you mean '%s.%s'?", schema, names[guess]);
    else
        rv_hint(err, "correct exports[].table, or choose another database under source");
    return st;
}

static rv_status no_database(const char *text, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_MISSING,
                           "table '%s': the connection has chosen no database", text);
    rv_hint(err, "name it at the end of the URL, or write database.%s", text);
    return st;
}

static rv_status refuse_kind(const char *text, const char *type, rv_error *err)
{
    rv_status st = rv_fail(err, RV_E_SOURCE_QUERY, "'%s' is a %s, not a table", text,
                           is_word(type, "SEQUENCE") ? "sequence" : "relation without rows");
    rv_hint(err, "name a table or a view under table:");
    return st;
}

rv_status rv_mys_table_find(rv_source *s, const char *name, rv_arena *arena, rv_mys_table **out,
                            rv_error *err)
{
    rv_sql_name parts;
    table_row *t = NULL;
    RV_TRY(rv_sql_name_parse(name, 2, arena, &parts, err));
    const char *schema = parts.n == 2 ? parts.part[0] : s->info.database;
    const char *last = parts.part[parts.n - 1];
    if (!schema || !schema[0])
        return no_database(name, err);
    RV_TRY(ask_table(s, schema, last, arena, &t, err));
    if (!t)
        return missing(s, name, schema, last, arena, err);
    if (!t->table.view && !is_word(t->type, "BASE TABLE") && !is_word(t->type, "SYSTEM VERSIONED"))
        return refuse_kind(name, t->type, err);
    *out = &t->table;
    return RV_OK;
}

/* --- columns --- */

static rv_status where_table(const rv_mys_table *t, rv_buf *b, rv_error *err)
{
    RV_TRY(rv_buf_add_c(b, " WHERE TABLE_SCHEMA = ", err));
    RV_TRY(rv_my_literal(rv_str_c(t->schema), b, err));
    RV_TRY(rv_buf_add_c(b, " AND TABLE_NAME = ", err));
    return rv_my_literal(rv_str_c(t->name), b, err);
}

static rv_status fill_attr(MYSQL_RES *r, MYSQL_ROW row, rv_arena *arena, rv_mys_attr *a,
                           rv_error *err)
{
    const unsigned long *lengths = mysql_fetch_lengths(r);
    const char *nullable = NULL, *key = NULL, *extra = NULL;
    RV_TRY(rv_mys_text(row, lengths, 0, arena, &a->name, err));
    RV_TRY(rv_mys_text(row, lengths, 1, arena, &a->declared, err));
    RV_TRY(rv_mys_text(row, lengths, 2, arena, &a->charset, err));
    RV_TRY(rv_mys_text(row, lengths, 3, arena, &a->collation, err));
    RV_TRY(rv_mys_text(row, lengths, 4, arena, &nullable, err));
    RV_TRY(rv_mys_text(row, lengths, 5, arena, &key, err));
    RV_TRY(rv_mys_text(row, lengths, 6, arena, &extra, err));
    a->not_null = is_word(nullable, "NO");
    a->primary = is_word(key, "PRI");
    a->invisible = extra && strstr(extra, "INVISIBLE");
    return RV_OK;
}

rv_status rv_mys_table_attrs(rv_source *s, rv_mys_table *t, rv_arena *arena, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    MYSQL_RES *r = NULL;
    rv_mys_attr *list = NULL;
    rv_status st;
    RV_GO(rv_buf_add_c(&b,
                       "SELECT COLUMN_NAME, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME, "
                       "IS_NULLABLE, COLUMN_KEY, EXTRA FROM information_schema.COLUMNS",
                       err));
    RV_GO(where_table(t, &b, err));
    RV_GO(rv_buf_add(&b, " ORDER BY ORDINAL_POSITION", sizeof " ORDER BY ORDINAL_POSITION", err));
    RV_GO(rv_mys_ask(s, (const char *)b.ptr, WHAT, &r, err));
    size_t n = (size_t)mysql_num_rows(r);
    RV_GO(rv_arena_array(arena, n + 1, sizeof *list, &list, err));
    for (size_t i = 0; i < n; i++)
        RV_GO(fill_attr(r, mysql_fetch_row(r), arena, &list[i], err));
    t->attrs = list;
    t->n_attrs = n;
done:
    mysql_free_result(r);
    rv_buf_free(&b);
    return st;
}

/* Column names mean the same in any letters; of two that a server told apart, the exact one. */
rv_mys_attr *rv_mys_attr_find(const rv_mys_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_attrs; i++)
        if (strcmp(t->attrs[i].name, name) == 0)
            return &t->attrs[i];
    for (size_t i = 0; i < t->n_attrs; i++)
        if (rv_str_eq_nocase(rv_str_c(t->attrs[i].name), rv_str_c(name)))
            return &t->attrs[i];
    return NULL;
}

rv_status rv_mys_attr_print(const rv_mys_table *t, rv_arena *arena, const char **out, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (size_t i = 0; i < t->n_attrs; i++) {
        const rv_mys_attr *a = &t->attrs[i];
        const char *type = NULL;
        RV_GO(rv_arena_printf(arena, &type, err, "%s %s %s", a->declared,
                              a->collation ? a->collation : "", a->invisible ? "invisible" : ""));
        RV_GO(rv_sql_guard_line(a->name, type, "", &b, err));
    }
    RV_GO(rv_mys_keep(&b, arena, out, err));
done:
    rv_buf_free(&b);
    return st;
}

/* --- indexes --- */

/* Which columns STATISTICS has depends on the server. */
static const char *hidden_column(const rv_source *s)
{
    int version = rv_my_version(s->my);
    if (s->mariadb)
        return version >= 100600 ? "IGNORED = 'YES'" : "0";
    return version >= 80000 ? "IS_VISIBLE = 'NO'" : "0";
}

static const char *expression_column(const rv_source *s)
{
    return !s->mariadb && rv_my_version(s->my) >= 80013 ? "EXPRESSION IS NOT NULL" : "0";
}

static rv_status indexes_sql(const rv_source *s, const rv_mys_table *t, rv_buf *b, rv_error *err)
{
    RV_TRY(rv_buf_printf(
        b, err,
        "SELECT INDEX_NAME, NON_UNIQUE, COLUMN_NAME, SUB_PART IS NOT NULL, COLLATION, INDEX_TYPE, "
        "%s, %s FROM information_schema.STATISTICS",
        hidden_column(s), expression_column(s)));
    RV_TRY(where_table(t, b, err));
    RV_TRY(rv_buf_add_c(b, " ORDER BY INDEX_NAME, SEQ_IN_INDEX", err));
    return rv_buf_add_byte(b, 0, err);
}

static rv_status start_index(const char *name, bool unique, rv_mys_table *t, rv_arena *arena,
                             rv_mys_index **out, rv_error *err)
{
    rv_mys_index *x = t->n_indexes ? &t->indexes[t->n_indexes - 1] : NULL;
    if (!x || strcmp(x->name, name) != 0) {
        x = &t->indexes[t->n_indexes];
        *x = (rv_mys_index){.unique = unique, .whole = true};
        RV_TRY(rv_arena_cstr(arena, rv_str_c(name), &x->name, err));
        x->primary = strcmp(x->name, "PRIMARY") == 0;
        t->n_indexes++;
    }
    *out = x;
    return RV_OK;
}

/* One row per column of an index; rows of one index follow each other. */
static rv_status add_index_column(MYSQL_ROW row, rv_arena *arena, rv_mys_table *t, rv_error *err)
{
    assert(t->indexes);
    rv_mys_index *x = NULL;
    RV_TRY(start_index(row[0] ? row[0] : "", rv_mys_int(row, 1, 1) == 0, t, arena, &x, err));
    const rv_mys_attr *a = row[2] ? rv_mys_attr_find(t, row[2]) : NULL;
    bool tree = is_word(row[5], "BTREE"), hidden = rv_mys_int(row, 6, 0) != 0;
    bool plain = a && rv_mys_int(row, 3, 0) == 0 && rv_mys_int(row, 7, 0) == 0;
    bool descending = is_word(row[4], "D"), sorted = descending || is_word(row[4], "A");
    if (x->n == 0)
        x->descending = descending;
    x->whole = x->whole && tree && !hidden && plain && sorted && x->descending == descending &&
               x->n < RV_MYS_INDEX_COLUMNS;
    if (x->whole)
        x->attr[x->n++] = (size_t)(a - t->attrs);
    return RV_OK;
}

static void primary_first(rv_mys_table *t)
{
    for (size_t i = 1; i < t->n_indexes; i++)
        for (size_t k = i; k > 0; k--) {
            rv_mys_index *a = &t->indexes[k - 1], *b = &t->indexes[k];
            bool right = a->primary || (!b->primary && strcmp(a->name, b->name) <= 0);
            if (right)
                break;
            rv_mys_index swap = *a;
            *a = *b;
            *b = swap;
        }
}

rv_status rv_mys_table_indexes(rv_source *s, rv_mys_table *t, rv_arena *arena, rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    MYSQL_RES *r = NULL;
    rv_status st;
    t->n_indexes = 0;
    RV_GO(indexes_sql(s, t, &b, err));
    RV_GO(rv_mys_ask(s, (const char *)b.ptr, WHAT, &r, err));
    RV_GO(
        rv_arena_array(arena, (size_t)mysql_num_rows(r) + 1, sizeof *t->indexes, &t->indexes, err));
    for (MYSQL_ROW row = mysql_fetch_row(r); row; row = mysql_fetch_row(r))
        RV_GO(add_index_column(row, arena, t, err));
    primary_first(t);
done:
    mysql_free_result(r);
    rv_buf_free(&b);
    return st;
}
