"""Kills and stops ranks of a program that checks its results, for a minute or so.

A rank that is killed does not come back, so one launch survives five losses at most and there are
several launches, until both the time and the number of results are reached. Rank 0 runs the driver
and is never killed. All that is random comes from the seed, which is printed:

    CHAOS_SEED=<n> ctest --preset dev -R chaos

repeats the choices, though not the moments. CHAOS_SECONDS and CHAOS_RESULTS make it longer.
"""

import argparse
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

RANKS = 6
LOSSES_MAX = RANKS - 1
HEARTBEAT_TIMEOUT = 2        # Seconds; what is stopped for longer counts as lost.
HANG_TIMEOUT = 60.0            # What takes longer, to start or to end, hangs.
KINDS = ["map", "large", "nested", "gang", "actor", "isolated"]
MARK = "MUSTER_TEST_MARK"
CHECKED = re.compile(r"checked (\d+) wrong (\d+) lost (\d+) twice (\d+) coordinators (\d+)")


def missing():
    """Why ranks cannot be lost here; None if they can."""
    launcher = shlex.split(os.environ.get("MUSTER_TEST_MPIEXEC", "mpirun"))[0]
    version = subprocess.run([launcher, "--version"], capture_output=True, text=True, check=False).stdout
    return None if re.search(r"\((Open MPI|OpenRTE)\) 4", version) else f"skipped: {launcher} is not of Open MPI 4"


def environment_of(pid):
    try:
        pairs = (Path("/proc") / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return {}
    return dict(pair.decode("utf-8", "replace").split("=", 1) for pair in pairs if b"=" in pair)


def parent_of(pid):
    try:
        return int((Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError):
        return 0


def pids_of(mark):
    """All processes of one launch: only those that this test started have its mark."""
    pids = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return [pid for pid in pids if environment_of(pid).get(MARK) == mark]


def send(pid, number):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


class Launch:
    def __init__(self, program, results, seed, kinds, environment):
        self.random = random.Random(seed)
        self.coordinator = self.random.randrange(RANKS)
        self.mark = uuid.uuid4().hex
        self.out = tempfile.TemporaryFile()
        self.err = tempfile.TemporaryFile()
        self.faults = []  # What was done, in words.
        command = [*shlex.split(os.environ.get("MUSTER_TEST_MPIEXEC", "mpirun -q --oversubscribe -n")), str(RANKS),
                   program, str(results), str(seed), *kinds]
        self.command = shlex.join(command)
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err, start_new_session=True,
            env={**os.environ, MARK: self.mark, "OMPI_MCA_orte_enable_recovery": "1",
                 "MUSTER_COORDINATOR": str(self.coordinator), "MUSTER_HEARTBEAT_TIMEOUT": f"{HEARTBEAT_TIMEOUT:g}",
                 **environment})
        self.left = []     # Processes that outlived the launcher.
        self.losses_left = self.random.randint(1, LOSSES_MAX)
        self.alive = {}    # rank -> pid
        self.stopped = {}  # rank -> when to let it go on

    def text(self):
        return [os.pread(file.fileno(), 1 << 24, 0).decode("utf-8", "replace") for file in (self.out, self.err)]

    def ended(self):
        return self.process.poll() is not None

    def find_ranks(self):
        """By rank: mpirun's children."""
        for pid in pids_of(self.mark):
            if parent_of(pid) == self.process.pid:
                rank = environment_of(pid).get("OMPI_COMM_WORLD_RANK")
                if rank is not None:
                    self.alive[int(rank)] = pid

    def wait_ready(self):
        while "ready" not in self.text()[0] and not self.ended() and not self.too_long():
            time.sleep(0.02)
        self.find_ranks()
        self.began = time.monotonic()

    def too_long(self):
        return time.monotonic() - self.began > HANG_TIMEOUT

    def note(self, what):
        self.faults.append(f"{time.monotonic() - self.began:.2f}s {what}")

    def kill(self, rank):
        if send(self.alive.pop(rank), signal.SIGKILL):
            self.note(f"SIGKILL rank {rank}")
        self.stopped.pop(rank, None)

    def stop(self, rank, seconds):
        if send(self.alive[rank], signal.SIGSTOP):
            self.note(f"SIGSTOP rank {rank} for {seconds:.2f} s")
            self.stopped[rank] = time.monotonic() + seconds

    def let_go_on(self, everybody=False):
        for rank, when in list(self.stopped.items()):
            if everybody or time.monotonic() >= when:
                send(self.alive[rank], signal.SIGCONT)
                del self.stopped[rank]

    def kill_isolated(self):
        """One of the processes that isolated tasks run in: children of a rank's zygote that run the program."""
        zygotes = {pid for pid in pids_of(self.mark) if parent_of(pid) in self.alive.values()}
        tasks = [pid for pid in pids_of(self.mark) if parent_of(pid) in zygotes]
        if tasks and send(self.random.choice(tasks), signal.SIGKILL):
            self.note("SIGKILL of an isolated task")

    def torment_once(self, kinds):
        others = [rank for rank in self.alive if rank not in self.stopped]
        victims = [rank for rank in others if rank != 0] if self.losses_left > 0 else []
        dice = self.random.random()
        if "isolated" in kinds and dice < 0.3:
            self.kill_isolated()
        elif dice < 0.6 and victims:
            self.losses_left -= 1
            self.kill(self.random.choice(victims))
        elif dice < 0.9 and others:
            self.stop(self.random.choice(others), self.random.uniform(0.02, 0.3 * HEARTBEAT_TIMEOUT))
        elif victims:
            # Longer than others wait for it: it is declared lost, and has to end itself.
            self.losses_left -= 1
            self.stop(self.random.choice(victims), self.random.uniform(1.5, 2) * HEARTBEAT_TIMEOUT)

    def torment(self, kinds):
        """Until the program ends, or hangs."""
        self.wait_ready()
        next_fault = time.monotonic() + self.random.uniform(0.05, 0.5)
        while not self.ended() and not self.too_long():
            self.let_go_on()
            if kinds and time.monotonic() >= next_fault:
                self.torment_once(kinds)
                next_fault = time.monotonic() + self.random.uniform(0.1, 1.5)
            time.sleep(0.01)
        self.let_go_on(everybody=True)
        hangs = not self.ended()
        if hangs:
            self.show_threads()
        for pid in pids_of(self.mark) if hangs else self.left_behind():
            send(pid, signal.SIGKILL)
        self.process.wait()
        return hangs

    def left_behind(self):
        """What is there 5 s after the end of the launcher: a rank that was stopped may still be ending."""
        deadline = time.monotonic() + 5
        while (left := pids_of(self.mark)) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.left = left
        return left

    def show_threads(self):
        """For whoever looks for the reason: what the ranks of a launch that hangs are doing."""
        for rank, pid in sorted(self.alive.items()):
            print(f"--- rank {rank}", flush=True)
            try:
                subprocess.run(["gdb", "-q", "-batch", "-p", str(pid), "-ex", "thread apply all bt 12"],
                               stdout=sys.stdout, stderr=subprocess.DEVNULL, timeout=60, check=False)
            except (OSError, subprocess.TimeoutExpired):
                pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", nargs="?", default=os.environ.get("CHAOS_PROGRAM"))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6))
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("CHAOS_SECONDS", "60")))
    parser.add_argument("--results", type=int, default=int(os.environ.get("CHAOS_RESULTS", "20000")))
    parser.add_argument("--per-launch", type=int, default=3400)
    parser.add_argument("--kinds", nargs="*", default=KINDS)
    parser.add_argument("--calm", action="store_true", help="no faults: what the program does by itself")
    parser.add_argument("--log", default="warn")
    arguments = parser.parse_args()
    print(f"chaos seed {arguments.seed}, kinds {' '.join(arguments.kinds)}", flush=True)
    began = time.monotonic()
    launches = results = wrong = lost = twice = 0
    kills = stops = isolated = coordinators = 0
    while results < arguments.results or time.monotonic() - began < arguments.seconds:
        launch = Launch(arguments.program, arguments.per_launch, arguments.seed * 1000 + launches, arguments.kinds,
                        {"MUSTER_LOG": arguments.log})
        launches += 1
        hangs = launch.torment([] if arguments.calm else arguments.kinds)
        out, err = launch.text()
        found = CHECKED.search(out)
        bad = hangs or launch.left or not found or int(found[2]) + int(found[3]) + int(found[4]) > 0
        if found:
            results += int(found[1])
            wrong, lost, twice = wrong + int(found[2]), lost + int(found[3]), twice + int(found[4])
            coordinators += int(found[5]) - 1
        kills += sum("SIGKILL rank" in fault for fault in launch.faults)
        isolated += sum("isolated" in fault for fault in launch.faults)
        stops += sum("SIGSTOP" in fault for fault in launch.faults)
        print(f"launch {launches}: {launch.faults} -> {found[0] if found else 'no outcome'}", flush=True)
        if bad:
            print(f"FAILED launch {launches} of seed {arguments.seed}: {launch.command}\n"
                  f"{'it hangs' if hangs else ''} left behind: {launch.left}\n--- stdout\n{out}--- stderr\n{err[-6000:]}---")
            return 1
    print(f"{kills} ranks killed, {stops} stopped, {isolated} isolated tasks killed, {coordinators} new coordinators "
          f"in {launches} launches survived, {results} results checked: {wrong} wrong, {lost} lost, {twice} twice")
    return 0 if results >= arguments.results and wrong + lost + twice == 0 else 1


if __name__ == "__main__":
    if why := missing():
        print(why)
        sys.exit(77)
    sys.exit(main())
