"""Shuffled batches of 256 rows by PyTorch's DataLoader over h5py, with two workers. Run by bench/compare."""

import contextlib
import sys

import dataset_files
import h5py
import peer
import torch
from torch.utils.data import DataLoader, Dataset

WORKERS = 2
BATCHES = 60


class Rows(Dataset):
    """One row at a time, each worker with a file of its own: faster than lists of rows here."""

    def __init__(self, file, count):
        self.file = file
        self.count = count
        self.opened = None

    def __len__(self):
        return self.count

    def __getitem__(self, row):
        if self.opened is None:
            self.opened = h5py.File(self.file, "r", rdcc_nbytes=1 << 28)
            self.x = self.opened["x"]
            self.y = self.opened["y"][:]
        return self.x[row], self.y[row]


def some_batches(rows, limit):
    for number, _ in enumerate(DataLoader(rows, batch_size=dataset_files.BATCH, shuffle=True, num_workers=WORKERS)):
        if number + 1 == limit:
            break


def batches(report, sizes, _):
    torch.set_num_threads(1)
    count = dataset_files.rows(sizes)
    limit = min(BATCHES, count // dataset_files.BATCH)
    for kind in ("contiguous", "chunked"):
        rows = Rows(dataset_files.path(kind, sizes), count)
        peer.rates(report, sizes, f"loader.{kind}", "samples/s", limit * dataset_files.BATCH,
                   lambda: some_batches(rows, limit))


if __name__ == "__main__":
    sys.exit(peer.main(["torch", "h5py"], contextlib.nullcontext, {"batches": batches}))
