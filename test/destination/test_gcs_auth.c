/* Where Google credentials come from and how tokens are asked for. */
#include "destination/gcs/gcs_internal.h"

#include "net/crypto.h"
#include "store_box.h"

#define TOKEN(life, text)                                                                          \
    (http_answer)                                                                                  \
    {                                                                                              \
        .body =                                                                                    \
            "{\"token_type\":\"Bearer\",\"expires_in\":" life ",\"access_token\":\"" text "\"}"    \
    }

static char folder[] = "/tmp/rvgcsXXXXXX";

/* The path of a file with this content, in a folder of the test's own. */
static const char *file_of(const char *name, const char *content)
{
    static char paths[4][160];
    static unsigned at;
    char *path = paths[at++ % 4];
    int fd = -1;
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    (void)unlink(path);
    CHECK_EQ(rv_file_create(path, 0600, &fd, NULL), RV_OK);
    CHECK_EQ(rv_file_write(fd, content, strlen(content), path, NULL), RV_OK);
    rv_file_close(fd);
    return path;
}

static bool begin(store_box *b)
{
    bool made = strstr(folder, "XXXXXX") == NULL || mkdtemp(folder) != NULL;
    return made && box_begin(b, &rv_store_gcs);
}

static rv_status look(store_box *b)
{
    rv_object o;
    rv_store_outcome out;
    return b->ops->head(b->s, b->h, "part", &o, &out, &b->err);
}

static void say_object(store_box *b)
{
    http_peer_say(b->p, (http_answer){.body = "{\"size\":\"5\",\"generation\":\"7\"}"});
}

static rv_status open_file(store_box *b, const char *content)
{
    return box_open(b, (rv_cfg_dest){.credentials_file = file_of("credentials.json", content)}, "");
}

/* ---- the chain ---- */

RV_TEST(the_order_of_the_chain)
{
    static const char user[] =
        "{\"type\":\"authorized_user\",\"client_id\":\"c\",\"client_secret\":"
        "\"the-secret\",\"refresh_token\":\"the-refresh-token\"}";
    store_box b;
    REQUIRE(begin(&b));
    const char *named = file_of("named.json", user);
    const char *known = file_of("application_default_credentials.json", user);
    box_set(&b, "CLOUDSDK_CONFIG", folder);
    box_set(&b, "GOOGLE_APPLICATION_CREDENTIALS", named);
    CHECK_EQ(box_open(&b, (rv_cfg_dest){.credentials_file = known}, ""), RV_OK);
    CHECK(strstr(b.s->described, "(credentials_file ") != NULL);
    CHECK_EQ(box_open(&b, (rv_cfg_dest){0}, ""), RV_OK);
    CHECK(strstr(b.s->described, "(GOOGLE_APPLICATION_CREDENTIALS ") != NULL);
    b.n_vars = 1;
    CHECK_EQ(box_open(&b, (rv_cfg_dest){0}, ""), RV_OK);
    CHECK(strstr(b.s->described, "application_default_credentials.json") != NULL);
    b.n_vars = 0;
    box_set(&b, "HOME", "/nowhere");
    box_set(&b, "GCE_METADATA_HOST", "127.0.0.1:1");
    CHECK_EQ(box_open(&b, (rv_cfg_dest){0}, ""), RV_OK);
    CHECK_STR(b.s->described, "metadata server 127.0.0.1:1");
    CHECK_EQ(look(&b), RV_E_DEST_AUTH);
    CHECK(strstr(b.err.text, "no Google credentials: tried credentials_file, "
                             "GOOGLE_APPLICATION_CREDENTIALS, application default credentials, "
                             "metadata server") != NULL);
    /* what is named does not fall through */
    CHECK_EQ(box_open(&b, (rv_cfg_dest){.credentials_file = "/nowhere/x.json"}, ""),
             RV_E_DEST_AUTH);
    box_set(&b, "GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/y.json");
    CHECK_EQ(box_open(&b, (rv_cfg_dest){0}, ""), RV_E_DEST_AUTH);
    CHECK(strstr(b.err.text, "/nowhere/y.json") != NULL);
    CHECK_EQ(http_peer_count(b.p), 0);
    box_end(&b);
}

RV_TEST(anonymous_asks_nobody)
{
    store_box b;
    char host[64];
    rv_buf text = RV_BUF_INIT;
    REQUIRE(begin(&b));
    (void)snprintf(host, sizeof host, "127.0.0.1:%d", http_peer_port(b.p));
    box_set(&b, "GCE_METADATA_HOST", host);
    CHECK_EQ(box_open(&b, (rv_cfg_dest){.allow_anonymous = true}, ""), RV_OK);
    CHECK_EQ(b.ops->credentials(b.s, b.h, &text, &b.err), RV_OK);
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_EQ(http_peer_count(b.p), 1);
    CHECK_STR(box_header(&b, 0, "Authorization"), "");
    rv_buf_free(&text);
    box_end(&b);
}

RV_TEST(files_that_are_none)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"type\":7}",
        "{\"type\":\"service_account\",\"client_email\":\"a@b\"}",
        "{\"type\":\"authorized_user\",\"client_id\":\"c\"}",
        "{\"type\":\"gdch_service_account\"}",
        "{\"type\":\"impersonated_service_account\",\"source_credentials\":7}",
        "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\","
        "\"token_url\":\"https://sts\",\"credential_source\":{}}",
        "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\","
        "\"token_url\":\"https://sts\",\"credential_source\":{\"environment_id\":\"aws1\"}}",
        "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\","
        "\"token_url\":\"https://sts\",\"credential_source\":{\"executable\":{\"command\":\"x\"}}}",
        "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\","
        "\"token_url\":\"https://"
        "sts\",\"credential_source\":{\"url\":\"u\",\"headers\":{\"a\":1}}}",
        "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\","
        "\"token_url\":\"https://sts\",\"credential_source\":{\"file\":\"f\",\"format\":{\"type\":"
        "\"yaml\"}}}"};
    store_box b;
    REQUIRE(begin(&b));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ(open_file(&b, bad[i]), RV_E_DEST_AUTH);
        CHECK(strstr(b.err.text, "credentials.json") != NULL);
    }
    CHECK_EQ(http_peer_count(b.p), 0);
    box_end(&b);
}

/* ---- service account ---- */

static char *read_key(void)
{
    static char pem[4096];
    char command[160];
    (void)snprintf(command, sizeof command,
                   "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null");
    FILE *f = popen(command, "r");
    size_t n = f ? fread(pem, 1, sizeof pem - 1, f) : 0;
    pem[n] = '\0';
    if (f)
        CHECK_EQ(pclose(f), 0);
    return pem;
}

static void escape(const char *pem, char *out, size_t size)
{
    size_t n = 0;
    for (; *pem && n + 2 < size; pem++) {
        if (*pem == '\n')
            out[n++] = '\\';
        out[n++] = *pem == '\n' ? 'n' : *pem;
    }
    out[n] = '\0';
}

/* The plain text of a part of a token. */
static void plain(const char *part, size_t len, char *out, size_t size)
{
    rv_buf text = RV_BUF_INIT, raw = RV_BUF_INIT;
    out[0] = '\0';
    for (size_t i = 0; i < len; i++)
        CHECK_EQ(rv_buf_add_byte(&text,
                                 (uint8_t)(part[i] == '-'   ? '+'
                                           : part[i] == '_' ? '/'
                                                            : part[i]),
                                 NULL),
                 RV_OK);
    while (text.len % 4)
        CHECK_EQ(rv_buf_add_byte(&text, '=', NULL), RV_OK);
    if (rv_unbase64(rv_buf_str(&text), &raw) && raw.len < size) {
        memcpy(out, raw.ptr, raw.len);
        out[raw.len] = '\0';
    }
    rv_buf_free(&text);
    rv_buf_free(&raw);
}

RV_TEST(an_assertion)
{
    static char key[4096], file[8192], head[256], claims[512];
    store_box b;
    REQUIRE(begin(&b));
    escape(read_key(), key, sizeof key);
    (void)snprintf(file, sizeof file,
                   "{\"type\":\"service_account\",\"client_email\":\"sa@project.example\","
                   "\"private_key_id\":\"k1\",\"private_key\":\"%s\",\"token_uri\":\"%s\"}",
                   key, http_peer_url(b.p, "/token"));
    CHECK_EQ(open_file(&b, file), RV_OK);
    http_peer_say(b.p, TOKEN("3600", "token-1"));
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    const char *body = box_body(&b, 0);
    static const char prefix[] =
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    REQUIRE(strncmp(body, prefix, sizeof prefix - 1) == 0);
    const char *jwt = body + sizeof prefix - 1;
    const char *dot = strchr(jwt, '.');
    REQUIRE(dot && strchr(dot + 1, '.'));
    plain(jwt, (size_t)(dot - jwt), head, sizeof head);
    CHECK_STR(head, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k1\"}");
    plain(dot + 1, (size_t)(strchr(dot + 1, '.') - dot - 1), claims, sizeof claims);
    char want[512];
    (void)snprintf(want, sizeof want,
                   "{\"iss\":\"sa@project.example\",\"scope\":\"https://www.googleapis.com/auth/"
                   "devstorage.read_write\",\"aud\":\"%s\",\"iat\":1699999990,\"exp\":1700003590}",
                   http_peer_url(b.p, "/token"));
    CHECK_STR(claims, want);
    CHECK_STR(box_header(&b, 1, "Authorization"), "Bearer token-1");
    CHECK(box_hides(&b, "token-1") && box_hides(&b, "PRIVATE KEY"));
    /* a key that is none */
    CHECK_EQ(open_file(&b, "{\"type\":\"service_account\",\"client_email\":\"sa@x\","
                           "\"private_key\":\"not a key at all\",\"token_uri\":\"https://x\"}"),
             RV_OK);
    CHECK_EQ(look(&b), RV_E_DEST_AUTH);
    CHECK(box_hides(&b, "not a key at all"));
    box_end(&b);
}

/* ---- users, federation, impersonation ---- */

RV_TEST(an_authorized_user_sends_no_scope)
{
    char file[512];
    store_box b;
    REQUIRE(begin(&b));
    (void)snprintf(file, sizeof file,
                   "{\"type\":\"authorized_user\",\"client_id\":\"id.apps\",\"client_secret\":"
                   "\"the-secret\",\"refresh_token\":\"1//the-refresh\",\"token_uri\":\"%s\"}",
                   http_peer_url(b.p, "/token"));
    CHECK_EQ(open_file(&b, file), RV_OK);
    http_peer_say(b.p, TOKEN("3600", "token-1"));
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_STR(box_body(&b, 0), "grant_type=refresh_token&client_id=id.apps&client_secret=the-secret"
                               "&refresh_token=1%2F%2Fthe-refresh");
    /* renewed once after a refusal, then no more */
    http_peer_say(b.p, (http_answer){.status = 401});
    http_peer_say(b.p, (http_answer){.status = 400,
                                     .body = "{\"error\":\"invalid_grant\",\"error_description\":"
                                             "\"Token has been expired or revoked.\"}"});
    CHECK_EQ(look(&b), RV_E_DEST_AUTH);
    CHECK(strstr(b.err.text, "invalid_grant: Token has been expired or revoked.") != NULL);
    /* what its address alone allows is done all the same */
    http_peer_say(b.p, (http_answer){.status = 401});
    http_peer_say(b.p, (http_answer){.status = 400, .body = "{\"error\":\"invalid_grant\"}"});
    http_peer_say(b.p, (http_answer){.status = 499});
    rv_store_outcome out = RV_STORE_UNMET;
    CHECK_EQ(b.ops->upload_abort(b.s, b.h, "x", "/upload?upload_id=u", &out, &b.err), RV_OK);
    CHECK_EQ(out, RV_STORE_DONE);
    CHECK_STR(box_header(&b, http_peer_count(b.p) - 1, "Authorization"), "");
    b.err = (rv_error){.code = RV_OK};
    CHECK(box_hides(&b, "the-secret") && box_hides(&b, "the-refresh"));
    box_end(&b);
}

RV_TEST(an_external_account)
{
    static char file[2048];
    store_box b;
    REQUIRE(begin(&b));
    const char *subject = file_of("subject", "{\"id_token\":\"the-subject-token\"}");
    (void)snprintf(file, sizeof file,
                   "{\"type\":\"external_account\",\"audience\":\"//iam/pool\","
                   "\"subject_token_type\":\"urn:ietf:params:oauth:token-type:jwt\","
                   "\"token_url\":\"%s\",\"client_id\":\"c\",\"client_secret\":\"sec\","
                   "\"service_account_impersonation_url\":\"%s\",\"credential_source\":{\"file\":"
                   "\"%s\",\"format\":{\"type\":\"json\",\"subject_token_field_name\":"
                   "\"id_token\"}}}",
                   http_peer_url(b.p, "/sts"),
                   http_peer_url(b.p, "/v1/serviceAccounts/sa@x:generateAccessToken"), subject);
    CHECK_EQ(open_file(&b, file), RV_OK);
    CHECK(strstr(b.s->described, "external account as sa@x (credentials_file") != NULL);
    http_peer_say(b.p, TOKEN("3600", "federated-token"));
    http_peer_say(b.p, (http_answer){.body = "{\"accessToken\":\"impersonated-token\","
                                             "\"expireTime\":\"2023-11-14T23:13:20Z\"}"});
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_STR(box_header(&b, 0, "Authorization"), "Basic YzpzZWM=");
    CHECK(strstr(box_body(&b, 0), "&audience=%2F%2Fiam%2Fpool&scope=https%3A%2F%2Fwww.googleapis."
                                  "com%2Fauth%2Fcloud-platform&") != NULL);
    CHECK(strstr(box_body(&b, 0), "&subject_token=the-subject-token") != NULL);
    CHECK_STR(box_header(&b, 1, "Authorization"), "Bearer federated-token");
    CHECK_STR(box_body(&b, 1), "{\"scope\":[\"https://www.googleapis.com/auth/devstorage.read_"
                               "write\"],\"lifetime\":\"3600s\"}");
    CHECK_STR(box_header(&b, 2, "Authorization"), "Bearer impersonated-token");
    b.now_us += 3299 * INT64_C(1000000); /* expireTime was heard */
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_EQ(http_peer_count(b.p), 4);
    CHECK(box_hides(&b, "subject-token") && box_hides(&b, "federated-token"));
    box_end(&b);
}

RV_TEST(a_subject_token_from_a_url)
{
    static char file[1024];
    store_box b;
    REQUIRE(begin(&b));
    (void)snprintf(file, sizeof file,
                   "{\"type\":\"external_account\",\"audience\":\"a\",\"subject_token_type\":\"t\","
                   "\"token_url\":\"%s\",\"credential_source\":{\"url\":\"%s\",\"headers\":"
                   "{\"X-Token\":\"local-secret\"}}}",
                   http_peer_url(b.p, "/sts"), http_peer_url(b.p, "/subject?a=b"));
    CHECK_EQ(open_file(&b, file), RV_OK);
    http_peer_say(b.p, (http_answer){.body = " subject-1\n"});
    http_peer_say(b.p, TOKEN("3600", "token-1"));
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_STR(box_header(&b, 0, "X-Token"), "local-secret");
    CHECK(strstr(box_body(&b, 1), "&subject_token=subject-1") != NULL);
    CHECK(strstr(box_body(&b, 1), "devstorage.read_write") != NULL);
    CHECK_EQ(open_file(&b, file), RV_OK);
    http_peer_say(b.p, (http_answer){.body = "\n"});
    CHECK_EQ(look(&b), RV_E_DEST_AUTH);
    box_end(&b);
}

RV_TEST(an_impersonated_account)
{
    static char file[1024];
    store_box b;
    REQUIRE(begin(&b));
    (void)snprintf(
        file, sizeof file,
        "{\"type\":\"impersonated_service_account\",\"service_account_impersonation_url\""
        ":\"%s\",\"source_credentials\":{\"type\":\"authorized_user\",\"client_id\":\"c\""
        ",\"client_secret\":\"sec\",\"refresh_token\":\"ref\",\"token_uri\":\"%s\"}}",
        http_peer_url(b.p, "/gen"), http_peer_url(b.p, "/token"));
    CHECK_EQ(open_file(&b, file), RV_OK);
    http_peer_say(b.p, TOKEN("3600", "user-token"));
    http_peer_say(b.p, (http_answer){.status = 403,
                                     .body = "{\"error\":{\"code\":403,\"status\":"
                                             "\"PERMISSION_DENIED\",\"message\":\"may not\"}}"});
    CHECK_EQ(look(&b), RV_E_DEST_AUTH);
    CHECK(strstr(b.err.text, "PERMISSION_DENIED: may not") != NULL);
    box_end(&b);
}

/* ---- metadata server ---- */

RV_TEST(the_metadata_server)
{
    char host[64];
    store_box b;
    REQUIRE(begin(&b));
    (void)snprintf(host, sizeof host, "127.0.0.1:%d", http_peer_port(b.p));
    box_set(&b, "GCE_METADATA_HOST", host);
    box_set(&b, "http_proxy", "http://127.0.0.1:1");
    CHECK_EQ(box_open(&b, (rv_cfg_dest){0}, ""), RV_OK);
    http_peer_say(b.p, TOKEN("299", "token-1"));
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_STR(box_target(&b, 0), "/computeMetadata/v1/instance/service-accounts/default/token");
    CHECK_STR(box_header(&b, 0, "Metadata-Flavor"), "Google");
    say_object(&b); /* it gives the same token until the end: it is not asked each time */
    CHECK_EQ(look(&b), RV_OK);
    CHECK_EQ(http_peer_count(b.p), 3);
    b.now_us += 31 * INT64_C(1000000);
    http_peer_say(b.p, TOKEN("3600", "token-2"));
    say_object(&b);
    CHECK_EQ(look(&b), RV_OK);
    CHECK_STR(box_header(&b, 4, "Authorization"), "Bearer token-2");
    /* a machine without a service account */
    CHECK_EQ(box_open(&b, (rv_cfg_dest){0}, ""), RV_OK);
    http_peer_say(b.p, (http_answer){.status = 404});
    CHECK_EQ(look(&b), RV_E_DEST_AUTH);
    box_end(&b);
    char command[64];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    CHECK_EQ(system(command), 0);
}

RV_TEST_MAIN(RV_CASE(the_order_of_the_chain), RV_CASE(anonymous_asks_nobody),
             RV_CASE(files_that_are_none), RV_CASE(an_assertion),
             RV_CASE(an_authorized_user_sends_no_scope), RV_CASE(an_external_account),
             RV_CASE(a_subject_token_from_a_url), RV_CASE(an_impersonated_account),
             RV_CASE(the_metadata_server))
