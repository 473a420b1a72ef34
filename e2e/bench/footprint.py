"""The memory and time part: start, idle connections, a million keys, kill -9."""

import os
import random
import signal
import socket
import statistics
import threading
import time

import procfs
from clients import NotMeasured, RespConnection, encode, load_keys
from systems import http_get, wait_for

KEYS = 1_000_000
IDLE_CONNECTIONS = 2000
# The supervisor's backoff starts over for a process that lived this long (pkg/ctl/supervisor.h).
_STABLE_S = 10.5
_SERVE_TIMEOUT_S = 60


class Prober:
    """SETs one key after the other until stopped, and notes when those that were acknowledged were sent."""

    def __init__(self, port):
        self._port = port
        self._stop = threading.Event()
        self._acknowledged = []  # (sent, acknowledged); appended by the thread, read by others
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        wait_for("the first write of the prober", lambda: self._acknowledged)
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        connection = None
        while not self._stop.is_set():
            try:
                connection = connection or RespConnection(self._port)
                sent = time.monotonic()
                connection.command("SET", "probe", sent)
                self._acknowledged.append((sent, time.monotonic()))
                self._stop.wait(0.002)
            except NotMeasured:  # an error reply: ask again
                self._stop.wait(0.01)
            except OSError:
                connection = None
                self._stop.wait(0.01)
        if connection:
            connection.close()

    def first_after(self, moment):
        """When the first write sent after `moment` was acknowledged."""
        return next((acknowledged for sent, acknowledged in self._acknowledged if sent > moment), None)


def _kv(cluster):
    return {name: process for name, process in cluster.processes().items() if process["kind"] == "kv"}


def healthy_times(cluster, rounds):
    """Starts of a new cluster, in ms; it runs at the end."""
    times = []
    for i in range(rounds):
        if i:
            cluster.stop()
        cluster.start()
        times.append(cluster.healthy_ms)
    return times


def idle_connection_bytes(cluster):
    """Growth of the proxy per connection that has asked something once. On a proxy that has carried no load: memory freed
    by earlier work would hide the growth."""
    pid = cluster.pids()["proxy-0"]
    opened = []

    def open_connections(count):
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", cluster.port), timeout=10)
            opened.append(connection)
            connection.sendall(encode("GET", "no such key"))
            if connection.recv(64) != b"$-1\r\n":
                raise NotMeasured("an idle connection got no answer")

    try:
        open_connections(50)  # what the first connections allocate once
        before = procfs.rss_bytes(pid)
        open_connections(IDLE_CONNECTIONS)
        return (procfs.rss_bytes(pid) - before) / IDLE_CONNECTIONS
    finally:
        for connection in opened:
            connection.close()


def fill(cluster, keys):
    """RSS of every process after `keys` keys were set once, in bytes."""
    load_keys(cluster.port, keys)
    with RespConnection(cluster.port) as connection:
        count = connection.command("DBSIZE")
    if count < keys:
        raise NotMeasured(f"DBSIZE is {count} after {keys} keys were set")
    return {name: {"rss": procfs.rss_bytes(pid), "peak": procfs.peak_rss_bytes(pid)}
            for name, pid in cluster.pids().items()}


def _kill_and_time(cluster, names, keys):
    """kill -9 of some kv at once: seconds until a write sent after it was acknowledged, and until all are ready again."""
    wait_for("kv live long enough", lambda: all(procfs.uptime_s(process["pid"]) > _STABLE_S
                                                 for process in _kv(cluster).values()))
    old = {name: _kv(cluster)[name] for name in names}
    with Prober(cluster.port) as prober:
        start = time.monotonic()
        for process in old.values():
            os.kill(process["pid"], signal.SIGKILL)
        wait_for("the kv end", lambda: not any(procfs.running(process["pid"]) for process in old.values()))
        dead = time.monotonic()
        ready = {}

        def poll_ready():
            for name, process in old.items():
                if name not in ready and http_get(process["admin"], "/readyz", 1)[0] == 200:
                    ready[name] = time.monotonic() - start
            return len(ready) == len(old)

        wait_for("the killed kv are ready again", poll_ready, _SERVE_TIMEOUT_S)
        write = wait_for("a write after the kill", lambda: prober.first_after(dead), _SERVE_TIMEOUT_S) - start
    with RespConnection(cluster.port) as connection:
        for i in random.Random(1).sample(range(keys), 100):
            if connection.command("GET", "key:%012d" % i) is None:
                raise NotMeasured(f"key:{i:012} is gone after the kill")
    return {"killed": sorted(names), "write_s": round(write, 3), "ready_s": round(max(ready.values()), 3)}


def kill_times(cluster, rounds, keys):
    """One replica (the leader: the worst case) and all at once."""
    one = [_kill_and_time(cluster, [cluster.leader()], keys) for _ in range(rounds)]
    every = [_kill_and_time(cluster, list(_kv(cluster)), keys) for _ in range(rounds)]
    return {"one": one, "all": every}


def measure(cluster, rounds, keys, say):
    """All of it on `cluster`, which is not running yet and is stopped at the end. Returns figures and failures."""
    figures, failures = {}, []

    def attempt(name, what):
        try:
            figures[name] = what()
            say(f"{name}: {figures[name]}")
        except (NotMeasured, OSError) as error:
            failures.append(f"{name}: {error}")
            say(f"not measured: {failures[-1]}")

    def restart_ms():
        cluster.stop()
        cluster.start(fresh=False)
        return cluster.healthy_ms

    try:
        attempt("healthy_ms", lambda: healthy_times(cluster, rounds))
        if "healthy_ms" not in figures:
            return figures, failures
        attempt("idle_connection_bytes", lambda: idle_connection_bytes(cluster))
        attempt("memory", lambda: fill(cluster, keys))
        attempt("kill", lambda: kill_times(cluster, rounds, keys))
        attempt("healthy_with_keys_ms", restart_ms)
    finally:
        cluster.stop()
    return figures, failures


def summary(figures):
    """The figures that have a target: name -> value, or None."""
    def kill(which):
        runs = figures.get("kill", {}).get(which)
        return statistics.median(max(run["write_s"], run["ready_s"]) for run in runs) if runs else None

    memory = [m["rss"] for name, m in figures.get("memory", {}).items() if name.startswith("kv-")]
    healthy, idle = figures.get("healthy_ms"), figures.get("idle_connection_bytes")
    return {
        "kv_rss_mib": max(memory) / 2**20 if memory else None,
        "idle_connection_kib": idle / 1024 if idle is not None else None,
        "kill_one_s": kill("one"),
        "kill_all_s": kill("all"),
        "healthy_s": statistics.median(healthy) / 1000 if healthy else None,
    }
