"""Every row of the crash table that needs no object store: the process dies at that point, the next
run does what the table says. S = full or incremental, K = chunks with a checkpoint."""
import glob
import json
import os
import shutil
import signal
import time

from lib import SIMPLE, fill, same_rows, table

ROWS = 5000
S = {"name": "s", "table": "t"}
K = {"name": "k", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1000,
     "chunk_checkpoint": True, "parallel": 2}
KEYS = {"name": "y", "table": "t", "mode": "chunked", "chunk_by_key": "id", "chunk_size": 1000,
        "chunk_checkpoint": True}


def make(place, export):
    conn = place.db(SIMPLE)
    fill(conn, ROWS)
    place.config([export])
    return conn, table(conn, "SELECT * FROM t")


def last_good(place, export, conn):
    """A good run first, then more rows, so 'last good' and 'new' differ."""
    place.rivet("run", "-c", "rivet.yaml", code=0)
    before = table(conn, "SELECT * FROM t")
    same_rows(place.dataset(export["name"]), before)
    fill(conn, 500, start=ROWS + 1)
    return before, table(conn, "SELECT * FROM t")


def crash(place, export, point, reader_after_kill="last", files_stay=False):
    conn, _ = make(place, export)
    before, now = last_good(place, export, conn)
    time.sleep(1.1)  # another second, another stem
    place.killed(point, "run", "-c", "rivet.yaml")
    same_rows(place.dataset(export["name"]), before if reader_after_kill == "last" else now)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset(export["name"]), now)
    newest = place.manifests(export["name"])[-1]
    assert newest["status"] == "success"
    assert not place.hidden(), place.hidden()
    listed = {p["path"] for m in place.manifests(export["name"]) for p in m["parts"]}
    on_disk = {f for f in place.files() if f.startswith(export["name"] + "_")}
    assert on_disk == listed, (on_disk - listed, listed - on_disk)
    place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=0)
    return conn


def runs(place):
    return place.state().execute("SELECT run_id, status FROM run_status ORDER BY started_at").fetchall()


def test_crash_01_before_a_part_closes_s(place):
    crash(place, S, "part-writing")
    assert [s for _, s in runs(place)] == ["success", "abandoned", "success"], runs(place)


def test_crash_01_before_a_part_closes_k(place):
    crash(place, K, "part-writing:3")
    assert [s for _, s in runs(place)] == ["success", "success"], runs(place)  # the same run went on


def test_crash_02_after_intent_s(place):
    crash(place, S, "part-intent")


def test_crash_02_after_intent_k(place):
    crash(place, K, "part-intent:2")


def test_crash_03_uploaded_not_sealed_s(place):
    crash(place, S, "part-uploaded")
    removed = place.state().execute("SELECT count(*) FROM file_log WHERE status='removed'").fetchone()[0]
    assert removed == 1, removed


def test_crash_03_uploaded_not_sealed_k(place):
    crash(place, K, "part-uploaded:2")


def test_crash_04_sealed_parts_missing(place):
    conn, now = make(place, S)
    place.killed("unit-sealed", "run", "-c", "rivet.yaml", "--validate")
    part = [f for f in place.files() if f.startswith("s_")]
    assert len(part) == 1 and place.hidden(), place.files()
    os.remove(place.path("out", part[0]))
    conn.execute("DELETE FROM t")  # the source must not be read again
    conn.commit()
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("s"), now)
    assert [f for f in place.files() if f.startswith("s_")] == part
    assert len(runs(place)) == 1


def test_crash_04_spool_gone(place):
    conn, now = make(place, S)
    place.killed("unit-sealed", "run", "-c", "rivet.yaml", "--validate")
    for f in place.files():
        os.remove(place.path("out", f))
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("s"), now)


def test_crash_05_sealed_and_uploaded_s(place):
    conn, now = make(place, S)
    place.killed("unit-sealed", "run", "-c", "rivet.yaml")
    conn.execute("DELETE FROM t")
    conn.commit()
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("s"), now)
    assert len(runs(place)) == 1, runs(place)


def test_crash_05_sealed_and_uploaded_k(place):
    crash(place, K, "unit-sealed:3")


def test_crash_05_sealed_keyset(place):
    crash(place, KEYS, "unit-sealed:2")


def test_crash_06_between_units(place):
    crash(place, K, "unit-committed:3")


def test_crash_06_between_keyset_units(place):
    crash(place, KEYS, "unit-committed:2")


def test_crash_06_part_gone_meanwhile(place):
    conn, now = make(place, K)
    place.killed("unit-committed:3", "run", "-c", "rivet.yaml")
    os.remove(sorted(glob.glob(place.path("out", "k_*_chunk*.parquet")))[0])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("k"), now)


def test_crash_06_keyset_part_gone_meanwhile(place):
    conn, now = make(place, KEYS)
    place.killed("unit-committed:3", "run", "-c", "rivet.yaml")
    os.remove(sorted(glob.glob(place.path("out", "y_*_keyset*.parquet")))[1])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("y"), now)


def test_crash_06_after_reset_chunks(place):
    conn, now = make(place, K)
    place.killed("unit-committed:3", "run", "-c", "rivet.yaml")
    place.rivet("state", "reset-chunks", "-c", "rivet.yaml", "-e", "k", code=0)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("k"), now)
    same_rows(place.glob_rows("k"), now)


def test_crash_07_after_the_final_transaction(place):
    conn = crash(place, S, "after-final")
    assert [s for _, s in runs(place)] == ["success", "success", "success"], runs(place)


def test_crash_08_after_own_manifest(place):
    crash(place, S, "published-own", reader_after_kill="new")


def test_crash_09_after_shared_manifest(place):
    crash(place, S, "published-manifest", reader_after_kill="new")


def test_crash_10_after_marker(place):
    crash(place, S, "published-marker", reader_after_kill="new")
    metrics = place.state().execute("SELECT run_id, count(*) FROM export_metrics GROUP BY run_id").fetchall()
    assert len(metrics) == 3 and all(n == 1 for _, n in metrics), metrics


def test_crash_11_clean_error(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, grp INTEGER NOT NULL, note TEXT)")
    fill(conn, ROWS)
    conn.execute("UPDATE t SET grp = 'four' WHERE id = 4000")
    conn.commit()
    place.config([K])
    r = place.rivet("run", "-c", "rivet.yaml", code=1)
    assert "TEXT 'four'" in r.err and "4000" in r.err, r
    assert place.manifests("k")[-1]["status"] == "failed"
    conn.execute("UPDATE t SET grp = 4 WHERE id = 4000")
    conn.commit()
    place.rivet("run", "-c", "rivet.yaml", "-e", "k", "--resume", code=0)
    same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))
    assert len(runs(place)) == 1


def test_crash_11_sigterm(place):
    conn, now = make(place, dict(K, tuning={"throttle_ms": 3000, "batch_size": 500}, parallel=1))
    p = place.start("run", "-c", "rivet.yaml")
    for _ in range(200):
        time.sleep(0.05)
        if glob.glob(place.path("out", "k_*")):
            break
    p.send_signal(signal.SIGTERM)
    _, err = p.communicate(timeout=60)
    assert p.returncode == 143, (p.returncode, err)
    assert b"--resume" in err, err
    assert place.manifests("k")[-1]["status"] == "interrupted"
    place.config([K])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("k"), now)


def settle_crash(place, first, second):
    conn, now = make(place, S)
    place.killed(first, "run", "-c", "rivet.yaml")
    place.killed(second, "run", "-c", "rivet.yaml")
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("s"), now)
    listed = {p["path"] for m in place.manifests("s") for p in m["parts"] if m["status"] == "success"}
    assert {f for f in place.files() if f.startswith("s_")} == listed
    assert not place.hidden()


def test_crash_12_while_clearing(place):
    settle_crash(place, "part-uploaded", "clear-part")


def test_crash_12_after_clearing(place):
    settle_crash(place, "part-uploaded", "settled-clear")


def test_crash_12_while_abandoning(place):
    settle_crash(place, "part-uploaded", "settled-abandon")


def test_crash_12_while_publishing(place):
    settle_crash(place, "after-final", "settled-publish")


def test_crash_13_stalled_runner_wakes(place):
    conn, now = make(place, S)
    env = {"RIVET_STALL_AT": "part-closed"}
    from lib import FAULTY
    p = place.start("run", "-c", "rivet.yaml", binary=FAULTY, env=env)
    for _ in range(200):
        time.sleep(0.05)
        if open(f"/proc/{p.pid}/stat").read().split(")")[1].split()[0] == "T":
            break
    db = place.state()
    db.execute("UPDATE run_status SET heartbeat_at = '2020-01-01T00:00:00.000Z'")
    db.commit()
    db.close()
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("s"), now)
    p.send_signal(signal.SIGCONT)
    _, err = p.communicate(timeout=60)
    assert p.returncode == 2, (p.returncode, err)
    same_rows(place.dataset("s"), now)
    same_rows(place.glob_rows("s"), now)


def test_crash_14_two_runners_one_state(place):
    conn, now = make(place, dict(S, tuning={"throttle_ms": 3000, "batch_size": 1000}))
    p = place.start("run", "-c", "rivet.yaml")
    for _ in range(100):
        time.sleep(0.05)
        if os.path.exists(place.path(".rivet_state.db")) and place.hidden():
            break
    r = place.rivet("run", "-c", "rivet.yaml", code=2)
    assert str(p.pid) in r.err and "lease" in r.err, r
    p.send_signal(signal.SIGTERM)
    p.communicate(timeout=60)
    place.config([S])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("s"), now)


def test_crash_15_two_states_one_prefix(place):
    conn, now = make(place, S)
    shutil.copytree(place.dir, place.path("twin"))
    shutil.copy(place.path("rivet.yaml"), place.path("twin.yaml"))
    env = {"RIVET_STATE_URL": "sqlite:" + place.path("other.db")}
    a = place.start("run", "-c", "rivet.yaml")
    b = place.start("run", "-c", "rivet.yaml", env=env)
    for p in (a, b):
        _, err = p.communicate(timeout=60)
        assert p.returncode == 0, err
    ms = place.manifests("s")
    assert len(ms) == 2
    names = [p["path"] for m in ms for p in m["parts"]]
    assert len(set(names)) == 2, names
    for m in ms:
        rows = []
        from lib import read_part
        for p in m["parts"]:
            rows += read_part(place.path("out", p["path"]))
        same_rows(rows, now)


def test_crash_16_state_lost(place):
    conn, now = make(place, S)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    old = [f for f in place.files() if f.startswith("s_")]
    for f in glob.glob(place.path(".rivet_state.db*")):
        os.remove(f)
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("s"), now)
    assert set(old) <= set(place.files())


def test_resumed_files_are_those_of_an_undisturbed_run(place):
    """The same stem is impossible in two runs, so the bytes are compared part by part."""
    conn, now = make(place, K)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    whole = {p["path"].split("_chunk")[1]: p["content_fingerprint"] for p in place.manifests("k")[-1]["parts"]}
    time.sleep(1.1)
    place.killed("unit-committed:2", "run", "-c", "rivet.yaml")
    place.killed("part-uploaded:2", "run", "-c", "rivet.yaml")
    place.rivet("run", "-c", "rivet.yaml", code=0)
    resumed = {p["path"].split("_chunk")[1]: p["content_fingerprint"] for p in place.manifests("k")[-1]["parts"]}
    assert whole == resumed
    marker = open(place.path("out", "_SUCCESS")).read()
    assert marker.startswith("xxh3:") and json.load(open(place.path("out", "manifest.json")))["status"] == "success"
