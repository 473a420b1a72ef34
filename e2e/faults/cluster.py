"""A cluster of real processes on the loopback address, run by `kdbctl demo`."""

import ctypes
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import instrumented

PORTS = 70  # kdbctl demo takes so many from its --port on
PR_SET_PDEATHSIG = 1


# How a server words that its disk has lost what it relied on (pkg/wal, pkg/raftnode, pkg/rocks).
LOSS = re.compile(r".*(raft log damaged: |is in quarantine: |does not fit the applied state: |cannot open the database in .*: Corruption: )")
TAIL_BYTES = 16 << 10  # of a log


class Failure(Exception):
    """The system did what it must not."""


class DataLost(Failure):
    """Acknowledged writes are gone, or a server refuses to start because its data is."""


def wait_for(what, condition, timeout, step=0.02):
    """Returns condition()'s first true value; fails after `timeout` seconds (more when instrumented)."""
    timeout = instrumented.seconds(timeout)
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {timeout} s")
        time.sleep(step)


def free_ports():
    """The first of PORTS ports in a row that nothing listens on, below the ephemeral ones."""
    rng = random.SystemRandom()
    for _ in range(1000):
        base = rng.randrange(12_400, 32_000, PORTS)
        sockets = []
        try:
            for port in range(base, base + PORTS):
                s = socket.socket()
                sockets.append(s)
                s.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for s in sockets:
                s.close()
    raise Failure("no free ports")


def http(address, path, timeout=2):
    """Status and body; status 0 when nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=timeout) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()
    except OSError as e:
        return 0, str(e)


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Cluster:
    """Not thread-safe. Use as a context manager: leaving it ends every process."""

    def __init__(self, build, directory, binaries="bin", proxies=1, kv_flags=(), env=None):
        self.build = pathlib.Path(build)
        self.dir = pathlib.Path(directory)
        self.binaries = self.build / binaries
        self.proxies = proxies
        self.kv_flags = list(kv_flags)
        self.env = dict(os.environ, **(env or {}))
        self.port = free_ports()
        self.demo = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stop(check=kind is None)

    def start(self, timeout=60):
        self.dir.parent.mkdir(parents=True, exist_ok=True)
        self.log = self.dir.parent / f"{self.dir.name}.demo.log"
        offset = self.log.stat().st_size if self.log.exists() else 0
        argv = [self.build / "bin" / "kdbctl", "demo", "--dir", self.dir, "--port", str(self.port), "--proxies",
                str(self.proxies), "--binaries", self.binaries]
        for flag in self.kv_flags:
            argv += [f"--kv-flag={flag}"]
        with open(self.log, "ab") as log:
            self.demo = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                                         preexec_fn=die_with_parent)

        def said_ready():
            text = self.log.read_bytes()[offset:].decode(errors="replace")
            if self.demo.poll() is not None:
                raise Failure(f"kdbctl demo ended: {text.strip().splitlines()[-1:]} (see {self.log})")
            return "\nready:" in text

        try:
            wait_for(f"cluster up (see {self.log})", said_ready, timeout)
        except Failure:
            self.stop(check=False)
            raise

    def stop(self, check=True):
        """SIGTERM, as Ctrl-C would. With `check`, a server that did not end cleanly is a failure."""
        if self.demo is None:
            return
        for process in self.processes():
            self.signal([process["name"]], signal.SIGCONT)
        self.demo.terminate()
        try:
            code = self.demo.wait(instrumented.seconds(90))
        except subprocess.TimeoutExpired:
            self.demo.kill()
            self.demo.wait()
            code = "none: it had to be killed"
        self.demo = None
        if check and code != 0:
            raise Failure(f"kdbctl demo's exit code is {code}, see the end of {self.log}")

    def processes(self, kind=None):
        for _ in range(50):  # replaced by rename: never half-written, but absent at the very start
            try:
                state = json.loads((self.dir / "demo.json").read_text())
                return [p for p in state["processes"] if kind in (None, p["kind"])]
            except (OSError, ValueError, KeyError):
                time.sleep(0.01)
        return []

    def process(self, name):
        return next(p for p in self.processes() if p["name"] == name)

    def names(self, kind=None):
        return [p["name"] for p in self.processes(kind)]

    def redis_ports(self):
        return [self.port + i for i in range(self.proxies)]

    def signal(self, names, number):
        """Sends it to all, as nearly at once as can be. Returns {name: pid} of those that were there."""
        pids = {p["name"]: p["pid"] for p in self.processes() if p["name"] in names and self._ours(p)}
        for pid in pids.values():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        return pids

    def _ours(self, process):
        """Its pid still is the server that demo.json names."""
        try:
            argv = pathlib.Path(f"/proc/{process['pid']}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return process["pid"] > 0 and argv[:-1] == [a.encode() for a in process["argv"]]

    def kill(self, names):
        return self.signal(names, signal.SIGKILL)

    def ready(self, name):
        return http(self.process(name)["admin"], "/readyz")[0] == 200

    def wait_ready(self, timeout=60, names=None):
        """Until all are; fails at once with DataLost when one refuses to start because its data is lost."""
        start = time.monotonic()
        waiting = list(names or self.names())

        def all_ready():
            waiting[:] = [n for n in waiting if not self.ready(n)]
            for name in waiting:
                if refusal := self.refusal(name):
                    raise DataLost(f"{name} does not start: {refusal}")
            return not waiting

        try:
            wait_for("ready", all_ready, timeout)
        except DataLost:
            raise
        except Failure as e:
            reasons = [f"{n}: {http(self.process(n)['admin'], '/readyz')}, log: {self.last_log(n)}" for n in waiting]
            raise Failure(f"{e}: {'; '.join(reasons)}") from None
        return time.monotonic() - start

    def wait_restarted(self, killed, timeout=30, refuse=True):
        """Until every process of `killed` ({name: pid}) runs again under another pid. DataLost as of wait_ready, unless it is
        not to `refuse`: one that refuses to start comes and goes, and is not seen running.
        """
        def all_run():
            for name in killed if refuse else ():
                if refusal := self.refusal(name):
                    raise DataLost(f"{name} does not start: {refusal}")
            return all(p["pid"] not in (0, killed[p["name"]]) for p in self.processes() if p["name"] in killed)

        wait_for(f"restart of {sorted(killed)}", all_run, timeout)

    def last_log(self, name, lines=3):
        return " | ".join(self._log_tail(name)[-lines:])

    def refusal(self, name):
        """What the server said at its end, or of its quarantine, if that is the loss of its data."""
        return next((line for line in reversed(self._log_tail(name)) if LOSS.match(line)), None)

    def _log_tail(self, name):
        try:
            with open(self.process(name)["log"], "rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
                return log.read().decode(errors="replace").splitlines()
        except OSError as e:
            return [str(e)]

    def ctl(self, *args, timeout=30):
        meta = ",".join(p["address"] for p in self.processes("meta"))
        return subprocess.run([self.build / "bin" / "kdbctl", "--meta", meta, *args], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=instrumented.seconds(timeout), check=False)

    def members(self, gid=1):
        """kdbctl's status of a group, each with the name of its process."""
        reply = self.ctl("-o", "json", "status")
        if reply.returncode != 0:
            return []
        names = {p["address"]: p["name"] for p in self.processes()}
        members = [m for m in json.loads(reply.stdout)["members"] if m["group"] == gid]
        return [dict(m, name=names.get(m["address"], "?")) for m in members]

    def metric(self, name, family):
        """The sum of a family of counters; 0 when there is none yet."""
        status, text = http(self.process(name)["admin"], "/metrics")
        if status != 200:
            raise Failure(f"{name} shows no metrics: {status}")
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith((f"{family} ", f"{family}{{")))

    def lag_of(self, name):
        """How many entries the follower of group 1 is behind its leader; None when one of them does not say."""
        members = {m["name"]: m for m in self.members()}
        leader = self.leader()
        if "applied" not in members.get(name, {}):
            return None
        return leader["applied"] - members[name]["applied"]

    def leader(self, gid=1, timeout=30):
        """The status of the leader of the highest term."""

        def find():
            leaders = [m for m in self.members(gid) if m["role"] == "leader"]
            return max(leaders, key=lambda m: m["term"], default=None)

        return wait_for(f"leader of group {gid}", find, timeout, step=0.1)
