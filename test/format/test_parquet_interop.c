/* Writes sample files and what they must hold into the directory RV_INTEROP_DIR, for
 * test/interop/check_parquet.py, which reads them back with foreign readers. */
#include "parquet_table.h"
#include "rvtest.h"

static const rv_encoding_policy policies[] = {RV_ENCODING_AUTO, RV_ENCODING_COMPATIBLE,
                                              RV_ENCODING_SMALL};
static const char *const policy_names[] = {"auto", "compatible", "small"};

static rv_type elem(rv_kind k)
{
    return rv_type_list(rv_type_of(k));
}

static size_t all_types(pt_spec *s)
{
    static char names[256][40];
    size_t n = 0;
    static const pt_pattern patterns[] = {PT_RANDOM,   PT_LOW,     PT_SEQUENCE,
                                          PT_CONSTANT, PT_EXTREME, PT_LONG};
    static const rv_kind kinds[] = {RV_BOOL,
                                    RV_INT16,
                                    RV_INT32,
                                    RV_INT64,
                                    RV_UINT64,
                                    RV_FLOAT32,
                                    RV_FLOAT64,
                                    RV_DATE,
                                    RV_TIME,
                                    RV_TIMESTAMP,
                                    RV_TIMESTAMP_TZ,
                                    RV_TIMESTAMP_NS,
                                    RV_TIMESTAMP_TZ_NS,
                                    RV_STRING,
                                    RV_BINARY,
                                    RV_JSON,
                                    RV_UUID,
                                    RV_ENUM,
                                    RV_INTERVAL};
    static const unsigned nulls[] = {0, 30, 200, 100, 3};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (size_t p = 0; p < 6; p++) {
            bool var = rv_type_layout(rv_type_of(kinds[k])) == RV_LAYOUT_VAR;
            if (p == 5 && !var)
                continue;
            snprintf(names[n], sizeof names[n], "k%zu_p%zu", k, p);
            s[n] = (pt_spec){names[n], rv_type_of(kinds[k]), patterns[p], nulls[(k + p) % 5]};
            n++;
        }
    static const uint8_t decimals[][2] = {{4, 2},  {9, 0},  {12, 2}, {18, 18}, {19, 4},
                                          {28, 3}, {37, 2}, {38, 0}, {50, 10}, {76, 5}};
    for (size_t k = 0; k < 10; k++)
        for (size_t p = 0; p < 5; p += 2 - (k & 1)) {
            snprintf(names[n], sizeof names[n], "d%zu_p%zu", k, p);
            s[n] = (pt_spec){names[n], rv_type_decimal(decimals[k][0], decimals[k][1]), patterns[p],
                             nulls[(k + p) % 5]};
            n++;
        }
    s[n++] = (pt_spec){"list_i64", elem(RV_INT64), PT_RANDOM, 20};
    s[n++] = (pt_spec){"list_low", elem(RV_INT32), PT_LOW, 0};
    s[n++] = (pt_spec){"list_text", elem(RV_STRING), PT_RANDOM, 10};
    s[n++] = (pt_spec){"list_word", elem(RV_STRING), PT_LOW, 200};
    s[n++] = (pt_spec){"list_f64", elem(RV_FLOAT64), PT_RANDOM, 5};
    s[n++] = (pt_spec){"list_bool", elem(RV_BOOL), PT_RANDOM, 5};
    s[n++] = (pt_spec){"list_dec", rv_type_list(rv_type_decimal(25, 3)), PT_RANDOM, 5};
    s[n++] = (pt_spec){"list_null", elem(RV_INT16), PT_RANDOM, 100};
    return n;
}

static void put_cell(FILE *f, rv_type t, const pt_cell *c)
{
    if (c->null) {
        fputs("null", f);
        return;
    }
    switch (rv_type_layout(t)) {
    case RV_LAYOUT_F32:
    case RV_LAYOUT_F64:
        if (c->f != c->f)
            fputs("\"nan\"", f);
        else
            fprintf(f, "\"%a\"", c->f);
        break;
    case RV_LAYOUT_B16:
    case RV_LAYOUT_B32:
        if (t.kind == RV_DECIMAL) {
            fprintf(f, "%.*s", 0, "");
            /* a leading zero is not JSON */
            size_t at = c->bytes[0] == '-', start = at;
            while (at + 1 < c->len && c->bytes[at] == '0')
                at++;
            fprintf(f, "%s%.*s", start ? "-" : "", (int)(c->len - at), c->bytes + at);
            break;
        }
        /* fall through */
    case RV_LAYOUT_VAR:
        fputc('"', f);
        for (size_t i = 0; i < c->len; i++)
            fprintf(f, "%02x", (unsigned)(uint8_t)c->bytes[i]);
        fputc('"', f);
        break;
    case RV_LAYOUT_BOOL8:
        fputs(c->i & 1 ? "true" : "false", f);
        break;
    case RV_LAYOUT_I32:
    case RV_LAYOUT_I64:
        if (t.kind == RV_UINT64)
            fprintf(f, "%llu", (unsigned long long)c->i);
        else
            fprintf(f, "%lld", (long long)c->i);
        break;
    case RV_LAYOUT_LIST:
        break;
    }
}

static void put_column(FILE *f, const pt_table *t, size_t i)
{
    pt_cell c;
    char type[RV_TYPE_NAME_SIZE];
    const pt_spec *s = &t->specs[i];
    pt_spec e = pt_elem_spec(s);
    rv_type_name(s->type, type);
    fprintf(f, "{\"name\":\"%s\",\"type\":\"%s\",\"values\":[", s->name, type);
    for (uint32_t r = 0; r < t->rows; r++) {
        if (r)
            fputc(',', f);
        if (s->type.kind != RV_LIST) {
            pt_generate(s, i, r, &c);
            put_cell(f, s->type, &c);
        } else if (pt_is_null(s, r, pt_mix(pt_mix(i) ^ r))) {
            fputs("null", f);
        } else {
            fputc('[', f);
            for (unsigned k = 0; k < pt_list_len(i, r); k++) {
                pt_generate(&e, i, r * UINT64_C(1000) + k, &c);
                if (k)
                    fputc(',', f);
                put_cell(f, e.type, &c);
            }
            fputc(']', f);
        }
    }
    fputs("]}", f);
}

static void put_expected(const char *dir, const char *name, const pt_table *t)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.json", dir, name);
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    fprintf(f, "{\"rows\":%u,\"columns\":[", t->rows);
    for (size_t i = 0; i < t->schema.n_columns; i++) {
        if (i)
            fputc(',', f);
        put_column(f, t, i);
    }
    fputs("]}", f);
    fclose(f);
}

static void put_file(const char *dir, const char *expected, const char *name, const pt_table *t,
                     const rv_format_opts *opts)
{
    char path[512];
    rv_buf out = RV_BUF_INIT;
    rv_file_stats stats;
    rv_error err = {0};
    CHECK_EQ(pt_write(t, opts, 5000, &out, &stats, false, &err), RV_OK);
    if (err.code)
        printf("%s\n", err.text);
    /* "<expected>@<name>.parquet" tells the script what the file must hold */
    snprintf(path, sizeof path, "%s/%s@%s.parquet", dir, expected, name);
    FILE *f = fopen(path, "wb");
    REQUIRE(f != NULL);
    CHECK_EQ(fwrite(out.ptr, 1, out.len, f), out.len);
    fclose(f);
    rv_buf_free(&out);
}

static void put_variants(const char *dir, const char *expected, const pt_table *t)
{
    static const rv_codec_id codecs[] = {RV_CODEC_ZSTD, RV_CODEC_SNAPPY, RV_CODEC_GZIP,
                                         RV_CODEC_LZ4_RAW, RV_CODEC_NONE};
    char name[64];
    put_expected(dir, expected, t);
    for (size_t p = 0; p < 3; p++)
        for (size_t k = 0; k < 5; k++) {
            rv_format_opts o = {.codec = codecs[k], .level = RV_LEVEL_DEFAULT};
            if (k > 0 && p != 0)
                continue; /* codecs do not depend on the policy */
            o.encoding = policies[p];
            snprintf(name, sizeof name, "%s-%s", policy_names[p], rv_codec_name(codecs[k]));
            put_file(dir, expected, name, t, &o);
        }
    rv_format_opts groups = {.codec = RV_CODEC_ZSTD, .level = 1, .group = RV_GROUP_ROWS};
    groups.group_rows = t->rows / 7 + 1;
    put_file(dir, expected, "groups", t, &groups);
}

RV_TEST(sample_files)
{
    const char *dir = getenv("RV_INTEROP_DIR");
    static const uint32_t rows[] = {0, 1, 100, 20000};
    static const char *const names[] = {"empty", "one", "hundred", "many"};
    pt_spec specs[256];
    pt_table t;
    if (!dir)
        SKIP("RV_INTEROP_DIR is not set");
    size_t n = all_types(specs);
    for (size_t i = 0; i < 4; i++) {
        pt_make(&t, specs, n, rows[i]);
        put_variants(dir, names[i], &t);
        pt_free(&t);
    }
    /* few columns: the largest pages */
    static const pt_spec few[] = {{"id", {RV_INT64, 0, 0, 0}, PT_SEQUENCE, 0},
                                  {"word", {RV_STRING, 0, 0, 0}, PT_LOW, 3},
                                  {"url", {RV_STRING, 0, 0, 0}, PT_SEQUENCE, 0},
                                  {"mail", {RV_STRING, 0, 0, 0}, PT_RANDOM, 30},
                                  {"price", {RV_FLOAT64, 0, 0, 0}, PT_LOW, 200},
                                  {"flag", {RV_BOOL, 0, 0, 0}, PT_RANDOM, 3}};
    pt_make(&t, few, 6, 150000);
    put_variants(dir, "large", &t);
    pt_free(&t);
}

RV_TEST_MAIN(RV_CASE(sample_files))
