"""Bodies of the tests of modes that PostgreSQL, MySQL and MariaDB share: one table through every mode
and strategy gives the same rows and the same checksums; incremental runs and key kinds add up to the
source. `engine` is the module pg or my, `on` one of its servers."""
import datetime
import glob
import json
import os
import random

from lib import read_part, same_rows

CHUNKED = {"mode": "chunked", "chunk_checkpoint": True}
TARGETS = [
    {"name": "full"}, {"name": "full_q", "table": None, "query": "SELECT id, name, grp, note, at, day FROM t;"},
    {"name": "full_ckpt", "chunk_checkpoint": True, "chunk_size": 1500},
    {"name": "full_statement", "consistency": "statement"}, {"name": "full_snapshot", "consistency": "snapshot"},
    {"name": "inc", "mode": "incremental", "cursor_column": "grp"},
    {"name": "inc_at", "mode": "incremental", "cursor_column": "at"},
    {"name": "inc_noindex", "mode": "incremental", "cursor_column": "day"},
    {"name": "inc_coalesce", "mode": "incremental", "cursor_column": "note", "cursor_fallback_column": "name",
     "incremental_cursor_mode": "coalesce"},
    {"name": "size", **CHUNKED, "chunk_column": "id", "chunk_size": 1000},
    {"name": "auto", **CHUNKED, "chunk_size": 1000},
    {"name": "count", **CHUNKED, "chunk_column": "id", "chunk_count": 7},
    {"name": "dense", **CHUNKED, "chunk_column": "id", "chunk_dense": True, "chunk_size": 900},
    {"name": "other", **CHUNKED, "chunk_column": "grp", "chunk_size": 300},
    {"name": "days", **CHUNKED, "chunk_column": "at", "chunk_by_days": 3},
    {"name": "days_date", **CHUNKED, "chunk_column": "day", "chunk_by_days": 9},
    {"name": "memory", **CHUNKED, "chunk_column": "id", "chunk_size_memory_mb": 1},
    {"name": "bykey", **CHUNKED, "chunk_by_key": "id", "chunk_size": 999},
    {"name": "chunk_snapshot", **CHUNKED, "chunk_column": "id", "chunk_size": 1000, "consistency": "snapshot",
     "chunk_checkpoint": False},
    {"name": "query", **CHUNKED, "table": None, "query": "SELECT * FROM t WHERE id > 0", "chunk_column": "id", "chunk_size": 1000},
    {"name": "wrapped", **CHUNKED, "table": None, "query": "SELECT DISTINCT id, name, grp, note, at, day FROM t",
     "chunk_column": "id", "chunk_size": 1000}]
COLUMNS = "id, name, grp, note, at, day"


def targets_with(workers):
    out = []
    for x in TARGETS:
        x = {"table": "t", **x, "destination": {"type": "local", "path": f"./out/{x['name']}"}}
        if workers > 1 and x.get("mode") == "chunked":
            x["parallel"] = workers
        out.append(x)
    return out


def sums_of(place, targets, want):
    sums = {}
    for x in targets:
        out = f"out/{x['name']}"
        same_rows(place.dataset(x["name"], out), want)
        m = place.manifests(x["name"], out)[-1]
        sums.setdefault((m["row_checksum"], json.dumps(m["column_checksums"])), []).append(x["name"])
    return sums


def every_mode(place, engine, on, workers):
    with engine.database(on) as db:
        engine.simple(db)
        targets = targets_with(workers)
        engine.config(place, db, targets)
        place.rivet("run", "-c", "rivet.yaml", "--validate", "--reconcile", code=0)
        sums = sums_of(place, targets, db.rows(f"SELECT {COLUMNS} FROM t"))
        assert len(sums) == 1, sums
        place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=0)


def incremental_over_many_runs(place, engine, on):
    """New rows, ties at the high-water value, rows without a cursor, runs without news."""
    rnd = random.Random(5)
    with engine.database(on) as db:
        engine.simple(db, 3000, gap=False)
        exports = [{"name": f"i_{c}", "table": "t", "mode": "incremental", "cursor_column": c, "skip_empty": True,
                    "destination": {"type": "local", "path": f"./out/{c}"}} for c in ("id", "grp", "at")]
        exports.append({"name": "i_q", "query": "SELECT * FROM t WHERE id % 2 = 0", "mode": "incremental", "cursor_column": "grp",
                        "skip_empty": True, "destination": {"type": "local", "path": "./out/q"}})
        engine.config(place, db, exports)
        last, whole = 3000, None
        for turn in range(6):
            place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
            want = db.rows(f"SELECT {COLUMNS} FROM t")
            for c in ("id", "grp", "at"):
                same_rows(place.dataset(f"i_{c}", f"out/{c}", incremental=True), want)
            same_rows(place.dataset("i_q", "out/q", incremental=True), [r for r in want if r["id"] % 2 == 0])
            if turn != 3:
                more = rnd.randrange(1, 9)
                engine.add(db, last + 1, last + more)
                last += more
            whole = want
        assert len(whole) > 3005
        assert place.state().execute("SELECT last_cursor_value FROM export_state WHERE export_name='i_at'").fetchone()[0]


def rows_without_cursor_come_once(place, engine, on):
    with engine.database(on) as db:
        engine.simple(db, 900, gap=False)
        db.sql("UPDATE t SET at = NULL WHERE id % 3 = 0")
        engine.config(place, db, [{"name": "x", "table": "t", "mode": "incremental", "cursor_column": "at"}])
        for _ in range(3):
            place.rivet("run", "-c", "rivet.yaml", code=0)
        same_rows(place.dataset("x", incremental=True), db.rows("SELECT * FROM t"))


def every_kind_of_key(place, engine, on, keys, rows=3000):
    """Keyset pages and ranges by each type a key may have, under the server's own order. `keys`: type,
    and what makes the value out of i."""
    with engine.database(on) as db:
        exports = []
        for i, (kind, value) in enumerate(keys):
            engine.keyed(db, f"k{i}", kind, value, rows)
            for workers in (1, 3):
                name = f"k{i}w{workers}"
                exports.append({"name": name, "table": f"k{i}", "mode": "chunked", "chunk_by_key": "k", "chunk_size": 700,
                                "parallel": workers, "chunk_checkpoint": True, "destination": {"type": "local", "path": f"./out/{name}"}})
        engine.config(place, db, exports, tuning={"batch_size": 230})
        r = place.rivet("run", "-c", "rivet.yaml", "--validate", "--reconcile")
        wrong = []
        for i, (kind, _) in enumerate(keys):
            want = list(range(1, rows + 1))
            for workers in (1, 3):
                got = sorted(r["v"] for r in place.dataset(f"k{i}w{workers}", f"out/k{i}w{workers}"))
                if got != want:
                    wrong.append(f"{kind}, {workers} workers: {len(got)} rows, {len(set(got))} different")
        assert r.code == 0 and not wrong, (wrong, r)


def time_windows(place, engine, on, make):
    """`make(db)`: a table t of rows before now, with `at` and the same instant in seconds as `u`."""
    with engine.database(on) as db:
        make(db)
        today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
        since = today - datetime.timedelta(days=5)
        engine.config(place, db, [
            {"name": "w", "table": "t", "mode": "time_window", "time_column": "at", "days_window": 5},
            {"name": "wu", "table": "t", "mode": "time_window", "time_column": "u", "time_column_type": "unix", "days_window": 5},
            {"name": "p", "table": "t", "partition_by": "at", "destination": {"type": "local", "path": "./out/parts/{partition}"}}])
        place.rivet("run", "-c", "rivet.yaml", code=0)
        want = [r for r in db.rows("SELECT * FROM t") if r["at"] >= since]
        same_rows(place.dataset("w"), want)
        same_rows(place.dataset("wu"), want)
        rows = [r for f in glob.glob(place.path("out/parts/*/*.parquet")) for r in read_part(f)]
        same_rows(rows, db.rows("SELECT * FROM t"))


def snapshot_sees_one_instant(place, engine, on):
    """Rows whose sum stays while a slow snapshot export runs are never seen half moved."""
    with engine.database(on) as db:
        engine.keyed(db, "t", "integer", "i", 20000)
        db.sql("ALTER TABLE t ADD COLUMN amount integer DEFAULT 100 NOT NULL")
        engine.config(place, db, [{"name": "x", "table": "t", "mode": "chunked", "chunk_column": "k", "chunk_size": 2000, "parallel": 3,
                                   "consistency": "snapshot"}], tuning={"throttle_ms": 40, "batch_size": 500})
        p = place.start("run", "-c", "rivet.yaml")
        rnd, moves = random.Random(1), 0
        while p.poll() is None:
            a, b = rnd.sample(range(1, 20001), 2)
            db.sql(f"UPDATE t SET amount = amount + CASE k WHEN {a} THEN 1 ELSE -1 END WHERE k IN ({a}, {b})")
            moves += 1
        out, err = p.communicate()
        assert p.returncode == 0, err.decode()
        rows = place.dataset("x")
        assert len(rows) == 20000 and sum(r["amount"] for r in rows) == 2000000 and moves > 20
        assert place.manifests("x")[-1]["source"]["consistency"] == "snapshot"


def shapes_of(place, engine, db, tables, tuning, more=()):
    """Each table is exported whole (its column v counts from 1); returns what `check` says of it."""
    exports = [{"name": t, "table": t, "destination": {"type": "local", "path": f"./out/{t}"}} for t in tables]
    engine.config(place, db, exports + list(more), tuning=tuning)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    for name, n in tables.items():
        assert sorted(r["v"] for r in place.dataset(name, f"out/{name}")) == list(range(1, n + 1)), name
    r = place.rivet("check", "-c", "rivet.yaml", "--json", code=0)
    return {x["export"]: (x["read_shape"], x["read_key"]) for x in map(json.loads, r.out.splitlines())}


def reconcile_and_repair(place, engine, on, how):
    """A part lost from the destination and one that the source no longer agrees with are found and read again."""
    with engine.database(on) as db:
        engine.simple(db, 6000)
        engine.config(place, db, [{"name": "x", "table": "t", "chunk_size": 1000, "chunk_checkpoint": True, **how}])
        place.rivet("run", "-c", "rivet.yaml", "--validate", "--reconcile", code=0)
        part = place.manifests("x")[-1]["parts"][2]["path"]
        os.unlink(place.path("out", part))
        db.sql("DELETE FROM t WHERE id = 5500")
        r = place.rivet("reconcile", "-c", "rivet.yaml", "-e", "x", "--json", code=3)
        summary = json.loads(r.out)["summary"]
        assert summary["mismatches"] == 1 and summary["damaged"] == 1, summary
        place.rivet("repair", "-c", "rivet.yaml", "-e", "x", "--execute", code=0)
        same_rows(place.dataset("x"), db.rows("SELECT * FROM t"))
        place.rivet("reconcile", "-c", "rivet.yaml", "-e", "x", code=0)
        place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=0)
