/* bench_scan: the bare sqlite3_step loop that an export is measured against. It touches every
 * value of the query, as any reader must, and prints a sum so that nothing is optimised away.
 *
 *   bench_scan DATABASE QUERY */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>

static uint64_t touch(sqlite3_stmt *s, int i)
{
    uint64_t sum = 0;
    switch (sqlite3_column_type(s, i)) {
    case SQLITE_INTEGER:
        return (uint64_t)sqlite3_column_int64(s, i);
    case SQLITE_FLOAT:
        return sqlite3_column_double(s, i) > 0.5;
    case SQLITE_TEXT:
    case SQLITE_BLOB: {
        const unsigned char *bytes = sqlite3_column_blob(s, i);
        for (int k = sqlite3_column_bytes(s, i); k > 0; k--)
            sum += bytes[k - 1];
        return sum;
    }
    default:
        return 1;
    }
}

int main(int argc, char **argv)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    uint64_t sum = 0;
    if (argc != 3 || sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, argv[2], -1, &s, NULL) != SQLITE_OK)
        return 1;
    int columns = sqlite3_column_count(s);
    while (sqlite3_step(s) == SQLITE_ROW)
        for (int i = 0; i < columns; i++)
            sum += touch(s, i);
    printf("%llu\n", (unsigned long long)sum);
    (void)sqlite3_finalize(s);
    (void)sqlite3_close(db);
    return 0;
}
