"""Tasks of Dask: rates, a single one's time, dependent ones. Run by bench/compare.

2,000 tasks one by one instead of 10,000, and mapped instead of 1,000,000: the rates are the
same, and a round would take minutes otherwise.
"""

import sys

import peer
from dask_cluster import cluster


def no_op(_=None):
    return None


def increment(number):
    return number + 1


def add(a, b):
    return a + b


def one_by_one(report, sizes, client):
    count = sizes.tasks // 5
    peer.rates(report, sizes, "tasks.one_by_one", "tasks/s", count,
               lambda: client.gather([client.submit(no_op, pure=False) for _ in range(count)]))


def mapped(report, sizes, client):
    count = sizes.mapped // 500
    peer.rates(report, sizes, "tasks.map", "tasks/s", count,
               lambda: client.gather(client.map(no_op, range(count), pure=False)))


def latency(report, sizes, client):
    peer.round_trips(report, sizes, "latency.submit_get",
                     lambda: client.submit(increment, 0, pure=False).result())


def chain(report, sizes, client):
    def hops():
        last = client.submit(increment, 0, pure=False)
        for _ in range(sizes.chain - 1):
            last = client.submit(increment, last, pure=False)
        assert last.result() == sizes.chain
    peer.durations(report, sizes, "chain.at_once", "us/hop", 1 / peer.MICRO / sizes.chain, hops)


def tree(report, sizes, client):
    def sum_up():
        level = [client.submit(increment, i, pure=False) for i in range(sizes.tree_leaves)]
        while len(level) > 1:
            level = [client.submit(add, a, b, pure=False) for a, b in zip(level[::2], level[1::2])]
        assert level[0].result() == sizes.tree_leaves * (sizes.tree_leaves + 1) // 2
    peer.durations(report, sizes, "tree", "ms", 1e3, sum_up)


if __name__ == "__main__":
    sys.exit(peer.main(["distributed"], cluster, {
        "one_by_one": one_by_one, "map": mapped, "latency": latency, "chain": chain, "tree": tree}))
