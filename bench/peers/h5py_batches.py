"""Batches of 256 rows with h5py alone, its own best ways. Run by bench/compare."""

import contextlib
import sys

import dataset_files
import h5py
import numpy
import peer

CACHE_BYTES = 1 << 28
BATCHES = 24  # shuffled ones are slow: the rate is the same for all of them


def sequential(file):
    with h5py.File(file) as opened:
        data = opened["x"]
        for first in range(0, len(data), dataset_files.BATCH):
            data[first:first + dataset_files.BATCH]


def shuffled(file):
    """A sorted list of rows for each batch, put back into the batch's order."""
    with h5py.File(file, rdcc_nbytes=CACHE_BYTES) as opened:
        data = opened["x"]
        order = numpy.random.default_rng(1).permutation(len(data))
        for first in range(0, min(BATCHES * dataset_files.BATCH, len(order)), dataset_files.BATCH):
            wanted = order[first:first + dataset_files.BATCH]
            by_row = numpy.argsort(wanted)
            back = numpy.empty_like(by_row)
            back[by_row] = numpy.arange(len(by_row))
            data[wanted[by_row]][back]


def batches(report, sizes, _):
    count = dataset_files.rows(sizes)
    for kind in ("contiguous", "chunked"):
        file = dataset_files.path(kind, sizes)
        peer.rates(report, sizes, f"loader.{kind}.sequential", "samples/s", count, lambda: sequential(file))
        peer.rates(report, sizes, f"loader.{kind}", "samples/s", min(BATCHES * dataset_files.BATCH, count),
                   lambda: shuffled(file))


if __name__ == "__main__":
    sys.exit(peer.main(["h5py", "numpy"], contextlib.nullcontext, {"batches": batches}))
