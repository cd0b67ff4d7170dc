/* source/sqlite_fixture.h: a scratch SQLite database, a reader of it, and rows as text. */
#ifndef RV_TEST_SQLITE_FIXTURE_H
#define RV_TEST_SQLITE_FIXTURE_H

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "column/render.h"
#include "rvtest.h"
#include "source/source.h"

typedef struct fixture {
    char path[64];
    rv_env env;
    rv_cfg_source cfg;
    rv_cfg_tuning tuning;
    const rv_source_driver *d;
    rv_source *s;
    rv_arena arena;
    rv_error err;
    rv_buf text; /* rows of the last reading */
    rv_page_end end;
} fixture;

static inline bool fx_exec(fixture *f, const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;
    int rc = sqlite3_open(f->path, &db);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, sql, NULL, NULL, &message);
    if (rc != SQLITE_OK)
        printf("%s: %s\n", sql, message ? message : sqlite3_errmsg(db));
    sqlite3_free(message);
    sqlite3_close(db);
    return rc == SQLITE_OK;
}

static inline rv_source *fx_connect(fixture *f)
{
    rv_source_opts opts = {.cfg = &f->cfg, .tuning = &f->tuning, .run_id = "run*/1"};
    rv_source *s = NULL;
    if (f->d->open(&f->env, &opts, &s, &f->err) != RV_OK)
        printf("open: %s\n", f->err.text);
    return s;
}

static inline bool fx_open(fixture *f, const char *sql)
{
    *f = (fixture){.d = rv_source_for(RV_ENGINE_SQLITE), .arena = RV_ARENA_INIT};
    (void)snprintf(f->path, sizeof f->path, "/tmp/rv_sqlite_XXXXXX");
    int fd = mkstemp(f->path);
    if (fd < 0)
        return false;
    close(fd);
    f->cfg = (rv_cfg_source){.engine = RV_ENGINE_SQLITE, .path = f->path, .config_dir = "/tmp"};
    f->tuning = (rv_cfg_tuning){.lock_timeout_s = 1, .max_value_mb = 256};
    if (!fx_exec(f, sql))
        return false;
    f->s = fx_connect(f);
    return f->s != NULL;
}

static inline void fx_close(fixture *f)
{
    char side[80];
    f->d->close(f->s);
    rv_arena_free(&f->arena);
    rv_buf_free(&f->text);
    unlink(f->path);
    (void)snprintf(side, sizeof side, "%s-wal", f->path);
    unlink(side);
    (void)snprintf(side, sizeof side, "%s-shm", f->path);
    unlink(side);
}

static inline rv_status fx_resolve(fixture *f, const rv_read_spec *spec, rv_relation **out)
{
    rv_error_clear(&f->err);
    return f->d->resolve(f->s, spec, &f->arena, out, &f->err);
}

static inline void fx_add_rows(fixture *f, const rv_batch *batch)
{
    uint32_t *present = calloc(batch->schema->n_columns + 1, sizeof *present);
    for (uint32_t row = 0; present && row < batch->rows; row++) {
        for (size_t c = 0; c < batch->schema->n_columns; c++) {
            const rv_col *col = &batch->columns[c];
            bool there = !col->validity || rv_bit(col->validity, row);
            CHECK(c == 0 || rv_buf_add_byte(&f->text, '|', NULL) == RV_OK);
            if (there)
                CHECK(rv_render_value(col, present[c]++, &f->text, NULL) == RV_OK);
            else
                CHECK(rv_buf_add_c(&f->text, "NULL", NULL) == RV_OK);
        }
        CHECK(rv_buf_add_byte(&f->text, '\n', NULL) == RV_OK);
    }
    free(present);
}

/* Reads one page into f->text (appended) and f->end; `last` gets copies in the arena. */
static inline rv_status fx_page(fixture *f, const rv_page_spec *page, uint32_t rows, rv_datum *last)
{
    rv_builder_opts opts = {.schema = page->relation->schema,
                            .max_rows = rows,
                            .max_bytes = 1 << 22,
                            .max_value_bytes = f->tuning.max_value_mb << 20,
                            .batches = 2};
    rv_builder *b = NULL;
    rv_scan *scan = NULL;
    rv_batch *batch = NULL;
    bool end = false;
    rv_error_clear(&f->err);
    rv_status st = rv_builder_open(&opts, &b, &f->err);
    if (st == RV_OK)
        st = f->d->scan(f->s, page, &scan, &f->err);
    while (st == RV_OK && !end) {
        st = f->d->next(scan, b, &end, &f->err);
        rv_status frozen = rv_builder_freeze(b, &batch, NULL);
        if (frozen == RV_OK) {
            fx_add_rows(f, batch);
            rv_builder_recycle(b, batch);
        }
    }
    if (scan)
        f->d->scan_end(scan, &f->end);
    for (size_t i = 0; last && f->end.last && i < page->n_order; i++) {
        last[i] = f->end.last[i];
        CHECK(rv_arena_str(&f->arena, f->end.last[i].text, &last[i].text, NULL) == RV_OK);
    }
    f->end.last = NULL;
    f->d->scan_close(scan);
    rv_builder_close(b);
    return st;
}

/* The whole relation in one statement, as text. */
static inline rv_status fx_read(fixture *f, const rv_relation *rel)
{
    rv_expr order[RV_KEY_COLUMNS_MAX];
    rv_page_spec page = {.relation = rel};
    for (size_t i = 0; rel->shape == RV_SHAPE_PAGES && i < rel->key.n_columns; i++) {
        order[i] = (rv_expr){rel->key.columns[i], NULL};
        page.order = order;
        page.n_order = i + 1;
    }
    rv_buf_clear(&f->text);
    return fx_page(f, &page, 1000, NULL);
}

static inline const char *fx_text(fixture *f)
{
    const char *text = rv_buf_cstr(&f->text);
    return text ? text : "";
}

/* Resolves and reads a table or query in mode full. */
static inline rv_status fx_export(fixture *f, const char *table, const char *query)
{
    rv_read_spec spec = {.table = table, .query = query, .mode = RV_FULL};
    rv_relation *rel = NULL;
    rv_buf_clear(&f->text);
    rv_status st = fx_resolve(f, &spec, &rel);
    return st == RV_OK ? fx_read(f, rel) : st;
}

#endif
