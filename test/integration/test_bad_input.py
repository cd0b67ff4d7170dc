"""Bad input of every kind: a clear error that names file, place and remedy, the right exit code,
the position unmoved, no temporary file, everything published before untouched."""
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import lib
from lib import SIMPLE, Skip, fill, same_rows, table

NOBODY = 65534
QUICK = "throttle_ms: 0, retry_backoff_ms: 1, lock_timeout_s: 1, max_retries: 2"
INC = {"name": "x", "table": "t", "mode": "incremental", "cursor_column": "id"}


class Guard:
    """What was there before must be there afterwards, and nothing else."""

    def __init__(self, place, out="out"):
        self.place, self.out = place, out
        self.files, self.position = self.look(), self.cursor()

    def look(self):
        return {f: hashlib.sha256(open(self.place.path(self.out, f), "rb").read()).hexdigest()
                for f in self.place.files(self.out) if os.path.isfile(self.place.path(self.out, f))}

    def cursor(self):
        if not os.path.exists(self.place.path(".rivet_state.db")):
            return []
        conn = self.place.state()
        try:
            return conn.execute("SELECT export_name, last_cursor_value, keyset_high FROM export_state "
                                "WHERE last_cursor_value IS NOT NULL OR keyset_high IS NOT NULL").fetchall()
        finally:
            conn.close()

    def check(self, new_files=()):
        assert not self.place.hidden(self.out), f"temporary files left: {self.place.hidden(self.out)}"
        now = self.look()
        for f, h in self.files.items():
            assert now.get(f) == h, f"{f} changed or vanished"
        extra = {f for f in set(now) - set(self.files) if not any(re.fullmatch(p, f) for p in new_files)}
        assert not extra, f"unexpected new files: {extra}"
        assert self.cursor() == self.position, f"position moved: {self.position} -> {self.cursor()}"


def good_run(place, rows=500, export=INC, tuning=QUICK):
    """A published first run, then more rows to export."""
    conn = place.db(SIMPLE)
    fill(conn, rows)
    place.config([export], tuning=tuning)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    fill(conn, 100, start=rows + 1)
    time.sleep(1.1)
    return conn, Guard(place)


def says(r, *parts):
    for p in parts:
        assert p in r.err, f"the error does not say {p!r}:\n{r.err}"
    assert "Error: " in r.err, r.err
    assert "rivet.c" not in r.err and "Assertion" not in r.err


def fails(place, guard, code, *parts, new_files=("manifest-.*\\.json",), args=()):
    r = place.rivet("run", "-c", "rivet.yaml", *args, code=code)
    says(r, *parts)
    guard.check(new_files)
    j = place.rivet("run", "-c", "rivet.yaml", "--json-errors", *args, code=code)
    for line in j.err.splitlines():
        e = json.loads(line)
        assert e["exit_code"] == e["exit_class"] == code or "failures" in e, e
        assert e["code"].startswith("RIVET_") and e["class"] and e["kind"] and e["action"], e
    guard.check(new_files)
    return r


# --- the database itself --------------------------------------------------------------------------

def test_not_a_database(place):
    place.write("src.db", "this is a text file, not a database. " * 100)
    place.config([{"name": "x", "table": "t"}], tuning=QUICK)
    fails(place, Guard(place), 1, "src.db", "not a database")


def test_missing_database_is_not_created(place):
    place.config([{"name": "x", "table": "t"}], tuning=QUICK)
    fails(place, Guard(place), 1, "src.db")
    assert not os.path.exists(place.path("src.db"))


def test_directory_as_database(place):
    os.mkdir(place.path("src.db"))
    place.config([{"name": "x", "table": "t"}], tuning=QUICK)
    fails(place, Guard(place), 1, "src.db")


def test_database_gone_after_a_good_run(place):
    _, guard = good_run(place)
    os.rename(place.path("src.db"), place.path("gone.db"))
    fails(place, guard, 1, "src.db")


def test_corrupt_database(place):
    conn, guard = good_run(place, rows=20000)
    conn.close()
    size = os.path.getsize(place.path("src.db"))
    with open(place.path("src.db"), "r+b") as f:
        f.seek(size // 2 // 4096 * 4096)
        f.write(b"\xa5" * (size - f.tell()))
    place.config([INC, {"name": "y", "table": "t"}], tuning=QUICK)
    r = place.rivet("run", "-c", "rivet.yaml", "-e", "y", code=1)
    says(r, "malformed")
    guard.check(["manifest-.*\\.json"])


def test_truncated_database(place):
    conn, guard = good_run(place, rows=20000)
    conn.close()
    os.truncate(place.path("src.db"), os.path.getsize(place.path("src.db")) // 3)
    place.config([INC, {"name": "y", "table": "t"}], tuning=QUICK)
    r = place.rivet("run", "-c", "rivet.yaml", "-e", "y", code=1)
    says(r, "malformed")
    guard.check(["manifest-.*\\.json"])


def test_locked_database(place):
    conn, guard = good_run(place)
    conn.execute("PRAGMA locking_mode=EXCLUSIVE")
    conn.execute("BEGIN EXCLUSIVE")
    conn.execute("UPDATE t SET name = name WHERE id = 1")
    r = place.rivet("run", "-c", "rivet.yaml", code=2)
    says(r, "locked")
    assert "[WARN]" in r.err and "retr" in r.err.lower(), r.err
    guard.check(["manifest-.*\\.json"])
    j = place.rivet("run", "-c", "rivet.yaml", "--json-errors", code=2)
    e = json.loads(j.err.splitlines()[-1])
    assert e["class"] == "retryable" and e["kind"] == "lock" and e["retryable"] is True and e["exit_code"] == 2, e
    conn.rollback()
    conn.close()
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("x", incremental=True), table(place.db(), "SELECT * FROM t"))


def test_lock_released_in_time(place):
    conn = place.db(SIMPLE)
    fill(conn, 300)
    conn.execute("BEGIN EXCLUSIVE")
    conn.execute("UPDATE t SET name = name WHERE id = 1")
    place.config([{"name": "x", "table": "t"}], tuning="retry_backoff_ms: 1, lock_timeout_s: 1, max_retries: 9, throttle_ms: 0")
    p = place.start("run", "-c", "rivet.yaml", "--json")
    time.sleep(1.6)
    conn.rollback()
    out, err = p.communicate(timeout=60)
    assert p.returncode == 0, err
    assert json.loads(out)["per_export"][0]["retries"] >= 1, out
    same_rows(place.dataset("x"), table(conn, "SELECT * FROM t"))


def test_writer_at_work_meanwhile(place):
    """A busy writer (rollback journal) must neither fail the export nor be starved by it."""
    conn = place.db(SIMPLE)
    fill(conn, 30000)
    place.config([{"name": "x", "table": "t"}], tuning="throttle_ms: 0, batch_size: 500, lock_timeout_s: 20")
    stop, done = threading.Event(), []

    def write():
        w = sqlite3.connect(place.path("src.db"), timeout=20)
        while not stop.is_set():
            w.execute("UPDATE t SET grp = grp WHERE id = 1")
            w.commit()
            done.append(1)
        w.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        place.rivet("run", "-c", "rivet.yaml", code=0)
    finally:
        stop.set()
        thread.join()
    assert len(done) > 3, len(done)
    same_rows(place.dataset("x"), table(conn, "SELECT * FROM t"))


def as_nobody(place, *args, **kw):
    if os.getuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv to run without rights")
    binary = place.path("rivet-copy")
    shutil.copy(lib.RIVET, binary)
    os.chmod(binary, 0o755)
    os.chmod(place.dir, 0o755)
    p = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", binary, *args],
                       capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False,
                       cwd=kw.get("cwd", place.dir), env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"})
    return lib.Result(p.returncode, p.stdout, p.stderr)


def own_dir(place, name="work"):
    os.mkdir(place.path(name))
    os.chown(place.path(name), NOBODY if os.getuid() == 0 else -1, -1)
    return place.path(name)


def test_unreadable_database(place):
    work = own_dir(place)
    place.db(SIMPLE).close()
    os.chmod(place.path("src.db"), 0o600)
    place.config([{"name": "x", "table": "t"}], source=place.path("src.db"), name="work/rivet.yaml", tuning=QUICK)
    r = as_nobody(place, "run", "-c", "rivet.yaml", cwd=work)
    assert r.code == 1, r
    says(r, "src.db")


def test_wal_database_without_rights(place):
    """No -shm can be made beside it: either all rows, or a clear refusal; never fewer rows."""
    work = own_dir(place)
    conn = place.db("PRAGMA journal_mode=WAL;" + SIMPLE)
    fill(conn, 200)
    for with_files in (True, False):
        if not with_files:
            conn.close()
        place.config([{"name": "x", "table": "t"}], source=place.path("src.db"), name="work/rivet.yaml", tuning=QUICK)
        r = as_nobody(place, "run", "-c", "rivet.yaml", cwd=work)
        if r.code == 0:
            newest = max((json.load(open(os.path.join(work, "out", f))) for f in os.listdir(os.path.join(work, "out"))
                          if f.startswith("manifest-")), key=lambda m: m["started_at"])
            assert newest["row_count"] == 200, newest
        else:
            assert r.code in (1, 2), r
            says(r, "src.db")
            assert "WAL" in r.err or "-shm" in r.err or "directory" in r.err, r.err
        time.sleep(1.1)


def test_read_only_output_directory(place):
    work = own_dir(place)
    fill(place.db(SIMPLE), 100)
    os.mkdir(place.path("frozen"))
    os.chmod(place.path("frozen"), 0o555)
    for target in (place.path("frozen"), place.path("frozen", "deeper")):
        place.config([{"name": "x", "table": "t", "destination": {"type": "local", "path": target}}],
                     source=place.path("src.db"), name="work/rivet.yaml", tuning=QUICK)
        r = as_nobody(place, "run", "-c", "rivet.yaml", cwd=work)
        assert r.code == 1, r
        says(r, "frozen", "ermission denied")
    assert os.listdir(place.path("frozen")) == []


def test_read_only_config_directory(place):
    fill(place.db(SIMPLE), 10)
    place.config([{"name": "x", "table": "t", "destination": {"type": "local", "path": "/nonexistent"}}], tuning=QUICK)
    r = as_nobody(place, "run", "-c", "rivet.yaml")
    assert r.code in (1, 2), r
    says(r, ".rivet")


def test_output_is_a_file(place):
    fill(place.db(SIMPLE), 10)
    place.write("out", "I am a file")
    place.config([{"name": "x", "table": "t"}], tuning=QUICK)
    r = place.rivet("run", "-c", "rivet.yaml", code=1)
    says(r, "out")
    assert open(place.path("out")).read() == "I am a file"


# --- disk full ------------------------------------------------------------------------------------

def in_small_disk(place, mount, script, size="4m"):
    if os.getuid() != 0 or not shutil.which("unshare"):
        raise Skip("needs root and unshare to mount a small disk")
    full = f"set -e; mount --make-rprivate / 2>/dev/null || true; mount -t tmpfs -o size={size} none {mount}; set +e; {script}"
    p = subprocess.run(["unshare", "-m", "sh", "-c", full], cwd=place.dir, capture_output=True, text=True, timeout=120,
                       check=False, env={"PATH": os.environ["PATH"], "R": lib.RIVET, "LC_ALL": "C.UTF-8"})
    if "mount:" in p.stderr or "unshare:" in p.stderr:
        raise Skip("no mount namespace here: " + p.stderr.strip()[:100])
    return lib.Result(p.returncode, p.stdout, p.stderr)


def bulky(place, rows=12000):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
    rnd = random.Random(5)
    conn.executemany("INSERT INTO t VALUES (?,?)", [(i, rnd.randbytes(1000)) for i in range(rows)])
    conn.commit()
    return conn


def test_disk_full_at_the_destination(place):
    conn = bulky(place)
    os.mkdir(place.path("out"))
    for x in ({"name": "x", "table": "t"}, {"name": "y", "table": "t", "format": "csv"},
              {"name": "z", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1000, "chunk_checkpoint": True}):
        place.config([x], tuning=QUICK)
        r = in_small_disk(place, "out", "$R run -c rivet.yaml; echo code $?; ls -A out")
        assert "code 1" in r.out, r
        says(r, "out", "free")
        left = r.out.split("code 1")[1].split()
        assert not [f for f in left if f.startswith(".rivet-tmp-")], left
        assert not [f for f in left if f in ("_SUCCESS", "manifest.json")], left
        if x["name"] != "z":
            assert not [f for f in left if f.startswith(x["name"] + "_")], left
    assert place.state().execute("SELECT count(*) FROM run_status WHERE status='success'").fetchone()[0] == 0
    same_rows([{"id": r[0]} for r in conn.execute("SELECT id FROM t")], [{"id": i} for i in range(12000)])


def test_disk_full_then_room_again(place):
    """The chunks that were finished before the disk was full are not read again."""
    conn = bulky(place)
    os.mkdir(place.path("out"))
    place.config([{"name": "z", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1000, "chunk_checkpoint": True}],
                 tuning=QUICK)
    r = in_small_disk(place, "out", "$R run -c rivet.yaml; echo code $?; mount -o remount,size=64m out; $R run -c rivet.yaml; "
                                    "echo code $?; $R validate -c rivet.yaml --depth full; echo code $?; mkdir ../$$; cp -a out keep")
    assert re.findall(r"code (\d)", r.out) == ["1", "0", "0"], r
    want = table(conn, "SELECT * FROM t")
    same_rows(place.dataset("z", out="keep"), want)
    same_rows(place.glob_rows("z", out="keep"), want)
    done = place.state().execute("SELECT count(*), max(attempts) FROM chunk_task WHERE status='completed'").fetchone()
    assert done[0] == 12, done


def test_disk_full_for_the_state(place):
    bulky(place, rows=200)
    os.mkdir(place.path("small"))
    text = json.dumps({"source": {"type": "sqlite", "path": place.path("src.db")}, "exports": [
        {"name": "x", "table": "t", "format": "parquet", "destination": {"type": "local", "path": place.path("out")}}]})
    place.write("rivet.yaml", text)
    for size in ("40k", "100k", "180k", "300k"):
        r = in_small_disk(place, "small", "cp rivet.yaml small/; $R run -c small/rivet.yaml; echo code $?", size=size)
        code = int(re.findall(r"code (\d+)", r.out)[-1])
        assert code in (0, 1, 2), r
        assert code == 0 or "Error: " in r.err, r
        assert code == 0 or not os.path.exists(place.path("out", "_SUCCESS")) , (size, r)
        shutil.rmtree(place.path("out"), ignore_errors=True)


# --- values ---------------------------------------------------------------------------------------

def test_value_against_the_declared_type(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, qty INTEGER)")
    conn.executemany("INSERT INTO t VALUES (?,?)", [(i, i) for i in range(1, 2000)])
    conn.execute("UPDATE t SET qty = 'n/a' WHERE id = 812")
    conn.commit()
    place.config([{"name": "x", "table": "t"}], tuning=QUICK)
    r = fails(place, Guard(place), 1, "export 'x'", "column 'qty' declared INTEGER holds TEXT 'n/a' (rowid 812)",
              "add columns: {qty: text}")
    assert "qty: text" in r.err
    place.config([{"name": "x", "table": "t", "columns": {"qty": "text"}}], tuning=QUICK)
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    rows = place.dataset("x")
    assert len(rows) == 1999 and [r["qty"] for r in rows if r["id"] == 812] == ["n/a"]


def test_value_against_the_declared_type_without_rowid(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, qty INTEGER) WITHOUT ROWID")
    conn.executemany("INSERT INTO t VALUES (?,?)", [(i, i) for i in range(1, 2000)])
    conn.execute("UPDATE t SET qty = x'6e2f61' WHERE id = 812")
    conn.commit()
    place.config([{"name": "x", "table": "t"}], tuning=QUICK)
    fails(place, Guard(place), 1, "column 'qty' declared INTEGER holds BLOB", "id=812")


def utf8_case(place, rule):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, w TEXT)")
    conn.execute("INSERT INTO t VALUES (1, 'good', 'a'), (2, CAST(x'61ff62' AS TEXT), 'b'), (3, CAST(x'c3' AS TEXT), 'c'),"
                 "(4, CAST(x'eda080' AS TEXT), 'd'), (5, CAST(x'f4908080' AS TEXT), 'e'), (6, CAST(x'c0af' AS TEXT), 'f')")
    conn.commit()
    place.config([{"name": "x", "table": "t", **({"on_invalid_utf8": rule} if rule else {})}], tuning=QUICK)
    return conn


def test_invalid_utf8_fails(place):
    utf8_case(place, None)
    fails(place, Guard(place), 1, "'v'", "UTF-8", "rowid 2", "on_invalid_utf8")


def test_invalid_utf8_replaced(place):
    utf8_case(place, "replace")
    r = place.rivet("run", "-c", "rivet.yaml", code=0)
    got = {row["id"]: row["v"] for row in place.dataset("x")}
    assert got[1] == "good" and got[2] == "a\ufffdb" and got[3] == "\ufffd" and set(got[4]) == set(got[5]) == set(got[6]) == {"\ufffd"}, got
    warned = [line for line in r.err.splitlines() if "[WARN]" in line and "'v'" in line]
    assert len(warned) == 1 and "5" in warned[0], r.err


def test_invalid_utf8_as_binary(place):
    utf8_case(place, "binary")
    place.rivet("run", "-c", "rivet.yaml", code=0)
    got = {row["id"]: row["v"] for row in place.dataset("x")}
    assert got == {1: b"good", 2: b"a\xffb", 3: b"\xc3", 4: b"\xed\xa0\x80", 5: b"\xf4\x90\x80\x80", 6: b"\xc0\xaf"}, got


def measured(place, *args):
    """The result and the peak RSS in MB; getrusage would count Python's own pages before exec."""
    p = place.start(*args)
    peak = [0.0]

    def watch():
        while p.poll() is None:
            with contextlib.suppress(OSError, AttributeError):
                hwm = re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{p.pid}/status").read())
                peak[0] = max(peak[0], int(hwm.group(1)) / 1024)
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    out, err = p.communicate(timeout=120)
    watcher.join()
    return lib.Result(p.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")), peak[0]


def test_a_cell_of_300_mb(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)")
    conn.execute("INSERT INTO t VALUES (1, x'00'), (2, zeroblob(314572800)), (3, x'01')")
    conn.commit()
    place.config([{"name": "x", "table": "t"}], tuning=QUICK)
    guard = Guard(place)
    r, rss = measured(place, "run", "-c", "rivet.yaml")
    assert r.code == 1, r
    says(r, "RIVET_VALUE_TOO_LARGE: column 'body': one cell is 300.0 MB, limit 256 MB (tuning.max_value_mb)")
    assert rss < 100, f"{rss:.0f} MB"
    guard.check(["manifest-.*\\.json"])
    j = place.rivet("run", "-c", "rivet.yaml", "--json-errors", code=1)
    assert json.loads(j.err.splitlines()[-1])["code"] == "RIVET_VALUE_TOO_LARGE", j.err


def test_a_cell_under_the_limit(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)")
    conn.execute("INSERT INTO t VALUES (1, x'00'), (2, randomblob(20000000)), (3, NULL)")
    conn.commit()
    place.config([{"name": "x", "table": "t"}, {"name": "y", "table": "t", "tuning": {"max_value_mb": 10},
                                               "destination": {"type": "local", "path": "out2"}}], tuning=QUICK)
    place.rivet("run", "-c", "rivet.yaml", "-e", "x", code=0)
    same_rows([{"id": r["id"], "v": None if r["body"] is None else hashlib.md5(r["body"]).hexdigest()} for r in place.dataset("x")],
              [{"id": i, "v": None if b is None else hashlib.md5(b).hexdigest()} for i, b in conn.execute("SELECT * FROM t")])
    says(place.rivet("run", "-c", "rivet.yaml", "-e", "y", code=1), "RIVET_VALUE_TOO_LARGE", "19.1 MB", "10 MB")


# --- queries --------------------------------------------------------------------------------------

def test_zero_rows(place):
    place.db(SIMPLE)
    place.config([{"name": "x", "table": "t"}, {"name": "q", "query": "SELECT * FROM t WHERE 1=0", "format": "csv"}], tuning=QUICK)
    place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
    assert place.dataset("x") == []
    (part,) = place.manifests("q")[-1]["parts"]
    assert open(place.path("out", part["path"])).read() == "id,name,grp,note\n"
    place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=0)


def refused_query(place, query, *parts):
    conn = place.db(SIMPLE)
    fill(conn, 20)
    place.config([{"name": "x", "query": query}], tuning=QUICK)
    r = fails(place, Guard(place), 1, "export 'x'", *parts)
    assert conn.execute("SELECT count(*) FROM t").fetchone()[0] == 20
    assert [n for n in os.listdir(place.dir) if n.startswith(("evil", "src"))] == ["src.db"]
    return r


def test_query_without_columns(place):
    refused_query(place, "-- nothing but a comment")


def test_query_that_writes(place):
    refused_query(place, "DELETE FROM t")


def test_query_that_writes_and_returns(place):
    refused_query(place, "DELETE FROM t RETURNING id")


def test_query_of_two_statements(place):
    refused_query(place, "SELECT id FROM t; DELETE FROM t")


def test_query_attaching_a_file(place):
    refused_query(place, "ATTACH DATABASE 'evil.db' AS e")


def test_query_vacuum_into(place):
    refused_query(place, "VACUUM INTO 'evil.db'")


def test_query_writing_pragma(place):
    refused_query(place, "PRAGMA journal_mode=WAL")


def test_query_with_a_syntax_error(place):
    refused_query(place, "SELEC id FROM t", "SELEC")


def test_query_of_an_unknown_column(place):
    refused_query(place, "SELECT idd FROM t", "idd")


def test_query_with_a_parameter(place):
    refused_query(place, "SELECT id FROM t WHERE id = ?")


def test_unknown_table(place):
    place.db(SIMPLE)
    place.config([{"name": "x", "table": "tt"}], tuning=QUICK)
    fails(place, Guard(place), 1, "'tt'")


def test_duplicate_columns(place):
    refused_query(place, "SELECT id, name, grp, id FROM t", "columns 1 and 4 are both called 'id'")


def test_columns_that_differ_in_case(place):
    fill(place.db(SIMPLE), 20)
    place.config([{"name": "x", "query": "SELECT id, id + 1 AS ID FROM t"}], tuning=QUICK)
    r = place.rivet("run", "-c", "rivet.yaml", code=0)
    assert "[WARN]" in r.err and "ID" in r.err, r.err
    assert all(row["ID"] == row["id"] + 1 for row in place.dataset("x"))


def test_override_of_an_absent_column(place):
    fill(place.db(SIMPLE), 20)
    place.config([{"name": "x", "table": "t", "columns": {"nme": "text"}}], tuning=QUICK)
    r = fails(place, Guard(place), 1, "rivet.yaml:", "no such column 'nme'")
    assert re.search(r"rivet\.yaml:\d+:\d+: ", r.err), r.err


def test_meta_column_in_the_way(place):
    place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, _rivet_row_hash INTEGER)")
    place.config([{"name": "x", "table": "t", "meta_columns": {"row_hash": True}}], tuning=QUICK)
    fails(place, Guard(place), 1, "_rivet_row_hash")


def test_schema_drift_fails_when_asked(place):
    conn, _ = good_run(place, export={"name": "x", "table": "t", "on_schema_drift": "fail"})
    guard = Guard(place)
    conn.execute("ALTER TABLE t ADD COLUMN phone TEXT")
    conn.commit()
    r = fails(place, guard, 4, "schema changed", "phone")
    assert "added columns: phone (Utf8)" in r.err, r.err
    place.config([{"name": "x", "table": "t"}], tuning=QUICK)
    r = place.rivet("run", "-c", "rivet.yaml", code=0)
    assert "[WARN] export 'x': schema changed!" in r.err and "[WARN]   added columns: phone (Utf8)" in r.err, r.err


def test_owner_changed(place):
    """The stored position belongs to another table: refuse with the ways out."""
    conn, guard = good_run(place)
    conn.execute("CREATE TABLE other AS SELECT * FROM t")
    conn.commit()
    for change in ({"table": "other"}, {"cursor_column": "grp"}, {"destination": {"type": "local", "path": "./elsewhere"}}):
        place.config([{**INC, **change}], tuning=QUICK)
        fails(place, guard, 5, "state accept", "project", "state reset", new_files=())
    place.db("CREATE TABLE t (id INTEGER PRIMARY KEY)", name="two.db")
    place.config([INC], tuning=QUICK, source="two.db")
    fails(place, guard, 5, "two.db", "src.db", new_files=())
    place.config([INC], tuning=QUICK)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("x", incremental=True), table(conn, "SELECT * FROM t"))


# --- state files ----------------------------------------------------------------------------------

def foreign_state(place, make, code, *parts):
    fill(place.db(SIMPLE), 20)
    place.config([INC], tuning=QUICK)
    make(place.path(".rivet_state.db"))
    before = open(place.path(".rivet_state.db"), "rb").read()
    for command in (("run",), ("state", "show"), ("metrics",)):
        r = place.rivet(*command, "-c", "rivet.yaml")
        assert r.code in code, (command, r)
        says(r, ".rivet_state.db", *parts)
        assert open(place.path(".rivet_state.db"), "rb").read() == before, f"{command} touched a foreign file"
    assert not place.files(), place.files()


def script_db(sql):
    def make(path):
        c = sqlite3.connect(path)
        c.executescript(sql)
        c.close()
    return make


def test_state_of_the_original(place):
    foreign_state(place, script_db("CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at TEXT);"
                                   "INSERT INTO schema_version VALUES (7, '2024-01-01');"
                                   "CREATE TABLE export_state (export_name TEXT PRIMARY KEY, last_cursor_value TEXT)"),
                  (5,), "RIVET_STATE_URL")


def test_state_of_another_program(place):
    foreign_state(place, script_db("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO notes VALUES (1, 'mine')"),
                  (5,))


def test_state_is_garbage(place):
    foreign_state(place, lambda p: open(p, "wb").write(random.Random(1).randbytes(20000)), (1, 2, 5))


def test_state_is_newer(place):
    fill(place.db(SIMPLE), 20)
    place.config([INC], tuning=QUICK)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    conn = place.state()
    conn.execute("PRAGMA journal_mode=DELETE")
    conn.execute("INSERT INTO schema_version (version, applied_at, rivet_version) VALUES (99, '2030-01-01T00:00:00Z', '9.9.9')")
    conn.commit()
    conn.close()
    guard = Guard(place)
    r = place.rivet("run", "-c", "rivet.yaml", code=5)
    says(r, "99", "1")
    guard.check()


def test_state_damaged_in_use(place):
    """A state whose pages are damaged: an error, never a silent new beginning."""
    _, guard = good_run(place)
    position = guard.position
    with open(place.path(".rivet_state.db"), "r+b") as f:
        f.seek(4096)
        f.write(b"\xa5" * (os.path.getsize(f.name) - 4096))
    for end in ("-wal", "-shm"):
        if os.path.exists(place.path(".rivet_state.db" + end)):
            os.remove(place.path(".rivet_state.db" + end))
    files = guard.look()
    r = place.rivet("run", "-c", "rivet.yaml")
    assert r.code in (1, 2, 5, 6), r
    says(r, ".rivet_state.db")
    assert guard.look() == files and position


def test_state_directory_is_missing(place):
    fill(place.db(SIMPLE), 20)
    place.config([INC], tuning=QUICK)
    r = place.rivet("run", "-c", "rivet.yaml", env={"RIVET_STATE_URL": "sqlite:/nonexistent/dir/state.db"}, code=2)
    says(r, "/nonexistent/dir/state.db")
    r = place.rivet("run", "-c", "rivet.yaml", env={"RIVET_STATE_URL": "redis://somewhere"}, code=1)
    says(r, "RIVET_STATE_URL")
    place.rivet("run", "-c", "rivet.yaml", env={"RIVET_STATE_URL": ""}, code=0)


# --- configuration --------------------------------------------------------------------------------

TEN = """source:
  type: sqlite
  path: src.db
  tuning:
    batch_size: many
    max_retries: -1
exports:
  - name: a
    table: t
    format: parket
    skip_empty: yes
    chunk_colum: id
    destination: {type: local, path: ./out}
  - name: b
    table: t
    destination: {type: ftp, path: ./out}
  - table: t
    format: csv
    mode: incremetal
    destination: {type: local, path: ./out}
notification: {}
"""
TEN_PLACES = [(5, 17, "TYPE", "'batch_size'"), (6, 18, "RANGE", "'max_retries'"), (10, 13, "ENUM", "did you mean 'parquet'?"),
              (11, 17, "TYPE", "write true or false"), (12, 5, "UNKNOWN_KEY", "did you mean 'chunk_column'?"),
              (14, 5, "MISSING", "'format'"), (16, 25, "ENUM", "'ftp'"), (17, 5, "MISSING", "'name'"),
              (19, 11, "ENUM", "did you mean 'incremental'?"), (21, 1, "UNKNOWN_KEY", "did you mean 'notifications'?")]


def test_ten_mistakes_at_once(place):
    place.write("rivet.yaml", TEN)
    for command in ("run", "check", "validate", "metrics"):
        r = place.rivet(command, "-c", "rivet.yaml", code=1)
        seen = re.findall(r"^Error: rivet\.yaml:(\d+):(\d+): (.*)$", r.err, re.M)
        assert [(int(a), int(b)) for a, b, _ in seen] == [p[:2] for p in TEN_PLACES], "\n".join(map(str, seen))
        for (_, _, text), (_, _, _, part) in zip(seen, TEN_PLACES):
            assert part in text, (text, part)
    r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", code=1)
    lines = [json.loads(line) for line in r.err.splitlines()]
    lines = [e for e in lines if "line" in e]
    assert [(e["line"], e["column"], e["code"]) for e in lines] == \
        [(a, b, "RIVET_CONFIG_" + c) for a, b, c, _ in TEN_PLACES], lines
    assert all(e["file"] == "rivet.yaml" and e["kind"] == "config" and e["action"] == "fix_config" for e in lines), lines
    assert not os.path.exists(place.path(".rivet_state.db")) and not os.path.exists(place.path("out"))


BASE = "source: {type: sqlite, path: src.db}\nexports:\n- {name: x, table: t, format: parquet, destination: {type: local, path: out}%s}\n"


def one_mistake(place, text, position, *parts, code="", args=("run",)):
    place.write("rivet.yaml", text)
    r = place.rivet(*args, "-c", "rivet.yaml", code=1)
    assert f"Error: rivet.yaml:{position}: " in r.err, f"want {position}: {r.err}"
    says(r, *parts)
    if code:
        j = place.rivet(*args, "-c", "rivet.yaml", "--json-errors", code=1)
        assert json.loads(j.err.splitlines()[0])["code"] == "RIVET_CONFIG_" + code, j.err


def test_single_mistakes(place):
    fill(place.db(SIMPLE), 5)
    line3 = "- {name: x, table: t, format: parquet, destination: {type: local, path: out}"
    at = len(line3) + 3  # the first column after ", "
    cases = [
        ("", "1:1", ["source"], "MISSING"),
        ("source:\n\ttype: sqlite\n", "2:1", ["tab"], "SYNTAX"),
        (BASE % ", mode: incremental", f"3:{at + len('mode: ')}", ["incremental needs cursor_column"], "NEEDS_CURSOR"),
        (BASE % ", settle: {after: 5m}", f"3:{at}", ["needs mode incremental"], "NEEDS_INCREMENTAL"),
        (BASE % ", compression_level: 99", f"3:{at + len('compression_level: ')}", ["1..22"], "LEVEL"),
        (BASE % ", max_file_size: 0", f"3:{at + len('max_file_size: ')}", ["not a file size"], "BAD_SIZE"),
        (BASE % ", columns: {v: blubb}", f"3:{at + len('columns: {v: ')}", ["not a column type"], "COLUMN_TYPE"),
        (BASE % ", chunk_size: 5", f"3:{at}", ["mode chunked"], "NOT_CHUNKED"),
        (BASE % ", name: y", f"3:{at}", ["appears twice", "3:4"], "DUPLICATE_KEY"),
        (BASE % ", batch_size: 5", f"3:{at}", ["exports[].tuning"], "MISPLACED_TUNING"),
        (BASE % ", quality: {row_count_min: 5, row_count_max: 1}", None, ["quality limits of export 'x' are impossible"], "QUALITY_RANGE"),
        (BASE.replace("name: x", "name: 'ä/b'") % "", "3:10", ["cannot be used in file names"], "BAD_NAME"),
        ("# Grüße 😀\nsource: {type: sqlite, path: 'ü', nme: 1}\nexports: []\n", None, ["did you mean"], "UNKNOWN_KEY"),
        (BASE.replace("path: src.db", "path: ${NOT_SET}") % "", "1:30", ["${NOT_SET} has no value", "--param"], "UNRESOLVED"),
        (BASE.replace("type: sqlite", "type: mongo") % "", "1:16", ["out of scope"], "OUT_OF_SCOPE"),
        (BASE.replace("path: out", "path: 'out/{day}'") % "", None, ["unknown placeholder {day}"], "PLACEHOLDER"),
        (BASE.replace("path: out", "path: ../out") % "", None, ["'..'"], "LOCAL_PATH"),
        (BASE.replace("table: t, ", "") % "", None, ["needs one of query"], "NO_QUERY"),
        (BASE.replace("table: t", "table: t, query: SELECT 1") % "", None, ["exclude each other"], "QUERY_FORMS"),
    ]
    wrong = []
    for text, position, parts, code in cases:
        try:
            if position:
                one_mistake(place, text, position, *parts, code=code)
            else:
                place.write("rivet.yaml", text)
                says(place.rivet("run", "-c", "rivet.yaml", code=1), "rivet.yaml:", *parts)
        except AssertionError as e:
            wrong.append(f"{text!r}\n   {e}")
    assert not wrong, "\n\n".join(wrong)
    assert not os.path.exists(place.path("out"))


def test_missing_config(place):
    r = place.rivet("run", "-c", "nowhere.yaml", code=1)
    says(r, "config file 'nowhere.yaml' does not exist", "rivet init")


def test_hostile_configs(place):
    """Nothing but errors: no crash, no hang, no memory eaten."""
    bombs = [b"\0" * 1000, b"\xff\xfe\x00", b"a: &a [*a]\n", b"[" * 20000, b"{" * 20000, b"a: " * 5000,
             b"x: &x [1,1,1,1,1,1,1,1]\n" + b"".join(b"x%d: &x%d [%s]\n" % (i, i, b",".join([b"*x%s" % (str(i - 1).encode() if i else b"")] * 8))
                                                     for i in range(12)),
             b"source: " + b"y" * 3000000, b"- " * 10000, b"? " * 10000, b"source: !!binary abc\n", b"%YAML 9.9\n---\n", b"--- a\n--- b\n",
             BASE.encode() % b", columns: {" + b"k: int, " * 10000 + b"}"]
    for raw in bombs:
        with open(place.path("rivet.yaml"), "wb") as f:
            f.write(raw)
        r, rss = measured(place, "check", "-c", "rivet.yaml")
        assert r.code == 1 and "Error: " in r.err, (raw[:40], r.code, r.err[:300])
        assert rss < 300, (raw[:40], rss)


def test_a_killed_reader_of_stdout(place):
    assert signal.SIGPIPE
    fill(place.db(SIMPLE), 20000)
    place.config([{"name": "x", "table": "t", "format": "csv", "destination": {"type": "stdout"}}], tuning=QUICK)
    p = place.start("run", "-c", "rivet.yaml")
    p.stdout.read(100)
    p.stdout.close()
    err = p.stderr.read().decode()
    assert p.wait(60) == 1, err
    assert "Error: " in err and err.count("Error: ") == 1, err
