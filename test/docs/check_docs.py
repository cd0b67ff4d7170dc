#!/usr/bin/env python3
"""What the documentation prints is true: every YAML block and example that is a configuration loads,
every relative link and anchor resolves, every `rivet` command line parses, every test that is named
exists. Usage: check_docs.py --rivet BIN. Closes with 'N passed, N failed, N skipped'."""
import argparse
import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.M | re.S)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.M)
FLAG = re.compile(r"(?<![\w-])(--[a-z][a-z0-9-]*|-[a-zA-Z])(?![\w-])")
MODULES = "|".join(sorted(os.path.basename(p)[5:-3] for p in glob.glob(os.path.join(ROOT, "test", "integration", "test_*.py"))))
TEST = re.compile(rf"`(crash_\d\d_[a-z_]+|(?:{MODULES})\.[a-z_0-9]+|test/[a-z_/]+\.[a-z]+(?:::[a-z_0-9]+)?)`")
PROGRAMS = {"rivet", "/usr/local/bin/rivet", "build/release/rivet"}
VALUED = {"--lock-wait", "-c", "--config"}
STOPS = {"|", "||", "&&", ";", "&", ">", ">>", "<", "2>", "2>>"}


def pages():
    found = glob.glob(os.path.join(ROOT, "docs", "**", "*.md"), recursive=True)
    return sorted(found + glob.glob(os.path.join(ROOT, "*.md")) + glob.glob(os.path.join(ROOT, "bench", "*.md")))


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def line_of(text, at):
    return text.count("\n", 0, at) + 1


class Rivet:
    def __init__(self, binary):
        self.binary = os.path.abspath(binary)
        self.helps = {}

    def run(self, *args, cwd=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("RIVET_", "RUST_LOG"))}
        done = subprocess.run([self.binary, *args], cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        return done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace")

    def help(self, words):
        """The help of a command, or None. The flags before the command belong to every command."""
        key = tuple(words)
        if key not in self.helps:
            code, text = self.run(*words, "--help")
            self.helps[key] = text if code == 0 else None
        return self.helps[key]


# ---- configurations ----

def configs():
    """Name and text of everything that is a whole rivet.yaml."""
    for path in sorted(glob.glob(os.path.join(ROOT, "examples", "*.yaml"))):
        yield os.path.relpath(path, ROOT), read(path)
    for path in pages():
        text = read(path)
        for m in FENCE.finditer(text):
            if m[1] in ("yaml", "yml"):
                yield f"{os.path.relpath(path, ROOT)}:{line_of(text, m.start())}", m[2]


def check_config(rivet, text):
    """`state show` reads the whole file and connects to nothing. Placeholders stay as they are."""
    if not re.search(r"^(source|exports):", text, re.M):
        return "a yaml block that is no configuration: fence it as text"
    with tempfile.TemporaryDirectory(prefix="rivet-docs-") as folder:
        with open(os.path.join(folder, "rivet.yaml"), "w", encoding="utf-8") as f:
            f.write(text)
        code, out = rivet.run("state", "show", "--config", "rivet.yaml", cwd=folder)
        return out.strip() if code else None


# ---- links ----

def slug(heading):
    """GitHub's anchor: markup dropped, lower case, punctuation dropped, blanks to hyphens."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(path):
    seen, out = {}, set()
    for m in HEADING.finditer(FENCE.sub("", read(path))):
        s = slug(m[1])
        n = seen.get(s, 0)
        seen[s] = n + 1
        out.add(s if n == 0 else f"{s}-{n}")
    return out


def check_link(page, target):
    if re.match(r"[a-z]+:", target):
        return None
    path, _, anchor = target.partition("#")
    full = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
    if not os.path.exists(full):
        return f"{target}: there is no {os.path.relpath(full, ROOT)}"
    if anchor and (os.path.isdir(full) or anchor not in anchors(full)):
        return f"{target}: {os.path.relpath(full, ROOT)} has no heading #{anchor}"
    return None


# ---- command lines ----

def command_lines(block):
    for line in block.replace("\\\n", " ").split("\n"):
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        lexer.commenters = "#"
        try:
            words = list(lexer)
        except ValueError:
            continue
        while words:
            end = next((i for i, w in enumerate(words) if w in STOPS), len(words))
            part, words = words[:end], words[end + 1:]
            while part and re.fullmatch(r"[A-Z_]+=.*", part[0]):
                part.pop(0)
            if part and part[0] in PROGRAMS:
                yield part[1:]


def known_flags(text):
    return set(FLAG.findall(re.sub(r"(?s)\nExample:.*", "", text)))


def split_command(rivet, args):
    """The words of the command and the flags given; words behind the first flag are values."""
    words, flags, at = [], [], 0
    while at < len(args):
        arg = args[at]
        if arg.startswith("-") and len(arg) > 1:
            flags.append(arg.partition("=")[0])
            at += 1 if arg in VALUED and not words else 0  # a global flag in front of the command
        elif not words or f"rivet {' '.join(words + [arg])}:" in (rivet.help(words + [arg]) or ""):
            words.append(arg)
            if rivet.help(words) is None:
                return None, flags
        at += 1
    return words, flags


def check_command(rivet, args):
    words, flags = split_command(rivet, args)
    if words is None:
        return f"rivet {' '.join(args)}: no such command"
    known = known_flags(rivet.help(words))
    for flag in flags:
        if flag not in known:
            return f"rivet {' '.join(args)}: '{' '.join(words)}' has no flag {flag}"
    return None


# ---- tests that are named ----

def defined_tests():
    found = set()
    for path in glob.glob(os.path.join(ROOT, "test", "integration", "test_*.py")):
        found |= {(os.path.basename(path)[5:-3], n) for n in re.findall(r"^def test_(\w+)\(", read(path), re.M)}
    return found


def check_test(tests, name):
    """`module.name`, `crash_..`, a file under test/, or a C file and one of its cases."""
    path, _, case = name.partition("::")
    if path.startswith("test/"):
        full = os.path.join(ROOT, path)
        if not os.path.isfile(full) or (case and not re.search(rf"\b{case}\b", read(full))):
            return f"there is no test {name}"
        return None
    module, _, test = name.rpartition(".")
    if not module:
        module, test = "crash_table", name
    return None if (module, test) in tests else f"there is no test {name}"


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--rivet", required=True)
    rivet = Rivet(ap.parse_args().rivet)
    passed, failed, tests = 0, 0, defined_tests()
    found = [(where, check_config(rivet, text)) for where, text in configs()]
    for page in pages():
        text, name = read(page), os.path.relpath(page, ROOT)
        for m in LINK.finditer(FENCE.sub(lambda f: "\n" * f[0].count("\n"), text)):
            found.append((f"{name}: link", check_link(page, m[1])))
        for m in TEST.finditer(text):
            found.append((f"{name}: test", check_test(tests, m[1])))
        for m in FENCE.finditer(text):
            if m[1] == "bash":
                for args in command_lines(m[2]):
                    found.append((f"{name}:{line_of(text, m.start())}", check_command(rivet, args)))
    for where, problem in found:
        passed, failed = passed + (not problem), failed + bool(problem)
        if problem:
            print(f"FAIL {where}: {problem}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
