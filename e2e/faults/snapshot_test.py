#!/usr/bin/env python3
"""A follower whose entries the leader has cut catches up by a snapshot, under load, whatever is killed meanwhile.

The log is kept short, the state is made large and its transfer slow, so that there is time to kill the one who fetches and
the one who serves. At the end the follower leads, and every key is read from it.
"""

import random
import signal
import socket
import time

from cluster import Cluster, Failure, wait_for
from harness import Load, run

FLAGS = ["--log-keep=0", "--log-hold=8MiB", "--flush-log=1MiB", "--segment-size=1MiB",
         "--snapshot-rate=16MiB"]
VALUE = random.randbytes(64 << 10)
CAUGHT_UP = 1000  # entries behind the leader, under load


def fill(port, prefix, megabytes):
    """Writes that much through a proxy."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        replies = s.makefile("rb")
        for i in range(megabytes * 16):
            key = f"{prefix}:{i}".encode()
            s.sendall(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, len(VALUE), VALUE))
            if (reply := replies.readline()) != b"+OK\r\n":
                raise Failure(f"SET {key}: {reply}")


def installed(cluster, name):
    return cluster.metric(name, "kdb_snapshots_installed_total")


def fall_behind(test, cluster, follower, round_):
    """Stops it until it needs what the leader has cut."""
    cluster.signal([follower], signal.SIGSTOP)
    fill(cluster.redis_ports()[0], f"fill{round_}", 24)
    time.sleep(1)
    cluster.signal([follower], signal.SIGCONT)


def fetches(cluster, name):
    try:
        return cluster.metric(name, "kdb_snapshot_fetched_bytes_total") > 1 << 20
    except Failure:
        return False


def catch_up(cluster, follower, timeout=90):
    start = time.monotonic()

    def caught_up():
        lag = cluster.lag_of(follower)
        return lag is not None and lag < CAUGHT_UP

    wait_for(f"{follower} catching up under load", caught_up, timeout, step=0.1)
    return time.monotonic() - start


def snapshot(test):
    with Cluster(test.build, test.work / "cluster", proxies=2, kv_flags=FLAGS) as cluster:
        load = Load(test, cluster, "load").start()
        try:
            fill(cluster.redis_ports()[0], "base", 48)
            follower = test.random.choice([n for n in cluster.names("kv") if n != cluster.leader()["name"]])
            fall_behind(test, cluster, follower, 0)
            seconds = catch_up(cluster, follower)
            if not installed(cluster, follower):
                raise Failure(f"{follower} caught up without a snapshot: nothing is proved")
            test.say(f"{follower} caught up by a snapshot in {seconds:.1f} s")
            for round_ in range(1, test.args.rounds + 1):
                fall_behind(test, cluster, follower, round_)
                wait_for(f"{follower} fetching", lambda: fetches(cluster, follower) or installed(cluster, follower) > 1, 60)
                victim = test.random.choice([follower, cluster.leader()["name"]])
                cluster.wait_restarted(cluster.kill([victim]))
                seconds = catch_up(cluster, follower)
                test.say(f"round {round_}: killed {victim}, {follower} caught up in {seconds:.1f} s")
            summary = load.stop()
        finally:
            load.abandon()
        wait_for(f"{follower} with the leader", lambda: cluster.lag_of(follower) == 0, 60)
        load.read_back()
        load.check()
        cluster.wait_ready()
        member = next(m for m in cluster.members() if m["name"] == follower)
        if cluster.leader()["name"] != follower:
            result = cluster.ctl("transfer-leader", "1", str(member["id"]))
            if result.returncode != 0:
                raise Failure(f"kdbctl transfer-leader: {result.stderr.strip()}")
        wait_for("its leadership", lambda: cluster.leader()["name"] == follower, 10)
        load.read_back()
        load.check()
    test.summary.update(rounds=test.args.rounds, load=summary)


if __name__ == "__main__":
    run(snapshot, lambda parser: parser.add_argument("--rounds", type=int, default=3))
