"""What the server itself saw of a run, from its log and its statistics: short statements, no open
transaction, settings only by SET LOCAL, a name and a comment on everything, no temporary files."""
import contextlib
import json
import os
import re
import threading
import time

import pg
from lib import same_rows

LOGGING = {"log_min_duration_statement": "0", "log_temp_files": "0", "log_connections": "on", "log_disconnections": "on",
           "log_line_prefix": "'%m|%p|%d|%a|'"}
ENTRY = re.compile(r"^(?P<at>[^|]*)\|(?P<pid>\d+)\|(?P<db>[^|]*)\|(?P<app>[^|]*)\|(?P<text>.*)$")
DURATION = re.compile(r"LOG:  duration: ([0-9.]+) ms  (?:statement|execute[^:]*|parse[^:]*|bind[^:]*): ((?s:.*))")
ROWS = 1000000
LIMIT_MS = 200


def quiet(server, database):
    """Waits until nobody but us is on a database."""
    for _ in range(200):
        if not database.one("SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", database.name):
            return
        time.sleep(0.02)


class Witness:
    """The log entries of one database while a block runs, and what pg_stat_activity showed."""

    def __init__(self, db):
        self.db, self.entries, self.idle_in_transaction, self.oldest_xact_s = db, [], 0, 0.0

    def __enter__(self):
        quiet(self.db.server, self.db)
        self.before = os.path.getsize(self.db.server.logfile)
        self.me = str(self.db.one("SELECT pg_backend_pid()"))
        self.temp = self._temp()
        self.watch, self.done = self.db.connect(autocommit=True, application_name="watch"), False
        self.thread = threading.Thread(target=self._look)
        self.thread.start()
        return self

    def _look(self):
        while not self.done:
            for state, age in self.watch.execute(
                    "SELECT state, extract(epoch FROM clock_timestamp() - xact_start)::float FROM pg_stat_activity WHERE datname = %s "
                    "AND application_name LIKE 'rivet%%'", (self.db.name,)).fetchall():
                self.idle_in_transaction += state == "idle in transaction"
                self.oldest_xact_s = max(self.oldest_xact_s, age or 0)
            time.sleep(0.01)

    def __exit__(self, *_):
        self.done = True
        self.thread.join()
        self.watch.close()
        quiet(self.db.server, self.db)
        entry = None
        for line in self.db.server.log(self.before).splitlines():
            m = ENTRY.match(line)
            if m:
                entry = m.groupdict()
                if entry["db"] == self.db.name and entry["pid"] != self.me and entry["app"] != "watch":
                    self.entries.append(entry)
            elif entry is not None:
                entry["text"] += "\n" + line

    def statements(self):
        """(milliseconds, text, application) of all that was run."""
        found = []
        for e in self.entries:
            m = DURATION.match(e["text"])
            if m:
                found.append((float(m[1]), m[2], e["app"]))
        return found

    def temp_bytes(self):
        return self._temp() - self.temp

    def _temp(self):
        self.db.sql("SELECT pg_stat_force_next_flush()")  # of what made the tables; others reported as they left
        return self.db.one("SELECT temp_bytes FROM pg_stat_database WHERE datname = current_database()")


@contextlib.contextmanager
def watched(**conf):
    with contextlib.ExitStack() as stack:
        server = pg.own(stack, 15, conf={**LOGGING, **conf})
        yield stack.enter_context(pg.database(server))


def polite(w, names=("x",), transactions=False):
    """Everything but the times, which need a quiet machine."""
    apps = {f"rivet/{n}" for n in names}
    bad = []
    for ms, text, app in w.statements():
        if app not in apps:
            bad.append(("application_name", app, text[:80]))
        if text.strip() and not re.match(r"/\* rivet [^*]*\*/", text):  # an empty one is the barrier after a cancel
            bad.append(("comment", app, text[:80]))
        if re.search(r"\bSET\s+(?!LOCAL\b|TRANSACTION\b|DATA\b)", text):
            bad.append(("a setting outside SET LOCAL", app, text[:200]))
        if not transactions and re.search(r"\b(BEGIN|START TRANSACTION)\b(?!.*\bROLLBACK\b)", text):
            bad.append(("transaction", app, text[:200]))
        if re.search(r"\b(PREPARE|LISTEN|TEMP|pg_advisory)\b", text):
            bad.append(("session object", app, text[:200]))
    bad += [("error", e["app"], e["text"][:200]) for e in w.entries if re.match(r"(ERROR|FATAL|PANIC):", e["text"])
            and "canceling statement due to user request" not in e["text"]]  # a page cut by our own clock
    bad += [("temporary file", e["app"], e["text"]) for e in w.entries if "temporary file" in e["text"]]
    assert not bad, bad[:8]


def big(db, rows=ROWS):
    db.sql("CREATE TABLE t (id bigint PRIMARY KEY, grp integer, amount numeric(12,2), at timestamptz, name text, note text)",
           f"INSERT INTO t SELECT i, i % 1000, i / 7.0, timestamptz '2024-01-01 00:00+00' + i * interval '1 s', 'name ' || i, md5(i::text) FROM generate_series(1, {rows}) i",
           "CREATE INDEX t_at ON t(at, id)", "VACUUM ANALYZE t")


SHAPES = [("table", {"table": "t"}), ("query", {"query": "SELECT id, name, amount FROM t WHERE grp <> 5"}),
          ("rare", {"query": "SELECT id, name FROM t WHERE grp = 7 AND name LIKE '%7'"}),
          ("parallel", {"table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 250000, "parallel": 2}),
          ("dense", {"table": "t", "mode": "chunked", "chunk_column": "id", "chunk_dense": True, "chunk_size": 300000, "chunk_checkpoint": True}),
          ("keyset", {"table": "t", "mode": "chunked", "chunk_by_key": "id", "chunk_size": 400000, "parallel": 2}),
          ("incremental", {"table": "t", "mode": "incremental", "cursor_column": "at"})]


def times_of(w):
    found = sorted((ms, text) for ms, text, _ in w.statements())
    return found[-1], found[int(len(found) * 0.99) - 1][0], len(found)


def test_no_statement_above_a_fifth_of_a_second(place):
    """A million rows at `balanced`; a busy machine gets a second and a third look at each shape."""
    with watched() as db:
        big(db)
        for name, export in SHAPES:
            looks = []
            for attempt in range(3):
                run = f"{name}{attempt}"
                pg.config(place, db, [{"name": run, "destination": {"type": "local", "path": f"./out/{run}"}, **export}], tuning={"throttle_ms": 50})
                with Witness(db) as w:
                    place.rivet("run", "-c", "rivet.yaml", code=0)
                polite(w, (run,))
                longest, p99, count = times_of(w)
                looks.append((longest[0], p99, round(w.oldest_xact_s, 3), w.idle_in_transaction, count, longest[1][:150]))
                assert w.temp_bytes() == 0, f"{name}: temp_bytes"
                assert w.idle_in_transaction == 0, f"{name}: idle in transaction {w.idle_in_transaction} times"
                if looks[-1][0] <= LIMIT_MS and w.oldest_xact_s <= 0.3:
                    break
            else:
                raise AssertionError(f"{name}: longest, p99, transaction, idle, statements: {looks}")
        assert db.one("SELECT count(*) FROM t") == sum(p["rows"] for p in place.manifests("table0", "out/table0")[-1]["parts"])


test_no_statement_above_a_fifth_of_a_second.alone = True


def test_incremental_by_an_index_on_the_cursor_alone(place):
    """The usual index on updated_at: pages still, or a WARN that one statement reads it."""
    with watched() as db:
        big(db, 400000)
        db.sql("DROP INDEX t_at", "CREATE INDEX t_at ON t(at)", "VACUUM ANALYZE t")
        pg.config(place, db, [{"name": "x", "table": "t", "mode": "incremental", "cursor_column": "at"}])
        with Witness(db) as w:
            r = place.rivet("run", "-c", "rivet.yaml", code=0)
        polite(w)
        assert times_of(w)[0][0] <= LIMIT_MS or re.search(r"\[WARN\].*one statement", r.err), (times_of(w)[0], r)


def test_wide_rows_stay_short(place):
    with watched() as db:
        db.sql("CREATE TABLE t (id integer PRIMARY KEY, body text)", "ALTER TABLE t ALTER COLUMN body SET STORAGE EXTERNAL",
               "INSERT INTO t SELECT i, repeat(md5(i::text), CASE WHEN i % 5000 < 100 THEN 1200 ELSE 180 END) FROM generate_series(1, 20000) i", "VACUUM ANALYZE t")
        looks = []
        for attempt in range(3):
            pg.config(place, db, [{"name": f"x{attempt}", "table": "t"}], tuning={"throttle_ms": 50})
            with Witness(db) as w:
                [told], _ = pg.export_row(place)
            polite(w, (f"x{attempt}",))
            longest, p99, count = times_of(w)
            looks.append((longest[0], p99, count, told["peak_rss_mb"]))
            if longest[0] <= LIMIT_MS and told["peak_rss_mb"] <= 64 and w.idle_in_transaction == 0:
                break
        else:
            raise AssertionError(f"longest ms, p99, statements, RSS: {looks}")
        assert told["rows"] == 20000 and w.temp_bytes() == 0


test_wide_rows_stay_short.alone = True


def test_every_shape_is_polite(place):
    """Cursor, ctid ranges and snapshot hold a transaction, and only these; nothing spills, nothing leaks."""
    with watched() as db:
        pg.simple(db, 60000)
        db.sql("CREATE TABLE heap AS SELECT * FROM t", "CREATE VIEW v AS SELECT * FROM t", "VACUUM ANALYZE heap")
        shapes = [("ranges", {"table": "heap"}), ("cursor", {"query": "SELECT DISTINCT * FROM t WHERE id < 20000"}), ("view", {"table": "v"}),
                  ("snapshot", {"table": "t", "consistency": "snapshot", "mode": "chunked", "chunk_column": "id", "chunk_size": 9000, "parallel": 2}),
                  ("window", {"table": "t", "mode": "time_window", "time_column": "at", "days_window": 9000})]
        for name, export in shapes:
            pg.config(place, db, [{"name": name, "destination": {"type": "local", "path": f"./out/{name}"}, **export}])
            with Witness(db) as w:
                place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
            polite(w, (name,), transactions=True)
            assert w.temp_bytes() == 0, name
        same_rows(place.dataset("ranges", "out/ranges"), db.rows("SELECT * FROM heap"))
        same_rows(place.dataset("view", "out/view"), db.rows("SELECT * FROM v"))
        same_rows(place.dataset("snapshot", "out/snapshot"), db.rows("SELECT * FROM t"))


def test_check_doctor_init_and_plan_are_short_too(place):
    with watched() as db:
        big(db, 300000)
        db.sql("CREATE TABLE noindex AS SELECT * FROM t", "VACUUM ANALYZE noindex")
        pg.config(place, db, [{"name": "a", "table": "t"}, {"name": "b", "query": "SELECT * FROM noindex WHERE note LIKE '%zz%'"},
                              {"name": "c", "table": "noindex", "mode": "incremental", "cursor_column": "at"},
                              {"name": "d", "table": "noindex", "mode": "chunked", "chunk_column": "id"}])
        for command in (("check", "-c", "rivet.yaml"), ("check", "-c", "rivet.yaml", "--type-report"), ("doctor", "-c", "rivet.yaml"),
                        ("init", "--source", db.url()), ("init", "--source", db.url(), "--discover")):
            with Witness(db) as w:
                place.rivet(*command, code=0)
            slow = [(ms, t[-400:]) for ms, t, _ in w.statements() if ms > LIMIT_MS]
            assert not slow, (command, slow)
            assert all(e["app"].startswith("rivet") for e in w.entries if "duration" in e["text"]), command


def test_incremental_reads_only_what_is_new(place):
    with watched() as db:
        big(db, 200000)
        pg.config(place, db, [{"name": "x", "table": "t", "mode": "incremental", "cursor_column": "at"}])
        place.rivet("run", "-c", "rivet.yaml", code=0)
        db.sql("INSERT INTO t SELECT i, 1, 1, timestamptz '2024-01-01 00:00+00' + i * interval '1 s', 'new', 'new' FROM generate_series(200001, 200050) i")
        db.sql("SELECT pg_stat_reset()")
        time.sleep(0.3)
        place.rivet("run", "-c", "rivet.yaml", code=0)
        time.sleep(0.8)
        read = db.one("SELECT coalesce(sum(seq_tup_read + idx_tup_fetch), 0) FROM pg_stat_user_tables WHERE relname = 't'")
        assert 50 <= read < 2000, f"{read} rows touched for 50 new ones"


def test_throttle_and_governor(place):
    """`safe` waits between pages; adaptive parallel runs write their signals into the journal and the counters into the state."""
    with watched() as db:
        pg.simple(db, 20000, gap=False)
        pg.config(place, db, [{"name": "x", "table": "t"}], tuning={"profile": "safe", "throttle_ms": 100})
        started = time.monotonic()
        place.rivet("run", "-c", "rivet.yaml", code=0)
        assert time.monotonic() - started >= 0.8, "20,000 rows at 2,000 per batch and 100 ms"
        pg.config(place, db, [{"name": "y", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1000, "parallel": 4}],
                  tuning={"adaptive": True, "throttle_ms": 300, "batch_size": 500})
        p = place.start("run", "-c", "rivet.yaml", env={"RIVET_LOG": "info"})
        while p.poll() is None:
            db.sql("CHECKPOINT")
            time.sleep(0.2)
        err = p.communicate()[1].decode()
        assert p.returncode == 0 and re.search(r"(?i)parallel", err), err
        events = [json.loads(line) for line in open(next(iter(journals(place, "y"))), encoding="utf-8")]
        assert any(e["event"] == "parallelism_adjusted" and e["to"] < e["from"] for e in events), [e["event"] for e in events]
        harm = place.state().execute("SELECT metric, delta FROM export_harm WHERE export_name = 'y'").fetchall()
        assert harm, "no source counters were kept"
        same_rows(place.dataset("y"), db.rows("SELECT * FROM t"))


def journals(place, export):
    base = place.path(".rivet", "runs")
    for run in sorted(os.listdir(base), reverse=True):
        if run.startswith(export + "_"):
            yield os.path.join(base, run, run + ".journal.jsonl")
