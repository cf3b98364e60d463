"""Tasks of mpi4py.futures: rates, a single one's time, a tree. Run by bench/compare, on 3 ranks:

    mpirun -n 3 python -m mpi4py.futures futures_tasks.py

Futures are no arguments there, so the tree goes level by level, and there is no chain.
"""

import contextlib
import sys

import peer
from mpi4py.futures import MPIPoolExecutor

WORKERS = 2


def no_op(_=None):
    return None


def increment(number):
    return number + 1


def add(a, b):
    return a + b


def one_by_one(report, sizes, pool):
    def run():
        for future in [pool.submit(no_op) for _ in range(sizes.tasks)]:
            future.result()
    peer.rates(report, sizes, "tasks.one_by_one", "tasks/s", sizes.tasks, run)


def mapped(report, sizes, pool):
    for size in (100, 1000):
        def run():
            for _ in pool.map(no_op, range(sizes.mapped), chunksize=size):
                pass
        peer.rates(report, sizes, f"tasks.map.chunk{size}", "tasks/s", sizes.mapped, run)


def latency(report, sizes, pool):
    peer.round_trips(report, sizes, "latency.submit_get", lambda: pool.submit(increment, 0).result())


def tree(report, sizes, pool):
    def sum_up():
        level = list(pool.map(increment, range(sizes.tree_leaves)))
        while len(level) > 1:
            level = list(pool.map(add, level[::2], level[1::2]))
        assert level[0] == sizes.tree_leaves * (sizes.tree_leaves + 1) // 2
    peer.durations(report, sizes, "tree", "ms", 1e3, sum_up)


def idle(report, sizes, pool):
    peer.after_idle(report, sizes, lambda: pool.submit(no_op).result())


@contextlib.contextmanager
def cluster():
    with MPIPoolExecutor(WORKERS) as pool:
        pool.bootup()
        yield pool


if __name__ == "__main__":
    sys.exit(peer.main(["mpi4py"], cluster, {
        "one_by_one": one_by_one, "map": mapped, "latency": latency, "tree": tree, "idle": idle}))
