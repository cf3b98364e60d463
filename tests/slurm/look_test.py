#!/usr/bin/env python3
"""Looking at a job of a real Slurm: from a login node, and from its traces."""

import json
import os

from slurm_case import SIX_RANKS, SlurmCase, main

MUSTER = os.environ["MUSTER_PROGRAM"]
LOOKED_AT = os.environ["LOOKED_AT"]


class Look(SlurmCase):
    def setUp(self):
        super().setUp()
        self.pipe = self.folder / "pipe"
        os.mkfifo(self.pipe)
        self.environment = {"XDG_RUNTIME_DIR": str(self.folder), "MUSTER_TRACE": str(self.folder / "traces")}
        self.job = self.sbatch(f"#!/bin/bash\nsrun --mpi=pmix {LOOKED_AT} {self.pipe} 5\n", *SIX_RANKS,
                               environment=self.environment)
        self.wait_for("the run is ready", lambda: "ready" in self.output(self.job))

    def from_login_node(self, *words, **options):
        """Where no socket of the job's is: its directory lies behind an empty one."""
        hidden = 'mount -t tmpfs -o mode=700 none "$0" && exec "$@"'
        return self.run_on_head("unshare", "-m", "sh", "-c", hidden, self.folder / "muster", MUSTER, *words,
                                environment=self.environment, **options)

    def let_go(self):
        writer = os.open(self.pipe, os.O_RDWR)
        try:
            self.assertEqual(self.wait_for_end(self.job), "COMPLETED 0", self.logs())
        finally:
            os.close(writer)

    def test_a_run_is_looked_at_from_a_login_node_and_afterwards_from_its_traces(self):
        alone = self.from_login_node("status")
        self.assertEqual(alone.returncode, 1, alone.stdout)
        self.assertIn("say --job with the job's id", alone.stderr)
        status = json.loads(self.expect(self.from_login_node("status", "--json", "--job", self.job)).stdout)
        self.assertEqual((status["job"], len(status["ranks"])), (self.job, 6))
        self.assertEqual(sorted({rank["host"] for rank in status["ranks"]}), ["n1", "n2", "n3"])
        tasks = self.expect(self.from_login_node("tasks", "--state", "running", "--json", "--job", self.job)).stdout
        self.assertEqual(json.loads(tasks)["function"], "hold")
        lines = self.expect(self.from_login_node("top", "--count", "2", "--interval", "0.2", "--job", self.job)).stdout
        self.assertEqual(lines.count(" ranks=6 "), 2, lines)
        by_name = self.from_login_node("explain", "--node", "n1", "--job", self.job, json.loads(tasks)["task"])
        self.assertRegex(self.expect(by_name).stdout, r'the "long" one \(0:\d+\) has run on rank \d \(n\d\) for')
        self.let_go()
        done = self.expect(self.run_on_head(MUSTER, "trace", "traces"))
        self.assertEqual(done.stderr, "")  # the clocks of all nodes were compared
        events = json.loads((self.folder / "trace.json").read_text())["traceEvents"]
        names = {event["args"]["name"] for event in events if event["name"] == "process_name"}
        self.assertEqual(names, {f"rank {rank} on n{1 + rank // 2}" for rank in range(6)})
        hold = next(event for event in events if event["name"] == "hold")
        for after in (event for event in events if event["name"] == "after"):
            self.assertGreater(after["ts"], hold["ts"] + hold["dur"])  # whichever node it ran on
        self.expect(self.run_on_head(MUSTER, "report", "traces"))
        self.assertIn(f"Slurm job {self.job}", (self.folder / "report.html").read_text())


if __name__ == "__main__":
    main()
