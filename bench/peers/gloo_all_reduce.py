"""all_reduce of torch.distributed with gloo, between two processes. Run by bench/compare.

The sizes and the way of measuring are those of bench/all_reduce_sizes.hpp and mpi_allreduce.cpp.
"""

import contextlib
import os
import statistics
import sys
import tempfile

os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")

import peer
import torch
import torch.distributed as distributed
import torch.multiprocessing as multiprocessing

RANKS = 2
WARM_UP = 3
MIB = 1 << 20
SIZES = [("4KiB", 4096, 500), ("1MiB", MIB, 100), ("25MiB", 25 * MIB, 15), ("100MiB", 100 * MIB, 7)]


def time_calls(data, calls):
    """Milliseconds of each call, on the slowest rank."""
    distributed.barrier()
    times = [peer.seconds(lambda: distributed.all_reduce(data)) * 1e3 for _ in range(calls)]
    slowest = torch.tensor(times, dtype=torch.float64)
    distributed.all_reduce(slowest, op=distributed.ReduceOp.MAX)
    return slowest.tolist()


def measure(rank, meeting, quick, repetitions, results):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=RANKS)
    for name, size, calls in SIZES:
        data = torch.ones((4096 if quick else size) // 4)
        distributed.all_reduce(data)
        assert data[0] == data[-1] == RANKS
        data.zero_()  # sums of zeros stay what they are, however many
        time_calls(data, WARM_UP)
        medians = [statistics.median(time_calls(data, 5 if quick else calls)) for _ in range(repetitions)]
        if rank == 0:
            results.put((name, medians))
    distributed.barrier()
    distributed.destroy_process_group()


def all_reduce(report, sizes, meeting):
    results = multiprocessing.get_context("spawn").SimpleQueue()
    ranks = multiprocessing.spawn(measure, (meeting, sizes.quick, sizes.repetitions, results), nprocs=RANKS,
                                  join=False)
    while not ranks.join():
        pass
    for _ in SIZES:
        name, medians = results.get()
        report.add(f"all_reduce.{name}", "ms", *medians)


@contextlib.contextmanager
def cluster():
    with tempfile.TemporaryDirectory() as folder:
        yield os.path.join(folder, "meeting")


if __name__ == "__main__":
    sys.exit(peer.main(["torch"], cluster, {"all_reduce": all_reduce}))
