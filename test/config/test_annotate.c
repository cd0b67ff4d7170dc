/* wave: and parallel_safe: written into a file: what is added, what stays, what is left alone. */
#include "cfgtest.h"

#include "base/fault.h"
#include "base/file.h"
#include "config/annotate.h"

static char made[8192];

/* "same" when nothing changed, "!reason" when refused, else the new text. */
static const char *annotated(const char *text, const rv_annotation *items, size_t n, bool rewrite)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_buf out = RV_BUF_INIT;
    rv_error err = {0};
    bool changed = false;
    const char *refusal = NULL;
    if (rv_annotate_text(rv_str_c(text), items, n, rewrite, &arena, &out, &changed, &refusal,
                         &err) != RV_OK)
        (void)snprintf(made, sizeof made, "error %s", err.text);
    else if (refusal)
        (void)snprintf(made, sizeof made, "!%s", refusal);
    else
        (void)snprintf(made, sizeof made, "%.*s", changed ? (int)out.len : 4,
                       changed ? (const char *)out.ptr : "same");
    rv_buf_free(&out);
    rv_arena_free(&arena);
    return made;
}

static const rv_annotation one[] = {{0, "a", 2, true}};
static const rv_annotation two[] = {{0, "a", 2, true}, {1, "b", 4, false}};

RV_TEST(lines_are_added_below_the_name)
{
    CHECK_STR(annotated("# top\nexports:\n  - name: a # first\n    table: t\n\n  # second\n"
                        "  - table: u\n    name: 'b'\n    format: csv\n",
                        two, 2, false),
              "# top\nexports:\n  - name: a # first\n    wave: 2\n    parallel_safe: true\n"
              "    table: t\n\n  # second\n  - table: u\n    name: 'b'\n    wave: 4\n"
              "    parallel_safe: false\n    format: csv\n");
}

RV_TEST(only_what_is_missing)
{
    const char *text = "exports:\n- name: a\n  wave: 7   # mine\n  table: t\n";
    CHECK_STR(annotated(text, one, 1, false),
              "exports:\n- name: a\n  parallel_safe: true\n  wave: 7   # mine\n  table: t\n");
    CHECK_STR(annotated(text, one, 1, true),
              "exports:\n- name: a\n  parallel_safe: true\n  wave: 2   # mine\n  table: t\n");
    text = "exports:\n- name: a\n  wave: 7\n  parallel_safe: false\n";
    CHECK_STR(annotated(text, one, 1, false), "same");
    CHECK_STR(annotated(text, one, 1, true),
              "exports:\n- name: a\n  wave: 2\n  parallel_safe: true\n");
    CHECK_STR(annotated("exports:\n- name: a\n  wave: ~\n  parallel_safe: false\n", one, 1, false),
              "exports:\n- name: a\n  wave: 2\n  parallel_safe: false\n");
}

RV_TEST(line_ends_and_names_of_all_kinds)
{
    CHECK_STR(annotated("exports:\r\n- name: a\r\n  table: t\r\n", one, 1, false),
              "exports:\r\n- name: a\r\n  wave: 2\r\n  parallel_safe: true\r\n  table: t\r\n");
    CHECK_STR(annotated("exports:\n- name: a", one, 1, false),
              "exports:\n- name: a\n  wave: 2\n  parallel_safe: true\n");
    CHECK_STR(
        annotated("exports:\n- name:\n    \"ключ ${X}\"\n  table: t\n", one, 1, false),
        "exports:\n- name:\n    \"ключ ${X}\"\n  wave: 2\n  parallel_safe: true\n  table: t\n");
    CHECK_STR(
        annotated("exports:\n- &x\n  name: a\n  q: |\n    SELECT 1\n    # text\n", one, 1, false),
        "exports:\n- &x\n  name: a\n  wave: 2\n  parallel_safe: true\n  q: |\n    SELECT 1\n"
        "    # text\n");
}

RV_TEST(what_is_left_alone)
{
    CHECK(strstr(annotated("exports: [{name: a}]\n", one, 1, false),
                 "!export 'a' is written in flow"));
    CHECK(strstr(annotated("exports:\n- name: a\n- {name: b}\n", two, 2, false),
                 "!export 'b' is written in flow"));
    CHECK(strstr(annotated("x: &m {table: t}\nexports:\n- <<: *m\n  name: a\n", one, 1, false),
                 "!export 'a' is built by a merge"));
    CHECK(strstr(annotated("exports:\n- name: a\n  wave: \"3\"\n", one, 1, true), "!export 'a'"));
    CHECK(strstr(annotated("x: &w 3\nexports:\n- name: a\n  wave: *w\n", one, 1, true), "!"));
    CHECK(strstr(annotated("exports:\n- name: |\n    a\n  table: t\n", one, 1, false), "!") ||
          strstr(made, "name: |\n    a\n  wave"));
    CHECK(
        strstr(annotated("exports:\n- name: >-\n    a\n    b\n  table: t\n", one, 1, false), "!"));
    CHECK(strstr(annotated("exports:\n- table: t\n", one, 1, false), "no name"));
    CHECK(strstr(annotated("exports:\n- name: a\n- b: [\n", one, 1, false), "not readable"));
    CHECK(strstr(annotated("", one, 1, false), "not readable"));
    CHECK(strstr(annotated("a: 1\n", one, 1, false), "no list of exports"));
    CHECK(strstr(annotated("exports:\n- name: a\n", two, 2, false), "!export 'b'"));
    CHECK_STR(annotated("exports: [{name: a, wave: 1, parallel_safe: true}]\n", one, 1, false),
              "same");
}

static rv_status annotate_file(const char *path, bool *out_changed, const char **out_refusal,
                               rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_status st = rv_annotate_file(path, one, 1, false, &arena, out_changed, out_refusal, err);
    static char kept[512];
    if (st == RV_OK && *out_refusal) {
        (void)snprintf(kept, sizeof kept, "%s", *out_refusal);
        *out_refusal = kept;
    }
    rv_arena_free(&arena);
    return st;
}

static bool file_is(const char *path, const char *text)
{
    rv_buf b = RV_BUF_INIT;
    bool found = false;
    bool same = rv_file_read_all(path, 1 << 20, &b, &found, NULL) == RV_OK && found &&
                rv_str_eq(rv_buf_str(&b), rv_str_c(text));
    rv_buf_free(&b);
    return same;
}

RV_TEST(files)
{
    cfgtest t;
    rv_error err = {0};
    bool changed = false;
    const char *refusal = NULL;
    struct stat st;
    static const char text[] = "exports:\n- name: a\n";
    REQUIRE(cfgtest_begin(&t));
    CHECK(cfgtest_write("real.yaml", text, strlen(text)) && chmod("real.yaml", 0444) == 0);
    CHECK_EQ(annotate_file("real.yaml", &changed, &refusal, &err), RV_OK);
    CHECK(!changed && refusal && strstr(refusal, "read-only"));
    CHECK(file_is("real.yaml", text));
    CHECK(chmod("real.yaml", 0640) == 0 && symlink("real.yaml", "link.yaml") == 0);
    CHECK_EQ(annotate_file("link.yaml", &changed, &refusal, &err), RV_OK);
    CHECK(changed && !refusal);
    CHECK(lstat("link.yaml", &st) == 0 && S_ISLNK(st.st_mode));
    CHECK(stat("real.yaml", &st) == 0 && (st.st_mode & 07777) == 0640);
    CHECK(file_is("real.yaml", "exports:\n- name: a\n  wave: 2\n  parallel_safe: true\n"));
    CHECK_EQ(annotate_file("real.yaml", &changed, &refusal, &err), RV_OK);
    CHECK(!changed && !refusal);
    cfgtest_end(&t);
}

#ifdef RV_FAULTS
RV_TEST(every_allocation_fails)
{
    cfgtest t;
    static const char text[] = "exports:\n- name: a\n  wave: 1\n- name: b\n";
    REQUIRE(cfgtest_begin(&t));
    bool done = false;
    for (uint64_t n = 1; n < 5000 && !done; n++) {
        rv_error err = {0};
        bool changed = false;
        const char *refusal = NULL;
        CHECK(cfgtest_write("r.yaml", text, strlen(text)));
        rv_fault_set_alloc((long)n, false);
        rv_status st = annotate_file("r.yaml", &changed, &refusal, &err);
        done = rv_fault_seen_alloc() < (long)n;
        rv_fault_set_alloc(0, false);
        CHECK(st == RV_OK || st == RV_E_MEMORY);
        CHECK(changed || file_is("r.yaml", text));
    }
    CHECK(done);
    cfgtest_end(&t);
}
#endif

#ifdef RV_FAULTS
RV_TEST_MAIN(RV_CASE(lines_are_added_below_the_name), RV_CASE(only_what_is_missing),
             RV_CASE(line_ends_and_names_of_all_kinds), RV_CASE(what_is_left_alone), RV_CASE(files),
             RV_CASE(every_allocation_fails))
#else
RV_TEST_MAIN(RV_CASE(lines_are_added_below_the_name), RV_CASE(only_what_is_missing),
             RV_CASE(line_ends_and_names_of_all_kinds), RV_CASE(what_is_left_alone), RV_CASE(files))
#endif
