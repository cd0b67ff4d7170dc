/* bench_encode: CPU time, size and peak memory of writing 2,000,000 rows of 20 mixed columns as
 * Parquet. Rows are made batch by batch into the same memory; only write and finish are timed.
 *
 *   bench_encode [--out FILE] [--codec zstd] [--level 3] [--encoding auto] [--rows 2000000]
 *                [--columns 20] [--text 1] [--kind K: only this one]
 *
 * More columns repeat the first 20 (without --text, only those of fixed width). The same rows
 * without compression (--codec none) are what bench/encode_peers.py feeds to the peers. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/file.h"
#include "format/format.h"

#define BATCH_ROWS 8192u
#define KINDS 20u
#define TEXT_MAX 512u

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

typedef struct kind {
    const char *name;
    rv_type type;
    unsigned null_percent;
} kind;

static const kind kinds[KINDS] = {
    {"id", {RV_INT64, 0, 0, 0}, 0},
    {"customer_id", {RV_INT64, 0, 0, 0}, 0},
    {"product_id", {RV_INT32, 0, 0, 0}, 0},
    {"quantity", {RV_INT32, 0, 0, 0}, 0},
    {"created_at", {RV_TIMESTAMP_TZ, 0, 0, 0}, 0},
    {"updated_at", {RV_TIMESTAMP, 0, 0, 0}, 10},
    {"amount", {RV_DECIMAL, 12, 2, 0}, 0},
    {"balance", {RV_DECIMAL, 22, 4, 0}, 5},
    {"discount", {RV_FLOAT64, 0, 0, 0}, 0},
    {"score", {RV_FLOAT64, 0, 0, 0}, 20},
    {"reference", {RV_UUID, 0, 0, 0}, 0},
    {"status", {RV_STRING, 0, 0, 0}, 0},
    {"country", {RV_STRING, 0, 0, 0}, 2},
    {"category", {RV_STRING, 0, 0, 0}, 0},
    {"active", {RV_BOOL, 0, 0, 0}, 0},
    {"due", {RV_DATE, 0, 0, 0}, 30},
    {"visits", {RV_INT64, 0, 0, 0}, 50},
    {"email", {RV_STRING, 0, 0, 0}, 0},
    {"url", {RV_STRING, 0, 0, 0}, 10},
    {"comment", {RV_STRING, 0, 0, 0}, 0},
};
#define FIXED_KINDS 17u /* the first ones */

static const char *const syllables[32] = {"ra", "lo", "mi", "ten", "so", "va", "ki", "dor",
                                          "pe", "an", "ru", "sel", "no", "ti", "ga", "bre",
                                          "co", "ul", "ma", "fin", "de", "or", "za", "len",
                                          "hu", "is", "pa", "tor", "we", "el", "jo", "mar"};

/* Words of a fixed vocabulary of 4,096, the first ones far more often. */
static size_t put_word(uint64_t h, char *out)
{
    uint64_t rank = (h & 4095) * ((h >> 12) & 4095) >> 12;
    uint64_t w = mix(rank);
    size_t n = 0;
    for (unsigned i = 0; i < 1 + (w >> 60) % 3 + 1; i++) {
        const char *s = syllables[w >> (i * 5) & 31];
        size_t len = strlen(s);
        memcpy(out + n, s, len);
        n += len;
    }
    return n;
}

/* What people and programs write into such columns: phrases with names and numbers in them.
 * # is a number, $ a word of the vocabulary. */
static const char *const phrases[16] = {
    "Order #  was shipped with $ Express, tracking number #-#.",
    "Customer asked to change the delivery address to $ street #, second floor. ",
    "Payment of # was received on account $; invoice # is closed. ",
    "Please call back before noon, ask for $ $. ",
    "The parcel was damaged during transport and returned to warehouse $. ",
    "Gift wrapping requested: \"Happy birthday, $!\" ",
    "Refund approved by $ because the item arrived late (ticket #). ",
    "Stock of article # in $ is low, reorder from supplier $. ",
    "Leave the package with the neighbour at number #. ",
    "Discount code $# applied by support agent $. ",
    "Address could not be verified; $ will contact the customer by e-mail. ",
    "Subscription renewed for # months, next invoice goes to $ $. ",
    "Batch job $ imported the record from file # without warnings. ",
    "Delivery attempt failed, the recipient $ was not at home. ",
    "Replacement part # is on its way from $. ",
    "No remarks. "};

static size_t put_phrase(uint64_t h, const char *phrase, char *out)
{
    size_t n = 0;
    for (; *phrase; phrase++) {
        if (*phrase == '$') {
            h = mix(h);
            n += put_word(h, out + n);
        } else if (*phrase == '#') {
            h = mix(h);
            n += (size_t)snprintf(out + n, 24, "%llu", (unsigned long long)(h % 1000000));
        } else {
            out[n++] = *phrase;
        }
    }
    return n;
}

static size_t put_comment(uint64_t h, char *out)
{
    size_t n = 0;
    for (unsigned i = 0; i < 1 + h % 3; i++)
        n += put_phrase(mix(h + i), phrases[h >> (8 + 4 * i) & 15], out + n);
    return n;
}

static size_t put_text(unsigned k, uint64_t row, uint64_t h, char *out)
{
    static const char *const states[] = {"new", "paid", "shipped", "delivered", "cancelled"};
    (void)row;
    switch (k) {
    case 11:
        return (size_t)snprintf(out, TEXT_MAX, "%s", states[h % 5 * (h >> 9 & 1)]);
    case 12:
        return (size_t)snprintf(out, TEXT_MAX, "%c%c", (int)('A' + mix(h % 200) % 26),
                                (int)('A' + (mix(h % 200) >> 8) % 26));
    case 13:
        return (size_t)snprintf(out, TEXT_MAX, "category-%02x-%llu", (unsigned)(h & 255),
                                (unsigned long long)(mix(h & 255) % 100000));
    case 17: {
        size_t n = put_word(h, out);
        return n + (size_t)snprintf(out + n, TEXT_MAX, "%llu@%s.example.com",
                                    (unsigned long long)(h >> 20 & 0xFFFFF),
                                    syllables[h >> 50 & 31]);
    }
    case 18:
        return (size_t)snprintf(out, TEXT_MAX, "https://shop.example.com/%s/%llu?ref=%08llx",
                                syllables[h & 31], (unsigned long long)(h >> 8 & 0xFFFF),
                                (unsigned long long)(h >> 32));
    default:
        return put_comment(h, out);
    }
}

static void put_fixed(unsigned k, uint64_t row, uint64_t h, uint8_t *to)
{
    int64_t v = 0;
    double d;
    switch (k) {
    case 0:
        v = (int64_t)row + 1;
        break;
    case 1:
        v = (int64_t)(h % 1000000);
        break;
    case 2:
        v = (int64_t)(h % 5000);
        break;
    case 3:
        v = (int64_t)(1 + h % 20);
        break;
    case 4:
        v = INT64_C(1700000000000000) + (int64_t)(row * 850000 + h % 900000);
        break;
    case 5:
        v = (INT64_C(1690000000) + (int64_t)(h % 40000000)) * 1000000;
        break;
    case 6:
        v = (int64_t)(h % 5000000);
        break;
    case 7:
        v = (int64_t)(h % 90000000000) - 10000000000;
        break;
    case 8:
        d = (double)(h % 2500) / 100;
        memcpy(to, &d, 8);
        return;
    case 9:
        d = (double)(h >> 11) / 9007199254740992.0;
        memcpy(to, &d, 8);
        return;
    case 14:
        to[0] = h % 10 != 0;
        return;
    case 15:
        v = (int64_t)(19000 + h % 1500);
        break;
    default:
        v = (int64_t)(h % 64 * (h >> 8) % 700);
        break;
    }
    memcpy(to, &v, 8);
}

static void put_uuid(uint64_t h, uint8_t *to)
{
    uint64_t words[2] = {h, mix(h)};
    memcpy(to, words, 16);
    to[6] = (uint8_t)(0x40 | (to[6] & 15));
    to[8] = (uint8_t)(0x80 | (to[8] & 63));
}

/* Fills rows [first, first + n) of one column. */
static void fill(rv_col *c, unsigned k, unsigned copy, uint64_t first, uint32_t n)
{
    uint32_t present = 0;
    uint8_t cell[16];
    unsigned width = rv_layout_width(rv_type_layout(c->type));
    c->rows = n;
    memset(c->validity, 0, (n + 7) / 8);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t row = first + i, h = mix(mix(k * 1000 + copy) + row);
        if (kinds[k].null_percent && mix(h) % 100 < kinds[k].null_percent)
            continue;
        c->validity[i / 8] |= (uint8_t)(1u << i % 8);
        if (width == 0) {
            c->offsets[present + 1] =
                c->offsets[present] +
                (uint32_t)put_text(k, row, h, (char *)c->values + c->offsets[present]);
        } else if (k == 10) {
            put_uuid(h, c->values + (size_t)present * 16);
        } else {
            put_fixed(k, row, h, cell);
            if (width == 16)
                memset(cell + 8, cell[7] & 0x80 ? 0xFF : 0, 8);
            memcpy(c->values + (size_t)present * width, cell, width);
        }
        present++;
    }
    c->nulls = n - present;
}

typedef struct run {
    rv_format_opts opts;
    const char *out;
    uint64_t rows;
    size_t n_columns, n_kinds;
    unsigned first_kind;
    int fd;
    uint64_t bytes;
} run;

static rv_status to_file(void *self, rv_bytes data, rv_error *err)
{
    run *r = self;
    r->bytes += data.len;
    return r->fd < 0 ? RV_OK : rv_file_write(r->fd, data.ptr, data.len, r->out, err);
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_columns(const run *r, rv_schema *schema, rv_batch *batch, uint32_t batch_rows)
{
    schema->n_columns = r->n_columns;
    schema->columns = calloc(r->n_columns, sizeof *schema->columns);
    batch->columns = calloc(r->n_columns, sizeof *batch->columns);
    for (size_t i = 0; i < r->n_columns; i++) {
        const kind *k = &kinds[r->first_kind + i % r->n_kinds];
        char *name = calloc(1, 40);
        snprintf(name, 40, i < r->n_kinds ? "%s" : "%s_%zu", k->name, i / r->n_kinds);
        schema->columns[i] = (rv_column){.name = name, .type = k->type, .source_type = "bench"};
        rv_col *c = &batch->columns[i];
        unsigned width = rv_layout_width(rv_type_layout(k->type));
        c->type = k->type;
        c->validity = malloc(batch_rows / 8 + 1);
        c->values = malloc((size_t)batch_rows * (width ? width : TEXT_MAX));
        c->offsets = calloc(batch_rows + 1, sizeof *c->offsets);
    }
    batch->schema = schema;
}

static rv_status encode(run *r, rv_error *err)
{
    rv_schema schema;
    rv_batch batch = {.rows = 0};
    rv_writer *w;
    rv_file_stats stats;
    double cpu = 0, start;
    uint64_t raw = 0;
    uint32_t step = r->n_columns > 200 ? 512 : BATCH_ROWS;
    make_columns(r, &schema, &batch, step);
    RV_TRY(rv_format_parquet.begin(NULL, &schema, &r->opts, (rv_sink){r, to_file}, &w, err));
    for (uint64_t row = 0; row < r->rows; row += batch.rows) {
        batch.rows = r->rows - row < step ? (uint32_t)(r->rows - row) : step;
        for (size_t i = 0; i < r->n_columns; i++) {
            rv_col *c = &batch.columns[i];
            fill(c, r->first_kind + (unsigned)(i % r->n_kinds), (unsigned)(i / r->n_kinds), row,
                 batch.rows);
            unsigned width = rv_layout_width(rv_type_layout(c->type));
            uint32_t present = c->rows - c->nulls;
            raw += width ? (uint64_t)c->rows * width : c->offsets[present] + 4 * (uint64_t)c->rows;
        }
        start = cpu_seconds();
        RV_TRY(rv_format_parquet.write(w, &batch, err));
        cpu += cpu_seconds() - start;
    }
    rv_col_sum *sum_of = calloc(r->n_columns, sizeof *sum_of);
    rv_sums sums = {.rows = r->rows, .n_columns = r->n_columns, .columns = sum_of};
    start = cpu_seconds();
    RV_TRY(rv_format_parquet.finish(w, &sums, &stats, err));
    cpu += cpu_seconds() - start;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"cpu_s\": %.3f, \"bytes\": %llu, \"raw_bytes\": %llu, \"groups\": %llu, "
           "\"ns_per_cell\": %.3f, \"rss_mb\": %.1f}\n",
           cpu, (unsigned long long)r->bytes, (unsigned long long)raw,
           (unsigned long long)stats.row_groups, cpu * 1e9 / (double)(r->rows * r->n_columns),
           (double)usage.ru_maxrss / 1024);
    return RV_OK;
}

static void read_option(run *r, const char *name, const char *value)
{
    if (strcmp(name, "--out") == 0)
        r->out = value;
    else if (strcmp(name, "--codec") == 0 && rv_codec_from_name(rv_str_c(value), &r->opts.codec))
        return;
    else if (strcmp(name, "--level") == 0)
        r->opts.level = atoi(value);
    else if (strcmp(name, "--rows") == 0)
        r->rows = strtoull(value, NULL, 10);
    else if (strcmp(name, "--columns") == 0)
        r->n_columns = strtoull(value, NULL, 10);
    else if (strcmp(name, "--text") == 0)
        r->n_kinds = value[0] == '0' ? FIXED_KINDS : KINDS;
    else if (strcmp(name, "--kind") == 0) {
        r->first_kind = (unsigned)atoi(value) % KINDS;
        r->n_kinds = r->n_columns = 1;
    } else if (strcmp(name, "--encoding") == 0)
        r->opts.encoding = value[0] == 'c'   ? RV_ENCODING_COMPATIBLE
                           : value[0] == 's' ? RV_ENCODING_SMALL
                                             : RV_ENCODING_AUTO;
}

int main(int argc, char **argv)
{
    rv_error err = {0};
    run r = {.opts = {.codec = RV_CODEC_ZSTD, .level = 3, .memory_bytes = (uint64_t)20 << 20},
             .rows = 2000000,
             .n_columns = KINDS,
             .n_kinds = KINDS,
             .fd = -1};
    for (int i = 1; i + 1 < argc; i += 2)
        read_option(&r, argv[i], argv[i + 1]);
    if (r.opts.codec != RV_CODEC_ZSTD)
        r.opts.level = RV_LEVEL_DEFAULT;
    if (r.out && (r.fd = open(r.out, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644)) < 0) {
        perror(r.out);
        return 1;
    }
    if (encode(&r, &err) != RV_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    return 0;
}
