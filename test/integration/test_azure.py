"""Azure's own: SAS tokens and their ends, connection strings, rights without replacing."""
import datetime
import json
import re
import urllib.parse

import lib
from cloud import Corner, check_marker
from lib import SIMPLE, fill, same_rows, table

CLI = ("-c", "rivet.yaml")
X = {"name": "x", "table": "t"}


def begin(place, rows=300):
    conn = place.db(SIMPLE)
    fill(conn, rows)
    return conn, Corner(place, "azure")


def with_sas(c, token):
    c.env["T_SAS"] = token
    c.changes = {"account_key_env": None, "sas_token_env": "T_SAS"}
    c.config(X)


def test_an_expired_sas(place):
    """The text, its end as it stands there, and not one request."""
    _, c = begin(place)
    token = c.store.sas(life_s=-90)
    until = urllib.parse.parse_qs(token)["se"][0]
    with c.behind() as m:
        for form in (token, "?" + token):
            with_sas(c, form)
            r = c.run(code=1)
            assert f"Azure SAS token expired at {until}; issue a new one" in r.err, r
            r = c.rivet("doctor", *CLI, code=1)
            assert f"[FAIL] Destination Azure({c.store.bucket}): sas expired" in r.out, r
        assert m.seen == [], m.seen


def test_a_sas_about_to_expire(place):
    """Less than an hour: one WARN; more, or no end of its own: none."""
    conn, c = begin(place)
    with_sas(c, c.store.sas(life_s=3000))
    r = c.run()
    assert len([line for line in r.err.splitlines() if "[WARN]" in line and "SAS" in line]) == 1, r
    same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))
    with_sas(c, "?" + c.store.sas(life_s=4000))
    r = c.run()
    assert "SAS" not in r.err, r
    from azure.storage.blob import AccessPolicy, ContainerSasPermissions  # pylint: disable=import-outside-toplevel
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=30)
    c.store.sdk.set_container_access_policy({"writers": AccessPolicy(ContainerSasPermissions.from_string("rcwdl"), until)})
    token = c.store.blob.generate_container_sas(c.store.server.account, c.store.bucket, c.store.server.key, policy_id="writers")
    assert "se=" not in token
    with_sas(c, token)
    r = c.run()
    assert "[WARN]" not in r.err, r
    assert len([m for m in place.manifests("x")]) == 1
    assert len([n for n in c.names() if n.startswith("manifest-x_")]) == 3


def test_a_connection_string(place):
    conn, c = begin(place)
    server = c.store.server
    for secret in (f"AccountKey={server.key}", f"SharedAccessSignature={c.store.sas()}"):
        c.env["T_CONN"] = f"AccountName={server.account};{secret};BlobEndpoint={c.store.endpoint}"
        c.changes = {"account_key_env": None, "account_name": None, "endpoint": None, "connection_string_env": "T_CONN"}
        c.config(X)
        c.run("--validate")
        same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))
    r = c.rivet("doctor", *CLI, code=0)
    assert "T_CONN" in r.out, r


def test_create_without_write(place):
    """`c` alone: the first publication's shared names stay, with one WARN; each run has its own manifest."""
    conn, c = begin(place)
    with_sas(c, c.store.sas("crl"))
    c.run()
    first = c.get("manifest.json")
    fill(conn, 10, start=8000)
    r = c.run()
    assert len([line for line in r.err.splitlines() if "[WARN]" in line and "manifest.json" in line]) == 1, r
    assert c.get("manifest.json") == first
    newest = c.manifest("x")
    assert newest["row_count"] == 310 and newest["status"] == "success"
    check_marker(c, json.loads(first)["run_id"])
    same_rows([r for p in newest["parts"] for r in lib.read_part(place.path("out", p["path"]))], table(conn, "SELECT * FROM t"))


def test_anonymous(place):
    """No credentials are sent; Azurite refuses, and the text says which."""
    _, c = begin(place)
    with c.behind() as m:
        c.changes = {"account_key_env": None, "allow_anonymous": True}
        c.config(X)
        r = c.run(code=1)
        assert not any("Authorization" in h for h in m.heads) and not any("sig=" in p for _, p in m.seen), (m.heads, r)


def test_a_wrong_clock(place):
    """Refused for its date once, the answer's own date is used from then on."""
    _, c = begin(place)
    with c.behind() as m:
        c.config(X)
        ahead = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=2)
        m.answer(403, "PUT", times=1, Date=ahead.strftime("%a, %d %b %Y %H:%M:%S GMT"), x_ms_error_code="AuthenticationFailed",
                 body="<?xml version='1.0'?><Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request."
                      "</Message><AuthenticationErrorDetail>The date in the request is not within 15 minutes.</AuthenticationErrorDetail></Error>")
        r = c.run()
        dates = [h["x-ms-date"] for (v, _), h in zip(m.seen, m.heads) if v == "PUT"]
        assert len(dates) > 2 and re.search("clock|time", r.err), (dates, r)
