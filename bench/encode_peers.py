#!/usr/bin/env python3
"""Encodes the table of bench_encode with pyarrow and DuckDB, interleaved with Rivet, and prints
CPU seconds (min, median, max), sizes, peak memory and ratios.

usage: encode_peers.py BENCH_ENCODE [--rows N] [--runs N] [--dir DIR] [--venv DIR]

Makes its own virtual environment with pyarrow and duckdb. One thread each, zstd level 3. Every
run is a process of its own, its input in memory before the clock starts; CPU is that of the
process while it encodes. DIR should be on tmpfs.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import venv

PYARROW = """
import resource, sys, time
import pyarrow as pa, pyarrow.parquet as pq
pa.set_cpu_count(1)
table = pq.read_table(sys.argv[1], use_threads=False)
before = time.process_time()
pq.write_table(table, sys.argv[2], compression="zstd", compression_level=3)
"""
DUCKDB = """
import resource, sys, time
import duckdb
c = duckdb.connect()
c.execute("set threads = 1")
c.execute("set enable_progress_bar = false")
c.execute("set preserve_insertion_order = true")
c.execute(f"create table t as select * from '{sys.argv[1]}'")
before = time.process_time()
c.execute(f"copy t to '{sys.argv[2]}' (format parquet, compression zstd, compression_level 3,"
          " parquet_version v2)")
"""
REPORT = """
cpu = time.process_time() - before
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
import json, os
print(json.dumps({"cpu_s": cpu, "bytes": os.path.getsize(sys.argv[2]), "rss_mb": peak}))
"""


def run(command):
    env = dict(os.environ, OMP_NUM_THREADS="1")
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    return json.loads(out.stdout.strip().splitlines()[-1])


def environment(directory):
    python = os.path.join(directory, "bin", "python")
    if not os.path.exists(python):
        venv.create(directory, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "pyarrow", "duckdb"], check=True)
    return python


def main():
    p = argparse.ArgumentParser()
    p.add_argument("bench")
    p.add_argument("--rows", default="2000000")
    p.add_argument("--runs", type=int, default=5)
    p.add_argument("--dir", default="/dev/shm")
    p.add_argument("--venv", default=os.path.join(os.path.expanduser("~"), ".cache/rivet-bench"))
    a = p.parse_args()
    python = environment(a.venv)
    source = os.path.join(a.dir, "rivet-bench-source.parquet")
    target = os.path.join(a.dir, "rivet-bench-target.parquet")
    rows = ["--rows", a.rows]
    run([a.bench, "--codec", "none", "--out", source] + rows)
    commands = {
        "rivet": [a.bench, "--out", target] + rows,
        "pyarrow": [python, "-c", PYARROW + REPORT, source, target],
        "duckdb-v2": [python, "-c", DUCKDB + REPORT, source, target],
    }
    results = {name: [] for name in commands}
    for _ in range(a.runs):
        for name, command in commands.items():
            results[name].append(run(command))
    os.remove(source)
    os.remove(target)
    print(f"{'':12}{'CPU s: min':>12}{'median':>9}{'max':>9}{'MB':>9}{'peak MB':>10}")
    median = {}
    for name, runs in results.items():
        cpu = [r["cpu_s"] for r in runs]
        median[name] = statistics.median(cpu)
        print(f"{name:12}{min(cpu):12.2f}{median[name]:9.2f}{max(cpu):9.2f}"
              f"{runs[0]['bytes'] / 1e6:9.1f}{max(r['rss_mb'] for r in runs):10.1f}")
    for peer, gate in (("pyarrow", 0.55), ("duckdb-v2", 0.50)):
        print(f"rivet / {peer}: CPU {median['rivet'] / median[peer]:.3f} (gate {gate:.2f}), size "
              f"{results['rivet'][0]['bytes'] / results[peer][0]['bytes']:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
