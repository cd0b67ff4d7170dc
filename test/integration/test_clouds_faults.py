"""Stores that fail, lose answers, hold what is not ours, or are written by two at once."""
import json
import os
import re
import shlex
import signal
import time

import cloud
import lib
from cloud import Corner, check_manifest, check_marker
from lib import SIMPLE, cases, fill, same_rows, table
from test_bad_input import in_small_disk

CLOUDS = cases(*cloud.KINDS)
CLI = ("-c", "rivet.yaml")
X = {"name": "x", "table": "t"}
INC = {**X, "mode": "incremental", "cursor_column": "id"}
K = {**X, "mode": "chunked", "chunk_column": "id", "chunk_size": 500, "chunk_checkpoint": True}
WRITES = "PUT|POST"
PART = r"x_\d{8}_\d{6}|uploadType=multipart"  # GCS is told the name in the body
BLOBS = "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n " \
        "WHERE i < 120) INSERT INTO t SELECT i, randomblob(100000) FROM n;"


def begin(place, kind, rows=1200, stack=None):
    conn = place.db(SIMPLE)
    fill(conn, rows)
    c = Corner(place, kind, stack)
    return conn, c, c.spool()


def changed(conn):
    """What a second look at the source would find."""
    conn.execute("UPDATE t SET name = 'changed'")
    conn.commit()


def cursor(place):
    return place.state().execute("SELECT last_cursor_value FROM export_state WHERE export_name = 'x'").fetchall()


@CLOUDS
def test_500_for_minutes(place, kind):
    """Six tries; the part waits in the spool, the position stays; the next run sends it without reading again."""
    conn, c, spool = begin(place, kind)
    before = table(conn, "SELECT * FROM t")
    with c.behind() as m:
        c.config(INC)
        m.answer(500, WRITES, "storage|rivet-test")
        r = c.run(code=2)
        tries = [s for s in m.seen if s[0] in ("PUT", "POST") and "token" not in s[1]]
        assert len(tries) % 6 == 0 and tries, m.seen
        assert "500" in r.err and "position" not in r.out, r
        assert len(os.listdir(spool)) == 1 and os.stat(os.path.join(spool, os.listdir(spool)[0])).st_mode & 0o777 == 0o600
        assert c.names() == [] and cursor(place) in ([], [(None,)]), (c.names(), cursor(place))
        changed(conn)
        m.heal()
        c.run()
    same_rows(c.dataset("x", incremental=True), before)
    assert os.listdir(spool) == [] and cursor(place) == [("1200",)]
    check_marker(c, c.manifest("x")["run_id"])


@CLOUDS
def test_passing_trouble(place, kind):
    """Answers that ask for patience, resets and lost answers: one object each, and the summary counts the tries."""
    conn, c, _ = begin(place, kind)
    with c.behind() as m:
        c.config(X)
        m.answer(503, WRITES, PART, times=1, Retry_After="1")
        m.answer("reset", WRITES, PART, times=1)
        m.answer("lose", WRITES, PART, times=1)
        m.answer(429, WRITES, "SUCCESS|manifest|uploadType", times=2)
        m.answer("lose", WRITES, "SUCCESS|uploadType", times=1)
        started = time.monotonic()
        r = c.run()
        assert time.monotonic() - started >= 1 and int(re.search(r"retries: +(\d+)", r.err)[1]) >= 4, r
    m = c.manifest("x")
    assert sorted(c.names()) == sorted(["_SUCCESS", "manifest.json", f"manifest-{m['run_id']}.json", m["parts"][0]["path"]])
    check_manifest(c, m)
    check_marker(c, m["run_id"])
    same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))


@CLOUDS
def test_large_objects_in_trouble(place, kind):
    """A part refused for a while, an answer lost, also the one that ends it; then trouble that does not end."""
    conn, c = place.db(BLOBS), Corner(place, kind)
    spool = c.spool()
    piece, last = {"s3": ("partNumber=2", "uploadId=[^&]*$"), "gcs": ("upload_id", "upload_id"),
                   "azure": ("comp=block&", "comp=blocklist")}[kind]
    with c.behind() as m:
        c.config(X, dest=cloud.IN_PARTS)
        m.answer(503, WRITES, piece, times=2)
        m.answer("lose", WRITES, piece, times=1)
        m.answer("lose", WRITES, last, times=1)
        c.run()
        check_manifest(c, c.manifest("x"))
        same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))
        assert len([n for n in c.names() if n.startswith("x_")]) == 1 and not c.unfinished(), c.names()
        m.answer(503, WRITES, piece, Retry_After="1")
        c.run(code=2)
        assert len(os.listdir(spool)) == 1 and not c.unfinished()
        m.heal()
        c.run()
        assert not c.unfinished() and os.listdir(spool) == []
    same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))


@CLOUDS
def test_interrupted_in_an_upload(place, kind):
    """The upload is ended, nothing is published, and the next run goes on."""
    conn, c = place.db(BLOBS), Corner(place, kind)
    c.spool()
    with c.behind() as m:
        c.config({**K, "chunk_size": 60}, dest=cloud.IN_PARTS)
        piece = {"s3": "partNumber=2", "gcs": "upload_id", "azure": "comp=block&"}[kind]
        m.answer(503, "PUT", piece, Retry_After="30")
        p = c.start("run", *CLI, env={"RIVET_SHUTDOWN_GRACE_S": "1"})
        until = time.monotonic() + 60
        while not any(re.search(piece, path) for _, path in m.seen) and time.monotonic() < until:
            time.sleep(0.05)
        p.send_signal(signal.SIGTERM)
        _, err = p.communicate(timeout=60)
        assert p.returncode == 143 and b"--resume" in err, (p.returncode, err)
        assert "_SUCCESS" not in c.names() and not c.unfinished(), (c.names(), c.unfinished())
        m.heal()
        c.run()
        assert not c.unfinished()
    same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))
    same_rows(c.place.glob_rows("x"), table(conn, "SELECT * FROM t"))


@CLOUDS
def test_a_foreign_object_under_our_name(place, kind):
    """It stays as it is and is listed nowhere; the run takes the next free stem."""
    conn, c, _ = begin(place, kind)
    now = int(time.time())
    names = [time.strftime("x_%Y%m%d_%H%M%S.parquet", time.gmtime(now + k)) for k in range(25)]
    for n in names:
        c.put(n, b"somebody else's")
    c.config(X)
    c.run("--validate")
    c.fetch()
    m = place.manifests("x")[-1]
    assert re.fullmatch(r"x_\d{8}_\d{6}_\d{3}\.parquet", m["parts"][0]["path"]) and len(m["parts"]) == 1, m
    same_rows(place.dataset("x"), table(conn, "SELECT * FROM t"))
    assert all(c.get(n) == b"somebody else's" for n in names)
    c.run()
    assert all(c.get(n) == b"somebody else's" for n in names)
    r = c.rivet("validate", *CLI, code=0)
    assert "PASSED" in r.out, r


@CLOUDS
def test_the_manifest_of_a_later_run(place, kind):
    """Shared names that a later run of the export holds stay its; ours is under its own name."""
    conn, c, _ = begin(place, kind, 50)
    c.config(X)
    c.run()
    later = json.loads(c.get("manifest.json"))
    later.update(run_id="x_20990101T000000.000", started_at="2099-01-01T00:00:00.000Z", finished_at="2099-01-01T00:00:01.000Z")
    data = json.dumps(later).encode()
    for n in ("manifest.json", "manifest-x_20990101T000000.000.json"):
        c.put(n, data)
    c.put("_SUCCESS", f"{cloud.fingerprint(data)}\n".encode())
    c.run()
    assert c.get("manifest.json") == data and c.get("_SUCCESS") == f"{cloud.fingerprint(data)}\n".encode()
    assert len([n for n in c.names() if n.startswith("manifest-x_")]) == 3
    ours = sorted(n for n in c.names() if n.startswith("manifest-x_"))[1]
    assert json.loads(c.get(ours))["status"] == "success"


@CLOUDS
def test_two_at_once(place, kind):
    """On one state the second waits or says who runs; on two states both sets are whole."""
    conn, c, _ = begin(place, kind, 3000)
    c.config(K)
    with c.behind() as m:
        c.config(K)
        m.answer(503, WRITES, PART, times=1, Retry_After="2")
        p = c.start("run", *CLI)
        until = time.monotonic() + 30
        while not m.seen and time.monotonic() < until:
            time.sleep(0.02)
        r = c.run(code=2)
        assert str(p.pid) in r.err, r
        c.run("--lock-wait", "60")
        assert p.wait(60) == 0, p.communicate()
    c.config(K)
    both = [c.start("run", *CLI, env=env) for env in ({"RIVET_STATE_URL": "sqlite:" + place.path("o.db")}, {"RIVET_STATE_URL": "sqlite:" + place.path("p.db")})]
    for p in both:
        _, err = p.communicate(timeout=120)
        assert p.returncode == 0, err
    c.fetch()
    good = [m for m in place.manifests("x") if m["status"] == "success"]
    listed = [p["path"] for m in good for p in m["parts"]]
    assert len(good) == 4 and len(set(listed)) == len(listed)
    for m in good:
        same_rows([r for p in m["parts"] for r in lib.read_part(place.path("out", p["path"]))], table(conn, "SELECT * FROM t"))


@CLOUDS
def test_many_exports_into_one_prefix(place, kind):
    conn, c, _ = begin(place, kind)
    c.config(X, {**K, "name": "k", "parallel": 2}, {**INC, "name": "i"}, {**X, "name": "v", "format": "csv"})
    for more in (("--parallel-exports",), ("--parallel-export-processes",)):
        c.run(*more)
    for n in ("x", "k"):
        same_rows(c.dataset(n), table(conn, "SELECT * FROM t"))
    same_rows(c.dataset("i", incremental=True), table(conn, "SELECT * FROM t"))
    r = c.rivet("validate", *CLI, code=0)
    assert r.out.count("PASSED") == 4, r


@CLOUDS
def test_no_room_in_the_spool(place, kind):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
    conn.executescript("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80) "
                       "INSERT INTO t SELECT i, randomblob(100000) FROM n;")
    c = Corner(place, kind)
    os.mkdir(place.path("tmp"))
    given = " ".join(f"export {k}={shlex.quote(v)};" for k, v in c.env.items())
    for size in ("4m", "100k"):
        c.config(X)
        r = in_small_disk(place, "tmp", f"{given} RIVET_TMPDIR=$PWD/tmp $R run -c rivet.yaml; echo code $?; ls -A tmp | wc -l", size=size)
        assert r.out.split()[:2] == ["code", "1"] and place.path("tmp") in r.err and "free" in r.err, r
        assert r.out.split()[2] == "0" and c.names() == [], (r, c.names())
    c.run()
    assert len(c.dataset("x")) == 80


@CLOUDS
def test_nobody_there(place, kind):
    _, c, spool = begin(place, kind, 10)
    with c.behind() as m:
        c.endpoint = m.endpoint
        c.config(X)
    r = c.rivet("doctor", *CLI, code=2)
    assert f"[FAIL] Destination {c.store.label}({c.store.bucket}): connectivity error" in r.out, r
    if kind == "s3":  # six tries take six seconds
        c.run(code=2)
        assert len(os.listdir(spool)) == 1


@CLOUDS
def test_no_such_bucket(place, kind):
    _, c, _ = begin(place, kind, 10)
    c.config(X, dest={"bucket" if kind != "azure" else "container": "nobody-made-this"})
    r = c.rivet("doctor", *CLI, code=1)
    assert f"[FAIL] Destination {c.store.label}(nobody-made-this): bucket not found" in r.out, r
    r = c.run(code=1)
    assert "bucket not found" in r.err and "nobody-made-this" in r.err, r
    r = c.run("--json-errors", code=1)
    told = json.loads(r.err.splitlines()[-1])
    assert told["class"] == "generic" and told["kind"] in ("destination", "config", "permission") and not told["retryable"], told


@CLOUDS
def test_each_prefix_is_probed(place, kind):
    _, c, _ = begin(place, kind, 10)
    with c.behind() as m:
        c.config(*[{**X, "name": n, "destination": c.block(prefix=c.prefix + p)} for n, p in (("a", "one"), ("b", "two"), ("c", "two/"))])
        r = c.rivet("doctor", *CLI, code=0)
        assert r.out.count(f"[OK]  Destination {c.store.label}({c.store.bucket})") == 2, r
        probed = {re.search(r"(one|two)(?:/|%2F)", path)[1] for _, path in m.seen if "probe" in path}
        assert probed == {"one", "two"}, m.seen
        m.answer(500, WRITES)
        before = len(m.seen)
        c.rivet("doctor", *CLI, code=2)  # every failure passes by itself
        tries = [s for s in m.seen[before:] if s[0] in ("PUT", "POST")]
        assert len(tries) <= 4 and len(set(tries)) * 2 >= len(tries), tries  # a single attempt of each request
    assert c.names() == []
