/* A run of the whole engine over the scripted source, and what it left behind. */
#ifndef FAKETEST_H
#define FAKETEST_H

#include <dirent.h>

#include "enginetest.h"
#include "fake_source.h"

typedef struct fake_result {
    int code;
    rv_error error;
    int64_t rows, sum;        /* of the ids in the files */
    int64_t first_v, other_v; /* instants met; other_v -1: only one */
    char *journal;            /* rv_free */
} fake_result;

static inline void fake_read_csv(const char *path, fake_result *r)
{
    char line[256];
    FILE *f = fopen(path, "r");
    bool header = true;
    while (f && fgets(line, sizeof line, f)) {
        long long id = 0, v = 0;
        if (!header && sscanf(line, "%lld,%lld", &id, &v) == 2) {
            r->rows++;
            r->sum += id;
            if (r->first_v < 0)
                r->first_v = v;
            else if (v != r->first_v)
                r->other_v = v;
        }
        header = false;
    }
    if (f)
        (void)fclose(f);
}

static inline void fake_read_output(const place *p, fake_result *r)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/out", p->dir);
    DIR *d = opendir(path);
    const struct dirent *e;
    while (d && (e = readdir(d))) {
        size_t n = strlen(e->d_name);
        if (n < 4 || strcmp(e->d_name + n - 4, ".csv") != 0)
            continue;
        (void)snprintf(path, sizeof path, "%s/out/%s", p->dir, e->d_name);
        fake_read_csv(path, r);
    }
    if (d)
        (void)closedir(d);
}

/* One text of the state; rv_free. Never NULL. */
static inline char *fake_state(const place *p, const char *sql)
{
    char path[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    char *out = NULL;
    (void)snprintf(path, sizeof path, "%s/.rivet_state.db", p->dir);
    if (sqlite3_open(path, &db) == SQLITE_OK &&
        sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_text(stmt, 0))
        out = rv_strdup((const char *)sqlite3_column_text(stmt, 0));
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    return out ? out : rv_strdup("");
}

static inline fake_result fake_run_at(place *p, const char *tuning, const char *keys)
{
    static const rv_run_stand_ins stand_ins = {.source = &fake_driver, .tick_us = 20000};
    fake_result r = {.first_v = -1, .other_v = -1};
    char text[1024];
    (void)snprintf(text, sizeof text,
                   "source: {type: sqlite, path: src.db, tuning: {retry_backoff_ms: 1%s}}\n"
                   "exports:\n  - {name: x, table: t, format: csv, destination: {type: local, "
                   "path: %s/out}%s}\n",
                   tuning, p->dir, keys);
    if (!place_write(p, "rivet.yaml", text))
        return r;
    r.code = place_run(p, (rv_run_opts){.stand_ins = &stand_ins}, &r.error);
    fake_read_output(p, &r);
    r.journal = fake_state(p, "SELECT journal_json FROM run_journal ORDER BY rowid DESC LIMIT 1");
    return r;
}

/* `tuning` and `keys` begin with a comma or are empty. */
static inline fake_result fake_run(const char *tuning, const char *keys)
{
    place p;
    fake_result r = {.code = 98};
    if (place_open(&p)) {
        r = fake_run_at(&p, tuning, keys);
        place_close(&p);
    }
    return r;
}

#define WHOLE(n) ((int64_t)(n) * ((n) + 1) / 2)
#define FAST ", throttle_ms: 0"

#endif
