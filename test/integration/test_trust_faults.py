"""What happens to whole runs when the world misbehaves: clocks, disks, states, directories, sleepers,
and the nth allocation and file operation over the modes that test_faults does not sweep."""
import contextlib
import datetime
import glob
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time

import lib
import pg
from lib import SIMPLE, Skip, fill, same_rows, table
from test_bad_input import in_small_disk
from test_state_postgres import state

CLI = ("-c", "rivet.yaml")
S = {"name": "s", "table": "t"}
INC = {"name": "i", "table": "t", "mode": "incremental", "cursor_column": "id"}
K = {"name": "k", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1000, "chunk_checkpoint": True}


def make(place, *exports, rows=5000, **kw):
    conn = place.db(SIMPLE)
    fill(conn, rows)
    place.config(list(exports), **kw)
    return conn


def everything(conn):
    return table(conn, "SELECT * FROM t")


def stopped_at(place, point, *args):
    """A run of the test build that stopped itself there."""
    p = place.start("run", *CLI, *args, binary=lib.FAULTY, env={"RIVET_STALL_AT": point})
    until = time.monotonic() + 60
    while time.monotonic() < until and p.poll() is None:
        with open(f"/proc/{p.pid}/stat", encoding="utf-8") as f:
            if f.read().rpartition(")")[2].split()[0] == "T":
                return p
        time.sleep(0.02)
    raise AssertionError(f"not stopped at {point}: {p.communicate()}")


def go_on(p):
    p.send_signal(signal.SIGCONT)
    _, err = p.communicate(timeout=60)
    return p.returncode, err.decode("utf-8", "replace")


# ---- a runner asleep for longer than its lease -----------------------------------------------------


def lease_runs_out(place):
    """As two minutes asleep would: its last heartbeat is long ago."""
    with contextlib.closing(place.state()) as db:
        db.execute("UPDATE run_status SET heartbeat_at = '2020-01-01T00:00:00.000Z' WHERE status = 'running'")
        db.commit()


def sleeper(place, export, point):
    conn = make(place, export)
    p = stopped_at(place, point)
    lease_runs_out(place)
    if export.get("chunk_checkpoint"):  # 24 h are over too: continuing has to be asked for
        place.rivet("run", *CLI, code=5)
        place.rivet("run", *CLI, "-e", export["name"], "--resume", code=0)
    else:
        place.rivet("run", *CLI, code=0)
    before = {f: os.stat(place.path("out", f)).st_mtime_ns for f in place.files()}
    code, err = go_on(p)
    assert code == 2 and "Error: " in err and "lease" in err, (code, err)
    assert {f: os.stat(place.path("out", f)).st_mtime_ns for f in place.files()} == before, "it left something"
    same_rows(place.dataset(export["name"]), everything(conn))
    same_rows(place.glob_rows(export["name"]), everything(conn))
    place.rivet("validate", *CLI, "--depth", "full", code=0)


def test_a_sleeper_wakes_before_its_upload(place):
    sleeper(place, S, "part-intent")


def test_a_sleeper_wakes_before_its_last_transaction(place):
    sleeper(place, S, "before-final")


def test_a_sleeping_chunk_worker_wakes(place):
    sleeper(place, K, "part-writing:3")


def test_a_sleeping_chunk_worker_wakes_before_its_commit(place):
    sleeper(place, K, "unit-sealed:3")


def test_a_sleeper_on_a_state_in_postgres(place):
    with state(place):
        sleeper(place, K, "part-intent:3")


# ---- clocks ----------------------------------------------------------------------------------------

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static long offset(void)
{
    long s = 0;
    FILE *f = fopen(getenv("CLOCK_OFFSET_FILE"), "r");
    if (f) {
        if (fscanf(f, "%ld", &s) != 1)
            s = 0;
        fclose(f);
    }
    return s;
}
int clock_gettime(clockid_t id, struct timespec *ts)
{
    int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int r = real(id, ts);
    if (r == 0 && id == CLOCK_REALTIME)
        ts->tv_sec += offset();
    return r;
}
"""


@contextlib.contextmanager
def clock(place):
    """Yields set(seconds): how far the wall clock of what runs is off, from now on."""
    source, library = place.write("shim.c", SHIM), place.path("shim.so")
    if not shutil.which("cc") or subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=False).returncode:
        raise Skip("no compiler for the clock")
    start = place.start

    def with_clock(*args, env=None, **kw):
        return start(*args, env={"LD_PRELOAD": library, "CLOCK_OFFSET_FILE": place.path("offset"), **(env or {})}, **kw)
    place.start = with_clock
    yield lambda seconds: place.write("offset", str(seconds))
    place.start = start


def test_the_clock_goes_back_between_runs(place):
    conn = make(place, INC, S, K)
    with clock(place) as at:
        for n, offset in enumerate((0, -3600, -30 * 86400, 0)):
            at(offset)
            place.rivet("run", *CLI, code=0)
            same_rows(place.dataset("i", incremental=True), everything(conn))
            fill(conn, 10, start=6000 + 100 * n)
        started = [m["started_at"] for m in place.manifests("s")]
        assert len(set(started)) == 4, started
    last = [json.loads(r[0])["row_count"] for r in place.state().execute(
        "SELECT manifest_json FROM run_status WHERE export_name = 's' ORDER BY rowid")]
    assert last == [5000, 5010, 5020, 5030], last


def test_the_clock_goes_back_to_the_second_of_an_older_run(place):
    """Names that were given are not given again."""
    make(place, S)
    with clock(place) as at:
        at(0)
        place.rivet("run", *CLI, code=0)
        began = time.time()
        time.sleep(1.2)
        for _ in range(3):
            at(int(-(time.time() - began)))
            place.rivet("run", *CLI, code=0)
    runs = [m["run_id"] for m in place.manifests("s")]
    assert len(set(runs)) == 4, runs
    listed = [p["path"] for m in place.manifests("s") for p in m["parts"]]
    assert len(set(listed)) == 4 and set(listed) == {f for f in place.files() if f.startswith("s_")}, listed


def test_the_clock_goes_back_within_a_run(place):
    conn = make(place, K)
    with clock(place) as at:
        at(0)
        p = stopped_at(place, "unit-committed:2")
        at(-7200)
        code, err = go_on(p)
        assert code == 0, err
        same_rows(place.dataset("k"), everything(conn))
        m = place.manifests("k")[-1]
        summary = json.loads(place.rivet("metrics", *CLI, "--json", code=0).out)
        assert m["status"] == "success" and summary[0]["duration_ms"] >= 0, (m, summary)
    place.rivet("run", *CLI, code=0)
    same_rows(place.dataset("k"), everything(conn))


def test_the_clock_goes_back_between_a_kill_and_the_next_run(place):
    conn = make(place, K)
    with clock(place) as at:
        at(0)
        place.killed("unit-committed:2", "run", *CLI)
        at(-7200)
        r = place.rivet("run", *CLI, code=0)
        assert "is continued" in r.err, r
        same_rows(place.dataset("k"), everything(conn))
        same_rows(place.glob_rows("k"), everything(conn))


# ---- the state database ------------------------------------------------------------------------------


def test_a_state_locked_for_good(place):
    conn = make(place, INC)
    place.rivet("run", *CLI, code=0)
    fill(conn, 10, start=9000)
    files = place.files()
    lock = sqlite3.connect(place.path(".rivet_state.db"))
    lock.execute("PRAGMA locking_mode=EXCLUSIVE")
    lock.execute("BEGIN EXCLUSIVE")
    r = place.rivet("run", *CLI, code=2, binary=lib.FAULTY, env={"RIVET_STATE_BUSY_MS": "300"})
    assert "Error: " in r.err and "locked" in r.err, r
    assert place.files() == files
    lock.rollback()
    lock.close()
    place.rivet("run", *CLI, code=0)
    same_rows(place.dataset("i", incremental=True), everything(conn))


def test_a_state_locked_within_a_run(place):
    conn = make(place, K)
    p = stopped_at(place, "unit-committed:2")
    lock = sqlite3.connect(place.path(".rivet_state.db"))
    lock.execute("BEGIN IMMEDIATE")
    p.send_signal(signal.SIGCONT)
    time.sleep(2)
    assert p.poll() is None, "it did not wait"
    lock.rollback()
    lock.close()
    _, err = p.communicate(timeout=60)
    assert p.returncode == 0, err
    same_rows(place.dataset("k"), everything(conn))


def test_a_state_that_may_only_be_read(place):
    if os.getuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv")
    conn = make(place, INC)
    place.rivet("run", *CLI, code=0)
    fill(conn, 10, start=9000)
    conn.close()
    with contextlib.closing(place.state()) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for f in glob.glob(place.path(".rivet_state.db-*")):
        os.remove(f)
    os.chmod(place.path(".rivet_state.db"), 0o644)
    os.chmod(place.path("src.db"), 0o644)
    os.chmod(place.path("out"), 0o777)
    binary = shutil.copy(lib.RIVET, place.path("rivet-copy"))
    os.chmod(binary, 0o755)
    files = place.files()
    p = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary, "run", *CLI], cwd=place.dir, check=False,
                       capture_output=True, text=True, timeout=120, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
    assert p.returncode in (1, 2) and "Error: " in p.stderr and ".rivet_state.db" in p.stderr, p
    assert place.files() == files


def test_a_state_in_postgres_that_may_only_be_read(place):
    conn = make(place, INC)
    with state(place) as db:
        place.rivet("run", *CLI, code=0)
        fill(conn, 10, start=9000)
        files = place.files()
        role = f"reader_{db.name}"
        db.sql(f"CREATE ROLE {role} LOGIN", f"GRANT USAGE ON SCHEMA rivet TO {role}", f"GRANT SELECT ON ALL TABLES IN SCHEMA rivet TO {role}")
        try:
            r = place.rivet("run", *CLI, env={"RIVET_STATE_URL": db.url(user=role)}, code=1)
            assert "permission denied" in r.err, r
            assert place.files() == files
        finally:
            db.sql(f"DROP OWNED BY {role}", f"DROP ROLE {role}")
        place.rivet("run", *CLI, code=0)
        same_rows(place.dataset("i", incremental=True), everything(conn))


def test_a_state_in_postgres_that_is_locked_within_a_run(place):
    conn = make(place, K)
    with state(place) as db:
        p = stopped_at(place, "unit-committed:2")
        lock = db.connect()
        lock.execute("LOCK TABLE rivet.chunk_task IN ACCESS EXCLUSIVE MODE")
        p.send_signal(signal.SIGCONT)
        time.sleep(2)
        assert p.poll() is None, "it did not wait"
        lock.rollback()
        lock.close()
        _, err = p.communicate(timeout=90)
        assert p.returncode == 0, err
        same_rows(place.dataset("k"), everything(conn))


def test_a_state_in_postgres_with_a_table_missing(place):
    make(place, INC)
    with state(place) as db:
        place.rivet("run", *CLI, code=0)
        files = place.files()
        db.sql("DROP TABLE rivet.file_log CASCADE")
        r = place.rivet("run", *CLI)
        assert r.code in (1, 2, 5) and "file_log" in r.err, r
        assert set(place.files()) - set(place.hidden()) == set(files)


# ---- directories and disks ---------------------------------------------------------------------------


def directory_goes(place, export, point, gone=False):
    """Deleted under a run: it fails with a clear error, or succeeds and validate knows what is `gone`;
    the run after that is exact."""
    conn = make(place, export)
    place.rivet("run", *CLI, code=0)
    fill(conn, 100, start=9000)
    time.sleep(1.1)
    p = stopped_at(place, point)
    shutil.rmtree(place.path("out"))
    code, err = go_on(p)
    if code == 0:
        place.rivet("validate", *CLI, "--depth", "full", code=3 if gone else 0)
    else:
        assert code in (1, 2) and "Error: " in err, (code, err)
    r = place.rivet("run", *CLI)
    if r.code == 0:
        same_rows(place.dataset(export["name"]), everything(conn))
    place.rivet("run", *CLI, code=0)
    same_rows(place.dataset(export["name"]), everything(conn))
    place.rivet("validate", *CLI, "--depth", "full", code=0)


def test_the_directory_is_deleted_before_an_upload(place):
    directory_goes(place, S, "part-closed")


def test_the_directory_is_deleted_while_writing(place):
    directory_goes(place, S, "part-writing")


def test_the_directory_is_deleted_between_chunks(place):
    directory_goes(place, K, "unit-committed:2")


def test_the_directory_is_deleted_before_publishing(place):
    directory_goes(place, S, "after-final", gone=True)


def test_a_full_scratch_directory(place):
    """Pages of a growing row group wait in RIVET_TMPDIR; full, it says so, and nothing stays there."""
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, a BLOB, b BLOB, c BLOB, d BLOB)")
    conn.execute("PRAGMA synchronous=OFF")
    conn.executemany("INSERT INTO t VALUES (?, randomblob(2000), randomblob(2000), randomblob(2000), randomblob(2000))", [(i,) for i in range(6000)])
    conn.commit()
    os.mkdir(place.path("tmp"))
    place.config([{"name": "x", "table": "t"}])
    r = in_small_disk(place, "tmp", "RIVET_TMPDIR=$PWD/tmp $R run -c rivet.yaml; echo code $?; ls -A tmp | wc -l", size="100k")
    code, left = int(r.out.split()[1]), int(r.out.split()[2])
    assert left == 0, r
    assert code == 1 and "Error: " in r.err and "space" in r.err, r
    assert "_SUCCESS" not in place.files() and not place.hidden(), place.files()
    place.rivet("run", "-c", "rivet.yaml", code=0)
    assert len(place.dataset("x")) == 6000


# ---- two at once -------------------------------------------------------------------------------------


def test_two_chunked_runs_on_two_states(place):
    """Each set is whole; neither touches the other's files."""
    conn = make(place, {**K, "parallel": 2})
    for _ in range(3):
        both = [place.start("run", *CLI, env=env) for env in ({}, {"RIVET_STATE_URL": "sqlite:" + place.path("other.db")})]
        for p in both:
            _, err = p.communicate(timeout=120)
            assert p.returncode == 0, err
    ms = [m for m in place.manifests("k") if m["status"] == "success"]
    listed = [p["path"] for m in ms for p in m["parts"]]
    assert len(ms) == 6 and len(set(listed)) == len(listed)
    for m in ms:
        same_rows([r for p in m["parts"] for r in lib.read_part(place.path("out", p["path"]))], everything(conn))


def test_many_runs_on_one_state_wait_for_each_other(place):
    conn = make(place, INC)
    runs = [place.start("run", *CLI, "--lock-wait", "60") for _ in range(4)]
    for p in runs:
        _, err = p.communicate(timeout=120)
        assert p.returncode == 0, err
    same_rows(place.dataset("i", incremental=True), everything(conn))


# ---- the nth fault over more modes -------------------------------------------------------------------

SQL = SIMPLE.replace("note TEXT)", "note TEXT, day DATE)")
CHUNKS = {"name": "x", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 200, "chunk_checkpoint": True}
SWEEPS = {  # name: export, arguments of the run
    "partitioned": ({"name": "x", "table": "t", "partition_by": "day", "partition_granularity": "month",
                     "destination": {"type": "local", "path": "./out/{partition}"}}, ()),
    "quality": ({**CHUNKS, "quality": {"row_count_min": 10, "unique_columns": ["id"], "null_ratio_max": {"note": 0.5}}}, ()),
    "reconciled": (CHUNKS, ("--reconcile",)),
    "postgres": (CHUNKS, ("--validate",)),
    "repair": (CHUNKS, ())}


class Swept:
    """One directory per fault: source and config, output and state of its own."""

    def __init__(self, place, name, source, export, repair):
        self.place = lib.Place.__new__(lib.Place)
        self.place.dir = place.path(name)
        os.makedirs(self.place.dir)
        self.export, self.repair = export, repair
        doc = {"source": {**source, "tuning": {"throttle_ms": 0, "retry_backoff_ms": 1, "lock_timeout_s": 1, "max_retries": 1}},
               "exports": [{"format": "parquet", "destination": {"type": "local", "path": "./out"}, **export}]}
        self.place.write("rivet.yaml", json.dumps(doc))
        if repair:
            self.run("run", *CLI)
            os.remove(sorted(glob.glob(self.place.path("out", "x_*")))[1])

    def run(self, *args, codes=(0,), **env):
        r = self.place.rivet(*args, binary=lib.FAULTY, env=env, timeout=90)
        assert r.code in codes, f"{args} {env}: {r}"
        return r

    def rows(self):
        """Of the newest success of each bucket; None without any."""
        good = {}
        for path in glob.glob(self.place.path("out", "**", "manifest-*.json"), recursive=True):
            with open(path, encoding="utf-8") as f:
                m = json.load(f)
            m["folder"] = os.path.dirname(path)
            if m["status"] == "success" and m["started_at"] >= good.get(m["export_name"], m)["started_at"]:
                good[m["export_name"]] = m
        if not good:
            return None
        return [r for m in good.values() for p in m["parts"] if p["status"] == "committed"
                for r in lib.read_part(os.path.join(m["folder"], p["path"]))]


def one_fault(place, source, work, want, kind, n):
    export, extra = SWEEPS[work]
    site = Swept(place, f"{kind}-{n}", source, export, work == "repair")
    command = ["repair", *CLI, "-e", "x", "--execute"] if work == "repair" else ["run", *CLI, *extra]
    env = {f"RIVET_FAIL_{kind}": str(n)}
    r = site.run(*command, codes=(0, 1, 2, 3, 5), **env)
    assert (r.code == 0) == ("Error: " not in r.err), f"{env}: {r}"
    if r.code == 0:
        same_rows(site.rows(), want)
    again = site.run(*command, codes=(0, 3, 5) if work == "quality" else (0,))
    same_rows(site.rows(), want)
    hidden = glob.glob(site.place.path("out", "**", ".rivet-tmp-*"), recursive=True, include_hidden=True)
    assert not hidden, f"{env}: {hidden} {again}"
    shutil.rmtree(site.place.dir)
    return r.code


def sweep(place, work, kind, budget):
    if not lib.FAULTY:
        raise Skip("no test build given (--faulty)")
    with contextlib.ExitStack() as stack:
        if work == "postgres":
            db = stack.enter_context(pg.database())
            pg.simple(db, 700, gap=False)
            source, want = {"type": "postgres", "url": db.url()}, db.rows("SELECT * FROM t")
        else:
            conn = place.db(SQL)
            conn.executemany("INSERT INTO t VALUES (?,?,?,?,?)", [
                (i, f"name {i}", i // 3, f"note {i}" if i % 7 else None, f"2024-0{1 + i % 3}-01") for i in range(1, 701)])
            conn.commit()
            source = {"type": "sqlite", "path": place.path("src.db")}
            want = [{**r, "day": datetime.date.fromisoformat(r["day"])} for r in everything(conn)]
        codes, n, clean, step = {}, 1, 0, 1
        while clean < 4 and n < 10**6:  # past the end nothing fails any more
            code = one_fault(place, source, work, want, kind, n)
            codes[code] = codes.get(code, 0) + 1
            clean = clean + 1 if code == 0 else 0
            step = max(1, n // budget) if budget else 1
            n += step
        assert sum(c for k, c in codes.items() if k) >= sum(codes.values()) // 5, codes


def add(work, kind, budget, name, **marks):
    def test(place):
        sweep(place, work, kind, budget)
    test.__name__ = name
    for k, v in marks.items():
        setattr(test, k, v)
    globals()[name] = test


for _work in SWEEPS:
    for _kind, _word, _budget in (("IO", "file_operations", 3), ("ALLOC", "allocations", 2)):
        add(_work, _kind, _budget, f"test_{_word}_{_work}")
        add(_work, _kind, 60, f"test_many_{_word}_{_work}", long=True)
