"""Every way to name a MySQL or MariaDB source, its authentication plugins and TLS, and that no secret of
it shows up anywhere."""
import contextlib
import os
import re
import time
import urllib.parse

import my
import sql_connect
import sql_tls
from sql_connect import PASSWORD, QUOTED, no_secret
from sqlkit import code_of


def guarded(on, **kw):
    """A server whose user `reader` needs a password."""
    @contextlib.contextmanager
    def opened():
        with contextlib.ExitStack() as stack:
            server = my.own(stack, on, **kw)
            db = stack.enter_context(my.database(server))
            db.sql("CREATE TABLE t (id integer PRIMARY KEY, v varchar(20))", f"INSERT INTO t SELECT i, CONCAT('v', i) FROM {db.series(1, 50)}",
                   f"CREATE USER reader@'%' IDENTIFIED BY '{PASSWORD}'", f"GRANT SELECT ON {db.name}.t TO reader@'%'")
            yield db
    return opened


def forms(place, db):
    """name -> (source mapping, environment)."""
    host, port, socket = "127.0.0.1", db.server.port, urllib.parse.quote(db.server.socket, safe="")
    url = f"mysql://reader:{QUOTED}@{host}:{port}/{db.name}"
    structured = {"host": host, "port": port, "user": "reader", "database": db.name}
    raw = f"mysql://reader:pl@nt%3Aed%2FS3cret%2521%23%3F%C3%A9@{host}:{port}/{db.name}"
    return {**sql_connect.common_forms(place, db, url, structured, raw), "mariadb_scheme": ({"url": url.replace("mysql:", "mariadb:")}, {}),
            "socket_url": ({"url": f"mysql://reader:{QUOTED}@localhost/{db.name}?socket={socket}"}, {}), "options": ({"url": url + "?connect-timeout=5&Charset=latin1"}, {}),
            "underscores": ({"url_env": "SRC"}, {"SRC": url + "?CONNECT_TIMEOUT=5&ssl_mode=prefer"})}


@my.both
def test_every_form(place, on):
    sql_connect.every_form(place, my, guarded(on), forms, ("url", "raw_at", "structured", "mariadb_scheme", "socket_url", "options"))


@my.on_mysql
def test_wrong_passwords_tell_nothing(place, on):
    sql_connect.wrong_passwords_tell_nothing(place, my, guarded(on), forms, lambda db: db.sql("ALTER USER reader@'%' IDENTIFIED BY 'another'"))


@my.on_mariadb
def test_commands_that_print_configuration(place, on):
    sql_connect.commands_that_print_configuration(place, my, guarded(on), forms)


@my.on_mariadb
def test_password_commands_that_fail(place, on):
    sql_connect.password_commands_that_fail(place, my, guarded(on))


def test_unset_variables(place):
    sql_connect.unset_variables(place, my)


@my.on_mariadb
def test_parameters_that_are_not_the_clients(place, on):
    with guarded(on)() as db:
        my.config(place, db.url(**{"nonsense": "1", "charset": "latin1", "connect-timeout": "5", "local-infile": "1"}), [{"name": "x", "query": "SELECT id, 'ü' AS u FROM t"}])
        r = place.rivet("run", "-c", "rivet.yaml", code=0)
        my.logged(r, r"\[WARN\].*nonsense")
        assert {x["u"] for x in place.dataset("x")} == {"ü"}


@my.both
def test_sources_that_cannot_be_reached(place, on):
    srv = my.server(on)
    cases = [(f"mysql://root@127.0.0.1:{my.host.port()}/x", 2), ("mysql://root@no-such-host.invalid:3306/x", 2), ("mysql://root@localhost/x?socket=/nonexistent/s", 2), (srv.url("no_such_database"), 1),
             (srv.url("mysql", user="nobody_of_this_name"), 1), ("postgresql://root@127.0.0.1:5/x", 1)]
    for url, code in cases:
        my.config(place, url, [{"name": "x", "table": "t"}], tuning={"max_retries": 1, "retry_backoff_ms": 50})
        r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", timeout=60)
        assert r.code == code, f"{url}: {r}"
        assert my.unmoved(place)


def plugins_of(db):
    """Authentication plugins that this server can have, as CREATE USER spells them."""
    wanted = [("mysql_native_password", "WITH mysql_native_password BY '{}'"), ("caching_sha2_password", "WITH caching_sha2_password BY '{}'"), ("sha256_password", "WITH sha256_password BY '{}'"),
              ("ed25519", "VIA ed25519 USING PASSWORD('{}')")]
    if db.family == "mariadb":
        with contextlib.suppress(my.pymysql.Error):
            db.sql("INSTALL SONAME 'auth_ed25519'")
        wanted[0] = ("mysql_native_password", "VIA mysql_native_password USING PASSWORD('{}')")
    there = {r["PLUGIN_NAME"] for r in db.rows("SELECT PLUGIN_NAME FROM information_schema.PLUGINS WHERE PLUGIN_STATUS = 'ACTIVE'")}
    return [(n, how) for n, how in wanted if n in there]


def each_plugin(place, on):
    """Right and wrong passwords by each plugin, over TLS and without, again after the server's cache is warm."""
    certs = my.tls.Certificates(my.host.folder("certificates"))
    options = my.mysqld.tls(certs.lay("server", my.host.folder("given")))
    with guarded(on, options=options)() as db:
        wrong, found = [], plugins_of(db)
        for plugin, how in found:
            for mode in ("require", "disable"):
                db.sql("DROP USER IF EXISTS p@'%'", f"CREATE USER p@'%' IDENTIFIED {how.format(PASSWORD)}", f"GRANT SELECT ON {db.name}.t TO p@'%'")
                for password, env, code in ((PASSWORD, "first", 0), (PASSWORD, "cached", 0), ("wr0ng-secret", "wrong", 1), ("", "empty", 1)):
                    my.config(place, {"url_env": "SRC"}, [{"name": "x", "table": "t"}], tls_block={"mode": mode}, tuning={"max_retries": 2, "retry_backoff_ms": 5000})
                    started = time.monotonic()
                    r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", env={"SRC": db.url(user="p", password=password), "RIVET_LOG": "trace"})
                    if r.code != code or code and code_of(r) != "RIVET_SOURCE_AUTH" or time.monotonic() - started > 4 or "wr0ng" in r.err:
                        wrong.append((plugin, mode, env, r.code, r.err[-400:]))
                    no_secret(place, r)
        assert not wrong, "\n".join(map(str, wrong))
        return {n for n, _ in found}


@my.both
def test_authentication_plugins(place, on):
    found = each_plugin(place, on)
    assert found >= ({"mysql_native_password", "ed25519"} if on == "mariadb" else {"caching_sha2_password"}), found


@my.extended
def test_authentication_plugins_of(place, on):
    each_plugin(place, on)


test_authentication_plugins_of.long = True


@my.both
def test_accounts_that_cannot_log_in(place, on):
    """Locked, expired, without a right on the database, a plugin that nobody has: exit 1 and the reason, at once."""
    with guarded(on)() as db:
        db.sql(f"CREATE USER locked@'%' IDENTIFIED BY 'x' ACCOUNT LOCK", "CREATE USER expired@'%' IDENTIFIED BY 'x' PASSWORD EXPIRE", "CREATE USER stranger@'%' IDENTIFIED BY 'x'",
               f"GRANT SELECT ON {db.name}.* TO locked@'%'", f"GRANT SELECT ON {db.name}.* TO expired@'%'")
        for name in ("locked", "expired", "stranger", "unknown"):
            my.config(place, {"url_env": "SRC"}, [{"name": "x", "table": "t"}], tuning={"max_retries": 3, "retry_backoff_ms": 5000})
            started = time.monotonic()
            r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", env={"SRC": db.url(user=name, password="x")})
            assert r.code == 1 and code_of(r) in ("RIVET_SOURCE_AUTH", "RIVET_SOURCE_PERMISSION") and time.monotonic() - started < 4, (name, r)


# ---- TLS ----

LOGGED = {"general-log": "ON", "log-output": "FILE"}


@contextlib.contextmanager
def servers(on, **kw):
    with contextlib.ExitStack() as stack:
        certs = my.tls.Certificates(my.host.folder("certificates"))
        os.chmod(certs.dir, 0o755)
        server = my.own(stack, on, **kw)
        with my.database(server) as db:
            db.sql("CREATE TABLE t (id integer PRIMARY KEY)", "INSERT INTO t VALUES (1)")
            name = db.name
            db.conn.close()
            yield server, certs, name
            db.conn = db.connect()


def present(server, certs, name, **more):
    """Restarts the server with another certificate, or none."""
    log = os.path.join(server.dir, "general")
    options = my.mysqld.tls(certs.lay(name, my.host.folder("given"))) if name else {"tls-version": ""} if server.family == "mysql" else {}
    server.restart(options={**LOGGED, "general-log-file": log, **options, **more})
    return log


def attempt(place, server, source, block, env=None, tuning=None):
    """One doctor run: 'tls', 'plain' or 'no', and its result."""
    my.config(place, source, [{"name": "x", "table": "t"}], tls_block=block, tuning=tuning)
    log = os.path.join(server.dir, "general")
    before = os.path.getsize(log)
    r = place.rivet("doctor", "-c", "rivet.yaml", env=env)
    if r.code != 0:
        return "no", r
    with open(log, encoding="utf-8", errors="replace") as f:
        f.seek(before)
        hows = set(re.findall(r"Connect\t\S+ .*using (\S+)", f.read()))
    assert len(hows) == 1, hows
    return ("tls" if "SSL" in hows.pop() else "plain"), r


@my.both
def test_modes_and_certificates(place, on):
    with servers(on) as (server, certs, name):
        sql_tls.matrix(certs, lambda c: present(server, certs, c), lambda block: attempt(place, server, server.url(name), block))


@my.both
def test_block_url_and_flags(place, on):
    with servers(on) as (server, certs, name):
        wrong, ca, url = [], certs.crt("ca"), server.url
        present(server, certs, "server")
        cases = [(url(name), None, "tls"), (url(name, sslmode="disable"), None, "plain"), (url(name, **{"ssl-mode": "verify-full", "ssl-ca": ca}), None, "tls"),
                 (url(name, **{"sslmode": "verify-full", "ssl-ca": certs.crt("stranger")}), None, "no"), (url(name, sslmode="disable"), {"ca_file": ca}, "tls"),
                 (url(name, sslmode="disable"), {"mode": "require"}, "tls"), (url(name, sslmode="require"), {"mode": "disable"}, "plain"), (url(name), {}, "no"),
                 (url(name), {"accept_invalid_certs": True}, "tls"), (url(name, **{"SSL_MODE": "require", "tls-version": "TLSv1.2"}), None, "tls"), (url(name, **{"ssl-mode": "REQUIRED"}), None, "tls"),
                 (url(name, **{"ssl-mode": "VERIFY_IDENTITY", "ssl-ca": certs.crt("stranger")}), None, "no")]
        for source, block, want in cases:
            got, r = attempt(place, server, source, block)
            if got != want or (block and block.get("accept_invalid_certs") and "[WARN]" not in r.err):
                wrong.append((source, block, got, "want " + want, r.out[-300:] + r.err[-300:]))
        present(server, certs, "othername")
        for block, want in (({"accept_invalid_hostnames": True, "ca_file": ca}, "tls"), ({"ca_file": ca}, "no"), ({"accept_invalid_hostnames": True}, "no")):
            got, r = attempt(place, server, url(name), block)
            if got != want:
                wrong.append((block, got, "want " + want, r.out[-300:] + r.err[-300:]))
        present(server, certs, "expired")
        got, r = attempt(place, server, url(name), {"accept_invalid_hostnames": True, "ca_file": ca})
        assert got == "no", "a danger flag for names let an expired certificate pass"
        my.config(place, server.url(name), [{"name": "x", "table": "t"}], tls_block={"ca_file": ca}, tuning={"max_retries": 5, "retry_backoff_ms": 5000})
        r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", code=1, timeout=20)
        assert code_of(r) == "RIVET_SOURCE_TLS", r
        for path in (place.path("missing.pem"), place.write("garbage.pem", "no certificate\n")):
            got, r = attempt(place, server, server.url(name), {"ca_file": path})
            assert got == "no" and r.code == 1 and os.path.basename(path) in r.out + r.err, r
        assert not wrong, "\n".join(map(str, wrong))


@my.both
def test_client_certificates(place, on):
    with servers(on, sql=["CREATE USER IF NOT EXISTS certuser@'%' REQUIRE X509", "GRANT SELECT ON *.* TO certuser@'%'", "CREATE USER IF NOT EXISTS tlsuser@'%' REQUIRE SSL",
                          "GRANT SELECT ON *.* TO tlsuser@'%'"]) as (server, certs, name):
        present(server, certs, "server")
        os.chmod(certs.key("client"), 0o600)
        block = {"ca_file": certs.crt("ca"), "cert_file": certs.crt("client"), "key_file": certs.key("client")}
        url = server.url(name, user="certuser")
        assert attempt(place, server, url, block)[0] == "tls"
        place.rivet("run", "-c", "rivet.yaml", code=0)
        for worse in ({"ca_file": certs.crt("ca")}, {**block, "key_file": certs.key("server")}, {**block, "cert_file": certs.crt("selfsigned"), "key_file": certs.key("selfsigned")}):
            got, r = attempt(place, server, url, worse)
            assert got == "no" and r.code == 1, (worse, r)
        for mode, want in (("disable", "no"), ("prefer", "tls"), ("require", "tls")):
            assert attempt(place, server, server.url(name, user="tlsuser"), {"mode": mode})[0] == want, mode


@my.both
def test_remote_plaintext(place, on):
    """Remote plaintext warns once and is refused under RIVET_REQUIRE_TLS=1; a password that needs the server's RSA key is not sent without TLS unless that is written."""
    address = sql_tls.own_address()
    with servers(on, sql=["CREATE USER IF NOT EXISTS far@'%' IDENTIFIED BY 'f4r-secret'", "GRANT SELECT ON *.* TO far@'%'"]) as (server, certs, name):
        present(server, certs, None, **{"bind-address": f"127.0.0.1,{address}"})
        remote, strict = server.url(name, host_name=address), {"RIVET_REQUIRE_TLS": "1"}
        got, r = attempt(place, server, server.url(name), None, strict)
        assert got == "plain" and not re.search(r"(?i)\[WARN\].*(plaintext|tls)", r.err), r
        got, r = attempt(place, server, remote, None)
        assert got == "plain" and len(re.findall(r"(?i)\[WARN\].*(?:plain|tls|unencrypted)", r.err)) == 1, r
        for block in (None, {"mode": "prefer"}):
            got, r = attempt(place, server, remote, block, strict)
            assert got == "no" and r.code == 1 and "RIVET_REQUIRE_TLS" in r.out + r.err, r
        got, r = attempt(place, server, remote, {"mode": "disable"})
        assert got == "plain" and not re.search(r"(?i)\[WARN\].*(plaintext|unencrypted)", r.err), r
        far = {"SRC": server.url(name, user="far", password="f4r-secret", host_name=address)}
        if on == "mysql":  # caching_sha2_password
            got, r = attempt(place, server, {"url_env": "SRC"}, None, far)
            assert got == "no" and r.code == 1 and re.search(r"(?i)tls", r.out + r.err) and "f4r" not in r.out + r.err, r
        got, r = attempt(place, server, {"url_env": "SRC"}, {"mode": "disable"}, far)
        assert got == "plain", r
        certs.signed("remote", address, f"subjectAltName=IP:{address}")
        present(server, certs, "remote", **{"bind-address": f"127.0.0.1,{address}"})
        got, r = attempt(place, server, {"url_env": "SRC"}, {"ca_file": certs.crt("ca")}, {**far, **strict})
        assert got == "tls", r
