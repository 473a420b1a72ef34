#!/usr/bin/env python3
"""`make bench`: ERaftKDB beside Redis and etcd, on one machine, in one run. See --help.

Exit code: 0; 1 when something could not be measured; 2 when --check is given and a must is missed.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import subprocess
import sys

sys.dont_write_bytecode = True  # no __pycache__ beside the sources

import disk
import footprint
import report
import snapshot
import speed
from clients import NotMeasured
from systems import Etcd, Kdb, Redis

ROOT = pathlib.Path(__file__).resolve().parents[2]
VALID_SECONDS, VALID_ROUNDS = 10, 3
QUICK_SECONDS, QUICK_KEYS = 2, 100_000
SNAPSHOT_MIB, QUICK_SNAPSHOT_MIB = 2048, 256
# Offsets from --port; kdbctl demo takes the first 70.
REDIS_OFFSET, ETCD_OFFSET = 80, 82


def say(line):
    print(line, file=sys.stderr, flush=True)


def _options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release", help="CMake's build directory")
    parser.add_argument("--dir", type=pathlib.Path, default=ROOT / "build/bench", help="data, logs and the summary")
    parser.add_argument("--port", type=int, default=23300, help="first of 100 ports")
    parser.add_argument("--only", choices=("speed", "footprint", "snapshot"), help="one part instead of all")
    parser.add_argument("--points", default="", help="only points whose title contains this")
    parser.add_argument("--quick", action="store_true", help="2-second points, once, for development: no valid figures")
    parser.add_argument("--check", action="store_true", help="a missed must is an error")
    return parser.parse_args()


def _first_line(argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    return (done.stdout.strip().splitlines() or ["unknown"])[0]


def _cpu():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _about(options, file_system):
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "commit": _first_line(["git", "describe", "--always", "--dirty"]),
        "cpu": _cpu(), "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(), "file_system": file_system,
        "redis": " ".join(_first_line(["redis-server", "--version"]).split()[:3]),
        "etcd": _first_line(["etcd", "--version"]),
        "quick": options.quick,
        "rounds": 1 if options.quick else VALID_ROUNDS, "seconds": QUICK_SECONDS if options.quick else VALID_SECONDS,
    }


def _require(options):
    """Everything that would make a run fail later."""
    for program in ("redis-server", "redis-benchmark", "etcd"):
        if not shutil.which(program):
            raise NotMeasured(f"{program} is not installed: run `make deps`")
    for binary in ("bin/kdbctl", "bin/kdb-kv", "bin/kdb-meta", "bin/kdb-proxy", "e2e/bench/grpc_put_bench"):
        if not (options.build / binary).exists():
            raise NotMeasured(f"{options.build / binary} is not there: run `make build`")
    for port in [*range(options.port, options.port + 70), *range(options.port + REDIS_OFFSET, options.port + 100)]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise NotMeasured(f"port {port} is in use: stop what listens there or choose --port") from error


def _speed(options, about):
    grpc_binary = options.build / "e2e/bench/grpc_put_bench"
    chosen = [point for point in speed.points(grpc_binary) if options.points in point.title]
    systems = [Redis(options.dir / "redis", options.port + REDIS_OFFSET),
               Etcd(options.dir / "etcd", options.port + ETCD_OFFSET, grpc_binary),
               Kdb(options.dir / "kdb", options.port, options.build)]
    needed = {name for point in chosen for name in point.systems}
    with contextlib.ExitStack() as stack:
        running = {}
        for system in systems:
            if system.name in needed:
                stack.callback(system.stop)
                system.start()
                system.preload()
                running[system.name] = system
                say(f"{system.name} runs and holds the keys")
        return speed.measure(running, chosen, about["rounds"], about["seconds"], options.dir, say)


def _footprint(options, about):
    keys = QUICK_KEYS if options.quick else footprint.KEYS
    return footprint.measure(Kdb(options.dir / "kdb-footprint", options.port, options.build), about["rounds"], keys, say)


def _snapshot(options):
    mebibytes = QUICK_SNAPSHOT_MIB if options.quick else SNAPSHOT_MIB
    cluster = Kdb(options.dir / "kdb-snapshot", options.port, options.build, snapshot.FLAGS)
    try:
        return snapshot.measure(cluster, mebibytes, say), []
    except (NotMeasured, OSError) as error:
        say(f"not measured: snapshot: {error}")
        return {}, [f"snapshot: {error}"]


def _write(options, summary, rows):
    text = report.markdown(summary, rows)
    (options.dir / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    (options.dir / "summary.md").write_text(text)
    print(text)


def _run(options):
    options.dir = options.dir.resolve()
    options.dir.mkdir(parents=True, exist_ok=True)
    about = _about(options, disk.require_real(options.dir))
    _require(options)
    runs, figures, transfer, single, failures = {}, {}, {}, {}, []
    if options.only in (None, "footprint"):
        figures, failed = _footprint(options, about)
        single |= footprint.summary(figures)
        failures += failed
    if options.only in (None, "snapshot"):
        transfer, failed = _snapshot(options)
        single |= snapshot.summary(transfer)
        failures += failed
    if options.only in (None, "speed"):
        runs, failed = _speed(options, about)
        failures += failed
    rows = report.compare(runs)
    judged = report.verdicts(rows, single)
    _write(options, {"about": about, "speed": runs, "footprint": figures, "snapshot": transfer, "verdicts": judged,
                     "not_measured": failures}, rows)
    missed = [v["figure"] for v in judged if v["met_must"] is False]
    if missed:
        say(f"musts missed: {'; '.join(missed)}")
    if failures:
        return 1
    return 2 if options.check and missed else 0


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through the finally blocks, which end all processes
    try:
        return _run(_options())
    except (NotMeasured, disk.NotARealDisk, OSError) as error:
        say(f"bench: {error}")
        return 1
    except KeyboardInterrupt:
        say("bench: interrupted; all processes are stopped")
        return 130


if __name__ == "__main__":
    sys.exit(main())
