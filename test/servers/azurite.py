"""Azure Blob storage for tests: Azurite, which verifies Shared Key and SAS, in memory."""
import base64
import hashlib
import hmac
import os
import ssl
import urllib.request
from email.utils import formatdate

import host

VERSION = "3.35.0"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # published with it


def program():
    """Path of the server's command."""
    def build(into):
        host.fetch("Azurite", host.tool("npm", "npm"), "install", "--prefix", into, "--no-audit", "--no-fund",
                   "--no-package-lock", "--loglevel=error", f"azurite@{VERSION}", cwd=into)
    return os.path.join(host.cached(f"azurite-{VERSION}", build), "node_modules", ".bin", "azurite-blob")


class Azurite:
    """`with Azurite() as az: az.endpoint, az.account, az.key, az.container`. The endpoint ends in the
    account's name, as that of an emulator does."""

    def __init__(self, container="rivet-test", certificate=None, oauth=False):
        """certificate: paths of a certificate, its key (both readable by the servers' identity) and
        its authority: https only.
        oauth: bearer tokens are taken too (their shape and times are looked at, not the signature)."""
        self.container, self.certificate, self.oauth = container, certificate, oauth
        self.account, self.key, self.child = ACCOUNT, KEY, None

    def __enter__(self):
        command = program()
        self.dir, self.port = host.folder("azurite"), host.port()
        scheme = "https" if self.certificate else "http"
        self.endpoint = f"{scheme}://127.0.0.1:{self.port}/{self.account}"
        more = ["--cert", self.certificate[0], "--key", self.certificate[1]] if self.certificate else []
        more += ["--oauth", "basic"] if self.oauth else []
        self.child = host.Child([host.tool("node", "nodejs"), command, "--silent", "--disableTelemetry",
                                 "--skipApiVersionCheck", "--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", str(self.port), *more], os.path.join(self.dir, "log"), end="TERM")
        try:
            host.await_port(self.port, self.child)
            self.request("PUT", f"/{self.container}?restype=container")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.child.stop()

    def request(self, verb, path, body=None, headers=None):
        """One signed request below the account; returns the body of the answer."""
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02", **(headers or {})}
        resource, _, query = path.partition("?")
        lines = [f"{k}:{v}" for k, v in sorted(headers.items())]
        lines += [f"/{self.account}/{self.account}{resource}"]
        lines += [":".join(p.split("=", 1)) for p in sorted(query.split("&")) if p]
        text = "\n".join([verb, "", "", str(len(body)) if body else "", "", "", "", "", "", "", "", "", *lines])
        mac = base64.b64encode(hmac.new(base64.b64decode(self.key), text.encode(), hashlib.sha256).digest()).decode()
        ask = urllib.request.Request(self.endpoint + path, data=body, method=verb, headers={
            **headers, "Authorization": f"SharedKey {self.account}:{mac}"})
        if body:
            ask.add_header("Content-Type", "")
        trust = ssl.create_default_context(cafile=self.certificate[2]) if self.certificate else None
        with urllib.request.urlopen(ask, timeout=20, context=trust) as answer:
            return answer.read()

    def facts(self):
        """What RIVET_TEST_AZURE holds."""
        return {"endpoint": self.endpoint, "account": self.account, "key": self.key, "container": self.container}
