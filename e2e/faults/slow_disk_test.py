#!/usr/bin/env python3
"""A leader whose syncs do not end gives up leadership and says so, takes no part in elections, stays, and takes part again when its disk does."""

from abuse_test import Client
from cluster import Cluster, Failure, http, wait_for
from harness import Load, run


def stalls(cluster, name):
    return cluster.metric(name, "kdb_raft_fsync_stalls_total")


def another_leads(test, cluster, old):
    """Looks at many states: once another leads the stalled one must not lead again."""
    seen = []

    def look():
        leader = cluster.leader()
        seen.append(leader["name"])
        return leader["name"] != old and len(seen) >= 10

    wait_for("another leader", look, 30)
    first = next(i for i, name in enumerate(seen) if name != old)
    if old in seen[first:]:
        raise Failure(f"{old} leads again while its disk stalls: {seen}")
    test.say(f"{seen[-1]} leads in place of {old}")


def stall(test, cluster, client, number):
    leader = cluster.leader()
    name, term = leader["name"], leader["term"]
    pid = cluster.process(name)["pid"]
    before = stalls(cluster, name)
    marker = cluster.dir / name / "stall-syncs"
    marker.touch()
    try:
        wait_for("the stall is noticed", lambda: stalls(cluster, name) > before, 30)
        said = wait_for("it is not ready", lambda: (r := http(cluster.process(name)["admin"], "/readyz"))[0] == 503 and r[1], 30)
        test.say(f"{name}: {said.strip()}")
        if "sync" not in said or "has not finished a sync" not in cluster.last_log(name, 50):
            raise Failure(f"{name} does not say why: {said}, {cluster.last_log(name)}")
        another_leads(test, cluster, name)
        if client.run("SET", f"stalled:{number}", "v") != b"+OK":
            raise Failure("the others do not serve")
        if http(cluster.process(name)["admin"], "/livez")[0] != 200:
            raise Failure(f"{name} is not alive")
        if (now := cluster.leader())["term"] > term + 20:
            raise Failure(f"terms run away while a disk stalls: {term} to {now['term']}")
    finally:
        marker.unlink()
    cluster.wait_ready(30, [name])
    if cluster.process(name)["pid"] != pid:
        raise Failure(f"{name} was started again")
    return name


def slow_disk(test):
    with Cluster(test.build, test.work / "cluster", binaries="power_off") as cluster:
        load = Load(test, cluster, "load", connections=4).start()
        try:
            with Client(cluster.port) as client:
                for number in range(test.args.rounds):
                    name = stall(test, cluster, client, number)
            summary = load.stop()
        finally:
            load.abandon()
        wait_for(f"{name} with the leader", lambda: cluster.lag_of(name) == 0, 30)
        # It takes part again: it can lead, and every key is read from it.
        member = next(m for m in cluster.members() if m["name"] == name)
        result = cluster.ctl("transfer-leader", "1", str(member["id"]))
        if result.returncode != 0:
            raise Failure(f"kdbctl transfer-leader: {result.stderr.strip()}")
        wait_for("its leadership", lambda: cluster.leader()["name"] == name, 10)
        load.read_back()
        load.check()
    if summary["unknown"] or summary["refused"]:
        raise Failure(f"clients were disturbed: {summary}")


run(slow_disk, lambda parser: parser.add_argument("--rounds", type=int, default=2))
