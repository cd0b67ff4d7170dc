"""Keys of each store, where they may stand, every command at trace level: no occurrence in any output, file or
row that Rivet wrote."""
import os

import cloud
from cloud import Corner
from lib import SIMPLE, cases, fill
from test_trust_secrets import Ear

K = {"name": "k", "table": "t", "mode": "chunked", "chunk_column": "id", "chunk_size": 200, "chunk_checkpoint": True}
X = {"name": "x", "table": "t"}


@cases(*cloud.KINDS)
def test_everywhere(place, kind):
    fill(place.db(SIMPLE), 500)
    c = Corner(place, kind)
    spool = c.spool()
    ear = Ear(place, c.env)
    c.config(K)
    if kind == "s3":
        ear.every_command("k")
    for command in (("run",), ("validate", "--depth", "full"), ("reconcile", "-e", "k"), ("repair", "-e", "k", "--execute"),
                    ("plan", "-e", "k", "-o", "plan.json", "--format", "json"), ("apply", "plan.json")):
        ear.run(*command, *(("-c", "rivet.yaml") if command[0] != "apply" else ()), codes={0})
    with c.behind() as m:
        c.config({**X, "destination": c.block(**cloud.IN_PARTS)})
        m.answer(500, "PUT|POST", "x_|upload", times=1)
        m.answer(403, "PUT|POST", "x_|upload", times=1, body="<Error><Code>AccessDenied</Code></Error>")
        ear.run("run", "-c", "rivet.yaml", codes={0, 1, 2})
        ear.run("run", "-c", "rivet.yaml", codes={0})
        ear.run("doctor", "-c", "rivet.yaml", codes={0})
    ear.nothing(c.store.secrets)
    assert os.listdir(spool) == []


@cases("sas", "connection", "session")
def test_other_forms(place, form):
    """A SAS, a connection string, a session token: whole and in pieces, right and refused."""
    fill(place.db(SIMPLE), 100)
    c = Corner(place, "s3" if form == "session" else "azure")
    if form == "sas":
        token = c.store.sas()
        c.env["T_SAS"], needles = token, {token, token.split("sig=")[1].split("&")[0]}
        c.changes = {"account_key_env": None, "sas_token_env": "T_SAS"}
    elif form == "connection":
        key = c.store.server.key
        c.env["T_CONN"] = f"DefaultEndpointsProtocol=http;AccountName={c.store.server.account};AccountKey={key};" \
                          f"BlobEndpoint={c.store.endpoint};"
        needles = {key, c.env["T_CONN"]}
        c.changes = {"account_key_env": None, "account_name": None, "connection_string_env": "T_CONN"}
    else:
        c.env["T_S3_KEY"], c.env["T_S3_SECRET"], c.env["T_SESSION"] = c.store.temporary()
        needles = {c.env["T_SESSION"], c.env["T_S3_SECRET"]}
        c.changes = {"session_token_env": "T_SESSION"}
    ear = Ear(place, c.env)
    c.config(X)
    for command in (("doctor",), ("run",), ("validate", "--depth", "full"), ("plan", "-e", "x", "-o", "p.json", "--format", "json")):
        ear.run(*command, "-c", "rivet.yaml", codes={0})
    with c.behind() as m:
        c.config(X)
        if form == "connection":
            c.env["T_CONN"] = c.env["T_CONN"].replace(c.store.endpoint, m.endpoint)
            needles.add(c.env["T_CONN"])
        for status in (403, 500):
            m.answer(status, "PUT|POST", times=1, body="<?xml version='1.0'?><Error><Code>AuthenticationFailed</Code><Message>"
                     f"{c.env.get('T_SAS', 'x')}</Message></Error>")
            ear.run("run", "-c", "rivet.yaml", env=c.env)
            ear.run("doctor", "-c", "rivet.yaml", env=c.env)
    ear.nothing(needles)
