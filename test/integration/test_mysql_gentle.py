"""What the server itself saw of a run, from its performance schema: short statements, no transaction held
open, settings by literals only, a name and a comment on everything, no temporary tables on disk."""
import contextlib
import re
import threading
import time

import my
from lib import same_rows

ROWS = 400000
LIMIT_MS = 200
STATEMENTS = """SELECT timer_wait / 1e9 AS ms, event_name AS event, sql_text AS text, created_tmp_disk_tables AS disk, thread_id AS thread,
    sort_merge_passes AS merges, errors AS errors, message_text AS message FROM performance_schema.events_statements_history_long
    WHERE current_schema = %s AND thread_id NOT IN ({}) ORDER BY timer_start"""


class Witness:
    """The statements of others on one database while a block runs, and what was seen of their transactions."""

    def __init__(self, db):
        self.db, self.oldest_trx_s, self.programs = db, 0.0, set()

    def __enter__(self):
        self.watch, self.done = self.db.connect(), False
        self.db.sql("UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name LIKE 'events_statements%' OR name IN ('global_instrumentation', 'thread_instrumentation')",
                    "TRUNCATE TABLE performance_schema.events_statements_history_long", "DO 1")
        self.thread = threading.Thread(target=self._look)
        self.thread.start()
        return self

    def _look(self):
        """The age of a transaction is how long one look after another found it: servers give its start in whole seconds."""
        mine, since = (self.db.conn.thread_id(), self.watch.thread_id()), {}
        with self.watch.cursor() as cur:
            while not self.done:
                cur.execute("SELECT p.id, (SELECT COUNT(*) FROM information_schema.innodb_trx t WHERE t.trx_mysql_thread_id = p.id) "
                            "FROM information_schema.processlist p WHERE p.db = %s", (self.db.name,))
                now, found = time.monotonic(), [r for r in cur.fetchall() if r[0] not in mine]
                since = {ident: since.get(ident, now) for ident, transactions in found if transactions}
                self.oldest_trx_s = max([self.oldest_trx_s, *(now - t for t in since.values())])
                for ident, _ in found:
                    cur.execute("SELECT attr_value FROM performance_schema.session_connect_attrs WHERE processlist_id = %s AND attr_name = 'program_name'", (ident,))
                    self.programs |= {r[0] for r in cur.fetchall()}
                time.sleep(0.01)

    def __exit__(self, *_):
        self.done = True
        self.thread.join()
        ours = [self.db.one("SELECT thread_id FROM performance_schema.threads WHERE processlist_id = %s", c.thread_id()) for c in (self.db.conn, self.watch)]
        self.watch.close()
        self.seen = self.db.rows(STATEMENTS.format(", ".join(map(str, ours))), self.db.name)

    def statements(self):
        return [s for s in self.seen if s["text"]]

    def times(self):
        """The longest statement, the 99th percentile, how many."""
        found = sorted((float(s["ms"]), s["text"]) for s in self.statements())
        return found[-1], found[int(len(found) * 0.99) - 1][0], len(found)


@contextlib.contextmanager
def watched(on, **options):
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(my.database(my.own(stack, on, options=options, binlog=True)))


def polite(w, names=("x",)):
    """Everything but the times, which need a quiet machine."""
    bad = []
    for s in w.statements():
        text = s["text"]
        if not re.match(r"/\* rivet [^*]*\*/", text):
            bad.append(("comment", text[:120]))
        if re.search(r"(?i)\bSET\b[^']*@@", text):
            bad.append(("a setting by expression", text[:200]))
        if re.search(r"(?i)\bSET\s+(GLOBAL|PERSIST)|\bCREATE\b|\bLOCK TABLES\b|\bGET_LOCK\b|\bFOR UPDATE\b|\bLOCK IN SHARE\b|\bHANDLER\b", text):
            bad.append(("a lock or more", text[:200]))
        if s["disk"] and not re.search(r"(?i)\b(information_schema|performance_schema)\.|\bSHOW\b", text):  # those of MariaDB always do
            bad.append(("temporary table on disk", text[:200]))
        if s["errors"] and "interrupted" not in (s["message"] or "") and "PROXYSQL" not in text and "proxy_version" not in text:
            bad.append(("error", s["message"], text[:200]))
    if w.programs - {f"rivet/{n}" for n in names}:
        bad.append(("program_name", w.programs))
    assert not bad and w.seen, bad[:8]


def big(db, rows=ROWS):
    db.sql("CREATE TABLE t (id bigint PRIMARY KEY, grp integer, amount decimal(12,2), at timestamp(6) NULL, name varchar(40), note varchar(64), KEY t_at (at, id))",
           f"INSERT INTO t SELECT i, i % 1000, i / 7.0, TIMESTAMPADD(SECOND, i, '2024-01-01'), CONCAT('name ', i), SHA2(i, 256) FROM {db.series(1, rows)}", "ANALYZE TABLE t")


SHAPES = [("table", {"table": "t"}), ("query", {"query": "SELECT id, name, amount FROM t WHERE grp <> 5"}), ("rare", {"query": "SELECT id, name FROM t WHERE grp = 7 AND name LIKE '%7'"}),
          ("parallel", {"table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 100000, "parallel": 2}),
          ("dense", {"table": "t", "mode": "chunked", "chunk_column": "id", "chunk_dense": True, "chunk_size": 150000, "chunk_checkpoint": True}),
          ("keyset", {"table": "t", "mode": "chunked", "chunk_by_key": "id", "chunk_size": 150000, "parallel": 2}), ("incremental", {"table": "t", "mode": "incremental", "cursor_column": "at"})]


@my.both
def test_no_statement_above_a_fifth_of_a_second(place, on):
    """At `balanced`; a busy machine gets a second and a third look at each shape."""
    with watched(on) as db:
        big(db)
        for name, export in SHAPES:
            looks = []
            for attempt in range(3):
                run = f"{name}{attempt}"
                my.config(place, db, [{"name": run, "destination": {"type": "local", "path": f"./out/{run}"}, **export}], tuning={"throttle_ms": 50})
                with Witness(db) as w:
                    [told], r = my.export_row(place)
                polite(w, (run,))
                assert "one statement reads it whole" not in r.err, r
                longest, p99, count = w.times()
                looks.append((longest[0], p99, round(w.oldest_trx_s, 3), count, told["peak_rss_mb"], longest[1][:150]))
                if longest[0] <= LIMIT_MS and w.oldest_trx_s <= 0.3 and told["peak_rss_mb"] <= 64 + 16 * (export.get("parallel", 1) - 1):
                    break
            else:
                raise AssertionError(f"{name}: longest, p99, transaction, statements, RSS: {looks}")
            assert w.programs == {f"rivet/{run}"}, w.programs
        assert db.one("SELECT count(*) FROM t") == sum(p["rows"] for p in place.manifests("table0", "out/table0")[-1]["parts"])


test_no_statement_above_a_fifth_of_a_second.alone = True


@my.both
def test_wide_rows_stay_short(place, on):
    with watched(on) as db:
        db.sql("CREATE TABLE t (id integer PRIMARY KEY, body longtext)",
               f"INSERT INTO t SELECT i, REPEAT(SHA2(i, 256), CASE WHEN i % 5000 < 100 THEN 600 ELSE 90 END) FROM {db.series(1, 20000)}", "ANALYZE TABLE t")
        looks = []
        for attempt in range(3):
            my.config(place, db, [{"name": f"x{attempt}", "table": "t"}], tuning={"throttle_ms": 50})
            with Witness(db) as w:
                [told], _ = my.export_row(place)
            polite(w, (f"x{attempt}",))
            longest, p99, count = w.times()
            looks.append((longest[0], p99, count, told["peak_rss_mb"]))
            if longest[0] <= LIMIT_MS and told["peak_rss_mb"] <= 64:
                break
        else:
            raise AssertionError(f"longest ms, p99, statements, RSS: {looks}")
        assert told["rows"] == 20000


test_wide_rows_stay_short.alone = True


@my.both
def test_every_shape_is_polite(place, on):
    with watched(on) as db:
        my.simple(db, 60000)
        db.sql("CREATE TABLE heap AS SELECT * FROM t", "CREATE VIEW v AS SELECT * FROM t")
        shapes = [("heap", {"table": "heap"}), ("streamed", {"query": "SELECT DISTINCT id, name FROM t WHERE id < 2000"}), ("view", {"table": "v"}),
                  ("snapshot", {"table": "t", "consistency": "snapshot", "mode": "chunked", "chunk_column": "id", "chunk_size": 9000, "parallel": 2}),
                  ("window", {"table": "t", "mode": "time_window", "time_column": "at", "days_window": 9000}), ("statement", {"table": "t", "consistency": "statement"})]
        for name, export in shapes:
            my.config(place, db, [{"name": name, "destination": {"type": "local", "path": f"./out/{name}"}, **export}])
            with Witness(db) as w:
                place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
            polite(w, (name,))
        same_rows(place.dataset("heap", "out/heap"), db.rows("SELECT * FROM heap"))
        same_rows(place.dataset("view", "out/view"), db.rows("SELECT * FROM v"))
        same_rows(place.dataset("snapshot", "out/snapshot"), db.rows("SELECT * FROM t"))


@my.both
def test_no_counting_before_reading(place, on):
    """No COUNT(*), no MIN or MAX of a column that no index leads, before reading."""
    with watched(on) as db:
        my.simple(db, 30000)
        exports = [{"name": "full", "table": "t"}, {"name": "inc", "table": "t", "mode": "incremental", "cursor_column": "at"}, {"name": "unindexed", "table": "t", "mode": "incremental", "cursor_column": "day"},
                   {"name": "chunks", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 9000}, {"name": "keyset", "table": "t", "mode": "chunked", "chunk_by_key": "id", "chunk_size": 9000}]
        my.config(place, db, exports)
        with Witness(db) as w:
            place.rivet("run", "-c", "rivet.yaml", code=0)
        bad = [s["text"] for s in w.statements() if re.search(r"(?i)\bCOUNT\s*\(", s["text"]) and "information_schema" not in s["text"].lower()]
        bad += [s["text"] for s in w.statements() if re.search(r"(?i)\b(MIN|MAX)\s*\(.{0,20}`?(day|note|name)\b", s["text"])]
        assert not bad, bad


@my.both
def test_check_doctor_init_and_plan_are_short_too(place, on):
    with watched(on) as db:
        big(db, 200000)
        db.sql("CREATE TABLE noindex AS SELECT * FROM t", "ANALYZE TABLE noindex")
        my.config(place, db, [{"name": "a", "table": "t"}, {"name": "b", "query": "SELECT * FROM noindex WHERE note LIKE '%zz%'"}, {"name": "c", "table": "noindex", "mode": "incremental", "cursor_column": "at"},
                              {"name": "d", "table": "t", "mode": "chunked", "chunk_column": "id"}])
        for command in (("check", "-c", "rivet.yaml"), ("check", "-c", "rivet.yaml", "--type-report"), ("doctor", "-c", "rivet.yaml"), ("init", "--source", db.url()), ("init", "--source", db.url(), "--discover")):
            for attempt in range(3):
                with Witness(db) as w:
                    place.rivet(*command, code=0)
                slow = [(float(s["ms"]), s["text"][-400:]) for s in w.statements() if float(s["ms"]) > LIMIT_MS]
                if not slow:
                    break
            assert not slow, (command, slow)
            assert all(p.startswith("rivet") for p in w.programs), (command, w.programs)


@my.both
def test_incremental_reads_only_what_is_new(place, on):
    with watched(on) as db:
        big(db, 100000)
        my.config(place, db, [{"name": "x", "table": "t", "mode": "incremental", "cursor_column": "at"}])
        place.rivet("run", "-c", "rivet.yaml", code=0)
        db.sql(f"INSERT INTO t SELECT i, 1, 1, TIMESTAMPADD(SECOND, i, '2024-01-01'), 'new', 'new' FROM {db.series(100001, 100050)}")
        def handled():
            return sum(int(r["Value"]) for r in db.rows("SHOW GLOBAL STATUS LIKE 'Handler_read%'"))
        before = handled()
        idle = handled() - before
        before = handled()
        place.rivet("run", "-c", "rivet.yaml", code=0)
        with Witness(db) as w:
            place.rivet("run", "-c", "rivet.yaml", code=0)
        read = db.rows("SELECT coalesce(sum(rows_examined), 0) AS n FROM performance_schema.events_statements_history_long WHERE current_schema = %s AND sql_text LIKE '%%FROM%%`t`%%'", db.name)[0]["n"]
        assert w.seen and read < 5000 and handled() - before - idle < 40000, (read, handled() - before)


@my.both
def test_throttle_and_governor(place, on):
    """`safe` waits between pages; adaptive runs keep the counters of the source in the state."""
    with watched(on) as db:
        my.simple(db, 20000, gap=False)
        my.config(place, db, [{"name": "x", "table": "t"}], tuning={"profile": "safe", "throttle_ms": 100})
        started = time.monotonic()
        place.rivet("run", "-c", "rivet.yaml", code=0)
        assert time.monotonic() - started >= 0.8, "20,000 rows at 2,000 per batch and 100 ms"
        my.config(place, db, [{"name": "y", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1000, "parallel": 4}], tuning={"adaptive": True, "throttle_ms": 200, "batch_size": 500})
        r = place.rivet("run", "-c", "rivet.yaml", env={"RIVET_LOG": "info"}, code=0)
        assert re.search(r"(?i)governor|parallel", r.err), r
        assert place.state().execute("SELECT metric, delta FROM export_harm WHERE export_name = 'y'").fetchall(), "no source counters were kept"
        same_rows(place.dataset("y"), db.rows("SELECT * FROM t"))
