"""Every TLS mode against every kind of certificate, for each engine: present(name) makes the server show
a certificate (None: no TLS), attempt(block) is one doctor run and says 'tls', 'plain' or 'no'."""
import re
import socket

from lib import Skip

MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
# certificate of the server -> (ca_file, what each of MODES does with it)
MATRIX = {"server": [("ca", "plain tls tls tls tls"), ("stranger", "plain tls tls no no"), (None, "plain tls tls no no")],
          "expired": [("ca", "plain tls tls no no")], "othername": [("ca", "plain tls tls tls no")],
          "selfsigned": [("ca", "plain tls tls no no"), ("selfsigned", "plain tls tls tls tls")],
          None: [("ca", "plain plain no no no")]}


def matrix(certs, present, attempt):
    wrong = []
    for certificate, rows in MATRIX.items():
        present(certificate)
        for ca, outcomes in rows:
            for mode, want in zip(MODES, outcomes.split()):
                block = {"mode": mode, **({"ca_file": certs.crt(ca)} if ca else {})}
                got, r = attempt(block)
                if got != want:
                    wrong.append((certificate, ca, mode, got, "want " + want, r.out[-300:] + r.err[-300:]))
                if want == "no" and not (r.code == 1 and re.search(r"(?i)\btls\b|ssl|certificate", r.out + r.err)):
                    wrong.append((certificate, ca, mode, "exit", r.code, r.out[-300:]))
    assert not wrong, "\n".join(map(str, wrong))


def own_address():
    """An address of this machine that is not loopback, without sending anything."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
            found = s.getsockname()[0]
        except OSError:
            found = "127.0.0.1"
    if found.startswith("127."):
        raise Skip("this machine has no address but loopback")
    return found
