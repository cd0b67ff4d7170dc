#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "state/postgres/postgres_internal.h"
#include "state_fixture.h"

RV_TEST(statements_are_respelled)
{
    rv_buf b = RV_BUF_INIT;
    CHECK_EQ(rv_pgstate_placeholders("a = ? AND b = '?''?' AND c < ?", &b, NULL), RV_OK);
    CHECK_STR((const char *)b.ptr, "a = $1 AND b = '?''?' AND c < $2");
    rv_buf_clear(&b);
    CHECK_EQ(rv_pgstate_ddl("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, INTEGERS TEXT "
                            "NOT NULL, x BLOB, y INTEGER)",
                            &b, NULL),
             RV_OK);
    CHECK_STR((const char *)b.ptr, "CREATE TABLE t (id BIGSERIAL PRIMARY KEY, BIGINTS TEXT COLLATE "
                                   "\"C\" NOT NULL, x BYTEA, y BIGINT)");
    rv_buf_free(&b);
}

static rv_status open_at(fixture *f, const char *url, rv_state **out)
{
    rv_state_opts opts = {.url = url, .config_dir = f->dir, .project = ""};
    return rv_state_open(&f->env, &opts, out, &f->err);
}

RV_TEST(the_clock_is_the_servers)
{
    FX_SERVER_ONLY;
    fixture f;
    rv_run_row row;
    int64_t now = 0;
    bool found = false;
    REQUIRE(fx_begin(&f));
    f.env.getenv = NULL; /* and the host's clock is months off */
    REQUIRE(fx_open_as(&f, "", &f.s) == RV_OK);
    CHECK_STR(rv_state_label(f.s), "postgres, schema v1");
    CHECK_EQ(rv_state_now_us(f.s, &now, &f.err), RV_OK);
    CHECK(llabs(now - rv_clock_now_us()) < 60000000);
    CHECK_EQ(fx_take(&f, "a", "a_1").epoch, 1);
    CHECK_EQ(rv_state_run_open(f.s, "a", &f.arena, &row, &found, &f.err), RV_OK);
    REQUIRE(found);
    CHECK(row.heartbeat_age_us >= -1000 && row.heartbeat_age_us < 60000000);
    CHECK(!rv_run_row_dead(&row));
    fx_end(&f);
}

RV_TEST(away_is_unreachable_and_keeps_the_secret)
{
    FX_SERVER_ONLY;
    fixture f;
    rv_state *s = NULL;
    REQUIRE(fx_begin(&f));
    CHECK_EQ(open_at(&f, "postgresql://u:s3cretpw@127.0.0.1:1/d", &s), RV_E_STATE_UNREACHABLE);
    CHECK(strstr(f.err.text, "s3cretpw") == NULL && strstr(f.err.hint, "s3cretpw") == NULL);
    char url[1200];
    REQUIRE(fx_conninfo(getenv("RIVET_TEST_PG_URL"), "no_such_database_here", url, sizeof url));
    CHECK_EQ(open_at(&f, url, &s), RV_E_STATE_URL);
    CHECK(strstr(f.err.hint, "UTF8") != NULL);
    fx_end(&f);
}

RV_TEST(other_encodings_are_refused)
{
    FX_SERVER_ONLY;
    fixture f;
    rv_state *s = NULL;
    char name[64], sql[160], url[1200];
    const char *server = getenv("RIVET_TEST_PG_URL");
    REQUIRE(fx_begin(&f));
    snprintf(name, sizeof name, "rivet_latin_%d", (int)getpid());
    snprintf(sql, sizeof sql,
             "CREATE DATABASE %s ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'",
             name);
    REQUIRE(fx_server_do(server, sql) && fx_conninfo(server, name, url, sizeof url));
    CHECK_EQ(open_at(&f, url, &s), RV_E_STATE_URL);
    snprintf(sql, sizeof sql, "DROP DATABASE %s", name);
    CHECK(fx_server_do(server, sql));
    fx_end(&f);
}

RV_TEST(foreign_tables_are_left_alone)
{
    FX_SERVER_ONLY;
    static const char *const theirs[] = {
        "CREATE TABLE schema_version (version INTEGER PRIMARY KEY)",
        "CREATE TABLE export_state (export_name TEXT PRIMARY KEY)",
        "CREATE VIEW run_status AS SELECT 1 AS one",
    };
    for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++) {
        fixture f;
        REQUIRE(fx_begin(&f));
        REQUIRE(fx_server_do(f.url, "CREATE SCHEMA rivet") && fx_do(&f, theirs[i]));
        CHECK_EQ(fx_open_as(&f, "", &f.s), RV_E_STATE_FOREIGN);
        CHECK(strstr(f.err.hint, "RIVET_STATE_URL") && strstr(f.err.hint, "aside"));
        CHECK(!fx_do(&f, "SELECT rivet_version FROM schema_version"));
        fx_end(&f);
    }
    fixture f;
    REQUIRE(fx_begin(&f));
    REQUIRE(fx_server_do(f.url, "CREATE SCHEMA rivet") &&
            fx_do(&f, "CREATE TABLE bookmarks (url TEXT)"));
    CHECK_EQ(fx_open_as(&f, "", &f.s), RV_OK); /* a neighbour */
    fx_end(&f);
}

/* A role that may create no schema keeps the state in the first one of its search path. */
RV_TEST(without_rights_the_first_schema_serves)
{
    FX_SERVER_ONLY;
    fixture f;
    rv_state *s = NULL;
    char role[64], sql[400], url[1200];
    REQUIRE(fx_begin(&f));
    snprintf(role, sizeof role, "rivet_role_%d", (int)getpid());
    snprintf(sql, sizeof sql, "CREATE ROLE %s LOGIN", role);
    REQUIRE(fx_server_do(f.url, sql));
    snprintf(url, sizeof url, "%s user='%s'", f.url, role);
    snprintf(sql, sizeof sql, "ALTER ROLE %s SET search_path TO nowhere", role);
    REQUIRE(fx_server_do(f.url, sql));
    CHECK_EQ(open_at(&f, url, &s), RV_E_STATE_PERMISSION);
    CHECK(strstr(f.err.hint, "CREATE SCHEMA rivet") != NULL);
    snprintf(sql, sizeof sql, "ALTER ROLE %s RESET search_path; CREATE SCHEMA %s AUTHORIZATION %s",
             role, role, role);
    REQUIRE(fx_server_do(f.url, sql));
    REQUIRE(open_at(&f, url, &s) == RV_OK);
    CHECK_EQ(rv_state_set_cursor(s, "x", "5", "int64", &f.err), RV_OK);
    rv_state_close(s);
    /* the right to create one does not make the state disappear */
    snprintf(sql, sizeof sql, "GRANT CREATE ON DATABASE %s TO %s",
             strstr(f.url, "rivet_state_test"), role);
    *strchr(sql, '\'') = ' ';
    REQUIRE(fx_server_do(f.url, sql));
    REQUIRE(open_at(&f, url, &s) == RV_OK);
    rv_position_row p;
    bool found = false;
    CHECK_EQ(rv_state_position_get(s, "x", &f.arena, &p, &found, &f.err), RV_OK);
    CHECK(found);
    rv_state_close(s);
    snprintf(sql, sizeof sql, "SELECT 1 FROM %s.export_state", role);
    CHECK(fx_server_do(f.url, sql));
    /* an existing schema `rivet` that is closed to the role is said to be so */
    REQUIRE(fx_server_do(f.url, "CREATE SCHEMA rivet"));
    CHECK_EQ(open_at(&f, url, &s), RV_E_STATE_PERMISSION);
    snprintf(sql, sizeof sql, "DROP OWNED BY %s CASCADE; DROP ROLE %s", role, role);
    CHECK(fx_server_do(f.url, sql));
    fx_end(&f);
}

/* ---- connections that end ---- */

static bool end_connections(const fixture *f)
{
    return fx_server_do(f->url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                                "application_name = 'rivet/state' AND datname = current_database() "
                                "AND pid <> pg_backend_pid()");
}

RV_TEST(a_lost_connection_comes_back)
{
    FX_SERVER_ONLY;
    fixture f;
    rv_part_rows parts;
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        CHECK(end_connections(&f));
        CHECK_EQ(fx_upload(&f, &l, "0", name), RV_OK);
        CHECK(end_connections(&f));
        CHECK_EQ(rv_state_parts(f.s, "a_1", NULL, &f.arena, &parts, &f.err), RV_OK);
        CHECK_EQ(parts.n, i + 1);
    }
    fx_end(&f);
}

/* Passes bytes on; when armed, the answer to the next COMMIT is lost with its connection. */
typedef struct proxy {
    int listener, port, upstream;
    atomic_bool armed, refuse, done;
    atomic_int lost;
    pthread_t thread;
} proxy;

static int loopback(int port, bool listening)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int rc = listening ? bind(fd, (struct sockaddr *)&a, sizeof a)
                       : connect(fd, (struct sockaddr *)&a, sizeof a);
    if (rc == 0 && listening)
        rc = listen(fd, 8);
    if (rc == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static bool pass(proxy *p, int from, int to, bool from_client, int server)
{
    char block[16384];
    ssize_t n = recv(from, block, sizeof block, 0);
    if (n <= 0 || send(to, block, (size_t)n, MSG_NOSIGNAL) != n)
        return false;
    if (!from_client || !memmem(block, (size_t)n, "COMMIT", 7) ||
        !atomic_exchange(&p->armed, false))
        return true;
    (void)recv(server, block, sizeof block, 0); /* it has happened */
    atomic_fetch_add(&p->lost, 1);
    return false;
}

static void serve(proxy *p, int client)
{
    int server = loopback(p->upstream, false);
    bool open = server >= 0;
    while (open && !atomic_load(&p->done)) {
        struct pollfd fds[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        if (poll(fds, 2, 50) <= 0)
            continue;
        if (fds[0].revents)
            open = pass(p, client, server, true, server);
        if (open && fds[1].revents)
            open = pass(p, server, client, false, server);
    }
    if (server >= 0)
        (void)close(server);
}

static void *proxy_run(void *ctx)
{
    proxy *p = ctx;
    while (!atomic_load(&p->done)) {
        struct pollfd fd = {.fd = p->listener, .events = POLLIN};
        if (poll(&fd, 1, 50) <= 0)
            continue;
        int client = accept(p->listener, NULL, NULL);
        if (client < 0)
            continue;
        if (!atomic_load(&p->refuse))
            serve(p, client);
        (void)close(client);
    }
    return NULL;
}

static bool proxy_start(proxy *p, const fixture *f, char *url, size_t size)
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    const char *port = strstr(f->url, "port='");
    *p = (proxy){.upstream = port ? atoi(port + 6) : 5432, .listener = loopback(0, true)};
    if (p->listener < 0 || getsockname(p->listener, (struct sockaddr *)&a, &len) != 0)
        return false;
    snprintf(url, size, "%s host=127.0.0.1 port=%d sslmode=disable", f->url,
             (int)ntohs(a.sin_port));
    return pthread_create(&p->thread, NULL, proxy_run, p) == 0;
}

static void proxy_stop(proxy *p)
{
    atomic_store(&p->done, true);
    pthread_join(p->thread, NULL);
    (void)close(p->listener);
}

static void begin_tasks(fixture *f, const rv_lease *l, int64_t n)
{
    static rv_task_row tasks[64];
    rv_task_rows rows = {tasks, (size_t)n};
    rv_checkpoint_row c = {.plan_hash = "h", .strategy = "s", .max_attempts = 3};
    for (int64_t i = 0; i < n; i++)
        tasks[i] = (rv_task_row){.chunk_index = i, .kind = "range"};
    CHECK_EQ(rv_state_checkpoint_begin(f->s, l, &c, &rows, NULL, &f->err), RV_OK);
}

/* Each step loses the answer to its COMMIT and is found done, once. */
RV_TEST(lost_commits_are_settled)
{
    FX_SERVER_ONLY;
    fixture f;
    proxy p;
    char url[1400];
    rv_task_row t;
    bool found = false;
    REQUIRE(fx_begin(&f) && proxy_start(&p, &f, url, sizeof url));
    if (open_at(&f, url, &f.s) == RV_OK) {
        atomic_store(&p.armed, true);
        rv_lease l = fx_take(&f, "a", "a_1");
        CHECK_EQ(l.epoch, 1);
        atomic_store(&p.armed, true);
        begin_tasks(&f, &l, 3);
        for (int64_t i = 0; i < 3; i++) {
            atomic_store(&p.armed, true);
            CHECK_EQ(rv_state_task_claim(f.s, &l, &f.arena, &t, &found, &f.err), RV_OK);
            CHECK(found);
            CHECK_EQ(t.chunk_index, i);
            CHECK_EQ(t.attempts, 1);
            char unit[16];
            snprintf(unit, sizeof unit, "chunk%d", (int)i);
            rv_unit_done done = {.unit = unit, .kind = RV_UNIT_TASK, .chunk_index = i};
            atomic_store(&p.armed, true);
            CHECK_EQ(rv_state_unit_done(f.s, &l, &done, &f.err), RV_OK);
        }
        rv_position_row pos = {.last_cursor_value = "9"};
        rv_run_final final = {.position = &pos,
                              .close_checkpoint = true,
                              .manifest_json = "{}",
                              .progression_chunk = -1};
        atomic_store(&p.armed, true);
        CHECK_EQ(rv_state_run_final(f.s, &l, &final, &f.err), RV_OK);
        atomic_store(&p.armed, true);
        CHECK_EQ(rv_state_run_close(f.s, &l, "success", &f.err), RV_OK);
        CHECK_EQ(atomic_load(&p.lost), 10);
    }
    proxy_stop(&p);
    fx_end(&f);
}

/* An outage is waited for, but not for ever; then the next try finds everything as it was. */
RV_TEST(an_outage_ends_unreachable)
{
    FX_SERVER_ONLY;
    fixture f;
    proxy p;
    char url[1400];
    bool found = true;
    rv_position_row row;
    REQUIRE(fx_begin(&f) && proxy_start(&p, &f, url, sizeof url));
    CHECK_EQ(open_at(&f, url, &f.s), RV_OK);
    atomic_store(&p.refuse, true);
    CHECK(end_connections(&f));
    int64_t began = rv_clock_mono_us();
    CHECK_EQ(rv_state_set_cursor(f.s, "a", "1", "int64", &f.err), RV_E_STATE_UNREACHABLE);
    int64_t took = rv_clock_mono_us() - began;
    CHECK(took > 400000 && took < 5000000); /* RIVET_STATE_PATIENCE_MS, once */
    CHECK_EQ(f.err.retry, RV_RETRY_P);
    atomic_store(&p.refuse, false);
    CHECK_EQ(rv_state_position_get(f.s, "a", &f.arena, &row, &found, &f.err), RV_OK);
    CHECK(!found);
    CHECK_EQ(rv_state_set_cursor(f.s, "a", "1", "int64", &f.err), RV_OK);
    proxy_stop(&p);
    fx_end(&f);
}

/* ---- several machines ---- */

typedef struct worker {
    fixture *f;
    rv_lease lease;
    int claimed[64];
    bool failed;
} worker;

/* A connection of its own, as another process has it. */
static void *claim_all(void *ctx)
{
    worker *w = ctx;
    rv_state *s = NULL;
    rv_error err = {0};
    rv_arena arena = RV_ARENA_INIT;
    rv_state_opts opts = {.url = w->f->url, .config_dir = w->f->dir, .project = ""};
    w->failed = rv_state_open(&w->f->env, &opts, &s, &err) != RV_OK;
    for (bool found = true; found && !w->failed;) {
        rv_task_row t;
        w->failed = rv_state_task_claim(s, &w->lease, &arena, &t, &found, &err) != RV_OK;
        if (!w->failed && found)
            w->claimed[t.chunk_index] += t.attempts == 1 ? 1 : 100;
    }
    if (w->failed)
        fprintf(stderr, "%s\n", err.text);
    rv_arena_free(&arena);
    rv_state_close(s);
    return NULL;
}

RV_TEST(a_task_is_claimed_once)
{
    FX_SERVER_ONLY;
    enum { WORKERS = 4, TASKS = 60 };
    fixture f;
    worker w[WORKERS];
    pthread_t threads[WORKERS];
    REQUIRE(fx_start(&f));
    rv_lease l = fx_take(&f, "a", "a_1");
    begin_tasks(&f, &l, TASKS);
    for (size_t i = 0; i < WORKERS; i++) {
        w[i] = (worker){.f = &f, .lease = l};
        REQUIRE(pthread_create(&threads[i], NULL, claim_all, &w[i]) == 0);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(!w[i].failed);
    }
    for (size_t t = 0; t < TASKS; t++) {
        int sum = 0;
        for (size_t i = 0; i < WORKERS; i++)
            sum += w[i].claimed[t];
        CHECK_EQ(sum, 1);
    }
    fx_end(&f);
}

typedef struct meddler {
    fixture *f;
    atomic_bool done;
    int set, refused, failed;
} meddler;

static void *meddle(void *ctx)
{
    meddler *m = ctx;
    rv_state *s = NULL;
    rv_error err = {0};
    rv_state_opts opts = {.url = m->f->url, .config_dir = m->f->dir, .project = ""};
    if (rv_state_open(&m->f->env, &opts, &s, &err) != RV_OK)
        m->failed++;
    for (int i = 0; s && !atomic_load(&m->done); i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        rv_status st = rv_state_set_cursor(s, "a", value, "int64", &err);
        m->set += st == RV_OK;
        m->refused += st == RV_E_STATE_LEASE;
        m->failed += st != RV_OK && st != RV_E_STATE_LEASE;
    }
    rv_state_close(s);
    return NULL;
}

/* While a lease is held nobody moves the position of its export. */
RV_TEST(commands_and_leases_exclude_each_other)
{
    FX_SERVER_ONLY;
    fixture f;
    meddler m = {.f = &f};
    pthread_t thread;
    REQUIRE(fx_start(&f));
    REQUIRE(pthread_create(&thread, NULL, meddle, &m) == 0);
    for (int i = 0; i < 40; i++) {
        char run_id[16];
        rv_position_row before = {0}, after = {0};
        bool found = false;
        snprintf(run_id, sizeof run_id, "a_%d", i);
        rv_lease l = fx_take(&f, "a", run_id);
        CHECK_EQ(l.epoch, 1);
        CHECK_EQ(rv_state_position_get(f.s, "a", &f.arena, &before, &found, &f.err), RV_OK);
        usleep(3000);
        CHECK_EQ(rv_state_position_get(f.s, "a", &f.arena, &after, &found, &f.err), RV_OK);
        if (found && before.last_cursor_value)
            CHECK_STR(after.last_cursor_value, before.last_cursor_value);
        CHECK_EQ(rv_state_run_close(f.s, &l, "success", &f.err), RV_OK);
        usleep(1000);
    }
    atomic_store(&m.done, true);
    pthread_join(thread, NULL);
    CHECK_EQ(m.failed, 0);
    CHECK(m.set > 0 && m.refused > 0);
    fx_end(&f);
}

/* What is stored of the URL: nothing; what stays on the server: no lock, no setting. */
RV_TEST(nothing_stays_on_the_server)
{
    FX_SERVER_ONLY;
    fixture f;
    REQUIRE(fx_start(&f));
    CHECK_EQ(rv_state_set_cursor(f.s, "a", "1", "int64", &f.err), RV_OK);
    CHECK(!fx_server_do(f.url, "SELECT 1 / (CASE WHEN EXISTS (SELECT 1 FROM pg_locks WHERE "
                               "locktype = 'advisory' AND database = (SELECT oid FROM pg_database "
                               "WHERE datname = current_database())) THEN 1 ELSE 0 END)"));
    CHECK(fx_server_do(f.url, "SELECT 1 / COUNT(*) FROM pg_stat_activity WHERE application_name = "
                              "'rivet/state' AND state = 'idle' AND datname = current_database()"));
    fx_end(&f);
}

FX_TEST_MAIN(RV_CASE(statements_are_respelled), RV_CASE(the_clock_is_the_servers),
             RV_CASE(away_is_unreachable_and_keeps_the_secret),
             RV_CASE(other_encodings_are_refused), RV_CASE(foreign_tables_are_left_alone),
             RV_CASE(without_rights_the_first_schema_serves), RV_CASE(a_lost_connection_comes_back),
             RV_CASE(lost_commits_are_settled), RV_CASE(an_outage_ends_unreachable),
             RV_CASE(a_task_is_claimed_once), RV_CASE(commands_and_leases_exclude_each_other),
             RV_CASE(nothing_stays_on_the_server))
