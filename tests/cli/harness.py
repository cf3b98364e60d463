"""Runs a real program the way a user does, and sees what it prints, how it ends, what it leaves."""

import os
import shlex
import signal
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

MARK = "MUSTER_TEST_MARK"  # In the environment of every process of one run.


@dataclass
class Run:
    command: str
    code: int
    stdout: str
    stderr: str
    seconds_to_end: float  # Until all processes are gone; from the start, or the signal.
    left_behind: list      # Processes still alive when the command had ended, as "pid name".

    def __str__(self):
        return (f"$ {self.command}\nexit code {self.code} after {self.seconds_to_end:.2f} s, "
                f"left behind: {self.left_behind}\n--- stdout\n{self.stdout}--- stderr\n{self.stderr}---")


def processes_with(mark):
    """Processes of one run, wherever they have moved to: (pid, name)."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append((int(folder.name), (folder / "comm").read_text().strip()))
            except OSError:
                pass  # Gone meanwhile, or another user's.
    return found


def command_line(program, arguments, ranks):
    """ranks None: alone, without a launcher. The launcher comes from the build: see CMakeLists.txt."""
    if ranks is None:
        return [program, *arguments]
    before = shlex.split(os.environ["MUSTER_TEST_MPIEXEC"])
    after = shlex.split(os.environ.get("MUSTER_TEST_MPIEXEC_POSTFLAGS", ""))
    return [*before, str(ranks), program, *after, *arguments]


def run(program, *arguments, ranks=None, timeout=60, interrupt_at=None, signal_number=signal.SIGINT, grace=2.0,
        environment=None):
    """Runs to the end. With `interrupt_at`, a text, the whole process group gets a signal, as from
    a terminal's Ctrl-C, as soon as standard output or error contains it.

    `grace` seconds after the end, whatever is still alive counts as left behind; it is then killed.
    """
    mark = uuid.uuid4().hex
    command = command_line(str(program), [str(a) for a in arguments], ranks)
    # Files, not pipes: what is left behind and holds them open must not keep us waiting.
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:

        def output():
            return [os.pread(f.fileno(), 1 << 26, 0).decode("utf-8", "replace") for f in (out, err)]

        def failure(what):
            return AssertionError(f"{what}: {shlex.join(command)}\n" + "".join(output()))

        started = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder,
                                   env={**os.environ, **(environment or {}), MARK: mark}, start_new_session=True)
        try:
            if interrupt_at is not None:
                deadline = started + timeout
                while not any(interrupt_at in text for text in output()):
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise failure(f"'{interrupt_at}' did not appear")
                    time.sleep(0.01)
                started = time.monotonic()
                os.killpg(process.pid, signal_number)
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                raise failure(f"still running after {timeout} s") from None
            ended = time.monotonic()
            while (left := processes_with(mark)) and time.monotonic() < ended + grace:
                time.sleep(0.01)
            if not left:
                ended = time.monotonic()
        finally:
            for pid, _ in processes_with(mark):
                kill(pid)
            process.wait()
        stdout, stderr = output()
        return Run(shlex.join(command), code, stdout, stderr, ended - started, [f"{pid} {name}" for pid, name in left])


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
