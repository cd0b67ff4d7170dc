#!/usr/bin/env python3
"""What an object store costs: a table whose parts make about 1 GB, exported to a store on the loopback that keeps
nothing (s3_sink.c), in turn with the same export to local disk and with a bare PUT of the same bytes. The wall
clock wanted is at most 1.1 x the longer of the two; memory at most 80 MB with four uploads on their way.

  bench/upload.py --rivet build/bench/rivet --sink build/bench/bench/s3_sink [--mb 1000] [--runs 3] [--check]"""
import argparse
import json
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

RATIO, RSS_MB = 1.1, 80
VALUE_BYTES, PART = 4096, "60MB"


def fill(path, mb):
    """Values that no codec makes smaller."""
    rows = mb * 1024 * 1024 // VALUE_BYTES
    with sqlite3.connect(path) as c:
        c.execute("PRAGMA journal_mode=OFF")
        c.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)")
        c.execute(f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) "
                  f"INSERT INTO t SELECT i, randomblob({VALUE_BYTES}) FROM n")


def config(folder, destination, **export):
    x = {"name": "x", "table": "t", "mode": "full", "format": "parquet", "max_file_size": PART, "compression": "none",
         "destination": destination, **export}
    doc = {"source": {"type": "sqlite", "path": "src.db", "tuning": {"throttle_ms": 0}}, "exports": [x]}
    with open(os.path.join(folder, "rivet.yaml"), "w", encoding="utf-8") as f:
        json.dump(doc, f)


def export(args, folder, destination, **keys):
    """Seconds, and the peak of its memory in MB."""
    config(folder, destination, **keys)
    env = {**os.environ, "K": "AKIAKEY", "S": "secret", "RIVET_TMPDIR": folder}
    began = time.monotonic()
    p = subprocess.Popen([os.path.abspath(args.rivet), "run", "-c", "rivet.yaml"], cwd=folder, env=env,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = p.stderr.read()
    _, status, usage = os.wait4(p.pid, 0)
    took = time.monotonic() - began
    if os.waitstatus_to_exitcode(status):
        sys.exit(said.decode())
    return took, usage.ru_maxrss / 1024


def bare_put(files, port):
    began = time.monotonic()
    for f in files:
        subprocess.run(["curl", "-sf", "-T", f, f"http://127.0.0.1:{port}/bare/{os.path.basename(f)}"], check=True)
    return time.monotonic() - began


def parts(folder):
    out = os.path.join(folder, "out")
    return sorted(os.path.join(out, f) for f in os.listdir(out) if f.endswith(".parquet"))


def spread(values):
    return f"{min(values):.2f} / {statistics.median(values):.2f} / {max(values):.2f}"


def measure(args, folder, port):
    store = {"type": "s3", "bucket": "sink", "region": "us-east-1", "endpoint": f"http://127.0.0.1:{port}",
             "access_key_env": "K", "secret_key_env": "S"}
    kinds = {"whole": store, "in parts of 16 MB": {**store, "upload_threshold_mb": 0}}
    times = {k: [] for k in ("local", "bare", *kinds)}
    ratios = {k: [] for k in kinds}
    rss = {k: 0 for k in kinds}
    for _ in range(args.runs):
        shutil.rmtree(os.path.join(folder, "out"), ignore_errors=True)
        times["local"].append(export(args, folder, {"type": "local", "path": "./out"})[0])
        files = parts(folder)
        times["bare"].append(bare_put(files, port))
        longer = max(times["local"][-1], times["bare"][-1])
        for kind, destination in kinds.items():
            took, mb = export(args, folder, {**destination, "prefix": f"{kind[:2]}/{{run_id}}"})
            times[kind].append(took)
            ratios[kind].append(took / longer)
            rss[kind] = max(rss[kind], mb)
    size = sum(os.path.getsize(f) for f in files) / 1e9
    print(f"{size:.2f} GB in {len(files)} parts; seconds, minimum / median / maximum of {args.runs} runs in turn")
    print(f"  to local disk      {spread(times['local'])}")
    print(f"  bare PUT (curl)    {spread(times['bare'])}")
    good = True
    for kind in kinds:
        ok = statistics.median(ratios[kind]) <= RATIO and rss[kind] <= RSS_MB
        good = good and ok
        print(f"  parts sent {kind:<18} {spread(times[kind])}; {spread(ratios[kind])} x the longer (wanted {RATIO}), "
              f"{rss[kind]:.0f} MB (wanted {RSS_MB}){'' if ok else '  MISSED'}")
    return good


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rivet", required=True)
    ap.add_argument("--sink", required=True)
    ap.add_argument("--mb", type=int, default=1000)
    ap.add_argument("--runs", type=int, default=3)
    ap.add_argument("--check", action="store_true", help="fail when a figure is missed")
    args = ap.parse_args()
    folder = tempfile.mkdtemp(prefix="rivet-upload-")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    sink = subprocess.Popen([args.sink, str(port)], stdin=subprocess.PIPE)
    try:
        fill(os.path.join(folder, "src.db"), args.mb)
        good = measure(args, folder, port)
    finally:
        sink.stdin.close()
        sink.wait()
        shutil.rmtree(folder)
    return 0 if good or not args.check else 1


if __name__ == "__main__":
    sys.exit(main())
