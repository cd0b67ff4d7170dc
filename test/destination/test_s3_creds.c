/* The credential chain: which step is taken, every form of a profile, metadata services and STS by
 * a scripted peer, renewal, and that no text shows a secret. */
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "destination/s3/creds.h"
#include "s3_stand.h"

#define EXHAUSTED                                                                                  \
    "no AWS credentials: tried config keys, profile, environment, web identity, shared files, "    \
    "container, instance metadata"
#define TOKEN_SECRET "FwoGZXIvYXdzEXAMPLETOKEN"
#define JSON_KEYS(expires)                                                                         \
    "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIAMETA\",\"SecretAccessKey\":\"" SECRET             \
    "\",\"Token\":\"" TOKEN_SECRET "\",\"Expiration\":\"" expires "\"}"
#define STS_KEYS(expires)                                                                          \
    "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>"   \
    "<Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>" SECRET                     \
    "</SecretAccessKey><SessionToken>" TOKEN_SECRET "</SessionToken><Expiration>" expires          \
    "</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
#define NOW_US INT64_C(1700000000000000) /* 2023-11-14T22:13:20Z */
#define LATER "2023-11-14T23:13:20Z"

typedef struct bench { /* a stand with shared files in a directory of its own */
    stand t;
    rv_s3_creds *creds;
    char dir[64], credentials[96], config[96], extra[96];
} bench;

static void write_text(const char *path, const char *text)
{
    CHECK_EQ(rv_file_replace(path, rv_str_bytes(rv_str_c(text)), 0600, NULL), RV_OK);
}

static bool begin(bench *b)
{
    *b = (bench){.dir = "/tmp/rvs3cXXXXXX"};
    stand_init(&b->t);
    b->t.now_us = NOW_US;
    b->t.cfg = (rv_cfg_dest){.kind = RV_DEST_S3, .bucket = "bucket", .region = "eu-west-1"};
    b->t.peer = http_peer_start(NULL);
    if (!b->t.peer || !mkdtemp(b->dir))
        return false;
    (void)snprintf(b->credentials, sizeof b->credentials, "%s/credentials", b->dir);
    (void)snprintf(b->config, sizeof b->config, "%s/config", b->dir);
    (void)snprintf(b->extra, sizeof b->extra, "%s/extra", b->dir);
    stand_set(&b->t, "AWS_SHARED_CREDENTIALS_FILE", b->credentials);
    stand_set(&b->t, "AWS_CONFIG_FILE", b->config);
    stand_set(&b->t, "AWS_ENDPOINT_URL_STS", http_peer_url(b->t.peer, ""));
    return true;
}

static void end(bench *b)
{
    char command[128];
    stand_is_discreet(&b->t, TOKEN_SECRET);
    rv_s3_creds_close(b->creds);
    stand_close(&b->t);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", b->dir);
    CHECK_EQ(system(command), 0);
}

static rv_status open_creds(bench *b)
{
    rv_s3_creds_close(b->creds);
    b->creds = NULL;
    rv_error_clear(&b->t.err);
    return rv_s3_creds_open(&b->t.env, &b->t.cfg, &b->creds, &b->t.err);
}

/* "access secret-is-right token" of what the chain gives now. */
static const char *take(bench *b)
{
    static char text[200];
    rv_s3_keys *keys = NULL;
    rv_status st = rv_s3_creds_take(b->creds, "eu-west-1", &keys, &b->t.err);
    if (st != RV_OK)
        return rv_code(st)->name;
    (void)snprintf(text, sizeof text, "%s%s%s", keys->access,
                   strcmp(keys->secret, SECRET) == 0 ? "" : " (another secret)",
                   keys->token ? strcmp(keys->token, TOKEN_SECRET) == 0 ? "+token" : "+other" : "");
    rv_s3_keys_drop(keys);
    return text;
}

static const char *open_take(bench *b)
{
    rv_status st = open_creds(b);
    return st == RV_OK ? take(b) : rv_code(st)->name;
}

static const char *where(const bench *b)
{
    return b->creds ? rv_s3_creds_where(b->creds) : "";
}

/* ---- the order ---- */

RV_TEST(first_match_wins)
{
    bench b;
    REQUIRE(begin(&b));
    stand *t = &b.t;
    CHECK_EQ(open_creds(&b), RV_E_DEST_AUTH);
    CHECK_STR(t->err.text, EXHAUSTED);
    CHECK(stand_logged(t, "not by web identity"));
    stand_set(t, "AWS_CONTAINER_CREDENTIALS_FULL_URI", http_peer_url(t->peer, "/c"));
    stand_say(t, 200, NULL, JSON_KEYS(LATER));
    CHECK_STR(open_take(&b), "ASIAMETA+token");
    CHECK_STR(where(&b), "container");
    write_text(b.credentials,
               "[default]\naws_access_key_id=AKIADEFAULT\naws_secret_access_key=" SECRET
               "\n[prod]\naws_access_key_id = AKIAPROD\n"
               "aws_secret_access_key = " SECRET "\n");
    CHECK_STR(open_take(&b), "AKIADEFAULT");
    CHECK_STR(where(&b), "profile 'default'");
    stand_set(t, "AWS_PROFILE", "prod");
    CHECK_STR(open_take(&b), "AKIAPROD");
    CHECK_STR(where(&b), "profile 'prod'");
    write_text(b.extra, "a.b.c\n");
    stand_set(t, "AWS_WEB_IDENTITY_TOKEN_FILE", b.extra);
    stand_set(t, "AWS_ROLE_ARN", "arn:aws:iam::1:role/r");
    stand_say(t, 200, NULL, STS_KEYS(LATER));
    CHECK_STR(open_take(&b), "ASIAROLE+token");
    CHECK_STR(where(&b), "web identity");
    stand_set(t, "AWS_ACCESS_KEY_ID", "AKIAENV");
    stand_set(t, "AWS_SECRET_ACCESS_KEY", SECRET "\n");
    CHECK_STR(open_take(&b), "AKIAENV");
    CHECK_STR(where(&b), "environment");
    t->cfg.aws_profile = "default";
    CHECK_STR(open_take(&b), "AKIADEFAULT");
    t->cfg.access_key_env = "ID";
    t->cfg.secret_key_env = "KEY";
    CHECK_STR(open_take(&b), "AKIAIOSFODNN7EXAMPLE");
    CHECK_STR(where(&b), "keys in ID and KEY");
    end(&b);
}

RV_TEST(explicit_never_falls_through)
{
    bench b;
    REQUIRE(begin(&b));
    stand *t = &b.t;
    stand_set(t, "AWS_ACCESS_KEY_ID", "AKIAENV");
    stand_set(t, "AWS_SECRET_ACCESS_KEY", SECRET);
    write_text(b.config, "[profile bare]\nregion = eu-west-3\n");
    t->cfg.aws_profile = "prod";
    CHECK_EQ(open_creds(&b), RV_E_DEST_AUTH);
    CHECK_STR(t->err.text, "there is no profile 'prod' in the shared AWS files");
    t->cfg.aws_profile = "bare";
    CHECK_EQ(open_creds(&b), RV_E_DEST_AUTH);
    CHECK_STR(t->err.text, "profile 'bare' of the shared AWS files holds no credentials");
    t->cfg.aws_profile = NULL;
    t->cfg.access_key_env = "NOT_SET";
    t->cfg.secret_key_env = "KEY";
    CHECK_EQ(open_creds(&b), RV_E_DEST_AUTH);
    CHECK(strstr(t->err.text, "NOT_SET"));
    t->cfg.access_key_env = "ID";
    t->cfg.secret_key_env = "NOT_SET";
    CHECK_EQ(open_creds(&b), RV_E_DEST_AUTH);
    CHECK(strstr(t->err.text, "NOT_SET"));
    t->cfg = (rv_cfg_dest){.kind = RV_DEST_S3, .bucket = "bucket"};
    stand_set(t, "AWS_SECRET_ACCESS_KEY", NULL); /* half a pair */
    CHECK_EQ(open_creds(&b), RV_E_DEST_AUTH);
    CHECK_STR(t->err.text, "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not");
    stand_set(t, "AWS_ACCESS_KEY_ID", NULL);
    stand_set(t, "AWS_PROFILE", "gone");
    CHECK_EQ(open_creds(&b), RV_E_DEST_AUTH);
    CHECK(strstr(t->err.text, "'gone', which AWS_PROFILE names"));
    end(&b);
}

RV_TEST(tokens_of_the_environment)
{
    bench b;
    REQUIRE(begin(&b));
    stand *t = &b.t;
    stand_set(t, "MY_TOKEN", TOKEN_SECRET);
    stand_set(t, "TEMPORARY", "ASIATEMPORARY");
    t->cfg.access_key_env = "TEMPORARY";
    t->cfg.secret_key_env = "KEY";
    CHECK_STR(open_take(&b), "ASIATEMPORARY");
    t->cfg.session_token_env = "MY_TOKEN";
    CHECK_STR(open_take(&b), "ASIATEMPORARY+token");
    t->cfg = (rv_cfg_dest){.kind = RV_DEST_S3, .bucket = "bucket"};
    stand_set(t, "AWS_ACCESS_KEY_ID", "ASIAENV");
    stand_set(t, "AWS_SECRET_ACCESS_KEY", SECRET);
    stand_set(t, "AWS_SESSION_TOKEN", TOKEN_SECRET);
    stand_set(t, "AWS_CREDENTIAL_EXPIRATION", LATER);
    CHECK_STR(open_take(&b), "ASIAENV+token");
    CHECK(stand_logged(t, "expires at 2023-11-14T23:13:20+00:00 and cannot be renewed"));
    rv_s3_keys *keys = NULL;
    REQUIRE(rv_s3_creds_take(b.creds, "", &keys, &t->err) == RV_OK);
    CHECK(!rv_s3_creds_refused(b.creds, keys));
    rv_s3_keys_drop(keys);
    stand_set(t, "AWS_SECRET_ACCESS_KEY",
              "with\x01"
              "a control character");
    CHECK_STR(open_take(&b), "RIVET_DEST_AUTH");
    end(&b);
}

/* ---- profiles ---- */

static const char profiles[] =
    "\xef\xbb\xbf# a comment\n"
    "[default]\nregion = us-east-2\ns3 =\n  aws_access_key_id = nested\n"
    "[profile static]\n aws_access_key_id = AKIASTATIC\n aws_secret_access_key = " SECRET "\n"
    " aws_session_token=" TOKEN_SECRET "\n"
    "[profile \"quoted name\"]\nAWS_ACCESS_KEY_ID=AKIAQUOTED\naws_secret_access_key=" SECRET "\n"
    "[profile process]\ncredential_process = printf '{\"Version\": 1,\\n \"AccessKeyId\": "
    "\"AKIAPROCESS\",\\n \"SecretAccessKey\": \"" SECRET "\"}\\n'\n"
    "[profile failing]\ncredential_process = echo '" SECRET "'; exit 3\n"
    "[profile old]\ncredential_process = echo '{\"Version\": 2, \"AccessKeyId\": \"a\", "
    "\"SecretAccessKey\": \"b\"}'\n"
    "[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = static\n"
    "external_id = ext\nrole_session_name = me\nduration_seconds = 900\n"
    "[profile itself]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = itself\n"
    "aws_access_key_id = AKIASELF\naws_secret_access_key = " SECRET "\n"
    "[profile twice]\nrole_arn = arn:aws:iam::1:role/s\nsource_profile = role\n"
    "[profile ring]\nrole_arn = arn:aws:iam::1:role/s\nsource_profile = ring2\n"
    "[profile ring2]\nrole_arn = arn:aws:iam::1:role/s\nsource_profile = ring\n"
    "[profile env]\nrole_arn = arn:aws:iam::1:role/s\ncredential_source = Environment\n"
    "[profile both]\nrole_arn = arn:aws:iam::1:role/s\ncredential_source = Environment\n"
    "source_profile = static\n"
    "[profile odd]\nrole_arn = arn:aws:iam::1:role/s\ncredential_source = Nothing\n"
    "[profile alone]\nrole_arn = arn:aws:iam::1:role/s\n"
    "[profile mfa]\nrole_arn = arn:aws:iam::1:role/s\nsource_profile = static\nmfa_serial = x\n"
    "[profile web]\nrole_arn = arn:aws:iam::1:role/w\nweb_identity_token_file = /dev/null\n"
    "[profile half]\naws_access_key_id = AKIAHALF\n"
    "[profile sso]\nsso_session = corp\nsso_account_id = 123\nsso_role_name = Reader\n";

static const char *open_profile(bench *b, const char *name)
{
    b->t.cfg.aws_profile = name;
    return open_take(b);
}

RV_TEST(forms_of_profiles)
{
    bench b;
    REQUIRE(begin(&b));
    stand *t = &b.t;
    write_text(b.config, profiles);
    CHECK_STR(open_profile(&b, "static"), "AKIASTATIC+token");
    CHECK_STR(open_profile(&b, "quoted name"), "AKIAQUOTED");
    CHECK_STR(open_profile(&b, "process"), "AKIAPROCESS");
    CHECK_STR(open_profile(&b, "failing"), "RIVET_DEST_AUTH");
    CHECK_STR(t->err.text, "credential_process of profile 'failing' failed");
    CHECK_STR(open_profile(&b, "old"), "RIVET_DEST_AUTH");
    CHECK_STR(open_profile(&b, "half"), "RIVET_DEST_AUTH");
    CHECK_STR(t->err.text, "profile 'half' gives no secret access key");
    CHECK_STR(open_profile(&b, "default"), "RIVET_DEST_AUTH"); /* nested settings are no keys */
    /* the credentials file wins */
    write_text(b.credentials, "[static]\naws_access_key_id = AKIAFILE\n");
    CHECK_STR(open_profile(&b, "static"), "AKIAFILE+token");
    static const char *const bad[] = {"ring", "env", "both", "odd", "alone", "mfa", "sso"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_STR(open_profile(&b, bad[i]), "RIVET_DEST_AUTH");
    CHECK(strstr(t->err.hint, "aws configure export-credentials --profile sso"));
    CHECK_EQ(http_peer_count(t->peer), 0);
    end(&b);
}

RV_TEST(roles_of_profiles)
{
    bench b;
    REQUIRE(begin(&b));
    stand *t = &b.t;
    write_text(b.config, profiles);
    stand_say(t, 200, NULL, STS_KEYS(LATER));
    CHECK_STR(open_profile(&b, "role"), "ASIAROLE+token");
    const http_seen *s = http_peer_request(t->peer, 0);
    REQUIRE(s);
    CHECK_STR((const char *)s->body,
              "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&"
              "RoleSessionName=me&ExternalId=ext&DurationSeconds=900");
    CHECK(strstr(stand_header(t, 0, "Authorization"),
                 "Credential=AKIASTATIC/20231114/eu-west-1/sts/aws4_request, SignedHeaders="
                 "content-type;host;x-amz-date;x-amz-security-token"));
    stand_say(t, 200, NULL, STS_KEYS(LATER));
    CHECK_STR(open_profile(&b, "itself"), "ASIAROLE+token");
    CHECK(strstr(stand_header(t, 1, "Authorization"), "Credential=AKIASELF/"));
    stand_say(t, 200, NULL, STS_KEYS(LATER));
    stand_say(t, 200, NULL, STS_KEYS(LATER));
    CHECK_STR(open_profile(&b, "twice"), "ASIAROLE+token");
    CHECK(strstr(stand_header(t, 3, "Authorization"), "Credential=ASIAROLE/"));
    stand_set(t, "AWS_ACCESS_KEY_ID", "AKIAENV");
    stand_set(t, "AWS_SECRET_ACCESS_KEY", SECRET);
    stand_say(t, 200, NULL, STS_KEYS(LATER));
    CHECK_STR(open_profile(&b, "env"), "ASIAROLE+token");
    stand_say(t, 403, NULL,
              "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
              "<Message>not authorized</Message></Error></ErrorResponse>");
    CHECK_STR(open_profile(&b, "role"), "RIVET_DEST_AUTH");
    CHECK(strstr(t->err.text, "STS does not give the keys of the role arn:aws:iam::1:role/r\n"));
    CHECK(strstr(t->err.text, "403 AccessDenied: not authorized"));
    stand_say(t, 200, NULL, "<html>a proxy's page</html>");
    CHECK_STR(open_profile(&b, "role"), "RIVET_DEST_AUTH");
    end(&b);
}

RV_TEST(sso_by_the_cache)
{
    char path[200], aws[120], expired[700];
    bench b;
    REQUIRE(begin(&b));
    stand *t = &b.t;
    write_text(b.config, profiles);
    stand_set(t, "HOME", b.dir);
    (void)snprintf(aws, sizeof aws, "%s/.aws/cli/cache", b.dir);
    CHECK_EQ(rv_file_mkdirs(aws, 0700, NULL), RV_OK);
    /* SHA-1 of {"accountId":"123","roleName":"Reader","sessionName":"corp"} */
    (void)snprintf(path, sizeof path, "%s/e1207d6da43f31d99bcee48da8be8a2c0a8d3bc9.json", aws);
    write_text(path, "{\"ProviderType\":\"sso\",\"Credentials\":{\"AccessKeyId\":\"ASIASSO\","
                     "\"SecretAccessKey\":\"" SECRET "\",\"SessionToken\":\"" TOKEN_SECRET
                     "\",\"Expiration\":\"" LATER "\"}}");
    CHECK_STR(open_profile(&b, "sso"), "ASIASSO+token");
    (void)snprintf(expired, sizeof expired,
                   "{\"Credentials\":{\"AccessKeyId\":\"ASIASSO\",\"SecretAccessKey\":\"%s\","
                   "\"Expiration\":\"2023-11-14T22:00:00Z\"}}",
                   SECRET);
    write_text(path, expired);
    CHECK_STR(open_profile(&b, "sso"), "RIVET_DEST_AUTH");
    CHECK(strstr(t->err.hint, "aws configure export-credentials"));
    end(&b);
}

/* ---- STS by the configuration ---- */

RV_TEST(a_role_on_top)
{
    bench b;
    REQUIRE(begin(&b));
    stand *t = &b.t;
    t->cfg.access_key_env = "ID";
    t->cfg.secret_key_env = "KEY";
    t->cfg.role_arn = "arn:aws:iam::1:role/writer";
    t->cfg.external_id = "a b&c";
    stand_say(t, 400, NULL,
              "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>");
    stand_say(t, 200, NULL, STS_KEYS(LATER));
    CHECK_STR(open_take(&b), "ASIAROLE+token");
    CHECK_STR(where(&b), "keys in ID and KEY, assumed role arn:aws:iam::1:role/writer");
    const http_seen *s = http_peer_request(t->peer, 1);
    REQUIRE(s);
    CHECK(strstr((const char *)s->body, "RoleSessionName=rivet&ExternalId=a%20b%26c"));
    /* renewed five minutes before the end, and not before */
    CHECK_STR(take(&b), "ASIAROLE+token");
    t->now_us += INT64_C(3300) * 1000000 - 1;
    CHECK_STR(take(&b), "ASIAROLE+token");
    CHECK_EQ(http_peer_count(t->peer), 2);
    t->now_us += 1;
    stand_say(t, 403, NULL, ""); /* not yet: the old ones still hold */
    CHECK_STR(take(&b), "ASIAROLE+token");
    CHECK_STR(take(&b), "ASIAROLE+token"); /* and it is not asked again at once */
    CHECK_EQ(http_peer_count(t->peer), 3);
    t->now_us += INT64_C(300) * 1000000;
    stand_say(t, 403, NULL, "");
    CHECK_STR(take(&b), "RIVET_DEST_AUTH");
    stand_set(t, "AWS_ENDPOINT_URL_STS", "http://sts.example.com");
    CHECK_STR(open_take(&b), "RIVET_DEST_AUTH");
    CHECK(strstr(t->err.text, "the endpoint of STS"));
    end(&b);
}

RV_TEST(web_identity)
{
    bench b;
    REQUIRE(begin(&b));
    stand *t = &b.t;
    write_text(b.extra, "first." TOKEN_SECRET "\n");
    stand_set(t, "AWS_WEB_IDENTITY_TOKEN_FILE", b.extra);
    stand_set(t, "AWS_ROLE_ARN", "arn:aws:iam::1:role/pod");
    stand_set(t, "AWS_ROLE_SESSION_NAME", "pod-7");
    stand_say(t, 200, NULL, STS_KEYS(LATER));
    CHECK_STR(open_take(&b), "ASIAROLE+token");
    CHECK_STR(stand_header(t, 0, "Authorization"), "");
    const http_seen *s = http_peer_request(t->peer, 0);
    REQUIRE(s);
    CHECK_STR(
        (const char *)s->body,
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3A"
        "role%2Fpod&RoleSessionName=pod-7&WebIdentityToken=first." TOKEN_SECRET);
    /* the file is read anew for each renewal */
    write_text(b.extra, "second");
    rv_s3_keys *keys = NULL;
    REQUIRE(rv_s3_creds_take(b.creds, "", &keys, &t->err) == RV_OK);
    CHECK(rv_s3_creds_refused(b.creds, keys));
    stand_say(t, 200, NULL, STS_KEYS(LATER));
    CHECK_STR(take(&b), "ASIAROLE+token");
    CHECK(rv_s3_creds_refused(b.creds, keys)); /* renewed since: not once more */
    CHECK_STR(take(&b), "ASIAROLE+token");
    CHECK_EQ(http_peer_count(t->peer), 2);
    rv_s3_keys_drop(keys);
    s = http_peer_request(t->peer, 1);
    REQUIRE(s);
    CHECK(strstr((const char *)s->body, "WebIdentityToken=second"));
    CHECK_EQ(unlink(b.extra), 0);
    CHECK_STR(open_take(&b), "RIVET_DEST_AUTH");
    end(&b);
}

/* ---- metadata ---- */

RV_TEST(container)
{
    bench b;
    REQUIRE(begin(&b));
    stand *t = &b.t;
    stand_set(t, "AWS_CONTAINER_CREDENTIALS_FULL_URI", http_peer_url(t->peer, "/creds?id=1"));
    stand_set(t, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "variable");
    stand_say(t, 200, NULL, JSON_KEYS(LATER));
    CHECK_STR(open_take(&b), "ASIAMETA+token");
    CHECK_STR(stand_header(t, 0, "Authorization"), "variable");
    write_text(b.extra, "of-the-file\n");
    stand_set(t, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", b.extra);
    stand_say(t, 500, NULL, "");
    stand_say(t, 200, NULL, JSON_KEYS(LATER));
    CHECK_STR(open_take(&b), "ASIAMETA+token");
    CHECK_STR(stand_header(t, 2, "Authorization"), "of-the-file");
    stand_say(t, 403, NULL, "{\"code\":\"AccessDenied\"}");
    CHECK_STR(open_take(&b), "RIVET_DEST_AUTH");
    static const char *const bad[] = {"{\"AccessKeyId\":\"a\"}",
                                      "[]",
                                      "",
                                      "nothing",
                                      "{\"Code\":\"Failed\",\"Message\":\"m\"}",
                                      "{\"AccessKeyId\":7,\"SecretAccessKey\":\"b\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        stand_say(t, 200, NULL, bad[i]);
        CHECK_STR(open_take(&b), "RIVET_DEST_AUTH");
    }
    size_t before = http_peer_count(t->peer);
    static const char *const elsewhere[] = {"http://10.0.0.1/", "http://169.254.169.254/x",
                                            "http://localhost.example/", "ftp://localhost/"};
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        stand_set(t, "AWS_CONTAINER_CREDENTIALS_FULL_URI", elsewhere[i]);
        CHECK_STR(open_take(&b), "RIVET_DEST_AUTH");
    }
    CHECK_EQ(http_peer_count(t->peer), before);
    end(&b);
}

static void serve_instance(void *ctx, const http_seen *seen, http_answer *a)
{
    char token[64] = "";
    (void)ctx;
    (void)http_seen_header(seen, "X-aws-ec2-metadata-token", token, sizeof token);
    if (strcmp(seen->method, "PUT") == 0 && strcmp(seen->target, "/latest/api/token") == 0) {
        CHECK(http_seen_header(seen, "X-aws-ec2-metadata-token-ttl-seconds", token, sizeof token));
        CHECK_STR(token, "21600");
        a->body = "imds-token";
    } else if (strcmp(token, "imds-token") != 0) {
        a->status = 401;
    } else if (strcmp(seen->target, "/latest/meta-data/placement/region") == 0) {
        a->body = "ap-south-1\n";
    } else if (strcmp(seen->target, "/latest/meta-data/iam/security-credentials/") == 0) {
        a->body = "the-role\n";
    } else if (strcmp(seen->target, "/latest/meta-data/iam/security-credentials/the-role") == 0) {
        a->body = JSON_KEYS(LATER);
    } else {
        a->status = 404;
    }
}

RV_TEST(instance)
{
    char region[RV_S3_REGION_SIZE];
    bench b;
    REQUIRE(begin(&b));
    stand *t = &b.t;
    stand_set(t, "AWS_EC2_METADATA_DISABLED", NULL);
    stand_set(t, "AWS_EC2_METADATA_SERVICE_ENDPOINT", http_peer_url(t->peer, "/"));
    stand_set(t, "http_proxy", "http://127.0.0.1:1"); /* never asked */
    http_peer_say(t->peer, (http_answer){.repeat = HTTP_FOREVER, .look = serve_instance});
    CHECK_STR(open_take(&b), "ASIAMETA+token");
    CHECK_STR(where(&b), "instance metadata");
    CHECK_EQ(http_peer_count(t->peer), 3);
    CHECK_EQ(rv_s3_region_fetch(&t->env, region, &t->err), RV_OK);
    CHECK_STR(region, "ap-south-1");
    stand_is_discreet(t, "imds-token");
    end(&b);
}

RV_TEST(instance_that_gives_nothing)
{
    char region[RV_S3_REGION_SIZE];
    bench b;
    REQUIRE(begin(&b));
    stand *t = &b.t;
    stand_set(t, "AWS_EC2_METADATA_DISABLED", "false");
    stand_set(t, "AWS_EC2_METADATA_SERVICE_ENDPOINT", http_peer_url(t->peer, ""));
    stand_say(t, 200, NULL, "tok");
    stand_say(t, 404, NULL, ""); /* no role */
    CHECK_STR(open_take(&b), "RIVET_DEST_AUTH");
    CHECK_STR(t->err.text, EXHAUSTED);
    stand_say(t, 403, NULL, ""); /* no tokens: the first version is not tried */
    CHECK_STR(open_take(&b), "RIVET_DEST_AUTH");
    CHECK_STR(t->err.text, EXHAUSTED);
    CHECK_EQ(http_peer_count(t->peer), 3);
    http_peer_say(t->peer, (http_answer){.status = 500, .repeat = 1});
    CHECK_STR(open_take(&b), "RIVET_DEST_AUTH"); /* two tries */
    CHECK_EQ(http_peer_count(t->peer), 5);
    stand_set(t, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    CHECK_STR(open_take(&b), "RIVET_DEST_AUTH");
    CHECK_STR(t->err.text, EXHAUSTED);
    CHECK_EQ(rv_s3_region_fetch(&t->env, region, &t->err), RV_E_CONFIG_DESTINATION);
    CHECK(strstr(t->err.hint, "region:"));
    rv_cancel_raise(t->env.cancel, SIGINT);
    CHECK_STR(open_take(&b), "RIVET_INTERRUPTED");
    end(&b);
}

RV_TEST(regions)
{
    const char *region = NULL;
    rv_arena arena = RV_ARENA_INIT;
    bench b;
    REQUIRE(begin(&b));
    stand *t = &b.t;
    CHECK_EQ(rv_s3_region_find(&t->env, &t->cfg, &arena, &region, &t->err), RV_OK);
    CHECK(region == NULL);
    write_text(b.config, "[default]\nregion = a\n[profile x]\nregion = b\n[x]\nregion = c\n");
    CHECK_EQ(rv_s3_region_find(&t->env, &t->cfg, &arena, &region, &t->err), RV_OK);
    CHECK_STR(region, "a");
    stand_set(t, "AWS_PROFILE", "x");
    CHECK_EQ(rv_s3_region_find(&t->env, &t->cfg, &arena, &region, &t->err), RV_OK);
    CHECK_STR(region, "b");
    stand_set(t, "AWS_DEFAULT_REGION", "d");
    CHECK_EQ(rv_s3_region_find(&t->env, &t->cfg, &arena, &region, &t->err), RV_OK);
    CHECK_STR(region, "d");
    stand_set(t, "AWS_REGION", "e");
    CHECK_EQ(rv_s3_region_find(&t->env, &t->cfg, &arena, &region, &t->err), RV_OK);
    CHECK_STR(region, "e");
    rv_arena_free(&arena);
    end(&b);
}

/* ---- within a store ---- */

static void serve_expiring(void *ctx, const http_seen *seen, http_answer *a)
{
    unsigned *renewals = ctx;
    char token[100] = "";
    if (strcmp(seen->target, "/creds") == 0) {
        ++*renewals;
        a->body = *renewals == 1 ? JSON_KEYS(LATER)
                                 : "{\"AccessKeyId\":\"ASIASECOND\",\"SecretAccessKey\":\"" SECRET
                                   "\",\"Token\":\"second-token\"}";
        return;
    }
    (void)http_seen_header(seen, "x-amz-security-token", token, sizeof token);
    if (*renewals < 9 && strcmp(token, "second-token") == 0) {
        a->headers = ETAG_HELLO;
        return;
    }
    a->status = 400;
    a->body = "<Error><Code>ExpiredToken</Code><Message>m</Message></Error>";
}

RV_TEST(a_token_that_expires_on_the_way)
{
    unsigned renewals = 0;
    bench b;
    REQUIRE(begin(&b));
    stand *t = &b.t;
    const rv_http_opts opts = {.wait = stand_wait, .wait_ctx = t};
    stand_set(t, "AWS_CONTAINER_CREDENTIALS_FULL_URI", http_peer_url(t->peer, "/creds"));
    t->cfg.endpoint = http_peer_url(t->peer, "");
    REQUIRE(rv_http_open(&t->env, &opts, &t->http, &t->err) == RV_OK);
    REQUIRE(stand_open_store(t) == RV_OK);
    http_peer_say(t->peer,
                  (http_answer){.repeat = HTTP_FOREVER, .look = serve_expiring, .ctx = &renewals});
    CHECK_EQ(stand_put(t, RV_STORE_IF_ABSENT), RV_OK);
    CHECK_EQ(t->outcome, RV_STORE_DONE);
    CHECK_EQ(renewals, 2);
    CHECK_EQ(t->n_waits, 0);
    renewals = 9; /* from now on nothing is good enough: once is enough */
    CHECK_EQ(stand_put(t, RV_STORE_IF_ABSENT), RV_E_DEST_AUTH);
    CHECK_EQ(renewals, 10);
    stand_is_discreet(t, "second-token");
    end(&b);
}

RV_TEST(every_allocation_may_fail)
{
#ifdef RV_FAULTS
    bool done = false;
    bench b;
    REQUIRE(begin(&b));
    write_text(b.config, profiles);
    b.t.cfg.aws_profile = "process";
    for (long nth = 1; !done && nth < 300; nth++) {
        rv_fault_set_alloc(nth, false);
        const char *got = open_take(&b);
        done = rv_fault_seen_alloc() < nth;
        rv_fault_set_alloc(0, false);
        if (done || strcmp(got, "RIVET_MEMORY") != 0) /* a line of the log may get lost */
            CHECK_STR(got, "AKIAPROCESS");
    }
    CHECK(done);
    end(&b);
#else
    SKIP("built without RV_FAULTS");
#endif
}

RV_TEST_MAIN(RV_CASE(first_match_wins), RV_CASE(explicit_never_falls_through),
             RV_CASE(tokens_of_the_environment), RV_CASE(forms_of_profiles),
             RV_CASE(roles_of_profiles), RV_CASE(sso_by_the_cache), RV_CASE(a_role_on_top),
             RV_CASE(web_identity), RV_CASE(container), RV_CASE(instance),
             RV_CASE(instance_that_gives_nothing), RV_CASE(regions),
             RV_CASE(a_token_that_expires_on_the_way), RV_CASE(every_allocation_may_fail))
