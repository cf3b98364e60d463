"""The files that the data programs of the peers read: the same as bench/image_file.cpp's."""

import os
import pathlib
import tempfile

import h5py
import numpy

ROWS, WIDTH, BATCH = 60_000, 784, 256
QUICK_ROWS = 1_024


def rows(sizes):
    return QUICK_ROWS if sizes.quick else ROWS


def path(kind, sizes):
    """Of `contiguous.h5`, or of `chunked.h5` (256 rows in a chunk): made once for all programs of a race."""
    count = rows(sizes)
    file = pathlib.Path(tempfile.gettempdir()) / f"images-{kind}-{count}.h5"
    if not file.exists():
        random = numpy.random.default_rng(0)
        x = random.random((count, WIDTH), dtype=numpy.float32)
        x[x < 0.8] = 0  # as images of ink are
        layout = {"chunks": (BATCH, WIDTH)} if kind == "chunked" else {}
        part = file.with_suffix(".part")
        with h5py.File(part, "w") as opened:
            opened.create_dataset("x", data=x, **layout)
            opened.create_dataset("y", data=random.integers(0, 10, count).astype(numpy.int64))
        os.replace(part, file)
    return file
