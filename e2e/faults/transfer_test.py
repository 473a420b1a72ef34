#!/usr/bin/env python3
"""Leadership is transferred under load: no client sees an error, and no gap between acknowledgements reaches 200 ms."""

import time

import instrumented
from cluster import Cluster, Failure, wait_for
from harness import Load, percentiles, run
from prober import Prober

LIMIT_MS = 200


def transfer_leader(test, cluster, prober, number):
    members = cluster.members()
    leader = cluster.leader()
    target = test.random.choice([m for m in members if m["id"] != leader["id"]])
    begin = time.monotonic()
    result = cluster.ctl("transfer-leader", "1", str(target["id"]))
    if result.returncode != 0:
        raise Failure(f"kdbctl transfer-leader: {result.stderr.strip()}")
    wait_for("the new leader", lambda: cluster.leader()["id"] == target["id"], 5)
    time.sleep(0.5)
    gap = prober.longest_gap(begin, time.monotonic()) * 1000
    test.say(f"transfer {number}: {leader['name']} -> {target['name']}, longest gap {gap:.0f} ms")
    return gap


def transfer(test):
    gaps = []
    with Cluster(test.build, test.work / "cluster", proxies=2) as cluster:
        load = Load(test, cluster, "load", connections=4).start()
        prober = Prober(cluster.port)
        prober.start()
        try:
            time.sleep(1)
            for number in range(test.args.rounds):
                gaps.append(transfer_leader(test, cluster, prober, number))
            summary = load.stop()
        finally:
            load.abandon()
            prober.stop()
        load.read_back()
        load.check()
    test.summary.update(transfers=len(gaps), gap_ms=percentiles(gaps), errors=dict(prober.errors()))
    if prober.errors() or summary["unknown"] or summary["refused"]:
        raise Failure(f"clients saw errors: {dict(prober.errors())}, load: {summary}")
    if max(gaps) >= instrumented.seconds(LIMIT_MS):
        raise Failure(f"the longest gap is {max(gaps):.0f} ms")


run(transfer, lambda parser: parser.add_argument("--rounds", type=int, default=10))
