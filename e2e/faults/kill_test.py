#!/usr/bin/env python3
"""Kill: under mixed load, kill -9 a random process or many at once; nothing acknowledged is lost, nothing is done twice, every
read is linearizable. With --power-off on servers whose unsynced bytes die with them; with --lose-syncs these do not sync (all
files, or their raft log, or only what is appended to it), and the test must see the loss: acknowledged writes that are gone, or a server that refuses to start
because its data is. Any other failure is a failure.
"""

import time

from cluster import Cluster, DataLost, Failure
from harness import Load, percentiles, run

MOST_ROUNDS_TO_LOSE = 5
MOST_SEEN = 1000  # characters of the proof, in the summary
READ_BACK_LATER = 3  # rounds after which a round's keys are read again, beside the end


def arguments(parser):
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--power-off", action="store_true")
    parser.add_argument("--lose-syncs", choices=["all", "fdatasync", "appends"], help="succeed only if the loss is seen")


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


def play(test, cluster, loads):
    """Appends the load of each round to `loads`."""
    recoveries = []
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
            cluster.wait_ready()
        cluster.env["KDB_LOSE_SYNCS"] = test.args.lose_syncs
        must_lose(test, cluster)
        return
    with cluster:
        play(test, cluster, [])


def must_lose(test, cluster):
    if test.args.rounds > MOST_ROUNDS_TO_LOSE:
        raise Failure(f"the loss has to be seen within {MOST_ROUNDS_TO_LOSE} rounds, not {test.args.rounds}")
    try:
        cluster.start()
        cluster.wait_ready()  # nothing is lost before the first kill
    except DataLost as e:
        raise Failure(f"before anything was killed: {e}") from None
    loads = []
    try:
        play(test, cluster, loads)
        raise Failure(f"no sync reached the disk and nothing was seen in {test.args.rounds} rounds")
    except Failure as e:
        loss = e if isinstance(e, DataLost) else loss_in(loads)
        if loss is None:
            raise Failure(f"not the loss that was provoked: {e}") from None
        test.summary["seen"] = str(loss)[:MOST_SEEN]
        test.say(f"seen: {loss}")
    finally:
        cluster.stop(check=False)


def loss_in(loads):
    """The proof that an acknowledged write is gone, if there is one. What clients were told may be odd as well: a group that
    lost its log does not know their sessions.
    """
    for load in loads:
        try:
            load.read_back()
            load.check()
        except DataLost as e:
            return e
        except Failure:
            continue
    return None


run(kill, arguments)
