"""What the fault tests share: arguments, the working directory, percentiles, the load, and the verdict."""

import argparse
import json
import math
import pathlib
import random
import shutil
import subprocess
import sys
import time
import traceback

import instrumented
from cluster import DataLost, Failure, die_with_parent

SKIPPED = 77  # ctest's SKIP_RETURN_CODE
MIN_WRITES = 100  # acknowledged ones, that a history must have to prove anything
CHECK_LOST = 3  # check_history's exit code when acknowledged writes are missing


class Skip(Exception):
    """This machine does not permit the test."""


class Test:
    """Arguments of a run, and what it found."""

    def __init__(self, args, work):
        self.args = args
        self.build = pathlib.Path(args.build).resolve()
        self.work = work
        self.random = random.Random(args.seed)
        self.summary = {}

    def say(self, line):
        print(f"[{time.strftime('%H:%M:%S')}] {line}", flush=True)

    def add(self, **counts):
        for name, value in counts.items():
            self.summary[name] = self.summary.get(name, 0) + value


def percentiles(values):
    """{"p50": ..., ...} of milliseconds, nearest rank."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {name: round(ordered[max(0, math.ceil(q * len(ordered)) - 1)], 1)
            for name, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1))}


def play_all(test, scenes):
    """Plays every scene, whatever became of those before; fails if any did."""
    failures = []
    for scene in scenes:
        try:
            scene()
        except Failure as e:
            test.say(f"FAILED: {e}")
            failures.append(str(e))
    if failures:
        raise Failure("; ".join(failures))


def parse(add_arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True, help="CMake's build directory")
    parser.add_argument("--name", help="of the working directory and the summary", default=pathlib.Path(sys.argv[0]).stem)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--keep", action="store_true", help="keep the working directory of a success, too")
    add_arguments(parser)
    return parser.parse_args()


def run(test_function, add_arguments=lambda parser: None):
    """Runs the test and ends the process with the verdict."""
    args = parse(add_arguments)
    work = pathlib.Path(args.build).resolve() / "e2e" / args.name
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    test = Test(args, work)
    test.say(f"{args.name}: seed {args.seed}")
    start = time.monotonic()
    verdict, code = "ok", 0
    try:
        test_function(test)
    except Skip as e:
        verdict, code = f"skipped: {e}", SKIPPED
    except Failure as e:
        verdict, code = f"FAILED: {e}", 1
    except Exception:  # the verdict is ours to print, whatever went wrong
        verdict, code = f"FAILED: {traceback.format_exc()}", 1
    if reports := instrumented.reports(work):  # else a server that ends by one looks as if killed
        verdict, code = "\n".join([f"FAILED: sanitizer reports beside the verdict {verdict!r}", *reports]), 1
    finish(test, verdict, code, time.monotonic() - start)


def finish(test, verdict, code, seconds):
    args = test.args
    summary = {"test": args.name, "verdict": verdict, "seed": args.seed, "seconds": round(seconds, 1), **test.summary}
    print(json.dumps(summary, indent=2), flush=True)
    summaries = test.build / "e2e" / "summaries"
    summaries.mkdir(exist_ok=True)
    (summaries / f"{args.name}.json").write_text(json.dumps(summary, indent=2) + "\n")
    if code == 1:
        print(f"{args.name} {verdict}\nkept: {test.work}\nreplay: {' '.join(replay(args))}", flush=True)
    elif not args.keep:
        shutil.rmtree(test.work, ignore_errors=True)
    sys.exit(code)


def replay(args):
    words = [sys.executable, *sys.argv]
    return words if "--seed" in words else [*words, "--seed", str(args.seed)]


class Load:
    """kdb-load in the background; its history is a file."""

    def __init__(self, test, cluster, name, connections=8, keys=16):
        self.test = test
        self.cluster = cluster
        self.history = test.work / f"{name}.history"
        self.argv = ["run", "--prefix", name, "--seed", str(test.random.randrange(1 << 32)), "--connections",
                     str(connections), "--keys", str(keys)]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self._command(*self.argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        text=True, preexec_fn=die_with_parent)
        return self

    def stop(self):
        """Ends the load, and fails on what no client may see. Returns its summary."""
        self.process.terminate()
        try:
            out, _ = self.process.communicate(timeout=instrumented.seconds(60))
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure("kdb-load does not end") from None
        if self.process.returncode != 0:
            raise Failure(f"kdb-load ended with {self.process.returncode}")
        summary = json.loads(out)
        self.test.add(operations=summary["operations"], unknown=summary["unknown"],
                      refused=sum(summary["refused"].values()), reconnects=summary["reconnects"])
        # Where servers stand still for seconds, their answers make log time look older than it is: an op is given up
        # sooner than need be, which is safe.
        early = summary["early"] if instrumented.SLOWDOWN == 1 else {}
        if summary["wrong"] or summary["hung"] or early:
            raise Failure(f"the load saw wrong errors, errors before the deadline, or no reply in 20 s: {summary}")
        return summary

    def abandon(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def read_back(self):
        """Reads every key once more."""
        result = subprocess.run(self._command("read"), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=instrumented.seconds(120), check=False)
        if result.returncode != 0:
            raise Failure(f"reading back: {result.stderr.strip()}")

    def check(self):
        argv = [self.test.build / "bin" / "check_history", "--min-writes", str(MIN_WRITES), self.history]
        result = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=instrumented.seconds(300), check=False)
        if result.returncode != 0:
            error = DataLost if result.returncode == CHECK_LOST else Failure
            raise error(f"check_history {self.history} (exit code {result.returncode}):\n{result.stdout.strip()}")

    def _command(self, verb, *args):
        ports = ",".join(str(p) for p in self.cluster.redis_ports())
        return [self.test.build / "bin" / "kdb-load", verb, "--ports", ports, "--history", self.history, *args]
