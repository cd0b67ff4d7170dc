#include "rvtest.h"

#include <stdio.h>
#include <string.h>

#include "engine/manifest.h"

#define PART                                                                                       \
    "{\"part_id\":1,\"path\":\"%s\",\"rows\":%s,\"size_bytes\":40,\"content_fingerprint\":"        \
    "\"xxh3:93b1c0ffee124d08\",\"content_md5\":\"d41d8cd98f00b204e9800998ecf8427e\","              \
    "\"chunk_index\":null,\"status\":\"%s\"}"
#define MANIFEST                                                                                   \
    "{\"manifest_version\":%s,\"rivet_version\":\"1.0.0\",\"run_id\":\"r\",\"export_name\":\"x\"," \
    "\"mode\":\"batch\",\"status\":\"success\",\"degraded\":false,\"started_at\":"                 \
    "\"2026-05-02T08:00:00.117Z\",\"finished_at\":\"2026-05-02T08:00:03.540Z\",\"source\":"        \
    "{\"extraction\":{\"strategy\":\"full\"}},\"format\":\"parquet\",\"compression\":\"zstd\","    \
    "\"column_checksums\":[{\"name\":\"id\",\"checksum\":\"5a0c41d2e7b90f16\"}],"                  \
    "\"row_checksum\":null,\"checksum_render\":\"rivet-checksum-v1\",\"row_count\":%s,"            \
    "\"part_count\":1,\"total_bytes\":40,\"future\":{\"a\":[1]},\"parts\":[" PART "]}"

static rv_status parse(const char *version, const char *rows, const char *path,
                       const char *part_rows, const char *status, rv_arena *a, rv_manifest *m,
                       rv_error *err)
{
    char text[2048];
    (void)snprintf(text, sizeof text, MANIFEST, version, rows, path, part_rows, status);
    return rv_manifest_parse(rv_str_c(text), a, m, err);
}

RV_TEST(a_good_one_adds_up)
{
    rv_arena a = RV_ARENA_INIT;
    rv_manifest m = {0};
    rv_error err = {0};
    CHECK_EQ(parse("1", "9", "a.parquet", "9", "committed", &a, &m, &err), RV_OK);
    CHECK_STR(m.run_id, "r");
    CHECK_STR(m.strategy, "full");
    CHECK_EQ(m.n_parts, 1);
    CHECK_EQ(m.parts[0].chunk_index, -1);
    CHECK_EQ(m.n_checksums, 1);
    CHECK_EQ(rv_manifest_check(&m, &err), RV_OK);
    rv_arena_free(&a);
}

RV_TEST(totals_cover_committed_parts_only)
{
    rv_arena a = RV_ARENA_INIT;
    rv_manifest m = {0};
    rv_error err = {0};
    CHECK_EQ(parse("1", "9", "a.parquet", "9", "superseded", &a, &m, &err), RV_OK);
    CHECK_EQ(rv_manifest_check(&m, &err), RV_E_VALIDATE);
    CHECK_EQ(parse("1", "8", "a.parquet", "9", "committed", &a, &m, &err), RV_OK);
    CHECK_EQ(rv_manifest_check(&m, &err), RV_E_VALIDATE);
    rv_arena_free(&a);
}

RV_TEST(hostile_ones_are_refused)
{
    static const char *const paths[] = {"", "/etc/passwd", "../up", "a/../../up", "..", "a/.."};
    rv_arena a = RV_ARENA_INIT;
    rv_manifest m = {0};
    rv_error err = {0};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        CHECK_EQ(parse("1", "9", paths[i], "9", "committed", &a, &m, &err), RV_E_VALIDATE);
    CHECK_EQ(parse("2", "9", "a", "9", "committed", &a, &m, &err), RV_E_VALIDATE);
    CHECK_EQ(parse("1", "9", "a", "-1", "committed", &a, &m, &err), RV_E_VALIDATE);
    CHECK_EQ(parse("1", "\"9\"", "a", "9", "committed", &a, &m, &err), RV_E_VALIDATE);
    CHECK_EQ(rv_manifest_parse(rv_str_c("[]"), &a, &m, &err), RV_E_VALIDATE);
    CHECK_EQ(rv_manifest_parse(rv_str_c(""), &a, &m, &err), RV_E_VALIDATE);
    CHECK_EQ(rv_manifest_parse(rv_str_c("{\"manifest_version\":1}"), &a, &m, &err), RV_E_VALIDATE);
    CHECK_EQ(parse("1", "9", "..a/b..c", "9", "committed", &a, &m, &err), RV_OK);
    rv_arena_free(&a);
}

RV_TEST(the_marker_names_the_bytes)
{
    char one[24], two[24];
    rv_manifest_marker(rv_str_c("{}"), one);
    rv_manifest_marker(rv_str_c("{} "), two);
    CHECK_EQ(strlen(one), 22);
    CHECK(strncmp(one, "xxh3:", 5) == 0 && one[21] == '\n');
    CHECK(strcmp(one, two) != 0);
}

RV_TEST_MAIN(RV_CASE(a_good_one_adds_up), RV_CASE(totals_cover_committed_parts_only),
             RV_CASE(hostile_ones_are_refused), RV_CASE(the_marker_names_the_bytes))
