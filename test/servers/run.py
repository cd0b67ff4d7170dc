#!/usr/bin/env python3
"""Starts test servers for the length of a command.

usage: run.py SERVER[,SERVER..] [--version 15] [--pooler session|transaction|statement] -- COMMAND...

The command finds each server (a superuser on a server that holds nothing else) in its environment
variable: RIVET_TEST_PG_URL, RIVET_TEST_MARIADB_URL, RIVET_TEST_MYSQL_URL; RIVET_TEST_S3, RIVET_TEST_AZURE,
RIVET_TEST_GCS hold JSON objects. --version chooses PostgreSQL's; with --pooler, pgbouncer's URL is in
RIVET_TEST_PG_POOLER_URL. The exit code is the command's."""
import argparse
import contextlib
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import host  # noqa: E402
import pgbouncer  # noqa: E402
import postgres  # noqa: E402
import shared  # noqa: E402


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("servers", metavar="SERVER", help=", ".join(shared.SERVERS))
    ap.add_argument("--version", type=int, default=postgres.DEFAULT, choices=postgres.RELEASES)
    ap.add_argument("--pooler", choices=["session", "transaction", "statement"])
    given = sys.argv[1:]
    cut = given.index("--") if "--" in given else len(given)
    args, command = ap.parse_args(given[:cut]), given[cut + 1:]
    names = args.servers.split(",")
    if not command:
        ap.error("give a command after --")
    if set(names) - set(shared.SERVERS):
        ap.error(f"servers are {', '.join(shared.SERVERS)}")
    if args.version != postgres.DEFAULT:
        shared.SERVERS["postgres"] = (lambda: postgres.Postgres(args.version), shared.SERVERS["postgres"][1])
    env = dict(os.environ)
    with contextlib.ExitStack() as stack:
        try:
            for name in names:
                server, found = shared.enter(stack, name)
                env.update(found)
                if name == "postgres" and args.pooler:
                    env["RIVET_TEST_PG_POOLER_URL"] = stack.enter_context(pgbouncer.PgBouncer(server, args.pooler)).url()
        except host.Unavailable as why:
            sys.exit(f"run.py: {why}")
        return subprocess.run(command, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
