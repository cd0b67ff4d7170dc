"""Bodies of the tests of faults that PostgreSQL, MySQL and MariaDB share: afterwards the data set is
complete, or the run failed with the right class and code and the position is unmoved. `engine` is the
module pg or my, `on` one of its servers."""
import contextlib
import os
import random
import signal
import time

from lib import Result, same_rows
from sqlkit import code_of, unmoved

QUICK = {"retry_backoff_ms": 30}
SLOW = {**QUICK, "batch_size": 250, "throttle_ms": 40}
FULL = {"name": "x", "table": "t"}
INC = {"name": "x", "table": "t", "mode": "incremental", "cursor_column": "id"}
CHUNKS = {"name": "x", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 2000, "parallel": 3, "chunk_checkpoint": True}
SNAPSHOT = {"name": "x", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 2000, "parallel": 2, "consistency": "snapshot"}
STREAMED = {"name": "x", "query": "SELECT DISTINCT * FROM t"}
FAULTED = [("full", FULL), ("inc", INC), ("chunks", CHUNKS), ("keyset", {**{k: v for k, v in CHUNKS.items() if k != "chunk_column"}, "chunk_by_key": "id"}),
           ("snapshot", {**FULL, "consistency": "snapshot"}), ("streamed", STREAMED)]


def complete_or_unmoved(place, db, r, export="x", codes=(2,), incremental=False):
    """The one rule of every fault."""
    if r.code == 0:
        same_rows(place.dataset(export, incremental=incremental), db.rows("SELECT * FROM t"))
        return True
    assert r.code in codes, r
    assert not [m for m in place.manifests(export) if m["status"] == "success"] and unmoved(place, export), r
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


@contextlib.contextmanager
def each(place, exports):
    """A place of its own for each of (name, export)."""
    def places():
        for name, export in exports:
            sub = type(place)()
            try:
                yield sub, name, export
            finally:
                sub.close()
    yield places()


def server_restarted_mid_page(place, engine, on, kinds, **kw):
    """kinds: name, export, signal."""
    with contextlib.ExitStack() as stack:
        server = engine.own(stack, on, **kw)
        for name, export, how in kinds:
            sub = type(place)()
            try:
                with engine.database(server) as db:
                    engine.simple(db, 12000)
                    engine.config(sub, db, [export], tuning={**SLOW, "max_retries": 8, "retry_backoff_ms": 150})
                    with slow_run(sub) as (p, end):
                        engine.reading(db, more=5)
                        db.conn.close()
                        server.restart(how)
                    db.conn = db.connect(autocommit=True)
                    assert end["r"].code == 0, f"{name}: {end['r']}"
                    assert complete_or_unmoved(sub, db, end["r"], incremental=name == "inc")
            finally:
                sub.close()


def server_stays_away(place, engine, on):
    with contextlib.ExitStack() as stack:
        server = engine.own(stack, on)
        with engine.database(server) as db:
            engine.simple(db, 12000)
            engine.config(place, db, [INC], tuning={**SLOW, "max_retries": 2})
            with slow_run(place) as (p, end):
                engine.reading(db, more=5)
                db.conn.close()
                server.stop()
            r = end["r"]
            assert r.code == 2 and code_of(r) in ("RIVET_SOURCE_CONNECT", "RIVET_SOURCE_BUSY"), r
            assert unmoved(place)
            server.start()
            db.conn = db.connect(autocommit=True)
            then_recovers(place, db, incremental=True)


@contextlib.contextmanager
def through(place, engine, db, export, tuning=None, **faults):
    """A config that reads through a fault proxy, and the proxy."""
    with engine.proxy.FaultProxy(db.server.port) as p:
        for k, v in faults.items():
            setattr(p, k, v)
        engine.config(place, db.server.url(db.name, port=p.port), [export], tuning={**QUICK, **(tuning or {})})
        yield p


def each_fault(place, engine, db, tuning=None, codes=(2,), **faults):
    """What came of each of FAULTED: exit code, cuts, connections; all of them recover."""
    outcomes = {}
    with each(place, FAULTED) as places:
        for sub, name, export in places:
            with through(sub, engine, db, export, tuning, **faults) as p:
                r = sub.rivet("run", "-c", "rivet.yaml", "--json-errors", timeout=120)
                outcomes[name] = (r.code, p.cuts, p.connections)
                complete_or_unmoved(sub, db, r, codes=codes, incremental=name == "inc")
                p.cut_ms = p.cut_after_bytes = p.rate_bytes_s = None
                p.refuse = p.stall = False
                then_recovers(sub, db, incremental=name == "inc")
    return outcomes


def cut_every_50_ms(place, engine, on):
    with engine.database(on) as db:
        engine.simple(db, 20000)
        outcomes = each_fault(place, engine, db, cut_ms=50, tuning={"batch_size": 500, "throttle_ms": 2, "max_retries": 3})
        assert sum(cuts for _, cuts, _ in outcomes.values()) > 10, outcomes


def cut_after_bytes(place, engine, on, sizes):
    """sizes: bytes, how many cuts (None: all)."""
    with engine.database(on) as db:
        engine.simple(db, 20000)
        for size, left in sizes:
            outcomes = each_fault(place, engine, db, cut_after_bytes=size, cuts_left=left, tuning={"max_retries": 6})
            assert all(cuts for _, cuts, _ in outcomes.values()), (size, outcomes)
            if left:  # fewer cuts than tries: pages go on from the last row
                assert all(outcomes[n][0] == 0 for n in ("full", "inc", "chunks", "keyset")), (size, outcomes)


def refused_connections(place, engine, on):
    with engine.database(on) as db:
        engine.simple(db, 1000)
        outcomes = each_fault(place, engine, db, refuse=True, tuning={"max_retries": 2})
        assert all(o[0] == 2 and o[2] >= 3 for o in outcomes.values()), outcomes


def slow_line(place, engine, on):
    with engine.database(on) as db:
        engine.simple(db, 4000)
        outcomes = each_fault(place, engine, db, rate_bytes_s=400000)
        assert all(o[0] == 0 for o in outcomes.values()), outcomes


def stalled_line(place, engine, on):
    """A line that goes silent mid-page: the limits end the statement, the retry reads on."""
    with engine.database(on) as db:
        engine.simple(db, 20000)
        with through(place, engine, db, INC, {"statement_timeout_s": 2, "max_retries": 1, "batch_size": 250, "throttle_ms": 20}) as p:
            started = time.monotonic()
            with slow_run(place) as (_, end):
                engine.reading(db, more=4)
                p.stall = True
            assert time.monotonic() - started < 60, "a silent line held the run"
            complete_or_unmoved(place, db, end["r"], codes=(1, 2), incremental=True)
            p.stall = False
            then_recovers(place, db, incremental=True)


def signals_while_stalled(place, engine, on):
    with engine.database(on) as db:
        engine.simple(db, 20000)
        with through(place, engine, db, CHUNKS, {"batch_size": 250, "throttle_ms": 20}) as p:
            with slow_run(place, env={"RIVET_SHUTDOWN_GRACE_S": "2"}) as (run, end):
                engine.reading(db, more=4)
                p.stall = True
                time.sleep(0.3)
                started = time.monotonic()
                run.send_signal(signal.SIGTERM)
            assert end["r"].code == 143 and time.monotonic() - started < 15, end["r"]
            p.stall = False
            then_recovers(place, db)


# ---- what others do to the source meanwhile ----

def changed_mid_run(place, engine, on, ddl, export):
    with engine.database(on) as db:
        engine.simple(db, 12000)
        engine.config(place, db, [export], tuning=SLOW)
        with slow_run(place) as (p, end):
            engine.reading(db, more=6)
            db.sql(*ddl)
            at_once = p.poll()
        assert at_once is None, "the run had ended before the change"
        return end["r"]


def columns_changed_mid_run(place, engine, on, changes):
    """A column dropped, retyped, added or renamed: the unit is thrown away, exit 2 names the column.
    changes: statements, column."""
    for ddl, column in changes:
        with each(place, [(e.get("mode"), e) for e in (FULL, INC, CHUNKS)]) as places:
            for sub, name, export in places:
                r = changed_mid_run(sub, engine, on, ddl, export)
                assert r.code == 2 and code_of(r) == "RIVET_SOURCE_CHANGED" and column in r.err, f"{ddl} {name}: {r}"
                assert unmoved(sub) and not [m for m in sub.manifests("x") if m["status"] == "success"]


def foreign(place, engine, on, act, exports, codes=()):
    """Somebody else ends our statements or connections: act(db, id). The run goes on (or ends with `codes`)."""
    with each(place, [(e.get("mode"), e) for e in exports]) as places:
        for sub, name, export in places:
            with engine.database(on) as db:
                engine.simple(db, 12000)
                engine.config(sub, db, [export], tuning={**SLOW, "max_retries": 5})
                with slow_run(sub) as (p, end):
                    for turn in range(3):
                        try:
                            act(db, engine.reading(db, limit_s=3, more=3))
                        except AssertionError:
                            if turn == 0 or p.poll() is None:
                                raise
                            break  # it was done before the third time
                        time.sleep(0.15)
                complete_or_unmoved(sub, db, end["r"], incremental=name == "incremental")
                then_recovers(sub, db, incremental=name == "incremental")
                assert end["r"].code == 0 or end["r"].code in codes, end["r"]


def rows_written_while_reading(place, engine, on, write):
    """Rows that stay keep their place: each exactly once, whatever write(db, n) inserts, updates or deletes beside them."""
    with engine.database(on) as db:
        engine.simple(db, 12000)
        steady = {r["id"] for r in db.rows("SELECT id FROM t WHERE id % 10 <> 7")}
        with each(place, enumerate((FULL, CHUNKS, {**FULL, "consistency": "statement"}, SNAPSHOT))) as places:
            for sub, i, export in places:
                engine.config(sub, db, [export], tuning=SLOW)
                rnd = random.Random(i)
                with slow_run(sub) as (p, end):
                    while p.poll() is None:
                        write(db, rnd.randrange(1, 12000))
                assert end["r"].code == 0, end["r"]
                ids = [r["id"] for r in sub.dataset("x")]
                assert len(ids) == len(set(ids)) and steady <= set(ids), f"{export}: {len(ids)} rows, {len(steady - set(ids))} lost"


def killed_at_random(place, engine, on, export, seed, kills=6):
    rnd, incremental = random.Random(seed), export.get("mode") == "incremental"
    with engine.database(on) as db:
        engine.simple(db, 12000)
        engine.config(place, db, [export], tuning={**QUICK, "batch_size": 400, "throttle_ms": 40})
        last, landed = 12000, 0
        for _ in range(kills):
            p = place.start("run", "-c", "rivet.yaml")
            time.sleep(rnd.uniform(0.03, 0.5))
            landed += p.poll() is None
            p.send_signal(signal.SIGKILL)
            p.communicate()
            if incremental and rnd.random() < 0.5:
                engine.add(db, last + 1, last + 30)
                last += 30
        time.sleep(1.1)
        then_recovers(place, db, incremental)
        assert landed, "no kill hit a running export"
