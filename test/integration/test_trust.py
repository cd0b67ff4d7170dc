"""What the crash table assumes of the world: no right to delete, wrong owners, later runs of others,
content that must be checked, columns that change under an override."""
import glob
import json
import os
import shutil
import subprocess
import time

import lib
from lib import SIMPLE, Skip, fill, read_part, same_rows, table

NOBODY = 65534
S = {"name": "s", "table": "t"}
K = {"name": "k", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 250, "chunk_checkpoint": True}
INC = {"name": "i", "table": "t", "mode": "incremental", "cursor_column": "id"}


def make(place, *exports, rows=1000):
    conn = place.db(SIMPLE)
    fill(conn, rows)
    place.config(list(exports))
    return conn


def run(place, code, *args, **kw):
    return place.rivet("run", "-c", "rivet.yaml", *args, code=code, **kw)


# --- without the right to delete ------------------------------------------------------------------


def as_nobody(place, code, *args, out="out"):
    """A directory with the sticky bit: anybody may add, only the owner may remove."""
    if os.getuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv to run without the right to delete")
    binary = place.path("rivet-copy")
    shutil.copy(lib.RIVET, binary)
    os.chmod(binary, 0o755)
    subprocess.run(["chown", "-R", str(NOBODY), place.path(".rivet")], check=True)
    for f in glob.glob(place.path(".rivet_state.db*")) + [place.dir]:
        os.chown(f, NOBODY, -1)
    os.chmod(place.path(out), 0o1777)
    p = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", binary, *args], cwd=place.dir,
                       capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False,
                       env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"})
    r = lib.Result(p.returncode, p.stdout, p.stderr)
    assert r.code == code, f"wanted exit {code}, got {r}"
    return r


def parts(place, out="out"):
    return {f for f in place.files(out) if f.endswith(".parquet") and not f.startswith(".")}


def superseded(place, export):
    return {p["path"] for m in place.manifests(export) for p in m["parts"] if p["status"] == "superseded"}


def test_a_part_that_may_not_be_removed_is_superseded(place):
    conn = make(place, S)
    place.killed("part-uploaded", "run", "-c", "rivet.yaml")
    dead = parts(place)
    assert len(dead) == 1
    r = as_nobody(place, 0, "run", "-c", "rivet.yaml")
    assert f"{min(dead)} of run" in r.err and "may not be removed; it is superseded" in r.err, r
    assert superseded(place, "s") == dead, place.manifests("s")
    assert [m["status"] for m in place.manifests("s")] == ["failed", "success"]
    same_rows(place.dataset("s"), table(conn, "SELECT * FROM t"))
    assert place.state().execute("SELECT cleared FROM run_status ORDER BY started_at").fetchone() == (1,)
    place.rivet("validate", "-c", "rivet.yaml", code=0)
    assert parts(place) > dead  # a globbing reader goes on meeting it


def test_a_unit_that_may_not_be_replaced_takes_another_name(place):
    conn = make(place, K)
    place.killed("part-uploaded:2", "run", "-c", "rivet.yaml")
    before = parts(place)
    assert len(before) == 2
    conn.execute("UPDATE t SET name = 'changed' WHERE id = 300")  # the second chunk reads differently
    conn.commit()
    r = as_nobody(place, 0, "run", "-c", "rivet.yaml")
    assert "is continued" in r.err and "goes on under another name" in r.err, r
    same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))
    old = max(before)
    assert superseded(place, "k") == {old}, (superseded(place, "k"), before)
    assert parts(place) > before


def test_shared_names_that_may_not_be_replaced_stay(place):
    conn = make(place, S)
    run(place, 0)
    first = open(place.path("out", "manifest.json"), "rb").read()
    fill(conn, 10, start=2000)
    time.sleep(1.1)
    r = as_nobody(place, 0, "run", "-c", "rivet.yaml")
    assert r.err.count("stays as it is") == 2 or r.err.count("stays as it is") == 1, r
    assert open(place.path("out", "manifest.json"), "rb").read() == first
    same_rows(place.dataset("s"), table(conn, "SELECT * FROM t"))  # by manifest-*.json
    assert place.state().execute("SELECT status FROM run_status ORDER BY started_at DESC").fetchone() == ("success",)


# --- owner facts ----------------------------------------------------------------------------------


def test_a_moved_database_is_accepted(place):
    conn = make(place, INC)
    run(place, 0)
    conn.close()
    os.rename(place.path("src.db"), place.path("moved.db"))
    place.config([INC], source="moved.db")
    r = run(place, 5)
    assert "src.db" in r.err and "moved.db" in r.err and "state accept" in r.err, r
    place.rivet("state", "accept", "-c", "rivet.yaml", "-e", "i", "--yes", code=0)
    conn = place.db(name="moved.db")
    fill(conn, 5, start=5000)
    run(place, 0)
    assert place.manifests("i")[-1]["row_count"] == 5  # the cursor went on
    same_rows(place.dataset("i", incremental=True), table(conn, "SELECT * FROM t"))


def test_a_checkpoint_of_a_moved_database_is_accepted(place):
    conn = make(place, K)
    place.killed("unit-committed:2", "run", "-c", "rivet.yaml")
    conn.close()
    os.rename(place.path("src.db"), place.path("moved.db"))
    place.config([K], source="moved.db")
    r = run(place, 5)
    assert "state accept" in r.err or "chunk checkpoint of export 'k' in progress" in r.err, r
    assert len(parts(place)) == 2
    place.rivet("state", "accept", "-c", "rivet.yaml", "-e", "k", "--yes", code=0)
    r = run(place, 0)
    assert "is continued" in r.err, r
    same_rows(place.dataset("k"), table(place.db(name="moved.db"), "SELECT * FROM t"))


# --- somebody was there meanwhile -----------------------------------------------------------------


def test_a_later_run_completed_the_prefix(place):
    conn = make(place, K)
    place.killed("unit-committed:2", "run", "-c", "rivet.yaml")
    time.sleep(1.1)
    other = {"RIVET_STATE_URL": "sqlite:" + place.path("other.db")}
    run(place, 0, env=other)
    listed = parts(place)
    r = run(place, 5)
    assert "completed this prefix" in r.err and "--force" in r.err, r
    assert parts(place) == listed  # nothing was deleted
    run(place, 5, "-e", "k", "--resume")
    r = run(place, 0, "-e", "k", "--resume", "--force")
    assert "is continued" in r.err, r
    good = [m for m in place.manifests("k") if m["status"] == "success"]
    assert len(good) == 2
    for m in good:
        rows = [x for p in m["parts"] for x in read_part(place.path("out", p["path"]))]
        same_rows(rows, table(conn, "SELECT * FROM t"))


def test_parts_swapped_between_chunks_before_a_resume(place):
    conn = make(place, K)
    place.killed("unit-committed:3", "run", "-c", "rivet.yaml")
    a, b = sorted(parts(place))[:2]
    os.rename(place.path("out", a), place.path("out", "x"))
    os.rename(place.path("out", b), place.path("out", a))
    os.rename(place.path("out", "x"), place.path("out", b))
    assert os.path.getsize(place.path("out", a)) != os.path.getsize(place.path("out", b))
    r = run(place, 0)
    assert f"{a} is not what was written" in r.err and f"{b} is not what was written" in r.err, r
    same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))
    place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=0)
    assert {a, b} < parts(place)  # no longer ours by content: left where they are


def test_truncated_part_before_a_resume(place):
    conn = make(place, K)
    place.killed("unit-committed:3", "run", "-c", "rivet.yaml")
    a = min(parts(place))
    os.truncate(place.path("out", a), 100)
    r = run(place, 0)
    assert f"{a} is not what was written" in r.err, r
    same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))
    place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=0)


def test_a_marker_of_another_export_in_a_shared_prefix(place):
    conn = make(place, S, K)
    run(place, 0)  # k published last
    same_rows(place.dataset("s"), table(conn, "SELECT * FROM t"))
    r = place.rivet("validate", "-c", "rivet.yaml", "-e", "s", "--format", "json", code=0)
    assert "another export" in r.out or "marker" in r.out, r
    place.killed("unit-committed:2", "run", "-c", "rivet.yaml", "-e", "k")
    run(place, 0, "-e", "s")  # its marker is no later run of k
    run(place, 0, "-e", "k")
    same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))


def test_a_state_from_the_future_touches_nothing(place):
    make(place, S)
    run(place, 0)
    before = {f: os.path.getmtime(place.path("out", f)) for f in place.files()}
    state = place.state()
    state.execute("INSERT INTO schema_version VALUES (99, '2099-01-01T00:00:00Z', '9.9.9')")
    state.commit()
    state.close()
    r = run(place, 5)
    assert "99" in r.err, r
    assert {f: os.path.getmtime(place.path("out", f)) for f in place.files()} == before


# --- verify: content ------------------------------------------------------------------------------


def flip(path):
    """One byte of data in the middle, size and footer as they were."""
    with open(path, "r+b") as f:
        f.seek(os.path.getsize(path) // 3)
        b = f.read(1)
        f.seek(-1, 1)
        f.write(bytes([b[0] ^ 1]))


def content(place, export):
    make(place, export, rows=5000)
    run(place, 0, "--validate")
    doc = json.loads(place.rivet("validate", "-c", "rivet.yaml", "--format", "json", code=0).out)
    flip(place.path("out", [f for f in place.files() if f.startswith("s_")][0]))
    return doc["exports"][0]["verification"]


def test_content_is_checked_without_the_depth(place):
    seen = content(place, {**S, "verify": "content"})
    assert seen["parts_md5_verified"] == seen["parts_verified"] == 1, seen
    r = place.rivet("validate", "-c", "rivet.yaml", code=3)
    assert "part_checksum_mismatch" in r.out + r.err, r


def test_content_of_csv_too(place):
    content(place, {**S, "verify": "content", "format": "csv"})
    r = place.rivet("validate", "-c", "rivet.yaml", code=3)
    assert "part_checksum_mismatch" in r.out + r.err, r


def test_size_alone_sees_less(place):
    seen = content(place, S)
    assert seen["parts_md5_verified"] == 0, seen
    place.rivet("validate", "-c", "rivet.yaml", code=0)
    place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=3)


# --- columns that change under an override --------------------------------------------------------


def test_an_override_changes_the_type(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, price REAL)")
    conn.executemany("INSERT INTO t VALUES (?,?)", [(i, i * 0.25) for i in range(100)])
    conn.commit()
    x = {"name": "s", "table": "t", "meta_columns": {"row_hash": True}}
    place.config([x])
    run(place, 0)
    place.config([{**x, "columns": {"price": "text"}, "on_schema_drift": "fail"}])
    r = run(place, 4)
    assert "type changed: price (Float64 -> Utf8)" in r.err, r
    place.config([{**x, "columns": {"price": "text"}, "quality": {"unique_columns": ["price", "_rivet_row_hash"]}}])
    r = run(place, 0)
    assert "[WARN]   type changed: price (Float64 -> Utf8)" in r.err and "schema:      CHANGED" in r.err, r
    assert "quality:     pass" in r.err, r
    assert "schema:      unchanged" in run(place, 0).err


def test_an_override_of_a_column_that_went(place):
    conn = make(place, {**S, "columns": {"note": "text"}})
    run(place, 0)
    conn.execute("ALTER TABLE t DROP COLUMN note")
    conn.commit()
    r = run(place, 1)
    assert "note" in r.err and "rivet.yaml:" in r.err, r
    place.config([S])
    r = run(place, 0)
    assert "removed columns: note" in r.err, r


def test_drift_in_a_checkpoint_needs_a_decision(place):
    conn = make(place, K)
    place.killed("unit-committed:2", "run", "-c", "rivet.yaml")
    conn.execute("ALTER TABLE t ADD COLUMN phone TEXT")
    conn.commit()
    r = run(place, 5)
    assert "chunk checkpoint of export 'k' in progress" in r.err and "reset-chunks" in r.err, r
    place.rivet("state", "reset-chunks", "-c", "rivet.yaml", "-e", "k", code=0)
    run(place, 0)
    same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))
    assert len(parts(place)) == 4  # those of the dropped run are gone
