"""The same table through every mode gives the same rows and the same checksums."""
import datetime
import json
import time

from lib import SIMPLE, fill, same_rows, table

N = 7000
TARGETS = [
    {"name": "full"},
    {"name": "full_q", "table": None, "query": "SELECT id, name, grp, note FROM t;"},
    {"name": "full_ckpt", "chunk_checkpoint": True, "chunk_size": 1500},
    {"name": "full_statement", "consistency": "statement"},
    {"name": "full_snapshot", "consistency": "snapshot"},
    {"name": "inc", "mode": "incremental", "cursor_column": "grp"},
    {"name": "inc_key", "mode": "incremental", "cursor_column": "id"},
    {"name": "inc_coalesce", "mode": "incremental", "cursor_column": "note", "cursor_fallback_column": "name",
     "incremental_cursor_mode": "coalesce"},
    {"name": "size", "mode": "chunked", "chunk_column": "id", "chunk_size": 1000},
    {"name": "auto", "mode": "chunked", "chunk_size": 1000},
    {"name": "count", "mode": "chunked", "chunk_column": "id", "chunk_count": 7},
    {"name": "dense", "mode": "chunked", "chunk_column": "id", "chunk_dense": True, "chunk_size": 900},
    {"name": "other", "mode": "chunked", "chunk_column": "grp", "chunk_size": 300},
    {"name": "bykey", "mode": "chunked", "chunk_by_key": "id", "chunk_size": 999},
    {"name": "memory", "mode": "chunked", "chunk_column": "id", "chunk_size_memory_mb": 1},
    {"name": "query", "mode": "chunked", "table": None, "query": "SELECT * FROM t WHERE id > 0", "chunk_column": "id",
     "chunk_size": 1000},
    {"name": "wrapped", "mode": "chunked", "table": None, "query": "SELECT DISTINCT id, name, grp, note FROM t",
     "chunk_column": "id", "chunk_size": 1000},
]


def prepare(place, targets):
    conn = place.db(SIMPLE)
    fill(conn, N)
    conn.execute("DELETE FROM t WHERE id BETWEEN 2000 AND 3500")
    conn.commit()
    exports = []
    for x in targets:
        x = {"table": "t", **x}
        if x["table"] is None:
            del x["table"]
        x["destination"] = {"type": "local", "path": f"./out/{x['name']}"}
        exports.append(x)
    place.config(exports)
    return conn


def every_mode(place, parallel):
    targets = [dict(x, **({"parallel": parallel} if x.get("mode") == "chunked" else {})) for x in TARGETS]
    conn = prepare(place, targets)
    want = table(conn, "SELECT * FROM t")
    place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
    sums = set()
    for x in targets:
        out = f"out/{x['name']}"
        same_rows(place.dataset(x["name"], out), want)
        m = place.manifests(x["name"], out)[-1]
        sums.add((m["row_checksum"], json.dumps(m["column_checksums"])))
    assert len(sums) == 1, sums
    place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=0)


def test_every_mode_serial(place):
    every_mode(place, 1)


def test_every_mode_four_workers(place):
    every_mode(place, 4)


def test_null_chunk(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, k INTEGER)")
    conn.executemany("INSERT INTO t VALUES (?,?)", [(i, None if i % 5 == 0 else i) for i in range(1000)])
    conn.commit()
    place.config([{"name": "x", "table": "t", "mode": "chunked", "chunk_column": "k", "chunk_size": 100}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("x"), table(conn, "SELECT * FROM t"))
    assert sum(p["rows"] for p in place.manifests("x")[0]["parts"] if p["chunk_index"] == 10) == 200


def test_chunks_at_the_integer_limits(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    ids = [-2**63, -2**63 + 1, -1, 0, 1, 2**63 - 2, 2**63 - 1]
    conn.executemany("INSERT INTO t VALUES (?,?)", [(i, str(i)) for i in ids])
    conn.commit()
    place.config([{"name": "x", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_count": 4}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("x"), table(conn, "SELECT * FROM t"))


def test_days(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP, day DATE)")
    base = datetime.datetime(2024, 2, 20, 23, 59, 59)
    conn.executemany("INSERT INTO t VALUES (?,?,?)", [
        (i, (base + datetime.timedelta(hours=7 * i)).isoformat(" "),
         (base + datetime.timedelta(hours=7 * i)).date().isoformat()) for i in range(300)])
    conn.commit()
    place.config([{"name": "at", "table": "t", "mode": "chunked", "chunk_column": "at", "chunk_by_days": 7},
                  {"name": "day", "table": "t", "mode": "chunked", "chunk_column": "day", "chunk_by_days": 30, "parallel": 3}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    for name in ("at", "day"):
        rows = place.dataset(name)
        assert sorted(r["id"] for r in rows) == list(range(300))


def test_empty_table(place):
    place.db(SIMPLE)
    exports = [{"name": "full", "table": "t"}, {"name": "skip", "table": "t", "skip_empty": True},
               {"name": "chunks", "table": "t", "mode": "chunked", "chunk_column": "id"},
               {"name": "keys", "table": "t", "mode": "chunked", "chunk_by_key": "id", "skip_empty": True},
               {"name": "inc", "table": "t", "mode": "incremental", "cursor_column": "id"},
               {"name": "csv", "table": "t", "format": "csv"}]
    place.config(exports)
    r = place.rivet("run", "-c", "rivet.yaml", "--json", code=0)
    status = {e["export_name"]: (e["status"], e["files"]) for e in json.loads(r.out)["per_export"]}
    assert status == {"full": ("success", 1), "skip": ("skipped", 0), "chunks": ("success", 1),
                      "keys": ("skipped", 0), "inc": ("success", 1), "csv": ("success", 1)}, status
    assert place.dataset("full") == [] and place.dataset("chunks") == []


def test_ties_lose_and_double_nothing(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT, v TEXT); CREATE INDEX t_at ON t(at)")
    conn.executemany("INSERT INTO t VALUES (?,?,?)", [(i, f"2024-01-{1 + i // 10:02d}", "a") for i in range(100)])
    conn.commit()
    place.config([{"name": "x", "table": "t", "mode": "incremental", "cursor_column": "at", "skip_empty": True}])

    def step(*rows):
        conn.executemany("INSERT INTO t VALUES (?,?,?)", rows)
        conn.commit()
        time.sleep(1.1)
        place.rivet("run", "-c", "rivet.yaml", code=0)
        same_rows(place.dataset("x", incremental=True), table(conn, "SELECT * FROM t"))

    step()
    step((200, "2024-01-10", "tie"), (201, "2024-01-10", "tie"))
    step((202, "2024-01-10", "a"))
    step((203, "2024-01-11", "later"))
    step((204, "2024-01-11", "later"), (205, "2024-01-12", "z"))
    step()


def test_null_cursors_come_once(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, at INTEGER); CREATE INDEX t_at ON t(at)")
    conn.executemany("INSERT INTO t VALUES (?,?)", [(i, None if i % 3 == 0 else i) for i in range(50)])
    conn.commit()
    place.config([{"name": "x", "table": "t", "mode": "incremental", "cursor_column": "at", "skip_empty": True}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("x"), table(conn, "SELECT * FROM t"))
    conn.execute("INSERT INTO t VALUES (100, 100)")
    conn.commit()
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    assert [r["id"] for r in place.dataset("x")] == [100]


def test_unindexed_cursor(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, at INTEGER)")
    conn.executemany("INSERT INTO t VALUES (?,?)", [(i, 1000 - i) for i in range(500)])
    conn.commit()
    place.config([{"name": "x", "table": "t", "mode": "incremental", "cursor_column": "at", "skip_empty": True}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    conn.execute("INSERT INTO t VALUES (900, 1000), (901, 1001)")
    conn.commit()
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("x", incremental=True), table(conn, "SELECT * FROM t"))


def test_cursor_start_and_settle(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP); CREATE INDEX t_at ON t(at)")
    now = datetime.datetime.utcnow()
    rows = [(i, (now - datetime.timedelta(minutes=i)).strftime("%Y-%m-%d %H:%M:%S")) for i in range(120)]
    conn.executemany("INSERT INTO t VALUES (?,?)", rows)
    conn.commit()
    place.config([{"name": "x", "table": "t", "mode": "incremental", "cursor_column": "at",
                   "settle": {"after": "30m"},
                   "cursor_start": (now - datetime.timedelta(minutes=60)).strftime("%Y-%m-%d %H:%M:%S")}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    ids = sorted(r["id"] for r in place.dataset("x"))
    assert ids[-1] == 60 and ids[0] in (30, 31), ids


def test_time_window(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP, epoch INTEGER)")
    now = datetime.datetime.utcnow()
    for i in range(20):
        at = now - datetime.timedelta(days=i)
        conn.execute("INSERT INTO t VALUES (?,?,?)", (i, at.strftime("%Y-%m-%d %H:%M:%S"), int(at.timestamp())))
    conn.commit()
    place.config([{"name": "a", "table": "t", "mode": "time_window", "time_column": "at", "days_window": 7},
                  {"name": "b", "table": "t", "mode": "time_window", "time_column": "epoch", "time_column_type": "unix",
                   "days_window": 7}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    assert sorted(r["id"] for r in place.dataset("a")) == list(range(8))


def test_max_file_size_splits(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    import random
    rnd = random.Random(3)
    conn.executemany("INSERT INTO t VALUES (?,?)", [(i, "%0128x" % rnd.getrandbits(512)) for i in range(30000)])
    conn.commit()
    place.config([{"name": "x", "table": "t", "max_file_size": "256KB"},
                  {"name": "c", "table": "t", "format": "csv", "max_file_size": "1MB"}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    parts = place.manifests("x")[0]["parts"]
    assert len(parts) > 3 and parts[0]["path"].endswith("_part0.parquet"), parts[0]
    assert all(200 << 10 < p["size_bytes"] < (256 << 10) + 160 * 1024 for p in parts[:-1]), [p["size_bytes"] for p in parts]
    assert all(p["rows"] % 1024 == 0 for p in parts[:-1])
    same_rows(place.dataset("x"), table(conn, "SELECT * FROM t"))
    assert len(place.manifests("c")[0]["parts"]) >= 3


def test_keyset_incremental(place):
    conn = place.db(SIMPLE)
    fill(conn, 2500)
    place.config([{"name": "x", "table": "t", "mode": "chunked", "chunk_by_key": "id", "chunk_size": 1000,
                   "keyset_incremental": True, "skip_empty": True}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    fill(conn, 700, start=3000)
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("x", incremental=True), table(conn, "SELECT * FROM t"))


def test_composite_key_checkpoint(place):
    conn = place.db("CREATE TABLE t (a TEXT NOT NULL, b INTEGER NOT NULL, v TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID")
    conn.executemany("INSERT INTO t VALUES (?,?,?)", [(f"k{i % 37}", i, f"v{i}") for i in range(4000)])
    conn.commit()
    place.config([{"name": "x", "table": "t", "chunk_checkpoint": True, "chunk_size": 700}])
    place.killed("unit-committed:3", "run", "-c", "rivet.yaml")
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("x"), table(conn, "SELECT * FROM t"), key="b")


def test_params_and_query_file(place):
    conn = place.db(SIMPLE)
    fill(conn, 100)
    place.write("q.sql", "SELECT * FROM t WHERE grp = ${GROUP}\n")
    place.config([{"name": "x", "query_file": "q.sql"}])
    place.rivet("run", "-c", "rivet.yaml", "-p", "GROUP=5", code=0)
    same_rows(place.dataset("x"), table(conn, "SELECT * FROM t WHERE grp = 5"))
    r = place.rivet("run", "-c", "rivet.yaml", code=1)
    assert "${GROUP} has no value" in r.err, r
