"""Quality gates: what they say, what a failure leaves behind, and what a continued run still checks."""
import json
import os

from lib import SIMPLE, Place, fill, same_rows, table  # noqa: F401

CHUNKED = {"mode": "chunked", "chunk_column": "id", "chunk_size": 100}
CHECKPOINTED = {**CHUNKED, "chunk_checkpoint": True}
KEYSET = {"mode": "chunked", "chunk_by_key": "id", "chunk_size": 100, "chunk_checkpoint": True}


def make(place, quality, rows=1000, **more):
    conn = place.db(SIMPLE)
    fill(conn, rows)
    place.config([{"name": "orders", "table": "t", "quality": quality, **more}])
    return conn


def run(place, code, *args):
    return place.rivet("run", "-c", "rivet.yaml", *args, code=code)


def block(r):
    return [line.strip() for line in r.err.splitlines()]


def uploaded(place, out="out"):
    return [f for f in place.files(out) if f.endswith((".parquet", ".csv"))]


def metric(place):
    return place.state().execute("SELECT status, quality_passed, error_class FROM export_metrics ORDER BY id DESC").fetchone()


def failed(place, r, *rules):
    lines = block(r)
    for rule in rules:
        assert f"[WARN] quality FAIL: {rule}" in r.err, r
        assert rule in lines, f"{rule} is not in the block: {r}"
    assert r.err.count("quality FAIL: ") == len(rules), r
    assert r.err.count("[ERROR] export 'orders': quality checks failed") == 1, r
    assert "quality:     FAIL" in lines, r
    assert metric(place) == ("failed", 0, "data_integrity"), metric(place)
    assert not os.path.exists(place.path("out", "_SUCCESS")), place.files()
    assert place.state().execute("SELECT count(*) FROM export_schema").fetchone() == (0,)


def test_gates_that_hold(place):
    conn = make(place, {"row_count_min": 1000, "row_count_max": 1000, "null_ratio_max": {"note": 0.15, "id": 0},
                        "unique_columns": ["id", "name"]})
    r = run(place, 0)
    assert "quality:     pass" in block(r), r
    assert metric(place) == ("success", 1, None), metric(place)
    same_rows(place.dataset("orders"), table(conn, "SELECT * FROM t"))


def test_every_failing_rule_is_told(place):
    make(place, {"row_count_min": 2000, "null_ratio_max": {"note": 0.05}, "unique_columns": ["grp", "name"]})
    r = run(place, 3)
    failed(place, r, "row count 1000 is below the minimum 2000",
           "column 'note': null ratio 0.1420 exceeds threshold 0.0500", "column 'grp': 666 repeated values")
    assert place.files() == [], place.files()  # judged before anything was offered
    journal = json.loads(place.state().execute("SELECT journal_json FROM run_journal").fetchone()[0])
    assert [e["severity"] for e in journal if e["event"] == "quality_issue"] == ["fail"] * 3, journal


def test_rotated_parts_wait_for_the_verdict(place):
    make(place, {"row_count_max": 10}, rows=20000, max_file_size="16KB")
    failed(place, run(place, 3), "row count 20000 exceeds the maximum 10")
    assert place.files() == [], place.files()
    place.config([{"name": "orders", "table": "t", "quality": {"row_count_max": 20000}, "max_file_size": "16KB"}])
    run(place, 0)
    parts = uploaded(place)
    assert len(parts) > 1 and all("_part" in p for p in parts), parts


def test_no_rows_count_too(place):
    make(place, {"row_count_min": 1}, rows=0, skip_empty=True)
    failed(place, run(place, 3), "row count 0 is below the minimum 1")


def test_no_rows_have_no_nulls(place):
    make(place, {"null_ratio_max": {"note": 0}, "unique_columns": ["id"]}, rows=0, skip_empty=True)
    r = run(place, 0)
    assert "quality:     pass" in block(r), r


def test_a_column_the_result_lacks(place):
    make(place, {"unique_columns": ["nope"], "null_ratio_max": {"nada": 0.5}})
    failed(place, run(place, 3), "column 'nada': the result has no such column",
           "column 'nope': the result has no such column")
    assert place.files() == [], place.files()


def test_nulls_never_repeat(place):
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")
    conn.executemany("INSERT INTO t VALUES (?,?)", [(i, None if i > 5 else f"x{i}") for i in range(100)])
    conn.commit()
    place.config([{"name": "orders", "table": "t", "quality": {"unique_columns": ["x"]}}])
    run(place, 0)


def test_the_cap_warns_and_degrades(place):
    make(place, {"unique_columns": ["id", "grp"], "unique_max_entries": 500}, rows=1000)
    r = run(place, 3)  # grp repeats long before its cap; id only meets the cap
    assert "quality WARN: column 'id': more than 500 distinct values" in r.err, r
    place.config([{"name": "orders", "table": "t", "quality": {"unique_columns": ["id"], "unique_max_entries": 500}}])
    r = run(place, 0)
    assert "status:      degraded" in block(r), r
    assert metric(place) == ("degraded", 1, None), metric(place)
    assert place.manifests("orders")[-1]["degraded"] is True


def test_a_cap_that_is_just_enough_says_nothing(place):
    make(place, {"unique_columns": ["id"], "unique_max_entries": 1000}, rows=1000)
    assert "quality WARN" not in run(place, 0).err


def test_position_stays(place):
    make(place, {"row_count_max": 10}, mode="incremental", cursor_column="id")
    failed(place, run(place, 3), "row count 1000 exceeds the maximum 10")
    assert place.state().execute("SELECT count(*) FROM export_state").fetchone() == (0,)
    place.config([{"name": "orders", "table": "t", "mode": "incremental", "cursor_column": "id",
                   "quality": {"row_count_max": 1000}}])
    run(place, 0)
    assert len(place.dataset("orders", incremental=True)) == 1000


def chunks(place, shape, code_then=0):
    conn = make(place, {"row_count_min": 5000}, **shape)
    r = run(place, 3)
    failed(place, r, "row count 1000 is below the minimum 5000")
    assert len(uploaded(place)) == 10, place.files()
    assert "resume:" not in r.err, r
    assert place.state().execute("SELECT count(*) FROM chunk_run WHERE status = 'in_progress'").fetchone() == (0,)
    place.rivet("run", "-c", "rivet.yaml", "-e", "orders", "--resume", code=1)
    place.config([{"name": "orders", "table": "t", "quality": {"row_count_min": 5}, **shape}])
    run(place, 0)
    assert len(uploaded(place)) == 10, place.files()
    same_rows(place.dataset("orders"), table(conn, "SELECT * FROM t"))
    same_rows(place.glob_rows("orders"), table(conn, "SELECT * FROM t"))


def test_chunks_judge_the_totals(place):
    chunks(place, CHUNKED)


def test_a_failed_checkpoint_is_closed(place):
    chunks(place, CHECKPOINTED)


def test_a_failed_keyset_checkpoint_is_closed(place):
    chunks(place, KEYSET)


def test_an_empty_chunked_table_is_judged_again(place):
    conn = make(place, {"row_count_min": 1}, rows=0, **CHECKPOINTED)
    failed(place, run(place, 3), "row count 0 is below the minimum 1")
    fill(conn, 250)
    run(place, 0)
    assert len(place.dataset("orders")) == 250


def early(place, quality, rule, parallel=1):
    make(place, quality, **CHUNKED, parallel=parallel)
    failed(place, run(place, 3), rule)
    assert len(uploaded(place)) < 10, place.files()


def test_too_many_rows_end_it_early(place):
    early(place, {"row_count_max": 150}, "row count 200 exceeds the maximum 150")


def test_a_repeated_value_ends_it_early(place):
    early(place, {"unique_columns": ["grp"]}, "column 'grp': 66 repeated values")


def test_an_impossible_null_ratio_ends_it_early(place):
    early(place, {"null_ratio_max": {"note": 0}}, "column 'note': null ratio 0.1400 exceeds threshold 0.0000")


def test_a_ratio_that_may_recover_goes_on(place):
    make(place, {"null_ratio_max": {"note": 0.05}}, **CHUNKED)
    failed(place, run(place, 3), "column 'note': null ratio 0.1420 exceeds threshold 0.0500")
    assert len(uploaded(place)) == 10, place.files()


def test_four_workers_share_the_sets(place):
    make(place, {"unique_columns": ["id", "name"], "row_count_max": 1000}, **CHUNKED, parallel=4)
    run(place, 0)
    conn = place.db()
    conn.execute("UPDATE t SET name = 'name 7' WHERE id = 990")
    conn.commit()
    failed(place, run_again(place), "column 'name': 1 repeated values")


def run_again(place):
    os.remove(place.path("out", "_SUCCESS"))
    place.state().execute("SELECT 1")
    state = place.state()
    state.execute("DELETE FROM export_schema")
    state.commit()
    return run(place, 3)


def continued(place, shape, quality, change, code, text, **more):
    """A run killed between units goes on; what its dead half wrote counts for the gates too."""
    conn = make(place, quality, **shape, **more)
    place.killed("unit-committed:4", "run", "-c", "rivet.yaml")
    conn.execute(change)
    conn.commit()
    r = run(place, code)
    assert "is continued" in r.err and text in r.err, r
    return r


def test_a_value_of_the_dead_half_repeats(place):
    r = continued(place, CHECKPOINTED, {"unique_columns": ["name"]}, "UPDATE t SET name = 'name 5' WHERE id = 905", 3,
                  "quality FAIL: column 'name': 1 repeated values")
    failed(place, r, "column 'name': 1 repeated values")


def test_keyset_units_of_the_dead_half_repeat(place):
    r = continued(place, KEYSET, {"unique_columns": ["name"]}, "UPDATE t SET name = 'name 5' WHERE id = 905", 3,
                  "quality FAIL: column 'name': 1 repeated values")
    failed(place, r, "column 'name': 1 repeated values")


def test_a_continued_run_that_holds(place):
    continued(place, CHECKPOINTED, {"unique_columns": ["id", "name"], "row_count_min": 1000, "row_count_max": 1000,
                                    "null_ratio_max": {"note": 0.15}}, "SELECT 1", 0, "quality:     pass")


def test_nulls_of_the_dead_half_count(place):
    continued(place, CHECKPOINTED, {"null_ratio_max": {"note": 0.05}}, "UPDATE t SET note = 'x' WHERE id > 900", 3,
              "quality FAIL: column 'note': null ratio 0.")


def test_csv_parts_leave_uniqueness_unchecked(place):
    r = continued(place, CHECKPOINTED, {"unique_columns": ["name"]}, "SELECT 1", 0,
                  "quality WARN: column 'name': uniqueness is unchecked", format="csv")
    assert "status:      degraded" in block(r), r


def test_a_sealed_unit_is_judged_again(place):
    make(place, {"unique_columns": ["name"]})
    place.killed("unit-sealed", "run", "-c", "rivet.yaml")
    place.config([{"name": "orders", "table": "t", "quality": {"unique_columns": ["grp"]}}])
    failed(place, run(place, 3), "column 'grp': 666 repeated values")
    place.config([{"name": "orders", "table": "t", "quality": {"unique_columns": ["name"]}}])
    r = run(place, 0)
    assert "is continued" not in r.err, r
    assert len(place.dataset("orders")) == 1000 and len(uploaded(place)) == 1, place.files()


def test_lists_and_meta_columns(place):
    make(place, {"unique_columns": ["_rivet_row_hash", "id"], "null_ratio_max": {"_rivet_exported_at": 0}},
         meta_columns={"exported_at": True, "row_hash": True})
    run(place, 0)


def test_summary_and_history(place):
    make(place, {"row_count_max": 1})
    run(place, 3)
    r = place.rivet("run", "-c", "rivet.yaml", "--json", code=3)
    x = json.loads(r.out)["per_export"][0]
    assert x["quality_passed"] is False and x["error_code"] == "RIVET_QUALITY" and x["status"] == "failed", x
    assert "quality" in place.rivet("metrics", "-c", "rivet.yaml", code=0).out
