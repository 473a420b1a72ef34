#!/usr/bin/env python3
"""Runs clang-tidy over the sources of a compile database, in parallel, and only over what changed since it was clean.

A source is clean under a key: the hash of the checks, its compile command and all files of ours that it includes,
directly or not. Keys are kept in BUILD/tidy; a finding writes none, so the file is checked again next time.
A file of ours that the compile database does not lead to is an error, too: it would never be checked.
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
# The analyzer would follow every path through Asio's and Abseil's templates, for most of the time that all checks take;
# in test files, through the macros of assertions.
ANALYZER_LIMITS = ["max-nodes=40000", "c++-template-inlining=false"]
TEST_CHECKS = "-clang-analyzer-*"
PROGRESS = 50


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


def unreached(root, wanted, reached):
    """Our files that are not among those which the compile database leads to: all, or the wanted folders' sources."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.cc"]
    listed = subprocess.run(command + ([] if wanted else ["*.h"]), cwd=root, capture_output=True, text=True, check=True)
    names = [name for name in listed.stdout.splitlines() if not wanted or name.startswith(tuple(wanted))]
    return [name for name in names if (root / name).is_file() and root / name not in reached]


def arguments(root, source):
    """What clang-tidy is told about a source, besides the compile database."""
    told = [f"--config-file={root}/.clang-tidy", "--quiet"]
    for limit in ANALYZER_LIMITS:
        told += [f"--extra-arg={word}" for word in ["-Xclang", "-analyzer-config", "-Xclang", limit]]
    if source.name.endswith("_test.cc"):
        told.append(f"--checks={TEST_CHECKS}")
    return told


def tidy(root, build, source):
    command = [CLANG_TIDY, "-p", str(build), *arguments(root, source), str(source)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout if run.returncode == 0 or run.stdout.strip() else run.stderr


def findings(source, status, output):
    """Splits what clang-tidy printed into findings, each with the notes that belong to it."""
    blocks = []
    for line in output.splitlines(keepends=True):
        if FINDING.match(line) and not NOTE.match(line):
            blocks.append(line)
        elif blocks:
            blocks[-1] += line
    return blocks or [f"{source}: clang-tidy ended with {status}, without a finding\n{output}"]


def sources_of(root, build, wanted):
    """Our sources in the compile database, all or those whose names start with one of the wanted."""
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if build in source.parents or not source.is_relative_to(root):
            continue
        name = source.relative_to(root).as_posix()
        if not wanted or any(name.startswith(prefix) for prefix in wanted):
            entries.setdefault(source, entry)
    return entries


def changed(root, build, sources, closure):
    """The sources that are not clean as they are now, each with the file and the text that will say it is."""
    version = subprocess.run([CLANG_TIDY, "--version"], capture_output=True, text=True, check=True).stdout
    checks = (root / ".clang-tidy").read_text()
    stamps = build / "tidy"
    stamps.mkdir(exist_ok=True)
    todo = []
    for source, entry in sources.items():
        told = json.dumps([version, checks, arguments(root, source), entry["command"], closure.hashes(source)])
        key = hashlib.sha256(told.encode()).hexdigest()
        stamp = stamps / source.relative_to(root).as_posix().replace("/", "+")
        if not stamp.exists() or stamp.read_text() != key:
            todo.append((source, stamp, key))
    return todo


def check(root, build, todo, jobs):
    """Prints what clang-tidy finds, each finding once, and returns how many sources have any."""
    bad, seen = 0, set()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        runs = {pool.submit(tidy, root, build, source): (source, stamp, key) for source, stamp, key in todo}
        for done, run in enumerate(concurrent.futures.as_completed(runs), 1):
            source, stamp, key = runs[run]
            status, output = run.result()
            if done % PROGRESS == 0:
                print(f"tidy: {done} of {len(todo)} checked", flush=True)
            if status == 0:
                stamp.write_text(key)
                continue
            bad += 1
            for block in findings(source, status, output):
                if block not in seen:  # a header's findings come with every source that includes it
                    seen.add(block)
                    print(block.replace(f"{root}/", ""), end="", flush=True)
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path, help="build directory with a compile_commands.json")
    parser.add_argument("prefix", nargs="*", help="check only the files whose names start so, e.g. pkg/wal/")
    parser.add_argument("-j", type=int, default=os.cpu_count(), help="how many at once")
    args = parser.parse_intermixed_args()

    root = pathlib.Path(__file__).resolve().parent.parent
    build = args.build.resolve()
    closure = Closure([root, build / "gen"])
    sources = sources_of(root, build, args.prefix)
    todo = changed(root, build, sources, closure)
    print(f"tidy: {len(sources)} files, {len(todo)} to check", flush=True)
    missing = unreached(root, args.prefix, closure.files)
    for name in missing:
        print(f"{name}: error: neither in the compile database nor included by what is")
    bad = check(root, build, todo, args.j)
    print(f"tidy: {bad} files with findings, {len(missing)} out of reach")
    return 1 if bad or missing else 0


if __name__ == "__main__":
    sys.exit(main())
