/* ns per appended cell, checksum fold included: one line per column kind, then a mixed row.
 * Usage: bench_builder [rows] */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "column/builder.h"
#include "column/render.h"

static double now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static const char words[] = "the quick brown fox jumps over the lazy dog, then sleeps until "
                            "noon and dreams of rivers, hills and an endless supply of geese";

#define COLUMNS 20
#define DRAWN 65536
static uint64_t drawn[DRAWN]; /* so that drawing costs nothing while the clock runs */

static rv_status cell(rv_builder *b, rv_type t, uint32_t col, uint64_t r, rv_error *err)
{
    switch ((rv_kind)t.kind) {
    case RV_BOOL:
        return rv_builder_bool(b, col, r & 1, err);
    case RV_FLOAT64:
        return rv_builder_f64(b, col, (double)(r >> 20) / 100, err);
    case RV_DECIMAL:
        return rv_builder_decimal_i64(b, col, (int64_t)(r >> 30), err);
    case RV_STRING:
        return rv_builder_bytes(
            b, col, (rv_bytes){(const uint8_t *)words + (r & 31), 4 + (r >> 8) % 28}, err);
    case RV_BINARY:
        return rv_builder_bytes(b, col, (rv_bytes){(const uint8_t *)words, 100}, err);
    case RV_UUID:
        return rv_builder_uuid(b, col, (const uint8_t *)words + (r & 63), err);
    case RV_INT16:
    case RV_INT32:
    case RV_DATE:
        return rv_builder_i64(b, col, (int64_t)(r & 0x7FFF), err);
    case RV_INT64:
    case RV_UINT64:
    case RV_FLOAT32:
    case RV_TIME:
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
    case RV_TIMESTAMP_NS:
    case RV_TIMESTAMP_TZ_NS:
    case RV_JSON:
    case RV_ENUM:
    case RV_INTERVAL:
    case RV_LIST:
        break;
    }
    return rv_builder_i64(b, col, (int64_t)(r >> 1), err);
}

static rv_status rows_of(const rv_schema *schema, uint64_t rows, bool nulls, rv_u128 *sum,
                         rv_error *err)
{
    rv_builder *b;
    rv_batch *batch;
    rv_builder_opts opts = {
        .schema = schema, .max_rows = 65536, .max_bytes = 16 << 20, .batches = 2};
    RV_TRY(rv_builder_open(&opts, &b, err));
    rv_status st = RV_OK;
    for (uint64_t i = 0; i < rows && st == RV_OK; i++) {
        for (uint32_t c = 0; c < schema->n_columns && st == RV_OK; c++) {
            uint64_t r = drawn[(i * 20 + c) & (DRAWN - 1)];
            if (nulls && (r & 0x700) == 0)
                st = rv_builder_null(b, c, err);
            else
                st = cell(b, schema->columns[c].type, c, r, err);
        }
        if (st == RV_OK)
            st = rv_builder_row_end(b, err);
        if (st == RV_OK && rv_builder_full(b)) {
            st = rv_builder_freeze(b, &batch, err);
            if (st == RV_OK) {
                *sum = rv_u128_add(*sum, batch->sums.row_sum);
                rv_builder_recycle(b, batch);
            }
        }
    }
    rv_builder_close(b);
    return st;
}

static void measure(const char *label, const rv_type *types, size_t n_types, uint64_t rows,
                    bool nulls)
{
    rv_column columns[COLUMNS];
    rv_schema schema = {columns, COLUMNS};
    rv_error err;
    rv_u128 sum = {0, 0};
    for (size_t i = 0; i < COLUMNS; i++) {
        static char names[COLUMNS][8];
        (void)snprintf(names[i], sizeof names[i], "c%zu", i);
        columns[i] = (rv_column){.name = names[i], .type = types[i % n_types]};
    }
    double best = 1e18;
    for (int k = 0; k < 3; k++) {
        double t = now_ns();
        if (rows_of(&schema, rows, nulls, &sum, &err) != RV_OK) {
            (void)fprintf(stderr, "%s\n", err.text);
            exit(1);
        }
        t = now_ns() - t;
        best = t < best ? t : best;
    }
    printf("%-16s %6.2f ns/cell  (%016" PRIx64 ")\n", label, best / (double)(rows * COLUMNS),
           sum.lo);
}

static void measure_doubles(const char *label, bool money)
{
    char out[RV_DOUBLE_TEXT_SIZE];
    uint64_t r;
    unsigned total = 0;
    double t = now_ns();
    for (int i = 0; i < 1000000; i++) {
        double v;
        r = drawn[i & (DRAWN - 1)];
        uint64_t bits = r & ~(UINT64_C(1) << 62);
        memcpy(&v, &bits, sizeof v);
        if (money)
            v = (double)(r >> 40) / 100;
        total += rv_double_text(v, out);
    }
    t = now_ns() - t;
    printf("%-16s %6.2f ns/value (%u)\n", label, t / 1e6, total);
}

int main(int argc, char **argv)
{
    uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 400000;
    for (uint64_t i = 0; i < DRAWN; i++)
        drawn[i] = mix(i + 1);
    static const struct {
        const char *label;
        rv_type type;
    } kinds[] = {
        {"bool", {RV_BOOL, 0, 0, 0}},
        {"int32", {RV_INT32, 0, 0, 0}},
        {"int64", {RV_INT64, 0, 0, 0}},
        {"float64", {RV_FLOAT64, 0, 0, 0}},
        {"decimal(18,2)", {RV_DECIMAL, 18, 2, 0}},
        {"decimal(38,2)", {RV_DECIMAL, 38, 2, 0}},
        {"text 4..31", {RV_STRING, 0, 0, 0}},
        {"binary 100", {RV_BINARY, 0, 0, 0}},
        {"uuid", {RV_UUID, 0, 0, 0}},
    };
    for (size_t i = argc > 2 ? strtoull(argv[2], NULL, 10) : 0; i < sizeof kinds / sizeof kinds[0];
         i++)
        measure(kinds[i].label, &kinds[i].type, 1, rows, false);
    rv_type mixed[COLUMNS];
    for (size_t i = 0; i < COLUMNS; i++)
        mixed[i] = kinds[(i * 3 + 1) % 9].type;
    measure("mixed", mixed, COLUMNS, rows, false);
    measure("mixed, 1/8 null", mixed, COLUMNS, rows, true);
    measure_doubles("doubles, random", false);
    measure_doubles("doubles, money", true);
    return 0;
}
