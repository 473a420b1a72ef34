#!/usr/bin/env python3
"""One value of one replica changes behind everybody's back, with all checksums right: the group's hash check finds the replica, and it alone."""

import subprocess

from abuse_test import Client
from cluster import Cluster, Failure, wait_for
from damage_test import others_serve, says_why
from harness import run

KEYS = 300


def change_value(test, cluster, name, key):
    """While the server does not run: kdbctl demo starts it again at once, so it is held back by the lock."""
    db = cluster.dir / name / "db"
    for _ in range(100):
        pids = cluster.kill([name])
        done = subprocess.run([test.build / "bin" / "change_value", db, key], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=30)
        if done.returncode == 0:
            cluster.wait_restarted(pids)
            return
    raise Failure(f"the value could not be changed: {done.stderr}")


def hash_check(test):
    with Cluster(test.build, test.work / "cluster", kv_flags=["--hash-check=1s", "--flush-log=1MiB"]) as cluster:
        with Client(cluster.port) as client:
            values = {f"key:{i}": test.random.randbytes(5000) for i in range(KEYS)}
            for key, value in values.items():
                if client.run("SET", key, value) != b"+OK":
                    raise Failure(f"SET {key}")
            names = cluster.names("kv")
            wait_for("a check that all pass", lambda: all(cluster.metric(n, "kdb_hash_checks_total") > 0 for n in names), 30)
            name = test.random.choice(names)
            wait_for("a flush", lambda: cluster.metric(name, "kdb_raft_flushes_total") > 0, 30)
            change_value(test, cluster, name, "key:0")
            says_why(test, cluster, name, "hash check")
            others_serve(cluster, client, values)
            for other in names:
                if other != name and cluster.metric(other, "kdb_quarantined") != 0:
                    raise Failure(f"{other} is in quarantine, too")


if __name__ == "__main__":
    run(hash_check)
