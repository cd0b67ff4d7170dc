"""Buckets of a PostgreSQL table: quoted names, instants with a zone, dates, every mode inside."""
import glob
import os

import pg
from lib import read_part

SQL = """CREATE TABLE "Orders" (id bigint PRIMARY KEY, "At" timestamptz, day date NOT NULL, name text);
INSERT INTO "Orders" SELECT i, CASE WHEN i % 50 = 0 THEN NULL ELSE timestamptz '2024-01-30 00:00:00+00' + i * interval '37 minutes' END,
  date '2024-01-01' + (i % 40), 'n' || i FROM generate_series(1, 1000) i"""
EXPORTS = [
    {"name": "full", "partition_by": "At", "quality": {"unique_columns": ["id"]}},
    {"name": "chunks", "partition_by": "day", "partition_granularity": "month", "mode": "chunked", "chunk_size": 300, "parallel": 2},
    {"name": "inc", "partition_by": "At", "partition_granularity": "year", "mode": "incremental", "cursor_column": "id"},
    {"name": "query", "table": None, "query": 'SELECT * FROM "Orders"', "partition_by": "day", "partition_granularity": "year"}]


def rows_of(place, export):
    """Every row, each checked to lie in the bucket that its value names."""
    rows = []
    for f in glob.glob(place.path("out", export, "*", "*.parquet")):
        column, value = os.path.basename(os.path.dirname(f)).split("=", 1)
        for r in read_part(f):
            want = "__HIVE_DEFAULT_PARTITION__" if r[column] is None else r[column].isoformat()[:len(value)]
            assert value == want, (f, r)
            rows.append(r["id"])
    return sorted(rows)


def test_buckets_of_every_mode(place):
    with pg.database() as db:
        db.conn.execute(SQL)
        db.conn.commit()
        pg.config(place, db, [{"table": '"Orders"', "destination": {"type": "local", "path": "./out/{export}/{partition}"}, **x}
                              for x in EXPORTS])
        place.rivet("run", "-c", "rivet.yaml", "--validate", "--reconcile", code=0)
        for x in EXPORTS:
            assert rows_of(place, x["name"]) == list(range(1, 1001)), x["name"]
        assert len(os.listdir(place.path("out", "full"))) == 27
        db.conn.execute("""INSERT INTO "Orders" VALUES (2000, '2024-06-01 12:00+02', '2024-06-01', 'new')""")
        db.conn.commit()
        place.rivet("run", "-c", "rivet.yaml", "-e", "inc", code=0)
        assert rows_of(place, "inc") == list(range(1, 1001)) + [2000]
        place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=0)
