"""Mean of a file with dask.array, groups of a table with dask.dataframe. Run by bench/compare.

Both in threads of this process, which is faster here than Dask's worker processes.
"""

import contextlib
import sys

import dask
import dask.array
import dask.dataframe
import dataset_files
import h5py
import numpy
import pandas
import peer

WORKERS = 2
KEYS = 1000


def mean(report, sizes, _):
    with h5py.File(dataset_files.path("contiguous", sizes)) as opened:
        array = dask.array.from_array(opened["x"], chunks=(4096, dataset_files.WIDTH))
        size = array.size * 4 / 1e9
        peer.rates(report, sizes, "mean", "GB/s", size,
                   lambda: array.mean().compute(scheduler="threads", num_workers=WORKERS))


def group_by(report, sizes, _):
    count = 20_000 if sizes.quick else 20_000_000
    random = numpy.random.default_rng(0)
    table = pandas.DataFrame({"key": random.integers(0, KEYS, count), "value": random.random(count)})
    stored = dask.dataframe.from_pandas(table, npartitions=2 * WORKERS).persist(scheduler="threads")
    del table
    peer.rates(report, sizes, "group_by", "Mrows/s", count / 1e6, lambda: stored.groupby("key").value.agg(
        ["count", "mean", "max"]).compute(scheduler="threads", num_workers=WORKERS))


if __name__ == "__main__":
    sys.exit(peer.main(["dask", "h5py"], contextlib.nullcontext, {"mean": mean, "group_by": group_by}))
