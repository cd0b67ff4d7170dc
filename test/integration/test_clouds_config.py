"""What a configuration of a store may not say, and which requests it never makes."""
import json
import os

import cloud
from cloud import Corner
from lib import SIMPLE, cases, fill

CLI = ("-c", "rivet.yaml")
X = {"name": "x", "table": "t"}
S3 = {"type": "s3", "bucket": "lake", "region": "eu-west-1"}
GCS = {"type": "gcs", "bucket": "lake"}
AZURE = {"type": "azure", "container": "lake", "account_name": "lake"}
ENV = {"A_KEY": "AKIAEXAMPLE", "A_SECRET": "wJalrXUtnFEMI", "AZ_KEY": "a2V5", "AZ_SAS": "sv=2021-08-06&sig=x", "AWS_EC2_METADATA_DISABLED": "true"}
KEYS = {"access_key_env": "A_KEY", "secret_key_env": "A_SECRET"}

REFUSED = {  # name: destination, code or None, texts
    "no_bucket": ({"type": "s3", "region": "r"}, "MISSING", ["bucket"]),
    "no_container": ({"type": "azure", "account_name": "lake"}, "MISSING", ["container"]),
    "no_account": ({"type": "azure", "container": "lake"}, None, ["account_name"]),
    "literal_secret_key": ({**S3, "secret_key": "wJalr"}, "CREDENTIAL_KEY", ["secret_key", "secret_key_env"]),
    "literal_account_key": ({**AZURE, "account_key": "a2V5"}, "CREDENTIAL_KEY", ["account_key", "account_key_env"]),
    "literal_sas": ({**AZURE, "sas_token": "sig=x"}, "CREDENTIAL_KEY", ["sas_token", "sas_token_env"]),
    "literal_on_gcs": ({**GCS, "secret_key": "x"}, "CREDENTIAL_KEY", ["secret_key"]),
    "azure_key_on_s3": ({**S3, "account_key_env": "AZ_KEY"}, "CREDENTIAL_KEY", ["account_key_env", "s3"]),
    "aws_profile_on_gcs": ({**GCS, "aws_profile": "p"}, "CREDENTIAL_KEY", ["aws_profile", "gcs"]),
    "gcs_file_on_azure": ({**AZURE, "credentials_file": "f.json"}, "CREDENTIAL_KEY", ["credentials_file", "azure"]),
    "sas_on_local": ({"type": "local", "path": "o", "sas_token_env": "AZ_SAS"}, "CREDENTIAL_KEY", ["sas_token_env", "local"]),
    "key_and_sas": ({**AZURE, "account_key_env": "AZ_KEY", "sas_token_env": "AZ_SAS"}, None, ["account_key_env", "sas_token_env"]),
    "anonymous_and_keys": ({**S3, **KEYS, "allow_anonymous": True}, None, ["allow_anonymous"]),
    "anonymous_and_profile": ({**S3, "aws_profile": "p", "allow_anonymous": True}, None, ["allow_anonymous"]),
    "anonymous_and_file": ({**GCS, "credentials_file": "f.json", "allow_anonymous": True}, None, ["allow_anonymous"]),
    "anonymous_and_sas": ({**AZURE, "sas_token_env": "AZ_SAS", "allow_anonymous": True}, None, ["allow_anonymous"]),
    "half_a_pair": ({**S3, "access_key_env": "A_KEY"}, None, ["secret_key_env"]),
    "other_half": ({**S3, "secret_key_env": "A_SECRET"}, None, ["access_key_env"]),
    "remote_http": ({**S3, **KEYS, "endpoint": "http://minio.example.com:9000"}, None, ["https", "allow_insecure_endpoint"]),
    "remote_http_gcs": ({**GCS, "endpoint": "http://storage.example.com"}, None, ["https", "allow_insecure_endpoint"]),
    "remote_http_azure": ({**AZURE, "endpoint": "http://10.0.0.7:10000/lake"}, None, ["https", "allow_insecure_endpoint"]),
    "not_quite_loopback": ({**S3, **KEYS, "endpoint": "http://127.0.0.1.example.com"}, None, ["https"]),
    "userinfo": ({**S3, **KEYS, "endpoint": "https://user:pa55word@minio.example.com"}, None, ["endpoint"]),
    "unknown_placeholder": ({**S3, "prefix": "a/{day}"}, "PLACEHOLDER", ["unknown placeholder {day}"]),
    "sse": ({**S3, "sse": "aes"}, "ENUM", ["sse", "kms"]),
    "misspelt": ({**S3, "bukcet_region": "x"}, "UNKNOWN_KEY", ["bukcet_region"]),
}


@cases(*REFUSED)
def test_refused(place, name):
    destination, code, texts = REFUSED[name]
    place.db(SIMPLE)
    place.config([{**X, "destination": destination}])
    for command in ("check", "run"):
        r = place.rivet(command, *CLI, env=ENV, code=1)
        assert r.err.startswith("Error: rivet.yaml:") and all(t in r.err for t in texts), r
        assert "pa55word" not in r.err and "wJalr" not in r.err, r
    r = place.rivet("run", *CLI, "--json-errors", env=ENV, code=1)
    told = json.loads(r.err.splitlines()[-1])
    assert told["kind"] == "config" and told["line"] and (code is None or told["code"] == f"RIVET_CONFIG_{code}"), told


def test_warned(place):
    """A key of another type is ignored, a temporary key without its token is told of, a remote host is shown."""
    fill(place.db(SIMPLE), 5)
    place.config([{**X, "destination": {"type": "local", "path": "out", "region": "eu-west-1"}}])
    r = place.rivet("run", *CLI, code=0)
    assert "[WARN]" in r.err and "region" in r.err, r
    far = {**S3, **KEYS, "endpoint": "https://minio.invalid"}
    place.config([{**X, "destination": far}])
    r = place.rivet("doctor", *CLI, env={**ENV, "A_KEY": "ASIATEMPORARY"}, code=2)
    assert "session_token_env" in r.err + r.out and "minio.invalid" in r.err + r.out, r
    assert "[FAIL] Destination S3(lake): connectivity error" in r.out and "wJalr" not in r.err + r.out, r
    place.config([{**X, "destination": {**far, "endpoint": "http://minio.invalid", "allow_insecure_endpoint": True}}])
    r = place.rivet("doctor", *CLI, env=ENV, code=2)
    assert "connectivity error" in r.out, r


def test_no_credentials_anywhere(place):
    """What was tried, in order; a profile that is named is not passed over."""
    fill(place.db(SIMPLE), 5)
    os.mkdir(place.path("home"))
    env = {"HOME": place.path("home"), "AWS_EC2_METADATA_DISABLED": "true", "GCE_METADATA_HOST": "127.0.0.1:9"}
    place.config([{**X, "destination": S3}])
    r = place.rivet("run", *CLI, env=env, code=1)
    assert "no AWS credentials: tried config keys, profile, environment, web identity, shared files, container, instance metadata" in r.err, r
    r = place.rivet("doctor", *CLI, env=env, code=1)
    assert "[FAIL] Destination S3(lake): auth error" in r.out, r
    place.config([{**X, "destination": {**S3, "aws_profile": "gone"}}])
    r = place.rivet("run", *CLI, env={**env, "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B"}, code=1)
    assert "gone" in r.err, r
    place.config([{**X, "destination": {**S3, **KEYS}}])
    r = place.rivet("run", *CLI, env=env, code=1)
    assert "A_KEY" in r.err or "A_SECRET" in r.err, r
    place.config([{**X, "destination": {**GCS, "credentials_file": "gone.json"}}])
    r = place.rivet("run", *CLI, env=env, code=1)
    assert "gone.json" in r.err, r
    place.config([{**X, "destination": AZURE}])
    r = place.rivet("doctor", *CLI, env=env, code=1)
    assert "[FAIL] Destination Azure(lake): auth error" in r.out, r


@cases(*cloud.KINDS)
def test_wrong_keys(place, kind):
    """Refused by the store: exit 1, nothing sent twice, nothing of the key shown."""
    fill(place.db(SIMPLE), 5)
    c = Corner(place, kind)
    wrong = {"T_S3_SECRET": "wrongwrongwrongwrongwrongwrongwrongwrong", "T_AZ_KEY": "d3Jvbmd3cm9uZ3dyb25nd3Jvbmd3cm9uZw=="}
    c.env.update(wrong)
    more = {}
    if kind == "gcs":
        with open(c.store.server.credentials_file, encoding="utf-8") as f:
            doc = json.load(f)
        doc["client_email"] = "somebody@else.example"
        place.write("wrong.json", json.dumps(doc))
        more = {"credentials_file": "wrong.json"}
    c.config(X, dest=more)
    r = c.rivet("doctor", *CLI, code=1)
    assert f"[FAIL] Destination {c.store.label}({c.store.bucket}): auth error" in r.out, r
    r = c.run(code=1)
    assert c.names() == [] and not any(s in r.err for s in wrong.values()), r
    r = c.run("--json-errors", code=1)
    assert json.loads(r.err.splitlines()[-1])["kind"] in ("auth", "permission"), r
