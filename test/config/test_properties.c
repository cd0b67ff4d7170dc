/* Hostile and unlucky loads: mutated files, ten mistakes at once, every allocation failing. */
#include "cfgtest.h"

#include "base/fault.h"

static const char rich[] =
    "# ключ\nsource:\n  type: postgres\n  url: 'postgres://u:${PW}@h:5432/d?sslmode=require&x=1'\n"
    "  tls: {mode: verify-full, ca_file: ca.pem}\n  tuning: &t {profile: safe, batch_size: 500}\n"
    "notifications:\n  slack: {webhook_url_env: HOOK, on: [failure, degraded]}\n"
    "exports:\n  - &e\n    name: a\n    query: \"SELECT '${TOKEN}' -- $${X};\"\n"
    "    mode: incremental\n    cursor_column: id\n    settle: {after: 5m}\n    format: csv\n"
    "    compression: zstd\n    tuning: *t\n    destination: {type: local, path: 'o/{date}'}\n"
    "  - name: b\n    table: s.\"t t\"\n    mode: chunked\n    chunk_column: id\n"
    "    max_file_size: 1.5MB\n    format: parquet\n    columns: {c: 'decimal(12,2)', d: text}\n"
    "    quality: {null_ratio_max: {a: 0.5}, unique_columns: ${COLS}}\n"
    "    meta_columns: {row_hash: [a, b]}\n"
    "    destination: {type: s3, bucket: b, prefix: p, region: r}\n"
    "  - {name: c, tables: [x, y], mode: cdc, format: csv, cdc: {backfill: auto}, destination: "
    "{type: local, path: c}}\n"
    "  - {<<: *e, name: d, mode: full, cursor_column: ~, settle: ~, table: x, query: ~}\n"
    "  - {name: f, table: y, format: csv, destination: {type: local, path: c}}\n";

static void set_env(cfgtest *t)
{
    t->env[t->n_env++] = "PW=secret";
    t->env[t->n_env++] = "TOKEN=abcdef";
    t->env[t->n_env++] = "COLS=[a, b]";
    t->params[t->n_params++] = (rv_param){"UNUSED", "1"};
}

RV_TEST(rich_file_loads)
{
    cfgtest t;
    REQUIRE(cfgtest_begin(&t));
    set_env(&t);
    cfgtest_load(&t, rich);
    if (t.st != RV_OK)
        printf("%s\n", t.err.text);
    CHECK_EQ(t.st, RV_OK);
    CHECK_EQ(t.diags.n_warnings, 3);
    cfgtest_end(&t);
}

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static size_t mutate(char *text, size_t len, uint32_t *seed)
{
    static const char pool[] = "{}[]:,-#&*!|>'\"%@`$ \n\t~<?0aé\xFF\0";
    unsigned n = 1 + next_random(seed) % 4;
    for (unsigned i = 0; i < n && len > 2; i++) {
        size_t at = next_random(seed) % len;
        char c = pool[next_random(seed) % (sizeof pool - 1)];
        if (next_random(seed) % 3 == 0) {
            memmove(text + at, text + at + 1, len - at - 1);
            len--;
        } else if (next_random(seed) % 2) {
            text[at] = c;
        } else {
            memmove(text + at + 1, text + at, len - at);
            text[at] = c;
            len++;
        }
    }
    return len;
}

/* A mistake in the file is always a diagnostic with a position, never anything else. */
static void check_outcome(const cfgtest *t)
{
    if (t->st == RV_OK) {
        CHECK(t->cfg && t->cfg->n_exports > 0);
        return;
    }
    CHECK(t->diags.n_errors > 0 && t->diags.n_errors <= RV_DIAGS_MAX);
    CHECK_EQ(t->st, t->diags.errors[0].code);
    for (size_t i = 0; i < t->diags.n_errors; i++) {
        CHECK(t->diags.errors[i].pos.line > 0 && t->diags.errors[i].pos.col > 0);
        CHECK(rv_utf8_valid(rv_str_bytes(rv_str_c(t->diags.errors[i].text))));
    }
    CHECK(strncmp(t->err.text, "rivet.yaml:", 11) == 0);
}

RV_TEST(mutated_files)
{
    cfgtest t;
    uint32_t seed = 20261121;
    unsigned bad = 0;
    REQUIRE(cfgtest_begin(&t));
    set_env(&t);
    for (unsigned i = 0; i < 3000; i++) {
        char text[sizeof rich + 16];
        memcpy(text, rich, sizeof rich - 1);
        size_t len = mutate(text, sizeof rich - 1, &seed);
        cfgtest_load_bytes(&t, text, len);
        bad += t.st != RV_OK;
        check_outcome(&t);
    }
    CHECK(bad > 500);
    cfgtest_end(&t);
}

RV_TEST(truncated_files)
{
    cfgtest t;
    REQUIRE(cfgtest_begin(&t));
    set_env(&t);
    for (size_t len = 0; len < sizeof rich - 1; len++) {
        cfgtest_load_bytes(&t, rich, len);
        check_outcome(&t);
    }
    cfgtest_end(&t);
}

RV_TEST(ten_mistakes)
{
    cfgtest t;
    REQUIRE(cfgtest_begin(&t));
    cfgtest_load(&t, "source: {type: postgress, batch_size: 1, port: 0, zz: 1}\n"
                     "exports:\n"
                     "  - {name: a, skip_empty: yes, wave: x, chunk_colum: id, mode: chunky, "
                     "destination: {type: local, path: {date}, sas_token: x}}\n"
                     "bogus: 1\n");
    CHECK_EQ(t.diags.n_errors, 12);
    for (size_t i = 1; i < t.diags.n_errors; i++) {
        rv_pos a = t.diags.errors[i - 1].pos;
        rv_pos b = t.diags.errors[i].pos;
        CHECK(a.line < b.line || (a.line == b.line && a.col <= b.col));
    }
    cfgtest_end(&t);
}

RV_TEST(at_most_twenty)
{
    cfgtest t;
    rv_buf b = RV_BUF_INIT;
    REQUIRE(cfgtest_begin(&t));
    for (unsigned i = 0; i < 50; i++)
        CHECK(rv_buf_printf(&b, NULL, "unknown_%u: 1\n", i) == RV_OK);
    cfgtest_load(&t, rv_buf_cstr(&b));
    CHECK_EQ(t.diags.n_errors, RV_DIAGS_MAX);
    CHECK_EQ(t.diags.errors[RV_DIAGS_MAX - 1].pos.line, 18);
    rv_buf_free(&b);
    cfgtest_end(&t);
}

RV_TEST(too_many_exports_and_bytes)
{
    cfgtest t;
    rv_buf b = RV_BUF_INIT;
    REQUIRE(cfgtest_begin(&t));
    CHECK(rv_buf_add_c(&b, "source: {type: sqlite, path: d}\nexports: [", NULL) == RV_OK);
    for (unsigned i = 0; i < 6000; i++)
        CHECK(rv_buf_add_c(&b, "{},", NULL) == RV_OK);
    CHECK(rv_buf_add_c(&b, "]\n", NULL) == RV_OK);
    cfgtest_load(&t, rv_buf_cstr(&b));
    CHECK_EQ(t.st, RV_E_CONFIG_RANGE);
    while (b.len < (1 << 20))
        CHECK(rv_buf_add_c(&b, "# a comment line that fills the file up\n", NULL) == RV_OK);
    cfgtest_load(&t, rv_buf_cstr(&b));
    CHECK_EQ(t.st, RV_E_CONFIG_SYNTAX);
    CHECK_STR(t.err.text, "rivet.yaml:1:1: invalid YAML: the file is larger than 1 MiB");
    rv_buf_free(&b);
    cfgtest_end(&t);
}

#ifdef RV_FAULTS
static void sweep_load(cfgtest *t, const char *path, rv_status want)
{
    for (long nth = 1;; nth++) {
        rv_fault_set_alloc(nth, false);
        cfgtest_load_file(t, path);
        long seen = rv_fault_seen_alloc();
        rv_fault_set_alloc(0, false);
        if (seen < nth)
            break;
        if (t->st != RV_E_MEMORY) {
            printf("allocation %ld: status %d\n", nth, (int)t->st);
            CHECK_EQ(t->st, RV_E_MEMORY);
        }
        CHECK(t->cfg == NULL);
    }
    CHECK_EQ(t->st, want);
}

RV_TEST(every_allocation_fails)
{
    cfgtest t;
    REQUIRE(cfgtest_begin(&t));
    set_env(&t);
    CHECK(cfgtest_write("rivet.yaml", rich, sizeof rich - 1));
    sweep_load(&t, "rivet.yaml", RV_OK);
    static const char broken[] = "source: {type: x, batch_size: 1, zz: 1}\nexports: [{name: 3}]\n";
    CHECK(cfgtest_write("broken.yaml", broken, sizeof broken - 1));
    sweep_load(&t, "broken.yaml", RV_E_CONFIG_ENUM);
    cfgtest_end(&t);
}

RV_TEST(pages_fail_cleanly)
{
    for (long nth = 1; nth < 40; nth++) {
        rv_buf out = RV_BUF_INIT;
        rv_fault_set_alloc(nth, false);
        rv_status a = rv_cfg_json_schema(&out, NULL);
        rv_status b = rv_cfg_reference(&out, NULL);
        bool hit = rv_fault_seen_alloc() >= nth;
        rv_fault_set_alloc(0, false);
        CHECK(!hit || a == RV_E_MEMORY || b == RV_E_MEMORY);
        rv_buf_free(&out);
    }
}

RV_TEST(reading_fails)
{
    cfgtest t;
    REQUIRE(cfgtest_begin(&t));
    set_env(&t);
    CHECK(cfgtest_write("rivet.yaml", rich, sizeof rich - 1));
    rv_fault_set_io(1, false);
    cfgtest_load_file(&t, "rivet.yaml");
    rv_fault_set_io(0, false);
    CHECK(t.st != RV_OK && t.diags.n_errors == 0 && t.err.text[0]);
    cfgtest_end(&t);
}
#define FAULT_CASES                                                                                \
    , RV_CASE(every_allocation_fails), RV_CASE(pages_fail_cleanly), RV_CASE(reading_fails)
#else
#define FAULT_CASES
#endif

RV_TEST_MAIN(RV_CASE(rich_file_loads), RV_CASE(mutated_files), RV_CASE(truncated_files),
             RV_CASE(ten_mistakes), RV_CASE(at_most_twenty),
             RV_CASE(too_many_exports_and_bytes) FAULT_CASES)
