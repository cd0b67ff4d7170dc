#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "state/backend.h"
#include "state_fixture.h"

#ifdef RV_FAULTS

/* The child: one run from its lease to its end, in the directory given. */
static int live_and_die(const char *dir)
{
    fixture f = {.now_us = INT64_C(1777708800000000)};
    snprintf(f.dir, sizeof f.dir, "%s", dir);
    f.url = getenv("RV_TEST_STATE_URL");
    f.env.now_us = fx_now;
    f.env.now_ctx = &f.now_us;
    if (fx_open_as(&f, "", &f.s) != RV_OK)
        return 8;
    rv_lease l = fx_take(&f, "a", "a_1");
    if (fx_upload(&f, &l, "0", "f1") != RV_OK)
        return 7;
    rv_unit_done done = {.unit = "0"};
    if (rv_state_unit_done(f.s, &l, &done, &f.err) != RV_OK)
        return 6;
    rv_position_row p = {.last_cursor_value = "9"};
    rv_run_final final = {.position = &p, .manifest_json = "{}", .progression_chunk = -1};
    if (rv_state_run_final(f.s, &l, &final, &f.err) != RV_OK)
        return 5;
    return rv_state_run_close(f.s, &l, "success", &f.err) == RV_OK ? 4 : 3;
}

/* How far the state says the run came. */
typedef enum stage { NOTHING, TAKEN, INTENT, UPLOADED, SEALED, DONE, FINAL, CLOSED } stage;

static stage stage_of(fixture *f)
{
    rv_run_row run;
    rv_part_rows parts;
    rv_unit_rows units;
    rv_position_row p;
    bool found = false, moved = false;
    CHECK_EQ(rv_state_run_get(f->s, "a_1", &f->arena, &run, &found, &f->err), RV_OK);
    if (!found)
        return NOTHING;
    CHECK_EQ(rv_state_parts(f->s, "a_1", NULL, &f->arena, &parts, &f->err), RV_OK);
    CHECK_EQ(rv_state_units(f->s, "a_1", &f->arena, &units, &f->err), RV_OK);
    CHECK_EQ(rv_state_position_get(f->s, "a", &f->arena, &p, &moved, &f->err), RV_OK);
    bool unpublished = strcmp(run.status, "unpublished") == 0;
    bool closed = strcmp(run.status, "success") == 0;
    /* the position, the manifest and the listing move together or not at all */
    CHECK_EQ(moved, unpublished || closed);
    CHECK_EQ(run.manifest_json != NULL, moved);
    if (parts.n)
        CHECK_EQ(parts.rows[0].listed_by != NULL, moved);
    bool committed = parts.n && strcmp(parts.rows[0].status, "committed") == 0;
    CHECK_EQ(committed, units.n && units.rows[0].committed_at);
    if (closed || unpublished)
        return closed ? CLOSED : FINAL;
    if (committed || units.n)
        return committed ? DONE : SEALED;
    if (!parts.n)
        return TAKEN;
    return strcmp(parts.rows[0].status, "uploaded") == 0 ? UPLOADED : INTENT;
}

static void killed_at(const char *point, stage want)
{
    fixture f;
    char self[256];
    int status = 0;
    REQUIRE(fx_begin(&f));
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    REQUIRE(n > 0);
    self[n] = '\0';
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        setenv("RIVET_KILL_AT", point, 1);
        setenv("RV_TEST_STATE_DIR", f.dir, 1);
        if (f.url)
            setenv("RV_TEST_STATE_URL", f.url, 1);
        execl(self, self, (char *)NULL);
        _exit(9);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    REQUIRE(fx_open_as(&f, "", &f.s) == RV_OK);
    stage got = stage_of(&f);
    CHECK_EQ(got, want);
    if (got != want)
        fprintf(stderr, "killed at %s\n", point);
    fx_end(&f);
}

RV_TEST(killed_around_every_commit)
{
    killed_at("state-migrate-before", NOTHING);
    killed_at("state-lease-before", NOTHING);
    killed_at("state-lease-after", TAKEN);
    killed_at("state-intent-before", TAKEN);
    killed_at("state-intent-after", INTENT);
    killed_at("state-seal-before", UPLOADED);
    killed_at("state-seal", SEALED);
    killed_at("state-unit-done-before", SEALED);
    killed_at("state-unit-done-after", DONE);
    killed_at("state-final-before", DONE);
    killed_at("state-final-after", FINAL);
    killed_at("state-close-before", FINAL);
    killed_at("state-close-after", CLOSED);
}

#endif

/* Whether another process sees this one's lock on the database file. */
static bool locked(const fixture *f)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        /* SQLite's shared lock: 510 bytes behind the pending byte, "File Format", 1.3 */
        struct flock lock = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510};
        int fd = open(f->db, O_RDWR | O_CLOEXEC);
        _exit(fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? 0 : 1);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

RV_TEST(a_second_handle_leaves_the_locks)
{
    FX_FILES_ONLY;
    fixture f;
    rv_state *second = NULL;
    REQUIRE(fx_start(&f));
    REQUIRE(locked(&f));
    CHECK_EQ(fx_open_as(&f, "p", &second), RV_OK);
    CHECK(locked(&f));
    rv_state_close(second);
    CHECK(locked(&f));
    fx_end(&f);
}

RV_TEST(backup_beside)
{
    FX_FILES_ONLY;
    fixture f;
    rv_db *db = NULL;
    rv_state *copy = NULL;
    char path[128], url[160];
    bool found = false;
    rv_run_row run;
    REQUIRE(fx_start(&f));
    fx_take(&f, "a", "a_1");
    REQUIRE(rv_backend_sqlite.open(&f.env, f.db, false, &db, &f.err) == RV_OK);
    CHECK_EQ(rv_backend_sqlite.backup(db, 3, &f.err), RV_OK);
    CHECK_EQ(rv_backend_sqlite.backup(db, 3, &f.err), RV_OK); /* again, after a failed start */
    rv_backend_sqlite.close(db);
    snprintf(path, sizeof path, "%s.v3.bak", f.db);
    snprintf(url, sizeof url, "sqlite:%s", path);
    CHECK_EQ(access(path, F_OK), 0);
    rv_state_opts opts = {.url = url, .config_dir = f.dir, .project = ""};
    REQUIRE(rv_state_open(&f.env, &opts, &copy, &f.err) == RV_OK);
    CHECK_EQ(rv_state_run_get(copy, "a_1", &f.arena, &run, &found, &f.err), RV_OK);
    CHECK(found);
    rv_state_close(copy);
    fx_end(&f);
}

int main(int argc, char **argv)
{
#ifdef RV_FAULTS
    const char *dir = getenv("RV_TEST_STATE_DIR");
    if (dir)
        return live_and_die(dir);
#endif
    static const rvtest_case cases[] = {
#ifdef RV_FAULTS
        RV_CASE(killed_around_every_commit),
#endif
        RV_CASE(a_second_handle_leaves_the_locks),
        RV_CASE(backup_beside),
    };
    return fx_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
