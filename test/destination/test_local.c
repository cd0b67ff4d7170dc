#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "conformance/destination.h"
#include "rvtest.h"

#define MINE "0123456789abcdef0123456789abcdef"

typedef struct fixture {
    char top[64];  /* removed at the end */
    char root[96]; /* the destination */
    int opened;
    rv_buf spool;
    rv_env env;
    rv_error err;
} fixture;

static bool begin(fixture *f)
{
    *f = (fixture){.top = "/tmp/rvlocalXXXXXX"};
    return mkdtemp(f->top) != NULL;
}

static void end(fixture *f)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", f->top);
    CHECK_EQ(system(command), 0);
    rv_buf_free(&f->spool);
}

static rv_dest *open_root(fixture *f, const char *path)
{
    rv_cfg_dest cfg = {.kind = RV_DEST_LOCAL, .path = path};
    rv_dest *d = NULL;
    CHECK_EQ(rv_dest_local.open(&f->env, &cfg, path, &d, &f->err), RV_OK);
    return d;
}

static rv_dest *open_new(void *ctx)
{
    fixture *f = ctx;
    snprintf(f->root, sizeof f->root, "%s/case%d/out", f->top, f->opened++);
    return open_root(f, f->root);
}

static bool write_file(const char *path, const char *content)
{
    int fd;
    (void)unlink(path);
    if (rv_file_create(path, 0600, &fd, NULL) != RV_OK)
        return false;
    rv_status st = rv_file_write(fd, content, strlen(content), path, NULL);
    rv_file_close(fd);
    return st == RV_OK;
}

static bool plant(void *ctx, const char *key, const char *content)
{
    fixture *f = ctx;
    char path[256];
    snprintf(path, sizeof path, "%s/%s", f->root, key);
    return write_file(path, content);
}

static const char *spool(void *ctx, rv_dest *d, const char *key, const char *content)
{
    fixture *f = ctx;
    char *slash;
    rv_buf_clear(&f->spool);
    CHECK_EQ(rv_dest_local.spool_path(d, "run_1", key, &f->spool, &f->err), RV_OK);
    const char *path = rv_buf_cstr(&f->spool);
    char dir[512];
    snprintf(dir, sizeof dir, "%s", path);
    slash = strrchr(dir, '/');
    *slash = '\0';
    CHECK_EQ(rv_file_mkdirs(dir, 0777, &f->err), RV_OK);
    CHECK(write_file(path, content));
    return path;
}

RV_TEST(conformance)
{
    fixture f;
    REQUIRE(begin(&f));
    conformance_fixture c = {&rv_dest_local, open_new, plant, spool, &f};
    conformance_destination(&c);
    end(&f);
}

static rv_digests digests_of(const char *content)
{
    rv_digests out = {.size_bytes = 0};
    rv_digest digest;
    if (rv_digest_init(&digest)) {
        rv_digest_update(&digest, content, strlen(content));
        rv_digest_final(&digest, &out);
        rv_digest_free(&digest);
    }
    return out;
}

static rv_status put(fixture *f, rv_dest *d, const char *key, const char *content,
                     rv_put_outcome *out)
{
    rv_digests now = digests_of(content);
    rv_put_spec spec = {
        .key = key, .spool = spool(f, d, key, content), .digests = &now, .owner_token = MINE};
    return rv_dest_local.put(d, &spec, out, &f->err);
}

static unsigned mode_of(const char *dir, const char *name)
{
    char path[512];
    struct stat sb;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &sb) == 0 ? (unsigned)sb.st_mode & 0777 : 0;
}

RV_TEST(names_and_modes)
{
    fixture f;
    rv_put_outcome out;
    bool tmpfs;
    REQUIRE(begin(&f));
    mode_t old = umask(027);
    rv_dest *d = open_new(&f);
    CHECK_EQ(rv_dest_local.prepare(d, 0, &tmpfs, &f.err), RV_OK);
    CHECK_EQ(mode_of(f.root, ""), 0750);
    const char *path = spool(&f, d, "part.csv", "x");
    char want[256];
    snprintf(want, sizeof want, "%s/.rivet-tmp-run_1-part.csv", f.root);
    CHECK_STR(path, want);
    CHECK_EQ(put(&f, d, "part.csv", "x", &out), RV_OK);
    CHECK_EQ(mode_of(f.root, "part.csv"), 0640);
    CHECK_EQ(access(want, F_OK), 0); /* until that is recorded */
    /* a name that is taken: the spool file stays private */
    CHECK(plant(&f, "taken", "other"));
    CHECK_EQ(put(&f, d, "taken", "x", &out), RV_OK);
    CHECK_EQ(out, RV_PUT_FOREIGN);
    CHECK_EQ(mode_of(f.root, ".rivet-tmp-run_1-taken"), 0600);
    umask(old);
    rv_dest_local.close(d);
    end(&f);
}

RV_TEST(long_names_have_a_spool)
{
    fixture f;
    char key[256];
    rv_put_outcome out;
    REQUIRE(begin(&f));
    rv_dest *d = open_new(&f);
    memset(key, 'k', 250);
    key[250] = '\0';
    CHECK_EQ(put(&f, d, key, "x", &out), RV_OK);
    CHECK_EQ(out, RV_PUT_WRITTEN);
    rv_dest_local.close(d);
    end(&f);
}

RV_TEST(uri_and_facts)
{
    fixture f;
    const char *endpoint, *root;
    rv_dest *d = NULL;
    REQUIRE(begin(&f));
    rv_cfg_dest cfg = {.kind = RV_DEST_LOCAL, .path = "./output/{date}"};
    CHECK_EQ(rv_dest_local.open(&f.env, &cfg, "./output/2026-05-02", &d, &f.err), RV_OK);
    CHECK_STR(rv_dest_local.uri(d), "file://./output/2026-05-02");
    rv_dest_local.facts(d, &endpoint, &root);
    CHECK_STR(endpoint, "");
    CHECK_STR(root, "./output/{date}");
    rv_dest_local.close(d);
    CHECK_EQ(rv_dest_local.open(&f.env, &cfg, "a/../b", &d, &f.err), RV_E_CONFIG_LOCAL_PATH);
    CHECK_EQ(rv_dest_local.open(&f.env, &cfg, "", &d, &f.err), RV_E_CONFIG_LOCAL_PATH);
    end(&f);
}

RV_TEST(relative_paths_are_fixed_at_open)
{
    fixture f;
    char before[512];
    rv_put_outcome out;
    REQUIRE(begin(&f));
    REQUIRE(getcwd(before, sizeof before) != NULL);
    REQUIRE(chdir(f.top) == 0);
    rv_dest *d = open_root(&f, "./out//x/");
    CHECK_EQ(chdir("/"), 0);
    CHECK_EQ(put(&f, d, "p", "1", &out), RV_OK);
    char path[128];
    snprintf(path, sizeof path, "%s/out/x/p", f.top);
    CHECK_EQ(access(path, F_OK), 0);
    CHECK_EQ(chdir(before), 0);
    rv_dest_local.close(d);
    end(&f);
}

RV_TEST(odd_entries)
{
    fixture f;
    rv_object_list l;
    rv_put_outcome out;
    char path[256];
    REQUIRE(begin(&f));
    rv_dest *d = open_new(&f);
    CHECK_EQ(put(&f, d, "real", "1", &out), RV_OK);
    CHECK(plant(&f, ".rivet-tmp-someone-x", "temp"));
    snprintf(path, sizeof path, "%s/folder", f.root);
    CHECK_EQ(mkdir(path, 0777), 0);
    CHECK_EQ(put(&f, d, "folder", "1", &out), RV_OK);
    CHECK_EQ(out, RV_PUT_FOREIGN);
    snprintf(path, sizeof path, "%s/link", f.root);
    CHECK_EQ(symlink("real", path), 0);
    CHECK_EQ(put(&f, d, "link", "1", &out), RV_OK);
    CHECK_EQ(out, RV_PUT_FOREIGN); /* a link is nobody's copy of ours */
    CHECK_EQ(rv_dest_local.list(d, "", &l, &f.err), RV_OK);
    REQUIRE(l.n == 1);
    CHECK_STR(l.items[0].key, "real");
    rv_object_list_free(&l);
    rv_dest_local.close(d);
    end(&f);
}

RV_TEST(too_little_room)
{
    fixture f;
    bool tmpfs;
    REQUIRE(begin(&f));
    rv_dest *d = open_new(&f);
    CHECK_EQ(rv_dest_local.prepare(d, UINT64_MAX, &tmpfs, &f.err), RV_E_DEST_NO_SPACE);
    CHECK(strstr(f.err.text, f.root) != NULL);
    CHECK(strstr(f.err.text, "bytes free") != NULL);
    CHECK(strstr(f.err.text, "18446744073709551615 are needed") != NULL);
    rv_dest_local.close(d);
    end(&f);
}

RV_TEST(a_file_where_a_directory_must_be)
{
    fixture f;
    rv_put_outcome out;
    REQUIRE(begin(&f));
    rv_dest *d = open_new(&f);
    char path[256];
    bool tmpfs;
    CHECK_EQ(rv_dest_local.prepare(d, 0, &tmpfs, &f.err), RV_OK);
    /* a directory that is none: no name below it can be made */
    snprintf(path, sizeof path, "%s/file", f.root);
    CHECK(write_file(path, "x"));
    rv_put_spec spec = {.key = "file/below", .bytes = {(const uint8_t *)"x", 1}};
    CHECK_EQ(rv_dest_local.put(d, &spec, &out, &f.err), RV_E_DEST_IO);
    CHECK(strstr(f.err.text, "file") != NULL);
    rv_dest_local.close(d);
    end(&f);
}

RV_TEST(probe_leaves_nothing)
{
    fixture f;
    rv_probe p;
    REQUIRE(begin(&f));
    rv_dest *d = open_new(&f);
    CHECK_EQ(rv_dest_local.probe(d, &p, &f.err), RV_OK);
    CHECK_EQ(access(f.root, F_OK), -1); /* not even the directory */
    rv_dest_local.close(d);
    end(&f);
}

RV_TEST(only_own_temp_files_are_swept)
{
    static const char *const names[] = {".rivet-tmp-run_1-a", ".rivet-tmp-run_1-b",
                                        ".rivet-tmp-run_11-a", ".rivet-tmp-run_2-a", "run_1-a"};
    static const bool left[] = {false, true, true, true, true};
    fixture f;
    bool tmpfs;
    char key[256], spared[256];
    REQUIRE(begin(&f));
    rv_dest *d = open_new(&f);
    snprintf(spared, sizeof spared, "%s/.rivet-tmp-run_1-b", f.root);
    const char *const keep[] = {spared};
    CHECK_EQ(rv_dest_local.sweep(d, "run_1", keep, 1, &f.err), RV_OK); /* no directory yet */
    CHECK_EQ(rv_dest_local.prepare(d, 0, &tmpfs, &f.err), RV_OK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        CHECK(plant(&f, names[i], "x"));
    memset(key, 'k', 250);
    key[250] = '\0';
    const char *hashed = spool(&f, d, key, "x");
    CHECK_EQ(rv_dest_local.sweep(d, "", NULL, 0, &f.err), RV_OK);
    CHECK_EQ(access(hashed, F_OK), 0);
    CHECK_EQ(rv_dest_local.sweep(d, "run_1", keep, 1, &f.err), RV_OK);
    CHECK_EQ(access(hashed, F_OK), -1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        CHECK_EQ(mode_of(f.root, names[i]) != 0, left[i]);
    rv_dest_local.close(d);
    end(&f);
}

#ifdef RV_FAULTS

/* One put of each kind; cleans up after itself. */
static rv_status all_kinds(fixture *f, rv_put_outcome *out)
{
    rv_dest *d = NULL;
    rv_cfg_dest cfg = {.kind = RV_DEST_LOCAL, .path = f->root};
    rv_object o;
    rv_object_list l = {0};
    rv_remove_outcome removed;
    char fingerprint[22] = "xxh3:";
    uint8_t byte;
    size_t len;
    bool is, tmpfs;
    rv_status st;
    rv_hex_u64(rv_xxh3("content", 7), fingerprint + 5);
    RV_GO(rv_dest_local.open(&f->env, &cfg, f->root, &d, &f->err));
    RV_GO(rv_dest_local.prepare(d, 1, &tmpfs, &f->err));
    rv_put_spec part = {
        .key = "part", .bytes = {(const uint8_t *)"content", 7}, .owner_token = MINE};
    RV_GO(rv_dest_local.put(d, &part, out, &f->err));
    rv_put_spec shared = {.key = "_SUCCESS",
                          .bytes = {(const uint8_t *)"ok", 2},
                          .owner_token = MINE,
                          .mode = RV_PUT_SHARED};
    RV_GO(rv_dest_local.put(d, &shared, out, &f->err));
    RV_GO(rv_dest_local.stat(d, "part", &o, &is, &f->err));
    RV_GO(rv_dest_local.read(d, "part", 0, &byte, 1, &len, &f->err));
    RV_GO(rv_dest_local.list(d, "", &l, &f->err));
    RV_GO(rv_dest_local.move(d, "_SUCCESS", "_quarantine/x", &f->err));
    RV_GO(rv_dest_local.remove(d, "part", MINE, fingerprint, 7, &removed, &f->err));
    CHECK_EQ(removed, RV_REMOVED);
done:
    rv_object_list_free(&l);
    rv_dest_local.close(d);
    return st;
}

static void sweep(bool memory)
{
    for (long n = 1; n < 2000; n++) {
        fixture f;
        rv_put_outcome out;
        REQUIRE(begin(&f));
        snprintf(f.root, sizeof f.root, "%s/a/b", f.top);
        if (memory)
            rv_fault_set_alloc(n, false);
        else
            rv_fault_set_io(n, false);
        rv_status st = all_kinds(&f, &out);
        long seen = memory ? rv_fault_seen_alloc() : rv_fault_seen_io();
        rv_fault_set_alloc(0, false);
        rv_fault_set_io(0, false);
        CHECK(st == RV_OK || st == (memory ? RV_E_MEMORY : RV_E_DEST_IO));
        if (st == RV_OK && seen >= n)
            CHECK(!memory || n > 0);
        end(&f);
        if (seen < n) {
            CHECK_EQ(st, RV_OK);
            CHECK(n > 5);
            return;
        }
    }
    CHECK(false && "the sweep ends");
}

RV_TEST(every_allocation)
{
    sweep(true);
}

RV_TEST(every_file_operation)
{
    sweep(false);
}

/* Killed at a point, the put is repeated by another process: one object, no temp of ours. */
static void killed_at(const char *point, bool shared)
{
    fixture f;
    rv_put_outcome out;
    REQUIRE(begin(&f));
    rv_dest *d = open_new(&f);
    rv_put_spec spec = {.key = "thing",
                        .bytes = {(const uint8_t *)"content", 7},
                        .owner_token = MINE,
                        .mode = shared ? RV_PUT_SHARED : RV_PUT_NEW};
    char self[256], arg[16], setting[64];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    REQUIRE(n > 0);
    self[n] = '\0';
    snprintf(arg, sizeof arg, "%s", shared ? "shared" : "new");
    snprintf(setting, sizeof setting, "%s", point);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        setenv("RIVET_KILL_AT", setting, 1);
        setenv("RV_TEST_PUT_ROOT", f.root, 1);
        setenv("RV_TEST_PUT_KIND", arg, 1);
        execl(self, self, (char *)NULL);
        _exit(9);
    }
    int status = 0;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK_EQ(rv_dest_local.put(d, &spec, &out, &f.err), RV_OK);
    CHECK_EQ(out, strcmp(point, "dest-before-link") == 0 ? RV_PUT_WRITTEN : RV_PUT_SAME);
    char command[192];
    snprintf(command, sizeof command, "test \"$(ls -A '%s')\" = thing", f.root);
    CHECK_EQ(system(command), 0);
    rv_dest_local.close(d);
    end(&f);
}

RV_TEST(killed_and_repeated)
{
    killed_at("dest-before-link", false);
    killed_at("dest-after-link", false);
    killed_at("dest-after-unlink", false);
    killed_at("dest-before-link", true);
    killed_at("dest-after-link", true);
}

/* The child of killed_at: one put, during which it dies. */
static int put_and_die(const char *root)
{
    rv_env env = {0};
    rv_error err;
    rv_dest *d = NULL;
    rv_put_outcome out;
    rv_cfg_dest cfg = {.kind = RV_DEST_LOCAL, .path = root};
    rv_put_spec spec = {.key = "thing",
                        .bytes = {(const uint8_t *)"content", 7},
                        .owner_token = MINE,
                        .mode = strcmp(getenv("RV_TEST_PUT_KIND"), "shared") == 0 ? RV_PUT_SHARED
                                                                                  : RV_PUT_NEW};
    if (rv_dest_local.open(&env, &cfg, root, &d, &err) != RV_OK)
        return 8;
    (void)!rv_dest_local.put(d, &spec, &out, &err);
    return 7;
}

#endif

/* Exports of one prefix that end at the same time: every one publishes, none blames another. */
typedef struct publisher {
    const char *root, *owner;
    size_t len;
    int failed, written;
    rv_error err;
} publisher;

static void *publish_often(void *arg)
{
    publisher *p = arg;
    rv_env env = {0};
    char content[64];
    rv_dest *d = NULL;
    rv_cfg_dest cfg = {.kind = RV_DEST_LOCAL, .path = p->root};
    p->failed = rv_dest_local.open(&env, &cfg, p->root, &d, &p->err) != RV_OK;
    for (int i = 0; i < 200 && !p->failed; i++) {
        rv_object o;
        rv_put_outcome out = RV_PUT_CHANGED;
        bool found;
        memset(content, 'a' + i % 26, sizeof content);
        p->failed = rv_dest_local.stat(d, "shared", &o, &found, &p->err) != RV_OK;
        rv_put_spec spec = {.key = "shared",
                            .bytes = {(const uint8_t *)content, p->len},
                            .owner_token = p->owner,
                            .mode = RV_PUT_SHARED,
                            .version = found ? o.version : NULL};
        if (!p->failed && rv_dest_local.put(d, &spec, &out, &p->err) != RV_OK)
            p->failed = 1;
        else
            p->written += out == RV_PUT_WRITTEN;
    }
    rv_dest_local.close(d);
    return NULL;
}

RV_TEST(publishers_of_one_prefix_do_not_blame_each_other)
{
    fixture f;
    pthread_t threads[2];
    REQUIRE(begin(&f));
    publisher p[2] = {{.root = f.top, .owner = MINE, .len = 10},
                      {.root = f.top, .owner = "ffff456789abcdef0123456789abcdef", .len = 60}};
    for (int i = 0; i < 2; i++)
        REQUIRE(pthread_create(&threads[i], NULL, publish_often, &p[i]) == 0);
    for (int i = 0; i < 2; i++) {
        (void)pthread_join(threads[i], NULL);
        CHECK_STR(p[i].err.text, "");
        CHECK(!p[i].failed);
        CHECK(p[i].written > 0);
    }
    end(&f);
}

int main(int argc, char **argv)
{
#ifdef RV_FAULTS
    const char *root = getenv("RV_TEST_PUT_ROOT");
    if (root)
        return put_and_die(root);
#endif
    static const rvtest_case cases[] = {
        RV_CASE(conformance),
        RV_CASE(names_and_modes),
        RV_CASE(long_names_have_a_spool),
        RV_CASE(uri_and_facts),
        RV_CASE(relative_paths_are_fixed_at_open),
        RV_CASE(odd_entries),
        RV_CASE(too_little_room),
        RV_CASE(a_file_where_a_directory_must_be),
        RV_CASE(probe_leaves_nothing),
        RV_CASE(only_own_temp_files_are_swept),
        RV_CASE(publishers_of_one_prefix_do_not_blame_each_other),
#ifdef RV_FAULTS
        RV_CASE(every_allocation),
        RV_CASE(every_file_operation),
        RV_CASE(killed_and_repeated),
#endif
    };
    return rvtest_main(cases, sizeof cases / sizeof cases[0], argc, argv);
}
