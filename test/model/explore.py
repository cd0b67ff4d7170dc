#!/usr/bin/env python3
"""Searches the model of the run protocol: every interleaving of steps with a few crashes, a runner that stalls and
wakes, and rows that arrive in between. Then leaves out each step in turn and demands that the search notices. Then
compares the order of steps with the points that a test build passes, after a kill at each of them.

usage: explore.py [--faulty BIN] [--deep]   closes with 'N passed, N failed, N skipped'"""
import argparse
import collections
import os
import sys
import tempfile

import protocol as m

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE_MAX, RUNS_MAX = 3, 3
# crashes and runners that stall, at most, in one search
USUAL, DEEP = [(2, 0), (0, 1)], [(3, 0), (1, 1)]
# every part is compared with its seal when a unit is looked at again, and a key range fixes no bounds beforehand: here
# nothing depends on these
DOUBLED = {"single": {"unseal"}, "checkpoint": {"unseal"}, "ahead": {"checkpoint"}}
LATER = {"single": set(), "checkpoint": set(), "ahead": {"unseal"}}  # of a continued run
CHECKS = {"single": ["epoch check"], "checkpoint": ["epoch check"], "ahead": ["epoch check", "order check"]}


class Broken(Exception):
    """A promise of the protocol does not hold in this world."""


# ---- promises ----

def union(parts):
    """The rows of half-open ranges as a sorted list of row numbers."""
    return sorted(n for lo, hi, _ in parts for n in range(lo + 1, hi + 1))


def dataset(world):
    """What a reader of success manifests sees; every part must be there and whole."""
    seen = []
    own = sorted((name[1], value) for name, value in world.objects if isinstance(name, tuple) and name[0] == "own")
    if world.kind != "single":
        own = own[-1:]
    for r, listed in own:
        for u, rows in listed:
            if m.get(world, ("part", r, u)) != rows:
                raise Broken(f"the manifest of run {r} lists a part that is not there as listed")
            seen.append(rows)
    return union(seen)


def check_always(world):
    rows = dataset(world)
    if rows != list(range(1, len(rows) + 1)):
        raise Broken(f"a manifest reader sees rows {rows}")
    marker = m.get(world, "_SUCCESS")
    if marker is not None and m.get(world, ("own", marker)) is None:
        raise Broken("_SUCCESS names a run without a manifest")


def check_rest(world, wanted):
    """After a start that ended well."""
    check_always(world)
    rows = dataset(world)
    if len(rows) < wanted:
        raise Broken(f"{wanted} rows existed when the run began, a manifest reader sees {len(rows)}")
    if any(r.status in ("running", "unpublished") for r in world.runs):
        raise Broken("a run stays open")
    last = max(i for i, r in enumerate(world.runs) if r.status == "success")
    if m.get(world, "manifest.json") != last or m.get(world, "_SUCCESS") != last:
        raise Broken("manifest.json or _SUCCESS is not of the last run")
    listed = {(r, u) for r, run in enumerate(world.runs) if run.manifest is not None for u, _ in run.manifest}
    if any(r.status == "abandoned" and not r.cleared for r in world.runs):
        raise Broken("what an abandoned run left has to be looked for again")
    strays = {name[1:] for name, _ in world.objects if isinstance(name, tuple) and name[0] == "part"} - listed
    if strays:
        raise Broken(f"a globbing reader sees parts that no manifest lists: {sorted(strays)}")


def delivered(world, r, u):
    """Sealed and whole, as far as state and spool know."""
    unit = world.runs[r].units[u]
    known = unit.recorded == "uploaded" or unit.spool
    return unit.committed or unit.sealed and known and m.get(world, ("part", r, u)) == unit.sealed


def check_reads(world, process):
    """A unit that is sealed and whole is never read again."""
    steps = process.steps if process.steps[-1][0] != "resume" else m.resume(world, process.run)
    for step, r, u in steps:
        if step == "spool" and r < len(world.runs):
            if world.kind == "ahead" and u and not delivered(world, r, 0):
                continue  # the one before it is read again: this one may begin elsewhere
            if delivered(world, r, u):
                raise Broken(f"unit {u} of run {r} is read again although it is sealed and delivered")


# ---- the search ----

def run_to_end(world, left_out):
    """What the next start leaves when nothing disturbs it."""
    wanted, process = world.source, m.start(world)
    check_reads(world, process)
    resumed = process.run < len(world.runs)
    while process:
        world, process = m.advance(world, process, left_out)
        check_always(world)
        if process and process.lost:
            raise Broken("an undisturbed start loses its lease or cannot finish")
    check_rest(world, 0 if resumed else wanted)
    return world


def explore(kind, limits, left_out=None):
    """Every reachable world under each limit; Broken when a promise fails. Returns how many there were."""
    return sum(search(kind, crashes, stalls, left_out) for crashes, stalls in limits)


def search(kind, crashes, stalls, left_out):
    first = (m.World(kind, 2, 0), None, None, crashes, stalls)
    came, todo = {first: None}, collections.deque([first])

    def visit(how, *state):
        if state not in came:
            came[state] = (how, here)
            todo.append(state)

    while todo:
        here = todo.popleft()
        try:
            follow(here, visit, left_out)
        except Broken as e:
            raise Broken(f"{e}\n     after {story(came, here)}") from None
    return len(came)


def story(came, state):
    """How the search got there."""
    steps = []
    while came[state]:
        how, state = came[state]
        steps.append(how)
    return ", ".join(reversed(steps))


def next_step(process):
    step, r, u = process.steps[process.at]
    return f"{step} {r}" + (f".{u}" if isinstance(u, int) else "")


def follow(state, visit, left_out):
    world, process, stalled, crashes, stalls = state
    check_always(world)
    if process is None:
        run_to_end(run_to_end(world, left_out), left_out)  # from anywhere two quiet starts put all right
        if len(world.runs) < RUNS_MAX:
            for process in m.starts(world):
                visit("START", world, process, stalled, crashes, stalls)
        if world.kind == "ahead" and crashes and any(u.spool for run in world.runs for u in run.units):
            for u in range(m.UNITS["ahead"]):
                visit(f"spool file {u} is lost", m.with_unit(world, len(world.runs) - 1, u, spool=None), None, stalled, crashes - 1,
                      stalls)
        if world.source < SOURCE_MAX:
            visit("a row arrives", world._replace(source=world.source + 1), None, stalled, crashes, stalls)
    else:
        after, rest = m.advance(world, process, left_out)
        visit(next_step(process), after, None if rest and rest.lost else rest, stalled, crashes, stalls)
        if crashes:
            visit("KILL", world, None, stalled, crashes - 1, stalls)
        if stalls and process.lease:  # stopped for longer than its lease
            visit("STALL", world, None, process, crashes, stalls - 1)
    if stalled:  # it wakes, and goes on until it is over or finds its lease gone
        w, z = m.advance(world, stalled, left_out)
        visit(f"(stalled: {next_step(stalled)})", w, process, None if z is None or z.lost else z, crashes, stalls)


# ---- the program itself ----

NAMES = {point for point in m.POINTS.values()}
SETTLED = {"single": {"mode": "incremental", "cursor_column": "id"},
           "checkpoint": {"mode": "chunked", "chunk_column": "id", "chunk_count": 2, "chunk_checkpoint": True}}


def points(steps):
    """The points of a program; what only looks at the state passes none."""
    return [m.POINTS[s] for s, _, _ in steps]


def passed(path):
    got = [line for line in open(path, encoding="utf-8").read().split("\n") if line in NAMES]
    # a lease that meets an open or taken name asks again
    return [p for i, p in enumerate(got) if not (p == "state-lease" and got[i - 1:i] == [p])]


def compare(kind, faulty):
    """Kills the program at every step and wants the next start to do what the model says."""
    sys.path.insert(0, os.path.join(HERE, "..", "integration"))
    import lib
    lib.RIVET = lib.FAULTY = faulty
    quiet = m.whole_program(m.World(kind, 200, 0))
    for cut in range(len(quiet) + 1):
        world, process = m.World(kind, 200, 0), m.start(m.World(kind, 200, 0))
        for _ in range(cut):
            world, process = m.advance(world, process, None)
        want = points(m.whole_program(world))
        place = lib.Place()
        try:
            conn = place.db(lib.SIMPLE)
            lib.fill(conn, 200)
            place.config([dict(SETTLED[kind], name="x", table="t")])
            args = ("run", "-c", "rivet.yaml")
            trace = place.path("trace")
            if cut:
                step = quiet[cut - 1][0]
                at = m.POINTS[step]
                nth = points(quiet[:cut]).count(at)
                after = at + "-after" if at.startswith("state-") else at
                place.killed(f"{after}:{nth}", *args)
            place.rivet(*args, binary=faulty, env={"RIVET_TRACE_POINTS": trace}, code=0)
            got = passed(trace)
            if got != want:
                raise Broken(f"after a kill behind step {cut} ({quiet[cut - 1][0] if cut else 'none'}):\n"
                             f"  model   {' '.join(want)}\n  program {' '.join(got)}")
        finally:
            place.close()
    return len(quiet) + 1


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--faulty", help="a test build (fault points compiled in); without it the program is not compared")
    ap.add_argument("--deep", action="store_true", help="more disturbances in one search; many minutes")
    args = ap.parse_args()
    limits = DEEP if args.deep else USUAL
    good = bad = skipped = 0

    def report(ok, text):
        nonlocal good, bad
        good, bad = good + ok, bad + (not ok)
        print(("ok   " if ok else "FAIL ") + text, flush=True)

    for kind in m.UNITS:
        try:
            report(True, f"{kind}: {explore(kind, limits):,} worlds keep every promise")
        except Broken as e:
            report(False, f"{kind}: {e}")
        program = {s for s, _, _ in m.whole_program(m.World(kind, 2, 0))}
        for step in [s for s in m.POINTS if s in program - DOUBLED[kind] | {"adopt", "abandon", "remove", "cleared"} | LATER[kind]] + CHECKS[kind]:
            try:
                explore(kind, limits, step)
                report(False, f"{kind}: leaving out '{step}' goes unnoticed")
            except Broken as e:
                report(True, f"{kind}: without '{step}': {e}")
        if kind not in SETTLED:
            continue  # which of its orders a real run takes is up to its threads
        if args.faulty:
            try:
                report(True, f"{kind}: the program follows the model after {compare(kind, os.path.abspath(args.faulty))} kills")
            except Broken as e:
                report(False, f"{kind}: {e}")
        else:
            skipped += 1
            print("SKIP no test build was given: the program is not compared with the model")
    print(f"{good} passed, {bad} failed, {skipped} skipped")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
