#!/usr/bin/env python3
"""A session of redis-py (Debian's python3-redis), as an application would have it."""

import pathlib
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "faults"))  # harness, cluster

import harness
from cluster import Cluster, Failure, wait_for

try:
    import redis
except ImportError:
    redis = None


def expect(what, got, want):
    if got != want:
        raise Failure(f"{what}: {got!r}, not {want!r}")


def strings(client):
    expect("set", client.set("py:s", "v"), True)
    expect("get", client.get("py:s"), b"v")
    expect("set nx", client.set("py:s", "w", nx=True), None)
    expect("set get", client.set("py:s", "w", get=True), b"v")
    expect("getset", client.getset("py:s", "x"), b"w")
    expect("append", client.append("py:s", "yz"), 3)
    expect("getrange", client.getrange("py:s", 1, -1), b"yz")
    expect("setrange", client.setrange("py:s", 5, "!"), 6)
    expect("binary", (client.set(b"py:\x00\xff", bytes(range(256))), client.get(b"py:\x00\xff")), (True, bytes(range(256))))
    expect("mset", client.mset({"py:a": 1, "py:b": 2}), True)
    expect("mget", client.mget("py:a", "py:none", "py:b"), [b"1", None, b"2"])
    expect("msetnx", client.msetnx({"{py}a": 1, "{py}b": 2}), True)
    expect("incr", (client.incr("py:n"), client.incrby("py:n", 9), client.decr("py:n")), (1, 10, 9))
    expect("incrbyfloat", client.incrbyfloat("py:f", 1.5), 1.5)
    expect("getdel", (client.getdel("py:f"), client.exists("py:f")), (b"1.5", 0))


def expiry(client):
    client.set("py:e", "v", ex=100)
    expect("ttl", client.ttl("py:e") in (99, 100), True)
    expect("persist", (client.persist("py:e"), client.ttl("py:e")), (True, -1))
    expect("expire gt", (client.expire("py:e", 50, nx=True), client.expire("py:e", 40, gt=True)), (True, False))
    at = int(time.time()) + 1000
    expect("expireat", (client.expireat("py:e", at), client.expiretime("py:e")), (True, at))
    expect("getex", (client.getex("py:e", persist=True), client.pttl("py:e")), (b"v", -1))
    client.psetex("py:gone", 30, "v")
    deadline = time.monotonic() + 20
    while client.exists("py:gone"):
        if time.monotonic() > deadline:
            raise Failure("a key outlived its 30 ms")
    expect("ttl of nothing", client.ttl("py:gone"), -2)


def keyspace(client):
    names = {b"py:k:%d" % i for i in range(500)}
    with client.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.set(name, name)
        expect("pipeline", pipeline.execute(), [True] * len(names))
    expect("scan_iter", set(client.scan_iter(match="py:k:*", count=100, _type="string")), names)
    expect("keys", set(client.keys("py:k:*")), names)
    expect("type", client.type("py:k:1"), b"string")
    expect("delete", client.delete(*names), len(names))
    # An expired key is counted until its deletion is logged.
    wait_for("dbsize is that of a scan", lambda: client.dbsize() == len(set(client.scan_iter())), 20)


def errors(client):
    client.set("py:s", "text")
    for what, call in (("incr", lambda: client.incr("py:s")), ("unknown", lambda: client.execute_command("BOGUS"))):
        try:
            call()
        except redis.ResponseError:
            continue
        raise Failure(f"{what} gave no error")
    with client.pipeline(transaction=False) as pipeline:
        replies = pipeline.get("py:s").incr("py:s").get("py:s").execute(raise_on_error=False)
    expect("an error within a pipeline", [type(r) for r in replies], [bytes, redis.ResponseError, bytes])


def server(client, port):
    expect("ping", client.ping(), True)
    expect("info", client.info("server")["tcp_port"], port)
    expect("info of all", client.info()["loading"], 0)
    expect("config", client.config_get("databases"), {"databases": "1"})
    expect("client name", (client.client_setname("py"), client.client_getname()), (True, "py"))
    expect("client list", [c["name"] for c in client.client_list() if c["id"] == str(client.client_id())], ["py"])
    expect("time", abs(client.time()[0] - time.time()) < 60, True)
    expect("role", client.role()[0], b"master")
    expect("command count", client.command_count() > 50, True)
    expect("wait", client.wait(1, 1000), 1)


def main(test):
    if redis is None:
        raise Failure("redis-py (Debian package python3-redis) is not installed for this Python: run make deps")
    with Cluster(test.build, test.work / "cluster") as cluster:
        port = cluster.redis_ports()[0]
        client = redis.Redis(port=port, single_connection_client=True)
        for part in (strings, expiry, keyspace, errors):
            part(client)
        server(client, port)
        client.flushall()
        expect("flushall", client.dbsize(), 0)
        test.say(f"redis-py {redis.__version__}")


if __name__ == "__main__":
    harness.run(main)
