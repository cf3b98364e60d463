"""Tasks of Ray: rates, a single one's time, dependent ones. Run by bench/compare."""

import sys

import peer
import ray
from ray_cluster import cluster


@ray.remote
def no_op():
    return None


@ray.remote
def no_ops(numbers):
    return [None for _ in numbers]


@ray.remote
def increment(number):
    return number + 1


@ray.remote
def add(a, b):
    return a + b


def one_by_one(report, sizes, _):
    peer.rates(report, sizes, "tasks.one_by_one", "tasks/s", sizes.tasks,
               lambda: ray.get([no_op.remote() for _ in range(sizes.tasks)]))


def mapped(report, sizes, _):
    numbers = list(range(sizes.mapped))
    for size in (100, 1000):
        chunks = range(0, len(numbers), size)
        peer.rates(report, sizes, f"tasks.map.chunk{size}", "tasks/s", sizes.mapped,
                   lambda: ray.get([no_ops.remote(numbers[i:i + size]) for i in chunks]))


def latency(report, sizes, _):
    peer.round_trips(report, sizes, "latency.submit_get", lambda: ray.get(increment.remote(0)))


def chain(report, sizes, _):
    def hops():
        last = increment.remote(0)
        for _ in range(sizes.chain - 1):
            last = increment.remote(last)
        assert ray.get(last) == sizes.chain
    peer.durations(report, sizes, "chain.at_once", "us/hop", 1 / peer.MICRO / sizes.chain, hops)


def tree(report, sizes, _):
    def sum_up():
        level = [increment.remote(i) for i in range(sizes.tree_leaves)]
        while len(level) > 1:
            level = [add.remote(a, b) for a, b in zip(level[::2], level[1::2])]
        assert ray.get(level[0]) == sizes.tree_leaves * (sizes.tree_leaves + 1) // 2
    peer.durations(report, sizes, "tree", "ms", 1e3, sum_up)


if __name__ == "__main__":
    sys.exit(peer.main(["ray"], cluster, {
        "one_by_one": one_by_one, "map": mapped, "latency": latency, "chain": chain, "tree": tree}))
