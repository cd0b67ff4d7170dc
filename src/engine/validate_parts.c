#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/validate_internal.h"

#define RV_TARGET "engine"

typedef struct rv_part_check {
    rv_validating *v;
    const rv_manifest *m;
    const rv_manifest_part *p;
    rv_object object;
    bool failed;
    bool hashed;   /* its MD5 was compared */
    rv_sums *sums; /* of the manifest; columns NULL until the first part */
    bool sums_whole;
} rv_part_check;

static rv_status fail_part(rv_part_check *c, const char *kind, const char *message,
                           const char *expected, const char *actual, rv_error *err)
{
    rv_failure f = {.kind = kind,
                    .message = message,
                    .path = c->p->path,
                    .expected = expected,
                    .actual = actual,
                    .part_id = c->p->part_id,
                    .size_bytes = -1,
                    .fatal = true};
    c->failed = true;
    return rv_validate_fail(c->v, &f, err);
}

static rv_status number(rv_arena *a, int64_t n, const char **out, rv_error *err)
{
    return rv_arena_printf(a, out, err, "%" PRId64, n);
}

static rv_status fail_count(rv_part_check *c, const char *kind, const char *message,
                            int64_t expected, int64_t actual, rv_error *err)
{
    const char *want, *got;
    RV_TRY(number(c->v->arena, expected, &want, err));
    RV_TRY(number(c->v->arena, actual, &got, err));
    return fail_part(c, kind, message, want, got, err);
}

/* ---- listing ---- */

static int by_key(const void *key, const void *item)
{
    return strcmp(key, ((const rv_object *)item)->key);
}

static rv_status find_object(rv_part_check *c, bool *out_found, rv_error *err)
{
    rv_validating *v = c->v;
    const rv_object *o = NULL;
    if (!v->listed || strchr(c->p->path, '/'))
        return v->dd->stat(v->dest, c->p->path, &c->object, out_found, err);
    if (v->objects.n)
        o = bsearch(c->p->path, v->objects.items, v->objects.n, sizeof *o, by_key);
    if (o)
        c->object = *o;
    *out_found = o != NULL;
    return RV_OK;
}

/* ---- content ---- */

static rv_status compare_hashes(rv_part_check *c, const char *md5, const char *fingerprint,
                                rv_error *err)
{
    if (fingerprint && strcmp(fingerprint, c->p->fingerprint) != 0)
        return fail_part(c, "part_checksum_mismatch", "the part's fingerprint differs",
                         c->p->fingerprint, fingerprint, err);
    if (md5 && strcmp(md5, c->p->md5) != 0)
        return fail_part(c, "part_checksum_mismatch", "the part's MD5 differs", c->p->md5, md5,
                         err);
    c->hashed = md5 != NULL;
    return RV_OK;
}

/* The bytes are hashed beside the decoding of their values, on a thread of their own. */
typedef struct rv_hashing {
    const rv_part_check *check;
    rv_digests digests;
    rv_status status;
    rv_error error;
    pthread_t thread;
    bool threaded;
} rv_hashing;

static void *hash_part(void *arg)
{
    rv_hashing *h = arg;
    const rv_validating *v = h->check->v;
    h->status =
        rv_object_digest(v->dd, v->dest, h->check->p->path, v->env->cancel, &h->digests, &h->error);
    return NULL;
}

static void hashing_begin(rv_hashing *h, const rv_part_check *c)
{
    *h = (rv_hashing){.check = c};
    h->threaded = pthread_create(&h->thread, NULL, hash_part, h) == 0;
    if (!h->threaded)
        (void)hash_part(h);
}

static rv_status hashing_end(rv_hashing *h, rv_part_check *c, rv_error *err)
{
    if (h->threaded)
        (void)pthread_join(h->thread, NULL);
    if (h->status != RV_OK) {
        if (err)
            *err = h->error;
        return h->status;
    }
    return compare_hashes(c, h->digests.md5, h->digests.fingerprint, err);
}

static bool reads_content(const rv_part_check *c)
{
    const rv_validating *v = c->v;
    bool listed = c->object.md5[0] != 0;
    return v->opts->depth == RV_DEPTH_FULL ||
           (v->x->verify_content && !listed && v->dd->kind == RV_DEST_LOCAL);
}

/* What the store's listing says. */
static rv_status check_listed(rv_part_check *c, rv_error *err)
{
    const rv_validating *v = c->v;
    if (c->object.md5[0])
        return compare_hashes(c, c->object.md5, NULL, err);
    if (v->x->verify_content)
        return fail_part(c, "content_verification_unmet",
                         "verify: content asks for an MD5 that the store does not list", NULL, NULL,
                         err);
    return RV_OK;
}

static rv_status add_sums(rv_part_check *c, const rv_sums *part, rv_error *err)
{
    if (!part->columns) {
        c->sums_whole = false; /* somebody else's file: its types are unknown */
        return RV_OK;
    }
    if (!c->sums->columns)
        RV_TRY(rv_sums_init(c->sums, part->n_columns, err));
    if (c->sums->n_columns == part->n_columns)
        rv_sums_add(c->sums, part);
    else
        c->sums_whole = false;
    return RV_OK;
}

static rv_status verify_file(rv_part_check *c, rv_arena *scratch, rv_verify_result *out,
                             rv_error *err)
{
    rv_validating *v = c->v;
    bool full = v->opts->depth == RV_DEPTH_FULL;
    rv_object_reader reader = {v->dd, v->dest, c->p->path};
    rv_readable in = rv_object_readable(&reader, c->object.size_bytes);
    if (strcmp(c->m->format, "parquet") == 0)
        return rv_parquet_verify(v->env, in, full ? RV_VERIFY_CHECKSUM : RV_VERIFY_STRUCTURE,
                                 scratch, out, err);
    rv_codec_id codec = RV_CODEC_NONE;
    if (c->m->compression && !rv_codec_from_name(rv_str_c(c->m->compression), &codec))
        return rv_fail(err, RV_E_CORRUPT, "the manifest names the unknown compression '%s'",
                       c->m->compression);
    return rv_csv_verify(v->env, in, codec, scratch, out, err);
}

static rv_status judge_file(rv_part_check *c, const rv_verify_result *r, rv_error *err)
{
    bool full = c->v->opts->depth == RV_DEPTH_FULL;
    if ((int64_t)r->rows != c->p->rows)
        RV_TRY(fail_count(c, "part_row_count_mismatch", "the part's row count differs", c->p->rows,
                          (int64_t)r->rows, err));
    if (!full || strcmp(c->m->format, "parquet") != 0)
        return RV_OK;
    if (r->has_checksum && !r->checksum_matches)
        RV_TRY(fail_part(c, "value_checksum_mismatch", r->mismatch, NULL, NULL, err));
    return add_sums(c, &r->sums, err);
}

static rv_status judge_verified(rv_part_check *c, rv_status st, const rv_verify_result *result,
                                const rv_error *why, rv_error *err)
{
    bool full = c->v->opts->depth == RV_DEPTH_FULL;
    if (st == RV_OK)
        return judge_file(c, result, err);
    if (st == RV_E_CORRUPT) {
        c->sums_whole = false;
        return fail_part(c, full ? "value_checksum_mismatch" : "part_row_count_mismatch", why->text,
                         NULL, NULL, err);
    }
    if (err)
        *err = *why;
    return st;
}

/* Bytes that differ are told before what they decode to. Row counts of CSV need the whole file:
 * only at full depth. */
static rv_status check_content(rv_part_check *c, rv_error *err)
{
    rv_arena scratch = RV_ARENA_INIT;
    rv_verify_result result = {0};
    rv_error why = {0};
    rv_hashing hashing;
    rv_status decoded = RV_OK, st = RV_OK;
    bool hashed = reads_content(c);
    bool decodes = c->v->opts->depth == RV_DEPTH_FULL || strcmp(c->m->format, "parquet") == 0;
    if (hashed)
        hashing_begin(&hashing, c);
    if (decodes)
        decoded = verify_file(c, &scratch, &result, &why);
    st = hashed ? hashing_end(&hashing, c, err) : check_listed(c, err);
    if (st == RV_OK && decodes && !c->failed)
        st = judge_verified(c, decoded, &result, &why, err);
    rv_arena_free(&scratch);
    return st;
}
static rv_status check_part(rv_part_check *c, rv_error *err)
{
    rv_validate_report *r = c->v->out;
    bool found = false;
    c->failed = c->hashed = false;
    RV_TRY(rv_cancel_check(c->v->env->cancel, err));
    RV_TRY(find_object(c, &found, err));
    if (!found) {
        r->parts_missing++;
        return fail_part(c, "part_missing", "the part is not at the destination", NULL, NULL, err);
    }
    if ((int64_t)c->object.size_bytes != c->p->size_bytes) {
        r->parts_size_mismatch++;
        return fail_count(c, "part_size_mismatch", "the part's size differs", c->p->size_bytes,
                          (int64_t)c->object.size_bytes, err);
    }
    return check_content(c, err);
}

/* ---- sums of the manifest ---- */

static rv_status fail_sum(rv_validating *v, const char *what, const char *expected,
                          const char *actual, rv_error *err)
{
    const char *text;
    RV_TRY(rv_arena_printf(v->arena, &text, err, "the parts' values differ from the manifest: %s",
                           what));
    rv_failure f = {.kind = "value_checksum_mismatch",
                    .message = text,
                    .expected = expected,
                    .actual = actual,
                    .part_id = -1,
                    .size_bytes = -1,
                    .fatal = true};
    return rv_validate_fail(v, &f, err);
}

static rv_status compare_sums(rv_validating *v, const rv_manifest *m, const rv_sums *s,
                              rv_error *err)
{
    char hex[33];
    if (!m->checksums || !s->columns)
        return RV_OK;
    if (m->n_checksums != s->n_columns)
        return fail_sum(v, "another number of columns", NULL, NULL, err);
    for (size_t i = 0; i < s->n_columns; i++) {
        rv_hex_u64(s->columns[i].sum, hex);
        if (strcmp(hex, m->checksums[i]) != 0)
            return fail_sum(v, m->checksum_names[i], m->checksums[i], hex, err);
    }
    rv_hex_u128(s->row_sum, hex);
    if (m->row_checksum && strcmp(hex, m->row_checksum) != 0)
        return fail_sum(v, "the row checksum", m->row_checksum, hex, err);
    return RV_OK;
}

static rv_status check_manifest(rv_validating *v, const rv_manifest *m, rv_error *err)
{
    rv_sums sums = {0};
    rv_part_check c = {.v = v, .m = m, .sums = &sums, .sums_whole = true};
    rv_validate_report *r = v->out;
    rv_status st = RV_OK;
    for (size_t i = 0; i < m->n_parts; i++) {
        c.p = &m->parts[i];
        if (strcmp(c.p->status, "committed") != 0)
            continue;
        RV_GO(check_part(&c, err));
        r->parts_verified += !c.failed;
        r->parts_failed += c.failed;
        r->parts_md5_verified += !c.failed && c.hashed;
        c.sums_whole &= !c.failed;
    }
    if (c.sums_whole)
        st = compare_sums(v, m, &sums, err);
done:
    if (sums.columns)
        rv_sums_free(&sums);
    return st;
}

rv_status rv_validate_parts(rv_validating *v, rv_error *err)
{
    for (size_t i = 0; i < v->n_subjects; i++)
        RV_TRY(check_manifest(v, &v->subjects[i]->m, err));
    return RV_OK;
}

/* ---- untracked ---- */

static bool skip_digits(const char **p)
{
    const char *from = *p;
    while (**p >= '0' && **p <= '9')
        (*p)++;
    return *p > from;
}

static bool skip_word(const char **p, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(*p, word, len) != 0)
        return false;
    *p += len;
    return true;
}

/* "{stem}[_chunkN|_keysetN[-N]][_repairN][_partN].ext": nothing else bears the stem. */
static bool bears_stem(const char *key, const char *stem)
{
    const char *p = key;
    if (!stem || !*stem || !skip_word(&p, stem))
        return false;
    if (skip_word(&p, "_chunk") && !skip_digits(&p))
        return false;
    if (skip_word(&p, "_keyset")) {
        if (!skip_digits(&p) || (*p == '-' && (p++, !skip_digits(&p))))
            return false;
    }
    if (skip_word(&p, "_repair") && !skip_digits(&p))
        return false;
    if (skip_word(&p, "_part") && !skip_digits(&p))
        return false;
    return strcmp(p, ".parquet") == 0 || strcmp(p, ".csv") == 0 || strcmp(p, ".csv.gz") == 0 ||
           strcmp(p, ".csv.zst") == 0;
}

static bool closed(const rv_run_row *r)
{
    return strcmp(r->status, "running") != 0 && strcmp(r->status, "unpublished") != 0;
}

static bool tracked(const rv_validating *v, const char *key)
{
    if (strncmp(key, "manifest", 8) == 0 || strcmp(key, "_SUCCESS") == 0)
        return true;
    for (size_t i = 0; i < v->n_manifests; i++) {
        const rv_manifest *m = &v->manifests[i].m;
        for (size_t k = 0; v->manifests[i].parsed && k < m->n_parts; k++)
            if (strcmp(m->parts[k].path, key) == 0)
                return true;
    }
    return false;
}

/* Recorded for a closed run, or bearing its stem. */
static rv_status of_closed_run(rv_validating *v, const rv_run_rows *runs, const char *key,
                               bool *out, rv_error *err)
{
    *out = false;
    for (size_t i = 0; i < runs->n && !*out; i++) {
        rv_part_rows parts = {0};
        if (!closed(&runs->rows[i]))
            continue;
        *out = bears_stem(key, runs->rows[i].stem);
        if (*out)
            return RV_OK;
        /* a stem moves on when its name is taken: older parts keep theirs in file_log */
        if (strncmp(key, v->x->name, strlen(v->x->name)) != 0)
            continue;
        RV_TRY(rv_state_parts(v->state, runs->rows[i].run_id, NULL, v->arena, &parts, err));
        for (size_t k = 0; k < parts.n && !*out; k++)
            *out = strcmp(parts.rows[k].file_name, key) == 0;
    }
    return RV_OK;
}

static rv_status report_untracked(rv_validating *v, const rv_object *o, rv_error *err)
{
    rv_failure f = {.kind = "untracked_object",
                    .message = "no manifest lists this object of a closed run",
                    .key = o->key,
                    .part_id = -1,
                    .size_bytes = (int64_t)o->size_bytes};
    v->out->parts_untracked++;
    return rv_validate_fail(v, &f, err);
}

/* What a manifest lists that could not be had cannot be told from what none lists. */
static bool all_read(const rv_validating *v)
{
    for (size_t i = 0; i < v->n_manifests; i++) {
        rv_status why = v->manifests[i].why.code;
        if (!v->manifests[i].parsed && why != RV_E_VALIDATE && why != RV_E_CORRUPT)
            return false;
    }
    return true;
}

rv_status rv_validate_untracked(rv_validating *v, rv_error *err)
{
    rv_run_rows runs = {0};
    if (!v->state || !v->objects.n || !all_read(v))
        return RV_OK;
    RV_TRY(rv_state_runs(v->state, v->x->name, 0, v->arena, &runs, err));
    for (size_t i = 0; runs.n && i < v->objects.n; i++) {
        const rv_object *o = &v->objects.items[i];
        bool ours;
        if (tracked(v, o->key))
            continue;
        RV_TRY(of_closed_run(v, &runs, o->key, &ours, err));
        if (ours)
            RV_TRY(report_untracked(v, o, err));
    }
    return RV_OK;
}
