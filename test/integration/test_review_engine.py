"""What an adversarial reading of the execution contract asked for: each test failed once."""
import glob
import json
import os
import sqlite3
import time

from lib import SIMPLE, fill, same_rows, table


def summary(place, run_id):
    return json.load(open(place.path(".rivet", "runs", run_id, "summary.json"), encoding="utf-8"))


def last_run(place, export):
    return place.state().execute("SELECT run_id, status FROM run_status WHERE export_name = ? "
                                 "ORDER BY started_at DESC LIMIT 1", (export,)).fetchone()


# ---- drift of shape ----

def test_a_longer_value_degrades_the_run(place):
    conn = place.db(SIMPLE)
    fill(conn, 10)
    place.config([{"name": "s", "table": "t"}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    conn.execute("UPDATE t SET name = ? WHERE id = 3", ("x" * 4000,))
    conn.commit()
    time.sleep(1.1)
    r = place.rivet("run", "-c", "rivet.yaml", code=0)
    run_id, status = last_run(place, "s")
    assert status == "degraded", status
    newest = place.manifests("s")[-1]
    assert newest["status"] == "success" and newest["degraded"] is True
    assert summary(place, run_id)["status"] == "degraded"
    assert "degraded" in r.err, r.err
    metric = place.state().execute("SELECT status FROM export_metrics WHERE run_id = ?", (run_id,)).fetchall()
    assert metric == [("degraded",)], metric
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    assert last_run(place, "s")[1] == "success"


def test_a_degraded_run_published_later_stays_degraded(place):
    conn = place.db(SIMPLE)
    fill(conn, 10)
    place.config([{"name": "s", "table": "t"}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    conn.execute("UPDATE t SET name = ? WHERE id = 3", ("x" * 4000,))
    conn.commit()
    time.sleep(1.1)
    place.killed("after-final", "run", "-c", "rivet.yaml")
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    states = [s for (s,) in place.state().execute("SELECT status FROM run_status ORDER BY started_at")]
    assert states == ["success", "degraded", "success"], states
    states = [s for (s,) in place.state().execute("SELECT status FROM export_metrics ORDER BY run_at")]
    assert states == ["success", "degraded", "success"], states


# ---- checks asked for once ----

CHUNKS = {"name": "k", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1000,
          "chunk_checkpoint": True}


def test_a_resumed_run_validates_if_it_was_ever_asked_to(place):
    conn = place.db(SIMPLE)
    fill(conn, 3000)
    place.config([CHUNKS])
    place.killed("unit-sealed:2", "run", "-c", "rivet.yaml", "--validate")
    place.rivet("run", "-c", "rivet.yaml", code=0)
    run_id, _ = last_run(place, "k")
    assert summary(place, run_id)["validated"] is True
    same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))
    checks, = place.state().execute("SELECT checks FROM run_status WHERE run_id = ?", (run_id,)).fetchone()
    assert checks == "validate", checks


def test_chunk_checkpoint_turned_off_still_continues_the_run(place):
    conn = place.db(SIMPLE)
    fill(conn, 5000)
    place.config([CHUNKS])
    place.killed("unit-committed:2", "run", "-c", "rivet.yaml")
    place.config([{**CHUNKS, "chunk_checkpoint": False}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))
    assert place.state().execute("SELECT status FROM chunk_run").fetchall() == [("completed",)]
    assert len(place.manifests("k")) == 1


# ---- a run is settled where it wrote ----

def test_a_sealed_run_under_its_own_prefix_is_finished_without_reading(place):
    conn = place.db(SIMPLE)
    fill(conn, 2000)
    place.config([{"name": "s", "table": "t", "destination": {"type": "local", "path": "./out/{run_id}"}}])
    place.killed("before-final", "run", "-c", "rivet.yaml")
    fill(conn, 10, start=5001)  # would be seen by a second reading
    place.rivet("run", "-c", "rivet.yaml", code=0)
    dirs = os.listdir(place.path("out"))
    assert len(dirs) == 1, dirs
    assert len(place.dataset("s", out=f"out/{dirs[0]}")) == 2000


def test_an_unpublished_run_is_published_where_it_wrote(place):
    conn = place.db(SIMPLE)
    fill(conn, 2000)
    place.config([{"name": "s", "table": "t"}])
    place.killed("after-final", "run", "-c", "rivet.yaml")
    place.config([{"name": "s", "table": "t", "format": "csv", "destination": {"type": "stdout"}}])
    r = place.rivet("run", "-c", "rivet.yaml", code=0)
    assert r.out.count("\n") == 2001, r
    assert len(place.dataset("s")) == 2000
    assert os.path.exists(place.path("out", "_SUCCESS"))


def test_parts_of_a_dead_run_go_although_the_destination_changed(place):
    conn = place.db(SIMPLE)
    fill(conn, 2000)
    place.config([{"name": "s", "table": "t"}])
    place.killed("part-uploaded", "run", "-c", "rivet.yaml")
    assert place.glob_rows("s")
    place.config([{"name": "s", "table": "t", "format": "csv", "destination": {"type": "stdout"}}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    assert place.glob_rows("s") == []


def test_the_manifest_of_a_failed_end_is_replaced_by_that_of_the_success(place):
    conn = place.db(SIMPLE)
    fill(conn, 5000)
    place.config([CHUNKS])
    place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
    time.sleep(1.1)
    p = place.start("run", "-c", "rivet.yaml", env={"RIVET_STALL_AT": "unit-committed:2"},
                    binary=__import__("lib").FAULTY)
    for _ in range(200):
        if len(glob.glob(place.path("out", "k_*.parquet"))) >= 7:
            break
        time.sleep(0.05)
    p.terminate()
    time.sleep(0.3)
    p.send_signal(18)
    p.communicate(timeout=30)
    interrupted = [m for m in place.manifests("k") if m["status"] == "interrupted"]
    if not interrupted:
        return  # the stall did not happen in this build
    place.rivet("run", "-c", "rivet.yaml", code=0)
    mine = [m for m in place.manifests("k") if m["run_id"] == interrupted[0]["run_id"]]
    assert [m["status"] for m in mine] == ["success"], [m["status"] for m in mine]


# ---- failed checks ----

def damage(path):
    os.chmod(path, 0o644)
    with open(path, "r+b") as f:
        f.seek(100)
        byte = f.read(1)
        f.seek(100)
        f.write(bytes([byte[0] ^ 255]))


def test_a_sealed_part_that_fails_its_check_is_not_resumed(place):
    conn = place.db(SIMPLE)
    fill(conn, 3000)
    place.config([{"name": "s", "table": "t"}])
    place.killed("unit-sealed", "run", "-c", "rivet.yaml", "--validate")
    damage(glob.glob(place.path("out", "s_*.parquet"))[0])
    place.rivet("run", "-c", "rivet.yaml", code=3)
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("s"), table(conn, "SELECT * FROM t"))


def test_a_sealed_chunk_that_fails_its_check_is_done_again(place):
    conn = place.db(SIMPLE)
    fill(conn, 3000)
    place.config([CHUNKS])
    place.killed("unit-sealed:2", "run", "-c", "rivet.yaml", "--validate")
    damage(sorted(glob.glob(place.path("out", "k_*chunk1*.parquet")))[0])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))


def test_an_abandoned_checkpoint_needs_a_decision(place):
    conn = place.db(SIMPLE)
    fill(conn, 3000)
    place.config([CHUNKS])
    place.killed("unit-committed", "run", "-c", "rivet.yaml")
    run_id, _ = last_run(place, "k")
    place.rivet("state", "finish-run", "-c", "rivet.yaml", "--run-id", run_id)
    if last_run(place, "k")[1] != "abandoned":
        place.rivet("state", "finish-run", "-c", "rivet.yaml", run_id, code=0)
    assert last_run(place, "k")[1] == "abandoned"
    r = place.rivet("run", "-c", "rivet.yaml", code=5)
    assert "reset-chunks" in r.err, r
    place.rivet("state", "reset-chunks", "-c", "rivet.yaml", "-e", "k", code=0)
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))
    same_rows(place.glob_rows("k"), table(conn, "SELECT * FROM t"))


# ---- retries ----

def held(place, seconds):
    """Another process's exclusive lock on the source for so long."""
    import threading
    conn = sqlite3.connect(place.path("src.db"), check_same_thread=False)
    conn.execute("PRAGMA journal_mode=DELETE")
    conn.execute("BEGIN EXCLUSIVE")
    t = threading.Timer(seconds, lambda: (conn.rollback(), conn.close()))
    t.start()
    return t


def test_a_lock_is_waited_for_and_tried_again_before_the_first_row(place):
    for x in ({}, {"mode": "incremental", "cursor_column": "id"}):
        conn = place.db("DROP TABLE IF EXISTS t;" + SIMPLE)
        fill(conn, 100)
        place.config([{"name": "s", "table": "t", **x}],
                     tuning="throttle_ms: 0, lock_timeout_s: 1, max_retries: 5, retry_backoff_ms: 100")
        conn.close()
        t = held(place, 2.5)
        place.rivet("run", "-c", "rivet.yaml", code=0)
        t.join()
        run_id, _ = last_run(place, "s")
        assert summary(place, run_id)["retries"] >= 1
        place.rivet("state", "reset", "-c", "rivet.yaml", "-e", "s")
        time.sleep(1.1)


def test_tries_are_not_multiplied(place):
    conn = place.db(SIMPLE + "CREATE VIEW v AS SELECT * FROM t;")
    fill(conn, 100)
    place.config([{"name": "s", "table": "v"}],
                 tuning="throttle_ms: 0, lock_timeout_s: 1, max_retries: 2, retry_backoff_ms: 1")
    conn.close()
    t = held(place, 30)
    r = place.rivet("run", "-c", "rivet.yaml", code=2)
    t.function()
    t.cancel()
    assert r.err.count("attempt ") == 2, r


def test_a_chunk_without_tries_left_needs_a_decision(place):
    conn = place.db(SIMPLE)
    fill(conn, 3000)
    conn.execute("UPDATE t SET grp = 'abc' WHERE id = 1500")
    conn.commit()
    place.config([{**CHUNKS, "chunk_max_attempts": 1}])
    place.rivet("run", "-c", "rivet.yaml", code=1)
    conn.execute("UPDATE t SET grp = 1 WHERE id = 1500")
    conn.commit()
    r = place.rivet("run", "-c", "rivet.yaml", code=5)
    assert "chunk 1 failed" in r.err and "reset-chunks" in r.err, r
    place.rivet("state", "reset-chunks", "-c", "rivet.yaml", "-e", "k", code=0)
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.glob_rows("k"), table(conn, "SELECT * FROM t"))


# ---- cursors ----

INC = {"name": "i", "table": "t", "mode": "incremental", "cursor_column": "c", "skip_empty": True}


def inc(place, create, rows, extra=None, **kw):
    conn = place.db(create)
    conn.executemany(f"INSERT INTO t VALUES ({','.join('?' * len(rows[0]))})", rows)
    conn.commit()
    place.config([{**INC, **(extra or {})}], **kw)
    return conn


def step(place, code=0):
    r = place.rivet("run", "-c", "rivet.yaml", code=code)
    time.sleep(1.05)
    return r


def test_rows_without_a_cursor_are_exported_once(place):
    conn = inc(place, "CREATE TABLE t (id INTEGER PRIMARY KEY, c INTEGER);", [(1, None), (2, None)])
    step(place)
    step(place)
    conn.execute("INSERT INTO t VALUES (3, 7)")
    conn.commit()
    step(place)
    assert sorted(r["id"] for r in place.dataset("i", incremental=True)) == [1, 2, 3]


def test_ties_after_a_cursor_was_set_by_hand_are_remembered(place):
    conn = inc(place, "CREATE TABLE t (id INTEGER PRIMARY KEY, c INTEGER); CREATE INDEX t_c ON t(c);",
               [(1, 1), (2, 5), (3, 5)])
    place.config([{**INC, "cursor_start": "5"}])
    step(place)
    place.rivet("state", "set-cursor", "-c", "rivet.yaml", "-e", "i", "--yes", "5", code=0)
    step(place)
    step(place)
    conn.execute("INSERT INTO t VALUES (4, 5)")
    conn.commit()
    step(place)
    assert sorted(r["id"] for r in place.dataset("i", incremental=True)) == [2, 2, 3, 3, 4]


def test_the_tie_set_holds_the_bound_only(place):
    conn = inc(place, "CREATE TABLE t (id INTEGER PRIMARY KEY, c INTEGER); CREATE INDEX t_c ON t(c);",
               [(i, 1 if i < 100 else 2) for i in range(1, 102)])
    step(place)
    size, = place.state().execute("SELECT length(cursor_ties) FROM export_state").fetchone()
    assert size == 2 * 16, size
    conn.execute("INSERT INTO t VALUES (200, 2)")
    conn.commit()
    step(place)
    assert sorted(r["id"] for r in place.dataset("i", incremental=True)) == [*range(1, 102), 200]


def test_settle_reads_the_age_from_another_column(place):
    now = "strftime('%Y-%m-%d %H:%M:%S', 'now', ?)"
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, c INTEGER, made TIMESTAMP); CREATE INDEX t_c ON t(c);")
    for i, age in ((1, "-2 hours"), (2, "-1 hours"), (3, "-1 minutes"), (4, "-3 hours")):
        conn.execute(f"INSERT INTO t VALUES (?, ?, {now})", (i, i * 10, age))
    conn.commit()
    place.config([{**INC, "settle": {"after": "30m", "column": "made"}}])
    step(place)
    assert sorted(r["id"] for r in place.dataset("i", incremental=True)) == [1, 2]
    conn.execute("UPDATE t SET made = '2020-01-01 00:00:00' WHERE id = 3")
    conn.commit()
    step(place)
    assert sorted(r["id"] for r in place.dataset("i", incremental=True)) == [1, 2, 3, 4]


def test_a_cursor_an_hour_ahead_does_not_hide_later_rows(place):
    now = "strftime('%Y-%m-%d %H:%M:%S', 'now', ?)"
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, c TIMESTAMP); CREATE INDEX t_c ON t(c);")
    for i, age in ((1, "-2 hours"), (2, "+1 hours")):
        conn.execute(f"INSERT INTO t VALUES (?, {now})", (i, age))
    conn.commit()
    place.config([INC])
    r = step(place)
    assert "future" in r.err, r
    conn.execute(f"INSERT INTO t VALUES (3, {now})", ("-1 hours",))
    conn.commit()
    step(place)
    assert sorted(r["id"] for r in place.dataset("i", incremental=True)) == [1, 3]


def test_a_stored_cursor_above_everything_is_said(place):
    conn = inc(place, "CREATE TABLE t (id INTEGER PRIMARY KEY, c INTEGER); CREATE INDEX t_c ON t(c);", [(1, 1), (2, 50)])
    step(place)
    conn.execute("DELETE FROM t WHERE id = 2")
    conn.commit()
    r = step(place)
    assert "'50' is above the largest 'c' (1)" in r.err, r


# ---- composite keys ----

def test_a_lost_unit_of_a_composite_key_is_read_within_its_bounds(place):
    conn = place.db("CREATE TABLE t (a TEXT NOT NULL, b INTEGER NOT NULL, v TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;")
    conn.executemany("INSERT INTO t VALUES (?,?,?)", [(f"a{i % 3}", i, f"v{i}") for i in range(250000)])
    conn.commit()
    place.config([{"name": "y", "table": "t", "mode": "full", "chunk_checkpoint": True}])
    place.killed("unit-committed:2", "run", "-c", "rivet.yaml")
    os.unlink(sorted(glob.glob(place.path("out", "y_*keyset0*.parquet")))[0])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("y"), table(conn, "SELECT * FROM t"), key="b")


# ---- records ----

def journal(place, run_id):
    with open(place.path(".rivet", "runs", run_id, f"{run_id}.journal.jsonl"), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def test_a_journal_that_cannot_be_kept_is_a_warning(place):
    conn = place.db(SIMPLE)
    fill(conn, 10)
    place.config([{"name": "s", "table": "t"}])
    place.write(".rivet", "in the way")
    r = place.rivet("run", "-c", "rivet.yaml", code=0)
    assert "journal" in r.err, r
    assert place.state().execute("SELECT status FROM export_metrics").fetchall() == [("success",)]
    assert place.state().execute("SELECT COUNT(*) FROM run_journal").fetchone() == (1,)


def test_a_streamed_table_is_announced(place):
    conn = place.db(SIMPLE + "CREATE VIEW v AS SELECT * FROM t;")
    fill(conn, 10)
    place.config([{"name": "s", "table": "v"}])
    r = place.rivet("run", "-c", "rivet.yaml", code=0)
    assert "[WARN]" in r.err and "one statement reads it whole" in r.err, r


def test_the_journal_says_what_was_settled_and_checked(place):
    conn = place.db(SIMPLE)
    fill(conn, 10)
    place.config([{"name": "s", "table": "t"}])
    place.killed("part-writing", "run", "-c", "rivet.yaml")
    dead, _ = last_run(place, "s")
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
    run_id, _ = last_run(place, "s")
    events = journal(place, run_id)
    assert events[0]["event"] == "plan_resolved" and events[-1]["event"] == "run_completed"
    settled = [(e["run_id"], e["outcome"]) for e in events if e["event"] == "run_settled"]
    assert (dead, "abandoned") in settled and (dead, "cleared") in settled, settled
    assert [e["passed"] for e in events if e["event"] == "validation_result"] == [True]


def test_a_failed_run_names_its_manifest(place):
    conn = place.db(SIMPLE)
    fill(conn, 5000)
    conn.execute("UPDATE t SET grp = 'abc' WHERE id = 4900")
    conn.commit()
    place.config([{**CHUNKS, "chunk_checkpoint": False}])
    place.rivet("run", "-c", "rivet.yaml", code=1)
    run_id, _ = last_run(place, "k")
    assert summary(place, run_id)["manifest"] == f"manifest-{run_id}.json"
    assert place.manifests("k")[0]["status"] == "failed"


def test_a_runner_that_lost_its_lease_leaves_the_metric_alone(place):
    import lib
    import signal
    conn = place.db(SIMPLE)
    fill(conn, 3000)
    place.config([CHUNKS])
    p = place.start("run", "-c", "rivet.yaml", env={"RIVET_STALL_AT": "unit-committed"}, binary=lib.FAULTY)
    for _ in range(200):
        if os.path.exists(place.path(".rivet_state.db")) and place.glob_rows("k"):
            break
        time.sleep(0.05)
    time.sleep(0.3)
    old = "2020-01-01T00:00:00.000Z"
    s = place.state()
    s.execute("UPDATE run_status SET heartbeat_at = ?, host = 'elsewhere'", (old,))
    s.commit()
    place.rivet("run", "-c", "rivet.yaml", "-e", "k", "--resume", code=0)
    p.send_signal(signal.SIGCONT)
    _, err = p.communicate(timeout=60)
    assert p.returncode == 2, (p.returncode, err)
    assert s.execute("SELECT status FROM export_metrics").fetchall() == [("success",)]
    assert last_run(place, "k")[1] == "success"
    same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))


def test_what_validate_kept_goes_when_a_dead_run_is_published(place):
    conn = place.db(SIMPLE)
    fill(conn, 100)
    place.config([{"name": "s", "table": "t"}])
    place.killed("after-final", "run", "-c", "rivet.yaml", "--validate")
    assert place.hidden()
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    assert not place.hidden(), place.hidden()
    assert place.state().execute("SELECT COUNT(*) FROM file_log WHERE spool_path IS NOT NULL").fetchone() == (0,)


def test_columns_that_differ_in_case_are_told(place):
    conn = place.db(SIMPLE)
    fill(conn, 10)
    place.config([{"name": "s", "query": "SELECT id, name AS ID FROM t"}])
    r = place.rivet("run", "-c", "rivet.yaml")
    assert "differ only in case" in r.err, r
