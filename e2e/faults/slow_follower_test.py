#!/usr/bin/env python3
"""A follower that was stopped for long catches up from the log, and disturbs nobody meanwhile."""

import signal
import time

from cluster import Cluster, Failure, wait_for
from harness import Load, run


def lag_of(cluster, name):
    members = {m["name"]: m for m in cluster.members()}
    leader = cluster.leader()
    if "applied" not in members.get(name, {}):
        return None
    return leader["applied"] - members[name]["applied"]


def slow_follower(test):
    with Cluster(test.build, test.work / "cluster", proxies=2) as cluster:
        load = Load(test, cluster, "load").start()
        try:
            leader = cluster.leader()["name"]
            follower = test.random.choice([n for n in cluster.names("kv") if n != leader])
            cluster.signal([follower], signal.SIGSTOP)
            before = cluster.leader()["applied"]
            time.sleep(test.args.seconds)
            missed = cluster.leader()["applied"] - before
            cluster.signal([follower], signal.SIGCONT)
            start = time.monotonic()

            def caught_up():
                lag = lag_of(cluster, follower)
                return lag is not None and lag < 1000

            wait_for(f"{follower} catching up under load", caught_up, 60)
            seconds = time.monotonic() - start
            summary = load.stop()
        finally:
            load.abandon()
        wait_for(f"{follower} with the leader", lambda: lag_of(cluster, follower) == 0, 30)
        load.read_back()
        load.check()
        # What it caught up with is right: it leads, and every key is read from it.
        member = next(m for m in cluster.members() if m["name"] == follower)
        result = cluster.ctl("transfer-leader", "1", str(member["id"]))
        if result.returncode != 0:
            raise Failure(f"kdbctl transfer-leader: {result.stderr.strip()}")
        wait_for("its leadership", lambda: cluster.leader()["name"] == follower, 10)
        load.read_back()
        load.check()
    test.summary.update(stopped_s=test.args.seconds, entries_missed=missed, caught_up_s=round(seconds, 2))
    test.say(f"{follower} missed {missed} entries and caught up in {seconds:.2f} s; load {summary}")
    if summary["unknown"] or summary["refused"]:
        raise Failure(f"clients were disturbed: {summary}")


run(slow_follower, lambda parser: parser.add_argument("--seconds", type=float, default=15))
