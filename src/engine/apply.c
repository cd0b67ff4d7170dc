#include "engine/apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/report.h"

#define RV_TARGET "apply"
#define HOUR_US (INT64_C(3600) * 1000000)

/* ---- where the state lies ---- */

static rv_status directory_of(const char *path, rv_arena *a, const char **out, rv_error *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return rv_arena_cstr(a, RV_STR("."), out, err);
    size_t len = (size_t)(slash - path);
    return rv_arena_cstr(a, (rv_str){path, len ? len : 1}, out, err);
}

static bool holds(const char *dir, const char *name)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    return n > 0 && (size_t)n < sizeof path && access(path, F_OK) == 0;
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A path that names no directory says "here": that counts only where its config or state is. */
static bool usable(const char *config_path, const char *dir)
{
    bool named = strchr(config_path, '/') != NULL;
    return access(config_path, F_OK) == 0 || holds(dir, ".rivet_state.db") ||
           (named && is_dir(dir));
}

static rv_status absolute(const char *dir, rv_arena *a, const char **out, rv_error *err)
{
    char *real = realpath(dir, NULL);
    rv_status st = rv_arena_cstr(a, rv_str_c(real ? real : dir), out, err);
    free(real);
    return st;
}

static rv_status place_state(const rv_env *env, const char *artifact, rv_cfg *cfg, rv_arena *a,
                             rv_error *err)
{
    const char *dir, *url = rv_env_get(env, "RIVET_STATE_URL");
    RV_TRY(directory_of(cfg->path, a, &dir, err));
    if (!usable(cfg->path, dir)) {
        RV_TRY(directory_of(artifact, a, &dir, err));
        if (!(url && *url))
            RV_LOG_WARN(env,
                        "the directory of '%s' is not here: the state is kept beside the plan, in "
                        "%s",
                        cfg->path, dir);
    }
    return absolute(dir, a, &cfg->dir, err);
}

/* ---- judging one artifact ---- */

typedef struct rv_applying {
    const rv_env *env;
    const char *path;
    const rv_apply_opts *opts;
    rv_arena *arena;
} rv_applying;

static rv_status force_or_refuse(const rv_applying *ap, rv_plan *p, const char *what,
                                 const char **io_forced, rv_error *err)
{
    if (!ap->opts->force) {
        (void)rv_fail(&p->error, RV_E_PLAN_STALE, "export '%s': %s", p->export_name, what);
        rv_hint(&p->error, "plan again, or pass --force to apply this one all the same");
        return RV_OK;
    }
    RV_LOG_WARN(ap->env, "export '%s': %s; applied with --force", p->export_name, what);
    return rv_arena_printf(ap->arena, io_forced, err, "%s%s%s", *io_forced ? *io_forced : "",
                           *io_forced ? "; " : "", what);
}

static rv_status judge_age(const rv_applying *ap, rv_plan *p, const char **io_forced, rv_error *err)
{
    int64_t now_us = rv_env_now_us(ap->env), age_us = now_us - p->created_us;
    const char *what;
    char age[32];
    bool stale = age_us >= 24 * HOUR_US || now_us >= p->expires_us;
    if (!stale && age_us < HOUR_US)
        return RV_OK;
    rv_duration_text(age_us > 0 ? age_us / 1000 : 0, age);
    if (!stale) {
        RV_LOG_WARN(ap->env, "export '%s': the plan is %s old", p->export_name, age);
        return RV_OK;
    }
    RV_TRY(rv_arena_printf(ap->arena, &what, err, "the plan is %s old and has expired", age));
    return force_or_refuse(ap, p, what, io_forced, err);
}

static bool is_notification(const char *name)
{
    return strncmp(name, "notifications.", 14) == 0;
}

static void judge_secrets(const rv_applying *ap, rv_plan *p)
{
    for (size_t i = 0; i < p->n_removed && p->error.code == RV_OK; i++) {
        const char *name = p->removed[i];
        if (is_notification(name)) {
            RV_LOG_WARN(ap->env, "the plan lacks %s: nobody is notified", name);
            p->notifications = NULL;
            continue;
        }
        (void)rv_fail(&p->error, RV_E_PLAN_FILE,
                      "export '%s': %s held a secret in the configuration, which a plan never "
                      "keeps (***)",
                      p->export_name, name);
        rv_hint(&p->error, "let the configuration name it by url_env, url_file or password_env (in "
                           "SQL: ${NAME} of an environment variable whose name says password, "
                           "secret, token or key) and plan again");
    }
}

static rv_status judge_cursor(const rv_applying *ap, rv_state *state, rv_plan *p,
                              const char **io_forced, rv_error *err)
{
    rv_position_row position = {0};
    bool have = false;
    const char *what;
    if (state)
        RV_TRY(rv_state_position_get(state, p->export_name, ap->arena, &position, &have, err));
    const char *now = have ? position.last_cursor_value : NULL, *then = p->cursor_snapshot;
    if (!now || !then ? now == then : strcmp(now, then) == 0)
        return RV_OK;
    RV_TRY(rv_arena_printf(ap->arena, &what, err,
                           "the cursor moved after planning: it was %s%s%s, now %s%s%s",
                           then ? "'" : "", then ? then : "unset", then ? "'" : "", now ? "'" : "",
                           now ? now : "unset", now ? "'" : ""));
    return force_or_refuse(ap, p, what, io_forced, err);
}

/* ---- which artifacts ---- */

static rv_status unknown_export(const rv_applying *ap, const rv_plan *plans, size_t n,
                                rv_error *err)
{
    rv_buf names = RV_BUF_INIT;
    rv_status st = RV_OK;
    for (size_t i = 0; i < n; i++)
        RV_GO(rv_buf_printf(&names, err, "%s%s", i ? ", " : "", plans[i].export_name));
    st = rv_fail(err, RV_E_CONFIG_UNKNOWN_EXPORT, "no export '%s' in %s; planned: %.*s",
                 ap->opts->export_name, ap->path, RV_STR_ARG(rv_buf_str(&names)));
done:
    rv_buf_free(&names);
    return st;
}

static rv_status select_plans(const rv_applying *ap, rv_plan **io, size_t *io_n, rv_error *err)
{
    const char *wanted = ap->opts->export_name;
    for (size_t i = 0; wanted && i < *io_n; i++) {
        if (strcmp((*io)[i].export_name, wanted) != 0)
            continue;
        *io += i;
        *io_n = 1;
        return RV_OK;
    }
    return wanted ? unknown_export(ap, *io, *io_n, err) : RV_OK;
}

static bool same_text(const char *a, const char *b)
{
    return !a || !b ? a == b : strcmp(a, b) == 0;
}

/* One source, one state: what one command can run. */
static rv_status one_origin(const rv_applying *ap, const rv_plan *plans, size_t n, rv_error *err)
{
    for (size_t i = 1; i < n; i++)
        if (!same_text(plans[i].source, plans[0].source) ||
            !same_text(plans[i].project, plans[0].project) ||
            !same_text(plans[i].config_dir, plans[0].config_dir) ||
            !same_text(plans[i].config_path, plans[0].config_path))
            return rv_fail(err, RV_E_PLAN_FILE,
                           "'%s' holds plans of several configurations; apply them one by one",
                           ap->path);
    return RV_OK;
}

static rv_status load(const rv_applying *ap, const rv_plan *plans, size_t n, rv_cfg **out,
                      rv_error *err)
{
    const char **exports;
    rv_diags *diags;
    RV_TRY(rv_arena_array(ap->arena, n, sizeof *exports, &exports, err));
    RV_TRY(rv_arena_alloc(ap->arena, sizeof *diags, &diags, err));
    for (size_t i = 0; i < n; i++)
        exports[i] = plans[i].export_json;
    rv_cfg_parts parts = {.path = plans[0].config_path,
                          .dir = plans[0].config_dir,
                          .project = plans[0].project,
                          .source = plans[0].source,
                          .notifications =
                              ap->opts->need_notifications ? plans[0].notifications : NULL,
                          .exports = exports,
                          .n_exports = n};
    return rv_cfg_load_sealed(ap->env, &parts, ap->arena, out, diags, err);
}

/* Alone, so that a variable one export lacks does not keep the others from running. */
static rv_status judge_config(const rv_applying *ap, rv_plan *p, rv_error *err)
{
    rv_cfg *cfg;
    rv_error *why = &p->error;
    rv_status st = load(ap, p, 1, &cfg, why);
    if (st == RV_E_MEMORY)
        return rv_fail_memory(err);
    if (st == RV_E_CONFIG_UNRESOLVED)
        rv_hint(why, "the plan keeps the names of such variables: set them for `rivet apply` too");
    return RV_OK;
}

/* ---- the whole file ---- */

static rv_status judge(const rv_applying *ap, rv_plan *p, const char **out_forced, rv_error *err)
{
    *out_forced = NULL;
    if (p->error.code == RV_OK)
        judge_secrets(ap, p);
    if (p->error.code == RV_OK)
        RV_TRY(judge_config(ap, p, err));
    return p->error.code == RV_OK ? judge_age(ap, p, out_forced, err) : RV_OK;
}

typedef struct rv_sorting {
    rv_plan *good, *bad;
    const char **forced;
    size_t n_good, n_bad;
} rv_sorting;

static void sort_plan(rv_sorting *s, const rv_plan *p, const char *forced)
{
    if (p->error.code != RV_OK) {
        s->bad[s->n_bad++] = *p;
        return;
    }
    s->forced[s->n_good] = forced;
    s->good[s->n_good++] = *p;
}

static rv_status begin_sorting(const rv_applying *ap, size_t n, rv_sorting *s, rv_error *err)
{
    *s = (rv_sorting){0};
    RV_TRY(rv_arena_array(ap->arena, n, sizeof *s->good, &s->good, err));
    RV_TRY(rv_arena_array(ap->arena, n, sizeof *s->bad, &s->bad, err));
    return rv_arena_array(ap->arena, n, sizeof *s->forced, &s->forced, err);
}

static rv_status load_good(const rv_applying *ap, const rv_sorting *s, rv_cfg **out, rv_error *err)
{
    RV_TRY(load(ap, s->good, s->n_good, out, err));
    return place_state(ap->env, ap->path, *out, ap->arena, err);
}

/* Cursors need the state, the state needs the configuration: so the good are judged once more. */
static rv_status judge_cursors(const rv_applying *ap, const rv_cfg *cfg, rv_sorting *s,
                               rv_error *err)
{
    rv_state *state = NULL;
    size_t n = s->n_good;
    RV_TRY(rv_engine_state(ap->env, cfg, true, &state, err));
    rv_status st = RV_OK;
    s->n_good = 0;
    for (size_t i = 0; i < n && st == RV_OK; i++) {
        rv_plan p = s->good[i];
        const char *forced = s->forced[i];
        if (cfg->exports[i].mode == RV_INCREMENTAL)
            st = judge_cursor(ap, state, &p, &forced, err);
        sort_plan(s, &p, forced);
    }
    rv_state_close(state);
    return st;
}

static rv_status keep_good(const rv_applying *ap, rv_sorting *s, rv_cfg **io_cfg, rv_error *err)
{
    size_t n = s->n_good;
    RV_TRY(judge_cursors(ap, *io_cfg, s, err));
    if (s->n_good == 0)
        *io_cfg = NULL;
    else if (s->n_good < n)
        return load_good(ap, s, io_cfg, err);
    return RV_OK;
}

rv_status rv_apply_open(const rv_env *env, const char *path, const rv_apply_opts *opts,
                        rv_arena *arena, rv_apply *out, rv_error *err)
{
    const rv_applying ap = {.env = env, .path = path, .opts = opts, .arena = arena};
    rv_plan *plans;
    rv_sorting s;
    size_t n;
    *out = (rv_apply){0};
    RV_TRY(rv_plans_read(path, arena, &plans, &n, err));
    RV_TRY(select_plans(&ap, &plans, &n, err));
    RV_TRY(begin_sorting(&ap, n, &s, err));
    for (size_t i = 0; i < n; i++) {
        const char *forced;
        RV_TRY(judge(&ap, &plans[i], &forced, err));
        sort_plan(&s, &plans[i], forced);
    }
    if (s.n_good > 0) {
        RV_TRY(one_origin(&ap, s.good, s.n_good, err));
        RV_TRY(load_good(&ap, &s, &out->cfg, err));
        RV_TRY(keep_good(&ap, &s, &out->cfg, err));
    }
    out->sealed = (struct rv_sealed_plans){s.good, s.n_good, s.forced};
    out->refused = s.bad;
    out->n_refused = s.n_bad;
    return RV_OK;
}

/* ---- running ---- */

static void report_refused(const rv_apply *apply, rv_run_report *out)
{
    for (size_t i = 0; i < apply->n_refused; i++) {
        const rv_plan *p = &apply->refused[i];
        rv_export_report *r = &out->exports[out->n_exports++];
        rv_export_report_empty(&(rv_cfg_export){.name = p->export_name}, r);
        r->error = p->error;
        r->exit_code = rv_class_exit(rv_code(p->error.code)->class_);
        out->exit_code = rv_exit_worse(out->exit_code, r->exit_code);
    }
}

static rv_status grow_report(const rv_apply *apply, rv_arena *a, rv_run_report *out, rv_error *err)
{
    rv_export_report *all;
    RV_TRY(rv_arena_array(a, out->n_exports + apply->n_refused + 1, sizeof *all, &all, err));
    if (out->n_exports)
        memcpy(all, out->exports, out->n_exports * sizeof *all);
    out->exports = all;
    report_refused(apply, out);
    return RV_OK;
}

rv_status rv_apply_run(const rv_env *env, const rv_apply *apply, const rv_run_opts *opts,
                       rv_arena *arena, rv_run_report *out, rv_error *err)
{
    rv_run_opts own = *opts;
    own.sealed = &apply->sealed;
    own.parallel = RV_SEQUENTIAL;
    *out = (rv_run_report){.parallel_mode = "sequential"};
    if (apply->cfg)
        RV_TRY(rv_engine_run(env, apply->cfg, &own, arena, out, err));
    return grow_report(apply, arena, out, err);
}
