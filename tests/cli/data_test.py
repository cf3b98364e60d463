#!/usr/bin/env python3
"""`muster data` with files of h5py, netCDF4, pandas, PyTables and NumPy, read and written.

Runs in the Python that scripts/install-python-data has made: MUSTER_TEST_DATA_PYTHON.
"""

import json
import os
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

PYTHON = os.environ.get("MUSTER_TEST_DATA_PYTHON", "")
try:
    import h5py
    import netCDF4
    import numpy as np
    import pandas as pd
    import hdf5plugin
except ImportError as error:
    if os.path.exists(PYTHON) and os.environ.get("MUSTER_TEST_DATA_INSIDE") != "1":
        os.environ["MUSTER_TEST_DATA_INSIDE"] = "1"
        os.execv(PYTHON, [PYTHON, *sys.argv])
    print(f"skipped: {error}; scripts/install-python-data installs what is needed")
    sys.exit(77)

sys.path.insert(0, str(Path(__file__).resolve().parent))
import harness  # noqa: E402

MUSTER = os.environ["MUSTER"]
PLUGINS = {"HDF5_PLUGIN_PATH": hdf5plugin.PLUGIN_PATH}


class Data(unittest.TestCase):
    """A folder to work in, and the command."""

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = Path(self.temporary.name)

    def path(self, name):
        return self.folder / name

    def muster(self, *words, code=0, **options):
        run = harness.run(MUSTER, "data", *words, **options)
        self.assertEqual(run.code, code, run)
        self.assertEqual(run.left_behind, [], run)
        if code != 0 and run.stderr:
            self.assertEqual(len(run.stderr.splitlines()), 1, run)
        return run

    def fails(self, *words, code=1, **options):
        """The error, a sentence."""
        return self.muster(*words, code=code, **options).stderr

    def columns(self, name, **options):
        page = json.loads(self.muster("inspect", "--json", self.path(name), **options).stdout)
        return {column["name"]: column for column in page["columns"]}

    def write(self, name, text):
        self.path(name).write_bytes(text.encode() if isinstance(text, str) else text)
        return self.path(name)


class Csv(Data):
    def convert(self, text, *options):
        self.muster("convert", self.write("in.csv", text), self.path("out.h5"), "--force", *options)
        return h5py.File(self.path("out.h5"))

    def test_types_are_found_out(self):
        with self.convert('id,name,x,ok,big\n1,"Ann, ""A""",1.5,true,18446744073709551615\n'
                          "2,Çelik,,FALSE,0\n") as file:
            self.assertEqual(file["id"].dtype, "int64")
            self.assertEqual(list(file["name"].asstr()[:]), ['Ann, "A"', "Çelik"])
            np.testing.assert_array_equal(file["x"][:], [1.5, np.nan])
            self.assertEqual(file["ok"].dtype, bool)
            self.assertEqual(list(file["ok"][:]), [True, False])
            self.assertEqual(list(file["big"][:]), [2**64 - 1, 0])

    def test_types_are_given(self):
        with self.convert("a,b,c,d\n1,2,x,1\n-3,4,yz,0\n", "-t", "a=int8", "-t", "b=float32", "-t", "c=string4", "-t",
                          "d=bool") as file:
            self.assertEqual([file[name].dtype for name in "abcd"], ["int8", "float32", "S4", bool])
            self.assertEqual(list(file["c"][:]), [b"x", b"yz"])

    def test_columns_are_joined(self):
        with self.convert("label,p0,p1,p2\n7,1,2,3\n8,4,5,6.5\n", "--join", "pixels=p0:p2") as file:
            self.assertEqual(sorted(file), ["label", "pixels"])
            np.testing.assert_array_equal(file["pixels"][:], [[1, 2, 3], [4, 5, 6.5]])

    def test_without_a_header_and_with_tabs(self):
        with self.convert("1\t2\n3\t4\n", "--no-header", "--delimiter", "tab") as file:
            self.assertEqual(list(file["c1"][:]), [2, 4])

    def test_what_pandas_writes(self):
        frame = pd.DataFrame({"i": range(20_000), "x": np.linspace(0, 1, 20_000),
                              "s": [f'a "{i}"\n,' for i in range(20_000)]})
        frame.to_csv(self.path("p.csv"), index=False)
        self.muster("convert", self.path("p.csv"), self.path("p.h5"))
        with h5py.File(self.path("p.h5")) as file:
            np.testing.assert_array_equal(file["x"][:], frame["x"])
            self.assertEqual(list(file["s"].asstr()[:]), list(frame["s"]))

    def test_several_files_follow_one_another(self):
        self.write("a.csv", "x,y\n1,a\n2,b\n")
        self.write("b.csv", "x,y\n3,c\n")
        self.muster("convert", self.path("a.csv"), self.path("b.csv"), self.path("ab.h5"))
        with h5py.File(self.path("ab.h5")) as file:
            self.assertEqual(list(file["x"][:]), [1, 2, 3])
            self.assertEqual(list(file["y"].asstr()[:]), ["a", "b", "c"])
        self.write("b.csv", "x,z\n3,c\n")
        self.assertIn("it has a column 'z'", self.fails("convert", self.path("a.csv"), self.path("b.csv"),
                                                        self.path("no.h5")))

    def test_mistakes_name_file_and_line(self):
        for text, sentence in (("a,b\n1,2\n3\n", "line 3: 1 fields, but the header has 2"),
                               ('a\n"b\n', "line 2: field 1 begins with a quote that never ends"),
                               ("a,a\n1,2\n", "there are two columns 'a'"), ("a,\n1,2\n", "column 2 has no name"),
                               ("", "is empty")):
            error = self.fails("convert", self.write("in.csv", text), self.path("no.h5"))
            self.assertIn(sentence, error)
            self.assertIn("in.csv'", error)
        error = self.fails("convert", self.write("in.csv", "a\n1\n300\n"), self.path("no.h5"), "-t", "a=int8")
        self.assertIn("line 3: column 'a': '300' is no int8", error)
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["in.csv"])


class Arrays(Data):
    def test_all_types_and_orders(self):
        random = np.random.default_rng(1)
        arrays = {name: random.integers(0, 100, (50, 3, 4)).astype(name)
                  for name in ("i1", "u1", "<i2", ">i2", "<u4", ">i8", "<f4", ">f8", "f2", "c8", ">c16")}
        arrays["bool"] = random.integers(0, 2, 50).astype(bool)
        arrays["bytes"] = np.array([b"abc", b"d"] * 25)
        arrays["text"] = np.array(["ü", "longer", "", "😀", "x"] * 10)
        arrays["big_text"] = arrays["text"].astype(">U6")
        arrays["fortran"] = np.asfortranarray(random.random((50, 5, 2)))
        for save, deflated in ((np.savez, False), (np.savez_compressed, True)):
            save(self.path("all.npz"), **arrays)
            self.muster("convert", self.path("all.npz"), self.path("all.h5"), "-f")
            with h5py.File(self.path("all.h5")) as file:
                self.assertEqual(set(file), set(arrays))
                for name, array in arrays.items():
                    found = file[name].asstr()[:] if array.dtype.kind == "U" else file[name][:]
                    np.testing.assert_array_equal(found, array, err_msg=f"{name} {deflated}")
                    if array.dtype.kind != "U":
                        self.assertEqual(found.dtype, array.dtype.newbyteorder("="))

    def test_arrays_become_columns_beside_one_another(self):
        np.save(self.path("x.npy"), np.arange(12.0).reshape(6, 2))
        np.save(self.path("y.npy"), np.arange(6))
        np.save(self.path("more.npy"), np.arange(12.0, 14.0).reshape(1, 2))
        self.muster("convert", f"x={self.path('x.npy')}", f"y={self.path('y.npy')}", self.path("xy.h5"))
        with h5py.File(self.path("xy.h5")) as file:
            self.assertEqual((file["x"].shape, file["y"].shape), ((6, 2), (6,)))
        self.muster("convert", f"x={self.path('x.npy')}", f"x={self.path('more.npy')}", self.path("xx.h5"))
        with h5py.File(self.path("xx.h5")) as file:
            np.testing.assert_array_equal(file["x"][:].ravel(), np.arange(14.0))
        error = self.fails("convert", f"x={self.path('more.npy')}", f"y={self.path('y.npy')}", self.path("no.h5"))
        self.assertIn("columns of one table need the same number", error)
        self.assertIn("images=a.npy labels=b.npy",
                      self.fails("convert", self.path("x.npy"), self.path("y.npy"), self.path("no.h5")))

    def test_raw_values(self):
        values = np.arange(2 * 28 * 28, dtype=">u2").reshape(2, 28, 28)
        self.write("images.idx", b"\0" * 16 + values.tobytes())
        self.muster("convert", "--raw", "uint16:28x28", "--skip", "16", "--big-endian",
                    f"images={self.path('images.idx')}", self.path("images.h5"))
        with h5py.File(self.path("images.h5")) as file:
            np.testing.assert_array_equal(file["images"][:], values)
        self.assertIn("check --raw and --skip", self.fails("convert", "--raw", "uint16:28x28", self.path("images.idx"),
                                                           self.path("no.h5")))

    def test_damaged_arrays_name_file_and_byte(self):
        np.save(self.path("x.npy"), np.arange(100))
        whole = self.path("x.npy").read_bytes()
        self.write("cut.npy", whole[:-1])
        self.assertRegex(self.fails("convert", self.path("cut.npy"), self.path("no.h5")),
                         r"cut.npy', byte \d+: the file ends before the last of its values; its shape is 100\n")
        np.save(self.path("objects.npy"), np.array([{}]), allow_pickle=True)
        self.assertIn("Python objects", self.fails("convert", self.path("objects.npy"), self.path("no.h5")))
        np.savez_compressed(self.path("x.npz"), a=np.arange(1000))
        packed = bytearray(self.path("x.npz").read_bytes())
        packed[200] ^= 0xFF
        self.write("bad.npz", bytes(packed))
        self.assertRegex(self.fails("convert", self.path("bad.npz"), self.path("no.h5")), r"bad.npz', byte \d+: 'a.npy'")
        self.assertIn("x.npz', byte", self.fails("convert", self.write("x.npz", packed[:300]), self.path("no.h5")))
        self.assertFalse(self.path("no.h5").exists())


def png(values):
    """An image file of values (height, width) or (height, width, 3), uint8 or uint16."""
    height, width = values.shape[:2]
    wide = values.dtype.itemsize == 2
    kind = 0 if values.ndim == 2 else 2
    rows = b"".join(b"\0" + row.astype(">u2" if wide else "u1").tobytes() for row in values)

    def piece(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    return (b"\x89PNG\r\n\x1a\n" + piece(b"IHDR", struct.pack(">IIBBBBB", width, height, 16 if wide else 8, kind, 0, 0, 0))
            + piece(b"IDAT", zlib.compress(rows)) + piece(b"IEND", b""))


class Images(Data):
    def setUp(self):
        super().setUp()
        version = harness.run(MUSTER, "--version").stdout
        if "stb    no" in version:
            self.skipTest("this muster was built without stb_image")
        self.random = np.random.default_rng(2)

    def image(self, name, *shape, dtype="u1"):
        values = self.random.integers(0, np.iinfo(dtype).max, shape, dtype=dtype)
        self.path(name).parent.mkdir(parents=True, exist_ok=True)
        self.write(name, png(values))
        return values

    def test_folders_are_labels(self):
        images = [self.image(f"in/{kind}/{i}.png", 5, 7, 3) for kind in ("cat", "dog") for i in range(3)]
        self.write("in/cat/notes.txt", "no image")
        self.muster("convert", self.path("in"), self.path("out.h5"))
        with h5py.File(self.path("out.h5")) as file:
            np.testing.assert_array_equal(file["images"][:], images)
            self.assertEqual(list(file["labels"][:]), [0, 0, 0, 1, 1, 1])
            self.assertEqual(list(file["labels"].attrs["names"]), ["cat", "dog"])

    def test_grey_and_wide_and_other_formats(self):
        wide = self.image("wide/a.png", 4, 6, dtype="u2")
        self.muster("convert", self.path("wide"), self.path("wide.h5"))
        with h5py.File(self.path("wide.h5")) as file:
            self.assertEqual(list(file), ["images"])
            np.testing.assert_array_equal(file["images"][0], wide)
        values = self.random.integers(0, 255, (2, 3), dtype="u1")
        self.path("grey").mkdir()
        self.write("grey/a.pgm", b"P5 3 2 255\n" + values.tobytes())
        self.write("grey/b.PNG", png(values))
        self.muster("convert", self.path("grey"), self.path("grey.h5"))
        with h5py.File(self.path("grey.h5")) as file:
            np.testing.assert_array_equal(file["images"][:], [values, values])

    def test_images_of_another_size_and_damaged_ones_are_named(self):
        self.image("in/a.png", 4, 6)
        self.image("in/b.png", 4, 5)
        self.assertIn("b.png' is 4 x 5 with 1 channel of 8 bits, but", self.fails("convert", self.path("in"),
                                                                                 self.path("no.h5")))
        self.write("in/b.png", self.path("in/a.png").read_bytes()[:60])
        self.assertIn("cannot read", self.fails("convert", self.path("in"), self.path("no.h5")))
        self.path("empty").mkdir()
        self.assertIn("has no images", self.fails("convert", self.path("empty"), self.path("no.h5")))


class Shards(Data):
    def setUp(self):
        super().setUp()
        self.x = np.random.default_rng(3).integers(0, 50, (1000, 20)).astype("f4")
        self.y = np.array([f"row {i}" for i in range(1000)])
        np.savez(self.path("t.npz"), x=self.x, y=self.y)

    def check(self, name):
        with h5py.File(self.path(name)) as file:
            np.testing.assert_array_equal(file["x"][:], self.x)
            np.testing.assert_array_equal(file["y"].asstr()[:], self.y)
            return [source.file_name for source in file["x"].virtual_sources()] if file["x"].is_virtual else []

    def test_shards_are_one_table_that_may_be_moved(self):
        self.path("here").mkdir()
        self.muster("convert", self.path("t.npz"), self.path("here/t.h5"), "--shards", "7", "--chunk-rows", "16",
                    "--compress", "deflate", "--level", "6", "--shuffle", "--checksum")
        self.assertEqual(len(self.check("here/t.h5")), 7)
        self.path("here").rename(self.path("there"))
        self.assertEqual(len(self.check("there/t.h5")), 7)
        x = self.columns("there/t.h5")["x"]
        self.assertEqual((x["layout"], x["chunk"], x["missing"]), ("virtual", [16, 20], []))
        self.assertEqual([each["name"] for each in x["filters"]], ["shuffle", "deflate", "fletcher32"])
        self.assertLess(x["stored_bytes"], x["plain_bytes"])

    def test_resharding(self):
        self.muster("convert", self.path("t.npz"), self.path("t.h5"), "--chunk-rows", "16", "--compress", "deflate")
        for options, files in ((["--shards", "3"], 3), (["--shard-rows", "300"], 4), ([], 0)):
            self.muster("reshard", self.path("t.h5"), self.path("u.h5"), "--force", *options)
            self.assertEqual(len(self.check("u.h5")), files)
            self.assertEqual(self.columns("u.h5")["x"]["chunk"], [16, 20])
        self.muster("reshard", self.path("t.h5"), self.path("u.h5"), "-f", "--compress", "none", "--chunk-rows", "100")
        x = self.columns("u.h5")["x"]
        self.assertEqual((x["chunk"], x["filters"]), ([100, 20], []))
        self.muster("reshard", self.path("t.h5"), self.path("t.h5"), self.path("twice.h5"), "-c", "x")
        with h5py.File(self.path("twice.h5")) as file:
            np.testing.assert_array_equal(file["x"][:], np.concatenate([self.x, self.x]))

    def test_more_shards_than_rows(self):
        np.save(self.path("y.npy"), np.arange(3))
        self.muster("convert", self.path("y.npy"), self.path("y.h5"), "--shards", "5")
        self.muster("verify", self.path("y.h5"))
        with h5py.File(self.path("y.h5")) as file:
            self.assertEqual(list(file["y"][:]), [0, 1, 2])
        self.assertEqual(len(list(self.path("y.h5.shards").iterdir())), 3, "empty ones are not kept")

    def test_many_shards_need_few_descriptors(self):
        self.muster("convert", self.path("t.npz"), self.path("t.h5"), "--shards", "60")
        for command in ("verify t.h5", "inspect t.h5", "reshard t.h5 u.h5"):
            run = subprocess.run(["sh", "-c", f"ulimit -n 40; exec {MUSTER} data {command}"], cwd=self.folder,
                                 capture_output=True, text=True, timeout=60)
            self.assertEqual((run.returncode, run.stderr), (0, ""), command)
        self.check("u.h5")

    def test_in_place_while_somebody_reads(self):
        self.muster("convert", self.path("t.npz"), self.path("t.h5"), "--shards", "2")
        with h5py.File(self.path("t.h5")) as before:
            self.muster("reshard", self.path("t.h5"), self.path("t.h5"), "-f", "--shards", "5")
            np.testing.assert_array_equal(before["x"][:], self.x)
        self.assertEqual(len(self.check("t.h5")), 5)
        self.muster("reshard", self.path("t.h5"), self.path("t.h5"), "-f", "--shards", "2")
        self.assertEqual(len(list(self.path("t.h5.shards").iterdir())), 7, "the version before stays, older ones go")
        self.muster("verify", self.path("t.h5"))

    def test_filters_of_plugins(self):
        for codec in ("lz4", "zstd", "blosc"):
            self.assertIn(f"no filter for {codec}", self.fails("convert", self.path("t.npz"), self.path("no.h5"),
                                                               "--compress", codec,
                                                               environment={"HDF5_PLUGIN_PATH": str(self.folder)}))
            self.muster("convert", self.path("t.npz"), self.path(f"{codec}.h5"), "--compress", codec, "--shuffle",
                        environment=PLUGINS)
            self.check(f"{codec}.h5")
            self.assertIn(codec, [each["name"] for each in self.columns(f"{codec}.h5")["x"]["filters"]])
            self.muster("verify", self.path(f"{codec}.h5"), environment=PLUGINS)

    def test_a_table_that_exists_is_not_touched(self):
        self.write("t.h5", "precious")
        self.assertIn("--force", self.fails("convert", self.path("t.npz"), self.path("t.h5")))
        self.assertEqual(self.path("t.h5").read_text(), "precious")

    def test_mistakes_of_the_command_line(self):
        for words in (["convert"], ["convert", "a.csv"], ["reshard", "a.h5"], ["inspect"], ["verify"],
                      ["convert", "a.txt", "b.h5"], ["convert", "a.npy", "b.h5", "--shards", "0"],
                      ["convert", "a.npy", "b.h5", "--shards", "2", "--shard-rows", "2"],
                      ["convert", "a.npy", "b.h5", "--level", "2"], ["convert", "a.npy", "b.h5", "--compress", "zip"],
                      ["convert", "--raw", "uint9", "a", "b.h5"], ["convert", "--skip", "3", "a.npy", "b.h5"],
                      ["convert", "-t", "x", "a.csv", "b.h5"], ["convert", "--join", "x=a", "a.csv", "b.h5"],
                      ["convert", "x=a.csv", "b.h5"]):
            self.fails(*words, code=2)


class Foreign(Data):
    """What others have written is looked at, verified and copied."""

    def copy(self, name, *options):
        self.muster("verify", self.path(name))
        self.muster("reshard", self.path(name), self.path("copy.h5"), "-f", "--shards", "2", *options)
        return h5py.File(self.path("copy.h5"))

    def test_h5py(self):
        with h5py.File(self.path("a.h5"), "w") as file:
            file.create_dataset("b", data=[True, False, True], chunks=(2,))
            file.create_dataset("c", data=np.array([1 + 2j, 3, 4j]))
            file.create_dataset("g/s", data=["a", "ü", ""], dtype=h5py.string_dtype())
            file.create_dataset("f", data=np.array([b"ab", b"c", b""]))
            file.create_dataset("h", data=np.arange(3, dtype="f2"), chunks=(3,), fletcher32=True)
            file.create_dataset("big", data=np.arange(6, dtype=">i4").reshape(3, 2), compression="gzip", shuffle=True)
            file["big"].attrs.update({"units": "m", "scale": 0.5, "range": [0, 5], "odd": np.complex64(1)})
        big = self.columns("a.h5")["big"]
        self.assertTrue(big["swapped"])
        self.assertEqual(big["attributes"], {"units": "m", "scale": 0.5, "range": [0, 5]})
        self.assertIn("big.odd, of another kind", self.muster("inspect", self.path("a.h5")).stdout)
        with self.copy("a.h5") as copy, h5py.File(self.path("a.h5")) as file:
            for name in ("b", "c", "g/s", "f", "h", "big"):
                np.testing.assert_array_equal(copy[name][:], file[name][:], err_msg=name)
            self.assertEqual(copy["big"].attrs["units"], "m")
            self.assertEqual(copy["b"].dtype, bool)

    def test_netcdf4(self):
        with netCDF4.Dataset(self.path("a.nc"), "w") as file:
            file.createDimension("time", None)
            file.createDimension("x", 4)
            file.createVariable("t", "f4", ("time", "x"), zlib=True, complevel=3)[:] = np.arange(40).reshape(10, 4)
            file.createVariable("time", "i8", ("time",))[:] = np.arange(10)
            file["t"].units = "K"
            file.title = "a test"
        self.assertEqual(self.columns("a.nc")["t"]["attributes"]["units"], "K")
        with self.copy("a.nc", "-c", "t", "-c", "time") as copy:
            np.testing.assert_array_equal(copy["t"][:], np.arange(40).reshape(10, 4))
            self.assertEqual((copy.attrs["title"], copy["t"].attrs["units"]), ("a test", "K"))
        with netCDF4.Dataset(self.path("copy.h5")) as copy:
            self.assertEqual(copy["t"].shape, (10, 4))

    def test_pandas_and_pytables(self):
        frame = pd.DataFrame({"a": np.arange(5), "b": np.arange(5) / 2})
        frame.to_hdf(self.path("a.h5"), key="frame", format="table")
        columns = self.columns("a.h5")
        self.assertEqual(columns["frame/table"]["type"], "unsupported")
        self.assertIn("which cannot be copied as a column", self.fails("reshard", self.path("a.h5"), self.path("b.h5"), "-c",
                                                                       "frame/table"))
        frame.to_hdf(self.path("b.h5"), key="frame", format="fixed")
        with self.copy("b.h5", "-c", "frame/block0_values") as copy:
            np.testing.assert_array_equal(copy["frame/block0_values"][:].ravel(), frame["b" if copy[
                "frame/block0_values"].dtype.kind == "f" else "a"])

    def test_datasets_of_different_lengths_are_no_table(self):
        with h5py.File(self.path("a.h5"), "w") as file:
            file["x"], file["y"], file["scalar"] = np.arange(3), np.arange(4), 5
        self.assertIn("no table", self.muster("inspect", self.path("a.h5")).stdout)
        self.assertIn("has 3 rows but 'y' has 4", self.fails("reshard", self.path("a.h5"), self.path("b.h5")))
        self.muster("reshard", self.path("a.h5"), self.path("b.h5"), "-c", "y")

    def test_advice(self):
        with h5py.File(self.path("a.h5"), "w") as file:
            file.create_dataset("cut", shape=(100, 64, 64), chunks=(10, 32, 32), dtype="f4")
            file.create_dataset("large", shape=(100_000, 100), chunks=(50_000, 100), dtype="f4")
            file.create_dataset("small", shape=(100_000, 100), chunks=(1, 100), dtype="f4")
            file.create_dataset("plain", data=np.zeros((100_000, 100), "f4"))
            file.create_dataset("good", shape=(100_000, 100), chunks=(2500, 100), dtype="f4")
        columns = self.columns("a.h5")
        for name, words in (("cut", "each row into 4 pieces"), ("large", "--chunk-rows 2621"), ("small", "400 bytes only"),
                            ("plain", "in one piece")):
            self.assertIn(words, columns[name]["advice"][0], name)
        self.assertEqual(columns["good"]["advice"], [])


class Damage(Data):
    def setUp(self):
        super().setUp()
        np.savez(self.path("t.npz"), x=np.random.default_rng(4).random((1000, 10)), y=np.arange(1000))
        self.muster("convert", self.path("t.npz"), self.path("t.h5"), "--shards", "2", "--chunk-rows", "100", "--checksum")
        self.shards = sorted(self.path("t.h5.shards").iterdir())

    def verify(self):
        page = json.loads(self.muster("verify", "--json", self.path("t.h5"), code=1).stdout)
        return page["damages"]

    def test_a_changed_byte_is_found_at_its_chunk(self):
        with h5py.File(self.shards[1]) as file:
            info = file["x"].id.get_chunk_info(3)
        content = bytearray(self.shards[1].read_bytes())
        content[info.byte_offset + 17] ^= 1
        self.shards[1].write_bytes(content)
        damage, = self.verify()
        self.assertEqual((damage["file"], damage["dataset"], damage["offset"]), (str(self.shards[1]), "x", info.byte_offset))
        self.assertIn("the chunk of rows 300 to 399: its checksum", damage["text"])
        text = self.muster("verify", self.path("t.h5"), code=1).stdout
        self.assertRegex(text, r"^damage   .*dataset 'x', byte \d+: the chunk of rows 300 to 399")
        self.assertIn("3 files, 6 datasets, 20 chunks, 86.0 KiB: 1 damage\n", text)

    def test_a_shard_that_is_cut_off_missing_or_no_hdf5_file(self):
        whole = self.shards[0].read_bytes()
        for content, words in ((whole[:-5000], "cut off"), (b"", "it is empty"), (b"x" * 5000, "does not begin as one")):
            self.shards[0].write_bytes(content)
            damages = self.verify()
            self.assertIn(words, damages[0]["text"])
            self.assertIn(str(self.shards[0]), damages[0]["text"] + damages[0]["file"])
        self.shards[0].unlink()
        self.assertIn("No such file", self.verify()[0]["text"])
        self.assertIn("missing", self.muster("inspect", self.path("t.h5")).stdout)

    def test_a_shard_with_fewer_rows_than_are_referred_to(self):
        with h5py.File(self.shards[0], "r+") as file:
            file["x"].resize((400, 10))
        self.assertIn("should have at least 500 rows of 'x', but has 400", self.verify()[0]["text"])

    def test_leftovers_are_named_and_removed(self):
        part = self.path("t.h5.part-0123abcd")
        part.write_text("of a writer that was killed")
        text = self.muster("verify", self.path("t.h5")).stdout
        self.assertIn(f"left     {part}: not finished", text)
        self.muster("verify", "--clean", self.path("t.h5"))
        self.assertFalse(part.exists())
        self.assertEqual(sorted(self.path("t.h5.shards").iterdir()), self.shards)


class Interrupted(Data):
    def setUp(self):
        super().setUp()
        np.save(self.path("small.npy"), np.arange(10.0))
        np.save(self.path("x.npy"), np.random.default_rng(5).random((60_000, 100)))
        self.muster("convert", f"x={self.path('small.npy')}", self.path("t.h5"), "--shards", "2")

    def check_old(self):
        with h5py.File(self.path("t.h5")) as file:
            np.testing.assert_array_equal(file["x"][:], np.arange(10.0))

    def convert(self, **options):
        return subprocess.Popen([MUSTER, "data", "convert", f"x={self.path('x.npy')}", self.path("t.h5"), "-f", "--shards",
                                 "4", "--compress", "deflate", "--level", "9"], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **options)

    def test_a_full_disk_leaves_the_old_table(self):
        def small_disk():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))

        before = sorted(self.path("t.h5.shards").iterdir())
        process = self.convert(preexec_fn=small_disk)
        _, error = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 1)
        self.assertIn("File too large; make room", error)
        self.assertEqual(len(error.splitlines()), 1, error)
        self.check_old()
        self.assertEqual(sorted(self.path("t.h5.shards").iterdir()), before)

    def test_a_killed_writer_leaves_the_old_table_and_the_next_one_cleans_up(self):
        before = set(self.path("t.h5.shards").iterdir())
        process = self.convert()
        while set(self.path("t.h5.shards").iterdir()) == before:
            self.assertIsNone(process.poll(), "it was too fast to be killed")
        process.kill()
        process.communicate(timeout=60)
        self.check_old()
        page = json.loads(self.muster("verify", "--json", self.path("t.h5")).stdout)
        self.assertEqual(page["damages"], [])
        self.assertTrue(page["leftovers"])
        process = self.convert()
        process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0)
        page = json.loads(self.muster("verify", "--json", self.path("t.h5")).stdout)
        self.assertEqual((page["damages"], page["leftovers"]), ([], []))
        with h5py.File(self.path("t.h5")) as file:
            np.testing.assert_array_equal(file["x"][:], np.load(self.path("x.npy")))


if __name__ == "__main__":
    unittest.main(verbosity=2)
