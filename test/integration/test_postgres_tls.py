"""Every TLS mode against every kind of certificate, client certificates, RIVET_REQUIRE_TLS."""
import contextlib
import os
import re

import pg
import sql_tls
from sql_tls import own_address

ALL = ["local all all trust", "host all all 127.0.0.1/32 trust", "host all all ::1/128 trust"]


@contextlib.contextmanager
def servers():
    with contextlib.ExitStack() as stack:
        certs = pg.tls.Certificates(pg.host.folder("certificates"))
        os.chmod(certs.dir, 0o755)
        server = pg.own(stack, 15, conf={"log_connections": "on"}, hba=ALL)
        yield server, certs


def present(server, certs, name, client_ca=None):
    """Restarts the server with another certificate, or none."""
    conf = certs.give(server, name, client_ca) if name else {"ssl": "off"}
    server.set(**{"ssl": "off", "ssl_ca_file": "''", **conf})
    server.restart()


def attempt(place, server, source, tls_block, env=None, name="x"):
    """One doctor run: 'tls', 'plain' or 'no', and its result."""
    pg.config(place, source, [{"name": name, "table": "t"}], tls_block=tls_block)
    before = server.log_size()
    r = place.rivet("doctor", "-c", "rivet.yaml", env=env)
    seen = server.log(before)
    if r.code != 0:
        return "no", r
    return ("tls" if "SSL enabled" in seen else "plain"), r


def test_modes_and_certificates(place):
    with servers() as (server, certs), pg.database(server) as db:
        db.sql("CREATE TABLE t (id integer PRIMARY KEY)")
        name = db.name
        db.conn.close()
        sql_tls.matrix(certs, lambda c: present(server, certs, c), lambda block: attempt(place, server, server.url(name), block))


def test_block_url_and_flags(place):
    with servers() as (server, certs), pg.database(server) as db:
        db.sql("CREATE TABLE t (id integer PRIMARY KEY)")
        name, wrong = db.name, []
        db.conn.close()
        url, ca = server.url, certs.crt("ca")
        present(server, certs, "server")
        cases = [(url(name), None, "tls"), (url(name, sslmode="disable"), None, "plain"), (url(name, sslmode="verify-full", sslrootcert=ca), None, "tls"),
                 (url(name, sslmode="verify-full", sslrootcert=certs.crt("stranger")), None, "no"), (url(name, sslmode="disable"), {"ca_file": ca}, "tls"),
                 (url(name, sslmode="disable"), {"mode": "require"}, "tls"), (url(name, sslmode="require"), {"mode": "disable"}, "plain"), (url(name), {}, "no"),
                 (url(name), {"accept_invalid_certs": True}, "tls"), (f"host=localhost port={server.port} user=postgres dbname={name} sslmode=require", None, "tls")]
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
        assert not wrong, "\n".join(map(str, wrong))


def test_certificate_failures_are_not_retried(place):
    with servers() as (server, certs), pg.database(server) as db:
        name = db.name
        db.conn.close()
        present(server, certs, "expired")
        pg.config(place, server.url(name), [{"name": "x", "table": "t"}], tls_block={"ca_file": certs.crt("ca")}, tuning={"max_retries": 5, "retry_backoff_ms": 5000})
        r = place.rivet("run", "-c", "rivet.yaml", "--json-errors", code=1, timeout=20)
        pg.logged(r, r'"code":"RIVET_SOURCE_TLS"')


def test_client_certificates(place):
    with servers() as (server, certs), pg.database(server) as db:
        db.sql("CREATE ROLE certuser LOGIN", "CREATE TABLE t (id integer PRIMARY KEY)", "GRANT SELECT ON t TO certuser")
        name = db.name
        db.conn.close()
        present(server, certs, "server", client_ca="ca")
        server.write_hba(["local all all trust", "hostssl all certuser 127.0.0.1/32 cert", "host all postgres 127.0.0.1/32 trust"])
        server.reload()
        block = {"ca_file": certs.crt("ca"), "cert_file": certs.crt("client"), "key_file": certs.key("client")}
        os.chmod(certs.key("client"), 0o600)
        got, r = attempt(place, server, server.url(name, user="certuser"), block)
        assert got == "tls", r
        place.rivet("run", "-c", "rivet.yaml", code=0)
        got, r = attempt(place, server, server.url(name, user="certuser"), {"ca_file": certs.crt("ca")})
        assert got == "no" and r.code == 1, r
        got, r = attempt(place, server, server.url(name, user="certuser"), {**block, "cert_file": certs.crt("selfsigned"), "key_file": certs.key("selfsigned")})
        assert got == "no", r
        got, r = attempt(place, server, server.url(name, user="certuser"), {**block, "key_file": certs.key("server")})
        assert got == "no" and r.code == 1, r
        pg.config(place, server.url(name), [{"name": "x", "table": "t"}], tls_block={"cert_file": certs.crt("client")})
        r = place.rivet("check", "-c", "rivet.yaml", code=1)
        pg.logged(r, r"tls\.cert_file and tls\.key_file go together")


def test_a_server_that_wants_tls(place):
    with servers() as (server, certs), pg.database(server) as db:
        name = db.name
        db.conn.close()
        present(server, certs, "server")
        server.write_hba(["local all all trust", "hostssl all all 127.0.0.1/32 trust"])
        server.reload()
        assert attempt(place, server, server.url(name), {"mode": "disable"})[0] == "no"
        assert attempt(place, server, server.url(name), {"mode": "prefer"})[0] == "tls"
        assert attempt(place, server, server.url(name), None)[0] == "tls"


def test_damaged_ca_file(place):
    with servers() as (server, certs), pg.database(server) as db:
        name = db.name
        db.conn.close()
        present(server, certs, "server")
        for path in (place.path("missing.pem"), place.write("garbage.pem", "no certificate\n")):
            got, r = attempt(place, server, server.url(name), {"ca_file": path})
            assert got == "no" and r.code == 1 and os.path.basename(path) in r.out + r.err, r


def test_require_tls(place):
    """Remote plaintext warns once and is refused under RIVET_REQUIRE_TLS=1; loopback never is."""
    address, secret = own_address(), os.urandom(12).hex()
    with servers() as (server, certs), pg.database(server) as db:
        db.sql("CREATE TABLE t (id integer PRIMARY KEY)", f"ALTER ROLE postgres PASSWORD '{secret}'")
        name = db.name
        db.conn.close()
        server.write_hba(["local all all trust", f"host all all {address}/32 scram-sha-256", "host all all 127.0.0.1/32 trust"])
        start_listening(server, address)
        remote = server.url(name, password=secret, host=address)
        strict = {"RIVET_REQUIRE_TLS": "1"}
        got, r = attempt(place, server, server.url(name), None, strict)
        assert got == "plain" and not re.search(r"(?i)\[WARN\].*(plaintext|tls)", r.err), r
        got, r = attempt(place, server, {"url_env": "PGU"}, None, {"PGU": remote})
        assert got == "plain" and len(re.findall(r"(?i)\[WARN\].*(?:plain|tls|unencrypted)", r.err)) == 1, r
        for block in (None, {"mode": "prefer"}):
            got, r = attempt(place, server, {"url_env": "PGU"}, block, {"PGU": remote, **strict})
            assert got == "no" and r.code == 1 and re.search(r"RIVET_REQUIRE_TLS", r.out + r.err), r
        got, r = attempt(place, server, {"url_env": "PGU"}, {"mode": "disable"}, {"PGU": remote})
        assert got == "plain" and not re.search(r"(?i)\[WARN\].*(plaintext|unencrypted)", r.err), r
        present_on(server, certs, address)
        got, r = attempt(place, server, {"url_env": "PGU"}, None, {"PGU": remote, **strict})
        assert got == "tls", r


def start_listening(server, address):
    """The server on loopback and on one more address."""
    write = server._write_conf

    def with_address():
        write()
        with open(os.path.join(server.data, "postgresql.conf"), "a", encoding="utf-8") as f:
            f.write(f"listen_addresses = '127.0.0.1,{address}'\n")
    server._write_conf = with_address
    server.restart()


def present_on(server, certs, address):
    certs.signed("remote", address, f"subjectAltName=IP:{address}")
    present(server, certs, "remote")
