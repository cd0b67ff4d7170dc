"""A second adversarial reading of the execution contract: rows, chunks, partitions, what is left behind."""
import json
import os
import random
import signal
import time

import lib
from lib import SIMPLE, fill, same_rows, table


def summary(place, run_id):
    return json.load(open(place.path(".rivet", "runs", run_id, "summary.json"), encoding="utf-8"))


def last_run(place, export):
    return place.state().execute("SELECT run_id, status FROM run_status WHERE export_name = ? "
                                 "ORDER BY started_at DESC LIMIT 1", (export,)).fetchone()


def spool(place):
    found = []
    for root, _, names in os.walk(place.path()):
        found += [os.path.join(root, n) for n in names if ".rivet-tmp-" in root or n.startswith(".rivet-tmp-")]
    return found


# ---- what is left behind ----

def test_a_resumed_validated_run_leaves_no_spool(place):
    conn = place.db(SIMPLE)
    fill(conn, 100)
    place.config([{"name": "c", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 25,
                   "chunk_checkpoint": True}])
    place.killed("unit-sealed", "run", "-c", "rivet.yaml", "--validate")
    place.rivet("run", "-c", "rivet.yaml", "--resume", "-e", "c", code=0)
    same_rows(place.dataset("c"), table(conn, "SELECT * FROM t"))
    assert spool(place) == [], spool(place)
    assert place.state().execute("SELECT count(*) FROM file_log WHERE spool_path IS NOT NULL").fetchone() == (0,)


# ---- figures ----

def test_chunks_of_an_empty_table_are_counted_right(place):
    place.db("CREATE TABLE t (id INTEGER, v TEXT)")
    place.config([{"name": "c", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 25}])
    r = place.rivet("run", "-c", "rivet.yaml", code=0)
    assert "  chunks:      1/1\n" in r.err, r.err
    assert len(place.files()) == 4, place.files()


# ---- any chunks ----

def values(rnd):
    how = rnd.randrange(7)
    n = rnd.choice([0, 1, 2, 3, 17, 60])
    if how == 0:
        got = [rnd.randrange(-5, 6) for _ in range(n)]
    elif how == 1:
        got = [rnd.choice([-2**63, 2**63 - 1, 0, -2**63 + 1, 2**63 - 2]) for _ in range(n)]
    elif how == 2:
        got = list(range(2**63 - n, 2**63))
    elif how == 3:
        got = list(range(-2**63, -2**63 + n))
    elif how == 4:
        got = [rnd.randrange(-2**63, 2**63) for _ in range(n)]
    elif how == 5:
        got = [7] * n
    else:
        got = [rnd.randrange(0, 1000) for _ in range(n)]
    if rnd.random() < 0.3:
        got += [None] * rnd.choice([1, 5])
    rnd.shuffle(got)
    return got


def strategy(rnd, got):
    known = [v for v in got if v is not None]
    span = max(known) - min(known) + 1 if known else 1
    how = rnd.choice(["size", "count", "dense"])
    more = {"mode": "chunked", "chunk_column": "k"}
    if how == "size":
        more["chunk_size"] = max(rnd.choice([1, 2, 7, 100]), span // 50 + 1 if span > 5000 else 1)
        more["chunk_size"] = min(more["chunk_size"], 2**63 - 1)
    elif how == "count":
        more["chunk_count"] = rnd.choice([1, 2, 3, 10, 97])
    else:
        more.update(chunk_dense=True, chunk_size=rnd.choice([1, 2, 5, 1000]))
    more["chunk_checkpoint"] = rnd.random() < 0.5
    more["parallel"] = rnd.choice([1, 1, 3])
    return more


def test_any_chunks_of_any_numbers(place):
    rnd = random.Random(20261)
    exports, want = [], {}
    for i in range(60):
        got = values(rnd)
        conn = place.db(f"CREATE TABLE t{i} (id INTEGER PRIMARY KEY, k BIGINT);" +
                        (f"CREATE INDEX i{i} ON t{i}(k);" if rnd.random() < 0.7 else ""))
        conn.executemany(f"INSERT INTO t{i}(k) VALUES (?)", [(v,) for v in got])
        conn.commit()
        x = {"name": f"x{i}", "table": f"t{i}", **strategy(rnd, got)}
        exports.append(x)
        want[x["name"]] = (x, table(conn, f"SELECT * FROM t{i}"))
        conn.close()
    place.config(exports)
    place.rivet("run", "-c", "rivet.yaml", "--reconcile", code=0)
    for name, (x, rows) in want.items():
        try:
            same_rows(place.dataset(name), rows)
        except AssertionError as e:
            raise AssertionError(f"{x}: {e}") from e


# ---- a source that changes meanwhile ----

def until_stopped(p):
    while open(f"/proc/{p.pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[0] != "T":
        assert p.poll() is None, p.communicate()
        time.sleep(0.02)


def stalled(place, point, meanwhile, *args, env=None):
    p = place.start("run", "-c", "rivet.yaml", *args, binary=lib.FAULTY, env={"RIVET_STALL_AT": point, **(env or {})})
    until_stopped(p)
    meanwhile()
    p.send_signal(signal.SIGCONT)
    out, err = p.communicate(timeout=60)
    return lib.Result(p.returncode, out.decode(), err.decode())


def more_rows(conn, sql="INSERT INTO t VALUES (5000, 'x', 1, NULL), (-7, 'y', 1, NULL)"):
    conn.execute(sql)
    conn.commit()


def test_a_snapshot_is_counted_in_its_own_instant(place):
    for i, more in enumerate(({"mode": "full"}, {"mode": "chunked", "chunk_column": "id", "chunk_size": 25},
                              {"mode": "chunked", "chunk_column": "id", "chunk_size": 25, "chunk_checkpoint": True})):
        conn = place.db("PRAGMA journal_mode = WAL;" + SIMPLE, name=f"s{i}.db")
        fill(conn, 100)
        name = f"s{i}"
        place.config([{"name": name, "table": "t", "consistency": "snapshot", **more}], source=f"s{i}.db")
        r = stalled(place, "part-put", lambda c=conn: more_rows(c, "INSERT INTO t VALUES (50000, 'x', 1, NULL)" if False else "DELETE FROM t WHERE id = 50"), "--reconcile")
        assert r.code == 0, (more, r)
        assert len(place.dataset(name)) == 100


def test_a_snapshot_that_goes_on_is_one_instant(place):
    """Killed while it reads: bounds of the first instant must not cut off rows of the second."""
    conn = place.db("PRAGMA journal_mode = WAL;" + SIMPLE)
    fill(conn, 100)
    place.config([{"name": "s", "table": "t", "consistency": "snapshot", "mode": "chunked", "chunk_column": "id",
                   "chunk_size": 25, "chunk_checkpoint": True}])
    place.killed("part-closed:2", "run", "-c", "rivet.yaml")
    more_rows(conn)
    r = place.rivet("run", "-c", "rivet.yaml", "--resume", "-e", "s")
    if r.code == 0:
        same_rows(place.dataset("s"), table(conn, "SELECT * FROM t"))
    else:
        assert r.code == 5 and "snapshot" in r.err and "reset-chunks" in r.err, r
        place.rivet("state", "reset-chunks", "-c", "rivet.yaml", "-e", "s", code=0)
        place.rivet("run", "-c", "rivet.yaml", code=0)
        same_rows(place.dataset("s"), table(conn, "SELECT * FROM t"))


# ---- signals ----

def test_a_signal_anywhere_leaves_nothing_half(place):
    """SIGTERM while the run stands at each of its points: exit 143, and the next start has it all."""
    points = ["state-lease", "lease-taken", "state-checkpoint", "checkpoint-begun", "part-writing", "part-closed", "state-intent",
              "part-put", "part-uploaded", "state-seal", "unit-sealed", "state-unit-done", "unit-committed", "before-final",
              "after-final", "published-own", "published-manifest", "published-marker"]
    conn = place.db(SIMPLE)
    fill(conn, 60)
    wrong = []
    for i, point in enumerate(points):
        name = f"c{i}"
        place.config([{"name": name, "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 25,
                       "chunk_checkpoint": True, "destination": {"type": "local", "path": f"./out{i}"}}])
        p = place.start("run", "-c", "rivet.yaml", binary=lib.FAULTY, env={"RIVET_STALL_AT": point})
        until_stopped(p)
        p.send_signal(signal.SIGTERM)
        p.send_signal(signal.SIGCONT)
        _, err = p.communicate(timeout=60)
        late = point in ("after-final", "published-own", "published-manifest", "published-marker", "before-final")
        if p.returncode not in ((0, 143) if late else (143,)):
            wrong.append((point, p.returncode, err.decode()[-600:]))
            continue
        marker = os.path.exists(place.path(f"out{i}", "_SUCCESS"))
        if p.returncode == 143 and marker:
            wrong.append((point, "marker after 143", ""))
        r = place.rivet("run", "-c", "rivet.yaml")
        if r.code != 0:
            wrong.append((point, "again", r))
            continue
        same_rows(place.dataset(name, f"out{i}"), table(conn, "SELECT * FROM t"))
        if spool(place):
            wrong.append((point, "spool", spool(place)))
    assert not wrong, "\n".join(str(w) for w in wrong)
