"""Programs as tasks, by what starts them from a shell: muster sweep, xargs and GNU parallel.

    commands.py --who muster|xargs|parallel [--quick]

`commands.rate`: 1,000 times `true`, two at once. Of muster also, with MUSTER_PROGRAMS naming the build
folder: `commands.chain`, 200 commands of which each waits for the one before; `commands.queued.*`, how
long the first of 100,000 waits and what memory they take then; `commands.resume`, how long a journal of
1,000,000 finished commands takes to decide on.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import peer
import process_tree


def timed(command, **options):
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)
    return time.perf_counter() - begin


class Muster:
    def __init__(self, folder, quick):
        build = pathlib.Path(os.environ["MUSTER_PROGRAMS"])
        self.program = build / "launcher/muster"
        self.filler = build / "bench/bench_sweep_journal"
        self.folder = folder
        self.quick = quick
        self.made = 0

    def fresh(self):
        self.made += 1
        return self.folder / f"journal{self.made}"

    def rate(self, count):
        """Everything recorded, and its output kept."""
        return timed([self.program, "sweep", "--quiet", "--journal", self.fresh(), "--array", f"1-{count}", "true"])

    def chain(self):
        count = 10 if self.quick else 200
        groups = [{"name": f"g{i}", "command": "true", "values": {"": ["x"]},
                   "after": [f"g{i - 1}"] if i else []} for i in range(count)]
        job = self.folder / "chain.json"
        job.write_text(json.dumps({"group": groups}))
        # Less what one command takes: what is asked for is a hop.
        one = self.folder / "one.json"
        one.write_text(json.dumps({"group": groups[:1]}))
        whole = timed([self.program, "sweep", "--quiet", "--file", job])
        return (whole - timed([self.program, "sweep", "--quiet", "--file", one])) / (count - 1)

    def queued(self):
        """Seconds until the first command runs, and MiB of all processes then."""
        count = 1_000 if self.quick else 100_000
        started = self.folder / f"started{self.made}"
        begin = time.perf_counter()
        process = subprocess.Popen([self.program, "sweep", "--quiet", "--journal", self.fresh(), "--array",
                                    f"1-{count}", "sh", "-c", f": > {started}; exec sleep 1000"])
        try:
            while not started.exists():
                if process.poll() is not None:
                    raise RuntimeError("it ended before it began")
            first = time.perf_counter() - begin
            time.sleep(1)  # for whatever is still being queued
            memory = sum(resident_mib(pid) for pid in [process.pid, *process_tree.descendants(process.pid)])
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
            started.unlink()
        return first, memory

    def resume(self):
        count = 10_000 if self.quick else 1_000_000
        journal = self.folder / "large"
        command = ["--journal", journal, "--array", f"1-{count}", "./job", "{}"]
        if not journal.exists():
            subprocess.run([self.filler, "--quiet", *command], check=True)
        return timed([self.program, "sweep", "--quiet", "--resume", *command])


def resident_mib(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            return next((int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS")), 0)
    except OSError:
        return 0


def numbers(count):
    return "".join(f"{i}\n" for i in range(count)).encode()


def measure(who, quick, report):
    count = 50 if quick else 1_000
    rounds = 1 if quick else 3
    with tempfile.TemporaryDirectory() as name:
        muster = Muster(pathlib.Path(name), quick) if who == "muster" else None
        rate = {
            "muster": lambda: muster.rate(count),
            "xargs": lambda: timed(["xargs", "-P2", "-n1", "true"], input=numbers(count)),
            "parallel": lambda: timed(["parallel", "--will-cite", "-j2", "true"], input=numbers(count)),
        }[who]
        for _ in range(rounds):
            report.add("commands.rate", "ms", rate() / count * 1e3)
            if muster:
                report.add("commands.chain", "ms", muster.chain() * 1e3)
                first, memory = muster.queued()
                report.add("commands.queued.first", "s", first)
                report.add("commands.queued.memory", "MiB", memory)
                report.add("commands.resume", "s", muster.resume())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--who", choices=("muster", "xargs", "parallel"), required=True)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.who != "muster" and shutil.which(options.who) is None:
        sys.exit(f"{options.who} is not installed")
    report = peer.Report()
    measure(options.who, options.quick, report)
    print(report.text())


if __name__ == "__main__":
    main()
