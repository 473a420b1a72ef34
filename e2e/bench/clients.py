"""The clients that put load on a system: redis-benchmark, the gRPC client, and a minimal RESP connection."""

import csv
import io
import json
import socket
import subprocess

KEYS = 100_000
VALUE_BYTES = 64


class NotMeasured(Exception):
    """A figure could not be taken; the message says which and why."""


class RespConnection:
    """One blocking connection that sends commands and reads simple, integer, error and bulk replies."""

    def __init__(self, port, timeout_s=30):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self._reader = self._socket.makefile("rb")

    def close(self):
        self._reader.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def command(self, *words):
        self._socket.sendall(encode(*words))
        return self.read_reply()

    def send_all(self, data):
        self._socket.sendall(data)

    def read_reply(self):
        line = self._reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise NotMeasured(f"error reply: {rest.decode()}")
        if kind == b"$" and int(rest) >= 0:
            return self._reader.read(int(rest) + 2)[:-2]
        if kind == b":":
            return int(rest)
        return None if kind == b"$" else rest


def encode(*words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def load_keys(port, count, chunk=500):
    """SETs key:000000000000 and the following, as redis-benchmark names them, `chunk` in a pipeline."""
    value = b"x" * VALUE_BYTES
    with RespConnection(port, timeout_s=60) as connection:
        for start in range(0, count, chunk):
            end = min(start + chunk, count)
            connection.send_all(b"".join(encode("SET", b"key:%012d" % i, value) for i in range(start, end)))
            for _ in range(start, end):
                connection.read_reply()


def _run(argv):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        output = (done.stderr or done.stdout).strip()
        raise NotMeasured(f"{argv[0].rsplit('/', 1)[-1]} failed ({done.returncode}): {output[-300:]}")
    return done


def parse_benchmark_csv(text):
    """The one result of `redis-benchmark -t TEST --csv`."""
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row.get("rps")]
    if len(rows) != 1:
        raise NotMeasured(f"redis-benchmark printed {len(rows)} results instead of one: {text[-300:]!r}")
    row = rows[0]
    return {"ops_per_s": float(row["rps"]), "p50_ms": float(row["p50_latency_ms"]),
            "p95_ms": float(row["p95_latency_ms"]), "p99_ms": float(row["p99_latency_ms"]),
            "max_ms": float(row["max_latency_ms"])}


class RedisBenchmark:
    """redis-benchmark at one point. It takes a number of requests, not a time: `calibrate` finds the number."""

    def __init__(self, test, connections, pipeline):
        self.test, self.connections, self.pipeline = test, connections, pipeline

    def run(self, port, requests):
        """all_ops of a result: operations that the system carried out for it, the unmeasured ones included."""
        done = _run(["redis-benchmark", "-p", str(port), "-t", self.test, "-c", str(self.connections),
                     "-P", str(self.pipeline), "-r", str(KEYS), "-d", str(VALUE_BYTES), "-n", str(requests), "--csv"])
        if "rror" in done.stderr:
            raise NotMeasured(f"redis-benchmark met errors: {done.stderr.strip()[-300:]}")
        result = parse_benchmark_csv(done.stdout)
        return {**result, "ops": requests, "all_ops": requests, "seconds": round(requests / result["ops_per_s"], 3)}

    def calibrate(self, port, seconds):
        """Requests that take a little longer than `seconds`."""
        requests = 1000
        while True:
            result = self.run(port, requests)
            if result["seconds"] >= min(1.0, seconds):
                return max(1000, int(result["ops_per_s"] * seconds * 1.2))
            requests = min(requests * 4, int(result["ops_per_s"] * 1.2) + 1000)


def grpc_run(binary, target, api, operation, connections, seconds):
    done = _run([str(binary), "--target", target, "--api", api, "--op", operation, "--keys", str(KEYS),
                 "--value-bytes", str(VALUE_BYTES), "--connections", str(connections),
                 "--duration-ms", str(int(seconds * 1000))])
    return json.loads(done.stdout)


def grpc_load(binary, target, api):
    """Puts every key once."""
    _run([str(binary), "--target", target, "--api", api, "--op", "put", "--keys", str(KEYS),
          "--value-bytes", str(VALUE_BYTES), "--connections", "100", "--load"])
