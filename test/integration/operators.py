"""What the tests of check, doctor and init share: the scaffold as it would be loaded, the blocks of a
report, the checks of doctor."""
import json
import re


def scaffold(text):
    """The scaffold as it would be loaded: maps by two columns of indentation, one list, plain or quoted scalars."""
    doc, stack = {}, []
    for line in text.splitlines():
        bare = line if '"' in line else re.sub(r"\s+# .*", "", line)
        if not bare.strip() or bare.lstrip().startswith("#"):
            continue
        depth, item = len(bare) - len(bare.lstrip()), bare.strip()
        if item.startswith("- "):
            doc["exports"] = doc["exports"] or []
            doc["exports"].append({})
            stack, depth, item = [(-1, doc), (2, doc["exports"][-1])], depth + 2, item[2:]
        stack = [s for s in stack if s[0] < depth] or [(-1, doc)]
        if stack[-1][0] == 2 and depth == 4 or depth > stack[-1][0]:
            key, value = re.fullmatch(r'("(?:[^"\\]|\\.)*"|[^:]+):(.*)', item).groups()
            key, value = (json.loads(t) if t.startswith('"') else t for t in (key, value.strip()))
            into = stack[-1][1]
            into[key] = {} if value == "" else True if value == "true" else int(value) if re.fullmatch(r"\d+", value) else value
            if value == "":
                stack.append((depth, into[key]))
    return doc


def block(text, name):
    found = re.search(rf"(?ms)^Export: {re.escape(name)}\b.*?(?=^Export: |\Z)", text)
    assert found, f"no block {name} in {text}"
    return found.group(0)


def has(text, *patterns):
    for p in patterns:
        assert re.search(p, text, re.M), f"no match for {p!r} in {text}"


def doctor(place, code, **kw):
    r = place.rivet("doctor", "-c", "rivet.yaml", "--json", code=code, **kw)
    doc = json.loads(r.out)
    assert list(doc) == ["config_path", "all_ok", "checks"] and all(list(c) == ["name", "ok", "detail", "hint"] for c in doc["checks"]), doc
    return doc, {c["name"]: c for c in doc["checks"]}
