"""What the peers' programs share: options, timing, and a report shaped like bench/report.hpp's."""

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time

import harness
import process_tree

MICRO = 1e-6


class Sizes:
    """How much of everything to do; the same as bench/core.cpp's."""

    def __init__(self, quick, repetitions):
        self.quick = quick
        self.repetitions = 1 if quick else repetitions
        self.tasks = 200 if quick else 10_000
        self.mapped = 2_000 if quick else 1_000_000
        self.round_trips = 50 if quick else 500
        self.chain = 50 if quick else 1_000
        self.tree_leaves = 16 if quick else 1_024  # 2,047 tasks
        self.calls = 200 if quick else 10_000
        self.idle_seconds = 0.1 if quick else 3.0
        self.settle_seconds = 0.1 if quick else 3.0
        self.pause_seconds = 0.01 if quick else 1.0
        self.pauses = 2 if quick else 10
        self.large_bytes = 1 << 20 if quick else 100 << 20

    def each(self):
        return range(self.repetitions)


class Report:
    def __init__(self):
        self.machine = {"python": platform.python_version()}
        self.measures = {}

    def add(self, name, unit, *samples):
        self.measures.setdefault(name, (unit, []))[1].extend(samples)

    def text(self):
        measures = [harness.measure(name, unit, samples) for name, (unit, samples) in self.measures.items()]
        return json.dumps({"machine": self.machine, "measures": measures})


def seconds(function):
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def rates(report, sizes, name, unit, count, function):
    """`function` does `count` things; once beforehand, to warm up."""
    function()
    for _ in sizes.each():
        report.add(name, unit, count / seconds(function))


def durations(report, sizes, name, unit, factor, function):
    """`function` in seconds times `factor`; once beforehand, to warm up."""
    function()
    for _ in sizes.each():
        report.add(name, unit, seconds(function) * factor)


def round_trips(report, sizes, name, function):
    """Median and 99th percentile of single calls."""
    for _ in range(sizes.round_trips // 10):
        function()
    for _ in sizes.each():
        times = sorted(seconds(function) / MICRO for _ in range(sizes.round_trips))
        report.add(name + ".median", "us", statistics.median(times))
        report.add(name + ".p99", "us", times[round(0.99 * (len(times) - 1))])


def after_idle(report, sizes, function):
    """The same once after each pause."""
    function()
    for _ in range(sizes.pauses):
        time.sleep(sizes.pause_seconds)
        report.add("latency.after_idle", "us", seconds(function) / MICRO)


def idle_cluster(report, sizes):
    """Memory and CPU time of this process and all below it, with nothing to do."""
    time.sleep(sizes.settle_seconds)
    processes = [os.getpid(), *process_tree.descendants(os.getpid())]
    memory = [process_tree.memory_mib(pid) for pid in processes]
    report.add("memory.private.largest", "MiB", max(private for private, _ in memory))
    report.add("memory.private.all", "MiB", sum(private for private, _ in memory))
    report.add("memory.pss.all", "MiB", sum(pss for _, pss in memory))
    before, begin = process_tree.cpu_seconds(processes), time.perf_counter()
    time.sleep(sizes.idle_seconds)
    after, end = process_tree.cpu_seconds(processes), time.perf_counter()
    shares = [100 * (after[pid] - before[pid]) / (end - begin) for pid in after if pid in before]
    report.add("idle.cpu.largest", "%", max(shares))
    report.add("idle.cpu.all", "%", sum(shares))


def main(packages, cluster, measures):
    """Runs the chosen `measures` (group -> function of report, sizes and cluster) of this program.

    `cluster` is a context manager's function: it starts what the functions need, and ends it.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it work at all?")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--only", choices=measures, help="one group of measures (default: all)")
    options = parser.parse_args()
    # The report has standard output for itself, whatever a library prints there.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    report, sizes = Report(), Sizes(options.quick, options.repetitions)
    for package in packages:
        report.machine[package] = importlib.metadata.version(package)
    with cluster() as started:
        for name in [options.only] if options.only else measures:
            measures[name](report, sizes, started)
    print(report.text(), file=output, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit("peer.py is what the programs beside it share")
