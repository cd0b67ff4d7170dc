#!/usr/bin/env python3
"""Runs the functions test_* of every test_*.py beside this file (and below); closes with
'N passed, N failed, N skipped'. --only PART runs the tests whose module.name contains PART."""
import argparse
import concurrent.futures
import importlib.util
import inspect
import itertools
import os
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import lib  # noqa: E402


def modules(folder):
    for root, _, names in os.walk(folder):
        for name in sorted(names):
            if name.startswith("test_") and name.endswith(".py"):
                path = os.path.join(root, name)
                spec = importlib.util.spec_from_file_location(name[:-3], path)
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                yield module


def run(test, case=None):
    started = time.time()
    place = lib.Place()
    try:
        test(place, case) if case else test(place)
        return "ok", "", time.time() - started
    except lib.Skip as why:
        return "skip", str(why), time.time() - started
    except BaseException:
        return "fail", traceback.format_exc(), time.time() - started
    finally:
        place.close()


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--rivet", required=True)
    ap.add_argument("--faulty", help="a test build with fault points")
    ap.add_argument("--all", action="store_true")
    ap.add_argument("--only", default="")
    ap.add_argument("--times", action="store_true", help="what each test took")
    ap.add_argument("--folder", default=HERE)
    args = ap.parse_args()
    lib.RIVET = os.path.abspath(args.rivet)
    lib.FAULTY = os.path.abspath(args.faulty) if args.faulty else None
    tests = []
    for module in modules(args.folder):
        for name, fn in inspect.getmembers(module, inspect.isfunction):
            label = f"{module.__name__[5:]}.{name[5:]}"
            if name.startswith("test_") and fn.__module__ == module.__name__:
                if getattr(fn, "long", False) and not args.all:
                    continue
                tests += [(f"{label}_{c}" if c else label, fn, c) for c in getattr(fn, "cases", [None])
                          if args.all or c not in getattr(fn, "long_cases", ())]
    tests = [t for t in tests if args.only in t[0]]
    count = {"ok": 0, "fail": 0, "skip": 0}
    alone = [t for t in tests if getattr(t[1], "alone", False)]  # they measure: nothing beside them
    tests = [t for t in tests if t not in alone]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        outcomes = itertools.chain(pool.map(lambda t: run(*t[1:]), tests), (run(*t[1:]) for t in alone))
        for (label, *_), (verdict, text, took) in zip(tests + alone, outcomes):
            count[verdict] += 1
            if args.times:
                print(f"{took:6.1f} s {verdict:4} {label}", flush=True)
            if verdict == "skip":
                print(f"SKIP {label}: {text}", flush=True)
            elif verdict == "fail":
                print(f"FAIL {label} ({took:.1f} s)\n{text}", flush=True)
    print(f"{count['ok']} passed, {count['fail']} failed, {count['skip']} skipped")
    sys.exit(1 if count["fail"] else 0)


if __name__ == "__main__":
    main()
