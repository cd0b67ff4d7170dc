"""Google Cloud Storage's own: every form of credentials, tokens that end, sessions, nobody's credentials."""
import contextlib
import os

import gcs_auth
import gcs_double
from cloud import IN_PARTS, Corner, Gcs
from lib import SIMPLE, cases, fill, same_rows, table

CLI = ("-c", "rivet.yaml")
X = {"name": "x", "table": "t"}


@contextlib.contextmanager
def begin(place, rows=300, **kw):
    conn = place.db(SIMPLE)
    fill(conn, rows)
    with gcs_double.GcsDouble(**kw) as g:
        yield conn, Corner(place, "gcs", on=Gcs(g)), g


@cases("user", "external", "impersonated", "application_default", "well_known", "metadata")
def test_credentials(place, form):
    with begin(place) as (conn, c, g):
        made = {"user": g.authority.authorized_user, "external": g.authority.external_account,
                "impersonated": lambda: g.authority.external_account(True)}.get(form, lambda: g.credentials_file)()
        c.changes = {"credentials_file": made if form in ("user", "external", "impersonated") else None}
        c.env.update({"HOME": place.path("home"), "GCE_METADATA_HOST": g.metadata_host if form == "metadata" else "127.0.0.1:9"})
        if form == "application_default":
            c.env["GOOGLE_APPLICATION_CREDENTIALS"] = made
        elif form == "well_known":
            os.makedirs(place.path("home", ".config", "gcloud"))
            os.symlink(made, place.path("home", ".config", "gcloud", "application_default_credentials.json"))
        c.config(X)
        c.run("--validate")
        same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))
        r = c.rivet("doctor", *CLI, code=0)
        assert "All checks passed." in r.out and gcs_auth.CLIENT["refresh_token"] not in r.out + r.err, r


def test_tokens_that_end(place):
    """They are asked for again before their end and once when refused, also in the middle of an object."""
    with begin(place, 3000) as (conn, c, g):
        g.authority.token_life_s = 301  # ends, for us, in a second
        c.config({**X, "mode": "chunked", "chunk_column": "id", "chunk_size": 300}, dest=IN_PARTS)
        g.fault("start", 401, times=1)
        c.run("--validate")
        assert g.count("token") >= 2, g.count("token")
        same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))
        g.fault("insert", 401, times=2)
        c.config(X)
        r = c.run(code=1)
        assert "401" in r.err or "auth" in r.err.lower(), r


def test_nobodys_credentials(place):
    """allow_anonymous: no token is sent and the metadata server is not asked."""
    with begin(place, anonymous=True) as (conn, c, g):
        c.changes = {"credentials_file": None, "allow_anonymous": True}
        c.env["GCE_METADATA_HOST"] = g.metadata_host
        c.config(X)
        before = len(g.requests)
        c.run()
        mine = g.requests[before:]
        assert mine and not any(k == "token" or "Authorization" in h for k, _, h in mine), mine
        same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))


def test_sessions_in_trouble(place):
    """Chunks half kept, answers lost, a session that is gone: one object, the right bytes."""
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
    conn.executescript("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120) "
                       "INSERT INTO t SELECT i, randomblob(100000) FROM n;")
    with gcs_double.GcsDouble() as g:
        c = Corner(place, "gcs", on=Gcs(g))
        c.config(X, dest=IN_PARTS)
        for what in ("less", "lose", 503, 404):
            g.fault("chunk", what)
            r = c.run("--validate")
            assert not g.open_sessions() or what == 404, (what, r)
            same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))
        g.fault("get", "truncate")
        g.fault("list", 503)
        c.rivet("validate", *CLI, "--depth", "full", code=0)
