"""Through pgbouncer in its three modes: everything works that can, nothing leaks to the next client
of a server connection, and what cannot work is refused with its reason."""
import contextlib

import psycopg

import pg
from lib import Skip, same_rows
from sql_modes import COLUMNS, sums_of, targets_with

LEAKS = {"settings": "SELECT name, setting FROM pg_settings WHERE source IN ('session', 'client') AND name NOT IN ('application_name', 'client_encoding') ORDER BY 1",
         "statements": "SELECT name FROM pg_prepared_statements", "cursors": "SELECT name FROM pg_cursors", "listening": "SELECT pg_listening_channels()",
         "locks": "SELECT locktype FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'",
         "temporary": "SELECT relname FROM pg_class WHERE relpersistence = 't'",
         "pins": "SELECT current_setting('TimeZone'), current_setting('DateStyle'), current_setting('statement_timeout'), current_setting('lock_timeout'), "
                 "current_setting('row_security'), current_setting('transaction_read_only'), current_setting('extra_float_digits')"}


@contextlib.contextmanager
def pooled(mode, pool_size=4):
    with pg.database() as db:
        try:
            with pg.pgbouncer.PgBouncer(db.server, mode, pool_size) as pool:
                yield db, pool
        except pg.host.Unavailable as why:
            raise Skip(str(why)) from why


def footprint(pool, db):
    """What a client finds on the backends of the pool, each backend once or more."""
    seen = set()
    for _ in range(12):
        with psycopg.connect(pool.url(db.name), autocommit=True, prepare_threshold=None) as c:
            seen.add(str({k: c.execute(q, prepare=False).fetchall() for k, q in LEAKS.items()}))
    return seen


def test_transaction_mode_every_mode(place):
    with pooled("transaction") as (db, pool):
        pg.simple(db)
        clean = footprint(pool, db)
        assert len(clean) == 1
        targets = [x for x in targets_with(3) if x["name"] != "inc_noindex"]
        pg.config(place, pool.url(db.name), targets)
        r = place.rivet("run", "-c", "rivet.yaml", "--validate", "--reconcile", env={"RIVET_LOG": "info"}, code=0)
        sums = sums_of(place, targets, db.rows(f"SELECT {COLUMNS} FROM t"))
        assert len(sums) == 1, sums
        assert footprint(pool, db) == clean, "a session setting leaked"
        pg.logged(r, r"connection=transaction-pooler")
        assert "unsupported startup" not in pool.log() and "prepared statement" not in r.err


def test_transaction_mode_one_backend(place):
    """The pool has one connection: our own workers take turns, an interleaved client sees no trace."""
    with pooled("transaction", 1) as (db, pool):
        pg.simple(db, 20000)
        clean = footprint(pool, db)
        pg.config(place, pool.url(db.name), [{"name": "x", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1000, "parallel": 2}],
                  tuning={"throttle_ms": 30, "batch_size": 500})
        p = place.start("run", "-c", "rivet.yaml")
        seen, looks = set(), 0
        while p.poll() is None:
            seen |= footprint(pool, db)
            looks += 1
        out, err = p.communicate()
        assert p.returncode == 0 and looks > 1, err.decode()
        assert seen == clean, seen
        same_rows(place.dataset("x"), db.rows("SELECT * FROM t"))


def test_session_mode(place):
    with pooled("session", 8) as (db, pool):
        pg.simple(db)
        clean = footprint(pool, db)
        targets = [x for x in targets_with(2) if x["name"] in ("full", "full_snapshot", "inc", "size", "bykey", "wrapped")]
        pg.config(place, pool.url(db.name), targets)
        place.rivet("run", "-c", "rivet.yaml", code=0)
        assert len(sums_of(place, targets, db.rows(f"SELECT {COLUMNS} FROM t"))) == 1
        assert footprint(pool, db) == clean


def test_statement_mode(place):
    """Pages are one statement each, so they work; a transaction does not."""
    with pooled("statement") as (db, pool):
        pg.simple(db)
        names = ("full", "full_q", "full_ckpt", "inc", "size", "auto", "count", "dense", "bykey", "query")
        targets = [x for x in targets_with(2) if x["name"] in names]
        pg.config(place, pool.url(db.name), targets)
        place.rivet("run", "-c", "rivet.yaml", code=0)
        assert len(sums_of(place, targets, db.rows(f"SELECT {COLUMNS} FROM t"))) == 1
        for name, export in (("snap", {"table": "t", "consistency": "snapshot"}),):
            pg.config(place, pool.url(db.name), [{"name": name, **export}])
            r = place.rivet("run", "-c", "rivet.yaml", code=1)
            pg.logged(r, r"(?is)snapshot.*pool|pool.*snapshot")
            assert not place.manifests(name)


def test_doctor_and_check_name_the_pooler(place):
    with pooled("transaction") as (db, pool):
        pg.simple(db, 100, gap=False)
        pg.config(place, pool.url(db.name), [{"name": "x", "table": "t"}])
        for command in ("doctor", "check"):
            r = place.rivet(command, "-c", "rivet.yaml", code=0)
            assert "transaction-pooler" in r.out + r.err, r
        pg.config(place, db, [{"name": "x", "table": "t"}])
        r = place.rivet("doctor", "-c", "rivet.yaml", code=0)
        assert "transaction-pooler" not in r.out + r.err and "15." in r.out + r.err, r


def test_state_behind_a_pooler(place):
    """Source and state both through transaction pooling; nothing local is needed."""
    with pooled("transaction") as (db, pool):
        pg.simple(db, 3000, gap=False)
        db.sql("CREATE SCHEMA rivet")
        pg.config(place, pool.url(db.name), [{"name": "x", "table": "t", "mode": "incremental", "cursor_column": "id", "skip_empty": True},
                                             {"name": "y", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 500, "parallel": 3, "chunk_checkpoint": True}])
        env = {"RIVET_STATE_URL": pool.url(db.name)}
        for last in (3000, 3040, 3090):
            pg.add(db, last + 1, last + 20)
            place.rivet("run", "-c", "rivet.yaml", env=env, code=0)
        want = db.rows("SELECT * FROM t")
        same_rows(place.dataset("x", incremental=True), want)
        same_rows(place.dataset("y"), want)
        assert not [f for f in place.files(".") if f.startswith(".rivet_state")]
        assert db.one("SELECT last_cursor_value FROM rivet.export_state WHERE export_name = 'x'") == "3110"
