/* Runs cases/<topic>.cases: small configurations with what they must say.
 *   == name              a case starts
 *   -e NAME=value        environment       -p NAME=value  parameter
 *   -x NAME              only this export is needed       -q      nothing needs to resolve
 *   -f PATH=text         a file beside the configuration
 *   --                   the configuration follows
 *   >> E CODE L:C text   an error, in order (L:C is 0:0 without a position; \n is a line feed)
 *   >> W text            a warning; all of them are listed, in any order
 *   >> ok                loads */
#include "cfgtest.h"

#include <dirent.h>

#include "base/file.h"
#include "config/annotate.h"

#define LINES_MAX 32
static size_t n_annotated;
typedef struct one_case {
    char name[128];
    cfgtest t;
    char *yaml;
    char *want[LINES_MAX];
    size_t n_want;
} one_case;

static void show(const one_case *c)
{
    printf("case '%s' printed:\n", c->name);
    for (size_t i = 0; i < c->t.diags.n_errors; i++) {
        const rv_diag *d = &c->t.diags.errors[i];
        printf("  E %s %u:%u %s\n", rv_code(d->code)->name, d->pos.line, d->pos.col, d->text);
    }
    for (size_t i = 0; i < c->t.diags.n_warnings; i++)
        printf("  W %s\n", c->t.diags.warnings[i]);
    if (c->t.st != RV_OK && c->t.diags.n_errors == 0)
        printf("  error %s\n", c->t.err.text);
}

static void error_line(const rv_diag *d, char *out, size_t size)
{
    int n = snprintf(out, size, "E %s %u:%u ", rv_code(d->code)->name + strlen("RIVET_CONFIG_"),
                     d->pos.line, d->pos.col);
    for (const char *p = d->text; *p && (size_t)n + 3 < size; p++) {
        if (*p == '\n')
            out[n++] = '\\';
        out[n++] = *p == '\n' ? 'n' : *p;
    }
    out[n] = '\0';
}

static bool has_warning(const one_case *c, const char *text)
{
    for (size_t i = 0; i < c->t.diags.n_warnings; i++)
        if (strcmp(c->t.diags.warnings[i], text) == 0)
            return true;
    printf("missing: W %s\n", text);
    return false;
}

static bool matches(const one_case *c)
{
    size_t errors = 0;
    size_t warnings = 0;
    bool want_ok = false;
    for (size_t i = 0; i < c->n_want; i++) {
        const char *w = c->want[i];
        if (strcmp(w, "ok") == 0) {
            want_ok = true;
        } else if (w[0] == 'W') {
            warnings++;
            if (!has_warning(c, w + 2))
                return false;
        } else {
            char line[4096] = "";
            if (errors < c->t.diags.n_errors)
                error_line(&c->t.diags.errors[errors], line, sizeof line);
            errors++;
            if (strcmp(line, w) != 0) {
                printf("  got:  %s\n  want: %s\n", line, w);
                return false;
            }
        }
    }
    bool first = errors == 0 || c->t.st == c->t.diags.errors[0].code;
    return first && errors == c->t.diags.n_errors && warnings == c->t.diags.n_warnings &&
           want_ok == (c->t.st == RV_OK);
}

static bool same_text(const char *a, const char *b)
{
    return (!a || !b) ? a == b : strcmp(a, b) == 0;
}

static bool same_export(const rv_cfg_export *a, const rv_cfg_export *b)
{
    return same_text(a->sealed.json, b->sealed.json) && same_text(a->name, b->name) &&
           same_text(a->table, b->table) && a->mode == b->mode &&
           same_text(a->compression, b->compression) &&
           a->compression_level == b->compression_level && a->dest.kind == b->dest.kind &&
           same_text(a->dest.path, b->dest.path) && same_text(a->dest.bucket, b->dest.bucket) &&
           a->max_file_bytes == b->max_file_bytes && a->settle_after_s == b->settle_after_s &&
           a->chunk_size == b->chunk_size && a->chunk_count == b->chunk_count &&
           a->chunk_max_attempts == b->chunk_max_attempts && a->parallel == b->parallel &&
           a->row_hash == b->row_hash && a->n_columns == b->n_columns &&
           a->quality.n_unique_columns == b->quality.n_unique_columns &&
           a->zero_date_fail == b->zero_date_fail && a->n_tables == b->n_tables &&
           memcmp(&a->tuning, &b->tuning, sizeof a->tuning) == 0 &&
           (!same_text(a->sealed.removed, "[]") || same_text(a->query, b->query));
}

/* What was sealed means the same when it is read again, and seals to the same. */
static void check_sealed(const one_case *c)
{
    const char *exports[LINES_MAX];
    rv_arena arena = RV_ARENA_INIT;
    rv_diags diags;
    rv_error err = {0};
    rv_cfg *again = NULL;
    const rv_cfg *cfg = c->t.cfg;
    rv_env env = {
        .secrets = c->t.secrets, .getenv = cfgtest_env, .getenv_ctx = (void *)(uintptr_t)&c->t};
    rv_cfg_parts parts = {.path = cfg->path,
                          .dir = cfg->dir,
                          .project = cfg->project,
                          .source = cfg->sealed_source.json,
                          .notifications = cfg->sealed_notifications.json,
                          .exports = exports};
    for (size_t i = 0; i < cfg->n_exports && i < LINES_MAX; i++)
        if (cfg->exports[i].sealed.json)
            exports[parts.n_exports++] = cfg->exports[i].sealed.json;
    if (parts.n_exports < cfg->n_exports || c->t.quiet || c->t.some)
        return; /* what one export says may be about the others */
    bool removed = !same_text(cfg->sealed_source.removed, "[]");
    rv_status st = rv_cfg_load_sealed(&env, &parts, &arena, &again, &diags, &err);
    if (st != RV_OK && !removed)
        printf("case '%s': %s\n%s\n", c->name, err.text, exports[0]);
    CHECK(st == RV_OK || removed);
    for (size_t i = 0; st == RV_OK && i < cfg->n_exports; i++) {
        bool same = same_export(&cfg->exports[i], &again->exports[i]);
        if (!same)
            printf("case '%s': %s\n%s\n", c->name, exports[i], again->exports[i].sealed.json);
        CHECK(same);
    }
    CHECK(st != RV_OK || same_text(cfg->sealed_source.json, again->sealed_source.json));
    CHECK(st != RV_OK || same_text(cfg->project, again->project));
    rv_arena_free(&arena);
}

/* With waves written in it the file loads as before; or nothing is written at all. */
static void check_annotated(one_case *c)
{
    rv_annotation items[LINES_MAX];
    rv_arena arena = RV_ARENA_INIT;
    rv_buf out = RV_BUF_INIT;
    rv_error err = {0};
    const char *refusal = NULL;
    bool changed = false;
    char *was[LINES_MAX];
    size_t n = c->t.cfg->n_exports, warnings = c->t.diags.n_warnings;
    if (n > LINES_MAX)
        return;
    for (size_t i = 0; i < n; i++) {
        items[i] = (rv_annotation){i, "x", i + 2, i % 2 == 0};
        was[i] = c->t.cfg->exports[i].sealed.json ? strdup(c->t.cfg->exports[i].sealed.json) : NULL;
    }
    CHECK_EQ(
        rv_annotate_text(rv_str_c(c->yaml), items, n, true, &arena, &out, &changed, &refusal, &err),
        RV_OK);
    CHECK(changed || refusal);
    CHECK(changed == (out.len > 0));
    if (changed) {
        cfgtest_load_bytes(&c->t, (const char *)out.ptr, out.len);
        CHECK_EQ(c->t.st, RV_OK);
        CHECK_EQ(c->t.diags.n_warnings, warnings);
        for (size_t i = 0; c->t.st == RV_OK && i < n; i++) {
            CHECK_EQ(c->t.cfg->exports[i].wave, i + 2);
            CHECK_EQ(c->t.cfg->exports[i].parallel_safe, i % 2 == 0);
            /* the two keys aside, nothing else is there or gone */
            CHECK(!was[i] || strlen(c->t.cfg->exports[i].sealed.json) > strlen(was[i]));
        }
        n_annotated++;
    }
    for (size_t i = 0; i < n; i++)
        free(was[i]);
    rv_buf_free(&out);
    rv_arena_free(&arena);
}

static void run_case(one_case *c)
{
    cfgtest_load(&c->t, c->yaml);
    bool ok = matches(c);
    if (!ok)
        show(c);
    CHECK(ok);
    if (c->t.st != RV_OK)
        return;
    check_sealed(c);
    check_annotated(c);
}

static void add_file(char *spec)
{
    char *eq = strchr(spec, '=');
    *eq = '\0';
    char *slash = strrchr(spec, '/');
    if (slash) {
        *slash = '\0';
        (void)mkdir(spec, 0700);
        *slash = '/';
    }
    CHECK(cfgtest_write(spec, eq + 1, strlen(eq + 1)));
}

static void option(one_case *c, char *line)
{
    cfgtest *t = &c->t;
    char *value = line + 3;
    if (strncmp(line, "-e ", 3) == 0)
        t->env[t->n_env++] = value;
    else if (strncmp(line, "-f ", 3) == 0)
        add_file(value);
    else if (strcmp(line, "-q") == 0)
        t->quiet = true;
    else if (strncmp(line, "-x ", 3) == 0) {
        t->some = true;
        t->selected[t->n_selected++] = value;
    } else if (strncmp(line, "-p ", 3) == 0) {
        char *eq = strchr(value, '=');
        *eq = '\0';
        t->params[t->n_params++] = (rv_param){value, eq + 1};
    } else {
        printf("unknown line in case '%s': %s\n", c->name, line);
        CHECK(line == NULL);
    }
}

/* The case's text up to the next "== "; returns where that starts. */
static char *read_case(one_case *c, char *text)
{
    bool yaml = false;
    char *yaml_end = NULL;
    char *p = text;
    while (*p && strncmp(p, "== ", 3) != 0) {
        char *end = strchr(p, '\n');
        char *next = end ? end + 1 : p + strlen(p);
        bool want = strncmp(p, ">> ", 3) == 0;
        if (want && !yaml_end)
            yaml_end = p;
        if (end && (!yaml || want))
            *end = '\0';
        if (want)
            c->want[c->n_want++] = p + 3;
        else if (!yaml && strcmp(p, "--") == 0)
            yaml = true, c->yaml = next;
        else if (!yaml && *p)
            option(c, p);
        p = next;
    }
    if (yaml_end)
        yaml_end[0] = '\0';
    return p;
}

static unsigned run_file(const char *path)
{
    rv_buf text = RV_BUF_INIT;
    bool found = false;
    unsigned n = 0;
    CHECK(rv_file_read_all(path, 1 << 20, &text, &found, NULL) == RV_OK && found);
    char *p = strstr((char *)(uintptr_t)rv_buf_cstr(&text), "== ");
    while (p && *p) {
        static one_case c;
        memset(&c, 0, sizeof c);
        if (!cfgtest_begin(&c.t))
            break;
        char *end = strchr(p, '\n');
        *end = '\0';
        (void)snprintf(c.name, sizeof c.name, "%s", p + 3);
        p = read_case(&c, end + 1);
        run_case(&c);
        cfgtest_end(&c.t);
        n++;
    }
    rv_buf_free(&text);
    return n;
}

RV_TEST(all_cases)
{
    static const char dir[] = RV_TEST_DIR "/config/cases";
    DIR *d = opendir(dir);
    REQUIRE(d);
    unsigned n = 0;
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        char path[1024];
        if (!strstr(e->d_name, ".cases"))
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        n += run_file(path);
    }
    (void)closedir(d);
    printf("%u cases, %zu annotated\n", n, n_annotated);
    CHECK(n_annotated > 40);
    CHECK(n > 100);
}

RV_TEST_MAIN(RV_CASE(all_cases))
