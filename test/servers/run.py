#!/usr/bin/env python3
"""Starts a test server for the length of a command.

usage: run.py postgres [--version 15] [--pooler session|transaction|statement] -- COMMAND...

The command finds the server's URL in RIVET_TEST_PG_URL (a superuser on a server that holds nothing
else) and, with --pooler, the pooler's in RIVET_TEST_PG_POOLER_URL. The exit code is the command's."""
import argparse
import contextlib
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import host  # noqa: E402
import pgbouncer  # noqa: E402
import postgres  # noqa: E402


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("server", choices=["postgres"])
    ap.add_argument("--version", type=int, default=postgres.DEFAULT, choices=postgres.RELEASES)
    ap.add_argument("--pooler", choices=["session", "transaction", "statement"])
    given = sys.argv[1:]
    cut = given.index("--") if "--" in given else len(given)
    args, command = ap.parse_args(given[:cut]), given[cut + 1:]
    if not command:
        ap.error("give a command after --")
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(postgres.Postgres(args.version))
            env = {**os.environ, "RIVET_TEST_PG_URL": server.url()}
            if args.pooler:
                env["RIVET_TEST_PG_POOLER_URL"] = stack.enter_context(pgbouncer.PgBouncer(server, args.pooler)).url()
        except host.Unavailable as why:
            sys.exit(f"run.py: {why}")
        return subprocess.run(command, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
