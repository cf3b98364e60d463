"""Words that must not appear, each with what to write instead."""

import re

from tree import Finding

LINES_MAX = 800

# rule, pattern, folders it applies to (empty: all), folders it does not, message.
BANNED = [
    ("sleep", re.compile(r"\b(sleep_for|usleep|nanosleep)\b|(?<!\.)\bsleep_until\b|(?<![\w.:])(?<!void )sleep\s*\("), ("tests",), (),
     "'{}': a test that sleeps fails on a slow machine; wait for the event, or drive the clock"),
    ("random", re.compile(r"\bstd::(rand|srand|mt19937(_64)?|shuffle|default_random_engine|"
                          r"(uniform_int|uniform_real|normal|bernoulli|exponential|poisson|discrete)_distribution)\b"),
     (), ("tests", "bench"), "'{}' differs between standard libraries; use <muster/base/random.hpp>"),
    ("world", re.compile(r"\bMPI_COMM_WORLD\b"), (),
     ("core/src/transport/mpi.cpp", "core/src/transport/mpi_call.hpp", "tests/mpi", "tests/transport", "tests/support", "tests/install", "tests/slurm/mpi_ring.cpp",
      "tests/data/parallel_writer_test.cpp",
      "bench"),
     "'{}': only the MPI transport may use the world's communicator"),
    ("namespace", re.compile(r"\busing\s+namespace\s+std\s*;"), (), (), "'{}': write std:: where it is used"),
    ("assert", re.compile(r"(?<![\w.])assert\s*\("), (), ("tests",),
     "'{}' vanishes in release builds; use MUSTER_ASSERT"),
    ("clock", re.compile(r"\b(steady|system|high_resolution)_clock::now\b"),
     ("tune", *(f"core/src/{name}" for name in ("sched", "worker", "owner", "store", "elect", "wire", "rank"))), (),
     "'{}': a state machine is told the time"),
]

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
ONE_MACHINE = re.compile(r"(?<![\w.$}*/-])/(home|root|work|Users)/\w[\w./-]*")
COMMENT = re.compile(r"^\s*(//|\*|#(?!\s*(include|define|if)))")


def check(tree):
    for file in tree.files:
        if file.under("tests/tidy"):
            continue  # Its own cases are full of these.
        for rule, pattern, only, never, message in BANNED:
            if file.is_source and (not only or file.under(*only)) and not file.under(*never):
                yield from without_comments(file, pattern, rule, message)
        yield from file.find(UNFINISHED, "unfinished", "'{}': finish it or file it")
        if not file.suffix == ".md":
            yield from file.find(ONE_MACHINE, "one-machine", "'{}' is a path of one machine")
        if (file.is_source or file.is_cmake or file.suffix in (".py", ".sh")) and len(file.lines) > LINES_MAX:
            yield Finding(file.path, len(file.lines), "long", f"over {LINES_MAX} lines: more than one idea")


def without_comments(file, pattern, rule, message):
    for finding in file.find(pattern, rule, message):
        if not COMMENT.match(file.lines[finding.line - 1]):
            yield finding
