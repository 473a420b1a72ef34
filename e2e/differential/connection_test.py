#!/usr/bin/env python3
"""What a connection sees beside replies to well-formed commands: order, silence, passwords, errors, the end."""

import pathlib
import re
import subprocess
import sys
import threading

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "faults"))  # harness, cluster

import harness
import resp
from cluster import Cluster, Failure, die_with_parent, free_ports, http, wait_for
from connection_cases import CASES, PASSWORD_CASES, UNENDED_CASES, commands
from reference import RedisServer

END = b"$8\r\nthe-end.\r\n"
GOLDEN = pathlib.Path(__file__).with_name("golden.txt")
PIPELINE = 100_000


def converse(address, data):
    """What comes back for `data`, and whether the server closed; ids of clients blanked."""
    connection = resp.Connection(address, timeout=10)
    try:
        # The sender must not wait for a reader that waits for it.
        sender = threading.Thread(target=send, args=(connection, data), daemon=True)
        sender.start()
        answer, closed = connection.read_until(END)
    except TimeoutError:
        answer, closed = connection.unread, "never answered"
    finally:
        connection.close()
    return re.sub(rb"(\$2\r\nid\r\n:)\d+", rb"\1N", answer), closed


def send(connection, data):
    try:
        connection.send(data)
    except OSError:
        pass  # closed by the server, as it may


def compare(test, cases, ours, theirs, tail=commands("ECHO the-end.")):
    failed = []
    for name, data in cases.items():
        mine, yours = converse(ours, data + tail), converse(theirs, data + tail)
        if mine == yours:
            continue
        failed.append(name)
        test.say(f"{name}:\n  ours:  {shorten(mine)}\n  Redis: {shorten(yours)}")
    test.add(conversations=len(cases))
    if failed:
        raise Failure(f"not as Redis: {failed}")


def shorten(answer):
    data, closed = answer
    text = repr(data) if len(data) < 900 else f"{data[:450]!r} ... {data[-400:]!r} ({len(data)} bytes)"
    return f"{text}, closed: {closed}"


def pipeline(test, address):
    """100,000 commands in one go: answers in order, each its own."""
    connection = resp.Connection(address)
    data, expected = [commands("DEL c:n c:s")], [None]
    for i in range(PIPELINE // 4):
        # A write waits for the reads before it, so a read comes only now and then.
        last = "GET c:s" if i % 250 == 0 else f"ECHO {i}"
        data.append(commands("INCR c:n", f"ECHO {i}", f"SET c:s {i}", last))
        expected += [b":%d\r\n" % (i + 1), echo(i), b"+OK\r\n", echo(i)]
    threading.Thread(target=send, args=(connection, b"".join(data)), daemon=True).start()
    for i, (got, want) in enumerate(zip(connection.read_replies(len(expected)), expected)):
        if want is not None and got != want:
            raise Failure(f"reply {i} of the pipeline is {got[:100]!r}, not {want!r}")
    test.add(pipelined=len(expected))
    connection.close()


def echo(number):
    text = b"%d" % number
    return b"$%d\r\n%s\r\n" % (len(text), text)


def golden(test, address):
    """Rows that Redis 7.0 does not have: golden.txt follows the documentation of the version that has them."""
    connection = resp.Connection(address)
    lines = [line for line in GOLDEN.read_text().splitlines() if line and not line.startswith("#")]
    for command, want in zip(lines[::2], lines[1::2]):
        words = [w.encode().decode("unicode_escape").encode("latin-1") for w in command.removeprefix("> ").split(" ")]
        connection.send(resp.encode(words))
        got = connection.read_reply().decode("latin-1").encode("unicode_escape").decode()
        if not re.fullmatch(want if want.startswith("(?:") else re.escape(want), got):
            raise Failure(f"{command}\n  gave {got}\n  not  {want}")
        test.add(golden=1)
    connection.close()


class PasswordProxy:
    """One more proxy of the cluster, with a password file. A context manager."""

    def __init__(self, test, argv, passwords):
        self.file = test.work / "passwords"
        self.write(*passwords)
        base = free_ports()
        self.address = ("127.0.0.1", base)
        self.admin = f"127.0.0.1:{base + 1}"
        flags = {"--instance": "proxy-password", "--listen": f"127.0.0.1:{base}", "--admin-listen": self.admin,
                 "--password-file": str(self.file)}
        for name in ("--meta", "--kv"):
            flags[name] = argv[argv.index(name) + 1]
        self.argv = [argv[0]] + [word for flag in flags.items() for word in flag]
        self.log = test.work / "proxy-password.log"

    def write(self, *passwords):
        self.file.write_text("".join(f"{p}\n" for p in passwords))

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)
        wait_for("proxy with a password file", lambda: http(self.admin, "/readyz")[0] == 200, 60)
        return self

    def __exit__(self, kind, value, trace):
        self.process.terminate()
        self.process.wait(20)

    def accepts(self, password):
        try:
            connection = resp.Connection(self.address)
        except OSError:
            return False
        reply = connection.run("AUTH", password)
        connection.close()
        return reply.value == b"OK"


def passwords(test, proxy, redis):
    reference = resp.Connection(redis.address)
    reference.run("ACL", "SETUSER", "default", "resetpass", ">one", ">two")
    compare(test, PASSWORD_CASES, proxy.address, redis.address, tail=commands("AUTH one", "ECHO the-end."))
    old = resp.Connection(proxy.address)
    old.run("AUTH", "one")
    proxy.write("two", "three")
    wait_for("the password file is read again", lambda: proxy.accepts("three"), 20)
    if proxy.accepts("one") or not proxy.accepts("two"):
        raise Failure("the new password file does not count as written")
    if old.run("PING").value != b"PONG":
        raise Failure("a connection lost its authentication when the file changed")


def proxy_argv(state):
    return next(p["argv"] for p in state if p["kind"] == "proxy")


def main(test):
    with Cluster(test.build, test.work / "cluster") as cluster, RedisServer(test.work / "redis") as redis:
        ours = ("127.0.0.1", cluster.redis_ports()[0])
        compare(test, CASES, ours, redis.address)
        compare(test, UNENDED_CASES, ours, redis.address, tail=b"")
        golden(test, ours)
        pipeline(test, ours)
        with PasswordProxy(test, proxy_argv(cluster.processes()), ("one", "two")) as proxy:
            passwords(test, proxy, redis)


if __name__ == "__main__":
    harness.run(main)
