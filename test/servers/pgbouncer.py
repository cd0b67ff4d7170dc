"""pgbouncer in front of a PostgreSQL server, in one of its three modes."""
import os
import shutil

import host


class PgBouncer:
    def __init__(self, server, mode="transaction", pool_size=4, settings=None):
        self.server, self.mode, self.pool_size, self.settings = server, mode, pool_size, settings or {}

    def __enter__(self):
        program = host.tool("pgbouncer", "pgbouncer")
        self.dir = host.folder(f"pgbouncer-{self.mode}")
        self.port = host.port()
        users = self._file("users", '"postgres" ""\n"reader" "reader"\n')
        lines = ["[databases]", f"* = host=127.0.0.1 port={self.server.port}", "[pgbouncer]",
                 "listen_addr = 127.0.0.1", f"listen_port = {self.port}", "unix_socket_dir =", "auth_type = trust",
                 f"auth_file = {users}", f"pool_mode = {self.mode}", f"default_pool_size = {self.pool_size}",
                 "max_client_conn = 200", "admin_users = postgres", "server_round_robin = 1",
                 f"pidfile = {os.path.join(self.dir, 'pid')}"]
        ini = self._file("ini", "\n".join(lines + [f"{k} = {v}" for k, v in self.settings.items()]) + "\n")
        self.logfile = os.path.join(self.dir, "log")
        self.child = host.Child([program, ini], self.logfile, end="TERM")
        try:
            host.await_port(self.port, self.child)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        host.own(path, 0o600)
        return path

    def __exit__(self, *_):
        self.child.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def url(self, db="postgres", user="postgres", **params):
        return self.server.url(db, user, port=self.port, **params)

    def log(self):
        with open(self.logfile, encoding="utf-8", errors="replace") as f:
            return f.read()
