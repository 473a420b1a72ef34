#!/usr/bin/env python3
"""Checks that every #include between folders is an edge of the layering table, and that the table has no cycle.

Folders are layers; a folder may include itself and whatever its row names, directly (not transitively).
"""

import pathlib
import re
import sys

# What each folder may include. `proto` is the generated code; tests may include pkg/testing as well.
ALLOWED = {
    "pkg/base": [],
    "pkg/env": ["pkg/base"],
    "pkg/obs": ["pkg/base"],
    "pkg/config": ["pkg/base"],
    "pkg/raft": ["pkg/base"],
    "pkg/wal": ["pkg/base", "pkg/env", "pkg/raft"],
    "pkg/storage": ["pkg/base"],
    "pkg/raftnode": ["pkg/base", "pkg/env", "pkg/obs", "pkg/raft", "pkg/wal", "proto"],
    "pkg/rocks": ["pkg/base", "pkg/env", "pkg/storage"],
    "pkg/shard": ["pkg/base", "proto"],
    "pkg/wire": ["pkg/base"],
    "pkg/resp": ["pkg/base"],
    "pkg/redis": ["pkg/base", "pkg/resp"],
    "pkg/exec": ["pkg/base", "pkg/redis", "pkg/resp", "pkg/shard", "pkg/storage"],
    "pkg/kv": ["pkg/base", "pkg/exec", "pkg/obs", "pkg/raft", "pkg/raftnode", "pkg/redis", "pkg/resp",
               "pkg/shard", "pkg/storage", "pkg/wire", "proto"],
    "pkg/net": ["pkg/base"],
    "pkg/rpc": ["pkg/base", "pkg/net", "pkg/obs", "pkg/raft", "pkg/raftnode", "proto"],
    "pkg/meta": ["pkg/base", "pkg/env", "pkg/net", "pkg/obs", "pkg/raft", "pkg/raftnode", "pkg/rpc", "pkg/shard",
                 "pkg/storage", "pkg/wal", "proto"],
    "pkg/server": ["pkg/base", "pkg/env", "pkg/exec", "pkg/kv", "pkg/net", "pkg/obs", "pkg/raft", "pkg/raftnode",
                   "pkg/rpc", "pkg/shard", "pkg/storage", "pkg/wire", "proto"],
    "pkg/proxy": ["pkg/base", "pkg/env", "pkg/net", "pkg/obs", "pkg/redis", "pkg/resp", "pkg/rpc", "pkg/shard",
                  "pkg/wire", "proto"],
    "pkg/ctl": ["pkg/base", "pkg/config", "pkg/env", "pkg/resp", "pkg/rpc", "pkg/shard", "proto"],
    "pkg/testing": ["*"],
    "cmd": ["*"],
    "e2e": ["*"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def layer_of(path):
    parts = path.split("/")
    if parts[0] == "pkg":
        return "/".join(parts[:2])
    return parts[0]


def find_cycle(table):
    state = {}

    def visit(layer, path):
        if state.get(layer) == "done":
            return None
        if layer in path:
            return path[path.index(layer):] + [layer]
        for below in table.get(layer, []):
            if below != "*":
                cycle = visit(below, path + [layer])
                if cycle:
                    return cycle
        state[layer] = "done"
        return None

    for layer in table:
        cycle = visit(layer, [])
        if cycle:
            return cycle
    return None


def check(root):
    errors = []
    for path in sorted(root.glob("**/*")):
        name = path.relative_to(root).as_posix()
        if path.suffix not in (".h", ".cc") or name.startswith("build/"):
            continue
        layer = layer_of(name)
        if layer not in ALLOWED:
            errors.append(f"{name}: folder {layer} has no row in scripts/layering.py")
            continue
        is_test = name.endswith(("_test.cc", "_test.h", "_fuzz.cc"))
        for included in INCLUDE.findall(path.read_text()):
            if included.split("/")[0] not in ("pkg", "proto", "cmd", "e2e", "operator"):
                continue
            target = layer_of(included)
            allowed = ALLOWED[layer]
            if target == layer or "*" in allowed or target in allowed:
                continue
            if is_test and target == "pkg/testing":
                continue
            errors.append(f"{name}: includes {included}: {layer} must not use {target}")
    rocks = [p for p in root.glob("pkg/**/*.*") if p.suffix in (".h", ".cc") and
             "#include <rocksdb/" in p.read_text() and layer_of(p.relative_to(root).as_posix()) != "pkg/rocks"]
    errors += [f"{p.relative_to(root)}: only pkg/rocks includes RocksDB" for p in rocks]
    return errors


def main():
    cycle = find_cycle(ALLOWED)
    errors = [f"the table has a cycle: {' -> '.join(cycle)}"] if cycle else []
    errors += check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(errors) if errors else "layering: every include is an edge of the table")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
