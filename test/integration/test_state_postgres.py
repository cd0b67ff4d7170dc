"""The run state in PostgreSQL (RIVET_STATE_URL): the crash table once more on it, outages, poolers,
copies in both directions, and the same answers as SQLite gives."""
import contextlib
import json
import os
import re
import signal
import time

import psycopg

import lib
import pg
import test_crash_table as crash
from lib import SIMPLE, fill, same_rows, table
from sql_tls import own_address
from test_postgres_pool import footprint, pooled
from test_postgres_tls import present_on, servers, start_listening

X = {"name": "x", "table": "t"}
INC = {"name": "i", "table": "t", "mode": "incremental", "cursor_column": "id"}
LISTINGS = [("state", "show"), ("state", "runs"), ("state", "files"), ("state", "progression"),
            ("state", "chunks", "-e", "k"), ("metrics",), ("journal", "-e", "i")]


class Connection:
    """What the tests do with sqlite3's connection, over psycopg."""

    def __init__(self, url):
        self.conn = psycopg.connect(url, options="-c search_path=rivet")

    def execute(self, sql, args=()):
        return self.conn.execute(sql.replace("%", "%%").replace("?", "%s"), args)

    def commit(self):
        self.conn.commit()

    def close(self):
        self.conn.close()


def use(place, url):
    """Everything this place runs keeps its state at the URL."""
    start = place.start

    def with_state(*args, env=None, **kw):
        return start(*args, env={"RIVET_STATE_URL": url, **(env or {})}, **kw)
    place.start = with_state
    place.state = lambda: Connection(url)
    return place


@contextlib.contextmanager
def state(place):
    with pg.database() as db:
        use(place, db.url())
        yield db
        assert not os.path.exists(place.path(".rivet_state.db")), "a local state appeared"


def over(test):
    def run(place):
        with state(place):
            test(place)
    return run


for _name in dir(crash):
    if _name.startswith("test_crash_") and _name != "test_crash_16_state_lost":
        globals()[_name] = over(getattr(crash, _name))
        globals()[_name].__name__ = _name


def position(place, export="i"):
    with contextlib.closing(place.state()) as s:
        row = s.execute("SELECT last_cursor_value FROM export_state WHERE export_name = ?", (export,)).fetchone()
    return row and row[0]


def shape(value):
    """A JSON value without what differs from run to run."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shape(v) for v in value]
    return type(value).__name__


def everything(place):
    """What each listing answers, as JSON shapes and as the first line of its table."""
    out = {}
    for cmd in LISTINGS:
        r = place.rivet(*cmd, "-c", "rivet.yaml", "--json", code=0)
        out[cmd, "json"] = shape(json.loads(r.out))
        r = place.rivet(*cmd, "-c", "rivet.yaml", code=0)
        out[cmd, "text"] = re.sub(r"[0-9]+", "9", r.out.split("\n")[0]).split()
    return out


def test_same_answers_as_sqlite(place):
    conn = place.db(SIMPLE)
    fill(conn, 3000)
    chunked = {"name": "k", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1000,
               "chunk_checkpoint": True}
    place.config([X, INC, chunked])
    empty = place.rivet("state", "-c", "rivet.yaml", code=0)
    place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
    want = everything(place)
    os.rename(place.path(".rivet_state.db"), place.path("kept.db"))
    with state(place) as db:
        assert place.rivet("state", "-c", "rivet.yaml", code=0).out == empty.out
        assert db.one("SELECT count(*) FROM pg_namespace WHERE nspname = 'rivet'") == 0, "a reader created something"
        r = place.rivet("doctor", "-c", "rivet.yaml", code=0)
        assert "State (postgres, schema v1)" in r.out, r
        place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
        got = everything(place)
        for key, value in want.items():
            assert got[key] == value, (key, got[key], value)
        assert "State (postgres, schema v1)" in place.rivet("doctor", "-c", "rivet.yaml", code=0).out
        types = {t for t, in db.conn.execute("SELECT DISTINCT data_type FROM information_schema.columns "
                                             "WHERE table_schema = 'rivet'").fetchall()}
        assert types == {"bigint", "text", "bytea"}, types


def test_commands_change_what_they_say(place):
    conn = place.db(SIMPLE)
    fill(conn, 3000)
    place.config([INC, crash.K])
    with state(place):
        r = place.rivet("state", "set-cursor", "-c", "rivet.yaml", "-e", "i", "2990", "--yes", code=0)
        assert "(none) -> 2990" in r.err, r
        place.rivet("run", "-c", "rivet.yaml", code=0)
        assert position(place) == "3000"
        same_rows(place.dataset("i"), table(conn, "SELECT * FROM t WHERE id >= 2990"))
        place.rivet("state", "set-cursor", "-c", "rivet.yaml", "-e", "i", "2000", "--yes", code=0)
        assert position(place) == "2000"
        place.rivet("state", "set-cursor", "-c", "rivet.yaml", "-e", "i", "many", "--yes", code=1)
        place.rivet("state", "accept", "-c", "rivet.yaml", "-e", "i", "--yes", code=0)
        place.rivet("state", "reset", "-c", "rivet.yaml", "-e", "i", code=0)
        assert position(place) is None
        r = place.rivet("state", "reset", "-c", "rivet.yaml", "-e", "nothing", code=1)
        assert "state show" in r.err, r
        time.sleep(1.1)
        place.killed("unit-committed:2", "run", "-c", "rivet.yaml", "-e", "k")
        r = place.rivet("state", "chunks", "-c", "rivet.yaml", "-e", "k", code=0)
        assert "in_progress" in r.out, r
        r = place.rivet("state", "-c", "rivet.yaml", code=0)
        assert "Unfinished runs:" in r.out and "k_" in r.out, r
        run_id = json.loads(place.rivet("state", "runs", "-c", "rivet.yaml", "-e", "k", "--json", code=0).out)[0]["run_id"]
        assert "abandoned" in place.rivet("state", "finish-run", "-c", "rivet.yaml", "--run-id", run_id, code=0).out
        r = place.rivet("state", "reset-chunks", "-c", "rivet.yaml", "--stuck-checkpoints", code=0)
        assert "k: 1 checkpoint deleted" in r.out, r
        r = place.rivet("state", "prune", "-c", "rivet.yaml", "--keep-days", "0", code=0)
        assert r.out.startswith("Deleted: "), r
        place.rivet("run", "-c", "rivet.yaml", code=0)
        same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))
        place.rivet("state", "reset-cdc", "-c", "rivet.yaml", "-e", "i", "--yes", code=1)


def test_copy_there_and_back(place):
    conn = place.db(SIMPLE)
    fill(conn, 3000)
    place.config([INC])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    plain = {}
    for what in ("show", "runs", "files", "progression"):
        plain[what] = place.rivet("state", what, "-c", "rivet.yaml", "--json", code=0).out
    secret = "pw" + os.urandom(8).hex()
    with pg.database() as db:
        url = db.url(password=secret)
        r = place.rivet("state", "copy", "-c", "rivet.yaml", "--to", url, code=0)
        assert secret not in r.out + r.err, r
        r = place.rivet("state", "copy", "-c", "rivet.yaml", "--to", url, code=1)
        assert "not empty" in r.err and secret not in r.err, r
        at = {"RIVET_STATE_URL": url}
        for what, want in plain.items():
            assert place.rivet("state", what, "-c", "rivet.yaml", "--json", env=at, code=0).out == want
        back = "sqlite:" + place.path("back.db")
        place.rivet("state", "copy", "-c", "rivet.yaml", "--to", back, env=at, code=0)
        for what, want in plain.items():
            assert place.rivet("state", what, "-c", "rivet.yaml", "--json", env={"RIVET_STATE_URL": back}, code=0).out == want
        place.rivet("state", "copy", "-c", "rivet.yaml", "--to", url, env=at, code=1)
        fill(conn, 10, start=3001)
        time.sleep(1.1)
        place.rivet("run", "-c", "rivet.yaml", env=at, code=0)  # goes on where the file had been
        same_rows(place.dataset("i", incremental=True), table(conn, "SELECT * FROM t"))
        assert db.one("SELECT count(*) FROM rivet.file_log") == 2


def slow(place, export=None, rows=5000):
    """A run of many seconds: five pages, three seconds apart."""
    conn = place.db(SIMPLE)
    fill(conn, rows)
    place.config([dict(export or crash.K, parallel=1, tuning={"throttle_ms": 1500, "batch_size": 500})])
    return conn


def await_open_run(url):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(psycopg.Error), psycopg.connect(url) as c:
            if c.execute("SELECT count(*) FROM rivet.run_status WHERE status = 'running'").fetchone()[0]:
                return
        time.sleep(0.05)
    raise AssertionError("no run began")


def test_copy_refuses_a_live_lease(place):
    slow(place)
    with state(place) as db:
        p = place.start("run", "-c", "rivet.yaml")
        await_open_run(db.url())
        r = place.rivet("state", "copy", "-c", "rivet.yaml", "--to", "sqlite:copy.db", code=2)
        assert str(p.pid) in r.err, r
        for command in (("reset", "-e", "k"), ("reset-chunks", "-e", "k"), ("reset-chunks", "--failed"),
                        ("accept", "-e", "k", "--yes"), ("finish-run", "--run-id", crash.runs(place)[0][0])):
            r = place.rivet("state", *command, "-c", "rivet.yaml", code=2)
            assert str(p.pid) in r.err, r
        p.send_signal(signal.SIGTERM)
        p.communicate(timeout=60)
        place.rivet("state", "copy", "-c", "rivet.yaml", "--to", "sqlite:copy.db", code=0)


def test_an_outage_is_survived(place):
    """The server goes away in the middle of a run and is back before a minute is over."""
    conn = slow(place)
    with contextlib.ExitStack() as stack:
        server = pg.own(stack)
        use(place, server.url())
        p = place.start("run", "-c", "rivet.yaml")
        await_open_run(server.url())
        server.stop(signal.SIGQUIT)
        time.sleep(12)
        server.start()
        _, err = p.communicate(timeout=120)
        assert p.returncode == 0, err
        same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))
        assert crash.runs(place)[0][1] == "success"
        place.rivet("validate", "-c", "rivet.yaml", "--depth", "full", code=0)


def test_an_outage_for_good(place):
    """Exit 2, the position unmoved; later the next run exports what is missing, exactly."""
    conn = place.db(SIMPLE)
    fill(conn, 1000)
    place.config([INC])
    with contextlib.ExitStack() as stack:
        server = pg.own(stack)
        use(place, server.url())
        place.rivet("run", "-c", "rivet.yaml", code=0)
        fill(conn, 4000, start=1001)
        place.config([dict(INC, tuning={"throttle_ms": 1000, "batch_size": 1000})])
        time.sleep(1.1)
        p = place.start("run", "-c", "rivet.yaml", binary=lib.FAULTY, env={"RIVET_STATE_PATIENCE_MS": "3000"})
        await_open_run(server.url())
        server.stop()
        gone = time.monotonic()
        _, err = p.communicate(timeout=120)
        assert p.returncode == 2 and b"state database" in err, (p.returncode, err)
        assert time.monotonic() - gone < 9, "every step of the end waited anew"
        place.rivet("run", "-c", "rivet.yaml", code=2)
        place.rivet("state", "show", "-c", "rivet.yaml", code=2)
        server.start()
        assert position(place) == "1000"
        time.sleep(1.1)
        place.config([INC])
        place.rivet("run", "-c", "rivet.yaml", code=0)
        same_rows(place.dataset("i", incremental=True), table(conn, "SELECT * FROM t"))
        assert position(place) == "5000"


def test_cut_connections(place):
    """Every connection to the state is reset again and again; each row is exported once."""
    conn = place.db(SIMPLE)
    fill(conn, 20000)
    place.config([dict(crash.K, chunk_size=500, tuning={"throttle_ms": 40, "batch_size": 100}), INC])
    with state(place) as db, pg.proxy.FaultProxy(db.server.port) as p:
        place.rivet("state", "set-cursor", "-c", "rivet.yaml", "-e", "i", "0", "--yes", code=0)  # makes the tables
        p.cut_ms, p.cuts_left = 400, 12
        at = {"RIVET_STATE_URL": db.url(port=p.port)}
        place.rivet("run", "-c", "rivet.yaml", "-e", "k", "--validate", env=at, code=0)
        assert p.cuts >= 3, p.cuts
        same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))
        assert {n for n, in db.conn.execute("SELECT attempts FROM rivet.chunk_task").fetchall()} == {1}


def through_pooler(place, size):
    conn = place.db(SIMPLE)
    fill(conn, 5000)
    place.config([X, INC, crash.K])
    with pooled("transaction", size) as (db, pool):
        clean = footprint(pool, db)
        use(place, pool.url(db.name))
        place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
        for cmd in LISTINGS:
            place.rivet(*cmd, "-c", "rivet.yaml", "--json", code=0)
        place.rivet("state", "set-cursor", "-c", "rivet.yaml", "-e", "i", "4000", "--yes", code=0)
        place.rivet("state", "prune", "-c", "rivet.yaml", "--keep-days", "0", code=0)
        time.sleep(1.1)
        place.killed("unit-committed:2", "run", "-c", "rivet.yaml", "-e", "k")
        place.rivet("run", "-c", "rivet.yaml", code=0)
        place.rivet("state", "copy", "-c", "rivet.yaml", "--to", "sqlite:copy.db", code=0)
        assert footprint(pool, db) == clean, "a session setting leaked"
        assert "unsupported startup" not in pool.log() and "prepared statement" not in pool.log()
        same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))
        assert db.one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0


def test_transaction_pooler(place):
    through_pooler(place, 4)


def test_transaction_pooler_with_one_backend(place):
    through_pooler(place, 1)


def test_the_password_is_nowhere(place):
    conn = place.db(SIMPLE)
    fill(conn, 100)
    place.config([X])
    secret = "s3" + os.urandom(12).hex()
    with pg.database() as db:
        said = ""
        for url in (db.url(password=secret), f"host=127.0.0.1 port={db.server.port} user=postgres dbname={db.name} password={secret}",
                    db.url(password=secret, port=1), db.url(password=secret).replace(db.name, "no_such_database"),
                    "postgres://u:" + secret + "@[bad/", db.url(password=secret) + "?nonsense=1"):
            for cmd in (("run",), ("state",), ("doctor",), ("metrics",)):
                r = place.rivet(*cmd, "-c", "rivet.yaml", env={"RIVET_STATE_URL": url, "RIVET_LOG": "trace"})
                said += r.out + r.err
        for row in db.conn.execute("SELECT string_agg(to_jsonb(r)::text, '') FROM rivet.run_status r").fetchall() + \
                db.conn.execute("SELECT journal_json FROM rivet.run_journal").fetchall() + \
                db.conn.execute("SELECT error_message FROM rivet.export_metrics").fetchall():
            said += str(row)
        for folder, _, names in os.walk(place.dir):
            for n in names:
                with open(os.path.join(folder, n), "rb") as f:
                    said += f.read().decode("latin-1")
        assert secret not in said
        assert "success" in said


def test_refusals(place):
    conn = place.db(SIMPLE)
    fill(conn, 10)
    place.config([X])

    def attempt(url, code, text):
        r = place.rivet("run", "-c", "rivet.yaml", env={"RIVET_STATE_URL": url}, code=code)
        assert re.search(text, r.err), r
    attempt("mysql://h/db", 1, "scheme")
    began = time.monotonic()
    attempt("postgresql://u@127.0.0.1:1/d", 2, "state database")
    assert time.monotonic() - began < 15
    with pg.database() as db:
        attempt(db.url().replace(db.name, "no_such_database"), 1, "no_such_database")
        db.sql("CREATE SCHEMA rivet", "CREATE TABLE rivet.schema_version (version integer PRIMARY KEY)",
               "INSERT INTO rivet.schema_version VALUES (7)")
        attempt(db.url(), 5, "RIVET_STATE_URL")
        assert db.rows("SELECT * FROM rivet.schema_version") == [{"version": 7}]
        db.sql("DROP SCHEMA rivet CASCADE")
        attempt(db.url(), 0, "")
        db.sql("INSERT INTO rivet.schema_version VALUES (12, 'x', '9.9.9')")
        attempt(db.url(), 5, "12.*1")
        assert not os.path.exists(place.path(".rivet_state.db"))


def test_remote_plaintext(place):
    conn = place.db(SIMPLE)
    fill(conn, 10)
    place.config([X])
    address = own_address()
    with servers() as (server, certs):
        server.write_hba(["local all all trust", f"host all all {address}/32 trust", "host all all 127.0.0.1/32 trust"])
        start_listening(server, address)
        strict = {"RIVET_REQUIRE_TLS": "1"}

        def attempt(url, code, env=()):
            return place.rivet("state", "runs", "-c", "rivet.yaml", env={"RIVET_STATE_URL": url, **dict(env)}, code=code)
        warned = r"(?i)\[WARN\].*not encrypted"
        assert not re.search(warned, attempt(server.url(), 0, strict).err)
        assert len(re.findall(warned, attempt(server.url(host=address), 0).err)) == 1
        assert not re.search(warned, attempt(server.url(host=address, sslmode="disable"), 0).err)
        r = attempt(server.url(host=address), 1, strict)
        assert "RIVET_REQUIRE_TLS" in r.err, r
        present_on(server, certs, address)
        assert not re.search(warned, attempt(server.url(host=address), 0, strict).err)
