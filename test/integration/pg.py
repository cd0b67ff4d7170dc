"""PostgreSQL for the integration tests: one shared server per version, a database per test, configs
that name it, and what psycopg reads as the truth to compare with."""
import atexit
import contextlib
import itertools
import os
import sys
import threading
import time
import urllib.parse

import psycopg

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import host  # noqa: E402
import pgbouncer  # noqa: E402,F401
import postgres  # noqa: E402
import proxy  # noqa: E402,F401
import tls  # noqa: E402,F401
import sqlkit  # noqa: E402
from lib import Skip  # noqa: E402
from sqlkit import export_row, logged, unmoved  # noqa: E402,F401

PINS = "SET TimeZone='UTC'; SET DateStyle='ISO, YMD'; SET IntervalStyle='iso_8601'; SET bytea_output='hex'; " \
       "SET extra_float_digits=3"
_lock = threading.Lock()
_stack = contextlib.ExitStack()
_shared = {}
_count = itertools.count(1)
atexit.register(_stack.close)


class Given:
    """The server that RIVET_TEST_PG_URL names."""
    version = 15

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.port, self.who = parts.port, parts.username or "postgres"

    def url(self, db="postgres", user=None, password=None, port=None, **params):
        return postgres.Postgres.url(self, db, user or self.who, password, port=port, **params)


def server(version=15):
    """The shared server of a version; a named skip when there is none."""
    with _lock:
        if version not in _shared:
            given = os.environ.get("RIVET_TEST_PG_URL")
            _shared[version] = Given(given) if given and version == 15 else own(_stack, version)
        return _shared[version]


def own(stack, version=15, **kw):
    """A server for one test, closed with the stack."""
    try:
        return stack.enter_context(postgres.Postgres(version, **kw))
    except host.Unavailable as why:
        raise Skip(str(why)) from why


class Database:
    def __init__(self, on, name):
        self.server, self.name = on, name
        self.conn = self.connect(autocommit=True)

    def url(self, **kw):
        return self.server.url(self.name, **kw)

    def connect(self, **kw):
        return psycopg.connect(self.url(), options="-c TimeZone=UTC", **kw)

    def sql(self, *statements):
        for s in statements:
            self.conn.execute(s)

    def rows(self, query, *args):
        """Rows as dictionaries of what psycopg makes of the values."""
        cur = self.conn.execute(query, args or None)
        names = [d.name for d in cur.description]
        return [dict(zip(names, row)) for row in cur.fetchall()]

    def one(self, query, *args):
        return self.conn.execute(query, args or None).fetchone()[0]

    def texts(self, query):
        """Columns by name as the texts of the server's output functions under the pinned settings."""
        with self.connect(autocommit=True) as c:
            c.execute(PINS)
            cur = c.execute(query)
            res = cur.pgresult
            out = {}
            for i, d in enumerate(cur.description):
                cells = [res.get_value(r, i) for r in range(res.ntuples)]
                out[d.name] = [None if v is None else v.decode("utf-8", "surrogateescape") for v in cells]
            return out


@contextlib.contextmanager
def database(on=15, encoding=None):
    """A database of its own, dropped afterwards; `on` is a version or a server."""
    srv = server(on) if isinstance(on, int) else on
    name = f"t{os.getpid()}_{next(_count)}"
    extra = f" ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'" if encoding else ""
    with psycopg.connect(srv.url(), autocommit=True) as c:
        c.execute(f"CREATE DATABASE {name} TEMPLATE template0{extra}")
    db = Database(srv, name)
    try:
        yield db
    finally:
        db.conn.close()
        with contextlib.suppress(psycopg.Error), psycopg.connect(srv.url(), autocommit=True) as c:
            if srv.version >= 13:
                c.execute(f"DROP DATABASE {name} WITH (FORCE)")
            else:
                c.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
                c.execute(f"DROP DATABASE {name}")


def config(place, source, exports, **kw):
    return sqlkit.config(place, "postgres", source, exports, **kw)


def simple(db, n=5000, gap=True):
    """The table every mode can read: integer key, ties, NULLs, text, times."""
    db.sql("CREATE TABLE t (id integer PRIMARY KEY, name text NOT NULL, grp integer NOT NULL, note text, "
           "at timestamptz, day date)", "CREATE INDEX t_grp ON t(grp)", "CREATE INDEX t_at ON t(at)")
    add(db, 1, n)
    if gap:
        db.sql("DELETE FROM t WHERE id BETWEEN 1000 AND 1700")
    db.sql("VACUUM ANALYZE t")


def add(db, first, last):
    db.sql(f"INSERT INTO t SELECT i, 'name ' || i, i/3, CASE WHEN i % 7 = 0 THEN NULL ELSE 'note ü ' || i END, "
           f"timestamptz '2024-01-01 00:00:00+00' + (i/3) * interval '10 minutes', "
           f"date '2024-01-01' + i/100 FROM generate_series({first}, {last}) i")


def keyed(db, name, kind, value, rows):
    """A table of one key k, made out of i, and v, which counts."""
    db.sql(f"CREATE TABLE {name} (k {kind} PRIMARY KEY, v integer)",
           f"INSERT INTO {name} SELECT {value}, i FROM generate_series(1, {rows}) i ORDER BY md5(i::text)", f"VACUUM ANALYZE {name}")


def reading(db, app="rivet/x", limit_s=15, more=1):
    """Waits until an export was seen reading on the server; returns its process id."""
    until, seen = time.monotonic() + limit_s, 0
    while time.monotonic() < until:
        row = db.conn.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s AND datname = %s "
                              "AND query LIKE '%%COPY%%' ORDER BY random()", (app, db.name)).fetchone()
        if row:
            seen += 1
            if seen >= more:
                return row[0]
        time.sleep(0.01)
    raise AssertionError("the run was never seen reading")
