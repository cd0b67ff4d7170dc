#!/usr/bin/env python3
"""Whole-process figures, each as ratios of runs in turn (A B A B ...), with the machine's noise.

usage: figures.py NAME --rivet BIN --bin DIR [--runs N]
  sqlite   demo's largest table to zstd Parquet at throttle 0, against a bare step loop
  startup  rivet --help
  memory   peak RSS of 100 columns from 100,000 to 1,000,000 rows (--rows N for more)
  size     the stripped binary
  validate `validate --depth full` against the export that wrote the files, SQLite and PostgreSQL
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools"), os.path.join(HERE, "..", "test", "servers")]
import shop  # noqa: E402


def timed(command, cwd):
    """Wall s, CPU s and peak RSS MB of one process."""
    started = time.monotonic()
    p = subprocess.Popen(command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, use = os.wait4(p.pid, 0)
    wall = time.monotonic() - started
    if status:
        sys.exit(f"{' '.join(command)} ended with status {status}")
    return wall, use.ru_utime + use.ru_stime, use.ru_maxrss / 1024


def spread(values, unit, digits=3):
    return f"{min(values):.{digits}f} / {statistics.median(values):.{digits}f} / {max(values):.{digits}f} {unit}"


def in_turn(a, b, runs, cwd):
    timed(a, cwd), timed(b, cwd)  # warm
    pairs = [(timed(a, cwd), timed(b, cwd)) for _ in range(runs)]
    return [p[0] for p in pairs], [p[1] for p in pairs]


def sqlite(args, place):
    db = os.path.join(place, "shop.db")
    shop.make(db)
    with open(os.path.join(place, "rivet.yaml"), "w") as f:
        f.write("source: {type: sqlite, path: shop.db, tuning: {throttle_ms: 0}}\nexports:\n"
                "  - {name: order_items, table: order_items, format: parquet,\n"
                "     destination: {type: local, path: ./out}}\n")
    scan = [os.path.join(args.bin, "bench_scan"), db, "SELECT * FROM order_items"]
    ours, bare = in_turn([args.rivet, "run", "-c", "rivet.yaml"], scan, args.runs, place)
    ratios = [o[0] / b[0] for o, b in zip(ours, bare)]
    print(f"order_items, 700,000 x 12, min / median / max of {args.runs} pairs")
    print(f"  rivet wall      {spread([o[0] for o in ours], 's')}   CPU {spread([o[1] for o in ours], 's')}"
          f"   RSS {max(o[2] for o in ours):.0f} MB")
    print(f"  step loop wall  {spread([b[0] for b in bare], 's')}")
    print(f"  wall ratio      {spread(ratios, '')}  (wanted: 1.3)")


def startup(args, place):
    walls = [timed([args.rivet, "--help"], place)[0] * 1000 for _ in range(args.runs * 4)]
    print(f"rivet --help      {spread(walls, 'ms', 1)}  (wanted: 10)")


def size(args, place):
    print(f"stripped binary   {os.path.getsize(args.rivet) / 1048576:.2f} MB  (wanted: 4)")


def memory(args, place):
    import sqlite3
    kinds = ["INTEGER", "TEXT", "REAL", "DECIMAL(12,2)", "TIMESTAMP"]
    columns = ["id INTEGER PRIMARY KEY"] + [f"c{i} {kinds[i % 5]}" for i in range(99)]
    values = ["i * %d", "'text ' || (i %% %d)", "i * 0.5 + %d", "(i %% 1000) + 0.25 * (%d %% 2)",
              "datetime(1700000000 + i * %d, 'unixepoch')"]
    exprs = ", ".join(values[i % 5] % (i + 1) for i in range(99))
    for rows in [100000, 1000000] + ([args.rows] if args.rows else []):
        path = os.path.join(place, "wide.db")
        if os.path.exists(path):
            os.remove(path)
        db = sqlite3.connect(path)
        db.execute("PRAGMA journal_mode=OFF")
        db.execute(f"CREATE TABLE t ({', '.join(columns)})")
        db.execute(f"WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {rows}) "
                   f"INSERT INTO t SELECT i, {exprs} FROM s")
        db.commit()
        db.close()
        with open(os.path.join(place, "rivet.yaml"), "w") as f:
            f.write("source: {type: sqlite, path: wide.db, tuning: {throttle_ms: 0}}\nexports:\n"
                    "  - {name: t, table: t, format: parquet, destination: {type: local, path: ./out}}\n")
        shutil.rmtree(os.path.join(place, "out"), ignore_errors=True)
        wall, cpu, rss = timed([args.rivet, "run", "-c", "rivet.yaml"], place)
        print(f"100 columns x {rows:>9,} rows: peak RSS {rss:5.1f} MB, wall {wall:.1f} s  (wanted: 64 MB, flat)")


def validate_after(args, place, title):
    """Export and full validation in turn; how many times faster the second is."""
    run = [args.rivet, "run", "-c", "rivet.yaml"]
    check = [args.rivet, "validate", "-c", "rivet.yaml", "--depth", "full"]
    wrote, read = in_turn(run, check, args.runs, place)
    ratios = [w[0] / r[0] for w, r in zip(wrote, read)]
    print(f"{title}, min / median / max of {args.runs} pairs")
    print(f"  export wall     {spread([w[0] for w in wrote], 's')}   CPU {spread([w[1] for w in wrote], 's')}")
    print(f"  validate wall   {spread([r[0] for r in read], 's')}   CPU {spread([r[1] for r in read], 's')}"
          f"   RSS {max(r[2] for r in read):.0f} MB")
    print(f"  times as fast   {spread(ratios, '')}  (wanted: 3)")


def validate(args, place):
    shop.make(os.path.join(place, "shop.db"))
    export = {"format": "parquet", "destination": {"type": "local", "path": "./out"}}

    def config(source, name):
        with open(os.path.join(place, "rivet.yaml"), "w") as f:
            json.dump({"source": {**source, "tuning": {"throttle_ms": 0}}, "exports": [{**export, "name": name, "table": name}]}, f)
    config({"type": "sqlite", "path": "shop.db"}, "order_items")
    validate_after(args, place, "SQLite, order_items, 700,000 x 12")
    import host
    import postgres_peers
    rows = args.rows or 2000000
    try:
        with postgres_peers.Postgres() as server:
            bench = postgres_peers.Bench(args, server, place)
            bench.sql(postgres_peers.MIXED.replace("%ROWS%", str(rows)))
            config({"type": "postgres", "url": bench.url}, "items")
            validate_after(args, place, f"PostgreSQL, items, {rows:,} x 20")
    except host.Unavailable as why:
        print(f"PostgreSQL left out: {why}")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("name", choices=["sqlite", "startup", "memory", "size", "validate"])
    ap.add_argument("--rivet", required=True)
    ap.add_argument("--bin", required=True)
    ap.add_argument("--runs", type=int, default=7)
    ap.add_argument("--rows", type=int, default=0)
    args = ap.parse_args()
    args.rivet, args.bin = os.path.abspath(args.rivet), os.path.abspath(args.bin)
    place = tempfile.mkdtemp(prefix="rivet-bench-")
    try:
        {"sqlite": sqlite, "startup": startup, "memory": memory, "size": size, "validate": validate}[args.name](args, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
