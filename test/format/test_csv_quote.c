#include "rvtest.h"

#include <stdlib.h>

#include "format/csv/csv_internal.h"

/* The rule, said as plainly as possible. */
static size_t slow_field(uint8_t *out, const uint8_t *p, size_t len)
{
    bool quoted = len == 0;
    for (size_t i = 0; i < len; i++)
        quoted |= p[i] == ',' || p[i] == '"' || p[i] == '\r' || p[i] == '\n';
    size_t n = 0;
    if (quoted)
        out[n++] = '"';
    for (size_t i = 0; i < len; i++) {
        if (p[i] == '"')
            out[n++] = '"';
        out[n++] = p[i];
    }
    if (quoted)
        out[n++] = '"';
    return n;
}

/* An RFC 4180 field back to its text; SIZE_MAX when it is not one. */
static size_t read_field(uint8_t *out, const uint8_t *p, size_t len)
{
    size_t n = 0;
    if (len < 2 || p[0] != '"') {
        memcpy(out, p, len);
        return memchr(p, ',', len) || memchr(p, '"', len) ? SIZE_MAX : len;
    }
    for (size_t i = 1; i < len - 1; i++) {
        if (p[i] == '"' && (i + 1 == len - 1 || p[++i] != '"'))
            return SIZE_MAX;
        out[n++] = p[i];
    }
    return p[len - 1] == '"' ? n : SIZE_MAX;
}

static void check_field(const uint8_t *text, size_t len)
{
    /* exact sizes, so that the sanitizer sees one byte too much */
    uint8_t *got = malloc(2 * len + 2), *want = malloc(2 * len + 2);
    uint8_t *back = malloc(2 * len + 2), *tight = malloc(len ? len : 1);
    memcpy(tight, text, len);
    size_t got_len = (size_t)(rv_csv_put_text(got, tight, len) - got);
    size_t want_len = slow_field(want, text, len);
    CHECK_MEM(got, got_len, want, want_len);
    size_t back_len = read_field(back, got, got_len);
    CHECK_MEM(back, back_len, text, len);
    free(got), free(want), free(back), free(tight);
}

RV_TEST(each_special_at_each_place_of_each_length)
{
    static const uint8_t specials[] = {',', '"', '\r', '\n'};
    uint8_t text[80];
    for (size_t len = 0; len < sizeof text; len++) {
        memset(text, 'a', sizeof text);
        check_field(text, len);
        for (size_t at = 0; at < len; at++) {
            for (size_t k = 0; k < sizeof specials; k++) {
                text[at] = specials[k];
                check_field(text, len);
                CHECK_EQ(rv_csv_find_special(text, len), at);
            }
            text[at] = 'a';
        }
        CHECK_EQ(rv_csv_find_special(text, len), len);
    }
}

/* Neighbours of the special bytes, and bytes that differ in the top bit only, are plain. */
RV_TEST(look_alikes_stay_plain)
{
    for (unsigned c = 0; c < 256; c++) {
        uint8_t text[40];
        memset(text, (int)c, sizeof text);
        static const size_t lens[] = {1, 2, 3, 4, 7, 8, 15, 16, 17, 33, 40};
        for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++)
            check_field(text, lens[i]);
        for (size_t at = 0; at < sizeof text; at++) {
            text[at] = (uint8_t)(c ^ 1);
            check_field(text, sizeof text);
            text[at] = (uint8_t)c;
        }
    }
}

RV_TEST(random_fields_read_back)
{
    uint64_t x = 20261121;
    uint8_t text[300];
    static const uint8_t alphabet[] = "ab\"\",\r\n =+-@\x80\xff\t;'";
    for (unsigned round = 0; round < 20000; round++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        size_t len = x % sizeof text;
        for (size_t i = 0; i < len; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            /* half the texts are nearly plain */
            size_t pick = (round & 1) && x % 64 ? 0 : (x >> 8) % (sizeof alphabet - 1);
            text[i] = alphabet[pick];
        }
        check_field(text, len);
    }
}

RV_TEST(formula_signs_are_written_as_they_are)
{
    uint8_t out[32];
    static const char *const texts[] = {"=1+1", "+1", "-1", "@x"};
    for (size_t i = 0; i < 4; i++) {
        size_t n = strlen(texts[i]);
        size_t len = (size_t)(rv_csv_put_text(out, (const uint8_t *)texts[i], n) - out);
        CHECK_MEM(out, len, texts[i], n);
    }
}

RV_TEST(hex_is_lower_case_without_prefix)
{
    static const uint8_t in[] = {0x00, 0x0f, 0xa9, 0xff};
    uint8_t out[8];
    CHECK_EQ(rv_csv_put_hex(out, in, sizeof in) - out, 8);
    CHECK_MEM(out, 8, "000fa9ff", 8);
}

RV_TEST_MAIN(RV_CASE(each_special_at_each_place_of_each_length), RV_CASE(look_alikes_stay_plain),
             RV_CASE(random_fields_read_back), RV_CASE(formula_signs_are_written_as_they_are),
             RV_CASE(hex_is_lower_case_without_prefix))
