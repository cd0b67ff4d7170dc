"""fake-gcs-server, an emulator of Google Cloud Storage without authentication, for the extended run."""
import json
import os
import urllib.request

import host

VERSION = "v1.56.1"
MODULE = f"github.com/fsouza/fake-gcs-server@{VERSION}"


class FakeGcs:
    """`with FakeGcs() as g: g.endpoint, g.bucket`; any token passes, so does none."""

    def __init__(self, bucket="rivet-test"):
        self.bucket = bucket

    def __enter__(self):
        program = host.cached_go(f"fake-gcs-server-{VERSION}", MODULE, "fake-gcs-server")
        self.dir, self.port = host.folder("fake-gcs"), host.port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.child = host.Child([program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(self.port), "-backend",
                                 "memory", "-public-host", f"127.0.0.1:{self.port}", "-external-url", self.endpoint],
                                os.path.join(self.dir, "log"), end="TERM")
        try:
            host.await_port(self.port, self.child)
            ask = urllib.request.Request(f"{self.endpoint}/storage/v1/b?project=test", method="POST",
                                         data=json.dumps({"name": self.bucket}).encode(),
                                         headers={"Content-Type": "application/json"})
            urllib.request.urlopen(ask, timeout=20).close()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.child.stop()
