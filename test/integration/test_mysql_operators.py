"""check, doctor and init on MySQL and MariaDB, and what follows a run: resume, reconcile, repair, plan and
apply; what they say about a shop's schema, and that their scaffold runs unchanged."""
import contextlib
import json
import re

import lib
import my
import pg
import sql_modes
from lib import same_rows
from operators import block, doctor, has, scaffold
from sqlkit import reported


def shop_tables(db):
    s = db.series
    db.sql("CREATE TABLE customers (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, email varchar(100) NOT NULL UNIQUE, name varchar(80), created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, updated_at timestamp NULL)",
           "CREATE TABLE addresses (customer_id bigint NOT NULL, no smallint NOT NULL, city text, zip char(5), PRIMARY KEY (customer_id, no))",
           "CREATE TABLE products (sku char(36) PRIMARY KEY, title text NOT NULL, price decimal(10,2) NOT NULL, attrs json, photo blob, active tinyint(1) NOT NULL DEFAULT 1)",
           "CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint, state enum('new','paid','sent'), total decimal(12,2), placed_at datetime NOT NULL, updated_at timestamp(6) NULL, KEY (updated_at))",
           "CREATE TABLE order_items (order_id bigint NOT NULL, line int NOT NULL, qty int, unit decimal(10,2), PRIMARY KEY (order_id, line))",
           "CREATE TABLE payments (ref varchar(40) PRIMARY KEY, order_id bigint, amount decimal(12,2), at timestamp NULL)", "CREATE TABLE reviews (id int, body text, stars tinyint, seen_at datetime)",
           "CREATE TABLE coupons (code varchar(20) PRIMARY KEY, pct float, until date)", "CREATE TABLE stock_moves (moved_on date, n int, note text)",
           "CREATE TABLE `Audit Log` (`Id` int AUTO_INCREMENT PRIMARY KEY, `Who` text, `when` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP, `a ``b`` c` int)",
           "CREATE TABLE wide_docs (id int PRIMARY KEY, a text, b text, c longtext, d text, e text, f json)", "CREATE TABLE empty_one (id int PRIMARY KEY, v decimal(65,30))",
           f"INSERT INTO customers (email, name, updated_at) SELECT CONCAT('u', i, '@x.de'), CONCAT('N ', i), NOW() FROM {s(1, 300)}",
           f"INSERT INTO addresses SELECT i DIV 2, i % 2, CONCAT('C', i), LPAD(i, 5, '0') FROM {s(1, 300)}", f"INSERT INTO products SELECT CONCAT('p', i), CONCAT('P', i), i / 3.0, JSON_OBJECT('i', i), x'00ff', i % 2 FROM {s(1, 80)}",
           f"INSERT INTO orders SELECT i * 3, i % 300, ELT(1 + i % 3, 'new', 'paid', 'sent'), i / 7.0, TIMESTAMPADD(MINUTE, i, '2024-01-01'), TIMESTAMPADD(MINUTE, i, '2024-01-01') FROM {s(1, 130000)}",
           f"INSERT INTO order_items SELECT i DIV 4, i % 4, i, i / 3.0 FROM {s(1, 150000)}", f"INSERT INTO payments SELECT CONCAT('ref', LPAD(i, 8, '0')), i, i / 3.0, NOW() FROM {s(1, 130000)}",
           f"INSERT INTO reviews SELECT i, 'nice', i % 5, CASE WHEN i % 5 = 0 THEN NULL ELSE TIMESTAMPADD(SECOND, i, '2024-01-01') END FROM {s(1, 130000)}", "INSERT INTO coupons VALUES ('A', 0.5, '2024-01-01'), ('B', 0.25, '2025-01-01')",
           f"INSERT INTO stock_moves SELECT DATE_ADD('2024-01-01', INTERVAL i % 300 DAY), i, 'x' FROM {s(1, 130000)}", "INSERT INTO `Audit Log` (`Who`) VALUES ('me')",
           f"INSERT INTO wide_docs SELECT i, 'a', 'b', 'c', 'd', 'e', '{{}}' FROM {s(1, 100)}", "CREATE VIEW paid_orders AS SELECT * FROM orders WHERE state = 'paid'",
           "ANALYZE TABLE customers, addresses, products, orders, order_items, payments, reviews, coupons, stock_moves, `Audit Log`, wide_docs, empty_one")


MODES = {"customers": "full", "addresses": "full", "products": "full", "orders": "chunked", "payments": "chunked", "reviews": "incremental", "stock_moves": "full", "paid_orders": "full", "empty_one": "full"}


@contextlib.contextmanager
def shop(on):
    with my.database(on) as db:
        shop_tables(db)
        yield db


@my.both
def test_scaffold_runs_unchanged(place, on):
    with shop(on) as db:
        env = {"DATABASE_URL": db.url()}
        place.rivet("init", "--source-env", "DATABASE_URL", "-o", "rivet.yaml", code=0, env=env)
        with open(place.path("rivet.yaml"), encoding="utf-8") as f:
            text = f.read()
        doc = scaffold(text)
        exports = {x["name"]: x for x in doc["exports"]}
        assert list(exports) == sorted(exports) and len(exports) == 13, list(exports)
        assert doc["source"] == {"type": "mysql", "url_env": "DATABASE_URL"}, doc["source"]
        assert {n: exports[n]["mode"] for n in MODES} == MODES, {n: x["mode"] for n, x in exports.items()}
        assert exports["orders"]["chunk_column"] == "id" and exports["orders"]["parallel"] == 1 and exports["orders"]["chunk_checkpoint"] is True
        assert exports["payments"]["chunk_by_key"] == "ref" and exports["reviews"]["cursor_column"] == "seen_at"
        assert exports["wide_docs"]["parquet"] == {"target_row_group_mb": 64} and "parquet" not in exports["orders"]
        assert exports["orders"]["columns"] == {"total": "decimal(12,2)"} and exports["empty_one"]["columns"] == {"v": "decimal(65,30)"}
        has(text, r"^    #   email varchar\(100\) not null", r"^    #   id bigint(\(20\))? unsigned not null primary key$")
        place.rivet("check", "-c", "rivet.yaml", code=0, env=env)
        place.rivet("run", "-c", "rivet.yaml", code=0, env=env)
        for name, x in exports.items():
            want = db.one(f"SELECT count(*) FROM `{name}`")
            rows = sum(p["rows"] for m in place.manifests(name, "output") for p in m["parts"] if p["status"] == "committed")
            assert rows == want, f"{name}: {rows} rows, the table has {want}"
        assert place.rivet("init", "--source-env", "DATABASE_URL", "-o", "rivet.yaml", env=env).code == 1


def names(place, env, *args, code=0):
    r = place.rivet("init", "--source-env", "DATABASE_URL", *args, env=env, code=code)
    return [x["name"] for x in scaffold(r.out)["exports"]] if r.code == 0 else r


@my.both
def test_init_picks_tables_and_globs(place, on):
    with shop(on) as db:
        env = {"DATABASE_URL": db.url()}
        assert names(place, env, "--include", "order*", "--include", "Audit*", "--exclude", "*_items") == ["Audit Log", "orders"]
        assert names(place, env, "--include", "p?yments") == ["payments"] and names(place, env, "--table", "Audit Log") == ["Audit Log"]
        assert "did you mean 'orders'" in names(place, env, "--table", "ordesr", code=1).err
        assert names(place, env, "--schema", db.name, "--table", "coupons") == ["coupons"]
        assert names(place, {"DATABASE_URL": db.server.url("")}, "--schema", db.name, "--table", "coupons") == ["coupons"], "the URL names no database"
        refused = place.rivet("init", "--source-env", "DATABASE_URL", "--schema", "mysql", env=env)
        assert refused.code in (1, 2) and "mysql" in refused.err, refused
        for mode, key in (("incremental", "cursor_column: updated_at"), ("time_window", "time_column: updated_at"), ("chunked", "chunk_column: id"), ("full", "mode: full")):
            r = place.rivet("init", "--source-env", "DATABASE_URL", "--table", "orders", "--mode", mode, code=0, env=env)
            assert f"mode: {mode}\n" in r.out and key in r.out, r


@my.both
def test_discovery(place, on):
    with shop(on) as db:
        r = place.rivet("init", "--source-env", "DATABASE_URL", "--discover", "-o", "found.json", code=0, env={"DATABASE_URL": db.url()})
        with open(place.path("found.json"), encoding="utf-8") as f:
            doc = json.load(f)
        assert r.out == "" and (doc["source_type"], doc["scope"], doc["tls_mode"]) == ("mysql", db.name, None), doc
        t = {x["table"]: x for x in doc["tables"]}
        c = t["customers"]
        assert 250 <= c["row_estimate"] <= 350 and c["total_bytes"] >= 16384 and c["suggested_cursor_fallback_column"] == "created_at", c
        assert [x["column"] for x in c["cursor_candidates"]] == ["updated_at", "created_at", "id"], c
        assert c["chunk_candidates"][0]["column"] == "id" and c["chunk_candidates"][0]["score"] == 60, c
        assert {n: t[n]["suggested_mode"] for n in MODES} == MODES


@my.both
def test_shapes_verdicts_and_suggestions(place, on):
    with shop(on) as db:
        my.config(place, db, [
            {"name": "full", "table": "orders"}, {"name": "auto", "table": "orders", "mode": "chunked"}, {"name": "text_key", "table": "payments", "mode": "chunked", "chunk_checkpoint": True},
            {"name": "heap", "table": "stock_moves"}, {"name": "view", "table": "paid_orders"}, {"name": "grouped", "query": "SELECT state, count(*) AS n FROM orders GROUP BY 1"},
            {"name": "one", "query": "SELECT o.* FROM orders o WHERE o.id > 5"}, {"name": "inc", "table": "orders", "mode": "incremental", "cursor_column": "updated_at"},
            {"name": "noindex", "table": "orders", "mode": "incremental", "cursor_column": "placed_at"}, {"name": "small", "table": "coupons"},
            {"name": "days", "table": "orders", "mode": "chunked", "chunk_column": "placed_at", "chunk_by_days": 30}])
        r = place.rivet("check", "-c", "rivet.yaml", code=0)
        b = {n: block(r.out, n) for n in re.findall(r"^Export: (\S+)", r.out, re.M)}
        got = reported(place)
        shapes = {n: (x["verdict"], x["read_shape"]) for n, x in got.items() if n != "small"}
        assert shapes == {"full": ("DEGRADED", "pages"), "auto": ("ACCEPTABLE", "pages"), "text_key": ("ACCEPTABLE", "pages"), "heap": ("DEGRADED", "statement"), "view": ("DEGRADED", "statement"),
                          "grouped": ("DEGRADED", "statement"), "one": ("ACCEPTABLE", "pages"), "inc": ("EFFICIENT", "pages"), "noindex": ("DEGRADED", "statement"), "days": ("DEGRADED", "statement")}, shapes
        assert got["full"]["read_key"] == "PRIMARY" and got["view"]["read_key"] is None, got["full"]
        has(b["full"], r"^  Strategy:     full-scan$", r"^  Row estimate: ~1\d\dK", r"^  Reads:        pages by PRIMARY \(id\)$", r"^  Memory:       ~64 MB planned \(1 worker\)$")
        has(b["auto"], r"chunked\(id, size=100000\)", r"\[MEDIUM\] no checkpoint")
        has(b["text_key"], r"keyset\(ref, size=100000\)")
        has(b["heap"], r"Reads:        one statement \(no usable key\)", r"\[MEDIUM\] streamed statement: ")
        has(b["grouped"], r"Reads:        one statement \(GROUP at 1:\d+\)")
        has(b["noindex"], r"No index on 'placed_at'|no index.*placed_at")
        has(b["small"], r"Reads:        (one statement \(small table\)|pages by )")
        assert not place.files(), place.files()


@my.on_mariadb
def test_what_a_run_refuses_gets_no_verdict(place, on):
    with shop(on) as db:
        my.config(place, db, [{"name": "table", "table": "ordesr"}, {"name": "column", "table": "orders", "mode": "incremental", "cursor_column": "upd"}, {"name": "nokey", "table": "reviews", "mode": "chunked"},
                              {"name": "path", "table": "coupons", "destination": {"type": "local", "path": "/dev/null/x"}}])
        got = reported(place, code=1)
        assert all(x["verdict"] is None for x in got.values()), got
        r = place.rivet("check", "-c", "rivet.yaml", code=1)
        for text in ("did you mean 'orders'?", "did you mean 'updated_at'?", "chunked needs chunk_column", "destination '/dev/null/x"):
            has(r.err, re.escape(text))


@my.on_mariadb
def test_type_report_with_targets(place, on):
    with shop(on) as db:
        my.config(place, db, [{"name": "p", "table": "products"}, {"name": "o", "table": "orders"}])
        for target in ("bigquery", "snowflake", "duckdb", "clickhouse"):
            got = reported(place, "--target", target)
            c = {x["column"]: x for x in got["p"]["columns"] + got["o"]["columns"]}
            assert got["p"]["target_failures"] == 0 and all(x["target_type"] for x in c.values()), (target, got)
        labels = {n: (c[n]["source_type"], c[n]["rivet_type"], c[n]["fidelity"]) for n in ("sku", "active", "state", "total", "placed_at", "photo")}
        assert labels["active"][0] == "tinyint(1)" and labels["active"][1] == "bool" and labels["state"][1:] == ("enum", "compatible") and labels["total"][1:] == ("decimal(12,2)", "exact"), labels
        assert labels["placed_at"][1] == "timestamp" and labels["photo"][1] == "binary" and labels["sku"][0] == "char(36)", labels


@my.both
def test_doctor(place, on):
    with shop(on) as db:
        my.config(place, db, [{"name": "a", "table": "orders"}, {"name": "b", "table": "orders"}])
        r = place.rivet("doctor", "-c", "rivet.yaml", code=0)
        has(r.out, r"^\[OK\]  Source auth \(Mysql\)$", rf"^\[note\] Source server: Mysql \d+\.\d+\S*, database {db.name}, direct connection, (no TLS|encrypted by TLSv1\.\d)$", r"^All checks passed\.$")
        port, dead = my.host.port(), []
        for url, code, word in ((db.url(user="nobody_at_all"), 1, "auth error"), (db.server.url("no_such_db"), 1, "missing"), (db.url(port=port), 2, "connectivity error")):
            my.config(place, url, [{"name": "a", "table": "t"}])
            doc, checks = doctor(place, code)
            c = checks["Source auth (Mysql)"]
            if doc["all_ok"] or not c["detail"].startswith(word) or not c["hint"]:
                dead.append((url, c))
        assert not dead, dead


@my.on_mariadb
def test_one_identity_of_all_workers(place, on):
    """A balancer that sends workers to two servers is found out before their rows are mixed."""
    with contextlib.ExitStack() as stack:
        first, second = my.own(stack, on), my.own(stack, on)
        with my.database(first) as db:
            my.simple(db, 6000)
            other = stack.enter_context(contextlib.closing(my.connect(second)))
            other.cursor().execute(f"CREATE DATABASE {db.name}")
            copy = my.Database(second, db.name)
            my.simple(copy, 6000)
            copy.conn.close()
            p = stack.enter_context(my.proxy.FaultProxy(first.port))
            targets = iter([("127.0.0.1", first.port), ("127.0.0.1", second.port)] * 200)
            type(p).target = property(lambda self: next(targets), lambda self, v: None)
            try:
                my.config(place, first.url(db.name, port=p.port), [{"name": "x", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 500, "parallel": 4}], tuning={"max_retries": 0})
                r = place.rivet("run", "-c", "rivet.yaml")
            finally:
                del type(p).target
            assert r.code in (1, 2) and re.search(r"(?i)server", r.err) and not [m for m in place.manifests("x") if m["status"] == "success"], r


# ---- what follows a run ----

CHUNKS = {"name": "x", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 700, "chunk_checkpoint": True}
KEYSET = {**{k: v for k, v in CHUNKS.items() if k != "chunk_column"}, "chunk_by_key": "id"}


@my.both
def test_reconcile_and_repair(place, on):
    sql_modes.reconcile_and_repair(place, my, on, {"mode": "chunked", "chunk_column": "id"})


@my.both
def test_reconcile_and_repair_by_key(place, on):
    sql_modes.reconcile_and_repair(place, my, on, {"mode": "chunked", "chunk_by_key": "id"})


@my.both
def test_resume_reads_only_what_is_left(place, on):
    """Killed after a few units (a test build), the next run continues them; bounds are not read again."""
    if not lib.FAULTY:
        raise lib.Skip("needs a test build")
    for export in (CHUNKS, KEYSET, {**CHUNKS, "parallel": 3}):
        with my.database(on) as db:
            my.simple(db, 5000)
            sub = type(place)()
            try:
                my.config(sub, db, [export])
                sub.killed("unit-committed:3", "run", "-c", "rivet.yaml")
                my.add(db, 90001, 90005)  # beyond the bounds that were fixed
                r = sub.rivet("run", "-c", "rivet.yaml", code=0)
                assert "is continued" in r.err, r
                got = sub.dataset("x")
                same_rows([x for x in got if x["id"] < 90000], db.rows("SELECT * FROM t WHERE id < 90000"))
            finally:
                sub.close()


@my.on_mysql
def test_every_mode_planned_and_applied(place, on):
    with my.database(on) as db:
        my.simple(db)
        targets = sql_modes.targets_with(2)
        my.config(place, db, targets)
        place.rivet("plan", "-c", "rivet.yaml", "--format", "json", "-o", "p.json", code=0)
        place.rivet("apply", "p.json", "--validate", code=0)
        assert len(sql_modes.sums_of(place, targets, db.rows(f"SELECT {sql_modes.COLUMNS} FROM t"))) == 1


@my.on_mysql
def test_state_in_postgres(place, on):
    """Source of one family, state of another."""
    with my.database(on) as db, pg.database() as state:
        my.simple(db, 3000, gap=False)
        env = {"RIVET_STATE_URL": state.url()}
        my.config(place, db, [{"name": "x", "table": "t", "mode": "incremental", "cursor_column": "at"}, {**CHUNKS, "name": "c"}])
        for last in (3000, 3010):
            place.rivet("run", "-c", "rivet.yaml", code=0, env=env)
            same_rows(place.dataset("x", incremental=True), db.rows("SELECT * FROM t"))
            same_rows(place.dataset("c"), db.rows("SELECT * FROM t"))
            my.add(db, last + 1, last + 10)
