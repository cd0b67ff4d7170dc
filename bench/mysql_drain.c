/* Reads a query to its end as fast as the client library can and copies every value once: the
 * baseline of mysql_peers.py.
 * usage: mysql_drain text|binary HOST PORT USER PASSWORD DATABASE SQL */
#include <mysql.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char kept[1 << 16];
static size_t at;
static uint64_t bytes;

static void keep(const void *data, size_t n)
{
    bytes += n;
    while (n > 0) {
        size_t room = sizeof kept - at, part = n < room ? n : room;
        memcpy(kept + at, data, part);
        data = (const char *)data + part;
        at = (at + part) % sizeof kept;
        n -= part;
    }
}

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "mysql_drain: %s: %s\n", what, why);
    return 1;
}

static int text(MYSQL *my, const char *sql)
{
    if (mysql_query(my, sql))
        return fail("query", mysql_error(my));
    MYSQL_RES *res = mysql_use_result(my);
    if (!res)
        return fail("result", mysql_error(my));
    unsigned n = mysql_num_fields(res);
    uint64_t rows = 0;
    for (MYSQL_ROW row = mysql_fetch_row(res); row; row = mysql_fetch_row(res)) {
        const unsigned long *lengths = mysql_fetch_lengths(res);
        for (unsigned i = 0; i < n; i++)
            if (row[i])
                keep(row[i], lengths[i]);
        rows++;
    }
    if (mysql_errno(my))
        return fail("rows", mysql_error(my));
    mysql_free_result(res);
    printf("%llu rows, %llu bytes\n", (unsigned long long)rows, (unsigned long long)bytes);
    return 0;
}

/* A length-encoded integer. */
static size_t length(unsigned char **row)
{
    unsigned char first = *(*row)++;
    unsigned more = first == 0xFC ? 2 : first == 0xFD ? 3 : first == 0xFE ? 8 : 0;
    uint64_t v = first;
    if (more) {
        v = 0;
        memcpy(&v, *row, more);
        *row += more;
    }
    return v;
}

/* Length of a value in a binary row; what has no fixed one says it in front. */
static size_t width(enum enum_field_types type, unsigned char **row)
{
    switch ((int)type) {
    case MYSQL_TYPE_TINY:
        return 1;
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_YEAR:
        return 2;
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_FLOAT:
        return 4;
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_DOUBLE:
        return 8;
    default:
        return length(row);
    }
}

static void take(void *ctx, unsigned column, unsigned char **row)
{
    const MYSQL_STMT *stmt = ctx;
    if (!row)
        return;
    size_t n = width(stmt->fields[column].type, row);
    keep(*row, n);
    *row += n;
}

static int binary(MYSQL *my, const char *sql)
{
    MYSQL_STMT *stmt = mysql_stmt_init(my);
    if (!stmt || mysql_stmt_prepare(stmt, sql, strlen(sql)))
        return fail("prepare", mysql_error(my));
    mysql_stmt_attr_set(stmt, STMT_ATTR_CB_USER_DATA, stmt);
    mysql_stmt_attr_set(stmt, STMT_ATTR_CB_RESULT, (const void *)(uintptr_t)take);
    if (mysql_stmt_execute(stmt))
        return fail("execute", mysql_stmt_error(stmt));
    uint64_t rows = 0;
    int end;
    while ((end = mysql_stmt_fetch(stmt)) == 0)
        rows++;
    if (end != MYSQL_NO_DATA)
        return fail("rows", mysql_stmt_error(stmt));
    mysql_stmt_close(stmt);
    printf("%llu rows, %llu bytes\n", (unsigned long long)rows, (unsigned long long)bytes);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 8)
        return fail("usage", "mysql_drain text|binary HOST PORT USER PASSWORD DATABASE SQL");
    MYSQL *my = mysql_init(NULL);
    unsigned port = (unsigned)strtoul(argv[3], NULL, 10);
    if (!my || !mysql_real_connect(my, argv[2], argv[4], argv[5], argv[6], port, NULL, 0))
        return fail("connect", my ? mysql_error(my) : "out of memory");
    if (mysql_set_character_set(my, "utf8mb4") || mysql_query(my, "SET time_zone='+00:00'"))
        return fail("session", mysql_error(my));
    int rc = strcmp(argv[1], "binary") == 0 ? binary(my, argv[7]) : text(my, argv[7]);
    mysql_close(my);
    return rc;
}
