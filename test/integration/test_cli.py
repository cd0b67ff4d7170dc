"""The command line as a whole: streams, exit codes, errors, every listing. Nothing here looks into
the exported rows; that is what the other suites do."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import termios
import time

import lib
from lib import SIMPLE, fill

COMMANDS = ["init", "doctor", "check", "run", "validate", "state", "metrics", "journal", "head", "schema",
            "completions", "plan", "apply", "reconcile", "repair", "cdc", "mcp"]
STATE = ["show", "runs", "finish-run", "accept", "set-cursor", "reset", "files", "chunks", "reset-chunks",
         "reset-cdc", "progression", "copy", "prune"]
FULL = {"name": "full", "table": "t", "destination": {"type": "local", "path": "./out/full"}}
INC = {"name": "inc", "table": "t", "mode": "incremental", "cursor_column": "id",
       "destination": {"type": "local", "path": "./out/inc"}}
CHUNKS = {"name": "chunks", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 500,
          "chunk_checkpoint": True, "destination": {"type": "local", "path": "./out/chunks"}}
NOPE = {"name": "nope", "table": "no_such", "destination": {"type": "local", "path": "./out/nope"}}
NADA = {**NOPE, "name": "nada"}


def shop(place, *exports, rows=1000, tuning="throttle_ms: 0"):
    fill(place.db(SIMPLE), rows)
    place.config(exports or (FULL, INC, CHUNKS), tuning=tuning)


def slow(place):
    """One export that takes some ten seconds, with a unit every half second."""
    shop(place, {**CHUNKS, "chunk_size": 1000}, rows=20000, tuning="batch_size: 500, throttle_ms: 250")


def errors(result):
    """stderr of --json-errors: nothing but one object per line."""
    return [json.loads(line) for line in result.err.splitlines()]


def on_terminal(place, *args, env=None, columns=200, feed=b""):
    """Runs with a terminal on all three streams; its whole output and the exit code."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    full = {k: v for k, v in os.environ.items() if not k.startswith(("RIVET_", "RUST_LOG", "NO_COLOR"))}
    full.update({"TERM": "xterm", **(env or {})})
    full.pop("COLUMNS", None)
    p = subprocess.Popen([lib.RIVET, *args], cwd=place.dir, env=full, stdin=slave, stdout=slave, stderr=slave,
                         start_new_session=True)
    os.close(slave)
    os.write(master, feed)
    seen = b""
    while True:
        ready, _, _ = select.select([master], [], [], 120)
        try:
            piece = os.read(master, 65536) if ready else b""
        except OSError:
            piece = b""
        if not piece:
            break
        seen += piece
    os.close(master)
    return seen.decode("utf-8", "replace"), p.wait(30)


def test_alone_prints_the_help_on_stderr(place):
    r = place.rivet(code=2)
    assert r.out == "" and "Usage: rivet" in r.err and "Commands:" in r.err
    assert errors(place.rivet("--json-errors", code=2))[0]["class"] == "usage"


def test_every_command_has_help_with_an_example(place):
    paths = [[]] + [[c] for c in COMMANDS] + [["state", s] for s in STATE]
    paths += [["schema", s] for s in ("config", "cli", "errors")]
    for path in paths:
        r = place.rivet(*path, "--help", code=0)
        assert r.err == "" and "Usage: rivet" in r.out and "\nExample:\n  " in r.out, path
        assert place.rivet(*path, "-h", code=0).out == r.out


def test_version_is_one_line(place):
    for args in (["--version"], ["-V"], ["run", "-V"]):
        assert re.fullmatch(r"rivet \d+\.\d+\.\d+\n", place.rivet(*args, code=0).out)


def test_usage_errors(place):
    for args in (["rnu"], ["run", "--nonsense"], ["run", "-p", "x"], ["metrics", "-l", "0"], ["state", "reset"],
                 ["run"], ["completions", "tcsh"], ["metrics", "--json", "--format", "pretty"],
                 ["validate", "-o", "x.json"], ["init"], ["run", "--lock-wait", "soon"]):
        r = place.rivet(*args, code=2)
        assert r.out == "" and "Usage: rivet" in r.err and not re.search("^Error:", r.err, re.M), args
        e, = errors(place.rivet(*args, "--json-errors", code=2))
        assert e["class"] == "usage" and e["code"] == "RIVET_USAGE" and e["exit_code"] == 2
    assert "did you mean 'run'" in place.rivet("rnu").err


def test_commands_outside_this_build_refuse(place):
    shop(place)
    for args in (["cdc", "--source", "x"], ["mcp"], ["state", "reset-cdc", "-e", "full"], ["doctor", "--fix-cdc"]):
        r = place.rivet(*args, code=1)
        assert "not part of this build" in r.err and "\nError: " in "\n" + r.err, args
    os.symlink(lib.RIVET, place.path("rivet-mcp"))
    assert "mcp" in place.rivet("--stdio", binary=place.path("rivet-mcp"), code=1).err


def test_the_default_configuration(place):
    place.rivet("check", code=2)
    shop(place)
    place.rivet("check", code=0)
    assert "config file 'x.yaml' does not exist" in place.rivet("check", "-c", "x.yaml", code=1).err


def test_configuration_mistakes_are_collected(place):
    place.write("rivet.yaml", "source: {type: sqlite, path: src.db}\nexports:\n  - name: a\n    tabel: t\n"
                              "    format: parqet\n    destination: {type: local, path: ./o}\n")
    for command in ("run", "check"):
        r = place.rivet(command, code=1)
        assert "Error: rivet.yaml:4:5: unknown key 'tabel'" in r.err and "did you mean 'table'" in r.err
        assert "Error: rivet.yaml:5:13: 'format' cannot be 'parqet'" in r.err
        found = errors(place.rivet(command, "--json-errors", code=1))
        assert [(e["code"], e["file"], e["line"], e["column"]) for e in found][:2] == [
            ("RIVET_CONFIG_UNKNOWN_KEY", "rivet.yaml", 4, 5), ("RIVET_CONFIG_ENUM", "rivet.yaml", 5, 13)]
    r = place.rivet("doctor", code=1)
    assert r.out.count("tabel") == 1 and "[FAIL] Config" in r.out and "Error:" not in r.err


def test_unknown_exports_name_the_known(place):
    shop(place)
    for args in (["run"], ["check"], ["validate"]):
        r = place.rivet(*args, "-e", "fulll", code=1)
        assert "full, inc, chunks" in r.err and "did you mean 'full'?" in r.err, r
    place.rivet("run", code=0)
    r = place.rivet("state", "reset", "-e", "zzz", code=1)
    assert "chunks, full, inc" in r.err and "rivet state show" in r.err


def test_params_repeat_and_the_last_wins(place):
    fill(place.db(SIMPLE), 10)
    place.config([{**FULL, "table": None, "query": "SELECT id FROM ${WHAT}"}])
    place.rivet("check", code=1)
    place.rivet("check", "-p", "WHAT=nope", "--param", "WHAT=t", code=0)
    place.rivet("check", "-pWHAT=t", "-p", "WHAT=nope", code=1)


def test_run_prints_blocks_on_stderr_only(place):
    shop(place)
    r = place.rivet("run", "--validate", code=0)
    assert r.out == ""
    for label, text in (("run_id", r"inc_\d{8}T\d{6}\.\d{3}"), ("status", "success"), ("rows", "1000"),
                        ("files", "1"), ("output", r"file://\./out/inc"), ("bytes", r"[\d.]+ [KM]?B"),
                        ("duration", r"[\d.]+m?s"), ("peak RSS", r"\d+MB \(sampled during run\)"),
                        ("validated", "pass")):
        assert re.search(rf"^  {label + ':':13}{text}$", r.err, re.M), (label, r.err)
    assert "── inc ──\n" in r.err and "── Run summary (3 exports) ──\n" in r.err
    assert "3 success, 0 failed, 0 skipped" in r.err
    assert "Run summary" not in place.rivet("run", "-e", "full", code=0).err


def test_aggregate_json(place):
    shop(place, FULL, NOPE)
    r = place.rivet("run", "--json", "--summary-output", "s.json", code=1)
    doc = json.loads(r.out)
    assert json.load(open(place.path("s.json"), encoding="utf-8")) == doc
    assert doc["exit_code"] == 1 and doc["success_count"] == 1 and doc["failed_count"] == 1
    assert doc["total_rows"] == 1000 and doc["config_path"] == "rivet.yaml"
    by = {x["export_name"]: x for x in doc["per_export"]}
    assert by["full"]["error_message"] is None and by["nope"]["error_code"] == "RIVET_SOURCE_MISSING"
    assert place.rivet("run", "--format", "json", "-e", "full", code=0).out.startswith("{")


def test_several_failures_close_with_one_line_for_the_process(place):
    shop(place, NOPE, FULL, NADA)
    found = errors(place.rivet("run", "--json-errors", code=1))
    assert [e.get("export") for e in found] == ["nope", "nada", None]
    assert [f["export"] for f in found[-1]["failures"]] == ["nope", "nada"]
    assert all(e["exit_class"] == e["exit_code"] == 1 and e["class"] == "generic" for e in found)
    r = place.rivet("run", code=1)
    assert len(re.findall(r"^Error: export 'n", r.err, re.M)) == 2 and "✗ nope:" in r.err


def test_stdout_holds_the_exported_bytes_alone(place):
    shop(place, {"name": "o", "table": "t", "format": "csv", "destination": {"type": "stdout"}}, rows=3)
    r = place.rivet("run", code=0)
    assert r.out.splitlines()[0] == "id,name,grp,note" and len(r.out.splitlines()) == 4
    r = place.rivet("run", "--json", code=1)
    assert r.out == "" and "--summary-output" in r.err
    place.rivet("run", "--summary-output", "s.json", code=0)
    assert json.load(open(place.path("s.json"), encoding="utf-8"))["total_rows"] == 3


def test_closed_pipes(place):
    shop(place, {"name": "o", "table": "t", "format": "csv", "destination": {"type": "stdout"}}, rows=30000)
    for args, code in ((["schema", "errors"], 0), (["schema", "config"], 0), (["--help"], 0), (["run"], 1)):
        p = place.start(*args)
        p.stdout.close()
        err = p.stderr.read().decode()
        assert p.wait(60) == code, (args, err)
        assert code or err == ""


def test_listings_before_the_first_run(place):
    shop(place)
    for args in (["state"], ["state", "show"], ["state", "runs"], ["state", "files"], ["state", "progression"],
                 ["metrics"], ["journal", "-e", "full"], ["state", "chunks", "-e", "chunks"]):
        r = place.rivet(*args, code=0)
        assert r.out.count("\n") == 1 and r.out.endswith(".\n") and r.err == "", (args, r)
    for args in (["state", "show"], ["state", "runs"], ["metrics"], ["journal", "-e", "full"]):
        assert place.rivet(*args, "--json", code=0).out == "[]\n"
    assert place.rivet("state", "chunks", "-e", "chunks", "--json", code=0).out == "null\n"
    assert not os.path.exists(place.path(".rivet_state.db"))


def test_listings_after_runs(place):
    shop(place)
    place.rivet("run", code=0)
    show = place.rivet("state", "show", code=0).out.splitlines()
    assert show[0] == "EXPORT".ljust(31) + "LAST CURSOR".ljust(41) + "LAST RUN" and show[1] == "-" * 90
    assert re.fullmatch("inc {28}1000 {37}" + r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", show[2]), show[2]
    metrics = place.rivet("metrics", code=0).out.splitlines()
    assert metrics[0] == "EXPORT               STATUS         ROWS   DURATION      RSS  FILES      BYTES RUN ID"
    assert metrics[1] == "-" * 110 and len(metrics) == 5
    assert re.match(r"chunks               success        1000 +[\d.]+m?s +\d+MB      2 ", metrics[2]), metrics[2]
    assert len(place.rivet("metrics", "-l", "1", "-e", "inc", code=0).out.splitlines()) == 3
    assert place.rivet("state", "runs", code=0).out.splitlines()[0].split() == [
        "RUN", "ID", "EXPORT", "STATUS", "MODE", "STARTED", "HEARTBEAT", "HOST", "PID"]
    assert len(place.rivet("state", "files", code=0).out.splitlines()) == 2 + 4
    assert "chunk #1" in place.rivet("state", "progression", code=0).out
    chunks = place.rivet("state", "chunks", "-e", "chunks", code=0).out
    assert "status:      completed (2/2)" in chunks and len(chunks.splitlines()) == 5 + 1 + 2 + 2
    assert "No run is unfinished." in place.rivet("state", code=0).out
    journal = place.rivet("journal", "-e", "inc", code=0).out
    assert re.match(r"✓ inc  success  [\d.]+m?s\n  run_id:  inc_", journal) and "files:  1  rows: 1000" in journal
    assert place.rivet("journal", "-e", "inc", "--run-id", "nope", code=0).out == "No journal matches.\n"


def test_listings_as_json(place):
    shop(place)
    place.rivet("run", code=0)
    for args, key in ((["state", "show"], "last_cursor_value"), (["state", "runs"], "heartbeat_at"),
                      (["state", "files"], "row_count"), (["state", "progression"], "last_committed_strategy"),
                      (["metrics"], "total_rows"), (["journal", "-e", "inc"], "journal_json")):
        rows = json.loads(place.rivet(*args, "--json", code=0).out)
        assert rows and key in rows[0] and rows[0]["project"] == "", args
        assert rows == json.loads(place.rivet(*args, "--format=json", code=0).out)
    assert json.loads(place.rivet("metrics", "-e", "inc", "--json").out)[0]["total_rows"] == 1000


def test_set_cursor_asks_or_needs_yes(place):
    shop(place)
    place.rivet("run", code=0)
    r = place.rivet("state", "set-cursor", "-e", "inc", "5", code=2)
    assert "--yes" in r.err and "1000 -> 5" in r.err
    text, code = on_terminal(place, "state", "set-cursor", "-e", "inc", "5", feed=b"n\n")
    assert code == 1 and "nothing was changed" in text
    assert "1000" in place.rivet("state", "show").out
    text, code = on_terminal(place, "state", "set-cursor", "-e", "inc", "5", feed=b"y\n")
    assert code == 0 and "(was 1000)" in text
    place.rivet("state", "set-cursor", "-e", "inc", "-7", "--yes", code=0)
    assert "-7" in place.rivet("state", "show").out
    place.rivet("state", "set-cursor", "-e", "inc", "word", "--yes", code=1)


def test_reset_forgets_and_names(place):
    shop(place)
    place.rivet("run", code=0)
    place.rivet("state", "reset", "-e", "inc", code=0)
    assert place.rivet("state", "show", code=0).out == "No cursor is stored yet.\n"
    place.rivet("state", "accept", "-e", "chunks", "--yes", "--json-errors")
    place.rivet("state", "prune", "--keep-days", "0", code=0)
    place.rivet("state", "copy", "--to", "sqlite:" + place.path("copy.db"), code=0)
    assert os.path.exists(place.path("copy.db"))
    r = place.rivet("metrics", code=0, env={"RIVET_STATE_URL": "sqlite:" + place.path("copy.db")})
    assert r.out == place.rivet("metrics", code=0).out


def test_the_first_signal_leaves_a_resumable_run(place):
    slow(place)
    for signo, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)):
        p = place.start("run", "-e", "chunks")
        time.sleep(1.5)
        p.send_signal(signo)
        err = p.communicate(timeout=30)[1].decode()
        assert p.returncode == code, err
        assert "status:      interrupted" in err
        assert "resume:      rivet run -c rivet.yaml -e chunks --resume" in err
    chunks = place.rivet("state", "chunks", "-e", "chunks", code=0).out
    assert "in_progress (" in chunks and "IDX STATUS" in chunks and "completed" in chunks and "pending" in chunks
    doc = json.loads(place.rivet("state", "chunks", "-e", "chunks", "--json", code=0).out)
    assert doc["status"] == "in_progress" and len(doc["tasks"]) == 20
    assert "1 checkpoint deleted" in place.rivet("state", "reset-chunks", "--failed", code=0).out
    assert "No chunk checkpoint of export 'chunks' exists." in place.rivet("state", "chunks", "-e", "chunks").out


def test_the_second_signal_ends_at_once(place):
    slow(place)
    p = place.start("run", "-e", "chunks", env={"RIVET_SHUTDOWN_GRACE_S": "10"})
    time.sleep(1.5)
    p.send_signal(signal.SIGSTOP)
    p.send_signal(signal.SIGTERM)
    p.send_signal(signal.SIGCONT)
    time.sleep(0.1)
    p.send_signal(signal.SIGTERM)
    p.communicate(timeout=5)
    assert p.returncode == 143


def test_the_bar_on_a_terminal(place):
    slow(place)
    p_args = ("run", "-e", "chunks")
    text, code = on_terminal(place, *p_args, env={"RIVET_LOG": "info"})
    assert code == 0
    assert re.search(r"\r\x1b\[Kchunks  \[#+-+\]  \d+/20 chunks  [\d.]+K? rows  [\d.]+K? r/s  [\d.]+m?s  ETA ", text)
    # the bar is gone before the block, and no log line shares its line
    assert text.rstrip().rsplit("\x1b[K", 1)[1].startswith(("── chunks ──", "[INFO]"))
    for line in text.replace("\r\n", "\n").split("\n"):
        if "[INFO]" in line:
            assert line.split("\r\x1b[K")[-1].startswith("[INFO]"), repr(line)


def test_narrow_and_dumb_terminals(place):
    slow(place)
    text, _ = on_terminal(place, "run", "-e", "chunks", columns=30)
    bars = [b for b in re.findall(r"\r\x1b\[K([^\r\n]*)", text) if b.startswith("chunks")]
    assert bars and max(map(len, bars)) == 29
    place.rivet("state", "reset-chunks", "--failed")
    text, _ = on_terminal(place, "run", "-e", "chunks", "--json", env={"TERM": "xterm"})
    assert "\x1b[K" not in text


def test_dumb_terminals_and_no_colour(place):
    shop(place)
    for env in ({"TERM": "dumb"}, {"NO_COLOR": "1"}):
        text, code = on_terminal(place, "doctor", env=env)
        assert code == 0 and "\x1b[" not in text and "[OK]  Config parsed successfully" in text
    assert "\x1b[32m[OK]" in on_terminal(place, "doctor")[0]


def test_logs_and_json_errors(place):
    shop(place)
    r = place.rivet("run", "--force", code=0)
    assert re.search(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[WARN\] --force does nothing", r.err, re.M)
    assert place.rivet("run", "--force", "--json-errors", code=0).err == ""
    assert "[WARN]" in place.rivet("run", "--force", "--json-errors", code=0, env={"RIVET_LOG": "warn"}).err
    assert place.rivet("run", "--force", "--json-errors", code=0, env={"RUST_LOG": "warn"}).err == ""
    assert "[INFO]" in place.rivet("run", code=0, env={"RUST_LOG": "info,hyper=trace"}).err
    assert "[WARN]" not in place.rivet("run", "--force", code=0, env={"RIVET_LOG": "off"}).err
    r = place.rivet("run", "--force", "--json-errors", code=0, env={"RIVET_LOG": "warn", "RIVET_LOG_FORMAT": "json"})
    assert all(isinstance(json.loads(line), dict) for line in r.err.splitlines())


def test_progress_without_a_terminal_is_a_log_line(place):
    shop(place)
    err = place.rivet("run", "-e", "chunks", code=0, env={"RIVET_LOG": "info"}).err
    assert re.search(r"\[INFO\] export 'chunks': chunk 1/2 \([^)]*\.\.[^)]*\) 500 rows", err), err


def test_check_reports(place):
    shop(place)
    text = place.rivet("check", code=0).out
    for line in ("Export: full", "  Strategy:     full-scan", "  Strategy:     incremental(id)",
                 "  Strategy:     chunked(id, size=500)", "  Mode:         full", "  Row estimate: ~1K"):
        assert line in text.splitlines(), (line, text)
    assert re.search("^  Verdict:      [A-Z]+$", text, re.M)
    rows = [json.loads(line) for line in place.rivet("check", "--json", code=0).out.splitlines()]
    assert [r["export"] for r in rows] == ["full", "inc", "chunks"]
    assert [c["column"] for c in rows[0]["columns"]] == ["id", "name", "grp", "note"]
    assert set(rows[0]) >= {"verdict", "read_shape", "read_key", "read_reason", "warnings", "violations"}
    text = place.rivet("check", "-e", "full", "--target", "bq", code=0).out
    assert "Export: full  [target: bigquery]" in text and "Target type" in text


def test_validate_reports(place):
    shop(place, FULL)
    place.rivet("run", code=0)
    r = place.rivet("validate", code=0)
    assert re.fullmatch("full\n  prefix:    file://\\./out/full\n  status:    PASSED\n  parts:     1 verified.*\n"
                        "  _SUCCESS:  consistent\n  manifest:  self-consistent\n", r.out), r
    part = [f for f in os.listdir(place.path("out", "full")) if f.endswith(".parquet")][0]
    os.remove(place.path("out", "full", part))
    r = place.rivet("validate", code=3)
    assert "status:    FAILED" in r.out and "1 missing" in r.out and "\nError: export 'full'" in "\n" + r.err
    place.rivet("validate", "--format", "json", "-o", "v.json", code=3)
    doc = json.load(open(place.path("v.json"), encoding="utf-8"))
    assert doc["exports"][0]["verification"]["failures"][0]["code"] == "RIVET_VALIDATE_PART_MISSING"
    e, = errors(place.rivet("validate", "--json-errors", code=3))
    assert e["class"] == "data_integrity" and e["exit_code"] == 3
    place.rivet("validate", "--date", "yesterday", code=2)


def test_doctor_reports(place):
    shop(place, FULL)
    r = place.rivet("doctor", code=0)
    assert r.out.startswith("rivet doctor: verifying auth for config 'rivet.yaml'\n\n[OK]  Config parsed successfully\n"
                            "[OK]  Source auth (Sqlite)\n[OK]  Destination Local(./out/full)\n[OK]  State (sqlite, "
                            "schema v1)\n"), r
    assert r.out.endswith("\nAll checks passed.\n") and r.err == ""
    doc = json.loads(place.rivet("doctor", "--json", code=0).out)
    assert doc["all_ok"] is True and doc["config_path"] == "rivet.yaml"
    os.remove(place.path("src.db"))
    r = place.rivet("doctor", code=1)
    assert "[FAIL] Source auth (Sqlite): " in r.out and "Error:" not in r.err
    assert errors(place.rivet("doctor", "--json-errors"))[0]["code"].startswith("RIVET_SOURCE")


def test_head_prints_schema_and_rows(place):
    shop(place, FULL)
    place.rivet("run", code=0)
    part = [f for f in os.listdir(place.path("out", "full")) if f.endswith(".parquet")][0]
    r = place.rivet("head", os.path.join("out", "full", part), "-n", "2", code=0)
    assert "int64" in r.out and "name 1" in r.out and "name 2" in r.out and "name 3" not in r.out
    assert "there is no file" in place.rivet("head", "nope.parquet", code=1).err
    place.write("junk.parquet", "PAR1 this is no parquet file PAR1")
    place.rivet("head", "junk.parquet", code=3)


def test_schemas_and_scripts(place):
    doc = json.loads(place.rivet("schema", "config", code=0).out)
    assert doc["title"].startswith("Rivet config (rivet ") and doc["additionalProperties"] is False
    rows = json.loads(place.rivet("schema", "errors", "--json", code=0).out)
    assert all(set(r) >= {"code", "class", "kind", "action"} and r["code"].startswith("RIVET_") for r in rows)
    text = place.rivet("schema", "errors", code=0).out
    assert all(r["code"] in text for r in rows)
    assert "## `rivet run`" in place.rivet("schema", "cli", code=0).out
    for shell in ("bash", "zsh", "fish", "powershell", "elvish"):
        assert "set-cursor" in place.rivet("completions", shell, code=0).out
    place.rivet("schema", "man", "pages", code=0)
    assert "rivet-state-set-cursor.1" in os.listdir(place.path("pages"))


def test_init_writes_and_refuses(place):
    fill(place.db(SIMPLE, name="shop.db"), 10)
    place.rivet("init", "--source", "sqlite:shop.db", "-o", "rivet.yaml", code=0)
    place.rivet("check", code=0, env={"DATABASE_URL": "sqlite:shop.db"})
    r = place.rivet("init", "--source", "sqlite:shop.db", "-o", "rivet.yaml", code=1)
    assert "--force" in r.err
    place.rivet("init", "--source", "sqlite:shop.db", "-o", "rivet.yaml", "--force", code=0)
    assert "t" in place.rivet("init", "--source", "sqlite:shop.db", code=0).out
    json.loads(place.rivet("init", "--source", "sqlite:shop.db", "--discover", code=0).out)
    for args in (["--source", "a", "--source-env", "B"], ["--source", "a", "--s3-bucket", "b", "--gcs-bucket", "c"],
                 ["--source", "a", "--discover", "--s3-bucket", "b"], ["--source", "a", "--tls-ca", "x"],
                 ["--source", "a", "--table", "t", "--include", "x*"]):
        place.rivet("init", *args, code=2)


def test_reports_are_private(place):
    shop(place, FULL)
    place.rivet("run", "--summary-output", "s.json", code=0)
    assert stat.S_IMODE(os.stat(place.path("s.json")).st_mode) == 0o600


def test_secrets_are_masked(place):
    fill(place.db(SIMPLE), 3)
    place.config([{**FULL, "table": None, "query": "SELECT '${MY_TOKEN}' AS x FROM no_such"}])
    r = place.rivet("run", code=1, env={"MY_TOKEN": "s3cr3t-value", "RIVET_LOG": "trace"})
    assert "s3cr3t-value" not in r.err + r.out


def test_help_is_quick(place):
    times = []
    for _ in range(5):
        started = time.time()
        place.rivet("--help", code=0)
        times.append(time.time() - started)
    assert min(times) < 0.1, times
