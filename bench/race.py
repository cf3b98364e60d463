"""The race: who runs what, and the rows of its table with what Muster is to reach.

Data only. bench/compare carries it out; race_table.py judges and prints.
"""

from dataclasses import dataclass

RANKS = 3          # the driver's, which runs no tasks, and two that do
STARTUP_RANKS = 4
GANG_RANKS = 2

NAMES = {"muster": "Muster", "mpi": "bare MPI", "ray": "Ray", "mpi4py": "mpi4py.futures", "dask": "Dask",
         "torch": "PyTorch's gloo", "xargs": "xargs -P2", "parallel": "GNU parallel -j2", "hyperqueue": "HyperQueue",
         "h5py": "h5py", "sort": "GNU sort"}
PEERS = ("ray", "mpi4py", "dask", "torch", "hyperqueue", "h5py")  # what bench/peers installs; the others are built here

# The peers at their best; bench/peers/README.md says why.
PEER_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MPI4PY_FUTURES_BACKOFF": "0.0001"}


@dataclass(frozen=True)
class Run:
    """One start of a program. `ranks` 0: without a launcher. A name in .py is one of bench/peers."""

    who: str
    program: str
    ranks: int = 0
    arguments: tuple = ()
    quick: tuple = ("--quick",)
    # Timed from outside instead of reporting: name of the measure, and until when.
    timed: str = ""
    until: str = "first_line"
    driver_apart: bool = True


@dataclass(frozen=True)
class Group:
    runs: tuple
    times: int = 1  # in every round


def core(only):
    return Run("muster", "bench_core", RANKS, ("--only", only))


def ray(only, program="ray_tasks.py"):
    return Run("ray", program, arguments=("--only", only, "--repetitions", "2"))


def dask(only, program="dask_tasks.py"):
    return Run("dask", program, arguments=("--only", only, "--repetitions", "2"))


def futures(only):
    return Run("mpi4py", "futures_tasks.py", RANKS, ("--only", only))


PINGPONG = Run("mpi", "bench_mpi_pingpong", 2)
HANDOFF = Run("mpi", "bench_handoff", 2)

GROUPS = {
    "one_by_one": Group((core("one_by_one"), ray("one_by_one"), futures("one_by_one"), dask("one_by_one"))),
    "map": Group((core("map"), Run("mpi", "bench_mpi_farm", RANKS), ray("map"), futures("map"), dask("map"))),
    "latency": Group((core("round_trip"), PINGPONG, HANDOFF, ray("latency"), futures("latency"),
                      dask("latency"))),
    "chain": Group((core("chain"), ray("chain"), dask("chain"))),
    "tree": Group((core("tree"), ray("tree"), futures("tree"), dask("tree"))),
    "actors": Group((Run("muster", "bench_actors", RANKS), ray("actors", "ray_actors.py"),
                     dask("actors", "dask_actors.py"))),
    "idle": Group((core("idle"), PINGPONG, HANDOFF, ray("idle", "ray_idle.py"), futures("idle"))),
    "values": Group((Run("muster", "bench_values", RANKS), Run("ray", "ray_values.py"))),
    "sent": Group((Run("muster", "bench_values", RANKS, ("--only", "sent")), PINGPONG)),
    "spilled": Group((Run("muster", "bench_values", arguments=("--only", "spilled")),)),
    "commands": Group((
        Run("muster", "commands.py", arguments=("--who", "muster")),
        Run("xargs", "commands.py", arguments=("--who", "xargs")),
        Run("parallel", "commands.py", arguments=("--who", "parallel")),
        Run("hyperqueue", "hyperqueue_commands.py"))),
    "launch": Group((Run("muster", "launch.py", arguments=("--who", "muster")),
                     Run("mpi", "launch.py", arguments=("--who", "mpi")))),
    "startup": Group((
        Run("muster", "bench_first_result", STARTUP_RANKS, quick=(), timed="startup.first_result"),
        Run("mpi", "bench_mpi_startup", STARTUP_RANKS, quick=(), timed="startup.whole", until="whole"),
        Run("ray", "ray_start.py", quick=(), timed="startup.first_result")), times=3),
    "all_reduce": Group((Run("muster", "bench_collective", GANG_RANKS, driver_apart=False),
                         Run("mpi", "bench_mpi_allreduce", GANG_RANKS),
                         Run("torch", "gloo_all_reduce.py"))),
    "ddp": Group((Run("muster", "bench_torch_ddp", GANG_RANKS, driver_apart=False), Run("torch", "torch_ddp.py"))),
    "loader": Group((Run("muster", "bench_loader", driver_apart=False), Run("h5py", "h5py_batches.py"),
                     Run("torch", "torch_loader.py"))),
    "first_batch": Group((Run("muster", "bench_loader", arguments=("--only", "first_batch"), driver_apart=False),)),
    "pipelines": Group((*(Run("muster", "bench_pipeline", arguments=("--only", only), driver_apart=False)
                          for only in ("map_batches", "shuffle_batches", "mean", "group_by")),
                        Run("ray", "ray_data.py"), Run("dask", "dask_data.py"))),
    "sort": Group((Run("muster", "bench_pipeline", arguments=("--only", "sort"), driver_apart=False),
                   Run("sort", "gnu_sort.py"))),
    "coordinator": Group((Run("muster", "bench_sim_coordinator", quick=(
        "--repeats", "1", "--ranks", "16", "--map-tasks", "2000", "--graph-tasks", "500")),)),
}


# Measures made of others, sample by sample: name, how, from which. A name that ends in "*" is all
# that begin so.
DERIVED = (
    ("idle.cpu.largest", max, ("idle.cpu.rank*",)),
    ("idle.cpu.all", sum, ("idle.cpu.rank*",)),
    ("memory.private.largest", max, ("memory.private.start.rank*",)),
    ("memory.pss.all", sum, ("memory.pss.start.rank*",)),
    ("coordinator.map", sum, ("map_100us.deciding", "map_100us.coding")),
    ("coordinator.graph", sum, ("graph_10ms.deciding", "graph_10ms.coding")),
)


@dataclass(frozen=True)
class Figure:
    """A measure of somebody other than Muster, as the table calls it."""

    who: str
    measure: str
    label: str = ""

    @property
    def name(self):
        return self.label or NAMES[self.who]


@dataclass(frozen=True)
class Bar:
    """What Muster's figure is to reach: `factor` times a peer's, or (no peer) `factor` itself.

    Where less is better, at most that; else at least.
    """

    factor: float
    peer: Figure | None = None


@dataclass(frozen=True)
class Row:
    group: str
    title: str
    measure: str
    unit: str
    more_is_better: bool
    beside: tuple = ()
    bars: tuple = ()

    def better_by(self, ours, theirs):
        """How many times as good as theirs ours is."""
        return ours / theirs if self.more_is_better else theirs / ours


def of(*who, measure):
    return tuple(Figure(name, measure) for name in who)


def against(factor, who, measure, label=""):
    return Bar(factor, Figure(who, measure, label))


def all_reduce_row(size, title):
    measure = f"all_reduce.{size}"
    mpi = Figure("mpi", measure, "MPI_Allreduce")
    gloo = Figure("torch", measure)
    return Row("all_reduce", f"all_reduce of {title} float32, 2 ranks", measure, "ms", False, (mpi, gloo),
               (Bar(1, mpi), Bar(1 / 2, gloo)))


def ddp_row(net, title, factor):
    measure = f"ddp.{net}"
    return Row("ddp", f"training of {title}, 2 ranks of 1 thread", measure, "steps/s", True,
               (Figure("muster", f"ddp.after.{net}", "reduced after the pass"),
                Figure("muster", f"alone.{net}", "LibTorch, one process"),
                Figure("torch", measure, "PyTorch DDP"),
                Figure("torch", f"{measure}.views", "PyTorch DDP, gradients in buckets")),
               (against(factor, "torch", measure, "PyTorch DDP"),))


ROWS = (
    Row("one_by_one", "10,000 no-op tasks, submitted one by one, then got", "tasks.one_by_one", "tasks/s", True,
        of("ray", "mpi4py", measure="tasks.one_by_one")
        + (Figure("dask", "tasks.one_by_one", "Dask (2,000 tasks)"),),
        (against(100, "ray", "tasks.one_by_one"), against(40, "mpi4py", "tasks.one_by_one"))),
    Row("map", "map over 1,000,000 no-ops", "tasks.map", "tasks/s", True,
        (Figure("mpi", "farm.map", "bare MPI farm, batches of 32"),
         Figure("ray", "tasks.map.chunk100", "Ray, 100 in a task"),
         Figure("ray", "tasks.map.chunk1000", "Ray, 1,000 in a task"),
         Figure("mpi4py", "tasks.map.chunk100", "mpi4py.futures, chunks of 100"),
         Figure("mpi4py", "tasks.map.chunk1000", "mpi4py.futures, chunks of 1,000"),
         Figure("dask", "tasks.map", "Dask (2,000 tasks)")),
        (Bar(400_000),)),
    Row("map", "the same: until it is queued", "tasks.map.queued", "s", False, (), (Bar(1),)),
    Row("latency", "submit and get one no-op on another rank, median", "latency.submit_get.median", "µs", False,
        (Figure("mpi", "handoff.round_trip.median", "the same threads and messages, bare"),
         Figure("mpi", "mpi.round_trip.median", "MPI round trip alone"))
        + of("ray", "mpi4py", "dask", measure="latency.submit_get.median"),
        (against(1 / 30, "ray", "latency.submit_get.median"), against(1 / 8, "mpi4py", "latency.submit_get.median"))),
    Row("chain", "chain of 1,000 dependent tasks submitted at once, per hop", "chain.at_once", "µs", False,
        of("ray", "dask", measure="chain.at_once"), (against(1 / 30, "ray", "chain.at_once"),)),
    Row("tree", "binary tree of 2,047 dependent tasks", "tree", "ms", False,
        (Figure("ray", "tree"), Figure("mpi4py", "tree", "mpi4py.futures, level by level"), Figure("dask", "tree")),
        (against(1 / 40, "ray", "tree"),)),
    Row("actors", "actor calls by one caller, one at a time", "actor.one_by_one", "calls/s", True,
        of("ray", "dask", measure="actor.one_by_one"), (against(20, "ray", "actor.one_by_one"),)),
    Row("actors", "actor calls by one caller, pipelined", "actor.pipelined", "calls/s", True,
        of("ray", "dask", measure="actor.pipelined"), (against(50, "ray", "actor.pipelined"),)),
    Row("idle", "idle: CPU of the busiest rank or process", "idle.cpu.largest", "%", False,
        of("ray", measure="idle.cpu.largest"), (Bar(2),)),
    Row("idle", "idle: CPU of the whole cluster", "idle.cpu.all", "%", False,
        of("ray", measure="idle.cpu.all")),
    Row("idle", "submit and get after a second of idleness", "latency.after_idle", "µs", False,
        (Figure("mpi", "handoff.after_idle", "the same threads and messages, bare"),)
        + of("ray", "mpi4py", measure="latency.after_idle"),
        (Bar(300),)),
    Row("startup", "start to first result, 4 ranks (Ray: 2 workers)", "startup.first_result", "s", False,
        (Figure("mpi", "startup.whole", "MPI_Init and MPI_Finalize alone"), Figure("ray", "startup.first_result")),
        (against(1.5, "mpi", "startup.whole", "MPI alone"),)),
    Row("values", "put of 100 MiB", "value.put", "GB/s", True,
        (Figure("muster", "memory.copy", "a copy into shared memory"), Figure("ray", "value.put")),
        (against(0.8, "muster", "memory.copy", "a copy"),)),
    Row("values", "get of it, to be read where it lies", "value.view", "µs", False,
        (Figure("ray", "value.view"),), (Bar(20),)),
    Row("values", "task on another rank that reads it there, round trip", "value.read.first", "µs", False,
        (Figure("ray", "value.read.first"),), (against(1 / 20, "ray", "value.read.first"),)),
    Row("values", "the same once more", "value.read.again", "µs", False,
        (Figure("ray", "value.read.again"),), (against(1 / 20, "ray", "value.read.again"),)),
    Row("values", "put and get of 1 KiB", "value.small", "µs", False,
        (Figure("ray", "value.small"),), (against(1 / 50, "ray", "value.small"),)),
    Row("sent", "100 MiB to a task on another rank, nothing shared", "value.sent", "GB/s", True,
        (Figure("mpi", "mpi.bandwidth"),), (against(0.7, "mpi", "mpi.bandwidth"),)),
    Row("commands", "1,000 commands `true`, each (Muster's with journal and output kept)", "commands.rate", "ms", False,
        of("xargs", "parallel", "hyperqueue", measure="commands.rate"),
        (against(1, "xargs", "commands.rate"), against(1 / 4, "parallel", "commands.rate"),
         against(1 / 4, "hyperqueue", "commands.rate"))),
    Row("commands", "chain of 200 dependent commands, per hop", "commands.chain", "ms", False,
        of("hyperqueue", measure="commands.chain"), (against(1 / 20, "hyperqueue", "commands.chain"),)),
    Row("commands", "100,000 commands queued: until the first runs", "commands.queued.first", "s", False, (), (Bar(1),)),
    Row("commands", "the same: memory of all processes", "commands.queued.memory", "MiB", False, (), (Bar(300),)),
    Row("commands", "1,000,000 finished commands in a journal: --resume decides", "commands.resume", "s", False, (),
        (Bar(3),)),
    Row("launch", "64 ranks of an MPI program that does nothing, by muster run", "launch.64", "s", False,
        (Figure("mpi", "launch.64", "mpirun alone"),), (against(1.2, "mpi", "launch.64", "mpirun alone"),)),
    Row("spilled", "4 GiB stored and read through a cap of 1 GiB", "value.spilled", "GB/s", True,
        (Figure("muster", "disk.write_and_read", "the disk alone"),),
        (against(0.5, "muster", "disk.write_and_read", "the disk alone"),)),
    Row("idle", "memory of the largest rank or process, private", "memory.private.largest", "MiB", False,
        (Figure("mpi", "mpi.memory.private", "a rank that only started MPI"),
         Figure("ray", "memory.private.largest")),
        (Bar(25),)),
    Row("idle", "memory of the whole cluster, PSS", "memory.pss.all", "MiB", False,
        of("ray", measure="memory.pss.all")),
    all_reduce_row("4KiB", "4 KiB"),
    all_reduce_row("1MiB", "1 MiB"),
    all_reduce_row("25MiB", "25 MiB"),
    all_reduce_row("100MiB", "100 MiB"),
    ddp_row("mlp", "784-512-512-10, batches of 64 a rank", 1.7),
    ddp_row("large", "784-2048-2048-2048-10, batches of 64 a rank", 1.2),
    Row("coordinator", "coordinator's own time per task of a map, 1,024 simulated ranks", "coordinator.map", "ns", False,
        (), (Bar(3000),)),
    Row("coordinator", "the same, for a graph of 100,000 tasks", "coordinator.graph", "ns", False,
        (), (Bar(3000),)),
    Row("loader", "shuffled batches of 256 from 60,000 x 784 float32 in HDF5, contiguous", "loader.contiguous",
        "samples/s", True,
        (Figure("muster", "loader.memory", "a gather from memory, one thread"),
         Figure("h5py", "loader.contiguous", "h5py, a list of rows"),
         Figure("torch", "loader.contiguous", "PyTorch's DataLoader over h5py, 2 workers")),
        (against(6, "h5py", "loader.contiguous"), against(20, "torch", "loader.contiguous", "DataLoader"))),
    Row("loader", "the same in chunks of 256 rows", "loader.chunked", "samples/s", True,
        (Figure("h5py", "loader.chunked.sequential", "h5py in the file's order"),
         Figure("h5py", "loader.chunked", "h5py, a list of rows"),
         Figure("torch", "loader.chunked", "PyTorch's DataLoader over h5py, 2 workers")),
        (against(0.7, "h5py", "loader.chunked.sequential", "h5py in order"),
         against(15, "torch", "loader.chunked", "DataLoader"))),
    Row("loader", "the same chunks with gzip -4, shuffled by block", "loader.gzip", "samples/s", True,
        (Figure("muster", "loader.zlib", "zlib over every chunk, both cores"),),
        (against(1 / 1.3, "muster", "loader.zlib", "zlib"),)),
    Row("first_batch", "a dataset of 10,000 files: until the first batch", "first_batch", "s", False,
        (Figure("muster", "first_batch.cold", "without an index"),), (Bar(1),)),
    Row("pipelines", "map_batches over 1 GiB of int64 in memory", "map_batches", "GB/s", True,
        (Figure("muster", "map_batches.by_hand", "a loop over it, one thread"),
         Figure("ray", "map_batches", "Ray Data")),
        (against(0.6, "muster", "map_batches.by_hand", "a loop"), against(8, "ray", "map_batches", "Ray Data"))),
    Row("pipelines", "pipeline: read HDF5, shuffle all rows, batches of 256", "shuffle_batches", "samples/s", True,
        (Figure("ray", "shuffle_batches", "Ray Data"),), (against(10, "ray", "shuffle_batches", "Ray Data"),)),
    Row("pipelines", "mean of the same file", "mean", "GB/s", True,
        (Figure("muster", "mean.by_hand", "pread and sums, one thread"), Figure("dask", "mean")),
        (against(0.8, "muster", "mean.by_hand", "pread"), against(1.3, "dask", "mean"))),
    Row("pipelines", "group by 1,000 keys: count, mean, max", "group_by", "Mrows/s", True,
        of("dask", measure="group_by"), (against(3, "dask", "group_by"),)),
    Row("sort", "sort of 4 GiB of int64 through a cap of 1 GiB (GNU sort: 10 million lines, in memory)", "sort",
        "Mrows/s", True, of("sort", measure="sort"), (against(0.4, "sort", "sort"),)),
)
