"""Large and small objects of Ray: stored, got, passed to a task. Run by bench/compare."""

import sys
import time

import numpy
import peer
import ray
from ray_cluster import cluster


@ray.remote
def ends_of(array):
    return int(array[0]) + int(array[-1])


def values(report, sizes, _):
    array = numpy.ones(sizes.large_bytes, dtype=numpy.uint8)
    for i in range(-2, 10 if sizes.large_bytes > 1 << 20 else 1):
        measures = {}

        def timed(name, call):
            begin = time.perf_counter()
            result = call()
            measures[name] = time.perf_counter() - begin
            return result

        stored = timed("put", lambda: ray.put(array))
        got = timed("get", lambda: ray.get(stored))
        assert len(got) == len(array)
        timed("first", lambda: ray.get(ends_of.remote(stored)))
        timed("again", lambda: ray.get(ends_of.remote(stored)))
        del got
        del stored
        if i >= 0:
            report.add("value.put", "GB/s", len(array) / measures["put"] / 1e9)
            report.add("value.view", "us", measures["get"] / peer.MICRO)
            report.add("value.read.first", "us", measures["first"] / peer.MICRO)
            report.add("value.read.again", "us", measures["again"] / peer.MICRO)
    small = numpy.ones(1024, dtype=numpy.uint8)
    rounds = max(20, sizes.tasks // 20)
    for _ in range(2):
        begin = time.perf_counter()
        for _ in range(rounds):
            assert len(ray.get(ray.put(small))) == len(small)
        report.add("value.small", "us", (time.perf_counter() - begin) / rounds / peer.MICRO)


if __name__ == "__main__":
    sys.exit(peer.main(["ray", "numpy"], cluster, {"values": values}))
