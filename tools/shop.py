#!/usr/bin/env python3
"""Makes the shop: a SQLite database of about a million rows that looks like a real one. The same
arguments give the same rows. Used by `./dev demo`, the tests and the benchmarks."""
import argparse
import datetime
import json
import os
import random
import sqlite3
import sys

CITIES = ["Berlin", "München", "Zürich", "Kraków", "São Paulo", "東京", "Αθήνα", "Москва", "Reykjavík", "Hà Nội",
          "Łódź", "القاهرة", "Montréal", "Göteborg", "서울", "İstanbul"]
FIRST = ["Ana", "Björn", "Chloé", "Dmitri", "Élise", "Fatima", "Günther", "Hiro", "Iñaki", "Jürgen", "Kwame",
         "Līga", "María", "Ngọc", "Øystein", "Paweł", "Quim", "Renée", "Søren", "Zoë"]
LAST = ["Müller", "García", "Nguyễn", "O'Brien", "Kowalski", "Andersson", "Şahin", "Petrović", "Rossi", "Smith",
        "Yamada", "Dubois", "Novák", "Silva", "Ivanov", "Okafor"]
THINGS = ["lamp", "chair", "teapot", "notebook", "bicycle bell", "umbrella", "wool socks", "desk", "fountain pen",
          "kettle", "backpack", "mirror", "clock", "rug", "vase", "headphones"]
STATUS = ["paid", "paid", "paid", "shipped", "shipped", "delivered", "delivered", "delivered", "cancelled", "refunded"]
WORDS = ("arrived early and works as described but the packaging was damaged would buy again colour differs from "
         "the photo great value for money sehr gut funktioniert prima excelente calidad très bon produit").split()
SCHEMA = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, email VARCHAR(120) NOT NULL, name TEXT NOT NULL, city TEXT,
  vip BOOLEAN NOT NULL, credit DECIMAL(12,2), born DATE, preferences JSON, created_at TIMESTAMP NOT NULL);
CREATE TABLE products (sku VARCHAR(16) NOT NULL PRIMARY KEY, title TEXT NOT NULL, price DECIMAL(10,2) NOT NULL,
  weight_kg REAL, tags JSON, thumbnail BLOB, discontinued BOOLEAN NOT NULL) WITHOUT ROWID;
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, status TEXT NOT NULL,
  total DECIMAL(14,2) NOT NULL, currency CHAR(3) NOT NULL, placed_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL,
  note TEXT);
CREATE INDEX orders_updated ON orders(updated_at);
CREATE TABLE order_items (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL, line_no INTEGER NOT NULL,
  sku VARCHAR(16) NOT NULL, title TEXT NOT NULL, quantity INTEGER NOT NULL, unit_price DECIMAL(10,2) NOT NULL,
  discount REAL, gift BOOLEAN NOT NULL, warehouse TEXT, picked_at TIMESTAMP, comment TEXT);
CREATE TABLE reviews (id INTEGER PRIMARY KEY, sku VARCHAR(16) NOT NULL, stars INTEGER, body TEXT, meta JSON,
  written_at TIMESTAMP);
CREATE VIEW revenue AS SELECT status, count(*) AS orders, sum(total) AS total FROM orders GROUP BY status;
"""
DAY0 = datetime.datetime(2023, 1, 1)


def stamp(rnd, days=900):
    at = DAY0 + datetime.timedelta(seconds=rnd.randrange(days * 86400))
    return at.strftime("%Y-%m-%d %H:%M:%S")


def customers(rnd, n):
    for i in range(1, n + 1):
        first, last = rnd.choice(FIRST), rnd.choice(LAST)
        yield (i, f"{first.lower()}.{i}@example.org", f"{first} {last}", rnd.choice(CITIES) if i % 9 else None,
               i % 50 == 0, f"{rnd.randrange(500000) / 100:.2f}" if i % 3 else None,
               (datetime.date(1940, 1, 1) + datetime.timedelta(days=rnd.randrange(24000))).isoformat(),
               json.dumps({"newsletter": i % 2 == 0, "theme": rnd.choice(["dark", "light"])}) if i % 4 else None,
               stamp(rnd))


def products(rnd, n):
    for i in range(1, n + 1):
        yield (f"SKU-{i:06d}", f"{rnd.choice(THINGS)} No. {i}", f"{rnd.randrange(100, 100000) / 100:.2f}",
               rnd.randrange(1, 50000) / 1000 if i % 7 else None, json.dumps(rnd.sample(THINGS, 3)),
               rnd.randbytes(rnd.randrange(16, 200)) if i % 5 else None, i % 31 == 0)


def orders(rnd, n, n_customers):
    for i in range(1, n + 1):
        placed = DAY0 + datetime.timedelta(seconds=i * 300 + rnd.randrange(300))
        updated = placed + datetime.timedelta(seconds=rnd.randrange(86400 * 20))
        yield (i, rnd.randrange(1, n_customers + 1), rnd.choice(STATUS), f"{rnd.randrange(500, 300000) / 100:.2f}",
               "EUR" if i % 3 else "CHF", placed.strftime("%Y-%m-%d %H:%M:%S"), updated.strftime("%Y-%m-%d %H:%M:%S"),
               " ".join(rnd.choices(WORDS, k=rnd.randrange(2, 9))) if i % 6 == 0 else None)


def items(rnd, n, n_orders, n_products):
    for i in range(1, n + 1):
        p = rnd.randrange(1, n_products + 1)
        picked = DAY0 + datetime.timedelta(seconds=i * 120 + rnd.randrange(3600))
        yield (i, 1 + i * n_orders // (n + 1), i % 5 + 1, f"SKU-{p:06d}", f"{THINGS[p % len(THINGS)]} No. {p}",
               rnd.randrange(1, 9), f"{rnd.randrange(100, 100000) / 100:.2f}",
               rnd.randrange(1, 40) / 100 if i % 8 == 0 else None, i % 25 == 0, f"W{p % 12:02d}" if i % 10 else None,
               picked.strftime("%Y-%m-%d %H:%M:%S") if i % 11 else None,
               " ".join(rnd.choices(WORDS, k=rnd.randrange(1, 12))) if i % 3 == 0 else None)


def reviews(rnd, n, n_products):
    for i in range(1, n + 1):
        yield (i, f"SKU-{rnd.randrange(1, n_products + 1):06d}", rnd.randrange(1, 6) if i % 13 else None,
               " ".join(rnd.choices(WORDS, k=rnd.randrange(3, 60))) + (" 👍" if i % 4 == 0 else ""),
               json.dumps({"helpful": rnd.randrange(50), "verified": i % 3 == 0}), stamp(rnd) if i % 17 else None)


def make(path, scale=1.0):
    sizes = {k: max(1, int(v * scale)) for k, v in
             {"customers": 50000, "products": 5000, "orders": 200000, "order_items": 700000, "reviews": 60000}.items()}
    rnd = random.Random(20260502)
    if os.path.exists(path):
        os.remove(path)
    db = sqlite3.connect(path)
    db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + SCHEMA)
    rows = {"customers": customers(rnd, sizes["customers"]), "products": products(rnd, sizes["products"]),
            "orders": orders(rnd, sizes["orders"], sizes["customers"]),
            "order_items": items(rnd, sizes["order_items"], sizes["orders"], sizes["products"]),
            "reviews": reviews(rnd, sizes["reviews"], sizes["products"])}
    for table, generated in rows.items():
        width = len(db.execute(f"SELECT * FROM {table}").description)
        db.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * width)})", generated)
    db.commit()
    db.execute("ANALYZE")
    db.commit()
    db.close()
    return sum(sizes.values())


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("path")
    ap.add_argument("--scale", type=float, default=1.0)
    args = ap.parse_args()
    print(f"{make(args.path, args.scale)} rows", file=sys.stderr)
