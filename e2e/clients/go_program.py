"""Builds the programs in go/. Their modules come from the Go module proxy."""

import os
import pathlib
import shutil
import subprocess

import harness
from cluster import Failure

MODULE = pathlib.Path(__file__).with_name("go")


def build(test, package, module=MODULE):
    """The binary of a package of a module, "." or "./name"; Skip: its dependencies cannot be reached."""
    go = shutil.which("go")
    if go is None:
        raise Failure("Go (Debian package golang-go) is not installed: run make deps")
    binary = test.work / "go_client"
    env = dict(os.environ, GOFLAGS="-mod=readonly", CGO_ENABLED="0")
    result = subprocess.run([go, "build", "-o", binary, package], cwd=module, env=env, capture_output=True, text=True, check=False)
    if result.returncode != 0 and "dial tcp" in result.stderr:
        raise harness.Skip(f"the Go module proxy cannot be reached: {result.stderr.strip().splitlines()[-1]}")
    if result.returncode != 0:
        raise Failure(result.stderr.strip())
    return binary
