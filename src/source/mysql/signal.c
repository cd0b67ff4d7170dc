#include <string.h>

#include "source/mysql/mysql_internal.h"

#define COUNTERS 8

/* Values of some global counters, in the order of `names`; -1: the server has none of that name. */
static rv_status read_counters(rv_source *s, const char *const *names, size_t n, int64_t *out,
                               rv_error *err)
{
    rv_buf sql = RV_BUF_INIT;
    MYSQL_RES *r = NULL;
    rv_status st;
    RV_GO(rv_buf_add_c(&sql, "SHOW GLOBAL STATUS WHERE Variable_name IN (", err));
    for (size_t i = 0; i < n; i++) {
        out[i] = -1;
        RV_GO(rv_buf_printf(&sql, err, "%s'%s'", i ? ", " : "", names[i]));
    }
    RV_GO(rv_buf_add(&sql, ")", 2, err));
    RV_GO(rv_mys_ask(s, (const char *)sql.ptr, "reading the server's counters", &r, err));
    for (MYSQL_ROW row; r && (row = mysql_fetch_row(r));)
        for (size_t i = 0; i < n; i++)
            if (row[0] && strcasecmp(row[0], names[i]) == 0)
                out[i] = rv_mys_int(row, 1, -1);
done:
    mysql_free_result(r);
    rv_buf_free(&sql);
    return st;
}

/* What read-only work alone does not raise: waits for the redo log; and what too large batches do:
 * temporary tables on disk, waits for a clean page. */
rv_status rv_mys_signal(rv_source *s, rv_signal which, int64_t *out, rv_error *err)
{
    static const char *const batch[] = {"Created_tmp_disk_tables", "Innodb_buffer_pool_wait_free"};
    static const char *const pressure[] = {"Innodb_log_waits"};
    const bool wide = which == RV_SIGNAL_BATCH;
    const size_t n = wide ? 2 : 1;
    int64_t values[2] = {0, 0}, sum = 0;
    RV_TRY(read_counters(s, wide ? batch : pressure, n, values, err));
    for (size_t i = 0; i < n; i++) {
        if (values[i] < 0)
            return rv_fail(err, RV_E_SOURCE_QUERY, "the server has no counter %s",
                           wide ? batch[i] : pressure[i]);
        sum += values[i];
    }
    *out = sum;
    return RV_OK;
}

rv_status rv_mys_counters(rv_source *s, rv_arena *arena, rv_counter **out, size_t *out_n,
                          rv_error *err)
{
    static const char *const asked[COUNTERS] = {
        "Created_tmp_disk_tables", "Created_tmp_files",     "Sort_merge_passes",
        "Innodb_log_waits",        "Innodb_row_lock_waits", "Innodb_buffer_pool_wait_free",
        "Innodb_data_read",        "Table_locks_waited"};
    static const char *const told[COUNTERS] = {
        "mysql_created_tmp_disk_tables", "mysql_created_tmp_files",
        "mysql_sort_merge_passes",       "mysql_innodb_log_waits",
        "mysql_innodb_row_lock_waits",   "mysql_innodb_buffer_pool_wait_free",
        "mysql_innodb_data_read",        "mysql_table_locks_waited"};
    int64_t values[COUNTERS];
    rv_counter *list = NULL;
    size_t n = 0;
    RV_TRY(rv_arena_array(arena, COUNTERS, sizeof *list, &list, err));
    RV_TRY(read_counters(s, asked, COUNTERS, values, err));
    for (size_t i = 0; i < COUNTERS; i++)
        if (values[i] >= 0)
            list[n++] = (rv_counter){told[i], values[i]};
    *out = list;
    *out_n = n;
    return RV_OK;
}
