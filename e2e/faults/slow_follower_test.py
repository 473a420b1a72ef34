#!/usr/bin/env python3
"""A follower that was stopped for long catches up from the log, and disturbs nobody meanwhile.

That it was behind, and that the log made up for it, is measured: it misses MIN_MISSED entries or more, and then the same process
applies as many one by one, without ever being told that it needs a snapshot.
"""

import signal
import time

import instrumented
from cluster import Cluster, Failure, wait_for
from harness import Load, run

MIN_MISSED = 2000
CAUGHT_UP = 1000  # entries behind the leader, under load


def snapshots_needed(cluster):
    return sum(cluster.metric(name, "kdb_raft_snapshot_needed_total") for name in cluster.names("kv"))


def slow_follower(test):
    with Cluster(test.build, test.work / "cluster", proxies=2) as cluster:
        load = Load(test, cluster, "load").start()
        try:
            leader = cluster.leader()["name"]
            follower = test.random.choice([n for n in cluster.names("kv") if n != leader])
            process = cluster.process(follower)["pid"]
            applied_before = cluster.metric(follower, "kdb_apply_entries_total")
            cluster.signal([follower], signal.SIGSTOP)
            before = cluster.leader()["applied"]
            time.sleep(test.args.seconds)
            missed = cluster.leader()["applied"] - before
            cluster.signal([follower], signal.SIGCONT)
            start = time.monotonic()

            def caught_up():
                lag = cluster.lag_of(follower)
                return lag is not None and lag < CAUGHT_UP

            wait_for(f"{follower} catching up under load", caught_up, 60)
            seconds = time.monotonic() - start
            summary = load.stop()
        finally:
            load.abandon()
        wait_for(f"{follower} with the leader", lambda: cluster.lag_of(follower) == 0, 30)
        applied = cluster.metric(follower, "kdb_apply_entries_total") - applied_before
        if cluster.process(follower)["pid"] != process:
            raise Failure(f"{follower} was replaced by another process")
        if needed := snapshots_needed(cluster):
            raise Failure(f"the log did not do: a snapshot was needed {needed:.0f} times")
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
    test.summary.update(stopped_s=test.args.seconds, entries_missed=missed, entries_applied=applied,
                        caught_up_s=round(seconds, 2))
    test.say(f"{follower} missed {missed} entries and caught up in {seconds:.2f} s; load {summary}")
    if missed < MIN_MISSED / instrumented.SLOWDOWN:
        raise Failure(f"{follower} missed only {missed} entries, of at least {MIN_MISSED}: nothing is proved")
    if applied < missed:
        raise Failure(f"{follower} missed {missed} entries and applied only {applied:.0f}")
    if summary["unknown"] or summary["refused"]:
        raise Failure(f"clients were disturbed: {summary}")


run(slow_follower, lambda parser: parser.add_argument("--seconds", type=float, default=15))
