#!/usr/bin/env python3
"""Kill: under mixed load, kill -9 a random process or many at once; nothing acknowledged is lost, nothing is done twice, every
read is linearizable. With --power-off on servers whose unsynced bytes die with them; with --lose-syncs these do not sync (all
files, or their raft log), and the test must see it.
"""

import time

from cluster import Cluster, Failure
from harness import Load, percentiles, run

READ_BACK_LATER = 3  # rounds after which a round's keys are read again, beside the end


def arguments(parser):
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--power-off", action="store_true")
    parser.add_argument("--lose-syncs", choices=["all", "fdatasync"], help="succeed only if that is noticed")


def victims(test, cluster, number):
    """Whom to kill this round: a reason and names."""
    servers = cluster.names("kv") + cluster.names("meta")
    if test.args.power_off and number % 2 == 0:
        return "all kv and meta", servers
    choice = test.random.choices(["leader", "kv", "meta", "proxy", "all kv", "everything"], [5, 3, 2, 2, 3, 5])[0]
    if choice == "leader":
        return choice, [cluster.leader()["name"]]
    if choice == "all kv":
        return choice, cluster.names("kv")
    if choice == "everything":
        return choice, cluster.names()
    return choice, [test.random.choice(cluster.names(choice))]


def play_round(test, cluster, number, load):
    load.start()
    time.sleep(test.random.uniform(0.3, 1.2))
    reason, names = victims(test, cluster, number)
    killed = cluster.kill(names)
    start = time.monotonic()
    if len(names) == 1 and test.random.random() < 0.25:  # another one while the first is coming back
        time.sleep(test.random.uniform(0, 0.5))
        other = test.random.choice([n for n in cluster.names() if n not in killed])
        killed.update(cluster.kill([other]))
        reason += f", then {other}"
    cluster.wait_restarted(killed)
    cluster.wait_ready()
    recovery = time.monotonic() - start
    time.sleep(test.random.uniform(0.2, 0.6))
    summary = load.stop()
    test.say(f"round {number}: killed {reason} ({', '.join(sorted(killed))}); all ready after {recovery * 1000:.0f} ms; "
             f"{summary['operations']} operations, {summary['unknown']} unknown, {summary['refused']} refused")
    test.add(rounds=1, kills=len(killed))
    return recovery * 1000


def play(test, cluster):
    loads, recoveries = [], []
    for number in range(test.args.rounds):
        load = Load(test, cluster, f"r{number}")
        loads.append(load)
        try:
            recoveries.append(play_round(test, cluster, number, load))
        finally:
            load.abandon()
        for read in {number, max(0, number - READ_BACK_LATER)}:
            loads[read].read_back()
            loads[read].check()
    for load in loads:
        load.read_back()
        load.check()
    test.summary["ready_again_ms"] = percentiles(recoveries)


def kill(test):
    binaries = "power_off" if test.args.power_off else "bin"
    cluster = Cluster(test.build, test.work / "cluster", binaries=binaries, proxies=2)
    if test.args.lose_syncs:
        with cluster:  # born on a disk that keeps its word
            pass
        cluster.env["KDB_LOSE_SYNCS"] = test.args.lose_syncs
        must_lose(test, cluster)
        return
    with cluster:
        play(test, cluster)


def must_lose(test, cluster):
    try:
        cluster.start()
        play(test, cluster)
    except Failure as e:
        test.summary["noticed"] = str(e)
        return
    finally:
        cluster.stop(check=False)
    raise Failure("no sync reached the disk and nothing was noticed")


run(kill, arguments)
