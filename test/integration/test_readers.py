"""Every type SQLite can give, through every codec and encoding, as foreign readers see it.

The expected values come from Python's own sqlite3 driver and Python's own datetime, decimal and
uuid; the program is not asked for anything but its files."""
import contextlib
import datetime
import decimal
import io
import json
import os
import random
import shutil
import struct
import subprocess
import threading
import uuid

import duckdb
import polars
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from lib import Skip

D = decimal.Decimal
CTX = decimal.Context(prec=120)
INTEROP = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "interop")
EPOCH = datetime.datetime(1970, 1, 1)
ROWS = 2500
CODECS = [("zstd", 1), ("zstd", 3), ("zstd", 19), ("snappy", None), ("gzip", 0), ("gzip", 6), ("gzip", 10),
          ("lz4", None), ("none", None)]
ENCODINGS = ["auto", "compatible", "small"]


# --- what a stored SQLite value means, by canonical type ------------------------------------------

def micros(text):
    """An ISO text as microseconds since 1970, by Python's own parser."""
    at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if at.tzinfo:
        at = at.replace(tzinfo=None) - at.utcoffset()
    return (at - EPOCH) // datetime.timedelta(microseconds=1)


def nanos(text):
    whole, _, frac = text.partition(".")
    return micros(whole) * 1000 + int(frac.ljust(9, "0") or 0)


def day(text):
    return (datetime.date.fromisoformat(text) - datetime.date(1970, 1, 1)).days


def clock(text):
    t = datetime.time.fromisoformat(text)
    return ((t.hour * 60 + t.minute) * 60 + t.second) * 1000000 + t.microsecond


def unscaled(v, scale):
    d = D(repr(v)) if isinstance(v, float) else D(v)
    shifted = d.scaleb(scale, CTX)
    assert shifted == shifted.to_integral_value(context=CTX), (v, scale)
    return int(shifted)


def julian(v):
    return round((v - 2440587.5) * 86400000) * 1000


def any_text(v):
    return v.hex() if isinstance(v, bytes) else str(v)


def meaning(kind, v):
    """Physical meaning: ints for everything numeric or temporal, else str, bytes, float, bool."""
    if v is None:
        return None
    if kind == "bool":
        return bool(v)
    if kind == "date":
        return day(v)
    if kind == "time":
        return clock(v)
    if kind.endswith("_ns"):
        return nanos(v)
    if kind.startswith("timestamp"):
        return micros(v) if isinstance(v, str) else v * 1000000 if isinstance(v, int) else julian(v)
    if kind.startswith("decimal"):
        return unscaled(v, int(kind.rstrip(")").split(",")[1]))
    if kind == "uuid":
        return v if isinstance(v, bytes) else uuid.UUID(v).bytes
    if kind.startswith("float"):
        return float(v)
    if kind.startswith("int"):
        return int(v)
    return any_text(v) if kind == "string" else v


# --- the table ------------------------------------------------------------------------------------

rnd = random.Random(20260502)
INTS = [0, 1, -1, 2**63 - 1, -2**63, 2**31, -2**31 - 1]
STRINGS = ["", "a", "\0", "nul \0 inside", "😀", "😀" * 40, "naïve Ünïcode ß", "tab\tquote\"comma,line\nend\r\n",
           "NULL", "\u2028", "x" * 5000, "\U0010ffff", "e\u0301"]
STAMPS = ["1970-01-01 00:00:00", "1969-12-31 23:59:59.999999", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999",
          "1900-02-28T12:00:00.5", "2024-02-29 12:34:56.789012", "2024-03-10T01:02:03Z", "2024-03-10 01:02:03+05:30",
          "2024-03-10T01:02:03.25-11:00"]
NSTAMPS = ["1970-01-01 00:00:00.000000001", "1969-12-31 23:59:59.999999999", "1677-09-22 00:00:00.123456789",
           "2262-04-11 00:00:00.987654321", "2024-02-29 12:34:56.789012345", "2024-02-29 12:34:56"]
DAYS = ["1970-01-01", "1969-12-31", "0001-01-01", "9999-12-31", "2024-02-29", "1900-03-01"]
TIMES = ["00:00:00", "23:59:59.999999", "12:34:56", "12:34:56.7", "00:00:00.000001"]
UUIDS = ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
         "01234567-89ab-cdef-0123-456789abcdef", "01234567-89AB-CDEF-0123-456789ABCDEF"]


def digits(n):
    return "".join(rnd.choice("0123456789") for _ in range(n))


def exact(p, s):
    """A random decimal text of at most p digits, s of them behind the point."""
    whole = digits(rnd.randint(1, p - s)) if p > s else "0"
    return rnd.choice(["", "-"]) + whole + ("." + digits(s) if s else "")


def extreme(p, s):
    big = "9" * p if not s else ("9" * (p - s) or "0") + "." + "9" * s
    small = "0" if not s else "0." + "0" * (s - 1) + "1"
    return [big, "-" + big, small, "-" + small, "0"]


def f32(v):
    return struct.unpack("<f", struct.pack("<f", v))[0]


def stamp():
    return str(EPOCH + datetime.timedelta(microseconds=rnd.randint(-10**16, 10**16)))


# name, declared type, override, canonical kind, edge values, generator
COLUMNS = [
    ("b", "BOOLEAN", None, "bool", [0, 1], lambda: rnd.getrandbits(1)),
    ("b2", "bool", None, "bool", [1], lambda: int(rnd.random() < 0.001)),
    ("i", "INTEGER", None, "int64", INTS, lambda: rnd.randint(-10**6, 10**6)),
    ("i_big", "BIGINT", None, "int64", INTS, lambda: rnd.randint(-2**63, 2**63 - 1)),
    ("i_point", "POINT", None, "int64", INTS, lambda: 7),
    ("i16", "INTEGER", "smallint", "int16", [0, 32767, -32768], lambda: rnd.randint(-32768, 32767)),
    ("i32", "INT", "int4", "int32", [0, 2**31 - 1, -2**31], lambda: rnd.randint(-2**31, 2**31 - 1)),
    ("i_text", "TEXT", "bigint", "int64", ["0", "-1", str(2**63 - 1), str(-2**63)], lambda: str(rnd.randint(0, 99))),
    ("f", "REAL", None, "float64",
     [0.0, -0.0, float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308, -1.5, 0.1, 2.0**53, -2.0**53],
     lambda: rnd.uniform(-1, 1) * 10 ** rnd.randint(-30, 30)),
    ("f_int", "DOUBLE PRECISION", None, "float64", [0, 2**53, -2**53], lambda: rnd.randint(0, 10**6)),
    ("f_raw", "", None, "float64", [-0.0, 1, float("inf")], lambda: round(rnd.uniform(0, 1000), 2)),
    ("f32", "FLOAT", "real", "float32", [0.0, f32(0.1), float("inf"), float("-inf"), f32(3.4028234663852886e38), f32(1e-45)],
     lambda: f32(rnd.uniform(-1000, 1000))),
    ("d9", "DECIMAL(9,2)", None, "decimal(9,2)", ["9999999.99", "-9999999.99", "0.01", "0", 1.5, 7],
     lambda: exact(7, 2)),
    ("d15", "NUMERIC(15, 4)", None, "decimal(15,4)", ["99999999999.9999", "-99999999999.9999", "0.0001"],
     lambda: exact(13, 4)),
    ("d18", "TEXT", "decimal(18,0)", "decimal(18,0)", extreme(18, 0), lambda: exact(18, 0)),
    ("d20", "TEXT", "decimal(20,20)", "decimal(20,20)", extreme(20, 20), lambda: exact(20, 20)),
    ("d38", "TEXT", "numeric(38,10)", "decimal(38,10)", extreme(38, 10), lambda: exact(38, 10)),
    ("d50", "TEXT", "decimal(50,10)", "decimal(50,10)", extreme(50, 10), lambda: exact(50, 10)),
    ("d76", "TEXT", "decimal(76,0)", "decimal(76,0)", extreme(76, 0), lambda: exact(76, 0)),
    ("d_int", "INTEGER", "decimal(19,0)", "decimal(19,0)", INTS, lambda: rnd.randint(-2**63, 2**63 - 1)),
    ("date", "DATE", None, "date", DAYS, lambda: stamp()[:10]),
    ("time", "TIME", None, "time", TIMES, lambda: str(datetime.time(rnd.randint(0, 23), rnd.randint(0, 59), 0, rnd.randint(0, 999999)))),
    ("ts", "TIMESTAMP", None, "timestamp", STAMPS, stamp),
    ("ts2", "datetime", None, "timestamp", ["2024-01-01 00:00:00"], lambda: "2024-01-01 00:00:%02d" % rnd.randint(0, 59)),
    ("ts_unix", "DATETIME", None, "timestamp", [0, -1, 253402300799, -62135596800], lambda: rnd.randint(0, 2**31)),
    ("ts_julian", "TIMESTAMP", None, "timestamp", [2440587.5, 2451544.5, 2440586.25, 1721425.5], lambda: 2440587.5 + rnd.randint(0, 40000)),
    ("ts_text", "TEXT", "timestamp", "timestamp", STAMPS, stamp),
    ("tstz", "TIMESTAMP", "timestamptz", "timestamp_tz", STAMPS, stamp),
    ("ts_ns", "TEXT", "timestamp_ns", "timestamp_ns", NSTAMPS, lambda: "2024-02-29 12:34:56." + digits(9)),
    ("tstz_ns", "TEXT", "timestamp_tz_ns", "timestamp_tz_ns", NSTAMPS, lambda: "1969-12-31 12:34:56." + digits(9)),
    ("s", "VARCHAR(20)", None, "string", STRINGS, lambda: f"customer-{rnd.randint(0, 10**9)}@example.org"),
    ("s_few", "CLOB", None, "string", ["", "neu"], lambda: rnd.choice(["neu", "bezahlt", "versandt 📦", "storniert"])),
    ("s_any", "INTEGER", "text", "string", [1, "n/a", b"\x00\xff", -2**63, ""], lambda: rnd.choice([5, "x", b"\xca\xfe"])),
    ("bin", "BLOB", None, "binary", [b"", b"\0", bytes(range(256)), b"\xff" * 1000], lambda: rnd.randbytes(rnd.randint(0, 40))),
    ("j", "JSON", None, "json", ['{}', '{"a": [1, 2.50, null]}', '[]', 'null', '"😀"', ' {"sp":  1}'], lambda: json.dumps({"n": rnd.randint(0, 999)})),
    ("j_text", "TEXT", "jsonb", "json", ['{"k":"v"}'], lambda: '{"k":%d}' % rnd.randint(0, 9)),
    ("u", "UUID", None, "uuid", UUIDS, lambda: str(uuid.UUID(bytes=rnd.randbytes(16)))),
    ("u_blob", "BLOB", "uuid", "uuid", [uuid.UUID(UUIDS[2]).bytes, bytes(16)], lambda: rnd.randbytes(16)),
    ("u_text", "TEXT", "uuid", "uuid", UUIDS, lambda: str(uuid.UUID(bytes=rnd.randbytes(16)))),
    ("all_null", "TEXT", None, "string", [None], lambda: None),
]
OVERRIDES = {name: over for name, _, over, _, _, _ in COLUMNS if over}


def arrow_type(kind):
    if kind.startswith("decimal"):
        p, s = map(int, kind[8:-1].split(","))
        return pa.decimal128(p, s) if p <= 38 else pa.decimal256(p, s)
    return {"bool": pa.bool_(), "int16": pa.int16(), "int32": pa.int32(), "int64": pa.int64(), "float32": pa.float32(),
            "float64": pa.float64(), "date": pa.date32(), "time": pa.time64("us"), "timestamp": pa.timestamp("us"),
            "timestamp_tz": pa.timestamp("us", "UTC"), "timestamp_ns": pa.timestamp("ns"),
            "timestamp_tz_ns": pa.timestamp("ns", "UTC"), "string": pa.string(), "json": pa.string(),
            "binary": pa.binary(), "uuid": pa.binary(16)}[kind]


def column(kind, values):
    t = arrow_type(kind)
    if kind.startswith("decimal"):
        scale = t.scale
        return pa.array([None if v is None else D(v).scaleb(-scale, CTX) for v in values], t)
    if kind == "date":
        return pa.array(values, pa.int32()).cast(t)
    if kind.startswith("time"):
        return pa.array(values, pa.int64()).cast(t)
    return pa.array(values, t)


class Expected:
    def __init__(self, conn):
        cur = conn.execute("SELECT * FROM t ORDER BY id")
        self.rows = cur.fetchall()
        self.kinds = {"id": "int64", **{c[0]: c[3] for c in COLUMNS}}
        self.meant = {}
        for k, (name, kind) in enumerate(self.kinds.items()):
            self.meant[name] = [meaning(kind, r[k]) for r in self.rows]
        self.arrow = {name: column(kind, self.meant[name]) for name, kind in self.kinds.items()}


def value(c, i):
    """Every edge value twice, with NULLs between, then random ones."""
    if i < len(c[4]) * 2:
        return c[4][i % len(c[4])] if i % 2 == 0 or i >= len(c[4]) else None
    return None if rnd.random() < 0.1 else c[5]()


made_rows, rows_lock = [], threading.Lock()


def make(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, " + ", ".join(f'"{c[0]}" {c[1]}' for c in COLUMNS) + ")")

    with rows_lock:  # tests run in threads and `rnd` is one
        if not made_rows:
            rnd.seed(7)
            made_rows.extend((i + 1, *(value(c, i) for c in COLUMNS)) for i in range(ROWS))
    conn.executemany(f"INSERT INTO t VALUES ({','.join('?' * (len(COLUMNS) + 1))})", made_rows)
    conn.commit()
    return conn


# --- comparing ------------------------------------------------------------------------------------

def bits(a):
    """Floats as their bit patterns, so that -0.0 is not 0.0."""
    if pa.types.is_float64(a.type):
        return a.view(pa.int64())
    return a.view(pa.int32()) if pa.types.is_float32(a.type) else a


def one_chunk(col):
    col = col.combine_chunks() if isinstance(col, pa.ChunkedArray) else col
    if isinstance(col, pa.ChunkedArray):
        col = pa.concat_arrays(col.chunks) if col.num_chunks else pa.array([], col.type)
    if isinstance(col, pa.ExtensionArray):
        col = col.storage
    if isinstance(col, pa.DictionaryArray):
        col = col.dictionary_decode()
    return col


def plain_text(kind, v):
    """The CSV form, which `compatible` writes for time and uuid."""
    if v is None:
        return None
    if kind == "uuid":
        return str(uuid.UUID(bytes=v))
    s, us = divmod(v, 1000000)
    return "%02d:%02d:%02d.%06d" % (s // 3600, s // 60 % 60, s % 60, us)


def assert_column(where, name, want, got, cast=True):
    if cast and got.type != want.type:
        got = got.cast(want.type)
    want, got = bits(want), bits(got)
    if got.equals(want):
        return
    assert len(got) == len(want), f"{where}: {name}: {len(got)} values, want {len(want)}"
    for i, (g, w) in enumerate(zip(got.to_pylist(), want.to_pylist())):
        assert g == w, f"{where}: column {name}, row {i}: {g!r}, want {w!r}"
    raise AssertionError(f"{where}: column {name} differs in type: {got.type}, want {want.type}")


def wanted(exp, name, encoding):
    kind = exp.kinds[name]
    if encoding == "compatible" and kind in ("time", "uuid"):
        return pa.array([plain_text(kind, v) for v in exp.meant[name]], pa.string())
    return exp.arrow[name]


LOGICAL = {"int16": ("INT32", ("INT",)), "int32": ("INT32", ("INT", "NONE")), "int64": ("INT64", ("NONE", "INT")),
           "bool": ("BOOLEAN", ("NONE",)), "float32": ("FLOAT", ("NONE",)), "float64": ("DOUBLE", ("NONE",)),
           "date": ("INT32", ("DATE",)), "time": ("INT64", ("TIME",)), "timestamp": ("INT64", ("TIMESTAMP",)),
           "timestamp_tz": ("INT64", ("TIMESTAMP",)), "timestamp_ns": ("INT64", ("TIMESTAMP",)),
           "timestamp_tz_ns": ("INT64", ("TIMESTAMP",)), "string": ("BYTE_ARRAY", ("STRING",)),
           "json": ("BYTE_ARRAY", ("JSON",)), "binary": ("BYTE_ARRAY", ("NONE",)), "uuid": ("FIXED_LEN_BYTE_ARRAY", ("UUID",))}


def assert_schema(where, pf, exp, encoding):
    assert [c.name for c in (pf.schema.column(i) for i in range(len(pf.schema)))] == list(exp.kinds)
    keys = pf.metadata.metadata
    types = json.loads(keys[b"rivet.types"])
    for i, (name, kind) in enumerate(exp.kinds.items()):
        c = pf.schema.column(i)
        if kind.startswith("decimal"):
            p = arrow_type(kind).precision
            physical, logical = "INT32" if p <= 9 else "INT64" if p <= 18 else "FIXED_LEN_BYTE_ARRAY", ("DECIMAL",)
            note = json.loads(c.logical_type.to_json())
            assert (note["precision"], note["scale"]) == (p, arrow_type(kind).scale), (where, name, note)
        elif encoding == "compatible" and kind in ("time", "uuid", "json"):
            physical, logical = "BYTE_ARRAY", ("STRING",)
        else:
            physical, logical = LOGICAL[kind]
        assert c.physical_type == physical and c.logical_type.type in logical, f"{where}: {name}: {c}"
        if logical[0] in ("TIME", "TIMESTAMP"):
            note = json.loads(c.logical_type.to_json())
            assert note["isAdjustedToUTC"] is ("_tz" in kind), f"{where}: {name}: {note}"
            assert note["timeUnit"] == ("nanoseconds" if kind.endswith("_ns") else "microseconds"), f"{where}: {name}: {note}"
        assert c.max_definition_level == 1, f"{where}: {name} is not OPTIONAL"
        assert types[name] == kind, f"{where}: rivet.types of {name} is {types[name]}, want {kind}"
    for key in (b"rivet.source_types", b"rivet.fidelity", b"rivet.source_nullable", b"rivet.checksum"):
        assert key in keys, f"{where}: footer key {key} is missing"
    assert b"ARROW:schema" not in keys


def assert_pyarrow(where, path, exp, encoding):
    pf = pq.ParquetFile(path, page_checksum_verification=True)
    assert_schema(where, pf, exp, encoding)
    t = pf.read().sort_by("id")
    for name in exp.kinds:
        want = wanted(exp, name, encoding)
        got = one_chunk(t[name])
        assert got.type == want.type, f"{where}: pyarrow sees {name} as {got.type}, want {want.type}"
        assert_column(where + " (pyarrow)", name, want, got)


def assert_duckdb(where, path, exp, encoding):
    con = duckdb.connect()
    t = con.sql(f"SELECT * FROM read_parquet('{path}') ORDER BY id").to_arrow_table()
    for name, kind in exp.kinds.items():
        want, got = wanted(exp, name, encoding), one_chunk(t[name])
        if kind.startswith("decimal") and arrow_type(kind).precision > 38:
            continue  # DuckDB turns these into DOUBLE
        if kind == "uuid" and encoding != "compatible":
            want = pa.array([None if v is None else str(uuid.UUID(bytes=v)) for v in exp.meant[name]])
            got = one_chunk(con.sql(f"SELECT \"{name}\"::VARCHAR AS v FROM read_parquet('{path}') ORDER BY id")
                            .to_arrow_table()["v"])
        if pa.types.is_timestamp(want.type) and got.type.tz:
            want, got = want.cast(pa.timestamp(want.type.unit, "UTC")), got.cast(pa.timestamp(got.type.unit, "UTC"))
        if kind == "timestamp_tz_ns" and pa.types.is_timestamp(got.type) and got.type.unit == "us":
            want = want.cast(got.type, safe=False)  # DuckDB has no nanoseconds with a zone
            got = got.cast(pa.int64())
            want = pa.array([None if v is None else v // 1000 for v in exp.meant[name]], pa.int64())
        assert_column(where + " (duckdb)", name, want, got)
    con.close()


def assert_polars(where, path, exp, encoding):
    names = [n for n, k in exp.kinds.items() if not (k.startswith("decimal") and arrow_type(k).precision > 38)]
    t = polars.read_parquet(path, columns=names).sort("id").to_arrow()
    for name in names:
        assert_column(where + " (polars)", name, wanted(exp, name, encoding), one_chunk(t[name]))


npm_lock = threading.Lock()


def node_ready():
    with npm_lock:
        if not shutil.which("node") or not shutil.which("npm"):
            raise Skip("node and npm are not installed: hyparquet and parquet-wasm not run")
        if not os.path.isdir(os.path.join(INTEROP, "node_modules", "parquet-wasm")):
            done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"], cwd=INTEROP,
                                  capture_output=True, text=True, timeout=240, check=False)
            if done.returncode:
                raise Skip("npm could not install hyparquet and parquet-wasm: " + done.stderr.strip()[-200:])


def node(*args):
    done = subprocess.run(["node", os.path.join(INTEROP, args[0]), *args[1:]], capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout


def assert_hyparquet(where, path, exp, encoding):
    seen = json.loads(node("hyparquet.mjs", path))
    order = sorted(range(seen["rows"]), key=lambda i: int(seen["columns"]["id"][i]))
    for spec in seen["schema"]:
        name, kind = spec["name"], exp.kinds[spec["name"]]
        want = exp.meant[name]
        if encoding == "compatible" and kind in ("time", "uuid"):
            want = [plain_text(kind, v) for v in want]
        for i, w in zip(order, want):
            g = seen["columns"][name][i]
            if g is not None and spec["type"] in ("FLOAT", "DOUBLE"):
                w = struct.pack(">d", f32(w) if kind == "float32" else w).hex()
            elif g is not None and spec["type"] in ("INT32", "INT64"):
                g = int(g)
            elif g is not None and kind.startswith("decimal"):
                g = int.from_bytes(bytes.fromhex(g), "big", signed=True)
            elif g is not None and spec["type"] != "BOOLEAN":
                g, w = bytes.fromhex(g), w.encode() if isinstance(w, str) else w
            assert g == w, f"{where} (hyparquet): column {name}, id {i + 1}: {g!r}, want {w!r}"


def assert_wasm(where, path, exp, encoding):
    node("parquet_wasm.mjs", path, path + ".arrow")
    t = pa.ipc.open_stream(path + ".arrow").read_all().sort_by("id")
    for name in exp.kinds:
        assert_column(where + " (parquet-wasm)", name, wanted(exp, name, encoding), one_chunk(t[name]))


# --- the tests ------------------------------------------------------------------------------------

def variant(name, encoding, codec, level):
    x = {"name": name, "table": "t", "compression": codec, "columns": OVERRIDES, "parquet": {"encoding": encoding},
         "destination": {"type": "local", "path": f"./out/{name}"}}
    if level is not None:
        x["compression_level"] = level
    return x


def export_all(place, encoding, codecs=CODECS):
    conn = make(place)
    exp = Expected(conn)
    names = {f"{encoding}_{c}{'' if lv is None else lv}": (c, lv) for c, lv in codecs}
    place.config([variant(n, encoding, c, lv) for n, (c, lv) in names.items()])
    place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
    files = {}
    for n, (c, lv) in names.items():
        parts = place.manifests(n, f"out/{n}")[-1]["parts"]
        assert len(parts) == 1, parts
        files[n] = place.path("out", n, parts[0]["path"])
        used = {pq.ParquetFile(files[n]).metadata.row_group(0).column(i).compression for i in range(len(exp.kinds))}
        assert used <= {{"none": "UNCOMPRESSED", "lz4": "LZ4"}.get(c, c.upper()), "UNCOMPRESSED"}, (n, used)
        assert used != {"UNCOMPRESSED"} or c == "none" or lv == 0, (n, used)  # what saves nothing stays plain
    return exp, files


def python_readers(place, encoding):
    exp, files = export_all(place, encoding)
    for n, path in files.items():
        assert_pyarrow(n, path, exp, encoding)
        assert_duckdb(n, path, exp, encoding)
        assert_polars(n, path, exp, encoding)
    place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=0)


def test_python_readers_auto(place):
    python_readers(place, "auto")


def test_python_readers_compatible(place):
    python_readers(place, "compatible")


def test_python_readers_small(place):
    python_readers(place, "small")


def foreign(place, encoding, check):
    node_ready()
    exp, files = export_all(place, encoding, [("zstd", 3), ("snappy", None), ("gzip", 10), ("lz4", None), ("none", None)])
    for n, path in files.items():
        check(n, path, exp, encoding)


def test_hyparquet_auto(place):
    foreign(place, "auto", assert_hyparquet)


def test_hyparquet_compatible(place):
    foreign(place, "compatible", assert_hyparquet)


def test_hyparquet_small(place):
    foreign(place, "small", assert_hyparquet)


def test_parquet_wasm_auto(place):
    foreign(place, "auto", assert_wasm)


def test_parquet_wasm_compatible(place):
    foreign(place, "compatible", assert_wasm)


def test_parquet_wasm_small(place):
    foreign(place, "small", assert_wasm)


def test_invalid_text_as_binary(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, w TEXT)")
    conn.execute("INSERT INTO t VALUES (1, CAST(x'61ff62' AS TEXT), 'plain')")
    conn.execute("INSERT INTO t VALUES (2, '', NULL)")
    conn.commit()
    place.config([{"name": "x", "table": "t", "on_invalid_utf8": "binary"}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    assert place.dataset("x") == [{"id": 1, "v": b"a\xffb", "w": b"plain"}, {"id": 2, "v": b"", "w": None}]


def shortest32(v):
    for n in range(10):
        with contextlib.suppress(OverflowError):
            if f32(float(f"{v:.{n}e}")) == v:
                return f"{v:.{n}e}"
    raise AssertionError(v)


def csv_cell(kind, v):
    """types.md section 2, CSV column; None = NULL."""
    if v is None:
        return ""
    if kind == "bool":
        text = "true" if v else "false"
    elif kind.startswith("decimal"):
        s = arrow_type(kind).scale
        mag = str(abs(v)).rjust(s + 1, "0")
        text = ("-" if v < 0 else "") + (mag[:len(mag) - s] + "." + mag[len(mag) - s:] if s else mag)
    elif kind.startswith("float"):
        if v in (float("inf"), float("-inf")):
            text = "inf" if v > 0 else "-inf"
        else:
            text = repr(v)
            if kind == "float32":
                text = shortest32(v)
            text = format(D(text), "f")
            text = text if "." in text else text + ".0"
            whole, _, frac = text.partition(".")
            text = whole + "." + (frac.rstrip("0") or "0")
    elif kind == "date":
        text = str(datetime.date(1970, 1, 1) + datetime.timedelta(days=v))
    elif kind in ("time", "uuid"):
        text = plain_text(kind, v)
    elif kind.startswith("timestamp"):
        unit, width = (10**9, 9) if kind.endswith("_ns") else (10**6, 6)
        s, frac = divmod(v, unit)
        text = (EPOCH + datetime.timedelta(seconds=s)).isoformat() + f".{frac:0{width}d}" + ("Z" if "_tz" in kind else "")
    elif kind == "binary":
        text = v.hex()
    else:
        text = str(v)
    if text == "" or any(ch in text for ch in '",\r\n'):
        text = '"' + text.replace('"', '""') + '"'
    return text


def test_csv_byte_for_byte(place):
    exp = Expected(make(place))
    want = ",".join(exp.kinds) + "\n"
    for row in zip(*(exp.meant[n] for n in exp.kinds)):
        want += ",".join(csv_cell(k, v) for k, v in zip(exp.kinds.values(), row)) + "\n"
    exports = [{"name": n, "table": "t", "format": "csv", "columns": OVERRIDES, **more,
                "destination": {"type": "local", "path": f"./out/{n}"}}
               for n, more in (("plain", {}), ("gz", {"compression": "gzip"}), ("zst", {"compression": "zstd", "compression_level": 19}))]
    place.config(exports)
    place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
    for n, end, codec in (("plain", ".csv", None), ("gz", ".csv.gz", "gzip"), ("zst", ".csv.zst", "zstd")):
        name = place.manifests(n, f"out/{n}")[-1]["parts"][0]["path"]
        assert name.endswith(end), name
        raw = open(place.path("out", n, name), "rb").read()
        if codec:
            raw = pa.CompressedInputStream(io.BytesIO(raw), codec).read()
        for k, (g, w) in enumerate(zip(raw.decode("utf-8").split("\n"), want.split("\n"))):
            if g != w:
                cells = [(a, b) for a, b in zip(g.split(","), w.split(",")) if a != b]
                raise AssertionError(f"{n}: line {k + 1}: (got, want) {cells[:4]}")
        assert raw == want.encode("utf-8")
    place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=0)


def test_overrides_refuse_what_does_not_fit(place):
    """Each value alone must fail the run; nothing may become NULL or another value."""
    cases = [("INTEGER", "smallint", 32768), ("INTEGER", "int", 2**31), ("TEXT", "uuid", "not a uuid"),
             ("TEXT", "decimal(5,2)", "1.005"), ("TEXT", "decimal(5,2)", "1000.00"), ("TEXT", "bigint", "12x"),
             ("TEXT", "date", "2024-02-30"), ("TEXT", "timestamp", "yesterday"), ("TEXT", "bool", "maybe"),
             ("BLOB", "uuid", b"123"), ("REAL", "decimal(5,2)", 0.123), ("TEXT", "decimal(76,0)", "1" + "0" * 76),
             ("TEXT", "timestamp_ns", "2500-01-01 00:00:00"), ("BOOLEAN", None, 2), ("TIME", None, "24:00:00"),
             ("DATE", None, "2024-13-01"), ("DECIMAL(6,2)", None, 0.125), ("INTEGER", None, "n/a"), ("INTEGER", None, 1.5),
             ("TEXT", None, b"blob"), ("JSON", None, b"{}"), ("UUID", None, b"short"),
             ("TIMESTAMP", None, "2024-01-01 25:00:00")]
    script = ";".join(f"CREATE TABLE t{k} (id INTEGER PRIMARY KEY, v {decl})" for k, (decl, _, _) in enumerate(cases))
    conn = place.db(script)
    exports = []
    for k, (_, over, bad) in enumerate(cases):
        conn.execute(f"INSERT INTO t{k} VALUES (1, NULL), (2, ?)", (bad,))
        stored = conn.execute(f"SELECT v FROM t{k} WHERE id = 2").fetchone()[0]
        assert stored == bad or not isinstance(stored, type(bad)), (cases[k], stored)
        exports.append({"name": f"x{k}", "table": f"t{k}", "destination": {"type": "local", "path": f"./out/{k}"},
                        **({"columns": {"v": over}} if over else {})})
    conn.commit()
    place.config(exports)
    r = place.rivet("run", "-c", "rivet.yaml", "--summary-output", "sum.json", code=1)
    done = {e["export_name"]: e for e in json.load(open(place.path("sum.json")))["per_export"]}
    wrong = [f"{cases[k]}: {done[f'x{k}']['status']}: {done[f'x{k}']['error_message']}" for k in range(len(cases))
             if done[f"x{k}"]["status"] != "failed" or "'v'" not in (done[f"x{k}"]["error_message"] or "") or
             f"x{k}" not in done[f"x{k}"]["error_message"] and f"export 'x{k}'" not in r.err]
    assert not wrong, "\n".join(wrong)


def test_failed_overrides_become_counted_nulls_when_asked(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)")
    conn.executemany("INSERT INTO t VALUES (?,?)", [(1, "5"), (2, "x"), (3, None), (4, "y")])
    conn.commit()
    place.config([{"name": "x", "table": "t", "columns": {"v": "bigint"}, "on_override_error": "null"}])
    r = place.rivet("run", "-c", "rivet.yaml", code=0)
    assert [row["v"] for row in place.dataset("x")] == [5, None, None, None]
    assert "WARN" in r.err and "'v'" in r.err and "2" in r.err, r
