"""What an adversarial reading of the execution contract asked of PostgreSQL: each test failed once."""
import json
import random

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
