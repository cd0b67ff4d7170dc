#!/usr/bin/env python3
"""Format, layers, sizes, banned calls, headers alone, clang (warnings are errors), clang-tidy,
cppcheck. Each is one check; the last line counts them. `check.py NAME...` runs some only."""
import concurrent.futures
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JOBS = os.cpu_count() or 2
os.chdir(ROOT)

# Higher may include lower; rooms in one row never include each other.
LAYERS = [["cli"], ["engine"], ["source", "format", "destination", "state"],
          ["config"], ["column", "codec", "pg", "net", "mysql"], ["base"]]
LEVEL = {room: i for i, row in enumerate(LAYERS) for room in row}

BANNED = {
    r"\b(malloc|calloc|realloc|strdup|strndup|asprintf|vasprintf)\s*\(": "base/mem.h is the door to the heap",
    r"\b(gets|strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|alloca)\s*\(": "unbounded or unchecked",
    r"\b(fopen|open|creat|fwrite|fsync|rename|unlink|link)\s*\(": "base/file.h is the door to files",
    r"\b(setjmp|longjmp|system|popen)\s*\(": "not in this house",
    r"\bgetenv\s*\(": "the environment comes through rv_env",
}
# folder or file prefix -> patterns it may use, and why
ALLOWED = {
    "src/base/": ".*",                        # the doors themselves
    "src/cli/": r"getenv|open",               # binds the environment and the terminal
    "src/destination/local/": r"link|open|rename|unlink",
    "src/codec/": r"malloc",
}
FUNCTION_MAX, FILE_MAX, HEADER_MAX = 100, 800, 250
EXEMPT_HEADERS = {"src/state/state.h", "src/config/config.h", "src/source/source.h"}  # one contract each, read as a page


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *patterns],
                         capture_output=True, text=True, check=True)
    return sorted(f for f in out.stdout.split() if os.path.exists(f))


def sources():
    return tracked("src/*.c", "src/**/*.c")


def headers():
    return tracked("src/*.h", "src/**/*.h")


def strip(text):
    """Source without comments and string contents, same line numbers."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def check_format():
    files = tracked("src/*.c", "src/**/*.c", "src/*.h", "src/**/*.h", "test/**/*.c", "test/**/*.h",
                    "fuzz/*.[ch]", "bench/*.[ch]")
    out = subprocess.run(["clang-format-14", "--dry-run", *files], capture_output=True, text=True)
    return sorted(set(re.findall(r"^(\S+?):\d+:\d+: warning", out.stderr, re.M)))


def room_of(path):
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else None


def check_layers():
    bad = []
    for f in sources() + headers():
        room = room_of(f)
        for n, line in enumerate(open(f, encoding="utf-8"), 1):
            m = re.match(r'#include "([a-z_]+)/([^"]+)"', line)
            if not m or room is None:
                continue
            target = m.group(1)
            if target not in LEVEL:
                bad.append(f"{f}:{n}: unknown room {target}")
            elif target != room and LEVEL[target] <= LEVEL[room]:
                bad.append(f"{f}:{n}: {room} must not include {target}")
            elif m.group(2).endswith("_internal.h") and os.path.dirname(f) != "src/" + os.path.dirname(
                    target + "/" + m.group(2)):
                bad.append(f"{f}:{n}: a private header leaves its folder")
    return bad


def check_sizes():
    bad = []
    for f in sources() + headers():
        text = open(f, encoding="utf-8").read()
        lines = text.count("\n")
        limit = HEADER_MAX if f.endswith(".h") else FILE_MAX
        if lines > limit and f not in EXEMPT_HEADERS:
            bad.append(f"{f}: {lines} lines, limit {limit}")
        start = None
        for n, line in enumerate(strip(text).split("\n"), 1):
            if line.startswith("{"):
                start = n
            elif line.startswith("}") and start:
                if n - start > FUNCTION_MAX and "size-exempt" not in text:
                    bad.append(f"{f}:{start}: function of {n - start} lines, limit {FUNCTION_MAX}")
                start = None
    return bad


def check_banned():
    bad = []
    for f in sources():
        allowed = [v for k, v in ALLOWED.items() if f.startswith(k)]
        for n, line in enumerate(strip(open(f, encoding="utf-8").read()).split("\n"), 1):
            for pattern, why in BANNED.items():
                m = re.search(r"(?<![\w.>])" + pattern.lstrip(r"\b"), line)
                if m and not any(re.match(a, m.group(1) if m.groups() else m.group(0)) for a in allowed):
                    bad.append(f"{f}:{n}: {m.group(0).strip()}: {why}")
            if re.match(r"^(static\s+)?(?!const|typedef|extern)[\w\s*]+\b\w+\s*(\[[^\]]*\])?\s*=\s*[^=]", line) \
                    and re.match(r"^static\s+(?!const\b)(?!_Thread_local)(?!inline)[\w\s*]+=", line) \
                    and "const" not in line and not f.startswith("src/base/fault"):
                bad.append(f"{f}:{n}: a mutable global")
    return bad


def check_words():
    bad = []
    for f in tracked("src", "test", "tools", "docs", "fuzz", "bench", "*.md", "dev", ".ci", "examples"):
        if f == "tools/check.py" or not os.path.isfile(f):
            continue
        try:
            text = open(f, encoding="utf-8").read()
        except UnicodeDecodeError:
            continue
        for n, line in enumerate(text.split("\n"), 1):
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                bad.append(f"{f}:{n}: {line.strip()[:80]}")
    return bad


def parallel(command, files):
    def one(f):
        done = subprocess.run(command(f), capture_output=True, text=True)
        return (f, done.stdout + done.stderr) if done.returncode else None
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return [f"{r[0]}:\n{r[1][-1500:]}" for r in pool.map(one, files) if r]


def check_headers():
    base = ["gcc", "-std=c17", "-D_GNU_SOURCE", "-Isrc", "-isystem", "/usr/include/postgresql", "-isystem", "/usr/include/mariadb",
            "-fsyntax-only", "-Wall", "-Wextra", "-x", "c"]
    return parallel(lambda f: base + [f], headers())


def check_clang():
    if not os.path.exists("build/clang/build.ninja"):
        subprocess.run(["cmake", "--preset", "clang"], check=True, capture_output=True)
    done = subprocess.run(["cmake", "--build", "--preset", "clang", "-j", str(JOBS)], capture_output=True, text=True)
    return [done.stdout[-3000:]] if done.returncode else []


def check_tidy():
    return parallel(lambda f: ["clang-tidy-14", "-p", "build/clang", "--quiet", f], sources())


def check_cppcheck():
    done = subprocess.run(["cppcheck", "--std=c11", "--enable=warning,performance,portability", "--inline-suppr",
                           "--suppress=missingIncludeSystem", "--suppress=nullPointerArithmeticRedundantCheck",
                           "--suppress=normalCheckLevelMaxBranches", "-DRIVET_VERSION=\"0\"", "-D_GNU_SOURCE",
                           "-Isrc", "-j", str(JOBS), "--quiet", "--error-exitcode=3", "src"],
                          capture_output=True, text=True)
    return [done.stderr[-4000:]] if done.returncode else []


CHECKS = {"format": check_format, "layers": check_layers, "sizes": check_sizes, "banned": check_banned,
          "words": check_words, "headers": check_headers, "clang": check_clang, "tidy": check_tidy,
          "cppcheck": check_cppcheck}


def main():
    wanted = sys.argv[1:] or list(CHECKS)
    passed = failed = 0
    for name in wanted:
        bad = CHECKS[name]()
        print(f"{'FAIL' if bad else 'ok  '} {name}", flush=True)
        for line in bad[:25]:
            print("   ", line)
        failed += bool(bad)
        passed += not bad
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
