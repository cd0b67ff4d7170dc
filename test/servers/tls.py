"""Certificates for tests, made by the openssl command: a private CA, what it signs (right, expired,
for another name, for clients), a stranger's CA and a self-signed certificate."""
import os
import subprocess

import host


class Certificates:
    """Every certificate as NAME.crt and NAME.key in `dir`; servers read copies made by `give`."""

    def __init__(self, folder):
        self.dir = folder
        host.tool("openssl", "openssl")
        self._authority("ca", "Rivet test CA")
        self._authority("stranger", "Somebody else's CA")
        self.signed("server", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1")
        self.signed("expired", "localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1", expired=True)
        self.signed("othername", "db.elsewhere.example", "subjectAltName=DNS:db.elsewhere.example")
        self.signed("client", "certuser", "extendedKeyUsage=clientAuth")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                      "-keyout", self.key("selfsigned"), "-out", self.crt("selfsigned"))

    def crt(self, name):
        return os.path.join(self.dir, name + ".crt")

    def key(self, name):
        return os.path.join(self.dir, name + ".key")

    def _openssl(self, *args):
        subprocess.run(["openssl", *args], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, cwd=self.dir)

    def _authority(self, name, common_name):
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", f"/CN={common_name}", "-keyout", self.key(name), "-out", self.crt(name))

    def signed(self, name, common_name, extension, expired=False, by="ca"):
        request, extensions = os.path.join(self.dir, name + ".csr"), os.path.join(self.dir, name + ".ext")
        with open(extensions, "w", encoding="utf-8") as f:
            f.write(extension + "\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                      f"/CN={common_name}", "-keyout", self.key(name), "-out", request)
        if expired:  # only `ca` takes an end in the past
            self._expired(request, extensions, name, by)
        else:
            self._openssl("x509", "-req", "-in", request, "-CA", self.crt(by), "-CAkey", self.key(by),
                          "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", self.crt(name))

    def _expired(self, request, extensions, name, by):
        conf = os.path.join(self.dir, name + ".cnf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f"[ca]\ndefault_ca = d\n[d]\ndatabase = {self.dir}/index\nnew_certs_dir = {self.dir}\n"
                    "rand_serial = yes\ndefault_md = sha256\npolicy = p\n[p]\ncommonName = supplied\n")
        with open(os.path.join(self.dir, "index"), "w", encoding="utf-8"):
            pass
        self._openssl("ca", "-batch", "-config", conf, "-in", request, "-cert", self.crt(by), "-keyfile", self.key(by),
                      "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-extfile", extensions, "-notext",
                      "-out", self.crt(name))

    def give(self, server, name, client_ca=None):
        """Installs a certificate in a PostgreSQL server's data directory and returns its settings."""
        conf = {"ssl": "on", "ssl_cert_file": "'server.crt'", "ssl_key_file": "'server.key'"}
        files = [(self.crt(name), "server.crt"), (self.key(name), "server.key")]
        if client_ca:
            conf["ssl_ca_file"] = "'ca.crt'"
            files.append((self.crt(client_ca), "ca.crt"))
        for source, target in files:
            _copy(source, os.path.join(server.data, target))
        return conf

    def lay(self, name, folder, by="ca"):
        """Copies a certificate where the servers' identity may read it: paths of it, its key and its
        authority."""
        paths = []
        for source in (self.crt(name), self.key(name), self.crt(by)):
            paths.append(os.path.join(folder, os.path.basename(source)))
            _copy(source, paths[-1])
        return tuple(paths)


def _copy(source, path):
    with open(source, "rb") as f, open(path, "wb") as g:
        g.write(f.read())
    host.own(path, 0o600)
