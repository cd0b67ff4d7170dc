#!/usr/bin/env python3
"""Kills a program at random moments, often several times in a row, and at every named point of the
code; lets the next run finish as the contract says and compares what a manifest reader and a globbing
reader see with the source, and each part with that of a run nobody disturbed.

Usage: kill.py --rivet TEST_BUILD --release BIN [KILLS per workload]. Without --release the test build
is killed at random too. Closes with 'N passed, N failed, N skipped'."""
import argparse
import concurrent.futures
import contextlib
import glob
import os
import random
import re
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "test", "integration"), HERE]
import lib  # noqa: E402
from sites import Site  # noqa: E402
from special import EXPORT, SPECIAL  # noqa: E402
from workloads import COMMANDS, ROWS, WORKLOADS, Workload  # noqa: E402

TRIES = 5
BY_A_TEST = {  # points a test of its own kills at: file and why it is not a workload here
    "repair-settled": ("test/integration/test_reconcile.py", "a repair that meets a run killed before it"),
}


class Round:
    """Rows come, the command is killed, the next one finishes, all is compared."""

    def __init__(self, work, stack, rnd, release, first=True):
        self.work, self.rnd = work, rnd
        self.site = Site(work, stack, release)
        self.next_id, self.resumed = 20000, 0
        self.site.source.fill(1, ROWS)
        self.run_args = ["run", "-c", "rivet.yaml", *work.args]
        self.args = self.run_args
        if work.repair:
            self.args = ["repair", "-c", "rivet.yaml", "-e", "x", "--execute"]
        if work.plan:
            self.args = ["apply", "plan.json"]
        if first:
            self.clean(self.run_args)

    def clean(self, args):
        r = self.site.run(args)
        assert r.code == 0, f"undisturbed: {r}"

    def begin(self, binary=None, trace=None):
        """Something to do, and how it looks when nobody disturbs it."""
        self.site.source.fill(self.next_id, self.next_id + self.rnd.randrange(1, 40))
        self.next_id += 100
        if self.work.repair:
            self.clean(self.run_args)
            self.site.damage(self.rnd)
        plan = ["plan", "-c", "rivet.yaml", "-e", "x", "--format", "json", "-o", "plan.json"] if self.work.plan else None
        if plan:
            self.clean(plan)
        env = {"RIVET_TRACE_POINTS": trace} if trace else None
        self.wanted, self.whole_s = self.site.undisturbed(self.args, binary, env, plan)

    def finish(self, binary=None, env=None):
        r = self.site.run(self.args, binary, env)
        assert r.code == 0, f"after the kill: {r}"
        self.resumed += "is continued" in r.err
        self.site.verify(self.wanted)


def at_random(work, kills, seed, release):
    done = at_work = 0
    rnd = random.Random(f"{seed} {work.name} {work.where()}")
    with contextlib.ExitStack() as stack:
        try:
            r = Round(work, stack, rnd, release)
            while done < kills:
                r.begin()
                for _ in range(rnd.choice((1, 1, 2, 3))):
                    at_work += r.site.kill_after(r.args, rnd.uniform(0, r.whole_s * 1.05), rnd.random() < 0.5)
                    done += 1
                r.finish()
        except AssertionError as e:
            return done, at_work, 0, str(e)
        return done, at_work, r.resumed, None


# ---- named points ----

def named_points():
    """Names in the source; a state transaction of a literal name has a point before and one after it."""
    found = set()
    for path in glob.glob(os.path.join(ROOT, "src", "**", "*.c"), recursive=True):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        found |= set(re.findall(r'RV_KILL_POINT\("([^"]+)"\)', text))
        for name in re.findall(r'rv_tx tx = \{\.name = "([^"]+)"', text):
            found |= {f"state-{name}-before", f"state-{name}"}
    return found


def tested_elsewhere():
    """The points of BY_A_TEST that their file really names."""
    good = set()
    for point, (path, _) in BY_A_TEST.items():
        with open(os.path.join(ROOT, path), encoding="utf-8") as f:
            good |= {point} if f'"{point}' in f.read() else set()
    return good


def passed_points(path):
    """How often each point was passed since the file was last read."""
    count = {}
    with contextlib.suppress(FileNotFoundError):
        with open(path, encoding="utf-8") as f:
            for line in f:
                count[line.strip()] = count.get(line.strip(), 0) + 1
        os.remove(path)
    return count


def at_points(work, seed, release, faulty, covered, every):
    """Kills once at each point the command passes, and at each point the next start passes that
    nothing was killed at yet. `covered` is shared: what others did is not repeated unless `every`."""
    rnd = random.Random(f"{seed} {work.name} {work.where()}")
    mine, kills, planned = set(), 0, set()

    def fresh(points):
        new = [p for p in sorted(points) if p not in planned and (every or p not in covered) and not p.endswith("-after")]
        planned.update(new)
        return new

    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rivet-points-"))
        os.chmod(folder, 0o1777)
        trace = os.path.join(folder, "trace")
        try:
            r = Round(work, stack, rnd, release)
            if work.store:  # what nobody disturbs writes to a directory
                r.site.run(r.run_args, faulty, {"RIVET_TRACE_POINTS": trace})
                r.begin(faulty)
            else:
                r.begin(faulty, trace)
            first = passed_points(trace)
            todo = [[(p, rnd.randrange(1, first[p] + 1))] for p in fresh(first)]
            while todo:
                chain = todo.pop(0)
                for point, nth in chain:
                    if r.site.kill_at(r.args, faulty, point, nth, trace):
                        mine.add(point)
                        covered.add(point)
                        kills += 1
                passed_points(trace)
                r.finish(faulty, {"RIVET_TRACE_POINTS": trace})
                after = passed_points(trace)
                if len(chain) == 1:
                    todo += [[*chain, (q, 1)] for q in fresh(set(after) - set(first))]
                if todo:
                    r.begin(faulty, trace)
                    passed_points(trace)
        except AssertionError as e:
            return kills, len(mine), f"{chain if 'chain' in locals() else ''} {e}"
        return kills, len(mine), None


def state_commands(seed, release, faulty, covered):
    """Commands that change the state, killed before and after their transaction, then repeated."""
    kills, points = 0, set()
    cli, copy = ("-c", "rivet.yaml"), "sqlite:copy.db"
    commands = [("migrate", ["run", *cli]), ("reset", ["state", "reset", *cli, "-e", "x"]),
                ("set-cursor", ["state", "set-cursor", *cli, "-e", "x", "2000", "--yes"]),
                ("accept", ["state", "accept", *cli, "-e", "x", "--yes"]),
                ("prune", ["state", "prune", *cli, "--keep-days", "0"]),
                ("drop", ["state", "reset-chunks", *cli, "-e", "c"]),
                ("copy", ["state", "copy", *cli, "--to", copy]), ("copy-from", ["state", "copy", *cli, "--to", copy]),
                ("verified", ["reconcile", *cli, "-e", "c"])]
    for name, args in commands:
        for point in (f"state-{name}-before", f"state-{name}"):
            with contextlib.ExitStack() as stack:
                r = Round(Workload("state commands", COMMANDS), stack, random.Random(seed), release, first=name != "migrate")
                if name == "drop":
                    r.site.kill_at(["run", *cli, "-e", "c"], faulty, "unit-committed", 2, os.devnull)
                try:
                    if r.site.kill_at(args, faulty, point, 1, os.devnull):
                        covered.add(point)
                        points.add(point)
                        kills += 1
                    again = r.site.run(args, faulty)
                    assert again.code == 0 or (name.startswith("copy") and "not empty" in again.err), f"again: {again}"
                    r.clean(r.run_args)
                    if name not in ("reset", "set-cursor"):  # those ask for rows again
                        r.site.rows_are_the_source()
                except AssertionError as e:
                    return kills, len(points), f"{point}: {e}"
    return kills, len(points), None


def special_points(seed, release, faulty, covered):
    """Points behind a condition, and what brings it about."""
    kills = 0
    for name, bring_about in SPECIAL.items():
        for point in (f"{name}-before", name):
            for _ in range(TRIES):  # whether a signal or a second comes in time is the machine's affair
                with contextlib.ExitStack() as stack:
                    try:
                        r = Round(Workload("points behind a condition", [EXPORT]), stack, random.Random(seed), release)
                        r.begin()
                        killed = bring_about(r.site, faulty, point)
                        r.finish()
                    except AssertionError as e:
                        return kills, kills, f"{point}: {e}"
                if killed:
                    covered.add(point)
                    kills += 1
                    break
    return kills, kills, None


# ---- the table ----

class Table:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def row(self, name, where, cells, job):
        try:
            *numbers, error = job.result()
        except lib.Skip as why:
            print(f"SKIP {name} ({where}): {why}", flush=True)
            self.skipped += 1
            return
        print(f"{name:34} {where:28} " + " ".join(f"{n:{w}}" for n, w in zip(numbers, cells)) +
              f"  {'exact' if not error else error}", flush=True)
        self.passed, self.failed = self.passed + (not error), self.failed + bool(error)


def chosen(args):
    return [w for w in WORKLOADS if args.only in f"{w.name} ({w.where()})" and (w.often or args.only or args.every_point)]


def random_kills(table, pool, args, release):
    print(f"{'workload, killed at random':34} {'source -> state':28} {'kills':>6} {'at work':>8} {'resumed':>8}  outcome")
    jobs = [(w, pool.submit(at_random, w, args.kills, args.seed, release)) for w in chosen(args)]
    for w, job in jobs:
        table.row(w.name, w.where(), (6, 8, 8), job)


def point_kills(table, pool, args, release, faulty):
    covered, cells = set(), (6, 8)
    print(f"{'workload, killed at named points':34} {'source -> state':28} {'kills':>6} {'points':>8}  outcome")
    jobs = [(name, "sqlite -> sqlite", pool.submit(work, args.seed, release, faulty, covered))
            for name, work in (("points behind a condition", special_points), ("state commands", state_commands))
            if args.only in name]
    jobs += [(w.name, w.where(), pool.submit(at_points, w, args.seed, release, faulty, covered, args.every_point))
             for w in chosen(args) if w.points]
    for name, where, job in jobs:
        table.row(name, where, cells, job)
    missing = named_points() - covered - tested_elsewhere()
    print(f"named points: {len(covered)} killed at, {len(tested_elsewhere())} by other tests, {len(missing)} by nobody "
          f"{' '.join(sorted(missing)) if not args.only else ''}".rstrip())
    if not args.only:
        table.passed, table.failed = table.passed + (not missing), table.failed + bool(missing)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--rivet", required=True, help="the test build with named points")
    ap.add_argument("--release", help="the program people install")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--only", default="", help="workloads whose 'name (source -> state)' contains this")
    ap.add_argument("--every-point", action="store_true", help="every point in every workload, not once in one")
    ap.add_argument("--no-points", action="store_true", help="random kills only")
    ap.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    ap.add_argument("kills", nargs="?", type=int, default=20)
    args = ap.parse_args()
    table, started = Table(), time.monotonic()
    with contextlib.ExitStack() as stack:
        copies = stack.enter_context(tempfile.TemporaryDirectory(prefix="rivet-kill-"))  # where anybody may read
        os.chmod(copies, 0o755)
        faulty = shutil.copy(args.rivet, os.path.join(copies, "faulty"))
        release = shutil.copy(args.release or args.rivet, os.path.join(copies, "rivet"))
        for f in (faulty, release):
            os.chmod(f, 0o755)
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            if args.kills:
                random_kills(table, pool, args, release)
            if not args.no_points:
                point_kills(table, pool, args, release, faulty)
    print(f"== {time.monotonic() - started:.0f} s")
    print(f"{table.passed} passed, {table.failed} failed, {table.skipped} skipped")
    sys.exit(1 if table.failed else 0)


if __name__ == "__main__":
    main()
