"""From raw runs to ratios, verdicts and Markdown."""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Target:
    """A figure's bounds. `most`: they are upper bounds, else lower ones."""

    must: float
    aim: float = None
    most: bool = False

    def met(self, value, bound):
        if value is None or bound is None:
            return None
        return value <= bound if self.most else value >= bound


# Point title -> bounds of ERaftKDB's ops/s over the other system's.
RATIOS = {
    "SET c=50": Target(0.35, 0.8),
    "GET c=50": Target(0.5, 0.8),
    "SET c=50 -P 16": Target(0.15, 0.5),
    "GET c=50 -P 16": Target(0.3, 0.5),
    "KV API put c=50": Target(4),
}
P50_RATIOS = {"SET c=1": Target(3, most=True)}
# names of footprint.summary and snapshot.summary -> (words, unit, bounds)
SINGLE = {
    "kv_rss_mib": ("RSS of the largest kv after 1,000,000 keys of 64 bytes", "MiB", Target(512, most=True)),
    "idle_connection_kib": ("memory of an idle client connection in the proxy", "KiB", Target(16, most=True)),
    "kill_one_s": ("kill -9 of the leader to writes served and replica ready", "s", Target(5, most=True)),
    "kill_all_s": ("kill -9 of all kv to writes served and replicas ready", "s", Target(5, most=True)),
    "snapshot_p99_ratio": ("SET p99 while a replica fetches a snapshot of 2 GiB, over that without", "x",
                           Target(2, most=True)),
    "snapshot_mb_per_s": ("the same snapshot's transfer, under load", "MB/s", Target(100)),
    "healthy_s": ("processes started to healthy", "s", Target(3, most=True)),
}


def median_run(runs):
    """The run with the median ops/s (the lower one of an even number), so that the figures shown belong together."""
    return sorted(runs, key=lambda run: run["ops_per_s"])[(len(runs) - 1) // 2] if runs else None


def _ratio(mine, other, key):
    return mine[key] / other[key] if mine and other else None


def compare(speed):
    """A row per point: the median runs, the ratio and what it is held against."""
    rows = []
    for title, by_system in speed.items():
        other = next(name for name in by_system if name != "kdb")
        theirs, ours = median_run(by_system[other]), median_run(by_system["kdb"])
        p50 = title in P50_RATIOS
        target = P50_RATIOS.get(title) or RATIOS.get(title)
        rows.append({"point": title, "other": other, "theirs": theirs, "ours": ours,
                     "ratio": _ratio(ours, theirs, "ops_per_s"), "p50_ratio": _ratio(ours, theirs, "p50_ms"),
                     "judged_by": "p50" if p50 else "ops/s", "target": target})
    return rows


def verdicts(rows, single):
    """Every figure that has a target."""
    judged = [(f"{row['point']}, {row['judged_by']} over {row['other']}", "x",
               row["p50_ratio"] if row["judged_by"] == "p50" else row["ratio"], row["target"])
              for row in rows if row["target"]]
    judged += [(words, unit, single.get(name), target) for name, (words, unit, target) in SINGLE.items() if name in single]
    return [{"figure": words, "unit": unit, "value": value, "must": target.must, "aim": target.aim,
             "upper_bound": target.most, "met_must": target.met(value, target.must),
             "met_aim": target.met(value, target.aim)} for words, unit, value, target in judged]


def _word(met):
    return {True: "pass", False: "FAIL", None: "-"}[met]


def _number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]


def _speed_table(rows):
    def cells(run):
        return [_number(run["ops_per_s"]), f"{run['p50_ms']:.2f} / {run['p99_ms']:.2f}"] if run else ["-", "-"]

    body = []
    for row in rows:
        target = row["target"]
        value = row["p50_ratio"] if row["judged_by"] == "p50" else row["ratio"]
        sign = "" if not target else "<= " if target.most else ">= "
        must = f"{sign}{target.must}x {row['judged_by']}: {_word(target.met(value, target.must))}" if target else "-"
        aim = f"{sign}{target.aim}x: {_word(target.met(value, target.aim))}" if target and target.aim else "-"
        ratio = f"{row['ratio']:.2f}x" if row["ratio"] else "-"
        p50 = f"{row['p50_ratio']:.2f}x" if row["p50_ratio"] else "-"
        body.append([row["point"], row["other"], *cells(row["theirs"]), *cells(row["ours"]), ratio, p50, must, aim])
    return _table(["point", "against", "its ops/s", "its p50 / p99 ms", "ERaftKDB ops/s", "p50 / p99 ms", "ops/s ratio",
                   "p50 ratio", "must", "aim"], body)


def _joined(processes, cell):
    cells = [f"{name} {cell(costs)}" for name, costs in processes.items() if cell(costs) is not None]
    return "; ".join(cells) or "-"


def _entries_per_sync(costs):
    if "entries" not in costs or not costs["fdatasyncs"]:
        return None
    return f"{costs['entries'] / costs['fdatasyncs']:.1f}"


def _cost_table(rows):
    body = []
    for row in rows:
        for name, run in ((row["other"], row["theirs"]), ("kdb", row["ours"])):
            if not run:
                continue
            costs, ops = run["processes"], run["all_ops"]
            cpu = sum(c["cpu_s"] for c in costs.values())
            body.append([
                row["point"], name, f"{ops:,}",
                _joined(costs, lambda c: f"{c['fdatasyncs']:,.0f}" if "fdatasyncs" in c else None),
                _joined(costs, _entries_per_sync),
                _joined(costs, lambda c, n=ops: f"{n / c['fdatasyncs']:.1f}" if c.get("fdatasyncs", 0) > 9 else None),
                f"{cpu:.1f} = " + _joined(costs, lambda c: f"{c['cpu_s']:.1f}"),
                f"{cpu / ops * 1e6:.0f}", f"{sum(c['context_switches'] for c in costs.values()) / ops:.2f}",
                f"{run['disk']['p50_ms']:.2f} / {run['disk']['p99_ms']:.2f}"])
    return _table(["point", "system", "ops", "fdatasyncs", "entries per fdatasync", "ops per fdatasync", "CPU s",
                   "CPU us/op", "context switches/op", "disk fdatasync p50 / p99 ms"], body)


def _single_table(verdict_rows):
    words = {words for words, _, _ in SINGLE.values()}
    body = [[v["figure"], f"{_number(v['value'])} {v['unit']}", f"{'<=' if v['upper_bound'] else '>='} {v['must']} {v['unit']}",
             _word(v["met_must"])] for v in verdict_rows if v["figure"] in words]
    return _table(["figure", "measured", "must", ""], body)


def _span(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f} - {max(values):.2f})" if values else "-"


def markdown(summary, rows):
    """The whole report."""
    about, verdict_rows = summary["about"], summary["verdicts"]
    lines = ["# ERaftKDB beside Redis and etcd", ""]
    if about["quick"]:
        lines += ["**--quick: 2-second points, one round, 100,000 keys in the memory part. For development; not valid figures.**", ""]
    runs = [run for by_system in summary["speed"].values() for runs in by_system.values() for run in runs]
    lines += [
        f"{about['date']}, commit {about['commit']}, {about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, "
        f"{about['file_system']['type']} on {about['file_system']['device']}. All on loopback of one machine.",
        f"{about['redis']}, appendfsync always. {about['etcd']}, 3 members, puts to the leader. ERaftKDB: 3 kv, 3 meta, "
        "1 proxy (kdbctl demo), default durability.",
        f"{about['rounds']} rounds in turn, {about['seconds']} s and more a point; each row shows the run with the median "
        "ops/s. redis-benchmark -r 100000 -d 64, or the compiled gRPC client; 100,000 keys there beforehand.",
        f"fdatasync of 500 B on the disk, median (lowest - highest) over all runs: p50 "
        f"{_span([run['disk']['p50_ms'] for run in runs])} ms, p99 {_span([run['disk']['p99_ms'] for run in runs])} ms.",
        f"Load average of the machine before a run: {_span([run['load_before'] for run in runs])}.", "",
        "## Speed", ""]
    lines += _speed_table(rows) + ["## Memory, time and snapshots", ""] + _single_table(verdict_rows)
    lines += ["## What each figure cost", ""] + _cost_table(rows)
    lines += [
        "fdatasyncs: kdb counts those of the raft log (RocksDB's flushes come on top), etcd those of its WAL (its backend's "
        "commits come on top). Redis exports none: write calls that were not replies, which is exact without pipelines.",
        "Entries are raft log entries; in ERaftKDB one carries a batch of commands, so ops per fdatasync says more. Redis "
        "has none. CPU is of the servers, not of the client.", ""]
    if summary["not_measured"]:
        lines += ["## Not measured", ""] + [f"- {failure}" for failure in summary["not_measured"]] + [""]
    return "\n".join(lines)
