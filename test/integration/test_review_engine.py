"""What an adversarial reading of the execution contract asked for: each test failed once."""
import glob
import json
import os
import sqlite3
import time

from lib import SIMPLE, fill, same_rows, table


def summary(place, run_id):
    return json.load(open(place.path(".rivet", "runs", run_id, "summary.json"), encoding="utf-8"))


def last_run(place, export):
    return place.state().execute("SELECT run_id, status FROM run_status WHERE export_name = ? "
                                 "ORDER BY started_at DESC LIMIT 1", (export,)).fetchone()


# ---- drift of shape ----

def test_a_longer_value_degrades_the_run(place):
    conn = place.db(SIMPLE)
    fill(conn, 10)
    place.config([{"name": "s", "table": "t"}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    conn.execute("UPDATE t SET name = ? WHERE id = 3", ("x" * 4000,))
    conn.commit()
    time.sleep(1.1)
    r = place.rivet("run", "-c", "rivet.yaml", code=0)
    run_id, status = last_run(place, "s")
    assert status == "degraded", status
    newest = place.manifests("s")[-1]
    assert newest["status"] == "success" and newest["degraded"] is True
    assert summary(place, run_id)["status"] == "degraded"
    assert "degraded" in r.err, r.err
    metric = place.state().execute("SELECT status FROM export_metrics WHERE run_id = ?", (run_id,)).fetchall()
    assert metric == [("degraded",)], metric
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    assert last_run(place, "s")[1] == "success"


def test_a_degraded_run_published_later_stays_degraded(place):
    conn = place.db(SIMPLE)
    fill(conn, 10)
    place.config([{"name": "s", "table": "t"}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    conn.execute("UPDATE t SET name = ? WHERE id = 3", ("x" * 4000,))
    conn.commit()
    time.sleep(1.1)
    place.killed("after-final", "run", "-c", "rivet.yaml")
    time.sleep(1.1)
    place.rivet("run", "-c", "rivet.yaml", code=0)
    states = [s for (s,) in place.state().execute("SELECT status FROM run_status ORDER BY started_at")]
    assert states == ["success", "degraded", "success"], states
    states = [s for (s,) in place.state().execute("SELECT status FROM export_metrics ORDER BY run_at")]
    assert states == ["success", "degraded", "success"], states


# ---- checks asked for once ----

CHUNKS = {"name": "k", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1000,
          "chunk_checkpoint": True}


def test_a_resumed_run_validates_if_it_was_ever_asked_to(place):
    conn = place.db(SIMPLE)
    fill(conn, 3000)
    place.config([CHUNKS])
    place.killed("unit-sealed:2", "run", "-c", "rivet.yaml", "--validate")
    place.rivet("run", "-c", "rivet.yaml", code=0)
    run_id, _ = last_run(place, "k")
    assert summary(place, run_id)["validated"] is True
    same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))
    checks, = place.state().execute("SELECT checks FROM run_status WHERE run_id = ?", (run_id,)).fetchone()
    assert checks == "validate", checks


def test_chunk_checkpoint_turned_off_still_continues_the_run(place):
    conn = place.db(SIMPLE)
    fill(conn, 5000)
    place.config([CHUNKS])
    place.killed("unit-committed:2", "run", "-c", "rivet.yaml")
    place.config([{**CHUNKS, "chunk_checkpoint": False}])
    place.rivet("run", "-c", "rivet.yaml", code=0)
    same_rows(place.dataset("k"), table(conn, "SELECT * FROM t"))
    assert place.state().execute("SELECT status FROM chunk_run").fetchall() == [("completed",)]
    assert len(place.manifests("k")) == 1
