#!/usr/bin/env python3
"""SCAN returns every key that is there throughout, whatever changes meanwhile, from any proxy, across leader transfers.

Threads write and delete other keys while walks go on; each call of a walk goes to a proxy at random.
"""

import pathlib
import sys
import threading

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "faults"))  # harness, cluster

import harness
import resp
from cluster import Cluster, Failure

PROXIES = 2
LASTING = 2000
PASSING = 2000
WRITERS = 3


def key(kind, number):
    return b"%s:{%d}:%d" % (kind, number % 97, number)


class Churn:
    """Writers and deleters of passing keys, until stopped."""

    def __init__(self, addresses, seed_of):
        self.stopped = threading.Event()
        self.changes = 0
        self.errors = []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._run, args=(addresses[i % len(addresses)], seed_of()))
                        for i in range(WRITERS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def _run(self, address, rng):
        connection = resp.Connection(address)
        while not self.stopped.is_set():
            commands = [self._change(rng, key(b"passing", rng.randrange(PASSING))) for _ in range(50)]
            # Lasting keys are overwritten and get an expiry, too: they stay.
            commands.append([b"SET", key(b"lasting", rng.randrange(LASTING)), b"%d" % rng.randrange(1000)])
            commands.append([b"EXPIRE", key(b"lasting", rng.randrange(LASTING)), b"100000"])
            connection.send(b"".join(map(resp.encode, commands)))
            replies = connection.read_replies(len(commands))
            with self.lock:
                self.changes += len(replies)
                self.errors += [r for r in replies if r.startswith(b"-")]

    @staticmethod
    def _change(rng, name):
        return [[b"SET", name, b"v"], [b"DEL", name], [b"SET", name, b"v", b"PX", b"50"], [b"UNLINK", name]][rng.randrange(4)]


class Walker:
    def __init__(self, test, addresses):
        self.test = test
        self.random = test.random
        self.connections = [resp.Connection(a) for a in addresses]

    def walk(self, *options, between=lambda: None):
        """Every key of a whole walk, and the number of its calls."""
        cursor, keys, calls = b"0", [], 0
        while True:
            reply = self.random.choice(self.connections).run("SCAN", cursor, *options)
            if reply.is_error():
                raise Failure(f"SCAN {cursor}: {reply.value}")
            cursor, page = reply.value[0].value, [k.value for k in reply.value[1].value]
            keys += page
            calls += 1
            if not 0 <= int(cursor) < 1 << 64:
                raise Failure(f"cursor {cursor} does not fit 64 bits")
            if cursor == b"0":
                return keys, calls
            between()

    def check(self, what, options, wanted, allowed, between=lambda: None):
        """All of `wanted` come, and nothing that `allowed` denies."""
        keys, calls = self.walk(*options, between=between)
        missing = wanted - set(keys)
        if missing:
            raise Failure(f"{what}: {len(missing)} of {len(wanted)} lasting keys were missed, such as {min(missing)}")
        odd = [k for k in keys if not allowed(k)]
        if odd:
            raise Failure(f"{what}: returned {odd[0]}")
        self.test.add(walks=1, calls=calls, keys=len(keys))
        return calls


def fill(address):
    connection = resp.Connection(address)
    connection.run("FLUSHALL")
    names = [key(b"lasting", i) for i in range(LASTING)]
    connection.send(b"".join(resp.encode([b"SET", name, b"v"]) for name in names))
    connection.read_replies(len(names))
    connection.close()
    return set(names)


def ours(name):
    return name.startswith((b"lasting:", b"passing:"))


def checks(lasting):
    """What, options, the keys that must come, and those that may."""
    sevens = {k for k in lasting if k.endswith(b"7")}
    tagged = {k for k in lasting if b"{42}" in k}
    return [
        ("a plain walk", [], lasting, ours),
        ("COUNT 3", ["COUNT", 3], lasting, ours),
        ("COUNT 500", ["COUNT", 500], lasting, ours),
        ("COUNT of everything", ["COUNT", 1_000_000], lasting, ours),
        ("MATCH of a prefix", ["MATCH", "lasting:*", "COUNT", 100], lasting, lambda k: k.startswith(b"lasting:")),
        ("MATCH of a suffix", ["COUNT", 100, "MATCH", "*7"], sevens, lambda k: k.endswith(b"7")),
        ("MATCH of a hash tag", ["MATCH", "*:{42}:*", "COUNT", 200], tagged, lambda k: b":{42}:" in k),
        ("TYPE string", ["TYPE", "string", "COUNT", 100], lasting, ours),
        ("TYPE and MATCH", ["type", "STRING", "match", "lasting:*7", "count", 300], sevens, lambda k: k.endswith(b"7")),
        ("TYPE hash", ["TYPE", "hash", "COUNT", 1000], set(), lambda k: False),
        ("MATCH of nothing", ["MATCH", "none*", "COUNT", 1000], set(), lambda k: False),
    ]


def transfer(cluster):
    """Hands leadership on, once."""
    state = {"done": False}

    def once():
        if not state["done"]:
            state["done"] = True
            leader = cluster.leader()
            target = next(m for m in cluster.members() if m["id"] != leader["id"] and m["role"] == "follower")
            reply = cluster.ctl("transfer-leader", "1", str(target["id"]))
            if reply.returncode != 0:
                raise Failure(f"transfer-leader: {reply.stderr.strip()}")

    return once


def quiet_walk(walker, lasting):
    """With nobody else at work, each key exactly once."""
    keys, _ = walker.walk("MATCH", "lasting:*", "COUNT", 50)
    if len(keys) != len(set(keys)) or set(keys) != lasting:
        raise Failure(f"a quiet walk returned {len(keys)} keys, {len(set(keys))} different, of {len(lasting)}")


def main(test):
    with Cluster(test.build, test.work / "cluster", proxies=PROXIES) as cluster:
        addresses = [("127.0.0.1", port) for port in cluster.redis_ports()]
        lasting = fill(addresses[0])
        walker = Walker(test, addresses)
        quiet_walk(walker, lasting)
        with Churn(addresses, lambda: type(test.random)(test.random.randrange(1 << 32))) as churn:
            for what, options, wanted, allowed in checks(lasting):
                walker.check(what, options, wanted, allowed)
            for _ in range(test.args.transfers):
                walker.check("across a transfer", ["COUNT", 30], lasting, ours, between=transfer(cluster))
        if churn.errors:
            raise Failure(f"a writer got {churn.errors[0]}")
        test.add(changes=churn.changes, transfers=test.args.transfers)


if __name__ == "__main__":
    harness.run(main, lambda parser: parser.add_argument("--transfers", type=int, default=3))
