#!/usr/bin/env python3
"""The leader is killed: writes resume within 3 s in 99 of 100 kills, from SIGKILL to the first acknowledged write."""

import time

import instrumented
from cluster import Cluster, Failure, wait_for
from harness import percentiles, run
from prober import Prober

LIMIT_MS = 3000
ALLOWED = 0.01


def leader_gap(test):
    gaps = []
    with Cluster(test.build, test.work / "cluster") as cluster:
        prober = Prober(cluster.port)
        prober.start()
        try:
            for number in range(test.args.rounds):
                gaps.append(kill_leader(test, cluster, prober, number))
        finally:
            prober.stop()
            test.summary.update(kills=len(gaps), writes=len(prober.probes), errors=dict(prober.errors()),
                                gap_ms=percentiles(gaps))
    late = sum(gap > instrumented.seconds(LIMIT_MS) for gap in gaps)
    if late > ALLOWED * len(gaps):
        raise Failure(f"{late} of {len(gaps)} gaps were longer than {LIMIT_MS} ms")
    if prober.errors():
        raise Failure(f"clients saw errors: {dict(prober.errors())}")


def kill_leader(test, cluster, prober, number):
    cluster.wait_ready()
    time.sleep(test.random.uniform(0.5, 1.5))
    leader = cluster.leader()
    start = time.monotonic()
    killed = cluster.kill([leader["name"]])
    done = wait_for("first write after the kill", lambda: prober.first_ok_after(start), 30, step=0.005)
    gap = (done - start) * 1000
    test.say(f"kill {number}: {leader['name']} of term {leader['term']}, gap {gap:.0f} ms")
    cluster.wait_restarted(killed)
    return gap


run(leader_gap, lambda parser: parser.add_argument("--rounds", type=int, default=10))
