#include "format/parquet/choose.h"

#include "format/parquet/enc_delta.h"
#include "format/parquet/pack.h"

#define TRIAL_BYTES ((size_t)65536)
/* A dictionary costs a page of its own, so it must save at least that. */
#define DICT_PAGE_OVERHEAD 40u
#define DICT_PAGES_SERVED 16u
/* Looking values up costs more than taking differences, so it must save a part of the size. */
#define DICT_GAIN_PART 16u

typedef struct sample {
    rv_pq_values v;
    size_t plain_bytes;
} sample;

static sample take_sample(const rv_pq_values *v)
{
    sample s = {*v, 0};
    if (s.v.n > RV_PQ_SAMPLE_MAX)
        s.v.n = RV_PQ_SAMPLE_MAX;
    s.plain_bytes = s.v.n * v->width;
    for (size_t i = 0; v->width == 0 && i < s.v.n; i++)
        s.plain_bytes += 4 + (size_t)v->lengths[i];
    return s;
}

/* Indexes the sample in two halves; *grown: entries the second half added. */
static rv_status index_halves(const sample *s, rv_pq_dict *dict, rv_pq_press *press, bool *fits,
                              uint32_t *grown, rv_error *err)
{
    uint16_t *indexes;
    rv_pq_values half = s->v;
    half.n = s->v.n / 2;
    RV_TRY(rv_pq_press_u16(press, s->v.n, &indexes, err));
    RV_TRY(rv_pq_dict_index(dict, &half, indexes, fits, err));
    uint32_t before = dict->n;
    size_t bytes = half.n * half.width;
    for (size_t i = 0; half.width == 0 && i < half.n; i++)
        bytes += half.lengths[i];
    half.bytes += bytes;
    half.lengths = half.lengths ? half.lengths + half.n : NULL;
    half.n = s->v.n - half.n;
    if (*fits)
        RV_TRY(rv_pq_dict_index(dict, &half, indexes, fits, err));
    *grown = dict->n - before;
    return RV_OK;
}

/* Bytes of the sample with a dictionary; SIZE_MAX when it cannot have one. A dictionary that
 * hardly grows any more serves the pages to come, so each bears a part of it. */
static rv_status dictionary_size(const sample *s, rv_pq_dict *dict, rv_pq_press *press, bool more,
                                 size_t *out, rv_error *err)
{
    bool fits;
    uint32_t grown;
    rv_pq_dict_clear(dict);
    RV_TRY(index_halves(s, dict, press, &fits, &grown, err));
    *out = SIZE_MAX;
    if (fits && dict->n <= s->v.n / 2) {
        size_t entries = rv_pq_dict_plain_bytes(dict, dict->n) + DICT_PAGE_OVERHEAD;
        if (more && s->v.n >= RV_PQ_SAMPLE_ENOUGH && grown < dict->n / 4)
            entries /= DICT_PAGES_SERVED;
        *out = entries + s->v.n * rv_pq_dict_width(dict->n) / 8;
    }
    rv_pq_dict_clear(dict);
    return RV_OK;
}

static size_t dbp_size(const rv_pq_values *v)
{
    const void *values = v->bytes;
    return v->width == 8 ? rv_pq_dbp64_size(values, v->n) : rv_pq_dbp32_size(values, v->n);
}

/* First TRIAL_BYTES of the sample in this encoding, compressed, scaled to the whole sample. */
static rv_status compressed_size(const sample *s, const rv_pq_leaf *leaf, rv_pq_encoding encoding,
                                 rv_pq_press *press, size_t *out, rv_error *err)
{
    rv_pq_values part = s->v;
    size_t taken = 0;
    if (part.width && part.n * part.width > TRIAL_BYTES)
        part.n = TRIAL_BYTES / part.width;
    for (size_t i = 0; part.width == 0 && i < part.n; i++)
        if ((taken += 4 + (size_t)part.lengths[i]) >= TRIAL_BYTES)
            part.n = i + 1;
    rv_buf_clear(&press->body);
    RV_TRY(rv_pq_encode(encoding, leaf->physical, &part, &press->body, err));
    size_t len = press->body.len;
    if (press->codec)
        RV_TRY(rv_pq_press_trial(press, press->codec, rv_buf_bytes(&press->body), &len, err));
    if (len > press->body.len)
        len = press->body.len;
    *out = part.n ? len * s->v.n / part.n : 0;
    return RV_OK;
}

/* Of two encodings the second is taken when it is smaller after compression. */
static rv_status smaller_of(const sample *s, const rv_pq_leaf *leaf, rv_pq_encoding a,
                            rv_pq_encoding b, rv_pq_press *press, rv_pq_encoding *out,
                            size_t *out_size, rv_error *err)
{
    size_t size_a, size_b;
    RV_TRY(compressed_size(s, leaf, a, press, &size_a, err));
    RV_TRY(compressed_size(s, leaf, b, press, &size_b, err));
    *out = size_b < size_a ? b : a;
    *out_size = size_b < size_a ? size_b : size_a;
    return RV_OK;
}

static bool is_int(rv_pq_type t)
{
    return t == RV_PQ_INT32 || t == RV_PQ_INT64;
}

static bool is_float(rv_pq_type t)
{
    return t == RV_PQ_FLOAT || t == RV_PQ_DOUBLE;
}

/* Shared prefixes of a quarter of the bytes pay for encoding them. */
static bool shares_prefixes(const sample *s)
{
    rv_pq_strings strings = {s->v.bytes, s->v.lengths, s->v.n};
    size_t bytes = s->plain_bytes - 4 * s->v.n;
    return bytes > 0 && rv_pq_shared_prefix_bytes(&strings) >= bytes / 4;
}

/* The encoding without dictionary and what it makes of the sample. */
static rv_status choose_fallback(const sample *s, const rv_pq_leaf *leaf, rv_encoding_policy policy,
                                 rv_pq_press *press, rv_pq_encoding *out, size_t *size,
                                 rv_error *err)
{
    bool small = policy == RV_ENCODING_SMALL;
    *out = RV_PQ_PLAIN;
    *size = s->plain_bytes;
    if (policy == RV_ENCODING_COMPATIBLE)
        return RV_OK;
    if (is_int(leaf->physical)) {
        size_t dbp = dbp_size(&s->v);
        if (small)
            return smaller_of(s, leaf, RV_PQ_DBP, RV_PQ_PLAIN, press, out, size, err);
        *out = dbp < s->plain_bytes ? RV_PQ_DBP : RV_PQ_PLAIN;
        *size = dbp < s->plain_bytes ? dbp : s->plain_bytes;
        return RV_OK;
    }
    if (is_float(leaf->physical)) {
        if (small)
            return smaller_of(s, leaf, RV_PQ_PLAIN, RV_PQ_BSS, press, out, size, err);
        return compressed_size(s, leaf, RV_PQ_PLAIN, press, size, err);
    }
    if (leaf->physical == RV_PQ_BYTE_ARRAY) {
        if (small)
            return smaller_of(s, leaf, RV_PQ_DLBA, RV_PQ_DBA, press, out, size, err);
        *out = shares_prefixes(s) ? RV_PQ_DBA : RV_PQ_DLBA;
    }
    return RV_OK;
}

rv_status rv_pq_choose(const rv_pq_leaf *leaf, rv_encoding_policy policy, const rv_pq_values *v,
                       bool more, rv_pq_dict *dict, rv_pq_press *press, rv_pq_choice *out,
                       rv_error *err)
{
    sample s = take_sample(v);
    size_t with_dictionary, without;
    rv_pq_choice choice = {false, RV_PQ_PLAIN};
    if (leaf->physical != RV_PQ_BOOLEAN) {
        RV_TRY(choose_fallback(&s, leaf, policy, press, &choice.fallback, &without, err));
        RV_TRY(dictionary_size(&s, dict, press, more, &with_dictionary, err));
        choice.dictionary = with_dictionary < without - without / DICT_GAIN_PART;
    }
    *out = choice;
    return RV_OK;
}
