#include "column/temporal.h"

#define US_PER_SECOND INT64_C(1000000)
#define NS_PER_SECOND INT64_C(1000000000)
#define US_PER_DAY (86400 * US_PER_SECOND)
#define NS_PER_DAY (86400 * NS_PER_SECOND)
#define DAYS_PER_ERA 146097        /* 400 years */
#define EPOCH_FROM_ERA_ZERO 719468 /* 0000-03-01 to 1970-01-01 */
#define YEAR_LIMIT 6000000         /* beyond what 32-bit days hold */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t floor_mod(int64_t a, int64_t b)
{
    int64_t rest = a % b;
    return rest < 0 ? rest + b : rest;
}

static char *put2(char *p, unsigned v)
{
    p[0] = (char)('0' + v / 10);
    p[1] = (char)('0' + v % 10);
    return p + 2;
}

static char *put_digits(char *p, uint64_t v, unsigned width)
{
    for (unsigned i = width; i-- > 0; v /= 10)
        p[i] = (char)('0' + v % 10);
    return p + width;
}

static char *put_year(char *p, int64_t year)
{
    if (year >= 0 && year <= 9999)
        return put_digits(p, (uint64_t)year, 4);
    *p++ = year < 0 ? '-' : '+';
    uint64_t v = year < 0 ? 0 - (uint64_t)year : (uint64_t)year;
    unsigned width = 4;
    for (uint64_t rest = v / 10000; rest; rest /= 10)
        width++;
    return put_digits(p, v, width);
}

/* Years begin in March here, so that the leap day is the last of its year. */
static char *put_date(char *p, int64_t days)
{
    int64_t era = floor_div(days, DAYS_PER_ERA);
    int64_t day = floor_mod(days, DAYS_PER_ERA) + EPOCH_FROM_ERA_ZERO % DAYS_PER_ERA;
    era += EPOCH_FROM_ERA_ZERO / DAYS_PER_ERA + day / DAYS_PER_ERA;
    unsigned doe = (unsigned)(day % DAYS_PER_ERA);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned shifted = (5 * doy + 2) / 153;
    unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
    p = put_year(p, era * 400 + yoe + (month <= 2));
    *p++ = '-';
    p = put2(p, month);
    *p++ = '-';
    return put2(p, doy - (153 * shifted + 2) / 5 + 1);
}

static char *put_clock(char *p, int64_t seconds)
{
    unsigned s = (unsigned)seconds;
    p = put2(p, s / 3600);
    *p++ = ':';
    p = put2(p, s / 60 % 60);
    *p++ = ':';
    p = put2(p, s % 60);
    *p++ = '.';
    return p;
}

static unsigned finish(const char *out, char *p)
{
    *p = '\0';
    return (unsigned)(p - out);
}

unsigned rv_date_text(int64_t days, char out[RV_TEMPORAL_TEXT_SIZE])
{
    return finish(out, put_date(out, days));
}

unsigned rv_time_text(int64_t us, char out[RV_TEMPORAL_TEXT_SIZE])
{
    char *p = put_clock(out, us / US_PER_SECOND);
    return finish(out, put_digits(p, (uint64_t)(us % US_PER_SECOND), 6));
}

static unsigned timestamp_text(int64_t v, int64_t per_second, bool tz, char *out)
{
    int64_t per_day = 86400 * per_second;
    int64_t days = floor_div(v, per_day);
    int64_t rest = floor_mod(v, per_day);
    char *p = put_date(out, days);
    *p++ = 'T';
    p = put_clock(p, rest / per_second);
    p = put_digits(p, (uint64_t)(rest % per_second), per_second == NS_PER_SECOND ? 9 : 6);
    if (tz)
        *p++ = 'Z';
    return finish(out, p);
}

unsigned rv_timestamp_text(int64_t us, bool tz, char out[RV_TEMPORAL_TEXT_SIZE])
{
    return timestamp_text(us, US_PER_SECOND, tz, out);
}

unsigned rv_timestamp_ns_text(int64_t ns, bool tz, char out[RV_TEMPORAL_TEXT_SIZE])
{
    return timestamp_text(ns, NS_PER_SECOND, tz, out);
}

typedef struct cursor {
    const char *p;
    const char *end;
} cursor;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool eat(cursor *c, char what)
{
    if (c->p == c->end || *c->p != what)
        return false;
    c->p++;
    return true;
}

static bool read2(cursor *c, unsigned *out)
{
    if (c->end - c->p < 2 || !is_digit(c->p[0]) || !is_digit(c->p[1]))
        return false;
    *out = (unsigned)(c->p[0] - '0') * 10 + (unsigned)(c->p[1] - '0');
    c->p += 2;
    return true;
}

/* At least four digits; a value past YEAR_LIMIT stays just past it. */
static bool read_year(cursor *c, int64_t *out)
{
    bool negative = eat(c, '-');
    if (!negative)
        (void)eat(c, '+');
    int64_t year = 0;
    const char *start = c->p;
    for (; c->p < c->end && is_digit(*c->p); c->p++)
        year = year > YEAR_LIMIT ? year : year * 10 + (*c->p - '0');
    if (c->p - start < 4)
        return false;
    *out = negative ? -year : year;
    return true;
}

static bool valid_day(int64_t year, unsigned month, unsigned day)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < -YEAR_LIMIT || year > YEAR_LIMIT || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= lengths[month - 1] + (unsigned)(month == 2 && leap);
}

static int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400);
    unsigned yoe = (unsigned)(year - era * 400);
    unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * DAYS_PER_ERA + doe - EPOCH_FROM_ERA_ZERO;
}

static rv_temporal_fit read_date(cursor *c, int64_t *out_days)
{
    int64_t year;
    unsigned month;
    unsigned day;
    if (!read_year(c, &year) || !eat(c, '-') || !read2(c, &month) || !eat(c, '-') ||
        !read2(c, &day))
        return RV_TEMPORAL_SYNTAX;
    if (!valid_day(year, month, day))
        return RV_TEMPORAL_RANGE;
    *out_days = days_from_civil(year, month, day);
    return RV_TEMPORAL_OK;
}

/* [.f{1,9}] as nanoseconds. */
static bool read_fraction(cursor *c, uint32_t *out_ns)
{
    *out_ns = 0;
    if (!eat(c, '.'))
        return true;
    unsigned digits = 0;
    uint32_t ns = 0;
    for (; c->p < c->end && is_digit(*c->p); c->p++, digits++) {
        if (digits == 9)
            return false;
        ns = ns * 10 + (uint32_t)(*c->p - '0');
    }
    if (digits == 0)
        return false;
    for (; digits < 9; digits++)
        ns *= 10;
    *out_ns = ns;
    return true;
}

static rv_temporal_fit read_time(cursor *c, int64_t *out_ns)
{
    unsigned h;
    unsigned m;
    unsigned s = 0;
    uint32_t ns = 0;
    if (!read2(c, &h) || !eat(c, ':') || !read2(c, &m))
        return RV_TEMPORAL_SYNTAX;
    if (eat(c, ':') && (!read2(c, &s) || !read_fraction(c, &ns)))
        return RV_TEMPORAL_SYNTAX;
    if (h > 23 || m > 59 || s > 59)
        return RV_TEMPORAL_RANGE;
    *out_ns = (int64_t)(h * 3600 + m * 60 + s) * NS_PER_SECOND + ns;
    return RV_TEMPORAL_OK;
}

/* Nothing, Z, or an offset east of UTC in seconds. */
static rv_temporal_fit read_zone(cursor *c, bool *zoned, int64_t *out_seconds)
{
    *zoned = c->p < c->end;
    *out_seconds = 0;
    if (!*zoned || eat(c, 'Z') || eat(c, 'z'))
        return RV_TEMPORAL_OK;
    bool west = eat(c, '-');
    unsigned h;
    unsigned m = 0;
    unsigned s = 0;
    if ((!west && !eat(c, '+')) || !read2(c, &h))
        return RV_TEMPORAL_SYNTAX;
    if (eat(c, ':')) {
        if (!read2(c, &m) || (eat(c, ':') && !read2(c, &s)))
            return RV_TEMPORAL_SYNTAX;
    } else if (c->p < c->end && !read2(c, &m)) {
        return RV_TEMPORAL_SYNTAX;
    }
    if (h > 23 || m > 59 || s > 59)
        return RV_TEMPORAL_RANGE;
    int64_t seconds = (int64_t)h * 3600 + m * 60 + s;
    *out_seconds = west ? -seconds : seconds;
    return RV_TEMPORAL_OK;
}

/* Nothing may follow what was read; a malformed tail outranks an impossible value before it. */
static rv_temporal_fit whole(const cursor *c, rv_temporal_fit fit)
{
    return c->p != c->end ? RV_TEMPORAL_SYNTAX : fit;
}

static rv_temporal_fit worse(rv_temporal_fit a, rv_temporal_fit b)
{
    if (a == RV_TEMPORAL_SYNTAX || b == RV_TEMPORAL_SYNTAX)
        return RV_TEMPORAL_SYNTAX;
    return a == RV_TEMPORAL_OK ? b : a;
}

rv_temporal_fit rv_date_parse(rv_str s, int64_t *out_days)
{
    cursor c = {s.ptr, s.ptr + s.len};
    int64_t days = 0;
    rv_temporal_fit fit = whole(&c, read_date(&c, &days));
    if (fit == RV_TEMPORAL_OK)
        *out_days = days;
    return fit;
}

rv_temporal_fit rv_time_parse(rv_str s, int64_t *out_us)
{
    cursor c = {s.ptr, s.ptr + s.len};
    int64_t ns = 0;
    rv_temporal_fit fit = whole(&c, read_time(&c, &ns));
    if (fit != RV_TEMPORAL_OK)
        return fit;
    if (ns % 1000 != 0)
        return RV_TEMPORAL_RANGE;
    *out_us = ns / 1000;
    return RV_TEMPORAL_OK;
}

rv_temporal_fit rv_timestamp_parse(rv_str s, bool scale_ns, int64_t *out, bool *out_zoned)
{
    cursor c = {s.ptr, s.ptr + s.len};
    int64_t days = 0;
    int64_t ns = 0;
    int64_t offset_seconds = 0;
    bool zoned = false;
    rv_temporal_fit fit = read_date(&c, &days);
    if (fit == RV_TEMPORAL_SYNTAX)
        return fit;
    if (eat(&c, 'T') || eat(&c, 't') || eat(&c, ' ')) {
        fit = worse(fit, read_time(&c, &ns));
        if (fit != RV_TEMPORAL_SYNTAX)
            fit = worse(fit, read_zone(&c, &zoned, &offset_seconds));
    }
    fit = whole(&c, fit);
    if (fit != RV_TEMPORAL_OK)
        return fit;
    if (!scale_ns && ns % 1000 != 0)
        return RV_TEMPORAL_RANGE;
    /* 128 bits: the first day of the range begins before its first instant */
    rv_i128 total = (rv_i128)days * NS_PER_DAY - (rv_i128)offset_seconds * NS_PER_SECOND + ns;
    if (!scale_ns)
        total /= 1000;
    if (total < INT64_MIN || total > INT64_MAX)
        return RV_TEMPORAL_RANGE;
    *out = (int64_t)total;
    *out_zoned = zoned;
    return RV_TEMPORAL_OK;
}
