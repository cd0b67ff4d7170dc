"""One PostgreSQL table through every mode and strategy gives the same rows and the same checksums,
on every version; incremental runs and key kinds add up to the source."""
import datetime
import glob
import json
import random

import pg
from lib import read_part, same_rows

CHUNKED = {"mode": "chunked", "chunk_checkpoint": True}
TARGETS = [
    {"name": "full"}, {"name": "full_q", "table": None, "query": "SELECT id, name, grp, note, at, day FROM t;"},
    {"name": "full_ckpt", "chunk_checkpoint": True, "chunk_size": 1500},
    {"name": "full_statement", "consistency": "statement"}, {"name": "full_snapshot", "consistency": "snapshot"},
    {"name": "inc", "mode": "incremental", "cursor_column": "grp"},
    {"name": "inc_at", "mode": "incremental", "cursor_column": "at"},
    {"name": "inc_noindex", "mode": "incremental", "cursor_column": "day"},
    {"name": "inc_coalesce", "mode": "incremental", "cursor_column": "note", "cursor_fallback_column": "name",
     "incremental_cursor_mode": "coalesce"},
    {"name": "size", **CHUNKED, "chunk_column": "id", "chunk_size": 1000},
    {"name": "auto", **CHUNKED, "chunk_size": 1000},
    {"name": "count", **CHUNKED, "chunk_column": "id", "chunk_count": 7},
    {"name": "dense", **CHUNKED, "chunk_column": "id", "chunk_dense": True, "chunk_size": 900},
    {"name": "other", **CHUNKED, "chunk_column": "grp", "chunk_size": 300},
    {"name": "days", **CHUNKED, "chunk_column": "at", "chunk_by_days": 3},
    {"name": "days_date", **CHUNKED, "chunk_column": "day", "chunk_by_days": 9},
    {"name": "memory", **CHUNKED, "chunk_column": "id", "chunk_size_memory_mb": 1},
    {"name": "bykey", **CHUNKED, "chunk_by_key": "id", "chunk_size": 999},
    {"name": "chunk_snapshot", **CHUNKED, "chunk_column": "id", "chunk_size": 1000, "consistency": "snapshot",
     "chunk_checkpoint": False},
    {"name": "query", **CHUNKED, "table": None, "query": "SELECT * FROM t WHERE id > 0", "chunk_column": "id", "chunk_size": 1000},
    {"name": "wrapped", **CHUNKED, "table": None, "query": "SELECT DISTINCT id, name, grp, note, at, day FROM t",
     "chunk_column": "id", "chunk_size": 1000}]
COLUMNS = "id, name, grp, note, at, day"


def targets_with(workers):
    out = []
    for x in TARGETS:
        x = {"table": "t", **x, "destination": {"type": "local", "path": f"./out/{x['name']}"}}
        if workers > 1 and x.get("mode") == "chunked":
            x["parallel"] = workers
        out.append(x)
    return out


def sums_of(place, targets, want):
    sums = {}
    for x in targets:
        out = f"out/{x['name']}"
        same_rows(place.dataset(x["name"], out), want)
        m = place.manifests(x["name"], out)[-1]
        sums.setdefault((m["row_checksum"], json.dumps(m["column_checksums"])), []).append(x["name"])
    return sums


def every_mode(place, version, workers):
    with pg.database(version) as db:
        pg.simple(db)
        targets = targets_with(workers)
        pg.config(place, db, targets)
        place.rivet("run", "-c", "rivet.yaml", "--validate", "--reconcile", code=0)
        sums = sums_of(place, targets, db.rows(f"SELECT {COLUMNS} FROM t"))
        assert len(sums) == 1, sums
        place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=0)


def test_every_mode_serial_15(place):
    every_mode(place, 15, 1)


def test_every_mode_four_workers_15(place):
    every_mode(place, 15, 4)


def test_every_mode_12(place):
    every_mode(place, 12, 2)


def test_every_mode_18(place):
    every_mode(place, 18, 2)


def long(version):
    def test(place):
        every_mode(place, version, 2)
    test.long, test.__module__ = True, __name__
    return test


test_every_mode_13, test_every_mode_14, test_every_mode_16, test_every_mode_17 = long(13), long(14), long(16), long(17)


def test_incremental_over_many_runs(place):
    """New rows, ties at the high-water value, rows without a cursor, runs without news."""
    rnd = random.Random(5)
    with pg.database() as db:
        pg.simple(db, 3000, gap=False)
        exports = [{"name": f"i_{c}", "table": "t", "mode": "incremental", "cursor_column": c, "skip_empty": True,
                    "destination": {"type": "local", "path": f"./out/{c}"}} for c in ("id", "grp", "at")]
        exports.append({"name": "i_q", "query": "SELECT * FROM t WHERE id % 2 = 0", "mode": "incremental", "cursor_column": "grp",
                        "skip_empty": True, "destination": {"type": "local", "path": "./out/q"}})
        pg.config(place, db, exports)
        last, whole = 3000, None
        for turn in range(6):
            place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
            want = db.rows(f"SELECT {COLUMNS} FROM t")
            for c in ("id", "grp", "at"):
                same_rows(place.dataset(f"i_{c}", f"out/{c}", incremental=True), want)
            same_rows(place.dataset("i_q", "out/q", incremental=True), [r for r in want if r["id"] % 2 == 0])
            if turn != 3:
                more = rnd.randrange(1, 9)
                pg.add(db, last + 1, last + more)
                last += more
            whole = want
        assert len(whole) > 3005
        assert place.state().execute("SELECT last_cursor_value FROM export_state WHERE export_name='i_at'").fetchone()[0]


def test_rows_without_cursor_come_once(place):
    with pg.database() as db:
        db.sql("CREATE TABLE t (id integer PRIMARY KEY, at timestamptz)", "CREATE INDEX ON t(at)",
               "INSERT INTO t SELECT i, CASE WHEN i % 3 = 0 THEN NULL ELSE timestamptz '2024-01-01 00:00+00' + i * interval '1 us' END "
               "FROM generate_series(1, 900) i")
        pg.config(place, db, [{"name": "x", "table": "t", "mode": "incremental", "cursor_column": "at"}])
        for _ in range(3):
            place.rivet("run", "-c", "rivet.yaml", code=0)
        same_rows(place.dataset("x", incremental=True), db.rows("SELECT * FROM t"))


KEYS = [("text COLLATE \"C\"", "'k' || (i * 7919 % 10007)"), ("text", "'Ä' || (i % 97) || chr(97 + i % 26) || i"),
        ("text COLLATE \"en-x-icu\"", "(ARRAY['a','A','ä','Z','z','-a',' b'])[1 + i % 7] || i"),
        ("varchar(40) COLLATE \"de-x-icu\"", "(ARRAY['o','ö','O','œ','\\','''',''])[1 + i % 7] || i"), ("char(12)", "'k' || i"),
        ("uuid", "md5(i::text)::uuid"), ("bigint", "9223372036854775807 - i"), ("smallint", "i - 1600"),
        ("numeric(30,10)", "i * 1234567.0000000001 - 5e9"), ("numeric(20,0)", "-i"), ("date", "date '0001-01-01 BC' + i * 700"),
        ("timestamp", "timestamp '1969-12-31 23:59:59.9' + i * interval '1 ms'"),
        ("timestamptz", "timestamptz '2024-03-31 00:00+00' + i * interval '61.000001 s'")]


def test_every_kind_of_key(place):
    """Keyset pages and ranges by each type a key may have, under the server's own order."""
    with pg.database() as db:
        exports = []
        for i, (kind, value) in enumerate(KEYS):
            db.sql(f"CREATE TABLE k{i} (k {kind} PRIMARY KEY, v integer)",
                   f"INSERT INTO k{i} SELECT {value}, i FROM generate_series(1, 3000) i ORDER BY md5(i::text)", f"VACUUM ANALYZE k{i}")
            for workers in (1, 3):
                name = f"k{i}w{workers}"
                exports.append({"name": name, "table": f"k{i}", "mode": "chunked", "chunk_by_key": "k", "chunk_size": 700,
                                "parallel": workers, "chunk_checkpoint": True, "destination": {"type": "local", "path": f"./out/{name}"}})
        pg.config(place, db, exports, tuning={"batch_size": 230})
        place.rivet("run", "-c", "rivet.yaml", "--validate", "--reconcile", code=0)
        for i, (kind, _) in enumerate(KEYS):
            want = list(range(1, 3001))
            for workers in (1, 3):
                got = sorted(r["v"] for r in place.dataset(f"k{i}w{workers}", f"out/k{i}w{workers}"))
                assert got == want, f"{kind}, {workers} workers: {len(got)} rows, {len(set(got))} different"


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
        exports = [{"name": t, "table": t, "destination": {"type": "local", "path": f"./out/{t}"}} for t in tables]
        exports.append({"name": "odd", "table": '"Od""d. näme"', "destination": {"type": "local", "path": "./out/odd"}})
        pg.config(place, db, exports, tuning={"batch_size": 170})
        place.rivet("run", "-c", "rivet.yaml", code=0)
        for name, n in {**tables, "odd": 2000}.items():
            assert sorted(r["v"] for r in place.dataset(name, f"out/{name}")) == list(range(1, n + 1)), name
        r = place.rivet("check", "-c", "rivet.yaml", "--json", code=0)
        shapes = {x["export"]: (x["read_shape"], x["read_key"]) for x in map(json.loads, r.out.splitlines())}
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
    with pg.database() as db:
        db.sql("CREATE TABLE t (id integer PRIMARY KEY, at timestamptz, u bigint)",
               "INSERT INTO t SELECT i, now() - i * interval '7 hours', extract(epoch FROM now() - i * interval '7 hours')::bigint FROM generate_series(0, 60) i")
        today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
        since = today - datetime.timedelta(days=5)
        pg.config(place, db, [
            {"name": "w", "table": "t", "mode": "time_window", "time_column": "at", "days_window": 5},
            {"name": "wu", "table": "t", "mode": "time_window", "time_column": "u", "time_column_type": "unix", "days_window": 5},
            {"name": "p", "table": "t", "partition_by": "at", "destination": {"type": "local", "path": "./out/parts/{partition}"}}])
        place.rivet("run", "-c", "rivet.yaml", code=0)
        want = db.rows("SELECT * FROM t WHERE at >= %s", since)
        same_rows(place.dataset("w"), want)
        same_rows(place.dataset("wu"), want)
        rows = [r for f in glob.glob(place.path("out/parts/*/*.parquet")) for r in read_part(f)]
        same_rows(rows, db.rows("SELECT * FROM t"))


def test_snapshot_sees_one_instant(place):
    """Rows that move between two tables while a slow snapshot export runs are never seen twice or lost."""
    with pg.database() as db:
        db.sql("CREATE TABLE t (id integer PRIMARY KEY, account integer, amount integer)",
               "INSERT INTO t SELECT i, i % 10, 100 FROM generate_series(1, 20000) i", "VACUUM ANALYZE t")
        pg.config(place, db, [{"name": "x", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 2000, "parallel": 3,
                               "consistency": "snapshot"}], tuning={"throttle_ms": 40, "batch_size": 500})
        p = place.start("run", "-c", "rivet.yaml")
        rnd, moves = random.Random(1), 0
        while p.poll() is None:
            a, b = rnd.sample(range(1, 20001), 2)
            db.sql(f"UPDATE t SET amount = amount + CASE id WHEN {a} THEN 1 ELSE -1 END WHERE id IN ({a}, {b})")
            moves += 1
        out, err = p.communicate()
        assert p.returncode == 0, err.decode()
        rows = place.dataset("x")
        assert len(rows) == 20000 and sum(r["amount"] for r in rows) == 2000000 and moves > 20
        m = place.manifests("x")[-1]
        assert m["source"]["consistency"] == "snapshot"
