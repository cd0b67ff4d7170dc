#include "base/hash.h"
#include "inspect_fixture.h"

#define ONE                                                                                        \
    "  - {name: orders, table: orders, format: parquet, destination: {type: local, path: OUT}}\n"
#define CSV                                                                                        \
    "  - {name: orders, table: orders, format: csv, compression: gzip, destination: {type: "       \
    "local, path: OUT}}\n"

static bool run(fixture *f, const char *export_name)
{
    rv_run_report r;
    rv_run_opts opts = {.export_name = export_name};
    rv_status st = rv_engine_run(&f->env, f->cfg, &opts, &f->arena, &r, &f->err);
    for (size_t i = 0; st == RV_OK && i < r.n_exports; i++)
        if (r.exports[i].error.code != RV_OK)
            printf("run: %s\n", r.exports[i].error.text);
    f->now_us += 60000000;
    return st == RV_OK && r.exit_code == 0;
}

static rv_validate_report *look(fixture *f, const rv_validate_opts *opts)
{
    rv_validate_report *r = NULL;
    size_t n = 0;
    rv_status st = rv_engine_validate(&f->env, f->cfg, opts, &f->arena, &r, &n, &f->err);
    if (st != RV_OK || n == 0) {
        printf("validate: %s\n", f->err.text);
        return NULL;
    }
    if (r->error.code != RV_OK)
        printf("validate: %s\n", r->error.text);
    return r;
}

static rv_validate_report *look_at(fixture *f, rv_depth depth)
{
    rv_validate_opts opts = {.depth = depth};
    return look(f, &opts);
}

static const rv_failure *failure(const rv_validate_report *r, const char *kind)
{
    for (size_t i = 0; i < r->n_failures; i++)
        if (strcmp(r->failures[i].kind, kind) == 0)
            return &r->failures[i];
    for (size_t i = 0; i < r->n_failures; i++)
        printf("  %s: %s\n", r->failures[i].kind, r->failures[i].message);
    return NULL;
}

/* The one file of the output that ends so; false when there is none. */
static bool output_file(const fixture *f, const char *suffix, char out[512])
{
    DIR *d = opendir(f->out);
    const struct dirent *e;
    bool found = false;
    while (d && !found && (e = readdir(d)) != NULL) {
        size_t len = strlen(e->d_name), want = strlen(suffix);
        found = len >= want && strcmp(e->d_name + len - want, suffix) == 0;
        if (found && snprintf(out, 512, "%s/%s", f->out, e->d_name) >= 512)
            found = false;
    }
    if (d)
        (void)closedir(d);
    return found;
}

static bool read_file(const char *path, rv_buf *out)
{
    bool found = false;
    rv_error err = {0};
    return rv_file_read_all(path, 1u << 24, out, &found, &err) == RV_OK && found &&
           rv_buf_cstr(out);
}

static bool put(const char *path, const void *data, size_t len)
{
    rv_error err = {0};
    return rv_file_replace(path, (rv_bytes){data, len}, 0644, &err) == RV_OK;
}

/* Byte `at`, or the last one. */
static bool flip(const char *path, size_t at)
{
    rv_buf b = RV_BUF_INIT;
    bool ok = read_file(path, &b) && b.len > 100;
    if (ok)
        b.ptr[at < b.len ? at : b.len - 1] ^= 0x55;
    ok = ok && put(path, b.ptr, b.len);
    rv_buf_free(&b);
    return ok;
}

/* Replaces the first occurrence in manifest.json and the run's own, and renews the marker. */
static bool forge(const fixture *f, const char *from, const char *to)
{
    char path[512], marker[64], hex[17];
    rv_buf b = RV_BUF_INIT, changed = RV_BUF_INIT;
    rv_error err = {0};
    (void)snprintf(path, sizeof path, "%s/manifest.json", f->out);
    bool ok = read_file(path, &b);
    const char *text = (const char *)b.ptr, *at = ok ? strstr(text, from) : NULL;
    ok = at && rv_buf_printf(&changed, &err, "%.*s%s%s", (int)(at - text), text, to,
                             at + strlen(from)) == RV_OK;
    ok = ok && put(path, changed.ptr, changed.len);
    rv_hex_u64(rv_xxh3(changed.ptr, changed.len), hex);
    (void)snprintf(marker, sizeof marker, "xxh3:%s\n", hex);
    (void)snprintf(path, sizeof path, "%s/_SUCCESS", f->out);
    ok = ok && put(path, marker, strlen(marker));
    rv_buf_free(&b);
    rv_buf_free(&changed);
    return ok;
}

static bool fresh(fixture *f, const char *exports)
{
    return fx_open(f, FX_SHOP) && fx_config(f, exports) && run(f, NULL);
}

RV_TEST(a_good_run_passes_at_every_depth)
{
    static const char *const names[] = {"light", "sample", "full"};
    for (int csv = 0; csv < 2; csv++) {
        fixture f;
        REQUIRE(fresh(&f, csv ? CSV : ONE));
        for (int depth = 0; depth < 3; depth++) {
            rv_validate_report *r = look_at(&f, (rv_depth)depth);
            REQUIRE(r != NULL);
            CHECK(r->passed && r->manifest_found && r->manifest_self_consistent);
            CHECK(r->success_marker_consistent && !r->legacy_run);
            CHECK_EQ(r->n_failures, 0);
            CHECK_STR(r->depth, names[depth]);
            CHECK_EQ(r->parts_verified, depth ? 1 : 0);
            CHECK_EQ(r->parts_md5_verified, depth == 2 ? 1 : 0);
            CHECK(r->run_id && strncmp(r->run_id, "orders_2026", 11) == 0);
            CHECK(r->prefix && strncmp(r->prefix, "file://", 7) == 0);
        }
        fx_close(&f);
    }
}

RV_TEST(damage_is_named)
{
    fixture f;
    char part[512];
    REQUIRE(fresh(&f, ONE));
    REQUIRE(output_file(&f, ".parquet", part));
    REQUIRE(flip(part, 60)); /* a page, far from the footer */
    rv_validate_report *r = look_at(&f, RV_DEPTH_SAMPLE);
    REQUIRE(r != NULL);
    CHECK(r->passed);
    r = look_at(&f, RV_DEPTH_FULL);
    REQUIRE(r != NULL);
    CHECK(!r->passed);
    CHECK_EQ(r->parts_failed, 1);
    const rv_failure *x = failure(r, "part_checksum_mismatch");
    REQUIRE(x != NULL);
    CHECK_EQ(x->part_id, 1);
    CHECK(x->path && x->expected && x->actual && strcmp(x->expected, x->actual) != 0);
    CHECK(x->fatal);

    rv_buf b = RV_BUF_INIT;
    REQUIRE(read_file(part, &b) && put(part, b.ptr, b.len - 1));
    rv_buf_free(&b);
    r = look_at(&f, RV_DEPTH_SAMPLE);
    REQUIRE(r != NULL);
    CHECK(failure(r, "part_size_mismatch") != NULL);
    CHECK_EQ(r->parts_size_mismatch, 1);
    REQUIRE(unlink(part) == 0);
    r = look_at(&f, RV_DEPTH_SAMPLE);
    REQUIRE(r != NULL);
    CHECK(failure(r, "part_missing") != NULL);
    CHECK_EQ(r->parts_missing, 1);
    CHECK_EQ(r->parts_failed, 1);
    r = look_at(&f, RV_DEPTH_LIGHT);
    REQUIRE(r != NULL);
    CHECK(r->passed);
    fx_close(&f);
}

RV_TEST(a_damaged_footer_fails_the_sample)
{
    fixture f;
    char part[512];
    REQUIRE(fresh(&f, ONE));
    REQUIRE(output_file(&f, ".parquet", part) && flip(part, SIZE_MAX));
    rv_validate_report *r = look_at(&f, RV_DEPTH_SAMPLE);
    REQUIRE(r != NULL);
    CHECK(!r->passed);
    CHECK(failure(r, "part_row_count_mismatch") != NULL);
    fx_close(&f);
}

RV_TEST(verify_content_reads_local_parts_again)
{
    fixture f;
    char part[512];
    REQUIRE(fresh(&f, "  - {name: orders, table: orders, format: parquet, verify: content, "
                      "destination: {type: local, path: OUT}}\n"));
    rv_validate_report *r = look_at(&f, RV_DEPTH_SAMPLE);
    REQUIRE(r != NULL);
    CHECK(r->passed);
    CHECK_EQ(r->parts_md5_verified, 1);
    REQUIRE(output_file(&f, ".parquet", part) && flip(part, 60));
    r = look_at(&f, RV_DEPTH_SAMPLE);
    REQUIRE(r != NULL);
    CHECK(failure(r, "part_checksum_mismatch") != NULL);
    fx_close(&f);
}

RV_TEST(the_manifest_is_held_to_its_word)
{
    fixture f;
    REQUIRE(fresh(&f, ONE));
    REQUIRE(forge(&f, "\"row_count\": 950", "\"row_count\": 951"));
    rv_validate_report *r = look_at(&f, RV_DEPTH_LIGHT);
    REQUIRE(r != NULL);
    CHECK(!r->passed && !r->manifest_self_consistent && r->success_marker_consistent);
    CHECK(failure(r, "manifest_self_inconsistent") != NULL);
    fx_close(&f);

    REQUIRE(fresh(&f, ONE));
    REQUIRE(forge(&f, "\"checksum\": \"", "\"checksum\": \"f") ||
            forge(&f, "\"checksum\":\"", "\"checksum\":\"f"));
    r = look_at(&f, RV_DEPTH_FULL);
    REQUIRE(r != NULL);
    CHECK(failure(r, "value_checksum_mismatch") != NULL);
    r = look_at(&f, RV_DEPTH_SAMPLE);
    REQUIRE(r != NULL);
    CHECK(r->passed);
    fx_close(&f);

    char path[512];
    REQUIRE(fresh(&f, ONE));
    (void)snprintf(path, sizeof path, "%s/manifest.json", f.out);
    REQUIRE(put(path, "{\"manifest", 10));
    r = look_at(&f, RV_DEPTH_SAMPLE);
    REQUIRE(r != NULL);
    CHECK(!r->passed && r->manifest_found);
    CHECK(failure(r, "manifest_read_error") != NULL);
    fx_close(&f);
}

RV_TEST(the_marker_is_judged)
{
    fixture f;
    char path[512];
    REQUIRE(fresh(&f, ONE));
    (void)snprintf(path, sizeof path, "%s/_SUCCESS", f.out);
    REQUIRE(put(path, "done\n", 5));
    rv_validate_report *r = look_at(&f, RV_DEPTH_LIGHT);
    REQUIRE(r != NULL);
    CHECK(failure(r, "success_marker_malformed") != NULL);
    REQUIRE(put(path, "xxh3:0123456789abcdef\n", 22));
    r = look_at(&f, RV_DEPTH_LIGHT);
    REQUIRE(r != NULL);
    CHECK(failure(r, "success_marker_stale") != NULL);
    CHECK(!r->success_marker_consistent && !r->passed);
    REQUIRE(unlink(path) == 0);
    r = look_at(&f, RV_DEPTH_LIGHT);
    REQUIRE(r != NULL);
    CHECK(failure(r, "success_marker_absent") != NULL);
    fx_close(&f);
}

RV_TEST(nothing_there_is_a_legacy_run)
{
    fixture f;
    char path[512];
    REQUIRE(fx_open(&f, FX_SHOP) && fx_config(&f, ONE));
    rv_validate_report *r = look_at(&f, RV_DEPTH_SAMPLE);
    REQUIRE(r != NULL);
    CHECK(r->legacy_run && r->passed && !r->manifest_found);
    REQUIRE(mkdir(f.out, 0700) == 0);
    (void)snprintf(path, sizeof path, "%s/_SUCCESS", f.out);
    REQUIRE(put(path, "xxh3:0123456789abcdef\n", 22));
    r = look_at(&f, RV_DEPTH_SAMPLE);
    REQUIRE(r != NULL);
    CHECK(!r->legacy_run && !r->passed);
    CHECK(failure(r, "manifest_missing_under_marker") != NULL);
    fx_close(&f);
}

RV_TEST(exports_share_a_prefix)
{
    fixture f;
    REQUIRE(fx_open(&f, FX_SHOP));
    REQUIRE(fx_config(&f,
                      ONE "  - {name: inc, table: orders, mode: incremental, cursor_column: id, "
                          "format: parquet, destination: {type: local, path: OUT}}\n"
                          "  - {name: last, table: orders, format: csv, destination: {type: local, "
                          "path: OUT}}\n"));
    REQUIRE(run(&f, "inc"));
    REQUIRE(fx_sql(&f, "INSERT INTO orders VALUES (2000, 'new', 1, NULL)"));
    REQUIRE(run(&f, "inc") && run(&f, "orders") && run(&f, "orders") && run(&f, "last"));
    rv_validate_report *r = look_at(&f, RV_DEPTH_FULL);
    REQUIRE(r != NULL);
    for (int i = 0; i < 3; i++) {
        CHECK(r[i].passed && r[i].success_marker_consistent && r[i].manifest_found);
        CHECK_EQ(r[i].n_failures, 0);
        CHECK_EQ(r[i].parts_untracked, 0);
    }
    CHECK_EQ(r[0].parts_verified, 1); /* the newest of a full export */
    CHECK_EQ(r[1].parts_verified, 2); /* all of an incremental one */
    fx_close(&f);
}

RV_TEST(a_run_can_be_named)
{
    fixture f;
    REQUIRE(fresh(&f, ONE));
    rv_validate_report *r = look_at(&f, RV_DEPTH_SAMPLE);
    REQUIRE(r != NULL && r->run_id);
    const char *first = r->run_id;
    REQUIRE(run(&f, NULL));
    rv_validate_opts opts = {.run_id = first, .depth = RV_DEPTH_FULL};
    r = look(&f, &opts);
    REQUIRE(r != NULL);
    CHECK(r->passed);
    CHECK_STR(r->run_id, first);
    opts.run_id = "orders_19990101T000000.000";
    r = look(&f, &opts);
    REQUIRE(r != NULL);
    CHECK(!r->passed);
    CHECK(failure(r, "manifest_read_error") != NULL);
    fx_close(&f);
}

RV_TEST(placeholders_are_those_of_the_run)
{
    fixture f;
    REQUIRE(fresh(&f, "  - {name: orders, table: orders, format: parquet, destination: {type: "
                      "local, path: 'OUT/{date}/{run_id}'}}\n"));
    f.now_us += INT64_C(3) * 86400 * 1000000;
    rv_validate_report *r = look_at(&f, RV_DEPTH_SAMPLE);
    REQUIRE(r != NULL);
    CHECK(r->passed && !r->legacy_run);
    CHECK_EQ(r->parts_verified, 1);
    CHECK(strstr(r->prefix, "2026-05-02") != NULL);
    rv_validate_opts opts = {.prefix = f.dir, .depth = RV_DEPTH_SAMPLE};
    r = look(&f, &opts);
    REQUIRE(r != NULL);
    CHECK(r->legacy_run);
    fx_close(&f);
}

RV_TEST(surplus_of_closed_runs_is_reported)
{
    fixture f;
    char part[512], copy[600];
    rv_buf b = RV_BUF_INIT;
    REQUIRE(fresh(&f, ONE));
    REQUIRE(output_file(&f, ".parquet", part) && read_file(part, &b));
    (void)snprintf(copy, sizeof copy, "%.*s_part7.parquet", (int)(strlen(part) - 8), part);
    REQUIRE(put(copy, b.ptr, b.len));
    (void)snprintf(copy, sizeof copy, "%s/somebody_elses.parquet", f.out);
    REQUIRE(put(copy, b.ptr, b.len));
    rv_buf_free(&b);
    rv_validate_report *r = look_at(&f, RV_DEPTH_SAMPLE);
    REQUIRE(r != NULL);
    CHECK(r->passed);
    CHECK_EQ(r->parts_untracked, 1);
    const rv_failure *x = failure(r, "untracked_object");
    REQUIRE(x != NULL);
    CHECK(!x->fatal && x->key && strstr(x->key, "_part7.parquet") && x->size_bytes > 0);
    fx_close(&f);
}

RV_TEST(an_unreachable_destination_is_an_error)
{
    fixture f;
    REQUIRE(fx_open(&f, FX_SHOP));
    REQUIRE(fx_config(&f, "  - {name: orders, table: orders, format: parquet, destination: {type: "
                          "s3, bucket: b, region: r}}\n"));
    rv_validate_report *r = look_at(&f, RV_DEPTH_SAMPLE);
    REQUIRE(r != NULL);
    CHECK_EQ(r->error.code, RV_E_CONFIG_DESTINATION); /* no bucket has so short a name */
    CHECK(!r->passed);
    fx_close(&f);
}

RV_TEST(memory_may_run_out_anywhere)
{
#ifdef RV_FAULTS
    fixture f;
    bool whole = false;
    REQUIRE(fresh(&f, ONE));
    rv_validate_opts opts = {.depth = RV_DEPTH_FULL};
    for (long nth = 1; nth < 1000 && !whole; nth++) {
        rv_arena a = RV_ARENA_INIT;
        rv_validate_report *r = NULL;
        size_t n = 0;
        rv_error err = {0};
        rv_fault_set_alloc(nth, false);
        rv_status st = rv_engine_validate(&f.env, f.cfg, &opts, &a, &r, &n, &err);
        whole = rv_fault_seen_alloc() < nth;
        rv_fault_set_alloc(0, false);
        CHECK((st == RV_OK && r[0].passed) || st == RV_E_MEMORY);
        rv_arena_free(&a);
    }
    CHECK(whole);
    fx_close(&f);
#else
    SKIP("built without faults");
#endif
}

/* Whatever cannot be read is an error or a failure, never a pass. */
RV_TEST(reading_may_fail_anywhere)
{
#ifdef RV_FAULTS
    fixture f;
    bool whole = false;
    REQUIRE(fresh(&f, ONE));
    rv_validate_opts opts = {.depth = RV_DEPTH_FULL};
    for (long nth = 1; nth < 500 && !whole; nth++) {
        rv_arena a = RV_ARENA_INIT;
        rv_validate_report *r = NULL;
        size_t n = 0;
        rv_error err = {0};
        rv_fault_set_io(nth, true);
        rv_status st = rv_engine_validate(&f.env, f.cfg, &opts, &a, &r, &n, &err);
        whole = rv_fault_seen_io() < nth;
        rv_fault_set_io(0, false);
        CHECK((st == RV_OK && r[0].passed) == whole);
        rv_arena_free(&a);
    }
    CHECK(whole);
    fx_close(&f);
#else
    SKIP("built without faults");
#endif
}

RV_TEST_MAIN(RV_CASE(a_good_run_passes_at_every_depth), RV_CASE(damage_is_named),
             RV_CASE(a_damaged_footer_fails_the_sample),
             RV_CASE(verify_content_reads_local_parts_again),
             RV_CASE(the_manifest_is_held_to_its_word), RV_CASE(the_marker_is_judged),
             RV_CASE(nothing_there_is_a_legacy_run), RV_CASE(exports_share_a_prefix),
             RV_CASE(a_run_can_be_named), RV_CASE(placeholders_are_those_of_the_run),
             RV_CASE(surplus_of_closed_runs_is_reported),
             RV_CASE(an_unreachable_destination_is_an_error), RV_CASE(memory_may_run_out_anywhere),
             RV_CASE(reading_may_fail_anywhere))
