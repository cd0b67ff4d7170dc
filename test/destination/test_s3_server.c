/* The S3 destination on a real server: RIVET_TEST_S3 is JSON with endpoint, access_key, secret_key,
 * bucket and region. Unset: skipped. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "conformance/destination.h"
#include "destination/cloud/store.h"
#include "rvtest.h"

#define OWNER "fedcba9876543210fedcba9876543210"
#define PART ((size_t)5 << 20) /* the least that S3 takes */

typedef struct fixture {
    json_t *server;
    rv_env env;
    rv_cfg_dest cfg;
    rv_error err;
    rv_http *http;
    rv_store *store;
    char tmp[64], prefix[64], base[40];
    int opened;
    rv_buf spool;
} fixture;

static const char *fact(const fixture *f, const char *name)
{
    const char *value = json_string_value(json_object_get(f->server, name));
    return value ? value : "";
}

static const char *from_server(void *ctx, const char *name)
{
    const fixture *f = ctx;
    if (strcmp(name, "ID") == 0)
        return fact(f, "access_key");
    return strcmp(name, "SECRET") == 0 ? fact(f, "secret_key") : NULL;
}

static bool begin(fixture *f)
{
    const char *text = getenv("RIVET_TEST_S3");
    *f = (fixture){.tmp = "/tmp/rvs3XXXXXX"};
    f->server = text ? json_loads(text, 0, NULL) : NULL;
    if (!f->server) {
        rvtest_skip("RIVET_TEST_S3 names no server");
        return false;
    }
    CHECK(mkdtemp(f->tmp) != NULL);
    (void)snprintf(f->base, sizeof f->base, "c-%lld", (long long)rv_clock_now_us());
    f->env = (rv_env){.getenv = from_server, .getenv_ctx = f, .tmp_dir = f->tmp};
    f->cfg = (rv_cfg_dest){.kind = RV_DEST_S3,
                           .endpoint = fact(f, "endpoint"),
                           .bucket = fact(f, "bucket"),
                           .region = fact(f, "region"),
                           .access_key_env = "ID",
                           .secret_key_env = "SECRET",
                           .upload_threshold_mb = 64,
                           .upload_part_mb = 16,
                           .upload_parallel = 2};
    CHECK_EQ(rv_http_open(&f->env, NULL, &f->http, &f->err), RV_OK);
    rv_status st = rv_store_s3.open(&f->env, &f->cfg, &f->store, &f->err);
    CHECK_EQ(st, RV_OK);
    return st == RV_OK;
}

static void end(fixture *f)
{
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", f->tmp);
    CHECK_EQ(system(command), 0);
    rv_store_s3.close(f->store);
    rv_http_close(f->http);
    rv_buf_free(&f->spool);
    json_decref(f->server);
}

static rv_dest *open_new(void *ctx)
{
    fixture *f = ctx;
    rv_dest *d = NULL;
    (void)snprintf(f->prefix, sizeof f->prefix, "%s/%d e/", f->base, f->opened++);
    CHECK_EQ(rv_dest_s3.open(&f->env, &f->cfg, f->prefix, &d, &f->err), RV_OK);
    return d;
}

static rv_store_write write_of(const char *name, rv_bytes bytes, char md5[33])
{
    rv_md5 m;
    uint8_t raw[16];
    rv_md5_init(&m);
    rv_md5_update(&m, bytes.ptr, bytes.len);
    rv_md5_final(&m, raw);
    rv_hex(raw, sizeof raw, md5);
    return (rv_store_write){.name = name,
                            .fd = -1,
                            .bytes = bytes,
                            .size_bytes = bytes.len,
                            .md5 = md5,
                            .owner_token = OWNER,
                            .mime = "text/plain"};
}

static bool plant(void *ctx, const char *key, const char *content)
{
    fixture *f = ctx;
    char name[300], md5[33];
    rv_store_outcome outcome = RV_STORE_MISSING;
    (void)snprintf(name, sizeof name, "%s%s", f->prefix, key);
    rv_store_write w = write_of(name, rv_str_bytes(rv_str_c(content)), md5);
    return rv_store_s3.put(f->store, f->http, &w, &outcome, &f->err) == RV_OK &&
           outcome == RV_STORE_DONE;
}

static const char *spool(void *ctx, rv_dest *d, const char *key, const char *content)
{
    fixture *f = ctx;
    int fd = -1;
    rv_buf_clear(&f->spool);
    CHECK_EQ(rv_dest_s3.spool_path(d, "run_1", key, &f->spool, &f->err), RV_OK);
    const char *path = rv_buf_cstr(&f->spool);
    (void)unlink(path);
    CHECK_EQ(rv_file_create(path, 0600, &fd, &f->err), RV_OK);
    CHECK_EQ(rv_file_write(fd, content, strlen(content), path, &f->err), RV_OK);
    rv_file_close(fd);
    return path;
}

RV_TEST(conformance)
{
    fixture f;
    if (!begin(&f))
        return;
    conformance_fixture c = {&rv_dest_s3, open_new, plant, spool, &f};
    conformance_destination(&c);
    end(&f);
}

RV_TEST(conformance_in_parts)
{
    fixture f;
    if (!begin(&f))
        return;
    f.cfg.upload_threshold_mb = 0;
    conformance_fixture c = {&rv_dest_s3, open_new, plant, spool, &f};
    conformance_destination(&c);
    end(&f);
}

/* ---- request by request ---- */

static rv_status count(void *self, rv_bytes data, rv_error *err)
{
    (void)err;
    rv_md5_update(self, data.ptr, data.len);
    return RV_OK;
}

static void reads_back(fixture *f, const rv_store_write *w)
{
    rv_md5 m;
    uint8_t raw[16];
    char md5[33];
    rv_store_outcome outcome = RV_STORE_MISSING;
    rv_md5_init(&m);
    CHECK_EQ(rv_store_s3.get(f->store, f->http, w->name, 0, w->size_bytes, (rv_sink){&m, count},
                             &outcome, &f->err),
             RV_OK);
    CHECK_EQ(outcome, RV_STORE_DONE);
    rv_md5_final(&m, raw);
    rv_hex(raw, sizeof raw, md5);
    CHECK_STR(md5, w->md5);
}

/* Two parts, the first as small as may be. */
static void upload_pieces(fixture *f, const rv_store_write *w, const char *id,
                          rv_store_piece pieces[2], rv_store_outcome *outcome)
{
    char md5[33];
    for (size_t i = 0; i < 2; i++) {
        pieces[i] = (rv_store_piece){
            .index = i, .offset = i * PART, .len = i ? w->size_bytes - PART : PART, .last = i == 1};
        (void)write_of("", (rv_bytes){w->bytes.ptr + i * PART, (size_t)pieces[i].len}, md5);
        (void)memcpy(pieces[i].md5, md5, sizeof md5);
        CHECK_EQ(rv_store_s3.upload_part(f->store, f->http, w, id, &pieces[i], outcome, &f->err),
                 RV_OK);
        CHECK_EQ(*outcome, RV_STORE_DONE);
    }
}

static void upload_whole(fixture *f, rv_store_write *w)
{
    rv_buf id = RV_BUF_INIT;
    rv_store_piece pieces[2];
    rv_store_outcome outcome = RV_STORE_MISSING;
    rv_object o = {.size_bytes = 0};
    CHECK_EQ(rv_store_s3.upload_begin(f->store, f->http, w, &id, &outcome, &f->err), RV_OK);
    const char *text = rv_buf_cstr(&id);
    REQUIRE(text && outcome == RV_STORE_DONE);
    upload_pieces(f, w, text, pieces, &outcome);
    CHECK_EQ(rv_store_s3.upload_finish(f->store, f->http, w, text, pieces, 2, &outcome, &f->err),
             RV_OK);
    CHECK_EQ(outcome, RV_STORE_DONE);
    CHECK_EQ(rv_store_s3.head(f->store, f->http, w->name, &o, &outcome, &f->err), RV_OK);
    CHECK_STR(o.md5, w->md5);
    CHECK_STR(o.owner, OWNER);
    CHECK_EQ(o.size_bytes, w->size_bytes);
    reads_back(f, w);
    /* the same again: not over what is there */
    CHECK_EQ(rv_store_s3.upload_begin(f->store, f->http, w, &id, &outcome, &f->err), RV_OK);
    text = rv_buf_cstr(&id);
    REQUIRE(text && outcome == RV_STORE_DONE);
    upload_pieces(f, w, text, pieces, &outcome);
    w->condition = RV_STORE_IF_ABSENT;
    CHECK_EQ(rv_store_s3.upload_finish(f->store, f->http, w, text, pieces, 2, &outcome, &f->err),
             RV_OK);
    CHECK_EQ(outcome, RV_STORE_UNMET);
    CHECK_EQ(rv_store_s3.upload_abort(f->store, f->http, w->name, "", &outcome, &f->err), RV_OK);
    CHECK_EQ(outcome, RV_STORE_DONE); /* the one upload of this name */
    CHECK_EQ(rv_store_s3.upload_abort(f->store, f->http, w->name, text, &outcome, &f->err), RV_OK);
    CHECK(outcome == RV_STORE_MISSING || outcome == RV_STORE_DONE);
    CHECK_EQ(rv_store_s3.upload_abort(f->store, f->http, w->name, "", &outcome, &f->err), RV_OK);
    CHECK_EQ(outcome, RV_STORE_MISSING);
    rv_buf_free(&id);
}

RV_TEST(a_large_object)
{
    fixture f;
    char md5[33], name[100];
    rv_store_outcome outcome = RV_STORE_MISSING;
    size_t len = PART + 12345;
    if (!begin(&f))
        return;
    uint8_t *bytes = malloc(len);
    REQUIRE(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    (void)snprintf(name, sizeof name, "%s/large $&+,:;=?@ \xc3\xa9'()*!~", f.base);
    rv_store_write w = write_of(name, (rv_bytes){bytes, len}, md5);
    upload_whole(&f, &w);
    CHECK_EQ(rv_store_s3.remove(f.store, f.http, name, NULL, &outcome, &f.err), RV_OK);
    free(bytes);
    end(&f);
}

RV_TEST(conditions_and_copies)
{
    fixture f;
    char md5[33], name[100], other[120];
    rv_object o = {.size_bytes = 0}, c = {.size_bytes = 0};
    rv_store_outcome outcome = RV_STORE_MISSING;
    if (!begin(&f))
        return;
    (void)snprintf(name, sizeof name, "%s/a+b c", f.base);
    (void)snprintf(other, sizeof other, "%s/_quarantine/r/a+b c", f.base);
    rv_store_write w = write_of(name, rv_str_bytes(RV_STR("hello")), md5);
    w.condition = RV_STORE_IF_ABSENT;
    CHECK_EQ(rv_store_s3.put(f.store, f.http, &w, &outcome, &f.err), RV_OK);
    CHECK_EQ(outcome, RV_STORE_DONE);
    CHECK_EQ(rv_store_s3.put(f.store, f.http, &w, &outcome, &f.err), RV_OK);
    CHECK_EQ(outcome, RV_STORE_UNMET);
    CHECK_EQ(rv_store_s3.head(f.store, f.http, name, &o, &outcome, &f.err), RV_OK);
    CHECK_STR(o.md5, md5);
    CHECK_EQ(rv_store_s3.copy(f.store, f.http, name, &o, other, &outcome, &f.err), RV_OK);
    CHECK_EQ(outcome, RV_STORE_DONE);
    CHECK_EQ(rv_store_s3.head(f.store, f.http, other, &c, &outcome, &f.err), RV_OK);
    CHECK_STR(c.owner, OWNER);
    CHECK_STR(c.md5, md5);
    CHECK_EQ(rv_store_s3.remove(f.store, f.http, name, o.version, &outcome, &f.err), RV_OK);
    if (outcome == RV_STORE_UNCONDITIONAL)
        CHECK_EQ(rv_store_s3.remove(f.store, f.http, name, NULL, &outcome, &f.err), RV_OK);
    CHECK_EQ(outcome, RV_STORE_DONE);
    CHECK_EQ(rv_store_s3.head(f.store, f.http, name, &o, &outcome, &f.err), RV_OK);
    CHECK_EQ(outcome, RV_STORE_MISSING);
    CHECK_EQ(rv_store_s3.remove(f.store, f.http, other, NULL, &outcome, &f.err), RV_OK);
    end(&f);
}

RV_TEST(what_a_server_refuses)
{
    fixture f;
    rv_object o;
    rv_object_list l = {.n = 0};
    rv_buf token = RV_BUF_INIT;
    rv_store_page page = {&l, &token};
    rv_store_outcome outcome;
    rv_store *s = NULL;
    if (!begin(&f))
        return;
    rv_cfg_dest cfg = f.cfg;
    cfg.bucket = "no-such-bucket-here";
    REQUIRE(rv_store_s3.open(&f.env, &cfg, &s, &f.err) == RV_OK);
    CHECK_EQ(rv_store_s3.list(s, f.http, "", &page, &f.err), RV_E_DEST_NO_BUCKET);
    rv_store_s3.close(s);
    cfg = f.cfg;
    cfg.secret_key_env = "ID"; /* a wrong one */
    REQUIRE(rv_store_s3.open(&f.env, &cfg, &s, &f.err) == RV_OK);
    CHECK_EQ(rv_store_s3.list(s, f.http, "", &page, &f.err), RV_E_DEST_AUTH);
    CHECK_EQ(rv_store_s3.head(s, f.http, "k", &o, &outcome, &f.err), RV_E_DEST_PERMISSION);
    rv_store_s3.close(s);
    rv_buf_free(&token);
    end(&f);
}

RV_TEST_MAIN(RV_CASE(conformance), RV_CASE(conformance_in_parts), RV_CASE(a_large_object),
             RV_CASE(conditions_and_copies), RV_CASE(what_a_server_refuses))
