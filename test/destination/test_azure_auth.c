/* Where Azure credentials come from, and how long they are good for. */
#include "destination/azure/azure_internal.h"

#include "base/clock.h"
#include "store_box.h"

#define KEY "c2VjcmV0LWtleS1vZi1hbi1hY2NvdW50" /* "secret-key-of-an-account" */

static rv_status look(store_box *b)
{
    rv_object o;
    rv_store_outcome out;
    return b->ops->head(b->s, b->h, "part", &o, &out, &b->err);
}

static void say_object(store_box *b)
{
    http_peer_say(b->p, (http_answer){.headers = "ETag: \"0x1\"\r\n"});
}

/* ---- SAS ---- */

RV_TEST(ends_of_a_sas)
{
    static const struct {
        const char *token;
        rv_status want;
        const char *end;
        int64_t until_s; /* 0: none */
    } cases[] = {
        {"?sv=2021&sp=rw&se=2023-11-15T00%3A00%3A00Z&sig=a%2Bb", RV_OK, "2023-11-15T00:00:00Z",
         1700006400},
        {"sv=2021&se=2023-11-14T22:13:21Z&sig=abc", RV_OK, "2023-11-14T22:13:21Z", 1700000001},
        {"sv=2021&se=2023-11-14T23:30Z&sig=abc", RV_OK, "2023-11-14T23:30Z", 1700004600},
        {"sv=2021&se=2023-11-15&sig=abc", RV_OK, "2023-11-15", 1700006400},
        {"sv=2021&si=policy&sig=abc\n", RV_OK, "", 0},
        {"sv=2021&se=soon&sig=abc", RV_OK, "soon", 0},
        {"?sv=2021&se=2023-11-14T22%3A13%3A20Z&sig=abc", RV_E_DEST_SAS_EXPIRED, "", 0},
        {"se=2020-01-01&sig=abc", RV_E_DEST_SAS_EXPIRED, "", 0},
        {"c29tZSBrZXk=", RV_E_DEST_AUTH, "", 0},
        {"", RV_E_DEST_AUTH, "", 0},
    };
    store_box b;
    REQUIRE(box_begin(&b, &rv_store_azure));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rv_arena arena = RV_ARENA_INIT;
        rv_azure_sas sas = {.end = ""};
        CHECK_EQ(rv_azure_sas_read(&b.env, cases[i].token, &arena, &sas, &b.err), cases[i].want);
        CHECK_STR(sas.end, cases[i].end);
        CHECK_EQ(sas.until_us, cases[i].until_s * 1000000);
        CHECK(sas.query == NULL || sas.query[0] != '?');
        rv_arena_free(&arena);
    }
    box_end(&b);
}

RV_TEST(an_expired_sas_sends_nothing)
{
    store_box b;
    REQUIRE(box_begin(&b, &rv_store_azure));
    box_set(&b, "SAS", "?sv=2021-12-02&sp=rwcdl&se=2023-11-14T22%3A00%3A00Z&sig=c2VjcmV0%2Bsig");
    const rv_cfg_dest cfg = {.sas_token_env = "SAS"};
    CHECK_EQ(box_open(&b, cfg, "/acct"), RV_E_DEST_SAS_EXPIRED);
    CHECK_STR(b.err.text, "Azure SAS token expired at 2023-11-14T22:00:00Z; issue a new one");
    CHECK_EQ(http_peer_count(b.p), 0);
    /* one that ends while a run is at work ends its requests */
    b.now_us -= 1800 * INT64_C(1000000);
    CHECK_EQ(box_open(&b, cfg, "/acct"), RV_OK);
    CHECK(box_logged(&b, "[WARN] the Azure SAS token expires at 2023-11-14T22:00:00Z"));
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK(strstr(box_target(&b, 0), "/acct/data/part?sv=2021-12-02&") != NULL);
    b.now_us += 1800 * INT64_C(1000000);
    CHECK_EQ(look(&b), RV_E_DEST_SAS_EXPIRED);
    CHECK_EQ(http_peer_count(b.p), 1);
    CHECK(box_hides(&b, "c2VjcmV0"));
    box_end(&b);
}

RV_TEST(a_long_sas_warns_of_nothing)
{
    store_box b;
    REQUIRE(box_begin(&b, &rv_store_azure));
    box_set(&b, "SAS", "sv=2021-12-02&se=2023-11-15T22%3A00%3A00Z&sig=abcdef");
    CHECK_EQ(box_open(&b, (rv_cfg_dest){.sas_token_env = "SAS"}, "/acct"), RV_OK);
    CHECK(!box_logged(&b, "[WARN]"));
    http_peer_say(
        b.p, (http_answer){.status = 403, .headers = "x-ms-error-code: AuthenticationFailed\r\n"});
    CHECK_EQ(look(&b), RV_E_DEST_AUTH);
    box_end(&b);
}

/* ---- connection strings ---- */

RV_TEST(connection_strings)
{
    static const struct {
        const char *text, *account, *key, *sas, *endpoint;
        bool custom;
    } cases[] = {
        {"DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=a2V5==;"
         "EndpointSuffix=core.windows.net",
         "acct", "a2V5==", NULL, "https://acct.blob.core.windows.net", false},
        {" accountname=acct ; ACCOUNTKEY=a2V5 ;; ", "acct", "a2V5", NULL,
         "https://acct.blob.core.windows.net", false},
        {"AccountName=acct;AccountKey=k;EndpointSuffix=core.chinacloudapi.cn", "acct", "k", NULL,
         "https://acct.blob.core.chinacloudapi.cn", true},
        {"BlobEndpoint=https://acct.blob.core.windows.net;"
         "SharedAccessSignature=sv=2021&sig=a%3D;QueueEndpoint=https://q",
         NULL, NULL, "sv=2021&sig=a%3D", "https://acct.blob.core.windows.net", true},
        {"UseDevelopmentStorage=true", "devstoreaccount1",
         "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/"
         "KBHBeksoGMGw==",
         NULL, "http://127.0.0.1:10000/devstoreaccount1", true},
    };
    static const char *const bad[] = {"",
                                      "nonsense",
                                      "AccountName=acct",
                                      "AccountKey=a2V5",
                                      "UseDevelopmentStorage=false",
                                      "a2V5LW9ubHk=;x"};
    rv_error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rv_arena arena = RV_ARENA_INIT;
        rv_azure_connection c = {0};
        CHECK_EQ(rv_azure_connection_read(rv_str_c(cases[i].text), &arena, &c, &err), RV_OK);
        CHECK(cases[i].account ? c.account && strcmp(c.account, cases[i].account) == 0
                               : !c.account);
        CHECK(cases[i].key ? c.key && strcmp(c.key, cases[i].key) == 0 : !c.key);
        CHECK(cases[i].sas ? c.sas && strcmp(c.sas, cases[i].sas) == 0 : !c.sas);
        CHECK_STR(c.endpoint, cases[i].endpoint);
        CHECK_EQ(c.custom, cases[i].custom);
        rv_arena_free(&arena);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        rv_arena arena = RV_ARENA_INIT;
        rv_azure_connection c = {0};
        CHECK_EQ(rv_azure_connection_read(rv_str_c(bad[i]), &arena, &c, &err), RV_E_DEST_AUTH);
        CHECK(!strstr(err.text, "a2V5"));
        rv_arena_free(&arena);
    }
}

/* ---- the chain ---- */

RV_TEST(what_is_named_does_not_fall_through)
{
    store_box b;
    REQUIRE(box_begin(&b, &rv_store_azure));
    box_set(&b, "KEY", "this is not base64");
    box_set(&b, "EMPTY", "");
    box_set(&b, "AZURE_TENANT_ID", "t");
    box_set(&b, "AZURE_CLIENT_ID", "c");
    box_set(&b, "AZURE_FEDERATED_TOKEN_FILE", "/nowhere/token");
    CHECK_EQ(box_open(&b, (rv_cfg_dest){.account_key_env = "KEY"}, "/acct"), RV_E_DEST_AUTH);
    CHECK(strstr(b.err.text, "KEY") && !strstr(b.err.text, "this is not"));
    CHECK_EQ(box_open(&b, (rv_cfg_dest){.account_key_env = "EMPTY"}, "/acct"), RV_E_DEST_AUTH);
    CHECK_EQ(box_open(&b, (rv_cfg_dest){.sas_token_env = "UNSET"}, "/acct"), RV_E_DEST_AUTH);
    CHECK_EQ(box_open(&b, (rv_cfg_dest){.connection_string_env = "UNSET"}, "/a"), RV_E_DEST_AUTH);
    CHECK_EQ(box_open(&b, (rv_cfg_dest){.client_secret_env = "UNSET"}, "/acct"), RV_E_DEST_AUTH);
    /* the federated token's file is read when it is needed */
    CHECK_EQ(box_open(&b, (rv_cfg_dest){.managed_identity = true}, "/acct"), RV_OK);
    CHECK_EQ(look(&b), RV_E_DEST_AUTH);
    CHECK(strstr(b.err.text, "/nowhere/token") != NULL);
    b.n_vars = 0;
    CHECK_EQ(box_open(&b, (rv_cfg_dest){0}, "/acct"), RV_E_DEST_AUTH);
    CHECK_STR(b.err.text,
              "no Azure credentials: tried account key, SAS token, connection string, client "
              "secret, federated token, managed identity");
    CHECK_EQ(http_peer_count(b.p), 0);
    box_end(&b);
}

RV_TEST(anonymous_requests_carry_nothing)
{
    store_box b;
    rv_buf text = RV_BUF_INIT;
    REQUIRE(box_begin(&b, &rv_store_azure));
    box_set(&b, "IDENTITY_HEADER", "secret-header");
    CHECK_EQ(box_open(&b, (rv_cfg_dest){.allow_anonymous = true}, "/acct"), RV_OK);
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_EQ(b.ops->credentials(b.s, b.h, &text, &b.err), RV_OK);
    CHECK_EQ(http_peer_count(b.p), 1);
    CHECK_STR(box_header(&b, 0, "Authorization"), "");
    CHECK_STR(box_header(&b, 0, "x-ms-version"), "2021-12-02");
    rv_buf_free(&text);
    box_end(&b);
}

RV_TEST(the_account_is_known_by_name_or_endpoint)
{
    store_box b;
    REQUIRE(box_begin(&b, &rv_store_azure));
    box_set(&b, "KEY", " " KEY "\n");
    CHECK_EQ(box_open(&b, (rv_cfg_dest){.account_key_env = "KEY"}, "/acct/"), RV_OK);
    CHECK_STR(b.s->account, "acct");
    CHECK_EQ(box_open(&b,
                      (rv_cfg_dest){.account_key_env = "KEY",
                                    .endpoint = "https://other.blob.core.windows.net"},
                      ""),
             RV_OK);
    CHECK_STR(b.s->account, "other");
    CHECK_EQ(box_open(&b, (rv_cfg_dest){.account_key_env = "KEY"}, ""), RV_E_CONFIG_DESTINATION);
    rv_cfg_dest plain = {
        .kind = RV_DEST_AZURE, .bucket = "c", .account_name = "mine", .account_key_env = "KEY"};
    b.ops->close(b.s);
    b.s = NULL;
    REQUIRE(b.ops->open(&b.env, &plain, &b.s, &b.err) == RV_OK);
    CHECK_STR(b.s->base, "https://mine.blob.core.windows.net");
    CHECK_STR(b.ops->uri(b.s), "az://c");
    box_end(&b);
}

/* ---- tokens ---- */

#define TOKEN(life, text)                                                                          \
    (http_answer)                                                                                  \
    {                                                                                              \
        .body =                                                                                    \
            "{\"token_type\":\"Bearer\",\"expires_in\":" life ",\"access_token\":\"" text "\"}"    \
    }

static void use_secret(store_box *b)
{
    box_set(b, "SECRET", "the-client-secret/+");
    box_set(b, "AZURE_AUTHORITY_HOST", http_peer_url(b->p, "/"));
    const rv_cfg_dest cfg = {
        .tenant_id = "tenant", .client_id = "client", .client_secret_env = "SECRET"};
    CHECK_EQ(box_open(b, cfg, "/acct"), RV_OK);
}

RV_TEST(a_client_secret)
{
    store_box b;
    REQUIRE(box_begin(&b, &rv_store_azure));
    use_secret(&b);
    http_peer_say(b.p, TOKEN("3600", "token-1"));
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_STR(box_target(&b, 0), "/tenant/oauth2/v2.0/token");
    CHECK_STR(box_body(&b, 0),
              "grant_type=client_credentials&client_id=client&scope=https%3A%2F%2Fstorage.azure."
              "com%2F.default&client_secret=the-client-secret%2F%2B");
    CHECK_STR(box_header(&b, 0, "Content-Type"), "application/x-www-form-urlencoded");
    CHECK_STR(box_header(&b, 1, "Authorization"), "Bearer token-1");
    CHECK(box_hides(&b, "token-1") && box_hides(&b, "the-client-secret"));
    box_end(&b);
}

RV_TEST(a_token_is_renewed_in_time)
{
    store_box b;
    REQUIRE(box_begin(&b, &rv_store_azure));
    use_secret(&b);
    http_peer_say(b.p, TOKEN("3600", "token-1"));
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    b.now_us += 3299 * INT64_C(1000000);
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_EQ(http_peer_count(b.p), 3);
    b.now_us += INT64_C(1000000); /* five minutes before its end */
    http_peer_say(b.p, TOKEN("3600", "token-2"));
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_STR(box_header(&b, 4, "Authorization"), "Bearer token-2");
    box_end(&b);
}

RV_TEST(a_good_token_outlives_a_failed_renewal)
{
    store_box b;
    REQUIRE(box_begin(&b, &rv_store_azure));
    use_secret(&b);
    http_peer_say(b.p, TOKEN("3600", "token-1"));
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    b.now_us += 3400 * INT64_C(1000000);
    http_peer_say(b.p, (http_answer){.status = 400, .body = "{\"error\":\"temporarily\"}"});
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_STR(box_header(&b, 3, "Authorization"), "Bearer token-1");
    say_object(&b); /* not asked again at once */
    CHECK_EQ(look(&b), RV_OK);
    CHECK_EQ(http_peer_count(b.p), 5);
    b.now_us += 300 * INT64_C(1000000);
    http_peer_say(b.p, (http_answer){.status = 400, .body = "{\"error\":\"invalid_client\"}"});
    CHECK_EQ(look(&b), RV_E_DEST_AUTH);
    CHECK(strstr(b.err.text, "invalid_client") != NULL);
    box_end(&b);
}

RV_TEST(a_refused_token_is_renewed_once)
{
    store_box b;
    REQUIRE(box_begin(&b, &rv_store_azure));
    use_secret(&b);
    const http_answer refused = {.status = 401,
                                 .headers = "x-ms-error-code: InvalidAuthenticationInfo\r\n"};
    http_peer_say(b.p, TOKEN("3600", "token-1"));
    http_peer_say(b.p, refused);
    http_peer_say(b.p, TOKEN("3600", "token-2"));
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_STR(box_header(&b, 3, "Authorization"), "Bearer token-2");
    CHECK_EQ(b.n_waits, 0);
    CHECK_EQ(b.ops->retries(b.s), 1);
    http_peer_say(b.p, refused);
    http_peer_say(b.p, TOKEN("3600", "token-3"));
    http_peer_say(b.p, refused);
    CHECK_EQ(look(&b), RV_E_DEST_AUTH);
    CHECK_EQ(http_peer_count(b.p), 7);
    CHECK(strstr(b.err.hint, "client secret of client (SECRET)") != NULL);
    box_end(&b);
}

RV_TEST(what_a_token_endpoint_says)
{
    static const struct {
        http_answer answer;
        rv_status want;
        const char *text;
    } cases[] = {
        {{.status = 401,
          .body = "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: Invalid "
                  "client secret provided.\\r\\nTrace ID: 1\"}"},
         RV_E_DEST_AUTH,
         "invalid_client: AADSTS7000215: Invalid client secret provided."},
        {{.status = 400, .body = "<html>"}, RV_E_DEST_AUTH, "400 Bad Request"},
        {{.status = 302, .headers = "Location: http://127.0.0.1:1/\r\n"}, RV_E_DEST_AUTH, "302"},
        {{.body = "{\"access_token\":17}"}, RV_E_DEST_AUTH, "without an access token"},
        {{.body = "{\"access_token\":\"a\\r\\nX: y\"}"}, RV_E_DEST_AUTH, "without an access token"},
        {{.body = "[1,2"}, RV_E_DEST_AUTH, "without an access token"},
        {{.body = ""}, RV_E_DEST_AUTH, "without an access token"},
        {{.status = 503, .repeat = 5}, RV_E_DEST_UNREACHABLE, "503"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        store_box b;
        REQUIRE(box_begin(&b, &rv_store_azure));
        use_secret(&b);
        http_peer_say(b.p, cases[i].answer);
        CHECK_EQ(look(&b), cases[i].want);
        CHECK(strstr(b.err.text, "Entra ID gives no credentials") != NULL ||
              strstr(b.err.text, "Entra ID answers") != NULL);
        CHECK(strstr(b.err.text, cases[i].text) != NULL);
        CHECK(box_hides(&b, "the-client-secret"));
        box_end(&b);
    }
}

RV_TEST(secrets_go_to_no_open_address)
{
    store_box b;
    REQUIRE(box_begin(&b, &rv_store_azure));
    box_set(&b, "SECRET", "the-client-secret");
    box_set(&b, "AZURE_AUTHORITY_HOST", "http://login.example");
    const rv_cfg_dest cfg = {.tenant_id = "t", .client_id = "c", .client_secret_env = "SECRET"};
    CHECK_EQ(box_open(&b, cfg, "/acct"), RV_OK);
    CHECK_EQ(look(&b), RV_E_DEST_AUTH);
    CHECK(strstr(b.err.text, "neither https nor on this machine") != NULL);
    box_end(&b);
}

RV_TEST(a_federated_token_is_read_each_time)
{
    char path[] = "/tmp/rvtokenXXXXXX";
    store_box b;
    REQUIRE(box_begin(&b, &rv_store_azure));
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    CHECK_EQ(write(fd, "jwt-1\n", 6), 6);
    box_set(&b, "AZURE_AUTHORITY_HOST", http_peer_url(b.p, ""));
    box_set(&b, "AZURE_TENANT_ID", "tenant");
    box_set(&b, "AZURE_CLIENT_ID", "client");
    box_set(&b, "AZURE_FEDERATED_TOKEN_FILE", path);
    CHECK_EQ(box_open(&b, (rv_cfg_dest){0}, "/acct"), RV_OK);
    http_peer_say(b.p, TOKEN("3600", "token-1"));
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_STR(box_body(&b, 0),
              "grant_type=client_credentials&client_id=client&scope=https%3A%2F%2Fstorage.azure."
              "com%2F.default&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-"
              "assertion-type%3Ajwt-bearer&client_assertion=jwt-1");
    CHECK_EQ(pwrite(fd, "jwt-2\n", 6, 0), 6);
    b.now_us += 3600 * INT64_C(1000000);
    http_peer_say(b.p, TOKEN("3600", "token-2"));
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK(strstr(box_body(&b, 2), "client_assertion=jwt-2") != NULL);
    (void)close(fd);
    (void)unlink(path);
    box_end(&b);
}

RV_TEST(managed_identities)
{
    store_box b;
    REQUIRE(box_begin(&b, &rv_store_azure));
    box_set(&b, "AZURE_POD_IDENTITY_AUTHORITY_HOST", http_peer_url(b.p, ""));
    CHECK_EQ(box_open(&b, (rv_cfg_dest){.managed_identity = true, .client_id = "c/1"}, "/acct"),
             RV_OK);
    http_peer_say(b.p, (http_answer){.body = "{\"access_token\":\"token-vm\",\"expires_on\":"
                                             "\"1700003600\",\"expires_in\":\"3600\"}"});
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_STR(box_target(&b, 0),
              "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2F"
              "storage.azure.com%2F&client_id=c%2F1");
    CHECK_STR(box_header(&b, 0, "Metadata"), "true");
    CHECK_STR(box_header(&b, 1, "Authorization"), "Bearer token-vm");
    box_set(&b, "IDENTITY_ENDPOINT", http_peer_url(b.p, "/msi/token"));
    box_set(&b, "IDENTITY_HEADER", "secret-header");
    CHECK_EQ(box_open(&b, (rv_cfg_dest){.managed_identity = true}, "/acct"), RV_OK);
    http_peer_say(b.p, (http_answer){.body = "{\"access_token\":\"token-app\",\"expires_on\":"
                                             "\"1700000400\"}"});
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_STR(box_target(&b, 2), "/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fstorage."
                                 "azure.com%2F");
    CHECK_STR(box_header(&b, 2, "X-IDENTITY-HEADER"), "secret-header");
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    b.now_us += 101 * INT64_C(1000000); /* expires_on was heard */
    http_peer_say(b.p, TOKEN("3600", "token-later"));
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_STR(box_header(&b, 6, "Authorization"), "Bearer token-later");
    CHECK(box_hides(&b, "secret-header"));
    box_end(&b);
}

#ifdef RV_FAULTS
static rv_status with_a_token(store_box *b)
{
    rv_status st;
    box_set(b, "AZURE_AUTHORITY_HOST", http_peer_url(b->p, "/"));
    const rv_cfg_dest cfg = {
        .tenant_id = "tenant", .client_id = "client", .client_secret_env = "SECRET"};
    http_answer token = TOKEN("3600", "token-1"), object = {.headers = "ETag: \"0x1\"\r\n"};
    token.repeat = object.repeat = HTTP_FOREVER;
    RV_GO(box_open(b, cfg, "/acct"));
    b->ops->set_tries(b->s, 1);
    http_peer_say(b->p, token);
    rv_buf text = RV_BUF_INIT;
    st = b->ops->credentials(b->s, b->h, &text, &b->err);
    rv_buf_free(&text);
    RV_GO(st);
    http_peer_say(b->p, object);
    RV_GO(look(b));
done:
    return st;
}

RV_TEST(every_allocation)
{
    box_sweep(&rv_store_azure, "SECRET", "the-client-secret", with_a_token);
}
#else
RV_TEST(every_allocation)
{
    SKIP("built without faults");
}
#endif

RV_TEST_MAIN(RV_CASE(ends_of_a_sas), RV_CASE(an_expired_sas_sends_nothing),
             RV_CASE(a_long_sas_warns_of_nothing), RV_CASE(connection_strings),
             RV_CASE(what_is_named_does_not_fall_through),
             RV_CASE(anonymous_requests_carry_nothing),
             RV_CASE(the_account_is_known_by_name_or_endpoint), RV_CASE(a_client_secret),
             RV_CASE(a_token_is_renewed_in_time), RV_CASE(a_good_token_outlives_a_failed_renewal),
             RV_CASE(a_refused_token_is_renewed_once), RV_CASE(what_a_token_endpoint_says),
             RV_CASE(secrets_go_to_no_open_address), RV_CASE(a_federated_token_is_read_each_time),
             RV_CASE(managed_identities), RV_CASE(every_allocation))
