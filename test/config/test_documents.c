/* Every configuration of the user guide (guide/) and every file under examples/ loads; the
 * reference page is the one generated from the table. Fragments of the guide are completed, never
 * changed. RIVET_WRITE_REFERENCE=1 rewrites docs/reference/config.md. */
#include "cfgtest.h"

#include <dirent.h>

#include "base/file.h"

#define REFERENCE RV_TEST_DIR "/../docs/reference/config.md"

static const char source_text[] = "source:\n  type: postgres\n  url_env: DATABASE_URL\n";
static const char exports_text[] = "exports:\n  - name: fragment\n    table: t\n    format: csv\n";
static const char local_text[] = "    destination: {type: local, path: o}\n";

static bool has_line(const char *text, const char *start)
{
    for (const char *p = text; p; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, start, strlen(start)) == 0)
            return true;
    }
    return false;
}

/* "..." in a list item of the guide stands for the keys it leaves out. */
static void add_text(rv_buf *out, const char *text, const char *indent)
{
    while (*text) {
        const char *end = strchr(text, '\n');
        size_t len = end ? (size_t)(end - text) + 1 : strlen(text);
        if (strncmp(text, "    ...\n", 8) == 0)
            CHECK(rv_buf_printf(out, NULL, "    format: csv\n%s", local_text) == RV_OK);
        else
            CHECK(rv_buf_printf(out, NULL, "%s%.*s", indent, (int)len, text) == RV_OK);
        text += len;
    }
}

static void complete(const char *text, rv_buf *out)
{
    bool flat_tuning = has_line(text, "tuning:");
    bool destination = strncmp(text, "    destination:", 16) == 0;
    bool source = has_line(text, "source:");
    bool exports = has_line(text, "exports:");
    if (!source)
        CHECK(rv_buf_add_c(out, source_text, NULL) == RV_OK);
    if (destination)
        CHECK(rv_buf_add_c(out, exports_text, NULL) == RV_OK);
    add_text(out, text, flat_tuning ? "  " : "");
    if (!exports && !destination)
        CHECK(rv_buf_printf(out, NULL, "%s%s", exports_text, local_text) == RV_OK);
}

static void set_environment(cfgtest *t)
{
    t->env[t->n_env++] = "COUNTRY=DE";
    t->env[t->n_env++] = "MIN_ID=1";
    CHECK(mkdir("sql", 0700) == 0);
    CHECK(cfgtest_write("sql/filtered_users.sql", "SELECT 1", 8));
}

static void load_document(const char *path, bool completed)
{
    cfgtest t;
    rv_buf text = RV_BUF_INIT;
    rv_buf whole = RV_BUF_INIT;
    bool found = false;
    REQUIRE(cfgtest_begin(&t));
    set_environment(&t);
    CHECK(rv_file_read_all(path, 1 << 20, &text, &found, NULL) == RV_OK && found);
    if (completed)
        complete(rv_buf_cstr(&text), &whole);
    cfgtest_load(&t, completed ? rv_buf_cstr(&whole) : rv_buf_cstr(&text));
    if (t.st != RV_OK)
        printf("%s: %s\n", path, t.err.text);
    CHECK_EQ(t.st, RV_OK);
    rv_buf_free(&text);
    rv_buf_free(&whole);
    cfgtest_end(&t);
}

static unsigned load_directory(const char *dir, bool completed)
{
    DIR *d = opendir(dir);
    unsigned n = 0;
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        char path[1024];
        if (!strstr(e->d_name, ".yaml"))
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        load_document(path, completed);
        n++;
    }
    if (d)
        (void)closedir(d);
    return n;
}

RV_TEST(guide)
{
    CHECK_EQ(load_directory(RV_TEST_DIR "/config/guide", true), 36);
}

RV_TEST(examples)
{
    CHECK(load_directory(RV_TEST_DIR "/../examples", false) >= 10);
    cfgtest t;
    REQUIRE(cfgtest_begin(&t));
    cfgtest_load_file(&t, RV_TEST_DIR "/../examples/rivet.yaml");
    REQUIRE(t.st == RV_OK);
    CHECK_EQ(t.cfg->source.engine, RV_ENGINE_SQLITE);
    CHECK_EQ(t.diags.n_warnings, 0);
    cfgtest_end(&t);
}

RV_TEST(reference_is_generated)
{
    rv_buf want = RV_BUF_INIT;
    rv_buf got = RV_BUF_INIT;
    bool found = false;
    CHECK(rv_cfg_reference(&want, NULL) == RV_OK);
    if (getenv("RIVET_WRITE_REFERENCE"))
        CHECK(cfgtest_write(REFERENCE, rv_buf_cstr(&want), want.len));
    CHECK(rv_file_read_all(REFERENCE, 1 << 20, &got, &found, NULL) == RV_OK && found);
    CHECK_MEM(got.ptr, got.len, want.ptr, want.len);
    rv_buf_free(&want);
    rv_buf_free(&got);
}

RV_TEST_MAIN(RV_CASE(guide), RV_CASE(examples), RV_CASE(reference_is_generated))
