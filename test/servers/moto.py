"""An S3 server that verifies signatures and the rights of users: moto in its authenticating mode."""
import json
import os
import sys

import host

VERSION = "5.2.5"
PACKAGES = [f"moto=={VERSION}", "boto3==1.44.5", "flask==3.1.3", "flask-cors==6.0.5"]
REGION = "eu-central-1"
ALL = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]


def packages():
    """The directory of moto and the SDK of AWS, for a PYTHONPATH."""
    def build(into):
        tools = os.path.join(into, "tools")
        host.fetch("moto", host.python(), "-m", "venv", tools, cwd=into)
        host.fetch("moto", os.path.join(tools, "bin", "pip"), "install", "-q", "--disable-pip-version-check",
                   "--target", os.path.join(into, "packages"), *PACKAGES, cwd=into)
    return os.path.join(host.cached(f"moto-{VERSION}", build), "packages")


def sdk():
    """boto3, which reads back what we wrote."""
    home = packages()
    if home not in sys.path:
        sys.path.append(home)
    import boto3  # pylint: disable=import-outside-toplevel
    return boto3


class Client:
    """What the SDK of AWS says to a server of ours: `endpoint`, `bucket`, keys and `region`."""

    def __init__(self, bucket, certificate):
        """certificate: paths of a certificate, its key (both readable by the servers' identity) and
        its authority; the server then speaks https only."""
        self.bucket, self.region, self.certificate = bucket, REGION, certificate
        self.access_key = self.secret_key = "none"

    def listen(self):
        self.port = host.port()
        self.endpoint = f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    def client(self, service="s3", keys=None, **config):
        """An SDK client for a service, as the owner or with other keys."""
        key, secret = keys or (self.access_key, self.secret_key)
        boto3 = sdk()
        return boto3.client(service, endpoint_url=self.endpoint, region_name=self.region, aws_access_key_id=key,
                            aws_secret_access_key=secret, verify=self.certificate[2] if self.certificate else None,
                            **({"config": boto3.session.Config(**config)} if config else {}))

    def make_bucket(self):
        self.client().create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": self.region})

    def facts(self):
        """What RIVET_TEST_S3 holds."""
        return {"endpoint": self.endpoint, "access_key": self.access_key, "secret_key": self.secret_key,
                "bucket": self.bucket, "region": self.region}

    def uploads(self):
        """Multipart uploads that nobody ended."""
        return self.client().list_multipart_uploads(Bucket=self.bucket).get("Uploads", [])

    def objects(self, prefix=""):
        """Names and bytes of what lies there."""
        s3 = self.client()
        found = {}
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            for o in page.get("Contents", []):
                found[o["Key"]] = s3.get_object(Bucket=self.bucket, Key=o["Key"])["Body"].read()
        return found


class Moto(Client):
    """`with Moto() as s3: s3.endpoint, s3.access_key, s3.secret_key, s3.bucket`; the user may do all.
    The server does not look at checksums of payloads and keeps what it holds in memory."""

    def __init__(self, bucket="rivet-test", certificate=None):
        super().__init__(bucket, certificate)
        self.child = None

    def __enter__(self):
        home = packages()
        self.listen()
        tls = ["-c", self.certificate[0], "-k", self.certificate[1]] if self.certificate else []
        self.child = host.Child(["env", f"PYTHONPATH={home}", "INITIAL_NO_AUTH_ACTION_COUNT=3", host.python(), "-m",
                                 "moto.server", "-H", "127.0.0.1", "-p", str(self.port), *tls],
                                os.path.join(host.folder("moto"), "log"), end="TERM")
        try:
            host.await_port(self.port, self.child)
            self.access_key, self.secret_key = self.user("owner", ALL)  # its three calls are the free ones
            self.make_bucket()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.child.stop()

    def user(self, name, statements):
        """Access key and secret of a new user with these rights."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="rights", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": statements}))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return made["AccessKeyId"], made["SecretAccessKey"]
