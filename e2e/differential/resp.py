"""RESP on raw sockets: a reply is kept as the bytes that arrived."""

import socket

import instrumented

LINES = b"+-:,#_("  # one line each
BLOBS = b"$=!"
LISTS = b"*~>%"
CHUNK = 1 << 20


class Incomplete(Exception):
    """The bytes end inside a reply."""


class Closed(Exception):
    """The server closed the connection."""


class Reply:
    """`value` is bytes, None, or a list of replies (a map's keys and values in turn)."""

    __slots__ = ("kind", "value")

    def __init__(self, kind, value):
        self.kind = kind
        self.value = value

    def __eq__(self, other):
        return self.kind == other.kind and self.value == other.value

    def __hash__(self):
        return hash((self.kind, tuple(self.value) if isinstance(self.value, list) else self.value))

    def __repr__(self):
        return f"{self.kind}{self.value}"

    def pairs(self):
        """Of a map, or of an array that stands for one."""
        return list(zip(self.value[::2], self.value[1::2]))

    def is_error(self):
        return self.kind == "-"

    def integer(self):
        return int(self.value) if self.kind == ":" else None


def parse(data, start=0):
    """The reply at `start`, and where it ends."""
    line_end = data.find(b"\r\n", start)
    if line_end < 0:
        raise Incomplete
    kind, line, end = data[start], bytes(data[start + 1:line_end]), line_end + 2
    if kind in LINES:
        return Reply(chr(kind), line), end
    count = int(line)
    if count < 0:
        return Reply(chr(kind), None), end
    if kind in BLOBS:
        if len(data) < end + count + 2:
            raise Incomplete
        return Reply(chr(kind), bytes(data[end:end + count])), end + count + 2
    if kind not in LISTS:
        raise ValueError(f"no reply begins so: {bytes(data[start:start + 40])!r}")
    items = []
    for _ in range(count * (2 if kind == ord("%") else 1)):
        item, end = parse(data, end)
        items.append(item)
    return Reply(chr(kind), items), end


def decode(data):
    reply, end = parse(data)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes behind the reply")
    return reply


def encode(args):
    """A command as clients send it. `args` are bytes."""
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in args)


def encode_inline(args):
    """The same command as a line, every argument quoted."""
    def quote(arg):
        return b'"' + b"".join(b"\\x%02x" % c if c < 32 or c > 126 or c in b'"\\' else b"%c" % c for c in arg) + b'"'

    return b" ".join(quote(a) for a in args) + b"\r\n"


class Connection:
    """Not thread-safe. `address` is (host, port)."""

    def __init__(self, address, timeout=30):
        self.socket = socket.create_connection(address, instrumented.seconds(timeout))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read_reply(self):
        """The bytes of the next reply; Closed when the connection ends before it."""
        while True:
            try:
                _, end = parse(self.unread)
                reply, self.unread = self.unread[:end], self.unread[end:]
                return reply
            except Incomplete:
                self._receive()

    def read_until(self, tail):
        """All bytes up to `tail`, or up to the end of the connection; whether it ended."""
        while not self.unread.endswith(tail):
            try:
                self._receive()
            except Closed:
                return self._take(), True
        return self._take(), False

    def read_replies(self, count):
        """As read_reply, for many: linear in their bytes."""
        replies, start = [], 0
        while len(replies) < count:
            try:
                _, end = parse(self.unread, start)
                replies.append(self.unread[start:end])
                start = end
            except Incomplete:
                self.unread, start = self.unread[start:], 0
                self._receive()
        self.unread = self.unread[start:]
        return replies

    def run(self, *args):
        """One command, its reply decoded."""
        self.send(encode([a if isinstance(a, bytes) else str(a).encode() for a in args]))
        return decode(self.read_reply())

    def _take(self):
        data, self.unread = self.unread, b""
        return data

    def _receive(self):
        try:
            data = self.socket.recv(CHUNK)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed
        self.unread += data
