#!/usr/bin/env python3
"""Tests of what bench.py computes; the figures themselves are its business."""

import pathlib
import unittest

import clients
import disk
import procfs
import report

CSV = ('"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"\n'
       '"SET","5612.20","8.8","1.2","8.5","12.1","19.9","40.0"\n')


def run(ops_per_s, p50=1.0):
    return {"ops_per_s": ops_per_s, "p50_ms": p50, "p99_ms": 2.0, "ops": 1000, "all_ops": 1000, "seconds": 1.0, "load_before": 0.5,
            "disk": {"p50_ms": 0.4, "p99_ms": 1.5},
            "processes": {"kv-0": {"cpu_s": 0.5, "context_switches": 10, "fdatasyncs": 20, "entries": 100}}}


class ClientsTest(unittest.TestCase):
    def test_csv(self):
        result = clients.parse_benchmark_csv(CSV)
        self.assertEqual((result["ops_per_s"], result["p50_ms"], result["p99_ms"]), (5612.2, 8.5, 19.9))

    def test_csv_without_a_result_is_refused(self):
        with self.assertRaises(clients.NotMeasured):
            clients.parse_benchmark_csv(CSV.splitlines()[0] + "\n")

    def test_encode(self):
        self.assertEqual(clients.encode("SET", b"k", 12), b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n12\r\n")


class DiskTest(unittest.TestCase):
    def test_memory_is_refused(self):
        if disk.file_system("/dev/shm")[0] != "tmpfs":
            self.skipTest("/dev/shm is no tmpfs here")
        with self.assertRaisesRegex(disk.NotARealDisk, "tmpfs"):
            disk.require_real("/dev/shm")


class ProcfsTest(unittest.TestCase):
    def test_self(self):
        pid = int(pathlib.Path("/proc/self").resolve().name)
        self.assertTrue(procfs.running(pid))
        self.assertGreater(procfs.rss_bytes(pid), 2**20)
        self.assertGreaterEqual(procfs.sample(pid)["cpu_s"], 0)

    def test_nobody(self):
        self.assertFalse(procfs.running(2**22 + 1))


class ReportTest(unittest.TestCase):
    def test_median_run_is_one_that_happened(self):
        runs = [run(30), run(10), run(20)]
        self.assertIs(report.median_run(runs), runs[2])
        self.assertIs(report.median_run(runs[:2]), runs[1])
        self.assertIsNone(report.median_run([]))

    def test_musts_and_aims(self):
        speed = {"SET c=50": {"redis": [run(1000)], "kdb": [run(400)]},
                 "GET c=50": {"redis": [run(1000)], "kdb": [run(499)]},
                 "SET c=1": {"redis": [run(1000, p50=1.0)], "kdb": [run(300, p50=3.0)]}}
        verdicts = report.verdicts(report.compare(speed), {"kv_rss_mib": 512.1})
        self.assertEqual([(v["met_must"], v["met_aim"]) for v in verdicts],
                         [(True, False), (False, False), (True, None), (False, None)])

    def test_what_is_missing_is_neither_met_nor_missed(self):
        rows = report.compare({"SET c=50": {"redis": [run(1000)], "kdb": []}})
        self.assertIsNone(report.verdicts(rows, {})[0]["met_must"])

    def test_markdown(self):
        speed = {"SET c=50": {"redis": [run(1000)], "kdb": [run(400)]}}
        rows = report.compare(speed)
        about = {"quick": True, "date": "d", "commit": "c", "cpu": "x", "cores": 4, "kernel": "6", "rounds": 1, "seconds": 2,
                 "file_system": {"type": "ext4", "device": "/dev/vda"}, "redis": "Redis", "etcd": "etcd"}
        text = report.markdown({"about": about, "speed": speed, "not_measured": ["that"],
                                "verdicts": report.verdicts(rows, {"healthy_s": 2.5})}, rows)
        self.assertIn("not valid figures", text)
        self.assertIn(">= 0.35x ops/s: pass | >= 0.8x: FAIL", text)
        self.assertIn("kv-0 5.0", text)  # entries per fdatasync
        self.assertIn("| 2.5 s | <= 3 s | pass |", text)
        self.assertIn("- that", text)


if __name__ == "__main__":
    unittest.main()
