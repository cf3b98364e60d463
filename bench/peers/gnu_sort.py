"""GNU sort -n of numbers, one in a line. Run by bench/compare; needs no environment of peers.

10 million records, all in memory: more would take minutes, and would not be faster.
"""

import contextlib
import os
import pathlib
import random
import subprocess
import sys
import tempfile

import peer

CORES = 2


def sort(report, sizes, _):
    count = 10_000 if sizes.quick else 10_000_000
    source = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        lines = pathlib.Path(folder) / "lines"
        with lines.open("w") as file:
            for _ in range(count // 1000):
                file.write("".join(f"{source.getrandbits(63)}\n" for _ in range(1000)))
        command = ["sort", "-n", f"--parallel={CORES}", "-S", "2G", "-T", folder, "-o", os.devnull, str(lines)]
        taken = peer.seconds(lambda: subprocess.run(command, check=True, env={**os.environ, "LC_ALL": "C"}))
        report.add("sort", "Mrows/s", count / 1e6 / taken)


if __name__ == "__main__":
    sys.exit(peer.main([], contextlib.nullcontext, {"sort": sort}))
