"""Who may talk to the double of Google Cloud Storage: an OAuth token endpoint that verifies the signed
assertions of service accounts, refresh tokens and federated tokens, and a metadata server."""
import base64
import hashlib
import json
import os
import re
import secrets
import subprocess
import threading
import time
import urllib.parse

import host

EMAIL = "exporter@rivet-test.iam.gserviceaccount.com"
CLIENT = {"client_id": "rivet.apps.example", "client_secret": "client-secret", "refresh_token": "1//refresh-token"}
SUBJECT = "subject-token-of-the-workload"
SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write", "https://www.googleapis.com/auth/cloud-platform",
          "https://www.googleapis.com/auth/devstorage.full_control")
SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")


class Refused(Exception):
    """An answer of the token endpoint: OAuth error and description."""


class Authority:
    """Tokens that live `token_life_s`. `uri` is where the endpoints below are served."""

    def __init__(self, folder):
        self.token_life_s, self.issued = 3600, 0
        self._folder, self._tokens, self._lock = folder, {}, threading.Lock()
        self._key = os.path.join(folder, "service.key")
        openssl = host.tool("openssl", "openssl")
        subprocess.run([openssl, "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self._key],
                       check=True, capture_output=True)
        said = subprocess.run([openssl, "rsa", "-in", self._key, "-noout", "-modulus"], check=True, capture_output=True,
                              text=True).stdout
        self._modulus = int(said.split("=")[1], 16)
        self.uri = None

    # ---- the files that name credentials ----

    def service_account(self):
        with open(self._key, encoding="utf-8") as f:
            key = f.read()
        return self._file("service.json", {
            "type": "service_account", "project_id": "rivet-test", "private_key_id": "k1", "private_key": key,
            "client_email": EMAIL, "client_id": "1", "token_uri": self.uri + "/token"})

    def authorized_user(self):
        return self._file("user.json", {"type": "authorized_user", "token_uri": self.uri + "/token", **CLIENT})

    def external_account(self, impersonate=False):
        subject = os.path.join(self._folder, "subject")
        with open(subject, "w", encoding="utf-8") as f:
            f.write(SUBJECT)
        doc = {"type": "external_account", "audience": "//iam.example/pool", "token_url": self.uri + "/sts/v1/token",
               "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "credential_source": {"file": subject}}
        if impersonate:
            doc["service_account_impersonation_url"] = \
                f"{self.uri}/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
        return self._file(f"external{impersonate}.json", doc)

    def _file(self, name, doc):
        path = os.path.join(self._folder, name)
        with open(path, "w", encoding="utf-8") as f:
            json.dump(doc, f)
        return path

    # ---- tokens ----

    def _issue(self):
        token = "ya29." + secrets.token_urlsafe(32)
        with self._lock:
            self.issued += 1
            self._tokens[token] = time.monotonic() + self.token_life_s
        return {"access_token": token, "expires_in": int(self.token_life_s), "token_type": "Bearer"}

    def revoke_all(self):
        with self._lock:
            self._tokens.clear()

    def good(self, header):
        """Whether an Authorization header holds a token that is still good."""
        token = (header or "").removeprefix("Bearer ")
        with self._lock:
            return self._tokens.get(token, 0) > time.monotonic()

    # ---- endpoints: method, path, headers, body -> status, headers, document; None: not ours ----

    def answer(self, method, path, headers, body):
        try:
            if method == "POST" and path == "/token":
                return 200, {}, self._grant(_form(body))
            if method == "POST" and path == "/sts/v1/token":
                return 200, {}, self._exchange(_form(body))
            if method == "POST" and path.endswith(":generateAccessToken"):
                return self._impersonate(headers)
            if path.startswith("/computeMetadata/"):
                return self._metadata(path, headers)
        except Refused as why:
            return 400, {}, {"error": why.args[0], "error_description": why.args[1]}
        return None

    def _grant(self, form):
        kind = form.get("grant_type")
        if kind == "refresh_token":
            if "scope" in form:
                raise Refused("invalid_scope", "Some requested scopes were invalid.")
            for k, v in CLIENT.items():
                if form.get(k) != v:
                    raise Refused("invalid_grant" if k == "refresh_token" else "invalid_client", "Bad Request")
            return self._issue()
        if kind != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            raise Refused("unsupported_grant_type", f"Invalid grant_type: {kind}")
        self._verify(form.get("assertion", ""))
        return self._issue()

    def _verify(self, assertion):
        try:
            head, claims, mark = assertion.split(".")
            header, said, mark = json.loads(_b64(head)), json.loads(_b64(claims)), _b64(mark)
        except ValueError as why:
            raise Refused("invalid_grant", "Invalid JWT: it cannot be read") from why
        digest = SHA256_PREFIX + hashlib.sha256(f"{head}.{claims}".encode()).digest()
        padded = b"\x00\x01" + b"\xff" * (256 - 3 - len(digest)) + b"\x00" + digest
        if header.get("alg") != "RS256" or len(mark) != 256 or \
                pow(int.from_bytes(mark, "big"), 65537, self._modulus).to_bytes(256, "big") != padded:
            raise Refused("invalid_grant", "Invalid JWT Signature.")
        now = time.time()
        if said.get("iss") != EMAIL or said.get("aud") not in (self.uri + "/token", "https://oauth2.googleapis.com/token"):
            raise Refused("invalid_grant", "Invalid issuer or audience")
        if not set(said.get("scope", "").split()) & set(SCOPES):
            raise Refused("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        if not now - 3900 < said.get("iat", 0) < now + 300 or not now < said.get("exp", 0) <= said["iat"] + 3600:
            raise Refused("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a "
                                           "reasonable timeframe. Check your iat and exp values in the JWT claim.")

    def _exchange(self, form):
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange" or form.get("subject_token") != SUBJECT:
            raise Refused("invalid_grant", "The subject token is not good.")
        return {**self._issue(), "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}

    def _impersonate(self, headers):
        if not self.good(headers.get("Authorization")):
            return 401, {}, {"error": {"code": 401, "message": "Request had invalid authentication credentials."}}
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.token_life_s))
        return 200, {}, {"accessToken": self._issue()["access_token"], "expireTime": until}

    def _metadata(self, path, headers):
        if headers.get("Metadata-Flavor") != "Google":
            return 403, {}, {"error": "Missing Metadata-Flavor:Google header."}
        flavor = {"Metadata-Flavor": "Google"}
        if re.fullmatch(r"/computeMetadata/v1/instance/service-accounts/(default|" + re.escape(EMAIL) + r")/token", path):
            return 200, flavor, self._issue()
        if path.endswith("/email"):
            return 200, flavor, EMAIL
        return 200, flavor, "instance/\nproject/\n"


def _form(body):
    return dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace")))


def _b64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
