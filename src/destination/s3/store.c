/* Amazon S3 and compatibles: the store that cloud/ drives. */
#include <stdio.h>

#include "base/mem.h"
#include "destination/s3/s3_internal.h"

static void s3_close(rv_store *s)
{
    if (!s)
        return;
    rv_s3_creds_close(s->creds);
    (void)pthread_mutex_destroy(&s->lock);
    rv_arena_free(&s->arena);
    rv_free(s);
}

static rv_status keep(rv_store *s, const char *from, const char **into, rv_error *err)
{
    return from ? rv_arena_cstr(&s->arena, rv_str_c(from), into, err) : RV_OK;
}

static rv_status read_place(rv_store *s, const rv_cfg_dest *cfg, rv_error *err)
{
    rv_buf base = RV_BUF_INIT;
    const char *endpoint = "";
    rv_status st = RV_OK;
    s->endpoint = "";
    if (cfg->endpoint && cfg->endpoint[0]) {
        RV_GO(keep(s, cfg->endpoint, &s->endpoint, err));
        RV_GO(rv_store_endpoint(s->env, cfg, cfg->endpoint, &base, err));
        endpoint = rv_buf_cstr(&base);
        if (!endpoint)
            RV_GO(rv_fail_memory(err));
    }
    RV_GO(rv_s3_address_read(cfg, endpoint, &s->arena, &s->address, err));
    st = rv_arena_printf(&s->arena, &s->uri, err, "s3://%s", s->address.bucket);
done:
    rv_buf_free(&base);
    return st;
}

static rv_status read_object_options(rv_store *s, const rv_cfg_dest *cfg, rv_error *err)
{
    if (cfg->sse && strcmp(cfg->sse, "none") != 0)
        RV_TRY(keep(s, cfg->sse, &s->sse, err));
    RV_TRY(keep(s, cfg->kms_key_id, &s->kms_key_id, err));
    s->sse_bucket_key = cfg->sse_bucket_key;
    if (s->sse && strcmp(s->sse, "kms") == 0)
        atomic_store(&s->listing, RV_S3_LISTING_KMS);
    return keep(s, cfg->storage_class, &s->storage_class, err);
}

static bool is_region(const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9') ||
              text[i] == '-' || text[i] == '_'))
            return false;
    return n > 0 && n < RV_S3_REGION_SIZE;
}

/* Without a signature a region only finds the host, and any host says where the bucket is. */
static rv_status read_region(rv_store *s, const rv_cfg_dest *cfg, rv_error *err)
{
    const char *region = cfg->region;
    if (!region || !region[0])
        RV_TRY(rv_s3_region_find(s->env, cfg, &s->arena, &region, err));
    if (!region && cfg->allow_anonymous)
        region = "us-east-1";
    if (!region) /* asked for by the first request, unless nobody may be asked */
        return rv_s3_instance_off(s->env) ? rv_s3_region_fetch(s->env, s->region, err) : RV_OK;
    if (!is_region(region))
        return rv_fail(err, RV_E_CONFIG_DESTINATION, "'%s' is not the name of a region", region);
    (void)snprintf(s->region, sizeof s->region, "%s", region);
    return RV_OK;
}

static rv_status s3_open(const rv_env *env, const rv_cfg_dest *cfg, rv_store **out, rv_error *err)
{
    rv_store *s = rv_calloc(1, sizeof *s);
    rv_status st;
    if (!s)
        return rv_fail_memory(err);
    s->env = env;
    rv_s3_rules_init(s);
    if (pthread_mutex_init(&s->lock, NULL) != 0) {
        rv_free(s);
        return rv_fail_memory(err);
    }
    RV_GO(read_place(s, cfg, err));
    RV_GO(read_object_options(s, cfg, err));
    if (!cfg->allow_anonymous)
        RV_GO(rv_s3_creds_open(env, cfg, &s->creds, err));
    RV_GO(read_region(s, cfg, err));
    *out = s;
done:
    if (st != RV_OK)
        s3_close(s);
    return st;
}

static const char *s3_uri(const rv_store *s)
{
    return s->uri;
}

static void s3_facts(const rv_store *s, const char **endpoint, const char **bucket)
{
    *endpoint = s->endpoint;
    *bucket = s->address.bucket;
}

static bool s3_doubtful(const rv_store *s)
{
    return !s->address.aws;
}

static rv_status s3_credentials(rv_store *s, rv_http *h, rv_buf *out, rv_error *err)
{
    rv_s3_keys *keys = NULL;
    char region[RV_S3_REGION_SIZE];
    (void)h;
    if (!s->creds)
        return rv_buf_add_c(out, "none (allow_anonymous)", err);
    RV_TRY(rv_s3_know_region(s, region, err));
    RV_TRY(rv_s3_creds_take(s->creds, region, &keys, err));
    rv_s3_keys_drop(keys);
    return rv_buf_add_c(out, rv_s3_creds_where(s->creds), err);
}

static void s3_set_tries(rv_store *s, unsigned tries)
{
    atomic_store(&s->rules.tries, tries);
}

static uint64_t s3_retries(const rv_store *s)
{
    return atomic_load(&s->rules.retries);
}

const rv_store_ops rv_store_s3 = {.kind = RV_DEST_S3,
                                  .limits = {.part_least = (uint64_t)5 << 20,
                                             .part_most = (uint64_t)5 << 30,
                                             .part_multiple = 1,
                                             .parts_most = 10000,
                                             .parallel = true},
                                  .open = s3_open,
                                  .close = s3_close,
                                  .uri = s3_uri,
                                  .facts = s3_facts,
                                  .doubtful = s3_doubtful,
                                  .credentials = s3_credentials,
                                  .set_tries = s3_set_tries,
                                  .retries = s3_retries,
                                  .put = rv_s3_put,
                                  .head = rv_s3_head,
                                  .get = rv_s3_get,
                                  .list = rv_s3_list,
                                  .remove = rv_s3_remove,
                                  .copy = rv_s3_copy,
                                  .upload_begin = rv_s3_upload_begin,
                                  .upload_part = rv_s3_upload_part,
                                  .upload_finish = rv_s3_upload_finish,
                                  .upload_abort = rv_s3_upload_abort};
