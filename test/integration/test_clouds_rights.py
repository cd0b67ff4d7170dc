"""Each right lacking on its own, on each store: exactly what the contract says follows from it."""
import contextlib
import os

import cloud
import lib
from cloud import RIGHTS, Corner, check_marker
from lib import SIMPLE, cases, fill, same_rows, table

CLOUDS = cases(*cloud.KINDS)
CLI = ("-c", "rivet.yaml")
DENIED = {"s3": "403", "gcs": "denied", "azure": "AuthorizationPermissionMismatch"}
X = {"name": "x", "table": "t"}
K = {**X, "mode": "chunked", "chunk_column": "id", "chunk_size": 500, "chunk_checkpoint": True}


def without(right):
    return [r for r in RIGHTS if r != right]


@contextlib.contextmanager
def corner(place, kind, rows=1200):
    """A source and a corner; rights of GCS's double are everybody's, so that one is not shared."""
    conn = place.db(SIMPLE)
    fill(conn, rows)
    with contextlib.ExitStack() as stack:
        yield conn, Corner(place, kind, stack if kind == "gcs" else None)


def rows_of(place, m):
    return [r for p in m["parts"] if p["status"] == "committed" for r in lib.read_part(place.path("out", p["path"]))]


@CLOUDS
def test_put(place, kind):
    """Nothing appears, the finished part waits, and once the right is there it goes without a look at the source."""
    with corner(place, kind) as (conn, c):
        spool, before = c.spool(), table(conn, "SELECT * FROM t")
        with c.may(*without("put")):
            c.config({**X, "mode": "incremental", "cursor_column": "id"})
            r = c.run(code=1)
            assert "permission error" in r.err and DENIED[kind] in r.err, r
        assert c.names() == [] and len(os.listdir(spool)) == 1, (c.names(), os.listdir(spool))
        assert not place.state().execute("SELECT 1 FROM export_state WHERE last_cursor_value IS NOT NULL").fetchall()
        conn.execute("UPDATE t SET name = 'changed'")
        conn.commit()
        c.config({**X, "mode": "incremental", "cursor_column": "id"})
        c.run()
        same_rows(c.dataset("x", incremental=True), before)
        assert os.listdir(spool) == []


@CLOUDS
def test_get(place, kind):
    """A run needs none, the shared names change hands unseen; what has to read says so."""
    with corner(place, kind) as (conn, c):
        with c.may(*without("get")):
            c.config(X)
            c.run()
            c.run()
        m = c.manifest("x")
        check_marker(c, m["run_id"])
        with c.may(*without("get")):
            c.config(X)
            for args in (("validate", *CLI), ("run", *CLI, "--validate")):
                r = c.rivet(*args)
                assert r.code in (1, 3) and "permission error" in r.err + r.out and "untracked" not in r.out, r
        check_marker(c, m["run_id"])
        same_rows(rows_of(place, m), table(conn, "SELECT * FROM t"))


@CLOUDS
def test_resume_without_get(place, kind):
    """Recorded parts are kept unchecked; what cannot be told to be ours is left, superseded, for the next stem."""
    with corner(place, kind, 3000) as (conn, c):
        with c.may(*without("get")):
            c.config(K)
            c.killed("unit-committed:3")
        before = [n for n in c.names() if n.startswith("x_")]
        with c.may(*without("get")):
            c.run()
        m = c.manifest("x")
        listed = {p["path"]: p["status"] for p in m["parts"]}
        names = {n for n in c.names() if n.startswith("x_")}
        committed = {n for n, status in listed.items() if status == "committed"}
        assert committed <= names <= set(listed) and len(committed) == 6, (before, names, listed)
        assert all(listed[n] == "committed" for n in before if n.endswith(("chunk0.parquet", "chunk1.parquet", "chunk2.parquet"))), listed
        same_rows(rows_of(place, m), table(conn, "SELECT * FROM t"))


@CLOUDS
def test_list(place, kind):
    """Runs go on; validate cannot tell what lies there, except with what manifest and marker say."""
    with corner(place, kind) as (conn, c):
        with c.may(*without("list")):
            c.config(X)
            c.run()
            c.run()
            r = c.rivet("validate", *CLI)
            assert r.code in (1, 3) and DENIED[kind] in r.out + r.err, r
        m = c.manifest("x")
        check_marker(c, m["run_id"])
        same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))


@CLOUDS
def test_delete(place, kind):
    """Parts of a dead run stay, listed as superseded; shared names are replaced where that is no delete."""
    with corner(place, kind, 6000) as (conn, c):
        with c.may(*without("delete")):
            c.config({**X, "max_file_size": "8KB"})
            c.killed("store-after-put:2")
            left = [n for n in c.names() if n.startswith("x_")]
            assert left, c.names()
            fill(conn, 100, start=8000)
            r = c.run()
            assert left[0] in r.err, r
            c.fetch()
            dead, good = place.manifests("x")
            assert dead["status"] == "failed" and {p["path"] for p in dead["parts"] if p["status"] == "superseded"} >= set(left), dead
            same_rows(rows_of(place, good), table(conn, "SELECT * FROM t"))
            check_marker(c, good["run_id"])
            r = c.run()
            newest = c.manifest("x")
            kept = kind == "gcs"
            assert ("manifest.json" in r.err and "[WARN]" in r.err) == kept, r
            check_marker(c, newest["run_id"]) if not kept else check_same(c, good)
            assert newest["run_id"] != good["run_id"] and newest["status"] == "success"
        c.config({**X, "max_file_size": "8KB"})
        assert c.rivet("validate", *CLI).code == 0


def check_same(c, good):
    assert c.get("manifest.json") == c.get(f"manifest-{good['run_id']}.json") and c.get("_SUCCESS") == \
        f"{cloud.fingerprint(c.get('manifest.json'))}\n".encode()


@CLOUDS
def test_writing_only(place, kind):
    """A principal that may only write runs and runs again; one that may only read validates what it wrote."""
    with corner(place, kind) as (conn, c):
        with c.may("put"):
            c.config(X)
            c.run()
            c.run()
        good = [m for m in (c.fetch() or place.manifests("x")) if m["status"] == "success"]
        assert len(good) == 2
        for m in good:
            same_rows(rows_of(place, m), table(conn, "SELECT * FROM t"))
        check_marker(c, good[0 if kind == "gcs" else 1]["run_id"])
        with c.may("get", "list"):
            c.config(X)
            for depth in ("light", "sample", "full"):
                r = c.rivet("validate", *CLI, "--depth", depth)
                assert r.code == 0 and "PASSED" in r.out, r
            r = c.run(code=1)
            assert "permission error" in r.err and DENIED[kind] in r.err, r
        assert [m["run_id"] for m in (c.fetch() or place.manifests("x")) if m["status"] == "success"] == [m["run_id"] for m in good]


@CLOUDS
def test_doctor_names_what_is_lacking(place, kind):
    """Only the write is required; for each other right there is a WARN with the commands that need it."""
    with corner(place, kind, 3) as (_, c):
        for right, commands in {"get": "validate", "list": "validate", "delete": "repair"}.items():
            with c.may(*without(right)):
                c.config(X)
                r = c.rivet("doctor", *CLI, code=0)
                warned = [line for line in r.out.splitlines() if "[WARN]" in line]
                assert f"[OK]  Destination {c.store.label}({c.store.bucket})" in r.out and warned, r
                assert commands in r.out[r.out.index(warned[0]):], r
        with c.may(*without("put")):
            c.config(X)
            r = c.rivet("doctor", *CLI, code=1)
            assert f"[FAIL] Destination {c.store.label}({c.store.bucket}): permission error" in r.out, r
        c.config(X)
        r = c.rivet("doctor", *CLI, code=0)
        assert "All checks passed." in r.out and "[WARN]" not in r.out, r
        assert c.names() == [], "the probe stays"
