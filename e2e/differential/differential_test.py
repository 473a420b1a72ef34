#!/usr/bin/env python3
"""The same generated commands to our proxies and to redis-server: replies must be the same bytes, but for differences.py.

The rows come from our own COMMAND reply: one that generator.py has no line for fails the test.
"""

import collections
import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "faults"))  # harness, cluster

import differences
import harness
import resp
from cluster import Cluster, Failure
from generator import ROWS, Generator
from reference import RedisServer

PROXIES = 2
MAX_FAILURES = 20


class Pair:
    """One client's connection to us, and its twin to Redis."""

    def __init__(self, ours, theirs):
        self.addresses = (ours, theirs)
        self.connect()

    def connect(self):
        self.ours, self.theirs = (resp.Connection(a) for a in self.addresses)

    def reconnect(self):
        """Both must have closed."""
        for connection in (self.ours, self.theirs):
            rest, closed = connection.read_until(b"never")
            if rest or not closed:
                raise Failure(f"after QUIT came {rest!r}")
            connection.close()
        self.connect()

    def run(self, data, count):
        for connection in (self.ours, self.theirs):
            connection.send(data)
        return list(zip(self.ours.read_replies(count), self.theirs.read_replies(count)))


def table_rows(address):
    """Full names of our command table, subcommands too."""
    def names(rows):
        for row in rows:
            yield row.value[0].value
            yield from names(row.value[differences.SUBCOMMANDS].value)

    connection = resp.Connection(address)
    rows = sorted(names(connection.run("COMMAND").value))
    connection.close()
    return rows


def check_rows(names):
    mine, table = set(ROWS), {n.decode() for n in names}
    if mine != table:
        raise Failure(f"no generator for {sorted(table - mine)}; not in the table: {sorted(mine - table)}")


class Run:
    """Counts of one run."""

    def __init__(self, test, addresses, reference):
        self.test = test
        self.random = test.random
        names = table_rows(addresses[0])
        check_rows(names)
        self.generator = Generator(self.random, names)
        self.pairs = [Pair(addresses[i % PROXIES], reference) for i in range(2 * PROXIES)]
        for pair in self.pairs[PROXIES:]:
            pair.run(resp.encode([b"HELLO", b"3"]), 1)
        self.per_row = collections.Counter()
        self.per_reason = collections.Counter()
        self.failures = []

    def batch(self):
        """Rows and commands, QUIT only as the last."""
        commands = []
        for _ in range(self.random.choice((1, 1, 5, 30, 100))):
            row, args = self.generator.next()
            commands.append((row, args))
            if row == "quit":
                break
            # Redis keeps a key that SET gave a time in the past until somebody looks at it; ours is gone at once.
            # Looking makes DBSIZE and KEYS comparable.
            if row in ("set", "setex", "psetex", "getex") and len(args) > 2:
                commands.append(("exists", [b"EXISTS", args[1]]))
        return commands

    def encode(self, args):
        if not self.random.randrange(10) and sum(map(len, args)) < 10_000:
            return resp.encode_inline(args)
        return resp.encode(args)

    def step(self):
        pair = self.random.choice(self.pairs)
        commands = self.batch()
        data = b"".join(self.encode(args) for _, args in commands)
        for (row, args), (ours, theirs) in zip(commands, pair.run(data, len(commands))):
            self.per_row[row] += 1
            if ours != theirs:
                self.judge(row, args, ours, theirs)
        if commands[-1][0] == "quit":
            pair.reconnect()
        self.check_keyspace(pair)

    def check_keyspace(self, pair):
        """INFO's numbers of keys, with nothing under way: it does not wait for commands before it in a pipeline."""
        args = [b"INFO", b"keyspace"]
        (ours, theirs), = pair.run(resp.encode(args), 1)
        if differences.keyspace_counts(resp.decode(ours)) != differences.keyspace_counts(resp.decode(theirs)):
            self.fail(args, ours, theirs)

    def judge(self, row, args, ours, theirs):
        difference = differences.explain(row, args, resp.decode(ours), resp.decode(theirs))
        if difference is not None:
            self.per_reason[difference.reason] += 1
            return
        self.fail(args, ours, theirs)

    def fail(self, args, ours, theirs):
        self.failures.append(args)
        self.test.say(f"{' '.join(repr(a[:80])[1:] for a in args[:12])}\n  ours:  {ours[:300]!r}\n  Redis: {theirs[:300]!r}")

    def play(self, count):
        while sum(self.per_row.values()) < count and len(self.failures) < MAX_FAILURES:
            self.step()
        for row in ROWS:  # however small its weight
            if not self.per_row[row] and len(self.failures) < MAX_FAILURES:
                raise Failure(f"{row} was never generated: raise --commands")


def main(test):
    if test.args.port:
        addresses = [("127.0.0.1", test.args.port + i) for i in range(PROXIES)]
        return play(test, addresses)
    with Cluster(test.build, test.work / "cluster", proxies=PROXIES) as cluster:
        play(test, [("127.0.0.1", port) for port in cluster.redis_ports()])


def play(test, addresses):
    resp.Connection(addresses[0]).run("FLUSHALL")
    with RedisServer(test.work / "redis") as redis:
        run = Run(test, addresses, redis.address)
        run.play(test.args.commands)
    for reason, count in sorted(run.per_reason.items()):
        test.say(f"{count:6} differed: {reason}")
    rarest = min(run.per_row.values())
    test.add(commands=sum(run.per_row.values()), rows=len(run.per_row), rarest_row=rarest,
             differed=sum(run.per_reason.values()))
    if run.failures:
        raise Failure(f"{len(run.failures)} replies were not Redis's, the first to {run.failures[0]}")


def arguments(parser):
    parser.add_argument("--commands", type=int, default=20_000, help="how many, at least")
    parser.add_argument("--port", type=int, help="of the first of two proxies that run already; their keys are deleted")


if __name__ == "__main__":
    harness.run(main, arguments)
