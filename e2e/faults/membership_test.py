#!/usr/bin/env python3
"""Members of a shard group and of meta are replaced, added, moved and removed under load, and no acknowledged write is lost.

Each scene goes on where the last one ended: a server on an older copy of its directory is found out; it is wiped and replaced at
its own address; a fourth one is added and catches up by a snapshot; it moves to another address; the leader is removed; a meta
server is replaced. At the end all is killed and starts again.
"""

import json
import pathlib
import shutil
import signal
import subprocess
import time

import instrumented
from cluster import Cluster, Failure, die_with_parent, http, wait_for
from harness import Load, run
from snapshot_test import FLAGS, fill


class Server:
    """One more kv server than `kdbctl demo` has, on ports that the demo keeps for more replicas."""

    def __init__(self, cluster, number):
        self.template = cluster.process("kv-0")
        self.name = f"kv-{number}"
        self.data = pathlib.Path(cluster.dir) / self.name
        self.log = pathlib.Path(cluster.dir) / "logs" / f"{self.name}.log"
        self.process = None
        self.move(number)

    def move(self, number):
        """To the ports of another replica, from the next start on."""
        self.address, self.admin = (self._port(kind, number) for kind in ("address", "admin"))

    def _port(self, kind, number):
        host, port = self.template[kind].rsplit(":", 1)
        return f"{host}:{int(port) + number}"

    def start(self):
        mine = {"--listen": self.address, "--admin-listen": self.admin, "--data-dir": self.data, "--instance": self.name}
        words = self.template["argv"]
        argv = [mine.get(before, word) for before, word in zip([None, *words], words)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)
        wait_for(f"{self.name} started", lambda: http(self.admin, "/startupz")[0] == 200, 20)
        return self

    def ready(self):
        return http(self.admin, "/readyz")[0] == 200

    def installed_a_snapshot(self):
        text = http(self.admin, "/metrics")[1]
        return any(line.startswith("kdb_snapshots_installed_total") and float(line.split()[-1]) > 0 for line in text.splitlines())

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        self.process.terminate()
        if self.process.wait(instrumented.seconds(20)) != 0:
            raise Failure(f"{self.name} did not end cleanly, see {self.log}")


def member(cluster, *args):
    """kdbctl member; fails unless it succeeds."""
    result = cluster.ctl("--timeout=60", "member", *map(str, args), timeout=70)
    if result.returncode != 0:
        raise Failure(f"kdbctl member {args}: {result.stderr.strip()}")
    return result.stdout


def refused(cluster, reason, *args):
    """kdbctl member fails at once, says why, and changes nothing."""
    before = voters(cluster)
    result = cluster.ctl("--timeout=20", "member", *map(str, args))
    if result.returncode == 0 or reason not in result.stderr:
        raise Failure(f"kdbctl member {args} should fail by {reason!r}: {result.stdout}{result.stderr}")
    if voters(cluster) != before:
        raise Failure(f"kdbctl member {args} failed and changed something")


def members(cluster, gid=1):
    result = cluster.ctl("-o", "json", "member", "list", str(gid))
    if result.returncode != 0:
        raise Failure(f"kdbctl member list {gid}: {result.stderr.strip()}")
    return json.loads(result.stdout)["members"]


def voters(cluster, gid=1):
    return {m["address"]: m["id"] for m in members(cluster, gid) if m["role"] == "voter"}


def restart_on(cluster, name, directory=None):
    """The server is killed, and restarted on what is in this directory instead of its own; none: nothing."""
    data = pathlib.Path(cluster.process(name)["data"])
    cluster.signal([name], signal.SIGSTOP)
    data.rename(f"{data}.lost-{time.monotonic_ns()}")
    if directory is not None:
        directory.rename(data)
    cluster.wait_restarted(cluster.kill([name]), refuse=False)


def wipe(cluster, name):
    """It comes back on an empty directory, at its old address."""
    process = cluster.process(name)
    restart_on(cluster, name)
    wait_for(f"{name} passive", lambda: "passive" in http(process["admin"], "/readyz")[1], 20)
    return process["address"]


def catalog_follows(cluster, gid=1):
    """The catalog names the members that the group has."""
    want = sorted((m["id"], m["address"]) for m in members(cluster, gid))

    def same():
        return sorted((m["id"], m["address"]) for m in cluster.members(gid)) == want

    wait_for(f"the catalog following group {gid}", same, 10, step=0.1)


def roll_back(test, cluster, name):
    """It has acknowledged entries that its directory does not hold any more: its leader's next heartbeat tells."""
    process = cluster.process(name)
    copy = pathlib.Path(f"{process['data']}.copy")
    cluster.signal([name], signal.SIGSTOP)
    shutil.copytree(process["data"], copy)
    cluster.signal([name], signal.SIGCONT)
    has = {m["address"]: m["match"] for m in members(cluster)}
    term = cluster.leader()["term"]

    def acknowledged_more():
        return any(m["address"] == process["address"] and m["match"] > has[m["address"]] for m in members(cluster))

    wait_for(f"{name} acknowledging", acknowledged_more, 20)
    restart_on(cluster, name, copy)
    time.sleep(1)
    if cluster.leader()["term"] != term:
        test.say("a new leader does not know what the last one was told: this round proves nothing")
        return
    wait_for(f"{name} in quarantine", lambda: "it acknowledged entry" in http(process["admin"], "/readyz")[1], 20)
    test.say(f"{name}, on an older copy of its directory, is in quarantine")


def replace_wiped(test, cluster, name):
    address = wipe(cluster, name)
    old = voters(cluster)[address]
    refused(cluster, "a new or emptied directory there is a new member, so replace member", "add", 1, address)
    begin = time.monotonic()
    member(cluster, "replace", 1, old, address, "--wait")
    test.summary["replaced_s"] = round(time.monotonic() - begin, 2)
    now = voters(cluster)
    if now[address] <= old or len(now) != 3:
        raise Failure(f"member {old} at {address} was replaced, and the voters are {now}")
    test.say(f"{name}, wiped, is member {now[address]} instead of {old} after {test.summary['replaced_s']} s")
    catalog_follows(cluster)


def add_fourth(test, cluster, server):
    fill(cluster.redis_ports()[0], "base", 24)
    server.start()
    begin = time.monotonic()
    member(cluster, "add", 1, server.address, "--wait")
    test.summary["added_s"] = round(time.monotonic() - begin, 2)
    if not server.installed_a_snapshot():
        raise Failure("the fourth member caught up without a snapshot: nothing is proved")
    if len(voters(cluster)) != 4:
        raise Failure(f"a fourth member was added, and the voters are {voters(cluster)}")
    test.say(f"a fourth member votes after {test.summary['added_s']} s")
    catalog_follows(cluster)


def move(test, cluster, server):
    old, id_ = server.address, voters(cluster)[server.address]
    server.stop()
    server.move(4)
    server.start()
    member(cluster, "update", 1, id_, server.address)
    wait_for("the moved member ready", server.ready, 20)
    if voters(cluster).get(server.address) != id_:
        raise Failure(f"member {id_} moved to {server.address}, and the voters are {voters(cluster)}")
    test.say(f"member {id_} moved from {old} to {server.address}")
    catalog_follows(cluster)


def remove_leader(test, cluster):
    leader = cluster.leader()
    member(cluster, "remove", 1, leader["id"])
    if leader["address"] in voters(cluster):
        raise Failure(f"member {leader['id']} was removed, and the voters are {voters(cluster)}")
    member(cluster, "remove", 1, leader["id"])  # repeated
    test.say(f"the leader, member {leader['id']}, is removed")
    catalog_follows(cluster)
    refused(cluster, "ids are never used again", "add", 1, leader["address"])
    return leader["address"]


def replace_meta(test, cluster):
    leader = cluster.leader(0)["name"]
    name = test.random.choice([n for n in cluster.names("meta") if n != leader])
    address = wipe(cluster, name)
    old = voters(cluster, 0)[address]
    member(cluster, "replace", 0, old, address, "--wait")
    if voters(cluster, 0)[address] <= old:
        raise Failure(f"the voters of meta are {voters(cluster, 0)}")
    test.say(f"{name}, wiped, is member {voters(cluster, 0)[address]} of meta instead of {old}")
    catalog_follows(cluster, 0)
    # The new one counts: with it and one other, meta goes on.
    others = [n for n in cluster.names("meta") if n != name]
    wait_for(f"{name} ready", lambda: cluster.ready(name), 60)
    cluster.signal(others[:1], signal.SIGSTOP)
    wait_for("meta without one of its first members", lambda: cluster.ctl("member", "list", "0").returncode == 0, 30)
    cluster.signal(others[:1], signal.SIGCONT)


def bad_input(cluster, server):
    ids = voters(cluster)
    follower = next(m for m in members(cluster) if not m["leader"])
    meta = cluster.process("meta-0")["address"]
    refused(cluster, "there is no group 9: the groups are 1", "remove", 9, 1)
    refused(cluster, "group 1 has no member 77: its members are", "remove", 1, 77)
    refused(cluster, f"{meta} is the address of member", "add", 1, meta)
    refused(cluster, "does not answer: start it first; nothing was changed", "add", 1, "127.0.0.1:1")
    refused(cluster, "the new one needs an empty directory", "replace", 1, follower["id"], server.address)
    refused(cluster, "this is cluster", "--cluster=nobody", "remove", 1, follower["id"])
    refused(cluster, "not of group 2 of cluster", f"--server={follower['address']}", "remove", 2, 1)
    if voters(cluster) != ids:
        raise Failure("something was changed")


def membership(test):
    with Cluster(test.build, test.work / "cluster", proxies=2, kv_flags=FLAGS) as cluster:
        load = Load(test, cluster, "load", connections=4).start()
        fourth = Server(cluster, 3)
        try:
            leader = cluster.leader()["name"]
            follower = test.random.choice([n for n in cluster.names("kv") if n != leader])
            roll_back(test, cluster, follower)
            replace_wiped(test, cluster, follower)
            add_fourth(test, cluster, fourth)
            move(test, cluster, fourth)
            bad_input(cluster, fourth)
            removed = remove_leader(test, cluster)
            replace_meta(test, cluster)
            test.summary["load"] = load.stop()
            load.read_back()
            load.check()
            # From the disks alone.
            fourth.kill()
            killed = cluster.kill(cluster.names())
            fourth.start()
            cluster.wait_restarted(killed, refuse=False)
            for process in cluster.processes():
                if process["address"] != removed:
                    wait_for(f"{process['name']} ready", lambda name=process["name"]: cluster.ready(name), 60)
            load.read_back()
            load.check()
            fourth.stop()
        finally:
            load.abandon()
            fourth.kill()


if __name__ == "__main__":
    run(membership)
