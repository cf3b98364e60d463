"""How long 64 ranks of an MPI program take that does nothing: started by muster run, and by mpirun alone.

    launch.py --who muster|mpi [--quick]

MUSTER_PROGRAMS names the build folder. mpirun gets what it needs to start at all: more ranks than cores.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import time

import peer


def command(who, ranks):
    build = pathlib.Path(os.environ["MUSTER_PROGRAMS"])
    program = build / "bench/bench_mpi_startup"
    if who == "muster":
        return [build / "launcher/muster", "run", "-n", str(ranks), program]
    return ["mpirun", "--oversubscribe", *(["--allow-run-as-root"] if os.geteuid() == 0 else []), "-n", str(ranks), program]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--who", choices=("muster", "mpi"), required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if shutil.which("mpirun") is None:
        sys.exit("mpirun is not installed")
    report = peer.Report()
    for _ in range(1 if options.quick else 3):
        begin = time.perf_counter()
        subprocess.run(command(options.who, 4 if options.quick else 64), check=True, stdout=subprocess.DEVNULL,
                       timeout=300)
        report.add("launch.64", "s", time.perf_counter() - begin)
    print(report.text())


if __name__ == "__main__":
    main()
