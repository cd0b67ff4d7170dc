#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file_internal.h"
#include "sweep.h"

static char root[64];
static char paths[4][PATH_MAX];

/* A path below a fresh directory; slot keeps several alive at once. */
static const char *at(unsigned slot, const char *name)
{
    snprintf(paths[slot], sizeof paths[slot], "%s/%s", root, name);
    return paths[slot];
}

static bool begin(void)
{
    snprintf(root, sizeof root, "/tmp/rivet-test-XXXXXX");
    return mkdtemp(root) != NULL;
}

static void finish(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    CHECK_EQ(system(command), 0);
}

static unsigned entries(const char *dir)
{
    char command[PATH_MAX + 32], line[32] = "";
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", dir);
    FILE *pipe = popen(command, "r");
    if (!pipe || !fgets(line, sizeof line, pipe))
        CHECK(false && "the directory can be listed");
    if (pipe)
        (void)pclose(pipe);
    return (unsigned)strtoul(line, NULL, 10);
}

static void put(const char *path, const char *text)
{
    CHECK_EQ(rv_file_replace(path, rv_str_bytes(rv_str_c(text)), 0600, NULL), RV_OK);
}

static void check_content(const char *path, const char *want)
{
    rv_buf b = RV_BUF_INIT;
    bool found = false;
    CHECK_EQ(rv_file_read_all(path, 1000, &b, &found, NULL), RV_OK);
    CHECK(found);
    CHECK_STR(rv_buf_cstr(&b), want);
    rv_buf_free(&b);
}

RV_TEST(create_write_read)
{
    REQUIRE(begin());
    int fd = -1, again = -7;
    rv_error err;
    char got[8] = "";
    const char *p = at(0, "f");
    REQUIRE(rv_file_create(p, 0600, &fd, &err) == RV_OK);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(rv_file_create(p, 0600, &again, &err), RV_E_IO);
    CHECK_STR(err.native, "EEXIST");
    CHECK(strstr(err.text, p) != NULL);
    CHECK_EQ(again, -7);
    CHECK_EQ(rv_file_write(fd, "hello", 5, p, &err), RV_OK);
    CHECK_EQ(rv_file_write(fd, NULL, 0, p, &err), RV_OK);
    CHECK_EQ(rv_file_pwrite(fd, "J", 1, 0, p, &err), RV_OK);
    CHECK_EQ(rv_file_pwrite(fd, "!", 1, 6, p, &err), RV_OK);
    CHECK_EQ(rv_file_sync(fd, p, &err), RV_OK);
    CHECK_EQ(rv_file_pread(fd, got, 7, 0, p, &err), RV_OK);
    CHECK_MEM(got, 7, "Jello\0!", 7);
    CHECK_EQ(rv_file_pread(fd, got, 2, 6, p, &err), RV_E_CORRUPT);
    CHECK_EQ(rv_file_pread(fd, got, 2, UINT64_MAX, p, &err), RV_E_CORRUPT);
    CHECK_EQ(rv_file_pread(fd, got, 0, 700, p, &err), RV_OK);
    CHECK_EQ(rv_file_pwrite(fd, "x", 1, INT64_MAX, p, &err), RV_E_IO);
    CHECK_STR(err.native, "EFBIG");
    rv_file_close(fd);
    rv_file_close(-1);
    CHECK_EQ(rv_file_open_read(p, &fd, &err), RV_OK);
    CHECK_EQ(rv_file_write(fd, "x", 1, p, &err), RV_E_IO);
    CHECK_STR(err.native, "EBADF");
    rv_file_close(fd);
    CHECK_EQ(rv_file_open_read(at(1, "none"), &fd, &err), RV_E_IO);
    CHECK_STR(err.native, "ENOENT");
    finish();
}

RV_TEST(appending)
{
    REQUIRE(begin());
    int fd;
    for (int i = 0; i < 2; i++) {
        REQUIRE(rv_file_append(at(0, "log"), 0600, &fd, NULL) == RV_OK);
        CHECK_EQ(rv_file_write(fd, "ab", 2, "log", NULL), RV_OK);
        rv_file_close(fd);
    }
    check_content(at(0, "log"), "abab");
    finish();
}

RV_TEST(scratch_files_have_no_name)
{
    REQUIRE(begin());
    int fd = -1;
    struct stat sb;
    rv_error err;
    char got[3];
    REQUIRE(rv_file_scratch(root, &fd, &err) == RV_OK);
    CHECK_EQ(entries(root), 0);
    CHECK(fstat(fd, &sb) == 0 && (sb.st_mode & 0777) == 0600 && sb.st_nlink == 0);
    CHECK_EQ(rv_file_write(fd, "abc", 3, "scratch", &err), RV_OK);
    CHECK_EQ(rv_file_pread(fd, got, 3, 0, "scratch", &err), RV_OK);
    rv_file_close(fd);
    CHECK_EQ(rv_file_scratch(at(0, "none"), &fd, &err), RV_E_IO);
    finish();
}

RV_TEST(sizes)
{
    REQUIRE(begin());
    uint64_t size = 77;
    bool found = true;
    CHECK_EQ(rv_file_size(at(0, "none"), &size, &found, NULL), RV_OK);
    CHECK(!found && size == 77);
    put(at(0, "f"), "12345");
    CHECK_EQ(rv_file_size(at(0, "f"), &size, &found, NULL), RV_OK);
    CHECK(found && size == 5);
    CHECK_EQ(rv_file_size(at(1, "f/below"), &size, &found, NULL), RV_OK);
    CHECK(!found);
    finish();
}

RV_TEST(reading_whole_files)
{
    REQUIRE(begin());
    rv_buf b = RV_BUF_INIT;
    bool found = true;
    rv_error err;
    REQUIRE(rv_buf_add_c(&b, "kept ", NULL) == RV_OK);
    CHECK_EQ(rv_file_read_all(at(0, "none"), 10, &b, &found, &err), RV_OK);
    CHECK(!found);
    put(at(0, "f"), "0123456789");
    CHECK_EQ(rv_file_read_all(at(0, "f"), 9, &b, &found, &err), RV_E_CORRUPT);
    CHECK(!found);
    CHECK_STR(rv_buf_cstr(&b), "kept ");
    CHECK_EQ(rv_file_read_all(at(0, "f"), 10, &b, &found, &err), RV_OK);
    CHECK(found);
    CHECK_STR(rv_buf_cstr(&b), "kept 0123456789");
    CHECK_EQ(rv_file_read_all(root, 10, &b, &found, &err), RV_E_IO);
    CHECK_STR(err.native, "EISDIR");
    rv_buf_free(&b);
    finish();
}

RV_TEST(replacing)
{
    REQUIRE(begin());
    struct stat sb;
    put(at(0, "f"), "old");
    CHECK_EQ(rv_file_replace(at(0, "f"), rv_str_bytes(RV_STR("new")), 0640, NULL), RV_OK);
    check_content(at(0, "f"), "new");
    CHECK(stat(at(0, "f"), &sb) == 0 && (sb.st_mode & 0777) == 0640);
    CHECK_EQ(rv_file_replace(at(0, "empty"), (rv_bytes){NULL, 0}, 0600, NULL), RV_OK);
    check_content(at(0, "empty"), "");
    CHECK_EQ(entries(root), 2); /* no temp file stays */
    /* the target cannot be replaced: the temp file goes, the text names the target */
    rv_error err;
    CHECK_EQ(mkdir(at(1, "dir"), 0700), 0);
    CHECK_EQ(rv_file_replace(at(1, "dir"), rv_str_bytes(RV_STR("x")), 0600, &err), RV_E_IO);
    CHECK(strncmp(err.text, "cannot write '", 14) == 0 && strstr(err.text, "/dir'") != NULL);
    CHECK_EQ(entries(root), 3);
    CHECK_EQ(rv_file_replace(at(1, "no/f"), rv_str_bytes(RV_STR("x")), 0600, &err), RV_E_IO);
    finish();
}

RV_TEST(a_relative_path_has_a_directory_too)
{
    REQUIRE(begin());
    char before[PATH_MAX];
    REQUIRE(getcwd(before, sizeof before) != NULL && chdir(root) == 0);
    put("f", "here");
    CHECK_EQ(rv_file_mkdirs("a/b", 0700, NULL), RV_OK);
    put("a/b//g", "there");
    CHECK(chdir(before) == 0);
    check_content(at(0, "f"), "here");
    check_content(at(0, "a/b/g"), "there");
    finish();
}

RV_TEST(linking_never_replaces)
{
    REQUIRE(begin());
    bool exists = true;
    const char *from = at(0, "tmp"), *to = at(1, "final");
    put(from, "new");
    CHECK_EQ(rv_file_link_new(from, to, &exists, NULL), RV_OK);
    CHECK(!exists);
    check_content(to, "new");
    put(from, "other");
    CHECK_EQ(rv_file_link_new(from, to, &exists, NULL), RV_OK);
    CHECK(exists);
    check_content(to, "new");
    check_content(from, "other");
    rv_error err;
    exists = true;
    CHECK_EQ(rv_file_link_new(at(2, "none"), at(3, "x"), &exists, &err), RV_E_IO);
    CHECK(exists);
    finish();
}

RV_TEST(the_fallbacks_of_linking_never_replace)
{
    REQUIRE(begin());
    const char *from = at(0, "tmp"), *to = at(1, "final");
    for (int way = 0; way < 2; way++) {
        bool exists = true, supported = true, found;
        put(from, "new");
        if (way == 0)
            CHECK_EQ(rv_file_rename_new(from, to, &exists, &supported, NULL), RV_OK);
        else
            CHECK_EQ(rv_file_check_rename(from, to, &exists, NULL), RV_OK);
        if (!supported)
            continue; /* a file system without it: the second way is the proof */
        CHECK(!exists);
        check_content(to, "new");
        put(from, "other");
        if (way == 0)
            CHECK_EQ(rv_file_rename_new(from, to, &exists, &supported, NULL), RV_OK);
        else
            CHECK_EQ(rv_file_check_rename(from, to, &exists, NULL), RV_OK);
        CHECK(exists);
        check_content(to, "new");
        check_content(from, "other");
        CHECK_EQ(rv_file_remove(to, &found, NULL), RV_OK);
    }
    bool exists, supported;
    CHECK_EQ(rv_file_rename_new(at(2, "none"), to, &exists, &supported, NULL), RV_E_IO);
    CHECK_EQ(rv_file_check_rename(at(2, "none"), to, &exists, NULL), RV_E_IO);
    CHECK_EQ(rv_file_check_rename(from, at(2, "tmp/x"), &exists, NULL), RV_E_IO);
    finish();
}

RV_TEST(removing_and_renaming)
{
    REQUIRE(begin());
    bool found = true;
    rv_error err;
    CHECK_EQ(rv_file_remove(at(0, "f"), &found, NULL), RV_OK);
    CHECK(!found);
    put(at(0, "f"), "x");
    CHECK_EQ(rv_file_rename(at(0, "f"), at(1, "g"), NULL), RV_OK);
    check_content(at(1, "g"), "x");
    CHECK_EQ(rv_file_rename(at(0, "f"), at(1, "g"), &err), RV_E_IO);
    CHECK_STR(err.native, "ENOENT");
    CHECK_EQ(rv_file_remove(at(1, "g"), &found, NULL), RV_OK);
    CHECK(found);
    CHECK_EQ(rv_file_remove(root, &found, &err), RV_E_IO);
    finish();
}

RV_TEST(making_directories)
{
    REQUIRE(begin());
    struct stat sb;
    rv_error err;
    CHECK_EQ(rv_file_mkdirs(at(0, "a//b/c/"), 0700, NULL), RV_OK);
    CHECK_EQ(rv_file_mkdirs(at(0, "a/b/c"), 0700, NULL), RV_OK);
    CHECK(stat(at(0, "a/b/c"), &sb) == 0 && S_ISDIR(sb.st_mode));
    CHECK_EQ(rv_file_mkdirs("/", 0700, NULL), RV_OK);
    CHECK_EQ(rv_file_mkdirs("", 0700, &err), RV_E_IO);
    put(at(0, "file"), "x");
    CHECK_EQ(rv_file_mkdirs(at(0, "file"), 0700, &err), RV_E_IO);
    CHECK_STR(err.native, "ENOTDIR");
    CHECK_EQ(rv_file_mkdirs(at(0, "file/below"), 0700, &err), RV_E_IO);
    char lng[PATH_MAX + 10];
    memset(lng, 'x', sizeof lng);
    lng[sizeof lng - 1] = '\0';
    CHECK_EQ(rv_file_mkdirs(lng, 0700, &err), RV_E_IO);
    CHECK_STR(err.native, "ENAMETOOLONG");
    CHECK_EQ(rv_file_sync_dir(at(0, "file"), &err), RV_E_IO);
    finish();
}

RV_TEST(no_space_has_its_own_code)
{
    rv_error err;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        CHECK_EQ(rv_file_write(fd, "x", 1, "/dev/full", &err), RV_E_DEST_NO_SPACE);
        CHECK_STR(err.native, "ENOSPC");
        CHECK(strstr(err.text, "bytes free") != NULL);
        rv_file_close(fd);
    } else {
        SKIP("no /dev/full here");
    }
}

RV_TEST(no_permission_has_its_own_code)
{
    REQUIRE(begin());
    CHECK_EQ(chmod(root, 0500), 0);
    pid_t pid = fork();
    if (pid == 0) {
        rv_error err;
        int fd;
        /* root may write everywhere, so give that up first */
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(2);
        rv_status st = rv_file_create(at(0, "f"), 0600, &fd, &err);
        _exit(st == RV_E_DEST_PERMISSION && strcmp(err.native, "EACCES") == 0 ? 0 : 1);
    }
    int status = -1;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_EQ(chmod(root, 0700), 0);
    finish();
}

RV_TEST(errno_names)
{
    CHECK_STR(rv_errno_name(ENOSPC), "ENOSPC");
    CHECK_STR(rv_errno_name(EAGAIN), "EAGAIN");
    CHECK_STR(rv_errno_name(41), "E41");
    CHECK(rv_errno_name(-3) != NULL && rv_errno_name(99999)[0] == 'E');
}

static rv_status use_everything(void)
{
    rv_buf b = RV_BUF_INIT;
    int fd = -1;
    char got[3];
    uint64_t size;
    bool found, exists;
    rv_status st;
    RV_GO(rv_file_mkdirs(at(0, "a/b"), 0700, NULL));
    RV_GO(rv_file_create(at(0, "a/b/tmp"), 0600, &fd, NULL));
    RV_GO(rv_file_write(fd, "abc", 3, at(0, "a/b/tmp"), NULL));
    RV_GO(rv_file_pwrite(fd, "x", 1, 0, at(0, "a/b/tmp"), NULL));
    RV_GO(rv_file_pread(fd, got, 3, 0, at(0, "a/b/tmp"), NULL));
    RV_GO(rv_file_sync(fd, at(0, "a/b/tmp"), NULL));
    RV_GO(rv_file_link_new(at(0, "a/b/tmp"), at(1, "a/b/final"), &exists, NULL));
    RV_GO(rv_file_sync_dir(at(0, "a/b"), NULL));
    RV_GO(rv_file_remove(at(0, "a/b/tmp"), &found, NULL));
    RV_GO(rv_file_size(at(0, "a/b/final"), &size, &found, NULL));
    RV_GO(rv_file_replace(at(0, "a/b/final"), rv_str_bytes(RV_STR("zz")), 0600, NULL));
    RV_GO(rv_file_read_all(at(0, "a/b/final"), 100, &b, &found, NULL));
    RV_GO(rv_file_rename(at(0, "a/b/final"), at(1, "a/b/moved"), NULL));
    rv_file_close(fd);
    fd = -1;
    RV_GO(rv_file_append(at(0, "a/b/moved"), 0600, &fd, NULL));
    rv_file_close(fd);
    fd = -1;
    RV_GO(rv_file_open_read(at(0, "a/b/moved"), &fd, NULL));
    rv_file_close(fd);
    fd = -1;
    RV_GO(rv_file_scratch(root, &fd, NULL));
done:
    rv_file_close(fd);
    rv_buf_free(&b);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s/a'", root);
    CHECK_EQ(system(command), 0);
    return st;
}

RV_TEST(operation_sweep)
{
    REQUIRE(begin());
    sweep_io(use_everything);
    CHECK_EQ(entries(root), 0); /* nothing was left beside what the action removes */
    finish();
}

RV_TEST(allocation_sweep)
{
    REQUIRE(begin());
    sweep_alloc(use_everything);
    finish();
}

RV_TEST_MAIN(RV_CASE(create_write_read), RV_CASE(appending), RV_CASE(scratch_files_have_no_name),
             RV_CASE(sizes), RV_CASE(reading_whole_files), RV_CASE(replacing),
             RV_CASE(a_relative_path_has_a_directory_too), RV_CASE(linking_never_replaces),
             RV_CASE(the_fallbacks_of_linking_never_replace), RV_CASE(removing_and_renaming),
             RV_CASE(making_directories), RV_CASE(no_space_has_its_own_code),
             RV_CASE(no_permission_has_its_own_code), RV_CASE(errno_names),
             RV_CASE(operation_sweep), RV_CASE(allocation_sweep))
