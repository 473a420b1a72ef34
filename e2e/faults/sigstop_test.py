#!/usr/bin/env python3
"""The leader is stopped (SIGSTOP) for 5 s, then goes on: another takes over meanwhile, and the old one misleads nobody."""

import signal
import time

import instrumented
from cluster import Cluster, Failure, wait_for
from harness import Load, percentiles, run
from prober import Prober

STOPPED_S = 5
LIMIT_MS = 3000


def stop_leader(test, cluster, number):
    load = Load(test, cluster, f"r{number}").start()
    prober = Prober(cluster.port)
    prober.start()
    try:
        time.sleep(1)
        leader = cluster.leader()["name"]
        start = time.monotonic()
        cluster.signal([leader], signal.SIGSTOP)
        done = wait_for("first write without the leader", lambda: prober.first_ok_after(start), 30, step=0.005)
        gap = (done - start) * 1000
        time.sleep(max(0, STOPPED_S - (time.monotonic() - start)))
        cluster.signal([leader], signal.SIGCONT)
        cluster.wait_ready()
        time.sleep(1)
        summary = load.stop()
    finally:
        load.abandon()
        prober.stop()
    load.read_back()
    load.check()
    test.say(f"stop {number}: {leader}, gap {gap:.0f} ms; load {summary}")
    if prober.errors():
        raise Failure(f"clients saw errors: {dict(prober.errors())}")
    return gap


def sigstop(test):
    with Cluster(test.build, test.work / "cluster", proxies=2) as cluster:
        pids = {p["name"]: p["pid"] for p in cluster.processes()}
        gaps = [stop_leader(test, cluster, number) for number in range(test.args.rounds)]
        if {p["name"]: p["pid"] for p in cluster.processes()} != pids:
            raise Failure("a server died")
    test.summary.update(stops=len(gaps), gap_ms=percentiles(gaps))
    if max(gaps) > instrumented.seconds(LIMIT_MS):
        raise Failure(f"the longest gap is {max(gaps):.0f} ms")


run(sigstop, lambda parser: parser.add_argument("--rounds", type=int, default=3))
