"""What the integration suites share: a scratch directory, the binary, databases, dataset readers."""
import contextlib
import glob
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile

import pyarrow.parquet as pq

RIVET = FAULTY = None  # set by run.py


class Skip(Exception):
    """A test that cannot run here; the reason is printed."""


def cases(*names, long=()):
    """A test that runs once for each name and gets it as its second argument; `long`: those of the
    extended run."""
    def mark(test):
        test.cases, test.long_cases = names, long
        return test
    return mark


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Place:
    """A scratch directory with a source database and a configuration."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="rivet-it-")
        os.chmod(self.dir, 0o755)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def db(self, script="", name="src.db"):
        c = sqlite3.connect(self.path(name))
        c.executescript(script)
        c.commit()
        return c

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def config(self, exports, tuning="throttle_ms: 0", name="rivet.yaml", source="src.db", extra=""):
        """exports: list of dicts; a plain YAML (JSON is YAML) file."""
        doc = {"source": {"type": "sqlite", "path": source}, "exports": []}
        for x in exports:
            x = dict(x)
            x.setdefault("format", "parquet")
            x.setdefault("destination", {"type": "local", "path": "./out"})
            doc["exports"].append(x)
        if tuning:
            doc["source"]["tuning"] = dict([p.strip() for p in t.split(":")] for t in tuning.split(","))
            for k, v in doc["source"]["tuning"].items():
                with contextlib.suppress(ValueError):
                    doc["source"]["tuning"][k] = int(v)
        return self.write(name, json.dumps(doc, indent=1) + extra)

    def start(self, *args, binary=None, env=None, **popen):
        full = {k: v for k, v in os.environ.items() if not k.startswith(("RIVET_", "RUST_LOG"))}
        full.update({"LC_ALL": "C.UTF-8", **(env or {})})
        return subprocess.Popen([binary or RIVET, *args], cwd=self.dir, env=full, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen)

    def rivet(self, *args, code=None, timeout=300, **kw):
        p = self.start(*args, **kw)
        out, err = p.communicate(timeout=timeout)
        r = Result(p.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
        if code is not None:
            assert r.code == code, f"rivet {' '.join(args)}: wanted exit {code}, got {r}"
        return r

    def killed(self, point, *args, env=None):
        """Runs the test build until it kills itself at the point."""
        r = self.rivet(*args, binary=FAULTY, env={"RIVET_KILL_AT": point, **(env or {})})
        assert r.code == -signal.SIGKILL, f"not killed at {point}: {r}"

    def state(self):
        return sqlite3.connect(self.path(".rivet_state.db"), timeout=10)

    def manifests(self, export, out="out"):
        found = []
        for f in glob.glob(self.path(out, "manifest-*.json")):
            m = json.load(open(f, encoding="utf-8"))
            if m["export_name"] == export:
                found.append(m)
        return sorted(found, key=lambda m: m["started_at"])

    def dataset(self, export, out="out", incremental=False):
        """Rows a manifest reader sees: newest success manifest, all of them for incremental."""
        good = [m for m in self.manifests(export, out) if m["status"] == "success"]
        rows = []
        for m in (good if incremental else good[-1:]):
            for part in m["parts"]:
                if part["status"] == "committed":
                    rows += read_part(self.path(out, part["path"]))
        return rows

    def glob_rows(self, export, out="out"):
        rows = []
        for f in sorted(glob.glob(self.path(out, f"{export}_*.parquet"))):
            rows += read_part(f)
        return rows

    def files(self, out="out"):
        return sorted(os.listdir(self.path(out))) if os.path.isdir(self.path(out)) else []

    def hidden(self, out="out"):
        return [f for f in self.files(out) if f.startswith(".rivet-tmp-")]

    def close(self):
        subprocess.run(["chmod", "-R", "u+rwX", self.dir], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def read_part(path):
    return pq.ParquetFile(path, page_checksum_verification=True).read().to_pylist()


def same_rows(got, want, key="id"):
    """Exactly the same rows, whatever their order."""
    def canon(rows):
        return sorted(json.dumps(r, default=str, sort_keys=True) for r in rows)
    g, w = canon(got), canon(want)
    if g != w:
        ids = [r.get(key) for r in got]
        lost = {r.get(key) for r in want} - set(ids)
        doubled = len(ids) - len(set(ids))
        raise AssertionError(f"{len(got)} rows, want {len(want)}; lost {sorted(lost)[:5]}, {doubled} doubled")


def table(conn, sql):
    cur = conn.execute(sql)
    names = [d[0] for d in cur.description]
    return [dict(zip(names, row)) for row in cur]


def fill(conn, n, start=1, table_name="t"):
    conn.executemany(f"INSERT INTO {table_name} VALUES (?,?,?,?)",
                     [(i, f"name {i}", i // 3, None if i % 7 == 0 else f"note ü {i}") for i in range(start, start + n)])
    conn.commit()


SIMPLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, grp INTEGER NOT NULL, note TEXT);" \
         "CREATE INDEX t_grp ON t(grp);"
