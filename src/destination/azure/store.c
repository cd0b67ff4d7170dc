#include "base/mem.h"
#include "destination/azure/azure_internal.h"

static void azure_close(rv_store *s)
{
    if (!s)
        return;
    rv_oauth_close(s->oauth);
    if (s->key.ptr)
        explicit_bzero(s->key.ptr, s->key.cap);
    rv_buf_free(&s->key);
    rv_arena_free(&s->arena);
    rv_free(s);
}

static rv_status fill(rv_store *s, const rv_env *env, const rv_cfg_dest *cfg, rv_error *err)
{
    s->env = env;
    s->account = s->written = "";
    s->described = "none";
    s->rules.env = env;
    s->rules.store = s;
    s->rules.authorize = rv_azure_authorize;
    s->rules.judge = rv_azure_judge;
    RV_TRY(rv_arena_cstr(&s->arena, rv_str_c(cfg->bucket), &s->container, err));
    RV_TRY(rv_arena_printf(&s->arena, &s->uri, err, "az://%s", cfg->bucket));
    if (cfg->storage_class)
        RV_TRY(rv_arena_cstr(&s->arena, rv_str_c(cfg->storage_class), &s->tier, err));
    if (cfg->encryption_scope)
        RV_TRY(rv_arena_cstr(&s->arena, rv_str_c(cfg->encryption_scope), &s->scope, err));
    return rv_azure_resolve(s, cfg, err);
}

static rv_status azure_open(const rv_env *env, const rv_cfg_dest *cfg, rv_store **out,
                            rv_error *err)
{
    rv_store *s = rv_calloc(1, sizeof *s);
    if (!s)
        return rv_fail_memory(err);
    rv_status st = fill(s, env, cfg, err);
    if (st != RV_OK) {
        azure_close(s);
        return st;
    }
    *out = s;
    return RV_OK;
}

static const char *azure_uri(const rv_store *s)
{
    return s->uri;
}

static void azure_facts(const rv_store *s, const char **endpoint, const char **bucket)
{
    *endpoint = s->written;
    *bucket = s->container;
}

static bool azure_doubtful(const rv_store *s)
{
    (void)s;
    return false;
}

static rv_status azure_credentials(rv_store *s, rv_http *h, rv_buf *out, rv_error *err)
{
    if (s->oauth)
        RV_TRY(rv_oauth_check(s->oauth, h, err));
    return rv_buf_add_c(out, s->described, err);
}

static void azure_set_tries(rv_store *s, unsigned tries)
{
    atomic_store(&s->rules.tries, tries);
}

static uint64_t azure_retries(const rv_store *s)
{
    return atomic_load(&s->rules.retries);
}

const rv_store_ops rv_store_azure = {.kind = RV_DEST_AZURE,
                                     .limits = {.part_least = 1,
                                                .part_most = (uint64_t)4000 << 20,
                                                .part_multiple = 1,
                                                .parts_most = 50000,
                                                .parallel = true},
                                     .open = azure_open,
                                     .close = azure_close,
                                     .uri = azure_uri,
                                     .facts = azure_facts,
                                     .doubtful = azure_doubtful,
                                     .credentials = azure_credentials,
                                     .set_tries = azure_set_tries,
                                     .retries = azure_retries,
                                     .put = rv_azure_put,
                                     .head = rv_azure_head,
                                     .get = rv_azure_get,
                                     .list = rv_azure_list,
                                     .remove = rv_azure_remove,
                                     .copy = rv_azure_copy,
                                     .upload_begin = rv_azure_upload_begin,
                                     .upload_part = rv_azure_upload_part,
                                     .upload_finish = rv_azure_upload_finish,
                                     .upload_abort = rv_azure_upload_abort};
