"""Clients of the KV API that no gRPC library would be: raw HTTP/2, sent slowly, in part, or far too much of it."""

import concurrent.futures
import itertools
import socket
import struct

import instrumented
from cluster import Failure

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
CANCEL = struct.pack(">I", 8)

SILENT = 50  # of each kind
SILENCE_S = 60  # more than the server bears
FLOOD_FRAMES = 1_000_000  # every flood is cut off long before
BATCH = 500


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name, value):
    """HPACK's literal header that is not indexed."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


PUT = b"".join(literal(*pair) for pair in (
    (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/kdb.kv.v1.KV/Put"), (b":authority", b"x"),
    (b"content-type", b"application/grpc"), (b"te", b"trailers")))
HELLO = PREFACE + frame(SETTINGS)


def connect(address):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=instrumented.seconds(SILENCE_S))


def frames_of(data):
    """(kind, payload) of every whole frame."""
    while len(data) >= 9 and len(data) >= (end := 9 + int.from_bytes(data[:3], "big")):
        yield data[3], data[9:end]
        data = data[end:]


class SilentClients:
    """They say something and nothing more. The server gives them up while other things happen."""

    # What each says, and the kind of frame that it gets for its silence.
    SAYS = {
        "nothing": (b"", GOAWAY),
        "half a preface": (PREFACE[:10], GOAWAY),
        "no settings": (PREFACE, GOAWAY),
        "half of its headers": (HELLO + frame(HEADERS, 0, 1, PUT), GOAWAY),
        "headers without a message": (HELLO + frame(HEADERS, END_HEADERS, 1, PUT), HEADERS),
        "half a message": (HELLO + frame(HEADERS, END_HEADERS, 1, PUT) + frame(DATA, 0, 1, b"\0\0\0\0\x09half"), HEADERS),
    }

    def __init__(self, address):
        self.sockets = [(what, connect(address)) for what in self.SAYS for _ in range(SILENT)]
        for what, s in self.sockets:
            s.sendall(self.SAYS[what][0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for _, s in self.sockets:
            s.close()

    def check(self, test, _):
        for what, s in self.sockets:
            data = b""
            while self.SAYS[what][1] not in [kind for kind, _ in frames_of(data)]:
                try:
                    piece = s.recv(65536)
                except OSError as e:
                    raise Failure(f"KV API, a client that says {what}: {e} after {data}") from None
                if not piece:
                    raise Failure(f"KV API, a client that says {what}: the end comes after {data}")
                data += piece
        test.summary["silent_kv_clients"] = len(self.sockets)


def pings():
    return itertools.repeat(frame(PING, payload=b"12345678"))


def settings():
    return itertools.repeat(frame(SETTINGS))


def window_updates():
    return itertools.repeat(frame(WINDOW_UPDATE, payload=struct.pack(">I", 1)))


def empty_data():
    yield frame(HEADERS, END_HEADERS, 1, PUT)
    yield from itertools.repeat(frame(DATA, 0, 1))


def continuations():
    yield frame(HEADERS, 0, 1, PUT)
    yield from itertools.repeat(frame(CONTINUATION, 0, 1, literal(b"x", b"y" * 100)))


def rapid_resets():
    """CVE-2023-44487."""
    message = b"\x0a\x05flood\x12\x01v"
    for stream in itertools.count(1, 2):
        yield (frame(HEADERS, END_HEADERS, stream, PUT) +
               frame(DATA, END_STREAM, stream, b"\0" + struct.pack(">I", len(message)) + message) +
               frame(RST_STREAM, 0, stream, CANCEL))


def received(s):
    """All that comes until the server ends the connection."""
    data = b""
    try:
        while piece := s.recv(65536):
            data += piece
    except TimeoutError:
        raise Failure("the KV API does not end a flood") from None
    except OSError:
        pass  # reset: what came before was read
    return data


def flood(address, frames):
    """How many frames were sent until the server ended the connection, and the code and reason of its GOAWAY, if any."""
    sent = 0
    with connect(address) as s, concurrent.futures.ThreadPoolExecutor(1) as reader:
        s.sendall(HELLO)
        reading = reader.submit(received, s)
        try:
            while sent < FLOOD_FRAMES and not reading.done():
                s.sendall(b"".join(itertools.islice(frames, BATCH)))
                sent += BATCH
        except OSError:
            pass  # reset
        for kind, payload in frames_of(reading.result()):
            if kind == GOAWAY:
                return sent, int.from_bytes(payload[4:8], "big"), payload[8:].decode()
    return sent, None, "no GOAWAY"


def floods(test, cluster):
    """Each is cut off, those that leave HTTP/2 in order with a GOAWAY that says why."""
    address = cluster.process("proxy-0")["kv_api"]
    for frames in (pings, settings, window_updates, empty_data, continuations, rapid_resets):
        sent, code, reason = flood(address, frames())
        test.say(f"{frames.__name__}: ended within {sent} frames: {code} {reason}")
        if sent >= FLOOD_FRAMES or (not code and frames is not continuations):
            raise Failure(f"{frames.__name__}: {sent} frames were read; {code} {reason}")
