/* Values that cut a table into ranges of about equal rows, without reading it: equal steps between
 * the key's ends, and of a key that is no number the keys found there, which the server sorts.
 * Source: design "sources" section 2. */
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "column/temporal.h"
#include "source/mysql/decode_internal.h"
#include "source/mysql/relation_internal.h"

#define STEP_BYTES 8 /* of a text or binary key, behind what its ends have in common */

typedef struct cutting {
    rv_source *s;
    const rv_relation *rel;
    const rv_mys_relation *r;
    size_t want;
    rv_arena *arena;
    rv_datum low, high;
    rv_datum *out;
    size_t n;
} cutting;

static rv_status add_integer(cutting *c, int64_t v, rv_error *err)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, v);
    c->out[c->n] = (rv_datum){.kind = c->rel->key.kinds[0]};
    RV_TRY(rv_arena_str(c->arena, rv_str_c(text), &c->out[c->n].text, err));
    c->n++;
    return RV_OK;
}

static rv_status integer_steps(cutting *c, rv_error *err)
{
    int64_t a = 0, b = 0;
    if (!rv_str_i64(c->low.text, &a) || !rv_str_i64(c->high.text, &b))
        return RV_OK;
    rv_i128 span = (rv_i128)b - a + 1;
    int64_t previous = a;
    for (size_t i = 1; i < c->want; i++) {
        int64_t cut = (int64_t)(a + span * (rv_i128)i / (rv_i128)c->want);
        if (cut > previous)
            RV_TRY(add_integer(c, cut, err));
        previous = cut;
    }
    return RV_OK;
}

/* --- other keys: the first key at or behind each step --- */

static rv_status key_behind(cutting *c, rv_str at, rv_datum *out, bool *out_found, rv_error *err)
{
    rv_expr key = {c->rel->key.columns[0], NULL};
    rv_pred from = {.expr = key, .op = RV_GE, .value = {.kind = c->rel->key.kinds[0], .text = at}};
    rv_page_spec page = {
        .relation = c->rel, .preds = &from, .n_preds = 1, .order = &key, .n_order = 1};
    return rv_mys_walk(c->s, &page, 1, true, c->arena, out, out_found, err);
}

/* Steps that the client took as ascending may not be so to the server: it has the last word. */
static rv_status sorted_by_server(cutting *c, const rv_datum *found, size_t n, rv_error *err)
{
    rv_expr key = {c->rel->key.columns[0], NULL};
    const rv_mys_key_column *column = &c->r->key[0];
    rv_buf b = RV_BUF_INIT;
    rv_status st;
    RV_GO(rv_buf_add_c(&b, "SELECT ", err));
    RV_GO(rv_mys_expr_wire(c->r, &key, &b, err));
    RV_GO(rv_buf_printf(&b, err, " FROM %s WHERE ", c->r->from));
    RV_GO(rv_mys_expr(c->r, &key, &b, err));
    for (size_t i = 0; i < n; i++) {
        RV_GO(rv_buf_add_c(&b, i ? ", " : " IN (", err));
        RV_GO(rv_mys_datum(&found[i], column, &b, err));
    }
    RV_GO(rv_buf_add_c(&b, ") ORDER BY ", err));
    RV_GO(rv_mys_expr(c->r, &key, &b, err));
    RV_GO(rv_buf_add_byte(&b, 0, err));
    rv_mys_asked q = {.sql = (const char *)b.ptr, .columns = &column, .n = 1, .most = c->want - 1};
    RV_GO(rv_mys_rows(c->s, &q, c->arena, c->out, &c->n, err));
done:
    rv_buf_free(&b);
    return st;
}

typedef rv_status (*step_fn)(const cutting *c, size_t i, rv_str *out, bool *out_ok, rv_error *err);

static rv_status snapped_steps(cutting *c, step_fn step, rv_error *err)
{
    rv_datum *found = NULL;
    size_t n = 0;
    RV_TRY(rv_arena_array(c->arena, c->want, sizeof *found, &found, err));
    for (size_t i = 1; i < c->want; i++) {
        bool ok = false, more = false;
        rv_str at;
        RV_TRY(step(c, i, &at, &ok, err));
        if (!ok)
            return RV_OK;
        RV_TRY(key_behind(c, at, &found[n], &more, err));
        n += more && !rv_str_eq(found[n].text, c->low.text);
    }
    return n ? sorted_by_server(c, found, n, err) : RV_OK;
}

static rv_status time_step(const cutting *c, size_t i, rv_str *out, bool *out_ok, rv_error *err)
{
    int64_t a = 0, b = 0;
    bool zoned = false;
    char text[RV_TEMPORAL_TEXT_SIZE];
    *out_ok = rv_timestamp_parse(c->low.text, false, &a, &zoned) == RV_TEMPORAL_OK &&
              rv_timestamp_parse(c->high.text, false, &b, &zoned) == RV_TEMPORAL_OK;
    if (!*out_ok)
        return RV_OK;
    int64_t at = (int64_t)(a + ((rv_i128)b - a) * (rv_i128)i / (rv_i128)c->want);
    if (c->rel->key.kinds[0] == RV_DATE)
        (void)rv_date_text(at / RV_MYS_DAY_US - (at % RV_MYS_DAY_US < 0), text);
    else
        (void)rv_timestamp_text(at, false, text);
    char *t = strchr(text, 'T');
    if (t)
        *t = ' ';
    return rv_arena_str(c->arena, rv_str_c(text), out, err);
}

static unsigned digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10) & 15u;
}

static uint64_t bytes_behind(rv_str hex, size_t common)
{
    uint64_t v = 0;
    for (size_t i = 0; i < STEP_BYTES; i++) {
        size_t at = common + 2 * i;
        v = v << 8;
        if (at + 1 < hex.len)
            v |= digit(hex.ptr[at]) << 4 | digit(hex.ptr[at + 1]);
    }
    return v;
}

/* A step inside a character set is a text of it only as printable ASCII. */
static size_t printable(const cutting *c, uint8_t *bytes, size_t n)
{
    for (size_t i = 0; c->r->key[0].charset && i < n; i++)
        bytes[i] = bytes[i] < 0x20 ? 0x20 : bytes[i] > 0x7E ? 0x7E : bytes[i];
    return n;
}

static rv_status bytes_step(const cutting *c, size_t i, rv_str *out, bool *out_ok, rv_error *err)
{
    size_t common = 0;
    uint8_t bytes[STEP_BYTES];
    char *hex = NULL;
    rv_str low = c->low.text, high = c->high.text;
    while (common + 1 < low.len && common + 1 < high.len &&
           memcmp(low.ptr + common, high.ptr + common, 2) == 0)
        common += 2;
    uint64_t a = bytes_behind(low, common), b = bytes_behind(high, common);
    *out_ok = b > a;
    if (!*out_ok)
        return RV_OK;
    uint64_t at = (uint64_t)(a + (rv_ui128)(b - a) * i / c->want);
    for (size_t k = 0; k < STEP_BYTES; k++)
        bytes[k] = (uint8_t)(at >> (8 * (STEP_BYTES - 1 - k)));
    RV_TRY(rv_arena_alloc(c->arena, common + 2 * STEP_BYTES + 1, &hex, err));
    memcpy(hex, low.ptr, common);
    rv_hex(bytes, printable(c, bytes, STEP_BYTES), hex + common);
    *out = (rv_str){hex, common + 2 * STEP_BYTES};
    return RV_OK;
}

/* One byte per ASCII character: what steps are made of. */
static bool holds_ascii(const rv_mys_key_column *k)
{
    static const char *const sets[] = {"utf8mb4", "utf8mb3", "utf8", "latin1", "ascii"};
    for (size_t i = 0; k->charset && i < sizeof sets / sizeof sets[0]; i++)
        if (strcmp(k->charset, sets[i]) == 0)
            return true;
    return k->charset == NULL;
}

static rv_status cut(cutting *c, rv_error *err)
{
    switch ((int)c->rel->key.kinds[0]) {
    case RV_INT64:
        return integer_steps(c, err);
    case RV_DATE:
    case RV_TIMESTAMP:
    case RV_TIMESTAMP_TZ:
        return snapped_steps(c, time_step, err);
    case RV_BINARY:
        return holds_ascii(&c->r->key[0]) ? snapped_steps(c, bytes_step, err) : RV_OK;
    default:
        return RV_OK;
    }
}

rv_status rv_mys_cuts(rv_source *s, const rv_relation *rel, size_t want, rv_arena *arena,
                      rv_datum *out, size_t *out_n, rv_error *err)
{
    cutting c = {.s = s, .rel = rel, .r = rel->driver, .want = want, .arena = arena, .out = out};
    *out_n = 0;
    if (want < 2 || rel->key.n_columns != 1 || rel->shape != RV_SHAPE_PAGES)
        return RV_OK;
    rv_expr key = {rel->key.columns[0], NULL};
    RV_TRY(rv_mys_bounds(s, rel, key, NULL, 0, arena, &c.low, &c.high, err));
    if (c.low.null || c.high.null)
        return RV_OK;
    RV_TRY(cut(&c, err));
    *out_n = c.n;
    return RV_OK;
}
