"""Starts benchmark programs, and leaves none of their processes behind.

What bench/run and bench/compare share: the environment that the figures are meant for, programs as
processes with a time limit, their reports, and what machine this is.
"""

import contextlib
import ctypes
import json
import os
import platform
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import process_tree

LIMIT_SECONDS = 600  # for one program
END_SECONDS = 5      # for its processes to end when told to


class Broken(Exception):
    """A program failed, or did not print what it must."""


def mpi_environment():
    """Any number of ranks on any machine, also in a container."""
    return {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
    }


def driver_apart():
    """Rank 0 hosts the driver and coordinates; tasks run on the other ranks."""
    return {"MUSTER_DRIVER_CPUS": "0", "MUSTER_COORDINATOR": "0"}


def take_charge():
    """Once, at the start: daemons that a program leaves become children of this process, which can
    then end them; and an order to stop lets it do so."""
    pr_set_child_subreaper = 36  # <linux/prctl.h>
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def end_descendants(process):
    """Ends what `process`, which this one started, has left: it, and everything below this one."""
    deadline = time.monotonic() + END_SECONDS
    how = signal.SIGTERM
    while True:
        process.poll()
        left = process_tree.descendants(os.getpid())
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, how)
        with contextlib.suppress(ChildProcessError):
            while process.poll() is not None and os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
        if not left:
            return
        if time.monotonic() > deadline:
            how = signal.SIGKILL
        time.sleep(0.02)


class Output:
    """What a program printed, and when: seconds from its start to its first line and to its end."""

    def __init__(self):
        self.text = ""
        self.first_line = None
        self.whole = None


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip(" -\t")]
    return lines[-1] if lines else "it said nothing"


def run_program(command, environment=None, folder=None):
    """Runs a program in a session of its own, to its end. All its processes are gone afterwards."""
    name = os.path.basename(next((word for word in command if word.endswith(".py") or "bench_" in word), command[0]))
    output, chunks = Output(), []
    with tempfile.TemporaryFile("w+") as errors:
        begin = time.monotonic()
        process = subprocess.Popen(command, env={**os.environ, **(environment or {})}, cwd=folder,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                   start_new_session=True)
        try:
            while time.monotonic() - begin < LIMIT_SECONDS:
                if select.select([process.stdout], [], [], 0.2)[0]:
                    chunk = os.read(process.stdout.fileno(), 1 << 16)
                    if not chunk:
                        break
                    chunks.append(chunk)
                    if output.first_line is None and b"\n" in chunk:
                        output.first_line = time.monotonic() - begin
                elif process.poll() is not None:
                    break  # a daemon may still hold its end of the pipe
            try:
                process.wait(timeout=max(0.1, begin + LIMIT_SECONDS - time.monotonic()))
            except subprocess.TimeoutExpired as error:
                raise Broken(f"{name} took longer than {LIMIT_SECONDS} s") from error
            output.whole = time.monotonic() - begin
        finally:
            end_descendants(process)
            process.stdout.close()
        errors.seek(0)
        said = errors.read()
    if process.returncode != 0:
        print(said, end="", file=sys.stderr)
        raise Broken(f"{name} ended with status {process.returncode}: {last_line(said)}")
    output.text = b"".join(chunks).decode(errors="replace")
    return output


def report_of(command, environment=None, folder=None):
    """What the program reported, as Report::print() writes it."""
    text = run_program(command, environment, folder).text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Broken(f"{command[-1]} printed no JSON ({error}): {text[:200]!r}") from error


class Programs:
    """The project's programs, on ranks."""

    def __init__(self, folder, launcher):
        self.folder = folder
        self.launcher = launcher

    def command(self, ranks, program, *arguments):
        """With 0 ranks: without a launcher."""
        path = self.folder / program
        if not path.exists():
            raise Broken(f"{program} is not built (target bench_programs)")
        launcher = [*self.launcher, "-n", str(ranks)] if ranks else []
        return [*launcher, str(path), *arguments]

    def report(self, ranks, program, *arguments, environment=None):
        return report_of(self.command(ranks, program, *arguments),
                         {**mpi_environment(), **(driver_apart() if environment is None else environment)})

    def seconds(self, ranks, program):
        """From the start of the launcher to the program's first line, if any, and to its end."""
        output = run_program(self.command(ranks, program), {**mpi_environment(), **driver_apart()})
        return output.first_line, output.whole


def measure(name, unit, samples):
    return {"name": name, "unit": unit, "samples": samples, "min": min(samples),
            "median": statistics.median(samples), "max": max(samples)}


def require(names, measures):
    there = {entry["name"] for entry in measures if entry["samples"]}
    missing = [name for name in names if name not in there]
    if missing:
        raise Broken("missing from the results: " + ", ".join(missing))


def load():
    return f"{os.getloadavg()[0]:.2f}"


def machine():
    """What this machine is; nothing that names it."""
    cpu = memory = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
    with open("/proc/meminfo", encoding="utf-8") as file:
        kib = int(next(line for line in file if line.startswith("MemTotal")).split()[1])
        memory = f"{kib / (1 << 20):.0f} GiB"
    return {"cpu": cpu, "cores": str(len(os.sched_getaffinity(0))), "memory": memory,
            "kernel": f"{platform.system()} {platform.release()}"}
