#!/usr/bin/env python3
"""Checks pkg/obs/metrics.txt, the list of all metrics, against the code; --write makes it anew.

A metric is a string literal "kdb_..." followed by its help text, as an argument or as the next constant. Counters, and only
they, end in _total; latencies end in _seconds.
"""

import pathlib
import re
import sys

STRING = r'"((?:[^"\\]|\\.)*)"'
METRIC = re.compile(r'"(kdb_[a-z_]+)"\s*[,;]\s*(?:constexpr char \w+\[\] =\s*)?((?:' + STRING + r'\s*)+)')
LIST = pathlib.Path("pkg/obs/metrics.txt")


def registered(root):
    metrics, errors = {}, []
    for path in sorted(root.glob("pkg/**/*.cc")) + sorted(root.glob("pkg/**/*.h")):
        if path.name.endswith("_test.cc"):
            continue
        text = path.read_text()
        found = METRIC.findall(text)
        for name in set(re.findall(r'"(kdb_[a-z_]+)"', text)) - {match[0] for match in found}:
            errors.append(f"{path}: {name} has no help text behind it")
        for name, help_text, _ in found:
            metrics[name] = f"{name}: {''.join(re.findall(STRING, help_text))}"
        for name in re.findall(r'AddCounter\(\s*"([^"]+)"', text):
            if not name.endswith("_total"):
                errors.append(f"{path}: {name}: a counter's name ends in _total")
        for name in re.findall(r'Add(?:Gauge|Latency|Sizes)\(\s*"([^"]+)"', text):
            if name.endswith("_total"):
                errors.append(f"{path}: {name}: only a counter's name ends in _total")
    return metrics, errors


def main():
    root = pathlib.Path(".")
    metrics, errors = registered(root)
    lines = [metrics[name] for name in sorted(metrics)]
    if "--write" in sys.argv:
        LIST.write_text("\n".join(lines) + "\n")
    listed = LIST.read_text().splitlines()
    errors += [f"{LIST}: lacks: {line}" for line in lines if line not in listed]
    errors += [f"{LIST}: no such metric in the code: {line}" for line in listed if line not in lines]
    print("\n".join(errors) if errors else f"metrics: {len(lines)} listed, all in the code")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
