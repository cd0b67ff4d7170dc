"""The test servers themselves: unprivileged, gone with their parent, faults that really happen."""
import contextlib
import glob
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import psycopg
from google.api_core import exceptions
from google.cloud import storage
from google.oauth2 import service_account

import lib
import my
import pg
import azurite  # beside the other servers
import gcs_double
import moto

RUN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers", "run.py")


@contextlib.contextmanager
def had(server):
    try:
        with server:
            yield server
    except my.host.Unavailable as why:
        raise lib.Skip(str(why)) from why


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_never_root_and_gone_with_the_parent(place):
    pg.server()  # a named skip without PostgreSQL
    p = subprocess.Popen([sys.executable, RUN, "postgres", "--", "sh", "-c", "echo $RIVET_TEST_PG_URL; sleep 100"], stdout=subprocess.PIPE, text=True)
    url = p.stdout.readline().strip()
    data = glob.glob(os.path.join(tempfile.gettempdir(), f"rivet-servers-{p.pid}-*", "pg15-*", "data", "postmaster.pid"))
    assert len(data) == 1, data
    with open(data[0], encoding="utf-8") as f:
        server = int(f.readline())
    with psycopg.connect(url) as c:
        assert c.execute("SELECT pg_postmaster_start_time() IS NOT NULL").fetchone()[0]
    assert os.stat(f"/proc/{server}").st_uid != 0
    child = subprocess.run(["pgrep", "-P", str(p.pid)], capture_output=True, text=True, check=False).stdout.split()
    p.send_signal(signal.SIGKILL)
    p.wait()
    for c in child:
        if int(c) != server:
            os.kill(int(c), signal.SIGKILL)
    until = time.monotonic() + 30
    while alive(server) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(server), "the server outlived its parent"


def test_the_exit_code_is_the_commands(place):
    pg.server()
    done = subprocess.run([sys.executable, RUN, "postgres", "--pooler", "transaction", "--", "sh", "-c", "test -n \"$RIVET_TEST_PG_POOLER_URL\" && exit 7"], check=False)
    assert done.returncode == 7


def test_faults_happen(place):
    with pg.database() as db, pg.proxy.FaultProxy(db.server.port) as p:
        def read():
            with psycopg.connect(db.server.url(db.name, port=p.port, connect_timeout=3)) as c:
                return len(c.execute("SELECT repeat('x', 200000)").fetchone()[0])
        assert read() == 200000
        for fault, value in (("cut_after_bytes", 5000), ("refuse", True), ("cut_ms", 0)):
            setattr(p, fault, value)
            try:
                read()
                raise AssertionError(f"{fault} did nothing")
            except psycopg.Error:
                setattr(p, fault, None)
        p.rate_bytes_s = 400000
        started = time.monotonic()
        assert read() == 200000 and time.monotonic() - started > 0.3


def test_mysql_servers_are_unprivileged(place):
    for on in my.BOTH:
        with contextlib.ExitStack() as stack:
            server = my.own(stack, on)
            assert os.stat(f"/proc/{server.child.process.pid}").st_uid != 0
            with my.database(server) as db:
                assert db.one("SELECT 1") == 1
                server.restart(options={"max-connections": "17"})
                db.conn = db.connect()
                assert db.one("SELECT @@max_connections") == 17


def test_s3_refuses_wrong_secrets_and_missing_rights(place):
    with had(moto.Moto()) as s3:
        s3.client().put_object(Bucket=s3.bucket, Key="a/b", Body=b"x", IfNoneMatch="*")
        reader = s3.user("reader", [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "*"}])
        for keys, call, word in (((s3.access_key, "wrong"), "list_objects_v2", "SignatureDoesNotMatch"), (reader, "list_objects_v2", "AccessDenied"), (None, "put_object", "PreconditionFailed")):
            client = s3.client(keys=keys)
            more = {"Key": "a/b", "Body": b"y", "IfNoneMatch": "*"} if call == "put_object" else {}
            try:
                getattr(client, call)(Bucket=s3.bucket, **more)
                raise AssertionError(f"{word} expected")
            except client.exceptions.ClientError as why:
                assert word in str(why), why
        assert s3.client(keys=reader).get_object(Bucket=s3.bucket, Key="a/b")["Body"].read() == b"x"
        assert s3.objects() == {"a/b": b"x"} and s3.uploads() == []


def test_azurite_verifies_signatures(place):
    with had(azurite.Azurite()) as az:
        az.request("PUT", f"/{az.container}/a/b", b"hello", {"x-ms-blob-type": "BlockBlob"})
        assert az.request("GET", f"/{az.container}/a/b") == b"hello"
        az.key = az.key[::-1].lstrip("=") + "=="
        try:
            az.request("GET", f"/{az.container}/a/b")
            raise AssertionError("a wrong key was taken")
        except urllib.error.HTTPError as why:
            assert why.code == 403


def put(url, data, content_range, method="PUT"):
    """Status and headers of one request of a resumable session."""
    ask = urllib.request.Request(url, data=data, method=method, headers={"Content-Range": content_range} if content_range else {})
    try:
        with urllib.request.urlopen(ask, timeout=10) as answer:
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as why:
        return why.code, dict(why.headers)


def test_the_double_of_gcs_by_googles_own_client(place):
    with gcs_double.GcsDouble() as g:
        scope = "https://www.googleapis.com/auth/devstorage.read_write"
        who = service_account.Credentials.from_service_account_file(g.credentials_file, scopes=[scope])
        bucket = storage.Client(project="x", credentials=who, client_options={"api_endpoint": g.endpoint}).bucket(g.bucket)
        blob, big = bucket.blob("a/b c"), bucket.blob("big", chunk_size=512 * 1024)
        blob.metadata = {"rivet-owner": "t"}
        blob.upload_from_string(b"hello", if_generation_match=0)
        g.fault("chunk", 503)
        big.upload_from_file(io.BytesIO(bytes(range(256)) * 5000))
        assert bucket.blob("big").download_as_bytes() == bytes(range(256)) * 5000 and g.count("chunk") == 4
        for wrong, refused in ((lambda: blob.upload_from_string(b"x", if_generation_match=0), exceptions.PreconditionFailed), (lambda: bucket.blob("none").reload(), exceptions.NotFound)):
            try:
                wrong()
                raise AssertionError("not refused")
            except refused:
                pass
        g.page_size = 1
        assert [b.name for b in bucket.list_blobs()] == ["a/b c", "big"] and [b.name for b in bucket.list_blobs(prefix="a/", delimiter="/")] == ["a/b c"]
        bucket.copy_blob(blob, bucket, "copy")
        assert bucket.get_blob("copy").metadata == {"rivet-owner": "t"}
        blob.delete()
        g.deny = {"create"}
        try:
            bucket.blob("z").upload_from_string(b"1")
            raise AssertionError("not refused")
        except exceptions.Forbidden as why:
            assert "storage.objects.create" in str(why)


def test_sessions_of_the_double_of_gcs(place):
    """What emulators get wrong: a status query commits nothing, offsets count, a cancelled session is gone."""
    with gcs_double.GcsDouble(anonymous=True) as g:
        def begin(name):
            return put(f"{g.endpoint}/upload/storage/v1/b/{g.bucket}/o?uploadType=resumable&name={name}", b"{}", None, "POST")[1]["Location"]
        url = begin("r")
        assert put(url, b"", "bytes */*")[0] == 308 and "Range" not in put(url, b"", "bytes */300000")[1] and not g.contents()
        assert put(url, b"x" * 300000, "bytes 0-299999/*")[1]["Range"] == "bytes=0-262143", "whole grains only"
        assert put(url, b"x" * 100000, "bytes 400000-499999/*")[0] == 503
        assert put(url, b"x" * 37856, "bytes 262144-299999/300000")[0] == 200 and len(g.contents()["r"]) == 300000
        assert put(url, b"", "bytes */300000")[0] == 200
        other = begin("q")
        assert put(other, None, None, "DELETE")[0] == 499 and put(other, b"", "bytes */*")[0] == 499 and put(other + "x", b"", "bytes */*")[0] == 404
        g.fault("start", 410)
        g.fault("insert", "lose")
        assert put(f"{g.endpoint}/upload/storage/v1/b/{g.bucket}/o?uploadType=resumable&name=z", b"{}", None, "POST")[0] == 410
        try:
            put(f"{g.endpoint}/upload/storage/v1/b/{g.bucket}/o?uploadType=media&name=lost", b"hi", None, "POST")
            raise AssertionError("an answer came")
        except OSError:
            assert g.contents()["lost"] == b"hi"
        assert put(f"{g.endpoint}/upload/storage/v1/b/{g.bucket}/o?uploadType=multipart&name=m", b"junk", None, "POST")[0] == 400
