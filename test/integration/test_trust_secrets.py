"""Secrets planted in every place one may stand, every command at trace level: no occurrence in any
output, file or row that Rivet wrote."""
import contextlib
import json
import os
import urllib.parse

import psycopg

import pg
from lib import SIMPLE, fill

LOUD = {"RIVET_LOG": "trace"}
GIVEN = {"rivet.yaml", "given", "src.db"}  # files the user wrote: those may hold them


def planted(name):
    """A password that has to be percent-encoded, and every way it may be written."""
    raw = f"{name}:p@ss/{os.urandom(6).hex()}%é"
    return raw, {raw, urllib.parse.quote(raw, safe=""), raw.split("/")[1], urllib.parse.quote(raw.split("/")[1])}


class Ear:
    """Everything that was said."""

    def __init__(self, place, env):
        self.place, self.env, self.heard, self.said, self.turn = place, {**LOUD, **env}, [], 0, 0

    def run(self, *args, codes=None, env=None):
        r = self.place.rivet(*args, env={**self.env, **(env or {})}, timeout=120)
        assert r.code >= 0 and (codes is None or r.code in codes), f"{args}: {r}"
        self.heard.append((" ".join(args), r.out + r.err))
        self.said += len(r.err)
        return r

    def every_command(self, export):
        """Each as text, as JSON or with JSON errors: the next call moves on by one."""
        cli, one, output = ("-c", "rivet.yaml"), ("-e", export), ((), ("--json",), ("--json-errors",))
        commands = [("run", *one, "--no-notify"), ("check",), ("doctor",), ("validate", "--depth", "full"), ("reconcile", *one),
                    ("repair", *one), ("repair", *one, "--execute"), ("state", "show"), ("state", "runs"), ("state", "files"),
                    ("state", "progression"), ("state", "chunks", *one), ("metrics",), ("journal", *one), ("check", "--type-report")]
        for n, command in enumerate(commands):
            self.run(*command, *cli, *output[(n + self.turn) % 3])
        self.turn += 1
        self.run("run", *cli, *one, "--no-notify", "--validate", "--reconcile", "--summary-output", "sum.json", codes={0})
        self.run("plan", *cli, *one, "-o", "plan.json", "--format", "json")
        self.run("apply", "plan.json", "--no-notify")
        self.run("run", *cli, *one, "--resume", "--no-notify")
        self.run("state", "set-cursor", *cli, *one, "5", "--yes")
        self.run("state", "accept", *cli, *one, "--yes")
        self.run("state", "copy", *cli, "--to", f"sqlite:{export}-copy.db")
        self.run("state", "reset-chunks", *cli, *one)
        self.run("state", "prune", *cli, "--keep-days", "0")
        self.run("state", "reset", *cli, *one)

    def nothing(self, needles, dbs=()):
        for command, text in self.heard:
            for n in needles:
                assert n not in text, f"rivet {command} says {n}: {text[max(0, text.find(n) - 200):][:500]}"
        for folder, _, names in os.walk(self.place.dir):
            for name in names:
                if name not in GIVEN:
                    with open(os.path.join(folder, name), "rb") as f:
                        data = f.read()
                    for n in needles:
                        assert n.encode() not in data, f"{n} in {os.path.join(folder, name)}"
        for url in dbs:
            for table, text in rows_of_state(url):
                for n in needles:
                    assert n not in text, f"{n} in {table} of the state"
        assert self.said > 1000, "trace says something"


def rows_of_state(url):
    with psycopg.connect(url) as c:
        names = [n for n, in c.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'rivet'").fetchall()]
        assert len(names) > 10, names
        for n in names:
            text = c.execute(f"SELECT coalesce(string_agg(r::text, ''), '') FROM rivet.{n} r").fetchone()[0]
            yield n, text


def test_sqlite_everywhere(place):
    """Interpolated variables in SQL, a webhook, a state URL and an endpoint's userinfo."""
    fill(place.db(SIMPLE), 500)
    env, needles = {}, set()
    for name in ("APP_TOKEN", "db_password", "SIGNING_KEY", "SomeSecret", "STATE", "HOOK", "USERINFO"):
        raw, all_of_it = planted("s" + name[:3])
        env[name] = raw.replace("'", "")
        needles |= all_of_it
    quoted = {k: urllib.parse.quote(v, safe="") for k, v in env.items()}
    hook = f"http://127.0.0.1:9/services/{quoted['HOOK']}"
    variables = {k: env[k] for k in ("APP_TOKEN", "db_password", "SIGNING_KEY", "SomeSecret")}
    sql = "SELECT * FROM t WHERE " + " AND ".join(f"name <> '${{{k}}}'" for k in variables)
    exports = [{"name": "q", "query": sql}, {"name": "broken", "query": sql + " AND no_such_column = '${APP_TOKEN}'"},
               {"name": "k", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 200, "chunk_checkpoint": True},
               {"name": "gate", "query": sql, "quality": {"row_count_min": 10**6}}]
    top = {"notifications": {"slack": {"webhook_url": hook, "on": ["failure"]}}}
    with pg.database() as state:
        for at in ({}, {"RIVET_STATE_URL": state.url(password=env["STATE"])}):
            ear = Ear(place, {**variables, **at})
            place.write("rivet.yaml", json.dumps({"source": {"type": "sqlite", "path": "src.db", "tuning": {"throttle_ms": 0}}, **top, "exports": [
                {"format": "parquet", "destination": {"type": "local", "path": "./out"}, **x} for x in exports]}))
            ear.every_command("q")
            ear.every_command("k")
            ear.run("run", "-c", "rivet.yaml", "-e", "broken", codes={1})  # posts to the webhook, which nobody answers
            ear.run("run", "-c", "rivet.yaml", "-e", "broken", "--no-notify", "--json-errors", codes={1})
            ear.run("run", "-c", "rivet.yaml", "-e", "gate", "--no-notify", codes={3})
            for more in ((), ("--no-notify",), ("--no-notify", "--parallel-exports"), ("--no-notify", "--parallel-export-processes")):
                ear.run("run", "-c", "rivet.yaml", *more, codes={1, 3})
            for dest in ({"type": "s3", "bucket": "b", "prefix": "x/", "endpoint": f"http://user:{quoted['USERINFO']}@127.0.0.1:9"},):
                place.write("dest.yaml", json.dumps({"source": {"type": "sqlite", "path": "src.db"}, "exports": [
                    {"name": "d", "table": "t", "format": "parquet", "destination": dest}]}))
                for command in ("run", "check", "doctor", "validate"):
                    ear.run(command, "-c", "dest.yaml")
                os.remove(place.path("dest.yaml"))
            ear.nothing(needles, [state.url()] if at else [])


@contextlib.contextmanager
def guarded(secret):
    """A PostgreSQL whose role `reader` needs the password."""
    with contextlib.ExitStack() as stack:
        server = pg.own(stack, 15, hba=["local all postgres trust", "host all postgres 127.0.0.1/32 trust", "local all all scram-sha-256",
                                        "host all all 127.0.0.1/32 scram-sha-256"])
        db = stack.enter_context(pg.database(server))
        pg.simple(db, 600, gap=False)
        db.sql(f"CREATE ROLE reader LOGIN PASSWORD '{secret}'", "GRANT SELECT ON t TO reader",
               f"GRANT CREATE ON DATABASE {db.name} TO reader")
        yield db


def forms(place, db, secret):
    """Every place a password may stand in."""
    quoted = urllib.parse.quote(secret, safe="")
    at = {"host": "127.0.0.1", "port": db.server.port, "user": "reader", "database": db.name}
    url = f"postgresql://reader:{quoted}@127.0.0.1:{db.server.port}/{db.name}"
    place.write("given", url + "\n")
    return {"url": ({"url": url}, {}), "in_the_query": ({"url": url.replace(f":{quoted}@", "@") + f"?password={quoted}"}, {}),
            "url_env": ({"url_env": "SRC"}, {"SRC": url}), "url_file": ({"url_file": "given"}, {}),
            "interpolated": ({"url": "${SRC}"}, {"SRC": url}), "written": ({**at, "password": secret}, {}),
            "password_env": ({**at, "password_env": "SRC_PW"}, {"SRC_PW": secret}),
            "password_command": ({**at, "password_command": "printf '%s\\n' \"$SRC_PW\""}, {"SRC_PW": secret})}, url


def test_postgres_everywhere(place):
    secret, needles = planted("src")
    token, more = planted("tok")
    with guarded(secret) as db:
        ways, url = forms(place, db, secret)
        exports = [{"name": "x", "query": "SELECT * FROM t WHERE name <> '${API_TOKEN}'"},
                   {"name": "k", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 200, "chunk_checkpoint": True},
                   {"name": "broken", "query": "SELECT no_such_column, '${API_TOKEN}' FROM t"}]
        for n, (name, (source, env)) in enumerate(ways.items()):
            state = {"RIVET_STATE_URL": url} if n % 2 else {}
            ear = Ear(place, {"API_TOKEN": token, **env, **state})
            pg.config(place, source, exports)
            ear.turn = n
            if n in (1, 3, 6):
                ear.every_command("k" if n == 3 else "x")
            ear.run("run", "-c", "rivet.yaml", codes={1})
            ear.run("run", "-c", "rivet.yaml", "--parallel-export-processes", "--json-errors", codes={1})
            for code, broken in ((2, {**source, "port": 1}), (1, {**source, "database": "no_such_database"})):
                if "host" in source:
                    pg.config(place, broken, exports, tuning={"max_retries": 0})
                    for command in ("run", "doctor"):
                        ear.run(command, "-c", "rivet.yaml", codes={code} if command == "run" else None)
            if "SRC" in env:
                ear.run("init", "--source-env", "SRC", "--table", "t", "-o", "made.yaml")
            ear.run("init", "--source", url, "--table", "t")
            ear.run("init", "--source", url.replace("127.0.0.1", "127.0.0.1:1:2"), "--table", "t", codes={1, 2})
            if name == "url_file":
                ear.run("init", "--source-file", "given", "--table", "t")
            ear.nothing(needles | more, [db.url()] if state else [])
