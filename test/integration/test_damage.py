"""Damaged datasets: whatever is altered after publication, `validate` must say so."""
import glob
import hashlib
import json
import os
import random
import shutil
import time

import pyarrow.parquet as pq

from lib import Skip

try:
    import xxhash
except ImportError:
    xxhash = None

EXPORT = {"name": "x", "table": "t", "compression": "zstd"}


def make(place, rows=4000, exports=(EXPORT,)):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, price DECIMAL(12,2), r REAL, at TIMESTAMP, b BLOB,"
                    " flag BOOLEAN, u UUID)")
    rnd = random.Random(11)
    conn.executemany("INSERT INTO t VALUES (?,?,?,?,?,?,?,?)", [
        (i, f"customer {rnd.randint(0, 10**9)}", rnd.randint(0, 10**8) / 100, rnd.random(),
         f"20{i % 90 + 10}-01-01 00:00:{i % 60:02d}", rnd.randbytes(8), i % 2,
         "%032x" % rnd.getrandbits(128)) for i in range(rows)])
    conn.execute("UPDATE t SET u = substr(u,1,8)||'-'||substr(u,9,4)||'-'||substr(u,13,4)||'-'||substr(u,17,4)||'-'||substr(u,21)")
    conn.execute("UPDATE t SET name = NULL WHERE id % 9 = 0")
    conn.commit()
    place.config(list(exports))
    place.rivet("run", "-c", "rivet.yaml", code=0)
    return place.path("out")


def part_of(place, export="x"):
    return place.path("out", place.manifests(export)[-1]["parts"][0]["path"])


def page_bytes(path):
    """Every byte of the column chunks (page headers included)."""
    meta = pq.ParquetFile(path).metadata
    for g in range(meta.num_row_groups):
        for c in range(meta.num_columns):
            col = meta.row_group(g).column(c)
            first = min(col.data_page_offset, col.dictionary_page_offset or col.data_page_offset)
            yield range(first, first + col.total_compressed_size)


def spread(path, n):
    """n positions, every column chunk in proportion to its size but never forgotten."""
    chunks = list(page_bytes(path))
    total = sum(map(len, chunks))
    picked = set()
    for c in chunks:
        want = max(3, n * len(c) // total + 1)
        picked.update(c[k * len(c) // want] for k in range(want))
        picked.add(c[-1])
    return sorted(picked)


def flipped(path, at, bit):
    with open(path, "r+b") as f:
        f.seek(at)
        old = f.read(1)
        f.seek(at)
        f.write(bytes([old[0] ^ (1 << bit)]))


def judge(place, depth, code, *kinds, export="x"):
    r = place.rivet("validate", "-c", "rivet.yaml", "--depth", depth, "--json", "-e", export)
    assert r.code == code, f"{depth}: wanted exit {code}, got {r}"
    v = json.loads(r.out)["exports"][0]["verification"]
    seen = [f["kind"] for f in v["failures"] if f["kind"] != "untracked_object"]
    assert v["passed"] is (code == 0), v
    assert v["depth_level"] == depth, v
    if kinds:
        assert set(kinds) & set(seen), f"{depth}: {seen}, want one of {kinds}"
    else:
        assert code or not seen, seen
    for f in v["failures"]:
        assert f["code"] == "RIVET_VALIDATE_" + f["kind"].upper() and f["message"], f
        if f["kind"].startswith("part_") or f["kind"] == "value_checksum_mismatch":
            assert {"part_id", "path", "expected", "actual"} <= set(f), f
    return v


def test_three_hundred_flipped_bytes(place):
    make(place)
    part = part_of(place)
    good = open(part, "rb").read()
    stamps = os.stat(part)
    positions = spread(part, 300)
    assert len(positions) >= 300, len(positions)
    for k, at in enumerate(positions):
        flipped(part, at, k % 8)
        os.utime(part, ns=(stamps.st_atime_ns, stamps.st_mtime_ns))
        r = place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", "--json")
        assert r.code == 3, f"byte {at} bit {k % 8}: {r}"
        v = json.loads(r.out)["exports"][0]["verification"]
        assert v["parts_failed"] == 1 and {f["kind"] for f in v["failures"]} & {"part_checksum_mismatch", "value_checksum_mismatch"}, v
        if k % 30 == 0:  # the manifest is untouched
            judge(place, "light", 0)
        flipped(part, at, k % 8)
    middle = max(page_bytes(part), key=len)
    flipped(part, middle[len(middle) // 2], 3)
    judge(place, "sample", 0)
    flipped(part, middle[len(middle) // 2], 3)
    assert open(part, "rb").read() == good
    judge(place, "full", 0)


def resign(place, path):
    """Makes the manifests and the marker vouch for what the part holds now."""
    raw = open(path, "rb").read()
    for name in glob.glob(place.path("out", "manifest*.json")):
        m = json.load(open(name))
        m["total_bytes"] += len(raw) - m["parts"][0]["size_bytes"]
        m["parts"][0].update(size_bytes=len(raw), content_md5=hashlib.md5(raw).hexdigest(),
                             content_fingerprint="xxh3:" + xxhash.xxh3_64_hexdigest(raw))
        text = json.dumps(m)
        open(name, "w").write(text)
        open(place.path("out", "_SUCCESS"), "w").write("xxh3:" + xxhash.xxh3_64_hexdigest(text.encode()) + "\n")


def test_flipped_bytes_under_a_forged_manifest(place):
    """Size, MD5, fingerprint and marker all agree: only the file itself can still tell."""
    if not xxhash:
        raise Skip("python-xxhash is not installed")
    make(place)
    part = part_of(place)
    resign(place, part)
    judge(place, "full", 0)
    for k, at in enumerate(spread(part, 60)):
        flipped(part, at, k % 8)
        resign(place, part)
        judge(place, "full", 3)
        flipped(part, at, k % 8)


def rewritten(place, change):
    """The part written anew by another program from altered rows."""
    part = part_of(place)
    table = pq.read_table(part)
    meta = table.schema.metadata
    pq.write_table(change(table).replace_schema_metadata(meta), part, compression="zstd")
    resign(place, part)


def test_rewritten_values_under_a_forged_manifest(place):
    if not xxhash:
        raise Skip("python-xxhash is not installed")
    make(place)

    def one_value(t):
        r = t["r"].to_pylist()
        r[77] += 1e-9
        return t.set_column(t.schema.get_field_index("r"), t.schema.field("r"), [r])

    def swapped_cells(t):
        names = t["name"].to_pylist()
        names[10], names[11] = names[11], names[10]
        return t.set_column(t.schema.get_field_index("name"), t.schema.field("name"), [names])

    def no_null(t):
        names = ["" if v is None else v for v in t["name"].to_pylist()]
        return t.set_column(t.schema.get_field_index("name"), t.schema.field("name"), [names])

    original = open(part_of(place), "rb").read()
    for change in (one_value, swapped_cells, no_null):
        rewritten(place, change)
        judge(place, "full", 3, "value_checksum_mismatch", "part_checksum_mismatch")
        open(part_of(place), "wb").write(original)
    resign(place, part_of(place))
    rewritten(place, lambda t: t.slice(0, t.num_rows - 1))
    judge(place, "sample", 3, "part_row_count_mismatch")
    judge(place, "full", 3, "part_row_count_mismatch")


def test_flipped_footer_bytes(place):
    make(place, rows=300)
    part = part_of(place)
    size = os.path.getsize(part)
    start = max(c[-1] for c in page_bytes(part)) + 1
    for k, at in enumerate(range(start, size, max(1, (size - start) // 120))):
        flipped(part, at, k % 8)
        judge(place, "full", 3)
        r = place.rivet("validate", "-c", "rivet.yaml", "--depth", "sample")
        assert r.code in (0, 3), r
        flipped(part, at, k % 8)


def test_truncated_part(place):
    make(place)
    part = part_of(place)
    raw = open(part, "rb").read()
    for size in (len(raw) - 1, len(raw) // 2, 8, 4, 1, 0):
        open(part, "wb").write(raw[:size])
        judge(place, "light", 0)
        v = judge(place, "sample", 3, "part_size_mismatch")
        mismatch = next(f for f in v["failures"] if f["kind"] == "part_size_mismatch")
        assert str(mismatch["expected"]) == str(len(raw)) and str(mismatch["actual"]) == str(size), mismatch
        judge(place, "full", 3, "part_size_mismatch")
    open(part, "wb").write(raw + b"\0")
    judge(place, "sample", 3, "part_size_mismatch")


def test_missing_part(place):
    make(place)
    os.remove(part_of(place))
    judge(place, "light", 0)
    judge(place, "sample", 3, "part_missing")
    judge(place, "full", 3, "part_missing")


def test_part_replaced_by_a_directory(place):
    make(place)
    part = part_of(place)
    os.remove(part)
    os.mkdir(part)
    for depth in ("sample", "full"):
        r = place.rivet("validate", "-c", "rivet.yaml", "--depth", depth)
        assert r.code == 3, r


CHUNKS = {"name": "x", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1000}


def test_swapped_parts(place):
    make(place, exports=[CHUNKS])
    parts = [place.path("out", p["path"]) for p in place.manifests("x")[-1]["parts"]]
    assert len(parts) == 4
    shutil.move(parts[0], parts[0] + ".x")
    shutil.move(parts[1], parts[0])
    shutil.move(parts[0] + ".x", parts[1])
    judge(place, "light", 0)
    same = os.path.getsize(parts[0]) == os.path.getsize(parts[1])
    judge(place, "sample", 0 if same else 3)
    judge(place, "full", 3, "part_checksum_mismatch", "part_size_mismatch")


def test_an_older_generation_put_back(place):
    """The part of an earlier run under the new run's name: same rows, same size or not, not this file."""
    make(place, exports=[EXPORT])
    old = open(part_of(place), "rb").read()
    conn = place.db()
    conn.execute("UPDATE t SET r = r + 1 WHERE id = 1")
    conn.commit()
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    open(part_of(place), "wb").write(old)
    judge(place, "full", 3)


def tamper(place, change, names=("manifest*.json",)):
    for pattern in names:
        for name in glob.glob(place.path("out", pattern)):
            m = json.load(open(name))
            change(m)
            open(name, "w").write(json.dumps(m))


def sign_marker(place):
    raw = open(place.path("out", "manifest.json"), "rb").read()
    open(place.path("out", "_SUCCESS"), "w").write("xxh3:" + xxhash.xxh3_64_hexdigest(raw) + "\n")


def test_tampered_manifest(place):
    make(place)
    tamper(place, lambda m: m.update(finished_at="2030-01-01T00:00:00.000Z"))
    for depth in ("light", "sample", "full"):
        judge(place, depth, 3, "success_marker_stale")


def test_manifest_that_does_not_add_up(place):
    if not xxhash:
        raise Skip("python-xxhash is not installed")
    make(place, exports=[CHUNKS])
    saved = {n: open(n, "rb").read() for n in glob.glob(place.path("out", "manifest*.json"))}
    for change in (lambda m: m.update(row_count=m["row_count"] + 1), lambda m: m.update(part_count=3),
                   lambda m: m.update(total_bytes=0), lambda m: m["parts"].pop(),
                   lambda m: m["parts"][0].update(rows=m["parts"][0]["rows"] - 1)):
        tamper(place, change)
        sign_marker(place)
        judge(place, "light", 3, "manifest_self_inconsistent")
        for n, raw in saved.items():
            open(n, "wb").write(raw)


def test_manifest_lies_about_values(place):
    if not xxhash:
        raise Skip("python-xxhash is not installed")
    make(place)
    tamper(place, lambda m: m["column_checksums"][3].update(checksum="0123456789abcdef"))
    sign_marker(place)
    judge(place, "sample", 0)
    judge(place, "full", 3, "value_checksum_mismatch")


def test_manifest_pointing_outside(place):
    if not xxhash:
        raise Skip("python-xxhash is not installed")
    make(place)
    shutil.copy(part_of(place), place.path("elsewhere.parquet"))
    for path in ("../elsewhere.parquet", place.path("elsewhere.parquet"), "a/../../elsewhere.parquet"):
        tamper(place, lambda m, path=path: m["parts"][0].update(path=path))
        sign_marker(place)
        r = place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", "--json")
        assert r.code == 3, (path, r)


def test_unreadable_manifests(place):
    make(place)
    names = glob.glob(place.path("out", "manifest*.json"))
    good = open(names[0], "rb").read()
    for raw in (b"", b"{", b"[]", b"null", good[:-20], b"\xff\xfe" + good, b"{" * 100000, b'{"manifest_version": 99}',
                good.replace(b'"parts"', b'"farts"'), good.replace(b'"rows": ', b'"rows": -').replace(b'"rows":3', b'"rows":-3')):
        for n in names:
            open(n, "wb").write(raw)
        for depth in ("light", "full"):
            r = place.rivet("validate", "-c", "rivet.yaml", "--depth", depth)
            assert r.code == 3, (raw[:40], r)


def test_marker(place):
    make(place)
    marker = place.path("out", "_SUCCESS")
    for text, kind in (("xxh3:0123456789abcdef\n", "success_marker_stale"), ("", "success_marker_malformed"),
                       ("xxh3:zz\n", "success_marker_malformed"), ("hello\n", "success_marker_malformed")):
        open(marker, "w").write(text)
        for depth in ("light", "sample", "full"):
            v = judge(place, depth, 3, kind)
            assert v["success_marker_consistent"] is False
    os.remove(marker)
    judge(place, "light", 3, "success_marker_absent")


def test_marker_without_any_manifest(place):
    make(place)
    for n in glob.glob(place.path("out", "manifest*.json")):
        os.remove(n)
    v = judge(place, "light", 3, "manifest_missing_under_marker")
    assert v["manifest_found"] is False
    os.remove(place.path("out", "_SUCCESS"))
    v = judge(place, "sample", 0)
    assert v["legacy_run"] is True and v["manifest_found"] is False, v
    r = place.rivet("validate", "-c", "rivet.yaml", code=0)
    assert "LEGACY" in r.out, r


def test_only_the_own_manifest_is_left(place):
    make(place)
    os.remove(place.path("out", "manifest.json"))
    judge(place, "full", 0)


def test_foreign_manifest_and_marker(place):
    """Two exports share a prefix: the marker is the later one's, which is a warning for the other."""
    make(place, exports=[EXPORT, {"name": "y", "table": "t"}])
    judge(place, "full", 0, export="y")
    v = judge(place, "full", 0, export="x")
    assert v["parts_verified"] == 1, v
    r = place.rivet("validate", "-c", "rivet.yaml", "-e", "x", "--json", code=0)
    assert json.loads(r.out)["warnings"], r.out


def test_a_stranger_in_the_directory_is_left_alone(place):
    out = make(place)
    open(os.path.join(out, "notes.txt"), "w").write("mine")
    open(os.path.join(out, "x_backup.parquet"), "w").write("mine too")
    judge(place, "full", 0)
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    assert open(os.path.join(out, "notes.txt")).read() == "mine"
    assert open(os.path.join(out, "x_backup.parquet")).read() == "mine too"


def test_validate_changes_nothing(place):
    make(place, exports=[CHUNKS])

    def everything():
        found = {}
        for root, _, names in os.walk(place.dir):
            for n in names:
                p = os.path.join(root, n)
                found[p] = (os.stat(p).st_mtime_ns, open(p, "rb").read())
        return found

    before = everything()
    os.rename(place.path("src.db"), place.path("gone.db"))  # the source is not asked
    before[place.path("gone.db")] = before.pop(place.path("src.db"))
    for depth in ("light", "sample", "full"):
        judge(place, depth, 0)
    after = everything()
    changed = [p for p in set(before) | set(after) if before.get(p) != after.get(p) and not p.endswith(("-wal", "-shm"))]
    assert not changed, changed


def test_damaged_csv(place):
    make(place, exports=[{"name": "x", "table": "t", "format": "csv"}, {"name": "z", "table": "t", "format": "csv",
                                                                       "compression": "gzip"}])
    for export in ("x", "z"):
        part = part_of(place, export)
        size = os.path.getsize(part)
        judge(place, "full", 0, export=export)
        for k in range(20):
            at = k * (size - 1) // 19
            flipped(part, at, k % 8)
            judge(place, "full", 3, export=export)
            flipped(part, at, k % 8)


def test_validate_after_the_run_named(place):
    make(place)
    first = place.manifests("x")[-1]["run_id"]
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    os.remove(part_of(place))
    judge(place, "sample", 3, "part_missing")
    r = place.rivet("validate", "-c", "rivet.yaml", "--run-id", first, "--json")
    assert json.loads(r.out)["exports"][0]["run_id"] == first and r.code in (0, 3), r
    r = place.rivet("validate", "-c", "rivet.yaml", "--run-id", "x_20200101T000000.000", "--json")
    assert r.code != 0, r
