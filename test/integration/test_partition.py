"""partition_by: every bucket a data set of its own, all of them the table, whatever kills the run."""
import glob
import json
import os

import lib
from lib import read_part, same_rows, table

SCHEMA = "CREATE TABLE t (id INTEGER PRIMARY KEY, day DATE, at TIMESTAMP, name TEXT)"
PATH = {"type": "local", "path": "./out/{export}/{partition}"}


def make(place, rows=60, null_every=0, **more):
    conn = place.db(SCHEMA)
    conn.executemany("INSERT INTO t VALUES (?,?,?,?)", [row(i, null_every) for i in range(1, rows + 1)])
    conn.commit()
    config(place, **more)
    return conn


def row(i, null_every=0):
    """Ten days of January, then a gap, then ten days of March."""
    month, day = (1, 1 + i % 10) if i % 2 else (3, 1 + i % 10)
    text = f"2024-{month:02}-{day:02}"
    if null_every and i % null_every == 0:
        return (i, None, None, f"n{i}")
    return (i, text, f"{text} {i % 24:02}:30:00", f"n{i}")


def config(place, **more):
    place.config([{"name": "orders", "table": "t", "destination": PATH, "partition_by": "day", **more}])


def run(place, code, *args):
    return place.rivet("run", "-c", "rivet.yaml", *args, code=code)


def dataset(place, export="orders"):
    """What the marker of each bucket names."""
    rows, buckets = [], {}
    for marker in sorted(glob.glob(place.path("out", export, "*", "_SUCCESS"))):
        folder = os.path.dirname(marker)
        m = json.load(open(os.path.join(folder, "manifest.json"), encoding="utf-8"))
        assert m["status"] == "success", m
        got = [r for p in m["parts"] if p["status"] == "committed" for r in read_part(os.path.join(folder, p["path"]))]
        buckets[os.path.basename(folder)] = (m, got)
        rows += got
    return rows, buckets


def source(conn):
    """As the reader gives dates and instants."""
    import datetime as dt
    rows = table(conn, "SELECT * FROM t")
    for r in rows:
        r["day"] = r["day"] and dt.date.fromisoformat(r["day"])
        r["at"] = r["at"] and dt.datetime.fromisoformat(r["at"])
    return rows


def exact(place, conn):
    rows, buckets = dataset(place)
    same_rows(rows, source(conn))
    return buckets


def lines(r):
    return [line.strip() for line in r.err.splitlines()]


def status(place, name="orders"):
    return place.state().execute("SELECT status FROM run_status WHERE export_name = ? ORDER BY started_at DESC", (name,)).fetchone()[0]


def test_days(place):
    conn = make(place)
    r = run(place, 0)
    buckets = exact(place, conn)
    assert sorted(buckets) == sorted({f"day={row(i)[1]}" for i in range(1, 61)}), sorted(buckets)
    for name, (m, rows) in buckets.items():
        assert m["export_name"] == "orders__" + name[4:] and m["run_id"].startswith(m["export_name"] + "_2"), m
        assert m["parts"][0]["path"].startswith(m["export_name"] + "_2"), m
        assert {str(x["day"]) for x in rows} == {name[4:]}
        assert m["source"]["table"] == "t", m["source"]
    assert lines(r).count("rows:        60") == 1 and lines(r).count("── orders ──") == 1, r
    assert f"files:       {len(buckets)}" in lines(r) and "output:      file://./out/orders/{partition}" in lines(r), r
    assert status(place) == "success"


def test_months_of_a_timestamp(place):
    conn = make(place, partition_by="at", partition_granularity="month")
    run(place, 0)
    assert sorted(exact(place, conn)) == ["at=2024-01", "at=2024-03"]


def test_years(place):
    conn = make(place, partition_granularity="year")
    conn.execute("INSERT INTO t VALUES (1000, '1969-12-31', NULL, 'x'), (1001, '2025-01-01', NULL, 'y'), (1002, '2024-12-31', NULL, 'z')")
    conn.commit()
    run(place, 0)
    assert sorted(exact(place, conn)) == ["day=1969", "day=2024", "day=2025"]


def test_epoch_seconds(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP)")
    conn.executemany("INSERT INTO t VALUES (?,?)", [(i, -86400 * 2 + i * 3600) for i in range(100)])
    conn.commit()
    config(place, partition_by="at")
    run(place, 0)
    rows, buckets = dataset(place)
    assert sorted(r["id"] for r in rows) == list(range(100))
    assert all(str(r["at"].date()) == name[3:] for name, (_, part) in buckets.items() for r in part), buckets
    assert sorted(buckets)[0] == "at=1969-12-30", sorted(buckets)


def test_nulls_have_their_own(place):
    conn = make(place, null_every=4)
    run(place, 0)
    buckets = exact(place, conn)
    null = buckets["day=__HIVE_DEFAULT_PARTITION__"]
    assert len(null[1]) == 15 and null[0]["export_name"] == "orders____HIVE_DEFAULT_PARTITION__", null[0]


def test_only_nulls_and_nothing(place):
    conn = make(place, rows=3, null_every=1)
    run(place, 0)
    assert sorted(exact(place, conn)) == ["day=__HIVE_DEFAULT_PARTITION__"]


def test_an_empty_table_writes_nothing(place):
    make(place, rows=0)
    assert "status:      success" in lines(run(place, 0))
    assert place.files() == [], place.files()
    config(place, skip_empty=True)
    assert "status:      skipped (no rows)" in lines(run(place, 0))
    config(place, quality={"row_count_min": 1})
    r = run(place, 3)
    assert "quality FAIL: row count 0 is below the minimum 1" in r.err, r


def test_query(place):
    conn = make(place)
    place.config([{"name": "orders", "query": "SELECT * FROM t WHERE id > 0 -- all of them", "destination": PATH,
                   "partition_by": "day", "partition_granularity": "month"}])
    run(place, 0)
    assert len(exact(place, conn)) == 2


def test_chunked_inside(place):
    conn = make(place, rows=400, mode="chunked", chunk_column="id", chunk_size=50, parallel=2, chunk_checkpoint=True,
                partition_granularity="month")
    run(place, 0, "--validate")
    buckets = exact(place, conn)
    assert all(m["part_count"] > 4 and m["source"]["extraction"]["strategy"] == "chunked" for m, _ in buckets.values())


def test_chunked_by_the_primary_key_of_the_table(place):
    conn = make(place, mode="chunked", chunk_size=7, partition_granularity="year")
    run(place, 0)
    assert exact(place, conn)["day=2024"][0]["part_count"] == 9


def test_incremental_inside(place):
    conn = make(place, mode="incremental", cursor_column="id", partition_granularity="month")
    run(place, 0)
    conn.executemany("INSERT INTO t VALUES (?,?,?,?)", [row(i) for i in range(61, 70)])
    conn.commit()
    r = run(place, 0)
    assert "rows:        9" in lines(r), r
    rows = [x for f in glob.glob(place.path("out", "orders", "*", "*.parquet")) for x in read_part(f)]
    same_rows(rows, source(conn))
    names = {n for (n,) in place.state().execute("SELECT export_name FROM export_state")}
    assert names == {"orders__2024-01", "orders__2024-03"}, names
    assert "rows:        0" in lines(run(place, 0))


def test_columns_meta_and_formats(place):
    conn = make(place, columns={"t.name": "text", "id": "bigint"}, meta_columns={"row_hash": True}, format="csv",
                partition_granularity="year")
    run(place, 0, "--validate")
    csv = glob.glob(place.path("out", "orders", "day=2024", "*.csv"))
    assert len(csv) == 1 and sum(1 for _ in open(csv[0])) == 61 and "_rivet_row_hash" in open(csv[0]).readline()
    assert len(source(conn)) == 60


def refused(place, code, text, **more):
    config(place, **more)
    r = run(place, code)
    assert text in r.err, r
    assert place.files() == [], place.files()


def test_refusals(place):
    make(place)
    refused(place, 1, "'name' is neither", partition_by="name")
    refused(place, 1, "chunk_by_key", mode="chunked", chunk_by_key="id")
    refused(place, 1, "keyset units", chunk_checkpoint=True)
    refused(place, 1, "mode time_window", mode="time_window", time_column="at", days_window=3)
    refused(place, 1, "nope", partition_by="nope")
    place.db("CREATE TABLE u (code TEXT PRIMARY KEY, day DATE)")
    refused(place, 1, "needs chunk_column", table="u", mode="chunked")
    place.config([{"name": "orders", "table": "t", "destination": PATH, "partition_by": "day"},
                  {"name": "orders__2024-01-02", "table": "t"}])
    r = place.rivet("run", "-c", "rivet.yaml", "-e", "orders", code=1)
    assert "like another export" in r.err, r


def test_values_of_two_forms(place):
    conn = make(place, partition_by="at")
    conn.execute("INSERT INTO t VALUES (900, NULL, 86400, 'an epoch among texts')")
    conn.commit()
    r = run(place, 1)
    assert "written in several forms" in r.err, r


def test_quality_of_one_bucket(place):
    conn = make(place, rows=60, quality={"row_count_min": 3}, partition_granularity="month")
    conn.execute("INSERT INTO t VALUES (500, '2024-02-02', NULL, 'alone')")
    conn.commit()
    r = run(place, 3)
    assert "quality FAIL: row count 1 is below the minimum 3" in r.err, r
    assert "quality:     FAIL" in lines(r) and "status:      failed" in lines(r), r
    assert sorted(dataset(place)[1]) == ["day=2024-01", "day=2024-03"]  # the others are good
    assert status(place) == "failed" and status(place, "orders__2024-02") == "failed"


def crash(place, conn, point, restart=("run", "-c", "rivet.yaml"), **more):
    place.killed(point, "run", "-c", "rivet.yaml")
    rows, _ = dataset(place)
    assert len(rows) <= 60
    r = place.rivet(*restart, code=0)
    buckets = exact(place, conn)
    for name in buckets:  # whatever lies there belongs to a run that succeeded
        found = {os.path.basename(f) for f in glob.glob(place.path("out", "orders", name, "*.parquet"))}
        good = [json.load(open(f)) for f in glob.glob(place.path("out", "orders", name, "manifest-*.json"))]
        assert found == {p["path"] for m in good if m["status"] == "success" for p in m["parts"]}, (name, found)
        assert not [f for f in os.listdir(place.path("out", "orders", name)) if f.startswith(".rivet-tmp")]
    open_rows = place.state().execute("SELECT export_name FROM run_status WHERE finished_at IS NULL").fetchall()
    assert open_rows == [], open_rows
    return r


def test_killed_between_buckets(place):
    conn = make(place)
    crash(place, conn, "partition-done:7")


def test_killed_inside_a_bucket(place):
    conn = make(place)
    crash(place, conn, "part-uploaded:5")


def test_killed_before_a_bucket_is_published(place):
    conn = make(place)
    r = crash(place, conn, "after-final:4")
    assert "was complete but not published" in r.err, r


def test_killed_with_checkpoints(place):
    conn = make(place, rows=60, mode="chunked", chunk_column="id", chunk_size=10, chunk_checkpoint=True, partition_granularity="month")
    r = crash(place, conn, "unit-committed:9", restart=("run", "-c", "rivet.yaml", "-e", "orders", "--resume"))
    assert "orders__2024-03_2" in r.err and "is continued" in r.err, r
    assert "rows:        30" in lines(r), r  # January was complete


def test_a_bucket_that_vanished_is_settled(place):
    conn = make(place, partition_granularity="month")
    conn.execute("INSERT INTO t VALUES (500, '2024-02-02', NULL, 'alone')")
    conn.commit()
    place.killed("part-uploaded:2", "run", "-c", "rivet.yaml")
    assert glob.glob(place.path("out", "orders", "day=2024-02", "*.parquet"))
    conn.execute("DELETE FROM t WHERE id = 500")
    conn.commit()
    run(place, 0)
    assert not glob.glob(place.path("out", "orders", "day=2024-02", "*.parquet"))
    exact(place, conn)
    assert status(place, "orders__2024-02") == "skipped"


def test_nothing_to_resume(place):
    make(place)
    run(place, 0)
    r = place.rivet("run", "-c", "rivet.yaml", "-e", "orders", "--resume", code=1)
    assert "nothing is in progress to resume" in r.err, r


def test_one_lease_for_all(place):
    conn = make(place)
    p = place.start("run", "-c", "rivet.yaml", binary=lib.FAULTY, env={"RIVET_STALL_AT": "partition-done:3"})
    import signal
    import time
    for _ in range(200):
        with open(f"/proc/{p.pid}/stat") as f:
            if f.read().split(")")[1].split()[0] == "T":
                break
        time.sleep(0.05)
    r = run(place, 2)
    assert "holds the lease" in r.err, r
    p.send_signal(signal.SIGCONT)
    p.communicate(timeout=120)
    assert p.returncode == 0
    exact(place, conn)


def test_all_exports_in_one_summary(place):
    make(place)
    place.config([{"name": "orders", "table": "t", "destination": PATH, "partition_by": "day"}, {"name": "plain", "table": "t"}])
    r = run(place, 0, "--json")
    doc = json.loads(r.out)
    assert [(x["export_name"], x["rows"], x["status"]) for x in doc["per_export"]] == [("orders", 60, "success"), ("plain", 60, "success")], doc
    assert doc["total_rows"] == 120 and doc["success_count"] == 2, doc
    summary = json.load(open(glob.glob(place.path(".rivet", "runs", "orders_2*", "summary.json"))[0]))
    assert summary["manifest"] is None and summary["rows"] == 60, summary


def test_validate_looks_at_every_bucket(place):
    make(place)
    run(place, 0)
    names = sorted(os.listdir(place.path("out", "orders")))
    doc = json.loads(place.rivet("validate", "-c", "rivet.yaml", "-e", "orders", "--format", "json", code=0).out)
    seen = sorted(r["export_name"] for r in doc["exports"]) if isinstance(doc, dict) and "exports" in doc else doc
    assert seen == ["orders__" + n[4:] for n in names], seen
    os.remove(glob.glob(place.path("out", "orders", names[3], "*.parquet"))[0])
    r = place.rivet("validate", "-c", "rivet.yaml", code=3)
    assert "part_missing" in r.out + r.err, r
