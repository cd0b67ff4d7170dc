"""What others do to the source while PostgreSQL is read: DDL, waiters, foreign cancels, a replica's
recovery conflict, terminated backends; and kills of our own at random."""
import contextlib
import random
import signal
import time

import pg
import sql_faults
from lib import same_rows
from pg import reading
from sql_faults import CHUNKS, FULL, INC, QUICK, SLOW, SNAPSHOT, STREAMED, complete_or_unmoved, slow_run
from sqlkit import code_of

def test_columns_changed_mid_run(place):
    sql_faults.columns_changed_mid_run(place, pg, 15, (
        (["ALTER TABLE t DROP COLUMN note"], "note"), (["ALTER TABLE t ALTER COLUMN grp TYPE bigint"], "grp"), (["ALTER TABLE t RENAME COLUMN name TO title"], "name"),
        (["ALTER TABLE t ADD COLUMN extra integer DEFAULT 5"], "extra"), (["ALTER TABLE t DROP COLUMN note", "ALTER TABLE t ADD COLUMN note text"], "note"),
        (["ALTER TABLE t ALTER COLUMN note TYPE varchar(100)"], "note")))


def test_table_replaced_mid_run(place):
    r = sql_faults.changed_mid_run(place, pg, 15, ["ALTER TABLE t RENAME TO old", "CREATE TABLE t (LIKE old INCLUDING ALL)"], FULL)
    assert r.code in (1, 2) and pg.unmoved(place) and not place.manifests("x"), r


def test_table_dropped_mid_run(place):
    r = sql_faults.changed_mid_run(place, pg, 15, ["DROP TABLE t"], INC)
    assert r.code in (1, 2) and pg.unmoved(place), r


def test_drift_between_runs(place):
    with pg.database() as db:
        pg.simple(db, 500, gap=False)
        pg.config(place, db, [FULL])
        place.rivet("run", "-c", "rivet.yaml", code=0)
        db.sql("ALTER TABLE t DROP COLUMN note, ADD COLUMN phone text", "ALTER TABLE t ALTER COLUMN grp TYPE bigint")
        r = place.rivet("run", "-c", "rivet.yaml", code=0)
        for line in (r"schema changed!", r"added columns: phone \(Utf8\)", r"removed columns: note", r"type changed: grp \(Int32 -> Int64\)"):
            pg.logged(r, line)
        db.sql("ALTER TABLE t DROP COLUMN phone")
        pg.config(place, db, [{**FULL, "on_schema_drift": "fail"}])
        place.rivet("run", "-c", "rivet.yaml", code=4)


def waits(db):
    """Seconds until somebody who wants the table for himself, as most ALTERs do, got it."""
    started = time.monotonic()
    with db.connect() as c:
        c.execute("SET LOCAL statement_timeout = '30s'")
        c.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        took = time.monotonic() - started
        c.rollback()
    return took


def test_alter_behind_pages_is_not_held_up(place):
    with pg.database() as db:
        pg.simple(db, 12000)
        pg.config(place, db, [FULL], tuning=SLOW)
        with slow_run(place) as (_, end):
            reading(db, more=6)
            took = waits(db)
        assert took < 1, f"an ALTER waited {took:.1f} s for pages"
        assert end["r"].code == 0, end["r"]


def test_alter_waiting_behind_a_held_read(place):
    """A cursor or snapshot that somebody waits for is given up, naming the waiter."""
    with pg.database() as db:
        pg.simple(db, 20000)
        for export in (STREAMED, SNAPSHOT):
            sub = type(place)()
            try:
                pg.config(sub, db, [export], tuning={**SLOW, "batch_size": 100, "throttle_ms": 60, "max_retries": 0})
                with slow_run(sub) as (_, end):
                    for _ in range(500):
                        if db.one("SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name = 'rivet/x' AND xact_start < now() - interval '1.2 s'", db.name):
                            break
                        time.sleep(0.02)
                    took = waits(db)
                r = end["r"]
                assert took < 5, f"the ALTER waited {took:.1f} s"
                assert r.code in (0, 2), r
                if r.code == 2:
                    assert code_of(r) == "RIVET_SOURCE_BLOCKING", r
                complete_or_unmoved(sub, db, r)
            finally:
                sub.close()


def by(action):
    return lambda db, pid: db.conn.execute(f"SELECT {action}({pid})")


def test_foreign_cancel(place):
    sql_faults.foreign(place, pg, 15, by("pg_cancel_backend"), (INC, CHUNKS, FULL))


def test_terminated_backend(place):
    sql_faults.foreign(place, pg, 15, by("pg_terminate_backend"), (INC, CHUNKS))
    sql_faults.foreign(place, pg, 15, by("pg_terminate_backend"), (SNAPSHOT,), codes=(1, 2))


def test_no_connection_left(place):
    with contextlib.ExitStack() as stack:
        server = pg.own(stack, 15, conf={"max_connections": "8", "superuser_reserved_connections": "2"})
        with pg.database(server) as db:
            pg.simple(db, 3000)
            db.sql("CREATE ROLE plain LOGIN", "GRANT SELECT ON t TO plain")
            pg.config(place, db.url(user="plain"), [{**CHUNKS, "parallel": 12, "chunk_size": 200}], tuning={**QUICK, "max_retries": 0})
            r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", timeout=120)
            pg.logged(r, r"(?i)connections")
            complete_or_unmoved(place, db, r)


def test_recovery_conflict_on_a_replica(place):
    with contextlib.ExitStack() as stack:
        primary = pg.own(stack, 15, conf={"wal_level": "replica"})
        with pg.database(primary) as db:
            pg.simple(db, 20000, gap=False)
            standby = stack.enter_context(pg.postgres.Postgres(standby_of=primary, conf={"max_standby_streaming_delay": "'50ms'", "hot_standby_feedback": "off"}))
            for export, may_fail in ((INC, False), (SNAPSHOT, True), (STREAMED, True)):
                sub = type(place)()
                try:
                    pg.config(sub, standby.url(db.name), [export], tuning={**SLOW, "max_retries": 4})
                    p = sub.start("run", "-c", "rivet.yaml", "--json-errors")
                    turn = 0
                    while p.poll() is None and turn < 200:
                        turn += 1
                        db.sql(f"UPDATE t SET note = 'turn {turn}' WHERE id % 50 = {turn % 50}", "VACUUM t")
                        time.sleep(0.05)
                    out, err = p.communicate(timeout=60)
                    assert p.returncode == 0 or may_fail and p.returncode in (1, 2), err.decode()
                    if p.returncode == 0:
                        assert sorted(r["id"] for r in sub.dataset("x", incremental=True)) == list(range(1, 20001))
                    else:
                        assert pg.unmoved(sub) and not [m for m in sub.manifests("x") if m["status"] == "success"]
                finally:
                    sub.close()


def test_rows_written_while_reading(place):
    sql_faults.rows_written_while_reading(place, pg, 15, lambda db, n: db.sql(
        f"DELETE FROM t WHERE id % 10 = 7 AND id BETWEEN {n} AND {n + 50}", f"UPDATE t SET note = 'u{n}' WHERE id = {n}",
        f"INSERT INTO t SELECT g, 'new', 0 FROM generate_series({100000 + n * 20}, {100000 + n * 20 + 3}) g ON CONFLICT DO NOTHING"))


def test_killed_chunks_in_parallel(place):
    sql_faults.killed_at_random(place, pg, 15, CHUNKS, 11)


def test_killed_keyset_in_parallel(place):
    sql_faults.killed_at_random(place, pg, 15, {**dict(sql_faults.FAULTED)["keyset"], "parallel": 2, "chunk_size": 1500}, 12)


def test_killed_incremental(place):
    sql_faults.killed_at_random(place, pg, 15, {**INC, "cursor_column": "grp"}, 13)


def test_killed_full_with_state_in_postgres(place):
    """Source and state on one server; the lease of a dead run is taken over."""
    rnd = random.Random(14)
    with pg.database() as db:
        pg.simple(db, 8000)
        env = {"RIVET_STATE_URL": db.url()}
        pg.config(place, db, [CHUNKS], tuning={**QUICK, "batch_size": 400, "throttle_ms": 40})
        for _ in range(4):
            p = place.start("run", "-c", "rivet.yaml", env=env)
            time.sleep(rnd.uniform(0.1, 0.6))
            p.send_signal(signal.SIGKILL)
            p.communicate()
        time.sleep(1.1)
        place.rivet("run", "-c", "rivet.yaml", env=env, code=0)
        same_rows(place.dataset("x"), db.rows("SELECT * FROM t"))
