"""What the tests of every source on a server share: configurations, reports, positions. An `engine`
is the module pg or my: database, simple, add, config, own, reading."""
import json
import os
import re


def config(place, kind, source, exports, tuning=None, name="rivet.yaml", tls_block=None, **top):
    """Writes a configuration; `source` is a URL, something with url() or a mapping of source keys."""
    if hasattr(source, "url"):
        source = source.url()
    doc = {"source": {"type": kind, **({"url": source} if isinstance(source, str) else source)}, **top, "exports": []}
    doc["source"]["tuning"] = {"throttle_ms": 0, **(tuning or {})}
    if tls_block is not None:
        doc["source"]["tls"] = tls_block
    for x in exports:
        x = {"format": "parquet", "destination": {"type": "local", "path": "./out"}, **x}
        doc["exports"].append({k: v for k, v in x.items() if v is not None})
    return place.write(name, json.dumps(doc, indent=1, ensure_ascii=False))


def export_row(place, *args, code=0, **kw):
    """Runs one export with --json and returns its report entry and the result."""
    r = place.rivet("run", "-c", "rivet.yaml", "--json", *args, **kw)
    assert code is None or r.code == code, f"wanted exit {code}, got {r}"
    return (json.loads(r.out)["per_export"] if r.out.strip() else None), r


def reported(place, *args, code=0, **kw):
    """What `check --json` says of each export."""
    r = place.rivet("check", "-c", "rivet.yaml", "--json", *args, code=code, **kw)
    return {x["export"]: x for x in map(json.loads, r.out.splitlines())}


def logged(r, pattern):
    assert re.search(pattern, r.err), f"no match for {pattern!r} in {r}"


def code_of(r):
    found = re.findall(r'"code":"(RIVET_[A-Z_0-9]+)"', r.err)
    return found[0] if found else None


def unmoved(place, export="x", want=None):
    """The position the state keeps for an export (None: none)."""
    if not os.path.exists(place.path(".rivet_state.db")):
        return want is None
    row = place.state().execute("SELECT last_cursor_value FROM export_state WHERE export_name = ?", (export,)).fetchone()
    return (row[0] if row else None) == want
