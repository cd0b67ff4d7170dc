"""Exports to each store, in every mode: what lies there afterwards, seen by the cloud's own SDK."""
import datetime
import re

import duckdb
import pyarrow.parquet as pq

import cloud
import pg
from cloud import Corner, check_manifest, check_marker
from lib import SIMPLE, cases, fill, same_rows, table

CLOUDS = cases(*cloud.KINDS)
DAYS = SIMPLE.replace("note TEXT)", "note TEXT, day DATE)")


def simple(place, rows=3000):
    conn = place.db(SIMPLE)
    fill(conn, rows)
    return conn


def only_manifest(place, export, out):
    found = place.manifests(export, out)
    assert len(found) == 1, found
    return found[0]


@CLOUDS
def test_every_mode(place, kind):
    """One prefix for each: the parts, their manifest, the marker, and nothing else; readers see the source."""
    conn, c = simple(place), Corner(place, kind)
    modes = {"f": {}, "c": {"mode": "chunked", "chunk_column": "id", "chunk_size": 700, "parallel": 3, "chunk_checkpoint": True},
             "k": {"mode": "chunked", "chunk_by_key": "id", "chunk_size": 1000}, "i": {"mode": "incremental", "cursor_column": "id"},
             "v": {"format": "csv", "compression": "gzip", "max_file_size": "8KB"}}
    c.config(*[{"name": n, "table": "t", "destination": c.block(prefix=c.prefix + "{export}"), **m} for n, m in modes.items()])
    r = c.run("--validate")
    c.fetch()
    for n in modes:
        m = only_manifest(place, n, f"out/{n}")
        assert m["status"] == "success" and m["row_count"] == 3000 and m["destination"]["kind"] == kind, m
        assert set(place.files(f"out/{n}")) == {p["path"] for p in m["parts"]} | {"manifest.json", f"manifest-{m['run_id']}.json", "_SUCCESS"}
        check_manifest(c, m, n + "/")
        if n != "v":
            same_rows(place.dataset(n, f"out/{n}"), table(conn, "SELECT * FROM t"))
            assert duckdb.connect().sql(f"SELECT count(*), sum(id) FROM '{place.path('out', n)}/*.parquet'").fetchall()[0] == (3000, 4501500)
        check_marker(c, m["run_id"], n + "/")
    assert not c.unfinished() and c.store.bucket in r.err, r
    fill(conn, 50, start=9000)
    c.run("-e", "i")
    c.fetch()
    same_rows(place.dataset("i", "out/i", incremental=True), table(conn, "SELECT * FROM t"))
    newest = place.manifests("i", "out/i")[-1]
    assert newest["row_count"] == 50
    check_marker(c, newest["run_id"], "i/")
    c.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=0)


@CLOUDS
def test_partitions(place, kind):
    conn, c = place.db(DAYS), Corner(place, kind)
    conn.executemany("INSERT INTO t VALUES (?,?,?,?,?)", [(i, "n", i, None, f"2024-01-0{1 + i % 3}") for i in range(90)])
    conn.commit()
    c.config({"name": "x", "table": "t", "partition_by": "day", "destination": c.block(prefix=c.prefix + "{partition}/")})
    c.run()
    c.fetch()
    for d in (1, 2, 3):
        under = f"day=2024-01-0{d}"
        m = only_manifest(place, f"x__2024-01-0{d}", f"out/{under}") if place.manifests(f"x__2024-01-0{d}", f"out/{under}") \
            else only_manifest(place, "x", f"out/{under}")
        check_manifest(c, m, under + "/")
        check_marker(c, m["run_id"], under + "/")
        assert sorted(r["id"] for r in pq.read_table(place.path("out", under, m["parts"][0]["path"])).to_pylist()) == \
            [i for i in range(90) if i % 3 == d - 1]


@CLOUDS
def test_from_postgres(place, kind):
    c = Corner(place, kind)
    with pg.database() as db:
        pg.simple(db, 4000)
        pg.config(place, {"url": db.url()}, [{"name": "x", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1500,
                                              "parallel": 2, "destination": c.block()}])
        c.run("--validate", "--reconcile")
        m = c.manifest("x")
        check_manifest(c, m)
        check_marker(c, m["run_id"])
        same_rows(c.dataset("x"), db.rows("SELECT * FROM t"))


@CLOUDS
def test_large_objects_in_parts(place, kind):
    """A threshold of zero: the part of the export goes in parts of the store, several at once."""
    conn, c = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)"), Corner(place, kind)
    conn.executescript("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120) "
                       "INSERT INTO t SELECT i, randomblob(100000) FROM n;")
    with c.behind() as m:
        c.config({"name": "x", "table": "t"}, dest=cloud.IN_PARTS)
        c.run("--validate")
        parts = {p for v, p in m.seen if v == "PUT" and re.search(r"partNumber=|comp=block(&|$)|upload_id=", p)}
        assert len(parts) == (1 if kind == "gcs" else 3) and len(m.seen) < 40, m.seen
    check_manifest(c, c.manifest("x"))
    same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))
    assert not c.unfinished()
    c.config({"name": "x", "table": "t"}, dest=cloud.IN_PARTS)
    c.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=0)


@CLOUDS
def test_placeholders_and_the_slash(place, kind):
    """{date} {export} {table} {run_id} once, and a prefix with or without its slash is the same."""
    simple(place, 30)
    c = Corner(place, kind)
    c.config({"name": "x", "table": "t", "destination": c.block(prefix=c.prefix + "a/{date}/{export}/{table}/{run_id}")})
    day = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    c.run("--validate")
    names = c.names()
    run = re.search(r"manifest-(x_[^/]+)\.json", "\n".join(names))[1]
    assert len(names) == 4 and all(n.startswith(f"a/{day}/x/x/{run}/") for n in names), names
    c.rivet("validate", "-c", "rivet.yaml", "--run-id", run, code=0)
    c.config({"name": "y", "table": "t", "destination": c.block(prefix=c.prefix + "b")})
    c.run()
    c.config({"name": "y", "table": "t", "destination": c.block(prefix=c.prefix + "b/")})
    r = c.rivet("validate", "-c", "rivet.yaml", code=0)
    assert "PASSED" in r.out, r
    c.run()  # the stored progress is of the same destination
    c.config({"name": "z", "table": "t", "destination": c.block(prefix=c.prefix + "{oops}")})
    r = c.run(code=1)
    assert "unknown placeholder {oops}" in r.err, r
    c.config({"name": "w", "table": "t", "destination": c.block(prefix=None)})
    c.run()  # the bucket itself
    there = [n for n in c.store.names("") if n.startswith("w_") or n.startswith("manifest-w_")]
    assert len(there) == 2, there
