#!/usr/bin/env python3
"""Bits flip in the files of a replica that serves: no client gets a wrong value, the replica goes into quarantine and stays there, the others serve."""

import os
import pathlib

from abuse_test import Client
from cluster import Cluster, Failure, wait_for
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


def rot(path, step):
    """Flips a bit in every `step` bytes, under the eyes of the process that has the file open. Returns how many."""
    places = range(step // 2, path.stat().st_size, step)
    with open(path, "r+b") as f:
        for at in places:
            byte = os.pread(f.fileno(), 1, at)
            os.pwrite(f.fileno(), bytes([byte[0] ^ 4]), at)
    return len(places)


def read_until_quarantine(client, values, quarantine):
    """Every reply must be right; errors that say that nothing is known are not wrong, only late."""
    right = late = 0
    while not quarantine.exists() or right == 0:
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


def damage(test):
    with Cluster(test.build, test.work / "cluster", kv_flags=FLAGS) as cluster:
        with Client(cluster.port) as client:
            values = write_all(client, test.random)
            leader = cluster.leader()["name"]
            directory = pathlib.Path(cluster.dir) / leader
            suffix = test.random.choice([".sst", ".blob"])
            wait_for("files", lambda: sum(p.stat().st_size for p in data_files(directory, suffix)) > 100_000, 20)
            flips = sum(rot(path, 4000) for path in data_files(directory, suffix))
            test.say(f"{flips} bits flipped in {leader}'s {suffix} files")
            quarantine = directory / "quarantine"
            test.summary["right"], test.summary["late"] = read_until_quarantine(client, values, quarantine)
            wait_for("the reason in the log", lambda: "is in quarantine" in cluster.last_log(leader, 20), 20)
            said = [line for line in cluster.last_log(leader, 20).split(" | ") if "quarantine" in line][-1]
            test.say(said)
            if "kdbctl member replace" not in said:
                raise Failure(f"the message does not say what to do: {said}")
            prober = Prober(cluster.port)
            prober.start()
            for key, value in values.items():
                if client.run("GET", key) != value or client.run("SET", key, value) != b"+OK":
                    raise Failure(f"{key} is not served by the others")
            prober.stop()
            if prober.errors():
                raise Failure(f"clients saw errors: {dict(prober.errors())}")
            if cluster.ready(leader):
                raise Failure(f"{leader} serves again")
        cluster.stop(check=False)  # the one in quarantine does not run


run(damage)
