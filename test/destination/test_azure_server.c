/* The Azure store against a server that verifies signatures: RIVET_TEST_AZURE holds JSON with
 * endpoint, account, key and container. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/store.h"
#include "rvtest.h"

typedef struct fixture {
    json_t *facts;
    rv_env env;
    char tmp[32];
    rv_error err;
    char connection[512];
} fixture;

static const char *fact(const fixture *f, const char *name)
{
    const char *text = json_string_value(json_object_get(f->facts, name));
    return text ? text : "";
}

static const char *read_env(void *ctx, const char *name)
{
    const fixture *f = ctx;
    if (strcmp(name, "AZ_KEY") == 0)
        return fact(f, "key");
    if (strcmp(name, "AZ_WRONG") == 0)
        return "d3Jvbmc=";
    return strcmp(name, "AZ_CONNECTION") == 0 ? f->connection : NULL;
}

static bool begin(fixture *f)
{
    const char *text = getenv("RIVET_TEST_AZURE");
    *f = (fixture){.facts = text ? json_loads(text, 0, NULL) : NULL};
    f->env.getenv = read_env;
    f->env.getenv_ctx = f;
    (void)snprintf(f->connection, sizeof f->connection,
                   "DefaultEndpointsProtocol=http;AccountName=%s;AccountKey=%s;BlobEndpoint=%s/;",
                   fact(f, "account"), fact(f, "key"), fact(f, "endpoint"));
    return f->facts != NULL;
}

static rv_store *open_with(fixture *f, rv_cfg_dest cfg)
{
    rv_store *s = NULL;
    cfg.kind = RV_DEST_AZURE;
    CHECK_EQ(rv_store_azure.open(&f->env, &cfg, &s, &f->err), RV_OK);
    return s;
}

static rv_store *open_keyed(void *ctx, const char *bucket)
{
    fixture *f = ctx;
    return open_with(f, (rv_cfg_dest){.bucket = bucket ? bucket : fact(f, "container"),
                                      .endpoint = fact(f, "endpoint"),
                                      .account_name = fact(f, "account"),
                                      .account_key_env = "AZ_KEY"});
}

RV_TEST(what_a_store_must_do)
{
    fixture f;
    if (!begin(&f))
        SKIP("RIVET_TEST_AZURE is not set: no Azure server");
    const store_fixture sf = {.ops = &rv_store_azure, .env = &f.env, .open = open_keyed, .ctx = &f};
    conformance_store(&sf);
    json_decref(f.facts);
}

static rv_status look(fixture *f, rv_store *s)
{
    rv_http *h = NULL;
    rv_object_list l = {0};
    rv_buf token = RV_BUF_INIT;
    rv_store_page page = {&l, &token};
    rv_status st = rv_http_open(&f->env, NULL, &h, &f->err);
    if (st == RV_OK)
        st = rv_store_azure.list(s, h, "no/such/", &page, &f->err);
    CHECK_EQ(l.n, 0);
    rv_http_close(h);
    rv_buf_free(&token);
    rv_object_list_free(&l);
    rv_store_azure.close(s);
    return st;
}

RV_TEST(the_protocol_above_it)
{
    fixture f;
    char command[64];
    if (!begin(&f))
        SKIP("RIVET_TEST_AZURE is not set: no Azure server");
    const rv_cfg_dest cfg = {.kind = RV_DEST_AZURE,
                             .bucket = fact(&f, "container"),
                             .endpoint = fact(&f, "endpoint"),
                             .account_name = fact(&f, "account"),
                             .account_key_env = "AZ_KEY",
                             .upload_part_mb = 16,
                             .upload_parallel = 2};
    const store_fixture sf = {.ops = &rv_store_azure,
                              .env = &f.env,
                              .open = open_keyed,
                              .ctx = &f,
                              .driver = &rv_dest_azure,
                              .cfg = &cfg};
    REQUIRE(mkdtemp(strcpy(f.tmp, "/tmp/rvazureXXXXXX")) != NULL);
    f.env.tmp_dir = f.tmp;
    conformance_store_protocol(&sf);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", f.tmp);
    CHECK_EQ(system(command), 0);
    json_decref(f.facts);
}

RV_TEST(credentials_of_a_server)
{
    fixture f;
    if (!begin(&f))
        SKIP("RIVET_TEST_AZURE is not set: no Azure server");
    const char *container = fact(&f, "container");
    CHECK_EQ(look(&f, open_with(&f, (rv_cfg_dest){.bucket = container,
                                                  .connection_string_env = "AZ_CONNECTION"})),
             RV_OK);
    /* the account's name is in the path of the endpoint */
    CHECK_EQ(look(&f, open_with(&f, (rv_cfg_dest){.bucket = container,
                                                  .endpoint = fact(&f, "endpoint"),
                                                  .account_key_env = "AZ_KEY"})),
             RV_OK);
    CHECK_EQ(look(&f, open_with(&f, (rv_cfg_dest){.bucket = container,
                                                  .endpoint = fact(&f, "endpoint"),
                                                  .account_key_env = "AZ_WRONG"})),
             RV_E_DEST_AUTH);
    CHECK(strstr(f.err.text, "Server failed to authenticate") != NULL);
    CHECK(strstr(f.err.text, "d3Jvbmc") == NULL);
    json_decref(f.facts);
}

RV_TEST_MAIN(RV_CASE(what_a_store_must_do), RV_CASE(the_protocol_above_it),
             RV_CASE(credentials_of_a_server))
