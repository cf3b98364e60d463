"""resume_test.py <train_digits_torch> <mpiexec> [its options ...]: killed in the middle, it goes on, on one rank."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time

DEADLINE_S = 60


def kill_once_there(process, file):
    """With SIGKILL, and what it started."""
    end = time.monotonic() + DEADLINE_S
    while not os.path.exists(file):
        assert process.poll() is None, f"it ended before it was killed, with code {process.returncode}"
        assert time.monotonic() < end, "no checkpoint was written"
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(DEADLINE_S)


def main(program, launcher):
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = os.path.join(folder, "digits.pt")
        arguments = [program, "--epochs", "6", "--checkpoint", checkpoint]
        first = subprocess.Popen([*launcher, "2", *arguments], start_new_session=True, stdout=subprocess.DEVNULL)
        kill_once_there(first, checkpoint)
        second = subprocess.run(arguments, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    print(second.stdout, second.stderr)
    assert second.returncode == 0
    step = int(re.search(r"training from step (\d+) on 1 ranks", second.stdout)[1])
    assert 0 < step < 480 and step % 30 == 0, step
    assert float(re.search(r"accuracy (\S+) %", second.stdout)[1]) >= 96


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
