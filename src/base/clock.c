#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define US_PER_S INT64_C(1000000)
#define US_PER_DAY (INT64_C(86400) * US_PER_S)

static int64_t read_clock_us(clockid_t id)
{
    struct timespec ts;
    if (clock_gettime(id, &ts) != 0)
        return 0;
    return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

int64_t rv_clock_now_us(void)
{
    return read_clock_us(CLOCK_REALTIME);
}

int64_t rv_clock_mono_us(void)
{
    return read_clock_us(CLOCK_BOOTTIME);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Both directions count in eras of 400 years whose years begin in March, so that the leap
 * day is the last of its year (H. Hinnant, "chrono-compatible low-level date algorithms"). */
int64_t rv_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2);
    int64_t era = floor_div(y, 400);
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

void rv_civil_from_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t z = days + 719468;
    int64_t era = floor_div(z, 146097);
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

unsigned rv_days_in_month(int64_t year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month < 1 || month > 12)
        return 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

typedef struct civil_time {
    int64_t year;
    unsigned month, day, hour, minute, second, micro;
} civil_time;

static civil_time split_us(int64_t us)
{
    civil_time t;
    int64_t days = floor_div(us, US_PER_DAY);
    int64_t rest = us % US_PER_DAY;
    if (rest < 0)
        rest += US_PER_DAY;
    rv_civil_from_days(days, &t.year, &t.month, &t.day);
    t.hour = (unsigned)(rest / (3600 * US_PER_S));
    t.minute = (unsigned)(rest / (60 * US_PER_S) % 60);
    t.second = (unsigned)(rest / US_PER_S % 60);
    t.micro = (unsigned)(rest % US_PER_S);
    return t;
}

void rv_rfc3339_ms(int64_t us, char out[RV_RFC3339_SIZE])
{
    civil_time t = split_us(us);
    snprintf(out, RV_RFC3339_SIZE, "%04d-%02u-%02uT%02u:%02u:%02u.%03uZ", (int)t.year, t.month,
             t.day, t.hour, t.minute, t.second, t.micro / 1000);
}

void rv_rfc3339_s(int64_t us, char out[RV_RFC3339_SIZE])
{
    civil_time t = split_us(us);
    snprintf(out, RV_RFC3339_SIZE, "%04d-%02u-%02uT%02u:%02u:%02u+00:00", (int)t.year, t.month,
             t.day, t.hour, t.minute, t.second);
}

void rv_date_utc(int64_t us, char out[16])
{
    civil_time t = split_us(us);
    snprintf(out, 16, "%04d-%02u-%02u", (int)t.year, t.month, t.day);
}

void rv_stamp_utc(int64_t us, char out[24])
{
    civil_time t = split_us(us);
    snprintf(out, 24, "%04d%02u%02u_%02u%02u%02u", (int)t.year, t.month, t.day, t.hour, t.minute,
             t.second);
}

void rv_run_stamp_utc(int64_t us, char out[32])
{
    civil_time t = split_us(us);
    snprintf(out, 32, "%04d%02u%02uT%02u%02u%02u.%03u", (int)t.year, t.month, t.day, t.hour,
             t.minute, t.second, t.micro / 1000);
}

/* Reads exactly n digits at *s and moves behind them. */
static bool take_number(rv_str *s, size_t n, unsigned *out)
{
    unsigned v = 0;
    if (s->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = s->ptr[i];
        if (c < '0' || c > '9')
            return false;
        v = v * 10 + (unsigned)(c - '0');
    }
    *s = (rv_str){s->ptr + n, s->len - n};
    *out = v;
    return true;
}

static bool take_char(rv_str *s, const char *any_of)
{
    if (s->len == 0 || s->ptr[0] == '\0' || !strchr(any_of, s->ptr[0]))
        return false;
    *s = (rv_str){s->ptr + 1, s->len - 1};
    return true;
}

/* 1 to 9 digits after a point, or nothing; below the microsecond is cut off. */
static bool take_fraction(rv_str *s, unsigned *out_micro)
{
    *out_micro = 0;
    if (!take_char(s, "."))
        return true;
    unsigned digits = 0, v = 0, digit;
    while (digits < 10 && take_number(s, 1, &digit)) {
        if (digits < 6)
            v = v * 10 + digit;
        digits++;
    }
    if (digits == 0 || digits > 9)
        return false;
    for (unsigned i = digits; i < 6; i++)
        v *= 10;
    *out_micro = v;
    return true;
}

static bool take_offset(rv_str *s, int64_t *out_minutes)
{
    *out_minutes = 0;
    if (take_char(s, "Zz"))
        return true;
    bool west = s->len && s->ptr[0] == '-';
    unsigned hour, minute;
    if (!take_char(s, "+-") || !take_number(s, 2, &hour) || !take_char(s, ":") ||
        !take_number(s, 2, &minute) || hour > 23 || minute > 59)
        return false;
    int64_t total = (int64_t)hour * 60 + minute;
    *out_minutes = west ? -total : total;
    return true;
}

bool rv_rfc3339_parse(rv_str s, int64_t *out_us)
{
    unsigned year, month, day, hour, minute, second, micro;
    int64_t offset;
    bool shaped = take_number(&s, 4, &year) && take_char(&s, "-") && take_number(&s, 2, &month) &&
                  take_char(&s, "-") && take_number(&s, 2, &day) && take_char(&s, "Tt") &&
                  take_number(&s, 2, &hour) && take_char(&s, ":") && take_number(&s, 2, &minute) &&
                  take_char(&s, ":") && take_number(&s, 2, &second) && take_fraction(&s, &micro) &&
                  take_offset(&s, &offset) && s.len == 0;
    if (!shaped || month < 1 || month > 12 || day < 1 || day > rv_days_in_month(year, month) ||
        hour > 23 || minute > 59 || second > 59)
        return false;
    int64_t minutes = rv_days_from_civil(year, month, day) * 1440 + hour * 60 + minute - offset;
    *out_us = (minutes * 60 + second) * US_PER_S + micro;
    return true;
}

void rv_duration_text(int64_t ms, char out[32])
{
    if (ms < 0)
        ms = 0;
    if (ms < 1000) {
        snprintf(out, 32, "%dms", (int)ms);
        return;
    }
    /* rounded once, before it is split: 59.96 s is 1m 00.0s */
    int64_t tenths = ms / 100 + (ms % 100 >= 50);
    int64_t hours = tenths / 36000;
    int minutes = (int)(tenths / 600 % 60);
    int seconds = (int)(tenths / 10 % 60);
    int tenth = (int)(tenths % 10);
    if (hours)
        snprintf(out, 32, "%lldh %02dm %02d.%ds", (long long)hours, minutes, seconds, tenth);
    else if (minutes)
        snprintf(out, 32, "%dm %02d.%ds", minutes, seconds, tenth);
    else
        snprintf(out, 32, "%d.%ds", seconds, tenth);
}

/* In tenths of 1 << shift bytes, half up. */
static uint64_t size_tenths(uint64_t bytes, unsigned shift)
{
    uint64_t rest = bytes & ((UINT64_C(1) << shift) - 1);
    return (bytes >> shift) * 10 + ((rest * 10 + (UINT64_C(1) << (shift - 1))) >> shift);
}

void rv_size_text(uint64_t bytes, char out[32])
{
    static const char *const units[] = {"KB", "MB", "GB"};
    if (bytes < 1024) {
        snprintf(out, 32, "%u B", (unsigned)bytes);
        return;
    }
    unsigned unit = 0;
    uint64_t tenths = size_tenths(bytes, 10);
    while (tenths >= 10240 && unit < 2)
        tenths = size_tenths(bytes, 10 * (++unit + 1));
    snprintf(out, 32, "%llu.%u %s", (unsigned long long)(tenths / 10), (unsigned)(tenths % 10),
             units[unit]);
}
