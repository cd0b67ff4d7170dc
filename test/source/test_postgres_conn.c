/* Connection forms, settings, pooler detection, snapshots, signals and waiters of the PostgreSQL
 * driver. Spec "config" section 3, "source-safety" sections 3, 7, 10, 13; "pitfalls" rows 2,
 * 50, 54.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fault.h"
#include "source/postgres_fixture.h"

static const rv_source_driver *driver(void)
{
    return rv_source_for(RV_ENGINE_POSTGRES);
}

/* The first cell of the answer through the driver's own door, in the arena. */
static const char *ask(pgx *f, rv_source *s, const char *sql)
{
    PGresult *r = NULL;
    const char *text = "none";
    rv_error_clear(&f->err);
    if (rv_pgs_ask(s, sql, "asking", &r, &f->err) != RV_OK)
        return f->err.text;
    if (PQntuples(r) > 0)
        CHECK_EQ(rv_pgs_text(r, 0, 0, &f->arena, &text, &f->err), RV_OK);
    PQclear(r);
    return text;
}

/* The same without any of our settings: what a statement of somebody else would meet. */
static const char *raw(pgx *f, rv_source *s, const char *sql)
{
    PGresult *r = NULL;
    const char *text = "none";
    if (rv_pg_query(s->pg, sql, 0, "asking", &r, &f->err) != RV_OK)
        return f->err.text;
    if (PQntuples(r) > 0)
        CHECK_EQ(rv_pgs_text(r, 0, 0, &f->arena, &text, &f->err), RV_OK);
    PQclear(r);
    return text;
}

RV_TEST(info_of_a_connection)
{
    PGX_NEEDED();
    pgx f;
    REQUIRE(pgx_open(&f, "CREATE TABLE t(a int)"));
    const rv_source_info *info = driver()->info(f.s);
    CHECK_STR(info->database, f.name);
    CHECK_STR(info->connection, "direct");
    CHECK_STR(info->tls, "off");
    CHECK(info->loopback && !info->cannot_cut && !info->single_backend_warning);
    CHECK_STR(info->identity,
              raw(&f, f.s, "SELECT system_identifier::text FROM pg_control_system()"));
    CHECK(strncmp(info->version, raw(&f, f.s, "SHOW server_version"), strlen(info->version)) == 0);
    CHECK(strchr(info->version, ' ') == NULL);
    CHECK_STR(ask(&f, f.s,
                  "SELECT application_name FROM pg_stat_activity WHERE pid = "
                  "pg_backend_pid()"),
              "rivet/test");
    CHECK_STR(ask(&f, f.s,
                  "SELECT left(query, 17) FROM pg_stat_activity WHERE pid = "
                  "pg_backend_pid()"),
              "/* rivet run* /1 ");
    pgx_close(&f);
}

RV_TEST(settings_hold_for_one_statement)
{
    PGX_NEEDED();
    static const char *const pins[][2] = {
        {"transaction_read_only", "on"}, {"TimeZone", "UTC"},          {"DateStyle", "ISO, YMD"},
        {"IntervalStyle", "iso_8601"},   {"bytea_output", "hex"},      {"extra_float_digits", "3"},
        {"row_security", "off"},         {"statement_timeout", "77s"}, {"lock_timeout", "5s"},
    };
    pgx f;
    char sql[128];
    REQUIRE(pgx_open(&f, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = "
                         "''Asia/Tokyo''; ALTER DATABASE %I SET bytea_output = ''escape''', "
                         "current_database(), current_database()); END $$"));
    rv_pgs_close(f.s);
    f.tuning.statement_timeout_s = 77;
    f.s = pgx_connect(&f);
    REQUIRE(f.s != NULL);
    for (size_t i = 0; i < sizeof pins / sizeof pins[0]; i++) {
        (void)snprintf(sql, sizeof sql, "SHOW %s", pins[i][0]);
        const char *before = raw(&f, f.s, sql);
        CHECK_STR(ask(&f, f.s, sql), pins[i][1]);
        CHECK_STR(raw(&f, f.s, sql), before);
    }
    CHECK_STR(raw(&f, f.s, "SHOW TimeZone"), "Asia/Tokyo");
    CHECK_STR(ask(&f, f.s, "CREATE TABLE t(a int)"),
              "asking: cannot execute CREATE TABLE in a read-only transaction");
    pgx_close(&f);
}

RV_TEST(the_clock)
{
    PGX_NEEDED();
    pgx f;
    int64_t us = 0;
    REQUIRE(pgx_open(&f, "SELECT 1"));
    CHECK_EQ(driver()->now(f.s, &us, &f.err), RV_OK);
    CHECK(us > rv_clock_now_us() - 60000000 && us < rv_clock_now_us() + 60000000);
    pgx_close(&f);
}

RV_TEST(optional_questions)
{
    PGX_NEEDED();
    pgx f;
    PGresult *r = NULL;
    REQUIRE(pgx_open(&f, "SELECT 1"));
    const char *before = raw(&f, f.s, "SHOW TimeZone");
    REQUIRE(rv_pgs_snapshot_begin(&f.s, 1, &f.err) == RV_OK);
    CHECK_EQ(rv_pgs_ask_optional(f.s, "SELECT x FROM nowhere", "asking", &r, &f.err),
             RV_E_SOURCE_MISSING);
    CHECK(r == NULL);
    CHECK_EQ(rv_pgs_ask_optional(f.s, "SELECT 5", "asking", &r, &f.err), RV_OK);
    CHECK_EQ(rv_pgs_int(r, 0, 0, 0), 5);
    PQclear(r);
    CHECK_STR(ask(&f, f.s, "SELECT 'still there'"), "still there");
    CHECK_EQ(rv_pgs_snapshot_end(f.s, &f.err), RV_OK);
    CHECK_STR(raw(&f, f.s, "SHOW TimeZone"), before);
    pgx_close(&f);
}

/* ---- where the server is ---- */

static const char *test_env(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "PG_SECRET") == 0 ? "of-the-environment" : NULL;
}

static const char *value(const rv_pg_param *items, size_t n, const char *key)
{
    const char *found = "";
    for (size_t i = 0; i < n; i++)
        if (strcmp(items[i].key, key) == 0)
            found = items[i].value;
    return found;
}

typedef struct place {
    rv_env env;
    rv_arena arena;
    rv_error err;
    const rv_pg_param *items;
    size_t n;
} place;

static rv_status locate(place *p, rv_cfg_source cfg)
{
    cfg.engine = RV_ENGINE_POSTGRES;
    cfg.config_dir = "/etc/rivet";
    rv_error_clear(&p->err);
    p->items = NULL;
    p->n = 0;
    return rv_pgs_params(&p->env, &cfg, &p->arena, &p->items, &p->n, &p->err);
}

static void check_masked(const place *p, const char *text)
{
    rv_buf out = RV_BUF_INIT;
    CHECK_EQ(rv_secrets_redact(p->env.secrets, rv_str_c(text), &out, NULL), RV_OK);
    CHECK_STR(rv_buf_cstr(&out), "***");
    rv_buf_free(&out);
}

RV_TEST(passwords)
{
    place p = {.arena = RV_ARENA_INIT, .env.getenv = test_env};
    rv_cfg_source cfg = {.host = "h", .user = "u", .database = "d", .port = 5433};
    REQUIRE(rv_secrets_open(&p.env.secrets, &p.err) == RV_OK);
    CHECK_EQ(locate(&p, cfg), RV_OK);
    CHECK_STR(value(p.items, p.n, "host"), "h");
    CHECK_STR(value(p.items, p.n, "port"), "5433");
    CHECK_STR(value(p.items, p.n, "password"), "");
    cfg.password_env = "PG_SECRET";
    CHECK_EQ(locate(&p, cfg), RV_OK);
    CHECK_STR(value(p.items, p.n, "password"), "of-the-environment");
    check_masked(&p, "of-the-environment");
    cfg.password_env = "UNSET";
    CHECK_EQ(locate(&p, cfg), RV_E_CONFIG_NO_CONNECTION);
    cfg.password_env = NULL;
    cfg.password_command = "printf 'from the command\\r\\nmore'; echo noise >&2";
    CHECK_EQ(locate(&p, cfg), RV_OK);
    CHECK_STR(value(p.items, p.n, "password"), "from the command");
    check_masked(&p, "from the command");
    static const char *const failing[] = {"echo; echo late", "echo no; exit 3", "true",
                                          "yes | tr -d '\\n'"};
    for (size_t i = 0; i < sizeof failing / sizeof failing[0]; i++) {
        cfg.password_command = failing[i];
        CHECK_EQ(locate(&p, cfg), RV_E_SOURCE_AUTH);
        CHECK(strstr(p.err.text, failing[i]) == NULL);
    }
    rv_arena_free(&p.arena);
    rv_secrets_close(p.env.secrets);
}

RV_TEST(tls_block)
{
    place p = {.arena = RV_ARENA_INIT};
    rv_cfg_source cfg = {.url =
                             "postgres://u@h/d?sslmode=disable&sslrootcert=/mine&connect_timeout=7",
                         .tls = {.written = true, .mode = RV_TLS_VERIFY_FULL, .ca_file = "ca.pem"}};
    CHECK_EQ(locate(&p, cfg), RV_OK);
    CHECK_STR(value(p.items, p.n, "sslmode"), "verify-full");
    CHECK_STR(value(p.items, p.n, "sslrootcert"), "/etc/rivet/ca.pem");
    CHECK_STR(value(p.items, p.n, "connect_timeout"), "7");
    cfg.tls.mode = RV_TLS_UNSET; /* the default of a block */
    CHECK_EQ(locate(&p, cfg), RV_OK);
    CHECK_STR(value(p.items, p.n, "sslmode"), "verify-full");
    cfg.tls.accept_invalid_hostnames = true;
    CHECK_EQ(locate(&p, cfg), RV_OK);
    CHECK_STR(value(p.items, p.n, "sslmode"), "verify-ca");
    cfg.tls.accept_invalid_certs = true;
    CHECK_EQ(locate(&p, cfg), RV_OK);
    CHECK_STR(value(p.items, p.n, "sslmode"), "require");
    CHECK_STR(value(p.items, p.n, "sslrootcert"), "/dev/null/none");
    cfg.tls =
        (rv_cfg_tls){.written = true, .mode = RV_TLS_DISABLE, .cert_file = "/c", .key_file = "k"};
    CHECK_EQ(locate(&p, cfg), RV_OK);
    CHECK_STR(value(p.items, p.n, "sslmode"), "disable");
    CHECK_STR(value(p.items, p.n, "sslcert"), "/c");
    CHECK_STR(value(p.items, p.n, "sslkey"), "/etc/rivet/k");
    /* no block: the URL decides */
    cfg.tls.written = false;
    CHECK_EQ(locate(&p, cfg), RV_OK);
    CHECK_STR(value(p.items, p.n, "sslmode"), "disable");
    CHECK_STR(value(p.items, p.n, "sslrootcert"), "/mine");
    cfg.url = "postgres://u@h/d?sslrootcert=system";
    CHECK_EQ(locate(&p, cfg), RV_OK);
    CHECK_STR(value(p.items, p.n, "sslmode"), "verify-full");
    CHECK(strcmp(value(p.items, p.n, "sslrootcert"), "system") != 0);
    rv_arena_free(&p.arena);
}

static const char *demanding_env(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "RIVET_REQUIRE_TLS") == 0 ? "1" : NULL;
}

RV_TEST(remote_plaintext_can_be_refused)
{
    rv_error err = {0};
    const rv_env env = {.getenv = demanding_env};
    const rv_cfg_tuning tuning = {0};
    const rv_cfg_source cfg = {.engine = RV_ENGINE_POSTGRES,
                               .config_dir = "/tmp",
                               .url = "postgres://u@192.0.2.1:1/d?sslmode=disable"};
    const rv_source_opts opts = {.cfg = &cfg, .tuning = &tuning};
    rv_source *s = NULL;
    CHECK_EQ(driver()->open(&env, &opts, &s, &err), RV_E_SOURCE_TLS);
    CHECK(strstr(err.hint, "RIVET_REQUIRE_TLS") != NULL);
    CHECK(s == NULL);
}

RV_TEST(loopback_may_be_plaintext)
{
    PGX_NEEDED();
    pgx f;
    REQUIRE(pgx_open(&f, "SELECT 1"));
    f.env.getenv = demanding_env;
    rv_source *s = pgx_connect(&f);
    CHECK(s != NULL);
    rv_pgs_close(s);
    f.env.getenv = NULL;
    pgx_close(&f);
}

/* ---- snapshots ---- */

RV_TEST(one_instant_for_several_connections)
{
    PGX_NEEDED();
    pgx f;
    REQUIRE(pgx_open(&f, "CREATE TABLE t AS SELECT 1 AS a"));
    rv_source *all[3] = {f.s, pgx_connect(&f), pgx_connect(&f)};
    REQUIRE(all[1] && all[2]);
    CHECK_EQ(driver()->session(all[0]), 0);
    REQUIRE(driver()->snapshot_begin(all, 3, &f.err) == RV_OK);
    CHECK(pgx_exec(&f, "INSERT INTO t VALUES (2)"));
    for (size_t i = 0; i < 3; i++) {
        CHECK_STR(ask(&f, all[i], "SELECT count(*) FROM t"), "1");
        CHECK_EQ(driver()->session(all[i]), PQbackendPID(rv_pg_libpq(all[i]->pg)));
    }
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(driver()->snapshot_end(all[i], &f.err), RV_OK);
    CHECK_STR(ask(&f, all[2], "SELECT count(*) FROM t"), "2");
    CHECK_EQ(driver()->session(all[2]), 0);
    CHECK_EQ(driver()->snapshot_end(all[2], &f.err), RV_OK); /* none open */
    /* one connection needs no export */
    REQUIRE(driver()->snapshot_begin(all, 1, &f.err) == RV_OK);
    CHECK(pgx_exec(&f, "INSERT INTO t VALUES (3)"));
    CHECK_STR(ask(&f, all[0], "SELECT count(*) FROM t"), "2");
    CHECK_EQ(driver()->snapshot_end(all[0], &f.err), RV_OK);
    rv_pgs_close(all[1]);
    rv_pgs_close(all[2]);
    pgx_close(&f);
}

/* A second connection in another database cannot share: nothing is left open. */
RV_TEST(a_snapshot_that_cannot_be_shared)
{
    PGX_NEEDED();
    pgx f;
    REQUIRE(pgx_open(&f, "SELECT 1"));
    const rv_cfg_source cfg = f.cfg;
    f.cfg.url = f.server;
    rv_source *both[2] = {f.s, pgx_connect(&f)};
    REQUIRE(both[1] != NULL);
    f.cfg = cfg;
    CHECK_EQ(driver()->snapshot_begin(both, 2, &f.err), RV_E_SOURCE_SNAPSHOT);
    CHECK(f.err.hint[0] != '\0');
    for (size_t i = 0; i < 2; i++) {
        CHECK_EQ(PQtransactionStatus(rv_pg_libpq(both[i]->pg)), PQTRANS_IDLE);
        CHECK_EQ(driver()->session(both[i]), 0);
    }
    rv_pgs_close(both[1]);
    pgx_close(&f);
}

/* ---- signals and waiters ---- */

RV_TEST(signals_and_counters)
{
    PGX_NEEDED();
    pgx f;
    int64_t before = -1, after = -1;
    rv_counter *list = NULL;
    size_t n = 0;
    REQUIRE(pgx_open(&f, "CREATE TABLE t(a int)"));
    CHECK_EQ(driver()->signal(f.s, RV_SIGNAL_PRESSURE, &before, &f.err), RV_OK);
    CHECK(before >= 0);
    CHECK(pgx_exec(&f, "INSERT INTO t VALUES (1)") && pgx_exec(&f, "CHECKPOINT"));
    for (int i = 0; i < 50 && after <= before; i++) {
        usleep(100000);
        CHECK_EQ(driver()->signal(f.s, RV_SIGNAL_BATCH, &after, &f.err), RV_OK);
    }
    CHECK(after > before);
    CHECK_EQ(driver()->counters(f.s, &f.arena, &list, &n, &f.err), RV_OK);
    CHECK_EQ(n, 6);
    REQUIRE(n == 6);
    CHECK_STR(list[0].name, "pg_temp_bytes");
    CHECK_STR(list[5].name, "pg_checkpoints_req");
    CHECK(list[5].value >= after);
    pgx_close(&f);
}

static void *alter(void *ctx)
{
    PGconn *c = PQconnectdb(ctx);
    PQclear(PQexec(c, "SET application_name = 'migration'"));
    PQclear(PQexec(c, "SET lock_timeout = '20s'"));
    PQclear(PQexec(c, "ALTER TABLE t\n ADD COLUMN b int"));
    PQfinish(c);
    return NULL;
}

RV_TEST(who_waits)
{
    PGX_NEEDED();
    pgx f;
    pthread_t thread;
    const char *waiter = NULL;
    REQUIRE(pgx_open(&f, "CREATE TABLE t(a int)"));
    rv_source *watch = pgx_connect(&f);
    REQUIRE(watch != NULL);
    REQUIRE(driver()->snapshot_begin(&f.s, 1, &f.err) == RV_OK);
    CHECK_STR(ask(&f, f.s, "SELECT count(*) FROM t"), "0");
    int64_t session = driver()->session(f.s);
    CHECK_EQ(driver()->waiter(watch, session, &f.arena, &waiter, &f.err), RV_OK);
    CHECK(waiter == NULL);
    REQUIRE(pthread_create(&thread, NULL, alter, f.url) == 0);
    for (int i = 0; i < 50 && !waiter; i++) {
        usleep(100000);
        CHECK_EQ(driver()->waiter(watch, session, &f.arena, &waiter, &f.err), RV_OK);
    }
    REQUIRE(waiter != NULL);
    CHECK(strncmp(waiter, "migration (pid ", 15) == 0);
    CHECK(strstr(waiter, "): ALTER TABLE t ADD COLUMN b int") != NULL);
    CHECK_EQ(driver()->snapshot_end(f.s, &f.err), RV_OK);
    (void)pthread_join(thread, NULL);
    rv_pgs_close(watch);
    pgx_close(&f);
}

/* ---- poolers ---- */

#define BOUNCER "/usr/sbin/pgbouncer"

typedef struct bouncer {
    pid_t pid;
    int port;
    char dir[64], ini[96];
    char url[256];
} bouncer;

static bool write_ini(bouncer *b, const pgx *f, const char *mode)
{
    FILE *out = fopen(b->ini, "w");
    if (!out)
        return false;
    fprintf(out,
            "[databases]\n* = host=%s port=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            "listen_port = %d\nunix_socket_dir =\nauth_type = trust\npool_mode = %s\n"
            "default_pool_size = 3\nserver_round_robin = 1\nlogfile = %s/log\npidfile = %s/pid\n",
            PQhost(f->admin), PQport(f->admin), b->port, mode, b->dir, b->dir);
    fprintf(out, "auth_file = %s/users\n", b->dir);
    (void)fclose(out);
    return true;
}

/* One that was free a moment ago. */
static int free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
              getsockname(fd, (struct sockaddr *)&at, &len) == 0;
    if (fd >= 0)
        (void)close(fd);
    return ok ? ntohs(at.sin_port) : 0;
}

static bool bouncer_start(bouncer *b, const pgx *f, const char *mode)
{
    char users[96];
    *b = (bouncer){.port = free_port(), .dir = "/tmp/rv_bouncer_XXXXXX"};
    if (!mkdtemp(b->dir))
        return false;
    (void)snprintf(b->ini, sizeof b->ini, "%s/ini", b->dir);
    (void)snprintf(users, sizeof users, "%s/users", b->dir);
    (void)snprintf(b->url, sizeof b->url, "postgresql://%s@127.0.0.1:%d/%s?sslmode=disable",
                   PQuser(f->admin), b->port, f->name);
    FILE *out = fopen(users, "w");
    if (!out || !write_ini(b, f, mode))
        return false;
    fprintf(out, "\"%s\" \"\"\n", PQuser(f->admin));
    (void)fclose(out);
    if (chmod(b->dir, 0777) != 0 || chmod(b->ini, 0644) != 0 || chmod(users, 0644) != 0)
        return false;
    b->pid = fork();
    if (b->pid == 0) {
        /* it refuses to run as root */
        if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(126);
        execl(BOUNCER, BOUNCER, "-q", b->ini, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 100; i++) {
        PGconn *c = PQconnectdb(b->url);
        bool up = PQstatus(c) == CONNECTION_OK;
        PQfinish(c);
        if (up)
            return true;
        usleep(50000);
    }
    printf("pgbouncer did not start\n");
    return false;
}

static void bouncer_stop(bouncer *b)
{
    static const char *const files[] = {"ini", "users", "log", "pid"};
    char path[128];
    if (b->pid > 0) {
        (void)kill(b->pid, SIGINT);
        (void)waitpid(b->pid, NULL, 0);
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", b->dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(b->dir);
}

static rv_source *through(pgx *f, const bouncer *b)
{
    const rv_cfg_source cfg = f->cfg;
    f->cfg.url = b->url;
    rv_source *s = pgx_connect(f);
    f->cfg = cfg;
    return s;
}

RV_TEST(a_pool_of_transactions)
{
    PGX_NEEDED();
    if (access(BOUNCER, X_OK) != 0)
        SKIP("pgbouncer is not installed");
    pgx f;
    bouncer b;
    REQUIRE(pgx_open(&f, "CREATE TABLE t AS SELECT 1 AS a"));
    REQUIRE(bouncer_start(&b, &f, "transaction"));
    rv_source *s[2] = {through(&f, &b), through(&f, &b)};
    if (rvtest_check(s[0] && s[1], __FILE__, __LINE__, "connected")) {
        const rv_source_info *info = driver()->info(s[0]);
        CHECK_STR(info->connection, "transaction-pooler");
        CHECK(info->cannot_cut && s[0]->pooled && !s[0]->statement_pool);
        CHECK_STR(info->identity, driver()->info(f.s)->identity);
        CHECK_EQ(driver()->snapshot_begin(s, 2, &f.err), RV_OK);
        CHECK(pgx_exec(&f, "INSERT INTO t VALUES (2)"));
        CHECK_STR(ask(&f, s[0], "SELECT count(*) FROM t"), "1");
        CHECK_STR(ask(&f, s[1], "SELECT count(*) FROM t"), "1");
        CHECK_EQ(driver()->snapshot_end(s[0], &f.err), RV_OK);
        CHECK_EQ(driver()->snapshot_end(s[1], &f.err), RV_OK);
        /* no backend of the pool keeps anything */
        for (int i = 0; i < 12; i++) {
            CHECK_STR(ask(&f, s[i % 2], "SHOW lock_timeout"), "5s");
            CHECK_STR(raw(&f, s[i % 2], "SHOW lock_timeout"), "0");
        }
    }
    rv_pgs_close(s[0]);
    rv_pgs_close(s[1]);
    bouncer_stop(&b);
    pgx_close(&f);
}

RV_TEST(a_pool_of_statements)
{
    PGX_NEEDED();
    if (access(BOUNCER, X_OK) != 0)
        SKIP("pgbouncer is not installed");
    pgx f;
    bouncer b;
    REQUIRE(pgx_open(&f, "CREATE TABLE t AS SELECT 1 AS a"));
    REQUIRE(bouncer_start(&b, &f, "statement"));
    rv_source *s = through(&f, &b);
    if (rvtest_check(s != NULL, __FILE__, __LINE__, "connected")) {
        CHECK_STR(driver()->info(s)->connection, "transaction-pooler");
        CHECK(s->pooled && s->statement_pool);
        CHECK_EQ(driver()->snapshot_begin(&s, 1, &f.err), RV_E_SOURCE_SNAPSHOT);
        CHECK(strstr(f.err.text, "pools statements") != NULL);
        CHECK_STR(ask(&f, s, "SELECT count(*) FROM t"), "1");
    }
    rv_pgs_close(s);
    bouncer_stop(&b);
    pgx_close(&f);
}

/* ---- interrupts and allocations ---- */

static void *interrupt_soon(void *ctx)
{
    usleep(150000);
    driver()->interrupt(ctx);
    return NULL;
}

RV_TEST(interrupts)
{
    PGX_NEEDED();
    pgx f;
    pthread_t thread;
    REQUIRE(pgx_open(&f, "SELECT 1"));
    REQUIRE(pthread_create(&thread, NULL, interrupt_soon, f.s) == 0);
    int64_t start = rv_clock_mono_us();
    CHECK_EQ(rv_pgs_ask(f.s, "SELECT pg_sleep(30)", "asking", NULL, &f.err), RV_E_INTERRUPTED);
    CHECK(rv_clock_mono_us() - start < 1200000);
    CHECK_EQ(rv_pgs_now(f.s, &start, &f.err), RV_E_INTERRUPTED);
    (void)pthread_join(thread, NULL);
    pgx_close(&f);
}

RV_TEST(survives_every_failed_allocation)
{
    PGX_NEEDED();
#ifdef RV_FAULTS
    pgx f;
    REQUIRE(pgx_open(&f, "SELECT 1"));
    const rv_source_opts opts = {
        .cfg = &f.cfg, .tuning = &f.tuning, .run_id = "r", .export_name = "test"};
    rv_status st = RV_E_MEMORY;
    long n = 1;
    for (; st != RV_OK && n < 300; n++) {
        rv_source *s = NULL;
        rv_arena arena = RV_ARENA_INIT;
        rv_counter *list = NULL;
        const char *waiter = NULL;
        size_t count = 0;
        rv_fault_set_alloc(n, false);
        st = rv_pgs_open(&f.env, &opts, &s, &f.err);
        if (st == RV_OK)
            st = rv_pgs_snapshot_begin(&s, 1, &f.err);
        if (st == RV_OK)
            st = rv_pgs_counters(s, &arena, &list, &count, &f.err);
        if (st == RV_OK)
            st = rv_pgs_waiter(s, 1, &arena, &waiter, &f.err);
        /* the optional checkpoint counter is left out when it cannot be asked for */
        if (st == RV_OK && count < 6)
            st = RV_E_MEMORY;
        rv_fault_set_alloc(0, false);
        CHECK(st == RV_OK || st == RV_E_MEMORY);
        rv_pgs_close(s);
        rv_arena_free(&arena);
    }
    CHECK_EQ(st, RV_OK);
    CHECK(n > 8);
    pgx_close(&f);
#else
    SKIP("built without RV_FAULTS");
#endif
}

/* ---- quoting ---- */

RV_TEST(quoting)
{
    static const char *const texts[][2] = {
        {"plain", "'plain'"},
        {"o'brien", "'o''brien'"},
        {"back\\slash", " E'back\\\\slash'"},
        {"", "''"},
        {"\\'; DROP TABLE t; --", " E'\\\\''; DROP TABLE t; --'"},
    };
    rv_buf out = RV_BUF_INIT;
    rv_error err;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        rv_buf_clear(&out);
        CHECK_EQ(rv_pgs_literal(rv_str_c(texts[i][0]), &out, &err), RV_OK);
        CHECK_STR(rv_buf_cstr(&out), texts[i][1]);
    }
    rv_buf_clear(&out);
    CHECK_EQ(rv_pgs_literal(RV_STR("a\0b"), &out, &err), RV_E_VALUE);
    CHECK_EQ(rv_pgs_literal(RV_STR("\xff"), &out, &err), RV_E_VALUE);
    CHECK_EQ(out.len, 0);
    CHECK_EQ(rv_pgs_quote("we\"ird", &out, &err), RV_OK);
    CHECK_STR(rv_buf_cstr(&out), "\"we\"\"ird\"");
    rv_buf_free(&out);
}

RV_TEST_MAIN(RV_CASE(info_of_a_connection), RV_CASE(settings_hold_for_one_statement),
             RV_CASE(the_clock), RV_CASE(optional_questions), RV_CASE(passwords),
             RV_CASE(tls_block), RV_CASE(remote_plaintext_can_be_refused),
             RV_CASE(loopback_may_be_plaintext), RV_CASE(one_instant_for_several_connections),
             RV_CASE(a_snapshot_that_cannot_be_shared), RV_CASE(signals_and_counters),
             RV_CASE(who_waits), RV_CASE(a_pool_of_transactions), RV_CASE(a_pool_of_statements),
             RV_CASE(interrupts), RV_CASE(survives_every_failed_allocation), RV_CASE(quoting))
