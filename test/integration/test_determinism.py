"""The bytes of a part are a function of rows, schema, options and program version; of nothing else."""
import hashlib
import os
import random
import time

EXPORTS = [
    {"name": "full", "table": "t"},
    {"name": "small", "table": "t", "parquet": {"encoding": "small"}, "compression": "gzip"},
    {"name": "split", "table": "t", "max_file_size": "64KB"},
    {"name": "chunks", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1500},
    {"name": "keys", "table": "t", "mode": "chunked", "chunk_by_key": "id", "chunk_size": 1100},
    {"name": "csv", "table": "t", "format": "csv", "compression": "zstd"},
    {"name": "query", "query": "SELECT * FROM t WHERE id % 3 = 0"},
]


def source(place, rows=6000):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, few TEXT, price DECIMAL(12,2), r REAL, at TIMESTAMP, b BLOB)")
    rnd = random.Random(3)
    conn.executemany("INSERT INTO t VALUES (?,?,?,?,?,?,?)", [
        (i, f"customer {rnd.getrandbits(64):x}", rnd.choice(["a", "bb", None]), rnd.randint(0, 10**6) / 100, rnd.random(),
         f"2024-01-{i % 28 + 1:02d} 00:00:00", rnd.randbytes(30)) for i in range(rows)])
    conn.commit()
    return conn


def keyed(place, folder, exports=EXPORTS):
    """Part names without their time."""
    found = {}
    for x in exports:
        m = place.manifests(x["name"], f"{folder}/{x['name']}")[-1]
        for p in m["parts"]:
            raw = open(place.path(folder, x["name"], p["path"]), "rb").read()
            found[x["name"], p["part_id"], p["rows"]] = hashlib.sha256(raw).hexdigest()
        found[x["name"]] = (m["row_checksum"], str(m["column_checksums"]), m["row_count"], m["part_count"])
    return found


def compare(place, variants, exports=EXPORTS):
    first = None
    for k, (tuning, env, args) in enumerate(variants):
        folder = f"v{k}"
        os.makedirs(place.path(folder))
        place.config([{**x, "destination": {"type": "local", "path": f"./{folder}/{x['name']}"}} for x in exports],
                     tuning=tuning, name=f"{folder}/rivet.yaml", source="../src.db")
        place.rivet("run", "-c", f"{folder}/rivet.yaml", *args, env=env, code=0)
        seen = keyed(place, folder, exports)
        if first is None:
            first = seen
        differing = sorted(str(key) for key in set(first) | set(seen) if first.get(key) != seen.get(key))
        assert not differing, f"{tuning} {env} differs from {variants[0]}: {differing[:6]}"
    return first


def test_batch_sizes(place):
    source(place)
    seen = compare(place, [("throttle_ms: 0", {}, ()), ("throttle_ms: 0, batch_size: 1000", {}, ()),
                           ("throttle_ms: 0, batch_size: 7", {}, ())])
    assert len([k for k in seen if isinstance(k, tuple) and k[0] == "split"]) >= 3, seen


def test_batch_size_one(place):
    source(place, rows=1500)
    compare(place, [("throttle_ms: 0", {}, ()), ("throttle_ms: 0, batch_size: 1", {}, ())])


def test_pipeline_depths(place):
    source(place)
    compare(place, [("throttle_ms: 0", {}, ())] + [("throttle_ms: 0", {"RIVET_PIPELINE_WRITES": n}, ()) for n in ("0", "1", "8")])


def test_throttle_profile_and_statement_time(place):
    source(place)
    compare(place, [("throttle_ms: 0", {}, ()), ("throttle_ms: 20, batch_size: 2000", {}, ()),
                    ("profile: safe, throttle_ms: 1", {}, ()), ("profile: fast", {}, ()),
                    ("throttle_ms: 0, target_query_ms: 1", {}, ()), ("throttle_ms: 0, batch_size_memory_mb: 1", {}, ("--validate",))])


def test_simd_and_locale(place):
    source(place)
    compare(place, [("throttle_ms: 0", {}, ()), ("throttle_ms: 0", {"RIVET_SIMD": "off"}, ()),
                    ("throttle_ms: 0", {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8", "TZ": "Asia/Kathmandu"}, ())])


def test_workers(place):
    source(place)
    ways = [[{**x, "parallel": n} for x in EXPORTS if x.get("mode") == "chunked"] for n in (1, 2, 4)]
    seen = []
    for k, exports in enumerate(ways):
        place_dir = f"w{k}"
        os.makedirs(place.path(place_dir))
        place.config([{**x, "destination": {"type": "local", "path": f"./{place_dir}/{x['name']}"}} for x in exports],
                     tuning="throttle_ms: 0", name=f"{place_dir}/rivet.yaml", source="../src.db")
        place.rivet("run", "-c", f"{place_dir}/rivet.yaml", code=0)
        m = place.manifests("chunks", f"{place_dir}/chunks")[-1]
        seen.append({p["chunk_index"]: hashlib.sha256(open(place.path(place_dir, "chunks", p["path"]), "rb").read()).hexdigest()
                     for p in m["parts"]})
    assert seen[0] == seen[1] == seen[2] and len(seen[0]) == 4, seen


def test_a_later_run_writes_the_same_bytes(place):
    source(place, rows=2000)
    place.config([{"name": "x", "table": "t"}], tuning="throttle_ms: 0")
    place.rivet("run", "-c", "rivet.yaml", code=0)
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
    prints = {(p["content_fingerprint"], p["content_md5"], p["size_bytes"]) for m in place.manifests("x") for p in m["parts"]}
    assert len(place.manifests("x")) == 2 and len(prints) == 1, prints
