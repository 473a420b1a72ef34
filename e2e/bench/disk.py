"""The disk below the benchmark: what it is, and how long an fdatasync takes on it."""

import os
import pathlib
import time

_IN_MEMORY = {"tmpfs", "ramfs", "devtmpfs"}
_RECORD = 500  # bytes; about one small raft entry with its header


class NotARealDisk(Exception):
    """The directory's file system keeps nothing over a power cut."""


def file_system(directory):
    """(type, device) of the file system of an existing directory."""
    best = ("", "unknown", "unknown")
    real = os.path.realpath(directory)
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        mount_point = left.split()[4].encode().decode("unicode_escape")
        inside = real == mount_point or real.startswith(mount_point.rstrip("/") + "/")
        if inside and len(mount_point) >= len(best[0]):
            best = (mount_point, right.split()[0], right.split()[1])
    return best[1], best[2]


def require_real(directory):
    kind, device = file_system(directory)
    if kind in _IN_MEMORY:
        raise NotARealDisk(
            f"{directory} is on {kind}: fdatasync costs nothing there, so no figure would mean anything; "
            "choose a directory on a real file system with --dir")
    return {"type": kind, "device": device}


def fdatasync_latency(directory, count):
    """p50 and p99 in ms of writing 500 bytes and fdatasync, into space that is allocated and written already."""
    path = os.path.join(directory, "fdatasync.probe")
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.pwrite(fd, bytes(_RECORD * (count + 1)), 0)
        os.fsync(fd)
        times = []
        for i in range(count):
            start = time.perf_counter()
            os.pwrite(fd, b"x" * _RECORD, i * _RECORD)
            os.fdatasync(fd)
            times.append((time.perf_counter() - start) * 1000)
    finally:
        os.close(fd)
        os.unlink(path)
    times.sort()
    return {"p50_ms": round(times[len(times) // 2], 3), "p99_ms": round(times[int(len(times) * 0.99)], 3)}
