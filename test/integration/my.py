"""MariaDB and MySQL for the integration tests: one shared server of each, a database per test, configs
that name it, and what pymysql reads as the truth to compare with."""
import atexit
import contextlib
import datetime
import itertools
import os
import random
import sys
import threading
import time
import urllib.parse

import pymysql
from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions, convert_datetime

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import host  # noqa: E402
import mariadb  # noqa: E402
import mysql  # noqa: E402
import mysqld  # noqa: E402
import proxy  # noqa: E402,F401
import sqlkit  # noqa: E402
import tls  # noqa: E402,F401
from lib import Skip, cases  # noqa: E402
from sqlkit import export_row, logged, unmoved  # noqa: E402,F401

BOTH, EXTENDED = ("mariadb", "mysql"), ("mariadb-11.4", "mariadb-11.8", "mysql-8.0")
GIVEN = {"mariadb": "RIVET_TEST_MARIADB_URL", "mysql": "RIVET_TEST_MYSQL_URL"}
both, extended = cases(*BOTH), cases(*EXTENDED)
on_mariadb, on_mysql = cases(*BOTH, long=("mysql",)), cases(*BOTH, long=("mariadb",))  # both only in the extended run
_lock = threading.Lock()
_stack = contextlib.ExitStack()
_shared = {}
_count = itertools.count(1)
atexit.register(_stack.close)


class Given:
    """A server that the environment names."""

    def __init__(self, family, url):
        self.family, self.port = family, urllib.parse.urlsplit(url).port

    def url(self, *args, **kw):
        return mysqld.Server.url(self, *args, **kw)


def server(on):
    """The shared server of a family or version; a named skip when there is none."""
    with _lock:
        if on not in _shared:
            given = os.environ.get(GIVEN.get(on, ""))
            _shared[on] = Given(on, given) if given else own(_stack, on, binlog=True)
        return _shared[on]


def own(stack, on, **kw):
    """A server for one test, closed with the stack."""
    family, _, version = on.partition("-")
    try:
        made = {"mariadb": mariadb.MariaDb, "mysql": mysql.MySql}[family](**({"version": version} if version else {}), **kw)
        return stack.enter_context(made)
    except host.Unavailable as why:
        raise Skip(str(why)) from why


def connect(srv, db=None, user="root", password="", zone="+00:00", conv=None, autocommit=True, **kw):
    """A connection that sees instants as such (`conv`: pymysql's)."""
    def instant(text):
        v = convert_datetime(text)
        return v.replace(tzinfo=datetime.timezone.utc) if isinstance(v, datetime.datetime) else v
    c = pymysql.connect(host="127.0.0.1", port=srv.port, user=user, password=password, database=db, charset="utf8mb4",
                        autocommit=autocommit, conv=conv or {**conversions, FIELD_TYPE.TIMESTAMP: instant}, **kw)
    with c.cursor() as cur:
        cur.execute(f"SET time_zone = '{zone}'")
    return c


class Database:
    def __init__(self, on, name):
        self.server, self.name, self.family = on, name, on.family
        self.conn = self.connect()

    def url(self, **kw):
        return self.server.url(self.name, **kw)

    def connect(self, **kw):
        return connect(self.server, self.name, **kw)

    def sql(self, *statements):
        with self.conn.cursor() as cur:
            for s in statements:
                cur.execute(s)

    def rows(self, query, *args):
        """Rows as dictionaries of what pymysql makes of the values."""
        with self.conn.cursor(pymysql.cursors.DictCursor) as cur:
            cur.execute(query, args or None)
            return list(cur.fetchall())

    def one(self, query, *args):
        with self.conn.cursor() as cur:
            cur.execute(query, args or None)
            return cur.fetchone()[0]

    def series(self, first, last):
        """A relation `s` whose column `i` counts."""
        if self.family == "mariadb":
            return f"(SELECT CAST(seq AS SIGNED) AS i FROM seq_{first}_to_{last}) s" if first <= last else "(SELECT 1 AS i WHERE FALSE) s"
        self.sql("SET SESSION cte_max_recursion_depth = 100000000")
        return (f"(WITH RECURSIVE n(i) AS (SELECT {first} WHERE {first} <= {last} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
                "SELECT i FROM n) s")

    def mine(self):
        """Connections of rivet to this database: id, state of the statement and its text."""
        return self.rows("SELECT id, info FROM information_schema.processlist WHERE db = %s AND id <> CONNECTION_ID() AND "
                         "(info LIKE '/* rivet %%' OR info IS NULL)", self.name)


@contextlib.contextmanager
def database(on, collation="utf8mb4_general_ci"):
    """A database of its own, dropped afterwards; `on` is a family, a version or a server."""
    srv = server(on) if isinstance(on, str) else on
    name = f"t{os.getpid()}_{next(_count)}"
    with contextlib.closing(connect(srv)) as c, c.cursor() as cur:
        cur.execute(f"CREATE DATABASE {name} CHARACTER SET {collation.split('_')[0]} COLLATE {collation}")
    db = Database(srv, name)
    try:
        yield db
    finally:
        with contextlib.suppress(pymysql.Error):
            db.conn.close()
        with contextlib.suppress(pymysql.Error), contextlib.closing(connect(srv)) as c, c.cursor() as cur:
            cur.execute("SET lock_wait_timeout = 5")
            cur.execute(f"DROP DATABASE {name}")


def config(place, source, exports, **kw):
    return sqlkit.config(place, "mysql", source, exports, **kw)


def simple(db, n=5000, gap=True):
    """The table every mode can read: integer key, ties, NULLs, text, times."""
    db.sql("CREATE TABLE t (id integer PRIMARY KEY, name varchar(60) NOT NULL, grp integer NOT NULL, note varchar(200), "
           "at timestamp(6) NULL, day date, KEY t_grp (grp), KEY t_at (at))")
    add(db, 1, n)
    if gap:
        db.sql("DELETE FROM t WHERE id BETWEEN 1000 AND 1700")
    db.sql("ANALYZE TABLE t")


def add(db, first, last):
    db.sql("INSERT INTO t SELECT i, CONCAT('name ', i), i DIV 3, CASE WHEN i % 7 = 0 THEN NULL ELSE CONCAT('note ü ', i) END, "
           "TIMESTAMPADD(MINUTE, 10 * (i DIV 3), '2024-01-01 00:00:00'), DATE_ADD('2024-01-01', INTERVAL i DIV 100 DAY) "
           f"FROM {db.series(first, last)}")


def keyed(db, name, kind, value, rows):
    """A table of one key k, made out of i, and v, which counts."""
    db.sql(f"CREATE TABLE {name} (k {kind} PRIMARY KEY, v integer)",
           f"INSERT INTO {name} SELECT {value}, i FROM {db.series(1, rows)} ORDER BY SHA2(i, 256)", f"ANALYZE TABLE {name}")


def reading(db, app="rivet/x", limit_s=15, more=1):
    """Waits until an export reads for a while (pages are shorter than a look); returns one of its connections."""
    until, since = time.monotonic() + limit_s, None
    while time.monotonic() < until:
        found = db.mine()
        since = (since or time.monotonic()) if found else None
        if since and time.monotonic() - since > 0.1 + 0.05 * more:
            return random.choice(found)["id"]
        time.sleep(0.01)
    raise AssertionError("the run was never seen reading")
