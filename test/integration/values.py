"""Values of Parquet files in a form that loses nothing in python, as two foreign readers give them, and
the CSV cells a value must have."""
import decimal
import math
import struct
import uuid

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

decimal.DefaultContext.prec = 200  # of the threads that run tests
decimal.DefaultContext.traps[decimal.Inexact] = True


def civil_days(year, month, day):
    year -= month <= 2
    era = year // 400
    yoe = year - era * 400
    doy = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468


def time_us(text):
    h, m, s = text.split(":")
    whole, _, frac = s.partition(".")
    return (int(h) * 3600 + int(m) * 60 + int(whole)) * 1000000 + int(frac.ljust(6, "0") or 0)


def scaled(text, scale):
    return int(decimal.Decimal(text).scaleb(scale).to_integral_exact())


def seen(kind, v):
    if v is None:
        return None
    if kind.startswith("float"):
        return "nan" if math.isnan(v) else struct.pack("<f" if kind == "float32" else "<d", v)
    if kind.startswith("decimal"):
        return scaled(v, int(kind[:-1].split(",")[1]))
    if kind == "uuid":
        return v.bytes if isinstance(v, uuid.UUID) else uuid.UUID(v).bytes if isinstance(v, str) else bytes(v)
    return v


def integers(column):
    """Dates and times as integers, so that nothing is lost in python."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([c.storage for c in column.chunks], column.type.storage_type)
    t = column.type
    if pa.types.is_date32(t):
        return column.cast(pa.int32())
    return column.cast(pa.int64()) if pa.types.is_timestamp(t) or pa.types.is_time64(t) else column


def both_readers(path):
    """The file as two readers give it: (name, columns). duckdb reads decimals above 38 digits as DOUBLE."""
    arrow = pq.ParquetFile(path, page_checksum_verification=True).read()
    with duckdb.connect() as ducks:
        ducks.execute("SET TimeZone='UTC'")
        seen_by_duckdb = ducks.sql(f"SELECT * FROM '{path}' ORDER BY id").to_arrow_table()
    wide = [n for n in arrow.column_names if pa.types.is_decimal256(arrow[n].type)]
    return [("pyarrow", arrow), ("duckdb", seen_by_duckdb.drop_columns(wide))]


def plain_float(text, single):
    v = float(text)
    if math.isnan(v):
        return "NaN"
    if math.isinf(v):
        return "inf" if v > 0 else "-inf"
    cell = format(decimal.Decimal(text if single else repr(v)), "f")
    return cell if "." in cell else cell + ".0"
