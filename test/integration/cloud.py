"""Object stores for the integration tests: a corner of a bucket for each test, rights of its own where it
wants them, a proxy that answers in the store's place, and objects as each cloud's own SDK sees them."""
import atexit
import base64
import contextlib
import datetime
import hashlib
import http.client
import http.server
import itertools
import json
import os
import re
import shutil
import socket
import struct
import sys
import threading
import types
import urllib.parse

import xxhash

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import azurite  # noqa: E402
import gcs_double  # noqa: E402
import host  # noqa: E402
import moto  # noqa: E402
from lib import Skip  # noqa: E402

KINDS = ("s3", "gcs", "azure")
IN_PARTS = {"upload_threshold_mb": 0, "upload_part_mb": 5, "upload_parallel": 3}
RIGHTS = ("put", "get", "list", "delete")
for _name in [n for n in os.environ if n.startswith(("AWS_", "AZURE_", "GOOGLE_", "CLOUDSDK_", "GCE_")) or n == "SSL_CERT_FILE"]:
    del os.environ[_name]  # nobody's own account has a say here
_lock = threading.RLock()
_stack = contextlib.ExitStack()
_shared = {}
_count = itertools.count(1)
atexit.register(_stack.close)


class S3:
    label = "S3"
    actions = {"put": ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListBucketMultipartUploads"], "get": ["s3:GetObject"],
               "list": ["s3:ListBucket"], "delete": ["s3:DeleteObject"]}

    def __init__(self, server):
        self.server, self.bucket, self.endpoint = server, server.bucket, server.endpoint
        with _lock:
            self.sdk = server.client()
        self.env = {"T_S3_KEY": server.access_key, "T_S3_SECRET": server.secret_key}
        self.secrets = {server.secret_key}

    @classmethod
    def given(cls):
        facts = json.loads(os.environ["RIVET_TEST_S3"])
        server = moto.Moto(facts["bucket"])
        server.endpoint, server.access_key, server.secret_key = facts["endpoint"], facts["access_key"], facts["secret_key"]
        return cls(server)

    start = moto.Moto

    def block(self):
        return {"type": "s3", "bucket": self.bucket, "region": self.server.region, "access_key_env": "T_S3_KEY",
                "secret_key_env": "T_S3_SECRET"}

    @contextlib.contextmanager
    def may(self, *rights):
        """Variables and keys of one who has these rights only."""
        with _lock:
            key, secret = self.server.user(f"u{os.getpid()}-{next(_count)}", [
                {"Effect": "Allow", "Action": [a for r in rights for a in self.actions[r]], "Resource": "*"}])
        yield {"T_S3_KEY": key, "T_S3_SECRET": secret}, {}

    def temporary(self):
        """Key, secret and session token of a role that may do all."""
        def policy(**more):
            return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", **more}]})
        name = f"r{os.getpid()}-{next(_count)}"
        with _lock:
            iam, sts = self.server.client("iam"), self.server.client("sts")
            made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(Principal={"AWS": "*"}))
            iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy())
            keys = sts.assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="test")["Credentials"]
        return keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]

    def names(self, prefix):
        pages = self.sdk.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [o["Key"] for p in pages for o in p.get("Contents", [])]

    def get(self, name):
        return self.sdk.get_object(Bucket=self.bucket, Key=name)["Body"].read()

    def put(self, name, data, like=None):
        more = {"Metadata": self.sdk.head_object(Bucket=self.bucket, Key=like)["Metadata"]} if like else {}
        self.sdk.put_object(Bucket=self.bucket, Key=name, Body=data, **more)

    def remove(self, name):
        self.sdk.delete_object(Bucket=self.bucket, Key=name)

    def facts(self, name):
        h = self.sdk.head_object(Bucket=self.bucket, Key=name)
        etag = h["ETag"].strip('"')
        return types.SimpleNamespace(size=h["ContentLength"], content_type=h["ContentType"], owner=h["Metadata"].get("rivet-owner"),
                                     md5=etag if "-" not in etag else None, etag=etag, changed=h["LastModified"])

    def unfinished(self, prefix, _):
        """Names of multipart uploads that nobody ended."""
        found = self.sdk.list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])
        return [u["Key"] for u in found if u["Key"].startswith(prefix)]


class Gcs:
    label = "GCS"
    names_of = {"put": "create", "get": "get", "list": "list", "delete": "delete"}

    def __init__(self, server):
        from google.cloud import storage  # pylint: disable=import-outside-toplevel
        from google.oauth2 import service_account  # pylint: disable=import-outside-toplevel
        self.server, self.bucket, self.endpoint = server, server.bucket, server.endpoint
        who = service_account.Credentials.from_service_account_file(server.credentials_file)
        self.sdk = storage.Client(project="rivet-test", credentials=who, client_options={"api_endpoint": server.endpoint}).bucket(server.bucket)
        self.env = {}
        with open(server.credentials_file, encoding="utf-8") as f:
            key = json.load(f)["private_key"]
        self.secrets = {key.splitlines()[3], key.splitlines()[7]}

    start = gcs_double.GcsDouble

    def block(self):
        return {"type": "gcs", "bucket": self.bucket, "credentials_file": self.server.credentials_file}

    @contextlib.contextmanager
    def may(self, *rights):
        self.server.deny = {self.names_of[r] for r in RIGHTS if r not in rights}
        try:
            yield {}, {}
        finally:
            self.server.deny = set()

    def names(self, prefix):
        return [b.name for b in self.sdk.list_blobs(prefix=prefix)]

    def get(self, name):
        return self.sdk.blob(name).download_as_bytes()

    def put(self, name, data, like=None):
        blob = self.sdk.blob(name)
        if like:
            blob.metadata = self.sdk.get_blob(like).metadata
        blob.upload_from_string(data, content_type="application/octet-stream")

    def remove(self, name):
        self.sdk.delete_blob(name)

    def facts(self, name):
        b = self.sdk.get_blob(name)
        return types.SimpleNamespace(size=b.size, content_type=b.content_type, owner=(b.metadata or {}).get("rivet-owner"),
                                     md5=base64.b64decode(b.md5_hash).hex(), changed=b.generation)

    def unfinished(self, prefix, noted):
        """Sessions that nobody ended; of the noted ones only, if some are given."""
        return [s["name"] for s in self.server.open_sessions()
                if s["name"].startswith(prefix) and (noted is None or any(s["id"] in n for n in noted))]


class Azure:
    label = "Azure"
    letters = {"put": "cw", "get": "r", "list": "l", "delete": "d"}

    def __init__(self, server):
        from azure.storage import blob  # pylint: disable=import-outside-toplevel
        self.server, self.bucket, self.endpoint, self.blob = server, server.container, server.endpoint, blob
        self.sdk = blob.ContainerClient(server.endpoint, server.container, {"account_name": server.account, "account_key": server.key})
        self.env = {"T_AZ_KEY": server.key}
        self.secrets = {server.key}

    @classmethod
    def given(cls):
        facts = json.loads(os.environ["RIVET_TEST_AZURE"])
        server = azurite.Azurite(facts["container"])
        server.endpoint, server.account, server.key = facts["endpoint"], facts["account"], facts["key"]
        return cls(server)

    start = azurite.Azurite

    def block(self):
        return {"type": "azure", "container": self.bucket, "account_name": self.server.account, "account_key_env": "T_AZ_KEY"}

    def sas(self, letters="rcwdl", life_s=7200, **more):
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=life_s)
        return self.blob.generate_container_sas(self.server.account, self.bucket, self.server.key, permission=letters, expiry=until, **more)

    @contextlib.contextmanager
    def may(self, *rights):
        yield {"T_AZ_SAS": self.sas("".join(self.letters[r] for r in rights))}, {"account_key_env": None, "sas_token_env": "T_AZ_SAS"}

    def names(self, prefix):
        return [b.name for b in self.sdk.list_blobs(name_starts_with=prefix)]

    def get(self, name):
        return self.sdk.download_blob(name).readall()

    def put(self, name, data, like=None):
        more = {"metadata": self.sdk.get_blob_client(like).get_blob_properties().metadata} if like else {}
        self.sdk.upload_blob(name, data, overwrite=True, **more)

    def remove(self, name):
        self.sdk.delete_blob(name)

    def facts(self, name):
        p = self.sdk.get_blob_client(name).get_blob_properties()
        said = p.content_settings
        return types.SimpleNamespace(size=p.size, content_type=said.content_type, owner=p.metadata.get("rivetowner"),
                                     md5=bytes(said.content_md5).hex() if said.content_md5 else None, changed=p.etag)

    @staticmethod
    def unfinished(_, _noted):
        return []  # blocks that nobody committed are no object, and the service drops them


STORES = {"s3": (S3, "RIVET_TEST_S3"), "gcs": (Gcs, None), "azure": (Azure, "RIVET_TEST_AZURE")}


def store(kind, stack=None):
    """The shared store of a kind, or one that ends with the stack; a named skip when there is none."""
    cls, variable = STORES[kind]
    try:
        if stack is not None:
            return cls(stack.enter_context(cls.start()))
        with _lock:
            if kind not in _shared:
                given = variable and variable in os.environ
                _shared[kind] = cls.given() if given else cls(_stack.enter_context(cls.start()))
            return _shared[kind]
    except (host.Unavailable, ImportError) as why:
        raise Skip(str(why)) from why


class Corner:
    """What one test has of a store: a prefix, configurations that name it, runs, and what lies there."""

    def __init__(self, place, kind, stack=None, on=None):
        self.place, self.kind, self.store = place, kind, on or store(kind, stack)
        self.prefix = f"t{os.getpid()}-{next(_count)}/"
        self.env, self.endpoint, self.changes = dict(self.store.env), self.store.endpoint, {}

    def block(self, **more):
        """A destination; a key that is None is left out."""
        block = {**self.store.block(), "endpoint": self.endpoint, "prefix": self.prefix, **self.changes, **more}
        return {k: v for k, v in block.items() if v is not None}

    def config(self, *exports, dest=None, **kw):
        return self.place.config([{"destination": self.block(**(dest or {})), **x} for x in exports], **kw)

    def rivet(self, *args, code=None, env=None, **kw):
        return self.place.rivet(*args, code=code, env={**self.env, **(env or {})}, **kw)

    def start(self, *args, env=None, **kw):
        return self.place.start(*args, env={**self.env, **(env or {})}, **kw)

    def run(self, *args, code=0, **kw):
        return self.rivet("run", "-c", "rivet.yaml", *args, code=code, **kw)

    def killed(self, point, *args):
        self.place.killed(point, "run", "-c", "rivet.yaml", *args, env=self.env)

    @contextlib.contextmanager
    def may(self, *rights):
        """Runs and configurations made within have these rights only."""
        with self.store.may(*rights) as (env, changes):
            before = self.env, self.changes
            self.env, self.changes = {**self.env, **env}, {**self.changes, **changes}
            try:
                yield
            finally:
                self.env, self.changes = before

    @contextlib.contextmanager
    def behind(self):
        """Runs and configurations made within go through a proxy that is yielded."""
        with Middle(self.store.endpoint) as m:
            before, self.endpoint = self.endpoint, m.endpoint
            try:
                yield m
            finally:
                self.endpoint = before

    def names(self):
        return sorted(n[len(self.prefix):] for n in self.store.names(self.prefix))

    def get(self, name):
        return self.store.get(self.prefix + name)

    def put(self, name, data, like=None):
        self.store.put(self.prefix + name, data, like and self.prefix + like)

    def remove(self, name):
        self.store.remove(self.prefix + name)

    def facts(self, name):
        return self.store.facts(self.prefix + name)

    def unfinished(self, noted=None):
        return self.store.unfinished(self.prefix, noted)

    def fetch(self, out="out"):
        """What lies there, as files; the readers of lib.Place look at them."""
        shutil.rmtree(self.place.path(out), ignore_errors=True)
        for n in self.names():
            path = self.place.path(out, n)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(self.get(n))

    def dataset(self, export, **kw):
        self.fetch()
        return self.place.dataset(export, **kw)

    def manifest(self, export):
        """The newest one of the export, as the store holds it."""
        self.fetch()
        return self.place.manifests(export)[-1]

    def rows_of(self, export):
        """All rows of every part that lies there, listed or not."""
        self.fetch()
        return self.place.glob_rows(export)

    def spool(self):
        """Where this test's finished parts wait."""
        path = self.place.path("spool")
        os.makedirs(path, exist_ok=True)
        self.env["RIVET_TMPDIR"] = path
        return path


def fingerprint(data):
    return f"xxh3:{xxhash.xxh3_64_hexdigest(data)}"


def check_manifest(corner, m, under=""):
    """Each listed part is there as the manifest says, by the SDK's word and by its bytes."""
    owners = set()
    for p in m["parts"]:
        data, facts = corner.get(under + p["path"]), corner.facts(under + p["path"])
        assert len(data) == facts.size == p["size_bytes"], (p, facts)
        assert hashlib.md5(data).hexdigest() == p["content_md5"] and facts.md5 in (None, p["content_md5"]), (p, facts)
        assert fingerprint(data) == p["content_fingerprint"], p
        kind = "application/vnd.apache.parquet" if p["path"].endswith(".parquet") else "text/csv"
        assert facts.content_type == kind, facts
        owners.add(facts.owner)
    name = f"{under}manifest-{m['run_id']}.json"
    owners.add(corner.facts(name).owner)
    assert len(owners) == 1 and re.fullmatch(r"[0-9a-f]{32}", owners.pop() or ""), owners
    assert corner.facts(name).content_type == "application/json"


def check_marker(corner, run_id, under=""):
    """The marker vouches for that run, and manifest.json is its manifest."""
    mine = corner.get(f"{under}manifest-{run_id}.json")
    assert corner.get(f"{under}manifest.json") == mine
    assert corner.get(f"{under}_SUCCESS") == f"{fingerprint(mine)}\n".encode()
    assert corner.facts(f"{under}_SUCCESS").content_type == "text/plain"


class Rule:
    """What happens to requests that match: a status, "lose" (done, but the answer is lost) or "reset"."""

    def __init__(self, what, verb, path, times, body, headers):
        self.what, self.verb, self.path, self.times, self.body, self.headers = what, verb, path, times, body, headers


class Middle:
    """A proxy in front of a store: `m.answer(503, verb="PUT", path="parquet", times=3)`; without `times`
    until `m.heal()`. `m.seen` holds verb and path of every request, `m.heads` its headers."""

    def __init__(self, endpoint):
        self.target = urllib.parse.urlsplit(endpoint)
        self.rules, self.seen, self.heads, self.lock = [], [], [], threading.Lock()

    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Between,), {"middle": self}))
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}{self.target.path}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def server_name(self):
        return f"127.0.0.1:{self.server.server_address[1]}"

    def answer(self, what, verb=".*", path=".*", times=None, body="", **headers):
        with self.lock:
            self.rules.append(Rule(what, verb, path, times, body, {k.replace("_", "-"): v for k, v in headers.items()}))

    def heal(self):
        with self.lock:
            self.rules = []

    def rule_of(self, verb, path, headers):
        with self.lock:
            self.seen.append((verb, path))
            self.heads.append(dict(headers))
            for r in self.rules:
                if r.times != 0 and re.fullmatch(r.verb, verb) and re.search(r.path, path):
                    if r.times:
                        r.times -= 1
                    return r
        return None


class _Between(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    middle = None

    def log_message(self, *_):
        pass

    def handle_one_request(self):
        with contextlib.suppress(ConnectionError, TimeoutError):
            return super().handle_one_request()
        self.close_connection = True
        return None

    def do_GET(self):
        m = self.middle
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        rule = m.rule_of(self.command, self.path, self.headers)
        if rule and isinstance(rule.what, int):
            return self.tell(rule.what, rule.headers, rule.body.encode())
        if rule and rule.what == "reset":
            return self.drop()
        there = http.client.HTTPConnection(m.target.hostname, m.target.port, timeout=60)
        there.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for k, v in self.headers.items():
            if k.lower() not in ("connection", "expect"):
                there.putheader(k, v)
        there.endheaders(body or None)
        answer = there.getresponse()
        data = answer.read()
        there.close()
        if rule:  # "lose"
            return self.drop()
        skip = ("connection", "transfer-encoding", "keep-alive") + (() if self.command == "HEAD" else ("content-length",))
        headers = {k: v.replace(m.target.netloc, m.server_name()) for k, v in answer.getheaders() if k.lower() not in skip}
        return self.tell(answer.status, headers, data)

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET

    def tell(self, status, headers, data):
        self.send_response_only(status, "Resume Incomplete" if status == 308 else None)
        for k, v in headers.items():
            self.send_header(k, v)
        if self.command != "HEAD" and status not in (204, 304):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(data)

    def drop(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()
