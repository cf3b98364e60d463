"""Calls of a Dask actor by one caller. Run by bench/compare."""

import sys

import peer
from dask_cluster import cluster


class Counter:
    def __init__(self):
        self.value = 0

    def increment(self):
        self.value += 1
        return self.value


def actors(report, sizes, client):
    counter = client.submit(Counter, actor=True).result()
    count = sizes.calls // 10

    def wait_for_each():
        for _ in range(count):
            counter.increment().result()

    def pipelined():
        for future in [counter.increment() for _ in range(count)]:
            future.result()

    peer.rates(report, sizes, "actor.one_by_one", "calls/s", count, wait_for_each)
    peer.rates(report, sizes, "actor.pipelined", "calls/s", count, pipelined)


if __name__ == "__main__":
    sys.exit(peer.main(["distributed"], cluster, {"actors": actors}))
