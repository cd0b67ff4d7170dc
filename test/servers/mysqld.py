"""What MariaDB and MySQL servers for tests have in common. Every server listens on a loopback port
and has the superuser root@'%' with an empty password."""
import os
import shutil
import signal
import subprocess
import threading
import urllib.parse

import host

OPTIONS = {"bind-address": "127.0.0.1", "skip-name-resolve": None, "innodb-flush-log-at-trx-commit": "2",
           "innodb-doublewrite": "OFF", "innodb-buffer-pool-size": "128M", "max-connections": "200",
           "performance-schema": "ON", "character-set-server": "utf8mb4", "default-time-zone": "+03:00",
           "local-infile": "ON"}
INSTRUMENTS = {"performance-schema-consumer-events-statements-history-long": "ON",
               "performance-schema-events-statements-history-long-size": "20000"}
BINLOG = {"log-bin": "bin", "server-id": "1", "binlog-format": "ROW", "binlog-row-metadata": "FULL", "sync-binlog": "0",
          "log-bin-trust-function-creators": "ON"}
GTID = {"gtid-mode": "ON", "enforce-gtid-consistency": "ON"}
ROOT = ["CREATE USER IF NOT EXISTS root@'%'", "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION"]
_lock = threading.Lock()
_template = {}


class Build:
    """Programs of one version: `command` starts a server, `create(data, options)` makes its files."""

    def __init__(self, name, command, create):
        self.name, self.command, self.create = name, command, create


class Server:
    """One server. `options` are those of its command line, None for one without a value; `at_birth`
    also those that hold from the creation of the files on; `sql` runs at every start; `binlog`: changes
    are logged row by row, in MySQL with GTIDs."""
    family = None

    def __init__(self, build, options=None, at_birth=None, sql=(), binlog=False):
        self.build, self.at_birth, self.sql = build, at_birth or {}, [*ROOT, *sql]
        self.options = {**OPTIONS, **INSTRUMENTS, **self.at_birth, **(options or {})}
        if binlog:
            self.options.update({**BINLOG, **(GTID if self.family == "mysql" else {})})
        elif self.family == "mysql":
            self.options["skip-log-bin"] = None
        self.made_with = self.options
        self.child = self.port = None

    def __enter__(self):
        self.dir = host.folder(self.family)
        self.data, self.logfile = os.path.join(self.dir, "data"), os.path.join(self.dir, "log")
        self.socket = os.path.join(self.dir, "s")
        self._fresh_data()
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.child:
            self.child.stop(signal.SIGKILL)
        shutil.rmtree(self.dir, ignore_errors=True)

    def _fresh_data(self):
        """The files are created once per build and options, a copy of them afterwards."""
        key = (self.build.name, tuple(sorted(self.at_birth.items())))
        with _lock:
            if key not in _template:
                path = os.path.join(host.folder(f"{self.family}-template"), "data")
                self.build.create(path, _arguments(self.at_birth))
                _template[key] = path
        subprocess.run(["cp", "-a", "--sparse=always", _template[key], self.data], check=True)
        for own in ("auto.cnf",):  # a server's identity is its own
            if os.path.exists(os.path.join(self.data, own)):
                os.remove(os.path.join(self.data, own))

    def start(self):
        for attempt in range(4):
            self.port = self.port or host.port()
            first = os.path.join(self.dir, "first.sql")
            with open(first, "w", encoding="utf-8") as f:
                f.write("".join(s + ";\n" for s in self.sql))
            host.own(first, 0o600)
            self.child = host.Child([*self.build.command, f"--datadir={self.data}", f"--port={self.port}",
                                     f"--socket={self.socket}", f"--pid-file={os.path.join(self.dir, 'pid')}",
                                     f"--init-file={first}", *_arguments(self.options)], self.logfile, end="TERM")
            try:
                host.await_port(self.port, self.child, 60)
                return
            except RuntimeError as why:
                self.child.stop(signal.SIGKILL)
                if attempt == 3 or "in use" not in str(why):
                    raise
            self.port = None

    def stop(self, how=signal.SIGTERM):
        """SIGTERM: in order; SIGKILL: as a crash."""
        self.child.stop(how)

    def restart(self, how=signal.SIGTERM, options=None):
        """`options`: beside those it was made with, until the next restart that names others."""
        self.stop(how)
        if options is not None:
            self.options = {**self.made_with, **options}
        self.start()

    def url(self, db="", user="root", password=None, host_name="127.0.0.1", port=None, **params):
        who = user + (":" + urllib.parse.quote(password, safe="") if password else "")
        tail = "?" + urllib.parse.urlencode(params) if params else ""
        return f"mysql://{who}@{host_name}:{port or self.port}/{db}{tail}"

    def log(self):
        with open(self.logfile, encoding="utf-8", errors="replace") as f:
            return f.read()


def _arguments(options):
    return [f"--{k}" if v is None else f"--{k}={v}" for k, v in options.items()]


def tls(paths):
    """Options of a server with a certificate, its key and its authority (tls.Certificates.lay)."""
    return {"ssl-cert": paths[0], "ssl-key": paths[1], "ssl-ca": paths[2]}
