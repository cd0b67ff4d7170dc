#!/usr/bin/env python3
"""Reads Parquet files with foreign readers and compares every value.

usage: check_parquet.py DIR

DIR holds NAME.json (what a table must hold) and NAME@VARIANT.parquet files of it, as written by
the test format_test_parquet_interop with RV_INTEROP_DIR set. Needs pyarrow and duckdb.
"""
import decimal
import glob
import json
import math
import os
import struct
import sys
import uuid

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

decimal.getcontext().prec = 100
TEXT = ("string", "enum", "interval", "json")


def scale_of(kind):
    return int(kind.rstrip(")").split(",")[1])


def expected_value(kind, v):
    """A value of the JSON in the one form all readers are brought to."""
    if v is None:
        return None
    if kind.startswith("list<"):
        return [expected_value(kind[5:-1], x) for x in v]
    if kind in ("float32", "float64"):
        return "nan" if v == "nan" else struct.pack("<d", float.fromhex(v))
    if kind in TEXT or kind in ("binary", "uuid"):
        return bytes.fromhex(v)
    return v


def seen_value(kind, v):
    if v is None:
        return None
    if kind.startswith("list<"):
        return [seen_value(kind[5:-1], x) for x in v]
    if kind in ("float32", "float64"):
        return "nan" if math.isnan(v) else struct.pack("<d", v)
    if kind in TEXT:
        return v.encode() if isinstance(v, str) else bytes(v)
    if kind == "uuid":
        return v.bytes if isinstance(v, uuid.UUID) else bytes(v)
    if kind.startswith("decimal"):
        return int(v.scaleb(scale_of(kind)))
    return v


def time_text(us):
    s, frac = divmod(us, 1000000)
    return "%02d:%02d:%02d.%06d" % (s // 3600, s // 60 % 60, s % 60, frac)


def list_json(kind, v):
    """The JSON text of a list: what the NDJSON form makes of each type."""
    def one(x):
        if x is None:
            return None
        if kind in ("bool", "int16", "int32"):
            return x
        if kind == "int64":
            return str(x)
        if kind.startswith("decimal"):
            return str(decimal.Decimal(x).scaleb(-scale_of(kind)))
        if kind == "float64":
            return float.fromhex(x)
        return bytes.fromhex(x).decode()
    return [one(x) for x in v]


def compatible_value(kind, v):
    if v is None:
        return None
    if kind == "time":
        return time_text(v).encode()
    if kind == "uuid":
        return str(uuid.UUID(bytes=bytes.fromhex(v))).encode()
    if kind.startswith("list<"):
        return list_json(kind[5:-1], v)
    return expected_value(kind, v)


def integers(column):
    """Dates and times of an arrow column as integers, so that nothing is lost in python."""
    t = column.type
    if isinstance(t, pa.BaseExtensionType):
        column = pa.chunked_array([c.storage for c in column.chunks], t.storage_type)
        t = column.type
    if pa.types.is_date32(t):
        return column.cast(pa.int32())
    if pa.types.is_timestamp(t) or pa.types.is_time64(t):
        return column.cast(pa.int64())
    return column


def compare(name, reader, column, got, want):
    if got == want:
        return 0
    for row, (g, w) in enumerate(zip(got, want)):
        if g != w:
            print(f"{name}: {reader}: column {column}, row {row}: {g!r}, want {w!r}")
            break
    else:
        print(f"{name}: {reader}: column {column}: {len(got)} values, want {len(want)}")
    return 1


def check(path, table, compatible):
    name = os.path.basename(path)
    failures = 0
    file = pq.ParquetFile(path, page_checksum_verification=True)
    arrow = file.read()
    ducks = duckdb.connect()
    if file.metadata.num_rows != table["rows"]:
        print(f"{name}: {file.metadata.num_rows} rows, want {table['rows']}")
        failures += 1
    for c in table["columns"]:
        kind, values = c["type"], c["values"]
        seen_kind = kind
        if compatible:
            want = [compatible_value(kind, v) for v in values]
            if kind in ("time", "uuid"):
                seen_kind = "string"
            elif kind == "uint64":
                seen_kind = "decimal(20,0)"
        else:
            want = [expected_value(kind, v) for v in values]
        got = integers(arrow[c["name"]]).to_pylist()
        if compatible and kind.startswith("list<"):
            got = [None if v is None else json.loads(v, parse_int=int) for v in got]
            want = [None if v is None else v for v in want]
        else:
            got = [seen_value(seen_kind, v) for v in got]
        failures += compare(name, "pyarrow", c["name"], got, want)
        failures += check_duckdb(ducks, path, name, c["name"], kind, seen_kind, want, compatible)
    failures += check_statistics(file, name)
    failures += check_footer(file, name, table)
    return failures


def check_duckdb(ducks, path, name, column, kind, seen_kind, want, compatible):
    if kind.startswith("decimal") and int(kind[8:].split(",")[0]) > 38:
        return 0  # read as DOUBLE there
    table = ducks.sql(f'select "{column}" as c from \'{path}\'').to_arrow_table()
    got = integers(table["c"]).to_pylist()
    if compatible and kind.startswith("list<"):
        got = [None if v is None else json.loads(v) for v in got]
    else:
        if kind == "uuid" and not compatible:
            got = [uuid.UUID(v) if isinstance(v, str) else v for v in got]
        got = [seen_value(seen_kind, v) for v in got]
    return compare(name, "duckdb", column, got, want)


def check_statistics(file, name):
    """pyarrow must accept the bounds; duckdb must find every value it filters by them."""
    failures = 0
    meta = file.metadata
    for g in range(meta.num_row_groups):
        for c in range(meta.num_columns):
            chunk = meta.row_group(g).column(c)
            if chunk.statistics is None or not chunk.has_offset_index:
                print(f"{name}: group {g}, column {chunk.path_in_schema}: no statistics or index")
                failures += 1
    return failures


def check_footer(file, name, table):
    """The keys of the footer, and that the file says who wrote it in the form readers parse."""
    keys = file.metadata.metadata or {}
    types = json.loads(keys.get(b"rivet.types", b"{}"))
    want = {c["name"]: c["type"] for c in table["columns"]}
    failures = 0
    if types != want:
        print(f"{name}: rivet.types does not name the types")
        failures += 1
    for key in ("rivet.source_types", "rivet.fidelity"):
        if list(json.loads(keys.get(key.encode(), b"{}"))) != list(want):
            print(f"{name}: {key} does not name every column")
            failures += 1
    sums = json.loads(keys.get(b"rivet.checksum", b"{}"))
    if sums.get("id") != "rivet-checksum-v1" or list(sums.get("columns", {})) != list(want):
        print(f"{name}: rivet.checksum is not complete")
        failures += 1
    if not file.metadata.created_by.startswith("rivet version ") or b"ARROW:schema" in keys:
        print(f"{name}: created_by {file.metadata.created_by!r}, keys {sorted(keys)}")
        failures += 1
    return failures


def main():
    directory = sys.argv[1]
    failures = files = 0
    for expected in sorted(glob.glob(os.path.join(directory, "*.json"))):
        with open(expected) as f:
            table = json.load(f)
        for path in sorted(glob.glob(expected[:-5] + "@*.parquet")):
            try:
                failures += check(path, table, "@compatible" in path)
            except Exception as e:  # a reader that refuses the file is the worst failure
                print(f"{os.path.basename(path)}: {type(e).__name__}: {e}")
                failures += 1
            files += 1
    print(f"{files - failures} passed, {failures} failed, 0 skipped")
    return 1 if failures or not files else 0


if __name__ == "__main__":
    sys.exit(main())
