"""Names that need encoding, keys that services are told of, certificates, and checks that a store cannot meet."""
import contextlib
import http.server
import json
import threading
import time

import azurite
import cloud
import host
import moto
import tls
from cloud import Corner, check_manifest, check_marker
from lib import SIMPLE, Skip, cases, fill, same_rows, table

CLOUDS = cases(*cloud.KINDS)
CLI = ("-c", "rivet.yaml")
X = {"name": "x", "table": "t"}
K = {**X, "mode": "chunked", "chunk_column": "id", "chunk_size": 100, "chunk_checkpoint": True}


def begin(place, kind, rows=300, **kw):
    conn = place.db(SIMPLE)
    fill(conn, rows)
    return conn, Corner(place, kind, **kw)


@CLOUDS
def test_names_that_need_encoding(place, kind):
    """Written, listed, read, resumed, repaired under a prefix of every awkward character."""
    conn, c = begin(place, kind)
    c.prefix += "a b/ü+é=1&2;~'()!*@$,:-._%41 %/"
    c.config(K)
    c.killed("unit-committed:2")
    c.run("--validate")
    m = c.manifest("x")
    check_manifest(c, m)
    check_marker(c, m["run_id"])
    same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))
    hurt = m["parts"][0]["path"]
    c.put(hurt, b"hurt", like=hurt)
    c.rivet("validate", *CLI, code=3)
    c.rivet("repair", *CLI, "-e", "x", "--execute", code=0)
    assert [n for n in c.names() if n.startswith("_quarantine/") and n.endswith(hurt)], c.names()
    c.rivet("validate", *CLI, "--depth", "full", code=0)
    c.rivet("doctor", *CLI, code=0)


@CLOUDS
def test_yesterdays_prefix(place, kind):
    """validate looks where it is told: a date, a prefix."""
    conn, c = begin(place, kind, 20)
    c.config(X, dest={"prefix": c.prefix + "{date}"})
    c.run()
    day = time.strftime("%Y-%m-%d", time.gmtime())
    for n in c.names():
        c.put(n.replace(day, "2020-02-02"), c.get(n), like=n)
        c.remove(n)
    assert c.rivet("validate", *CLI, "--date", "2020-02-02", code=0).out.count("PASSED") == 1
    assert c.rivet("validate", *CLI, "--prefix", c.prefix + "2020-02-02/", code=0).out.count("PASSED") == 1
    r = c.rivet("validate", *CLI, code=0)
    assert "LEGACY" in r.out, r


@CLOUDS
def test_checks_that_need_the_content(place, kind):
    """verify: content counts what a listing cannot show as unmet; reading all of it meets it."""
    _, c = begin(place, kind)
    c.config({**X, "verify": "content"}, dest=cloud.IN_PARTS)
    c.run()
    r = c.rivet("validate", *CLI, "--json", code=3 if kind == "s3" else 0)
    seen = [f["kind"] for f in json.loads(r.out)["exports"][0]["verification"]["failures"]]
    assert seen == (["content_verification_unmet"] if kind == "s3" else []), r
    c.rivet("validate", *CLI, "--depth", "full", code=0)


@cases("s3", "azure")
def test_certificates(place, kind):
    """A certificate nobody vouches for ends it; the environment names an authority; there is no way around."""
    conn = place.db(SIMPLE)
    fill(conn, 10)
    with contextlib.ExitStack() as stack:
        try:
            folder = host.folder("certificates")
            paths = tls.Certificates(place.dir).lay("server", folder)
            server = stack.enter_context({"s3": moto.Moto, "azure": azurite.Azurite}[kind](certificate=paths))
        except host.Unavailable as why:
            raise Skip(str(why)) from why
        if kind == "s3":
            block = {"type": "s3", "bucket": server.bucket, "region": server.region, "access_key_env": "K", "secret_key_env": "V"}
            env = {"K": server.access_key, "V": server.secret_key}
        else:
            block = {"type": "azure", "container": server.container, "account_name": server.account, "account_key_env": "K"}
            env = {"K": server.key}
        place.config([{**X, "destination": {**block, "endpoint": server.endpoint}}])
        r = place.rivet("doctor", *CLI, env=env, code=1)
        assert ": tls error" in r.out, r
        r = place.rivet("run", *CLI, env=env, code=1)
        assert "certificate" in r.err.lower(), r
        for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE")[:2 if kind == "s3" else 1]:
            place.rivet("run", *CLI, "--validate", env={**env, name: paths[2]}, code=0)
            place.rivet("doctor", *CLI, env={**env, name: paths[2]}, code=0)


def test_keys_and_classes_of_gcs(place):
    _, c = begin(place, "gcs")
    key = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
    for more in ({}, cloud.IN_PARTS):
        c.config(X, dest={"kms_key_name": key, "storage_class": "NEARLINE", **more})
        c.run()
    for n in c.names():
        blob = c.store.sdk.get_blob(c.prefix + n)
        assert blob.storage_class == "NEARLINE" and blob.kms_key_name == key, (n, blob.storage_class, blob.kms_key_name)


def test_tiers_of_azure(place):
    _, c = begin(place, "azure")
    for more in ({}, cloud.IN_PARTS):
        c.config(X, dest={"storage_class": "Cool", **more})
        c.run()
    parts = [n for n in c.names() if n.startswith("x_")]
    assert len(parts) == 2
    for n in parts:
        assert c.store.sdk.get_blob_client(c.prefix + n).get_blob_properties().blob_tier == "Cool", n


def test_kms_on_s3(place):
    """The ETag is no MD5 then: it goes by the size and the checksum that the store returns."""
    conn, c = begin(place, "s3")
    for more in ({}, cloud.IN_PARTS):
        c.config(X, dest={"sse": "kms", "kms_key_id": "alias/lake", "sse_bucket_key": True, **more})
        c.run("--validate")
        said = c.store.sdk.head_object(Bucket=c.store.bucket, Key=c.prefix + c.manifest("x")["parts"][0]["path"])
        assert said["ServerSideEncryption"] == "aws:kms" and said["SSEKMSKeyId"] == "alias/lake", said
    same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))


class Container(http.server.BaseHTTPRequestHandler):
    """The agent of a container; `keys` and `token` are set in the class of each server."""
    keys = token = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        good = self.headers.get("Authorization") == self.token
        data = json.dumps(self.keys if good else {"message": "no"}).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def test_keys_of_a_container(place):
    """Asked for with its token, again before they end; never shown."""
    conn, c = begin(place, "s3")
    asked = []
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    keys = {**dict(zip(("AccessKeyId", "SecretAccessKey", "Token"), c.store.temporary())), "Expiration": until}

    class Mine(Container):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()
    Mine.keys, Mine.token = keys, "agent-token-planted"
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        c.env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{server.server_address[1]}/keys", "HOME": place.dir,
                 "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": place.write("token", "agent-token-planted"), "AWS_EC2_METADATA_DISABLED": "true"}
        c.changes = {"access_key_env": None, "secret_key_env": None}
        c.config(X)
        r = c.rivet("run", *CLI, env={"RIVET_LOG": "trace"}, code=0)
        assert asked and "agent-token-planted" not in r.err and keys["SecretAccessKey"] not in r.err and keys["Token"] not in r.err, r
        same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))
        place.write("token", "another")
        r = c.run(code=1)
        assert "another" not in r.err, r
    finally:
        server.shutdown()
        server.server_close()
