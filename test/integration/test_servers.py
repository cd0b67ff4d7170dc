"""The test servers themselves: unprivileged, gone with their parent, faults that really happen."""
import glob
import os
import signal
import subprocess
import sys
import tempfile
import time

import psycopg

import pg

RUN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers", "run.py")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_never_root_and_gone_with_the_parent(place):
    pg.server()  # a named skip without PostgreSQL
    p = subprocess.Popen([sys.executable, RUN, "postgres", "--", "sh", "-c", "echo $RIVET_TEST_PG_URL; sleep 100"], stdout=subprocess.PIPE, text=True)
    url = p.stdout.readline().strip()
    data = glob.glob(os.path.join(tempfile.gettempdir(), f"rivet-servers-{p.pid}-*", "pg15-*", "data", "postmaster.pid"))
    assert len(data) == 1, data
    with open(data[0], encoding="utf-8") as f:
        server = int(f.readline())
    with psycopg.connect(url) as c:
        assert c.execute("SELECT pg_postmaster_start_time() IS NOT NULL").fetchone()[0]
    assert os.stat(f"/proc/{server}").st_uid != 0
    child = subprocess.run(["pgrep", "-P", str(p.pid)], capture_output=True, text=True, check=False).stdout.split()
    p.send_signal(signal.SIGKILL)
    p.wait()
    for c in child:
        if int(c) != server:
            os.kill(int(c), signal.SIGKILL)
    until = time.monotonic() + 30
    while alive(server) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(server), "the server outlived its parent"


def test_the_exit_code_is_the_commands(place):
    pg.server()
    done = subprocess.run([sys.executable, RUN, "postgres", "--pooler", "transaction", "--", "sh", "-c", "test -n \"$RIVET_TEST_PG_POOLER_URL\" && exit 7"], check=False)
    assert done.returncode == 7


def test_faults_happen(place):
    with pg.database() as db, pg.proxy.FaultProxy(db.server.port) as p:
        def read():
            with psycopg.connect(db.server.url(db.name, port=p.port, connect_timeout=3)) as c:
                return len(c.execute("SELECT repeat('x', 200000)").fetchone()[0])
        assert read() == 200000
        for fault, value in (("cut_after_bytes", 5000), ("refuse", True), ("cut_ms", 0)):
            setattr(p, fault, value)
            try:
                read()
                raise AssertionError(f"{fault} did nothing")
            except psycopg.Error:
                setattr(p, fault, None)
        p.rate_bytes_s = 400000
        started = time.monotonic()
        assert read() == 200000 and time.monotonic() - started > 0.3
