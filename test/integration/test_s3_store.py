"""SQLite to S3 on a server that verifies signatures and rights: read back by Amazon's own SDK, every right
lacking in turn, roles of STS, credentials by profile and process, what doctor says."""
import contextlib
import hashlib
import io
import json
import os
import sys
import uuid

import pyarrow.parquet as pq

import lib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "servers"))
import moto  # noqa: E402

NO_CHAIN = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_CONFIG_FILE": "/dev/null"}


def facts():
    text = os.environ.get("RIVET_TEST_S3")
    if not text:
        raise lib.Skip("RIVET_TEST_S3 names no server")
    return json.loads(text)


def client(service, f):
    return moto.sdk().client(service, endpoint_url=f["endpoint"], region_name=f["region"],
                             aws_access_key_id=f["access_key"], aws_secret_access_key=f["secret_key"])


class Desk:
    """A source of 5000 rows, an export to a prefix of its own, and the SDK beside it."""

    def __init__(self, place, **destination):
        self.place, self.facts = place, facts()
        self.prefix = f"it-{uuid.uuid4().hex[:12]}/"
        with contextlib.closing(place.db(lib.SIMPLE)) as c:
            lib.fill(c, 5000)
            self.rows = lib.table(c, "SELECT * FROM t")
        self.destination = {"type": "s3", "bucket": self.facts["bucket"], "prefix": self.prefix, "region": self.facts["region"],
                            "endpoint": self.facts["endpoint"], "access_key_env": "S3_ID", "secret_key_env": "S3_SECRET", **destination}
        self.keys = {"S3_ID": self.facts["access_key"], "S3_SECRET": self.facts["secret_key"]}
        self.s3 = client("s3", self.facts)
        self.configure()

    def configure(self, drop=(), **destination):
        d = {k: v for k, v in {**self.destination, **destination}.items() if k not in drop}
        self.place.config([{"name": "t", "table": "t", "mode": "full", "destination": d}])

    def rivet(self, *args, code=None, env=None):
        r = self.place.rivet(*args, code=code, env={**NO_CHAIN, **self.keys, **(env or {})})
        assert self.facts["secret_key"] not in r.out + r.err, "a secret is shown"
        return r

    def get(self, key):
        return self.s3.get_object(Bucket=self.facts["bucket"], Key=self.prefix + key)

    def names(self):
        found = self.s3.list_objects_v2(Bucket=self.facts["bucket"], Prefix=self.prefix).get("Contents", [])
        return [o["Key"][len(self.prefix):] for o in found]

    def check(self):
        """The dataset by its manifest, as the SDK reads it."""
        manifest = json.loads(self.get("manifest.json")["Body"].read())
        rows = []
        for part in manifest["parts"]:
            o = self.get(part["path"])
            body = o["Body"].read()
            assert hashlib.md5(body).hexdigest() == part["content_md5"] and len(body) == part["size_bytes"]
            assert o["Metadata"]["rivet-md5"] == part["content_md5"] and len(o["Metadata"]["rivet-owner"]) == 32, o["Metadata"]
            rows += pq.ParquetFile(io.BytesIO(body), page_checksum_verification=True).read().to_pylist()
        lib.same_rows(rows, self.rows)
        return manifest

    def user(self, actions):
        """Keys of a user that may do only this."""
        iam, name = client("iam", self.facts), uuid.uuid4().hex
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return {"S3_ID": made["AccessKeyId"], "S3_SECRET": made["SecretAccessKey"]}


@lib.cases("one request", "parts")
def test_read_back_by_the_sdk(place, how):
    d = Desk(place, **({"upload_threshold_mb": 0} if how == "parts" else {}))
    d.rivet("run", "--validate", code=0)
    first = d.check()
    assert d.get(first["parts"][0]["path"])["ContentType"] == "application/vnd.apache.parquet"
    assert ("-" in d.get(first["parts"][0]["path"])["ETag"]) == (how == "parts")
    d.rivet("run", code=0)  # the shared names are replaced on the version read before
    assert d.check()["run_id"] != first["run_id"]
    d.rivet("validate", "--depth", "full", code=0)
    assert "_SUCCESS" in d.names() and not d.s3.list_multipart_uploads(Bucket=d.facts["bucket"], Prefix=d.prefix).get("Uploads")


@lib.cases("read", "list", "delete", "everything but writing")
def test_without_a_right(place, lacking):
    rights = {"read": "s3:GetObject", "list": "s3:ListBucket", "delete": "s3:DeleteObject"}
    d = Desk(place)
    d.keys = d.user(["s3:PutObject", *(v for k, v in rights.items() if lacking not in (k, "everything but writing"))])
    d.rivet("run", code=0)
    d.rivet("run", code=0)
    d.check()
    r = d.rivet("doctor", code=0)
    assert "[WARN] Destination S3(" in r.out and "All checks passed" in r.out, r


def test_without_the_right_to_write(place):
    d = Desk(place)
    d.keys = d.user(["s3:GetObject", "s3:ListBucket", "s3:DeleteObject"])
    r = d.rivet("doctor", code=1)
    assert "[FAIL] Destination S3(" in r.out and "permission error" in r.out and "grant s3:PutObject" in r.out, r
    r = d.rivet("run", code=1)
    assert "AccessDenied" in r.err and d.names() == [], r
    d.keys = {"S3_ID": d.facts["access_key"], "S3_SECRET": d.facts["secret_key"]}
    d.rivet("run", code=0)  # what waited in the spool is not needed: the run goes on or starts anew
    d.check()


def test_what_doctor_says(place):
    d = Desk(place)
    r = d.rivet("doctor", code=0)
    assert "[OK]  Destination S3(" in r.out and "conditional writes are in force" in r.out and d.names() == [], r
    r = d.rivet("doctor", env={"S3_SECRET": "not the secret key"}, code=1)
    assert "auth error" in r.out and "not the secret key" not in r.out + r.err, r
    d.configure(bucket="no-such-bucket-of-ours")
    assert "bucket not found" in d.rivet("doctor", code=1).out
    d.configure(endpoint="http://127.0.0.1:1")
    assert "connectivity error" in d.rivet("doctor", code=2).out
    d.configure(drop=("access_key_env", "secret_key_env"))
    r = d.rivet("doctor", code=1)
    assert "no AWS credentials: tried config keys, profile, environment, web identity, shared files, container, instance metadata" in r.out, r


def test_a_role_of_sts(place):
    d = Desk(place)
    role = uuid.uuid4().hex
    iam = client("iam", d.facts)
    arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
    iam.put_role_policy(RoleName=role, PolicyName="rights", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}))
    d.configure(role_arn=arn, external_id="partner-7")
    env = {"AWS_ENDPOINT_URL_STS": d.facts["endpoint"]}
    r = d.rivet("doctor", code=0, env=env)
    assert f"assumed role {arn}" in r.out, r
    d.rivet("run", code=0, env=env)
    d.check()
    place.write("config", f"[profile writer]\nrole_arn = {arn}\nsource_profile = base\n[profile base]\n"
                          f"credential_process = cat {place.path('keys.json')}\n")
    place.write("keys.json", json.dumps({"Version": 1, "AccessKeyId": d.facts["access_key"], "SecretAccessKey": d.facts["secret_key"]}, indent=2))
    d.configure(drop=("access_key_env", "secret_key_env"), aws_profile="writer")
    d.rivet("run", code=0, env={**env, "AWS_CONFIG_FILE": place.path("config")})
    d.check()
