"""A double of Google Cloud Storage's JSON interface: uploads in one request and in resumable sessions,
generation preconditions, checksums, ranges, listings in pages, rewrites, bearer tokens that expire
(gcs_auth.py), and faults that are asked for. It follows the service's documentation; where emulators
differ from it (a status query must not commit) it takes the documentation's side."""
import base64
import ctypes
import hashlib
import http.server
import json
import os
import re
import secrets
import socket
import struct
import subprocess
import threading
import time
import urllib.parse

import gcs_auth
import host

GRAIN = 256 * 1024
CRC32C = r"""
#include <stddef.h>
unsigned crc32c(const unsigned char *p, size_t n) {
    static unsigned t[256];
    if (!t[1]) for (unsigned i = 0; i < 256; i++) {
        unsigned c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? 0x82f63b78u ^ (c >> 1) : c >> 1;
        t[i] = c;
    }
    unsigned c = ~0u;
    while (n--) c = t[(c ^ *p++) & 255] ^ (c >> 8);
    return ~c;
}
"""


def crc32c_of(folder):
    """A function that gives the CRC32C of bytes as the service prints it."""
    source, library = os.path.join(folder, "crc.c"), os.path.join(folder, "crc.so")
    with open(source, "w", encoding="utf-8") as f:
        f.write(CRC32C)
    subprocess.run([host.tool("cc", "gcc"), "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    call = ctypes.CDLL(library).crc32c
    call.argtypes, call.restype = [ctypes.c_char_p, ctypes.c_size_t], ctypes.c_uint
    return lambda data: base64.b64encode(struct.pack(">I", call(data, len(data)))).decode()


class Refusal(Exception):
    """An answer that is an error: status, reason, message."""


class Lost(Exception):
    """The connection goes instead of an answer."""


class Fault:
    """What happens to the next `times` requests of a kind: a status; "lose" does the work and answers
    by a reset; "reset" does not even do it; "less" (chunk) keeps only its first half; "truncate" (get)
    promises more bytes than it sends."""

    def __init__(self, kind, what, times=1, headers=None):
        self.kind, self.what, self.times, self.headers = kind, what, times, headers or {}


class GcsDouble:
    """`with GcsDouble() as g: g.endpoint, g.token_uri, g.credentials_file, g.bucket, g.metadata_host`.
    Kinds of requests, for faults: insert, start, chunk, status, cancel, head, get, list, delete, rewrite,
    bucket, token. `deny` holds rights that nobody has: create, get, list, delete."""

    def __init__(self, bucket="rivet-test", anonymous=False):
        self.bucket, self.anonymous = bucket, anonymous
        self.deny, self.page_size, self.rewrite_steps = set(), 1000, 1
        self.requests, self.objects, self.sessions, self._faults = [], {}, {}, []
        self._lock, self._generation = threading.RLock(), int(time.time() * 1e6)

    def __enter__(self):
        self.dir = host.folder("gcs")
        self.crc32c, self.authority = crc32c_of(self.dir), gcs_auth.Authority(self.dir)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"double": self}))
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.endpoint = self.authority.uri = f"http://127.0.0.1:{self.port}"
        self.token_uri, self.metadata_host = self.endpoint + "/token", f"127.0.0.1:{self.port}"
        self.credentials_file = self.authority.service_account()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def facts(self):
        """What RIVET_TEST_GCS holds."""
        return {"endpoint": self.endpoint, "token_uri": self.token_uri, "credentials_file": self.credentials_file,
                "bucket": self.bucket, "metadata_host": self.metadata_host}

    def fault(self, kind, what, times=1, **headers):
        with self._lock:
            self._faults.append(Fault(kind, what, times, headers))

    def count(self, kind):
        return sum(k == kind for k, _, _ in self.requests)

    def contents(self, prefix=""):
        """Names and bytes of what lies there."""
        with self._lock:
            return {n: o["data"] for n, o in self.objects.items() if n.startswith(prefix)}

    def open_sessions(self):
        with self._lock:
            return [s for s in self.sessions.values() if s["state"] == "open"]

    # ---- rules ----

    def take_fault(self, kind):
        with self._lock:
            for f in self._faults:
                if f.kind == kind and f.times:
                    f.times -= 1
                    return f
        return None

    def may(self, *rights):
        for r in rights:
            if r in self.deny:
                raise Refusal(403, "forbidden", f"{gcs_auth.EMAIL} does not have storage.objects.{r} access to the Google "
                                                "Cloud Storage object. Permission "
                                                f"'storage.objects.{r}' denied on resource (or it may not exist).")

    def in_bucket(self, name):
        if name != self.bucket:
            raise Refusal(404, "notFound", "The specified bucket does not exist.")

    def met(self, name, query, prefix="if"):
        """Generation preconditions on the object as it is now."""
        have = self.objects.get(name, {}).get("generation", "0")
        want, unwanted = query.get(prefix + "GenerationMatch"), query.get(prefix + "GenerationNotMatch")
        if want is not None and want != have:
            raise Refusal(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
        if unwanted is not None and unwanted == have:
            raise Refusal(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")

    def find(self, name, query):
        o = self.objects.get(name)
        if o is None or query.get("generation", o["generation"]) != o["generation"]:
            raise Refusal(404, "notFound", f"No such object: {self.bucket}/{name}")
        return o

    def store(self, name, data, meta, query, kind="application/octet-stream"):
        """The object appears, whole, or the request is refused."""
        md5, crc = base64.b64encode(hashlib.md5(data).digest()).decode(), self.crc32c(data)
        for key, real in (("md5Hash", md5), ("crc32c", crc)):
            if key in meta and meta[key] != real:
                raise Refusal(400, "invalid", f"Provided {key} \"{meta[key]}\" doesn't match calculated {key} \"{real}\".")
        self.may("create")
        with self._lock:
            self.met(name, query)
            self.may(*(["delete"] if name in self.objects else []))
            self._generation += 1
            now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
            o = {"data": data, "name": name, "generation": str(self._generation), "metageneration": "1", "md5Hash": md5,
                 "crc32c": crc, "size": str(len(data)), "contentType": meta.get("contentType", kind), "updated": now,
                 "timeCreated": now, "metadata": meta.get("metadata", {}), "storageClass": meta.get("storageClass", "STANDARD"),
                 **({"kmsKeyName": query["kmsKeyName"]} if "kmsKeyName" in query else {})}
            self.objects[name] = o
            return self.shown(o)

    def shown(self, o):
        """An object as the service describes it."""
        path = f"/storage/v1/b/{self.bucket}/o/{urllib.parse.quote(o['name'], safe='')}"
        out = {"kind": "storage#object", "id": f"{self.bucket}/{o['name']}/{o['generation']}", "bucket": self.bucket,
               "selfLink": self.endpoint + path, "etag": base64.b64encode(o["generation"].encode()).decode(),
               **{k: v for k, v in o.items() if k != "data"}}
        return {k: v for k, v in out.items() if v != {}}


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection; `double` is set in the class of each server."""
    protocol_version = "HTTP/1.1"
    double = None

    def log_message(self, *_):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def do_GET(self):
        self._serve()

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def _serve(self):
        split = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        g, kind, route = self.double, None, None
        try:
            special = self._special(split.path, body)
            if special:
                return self._send(*special)
            kind, route, parts = self._route(split.path, query)
            with g._lock:
                g.requests.append((kind, self.path, dict(self.headers)))
            fault = g.take_fault(kind)
            if fault and isinstance(fault.what, int):
                return self._send(fault.what, fault.headers, _error(fault.what, "fault", "as asked for"))
            if fault and fault.what == "reset":
                raise Lost
            self._authorize(kind)
            answer = route(query, body, fault, *parts)
            if fault and fault.what == "lose":
                raise Lost
            return self._send(*answer, truncate=fault and fault.what == "truncate")
        except Refusal as r:
            return self._send(r.args[0], {}, _error(*r.args))
        except Lost:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return None

    def _special(self, path, body):
        """The knobs for tests in another process, and what needs no bearer token."""
        g = self.double
        if path == "/_double/fault":
            doc = json.loads(body)
            g.fault(doc["kind"], doc["what"], doc.get("times", 1), **doc.get("headers", {}))
            return 200, {}, {}
        if path == "/_double/set":
            for k, v in json.loads(body).items():
                if k == "token_life_s":
                    g.authority.token_life_s = v
                else:
                    setattr(g, k, set(v) if k == "deny" else v)
            return 200, {}, {}
        if path == "/_double/revoke":
            g.authority.revoke_all()
            return 200, {}, {}
        answer = g.authority.answer(self.command, path, self.headers, body)
        if answer:
            with g._lock:
                g.requests.append(("token", self.path, dict(self.headers)))
            fault = g.take_fault("token")
            return (fault.what, fault.headers, {"error": "fault"}) if fault else answer
        return None

    def _authorize(self, kind):
        header = self.headers.get("Authorization")
        if kind in ("chunk", "status", "cancel") and header is None:
            return  # the session's name is the credential
        if self.double.anonymous and header is None:
            return
        if not self.double.authority.good(header):
            raise Refusal(401, "authError" if header else "required", "Invalid Credentials" if header else
                          "Anonymous caller does not have storage.objects.get access to the Google Cloud Storage object.")

    def _route(self, path, query):
        upload = re.fullmatch(r"(?:/resumable)?/upload/storage/v1/b/([^/]+)/o", path)
        if upload:
            bucket = urllib.parse.unquote(upload[1])
            if "upload_id" in query:
                return self._session_kind(), self._session, ()
            if query.get("uploadType") == "resumable":
                return "start", self._start, (bucket,)
            return "insert", self._insert, (bucket,)
        rewrite = re.fullmatch(r"/storage/v1/b/([^/]+)/o/([^/]+)/(?:rewriteTo|copyTo)/b/([^/]+)/o/([^/]+)", path)
        if rewrite:
            return "rewrite", self._rewrite, [urllib.parse.unquote(p) for p in rewrite.groups()]
        thing = re.fullmatch(r"(?:/download)?/storage/v1/b/([^/]+)(?:/o(?:/([^/]+))?)?", path)
        if not thing:
            raise Refusal(404, "notFound", "Not Found")
        bucket, name = urllib.parse.unquote(thing[1]), urllib.parse.unquote(thing[2] or "")
        if name:
            if self.command == "DELETE":
                return "delete", self._delete, (bucket, name)
            return ("get", self._get, (bucket, name)) if query.get("alt") == "media" else ("head", self._head, (bucket, name))
        return ("list", self._list, (bucket,)) if path.endswith("/o") else ("bucket", self._bucket, (bucket,))

    def _session_kind(self):
        if self.command == "DELETE":
            return "cancel"
        return "status" if re.match(r"bytes \*/", self.headers.get("Content-Range", "")) else "chunk"

    # ---- requests; each returns status, headers, document or bytes ----

    def _bucket(self, query, body, fault, bucket):
        self.double.in_bucket(bucket)
        return 200, {}, {"kind": "storage#bucket", "name": bucket, "location": "EU"}

    def _hashes(self, meta):
        for item in self.headers.get("x-goog-hash", "").split(","):
            key, _, value = item.strip().partition("=")
            if key in ("md5", "crc32c"):
                meta.setdefault("md5Hash" if key == "md5" else key, value)
        return meta

    def _insert(self, query, body, fault, bucket):
        g, kind = self.double, self.headers.get("Content-Type", "application/octet-stream")
        g.in_bucket(bucket)
        meta, data = {}, body
        if query.get("uploadType") == "multipart":
            mark = re.search(r'boundary="?([^";]+)', kind)
            pieces = body.split(b"--" + mark[1].encode())[1:] if mark else []
            if len(pieces) != 3 or not pieces[2].startswith(b"--"):
                raise Refusal(400, "badContent", "Malformed multipart body.")
            (_, first), (head, data) = (p[2:].split(b"\r\n\r\n", 1) for p in pieces[:2])
            meta, data = json.loads(first), data[:-2]
            kind = dict(re.findall(r"(?im)^(content-type): *(.*?)\r?$", head.decode())).get("Content-Type", kind)
        name = query.get("name") or meta.get("name")
        if not name:
            raise Refusal(400, "required", "Required parameter: name")
        return 200, {}, g.store(name, data, self._hashes(meta), query, kind)

    def _start(self, query, body, fault, bucket):
        g = self.double
        g.in_bucket(bucket)
        meta = json.loads(body or b"{}")
        name = query.get("name") or meta.get("name")
        g.may("create")
        g.met(name, query)
        ident = secrets.token_urlsafe(24)
        meta.setdefault("contentType", self.headers.get("X-Upload-Content-Type", "application/octet-stream"))
        with g._lock:
            g.sessions[ident] = {"state": "open", "name": name, "meta": self._hashes(meta), "query": query, "data": bytearray(),
                                 "id": ident, "answer": None}
        where = f"{g.endpoint}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&name={urllib.parse.quote(name, safe='')}"
        return 200, {"Location": f"{where}&upload_id={ident}", "X-GUploader-UploadID": ident}, b""

    def _session(self, query, body, fault):
        g = self.double
        with g._lock:
            s = g.sessions.get(query["upload_id"])
            if s is None:
                raise Refusal(404, "notFound", "Not Found")
            if s["state"] == "cancelled":
                raise Refusal(499, "clientClosedRequest", "Client Closed Request")
            if self.command == "DELETE":
                s["state"], s["data"] = "cancelled", bytearray()
                raise Refusal(499, "clientClosedRequest", "Client Closed Request")
            if s["state"] == "done":
                return 200, {}, s["answer"]
            total = self._take(s, body, fault)
            if total is not None and total == len(s["data"]):
                s["answer"] = g.store(s["name"], bytes(s["data"]), s["meta"], s["query"])
                s["state"], s["data"] = "done", bytearray()
                return 200, {}, s["answer"]
            have = len(s["data"])
            return 308, {"Range": f"bytes=0-{have - 1}"} if have else {}, b""

    def _take(self, s, body, fault):
        """Keeps what a chunk brings; returns the length of the whole when it is known."""
        said = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", self.headers.get("Content-Range", f"bytes 0-{len(body) - 1}/{len(body)}"))
        if not said:
            raise Refusal(400, "invalid", "Failed to parse Content-Range header.")
        total = None if said[3] == "*" else int(said[3])
        if said[1] is None:
            return total
        first, last, have = int(said[1]), int(said[2]), len(s["data"])
        if last - first + 1 != len(body) or total is not None and last >= total:
            raise Refusal(400, "invalid", f"Invalid request. There were {len(body)} byte(s) in the request body.")
        if first > have:
            raise Refusal(503, "backendError", f"Invalid request. According to the Content-Range header, the upload offset is "
                                               f"{first} byte(s), which exceeds already uploaded size of {have} byte(s).")
        if fault and fault.what == "less":
            body = body[:len(body) // 2]
        fresh = body[have - first:]
        if total is None or have + len(fresh) < total:
            fresh = fresh[:(have + len(fresh)) // GRAIN * GRAIN - have] if (have + len(fresh)) // GRAIN * GRAIN > have else b""
        s["data"] += fresh
        return total

    def _head(self, query, body, fault, bucket, name):
        g = self.double
        g.in_bucket(bucket)
        g.may("get")
        o = g.find(name, query)
        g.met(name, query)
        return 200, {}, g.shown(o)

    def _get(self, query, body, fault, bucket, name):
        g = self.double
        g.in_bucket(bucket)
        g.may("get")
        o = g.find(name, query)
        g.met(name, query)
        data, status = o["data"], 200
        headers = {"x-goog-generation": o["generation"], "x-goog-hash": f"crc32c={o['crc32c']},md5={o['md5Hash']}",
                   "Content-Type": o["contentType"], "x-goog-stored-content-length": o["size"]}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked:
            first, last = int(asked[1]), min(int(asked[2] or len(data)), len(data) - 1)
            if first >= len(data):
                raise Refusal(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            data, status = data[first:last + 1], 206
        return status, headers, data

    def _list(self, query, body, fault, bucket):
        g = self.double
        g.in_bucket(bucket)
        g.may("list")
        prefix, mark, after = query.get("prefix", ""), query.get("delimiter"), query.get("pageToken")
        most = min(int(query.get("maxResults", g.page_size)), g.page_size)
        after = base64.urlsafe_b64decode(after).decode() if after else ""
        rows = []
        with g._lock:
            for name in sorted(g.objects):
                if not name.startswith(prefix):
                    continue
                cut = name.find(mark, len(prefix)) if mark else -1
                row = (name[:cut + len(mark)], None) if cut >= 0 else (name, g.shown(g.objects[name]))
                if row[0] > after and (not rows or rows[-1][0] != row[0]):
                    rows.append(row)
        out = {"kind": "storage#objects"}
        page = rows[:most]
        if len(rows) > most:
            out["nextPageToken"] = base64.urlsafe_b64encode(page[-1][0].encode()).decode()
        items, prefixes = [o for _, o in page if o], [n for n, o in page if not o]
        return 200, {}, {**out, **({"items": items} if items else {}), **({"prefixes": prefixes} if prefixes else {})}

    def _delete(self, query, body, fault, bucket, name):
        g = self.double
        g.in_bucket(bucket)
        g.may("delete")
        with g._lock:
            g.find(name, query)
            g.met(name, query)
            del g.objects[name]
        return 204, {}, b""

    def _rewrite(self, query, body, fault, bucket, name, to_bucket, to):
        g = self.double
        g.in_bucket(bucket)
        g.in_bucket(to_bucket)
        g.may("get", "create")
        with g._lock:
            o = g.find(name, {"generation": query["sourceGeneration"]} if "sourceGeneration" in query else {})
            g.met(name, query, "ifSource")
            g.met(to, query)
            done = int(query.get("rewriteToken") or 0) + 1
            if done < g.rewrite_steps:
                return 200, {}, {"kind": "storage#rewriteResponse", "done": False, "rewriteToken": str(done),
                                 "objectSize": o["size"], "totalBytesRewritten": "0"}
            meta = json.loads(body or b"{}") or {k: o[k] for k in ("contentType", "metadata", "storageClass")}
            made = g.store(to, o["data"], meta, query)
        if "/copyTo/" in self.path:
            return 200, {}, made
        return 200, {}, {"kind": "storage#rewriteResponse", "done": True, "objectSize": o["size"],
                         "totalBytesRewritten": o["size"], "resource": made}

    def _send(self, status, headers, content, truncate=False):
        kind = "text/plain"
        if not isinstance(content, (bytes, str)):
            content, kind = json.dumps(content), "application/json; charset=UTF-8"
        data = content if isinstance(content, bytes) else content.encode()
        self.send_response(status, {308: "Resume Incomplete", 499: "Client Closed Request"}.get(status))
        for k, v in {"Content-Type": kind, **headers}.items():
            self.send_header(k, v)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[:len(data) // 2] if truncate else data)
        if truncate:
            self.close_connection = True


def _error(status, reason, message):
    return {"error": {"code": status, "message": message, "errors": [{"message": message, "domain": "global", "reason": reason}]}}
