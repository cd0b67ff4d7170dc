"""Points that no undisturbed run passes: what must happen first for each of them."""
import glob
import os
import signal
import sqlite3
import time

CLI = ["run", "-c", "rivet.yaml"]
EXPORT = {"name": "x", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 1500, "chunk_checkpoint": True,
          "tuning": {"lock_timeout_s": 1, "retry_backoff_ms": 1}}


def stopped(site, faulty, point, stall):
    """A run that stopped at `stall` and will be killed at `point`."""
    p = site.start(CLI, faulty, {"RIVET_KILL_AT": point, "RIVET_STALL_AT": stall})
    until = time.monotonic() + 60
    while time.monotonic() < until and p.poll() is None:
        with open(f"/proc/{p.pid}/stat", encoding="utf-8") as f:
            if f.read().rpartition(")")[2].split()[0] == "T":
                return p
        time.sleep(0.01)
    raise AssertionError(f"never stopped at {stall}")


def stem_taken(site, faulty, point):
    began = int(time.time())
    while int(time.time()) == began:  # a run before it in this second would have moved its stem already
        time.sleep(0.02)
    now = time.time()
    names = [site.place.path("out", time.strftime("x_%Y%m%d_%H%M%S_chunk0.parquet", time.gmtime(now + k))) for k in range(20)]
    for n in names:
        if not os.path.exists(n):
            with open(n, "wb") as f:
                f.write(b"somebody else's")
    killed = site.kill_at(CLI, faulty, point, 1, os.devnull)
    for n in names:
        with open(n, "rb") as f:
            foreign = f.read() == b"somebody else's"
        if foreign:
            os.remove(n)
    return killed


def part_gone(site, faulty, point):
    site.kill_at(CLI, faulty, "unit-committed", 2, os.devnull)
    before = {os.path.join(m["folder"], p["path"]) for m in site.manifests() for p in m["parts"]}
    os.remove(sorted(set(glob.glob(site.place.path("out", "x_*"))) - before)[0])
    return site.kill_at(CLI, faulty, point, 1, os.devnull)


def interrupted(site, faulty, point):
    p = stopped(site, faulty, point, "part-writing:3")
    p.send_signal(signal.SIGTERM)
    p.send_signal(signal.SIGCONT)
    return site.ended(p) == -signal.SIGKILL


def long_at_work(site, faulty, point):
    p = stopped(site, faulty, point, "part-writing:3")
    time.sleep(10.2)  # the next heartbeat is due
    p.send_signal(signal.SIGCONT)
    return site.ended(p) == -signal.SIGKILL


def source_locked(site, faulty, point):
    p = stopped(site, faulty, point, "state-claim:3")
    lock = sqlite3.connect(site.place.path("src.db"))
    lock.execute("BEGIN EXCLUSIVE")
    p.send_signal(signal.SIGCONT)
    killed = site.ended(p) == -signal.SIGKILL
    lock.rollback()
    lock.close()
    return killed


SPECIAL = {"state-stem": stem_taken, "state-redo": part_gone, "state-release": interrupted, "state-renew": long_at_work,
           "state-retry": source_locked}
