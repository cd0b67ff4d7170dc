#!/usr/bin/env python3
"""Runs the suites and adds up what they counted. Every suite closes with a line
'N passed, N failed, N skipped'; the sum is the last line here. Exit 1 when anything failed."""
import argparse
import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
JOBS = os.cpu_count() or 2
sys.path.insert(0, os.path.join(ROOT, "test", "servers"))
import host  # noqa: E402
import shared  # noqa: E402
import versitygw  # noqa: E402

CLOSING = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.M)


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.broken = []

    def add(self, name, output, code):
        found = CLOSING.findall(output)
        if not found:
            self.failed += 1
            self.broken.append(name)
            print(f"--- {name} did not finish (exit {code})\n{output[-4000:]}", flush=True)
            return
        p, f, s = map(int, found[-1])
        if code != 0 and f == 0:
            f = 1
        self.passed, self.failed, self.skipped = self.passed + p, self.failed + f, self.skipped + s
        for line in output.splitlines():
            if line.startswith("SKIP "):
                print(f"{name}: {line}", flush=True)
        if f:
            self.broken.append(name)
            print(f"--- {name}\n{output[-6000:]}", flush=True)


def sh(*args, env=None, timeout=1800):
    started = time.time()
    try:
        done = subprocess.run(args, cwd=ROOT, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
        return done.stdout.decode("utf-8", "replace"), done.returncode, time.time() - started
    except subprocess.TimeoutExpired as e:
        return (e.stdout or b"").decode("utf-8", "replace") + "\ntimed out", 124, time.time() - started


def build(preset, *targets):
    if not os.path.exists(os.path.join(ROOT, "build", preset, "build.ninja")):
        out, code, _ = sh("cmake", "--preset", preset)
        if code:
            sys.exit(f"configuring {preset} failed\n{out}")
    args = ["cmake", "--build", "--preset", preset, "-j", str(JOBS)]
    if targets:
        args += ["--target", *targets]
    out, code, took = sh(*args, timeout=3600)
    if code:
        sys.exit(f"building {preset} failed\n{out[-8000:]}")
    print(f"== built {preset} in {took:.0f} s", flush=True)


def unit_tests(preset, only=None):
    out, code, _ = sh("ctest", "--test-dir", f"build/{preset}", "--show-only=json-v1")
    if code:
        sys.exit(out)
    tests = json.loads(out[out.index("{"):])["tests"]
    return [(t["name"], t["command"]) for t in tests if "command" in t and (not only or only(t["name"]))]


def run_units(tally, preset, env, only=None):
    tests = unit_tests(preset, only)
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        jobs = {pool.submit(sh, *cmd, env=env, timeout=900): name for name, cmd in tests}
        for job in concurrent.futures.as_completed(jobs):
            output, code, took = job.result()
            tally.add(f"{preset} {jobs[job]}", output, code)
            if took > 60:
                print(f"   ({jobs[job]} took {took:.0f} s)", flush=True)


def third_party():
    """Parquet files of the format's own test collection, when they lie beside the checkout."""
    folder = os.path.join(os.path.dirname(ROOT), "shared", "data", "parquet-testing")
    if "RIVET_PARQUET_TESTING" in os.environ or not os.path.isdir(folder):
        return {}
    return {"RIVET_PARQUET_TESTING": folder}


class Servers:
    """The servers that the suites share: started once, when first asked for; what cannot be had is a
    named skip."""

    def __init__(self, tally):
        self.tally, self.stack, self.env = tally, contextlib.ExitStack(), None

    def environment(self):
        if self.env is None:
            self.env, absent = shared.environment(self.stack)
            for name, why in absent.items():
                print(f"SKIP {name} server: {why}", flush=True)
                self.tally.skipped += 1
        return self.env


SANITIZE = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:allocator_may_return_null=1",
            "UBSAN_OPTIONS": "print_stacktrace=1", "TSAN_OPTIONS": "halt_on_error=1"}


def run_strict_store(tally):
    """The S3 store against the server that verifies most: payloads, checksums and sizes of parts."""
    with contextlib.ExitStack() as stack:
        try:
            facts = stack.enter_context(versitygw.VersityGw()).facts()
        except host.Unavailable as why:
            print(f"SKIP versitygw: {why}", flush=True)
            tally.skipped += 1
            return
        run_units(tally, "asan", {**SANITIZE, "RIVET_TEST_S3": json.dumps(facts)},
                  only=lambda n: n == "destination_test_s3_server")


def suite_unit(tally, opts):
    build("asan")
    samples = os.path.join(ROOT, "build", "interop")
    shutil.rmtree(samples, ignore_errors=True)
    os.makedirs(samples)
    run_units(tally, "asan", {**SANITIZE, **third_party(), **opts.servers.environment(), "RV_INTEROP_DIR": samples})
    run_strict_store(tally)
    out, code, _ = sh(python(), "test/interop/check_parquet.py", samples, timeout=900)
    tally.add("interop", out, code)


def suite_threads(tally, opts):
    rooms = ("base_", "net_", "engine_", "state_", "pg_", "mysql_", "destination_", "source_", "column_test_builder")
    build("tsan")
    run_units(tally, "tsan", {**SANITIZE, **opts.servers.environment()}, only=lambda n: n.startswith(rooms))


def suite_check(tally, opts):
    out, code, _ = sh("bash", "dev", "check", timeout=2400)
    tally.add("check", out, code)


def python():
    out, code, _ = sh("bash", "-c", "source <(sed -n '/^venv()/,/^}/p' dev); venv", timeout=1200)
    if code:
        sys.exit("the readers for the tests could not be installed\n" + out)
    return out.strip().splitlines()[-1]


def suite_integration(tally, opts):
    build("release")
    build("dev", "rivet")
    out, code, took = sh(python(), "test/integration/run.py", "--rivet", "build/release/rivet", "--faulty", "build/dev/rivet",
                         *(["--all"] if opts.all else []), env=opts.servers.environment(), timeout=2400)
    print(f"== integration took {took:.0f} s", flush=True)
    tally.add("integration", out, code)


def suite_docs(tally, opts):
    build("release")
    out, code, _ = sh(python(), "test/docs/check_docs.py", "--rivet", "build/release/rivet")
    tally.add("docs", out, code)


def suite_kill(tally, opts):
    build("release")
    build("dev", "rivet")
    out, code, took = sh(python(), "test/kill/kill.py", "--rivet", "build/dev/rivet", "--release", "build/release/rivet",
                         *(["500", "--every-point"] if opts.all else ["5"]), env=opts.servers.environment(), timeout=36000)
    print(f"== kill took {took:.0f} s", flush=True)
    tally.add("kill", out, code)


def suite_model(tally, opts):
    build("dev", "rivet")
    out, code, took = sh(python(), "test/model/explore.py", "--faulty", "build/dev/rivet",
                         *(["--deep"] if opts.all else []), timeout=7200)
    print(f"== model took {took:.0f} s", flush=True)
    tally.add("model", out, code)


SUITES = {"unit": suite_unit, "integration": suite_integration, "kill": suite_kill, "model": suite_model,
          "docs": suite_docs, "threads": suite_threads, "check": suite_check}


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--all", action="store_true", help="the long suites too")
    ap.add_argument("--only", choices=SUITES, help="one suite")
    opts = ap.parse_args()
    tally = Tally()
    if opts.all:
        os.environ["RIVET_TEST_EXTENDED"] = "1"
    opts.servers = Servers(tally)
    with opts.servers.stack:
        for name, run in SUITES.items():
            if opts.only and name != opts.only:
                continue
            print(f"== {name}", flush=True)
            run(tally, opts)
    if tally.broken:
        print("failed: " + ", ".join(tally.broken))
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    sys.exit(1 if tally.failed else 0)


if __name__ == "__main__":
    main()
