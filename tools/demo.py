#!/usr/bin/env python3
"""The main job on a database anyone can make: shop -> rivet init, check, run, validate -> Parquet."""
import argparse
import glob
import os
import subprocess
import sys

import shop


def step(title, *command, env):
    shown = " ".join(["rivet", *command[1:]])
    print(f"\n\033[1m== {title}\033[0m\n$ {shown}" if sys.stdout.isatty() else f"\n== {title}\n$ {shown}", flush=True)
    code = subprocess.run(command, env=env).returncode
    if code:
        sys.exit(f"'{shown}' ended with exit code {code}")


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--rivet", required=True)
    ap.add_argument("--dir", default="demo")
    ap.add_argument("--scale", type=float, default=1.0)
    args = ap.parse_args()
    rivet = os.path.abspath(args.rivet)
    os.makedirs(args.dir, exist_ok=True)
    os.chdir(args.dir)
    print("== making shop.db (SQLite, about a million rows)", flush=True)
    print(f"{shop.make('shop.db', args.scale)} rows in 5 tables and a view")
    for old in glob.glob("rivet.yaml"):
        os.remove(old)
    env = {**os.environ, "DATABASE_URL": "sqlite:shop.db"}
    step("a configuration from the database", rivet, "init", "--source-env", "DATABASE_URL", "-o", "rivet.yaml", env=env)
    step("what would a run do to the source?", rivet, "check", "-c", "rivet.yaml", env=env)
    step("the export", rivet, "run", "-c", "rivet.yaml", "--validate", env=env)
    step("are the files what the manifest says?", rivet, "validate", "-c", "rivet.yaml", "--depth", "full", env=env)
    parts = sorted(glob.glob("output/**/orders_2*.parquet", recursive=True))
    step("first rows of one of them", rivet, "head", parts[-1], "-n", "5", env=env)
    print(f"\nThe Parquet files lie in {os.path.abspath('output')}")
    print("Look at them with any reader, for example:")
    print(f"  duckdb -c \"SELECT * FROM '{parts[-1]}' LIMIT 5\"")
    print("Again, only what is new:  cd " + args.dir + " && DATABASE_URL=sqlite:shop.db rivet run")


if __name__ == "__main__":
    main()
