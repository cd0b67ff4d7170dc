/* Plan artifacts: what is sealed, what integrity covers, and what hostile files do. */
#include "engine/apply.h"
#include "engine/plan_artifact.h"

#include "base/fault.h"
#include "enginetest.h"
#include "rvtest.h"

#define EXPORT_T                                                                                   \
    "  - name: t\n    table: t\n    mode: chunked\n    chunk_column: id\n    chunk_size: 10\n"     \
    "    chunk_checkpoint: true\n    format: csv\n"

typedef struct sealed {
    place p;
    rv_arena arena;
    rv_cfg *cfg;
    rv_plan *plans;
    size_t n;
    rv_buf json;
} sealed;

static rv_status seal_file(sealed *s, rv_error *err)
{
    char path[128];
    static rv_diags diags;
    rv_cfg_opts opts = {
        .all_exports = true, .need_source = true, .need_queries = true, .seal = true};
    (void)snprintf(path, sizeof path, "%s/rivet.yaml", s->p.dir);
    RV_TRY(rv_cfg_load(&s->p.env, path, &opts, &s->arena, &s->cfg, &diags, err));
    RV_TRY(rv_engine_plan(&s->p.env, s->cfg, NULL, &s->arena, &s->plans, &s->n, err));
    if (s->plans[0].error.code != RV_OK) {
        *err = s->plans[0].error;
        return err->code;
    }
    return rv_plan_json(&s->plans[0], &s->json, err);
}

static bool begin(sealed *s, const char *yaml)
{
    char text[2048];
    rv_error err = {0};
    *s = (sealed){0};
    if (!place_open(&s->p) || !place_sql(&s->p, ROWS_SQL(35)))
        return false;
    (void)snprintf(text, sizeof text, "%s    destination: {type: local, path: %s/out}\n", yaml,
                   s->p.dir);
    if (!place_write(&s->p, "rivet.yaml", text))
        return false;
    bool ok = seal_file(s, &err) == RV_OK;
    if (!ok)
        printf("%s\n", err.text);
    return ok;
}

static void end(sealed *s)
{
    rv_buf_free(&s->json);
    rv_arena_free(&s->arena);
    place_close(&s->p);
}

static rv_status parse(const char *text, size_t len, rv_arena *a, rv_plan **out, size_t *n)
{
    rv_error err = {0};
    rv_status st = rv_plans_parse((rv_str){text, len}, "plan.json", a, out, n, &err);
    CHECK(st == RV_OK || err.code == st);
    CHECK(st != RV_E_PLAN_FILE || strstr(err.text, "only files made by `rivet plan`"));
    return st;
}

static bool same(const char *a, const char *b)
{
    return !a || !b ? a == b : strcmp(a, b) == 0;
}

RV_TEST(what_is_written_is_read)
{
    sealed s;
    rv_plan *got = NULL;
    size_t n = 0;
    REQUIRE(begin(&s, YAML_HEAD("") EXPORT_T));
    REQUIRE(parse((const char *)s.json.ptr, s.json.len, &s.arena, &got, &n) == RV_OK);
    const rv_plan *made = s.plans;
    CHECK_EQ(n, 1);
    CHECK_EQ(got->error.code, RV_OK);
    CHECK(same(got->plan_id, made->plan_id) && strlen(made->plan_id) == 32);
    CHECK(same(got->created_at, made->created_at) && same(got->expires_at, made->expires_at));
    CHECK_EQ(got->expires_us - got->created_us, INT64_C(24) * 3600 * 1000000);
    CHECK(same(got->config_path, made->config_path) && same(got->config_dir, made->config_dir));
    CHECK(same(got->source, made->source) || strlen(got->source) == strlen(made->source));
    CHECK(same(got->chunk_column, "id") && same(made->chunk_column, "id"));
    CHECK(same(got->plan_fingerprint, made->plan_fingerprint));
    CHECK_STR(got->strategy, "chunked(id, size=10)");
    CHECK_EQ(got->row_estimate, made->row_estimate);
    REQUIRE(got->n_ranges == 4 && made->n_ranges == 4);
    for (size_t i = 0; i < 4; i++)
        CHECK(same(got->ranges[i].lo, made->ranges[i].lo) &&
              same(got->ranges[i].hi, made->ranges[i].hi));
    CHECK(!got->ranges[0].lo);
    CHECK_STR(got->ranges[3].hi, "35");
    end(&s);
}

/* Every single character of the covered parts, changed: refused as altered or as no plan; outside
 * of them only what says so may still be applied. */
RV_TEST(every_changed_byte)
{
    sealed s;
    size_t altered = 0, broken = 0, fine = 0;
    REQUIRE(begin(&s, YAML_HEAD("") EXPORT_T));
    const char *text = rv_buf_cstr(&s.json);
    const char *from = strstr(text, "\"resolved_plan\""), *to = strstr(text, "\"diagnostics\"");
    REQUIRE(from && to && from < to);
    char *copy = rv_alloc(s.json.len);
    REQUIRE(copy);
    for (size_t i = 0; i < s.json.len; i++) {
        rv_arena arena = RV_ARENA_INIT;
        rv_plan *got = NULL;
        size_t n = 0;
        memcpy(copy, text, s.json.len);
        if (copy[i] == ' ' || copy[i] == '\n')
            continue;
        copy[i] = copy[i] == '7' ? '8' : '7';
        rv_status st = parse(copy, s.json.len, &arena, &got, &n);
        bool covered = text + i >= from && text + i < to;
        CHECK(st == RV_OK || st == RV_E_PLAN_FILE);
        if (st != RV_OK)
            broken++;
        else if (got->error.code == RV_E_PLAN_STALE)
            altered++;
        else
            fine++;
        if (covered && st == RV_OK)
            CHECK_EQ(got->error.code, RV_E_PLAN_STALE);
        rv_arena_free(&arena);
    }
    rv_free(copy);
    CHECK(altered > 100 && broken > 100 && fine > 50);
    end(&s);
}

RV_TEST(truncated_and_random_files)
{
    sealed s;
    uint32_t seed = 20261121;
    REQUIRE(begin(&s, YAML_HEAD("") EXPORT_T));
    for (size_t len = 0; len < s.json.len; len += 7) {
        rv_arena arena = RV_ARENA_INIT;
        rv_plan *got = NULL;
        size_t n = 0;
        CHECK_EQ(parse((const char *)s.json.ptr, len, &arena, &got, &n), RV_E_PLAN_FILE);
        rv_arena_free(&arena);
    }
    for (unsigned i = 0; i < 2000; i++) {
        char noise[64];
        rv_arena arena = RV_ARENA_INIT;
        rv_plan *got = NULL;
        size_t n = 0;
        for (size_t k = 0; k < sizeof noise; k++) {
            seed = seed * 1664525u + 1013904223u;
            noise[k] = "{}[]\":,0n\\u \xFF"[(seed >> 24) % 13];
        }
        CHECK_EQ(parse(noise, sizeof noise, &arena, &got, &n), RV_E_PLAN_FILE);
        rv_arena_free(&arena);
    }
    end(&s);
}

static const char *place_getenv(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "DB_PW") == 0    ? "planted"
           : strcmp(name, "DB_URL") == 0 ? "postgresql://u:planted@h/d"
                                         : NULL;
}

/* Where a secret may stand, and what the artifact says instead. */
RV_TEST(secrets_are_left_out)
{
    static const struct {
        const char *source, *kept, *removed;
    } cases[] = {
        {"url: 'postgresql://u:planted@h/d'", "***", "source.url"},
        {"url: 'postgresql://u@h/d'", "postgresql://u@h/d", NULL},
        {"url: 'postgresql://u:${DB_PW}@h/d'", "postgresql://u:${DB_PW}@h/d", NULL},
        {"url: '${DB_URL}'", "${DB_URL}", NULL},
        {"url: 'postgresql://h/d?user=u&password=planted'", "password=***", "source.url"},
        {"url_env: DB_URL", "DB_URL", NULL},
        {"url_file: secret.txt", "secret.txt", NULL},
        {"{host: h, user: u, database: d, password: planted}", "***", "source.password"},
        {"{host: h, user: u, database: d, password: '${DB_PW}'}", "${DB_PW}", NULL},
        {"{host: h, user: u, database: d, password_env: DB_PW}", "DB_PW", NULL},
        {"{host: h, user: u, database: d, password_command: echo planted}", "***",
         "source.password_command"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char yaml[600], path[128];
        static rv_diags diags;
        place p;
        rv_cfg *cfg = NULL;
        rv_arena arena = RV_ARENA_INIT;
        rv_error err = {0};
        rv_cfg_opts opts = {.all_exports = true, .need_source = true, .seal = true};
        REQUIRE(place_open(&p));
        const char *head = cases[i].source[0] == '{' ? cases[i].source + 1 : cases[i].source;
        size_t len = strlen(head) - (cases[i].source[0] == '{');
        (void)snprintf(yaml, sizeof yaml,
                       "source: {type: postgres, %.*s}\nexports:\n- name: x\n  table: t\n"
                       "  format: csv\n  destination: {type: stdout}\n",
                       (int)len, head);
        CHECK(place_write(&p, "rivet.yaml", yaml));
        (void)snprintf(path, sizeof path, "%s/rivet.yaml", p.dir);
        p.env.getenv = place_getenv;
        rv_status st = rv_cfg_load(&p.env, path, &opts, &arena, &cfg, &diags, &err);
        if (st != RV_OK)
            printf("case %zu: %s\n", i, err.text);
        REQUIRE(st == RV_OK);
        if (!strstr(cfg->sealed_source.json, cases[i].kept))
            printf("case %zu: %s\n", i, cfg->sealed_source.json);
        CHECK(strstr(cfg->sealed_source.json, cases[i].kept));
        CHECK(!strstr(cfg->sealed_source.json, "planted"));
        CHECK(cases[i].removed ? strstr(cfg->sealed_source.removed, cases[i].removed) != NULL
                               : strcmp(cfg->sealed_source.removed, "[]") == 0);
        rv_arena_free(&arena);
        place_close(&p);
    }
}

static rv_status apply_file(sealed *s, const char *path, rv_arena *arena, rv_error *err)
{
    rv_apply apply;
    rv_run_report report = {0};
    static const rv_apply_opts opts;
    static const rv_run_opts run_opts = {.no_notify = true};
    RV_TRY(rv_apply_open(&s->p.env, path, &opts, arena, &apply, err));
    RV_TRY(rv_apply_run(&s->p.env, &apply, &run_opts, arena, &report, err));
    if (report.exit_code == 0)
        return RV_OK;
    *err = report.exports[0].error;
    return err->code;
}

RV_TEST(a_removed_secret_is_asked_for)
{
    sealed s;
    char path[128];
    rv_error err = {0};
    const char *names[] = {"source.url"};
    REQUIRE(begin(&s, YAML_HEAD("") EXPORT_T));
    s.plans[0].removed = names;
    s.plans[0].n_removed = 1;
    rv_buf_clear(&s.json);
    REQUIRE(rv_plan_json(&s.plans[0], &s.json, &err) == RV_OK);
    (void)snprintf(path, sizeof path, "%s/plan.json", s.p.dir);
    CHECK(rv_file_replace(path, rv_buf_bytes(&s.json), 0600, &err) == RV_OK);
    CHECK_EQ(apply_file(&s, path, &s.arena, &err), RV_E_PLAN_FILE);
    CHECK(strstr(err.text, "source.url") && strstr(err.text, "***"));
    CHECK(strstr(err.hint, "url_env"));
    end(&s);
}

/* Another key since the plan: its bounds mean nothing there. */
RV_TEST(chunks_of_another_column_are_refused)
{
    sealed s;
    char path[128];
    rv_error err = {0};
    REQUIRE(begin(&s, YAML_HEAD("") "  - name: t\n    table: t\n    mode: chunked\n"
                                    "    chunk_size: 10\n    format: csv\n"
                                    ""));
    CHECK(same(s.plans[0].chunk_column, "id"));
    (void)snprintf(path, sizeof path, "%s/plan.json", s.p.dir);
    CHECK(rv_file_replace(path, rv_buf_bytes(&s.json), 0600, &err) == RV_OK);
    CHECK(place_sql(&s.p, "DROP TABLE t; CREATE TABLE t (no INTEGER PRIMARY KEY, id INTEGER);"
                          "INSERT INTO t VALUES (1, 1), (2, 2)"));
    CHECK_EQ(apply_file(&s, path, &s.arena, &err), RV_E_PLAN_STALE);
    CHECK(strstr(err.text, "'id'") && strstr(err.text, "'no'"));
    end(&s);
}

#ifdef RV_FAULTS
RV_TEST(every_allocation_of_a_plan_fails)
{
    sealed s;
    REQUIRE(begin(&s, YAML_HEAD("") EXPORT_T));
    bool done = false;
    for (long n = 1; n < 20000 && !done; n += 1 + n / 40) {
        rv_error err = {0};
        rv_arena_free(&s.arena);
        rv_buf_clear(&s.json);
        s.arena = RV_ARENA_INIT;
        rv_fault_set_alloc(n, false);
        rv_status st = seal_file(&s, &err);
        done = rv_fault_seen_alloc() < n;
        rv_fault_set_alloc(0, false);
        CHECK(st == RV_OK || err.code != RV_OK);
        CHECK(!done || st == RV_OK);
    }
    CHECK(done);
    end(&s);
}

RV_TEST(every_allocation_of_reading_fails)
{
    sealed s;
    char path[128];
    rv_error err = {0};
    REQUIRE(begin(&s, YAML_HEAD("") EXPORT_T));
    (void)snprintf(path, sizeof path, "%s/plan.json", s.p.dir);
    CHECK(rv_file_replace(path, rv_buf_bytes(&s.json), 0600, &err) == RV_OK);
    bool done = false;
    for (long n = 1; n < 20000 && !done; n++) {
        rv_arena arena = RV_ARENA_INIT;
        rv_apply apply;
        static const rv_apply_opts opts;
        rv_error_clear(&err);
        rv_fault_set_alloc(n, false);
        rv_status st = rv_apply_open(&s.p.env, path, &opts, &arena, &apply, &err);
        done = rv_fault_seen_alloc() < n;
        rv_fault_set_alloc(0, false);
        CHECK(st == RV_OK || err.code != RV_OK);
        rv_arena_free(&arena);
    }
    CHECK(done);
    end(&s);
}
#define FAULT_CASES                                                                                \
    , RV_CASE(every_allocation_of_a_plan_fails), RV_CASE(every_allocation_of_reading_fails)
#else
#define FAULT_CASES
#endif

RV_TEST_MAIN(RV_CASE(what_is_written_is_read), RV_CASE(every_changed_byte),
             RV_CASE(truncated_and_random_files), RV_CASE(secrets_are_left_out),
             RV_CASE(a_removed_secret_is_asked_for),
             RV_CASE(chunks_of_another_column_are_refused) FAULT_CASES)
