"""check, doctor and init on PostgreSQL: what they say about a shop's schema, that their scaffold runs unchanged, and that
neither a secret nor a refused plan is dressed up."""
import contextlib
import json
import re

import psycopg
import pg
from lib import Skip
from operators import block, doctor, has, scaffold

SHOP = [
    "CREATE TYPE status AS ENUM ('new', 'paid', 'sent')", "CREATE TYPE pair AS (a int, b text)", "CREATE DOMAIN money2 AS numeric(12,2)",
    "CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, name varchar(80), "
    "created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz)",
    "CREATE TABLE addresses (customer_id bigint NOT NULL, no smallint NOT NULL, city text, zip char(5), PRIMARY KEY (customer_id, no))",
    "CREATE TABLE products (sku uuid PRIMARY KEY DEFAULT gen_random_uuid(), title text NOT NULL, price numeric(10,2) NOT NULL, weight numeric, "
    "attrs jsonb, tags text[], photo bytea)",
    "CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint, state status NOT NULL, total money2, placed_at timestamp NOT NULL, "
    "updated_at timestamptz)", "CREATE INDEX ON orders(updated_at)",
    "CREATE TABLE order_items (order_id bigint NOT NULL, line int NOT NULL, sku uuid, qty int, unit numeric(10,2), PRIMARY KEY (order_id, line))",
    "CREATE TABLE payments (ref text PRIMARY KEY, order_id bigint, amount numeric(12,2), rate numeric, at timestamptz)",
    "CREATE TABLE events (id bigint NOT NULL, at timestamptz NOT NULL, kind text, body json, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)",
    "CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')",
    "CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')",
    "CREATE TABLE reviews (id int, body text, stars smallint, seen_at timestamp)", "CREATE TABLE coupons (code text PRIMARY KEY, pct real, until date)",
    "CREATE TABLE stock_moves (moved_on date, n int, note text)",
    'CREATE TABLE "Audit Log" ("Id" serial PRIMARY KEY, "Who" text, "when" timestamptz DEFAULT now(), ip inet, took interval, "a ""b"" c" int)',
    "CREATE TABLE wide_docs (id int PRIMARY KEY, a text, b text, c text, d text, e text, f jsonb)", "CREATE TABLE empty_one (id int PRIMARY KEY, v numeric)",
    "CREATE TABLE oddities (id int PRIMARY KEY, p pair, big numeric(50,2), neg numeric(5,-2), m money, r int4range, at time, tz timetz)",
    'CREATE SCHEMA "Sales Ops"', 'CREATE TABLE "Sales Ops"."Lead$s" (id int PRIMARY KEY, who text)', "CREATE SCHEMA archive",
    "CREATE TABLE archive.orders (id bigint PRIMARY KEY, total numeric(12,2))",
    "INSERT INTO customers(email, name, updated_at) SELECT 'u' || i || '@x.de', 'N ' || i, now() FROM generate_series(1, 300) i",
    "INSERT INTO addresses SELECT i, n, 'C' || i, lpad(i::text, 5, '0') FROM generate_series(1, 150) i, generate_series(1, 2) n",
    "INSERT INTO products(title, price, weight, attrs, tags, photo) SELECT 'P' || i, i / 3.0, i * 1.25, jsonb_build_object('i', i), ARRAY['a', NULL], "
    "decode(md5(i::text), 'hex') FROM generate_series(1, 80) i",
    "INSERT INTO orders SELECT i * 3, i % 300, (ARRAY['new','paid','sent']::status[])[1 + i % 3], i / 7.0, '2024-01-01'::timestamp + i * interval '1 min', "
    "'2024-01-01'::timestamptz + i * interval '1 min' FROM generate_series(1, 110000) i",
    "INSERT INTO order_items SELECT i, l, NULL, l, i / 3.0 FROM generate_series(1, 30000) i, generate_series(1, 4) l",
    "INSERT INTO payments SELECT 'ref' || lpad(i::text, 8, '0'), i, i / 3.0, 1.5, now() FROM generate_series(1, 105000) i",
    "INSERT INTO events SELECT i, '2024-01-01'::timestamptz + (i % 50) * interval '1 day', 'k', '{\"a\":1}' FROM generate_series(1, 105000) i",
    "INSERT INTO reviews SELECT i, 'nice', i % 5, CASE WHEN i % 5 = 0 THEN NULL ELSE '2024-01-01'::timestamp + i * interval '1 s' END "
    "FROM generate_series(1, 105000) i", "INSERT INTO coupons VALUES ('A', 0.5, '2024-01-01'), ('B', 0.25, '2025-01-01')",
    "INSERT INTO stock_moves SELECT '2024-01-01'::date + (i % 300), i, 'x' FROM generate_series(1, 105000) i",
    "INSERT INTO \"Audit Log\"(\"Who\", ip, took) VALUES ('me', '10.0.0.1', '1 day 2 s')", "INSERT INTO wide_docs SELECT i, 'a', 'b', 'c', 'd', 'e', '{}' FROM generate_series(1, 100) i",
    "INSERT INTO oddities VALUES (1, (1, 'x'), 123.45, 12300, '$12.30', '[1,3)', '12:00', '12:00+02')",
    'INSERT INTO "Sales Ops"."Lead$s" VALUES (1, \'w\')', "INSERT INTO archive.orders VALUES (1, 2.5)", "CREATE VIEW paid_orders AS SELECT * FROM orders WHERE state = 'paid'",
    "CREATE MATERIALIZED VIEW daily AS SELECT placed_at::date AS d, count(*) AS n FROM orders GROUP BY 1", "VACUUM ANALYZE"]
MODES = {"customers": "full", "addresses": "full", "products": "full", "orders": "chunked", "order_items": "full", "payments": "chunked",
         "events": "incremental", "reviews": "incremental", "stock_moves": "full", "paid_orders": "full", "daily": "full", "empty_one": "full"}


@contextlib.contextmanager
def shop():
    with pg.database() as db:
        db.sql(*SHOP)
        yield db


def env_of(db, **kw):
    return {"DATABASE_URL": db.url(**kw)}


def reports(place, *args, code=0, **kw):
    r = place.rivet("check", "-c", "rivet.yaml", "--json", *args, code=code, **kw)
    return {x["export"]: x for x in map(json.loads, r.out.splitlines())}, r


def test_scaffold_runs_unchanged(place):
    with shop() as db:
        env = env_of(db)
        r = place.rivet("init", "--source-env", "DATABASE_URL", "-o", "rivet.yaml", code=0, env=env)
        text = open(place.path("rivet.yaml"), encoding="utf-8").read()
        doc = scaffold(text)
        exports = {x["name"]: x for x in doc["exports"]}
        assert list(exports) == sorted(exports), list(exports)
        assert doc["source"] == {"type": "postgres", "url_env": "DATABASE_URL"}, doc["source"]
        assert {n: exports[n]["mode"] for n in MODES} == MODES, {n: x["mode"] for n, x in exports.items()}
        assert not {"events_1", "events_2"} & set(exports)
        assert exports["orders"]["chunk_column"] == "id" and exports["orders"]["parallel"] == 1 and exports["orders"]["chunk_checkpoint"] is True
        assert exports["payments"]["chunk_by_key"] == "ref" and "parallel" not in exports["payments"]
        assert exports["events"]["cursor_column"] == "at" and exports["reviews"]["cursor_column"] == "seen_at"
        assert exports["wide_docs"]["parquet"] == {"target_row_group_mb": 64} and "parquet" not in exports["orders"]
        assert exports["orders"]["columns"] == {"total": "decimal(12,2)"} and exports["products"]["columns"] == {"price": "decimal(10,2)", "weight": "decimal(38,18)"}
        assert exports["oddities"]["columns"]["p"] == "text" and exports["oddities"]["columns"]["big"] == "decimal(50,2)"
        assert all(x["format"] == "parquet" and x["destination"] == {"type": "local", "path": "./output"} for x in exports.values())
        assert not any("meta_columns" in x for x in exports.values())
        has(text, r"weight: decimal\(38,18\)  # REVIEW: ", r"^# NOTE: 3 column", r"^    #   email text not null$", r"^    #   id bigint not null primary key$")
        assert r.err.count("numeric") == 1, r.err
        place.rivet("check", "-c", "rivet.yaml", code=0, env=env)
        place.rivet("run", "-c", "rivet.yaml", code=0, env=env)
        for name, x in exports.items():
            want = db.one(f"SELECT count(*) FROM {x['table']}")
            rows = sum(p["rows"] for m in place.manifests(name, "output") for p in m["parts"] if p["status"] == "committed")
            assert rows == want, f"{name}: {rows} rows, the table has {want}"
        assert place.rivet("init", "--source-env", "DATABASE_URL", "-o", "rivet.yaml", env=env).code == 1
        place.rivet("init", "--source-env", "DATABASE_URL", "-o", "rivet.yaml", "--force", "--table", "coupons", code=0, env=env)
        assert [x["name"] for x in scaffold(open(place.path("rivet.yaml"), encoding="utf-8").read())["exports"]] == ["coupons"]


def names(place, env, *args, code=0):
    r = place.rivet("init", "--source-env", "DATABASE_URL", *args, env=env, code=code)
    return [(x["name"], x["table"]) for x in scaffold(r.out)["exports"]] if r.code == 0 else r


def test_init_picks_tables_schemas_and_globs(place):
    with shop() as db:
        env = env_of(db)
        assert names(place, env, "--include", "order*", "--include", "Audit*", "--exclude", "*_items") == [("Audit Log", 'public."Audit Log"'), ("orders", "public.orders")]
        assert names(place, env, "--include", "p?yments") == [("payments", "public.payments")]
        assert names(place, env, "--schema", "Sales Ops") == [("Sales Ops_Lead_s", '"Sales Ops"."Lead$s"')]
        assert names(place, env, "--schema", "archive") == names(place, env, "--table", "archive.orders") == [("archive_orders", "archive.orders")]
        assert names(place, env, "--table", "Audit Log") == [("Audit Log", 'public."Audit Log"')]
        assert names(place, env, "--table", "ORDERS") == [("orders", "public.orders")]
        assert "did you mean 'orders'" in names(place, env, "--table", "ordesr", code=1).err
        names(place, env, "--schema", "nowhere", code=1)
        for mode, key in (("incremental", "cursor_column: updated_at"), ("time_window", "time_column: updated_at"), ("chunked", "chunk_column: id"), ("full", "mode: full")):
            r = place.rivet("init", "--source-env", "DATABASE_URL", "--table", "orders", "--mode", mode, code=0, env=env)
            assert f"mode: {mode}\n" in r.out and key in r.out, r
        cdc = place.rivet("init", "--source-env", "DATABASE_URL", "--table", "orders", "--mode", "cdc", env=env)
        assert cdc.code == 1 and "cdc" in cdc.err, cdc


def test_no_secret_is_written(place):
    with shop() as db:
        with contextlib.suppress(psycopg.errors.DuplicateObject):
            db.sql("CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'Gehe1mnis'")
        url = db.url(user="keeper", password="Gehe1mnis")
        try:
            place.write("secret.url", url + "\n")
            for args, want in ((["--source", url], "url_env: DATABASE_URL"), (["--source-file", "secret.url"], "url_file: ")):
                r = place.rivet("init", *args, "--table", "coupons", code=0)
                assert want in r.out and "Gehe1mnis" not in r.out + r.err, r
                r = place.rivet("init", *args, "--discover", code=0)
                assert "Gehe1mnis" not in r.out + r.err, r
            place.rivet("init", "--source", url, "--source-env", "X", code=2)
        finally:
            db.sql("DROP OWNED BY keeper", "DROP ROLE keeper")


def test_discovery(place):
    with shop() as db:
        r = place.rivet("init", "--source-env", "DATABASE_URL", "--discover", "-o", "found.json", code=0, env=env_of(db))
        doc = json.load(open(place.path("found.json"), encoding="utf-8"))
        assert r.out == "" and list(doc) == ["rivet_version", "source_type", "scope", "tls_mode", "tables"], list(doc)
        assert (doc["source_type"], doc["scope"], doc["tls_mode"]) == ("postgres", "public", None)
        t = {x["table"]: x for x in doc["tables"]}
        c = t["customers"]
        assert list(c) == ["schema", "table", "row_estimate", "total_bytes", "suggested_mode", "cursor_candidates", "suggested_cursor_fallback_column", "chunk_candidates", "notes"]
        assert c["row_estimate"] == 300 and c["total_bytes"] > 8192 and c["suggested_cursor_fallback_column"] == "created_at"
        assert c["cursor_candidates"][0] == {"column": "updated_at", "data_type": "timestamp with time zone", "is_nullable": True, "is_primary_key": False, "score": 71,
                                             "reasons": ["timestamp_type", "name_suggests_updated", "nullable"]}
        assert [(x["column"], x["score"]) for x in c["cursor_candidates"]] == [("updated_at", 71), ("created_at", 62), ("id", 30)]
        assert c["chunk_candidates"] == [{"column": "id", "data_type": "bigint", "is_primary_key": True, "score": 60}]
        assert t["paid_orders"]["row_estimate"] is None and t["events"]["row_estimate"] == 105000 and t["events"]["suggested_mode"] == "incremental"
        assert {n: t[n]["suggested_mode"] for n in MODES} == MODES
        assert any("weight" in n for n in t["products"]["notes"]) and any("'p'" in n for n in t["oddities"]["notes"])
        assert place.rivet("init", "--source-env", "DATABASE_URL", "--discover", "--s3-bucket", "b", env=env_of(db)).code == 2


def test_shapes_verdicts_and_suggestions(place):
    with shop() as db:
        pg.config(place, db, [
            {"name": "full", "table": "orders"}, {"name": "auto", "table": "orders", "mode": "chunked"},
            {"name": "text_key", "table": "payments", "mode": "chunked", "chunk_checkpoint": True, "columns": {"rate": "decimal(18,2)"}}, {"name": "heap", "table": "stock_moves"},
            {"name": "snap", "table": "orders", "consistency": "snapshot"}, {"name": "view", "table": "paid_orders"},
            {"name": "grouped", "query": "SELECT state, count(*) AS n FROM orders GROUP BY 1"}, {"name": "one", "query": "SELECT o.* FROM orders o WHERE o.id > 5"},
            {"name": "inc", "table": "orders", "mode": "incremental", "cursor_column": "updated_at"},
            {"name": "co", "table": "orders", "mode": "incremental", "cursor_column": "updated_at", "incremental_cursor_mode": "coalesce", "cursor_fallback_column": "placed_at"},
            {"name": "noindex", "table": "order_items", "mode": "chunked", "chunk_column": "qty", "chunk_checkpoint": True},
            {"name": "days", "table": "orders", "mode": "chunked", "chunk_column": "placed_at", "chunk_by_days": 30},
            {"name": "date", "table": "coupons", "mode": "incremental", "cursor_column": "until", "cursor_ties": "strict"},
            {"name": "joined", "query": "SELECT o.id FROM orders o JOIN customers c ON c.id = o.customer_id", "mode": "chunked", "chunk_column": "id"}])
        r = place.rivet("check", "-c", "rivet.yaml", code=0)
        b = {n: block(r.out, n) for n in re.findall(r"^Export: (\S+)", r.out, re.M)}
        got, _ = reports(place)
        shapes = {n: (x["verdict"], x["read_shape"]) for n, x in got.items()}
        assert shapes == {"full": ("DEGRADED", "pages"), "auto": ("ACCEPTABLE", "pages"), "text_key": ("ACCEPTABLE", "pages"), "heap": ("DEGRADED", "ranges"),
                          "snap": ("DEGRADED", "ranges"), "view": ("DEGRADED", "cursor"), "grouped": ("DEGRADED", "cursor"), "one": ("DEGRADED", "pages"),
                          "inc": ("EFFICIENT", "pages"), "co": ("DEGRADED", "statement"), "noindex": ("DEGRADED", "cursor"), "days": ("DEGRADED", "statement"),
                          "date": ("DEGRADED", "statement"), "joined": ("DEGRADED", "cursor")}, shapes
        assert got["full"]["read_key"] == "orders_pkey" and got["view"]["read_key"] is None
        has(b["full"], r"^  Strategy:     full-scan$", r"^  Row estimate: ~110K$", r"^  Scan type:    Seq Scan on orders ", r"^  Reads:        pages by orders_pkey \(id\)$",
            r"^  Memory:       ~64 MB planned \(1 worker\)$", r"^  Recommended:  tuning.profile: balanced$", r"^  Parallelism:  1 \(only chunked mode")
        has(b["auto"], r"chunked\(id, size=100000\)", r"Recommended:  parallel: 2 \(", r"\[MEDIUM\] no checkpoint", r"profile: fast")
        has(b["text_key"], r"keyset\(ref, size=100000\)", r"Parallelism:  1 \(as configured\)")
        has(b["heap"], r"Reads:        ranges \(no usable key\)")
        has(b["view"], r"Reads:        cursor \(view\)", r"\[MEDIUM\] streamed statement: .*\(view\)")
        has(b["grouped"], r"Reads:        cursor \(GROUP at 1:\d+\)")
        has(b["inc"], r"Reads:        pages by \(updated_at, id\)")
        assert "Suggestion" not in b["inc"], b["inc"]
        has(b["co"], r"incremental\(updated_at \?\? placed_at\)", r"No index serves COALESCE\(updated_at, placed_at\)")
        has(b["noindex"], r"No index on 'qty'", r"Recommended:  parallel: 2 \(no index")
        has(b["days"], r"date-chunked\(placed_at, 30d\)", r"starts with it: \(placed_at, id\)")
        has(b["date"], r"\[HIGH\] low-resolution cursor: 'until'")
        has(b["joined"], r"No index on 'id' is visible through the query")
        assert "\n  Warning:      [LOW] export 'auto' shares" in b["full"]
        assert not place.files(), place.files()


def test_warnings_by_estimate_and_limits(place):
    """The thresholds of millions, with statistics that say so."""
    with pg.database() as db:
        db.sql("CREATE TABLE big (id bigint PRIMARY KEY, w int, v text)", "ALTER TABLE big SET (autovacuum_enabled = false)",
               "INSERT INTO big SELECT i * 1000, i, repeat('x', 100) FROM generate_series(1, 20000) i", "VACUUM ANALYZE big",
               # the planner scales rows by the pages it finds: the statistics claim few pages
               "UPDATE pg_class SET reltuples = 60000000, relpages = (pg_relation_size('big') / 8192) WHERE relname = 'big'")
        limit = db.one("SELECT current_setting('max_connections')::int")
        chunks = {"table": "big", "mode": "chunked", "chunk_column": "id"}
        pg.config(place, db, [{"name": "wide", **chunks, "parallel": limit, "chunk_size": 1000000}, {"name": "serial", **chunks}, {"name": "full", "table": "big"},
                              {"name": "inc", "table": "big", "mode": "incremental", "cursor_column": "id"},
                              {"name": "inc_noindex", "table": "big", "mode": "incremental", "cursor_column": "w"}])
        r = place.rivet("check", "-c", "rivet.yaml", code=0)
        b = {n: block(r.out, n) for n in ("wide", "serial", "full", "inc", "inc_noindex")}
        has(b["wide"], rf"\[HIGH\] parallel: {limit} reaches the server's {limit} connections; use at most {limit - 3}", r"\[HIGH\] parallel memory",
            r"~60M", r"profile: safe")
        has(b["serial"], r"\[MEDIUM\] no checkpoint", r"parallel: 4 \(large dataset", r"set parallel", "Verdict:      ACCEPTABLE")
        has(b["full"], r"switch to incremental")
        has(b["inc"], "Verdict:      ACCEPTABLE")
        has(b["inc_noindex"], r"Verdict:      (DEGRADED|UNSAFE)", r"\[HIGH\] streamed statement", r"No index on 'w'")
        db.sql("ANALYZE big")
        pg.config(place, db, [{"name": "sparse", **chunks, "chunk_size": 1000000, "chunk_checkpoint": True}])
        r = place.rivet("check", "-c", "rivet.yaml", code=0)
        has(r.out, r"\[MEDIUM\] Sparse key range: 'id' has rows for 0\.10%", "chunk_dense or chunk_by_key")


def test_what_a_run_refuses_gets_no_verdict(place):
    with shop() as db:
        pg.config(place, db, [
            {"name": "table", "table": "ordesr"}, {"name": "column", "table": "orders", "mode": "incremental", "cursor_column": "upd"},
            {"name": "nokey", "table": "order_items", "mode": "chunked"}, {"name": "types", "table": "oddities"}, {"name": "numeric", "table": "empty_one"},
            {"name": "list", "table": "products", "format": "csv", "columns": {"weight": "decimal(38,18)"}},
            {"name": "path", "table": "coupons", "destination": {"type": "local", "path": "/dev/null/x"}}])
        got, r = reports(place, code=1)
        assert all(x["verdict"] is None for x in got.values()), got
        for text in ("did you mean 'orders'?", "did you mean 'updated_at'?", "chunked needs chunk_column", "8 columns|2 columns have no lossless type|p +\\(postgres composite\\)",
                     "try  v: decimal\\(18,2\\)", "column 'tags' .*no CSV form", "destination '/dev/null/x"):
            has(r.err, text)
        types = {c["column"]: c for c in got["types"]["columns"]}
        assert types["p"]["fidelity"] == types["neg"]["fidelity"] == "unsupported" and types["p"]["rivet_type"] == "unsupported", types["p"]
        assert types["m"]["rivet_type"] == "decimal(19,2)" and types["tz"]["fidelity"] == "compatible"
        assert {(v["column_name"], v["fatal"]) for v in got["types"]["violations"]} == {("p", True), ("neg", True)}
        assert [v["column_name"] for v in got["numeric"]["violations"]] == ["v"] and [v["column_name"] for v in got["list"]["violations"]] == ["tags"]
        assert place.rivet("check", "-c", "rivet.yaml", "-e", "nobody").code == 1
        r = place.rivet("check", "-c", "rivet.yaml", env={"RIVET_LOG": "error"})
        assert "Verdict" not in r.out, r.out


def test_type_report_with_targets(place):
    with shop() as db:
        pg.config(place, db, [{"name": "p", "table": "products", "columns": {"weight": "decimal(38,18)"}}])
        keys = ["export", "verdict", "read_shape", "read_key", "read_reason", "warnings", "columns", "violations"]
        got, _ = reports(place)
        assert list(got["p"]) == keys and list(got["p"]["columns"][0]) == ["column", "source_type", "rivet_type", "arrow_type", "fidelity", "warnings"]
        for target, uuid in (("bigquery", "STRING"), ("bq", "STRING"), ("snowflake", "VARCHAR"), ("sf", "VARCHAR"), ("duckdb", "UUID"), ("clickhouse", "UUID")):
            got, _ = reports(place, "--target", target)
            c = {x["column"]: x for x in got["p"]["columns"]}
            assert c["sku"]["target_type"] == uuid and c["sku"]["target_status"] in ("ok", "warn"), (target, c["sku"])
            assert got["p"]["target_failures"] == 0, (target, got)
        r = place.rivet("check", "-c", "rivet.yaml", "--target", "bigquery", code=0)
        has(r.out, r"^Export: p  \[target: bigquery\]$", r"Column +Source type +Rivet type +Arrow type +Fidelity +Target type +Status +Note", r"PARSE_JSON\(")
        r = place.rivet("check", "-c", "rivet.yaml", "--type-report", code=0)
        has(r.out, r"^  attrs +jsonb +json +Utf8 +logical_string *$", r"^  sku +uuid +uuid +FixedSizeBinary\(16\) +exact *$")


def test_doctor(place):
    with shop() as db:
        pg.config(place, db, [{"name": "a", "table": "orders"}, {"name": "b", "table": "orders"}, {"name": "c", "table": "orders", "format": "csv", "destination": {"type": "stdout"}}])
        r = place.rivet("doctor", "-c", "rivet.yaml", code=0)
        has(r.out, r"^\[OK\]  Config parsed successfully$", r"^\[OK\]  Source auth \(Postgres\)$", r"^\[note\] Source server: Postgres \d+\S*, database t\d+_\d+, direct connection, no TLS$",
            r"^\[OK\]  Destination Local\(\./out\)$", r"^\[OK\]  Destination Stdout", r"^\[OK\]  State \(sqlite, schema v\d+\)$", r"^All checks passed\.$")
        assert r.out.count("Destination Local") == 1 and not place.files(), r.out
        doc, checks = doctor(place, 0)
        assert doc["all_ok"] and checks["Source auth (Postgres)"]["detail"].startswith("version "), doc
        r = place.rivet("doctor", "-c", "rivet.yaml", "--fix-cdc")
        assert r.code == 1 and "--fix-cdc is not part of this build" in r.err and r.out == "", r


def test_doctor_failures(place):
    with pg.database() as db:
        port, cases = pg.host.port(), []
        cases.append((db.url(user="nobody_at_all"), 1, "auth error", "user and password"))
        cases.append((db.server.url("no_such_db"), 1, "missing", "database's name"))
        cases.append((db.url(port=port), 2, "connectivity error", "host, port, firewall"))
        cases.append((db.url(sslmode="require"), 1, "TLS error", "source.tls"))
        for url, code, word, hint in cases:
            pg.config(place, url, [{"name": "a", "table": "t"}])
            doc, checks = doctor(place, code)
            c = checks["Source auth (Postgres)"]
            assert not doc["all_ok"] and c["detail"].startswith(word) and hint in c["hint"] and checks["Destination Local(./out)"]["ok"], (url, doc)
        pg.config(place, db.url(port=port), [{"name": "a", "table": "t", "destination": {"type": "local", "path": "/dev/null/x"}}])
        doctor(place, 1)  # one failure stays: nobody should retry
        r = place.rivet("doctor", "-c", "rivet.yaml", code=1)
        has(r.out, r"^\[FAIL\] Source auth \(Postgres\): ", r"^       hint: ", r"^\[FAIL\] Destination Local\(/dev/null/x\): ", r"^Some checks failed\.$")
        pg.config(place, {"url_env": "NOT_SET_ANYWHERE"}, [{"name": "a", "table": "t"}])
        doc, checks = doctor(place, 1)
        assert "NOT_SET_ANYWHERE" in checks["Source auth (Postgres)"]["detail"], doc
        pg.config(place, db, [{"name": "a", "table": "t"}])
        doc, checks = doctor(place, 2, env={"RIVET_STATE_URL": db.url(port=port)})
        assert "RIVET_STATE_URL" in checks["State"]["hint"], doc
        doc, checks = doctor(place, 0, env={"RIVET_STATE_URL": db.url()})
        assert any(n.startswith("State (postgres, schema v") for n in checks), doc


def test_a_role_without_rights(place):
    """A schema closed to the role looks empty to it; both say which right is missing, and neither guesses a name."""
    with pg.database() as db:
        role = f"{db.name}_ro"
        db.sql("CREATE TABLE orders (id bigint PRIMARY KEY)", "INSERT INTO orders VALUES (1)", "REVOKE ALL ON SCHEMA public FROM PUBLIC", f"CREATE ROLE {role} LOGIN")
        try:
            env = {"DATABASE_URL": db.url(user=role)}
            place.rivet("init", "--source-env", "DATABASE_URL", "--table", "orders", "-o", "rivet.yaml", code=0, env=env)
            r = place.rivet("check", "-c", "rivet.yaml", code=1, env=env)
            assert "permission denied for schema public" in r.err, r
            pg.config(place, {"url_env": "DATABASE_URL"}, [{"name": "orders", "table": "orders"}])
            r = place.rivet("check", "-c", "rivet.yaml", code=1, env=env)
            assert "lies in schema public, which this role may not use" in r.err and "GRANT USAGE ON SCHEMA public" in r.err, r
            db.sql(f"GRANT USAGE ON SCHEMA public TO {role}")
            r = place.rivet("check", "-c", "rivet.yaml", code=1, env=env)
            assert "permission denied for table orders" in r.err and "Verdict" not in r.out, r
            db.sql(f"GRANT SELECT ON orders TO {role}")
            place.rivet("check", "-c", "rivet.yaml", code=0, env=env)
            place.rivet("doctor", "-c", "rivet.yaml", code=0, env=env)
            place.rivet("run", "-c", "rivet.yaml", "--validate", code=0, env=env)
        finally:
            db.sql(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_through_a_pooler(place):
    with shop() as db:
        try:
            pool = pg.pgbouncer.PgBouncer(db.server, "transaction", 3).__enter__()
        except pg.host.Unavailable as why:
            raise Skip(str(why)) from why
        try:
            env = {"DATABASE_URL": pool.url(db.name)}
            # another client holds a connection, so that two statements can meet two backends
            with psycopg.connect(pool.url(db.name), prepare_threshold=None) as held:
                held.execute("SELECT 1")
                held.commit()
                place.rivet("init", "--source-env", "DATABASE_URL", "--table", "orders", "--mode", "chunked", "-o", "rivet.yaml", code=0, env=env)
                text = open(place.path("rivet.yaml")).read().replace("parallel: 1", "parallel: 2")
                place.write("rivet.yaml", text)
                r = place.rivet("doctor", "-c", "rivet.yaml", code=0, env=env)
                has(r.out, r"^\[note\] Source connection: the connection goes through a pooler or proxy \(transaction-pooler\)$", "transaction-pooler connection")
                r = place.rivet("check", "-c", "rivet.yaml", code=0, env=env)
                has(r.out, r"\[HIGH\] the size of the pool behind the transaction-pooler cannot be read; parallel: 2", r"\[LOW\] the connection goes through a pooler")
                r = place.rivet("run", "-c", "rivet.yaml", code=0, env=env)
                has(r.out + r.err, r"rows: +110000")
        finally:
            pool.__exit__(None, None, None)


def test_init_and_doctor_over_tls(place):
    with contextlib.ExitStack() as stack:
        certs = pg.tls.Certificates(pg.host.folder("certificates"))
        server = pg.own(stack, 15)
        server.set(**certs.give(server, "server"))
        server.restart()
        db = stack.enter_context(pg.database(server))
        db.sql("CREATE TABLE t (id integer PRIMARY KEY)", "INSERT INTO t VALUES (1)")
        env = env_of(db)
        r = place.rivet("init", "--source-env", "DATABASE_URL", "--tls", "verify-full", "--tls-ca", certs.crt("ca"), "-o", "rivet.yaml", code=0, env=env)
        doc = scaffold(open(place.path("rivet.yaml"), encoding="utf-8").read())
        assert doc["source"]["tls"] == {"mode": "verify-full", "ca_file": certs.crt("ca")}, doc
        r = place.rivet("doctor", "-c", "rivet.yaml", code=0, env=env)
        has(r.out, r"direct connection, encrypted by TLSv1\.\d$")
        place.rivet("run", "-c", "rivet.yaml", code=0, env=env)
        r = place.rivet("init", "--source-env", "DATABASE_URL", "--tls", "verify-full", "--tls-ca", certs.crt("stranger"), env=env)
        assert r.code == 1 and "certificate" in r.err and r.out == "", r
        found = json.loads(place.rivet("init", "--source-env", "DATABASE_URL", "--tls", "require", "--discover", code=0, env=env).out)
        assert found["tls_mode"] == "require", found
        assert place.rivet("init", "--source-env", "DATABASE_URL", "--tls-ca", certs.crt("ca"), env=env).code == 2
