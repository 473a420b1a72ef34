#!/usr/bin/env python3
"""Runs clang-tidy over the sources of a compile database, in parallel, and only over what changed since it was clean.

A source is clean under a key: the hash of the checks, its compile command and all files of ours that it includes,
directly or not. Keys are kept in BUILD/tidy; a finding writes none, so the file is checked again next time.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

CLANG_TIDY = "clang-tidy-14"
INCLUDE = re.compile(rb'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
FINDING = re.compile(r"^(?:/|warning: |error: )", re.MULTILINE)
NOTE = re.compile(r"^\S+:\d+:\d+: note: ")
# The analyzer spends a minute on one test file of assertion macros, and more than all other checks on the rest.
ANALYZER_LIMITS = ["max-nodes=40000"]
TEST_CHECKS = "-clang-analyzer-*"


class Closure:
    """The files of ours that a source includes, each read once."""

    def __init__(self, roots):
        self.roots = roots
        self.files = {}

    def read(self, path):
        if path not in self.files:
            content = path.read_bytes()
            found = [self.find(path, name.decode()) for name in INCLUDE.findall(content)]
            self.files[path] = (hashlib.sha256(content).hexdigest(), [f for f in found if f])
        return self.files[path]

    def find(self, includer, name):
        for root in [includer.parent, *self.roots]:
            if (root / name).is_file():
                return root / name
        return None

    def hashes(self, source):
        seen, todo = {}, [source]
        while todo:
            path = todo.pop()
            if path not in seen:
                seen[path], includes = self.read(path)
                todo += includes
        return sorted((str(path), digest) for path, digest in seen.items())


def key_of(entry, source, closure, checks):
    told = json.dumps([checks, entry["command"], closure.hashes(source)])
    return hashlib.sha256(told.encode()).hexdigest()


def tidy(build, source):
    command = [CLANG_TIDY, "-p", str(build), "--quiet"]
    for limit in ANALYZER_LIMITS:
        for word in ["-Xclang", "-analyzer-config", "-Xclang", limit]:
            command.append(f"--extra-arg={word}")
    if source.name.endswith("_test.cc"):
        command.append(f"--checks={TEST_CHECKS}")
    run = subprocess.run(command + [str(source)], capture_output=True, text=True, check=False)
    return run.returncode, run.stdout if run.returncode == 0 or run.stdout.strip() else run.stderr


def findings(output):
    """Splits what clang-tidy printed into findings, each with the notes that belong to it."""
    blocks = []
    for line in output.splitlines(keepends=True):
        if FINDING.match(line) and not NOTE.match(line):
            blocks.append(line)
        elif blocks:
            blocks[-1] += line
    return blocks or [output]


def sources_of(root, build, wanted):
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if build in source.parents or not source.is_relative_to(root):
            continue
        name = source.relative_to(root).as_posix()
        if not wanted or any(name.startswith(prefix) for prefix in wanted):
            entries.setdefault(source, entry)
    return entries


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path, help="build directory with a compile_commands.json")
    parser.add_argument("prefix", nargs="*", help="check only the files whose names start so, e.g. pkg/wal/")
    parser.add_argument("-j", type=int, default=os.cpu_count(), help="how many at once")
    args = parser.parse_intermixed_args()

    root = pathlib.Path(__file__).resolve().parent.parent
    build = args.build.resolve()
    version = subprocess.run([CLANG_TIDY, "--version"], capture_output=True, text=True, check=True).stdout
    checks = [version, (root / ".clang-tidy").read_text(), pathlib.Path(__file__).read_text()]
    closure = Closure([root, build / "gen"])
    stamps = build / "tidy"
    stamps.mkdir(exist_ok=True)

    todo = []
    sources = sources_of(root, build, args.prefix)
    for source, entry in sources.items():
        stamp = stamps / source.relative_to(root).as_posix().replace("/", "+")
        key = key_of(entry, source, closure, checks)
        if not stamp.exists() or stamp.read_text() != key:
            todo.append((source, stamp, key))

    bad, seen = 0, set()
    with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        runs = {pool.submit(tidy, build, source): (source, stamp, key) for source, stamp, key in todo}
        for run in concurrent.futures.as_completed(runs):
            source, stamp, key = runs[run]
            status, output = run.result()
            if status == 0:
                stamp.write_text(key)
                continue
            bad += 1
            for block in findings(output):
                if block not in seen:  # a header's findings come with every source that includes it
                    seen.add(block)
                    print(block.replace(f"{root}/", ""), end="", flush=True)
    print(f"tidy: {len(sources)} files, {len(todo)} checked, {bad} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
