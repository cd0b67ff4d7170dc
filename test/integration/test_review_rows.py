"""A second adversarial reading of the execution contract: rows, chunks, partitions, what is left behind."""
import datetime as dt
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


# ---- buckets by their own name ----

DAYS = "CREATE TABLE t (id INTEGER PRIMARY KEY, day DATE, v TEXT);"


def partitioned(place, **more):
    conn = place.db(DAYS)
    conn.executemany("INSERT INTO t VALUES (?,?,?)", [(i, f"2024-01-{1 + i % 3:02}", f"v{i}") for i in range(1, 61)])
    conn.commit()
    place.config([{"name": "o", "table": "t", "partition_by": "day", "mode": "chunked", "chunk_column": "id", "chunk_size": 20,
                   "chunk_checkpoint": True, "destination": {"type": "local", "path": "./out/{partition}"}, **more}])
    return conn


def of_day(conn, day):
    return [{**r, "day": dt.date.fromisoformat(r["day"])} for r in table(conn, f"SELECT * FROM t WHERE day = '{day}'")]


def test_a_bucket_is_reconciled_and_repaired(place):
    conn = partitioned(place)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    r = place.rivet("reconcile", "-c", "rivet.yaml", "-e", "o__2024-01-02", "--format", "json", code=0)
    seen = json.loads(r.out)
    assert seen["export_name"] == "o__2024-01-02" and {p["status"] for p in seen["partitions"]} == {"match"}, seen
    broken = [f for f in place.files("out/day=2024-01-02") if "_chunk1" in f][0]
    os.unlink(place.path("out/day=2024-01-02", broken))
    place.rivet("reconcile", "-c", "rivet.yaml", "-e", "o__2024-01-02", code=3)
    time.sleep(0.01)
    place.rivet("repair", "-c", "rivet.yaml", "-e", "o__2024-01-02", "--execute", code=0)
    same_rows(place.dataset("o__2024-01-02", "out/day=2024-01-02"), of_day(conn, "2024-01-02"))
    place.rivet("reconcile", "-c", "rivet.yaml", "-e", "o__2024-01-02", code=0)
    r = place.rivet("reconcile", "-c", "rivet.yaml", "-e", "o", code=1)
    assert "o__VALUE" in r.err, r
    assert "no export 'o__2024-01-99'" in place.rivet("reconcile", "-c", "rivet.yaml", "-e", "o__2024-01-99", code=1).err


def test_a_bucket_is_never_run_alone(place):
    partitioned(place)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    for args in (("run",), ("check",)):
        assert "no export 'o__2024-01-02'" in place.rivet(*args, "-c", "rivet.yaml", "-e", "o__2024-01-02", code=1).err


def test_state_commands_know_buckets(place):
    conn = partitioned(place)
    place.killed("unit-committed:5", "run", "-c", "rivet.yaml")
    dead = place.state().execute("SELECT run_id FROM run_status WHERE status = 'running' AND export_name LIKE 'o__%'").fetchall()
    assert len(dead) == 1, dead
    r = place.rivet("state", "finish-run", "-c", "rivet.yaml", "--run-id", dead[0][0])
    assert r.code == 0, r
    r = place.rivet("state", "reset-chunks", "-c", "rivet.yaml", "--stuck-checkpoints", code=0)
    assert "not an export" not in r.out + r.err and "1 checkpoint deleted" in r.out, r
    place.killed("unit-committed:2", "run", "-c", "rivet.yaml")
    place.rivet("state", "reset-chunks", "-c", "rivet.yaml", "-e", "o", code=0)
    assert place.state().execute("SELECT count(*) FROM chunk_run WHERE status = 'in_progress'").fetchone() == (0,)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    for day in ("2024-01-01", "2024-01-02", "2024-01-03"):
        same_rows(place.dataset(f"o__{day}", f"out/day={day}"), of_day(conn, day))


def test_reset_and_accept_reach_the_positions_of_buckets(place):
    partitioned(place)
    place.config([{"name": "o", "table": "t", "partition_by": "day", "mode": "incremental", "cursor_column": "id",
                   "destination": {"type": "local", "path": "./out/{partition}"}}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    place.rivet("state", "accept", "-c", "rivet.yaml", "-e", "o__2024-01-02", "--yes", code=0)
    place.rivet("state", "set-cursor", "-c", "rivet.yaml", "-e", "o__2024-01-02", "7", "--yes", code=0)
    assert place.state().execute("SELECT last_cursor_value FROM export_state WHERE export_name = 'o__2024-01-02'").fetchone() == ("7",)
    place.rivet("state", "reset", "-c", "rivet.yaml", "-e", "o", code=0)
    left = place.state().execute("SELECT export_name FROM export_state").fetchall()
    assert left == [], left


def test_a_bucket_of_a_query_file(place):
    conn = partitioned(place)
    place.write("q.sql", "SELECT * FROM t WHERE id > ${low}")
    place.config([{"name": "o", "query_file": "q.sql", "partition_by": "day", "mode": "chunked", "chunk_column": "id", "chunk_size": 20,
                   "destination": {"type": "local", "path": "./out/{partition}"}}])
    args = ("-c", "rivet.yaml", "--param", "low=0")
    conn.execute("UPDATE t SET day = NULL WHERE id % 7 = 0")
    conn.commit()
    place.rivet("run", *args, code=0)
    for value in ("2024-01-03", "__HIVE_DEFAULT_PARTITION__"):
        r = place.rivet("reconcile", *args, "-e", f"o__{value}", code=0)
        assert "match" in r.out, r


# ---- ties ----

def test_equal_rows_of_one_cursor_value_are_counted(place):
    conn = place.db("CREATE TABLE t (c INTEGER, v TEXT); CREATE INDEX t_c ON t(c)")
    place.config([{"name": "i", "table": "t", "mode": "incremental", "cursor_column": "c"}])
    total = 0
    for more in (3, 0, 1, 40, 2):
        conn.executemany("INSERT INTO t VALUES (5, ?)", [("same",)] * more + [("other",)] * (more // 2))
        conn.commit()
        place.rivet("run", "-c", "rivet.yaml", code=0)
        total += more + more // 2
        assert len(place.dataset("i", incremental=True)) == total, (more, total)


# ---- two runners ----

def test_a_runner_killed_after_it_was_replaced_leaves_the_records_alone(place):
    """It slept too long, another continued its run to the end, then somebody ends the sleeper."""
    for sig, args in ((signal.SIGTERM, ()), (signal.SIGINT, ("--validate",))):
        name = f"c{int(sig)}"
        conn = place.db(SIMPLE, name=f"{name}.db")
        fill(conn, 100)
        place.config([{"name": name, "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 25,
                       "chunk_checkpoint": True}], source=f"{name}.db")
        p = place.start("run", "-c", "rivet.yaml", *args, env={"RIVET_STALL_AT": "unit-committed"}, binary=lib.FAULTY)
        until_stopped(p)
        s = place.state()
        s.execute("UPDATE run_status SET heartbeat_at = '2026-01-01T00:00:00.000Z', boot_id = 'other' WHERE status = 'running'")
        s.commit()
        place.rivet("run", "-c", "rivet.yaml", "--resume", "-e", name, code=0)
        run_id = last_run(place, name)[0]
        p.send_signal(sig)
        p.send_signal(signal.SIGCONT)
        _, err = p.communicate(timeout=60)
        assert p.returncode in (2, 130, 143), (p.returncode, err)
        metric = s.execute("SELECT status, total_rows FROM export_metrics WHERE run_id = ?", (run_id,)).fetchall()
        assert metric == [("success", 100)], (metric, err)
        assert summary(place, run_id)["status"] == "success", summary(place, run_id)
        assert last_run(place, name)[1] == "success"
        same_rows(place.dataset(name), table(conn, "SELECT * FROM t"))


def ended(place, point, sig, *args, command="run"):
    p = place.start(command, "-c", "rivet.yaml", *args, binary=lib.FAULTY, env={"RIVET_STALL_AT": point})
    until_stopped(p)
    p.send_signal(sig)
    p.send_signal(signal.SIGCONT)
    out, err = p.communicate(timeout=60)
    return lib.Result(p.returncode, out.decode(), err.decode())


def test_a_signal_among_partitions_settling_and_repair(place):
    conn = partitioned(place)
    days = ("2024-01-01", "2024-01-02", "2024-01-03")
    for point in ("lease-taken", "lease-taken:2", "unit-sealed:2", "published-own", "partition-done", "clear-part", "settled-abandon"):
        if point in ("clear-part", "settled-abandon"):  # something to settle first
            place.config([{"name": "o", "table": "t", "partition_by": "day", "destination": {"type": "local", "path": "./out/{partition}"}}])
            place.killed("part-uploaded", "run", "-c", "rivet.yaml")
        r = ended(place, point, signal.SIGTERM)
        assert r.code == 143, (point, r)
        place.rivet("run", "-c", "rivet.yaml", code=0)
        for day in days:
            same_rows(place.dataset(f"o__{day}", f"out/day={day}"), of_day(conn, day))
        assert spool(place) == [], (point, spool(place))
    for d in days:  # what a globbing reader sees beside the data sets of earlier runs
        listed = {p["path"] for m in place.manifests(f"o__{d}", f"out/day={d}") for p in m["parts"]}
        assert {f for f in place.files(f"out/day={d}") if f.endswith(".parquet")} <= listed, d


def test_a_signal_during_repair(place):
    conn = place.db(SIMPLE)
    fill(conn, 100)
    place.config([{"name": "c", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 25}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    for i, point in enumerate(("lease-taken", "part-closed", "part-put", "unit-sealed", "unit-committed", "repair-mended",
                               "published-own", "published-manifest", "published-marker", "repair-swept")):
        whole = place.manifests("c")[-1]
        gone = sorted(p["path"] for p in whole["parts"] if p["status"] == "committed")[1]
        os.unlink(place.path("out", gone))
        r = ended(place, point, signal.SIGINT, "-e", "c", "--execute", command="repair")
        assert r.code == (130 if i < 6 else r.code) and r.code in (0, 130), (point, r)
        place.rivet("repair", "-c", "rivet.yaml", "-e", "c", "--execute", code=0)
        same_rows(place.dataset("c"), table(conn, "SELECT * FROM t"))
        place.rivet("validate", "-c", "rivet.yaml", "-e", "c", "--depth", "full", code=0)
        assert spool(place) == [], (point, spool(place))


def test_quality_written_before_a_resume_holds_for_all_units(place):
    conn = place.db(SIMPLE)
    fill(conn, 100)
    conn.execute("UPDATE t SET name = 'twin' WHERE id IN (3, 90)")
    conn.commit()
    x = {"name": "c", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 25, "chunk_checkpoint": True}
    place.config([x])
    place.killed("unit-committed:2", "run", "-c", "rivet.yaml")
    place.config([{**x, "quality": {"unique_columns": ["name"], "row_count_min": 100}}])
    r = place.rivet("run", "-c", "rivet.yaml", "--resume", "-e", "c", code=3)
    assert "column 'name': 1 repeated values" in r.err, r
    conn.execute("UPDATE t SET name = 'other' WHERE id = 3")
    conn.commit()
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("c"), table(conn, "SELECT * FROM t"))


def test_figures_of_a_continued_run_agree(place):
    conn = place.db(SIMPLE)
    fill(conn, 100)
    place.config([{"name": "c", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 25, "chunk_checkpoint": True}])
    place.killed("unit-committed:2", "run", "-c", "rivet.yaml")
    r = place.rivet("run", "-c", "rivet.yaml", "--json", code=0)
    one = json.loads(r.out)["per_export"][0]
    run_id = last_run(place, "c")[0]
    own, m = summary(place, run_id), place.manifests("c")[-1]
    metric = place.state().execute("SELECT total_rows, files_produced, bytes_written, status, duration_ms, retries, peak_rss_mb FROM export_metrics "
                                   "WHERE run_id = ?", (run_id,)).fetchall()
    total = place.state().execute("SELECT total_rows, total_files, total_bytes, success_count FROM run_aggregate "
                                  "ORDER BY started_at DESC LIMIT 1").fetchone()
    want = (100, 4, m["total_bytes"])
    assert metric[0][:3] == want and len(metric) == 1 and metric[0][3] == "success", metric
    assert (one["rows"], one["files"], one["bytes"]) == want == (own["rows"], own["files"], own["bytes"]), (one, own)
    assert total == (*want, 1), total
    assert m["row_count"] == 100 and m["part_count"] == 4
