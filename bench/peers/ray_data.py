"""Pipelines of Ray Data: map_batches over 1 GiB in its store, shuffled batches of a file. Run by bench/compare."""

import logging
import sys

import dataset_files
import h5py
import numpy
import peer
import ray
from ray_cluster import cluster

TENSOR = 1024  # int64 in a row
BLOCKS = 16


def quiet():
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def plus_one(batch):
    return {"data": batch["data"] + 1}


def map_batches(report, sizes, _):
    quiet()
    total = 1 << 24 if sizes.quick else 1 << 30
    rows = total // (8 * TENSOR)
    stored = ray.data.from_numpy([numpy.ones((rows // BLOCKS, TENSOR), numpy.int64) for _ in range(BLOCKS)]).materialize()

    def through():
        for _ in stored.map_batches(plus_one, batch_size=1024, batch_format="numpy").iter_batches(
                batch_size=1024, batch_format="numpy"):
            pass

    peer.rates(report, sizes, "map_batches", "GB/s", rows // BLOCKS * BLOCKS * TENSOR * 8 / 1e9, through)


def shuffle_batches(report, sizes, _):
    quiet()
    count = dataset_files.rows(sizes)
    file = str(dataset_files.path("contiguous", sizes))

    def read(part):
        first, end = int(part["first"][0]), int(part["end"][0])
        with h5py.File(file) as opened:
            return {"x": opened["x"][first:end]}

    def through():
        step = count // BLOCKS
        parts = [{"first": i * step, "end": (i + 1) * step} for i in range(BLOCKS)]
        pipeline = ray.data.from_items(parts, override_num_blocks=BLOCKS).map_batches(
            read, batch_size=1, batch_format="numpy")
        seen = 0
        for batch in pipeline.random_shuffle(seed=0).iter_batches(
                batch_size=dataset_files.BATCH, batch_format="numpy"):
            seen += len(batch["x"])
        assert seen == step * BLOCKS

    peer.rates(report, sizes, "shuffle_batches", "samples/s", count, through)


if __name__ == "__main__":
    sys.exit(peer.main(["ray", "h5py"], cluster, {"map_batches": map_batches, "shuffle_batches": shuffle_batches}))
