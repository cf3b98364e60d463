"""Calls of a Ray actor by one caller. Run by bench/compare."""

import sys

import peer
import ray
from ray_cluster import cluster


@ray.remote(num_cpus=1)
class Counter:
    def __init__(self):
        self.value = 0

    def increment(self):
        self.value += 1
        return self.value


def actors(report, sizes, _):
    counter = Counter.remote()

    def wait_for_each():
        for _ in range(sizes.calls // 10):
            ray.get(counter.increment.remote())

    peer.rates(report, sizes, "actor.one_by_one", "calls/s", sizes.calls // 10, wait_for_each)
    peer.rates(report, sizes, "actor.pipelined", "calls/s", sizes.calls,
               lambda: ray.get([counter.increment.remote() for _ in range(sizes.calls)]))


if __name__ == "__main__":
    sys.exit(peer.main(["ray"], cluster, {"actors": actors}))
