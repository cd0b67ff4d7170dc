#include "config/mask.h"

#include "base/mem.h"

/* Plane 15 is private use; a fixed odd start keeps clear of code points anyone would type. */
enum { FIRST_CODE = 0xF5A17, CODES = 1024 };

static const char *const hidden[RV_MASK_CODES] = {
    "$", "{", "}", "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"};

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
    for (uint32_t c = 0; c < CODES && found < RV_MASK_CODES; c++)
        if (!used[c])
            mask->code[found++] = FIRST_CODE + c;
    return found == RV_MASK_CODES;
}

static rv_status add_code(const rv_mask *mask, unsigned k, rv_buf *out, rv_error *err)
{
    char code[4];
    encode(mask->code[k], code);
    return rv_buf_add(out, code, sizeof code, err);
}

static rv_status add_masked(rv_str placeholder, const rv_mask *mask, rv_buf *out, rv_error *err)
{
    RV_TRY(add_code(mask, 0, out, err));
    RV_TRY(add_code(mask, 1, out, err));
    RV_TRY(rv_buf_add(out, placeholder.ptr + 2, placeholder.len - 3, err));
    return add_code(mask, 2, out, err);
}

/* Which of the line separators starts s; 0: none. */
static unsigned separator(rv_str s)
{
    for (unsigned k = 3; k < RV_MASK_CODES; k++)
        if (rv_str_starts(s, rv_str_c(hidden[k])))
            return k;
    return 0;
}

rv_status rv_mask_apply(rv_str text, rv_mask *mask, rv_buf *out, rv_error *err)
{
    if (!choose(text, mask))
        return rv_fail(err, RV_E_CONFIG_SYNTAX, "the file uses too many private characters");
    RV_TRY(rv_buf_reserve(out, text.len + 64, err));
    size_t from = 0;
    for (size_t i = 0; i < text.len;) {
        rv_str rest = {text.ptr + i, text.len - i};
        size_t len = rv_placeholder_len(rest);
        unsigned k = separator(rest);
        if (len == 0 && k == 0) {
            i++;
            continue;
        }
        RV_TRY(rv_buf_add(out, text.ptr + from, i - from, err));
        if (len > 0)
            RV_TRY(add_masked((rv_str){rest.ptr, len}, mask, out, err));
        else
            RV_TRY(add_code(mask, k, out, err));
        i += len > 0 ? len : strlen(hidden[k]);
        from = i;
    }
    return rv_buf_add(out, text.ptr + from, text.len - from, err);
}

rv_status rv_mask_restore(const rv_mask *mask, rv_str text, rv_arena *arena, rv_str *out,
                          rv_error *err)
{
    char *copy = NULL;
    RV_TRY(rv_arena_alloc(arena, text.len + 1, &copy, err));
    size_t n = 0;
    for (size_t i = 0; i < text.len;) {
        uint32_t code = is_four(text, i) ? decode(text.ptr + i) : 0;
        int hit = -1;
        for (int k = 0; k < RV_MASK_CODES; k++)
            if (code == mask->code[k])
                hit = k;
        if (hit < 0) {
            copy[n++] = text.ptr[i++];
            continue;
        }
        size_t len = strlen(hidden[hit]);
        memcpy(copy + n, hidden[hit], len);
        n += len;
        i += 4;
    }
    *out = (rv_str){copy, n};
    return RV_OK;
}
