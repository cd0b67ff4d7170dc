/* The GCS store against a server: RIVET_TEST_GCS holds JSON with endpoint, bucket and, when the
 * server looks at credentials, credentials_file. */
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
} fixture;

static const char *fact(const fixture *f, const char *name)
{
    return json_string_value(json_object_get(f->facts, name));
}

static const char *read_env(void *ctx, const char *name)
{
    const fixture *f = ctx;
    return strcmp(name, "GCE_METADATA_HOST") == 0 ? fact(f, "metadata_host") : NULL;
}

static bool begin(fixture *f)
{
    const char *text = getenv("RIVET_TEST_GCS");
    *f = (fixture){.facts = text ? json_loads(text, 0, NULL) : NULL};
    f->env.getenv = read_env;
    f->env.getenv_ctx = f;
    return f->facts != NULL;
}

static rv_store *open_file(void *ctx, const char *bucket)
{
    fixture *f = ctx;
    rv_store *s = NULL;
    const rv_cfg_dest cfg = {.kind = RV_DEST_GCS,
                             .bucket = bucket ? bucket : fact(f, "bucket"),
                             .endpoint = fact(f, "endpoint"),
                             .credentials_file = fact(f, "credentials_file"),
                             .allow_anonymous = !fact(f, "credentials_file")};
    CHECK_EQ(rv_store_gcs.open(&f->env, &cfg, &s, &f->err), RV_OK);
    return s;
}

RV_TEST(what_a_store_must_do)
{
    fixture f;
    if (!begin(&f))
        SKIP("RIVET_TEST_GCS is not set: no GCS server");
    const store_fixture sf = {.ops = &rv_store_gcs, .env = &f.env, .open = open_file, .ctx = &f};
    conformance_store(&sf);
    json_decref(f.facts);
}

RV_TEST(the_protocol_above_it)
{
    fixture f;
    char command[64];
    if (!begin(&f))
        SKIP("RIVET_TEST_GCS is not set: no GCS server");
    const rv_cfg_dest cfg = {.kind = RV_DEST_GCS,
                             .bucket = fact(&f, "bucket"),
                             .endpoint = fact(&f, "endpoint"),
                             .credentials_file = fact(&f, "credentials_file"),
                             .allow_anonymous = !fact(&f, "credentials_file"),
                             .upload_part_mb = 16,
                             .upload_parallel = 2};
    const store_fixture sf = {.ops = &rv_store_gcs,
                              .env = &f.env,
                              .open = open_file,
                              .ctx = &f,
                              .driver = &rv_dest_gcs,
                              .cfg = &cfg};
    REQUIRE(mkdtemp(strcpy(f.tmp, "/tmp/rvgcsXXXXXX")) != NULL);
    f.env.tmp_dir = f.tmp;
    conformance_store_protocol(&sf);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", f.tmp);
    CHECK_EQ(system(command), 0);
    json_decref(f.facts);
}

RV_TEST(credentials_of_the_machine)
{
    fixture f;
    rv_http *h = NULL;
    rv_store *s = NULL;
    rv_object o;
    rv_buf text = RV_BUF_INIT;
    rv_store_outcome out = RV_STORE_DONE;
    bool there = begin(&f) && fact(&f, "metadata_host");
    if (!there)
        json_decref(f.facts);
    if (!there)
        SKIP("RIVET_TEST_GCS with a metadata_host is not set: no metadata server");
    const rv_cfg_dest cfg = {
        .kind = RV_DEST_GCS, .bucket = fact(&f, "bucket"), .endpoint = fact(&f, "endpoint")};
    REQUIRE(rv_store_gcs.open(&f.env, &cfg, &s, &f.err) == RV_OK);
    REQUIRE(rv_http_open(&f.env, NULL, &h, &f.err) == RV_OK);
    CHECK_EQ(rv_store_gcs.credentials(s, h, &text, &f.err), RV_OK);
    CHECK(rv_str_starts(rv_buf_str(&text), RV_STR("metadata server")));
    CHECK_EQ(rv_store_gcs.head(s, h, "no such object", &o, &out, &f.err), RV_OK);
    CHECK_EQ(out, RV_STORE_MISSING);
    rv_buf_free(&text);
    rv_http_close(h);
    rv_store_gcs.close(s);
    json_decref(f.facts);
}

RV_TEST_MAIN(RV_CASE(what_a_store_must_do), RV_CASE(the_protocol_above_it),
             RV_CASE(credentials_of_the_machine))
