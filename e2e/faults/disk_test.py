#!/usr/bin/env python3
"""Full and read-only disks: a clear error, readiness false, no lie to a client; service again when there is room.

The kv servers' directories are small tmpfs in a mount namespace of the test's own.
"""

import contextlib
import errno
import os
import subprocess
import sys
import time

from abuse_test import Client, command
from cluster import Cluster, Failure, http, wait_for
from harness import Load, Skip, play_all, run
from prober import Prober

NAMESPACE = "KDB_TEST_NAMESPACE"  # set in the process that has one
TMPFS_BYTES = 400 << 20
ROOM_BYTES = 1 << 20  # left when a disk is filled


def enter_namespace():
    """Starts this program again in a mount namespace of its own."""
    if os.environ.get(NAMESPACE) == "1":
        return
    probe = subprocess.run(["unshare", "--mount", "--propagation", "private", "true"], stdin=subprocess.DEVNULL,
                           capture_output=True, check=False)
    if probe.returncode == 0:
        os.environ[NAMESPACE] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, "-B", *sys.argv])


def mount(*args):
    subprocess.run(["mount", *args], check=True, stdin=subprocess.DEVNULL)


def prepare(test, cluster):
    """Each kv has a disk of its own. kdbctl takes a directory for a demo's when demo.json is there."""
    cluster.dir.mkdir()
    (cluster.dir / "demo.json").write_text("{}\n")
    for i in range(3):
        directory = cluster.dir / f"kv-{i}"
        directory.mkdir()
        mount("-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "kdb-test", str(directory))


def ballast(cluster, name):
    return cluster.dir / name / "ballast"


def fill(cluster, name, leave=ROOM_BYTES):
    """Leaves so much room, while the server goes on writing."""
    with open(ballast(cluster, name), "wb") as f:
        size = 0
        while (room := free_bytes(cluster, name)) > leave:
            try:
                step = max((room - leave) // 2, 1 << 16)
                os.posix_fallocate(f.fileno(), size, step)
                size += step
            except OSError as e:
                if e.errno != errno.ENOSPC:
                    raise


def free_bytes(cluster, name):
    fs = os.statvfs(cluster.dir / name)
    return fs.f_bavail * fs.f_frsize


@contextlib.contextmanager
def full_disks(cluster):
    """No kv has room."""
    names = cluster.names("kv")
    try:
        for name in names:
            fill(cluster, name)
        yield
    finally:
        for name in names:
            ballast(cluster, name).unlink(missing_ok=True)


def write_until_refused(client, seconds=30):
    """SETs, each of a key of its own, until one is refused for want of room. Returns what was acknowledged, the key that was refused, and the refusal."""
    acknowledged = {}
    value = os.urandom(256 << 10)
    deadline = time.monotonic() + seconds
    number = 0
    while time.monotonic() < deadline:
        key = f"full:{number}"
        number += 1
        reply = client.run("SET", key, value)
        if reply == b"+OK":
            acknowledged[key] = value
        elif reply.startswith(b"-OOM"):
            return acknowledged, key, reply
        elif not reply.startswith((b"-TIMEOUT", b"-UNKNOWN")):
            raise Failure(f"SET on a full disk: {reply!r}")
    raise Failure(f"no -OOM in {seconds} s; {len(acknowledged)} writes were acknowledged, the last reply is {reply!r}")


def timed_out(reply):
    return reply is not None and reply.startswith(b"-TIMEOUT ") and reply.endswith(b"; nothing was executed")


def check_values(client, acknowledged, full=False):
    """Every key has the value that was acknowledged. While all disks are full a read may also be told -TIMEOUT, for then what
    is committed cannot be applied, and a read that did not wait for it could be stale; nothing else is right. All keys are
    asked at once: a timeout of one says nothing about the others. Returns how many were answered with the value.
    """
    client.send(b"".join(command("GET", key) for key in acknowledged))
    replies = [client.reply() for _ in acknowledged]
    served = 0
    for (key, value), reply in zip(acknowledged.items(), replies):
        if reply == value:
            served += 1
        elif not (full and timed_out(reply)):
            raise Failure(f"{key} was acknowledged, and GET says {reply[:200] if reply else reply!r}")
    return served


def one_full_disk(test, cluster):
    """A follower without room: it says so, and nobody else notices."""
    leader = cluster.leader()["name"]
    follower = test.random.choice([n for n in cluster.names("kv") if n != leader])
    prober = Prober(cluster.port)
    prober.start()
    load = Load(test, cluster, "one").start()
    fill(cluster, follower)
    try:
        with Client(cluster.port) as client:
            for i in range(200):  # more than the room in its preallocated log
                reply = client.run("SET", f"big:{i % 20}", os.urandom(256 << 10))
                if reply != b"+OK":
                    raise Failure(f"SET with one follower's disk full: {reply!r}")
        wait_for(f"{follower} is not ready", lambda: not cluster.ready(follower), 30)
        test.say(f"{follower} is full: {http(cluster.process(follower)['admin'], '/readyz')}")
        ballast(cluster, follower).unlink()
        cluster.wait_ready(60)
        load.stop()
    finally:
        load.abandon()
        prober.stop()
    load.read_back()
    load.check()
    if prober.errors():
        raise Failure(f"clients saw errors: {dict(prober.errors())}")


def disk_level(cluster, name):
    return int(cluster.metric(name, "kdb_disk_level"))


def watermarks(test, cluster):
    """Over the first mark a warning; over the second what may grow data is refused, and deletions, reads and the group's own work go on;
    with room again all is taken again, by itself. A full follower alone changes nothing.
    """
    names = cluster.names("kv")
    leader = cluster.leader()["name"]
    follower = next(n for n in names if n != leader)
    with Client(cluster.port) as client:
        client.run("SET", "watermark", "v")
        try:
            fill(cluster, leader, TMPFS_BYTES * 13 // 100)
            wait_for("the warning", lambda: disk_level(cluster, leader) == 1, 20)
            if client.run("SET", "warned", "v") != b"+OK" or not cluster.ready(leader):
                raise Failure("a warning is not all that comes of the first mark")
            wait_for("kdbctl's", lambda: any("the disk is filling up" in m["trouble"] for m in cluster.members()), 10)
            wait_for("the log's warning", lambda: "the disk is filling up" in cluster.last_log(leader, 50), 10)

            fill(cluster, follower, TMPFS_BYTES * 7 // 100)
            wait_for("the full follower", lambda: disk_level(cluster, follower) == 2, 20)
            if client.run("SET", "follower:full", "v") != b"+OK":
                raise Failure("one full follower refuses a write")

            fill(cluster, leader, TMPFS_BYTES * 7 // 100)
            wait_for("the second mark", lambda: disk_level(cluster, leader) == 2, 20)
            reply = wait_for("a refusal", lambda: (r := client.run("SET", "refused", "v")).startswith(b"-OOM") and r, 10)
            test.say(f"over the second mark: {reply.decode()}, {http(cluster.process(leader)['admin'], '/readyz')}")
            for command_, wanted in ((("GET", "watermark"), b"v"), (("GET", "refused"), None), (("DEL", "warned"), b":1"),
                                     (("EXPIRE", "watermark", "1000"), b":1")):
                if (got := client.run(*command_)) != wanted:
                    raise Failure(f"{command_} over the second mark: {got!r}")
        finally:
            for name in names:
                ballast(cluster, name).unlink(missing_ok=True)
        wait_for("a write with room again", lambda: client.run("SET", "room", "again") == b"+OK", 30, step=0.1)
    cluster.wait_ready()


def all_full_disks(test, cluster):
    """No replica has room: writes are refused with -OOM, reads are right or time out; with room, writes are served again."""
    with Client(cluster.port) as client:
        with full_disks(cluster):
            acknowledged, refused, reply = write_until_refused(client)
            test.say(f"after {len(acknowledged)} writes: {reply.decode()}")
            wait_for("a kv that is not ready", lambda: not all(cluster.ready(n) for n in cluster.names("kv")), 10)
            served = check_values(client, acknowledged, full=True)
        start = time.monotonic()
        wait_for("a write with room again", lambda: client.run("SET", "room", "again") == b"+OK", 30, step=0.1)
        test.summary["served_again_ms"] = round((time.monotonic() - start) * 1000)
        cluster.wait_ready()
        check_values(client, acknowledged)
        if (value := client.run("GET", refused)) is not None:
            raise Failure(f"SET {refused} was told that nothing was executed, and GET says {value[:200]!r}")
    test.summary["acknowledged_before_full"] = len(acknowledged)
    test.summary["read_while_full"] = served


def survives_restart_full(test, cluster):
    """Killed while full: every replica starts on a full disk, or says clearly why not; with room all is there."""
    with full_disks(cluster):
        with Client(cluster.port) as client:
            acknowledged, _, _ = write_until_refused(client)
        killed = cluster.kill(cluster.names("kv"))
        cluster.wait_restarted(killed)
        time.sleep(1)
    cluster.wait_ready()
    with Client(cluster.port) as client:
        check_values(client, acknowledged)


def read_only_start(test, cluster):
    """A server on a read-only directory ends with an error that names it."""
    directory = test.work / "read-only"
    directory.mkdir()
    mount("-t", "tmpfs", "-o", "ro", "kdb-test", str(directory))
    for kind, name in (("kv", "kv-0"), ("meta", "meta-0")):
        argv = list(cluster.process(name)["argv"])
        for flag, value in (("--data-dir", str(directory)), ("--listen", f"127.0.0.1:{cluster.port + 38}"),
                            ("--admin-listen", f"127.0.0.1:{cluster.port + 68}")):
            argv[argv.index(flag) + 1] = value
        result = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
        said = (result.stdout + result.stderr).strip()
        test.say(f"kdb-{kind} on a read-only directory: exit code {result.returncode}, {said[-300:]}")
        if result.returncode == 0 or str(directory) not in said or "ead-only" not in said:
            raise Failure(f"kdb-{kind} on a read-only directory is not clear: {result.returncode}, {said}")


def disk(test):
    if os.environ.get(NAMESPACE) != "1":
        raise Skip("no mount namespace: root and unshare are needed")
    cluster = Cluster(test.build, test.work / "cluster",
                      kv_flags=["--segment-size=4MiB", "--flush-log=8MiB", "--log-keep=160MiB", "--memtable=8MiB",
                                "--disk-warn=85", "--disk-full=92"])
    prepare(test, cluster)
    with cluster:
        pids = {p["name"]: p["pid"] for p in cluster.processes()}
        play_all(test, [lambda scene=scene: scene(test, cluster)
                        for scene in (read_only_start, watermarks, one_full_disk, all_full_disks)])
        if {p["name"]: p["pid"] for p in cluster.processes()} != pids:
            raise Failure("a server died")
        survives_restart_full(test, cluster)


if __name__ == "__main__":
    enter_namespace()
    run(disk)
