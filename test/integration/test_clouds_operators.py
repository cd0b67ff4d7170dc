"""Damage, resume, repair, plans and the state, with the data in a store."""
import json
import os
import re

import cloud
from cloud import Corner, check_manifest, check_marker
from lib import SIMPLE, cases, fill, same_rows, table

CLOUDS = cases(*cloud.KINDS)
CLI = ("-c", "rivet.yaml")
X = {"name": "x", "table": "t"}
K = {**X, "mode": "chunked", "chunk_column": "id", "chunk_size": 500, "chunk_checkpoint": True}


def begin(place, kind, rows=2500):
    conn = place.db(SIMPLE)
    fill(conn, rows)
    return conn, Corner(place, kind)


def everything(conn):
    return table(conn, "SELECT * FROM t")


def validated(c, code, *args):
    r = c.rivet("validate", *CLI, "--format", "json", *args, code=code)
    return json.loads(r.out)["exports"][0]["verification"]


def kinds(v):
    return sorted(f["kind"] for f in v["failures"])


@CLOUDS
def test_damage_is_found_and_repaired(place, kind):
    """Three depths see what they can; repair replaces what is damaged or missing and moves the damaged aside."""
    conn, c = begin(place, kind)
    c.config(K)
    c.run()
    m = c.manifest("x")
    names = [p["path"] for p in m["parts"]]
    for depth in ("light", "sample", "full"):
        v = validated(c, 0, "--depth", depth)
        assert v["passed"] and v["success_marker_consistent"], v
    assert v["parts_md5_verified"] == 5, v
    good = c.get(names[1])
    c.put(names[1], good[:-3], like=names[1])  # shorter
    c.put(names[2], good[:50] + b"?" + c.get(names[2])[51:], like=names[2])  # other bytes, as many or not
    flipped = bytearray(c.get(names[3]))
    flipped[40] ^= 1
    c.put(names[3], bytes(flipped), like=names[3])
    c.remove(names[4])
    c.put(names[0].replace("_chunk0", "_chunk77"), b"stray")
    c.put("unrelated.parquet", b"another program's")
    assert validated(c, 0, "--depth", "light")["passed"]
    v = validated(c, 3)
    assert {"part_size_mismatch", "part_checksum_mismatch", "part_missing"} <= set(kinds(v)), v
    assert [f["key"] for f in v["failures"] if f["kind"] == "untracked_object"] == [names[0].replace("_chunk0", "_chunk77")], v
    assert {f.get("path") for f in validated(c, 3, "--depth", "full")["failures"]} >= set(names[1:]), v
    r = c.rivet("reconcile", *CLI, "-e", "x", code=3)
    assert "missing" in r.out, r
    before = set(c.names())
    c.rivet("repair", *CLI, "-e", "x", code=0)
    assert set(c.names()) == before, "without --execute it changes nothing"
    c.rivet("repair", *CLI, "-e", "x", "--execute", code=0)
    moved = [n for n in c.names() if n.startswith("_quarantine/")]
    assert {n.rsplit("/", 1)[1] for n in moved} == {*names[1:4], names[0].replace("_chunk0", "_chunk77")}, moved
    assert c.get(next(n for n in moved if n.endswith(names[3]))) == bytes(flipped) and c.get("unrelated.parquet") == b"another program's"
    assert not set(names[1:4]) & set(c.names())
    new = c.manifest("x")
    check_marker(c, new["run_id"])
    same_rows(c.dataset("x"), everything(conn))
    v = validated(c, 0, "--depth", "full")
    assert v["passed"] and not v["parts_untracked"], v
    c.rivet("reconcile", *CLI, "-e", "x", code=0)


@CLOUDS
def test_a_killed_run_is_resumed(place, kind):
    """Committed parts are looked at again: kept, or done again where they are missing or differ."""
    conn, c = begin(place, kind)
    c.config(K)
    c.killed("unit-committed:4")
    names = sorted(n for n in c.names() if n.startswith("x_"))
    kept = c.facts(names[2])
    c.remove(names[0])
    c.put(names[1], b"damaged", like=names[1])
    r = c.run("-e", "x", "--resume", "--validate")
    assert names[1] in r.err, r
    m = c.manifest("x")
    assert [p["path"] for p in m["parts"]][:4] == names[:4] and c.facts(names[2]).changed == kept.changed
    check_manifest(c, m)
    check_marker(c, m["run_id"])
    same_rows(c.dataset("x"), everything(conn))
    same_rows(place.glob_rows("x"), everything(conn))
    assert validated(c, 0, "--depth", "full")["parts_verified"] == 5


@CLOUDS
def test_killed_while_publishing(place, kind):
    conn, c = begin(place, kind, 300)
    for point in ("after-final", "store-after-put:2", "store-after-put:3", "store-after-put:4"):
        c.config({**X, "mode": "incremental", "cursor_column": "id"})
        c.killed(point)
        held = c.names()
        r = c.run(code=0)
        assert set(held) <= set(c.names()), r
        same_rows(c.dataset("x", incremental=True), everything(conn))
        same_rows(place.glob_rows("x"), everything(conn))
        check_marker(c, c.manifest("x")["run_id"])
        fill(conn, 20, start=5000 + 100 * len(held))


@CLOUDS
def test_plan_and_apply(place, kind):
    conn, c = begin(place, kind)
    c.config(K)
    for secret in c.store.secrets:
        r = c.rivet("plan", *CLI, "-e", "x", "--format", "json", "-o", "plan.json", code=0)
        with open(place.path("plan.json"), encoding="utf-8") as f:
            assert secret not in f.read() + r.out + r.err
    os.rename(place.path("rivet.yaml"), place.path("gone.yaml"))
    c.rivet("apply", "plan.json", "--validate", code=0)
    m = c.manifest("x")
    check_manifest(c, m)
    check_marker(c, m["run_id"])
    same_rows(c.dataset("x"), everything(conn))


@CLOUDS
def test_the_state_and_another_place(place, kind):
    """Progress belongs to bucket and prefix; accept binds it anew; pruned history leaves positions and runs."""
    conn, c = begin(place, kind, 200)
    inc = {**X, "mode": "incremental", "cursor_column": "id"}
    c.config(inc)
    c.run()
    fill(conn, 30, start=9000)
    c.config(inc, dest={"prefix": c.prefix + "moved"})
    r = c.run(code=5)
    assert "accept" in r.err and "moved" in r.err and not [n for n in c.names() if n.startswith("moved")], r
    c.rivet("state", "accept", *CLI, "-e", "x", "--yes", code=0)
    c.run()
    c.fetch()
    assert [m["row_count"] for m in place.manifests("x", "out/moved")] == [30]
    c.rivet("state", "prune", *CLI, "--keep-days", "0", code=0)
    c.run()
    c.fetch()
    assert [m["row_count"] for m in place.manifests("x", "out/moved")][:1] == [30] and validated(c, 0)["passed"]
    r = c.rivet("state", "show", *CLI, code=0)
    assert re.search(r"x +9029 ", r.out), r


@CLOUDS
def test_a_dead_run_is_cleared_where_it_wrote(place, kind):
    """Under its own {run_id}, and under the prefix of its day when the configuration names another now."""
    conn, c = begin(place, kind, 6000)
    split = {**X, "max_file_size": "8KB"}
    c.config(split, dest={"prefix": c.prefix + "{run_id}"})
    c.killed("store-after-put:2")
    dead = c.names()
    assert len(dead) > 1 and len({n.split("/")[0] for n in dead}) == 1 and not any("manifest" in n for n in dead), dead
    c.config(split, dest={"prefix": c.prefix + "elsewhere/{run_id}"})
    r = c.run("--validate")
    left = [n for n in c.names() if not n.startswith("elsewhere/")]
    assert left == [], (left, r)
    c.rivet("validate", *CLI, "--run-id", c.names()[0].split("/")[1], code=0)


@CLOUDS
def test_finished_or_given_up(place, kind):
    """A run that died before it published: finish-run publishes it, reset gives it up and its objects stay."""
    conn, c = begin(place, kind, 100)
    c.config(X)
    c.killed("after-final")
    run = place.state().execute("SELECT run_id FROM run_status").fetchone()[0]
    c.rivet("state", "finish-run", *CLI, "--run-id", run, code=0)
    check_marker(c, run)
    fill(conn, 10, start=500)
    c.killed("after-final")
    held = c.names()
    c.rivet("state", "reset", *CLI, "-e", "x", code=0)
    assert c.names() == held
    check_marker(c, run)
    c.run()
    assert set(held) <= set(c.names())
    same_rows(c.dataset("x"), everything(conn))


@CLOUDS
def test_nothing_to_export(place, kind):
    """An empty table is one file without rows; skip_empty writes nothing at all. A marker alone vouches for nothing."""
    place.db(SIMPLE)
    c = Corner(place, kind)
    c.config({**X, "skip_empty": True})
    r = c.run()
    assert "skipped" in r.err and c.names() == [], (c.names(), r)
    c.config(X)
    c.run("--validate")
    m = c.manifest("x")
    assert m["row_count"] == 0 and m["part_count"] == len(m["parts"]) == 1, m
    check_manifest(c, m)
    check_marker(c, m["run_id"])
    for n in ("manifest.json", f"manifest-{m['run_id']}.json"):
        c.remove(n)
    assert "manifest_missing_under_marker" in kinds(validated(c, 3))
    c.remove("_SUCCESS")
    assert validated(c, 0)["legacy_run"]
