"""HyperQueue: 1,000 times `true` with one worker of two CPUs, and a chain of 200.

Its server and worker run already when the clock starts, and nothing of what commands write is kept.
"""

import argparse
import importlib.metadata
import os
import pathlib
import tempfile
import time

import peer


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    from hyperqueue import Job, LocalCluster
    from hyperqueue.cluster import WorkerConfig

    output = os.dup(1)
    os.dup2(2, 1)  # its server greets on standard output
    report = peer.Report()
    report.machine["hyperqueue"] = importlib.metadata.version("hyperqueue")
    count, chain, rounds = (20, 5, 1) if quick else (1_000, 200, 3)
    with tempfile.TemporaryDirectory() as name, LocalCluster() as cluster:
        cluster.start_worker(WorkerConfig(cores=2))
        client = cluster.client()
        done = pathlib.Path(name) / "done"

        def seconds(fill):
            """Until a last command has left its mark: wait_for_jobs() looks once a second."""
            begin = time.perf_counter()
            job = Job(default_workdir=name)
            last = fill(job)
            job.program(["touch", str(done)], stdout=None, stderr=None, deps=last)
            submitted = client.submit(job)
            while not done.exists():
                time.sleep(0.0005)
            elapsed = time.perf_counter() - begin
            done.unlink()
            client.wait_for_jobs([submitted])
            return elapsed

        def flat(job):
            return [job.program(["true"], stdout=None, stderr=None) for _ in range(count)]

        def linked(job):
            last = []
            for _ in range(chain):
                last = [job.program(["true"], stdout=None, stderr=None, deps=last)]
            return last

        seconds(linked)  # to warm up
        for _ in range(rounds):
            report.add("commands.rate", "ms", seconds(flat) / count * 1e3)
            report.add("commands.chain", "ms", seconds(linked) / chain * 1e3)
    os.write(output, report.text().encode() + b"\n")
    os._exit(0)  # its threads do not end


if __name__ == "__main__":
    main()
