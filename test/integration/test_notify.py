"""Slack notifications: who is told, when, what, and that nobody learns the address."""
import contextlib
import http.server
import json
import os
import signal
import threading
import time

import lib

HOOK = "/services/T0PLANT/B0PLANT/plantedhooksecret"


class Webhook:
    """A webhook on loopback: `said` holds what was posted; `status` is what it answers."""

    def __init__(self, status=200):
        said, self.status, self.headers = [], status, []
        self.over = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.headers.append(dict(self.headers))
                said.append((self.path, json.loads(body)["text"]))
                if outer.status is None:  # never a word
                    outer.over.wait(60)
                    return
                self.send_response(outer.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *args):
                pass

        self.said = said
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}{HOOK}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self):
        got, self.said[:] = list(self.said), []
        return [text for _, text in got]


@contextlib.contextmanager
def webhook(status=200):
    w = Webhook(status)
    try:
        yield w
    finally:
        w.over.set()
        w.server.shutdown()
        w.server.server_close()


def config(place, exports, on="failure, schema_change, degraded", target="webhook_url_env: RIVET_IT_HOOK", **kw):
    slack = f"{{{target}, on: [{on}]}}" if on else f"{{{target}}}"
    text = f'\n, "notifications": {{"slack": {slack}}}' + "\n}"
    path = place.config(exports, **kw)
    with open(path, encoding="utf-8") as f:
        body = f.read().rstrip()
    assert body.endswith("}")
    place.write("rivet.yaml", body[:-1] + text)


def source(place, n=5):
    db = place.db(lib.SIMPLE)
    lib.fill(db, n)
    return db


def run(place, w, *args, code=0, **env):
    return place.rivet("run", *args, code=code, env={"RIVET_IT_HOOK": w.url if w else "", **env})


def test_success_is_not_told(place):
    source(place)
    with webhook() as w:
        config(place, [{"name": "t", "table": "t"}])
        run(place, w)
        assert w.take() == []


def test_failure_is_told_once_for_each_export(place):
    source(place)
    with webhook() as w:
        config(place, [{"name": "good", "table": "t"}, {"name": "bad", "query": "SELECT nothing FROM t"},
                       {"name": "gone", "table": "nowhere"}], on="")
        run(place, w, code=1)
        texts = sorted(w.take())
        assert len(texts) == 2 and "'bad' failed" in texts[0] and "'gone' failed" in texts[1], texts
        for fact in ("run: bad_", "status: failed", "rows: 0", "duration: ", "schema changed: ", "error: [RIVET_", "nothing"):
            assert fact in texts[0], (fact, texts[0])
        assert w.headers[0]["User-Agent"].startswith("rivet/") and w.headers[0]["Content-Type"].startswith("application/json")


def test_children_tell_for_themselves_and_the_parent_does_not(place):
    source(place)
    with webhook() as w:
        config(place, [{"name": "good", "table": "t"}, {"name": "bad", "query": "SELECT nothing FROM t"}])
        for flag in ("--parallel-export-processes", "--parallel-exports"):
            run(place, w, flag, code=1)
            assert len(w.take()) == 1
            run(place, w, flag, "--no-notify", code=1)
            assert w.take() == []


def test_schema_change(place):
    db = source(place)
    with webhook() as w:
        config(place, [{"name": "t", "table": "t"}], on="schema_change")
        run(place, w)
        db.execute("ALTER TABLE t ADD COLUMN phone TEXT")
        db.commit()
        run(place, w)
        (text,) = w.take()
        assert "'t' success" in text and "schema changed: yes" in text and "rows: 5" in text, text
        run(place, w)
        assert w.take() == []
        db.execute("ALTER TABLE t ADD COLUMN fax TEXT")
        db.commit()
        config(place, [{"name": "t", "table": "t", "on_schema_drift": "fail"}], on="schema_change")
        run(place, w, code=4)
        (text,) = w.take()
        assert "schema changed: yes" in text and "RIVET_SCHEMA_DRIFT" in text, text


def test_degraded(place):
    source(place)
    with webhook() as w:
        quality = {"unique_columns": ["name"], "unique_max_entries": 1}  # past it, uniqueness stays unchecked
        config(place, [{"name": "t", "table": "t", "quality": quality}], on="degraded")
        run(place, w)
        (text,) = w.take()
        assert "'t' degraded" in text and "status: degraded" in text, text
        config(place, [{"name": "t", "table": "t", "quality": quality}], on="failure")
        run(place, w)
        assert w.take() == []


def test_no_notify_and_other_commands_are_silent(place):
    source(place)
    with webhook() as w:
        config(place, [{"name": "bad", "query": "SELECT nothing FROM t"}])
        run(place, w, "--no-notify", code=1)
        place.rivet("check", env={"RIVET_IT_HOOK": w.url})
        place.rivet("doctor", env={"RIVET_IT_HOOK": w.url})
        assert w.take() == []


def test_delivery_never_changes_the_exit_code(place):
    db = source(place)
    with webhook(status=404) as w:
        config(place, [{"name": "t", "table": "t"}], on="schema_change, failure")
        run(place, w)
        db.execute("ALTER TABLE t ADD COLUMN phone TEXT")
        db.commit()
        r = run(place, w)
        assert len(w.take()) == 1 and "[WARN]" in r.err and "404" in r.err and "plantedhook" not in r.err, r
        db.execute("ALTER TABLE t ADD COLUMN fax TEXT")
        db.commit()
        w.status = 503
        r = run(place, w)
        assert len(w.take()) == 2 and "503" in r.err  # one retry
    r = place.rivet("run", "-e", "t", code=0, env={"RIVET_IT_HOOK": "https://127.0.0.1:1/x"})
    assert "not delivered" not in r.err  # nothing to tell


def test_what_is_missing_is_a_warning_when_something_is_to_be_told(place):
    source(place)
    bad = [{"name": "bad", "query": "SELECT nothing FROM t"}]
    good = [{"name": "good", "table": "t"}]
    for target, name in (("webhook_url_env: RIVET_IT_NOT_SET", "RIVET_IT_NOT_SET"),
                         ('"webhook_url": "https://hooks.slack.com/${RIVET_IT_NO_SUCH}"', "RIVET_IT_NO_SUCH")):
        config(place, good, target=target)
        assert name not in place.rivet("run", code=0).err
        config(place, bad, target=target)
        r = place.rivet("run", code=1)
        assert "[WARN]" in r.err and name in r.err and "not delivered" in r.err, r
        assert name not in place.rivet("run", "--no-notify", code=1).err
    config(place, bad, target='"webhook_url": "http://hooks.slack.com/services/x"')
    assert "no https:// address" in place.rivet("run", code=1).err
    with webhook() as w:  # a parameter serves as well
        config(place, bad, target='"webhook_url": "${RIVET_IT_PARAM}"')
        place.rivet("run", "-p", f"RIVET_IT_PARAM={w.url}", code=1)
        assert len(w.take()) == 1


def test_the_address_is_nowhere(place):
    source(place)
    secrets = ("plantedhooksecret", "T0PLANT")
    for status in (200, 404):
        with webhook(status) as w:
            for target in ("webhook_url_env: RIVET_IT_HOOK", '"webhook_url": "${RIVET_IT_HOOK}"', f'"webhook_url": "{w.url}"'):
                # the statement quotes the address, so that the error would
                config(place, [{"name": "bad", "query": f"SELECT '{w.url}' AS x, nothing FROM t"}], target=target)
                r = run(place, w, "--json-errors", code=1, RIVET_LOG="trace")
                (text,) = w.take()
                assert not any(s in r.err + r.out for s in secrets), r
                if "_env" not in target:
                    assert not any(s in text for s in secrets), text
        for where, _, files in os.walk(place.dir):
            for name in files:
                if name in ("rivet.yaml", "src.db"):
                    continue
                with open(os.path.join(where, name), "rb") as f:
                    data = f.read()
                assert not any(s.encode() in data for s in secrets), os.path.join(where, name)


def test_a_silent_webhook_does_not_hold_an_interrupted_run(place):
    source(place)
    with webhook(status=None) as w:
        for exports, code in ((1, 1), (2, 143)):  # with more to do, the invocation was interrupted
            config(place, [{"name": f"bad{i}", "query": "SELECT nothing FROM t"} for i in range(exports)])
            p = place.start("run", env={"RIVET_IT_HOOK": w.url})
            until = time.monotonic() + 10
            while not w.said and time.monotonic() < until:
                time.sleep(0.01)
            began = time.monotonic()
            p.send_signal(signal.SIGTERM)
            _, err = p.communicate(timeout=20)
            assert time.monotonic() - began < 2 and p.returncode == code, (p.returncode, err)
            assert b"not delivered: interrupted" in err, err
            assert len(w.take()) == 1


def test_a_dead_webhook(place):
    source(place)
    config(place, [{"name": "bad", "query": "SELECT nothing FROM t"}])
    # nothing listens: refused at once, tried twice, told as a warning
    r = place.rivet("run", code=1, env={"RIVET_IT_HOOK": "http://127.0.0.1:1/services/x"}, timeout=20)
    assert "not delivered" in r.err and "http://127.0.0.1:1/***" in r.err, r
