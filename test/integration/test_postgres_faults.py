"""What goes wrong on the PostgreSQL side: afterwards the data set is complete, or the run failed with
the right class and code and the position is unmoved."""
import contextlib
import os
import re
import signal
import time

import pg
from lib import Result, same_rows

QUICK = {"retry_backoff_ms": 30}
INC = {"name": "x", "table": "t", "mode": "incremental", "cursor_column": "id"}
CHUNKS = {"name": "x", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 2000, "parallel": 3, "chunk_checkpoint": True}


def code_of(r):
    found = re.findall(r'"code":"(RIVET_[A-Z_0-9]+)"', r.err)
    return found[0] if found else None


def complete_or_unmoved(place, db, r, export="x", codes=(2,), incremental=False):
    """The one rule of every fault."""
    if r.code == 0:
        same_rows(place.dataset(export, incremental=incremental), db.rows("SELECT * FROM t"))
        return True
    assert r.code in codes, r
    assert not [m for m in place.manifests(export) if m["status"] == "success"] and pg.unmoved(place, export), r
    assert not os.path.exists(place.path("out", "_SUCCESS"))
    return False


def then_recovers(place, db, incremental=False):
    """The next run without the fault finishes the work, whatever the last one left."""
    r = place.rivet("run", "-c", "rivet.yaml", timeout=100)
    if r.code == 5 and "in all its" in r.err:  # a chunk had spent its tries: the way out that the text names
        place.rivet("state", "reset-chunks", "-c", "rivet.yaml", "-e", "x", code=0)
        r = place.rivet("run", "-c", "rivet.yaml", timeout=100)
    assert r.code == 0, r
    same_rows(place.dataset("x", incremental=incremental), db.rows("SELECT * FROM t"))
    listed = {p["path"] for m in place.manifests("x") if m["status"] == "success" for p in m["parts"] if p["status"] == "committed"}
    assert {f for f in place.files() if f.startswith("x_")} == listed and not place.hidden(), r


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


@contextlib.contextmanager
def slow_run(place, *args, **kw):
    """A run that takes a few seconds, started; the block breaks something, the end waits for it."""
    p = place.start("run", "-c", "rivet.yaml", "--json-errors", *args, **kw)
    holder = {}
    try:
        yield p, holder
    finally:
        try:
            out, err = p.communicate(timeout=120)
        except Exception:
            p.kill()
            raise
        holder["r"] = Result(p.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))


SLOW = {**QUICK, "batch_size": 250, "throttle_ms": 40}


def reading(db, app="rivet/x", limit_s=15, more=1):
    """Waits until an export was seen on the server; returns its process id."""
    until, seen = time.monotonic() + limit_s, 0
    while time.monotonic() < until:
        row = db.conn.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s AND datname = %s AND query LIKE '%%COPY%%' ORDER BY random()", (app, db.name)).fetchone()
        if row:
            seen += 1
            if seen >= more:
                return row[0]
        time.sleep(0.01)
    raise AssertionError("the run was never seen reading")


def test_server_restart_mid_page(place):
    with contextlib.ExitStack() as stack:
        server = pg.own(stack, 15, conf={"log_min_messages": "warning"})
        for name, export, how in (("inc", INC, signal.SIGINT), ("chunks", CHUNKS, signal.SIGQUIT), ("full", {"name": "x", "table": "t"}, signal.SIGQUIT)):
            sub = type(place)()
            try:
                with pg.database(server) as db:
                    pg.simple(db, 12000)
                    pg.config(sub, db, [export], tuning={**SLOW, "max_retries": 8, "retry_backoff_ms": 150})
                    with slow_run(sub) as (p, end):
                        reading(db, more=5)
                        db.conn.close()
                        server.restart(how)
                    db.conn = db.connect(autocommit=True)
                    assert end["r"].code == 0, f"{name}: {end['r']}"
                    assert complete_or_unmoved(sub, db, end["r"], incremental=name == "inc")
            finally:
                sub.close()


def test_server_that_stays_away(place):
    with contextlib.ExitStack() as stack:
        server = pg.own(stack, 15)
        with pg.database(server) as db:
            pg.simple(db, 12000)
            pg.config(place, db, [INC], tuning={**SLOW, "max_retries": 2})
            with slow_run(place) as (p, end):
                reading(db, more=5)
                db.conn.close()
                server.stop()
            r = end["r"]
            assert r.code == 2 and code_of(r) in ("RIVET_SOURCE_CONNECT", "RIVET_SOURCE_BUSY"), r
            assert pg.unmoved(place)
            server.start()
            db.conn = db.connect(autocommit=True)
            then_recovers(place, db, incremental=True)


def through(place, db, export, tuning=None, **faults):
    """A config that reads through a fault proxy, and the proxy."""
    @contextlib.contextmanager
    def opened():
        with pg.proxy.FaultProxy(db.server.port) as p:
            for k, v in faults.items():
                setattr(p, k, v)
            pg.config(place, db.server.url(db.name, port=p.port), [export], tuning={**QUICK, **(tuning or {})})
            yield p
    return opened()


FAULTED = [("full", {"name": "x", "table": "t"}), ("inc", INC), ("chunks", CHUNKS), ("keyset", {**{k: v for k, v in CHUNKS.items() if k != "chunk_column"}, "chunk_by_key": "id"}),
           ("snapshot", {"name": "x", "table": "t", "consistency": "snapshot"}), ("cursor", {"name": "x", "query": "SELECT DISTINCT * FROM t"})]


def each_fault(place, db, tuning=None, codes=(2,), **faults):
    outcomes = {}
    for name, export in FAULTED:
        sub = type(place)()
        try:
            with through(sub, db, export, tuning, **faults) as p:
                r = sub.rivet("run", "-c", "rivet.yaml", "--json-errors", timeout=120)
                outcomes[name] = (r.code, p.cuts, p.connections)
                complete_or_unmoved(sub, db, r, codes=codes, incremental=name == "inc")
                p.cut_ms = p.cut_after_bytes = p.rate_bytes_s = None
                p.refuse = p.stall = False
                then_recovers(sub, db, incremental=name == "inc")
        finally:
            sub.close()
    return outcomes


def test_connection_cut_every_50_ms(place):
    with pg.database() as db:
        pg.simple(db, 20000)
        outcomes = each_fault(place, db, cut_ms=50, tuning={"batch_size": 500, "throttle_ms": 2, "max_retries": 3})
        assert sum(cuts for _, cuts, _ in outcomes.values()) > 10, outcomes


def test_connection_cut_after_bytes(place):
    with pg.database() as db:
        pg.simple(db, 20000)
        for size, left in ((100000, 2), (400000, None), (3000, 4)):
            outcomes = each_fault(place, db, cut_after_bytes=size, cuts_left=left, tuning={"max_retries": 6})
            assert all(cuts for _, cuts, _ in outcomes.values()), (size, outcomes)
            if left:  # fewer cuts than tries: pages go on from the last row
                assert all(outcomes[n][0] == 0 for n in ("full", "inc", "chunks", "keyset")), (size, outcomes)


def test_refused_connections(place):
    with pg.database() as db:
        pg.simple(db, 1000)
        outcomes = each_fault(place, db, refuse=True, tuning={"max_retries": 2})
        assert all(o[0] == 2 and o[2] >= 3 for o in outcomes.values()), outcomes


def test_slow_line(place):
    with pg.database() as db:
        pg.simple(db, 4000)
        outcomes = each_fault(place, db, rate_bytes_s=400000)
        assert all(o[0] == 0 for o in outcomes.values()), outcomes


def test_stall(place):
    """A line that goes silent mid-page: the limits end the statement, the retry reads on."""
    with pg.database() as db:
        pg.simple(db, 20000)
        with through(place, db, INC, {"statement_timeout_s": 2, "max_retries": 1, "batch_size": 250, "throttle_ms": 20}) as p:
            started = time.monotonic()
            with slow_run(place) as (_, end):
                reading(db, more=4)
                p.stall = True
            assert time.monotonic() - started < 60, "a silent line held the run"
            complete_or_unmoved(place, db, end["r"], codes=(1, 2), incremental=True)
            p.stall = False
            then_recovers(place, db, incremental=True)


def test_signals_while_stalled(place):
    with pg.database() as db:
        pg.simple(db, 20000)
        with through(place, db, CHUNKS, {"batch_size": 250, "throttle_ms": 20}) as p:
            with slow_run(place, env={"RIVET_SHUTDOWN_GRACE_S": "2"}) as (run, end):
                reading(db, more=4)
                p.stall = True
                time.sleep(0.3)
                started = time.monotonic()
                run.send_signal(signal.SIGTERM)
            assert end["r"].code == 143 and time.monotonic() - started < 15, end["r"]
            p.stall = False
            then_recovers(place, db)


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
