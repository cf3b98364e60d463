#!/usr/bin/env python3
"""Files of h5py, netCDF4 and PyTables as data::Table reads them: by range, by row, in batches.

Runs in the Python that scripts/install-python-data has made: MUSTER_TEST_DATA_PYTHON.
"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PYTHON = os.environ.get("MUSTER_TEST_DATA_PYTHON", "")
try:
    import h5py
    import hdf5plugin
    import netCDF4
    import numpy as np
    import pandas as pd
except ImportError as error:
    if os.path.exists(PYTHON) and os.environ.get("MUSTER_TEST_DATA_INSIDE") != "1":
        os.environ["MUSTER_TEST_DATA_INSIDE"] = "1"
        os.execv(PYTHON, [PYTHON, *sys.argv])
    print(f"skipped: {error}; scripts/install-python-data installs what is needed")
    sys.exit(77)

PROGRAM = os.environ["TABLE_PROGRAM"]
PARALLEL = os.environ.get("PARALLEL_PROGRAM", "")
LAUNCHER = os.environ.get("MUSTER_TEST_MPIEXEC", "mpiexec -n").split()
ROWS = 101
WAYS = ("range", "gather", "batches")


class Foreign(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.random = np.random.default_rng(3)

    def read(self, file, column, how="range", **environment):
        done = subprocess.run([PROGRAM, file, column, how], text=True, capture_output=True, timeout=60,
                              env={**os.environ, **environment}, check=False)
        return done

    def expect(self, file, column, values, ways=WAYS, **environment):
        """The column is these values; returns how many chunks were decoded without HDF5."""
        values = np.asarray(values)
        if values.dtype.kind == "c":
            values = np.stack([values.real, values.imag], axis=-1).astype(np.float64)
        expected = values.reshape(len(values), -1)
        decoded = []
        for how in ways:
            done = self.read(file, column, how, **environment)
            self.assertEqual(done.returncode, 0, f"{column}: {done.stderr}")
            lines = done.stdout.splitlines()
            self.assertEqual(len(lines), len(values), column)
            as_type = expected.dtype.type if expected.dtype.kind in "iu" else np.float64
            got = np.array([[as_type(word) for word in line.split()] for line in lines])
            np.testing.assert_array_equal(got, expected.astype(as_type), f"{column} by {how}")
            decoded.append(int(done.stderr.split()[0]))
        return max(decoded)

    def values(self, kind, shape=(ROWS,)):
        kind = np.dtype(kind)
        if kind.kind == "b":
            return self.random.integers(0, 2, shape).astype(kind)
        if kind.kind in "iu":
            info = np.iinfo(kind)
            return self.random.integers(info.min, info.max, shape, dtype=kind.newbyteorder("="),
                                        endpoint=True).astype(kind)
        if kind.kind == "c":
            return (self.random.normal(size=shape) + 1j * self.random.normal(size=shape)).astype(kind)
        return self.random.normal(size=shape).astype(kind)

    def test_every_type_of_numpy_in_every_layout(self):
        kinds = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16", "?",
                 ">i2", ">i4", ">i8", ">u4", ">f2", ">f4", ">f8", ">c8", ">c16"]
        layouts = {"plain": {}, "chunks": {"chunks": (10, 3)}, "split": {"chunks": (7, 2)},
                   "gzip": {"chunks": (8, 3), "compression": "gzip", "shuffle": True, "fletcher32": True},
                   "lzf": {"chunks": (16, 3), "compression": "lzf"}}
        file = self.folder / "types.h5"
        wanted = {}
        with h5py.File(file, "w") as opened:
            for kind in kinds:
                for layout, options in layouts.items():
                    name = f"{layout}/{kind.replace('>', 'big_').replace('?', 'bool')}"
                    wanted[name] = self.values(kind, (ROWS, 3))
                    opened.create_dataset(name, data=wanted[name], **options)
        for name, values in wanted.items():
            decoded = self.expect(file, name, values, ways=("range", "batches"))
            if name.startswith(("gzip", "lzf")):
                self.assertGreater(decoded, 0, f"{name} was read by HDF5")

    def test_ranks_from_one_to_five(self):
        file = self.folder / "ranks.h5"
        with h5py.File(file, "w") as opened:
            for rank in range(1, 6):
                shape = (ROWS, 5, 4, 3, 2)[:rank]
                values = self.values("f4", shape)
                chunks = tuple(max(1, length // 2) for length in shape)
                opened.create_dataset(f"r{rank}", data=values, chunks=chunks, compression="gzip")
                opened.create_dataset(f"p{rank}", data=values)
                self.wanted = values
                opened.flush()
                for name in (f"r{rank}", f"p{rank}"):
                    copy = self.folder / f"{name}.h5"
                    with h5py.File(copy, "w") as single:
                        opened.copy(name, single)
                    self.expect(copy, name, values)

    def test_what_was_never_written_is_the_fill_value(self):
        file = self.folder / "fill.h5"
        with h5py.File(file, "w") as opened:
            for name, options in {"plain": {}, "chunked": {"chunks": (10,)},
                                  "gzip": {"chunks": (10,), "compression": "gzip"}}.items():
                opened.create_dataset(name, (ROWS,), "i4", fillvalue=-7, **options)[15:31] = np.arange(16)
        values = np.full(ROWS, -7)
        values[15:31] = np.arange(16)
        for name in ("chunked", "gzip", "plain"):
            self.expect(file, name, values)

    def test_a_dataset_that_grew(self):
        file = self.folder / "grew.h5"
        values = self.values("i4", (ROWS, 2))
        with h5py.File(file, "w") as opened:
            made = opened.create_dataset("x", (0, 2), "i4", maxshape=(None, 2), chunks=(9, 2))
            for first in range(0, ROWS, 10):
                made.resize((min(first + 10, ROWS), 2))
                made[first:first + 10] = values[first:first + 10]
        self.expect(file, "x", values)

    def test_filters_of_plugins(self):
        values = np.repeat(self.values("f4", (ROWS, 1)), 50, axis=1)
        known = {"lz4": hdf5plugin.LZ4(), "lz4_small": hdf5plugin.LZ4(nbytes=1024), "zstd": hdf5plugin.Zstd(),
                 "blosc": hdf5plugin.Blosc(cname="zstd", shuffle=hdf5plugin.Blosc.SHUFFLE),
                 "blosc_lz": hdf5plugin.Blosc(cname="blosclz")}
        unknown = {"bitshuffle": hdf5plugin.Bitshuffle()}
        file = self.folder / "plugins.h5"
        with h5py.File(file, "w") as opened:
            for name, options in {**known, **unknown}.items():
                opened.create_dataset(name, data=values, chunks=(25, 50), **options)
        for name in known:
            self.assertGreater(self.expect(file, name, values), 0, f"{name} was read by HDF5")
        for name in unknown:
            self.assertEqual(self.expect(file, name, values, ways=("range", "batches"),
                                         HDF5_PLUGIN_PATH=hdf5plugin.PLUGIN_PATH), 0)
            done = self.read(file, name, HDF5_PLUGIN_PATH=str(self.folder))
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"'{name}'", done.stderr)
            self.assertIn("HDF5 has no filter bitshuffle (number 32008)", done.stderr)
            self.assertIn("HDF5_PLUGIN_PATH", done.stderr)

    @unittest.skipUnless(h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP), "this h5py cannot write szip")
    def test_szip_is_left_to_hdf5(self):
        file = self.folder / "szip.h5"
        wanted = {kind: self.values(kind, (ROWS, 32)) for kind in ("i2", "i4", "u8", "f4", "f8")}
        with h5py.File(file, "w") as opened:
            for kind, values in wanted.items():
                opened.create_dataset(kind, data=values, chunks=(16, 32), compression="szip",
                                      compression_opts=("nn", 16))
        for kind, values in wanted.items():
            self.assertEqual(self.expect(file, kind, values), 0)

    def test_strings(self):
        file = self.folder / "strings.h5"
        texts = [f"sample {i} \u00e4" * (i % 3) for i in range(ROWS)]
        with h5py.File(file, "w") as opened:
            opened.create_dataset("any", data=texts, dtype=h5py.string_dtype())
            opened.create_dataset("fixed", data=np.array([text.encode() for text in texts]))
        for name in ("any", "fixed"):
            done = self.read(file, name)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout.split("\n")[:-1], texts)

    def test_compact_and_external_storage(self):
        values = self.values("i4")
        file = self.folder / "odd.h5"
        with h5py.File(file, "w") as opened:
            creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            creation.set_layout(h5py.h5d.COMPACT)
            space = h5py.h5s.create_simple((ROWS,))
            compact = h5py.h5d.create(opened.id, b"compact", h5py.h5t.STD_I32LE, space, creation)
            compact.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
            opened.create_dataset("external", data=values, external=[(str(self.folder / "raw"), 0, ROWS * 4)])
        for name in ("compact", "external"):
            self.expect(file, name, values)

    def test_a_file_with_a_user_block(self):
        values = self.values("f8")
        file = self.folder / "block.h5"
        with h5py.File(file, "w", userblock_size=512) as opened:
            opened.create_dataset("x", data=values)
        self.expect(file, "x", values)

    def test_virtual_datasets(self):
        parts = [self.values("f4", (rows, 6)) for rows in (20, 1, 40)]
        for number, values in enumerate(parts):
            with h5py.File(self.folder / f"part-{number}.h5", "w") as opened:
                opened.create_dataset("x", data=values, chunks=(1, 6), compression="gzip")
        whole = self.folder / "whole.h5"
        layout = h5py.VirtualLayout((61, 6), "f4")
        layout[:20] = h5py.VirtualSource("part-0.h5", "x", (20, 6))
        layout[20:21] = h5py.VirtualSource("part-1.h5", "x", (1, 6))
        layout[21:] = h5py.VirtualSource("part-2.h5", "x", (40, 6))
        some = h5py.VirtualLayout((30, 3), "f4")  # columns of others, and rows that nobody has
        some[5:25] = h5py.VirtualSource("part-0.h5", "x", (20, 6))[:, 2:5]
        with h5py.File(whole, "w") as opened:
            opened.create_virtual_dataset("x", layout)
            opened.create_virtual_dataset("some", some, fillvalue=-1)
        self.assertGreater(self.expect(whole, "x", np.concatenate(parts)), 0, "not taken apart")
        expected = np.full((30, 3), -1, "f4")
        expected[5:25] = parts[0][:, 2:5]
        self.expect(whole, "some", expected)

    @unittest.skipUnless(PARALLEL, "the parallel HDF5 was not found")
    def test_a_file_that_ranks_wrote_together(self):
        subprocess.run([*LAUNCHER, "3", PARALLEL, self.folder], check=True, capture_output=True, timeout=60)
        for name in ("plain.h5", "packed.h5"):
            with h5py.File(self.folder / name) as opened:
                columns = {key: opened[key][:] for key in ("group/x", "y")}
            for key, values in columns.items():
                self.expect(self.folder / name, key, values)

    def test_netcdf4(self):
        file = self.folder / "climate.nc"
        values = self.values("f4", (ROWS, 4, 5))
        with netCDF4.Dataset(file, "w") as opened:
            for name, length in {"time": None, "y": 4, "x": 5}.items():
                opened.createDimension(name, length)
            variable = opened.createVariable("temperature", "f4", ("time", "y", "x"), zlib=True,
                                             chunksizes=(10, 4, 5))
            variable[:] = values
        self.assertGreater(self.expect(file, "temperature", values), 0)

    def test_pandas_tables_are_refused_with_their_type(self):
        file = self.folder / "frame.h5"
        frame = pd.DataFrame({"a": range(10), "b": np.linspace(0, 1, 10)})
        frame.to_hdf(file, key="fixed", format="fixed")
        frame.to_hdf(file, key="table", format="table")
        done = self.read(file, "fixed/block0_values")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.read(file, "table/table")
        self.assertEqual(done.returncode, 1)
        self.assertIn("holds compound", done.stderr)

    def test_a_damaged_chunk_is_named_with_its_offset(self):
        file = self.folder / "damaged.h5"
        for options in ({"compression": "gzip"}, {"compression": "lzf"}, {"fletcher32": True}):
            with h5py.File(file, "w") as opened:
                made = opened.create_dataset("x", data=self.values("f8", (ROWS, 50)), chunks=(10, 50), **options)
                place = made.id.get_chunk_info(4).byte_offset
                size = made.id.get_chunk_info(4).size
            with open(file, "r+b") as raw:
                raw.seek(place + size // 2)
                byte = raw.read(1)[0]
                raw.seek(place + size // 2)
                raw.write(bytes([byte ^ 0xff, 0, 0]))
            done = self.read(file, "x", "batches")
            if done.returncode == 0:
                self.assertEqual(options, {"compression": "lzf"}, "LZF has no checksum of its own")
                continue
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(f"a chunk of dataset 'x' at offset {place} of '{file}' is damaged", done.stderr)


if __name__ == "__main__":
    unittest.main()
