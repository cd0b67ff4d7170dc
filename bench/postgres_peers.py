#!/usr/bin/env python3
"""PostgreSQL to Parquet: every figure as a ratio to a peer that ran right beside it.

usage: postgres_peers.py [FIGURE ..] --rivet BIN [--runs N] [--rows N]
  mixed      2M x 20 table, one connection: Rivet (table, query, snappy) against the raw COPY drain and DuckDB
  narrow     5M x 4 table against the drain and DuckDB
  scale      narrow table, 1M and 10M rows: time per row, memory
  wide       rows of 5 KB and more: statement times, memory
  parallel   four workers against one
  gentle     at `balanced`: statement and transaction times from the server's log, temp files
  oltp       pgbench at a fixed low rate beside Rivet, the drain and DuckDB: p99 latencies

A PostgreSQL 15 of its own is started on loopback and thrown away. Speed runs at throttle_ms 0, gentleness at
the balanced profile. Peers live in a virtual environment under the user's cache directory.
"""
import argparse
import glob
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(ROOT, "test", "servers"))
from postgres import Postgres  # noqa: E402

FAST, BALANCED = {"throttle_ms": 0}, {"profile": "balanced"}
MIXED = """
CREATE TABLE items AS SELECT g AS id, (g * 7919) % 200000 AS customer_id, (g % 32000)::smallint AS sku,
  (g % 97)::int AS qty, ((g * 31 % 1000000) / 100.0)::numeric(12,2) AS price, ((g % 1000) / 10000.0)::numeric(5,4)
  AS discount, (g * 1.37)::float8 AS total, (g % 1000)::real / 8 AS rate, g % 3 = 0 AS active,
  timestamp '2020-01-01' + g * interval '37 seconds' AS created_at,
  timestamptz '2021-01-01 00:00Z' + g * interval '11 seconds' AS updated_at, date '2019-01-01' + (g % 2000)::int
  AS ship_date, md5(g::text)::uuid AS uid, 'customer number ' || (g * 13 % 50000) AS name,
  'user' || g || '@example.com' AS email, (ARRAY['new','paid','sent','done','returned'])[1 + g % 5] AS status,
  CASE WHEN g % 4 = 0 THEN NULL ELSE 'order ' || g || ' was packed by hand ' || (g % 37) || ' and left the house on time'
  END AS note, ('{"k": ' || g % 100 || ', "tags": ["a", "b"]}')::jsonb AS payload,
  CASE WHEN g % 10 = 0 THEN NULL ELSE g * 3 END AS ref, lpad((g % 100000)::text, 8, '0')::char(8) AS code
  FROM generate_series(1, %ROWS%::bigint) g;
ALTER TABLE items ADD PRIMARY KEY (id); VACUUM ANALYZE items;"""
NARROW = """
CREATE TABLE %NAME% AS SELECT g AS id, (g % 1000)::int AS a, (g * 0.5)::float8 AS b, timestamptz '2021-01-01 00:00Z'
  + g * interval '1 second' AS at FROM generate_series(1, %ROWS%::bigint) g;
ALTER TABLE %NAME% ADD PRIMARY KEY (id); VACUUM ANALYZE %NAME%;"""
WIDE = """
CREATE TABLE wide (id bigint PRIMARY KEY, body text, tail bytea);
ALTER TABLE wide ALTER body SET STORAGE EXTERNAL, ALTER tail SET STORAGE EXTERNAL;
INSERT INTO wide SELECT g, repeat(md5(g::text), 160 + (g % 100)::int), decode(repeat(md5(g::text), 40), 'hex')
  FROM generate_series(1, %ROWS%) g;
VACUUM ANALYZE wide;"""
DUCKDB = """
import sys, duckdb
c = duckdb.connect()
c.execute("load postgres_scanner")
c.execute("set threads = 2")
c.execute("set enable_progress_bar = false")
c.execute(f"attach '{sys.argv[1]}' as p (type postgres, read_only)")
c.execute(f"copy (select * from p.public.{sys.argv[2]}) to '{sys.argv[3]}' (format parquet, compression {sys.argv[4]})")
"""


def peers():
    home = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "rivet-bench-pg")
    python = os.path.join(home, "bin", "python")
    if not os.path.exists(python):
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "duckdb==1.5.5",
                        "duckdb-extension-postgres-scanner==1.5.5"], check=True)
    return python


def spread(values, unit="", digits=2):
    return f"{min(values):.{digits}f} / {statistics.median(values):.{digits}f} / {max(values):.{digits}f}{unit}"


class Bench:
    def __init__(self, args, server, place):
        self.args, self.server, self.place = args, server, place
        self.url = server.url()

    def sql(self, text):
        subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", self.url], input=text, text=True,
                       check=True, stdout=subprocess.DEVNULL)

    def server_cpu(self):
        """CPU seconds of the postmaster and every backend it has reaped."""
        with open(f"/proc/{self.server.child.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return sum(int(v) for v in fields[11:15]) / os.sysconf("SC_CLK_TCK")

    def timed(self, command, stdout=subprocess.DEVNULL):
        """Wall s, client CPU s, server CPU s, peak RSS MB."""
        shutil.rmtree(os.path.join(self.place, "out"), ignore_errors=True)
        for f in glob.glob(os.path.join(self.place, ".rivet*")):
            shutil.rmtree(f, ignore_errors=True) if os.path.isdir(f) else os.remove(f)
        before, started = self.server_cpu(), time.monotonic()
        p = subprocess.Popen(command, cwd=self.place, stdout=stdout, stderr=subprocess.PIPE)
        err = p.stderr.read()
        _, status, use = os.wait4(p.pid, 0)
        wall = time.monotonic() - started
        if status:
            sys.exit(f"{' '.join(command)} ended with status {status}: {err.decode()[-2000:]}")
        time.sleep(0.3)  # the backend is reaped
        return wall, use.ru_utime + use.ru_stime, self.server_cpu() - before, use.ru_maxrss / 1024

    def config(self, name, tuning=FAST, compression="zstd", query=None, **more):
        x = {"name": name, "format": "parquet", "compression": compression,
             "destination": {"type": "local", "path": "./out"}, **more}
        x["query" if query else "table"] = query or name
        doc = {"source": {"type": "postgres", "url": self.url}, "exports": [x]}
        doc["source"]["tuning"] = tuning
        path = os.path.join(self.place, f"{name}-{len(os.listdir(self.place))}.yaml")
        with open(path, "w") as f:
            json.dump(doc, f)
        return [self.args.rivet, "run", "-c", path]

    def drain(self, table):
        return ["psql", "-qX", "-d", self.url, "-c", f"COPY {table} TO STDOUT (FORMAT binary)"]

    def duckdb(self, table, codec="zstd"):
        return [peers(), "-c", DUCKDB, self.url, table, os.path.join(self.place, "duck.parquet"), codec]

    def in_turn(self, commands):
        for c in commands.values():
            self.timed(c)  # warm
        got = {name: [] for name in commands}
        for _ in range(self.args.runs):
            for name, c in commands.items():
                got[name].append(self.timed(c))
        for name, runs in got.items():
            print(f"  {name:18} wall {spread([r[0] for r in runs], ' s')}   CPU client {statistics.median(r[1] for r in runs):.2f}"
                  f" + server {statistics.median(r[2] for r in runs):.2f} s   RSS {max(r[3] for r in runs):.0f} MB")
        return got

    @staticmethod
    def ratio(got, a, b, what, wanted, pick=lambda r: r[0]):
        values = [pick(x) / pick(y) for x, y in zip(got[a], got[b])]
        print(f"  {a} / {b} {what}: {spread(values)}  (wanted: <= {wanted})")

    # ---- figures ----

    def mixed(self):
        rows = self.args.rows or 2000000
        self.sql(MIXED.replace("%ROWS%", str(rows)))
        print(f"mixed, {rows:,} x 20, one connection; min / median / max of {self.args.runs} runs in turn")
        got = self.in_turn({"drain": self.drain("items"), "rivet": self.config("items"),
                            "rivet query": self.config("items_q", query="SELECT * FROM items"),
                            "rivet snappy": self.config("items", compression="snappy"),
                            "duckdb": self.duckdb("items")})

        def cpu(run):
            return run[1] + run[2]

        for name in ("rivet", "rivet query"):
            self.ratio(got, name, "drain", "wall", 1.25)
            self.ratio(got, name, "duckdb", "wall", 0.8)
            self.ratio(got, name, "duckdb", "CPU, client + server", 0.75, cpu)
        self.ratio(got, "rivet snappy", "drain", "wall", 1.15)

    def narrow(self):
        rows = self.args.rows or 5000000
        self.sql(NARROW.replace("%NAME%", "narrow").replace("%ROWS%", str(rows)))
        print(f"narrow, {rows:,} x 4")
        got = self.in_turn({"drain": self.drain("narrow"), "rivet": self.config("narrow"), "duckdb": self.duckdb("narrow")})
        self.ratio(got, "rivet", "drain", "wall", 1.35)
        self.ratio(got, "rivet", "duckdb", "wall", 1.0)

    def scale(self):
        per_row = []
        for rows in (1000000, 10000000):
            name = f"scale{rows}"
            self.sql(NARROW.replace("%NAME%", name).replace("%ROWS%", str(rows)))
            runs = [self.timed(self.config(name)) for _ in range(max(2, self.args.runs // 2))]
            per_row.append(min(r[0] for r in runs) / rows * 1e6)
            print(f"  {rows:>10,} rows: {per_row[-1]:.3f} us a row, RSS {max(r[3] for r in runs):.0f} MB")
            self.sql(f"DROP TABLE {name}")
        print(f"  time per row, 10M / 1M: {per_row[1] / per_row[0]:.2f}  (wanted: 0.90 .. 1.10)")

    def wide(self):
        rows = self.args.rows or 40000
        self.sql(WIDE.replace("%ROWS%", str(rows)))
        print(f"wide, {rows:,} rows of 6.5 to 9.5 KB")
        self.in_turn({"drain": self.drain("wide"), "rivet": self.config("wide")})
        self.statements("wide")

    def parallel(self):
        rows = self.args.rows or 2000000
        self.sql(MIXED.replace("%ROWS%", str(rows)))
        chunked = {"mode": "chunked", "chunk_column": "id", "chunk_size": max(1, rows // 16)}
        got = self.in_turn({"1 worker": self.config("items", **chunked, parallel=1),
                            "4 workers": self.config("items", **chunked, parallel=4)})
        self.ratio(got, "4 workers", "1 worker", "wall", 1.0)
        print(f"  RSS, 4 workers - 1: {max(r[3] for r in got['4 workers']) - max(r[3] for r in got['1 worker']):.0f} MB"
              "  (wanted: <= 48)")

    def statements(self, name, **more):
        """One run at `balanced` with every statement logged."""
        self.sql("ALTER SYSTEM SET log_min_duration_statement = 0; ALTER SYSTEM SET log_temp_files = 0;"
                 "ALTER SYSTEM SET log_line_prefix = '%a|%p|'; SELECT pg_reload_conf();")
        time.sleep(0.5)
        since = self.server.log_size()
        self.timed(self.config(name, tuning=BALANCED, **more))
        text = self.server.log(since)
        self.sql("ALTER SYSTEM RESET log_min_duration_statement; SELECT pg_reload_conf();")
        ms = sorted(float(m) for m in re.findall(r"^rivet/[^|]*\|\d+\|LOG:  duration: ([0-9.]+) ms", text, re.M))
        temp = len(re.findall(r"^rivet/[^|]*\|\d+\|LOG:  temporary file", text, re.M))
        begins = len(re.findall(r"^rivet/.*statement: .*\bBEGIN\b", text, re.M))
        p99 = ms[min(len(ms) - 1, int(len(ms) * 0.99))]
        print(f"  {name}: {len(ms)} statements, median {statistics.median(ms):.0f}, p99 {p99:.0f}, longest {ms[-1]:.0f} ms"
              f"  (wanted: p99 <= 120, longest <= 200); BEGINs {begins}, temporary files {temp} (wanted: 0)")

    def gentle(self):
        rows = self.args.rows or 2000000
        self.sql(MIXED.replace("%ROWS%", str(rows)))
        self.sql(WIDE.replace("%ROWS%", "40000"))
        self.statements("items")
        self.statements("items_q", query="SELECT * FROM items")
        self.statements("wide")

    def oltp(self):
        rows = self.args.rows or 2000000
        self.sql(MIXED.replace("%ROWS%", str(rows)))
        env = dict(os.environ, PGOPTIONS="")
        subprocess.run(["pgbench", "-q", "-i", "-s", "10", self.url], check=True, env=env,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        script = os.path.join(self.place, "oltp.sql")
        with open(script, "w") as f:
            f.write("\\set aid random(1, 1000000)\nUPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;\n"
                    "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n")
        beside = {"alone": None, "rivet balanced": self.config("items", tuning=BALANCED),
                  "drain": self.drain("items"), "duckdb": self.duckdb("items")}
        p99 = {name: [] for name in beside}
        for _ in range(self.args.runs):
            for name, command in beside.items():
                p99[name].append(self.latency(script, command))
        for name, values in p99.items():
            print(f"  p99 beside {name:15} {spread(values, ' ms')}")
        print("  (wanted: beside rivet lower than beside the drain and DuckDB)")

    def latency(self, script, command, seconds=12):
        prefix = os.path.join(self.place, "bench_log")
        for f in glob.glob(prefix + "*"):
            os.remove(f)
        load = subprocess.Popen(["pgbench", "-n", "-R", "40", "-c", "2", "-T", str(seconds), "-f", script, "-l",
                                 f"--log-prefix={prefix}", self.url], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + seconds
        while command and time.monotonic() < deadline:  # the peer runs all the while
            p = subprocess.Popen(command, cwd=self.place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                p.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        load.wait()
        us = sorted(int(line.split()[2]) for f in glob.glob(prefix + "*") for line in open(f))
        return us[int(len(us) * 0.99)] / 1000


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("figure", nargs="*", default=[])
    ap.add_argument("--rivet", required=True)
    ap.add_argument("--runs", type=int, default=5)
    ap.add_argument("--rows", type=int, default=0)
    args = ap.parse_args()
    args.rivet = os.path.abspath(args.rivet)
    figures = args.figure or ["mixed", "narrow", "scale", "wide", "parallel", "gentle", "oltp"]
    for figure in figures:
        print(f"== postgres {figure}", flush=True)
        with Postgres(conf={"shared_buffers": "'512MB'", "max_wal_size": "'4GB'"}) as server:
            place = tempfile.mkdtemp(prefix="rivet-bench-")
            try:
                getattr(Bench(args, server, place), figure)()
            finally:
                shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
