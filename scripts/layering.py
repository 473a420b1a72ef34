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
    "pkg/storage": ["pkg/base", "pkg/env"],
    "pkg/raftnode": ["pkg/base", "pkg/env", "pkg/obs", "pkg/raft", "pkg/wal", "proto"],
    "pkg/snapshot": ["pkg/base", "pkg/env", "pkg/obs", "pkg/raft", "pkg/storage", "pkg/wal", "proto"],
    "pkg/rocks": ["pkg/base", "pkg/env", "pkg/storage"],
    "pkg/shard": ["pkg/base", "proto"],
    "pkg/wire": ["pkg/base"],
    "pkg/resp": ["pkg/base"],
    "pkg/redis": ["pkg/base", "pkg/resp"],
    "pkg/exec": ["pkg/base", "pkg/redis", "pkg/resp", "pkg/shard", "pkg/storage"],
    "pkg/kv": ["pkg/base", "pkg/exec", "pkg/obs", "pkg/raft", "pkg/raftnode", "pkg/redis", "pkg/resp",
               "pkg/shard", "pkg/storage", "pkg/wire", "proto"],
    "pkg/net": ["pkg/base"],
    "pkg/http2": ["pkg/base", "pkg/net"],
    "pkg/rpc": ["pkg/base", "pkg/env", "pkg/net", "pkg/obs", "pkg/raft", "pkg/raftnode", "pkg/snapshot",
                "pkg/storage", "proto"],
    "pkg/meta": ["pkg/base", "pkg/env", "pkg/net", "pkg/obs", "pkg/raft", "pkg/raftnode", "pkg/rpc", "pkg/shard",
                 "pkg/storage", "pkg/wal", "proto"],
    "pkg/server": ["pkg/base", "pkg/env", "pkg/exec", "pkg/kv", "pkg/net", "pkg/obs", "pkg/raft", "pkg/raftnode",
                   "pkg/rpc", "pkg/shard", "pkg/storage", "pkg/wire", "proto"],
    "pkg/routing": ["pkg/base", "pkg/net", "pkg/obs", "pkg/redis", "pkg/resp", "pkg/shard", "pkg/wire", "proto"],
    "pkg/proxy": ["pkg/base", "pkg/env", "pkg/http2", "pkg/net", "pkg/obs", "pkg/redis", "pkg/resp", "pkg/routing",
                  "pkg/rpc", "pkg/shard", "pkg/wire", "proto"],
    "pkg/ctl": ["pkg/base", "pkg/config", "pkg/env", "pkg/resp", "pkg/rpc", "pkg/shard", "proto"],
    "pkg/testing": ["*"],
    "cmd": ["*"],
    "e2e": ["*"],
}

# Libraries that only some folders may know. An <include> that starts so is an error elsewhere.
CONFINED = {
    "rocksdb/": ["pkg/rocks"],
    "spdlog/": ["pkg/obs"],
    "prometheus/": ["pkg/obs"],
    "yaml-cpp/": ["pkg/config"],
    "asio": ["pkg/http2", "pkg/net", "pkg/proxy", "pkg/routing"],
    "nghttp2/": ["pkg/http2"],
    "grpcpp/": ["pkg/ctl", "pkg/meta", "pkg/proxy", "pkg/rpc", "pkg/server", "e2e"],
}
# pkg/raft is a pure function: no thread, clock, lock or file. Its tests read golden files.
IMPURE = re.compile(r"(atomic|chrono|condition_variable|ctime|filesystem|fstream|future|iostream|mutex|random|thread"
                    r"|(sys/.*|fcntl|pthread|time|unistd)\.h)$")

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^">]+)[">]', re.MULTILINE)
FOLDERS = ("pkg", "proto", "cmd", "e2e", "operator")


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


def may_use(layer, target, is_test):
    allowed = ALLOWED[layer]
    return target == layer or "*" in allowed or target in allowed or (is_test and target == "pkg/testing")


def check_include(name, quote, included):
    """What is wrong with one #include of the file `name`, or None."""
    layer = layer_of(name)
    is_test = name.endswith(("_test.cc", "_test.h", "_fuzz.cc"))
    if quote == '"' and ("/" not in included or ".." in included.split("/")):
        return "write the path from the root of the repository"
    if included.split("/")[0] in FOLDERS:
        target = layer_of(included)
        return None if may_use(layer, target, is_test) else f"{layer} must not use {target}"
    for library, folders in CONFINED.items():
        if included.startswith(library) and layer not in folders:
            return f"only {', '.join(folders)} may use it"
    if layer == "pkg/raft" and not is_test and IMPURE.match(included):
        return "pkg/raft is pure"
    return None


def check(root):
    errors = []
    for path in sorted(root.glob("**/*")):
        name = path.relative_to(root).as_posix()
        if path.suffix not in (".h", ".cc") or name.startswith("build/"):
            continue
        if layer_of(name) not in ALLOWED:
            errors.append(f"{name}: folder {layer_of(name)} has no row in scripts/layering.py")
            continue
        for quote, included in INCLUDE.findall(path.read_text()):
            error = check_include(name, quote, included)
            if error:
                errors.append(f"{name}: includes {included}: {error}")
    return errors


def main():
    cycle = find_cycle(ALLOWED)
    errors = [f"the table has a cycle: {' -> '.join(cycle)}"] if cycle else []
    errors += check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(errors) if errors else "layering: every include is an edge of the table")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
