#include <string.h>

#include "base/fault.h"
#include "destination/cloud/store.h"
#include "rvtest.h"

static const char *from_table(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "SET") == 0 ? "geheim" : strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

RV_TEST(net_errors_become_the_destinations)
{
    static const struct {
        rv_status net, dest;
    } v[] = {{RV_OK, RV_OK},
             {RV_E_HTTP_TLS, RV_E_DEST_TLS},
             {RV_E_HTTP_CONNECT, RV_E_DEST_UNREACHABLE},
             {RV_E_HTTP_NETWORK, RV_E_DEST_UNREACHABLE},
             {RV_E_HTTP_TIMEOUT, RV_E_DEST_UNREACHABLE},
             {RV_E_INTERRUPTED, RV_E_INTERRUPTED},
             {RV_E_MEMORY, RV_E_MEMORY}};
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        rv_error err = {.code = v[i].net, .retry = RV_RETRY_N, .native = "503"};
        CHECK_EQ(rv_store_net_error(v[i].net, &err), v[i].dest);
        CHECK_EQ(err.code, v[i].dest);
        CHECK_EQ(err.retry, RV_RETRY_N);
        CHECK_STR(err.native, "503");
        CHECK_EQ(rv_store_net_error(v[i].net, NULL), v[i].dest);
    }
}

RV_TEST(endpoints)
{
    static const struct {
        const char *in, *out; /* out NULL: refused */
        bool insecure;
    } v[] = {{"https://s3.example/", "https://s3.example", false},
             {"https://s3.example:8443/base//", "https://s3.example:8443/base", false},
             {"http://localhost:9000", "http://localhost:9000", false},
             {"http://LOCALHOST", "http://LOCALHOST", false},
             {"http://127.9.8.7/x", "http://127.9.8.7/x", false},
             {"http://[::1]:10000/acc", "http://[::1]:10000/acc", false},
             {"http://[::2]:10000", NULL, false},
             {"http://127.0.0.1.example", NULL, false},
             {"http://localhost.example", NULL, false},
             {"http://minio:9000", NULL, false},
             {"http://minio:9000", "http://minio:9000", true},
             {"https://user@s3.example", NULL, true},
             {"https://u:p@s3.example", NULL, true},
             {"ftp://s3.example", NULL, true},
             {"s3.example", NULL, true},
             {"https://", NULL, true},
             {"https:///path", NULL, true},
             {"https://:9000", NULL, true},
             {"https://h:", NULL, true},
             {"https://h:0", NULL, true},
             {"https://h:65536", NULL, true},
             {"https://h:80x", NULL, true},
             {"https://[::1", NULL, true},
             {"https://[::1]x", NULL, true},
             {"https://h/?q", NULL, true},
             {"https://h/#f", NULL, true},
             {"https://h /", NULL, true},
             {"https://h/\r\nx", NULL, true}};
    rv_env env = {0};
    rv_buf b = RV_BUF_INIT;
    rv_error err;
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        rv_cfg_dest cfg = {.kind = RV_DEST_S3, .allow_insecure_endpoint = v[i].insecure};
        rv_status st = rv_store_endpoint(&env, &cfg, v[i].in, &b, &err);
        CHECK_EQ(st, v[i].out ? RV_OK : RV_E_CONFIG_DESTINATION);
        if (st == RV_OK && v[i].out)
            CHECK_STR((const char *)b.ptr, v[i].out);
    }
    rv_buf_free(&b);
#ifdef RV_FAULTS
    rv_cfg_dest cfg = {.kind = RV_DEST_S3};
    rv_fault_set_alloc(1, false);
    CHECK_EQ(rv_store_endpoint(&env, &cfg, "https://s3.example", &b, &err), RV_E_MEMORY);
    rv_fault_set_alloc(0, false);
    rv_buf_free(&b);
#endif
}

RV_TEST(secrets_come_from_the_environment)
{
    rv_env env = {.getenv = from_table};
    rv_error err;
    rv_buf shown = RV_BUF_INIT;
    const char *value = NULL;
    REQUIRE(rv_secrets_open(&env.secrets, &err) == RV_OK);
    CHECK_EQ(rv_store_secret(&env, "SET", "account_key_env", &value, &err), RV_OK);
    CHECK_STR(value, "geheim");
    CHECK_EQ(rv_secrets_redact(env.secrets, RV_STR("key geheim"), &shown, &err), RV_OK);
    CHECK_STR(rv_buf_cstr(&shown), "key ***");
    CHECK_EQ(rv_store_secret(&env, "UNSET", "account_key_env", &value, &err), RV_E_DEST_AUTH);
    CHECK(strstr(err.text, "UNSET") && strstr(err.text, "account_key_env"));
    CHECK(strstr(err.text, "not set") != NULL);
    CHECK_EQ(rv_store_secret(&env, "EMPTY", "sas_token_env", &value, &err), RV_E_DEST_AUTH);
    CHECK(strstr(err.text, "is empty") != NULL);
    CHECK_STR(value, "geheim"); /* untouched */
    rv_buf_free(&shown);
    rv_secrets_close(env.secrets);
}

RV_TEST_MAIN(RV_CASE(net_errors_become_the_destinations), RV_CASE(endpoints),
             RV_CASE(secrets_come_from_the_environment))
