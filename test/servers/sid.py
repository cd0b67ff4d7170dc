"""Programs of Debian's newest suite beside the system: unpacked with all their libraries, its C
library included, and started through its loader. That suite only has its newest versions, so
nothing here is pinned."""
import glob
import os
import subprocess

import host

UNNEEDED = ("perl", "libperl", "debconf", "systemd")


def packages(name, *wanted):
    """The directory they are unpacked in."""
    return host.cached(name, lambda into: _unpack(into, wanted))


def command(home, program):
    """The start of a command line."""
    libs = os.path.join(home, "usr/lib/x86_64-linux-gnu")
    return [os.path.join(libs, "ld-linux-x86-64.so.2"), "--library-path", libs, os.path.join(home, "usr", program)]


def _mirror():
    """Where this system has its packages from."""
    apt = host.tool("apt-get", "apt")
    for codename in ("bookworm", "trixie", "forky"):
        found = subprocess.run([apt, "indextargets", "--format", "$(REPO_URI)", f"Codename: {codename}", "Component: main"],
                               capture_output=True, text=True, check=False).stdout.split()
        if found:
            return found[0]
    raise host.Unavailable("the newest packages of Debian: this is no Debian")


def _unpack(into, wanted):
    apt, deb = os.path.join(into, "apt"), host.tool("dpkg-deb", "dpkg")
    for d in ("lists/partial", "c/partial", "debs/partial", "none"):
        os.makedirs(os.path.join(apt, d))
    for name, text in (("status", ""), ("list", "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] "
                                                f"{_mirror()} sid main\n")):
        with open(os.path.join(apt, name), "w", encoding="utf-8") as f:
            f.write(text)
    places = {"Dir::Etc::sourcelist": "list", "Dir::Etc::sourceparts": "none", "Dir::Etc::preferencesparts": "none",
              "Dir::State::lists": "lists", "Dir::State::status": "status", "Dir::Cache": "c", "Dir::Cache::archives": "debs"}
    options = ["-qq", "-y", "--no-install-recommends", "-o", "APT::Sandbox::User=root"]
    for key, place in places.items():
        options += ["-o", f"{key}={os.path.join(apt, place)}"]
    what = " ".join(wanted)
    host.fetch(what, "apt-get", *options, "update", cwd=into)
    host.fetch(what, "apt-get", *options, "-d", "install", *wanted, cwd=into, env={"DEBIAN_FRONTEND": "noninteractive"})
    for path in glob.glob(os.path.join(apt, "debs", "*.deb")):
        if not os.path.basename(path).startswith(UNNEEDED):
            host.fetch(what, deb, "-x", path, into, cwd=into)
            os.remove(path)
