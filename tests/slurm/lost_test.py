#!/usr/bin/env python3
"""What becomes of a run when Slurm loses a node, or a rank dies: docs/lost-ranks.md on a real Slurm."""

import os
import re
import signal

from slurm_case import SIX_RANKS, SlurmCase, main, ranks_of

PROGRAM = os.environ["SLURM_PROGRAM"]
SURVIVING = ["--kill-on-bad-exit=0", "--no-kill"]
SOON = {"MUSTER_HEARTBEAT_TIMEOUT": "2"}


class Lost(SlurmCase):
    def start_ranks(self, *options):
        process = self.start("srun", "--mpi=pmix", *options, *SIX_RANKS, PROGRAM, "until", self.folder / "stop",
                             environment=SOON)
        self.wait_for("six ranks are at work", lambda: "at work" in self.client_output())
        return process

    def expect_that_four_go_on(self, process, output):
        self.wait_for("the others take two ranks for lost",
                      lambda: set(re.findall(r"rank 0 \| elect rank_lost rank=(\d)", output())) == {"4", "5"})
        (self.folder / "stop").touch()
        process.wait(30)
        self.assertIn("went on to the end\n", output())

    def test_a_node_that_is_set_down_leaves_the_others_working(self):
        process = self.start_ranks(*SURVIVING)
        self.cluster.call("scontrol", "update", "nodename=n3", "state=down", "reason=test")
        self.expect_that_four_go_on(process, self.client_output)

    def test_a_node_without_power_leaves_the_others_working(self):
        process = self.start_ranks(*SURVIVING)
        self.cluster.ask("off n3")
        self.addCleanup(self.bring_back)
        # As Slurm would after SlurmdTimeout; until then srun waits for the node.
        self.cluster.call("scontrol", "update", "nodename=n3", "state=down", "reason=test")
        self.expect_that_four_go_on(process, self.client_output)

    def bring_back(self):
        self.cluster.ask("on n3")

    def test_slurms_pmix_plugin_ends_the_step_when_a_process_is_killed(self):
        # Whatever srun was told. If this fails, Slurm has become better than docs/lost-ranks.md says.
        process = self.start_ranks(*SURVIVING)
        os.kill(ranks_of(PROGRAM)["n3", "5"], signal.SIGKILL)
        self.assertNotEqual(process.wait(30), 0)
        self.assertNotIn("went on to the end", self.client_output())

    def test_a_killed_rank_leaves_the_others_working_under_mpirun_in_the_job(self):
        job = self.sbatch(f"#!/bin/bash\nexec mpirun --enable-recovery {PROGRAM} until {self.folder}/stop\n",
                          *SIX_RANKS, "--no-kill", environment=SOON)
        self.wait_for("six ranks are at work", lambda: "at work" in self.output(job))
        os.kill(ranks_of(PROGRAM, "OMPI_COMM_WORLD_RANK")["n3", "5"], signal.SIGKILL)
        self.wait_for("it is taken for lost", lambda: "rank 0 | elect rank_lost rank=5" in self.output(job))
        (self.folder / "stop").touch()
        self.wait_for("the others go on to the end", lambda: "went on to the end\n" in self.output(job))
        # The ranks end by themselves. mpirun of Open MPI 4.1 stays, with daemons on several nodes.
        self.wait_for("no rank is left", lambda: not ranks_of(PROGRAM, "OMPI_COMM_WORLD_RANK"))

    def test_without_those_options_the_step_ends_with_the_rank(self):
        process = self.start_ranks("--kill-on-bad-exit=1")
        os.kill(ranks_of(PROGRAM)["n3", "5"], signal.SIGKILL)
        self.assertNotEqual(process.wait(30), 0)
        self.assertNotIn("went on to the end", self.client_output())
        self.assertIn("Terminating StepId", self.client_output())


if __name__ == "__main__":
    main()
