"""Every way to name a PostgreSQL source, and that no secret of it shows up anywhere."""
import contextlib
import os
import time
import urllib.parse

import pg
import sql_connect
from sql_connect import PASSWORD, no_secret

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


def forms(place, db):
    """name -> (source mapping, environment)."""
    s, quoted = db.server, urllib.parse.quote(PASSWORD, safe="")
    host, port, socket_dir = "127.0.0.1", s.port, s.dir
    url = f"postgresql://reader:{quoted}@{host}:{port}/{db.name}"
    structured = {"host": host, "port": port, "user": "reader", "database": db.name}
    place.write("pgpass", f"{host}:{port}:{db.name}:reader:{PASSWORD}\n".replace("pl@nt:", "pl@nt\\:"))
    os.chmod(place.path("pgpass"), 0o600)
    place.write("service.conf", f"[orders]\nhost={host}\nport={port}\ndbname={db.name}\nuser=reader\npassword={PASSWORD}\n")
    keyword = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    raw = f"postgresql://reader:pl@nt%3Aed%2FS3cret%2521%23%3F%C3%A9@{host}:{port}/{db.name}"
    return {
        **sql_connect.common_forms(place, db, url, structured, raw), "postgres_scheme": ({"url": url.replace("postgresql:", "postgres:")}, {}),
        "keyword": ({"url": f"host={host} port={port} dbname={db.name} user=reader password='{keyword}'"}, {}),
        "keyword_env": ({"url_env": "SRC"}, {"SRC": f"host={host} port={port} dbname={db.name} user=reader password='{keyword}'"}),
        "socket_url": ({"url": f"postgresql://reader:{quoted}@/{db.name}?host={urllib.parse.quote(socket_dir, safe='')}&port={port}"}, {}),
        "socket_structured": ({**structured, "host": socket_dir, "password_env": "SRC_PW"}, {"SRC_PW": PASSWORD}),
        "passfile": ({"url": f"postgresql://reader@{host}:{port}/{db.name}?passfile={urllib.parse.quote(place.path('pgpass'), safe='')}"}, {}),
        "pgpassfile_env": ({**structured}, {"PGPASSFILE": place.path("pgpass")}),
        "service": ({"url": "postgresql://?service=orders"}, {"PGSERVICEFILE": place.path("service.conf")}),
        "query_password": ({"url": f"postgresql://{host}:{port}/{db.name}?user=reader&password={quoted}"}, {}),
        "two_hosts": ({"url": f"postgresql://reader:{quoted}@{host}:{pg.host.port()},{host}:{port}/{db.name}?target_session_attrs=read-write"}, {})}


def test_every_form(place):
    sql_connect.every_form(place, pg, guarded, forms, ("url", "postgres_scheme", "keyword", "raw_at", "structured", "socket_url", "query_password", "two_hosts"))


def test_wrong_passwords_tell_nothing(place):
    sql_connect.wrong_passwords_tell_nothing(place, pg, guarded, forms, lambda db: db.sql("ALTER ROLE reader PASSWORD 'another'"))


def test_commands_that_print_configuration(place):
    sql_connect.commands_that_print_configuration(place, pg, guarded, forms)


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
    sql_connect.password_commands_that_fail(place, pg, guarded)


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
    sql_connect.unset_variables(place, pg)
