"""What every test server shares: a scratch directory that goes away, an unprivileged identity,
ephemeral loopback ports, children that end with their parent, and a cache of downloads."""
import atexit
import contextlib
import fcntl
import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

NOBODY = 65534
PREFIX = "rivet-servers-"
_lock = threading.Lock()
_scratch = None


class Unavailable(Exception):
    """A server that cannot be had on this machine; the text names it and says why."""


def root():
    return os.geteuid() == 0


def scratch():
    """The directory of all servers of this process; swept at exit, and by the next one if not."""
    global _scratch
    with _lock:
        if _scratch is None:
            _sweep()
            _scratch = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
            os.chmod(_scratch, 0o711)
            atexit.register(shutil.rmtree, _scratch, True)
        return _scratch


def _sweep():
    for left in glob.glob(os.path.join(tempfile.gettempdir(), PREFIX + "*")):
        pid = os.path.basename(left)[len(PREFIX):].split("-")[0]
        if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            shutil.rmtree(left, ignore_errors=True)


def folder(name):
    """A new directory below the scratch one that the servers' identity owns."""
    path = tempfile.mkdtemp(prefix=f"{name}-", dir=scratch())
    own(path)
    return path


def own(path, mode=None):
    """Hands a file or directory to the identity that servers run as."""
    if mode is not None:
        os.chmod(path, mode)
    if root():
        os.chown(path, NOBODY, NOBODY)


def _identity(end_with_parent):
    """The start of a command line: never root, no inherited environment."""
    who = ["setpriv"]
    if root():
        who += ["--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
    if end_with_parent:
        who += ["--pdeathsig", end_with_parent]
    return [*(who if len(who) > 1 else []), "env", "-i", f"PATH={os.environ['PATH']}:/usr/sbin", "LC_ALL=C.UTF-8",
            f"HOME={scratch()}"]


def run(*args, timeout=120, text=""):
    """Runs a tool as the servers' identity with a text as its input and waits for it."""
    done = subprocess.run([*_identity(None), *args], input=text.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout, cwd=scratch(), check=False)
    out = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise RuntimeError(f"{args[0]} ended with {done.returncode}\n{out[-2000:]}")
    return out


class Child:
    """A server process. It gets `end` (a signal name) when the thread that started it ends."""

    def __init__(self, args, log, end="INT"):
        self.log, self.end = log, getattr(signal, "SIG" + end)
        with open(log, "ab") as out:
            self.process = subprocess.Popen([*_identity(end), *args], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            cwd=scratch(), start_new_session=True)

    def alive(self):
        return self.process.poll() is None

    def stop(self, how=None, wait_s=30):
        if self.alive():
            self.process.send_signal(how or self.end)
            try:
                self.process.wait(wait_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()[-3000:]


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def await_port(number, child, limit_s=30):
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", number), 1).close()
            return
        except OSError:
            if not child.alive():
                break
            time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {number}\n{child.tail()}")


def cache():
    """Where downloads stay between runs: the XDG cache, or /var/cache when the servers' identity
    cannot reach into the home directory (root's is closed)."""
    asked = os.environ.get("XDG_CACHE_HOME")
    home = asked or os.path.expanduser("~/.cache")
    if root() and not asked:
        home = "/var/cache"
    path = os.path.join(home, "rivet-test-servers")
    os.makedirs(path, exist_ok=True)
    return path


def cached(name, build):
    """The directory `name` of the cache. The first one to ask calls `build(directory)` in a place
    beside it; what it leaves appears whole or not at all, whoever else asks at the same time."""
    home = os.path.join(cache(), name)
    with _kept_out(home + ".lock"):
        if not os.path.isdir(home):
            work = f"{home}.{os.getpid()}"
            shutil.rmtree(work, ignore_errors=True)
            try:
                os.makedirs(work, 0o755)
                build(work)
                os.rename(work, home)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return home


@contextlib.contextmanager
def _kept_out(path):
    with open(path, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cached_go(name, module, program):
    """Path of a program that Go builds from a module, which takes minutes: only where the cache has
    it already, or in the extended run."""
    if not os.path.isdir(os.path.join(cache(), name)) and "RIVET_TEST_EXTENDED" not in os.environ:
        raise Unavailable(f"{program} is not built here; the extended run builds it")

    def build(into):
        fetch(program, tool("go", "golang"), "install", module, cwd=into, env={"GOBIN": into})
    return os.path.join(cached(name, build), program)


def fetch(what, *args, cwd, timeout=900, env=None):
    """Runs a command that downloads; Unavailable names what could not be had."""
    try:
        done = subprocess.run(args, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired) as why:
        raise Unavailable(f"{what} could not be had: {why}") from why
    if done.returncode:
        raise Unavailable(f"{what} could not be had: {done.stdout.decode('utf-8', 'replace').strip()[-400:]}")


def maven(artifact, into, what):
    """One artifact of the Maven repositories, copied into a directory."""
    fetch(what, tool("mvn", "maven"), "-q", "-B", "dependency:copy", f"-Dartifact={artifact}",
          f"-DoutputDirectory={into}", cwd=into)
    return glob.glob(os.path.join(into, artifact.split(":")[1] + "*"))[0]


def python():
    """A Python that the servers' identity can reach: not one below a closed home directory."""
    mine = os.path.realpath(sys.executable)
    return "/usr/bin/python3" if root() and mine.startswith("/root/") else mine


def tool(name, package):
    """Path of a command, or a named reason why it is not there."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    if not found:
        raise Unavailable(f"{name} is not installed (package {package})")
    return found
