"""The servers that a whole suite shares, by name, and the environment that tells the tests of them."""
import json

import azurite
import gcs_double
import host
import mariadb
import moto
import mysql
import postgres

SERVERS = {  # name: (how it is started, what its tests find in the environment)
    "postgres": (lambda: postgres.Postgres(conf={"max_connections": "200"}), lambda s: {"RIVET_TEST_PG_URL": s.url()}),
    "mariadb": (lambda: mariadb.MariaDb(binlog=True), lambda s: {"RIVET_TEST_MARIADB_URL": s.url()}),
    "mysql": (lambda: mysql.MySql(binlog=True), lambda s: {"RIVET_TEST_MYSQL_URL": s.url()}),
    "moto": (moto.Moto, lambda s: {"RIVET_TEST_S3": json.dumps(s.facts())}),
    "gcs": (gcs_double.GcsDouble, lambda s: {"RIVET_TEST_GCS": json.dumps(s.facts())}),
    "azurite": (azurite.Azurite, lambda s: {"RIVET_TEST_AZURE": json.dumps(s.facts())}),
}


def enter(stack, name):
    """Starts one for the length of the stack; returns it and its environment."""
    start, environment = SERVERS[name]
    server = stack.enter_context(start())
    return server, environment(server)


def environment(stack, names=None):
    """Of all servers or the named ones; returns it and why others are not there, by name."""
    found, absent = {}, {}
    for name in names or SERVERS:
        try:
            found.update(enter(stack, name)[1])
        except host.Unavailable as why:
            absent[name] = str(why)
    return found, absent
