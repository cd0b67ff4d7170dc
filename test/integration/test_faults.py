"""The nth file operation and the nth allocation fails, over whole runs of the test build: either
the run fails cleanly or its data set is complete; the next clean run always makes it exact."""
import concurrent.futures
import os
import shutil
import subprocess

import lib
from lib import SIMPLE, Skip, fill, same_rows, table

ROWS = 700
TUNING = "throttle_ms: 0, retry_backoff_ms: 1, lock_timeout_s: 1, max_retries: 1"
PLAIN = [{"name": "a", "table": "t"}]
MIXED = [{"name": "k", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 200, "chunk_checkpoint": True},
         {"name": "i", "table": "t", "mode": "incremental", "cursor_column": "id"},
         {"name": "y", "table": "t", "mode": "chunked", "chunk_by_key": "id", "chunk_size": 300}]
PARALLEL = [{"name": "p", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 100, "parallel": 2,
             "chunk_checkpoint": True}]


class Site:
    """One directory per fault: a source shared by all, a config and outputs of its own."""

    def __init__(self, place, exports, name):
        self.place = lib.Place.__new__(lib.Place)
        self.place.dir = place.path(name)
        shutil.rmtree(self.place.dir, ignore_errors=True)
        os.makedirs(self.place.dir)
        self.exports = exports
        self.place.config(exports, tuning=TUNING, source=place.path("src.db"))

    def run(self, *args, **env):
        r = self.place.rivet("run", "-c", "rivet.yaml", *args, binary=lib.FAULTY, env=env, timeout=90)
        assert r.code >= 0, f"{env}: died of signal {-r.code}: {r}"
        assert r.code in (0, 1, 2, 3, 5), f"{env}: {r}"
        if "RIVET_FAIL_STICKY" not in env:  # there even stderr cannot be written
            assert (r.code == 0) == ("Error: " not in r.err), f"{env}: {r}"
        assert "AddressSanitizer" not in r.err and "runtime error" not in r.err, r.err
        return r

    def whole_or_nothing(self, want, must=False):
        for x in self.exports:
            seen = [m for m in self.place.manifests(x["name"]) if m["status"] == "success"]
            if seen or must:
                same_rows(self.place.dataset(x["name"], incremental=x.get("mode") == "incremental"), want)

    def exact(self, want):
        self.whole_or_nothing(want, must=True)
        assert not self.place.hidden(), self.place.hidden()
        listed = {p["path"] for x in self.exports for m in self.place.manifests(x["name"]) for p in m["parts"]
                  if m["status"] == "success" and p["status"] == "committed"}
        lying = {f for f in self.place.files() if f.endswith((".parquet", ".csv"))}
        assert lying == listed, (lying - listed, listed - lying)

    def close(self):
        shutil.rmtree(self.place.dir, ignore_errors=True)


def one_fault(place, exports, want, kind, n, sticky, args):
    site = Site(place, exports, f"{kind}-{n}-{int(sticky)}")
    env = {f"RIVET_FAIL_{kind}": str(n), **({"RIVET_FAIL_STICKY": "1"} if sticky else {})}
    try:
        r = site.run(*args, **env)
        site.whole_or_nothing(want, must=r.code == 0)
        if not sticky or r.code:
            site.run(*args)
        site.exact(want)
    except AssertionError as e:
        return r.code if "r" in locals() else None, f"{env}: {e}"
    site.close()
    return r.code, None


def count(place, exports, kind, args):
    """About how many there are in a clean run: the first n from which on all may fail unnoticed."""
    def survives(n):
        site = Site(place, exports, f"count-{kind}")
        r = site.place.rivet("run", "-c", "rivet.yaml", *args, binary=lib.FAULTY, timeout=90,
                             env={f"RIVET_FAIL_{kind}": str(n), "RIVET_FAIL_STICKY": "1"})
        assert r.code >= 0, f"sticky {kind} from {n}: {r}"
        return r.code == 0
    low, high = 0, 16
    while not survives(high):
        low, high = high, high * 2
        assert high < 10**6
    while high - low > max(1, high // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if survives(middle) else (middle, high)
    return high + max(2, high // 20)


def sweep(place, exports, kind, budget=None, args=(), sticky=False):
    if not lib.FAULTY:
        raise Skip("no test build given (--faulty)")
    conn = place.db(SIMPLE)
    fill(conn, ROWS)
    want = table(conn, "SELECT * FROM t")
    conn.close()
    total = count(place, exports, kind, args)
    step = max(1, -(-total // budget)) if budget else 1
    codes, wrong = {}, []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for code, text in pool.map(lambda n: one_fault(place, exports, want, kind, n, sticky, args), range(1, total + 1, step)):
            codes[code] = codes.get(code, 0) + 1
            if text:
                wrong.append(text)
    assert not wrong, f"{len(wrong)} of {sum(codes.values())} faults, of about {total}; the first ones:\n" + "\n".join(wrong[:4])
    # journal and summary files may fail with a WARN alone: enough that the faults do land
    assert sum(n for c, n in codes.items() if c) >= sum(codes.values()) // 5, f"hardly anything failed: {codes}"


def test_file_operations_plain(place):
    sweep(place, PLAIN, "IO", 30, args=("--validate",))


def test_file_operations_mixed(place):
    sweep(place, MIXED, "IO", 40)


def test_file_operations_parallel(place):
    sweep(place, PARALLEL, "IO", 25)


def test_file_operations_from_then_on(place):
    sweep(place, MIXED, "IO", 15, sticky=True)


def test_allocations_plain(place):
    sweep(place, PLAIN, "ALLOC", 40, args=("--validate",))


def test_allocations_mixed(place):
    sweep(place, MIXED, "ALLOC", 40)


def test_allocations_parallel(place):
    sweep(place, PARALLEL, "ALLOC", 25)


def test_allocations_from_then_on(place):
    sweep(place, MIXED, "ALLOC", 15, sticky=True)


def every(place, kind):
    """All n over all three configurations; a failure of one does not hide the others'."""
    wrong = []
    for k, exports in enumerate((PLAIN, MIXED, PARALLEL)):
        sub = lib.Place.__new__(lib.Place)
        sub.dir = place.path(str(k))
        os.makedirs(sub.dir)
        try:
            sweep(sub, exports, kind, args=("--validate",))
        except AssertionError as e:
            wrong.append(str(e))
    assert not wrong, "\n".join(wrong)


def test_every_file_operation(place):
    every(place, "IO")


def test_every_allocation(place):
    every(place, "ALLOC")


test_every_file_operation.long = True
test_every_allocation.long = True


def test_spool_of_a_run_that_only_had_to_be_published(place):
    """--validate keeps the spool until the unit commits; whoever publishes the run later removes it."""
    if not lib.FAULTY:
        raise Skip("no test build given (--faulty)")
    fill(place.db(SIMPLE), ROWS)
    place.config(PLAIN, tuning=TUNING)
    place.killed("after-final", "run", "-c", "rivet.yaml", "--validate")
    place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
    assert not place.hidden(), place.hidden()


COMMANDS = [("validate", "--depth", "full"), ("check",), ("check", "--type-report", "--json"), ("doctor", "--json"), ("state",),
            ("state", "show", "--json"), ("state", "runs"), ("state", "files", "--json"), ("state", "chunks", "-e", "k"),
            ("metrics",), ("journal", "-e", "i"), ("init", "--source", "sqlite:../src.db", "--table", "t"), ("schema", "config"),
            ("schema", "cli"), ("schema", "errors", "--json"), ("completions", "bash"), ("--help",)]


def command_sweep(place, kind, budget):
    if not lib.FAULTY:
        raise Skip("no test build given (--faulty)")
    conn = place.db(SIMPLE)
    fill(conn, 50)
    conn.close()
    site = Site(place, MIXED, "site")
    site.run()
    wrong = []
    for command in COMMANDS:
        full = [*command, *(() if command[0] in ("init", "schema", "completions", "--help") else ("-c", "rivet.yaml"))]
        clean = site.place.rivet(*full, binary=lib.FAULTY, code=0)
        n, passed, step = 1, 0, 1
        while passed < 4 and n < 5000:  # past the end nothing fails any more
            r = site.place.rivet(*full, binary=lib.FAULTY, env={f"RIVET_FAIL_{kind}": str(n)}, timeout=60)
            said = "Error: " in r.err or "[FAIL]" in r.out or '"all_ok":false' in r.out or "[WARN]" in r.err
            if r.code < 0 or (r.code == 0 and r.out != clean.out and not said and command[0] not in ("check", "doctor", "state")) \
                    or (r.code and not said):
                wrong.append(f"{' '.join(command)}: {kind} {n}: {r}")
                break
            passed = passed + 1 if r.code == 0 else 0
            n += step
            if budget and n > budget:
                step = 1 + n // budget * 3
    assert not wrong, "\n".join(wrong)
    site.exact(table(place.db(), "SELECT * FROM t"))


def test_commands_when_file_operations_fail(place):
    command_sweep(place, "IO", 20)


def test_commands_when_allocations_fail(place):
    command_sweep(place, "ALLOC", 15)


def test_fault_points_are_not_in_the_release(place):
    """The variables that break the test build mean nothing to the program people install."""
    conn = place.db(SIMPLE)
    fill(conn, 50)
    place.config(PLAIN, tuning=TUNING)
    for env in ({"RIVET_FAIL_IO": "1"}, {"RIVET_FAIL_ALLOC": "1"}, {"RIVET_KILL_AT": "part-uploaded"}):
        place.rivet("run", "-c", "rivet.yaml", env=env, code=0)
    assert b"RIVET_FAIL_IO" not in open(lib.RIVET, "rb").read()
    assert subprocess.run(["grep", "-c", "part-uploaded", lib.RIVET], capture_output=True, check=False).stdout.strip() == b"0"
