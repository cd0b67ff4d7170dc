/* Dates, times and durations of both protocols. Spec "types" section 4, zero dates. */
#include <inttypes.h>
#include <stdio.h>

#include "source/mysql/decode_internal.h"

#define HOURS_MAX 100000 /* far above the 838 of the server */

/* ---- binary protocol: one length byte went before ---- */

static unsigned le32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static bool read_b_date(const char *p, size_t n, rv_mys_time *t)
{
    uint16_t year;
    if (n != 0 && n != 4 && n != 7 && n != 11)
        return false;
    if (n == 0)
        return true;
    memcpy(&year, p, sizeof year);
    t->year = year;
    t->month = (uint8_t)p[2];
    t->day = (uint8_t)p[3];
    if (n >= 7) {
        t->hour = (uint8_t)p[4];
        t->minute = (uint8_t)p[5];
        t->second = (uint8_t)p[6];
    }
    if (n == 11)
        t->us = le32(p + 7);
    return true;
}

static bool read_b_time(const char *p, size_t n, rv_mys_time *t)
{
    if (n != 0 && n != 8 && n != 12)
        return false;
    if (n == 0)
        return true;
    t->negative = p[0] != 0;
    t->hour = (uint64_t)le32(p + 1) * 24 + (uint8_t)p[5];
    t->minute = (uint8_t)p[6];
    t->second = (uint8_t)p[7];
    if (n == 12)
        t->us = le32(p + 8);
    return true;
}

/* ---- text protocol ---- */

/* `width` digits; false: something else stands there. */
static inline bool digits(const char *p, unsigned width, unsigned *out)
{
    unsigned v = 0;
    for (unsigned i = 0; i < width; i++) {
        unsigned d = (unsigned)(uint8_t)p[i] - '0';
        if (d > 9)
            return false;
        v = v * 10 + d;
    }
    *out = v;
    return true;
}

/* ".123": the digits behind it count from the tenth on. */
static bool read_fraction(const char *p, size_t n, unsigned *us)
{
    unsigned v;
    if (n == 0)
        return true;
    if (n < 2 || n > 7 || p[0] != '.' || !digits(p + 1, (unsigned)n - 1, &v))
        return false;
    for (size_t i = n - 1; i < 6; i++)
        v *= 10;
    *us = v;
    return true;
}

static bool read_t_clock(const char *p, size_t n, rv_mys_time *t)
{
    return n >= 5 && digits(p, 2, &t->minute) && p[2] == ':' && digits(p + 3, 2, &t->second) &&
           read_fraction(p + 5, n - 5, &t->us);
}

static bool read_t_date(const char *p, size_t n, rv_mys_time *t)
{
    unsigned hour;
    if (n < 10 || !digits(p, 4, &t->year) || p[4] != '-' || !digits(p + 5, 2, &t->month) ||
        p[7] != '-' || !digits(p + 8, 2, &t->day))
        return false;
    if (n == 10)
        return true;
    if (n < 19 || p[10] != ' ' || !digits(p + 11, 2, &hour) || p[13] != ':')
        return false;
    t->hour = hour;
    return read_t_clock(p + 14, n - 14, t);
}

static bool read_t_time(const char *p, size_t n, rv_mys_time *t)
{
    size_t i = 0;
    t->negative = n && p[0] == '-';
    for (i = t->negative; i < n && p[i] >= '0' && p[i] <= '9' && t->hour < HOURS_MAX; i++)
        t->hour = t->hour * 10 + (unsigned)(p[i] - '0');
    return i > (size_t)t->negative && i < n && p[i] == ':' && read_t_clock(p + i + 1, n - i - 1, t);
}

/* ---- both ---- */

/* No server sends these, whatever its sql_mode; zeros of month and day are judged elsewhere. */
static inline bool in_range(const rv_mys_time *t)
{
    return t->minute < 60 && t->second < 60 && t->us < 1000000;
}

static inline bool date_in_range(const rv_mys_time *t)
{
    return t->year <= 9999 && t->month <= 12 && t->day <= 31 && t->hour < 24 && in_range(t);
}

bool rv_mys_time_read(enum enum_field_types type, bool text, const char *data, size_t n,
                      rv_mys_time *out)
{
    *out = (rv_mys_time){0};
    if (type == MYSQL_TYPE_TIME)
        return (text ? read_t_time(data, n, out) : read_b_time(data, n, out)) &&
               out->hour < HOURS_MAX && in_range(out);
    return (text ? read_t_date(data, n, out) : read_b_date(data, n, out)) && date_in_range(out);
}

unsigned rv_mys_time_text(enum enum_field_types type, const rv_mys_time *t, unsigned digits_,
                          char out[RV_MYS_TIME_TEXT_SIZE])
{
    char us[16];
    unsigned places = digits_ > 6 ? 6 : digits_;
    int n;
    (void)snprintf(us, sizeof us, ".%06u", t->us);
    if (type == MYSQL_TYPE_TIME)
        n = snprintf(out, RV_MYS_TIME_TEXT_SIZE, "%s%02" PRIu64 ":%02u:%02u",
                     t->negative ? "-" : "", t->hour, t->minute, t->second);
    else
        n = snprintf(out, RV_MYS_TIME_TEXT_SIZE, "%04u-%02u-%02u", t->year, t->month, t->day);
    if (type == MYSQL_TYPE_DATE || type == MYSQL_TYPE_NEWDATE)
        return (unsigned)n;
    if (type != MYSQL_TYPE_TIME)
        n += snprintf(out + n, RV_MYS_TIME_TEXT_SIZE - (size_t)n, " %02u:%02u:%02u",
                      (unsigned)t->hour, t->minute, t->second);
    if (places)
        n += snprintf(out + n, RV_MYS_TIME_TEXT_SIZE - (size_t)n, "%.*s", (int)places + 1, us);
    return (unsigned)n;
}

static const uint8_t month_days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

static bool leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Without NO_ZERO_DATE a server also keeps February 31st where ALLOW_INVALID_DATES is set. */
static inline bool in_calendar(const rv_mys_time *t)
{
    return t->day <= month_days[t->month] || (t->month == 2 && t->day == 29 && leap(t->year));
}

/* Days since 1970-01-01; the year begins in March, so that the leap day is its last. */
static inline int64_t days_of(const rv_mys_time *t)
{
    int64_t year = (int64_t)t->year - (t->month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned yoe = (unsigned)(year - era * 400);
    unsigned doy = (153 * (t->month > 2 ? t->month - 3 : t->month + 9) + 2) / 5 + t->day - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

static inline int64_t clock_us(const rv_mys_time *t)
{
    return ((int64_t)t->hour * 3600 + t->minute * 60 + t->second) * 1000000 + t->us;
}

rv_status rv_mys_zero_date(const rv_mys_column *c, uint32_t col, rv_builder *b, rv_error *err)
{
    if (!c->zero_date_fail)
        return rv_builder_null_replaced(b, col, err);
    rv_status st =
        rv_fail(err, RV_E_VALUE, "column '%s': a zero date, and zero_date: fail", c->name);
    rv_hint(err, "zero_date: null writes NULL and counts them; columns: {%s: text} keeps the text",
            c->name);
    return st;
}

static __attribute__((noinline)) rv_status
no_date(const rv_mys_column *c, uint32_t col, const rv_mys_time *t, rv_builder *b, rv_error *err)
{
    char text[RV_MYS_TIME_TEXT_SIZE];
    if (rv_mys_time_zero(t))
        return rv_mys_zero_date(c, col, b, err);
    (void)rv_mys_time_text(MYSQL_TYPE_DATE, t, 0, text);
    return rv_mys_misfit(c, text, "the calendar", "text", err);
}

static inline rv_status put_date(const rv_mys_column *c, uint32_t col, const rv_mys_time *t,
                                 rv_builder *b, rv_error *err)
{
    if (__builtin_expect(rv_mys_time_zero(t) || !in_calendar(t), 0))
        return no_date(c, col, t, b, err);
    return rv_builder_i64(b, col, days_of(t), err);
}

static inline rv_status put_datetime(const rv_mys_column *c, uint32_t col, const rv_mys_time *t,
                                     rv_builder *b, rv_error *err)
{
    if (__builtin_expect(rv_mys_time_zero(t) || !in_calendar(t), 0))
        return no_date(c, col, t, b, err);
    return rv_builder_i64(b, col, days_of(t) * RV_MYS_DAY_US + clock_us(t), err);
}

static rv_status put_time(const rv_mys_column *c, uint32_t col, const rv_mys_time *t, rv_builder *b,
                          rv_error *err)
{
    char text[RV_MYS_TIME_TEXT_SIZE + 8] = "time ";
    int64_t us = clock_us(t);
    if ((t->negative && us) || us >= RV_MYS_DAY_US) {
        (void)rv_mys_time_text(MYSQL_TYPE_TIME, t, c->field.decimals, text + 5);
        return rv_mys_misfit(c, text, "a time of day", "text", err);
    }
    return rv_builder_i64(b, col, us, err);
}

rv_status rv_mys_decode_b_date(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                               rv_builder *b, rv_error *err)
{
    rv_mys_time t = {0};
    if (!read_b_date(data, n, &t) || !date_in_range(&t))
        return rv_mys_malformed(c, n, err);
    return put_date(c, col, &t, b, err);
}

rv_status rv_mys_decode_b_datetime(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                                   rv_builder *b, rv_error *err)
{
    rv_mys_time t = {0};
    if (!read_b_date(data, n, &t) || !date_in_range(&t))
        return rv_mys_malformed(c, n, err);
    return put_datetime(c, col, &t, b, err);
}

rv_status rv_mys_decode_b_time(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                               rv_builder *b, rv_error *err)
{
    rv_mys_time t;
    if (!rv_mys_time_read(MYSQL_TYPE_TIME, false, data, n, &t))
        return rv_mys_malformed(c, n, err);
    return put_time(c, col, &t, b, err);
}

rv_status rv_mys_decode_t_date(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                               rv_builder *b, rv_error *err)
{
    rv_mys_time t = {0};
    if (!read_t_date(data, n, &t) || !date_in_range(&t))
        return rv_mys_malformed(c, n, err);
    return put_date(c, col, &t, b, err);
}

rv_status rv_mys_decode_t_datetime(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                                   rv_builder *b, rv_error *err)
{
    rv_mys_time t = {0};
    if (!read_t_date(data, n, &t) || !date_in_range(&t))
        return rv_mys_malformed(c, n, err);
    return put_datetime(c, col, &t, b, err);
}

rv_status rv_mys_decode_t_time(const rv_mys_column *c, uint32_t col, const char *data, size_t n,
                               rv_builder *b, rv_error *err)
{
    rv_mys_time t;
    if (!rv_mys_time_read(MYSQL_TYPE_TIME, true, data, n, &t))
        return rv_mys_malformed(c, n, err);
    return put_time(c, col, &t, b, err);
}
