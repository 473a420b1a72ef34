"""The snapshot part: what clients feel while a replica that is far behind fetches a large state from its leader."""

import os
import random
import signal
import statistics
import time

from clients import NotMeasured, RedisBenchmark, RespConnection, encode
from systems import metrics, wait_for

MIB = 1 << 20
VALUE_BYTES = 64 << 10
CONNECTIONS = 8
RUN_S = 3
BASELINE_RUNS = 4  # before, and as many after: RocksDB works off what it was given at times of its own
# No log is kept, so that a follower that misses this much needs a snapshot.
FLAGS = ("--log-keep=0", "--flush-log=8MiB")
MISSED_MIB = 64
_TIMEOUT_S = 300


def fill(port, prefix, mebibytes, window=32):
    """SETs values that do not compress."""
    count = mebibytes * MIB // VALUE_BYTES
    with RespConnection(port, timeout_s=60) as connection:
        for start in range(0, count, window):
            numbers = range(start, min(start + window, count))
            connection.send_all(b"".join(encode("SET", f"{prefix}:{i}", random.randbytes(VALUE_BYTES)) for i in numbers))
            for _ in numbers:
                connection.read_reply()


def _fetched(process):
    return metrics(process["admin"]).get("kdb_snapshot_fetched_bytes_total", 0)


def _caught_up(follower, leader):
    behind, ahead = metrics(follower["admin"]), metrics(leader["admin"])
    name = "kdb_raft_applied_index"
    return (behind.get("kdb_snapshots_installed_total", 0) > 0
            and behind.get(name, 0) + 1000 > ahead.get(name, float("inf")))


def measure(cluster, mebibytes, say):
    """On `cluster`, which is not running yet and is stopped at the end. Returns the figures."""
    cluster.start()
    try:
        fill(cluster.port, "state", mebibytes)
        say(f"snapshot: {mebibytes} MiB are there")
        benchmark = RedisBenchmark("set", CONNECTIONS, 1)
        requests = benchmark.calibrate(cluster.port, RUN_S)
        without = [benchmark.run(cluster.port, requests) for _ in range(BASELINE_RUNS)]
        leader = cluster.processes()[cluster.leader()]
        follower = next(p for p in cluster.processes().values() if p["kind"] == "kv" and p["name"] != leader["name"])
        os.kill(follower["pid"], signal.SIGSTOP)
        try:
            fill(cluster.port, "missed", MISSED_MIB)
        finally:
            os.kill(follower["pid"], signal.SIGCONT)
        wait_for("the snapshot begins", lambda: _fetched(follower) > 0, _TIMEOUT_S)
        start, during = time.monotonic(), []
        while metrics(follower["admin"]).get("kdb_snapshots_installed_total", 0) == 0:
            during.append(benchmark.run(cluster.port, requests))
            if time.monotonic() - start > _TIMEOUT_S:
                raise NotMeasured(f"no snapshot is installed after {_TIMEOUT_S} s")
        seconds = time.monotonic() - start
        wait_for("the follower catches up", lambda: _caught_up(follower, leader), _TIMEOUT_S)
        caught_up = time.monotonic() - start
        fetched = _fetched(follower)
        without += [benchmark.run(cluster.port, requests) for _ in range(BASELINE_RUNS)]
    finally:
        cluster.stop()
    figures = {"mb": round(fetched / 1e6), "mb_per_s": round(fetched / 1e6 / seconds, 1), "caught_up_s": round(caught_up, 1),
               "without": without, "during": during}
    say(f"snapshot: {figures['mb']} MB at {figures['mb_per_s']} MB/s; SET p99 of runs without "
        f"{[run['p99_ms'] for run in without]} ms, during {[run['p99_ms'] for run in during]} ms")
    return figures


def summary(figures):
    """The figures that have a target: name -> value, or None."""
    if not figures:
        return {"snapshot_p99_ratio": None, "snapshot_mb_per_s": None}
    without, during = (statistics.median(run["p99_ms"] for run in figures[when]) for when in ("without", "during"))
    return {"snapshot_p99_ratio": during / without, "snapshot_mb_per_s": figures["mb_per_s"]}
