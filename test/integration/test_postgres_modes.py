"""One PostgreSQL table through every mode and strategy gives the same rows and the same checksums,
on every version; incremental runs and key kinds add up to the source."""
import json

import pg
import sql_modes
from lib import same_rows

def test_every_mode_serial_15(place):
    sql_modes.every_mode(place, pg, 15, 1)


def test_every_mode_four_workers_15(place):
    sql_modes.every_mode(place, pg, 15, 4)


def test_every_mode_12(place):
    sql_modes.every_mode(place, pg, 12, 2)


def test_every_mode_18(place):
    sql_modes.every_mode(place, pg, 18, 2)


def long(version):
    def test(place):
        sql_modes.every_mode(place, pg, version, 2)
    test.long, test.__module__ = True, __name__
    return test


test_every_mode_13, test_every_mode_14, test_every_mode_16, test_every_mode_17 = long(13), long(14), long(16), long(17)


def test_incremental_over_many_runs(place):
    sql_modes.incremental_over_many_runs(place, pg, 15)


def test_rows_without_cursor_come_once(place):
    sql_modes.rows_without_cursor_come_once(place, pg, 15)


KEYS = [("text COLLATE \"C\"", "'k' || (i * 7919 % 10007)"), ("text", "'Ä' || (i % 97) || chr(97 + i % 26) || i"),
        ("text COLLATE \"en-x-icu\"", "(ARRAY['a','A','ä','Z','z','-a',' b'])[1 + i % 7] || i"),
        ("varchar(40) COLLATE \"de-x-icu\"", "(ARRAY['o','ö','O','œ','\\','''',''])[1 + i % 7] || i"), ("char(12)", "'k' || i"),
        ("uuid", "md5(i::text)::uuid"), ("bigint", "9223372036854775807 - i"), ("smallint", "i - 1600"),
        ("numeric(30,10)", "i * 1234567.0000000001 - 5e9"), ("numeric(20,0)", "-i"), ("date", "date '0001-01-01 BC' + i * 700"),
        ("timestamp", "timestamp '1969-12-31 23:59:59.9' + i * interval '1 ms'"),
        ("timestamptz", "timestamptz '2024-03-31 00:00+00' + i * interval '61.000001 s'")]


def test_every_kind_of_key(place):
    sql_modes.every_kind_of_key(place, pg, 15, KEYS)


def test_composite_and_unusable_keys(place):
    with pg.database() as db:
        db.sql("CREATE TABLE c (a integer, b text, v integer, PRIMARY KEY (a, b))",
               "INSERT INTO c SELECT i % 50, 'b' || i, i FROM generate_series(1, 2000) i",
               "CREATE TABLE heap (v integer)", "INSERT INTO heap SELECT i FROM generate_series(1, 30000) i",
               "CREATE TABLE nullable (u integer UNIQUE, v integer)",
               "INSERT INTO nullable SELECT CASE WHEN i % 5 = 0 THEN NULL ELSE i END, i FROM generate_series(1, 2000) i",
               "CREATE TABLE partial (u integer NOT NULL, v integer)", "CREATE UNIQUE INDEX ON partial(u) WHERE u > 1000",
               "INSERT INTO partial SELECT i, i FROM generate_series(1, 2000) i",
               "CREATE TABLE late (u integer NOT NULL, v integer, UNIQUE (u) DEFERRABLE INITIALLY DEFERRED)",
               "INSERT INTO late SELECT i, i FROM generate_series(1, 2000) i",
               "CREATE TABLE \"Od\"\"d. näme\" (\"I d\" integer PRIMARY KEY, v integer)",
               "INSERT INTO \"Od\"\"d. näme\" SELECT i, i FROM generate_series(1, 2000) i", "VACUUM ANALYZE")
        tables = {"c": 2000, "heap": 30000, "nullable": 2000, "partial": 2000, "late": 2000}
        odd = {"name": "odd", "table": '"Od""d. näme"', "destination": {"type": "local", "path": "./out/odd"}}
        shapes = sql_modes.shapes_of(place, pg, db, tables, {"batch_size": 170}, [odd])
        assert sorted(r["v"] for r in place.dataset("odd", "out/odd")) == list(range(1, 2001))
        assert shapes["c"][0] == "pages" and shapes["odd"][0] == "pages", shapes
        for name in ("heap", "nullable", "partial", "late"):
            assert shapes[name][0] in ("ranges", "statement"), shapes


def test_relations_that_are_no_plain_tables(place):
    with pg.database() as db:
        pg.simple(db, 2000, gap=False)
        db.sql("CREATE TABLE p (id integer, day date, v integer, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)",
               "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
               "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')",
               "INSERT INTO p SELECT i, date '2024-01-01' + i % 59, i FROM generate_series(1, 4000) i",
               "CREATE TABLE parent (id integer PRIMARY KEY, v integer)", "CREATE TABLE child (extra text) INHERITS (parent)",
               "INSERT INTO parent SELECT i, i FROM generate_series(1, 500) i", "INSERT INTO child SELECT i, 1000 + i, 'x' FROM generate_series(1, 500) i",
               "CREATE VIEW vw AS SELECT id, id AS v FROM t", "CREATE MATERIALIZED VIEW mv AS SELECT id, id AS v FROM t", "CREATE UNIQUE INDEX ON mv(id)",
               "CREATE EXTENSION postgres_fdw", f"CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{db.server.port}', dbname '{db.name}')",
               "CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (user 'postgres', password_required 'false')",
               "CREATE FOREIGN TABLE ft (id integer, grp integer) SERVER s OPTIONS (table_name 't')", "CREATE UNLOGGED TABLE ul (id integer PRIMARY KEY, v integer)",
               "INSERT INTO ul VALUES (1, 1)", "CREATE TABLE gen (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v integer, w integer GENERATED ALWAYS AS (v * 2) STORED)",
               "INSERT INTO gen (v) SELECT i FROM generate_series(1, 50) i", "CREATE TABLE dropped (a text, id integer PRIMARY KEY, b text)",
               "ALTER TABLE dropped DROP COLUMN a", "ALTER TABLE dropped ADD COLUMN c integer DEFAULT 5", "INSERT INTO dropped VALUES (1, 'b')", "VACUUM ANALYZE")
        names = ("p", "parent", "vw", "mv", "ft", "ul", "gen", "dropped")
        pg.config(place, db, [{"name": n, "table": n, "destination": {"type": "local", "path": f"./out/{n}"}} for n in names], tuning={"batch_size": 300})
        place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
        for n in names:
            same_rows(place.dataset(n, f"out/{n}"), db.rows(f"SELECT * FROM {n}"))


def test_empty_and_wide_tables(place):
    with pg.database() as db:
        db.sql("CREATE TABLE e (id integer PRIMARY KEY, v text)", "CREATE TABLE z (id integer)",
               "CREATE TABLE w (id integer PRIMARY KEY, " + ", ".join(f"c{i} integer" for i in range(1500)) + ")",
               "INSERT INTO w (id, c0, c1499) SELECT i, i, -i FROM generate_series(1, 300) i", "CREATE TABLE big (id integer PRIMARY KEY, v text)",
               "INSERT INTO big SELECT i, repeat(md5(i::text), 200) FROM generate_series(1, 2000) i")
        pg.config(place, db, [{"name": n, "table": n} for n in ("e", "z", "w", "big")] + [{"name": "skip", "table": "e", "skip_empty": True}])
        r = place.rivet("run", "-c", "rivet.yaml", "--json", code=0)
        status = {e["export_name"]: (e["status"], e["rows"]) for e in json.loads(r.out)["per_export"]}
        assert status == {"e": ("success", 0), "z": ("success", 0), "w": ("success", 300), "big": ("success", 2000), "skip": ("skipped", 0)}, status
        assert all(x["c1499"] == -x["id"] for x in place.dataset("w"))
        same_rows(place.dataset("big"), db.rows("SELECT * FROM big"))


def test_ranges_with_empty_blocks(place):
    """Blocks without a row, in the middle and at the end, neither stop nor hold the reading by addresses."""
    with pg.database() as db:
        db.sql("CREATE TABLE heap (v integer, pad text)", "INSERT INTO heap SELECT i, repeat('x', 100) FROM generate_series(1, 30000) i",
               "DELETE FROM heap WHERE v BETWEEN 3000 AND 21000 OR v > 29000", "VACUUM (TRUNCATE false) heap", "ANALYZE heap")
        for size in (40, 170, 5000, 50000):
            pg.config(place, db, [{"name": f"x{size}", "table": "heap"}], tuning={"batch_size": size})
            place.rivet("run", "-c", "rivet.yaml", code=0, timeout=100)
            assert sorted(r["v"] for r in place.dataset(f"x{size}")) == [*range(1, 3000), *range(21001, 29001)], size


def test_time_window_and_partitions(place):
    sql_modes.time_windows(place, pg, 15, lambda db: db.sql(
        "CREATE TABLE t (id integer PRIMARY KEY, at timestamptz, u bigint)",
        "INSERT INTO t SELECT i, now() - i * interval '7 hours', extract(epoch FROM now() - i * interval '7 hours')::bigint FROM generate_series(0, 60) i"))


def test_snapshot_sees_one_instant(place):
    sql_modes.snapshot_sees_one_instant(place, pg, 15)
