"""A TCP proxy that breaks connections: cuts them after a time or a number of bytes, stalls, slows,
refuses. Faults can change while connections are open."""
import socket
import struct
import threading
import time


class FaultProxy:
    """`with FaultProxy(target_port) as p: p.cut_after_bytes = 65536`. Attributes, None = off:
    cut_ms              every connection is reset that long after it opened
    cut_after_bytes     ... after so many bytes from the server
    cuts_left           how many more cuts; None: without end
    stall               True: nothing is forwarded any more (connections stay open)
    rate_bytes_s        bytes per second from the server, per connection
    refuse              True: new connections are reset at once
    """

    def __init__(self, target_port, target="127.0.0.1"):
        self.target = (target, target_port)
        self.cut_ms = self.cut_after_bytes = self.cuts_left = self.rate_bytes_s = None
        self.stall = self.refuse = False
        self.connections = self.cuts = 0
        self._open, self._lock, self._done = set(), threading.Lock(), False

    def __enter__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._done = True
        self.listener.close()
        self.cut_all(count=False)

    def cut_all(self, count=True):
        """Resets every open connection now."""
        with self._lock:
            pairs, self._open = list(self._open), set()
        for pair in pairs:
            _reset(pair)
        if count:
            self.cuts += len(pairs)

    def _accept(self):
        while not self._done:
            try:
                client, _ = self.listener.accept()
            except OSError:
                time.sleep(0.01)  # one that went away before it was taken; the end is seen above
                continue
            self.connections += 1
            if self.refuse:
                _reset((client,))
                continue
            try:
                server = socket.create_connection(self.target, 5)
            except OSError:
                _reset((client,))
                continue
            for s in (client, server):
                s.settimeout(None)
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = (client, server)
            with self._lock:
                self._open.add(pair)
            threading.Thread(target=self._pump, args=(pair, client, server, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(pair, server, client, True), daemon=True).start()
            if self.cut_ms is not None:
                timer = threading.Timer(self.cut_ms / 1000, self._cut, args=(pair,))
                timer.daemon = True
                timer.start()

    def _cut(self, pair):
        with self._lock:
            if pair not in self._open or self.cuts_left == 0:
                return False
            self._open.discard(pair)
            self.cuts += 1
            if self.cuts_left is not None:
                self.cuts_left -= 1
        _reset(pair)
        return True

    def _pump(self, pair, source, sink, from_server):
        passed = 0
        try:
            while True:
                block = source.recv(65536)
                if not block:
                    break
                while self.stall and not self._done:
                    time.sleep(0.01)
                limit = self.cut_after_bytes if from_server else None
                if limit is not None and passed + len(block) >= limit:
                    sink.sendall(block[:max(0, limit - passed)])
                    if self._cut(pair):
                        return
                    block = block[max(0, limit - passed):]
                sink.sendall(block)
                passed += len(block)
                if from_server and self.rate_bytes_s:
                    time.sleep(len(block) / self.rate_bytes_s)
        except OSError:
            pass
        with self._lock:
            was_open = pair in self._open
            self._open.discard(pair)
        if was_open:
            for s in pair:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                    s.close()
                except OSError:
                    pass


def _reset(sockets):
    """Closes with RST, as a machine that lost its power does."""
    for s in sockets:
        try:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        try:
            s.close()
        except OSError:
            pass
