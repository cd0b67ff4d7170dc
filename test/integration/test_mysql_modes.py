"""One MySQL or MariaDB table through every mode and strategy gives the same rows and the same
checksums; incremental runs and key kinds add up to the source."""
import contextlib
import json
import re

import my
import sql_modes
from lib import same_rows


@my.on_mariadb
def test_every_mode_serial(place, on):
    sql_modes.every_mode(place, my, on, 1)


@my.both
def test_every_mode_four_workers(place, on):
    sql_modes.every_mode(place, my, on, 4)


@my.extended
def test_every_mode_of(place, on):
    sql_modes.every_mode(place, my, on, 2)


test_every_mode_of.long = True


@my.both
def test_incremental_over_many_runs(place, on):
    sql_modes.incremental_over_many_runs(place, my, on)


@my.both
def test_rows_without_cursor_come_once(place, on):
    sql_modes.rows_without_cursor_come_once(place, my, on)


ACCENTS = "CONCAT(ELT(1 + i % 7, 'a', 'A', 'ä', 'Z', 'z', '-a', ' b'), i)"
UUID = ("CONCAT_WS('-', LEFT(SHA2(i, 256), 8), MID(SHA2(i, 256), 9, 4), CONCAT('4', MID(SHA2(i, 256), 13, 3)), "
        "CONCAT('a', MID(SHA2(i, 256), 17, 3)), RIGHT(SHA2(i, 256), 12))")
KEYS = [("varchar(40) CHARACTER SET ascii COLLATE ascii_bin", "CONCAT('k', i * 7919 % 10007, '-', i)"), ("varchar(40)", ACCENTS),
        ("varchar(40) COLLATE utf8mb4_unicode_ci", ACCENTS), ("varchar(40) COLLATE utf8mb4_bin", ACCENTS),
        ("varchar(40) CHARACTER SET latin1", "CONCAT(ELT(1 + i % 5, 'o', 'ö', 'O', '\\\\', ''''), i)"),
        ("varchar(40) CHARACTER SET utf8mb3", ACCENTS), ("varchar(40) CHARACTER SET utf16", ACCENTS),
        ("varchar(40) CHARACTER SET gbk", "CONCAT(ELT(1 + i % 3, '漢', 'a', '中'), i)"), ("char(12)", "CONCAT('k', i)"),
        ("char(36)", UUID),
        ("bigint", "9223372036854775807 - i"), ("bigint unsigned", "18446744073709551615 - i"), ("smallint", "i - 1600"), ("smallint unsigned", "i"),
        ("mediumint unsigned zerofill", "16777215 - i"), ("decimal(30,10)", "i * 1234567.0000000001 - 5000000000"), ("decimal(20,0)", "-i"),
        ("date", "DATE_ADD('1000-01-01', INTERVAL i DAY)"), ("datetime(3)", "TIMESTAMPADD(MICROSECOND, i * 1000, '1969-12-31 23:59:59.900')"),
        ("datetime", "TIMESTAMPADD(SECOND, i, '9999-12-31 00:00:00')"), ("timestamp(6)", "TIMESTAMPADD(MICROSECOND, i * 61000001, '2024-03-31 00:00:00')")]
OF_MARIADB = [("uuid", UUID)]
OF_MYSQL = [("varchar(40) COLLATE utf8mb4_0900_ai_ci", ACCENTS), ("varchar(40) COLLATE utf8mb4_0900_as_cs", ACCENTS)]


@my.both
def test_every_kind_of_key(place, on):
    sql_modes.every_kind_of_key(place, my, on, KEYS + (OF_MARIADB if on == "mariadb" else OF_MYSQL))


@my.both
def test_composite_and_unusable_keys(place, on):
    with my.database(on) as db:
        s = db.series
        db.sql("CREATE TABLE c (a integer, b varchar(20), v integer, PRIMARY KEY (a, b))", f"INSERT INTO c SELECT i % 50, CONCAT('b', i), i FROM {s(1, 2000)}",
               "CREATE TABLE c3 (a integer, b date, c bigint unsigned, v integer, PRIMARY KEY (a, b, c))",
               f"INSERT INTO c3 SELECT i % 5, DATE_ADD('2024-01-01', INTERVAL i % 7 DAY), i, i FROM {s(1, 2000)}",
               "CREATE TABLE uni (u integer NOT NULL, v integer, UNIQUE KEY (u))", f"INSERT INTO uni SELECT -i, i FROM {s(1, 2000)}",
               "CREATE TABLE heap (v integer)", f"INSERT INTO heap SELECT i FROM {s(1, 30000)}",
               "CREATE TABLE nullable (u integer UNIQUE, v integer)", f"INSERT INTO nullable SELECT CASE WHEN i % 5 = 0 THEN NULL ELSE i END, i FROM {s(1, 2000)}",
               "CREATE TABLE prefixed (u varchar(50) NOT NULL, v integer, UNIQUE KEY (u(10)))", f"INSERT INTO prefixed SELECT i, i FROM {s(1, 2000)}",
               "CREATE TABLE floats (u double NOT NULL PRIMARY KEY, v integer)", f"INSERT INTO floats SELECT i / 3, i FROM {s(1, 2000)}",
               "CREATE TABLE `Od``d. näme` (`I d` integer PRIMARY KEY, v integer)", f"INSERT INTO `Od``d. näme` SELECT i, i FROM {s(1, 2000)}",
               "ANALYZE TABLE c, c3, uni, heap, nullable, prefixed, floats")
        tables = {"c": 2000, "c3": 2000, "uni": 2000, "heap": 30000, "nullable": 2000, "prefixed": 2000, "floats": 2000}
        odd = {"name": "odd", "table": '"Od`d. näme"', "destination": {"type": "local", "path": "./out/odd"}}
        shapes = sql_modes.shapes_of(place, my, db, tables, {"batch_size": 170}, [odd])
        assert sorted(r["v"] for r in place.dataset("odd", "out/odd")) == list(range(1, 2001))
        for name in ("c", "c3", "uni", "odd"):
            assert shapes[name][0] == "pages", shapes
        for name in ("heap", "nullable", "prefixed", "floats"):
            assert shapes[name][0] == "statement", shapes


@my.both
def test_hidden_and_invisible_keys(place, on):
    """An index the planner may not use is no usable key; columns that SELECT * leaves out are left out."""
    with my.database(on) as db:
        hide = "IGNORED" if on == "mariadb" else "INVISIBLE"
        db.sql(f"CREATE TABLE t (f double PRIMARY KEY, u integer NOT NULL, v integer, UNIQUE KEY k (u) {hide})", f"INSERT INTO t SELECT i, i, i FROM {db.series(1, 500)}",
               "CREATE TABLE h (id integer PRIMARY KEY, v integer, secret integer INVISIBLE DEFAULT 7)", f"INSERT INTO h (id, v) SELECT i, i FROM {db.series(1, 500)}",
               "ANALYZE TABLE t, h")
        shapes = sql_modes.shapes_of(place, my, db, {"t": 500, "h": 500}, {"batch_size": 60})
        assert shapes["t"][0] == "statement" and shapes["h"][0] == "pages", shapes
        columns = [c["name"] for c in place.manifests("h", "out/h")[-1]["columns"]]
        assert columns in (["id", "v"], ["id", "v", "secret"]), columns


@my.both
def test_relations_that_are_no_plain_tables(place, on):
    with my.database(on) as db:
        my.simple(db, 2000, gap=False)
        s = db.series
        db.sql("CREATE TABLE p (id integer, day date, v integer, PRIMARY KEY (id, day)) PARTITION BY RANGE COLUMNS (day) "
               "(PARTITION p1 VALUES LESS THAN ('2024-02-01'), PARTITION p2 VALUES LESS THAN ('2025-01-01'))",
               f"INSERT INTO p SELECT i, DATE_ADD('2024-01-01', INTERVAL i % 59 DAY), i FROM {s(1, 4000)}", "CREATE VIEW vw AS SELECT id, id AS v FROM t",
               "CREATE TABLE gen (id integer AUTO_INCREMENT PRIMARY KEY, v integer, w integer AS (v * 2) STORED, x integer AS (v * 3) VIRTUAL)",
               f"INSERT INTO gen (v) SELECT i FROM {s(1, 50)}", "CREATE TABLE dropped (a text, id integer PRIMARY KEY, b text)", "ALTER TABLE dropped DROP COLUMN a",
               "ALTER TABLE dropped ADD COLUMN c integer DEFAULT 5 FIRST", "INSERT INTO dropped (id, b) VALUES (1, 'b')",
               "CREATE TABLE lean (id integer PRIMARY KEY, v integer) ROW_FORMAT=COMPRESSED", f"INSERT INTO lean SELECT i, i FROM {s(1, 500)}")
        names = ["p", "vw", "gen", "dropped", "lean"]
        for engine in ("MyISAM", "MEMORY", *(["Aria"] if on == "mariadb" else [])):
            db.sql(f"CREATE TABLE e_{engine} (id integer PRIMARY KEY, v integer) ENGINE={engine}", f"INSERT INTO e_{engine} SELECT i, i FROM {s(1, 3000)}")
            names.append(f"e_{engine}")
        my.config(place, db, [{"name": n, "table": n, "destination": {"type": "local", "path": f"./out/{n}"}} for n in names], tuning={"batch_size": 300})
        r = place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
        for n in names:
            same_rows(place.dataset(n, f"out/{n}"), db.rows(f"SELECT * FROM {n}"))
            warned = [line for line in r.err.splitlines() if f"'{n}'" in line and "[WARN]" in line and n.startswith("e_")]
            assert len(warned) == n.startswith("e_"), (n, warned)


@my.both
def test_empty_and_wide_tables(place, on):
    with my.database(on) as db:
        db.sql("CREATE TABLE e (id integer PRIMARY KEY, v text)", "CREATE TABLE z (id integer)",
               "CREATE TABLE w (id integer PRIMARY KEY, " + ", ".join(f"c{i} integer" for i in range(1000)) + ")",
               f"INSERT INTO w (id, c0, c999) SELECT i, i, -i FROM {db.series(1, 300)}", "CREATE TABLE big (id integer PRIMARY KEY, v longtext)",
               f"INSERT INTO big SELECT i, REPEAT(SHA2(i, 256), 100) FROM {db.series(1, 2000)}")
        my.config(place, db, [{"name": n, "table": n} for n in ("e", "z", "w", "big")] + [{"name": "skip", "table": "e", "skip_empty": True}])
        r = place.rivet("run", "-c", "rivet.yaml", "--json", code=0)
        status = {e["export_name"]: (e["status"], e["rows"]) for e in json.loads(r.out)["per_export"]}
        assert status == {"e": ("success", 0), "z": ("success", 0), "w": ("success", 300), "big": ("success", 2000), "skip": ("skipped", 0)}, status
        assert all(x["c999"] == -x["id"] for x in place.dataset("w"))
        same_rows(place.dataset("big"), db.rows("SELECT * FROM big"))


@my.both
def test_time_window_and_partitions(place, on):
    sql_modes.time_windows(place, my, on, lambda db: db.sql(
        "CREATE TABLE t (id integer PRIMARY KEY, at timestamp(6) NULL, u bigint)",
        f"INSERT INTO t SELECT i, TIMESTAMPADD(HOUR, -7 * i, UTC_TIMESTAMP(6)), UNIX_TIMESTAMP(UTC_TIMESTAMP()) - 7 * 3600 * i FROM {db.series(0, 60)}"))


@my.both
def test_snapshot_sees_one_instant(place, on):
    sql_modes.snapshot_sees_one_instant(place, my, on)


@my.on_mysql
def test_snapshot_without_a_binary_log(place, on):
    """Several workers cannot be put on one instant: refused with the reason, or read by one; never by several instants."""
    with contextlib.ExitStack() as stack, my.database(my.own(stack, on)) as db:
        my.simple(db, 5000)
        my.config(place, db, [{"name": "x", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 700, "parallel": 3, "consistency": "snapshot"}])
        r = place.rivet("run", "-c", "rivet.yaml")
        assert r.code == 0 or r.code == 1 and re.search(r"binary log", r.err), r
        my.config(place, db, [{"name": "x", "table": "t", "consistency": "snapshot"}])
        place.rivet("run", "-c", "rivet.yaml", code=0)
        same_rows(place.dataset("x"), db.rows("SELECT * FROM t"))


@my.both
def test_names_of_tables(place, on):
    """Exact matches win; another database is named before the dot; nothing of the name is SQL."""
    with my.database(on) as db, my.database(on) as other:
        db.sql("CREATE TABLE orders (id integer PRIMARY KEY, v integer)", "INSERT INTO orders VALUES (1, 1)", "CREATE TABLE `select` (id integer PRIMARY KEY)",
               "CREATE TABLE `a.b` (id integer PRIMARY KEY)", "CREATE TABLE `x;DROP TABLE orders` (id integer PRIMARY KEY)", "CREATE TABLE größe (id integer PRIMARY KEY)")
        other.sql("CREATE TABLE orders (id integer PRIMARY KEY, elsewhere integer)", "INSERT INTO orders VALUES (7, 7)")
        for name, rows in (("orders", 1), (f"{db.name}.orders", 1), (f"{other.name}.orders", 1), ('"select"', 0), ('"a.b"', 0), ('"x;DROP TABLE orders"', 0), ("größe", 0)):
            my.config(place, db, [{"name": "x", "table": name}])
            place.rivet("run", "-c", "rivet.yaml", code=0)
            assert len(place.dataset("x")) == rows, name
        assert "elsewhere" not in place.dataset("x")
