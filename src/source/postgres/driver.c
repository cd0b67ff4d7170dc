#include "source/postgres/postgres_internal.h"

static void interrupt(rv_source *s)
{
    rv_pg_interrupt(s->pg);
}

static const rv_source_info *info(rv_source *s)
{
    return &s->info;
}

const rv_source_driver rv_source_postgres = {
    .abi = RV_SOURCE_ABI,
    .engine = RV_ENGINE_POSTGRES,
    .name = "postgres",
    .display = "Postgres",
    .open = rv_pgs_open,
    .close = rv_pgs_close,
    .interrupt = interrupt,
    .info = info,
    .resolve = rv_pgs_resolve,
    .recheck = rv_pgs_recheck,
    .scan = rv_pgs_scan,
    .next = rv_pgs_next,
    .scan_end = rv_pgs_scan_end,
    .scan_close = rv_pgs_scan_close,
    .bounds = rv_pgs_bounds,
    .nth = rv_pgs_nth,
    .count = rv_pgs_count,
    .cuts = rv_pgs_cuts,
    .now = rv_pgs_now,
    .instant = rv_pgs_instant,
    .datum_parse = rv_pgs_datum_parse,
    .datum_day = rv_pgs_datum_day,
    .snapshot_begin = rv_pgs_snapshot_begin,
    .snapshot_end = rv_pgs_snapshot_end,
    .signal = rv_pgs_signal,
    .counters = rv_pgs_counters,
    .session = rv_pgs_session,
    .waiter = rv_pgs_waiter,
    .facts = rv_pgs_facts,
    .catalog = rv_pgs_catalog,
    .quote = rv_pgs_quote,
};
