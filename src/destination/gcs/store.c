#include "base/mem.h"
#include "destination/gcs/gcs_internal.h"

static void gcs_close(rv_store *s)
{
    if (!s)
        return;
    rv_oauth_close(s->oauth);
    rv_arena_free(&s->arena);
    rv_free(s);
}

static rv_status fill(rv_store *s, const rv_env *env, const rv_cfg_dest *cfg, rv_error *err)
{
    s->env = env;
    s->written = "";
    s->described = "none";
    s->rules.env = env;
    s->rules.store = s;
    s->rules.authorize = rv_gcs_authorize;
    s->rules.judge = rv_gcs_judge;
    RV_TRY(rv_arena_cstr(&s->arena, rv_str_c(cfg->bucket), &s->bucket, err));
    RV_TRY(rv_arena_printf(&s->arena, &s->uri, err, "gs://%s", cfg->bucket));
    if (cfg->storage_class)
        RV_TRY(rv_arena_cstr(&s->arena, rv_str_c(cfg->storage_class), &s->storage_class, err));
    if (cfg->kms_key_name)
        RV_TRY(rv_arena_cstr(&s->arena, rv_str_c(cfg->kms_key_name), &s->kms_key, err));
    return rv_gcs_resolve(s, cfg, err);
}

static rv_status gcs_open(const rv_env *env, const rv_cfg_dest *cfg, rv_store **out, rv_error *err)
{
    rv_store *s = rv_calloc(1, sizeof *s);
    if (!s)
        return rv_fail_memory(err);
    rv_status st = fill(s, env, cfg, err);
    if (st != RV_OK) {
        gcs_close(s);
        return st;
    }
    *out = s;
    return RV_OK;
}

static const char *gcs_uri(const rv_store *s)
{
    return s->uri;
}

static void gcs_facts(const rv_store *s, const char **endpoint, const char **bucket)
{
    *endpoint = s->written;
    *bucket = s->bucket;
}

static bool gcs_doubtful(const rv_store *s)
{
    (void)s;
    return false;
}

static rv_status gcs_credentials(rv_store *s, rv_http *h, rv_buf *out, rv_error *err)
{
    if (s->oauth)
        RV_TRY(rv_oauth_check(s->oauth, h, err));
    return rv_buf_add_c(out, s->described, err);
}

static void gcs_set_tries(rv_store *s, unsigned tries)
{
    atomic_store(&s->rules.tries, tries);
}

static uint64_t gcs_retries(const rv_store *s)
{
    return atomic_load(&s->rules.retries);
}

const rv_store_ops rv_store_gcs = {.kind = RV_DEST_GCS,
                                   .limits = {.part_least = RV_GCS_GRAIN,
                                              .part_most = (uint64_t)1 << 40,
                                              .part_multiple = RV_GCS_GRAIN,
                                              .parts_most = UINT64_MAX,
                                              .parallel = false},
                                   .open = gcs_open,
                                   .close = gcs_close,
                                   .uri = gcs_uri,
                                   .facts = gcs_facts,
                                   .doubtful = gcs_doubtful,
                                   .credentials = gcs_credentials,
                                   .set_tries = gcs_set_tries,
                                   .retries = gcs_retries,
                                   .put = rv_gcs_put,
                                   .head = rv_gcs_head,
                                   .get = rv_gcs_get,
                                   .list = rv_gcs_list,
                                   .remove = rv_gcs_remove,
                                   .copy = rv_gcs_copy,
                                   .upload_begin = rv_gcs_upload_begin,
                                   .upload_part = rv_gcs_upload_part,
                                   .upload_finish = rv_gcs_upload_finish,
                                   .upload_abort = rv_gcs_upload_abort};
