"""The type tables of MySQL and MariaDB, value by value: what the server's text protocol says through an
independent driver against what two foreign Parquet readers find in the file, and the CSV cells."""
import contextlib
import csv
import decimal
import json
import os
import re
import struct
import uuid

import my
from pymysql.converters import encoders
from values import both_readers, civil_days, integers, plain_float, scaled, seen, time_us

N65 = "9" * 65
# column, SQL type, literals, canonical type as rivet reports it, [override]
INTS = [("t1", "tinyint(1)", ["0", "1"], "bool"), ("bl", "boolean", ["true", "false"], "bool"), ("ti", "tinyint", ["-128", "127", "0"], "int16"),
        ("tu", "tinyint unsigned", ["0", "255"], "int16"), ("si", "smallint", ["-32768", "32767"], "int16"), ("su", "smallint unsigned", ["65535", "0"], "int32"),
        ("mi", "mediumint", ["-8388608", "8388607"], "int32"), ("mu", "mediumint unsigned", ["16777215", "0"], "int64"), ("i4", "int", ["-2147483648", "2147483647", "0"], "int32"),
        ("iu", "int unsigned", ["4294967295", "0"], "int64"), ("i8", "bigint", ["-9223372036854775808", "9223372036854775807", "-1"], "int64"),
        ("u8", "bigint unsigned", ["18446744073709551615", "0", "9223372036854775808"], "uint64"), ("zf", "int(8) zerofill", ["42", "4294967295"], "int64"),
        ("zb", "bigint(20) unsigned zerofill", ["7", "18446744073709551615"], "uint64"), ("yr", "year", ["1901", "2155", "0", "2024"], "int16")]
NUMBERS = [("f4", "float", ["0", "-0e0", "1.5", "3.4028234e38", "-1.17549435e-38", "1e-45", "16777216", "0.1"], "float32"),
           ("f8", "double", ["0", "-0e0", "1.7976931348623157e308", "2.2250738585072014e-308", "5e-324", "0.1", "1e21", "-123456789012345680"], "float64"),
           ("fu", "double unsigned", ["0", "1e-7"], "float64"), ("d1", "decimal(9,2)", ["9999999.99", "-9999999.99", "0", "0.01"], "decimal(9,2)"),
           ("d2", "decimal(18,6)", ["999999999999.999999", "-0.000001", "1"], "decimal(18,6)"), ("d3", "decimal(38,0)", ["9" * 38, "-" + "9" * 38, "10000"], "decimal(38,0)"),
           ("d4", "decimal(38,30)", ["9" * 8 + "." + "9" * 30, "-0." + "0" * 29 + "1"], "decimal(38,30)"), ("d5", "decimal(65,0)", [N65, "-" + N65, "0"], "decimal(65,0)"),
           ("d6", "decimal(65,30)", [N65[:35] + "." + N65[:30], "-1"], "decimal(65,30)"), ("d7", "decimal(10,2) unsigned", ["99999999.99", "0"], "decimal(10,2)"),
           ("d8", "decimal(5,5)", ["0.99999", "-0.00001"], "decimal(5,5)"), ("d9", "decimal(6,3) unsigned zerofill", ["1.5", "999.999"], "decimal(6,3)"),
           ("b1", "bit(1)", ["b'0'", "b'1'"], "bool"), ("b8", "bit(8)", ["b'10100101'", "b'0'"], "int64"), ("b63", "bit(63)", ["9223372036854775807", "0"], "int64"),
           ("b64", "bit(64)", ["18446744073709551615", "1"], "uint64"), ("b12", "bit(12)", ["b'100000000001'"], "int64")]
TIMES = [("da", "date", ["'1000-01-01'", "'9999-12-31'", "'1970-01-01'", "'1969-12-31'", "'2024-02-29'", "'0001-01-01'"], "date"),
         ("dt", "datetime", ["'1000-01-01 00:00:00'", "'9999-12-31 23:59:59'", "'1969-12-31 23:59:59'"], "timestamp"),
         ("d3m", "datetime(3)", ["'2024-02-29 12:34:56.789'"], "timestamp"),
         ("dt6", "datetime(6)", ["'1969-12-31 23:59:59.999999'", "'2024-02-29 12:34:56.000001'", "'0001-01-01 00:00:00'"], "timestamp"),
         ("ts", "timestamp NULL", ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "'2024-07-01 12:00:00'"], "timestamp_tz"),
         ("ts6", "timestamp(6) NULL", ["'1970-01-01 00:00:01.000001'", "'2038-01-19 03:14:07.999999'", "'2024-03-31 01:30:00.5'"], "timestamp_tz"),
         ("tm", "time", ["'00:00:00'", "'23:59:59'", "'12:34:56'"], "time"), ("tm6", "time(6)", ["'23:59:59.999999'", "'00:00:00.000001'", "'04:05:06.5'"], "time")]
ODD_TEXT = ["''", "'ünïcödé 漢字 🎉 e\u0301'", "'tab\\tnl\\ncr\\rq\"c,'", "'NULL'", "'\\\\N'", "'a\\0b'", "'  ab  '"]
TEXTS = [("c5", "char(5)", ["'ab'", "''", "'äöüäö'", "'ab  '"], "string"), ("vc", "varchar(40)", ODD_TEXT, "string"), ("tt", "tinytext", ODD_TEXT, "string"),
         ("tx", "text", ODD_TEXT, "string"), ("mt", "mediumtext", ["REPEAT('x', 1048576)", "'m'"], "string"), ("lt", "longtext", ["REPEAT('ü', 300000)", "''"], "string"),
         ("l1", "varchar(20) CHARACTER SET latin1", ["'äöü€'", "''"], "string"), ("cy", "varchar(20) CHARACTER SET cp1251", ["'Привет'"], "string"),
         ("gb", "varchar(20) CHARACTER SET gbk", ["'漢字\\\\'"], "string"), ("u3", "varchar(20) CHARACTER SET utf8mb3", ["'ü漢'"], "string"),
         ("u16", "varchar(20) CHARACTER SET utf16", ["'ü🎉'"], "string"), ("uc", "char(4) CHARACTER SET ucs2", ["'ü漢'"], "string"),
         ("sj", "varchar(20) CHARACTER SET sjis", ["'日本'"], "string"), ("asc", "varchar(20) CHARACTER SET ascii", ["'a\\'b'"], "string"),
         ("bi", "binary(4)", ["x'00ff'", "x'01020304'"], "binary"), ("vb", "varbinary(10)", ["''", "x'00ff10'"], "binary"), ("tb", "tinyblob", ["x'ff'"], "binary"),
         ("bb", "blob", ["REPEAT(x'00ff', 1000)", "''"], "binary"), ("mb", "mediumblob", ["x'00'"], "binary"), ("lb", "longblob", ["REPEAT(x'fe', 700000)"], "binary"),
         ("en", "enum('sad','o''k','größe','')", ["'sad'", "'o''k'", "'größe'", "''"], "enum"), ("el", "enum('ä','b') CHARACTER SET latin1", ["'ä'"], "enum"),
         ("se", "set('x','y','ü')", ["''", "'x'", "'x,ü'", "'ü,y,x'"], "enum"), ("js", "json", ["'{\"b\": 1, \"a\": [1, 2, null]}'", "'\"ü\"'", "'null'", "'12345678901234567890.10'"], "json"),
         ("pt", "point", ["ST_GeomFromText('POINT(1.5 -2)')", "ST_GeomFromText('POINT(1 2)', 4326)"], "binary"),
         ("po", "polygon", ["ST_GeomFromText('POLYGON((0 0,1 1,2 0,0 0))')"], "binary"), ("ge", "geometry", ["ST_GeomFromText('LINESTRING(0 0,1 1)')"], "binary")]
OF_MARIADB = [("t1u", "tinyint(1) unsigned", ["1", "0"], "bool"),
              ("uu", "uuid", ["'00000000-0000-0000-0000-000000000000'", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "'01234567-89ab-7def-8123-456789abcdef'"], "uuid"),
              ("i6", "inet6", ["'::1'", "'2001:db8::ff00:42:8329'", "'::ffff:1.2.3.4'"], "string"), ("ip", "inet4", ["'192.168.1.5'", "'0.0.0.0'"], "string"),
              ("lj", "longtext CHECK (json_valid(lj))", ["'{\"b\":1,  \"a\":[1]}'"], "json"), ("fk", "decimal(38,38)", ["0." + "9" * 38], "decimal(38,38)")]
OF_MYSQL = [("ve", "vector(3)", ["STRING_TO_VECTOR('[1,-2.5,3e10]')"], "binary")]


def columns_of(on):
    own = OF_MARIADB if on.startswith("mariadb") else [c for c in OF_MYSQL if on != "mysql-8.0"]
    return INTS + NUMBERS + TIMES + TEXTS + own


def make(db, columns):
    """One row per literal of the longest list, and one of NULLs."""
    db.sql("SET SESSION sql_mode = ''", "CREATE TABLE t (id integer PRIMARY KEY, " + ", ".join(f"`{c[0]}` {c[1]}" for c in columns) + ") ROW_FORMAT=DYNAMIC")
    rows = max(len(c[2]) for c in columns)
    for i in range(rows):
        db.sql(f"INSERT INTO t VALUES ({i}, {', '.join(c[2][i % len(c[2])] for c in columns)})")
    db.sql(f"INSERT INTO t (id, {', '.join(f'`{c[0]}`' for c in columns)}) VALUES ({rows}, {', '.join(['NULL'] * len(columns))})")


def texts(db, columns):
    """Columns by name as the texts (bytes of binary ones) that the server prints; numbers of one float are
    printed as the double they are."""
    with contextlib.closing(db.connect(conv=encoders)) as c, c.cursor() as cur:
        plainer = {"float": "{} * 1e0", "vector(3)": "CAST({} AS BINARY)"}
        cur.execute("SELECT " + ", ".join(plainer.get(c[1], "{}").format(f"`{c[0]}`") for c in columns) + " FROM t ORDER BY id")
        rows = cur.fetchall()
    return {c[0]: [r[i] for r in rows] for i, c in enumerate(columns)}


def date_days(text):
    return civil_days(*map(int, text.split("-")))


def wanted(kind, sql_type, text):
    """A server text in the form both readers are brought to."""
    if text is None:
        return None
    if sql_type.startswith("bit"):
        n = int.from_bytes(text, "big")
        return bool(n) if kind == "bool" else n
    if isinstance(text, bytes) and kind != "binary":
        text = text.decode()
    if kind == "bool":
        return text == "1"
    if "int" in kind:
        return int(text)
    if kind.startswith("float"):
        return struct.pack("<f" if kind == "float32" else "<d", float(text))
    if kind.startswith("decimal"):
        return scaled(text, int(kind[:-1].split(",")[1]))
    if kind == "date":
        return date_days(text)
    if kind == "time":
        return time_us(text)
    if kind.startswith("timestamp"):
        day, clock = text.split(" ")
        return date_days(day) * 86400000000 + time_us(clock)
    return uuid.UUID(text).bytes if kind == "uuid" else text


def check_values(db, path, columns):
    wrong, told = [], texts(db, columns)
    for reader, read in both_readers(path):
        for name, sql_type, _, kind, *_ in columns:
            if name not in read.column_names:
                continue
            want = [wanted(kind, sql_type, v) for v in told[name]]
            got = [seen(kind, v) for v in integers(read[name]).to_pylist()]
            if got != want:
                row = next((i for i, (g, w) in enumerate(zip(got, want)) if g != w), -1)
                wrong.append(f"{reader}: {name} {sql_type} row {row}: {str(got[row])[:120]!r}, want {str(want[row])[:120]!r}")
    assert not wrong, "\n".join(wrong)


def whole_table(place, on):
    with my.database(on) as db:
        columns = columns_of(on)
        make(db, columns)
        my.config(place, db, [{"name": "x", "table": "t"}, {"name": "q", "query": "SELECT * FROM t", "consistency": "statement"},
                              {"name": "w", "query": "SELECT DISTINCT * FROM t"}])
        place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
        sums = set()
        for name in ("x", "q", "w"):
            [part] = place.manifests(name)[-1]["parts"]
            check_values(db, place.path("out", part["path"]), columns)
            sums.add(place.manifests(name)[-1]["row_checksum"])
        assert len(sums) == 1, "the shapes of reading differ"
        r = place.rivet("check", "-c", "rivet.yaml", "-e", "x", "--type-report", "--json", code=0)
        told = {c["column"]: c["rivet_type"] for c in json.loads(r.out.splitlines()[0])["columns"]}
        want = {"id": "int32", **{c[0]: c[3] for c in columns}}
        assert told == want, [(k, v, told.get(k)) for k, v in want.items() if told.get(k) != v]


@my.both
def test_every_type(place, on):
    whole_table(place, on)


@my.extended
def test_every_type_of(place, on):
    whole_table(place, on)


test_every_type_of.long = True


def csv_cell(kind, sql_type, text):
    if text is None:
        return ""
    w = wanted(kind, sql_type, text)
    text = text.decode("latin1") if isinstance(text, bytes) else text
    if kind == "bool":
        return "true" if w else "false"
    if kind.startswith("float"):
        return plain_float(text, False)
    if kind.startswith("decimal"):
        return format(decimal.Decimal(text).quantize(decimal.Decimal(1).scaleb(-int(kind[:-1].split(",")[1]))), "f")
    if kind == "date":
        return text
    if kind.startswith("timestamp") or kind == "time":
        whole, _, frac = text.replace(" ", "T").partition(".")
        return f"{whole}.{frac.ljust(6, '0')}" + ("Z" if kind == "timestamp_tz" else "")
    if kind == "binary":
        return w.hex()
    return str(uuid.UUID(bytes=w)) if kind == "uuid" else str(w)


@my.both
def test_csv_cells(place, on):
    with my.database(on) as db:
        columns = [c for c in columns_of(on) if c[3] != "float32"]
        make(db, columns)
        my.config(place, db, [{"name": "x", "table": "t", "format": "csv"}])
        place.rivet("run", "-c", "rivet.yaml", code=0)
        [part] = place.manifests("x")[-1]["parts"]
        with open(place.path("out", part["path"]), newline="", encoding="utf-8") as f:
            csv.field_size_limit(1 << 24)
            got = list(csv.DictReader(f))
        told, wrong = texts(db, columns), []
        for i, row in enumerate(got):
            for name, sql_type, _, kind, *_ in columns:
                want = csv_cell(kind, sql_type, told[name][i])
                if row[name] != want:
                    wrong.append(f"{name} {sql_type} row {i}: {row[name][:100]!r}, want {want[:100]!r}")
        assert len(got) == len(told["t1"]) and not wrong, "\n".join(wrong)


REFUSED = [  # SQL type, literal, override, text of the error
    ("tinyint(1)", "2", None, r"columns: \{v: int2\}"), ("tinyint(1)", "-1", None, r"columns: \{v: int2\}"), ("time", "'24:00:00'", None, r"columns: \{v: text\}"),
    ("time", "'838:59:59'", None, r"columns: \{v: text\}"), ("time(6)", "'-00:00:00.000001'", None, r"columns: \{v: text\}"),
    ("decimal(10,3)", "1.234", "decimal(10,1)", "column 'v'"), ("int", "40000", "int2", "column 'v'"), ("bigint unsigned", "9223372036854775808", "int8", "column 'v'"),
    ("varchar(36)", "'no uuid'", "uuid", "column 'v'"), ("varchar(20)", "'12x'", "int8", "column 'v'"), ("binary(15)", "x'00'", "uuid", "column 'v'"),
    ("decimal(12,2)", "1000000000.00", "decimal(10,2)", "column 'v'"), ("varchar(20)", "'1e400'", "decimal(20,2)", "column 'v'")]


@my.both
def test_values_that_do_not_fit_are_refused(place, on):
    with my.database(on) as db:
        exports = []
        for i, (sql_type, literal, override, _) in enumerate(REFUSED):
            db.sql(f"CREATE TABLE r{i} (id integer PRIMARY KEY, v {sql_type})", f"INSERT INTO r{i} VALUES (1, {literal})")
            exports.append({"name": f"r{i}", "table": f"r{i}", "columns": {"v": override} if override else None})
        my.config(place, db, exports)
        wrong = []
        for i, (sql_type, literal, override, text) in enumerate(REFUSED):
            r = place.rivet("run", "-c", "rivet.yaml", "-e", f"r{i}")
            if r.code != 1 or not re.search(text, r.err) or place.manifests(f"r{i}"):
                wrong.append((sql_type, literal, override, r.code, r.err[-300:]))
        assert not wrong, "\n".join(map(str, wrong))


OVERRIDES = [  # SQL type, literals, override, values in the file
    ("time(1)", ["'838:59:59.0'", "'-00:00:01.5'", "'24:00:00'"], "text", ["838:59:59.0", "-00:00:01.5", "24:00:00.0"]),
    ("tinyint(1)", ["-128", "127", "2"], "int2", [-128, 127, 2]), ("bigint unsigned", ["18446744073709551615", "0"], "decimal(20,0)", [decimal.Decimal(2**64 - 1), decimal.Decimal(0)]),
    ("char(36)", ["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"], "uuid", [uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]),
    ("binary(16)", ["x'a0eebc999c0b4ef8bb6d6bb9bd380a11'"], "uuid", [uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]),
    ("date", ["'0000-00-00'", "'2024-00-00'", "'2024-02-30'"], "text", ["0000-00-00", "2024-00-00", "2024-02-30"]), ("datetime", ["'0000-00-00 00:00:00'"], "text", ["0000-00-00 00:00:00"]),
    ("timestamp NULL", ["'0000-00-00 00:00:00'"], "text", ["0000-00-00 00:00:00"]), ("int unsigned", ["4294967295"], "text", ["4294967295"]), ("varchar(20)", ["'12'", "'-7'"], "int8", [12, -7]),
    ("varchar(20)", ["'1.50'"], "decimal(10,2)", [decimal.Decimal("1.50")]), ("int", ["7"], "int2", [7]), ("decimal(10,3)", ["1.500"], "decimal(10,1)", [decimal.Decimal("1.5")]),
    ("decimal(65,30)", ["-1." + "0" * 29 + "1"], "text", ["-1." + "0" * 29 + "1"]), ("varchar(50)", ["'{\"a\":1}'"], "json", ['{"a":1}']), ("int", ["5"], "bigint", [5]), ("json", ["'[1,2]'"], "text", None),
    ("double", ["0.1", "1e21"], "text", ["0.1", "1000000000000000000000.0"]), ("year", ["0", "2024"], "text", ["0000", "2024"]), ("enum('a','b')", ["'b'"], "text", ["b"]), ("varchar(9)", ["'ü'"], "binary", ["ü".encode()])]


@my.both
def test_overrides_keep_the_value(place, on):
    with my.database(on) as db:
        exports = []
        db.sql("SET SESSION sql_mode = 'ALLOW_INVALID_DATES'")
        for i, (sql_type, literals, override, _) in enumerate(OVERRIDES):
            db.sql(f"CREATE TABLE o{i} (id integer PRIMARY KEY, v {sql_type})", *[f"INSERT INTO o{i} VALUES ({n}, {v})" for n, v in enumerate(literals)])
            exports.append({"name": f"o{i}", "table": f"o{i}", "columns": {"v": override}})
        my.config(place, db, exports)
        place.rivet("run", "-c", "rivet.yaml")
        wrong = []
        for i, (sql_type, literals, override, want) in enumerate(OVERRIDES):
            got = [r["v"] for r in sorted(place.dataset(f"o{i}"), key=lambda r: r["id"])]
            if want is None:
                want = [str(r["v"]) for r in db.rows(f"SELECT CAST(v AS CHAR) AS v FROM o{i} ORDER BY id")]
            if [uuid.UUID(bytes=v) if override == "uuid" and isinstance(v, bytes) else v for v in got] != want:
                wrong.append((sql_type, override, got, "want", want))
        assert not wrong, "\n".join(map(str, wrong))


ZEROS = [("d", "date", ["'0000-00-00'", "'2024-00-10'", "'2024-05-00'", "'2024-05-01'"], 3), ("dt", "datetime(6)", ["'0000-00-00'", "'2024-01-01'", "'2024-00-01 10:00:00.5'", "'2024-05-01'"], 2),
         ("ts", "timestamp NULL", ["'0000-00-00 00:00:00'", "'2024-01-01'", "'2024-01-02'", "'2024-05-01'"], 1)]


@my.both
def test_zero_dates(place, on):
    with my.database(on) as db:
        db.sql("SET SESSION sql_mode = ''", "CREATE TABLE t (id integer PRIMARY KEY, " + ", ".join(f"{c[0]} {c[1]}" for c in ZEROS) + ")",
               *[f"INSERT INTO t VALUES ({i}, {', '.join(c[2][i] for c in ZEROS)})" for i in range(4)])
        for shape in ({"table": "t"}, {"query": "SELECT DISTINCT * FROM t"}, {"table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 2}):
            my.config(place, db, [{"name": "x", **shape}, {"name": "f", "zero_date": "fail", **shape}])
            r = place.rivet("run", "-c", "rivet.yaml", "-e", "x", code=0)
            rows = place.dataset("x")
            for name, _, _, count in ZEROS:
                assert sum(row[name] is None for row in rows) == count, (name, rows)
                warned = [line for line in r.err.splitlines() if "[WARN]" in line and f"'{name}'" in line]
                assert len(warned) == 1 and re.search(rf"\b{count}\b", warned[0]), (shape, name, r.err)
            with open(place.path(".rivet", "runs", place.manifests("x")[-1]["run_id"], "summary.json"), encoding="utf-8") as f:
                assert json.load(f)["replaced_values"] == {c[0]: c[3] for c in ZEROS}
            r = place.rivet("run", "-c", "rivet.yaml", "-e", "f", code=1)
            assert re.search(r"column '(d|dt|ts)'", r.err) and not place.manifests("f"), r


@my.both
def test_enum_index_zero_is_the_empty_text(place, on):
    with my.database(on) as db:
        db.sql("SET SESSION sql_mode = ''", "CREATE TABLE t (id integer PRIMARY KEY, v enum('a','b'), w set('x','y'))", "INSERT INTO t VALUES (1, 'no such', 'x,no such'), (2, 'b', ''), (3, NULL, NULL)")
        my.config(place, db, [{"name": "x", "table": "t"}])
        place.rivet("run", "-c", "rivet.yaml", code=0)
        assert [(r["v"], r["w"]) for r in sorted(place.dataset("x"), key=lambda r: r["id"])] == [("", "x"), ("b", ""), (None, None)]


def broken_text(db, charset):
    """A table whose text column holds bytes that are none: the file of one is put under another."""
    db.sql(f"CREATE TABLE raw (id integer PRIMARY KEY, v varbinary(60)) ENGINE=MyISAM", "INSERT INTO raw VALUES (1, 'good'), (2, x'6162ff63'), (3, x'c3'), (4, 'end')",
           f"CREATE TABLE t (id integer PRIMARY KEY, v varchar({60 // (4 if charset == 'utf8mb4' else 3)}) CHARACTER SET {charset}) ENGINE=MyISAM", "FLUSH TABLES")
    folder = os.path.join(db.one("SELECT @@datadir"), db.name)
    for end in ("MYD", "MYI"):
        with open(os.path.join(folder, f"raw.{end}"), "rb") as f, open(os.path.join(folder, f"t.{end}"), "r+b") as g:
            g.truncate()
            g.write(f.read())
    db.sql("FLUSH TABLES")
    assert db.one("SELECT HEX(v) FROM t WHERE id = 2") == "6162FF63"


@my.both
def test_broken_text(place, on):
    """Bytes that are no text of their character set are refused by name, replaced with a count, or kept as binary; never changed in silence."""
    wrong = []
    for charset in ("utf8mb4", "utf8mb3"):
        with my.database(on) as db:
            broken_text(db, charset)
            for shape in ({"table": "t"}, {"query": "SELECT DISTINCT id, v FROM t"}):
                sub = type(place)()
                try:
                    my.config(sub, db, [{"name": n, "on_invalid_utf8": n, **shape} for n in ("fail", "replace", "binary")])
                    r = sub.rivet("run", "-c", "rivet.yaml", "-e", "fail")
                    if r.code != 1 or "column 'v'" not in r.err:
                        wrong.append((charset, shape, "fail", r.code, r.err[-200:], sub.dataset("fail")))
                    r = sub.rivet("run", "-c", "rivet.yaml", "-e", "replace")
                    got = {x["id"]: x["v"] for x in sub.dataset("replace")}
                    if r.code or got.get(2) != "ab\ufffdc" or "[WARN]" not in r.err:
                        wrong.append((charset, shape, "replace", r.code, got, r.err[-200:]))
                    r = sub.rivet("run", "-c", "rivet.yaml", "-e", "binary")
                    got = {x["id"]: x["v"] for x in sub.dataset("binary")}
                    if r.code or got.get(2) != b"ab\xffc":
                        wrong.append((charset, shape, "binary", r.code, got, r.err[-200:]))
                finally:
                    sub.close()
    assert not wrong, "\n".join(map(str, wrong))


@my.both
def test_value_too_large(place, on):
    with my.database(on) as db:
        db.sql("CREATE TABLE t (id integer PRIMARY KEY, body longtext)", "INSERT INTO t VALUES (1, 'x'), (2, REPEAT('y', 2500000))")
        my.config(place, db, [{"name": "x", "table": "t"}], tuning={"max_value_mb": 2})
        r = place.rivet("run", "-c", "rivet.yaml", code=1)
        my.logged(r, r"RIVET_VALUE_TOO_LARGE: column 'body': one cell is 2\.4 MB, limit 2 MB \(tuning\.max_value_mb\)")
        my.config(place, db, [{"name": "x", "table": "t"}])
        place.rivet("run", "-c", "rivet.yaml", code=0)
        assert {len(r["body"]) for r in place.dataset("x")} == {1, 2500000}
