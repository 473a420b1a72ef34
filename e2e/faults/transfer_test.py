#!/usr/bin/env python3
"""Leadership is transferred under load: no client sees an error; with --limit-ms, of the longest gaps between
acknowledgements the 99th percentile is below that. Then it is refused to members that could not take over at once."""

import json
import signal
import time

import instrumented
from cluster import Cluster, Failure, wait_for
from harness import Load, percentiles, run
from prober import Prober


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


def refused(cluster, target, reason):
    result = cluster.ctl("transfer-leader", "1", str(target))
    if result.returncode == 0 or reason not in result.stderr:
        raise Failure(f"a transfer to member {target} is not refused with '{reason}': {result}")


def refusals(test, cluster):
    """What makes no sense is refused at once, with the reason, and changes nothing."""
    leader = cluster.leader()
    follower = next(m for m in cluster.members() if m["id"] != leader["id"])
    refused(cluster, 99, "group 1 has no member 99")
    if cluster.ctl("transfer-leader", "1", str(leader["id"])).returncode != 0:
        raise Failure("a transfer to the leader itself is not OK")
    cluster.signal([follower["name"]], signal.SIGSTOP)
    try:
        wait_for("the leader to miss it", lambda: any(
            not m["active"] for m in heard(cluster) if m["id"] == follower["id"]), 20)
        refused(cluster, follower["id"], f"node {follower['id']} was not heard of lately")
    finally:
        cluster.signal([follower["name"]], signal.SIGCONT)
    if cluster.leader()["term"] != leader["term"]:
        raise Failure("a transfer that was refused changed the leader")
    test.say("refused as it should be")


def heard(cluster):
    reply = cluster.ctl("-o", "json", "member", "list", "1")
    return json.loads(reply.stdout)["members"] if reply.returncode == 0 else []


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
            refusals(test, cluster)
        finally:
            load.abandon()
            prober.stop()
        load.read_back()
        load.check()
    test.summary.update(transfers=len(gaps), gap_ms=percentiles(gaps), errors=dict(prober.errors()))
    if prober.errors() or summary["unknown"] or summary["refused"]:
        raise Failure(f"clients saw errors: {dict(prober.errors())}, load: {summary}")
    p99 = percentiles(gaps)["p99"]
    if test.args.limit_ms is not None and p99 >= instrumented.seconds(test.args.limit_ms):
        raise Failure(f"the 99th percentile of the gaps is {p99:.0f} ms")


def arguments(parser):
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--limit-ms", type=float, help="judge the gaps; without it, errors alone")


run(transfer, arguments)
