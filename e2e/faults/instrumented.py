"""Servers that were built with sanitizers: what these found is in the logs, and all takes more time and memory."""

import math
import os
import re

SLOWDOWN = float(os.environ.get("KDB_SLOWDOWN", "1"))  # ctest sets it; 1: the build that limits are meant for
_REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error: ")


def seconds(limit):
    return limit * SLOWDOWN


def memory(limit):
    """Shadow memory and quarantines have no part in what a server needs."""
    return limit if SLOWDOWN == 1 else math.inf


def reports(directory):
    """The first line of every report in the logs below `directory`."""
    found = []
    for log in sorted(directory.rglob("*.log")):
        with open(log, encoding="utf-8", errors="replace") as lines:
            found += [f"{log}: {line.strip()}" for line in lines if _REPORT.search(line)]
    return found
