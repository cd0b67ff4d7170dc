"""One place a workload runs in: source, state, destination and rights; what it holds afterwards."""
import contextlib
import datetime
import glob
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time

import cloud
import lib
import my
import pg

NOBODY = 65534
SCHEMA = lib.SIMPLE.replace("note TEXT)", "note TEXT, day DATE)")
STEM = re.compile(r"^(.*?)_\d{8}_\d{6}(_\d{3})?(.*)$")


def paths(manifests, status=None):
    """The parts that manifests list, as paths."""
    return [os.path.join(m["folder"], p["path"]) for m in manifests for p in m["parts"]
            if status in (None, p["status"])]


class Sqlite:
    """A source: a SQLite file."""

    def __init__(self, place):
        self.conn = sqlite3.connect(place.path("src.db"), check_same_thread=False)
        self.conn.executescript(SCHEMA)
        self.block = {"type": "sqlite", "path": place.path("src.db"), "tuning": {"throttle_ms": 0}}

    def fill(self, first, last):
        self.conn.executemany("INSERT INTO t VALUES (?,?,?,?,?)", [
            (i, f"name {i}", i // 3, None if i % 7 == 0 else f"note ü {i}", f"2024-0{1 + i // 4000 % 9}-01")
            for i in range(first, last + 1)])
        self.conn.commit()

    def rows(self):
        return [{**r, "day": datetime.date.fromisoformat(r["day"])} for r in lib.table(self.conn, "SELECT * FROM t")]


class Server:
    """The same on a server; `engine` is the module pg or my."""

    def __init__(self, engine, kind, db):
        self.engine, self.db = engine, db
        engine.simple(db, 0, gap=False)
        self.block = {"type": kind, "url": db.url(), "tuning": {"throttle_ms": 0}}

    def fill(self, first, last):
        self.engine.add(self.db, first, last)

    def rows(self):
        return self.db.rows("SELECT * FROM t")


def source_of(work, stack, place):
    if work.source == "sqlite":
        return Sqlite(place)
    if work.source == "postgres":
        return Server(pg, "postgres", stack.enter_context(pg.database()))
    return Server(my, "mysql", stack.enter_context(my.database(work.source)))


class Site:
    """Runs commands of one workload, disturbed and undisturbed."""

    def __init__(self, work, stack, binary):
        self.work, self.binary = work, binary
        self.place = self.new_place(stack)
        self.env, self.noted = {}, set()
        if work.state == "postgres":
            self.env["RIVET_STATE_URL"] = stack.enter_context(pg.database()).url()
        self.source = source_of(work, stack, self.place)
        self.twin = self.new_place(stack)
        self.corner = self.corner_of(stack) if work.store else None
        for p in (self.place, self.twin):
            p.write("rivet.yaml", json.dumps({"source": self.source.block, **work.top, "exports": [
                {"format": "parquet", **x, "destination": self.destination(x, p)} for x in work.exports]}))
        if work.kept and not self.corner:
            self.take_the_right()

    def corner_of(self, stack):
        """Of a store; who may not delete there has one of its own, since rights of a double are everybody's."""
        corner = cloud.Corner(self.place, self.work.store, stack if self.work.kept else None)
        if self.work.kept:
            stack.enter_context(corner.may("put", "get", "list"))
        corner.spool()
        self.env.update(corner.env)
        return corner

    def destination(self, export, place):
        """Of an export in one of the two places: what nobody disturbs always writes to a directory."""
        given = export.get("destination", {})
        if self.corner and place is self.place:
            return self.corner.block(**{**given, "prefix": self.corner.prefix + given.get("prefix", "")})
        return given if "path" in given else {"type": "local", "path": os.path.join("./out", given.get("prefix", ""))}

    def look(self):
        """What lies in a store, as the files that the readers here look at."""
        if self.corner:
            self.corner.fetch()

    @staticmethod
    def new_place(stack):
        place = lib.Place()
        stack.callback(place.close)
        return place

    # ---- without the right to delete: the directory is sticky and what was published is another's ----

    def take_the_right(self):
        if os.getuid() != 0 or not shutil.which("setpriv"):
            raise lib.Skip("needs root and setpriv to run without the right to delete")
        os.chown(self.place.dir, NOBODY, NOBODY)
        os.mkdir(self.place.path("out"))
        os.chmod(self.place.path("out"), 0o1777)

    def give_away(self):
        """Not a part that is still one file with its hidden name: scratch files stay the runner's own."""
        for f in self.place.files() if self.work.kept and not self.corner else ():
            path = self.place.path("out", f)
            if not f.startswith(".rivet-tmp-") and os.stat(path).st_nlink == 1:
                os.chown(path, 0, 0)

    # ---- running ----

    def start(self, args, binary=None, env=None):
        full = {k: v for k, v in os.environ.items() if not k.startswith(("RIVET_", "RUST_LOG"))}
        full.update({"LC_ALL": "C.UTF-8", **self.env, **(env or {})})
        prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if self.work.kept and not self.corner else []
        with open(self.place.path("said"), "wb") as said:
            return subprocess.Popen([*prefix, binary or self.binary, *args], cwd=self.place.dir, env=full,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
                                    start_new_session=True)

    def ended(self, p, timeout=120):
        """Waits for the process and for those it started."""
        code = p.wait(timeout)
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            try:
                os.killpg(p.pid, 0)
            except ProcessLookupError:
                break
            time.sleep(0.01)
        else:
            raise AssertionError("its children go on for ever")
        self.give_away()
        return code

    def kill_after(self, args, seconds, whole_group):
        """True when it was still at work."""
        p = self.start(args)
        time.sleep(seconds)
        at_work = p.poll() is None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGKILL) if whole_group else p.kill()
        self.ended(p)
        self.note_uploads()
        return at_work

    def kill_at(self, args, binary, point, nth, trace):
        """True when it passed there; otherwise it ended, however it did."""
        p = self.start(args, binary, {"RIVET_KILL_AT": f"{point}:{nth}", "RIVET_TRACE_POINTS": trace})
        killed = self.ended(p) == -signal.SIGKILL
        self.note_uploads()
        return killed

    def note_uploads(self):
        """Uploads that the state knows at a kill. GCS lists none, and one whose name was still on the way is
        nobody's: it holds no bytes and goes by itself."""
        if self.work.store == "gcs" and os.path.exists(self.place.path(".rivet_state.db")):
            with contextlib.closing(self.place.state()) as db, contextlib.suppress(sqlite3.OperationalError):
                self.noted |= {i for i, in db.execute("SELECT upload_id FROM file_log WHERE upload_id IS NOT NULL")}

    def run(self, args, binary=None, env=None):
        started = time.monotonic()
        code = self.ended(self.start(args, binary, env))
        self.took_s = time.monotonic() - started
        with open(self.place.path("said"), encoding="utf-8", errors="replace") as f:
            return lib.Result(code, "", f.read())

    def undisturbed(self, args, binary=None, env=None, before=None):
        """The same from the same position beside this one; returns its parts and how long it took. A repair
        knows where the run it repairs is, so none is made beside a store."""
        if self.corner and self.work.repair:
            return None, self.took_s
        shutil.rmtree(self.twin.path("out"), ignore_errors=True)
        for f in os.listdir(self.twin.dir):
            if f.startswith(".rivet_state.db"):
                os.remove(self.twin.path(f))
        if self.work.repair:
            shutil.copytree(self.place.path("out"), self.twin.path("out"))
        self.copy_state()
        for x in self.work.exports if self.corner else ():  # its stored progress is that of a store
            self.twin.rivet("state", "accept", "-c", "rivet.yaml", "-e", x["name"], "--yes", binary=self.binary)
        if before:
            self.twin.rivet(*before, binary=self.binary, code=0)
        started = time.monotonic()
        self.twin.rivet(*args, binary=binary or self.binary, env=env, code=0)
        took_s = time.monotonic() - started
        return self.parts(self.twin), self.took_s if self.corner else took_s

    def copy_state(self):
        copy = self.twin.path(".rivet_state.db")
        if self.work.state == "postgres":
            self.place.rivet("state", "copy", "-c", "rivet.yaml", "--to", "sqlite:" + copy, binary=self.binary, env=self.env,
                             code=0)
        elif os.path.exists(self.place.path(".rivet_state.db")):
            with contextlib.closing(self.place.state()) as a, contextlib.closing(sqlite3.connect(copy)) as b:
                a.backup(b)

    # ---- what is there ----

    def manifests(self, place=None):
        """All manifests, each with the folder it lies in."""
        found = []
        for path in glob.glob((place or self.place).path("out", "**", "manifest-*.json"), recursive=True):
            with open(path, encoding="utf-8") as f:
                m = json.load(f)
            found.append({**m, "folder": os.path.dirname(path), "export": m["export_name"].split("__")[0]})
        return sorted(found, key=lambda m: m["started_at"])

    def files(self):
        """Parts and hidden files that lie there, with their folders."""
        found = {os.path.join(folder, n) for folder, _, names in os.walk(self.place.path("out")) for n in names
                 if "_quarantine" not in folder}
        hidden = {f for f in found if os.path.basename(f).startswith(".rivet-tmp-")}
        return {f for f in found - hidden if STEM.match(os.path.basename(f)) and not os.path.basename(f).startswith("manifest")}, hidden

    def current(self, place=None, all_of_incremental=True):
        """The manifests a reader takes: the newest success of each data set, all of an incremental one."""
        place = place or self.place
        incremental = {x["name"] for x in self.work.exports if x.get("mode") == "incremental"}
        out = {}
        for m in self.manifests(place):
            family = m["run_id"].rsplit("_", 1)[0]
            if m["status"] != "success":
                continue
            if m["export"] in incremental:
                if all_of_incremental:
                    out.setdefault(family, []).append(m)
                elif m["row_count"]:
                    out[family] = [m]
            else:
                out[family] = [m]
        return out

    def parts(self, place=None):
        """Name without the time, and the hash, of each part of the last success of each data set."""
        seen = {}
        for family, manifests in self.current(place, all_of_incremental=False).items():
            for path in paths(manifests[:1], "committed"):
                name = re.sub(r"_repair\d+", "_repair", STEM.match(os.path.basename(path))[3])
                assert (family, name) not in seen, f"{name} twice in {family}"
                with open(path, "rb") as f:
                    seen[family, name] = hashlib.sha256(f.read()).hexdigest()
        return seen

    def rows_are_the_source(self):
        """For a manifest reader; returns the manifests it takes."""
        self.look()
        want = self.source.rows()
        current = [m for ms in self.current().values() for m in ms]
        for x in self.work.exports:
            mine = paths([m for m in current if m["export"] == x["name"]], "committed")
            lib.same_rows([r for f in mine for r in lib.read_part(f)], want)
        return current

    def verify(self, undisturbed):
        """A manifest reader sees the source, so does a globbing one where Rivet may delete, and every
        part is, byte for byte, the one of a run that nobody disturbed."""
        current = self.rows_are_the_source()
        good = [m for m in self.manifests() if m["status"] == "success"]
        must = set(paths(current if self.work.repair else good, "committed"))
        may = set(paths(self.manifests())) if self.work.kept or self.work.repair else must
        lying, hidden = self.files()
        assert must <= lying <= may, f"stray {sorted(lying - may)[:3]} lost {sorted(must - lying)[:3]}"
        assert not hidden, f"temp files stayed: {sorted(hidden)[:3]}"
        if self.corner:
            assert not os.listdir(self.corner.spool()), "finished parts stayed in the spool"
            open_ones = self.corner.unfinished(self.noted)
            assert not open_ones, f"uploads stay open: {open_ones[:3]}"
        if undisturbed is None:
            return
        got = self.parts()
        differing = sorted(k for k in set(got) | set(undisturbed) if got.get(k) != undisturbed.get(k))
        assert not differing, f"not as in an undisturbed run: {differing[:4]}"

    # ---- damage for the repair ----

    def damage(self, rnd):
        """One part is gone, another cut off."""
        self.look()
        gone, cut = rnd.sample(sorted(paths([ms[0] for ms in self.current().values()], "committed")), 2)
        if self.corner:
            gone, cut = (os.path.relpath(f, self.place.path("out")) for f in (gone, cut))
            self.corner.put(cut, self.corner.get(cut)[:100], like=cut)
            return self.corner.remove(gone)
        os.truncate(cut, 100)
        return os.remove(gone)
