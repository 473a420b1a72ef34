"""An open-loop prober: a write every few milliseconds, whether the last one was answered or not."""

import collections
import selectors
import socket
import threading
import time


class Probe:
    """One write. `done` and `outcome` ("ok", an error, "broken") are None while it is under way."""

    __slots__ = ("sent", "done", "outcome")

    def __init__(self, sent):
        self.sent = sent
        self.done = None
        self.outcome = None


class _Lane:
    """A connection; its probes are answered in order."""

    def __init__(self, port):
        self.port = port
        self.socket = None
        self.waiting = collections.deque()
        self.unread = b""

    def connect(self, selector):
        try:
            s = socket.create_connection(("127.0.0.1", self.port), timeout=1)
        except OSError:
            return
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.setblocking(False)
        self.socket = s
        selector.register(s, selectors.EVENT_READ, self)

    def close(self, selector):
        if self.socket is None:
            return
        selector.unregister(self.socket)
        self.socket.close()
        self.socket, self.unread = None, b""
        for probe in self.waiting:
            probe.done, probe.outcome = time.monotonic(), "broken"
        self.waiting.clear()

    def send(self, selector, probe, data):
        self.waiting.append(probe)
        try:
            if self.socket is None or self.socket.send(data) != len(data):
                raise OSError("cannot send")
        except OSError:
            self.close(selector)
            probe.done, probe.outcome = time.monotonic(), "broken"

    def receive(self, selector):
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close(selector)
            return
        now = time.monotonic()
        *lines, self.unread = (self.unread + data).split(b"\r\n")
        for line in lines:
            probe = self.waiting.popleft()
            probe.done, probe.outcome = now, "ok" if line == b"+OK" else line.decode(errors="replace")


class Prober(threading.Thread):
    """Runs from start() to stop(). Spreads its writes over several connections and keys."""

    LANES = 16
    KEYS = 64

    def __init__(self, port, rate=200):
        super().__init__(daemon=True)
        self._period = 1 / rate
        self._lanes = [_Lane(port) for _ in range(self.LANES)]
        self._ended = threading.Event()
        self.probes = []

    def run(self):
        selector = selectors.DefaultSelector()
        next_send = time.monotonic()
        while not self._ended.is_set():
            for key, _ in selector.select(max(0, next_send - time.monotonic())):
                key.data.receive(selector)
            if time.monotonic() < next_send:
                continue
            self._send(selector)
            next_send += self._period
        deadline = time.monotonic() + 15  # longer than the proxy's deadline
        while any(lane.waiting for lane in self._lanes) and time.monotonic() < deadline:
            for key, _ in selector.select(0.1):
                key.data.receive(selector)
        for lane in self._lanes:
            lane.close(selector)

    def _send(self, selector):
        number = len(self.probes)
        lane = self._lanes[number % self.LANES]
        if lane.socket is None:
            lane.connect(selector)
        probe = Probe(time.monotonic())
        self.probes.append(probe)
        lane.send(selector, probe, f"SET probe:{number % self.KEYS} {number}\r\n".encode())

    def stop(self):
        self._ended.set()
        self.join()

    def first_ok_after(self, moment):
        """When the first write that was sent after `moment` was acknowledged; None: not yet."""
        done = [p.done for p in list(self.probes) if p.sent >= moment and p.outcome == "ok"]
        return min(done) if done else None

    def errors(self):
        return collections.Counter(p.outcome for p in list(self.probes) if p.outcome not in (None, "ok"))

    def longest_gap(self, begin, end):
        """Seconds without any acknowledgement between two moments."""
        done = sorted(p.done for p in list(self.probes) if p.outcome == "ok" and begin <= p.done <= end)
        points = [begin, *done, end]
        return max(b - a for a, b in zip(points, points[1:]))
