"""An S3 server that verifies signatures, payloads and checksums: versitygw over a directory."""
import os
import shutil

import host
import moto

VERSION = "v1.8.0"
MODULE = f"github.com/versity/versitygw/cmd/versitygw@{VERSION}"


class VersityGw(moto.Client):
    """`with VersityGw() as s3:` with the attributes of Moto; one user, who may do all."""

    def __init__(self, bucket="rivet-test", certificate=None):
        super().__init__(bucket, certificate)
        self.access_key, self.secret_key = "AKIAVERSITYTEST00001", "versity-secret-key-of-tests"

    def __enter__(self):
        program = host.cached_go(f"versitygw-{VERSION}", MODULE, "versitygw")
        self.dir = host.folder("versitygw")
        self.listen()
        files = os.path.join(self.dir, "files")
        os.mkdir(files)
        host.own(files)
        tls = ["--cert", self.certificate[0], "--key", self.certificate[1]] if self.certificate else []
        self.child = host.Child(["env", f"ROOT_ACCESS_KEY={self.access_key}", f"ROOT_SECRET_KEY={self.secret_key}", program,
                                 "--port", f"127.0.0.1:{self.port}", "--region", self.region, *tls, "--quiet", "posix", files],
                                os.path.join(self.dir, "log"), end="TERM")
        try:
            host.await_port(self.port, self.child)
            self.make_bucket()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.child.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
