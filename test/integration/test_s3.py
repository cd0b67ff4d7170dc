"""S3's own: regions, clocks, answers that say 200 and mean no, temporary keys, profiles, uploads nobody ended."""
import datetime
import json
import os
import re

from cloud import IN_PARTS, Corner, check_marker
from lib import SIMPLE, fill, same_rows, table

CLI = ("-c", "rivet.yaml")
X = {"name": "x", "table": "t"}


def begin(place, rows=300):
    conn = place.db(SIMPLE)
    fill(conn, rows)
    return conn, Corner(place, "s3")


def error(code, more=""):
    return f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>said the store</Message>{more}</Error>"


def credential(head):
    return re.search(r"Credential=[^/]+/(\d{8})/([^/]+)/s3", head["Authorization"])


def test_a_wrong_region(place):
    """Signed again, once, for the region that the store names; if it moves on, both are named."""
    conn, c = begin(place)
    with c.behind() as m:
        c.config(X, dest={"region": "us-west-2"})
        m.answer(400, body=error("AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>"), times=1, x_amz_bucket_region="eu-north-1")
        r = c.run()
        assert {credential(h)[2] for h in m.heads[1:]} == {"eu-north-1"} and credential(m.heads[0])[2] == "us-west-2", m.heads
        assert "[WARN]" in r.err and "eu-north-1" in r.err, r
        same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))
        m.answer(301, body=error("PermanentRedirect"), x_amz_bucket_region="ap-south-1")
        r = c.run(code=1)
        assert "us-west-2" in r.err and "ap-south-1" in r.err, r
        r = c.rivet("doctor", *CLI, code=1)
        assert f"[FAIL] Destination S3({c.store.bucket}): region mismatch" in r.out and "ap-south-1" in r.out, r


def test_a_wrong_clock(place):
    """The answer's date is taken over, once."""
    conn, c = begin(place)
    with c.behind() as m:
        c.config(X)
        ahead = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=3)
        m.answer(403, body=error("RequestTimeTooSkewed"), times=1, Date=ahead.strftime("%a, %d %b %Y %H:%M:%S GMT"))
        c.run()
        assert {h["x-amz-date"][:8] for h in m.heads[1:]} == {ahead.strftime("%Y%m%d")}, m.heads
    same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))


def test_no_region(place):
    conn, c = begin(place)
    c.config(X, dest={"region": None})
    env = {"HOME": place.dir, "AWS_EC2_METADATA_DISABLED": "true"}
    r = c.run(code=1, env=env)
    assert "region" in r.err, r
    c.run(env={**env, "AWS_DEFAULT_REGION": "eu-central-1"})
    same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))


def test_200_that_means_no(place):
    """CompleteMultipartUpload answers 200 with an error in it: tried again; an upload that is gone by then was done."""
    conn, c = begin(place)
    with c.behind() as m:
        c.config(X, dest=IN_PARTS)
        m.answer(200, "POST", "uploadId", body=error("InternalError"), times=2)
        m.answer("lose", "POST", "uploadId", times=1)
        c.run()
        assert len([1 for v, p in m.seen if v == "POST" and "uploadId" in p]) >= 3, m.seen
    check_marker(c, c.manifest("x")["run_id"])
    same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))
    assert not c.unfinished() and len([n for n in c.names() if n.startswith("x_")]) == 1


def test_refusals_are_not_tried_again(place):
    """Each 4xx of the table once; renewal is asked for once; nothing appears."""
    _, c = begin(place)
    for status, code, tries in ((403, "AccessDenied", 1), (400, "InvalidArgument", 1), (405, "MethodNotAllowed", 1),
                                (411, "MissingContentLength", 1), (507, "InsufficientStorage", 1), (403, "InvalidAccessKeyId", 2)):
        with c.behind() as m:
            c.config({**X, "name": f"n{status}{code[:3].lower()}"})
            m.answer(status, "PUT", body=error(code))
            r = c.run(code=1)
            assert code in r.err and len([1 for v, _ in m.seen if v == "PUT"]) <= tries, (m.seen, r)
    assert c.names() == []


def test_redirects_elsewhere_are_not_followed(place):
    _, c = begin(place)
    with c.behind() as m, c.behind() as other:
        c.endpoint = m.endpoint
        c.config(X)
        m.answer(307, body=error("TemporaryRedirect"), Location=other.endpoint + "/elsewhere")
        r = c.run(code=1)
        assert other.seen == [], (other.seen, r)


def test_a_profile(place):
    """Of the shared files; named ones before the environment's keys."""
    conn, c = begin(place)
    place.write("credentials", f"[default]\naws_access_key_id = x\naws_secret_access_key = y\n[prod]\naws_access_key_id = "
                f"{c.env['T_S3_KEY']}\naws_secret_access_key = {c.env['T_S3_SECRET']}\n")
    place.write("tell.sh", f"echo '{json.dumps({'Version': 1, 'AccessKeyId': c.env['T_S3_KEY'], 'SecretAccessKey': c.env['T_S3_SECRET']})}'\n")
    place.write("awsconfig", f"[profile prod]\nregion = {c.store.server.region}\n[profile told]\nregion = eu-central-1\n"
                f"credential_process = sh {place.path('tell.sh')}\n")
    c.env = {"AWS_SHARED_CREDENTIALS_FILE": place.path("credentials"), "AWS_CONFIG_FILE": place.path("awsconfig"),
             "AWS_EC2_METADATA_DISABLED": "true"}
    keys = {"access_key_env": None, "secret_key_env": None, "region": None}
    for dest, env in (({"aws_profile": "prod"}, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}), ({"aws_profile": "told"}, {}),
                      ({}, {"AWS_PROFILE": "prod"})):
        c.config(X, dest={**keys, **dest})
        c.run(env=env)
    same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))
    c.config(X, dest={**keys, "region": "eu-central-1"})
    c.run(code=1)  # the default one, whose keys are nobody's
    assert len([n for n in c.names() if n.startswith("x_")]) == 3


def test_what_is_sent(place):
    """Conditions on every first write, the owner's token, MD5 of the bytes, encryption and class as asked for."""
    _, c = begin(place)
    with c.behind() as m:
        c.config(X, dest={"sse": "s3", "storage_class": "STANDARD_IA"})
        c.run()
        puts = [(p, {k.lower(): v for k, v in h.items()}) for (v, p), h in zip(m.seen, m.heads) if v == "PUT"]
        assert len(puts) == 4, m.seen
        for path, h in puts:
            assert h.get("if-none-match") == "*" and re.fullmatch("[0-9a-f]{32}", h["x-amz-meta-rivet-owner"]), (path, h)
            assert h["x-amz-server-side-encryption"] == "AES256" and h["x-amz-storage-class"] == "STANDARD_IA" and h["content-md5"], h
            assert re.fullmatch("[0-9a-f]{64}", h["x-amz-content-sha256"]), "over http the payload is signed"
    assert c.get("manifest.json")


def test_stores_without_conditions(place):
    """501 to a condition: a look first, then the plain request; what is foreign still stays."""
    conn, c = begin(place)
    with c.behind() as m:
        c.config(X)
        m.answer(501, "PUT", body=error("NotImplemented"), times=1)
        c.run()
        check_marker(c, c.manifest("x")["run_id"])
        c.run()
        check_marker(c, c.manifest("x")["run_id"])
    same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))


def test_uploads_that_nobody_ended(place):
    """Killed in an upload, the next run ends it, whether its name had been told or not."""
    conn = place.db("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
    conn.executescript("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80) "
                       "INSERT INTO t SELECT i, randomblob(100000) FROM n;")
    c = Corner(place, "s3")
    c.spool()
    c.config(X, dest=IN_PARTS)
    for point in ("store-upload-begun", "store-part:2", "store-before-finish"):
        c.killed(point)
        assert len(c.unfinished()) == 1, (point, c.unfinished())
        c.run()
        assert c.unfinished() == [], point
        same_rows(c.dataset("x"), table(conn, "SELECT * FROM t"))
    strange = c.store.sdk.create_multipart_upload(Bucket=c.store.bucket, Key=c.prefix + "another.bin")["UploadId"]
    c.killed("store-upload-begun")
    c.run()
    assert c.unfinished() == [c.prefix + "another.bin"], "another's upload is left alone"
    c.store.sdk.abort_multipart_upload(Bucket=c.store.bucket, Key=c.prefix + "another.bin", UploadId=strange)
    assert os.listdir(c.spool()) == []
