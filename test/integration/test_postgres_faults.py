"""What goes wrong on the PostgreSQL side: afterwards the data set is complete, or the run failed with
the right class and code and the position is unmoved."""
import re
import signal
import time

import pg
import sql_faults
from lib import same_rows
from sql_faults import CHUNKS, FULL, INC, QUICK, slow_run
from sqlkit import code_of

def test_what_is_missing(place):
    with pg.database() as db:
        pg.simple(db, 100, gap=False)
        cases = [({"table": "nope"}, "nope", "RIVET_SOURCE_MISSING"), ({"table": "no_schema.t"}, "no_schema", "RIVET_SOURCE_MISSING"),
                 ({"query": "SELECT wrong FROM t"}, "wrong", None), ({"query": "SELEC 1"}, "SELEC", None), ({"table": "t", "mode": "incremental", "cursor_column": "nope"}, "nope", None),
                 ({"table": "t", "mode": "chunked", "chunk_column": "nope"}, "nope", None), ({"table": "t", "columns": {"nope": "text"}}, "nope", "RIVET_CONFIG_COLUMN_TYPE"),
                 ({"table": "t", "mode": "chunked", "chunk_by_key": "grp"}, "grp", "RIVET_CONFIG_KEY_UNUSABLE"), ({"query": "SELECT 1/0 AS z"}, "zero", None)]
        for export, word, code in cases:
            pg.config(place, db, [{"name": "x", **export}], tuning={"max_retries": 4, "retry_backoff_ms": 5000})
            started = time.monotonic()
            r = place.rivet("run", "-c", "rivet.yaml", "--json-errors")
            assert r.code == 1 and word in r.err and time.monotonic() - started < 4, f"{export}: {r}"
            assert code is None or code_of(r) == code, f"{export}: {r}"
            assert pg.unmoved(place) and not place.manifests("x")


def test_ambiguous_names(place):
    with pg.database() as db:
        db.sql('CREATE SCHEMA a', 'CREATE TABLE public."Orders" (id integer PRIMARY KEY)', "CREATE TABLE public.orders (id integer PRIMARY KEY, v integer)")
        for name, columns in (("orders", {"id", "v"}), ('"Orders"', {"id"}), ("ORDERS", {"id", "v"}), ("public.orders", {"id", "v"})):
            pg.config(place, db, [{"name": "x", "table": name}])
            place.rivet("run", "-c", "rivet.yaml", code=0)
            got = {c["name"] for c in place.manifests("x")[-1]["columns"]}
            assert got == columns, (name, got)


def test_no_right_to_select(place):
    with pg.database() as db:
        pg.simple(db, 100, gap=False)
        role = f"weak_{db.name}"
        db.sql(f"CREATE ROLE {role} LOGIN")
        try:
            for grants, export, code in (([], {"table": "t"}, 1), ([f"GRANT SELECT (id, name) ON t TO {role}"], {"table": "t"}, 1), ([], {"query": "SELECT id, name FROM t"}, 0)):
                db.sql(*grants)
                pg.config(place, db.url(user=role), [{"name": "x", **export}])
                r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", code=code)
                assert code == 0 or code_of(r) == "RIVET_SOURCE_PERMISSION", r
        finally:
            db.sql(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_row_security(place):
    with pg.database() as db:
        pg.simple(db, 100, gap=False)
        role = f"tenant_{db.name}"
        db.sql(f"CREATE ROLE {role} LOGIN", f"GRANT SELECT ON t TO {role}", "ALTER TABLE t ENABLE ROW LEVEL SECURITY", "CREATE POLICY p ON t FOR SELECT USING (id <= 30)")
        try:
            for export in ({"table": "t"}, {"query": "SELECT id FROM t"}, {"query": "SELECT DISTINCT id FROM t"}, {"table": "t", "consistency": "snapshot"},
                           {"table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 20}):
                pg.config(place, db.url(user=role), [{"name": "x", **export}])
                r = place.rivet("run", "-c", "rivet.yaml")
                assert r.code == 1 and re.search(r"allow_row_security", r.err), r
                assert not place.manifests("x")
                pg.config(place, db.url(user=role), [{"name": "y", "allow_row_security": True, **export}])
                place.rivet("run", "-c", "rivet.yaml", code=0)
                assert sorted(x["id"] for x in place.dataset("y")) == list(range(1, 31))
        finally:
            db.conn.execute(f"DROP OWNED BY {role}")
            db.conn.execute(f"DROP ROLE {role}")


def test_statement_timeout(place):
    """Timeouts halve the page and in the end fail with 1 and advice; nothing moves."""
    with pg.database() as db:
        pg.simple(db, 300, gap=False)
        db.sql("CREATE VIEW slow AS SELECT t.*, pg_sleep(0.2)::text AS s FROM t")
        pg.config(place, db, [{"name": "x", "query": "SELECT * FROM slow ORDER BY id"}], tuning={**QUICK, "statement_timeout_s": 1, "max_retries": 1})
        r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", code=1)
        assert code_of(r) == "RIVET_SOURCE_TIMEOUT" and re.search(r"chunk", r.err), r
        assert pg.unmoved(place) and not place.manifests("x")


def test_lock_timeout(place):
    with pg.database() as db:
        pg.simple(db, 5000, gap=False)
        pg.config(place, db, [INC], tuning={**QUICK, "lock_timeout_s": 1, "max_retries": 1})
        with db.connect() as holder:
            holder.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
            r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", code=2)
            assert code_of(r) == "RIVET_SOURCE_LOCK", r
            assert pg.unmoved(place)
            holder.rollback()
            holder.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
            p = place.start("run", "-c", "rivet.yaml")
            time.sleep(1.4)
            holder.rollback()
        out, err = p.communicate()
        assert p.returncode == 0, err.decode()
        same_rows(place.dataset("x", incremental=True), db.rows("SELECT * FROM t"))


def test_server_restart_mid_page(place):
    sql_faults.server_restarted_mid_page(place, pg, 15, [("inc", INC, signal.SIGINT), ("chunks", CHUNKS, signal.SIGQUIT), ("full", FULL, signal.SIGQUIT)],
                                         conf={"log_min_messages": "warning"})


def test_server_that_stays_away(place):
    sql_faults.server_stays_away(place, pg, 15)


def test_connection_cut_every_50_ms(place):
    sql_faults.cut_every_50_ms(place, pg, 15)


def test_connection_cut_after_bytes(place):
    sql_faults.cut_after_bytes(place, pg, 15, ((100000, 2), (400000, None), (3000, 4)))


def test_refused_connections(place):
    sql_faults.refused_connections(place, pg, 15)


def test_slow_line(place):
    sql_faults.slow_line(place, pg, 15)


def test_stall(place):
    sql_faults.stalled_line(place, pg, 15)


def test_signals_while_stalled(place):
    sql_faults.signals_while_stalled(place, pg, 15)


def test_interrupt_cancels_on_the_server(place):
    with pg.database() as db:
        pg.simple(db, 100, gap=False)
        pg.config(place, db, [{"name": "x", "query": "SELECT id, pg_sleep(30)::text AS s FROM t ORDER BY id"}])
        with slow_run(place) as (run, end):
            for _ in range(300):
                if db.one("SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name = 'rivet/x' AND state = 'active'", db.name):
                    break
                time.sleep(0.02)
            run.send_signal(signal.SIGINT)
        assert end["r"].code == 130, end["r"]
        time.sleep(0.5)
        assert not db.one("SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'rivet%%'", db.name)
