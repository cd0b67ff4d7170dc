#include <jansson.h>

#include "inspect_fixture.h"

#define FX_MANY                                                                                    \
    "CREATE TABLE small (id INTEGER PRIMARY KEY, price DECIMAL(10,2), loose NUMERIC);"             \
    "CREATE TABLE big (id INTEGER PRIMARY KEY, v TEXT);"                                           \
    "CREATE TABLE coded (code TEXT PRIMARY KEY NOT NULL, v TEXT) WITHOUT ROWID;"                   \
    "CREATE TABLE timed (v TEXT, updated_at TIMESTAMP, created_at TIMESTAMP NOT NULL);"            \
    "CREATE TABLE plain (a TEXT, b TEXT, c TEXT, d TEXT, e TEXT);"                                 \
    "CREATE TABLE \"odd name: ${X}\" (\"a b\" TEXT, \"true\" DECIMAL(4,1));"                       \
    "CREATE VIEW seen AS SELECT * FROM small;"                                                     \
    "INSERT INTO small VALUES (1, 1, 1); INSERT INTO big VALUES (1, 'x');"                         \
    "INSERT INTO coded VALUES ('a', 'x'); INSERT INTO timed VALUES ('x', NULL, '2026-01-01');"     \
    "INSERT INTO plain VALUES ('1', '2', '3', '4', '5');"                                          \
    "ANALYZE; DELETE FROM sqlite_stat1;"                                                           \
    "INSERT INTO sqlite_stat1 VALUES ('big', NULL, '6000000'), ('coded', NULL, '200000'),"         \
    " ('timed', NULL, '300000'), ('plain', NULL, '400000'), ('small', NULL, '1');"

static bool init(fixture *f, const rv_init_opts *opts, bool discover, rv_buf *out, rv_buf *notes)
{
    rv_status st = rv_engine_init(&f->env, opts, discover, out, notes, &f->err);
    if (st == RV_OK)
        return rv_buf_cstr(out) && rv_buf_cstr(notes);
    printf("init: %s\n", f->err.text);
    return false;
}

static const rv_cfg_export *named(const fixture *f, const char *name)
{
    const char *suggestion;
    return rv_cfg_find_export(f->cfg, name, &suggestion);
}

RV_TEST(the_scaffold_loads_and_says_what_it_chose)
{
    fixture f;
    rv_buf out = RV_BUF_INIT, notes = RV_BUF_INIT;
    REQUIRE(fx_open(&f, FX_MANY));
    (void)snprintf(f.url, sizeof f.url, "sqlite:shop.db");
    rv_init_opts opts = {
        .source_url = "sqlite:shop.db", .output_file = f.config, .cwd = "/nowhere"};
    REQUIRE(init(&f, &opts, false, &out, &notes));
    const char *text = (const char *)out.ptr;
    REQUIRE(fx_write(f.config, text));
    if (!fx_load(&f)) {
        printf("%s", text);
        REQUIRE(false);
    }
    CHECK_EQ(f.diags.n_warnings, 0);
    CHECK_EQ(f.cfg->n_exports, 7);
    CHECK_STR(f.cfg->source.url_env, "DATABASE_URL");
    const rv_cfg_export *x = named(&f, "small");
    REQUIRE(x != NULL);
    CHECK_EQ(x->mode, RV_FULL);
    CHECK_EQ(x->n_columns, 2);
    CHECK(!x->exported_at && !x->row_hash);
    CHECK_STR(x->dest.path, "./output");
    x = named(&f, "big");
    REQUIRE(x != NULL);
    CHECK_EQ(x->mode, RV_CHUNKED);
    CHECK_STR(x->chunk_column, "id");
    CHECK_EQ(x->parallel, 4);
    CHECK(x->chunk_checkpoint);
    CHECK_EQ(x->parquet.target_row_group_mb, 128);
    x = named(&f, "coded");
    REQUIRE(x != NULL);
    CHECK_STR(x->chunk_by_key, "code");
    x = named(&f, "timed");
    REQUIRE(x != NULL);
    CHECK_EQ(x->mode, RV_INCREMENTAL);
    CHECK_STR(x->cursor_column, "updated_at");
    x = named(&f, "plain");
    REQUIRE(x != NULL);
    CHECK_EQ(x->mode, RV_FULL);
    CHECK_EQ(x->parquet.target_row_group_mb, 64);
    CHECK(strstr(text, "REVIEW") != NULL);
    CHECK(strstr(text, "#   .rivet_state.db*\n") != NULL);
    CHECK(strstr(text, "    #   price DECIMAL(10,2)\n") != NULL);
    CHECK(strstr(text, "shop.db") == NULL);
    CHECK(strstr((const char *)notes.ptr, "REVIEW") != NULL);
    rv_buf_free(&out);
    rv_buf_free(&notes);
    fx_close(&f);
}

/* What init writes, check accepts: odd names included. */
RV_TEST(the_scaffold_can_be_read)
{
    fixture f;
    rv_buf out = RV_BUF_INIT, notes = RV_BUF_INIT;
    rv_check_report *r = NULL;
    size_t n = 0;
    REQUIRE(fx_open(&f, FX_MANY));
    (void)snprintf(f.url, sizeof f.url, "sqlite:shop.db");
    rv_init_opts opts = {.source_env = "DATABASE_URL", .cwd = f.dir};
    REQUIRE(init(&f, &opts, false, &out, &notes));
    REQUIRE(fx_write(f.config, (const char *)out.ptr) && fx_load(&f));
    rv_check_opts check = {.type_report = true};
    REQUIRE(rv_engine_check(&f.env, f.cfg, &check, &f.arena, &r, &n, &f.err) == RV_OK);
    for (size_t i = 0; i < n; i++) {
        CHECK_STR(r[i].error.text, "");
        CHECK(r[i].verdict != NULL);
    }
    rv_buf_free(&out);
    rv_buf_free(&notes);
    fx_close(&f);
}

RV_TEST(tables_are_picked_by_name_and_glob)
{
    fixture f;
    rv_buf out = RV_BUF_INIT, notes = RV_BUF_INIT;
    static const char *const include[] = {"*l*", "?ig"}, *const exclude[] = {"pl*"};
    char url[128];
    REQUIRE(fx_open(&f, FX_MANY));
    (void)snprintf(url, sizeof url, "sqlite://%s", f.db);
    rv_init_opts opts = {.source_url = url,
                         .include = include,
                         .n_include = 2,
                         .exclude = exclude,
                         .n_exclude = 1,
                         .cwd = "/"};
    REQUIRE(init(&f, &opts, false, &out, &notes));
    const char *text = (const char *)out.ptr;
    CHECK(strstr(text, "- name: small\n") && strstr(text, "- name: big\n"));
    CHECK(!strstr(text, "- name: plain\n") && !strstr(text, "- name: coded\n"));
    rv_buf_clear(&out);
    opts = (rv_init_opts){.source_url = url, .table = "main.big", .mode = "full", .cwd = "/"};
    CHECK_EQ(init(&f, &opts, false, &out, &notes), true);
    CHECK(strstr((const char *)out.ptr, "    table: big\n") != NULL);
    CHECK(strstr((const char *)out.ptr, "    mode: full\n") != NULL);
    rv_buf_free(&out);
    rv_buf_free(&notes);
    fx_close(&f);
}

static rv_status refused(fixture *f, const rv_init_opts *opts, bool discover)
{
    rv_buf out = RV_BUF_INIT, notes = RV_BUF_INIT;
    rv_status st = rv_engine_init(&f->env, opts, discover, &out, &notes, &f->err);
    CHECK_EQ(out.len, 0);
    rv_buf_free(&out);
    rv_buf_free(&notes);
    return st;
}

RV_TEST(refusals_are_clear)
{
    fixture f;
    REQUIRE(fx_open(&f, FX_MANY));
    const char *d = f.dir, *u = "sqlite:shop.db";
    CHECK_EQ(refused(&f, &(rv_init_opts){.cwd = d}, false), RV_E_USAGE);
    CHECK_EQ(refused(&f, &(rv_init_opts){.source_url = u, .source_env = "X", .cwd = d}, false),
             RV_E_USAGE);
    CHECK_EQ(refused(&f, &(rv_init_opts){.source_env = "X", .cwd = d}, false),
             RV_E_CONFIG_NO_CONNECTION);
    CHECK_EQ(refused(&f, &(rv_init_opts){.source_url = "oracle://h/d", .cwd = d}, false),
             RV_E_CONFIG_SCHEME);
    CHECK_EQ(refused(&f, &(rv_init_opts){.source_url = "sqlserver://u:p@h/d", .cwd = d}, false),
             RV_E_CONFIG_UNSUPPORTED);
    CHECK(strstr(f.err.text, "mssql") != NULL);
    CHECK_EQ(refused(&f, &(rv_init_opts){.source_url = u, .tls_mode = "never", .cwd = d}, false),
             RV_E_USAGE);
    CHECK_EQ(refused(&f, &(rv_init_opts){.source_url = u, .table = "smal", .cwd = d}, false),
             RV_E_SOURCE_MISSING);
    CHECK(strstr(f.err.hint, "small") != NULL);
    CHECK_EQ(refused(&f, &(rv_init_opts){.source_url = u, .mode = "cdc", .cwd = d}, false),
             RV_E_CONFIG_MODE_UNSUPPORTED);
    CHECK_EQ(refused(&f, &(rv_init_opts){.source_url = u, .s3_bucket = "b", .cwd = d}, true),
             RV_E_USAGE);
    CHECK_EQ(
        refused(&f, &(rv_init_opts){.source_url = u, .s3_bucket = "b", .gcs_bucket = "c", .cwd = d},
                false),
        RV_E_USAGE);
    fx_close(&f);
}

RV_TEST(a_url_file_and_a_bucket_are_written_out)
{
    fixture f;
    char path[128], out_file[128];
    rv_buf out = RV_BUF_INIT, notes = RV_BUF_INIT;
    REQUIRE(fx_open(&f, FX_MANY));
    (void)snprintf(path, sizeof path, "%s/url.txt", f.dir);
    (void)snprintf(out_file, sizeof out_file, "sub/rivet.yaml");
    char url[160];
    (void)snprintf(url, sizeof url, "sqlite:%s\n", f.db);
    REQUIRE(fx_write(path, url));
    rv_init_opts opts = {.source_file = "url.txt",
                         .table = "small",
                         .cwd = f.dir,
                         .output_file = out_file,
                         .s3_bucket = "lake",
                         .s3_region = "eu-west-1"};
    REQUIRE(init(&f, &opts, false, &out, &notes));
    REQUIRE(fx_write(f.config, (const char *)out.ptr) && fx_load(&f));
    CHECK_STR(f.cfg->source.url_file, path);
    CHECK_EQ(f.cfg->exports[0].dest.kind, RV_DEST_S3);
    CHECK_STR(f.cfg->exports[0].dest.prefix, "exports/small/");
    CHECK(!notes.len || !strstr(rv_buf_cstr(&notes), "not part of this build"));
    rv_buf_free(&out);
    rv_buf_free(&notes);
    fx_close(&f);
}

RV_TEST(discovery_scores)
{
    fixture f;
    rv_buf out = RV_BUF_INIT, notes = RV_BUF_INIT;
    json_error_t why;
    REQUIRE(fx_open(&f, FX_MANY));
    rv_init_opts opts = {.source_url = "sqlite:shop.db", .table = "timed", .cwd = f.dir};
    REQUIRE(init(&f, &opts, true, &out, &notes));
    json_t *root = json_loadb((const char *)out.ptr, out.len, 0, &why);
    REQUIRE(root != NULL);
    CHECK_STR(json_string_value(json_object_get(root, "source_type")), "sqlite");
    const json_t *t = json_array_get(json_object_get(root, "tables"), 0);
    const json_t *c = json_object_get(t, "cursor_candidates");
    CHECK_EQ(json_array_size(c), 2);
    /* updated_at: 40 + 40 - 10 + 4; created_at: 40 + 20 + 3 */
    CHECK_STR(json_string_value(json_object_get(json_array_get(c, 0), "column")), "updated_at");
    CHECK_EQ(json_integer_value(json_object_get(json_array_get(c, 0), "score")), 74);
    CHECK_EQ(json_integer_value(json_object_get(json_array_get(c, 1), "score")), 63);
    CHECK_STR(json_string_value(json_object_get(t, "suggested_cursor_fallback_column")),
              "created_at");
    CHECK_STR(json_string_value(json_object_get(t, "suggested_mode")), "incremental");
    CHECK_EQ(json_array_size(json_object_get(t, "chunk_candidates")), 0);
    json_decref(root);
    rv_buf_clear(&out);
    opts.table = "big";
    REQUIRE(init(&f, &opts, true, &out, &notes));
    root = json_loadb((const char *)out.ptr, out.len, 0, &why);
    REQUIRE(root != NULL);
    t = json_array_get(json_object_get(root, "tables"), 0);
    c = json_array_get(json_object_get(t, "chunk_candidates"), 0);
    CHECK_EQ(json_integer_value(json_object_get(c, "score")), 60);
    c = json_array_get(json_object_get(t, "cursor_candidates"), 0);
    CHECK_EQ(json_integer_value(json_object_get(c, "score")), 30);
    json_decref(root);
    rv_buf_free(&out);
    rv_buf_free(&notes);
    fx_close(&f);
}

RV_TEST(memory_may_run_out_anywhere)
{
#ifdef RV_FAULTS
    fixture f;
    REQUIRE(fx_open(&f, FX_MANY));
    rv_init_opts opts = {.source_url = "sqlite:shop.db", .cwd = f.dir};
    for (int discover = 0; discover < 2; discover++) {
        bool whole = false;
        for (long nth = 1; nth < 1000 && !whole; nth++) {
            rv_buf out = RV_BUF_INIT, notes = RV_BUF_INIT;
            rv_error err = {0};
            rv_fault_set_alloc(nth, false);
            rv_status st = rv_engine_init(&f.env, &opts, discover, &out, &notes, &err);
            whole = rv_fault_seen_alloc() < nth;
            rv_fault_set_alloc(0, false);
            CHECK(st == RV_OK || st == RV_E_MEMORY);
            CHECK(st == RV_OK || out.len == 0);
            rv_buf_free(&out);
            rv_buf_free(&notes);
        }
        CHECK(whole);
    }
    fx_close(&f);
#else
    SKIP("built without faults");
#endif
}

RV_TEST_MAIN(RV_CASE(the_scaffold_loads_and_says_what_it_chose), RV_CASE(the_scaffold_can_be_read),
             RV_CASE(tables_are_picked_by_name_and_glob), RV_CASE(refusals_are_clear),
             RV_CASE(a_url_file_and_a_bucket_are_written_out), RV_CASE(discovery_scores),
             RV_CASE(memory_may_run_out_anywhere))
