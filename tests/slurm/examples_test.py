#!/usr/bin/env python3
"""The batch scripts of examples/slurm, submitted as they are."""

import collections
import os
from pathlib import Path

from slurm_case import SlurmCase, main

SCRIPTS = Path(os.environ["EXAMPLE_SCRIPTS"])
BUILD = os.environ["MUSTER_BUILD"]
PROGRAM = os.environ["SLURM_PROGRAM"]
DIGITS_DATA = os.environ.get("DIGITS_DATA", "")


class Examples(SlurmCase):
    def submit(self, name, *arguments, **environment):
        return self.cluster.call("sbatch", "--parsable", "--output=%j.out", SCRIPTS / name, *arguments,
                                 folder=self.folder, environment={"MUSTER_BIN": BUILD, **environment}).strip()

    def test_train(self):
        if not DIGITS_DATA:
            self.skipTest("digits_sweep is not built: there is no HDF5")
        job = self.submit("train.sbatch", DIGITS_DATA=DIGITS_DATA)
        self.assertEqual(self.wait_for_end(job, 120), "COMPLETED 0", self.logs())
        self.assertIn("8 trials of up to 16 epochs, 2 ranks each, in a cluster of 6", self.output(job))
        self.assertIn("\ntest accuracy 9", self.output(job))

    def test_requeue(self):
        executions = self.folder / "executions"
        job = self.submit("requeue.sbatch", PROGRAM, "study", "240", EXECUTIONS=str(executions),
                          MUSTER_TIME_LIMIT="3s")
        self.restart_until_over(job)
        self.assertEqual(self.wait_for_end(job), "COMPLETED 0", self.logs())
        self.assertGreater(self.restarts(job), 0)
        self.assertIn(f"sum {sum(range(240))} ", self.output(job))
        executed = collections.Counter(executions.read_text().split())
        self.assertEqual(len(executed), 240)
        self.assertLessEqual(sum(executed.values()), 240 + 6 * self.restarts(job))

    def test_requeue_with_the_example_it_names(self):
        job = self.submit("requeue.sbatch")
        self.assertEqual(self.wait_for_end(job), "COMPLETED 0", self.logs())
        self.assertEqual(self.output(job), "the longest takes 261 steps\n")

    def test_sweep(self):
        job = self.submit("sweep.sbatch")
        self.assertEqual(self.wait_for_end(job), "COMPLETED 0", self.logs())
        muster = f"{BUILD}/launcher/muster"
        lines = self.expect(self.run_on_head(muster, "cat", "sweep")).stdout.splitlines()
        seeds = sorted(int(line.split()[1]) for line in lines)
        self.assertEqual(seeds, list(range(1, 201)))
        self.assertEqual({line.split()[3] for line in lines}, {"n1", "n2", "n3"})
        again = self.submit("sweep.sbatch")
        self.assertEqual(self.wait_for_end(again), "COMPLETED 0", self.logs())
        self.assertEqual(len(self.run_on_head(muster, "cat", "sweep").stdout.splitlines()), 200)

    def test_pool(self):
        job = self.submit("pool.sbatch", POOL_INTERVAL="500ms", POOL_IDLE="1s", HOME=str(self.folder),
                          XDG_STATE_HOME=str(self.folder / "state"))
        self.assertEqual(self.wait_for_end(job, 120), "COMPLETED 0", self.logs())
        self.assertIn("submitted job", self.output(job))
        self.assertIn("all commands are done", self.output(job))
        lines = self.expect(self.run_on_head(f"{BUILD}/launcher/muster", "cat", "pool")).stdout.splitlines()
        self.assertEqual(sorted(int(line.split()[1]) for line in lines), list(range(1, 41)))


if __name__ == "__main__":
    main()
