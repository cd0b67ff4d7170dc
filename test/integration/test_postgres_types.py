"""The type table of PostgreSQL, value by value: what the server's output functions and psycopg say
against what two foreign Parquet readers find in the file, and the CSV cells."""
import csv
import datetime
import decimal
import json
import math
import re
import struct
import uuid

import pg
from values import both_readers, civil_days, integers, plain_float, scaled, seen, time_us

NAT, NEG = 10**76 - 1, -(10**76 - 1)
# column, SQL type, literals, canonical type as rivet reports it, [override]
INTS = [("i2", "smallint", ["-32768", "32767", "0"], "int16"),
        ("i4", "integer", ["-2147483648", "2147483647", "0"], "int32"),
        ("i8", "bigint", ["-9223372036854775808", "9223372036854775807", "-1"], "int64"),
        ("o", "oid", ["0", "4294967295"], "int64"), ("xi", "xid", ["3", "4294967295"], "int64"),
        ("ci", "cid", ["0", "4294967295"], "int64"), ("b", "boolean", ["true", "false"], "bool")]
REALS = ["0", "-0", "1.5", "NaN", "Infinity", "-Infinity"]
NUMBERS = [("f4", "real", REALS + ["3.4028235e38", "1.17549435e-38", "1e-45", "16777217"], "float32"),
           ("f8", "double precision", REALS + ["1.7976931348623157e308", "2.2250738585072014e-308", "5e-324", "0.1",
                                               "1e21", "123456789012345678"], "float64"),
           ("n9", "numeric(9,2)", ["9999999.99", "-9999999.99", "0", "0.01"], "decimal(9,2)"),
           ("n18", "numeric(18,6)", ["999999999999.999999", "-0.000001", "1"], "decimal(18,6)"),
           ("n38", "numeric(38,0)", ["9" * 38, "-" + "9" * 38, "10000"], "decimal(38,0)"),
           ("n38s", "numeric(38,38)", ["0." + "9" * 38, "-0." + "0" * 37 + "1"], "decimal(38,38)"),
           ("n50", "numeric(50,20)", ["9" * 30 + "." + "9" * 20, "-1", "0.00000000000000000001"], "decimal(50,20)"),
           ("n76", "numeric(76,0)", [str(NAT), str(NEG), "0"], "decimal(76,0)"),
           ("nu", "numeric", ["12345678901234567890.1234567890", "-0.0000000001", "10000.5"], "decimal(38,10)",
            "decimal(38,10)"),
           ("nu76", "numeric", ["9" * 56 + "." + "9" * 20, "-1e-20"], "decimal(76,20)", "decimal(76,20)"),
           ("nut", "numeric", ["NaN", "1e30", "0.10", "-1.5"], "string", "text"),
           ("m", "money", ["-92233720368547758.08", "92233720368547758.07", "0", "1.1"], "decimal(19,2)")]
TIMES = [("d", "date", ["4714-11-24 BC", "5874897-12-31", "1970-01-01", "0001-12-31 BC", "0001-01-01", "2024-02-29"],
          "date"),
         ("tm", "time", ["00:00", "23:59:59.999999", "12:34:56.789"], "time"),
         ("tz", "timetz", ["24:00:00+00", "04:05:06.789-08", "23:59:59.999999+15:59:59", "00:00-15:59:59",
                           "12:00+05:45"], "string"),
         ("ts", "timestamp", ["4714-11-24 00:00 BC", "294246-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999",
                              "0044-03-15 12:00 BC", "2024-02-29 12:34:56.000001"], "timestamp"),
         ("tstz", "timestamptz", ["4714-11-24 00:00+00 BC", "294246-12-31 23:59:59.999999+00", "1970-01-01 00:00+00",
                                  "2024-07-01 12:00:00.5+05:30"], "timestamp_tz"),
         ("iv", "interval", ["0", "1 year 2 mons 3 days 04:05:06.789", "-1 year +2 mons -3 days +04:05:06",
                             "-00:00:00.5", "-1 year -1 mon", "14 mons", "100 hours", "1 day -00:00:00.000001",
                             "178000000 years", "-178000000 years", "-2147483648 days", "-01:30:15.000250", "1 mon"],
          "interval")]
TEXTS = [("tx", "text", ["''", "'ünïcödé 漢字 🎉 e\u0301'", "repeat('x', 1048576)", "E'tab\\tnl\\ncr\\rq\"c,'", "'NULL'",
                         "'\\N'"], "string"),
         ("vc", "varchar(10)", ["''", "'  ab  '", "'äöüäöüäöüä'"], "string"), ("nm", "name", ["'a name'"], "string"),
         ("ch", '"char"', ["'x'"], "string"), ("bp", "char(5)", ["'ab'", "''", "'äöüäö'"], "string"),
         ("ct", "citext", ["'MiXed'"], "string"), ("rg", "regclass", ["'pg_class'"], "string"),
         ("by", "bytea", ["''", "'\\x00ff10'", "decode(repeat('00ff', 1000), 'hex')"], "binary"),
         ("js", "json", ["'{\"b\":1,  \"a\":[1,2, null]}'", "'\"\\u00fc\"'", "'null'", "' 1 '"], "json"),
         ("jb", "jsonb", ["'{\"b\":1,  \"a\":[1,2, null], \"b\": 2.50}'", "'\"ü\"'", "'null'", "'12345678901234567890.10'"],
          "json"),
         ("u", "uuid", ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
                        "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"], "uuid"),
         ("en", "mood", ["'sad'", "'o''k'", "'größe'"], "enum"), ("dm", "small_positive", ["1", "99"], "int16"),
         ("dd", "price_of_a_price", ["1.500", "-9999999.999"], "decimal(10,3)"),
         ("de", "mood_domain", ["'sad'"], "enum"), ("dt", "text_domain", ["'x y'"], "string")]
OTHERS = [("b1", "bit(1)", ["B'1'", "B'0'"], "string"), ("b8", "bit(8)", ["B'10100101'"], "string"),
          ("vb", "varbit", ["B''", "B'1'", "B'" + "10" * 40 + "'"], "string"),
          ("ip", "inet", ["'192.168.1.5/32'", "'10.0.0.0/8'", "'::1/128'", "'2001:db8::1/64'", "'192.168.1.5/24'",
                          "'::ffff:1.2.3.4'"], "string"),
          ("cd", "cidr", ["'10.0.0.0/8'", "'192.168.1.1/32'", "'2001:db8::/32'", "'::/0'"], "string"),
          ("ma", "macaddr", ["'08:00:2b:01:02:03'"], "string"),
          ("m8", "macaddr8", ["'08:00:2b:01:02:03:04:05'"], "string"),
          ("r4", "int4range", ["'[1,10)'", "'empty'", "'(,)'", "'[5,]'"], "string"),
          ("r8", "int8range", ["'[-9223372036854775808,0)'"], "string"),
          ("rn", "numrange", ["'(1.5,2.50]'", "'[,0)'"], "string"),
          ("rt", "tsrange", ["'[2024-01-01 00:00,2024-02-01 12:30:00.5)'"], "string"),
          ("rz", "tstzrange", ["'[2024-01-01 00:00+02,)'"], "string"),
          ("rd", "daterange", ["'[2024-01-01,2024-02-01)'", "'(0044-03-15 BC,]'"], "string"),
          ("hs", "hstore", ["'b=>1, a=>NULL, \"q\\\"k\"=>\"x,y\"'", "''", "'ü=>\"\"'"], "json"),
          ("tv", "tsvector", ["'fat:1A cat:2'", "''"], "string"), ("tq", "tsquery", ["'fat & !cat'"], "string"),
          ("lt", "ltree", ["'Top.Science'"], "string"), ("ls", "pg_lsn", ["'16/B374D848'", "'0/0'"], "string"),
          ("jp", "jsonpath", ["'$.a[*] ? (@ > 1)'"], "string"), ("pt", "point", ["'(1.5,-2)'", "'(NaN,Infinity)'"], "string"),
          ("ln", "line", ["'{1,-1,0}'"], "string"), ("bx", "box", ["'(2,2),(0,0)'"], "string"),
          ("pa", "path", ["'[(0,0),(1,1)]'", "'((0,0),(1,1),(2,0))'"], "string"),
          ("pg", "polygon", ["'((0,0),(1,1),(2,0))'"], "string"), ("ce", "circle", ["'<(1,2),3.5>'"], "string")]
LISTS = [("la", "boolean[]", ["'{t,f,NULL}'", "'{}'"], "list<bool>"), ("l2", "smallint[]", ["'{1,NULL,-32768}'", "'{}'"], "list<int16>"),
         ("l4", "integer[]", ["'{1,2,3}'", "'{NULL}'", "'[5:6]={7,8}'"], "list<int32>"),
         ("l8", "bigint[]", ["'{9223372036854775807}'", "'{}'"], "list<int64>"),
         ("lf", "real[]", ["'{1.5,-0,Infinity}'"], "list<float32>"), ("ld", "double precision[]", ["'{0.1,NULL}'"], "list<float64>"),
         ("lt_", "text[]", ["'{a,\"b,c\",NULL,\"NULL\",\"\"}'", "'{}'", "'{ü}'"], "list<string>"),
         ("lv", "varchar(5)[]", ["'{abcde,NULL}'"], "list<string>"), ("ln_", "numeric(10,2)[]", ["'{1.50,NULL,-99999999.99}'"], "list<decimal(10,2)>"),
         ("lu", "uuid[]", ["'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}'"], "list<uuid>"),
         ("lda", "date[]", ["'{2024-02-29,NULL}'"], "list<date>"), ("lts", "timestamp[]", ["'{2024-02-29 12:34:56.5}'"], "list<timestamp>"),
         ("ltz", "timestamptz[]", ["'{2024-02-29 12:34:56.5+02}'"], "list<timestamp_tz>"), ("lb", "bytea[]", ["'{\"\\\\x00ff\",NULL}'"], "list<binary>"),
         ("lj", "jsonb[]", ["array['{\"a\": 1}'::jsonb, NULL]"], "list<json>"), ("li", "inet[]", ["'{10.0.0.1/8,1.2.3.4}'"], "list<string>")]
PREPARE = ["CREATE EXTENSION hstore", "CREATE EXTENSION citext", "CREATE EXTENSION ltree",
           "CREATE TYPE mood AS ENUM ('sad', 'o''k', 'größe')", "CREATE DOMAIN small_positive AS smallint CHECK (VALUE > 0)",
           "CREATE DOMAIN price AS numeric(10,3)", "CREATE DOMAIN price_of_a_price AS price", "CREATE DOMAIN mood_domain AS mood",
           "CREATE DOMAIN text_domain AS text"]


def columns_of(db):
    found = INTS + NUMBERS + TIMES + TEXTS + OTHERS + LISTS
    if db.server.version >= 14:
        found = found + [("mr", "int4multirange", ["'{[1,3),[5,9)}'", "'{}'"], "string"),
                         ("mz", "tstzmultirange", ["'{[2024-01-01 00:00+00,2024-01-02 00:00+00)}'"], "string")]
    if db.one("SELECT setting LIKE '%with-libxml%' FROM pg_config WHERE name = 'CONFIGURE'"):
        found = found + [("xm", "xml", ["'<a b=\"c\">ü</a>'"], "string")]
    return found


def make(db, columns):
    """One row per literal of the longest list, and one of NULLs."""
    db.sql(*PREPARE, "CREATE TABLE t (id integer PRIMARY KEY, " + ", ".join(f'"{c[0]}" {c[1]}' for c in columns) + ")")
    rows = max(len(c[2]) for c in columns)
    for i in range(rows):
        cells = [c[2][i % len(c[2])] for c in columns]
        cells = [v if re.search(r"^(E?'|B'|repeat|decode|array)", v) else f"'{v}'" for v in cells]
        db.sql(f"INSERT INTO t VALUES ({i}, {', '.join(cells)})")
    db.sql(f"INSERT INTO t (id) VALUES ({rows})")


def date_days(text):
    bc = text.endswith(" BC")
    y, m, d = text.replace(" BC", "").split("-")
    return civil_days(1 - int(y) if bc else int(y), int(m), int(d))


def instant_us(text):
    text, bc = text.replace(" BC", ""), " BC" if text.endswith("BC") else ""
    day, clock = text.split(" ")
    return date_days(day + bc) * 86400000000 + time_us(clock.removesuffix("+00"))


def timetz(text):
    clock, sign, zone = re.match(r"([0-9:.]+)([+-])(.*)", text).groups()
    whole, _, frac = clock.partition(".")
    return f"{whole}.{frac.ljust(6, '0')}{sign}{zone}"


def interval(text):
    return re.sub(r"\.(\d+)S", lambda m: "." + m[1].ljust(6, "0") + "S", text)


def wanted(kind, sql_type, text):
    """A server text in the form both readers are brought to."""
    if text is None:
        return None
    if kind == "bool":
        return text in ("t", "true")
    if kind.startswith("int"):
        return int(text) if kind != "interval" else interval(text)
    if kind.startswith("float"):
        v = float(text)
        return "nan" if math.isnan(v) else struct.pack("<f" if kind == "float32" else "<d", v)
    if kind.startswith("decimal"):
        return scaled(text, int(kind[:-1].split(",")[1]))
    if kind == "date":
        return date_days(text)
    if kind == "time":
        return time_us(text)
    if kind.startswith("timestamp"):
        return instant_us(text)
    if kind == "binary":
        return bytes.fromhex(text[2:])
    if kind == "uuid":
        return uuid.UUID(text).bytes
    return timetz(text) if sql_type == "timetz" else text


def wanted_list(kind, values):
    """psycopg's own lists in that form."""
    def one(v):
        if v is None or kind in ("bool", "int16", "int32", "int64", "string", "date", "timestamp", "timestamp_tz"):
            return v
        if kind == "json":
            return json.dumps(v)
        return v.bytes if kind == "uuid" else bytes(v) if kind == "binary" else seen(kind, v)
    return [None if v is None else [one(x) for x in v] for v in values]


def check_values(db, path, columns):
    wrong, readers = [], both_readers(path)
    money = [c[0] for c in columns if c[1] == "money"]
    texts = db.texts("SELECT " + ", ".join(f'"{c[0]}"' + ("::numeric" if c[0] in money else "") +
                     f' AS "{c[0]}"' for c in columns if not c[3].startswith("list")) + " FROM t ORDER BY id")
    hstores = [r["h"] for r in db.rows("SELECT hstore_to_json(hs)::text AS h FROM t ORDER BY id")]
    for name, sql_type, _, kind, *_ in columns:
        if kind.startswith("list"):
            natural = f'"{name}"::text[]' if sql_type == "inet[]" else f'"{name}"'
            want = wanted_list(kind[5:-1], [r["v"] for r in db.rows(f"SELECT {natural} AS v FROM t ORDER BY id")])
            if sql_type == "inet[]":
                want = [None if v is None else [x.removesuffix("/32") for x in v] for v in want]
        elif sql_type == "hstore":
            want = [None if h is None else list(json.loads(h).items()) for h in hstores]
        else:
            want = [wanted(kind, sql_type, v) for v in texts[name]]
        for reader, columns_read in readers:
            if name not in columns_read.column_names:
                continue
            column = columns_read[name]
            if kind.startswith("list"):
                got = [None if v is None else [seen(kind[5:-1], x) for x in v] for v in list_values(kind, column)]
                if kind == "list<timestamp_tz>":
                    want = [None if v is None else [x.astimezone(datetime.timezone.utc) for x in v] for v in want]
            else:
                got = [seen(kind, v) for v in integers(column).to_pylist()]
                if sql_type == "hstore":
                    got = [None if v is None else list(json.loads(v).items()) for v in got]
            if got != want:
                row = next((i for i, (g, w) in enumerate(zip(got, want)) if g != w), -1)
                wrong.append(f"{reader}: {name} {sql_type} row {row}: {str(got[row])[:120]!r}, want {str(want[row])[:120]!r}")
    assert not wrong, "\n".join(wrong)


def list_values(kind, column):
    values = column.to_pylist()
    if kind == "list<timestamp_tz>":
        values = [None if v is None else [x.astimezone(datetime.timezone.utc) for x in v] for v in values]
    return values


def overrides(columns):
    return {c[0]: c[4] for c in columns if len(c) > 4}


def whole_table(place, version):
    with pg.database(version) as db:
        columns = columns_of(db)
        make(db, columns)
        pg.config(place, db, [{"name": "x", "table": "t", "columns": overrides(columns)},
                              {"name": "q", "query": "SELECT * FROM t", "columns": overrides(columns),
                               "consistency": "statement"}])
        place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
        for name in ("x", "q"):
            [part] = place.manifests(name)[-1]["parts"]
            check_values(db, place.path("out", part["path"]), columns)
        assert place.manifests("x")[-1]["row_checksum"] == place.manifests("q")[-1]["row_checksum"]
        r = place.rivet("check", "-c", "rivet.yaml", "-e", "x", "--type-report", "--json", code=0)
        told = {c["column"]: c["rivet_type"] for c in json.loads(r.out.splitlines()[0])["columns"]}
        assert told == {"id": "int32", **{c[0]: c[3] for c in columns}}, \
            [(k, v, told.get(k)) for k, v in [(c[0], c[3]) for c in columns] if told.get(k) != v]


def test_every_type_postgres_15(place):
    whole_table(place, 15)


def test_every_type_postgres_12(place):
    whole_table(place, 12)


def test_every_type_postgres_18(place):
    whole_table(place, 18)


def extended(version):
    def test(place):
        whole_table(place, version)
    test.long = True
    test.__module__ = __name__
    return test


test_every_type_postgres_13, test_every_type_postgres_14 = extended(13), extended(14)
test_every_type_postgres_16, test_every_type_postgres_17 = extended(16), extended(17)


def csv_cell(kind, sql_type, text):
    if text is None:
        return ""
    if kind == "bool":
        return "true" if text in ("t", "true") else "false"
    if kind.startswith("float"):
        return plain_float(text, kind == "float32")
    if kind.startswith("decimal"):
        scale = int(kind[:-1].split(",")[1])
        return format(decimal.Decimal(text).quantize(decimal.Decimal(1).scaleb(-scale)), "f")
    if kind in ("date", "timestamp", "timestamp_tz"):
        bc, text = text.endswith(" BC"), text.replace(" BC", "")
        day, _, clock = text.partition(" ")
        y, rest = int(day.split("-")[0]), day.split("-", 1)[1]
        y = 1 - y if bc else y
        year = f"{y:04d}" if 0 <= y <= 9999 else f"{'-' if y < 0 else '+'}{abs(y):04d}"
        if kind == "date":
            return f"{year}-{rest}"
        whole, _, frac = clock.removesuffix("+00").partition(".")
        return f"{year}-{rest}T{whole}.{frac.ljust(6, '0')}" + ("Z" if kind == "timestamp_tz" else "")
    if kind == "time":
        whole, _, frac = text.partition(".")
        return f"{whole}.{frac.ljust(6, '0')}"
    if kind == "binary":
        return text[2:]
    w = wanted(kind, sql_type, text)
    return str(uuid.UUID(bytes=w)) if kind == "uuid" else str(w)


def test_csv_cells(place):
    with pg.database() as db:
        columns = [c for c in columns_of(db) if not c[3].startswith("list") and c[1] != "hstore"]
        make(db, columns)
        pg.config(place, db, [{"name": "x", "table": "t", "format": "csv", "columns": overrides(columns)}])
        place.rivet("run", "-c", "rivet.yaml", code=0)
        [part] = place.manifests("x")[-1]["parts"]
        with open(place.path("out", part["path"]), newline="", encoding="utf-8") as f:
            csv.field_size_limit(1 << 24)
            got = list(csv.DictReader(f))
        texts = db.texts("SELECT id, " + ", ".join(
            f'"{c[0]}"' + ("::numeric" if c[1] == "money" else "") + f' AS "{c[0]}"' for c in columns) + " FROM t ORDER BY id")
        wrong = []
        for i, row in enumerate(got):
            for name, sql_type, _, kind, *_ in columns:
                want = csv_cell(kind, sql_type, texts[name][i])
                if row[name] != want:
                    wrong.append(f"{name} {sql_type} row {i}: {row[name][:100]!r}, want {want[:100]!r}")
        assert len(got) == len(texts["id"]) and not wrong, "\n".join(wrong)


REFUSED = [  # SQL type, literal, override, text of the error
    ("numeric(10,2)", "'NaN'", None, "column 'v': numeric NaN/infinity does not fit a decimal; override with v: text"),
    ("time", "'24:00:00'", None, "column 'v': time 24:00:00 does not fit a time of day; override with v: text"),
    ("date", "'infinity'", None, "column 'v'"), ("date", "'-infinity'", None, "column 'v'"),
    ("timestamp", "'infinity'", None, "column 'v'"), ("timestamptz", "'-infinity'", None, "column 'v'"),
    ("timestamp", "'294276-12-31 23:59:59.999999'", None, "column 'v'"),
    ("integer[]", "'{{1,2},{3,4}}'", None, "column 'v'.*2"),
    ("numeric", "'1.23'", "decimal(10,1)", "column 'v'"), ("integer", "'40000'", "int2", "column 'v'"),
    ("text", "'no uuid'", "uuid", "column 'v'"), ("text", "'12x'", "int8", "column 'v'"),
    ("numeric", "'100000000.00'", "decimal(10,2)", "column 'v'")]


def test_values_that_do_not_fit_are_refused(place):
    with pg.database() as db:
        exports = []
        for i, (sql_type, literal, override, _) in enumerate(REFUSED):
            db.sql(f"CREATE TABLE r{i} (id integer PRIMARY KEY, v {sql_type})", f"INSERT INTO r{i} VALUES (1, {literal})")
            exports.append({"name": f"r{i}", "table": f"r{i}", "columns": {"v": override} if override else None})
        pg.config(place, db, exports)
        for i, (sql_type, literal, override, text) in enumerate(REFUSED):
            r = place.rivet("run", "-c", "rivet.yaml", "-e", f"r{i}")
            assert r.code == 1 and re.search(text, r.err), f"{sql_type} {literal} {override}: {r}"
            assert not place.manifests(f"r{i}"), f"{sql_type} {literal} published something"


def test_text_override_keeps_what_does_not_fit(place):
    cells = [("numeric(10,2)", "'NaN'", "NaN"), ("numeric", "'-1.50'", "-1.50"), ("time", "'24:00:00'", "24:00:00"),
             ("date", "'infinity'", "infinity"), ("integer[]", "'{{1,2},{3,4}}'", "{{1,2},{3,4}}"), ("pair", "'(1,a)'", "(1,a)"),
             ("numeric(5,-2)", "'12345'", "12300"), ("numeric(100,5)", "'1.5'", "1.50000")]
    if pg.server().version >= 14:
        cells.append(("numeric", "'-Infinity'", "-Infinity"))
    with pg.database() as db:
        db.sql("CREATE TYPE pair AS (a int, b text)", "CREATE TABLE t (id integer PRIMARY KEY, " +
               ", ".join(f"c{i} {c[0]}" for i, c in enumerate(cells)) + ")",
               "INSERT INTO t VALUES (1, " + ", ".join(c[1] for c in cells) + ")")
        pg.config(place, db, [{"name": "x", "table": "t", "columns": {f"c{i}": "text" for i in range(len(cells))}}])
        place.rivet("run", "-c", "rivet.yaml", code=0)
        [row] = place.dataset("x")
        assert row == {"id": 1, **{f"c{i}": c[2] for i, c in enumerate(cells)}}, row


def test_columns_without_a_lossless_type_are_all_named(place):
    with pg.database() as db:
        db.sql("CREATE TYPE pair AS (a int, b text)",
               "CREATE TABLE t (id integer PRIMARY KEY, amount numeric, shape pair, wide numeric(100,2), neg numeric(5,-2))")
        pg.config(place, db, [{"name": "orders", "table": "t"}])
        for command in (("run",), ("check",), ("check", "--type-report")):
            r = place.rivet(*command, "-c", "rivet.yaml", code=1)
            pg.logged(r, r"export 'orders': 4 columns have no lossless type; declare them under exports\[\]\.columns:")
            pg.logged(r, r"(?m)^\s+(?:cause: )?amount +\(postgres numeric, no precision\): +try +amount: decimal\(18,2\) +or +amount: text$")
            pg.logged(r, r"(?m)^\s+(?:cause: )?shape +\(postgres composite\): +try +shape: text$")
        assert place.files() == []


def test_null_instead_of_a_failed_override(place):
    with pg.database() as db:
        db.sql("CREATE TABLE t (id integer PRIMARY KEY, v text)", "INSERT INTO t VALUES (1,'12'), (2,'x'), (3,NULL), (4,'y')")
        pg.config(place, db, [{"name": "x", "table": "t", "columns": {"v": "int4"}, "on_override_error": "null"}])
        r = place.rivet("run", "-c", "rivet.yaml", code=0)
        assert [x["v"] for x in place.dataset("x")] == [12, None, None, None]
        pg.logged(r, r"\[WARN\].*'v'.*\b2\b")


def test_a_cell_above_the_limit(place):
    with pg.database() as db:
        db.sql("CREATE TABLE t (id integer PRIMARY KEY, body text)", "INSERT INTO t VALUES (1, repeat('x', 3000000))")
        pg.config(place, db, [{"name": "x", "table": "t"}], tuning={"max_value_mb": 2})
        r = place.rivet("run", "-c", "rivet.yaml", code=1)
        pg.logged(r, r"column 'body': one cell is 2\.9 MB, limit 2 MB \(tuning\.max_value_mb\)")


def test_settings_of_role_and_database_change_no_value(place):
    """DateStyle, TimeZone and the like set on the database must not reach the file."""
    with pg.database() as db:
        db.sql("CREATE TABLE t (id integer PRIMARY KEY, z tstzrange, i interval, b bytea, f double precision[], tz timetz)",
               "INSERT INTO t VALUES (1, '[2024-01-01 00:00+00,)', '1 day 02:03:04', '\\x00ff', '{0.1}', '12:00+02')")
        pg.config(place, db, [{"name": "x", "table": "t"}])
        place.rivet("run", "-c", "rivet.yaml", code=0)
        first = place.manifests("x")[-1]["row_checksum"]
        for s in ("TimeZone='Asia/Kolkata'", "DateStyle='German'", "IntervalStyle='sql_standard'", "bytea_output='escape'",
                  "extra_float_digits=-10", "default_transaction_isolation='serializable'", "search_path=pg_catalog, public"):
            db.sql(f"ALTER DATABASE {db.name} SET {s}")
        place.rivet("run", "-c", "rivet.yaml", code=0)
        assert place.manifests("x")[-1]["row_checksum"] == first


def test_sql_ascii_text(place):
    with pg.database(encoding="SQL_ASCII") as db:
        db.conn.execute("SET client_encoding='SQL_ASCII'")
        db.sql(r"CREATE TABLE t (id integer PRIMARY KEY, v text)",
               r"INSERT INTO t VALUES (1, 'fine'), (2, E'bad \xe4'), (3, E'\xc3\xa4'), (4, E'\xff\xfe')")
        for policy, want in (("replace", ["fine", "bad \ufffd", "ä", "\ufffd\ufffd"]),
                             ("binary", [b"fine", b"bad \xe4", b"\xc3\xa4", b"\xff\xfe"])):
            pg.config(place, db, [{"name": policy, "table": "t", "on_invalid_utf8": policy}])
            r = place.rivet("run", "-c", "rivet.yaml", code=0)
            assert [x["v"] for x in place.dataset(policy)] == want, place.dataset(policy)
            if policy == "replace":
                pg.logged(r, r"\[WARN\].*'v'")
        pg.config(place, db, [{"name": "fail", "table": "t"}])
        r = place.rivet("run", "-c", "rivet.yaml", code=1)
        pg.logged(r, r"'v'")
        assert not place.manifests("fail")
