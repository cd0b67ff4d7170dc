"""What an adversarial reading of the execution contract asked of PostgreSQL: each test failed once."""
import json
import random
import signal
import time

import lib
import pg
from lib import same_rows


def test_stale_statistics_do_not_move_the_key_beyond_the_rows(place):
    with pg.database() as db:
        db.sql("CREATE TABLE t (id text PRIMARY KEY, v text)", "INSERT INTO t SELECT lpad(i::text, 8, '0'), 'v' FROM generate_series(1, 20000) i")
        db.conn.commit()
        db.conn.autocommit = True
        db.conn.execute("ANALYZE t")
        db.sql("DELETE FROM t WHERE id > '00007000'")
        pg.config(place, db, [{"name": "k", "table": "t", "mode": "chunked", "chunk_by_key": "id", "chunk_size": 1000, "parallel": 4, "keyset_incremental": True}])
        for first, last in ((0, 0), (7001, 7100), (7101, 30000)):
            db.sql(f"INSERT INTO t SELECT lpad(i::text, 8, '0'), 'w' FROM generate_series({first or 1}, {last}) i")
            place.rivet("run", "-c", "rivet.yaml", code=0)
            same_rows(place.dataset("k", incremental=True), db.rows("SELECT * FROM t"))


def chunks(rnd):
    more = {"mode": "chunked", "chunk_column": "k", "parallel": rnd.choice([1, 2, 4]), "chunk_checkpoint": rnd.random() < 0.4}
    how = rnd.choice(["size", "count", "dense"])
    if how == "size":
        more["chunk_size"] = rnd.choice([3, 50, 700])
    elif how == "count":
        more["chunk_count"] = rnd.choice([1, 2, 9, 40])
    else:
        more.update(chunk_dense=True, chunk_size=rnd.choice([1, 7, 100]))
    if rnd.random() < 0.2:
        more["consistency"] = "snapshot"
    return more


def test_any_chunks_of_any_numbers(place):
    rnd = random.Random(4711)
    kinds = [("smallint", -300, 300), ("integer", -900, 900), ("bigint", -500, 500), ("numeric(12,0)", -700, 700)]
    with pg.database() as db:
        exports = []
        for i in range(50):
            kind, lo, hi = rnd.choice(kinds)
            n, nulls = rnd.choice([0, 1, 5, 200]), rnd.choice([0, 0, 3])
            db.sql(f"CREATE TABLE t{i} (id serial PRIMARY KEY, k {kind})")
            if rnd.random() < 0.6:
                db.sql(f"CREATE INDEX ON t{i} (k)")
            values = [rnd.randrange(lo, hi) for _ in range(n)] + [None] * nulls
            if kind in ("integer", "bigint") and n > 1 and rnd.random() < 0.3:
                edge = 2**31 if kind == "integer" else 2**63
                values = [rnd.choice([-edge, edge - 1, 0]) for _ in range(n)] + [None] * nulls
            for v in values:
                db.conn.execute(f"INSERT INTO t{i} (k) VALUES (%s)", (v,))
            db.conn.commit()
            x = chunks(rnd)
            if values and any(v is not None and abs(v) > 2**30 for v in values):
                x.pop("chunk_size", None)
                x.pop("chunk_dense", None)
                x["chunk_count"] = 7
            exports.append({"name": f"x{i}", "table": f"t{i}", **x})
        pg.config(place, db, exports)
        r = place.rivet("run", "-c", "rivet.yaml", "--reconcile", "--json", timeout=300)
        failed = [e for e in json.loads(r.out)["per_export"] if e["status"] not in ("success", "degraded")]
        assert r.code == 0, (failed, r.err[-800:])
        for x in exports:
            try:
                same_rows(place.dataset(x["name"]), db.rows(f"SELECT * FROM {x['table']}"))
            except AssertionError as e:
                raise AssertionError(f"{x}: {e}") from e


def test_a_snapshot_is_counted_in_its_own_instant(place):
    with pg.database() as db:
        db.sql("CREATE TABLE t (id integer PRIMARY KEY, v text)", "INSERT INTO t SELECT i, 'v' FROM generate_series(1, 5000) i",
               "CREATE TABLE n (id integer, v text)", "INSERT INTO n SELECT i, 'v' FROM generate_series(1, 5000) i")
        chunked = {"mode": "chunked", "chunk_size": 700, "parallel": 3}
        exports = [{"name": "full", "table": "t"}, {"name": "ranges", "table": "n"}, {"name": "query", "query": "SELECT DISTINCT * FROM n"},
                   {"name": "inc", "table": "t", "mode": "incremental", "cursor_column": "id"},
                   {"name": "chunks", "table": "t", "chunk_column": "id", "chunk_checkpoint": True, **chunked},
                   {"name": "keys", "table": "t", "chunk_by_key": "id", **chunked}]
        for i, x in enumerate(exports):
            pg.config(place, db, [{**x, "consistency": "snapshot"}])
            want = 5000 - i
            p = place.start("run", "-c", "rivet.yaml", "--reconcile", binary=lib.FAULTY, env={"RIVET_STALL_AT": "part-put"})
            while open(f"/proc/{p.pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[0] != "T":
                assert p.poll() is None, p.communicate()
                time.sleep(0.02)
            held = db.one("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()")
            db.sql(f"DELETE FROM t WHERE id = {100 + i}", f"DELETE FROM n WHERE id = {100 + i}")
            p.send_signal(signal.SIGCONT)
            _, err = p.communicate(timeout=60)
            assert p.returncode == 0 and held == 0, (x, held, err.decode())
            assert len(place.dataset(x["name"])) == want, x
