"""Bodies of the tests of connections that the servers share: every way to name a source works, and no
secret of it shows up anywhere. `guarded()` gives a database whose user `reader` has PASSWORD and may read
the 50 rows of t; `forms(place, db)` names sources: name -> (mapping, environment)."""
import glob
import os
import re
import time
import urllib.parse

from sqlkit import code_of

PASSWORD = "pl@nt:ed/S3cret%21#?é"
QUOTED = urllib.parse.quote(PASSWORD, safe="")


def no_secret(place, *results):
    """Neither the password nor its percent-encoded form in outputs or in any file we wrote."""
    needles = {PASSWORD, urllib.parse.quote(PASSWORD, safe=""), PASSWORD.split("/")[1], urllib.parse.quote(PASSWORD.split("/")[1])}
    for r in results:
        for n in needles:
            assert n not in r.out and n not in r.err, f"secret in the output: {n}"
    kept = ("given", "rivet.yaml", "pgpass", "service.conf")
    for path in glob.glob(place.path("**"), recursive=True, include_hidden=True):
        if os.path.isfile(path) and os.path.basename(path) not in kept:
            with open(path, "rb") as f:
                data = f.read()
            for n in needles:
                assert n.encode() not in data, f"secret {n} in {path}"


def common_forms(place, db, url, structured, raw):
    """The forms that every engine has; `raw`: a URL with an at sign in the password as it is."""
    place.write("given", url + "\nsecond line\n")
    return {
        "url": ({"url": url}, {}), "raw_at": ({"url": raw}, {}), "env": ({"url_env": "SRC"}, {"SRC": url}), "file": ({"url_file": "given"}, {}),
        "interpolated": ({"url": "${SRC_URL}"}, {"SRC_URL": url}), "structured": ({**structured, "password": PASSWORD}, {}),
        "password_env": ({**structured, "password_env": "SRC_PW"}, {"SRC_PW": PASSWORD}),
        "password_command": ({**structured, "password_command": "printf '%s\\nmore\\n' \"$SRC_PW\"; echo noise >&2"}, {"SRC_PW": PASSWORD})}


def every_form(place, engine, guarded, forms, written):
    """`written`: the forms whose file holds the password, which get one warning."""
    with guarded() as db:
        wrong = []
        for name, (source, env) in forms(place, db).items():
            engine.config(place, source, [{"name": name, "table": "t"}])
            results = [place.rivet(c, "-c", "rivet.yaml", env={"RIVET_LOG": "trace", **env}) for c in ("doctor", "run")]
            if any(r.code for r in results) or len(place.dataset(name)) != 50:
                wrong.append((name, [(r.code, r.out[-300:], r.err[-600:]) for r in results if r.code]))
            no_secret(place, *results)
            warned = len(re.findall(r"\[WARN\].*password", results[1].err))
            if not any(r.code for r in results) and warned != (name in written):
                wrong.append((name, f"{warned} warnings about a password in the file, want {int(name in written)}"))
        assert not wrong, "\n".join(map(str, wrong))


def wrong_passwords_tell_nothing(place, engine, guarded, forms, change):
    """change(db): the password becomes another."""
    with guarded() as db:
        results, wrong = [], []
        change(db)
        for name, (source, env) in forms(place, db).items():
            engine.config(place, source, [{"name": name, "table": "t"}], tuning={"max_retries": 3, "retry_backoff_ms": 5000})
            started = time.monotonic()
            for command in (("run", "-c", "rivet.yaml"), ("run", "-c", "rivet.yaml", "--json-errors"), ("check", "-c", "rivet.yaml"), ("doctor", "-c", "rivet.yaml", "--json")):
                r = place.rivet(*command, env={"RIVET_LOG": "trace", **env})
                if r.code != 1 or "--json-errors" in command and code_of(r) != "RIVET_SOURCE_AUTH":
                    wrong.append((name, command, r))
                results.append(r)
            assert time.monotonic() - started < 10, f"{name}: a wrong password is no reason to try again"
        no_secret(place, *results)
        assert not wrong, "\n".join(map(str, wrong))


def commands_that_print_configuration(place, engine, guarded, forms):
    """plan, init, journal, metrics and state show no secret either."""
    with guarded() as db:
        url = forms(place, db)["url"][0]["url"]
        engine.config(place, url, [{"name": "x", "table": "t"}])
        env = {"RIVET_LOG": "trace", "SRC": url}
        results = [place.rivet(*c, env=env) for c in (
            ("run", "-c", "rivet.yaml", "--json"), ("plan", "-c", "rivet.yaml", "--format", "json"), ("plan", "-c", "rivet.yaml"), ("init", "--source", url), ("init", "--source-env", "SRC", "--discover"),
            ("journal", "-c", "rivet.yaml", "-e", "x", "--json"), ("metrics", "-c", "rivet.yaml", "--json"), ("state", "-c", "rivet.yaml", "runs", "--json"),
            ("check", "-c", "rivet.yaml", "--type-report", "--json"), ("validate", "-c", "rivet.yaml"))]
        assert results[0].code == 0, results[0]
        no_secret(place, *results)
        assert "url_env: SRC" in place.rivet("init", "--source-env", "SRC", env=env, code=0).out


def password_commands_that_fail(place, engine, guarded):
    with guarded() as db:
        base = {"host": "127.0.0.1", "port": db.server.port, "user": "reader", "database": db.name}
        for command, limit in (("exit 3", 5), ("printf ''", 5), ("echo; echo second", 5), ("sleep 30", 20), ("printf s3cret-of-command; exit 1", 5)):
            engine.config(place, {**base, "password_command": command}, [{"name": "x", "table": "t"}], tuning={"max_retries": 0})
            started = time.monotonic()
            r = place.rivet("run", "-c", "rivet.yaml", env={"RIVET_LOG": "trace"})
            assert r.code in (1, 2) and time.monotonic() - started < limit, f"{command}: {r}"
            assert "password_command" in r.err and "s3cret-of" not in r.err and "second" not in r.err, r


def unset_variables(place, engine):
    engine.config(place, {"url_env": "NOT_SET_ANYWHERE"}, [{"name": "x", "table": "t"}])
    r = place.rivet("run", "-c", "rivet.yaml", code=1)
    assert "NOT_SET_ANYWHERE" in r.err, r
    r = place.rivet("doctor", "-c", "rivet.yaml", code=1)
    assert "[FAIL]" in r.out + r.err and "NOT_SET_ANYWHERE" in r.out + r.err, r
