"""The run protocol as a table of durable steps over a small world: what one start of `run` does, in which
order things become durable, and what each step leaves behind. Nothing here is Rivet's code; explore.py
searches this world for broken promises and compares the order with what the program really passes.

Three kinds of export: 'single' (incremental: one unit, a position), 'checkpoint' (chunks, remembered) and 'ahead'
(units of a key range, each beginning where the one before ended, read while earlier ones are on their way)."""
from typing import NamedTuple

# step -> the point a test build passes when that step is durable
POINTS = {
    "lease": "state-lease", "adopt": "state-adopt", "abandon": "state-close", "remove": "clear-part",
    "forget": "state-part", "cleared": "state-cleared", "checkpoint": "state-checkpoint", "unseal": "state-unseal",
    "spool": "part-closed", "intent": "state-intent", "put": "part-put", "mark": "state-part",
    "seal": "state-seal", "unit": "state-unit-done", "final": "state-final", "own": "published-own",
    "manifest": "published-manifest", "marker": "published-marker", "close": "state-close",
}
UNITS = {"single": 1, "checkpoint": 2, "ahead": 2}
STATE_WRITES = {"abandon", "forget", "cleared", "checkpoint", "unseal", "intent", "mark", "seal", "unit", "final", "close"}


class Unit(NamedTuple):
    rows: tuple = ()        # what the last reading found: (after, up to, as the source was then)
    spool: tuple = None     # rows of the finished file in the spool
    recorded: str = ""      # file_log: '', pending, uploaded, removed
    sealed: tuple = None    # rows as sealed
    committed: bool = False


class Run(NamedTuple):
    status: str             # running unpublished success abandoned
    epoch: int
    low: int                # the position it started from
    bounds: tuple           # of its units, once fixed
    units: tuple
    manifest: tuple = None  # rows of its units, from the final transaction on
    cleared: bool = False


class World(NamedTuple):
    kind: str
    source: int             # rows 1..source exist
    position: int           # of an incremental export
    runs: tuple = ()
    objects: frozenset = frozenset()  # (name, value)


class Process(NamedTuple):
    run: int                # the one it means to finish
    steps: tuple            # (step, run, unit)
    at: int = 0
    lease: tuple = None     # (run, epoch) under which it writes
    lost: bool = False


def get(world, name):
    return dict(world.objects).get(name)


def put(world, name, value):
    left = frozenset(o for o in world.objects if o[0] != name)
    return world._replace(objects=left if value is None else left | {(name, value)})


def with_run(world, r, **change):
    runs = list(world.runs)
    runs[r] = runs[r]._replace(**change)
    return world._replace(runs=tuple(runs))


def with_unit(world, r, u, **change):
    units = list(world.runs[r].units)
    units[u] = units[u]._replace(**change)
    return with_run(world, r, units=tuple(units))


# ---- what a start decides ----

def resumable(world, r):
    run = world.runs[r]
    if world.kind != "single":
        return bool(run.bounds)
    u = run.units[0]
    here = u.recorded == "uploaded" and get(world, ("part", r, 0)) is not None
    return u.sealed is not None and run.low == world.position and (here or (u.recorded == "pending" and u.spool))


def read_and_deliver(kind, r, u, again):
    """again: a continued run, which may hold an earlier reading of the unit."""
    first = [("unseal", r, u)] if kind != "single" and again else []
    last = [("unit", r, u)] if kind != "single" else []
    return first + [(s, r, u) for s in ("spool", "intent", "put", "mark", "seal")] + last


def finish(r):
    return [(s, r, None) for s in ("final", "own", "manifest", "marker", "close")]


def upload_rest(world, r, u):
    return [("put", r, u), ("mark", r, u)] if world.runs[r].units[u].recorded == "pending" else []


def resume(world, r, left_out=None):
    """What is left of a continued run, seen once its lease is held."""
    steps, units = [], world.runs[r].units
    if world.kind == "single":
        return upload_rest(world, r, 0) + finish(r)
    whole = [u for u, x in enumerate(units) if x.sealed is not None and not x.committed and
             (x.recorded == "uploaded" and get(world, ("part", r, u)) is not None or x.recorded == "pending" and x.spool)]
    if world.kind == "ahead" and left_out != "order check" and 0 not in whole and not units[0].committed:
        whole = []  # its end may be another one by now, and then nobody may take the next one for its neighbour
        steps += [("unseal", r, u) for u, x in enumerate(units) if u and x.sealed is not None]
    for u in whole:
        steps += upload_rest(world, r, u) + [("unit", r, u)]
    for u, unit in enumerate(units):
        if u not in whole and not unit.committed:
            steps += read_and_deliver(world.kind, r, u, True)
    return steps + finish(r)


def clear(world):
    """Removes what closed runs without success left, seen once the lease is held."""
    steps = []
    for r, run in enumerate(world.runs):
        if run.status == "abandoned" and not run.cleared:
            for u, unit in enumerate(run.units):
                if unit.recorded in ("pending", "uploaded"):
                    steps += [("remove", r, u), ("forget", r, u)]
            steps.append(("cleared", r, None))
    return steps


LATER = {"resume": resume, "clear": lambda world, r, left_out: clear(world)}

# both units of a new run of a key range: what one upload thread, or two, may make of it; and the first one's upload
# fails for good, so that both are sealed and the run ends
AHEAD = ("spool0 intent0 spool1 intent1 put0 mark0 seal0 unit0 put1 mark1 seal1 unit1",
         "spool0 intent0 spool1 put0 intent1 put1 mark1 mark0 seal0 unit0 seal1 unit1",
         "spool0 intent0 put0 spool1 mark0 intent1 seal0 put1 unit0 mark1 seal1 unit1")
FAILED = "spool0 intent0 spool1 intent1 put1 mark1 seal0 seal1"


def starts(world):
    """Every program that one start may turn out to be."""
    process = start(world)
    if world.kind != "ahead" or process.steps[-1][0] == "resume":
        return [process]
    before = process.steps[:process.steps.index(("checkpoint", process.run, None)) + 1]
    after = tuple(finish(process.run))
    orders = [tuple((s[:-1], process.run, int(s[-1])) for s in o.split()) for o in AHEAD + (FAILED,)]
    return [process] + [process._replace(steps=before + o + (after if o is not orders[-1] else ())) for o in orders]


def start(world):
    """The program of one start of `run`. An adoption names the status that the decision rests on."""
    steps, r = [], len(world.runs)
    for i, run in enumerate(world.runs):
        if run.status == "unpublished":
            steps += [("adopt", i, run.status)] + [(s, i, None) for s in ("own", "manifest", "marker", "close")]
        elif run.status == "running" and resumable(world, i):
            return Process(i, (("adopt", i, run.status), ("resume", i, None)))
        elif run.status == "running":
            steps += [("adopt", i, run.status), ("abandon", i, None)]
    steps += [("lease", r, None), ("clear", r, None)]
    if world.kind != "single":
        steps.append(("checkpoint", r, None))
    for u in range(UNITS[world.kind]):
        steps += read_and_deliver(world.kind, r, u, False)
    return Process(r, tuple(steps + finish(r)))


def whole_program(world):
    """Every step of an undisturbed start, in order."""
    process, steps = start(world), []
    while process:
        process = decided(world, process)
        steps.append(process.steps[process.at])
        world, process = advance(world, process, None)
    return steps


# ---- the effect of a step ----

def effect(world, step, r, u):
    run = world.runs[r] if r < len(world.runs) else None
    unit = run.units[u] if run and isinstance(u, int) else None
    if step == "lease":
        if any(x.status in ("running", "unpublished") for x in world.runs):
            return None  # somebody was quicker
        empty = tuple(Unit() for _ in range(UNITS[world.kind]))
        bounds = ((world.position, world.source),) if world.kind == "single" else ()
        return world._replace(runs=world.runs + (Run("running", 1, world.position, bounds, empty),))
    if run is None:
        return world
    if step == "adopt" and run.status != u:
        return None  # it woke meanwhile: what was decided may be wrong
    if step == "adopt":  # files in the spool that no record names go
        kept = tuple(x if x.recorded else x._replace(spool=None) for x in run.units)
        return with_run(world, r, epoch=run.epoch + 1, units=kept)
    if step == "abandon":
        return with_run(world, r, status="abandoned")
    if step == "remove":
        return put(with_unit(world, r, u, spool=None), ("part", r, u), None)
    if step == "forget":
        return with_unit(world, r, u, recorded="removed")
    if step == "cleared":
        return with_run(world, r, cleared=True, units=tuple(x._replace(spool=None) for x in run.units))
    if step == "checkpoint":
        half = world.source // 2
        return with_run(world, r, bounds=((0, half), (half, world.source)))
    if step == "unseal":
        return with_unit(world, r, u, sealed=None)
    if step == "spool":
        if world.kind == "ahead":  # bounds are what is found
            half = (world.source + 1) // 2
            rows = (0, half, world.source) if u == 0 else (run.units[0].rows[1], world.source, world.source)
        else:
            rows = (run.bounds[u] if run.bounds else (0, world.source)) + (world.source,)
        return with_unit(world, r, u, rows=rows, spool=rows)
    if step == "intent":
        return with_unit(world, r, u, recorded="pending")
    if step == "put":
        name, rows = ("part", r, u), unit.spool if unit.spool else "half a file"
        return world if get(world, name) == rows else put(world, name, rows)
    if step == "mark":
        return with_unit(world, r, u, recorded="uploaded", spool=None) if unit.recorded else world
    if step == "seal":
        return with_unit(world, r, u, sealed=unit.rows)
    if step == "unit":
        return with_unit(world, r, u, committed=unit.sealed is not None and unit.recorded == "uploaded")
    if step == "final":
        if world.kind != "single" and not all(x.committed for x in run.units):
            return None  # a run is complete only when no unit is unfinished
        listed = tuple((i, x.sealed) for i, x in enumerate(run.units) if x.sealed and x.recorded == "uploaded")
        moved = run.bounds[0][1] if world.kind == "single" and run.bounds else world.position
        return with_run(world, r, manifest=listed, status="unpublished")._replace(position=moved)
    if step == "own":
        return put(world, ("own", r), run.manifest or ())
    if step in ("manifest", "marker"):
        name = "manifest.json" if step == "manifest" else "_SUCCESS"
        held = get(world, name)
        return world if held is not None and held > r else put(world, name, r)
    if step == "close":
        return with_run(world, r, status="success")
    raise AssertionError(step)


def holds(world, lease):
    run = world.runs[lease[0]] if lease else None
    return run and run.epoch == lease[1] and run.status in ("running", "unpublished")


def leased(world, process, step, r):
    """What a lease taken or adopted changes for its process: a new run gets its number only now."""
    if step == "lease":
        n = len(world.runs) - 1
        steps = tuple((s, n if x == r else x, u) for s, x, u in process.steps)
        return process._replace(run=n, steps=steps, lease=(n, world.runs[n].epoch))
    return process._replace(lease=(r, world.runs[r].epoch))


def decided(world, process, left_out=None):
    """With the steps that could be known only now."""
    step, r, _ = process.steps[process.at]
    if step not in LATER:
        return process
    more = tuple(LATER[step](world, r, left_out))
    return process._replace(steps=process.steps[:process.at] + more + process.steps[process.at + 1:])


def advance(world, process, left_out):
    """One step of a process; (world, process), process None when it is over."""
    process = decided(world, process, left_out)
    step, r, u = process.steps[process.at]
    rest = process._replace(at=process.at + 1)
    if step != left_out:
        guarded = step in STATE_WRITES or step in ("put", "own", "manifest", "marker", "remove")
        if guarded and left_out != "epoch check" and not holds(world, process.lease):
            return world, process._replace(lost=True)
        changed = effect(world, step, r, u)
        if changed is None:
            return world, process._replace(lost=True)
        world = changed
        if step in ("lease", "adopt"):
            rest = leased(world, rest, step, r)
    return world, rest if rest.at < len(rest.steps) else None
