#include "base/fault.h"
#include "state_fixture.h"

#ifdef RV_FAULTS

/* SQLite's file operations under the same counter as Rivet's own: a file system that fails its
 * nth write or sync. Reads are left alone, for SQLite takes some of their failures for damage. */
typedef struct shim_file {
    sqlite3_file base;
    sqlite3_file *real;
} shim_file;

static sqlite3_vfs *real_vfs;
static bool armed;

static sqlite3_file *real(sqlite3_file *f)
{
    return ((shim_file *)(void *)f)->real;
}

static bool must_fail(void)
{
    return armed && rv_fault_io();
}

static int shim_close(sqlite3_file *f)
{
    int rc = real(f)->pMethods->xClose(real(f));
    sqlite3_free(real(f));
    return rc;
}

static int shim_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return real(f)->pMethods->xRead(real(f), p, n, at);
}

static int shim_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    return must_fail() ? SQLITE_IOERR_WRITE : real(f)->pMethods->xWrite(real(f), p, n, at);
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return must_fail() ? SQLITE_IOERR_TRUNCATE : real(f)->pMethods->xTruncate(real(f), size);
}

static int shim_sync(sqlite3_file *f, int flags)
{
    return must_fail() ? SQLITE_IOERR_FSYNC : real(f)->pMethods->xSync(real(f), flags);
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *out)
{
    return real(f)->pMethods->xFileSize(real(f), out);
}

static int shim_lock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xLock(real(f), level);
}

static int shim_unlock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xUnlock(real(f), level);
}

static int shim_reserved(sqlite3_file *f, int *out)
{
    return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int shim_control(sqlite3_file *f, int op, void *arg)
{
    return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int shim_sector(sqlite3_file *f)
{
    return real(f)->pMethods->xSectorSize(real(f));
}

static int shim_traits(sqlite3_file *f)
{
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static int shim_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return real(f)->pMethods->xShmMap(real(f), page, size, extend, out);
}

static int shim_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real(f)->pMethods->xShmLock(real(f), offset, n, flags);
}

static void shim_barrier(sqlite3_file *f)
{
    real(f)->pMethods->xShmBarrier(real(f));
}

static int shim_unmap(sqlite3_file *f, int remove_it)
{
    return real(f)->pMethods->xShmUnmap(real(f), remove_it);
}

static const sqlite3_io_methods shim_methods = {.iVersion = 2,
                                                .xClose = shim_close,
                                                .xRead = shim_read,
                                                .xWrite = shim_write,
                                                .xTruncate = shim_truncate,
                                                .xSync = shim_sync,
                                                .xFileSize = shim_size,
                                                .xLock = shim_lock,
                                                .xUnlock = shim_unlock,
                                                .xCheckReservedLock = shim_reserved,
                                                .xFileControl = shim_control,
                                                .xSectorSize = shim_sector,
                                                .xDeviceCharacteristics = shim_traits,
                                                .xShmMap = shim_map,
                                                .xShmLock = shim_shm_lock,
                                                .xShmBarrier = shim_barrier,
                                                .xShmUnmap = shim_unmap};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    (void)vfs;
    shim_file *shim = (shim_file *)(void *)f;
    shim->base.pMethods = NULL;
    shim->real = sqlite3_malloc(real_vfs->szOsFile);
    if (!shim->real)
        return SQLITE_NOMEM;
    int rc = real_vfs->xOpen(real_vfs, name, shim->real, flags, out);
    if (shim->real->pMethods)
        shim->base.pMethods = &shim_methods;
    else
        sqlite3_free(shim->real);
    return rc;
}

static sqlite3_vfs shim_vfs;

/* The heap of SQLite under the counter of Rivet's own. */
static sqlite3_mem_methods real_heap;

static void *heap_alloc(int n)
{
    return armed && rv_fault_alloc() ? NULL : real_heap.xMalloc(n);
}

static void *heap_realloc(void *p, int n)
{
    return armed && rv_fault_alloc() ? NULL : real_heap.xRealloc(p, n);
}

static bool shim(void)
{
    sqlite3_mem_methods heap;
    if (real_vfs)
        return true;
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_heap) != SQLITE_OK)
        return false;
    heap = real_heap;
    heap.xMalloc = heap_alloc;
    heap.xRealloc = heap_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &heap) != SQLITE_OK)
        return false;
    real_vfs = sqlite3_vfs_find(NULL);
    shim_vfs = *real_vfs;
    shim_vfs.zName = "shim";
    shim_vfs.szOsFile = sizeof(shim_file);
    shim_vfs.xOpen = shim_open;
    return sqlite3_vfs_register(&shim_vfs, 1) == SQLITE_OK;
}

/* ---- the life of a run, tried with every single failure ---- */

/* What a run writes; how far it came is in *steps. */
static rv_status live(fixture *f, int *steps)
{
    rv_run_row row = fx_row("a", "a_1", "a_1"), open;
    rv_take take;
    rv_lease l = {"a_1", "a", 1};
    rv_task_row tasks[2] = {{.chunk_index = 0, .kind = "range"},
                            {.chunk_index = 1, .kind = "last"}};
    rv_task_rows rows = {tasks, 2};
    rv_checkpoint_row c = {.plan_hash = "h", .strategy = "s", .max_attempts = 3};
    bool found = false;
    RV_TRY(fx_open_as(f, "", &f->s));
    ++*steps;
    RV_TRY(rv_state_lease_take(f->s, &row, &f->arena, &take, &open, &f->err));
    CHECK_EQ(take, RV_LEASE_TAKEN);
    RV_TRY(rv_state_checkpoint_begin(f->s, &l, &c, &rows, NULL, &f->err));
    for (int64_t i = 0; i < 2; i++) {
        rv_task_row t;
        char unit[16], name[16];
        RV_TRY(rv_state_task_claim(f->s, &l, &f->arena, &t, &found, &f->err));
        CHECK(found);
        CHECK_EQ(t.chunk_index, i); /* a claim is never made twice */
        snprintf(unit, sizeof unit, "chunk%d", (int)i);
        snprintf(name, sizeof name, "f%d", (int)i);
        RV_TRY(fx_upload(f, &l, unit, name));
        rv_unit_done done = {.unit = unit, .kind = RV_UNIT_TASK, .chunk_index = i, .rows = 10};
        RV_TRY(rv_state_unit_done(f->s, &l, &done, &f->err));
        ++*steps;
    }
    rv_position_row p = {.last_cursor_value = "9"};
    rv_run_final final = {.position = &p,
                          .close_checkpoint = true,
                          .manifest_json = "{}",
                          .progression_chunk = 1,
                          .progression_strategy = "chunked"};
    RV_TRY(rv_state_run_final(f->s, &l, &final, &f->err));
    ++*steps;
    RV_TRY(rv_state_run_close(f->s, &l, "success", &f->err));
    ++*steps;
    return RV_OK;
}

/* After the failure: everything acknowledged is there, nothing twice, and nothing half. */
static void inspect(fixture *f, int steps, bool ok)
{
    rv_run_row run;
    rv_task_rows tasks;
    rv_position_row p;
    bool found;
    rv_state_close(f->s);
    f->s = NULL;
    REQUIRE(fx_open_as(f, "", &f->s) == RV_OK);
    CHECK_EQ(rv_state_run_get(f->s, "a_1", &f->arena, &run, &found, &f->err), RV_OK);
    if (steps < 2)
        return;
    REQUIRE(found);
    CHECK_EQ(rv_state_tasks(f->s, "a_1", &f->arena, &tasks, &f->err), RV_OK);
    REQUIRE(tasks.n == 2);
    for (int i = 0; i < steps - 1 && i < 2; i++) {
        CHECK_STR(tasks.rows[i].status, "completed");
        CHECK_EQ(tasks.rows[i].attempts, 1);
    }
    CHECK_EQ(rv_state_position_get(f->s, "a", &f->arena, &p, &found, &f->err), RV_OK);
    if (steps >= 4)
        CHECK(found);
    if (strcmp(run.status, "running") == 0)
        CHECK(!found);
    if (ok)
        CHECK_STR(run.status, "success");
}

static bool allowed(rv_status st, bool memory)
{
    if (memory)
        return st == RV_OK || st == RV_E_MEMORY;
    return st == RV_OK || st == RV_E_STATE_UNREACHABLE;
}

static bool one_failure(long n, bool memory, bool sticky)
{
    fixture f;
    int steps = 0;
    if (!fx_begin(&f))
        return false;
    armed = true;
    if (memory)
        rv_fault_set_alloc(n, sticky);
    else
        rv_fault_set_io(n, sticky);
    rv_status st = live(&f, &steps);
    long seen = memory ? rv_fault_seen_alloc() : rv_fault_seen_io();
    rv_fault_set_alloc(0, false);
    rv_fault_set_io(0, false);
    armed = false;
    if (!allowed(st, memory))
        fprintf(stderr, "failure %ld after step %d: %d %s\n", n, steps, (int)st, f.err.text);
    CHECK(allowed(st, memory));
    inspect(&f, steps, st == RV_OK);
    fx_end(&f);
    return seen >= n;
}

/* A file system that fails once is survived by trying again. */
RV_TEST(one_failed_write)
{
    FX_FILES_ONLY;
    REQUIRE(shim());
    long n = 1;
    while (n < 3000 && one_failure(n, false, false))
        n++;
    CHECK(n > 40 && n < 3000);
}

/* One that fails from then on ends the run without a half-written state. */
RV_TEST(failed_for_good)
{
    FX_FILES_ONLY;
    REQUIRE(shim());
    for (long n = 1; n < 250 && one_failure(n, false, true); n += 61)
        ;
}

RV_TEST(one_failed_allocation)
{
    REQUIRE(shim());
    long n = 1, step = 1;
    while (n < 100000 && one_failure(n, true, false)) {
        n += step;
        step = 1 + n / 15; /* dense at first, then thinner */
    }
    CHECK(n > 100 && n < 100000);
}

FX_TEST_MAIN(RV_CASE(one_failed_write), RV_CASE(failed_for_good), RV_CASE(one_failed_allocation))

#else

RV_TEST(faults)
{
    SKIP("built without RV_FAULTS");
}

RV_TEST_MAIN(RV_CASE(faults))

#endif
