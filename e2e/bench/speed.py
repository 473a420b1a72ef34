"""The speed part: every point on every system in turn, one system under load at a time."""

import dataclasses
import os

import disk
from clients import NotMeasured, RedisBenchmark, grpc_run

_DISK_SAMPLES = 200
_ATTEMPTS = 4  # at a run that is long enough


@dataclasses.dataclass(frozen=True)
class RespPoint:
    """redis-benchmark against Redis and the proxy."""

    test: str
    connections: int
    pipeline: int = 1
    systems = ("redis", "kdb")

    @property
    def title(self):
        pipeline = f" -P {self.pipeline}" if self.pipeline > 1 else ""
        return f"{self.test.upper()} c={self.connections}{pipeline}"

    def prepare(self, system, seconds):
        return RedisBenchmark(self.test, self.connections, self.pipeline).calibrate(system.port, seconds)

    def run(self, system, seconds, requests):
        del seconds
        return RedisBenchmark(self.test, self.connections, self.pipeline).run(system.port, requests)

    @staticmethod
    def requests_for(seconds, result):
        """How many to ask for when `result` took too short a time."""
        return int(result["ops_per_s"] * seconds * 1.2)


@dataclasses.dataclass(frozen=True)
class GrpcPoint:
    """The compiled gRPC client against etcd and the KV API."""

    binary: str
    operation: str
    connections: int
    pipeline = 1
    systems = ("etcd", "kdb")

    @property
    def title(self):
        return f"KV API {self.operation} c={self.connections}"

    def prepare(self, system, seconds):
        del system, seconds

    def run(self, system, seconds, requests):
        del requests
        return grpc_run(self.binary, system.target(), system.name, self.operation, self.connections, seconds)


def points(grpc_binary):
    resp = [RespPoint(test, connections, pipeline)
            for connections, pipeline in ((1, 1), (50, 1), (50, 16)) for test in ("set", "get")]
    grpc = [GrpcPoint(str(grpc_binary), operation, connections)
            for operation, connections in (("put", 1), ("put", 50), ("get", 50))]
    return resp + grpc


def _run_once(point, system, seconds, requests, directory):
    """One run with everything that is counted beside it."""
    latency = disk.fdatasync_latency(directory, _DISK_SAMPLES)
    errors, before, load = system.errors(), system.sample(), os.getloadavg()[0]
    result = point.run(system, seconds, requests)
    after = system.sample()
    if system.errors() != errors:
        raise NotMeasured(f"{point.title}: {system.name} answered with errors")
    costs = system.difference(before, after, result["all_ops"] // point.pipeline)
    return {**result, "disk": latency, "load_before": load, "processes": costs}


def _measure(point, system, seconds, requests, directory):
    """A run of at least `seconds`, and the number of requests to ask for the next time."""
    for _ in range(_ATTEMPTS):
        run = _run_once(point, system, seconds, requests, directory)
        if not requests or run["seconds"] >= seconds:
            return run, requests
        requests = point.requests_for(seconds, run)
    raise NotMeasured(f"{point.title}: no run took {seconds} s")


def measure(systems, all_points, rounds, seconds, directory, say):
    """Point title -> system name -> runs, and what could not be measured. `systems`: name -> running System."""
    results, failures, requests = {}, [], {}
    for round_number in range(1, rounds + 1):
        for point in all_points:
            for name in point.systems:
                key = (point.title, name)
                runs = results.setdefault(point.title, {}).setdefault(name, [])
                try:
                    if key not in requests:
                        requests[key] = point.prepare(systems[name], seconds)
                    run, requests[key] = _measure(point, systems[name], seconds, requests[key], directory)
                except (NotMeasured, OSError) as error:
                    failures.append(f"{point.title}, {name}, round {round_number}: {error}")
                    say(f"not measured: {failures[-1]}")
                    continue
                runs.append(run)
                say(f"round {round_number}: {point.title:18} {name:5} {run['ops_per_s']:9.0f}/s  "
                    f"p50 {run['p50_ms']:.3f} ms  p99 {run['p99_ms']:.3f} ms")
    return results, failures
