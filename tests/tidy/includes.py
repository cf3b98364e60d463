"""Which folder may include what: the layers, and the one place that may name each C library."""

import re

from tree import Finding

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# A library's public headers are <muster/library/...>. What each may include beside its own.
ABOVE_CORE = {"core", "data", "slurm", "base"}
LAYERS = {
    "base": set(),
    "slurm": {"base"},
    "look": {"base"},
    "core": {"look", "slurm", "base"},
    "data": {"core", "slurm", "base"},
    "pipeline": ABOVE_CORE,
    "train": ABOVE_CORE,
    "torch": ABOVE_CORE | {"train"},
    "tune": ABOVE_CORE,
    "serve": ABOVE_CORE,
    "launcher": ABOVE_CORE | {"look", "train", "tune", "serve"},
}

# Folders of core/src, which include one another as "folder/file.hpp". A worker's results lie in
# the store, and so do those of calls; `rank` joins the state machines of one rank; `runtime` joins everything with threads
# and clocks.
MACHINES = {"worker", "owner", "store", "elect", "sched", "actor", "exchange", "ending", "status"}  # of RankMachine
CORE_FOLDERS = {
    "wire": set(),
    "resources": {"wire"},
    "process": {"wire"},
    "registry": {"wire"},
    "transport": {"wire"},
    "exchange": {"wire"},
    "gang": {"wire", "trace"},
    "elect": {"wire"},
    "arena": {"wire"},
    "store": {"wire"},
    "owner": {"wire", "store"},
    "worker": {"wire", "store"},
    "actor": {"wire", "store", "worker"},
    "sched": {"wire"},
    "ending": {"wire"},
    "status": {"wire"},
    "journal": {"wire"},
    "recorder": {"wire", "journal", "process"},
    "trace": {"wire"},
    "look": {"wire", "status", "registry"},
    "rank": MACHINES | {"wire", "gang"},
    "runtime": MACHINES | {"wire", "rank", "transport", "registry", "resources", "process", "gang",
                           "arena", "journal", "recorder", "trace", "look"},
}

# State machines: no threads, clocks or randomness inside.
PURE = {"wire", "rank", "journal"} | MACHINES
PURE_LAYERS = {"tune"}
IMPURE_HEADERS = {"thread", "mutex", "shared_mutex", "condition_variable", "future", "random", "atomic",
                  "stop_token", "semaphore", "latch", "barrier", "unistd.h", "pthread.h"}

# C library -> where it may be named. Everything else goes through what is named there.
OWNERS = [
    (re.compile(r"^mpi\.h$"), "MPI",
     ("core/src/transport/mpi.cpp", "core/src/transport/mpi_call.hpp", "core/src/transport/raw_communicators.hpp",
      "core/mpi/include/muster/core/mpi.hpp", "data/parallel/include/muster/data/parallel_writer.hpp", "tests",
      "bench")),
    (re.compile(r"^(hdf5|H5\w+)\.h$"), "HDF5", ("data/src", "data/include/muster/data/hdf5.hpp", "tests", "bench")),
    (re.compile(r"^(cuda\w*|nccl)\.h$"), "CUDA and NCCL",
     ("train/src", "train/nccl/src", "data/src/batch_memory_cuda.cpp", "tests", "bench")),
    (re.compile(r"^torch/"), "LibTorch", ("train/torch", "examples", "tests", "bench")),
    (re.compile(r"^boost/"), "Boost", ("launcher", "serve", "examples", "tests", "bench")),
]


def layer_of(path):
    """The library a file belongs to; None for tests, examples and bench, which may use all."""
    parts = path.split("/")
    if parts[:2] in (["core", "base"], ["core", "look"], ["data", "pipeline"], ["train", "torch"]):
        return parts[1]
    return parts[0] if parts[0] in LAYERS else None


def core_folder_of(path):
    parts = path.split("/")
    return parts[2] if parts[:2] == ["core", "src"] and len(parts) > 3 else None


def check(tree):
    known = {f"core/src/{name}" for name in CORE_FOLDERS}
    for file in tree.sources:
        folder = core_folder_of(file.path)
        if folder and f"core/src/{folder}" not in known:
            yield Finding(file.path, 1, "layers", f"core/src/{folder} has no place among the layers; "
                          "give it one in tests/tidy/includes.py")
            continue
        for number, line in enumerate(file.lines, 1):
            match = INCLUDE.match(line)
            if match and not file.allows(number, "layers"):
                message = judge(file, folder, match.group(1) == '"', match.group(2))
                if message:
                    yield Finding(file.path, number, "layers", message)


def judge(file, folder, is_quoted, target):
    """What is wrong with this include, or None."""
    layer = layer_of(file.path)
    if target.startswith("../") or "/../" in target:
        return f'"{target}" climbs out of its folder; include it by its name from the include root'
    if target.startswith("muster/"):
        used = target.split("/")[1]
        if is_quoted:
            return f"<{target}> is public: angle brackets"
        if layer and used != layer and used not in LAYERS[layer]:
            return f"{layer} may not include <{target}>: {used} is not below it"
        return None
    if not is_quoted:
        for pattern, library, places in OWNERS:
            if pattern.match(target) and not file.under(*places):
                return f"<{target}>: {library} may be named in {', '.join(places)} only"
            if pattern.match(target) and "/include/" in file.path and library != "Boost" \
                    and not file.under("train/torch") \
                    and not file.path.endswith(("core/mpi.hpp", "data/hdf5.hpp", "data/parallel_writer.hpp")):
                return f"<{target}> in a public header: every user would need {library} to compile"
        if (folder in PURE or layer in PURE_LAYERS) and target in IMPURE_HEADERS:
            place = f"core/src/{folder}" if folder else layer
            return f"<{target}> in {place}: state machines have no threads, clocks or randomness"
        return None
    if "/include/" in file.path and layer:
        return f'public header includes the private "{target}"'
    used = target.split("/")[0]
    if folder and used in CORE_FOLDERS and used != folder and used not in CORE_FOLDERS[folder]:
        return f'core/src/{folder} may not include "{target}": {used} is not below it'
    return None
