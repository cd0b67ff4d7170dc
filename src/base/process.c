#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

/* The kernel's virtual files are read without heap and without passing the fault points of
 * base/file.h: a sampling thread would otherwise make "the nth operation" a matter of luck. */
static rv_str read_proc(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return (rv_str){NULL, 0};
    size_t len = 0;
    while (len < size) {
        ssize_t n = read(fd, buf + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    (void)close(fd);
    return rv_str_trim((rv_str){buf, len});
}

static void copy_text(char *out, size_t size, rv_str s)
{
    size_t n = s.len < size ? s.len : size - 1;
    if (n)
        memcpy(out, s.ptr, n);
    out[n] = '\0';
}

/* The blank-separated field `index` (from 0) of s; empty when there are fewer. */
static rv_str field(rv_str s, unsigned index)
{
    for (;; index--) {
        const char *blank = s.len ? memchr(s.ptr, ' ', s.len) : NULL;
        size_t len = blank ? (size_t)(blank - s.ptr) : s.len;
        if (index == 0)
            return (rv_str){s.ptr, len};
        if (!blank)
            return (rv_str){NULL, 0};
        s = (rv_str){blank + 1, s.len - len - 1};
    }
}

typedef struct proc_stat {
    char state;
    int64_t threads;
    int64_t start_ticks;
} proc_stat;

/* proc(5): the second field is a name in parentheses that may hold anything, so counting
 * starts behind the last ')': state is field 3, num_threads 20, starttime 22. */
static bool read_stat(int64_t pid, proc_stat *out)
{
    char path[64], buf[1024];
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    rv_str s = read_proc(path, buf, sizeof buf);
    const char *end = s.len ? memrchr(s.ptr, ')', s.len) : NULL;
    if (!end || (size_t)(end - s.ptr) + 2 > s.len)
        return false;
    s = (rv_str){end + 2, s.len - (size_t)(end - s.ptr) - 2};
    rv_str state = field(s, 0);
    if (state.len != 1 || !rv_str_i64(field(s, 17), &out->threads) ||
        !rv_str_i64(field(s, 19), &out->start_ticks))
        return false;
    out->state = state.ptr[0];
    return true;
}

void rv_process_self(rv_process_id *out)
{
    *out = (rv_process_id){.pid = getpid()};
    char buf[256];
    if (gethostname(out->host, sizeof out->host) != 0)
        out->host[0] = '\0';
    out->host[sizeof out->host - 1] = '\0';
    copy_text(out->boot_id, sizeof out->boot_id,
              read_proc("/proc/sys/kernel/random/boot_id", buf, sizeof buf));
    ssize_t n = readlink("/proc/self/ns/pid", buf, sizeof buf);
    copy_text(out->pid_ns, sizeof out->pid_ns, (rv_str){buf, n > 0 ? (size_t)n : 0});
    proc_stat st;
    if (read_stat(out->pid, &st))
        out->pid_start = st.start_ticks;
}

static bool same_known(const char *a, const char *b)
{
    return a[0] && strcmp(a, b) == 0;
}

bool rv_process_dead(const rv_process_id *p)
{
    rv_process_id self;
    rv_process_self(&self);
    if (!same_known(p->host, self.host) || !same_known(p->boot_id, self.boot_id) ||
        !same_known(p->pid_ns, self.pid_ns) || p->pid <= 0 || p->pid > INT32_MAX)
        return false;
    if (kill((pid_t)p->pid, 0) != 0 && errno == ESRCH)
        return true;
    proc_stat st;
    if (!read_stat(p->pid, &st))
        return false;
    /* a zombie whose other threads are gone only waits for its parent */
    if ((st.state == 'Z' && st.threads <= 1) || st.state == 'X')
        return true;
    return p->pid_start > 0 && st.start_ticks != p->pid_start;
}

uint64_t rv_process_rss_bytes(void)
{
    char buf[256];
    uint64_t pages;
    long page = sysconf(_SC_PAGESIZE);
    if (page <= 0 || !rv_str_u64(field(read_proc("/proc/self/statm", buf, sizeof buf), 1), &pages))
        return 0;
    return pages * (uint64_t)page;
}

/* ---- a command that answers with one line ---- */

#define LINE_MAX_BYTES ((size_t)64 * 1024)

/* The signals that this process blocks for its signal thread must reach the command. */
static int spawn_shell(const char *command, int out_fd, pid_t *out_pid)
{
    char *const argv[] = {"sh", "-c", (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, pipe_signal;
    (void)sigemptyset(&none);
    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    int rc = posix_spawn_file_actions_init(&files);
    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attr);
    if (rc == 0) {
        short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
        (void)posix_spawnattr_setflags(&attr, flags);
        (void)posix_spawnattr_setsigmask(&attr, &none);
        (void)posix_spawnattr_setsigdefault(&attr, &pipe_signal);
        rc = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
        if (rc == 0)
            rc = posix_spawn_file_actions_adddup2(&files, out_fd, 1);
        if (rc == 0)
            rc = posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
        if (rc == 0)
            rc = posix_spawn(out_pid, "/bin/sh", &files, &attr, argv, environ);
        (void)posix_spawnattr_destroy(&attr);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* Reads to the end of the pipe, keeping what comes before the first line feed. */
static rv_status read_line(int fd, int64_t deadline_us, rv_cancel *cancel, const char *what,
                           rv_buf *line, rv_error *err)
{
    char chunk[4096];
    bool over = false;
    for (;;) {
        int64_t left = deadline_us - rv_clock_mono_us();
        struct pollfd fds[] = {{.fd = fd, .events = POLLIN},
                               {.fd = rv_cancel_fd(cancel), .events = POLLIN}};
        RV_TRY(rv_cancel_check(cancel, err));
        if (left <= 0)
            return rv_fail(err, RV_E_IO, "%s did not end in time", what);
        if (poll(fds, 2, (int)(left / 1000) + 1) <= 0 || fds[0].revents == 0)
            continue;
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return RV_OK;
        const char *end = over ? chunk : memchr(chunk, '\n', (size_t)n);
        size_t keep = end ? (size_t)(end - chunk) : (size_t)n;
        over = over || end;
        if (line->len + keep > LINE_MAX_BYTES)
            return rv_fail(err, RV_E_IO, "%s wrote a line that is too long", what);
        RV_TRY(rv_buf_add(line, chunk, keep, err));
    }
}

/* Waits for the shell; past the deadline it is killed with everything it started. */
static bool reap(pid_t pid, bool kill_now, int64_t deadline_us)
{
    int status = 0;
    for (;;) {
        if (kill_now || rv_clock_mono_us() >= deadline_us)
            (void)kill(-pid, SIGKILL);
        pid_t done = waitpid(pid, &status, kill_now ? 0 : WNOHANG);
        if (done == pid)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (done < 0 && errno != EINTR)
            return false;
        (void)usleep(1000);
    }
}

rv_status rv_process_line(const char *command, int64_t limit_us, rv_cancel *cancel,
                          const char *what, rv_buf *out, rv_error *err)
{
    int64_t deadline = rv_clock_mono_us() + limit_us;
    size_t before = out->len;
    pid_t pid = 0;
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return rv_fail_errno(err, RV_E_IO, errno, "%s cannot be started", what);
    int rc = spawn_shell(command, fds[1], &pid);
    (void)close(fds[1]);
    rv_status st = rc != 0 ? rv_fail_errno(err, RV_E_IO, rc, "%s cannot be started", what)
                           : read_line(fds[0], deadline, cancel, what, out, err);
    (void)close(fds[0]);
    if (rc == 0 && !reap(pid, st != RV_OK, deadline) && st == RV_OK)
        st = rv_fail(err, RV_E_IO, "%s failed", what);
    if (st == RV_OK && out->len > before && out->ptr[out->len - 1] == '\r')
        out->len--;
    if (st == RV_OK && out->len == before)
        st = rv_fail(err, RV_E_IO, "%s wrote no line", what);
    if (st != RV_OK)
        out->len = before;
    return st;
}
