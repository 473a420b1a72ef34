#!/usr/bin/env python3
"""Three minutes of chaos (README.md), and the unit tests of the program that makes it."""

import os
import pathlib
import shutil
import subprocess
import sys

sys.path += [str(pathlib.Path(__file__).resolve().parents[1] / name) for name in ("faults", "clients")]

import go_program
import harness
from cluster import Failure, die_with_parent

MODULE = pathlib.Path(__file__).parent


def unit_tests():
    result = subprocess.run(["go", "test", "./..."], cwd=MODULE, env=dict(os.environ, GOFLAGS="-mod=readonly", CGO_ENABLED="0"),
                            capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise Failure(f"go test:\n{result.stdout}{result.stderr}")


def chaos(test):
    program = go_program.build(test, ".", module=MODULE)
    unit_tests()
    work = test.work / "run"
    code = subprocess.run([program, "run", "--build", test.build, "--dir", work, "--seed", str(test.args.seed), "--minutes",
                           str(test.args.minutes)], stdin=subprocess.DEVNULL, preexec_fn=die_with_parent, check=False).returncode
    for report in work.glob("report.*"):
        shutil.copy(report, test.build / "e2e" / f"chaos_{report.name}")
    if code != 0:
        raise Failure(f"exit code {code}, see {work}/report.md")


if __name__ == "__main__":
    harness.run(chaos, lambda parser: parser.add_argument("--minutes", type=float, default=3))
