"""reconcile, repair and run --reconcile: what was exported against destination and source."""
import glob
import json
import os
import shutil
import signal
import time

from lib import SIMPLE, fill, read_part, same_rows, table

ROWS = 5000
CHUNK = {"name": "k", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1000}
CKPT = dict(CHUNK, chunk_checkpoint=True, parallel=2)
KEYS = {"name": "y", "table": "t", "mode": "chunked", "chunk_by_key": "id", "chunk_size": 1000,
        "chunk_checkpoint": True}
FULLKEYS = {"name": "f", "table": "t", "chunk_checkpoint": True, "chunk_size": 1000}
FULL = {"name": "s", "table": "t"}
CLI = ("-c", "rivet.yaml", "-e")


def make(place, export, rows=ROWS):
    conn = place.db(SIMPLE)
    fill(conn, rows)
    place.config([export])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    return conn


def rows_of(conn):
    return table(conn, "SELECT * FROM t")


def reconcile(place, export, code):
    r = place.rivet("reconcile", *CLI, export["name"], "--format", "json", code=code)
    return json.loads(r.out)


def repair(place, export, *args, code=0, **kw):
    r = place.rivet("repair", *CLI, export["name"], "--execute", "--json", *args, code=code, **kw)
    return json.loads(r.out)


def newest(place, export):
    good = [m for m in place.manifests(export["name"]) if m["status"] == "success"]
    return good[-1]


def parts(place, export):
    return sorted(glob.glob(place.path("out", export["name"] + "_*.parquet")))


def statuses(report):
    return {d["path"]: d["status"] for d in report["destination"]}


def check_mended(place, export, conn):
    same_rows(place.dataset(export["name"]), rows_of(conn))
    m = newest(place, export)
    good = [p for p in m["parts"] if p["status"] == "committed"]
    assert m["row_count"] == sum(p["rows"] for p in good) and m["part_count"] == len(good), m
    r = reconcile(place, export, 0)
    assert r["summary"]["mismatches"] == r["summary"]["unknown"] == r["summary"]["damaged"] == 0, r
    place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=0)
    return m


def tear(path):
    with open(path, "r+b") as f:
        f.truncate(os.path.getsize(path) - 100)


def rot(path):
    with open(path, "r+b") as f:
        f.seek(200)
        b = f.read(1)
        f.seek(200)
        f.write(bytes([b[0] ^ 0xFF]))


# ---- reconcile ----

def test_match_and_verified_boundary(place):
    make(place, CHUNK)
    before = place.state().execute("SELECT last_verified_run_id FROM export_progression").fetchone()
    assert before == (None,), before
    r = reconcile(place, CHUNK, 0)
    assert r["strategy"] == "chunked" and r["run_id"] == newest(place, CHUNK)["run_id"], r
    assert [p["identifier"] for p in r["partitions"]] == [
        "chunk 0 [..1001)", "chunk 1 [1001..2001)", "chunk 2 [2001..3001)", "chunk 3 [3001..4001)",
        "chunk 4 [4001..5000]"], r["partitions"]
    assert {p["status"] for p in r["partitions"]} == {"match"}, r
    assert r["summary"] == {"total_partitions": 5, "matches": 5, "mismatches": 0, "unknown": 0, "damaged": 0,
                            "total_source_rows": ROWS, "total_exported_rows": ROWS}, r
    after = place.state().execute("SELECT last_verified_run_id FROM export_progression").fetchone()
    assert after == (r["run_id"],), after


def test_text_report(place):
    conn = make(place, CHUNK)
    text = place.rivet("reconcile", *CLI, "k", code=0).out
    assert "status:      MATCH" in text and "5 match" in text, text
    conn.execute("DELETE FROM t WHERE id = 2500")
    conn.commit()
    r = place.rivet("reconcile", *CLI, "k", code=3)
    assert "chunk 2 [2001..3001): source 999, exported 1000" in r.out and "Error:" in r.err, r
    r = place.rivet("reconcile", *CLI, "k", "--json", "-o", "report.json", code=3)
    assert not r.out and json.load(open(place.path("report.json")))["summary"]["mismatches"] == 1, r


def test_counts_per_chunk(place):
    conn = make(place, CHUNK)
    conn.execute("DELETE FROM t WHERE id IN (10, 11)")
    fill(conn, 5, start=-4)       # below the first chunk: its predicate is open below
    fill(conn, 1, start=ROWS + 1)  # above the run's MAX: out of its bounds
    r = reconcile(place, CHUNK, 3)
    p = r["partitions"][0]
    assert (p["source_count"], p["exported_count"], p["status"]) == (1003, 1000, "mismatch"), p
    assert r["summary"]["matches"] == 4 and r["summary"]["mismatches"] == 1, r


def test_null_chunk(place):
    conn = place.db("CREATE TABLE t (id INTEGER, name TEXT NOT NULL, grp INTEGER NOT NULL, note TEXT)")
    fill(conn, 100)
    conn.execute("INSERT INTO t VALUES (NULL, 'a', 1, NULL), (NULL, 'b', 1, NULL)")
    conn.commit()
    place.config([dict(CHUNK, chunk_size=50)])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    r = reconcile(place, CHUNK, 0)
    assert r["partitions"][-1]["identifier"] == "chunk 2 [NULL]", r
    conn.execute("DELETE FROM t WHERE name = 'b'")
    conn.commit()
    r = reconcile(place, CHUNK, 3)
    assert [p["status"] for p in r["partitions"]] == ["match", "match", "mismatch"], r
    repair(place, CHUNK)
    check_mended(place, CHUNK, conn)


def test_keyset_and_full_with_checkpoint(place):
    for export in (KEYS, FULLKEYS):
        conn = make(place, export)
        r = reconcile(place, export, 0)
        assert r["strategy"] == "keyset", r
        assert [p["identifier"] for p in r["partitions"]][:2] == ["keyset 0 (..1000]", "keyset 1 (1000..2000]"], r
        conn.execute("DELETE FROM t WHERE id = 1500")
        conn.commit()
        r = reconcile(place, export, 3)
        assert [p["status"] for p in r["partitions"]][:3] == ["match", "mismatch", "match"], r
        conn.close()
        os.remove(place.path("src.db"))
        os.remove(place.path(".rivet_state.db"))
        shutil.rmtree(place.path("out"))


def test_composite_key(place):
    conn = place.db("CREATE TABLE t (a TEXT NOT NULL, b INTEGER NOT NULL, v TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID")
    conn.executemany("INSERT INTO t VALUES (?, ?, ?)", [(f"g{i // 7:03}", i % 7, str(i)) for i in range(700)])
    conn.commit()
    export = {"name": "c", "table": "t", "chunk_checkpoint": True, "chunk_size": 100}
    place.config([export])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    r = reconcile(place, export, 0)
    assert r["summary"]["total_source_rows"] == 700 and r["summary"]["matches"] >= 7, r
    conn.execute("DELETE FROM t WHERE a = 'g050' AND b = 3")
    conn.commit()
    r = reconcile(place, export, 3)
    assert r["summary"]["mismatches"] == 1 and r["summary"]["total_source_rows"] == 699, r
    repair(place, export)
    assert sorted((x["a"], x["b"]) for x in place.dataset("c")) == sorted(conn.execute("SELECT a, b FROM t")), "rows"
    reconcile(place, export, 0)


def test_full_is_one_partition(place):
    conn = make(place, FULL)
    r = reconcile(place, FULL, 0)
    assert [p["identifier"] for p in r["partitions"]] == ["full"] and r["strategy"] == "full", r
    fill(conn, 1, start=ROWS + 1)
    r = reconcile(place, FULL, 3)
    assert r["partitions"][0]["source_count"] == ROWS + 1, r
    plan = json.loads(place.rivet("repair", *CLI, "s", "--json", code=0).out)
    assert plan["actions"] == [] and plan["skipped"][0].startswith("full: "), plan


def test_incremental_compares_the_destination_only(place):
    x = {"name": "i", "table": "t", "mode": "incremental", "cursor_column": "id"}
    make(place, x)
    r = reconcile(place, x, 0)
    assert r["partitions"] == [] and set(statuses(r).values()) == {"ok"}, r
    assert "rivet run -e i --reconcile" in place.rivet("reconcile", *CLI, "i", code=0).out
    os.remove(parts(place, x)[0])
    r = reconcile(place, x, 3)
    assert list(statuses(r).values()) == ["missing"] and r["summary"]["damaged"] == 1, r


def test_destination_statuses(place):
    make(place, CHUNK)
    p = parts(place, CHUNK)
    os.remove(p[0])
    tear(p[1])
    rot(p[2])
    shutil.copy(p[3], p[3].replace("_chunk3", "_chunk77"))  # bears the stem, listed nowhere
    shutil.copy(p[3], place.path("out", "somebody_else.parquet"))
    r = reconcile(place, CHUNK, 3)
    names = [os.path.basename(x) for x in p]
    s = statuses(r)
    assert [s[n] for n in names] == ["missing", "size_mismatch", "checksum_mismatch", "ok", "ok"], s
    assert s[names[3].replace("_chunk3", "_chunk77")] == "untracked", s
    assert "somebody_else.parquet" not in s and r["summary"]["damaged"] == 3, r


def test_untracked_alone_is_no_failure(place):
    make(place, CHUNK)
    p = parts(place, CHUNK)[3]
    shutil.copy(p, p.replace("_chunk3", "_chunk77"))
    r = reconcile(place, CHUNK, 0)
    assert "untracked" in statuses(r).values(), r


def test_swapped_parts_of_one_size(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL)")
    conn.executemany("INSERT INTO t VALUES (?, ?)", [(i, "%04d" % (i % 7)) for i in range(1, 201)])
    conn.commit()
    x = dict(CHUNK, chunk_size=100, format="csv")
    place.config([x])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    a, b = sorted(glob.glob(place.path("out", "k_*_chunk*.csv")))
    one, two = open(a, "rb").read(), open(b, "rb").read()
    open(a, "wb").write(two)
    open(b, "wb").write(one)
    r = reconcile(place, x, 3)
    assert set(statuses(r).values()) <= {"checksum_mismatch", "size_mismatch"}, r
    out = repair(place, x)
    assert out["summary"] == {"planned": 2, "executed": 2, "skipped": 0, "failed": 0, "rows_written": 200}, out
    reconcile(place, x, 0)
    assert len(glob.glob(place.path("out", "_quarantine", out["repair_run_id"], "*"))) == 2, place.files()


def test_neither_manifest_nor_run(place):
    place.db(SIMPLE)
    place.config([CHUNK])
    for cmd in ("reconcile", "repair"):
        r = place.rivet(cmd, *CLI, "k", code=1)
        assert "Error:" in r.err and not r.out, r


def test_without_state_the_manifest_still_counts(place):
    make(place, CHUNK)
    os.remove(place.path(".rivet_state.db"))
    r = reconcile(place, CHUNK, 0)
    assert len(r["destination"]) == 5 and r["partitions"] == [], r


def test_changed_plan_is_unknown(place):
    make(place, CHUNK)
    x = {k: v for k, v in CHUNK.items() if k != "table"}
    place.config([dict(x, query="SELECT * FROM t WHERE id <> 7")])
    r = reconcile(place, x, 0)
    assert {p["status"] for p in r["partitions"]} == {"unknown"} and all(p["note"] for p in r["partitions"]), r
    assert place.state().execute("SELECT last_verified_run_id FROM export_progression").fetchone() == (None,)
    e = place.rivet("repair", *CLI, "k", "--execute", code=5)
    assert "changed since run" in e.err, e


def test_unfinished_run_is_unknown(place):
    conn = place.db(SIMPLE)
    fill(conn, ROWS)
    for x in (CKPT, KEYS):
        place.config([x])
        place.killed("unit-committed:2", "run", "-c", "rivet.yaml")
        r = reconcile(place, x, 0)
        assert r["summary"]["unknown"] >= 1 and r["summary"]["mismatches"] == 0, r
        out = repair(place, x)
        assert out["summary"]["failed"] == 0 and out["summary"]["executed"] >= 1, out
        check_mended(place, x, conn)
        open_checkpoints = place.state().execute("SELECT count(*) FROM chunk_run WHERE status='in_progress'").fetchone()
        assert open_checkpoints == (0,), open_checkpoints
        time.sleep(1.1)
        place.rivet("run", "-c", "rivet.yaml", code=0)  # clears nothing that the repair lists
        same_rows(place.dataset(x["name"]), rows_of(conn))
        assert all(os.path.exists(place.path("out", p["path"])) for m in place.manifests(x["name"])
                   if m["status"] == "success" for p in m["parts"]), place.files()


# ---- repair ----

def test_plan_changes_nothing(place):
    conn = make(place, CHUNK)
    conn.execute("DELETE FROM t WHERE id = 2500")
    conn.commit()
    os.remove(parts(place, CHUNK)[4])
    files = place.files()
    plan = json.loads(place.rivet("repair", *CLI, "k", "--json", code=0).out)
    assert plan["actions"] == [
        {"chunk_index": 2, "start_key": "2001", "end_key": "3001", "reason": "mismatch"},
        {"chunk_index": 4, "start_key": "4001", "end_key": "5000", "reason": "missing"}], plan
    assert "results" not in plan and place.files() == files, plan
    assert len(place.state().execute("SELECT * FROM run_status").fetchall()) == 1
    text = place.rivet("repair", *CLI, "k", code=0).out
    assert "--execute" in text and "chunk2" in text, text


def test_pilot_damage_found_located_mended(place):
    """validate finds it, reconcile locates it, repair mends it, the dataset equals the source."""
    conn = make(place, CHUNK)
    damaged = parts(place, CHUNK)[3]
    rot(damaged)
    place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=3)
    r = reconcile(place, CHUNK, 3)
    assert statuses(r)[os.path.basename(damaged)] == "checksum_mismatch", r
    old = newest(place, CHUNK)
    out = repair(place, CHUNK)
    assert out["actions"][0]["chunk_index"] == 3 and out["results"][0]["outcome"] == "executed", out
    m = check_mended(place, CHUNK, conn)
    by = {p["path"]: p["status"] for p in m["parts"]}
    name = os.path.basename(damaged)
    assert by[name] == "superseded" and by[name.replace("_chunk3", "_chunk3_repair1")] == "committed", by
    assert m["run_id"] == out["repair_run_id"] != old["run_id"], m
    assert os.path.exists(place.path("out", "_quarantine", out["repair_run_id"], name)), place.files()
    assert not os.path.exists(damaged)
    modes = place.state().execute("SELECT mode, status FROM run_status ORDER BY started_at").fetchall()
    assert modes == [("chunked", "success"), ("repair", "success")], modes
    committed = place.state().execute("SELECT last_committed_run_id FROM export_progression").fetchone()
    assert committed == (old["run_id"],), committed
    verified = place.state().execute("SELECT last_verified_run_id FROM export_progression").fetchone()
    assert verified == (old["run_id"],), verified  # by the reconcile that found everything mended


def test_keyset_repair_names_the_unit(place):
    conn = make(place, KEYS)
    os.remove(parts(place, KEYS)[2])
    conn.execute("DELETE FROM t WHERE id = 700")
    conn.commit()
    out = repair(place, KEYS)
    assert [(a["chunk_index"], a["unit"]) for a in out["actions"]] == [(None, "keyset0"), (None, "keyset2")], out
    m = check_mended(place, KEYS, conn)
    assert any("_keyset2_repair1" in p["path"] for p in m["parts"]), m


def test_replaced_intact_part_is_kept(place):
    conn = make(place, CHUNK)
    conn.execute("DELETE FROM t WHERE id = 2500")
    conn.commit()
    old = parts(place, CHUNK)[2]
    repair(place, CHUNK)
    assert os.path.exists(old)
    check_mended(place, CHUNK, conn)


def test_two_repairs_in_a_row(place):
    conn = make(place, CHUNK)
    for g in (1, 2, 3):
        conn.execute("DELETE FROM t WHERE id = ?", (2500 + g,))
        conn.commit()
        time.sleep(0.01)
        repair(place, CHUNK)
        m = check_mended(place, CHUNK, conn)
        good = [p["path"] for p in m["parts"] if p["status"] == "committed" and "_chunk2" in p["path"]]
        assert len(good) == 1 and good[0].endswith(f"_chunk2_repair{g}.parquet"), good
    stems = {p["path"].split("_chunk")[0] for p in m["parts"]}
    assert len(stems) == 1, stems


def test_damaged_repair_part_is_repaired_again(place):
    conn = make(place, CHUNK)
    os.remove(parts(place, CHUNK)[1])
    repair(place, CHUNK)
    rot([p for p in parts(place, CHUNK) if "_repair1" in p][0])
    out = repair(place, CHUNK)
    assert out["actions"][0]["reason"] == "checksum_mismatch", out
    m = check_mended(place, CHUNK, conn)
    assert any("_chunk1_repair2" in p["path"] and p["status"] == "committed" for p in m["parts"]), m


def test_nothing_to_repair(place):
    conn = make(place, CHUNK)
    before = newest(place, CHUNK)
    out = repair(place, CHUNK)
    assert out["summary"] == {"planned": 0, "executed": 0, "skipped": 0, "failed": 0, "rows_written": 0}, out
    assert newest(place, CHUNK)["run_id"] == before["run_id"]
    check_mended(place, CHUNK, conn)


def test_untracked_goes_to_quarantine_foreign_stays(place):
    make(place, CHUNK)
    p = parts(place, CHUNK)[3]
    stray = p.replace("_chunk3", "_chunk77")
    shutil.copy(p, stray)
    shutil.copy(p, place.path("out", "foreign.parquet"))
    out = repair(place, CHUNK)
    assert not os.path.exists(stray)
    assert os.path.exists(place.path("out", "_quarantine", out["repair_run_id"], os.path.basename(stray)))
    assert os.path.exists(place.path("out", "foreign.parquet"))
    assert any("untracked" in s for s in out["skipped"]), out


def test_report_file(place):
    conn = make(place, CHUNK)
    conn.execute("DELETE FROM t WHERE id = 2500")
    conn.commit()
    place.rivet("reconcile", *CLI, "k", "--json", "-o", "r.json", code=3)
    r = json.load(open(place.path("r.json")))
    r["more"] = {"unknown": 1}
    place.write("r.json", json.dumps(r))
    out = repair(place, CHUNK, "--report", "r.json")
    assert [a["chunk_index"] for a in out["actions"]] == [2], out
    check_mended(place, CHUNK, conn)
    e = place.rivet("repair", *CLI, "k", "--report", "r.json", code=5)  # of the run before the repair
    assert "is of run" in e.err, e


def test_report_of_the_original(place):
    conn = make(place, CHUNK)
    run = newest(place, CHUNK)["run_id"]
    place.write("r.json", json.dumps({
        "export_name": "k", "run_id": run, "strategy": "chunked", "partitions": [
            {"identifier": "chunk 1 [1001..2000]", "source_count": 1, "exported_count": 2, "status": "mismatch"},
            {"identifier": "chunk x", "source_count": None, "exported_count": 2, "status": "unknown"},
            {"identifier": "chunk 99 [1..2]", "status": "mismatch"},
            {"identifier": "chunk 2 [2001..3000]", "status": "match"}]}))
    out = repair(place, CHUNK, "--report", "r.json")
    assert out["actions"] == [{"chunk_index": 1, "start_key": "1001", "end_key": "2001", "reason": "mismatch"}], out
    assert [s.split(":")[0] for s in out["skipped"]] == ["chunk x", "chunk 99 [1..2]"], out
    check_mended(place, CHUNK, conn)


def test_tampered_reports_are_refused(place):
    make(place, CHUNK)
    run = newest(place, CHUNK)["run_id"]
    good = {"export_name": "k", "run_id": run, "partitions": []}
    for bad in ("", "{", "[]", "null", json.dumps(dict(good, export_name="other")),
                json.dumps(dict(good, run_id="k_20200101T000000.000")), json.dumps(dict(good, partitions={})),
                json.dumps(dict(good, partitions=[{"identifier": 3, "status": "mismatch"}])),
                json.dumps(dict(good, destination=[{"path": None, "status": "missing"}])),
                json.dumps(dict(good, partitions=[1, 2]))):
        place.write("bad.json", bad)
        place.rivet("repair", *CLI, "k", "--report", "bad.json", "--execute", code=5)
    place.rivet("repair", *CLI, "k", "--report", "none.json", code=5)
    # a report may name anything as untracked: only what is so by today's listing moves
    name = os.path.basename(parts(place, CHUNK)[0])
    place.write("evil.json", json.dumps(dict(good, destination=[
        {"path": name, "status": "untracked"}, {"path": "../src.db", "status": "untracked"},
        {"path": "manifest.json", "status": "untracked"}, {"path": "../src.db", "status": "missing"}])))
    out = repair(place, CHUNK, "--report", "evil.json")
    assert out["summary"]["planned"] == 0 and os.path.exists(place.path("src.db")), out
    assert name in place.files() and "manifest.json" in place.files() and "_quarantine" not in place.files()


def test_live_lease(place):
    conn = place.db(SIMPLE)
    fill(conn, ROWS)
    place.config([dict(CKPT, parallel=1, tuning={"throttle_ms": 3000, "batch_size": 200})])
    p = place.start("run", "-c", "rivet.yaml")
    for _ in range(200):
        time.sleep(0.05)
        if glob.glob(place.path("out", ".rivet-tmp-*")) or glob.glob(place.path("out", "k_*")):
            break
    r = place.rivet("repair", *CLI, "k", "--execute", code=2)
    assert "holds the lease" in r.err, r
    p.send_signal(signal.SIGTERM)
    p.communicate(timeout=60)


def test_failed_reconcile_stays_open_for_repair(place):
    conn = place.db(SIMPLE)
    fill(conn, ROWS)
    place.config([CKPT])
    place.killed("unit-committed:5", "run", "-c", "rivet.yaml", "--reconcile")
    conn.execute("DELETE FROM t WHERE id = 2500")  # its chunk may be committed already
    conn.execute("DELETE FROM t WHERE id = 100")
    conn.commit()
    r = place.rivet("run", "-c", "rivet.yaml")  # repeats the check it was ever asked for
    assert r.code == 3 and "reconcile:   MISMATCH (exported" in r.err, r
    state = place.state().execute("SELECT status FROM chunk_run").fetchall()
    assert state == [("in_progress",)], state
    assert not any(m["status"] == "success" for m in place.manifests("k"))
    out = repair(place, CKPT)
    assert out["summary"]["executed"] >= 1, out
    check_mended(place, CKPT, conn)
    assert place.state().execute("SELECT status FROM chunk_run").fetchall() == [("completed",)]
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("k"), rows_of(conn))


def test_spool_is_uploaded_without_reading(place):
    conn = place.db(SIMPLE)
    fill(conn, ROWS)
    place.config([CKPT | {"parallel": 1}])
    want = rows_of(conn)
    place.killed("unit-sealed:5", "run", "-c", "rivet.yaml", "--validate")
    out = repair(place, CKPT)
    assert out["summary"]["planned"] == 0 and out["summary"]["executed"] == 0, out  # all five were sealed
    same_rows(place.dataset("k"), want)
    check_mended(place, CKPT, conn)


def test_keyset_incremental_is_refused(place):
    x = {"name": "n", "table": "t", "mode": "chunked", "chunk_by_key": "id", "chunk_size": 1000,
         "chunk_checkpoint": True, "keyset_incremental": True}
    make(place, x)
    os.remove(parts(place, x)[0])
    r = place.rivet("repair", *CLI, "n", "--execute", code=1)
    assert "keyset_incremental" in r.err, r


POINTS = ["lease-taken", "part-writing", "part-intent", "part-uploaded", "unit-sealed", "unit-committed",
          "repair-mended", "repair-before-final", "repair-after-final", "published-own", "published-manifest",
          "published-marker", "repair-quarantined", "repair-swept"]


def killed_repair(place, export, point, then):
    conn = make(place, export)
    damaged = parts(place, export)
    rot(damaged[1])
    conn.execute("DELETE FROM t WHERE id = 3500")
    conn.commit()
    time.sleep(0.01)
    place.killed(point, "repair", *CLI, export["name"], "--execute")
    rows = [r for p in newest(place, export)["parts"] if p["status"] == "committed"
            for r in ([] if p["path"] == os.path.basename(damaged[1]) else read_part(place.path("out", p["path"])))]
    ids = [r["id"] for r in rows]
    assert len(ids) == len(set(ids)), "doubles for a manifest reader"
    if then == "repair":
        repair(place, export)
        check_mended(place, export, conn)
    else:
        time.sleep(1.1)
        place.rivet("run", "-c", "rivet.yaml", code=0)
        same_rows(place.dataset(export["name"]), rows_of(conn))
    assert not place.hidden(), place.hidden()
    listed = {p["path"] for m in place.manifests(export["name"]) for p in m["parts"]}
    on_disk = {f for f in place.files() if f.startswith(export["name"] + "_")}
    assert on_disk <= listed, on_disk - listed
    statuses_left = place.state().execute("SELECT count(*) FROM run_status WHERE status IN ('running','unpublished')")
    assert statuses_left.fetchone() == (0,)


def test_killed_repair_is_repaired(place):
    for point in POINTS:
        killed_repair(place, CHUNK, point, "repair")
        wipe(place)


def test_killed_repair_then_run(place):
    for point in POINTS[2::3]:
        killed_repair(place, KEYS, point, "run")
        wipe(place)


def wipe(place):
    for f in os.listdir(place.dir):
        p = place.path(f)
        shutil.rmtree(p) if os.path.isdir(p) else os.remove(p)


def test_killed_repair_of_an_open_checkpoint(place):
    for point in ("repair-settled", "unit-committed", "repair-mended", "repair-after-final", "published-manifest"):
        for then in ("repair", "run"):
            conn = place.db(SIMPLE)
            fill(conn, ROWS)
            place.config([CKPT])
            place.killed("unit-committed:2", "run", "-c", "rivet.yaml")
            place.killed(point, "repair", *CLI, "k", "--execute")
            if then == "repair":
                repair(place, CKPT)
            else:
                place.rivet("run", "-c", "rivet.yaml", code=0)
            same_rows(place.dataset("k"), rows_of(conn))
            conn.close()
            wipe(place)


# ---- run --reconcile ----

def test_run_reconcile_matches(place):
    conn = place.db(SIMPLE)
    fill(conn, ROWS)
    for x in (FULL, CHUNK, CKPT, KEYS, FULLKEYS, dict(KEYS, name="p", parallel=3),
              {"name": "i", "table": "t", "mode": "incremental", "cursor_column": "id"}):
        place.config([x])
        r = place.rivet("run", "-c", "rivet.yaml", "--reconcile", "--json", code=0)
        assert f"reconcile:   MATCH ({ROWS}/{ROWS})" in r.err and "validated:   pass" in r.err, (x, r)
        assert json.loads(r.out)["per_export"][0]["reconciled"] is True, r.out
        m = newest(place, x)
        assert m["source"]["extraction"]["source_row_count"] == ROWS, m
        metric = place.state().execute("SELECT reconciled, source_count, validated FROM export_metrics "
                                       "WHERE run_id = ?", (m["run_id"],)).fetchone()
        assert metric == (1, ROWS, 1), metric
        journal = place.state().execute("SELECT journal_json FROM run_journal WHERE run_id = ?",
                                        (m["run_id"],)).fetchone()[0]
        entry = [e for e in json.loads(journal) if e["event"] == "reconciliation_result"]
        assert len(entry) == 1 and entry[0]["matched"] is True and entry[0]["source_count"] == ROWS, entry


def test_run_reconcile_incremental_ties(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, v TEXT);"
                    "CREATE INDEX t_at ON t(at);")
    conn.executemany("INSERT INTO t VALUES (?, ?, ?)", [(i, i // 10, "x") for i in range(1, 105)])
    conn.commit()
    x = {"name": "i", "table": "t", "mode": "incremental", "cursor_column": "at"}
    place.config([x])
    place.rivet("run", "-c", "rivet.yaml", "--reconcile", code=0)
    conn.executemany("INSERT INTO t VALUES (?, ?, ?)", [(i, i // 10, "y") for i in range(105, 131)])
    conn.commit()
    time.sleep(1.1)
    r = place.rivet("run", "-c", "rivet.yaml", "--reconcile", code=0)  # 5 rows of value 10 are met again
    assert "reconcile:   MATCH (26/26)" in r.err, r
    time.sleep(1.1)
    r = place.rivet("run", "-c", "rivet.yaml", "--reconcile", code=0)
    assert "MATCH (0/0)" in r.err, r


def test_run_reconcile_mismatch_single_unit(place):
    """A trigger-free way to make source and export differ: the sealed unit is counted after a change."""
    conn = place.db(SIMPLE)
    fill(conn, ROWS)
    place.config([FULL])
    place.killed("unit-sealed", "run", "-c", "rivet.yaml", "--reconcile")
    conn.execute("DELETE FROM t WHERE id < 3")
    conn.commit()
    r = place.rivet("run", "-c", "rivet.yaml")
    assert r.code == 3 and f"MISMATCH (exported {ROWS}, source {ROWS - 2})" in r.err, r
    assert not any(m["status"] == "success" for m in place.manifests("s"))
    status = place.state().execute("SELECT status, error_class FROM export_metrics").fetchall()
    assert status == [("failed", "data_integrity")], status
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", "--reconcile", code=0)  # nothing to resume: read anew
    same_rows(place.dataset("s"), rows_of(conn))


def test_superseded_leftovers_are_tried_again(place):
    conn = make(place, CHUNK)
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    left = os.path.basename(parts(place, CHUNK)[0])
    with place.state() as state:  # as if the store had refused to let it go
        state.execute("UPDATE file_log SET status = 'superseded', listed_by = NULL WHERE file_name = ?", (left,))
    repair(place, CHUNK)
    assert left not in place.files()
    status = place.state().execute("SELECT status FROM file_log WHERE file_name = ?", (left,)).fetchone()
    assert status == ("removed",), status
    check_mended(place, CHUNK, conn)


def test_interrupted_repair(place):
    conn = make(place, CHUNK)
    conn.execute("DELETE FROM t WHERE id % 1000 = 5")
    conn.commit()
    place.config([dict(CHUNK, tuning={"throttle_ms": 2000, "batch_size": 200})])
    p = place.start("repair", *CLI, "k", "--execute", "--json")
    for _ in range(400):
        time.sleep(0.05)
        if place.hidden() or any("_repair1" in f for f in place.files()):
            break
    p.send_signal(signal.SIGTERM)
    p.communicate(timeout=60)
    assert p.returncode == 143, p.returncode
    state = place.state().execute("SELECT status FROM run_status WHERE mode = 'repair'").fetchall()
    assert state == [("interrupted",)], state
    place.config([CHUNK])
    repair(place, CHUNK)
    check_mended(place, CHUNK, conn)


def test_a_range_that_fails_leaves_the_others_mended(place):
    conn = make(place, CHUNK)
    conn.execute("UPDATE t SET grp = 'four' WHERE id = 1500")
    conn.execute("DELETE FROM t WHERE id IN (1600, 2500)")
    conn.commit()
    out = repair(place, CHUNK, code=1)
    assert [(r["chunk_index"], r["outcome"]) for r in out["results"]] == [(1, "failed"), (2, "executed")], out
    assert "four" in out["results"][0]["error"] and out["results"][1]["error"] is None, out
    assert newest(place, CHUNK)["degraded"] is True
    conn.execute("UPDATE t SET grp = 4 WHERE id = 1500")
    conn.commit()
    out = repair(place, CHUNK)
    assert [a["chunk_index"] for a in out["actions"]] == [1], out
    ids = [r["id"] for r in place.dataset("k")]
    assert sorted(ids) == [r[0] for r in conn.execute("SELECT id FROM t ORDER BY id")]


def test_date_and_run_id_in_the_path(place):
    conn = place.db(SIMPLE)
    fill(conn, ROWS)
    x = dict(CHUNK, destination={"type": "local", "path": "./out/{date}/{run_id}"})
    place.config([x])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    os.remove(glob.glob(place.path("out", "*", "*", "k_*_chunk1.parquet"))[0])
    out = repair(place, x)
    assert out["summary"]["executed"] == 1, out
    reconcile(place, x, 0)
    folders = glob.glob(place.path("out", "*", "*"))
    assert len(folders) == 1, folders
    same_rows(place.dataset("k", out=os.path.relpath(folders[0], place.dir)), rows_of(conn))
    place.rivet("validate", "-c", "rivet.yaml", code=0)
