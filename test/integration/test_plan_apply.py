"""plan and apply: what is sealed, what is refused, and that an applied plan is the run it planned."""
import copy
import datetime
import glob
import json
import os
import time

import pg
import sql_modes as modes
from lib import Place, same_rows, table



def scene(rows=1000, **export):
    p = Place()
    c = p.db("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, day DATE);"
             "CREATE TABLE u (id INTEGER PRIMARY KEY, v INTEGER)")
    c.executemany("INSERT INTO t VALUES (?,?,?)",
                  [(i, f"n{i}", f"2024-01-{i % 28 + 1:02d}") for i in range(1, rows + 1)])
    c.executemany("INSERT INTO u VALUES (?,?)", [(i, i * i) for i in range(1, 51)])
    c.commit()
    p.conn = c
    if export:
        p.config([{"name": "t", "table": "t", **export}])
    return p


def plan(p, *args, out="plan.json", code=0, **kw):
    r = p.rivet("plan", "--format", "json", "-o", out, *args, code=code, **kw)
    if code:
        return r
    with open(p.path(out), encoding="utf-8") as f:
        return json.load(f)


def save(p, name, doc, **changes):
    doc = copy.deepcopy(doc)
    doc.update(changes)
    return p.write(name, json.dumps(doc))


def ago(hours):
    t = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours)
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def ids(p, export="t", out="out"):
    return sorted(r["id"] for r in p.dataset(export, out))


def test_artifact_shape(_):
    p = scene(mode="chunked", chunk_column="id", chunk_size=100)
    before = open(p.path("rivet.yaml")).read()
    doc = plan(p)
    assert list(doc) == ["rivet_version", "plan_id", "created_at", "expires_at", "config_path", "export_name",
                         "strategy", "plan_fingerprint", "integrity", "resolved_plan", "computed", "diagnostics",
                         "prioritization"], list(doc)
    assert len(doc["plan_id"]) == 32 and doc["config_path"] == "rivet.yaml" and doc["export_name"] == "t"
    assert doc["strategy"] == "chunked(id, size=100)", doc["strategy"]
    made, ends = (datetime.datetime.fromisoformat(doc[k].replace("Z", "+00:00")) for k in ("created_at", "expires_at"))
    assert ends - made == datetime.timedelta(hours=24)
    c = doc["computed"]
    r = c["chunk_ranges"]
    assert c["chunk_count"] == len(r) == 10 and c["cursor_snapshot"] is None and c["row_estimate"] == 1000
    assert r[0]["lo"] is None and r[-1] == {"lo": "901", "hi": "1000", "hi_inclusive": True}
    assert all(a["hi"] == b["lo"] for a, b in zip(r, r[1:])) and not any("hi_inclusive" in x for x in r[:-1])
    assert set(doc["diagnostics"]) == {"verdict", "warnings", "recommended_profile", "strategy_rationale"}
    rec = doc["prioritization"]["export_recommendation"]
    assert set(rec) == {"export_name", "priority_score", "priority_class", "cost_class", "risk_class",
                        "recommended_wave", "isolate_on_source", "reasons"}
    assert doc["prioritization"]["campaign"]["waves"] == [{"wave": rec["recommended_wave"], "exports": ["t"]}]
    assert os.stat(p.path("plan.json")).st_mode & 0o777 == 0o600
    assert open(p.path("rivet.yaml")).read() == before, "one export planned: nothing is annotated"
    assert not os.path.exists(p.path(".rivet_state.db")) and not os.path.exists(p.path("out")), "plan only reads"
    p.close()


def test_strategies(_):
    """Every mode: the strategy's first word, and a plan applied after rows changed keeps its bounds."""
    cases = [({"mode": "full"}, "full", None),
             ({"mode": "incremental", "cursor_column": "id"}, "incremental", None),
             ({"mode": "chunked", "chunk_column": "id", "chunk_size": 300}, "chunked", 4),
             ({"mode": "chunked", "chunk_column": "id", "chunk_count": 3}, "chunked", 3),
             ({"mode": "chunked", "chunk_column": "id", "chunk_size": 250, "chunk_dense": True}, "chunked", 4),
             ({"mode": "chunked", "chunk_column": "day", "chunk_by_days": 7}, "chunked", 4),
             ({"mode": "chunked", "chunk_size": 400}, "chunked", 3),
             ({"mode": "chunked", "chunk_by_key": "id", "chunk_size": 300}, "keyset", None),
             ({"mode": "time_window", "time_column": "day", "days_window": 100000}, "timewindow", None)]
    for x, word, chunks in cases:
        p = scene(**x)
        doc = plan(p)
        assert doc["strategy"].startswith(word), (x, doc["strategy"])
        assert doc["computed"]["chunk_count"] == chunks, (x, doc["computed"])
        p.conn.execute("INSERT INTO t VALUES (5000, 'late', '2024-03-01')")
        p.conn.execute("DELETE FROM t WHERE id = 500")
        p.conn.commit()
        os.remove(p.path("rivet.yaml"))
        p.rivet("apply", "plan.json", code=0)
        late = [] if chunks else [5000]
        want = [i for i in range(1, 1001) if i != 500] + late
        assert ids(p) == want, (x, len(ids(p)))
        p.close()


def test_same_run_as_run(_):
    """Same names, manifest and journal as run; the chunks too."""
    a = scene(mode="chunked", chunk_column="id", chunk_size=100, chunk_checkpoint=True)
    b = scene(mode="chunked", chunk_column="id", chunk_size=100, chunk_checkpoint=True)
    a.rivet("run", code=0)
    plan(b)
    b.rivet("apply", "plan.json", code=0)
    (_, ma), (_, mb) = (next(iter(p.manifests("t").items())) if isinstance(p.manifests("t"), dict)
                        else (None, p.manifests("t")[0]) for p in (a, b))
    for m in (ma, mb):
        for k in ("run_id", "started_at", "finished_at"):
            m.pop(k)
        m["source"].pop("first_page_at"), m["source"].pop("last_page_at")
        for part in m["parts"]:
            part["path"] = part["path"].split("_", 3)[-1]
    assert ma == mb, (ma, mb)
    qa, qb = (table(p.state(), "SELECT strategy, plan_hash IS NOT NULL AS h, status FROM chunk_run") for p in (a, b))
    assert qa == qb
    assert json.load(open(b.path("plan.json")))["plan_fingerprint"] == \
        table(b.state(), "SELECT plan_hash FROM chunk_run")[0]["plan_hash"]
    ta, tb = (table(p.state(), "SELECT chunk_index, start_key, end_key, kind, rows_written FROM chunk_task") for p in (a, b))
    assert ta == tb
    ja, jb = (sorted({json.loads(line)["event"] for line in open(glob.glob(p.path(".rivet/runs/*/*.jsonl"))[0])})
              for p in (a, b))
    assert ja == jb, (ja, jb)
    a.close(), b.close()


def test_null_chunk_and_empty_table(_):
    p = Place()
    p.db("CREATE TABLE t (id INTEGER, v TEXT); CREATE INDEX ti ON t(id);"
         "INSERT INTO t VALUES (1,'a'),(2,'b'),(NULL,'n'),(9,'c'); CREATE TABLE e (id INTEGER PRIMARY KEY)")
    p.config([{"name": "t", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 5},
              {"name": "e", "table": "e", "mode": "chunked", "chunk_column": "id"}])
    docs = plan(p)
    assert docs[0]["computed"]["chunk_count"] == 2 and docs[1]["computed"]["chunk_ranges"] == []
    p.rivet("apply", "plan.json", code=0)
    assert sorted(r["v"] for r in p.dataset("t")) == ["a", "b", "c", "n"]
    p.close()


def test_age(_):
    p = scene(mode="full")
    doc = plan(p)
    r = p.rivet("apply", "plan.json", code=0)
    assert "old" not in r.err
    save(p, "h2.json", doc, created_at=ago(2))
    assert "the plan is 2h" in p.rivet("apply", "h2.json", code=0).err
    save(p, "h23.json", doc, created_at=ago(23.9))
    p.rivet("apply", "h23.json", code=0)
    save(p, "h24.json", doc, created_at=ago(24.01))
    runs = len(p.manifests("t"))
    r = p.rivet("apply", "h24.json", "--json-errors", code=5)
    e = json.loads(r.err.splitlines()[-1])
    assert e["class"] == "refusal" and e["kind"] == "plan" and e["exit_code"] == 5, e
    assert len(p.manifests("t")) == runs, "nothing ran"
    r = p.rivet("apply", "h24.json", "--force", "--json", code=0)
    x = json.loads(r.out)["per_export"][0]
    assert "expired" in x["forced"] and x["status"] == "success", x
    journal = "".join(open(f).read() for f in glob.glob(p.path(".rivet/runs/*/*.jsonl")))
    assert '"plan_forced"' in journal
    assert "forced" not in json.loads(p.rivet("apply", "plan.json", "--json", code=0).out)["per_export"][0]
    p.close()


def test_tampering(_):
    p = scene(mode="chunked", chunk_column="id", chunk_size=500)
    doc = plan(p)

    def leaves(node, path=()):
        if isinstance(node, dict):
            for k, v in node.items():
                yield from leaves(v, path + (k,))
        elif isinstance(node, list):
            for i, v in enumerate(node):
                yield from leaves(v, path + (i,))
        else:
            yield path
    n = 0
    for path in list(leaves({k: doc[k] for k in ("resolved_plan", "computed")})):
        bad = copy.deepcopy(doc)
        at = bad
        for k in path[:-1]:
            at = at[k]
        at[path[-1]] = "7" if at[path[-1]] != "7" else "8"
        p.write("bad.json", json.dumps(bad))
        p.rivet("apply", "bad.json", "--force", code=5)
        n += 1
    assert n >= 10, n
    bad = copy.deepcopy(doc)
    bad["computed"]["extra"] = 1
    p.write("bad.json", json.dumps(bad))
    p.rivet("apply", "bad.json", "--force", code=5)
    bad = copy.deepcopy(doc)
    bad["export_name"] = "other"
    p.write("bad.json", json.dumps(bad))
    p.rivet("apply", "bad.json", "--force", code=5)
    assert not os.path.exists(p.path("out")) and not os.path.exists(p.path(".rivet_state.db"))
    # written differently but meaning the same
    p.write("same.json", json.dumps(doc, sort_keys=True, separators=(",", ":"), ensure_ascii=True))
    p.rivet("apply", "same.json", code=0)
    p.close()


def test_corrupt_and_missing(_):
    p = scene(mode="full")
    doc = plan(p)
    text = json.dumps(doc)
    bad = {"a.json": "", "b.json": "{", "c.json": "[]", "d.json": "[1]", "e.json": "null", "f.json": "{}",
           "g.json": text[:-1], "h.json": text + "x", "i.json": json.dumps([doc, doc]), "j.json": "\x00",
           "k.json": json.dumps({**doc, "created_at": "yesterday"}), "l.json": json.dumps({**doc, "plan_id": None}),
           "m.json": json.dumps({k: v for k, v in doc.items() if k != "integrity"}), "n.json": "[" * 5000}
    for name, content in bad.items():
        p.write(name, content)
        r = p.rivet("apply", name, code=1)
        assert "only files made by `rivet plan` are accepted" in r.err, (name, r)
    assert "only files made by" in p.rivet("apply", "absent.json", code=1).err
    r = p.rivet("apply", "plan.txt", code=2)
    assert "Usage" in r.err and not any(x.startswith("Error:") for x in r.err.splitlines())
    p.rivet("apply", "plan.json", "--param", "A=1", code=2)
    p.rivet("apply", code=2)
    r = p.rivet("apply", "plan.json", "-e", "zz", code=1)
    assert "planned: t" in r.err
    p.close()


def test_cursor_drift(_):
    p = scene(mode="incremental", cursor_column="id")
    first = plan(p)
    assert first["computed"]["cursor_snapshot"] is None
    p.rivet("apply", "plan.json", code=0)
    r = p.rivet("apply", "plan.json", code=5)
    assert "cursor moved" in r.err and "'1000'" in r.err, r
    second = plan(p, out="two.json")
    assert second["computed"]["cursor_snapshot"] == "1000"
    p.conn.execute("INSERT INTO t VALUES (1001,'x','2024-01-01')")
    p.conn.commit()
    p.rivet("apply", "two.json", code=0)
    r = p.rivet("apply", "two.json", "--force", "--json", code=0)
    assert "cursor moved" in json.loads(r.out)["per_export"][0]["forced"]
    p.close()


def test_array_where_one_is_refused(_):
    """The others run; the worst code counts; --export picks one."""
    p = scene()
    p.config([{"name": "t", "table": "t", "mode": "incremental", "cursor_column": "id"},
              {"name": "u", "table": "u"}])
    docs = plan(p)
    assert [d["export_name"] for d in docs] == ["t", "u"]
    assert json.load(open(p.path("plan.t.json"))) == docs[0] and json.load(open(p.path("plan.u.json"))) == docs[1]
    p.rivet("apply", "plan.json", "-e", "t", code=0)
    assert not p.manifests("u")
    r = p.rivet("apply", "plan.json", "--json", code=5)
    doc = json.loads(r.out)
    assert doc["exit_code"] == 5 and doc["failed_count"] == 1 and doc["success_count"] == 1, doc
    assert {x["export_name"]: x["status"] for x in doc["per_export"]} == {"t": "failed", "u": "success"}
    assert len(p.manifests("u")) == 1
    p.rivet("apply", "plan.u.json", "--validate", "--reconcile", "--summary-output", "s.json", code=0)
    x = json.load(open(p.path("s.json")))["per_export"][0]
    assert x["validated"] is True and x["reconciled"] is True
    p.close()


def test_resume_across_run_and_apply(_):
    """A checkpoint left by apply is continued by run and by apply, and the other way round."""
    for first, second in (("apply", "run"), ("run", "apply"), ("apply", "apply")):
        p = scene(mode="chunked", chunk_column="id", chunk_size=100, chunk_checkpoint=True)
        plan(p)
        args = {"apply": ("apply", "plan.json"), "run": ("run",)}
        p.rivet("apply", "plan.json", "--resume", code=1)
        p.killed("unit-committed:4", *args[first])
        p.conn.execute("INSERT INTO t VALUES (5000, 'late', '2024-03-01')")
        p.conn.commit()
        r = p.rivet(*args[second], "--resume", code=0)
        assert "is continued" in r.err, r
        assert ids(p) == list(range(1, 1001)), (first, second, len(ids(p)))
        assert len(table(p.state(), "SELECT run_id FROM run_status")) == 1
        p.close()


SECRETS = {"DB_PASSWORD": "planted-pw-4711", "API_TOKEN": "planted-tok-4711"}


def test_secrets(_):
    p = scene()
    p.write("rivet.yaml", """
source: {type: sqlite, path: "${DB}"}
exports:
  - name: t
    query: "SELECT id, '${API_TOKEN}' AS tok, '${REGION}' AS region, '$${KEEP_KEY}' AS lit FROM t WHERE id <= ${TOP}"
    format: csv
    destination: {type: local, path: "out/${REGION}"}
""")
    env = {**SECRETS, "DB": "src.db", "REGION": "eu"}
    doc = plan(p, "--param", "TOP=3", env=env)
    text = open(p.path("plan.json")).read()
    assert "planted" not in text
    x = doc["resolved_plan"]["export"]
    assert x["query"] == "SELECT id, '${API_TOKEN}' AS tok, 'eu' AS region, '$${KEEP_KEY}' AS lit FROM t WHERE id <= 3", x
    assert x["destination"]["path"] == "out/eu" and doc["resolved_plan"]["removed"] == []
    r = p.rivet("apply", "plan.json", code=1)
    assert "API_TOKEN" in r.err and "set them for `rivet apply`" in r.err, r
    p.rivet("apply", "plan.json", env={"API_TOKEN": "other-secret"}, code=0)
    rows = open(glob.glob(p.path("out/eu/*.csv"))[0]).read()
    assert rows.splitlines()[1:] == ["%d,other-secret,eu,${KEEP_KEY}" % i for i in (1, 2, 3)], rows
    p.rivet("plan", "--format", "json", "--param", "TOP=3", env=env, code=0)
    out = p.rivet("plan", "--format", "json", "--param", "TOP=3", env=env, code=0).out
    assert json.loads(out)["integrity"] == doc["integrity"]
    p.write("o.json", out)
    p.rivet("apply", "o.json", env=env, code=0)
    p.close()


def test_unreadable_source_writes_nothing(_):
    p = scene()
    p.config([{"name": "t", "table": "t"}, {"name": "gone", "table": "gone"}])
    before = open(p.path("rivet.yaml")).read()
    r = plan(p, code=1)
    assert "gone" in r.err
    p.config([{"name": "t", "table": "t"}], source="absent.db")
    plan(p, code=1)
    assert not glob.glob(p.path("plan*")), os.listdir(p.dir)
    p.rivet("plan", "-o", "x.json", code=2)
    p.rivet("plan", "--annotate-waves", "--no-annotate-waves", code=2)
    p.close()
    assert before


def test_state_beside_the_plan(_):
    p = scene(mode="incremental", cursor_column="id")
    p.config([{"name": "t", "table": "t", "mode": "incremental", "cursor_column": "id",
               "destination": {"type": "local", "path": p.path("out")}}])
    plan(p)
    q = Place()
    os.rename(p.path("plan.json"), q.path("plan.json"))
    r = q.rivet("apply", "plan.json", code=0)
    assert "beside the plan" in r.err and os.path.exists(q.path(".rivet_state.db"))
    assert ids(p) == list(range(1, 1001))
    p.close(), q.close()


BLOCK = """# campaign
source: {type: sqlite, path: src.db, tuning: {throttle_ms: 0}}
exports:
  - name: t          # the table
    table: t
    format: parquet
    destination: {type: local, path: out}

  # the other one
  - name: u
    table: u
    format: parquet
    destination: {type: local, path: out}
"""


def test_annotation(_):
    p = scene()
    p.write("rivet.yaml", BLOCK)
    p.rivet("plan", "--no-annotate-waves", code=0)
    p.rivet("plan", "-e", "t", code=0)
    assert open(p.path("rivet.yaml")).read() == BLOCK
    out = p.rivet("plan", code=0)
    for word in ("Plan ID:", "Created:", "Expires:", "Export:", "Strategy:", "Fingerprint:", "Chunks:", "Row est.:",
                 "Verdict:", "Profile:", "Warnings:", "Resources:", "Output:", "Format:", "Priority:", "Campaign"):
        assert word in out.out, (word, out.out)
    text = open(p.path("rivet.yaml")).read()
    kept = [x for x in text.splitlines() if "wave:" not in x and "parallel_safe:" not in x]
    assert kept == BLOCK.splitlines() and text.count("wave: 3") == 2 and text.count("parallel_safe: true") == 2, text
    edited = text.replace("wave: 3", "wave: 9", 1)
    p.write("rivet.yaml", edited)
    p.rivet("plan", code=0)
    assert open(p.path("rivet.yaml")).read() == edited
    p.rivet("plan", "-e", "t", "--annotate-waves", code=0)
    assert open(p.path("rivet.yaml")).read() == text
    p.write("rivet.yaml", BLOCK)
    os.chmod(p.path("rivet.yaml"), 0o444)
    assert "read-only" in p.rivet("plan", code=0).err
    assert open(p.path("rivet.yaml")).read() == BLOCK
    os.chmod(p.path("rivet.yaml"), 0o644)
    p.config([{"name": "t", "table": "t"}, {"name": "u", "table": "u"}])
    flow = open(p.path("rivet.yaml")).read()
    assert "flow style" in p.rivet("plan", code=0).err
    assert open(p.path("rivet.yaml")).read() == flow
    p.close()


def waves_config(p, key="", **waves):
    text = key + "source: {type: sqlite, path: src.db, tuning: {throttle_ms: 0}}\nexports:\n"
    for name, lines in waves.items():
        text += f"  - name: {name}\n    table: u\n    format: csv\n    destination: {{type: local, path: out/{name}}}\n"
        text += "".join(f"    {x}\n" for x in lines)
    p.write("rivet.yaml", text)


def spans(p):
    rows = table(p.state(), "SELECT export_name, started_at, finished_at FROM run_status")
    return {r["export_name"]: (r["started_at"], r["finished_at"]) for r in rows}


def test_waves_in_order(_):
    """Ascending, with a barrier; failures stop nothing; the worst code counts."""
    for extra in ((), ("--parallel-export-processes",)):
        p = scene()
        waves_config(p, c=["wave: 30"], a=["wave: 2", "parallel_safe: true"], b=["wave: 2", "parallel_safe: true"],
                     bad=["wave: 1", "query: SELECT 1"], z=["wave: 2"])
        p.write("rivet.yaml", open(p.path("rivet.yaml")).read().replace(
            "  - name: bad\n    table: u\n", "  - name: bad\n").replace("query: SELECT 1", "query: SELECT * FROM nope"))
        r = p.rivet("apply", "rivet.yaml", *extra, "--json", code=1)
        doc = json.loads(r.out)
        status = {x["export_name"]: x["status"] for x in doc["per_export"]}
        assert status == {"bad": "failed", "a": "success", "b": "success", "z": "success", "c": "success"}, status
        assert [x["export_name"] for x in doc["per_export"]][0] == "bad" and \
            [x["export_name"] for x in doc["per_export"]][-1] == "c"
        t = spans(p)
        second = [t[x] for x in ("a", "b", "z")]
        assert max(f for _, f in second) <= t["c"][0], t
        assert t["bad"][1] <= min(s for s, _ in second), t
        assert max(t["a"][1], t["b"][1]) <= t["z"][0], "the one that is not parallel_safe runs alone"
        assert doc["parallel_mode"] == ("processes" if extra else "sequential")
        p.close()


def test_missing_waves_are_computed(_):
    p = scene()
    waves_config(p, late=["mode: chunked", "chunk_column: id", "chunk_size: 5", "reconcile_required: true"], soon=["mode: incremental", "cursor_column: id"])
    before = open(p.path("rivet.yaml")).read()
    r = p.rivet("apply", "rivet.yaml", "--json", code=0)
    assert [x["export_name"] for x in json.loads(r.out)["per_export"]] == ["soon", "late"]
    assert open(p.path("rivet.yaml")).read() == before
    p.rivet("apply", "rivet.yaml", "-e", "late", code=0)
    assert "--force does nothing" in p.rivet("apply", "rivet.yaml", "--force", code=0).err
    p.close()


def test_resume_of_waves(_):
    """--resume goes on with the aggregate: what is complete is skipped."""
    p = scene()
    waves_config(p, a=["wave: 1"], b=["wave: 2", "query: SELECT * FROM later"])
    p.write("rivet.yaml", open(p.path("rivet.yaml")).read().replace("  - name: b\n    table: u\n", "  - name: b\n"))
    p.rivet("apply", "rivet.yaml", code=1)
    p.conn.execute("CREATE TABLE later AS SELECT * FROM u")
    p.conn.commit()
    r = p.rivet("apply", "rivet.yaml", "--resume", "--json", code=0)
    x = {e["export_name"]: (e["status"], e["skip_reason"]) for e in json.loads(r.out)["per_export"]}
    assert x == {"a": ("skipped", "already complete"), "b": ("success", None)}, x
    p.close()


def test_everything_a_configuration_may_hold(_):
    """Query files, anchors, merges, maps and lists are in the plan; nothing else is read again."""
    p = scene()
    p.write("q.sql", "SELECT id, name, '${REGION}' AS region FROM t WHERE id <= 20;\n")
    p.write("rivet.yaml", """
source: {type: sqlite, path: src.db, tuning: &t {throttle_ms: 0, batch_size: 7}}
project: shop
exports:
  - &a
    name: a
    query_file: q.sql
    format: parquet
    tuning: *t
    compression: zstd
    compression_level: 9
    max_file_size: 1.5MB
    meta_columns: {row_hash: [id, name]}
    quality: {null_ratio_max: {name: 0.5}, unique_columns: [id], row_count_min: 1}
    columns: {name: text}
    destination: {type: local, path: "out/{export}"}
  - <<: *a
    name: b
    query_file: ~
    query: "SELECT id, name FROM t WHERE name <> '$${x}'"
""")
    env = {"REGION": "eu"}
    docs = plan(p, env=env)
    for f in ("q.sql", "rivet.yaml"):
        os.remove(p.path(f))
    p.rivet("apply", "plan.json", code=0)
    rows = p.dataset("a", "out/a")
    assert len(rows) == 20 and all(r["region"] == "eu" and r["_rivet_row_hash"] is not None for r in rows)
    assert len(p.dataset("b", "out/b")) == 1000
    assert docs[0]["resolved_plan"]["project"] == "shop"
    assert {r["project"] for r in table(p.state(), "SELECT project FROM run_status")} == {"shop"}
    p.close()


def test_interrupted(_):
    """SIGTERM ends an applied plan resumable, and the way on is the plan."""
    p = scene(mode="chunked", chunk_column="id", chunk_size=10, chunk_checkpoint=True,
              tuning={"throttle_ms": 100})
    plan(p)
    child = p.start("apply", "plan.json")
    while not os.path.isdir(p.path("out")) or len([x for x in os.listdir(p.path("out")) if "chunk" in x]) < 3:
        assert child.poll() is None
        time.sleep(0.02)
    child.terminate()
    _out, err = child.communicate(timeout=60)
    assert child.returncode == 143, err
    assert b"rivet apply plan.json -e t --resume" in err, err.decode()
    p.rivet("apply", "plan.json", "-e", "t", "--resume", code=0)
    assert ids(p) == list(range(1, 1001))
    p.close()


def test_every_postgres_mode_planned_and_applied(place):
    """Plans of every mode and strategy give what run gives; rows that came after them wait."""
    with pg.database(15) as db:
        pg.simple(db)
        targets = modes.targets_with(2)
        pg.config(place, {"url_env": "PG_URL"}, targets)
        env = {"PG_URL": db.url()}
        docs = plan(place, env=env)
        os.remove(place.path("rivet.yaml"))
        assert len(docs) == len(targets)
        want = db.rows(f"SELECT {modes.COLUMNS} FROM t")
        for d in docs:
            assert d["resolved_plan"]["source"]["url_env"] == "PG_URL"
            r = d["computed"]["chunk_ranges"]
            assert r is None or (r[0]["lo"] is None and r[-1]["hi_inclusive"] is True
                                 and all(a["hi"] == b["lo"] for a, b in zip(r, r[1:]))), d["export_name"]
        place.rivet("apply", "plan.json", "--validate", "--reconcile", env=env, code=0)
        for x in targets:
            same_rows(place.dataset(x["name"], f"out/{x['name']}"), want)
        place.rivet("apply", "plan.json", "-e", "inc", env=env, code=5)


def test_postgres_passwords(place):
    """A password in the configuration is no part of the plan, and apply says how to give it."""
    with pg.database(15) as db:
        pg.simple(db, 10)
        url = db.url(password="planted-4711")
        x = {"name": "x", "table": "t"}
        for source, works, env in (({"url": url}, False, {}), ({"url": "${PG_URL}"}, True, {"PG_URL": url}),
                                   ({"url": url.replace("planted-4711", "${PG_PW}")}, True, {"PG_PW": "planted-4711"}),
                                   ({"url_env": "PG_URL"}, True, {"PG_URL": url})):
            pg.config(place, source, [x])
            r = place.rivet("plan", "--format", "json", "-o", "plan.json", env=env, code=0)
            assert "planted" not in open(place.path("plan.json")).read() + r.out + r.err
            assert ("*** for a secret in source.url" in r.err) != works, r
            r = place.rivet("apply", "plan.json", env=env, code=0 if works else 1)
            assert "planted" not in r.err
            assert works or ("source.url" in r.err and "url_env" in r.err), r
