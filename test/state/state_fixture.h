/* state/state_fixture.h: a state in a directory of its own, with a clock the test moves. */
#ifndef RV_TEST_STATE_FIXTURE_H
#define RV_TEST_STATE_FIXTURE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "state/state.h"
#include "rvtest.h"

typedef struct fixture {
    char dir[64];
    char db[96];
    int64_t now_us;
    rv_env env;
    rv_state *s;
    rv_arena arena;
    rv_error err;
} fixture;

static inline int64_t fx_now(void *ctx)
{
    return *(int64_t *)ctx;
}

static inline const char *fx_getenv(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "RIVET_STATE_BUSY_MS") == 0 ? "20" : NULL;
}

static inline bool fx_begin(fixture *f)
{
    *f = (fixture){.now_us = INT64_C(1777708800000000)};
    snprintf(f->dir, sizeof f->dir, "/tmp/rvstateXXXXXX");
    if (!mkdtemp(f->dir))
        return false;
    snprintf(f->db, sizeof f->db, "%s/.rivet_state.db", f->dir);
    f->env.now_us = fx_now;
    f->env.now_ctx = &f->now_us;
    f->env.getenv = fx_getenv;
    return true;
}

static inline rv_status fx_open_as(fixture *f, const char *project, rv_state **out)
{
    rv_state_opts opts = {.config_dir = f->dir, .project = project};
    return rv_state_open(&f->env, &opts, out, &f->err);
}

static inline bool fx_start(fixture *f)
{
    return fx_begin(f) && fx_open_as(f, "", &f->s) == RV_OK;
}

static inline void fx_remove_dir(const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    while (d && (e = readdir(d)) != NULL) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            (void)unlink(path);
    }
    if (d)
        (void)closedir(d);
    (void)rmdir(dir);
}

static inline void fx_end(fixture *f)
{
    rv_state_close(f->s);
    rv_arena_free(&f->arena);
    fx_remove_dir(f->dir);
}

static inline rv_run_row fx_row(const char *export_name, const char *run_id, const char *stem)
{
    rv_run_row r = {.run_id = run_id,
                    .export_name = export_name,
                    .mode = "full",
                    .stem = stem,
                    .destination = "{\"kind\":\"local\"}",
                    .prefix = "./out",
                    .owner_token = "00112233445566778899aabbccddeeff",
                    .checks = ""};
    rv_process_self(&r.process);
    return r;
}

/* Takes the lease; the lease's epoch is 0 when it did not work. */
static inline rv_lease fx_take(fixture *f, const char *export_name, const char *run_id)
{
    rv_run_row row = fx_row(export_name, run_id, run_id), open;
    rv_take take = RV_LEASE_HELD;
    rv_lease l = {run_id, export_name, 0};
    if (rv_state_lease_take(f->s, &row, &f->arena, &take, &open, &f->err) == RV_OK &&
        take == RV_LEASE_TAKEN)
        l.epoch = 1;
    return l;
}

static inline rv_part_row fx_part(const char *unit, const char *name, int64_t index)
{
    return (rv_part_row){.unit = unit,
                         .file_name = name,
                         .part_index = index,
                         .chunk_index = -1,
                         .row_count = 10,
                         .bytes = 100,
                         .format = "parquet",
                         .compression = "zstd",
                         .fingerprint = "xxh3:0000000000000001",
                         .md5 = "d41d8cd98f00b204e9800998ecf8427e",
                         .spool_path = "/tmp/spool"};
}

/* Every step of a unit up to its transaction. */
static inline rv_status fx_upload(fixture *f, const rv_lease *l, const char *unit, const char *name)
{
    rv_part_row p = fx_part(unit, name, 0);
    rv_unit_row u = {.unit = unit, .rows = 10, .parts = 1, .accumulators = "{}"};
    RV_TRY(rv_state_part_intent(f->s, l, "./out", &p, &f->err));
    RV_TRY(rv_state_part_status(f->s, l, l->run_id, name, "uploaded", true, &f->err));
    return rv_state_unit_seal(f->s, l, &u, &f->err);
}

#endif
