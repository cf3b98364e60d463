#!/usr/bin/env python3
"""A real Slurm cluster of three nodes inside this machine, from Debian's packages, for tests.

    cluster.py start RECORD              starts it, and writes to the file RECORD how to reach it
    cluster.py run RECORD COMMAND...     runs a command on its head node
    cluster.py node RECORD off|on|unplug|plug NODE
    cluster.py stop RECORD               ends it, and removes what it left

It ends with the process that called `start` at the latest: the shell, or ctest. Exit code 77, with the
reason: it cannot be had on this machine.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SKIP = 77
FOLDER = Path(__file__).resolve().parent
NAME_SPACES = ["--net", "--uts", "--mount"]


class Missing(Exception):
    """Why there is no cluster here."""


def find_programs():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if os.geteuid():
        raise Missing("a cluster in one machine needs root, to give each node a network of its own")
    for program in ("munged", "slurmctld", "slurmd", "srun", "ip", "nsenter", "unshare", "setpriv", "mount"):
        if shutil.which(program) is None:
            raise Missing(f"there is no {program} here: scripts/install-packages slurm")
    tried = subprocess.run(["unshare", *NAME_SPACES, "--ipc", "--pid", "--fork", "sh", "-c",
                            "mount -t tmpfs tmpfs /dev/shm && ip link add br0 type bridge"],
                           capture_output=True, text=True, timeout=30)
    if tried.returncode:
        raise Missing(f"name spaces are forbidden here: {tried.stderr.strip()}")


class Cluster:
    """How to reach a running cluster."""

    def __init__(self, record):
        self.folder = Path(record["folder"])
        self.head = record["head"]
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf")}

    @staticmethod
    def read(path):
        try:
            record = json.loads(Path(path).read_text())
        except FileNotFoundError:
            raise Missing(f"there is no cluster: {path} is not there") from None
        if "missing" in record:
            raise Missing(record["missing"])
        return Cluster(record)

    def on_head(self, *command, folder=None):
        """The command line that runs `command` on the head node, for as long as its caller lives."""
        return ["setpriv", "--pdeathsig", "TERM", "nsenter", "-t", str(self.head), *NAME_SPACES,
                f"--wd={folder or os.getcwd()}", "--", *map(str, command)]

    def start(self, *command, folder=None, environment=None, **options):
        return subprocess.Popen(self.on_head(*command, folder=folder), stdin=subprocess.DEVNULL,
                                env={**os.environ, **self.environment, **(environment or {})}, **options)

    def run(self, *command, folder=None, environment=None, timeout=60):
        """@return the finished process, with its output as text."""
        process = self.start(*command, folder=folder, environment=environment, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                out, err = process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
            raise AssertionError(f"still running after {timeout} s: {command}\n{out}{err}") from None
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def call(self, *command, **options):
        """As run(), for what must succeed: its standard output."""
        done = self.run(*command, **options)
        if done.returncode:
            raise AssertionError(f"{command} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def ask(self, request):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(self.folder / "requests"))
            connection.sendall(request.encode())
            reply = connection.recv(4096).decode()
        if reply != "ok":
            raise AssertionError(f"{request}: {reply}")


def start_cluster():
    """@return its record; it ends when the process that called us does."""
    find_programs()
    watched = os.pidfd_open(os.getppid())
    # Short, for the names of unix sockets; at the same place on every node.
    folder = Path(tempfile.mkdtemp(prefix="muster-slurm-", dir="/tmp"))
    folder.chmod(0o755)
    with tempfile.TemporaryFile("w+") as log:
        room = subprocess.Popen(["unshare", *NAME_SPACES, "--propagation", "private",
                                 sys.executable, FOLDER / "machine_room.py", folder, str(watched)],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, cwd="/",
                                pass_fds=[watched], start_new_session=True)
        if room.stdout.readline() != b"ready\n":
            room.wait()
            log.seek(0)
            raise SystemExit(f"the cluster did not start:\n{log.read()}")
    return {"folder": str(folder), "head": room.pid}


def stop_cluster(cluster):
    try:
        room = os.pidfd_open(cluster.head)
        if cluster.folder.name.encode() in Path(f"/proc/{cluster.head}/cmdline").read_bytes():
            signal.pidfd_send_signal(room, signal.SIGTERM)
            deadline = time.monotonic() + 20
            while Path(f"/proc/{cluster.head}").exists() and time.monotonic() < deadline and not is_zombie(cluster.head):
                time.sleep(0.05)
            signal.pidfd_send_signal(room, signal.SIGKILL)
    except OSError:
        pass  # It has ended.
    shutil.rmtree(cluster.folder, ignore_errors=True)


def is_zombie(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def main(arguments):
    if len(arguments) < 2 or arguments[0] not in ("start", "run", "node", "stop"):
        print(__doc__, file=sys.stderr)
        return 2
    verb, record, *rest = arguments
    try:
        if verb == "start":
            Path(record).unlink(missing_ok=True)
            try:
                Path(record).write_text(json.dumps(start_cluster()))
            except Missing as reason:
                Path(record).write_text(json.dumps({"missing": str(reason)}))
                raise
            return 0
        cluster = Cluster.read(record)
        if verb == "run":
            os.environ.update(cluster.environment)
            os.execvp("setpriv", cluster.on_head(*rest))
        if verb == "node":
            cluster.ask(" ".join(rest))
        if verb == "stop":
            stop_cluster(cluster)
            Path(record).unlink(missing_ok=True)
        return 0
    except Missing as reason:
        print(f"skipped: {reason}")
        return SKIP


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
