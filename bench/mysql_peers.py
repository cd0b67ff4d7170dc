#!/usr/bin/env python3
"""MySQL and MariaDB to Parquet: every figure as a ratio to a peer that ran right beside it.

usage: mysql_peers.py [FIGURE ..] --rivet BIN --drain BIN [--family mariadb|mysql] [--runs N] [--rows N]
  mixed      2M x 20 table, one connection: Rivet (table, query) against the raw drain of both protocols,
             ConnectorX and DuckDB
  text       strings alone: the two drains and Rivet, which reads the text protocol then
  gentle     at `balanced`: statement times from performance_schema, temporary tables on disk
  wide       rows of 5 KB and more: statement times, memory
  oltp       point updates at a fixed low rate beside Rivet and the raw text drain: p99 latencies

A server of each family of its own is started on loopback and thrown away. Speed runs at throttle_ms 0,
gentleness at the balanced profile. Rivet goes without TLS, which MySQL offers, as the drains do. Peers live in a
virtual environment under the user's cache directory; one that cannot be had is named and left out. The CPU of
server and client together is printed beside the wall time, for it does not depend on what else the machine does.
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
import venv

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(ROOT, "test", "servers"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from mariadb import MariaDb  # noqa: E402
from mysql import MySql  # noqa: E402
from postgres_peers import BALANCED, FAST, Bench as Common, spread  # noqa: E402

NUMBERS = """
CREATE TABLE d(i int PRIMARY KEY); INSERT INTO d VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
CREATE TABLE n AS SELECT 1 + a.i + 10 * b.i + 100 * c.i + 1000 * e.i + 10000 * f.i + 100000 * g.i + 1000000 * h.i AS g
  FROM d a, d b, d c, d e, d f, d g, d h WHERE 1 + a.i + 10 * b.i + 100 * c.i + 1000 * e.i + 10000 * f.i + 100000 * g.i
  + 1000000 * h.i <= %ROWS%;
"""
MIXED = NUMBERS + """
CREATE TABLE items (id bigint NOT NULL PRIMARY KEY, customer_id int NOT NULL, sku smallint NOT NULL, qty int NOT NULL,
  price decimal(12,2) NOT NULL, discount decimal(5,4) NOT NULL, total double NOT NULL, rate float NOT NULL,
  active tinyint(1) NOT NULL, created_at datetime(6) NOT NULL, updated_at timestamp(6) NULL, ship_date date NOT NULL,
  uid char(36) NOT NULL, name varchar(60) NOT NULL, email varchar(80) NOT NULL,
  status enum('new','paid','sent','done','returned') NOT NULL, note text, payload json, ref bigint, code char(8) NOT NULL);
INSERT INTO items SELECT g, g * 7919 % 200000, g % 32000, g % 97, (g * 31 % 1000000) / 100, (g % 1000) / 10000, g * 1.37,
  (g % 1000) / 8, g % 3 = 0, '2020-01-01 00:00:00.000000' + INTERVAL g * 37 SECOND, '2021-01-01 00:00:00.000000' +
  INTERVAL g * 11 SECOND, '2019-01-01' + INTERVAL (g % 2000) DAY, CONCAT(LPAD(HEX(g * 2654435761 % 4294967296), 8, '0'),
  '-aaaa-4bbb-8ccc-', LPAD(HEX(g), 12, '0')), CONCAT('customer number ', g * 13 % 50000), CONCAT('user', g,
  '@example.com'), 1 + g % 5, IF(g % 4 = 0, NULL, CONCAT('order ', g, ' was packed by hand ', g % 37,
  ' and left the house on time')), CONCAT('{"k": ', g % 100, ', "tags": ["a", "b"]}'), IF(g % 10 = 0, NULL, g * 3),
  LPAD(g % 100000, 8, '0') FROM n ORDER BY g;
ANALYZE TABLE items;"""
WIDE = NUMBERS + """
CREATE TABLE wide (id bigint PRIMARY KEY, body mediumtext, tail blob);
INSERT INTO wide SELECT g, REPEAT(MD5_(g), 160 + g % 100), REPEAT(UNHEX(MD5_(g)), 80) FROM n;
ANALYZE TABLE wide;""".replace("MD5_(g)", "LEFT(SHA2(g, 256), 32)")
CONNECTORX = """
import sys, connectorx, pyarrow.parquet
t = connectorx.read_sql(sys.argv[1], "SELECT * FROM " + sys.argv[2], return_type="arrow", protocol="binary")
pyarrow.parquet.write_table(t, sys.argv[3], compression="zstd", compression_level=3)
"""
DUCKDB = """
import glob, os, sys, duckdb, duckdb_extension_mysql_scanner as extension
c = duckdb.connect()
c.execute(f"load '{glob.glob(os.path.join(os.path.dirname(extension.__file__), 'extensions/*/*'))[0]}'")
c.execute("set threads = 2")
c.execute("set enable_progress_bar = false")
c.execute(f"attach '{sys.argv[1]}' as m (type mysql, read_only)")
c.execute(f"copy (select * from m.{sys.argv[2]}) to '{sys.argv[3]}' (format parquet, compression zstd)")
"""
FAMILIES = {"mariadb": MariaDb, "mysql": MySql}
# The server's own clock; MariaDB keeps no text of what was prepared.
HISTORY = ("SELECT TIMER_WAIT / 1e9 FROM performance_schema.events_statements_history_long WHERE ROWS_SENT > 0 AND "
           "CURRENT_SCHEMA = 'bench' AND EVENT_NAME IN ('statement/com/Execute', 'statement/sql/select')")


def python_of_peers():
    home = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "rivet-bench-mysql")
    python = os.path.join(home, "bin", "python")
    if not os.path.exists(python):
        venv.create(home, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "connectorx==0.4.6", "pyarrow", "duckdb==1.5.5",
                        "duckdb-extension-mysql-scanner==1.5.5", "PyMySQL"], check=True)
    return python


class Bench(Common):
    def __init__(self, args, server, place):
        super().__init__(args, server, place)
        self.url = server.url("bench")
        self.sql("CREATE DATABASE bench", db=None)

    def client(self, db="bench"):
        return ["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{self.server.port}", "-uroot", "-sN", *([db] if db else [])]

    def sql(self, text, db="bench"):
        p = subprocess.run(self.client(db), input=text, text=True, check=True, stdout=subprocess.PIPE)
        return p.stdout

    def config(self, name, tuning=FAST, compression="zstd", query=None, **more):
        command = super().config(name, tuning, compression, query, **more)
        with open(command[-1], encoding="utf-8") as f:
            doc = json.load(f)
        doc["source"]["type"] = "mysql"
        doc["source"]["url"] = self.url + "?ssl-mode=disabled"
        with open(command[-1], "w", encoding="utf-8") as f:
            json.dump(doc, f)
        return command

    def drain(self, table, protocol="binary"):
        return [self.args.drain, protocol, "127.0.0.1", str(self.server.port), "root", "", "bench", f"SELECT * FROM {table}"]

    def peers(self, table):
        """Those that work here, by one row each."""
        out = os.path.join(self.place, "peer.parquet")
        duck = f"host=127.0.0.1 port={self.server.port} user=root database=bench"
        offered = {"connectorx": (CONNECTORX, self.url), "duckdb": (DUCKDB, duck)}
        found = {}
        for name, (script, where) in offered.items():
            try:
                probe = [python_of_peers(), "-c", script, where, "d", out]
                p = subprocess.run(probe, capture_output=True, text=True, timeout=120)
                why = p.stderr.strip().splitlines()[-1] if p.returncode else None
            except (OSError, subprocess.SubprocessError) as e:
                why = str(e)
            if why:
                print(f"  {name}: left out ({why[:150]})")
            else:
                found[name] = [python_of_peers(), "-c", script, where, table, out]
        return found

    @staticmethod
    def cpu(run):
        return run[1] + run[2]

    def mixed(self):
        rows = self.args.rows or 2000000
        self.sql(MIXED.replace("%ROWS%", str(rows)))
        peers = self.peers("items")
        print(f"mixed, {rows:,} x 20, one connection; min / median / max of {self.args.runs} runs in turn")
        got = self.in_turn({"binary drain": self.drain("items"), "text drain": self.drain("items", "text"),
                            "rivet": self.config("items"),
                            "rivet query": self.config("items_q", query="SELECT * FROM items"), **peers})
        for name in ("rivet", "rivet query"):
            self.ratio(got, name, "binary drain", "wall", 1.30)
            self.ratio(got, name, "binary drain", "CPU of the server", "about 1", lambda r: r[2])
            self.ratio(got, name, "text drain", "wall", 1.0)
            self.ratio(got, name, "text drain", "CPU, client + server", "-", self.cpu)
            for peer in peers:
                self.ratio(got, name, peer, "wall", 0.67)
                self.ratio(got, name, peer, "CPU, client + server", "-", self.cpu)
        print(f"  RSS: {max(r[3] for r in got['rivet'] + got['rivet query']):.0f} MB (wanted: <= 64)")

    def text(self):
        rows = self.args.rows or 2000000
        self.sql(MIXED.replace("%ROWS%", str(rows)))
        self.sql("CREATE TABLE words (uid char(36) PRIMARY KEY, name text, email text, note text, code char(8));"
                 "INSERT INTO words SELECT uid, name, email, note, code FROM items; ANALYZE TABLE words")
        got = self.in_turn({"binary drain": self.drain("words"), "text drain": self.drain("words", "text"),
                            "rivet": self.config("words")})
        self.ratio(got, "text drain", "binary drain", "CPU, client + server", "<= 1", self.cpu)
        self.ratio(got, "rivet", "text drain", "wall", 1.30)

    def temp_tables(self):
        return int(self.sql("SHOW GLOBAL STATUS LIKE 'Created_tmp_disk_tables'").split()[-1])

    def statements(self, name, **more):
        self.sql("UPDATE performance_schema.setup_instruments SET ENABLED = 'YES', TIMED = 'YES' WHERE NAME LIKE "
                 "'statement/%'; UPDATE performance_schema.setup_consumers SET ENABLED = 'YES' WHERE NAME LIKE "
                 "'events_statements%'; TRUNCATE performance_schema.events_statements_history_long", db=None)
        before = self.temp_tables()
        run = self.timed(self.config(name, tuning=BALANCED, **more))
        ms = sorted(float(v) for v in self.sql(HISTORY).split())
        p99 = ms[min(len(ms) - 1, int(len(ms) * 0.99))]
        print(f"  {name}: {len(ms)} statements, median {statistics.median(ms):.0f}, p99 {p99:.0f}, longest {ms[-1]:.0f} ms"
              f" (wanted: p99 <= 120, longest <= 200); temporary tables on disk {self.temp_tables() - before} (wanted: 0);"
              f" RSS {run[3]:.0f} MB (wanted: <= 64)")

    def gentle(self):
        rows = self.args.rows or 2000000
        self.sql(MIXED.replace("%ROWS%", str(rows)))
        self.statements("items")
        self.statements("items_q", query="SELECT * FROM items")

    def wide(self):
        rows = self.args.rows or 40000
        self.sql(WIDE.replace("%ROWS%", str(rows)))
        print(f"wide, {rows:,} rows of 6.5 to 9.5 KB")
        self.in_turn({"binary drain": self.drain("wide"), "rivet": self.config("wide")})
        self.statements("wide")

    def oltp(self):
        rows = self.args.rows or 2000000
        self.sql(MIXED.replace("%ROWS%", str(rows)))
        self.sql("CREATE TABLE accounts AS SELECT g AS id, 0 AS balance FROM n WHERE g <= 200000;"
                 "ALTER TABLE accounts ADD PRIMARY KEY (id)")
        beside = {"alone": None, "rivet balanced": self.config("items", tuning=BALANCED),
                  "text drain": self.drain("items", "text")}
        p99 = {name: [] for name in beside}
        for _ in range(self.args.runs):
            for name, command in beside.items():
                p99[name].append(self.latency(command))
        for name, values in p99.items():
            print(f"  p99 beside {name:15} {spread(values, ' ms')}")
        print("  (wanted: beside rivet lower than beside the text drain)")

    def latency(self, command, seconds=12, rate=40):
        """p99 of point updates, from when each was due, in ms; the peer runs all the while."""
        load = subprocess.Popen([python_of_peers(), "-c", LOAD, str(self.server.port), str(seconds), str(rate)],
                                stdout=subprocess.PIPE, text=True)
        deadline = time.monotonic() + seconds
        while command and time.monotonic() < deadline:
            p = subprocess.Popen(command, cwd=self.place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                p.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        ms = sorted(float(v) for v in load.communicate()[0].split())
        return ms[int(len(ms) * 0.99)]


LOAD = """
import pymysql, random, sys, time
c = pymysql.connect(host="127.0.0.1", port=int(sys.argv[1]), user="root", database="bench", autocommit=True)
q, began, n = c.cursor(), time.monotonic(), 0
while n < float(sys.argv[2]) * float(sys.argv[3]):
    due = began + n / float(sys.argv[3])
    time.sleep(max(0, due - time.monotonic()))
    q.execute("UPDATE accounts SET balance = balance + 1 WHERE id = %s", (random.randint(1, 200000),))
    print((time.monotonic() - due) * 1000)
    n += 1
"""


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("figure", nargs="*", default=[])
    ap.add_argument("--rivet", required=True)
    ap.add_argument("--drain", required=True)
    ap.add_argument("--family", choices=sorted(FAMILIES))
    ap.add_argument("--runs", type=int, default=5)
    ap.add_argument("--rows", type=int, default=0)
    args = ap.parse_args()
    args.rivet, args.drain = os.path.abspath(args.rivet), os.path.abspath(args.drain)
    for family in [args.family] if args.family else sorted(FAMILIES):
        for figure in args.figure or ["mixed", "text", "gentle", "wide", "oltp"]:
            options = {"innodb-buffer-pool-size": "1G", "default-time-zone": "+00:00"}
            with FAMILIES[family](options=options) as server:
                print(f"== {family} {server.version if family == 'mysql' else ''} {figure}", flush=True)
                place = tempfile.mkdtemp(prefix="rivet-bench-")
                try:
                    getattr(Bench(args, server, place), figure)()
                finally:
                    shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
