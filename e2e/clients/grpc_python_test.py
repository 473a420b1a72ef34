#!/usr/bin/env python3
"""A session of grpcio (Debian's python3-grpcio) with the KV API, as an application would have it."""

import importlib
import pathlib
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "faults"))  # harness, cluster

import harness
from cluster import Cluster, Failure

try:
    import google.protobuf  # of the generated messages
    import grpc
except ImportError:
    grpc = google = None

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"
MAX_VALUE = 16 << 20
CALLS = 2000  # more than a connection may have at a time
CALL_S = 60


def expect(what, got, want):
    if got != want:
        raise Failure(f"{what}: {str(got)[:200]}, not {str(want)[:200]}")


class Client:
    """One connection; a method for each of proto/kv.proto, which returns a future."""

    def __init__(self, address, protos):
        self.protos = protos
        self.channel = grpc.insecure_channel(address, options=[
            ("grpc.max_receive_message_length", 64 << 20), ("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)])

    def call(self, method, timeout=CALL_S, **fields):
        request = getattr(self.protos, method + "Request")(**fields)
        response = getattr(self.protos, method + "Response")
        stub = self.channel.unary_unary(f"/kdb.kv.v1.KV/{method}", type(request).SerializeToString, response.FromString)
        return stub.future(request, timeout=timeout)

    def put(self, key, value):
        return self.call("Put", key=key, value=value).result()

    def get(self, key):
        reply = self.call("Get", key=key).result()
        return reply.value if reply.found else None

    def delete(self, key):
        return self.call("Delete", key=key).result().found


def code(future):
    return future.exception().code() if future.exception() else grpc.StatusCode.OK


def calls(client):
    client.put(b"py/a", b"v")
    client.put(b"py/\x00\xff", bytes(range(256)))
    expect("get", client.get(b"py/a"), b"v")
    expect("get of bytes", client.get(b"py/\x00\xff"), bytes(range(256)))
    expect("get of no key", client.get(b"py/none"), None)
    page = client.call("Scan", prefix=b"py/", limit=1).result()
    expect("first page", [pair.key for pair in page.pairs], [b"py/\x00\xff"])
    page = client.call("Scan", prefix=b"py/", limit=1, page_token=page.next_page_token).result()
    expect("second page", [pair.key for pair in page.pairs], [b"py/a"])
    expect("delete", [client.delete(b"py/a"), client.delete(b"py/a"), client.delete(b"py/\x00\xff")], [True, False, True])
    expect("no key", code(client.call("Put", value=b"v")), grpc.StatusCode.INVALID_ARGUMENT)
    unknown = client.channel.unary_unary("/kdb.kv.v1.KV/Bogus")
    expect("unknown method", code(unknown.future(b"")), grpc.StatusCode.UNIMPLEMENTED)


def limits(client):
    value = b"0123456789abcdef" * (MAX_VALUE // 16)
    client.put(b"py/large", value)
    expect("the largest value", client.get(b"py/large") == value, True)
    expect("one byte more", code(client.call("Put", key=b"py/large", value=value + b"x")), grpc.StatusCode.INVALID_ARGUMENT)
    expect("far too large", code(client.call("Put", key=b"py/large", value=value * 2)), grpc.StatusCode.RESOURCE_EXHAUSTED)
    expect("delete of the largest value", client.delete(b"py/large"), True)


def concurrency(client):
    puts = [client.call("Put", key=b"py/k/%d" % i, value=b"%d" % i) for i in range(CALLS)]
    expect("puts", {code(put) for put in puts}, {grpc.StatusCode.OK})
    gets = [client.call("Get", key=b"py/k/%d" % i) for i in range(CALLS)]
    expect("gets", [get.result().value for get in gets], [b"%d" % i for i in range(CALLS)])


def ends(client):
    """Calls whose deadlines pass, and calls that are cancelled, leave the connection as it was."""
    late = [client.call("Put", timeout=i / 100_000, key=b"py/late", value=b"v") for i in range(1, 1000)]
    for call in late:
        if code(call) not in (grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED):
            raise Failure(f"a call with a deadline: {call.exception()}")
    cancelled = [client.call("Put", key=b"py/cancelled", value=b"v" * i) for i in range(1000)]
    for call in cancelled:
        call.cancel()
    client.put(b"py/cancelled", b"v")


def main(test):
    if grpc is None:
        raise Failure("grpcio (Debian packages python3-grpcio, python3-protobuf) is not installed for this Python: run make deps")
    subprocess.run(["protoc", f"--proto_path={PROTO}", f"--python_out={test.work}", "kv.proto"], check=True)
    sys.path.append(str(test.work))
    protos = importlib.import_module("kv_pb2")
    with Cluster(test.build, test.work / "cluster") as cluster:
        client = Client(cluster.process("proxy-0")["kv_api"], protos)
        with client.channel:
            for part in (calls, concurrency, ends, limits, calls):
                part(client)
        test.say(f"grpcio {grpc.__version__}, protobuf {google.protobuf.__version__}")


if __name__ == "__main__":
    harness.run(main)
