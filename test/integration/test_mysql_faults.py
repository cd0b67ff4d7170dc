"""What goes wrong on the side of MySQL and MariaDB, what others do to the source while it is read, and
kills of our own: afterwards the data set is complete, or the run failed with the right class and code
and the position is unmoved."""
import contextlib
import re
import signal
import time

import my
import pymysql
import sql_faults
from lib import same_rows
from sql_faults import CHUNKS, FULL, INC, QUICK, SLOW, SNAPSHOT, STREAMED, complete_or_unmoved, slow_run
from sqlkit import code_of


@my.both
def test_what_is_missing(place, on):
    with my.database(on) as db:
        my.simple(db, 100, gap=False)
        cases = [({"table": "nope"}, "nope", "RIVET_SOURCE_MISSING"), ({"table": "no_schema.t"}, "no_schema", "RIVET_SOURCE_MISSING"), ({"query": "SELECT wrong FROM t"}, "wrong", None),
                 ({"query": "SELEC 1"}, "SELEC", None), ({"table": "t", "mode": "incremental", "cursor_column": "nope"}, "nope", None),
                 ({"table": "t", "mode": "chunked", "chunk_column": "nope"}, "nope", None), ({"table": "t", "columns": {"nope": "text"}}, "nope", "RIVET_CONFIG_COLUMN_TYPE"),
                 ({"table": "t", "mode": "chunked", "chunk_by_key": "grp"}, "grp", "RIVET_CONFIG_KEY_UNUSABLE"), ({"query": "SELECT no_such_function(1) AS z"}, "no_such_function", None)]
        wrong = []
        for export, word, code in cases:
            my.config(place, db, [{"name": "x", **export}], tuning={"max_retries": 4, "retry_backoff_ms": 5000})
            started = time.monotonic()
            r = place.rivet("run", "-c", "rivet.yaml", "--json-errors")
            if r.code != 1 or word not in r.err or time.monotonic() - started > 4 or code and code_of(r) != code or not my.unmoved(place) or place.manifests("x"):
                wrong.append((export, r))
        assert not wrong, "\n".join(map(str, wrong))


@contextlib.contextmanager
def user(db, *grants):
    """A user with these rights on the database."""
    name = f"u_{db.name}"
    db.sql(f"CREATE USER {name}@'%' IDENTIFIED BY 'secret'", *[f"GRANT {g} TO {name}@'%'" for g in grants])
    try:
        yield db.url(user=name, password="secret", **{"ssl-mode": "prefer"})
    finally:
        db.sql(f"DROP USER {name}@'%'")


@my.both
def test_no_right_to_select(place, on):
    with my.database(on) as db:
        my.simple(db, 100, gap=False)
        for grants, export, code in ((["USAGE ON *.*"], {"table": "t"}, 1), ([f"SELECT (id, name) ON {db.name}.t"], {"table": "t"}, 1),
                                     ([f"SELECT (id, name) ON {db.name}.t"], {"query": "SELECT id, name FROM t"}, 0), ([f"SELECT ON {db.name}.t"], {"table": "t"}, 0)):
            with user(db, *grants) as url:
                my.config(place, url, [{"name": "x", **export}])
                r = place.rivet("run", "-c", "rivet.yaml", "--json-errors")
                assert r.code == code and (code == 0 or code_of(r) in ("RIVET_SOURCE_PERMISSION", "RIVET_SOURCE_MISSING")), (grants, export, r)


@my.both
def test_execution_limit(place, on):
    """A statement that hits our limit is tried again and in the end fails with 1 and advice; nothing moves."""
    with my.database(on) as db:
        my.simple(db, 300, gap=False)
        my.config(place, db, [{"name": "x", "query": "SELECT t.*, SLEEP(0.2) AS s FROM t ORDER BY id"}], tuning={**QUICK, "statement_timeout_s": 1, "max_retries": 1})
        r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", code=1)
        assert code_of(r) == "RIVET_SOURCE_TIMEOUT" and re.search(r"chunk", r.err), r
        assert my.unmoved(place) and not place.manifests("x")


@my.on_mariadb
def test_the_servers_own_execution_limit(place, on):
    """A limit that the administrator set and we did not ask for does not end a run that reads in pages."""
    with contextlib.ExitStack() as stack:
        limit = {"max-statement-time": "0.5"} if on == "mariadb" else {"max-execution-time": "500"}
        server = my.own(stack, on, options=limit)
        with my.database(server) as db:
            my.simple(db, 20000)
            for export in (FULL, CHUNKS):
                my.config(place, db, [export], tuning={"batch_size": 700})
                place.rivet("run", "-c", "rivet.yaml", code=0)
                same_rows(place.dataset("x"), db.rows("SELECT * FROM t"))


@my.both
def test_lock_timeout(place, on):
    with my.database(on) as db:
        my.simple(db, 5000, gap=False)
        my.config(place, db, [INC], tuning={**QUICK, "lock_timeout_s": 1, "max_retries": 1})
        with contextlib.closing(db.connect()) as holder, holder.cursor() as cur:
            cur.execute("LOCK TABLES t WRITE")
            r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", code=2)
            assert code_of(r) == "RIVET_SOURCE_LOCK", r
            assert my.unmoved(place)
            p = place.start("run", "-c", "rivet.yaml")
            time.sleep(1.4)
            cur.execute("UNLOCK TABLES")
        out, err = p.communicate()
        assert p.returncode == 0, err.decode()
        same_rows(place.dataset("x", incremental=True), db.rows("SELECT * FROM t"))


@my.both
def test_server_restart_mid_page(place, on):
    sql_faults.server_restarted_mid_page(place, my, on, [("inc", INC, signal.SIGTERM), ("chunks", CHUNKS, signal.SIGKILL), ("full", FULL, signal.SIGKILL)])


@my.on_mysql
def test_server_that_stays_away(place, on):
    sql_faults.server_stays_away(place, my, on)


@my.both
def test_connection_cut_every_50_ms(place, on):
    sql_faults.cut_every_50_ms(place, my, on)


@my.on_mysql
def test_connection_cut_after_bytes(place, on):
    sql_faults.cut_after_bytes(place, my, on, ((100000, 2), (150000, None), (3000, 4)))


@my.both
def test_refused_connections(place, on):
    sql_faults.refused_connections(place, my, on)


@my.on_mariadb
def test_slow_line(place, on):
    sql_faults.slow_line(place, my, on)


@my.on_mariadb
def test_stall(place, on):
    sql_faults.stalled_line(place, my, on)


@my.on_mysql
def test_signals_while_stalled(place, on):
    sql_faults.signals_while_stalled(place, my, on)


@my.both
def test_interrupt_cancels_on_the_server(place, on):
    with my.database(on) as db:
        my.simple(db, 100, gap=False)
        my.config(place, db, [{"name": "x", "query": "SELECT id, SLEEP(30) AS s FROM t ORDER BY id"}])
        with slow_run(place) as (run, end):
            my.reading(db)
            time.sleep(0.5)
            run.send_signal(signal.SIGINT)
        assert end["r"].code == 130, end["r"]
        time.sleep(0.5)
        assert not db.mine(), db.mine()


@my.both
def test_packets_above_the_limit(place, on):
    """A cell above the server's max_allowed_packet: refused with its name, or read; never cut."""
    with contextlib.ExitStack() as stack:
        server = my.own(stack, on, options={"max-allowed-packet": "1M"})
        with my.database(server) as db:
            db.sql("CREATE TABLE t (id integer PRIMARY KEY, a longtext, b longtext)", "INSERT INTO t VALUES (1, 'x', 'y'), (2, REPEAT('a', 900000), REPEAT('b', 900000)), (3, 'x', 'y')")
            for export in (FULL, {"name": "x", "query": "SELECT DISTINCT id, a, b FROM t"}):
                my.config(place, db, [export], tuning=QUICK)
                r = place.rivet("run", "-c", "rivet.yaml", "--json-errors")
                if r.code == 0:
                    rows = {x["id"]: x for x in place.dataset("x")}
                    assert len(rows) == 3 and rows[2] == {"id": 2, "a": "a" * 900000, "b": "b" * 900000}, (export, r)
                else:
                    assert r.code == 1 and re.search(r"max_allowed_packet", r.err), (export, r)


@my.on_mariadb
def test_a_line_too_slow_for_the_server(place, on):
    """net_write_timeout of a few seconds set by the administrator: the session asks for more."""
    with contextlib.ExitStack() as stack:
        server = my.own(stack, on, options={"net-write-timeout": "1"})
        with my.database(server) as db:
            db.sql("CREATE TABLE t (id integer PRIMARY KEY, body longtext)", f"INSERT INTO t SELECT i, REPEAT('y', 20000) FROM {db.series(1, 300)}")
            with sql_faults.through(place, my, db, STREAMED, {"batch_size": 50}, rate_bytes_s=1500000):
                place.rivet("run", "-c", "rivet.yaml", code=0)
            same_rows(place.dataset("x"), db.rows("SELECT * FROM t"))


CHANGES = ((["ALTER TABLE t DROP COLUMN note"], "note"), (["ALTER TABLE t MODIFY grp bigint NOT NULL"], "grp"), (["ALTER TABLE t CHANGE name title varchar(60) NOT NULL"], "name"),
           (["ALTER TABLE t ADD COLUMN extra integer DEFAULT 5"], "extra"), (["ALTER TABLE t MODIFY note varchar(250)"], "note"), (["ALTER TABLE t MODIFY grp integer unsigned NOT NULL"], "grp"))


@my.on_mysql
def test_columns_changed_mid_run(place, on):
    sql_faults.columns_changed_mid_run(place, my, on, CHANGES)


@my.both
def test_table_dropped_mid_run(place, on):
    r = sql_faults.changed_mid_run(place, my, on, ["DROP TABLE t"], FULL)
    assert r.code in (1, 2) and my.unmoved(place) and not [m for m in place.manifests("x") if m["status"] == "success"], r


@my.on_mariadb
def test_drift_between_runs(place, on):
    with my.database(on) as db:
        my.simple(db, 500, gap=False)
        my.config(place, db, [FULL])
        place.rivet("run", "-c", "rivet.yaml", code=0)
        db.sql("ALTER TABLE t DROP COLUMN note, ADD COLUMN phone varchar(20), MODIFY grp bigint NOT NULL")
        r = place.rivet("run", "-c", "rivet.yaml", code=0)
        for line in (r"schema changed!", r"added columns: phone \(Utf8\)", r"removed columns: note", r"type changed: grp \(Int32 -> Int64\)"):
            my.logged(r, line)
        db.sql("ALTER TABLE t DROP COLUMN phone")
        my.config(place, db, [{**FULL, "on_schema_drift": "fail"}])
        place.rivet("run", "-c", "rivet.yaml", code=4)


def waits(db):
    """Seconds until somebody who wants the table for himself, as an ALTER does, got it."""
    started = time.monotonic()
    with contextlib.closing(db.connect()) as c, c.cursor() as cur:
        cur.execute("SET lock_wait_timeout = 30")
        cur.execute("ALTER TABLE t COMMENT = 'altered', ALGORITHM=COPY")
    return time.monotonic() - started


@my.both
def test_alter_behind_pages_is_not_held_up(place, on):
    with my.database(on) as db:
        my.simple(db, 12000)
        my.config(place, db, [FULL], tuning=SLOW)
        with slow_run(place) as (_, end):
            my.reading(db, more=6)
            took = waits(db)
        assert took < 2, f"an ALTER waited {took:.1f} s for pages"
        complete_or_unmoved(place, db, end["r"])


@my.both
def test_alter_waiting_behind_a_held_read(place, on):
    """A streamed statement or snapshot that somebody waits for is given up, naming the waiter."""
    with my.database(on) as db:
        my.simple(db, 20000)
        slow = {"name": "x", "query": "SELECT t.*, SLEEP(0.0005) AS s FROM t ORDER BY id"}
        for export in (slow, {**SNAPSHOT, "parallel": 1}):
            sub = type(place)()
            try:
                my.config(sub, db, [export], tuning={**SLOW, "batch_size": 100, "throttle_ms": 60, "max_retries": 0})
                with slow_run(sub) as (_, end):
                    my.reading(db)
                    time.sleep(1.5)
                    took = waits(db)
                r = end["r"]
                assert took < 6, f"the ALTER waited {took:.1f} s"
                assert r.code == 2 and code_of(r) == "RIVET_SOURCE_BLOCKING" or r.code == 0 and export is not slow, r
                assert r.code == 0 or my.unmoved(sub) and not [m for m in sub.manifests("x") if m["status"] == "success"]
            finally:
                sub.close()


def by(command):
    def act(db, ident):
        with contextlib.suppress(pymysql.Error):
            db.sql(f"{command} {ident}")
    return act


@my.on_mariadb
def test_foreign_cancel(place, on):
    sql_faults.foreign(place, my, on, by("KILL QUERY"), (INC, CHUNKS, FULL))


@my.on_mysql
def test_killed_connection(place, on):
    sql_faults.foreign(place, my, on, by("KILL"), (INC, CHUNKS))
    sql_faults.foreign(place, my, on, by("KILL"), (SNAPSHOT,), codes=(1, 2))


@my.both
def test_no_connection_left(place, on):
    with contextlib.ExitStack() as stack:
        server = my.own(stack, on, options={"max-connections": "10"})
        with my.database(server) as db:
            my.simple(db, 3000)
            with user(db, f"SELECT ON {db.name}.t") as url:
                my.config(place, url, [{**CHUNKS, "parallel": 14, "chunk_size": 200}], tuning={**QUICK, "max_retries": 0})
                r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", timeout=120)
            my.logged(r, r"(?i)connections")
            complete_or_unmoved(place, db, r)


@my.on_mariadb
def test_rows_written_while_reading(place, on):
    sql_faults.rows_written_while_reading(place, my, on, lambda db, n: db.sql(
        f"DELETE FROM t WHERE id % 10 = 7 AND id BETWEEN {n} AND {n + 50}", f"UPDATE t SET note = 'u{n}' WHERE id = {n}",
        f"INSERT IGNORE INTO t (id, name, grp) VALUES {', '.join(f'({100000 + n * 20 + k}, 0x6e6577, 0)' for k in range(4))}"))


@my.on_mysql
def test_killed_chunks_in_parallel(place, on):
    sql_faults.killed_at_random(place, my, on, CHUNKS, 11)


@my.on_mariadb
def test_killed_incremental(place, on):
    sql_faults.killed_at_random(place, my, on, {**INC, "cursor_column": "grp"}, 13)


SESSIONS = [{"sql-mode": m} for m in ("ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,ONLY_FULL_GROUP_BY", "ANSI", "",
                                      "HIGH_NOT_PRECEDENCE,NO_UNSIGNED_SUBTRACTION,STRICT_ALL_TABLES,IGNORE_SPACE,NO_ZERO_DATE")]
SESSIONS += [{"autocommit": "0"}, {"character-set-server": "latin1", "default-time-zone": "-12:00", "div-precision-increment": "0"},
             {"transaction-isolation": "SERIALIZABLE", "completion-type": "CHAIN"}, {"sql-mode": "TRADITIONAL", "max-sort-length": "8", "group-concat-max-len": "8"}]
SET_UP = [{"name": "full", "table": "t"}, {"name": "query", "query": "SELECT k, at, c, n, note FROM t WHERE note <> 'a' -- x"}, {"name": "inc", "table": "t", "mode": "incremental", "cursor_column": "at"},
          {"name": "keyset", "table": "t", "mode": "chunked", "chunk_by_key": "k", "chunk_size": 900, "parallel": 2}, {"name": "streamed", "query": "SELECT DISTINCT * FROM t"}]


@my.both
def test_settings_of_the_server_change_nothing(place, on):
    """sql_mode, time zone, character set and isolation that an administrator may have chosen: the same rows, keys with quotes and backslashes included."""
    with contextlib.ExitStack() as stack:
        server = my.own(stack, on)
        with my.database(server) as db:
            db.sql("CREATE TABLE t (k varchar(30) PRIMARY KEY, at timestamp(6) NULL, c char(8), n integer, note text, KEY (at))",
                   f"INSERT INTO t SELECT CONCAT(ELT(1 + i % 6, '\\\\', '\'\'', '\"', '`', '%', 'ü'), i), TIMESTAMPADD(MINUTE, i, '2024-03-30 20:00:00'), 'ab', i, CONCAT('\\\\\'\'\"', i) FROM {db.series(1, 4000)}",
                   "ANALYZE TABLE t")
            want, wrong = db.rows("SELECT * FROM t"), []
            db.conn.close()
            for settings in SESSIONS:
                server.restart(options=settings)
                sub = type(place)()
                try:
                    my.config(sub, server.url(db.name), [{**x, "destination": {"type": "local", "path": f"./{x['name']}"}} for x in SET_UP], tuning={"batch_size": 350})
                    r = sub.rivet("run", "-c", "rivet.yaml")
                    for x in SET_UP:
                        try:
                            same_rows(sub.dataset(x["name"], x["name"]), want, "k")
                        except AssertionError as e:
                            wrong.append((settings, x["name"], str(e), r.err[-4000:]))
                finally:
                    sub.close()
            db.conn = db.connect()
            assert not wrong, "\n".join(map(str, wrong))


@my.both
def test_names_in_lower_case(place, on):
    """lower_case_table_names=1: the catalog holds names in lower case, the config says what people say."""
    with contextlib.ExitStack() as stack:
        with my.database(my.own(stack, on, at_birth={"lower-case-table-names": "1"})) as db:
            db.sql("CREATE TABLE Orders (Id integer PRIMARY KEY, V integer)", f"INSERT INTO ORDERS SELECT i, i FROM {db.series(1, 3000)}", "ANALYZE TABLE Orders")
            for export in ({"table": "Orders"}, {"table": "orders"}, {"table": f"{db.name.upper()}.ORDERS"}, {"query": "SELECT Id, V FROM ORDERS"}):
                my.config(place, db, [{"name": "x", **export}], tuning={"batch_size": 250})
                r = place.rivet("run", "-c", "rivet.yaml", code=0)
                assert len(place.dataset("x")) == 3000 and "cannot be read in pages" not in r.err, (export, r)
