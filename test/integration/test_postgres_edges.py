"""Corners of PostgreSQL: types and names nobody plans for, keys and cursors with extreme values.
Each is exported exactly or refused by name, never changed."""
import json
import re

import pg
import pyarrow.parquet as pq
import sql_modes
from lib import same_rows

ODD = [("mood[]", "'{sad,NULL}'"), ("int_list", "'{1,2}'"), ("int4range[]", "'{\"[1,3)\",NULL}'"), ("pg_snapshot", "'10:20:10,14'"),
       ("lseg", "'[(0,0),(1,1)]'"), ("refcursor", "'c'"), ("regproc", "'now'"), ("regtype", "'integer'"), ("xid8", "'18446744073709551615'"), ("tid", "'(1,2)'"),
       ("time[]", "'{12:00,NULL}'"), ("time[]", "'{24:00}'"), ("timetz[]", "'{12:00+02}'"), ("interval[]", "'{1 day,NULL}'"), ("money[]", "'{1.50}'"), ("bit(3)[]", "'{101}'"),
       ("point[]", "'{\"(1,2)\"}'"), ("json[]", "'{\"{}\",NULL}'"), ("char(3)[]", "'{a}'"), ("name[]", "'{a}'"), ('"char"[]', "'{a}'"), ("oid[]", "'{4294967295}'"), ("citext[]", "'{A}'"),
       ("tsvector[]", "'{a}'"), ("pair[]", "'{\"(1,a)\"}'"), ("pair", "'(1,a)'"), ("numeric(3,5)", "'0.00123'"), ("numeric(3,5)[]", "'{0.00123}'"), ("numeric[]", "'{1.5}'"), ("numeric(80,3)", "'1.5'"),
       ("hstore[]", "'{\"a=>1\"}'"), ("inet[]", "'{1.2.3.4}'"), ("cidr[]", "'{1.2.3.0/24}'"), ("int8multirange[]", "'{\"{[1,2)}\"}'"), ("timestamp(0)", "'2024-01-01 00:00:00.6'"), ("interval year", "'5 years'"),
       ("bit varying(5)", "B'101'"), ("character varying", "'x'"), ("posint", "5"), ("pair_domain", "'(2,b)'"), ("text[][]", "'{a,b}'"), ("macaddr[]", "'{08:00:2b:01:02:03}'"), ("xml", "'<a/>'"),
       ("gtsvector", "NULL"), ("pg_node_tree", "NULL"), ("aclitem", "'=r/postgres'"), ("jsonb[]", "array['null'::jsonb, NULL]"), ("double precision[]", "'{NaN,-Infinity}'"), ("bytea[]", "'{\"\\\\x\"}'")]


def test_odd_types_are_exact_or_refused(place):
    with pg.database() as db:
        db.sql("CREATE EXTENSION hstore", "CREATE EXTENSION citext", "CREATE TYPE mood AS ENUM ('sad')", "CREATE TYPE pair AS (a int, b text)", "CREATE DOMAIN int_list AS integer[]",
               "CREATE DOMAIN posint AS integer CHECK (VALUE > 0)", "CREATE DOMAIN pair_domain AS pair")
        made = []
        for i, (sql_type, literal) in enumerate(ODD):
            db.sql(f"CREATE TABLE o{i} (id integer PRIMARY KEY, v {sql_type})", f"INSERT INTO o{i} VALUES (1, {literal}), (2, NULL)")
            made.append((f"o{i}", sql_type))
        pg.config(place, db, [{"name": n, "table": n} for n, _ in made] + [{"name": f"{n}t", "table": n, "columns": {"v": "text"}} for n, _ in made])
        r = place.rivet("run", "-c", "rivet.yaml", "--json", timeout=300)
        report = {e["export_name"]: e for e in json.loads(r.out)["per_export"]}
        wrong, exact = [], []
        for name, sql_type in made:
            e = report[name]
            text = db.texts(f"SELECT v FROM {name} ORDER BY id")["v"]
            if e["status"] == "success":
                rows = sorted(place.dataset(name), key=lambda x: x["id"])
                exact.append(sql_type)
                if rows[1]["v"] is not None or not as_server(rows[0]["v"], text[0], sql_type):
                    wrong.append((sql_type, rows, text))
            elif e["error_code"] not in ("RIVET_TYPE_UNSUPPORTED", "RIVET_VALUE") or "v" not in e["error_message"]:
                wrong.append((sql_type, e["error_code"], e["error_message"]))
            e = report[f"{name}t"]
            rows = sorted(place.dataset(f"{name}t"), key=lambda x: x["id"])
            if [x["v"] for x in rows] != text:
                wrong.append((sql_type, "text override", e["error_message"], rows, text))
        assert not wrong, "\n".join(map(str, wrong))
        assert len(exact) > 20, exact


def as_server(value, text, sql_type):
    """A value in the file says what the server's text says."""
    if isinstance(value, list):
        inner = text.strip("{}").replace('"', "").split(",")
        return len(value) == len(inner) and all(str(v) in (i, "None") or i in ("NULL", "{}", "null") or loosely(v) == loosely(i) for v, i in zip(value, inner))
    return str(value) == text or loosely(value) == loosely(text)


def loosely(v):
    if isinstance(v, bytes):
        v = "\\x" + v.hex()
    return re.sub(r"[\\T $]|\.?0+$|(?<=:00)\.000000", "", str(v).lower().replace("infinity", "inf"))


NAMES = ["q", "_rivet", "rivet", "id", 'quo"te', "sp ace", "ünï", "new\nline", "semi;colon", "--", "/*", "*/", "$$", "'", "\\", "%s", "{}", "SELECT", "x" * 63, "Ω🎉", "tab\t", ".", "a.b"]


def test_odd_column_names(place):
    with pg.database() as db:
        quoted = ['"' + n.replace('"', '""') + '"' for n in NAMES]
        db.sql(f"CREATE TABLE \"q\" ({', '.join(f'{q} integer' for q in quoted)}, PRIMARY KEY ({quoted[4]}))",
               f"INSERT INTO q SELECT {', '.join(f'i * {k + 1}' for k in range(len(NAMES)))} FROM generate_series(1, 3000) i", "VACUUM ANALYZE q")
        exports = [{"name": "full", "table": "q"}, {"name": "query", "query": "SELECT * FROM q"}, {"name": "inc", "table": "q", "mode": "incremental", "cursor_column": NAMES[4]},
                   {"name": "chunk", "table": "q", "mode": "chunked", "chunk_column": NAMES[7], "chunk_size": 4000}, {"name": "key", "table": "q", "mode": "chunked", "chunk_by_key": NAMES[4], "chunk_size": 700},
                   {"name": "ranges", "table": "q", "consistency": "snapshot"}, {"name": "over", "table": "q", "columns": {n: "bigint" for n in NAMES if "." not in n}}]
        pg.config(place, db, exports)
        place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
        want = db.rows("SELECT * FROM q")
        for x in exports:
            same_rows(place.dataset(x["name"]), want)


def test_tables_without_columns_or_rows(place):
    with pg.database() as db:
        db.sql("CREATE TABLE none ()", "INSERT INTO none DEFAULT VALUES", "CREATE TABLE gone (a integer)", "ALTER TABLE gone DROP COLUMN a")
        for table in ("none", "gone"):
            pg.config(place, db, [{"name": "x", "table": table}])
            for command in ("run", "check"):
                r = place.rivet(command, "-c", "rivet.yaml")
                assert r.code == 1 and re.search(r"(?i)column", r.err), r


EXTREME = [("timestamptz", ["'-infinity'", "'4714-11-24 00:00+00 BC'", "'0044-03-15 12:00:00.000001+00 BC'", "'1969-12-31 23:59:59.999999+00'", "'infinity'"]),
           ("timestamp", ["'-infinity'", "'4714-11-24 BC'", "'2024-01-01 00:00:00.000001'", "'2024-01-01 00:00:00.000002'", "'infinity'"]), ("date", ["'-infinity'", "'4714-11-24 BC'", "'5874897-12-31'", "'infinity'"]),
           ("numeric", ["'-Infinity'", "-1e40", "-1e-30", "0", "1e-30", "'1' || repeat('0', 200)", "'Infinity'", "'NaN'"]), ("numeric(10,2)", ["'NaN'", "-99999999.99", "0.01"]),
           ("bigint", ["-9223372036854775808", "-1", "0", "9223372036854775807"]), ("smallint", ["-32768", "32767"]),
           ("text", ["''", "' '", "E'\\\\'", "''''", "E'\\n'", "E'\\x01'", "'%'", "'ü'", "repeat('z', 2000)", "'🎉'", "'$1'", "'--'"]), ("uuid", ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"]),
           ("text COLLATE ci", ["'a'", "'Ä'", "'b'", "'ß'", "''", "'-'", "'É'"])]


def test_keys_with_extreme_values(place):
    """Pages of one row by such keys, exported as text so that what fits no type does too."""
    with pg.database() as db:
        db.sql("CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        exports = []
        for i, (kind, values) in enumerate(EXTREME):
            cast = kind.split(" COLLATE")[0].split("(")[0]
            db.sql(f"CREATE TABLE e{i} (k {kind} PRIMARY KEY, v integer)", *[f"INSERT INTO e{i} VALUES (({v})::{cast}, {n})" for n, v in enumerate(values)])
            for shape, more in (("full", {"chunk_checkpoint": True, "chunk_size": 2}), ("key", {"mode": "chunked", "chunk_by_key": "k", "chunk_size": 1, "parallel": 2}),
                                ("inc", {"mode": "incremental", "cursor_column": "k"})):
                exports.append({"name": f"{shape}{i}", "table": f"e{i}", "columns": {"k": "text"}, **more})
        pg.config(place, db, exports, tuning={"batch_size": 1})
        r = place.rivet("run", "-c", "rivet.yaml", "--json", timeout=300)
        wrong = []
        for e in json.loads(r.out)["per_export"]:
            i = int(re.sub(r"\D", "", e["export_name"]))
            got, want = sorted(x["v"] for x in place.dataset(e["export_name"])), list(range(len(EXTREME[i][1])))
            if e["export_name"].startswith("inc") and EXTREME[i][0] in ("timestamptz", "timestamp", "date"):
                want = [r["v"] for r in db.rows(f"SELECT v FROM e{i} WHERE k <= now() ORDER BY v")]  # later ones wait
            if got != want:
                wrong.append((e["export_name"], EXTREME[i][0], got, e["error_message"]))
        assert not wrong, "\n".join(map(str, wrong))


CURSORS = [("bigint", "i"), ("numeric(20,4)", "i / 8.0"), ("numeric", "i / 8.0"), ("text", "lpad(i::text, 8, '0')"), ("date", "date '2020-01-01' + i / 7"), ("timestamp", "timestamp '2020-01-01' + i / 3 * interval '1 us'"),
           ("timestamptz", "timestamptz '2020-01-01 00:00+00' + i / 3 * interval '1 us'"), ("uuid", "lpad(to_hex(i), 32, '0')::uuid"), ("double precision", "i / 8.0"), ("smallint", "i / 3"), ("oid", "i::bigint::oid"), ("time", "time '00:00' + i / 3 * interval '1 s'")]


def test_every_kind_of_cursor(place):
    """Five runs with ties at the end of each; with and without an index; a kind that cannot be is refused."""
    with pg.database() as db:
        exports = []
        for i, (kind, value) in enumerate(CURSORS):
            over = {"c": "text"} if kind == "numeric" else None
            for index in (True, False):
                table = f"c{i}{'i' if index else 'n'}"
                db.sql(f"CREATE TABLE {table} (id integer PRIMARY KEY, c {kind})")
                if index:
                    db.sql(f"CREATE INDEX ON {table} (c)")
                exports.append({"name": table, "table": table, "mode": "incremental", "cursor_column": "c", "columns": over, "destination": {"type": "local", "path": f"./out/{table}"}})
        pg.config(place, db, exports)
        first, refused = 1, {}
        for last in (900, 901, 950, 950, 1203):
            for i, (kind, value) in enumerate(CURSORS):
                for suffix in "in":
                    db.sql(f"INSERT INTO c{i}{suffix} SELECT i, {value} FROM generate_series({first}, {last}) i")
            first = last + 1
            r = place.rivet("run", "-c", "rivet.yaml", "--json", timeout=300)
            refused = {e["export_name"]: (e["error_code"], e["error_message"]) for e in json.loads(r.out)["per_export"] if e["status"] == "failed"}
        wrong = []
        for x in exports:
            kind = CURSORS[int(x["name"][1:-1])][0]
            got = sorted(r["id"] for r in place.dataset(x["name"], f"out/{x['name']}", incremental=True))
            if x["name"] in refused:
                if kind not in ("oid", "time", "double precision", "uuid") or got:
                    wrong.append((kind, x["name"], refused[x["name"]], len(got)))
            elif got != list(range(1, 1204)):
                wrong.append((kind, x["name"], f"{len(got)} rows, {len(set(got))} different"))
        assert not wrong, "\n".join(map(str, wrong))


def test_cursor_start_and_settle(place):
    with pg.database() as db:
        db.sql("CREATE TABLE t (id integer PRIMARY KEY, at timestamptz)", "CREATE INDEX ON t (at)",
               "INSERT INTO t SELECT i, now() - (1000 - i) * interval '1 minute' FROM generate_series(1, 1000) i")
        pg.config(place, db, [{"name": "s", "table": "t", "mode": "incremental", "cursor_column": "at", "settle": {"after": "100m"}},
                              {"name": "c", "table": "t", "mode": "incremental", "cursor_column": "id", "cursor_start": "700"}])
        for _ in range(2):
            place.rivet("run", "-c", "rivet.yaml", code=0)
        ids = sorted(r["id"] for r in place.dataset("s", incremental=True))
        assert ids[0] == 1 and 898 <= ids[-1] <= 901 and len(ids) == len(set(ids)) == ids[-1], (ids[0], ids[-1], len(ids))
        assert sorted(r["id"] for r in place.dataset("c", incremental=True)) == list(range(700, 1001))
        for value, code in (("2024-01-01", 1), ("'; DROP TABLE t; --", 1)):
            pg.config(place, db, [{"name": "d", "table": "t", "mode": "incremental", "cursor_column": "id", "cursor_start": value}])
            place.rivet("run", "-c", "rivet.yaml", code=code)
        assert db.one("SELECT count(*) FROM t") == 1000


def test_chunks_at_the_limits(place):
    with pg.database() as db:
        db.sql("CREATE TABLE b (id bigint PRIMARY KEY)", "INSERT INTO b VALUES (-9223372036854775808), (-9223372036854775807), (-1), (0), (1), (9223372036854775806), (9223372036854775807)",
               "CREATE TABLE n (id numeric(38,0) PRIMARY KEY)", f"INSERT INTO n VALUES (-{'9' * 38}), (-1), (0), ({'9' * 38})",
               "CREATE TABLE d (id integer PRIMARY KEY, day date, at timestamptz)", "INSERT INTO d VALUES (1, '0001-01-01 BC', '0001-01-01 00:00+00 BC'), (2, '0001-01-05', '0001-01-05 00:00+00'), (3, NULL, NULL)",
               "CREATE TABLE u (k integer, v integer)", "CREATE INDEX ON u (k)", "INSERT INTO u SELECT CASE WHEN i % 10 = 0 THEN NULL ELSE i % 7 END, i FROM generate_series(1, 2000) i")
        exports = [{"name": "b", "table": "b", "mode": "chunked", "chunk_column": "id", "chunk_count": 4}, {"name": "n", "table": "n", "mode": "chunked", "chunk_column": "id", "chunk_count": 3},
                   {"name": "d1", "table": "d", "mode": "chunked", "chunk_column": "day", "chunk_by_days": 100}, {"name": "d2", "table": "d", "mode": "chunked", "chunk_column": "at", "chunk_count": 5},
                   {"name": "u1", "table": "u", "mode": "chunked", "chunk_column": "k", "chunk_size": 2}, {"name": "u2", "table": "u", "mode": "chunked", "chunk_column": "k", "chunk_dense": True, "chunk_size": 100}]
        pg.config(place, db, exports)
        place.rivet("run", "-c", "rivet.yaml", "--reconcile", code=0)
        for x in exports:
            if x["table"] == "d":  # python has no year 0
                ids = [i for m in place.manifests(x["name"])[-1:] for p in m["parts"] for i in pq.read_table(place.path("out", p["path"]))["id"].to_pylist()]
                assert sorted(ids) == [1, 2, 3], (x, ids)
            else:
                same_rows(place.dataset(x["name"]), db.rows(f"SELECT * FROM {x['table']}"))
        pg.config(place, db, [{"name": "many", "table": "b", "mode": "chunked", "chunk_column": "id", "chunk_size": 1000}])
        r = place.rivet("run", "-c", "rivet.yaml", code=1)
        pg.logged(r, r"exceed 100,000; use chunk_by_key, chunk_dense or a larger chunk_size")


def test_reconcile_and_repair(place):
    sql_modes.reconcile_and_repair(place, pg, 15, {"mode": "chunked", "chunk_column": "id"})
