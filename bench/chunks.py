#!/usr/bin/env python3
"""What many chunks cost: planning and resuming 100,000 of them, and what a checkpoint adds to a
chunked export. Prints figures and ratios; --check fails when a promise is missed.

  bench/chunks.py --rivet build/release/rivet [--rows 10000000] [--runs 3] [--check]"""
import argparse
import json
import os
import resource
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

CHUNKS = 100_000
PLAN_S, PLAN_MB, CHECKPOINT_RATIO = 2.0, 64, 1.03


def config(folder, **export):
    x = {"name": "x", "table": "t", "mode": "chunked", "chunk_column": "id", "format": "parquet",
         "destination": {"type": "local", "path": "./out"}, **export}
    doc = {"source": {"type": "sqlite", "path": "src.db", "tuning": {"throttle_ms": 0}}, "exports": [x]}
    with open(os.path.join(folder, "rivet.yaml"), "w") as f:
        json.dump(doc, f)


def start(args, folder, *more):
    return subprocess.Popen([os.path.abspath(args.rivet), "run", "-c", "rivet.yaml", *more], cwd=folder,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def stop(process, sig):
    process.send_signal(sig)
    pid, status, usage = os.wait4(process.pid, 0)
    return usage.ru_maxrss / 1024


def answer(folder, sql):
    path = os.path.join(folder, ".rivet_state.db")
    if not os.path.exists(path):
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5) as c:
            return c.execute(sql).fetchone()[0]
    except sqlite3.Error:
        return 0


def until(folder, sql, want, began):
    while answer(folder, sql) < want:
        time.sleep(0.005)
        if time.monotonic() - began > 120:
            sys.exit(f"gave up waiting for {sql}")
    return time.monotonic() - began


def plan_and_resume(args):
    """All but the last of the chunks are done already when the run is resumed."""
    folder = tempfile.mkdtemp(prefix="rivet-bench-chunks-")
    try:
        c = sqlite3.connect(os.path.join(folder, "src.db"))
        c.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")
        c.executemany("INSERT INTO t VALUES (?, 'x')", [(1,), (CHUNKS * 10,)])
        c.commit()
        config(folder, chunk_size=10, chunk_checkpoint=True)
        began = time.monotonic()
        p = start(args, folder)
        planned = until(folder, "SELECT count(*) FROM chunk_task", CHUNKS, began)
        plan_mb = stop(p, signal.SIGKILL)
        with sqlite3.connect(os.path.join(folder, ".rivet_state.db")) as s:
            run, = s.execute("SELECT run_id FROM chunk_run").fetchone()
            zero = json.dumps({"rows": 0, "row_sum": "0" * 32, "columns": [[0, "0" * 16, 0]] * 2})
            s.execute("DELETE FROM run_unit")
            s.execute("UPDATE chunk_task SET status = 'completed', attempts = 1, rows_written = 0 WHERE chunk_index < ?", (CHUNKS - 3,))
            s.execute("UPDATE chunk_task SET status = 'pending', attempts = 0 WHERE chunk_index >= ?", (CHUNKS - 3,))
            s.execute("INSERT INTO run_unit (run_id, unit, rows, parts, accumulators, sealed_at, committed_at) SELECT run_id, "
                      "'chunk' || chunk_index, 0, 0, ?, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z' FROM chunk_task "
                      "WHERE chunk_index < ?", (zero, CHUNKS - 3))
        began = time.monotonic()
        p = start(args, folder, "-e", "x", "--resume")
        err = p.stderr.read()
        _, status, usage = os.wait4(p.pid, 0)
        resumed = time.monotonic() - began
        if status:
            sys.exit(f"the resumed run of {run} failed\n{err.decode()}")
        return planned, plan_mb, resumed, usage.ru_maxrss / 1024
    finally:
        shutil.rmtree(folder)


def checkpoint_cost(args):
    """The same 100 chunks with and without chunk_checkpoint, interleaved."""
    folder = tempfile.mkdtemp(prefix="rivet-bench-chunks-")
    try:
        c = sqlite3.connect(os.path.join(folder, "src.db"))
        c.execute("PRAGMA journal_mode = OFF")
        c.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b REAL, c INTEGER)")
        c.execute("WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ?) "
                  "INSERT INTO t SELECT i, 'name ' || (i * 7919 % 100003), i * 0.25, i % 977 FROM s", (args.rows,))
        c.commit()
        took = {True: [], False: []}
        for i in range(args.runs):
            for checkpoint in (i % 2 == 0, i % 2 != 0):
                shutil.rmtree(os.path.join(folder, "out"), ignore_errors=True)
                config(folder, chunk_size=max(args.rows // 100, 1), chunk_checkpoint=checkpoint)
                began = time.monotonic()
                p = start(args, folder)
                err = p.stderr.read()
                if p.wait():
                    sys.exit(err.decode())
                took[checkpoint].append(time.monotonic() - began)
        ratios = sorted(a / b for a, b in zip(took[True], took[False]))
        return statistics.median(took[True]), statistics.median(took[False]), ratios
    finally:
        shutil.rmtree(folder)


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--rivet", required=True)
    ap.add_argument("--rows", type=int, default=10_000_000)
    ap.add_argument("--runs", type=int, default=3)
    ap.add_argument("--check", action="store_true")
    args = ap.parse_args()
    planned, plan_mb, resumed, resume_mb = plan_and_resume(args)
    print(f"{CHUNKS:,} chunks planned   {planned:6.2f} s  {plan_mb:5.0f} MB   (promise {PLAN_S} s, {PLAN_MB} MB)")
    print(f"{CHUNKS:,} chunks resumed   {resumed:6.2f} s  {resume_mb:5.0f} MB   to the end of the run")
    with_it, without, ratios = checkpoint_cost(args)
    ratio = statistics.median(ratios)
    print(f"{args.rows:,} rows in 100 chunks: {with_it:.2f} s with a checkpoint, {without:.2f} s without: "
          f"ratio {ratios[0]:.2f} / {ratio:.2f} / {ratios[-1]:.2f} (promise {CHECKPOINT_RATIO})")
    good = max(planned, resumed) <= PLAN_S and max(plan_mb, resume_mb) <= PLAN_MB and ratio <= CHECKPOINT_RATIO
    sys.exit(0 if good or not args.check else "a promise is missed")


if __name__ == "__main__":
    main()
