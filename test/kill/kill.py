#!/usr/bin/env python3
"""Kills the release binary at random moments, often twice in a row, then lets one run finish and
compares what a manifest reader and a globbing reader see with the source.
Usage: kill.py --release BIN [KILLS per workload]. Closes with 'N passed, N failed, N skipped'."""
import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import lib  # noqa: E402
import pg  # noqa: E402

WORKLOADS = {
    "full": ({"table": "t"}, False),
    "full with checkpoint": ({"table": "t", "chunk_checkpoint": True, "chunk_size": 2500}, False),
    "incremental with ties": ({"table": "t", "mode": "incremental", "cursor_column": "grp", "skip_empty": True}, True),
    "chunked, 4 workers, checkpoint": ({"table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1500,
                                        "chunk_checkpoint": True, "parallel": 4}, False),
    "chunked, 2 workers, no checkpoint": ({"table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 4000,
                                           "parallel": 2}, False),
    "keyset, 2 ranges, checkpoint": ({"table": "t", "mode": "chunked", "chunk_by_key": "id", "chunk_size": 1500,
                                      "chunk_checkpoint": True, "parallel": 2}, False),
    "split files, validated": ({"table": "t", "max_file_size": "64KB"}, False),
    "postgres: chunked, 4 workers": ({"table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1500,
                                      "chunk_checkpoint": True, "parallel": 4}, False),
    "postgres: keyset, 2 ranges": ({"table": "t", "mode": "chunked", "chunk_by_key": "id", "chunk_size": 1500,
                                    "chunk_checkpoint": True, "parallel": 2}, False),
    "postgres: incremental with ties": ({"table": "t", "mode": "incremental", "cursor_column": "grp",
                                         "skip_empty": True}, True),
}


class Sqlite:
    """The source of a workload: a SQLite file."""

    def __init__(self, place, export):
        self.conn = place.db(lib.SIMPLE)
        place.config([dict(export, name="x")])

    def fill(self, n, start):
        lib.fill(self.conn, n, start=start)

    def rows(self):
        return lib.table(self.conn, "SELECT * FROM t")


class Postgres:
    """The same on a PostgreSQL server."""

    def __init__(self, place, export, db):
        self.db = db
        pg.simple(db, 0, gap=False)
        pg.config(place, db, [dict(export, name="x")])

    def fill(self, n, start):
        pg.add(self.db, start, start + n - 1)

    def rows(self):
        return self.db.rows("SELECT * FROM t")


def wait_new_second(last):
    while int(time.time()) == last:
        time.sleep(0.02)
    return int(time.time())


def verify(place, export, source, incremental):
    lib.same_rows(place.dataset(export, incremental=incremental), source.rows())
    listed = {p["path"] for m in place.manifests(export) if m["status"] == "success" for p in m["parts"]
              if p["status"] == "committed"}
    on_disk = {f for f in place.files() if f.startswith(export + "_")}
    assert on_disk == listed, f"stray {sorted(on_disk - listed)[:3]} lost {sorted(listed - on_disk)[:3]}"
    assert not place.hidden(), f"temp files stayed: {place.hidden()[:3]}"


def one_workload(name, export, incremental, kills, rnd, release):
    place = lib.Place()
    landed = {"before": 0, "during": 0}
    args = ["run", "-c", "rivet.yaml"] + (["--validate"] if "validated" in name else [])
    with contextlib.ExitStack() as stack:
        stack.callback(place.close)
        on_postgres = name.startswith("postgres")
        source = Postgres(place, export, stack.enter_context(pg.database())) if on_postgres else Sqlite(place, export)
        source.fill(12000, 1)
        started = time.time()
        place.rivet(*args, code=0, binary=release)
        whole = time.time() - started
        next_id, done = 20000, 0
        while done < kills:
            source.fill(rnd.randrange(1, 40), next_id)
            next_id += 100
            for _ in range(rnd.choice((1, 1, 2, 3))):
                p = subprocess.Popen([release, *args], cwd=place.dir, stdout=subprocess.DEVNULL,
                                     stderr=subprocess.DEVNULL)
                time.sleep(rnd.uniform(0, whole * 1.1))
                landed["during" if p.poll() is None else "before"] += 1
                p.send_signal(signal.SIGKILL)
                p.wait()
                done += 1
            wait_new_second(int(time.time()))
            r = place.rivet(*args, binary=release)
            if r.code != 0:
                return done, landed, f"after the kill: {r}"
            try:
                verify(place, "x", source, incremental)
            except AssertionError as e:
                return done, landed, str(e)
        return done, landed, None


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--rivet")
    ap.add_argument("--release")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--only", default="")
    ap.add_argument("kills", nargs="?", type=int, default=20)
    args = ap.parse_args()
    release = os.path.abspath(args.release or args.rivet)
    rnd = random.Random(args.seed)
    passed = failed = skipped = 0
    print(f"{'workload':36} {'kills':>6} {'mid-run':>8}  outcome")
    for name, (export, incremental) in WORKLOADS.items():
        if args.only not in name:
            continue
        try:
            done, landed, error = one_workload(name, export, incremental, args.kills, rnd, release)
        except lib.Skip as why:
            print(f"SKIP {name}: {why}", flush=True)
            skipped += 1
            continue
        print(f"{name:36} {done:6} {landed['during']:8}  {'exact' if not error else error}", flush=True)
        passed, failed = passed + (not error), failed + bool(error)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
