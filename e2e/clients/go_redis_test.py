#!/usr/bin/env python3
"""A session of go-redis, RESP2 and RESP3: go/main.go. Its modules come from the Go module proxy."""

import os
import pathlib
import shutil
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "faults"))  # harness, cluster

import harness
from cluster import Cluster, Failure

PROGRAM = pathlib.Path(__file__).with_name("go")


def build(test):
    go = shutil.which("go")
    if go is None:
        raise Failure("Go (Debian package golang-go) is not installed: run make deps")
    client = test.work / "go_redis"
    env = dict(os.environ, GOFLAGS="-mod=readonly", CGO_ENABLED="0")
    result = subprocess.run([go, "build", "-o", client, "."], cwd=PROGRAM, env=env, capture_output=True, text=True, check=False)
    if result.returncode != 0 and "dial tcp" in result.stderr:
        raise harness.Skip(f"the Go module proxy cannot be reached: {result.stderr.strip().splitlines()[-1]}")
    if result.returncode != 0:
        raise Failure(result.stderr.strip())
    return client


def main(test):
    client = build(test)
    with Cluster(test.build, test.work / "cluster") as cluster:
        address = f"127.0.0.1:{cluster.redis_ports()[0]}"
        result = subprocess.run([client, address], capture_output=True, text=True, timeout=120, check=False)
        if result.returncode != 0:
            raise Failure(result.stderr.strip())


if __name__ == "__main__":
    harness.run(main)
