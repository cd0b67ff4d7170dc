"""Inputs of other runs and other exports: refused with exit 5, nothing changed."""
import json
import os
import time

from lib import SIMPLE, fill, same_rows, table

CLI = ("-c", "rivet.yaml")
K = {"name": "k", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1000}


def make(place, *exports):
    conn = place.db(SIMPLE)
    fill(conn, 4000)
    place.config(list(exports))
    place.rivet("run", *CLI, code=0)
    return conn


def report(place, export, code, name="report.json"):
    r = place.rivet("reconcile", *CLI, "-e", export, "--format", "json", code=code)
    place.write(name, r.out)
    return json.loads(r.out)


def everything_there(place):
    found = {}
    for folder, _, names in os.walk(place.path("out")):
        for n in names:
            with open(os.path.join(folder, n), "rb") as f:
                found[os.path.join(folder, n)] = f.read()
    return found


def untouched(place, *args):
    before = everything_there(place)
    r = place.rivet(*args, code=5)
    assert "Error: " in r.err and everything_there(place) == before, r
    return r


def test_a_report_of_an_older_run(place):
    """What it says of chunks is no longer the data set."""
    conn = make(place, K)
    part = sorted(f for f in place.files() if f.startswith("k_"))[1]
    os.remove(place.path("out", part))
    old = report(place, "k", 3)
    time.sleep(1.1)
    place.rivet("run", *CLI, code=0)
    r = untouched(place, "repair", *CLI, "-e", "k", "--report", "report.json", "--execute")
    assert old["run_id"] in r.err, r
    same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))


def test_a_report_of_another_export(place):
    make(place, K, {**K, "name": "l"})
    os.remove(place.path("out", sorted(f for f in place.files() if f.startswith("l_"))[1]))
    report(place, "l", 3)
    untouched(place, "repair", *CLI, "-e", "k", "--report", "report.json", "--execute")
    doc = json.load(open(place.path("report.json"), encoding="utf-8"))
    doc["export_name"] = "k"  # relabelled: the run is still l's
    place.write("report.json", json.dumps(doc))
    untouched(place, "repair", *CLI, "-e", "k", "--report", "report.json", "--execute")


def test_a_manifest_that_lists_what_is_not_so(place):
    """Gone, cut off, swapped between chunks: each is named, exit 3, nothing changes."""
    make(place, K)
    a, b, c, d = sorted(f for f in place.files() if f.startswith("k_"))
    os.remove(place.path("out", a))
    os.truncate(place.path("out", b), 50)
    os.rename(place.path("out", c), place.path("out", "swap"))
    os.rename(place.path("out", d), place.path("out", c))
    os.rename(place.path("out", "swap"), place.path("out", d))
    before = everything_there(place)
    r = place.rivet("validate", *CLI, "--depth", "full", "--format", "json", code=3)
    kinds = {(f["kind"], f["path"]) for f in json.loads(r.out)["exports"][0]["verification"]["failures"] if "path" in f}
    assert ("part_missing", a) in kinds and ("part_size_mismatch", b) in kinds, kinds
    assert {c, d} <= {p for k, p in kinds if k in ("part_size_mismatch", "part_checksum_mismatch")}, kinds
    doc = report(place, "k", 3)
    wrong = {x["path"]: x["status"] for x in doc["destination"]}
    assert wrong[a] == "missing" and wrong[b] == "size_mismatch" and wrong[c] != "ok" and wrong[d] != "ok", wrong
    assert everything_there(place) == before
    place.rivet("repair", *CLI, "-e", "k", "--report", "report.json", "--execute", code=0)
    place.rivet("validate", *CLI, "--depth", "full", code=0)
    report(place, "k", 0)
