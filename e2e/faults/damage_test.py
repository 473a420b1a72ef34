#!/usr/bin/env python3
"""Bits flip in the files of a replica that serves: no client gets a wrong value, the replica goes into quarantine and stays there, the others serve."""

import contextlib
import json
import os
import pathlib

from abuse_test import Client
from cluster import Cluster, Failure, http, wait_for
from harness import run
from prober import Prober

KEYS = 2000
LARGE = 5  # values that lie in blob files
FLAGS = ["--memtable=1MiB", "--flush-log=1MiB", "--block-cache=1MiB", "--record-cache=0"]


def write_all(client, rng):
    """Of random bytes, which do not compress: the files are as large as the values."""
    values = {f"key:{i}": rng.randbytes(2000) for i in range(KEYS)}
    values |= {f"large:{i}": rng.randbytes(100_000) for i in range(LARGE)}
    for key, value in values.items():
        if (reply := client.run("SET", key, value)) != b"+OK":
            raise Failure(f"SET {key}: {reply!r}")
    return values


def data_files(directory, suffix):
    return sorted((directory / "db").glob(f"*{suffix}"))


def bytes_of(paths):
    total = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


class Rot:
    """Flips a bit in every `step` bytes of a server's files, each file once, under the eyes of the process that has them open."""

    def __init__(self, directory, suffix, step=4000):
        self.directory = directory
        self.suffix = suffix
        self.step = step
        self.rotten = set()
        self.flips = 0

    def spread(self):
        for path in data_files(self.directory, self.suffix):
            if path not in self.rotten:
                self.rotten.add(path)
                with contextlib.suppress(FileNotFoundError):  # a compaction was faster
                    self._flip(path)

    def _flip(self, path):
        with open(path, "r+b") as f:
            for at in range(self.step // 2, os.fstat(f.fileno()).st_size, self.step):
                byte = os.pread(f.fileno(), 1, at)
                os.pwrite(f.fileno(), bytes([byte[0] ^ 4]), at)
                self.flips += 1


def read_until_quarantine(client, values, rot, quarantine):
    """Every reply must be right; errors that say that nothing is known are not wrong, only late."""
    right = late = 0
    while not quarantine.exists() or right == 0:
        rot.spread()  # to what a compaction has written anew
        for key, value in values.items():
            reply = client.run("GET", key)
            if reply == value:
                right += 1
            elif reply is not None and reply.startswith(b"-TIMEOUT"):
                late += 1
            else:
                raise Failure(f"GET {key} while the leader's disk rots: {reply[:200] if reply else reply!r}")
        if right > 20 * len(values):
            raise Failure("all was read, and nobody noticed the damage")
    return right, late


def says_why(test, cluster, name, reason=""):
    """The process runs, and says everywhere that it does not serve, and what to do."""
    wait_for(f"{name} is in quarantine", lambda: "in quarantine" in http(cluster.process(name)["admin"], "/readyz")[1], 20)
    status, said = http(cluster.process(name)["admin"], "/readyz")
    test.say(f"{name}: {said}")
    if status == 200 or reason not in said or "kdbctl member replace" not in said:
        raise Failure(f"{name}'s readiness does not say why or what to do: {status} {said}")
    if http(cluster.process(name)["admin"], "/livez")[0] != 200 or cluster.metric(name, "kdb_quarantined") != 1:
        raise Failure(f"{name} is not alive, or its metric does not tell")
    if "is in quarantine" not in cluster.last_log(name, 50):
        raise Failure(f"{name}'s log does not tell: {cluster.last_log(name)}")
    told = [m for m in cluster.members() if m["name"] == name]
    if not told or told[0]["role"] != "quarantined" or "kdbctl member replace" not in told[0]["trouble"]:
        raise Failure(f"kdbctl status does not tell: {told}")


def others_serve(cluster, client, values):
    prober = Prober(cluster.port)
    prober.start()
    for key, value in values.items():
        if client.run("GET", key) != value or client.run("SET", key, value) != b"+OK":
            raise Failure(f"{key} is not served by the others")
    prober.stop()
    if prober.errors():
        raise Failure(f"clients saw errors: {dict(prober.errors())}")


def rotting_leader(test, cluster, client):
    """Its engine's files change while it serves."""
    values = write_all(client, test.random)
    leader = cluster.leader()["name"]
    directory = pathlib.Path(cluster.dir) / leader
    suffix = test.random.choice([".sst", ".blob"])
    wait_for("files", lambda: bytes_of(data_files(directory, suffix)) > 100_000, 20)
    pid = cluster.process(leader)["pid"]
    rot = Rot(directory, suffix)
    test.summary["right"], test.summary["late"] = read_until_quarantine(client, values, rot, directory / "quarantine")
    test.say(f"{rot.flips} bits flipped in {leader}'s {suffix} files")
    says_why(test, cluster, leader)
    others_serve(cluster, client, values)
    if cluster.process(leader)["pid"] != pid:
        raise Failure(f"{leader} was started again")
    return leader, values


def stays_in_quarantine(test, cluster, client, name, values):
    """Also over a start, though nothing is read by it."""
    cluster.wait_restarted(cluster.kill([name]), refuse=False)
    says_why(test, cluster, name)
    others_serve(cluster, client, values)


def member_at(cluster, address):
    reply = cluster.ctl("-o", "json", "member", "list", "1")
    if reply.returncode != 0:
        raise Failure(f"kdbctl member list: {reply.stderr.strip()}")
    return next(m["id"] for m in json.loads(reply.stdout)["members"] if m["address"] == address)


def is_replaced(test, cluster, client, name, values):
    """A server on an empty directory, here at the same address, takes its place: it leads, with all that there was."""
    process = cluster.process(name)
    old = member_at(cluster, process["address"])
    pathlib.Path(process["data"]).rename(f"{process['data']}.damaged")
    cluster.wait_restarted(cluster.kill([name]), refuse=False)
    wait_for(f"{name} passive", lambda: "passive" in http(process["admin"], "/readyz")[1], 20)
    result = cluster.ctl("member", "replace", "1", str(old), process["address"], "--wait", timeout=60)
    if result.returncode != 0:
        raise Failure(f"kdbctl member replace: {result.stderr.strip()}")
    wait_for(f"{name} is ready", lambda: cluster.ready(name), 30)
    new = member_at(cluster, process["address"])
    wait_for("a transfer to it", lambda: cluster.ctl("transfer-leader", "1", str(new)).returncode == 0, 20)
    wait_for("its leadership", lambda: cluster.leader()["name"] == name, 10)
    test.say(f"{name} is member {new} in place of {old}, and leads")
    others_serve(cluster, client, values)


def damage(test):
    with Cluster(test.build, test.work / "cluster", kv_flags=FLAGS) as cluster:
        with Client(cluster.port) as client:
            leader, values = rotting_leader(test, cluster, client)
            stays_in_quarantine(test, cluster, client, leader, values)
            is_replaced(test, cluster, client, leader, values)


if __name__ == "__main__":
    run(damage)
