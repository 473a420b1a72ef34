"""What the kernel knows about a process: CPU, memory, context switches, system calls."""

import ctypes
import os
import pathlib
import signal

_TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG = 1


def end_with_parent():
    """For a child between fork and exec: it gets SIGTERM when the benchmark dies, however that happens."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _stat(pid):
    """The fields of /proc/PID/stat from the third on (the second, the name, may contain spaces)."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2:].split()


def running(pid):
    """False when the process is gone or a zombie."""
    try:
        return _stat(pid)[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def uptime_s(pid):
    """Seconds since the process started."""
    since_boot = float(pathlib.Path("/proc/uptime").read_text().split()[0])
    return since_boot - int(_stat(pid)[19]) / _TICKS


def _keyed(path):
    fields = {}
    for line in pathlib.Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        fields[key] = value.split()[0] if value.split() else ""
    return fields


def rss_bytes(pid):
    return int(_keyed(f"/proc/{pid}/status")["VmRSS"]) * 1024


def peak_rss_bytes(pid):
    return int(_keyed(f"/proc/{pid}/status")["VmHWM"]) * 1024


def sample(pid):
    """Counters since the process started. Context switches leave out threads that have ended."""
    stat, io = _stat(pid), _keyed(f"/proc/{pid}/io")
    switches = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            status = _keyed(task / "status")
        except (FileNotFoundError, ProcessLookupError):
            continue
        switches += int(status["voluntary_ctxt_switches"]) + int(status["nonvoluntary_ctxt_switches"])
    return {
        "cpu_s": (int(stat[11]) + int(stat[12])) / _TICKS,
        "context_switches": switches,
        "write_calls": int(io["syscw"]),
        "read_calls": int(io["syscr"]),
    }


def difference(before, after):
    return {key: round(after[key] - before[key], 3) for key in after}
