"""The systems under test, each as processes on loopback with its data below one directory."""

import json
import pathlib
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

import procfs
from clients import NotMeasured, RespConnection, grpc_load, load_keys, KEYS

_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 30


def http_get(address, path, timeout_s=5):
    """(status, body); status 0 when nobody answers."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=timeout_s) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
    except (urllib.error.URLError, OSError):
        return 0, ""


def metrics(address):
    """Prometheus text summed over labels: name -> value. Empty when nobody answers."""
    sums = {}
    for line in http_get(address, "/metrics")[1].splitlines():
        match = re.match(r"([a-zA-Z_:][\w:]*)(?:\{.*\})? (\S+)", line)
        if match and not match[1].endswith("_bucket"):
            sums[match[1]] = sums.get(match[1], 0.0) + float(match[2])
    return sums


def wait_for(what, condition, timeout_s=_START_TIMEOUT_S):
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise NotMeasured(f"{what}: not within {timeout_s} s")
        time.sleep(0.01)


class System:
    """Processes that are started and ended together. Subclasses say which, and how to read their counters."""

    name = ""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self._children = []

    def _spawn(self, name, argv):
        with open(self.directory / f"{name}.log", "ab") as log:
            # A session of its own, so that Ctrl-C reaches the benchmark only, which then ends all in order.
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                     start_new_session=True, preexec_fn=procfs.end_with_parent)
        self._children.append((name, child))
        return child

    def _fresh_directory(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)

    def _check_running(self):
        for name, child in self._children:
            if child.poll() is not None:
                log = (self.directory / f"{name}.log").read_text(errors="replace").strip()
                raise NotMeasured(f"{name} ended with {child.returncode}: {log[-300:]}")

    def stop(self):
        for _, child in self._children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for _, child in self._children:
            try:
                child.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._children.clear()

    def pids(self):
        """Process name -> pid."""
        return {name: child.pid for name, child in self._children}

    def sample(self):
        """Everything that is counted, by process; `difference` of two gives what a run cost."""
        pids = self.pids()
        counters = self.counters()
        return {name: {"pid": pid, **procfs.sample(pid), **counters.get(name, {})} for name, pid in pids.items()}

    def counters(self):
        """Replica -> fdatasyncs and entries made durable by them, since its start; what it exports."""
        raise NotImplementedError

    def difference(self, before, after, reply_writes):
        """What a run cost, by process. `reply_writes`: how many writes to clients answered it."""
        del reply_writes  # for Redis
        costs = {}
        for name, counts in after.items():
            if name not in before or before[name]["pid"] != counts["pid"]:
                raise NotMeasured(f"{name} was restarted during the run")
            costs[name] = procfs.difference(before[name], counts)
            del costs[name]["pid"]
        return costs


class Redis(System):
    """Debian's redis-server, durable in its strictest setting."""

    name = "redis"

    def __init__(self, directory, port):
        super().__init__(directory)
        self.port = port

    def start(self):
        self._fresh_directory()
        self._spawn("redis", ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir",
                              str(self.directory), "--save", "", "--appendonly", "yes", "--appendfsync", "always"])
        wait_for("redis-server answers", self._answers)

    def _answers(self):
        self._check_running()
        try:
            with RespConnection(self.port) as connection:
                return connection.command("PING") == b"PONG"
        except (OSError, NotMeasured):
            return False

    def preload(self):
        load_keys(self.port, KEYS)

    def errors(self):
        with RespConnection(self.port) as connection:
            info = connection.command("INFO", "stats").decode()
        return int(re.search(r"total_error_replies:(\d+)", info)[1])

    def counters(self):
        return {}

    def difference(self, before, after, reply_writes):
        """Redis exports no count of syncs, but under appendfsync always it writes the AOF once before each, so the write
        calls that are not replies are the syncs (checked with strace: equal without pipelines, near with them)."""
        costs = super().difference(before, after, reply_writes)
        costs["redis"]["fdatasyncs"] = max(0, costs["redis"]["write_calls"] - reply_writes)
        return costs


class Etcd(System):
    """Debian's etcd, three members, default settings."""

    name = "etcd"

    def __init__(self, directory, port, client_binary):
        super().__init__(directory)
        self._clients = {f"etcd-{i}": f"127.0.0.1:{port + i}" for i in range(3)}
        self._peers = {f"etcd-{i}": f"127.0.0.1:{port + 10 + i}" for i in range(3)}
        self._client_binary = client_binary

    def start(self):
        self._fresh_directory()
        cluster = ",".join(f"{name}=http://{peer}" for name, peer in self._peers.items())
        for name, client in self._clients.items():
            self._spawn(name, ["etcd", "--name", name, "--data-dir", str(self.directory / name),
                               "--listen-client-urls", f"http://{client}", "--advertise-client-urls", f"http://{client}",
                               "--listen-peer-urls", f"http://{self._peers[name]}",
                               "--initial-advertise-peer-urls", f"http://{self._peers[name]}",
                               "--initial-cluster", cluster, "--initial-cluster-state", "new", "--logger", "zap"])
        wait_for("etcd is healthy", self._healthy)

    def _healthy(self):
        self._check_running()
        return all(http_get(client, "/health")[0] == 200 for client in self._clients.values())

    def leader(self):
        leaders = [name for name, client in self._clients.items() if metrics(client).get("etcd_server_is_leader") == 1]
        if len(leaders) != 1:
            raise NotMeasured(f"etcd has {len(leaders)} leaders")
        return leaders[0]

    def target(self):
        """The leader's address: it spares etcd the hop that a follower would add."""
        return self._clients[self.leader()]

    def preload(self):
        grpc_load(self._client_binary, self.target(), "etcd")

    def errors(self):
        return 0  # the gRPC client fails on the first one

    def counters(self):
        counters = {}
        for name, client in self._clients.items():
            values = metrics(client)
            counters[name] = {"fdatasyncs": values.get("etcd_disk_wal_fsync_duration_seconds_count", 0),
                              "backend_commits": values.get("etcd_disk_backend_commit_duration_seconds_count", 0),
                              "entries": values.get("etcd_server_proposals_committed_total", 0)}
        return counters


class Kdb(System):
    """`kdbctl demo`: 3 meta, 3 kv, 1 proxy, default settings but for `kv_flags`."""

    name = "kdb"

    def __init__(self, directory, port, build, kv_flags=()):
        super().__init__(directory)
        self.port = port
        self._kv_flags = [f"--kv-flag={flag}" for flag in kv_flags]
        self._kdbctl = pathlib.Path(build) / "bin" / "kdbctl"
        self._data = self.directory / "cluster"
        self.healthy_ms = None

    def start(self, fresh=True):
        """Sets healthy_ms to what kdbctl measured."""
        if fresh:
            self._fresh_directory()
        log = self.directory / "kdbctl.log"
        log.unlink(missing_ok=True)
        self._spawn("kdbctl", [str(self._kdbctl), "demo", "--dir", str(self._data), "--port", str(self.port),
                              *self._kv_flags])
        healthy = wait_for("kdbctl demo is healthy", lambda: self._said(log, r"healthy after (\d+) ms"), 90)
        self.healthy_ms = int(healthy[1])
        wait_for("kdbctl demo is ready", lambda: self._said(log, r"ready: "))

    def _said(self, log, pattern):
        self._check_running()
        return re.search(pattern, log.read_text(errors="replace"))

    def stop(self):
        pids = self.pids() if self._children else {}
        super().stop()
        for name, pid in pids.items():  # only after kdbctl itself was killed
            if procfs.running(pid):
                wait_for(f"{name} ends", lambda pid=pid: not procfs.running(pid), _STOP_TIMEOUT_S)

    def processes(self):
        """The servers as kdbctl lists them."""
        state = json.loads((self._data / "demo.json").read_text())
        return {process["name"]: process for process in state["processes"]}

    def pids(self):
        try:
            return {name: process["pid"] for name, process in self.processes().items() if process["pid"]}
        except (FileNotFoundError, KeyError):
            return {}

    def leader(self):
        for name, process in self.processes().items():
            if process["kind"] == "kv" and metrics(process["admin"]).get("kdb_raft_is_leader") == 1:
                return name
        raise NotMeasured("no kv is leader")

    def target(self):
        """The proxy's KV API."""
        return self.processes()["proxy-0"]["kv_api"]

    def preload(self):
        load_keys(self.port, KEYS)

    def errors(self):
        return metrics(self.processes()["proxy-0"]["admin"]).get("kdb_proxy_error_replies_total", 0)

    def counters(self):
        counters = {}
        for name, process in self.processes().items():
            values = metrics(process["admin"])
            if "kdb_raft_fsync_seconds_count" in values:
                counters[name] = {"fdatasyncs": values["kdb_raft_fsync_seconds_count"],
                                  "fdatasync_s": values["kdb_raft_fsync_seconds_sum"],
                                  "entries": values["kdb_raft_entries_per_fsync_sum"]}
        return counters
