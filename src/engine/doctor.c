#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "destination/destination.h"
#include "engine/engine.h"

typedef struct rv_doctoring {
    const rv_env *env;
    const rv_cfg *cfg;
    rv_arena *arena;
    rv_doctor_check *list;
    size_t n;
} rv_doctoring;

static const char *source_label(rv_engine e)
{
    static const char *const names[] = {[RV_ENGINE_POSTGRES] = "Postgres",
                                        [RV_ENGINE_MYSQL] = "Mysql",
                                        [RV_ENGINE_MSSQL] = "Mssql",
                                        [RV_ENGINE_SQLITE] = "Sqlite"};
    return names[e];
}

static const char *dest_label(rv_dest_kind k)
{
    static const char *const names[] = {[RV_DEST_LOCAL] = "Local",
                                        [RV_DEST_STDOUT] = "Stdout",
                                        [RV_DEST_S3] = "S3",
                                        [RV_DEST_GCS] = "GCS",
                                        [RV_DEST_AZURE] = "Azure"};
    return names[k];
}

/* The word in front of the reason; NULL: the error's own first line says it best. */
static const char *category(rv_status code)
{
    switch ((int)code) {
    case RV_E_SOURCE_AUTH:
        return "auth error";
    case RV_E_SOURCE_TLS:
        return "TLS error";
    case RV_E_SOURCE_MISSING:
        return "missing";
    case RV_E_SOURCE_CAPACITY:
        return "capacity error";
    case RV_E_SOURCE_PERMISSION:
        return "permission error";
    case RV_E_SOURCE_CONNECT:
    case RV_E_STATE_UNREACHABLE:
        return "connectivity error";
    default:
        return rv_dest_category(code);
    }
}

static const char *advice(rv_status code)
{
    switch ((int)code) {
    case RV_E_SOURCE_OPEN:
    case RV_E_CONFIG_NO_CONNECTION:
        return "check the source's path or URL, and that its environment variable is set";
    case RV_E_SOURCE_CONNECT:
        return "check host, port, firewall and TLS settings";
    case RV_E_SOURCE_AUTH:
        return "check user and password, and that the server lets this user in from here";
    case RV_E_SOURCE_TLS:
        return "check source.tls (or sslmode in the URL), the certificates, and whether the server "
               "offers TLS";
    case RV_E_SOURCE_MISSING:
        return "check the database's name in the URL, or source.database";
    case RV_E_SOURCE_CAPACITY:
        return "the server or pooler has no connection left: run later, or raise its limit";
    case RV_E_STATE_UNREACHABLE:
        return "check RIVET_STATE_URL: host, port, firewall and TLS settings";
    case RV_E_DEST_AUTH:
        return "check the credentials' keys in the configuration and the environment they name";
    case RV_E_DEST_SAS_EXPIRED:
        return "issue a new SAS token";
    case RV_E_DEST_NO_BUCKET:
        return "check the bucket's or container's name; rivet never creates one";
    case RV_E_DEST_REGION:
        return "set destination.region to the bucket's own";
    case RV_E_DEST_TLS:
        return "check the endpoint's certificate; SSL_CERT_FILE names a CA file";
    case RV_E_DEST_UNREACHABLE:
        return "check the endpoint, the network, proxies and firewalls";
    case RV_E_SOURCE_PERMISSION:
    case RV_E_DEST_PERMISSION:
        return "grant this user access, or use another account";
    case RV_E_DEST_IO:
        return "check that the directory or bucket exists and can be written";
    case RV_E_DEST_NO_SPACE:
        return "free space there, or choose another path";
    default:
        return NULL;
    }
}

/* "line\nline" as "line: line": a report's entry is one line. */
static rv_status one_line(rv_arena *a, const char *prefix, const char *text, const char **out,
                          rv_error *err)
{
    rv_buf b = RV_BUF_INIT;
    rv_status st = RV_OK;
    if (prefix)
        RV_GO(rv_buf_printf(&b, err, "%s: ", prefix));
    for (const char *p = text; *p; p++) {
        if (*p == '\n')
            RV_GO(rv_buf_add_c(&b, ": ", err));
        else
            RV_GO(rv_buf_add_byte(&b, (uint8_t)*p, err));
    }
    RV_GO(rv_arena_cstr(a, rv_buf_str(&b), out, err));
done:
    rv_buf_free(&b);
    return st;
}

static bool ends_all(const rv_error *why, rv_error *err)
{
    if (why->code != RV_E_MEMORY && why->code != RV_E_INTERRUPTED)
        return false;
    if (err)
        *err = *why;
    return true;
}

static rv_status report_fail(rv_doctoring *d, const char *name, const rv_error *why, rv_error *err)
{
    rv_doctor_check c = {.name = name, .kind = 'F', .code = why->code};
    const char *hint = why->hint[0] ? why->hint : advice(why->code);
    if (ends_all(why, err))
        return why->code;
    RV_TRY(one_line(d->arena, category(why->code), why->text, &c.detail, err));
    if (hint)
        RV_TRY(one_line(d->arena, NULL, hint, &c.hint, err));
    d->list[d->n++] = c;
    return RV_OK;
}

static void report(rv_doctoring *d, char kind, const char *name, const char *detail)
{
    d->list[d->n++] = (rv_doctor_check){.name = name, .kind = kind, .detail = detail};
}

/* ---- source ---- */

/* A file has no server; of a server people want to see which one answered, and how safely. */
static rv_status describe_server(rv_doctoring *d, const rv_source_info *info, const char *kind,
                                 rv_error *err)
{
    const rv_cfg_tls *tls = &d->cfg->source.tls;
    const char *detail, *text = info->tls;
    if (!text)
        return RV_OK;
    bool plain = strcmp(text, "off") == 0;
    RV_TRY(rv_arena_printf(d->arena, &detail, err, "%s %s, database %s, %s connection, %s%s",
                           source_label(d->cfg->source.engine),
                           info->version ? info->version : "of unknown version",
                           info->database ? info->database : "unknown", kind,
                           plain ? "no " : "encrypted by ", plain ? "TLS" : text));
    report(d, 'N', "Source server", detail);
    if (plain && !info->loopback && !(tls->written && tls->mode == RV_TLS_DISABLE))
        report(d, 'W', "Source TLS",
               "the connection to this remote server is not encrypted; set source.tls, or "
               "mode: disable to say that this is meant");
    return RV_OK;
}

static rv_status describe_source(rv_doctoring *d, const char *name, const rv_source_info *info,
                                 rv_error *err)
{
    const char *detail, *kind = info->connection ? info->connection : "direct";
    RV_TRY(rv_arena_printf(d->arena, &detail, err, "version %s, connection %s",
                           info->version ? info->version : "unknown", kind));
    report(d, 'O', name, detail);
    RV_TRY(describe_server(d, info, kind, err));
    if (strcmp(kind, "direct") != 0) {
        RV_TRY(rv_arena_printf(d->arena, &detail, err,
                               "the connection goes through a pooler or proxy (%s)", kind));
        report(d, 'N', "Source connection", detail);
    }
    if (info->single_backend_warning)
        report(d, 'W', "Source connection",
               "a pool of one backend would not be noticed: this is no proof of a direct one");
    return RV_OK;
}

static rv_status check_source(rv_doctoring *d, rv_error *err)
{
    const rv_cfg_source *cfg = &d->cfg->source;
    const rv_source_driver *sd = rv_source_for(cfg->engine);
    const char *name;
    rv_error why = {0};
    rv_source *source = NULL;
    int64_t now;
    RV_TRY(rv_arena_printf(d->arena, &name, err, "Source auth (%s)", source_label(cfg->engine)));
    if (!sd) {
        (void)rv_fail(&why, RV_E_CONFIG_UNSUPPORTED, "source type %s is not part of this build",
                      rv_engine_name(cfg->engine));
        return report_fail(d, name, &why, err);
    }
    rv_source_opts opts = {.cfg = cfg, .tuning = &d->cfg->exports[0].tuning};
    rv_status st = sd->open(d->env, &opts, &source, &why);
    if (st == RV_OK)
        st = sd->now(source, &now, &why);
    st = st == RV_OK ? describe_source(d, name, sd->info(source), err)
                     : report_fail(d, name, &why, err);
    if (source)
        sd->close(source);
    return st;
}

/* ---- destinations ---- */

typedef struct rv_place {
    const rv_cfg_dest *cfg;
    const char *path; /* what is probed */
} rv_place;

static rv_status place_of(rv_doctoring *d, const rv_cfg_export *x, rv_place *out, rv_error *err)
{
    const rv_cfg_dest *c = &x->dest;
    char date[16];
    const char *day;
    rv_date_utc(rv_env_now_us(d->env), date);
    RV_TRY(rv_arena_cstr(d->arena, rv_str_c(date), &day, err));
    rv_placeholders values = {.date = day,
                              .export_name = x->name,
                              .table = x->name,
                              .run_id = "rivet_doctor",
                              .partition = "rivet_doctor=1"};
    const char *pattern = c->kind == RV_DEST_LOCAL && c->path ? c->path : c->prefix;
    out->cfg = c;
    return rv_cfg_expand(pattern ? pattern : "", &values, d->arena, &out->path, err);
}

/* Components apart from the slashes between them: "a/b" and "a/b/" are one prefix. */
static bool same_path(const char *a, const char *b)
{
    if ((*a == '/') != (*b == '/'))
        return false;
    for (;;) {
        a += strspn(a, "/");
        b += strspn(b, "/");
        size_t n = strcspn(a, "/");
        if (n != strcspn(b, "/") || strncmp(a, b, n) != 0)
            return false;
        if (n == 0)
            return true;
        a += n;
        b += n;
    }
}

/* Where it is, and who one is there. */
static bool same_place(const rv_place *a, const rv_place *b)
{
    const rv_cfg_dest *x = a->cfg, *y = b->cfg;
    const struct {
        const char *x, *y;
    } facts[] = {{x->bucket, y->bucket},
                 {x->endpoint, y->endpoint},
                 {x->region, y->region},
                 {x->access_key_env, y->access_key_env},
                 {x->aws_profile, y->aws_profile},
                 {x->role_arn, y->role_arn},
                 {x->credentials_file, y->credentials_file},
                 {x->account_name, y->account_name},
                 {x->account_key_env, y->account_key_env},
                 {x->sas_token_env, y->sas_token_env},
                 {x->connection_string_env, y->connection_string_env},
                 {x->client_id, y->client_id}};
    bool same = x->kind == y->kind && x->allow_anonymous == y->allow_anonymous &&
                same_path(a->path, b->path);
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        same = same && rv_str_eq(rv_str_c(facts[i].x), rv_str_c(facts[i].y));
    return same;
}

static rv_status place_name(rv_doctoring *d, const rv_place *p, const char **out, rv_error *err)
{
    if (p->cfg->kind == RV_DEST_STDOUT) {
        *out = "Destination Stdout (streaming; no preflight needed)";
        return RV_OK;
    }
    const char *what = p->cfg->kind == RV_DEST_LOCAL ? p->path : p->cfg->bucket;
    return rv_arena_printf(d->arena, out, err, "Destination %s(%s)", dest_label(p->cfg->kind),
                           what ? what : "");
}

static rv_status probe(rv_doctoring *d, const rv_place *p, rv_probe *out, rv_error *why)
{
    const rv_dest_driver *dd = rv_dest_for(p->cfg->kind);
    rv_dest *dest = NULL;
    RV_TRY(dd->open(d->env, p->cfg, p->path, &dest, why));
    rv_status st = dd->probe(dest, out, why);
    dd->close(dest);
    return st;
}

/* The category, and below it what was said. */
static rv_status place_failed(rv_doctoring *d, const char *name, const rv_error *why, rv_error *err)
{
    rv_doctor_check c = {.name = name, .kind = 'F', .code = why->code};
    const char *word = category(why->code), *text;
    const char *hint = why->hint[0] ? why->hint : advice(why->code);
    if (ends_all(why, err))
        return why->code;
    RV_TRY(one_line(d->arena, NULL, why->text, &text, err));
    RV_TRY(rv_arena_printf(d->arena, &c.detail, err, "%s\n%s", word ? word : "error", text));
    if (hint)
        RV_TRY(one_line(d->arena, NULL, hint, &c.hint, err));
    d->list[d->n++] = c;
    return RV_OK;
}

static rv_status place_probed(rv_doctoring *d, const rv_place *p, const char *name,
                              const rv_probe *found, rv_error *err)
{
    const char *detail = NULL;
    if (found->detail[0])
        RV_TRY(rv_arena_cstr(d->arena, rv_str_c(found->detail), &detail, err));
    report(d, 'O', name, detail);
    if (detail && p->cfg->kind != RV_DEST_LOCAL) /* whose credentials, which conditions */
        report(d, 'N', name, detail);
    for (size_t i = 0; i < found->n_warnings; i++) {
        RV_TRY(one_line(d->arena, NULL, found->warnings[i], &detail, err));
        report(d, 'W', name, detail);
    }
    return RV_OK;
}

static rv_status check_place(rv_doctoring *d, const rv_place *p, rv_error *err)
{
    const char *name;
    rv_error why = {0};
    rv_probe found = {.detail = ""};
    RV_TRY(place_name(d, p, &name, err));
    if (p->cfg->kind == RV_DEST_STDOUT) {
        report(d, 'O', name, NULL);
        return RV_OK;
    }
    if (probe(d, p, &found, &why) != RV_OK)
        return place_failed(d, name, &why, err);
    return place_probed(d, p, name, &found, err);
}

static rv_status check_destinations(rv_doctoring *d, rv_error *err)
{
    rv_place *places;
    size_t n = 0;
    RV_TRY(rv_arena_array(d->arena, d->cfg->n_exports, sizeof *places, &places, err));
    for (size_t i = 0; i < d->cfg->n_exports; i++) {
        bool seen = false;
        RV_TRY(place_of(d, &d->cfg->exports[i], &places[n], err));
        for (size_t k = 0; k < n && !seen; k++)
            seen = same_place(&places[k], &places[n]);
        if (seen)
            continue;
        RV_TRY(rv_cancel_check(d->env->cancel, err));
        RV_TRY(check_place(d, &places[n++], err));
    }
    return RV_OK;
}

/* ---- state ---- */

/* No state yet: the first run must be able to create it; doctor does not. */
static rv_status fresh_state(rv_doctoring *d, rv_error *err)
{
    const char *name;
    rv_error why = {0};
    const char *url = rv_env_get(d->env, "RIVET_STATE_URL");
    if (!(url && *url) && access(d->cfg->dir, W_OK | X_OK) != 0) {
        (void)rv_fail_errno(&why, RV_E_IO, errno, "'%s' is not writable", d->cfg->dir);
        rv_hint(&why, "the state lies beside the config: allow writing there, or set "
                      "RIVET_STATE_URL");
        return report_fail(d, "State", &why, err);
    }
    RV_TRY(rv_arena_printf(d->arena, &name, err, "State (%s, schema v%d)", rv_state_kind(url),
                           RV_STATE_SCHEMA_VERSION));
    report(d, 'O', name, "created by the first run");
    return RV_OK;
}

static rv_status check_state(rv_doctoring *d, rv_error *err)
{
    rv_state *state = NULL;
    const char *name;
    rv_error why = {0};
    if (rv_engine_state(d->env, d->cfg, true, &state, &why) != RV_OK)
        return report_fail(d, "State", &why, err);
    if (!state)
        return fresh_state(d, err);
    rv_status st = rv_arena_printf(d->arena, &name, err, "State (%s)", rv_state_label(state));
    rv_state_close(state);
    if (st == RV_OK)
        report(d, 'O', name, NULL);
    return st;
}

rv_status rv_engine_doctor(const rv_env *env, const rv_cfg *cfg, rv_arena *arena,
                           rv_doctor_check **out, size_t *out_n, rv_error *err)
{
    rv_doctoring d = {.env = env, .cfg = cfg, .arena = arena};
    /* source and four notes, destinations with a note and warnings each, state */
    size_t most = 6 + cfg->n_exports * (2 + RV_PROBE_WARNINGS_MAX);
    RV_TRY(rv_arena_array(arena, most, sizeof *d.list, &d.list, err));
    RV_TRY(check_source(&d, err));
    RV_TRY(check_destinations(&d, err));
    RV_TRY(check_state(&d, err));
    *out = d.list;
    *out_n = d.n;
    return RV_OK;
}
