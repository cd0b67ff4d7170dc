"""Several exports in one invocation: threads, children, aggregates, interruptions, what is seen of secrets."""
import contextlib
import glob
import itertools
import json
import os
import re
import signal
import sqlite3
import stat
import subprocess
import time

import lib
from lib import SIMPLE, fill, same_rows, table

QUICK = "throttle_ms: 0, retry_backoff_ms: 1, lock_timeout_s: 1, max_retries: 1"
MODES = {"threads": "--parallel-exports", "processes": "--parallel-export-processes", "sequential": None}
NAMES = [f"x{i}" for i in range(6)]
CHUNKS = {"mode": "chunked", "chunk_column": "id", "chunk_size": 50, "chunk_checkpoint": True}


def flags(mode):
    return [MODES[mode]] if MODES[mode] else []


def make(place, exports=None, rows=400, tuning=QUICK, extra=""):
    conn = place.db(SIMPLE)
    fill(conn, rows)
    place.config(exports or [{"name": n, "table": "t"} for n in NAMES], tuning=tuning, extra=extra)
    return conn


def slow(**more):
    """Chunks with a pause after each: some seconds long, resumable."""
    return {"table": "t", **CHUNKS, "tuning": {"throttle_ms": 4000, "batch_size": 50}, **more}


def statuses(summary):
    return {x["export_name"]: x["status"] for x in summary["per_export"]}


def aggregates(place):
    return table(place.state(), "SELECT * FROM run_aggregate ORDER BY started_at")


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            found = f.read().split()
    except FileNotFoundError:
        return []
    for task in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            found += open(task, encoding="ascii").read().split()
        except FileNotFoundError:
            pass
    return sorted({int(p) for p in found})


def words_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().decode().split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def wait_for(what, seconds=60):
    until = time.time() + seconds
    while time.time() < until:
        found = what()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def ask_state(place, sql):
    """[] while there is no state yet."""
    if not os.path.exists(place.path(".rivet_state.db")):
        return []
    conn = place.state()
    try:
        return table(conn, sql)
    except sqlite3.OperationalError:
        return []
    finally:
        conn.close()


def running_chunks(place, n):
    """n runs have completed a chunk."""
    return lambda: len(ask_state(place, "SELECT run_id FROM chunk_task WHERE status = 'completed' GROUP BY run_id")) >= n


def running(place, n):
    return lambda: len(ask_state(place, "SELECT 1 FROM run_status WHERE status = 'running'")) == n


# --- all three ways -------------------------------------------------------------------------------

def test_every_mode_exports_everything(place):
    conn = make(place)
    want = table(conn, "SELECT * FROM t")
    for mode in MODES:
        r = place.rivet("run", *flags(mode), "--json", "--validate", "--reconcile", code=0)
        s = json.loads(r.out)
        assert s["parallel_mode"] == mode and s["exit_code"] == 0, s
        assert (s["total_exports"], s["success_count"], s["failed_count"], s["skipped_count"]) == (6, 6, 0, 0), s
        assert s["total_rows"] == 6 * 400 and s["total_files"] == 6, s
        assert s["total_bytes"] == sum(x["bytes"] for x in s["per_export"]) > 0
        assert [x["export_name"] for x in s["per_export"]] == NAMES, "the order of the configuration"
        for x in s["per_export"]:
            assert x["status"] == "success" and x["validated"] and x["reconciled"] and x["peak_rss_mb"] > 0, x
            assert x["mode"] == "full" and x["format"] == "parquet" and x["consistency"] and x["started_at"], x
            assert x["error_message"] is None and x["error_code"] is None and x["tuning_profile"], x
        assert f"── Run summary (6 exports) ──" in r.err, r
        for n in NAMES:
            assert r.err.count(f"── {n} ──") == 1, r
            same_rows(place.dataset(n), want)
        row = aggregates(place)[-1]
        assert row["parallel_mode"] == mode and row["success_count"] == 6 and row["total_rows"] == 2400, row
        assert row["run_aggregate_id"] == s["run_aggregate_id"]
        runs = table(place.state(), f"SELECT * FROM run_status WHERE aggregate_id = '{row['run_aggregate_id']}'")
        assert sorted(x["export_name"] for x in runs) == NAMES, runs
    assert table(place.state(), "SELECT count(*) AS n FROM export_metrics")[0]["n"] == 18


def test_keys_say_the_same_as_flags(place):
    make(place, extra="")
    for key, mode in (("parallel_exports", "threads"), ("parallel_export_processes", "processes")):
        doc = json.load(open(place.path("rivet.yaml"), encoding="utf-8"))
        doc[key] = True
        place.write("rivet.yaml", json.dumps(doc))
        s = json.loads(place.rivet("run", "--json", code=0).out)
        assert s["parallel_mode"] == mode, s  # both are true in the end: processes win
    s = json.loads(place.rivet("run", "--json", "-e", "x1", code=0).out)
    assert s["parallel_mode"] == "sequential" and s["run_aggregate_id"] is None and s["total_exports"] == 1
    s = json.loads(place.rivet("run", "--json", "--parallel-exports", code=0).out)
    assert s["parallel_mode"] == "processes"


def test_a_single_export_has_nobody_beside_it(place):
    make(place, [{"name": "only", "table": "t"}])
    for mode in ("threads", "processes"):
        r = place.rivet("run", *flags(mode), "--json", code=0)
        s = json.loads(r.out)
        assert s["parallel_mode"] == "sequential" and s["run_aggregate_id"], s
        assert "Run summary" not in r.err
    assert len(aggregates(place)) == 2


def test_more_exports_than_run_at_once(place):
    names = [f"n{i}" for i in range(20)]
    make(place, [{"name": n, "table": "t"} for n in names], rows=20)
    for mode in ("threads", "processes"):
        s = json.loads(place.rivet("run", *flags(mode), "--json", code=0).out)
        assert [x["export_name"] for x in s["per_export"]] == names and s["success_count"] == 20, s


def test_exports_really_run_at_the_same_time(place):
    make(place, [slow(name=n) for n in "abc"], rows=200)
    for mode in ("threads", "processes"):
        p = place.start("run", *flags(mode))
        try:
            wait_for(running(place, 3))
        finally:
            p.send_signal(signal.SIGTERM)
            out, err = p.communicate(timeout=60)
        assert p.returncode == 143, (out, err)
        place.rivet("state", "reset-chunks", "--stuck-checkpoints", code=0)


def test_postgres_under_both(place):
    url = os.environ.get("RIVET_TEST_PG_URL")
    if not url:
        raise lib.Skip("RIVET_TEST_PG_URL is not set")
    schema = f"many_{os.getpid()}_{int(time.time() * 1000) % 100000}"

    def psql(sql):
        subprocess.run(["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql], check=True, capture_output=True)

    psql(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.t AS SELECT i AS id, 'n' || i AS name FROM generate_series(1, 5000) i;"
         f"ALTER TABLE {schema}.t ADD PRIMARY KEY (id)")
    try:
        doc = {"source": {"type": "postgres", "url_env": "PG_URL", "tuning": {"throttle_ms": 0}},
               "exports": [{"name": n, "table": f"{schema}.t", "format": "parquet", "mode": "chunked", "chunk_column": "id",
                            "chunk_size": 1000, "parallel": 2, "destination": {"type": "local", "path": "./out"}} for n in NAMES]}
        place.write("rivet.yaml", json.dumps(doc))
        for mode in ("threads", "processes"):
            s = json.loads(place.rivet("run", *flags(mode), "--json", env={"PG_URL": url}, code=0).out)
            assert s["success_count"] == 6 and s["total_rows"] == 30000, s
            for n in NAMES:
                assert sorted(r["id"] for r in place.dataset(n)) == list(range(1, 5001))
        # and with the state in the same server
        env = {"PG_URL": url, "RIVET_STATE_URL": url}
        doc["project"] = schema
        place.write("rivet.yaml", json.dumps(doc))
        for mode in ("threads", "processes"):
            s = json.loads(place.rivet("run", *flags(mode), "--json", env=env, code=0).out)
            assert s["success_count"] == 6, s
    finally:
        psql(f"DROP SCHEMA {schema} CASCADE")


# --- failures -------------------------------------------------------------------------------------

def test_a_failing_export_stops_nobody(place):
    exports = [{"name": n, "table": "missing" if n == "x2" else "t"} for n in NAMES]
    make(place, exports)
    for mode in MODES:
        r = place.rivet("run", *flags(mode), "--json", code=1)
        s = json.loads(r.out)
        assert s["exit_code"] == 1 and s["success_count"] == 5 and s["failed_count"] == 1, s
        assert statuses(s)["x2"] == "failed", s
        bad = s["per_export"][2]
        assert "missing" in bad["error_message"] and bad["error_class"] == "generic" and bad["error_code"].startswith("RIVET_"), bad
        assert r.err.count("Error: ") == 1 and "✗ x2:" in r.err, r


# what gives an export each exit code
def export_with_code(code, name):
    if code == 3:
        return {"name": name, "table": "t", "quality": {"row_count_min": 1000000}}
    if code == 1:
        return {"name": name, "table": "missing"}
    if code == 4:
        return {"name": name, "table": "drift", "on_schema_drift": "fail"}
    if code == 5:
        return {"name": name, "table": "t", "mode": "incremental", "cursor_column": "id"}
    if code == 2:
        return {"name": name, "table": "t"}
    return {"name": name, "table": "t"}


def test_precedence_of_exit_codes_for_every_pair(place):
    """130/143 > 3 > 6 > 5 > 4 > 1 > 2 > 0; 6 and the signals are pairs of the unit test."""
    rank = [3, 5, 4, 1, 2, 0]
    conn = place.db(SIMPLE + "CREATE TABLE drift (id INTEGER PRIMARY KEY)")
    fill(conn, 50)
    everybody = [export_with_code(c, f"c{c}") for c in rank]
    place.config(everybody[1:3] and [e for e in everybody if e["name"] in ("c4", "c5")], tuning=QUICK)
    place.rivet("run", code=0)
    conn.execute("ALTER TABLE drift ADD COLUMN phone TEXT")  # c4
    conn.commit()
    state = place.state()
    owner = state.execute("SELECT owner FROM export_state WHERE export_name = 'c5'").fetchone()[0]
    state.execute("UPDATE export_state SET owner = ? WHERE export_name = 'c5'", (re.sub(r'"relation":"[^"]*"', '"relation":"other"', owner),))
    # c2: a live lease of somebody else
    state.execute("INSERT INTO run_status (run_id, project, export_name, mode, stem, prefix, status, epoch, owner_token, host, "
                  "heartbeat_at, started_at, cleared) SELECT 'c2_alien', '', 'c2', 'full', 'c2_alien', prefix, 'running', 1, 'x', 'elsewhere', "
                  "'2999-01-01T00:00:00.000Z', started_at, 0 FROM run_status LIMIT 1")
    state.commit()
    state.close()
    for i, mode in zip(itertools.count(), ("threads", "processes", "sequential")):
        pairs = list(itertools.combinations(rank, 2))
        for a, b in pairs if mode == "threads" else pairs[i::4]:
            place.config([export_with_code(b, f"c{b}"), export_with_code(a, f"c{a}")], tuning=QUICK)
            r = place.rivet("run", *flags(mode), "--json")
            s = json.loads(r.out)
            assert r.code == a and s["exit_code"] == a, (mode, a, b, r)
            assert s["failed_count"] == (2 if b else 1), (mode, a, b, s)


def test_one_last_line_speaks_for_the_process(place):
    make(place, [{"name": "good", "table": "t"}, {"name": "one", "table": "missing"},
                 {"name": "two", "table": "t", "quality": {"row_count_min": 10**9}}])
    for mode in MODES:
        r = place.rivet("--json-errors", "run", *flags(mode), code=3)
        lines = [json.loads(x) for x in r.err.splitlines()]
        assert len(lines) == 3, r
        last = lines[-1]
        assert last["exit_code"] == last["exit_class"] == 3 and last["class"] == "data_integrity", last
        assert [(f["export"], f["class"], f["exit_class"]) for f in last["failures"]] == \
            [("one", "generic", 1), ("two", "data_integrity", 3)], last
        assert all(set(f) == {"export", "table", "code", "class", "exit_class"} for f in last["failures"])
        assert sorted(x["export"] for x in lines[:2]) == ["one", "two"], lines


def test_a_child_that_dies_is_one_failed_export(place):
    conn = make(place, [slow(name="long"), {"name": "a", "table": "t"}, {"name": "b", "table": "t"}], rows=200)
    p = place.start("run", "--parallel-export-processes", "--json")
    try:
        victim = wait_for(lambda: next((c for c in children_of(p.pid) if "long" in words_of(c)), None))
        wait_for(running_chunks(place, 1))
        os.kill(victim, signal.SIGKILL)
    finally:
        out, err = p.communicate(timeout=60)
    assert p.returncode == 1, (out, err)
    s = json.loads(out)
    assert statuses(s) == {"long": "failed", "a": "success", "b": "success"}, s
    dead = s["per_export"][0]
    assert "SIGKILL" in dead["error_message"] and dead["error_code"] == "RIVET_RUN_CHILD", dead
    assert dead["run_id"], "known from the child's first event"
    assert not [m for m in place.manifests("long") if m["status"] == "success"]
    row = aggregates(place)[-1]
    assert row["failed_count"] == 1
    place.config([{"name": "long", "table": "t", **CHUNKS}, {"name": "a", "table": "t"}, {"name": "b", "table": "t"}], tuning=QUICK)
    r = place.rivet("run", "--parallel-export-processes", "--resume", "--json", code=0)
    s = json.loads(r.out)
    assert s["run_aggregate_id"] == row["run_aggregate_id"], s
    assert statuses(s) == {"long": "success", "a": "skipped", "b": "skipped"}, s
    assert [x["skip_reason"] for x in s["per_export"]] == [None, "already complete", "already complete"]
    assert s["per_export"][0]["run_id"] == dead["run_id"], "the same run went on"
    same_rows(place.dataset("long"), table(conn, "SELECT * FROM t"))
    place.rivet("run", "--parallel-export-processes", "--resume", code=1)


def test_two_invocations_at_once(place):
    make(place, [slow(name=n) for n in "ab"], rows=200)
    for mode in ("threads", "processes"):
        p = place.start("run", *flags(mode))
        try:
            wait_for(running(place, 2))
            r = place.rivet("run", *flags(mode), "--json", code=2)
        finally:
            p.send_signal(signal.SIGTERM)
            p.communicate(timeout=60)
        s = json.loads(r.out)
        assert s["failed_count"] == 2 and all(x["error_class"] == "retryable" for x in s["per_export"]), s
        assert all(x["error_code"] == "RIVET_STATE_LEASE" for x in s["per_export"]), s
        place.rivet("state", "reset-chunks", "--stuck-checkpoints", code=0)


def test_only_one_export_may_use_stdout(place):
    out = {"type": "stdout"}
    make(place, [{"name": "a", "table": "t", "format": "csv", "destination": out}, {"name": "b", "table": "t"}], rows=20)
    for mode in MODES:
        r = place.rivet("run", *flags(mode), code=0)
        assert r.out.count("\n") == 21 and r.out.startswith("id,"), r
        place.rivet("run", *flags(mode), "--json", code=1)
        place.rivet("run", *flags(mode), "--summary-output", "s.json", code=0)
        assert json.load(open(place.path("s.json"), encoding="utf-8"))["parallel_mode"] == mode
        assert stat.S_IMODE(os.stat(place.path("s.json")).st_mode) == 0o600


def test_partitioned_exports_stay_in_the_parent(place):
    conn = place.db("CREATE TABLE p (id INTEGER PRIMARY KEY, day DATE)")
    conn.executemany("INSERT INTO p VALUES (?, ?)", [(i, f"2024-01-0{i % 3 + 1}") for i in range(1, 31)])
    conn.commit()
    place.config([{"name": "p", "table": "p", "partition_by": "day", "destination": {"type": "local", "path": "./out/{partition}"}},
                  {"name": "q", "table": "p"}], tuning=QUICK)
    s = json.loads(place.rivet("run", "--parallel-export-processes", "--json", code=0).out)
    assert statuses(s) == {"p": "success", "q": "success"} and s["total_rows"] == 60, s
    pids = {r["export_name"]: r["pid"] for r in table(place.state(), "SELECT export_name, pid FROM run_status")}
    assert len({pid for name, pid in pids.items() if name.startswith("p")}) == 1
    assert pids["q"] != pids["p"], pids


# --- interruptions --------------------------------------------------------------------------------

def test_a_signal_reaches_everybody(place):
    conn = make(place, [slow(name=n) for n in "abc"], rows=200)
    want = table(conn, "SELECT * FROM t")
    for mode, signo, code in (("processes", signal.SIGTERM, 143), ("processes", signal.SIGINT, 130),
                              ("threads", signal.SIGINT, 130), ("threads", signal.SIGHUP, 143)):
        place.config([slow(name=n) for n in "abc"], tuning=QUICK)
        p = place.start("run", *flags(mode), "--json")
        wait_for(running_chunks(place, 3))
        family = children_of(p.pid)
        assert len(family) == (3 if mode == "processes" else 0), family
        p.send_signal(signo)
        out, err = p.communicate(timeout=60)
        assert p.returncode == code, (mode, p.returncode, err)
        assert not any(alive(c) for c in family)
        s = json.loads(out)
        assert set(statuses(s).values()) == {"interrupted"} and s["exit_code"] == code, s
        assert b"resume:" in err, err
        for n in "abc":
            assert not os.path.exists(place.path("out", "_SUCCESS"))
            assert {m["status"] for m in place.manifests(n)} <= {"interrupted"}
        assert not place.hidden()
        states = {r["status"] for r in table(place.state(), "SELECT status FROM chunk_task")}
        assert states <= {"pending", "completed"}, states
        # quickly, and the same runs
        place.config([{"name": n, "table": "t", **CHUNKS} for n in "abc"], tuning=QUICK)
        done = json.loads(place.rivet("run", *flags(mode), "--resume", "--json", code=0).out)
        assert done["run_aggregate_id"] == s["run_aggregate_id"]
        assert {x["run_id"] for x in done["per_export"]} == {x["run_id"] for x in s["per_export"]}
        for n in "abc":
            same_rows(place.dataset(n), want)
        for f in glob.glob(place.path("out", "*")) + glob.glob(place.path(".rivet_state.db*")):
            with contextlib.suppress(FileNotFoundError):  # the last connection tidies up too
                os.remove(f)


def test_the_whole_group_is_signalled(place):
    """Ctrl-C reaches parent and children; what the parent passes on is no second wish."""
    make(place, [slow(name=n) for n in "abc"], rows=200)
    p = place.start("run", "--parallel-export-processes", "--json", start_new_session=True)
    wait_for(running_chunks(place, 3))
    os.killpg(p.pid, signal.SIGINT)
    out, err = p.communicate(timeout=60)
    assert p.returncode == 130, err
    assert set(statuses(json.loads(out)).values()) == {"interrupted"}, err
    closed = table(place.state(), "SELECT status FROM run_status")
    assert [r["status"] for r in closed] == ["interrupted"] * 3, closed


def test_a_second_signal_ends_everybody_at_once(place):
    make(place, [slow(name=n) for n in "abc"], rows=200)
    p = place.start("run", "--parallel-export-processes")
    wait_for(running_chunks(place, 3))
    family = children_of(p.pid)
    os.kill(family[0], signal.SIGSTOP)  # one that cannot follow keeps the parent waiting
    p.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    p.send_signal(signal.SIGTERM)
    assert p.wait(timeout=20) == 143
    os.kill(family[0], signal.SIGCONT)
    p.communicate(timeout=20)
    wait_for(lambda: not any(alive(c) for c in family), 20)


def test_a_child_that_does_not_end_is_killed(place):
    make(place, [slow(name=n) for n in "ab"], rows=200)
    p = place.start("run", "--parallel-export-processes", "--json", env={"RIVET_SHUTDOWN_GRACE_S": "0"})
    wait_for(running_chunks(place, 2))
    family = children_of(p.pid)
    os.kill(family[0], signal.SIGSTOP)
    started = time.time()
    p.send_signal(signal.SIGTERM)
    out, err = p.communicate(timeout=60)
    assert 4.5 < time.time() - started < 20
    assert p.returncode == 143, err
    assert set(statuses(json.loads(out)).values()) == {"interrupted"}, out
    assert not any(alive(c) for c in family)


def test_children_do_not_outlive_a_killed_parent(place):
    conn = make(place, [{"name": "quick", "table": "t"}] + [slow(name=n) for n in "ab"], rows=200)
    p = place.start("run", "--parallel-export-processes")
    wait_for(running_chunks(place, 2))
    wait_for(lambda: len(children_of(p.pid)) == 2)
    family = children_of(p.pid)
    p.kill()
    p.communicate(timeout=60)
    wait_for(lambda: not any(alive(c) for c in family), 30)
    left = {r["export_name"]: r["status"] for r in table(place.state(), "SELECT export_name, status FROM run_status")}
    assert left == {"quick": "success", "a": "interrupted", "b": "interrupted"}, left
    (row,) = aggregates(place)
    assert row["finished_at"] is None
    place.config([{"name": "quick", "table": "t"}] + [{"name": n, "table": "t", **CHUNKS} for n in "ab"], tuning=QUICK)
    for mode, want in (("processes", 0), ("processes", 1)):
        r = place.rivet("run", *flags(mode), "--resume", "--json", code=want)
    (row,) = aggregates(place)
    assert row["finished_at"] and row["success_count"] == 2 and row["skipped_count"] == 1, row
    for n in ("quick", "a", "b"):
        same_rows(place.dataset(n), table(conn, "SELECT * FROM t"))


def test_a_crash_of_everybody_is_resumed(place):
    conn = make(place, [{"name": n, "table": "t", **CHUNKS} for n in "abc"])
    for mode in ("threads", "processes"):
        r = place.rivet("run", *flags(mode), binary=lib.FAULTY, env={"RIVET_KILL_AT": "unit-committed:2"}) if lib.FAULTY else None
        if r is None:
            raise lib.Skip("needs a test build")
        assert r.code == (-signal.SIGKILL if mode == "threads" else 1), r
        r = place.rivet("run", *flags(mode), "--resume", "--json", code=0)
        assert set(statuses(json.loads(r.out)).values()) <= {"success", "skipped"}, r
        for n in "abc":
            same_rows(place.dataset(n), table(conn, "SELECT * FROM t"))


def test_grace_period_is_a_number(place):
    make(place)
    r = place.rivet("run", env={"RIVET_SHUTDOWN_GRACE_S": "soon"}, code=2)
    assert "RIVET_SHUTDOWN_GRACE_S" in r.err


def test_a_part_on_its_way_has_the_grace_period(place):
    """Stopped between intent and upload; the signal is there when it goes on."""
    if not lib.FAULTY:
        raise lib.Skip("needs a test build")
    conn = make(place, [{"name": "a", "table": "t", **CHUNKS}], rows=40)

    def interrupted_at(point, grace):
        p = place.start("run", binary=lib.FAULTY, env={"RIVET_STALL_AT": point, "RIVET_SHUTDOWN_GRACE_S": grace})
        wait_for(lambda: open(f"/proc/{p.pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[0] == "T")
        p.send_signal(signal.SIGTERM)
        p.send_signal(signal.SIGCONT)
        p.communicate(timeout=60)
        assert p.returncode == 143
        return [f for f in place.files() if f.startswith("a_")]

    # the signal thread may be slower than the upload: then the part was faster than the signal
    for _ in range(10):
        files = interrupted_at("part-intent", "0")
        (status,) = {r["status"] for r in ask_state(place, "SELECT status FROM file_log")}
        if not files:
            break
        place.rivet("state", "reset-chunks", "--stuck-checkpoints", code=0)
        place.rivet("run", code=0)
    assert files == [] and status == "pending", (files, status)
    assert len(interrupted_at("part-intent", "10")) == 1
    place.rivet("run", "--resume", code=0)
    assert not place.hidden()
    same_rows(place.dataset("a"), table(conn, "SELECT * FROM t"))


# --- children -------------------------------------------------------------------------------------

def test_what_children_are_started_with(place):
    make(place, [slow(name=n, table=None, query="SELECT * FROM t WHERE name <> '${SECRET_WORD}'") for n in "ab"], rows=200)
    doc = json.load(open(place.path("rivet.yaml"), encoding="utf-8"))
    for x in doc["exports"]:
        del x["table"]
    place.write("rivet.yaml", json.dumps(doc))
    p = place.start("run", "-c", "rivet.yaml", "--parallel-export-processes", "--validate", "--reconcile", "--strict", "--no-notify",
                    "--lock-wait", "7", "-p", "SECRET_WORD=hunter2hunter2", env={"RIVET_LOG": "trace", "OTHER": "kept"})
    try:
        family = wait_for(lambda: len(f := children_of(p.pid)) == 2 and all("--export" in words_of(c) for c in f) and f)
        said = [words_of(c) for c in family]
        env = open(f"/proc/{family[0]}/environ", "rb").read().decode().split("\0")
        wait_for(running_chunks(place, 2))
        fds = {os.readlink(f) for f in glob.glob(f"/proc/{family[0]}/fd/*")}
    finally:
        p.send_signal(signal.SIGTERM)
        out, err = p.communicate(timeout=60)
    for words in said:
        assert words[1:5] == ["run", "--config", "rivet.yaml", "--export"] and words[5] in "ab", words
        assert words[6:] == ["--validate", "--reconcile", "--strict", "--no-notify", "--lock-wait", "7"], words
    variables = dict(e.split("=", 1) for e in env if "=" in e)
    assert json.loads(variables["RIVET_PARAMS"]) == {"SECRET_WORD": "hunter2hunter2"}, variables
    assert variables["RIVET_IPC_FD"].isdigit() and variables["OTHER"] == "kept"
    assert not any("hunter2" in w for words in said for w in words)
    assert b"hunter2" not in err and b"hunter2" not in out
    assert sum("pipe:" in f for f in fds) <= 2, fds  # stderr and the events; nothing of its siblings
    for f in glob.glob(place.path(".rivet", "**", "*"), recursive=True):
        if os.path.isfile(f):
            assert b"hunter2" not in open(f, "rb").read(), f


def test_a_variable_that_names_no_pipe_is_ignored(place):
    make(place, [{"name": "a", "table": "t"}])
    for value in ("2", "99", "nonsense", "-1"):
        r = place.rivet("run", env={"RIVET_IPC_FD": value, "RIVET_PARAMS": "{}"}, code=0)
        assert "── a ──" in r.err, r


def test_events_are_ndjson(place):
    make(place, [{"name": "a", "table": "t", **CHUNKS}, {"name": "bad", "table": "missing"}])
    for name, code in (("a", 0), ("bad", 1)):
        r_fd, w_fd = os.pipe()
        os.set_inheritable(w_fd, True)
        p = place.start("run", "-c", "rivet.yaml", "-e", name, pass_fds=[w_fd], env={"RIVET_IPC_FD": str(w_fd), "RIVET_PARAMS": "{}"})
        os.close(w_fd)
        events = [json.loads(line) for line in os.fdopen(r_fd, encoding="utf-8")]
        out, err = p.communicate(timeout=60)
        assert p.returncode == code and out == b"" and b"Error" not in err, err
        assert {e["export_name"] for e in events} == {name}
        last = events[-1]
        assert last["event"] == "finished"
        assert set("export_name run_id status rows files bytes duration_ms peak_rss_mb error_message".split()) <= set(last), last
        if name == "bad":
            assert last["status"] == "failed" and "missing" in last["error_message"]
            continue
        kinds = [e["event"] for e in events]
        assert kinds[0] == "started" and kinds[1] == "progress_init" and set(kinds[2:-1]) == {"progress"}, kinds
        assert set("export_name run_id mode tuning_profile batch_size".split()) <= set(events[0]), events[0]
        assert events[1]["total_chunks"] == 8
        assert max(e["chunks_done"] for e in events[2:-1]) == 8 and last["rows"] == 400


# --- cards ----------------------------------------------------------------------------------------

def on_terminal(place, *args, columns=80, rows=24, env=None):
    """Runs under a pseudo terminal on stderr; what was drawn there."""
    import fcntl
    import pty
    import struct
    import termios
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    full = {k: v for k, v in os.environ.items() if not k.startswith(("RIVET_", "COLUMNS", "NO_COLOR"))}
    full.update({"TERM": "xterm", **(env or {})})
    p = subprocess.Popen([lib.RIVET, *args], cwd=place.dir, env=full, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=side)
    os.close(side)
    drawn = b""
    while True:
        try:
            got = os.read(main, 65536)
        except OSError:
            break
        if not got:
            break
        drawn += got
    os.close(main)
    out, _ = p.communicate(timeout=60)
    return p.returncode, out.decode(), drawn.decode("utf-8", "replace")


class Screen:
    """As much of a terminal as the display uses: lines, carriage return, up, erase below and right."""

    def __init__(self, columns, rows):
        self.columns, self.rows, self.lines, self.x, self.y, self.top = columns, rows, [""], 0, 0, 0

    def feed(self, text):
        for m in re.finditer(r"\x1b\[(\d*)([A-Za-z])|(\r)|(\n)|([^\r\n\x1b])", text):
            n, op, cr, lf, ch = m.groups()
            if cr:
                self.x = 0
            elif lf:
                self.down()
            elif ch:
                if self.x == self.columns:
                    self.x = 0
                    self.down()
                line = self.lines[self.y].ljust(self.x)
                self.lines[self.y] = line[:self.x] + ch + line[self.x + 1:]
                self.x += 1
            elif op == "A":
                self.y = max(self.top, self.y - int(n or 1))
            elif op == "J":
                self.lines[self.y] = self.lines[self.y][:self.x]
                del self.lines[self.y + 1:]
            elif op == "K":
                self.lines[self.y] = self.lines[self.y][:self.x]
        return self

    def down(self):
        self.y += 1
        if self.y == len(self.lines):
            self.lines.append("")
        self.top = max(self.top, self.y - self.rows + 1)  # what has scrolled out can never be reached again


def test_cards_on_a_terminal(place):
    exports = [{"name": n, "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 50,
                "tuning": {"throttle_ms": 300, "batch_size": 50}} for n in NAMES[:5]] + [{"name": "broken", "table": "missing"}]
    make(place, exports, rows=100)
    for columns, rows in ((80, 24), (30, 4), (200, 7), (12, 2)):
        code, out, drawn = on_terminal(place, "run", "--parallel-export-processes", columns=columns, rows=rows)
        assert code == 1 and out == ""
        text = Screen(columns, rows).feed(drawn).lines
        assert "▸" in drawn or rows == 2, drawn
        if columns >= 80:
            cards = [t for t in text if t[:1] in "✓✗" and t.strip()]
            assert sorted(t.split()[1] for t in cards if t[0] == "✓") == NAMES[:5], text
            assert [t.split()[1] for t in cards if t[0] == "✗"] == ["broken"], text
            assert all("success  100 rows  2 files" in t and "MB" in t for t in cards if t[0] == "✓"), text
            assert not any("▸" in t for t in text), text
            assert sum("Run summary (6 exports)" in t for t in text) == 1
            assert not any("── x" in t for t in text), "a card stands for the block"
        assert drawn.count("\x1b[") < 400
        # every card of the last picture stands there once
        assert sum(t.startswith("✗") for t in text) == 1, text
        assert sum(t.startswith("✓") for t in text) == 5, text
    logs = glob.glob(place.path("rivet-run-*.log"))
    assert logs and all(re.search(r"rivet-run-\d{8}_\d{6}\.log$", f) for f in logs), logs
    assert all(stat.S_IMODE(os.stat(f).st_mode) == 0o600 for f in logs)
    log = open(logs[0], encoding="utf-8").read()
    assert all(f"── {n} ──" in log for n in NAMES[:5]), log


def test_cards_are_suppressed(place):
    make(place, [{"name": n, "table": "t"} for n in "ab"])
    for args, env in ((["--json"], {}), ([], {"TERM": "dumb"}), (["--json-errors"], {})):
        code, _, drawn = on_terminal(place, "run", "--parallel-export-processes", *args, env=env)
        assert code == 0 and "▸" not in drawn and "✓" not in drawn and "\x1b[" not in drawn.replace("\x1b[K", "x"), drawn
        assert ("── a ──" in drawn) == ("--json-errors" not in args), drawn
    assert not glob.glob(place.path("rivet-run-*.log"))


def test_logs_of_children_lie_beside_the_config(place):
    make(place, [{"name": n, "query": "SELECT * FROM t WHERE name <> '${MY_TOKEN}'"} for n in "ab"])
    code, _, drawn = on_terminal(place, "run", "--parallel-export-processes", "-p", "MY_TOKEN=hunter2hunter2", env={"RIVET_LOG": "debug"})
    assert code == 0, drawn
    (log,) = glob.glob(place.path("rivet-run-*.log"))
    text = open(log, encoding="utf-8").read()
    assert "[INFO]" in text or "[DEBUG]" in text, text
    assert "hunter2" not in text and "hunter2" not in drawn
    assert os.path.basename(log) in drawn


def test_threads_show_one_line(place):
    make(place, [{"name": n, "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 50,
                  "tuning": {"throttle_ms": 300, "batch_size": 50}} for n in "ab"], rows=100)
    code, _, drawn = on_terminal(place, "run", "--parallel-exports")
    assert code == 0
    text = Screen(80, 24).feed(drawn).lines
    assert "0/2 exports" in drawn and "▸" not in drawn
    assert [t for t in text if t.startswith("── ")][-1] == "── Run summary (2 exports) ──", text
    assert not any("exports  " in t and "r/s" in t for t in text), text


def test_info_lines_instead_of_a_display(place):
    make(place, [{"name": n, "table": "t", **CHUNKS} for n in "ab"], rows=100)
    for mode in ("threads", "processes"):
        r = place.rivet("run", *flags(mode), env={"RIVET_LOG": "info"}, code=0)
        for n in "ab":
            assert re.search(rf"^\S+ \[INFO\] export '{n}': chunk 2/2 \(.*\) \d+ rows$", r.err, re.M), r
