"""Every way to name a PostgreSQL source, and that no secret of it shows up anywhere."""
import contextlib
import glob
import os
import re
import time
import urllib.parse

import pg

PASSWORD = "pl@nt:ed/S3cret%21#?é"
HBA = ["local all postgres trust", "local all all scram-sha-256", "host all postgres 127.0.0.1/32 trust", "host all all 127.0.0.1/32 scram-sha-256",
       "local replication all trust", "host replication all 127.0.0.1/32 trust"]


@contextlib.contextmanager
def guarded(**kw):
    """A server whose role `reader` needs a password."""
    with contextlib.ExitStack() as stack:
        server = pg.own(stack, 15, hba=HBA, **kw)
        db = stack.enter_context(pg.database(server))
        db.sql("CREATE TABLE t (id integer PRIMARY KEY, v text)", "INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 50) i",
               f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'", "GRANT SELECT ON t TO reader")
        yield db


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


def forms(place, db):
    """name -> (source mapping, environment)."""
    s, quoted = db.server, urllib.parse.quote(PASSWORD, safe="")
    host, port, socket_dir = "127.0.0.1", s.port, s.dir
    url = f"postgresql://reader:{quoted}@{host}:{port}/{db.name}"
    structured = {"host": host, "port": port, "user": "reader", "database": db.name}
    place.write("given", url + "\nsecond line\n")
    place.write("pgpass", f"{host}:{port}:{db.name}:reader:{PASSWORD}\n".replace("pl@nt:", "pl@nt\\:"))
    os.chmod(place.path("pgpass"), 0o600)
    place.write("service.conf", f"[orders]\nhost={host}\nport={port}\ndbname={db.name}\nuser=reader\npassword={PASSWORD}\n")
    keyword = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    place.write("given_password", "")
    return {
        "url": ({"url": url}, {}), "postgres_scheme": ({"url": url.replace("postgresql:", "postgres:")}, {}),
        "keyword": ({"url": f"host={host} port={port} dbname={db.name} user=reader password='{keyword}'"}, {}),
        "raw_at": ({"url": f"postgresql://reader:pl@nt%3Aed%2FS3cret%2521%23%3F%C3%A9@{host}:{port}/{db.name}"}, {}),
        "env": ({"url_env": "SRC"}, {"SRC": url}), "keyword_env": ({"url_env": "SRC"}, {"SRC": f"host={host} port={port} dbname={db.name} user=reader password='{keyword}'"}),
        "file": ({"url_file": "given"}, {}), "interpolated": ({"url": "${SRC_URL}"}, {"SRC_URL": url}),
        "structured": ({**structured, "password": PASSWORD}, {}), "password_env": ({**structured, "password_env": "SRC_PW"}, {"SRC_PW": PASSWORD}),
        "password_command": ({**structured, "password_command": "printf '%s\\nmore\\n' \"$SRC_PW\"; echo noise >&2"}, {"SRC_PW": PASSWORD}),
        "socket_url": ({"url": f"postgresql://reader:{quoted}@/{db.name}?host={urllib.parse.quote(socket_dir, safe='')}&port={port}"}, {}),
        "socket_structured": ({**structured, "host": socket_dir, "password_env": "SRC_PW"}, {"SRC_PW": PASSWORD}),
        "passfile": ({"url": f"postgresql://reader@{host}:{port}/{db.name}?passfile={urllib.parse.quote(place.path('pgpass'), safe='')}"}, {}),
        "pgpassfile_env": ({**structured}, {"PGPASSFILE": place.path("pgpass")}),
        "service": ({"url": "postgresql://?service=orders"}, {"PGSERVICEFILE": place.path("service.conf")}),
        "query_password": ({"url": f"postgresql://{host}:{port}/{db.name}?user=reader&password={quoted}"}, {}),
        "two_hosts": ({"url": f"postgresql://reader:{quoted}@{host}:{pg.host.port()},{host}:{port}/{db.name}?target_session_attrs=read-write"}, {})}


def test_every_form(place):
    with guarded() as db:
        wrong = []
        for name, (source, env) in forms(place, db).items():
            pg.config(place, source, [{"name": name, "table": "t"}])
            results = [place.rivet(c, "-c", "rivet.yaml", env={"RIVET_LOG": "trace", **env}) for c in ("doctor", "run")]
            if any(r.code for r in results) or len(place.dataset(name)) != 50:
                wrong.append((name, [(r.code, r.out[-300:], r.err[-600:]) for r in results if r.code]))
            no_secret(place, *results)
            written = name in ("url", "postgres_scheme", "keyword", "raw_at", "structured", "socket_url", "query_password", "two_hosts")
            warned = len(re.findall(r"\[WARN\].*password", results[1].err))
            if not any(r.code for r in results) and warned != written:
                wrong.append((name, f"{warned} warnings about a password in the file, want {int(written)}"))
        assert not wrong, "\n".join(map(str, wrong))


def test_wrong_passwords_tell_nothing(place):
    with guarded() as db:
        results = []
        for name, (source, env) in forms(place, db).items():
            db.sql("ALTER ROLE reader PASSWORD 'another'")
            pg.config(place, source, [{"name": name, "table": "t"}], tuning={"max_retries": 3, "retry_backoff_ms": 5000})
            started = time.monotonic()
            for command in (("run", "-c", "rivet.yaml"), ("run", "-c", "rivet.yaml", "--json-errors"), ("check", "-c", "rivet.yaml"), ("doctor", "-c", "rivet.yaml", "--json")):
                r = place.rivet(*command, env={"RIVET_LOG": "trace", **env})
                assert r.code == 1, f"{name} {command}: {r}"
                results.append(r)
            assert time.monotonic() - started < 10, f"{name}: a wrong password is no reason to try again"
        no_secret(place, *results)
        assert '"code":"RIVET_SOURCE_AUTH"' in results[1].err


def test_commands_that_print_configuration(place):
    """plan, init, journal, metrics and state show no secret either."""
    with guarded() as db:
        url = forms(place, db)["url"][0]["url"]
        pg.config(place, url, [{"name": "x", "table": "t"}])
        env = {"RIVET_LOG": "trace", "SRC": url}
        results = [place.rivet(*c, env=env) for c in (
            ("run", "-c", "rivet.yaml", "--json"), ("plan", "-c", "rivet.yaml", "--format", "json"), ("plan", "-c", "rivet.yaml"), ("init", "--source", url), ("init", "--source-env", "SRC", "--discover"),
            ("journal", "-c", "rivet.yaml", "-e", "x", "--json"), ("metrics", "-c", "rivet.yaml", "--json"), ("state", "-c", "rivet.yaml", "runs", "--json"),
            ("check", "-c", "rivet.yaml", "--type-report", "--json"), ("validate", "-c", "rivet.yaml"))]
        assert results[0].code == 0, results[0]
        no_secret(place, *results)
        assert "url_env: SRC" in place.rivet("init", "--source-env", "SRC", env=env, code=0).out


def test_state_url_is_a_secret_too(place):
    with guarded() as db:
        db.sql("CREATE SCHEMA rivet AUTHORIZATION reader")
        url = forms(place, db)["url"][0]["url"]
        pg.config(place, {"url_env": "SRC"}, [{"name": "x", "table": "t"}])
        results = [place.rivet("run", "-c", "rivet.yaml", env={"RIVET_LOG": "trace", "SRC": url, "RIVET_STATE_URL": url}, code=0)]
        db.sql("ALTER ROLE reader PASSWORD 'another'")
        results.append(place.rivet("run", "-c", "rivet.yaml", env={"RIVET_LOG": "trace", "SRC": url, "RIVET_STATE_URL": url}))
        assert results[1].code != 0
        no_secret(place, *results)


def test_password_commands_that_fail(place):
    with guarded() as db:
        base = {"host": "127.0.0.1", "port": db.server.port, "user": "reader", "database": db.name}
        for command, limit in (("exit 3", 5), ("printf ''", 5), ("echo; echo second", 5), ("sleep 30", 20), ("printf s3cret-of-command; exit 1", 5)):
            pg.config(place, {**base, "password_command": command}, [{"name": "x", "table": "t"}], tuning={"max_retries": 0})
            started = time.monotonic()
            r = place.rivet("run", "-c", "rivet.yaml", env={"RIVET_LOG": "trace"})
            assert r.code in (1, 2) and time.monotonic() - started < limit, f"{command}: {r}"
            assert "password_command" in r.err and "s3cret-of" not in r.err and "second" not in r.err, r


def test_replica_and_session_attributes(place):
    with guarded(conf={"wal_level": "replica"}) as db, pg.postgres.Postgres(standby_of=db.server, hba=HBA) as standby:
        quoted, ports = urllib.parse.quote(PASSWORD, safe=""), (standby.port, db.server.port)
        for attrs, on_standby in (("read-write", False), ("standby", True), ("primary", False), ("prefer-standby", True)):
            pg.config(place, f"postgresql://reader:{quoted}@127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}/{db.name}?target_session_attrs={attrs}", [{"name": "x", "table": "t"}])
            before = standby.log_size()
            standby.set(log_connections="on", log_statement="'all'")
            standby.reload()
            time.sleep(0.2)
            place.rivet("run", "-c", "rivet.yaml", code=0)
            assert ("COPY" in standby.log(before)) == on_standby, attrs


def test_parameters_that_are_not_libpqs(place):
    with guarded() as db:
        pg.config(place, f"postgresql://postgres@127.0.0.1:{db.server.port}/{db.name}?nonsense=1&replication=database&application_name=mine&client_encoding=LATIN1&connect_timeout=5&keepalives_idle=30",
                  [{"name": "x", "query": "SELECT id, 'ü' AS u FROM t"}])
        r = place.rivet("run", "-c", "rivet.yaml", code=0)
        pg.logged(r, r"\[WARN\].*nonsense")
        assert {x["u"] for x in place.dataset("x")} == {"ü"}


def test_sources_that_cannot_be_reached(place):
    dead = pg.host.port()
    cases = [(f"postgresql://postgres@127.0.0.1:{dead}/x", 2), ("postgresql://postgres@no-such-host.invalid:5432/x", 2), ("postgresql:///x?host=/nonexistent", 2),
             (pg.server().url("no_such_database"), 1), (pg.server().url(user="nobody_of_this_name"), 1)]
    for url, code in cases:
        pg.config(place, url, [{"name": "x", "table": "t"}], tuning={"max_retries": 1, "retry_backoff_ms": 50})
        r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", timeout=60)
        assert r.code == code, f"{url}: {r}"
        assert pg.unmoved(place)


def test_unset_variables(place):
    pg.config(place, {"url_env": "NOT_SET_ANYWHERE"}, [{"name": "x", "table": "t"}])
    r = place.rivet("run", "-c", "rivet.yaml", code=1)
    pg.logged(r, "NOT_SET_ANYWHERE")
    r = place.rivet("doctor", "-c", "rivet.yaml", code=1)
    assert "[FAIL]" in r.out + r.err and "NOT_SET_ANYWHERE" in r.out + r.err
