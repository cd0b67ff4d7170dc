"""In a sticky directory a hidden file of another user stays behind: one WARN that names it, and the run goes on."""
import os
import shutil
import subprocess

import lib

NOBODY = 65534


def as_nobody(place, *args, env=None):
    p = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", lib.FAULTY or lib.RIVET, *args],
                       cwd=place.dir, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)
    return p.returncode, p.stderr


def hidden(place):
    return [f for f in os.listdir(place.path("out")) if f.startswith(".rivet-tmp-")]


def test_a_file_of_another_user(place):
    if os.getuid() != 0 or not shutil.which("setpriv") or not lib.FAULTY:
        raise lib.Skip("needs root, setpriv and a test build")
    lib.fill(place.db(lib.SIMPLE), 2000)
    place.config([{"name": "x", "table": "t"}])
    for f in os.listdir(place.dir):
        os.chown(place.path(f), NOBODY, NOBODY)
    os.chmod(place.dir, 0o777)
    os.mkdir(place.path("out"))
    os.chmod(place.path("out"), 0o1777)
    for point in ("part-writing", "part-closed", "part-intent"):
        code, _ = as_nobody(place, "run", "-c", "rivet.yaml", env={"RIVET_KILL_AT": f"{point}:1"})
        assert code == -9, point
        [name] = [f for f in hidden(place) if os.stat(place.path("out", f)).st_uid == NOBODY]
        os.chown(place.path("out", name), 0, 0)
        code, said = as_nobody(place, "run", "-c", "rivet.yaml")
        assert code == 0, said
        assert said.count("stays behind") == 1 and name in said, said
        code, said = as_nobody(place, "run", "-c", "rivet.yaml")
        assert code == 0 and "stays behind" not in said, said
