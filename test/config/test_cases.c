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

#define LINES_MAX 32
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

static void run_case(one_case *c)
{
    cfgtest_load(&c->t, c->yaml);
    bool ok = matches(c);
    if (!ok)
        show(c);
    CHECK(ok);
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
    printf("%u cases\n", n);
    CHECK(n > 100);
}

RV_TEST_MAIN(RV_CASE(all_cases))
