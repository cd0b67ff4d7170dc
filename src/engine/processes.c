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
#include "base/file.h"
#include "engine/events.h"
#include "engine/many_internal.h"
#include "engine/report.h"

#define RV_TARGET "engine"
#define SELF "/proc/self/exe"
#define ARGS_MAX 20
#define TICK_MS 100
#define EXIT_TICK_MS 2
#define READS_MAX 64 /* more than a pipe holds */
/* What a child may take beyond the grace period to put its affairs in order. */
#define KILL_AFTER_GRACE_US 5000000

/* ---- what it is started with ---- */

typedef struct rv_child_words {
    const char *argv[ARGS_MAX];
    size_t n;
} rv_child_words;

static void add_word(rv_child_words *w, const char *word)
{
    w->argv[w->n++] = word;
}

static void add_switch(rv_child_words *w, bool given, const char *word)
{
    if (given)
        add_word(w, word);
}

/* Exactly these: parameters would be seen by everybody who lists processes. */
static rv_status child_words(const rv_child_call *c, rv_child_words *w, rv_error *err)
{
    const rv_run_opts *o = c->opts;
    *w = (rv_child_words){.n = 0};
    add_word(w, "rivet");
    add_word(w, "run");
    add_word(w, "--config");
    add_word(w, c->cfg->path);
    add_word(w, "--export");
    add_word(w, c->x->name);
    add_switch(w, o->validate, "--validate");
    add_switch(w, o->reconcile, "--reconcile");
    add_switch(w, c->resume, "--resume");
    add_switch(w, o->force && c->resume, "--force");
    add_switch(w, o->strict, "--strict");
    add_switch(w, o->no_notify, "--no-notify");
    if (!o->children->lock_wait_given)
        return RV_OK;
    add_word(w, "--lock-wait");
    return rv_arena_printf(c->arena, &w->argv[w->n++], err, "%lld", (long long)o->lock_wait_s);
}

static bool is_ours(const char *entry)
{
    static const char *const names[] = {RV_ENV_IPC_FD "=", RV_ENV_PARAMS "=", RV_ENV_AGGREGATE "="};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(entry, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static rv_status child_environment(const rv_child_call *c, int ipc_fd, const char ***out,
                                   rv_error *err)
{
    const char **list;
    const char *params = c->opts->children->params_json;
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    RV_TRY(rv_arena_array(c->arena, n + 4, sizeof *list, &list, err));
    for (size_t i = 0; i < n; i++)
        if (!is_ours(environ[i]))
            list[kept++] = environ[i];
    RV_TRY(rv_arena_printf(c->arena, &list[kept++], err, RV_ENV_IPC_FD "=%d", ipc_fd));
    RV_TRY(
        rv_arena_printf(c->arena, &list[kept++], err, RV_ENV_PARAMS "=%s", params ? params : "{}"));
    if (c->aggregate_id)
        RV_TRY(
            rv_arena_printf(c->arena, &list[kept++], err, RV_ENV_AGGREGATE "=%s", c->aggregate_id));
    *out = list;
    return RV_OK;
}

/* Every other descriptor of this process is closed on exec. The signals that are blocked for the
 * signal thread stay blocked until the child has one. */
static int child_files(const rv_child_call *c, int ipc_fd, posix_spawn_file_actions_t *files)
{
    int log_fd = c->opts->children->log_fd;
    int rc = posix_spawn_file_actions_addopen(files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0 && c->x->dest.kind != RV_DEST_STDOUT)
        rc = posix_spawn_file_actions_addopen(files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0 && log_fd >= 0)
        rc = posix_spawn_file_actions_adddup2(files, log_fd, STDERR_FILENO);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(files, ipc_fd, ipc_fd); /* loses its O_CLOEXEC */
    return rc;
}

static int spawn(const rv_child_call *c, rv_child_words *words, const char **environment,
                 int ipc_fd, pid_t *out)
{
    const rv_run_stand_ins *in = c->opts->stand_ins;
    posix_spawn_file_actions_t files;
    int rc = posix_spawn_file_actions_init(&files);
    if (rc != 0)
        return rc;
    rc = child_files(c, ipc_fd, &files);
    if (rc == 0) /* exec changes neither words nor environment */
        rc = posix_spawn(out, in && in->child ? in->child : SELF, &files, NULL,
                         (char *const *)(uintptr_t)words->argv,
                         (char *const *)(uintptr_t)environment);
    (void)posix_spawn_file_actions_destroy(&files);
    return rc;
}

/* ---- what it says ---- */

typedef struct rv_child {
    const rv_child_call *call;
    pid_t pid;
    int fd; /* -1: it has closed its end */
    int status;
    int64_t began_us, kill_us; /* kill_us 0: not interrupted yet */
    bool killed, skipping;     /* skipping: the rest of a line that is too long */
    rv_buf line;
    rv_export_report report; /* as far as it is known */
    bool finished;
} rv_child;

static void heard(rv_child *ch, const rv_event *e)
{
    const rv_run_hooks *hooks = ch->call->opts->hooks;
    const char *name = ch->call->x->name;
    if (e->kind == RV_EVENT_STARTED) {
        ch->report.run_id = e->report.run_id;
        ch->report.tuning_profile = e->report.tuning_profile;
    } else if (e->kind == RV_EVENT_FINISHED) {
        ch->report = e->report;
        ch->finished = true;
    }
    if (!hooks)
        return;
    if (e->kind == RV_EVENT_STARTED && hooks->started)
        hooks->started(hooks->ctx, &ch->report);
    if (e->kind == RV_EVENT_PLANNED && hooks->planned)
        hooks->planned(hooks->ctx, name, e->total_chunks);
    if (e->kind == RV_EVENT_PROGRESS && hooks->progress)
        hooks->progress(hooks->ctx, name, e->chunks_done, e->rows);
}

static rv_status take_line(rv_child *ch, rv_error *err)
{
    rv_event event;
    RV_TRY(rv_event_parse(rv_buf_str(&ch->line), ch->call->x, ch->call->arena, &event, err));
    heard(ch, &event);
    rv_buf_clear(&ch->line);
    return RV_OK;
}

static rv_status take_bytes(rv_child *ch, const char *data, size_t len, rv_error *err)
{
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) : len;
        if (ch->line.len + n > RV_EVENT_LINE_MAX)
            ch->skipping = true;
        if (!ch->skipping)
            RV_TRY(rv_buf_add(&ch->line, data, n, err));
        if (end && !ch->skipping)
            RV_TRY(take_line(ch, err));
        if (end) {
            rv_buf_clear(&ch->line);
            ch->skipping = false;
        }
        n += end != NULL;
        data += n;
        len -= n;
    }
    return RV_OK;
}

/* What is there now. A failure of memory loses the event, and with it at most the report. */
static void read_events(rv_child *ch)
{
    char chunk[8192];
    ssize_t n = 1;
    for (unsigned i = 0; i < READS_MAX && (n = read(ch->fd, chunk, sizeof chunk)) > 0; i++) {
        rv_error err = {0};
        if (take_bytes(ch, chunk, (size_t)n, &err) != RV_OK) {
            RV_LOG_WARN(ch->call->env, "export '%s': an event was lost: %s", ch->call->x->name,
                        err.text);
            rv_buf_clear(&ch->line);
            ch->skipping = true;
        }
    }
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    rv_file_close(ch->fd);
    ch->fd = -1;
}

/* ---- until it ends ---- */

static void pass_on_signal(rv_child *ch)
{
    rv_cancel *cancel = ch->call->env->cancel;
    int64_t now_us = rv_clock_mono_us();
    if (!rv_cancel_raised(cancel))
        return;
    if (ch->kill_us == 0) {
        int signo = rv_cancel_signal(cancel);
        (void)kill(ch->pid, signo > 0 ? signo : SIGTERM);
        ch->kill_us = now_us + rv_cancel_grace_us(cancel) + KILL_AFTER_GRACE_US;
    } else if (now_us >= ch->kill_us && !ch->killed) {
        RV_LOG_WARN(ch->call->env, "export '%s': its process did not end in time and is killed",
                    ch->call->x->name);
        (void)kill(ch->pid, SIGKILL);
        ch->killed = true;
    }
}

static bool has_ended(rv_child *ch)
{
    pid_t done;
    do
        done = waitpid(ch->pid, &ch->status, WNOHANG);
    while (done < 0 && errno == EINTR);
    return done != 0;
}

/* The end of the process decides, not that of the pipe: what it started may hold that open. */
static void watch(rv_child *ch)
{
    for (;;) {
        struct pollfd fds[] = {
            {.fd = ch->fd, .events = POLLIN},
            {.fd = ch->kill_us ? -1 : rv_cancel_fd(ch->call->env->cancel), .events = POLLIN}};
        (void)poll(fds, 2, ch->fd < 0 ? EXIT_TICK_MS : TICK_MS);
        bool ended = has_ended(ch);
        if (ch->fd >= 0)
            read_events(ch);
        if (ended)
            return;
        pass_on_signal(ch);
    }
}

/* ---- the verdict ---- */

static void fail_report(rv_child *ch, const rv_error *cause)
{
    const rv_cancel *cancel = ch->call->env->cancel;
    ch->report.error = *cause;
    ch->report.status = "failed";
    ch->report.exit_code = rv_class_exit(rv_code(cause->code)->class_);
    if (cause->code == RV_E_INTERRUPTED) {
        ch->report.status = "interrupted";
        ch->report.exit_code = rv_cancel_signal(cancel) == SIGINT ? 130 : 143;
    }
}

static bool was_interrupted(const rv_child *ch)
{
    int code = WIFEXITED(ch->status) ? WEXITSTATUS(ch->status) : 0;
    return code == 130 || code == 143 ||
           (WIFSIGNALED(ch->status) && rv_cancel_raised(ch->call->env->cancel));
}

/* It ended without a report, or against it. */
static void explain_end(rv_child *ch)
{
    rv_error err = {0};
    rv_status st;
    const char *name = ch->call->x->name;
    const char *word = WIFSIGNALED(ch->status) ? sigabbrev_np(WTERMSIG(ch->status)) : NULL;
    if (was_interrupted(ch))
        st = rv_fail(&err, RV_E_INTERRUPTED, "export '%s': interrupted before it could report",
                     name);
    else if (WIFSIGNALED(ch->status))
        st = rv_fail(&err, RV_E_RUN_CHILD, "export '%s': its process was killed by SIG%s", name,
                     word ? word : "?");
    else
        st = rv_fail(&err, RV_E_RUN_CHILD,
                     "export '%s': its process ended with code %d and without a report", name,
                     WEXITSTATUS(ch->status));
    if (st == RV_E_RUN_CHILD)
        rv_hint(&err,
                "run it alone to see why: `rivet run -c %s -e %s`; its next start settles what it "
                "left behind",
                ch->call->cfg->path, name);
    fail_report(ch, &err);
}

static void judge(rv_child *ch)
{
    int code = WIFEXITED(ch->status) ? WEXITSTATUS(ch->status) : 1;
    bool good = ch->report.error.code == RV_OK;
    ch->report.duration_ms = ch->finished && ch->report.duration_ms >= 0
                                 ? ch->report.duration_ms
                                 : (rv_clock_mono_us() - ch->began_us) / 1000;
    /* the report of a success must be borne out by the code */
    if (!ch->finished || (good && code != 0))
        explain_end(ch);
    if (WIFEXITED(ch->status) && code != 0)
        ch->report.exit_code = code; /* taken over, not derived */
    else if (ch->report.exit_code == 0 && ch->report.error.code != RV_OK)
        ch->report.exit_code = 1;
}

static rv_status start(rv_child *ch, rv_error *err)
{
    const rv_child_call *c = ch->call;
    rv_child_words words;
    const char **environment;
    int fds[2];
    RV_TRY(child_words(c, &words, err));
    if (pipe2(fds, O_CLOEXEC) != 0)
        return rv_fail_errno(err, RV_E_IO, errno, "export '%s': its process cannot be started",
                             c->x->name);
    rv_status st = child_environment(c, fds[1], &environment, err);
    int rc = st == RV_OK ? spawn(c, &words, environment, fds[1], &ch->pid) : 0;
    rv_file_close(fds[1]);
    if (st == RV_OK && rc != 0)
        st = rv_fail_errno(err, RV_E_IO, rc, "export '%s': its process cannot be started",
                           c->x->name);
    if (st != RV_OK) {
        rv_file_close(fds[0]);
        return st;
    }
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    ch->fd = fds[0];
    return RV_OK;
}

void rv_child_run(const rv_child_call *call, rv_export_report *out)
{
    rv_error err = {0};
    rv_child ch = {.call = call, .fd = -1, .began_us = rv_clock_mono_us()};
    rv_export_report_empty(call->x, &ch.report);
    if (start(&ch, &err) == RV_OK) {
        watch(&ch);
        judge(&ch);
    } else {
        fail_report(&ch, &err);
    }
    rv_file_close(ch.fd);
    rv_buf_free(&ch.line);
    *out = ch.report;
}
