#!/usr/bin/env python3
"""A session of grpc-go with the KV API, and a rolling restart of the proxies that costs its calls nothing: go/kvapi."""

import pathlib
import re
import signal
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "faults"))  # harness, cluster

import go_program
import harness
import instrumented
from cluster import Cluster, Failure, die_with_parent, http, wait_for

PROXIES = 2
PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"


def descriptors(test):
    out = test.work / "kv.descriptors"
    subprocess.run(["protoc", f"--proto_path={PROTO}", f"--descriptor_set_out={out}", "kv.proto"], check=True)
    return out


def play_session(client, protos, address):
    result = subprocess.run([client, "session", protos, address], capture_output=True, text=True,
                            timeout=instrumented.seconds(90), check=False)
    if result.returncode != 0:
        raise Failure(f"session: {result.stderr.strip()}")


def has_clients(process):
    _, metrics = http(process["admin"], "/metrics")
    return re.search(r"^kdb_proxy_connections [1-9]", metrics, re.MULTILINE)


def restart_all(test, cluster):
    """One after the other, as a rolling update does; the next when the client has found the last one again."""
    for name in cluster.names("proxy"):
        cluster.wait_restarted(cluster.signal([name], signal.SIGTERM))
        cluster.wait_ready(names=[name])
        wait_for(f"{name} has clients again", lambda name=name: has_clients(cluster.process(name)), 30)
        test.add(restarts=1)


def restart_under_load(test, cluster, client, protos, addresses):
    load = subprocess.Popen([client, "load", protos, *addresses], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
    try:
        if load.stdout.readline() != "running\n":
            raise Failure("the load does not begin")
        restart_all(test, cluster)
        out, err = load.communicate(timeout=instrumented.seconds(60))
    except subprocess.TimeoutExpired:
        raise Failure("the load does not end") from None
    finally:
        load.kill()
    if load.returncode != 0:
        raise Failure(f"a call failed in a rolling restart: {err.strip()}")
    test.add(calls=int(out))


def main(test):
    client = go_program.build(test, "./kvapi")
    protos = descriptors(test)
    with Cluster(test.build, test.work / "cluster", proxies=PROXIES) as cluster:
        addresses = [process["kv_api"] for process in cluster.processes("proxy")]
        play_session(client, protos, addresses[0])
        restart_under_load(test, cluster, client, protos, addresses)


if __name__ == "__main__":
    harness.run(main)
