#include "source/mysql/mysql_internal.h"

static void interrupt(rv_source *s)
{
    rv_my_interrupt(s->my);
}

static const rv_source_info *info(rv_source *s)
{
    return &s->info;
}

const rv_source_driver rv_source_mysql = {
    .abi = RV_SOURCE_ABI,
    .engine = RV_ENGINE_MYSQL,
    .name = "mysql",
    .display = "Mysql",
    .open = rv_mys_open,
    .close = rv_mys_close,
    .interrupt = interrupt,
    .info = info,
    .resolve = rv_mys_resolve,
    .recheck = rv_mys_recheck,
    .scan = rv_mys_scan,
    .next = rv_mys_next,
    .scan_end = rv_mys_scan_end,
    .scan_close = rv_mys_scan_close,
    .bounds = rv_mys_bounds,
    .nth = rv_mys_nth,
    .count = rv_mys_count,
    .cuts = rv_mys_cuts,
    .now = rv_mys_now,
    .instant = rv_mys_instant,
    .datum_parse = rv_mys_datum_parse,
    .datum_day = rv_mys_datum_day,
    .snapshot_begin = rv_mys_snapshot_begin,
    .snapshot_end = rv_mys_snapshot_end,
    .signal = rv_mys_signal,
    .counters = rv_mys_counters,
    .session = rv_mys_session,
    .waiter = rv_mys_waiter,
    .facts = rv_mys_facts,
    .catalog = rv_mys_catalog,
    .quote = rv_my_quote,
};
