#!/usr/bin/env python3
"""Garbage on every port, half-open and slow clients, values at the limit, long pipelines, 10,000 idle connections, floods:
the right answer or the right error, bounded memory, and nobody else is disturbed: a prober writes through the same proxy all
the while.
"""

import pathlib
import resource
import socket
import subprocess
import threading
import time

import instrumented
import kv_api_abuse
from cluster import Cluster, Failure, die_with_parent, http, wait_for
from harness import Skip, percentiles, play_all, run
from prober import Prober

MAX_BULK = 16 << 20
IDLE = 10_000
STRANGERS = 2_000
IDLE_BYTES = 16 << 10
PIPELINE = 100_000
MOST_RSS = 700 << 20  # of any server: 16 MiB values on their way through every queue included
LONGEST_GAP_S = 2
REPLY_S = 60


def command(*args):
    words = [a if isinstance(a, bytes) else str(a).encode() for a in args]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


class Client:
    """A Redis connection that shows every byte."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=REPLY_S)
        self.reader = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.reader.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def reply(self):
        """A bulk's bytes (None: nil), or the line of any other reply with its first character."""
        line = self.reader.readline()
        if not line.endswith(b"\r\n"):
            raise Failure(f"the connection ended: {line!r}")
        if not line.startswith(b"$"):
            return line[:-2]
        length = int(line[1:])
        return None if length < 0 else self.reader.read(length + 2)[:-2]

    def run(self, *args):
        self.send(command(*args))
        return self.reply()


def expect(what, actual, wanted):
    if actual != wanted:
        raise Failure(f"{what}: {actual[:200] if actual else actual!r}, not {wanted[:200]!r}")


def expect_error(what, actual, beginning):
    if actual is None or not actual.startswith(beginning):
        raise Failure(f"{what}: {actual[:200] if actual else actual!r}, not {beginning!r}...")


def rss(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise Failure(f"no VmRSS of {pid}")


def every_port(cluster):
    for process in cluster.processes():
        for kind in ("address", "admin", "kv_api"):
            if kind in process:
                yield f"{process['name']} {kind}", int(process[kind].rsplit(":", 1)[1])


def garbage(test, cluster):
    patterns = [test.random.randbytes(4096), b"\0" * 4096, b"\xff" * 4096, b"*" * 4096, b"A" * (1 << 20),
                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /" + b"a" * 100_000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 900,
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200, b"*1\r\n$1000000000\r\n", b"*-1\r\n*0\r\n\r\n"]
    for _, port in every_port(cluster):
        for data in patterns:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
                s.settimeout(0.05)
                try:
                    s.sendall(data)
                    while s.recv(65536):
                        pass
                except OSError:
                    pass  # closed, or waits for more: both are right
    for data, error in ((b"*1\r\n$-5\r\n", b"-ERR Protocol error: invalid bulk length"),
                        (b"*9999999999\r\n", b"-ERR Protocol error: invalid multibulk length"),
                        (b"*1\r\n+x\r\n", b"-ERR Protocol error: expected '$', got '+'")):
        with Client(cluster.port) as client:
            client.send(data)
            expect_error(f"reply to {data}", client.reply(), error)
            expect("after a protocol error", client.reader.read(), b"")


def strangers(test, cluster):
    """More connections that say nothing, or not what they speak, than a server keeps."""
    for process in cluster.processes():
        if not process["name"].startswith(("kv", "meta")):
            continue
        port = int(process["address"].rsplit(":", 1)[1])
        connections = []
        try:
            for i in range(STRANGERS):
                connections.append(socket.create_connection(("127.0.0.1", port), timeout=REPLY_S))
                if i % 4 == 0:
                    connections[-1].send(b"KDB" if i % 8 else b"PRI * HT")
                if i % 100 == 0:
                    time.sleep(0.02)  # the backlog of the listening socket
            open_files = len(list(pathlib.Path(f"/proc/{process['pid']}/fd").iterdir()))
            if open_files > STRANGERS:
                raise Failure(f"{process['name']} has {open_files} descriptors open")
            displaced = [line for line in http(process["admin"], "/metrics")[1].splitlines()
                         if line.startswith('kdb_server_connections_refused_total{reason="displaced"}')]
            if not displaced or float(displaced[0].split()[1]) < 1:
                raise Failure(f"{process['name']} kept them all: {displaced}")
        finally:
            for s in connections:
                s.close()


def half_open(test, cluster):
    """Clients that never finish their command, and one that is slow."""
    idle = [Client(cluster.port) for _ in range(200)]
    for client in idle:
        client.send(b"*3\r\n$3\r\nSET\r\n$8\r\nhalf:key\r\n$100\r\n" + test.random.randbytes(50))
    with Client(cluster.port) as slow:
        for byte in command("SET", "slow:key", "value"):
            slow.send(bytes([byte]))
            time.sleep(0.01)
        expect("slow SET", slow.reply(), b"+OK")
        expect("half a SET", slow.run("GET", "half:key"), None)
    for client in idle:
        client.close()


def slow_reader(test, cluster):
    """Asks for 100 MiB and reads it late."""
    value = test.random.randbytes(1 << 20)
    with Client(cluster.port) as client:
        expect("SET of 1 MiB", client.run("SET", "slow:reader", value), b"+OK")
        client.send(command("GET", "slow:reader") * 100)
        time.sleep(3)
        for _ in range(100):
            expect("GET of a slow reader", client.reply(), value)


def large_replies(test, cluster):
    """Writes whose replies together are larger than any message between proxy and shard."""
    value = test.random.randbytes(1 << 20)
    with Client(cluster.port) as client:
        for i in range(64):
            expect("SET of 1 MiB", client.run("SET", f"{{large}}{i}", value), b"+OK")
        client.send(b"".join(command("GETDEL", f"{{large}}{i}") for i in range(64)))
        for _ in range(64):
            expect("GETDEL in a pipeline", client.reply(), value)


def limits(test, cluster):
    value = test.random.randbytes(MAX_BULK)
    with Client(cluster.port) as client:
        expect("SET of the largest value", client.run("SET", "limit:value", value), b"+OK")
        expect("GET of the largest value", client.run("GET", "limit:value"), value)
        expect_error("APPEND to the largest value", client.run("APPEND", "limit:value", "x"),
                     b"-ERR string exceeds maximum allowed size")
        expect_error("SETRANGE behind the largest value", client.run("SETRANGE", "limit:value", MAX_BULK, "x"),
                     b"-ERR string exceeds maximum allowed size")
        expect("STRLEN", client.run("STRLEN", "limit:value"), b":%d" % MAX_BULK)
        expect("DEL", client.run("DEL", "limit:value"), b":1")
    with Client(cluster.port) as client:
        client.send(b"*3\r\n$3\r\nSET\r\n$5\r\nlimit\r\n$%d\r\n" % (MAX_BULK + 1))
        expect_error("one byte too many", client.reply(), b"-ERR Protocol error: invalid bulk length")


def pipeline(_, cluster):
    with Client(cluster.port) as client:
        sender = threading.Thread(target=client.send, args=(command("INCR", "pipeline") * PIPELINE,))
        sender.start()
        for number in range(1, PIPELINE + 1):
            expect("reply of the pipeline", client.reply(), b":%d" % number)
        sender.join()


def start_proxy(test, cluster):
    """Another proxy that admits more clients than the default."""
    argv = list(cluster.process("proxy-0")["argv"])
    admin = f"127.0.0.1:{cluster.port + 48}"
    for flag, value in (("--listen", f"127.0.0.1:{cluster.port + 8}"), ("--admin-listen", admin),
                        ("--kv-listen", f"127.0.0.1:{cluster.port + 18}"), ("--instance", "proxy-idle")):
        argv[argv.index(flag) + 1] = value
    with open(test.work / "proxy-idle.log", "wb") as log:
        proxy = subprocess.Popen([*argv, "--max-clients", str(IDLE + 1000)], stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log, preexec_fn=die_with_parent)
    wait_for("the idle clients' proxy", lambda: http(admin, "/readyz")[0] == 200, 30)
    return proxy


def idle_connections(test, cluster):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(IDLE, hard - 1000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    proxy = start_proxy(test, cluster)
    clients = []
    try:
        before = rss(proxy.pid)
        for i in range(count):
            clients.append(socket.create_connection(("127.0.0.1", cluster.port + 8), timeout=REPLY_S))
            if i % 500 == 0:
                time.sleep(0.02)  # the backlog of the listening socket
        with Client(cluster.port + 8) as client:
            expect("PING beside the idle", client.run("PING"), b"+PONG")
        for s in clients:  # each was of use once
            s.sendall(command("SET", "idle", "x" * 100))
        for s in clients:
            expect("SET of an idle client", s.recv(100), b"+OK\r\n")
        each = (rss(proxy.pid) - before) // count
        test.summary.update(idle_connections=count, rss_per_idle_connection=each)
        if each > instrumented.memory(IDLE_BYTES):
            raise Failure(f"{each} bytes of RSS per idle connection")
    finally:
        for s in clients:
            s.close()
        proxy.terminate()
        code = proxy.wait(30)
    if code != 0:
        raise Failure(f"the idle clients' proxy ended with {code}")


def check_memory(test, cluster):
    most = {p["name"]: rss(p["pid"]) for p in cluster.processes()}
    test.summary["rss_mib"] = {name: size >> 20 for name, size in most.items()}
    for name, size in most.items():
        if size > instrumented.memory(MOST_RSS):
            raise Failure(f"{name} has {size >> 20} MiB of RSS")


def witnessed(test, cluster, scene):
    """Plays a scene beside a prober; no server may die."""
    pids = {p["name"]: p["pid"] for p in cluster.processes()}
    prober = Prober(cluster.port, rate=100)
    prober.start()
    begin = time.monotonic()
    try:
        time.sleep(0.2)
        scene(test, cluster)
        time.sleep(0.2)
    finally:
        prober.stop()
    end = time.monotonic()
    if {p["name"]: p["pid"] for p in cluster.processes()} != pids:
        raise Failure(f"{scene.__name__}: a server died")
    cluster.wait_ready(10)
    latency = percentiles([(p.done - p.sent) * 1000 for p in prober.probes if p.outcome == "ok"])
    test.say(f"{scene.__name__}: {end - begin:.1f} s; others' writes took (ms) {latency}")
    test.summary.setdefault("others_ms", {})[scene.__name__] = latency
    if prober.errors() or latency["max"] > instrumented.seconds(LONGEST_GAP_S) * 1000:
        raise Failure(f"{scene.__name__}: others were disturbed: {dict(prober.errors())}, {latency}")


def abuse(test):
    if not pathlib.Path("/proc/self/status").exists():
        raise Skip("no /proc")
    with Cluster(test.build, test.work / "cluster") as cluster:
        with kv_api_abuse.SilentClients(cluster.process("proxy-0")["kv_api"]) as silent:
            scenes = (garbage, strangers, half_open, limits, pipeline, idle_connections, slow_reader, large_replies,
                      kv_api_abuse.floods, silent.check)
            play_all(test, [lambda scene=scene: witnessed(test, cluster, scene) for scene in scenes])
        check_memory(test, cluster)


if __name__ == "__main__":
    run(abuse)
