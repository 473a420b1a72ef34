#!/usr/bin/env python3
"""A session of go-redis, RESP2 and RESP3: go/main.go."""

import pathlib
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "faults"))  # harness, cluster

import go_program
import harness
from cluster import Cluster, Failure


def main(test):
    client = go_program.build(test, ".")
    with Cluster(test.build, test.work / "cluster") as cluster:
        address = f"127.0.0.1:{cluster.redis_ports()[0]}"
        result = subprocess.run([client, address], capture_output=True, text=True, timeout=120, check=False)
        if result.returncode != 0:
            raise Failure(result.stderr.strip())


if __name__ == "__main__":
    harness.run(main)
