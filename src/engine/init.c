#include <string.h>

#include "config/url.h"
#include "destination/destination.h"
#include "engine/init_internal.h"

/* ---- flags that exclude each other ---- */

static rv_dest_kind dest_kind(const rv_init_opts *o, unsigned *out_providers)
{
    bool gcs = o->gcs_bucket || o->gcs_credentials_file;
    bool s3 = o->s3_bucket || o->s3_region;
    bool azure = o->azure_container || o->azure_account;
    *out_providers = (unsigned)gcs + (unsigned)s3 + (unsigned)azure;
    return gcs ? RV_DEST_GCS : s3 ? RV_DEST_S3 : azure ? RV_DEST_AZURE : RV_DEST_LOCAL;
}

static rv_status check_flags(const rv_init_opts *o, bool discover, rv_error *err)
{
    unsigned providers;
    int sources = (o->source_url != NULL) + (o->source_env != NULL) + (o->source_file != NULL);
    rv_dest_kind kind = dest_kind(o, &providers);
    if (sources != 1)
        return rv_fail(err, RV_E_USAGE,
                       "init needs exactly one of --source, --source-env and --source-file");
    if (providers > 1)
        return rv_fail(err, RV_E_USAGE, "init writes one destination: name one provider only");
    if (providers && discover)
        return rv_fail(err, RV_E_USAGE, "--discover excludes the bucket flags");
    if ((kind == RV_DEST_GCS && !o->gcs_bucket) || (kind == RV_DEST_S3 && !o->s3_bucket) ||
        (kind == RV_DEST_AZURE && !o->azure_container))
        return rv_fail(err, RV_E_USAGE, "the destination lacks its bucket or container");
    if (o->tls_ca && (!o->tls_mode || strncmp(o->tls_mode, "verify-", 7) != 0))
        return rv_fail(err, RV_E_USAGE, "--tls-ca needs --tls verify-ca or verify-full");
    return RV_OK;
}

/* ---- source ---- */

static rv_status directory_of(const char *file, const char *cwd, rv_arena *a, const char **out,
                              rv_error *err)
{
    const char *slash = file ? strrchr(file, '/') : NULL;
    if (!slash)
        return rv_arena_cstr(a, rv_str_c(cwd), out, err);
    size_t len = slash == file ? 1 : (size_t)(slash - file);
    if (file[0] == '/')
        return rv_arena_cstr(a, (rv_str){file, len}, out, err);
    return rv_arena_printf(a, out, err, "%s/%.*s", cwd, (int)len, file);
}

/* The config will be read from its own directory: what counts from here is written absolute when
 * that is another one. */
static rv_status place_file(const rv_initing *in, const char *given, const char **out_written,
                            const char **out_absolute, rv_error *err)
{
    const rv_init_opts *o = in->opts;
    *out_absolute = given;
    if (given[0] != '/')
        RV_TRY(rv_arena_printf(in->arena, out_absolute, err, "%s/%s", o->cwd, given));
    bool same = strcmp(in->source.config_dir, o->cwd) == 0;
    *out_written = same ? given : *out_absolute;
    return RV_OK;
}

/* What is written out is also what the probe connects with. */
static rv_status place_tls(rv_initing *in, rv_error *err)
{
    static const char *const modes[] = {[RV_TLS_DISABLE] = "disable",
                                        [RV_TLS_PREFER] = "prefer",
                                        [RV_TLS_REQUIRE] = "require",
                                        [RV_TLS_VERIFY_CA] = "verify-ca",
                                        [RV_TLS_VERIFY_FULL] = "verify-full"};
    const rv_init_opts *o = in->opts;
    rv_cfg_tls *tls = &in->source.tls;
    if (!o->tls_mode)
        return RV_OK;
    for (rv_tls_mode m = RV_TLS_DISABLE; m <= RV_TLS_VERIFY_FULL; m++)
        if (strcmp(o->tls_mode, modes[m]) == 0)
            tls->mode = m;
    if (tls->mode == RV_TLS_UNSET)
        return rv_fail(err, RV_E_USAGE, "'%s' is no TLS mode", o->tls_mode);
    tls->written = true;
    return o->tls_ca ? place_file(in, o->tls_ca, &in->tls_ca, &tls->ca_file, err) : RV_OK;
}

/* The scheme tells the engine. */
static rv_status find_engine(rv_initing *in, rv_error *err)
{
    static const rv_engine engines[] = {RV_ENGINE_SQLITE, RV_ENGINE_POSTGRES, RV_ENGINE_MYSQL,
                                        RV_ENGINE_MSSQL};
    rv_error why = {0};
    const char *url;
    for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++) {
        in->source.engine = engines[i];
        rv_error_clear(&why);
        rv_status st = rv_source_url(in->env, &in->source, in->arena, &url, &why);
        if (st == RV_OK)
            return RV_OK;
        if (st == RV_E_CONFIG_SCHEME)
            continue;
        if (err)
            *err = why;
        return st;
    }
    rv_status st = rv_fail(err, RV_E_CONFIG_SCHEME, "the source URL names no engine Rivet knows");
    rv_hint(err, "use sqlite:, postgresql:, mysql: or sqlserver:");
    return st;
}

static rv_status open_source(rv_initing *in, rv_source **out, rv_error *err)
{
    static const rv_cfg_tuning tuning = {.profile = RV_BALANCED,
                                         .statement_timeout_s = 300,
                                         .lock_timeout_s = 30,
                                         .max_value_mb = 256};
    const rv_init_opts *o = in->opts;
    in->source.url = o->source_url;
    in->source.url_env = o->source_env;
    RV_TRY(directory_of(o->output_file, o->cwd, in->arena, &in->source.config_dir, err));
    if (o->source_file)
        RV_TRY(place_file(in, o->source_file, &in->url_file, &in->source.url_file, err));
    RV_TRY(place_tls(in, err));
    RV_TRY(find_engine(in, err));
    in->driver = rv_source_for(in->source.engine);
    if (!in->driver)
        return rv_fail(err, RV_E_CONFIG_UNSUPPORTED, "source type %s is not part of this build",
                       rv_engine_name(in->source.engine));
    rv_source_opts opts = {.cfg = &in->source, .tuning = &tuning, .export_name = "init"};
    return in->driver->open(in->env, &opts, out, err);
}

/* MySQL's schemas are databases, and the connection has chosen one: another would be read by a
 * config whose URL names this one. */
static rv_status place_database(rv_initing *in, rv_source *s, rv_error *err)
{
    const char *database = in->driver->info(s)->database, *schema = in->opts->schema;
    if (in->source.engine != RV_ENGINE_MYSQL || !database || !database[0])
        return RV_OK;
    if (schema && strcmp(schema, database) != 0) {
        rv_status st = rv_fail(err, RV_E_USAGE, "--schema %s: the source URL names database %s",
                               schema, database);
        rv_hint(err, "put the database into the URL, or leave --schema out");
        return st;
    }
    in->database = database;
    return RV_OK;
}

/* ---- tables ---- */

/* '*' any run, '?' any byte; ASCII case counts. */
static bool glob(const char *pattern, const char *text)
{
    const char *star = NULL, *retry = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = pattern++;
            retry = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == 0;
}

static bool matches_any(const char *const *globs, size_t n, const rv_catalog_table *t)
{
    for (size_t i = 0; i < n; i++)
        if (glob(globs[i], t->name))
            return true;
    return false;
}

static size_t filter(const rv_init_opts *o, rv_catalog_table *tables, size_t n)
{
    size_t kept = 0;
    if (o->table)
        return n;
    for (size_t i = 0; i < n; i++)
        if ((o->n_include == 0 || matches_any(o->include, o->n_include, &tables[i])) &&
            !matches_any(o->exclude, o->n_exclude, &tables[i]))
            tables[kept++] = tables[i];
    return kept;
}

/* "s.t" names a schema only when no table is called that. */
static rv_status read_catalog(rv_initing *in, rv_source *s, rv_catalog_table **out, size_t *out_n,
                              rv_error *err)
{
    const rv_init_opts *o = in->opts;
    const char *dot = o->table ? strchr(o->table, '.') : NULL, *schema;
    RV_TRY(in->driver->catalog(s, o->schema, o->table, in->arena, out, out_n, err));
    if (*out_n || !dot || o->schema)
        return RV_OK;
    RV_TRY(rv_arena_cstr(in->arena, (rv_str){o->table, (size_t)(dot - o->table)}, &schema, err));
    return in->driver->catalog(s, schema, dot + 1, in->arena, out, out_n, err);
}

static rv_status none_found(rv_initing *in, rv_source *s, rv_error *err)
{
    const rv_init_opts *o = in->opts;
    rv_catalog_table *all;
    const char **names;
    size_t n = 0;
    if (!o->table)
        return rv_fail(err, RV_E_SOURCE_MISSING, "no table or view matches%s%s",
                       o->schema ? " in schema " : "", o->schema ? o->schema : "");
    RV_TRY(in->driver->catalog(s, o->schema, NULL, in->arena, &all, &n, err));
    RV_TRY(rv_arena_array(in->arena, n + 1, sizeof *names, &names, err));
    for (size_t i = 0; i < n; i++)
        names[i] = all[i].name;
    rv_status st = rv_fail(err, RV_E_SOURCE_MISSING, "table '%s' does not exist", o->table);
    int guess = rv_suggest(rv_str_c(o->table), names, n);
    if (guess >= 0)
        rv_hint(err, "did you mean '%s'?", names[guess]);
    return st;
}

/* ---- notes ---- */

static rv_status add_notes(rv_initing *in, bool discover, rv_buf *notes, rv_error *err)
{
    const rv_init_opts *o = in->opts;
    if (o->source_url && !discover)
        RV_TRY(rv_buf_add_c(notes,
                            "note: the config reads DATABASE_URL; set it to the source URL before "
                            "a run\n",
                            err));
    if (in->n_review && !discover)
        RV_TRY(rv_buf_printf(notes, err,
                             "note: %zu column(s) of unconstrained numeric were declared "
                             "decimal(38,18); review the lines marked REVIEW\n",
                             in->n_review));
    if (in->n_text && !discover)
        RV_TRY(rv_buf_printf(notes, err,
                             "note: %zu column(s) without a lossless type were declared text; "
                             "review the lines marked REVIEW\n",
                             in->n_text));
    if (o->tls_mode && in->source.engine == RV_ENGINE_SQLITE)
        RV_TRY(rv_buf_add_c(notes, "note: --tls does not apply to sqlite and was left out\n", err));
    return RV_OK;
}

static rv_status scaffold(rv_initing *in, rv_source *s, bool discover, rv_buf *out, rv_error *err)
{
    rv_catalog_table *tables = NULL;
    size_t n = 0;
    RV_TRY(read_catalog(in, s, &tables, &n, err));
    n = filter(in->opts, tables, n);
    if (n == 0)
        return none_found(in, s, err);
    RV_TRY(rv_init_plan_all(in, tables, n, err));
    return discover ? rv_init_discover(in, out, err) : rv_init_yaml(in, out, err);
}

rv_status rv_engine_init(const rv_env *env, const rv_init_opts *opts, bool discover, rv_buf *out,
                         rv_buf *notes, rv_error *err)
{
    rv_arena arena = RV_ARENA_INIT;
    rv_initing in = {.env = env, .opts = opts, .arena = &arena};
    rv_source *s = NULL;
    size_t before = out->len, notes_before = notes->len;
    rv_status st;
    RV_GO(check_flags(opts, discover, err));
    RV_GO(open_source(&in, &s, err));
    RV_GO(place_database(&in, s, err));
    RV_GO(scaffold(&in, s, discover, out, err));
    RV_GO(add_notes(&in, discover, notes, err));
done:
    if (st != RV_OK) {
        out->len = before;
        notes->len = notes_before;
    }
    if (s)
        in.driver->close(s);
    rv_arena_free(&arena);
    return st;
}
