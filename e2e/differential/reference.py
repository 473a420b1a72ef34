"""Debian's redis-server, as a process of the test's own."""

import pathlib
import shutil
import socket
import subprocess

from cluster import Failure, die_with_parent, free_ports, wait_for

VERSION = "7.0."
# What our proxy is like: one database, values up to 16 MiB.
OPTIONS = {"databases": "1", "save": "", "appendfsync": "always", "maxclients": "10000",
           "proto-max-bulk-len": "16777216"}


class RedisServer:
    """Use as a context manager: leaving it ends the process."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.port = free_ports()
        self.address = ("127.0.0.1", self.port)
        self.process = None

    def __enter__(self):
        program = shutil.which("redis-server")
        if program is None:
            raise Failure("redis-server (Debian package redis-server) is not installed: run make deps")
        version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        if f"v={VERSION}" not in version:
            raise Failure(f"the reference is redis-server {VERSION}x, not {version.strip()}")
        self.dir.mkdir(parents=True, exist_ok=True)
        argv = [program, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.dir)]
        for name, value in OPTIONS.items():
            argv += [f"--{name}", value]
        with open(self.dir / "redis.log", "wb") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)
        wait_for("redis-server", self._listens, 20)
        return self

    def __exit__(self, kind, value, trace):
        self.process.terminate()
        self.process.wait(20)

    def _listens(self):
        if self.process.poll() is not None:
            raise Failure(f"redis-server ended, see {self.dir}/redis.log")
        try:
            socket.create_connection(self.address, 1).close()
            return True
        except OSError:
            return False
