"""Bodies of the tests of `query:` texts that the servers share: which are read in pages, which as one
statement, and that whatever the answer the rows are those of the server. A list holds (name, query) and,
of refused ones, a pattern of the reason; `tables(db)` makes what they read."""
import re

from lib import same_rows
from sqlkit import logged, reported


def exports_of(list_, **more):
    return [{"name": x[0], "query": x[1], "destination": {"type": "local", "path": f"./out/{x[0]}"}, **more} for x in list_]


def rows_equal(place, db, list_):
    wrong = []
    for name, query, *_ in list_:
        try:
            same_rows(place.dataset(name, f"out/{name}"), db.rows(query))
        except AssertionError as e:
            wrong.append(f"{name}: {e}")
    assert not wrong, "\n".join(wrong)


def paged(place, engine, on, tables, list_, said):
    with engine.database(on) as db:
        tables(db)
        engine.config(place, db, exports_of(list_), tuning={"batch_size": 700})
        told = reported(place)
        bad = {n: (told[n]["read_shape"], told[n]["read_reason"]) for n, _ in list_ if told[n]["read_shape"] != "pages"}
        assert not bad, bad
        r = place.rivet("run", "-c", "rivet.yaml", "--validate", env={"RIVET_LOG": "info"}, code=0)
        assert len(re.findall(said, r.err)) >= len(list_), r.err[-3000:]
        rows_equal(place, db, list_)


def streamed(place, engine, on, tables, list_, silent=0):
    """`silent`: how many of them need no warning, because they read little."""
    with engine.database(on) as db:
        tables(db)
        engine.config(place, db, exports_of(list_))
        told = reported(place)
        bad = {n: (told[n]["read_shape"], told[n]["read_reason"]) for n, _, why in list_
               if told[n]["read_shape"] not in ("cursor", "statement") or not re.search(why, told[n]["read_reason"] or "") or not told[n]["read_reason"]}
        assert not bad, bad
        r = place.rivet("run", "-c", "rivet.yaml", "--validate", code=0)
        assert r.err.count("query cannot be read in pages") >= len(list_) - silent, r.err[-3000:]
        logged(r, r"\[WARN\] export 'group': query cannot be read in pages \(GROUP at 1:33\); one statement reads it whole")
        rows_equal(place, db, list_)


def small(place, engine, on, tables, list_):
    with engine.database(on) as db:
        tables(db)
        engine.config(place, db, exports_of(list_))
        for name, x in reported(place).items():
            assert x["read_shape"] in ("statement", "pages") and "small table" in (x["read_reason"] or ""), (name, x)
        r = place.rivet("run", "-c", "rivet.yaml", code=0)
        assert "cannot be read in pages" not in r.err
        rows_equal(place, db, list_)


def in_mode(place, engine, on, tables, list_, index=(), **mode):
    """The same texts under another mode: spliced where the gates allow it, wrapped where not."""
    with engine.database(on) as db:
        tables(db)
        db.sql(*index)
        engine.config(place, db, exports_of(list_, **mode))
        place.rivet("run", "-c", "rivet.yaml", code=0)
        rows_equal(place, db, list_)


def two_columns_of_one_name(place, engine, on, tables):
    with engine.database(on) as db:
        tables(db)
        engine.config(place, db, [{"name": "x", "query": "SELECT id, name, grp AS id FROM q"}])
        r = place.rivet("run", "-c", "rivet.yaml", code=1)
        logged(r, "columns 1 and 3 are both called 'id'")


def cannot_write(place, engine, on, tables, texts, untouched):
    """User SQL that tries to write is refused; untouched(db) tells."""
    with engine.database(on) as db:
        tables(db)
        wrong = []
        for mode in ({}, {"mode": "chunked", "chunk_column": "id", "chunk_size": 1000}):
            for i, text in enumerate(texts):
                engine.config(place, db, [{"name": f"h{i}", "query": text, **mode}])
                r = place.rivet("run", "-c", "rivet.yaml")
                if r.code != 1 or not untouched(db):
                    wrong.append((text, mode, r.code, untouched(db), r.err[-300:]))
        assert not wrong, "\n".join(map(str, wrong))


def names_with_comment_ends(place, engine, on):
    with engine.database(on) as db:
        engine.simple(db, 100, gap=False)
        names = ("x*?; DROP TABLE t; --", "größe'\"" + "y" * 90)
        engine.config(place, db, [{"name": n, "table": "t"} for n in names])
        place.rivet("run", "-c", "rivet.yaml", code=0)
        assert db.one("SELECT count(*) FROM t") == 100
        assert len(place.glob_rows(names[1])) == 100
