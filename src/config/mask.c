#include "config/mask.h"

#include "base/mem.h"

/* Plane 15 is private use; a fixed odd start keeps clear of code points anyone would type. */
enum { FIRST_CODE = 0xF5A17, CODES = 1024 };

static bool is_name_start(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_name(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9') || c == '.' || c == '-';
}

size_t rv_placeholder_len(rv_str s)
{
    if (s.len < 4 || s.ptr[0] != '$' || s.ptr[1] != '{' || !is_name_start(s.ptr[2]))
        return 0;
    size_t i = 3;
    while (i < s.len && is_name(s.ptr[i]))
        i++;
    return i < s.len && s.ptr[i] == '}' ? i + 1 : 0;
}

static void encode(uint32_t code, char out[4])
{
    out[0] = (char)(0xF0 | (code >> 18));
    out[1] = (char)(0x80 | ((code >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((code >> 6) & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
}

static uint32_t decode(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return ((uint32_t)(u[0] & 0x07) << 18) | ((uint32_t)(u[1] & 0x3F) << 12) |
           ((uint32_t)(u[2] & 0x3F) << 6) | (uint32_t)(u[3] & 0x3F);
}

static bool is_four(rv_str text, size_t i)
{
    return ((unsigned char)text.ptr[i] & 0xF8) == 0xF0 && text.len - i >= 4;
}

static bool choose(rv_str text, rv_mask *mask)
{
    bool used[CODES] = {false};
    for (size_t i = 0; i < text.len; i++) {
        if (!is_four(text, i))
            continue;
        uint32_t code = decode(text.ptr + i);
        if (code >= FIRST_CODE && code < FIRST_CODE + CODES)
            used[code - FIRST_CODE] = true;
    }
    unsigned found = 0;
    for (uint32_t c = 0; c < CODES && found < 3; c++)
        if (!used[c])
            mask->code[found++] = FIRST_CODE + c;
    return found == 3;
}

static rv_status add_masked(rv_str placeholder, const rv_mask *mask, rv_buf *out, rv_error *err)
{
    char code[4];
    encode(mask->code[0], code);
    RV_TRY(rv_buf_add(out, code, 4, err));
    encode(mask->code[1], code);
    RV_TRY(rv_buf_add(out, code, 4, err));
    RV_TRY(rv_buf_add(out, placeholder.ptr + 2, placeholder.len - 3, err));
    encode(mask->code[2], code);
    return rv_buf_add(out, code, 4, err);
}

rv_status rv_mask_apply(rv_str text, rv_mask *mask, rv_buf *out, rv_error *err)
{
    if (!choose(text, mask))
        return rv_fail(err, RV_E_CONFIG_SYNTAX, "the file uses too many private characters");
    RV_TRY(rv_buf_reserve(out, text.len + 64, err));
    size_t from = 0;
    for (size_t i = 0; i < text.len;) {
        size_t len = rv_placeholder_len((rv_str){text.ptr + i, text.len - i});
        if (len == 0) {
            i++;
            continue;
        }
        RV_TRY(rv_buf_add(out, text.ptr + from, i - from, err));
        RV_TRY(add_masked((rv_str){text.ptr + i, len}, mask, out, err));
        i += len;
        from = i;
    }
    return rv_buf_add(out, text.ptr + from, text.len - from, err);
}

rv_status rv_mask_restore(const rv_mask *mask, rv_str text, rv_arena *arena, rv_str *out,
                          rv_error *err)
{
    static const char plain[3] = {'$', '{', '}'};
    char *copy = NULL;
    RV_TRY(rv_arena_alloc(arena, text.len + 1, &copy, err));
    size_t n = 0;
    for (size_t i = 0; i < text.len;) {
        uint32_t code = is_four(text, i) ? decode(text.ptr + i) : 0;
        int hit = -1;
        for (int k = 0; k < 3; k++)
            if (code == mask->code[k])
                hit = k;
        if (hit < 0) {
            copy[n++] = text.ptr[i++];
            continue;
        }
        copy[n++] = plain[hit];
        i += 4;
    }
    *out = (rv_str){copy, n};
    return RV_OK;
}
