"""The command line as its contract describes it: streams, exit codes, JSON shapes, signals, secrets.
Every expectation is taken from the contract, none from what the program happens to print."""
import io
import json
import os
import re
import signal
import sqlite3
import stat
import subprocess
import time

import pyarrow.parquet as pq

import lib
from lib import SIMPLE, fill, same_rows, table

QUICK = "throttle_ms: 0, retry_backoff_ms: 1, lock_timeout_s: 1, max_retries: 1"
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$")
AGGREGATE = ["run_aggregate_id", "rivet_version", "config_path", "parallel_mode", "started_at", "finished_at", "duration_ms",
             "total_exports", "success_count", "failed_count", "skipped_count", "total_rows", "total_files", "total_bytes",
             "total_bytes_read", "exit_code", "per_export"]
PER_EXPORT = ["export_name", "status", "run_id", "rows", "files", "bytes", "bytes_read", "duration_ms", "mode", "error_message",
              "skip_reason", "error_code", "error_class", "format", "started_at", "peak_rss_mb", "retries", "validated",
              "schema_changed", "quality_passed", "reconciled", "consistency", "tuning_profile"]
RUN_STATUS = "run_id project export_name aggregate_id mode stem destination prefix date_token status epoch owner_token owner " \
             "plan_hash cursor_low cursor_bound checks manifest_json cleared host boot_id pid_ns pid pid_start heartbeat_at " \
             "started_at finished_at"
METRICS = "id run_id project export_name run_at duration_ms total_rows peak_rss_mb status error_message error_class tuning_profile " \
          "batch_size batch_size_memory_mb chunk_size parallel format mode source_type destination_type files_produced " \
          "files_committed bytes_written bytes_read retries validated schema_changed quality_passed reconciled source_count " \
          "skip_reason schema_fingerprint longest_chunk_ms pg_temp_bytes_delta rivet_version"
FILE_LOG = "id run_id project export_name prefix unit part_index chunk_index file_name row_count bytes format compression " \
           "fingerprint md5 spool_path upload_id status listed_by cursor_high created_at"
STATE = "project export_name last_cursor_value cursor_type cursor_ties keyset_high key_columns owner last_run_at last_run_id"
TASK = "run_id chunk_index start_key end_key kind status attempts last_error rows_written file_name updated_at"
KINDS = set("config usage connection auth permission timeout lock capacity source destination data schema state plan interrupt internal".split())
ACTIONS = set("fix_config fix_access fix_source retry wait inspect_data review_schema choose report".split())

X = {"name": "x", "table": "t"}
INC = {"name": "inc", "table": "t", "mode": "incremental", "cursor_column": "id"}
CHUNK = {"name": "ch", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 100, "chunk_checkpoint": True}


def make(place, exports=(X,), rows=300, tuning=QUICK, **kw):
    conn = place.db(SIMPLE)
    fill(conn, rows)
    place.config(list(exports), tuning=tuning, **kw)
    return conn


# --- grammar --------------------------------------------------------------------------------------

def test_alone_prints_the_help_on_stderr(place):
    r = place.rivet(code=2)
    assert r.out == "" and "Usage:" in r.err, r


def test_version_and_help(place):
    r = place.rivet("--version", code=0)
    assert re.fullmatch(r"rivet \d+\.\d+\.\d+\n", r.out) and r.err == "", r
    assert place.rivet("-V", code=0).out == r.out
    for args in (("--help",), ("-h",), ("run", "--help"), ("--help", "run"), ("state", "files", "-h")):
        r = place.rivet(*args, code=0)
        assert "Usage:" in r.out and r.err == "", (args, r)


def test_usage_errors(place):
    make(place)
    for args in (("run", "--bogus"), ("bogus",), ("run", "-p", "novalue"), ("validate", "--json", "--format", "pretty"),
                 ("validate", "-o", "f.json"), ("validate", "--format", "pretty", "-o", "f.json"), ("run", "-e"),
                 ("metrics", "-l", "many"), ("validate", "--depth", "deep"), ("state", "bogus"), ("journal",), ("run", "extra"),
                 ("run", "--json=yes"), ("state", "set-cursor", "-e", "x"), ("--lock-wait", "soon", "run"), ("completions", "tcsh"),
                 ("init",), ("init", "--source", "sqlite:a", "--source-env", "B")):
        r = place.rivet(*args, code=2)
        assert r.out == "" and "sage" in r.err, (args, r)
        assert not any(line.startswith("Error:") for line in r.err.splitlines()), (args, r)
        assert not os.path.exists(place.path("out")) and not os.path.exists(place.path("f.json"))


def test_usage_error_as_json(place):
    r = place.rivet("--json-errors", "run", "--bogus", code=2)
    (line,) = r.err.splitlines()
    e = json.loads(line)
    assert e["class"] == "usage" and e["kind"] == "usage" and e["exit_code"] == e["exit_class"] == 2, e


def test_spellings(place):
    make(place)
    for args in (("run", "-c", "rivet.yaml"), ("run", "--config=rivet.yaml"), ("run", "-crivet.yaml"), ("run",),
                 ("run", "--no-notify", "--lock-wait=0", "-e", "x"), ("--no-notify", "--lock-wait", "0", "run", "-ex"),
                 ("run", "--export=x", "--")):
        place.rivet(*args, code=0)


def test_config_path_as_given(place):
    make(place)
    for given in ("rivet.yaml", "./rivet.yaml", place.path("rivet.yaml")):
        r = place.rivet("run", "-c", given, "--json", code=0)
        assert json.loads(r.out)["config_path"] == given


def test_no_config_is_a_usage_error(place):
    r = place.rivet("run", code=2)
    assert r.out == "" and not any(line.startswith("Error:") for line in r.err.splitlines()), r


def test_unknown_export(place):
    make(place, [{"name": "invoices", "table": "t"}, {"name": "orders", "table": "t"}])
    for command in ("run", "check", "validate"):
        r = place.rivet(command, "-c", "rivet.yaml", "-e", "invoice", code=1)
        assert r.out == "" and "invoices" in r.err and "orders" in r.err and "Error: " in r.err, r
        assert "did you mean 'invoices'" in r.err, r
    for command in ("metrics", "journal"):
        place.rivet(command, "-c", "rivet.yaml", "-e", "nobody", code=1)


def test_params(place):
    make(place, [{"name": "q", "query": "SELECT * FROM t WHERE grp = ${G}"}])
    r = place.rivet("run", "-c", "rivet.yaml", "-p", "G=1", "--param", "G=2", "-pUNUSED=1", code=0)
    assert {row["grp"] for row in place.dataset("q")} == {2}
    warned = [line for line in r.err.splitlines() if "[WARN]" in line and "UNUSED" in line]
    assert len(warned) == 1, r.err


# --- run and its JSON -----------------------------------------------------------------------------

def test_aggregate_json(place):
    make(place, [X, INC, {"name": "no", "table": "nothing"}, {"name": "skip", "query": "SELECT * FROM t WHERE 0", "skip_empty": True}])
    r = place.rivet("run", "-c", "rivet.yaml", "--json", "--summary-output", "sum.json", code=1)
    a = json.loads(r.out)
    assert list(a) == AGGREGATE, list(a)
    assert all(list(e) == PER_EXPORT for e in a["per_export"]), list(a["per_export"][0])
    assert a == json.load(open(place.path("sum.json")))
    assert a["exit_code"] == 1 and a["parallel_mode"] == "sequential"
    assert (a["total_exports"], a["success_count"], a["failed_count"], a["skipped_count"]) == (4, 2, 1, 1)
    assert a["total_rows"] == 600 and a["total_files"] == 2
    assert STAMP.match(a["started_at"]) and STAMP.match(a["finished_at"])
    by = {e["export_name"]: e for e in a["per_export"]}
    assert [e["export_name"] for e in a["per_export"]] == ["x", "inc", "no", "skip"]
    x = by["x"]
    assert x["status"] == "success" and x["rows"] == 300 and x["files"] == 1 and x["mode"] == "full" and x["format"] == "parquet"
    assert x["error_message"] is x["error_code"] is x["error_class"] is x["skip_reason"] is None
    assert x["validated"] is None and x["quality_passed"] is None and x["reconciled"] is None and x["schema_changed"] is False
    assert re.fullmatch(r"x_\d{8}T\d{6}\.\d{3}", x["run_id"]) and STAMP.match(x["started_at"]) and x["retries"] == 0
    assert x["bytes"] == sum(p["size_bytes"] for p in place.manifests("x")[0]["parts"])
    assert a["total_bytes"] == sum(e["bytes"] or 0 for e in a["per_export"])
    no = by["no"]
    assert no["status"] == "failed" and no["error_class"] == "generic" and no["error_code"].startswith("RIVET_") and "nothing" in no["error_message"]
    assert by["skip"]["status"] == "skipped" and by["skip"]["skip_reason"] and by["skip"]["files"] == 0


def test_validate_flag_shows(place):
    make(place)
    r = place.rivet("run", "-c", "rivet.yaml", "--validate", "--json", code=0)
    assert json.loads(r.out)["per_export"][0]["validated"] is True
    time.sleep(1.1)
    r = place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
    assert re.search(r"^  validated:   pass$", r.err, re.M), r.err


def test_block_on_stderr(place):
    make(place, [X, INC])
    r = place.rivet("run", "-c", "rivet.yaml", code=0)
    assert r.out == "", r.out
    for name in ("x", "inc"):
        assert f"── {name} ──" in r.err
    for label, value in (("run_id", r"x_\d{8}T\d{6}\.\d{3}"), ("status", "success"), ("rows", "300"), ("files", "1"),
                         ("duration", r"\d+ms|\d+\.\ds"), ("output", r"file://\./out"), ("bytes", r"[\d.]+ (B|KB|MB)"),
                         ("tuning", "profile=balanced .*"), ("peak RSS", r"\d+MB \(sampled during run\)")):
        assert re.search(rf"^  {re.escape(label + ':').ljust(12)} +(?:{value})$".replace("\\ ", " "), r.err, re.M), (label, r.err)
    assert "── Run summary (2 exports) ──" in r.err
    time.sleep(1.1)
    r = place.rivet("run", "-c", "rivet.yaml", "-e", "x", code=0)
    assert "Run summary" not in r.err


def test_skipped_says_why(place):
    make(place, [{**INC, "skip_empty": True}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    r = place.rivet("run", "-c", "rivet.yaml", code=0)
    assert re.search(r"^  status:      skipped \(no new rows since cursor '300'\)$", r.err, re.M), r.err
    j = json.loads(place.rivet("run", "-c", "rivet.yaml", "--json", code=0).out)
    assert j["skipped_count"] == 1 and j["per_export"][0]["skip_reason"] == "no new rows since cursor '300'", j


def test_log_levels_and_format(place):
    make(place)
    log = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[(ERROR|WARN|INFO|DEBUG|TRACE)\] ", re.M)
    seen = {}
    for level in ("off", "error", "warn", "info", "debug", "trace"):
        r = place.rivet("run", "-c", "rivet.yaml", "-p", "UNUSED=1", env={"RIVET_LOG": level}, code=0)
        seen[level] = log.findall(r.err)
        assert r.out == ""
        time.sleep(0.05)
    assert not seen["off"] and not seen["error"] and "WARN" in seen["warn"] and "INFO" not in seen["warn"], seen
    assert "INFO" in seen["info"] and len(seen["trace"]) >= len(seen["debug"]) >= len(seen["info"]), seen
    r = place.rivet("run", "-c", "rivet.yaml", env={"RUST_LOG": "info,tokio=trace"}, code=0)
    assert "INFO" in log.findall(r.err)
    r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", env={"RIVET_LOG": "info", "RIVET_LOG_FORMAT": "json"}, code=0)
    for line in r.err.splitlines():
        json.loads(line)


# --- errors and exit codes ------------------------------------------------------------------------

def assert_error_line(e, **want):
    for key in ("error", "code", "class", "exit_class", "exit_code", "kind", "retryable", "action"):
        assert key in e, (key, e)
    assert e["exit_class"] == e["exit_code"] and e["kind"] in KINDS and e["action"] in ACTIONS, e
    assert e["code"].startswith("RIVET_") and isinstance(e["retryable"], bool), e
    for k, v in want.items():
        assert e[k] == v, (k, e)


def test_json_errors(place):
    make(place, [X, {"name": "no", "table": "nothing"}])
    r = place.rivet("run", "-c", "rivet.yaml", "-e", "x", "--json-errors", "-p", "UNUSED=1", code=0)
    assert r.err == "" and r.out == "", r
    r = place.rivet("run", "-c", "rivet.yaml", "-e", "no", "--json-errors", code=1)
    (line,) = r.err.splitlines()
    assert_error_line(json.loads(line), exit_code=1, export="no", **{"class": "generic"}, retryable=False)
    assert json.loads(line)["error"].startswith("export 'no': ")


def test_json_errors_of_several(place):
    conn = make(place, [{"name": "a", "table": "t", "on_schema_drift": "fail"}, {"name": "b", "table": "nothing"}, X])
    place.rivet("run", "-c", "rivet.yaml", "-e", "a", code=0)
    conn.execute("ALTER TABLE t ADD COLUMN extra")
    conn.commit()
    r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", code=4)  # drift outranks generic
    lines = [json.loads(line) for line in r.err.splitlines()]
    assert len(lines) == 3, lines
    assert_error_line(lines[0], export="a", exit_code=4, **{"class": "schema_drift"})
    assert_error_line(lines[1], export="b", exit_code=1)
    last = lines[2]
    assert last["exit_code"] == 4 and [(f["export"], f["class"], f["exit_class"]) for f in last["failures"]] == \
        [("a", "schema_drift", 4), ("b", "generic", 1)], last
    assert all(set(f) >= {"export", "table", "code", "class", "exit_class"} for f in last["failures"]), last
    assert len(place.dataset("x")) == 300  # every one was attempted


def test_human_errors(place):
    make(place, [{"name": "no", "table": "nothing"}])
    r = place.rivet("run", "-c", "rivet.yaml", code=1)
    at = [k for k, line in enumerate(r.err.splitlines()) if line.startswith("Error: ")]
    assert len(at) == 1, r.err
    for line in r.err.splitlines()[at[0] + 1:]:
        assert line.startswith(("  cause: ", "  hint: ")), r.err


def test_codes_are_all_documented(place):
    known = {c["code"]: c for c in json.loads(place.rivet("schema", "errors", "--json", code=0).out)}
    assert all(c["kind"] in KINDS and c["action"] in ACTIONS and c["meaning"] for c in known.values())
    make(place, [{"name": "no", "table": "nothing"}])
    for args in (("run",), ("run", "-e", "zz"), ("run", "-c", "nowhere.yaml"), ("run", "--bogus"), ("validate", "--run-id", "q")):
        r = place.rivet(*args, "--json-errors")
        for line in r.err.splitlines():
            e = json.loads(line)
            assert e["code"] in known and known[e["code"]]["class"] == e["class"], (args, e)


def test_a_live_lease(place):
    conn = make(place, [{**X, "tuning": {"throttle_ms": 400, "batch_size": 100}}], rows=600)
    p = place.start("run", "-c", "rivet.yaml")
    deadline = time.time() + 10
    while time.time() < deadline and not os.path.exists(place.path(".rivet_state.db")):
        time.sleep(0.02)
    time.sleep(0.4)
    r = place.rivet("run", "-c", "rivet.yaml", code=2)
    (run_id,) = re.findall(r"x_\d{8}T\d{6}\.\d{3}", r.err.split("Error: ")[1])[:1]
    assert str(p.pid) in r.err and os.uname().nodename in r.err and run_id, r.err
    r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", code=2)
    assert_error_line(json.loads(r.err.splitlines()[-1]), **{"class": "retryable"}, retryable=True, exit_code=2)
    r = place.rivet("state", "finish-run", "--run-id", run_id, "-c", "rivet.yaml", code=2)
    place.rivet("--lock-wait", "60", "run", "-c", "rivet.yaml", code=0)
    p.communicate()
    assert p.returncode == 0
    assert len(place.manifests("x")) == 2
    same_rows(place.dataset("x"), table(conn, "SELECT * FROM t"))


# --- stdout as a destination ----------------------------------------------------------------------

def piped(place, *args, code=0, env=None):
    p = place.start(*args, env=env)
    out, err = p.communicate(timeout=60)
    assert p.returncode == code, err.decode()
    return out, err.decode()


def test_csv_to_a_pipe(place):
    make(place, [{"name": "o", "table": "t", "format": "csv", "destination": {"type": "stdout"}}, {"name": "f", "table": "t", "format": "csv"}])
    place.rivet("run", "-c", "rivet.yaml", "-e", "f", code=0)
    (part,) = place.manifests("f")[0]["parts"]
    want = open(place.path("out", part["path"]), "rb").read()
    for env in ({}, {"RIVET_LOG": "trace"}, {"RIVET_LOG": "trace", "RIVET_LOG_FORMAT": "json"}):
        out, err = piped(place, "run", "-c", "rivet.yaml", "-e", "o", env=env)
        assert out == want
        assert "── o ──" in err or env.get("RIVET_LOG_FORMAT")
    out, _ = piped(place, "run", "-c", "rivet.yaml", "-e", "o", "--summary-output", "s.json", "--validate")
    assert out == want and json.load(open(place.path("s.json")))["per_export"][0]["rows"] == 300


def test_parquet_to_a_pipe(place):
    conn = make(place, [{"name": "o", "table": "t", "destination": {"type": "stdout"}}], rows=5000)
    out, _ = piped(place, "run", "-c", "rivet.yaml")
    same_rows(pq.ParquetFile(io.BytesIO(out), page_checksum_verification=True).read().to_pylist(), table(conn, "SELECT * FROM t"))
    assert not os.path.exists(place.path("out"))


def test_json_is_refused_beside_exported_bytes(place):
    make(place, [{"name": "o", "table": "t", "format": "csv", "destination": {"type": "stdout"}}])
    out, err = piped(place, "run", "-c", "rivet.yaml", "--json", code=1)
    assert out == b"" and "--summary-output" in err and "Error: " in err, err


def test_failed_stdout_export(place):
    make(place, [{"name": "o", "table": "nothing", "format": "csv", "destination": {"type": "stdout"}}])
    out, err = piped(place, "run", "-c", "rivet.yaml", code=1)
    assert out == b"" and "Error: " in err


def test_broken_pipe_moves_no_cursor(place):
    make(place, [{**INC, "format": "csv", "destination": {"type": "stdout"}}], rows=50000)
    p = place.start("run", "-c", "rivet.yaml")
    p.stdout.read(10)
    p.stdout.close()
    err = p.stderr.read().decode()
    assert p.wait(60) == 1 and err.count("Error: ") == 1, err
    assert place.state().execute("SELECT count(*) FROM export_state WHERE last_cursor_value IS NOT NULL").fetchone()[0] == 0


def test_broken_pipe_is_quiet_for_listings(place):
    make(place, [X])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    for args in (("state", "files"), ("metrics",), ("metrics", "--json"), ("schema", "config"), ("schema", "cli"), ("state", "runs", "--json"),
                 ("journal", "-e", "x"), ("--help",), ("schema", "errors")):
        read, write = os.pipe()
        os.close(read)
        env = {k: v for k, v in os.environ.items() if not k.startswith("RIVET_")}
        p = subprocess.run([lib.RIVET, *args], cwd=place.dir, stdout=write, stderr=subprocess.PIPE, env=env, timeout=60, check=False)
        os.close(write)
        assert p.returncode == 0 and p.stderr == b"", (args, p.returncode, p.stderr)


# --- signals --------------------------------------------------------------------------------------

def interrupted(place, exports, number, code, after=0.8):
    conn = make(place, exports, rows=3000, tuning="throttle_ms: 300, batch_size: 200")
    p = place.start("run", "-c", "rivet.yaml")
    time.sleep(after)
    assert p.poll() is None, p.communicate()
    p.send_signal(number)
    started = time.time()
    _, err = p.communicate(timeout=60)
    err = err.decode()
    assert p.returncode == code, (p.returncode, err)
    assert time.time() - started < 10
    assert "_SUCCESS" not in place.files() and "manifest.json" not in place.files(), place.files()
    name = exports[0]["name"]
    if exports[0].get("chunk_checkpoint"):  # nothing else can be resumed by a flag
        assert re.search(rf"^  resume:      rivet run -c rivet.yaml -e {name} --resume$", err, re.M), err
    (status,) = place.state().execute("SELECT status FROM run_status").fetchone()
    assert status == "interrupted", status
    assert place.state().execute("SELECT status FROM export_metrics").fetchall() == [("interrupted",)]
    assert place.state().execute("SELECT count(*) FROM export_state WHERE last_cursor_value IS NOT NULL").fetchone()[0] == 0
    for m in place.manifests(name):
        assert m["status"] == "interrupted", m
    place.config(exports, tuning=QUICK)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset(name), table(conn, "SELECT * FROM t"))
    same_rows(place.glob_rows(name), table(conn, "SELECT * FROM t"))
    return err


def test_sigint(place):
    interrupted(place, [X], signal.SIGINT, 130)


def test_sigterm_in_a_checkpoint(place):
    interrupted(place, [CHUNK], signal.SIGTERM, 143)


def test_sigint_in_an_incremental(place):
    interrupted(place, [INC], signal.SIGINT, 130)


def test_sighup(place):
    interrupted(place, [X], signal.SIGHUP, 143)


def test_second_signal_exits_at_once(place):
    make(place, [X], rows=3000, tuning="throttle_ms: 5000, batch_size: 50")
    p = place.start("run", "-c", "rivet.yaml")
    time.sleep(0.7)
    p.send_signal(signal.SIGINT)
    p.send_signal(signal.SIGINT)
    started = time.time()
    p.communicate(timeout=30)
    assert p.returncode == 130 and time.time() - started < 2


def test_signal_json(place):
    make(place, [X], rows=3000, tuning="throttle_ms: 300, batch_size: 200")
    p = place.start("run", "-c", "rivet.yaml", "--json", "--json-errors")
    time.sleep(0.7)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=30)
    a = json.loads(out)
    assert p.returncode == 130 == a["exit_code"] and a["per_export"][0]["status"] == "interrupted", a
    assert_error_line(json.loads(err.decode().splitlines()[-1]), exit_code=130, kind="interrupt", **{"class": "interrupted"})


# --- state, metrics, journal, check, doctor, validate ---------------------------------------------

def test_state_json_uses_the_column_names(place):
    make(place, [X, INC, CHUNK])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    for args, keys in ((("state", "runs"), RUN_STATUS), (("state", "files"), FILE_LOG), (("metrics",), METRICS),
                       (("state", "show"), STATE)):
        rows = json.loads(place.rivet(*args, "-c", "rivet.yaml", "--json", code=0).out)
        assert rows and all(set(r) == set(keys.split()) for r in rows), (args, set(rows[0]) ^ set(keys.split()))
        assert place.rivet(*args, "-c", "rivet.yaml", "--format", "json", code=0).out
    rows = json.loads(place.rivet("metrics", "--json", code=0).out)
    assert {r["export_name"] for r in rows} == {"x", "inc", "ch"}
    assert all(r["schema_changed"] is False and r["validated"] is None and r["total_rows"] == 300 for r in rows), rows
    files = json.loads(place.rivet("state", "files", "-e", "ch", "--json", code=0).out)
    assert len(files) == 3 and all(f["status"] == "committed" and isinstance(f["row_count"], int) for f in files)
    assert len(json.loads(place.rivet("state", "files", "-e", "ch", "-l", "2", "--json", code=0).out)) == 2
    show = json.loads(place.rivet("state", "show", "--json", code=0).out)
    assert {r["export_name"]: r["last_cursor_value"] for r in show if r["last_cursor_value"]} == {"inc": "300"}


def test_empty_state(place):
    make(place)
    for args in (("state", "show"), ("state", "runs"), ("state", "files"), ("metrics",), ("state", "progression"), ("state",)):
        r = place.rivet(*args, "-c", "rivet.yaml", code=0)
        assert r.out.strip() and r.err == "", (args, r)
        if args != ("state",):
            assert json.loads(place.rivet(*args, "-c", "rivet.yaml", "--json", code=0).out) == []
    r = place.rivet("state", "chunks", "-e", "x", "-c", "rivet.yaml", "--json", code=0)
    assert r.out.strip() == "null", r


def test_tables(place):
    make(place, [INC, CHUNK])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    r = place.rivet("state", "show", code=0)
    lines = r.out.splitlines()
    assert lines[0] == "EXPORT".ljust(30) + " " + "LAST CURSOR".ljust(40) + " LAST RUN", lines
    assert set(lines[1]) == {"-"} and re.match(r"^inc {28}300 {38}\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$", lines[2]), lines
    r = place.rivet("metrics", code=0)
    lines = r.out.splitlines()
    assert lines[0] == "EXPORT               STATUS         ROWS   DURATION      RSS  FILES      BYTES RUN ID", lines
    assert lines[1] == "-" * 110, lines
    assert re.match(r"^ch                   success         300 +\S+ +\d+MB      3 +[\d.]+ KB ch_\d{8}T\d{6}\.\d{3}$", lines[2]), lines
    r = place.rivet("state", "files", code=0)
    assert r.out.split()[:7] == ["FILE", "EXPORT", "ROWS", "BYTES", "RUN", "ID", "CREATED"], r.out
    r = place.rivet("state", "runs", code=0)
    assert r.out.split()[:2] == ["RUN", "ID"], r.out
    r = place.rivet("journal", "-e", "ch", code=0)
    assert r.out.startswith("✓ ch  success  ") and "files:  3  rows: 300  size: " in r.out and "run_id:" in r.out, r.out


def test_journal_of_a_failure(place):
    make(place, [{"name": "no", "table": "nothing"}])
    place.rivet("run", code=1)
    r = place.rivet("journal", "-e", "no", code=0)
    assert r.out.startswith("✗ no  failed") and "error:" in r.out, r.out
    j = json.loads(place.rivet("journal", "-e", "no", "--json", code=0).out)
    assert j, j
    (journal,) = [f for root, _, names in os.walk(place.path(".rivet")) for f in (os.path.join(root, n) for n in names)
                  if f.endswith(".journal.jsonl")]
    events = [json.loads(line) for line in open(journal)]
    assert events[-1]["event"] == "run_completed" and events[-1]["status"] == "failed" and all(STAMP.match(e["at"]) for e in events)


def test_artifacts_of_a_run(place):
    make(place, [X])
    a = json.loads(place.rivet("run", "--json", code=0).out)
    run_id = a["per_export"][0]["run_id"]
    folder = place.path(".rivet", "runs", run_id)
    assert set(os.listdir(folder)) == {"summary.json", "summary.md", f"{run_id}.journal.jsonl"}
    s = json.load(open(os.path.join(folder, "summary.json")))
    assert list(s) == PER_EXPORT + ["manifest"] and s["manifest"] == f"manifest-{run_id}.json", s
    assert {k: v for k, v in s.items() if k not in ("manifest", "duration_ms")} == \
        {k: v for k, v in a["per_export"][0].items() if k != "duration_ms"}
    events = [json.loads(line)["event"] for line in open(os.path.join(folder, f"{run_id}.journal.jsonl"))]
    assert events[0] == "plan_resolved" and events[-1] == "run_completed" and "file_written" in events and "published" in events, events
    for path in [os.path.join(folder, f) for f in os.listdir(folder)] + [place.path(".rivet_state.db")]:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600, path
    row = place.state().execute("SELECT total_rows FROM run_aggregate WHERE run_aggregate_id = ?", (a["run_aggregate_id"],)).fetchall()
    assert row == [(300,)], row


def test_check_json(place):
    make(place, [X, {"name": "lossy", "table": "t", "columns": {"grp": "smallint"}}])
    r = place.rivet("check", "-c", "rivet.yaml", "--json", code=0)
    lines = [json.loads(line) for line in r.out.splitlines()]
    assert [x["export"] for x in lines] == ["x", "lossy"]
    for x in lines:
        assert {"export", "verdict", "read_shape", "read_key", "read_reason", "warnings", "columns", "violations"} <= set(x), x
        assert x["verdict"] in ("EFFICIENT", "ACCEPTABLE", "DEGRADED", "UNSAFE")
        for c in x["columns"]:
            assert {"column", "source_type", "rivet_type", "arrow_type", "fidelity", "warnings"} <= set(c), c
    assert {c["column"]: (c["rivet_type"], c["arrow_type"], c["fidelity"]) for c in lines[0]["columns"]} == {
        "id": ("int64", "Int64", "exact"), "name": ("string", "Utf8", "exact"), "grp": ("int64", "Int64", "exact"),
        "note": ("string", "Utf8", "exact")}
    assert [c["fidelity"] for c in lines[1]["columns"] if c["column"] == "grp"] == ["lossy"]
    assert [v["column_name"] for v in lines[1]["violations"]] == ["grp"] and \
        {"column_name", "fidelity", "message", "fatal"} <= set(lines[1]["violations"][0])
    place.rivet("check", "-c", "rivet.yaml", "--strict", code=1)
    place.rivet("run", "-c", "rivet.yaml", "--strict", code=1)
    assert not place.manifests("lossy") and len(place.manifests("x")) == 1


def test_check_text(place):
    make(place, [X, INC, CHUNK, {"name": "k", "table": "t", "mode": "chunked", "chunk_by_key": "id", "chunk_size": 50}])
    r = place.rivet("check", "-c", "rivet.yaml", code=0)
    for part in ("Export: x\n", "  Strategy:     full-scan\n", "  Strategy:     incremental(id)\n", "  Strategy:     chunked(id, size=100)\n",
                 "  Strategy:     keyset(id, size=50)\n", "  Row estimate: ~", "  Verdict:      ", "  Scan type:    "):
        assert part in r.out, (part, r.out)
    assert not os.path.exists(place.path("out"))
    r = place.rivet("check", "-c", "rivet.yaml", "--type-report", code=0)
    for part in ("Column", "Source type", "Rivet type", "Arrow type", "Fidelity", "exact"):
        assert part in r.out, (part, r.out)
    place.config([{**X, "table": "nothing"}], tuning=QUICK)
    place.rivet("check", "-c", "rivet.yaml", code=1)


def test_doctor(place):
    make(place, [X, INC])
    r = place.rivet("doctor", "-c", "rivet.yaml", code=0)
    lines = r.out.splitlines()
    assert lines[0] == "rivet doctor: verifying auth for config 'rivet.yaml'" and lines[-1] == "All checks passed.", r.out
    for want in ("[OK]  Config parsed successfully", "[OK]  Source auth (Sqlite)", "[OK]  Destination Local(./out)",
                 "[OK]  State (sqlite, schema v1)"):
        assert want in lines, (want, lines)
    assert lines.count("[OK]  Destination Local(./out)") == 1
    d = json.loads(place.rivet("doctor", "-c", "rivet.yaml", "--json", code=0).out)
    assert list(d) == ["config_path", "all_ok", "checks"] and d["all_ok"] is True and d["config_path"] == "rivet.yaml"
    assert all(list(c) == ["name", "ok", "detail", "hint"] for c in d["checks"]), d
    assert not [f for f in place.files() if "probe" in f]
    os.rename(place.path("src.db"), place.path("away.db"))
    place.write("out2", "a file")
    place.config([{**X, "destination": {"type": "local", "path": "./out2"}}], tuning=QUICK)
    r = place.rivet("doctor", "-c", "rivet.yaml", code=1)
    assert "[FAIL] Source auth (Sqlite): " in r.out and "[FAIL] Destination Local(./out2): " in r.out, r.out
    d = json.loads(place.rivet("doctor", "-c", "rivet.yaml", "--json", code=1).out)
    assert d["all_ok"] is False and [c["ok"] for c in d["checks"]].count(False) == 2, d
    place.write("rivet.yaml", "source: 5\n")
    r = place.rivet("doctor", "-c", "rivet.yaml", code=1)
    assert (r.out + r.err).count("rivet.yaml:1:9") == 1, r


def test_validate_shapes(place):
    make(place, [X])
    place.rivet("run", code=0)
    r = place.rivet("validate", code=0)
    assert [line.split(":")[0].strip() for line in r.out.splitlines()] == ["x", "prefix", "status", "parts", "_SUCCESS", "manifest"], r.out
    assert "  status:    PASSED" in r.out and "  _SUCCESS:  consistent" in r.out and "  manifest:  self-consistent" in r.out
    v = json.loads(place.rivet("validate", "--json", code=0).out)
    assert list(v) == ["exports", "warnings", "errors"]
    (e,) = v["exports"]
    assert list(e) == ["export_name", "resolved_prefix", "run_id", "verification"], e
    assert list(e["verification"]) == ["manifest_found", "legacy_run", "parts_verified", "parts_md5_verified", "parts_failed",
                                       "parts_untracked", "success_marker_consistent", "manifest_self_consistent", "passed", "failures",
                                       "depth_level"], e
    r = place.rivet("validate", "--json", "-o", "v.json", code=0)
    assert r.out == "" and json.load(open(place.path("v.json"))) == v
    os.remove(place.path("out", place.manifests("x")[0]["parts"][0]["path"]))
    r = place.rivet("validate", code=3)
    assert "  status:    FAILED" in r.out and "1 missing" in r.out, r.out
    r = place.rivet("validate", "--json-errors", code=3)
    assert_error_line(json.loads(r.err.splitlines()[-1]), exit_code=3, **{"class": "data_integrity"})


def test_manifest_matches_its_contract(place):
    make(place, [INC, CHUNK, {"name": "c", "table": "t", "format": "csv"}])
    place.rivet("run", code=0)
    for name in ("inc", "ch", "c"):
        (m,) = place.manifests(name)
        assert set(m) == set("manifest_version rivet_version run_id export_name mode status degraded started_at finished_at source "
                             "destination format compression compression_level schema_fingerprint columns column_checksums row_checksum "
                             "checksum_render row_hash row_count part_count total_bytes parts".split()), set(m)
        assert set(m["source"]) == {"engine", "schema", "table", "extraction", "consistency", "first_page_at", "last_page_at"}
        assert set(m["source"]["extraction"]) == {"strategy", "cursor_column", "cursor_type", "cursor_low", "cursor_high", "source_row_count"}
        assert all(set(p) == {"part_id", "path", "rows", "size_bytes", "content_fingerprint", "content_md5", "chunk_index", "status"}
                   for p in m["parts"])
        assert m["columns"] == [{"name": "id", "type": "Int64", "nullable": False}, {"name": "name", "type": "Utf8", "nullable": False},
                                {"name": "grp", "type": "Int64", "nullable": False}, {"name": "note", "type": "Utf8", "nullable": True}], m["columns"]
        assert m["manifest_version"] == 1 and m["mode"] == "batch" and m["status"] == "success" and m["checksum_render"] == "rivet-checksum-v1"
        assert m["row_count"] == sum(p["rows"] for p in m["parts"]) == 300 and m["part_count"] == len(m["parts"])
    inc, ch, c = (place.manifests(n)[0] for n in ("inc", "ch", "c"))
    e = inc["source"]["extraction"]
    assert (e["strategy"], e["cursor_column"], e["cursor_type"], e["cursor_low"], e["cursor_high"]) == ("incremental", "id", "int64", None, "300"), e
    assert ch["source"]["extraction"]["strategy"] == "chunked" and [p["chunk_index"] for p in ch["parts"]] == [0, 1, 2]
    assert inc["compression"] == "zstd" and inc["compression_level"] == 3 and c["compression"] == "none" and c["compression_level"] is None
    assert inc["row_checksum"] == ch["row_checksum"] == c["row_checksum"]


def test_state_commands(place):
    make(place, [INC])
    place.rivet("run", code=0)
    r = place.rivet("state", "set-cursor", "-e", "inc", "250", "--yes", code=0)
    assert "300" in r.out + r.err
    time.sleep(1.1)
    place.rivet("run", code=0)
    assert [row["id"] for row in place.dataset("inc")] == list(range(250, 301)) or \
        [row["id"] for row in place.dataset("inc")] == list(range(251, 301))
    r = place.rivet("state", "set-cursor", "-e", "inc", "tomorrow", "--yes", code=1)
    assert "Error: " in r.err
    r = place.rivet("state", "reset", "-e", "nobody", code=1)
    assert "inc" in r.err and "state show" in r.err, r
    place.rivet("state", "reset", "-e", "inc", code=0)
    time.sleep(1.1)
    place.rivet("run", code=0)
    assert len(place.dataset("inc")) == 300
    place.rivet("state", "copy", "--to", "sqlite:" + place.path("copy.db"), code=0)
    r = place.rivet("state", "runs", "--json", env={"RIVET_STATE_URL": "sqlite:" + place.path("copy.db")}, code=0)
    assert len(json.loads(r.out)) == 3
    place.rivet("state", "prune", "--keep-days", "1", code=0)
    assert len(json.loads(place.rivet("metrics", "--json", code=0).out)) == 3


def test_init_makes_a_config_that_runs(place):
    conn = place.db(SIMPLE + "CREATE TABLE \"odd name\" (a TEXT, b DECIMAL(9,2)); CREATE VIEW v AS SELECT 1 AS one;")
    fill(conn, 50)
    r = place.rivet("init", "--source", "sqlite:src.db", "-o", "rivet.yaml", code=0)
    assert r.out == ""
    assert place.rivet("init", "--source", "sqlite:src.db", "-o", "rivet.yaml").code == 1
    place.rivet("init", "--source", "sqlite:src.db", "-o", "rivet.yaml", "--force", code=0)
    env = {"DATABASE_URL": "sqlite:src.db"}
    place.rivet("check", env=env, code=0)
    a = json.loads(place.rivet("run", "--json", "--validate", env=env, code=0).out)
    assert a["total_exports"] == 3 and a["failed_count"] == 0, a
    d = json.loads(place.rivet("init", "--source", "sqlite:src.db", "--discover", code=0).out)
    assert d["source_type"] == "sqlite" and {t["table"] for t in d["tables"]} >= {"t", "odd name"}, d


# --- secrets --------------------------------------------------------------------------------------

SECRETS = {"DB_PASSWORD": "hunter2-planted-A", "API_TOKEN": "planted-B-tok3n", "my_secret_value": "planted-C-s3cr3t",
           "SIGNING_KEY": "planted-D-k3y"}


def everything(place, *results):
    """Every byte the runs printed or left behind, the exported parts excepted."""
    for k, r in enumerate(results):
        yield f"stdout of run {k}", r.out.encode()
        yield f"stderr of run {k}", r.err.encode()
    for root, _, names in os.walk(place.dir):
        for n in names:
            if n not in ("src.db", "rivet.yaml") and not n.endswith((".parquet", ".csv")):
                yield os.path.join(root, n), open(os.path.join(root, n), "rb").read()
    dump = "\n".join(sqlite3.connect(place.path(".rivet_state.db")).iterdump()) if os.path.exists(place.path(".rivet_state.db")) else ""
    yield "state dump", dump.encode()


def assert_no_secret(place, *results, secrets=tuple(SECRETS.values())):
    for where, raw in everything(place, *results):
        for s in secrets:
            assert s.encode() not in raw, f"{s} in {where}: ...{raw[max(0, raw.index(s.encode()) - 80):][:200]!r}"


def test_secrets_in_queries(place):
    fill(place.db(SIMPLE), 50)
    where = " AND ".join(f"name <> '${{{n}}}'" for n in SECRETS)
    place.config([{"name": "good", "query": f"SELECT * FROM t WHERE {where}"},
                  {"name": "syntax", "query": f"SELECT * FROM t WHERE {where} AND ${{API_TOKEN}} ="},
                  {"name": "column", "query": "SELECT ${SIGNING_KEY} FROM t"},
                  {"name": "quoted", "query": "SELECT id FROM \"${my_secret_value}\""},
                  {"name": "type", "query": "SELECT CAST(CASE WHEN id > 3 THEN '${DB_PASSWORD}' ELSE id END AS INTEGER) AS v, id FROM t",
                   "columns": {"nope": "text"}}], tuning=QUICK)
    env = {**SECRETS, "RIVET_LOG": "trace"}
    results = [place.rivet("run", env=env, code=1), place.rivet("run", "--json-errors", "--json", env=env, code=1),
               place.rivet("check", env=env), place.rivet("check", "--json", env=env), place.rivet("doctor", env=env),
               place.rivet("run", "-e", "good", "-p", "DB_PASSWORD=planted-E-param", env=env, code=0),
               place.rivet("metrics", "--json", env=env), place.rivet("state", "runs", "--json", env=env),
               place.rivet("journal", "-e", "syntax", "--json", env=env), place.rivet("validate", "-e", "good", env=env)]
    assert json.loads(results[1].out)["success_count"] == 1
    assert any("***" in r.err for r in results[:2]), results[0].err
    assert_no_secret(place, *results)


def test_secrets_in_urls(place):
    fill(place.db(SIMPLE), 50)
    s = "planted-F-pw"
    doc = {"exports": [{"name": "x", "table": "t", "format": "parquet", "destination": {"type": "local", "path": "out"}}]}
    results = []
    for url in (f"sqlite:src.db?password={s}", f"sqlite:src.db?token={s}&x=1", f"sqlite:///nowhere/src.db?pwd={s}"):
        place.write("rivet.yaml", json.dumps({"source": {"type": "sqlite", "url": url}, **doc}))
        results += [place.rivet(*c, env={"RIVET_LOG": "trace"}) for c in (("run",), ("check",), ("doctor",), ("doctor", "--json"), ("run", "--json-errors"))]
    for kind, url in (("postgres", f"postgresql://me:{s}@127.0.0.1:1/db"), ("mysql", f"mysql://me:{s}@127.0.0.1:1/db?ssl-key={s}"),
                      ("mssql", f"sqlserver://me:{s}@127.0.0.1:1/db"), ("postgres", f"host=127.0.0.1 port=1 user=me password={s} dbname=d")):
        place.write("rivet.yaml", json.dumps({"source": {"type": kind, "url": url, "tuning": {"max_retries": 0}}, **doc}))
        results += [place.rivet(*c, env={"RIVET_LOG": "trace"}) for c in (("run",), ("check",), ("doctor",), ("run", "--json-errors"))]
        assert all(r.code for r in results[-4:]), results[-4:]
    place.config([X], tuning=QUICK)
    for url in (f"postgres://me:{s}@127.0.0.1:1/state", f"mongodb://me:{s}@127.0.0.1/state", f"sqlite:{place.path('nowhere')}/a.db?password={s}"):
        results.append(place.rivet("run", env={"RIVET_LOG": "trace", "RIVET_STATE_URL": url}))
        assert results[-1].code, results[-1]
    results.append(place.rivet("init", "--source", f"postgresql://me:{s}@127.0.0.1:1/db", env={"RIVET_LOG": "trace"}))
    assert_no_secret(place, *results, secrets=(s,))


def test_secrets_in_other_keys(place):
    fill(place.db(SIMPLE), 50)
    s = "planted-G-x"
    head = "source: {type: sqlite, path: src.db}\n"
    body = "exports:\n- {name: x, table: t, format: parquet, destination: {type: local, path: out}}\n"
    results = []
    for text in (head + body + f"notifications: {{slack: {{webhook_url: 'https://127.0.0.1:1/services/{s}', on: [failure]}}}}\n",
                 head + body + f"notifications: {{slack: {{webhook_url: 'https://127.0.0.1:1/{s}', webhook_url_env: A, on: [failure]}}}}\n",
                 head + body.replace("type: local, path: out", f"type: s3, bucket: b, secret_key: {s}"),
                 head + body.replace("type: local, path: out", f"type: s3, bucket: b, endpoint: 'https://u:{s}@127.0.0.1:1'"),
                 f"source: {{type: postgres, host: 127.0.0.1, port: 1, user: u, password: {s}, database: d, tuning: {{max_retries: 0}}}}\n" + body,
                 f"source: {{type: postgres, host: 127.0.0.1, user: u, password: [{s}], database: d}}\n" + body,
                 f"source: {{type: postgres, url: 'oracle://me:{s}@h/db'}}\n" + body):
        place.write("rivet.yaml", text)
        results += [place.rivet(*c, env={"RIVET_LOG": "trace"}) for c in (("run",), ("check",), ("doctor",), ("run", "--json-errors"))]
    assert_no_secret(place, *results, secrets=(s,))


def test_exported_values_are_not_masked(place):
    """Masking is for messages: the data itself keeps every byte."""
    conn = place.db(SIMPLE)
    fill(conn, 5)
    conn.execute("UPDATE t SET name = 'planted-B-tok3n' WHERE id = 2")
    conn.commit()
    place.config([{"name": "x", "query": "SELECT * FROM t WHERE name = '${API_TOKEN}'"}], tuning=QUICK)
    place.rivet("run", env=SECRETS, code=0)
    assert [r["name"] for r in place.dataset("x")] == ["planted-B-tok3n"]
