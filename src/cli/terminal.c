#include "cli/terminal.h"

#include <stdio.h>
#include <sys/ioctl.h>

#define COLUMNS_FALLBACK 80
#define ROWS_FALLBACK 24

rv_window rv_terminal_window(int fd, unsigned columns)
{
    struct winsize size;
    bool known = ioctl(fd, TIOCGWINSZ, &size) == 0;
    rv_window w = {columns, ROWS_FALLBACK};
    if (w.columns == 0)
        w.columns = known && size.ws_col > 0 ? size.ws_col : COLUMNS_FALLBACK;
    if (known && size.ws_row > 0)
        w.rows = size.ws_row;
    return w;
}

/* The code point at `at`, *len its bytes; invalid bytes count as one each. */
static uint32_t code_point(rv_str s, size_t at, size_t *len)
{
    static const uint8_t masks[] = {0x7F, 0x1F, 0x0F, 0x07};
    uint8_t lead = (uint8_t)s.ptr[at];
    size_t n = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    uint32_t cp = lead & masks[n - 1];
    *len = 1;
    for (size_t i = 1; i < n; i++) {
        if (at + i >= s.len || ((uint8_t)s.ptr[at + i] & 0xC0) != 0x80)
            return lead;
        cp = cp << 6 | ((uint8_t)s.ptr[at + i] & 0x3F);
    }
    *len = n;
    return cp;
}

/* East Asian Wide and Fullwidth blocks (Unicode UAX 11) and emoji, by block: one column too many is
 * a blank at the end, one too few a broken line. */
static bool is_wide(uint32_t cp)
{
    static const uint32_t blocks[][2] = {{0x1100, 0x115F},  {0x2E80, 0xA4CF}, {0xA960, 0xA97F},
                                         {0xAC00, 0xD7A3},  {0xF900, 0xFAFF}, {0xFE30, 0xFE6F},
                                         {0xFF00, 0xFF60},  {0xFFE0, 0xFFE6}, {0x1F300, 0x1FAFF},
                                         {0x20000, 0x3FFFD}};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        if (cp >= blocks[i][0] && cp <= blocks[i][1])
            return true;
    return false;
}

size_t rv_text_fit(rv_str s, unsigned width, unsigned *out_columns)
{
    size_t at = 0;
    unsigned used = 0;
    while (at < s.len) {
        size_t len;
        unsigned cells = is_wide(code_point(s, at, &len)) ? 2 : 1;
        if (used + cells > width)
            break;
        used += cells;
        at += len;
    }
    *out_columns = used;
    return at;
}

void rv_count_text(double v, bool fraction, char out[32])
{
    if (v < 1000)
        (void)snprintf(out, 32, "%.0f", v);
    else if (v < 999500)
        (void)snprintf(out, 32, fraction ? "%.1fK" : "%.0fK", v / 1e3);
    else if (v < 999.5e6)
        (void)snprintf(out, 32, "%.1fM", v / 1e6);
    else
        (void)snprintf(out, 32, "%.1fB", v / 1e9);
}
